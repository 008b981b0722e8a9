"""What pages write differently from what we store."""

from __future__ import annotations

import pytest

from app.web.customers.filters import money, sort_code, whole
from connectors.money import Money


def test_a_british_account_is_written_as_people_there_know_it() -> None:
    assert sort_code("GB33BUKB20201555555555") == ("20-20-15", "55555555")


@pytest.mark.parametrize("account", ["FR7630006000011234567890189", "GB33BUKB2020155555555", ""])
def test_no_other_account_has_a_sort_code(account: str) -> None:
    assert sort_code(account) is None


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        (Money(45000, "SEK"), "SEK 450.00"),
        (Money(-45000, "SEK"), "−SEK 450.00"),
        (Money(123450, "EUR"), "€1,234.50"),
        (Money(3309, "USD"), "US$33.09"),
    ],
)
def test_a_currency_in_letters_stands_apart_from_its_figures(amount: Money, written: str) -> None:
    assert money(amount).replace("\N{NO-BREAK SPACE}", " ") == written


def test_a_number_is_kept_whole_and_stays_text() -> None:
    assert whole("FT-<b>") == '<span class="whole">FT-&lt;b&gt;</span>'
