"""What sort of payment one is to its bank: at once, kept until a day, or under a standing consent. From that follow the
verbs with which the bank is asked (speaker.py)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.journey.decisions.models import Decision
from app.journey.payments.models import Payment
from app.journey.payments.own_consent import agreed_of
from app.journey.payments.states import PaymentState
from connectors.capabilities import RecurringConsent


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    agreed: RecurringConsent | None = None  #: what the standing consent allows under which it is paid, if one
    kept_on: dt.date | None = None  #: the day on which the bank carries it out, where it keeps it; None: at once


def terms_of(session: Session, payment: Payment) -> Terms:
    """As its customer decided."""
    if payment.kept_until is None:
        return Terms(agreed=agreed_of(session, payment))
    return Terms(kept_on=session.get_one(Decision, payment.decision_id).pay_on)


def is_kept(payment: Payment, *, now: dt.datetime) -> bool:
    """Whether its bank keeps it just now: it is approved, and its day has not come."""
    return payment.state == PaymentState.ACCEPTED and payment.kept_until is not None and now < payment.kept_until
