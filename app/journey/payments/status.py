"""Asking the bank until it is clear what happened. Its status is the only proof; a redirect never is (K3, K4, K8)."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass, field

from app.db.unit_of_work import UnitOfWork
from app.failpoints import failpoint
from app.journey.consents import budget
from app.journey.consents.renewing import fresh_token
from app.journey.payments import calls, rules
from app.journey.payments.access import locked, source_of, was_closed_by_bank, why_unwanted
from app.journey.payments.events import KeptUnwanted
from app.journey.payments.looks import late_look, look_again, may_end_otherwise
from app.journey.payments.models import Payment
from app.journey.payments.own_consent import forget_token, standing_of
from app.journey.payments.reasons import Reason, reason_of
from app.journey.payments.speaker import takes_back, teller
from app.journey.payments.states import (
    CLOSED,
    NOT_DONE,
    OTHERS,
    OVER,
    PAYMENT,
    PaymentState,
    PaymentStep,
    Source,
    StatusSays,
)
from app.journey.payments.step import believe, doubt, keep_promise, promise_again, promise_nothing, step
from app.journey.payments.submit import submit
from app.journey.payments.terms import Terms, is_kept, may_be_dropped, terms_of
from app.journey.payments.way import Way, way_of
from app.services import Task
from connectors.contract import BankRequest, BankStatus, Cancels, Fact
from connectors.errors import BankError, BankRefused, BankUnavailable, NotSignedIn
from consent import tokens
from consent.models import Consent

_NO, _YES = (Fact.REJECTED, Fact.CANCELLED), (Fact.DEBITED, Fact.CREDITED)
#: what a bank may say against an end. That it has executed what was closed is not doubted: it corrects that
_AGAINST = {PaymentState.SETTLED: _NO, **dict.fromkeys(NOT_DONE, (Fact.ACCEPTED,))}
#: and against what was taken back, or what has become of that since
_AGAINST_TAKEN_BACK = (Fact.ACCEPTED, *_YES)
_AGREES = {
    PaymentState.SETTLED: _YES,
    PaymentState.REVERSED: _NO,
    **dict.fromkeys(CLOSED, (*_NO, Fact.NOT_FOUND)),
}
#: what its bank may say that it waits for an approval
_NOT_ACCEPTED = (PaymentState.AWAITING_CUSTOMER, PaymentState.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    bank_id: str
    terms: Terms
    bank_consent_id: str
    bank_payment_id: str
    access_token: str | None = field(repr=False)
    asked_at: dt.datetime  #: what is heard was so then: whoever hears it may have been frozen since
    is_past_fence: bool
    take_back: tuple[Fact, ...]  #: at which of the bank's words it is asked to drop the order
    of_sign_in: bool  #: it is asked with the token of a sign-in, and shows an order perhaps to that customer alone
    may_tell_later: bool  #: without a token now: one is to come, or it is asked, as ourselves, to drop the order


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    """What the bank said; no status when it did not tell."""

    status: BankStatus | None
    silent: bool = False  #: no readable answer at all
    untold: bool = False  #: only a token is told of it, and that is dead
    taken_back: bool = False  #: it dropped the order because we asked it to
    retry_after_s: int = 0


def follow(task: Task) -> None:
    """Ask the bank once and step by what it says; then again at the bank's pace until it is over.

    What the bank does not have yet, since it is for us to submit it, is submitted first.
    """
    payment_id = task.payload["payment_id"]
    with task.services.reading() as uow:
        payment = uow.session.get_one(Payment, payment_id)
        is_to_submit = payment.is_to_submit
        standing = standing_of(uow.session, payment) if is_to_submit and payment.state not in OVER else None
    if standing is not None:  # its token may live for minutes, and no transaction waits for a bank
        fresh_token(task.services, consent_id=standing.consent_id, deadline_s=task.deadline_s)
    if is_to_submit:
        submit(task, payment_id=payment_id)
        return
    question = _question(task)
    if question is None:
        return
    failpoint("status.asked")
    heard = _ask(task, question)
    failpoint("status.heard")
    with task.services.unit_of_work() as uow:
        payment = locked(uow.session, task.payload["payment_id"])
        payment.looked_at = uow.now
        payment.silent_since = (payment.silent_since or uow.now) if heard.silent else None
        _take_in(uow, payment, heard, asked_at=question.asked_at)
        if heard.status is not None:  # the key of the token is back in the vault, or the bank takes it after all
            promise_again(payment, now=uow.now)
        if heard.retry_after_s:
            until = uow.now + dt.timedelta(seconds=heard.retry_after_s)
            budget.put_off(uow.session, bank_id=payment.bank_id, until=until, now=uow.now)
        _go_on(task, uow, payment, not_before=uow.now + dt.timedelta(seconds=heard.retry_after_s))
        uow.commit()
    failpoint("status.written")


def _ask(task: Task, question: _Question) -> _Heard:
    """One question. "Still waiting" never means "nobody approved": only the bank can free the claim, so we ask it to
    take the order back, and believe its word that it did."""
    timeout_s = task.deadline_s / 2
    try:
        connector = teller(task.services, question.bank_id, question.terms, customer_token=question.access_token)
    except ValueError:  # its file names another standard by now
        return _Heard(status=None, untold=True)
    try:
        status = connector.status(question.bank_payment_id, access_token=question.access_token, timeout_s=timeout_s)
    except BankUnavailable as error:
        return _Heard(status=None, silent=True, retry_after_s=error.retry_after_s or 0)
    except BankRefused as error:  # it answers, and will not tell us
        is_dead = isinstance(error, NotSignedIn)
        if question.take_back and isinstance(connector, Cancels) and not (is_dead and question.of_sign_in):
            return _taken_back(task, connector, question, untold=is_dead)
        return _Heard(status=None, untold=is_dead and not question.may_tell_later)
    except BankError:
        return _Heard(status=None, silent=True)
    if status.fact is Fact.NOT_FOUND and question.of_sign_in:
        # no word that it is not there, but that this customer is not shown it: past the fence there is no other to come
        return _Heard(status=None, untold=question.is_past_fence)
    if status.fact in question.take_back and isinstance(connector, Cancels):
        answer = _taken_back(task, connector, question)
        return answer if answer.taken_back else _Heard(status=status, retry_after_s=answer.retry_after_s)
    return _Heard(status=status)


def _taken_back(task: Task, connector: Cancels, question: _Question, *, untold: bool = False) -> _Heard:
    """Ask the bank to drop the order, once it is written down that we do. ``untold``: its status it tells nobody, so
    that a bank which keeps the order has told all it can."""
    payment_id = task.payload["payment_id"]
    with task.services.unit_of_work() as uow:
        locked(uow.session, payment_id)  # before its work, as everybody: whoever steps it may want it followed
        task.hold(uow)
        call = calls.call_of(uow.session, payment_id=payment_id, verb="cancel")
        if call is None:
            request = BankRequest(
                method="DELETE", path=question.bank_consent_id[:300], headers={}, body=b"", request_id=str(uuid.uuid4())
            )
            call = calls.store(uow, payment_id=payment_id, verb="cancel", request=request)
        sent = calls.first_and_last(uow.session, call)
        if sent is not None and uow.now < sent[1] + rules.SEND_GAP:
            return _Heard(status=None)
        number = calls.attempt(uow, call)
        uow.commit()
    failpoint("cancel.intended")
    heard = _Heard(status=None)
    outcome = calls.KEPT
    try:
        cancelled = connector.cancel(question.bank_consent_id, timeout_s=task.deadline_s / 2)
    except BankError as error:
        outcome = type(error).__name__
        if isinstance(error, BankUnavailable):
            heard = _Heard(status=None, retry_after_s=error.retry_after_s or 0)
    else:
        if cancelled is not None:
            outcome, heard = calls.DROPPED, _Heard(status=cancelled, taken_back=True)
        else:
            heard = _Heard(status=None, untold=untold)
    failpoint("cancel.sent")
    with task.services.unit_of_work() as uow:
        if question.terms.kept_on is not None:
            payment = locked(uow.session, payment_id)
            if is_kept(payment, now=uow.now):  # no other page says what came of it
                payment.updated_at = uow.now
                if outcome == calls.KEPT:
                    uow.record(KeptUnwanted(payment_id=payment_id, refused=True))
        calls.answered(uow, call_id=call.id, number=number, outcome=outcome)
        uow.commit()
    return heard


def _question(task: Task) -> _Question | None:
    """What to ask; None when there is nothing to ask any more, or not now: then the work is ended or put off."""
    services = task.services
    with services.unit_of_work() as uow:
        payment = locked(uow.session, task.payload["payment_id"])
        way = way_of(uow.session, payment)
        profile = services.banks.profile(payment.bank_id)
        if payment.consent_id is None or (payment.state in OVER and not may_end_otherwise(payment, way)):
            forget_token(uow.session, payment)
            payment.next_look_at = None
            task.finish(uow)
            uow.commit()
            return None
        consent = uow.session.get_one(Consent, payment.consent_id)
        if way.keeps_link and payment.state not in OVER:
            if uow.now < consent.expires_at:
                task.run_again(uow, run_at=consent.expires_at)
            else:
                evidence = "the time is over; the link was given to nobody"
                reason = Reason.NOT_APPROVED_IN_TIME
                step(uow, payment, PaymentStep.EXPIRE, source=Source.WORKER, evidence=evidence, reason=reason)
                task.finish(uow)
            uow.commit()
            return None
        token = None
        is_theirs = profile.status_access == "psu_token"
        if is_theirs:
            # our own word is the more lasting one: a customer's token may die before the money has settled
            token = tokens.access_token(uow.session, services.vault, consent, now=uow.now)
        of_sign_in = is_theirs and profile.sign_in_first
        if of_sign_in and token is None:
            _ask_nobody(task, uow, payment)
            uow.commit()
            return None
        wait_until = budget.take(
            uow.session, bank_id=payment.bank_id, most=profile.status_calls_per_minute, now=uow.now
        )
        if wait_until is not None and not rules.is_now_or_never(
            wait_until=wait_until, told_until=payment.told_until, now=uow.now
        ):
            if wait_until > uow.now + rules.LONG_WAIT and payment.state not in OVER:
                _lose_sight(uow, payment, told=False, evidence="the bank wants to be left alone")
            keep_promise(payment, now=uow.now)
            run_at = rules.look_at_the_last(run_at=wait_until, told_until=payment.told_until, now=uow.now)
            look_again(task, uow, payment, run_at=run_at)
            uow.commit()
            return None
        task.hold(uow)
        if not payment.submitted_apart:  # a process of an older release wrote no id: it is that of what was approved
            payment.bank_payment_id = payment.bank_payment_id or consent.at_bank
        question = _Question(
            bank_id=payment.bank_id,
            terms=terms_of(uow.session, payment),
            bank_consent_id=consent.at_bank,
            bank_payment_id=payment.bank_payment_id or consent.at_bank,
            access_token=token,
            asked_at=uow.now,
            is_past_fence=_is_past_fence(payment, uow.now),
            take_back=_taken_back_at(task, uow, payment, consent, way),
            of_sign_in=of_sign_in,
            may_tell_later=not of_sign_in and _may_tell_later(uow, payment, way),
        )
        uow.commit()
        return question


def _ask_nobody(task: Task, uow: UnitOfWork, payment: Payment) -> None:
    """Only the token of the sign-in that the payment was begun with is told of it, and that is dead or does not open:
    nothing is taken of the bank's budget, since nothing is sent."""
    payment.silent_since = None
    if payment.state not in OVER:
        evidence = "the token that is told of it is dead, or does not open"
        _lose_sight(uow, payment, told=False, evidence=evidence)
        promise_nothing(payment, now=uow.now)
    _go_on(task, uow, payment, not_before=uow.now)


