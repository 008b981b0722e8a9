"""Sentences that a name is filled into."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.customers.french import elided


@pytest.mark.parametrize("name", ["Électricité Nord", "Ivry Eau", "œuvre", "EDF", "Horizon", "Hôpital Bretonneau"])
def test_de_and_que_lose_their_e_before_a_vowel(name: str) -> None:
    assert elided("Une facture de %(biller)s", {"biller": name}) == "Une facture d’%(biller)s"
    assert elided("Que %(biller)s le dise", {"biller": name}) == "Qu’%(biller)s le dise"


@pytest.mark.parametrize("name", ["Lumen", "Régie", "Hambourg", "Haute-Savoie Gaz", "3 Suisses", "€12.00", "", "Yahoo"])
def test_and_keep_it_before_anything_else(name: str) -> None:
    assert elided("Une facture de %(biller)s", {"biller": name}) == "Une facture de %(biller)s"


def test_each_name_by_itself() -> None:
    names = {"bank": "Albion", "biller": "Lumen"}
    assert elided("de %(bank)s que %(biller)s", names) == "d’%(bank)s que %(biller)s"


def test_only_whole_words() -> None:
    assert elided("Garde %(biller)s, le %(day)s", {"biller": "Aqua", "day": "août"}) == "Garde %(biller)s, le %(day)s"


@given(st.text(), st.text())
def test_a_name_is_never_changed(name: str, other: str) -> None:
    said = elided("De %(name)s, de 5 %% et de %(other)s", {"name": name, "other": other})
    assert (said % {"name": name, "other": other}).endswith(other)
    assert name in said % {"name": name, "other": other}
