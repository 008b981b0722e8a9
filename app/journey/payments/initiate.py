"""Giving a decided payment to the bank, for the customer to approve there (K1, K2). Not what is paid under a standing
consent: that is approved already, and submitted next (approval.py).

One transaction stores intent, key and exact bytes; then the call, outside any transaction; then one transaction
steps by the answer. Nobody holds the approval link yet, so the same bytes may be sent again after a lost answer.
"""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import asdict, dataclass

from stdnum import iso11649

from app.db.unit_of_work import UnitOfWork
from app.failpoints import failpoint
from app.journey.decisions import payee_checks
from app.journey.decisions.models import Decision, Verb
from app.journey.decisions.orders import sent_from
from app.journey.invoices.models import Invoice
from app.journey.payments import calls, rules
from app.journey.payments.access import (
    gives_way,
    is_account_held,
    locked,
    locked_of_invoice,
)
from app.journey.payments.looks import follow_from
from app.journey.payments.models import BankCall, Payment
from app.journey.payments.reasons import Reason
from app.journey.payments.speaker import beginner
from app.journey.payments.states import OVER, SETTLED_ONCE, PaymentState, PaymentStep, Source
from app.journey.payments.step import begin, raise_fence, stand_after_all, step
from app.journey.payments.terms import Terms, is_day_begun, kept_until, terms_of
from app.journey.payments.way import trip_of
from app.people import biller_queue, stops
from app.people.models import Customer
from app.services import Services, Task
from connectors.contract import BankRequest, PaymentOrder, PsuContext, Staged, Submits
from connectors.errors import BankError, BankRefused, BankUnavailable, NotSignedIn
from connectors.profile import BankProfile
from connectors.registry import UnknownBank
from consent import sign_ins, tokens, trips
from consent.base import new_id
from consent.models import Consent, Trip
from consent.states import ConsentState
from consent.tokens import CustomersToken


@dataclass(frozen=True, slots=True, kw_only=True)
class _Intent:
    """What was committed before the call."""

    payment_id: str
    bank_id: str
    call_id: str
    attempt: int
    request: BankRequest
    psu: PsuContext
    terms: Terms
    token: CustomersToken | None  #: with which the order is given, at a bank that takes none otherwise


def initiate(task: Task) -> None:
    """PaymentDecided: prepare the payment and give it to the bank. Safe to run again from the start at any moment."""
    intent = _intend(task)
    if intent is None:
        return
    failpoint("initiate.intended")
    customer_token = None if intent.token is None else intent.token.access_token
    begins = beginner(task.services, intent.bank_id, intent.terms, customer_token=customer_token)
    try:
        staged = begins.initiate(intent.request, psu=intent.psu, timeout_s=task.deadline_s)
    except BankError as error:
        failpoint("initiate.failed")
        _not_staged(task, intent, error)
    else:
        failpoint("initiate.sent")
        _staged(task, intent, staged)
    failpoint("initiate.written")


def _intend(task: Task) -> _Intent | None:
    """The first transaction: what will be sent is durable before the first byte is. None when nothing is to be sent."""
    services = task.services
    with services.unit_of_work() as uow:
        decision = uow.session.get_one(Decision, task.payload["decision_id"])
        invoice = uow.session.get_one(Invoice, decision.invoice_id)
        biller_queue.wait_to_read(uow.session, invoice.biller_id)
        payment = locked_of_invoice(uow.session, decision.invoice_id).get(decision.payment_id)
        if payment is None:
            # whoever corrects the bill at this moment, or finds what may be the same to be paid, sees it, or is seen
            payee_checks.lock_with_twins(uow.session, [invoice])
            payment = _prepare(services, uow, decision)
            is_account_held(uow.session, payment, lock=True)  # who freezes the account finds it, or it gives way below
        stops.hold_off(uow.session, payment.customer_id)
        _give_way(uow, payment)
        if payment.state == PaymentState.PREPARED and payment.trip_id is None:
            _approve(uow, payment)
        if payment.state == PaymentState.PREPARED:
            step(uow, payment, PaymentStep.INITIATE, source=Source.WORKER, evidence="bytes stored")
        if payment.state != PaymentState.INITIATING:
            task.finish(uow)  # it was done before, or can never be done
            uow.commit()
            return None
        call = calls.call_of(uow.session, payment_id=payment.id, verb="initiate")
        if call is None:
            raise RuntimeError(f"{payment.id} is being initiated without stored bytes")
        task.hold(uow)  # a worker that was frozen must not send what another one has sent meanwhile
        sent = calls.first_and_last(uow.session, call)
        if sent is not None and uow.now < sent[1] + rules.SEND_GAP:
            task.run_again(uow, run_at=sent[1] + rules.SEND_GAP)
            uow.commit()
            return None
        late = _why_not_sent(uow, payment, call)
        if late is not None:
            _give_up(uow, payment, late, evidence="unanswered; the link was given to nobody")
            task.finish(uow)
            uow.commit()
            return None
        profile, token = services.banks.profile(payment.bank_id), None
        if profile.sign_in_first:
            is_first = sent is None
            token = _token(services, uow, payment, profile, is_first=is_first)
            if token is None:
                evidence = (
                    "nobody is signed in at the bank" if is_first else "unanswered, and its token is dead, or nearly so"
                )
                reason = Reason.SIGN_IN_OVER if is_first else Reason.BANK_UNREACHABLE
                _give_up(uow, payment, reason, evidence=f"{evidence}; the link was given to nobody")
                task.finish(uow)
                uow.commit()
                return None
        number = calls.attempt(uow, call)
        uow.commit()
        return _Intent(
            payment_id=payment.id,
            bank_id=payment.bank_id,
            call_id=call.id,
            attempt=number,
            request=calls.request_of(call),
            psu=PsuContext(**decision.psu),
            terms=terms_of(uow.session, payment),
            token=token,
        )