def _may_tell_later(uow: UnitOfWork, payment: Payment, way: Way) -> bool:
    """Where the token is that of the approval: its code is still to be exchanged, or is just now; or nobody brought
    one, so that the order is taken back once its time is over."""
    if not way.is_approved:
        return payment.accepted_at is None
    return way.exchanged_at is None or uow.now < way.exchanged_at + rules.HINT_PAUSE


def _taken_back_at(task: Task, uow: UnitOfWork, payment: Payment, consent: Consent, way: Way) -> tuple[Fact, ...]:
    """At "waiting" where nobody may approve it any more. Is it for a later day, and not wanted, then also where its
    bank has accepted it; or waits for a second person after all."""
    if _is_to_be_dropped(task, uow, payment):
        return (Fact.WAITING, Fact.ACCEPTED)
    if not _may_not_be_approved(uow, payment, consent, way):
        return ()
    is_to_come = payment.kept_until is not None and uow.now < payment.kept_until
    is_unwanted = payment.unwanted_since is not None
    return (Fact.WAITING, Fact.ACCEPTED) if is_to_come and is_unwanted else (Fact.WAITING,)


def _is_to_be_dropped(task: Task, uow: UnitOfWork, payment: Payment) -> bool:
    """Whether its bank, which keeps it until a day, is still to be asked to drop it: by the wish of its customer, or as
    it is not wanted any more. It is asked until it has said whether it does; a bank that nobody can ask is not."""
    if not may_be_dropped(payment, now=uow.now) or (payment.take_back_since or payment.unwanted_since) is None:
        return False
    return takes_back(task.services, payment.bank_id) and calls.drop_answered(uow.session, payment) is None


