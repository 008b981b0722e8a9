"""What is left of standing consents after a cell, held against the bank's file, what was sent and what was said."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.journey.decisions.models import Decision
from app.journey.payments.models import Payment
from app.people.models import Stop
from consent.models import Consent, ConsentHistory, Standing
from consent.states import STANDING_OVER, STANDING_USABLE, StandingState
from tests.faults.kill.consenting import OVER, STANDS, StandingCourse
from tests.faults.kill.course import Course
from tests.faults.kill.gate import Sent
from tests.faults.kill.standing_stories import StandingStory
from tests.faults.storm.books import rows_of

#: at the bank: approved, or approved and then stopped there, so that it may be approved again
_ALIVE, _AUTHORISED = ("AUTH", "CANC"), "AUTH"


def consents_amiss(session: Session, course: Course, sent: Sequence[Sent]) -> Iterator[str]:
    """Everything that is wrong with them, in sentences."""
    there = _at_bank(course)
    here = {standing.consent_id: standing for standing in session.scalars(select(Standing))}
    states = dict(session.execute(select(Consent.id, Consent.state).where(Consent.id.in_(here))).tuples().all())
    ids = dict(session.execute(select(Consent.bank_consent_id, Consent.id).where(Consent.id.in_(here))).tuples().all())
    yield from _otherwise_there(here, states, ids, there)
    yield from _otherwise_here(states, ids, there)
    yield from _paid_otherwise(session, course)
    yield from _sent_too_late(session, sent, ids)
    if isinstance(course, StandingCourse):
        yield from _ended_otherwise(course, states)
        yield from _mis_told(course, ids, there)


def _at_bank(course: Course) -> dict[str, Mapping[str, Any]]:
    """Every standing consent that the UK banks have, by their id of it."""
    return {
        str(consent_id): {"status": None if deleted else status, "body": json.loads(body)}
        for consent_id, status, deleted, body in rows_of(
            course.house.town.british.file, "SELECT consent_id, status, deleted, body FROM consent WHERE kind = 'vrp'"
        )
    }


def _otherwise_there(
    here: Mapping[str, Standing],
    states: Mapping[str, str],
    ids: Mapping[str | None, str],
    there: Mapping[str, Mapping[str, Any]],
) -> Iterator[str]:
    """What the bank would let be paid was agreed on by our customer, byte by byte, and is not over here."""
    for bank_id, consent in there.items():
        if consent["status"] not in _ALIVE:
            continue
        ours = ids.get(bank_id)
        if ours is None:
            yield f"lost: the bank has the consent {bank_id} approved, and nobody here knows of it"
        elif states[ours] not in STANDING_USABLE:
            yield f"lost: {ours} is {states[ours]}, and the bank has it still as {consent['status']}"
        elif consent["body"] != json.loads(here[ours].body):
            yield f"double: the bank's {bank_id} is not what was signed as {ours}"
    bodies = Counter(json.dumps(each["body"], sort_keys=True) for each in there.values() if each["status"] in _ALIVE)
    signed = Counter(json.dumps(json.loads(each.body), sort_keys=True) for each in here.values())
    for body, times in bodies.items():
        if times > signed[body]:
            yield f"double: {times} consents live at the bank by what was signed {signed[body]} times: {body[:200]}"


def _otherwise_here(
    states: Mapping[str, str], ids: Mapping[str | None, str], there: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """What is called usable here is so there, and all else has come to its end."""
    of_bank = {ours: bank_id for bank_id, ours in ids.items() if bank_id is not None}
    for consent, state in states.items():
        if state == StandingState.AUTHORISED and there[of_bank[consent]]["status"] != _AUTHORISED:
            yield f"mis-told: {consent} stands, and the bank says {there[of_bank[consent]]['status']}"
        elif state not in (*STANDING_USABLE, *STANDING_OVER):
            yield f"lost: {consent} is {state} for ever"


def _paid_otherwise(session: Session, course: Course) -> Iterator[str]:
    """Each payment that the bank took under a consent was decided, under that one and over that amount."""
    for reference, amount_minor, bank_id in rows_of(
        course.house.town.british.file, "SELECT end_to_end_id, amount_minor, consent_id FROM payment WHERE kind = 'vrp'"
    ):
        decided = session.execute(
            select(Decision.amount_minor, Consent.bank_consent_id)
            .join(Payment, Payment.decision_id == Decision.id)
            .join(Consent, Consent.id == Payment.consent_id)
            .where(Payment.end_to_end_id == reference)
        ).one_or_none()
        if decided is None:
            yield f"double: the bank took {reference} under {bank_id}, and nobody decided it"
        elif tuple(decided) != (amount_minor, bank_id):
            yield f"double: the bank took {reference} as {(amount_minor, bank_id)}, and {tuple(decided)} was decided"


def _sent_too_late(session: Session, sent: Sequence[Sent], ids: Mapping[str | None, str]) -> Iterator[str]:
    """By the time at which it came to the bank: nothing under a consent that was taken back, nothing after a stop."""
    ended = select(ConsentHistory.consent_id, func.min(ConsentHistory.at)).where(ConsentHistory.step == "revoke")
    taken_back = dict(session.execute(ended.group_by(ConsentHistory.consent_id)).tuples().all())
    stopped_at = session.scalar(select(func.min(Stop.at)))
    for one in sent:
        if one.verb != "submit":
            continue
        consent = ids.get(json.loads(one.body)["Data"]["ConsentId"], "")
        if consent in taken_back and one.at > taken_back[consent].timestamp():
            yield f"double: {one.key} was submitted under {consent} after that was taken back"
        if stopped_at is not None and one.at > stopped_at.timestamp():
            yield f"double: {one.key} was submitted after everything was stopped"


def _ended_otherwise(course: StandingCourse, states: Mapping[str, str]) -> Iterator[str]:
    """Than its story does."""
    assert isinstance(course.story, StandingStory)
    stands = states.get(course.consent) == StandingState.AUTHORISED
    if stands is not course.story.stands:
        yield f"lost: in the end {course.consent} is {states.get(course.consent)}"


def _mis_told(
    course: StandingCourse, ids: Mapping[str | None, str], there: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """None that was called over lives at the bank, and none that was called standing was never approved there."""
    of_bank = {ours: bank_id for bank_id, ours in ids.items() if bank_id is not None}
    for consent, word in sorted(course.told):
        known = there.get(of_bank.get(consent, ""))
        if word in OVER and known is not None and known["status"] in _ALIVE:
            yield f"mis-told: {consent} was called {word!r}, and the bank has it as {known['status']}"
        if word == STANDS and known is None:
            yield f"mis-told: {consent} was said to stand, and the bank has never had it"
