"""What a stop does to standing consents: each is taken back in the very transaction that stops."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.events import Event
from app.db.unit_of_work import UnitOfWork
from app.people.events import CustomerStopped
from app.people.models import Stop
from consent import tokens
from consent.models import Consent, ConsentHistory, Standing
from consent.states import STANDING, ConsentSource, StandingState, StandingStep

_STEP = StandingStep.REVOKE
#: that are shown
SHOWN_MOST = 50


def take_back_at_once(uow: UnitOfWork, events: Sequence[Event]) -> None:
    """CustomerStopped."""
    for event in events:
        if isinstance(event, CustomerStopped):
            for standing in _open(uow.session, event.customer_id):
                _take_back(
                    uow.session,
                    standing,
                    source=ConsentSource.CUSTOMER,
                    evidence="everything was stopped",
                    now=uow.now,
                )


def _open(session: Session, customer_id: str) -> Sequence[Standing]:
    """Theirs that can be taken back, locked."""
    states = [state for (state, step) in STANDING.table if step is _STEP]
    return session.scalars(
        select(Standing)
        .join(Consent, Consent.id == Standing.consent_id)
        .where(Standing.customer_id == customer_id, Consent.state.in_(states))
        .order_by(Standing.consent_id)
        .with_for_update(of=Consent, key_share=True)
    ).all()


def _take_back(session: Session, standing: Standing, *, source: ConsentSource, evidence: str, now: dt.datetime) -> None:
    """Nothing is paid under it from now on: its token is forgotten. The bank is told by work of its own."""
    consent = session.get_one(Consent, standing.consent_id, populate_existing=True)
    before = StandingState(consent.state)
    consent.state = after = STANDING.next(before, _STEP)
    standing.sequence += 1
    if after in STANDING.final():
        standing.ended_at = now
    session.flush()
    session.add(
        ConsentHistory(
            consent_id=standing.consent_id,
            sequence=standing.sequence,
            step=_STEP.name.lower(),
            before=before,
            after=after,
            source=source,
            evidence=evidence,
            at=now,
        )
    )
    tokens.forget(session, standing.consent_id)


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
        TakenBack(standing.consent_id, standing.bank_id, standing.payee_name, state in STANDING.final())
        for standing, state in rows
    ]
