"""What an invoice costs on a day, and which two may be the same bill."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.journey.decisions.orders import price_of
from app.journey.invoices.discounts import discounts_on
from app.journey.invoices.models import Invoice
from app.journey.invoices.rules import Discount, Paper, Word, may_be_same, payable_on, same_in
from connectors.money import Money
from tests.support.thorough import thorough

pytestmark = pytest.mark.timeout(1800)  # a hundred thousand times each in `make test-long`

MANY = settings(max_examples=thorough(100, 100_000), deadline=None)
AMOUNT = Money(10000, "EUR")
UNTIL = dt.date(2026, 11, 30)


DAYS = st.dates(dt.date(2026, 1, 1), dt.date(2027, 12, 31))


@pytest.mark.parametrize(
    ("day", "minor"),
    [
        (dt.date(2026, 11, 1), 9700),
        (dt.date(2026, 11, 29), 9700),
        (dt.date(2026, 11, 30), 9700),  # the last day counts
        (dt.date(2026, 12, 1), 9850),
        (dt.date(2026, 12, 10), 9850),
        (dt.date(2026, 12, 11), 10000),
        (dt.date(2027, 11, 30), 10000),
    ],
)
def test_the_first_discount_whose_last_day_is_not_over_is_taken_off(day: dt.date, minor: int) -> None:
    discounts = (Discount(UNTIL, Money(300, "EUR")), Discount(dt.date(2026, 12, 10), Money(150, "EUR")))
    assert payable_on(amount=AMOUNT, discounts=discounts, day=day) == Money(minor, "EUR")


@st.composite
def billed(draw: st.DrawFn) -> Invoice:
    """An invoice with no discount, one or several, of which anything between nothing and all was credited."""
    amount = draw(st.integers(1, 10**11 - 1))
    days = sorted(draw(st.sets(DAYS, max_size=min(5, amount - 1))))
    saves = draw(st.sets(st.integers(1, amount - 1), min_size=len(days), max_size=len(days))) if days else set()
    tiers = list(zip(days, sorted(saves, reverse=True), strict=True))
    return Invoice(
        currency="EUR",
        amount_minor=amount,
        credited_minor=draw(st.sampled_from((0, amount)) | st.integers(0, amount + 1)),
        paid_minor=0,
        held_back_minor=0,
        discount_minor=tiers[0][1] if tiers else 0,
        discount_until=tiers[0][0] if tiers else None,
        later_discounts=[{"until": day.isoformat(), "minor": minor} for day, minor in tiers[1:]],
    )


@given(invoice=billed(), day=DAYS)
@MANY
def test_what_is_paid_and_what_is_let_off_are_all_that_is_left_to_the_cent(invoice: Invoice, day: dt.date) -> None:
    price = price_of(invoice, day=day)
    assert price.amount.minor + price.discount.minor == invoice.left.minor
    assert price.rest.minor == 0
    assert price.amount == payable_on(amount=invoice.left, discounts=invoice.discounts, day=day)
    assert (price.amount.minor > 0) is (invoice.left.minor > 0)
    assert (price.discount_until is None) is (price.discount.minor == 0)
    held = [minor for until, minor in delivered(invoice) if day <= until]
    share = held[0] * invoice.asked.minor // invoice.amount_minor if held else 0
    assert price.discount.minor == share
    if price.discount_until is not None:
        assert day <= price.discount_until
        assert price.discount_until in invoice.discount_days


@given(invoice=billed(), one=DAYS, other=DAYS)
@MANY
def test_who_waits_never_pays_less(invoice: Invoice, one: dt.date, other: dt.date) -> None:
    earlier, later = sorted((one, other))
    assert price_of(invoice, day=earlier).amount.minor <= price_of(invoice, day=later).amount.minor


@given(invoice=billed(), day=DAYS, more=st.integers(0, 10**11))
@MANY
def test_a_further_credit_note_makes_nobody_pay_more(invoice: Invoice, day: dt.date, more: int) -> None:
    before = price_of(invoice, day=day)
    invoice.credited_minor += more
    after = price_of(invoice, day=day)
    assert after.amount.minor <= before.amount.minor
    assert after.discount.minor <= before.discount.minor


@given(invoice=billed(), day=DAYS, data=st.data())
@MANY
def test_a_part_has_no_discount_and_neither_has_what_is_left_after_one(
    invoice: Invoice, day: dt.date, data: st.DataObject
) -> None:
    if invoice.left.minor < 2:
        return
    part = Money(data.draw(st.integers(1, invoice.left.minor - 1)), "EUR")
    price = price_of(invoice, day=day, part=str(part))
    assert (price.amount, price.discount.minor, price.discount_until) == (part, 0, None)
    assert price.rest == invoice.left - part
    invoice.paid_minor = part.minor
    rest = price_of(invoice, day=day)
    assert (rest.amount, rest.discount.minor, rest.discount_until) == (invoice.left, 0, None)


@given(invoice=billed(), day=DAYS)
@MANY
def test_what_the_customer_sees_is_what_they_would_pay(invoice: Invoice, day: dt.date) -> None:
    shown = discounts_on(invoice, day)
    assert [each.until for each in shown] == sorted({each.until for each in shown})
    for each in shown:
        assert price_of(invoice, day=each.until).amount == each.price
        assert each.price + each.saves == invoice.left
        assert each.open is (day <= each.until)
    assert [each.price for each in shown if each.holds] == [price_of(invoice, day=day).amount] * any(
        each.open for each in shown
    )


def delivered(invoice: Invoice) -> list[tuple[dt.date, int]]:
    first = [(invoice.discount_until, invoice.discount_minor)] if invoice.discount_until else []
    return first + [(dt.date.fromisoformat(each["until"]), each["minor"]) for each in invoice.later_discounts]


@given(day=DAYS)
def test_without_a_discount_it_is_the_amount(day: dt.date) -> None:
    assert payable_on(amount=AMOUNT, discounts=(), day=day) == AMOUNT


def test_a_discount_in_another_currency_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="cannot be mixed"):
        payable_on(amount=AMOUNT, discounts=(Discount(UNTIL, Money(2, "JPY")),), day=UNTIL)


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
    assert same_in(one, other) == same_in(other, one)
    assert not same or len(same_in(one, other)) >= 2  # so a page can name what is the same


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
