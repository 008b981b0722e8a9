"""On which of a few days each bill is best paid, so that the cash lasts. Pure: values in, a plan out.

Plans are held against one another by late fees, then by how many bills are late, then by the discounts that are won,
then by the waiting; of plans that are alike in all that the one with the earlier days, bill for bill, is better.

Each of these is made least in turn, and is from then on a limit like the cash: a branch and bound for each. What is
still open at a step of the search is bounded by giving all that is scarce a price (a Lagrangian relaxation): then each
bill chooses by itself, and what they choose together costs no more than any plan does.
"""

from __future__ import annotations

import datetime as dt
import itertools
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from app.journey.intake.bill import LateFee
from app.journey.invoices.rules import Discount, discount_on

#: days that are looked at, today is the first; what is not paid in them waits for all of them
HORIZON = 60
#: how often a search may look at a bill that is still open, all together: a count, so that the same is planned
#: anywhere. With more than a few days to choose from each look takes longer, and there are fewer
LOOKS_MOST = 60_000
#: how often what is scarce is priced anew before each search, and at how many options of bills that may look
_PRICINGS_MOST, _PRICED_MOST = 80, 30_000
#: a search has a whole number of these for one unit of cost
_PART = 1 << 40


@dataclass(frozen=True, slots=True)
class Bill:
    """What is to be known of a bill to plan it, all amounts in one currency."""

    left_minor: int  #: more than nothing
    due_on: dt.date | None = None  #: None: it is never late
    discounts: tuple[Discount, ...] = ()  #: the earliest day first, and the larger one
    late_fee: LateFee | None = None  #: that is owed besides, from its day on
    last_on: dt.date | None = None  #: it is asked for no longer than until then; None: until it is paid

    def saves_on(self, day: dt.date) -> int:
        found = discount_on(self.discounts, day)
        return found.saves.minor if found else 0

    def price_on(self, day: dt.date) -> int:
        return self.left_minor - self.saves_on(day)

    def is_asked_on(self, day: dt.date) -> bool:
        return self.last_on is None or day <= self.last_on

    def fee_on(self, day: dt.date) -> int:
        return self.late_fee.on(day) if self.late_fee else 0

    def is_late_on(self, day: dt.date) -> bool:
        return self.due_on is not None and self.due_on < day


@dataclass(frozen=True, slots=True)
class Plan:
    days: tuple[dt.date | None, ...]  #: for each bill; None: there is no money for it in these days
    is_best: bool  #: no plan is better; else the search ended before that was known
    looks: int = 0


#: of each bill what each of its options comes to: the days, and at last not to pay it
_Table = list[list[int]]


def plan(
    bills: Sequence[Bill], *, today: dt.date, cash: Sequence[tuple[dt.date, int]], looks_most: int = LOOKS_MOST
) -> Plan:
    """The best day for each of these bills, which its customer would rather pay in this order.

    ``cash``: the days on which to pay, the first first, and how much may be paid in all until the end of each; at no
    later one it is less.
    """
    worth = _worth_waiting_for(cash)
    days = [day for day, _ in worth]
    if not bills or not days:
        return Plan((None,) * len(bills), is_best=True)
    never = worth[-1][1] + 1  # more than there is
    search = _Search(
        prices=[[*(bill.price_on(day) if bill.is_asked_on(day) else never for day in days), 0] for bill in bills],
        levels=_levels(bills, days, today=today),
        caps=[minor for _, minor in worth],
        before=_before(bills),
        looks_most=looks_most // (1 + len(days) // 4),
    )
    search.run()
    options = [*days, None]
    return Plan(tuple(options[at] for at in search.best), is_best=search.is_best, looks=search.looks)


def _worth_waiting_for(cash: Sequence[tuple[dt.date, int]]) -> list[tuple[dt.date, int]]:
    """Without days on which there is nothing, or no more than on the one before: what is paid then can be paid before,
    and is better paid so."""
    found: list[tuple[dt.date, int]] = []
    for day, minor in cash:
        if minor > (found[-1][1] if found else 0):
            found.append((day, minor))
    return found


