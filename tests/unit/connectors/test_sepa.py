"""What a SEPA credit transfer carries, converts and refuses."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import sepa
from connectors.money import Money

ALPHABET = re.compile(r"[A-Za-z0-9/?:().,'+ -]+")


@pytest.mark.parametrize(
    ("value", "carried"),
    [
        ("Société Générale d'Énergie", "Societe Generale d'Energie"),
        ("Straßenbau Müller & Söhne", "Strassenbau Muller + Sohne"),
        ("Cafe\u0301", "Cafe"),
        ("Ørsted, Łódź; “Æon”", "Orsted, Lodz, 'AEon'"),
        ("Rechnung #12\u00a0\u2013 50\u00a0€", "Rechnung .12 - 50 EUR"),
        ("  two \n lines\t", "two lines"),
        ("L\u2019eau", "L'eau"),
        ("a/b-c?d:e(f)g.h,i'j+k 9", "a/b-c?d:e(f)g.h,i'j+k 9"),
    ],
)
def test_a_text_is_converted(value: str, carried: str) -> None:
    assert sepa.text(value, field="text", characters_max=140) == carried


@pytest.mark.parametrize("value", ["Αθήνα", "София", "東京", "a\x00b", "a\u202eb", "10²", "½", "😀"])
def test_what_cannot_be_carried_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="cannot carry the character"):
        sepa.text(value, field="text", characters_max=140)


@pytest.mark.parametrize("value", ["", "   ", "\u0301", "ß" * 71, "a" * 141])
def test_nothing_and_too_much_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match="must have 1 to 140"):
        sepa.text(value, field="text", characters_max=140)


@given(st.text(max_size=200))
def test_whatever_is_carried_is_in_the_alphabet_and_stays_as_it_is(value: str) -> None:
    try:
        carried = sepa.text(value, field="text", characters_max=140)
    except ValueError:
        return
    assert ALPHABET.fullmatch(carried)
    assert 1 <= len(carried) <= 140
    assert sepa.text(carried, field="text", characters_max=140) == carried


@pytest.mark.parametrize("value", ["", "/a", "a/", "a//b", "é", "a" * 36, " a", "a ", "a\n"])
def test_a_reference_is_never_converted(value: str) -> None:
    with pytest.raises(ValueError, match="must"):
        sepa.reference(value, field="EndToEndIdentification")


@pytest.mark.parametrize("value", ["QUI-2026/11", "a" * 35])
def test_a_reference_goes_through(value: str) -> None:
    assert sepa.reference(value, field="EndToEndIdentification") == value


@pytest.mark.parametrize(
    "value", ["", "DE02100100109307118604", "de02100100109307118603", "DE02 1001 0010 9307 1186 03", "x"]
)
def test_an_account_must_be_an_iban_in_electronic_form(value: str) -> None:
    with pytest.raises(ValueError, match="IBAN is not valid"):
        sepa.account(value)


@pytest.mark.parametrize(("minor", "text"), [(1, "0.01"), (8420, "84.20"), (99_999_999_999, "999999999.99")])
def test_an_amount_has_two_digits(minor: int, text: str) -> None:
    assert sepa.amount(Money(minor, "EUR")) == text


@pytest.mark.parametrize("money", [Money(0, "EUR"), Money(-1, "EUR"), Money(10**11, "EUR"), Money(1, "GBP")])
def test_amounts_that_sepa_does_not_carry(money: Money) -> None:
    with pytest.raises(ValueError, match="SEPA credit transfer"):
        sepa.amount(money)
