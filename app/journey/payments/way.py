"""The way on which a payment is approved. This is the one place where a payment's own trip is read."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists
from sqlalchemy.orm import Session

from app.journey.payments.models import Payment
from consent.models import Trip


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How far a payment is on it."""

    given_out_at: dt.datetime | None  #: since then others than we could make it happen: its link was given out
    returned_at: dt.datetime | None  #: since then its approval, or the customer's no, may be known
    outcome: str | None  #: code: approved; else the OAuth error that came back
    exchanged_at: dt.datetime | None  #: since then its code is sent for no second time

    @property
    def is_approved(self) -> bool:
        """Its customer's approval has come, though the bank has perhaps not said so."""
        return self.outcome == "code"


def way_of(session: Session, payment: Payment) -> Way:
    """As it is now."""
    trip = trip_of(session, payment)
    return Way(
        given_out_at=trip.left_at,
        returned_at=trip.returned_at,
        outcome=trip.outcome,
        exchanged_at=trip.exchanged_at,
    )


def trip_of(session: Session, payment: Payment) -> Trip:
    """The row itself, for who takes the trip a step further."""
    return session.get_one(Trip, payment.trip_id)


def was_given_out() -> ColumnElement[bool]:
    """``given_out_at is not None`` of ``way_of``, of the payments of a query."""
    return exists().where(Trip.id == Payment.trip_id, Trip.left_at.is_not(None))
