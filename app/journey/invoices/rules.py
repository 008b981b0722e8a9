"""What an invoice costs on a day, and whether two may be the same bill. Pure: values in, a verdict out."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import NamedTuple

from app.journey.intake import lookalikes
from connectors.money import Money

#: bills of every month may be alike in two of the three: of one month one was perhaps written in another way
TWINS_APART = dt.timedelta(days=25)
#: characters of a number that is looked for among other words: a shorter one stands in any of them
_NUMBER_LEAST = 3


def discount_left(*, amount_minor: int, asked_minor: int, discount_minor: int) -> int:
    """What early payment takes off once ``asked_minor`` is left of the bill: the same share, never more than offered.

    Rounded down: nobody pays less than is asked of them because of us.
    """
    return discount_minor * asked_minor // amount_minor


def payable_on(*, amount: Money, discount: Money, discount_until: dt.date | None, day: dt.date) -> Money:
    """The exact price of paying the whole invoice on the customer's local ``day``; the last discount day counts."""
    if discount_until is not None and day <= discount_until:
        return amount - discount
    return amount


class Word(NamedTuple):
    """A number or a reference, as it looks."""

    text: str
    letters: str  #: and digits, nothing else

    @classmethod
    def of(cls, written: str) -> Word:
        text = lookalikes.key(written)
        return cls(text, "".join(each for each in text if each.isalnum()))


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
    if not account and not amount:
        return False
    said = any(_says(a, b) for a in (one.number, one.reference) for b in (other.number, other.reference))
    numbered = any(
        each.is_numbered and (_says(each.number, beside.number) or _says(each.number, beside.reference))
        for each, beside in ((one, other), (other, one))
    )
    if account and (numbered or (amount and said)):
        return True
    return account + amount + said >= 2 and _are_near(one, other)


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
    short, long = sorted((one, other), key=lambda word: len(word.letters))
    if len(short.letters) < _NUMBER_LEAST or short.letters not in long.letters:
        return False
    # more digits make it another number, and more letters another word
    before, after = (r"\d" if end.isdigit() else r"[^\W\d_]" for end in (short.letters[0], short.letters[-1]))
    spaced = r"[\W_]*".join(map(re.escape, short.letters))
    return re.search(f"(?<!{before}){spaced}(?!{after})", long.text) is not None
