"""What sort of payment one is to its bank: at once, kept until a day, or under a standing consent. From that follow the
verbs with which the bank is asked (speaker.py)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.journey.decisions.models import Decision
from app.journey.payments import rules
from app.journey.payments.models import Payment
from app.journey.payments.own_consent import agreed_of
from app.journey.payments.states import PaymentState
from app.people.customers import start_of
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


def kept_until(day: dt.date, *, time_zone: str) -> dt.datetime:
    """When that day begins for the customer or by UTC, whichever is earlier: from then on a bank may carry it out."""
    return min(start_of(day, time_zone=time_zone), start_of(day, time_zone="UTC"))


def is_kept(payment: Payment, *, now: dt.datetime) -> bool:
    """Whether its bank keeps it just now: it is approved, and its day has begun nowhere that matters."""
    return payment.state == PaymentState.ACCEPTED and payment.kept_until is not None and now < payment.kept_until


def may_be_dropped(payment: Payment, *, now: dt.datetime) -> bool:
    """Whether its bank, which kept it until a day, may still be asked to drop it: also on that day, on which it acts at
    hours of its own."""
    if payment.state != PaymentState.ACCEPTED or payment.kept_until is None:
        return False
    return now < payment.kept_until + rules.KEPT_MARGIN


def is_day_begun(payment: Payment, *, now: dt.datetime) -> bool:
    """Whether the day until which its bank was to keep it has begun, and the bank has not accepted it: nobody brings it
    further, since it would be for another day than was signed, or for none."""
    return payment.kept_until is not None and payment.accepted_at is None and now >= payment.kept_until
