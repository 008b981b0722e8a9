"""What a stop does to standing consents: each is taken back in the very transaction that stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.events import Event
from app.db.unit_of_work import UnitOfWork
from app.journey.consents.access import locked, takeable
from app.journey.consents.step import take_back
from app.people.events import CustomerStopped
from app.people.models import Stop
from consent.models import Consent, ConsentHistory, Standing
from consent.states import STANDING_OVER, ConsentSource, StandingStep

_STEP = StandingStep.REVOKE
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
    """A standing consent that a stop took back."""

    consent_id: str
    bank_id: str
    payee_name: str
    is_confirmed: bool  #: the bank has it no more


def taken_back(session: Session, *, stop: Stop) -> list[TakenBack]:
    """Those that were taken back since, the latest first."""
    rows = session.execute(
        select(Standing, Consent.state)
        .join(Consent, Consent.id == Standing.consent_id)
        .join(ConsentHistory, ConsentHistory.consent_id == Standing.consent_id)
        .where(
            Standing.customer_id == stop.customer_id,
            ConsentHistory.step == _STEP.name.lower(),
            ConsentHistory.at >= stop.at,
        )
        .order_by(Standing.consent_id.desc())
        .limit(SHOWN_MOST)
    ).all()
    return [
        TakenBack(standing.consent_id, standing.bank_id, standing.payee_name, state in STANDING_OVER)
        for standing, state in rows
    ]
