"""After the redirect: exchange the code for a token, at most once. A lost exchange is never repeated: status tells."""

from __future__ import annotations

import datetime as dt
import uuid

from app.db.unit_of_work import UnitOfWork
from app.failpoints import failpoint
from app.journey.payments import calls, rules
from app.journey.payments.access import GivesWay, locked, why_unwanted
from app.journey.payments.approval import give_way
from app.journey.payments.looks import follow_from
from app.journey.payments.models import Payment
from app.journey.payments.reasons import Reason
from app.journey.payments.speaker import speaker
from app.journey.payments.states import CLOSED, OVER, PaymentStep, Source
from app.journey.payments.step import may_withhold, raise_fence, step
from app.journey.payments.way import trip_of
from app.people import stops
from app.services import Services, Task
from connectors.contract import Approach, Authorised, BankRequest, ScaOAuth
from connectors.errors import BankError, BankRefused, BankUnavailable, NotApproved, NotSignedIn
from consent import tokens, trips
from consent.models import Consent, Trip


def exchange_code(task: Task) -> None:
    """CustomerReturned: exchange the code, then let the status be asked at once."""
    services = task.services
    with services.unit_of_work() as uow:
        payment = locked(uow.session, task.payload["payment_id"])
        if payment.state in OVER:
            # the bank's word came first: the code is of no more use, and at some banks to exchange it is to approve
            if payment.state in CLOSED:
                follow_from(uow, payment, run_at=uow.now)  # somebody did approve it: is that still the bank's word?
            task.finish(uow)
            uow.commit()
            return
        stops.hold_off(uow.session, payment.customer_id)
        why = why_unwanted(uow.session, payment)
        if why is not None:
            _leave_unused(task, uow, payment, why)
            uow.commit()
            return
        task.hold(uow)
        trip = trip_of(uow.session, payment)
        consent = uow.session.get_one(Consent, payment.consent_id)
        taken = trips.take_answer(uow.session, services.vault, trip, now=uow.now)
        if taken is None:  # refused at the bank, or the exchange was tried before
            _without_token(uow, payment, trip)
            follow_from(uow, payment, run_at=uow.now)
            task.finish(uow)
            uow.commit()
            return
        answer, secrets = taken
        sca, redirect_uri, bank_id = ScaOAuth(**consent.sca), trip.redirect_uri, payment.bank_id
        customer_token = _token(services, uow, payment, consent, sca)
        _raise_fence_anew(services, payment, sca, now=uow.now)
        # the call holds neither code nor our assertion: secrets, sealed with the trip and not repeated
        request = BankRequest(
            method="POST", path=sca.token_endpoint[:300], headers={}, body=b"", request_id=str(uuid.uuid4())
        )
        call = calls.store(uow, payment_id=payment.id, verb="complete", request=request)
        number = calls.attempt(uow, call)
        uow.commit()
    failpoint("exchange.taken")
    connector = speaker(services, bank_id, customer_token=customer_token)
    authorised, outcome, failed = None, "authorised", None
    try:
        authorised = connector.complete(
            sca,
            answer=answer,
            code_verifier=secrets.verifier,
            redirect_uri=redirect_uri,
            state=secrets.state,
            nonce=secrets.nonce,
            timeout_s=task.deadline_s,
        )
    except BankError as error:
        failed = error
        outcome = type(error).__name__  # whatever it was, the money may have moved: only status tells
    failpoint("exchange.sent")
    with services.unit_of_work() as uow:
        payment = locked(uow.session, task.payload["payment_id"])
        # what came of it is kept whoever has the work by now: there is no second answer
        calls.answered(uow, call_id=call.id, number=number, outcome=outcome)
        if authorised is not None:
            consent = uow.session.get_one(Consent, payment.consent_id)
            if payment.state not in OVER or not payment.is_to_submit:  # else nobody ever uses it
                tokens.keep(uow.session, services.vault, consent, authorised, now=uow.now)
            if payment.state not in OVER:  # what ended before its fence rose ended past the fence that it had
                raise_fence(payment, uow.now + _life_of(authorised, payment) + rules.EXPIRY_MARGIN)
            if may_withhold(payment):
                step(uow, payment, PaymentStep.AUTHORISE, source=Source.BANK, evidence="a token for its consent")
        else:
            _failed(uow, payment, failed, sca)
        follow_from(uow, payment, run_at=uow.now)
        uow.commit()
    failpoint("exchange.kept")
    with services.unit_of_work() as uow:
        task.finish(uow)
        uow.commit()
    failpoint("exchange.written")


