"""Days on which money comes, what is there on each day, and the figures of the reasons: each worked out anew."""

from __future__ import annotations

import datetime as dt

import pytest

from app.journey.invoices.rules import Discount
from app.journey.outlook import rules
from app.journey.outlook.best import HORIZON, Bill, plan
from app.journey.outlook.rules import Every, Reason, Suggested, Why
from connectors.money import Money
from tests.support.thorough import thorough
from tests.unit.app.journey.outlook.test_best import TODAY, Case, at, drawn

D = dt.date


@pytest.mark.parametrize(
    ("every", "next_on", "expected"),
    [
        (Every.ONCE, D(2026, 3, 10), [D(2026, 3, 10)]),
        (Every.ONCE, D(2026, 2, 1), []),  # over
        (Every.WEEK, D(2026, 4, 15), [D(2026, 4, 15), D(2026, 4, 22)]),
        (Every.TWO_WEEKS, D(2026, 1, 5), [D(2026, 3, 2), D(2026, 3, 16), D(2026, 3, 30), D(2026, 4, 13)]),
        (Every.MONTH, D(2026, 3, 28), [D(2026, 3, 28)]),
        (Every.MONTH, D(2026, 1, 31), [D(2026, 2, 28), D(2026, 3, 31)]),  # and back to the last of a longer month
        (Every.MONTH, D(2024, 1, 30), [D(2026, 2, 28), D(2026, 3, 30)]),
        (Every.MONTH, D(2023, 2, 26), [D(2026, 2, 26), D(2026, 3, 26)]),
    ],
)
def test_days_on_which_money_comes(every: Every, next_on: D, expected: list[D]) -> None:
    last = rules.last_day(TODAY)
    assert last == D(2026, 4, 25)
    found = rules.paydays(every, next_on, first=TODAY + dt.timedelta(days=1), last=last)
    assert list(found) == expected
    assert rules.next_payday(every, next_on, first=TODAY + dt.timedelta(days=1)) == (expected[0] if expected else None)


def test_each_payday_of_years_is_where_a_calendar_has_it() -> None:
    """Day by day: a month's payday is its day, or the last of the month if it has no such day."""
    for start in (D(2024, 1, 29), D(2024, 1, 31), D(2023, 12, 30), D(2024, 2, 29)):
        first, last = D(2025, 1, 1), D(2028, 12, 31)
        found = set(rules.paydays(Every.MONTH, start, first=first, last=last))
        day = first
        while day <= last:
            is_last = (day + dt.timedelta(days=1)).day == 1
            assert (day in found) == (day.day == start.day or (is_last and day.day < start.day)), (start, day)
            day += dt.timedelta(days=1)


def test_the_balance_of_each_day() -> None:
    found = rules.balances(
        100,
        comes=[(at(2), 50), (at(59), 7), (at(60), 1000), (at(-1), 1000)],
        goes=[(at(-3), 10), (at(0), 20), (at(2), 30), (at(60), 500)],
        today=TODAY,
    )
    assert len(found) == HORIZON
    assert (found[0], found[1], found[2], found[58], found[59]) == (70, 70, 90, 90, 97)


def test_what_may_be_paid_lasts_beyond_a_later_dip() -> None:
    of_days = rules.balances(100, comes=[(at(10), 80)], goes=[(at(5), 70), (at(20), 60)], today=TODAY)
    found = rules.cash(of_days, floor=10, days=[at(10)], today=TODAY)
    assert found == [(TODAY, 20), (at(10), 40)]


# ------------------------------------------------------------------------------------------- the figures of reasons


def suggested(case: Case) -> tuple[list[Suggested], list[D | None]]:
    bills, days, of_days, floor = case
    cash = rules.cash(of_days, floor=floor, days=days, today=TODAY)
    chosen = plan(bills, today=TODAY, cash=cash).days
    choices = [day for day, _ in cash]
    found = rules.suggestions(bills, chosen, of_days=of_days, floor=floor, choices=choices, today=TODAY)
    return found, list(chosen)


