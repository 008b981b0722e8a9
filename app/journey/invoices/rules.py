"""What an invoice costs on a day, and whether two may be the same bill. Pure: values in, a verdict out."""

from __future__ import annotations

import datetime as dt
import functools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from app.people import lookalikes
from connectors.money import Money

#: bills of every month may be alike in two of the three: of one month one was perhaps written in another way
TWINS_APART = dt.timedelta(days=25)
#: characters of a number that is looked for among other words: a shorter one stands in any of them
NUMBER_LEAST = 3


def discount_left(*, amount_minor: int, asked_minor: int, discount_minor: int) -> int:
    """What early payment takes off once ``asked_minor`` is left of the bill: the same share, never more than offered.

    Rounded down: nobody pays less than is asked of them because of us.
    """
    return discount_minor * asked_minor // amount_minor


def to_give_back(*, owed_minor: int, retracted_minor: int, let_off_minor: int) -> int:
    """Of what its biller took off beyond what is free. What a credit note took off is given back as it stands there; of
    what was taken off without an amount (``retracted_minor``) the discount that was let off was paid by nobody."""
    return owed_minor - min(let_off_minor, retracted_minor) if owed_minor else 0


class Discount(NamedTuple):
    """One tier of early payment: who pays by the end of ``until`` pays ``saves`` less. Of several the earlier one is
    the larger one."""

    until: dt.date
    saves: Money


def discount_on(discounts: Sequence[Discount], day: dt.date) -> Discount | None:
    """The one that holds on the customer's local ``day``, of those of a bill, the earliest first; its last day
    counts."""
    return next((each for each in discounts if day <= each.until), None)


def payable_on(*, amount: Money, discounts: Sequence[Discount], day: dt.date) -> Money:
    """The exact price of paying the whole invoice on the customer's local ``day``."""
    discount = discount_on(discounts, day)
    return amount if discount is None else amount - discount.saves


def worth_of_lines(lines: Sequence[Mapping[str, Any]]) -> tuple[int | None, ...]:
    """What each line of a bill comes to with its tax, at the most; None: the bill does not tell. ``lines`` as an
    invoice has them.

    Net plus VAT, rounded up to the minor unit; a line that takes something off comes to nothing. What a document takes
    off or adds besides is no line's. Nothing is guessed of a line without a rate: its tax may stand in another one.
    """
    return tuple(_worth_of_line(line["amount_minor"], line.get("vat_rate")) for line in lines)


def _worth_of_line(net_minor: int | None, rate: str | None) -> int | None:
    if net_minor is None or rate is None:
        return None
    return max(math.ceil(net_minor * (1 + Fraction(rate) / 100)), 0)


def worth_of(lines: Sequence[Mapping[str, Any]], chosen: Collection[int], *, amount_minor: int) -> int | None:
    """The same of some of the lines together, of which the first is 1: no more than the bill. None, too, where it is
    nothing."""
    worths = worth_of_lines(lines)
    found = [worths[number - 1] for number in chosen]
    if any(each is None for each in found):
        return None
    return min(sum(each or 0 for each in found), amount_minor) or None


def held_back(*, disputed_minor: int | None, left_minor: int, is_apart: bool) -> int:
    """Of what is left to pay, while lines are disputed that come to ``disputed_minor``. 0: all of it, since nobody
    knows what they come to, nothing else is left, or it is to be paid in one."""
    return disputed_minor if disputed_minor and is_apart and disputed_minor < left_minor else 0


class Word(NamedTuple):
    """A number or a reference, as it looks."""

    text: str
    #: and digits, nothing else. Kept with each invoice: who changes how texts are compared writes them anew (0024)
    letters: str

    @classmethod
    def of(cls, written: str) -> Word:
        text = lookalikes.key(written)
        return cls(text, "".join(filter(str.isalnum, text)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """What of a bill tells which one it is. Two that are compared are of one customer and in one currency."""

    account: str | None  #: None: it is not paid to an IBAN
    amount_minor: int
    number: Word
    reference: Word
    is_delivered: bool
    received_at: dt.datetime

    @property
    def is_numbered(self) -> bool:
        """It has a number that no other bill of its payee has. Where its customer knew none it has the reference."""
        return self.is_delivered or self.number != self.reference


def may_be_same(one: Paper, other: Paper) -> bool:
    """Whether who pays both may have paid one bill twice, whichever is asked first; never of two delivered ones.

    Account, amount and reference are equal, or account and number; or two of the three, in bills that came near to
    each other.
    """
    if one.is_delivered and other.is_delivered:
        return False
    account = one.account is not None and one.account == other.account
    amount = one.amount_minor == other.amount_minor
    near = _are_near(one, other)
    if account and amount and near:
        return True
    if account and any(
        each.is_numbered and (_says(each.number, beside.number) or _says(each.number, beside.reference))
        for each, beside in ((one, other), (other, one))
    ):
        return True
    if not (account and amount) and not (near and (account or amount)):
        return False
    return any(_says(a, b) for a in {one.number, one.reference} for b in {other.number, other.reference})


def same_in(one: Paper, other: Paper) -> tuple[str, ...]:
    """Which of ``account``, ``amount`` and ``reference`` (or number) are the same, of two that may be the same."""
    account = one.account is not None and one.account == other.account
    words = any(_says(a, b) for a in (one.number, one.reference) for b in (other.number, other.reference))
    found = {"account": account, "amount": one.amount_minor == other.amount_minor, "reference": words}
    return tuple(what for what, holds in found.items() if holds)


def _are_near(one: Paper, other: Paper) -> bool:
    """A copy or a reminder of a delivered bill may be added long after it; a bill that is delivered long after another
    one was added is a later one."""
    if one.is_delivered == other.is_delivered:
        return abs(one.received_at - other.received_at) <= TWINS_APART
    own, delivered = (other, one) if one.is_delivered else (one, other)
    return own.received_at >= delivered.received_at - TWINS_APART


def _says(one: Word, other: Word) -> bool:
    """Whether both name the same, however they are spaced and hyphenated, and whatever words stand around one of
    them."""
    if one.letters == other.letters:
        return bool(one.letters)
    short, long = (one, other) if len(one.letters) < len(other.letters) else (other, one)
    if len(short.letters) < NUMBER_LEAST:
        return False
    at = long.letters.find(short.letters)
    ends = _ends(long.text) if at >= 0 else frozenset()
    while at >= 0:
        if at in ends and at + len(short.letters) in ends:
            return True
        at = long.letters.find(short.letters, at + 1)
    return False


@functools.lru_cache(maxsize=16)  # all bills of a customer are compared with one
def _ends(text: str) -> frozenset[int]:
    """Where among its letters and digits, counted without all else, a number or a word begins or ends: more digits make
    it another number, and more letters another word."""
    found, count, before = {0}, 0, ""
    for each in text:
        if each.isalnum():
            if not before or before.isdecimal() != each.isdecimal():
                found.add(count)
            count += 1
            before = each
        else:
            found.add(count)
            before = ""
    found.add(count)
    return frozenset(found)
