"""The only writer of a standing consent's state: steps the table, writes history, forgets what is of no use any more,
and tells. All in the caller's transaction, in which the consent is locked (``access.locked``)."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select

from app.audit import entries
from app.audit.kinds import Kind
from app.db import work
from app.db.unit_of_work import UnitOfWork
from app.journey.consents import rules
from app.journey.consents.events import ConsentChanged
from consent import tokens, trips
from consent.models import Consent, ConsentHistory, Standing, Trip
from consent.states import STANDING, STANDING_OVER, ConsentSource, StandingState, StandingStep

#: the one row of work that goes on with a consent
HANDLER = "consents.follow"
#: of the first line of a history
AGREED = "agree"
#: of a line that changes nothing at all: its customer had the bank asked whether there is money (decisions/funds.py)
FUNDS_ASKED = "ask_funds"


def work_key(consent_id: str) -> str:
    return f"{HANDLER}:{consent_id}"


def follow_from(uow: UnitOfWork, standing: Standing, *, run_at: dt.datetime) -> None:
    """Go on with it from ``run_at`` on, or earlier when it was to be earlier. While its work is under way, that sees by
    ``next_look_at`` that it was asked for since."""
    key = work_key(standing.consent_id)
    payload = {"consent_id": standing.consent_id}
    work.enqueue(uow.session, handler=HANDLER, key=key, payload=payload, now=uow.now, run_at=run_at)
    work.bring_forward(uow.session, key=key, run_at=run_at)
    standing.next_look_at = min(standing.next_look_at or run_at, run_at)


def look_soon(uow: UnitOfWork, standing: Standing) -> None:
    """Somebody says that there is news of it: ask the bank, but not again at once where it was asked just now."""
    last = standing.looked_at
    follow_from(uow, standing, run_at=uow.now if last is None else max(uow.now, last + rules.HINT_PAUSE))


def begin(uow: UnitOfWork, standing: Standing) -> None:
    """The first line of its history."""
    after = StandingState.PREPARED
    _write_down(uow, standing, AGREED, None, after, source=ConsentSource.CUSTOMER, evidence="signed", answer=None)


def step(
    uow: UnitOfWork,
    standing: Standing,
    taken: StandingStep,
    *,
    source: ConsentSource,
    evidence: str,
    answer: bytes | None = None,
) -> bool:
    """Take one step. False: it is known already, or comes too late to change anything. Raises IllegalStep."""
    consent = uow.session.get_one(Consent, standing.consent_id)
    before = StandingState(consent.state)
    after = STANDING.next(before, taken)
    if after is before:
        return False
    consent.state = after
    standing.ended_at = uow.now if after in STANDING_OVER else None
    if after is StandingState.AUTHORISED:
        standing.authorised_at = uow.now
    elif after is not StandingState.EXPIRED or before is StandingState.AUTHORISED:
        tokens.forget(uow.session, consent.id)
    if after in STANDING_OVER | {StandingState.REVOKING} and after is not StandingState.EXPIRED:
        _forget_trips(uow, consent.id)
    _write_down(uow, standing, taken.name.lower(), before, after, source=source, evidence=evidence, answer=answer)
    if after is not StandingState.AWAITING:
        uow.record(ConsentChanged(consent_id=consent.id, sequence=standing.sequence))
    follow_from(uow, standing, run_at=uow.now)
    return True


def take_back(uow: UnitOfWork, standing: Standing, *, source: ConsentSource, evidence: str) -> bool:
    """Its customer wants it no more: from this transaction on nothing is paid under it, its token is forgotten, and
    work tells the bank until that has confirmed it. False: it was over, or is being taken back."""
    return step(uow, standing, StandingStep.REVOKE, source=source, evidence=evidence)


def lose_access(uow: UnitOfWork, standing: Standing, *, source: ConsentSource, evidence: str) -> bool:
    """The bank lets nothing more be paid under it, until its customer approves it there again."""
    return step(uow, standing, StandingStep.LOSE_ACCESS, source=source, evidence=evidence)


def end_approval(
    uow: UnitOfWork,
    standing: Standing,
    taken: StandingStep,
    *,
    source: ConsentSource,
    evidence: str,
    answer: bytes | None = None,
) -> None:
    """A step by which what its customer approved is of no use. What that left here is forgotten also where the step
    changes nothing: they had approved anew what stands stopped, or late what our clock had ended."""
    is_kept = tokens.is_any_kept(uow.session, standing.consent_id)
    is_taken = step(uow, standing, taken, source=source, evidence=evidence, answer=answer)
    if not is_kept:
        return
    tokens.forget(uow.session, standing.consent_id)
    if not is_taken:
        note(uow, standing, taken.name.lower(), source=source, evidence=evidence, answer=answer)


def note(
    uow: UnitOfWork,
    standing: Standing,
    what: str,
    *,
    source: ConsentSource,
    evidence: str,
    answer: bytes | None = None,
) -> None:
    """A line of its history of what moved it nowhere: it was approved again while it stood, or in vain, or from another
    account; or its customer had the bank asked whether there is money."""
    state = StandingState(uow.session.get_one(Consent, standing.consent_id).state)
    _write_down(uow, standing, what, state, state, source=source, evidence=evidence, answer=answer)


def _forget_trips(uow: UnitOfWork, consent_id: str) -> None:
    """Who is still at the bank for it brings back what nobody uses."""
    for trip_id in uow.session.scalars(select(Trip.id).where(Trip.consent_id == consent_id)).all():
        trips.forget(uow.session, trip_id)


def _write_down(
    uow: UnitOfWork,
    standing: Standing,
    taken: str,
    before: StandingState | None,
    after: StandingState,
    *,
    source: ConsentSource,
    evidence: str,
    answer: bytes | None,
) -> None:
    standing.sequence = (standing.sequence or 0) + 1
    line = ConsentHistory(
        consent_id=standing.consent_id,
        sequence=standing.sequence,
        step=taken,
        before=before,
        after=after,
        source=source,
        evidence=evidence,
        answer=answer,
        at=uow.now,
    )
    uow.session.add(line)
    uow.session.flush()
    entries.write(uow, Kind.CONSENT_STEP, line)
