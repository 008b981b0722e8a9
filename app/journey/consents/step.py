"""The only writer of a standing consent's state: steps the table and writes its history."""

from __future__ import annotations

import datetime as dt

from sqlalchemy.orm import Session

from consent import tokens
from consent.models import Consent, ConsentHistory, Standing
from consent.states import STANDING, ConsentSource, StandingState, StandingStep


def lose_access(
    session: Session, standing: Standing, *, source: ConsentSource, evidence: str, now: dt.datetime
) -> None:
    """The bank lets us use it no more: its token is forgotten. It can be approved there again."""
    consent = session.get_one(Consent, standing.consent_id)
    session.refresh(consent, with_for_update={"key_share": True})
    before = StandingState(consent.state)
    if not STANDING.allows(before, StandingStep.LOSE_ACCESS):
        return
    after = STANDING.next(before, StandingStep.LOSE_ACCESS)
    consent.state = after
    standing.sequence += 1
    session.add(
        ConsentHistory(
            consent_id=consent.id,
            sequence=standing.sequence,
            step=StandingStep.LOSE_ACCESS.name.lower(),
            before=before,
            after=after,
            source=source,
            evidence=evidence,
            at=now,
        )
    )
    tokens.forget(session, consent.id)
    session.flush()
