"""When a booking is that of a payment, when two bookings are one, and what bookings prove. Pure."""

from __future__ import annotations

import datetime as dt
import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass

from app.journey.reconciliation.camt import Direction
from connectors.contract import Fact
from connectors.money import Money

#: a settled payment is on the payee's account at most so long before or after we were told
BOOKED_WITHIN = dt.timedelta(days=3)
#: from one statement to the next: banks make none for days on which nothing was booked, as the four around Easter
NEXT_STATEMENT = dt.timedelta(days=5)

#: how our own EndToEndIds look, in whatever case a bank writes them (payments/rules.py makes them)
_OURS = re.compile(r"pay[0-9a-f]{32}", re.ASCII | re.IGNORECASE)


class Verdict(enum.StrEnum):
    """What one booking is to us."""

    MATCHED = "matched"  #: exactly a payment of ours; whether it proves something depends on the account as well
    AMOUNT = "amount"  #: a payment of ours, with another amount
    CURRENCY = "currency"  #: … in another currency
    PAYEE = "payee"  #: … from or to another account than the payee's
    UNKNOWN = "unknown"  #: it bears an id of our form, and we have no such payment
    PENDING = "pending"  #: not booked yet: it proves nothing
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Expected:
    """What the customer decided."""

    amount: Money
    payee_iban: str


def is_ours(end_to_end_id: str) -> bool:
    return _OURS.fullmatch(end_to_end_id) is not None


def verdict(
    expected: Expected, *, amount: Money, direction: Direction, account: str, counterparty_iban: str | None
) -> Verdict:
    """Whether a booking is exactly this payment. ``direction`` is that of the payment, not of its reversal.

    Credited: it must be on the payee's account. Debited: it must go there, where the bank says where it goes; where it
    does not say, nothing contradicts us and nothing is proven (``proves`` in read.py).
    """
    if amount.currency != expected.amount.currency:
        return Verdict.CURRENCY
    if amount != expected.amount:
        return Verdict.AMOUNT
    payee = account if direction is Direction.CREDIT else counterparty_iban
    if payee is not None and payee != expected.payee_iban:
        return Verdict.PAYEE
    return Verdict.MATCHED


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One matched line of one statement, as far as it says which booking it is."""

    id: str
    statement_id: str
    account: str
    direction: str
    reversal: bool
    booked_on: dt.date | None
    bank_reference: str | None
    entry_reference: str | None


@dataclass(frozen=True, slots=True)
class Booking:
    """One movement of money on one account, as one or more statements tell of it."""

    lines: tuple[Line, ...]

    @property
    def account(self) -> str:
        return self.lines[0].account

    @property
    def direction(self) -> str:
        return self.lines[0].direction

    @property
    def reversal(self) -> bool:
        return self.lines[0].reversal


def bookings(lines: Iterable[Line]) -> list[Booking]:
    """The lines of one payment, put together to movements: a camt.054 and a camt.053 tell of the same one."""
    found: list[Booking] = []
    for line in sorted(lines, key=lambda one: (one.statement_id, one.id)):
        for index, booking in enumerate(found):
            if all(_is_same(line, other) for other in booking.lines):
                found[index] = Booking((*booking.lines, line))
                break
        else:
            found.append(Booking((line,)))
    return found


def _is_same(one: Line, other: Line) -> bool:
    """Whether two lines of a payment are one movement: by the bank's reference, else by the day.

    Their amounts are equal. Two lines of one statement are two movements unless the bank gives them one reference. A
    notification may carry a reference at the transaction where the statement has one at the entry only, so both places
    are compared: equal ones say that it is one movement. Different ones say that it is two only where they stand at the
    same place; one of a transaction and one of a whole batch say nothing, and then the day decides.
    """
    if (one.account, one.direction, one.reversal) != (other.account, other.direction, other.reversal):
        return False
    if one.bank_reference and other.bank_reference:
        return one.bank_reference == other.bank_reference
    if one.statement_id == other.statement_id:
        return False
    if _references(one) & _references(other):
        return True
    if one.entry_reference and other.entry_reference:
        return False
    return one.booked_on == other.booked_on


def _references(line: Line) -> set[str]:
    return {reference for reference in (line.bank_reference, line.entry_reference) if reference}


@dataclass(frozen=True, slots=True)
class Account:
    """All movements of one payment on one account, in one direction."""

    account: str
    direction: str
    executed: int  #: how often it was booked
    reversed: int  #: how often that was taken back

    @property
    def stands(self) -> int:
        return self.executed - self.reversed


def accounts(found: Iterable[Booking]) -> list[Account]:
    """The movements of one payment, account by account."""
    counts: dict[tuple[str, str], list[int]] = {}
    for booking in found:
        counts.setdefault((booking.account, booking.direction), [0, 0])[booking.reversal] += 1
    return [
        Account(account, direction, executed, taken_back)
        for (account, direction), (executed, taken_back) in sorted(counts.items())
    ]


@dataclass(frozen=True, slots=True)
class Proof:
    """What the movements of one payment prove. Never that it will not happen: no statement can say that."""

    executed: Account | None  #: where it was booked, the payee's account if it was there
    taken_back: Account | None  #: where nothing of what was booked stands any more

    @property
    def fact(self) -> Fact | None:
        """How far it got."""
        if self.executed is None:
            return None
        return Fact.CREDITED if self.executed.direction == Direction.CREDIT else Fact.DEBITED


def proven(found: Iterable[Account]) -> Proof:
    """In whatever order the bookings came to us. To take back on one account what is booked on another proves nothing.

    What is taken back on either side is taken back.
    """
    booked = [side for side in found if side.executed]
    credited = [side for side in booked if side.direction == Direction.CREDIT]
    return Proof(
        executed=next(iter(credited or booked), None),
        taken_back=next((side for side in booked if side.stands <= 0), None),
    )


def booked_between(*, created: dt.datetime, told: dt.datetime) -> tuple[dt.date, dt.date]:
    """The days on which a settled payment is booked. A bank that was silent may have booked it long before it told."""
    return min(created, told - BOOKED_WITHIN).date(), (told + BOOKED_WITHIN).date()


def covers(periods: Iterable[tuple[dt.date | None, dt.date | None]], *, first: dt.date, last: dt.date) -> bool:
    """Whether statements of these periods would show what was booked between two days.

    They begin on the first day or before, reach the last one, and none seems to be missing in between.
    """
    reached: dt.date | None = None
    for start, end in sorted((start, end) for start, end in periods if start is not None and end is not None):
        if start > (first if reached is None else max(first, reached + NEXT_STATEMENT)):
            break
        reached = end if reached is None else max(reached, end)
    return reached is not None and reached >= last