def _why_not_sent(uow: UnitOfWork, payment: Payment, call: BankCall) -> Reason | None:
    """Whatever went wrong after sending, the same bytes do not go for ever; nor on the day until which the bank was to
    keep it."""
    if is_day_begun(payment, now=uow.now):
        return Reason.DAY_OVER
    is_old = uow.now > payment.created_at + rules.SEND_LIFE
    return Reason.BANK_UNREACHABLE if is_old or calls.attempts(uow.session, call) >= rules.SENDS_MOST else None


def _token(
    services: Services, uow: UnitOfWork, payment: Payment, profile: BankProfile, *, is_first: bool
) -> CustomersToken | None:
    """The customer's token for the order; None where none lives long enough and opens.

    The first sending takes that of their sign-in there, and seals it for this payment in the transaction of that very
    attempt; every other goes with that one. A later sign-in may be somebody else's to the bank: one that recognises the
    order by its key would answer with the first one's order, and tell its status to nobody else.
    """
    if not is_first:
        kept = tokens.of_order(uow.session, services.vault, payment.id, now=uow.now)
        return kept if kept is not None and sign_ins.lives_for_an_order(kept.expires_at, now=uow.now) else None
    found = sign_ins.live(
        uow.session,
        customer_id=payment.customer_id,
        bank_id=payment.bank_id,
        approval=rules.approval_life(profile.authorisation_minutes),
        now=uow.now,
        grace=sign_ins.GRACE,
    )
    token = None if found is None else sign_ins.token_of(uow.session, services.vault, found, now=uow.now)
    if token is not None:
        payment.told_until = token.expires_at if profile.status_access == "psu_token" else None
        tokens.keep_for_order(uow.session, services.vault, payment.id, token, now=uow.now)
    return token


def _prepare(services: Services, uow: UnitOfWork, decision: Decision) -> Payment:
    """The payment; where its customer is to approve it at the bank, with its key, its exact bytes and the trip."""
    profile = _profile(services, decision, now=uow.now)
    trip = None if decision.consent_id is not None else _plan(services, uow, decision, profile)
    customer = uow.session.get_one(Customer, decision.customer_id)
    begins_at = sent_from(decision.pay_on, customer=customer, decided_at=decision.decided_at)
    is_kept = trip is not None and decision.verb == Verb.PAY_ON_DAY
    payment = Payment(
        id=decision.payment_id,
        decision_id=decision.id,
        invoice_id=decision.invoice_id,
        customer_id=decision.customer_id,
        biller_id=uow.session.get_one(Invoice, decision.invoice_id).biller_id,
        bank_id=decision.bank_id,
        consent_id=decision.consent_id,
        trip_id=None if trip is None else trip.id,
        submitted_apart=trip is None,
        send_from=begins_at if trip is None else None,
        kept_until=kept_until(decision.pay_on, time_zone=customer.time_zone) if is_kept else None,
        currency=decision.currency,
        amount_minor=decision.amount_minor,
        end_to_end_id=rules.end_to_end_id(decision.payment_id),
        state=PaymentState.PREPARED,
        sequence=0,
        created_at=uow.now,
        updated_at=uow.now,
    )
    uow.session.add(payment)
    begin(uow, payment)
    if profile is None:
        _give_up(uow, payment, Reason.BANK_UNREACHABLE, evidence=f"there is no bank {decision.bank_id} any more")
    elif trip is not None:
        _draft(services, uow, payment, decision, trip)
    return payment


def _approve(uow: UnitOfWork, payment: Payment) -> None:
    """It needs no approval of its own: the standing consent that was decided on is one, and nobody is sent anywhere.
    What was decided for a later day waits for it: until it is sent its customer can cancel it."""
    step(uow, payment, PaymentStep.AUTHORISE, source=Source.CUSTOMER, evidence=f"consent:{payment.consent_id}")
    follow_from(uow, payment, run_at=payment.send_from or uow.now)