def _may_not_be_approved(uow: UnitOfWork, payment: Payment, consent: Consent, way: Way) -> bool:
    """Nobody came back with an approval in time; or somebody did, and it cannot be of any use any more.

    Never once the bank has accepted it: a stale "waiting" does not undo that. Nor what waits for nobody's approval.
    """
    if not way.has_trip:
        return False
    if payment.accepted_at is not None or payment.state not in _NOT_ACCEPTED:
        return False
    if payment.unwanted_since is not None:
        return True
    if uow.now >= consent.expires_at and rules.is_last_look(told_until=payment.told_until, now=uow.now):
        return True  # who approves it later may have paid, and nobody would ever tell us
    if way.is_approved:  # somebody approved it: perhaps the bank waits for a second person
        return payment.fence_at is not None and uow.now >= payment.fence_at + rules.SECOND_APPROVAL
    return _is_overdue(uow, payment, way)


def _is_overdue(uow: UnitOfWork, payment: Payment, way: Way) -> bool:
    """The time to approve it is over; or, of what needs no approval of its own, the time in which we send it."""
    if not way.has_trip:
        return _is_past_fence(payment, uow.now)
    consent = uow.session.get_one(Consent, payment.consent_id)
    return uow.now >= consent.expires_at + rules.EXPIRY_MARGIN