def test_every_figure_is_what_it_says() -> None:
    seen: set[Why] = set()
    for seed in range(thorough(1500, 10_000)):
        case = drawn(seed, most=6)
        bills, _, of_days, _ = case
        found, chosen = suggested(case)
        assert sorted(each.bill for each in found) == list(range(len(bills)))
        assert [each.pay_on or D.max for each in found] == sorted(each.pay_on or D.max for each in found)
        for each in found:
            bill, day = bills[each.bill], chosen[each.bill]
            assert each.pay_on == day
            assert each.price == price(bill, day or TODAY)
            assert each.reasons, seed
            of_fee = [reason.why for reason in each.reasons if reason.why in (Why.NO_FEE, Why.FEE)]
            may_be_avoided = bill.late_fee is not None and day is None and bill.late_fee.starts_on > at(HORIZON)
            assert len(of_fee) == (bill.late_fee is not None and not may_be_avoided), seed
            others = list(of_days)
            for number, on in enumerate(chosen):
                for after in range(HORIZON):
                    if number != each.bill and on is not None and on <= at(after):
                        others[after] -= price(bills[number], on)
            for reason in each.reasons:
                check(reason, bill, day, others, case)
                seen.add(reason.why)
    assert seen == set(Why)


def price(bill: Bill, day: D) -> int:
    return bill.left_minor - max((each.saves.minor for each in bill.discounts if day <= each.until), default=0)


def check(reason: Reason, bill: Bill, day: D | None, others: list[int], case: Case) -> None:
    _, days, _, floor = case
    due = bill.due_on
    if reason.why is Why.DISCOUNT:
        assert day is not None
        assert reason.day is not None
        assert reason.amount == bill.left_minor - price(bill, day) > 0
        assert price(bill, reason.day) == price(bill, day) < price(bill, reason.day + dt.timedelta(days=1))
    elif reason.why is Why.WAITS:
        assert day is not None
        assert reason.day is not None
        assert TODAY <= reason.day < day
        paid_today = [each - price(bill, TODAY) for each in others]
        assert reason.amount == min(paid_today[: (day - TODAY).days]) == paid_today[(reason.day - TODAY).days]
        assert reason.below == floor - reason.amount > 0
    elif reason.why in (Why.NO_MONEY, Why.NO_MONEY_YET, Why.AFTER_DUE):
        until = reason.day
        assert until is not None
        asked = min(bill.last_on or rules.last_day(TODAY), rules.last_day(TODAY))
        assert until == (due if reason.why is not Why.NO_MONEY_YET else asked)
        choices = [each for each in {TODAY, *days} if each <= until]

        def could(more: int) -> bool:
            return any(
                all(others[n] + more - price(bill, on) >= floor for n in range((on - TODAY).days, HORIZON))
                for on in choices
            )

        assert reason.amount > 0
        assert could(reason.amount)
        assert not could(reason.amount - 1)
        assert (day is None) == (reason.why is not Why.AFTER_DUE)
    elif reason.why is Why.LATE:
        assert reason.day == due
        assert due is not None
        assert due < TODAY
    elif reason.why is Why.DUE:
        assert reason.day == due
        assert day == TODAY
        assert due is not None
        assert due >= TODAY
    elif reason.why in (Why.NO_FEE, Why.FEE):
        assert bill.late_fee is not None
        first = bill.late_fee.starts_on
        assert (reason.day, reason.amount) == (first - dt.timedelta(days=1), bill.late_fee.amount.minor)
        assert ((day or at(HORIZON)) < first) is (reason.why is Why.NO_FEE)
        assert day is not None or reason.why is Why.FEE
    else:
        assert reason == Reason(Why.FREE)
        assert due is None
        assert day == TODAY


def test_the_first_reason_says_why_that_day() -> None:
    saves = (Discount(at(15), Money(500, "EUR")),)
    bills = [Bill(5000, at(20), saves), Bill(5000, at(2)), Bill(9000), Bill(99_000, at(30))]
    of_days = rules.balances(6000, comes=[(at(4), 20_000)], goes=(), today=TODAY)
    floor = 1000
    found, chosen = suggested((bills, [at(4)], of_days, floor))
    assert chosen == [at(4), TODAY, at(4), None]
    by_bill = {each.bill: each for each in found}
    assert by_bill[1].reasons == (Reason(Why.DUE, at(2)),)
    # 60.00 less 50.00 for the other one, less 45.00: 35.00 below nothing, and so 45.00 below the floor
    assert by_bill[0].reasons == (Reason(Why.WAITS, TODAY, -3500, 4500), Reason(Why.DISCOUNT, at(15), 500))
    assert by_bill[2].reasons == (Reason(Why.WAITS, TODAY, -8000, 9000),)
    assert by_bill[3].reasons == (Reason(Why.NO_MONEY, at(30), 99_000 - (26_000 - 5000 - 4500 - 9000 - 1000)),)
    assert [each.bill for each in found] == [1, 0, 2, 3]
