"""Calls that could lead to money: bytes first, then a line for each attempt, then its outcome (K1, K2)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from app.audit import entries
from app.audit.kinds import Kind
from app.db.unit_of_work import UnitOfWork
from app.journey.payments.models import BankAttempt, BankCall, Payment
from app.journey.payments.terms import Terms, terms_of
from connectors.contract import BankRequest, PsuContext
from connectors.errors import BankSilent
from consent.base import new_id

#: what a bank says to the wish to drop an order
KEPT, DROPPED = "kept", "dropped"
# each is put together once
_OF_VERB = select(BankCall).where(BankCall.payment_id == bindparam("of_payment"), BankCall.verb == bindparam("of_verb"))
_ATTEMPTS = select(func.count()).select_from(BankAttempt).where(BankAttempt.call_id == bindparam("of_call"))
_SENT = select(BankAttempt.sent_at).where(BankAttempt.call_id == bindparam("of_call")).order_by(BankAttempt.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A submission as it was committed before the call."""

    bank_id: str
    terms: Terms
    call_id: str
    number: int
    request: BankRequest
    access_token: str
    psu: PsuContext | None  #: None: its customer is not there
    intended_at: dt.datetime
    only_tells: bool = False  #: the consent is used up: the bank has the payment, whatever it answers to this

    def __repr__(self) -> str:
        return f"Attempt({self.call_id}, {self.number})"


def store(uow: UnitOfWork, *, payment_id: str, verb: str, request: BankRequest) -> BankCall:
    """Settle the bytes and the key of a call, for life."""
    call = BankCall(
        id=new_id("bnk"),
        payment_id=payment_id,
        verb=verb,
        request_id=request.request_id,
        method=request.method,
        path=request.path,
        headers=dict(request.headers),
        body=request.body,
        made_at=uow.now,
    )
    uow.session.add(call)
    entries.write(uow, Kind.BANK_CALL, call)
    uow.session.flush()
    return call


def call_of(session: Session, *, payment_id: str, verb: str) -> BankCall | None:
    """The call of this verb, if it was ever made up."""
    return session.scalar(_OF_VERB, {"of_payment": payment_id, "of_verb": verb})


def is_unanswered(session: Session, *, payment_id: str, verb: str) -> bool:
    """Whether the bank may have taken one of its sendings and nobody heard it say so."""
    call = call_of(session, payment_id=payment_id, verb=verb)
    return call is not None and any(each in (None, BankSilent.__name__) for each in outcomes(session, call.id))


def outcomes(session: Session, call_id: str) -> list[str | None]:
    """Of each of its sendings, in their order; None: nothing is known of it yet."""
    of_call = select(BankAttempt.outcome).where(BankAttempt.call_id == call_id).order_by(BankAttempt.number)
    return list(session.scalars(of_call))


def was_submitted(session: Session, *, payment_id: str) -> bool:
    """Whether we asked the bank to execute it, apart from its approval: else there is nothing to ask about."""
    return call_of(session, payment_id=payment_id, verb="submit") is not None


def attempts(session: Session, call: BankCall) -> int:
    """How often it was sent."""
    return session.scalar(_ATTEMPTS, {"of_call": call.id}) or 0


def first_and_last(session: Session, call: BankCall) -> tuple[dt.datetime, dt.datetime] | None:
    """When it was sent the first and the last time; None when it never was."""
    sent = session.scalars(_SENT, {"of_call": call.id}).all()
    return (sent[0], sent[-1]) if sent else None


def last_attempt(session: Session, call: BankCall) -> BankAttempt | None:
    """Its last sending; None when it was never sent."""
    of_call = select(BankAttempt).where(BankAttempt.call_id == call.id).order_by(BankAttempt.number.desc())
    return session.scalars(of_call.limit(1)).first()


def drop_answered(session: Session, payment: Payment) -> BankAttempt | None:
    """The last time that the bank, asked to drop what it had accepted for a later day, has said whether it does. None:
    it was not asked, or has not said so."""
    last, is_of_accepted = _last_wish_to_drop(session, payment)
    if last is None or last.outcome not in (KEPT, DROPPED):
        return None
    # of what it had not accepted yet it may have said otherwise; that it dropped it, it says once
    return last if last.outcome == DROPPED or is_of_accepted else None


def was_asked_to_drop(session: Session, payment: Payment) -> bool:
    """Whether the bank was asked to drop what it had accepted for a later day, and has not said that it keeps it."""
    last, is_of_accepted = _last_wish_to_drop(session, payment)
    return last is not None and last.outcome != KEPT and is_of_accepted


def _last_wish_to_drop(session: Session, payment: Payment) -> tuple[BankAttempt | None, bool]:
    """When the bank was last asked to drop what it has accepted, and whether that was after it had."""
    if payment.accepted_at is None:
        return None, False
    call = call_of(session, payment_id=payment.id, verb="cancel")
    last = None if call is None else last_attempt(session, call)
    return last, last is not None and last.sent_at >= payment.accepted_at


def attempt(uow: UnitOfWork, call: BankCall) -> int:
    """Write down that it is about to be sent, and commit before sending. Returns the attempt's number."""
    number = attempts(uow.session, call) + 1
    row = BankAttempt(call_id=call.id, number=number, sent_at=uow.now)
    uow.session.add(row)
    entries.write(uow, Kind.BANK_ATTEMPT, row)
    uow.session.flush()
    return number


def answered(uow: UnitOfWork, *, call_id: str, number: int, outcome: str, answer: bytes | None = None) -> None:
    """What came of an attempt."""
    row = uow.session.get_one(BankAttempt, (call_id, number))
    row.outcome, row.answer, row.answered_at = outcome, answer, uow.now
    entries.write(uow, Kind.BANK_ANSWER, row)


def request_of(call: BankCall) -> BankRequest:
    """The very bytes that were stored."""
    return BankRequest(
        method=call.method, path=call.path, headers=call.headers, body=call.body, request_id=call.request_id
    )


def submission(
    uow: UnitOfWork, payment: Payment, call: BankCall, *, token: str, psu: PsuContext | None, only_tells: bool = False
) -> Attempt:
    """Write down that it is about to be submitted, once more or for the first time."""
    return Attempt(
        bank_id=payment.bank_id,
        terms=terms_of(uow.session, payment),
        call_id=call.id,
        number=attempt(uow, call),
        request=request_of(call),
        access_token=token,
        psu=psu,
        intended_at=uow.now,
        only_tells=only_tells,
    )