def _token(services: Services, uow: UnitOfWork, payment: Payment, consent: Consent, sca: ScaOAuth) -> str | None:
    """That of the sign-in, where there was one. None from its last looks on where the bank's app would only begin to
    ask: what waits for an approval then is taken back."""
    if sca.approach == Approach.DECOUPLED and rules.is_last_look(told_until=payment.told_until, now=uow.now):
        return None
    return tokens.access_token(uow.session, services.vault, consent, now=uow.now)


def _raise_fence_anew(services: Services, payment: Payment, sca: ScaOAuth, *, now: dt.datetime) -> None:
    """However late we are: where no code is exchanged, which would die by itself, the bank executes, or begins to ask,
    only now."""
    if sca.approach == Approach.OAUTH:
        return
    life = rules.answer_life(sca, services.banks.profile(payment.bank_id))
    raise_fence(payment, now + life + rules.EXPIRY_MARGIN)


def _failed(uow: UnitOfWork, payment: Payment, error: BankError | None, sca: ScaOAuth) -> None:
    """Nothing came of it. Where we had no token to have the bank's app ask with, nothing was sent, so nobody is asked:
    that is the end. Never by what a trip says of itself, which may come from a browser."""
    trip = trip_of(uow.session, payment)
    trip.outcome = _refused(error, sca) or trip.outcome
    _without_token(uow, payment, trip)
    unasked = isinstance(error, NotSignedIn) and sca.approach == Approach.DECOUPLED
    if unasked and payment.accepted_at is None and payment.state not in OVER:
        evidence = "no token to have its app ask with: nobody was asked to approve it"
        step(uow, payment, PaymentStep.EXPIRE, source=Source.WORKER, evidence=evidence, reason=Reason.SIGN_IN_OVER)


def _refused(error: BankError | None, sca: ScaOAuth) -> str | None:
    """How the trip ended when that is clear: the customer's own no; or the bank never began to ask in its app, or to
    execute what it was to be confirmed, so that the order is taken back as one that nobody approved."""
    if isinstance(error, NotApproved):
        return error.code
    never_began = sca.approach != Approach.OAUTH and isinstance(error, BankUnavailable | BankRefused)
    return "not_started" if never_began else None


def _leave_unused(task: Task, uow: UnitOfWork, payment: Payment, why: GivesWay) -> None:
    """Its bill is paid, or may be: to exchange the code could pay it twice."""
    if may_withhold(payment):
        # now: wanted again before anybody looks, it would wait for ever for a code that nobody exchanges
        give_way(task, uow, payment, why)
        return
    follow_from(uow, payment, run_at=uow.now)
    task.finish(uow)


def _life_of(authorised: Authorised, payment: Payment) -> dt.timedelta:
    """For how long something may happen with this token. What is ours to submit is not sent again after a day."""
    stated = authorised.expires_in_s
    if stated is None:
        return rules.UNSTATED_LIFE
    life = dt.timedelta(seconds=stated)
    return min(life, rules.UNSTATED_LIFE) if payment.is_to_submit else life


def _without_token(uow: UnitOfWork, payment: Payment, trip: Trip) -> None:
    """Where nothing happens unless we submit it, an approval that did not reach us is one that is not used."""
    if trip.outcome == "code" and may_withhold(payment):
        evidence = "the code could not be exchanged; nothing was submitted"
        step(uow, payment, PaymentStep.WITHHOLD, source=Source.WORKER, evidence=evidence, reason=Reason.APPROVAL_LOST)
