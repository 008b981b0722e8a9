"""What became of payments that were under way when their customer stopped everything, as their page tells it."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass

from sqlalchemy import or_, select, union
from sqlalchemy.orm import Session

from app.journey.consents.models import CustomerBank
from app.journey.payments.models import Payment, PaymentHistory
from app.journey.payments.read import PaymentView, payment_view
from app.journey.payments.reasons import Reason
from app.journey.payments.states import CLOSED, OVER, PaymentState
from app.people.models import Stop
from consent.models import Standing

#: that are shown, the latest first
SHOWN_MOST = 50


class Fate(enum.StrEnum):
    STOPPED = "stopped"  #: it does not happen
    BEING_STOPPED = "being_stopped"  #: nobody but we could make it happen, and it is about to be ended
    AT_BANK = "at_bank"  #: its customer can still approve it there, and nobody has as far as we know
    OUT_OF_HAND = "out_of_hand"  #: it may be executed, or was: nobody here can stop it


@dataclass(frozen=True, slots=True)
class StoppedPayment:
    payment: PaymentView
    fate: Fate


def stopped_payments(session: Session, *, stop: Stop, now: dt.datetime) -> list[StoppedPayment]:
    """All of the customer's that had not ended when they stopped everything."""
    rows = session.scalars(
        select(Payment)
        .where(
            Payment.customer_id == stop.customer_id,
            or_(Payment.state.not_in(OVER), Payment.updated_at >= stop.at),
        )
        .order_by(Payment.id.desc())
        .limit(SHOWN_MOST)
    ).all()
    views = [payment_view(session, each.id, now=now) for each in rows if _was_under_way(session, each, stop.at)]
    return [StoppedPayment(view, fate_of(view)) for view in views]


def fate_of(view: PaymentView) -> Fate:
    """Nothing is called stopped that may have reached the bank (K3): it is that only once it has ended so."""
    state = PaymentState(view.state)
    if state in CLOSED:
        return Fate.STOPPED
    if state in (PaymentState.PREPARED, PaymentState.INITIATING) or view.cancellable:
        return Fate.BEING_STOPPED
    if state is PaymentState.AWAITING_CUSTOMER and not view.approved:
        return Fate.AT_BANK
    return Fate.OUT_OF_HAND


def _was_under_way(session: Session, payment: Payment, at: dt.datetime) -> bool:
    if payment.state not in OVER or payment.reason == Reason.STOPPED_ALL:
        return True
    last = (
        select(PaymentHistory.after)
        .where(PaymentHistory.payment_id == payment.id, PaymentHistory.at <= at)
        .order_by(PaymentHistory.sequence.desc())
    )
    return session.scalar(last.limit(1)) not in OVER


def banks_of(session: Session, *, customer_id: str) -> list[str]:
    """Where they have ever begun a payment, agreed on a standing consent, or added the bank."""
    added = CustomerBank.removed_at.is_(None)
    return sorted(
        session.scalars(
            union(
                select(Payment.bank_id).where(Payment.customer_id == customer_id),
                select(Standing.bank_id).where(Standing.customer_id == customer_id),
                select(CustomerBank.bank_id).where(CustomerBank.customer_id == customer_id, added),
            )
        )
    )
