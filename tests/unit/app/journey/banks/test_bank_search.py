"""Finding a bank by what a customer knows of it, and what is taken for an account number."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.journey.banks.search import by_account, by_words, is_account, words_of
from config.settings import ROOT
from connectors import profile
from connectors.profile import BankProfile


def bank(folder: Path, bank_id: str, name: str, country: str, **keys: list[str]) -> BankProfile:
    lines = [f'name = "{name}"', f'country = "{country}"', 'standard = "berlin_group"', 'client_id = "us"']
    lines += ['base_url = "https://bank.example"', 'issuer = "https://bank.example"']
    lines += [f"{key} = {value}" for key, value in keys.items()]
    path = folder / f"{bank_id}.toml"
    path.write_text("\n".join(lines), "utf-8")
    made = profile.read(path, sandboxes={}, allow_http=False)
    assert made is not None
    return made


@pytest.fixture
def banks(tmp_path: Path) -> list[BankProfile]:
    return [
        bank(tmp_path, "avon", "Avon Bank", "GB", bics=["AVONGB20"], bank_codes=["GBAVON9902"]),
        bank(tmp_path, "canaux", "Caisse des Canaux", "FR", bics=["CANXFRP0"], bank_codes=["FR99983"]),
        bank(tmp_path, "rhin", "Crédit du Rhin", "FR", also_in=["DE"], bank_codes=["FR99984", "DE99990002"]),
        bank(tmp_path, "remparts", "Banque des Remparts", "FR", bics=["REMPFRP0XXX"]),
        bank(tmp_path, "bare", "Île-d’Or", "BE"),
        bank(tmp_path, "navigli", "Cassa", "IT", bank_codes=["IT99986"]),
    ]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("", ["avon", "remparts", "canaux", "rhin", "bare", "navigli"]),
        ("avo", ["avon"]),
        ("can", ["canaux"]),
        ("CREDIT", ["rhin"]),
        ("crédit du", ["rhin"]),
        ("rhin credit", ["rhin"]),
        ("  île  ", ["bare"]),
        ("ile d or", ["bare"]),
        ("canxfrp0", ["canaux"]),
        ("remp", ["remparts"]),
        ("ban", ["remparts", "avon"]),  # the name that begins so, then the one that has such a word
        ("germany", ["rhin"]),
        ("allemagne", ["rhin"]),
        ("be", ["bare"]),
        ("uk", ["avon"]),
        ("united kingdom", ["avon"]),
        ("fr", ["remparts", "canaux", "rhin"]),
        ("rhin belgium", []),
        ("vo", []),  # words are found by their beginning
        ("'; --", ["avon", "remparts", "canaux", "rhin", "bare", "navigli"]),  # no word at all
    ],
)
def test_by_words(banks: list[BankProfile], typed: str, found: list[str]) -> None:
    assert sorted(one.id for one in by_words(banks, typed)) == sorted(found)
    if typed == "ban":
        assert [one.id for one in by_words(banks, typed)] == found


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("FR76 9998 3000 0100 0042 1840 82", ["canaux"]),
        ("fr7699983", ["canaux"]),
        ("FR76 9998", ["canaux", "rhin"]),  # both may go on so
        ("FR76", ["canaux", "rhin"]),
        ("DE04 9999 0002", ["rhin"]),
        ("DE04 9999 0003", []),
        ("99984 00001", ["rhin"]),  # a French account without its country and check digits
        ("GB33 AVON 9902 1100 0000 00", ["avon"]),
        ("99-02-11", ["avon"]),
        ("99-03-11", []),
        ("IT60 X999 8601 0000 0000 0001 23", ["navigli"]),  # whatever its check letter
        ("IT60 B9998", ["navigli"]),
        ("IT60 X", ["navigli"]),
        ("IT60 X999 8701", []),
        ("X 99986 01000", ["navigli"]),
        ("99986 01000", ["navigli"]),
    ],
)
def test_by_account(banks: list[BankProfile], typed: str, found: list[str]) -> None:
    assert is_account(typed)
    assert [one.id for one in by_account(banks, typed)] == found


@pytest.mark.parametrize(
    "typed", ["FR76", "fr7", "FR76-9", "99-02-11", "1234", "Konto 12 34", "BE68 5390", "\uff26R76"]
)
def test_whatever_may_be_an_account_is_one(typed: str) -> None:
    assert is_account(typed) is (typed != "fr7")  # two check digits make it one


@pytest.mark.parametrize(
    "typed", ["", "horizon", "N26", "Bank 24", "HORZFRP0", "HORZFRP0123", "horz fr p0", "FR", "99"]
)
def test_names_and_bics_are_none(typed: str) -> None:
    assert not is_account(typed)


def test_the_words_of_a_bank_are_those_that_find_it(banks: list[BankProfile]) -> None:
    for one in banks:
        for word in words_of(one):
            assert one in by_words(banks, word)


def shipped() -> list[BankProfile]:
    sandboxes = {f"{{sandbox_bank{which}_url}}": "https://bank.example" for which in ("", "_uk", "_stet", "_nextgen")}
    paths = sorted((ROOT / "config" / "banks").glob("*.toml"))
    return [one for path in paths if (one := profile.read(path, sandboxes=sandboxes, allow_http=False)) is not None]


@pytest.mark.parametrize("one", shipped(), ids=lambda one: one.id)
def test_each_shipped_bank_is_found_by_its_bic_and_by_its_accounts(one: BankProfile) -> None:
    """The UK banks have one sort code together: of the others an account names one bank."""
    assert one.bics
    assert one.bank_codes
    assert {code[:2] for code in one.bank_codes} == {one.country, *one.also_in}
    for bic in one.bics:
        assert by_words(shipped(), bic) == [one]
        assert bic[4:6] == one.country
        assert bic[7] == "0"  # of no real bank (ISO 9362)
    for code in one.bank_codes:
        letter = "X" if code[:2] == "IT" else ""
        found = by_account(shipped(), f"{code[:2]}00{letter}{code[2:]}")
        assert one in found
        assert found == [one] or code == "GBSBDK999999"
