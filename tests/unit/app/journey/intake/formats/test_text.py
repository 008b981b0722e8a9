"""What strangers write, cleaned or refused."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import text

BIDI = "Stadtwerke \u202eHbmG"
ANY_TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=60)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("  Eaux du Lac\n", "Eaux du Lac"),
        ("Mu\u0308ller", "Müller"),
        ("u\u200d\u0308", "ü"),
        ("Stadt\u200dwerke", "Stadtwerke"),
        (BIDI, "Stadtwerke HbmG"),
        ("A\r\nBcc: x@example.test", "A Bcc: x@example.test"),
        ("A\u2028B", "A B"),
        ("\u200b\u3164", ""),
        ("Rechnung 💶", "Rechnung 💶"),
    ],
)
def test_a_line_is_composed_stripped_and_wholly_visible(written: str, shown: str) -> None:
    assert text.line(written, element="/x", limit=100) == shown


def test_a_paragraph_keeps_its_line_breaks() -> None:
    assert text.paragraph(" one\r\ntwo\rthree\u2029four ", element="/x") == "one\ntwo\nthree\nfour"


@pytest.mark.parametrize("invisible", ["\u200b", "\u202e", "\u00ad", "\ufeff", "\u2066", "\U000e0041"])
def test_an_exact_text_with_an_invisible_character_is_refused(invisible: str) -> None:
    with pytest.raises(BillRefused, match="invisible") as caught:
        text.exact(f"RE{invisible}1", element="/x", limit=100)
    assert (caught.value.code, caught.value.element) == ("text-refused", "/x")


@pytest.mark.parametrize("control", ["\x00", "\x1b", "\x7f", "\x85", "\ud800"])
def test_control_characters_and_lone_surrogates_are_refused_everywhere(control: str) -> None:
    with pytest.raises(BillRefused, match=r"control character U\+00|U\+D800") as caught:
        text.line(f"a{control}b", element="/x", limit=100)
    assert caught.value.code == "text-refused"


def test_the_limit_counts_what_is_left_after_cleaning() -> None:
    assert text.line("  " + "R" * 140 + "\u200b", element="/x", limit=140) == "R" * 140
    with pytest.raises(BillRefused, match="longer than 140 characters"):
        text.line("R" * 141, element="/x", limit=140)


def test_a_text_far_too_long_is_refused_before_it_is_cleaned() -> None:
    with pytest.raises(BillRefused, match=f"longer than {text.RAW_MAX}"):
        text.line("\u200b" * (text.RAW_MAX + 1), element="/x", limit=100)


def test_a_quoted_value_is_short_and_printable() -> None:
    assert text.quoted("a\u202eb\n" + "x" * 60) == "'a?b?" + "x" * 36 + "…'"


@given(ANY_TEXT)
def test_cleaning_twice_is_cleaning_once(written: str) -> None:
    try:
        shown = text.line(written, element="/x", limit=100)
    except BillRefused:
        return
    assert text.line(shown, element="/x", limit=100) == shown
    assert unicodedata.is_normalized("NFC", shown)


def test_what_nobody_pays_by_is_shown_on_one_line() -> None:
    assert text.shown(" NO93\u00a08601\n 1117\u202e947 ", limit=100) == "NO93 8601 1117?947"
    assert text.shown(" \n ", limit=100) is None
    assert text.shown("x" * 200, limit=10) == "x" * 10 + "…"
