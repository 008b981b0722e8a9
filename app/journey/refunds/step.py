"""The only writer of a refund's state: steps the table, writes history, audit entry and the fact that is told."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from app.audit import entries
from app.audit.kinds import Kind
from app.db.unit_of_work import UnitOfWork
from app.errors import TooLate
from app.journey.refunds.events import RefundMoved
from app.journey.refunds.models import Refund, RefundHistory
from app.journey.refunds.rules import Way
from app.journey.refunds.states import REFUND, WHOSE, RefundState, RefundStep
from consent.lifecycle import IllegalStep
from consent.private import owned


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What a company says of how it sent a refund."""

    sent_on: dt.date
    way: Way | None = None
    reference: str | None = None


def take(
    uow: UnitOfWork, refund: Refund, step: RefundStep, *, words: str | None = None, sent: Sent | None = None
) -> None:
    """Step a locked refund. Raises TooLate where that cannot be said of it any more, or not yet."""
    before = RefundState(refund.state)
    try:
        refund.state = REFUND.next(before, step)
    except IllegalStep:
        raise TooLate("refund-moved", f"This refund is {before} by now: nothing was changed.") from None
    if sent is not None:
        refund.sent_on, refund.way, refund.reference = sent.sent_on, sent.way, sent.reference
    write_down(uow, refund, step, before=before, words=words, sent=sent)


def write_down(
    uow: UnitOfWork,
    refund: Refund,
    step: str,
    *,
    before: str | None,
    words: str | None = None,
    sent: Sent | None = None,
) -> None:
    """One more line, of what moved it or of what was done with an account for it. The refund is locked, or new."""
    refund.sequence = (refund.sequence or 0) + 1
    line = RefundHistory(
        refund_id=refund.id,
        sequence=refund.sequence,
        step=step,
        before=before,
        after=refund.state,
        source=WHOSE[step],
        words=owned(words, refund.customer_id) if words is not None else None,
        sent_on=sent.sent_on if sent else None,
        way=sent.way if sent else None,
        reference=sent.reference if sent else None,
        at=uow.now,
    )
    uow.session.flush()
    uow.session.add(line)
    uow.session.flush()
    entries.write(uow, Kind.REFUND_STEP, line)
    uow.record(RefundMoved(refund_id=refund.id, sequence=line.sequence))
