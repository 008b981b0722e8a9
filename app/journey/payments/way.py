"""The way on which a payment is approved: by a trip of its customer to the bank; or by none, under a standing consent.

This is the one place where a payment's own trip is read."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, bindparam, exists, or_, select
from sqlalchemy.orm import Session

from app.journey.payments import calls
from app.journey.payments.models import BankAttempt, BankCall, Payment
from consent.models import Trip

_APPROVED = "code"
#: how far it is: asked for again and again while a payment is followed
_OF_TRIP = select(Trip.left_at, Trip.returned_at, Trip.outcome, Trip.exchanged_at).where(
    Trip.id == bindparam("of_trip")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How far a payment is on it."""

    has_trip: bool  #: else it has no link: nobody can make it happen but we
    given_out_at: dt.datetime | None  #: since then others than we could: its link was given out, or it was first sent
    returned_at: dt.datetime | None  #: since then its approval, or the customer's no, may be known
    outcome: str | None  #: code: approved; else the OAuth error that came back
    exchanged_at: dt.datetime | None  #: since then its code is sent for no second time

    @property
    def is_approved(self) -> bool:
        """Its customer's approval has come, though the bank has perhaps not said so."""
        return self.outcome == _APPROVED

    @property
    def keeps_link(self) -> bool:
        """Its link was given to nobody, so that nobody can approve it."""
        return self.has_trip and self.given_out_at is None


def way_of(session: Session, payment: Payment) -> Way:
    """As it is now. What needs no trip was approved with its consent, and is in the bank's hands once it is sent."""
    if payment.trip_id is None:
        sent_at = _first_sent_at(session, payment)
        return Way(has_trip=False, given_out_at=sent_at, returned_at=sent_at, outcome=_APPROVED, exchanged_at=sent_at)
    left_at, returned_at, outcome, exchanged_at = session.execute(_OF_TRIP, {"of_trip": payment.trip_id}).one()
    return Way(has_trip=True, given_out_at=left_at, returned_at=returned_at, outcome=outcome, exchanged_at=exchanged_at)


def trip_of(session: Session, payment: Payment) -> Trip:
    """The row itself, for who takes the trip a step further. Only of a payment that has one."""
    return session.get_one(Trip, payment.trip_id)


def was_given_out() -> ColumnElement[bool]:
    """``given_out_at is not None`` of ``way_of``, of the payments of a query."""
    left = exists().where(Trip.id == Payment.trip_id, Trip.left_at.is_not(None))
    sent = exists().where(
        BankCall.payment_id == Payment.id, BankCall.verb == "submit", BankAttempt.call_id == BankCall.id
    )
    return or_(left, and_(Payment.trip_id.is_(None), sent))


def _first_sent_at(session: Session, payment: Payment) -> dt.datetime | None:
    call = calls.call_of(session, payment_id=payment.id, verb="submit")
    sent = None if call is None else calls.first_and_last(session, call)
    return None if sent is None else sent[0]
