"""What an invoice costs on a day, and which two may be the same bill."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.journey.invoices.rules import Paper, Word, may_be_same, payable_on
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


CAME = dt.datetime(2026, 11, 1, 9, tzinfo=dt.UTC)


def paper(number: str, reference: str = "", **changes: Any) -> Paper:
    """A bill that was delivered; ``days`` after the others came."""
    came = CAME + dt.timedelta(days=changes.pop("days", 0))
    words = {"number": Word.of(number), "reference": Word.of(reference or number)}
    values: dict[str, Any] = {"account": "A", "amount_minor": 18450, "is_delivered": True, "received_at": came}
    return Paper(**{**values, **words, **changes})


def own(reference: str, number: str = "", **changes: Any) -> Paper:
    """One that its customer added."""
    return paper(number or reference, reference, **{"is_delivered": False, **changes})


OTHER: dict[str, Any] = {"account": "B"}
FEE: dict[str, Any] = {"amount_minor": 18950}
LATE: dict[str, Any] = {"days": 26}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        # account, amount and reference, at any time, however it is written
        *[
            (paper(number, "RF18539007547034"), own(written, **LATE, **FEE), True)
            for number, written in [
                ("Re-2026-77", "RE-2026-77"),
                ("RE-2026-77", "RE\u20132026\u201377"),
                ("2026-77", "Rechnung 2026-77"),
                ("2026-77", "Rechnung 2026-77 vom 1.11.2026, Kunde 4711"),
                ("RE-2026-77", "RE 2026 77"),
                ("2026/77", "2026-77"),
                ("RE 77", "RE\u00a077"),
                ("RЕ-77", "RE-77"),  # a Cyrillic letter
            ]
        ],
        (own("Rent"), own("Rent", **LATE), True),
        # no other number: of the same account, with another amount
        (paper("2026-77"), own("2026-771", **LATE, **FEE), False),
        (paper("2026-77"), own("12026-77", **LATE, **FEE), False),
        (paper("RE-77"), own("CARE-77", **LATE, **FEE), False),
        (paper("2026-77"), own("12026-77, 2026-77", **LATE, **FEE), True),  # that one, and another one before it
        (paper("RE-77"), own("2026RE-77", **LATE, **FEE), True),
        (paper("77"), own("Rechnung 77", **LATE, **FEE), False),  # two digits stand in too much
        (paper("7"), own("7", **LATE, **FEE), True),
        # a number of its own is one of that payee; a reference may be of all its bills
        (own("Customer 7", "RE-77"), own("RE-77", **LATE, **FEE), True),
        (own("Customer 7"), own("Customer 7", **LATE, **FEE), False),
        (own("Customer 7"), own("Customer 7", **FEE), True),
        (paper("RE-77", "Customer 7"), own("RE-77", **LATE, **FEE), True),
        (paper("RE-77"), own("RE-77", **LATE, **FEE, **OTHER), False),
        # two of the three, near to each other; what is added is a copy or a reminder of what was delivered before
        (paper("RE-77"), own("X", **LATE), True),
        (paper("RE-77", **LATE), own("X"), False),
        (paper("RE-77", days=25), own("X"), True),
        (own("X"), own("Y", days=25), True),
        (own("X"), own("Y", **LATE), False),
        (paper("RE-77"), own("RE-77", **LATE, **OTHER), True),
        (paper("RE-77", account=None), own("RE-77"), True),
        (paper("RE-77", account=None), own("X"), False),
        (own("X"), own("X", **FEE, **OTHER), False),
        (own("X"), own("Y", **FEE), False),
        # that a biller delivers one twice is for the intake to see
        (paper("RE-77"), paper("RE-77"), False),
    ],
)
def test_which_two_may_be_the_same(one: Paper, other: Paper, same: bool) -> None:
    assert may_be_same(one, other) is same
    assert may_be_same(other, one) is same


WRITTEN = st.text(alphabet="rRеE0177 -/\u2013\u00a0._²é", min_size=1, max_size=8)
PAPERS = st.builds(
    paper,
    WRITTEN,
    WRITTEN,
    account=st.sampled_from(["A", "B", None]),
    amount_minor=st.sampled_from([1, 2]),
    is_delivered=st.booleans(),
    days=st.sampled_from([0, 25, 26]),
)


@given(one=PAPERS, other=PAPERS)
def test_each_of_two_is_as_much_the_other_as_the_other_is_it(one: Paper, other: Paper) -> None:
    assert may_be_same(one, other) == may_be_same(other, one)
    if not one.is_delivered and one.account is not None and one.number.letters:
        assert may_be_same(one, dataclasses.replace(one, received_at=one.received_at + dt.timedelta(days=400)))