def _draft(services: Services, uow: UnitOfWork, payment: Payment, decision: Decision, trip: Trip) -> None:
    try:
        request = beginner(services, payment.bank_id, terms_of(uow.session, payment)).draft(
            order_of(payment, decision), request_id=str(uuid.uuid4()), redirect_uri=trip.redirect_uri
        )
    except ValueError as error:
        reason = Reason.DAY_OVER if is_day_begun(payment, now=uow.now) else Reason.BANK_REFUSED
        _give_up(uow, payment, reason, evidence=f"it cannot be sent: {error}")
        return
    calls.store(uow, payment_id=payment.id, verb="initiate", request=request)


def _plan(services: Services, uow: UnitOfWork, decision: Decision, profile: BankProfile | None) -> Trip:
    minutes = profile.authorisation_minutes if profile is not None else 0
    return trips.plan(
        uow.session,
        services.vault,
        customer_id=decision.customer_id,
        bank_id=decision.bank_id,
        return_url=f"{services.settings.base_url}/banks/{decision.bank_id}/return",
        state_in_path=profile is None or not profile.return_is_registered,
        now=uow.now,
        # the time to approve begins only when the bank has the order; what ends earlier takes its secrets along
        life=rules.SEND_LIFE + rules.approval_life(minutes),
    )


def _profile(services: Services, decision: Decision, *, now: dt.datetime) -> BankProfile | None:
    """The bank that was chosen. None when its file has been gone for as long as an order may take to get there."""
    try:
        services.banks.connector(decision.bank_id)  # one whose keys are missing is of no more use than none
        return services.banks.profile(decision.bank_id)
    except UnknownBank:
        if now <= decision.decided_at + rules.SEND_LIFE:
            raise  # it is tried again: an operator may be changing the file
        return None


def _give_up(uow: UnitOfWork, payment: Payment, reason: Reason, *, evidence: str) -> None:
    """Nobody holds a link to approve it, so it will not happen."""
    step(uow, payment, PaymentStep.GIVE_UP, source=Source.WORKER, evidence=evidence, reason=reason)


def _give_way(uow: UnitOfWork, payment: Payment) -> None:
    """Give it up if it has to give way to what happened meanwhile."""
    if payment.state not in (PaymentState.PREPARED, PaymentState.INITIATING):
        return
    why = gives_way(uow.session, payment)
    if why is not None:
        _give_up(uow, payment, why.reason, evidence=why.evidence)


def psu_of(payment: Payment, decision: Decision) -> PsuContext | None:
    """Whose browser it is; None where its customer signed for a later day, and is not there as it is sent."""
    # of whom has erased their space nothing is known any more
    return PsuContext(**decision.psu) if payment.send_from is None and decision.psu else None


def order_of(payment: Payment, decision: Decision) -> PaymentOrder:
    """Exactly what the customer signed."""
    structured = decision.reference if decision.reference and iso11649.is_valid(decision.reference) else None
    return PaymentOrder(
        amount=payment.amount,
        creditor_name=decision.payee_name,
        creditor_iban=decision.payee_iban,
        end_to_end_id=payment.end_to_end_id,
        off_session=payment.send_from is not None,
        remittance_structured=iso11649.compact(structured) if structured else None,
        remittance_unstructured=None if structured else decision.reference,
    )


def _staged(task: Task, intent: _Intent, staged: Staged) -> None:
    """The bank holds the order: keep its id, so that the customer can be sent there."""
    with task.services.unit_of_work() as uow:
        payment = locked(uow.session, intent.payment_id)
        was_closed = payment.state in OVER
        calls.answered(uow, call_id=intent.call_id, number=intent.attempt, outcome="staged", answer=staged.raw_response)
        if staged.sca is not None:
            _with_link(task.services, uow, payment, staged)
        else:
            _without_link(task.services, uow, payment, staged)
        if intent.token is not None and payment.consent_id is not None:
            consent = uow.session.get_one(Consent, payment.consent_id)
            vault = task.services.vault
            tokens.hand_to_consent(uow.session, vault, payment.id, consent, intent.token, now=uow.now)
        if was_closed:  # another worker may have ended this work meanwhile: what the bank said is kept all the same
            task.finish_if_ours(uow)
        else:
            task.finish(uow)
        uow.commit()


def _with_link(services: Services, uow: UnitOfWork, payment: Payment, staged: Staged) -> None:
    """The customer can be sent there, unless the payment was stopped meanwhile: then nobody gets the link."""
    _give_way(uow, payment)
    if payment.state != PaymentState.INITIATING:
        return
    consent = _keep_consent(services, uow, payment, staged)
    _stage(uow, payment, staged)
    follow_from(uow, payment, run_at=consent.expires_at + rules.EXPIRY_MARGIN)


