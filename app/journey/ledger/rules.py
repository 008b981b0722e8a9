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


def initiated(claim: Claim) -> Lines:
    """The customer decided, or what was released may happen after all: no other payment may take this part of it."""
    return _lines(
        Line(due(claim.invoice_id), -claim.whole),
        Line(inflight(claim.payment_id), claim.amount.minor),
        Line(adjust_of(claim.creditor), claim.discount.minor),
    )


def released(claim: Claim) -> Lines:
    """The payment will not happen: all is due again."""
    return _negated(initiated(claim))


def settled(claim: Claim) -> Lines:
    """The bank executed it."""
    return (
        Line(inflight(claim.payment_id), -claim.amount.minor),
        Line(settled_of(claim.creditor), claim.amount.minor),
    )


def corrected(claim: Claim) -> Lines:
    """The bank executed what we had closed as not done, and the invoice is still free: it is paid after all."""
    return _lines(
        Line(due(claim.invoice_id), -claim.whole),
        Line(settled_of(claim.creditor), claim.amount.minor),
        Line(adjust_of(claim.creditor), claim.discount.minor),
    )


def overpaid(claim: Claim) -> Lines:
    """The same when another payment has taken the invoice meanwhile: the biller has to give this one back."""
    return (
        Line(settled_of(claim.creditor), claim.amount.minor),
        Line(adjust_of(claim.creditor), -claim.amount.minor),
    )


def applied(claim: Claim) -> Lines:
    """That other payment has ended without effect: this one pays the invoice, and nothing is to be given back."""
    return Line(due(claim.invoice_id), -claim.whole), Line(adjust_of(claim.creditor), claim.whole)


def reversed_(claim: Claim) -> Lines:
    """The bank took back what it had executed: all is due again, and the discount is open anew."""
    return _negated(corrected(claim))


def overpaid_reversed(claim: Claim) -> Lines:
    """The bank took back what the biller would have had to give back."""
    return _negated(overpaid(claim))


def _negated(lines: Lines) -> Lines:
    return tuple(Line(line.account, -line.minor) for line in lines)


def _lines(*lines: Line) -> Lines:
    """Without the lines that move nothing."""
    return tuple(line for line in lines if line.minor)
