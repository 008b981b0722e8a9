"""What pages write differently from what we store."""

from __future__ import annotations

import pytest
from flask import Flask
from flask_babel import Babel, force_locale

from app.web.customers.filters import money, quantity, sort_code, whole
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


@pytest.mark.parametrize(
    ("written", "in_english", "in_french"),
    [
        ("0.5 h", "0.5 h", "0,5 h"),
        ("21 m³", "21 m³", "21 m³"),
        ("1.00", "1", "1"),
        ("1200.50 kWh", "1200.5 kWh", "1200,5 kWh"),
        # a code that nobody knows has words; others stay, as what is no plain number does
        ("3 TNX", "3 TNX", "3 TNX"),
        ("1.500 kg", "1.500 kg", "1.500 kg"),
        ("1,5 kg", "1,5 kg", "1,5 kg"),
        ("about 3", "about 3", "about 3"),
        ("", "", ""),
    ],
)
def test_a_quantity_is_written_as_in_the_language(written: str, in_english: str, in_french: str) -> None:
    app = Flask(__name__)
    Babel(app)
    for language, shown in (("en", in_english), ("fr", in_french)):
        with app.test_request_context("/"), force_locale(language):
            assert quantity(written) == shown
