"""The only writer of a standing consent's state: steps the table, writes history, forgets what is of no use any more,
and tells. All in the caller's transaction, in which the consent is locked (``access.locked``)."""

from __future__ import annotations

from app.db.unit_of_work import UnitOfWork
from app.journey.consents.events import ConsentChanged
from consent import tokens
from consent.models import Consent, ConsentHistory, Standing
from consent.states import STANDING, ConsentSource, StandingState, StandingStep


def lose_access(uow: UnitOfWork, standing: Standing, *, source: ConsentSource, evidence: str) -> bool:
    """The bank lets nothing more be paid under it, until its customer approves it there again."""
    return _step(uow, standing, StandingStep.LOSE_ACCESS, source=source, evidence=evidence)


def take_back(uow: UnitOfWork, standing: Standing, *, source: ConsentSource, evidence: str) -> bool:
    """Its customer wants it no more: from this transaction on nothing is paid under it. False: that is known."""
    return _step(uow, standing, StandingStep.REVOKE, source=source, evidence=evidence)


def _step(uow: UnitOfWork, standing: Standing, taken: StandingStep, *, source: ConsentSource, evidence: str) -> bool:
    consent = uow.session.get_one(Consent, standing.consent_id)
    before = StandingState(consent.state)
    after = STANDING.next(before, taken)
    if after is before:
        return False
    consent.state = after
    tokens.forget(uow.session, consent.id)
    standing.sequence += 1
    line = ConsentHistory(
        consent_id=consent.id,
        sequence=standing.sequence,
        step=taken.name.lower(),
        before=before,
        after=after,
        source=source,
        evidence=evidence,
        at=uow.now,
    )
    uow.session.add(line)
    uow.record(ConsentChanged(consent_id=consent.id, sequence=standing.sequence))
    uow.session.flush()
    return True
