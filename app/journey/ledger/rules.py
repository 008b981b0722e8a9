"""What is posted for each thing that happens. Pure: a claim in, lines out; the lines of each posting sum to zero.

Accounts, in integer minor units of one currency:

    due:<invoice>       what of it is free to pay
    biller:<creditor>   all that was billed, negative; the creditor is its biller, or of a bill that its customer
                        added the invoice itself
    inflight:<payment>  what a payment under way holds of its invoice
    settled:<creditor>  what banks confirmed as paid
    adjust:<creditor>   discounts that were taken, and what was credited; negative: paid twice by a late word of a bank,
                        to be given back
    owed:<invoice>      negative: what its biller took off although it was not free: under way, it is made up when that
                        payment ends without effect; paid, it is a refund owed
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one payment takes of one invoice: ``amount`` leaves the customer's account, ``discount`` is let off."""

    invoice_id: str
    payment_id: str
    creditor: str
    amount: Money
    discount: Money

    @property
    def whole(self) -> int:
        """Minor units that the invoice goes down by."""
        return self.amount.minor + self.discount.minor


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What a payment has of its invoice, in minor units: all that was posted of it together."""

    taken: int = 0  #: of the invoice: it went down by so much
    held: int = 0  #: of the customer's money, as long as the payment is under way
    settled: int = 0  #: of the customer's money, once its bank has executed it

    @property
    def adjusted(self) -> int:
        """Above zero the discount that was let off; below, what was executed on top of other payments."""
        return self.taken - self.held - self.settled

    @property
    def on_top(self) -> int:
        """What was executed and found no room in the invoice: to be given back."""
        return max(-self.adjusted, 0)


NOTHING = Position()


@dataclass(frozen=True, slots=True)
class Line:
    account: str
    minor: int


Lines = Sequence[Line]


def due(invoice_id: str) -> str:
    return f"due:{invoice_id}"


def inflight(payment_id: str) -> str:
    return f"inflight:{payment_id}"


def owed(invoice_id: str) -> str:
    return f"owed:{invoice_id}"


def _biller(creditor: str) -> str:
    return f"biller:{creditor}"


def settled_of(creditor: str) -> str:
    return f"settled:{creditor}"


def adjust_of(creditor: str) -> str:
    return f"adjust:{creditor}"


def billed(*, invoice_id: str, creditor: str, amount: Money) -> Lines:
    """A bill arrived: it is due."""
    return Line(due(invoice_id), amount.minor), Line(_biller(creditor), -amount.minor)


def credited(*, invoice_id: str, creditor: str, minor: int) -> Lines:
    """Its biller asks less of it, or nothing more."""
    return Line(due(invoice_id), -minor), Line(adjust_of(creditor), minor)


def shared(lines: Lines, *, invoice_id: str, due_minor: int, owed_minor: int) -> Lines:
    """The same lines, where ``due_minor`` is free and ``owed_minor`` (zero or below) is owed: what goes beyond what is
    free is owed, and what becomes free makes up first for what is owed. Never both: nothing is offered that is owed.
    """
    account = due(invoice_id)
    after = due_minor + owed_minor + sum(line.minor for line in lines if line.account == account)
    return _lines(
        Line(account, max(after, 0) - due_minor),
        Line(owed(invoice_id), min(after, 0) - owed_minor),
        *(line for line in lines if line.account != account),
    )


def holding(claim: Claim, taken: int) -> Position:
    """Of a payment under way that has so much: its amount first, and what goes beyond that is its discount."""
    return Position(taken=taken, held=min(taken, claim.amount.minor))


def executed(claim: Claim, taken: int) -> Position:
    """Of a payment that its bank executed: of its amount what went into no invoice is to be given back."""
    return Position(taken=taken, settled=claim.amount.minor)


def moved(claim: Claim, before: Position, after: Position) -> Lines:
    """From what a payment had to what it has now."""
    return _lines(
        Line(due(claim.invoice_id), before.taken - after.taken),
        Line(inflight(claim.payment_id), after.held - before.held),
        Line(settled_of(claim.creditor), after.settled - before.settled),
        Line(adjust_of(claim.creditor), after.adjusted - before.adjusted),
    )


def room(claim: Claim, before: Position, *, due_minor: int, others_minor: int) -> int:
    """How much more of its invoice a payment may take that was closed, or executed on top: what is due, where others
    have some of it. Where none has, all that it lacks: what its biller took off meanwhile is a refund owed then."""
    lacks = claim.whole - before.taken
    return min(lacks, due_minor) if others_minor else lacks


def _lines(*lines: Line) -> Lines:
    """Without the lines that move nothing."""
    return tuple(line for line in lines if line.minor)
