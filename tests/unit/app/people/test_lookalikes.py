"""What looks the same is the same, and style alone is no disguise."""

from __future__ import annotations

import pytest

from app.people import lookalikes

KNOWN = "Stadtwerke Musterstadt GmbH"


@pytest.mark.parametrize(
    "written",
    ["St\u0430dtwerke Musterst\u0430dt GmbH", "Stadtwerke Must\u03b5rstadt GmbH", "\u0405tadtwerke Musterstadt GmbH"],
)
def test_letters_of_another_alphabet_are_a_disguise(written: str) -> None:
    assert lookalikes.disguised(written, KNOWN)
    assert lookalikes.mixes(written)


@pytest.mark.parametrize(
    "written",
    [KNOWN, KNOWN.upper(), f"  {KNOWN} ", "Ｓtadtwerke Musterstadt GmbH", "Stadt\u200dwerke Musterstadt GmbH", "Other"],
)
def test_style_and_other_names_are_none(written: str) -> None:
    assert not lookalikes.disguised(written, KNOWN)


@pytest.mark.parametrize("written", ["Мосводоканал", "ΔΕΗ Α.Ε.", "Mu\u0308ller", "Eaux du Lac", "ČEZ Прага"])
def test_a_name_in_its_own_alphabet_mixes_nothing(written: str) -> None:
    assert not lookalikes.mixes(written)


@pytest.mark.parametrize("number", ["dup-1", "DUP\u20101", "DUP\u22121", "\uff24UP-1", "DU\u0420-1", " DUP-1 "])
def test_numbers_that_look_the_same_have_one_key(number: str) -> None:
    assert lookalikes.key(number) == lookalikes.key("DUP-1") == "dup-1"


@pytest.mark.parametrize("name", ["ENGIE", "ENGlE", "ENG1E", "Éngie", "\u0415NG\u0406E"])
def test_names_that_are_taken_for_each_other(name: str) -> None:
    assert lookalikes.glance(name) == lookalikes.glance("Engie")


@pytest.mark.parametrize("number", ["DUP-2", "DUP1", "DUP/1", "DUP-l"])
def test_other_numbers_have_another(number: str) -> None:
    assert lookalikes.key(number) != "dup-1"