def _levels(bills: Sequence[Bill], days: Sequence[dt.date], *, today: dt.date) -> list[_Table]:
    """All that counts, what counts first first. Not to pay is as late as the day after all that are looked at."""
    options = [*days, today + dt.timedelta(days=HORIZON)]
    fees = [[bill.fee_on(day) for day in options] for bill in bills]
    late = [[int(bill.is_late_on(day)) for day in options] for bill in bills]
    missed = [[*(-bill.saves_on(day) for day in days), 0] for bill in bills]
    waited = [[(day - today).days * (len(bills) - rank) for day in options] for rank in range(len(bills))]
    return [fees, late, missed, waited]


def _before(bills: Sequence[Bill]) -> list[list[int]]:
    """For each bill those that the best plan pays no later: alike in all that counts, no dearer, and preferred. Were it
    otherwise the two could exchange their days, for less waiting and no more cash on any day."""

    def alike(bill: Bill) -> tuple[object, ...]:
        return bill.due_on, bill.discounts, bill.late_fee, bill.last_on

    return [
        [
            other
            for other, first in enumerate(bills[:at])
            if first.left_minor <= bill.left_minor and alike(first) == alike(bill)
        ]
        for at, bill in enumerate(bills)
    ]


@dataclass(slots=True, kw_only=True)
class _Search:
    """A plan has for each bill the number of its option. ``best`` is the best one so far, ``worth`` what it comes to at
    each level."""

    prices: _Table
    levels: list[_Table]
    caps: list[int]  #: of each day: what may be paid until its end
    before: list[list[int]]  #: of each bill those that are paid no later
    looks_most: int
    looks: int = 0
    is_best: bool = True
    best: list[int] = field(default_factory=list)
    worth: list[int] = field(default_factory=list)

    def run(self) -> None:
        self.take([len(self.caps)] * len(self.prices))
        self.take(self.mended(self.best))
        for level in range(len(self.levels)):
            self.is_best = _Stage(self, level).run() and self.is_best
        if not self.is_best:
            self.take(self.mended(self.best))

    def take(self, chosen: list[int]) -> None:
        """Keep this plan if it is better."""
        worth = [_sum_of(table, chosen) for table in self.levels]
        if not self.best or (worth, chosen) < (self.worth, self.best):
            self.best, self.worth = list(chosen), worth

    def spent(self, chosen: list[int]) -> list[int]:
        """What is paid until the end of each day."""
        of_day = [0] * (len(self.caps) + 1)
        for row, at in zip(self.prices, chosen, strict=True):
            of_day[at] += row[at]
        return [*itertools.accumulate(of_day[:-1])]

    def one_by_one(self, rows: Sequence[Sequence[tuple[int, int]]]) -> list[int]:
        """Each bill by its best option for which there is still enough, those first that lose most by their second one.
        ``rows``: of each bill what its options cost, the best first."""
        chosen, left = [len(self.caps)] * len(rows), self.caps
        for bill in sorted(range(len(rows)), key=lambda bill: -_lost(rows[bill])):
            room, prices = _room(left), self.prices[bill]
            chosen[bill] = next(at for _, at in rows[bill] if prices[at] <= room[at])
            left = _after(left, chosen[bill], prices[chosen[bill]])
        return chosen

    def mended(self, chosen: list[int]) -> list[int]:
        """No bill of it alone, and no two that change places, could be paid better."""
        found = list(chosen)
        left = [cap - spent for cap, spent in zip(self.caps, self.spent(found), strict=True)]
        is_better = True
        while is_better:
            is_better, left = self._moved(found, left)
            if not is_better:
                is_better, left = self._exchanged(found, left)
        return found

    def _moved(self, chosen: list[int], left: list[int]) -> tuple[bool, list[int]]:
        """Pay each as early as can be: whatever counts, that is better."""
        moved = False
        for bill, at in enumerate(chosen):
            prices = self.prices[bill]
            free = _after(left, at, -prices[at])
            room = _room(free)
            first = next((each for each in range(at) if prices[each] <= room[each]), at)
            if first < at:
                chosen[bill], left, moved = first, _after(free, first, prices[first]), True
        return moved, left

    def _exchanged(self, chosen: list[int], left: list[int]) -> tuple[bool, list[int]]:
        exchanged = False
        for one, other in itertools.combinations(range(len(chosen)), 2):
            at, to = chosen[one], chosen[other]
            if at == to or not self._gains(one, other, at, to):
                continue
            moves = ((at, -self.prices[one][at]), (to, -self.prices[other][to]),
                     (to, self.prices[one][to]), (at, self.prices[other][at]))  # fmt: skip
            after = left
            for day, minor in moves:
                after = _after(after, day, minor)
            if min(after) >= 0:
                chosen[one], chosen[other], left, exchanged = to, at, after, True
        return exchanged, left

    def _gains(self, one: int, other: int, at: int, to: int) -> bool:
        """Whether it is better that each has the other's option."""
        for table in self.levels:
            more = table[one][to] + table[other][at] - table[one][at] - table[other][to]
            if more:
                return more < 0
        return False


