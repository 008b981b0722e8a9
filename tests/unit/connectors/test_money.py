"""Amounts: whole minor units, one spelling, and nothing that only looks like a number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.money import EXPONENTS, MINOR_MAX, Money, example, exponent_of

CURRENCIES = st.sampled_from(sorted(EXPONENTS))
MINORS = st.integers(0, MINOR_MAX)
SHOWN_MOST = 40  # characters of a refused text that are shown back


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("0", "EUR", 0),
        ("0.00", "EUR", 0),
        ("84.20", "EUR", 8420),
        ("84.2", "EUR", 8420),
        ("84", "EUR", 8400),
        ("84.200", "EUR", 8420),
        ("0.01", "EUR", 1),
        ("84", "JPY", 84),
        ("84.0", "JPY", 84),
        ("1.234", "BHD", 1234),
        ("9999999999999.99", "EUR", MINOR_MAX),
        ("999999999999999", "JPY", MINOR_MAX),
    ],
)
def test_a_plain_decimal_is_read(text: str, currency: str, minor: int) -> None:
    read = Money.parse(text, currency)
    assert read == Money(minor, currency)
    assert type(read.minor) is int


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        " 1",
        "1 ",
        "1\n",
        "+1",
        "-1",
        "-0",
        "−1",
        "1e2",
        "1E2",
        "1,50",
        "1 000",
        "1_000",
        "1'000",
        "1.",
        ".5",
        "01",
        "00.50",
        "1.2.3",
        "0x1F",
        "NaN",
        "Infinity",
        "１２.５０",  # full-width
        "١٢",  # Arabic-Indic
        "²",
        "84.205",
        "84.2000",
        "1000000000000000",
        "99999999999999.99",
        "9" * 5000,
    ],
)
def test_anything_else_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"84\.20|more digits than any payment scheme") as refused:
        Money.parse(text, "EUR")
    assert len(str(refused.value)) < SHOWN_MOST + 100


@pytest.mark.parametrize(
    ("text", "currency"),
    [("84", "EUR"), ("84.2", "EUR"), ("84.200", "EUR"), ("84.0", "JPY"), ("1.23", "BHD")],
)
def test_our_own_api_demands_exactly_the_digits_of_the_currency(text: str, currency: str) -> None:
    with pytest.raises(ValueError, match=r"does not have [023] decimals"):
        Money.parse(text, currency, exact=True)


@pytest.mark.parametrize("currency", ["XXX", "XTS", "XAU", "eur", "EURO", "", "€"])
def test_what_is_no_money_to_us_is_refused(currency: str) -> None:
    with pytest.raises(ValueError, match="not a currency that we know"):
        Money.parse("1.00", currency)
    with pytest.raises(ValueError, match="not a currency that we know"):
        Money(1, currency)
    with pytest.raises(ValueError, match="not a currency that we know"):
        exponent_of(currency)


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money(8420, "EUR"), "84.20"),
        (Money(5, "EUR"), "0.05"),
        (Money(-5, "EUR"), "-0.05"),
        (Money(0, "EUR"), "0.00"),
        (Money(84, "JPY"), "84"),
        (Money(1, "KWD"), "0.001"),
        (Money(MINOR_MAX, "EUR"), "9999999999999.99"),
        (Money(MINOR_MAX, "JPY"), "999999999999999"),
    ],
)
def test_it_is_written_with_exactly_the_digits_of_the_currency(money: Money, text: str) -> None:
    assert str(money) == text


@given(minor=MINORS, currency=CURRENCIES)
def test_what_is_written_is_read_back(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    assert Money.parse(str(money), currency, exact=True) == money


@given(text=st.text(max_size=20), currency=CURRENCIES)
def test_no_text_is_read_as_something_that_is_written_otherwise(text: str, currency: str) -> None:
    try:
        money = Money.parse(text, currency, exact=True)
    except ValueError:
        return
    assert str(money) == text


@given(one=MINORS, other=MINORS, currency=CURRENCIES)
def test_sums_and_differences_are_exact(one: int, other: int, currency: str) -> None:
    a, b = Money(one // 2, currency), Money(other // 2, currency)
    assert (a + b).minor == one // 2 + other // 2
    assert a + b - b == a
    assert (a < b, a <= b) == (a.minor < b.minor, a.minor <= b.minor)


def test_currencies_are_never_mixed() -> None:
    euro, yen = Money(1, "EUR"), Money(1, "JPY")
    for mix in (lambda: euro + yen, lambda: euro - yen, lambda: euro < yen, lambda: euro <= yen):
        with pytest.raises(ValueError, match="EUR and JPY cannot be mixed"):
            mix()
    assert euro != yen


@pytest.mark.parametrize("minor", [MINOR_MAX + 1, -MINOR_MAX - 1])
def test_an_amount_that_no_scheme_carries_is_refused(minor: int) -> None:
    with pytest.raises(ValueError, match="more digits"):
        Money(minor, "EUR")
    with pytest.raises(ValueError, match="more digits"):
        Money(MINOR_MAX, "EUR") + Money(1, "EUR")


@given(currency=CURRENCIES)
def test_the_example_is_itself_well_written(currency: str) -> None:
    assert str(Money.parse(example(currency), currency, exact=True)) == example(currency)
