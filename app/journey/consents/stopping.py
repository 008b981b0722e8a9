"""What a stop does to standing consents: each is taken back in the very transaction that stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session, aliased

from app.db.events import Event
from app.db.unit_of_work import UnitOfWork
from app.journey.consents.access import locked, takeable
from app.journey.consents.step import take_back
from app.people.events import CustomerStopped
from app.people.models import Stop
from consent.models import Consent, ConsentHistory, Standing
from consent.states import ConsentSource, StandingState, StandingStep

#: that are shown
SHOWN_MOST = 50


def take_back_at_once(uow: UnitOfWork, events: Sequence[Event]) -> None:
    """CustomerStopped."""
    for event in events:
        if isinstance(event, CustomerStopped):
            for standing in _open(uow.session, event.customer_id):
                take_back(uow, standing, source=ConsentSource.CUSTOMER, evidence="everything was stopped")


def _open(session: Session, customer_id: str) -> Sequence[Standing]:
    """Theirs that can be taken back, locked."""
    return [locked(session, consent_id)[1] for consent_id in takeable(session, customer_id=customer_id)]


@dataclass(frozen=True, slots=True)
class TakenBack:
    """A standing consent that a stop took back, or that was being taken back when it came."""

    consent_id: str
    bank_id: str
    payee_name: str
    is_confirmed: bool  #: the bank has it no more, by its own word, or never had it


def taken_back(session: Session, *, stop: Stop) -> list[TakenBack]:
    """Those that were taken back since, or still are being taken back, the latest first."""
    gone = aliased(ConsentHistory)
    is_gone = and_(gone.consent_id == Standing.consent_id, gone.step == StandingStep.BANK_GONE.name.lower())
    rows = session.execute(
        select(Standing, gone.source)
        .join(Consent, Consent.id == Standing.consent_id)
        .join(ConsentHistory, ConsentHistory.consent_id == Standing.consent_id)
        .outerjoin(gone, is_gone)
        .where(
            Standing.customer_id == stop.customer_id,
            ConsentHistory.step == StandingStep.REVOKE.name.lower(),
            or_(ConsentHistory.at >= stop.at, Consent.state == StandingState.REVOKING),
        )
        .order_by(Standing.consent_id.desc())
        .limit(SHOWN_MOST)
    ).all()
    return [
        TakenBack(standing.consent_id, standing.bank_id, standing.payee_name, _is_confirmed(standing, source))
        for standing, source in rows
    ]


def _is_confirmed(standing: Standing, source: str | None) -> bool:
    """``source``: whose word it is that the bank has it no more. We also stop asking a bank that never told its id."""
    return source == ConsentSource.BANK or (source is not None and standing.sent_at is None)