def _take_in(uow: UnitOfWork, payment: Payment, heard: _Heard, *, asked_at: dt.datetime) -> None:
    """Step by the bank's word. Where it says nothing that helps when it should, we do not know (K3)."""
    status = heard.status
    if status is None:
        if payment.state not in OVER:
            evidence = "the bank tells it to nobody any more" if heard.untold else "the bank gives no answer"
            _lose_sight(uow, payment, told=False, evidence=evidence, untold=heard.untold)
            if heard.untold:
                promise_nothing(payment, now=uow.now)
        return
    told = status.fact is not Fact.NOT_FOUND
    if told:
        payment.transaction_status = status.transaction_status[:35]
    if _is_doubted(uow, payment, status, asked_at=asked_at):
        return
    if told and believe(uow, payment, status, reason=_reason(uow, payment, heard, status)):
        return
    if payment.state in OVER:
        return
    # what we submitted, and the bank took, does not vanish because the bank finds it no more
    if not told and _is_past_fence(payment, asked_at) and not calls.was_submitted(uow.session, payment_id=payment.id):
        step(
            uow,
            payment,
            PaymentStep.NOT_FOUND,
            source=Source.WORKER,
            evidence="not_found",
            reason=Reason.NOT_KNOWN_AT_BANK,
            answer=status.raw_response,
        )
        return
    _lose_sight(uow, payment, told=told, evidence=f"bank:{status.transaction_status}")


