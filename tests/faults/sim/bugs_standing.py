"""Mistakes about standing consents, what is paid under them, and stops, planted one at a time as those of bugs.py."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.db.unit_of_work import UnitOfWork
from app.journey.consents import believing, claims, follow
from app.journey.payments import access, calls, repeats, step, submit
from app.journey.payments.models import BankCall, Payment
from app.journey.payments.own_consent import UNUSED
from app.journey.payments.states import PaymentState
from app.people import stops
from app.services import Task
from connectors.contract import ConsentStatus
from connectors.errors import BankError
from consent import tokens
from consent.models import Consent, ConsentUsage, Standing
from consent.rules import Frame, Span
from consent.states import StandingState
from tests.faults.sim.planting import Change, bug

# --------------------------------------------------------------------------------------------------------------- limits


@bug("what is used of a limit is written down, and held against nobody", "E1", "W4")
def limit_not_held_against_anybody() -> Sequence[Change]:
    def take(session: Session, consent_id: str, frame: Frame, span: Span, *, minor: int, days: Any) -> None:
        del frame, days
        session.execute(
            update(ConsentUsage)
            .where(claims._is_period(consent_id, span.number, span.first))
            .values(used_minor=ConsentUsage.used_minor + minor)
            .execution_options(synchronize_session=False)
        )

    return [(claims, "_take", take), (claims, "used", lambda session, *, consent_id, days: {})]


@bug("an unknown outcome frees what was claimed of the limits", "E6", "E1", "W4")
def unknown_frees_the_limits() -> Sequence[Change]:
    real = step._move_limits

    def move(uow: UnitOfWork, payment: Payment, before: PaymentState, after: PaymentState) -> None:
        real(uow, payment, before, after)
        if payment.trip_id is None and after is PaymentState.UNKNOWN:
            claims.release(uow, payment_id=payment.id)

    return [(step, "_move_limits", move)]


@bug("what a closed payment claimed stays claimed", "E6")
def closed_keeps_its_limits() -> Sequence[Change]:
    return [(step, "_move_limits", lambda uow, payment, before, after: None)]


# ---------------------------------------------------------------------------------------------------------- the sending


@bug("after a lost answer a payment under a standing consent goes again under a key of its own", "W4", "A1", "H4")
def new_key_under_a_standing_consent() -> Sequence[Change]:
    real = calls.submission

    def submission(uow: UnitOfWork, payment: Payment, call: BankCall, **how: Any) -> calls.Attempt:
        if payment.trip_id is None and calls.attempts(uow.session, call):
            call.request_id = str(uuid.uuid4())
            uow.session.flush()
        return real(uow, payment, call, **how)

    return [(calls, "submission", submission)]


@bug("that a standing consent is authorised is read as: never submitted", "T1", "A3", "W4")
def authorised_proves_nothing_was_paid() -> Sequence[Change]:
    def is_unused(session: Session, payment: Payment, said: ConsentStatus | None) -> bool:
        return said in UNUSED

    return [(submit, "is_unused", is_unused)]


@bug("a no to a payment under a standing consent is believed the first time", "T1", "A3")
def refused_once_is_the_end() -> Sequence[Change]:
    return [(repeats, "is_refused_again", repeats.is_refused)]


@bug("a token that the bank does not take ends the payment, whatever was sent before", "T1", "A3", "W4", "A1")
def access_lost_is_no() -> Sequence[Change]:
    return [(repeats, "never_let_in", lambda session, call_id: True)]


@bug("what reached a bank that forgets keys is sent again", "W4", "A1")
def sent_again_where_keys_are_forgotten() -> Sequence[Change]:
    return [(repeats, "would_be_another_payment", lambda session, payment, profile, call_id: False)]


@bug(
    "a payment under a standing consent that was taken back is sent all the same, with the token of before", "W1", "E3"
)
def sent_after_it_was_taken_back() -> Sequence[Change]:
    return [
        (access, "is_consent_ended", lambda session, payment: False),
        (tokens, "forget", lambda session, consent_id: None),
    ]


@bug("a lost answer under a standing consent is left to a person", "W6")
def silent_bank_is_left() -> Sequence[Change]:
    real = repeats.is_left

    def is_left(uow: UnitOfWork, payment: Payment, profile: Any, call: BankCall) -> bool:
        may_have = payment.trip_id is None and repeats.may_have_been_done(uow.session, call.id)
        return may_have or real(uow, payment, profile, call)

    return [(repeats, "is_left", is_left)]


# ---------------------------------------------------------------------------------------------------------- the consent


@bug("the bank is never told that a standing consent was taken back", "W5")
def taken_back_and_not_told() -> Sequence[Change]:
    real = follow._to_take_back

    def to_take_back(task: Task, uow: UnitOfWork, consent: Consent, standing: Standing, state: StandingState) -> Any:
        if state is not StandingState.REVOKING:
            return real(task, uow, consent, standing, state)
        follow._run_again(task, uow, standing, run_at=uow.now + dt.timedelta(days=1))
        return None

    return [(follow, "_to_take_back", to_take_back)]


@bug("no answer to that is taken for a yes", "W3")
def silence_is_taken_back() -> Sequence[Change]:
    real = follow._taken_back

    def taken_back(task: Task, uow: UnitOfWork, consent: Consent, standing: Standing, call: Any, answer: Any) -> None:
        real(task, uow, consent, standing, call, None if isinstance(answer, BankError) else answer)

    return [(follow._TAKEN_IN, follow._Verb.TAKE_BACK, taken_back)]


@bug("that the bank holds otherwise than was agreed is not looked at", "W3")
def held_otherwise_and_used() -> Sequence[Change]:
    real = believing.believe

    def believe(services: Any, uow: UnitOfWork, consent: Consent, standing: Standing, told: Any) -> None:
        if told.differences and told.status is ConsentStatus.AUTHORISED:
            believing.is_authorised(services, uow, consent, standing, told)
        else:
            real(services, uow, consent, standing, told)

    return [
        (believing, "believe", believe),
        (believing, "not_as_agreed", lambda uow, standing, names, *, answer: None),
    ]


# ---------------------------------------------------------------------------------------------------------------- stops


@bug("a stop keeps people from deciding, and ends nothing that they have decided", "W2", "S1")
def stop_blocks_decisions_alone() -> Sequence[Change]:
    return [(access, "is_void", lambda session, payment: False)]


@bug("once a stop is lifted what was decided before it goes on", "W2", "S1")
def lifted_and_forgotten() -> Sequence[Change]:
    def voids(session: Session, customer_id: str, *, decided_at: dt.datetime) -> bool:
        del decided_at
        return stops.is_stopped(session, customer_id)

    return [(stops, "voids", voids), (follow, "voids", voids)]
