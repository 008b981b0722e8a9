"""The only ways from an outside id to a standing consent."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, bindparam, or_, select
from sqlalchemy.orm import Session

from app.errors import NotFound
from consent.models import Consent, Standing
from consent.states import StandingState

_LOCKED = (
    select(Consent)
    .where(Consent.id == bindparam("of_consent"))
    .with_for_update(key_share=True)
    .execution_options(populate_existing=True)
)


def locked(session: Session, consent_id: str) -> tuple[Consent, Standing]:
    """The rows as they are now, for whoever wants to step them. The lock is that of the consent; a payment that is
    decided under it looks at it with a weaker one, and waits. Who only writes down something that refers to it does
    not (FOR NO KEY UPDATE)."""
    consent = session.scalars(_LOCKED, {"of_consent": consent_id}).one()
    return consent, session.get_one(Standing, consent_id, populate_existing=True)


def standing_of_customer(session: Session, *, consent_id: str, customer_id: str) -> Standing:
    """Raises NotFound alike for none and for somebody else's."""
    standing = session.get(Standing, consent_id)
    if standing is None or standing.customer_id != customer_id:
        raise NotFound("consent")
    return standing


def takeable(session: Session, *, customer_id: str, bank_id: str | None = None) -> list[str]:
    """The customer's standing consents, at one bank or at all, that can be taken back: also what only our clock has
    ended, as long as the bank may hold it and say that it was approved in the last moment."""
    wanted = (
        select(Standing.consent_id)
        .join(Consent, Consent.id == Standing.consent_id)
        .where(Consent.customer_id == customer_id, can_be_taken_back())
        .order_by(Standing.consent_id)
    )
    if bank_id is not None:
        wanted = wanted.where(Consent.bank_id == bank_id)
    return list(session.scalars(wanted))


def can_be_taken_back() -> ColumnElement[bool]:
    """Of Standing, joined with its Consent."""
    lapsed = and_(Consent.state == StandingState.EXPIRED, Standing.gone_at.is_(None))
    return or_(Standing.ended_at.is_(None), lapsed)


def standing_at_bank(session: Session, *, bank_id: str, resource_id: str) -> str | None:
    """The standing consent that this bank calls so; None: it is none."""
    return session.scalar(
        select(Consent.id).where(
            Consent.bank_id == bank_id, Consent.bank_consent_id == resource_id, Consent.kind == "standing"
        )
    )
