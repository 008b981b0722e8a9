"""The best day for each bill is the best of all that there are: every plan is tried, in the plainest way."""

from __future__ import annotations

import datetime as dt
import itertools
import random
from collections.abc import Sequence

import pytest

from app.journey.intake.bill import LateFee
from app.journey.invoices.rules import Discount
from app.journey.outlook.best import HORIZON, LOOKS_MOST, Bill, plan
from app.journey.outlook.rules import cash, last_day
from connectors.money import Money
from tests.support.thorough import thorough

TODAY = dt.date(2026, 2, 25)
DAY = dt.timedelta(days=1)
DAYS = [TODAY + dt.timedelta(days=number) for number in range(HORIZON)]
#: no search of so few bills needs as many looks
ALL_LOOKS = 10**8

Case = tuple[list[Bill], list[dt.date], list[int], int]


def at(days: int) -> dt.date:
    return TODAY + dt.timedelta(days=days)


def drawn(seed: int, *, most: int = 9) -> Case:
    """Bills, days on which money comes, the balances before anything is paid, and a floor. Amounts are small, so that
    there are ties; some balances are below the floor."""
    rng = random.Random(seed)  # noqa: S311 (nothing secret)
    days = sorted(rng.sample(DAYS[1:], rng.randint(0, 3)))
    unit = rng.choice((1, 1, 37))
    count = rng.randint(1, most if rng.random() < 0.2 else min(most, 6))  # all plans of nine bills are many
    bills: list[Bill] = []
    while len(bills) < count:
        if bills and rng.random() < 0.2:
            bills.append(rng.choice(bills))  # two that are alike
            continue
        left = rng.randint(2, 12) * unit
        due = at(rng.randint(-5, HORIZON + 5)) if rng.random() < 0.8 else None
        first = at(rng.randint(-3, HORIZON + 3))
        saves = rng.randint(1, left - 1)
        tiers: tuple[Discount, ...] = ()
        if rng.random() < 0.4:
            tiers = (Discount(first, Money(saves, "EUR")),)
            if saves > 1 and rng.random() < 0.5:
                later = first + dt.timedelta(days=rng.randint(1, 30))
                tiers += (Discount(later, Money(rng.randint(1, saves - 1), "EUR")),)
        last = at(rng.randint(0, HORIZON)) if rng.random() < 0.15 else None
        bills.append(Bill(left, due, tiers, drawn_fee(rng, due), last))
    total, floor = sum(bill.left_minor for bill in bills), rng.randint(-5, 5) * unit
    balance = floor + rng.randint(-total // 4, total)
    changes = [0] * HORIZON
    for day in days:
        changes[(day - TODAY).days] += rng.randint(1, total)
    for _ in range(rng.randint(0, 3)):  # decided payments
        changes[rng.randrange(HORIZON)] -= rng.randint(1, total // 3 + 1)
    return bills, days, [balance + each for each in itertools.accumulate(changes)], floor


def drawn_fee(rng: random.Random, due: dt.date | None) -> LateFee | None:
    """Mostly from the day after the due day, else from a later one; without a due day from any."""
    minor = rng.choice((0, 0, 1, 3, 8))
    if not minor:
        return None
    starts_on = at(rng.randint(-5, HORIZON + 5)) if due is None else due + DAY
    return LateFee(starts_on=starts_on + rng.choice((0, 0, 1, 14)) * DAY, amount=Money(minor, "EUR"))


def best_of_all(case: Case) -> list[dt.date | None]:
    """Every plan is looked at, but those that begin with one for which the cash does not last. The less of all this the
    better: fees, bills that are late, discounts missed, the waiting, the days."""
    bills, days, of_days, floor = case
    choices = sorted({TODAY, *days})
    starts = [*((day - TODAY).days for day in choices), HORIZON]
    #: the least that is there from one of them until the next
    least = [min(of_days[start:end]) - floor for start, end in itertools.pairwise(starts)]
    options = [*choices, at(HORIZON)]
    count = len(bills)
    costs = []
    for rank, bill in enumerate(bills):
        row = []
        for number, day in enumerate(options):
            saves = next((each.saves.minor for each in bill.discounts if day <= each.until), 0)
            is_paid, is_late = number < len(choices), bill.due_on is not None and day > bill.due_on
            fee = bill.late_fee
            is_over = bill.last_on is not None and day > bill.last_on
            row.append(
                (
                    (10**9 if is_over else bill.left_minor - saves) if is_paid else 0,
                    fee.amount.minor if fee is not None and day >= fee.starts_on else 0,
                    int(is_late),
                    saves if is_paid else 0,
                    (day - TODAY).days * (count - rank),
                )
            )
        costs.append(row)
    best: list[tuple[tuple[int, int, int, int], list[int]]] = []

    def go_on(chosen: list[int], spent: list[int], fees: int, late: int, won: int, waited: int) -> None:
        if len(chosen) == count:
            found = (fees, late, -won, waited), list(chosen)
            if not best or found < best[0]:
                best[:] = [found]
            return
        for number, (price, fee, is_late, saves, waits) in enumerate(costs[len(chosen)]):
            after = [minor + price if number <= on else minor for on, minor in enumerate(spent)]
            if all(not minor or minor <= there for minor, there in zip(after, least, strict=True)):
                go_on([*chosen, number], after, fees + fee, late + is_late, won + saves, waited + waits)

    go_on([], [0] * len(choices), 0, 0, 0, 0)
    return [([*choices, None])[number] for number in best[0][1]]


def planned(case: Case, looks_most: int = ALL_LOOKS) -> tuple[list[dt.date | None], bool]:
    bills, days, of_days, floor = case
    made = plan(bills, today=TODAY, cash=cash(of_days, floor=floor, days=days, today=TODAY), looks_most=looks_most)
    return list(made.days), made.is_best


def check(seeds: range) -> None:
    for seed in seeds:
        case = drawn(seed)
        expected = best_of_all(case)
        assert planned(case) == (expected, True), seed
        found, is_best = planned(case, LOOKS_MOST)  # as a page asks for it
        assert found == expected or not is_best, seed


def test_nothing_is_better() -> None:
    check(range(0, 5000, 50))


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", range(0, 5000, 250))
def test_nothing_is_better_in_five_thousand(first: int) -> None:
    check(range(first, first + 250))


@pytest.mark.parametrize("looks", [0, 50, ALL_LOOKS])
def test_however_short_the_search_the_cash_lasts_and_no_bill_could_be_paid_earlier(looks: int) -> None:
    """Also of many bills: what is suggested never goes below the floor, and what is said of waiting is true."""
    for seed in range(thorough(150, 2000)):
        case = drawn(seed, most=9 if looks == ALL_LOOKS else 40)
        days = case[1]
        found, _ = planned(case, looks)
        assert lasts(case, found), seed
        for number, day in enumerate(found):
            for earlier in sorted({TODAY, *days}):
                if (day is None or earlier < day) and case[0][number].is_asked_on(earlier):
                    assert not lasts(case, [*found[:number], earlier, *found[number + 1 :]]), (seed, number)


def lasts(case: Case, chosen: Sequence[dt.date | None]) -> bool:
    """Day by day: no day ends below the floor from the first payment on."""
    bills, _, of_days, floor = case
    paid = 0
    for number, balance in enumerate(of_days):
        paid += sum(bill.price_on(DAYS[number]) for bill, day in zip(bills, chosen, strict=True) if day == DAYS[number])
        if paid and balance - paid < floor:
            return False
    return True


def test_a_search_that_ends_early_says_so() -> None:
    for seed in range(200):
        case = drawn(seed, most=40)
        if not planned(case, 0)[1]:
            return
    pytest.fail("every search ended by itself")


def test_what_counts_first_outweighs_all_that_counts_after_it() -> None:
    """The day has money for one of two."""
    soon = at(3)
    later = at(10)
    saves = (Discount(soon, Money(900, "EUR")),)

    def paid_first(one: Bill, other: Bill) -> list[bool]:
        room = max(one.price_on(TODAY), other.price_on(TODAY))
        made = plan([one, other], today=TODAY, cash=[(TODAY, room), (later, 10_000)])
        assert made.is_best
        return [day == TODAY for day in made.days]

    plain = Bill(1000)
    assert paid_first(plain, Bill(1000)) == [True, False]  # the preferred one
    assert paid_first(plain, Bill(1000, discounts=(Discount(soon, Money(1, "EUR")),))) == [False, True]
    assert paid_first(Bill(1000, discounts=saves), Bill(1000, due_on=soon)) == [False, True]
    fee = LateFee(starts_on=at(4), amount=Money(1, "EUR"))
    assert paid_first(Bill(1000, due_on=soon), Bill(1000, due_on=soon, late_fee=fee)) == [False, True]
    assert paid_first(Bill(1000, due_on=soon, discounts=saves), Bill(1000, late_fee=fee)) == [False, True]
    # one that is owed already, or not before there is money again, is the same on each day
    for starts_on in (TODAY, at(11)):
        same = LateFee(starts_on=starts_on, amount=Money(500, "EUR"))
        assert paid_first(Bill(1000, due_on=at(-1), late_fee=same), Bill(1000, due_on=soon)) == [False, True]
    assert paid_first(Bill(1000, due_on=at(-1)), plain) == [True, False]  # it is late on each day


def test_no_money_and_no_bills() -> None:
    bill = Bill(100, due_on=at(5))
    assert plan([], today=TODAY, cash=[(TODAY, 100)]).days == ()
    assert plan([bill], today=TODAY, cash=[(TODAY, -1), (at(4), 0)]).days == (None,)
    assert plan([bill], today=TODAY, cash=[(TODAY, 99), (last_day(TODAY), 100)]).days == (last_day(TODAY),)
    assert plan([bill], today=TODAY, cash=[(TODAY, 100), (at(4), 100)]).days == (TODAY,)