def _without_link(services: Services, uow: UnitOfWork, payment: Payment, staged: Staged) -> None:
    """The bank may let it be approved in a way of its own, so its outcome is not known, also when it was stopped
    meanwhile: the bank is asked about it, and to drop it where it is not wanted.

    Not where it would be for us to submit it: nobody can give us the token.
    """
    if payment.state in SETTLED_ONCE:
        return  # by another of its orders, which is the one to be asked about
    if isinstance(services.banks.connector(payment.bank_id), Submits):
        if payment.state == PaymentState.INITIATING:
            _give_up(uow, payment, Reason.BANK_REFUSED, evidence="no way to approve was named")
        return
    consent = _keep_consent(services, uow, payment, staged)
    trip_of(uow.session, payment).left_at = uow.now
    profile = services.banks.profile(payment.bank_id)
    lapses_at = rules.lapses_at(given_at=consent.created_at, minutes=profile.authorisation_minutes)
    raise_fence(payment, lapses_at + rules.UNSTATED_LIFE)
    if payment.state == PaymentState.INITIATING:
        payment.unwanted_since = uow.now if gives_way(uow.session, payment) else None
        _stage(uow, payment, staged)
        step(uow, payment, PaymentStep.LOSE_SIGHT, source=Source.BANK, evidence="no way to approve was named")
    else:
        stand_after_all(uow, payment, answer=staged.raw_response)
    follow_from(uow, payment, run_at=uow.now)


def _keep_consent(services: Services, uow: UnitOfWork, payment: Payment, staged: Staged) -> Consent:
    profile = services.banks.profile(payment.bank_id)
    trip = trip_of(uow.session, payment)
    # never longer than the secrets of the trip live, however long the answer took
    given_at = min(uow.now, trip.created_at + rules.SEND_LIFE)
    lapses_at = rules.lapses_at(given_at=given_at, minutes=profile.authorisation_minutes)
    consent = Consent(
        id=new_id("con"),
        customer_id=payment.customer_id,
        kind="single",
        bank_id=payment.bank_id,
        bank_consent_id=staged.consent_id,
        state=ConsentState.AWAITING_AUTHORISATION,
        sca=asdict(staged.sca) if staged.sca else {},
        created_at=uow.now,
        expires_at=rules.approve_until(lapses_at=lapses_at, told_until=payment.told_until),
    )
    uow.session.add(consent)
    uow.session.flush()
    payment.consent_id = trip.consent_id = consent.id
    payment.submitted_apart = isinstance(services.banks.connector(payment.bank_id), Submits)
    if not payment.submitted_apart:
        payment.bank_payment_id = staged.consent_id  # approving it executes it
    payment.transaction_status = staged.transaction_status[:35]
    return consent


def _stage(uow: UnitOfWork, payment: Payment, staged: Staged) -> None:
    evidence = f"bank:{staged.transaction_status}"
    step(uow, payment, PaymentStep.STAGE, source=Source.BANK, evidence=evidence, answer=staged.raw_response)


def _not_staged(task: Task, intent: _Intent, error: BankError) -> None:
    """No money can have moved: nobody holds an approval link. Send the same bytes again, or say that it failed."""
    with task.services.unit_of_work() as uow:
        payment = locked(uow.session, intent.payment_id)
        calls.answered(
            uow, call_id=intent.call_id, number=intent.attempt, outcome=type(error).__name__, answer=str(error).encode()
        )
        refused = isinstance(error, BankRefused)
        again = None if refused else rules.send_again_at(sends=intent.attempt, now=uow.now)
        if again is not None and isinstance(error, BankUnavailable):
            again = max(again, uow.now + dt.timedelta(seconds=error.retry_after_s or 0))
        if again is not None and again <= payment.created_at + rules.SEND_LIFE:
            task.run_again(uow, run_at=again)
        else:
            reason = Reason.BANK_REFUSED if refused else Reason.BANK_UNREACHABLE
            if isinstance(error, NotSignedIn) and intent.token is not None:
                # a sending before this one may have reached the bank, and then it did take the token
                reason = Reason.SIGN_IN_OVER if intent.attempt == 1 else Reason.BANK_UNREACHABLE
                sign_ins.forget_token(
                    uow.session,
                    task.services.vault,
                    customer_id=payment.customer_id,
                    bank_id=payment.bank_id,
                    access_token=intent.token.access_token,
                    now=uow.now,
                )
            if payment.state == PaymentState.INITIATING:  # else somebody else was quicker
                _give_up(uow, payment, reason, evidence=f"{type(error).__name__}; the link was given to nobody")
            task.finish(uow)
        uow.commit()
