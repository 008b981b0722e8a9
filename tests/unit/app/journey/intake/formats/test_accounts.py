"""What an account number is called, and what it is not called."""

from __future__ import annotations

import pytest

from app.journey.intake.bill import AccountScheme
from app.journey.intake.formats import accounts, checks
from app.journey.intake.formats.accounts import Where

AU, GB, NO, SE = (Where(currency=code, country=code[:2]) for code in ("AUD", "GBP", "NOK", "SEK"))
SG = Where(currency="SGD", country="SG", means_code="Z02")


@pytest.mark.parametrize(
    ("number", "branch", "where", "scheme"),
    [
        ("12345678", "20-00-00", GB, AccountScheme.UK_SORT_CODE),
        ("20000012345678", "", GB, AccountScheme.UK_SORT_CODE),
        ("12345678", "", GB, AccountScheme.OTHER),
        ("123456789", "200000", GB, AccountScheme.OTHER),
        ("12345678", "083-001", AU, AccountScheme.AU_BSB),
        ("12345678", "083001", Where(currency="AUD"), AccountScheme.AU_BSB),
        ("12345678", "0830", AU, AccountScheme.OTHER),
        ("87654", "BPAY", AU, AccountScheme.AU_BPAY),
        ("not digits", "BPAY", AU, AccountScheme.OTHER),
        ("https://pay.example/x", "URI", AU, AccountScheme.LINK),
        ("javascript://x", "", SE, AccountScheme.LINK),
        ("5050-1055", "", SE, AccountScheme.SE_BANKGIRO),
        ("5050-1056", "", SE, AccountScheme.OTHER),
        ("50501055", "", SE, AccountScheme.OTHER),
        ("50501055", "SE:BANKGIRO", SE, AccountScheme.SE_BANKGIRO),
        ("28 65 43-4", "SE:PLUSGIRO", SE, AccountScheme.SE_PLUSGIRO),
        ("286543-4", "", SE, AccountScheme.SE_PLUSGIRO),
        ("8601.11.17947", "", NO, AccountScheme.NO_ACCOUNT),
        ("86011117948", "", NO, AccountScheme.OTHER),
        ("UEN201912345A", "", SG, AccountScheme.SG_PAYNOW),
        ("0123456", "", Where(currency="EUR", country="DE"), AccountScheme.OTHER),
    ],
)
def test_a_number_is_what_its_shape_digits_and_country_say(
    number: str, branch: str, where: Where, scheme: AccountScheme
) -> None:
    found = accounts.payee("Lumen", checks.Account(other=number), branch, where)
    assert (found.iban, found.other_account, found.branch, found.scheme) == (None, number, branch or None, scheme)