def _lose_sight(uow: UnitOfWork, payment: Payment, *, told: bool, evidence: str, untold: bool = False) -> None:
    """We should know and do not: the customer is back and the bank has not ``told`` a thing, or the time is over, or
    nobody can be asked any more (``untold``)."""
    way = way_of(uow.session, payment)
    overdue = _is_overdue(uow, payment, way)
    untold = untold or (payment.told_until is not None and uow.now >= payment.told_until)
    if (overdue or untold or (not told and way.returned_at is not None)) and PAYMENT.allows(
        PaymentState(payment.state), PaymentStep.LOSE_SIGHT
    ):
        step(uow, payment, PaymentStep.LOSE_SIGHT, source=Source.WORKER, evidence=evidence)


def _is_doubted(uow: UnitOfWork, payment: Payment, status: BankStatus, *, asked_at: dt.datetime) -> bool:
    """Whether a word against what has ended is not believed yet, or not at all.

    That the bank took back what it had settled must be said twice, and so must that it accepted what was closed, or
    executed what it had taken back: until then the first is settled, and the others not known again (``step.doubt``). A
    status that was wrong already, and was corrected by better evidence, undoes nothing: reconciliation lists it.
    """
    state = PaymentState(payment.state)
    against = _AGAINST_TAKEN_BACK if payment.was_taken_back else _AGAINST.get(state, (Fact.ACCEPTED,))
    if state is PaymentState.UNKNOWN and payment.doubted_since is not None and status.fact in against:
        return asked_at < payment.doubted_since + rules.SECOND_LOOK
    if state not in OVER or status.fact not in against:
        if state is not PaymentState.SETTLED or status.fact is not Fact.NOT_FOUND:  # that says nothing of a reversal
            payment.doubted_since = None
        _weigh(uow, payment, status)
        return False
    if _is_refuted(uow, payment):
        payment.status_says = StatusSays.OPPOSITE
        return True
    payment.doubted_since = payment.doubted_since or asked_at
    if state in NOT_DONE:
        doubt(uow, payment, answer=status.raw_response)
        return True
    return asked_at < payment.doubted_since + rules.SECOND_LOOK


def _weigh(uow: UnitOfWork, payment: Payment, status: BankStatus) -> None:
    """Where other evidence decided: whether the bank agrees with it now. A word that says neither is no opposite."""
    agrees = _AGREES.get(PaymentState(payment.state))
    if agrees is None or source_of(uow.session, payment) not in OTHERS:
        return
    if status.fact in agrees:
        payment.status_says = StatusSays.SAME
    elif payment.status_says == StatusSays.OPPOSITE:
        payment.status_says = None


def _is_refuted(uow: UnitOfWork, payment: Payment) -> bool:
    """The bank says what it had said before a statement or an operator decided otherwise, and never agreed since."""
    if source_of(uow.session, payment) not in OTHERS or payment.status_says == StatusSays.SAME:
        return False
    if payment.state == PaymentState.SETTLED:
        return was_closed_by_bank(uow.session, payment)
    if payment.state == PaymentState.REVERSED:
        return True
    return payment.accepted_at is not None


def _is_past_fence(payment: Payment, asked_at: dt.datetime) -> bool:
    return payment.fence_at is not None and asked_at > payment.fence_at


def _reason(uow: UnitOfWork, payment: Payment, heard: _Heard, status: BankStatus) -> Reason | None:
    if status.fact not in (Fact.REJECTED, Fact.CANCELLED):
        return None
    if payment.state == PaymentState.SETTLED:
        return Reason.REVERSED
    dropped = _reason_of_dropping(uow, payment, heard, status)
    if dropped is not None:
        return dropped
    asked = payment.accepted_at is None and calls.call_of(uow.session, payment_id=payment.id, verb="cancel") is not None
    if heard.taken_back or (status.fact is Fact.CANCELLED and asked):  # its own answer to our wish may have been lost
        why = None if payment.unwanted_since is None else why_unwanted(uow.session, payment)
        return Reason.NOT_APPROVED_IN_TIME if why is None else why.reason
    outcome = way_of(uow.session, payment).outcome
    return reason_of(status, outcome=outcome, accepted=payment.accepted_at is not None)