@dataclass(slots=True)
class _Stage:
    """The search at one level. What is known of the levels before it may not rise."""

    search: _Search
    level: int
    start: int = 0  #: what the limits are worth, taken off
    bound: int | None = None  #: no plan costs less
    order: list[int] = field(default_factory=list)  #: in which bills are looked at
    rows: list[list[tuple[int, int]]] = field(default_factory=list)  #: of each what its options cost, the best first
    rest: list[int] = field(default_factory=list)  #: what those from here on cost at the least
    rests: list[list[int]] = field(default_factory=list)  #: and come to, at each level before
    behind: list[list[int]] = field(default_factory=list)  #: of each bill those that are paid no earlier

    @property
    def stop(self) -> int:
        """What costs more than this need not be looked at. At the last level what costs the same may be earlier."""
        is_last = self.level == len(self.search.levels) - 1
        return (self.search.worth[self.level] - (not is_last)) * _PART

    def run(self) -> bool:
        """Whether the best plan so far is now known to be the best at this level."""
        search = self.search
        self._price()
        if self.bound is not None and self.bound > self.stop:
            return True
        before = search.levels[: self.level]
        self.rests = [_from_behind(min(table[bill]) for bill in self.order) for table in before]
        self.behind = [[] for _ in search.before]
        for bill, firsts in enumerate(search.before):
            for first in firsts:
                self.behind[first].append(bill)
        return self._dive(0, self.start, search.caps, search.worth[: self.level], [-1] * len(search.prices))

    def _price(self) -> None:
        """Prices at which what the bills would choose by themselves keeps to the limits as nearly as can be: by the
        subgradient method, each limit in its own measure. Plans are made of what they choose, too."""
        search, before = self.search, self.search.levels[: self.level]
        days, limits = len(search.caps), [*search.caps, *search.worth[: self.level]]
        sizes = [*[_largest(search.prices)] * days, *map(_largest, before)]
        prices, slower, worse = [0] * len(limits), 1, 0
        for number in range(min(_PRICINGS_MOST, 4 + _PRICED_MOST // (len(search.prices) * (days + 1)))):
            rows = self._rows(prices)
            wanted = [row[0][1] for row in rows]
            start = -sum(map(operator.mul, prices, limits))
            bound = start + sum(row[0][0] for row in rows)
            if self.bound is None or bound > self.bound:
                self._keep(rows, start, bound)
                worse = 0
            else:
                worse += 1
                slower *= 2 if worse % 4 == 0 else 1
            if number % 8 == 0:
                search.take(search.mended(search.one_by_one(rows)))
            over = map(operator.sub, [*search.spent(wanted), *(_sum_of(table, wanted) for table in before)], limits)
            moves = [
                0 if each < 0 and not price else each / size
                for each, price, size in zip(over, prices, sizes, strict=True)
            ]
            length = sum(each * each for each in moves) * slower
            step = self.stop + _PART - bound
            if not length or step <= 0:
                return
            prices = [
                max(0, price + int(step * move / (length * size)))
                for price, move, size in zip(prices, moves, sizes, strict=True)
            ]

    def _rows(self, prices: list[int]) -> list[list[tuple[int, int]]]:
        """Of each bill what its options cost at these prices, the best first. What is paid on a day is missing on all
        after it. What there is never enough for is none."""
        search, days = self.search, len(self.search.caps)
        of_day = [*_from_behind(prices[:days])]
        priced = [(price, search.levels[at]) for at, price in enumerate(prices[days:]) if price]
        table, found = search.levels[self.level], []
        for bill, cash in enumerate(search.prices):
            row = [cost * _PART + price * minor for cost, price, minor in zip(table[bill], of_day, cash, strict=True)]
            for price, other in priced:
                row = [cost + price * each for cost, each in zip(row, other[bill], strict=True)]
            found.append(sorted((row[at], at) for at in range(days + 1) if at == days or cash[at] <= search.caps[at]))
        return found

    def _keep(self, rows: list[list[tuple[int, int]]], start: int, bound: int) -> None:
        """Search by these prices: the bills first whose second choice costs most."""
        self.start, self.bound, self.rows = start, bound, rows
        self.order = sorted(range(len(rows)), key=lambda bill: -_lost(rows[bill]))
        self.rest = _from_behind(rows[bill][0][0] for bill in self.order)

    def _dive(self, depth: int, cost: int, left: list[int], budgets: list[int], chosen: list[int]) -> bool:
        """Look at all plans that go on so. False: there were too many. ``cost``: of what is chosen, as priced;
        ``budgets``: what is left of the limits of the levels before."""
        search = self.search
        if depth == len(self.order):
            search.take(chosen)
            return True
        bill = self.order[depth]
        first = max((chosen[each] for each in search.before[bill]), default=0)
        last = min((chosen[each] for each in self.behind[bill] if chosen[each] >= 0), default=len(left))
        room, prices = _room(left), search.prices[bill]
        for more, at in self.rows[bill]:
            if cost + more + self.rest[depth + 1] > self.stop:
                break
            if not first <= at <= last or prices[at] > room[at]:
                continue
            after = _after(left, at, prices[at])
            budgeted = [budget - table[bill][at] for budget, table in zip(budgets, search.levels, strict=False)]
            if self._is_hopeless(depth + 1, cost + more, after, budgeted):
                continue
            if search.looks > search.looks_most * (self.level + 1) // len(search.levels):
                return False
            chosen[bill] = at
            done = self._dive(depth + 1, cost + more, after, budgeted, chosen)
            chosen[bill] = -1
            if not done:
                return False
        return True

    def _is_hopeless(self, depth: int, cost: int, left: list[int], budgets: list[int]) -> bool:
        """Whether no plan that goes on so is better: with what each bill that is open could still have."""
        if any(budget < rest[depth] for budget, rest in zip(budgets, self.rests, strict=True)):
            return True
        room, stop, looks = _room(left), self.stop, 0
        for at in range(depth, len(self.order)):
            if cost + self.rest[at] > stop:
                break
            prices = self.search.prices[self.order[at]]
            cost += next(each for each, option in self.rows[self.order[at]] if prices[option] <= room[option])
            looks += 1
        self.search.looks += looks + 1
        return cost + (self.rest[depth + looks]) > stop


def _sum_of(table: _Table, chosen: list[int]) -> int:
    return sum(row[at] for row, at in zip(table, chosen, strict=True))


def _largest(table: _Table) -> int:
    return max(1, *(abs(each) for row in table for each in row))


def _lost(row: Sequence[tuple[int, int]]) -> int:
    """What the second choice costs more than the first one; where there is none the choice is made."""
    return row[1][0] - row[0][0] if len(row) > 1 else 1 << 100


def _from_behind(values: Iterable[int]) -> list[int]:
    """The sums of all from each on, and at last nothing."""
    return [0, *itertools.accumulate(reversed([*values]))][::-1]


def _room(left: list[int]) -> list[int]:
    """What may still be paid on each day: no more than is left on it and on all after it; at last, of what is not paid,
    nothing."""
    return [*[*itertools.accumulate(reversed(left), min)][::-1], 0]


def _after(left: list[int], at: int, minor: int) -> list[int]:
    """What is left of the cash of each day once so much is paid on that one."""
    return [*left[:at], *(each - minor for each in left[at:])]
