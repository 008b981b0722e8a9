"""Where an approval alone executes nothing: the payment is submitted with the customer's token, once.

Its key and exact bytes are stored before the first one is sent (K1, K2). After a lost answer the consent is asked
first; then the same bytes go again under the same key, and the bank answers with the payment as it is. What the bank
never said that it has is called not done past the fence, when the token that could execute it is dead (K4); or when the
bank refused it and its consent, asked after that, is not used up.

Under a standing consent no question tells, and no fence: only the same bytes do. It is called not done when the bank
refused these twice, or when each sending ended before it got there or with a token not taken any more (repeats.py).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from http import HTTPStatus

from sqlalchemy import select

from app.db.unit_of_work import UnitOfWork
from app.failpoints import failpoint
from app.journey.consents import budget, claims
from app.journey.consents.access import locked as locked_consent
from app.journey.consents.step import lose_access
from app.journey.decisions.models import Decision
from app.journey.invoices.chain import later_ids
from app.journey.payments import approval, calls, repeats, rules
from app.journey.payments.access import locked, locked_with_invoice, why_unwanted
from app.journey.payments.initiate import psu_of
from app.journey.payments.look_back import look_back
from app.journey.payments.looks import follow_from, look_again
from app.journey.payments.models import BankCall, Payment
from app.journey.payments.own_consent import is_unused, is_used, own_consent, standing_of
from app.journey.payments.reasons import Reason, reason_of
from app.journey.payments.speaker import orders_of
from app.journey.payments.states import OVER, PAYMENT, PaymentState, PaymentStep, Source
from app.journey.payments.step import believe, keep_promise, promise_again, promise_nothing, step
from app.journey.payments.terms import Terms, terms_of
from app.journey.payments.way import way_of
from app.services import Task
from connectors.contract import ConsentStatus, Fact, Submitted
from connectors.errors import AccessLost, BankError, BankRefused, BankUnavailable, BeyondLimits
from consent import tokens
from consent.models import Consent, Standing
from consent.states import ConsentSource, StandingState


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    bank_id: str
    terms: Terms
    bank_consent_id: str
    asked_at: dt.datetime


def submit(task: Task, *, payment_id: str) -> None:
    """Bring a payment that is ours to submit one step further. Safe to run again from the start at any moment."""
    found = _intend(task, payment_id)
    if isinstance(found, _Question):
        failpoint("submit.asked")
        said, retry_after_s = _ask(task, found)
        found = _intend_again(task, payment_id, found, said, retry_after_s=retry_after_s)
    if found is None:
        return
    failpoint("submit.intended")
    _send(task, payment_id, found)
    failpoint("submit.written")


def _intend(task: Task, payment_id: str) -> calls.Attempt | _Question | None:
    """The first transaction: what it does depends on how far the payment is. None when there is nothing to send now."""
    with task.services.unit_of_work() as uow:
        payment = locked(uow.session, payment_id)
        found: calls.Attempt | _Question | None = None
        if not payment.is_to_submit:
            task.run_again(uow, run_at=uow.now)  # another worker heard meanwhile that the bank has it
        elif payment.state in OVER and not _may_be_told_of(uow, payment):
            payment.next_look_at = None
            task.finish(uow)
        elif payment.state == PaymentState.AWAITING_CUSTOMER:
            approval.wait_for_approval(task, uow, payment)
        elif payment.state == PaymentState.AUTHORISED and repeats.is_day_to_come(uow, payment):
            approval.wait_for_day(task, uow, payment)
        elif payment.state == PaymentState.AUTHORISED:
            found = approval.use_approval(task, uow, payment)
        elif repeats.is_left(uow, payment, task.services.banks.profile(payment.bank_id), _call_of(uow, payment)):
            _leave(task, uow, payment)
        else:
            found = _question(task, uow, payment)
        uow.commit()
        return found


def _leave(task: Task, uow: UnitOfWork, payment: Payment) -> None:
    """It is not sent again. What was never let in ends; of anything else a statement or a person has to tell."""
    call_id = _call_of(uow, payment).id
    if not repeats.never_let_in(uow.session, call_id):
        evidence = "nothing more is sent of it"
        _wait(task, uow, payment, evidence=evidence, silent=False, rest=rules.LATE_PAUSE, untold=True)
        return
    why = why_unwanted(uow.session, payment)
    got_there = not repeats.never_reached(uow.session, call_id)
    reason = Reason.BANK_REFUSED if got_there else Reason.BANK_UNREACHABLE
    if repeats.is_day_over(uow, payment):
        reason = Reason.DAY_OVER
    step(
        uow,
        payment,
        PaymentStep.NOT_FOUND,
        source=Source.WORKER,
        evidence="the bank took no token that it came with" if got_there else "nothing of it ever got to the bank",
        reason=reason if why is None else why.reason,
    )
    payment.next_look_at = None
    task.finish(uow)


def _may_be_told_of(uow: UnitOfWork, payment: Payment) -> bool:
    """Whether its consent could say that the bank has it after all."""
    return calls.was_submitted(uow.session, payment_id=payment.id) and own_consent(uow.session, payment) is not None


def _question(task: Task, uow: UnitOfWork, payment: Payment) -> _Question | None:
    """It was sent, or may have been: the consent says whether the bank has it."""
    profile = task.services.banks.profile(payment.bank_id)
    wait_until = budget.take(uow.session, bank_id=payment.bank_id, most=profile.status_calls_per_minute, now=uow.now)
    if wait_until is not None:
        keep_promise(payment, now=uow.now)
        look_again(task, uow, payment, run_at=wait_until)
        return None
    task.hold(uow)
    consent = uow.session.get_one(Consent, payment.consent_id)
    return _Question(
        bank_id=payment.bank_id,
        terms=terms_of(uow.session, payment),
        bank_consent_id=consent.at_bank,
        asked_at=uow.now,
    )


def _ask(task: Task, question: _Question) -> tuple[ConsentStatus | None, int]:
    """What the bank says of the consent, and for how long it wants to be left alone. None: nothing."""
    try:
        orders = orders_of(task.services, question.bank_id, question.terms)
        return orders.consent_status(question.bank_consent_id, timeout_s=task.deadline_s / 2), 0
    except BankUnavailable as error:
        return None, error.retry_after_s or 0
    except BankError:
        return None, 0


def _intend_again(
    task: Task, payment_id: str, question: _Question, said: ConsentStatus | None, *, retry_after_s: int
) -> calls.Attempt | None:
    """The same bytes again, or the end, or patience."""
    with task.services.unit_of_work() as uow:
        payment = locked(uow.session, payment_id)
        payment.looked_at = uow.now
        attempt = None
        if retry_after_s:
            _put_off(uow, payment, retry_after_s)
        if not payment.is_to_submit:
            task.run_again(uow, run_at=uow.now)  # another worker was quicker
        elif payment.state in OVER or _is_refused(uow, payment, said) or _is_over(uow, payment, question, said):
            look_back(task, uow, payment, said, asked_at=question.asked_at, retry_after_s=retry_after_s)
        else:
            if is_used(uow.session, payment, said):  # the bank has it; whoever decides otherwise from now on knows that
                payment.accepted_at = payment.accepted_at or uow.now
            attempt = _next_attempt(task, uow, payment, said)
            if attempt is not None:
                promise_again(payment, now=uow.now)
            else:
                _ask_later(task, uow, payment, question, said, retry_after_s=retry_after_s)
        uow.commit()
        return attempt


def _next_attempt(task: Task, uow: UnitOfWork, payment: Payment, said: ConsentStatus | None) -> calls.Attempt | None:
    """The identical request, as long as its key and the token live. Under a consent that is used up it only tells.

    What certainly never reached the bank is not sent once the approval has become old: its customer went away.
    """
    only_tells = is_used(uow.session, payment, said)
    if not only_tells and (said is not ConsentStatus.AUTHORISED or why_unwanted(uow.session, payment)):
        return None
    call = _call_of(uow, payment)
    sent = calls.first_and_last(uow.session, call)
    if sent is None or uow.now > sent[0] + rules.KEY_LIFE or uow.now < sent[1] + rules.SEND_GAP:
        return None
    is_old = repeats.is_too_old(uow, payment, since=sent[0])
    if not only_tells and is_old and not repeats.may_have_been_done(uow.session, call.id):
        return None
    if repeats.is_left(uow, payment, task.services.banks.profile(payment.bank_id), call):
        return None
    standing = standing_of(uow.session, payment)
    if standing is not None and approval.claim_days(uow, payment, standing) is not None:
        return None  # the bank might execute it today, and today it is too much
    consent = uow.session.get_one(Consent, payment.consent_id)
    token = tokens.access_token(uow.session, task.services.vault, consent, now=uow.now)
    if token is None:
        return None
    task.hold(uow)
    decision = uow.session.get_one(Decision, payment.decision_id)
    return calls.submission(uow, payment, call, token=token, psu=psu_of(payment, decision), only_tells=only_tells)


def _is_refused(uow: UnitOfWork, payment: Payment, said: ConsentStatus | None) -> bool:
    """The bank refused all that was sent, and its consent, asked after that, is not used up: that is the end.

    The no alone is not. It may be that of a gateway which had passed the payment on.
    """
    if not is_unused(uow.session, payment, said) or payment.accepted_at is not None:
        return False
    last = calls.last_attempt(uow.session, _call_of(uow, payment))
    if last is None or not repeats.is_refused(uow.session, last.call_id):
        return False
    step(
        uow,
        payment,
        PaymentStep.BANK_REJECT,
        source=Source.BANK,
        evidence=f"bank:refused, its consent {said}",
        reason=Reason.BANK_REFUSED,
        answer=last.answer,
    )
    return True


def _is_over(uow: UnitOfWork, payment: Payment, question: _Question, said: ConsentStatus | None) -> bool:
    """Past the fence the bank's word that nothing was submitted under the consent is an answer.

    Not that it waits for an approval, which it gave: that word is stale. Nor that it knows the consent no more, or that
    its time is over: both may be said of one that was used.
    """
    if not is_unused(uow.session, payment, said) or not _is_past_fence(payment, question):
        return False
    step(
        uow,
        payment,
        PaymentStep.NOT_FOUND,
        source=Source.WORKER,
        evidence="not_found",
        reason=Reason.NOT_KNOWN_AT_BANK,
        answer=str(said).encode(),
    )
    return True


def _is_past_fence(payment: Payment, question: _Question) -> bool:
    return payment.fence_at is not None and question.asked_at > payment.fence_at


def _ask_later(
    task: Task,
    uow: UnitOfWork,
    payment: Payment,
    question: _Question,
    said: ConsentStatus | None,
    *,
    retry_after_s: int,
) -> None:
    """Its consent decides nothing yet. One that is used up never will, once the fence is past: no bytes can be sent any
    more that would tell what came of it, so the bank is left in peace while a statement or an operator is waited for.
    """
    told_all = is_used(uow.session, payment, said) and _is_past_fence(payment, question)
    _wait(
        task,
        uow,
        payment,
        evidence="the bank gives no answer" if said is None else f"bank:consent {said}",
        silent=said is None,
        untold=_is_untold(task, uow, payment, question, said),
        rest=rules.LATE_PAUSE if told_all else dt.timedelta(seconds=retry_after_s),
    )


def _is_untold(task: Task, uow: UnitOfWork, payment: Payment, question: _Question, said: ConsentStatus | None) -> bool:
    """Whether nobody can be asked any more what became of it: the same bytes would have told, and their token is dead.
    Then its consent tells nothing that decides, or that it is used up, and a statement or an operator has to."""
    if is_used(uow.session, payment, said):
        consent = uow.session.get_one(Consent, payment.consent_id)
        if tokens.access_token(uow.session, task.services.vault, consent, now=uow.now) is None:
            return True
    return said is not None and _is_past_fence(payment, question)


def _send(task: Task, payment_id: str, attempt: calls.Attempt) -> None:
    """The call, outside any transaction, and what came of it."""
    if task.services.clock() > attempt.intended_at + dt.timedelta(seconds=task.deadline_s):
        error: BankError = BankUnavailable("it was intended too long ago; nothing was sent")
        _not_submitted(task, payment_id, attempt, error)
        return
    try:
        submitted = orders_of(task.services, attempt.bank_id, attempt.terms).submit(
            attempt.request, access_token=attempt.access_token, psu=attempt.psu, timeout_s=task.deadline_s
        )
    except BankError as raised:
        failpoint("submit.failed")
        _not_submitted(task, payment_id, attempt, raised)
    else:
        failpoint("submit.sent")
        _submitted(task, payment_id, attempt, submitted)


def _submitted(task: Task, payment_id: str, attempt: calls.Attempt, submitted: Submitted) -> None:
    """The bank has it: from now on its status tells. Kept whoever has the work by now, and whatever was closed."""
    status = submitted.status
    with task.services.unit_of_work() as uow:
        payment = locked(uow.session, payment_id)
        calls.answered(
            uow, call_id=attempt.call_id, number=attempt.number, outcome="submitted", answer=status.raw_response
        )
        payment.looked_at = uow.now
        is_anothers = _is_anothers(uow, payment, submitted)
        if not is_anothers:
            payment.bank_payment_id = payment.bank_payment_id or submitted.bank_payment_id
            payment.transaction_status = status.transaction_status[:35]
            payment.silent_since = None
            promise_again(payment, now=uow.now)
            if payment.state not in OVER:
                believe(uow, payment, status, reason=_reason(uow, payment, submitted))
        else:
            if PAYMENT.allows(PaymentState(payment.state), PaymentStep.LOSE_SIGHT):
                evidence = "the bank named a payment that is another one's"
                step(uow, payment, PaymentStep.LOSE_SIGHT, source=Source.WORKER, evidence=evidence)
            promise_nothing(payment, now=uow.now)
        follow_from(uow, payment, run_at=uow.now + rules.SEND_GAP)
        uow.commit()
    failpoint("submit.kept")
    with task.services.unit_of_work() as uow:
        # the same id again would tell no more: that is for a person, and the bank is left in peace
        task.run_again(uow, run_at=uow.now + (rules.LATE_PAUSE if is_anothers else rules.SEND_GAP))
        uow.commit()


def _is_anothers(uow: UnitOfWork, payment: Payment, submitted: Submitted) -> bool:
    """Whether the bank gave the same id to two payments: then it tells nothing of this one."""
    known = select(Payment.id).where(
        Payment.bank_id == payment.bank_id,
        Payment.bank_payment_id == submitted.bank_payment_id,
        Payment.id != payment.id,
    )
    return uow.session.scalar(known) is not None


def _not_submitted(task: Task, payment_id: str, attempt: calls.Attempt, error: BankError) -> None:
    """A no to the only sending is believed once the consent says the same, so that is asked at once; under a standing
    one, once the same bytes were refused again. Any other no may be one to a repeat of what was done before."""
    with task.services.unit_of_work() as uow:
        payment = locked(uow.session, payment_id)
        outcome = repeats.outcome_of(error)
        answer = f"{error.code}: {error}" if isinstance(error, BankRefused) else str(error)
        calls.answered(uow, call_id=attempt.call_id, number=attempt.number, outcome=outcome, answer=answer.encode())
        is_refused = repeats.is_no(error) and not repeats.may_have_been_done(uow.session, attempt.call_id)
        standing = standing_of(uow.session, payment)
        if payment.state in OVER:
            task.run_again(uow, run_at=uow.now)
        elif standing is not None and isinstance(error, AccessLost):
            _without_access(task, uow, payment, standing, attempt, error)
        elif standing is not None and repeats.is_refused_again(uow.session, attempt.call_id):
            _end_refused(task, uow, payment, error, answer=answer.encode())
        elif is_refused and not attempt.only_tells:
            look_again(task, uow, payment, run_at=uow.now if standing is None else uow.now + rules.SEND_GAP)
        else:
            retry_after_s = (error.retry_after_s or 0) if isinstance(error, BankUnavailable) else 0
            silent = not isinstance(error, BankRefused)
            if retry_after_s:
                _put_off(uow, payment, retry_after_s)
            _wait(task, uow, payment, evidence=outcome, silent=silent, rest=dt.timedelta(seconds=retry_after_s))
        uow.commit()


def _without_access(
    task: Task, uow: UnitOfWork, payment: Payment, standing: Standing, attempt: calls.Attempt, error: AccessLost
) -> None:
    """The bank does not take the customer's token. Is there another one by now, or something to renew it with, the same
    bytes go with that; else the consent is not to be used any more, and what was never let in is at its end.

    A 401 to one that was just renewed may be a gateway's bad hour, and is waited out for most of one. Any other such no
    is the bank's own word that its customer is to approve again, and one renewal is all that is tried.
    """
    _lock_line(uow, payment.invoice_id)  # before the consent, as who decides has them
    consent, standing = locked_consent(uow.session, standing.consent_id)
    # not before it is locked: who approves it anew, or renews its token, holds that lock
    token = tokens.access_token(uow.session, task.services.vault, consent, now=uow.now)
    if token not in (None, attempt.access_token):
        look_again(task, uow, payment, run_at=uow.now + rules.SEND_GAP)
        return
    times = repeats.times_without_access(uow.session, attempt.call_id)
    is_renewable = tokens.is_renewable(uow.session, consent.id, now=uow.now)
    pauses = rules.RENEWED_AGAIN_S if error.http_status == HTTPStatus.UNAUTHORIZED else rules.RENEWED_AGAIN_S[:1]
    evidence = f"bank:{error.code}"
    if consent.state == StandingState.AUTHORISED and is_renewable and times <= len(pauses):
        tokens.forget_access(uow.session, consent.id)
        pause = dt.timedelta(seconds=pauses[times - 1])
        if times == 1:
            look_again(task, uow, payment, run_at=uow.now + pause)
        else:
            _wait(task, uow, payment, evidence=evidence, silent=False, rest=pause)
        return
    if consent.state == StandingState.AUTHORISED:
        lose_access(uow, standing, source=ConsentSource.BANK, evidence=evidence)
    if not repeats.never_let_in(uow.session, attempt.call_id):
        look_again(task, uow, payment, run_at=uow.now)
        return
    answer = f"{error.code}: {error}".encode()
    reason = Reason.CONSENT_ENDED
    step(uow, payment, PaymentStep.BANK_REJECT, source=Source.BANK, evidence=evidence, reason=reason, answer=answer)
    look_again(task, uow, payment, run_at=uow.now)


def _lock_line(uow: UnitOfWork, invoice_id: str) -> None:
    """The invoice and its new versions, with their payments: to end a payment takes these, too, and who decides about
    one of them waits for the consent while they hold it."""
    locked_with_invoice(uow, invoice_id)
    for later_id in later_ids(uow.session, invoice_id):
        locked_with_invoice(uow, later_id)


def _end_refused(task: Task, uow: UnitOfWork, payment: Payment, error: BankError, *, answer: bytes) -> None:
    """The same bytes were refused twice. As beyond the limit of a period: then the bank counts otherwise than we, since
    it fits by what we claimed. Beyond the one for a single payment it says nothing of any other."""
    reason = Reason.BANK_COUNTS_OTHERWISE if isinstance(error, BeyondLimits) else Reason.BANK_REFUSED
    evidence = "bank:refused twice"
    step(uow, payment, PaymentStep.BANK_REJECT, source=Source.BANK, evidence=evidence, reason=reason, answer=answer)
    if isinstance(error, BeyondLimits) and not error.is_individual:
        claims.refuse(uow, payment_id=payment.id, number=error.limit_number)
    look_again(task, uow, payment, run_at=uow.now)


def _put_off(uow: UnitOfWork, payment: Payment, retry_after_s: int) -> None:
    until = uow.now + dt.timedelta(seconds=retry_after_s)
    budget.put_off(uow.session, bank_id=payment.bank_id, until=until, now=uow.now)


def _wait(
    task: Task,
    uow: UnitOfWork,
    payment: Payment,
    *,
    evidence: str,
    silent: bool,
    rest: dt.timedelta,
    untold: bool = False,
) -> None:
    """It may have been executed and the bank does not tell: ask again, soon at first (K3), but not before ``rest``.

    ``untold``: it may never tell, so no time can be promised by which that will be known.
    """
    payment.silent_since = (payment.silent_since or uow.now) if silent else None
    if payment.state not in OVER and PAYMENT.allows(PaymentState(payment.state), PaymentStep.LOSE_SIGHT):
        step(uow, payment, PaymentStep.LOSE_SIGHT, source=Source.WORKER, evidence=evidence)
    keep_promise(payment, now=uow.now)
    if untold:
        promise_nothing(payment, now=uow.now)
    sent = calls.first_and_last(uow.session, _call_of(uow, payment))
    since = payment.silent_since or (sent[0] if sent else uow.now)
    run_at = rules.look_in_silence(silent_since=since, now=uow.now)
    run_at = rules.look_before_promise(run_at=run_at, know_by=payment.know_by, now=uow.now)
    look_again(task, uow, payment, run_at=max(run_at, uow.now + max(rest, rules.SEND_GAP)))


def _reason(uow: UnitOfWork, payment: Payment, submitted: Submitted) -> Reason | None:
    if submitted.status.fact not in (Fact.REJECTED, Fact.CANCELLED):
        return None
    outcome = way_of(uow.session, payment).outcome
    return reason_of(submitted.status, outcome=outcome, accepted=payment.accepted_at is not None)


def _call_of(uow: UnitOfWork, payment: Payment) -> BankCall:
    call = calls.call_of(uow.session, payment_id=payment.id, verb="submit")
    if call is None:
        raise RuntimeError(f"{payment.id} is being submitted without stored bytes")
    return call