def _reason_of_dropping(uow: UnitOfWork, payment: Payment, heard: _Heard, status: BankStatus) -> Reason | None:
    """Why a bank has dropped what it kept until a day. If nobody here had it asked to, its customer did that there.
    None: it kept nothing, or its day had come."""
    if payment.kept_until is None or payment.accepted_at is None:
        return None
    is_early = uow.now < payment.kept_until
    if not heard.taken_back and not calls.was_asked_to_drop(uow.session, payment):
        return Reason.CANCELLED_AT_BANK if status.fact is Fact.CANCELLED and is_early else None
    if status.fact is Fact.REJECTED and not is_early:  # some banks call so what was cancelled; and what they refuse
        return None
    why = None if payment.unwanted_since is None else why_unwanted(uow.session, payment)
    if why is not None:
        return why.reason
    return Reason.DROPPED_MEANWHILE if payment.take_back_since is None else Reason.STOPPED_BY_CUSTOMER


def _go_on(task: Task, uow: UnitOfWork, payment: Payment, *, not_before: dt.datetime) -> None:
    """End the work, or say when the bank is asked again: never before it wants to be (Retry-After)."""
    keep_promise(payment, now=uow.now)
    run_at = _next_look(task, uow, payment)
    if run_at is None:  # nobody asks any more
        forget_token(uow.session, payment)
        payment.next_look_at = None
        task.finish(uow)
        return
    run_at = rules.look_before_promise(run_at=run_at, know_by=payment.know_by, now=uow.now)
    if payment.state not in OVER:
        run_at = rules.look_while_told(
            run_at=run_at, begun_at=payment.created_at, told_until=payment.told_until, now=uow.now
        )
    run_at = max(run_at, not_before)
    if payment.state not in OVER:
        run_at = rules.look_at_the_last(run_at=run_at, told_until=payment.told_until, now=uow.now)
    look_again(task, uow, payment, run_at=run_at)


def _next_look(task: Task, uow: UnitOfWork, payment: Payment) -> dt.datetime | None:
    way = way_of(uow.session, payment)
    if payment.state in OVER:
        return late_look(payment, way, now=uow.now)
    # a token that does not open is looked for at the usual pace as long as it lives: nobody is asked by that
    is_dead = payment.told_until is None or uow.now >= payment.told_until or payment.looked_at == uow.now
    if payment.untold_since is not None and is_dead:
        return uow.now + (rules.SECOND_LOOK if payment.untold_since == uow.now else rules.LATE_PAUSE)
    soon = payment.silent_since or payment.doubted_since
    if soon is not None:
        return rules.look_in_silence(silent_since=soon, now=uow.now)
    usual = rules.next_look(
        anchor=way.returned_at or way.given_out_at or payment.created_at,
        returned=way.returned_at is not None,
        now=uow.now,
        pace_s=task.services.banks.profile(payment.bank_id).poll_s,
    )
    return _look_at_kept(task, uow, payment, payment.kept_until, usual=usual) if payment.kept_until else usual


def _look_at_kept(
    task: Task, uow: UnitOfWork, payment: Payment, kept_until: dt.datetime, *, usual: dt.datetime
) -> dt.datetime:
    """What a bank keeps: soon after its approval as any payment, then seldom, and on its day often again."""
    if not may_be_dropped(payment, now=uow.now):
        return usual
    if _is_to_be_dropped(task, uow, payment):
        since = payment.take_back_since or payment.unwanted_since or uow.now
        return rules.look_in_silence(silent_since=since, now=uow.now)
    answered = calls.drop_answered(uow.session, payment)
    if answered is not None and uow.now < answered.sent_at + rules.DROP_LOOK:  # and what does its status say?
        return answered.sent_at + rules.DROP_LOOK
    on_its_day = rules.look_on_its_day(kept_until=kept_until, payment_id=payment.id, now=uow.now)
    return min(usual, uow.now + rules.KEPT_PACE, on_its_day)
