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

#: a settled payment must be on the payee's account so long after we were told
BOOKED_WITHIN = dt.timedelta(days=3)

#: how our own EndToEndIds look, in whatever case a bank writes them (payments/rules.py makes them)
_OURS = re.compile(r"pay[0-9a-f]{32}", re.ASCII | re.IGNORECASE)


class Verdict(enum.StrEnum):
    """What one booking is to us."""

    MATCHED = "matched"  #: exactly a payment of ours
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

    Credited: it must be on the payee's account. Debited: it must go there, where the bank says where it goes.
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

    Two lines of one statement are two movements unless the bank gives them one reference. A notification may carry a
    reference at the transaction where the statement has one at the entry only, so both places are compared.
    """
    if (one.account, one.direction, one.reversal) != (other.account, other.direction, other.reversal):
        return False
    if one.bank_reference and other.bank_reference:
        return one.bank_reference == other.bank_reference
    if one.statement_id == other.statement_id:
        return False
    here, there = _references(one), _references(other)
    if here and there:
        return bool(here & there)
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


def proven(found: Iterable[Account]) -> Fact | None:
    """What the bookings of a payment prove. A reversal on either side ends it, in whatever order they came to us."""
    sides = list(found)
    if any(side.reversed and side.stands <= 0 for side in sides):
        return Fact.REJECTED
    standing = {side.direction for side in sides if side.stands > 0}
    if Direction.CREDIT in standing:
        return Fact.CREDITED
    return Fact.DEBITED if standing else None


def covers(periods: Iterable[tuple[dt.date | None, dt.date | None]], *, first: dt.date, last: dt.date) -> bool:
    """Whether statements of these periods would show what was booked between two days.

    One speaks of the first day, and they reach the last one. Days without a statement in between are usual: many banks
    make none when nothing was booked.
    """
    known = [(start, end) for start, end in periods if start is not None and end is not None]
    return any(start <= first <= end for start, end in known) and max((end for _, end in known), default=first) >= last
