"""What an invoice costs on a day."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.journey.invoices.rules import payable_on
from connectors.money import Money

AMOUNT, DISCOUNT, NOTHING = Money(10000, "EUR"), Money(200, "EUR"), Money(0, "EUR")
UNTIL = dt.date(2026, 11, 30)


@pytest.mark.parametrize(
    ("day", "minor"),
    [
        (dt.date(2026, 11, 1), 9800),
        (dt.date(2026, 11, 29), 9800),
        (dt.date(2026, 11, 30), 9800),  # the last day counts
        (dt.date(2026, 12, 1), 10000),
        (dt.date(2027, 11, 30), 10000),
    ],
)
def test_the_discount_is_taken_off_up_to_and_on_its_last_day(day: dt.date, minor: int) -> None:
    assert payable_on(amount=AMOUNT, discount=DISCOUNT, discount_until=UNTIL, day=day) == Money(minor, "EUR")


@given(amount=st.integers(1, 10**12), discount=st.data(), day=st.dates(), until=st.none() | st.dates())
def test_it_is_the_amount_or_the_amount_less_the_discount_and_never_nothing(
    amount: int, discount: st.DataObject, day: dt.date, until: dt.date | None
) -> None:
    less = discount.draw(st.integers(1, amount - 1)) if until and amount > 1 else 0
    price = payable_on(amount=Money(amount, "EUR"), discount=Money(less, "EUR"), discount_until=until, day=day)
    in_time = until is not None and day <= until
    assert price.minor == (amount - less if in_time else amount)
    assert price.minor > 0


@given(day=st.dates())
def test_without_a_last_day_there_is_no_discount(day: dt.date) -> None:
    assert payable_on(amount=AMOUNT, discount=NOTHING, discount_until=None, day=day) == AMOUNT


def test_a_discount_in_another_currency_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="cannot be mixed"):
        payable_on(amount=AMOUNT, discount=Money(2, "JPY"), discount_until=UNTIL, day=UNTIL)
