"""Mistakes that somebody could make, planted in the real services one at a time: the simulator must find each of them.

A bug names the invariants that may trip over it; one that trips another one, or none, fails the harness. Only the money
path is meant: each change replaces one function or table by a plausible wrong one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session, object_session

from app.db import work
from app.db.unit_of_work import UnitOfWork
from app.db.work import WorkRow
from app.errors import Conflict
from app.journey import route
from app.journey.consents import budget
from app.journey.corrections import service as corrections
from app.journey.corrections.models import Correction
from app.journey.decisions import orders, payee_checks
from app.journey.decisions import service as decisions
from app.journey.decisions.models import Decision, PayeeCheck
from app.journey.decisions.orders import price_of
from app.journey.intake import taking
from app.journey.intake.bill import Bill, Payee
from app.journey.intake.means import MeansKind
from app.journey.intake.models import DeliveredBill
from app.journey.invoices import models as invoice_models
from app.journey.invoices import service as invoices
from app.journey.invoices.models import Invoice
from app.journey.invoices.rules import Discount
from app.journey.invoices.states import InvoiceState
from app.journey.ledger import service as ledger
from app.journey.ledger.models import LedgerEntry
from app.journey.ledger.rules import Claim
from app.journey.payments import (
    access,
    calls,
    code_exchange,
    initiate,
    looks,
    own_consent,
    repeats,
    rules,
    service,
    states,
    status,
    step,
    submit,
)
from app.journey.payments.events import PaymentAccepted, PaymentFailed, PaymentSettled
from app.journey.payments.models import BankCall, Payment
from app.journey.payments.states import CLOSED, PAYMENT, PaymentState, PaymentStep, Source
from app.journey.receipts.models import Receipt
from app.journey.refunds import access as refund_access
from app.journey.webhooks import delivery
from app.people import accounts
from app.people.account_states import ACCOUNT, AccountState, AccountStep
from app.people.customers import today_of
from app.people.models import Customer, PayeeAccount
from app.services import Services, Task
from connectors.berlin_group.status import fact_of
from connectors.contract import BankRequest, BankStatus, Cancels, Fact, PaymentOrder
from connectors.errors import BankError, BankRefused, BankSilent
from connectors.money import Money
from connectors.profile import BankProfile
from consent import trips
from consent.base import new_id
from consent.lifecycle import Lifecycle
from consent.models import Trip
from consent.tokens import CustomersToken
from consent.vault import Vault
from tests.faults.sim import bugs_answering, bugs_later, bugs_parts, bugs_standing  # noqa: F401  # their own are among BUGS
from tests.faults.sim.bank import OVER_WORDS
from tests.faults.sim.planting import BUGS, Change, bug, planted

__all__ = ["BUGS", "planted"]


def _says(word: str) -> BankStatus:
    return BankStatus(
        transaction_status=word, fact=fact_of(word), reason_code=None, reason_text=None, raw_response=b"planted"
    )


# --------------------------------------------------------------------------------------------------- giving to the bank


@bug("every sending has a key of its own", "A6")
def new_key_per_sending() -> Sequence[Change]:
    real = calls.request_of

    def request_of(call: BankCall) -> BankRequest:
        return dataclasses.replace(real(call), request_id=str(uuid.uuid4()))

    return [(calls, "request_of", request_of)]


@bug("what is sent is not byte for byte what was stored", "C3")
def other_bytes_per_sending() -> Sequence[Change]:
    real = calls.request_of

    def request_of(call: BankCall) -> BankRequest:
        request = real(call)
        return dataclasses.replace(request, body=request.body + b"\n")

    return [(calls, "request_of", request_of)]


@bug("a sending is not written down before it is made", "A6")
def sent_before_written() -> Sequence[Change]:
    def answered(uow: UnitOfWork, **_: object) -> None: ...

    return [(calls, "attempt", lambda uow, call: 1), (calls, "answered", answered)]


@bug("a transaction is open while the bank is called", "K1")
def transaction_while_calling() -> Sequence[Change]:
    real = status._ask

    def ask(task: Task, question: Any) -> Any:
        with task.services.unit_of_work():
            return real(task, question)

    return [(status, "_ask", ask)]


@bug("one cent too much", "A5")
def one_cent() -> Sequence[Change]:
    real = initiate.order_of

    def order(payment: Payment, decision: Decision) -> PaymentOrder:
        made = real(payment, decision)
        return dataclasses.replace(made, amount=Money(made.amount.minor + 1, made.amount.currency))

    return [(initiate, "order_of", order)]


@bug("the discount is that of the day on which the bank is told, not of the decision", "A5")
def discount_of_another_day() -> Sequence[Change]:
    prepare, order = initiate._prepare, initiate.order_of

    def prepared(services: Services, uow: UnitOfWork, decision: Decision) -> Payment:
        customer = uow.session.get_one(Customer, decision.customer_id)
        invoice = uow.session.get_one(Invoice, decision.invoice_id)
        now = price_of(invoice, day=today_of(customer, uow.now)).amount.minor

        def ordered(payment: Payment, of: Decision) -> PaymentOrder:
            return dataclasses.replace(order(payment, of), amount=Money(now, payment.currency))

        with contextlib.ExitStack() as back:
            back.callback(setattr, initiate, "order_of", initiate.order_of)
            initiate.order_of = ordered  # type: ignore[assignment]  # its second parameter has another name
            return prepare(services, uow, decision)

    return [(initiate, "_prepare", prepared)]


@bug("an unanswered initiation goes out again at once", "C6")
def no_pause_between_sendings() -> Sequence[Change]:
    return [(rules, "SEND_AGAIN_S", (0, 0, 0, 0, 0)), (rules, "SEND_GAP", dt.timedelta(0))]


@bug("nobody follows what the bank has taken", "L1")
def nobody_follows() -> Sequence[Change]:
    return [(initiate, "follow_from", lambda uow, payment, *, run_at: None)]


# --------------------------------------------------------------------------------------------- going there, coming back


@bug("that the link was given away is not written down", "D3", "D5", "T1", "A3", "A4")
def leaving_not_noted() -> Sequence[Change]:
    real = trips.leave

    def leave(trip: Trip, *, browser: str, now: dt.datetime) -> None:
        real(trip, browser=browser, now=now)
        trip.left_at = None

    return [(trips, "leave", leave)]


@bug("a payment may be stopped here while the customer is at the bank", "T1", "A3")
def stopped_after_leaving() -> Sequence[Change]:
    def cancel(uow: UnitOfWork, *, signed_in: Any, payment_id: str) -> None:
        payment = access.payment_of_customer(
            uow.session, payment_id=payment_id, customer_id=signed_in.customer.id, lock=True
        )
        if PAYMENT.allows(PaymentState(payment.state), PaymentStep.CUSTOMER_CANCEL):
            step.step(uow, payment, PaymentStep.CUSTOMER_CANCEL, source=Source.CUSTOMER, evidence="stopped here")

    return [(service, "cancel", cancel)]


@bug("a code is taken from any browser", "D3")
def any_browser() -> Sequence[Change]:
    return [(trips, "is_same_browser", lambda trip, cookies: True)]


@bug("a code is taken from any issuer", "D3")
def any_issuer() -> Sequence[Change]:
    return [(trips, "is_from", lambda sca, answer: True)]


@bug("the second return counts instead of the first", "D3", "D4", "X1")
def second_return_counts() -> Sequence[Change]:
    real = trips.come_back

    def come_back(session: Session, vault: Vault, trip: Trip, **how: Any) -> bool:
        trip.returned_at = None
        return real(session, vault, trip, **how)

    return [(trips, "come_back", come_back)]


def _believing_the_redirect(when: Callable[[Mapping[str, Any]], bool], taken: PaymentStep) -> Sequence[Change]:
    real = service.come_back

    def come_back(services: Services, **how: Any) -> Any:
        returned = real(services, **how)
        if returned is not None and returned.work is not None and when(how):
            with services.unit_of_work() as uow:
                payment = access.locked(uow.session, returned.payment_id)
                if PAYMENT.allows(PaymentState(payment.state), taken):
                    payment.fact = Fact.DEBITED.value
                    step.step(uow, payment, taken, source=Source.BANK, evidence="redirect")
                    uow.commit()
        return returned

    return [(service, "come_back", come_back)]


@bug("an error in the redirect is taken for a failed payment", "T1", "A3")
def error_is_failure() -> Sequence[Change]:
    return _believing_the_redirect(lambda how: "error" in how["answer"], PaymentStep.BANK_REJECT)


@bug("a code in the redirect is taken for a paid bill", "A4", "T2")
def code_is_payment() -> Sequence[Change]:
    return _believing_the_redirect(lambda how: "code" in how["answer"], PaymentStep.BANK_SETTLE)


@bug("a lost exchange is tried again", "D4", "E5")
def code_sent_twice() -> Sequence[Change]:
    store, real = calls.store, trips.take_answer

    def take_answer(session: Session, vault: Vault, trip: Trip, *, now: dt.datetime) -> Any:
        trip.exchanged_at = None
        return real(session, vault, trip, now=now)

    def stored(uow: UnitOfWork, *, payment_id: str, verb: str, request: BankRequest) -> BankCall:
        known = calls.call_of(uow.session, payment_id=payment_id, verb=verb)
        return known or store(uow, payment_id=payment_id, verb=verb, request=request)

    return [(trips, "take_answer", take_answer), (calls, "store", stored)]


@bug("a code that came back does not move the fence", "T1", "A3", "C7", "C8")
def fence_without_the_code() -> Sequence[Change]:
    def raise_fence(payment: Payment, until: dt.datetime) -> None:
        payment.fence_at = payment.fence_at or until

    return [(service, "raise_fence", raise_fence), (code_exchange, "raise_fence", raise_fence)]


# ------------------------------------------------------------------------------------------------------ asking the bank


@bug("waiting past its time is read as: nobody approved", "T1", "A3", "A4")
def waiting_is_no() -> Sequence[Change]:
    def taken_back(*_: Any, **told: Any) -> Any:
        return status._Heard(status=_says("CANC"), taken_back=True)

    return [(status, "_taken_back", taken_back)]


@bug("an order that was to be taken back counts as gone when the answer is lost", "T1", "A3")
def lost_delete_believed() -> Sequence[Change]:
    real = status._taken_back

    def taken_back(task: Task, connector: Cancels, question: Any, **told: Any) -> Any:
        class Believing:
            def cancel(self, consent_id: str, *, timeout_s: float) -> BankStatus | None:
                try:
                    return connector.cancel(consent_id, timeout_s=timeout_s)
                except BankSilent:
                    return _says("CANC")

        return real(task, Believing(), question, **told)

    return [(status, "_taken_back", taken_back)]


@bug("a refusal to drop the order is not looked at", "T1", "A3")
def kept_is_dropped() -> Sequence[Change]:
    real = status._taken_back

    def taken_back(task: Task, connector: Cancels, question: Any, **told: Any) -> Any:
        heard = real(task, connector, question)
        return heard if heard.retry_after_s else status._Heard(status=_says("CANC"), taken_back=True)

    return [(status, "_taken_back", taken_back)]


@bug("no answer is read as a no", "T1", "A3")
def silence_is_no() -> Sequence[Change]:
    real = status._ask

    def ask(task: Task, question: Any) -> Any:
        heard = real(task, question)
        return status._Heard(status=_says("RJCT")) if heard.silent else heard

    return [(status, "_ask", ask)]


@bug("not found is read as: never happened", "C7", "T1", "A3")
def not_found_is_no() -> Sequence[Change]:
    return [(status, "_is_past_fence", lambda payment, asked_at: True)]


@bug("an answer counts for the time at which it is written down", "C7", "T1", "A3")
def late_answer_counts_now() -> Sequence[Change]:
    real = status._take_in

    def take_in(uow: UnitOfWork, payment: Payment, heard: Any, *, asked_at: dt.datetime) -> None:
        real(uow, payment, heard, asked_at=uow.now)

    return [(status, "_take_in", take_in)]


@bug("a word that we do not know is read as a no", "T1", "A3")
def unknown_word_is_no() -> Sequence[Change]:
    real = status._take_in

    def take_in(uow: UnitOfWork, payment: Payment, heard: Any, *, asked_at: dt.datetime) -> None:
        known = heard.status is None or heard.status.fact is not Fact.UNKNOWN
        real(uow, payment, heard if known else status._Heard(status=_says("RJCT")), asked_at=asked_at)

    return [(status, "_take_in", take_in)]


@bug("an earlier word undoes a later one", "D2", "F2", "D6", "B7")
def earlier_word_undoes() -> Sequence[Change]:
    undone = (PaymentState.SETTLED, PaymentStep.BANK_ACCEPT)
    return [(PAYMENT.table, undone, PaymentState.ACCEPTED), (PAYMENT, "ignored", PAYMENT.ignored - {undone})]


@bug("accepted is settled", "A4", "T2")
def accepted_is_settled() -> Sequence[Change]:
    return [(states.STEP_OF_FACT, Fact.ACCEPTED, PaymentStep.BANK_SETTLE)]


@bug("a settled payment is never looked at again", "A4")
def settled_for_ever() -> Sequence[Change]:
    return [(each, "may_end_otherwise", lambda payment, trip: payment.state in CLOSED) for each in (looks, status)]


@bug("what we closed is never looked at again", "A3")
def closed_for_ever() -> Sequence[Change]:
    def only_settled(payment: Payment, trip: Any) -> bool:
        return payment.state == PaymentState.SETTLED

    return [(each, "may_end_otherwise", only_settled) for each in (looks, status)]


@bug("what the bank calls accepted stays closed, and its bill is offered", "B9")
def accepted_and_offered() -> Sequence[Change]:
    return [(step, "doubt", lambda uow, payment, *, answer=None: None), (status, "doubt", lambda *_, **__: None)]


@bug("the bank's word on a closed payment is not heard", "A3", "L9")
def no_corrections() -> Sequence[Change]:
    real = step._by_record

    def by_record(uow: UnitOfWork, payment: Payment, fact: Fact, **how: Any) -> bool:
        return payment.state not in CLOSED and real(uow, payment, fact, **how)

    return [(step, "_by_record", by_record)]


@bug("a silent bank is given up", "L1")
def silence_ends_the_work() -> Sequence[Change]:
    real = status._next_look

    def next_look(profile: Any, uow: UnitOfWork, payment: Payment) -> dt.datetime | None:
        return None if payment.silent_since is not None else real(profile, uow, payment)

    return [(status, "_next_look", next_look)]


@bug("there is no budget for questions", "K8")
def no_budget() -> Sequence[Change]:
    return [(budget, "take", lambda session, *, bank_id, most, now: None)]


@bug("Retry-After is not kept", "K8")
def retry_after_ignored() -> Sequence[Change]:
    return [(budget, "put_off", lambda session, *, bank_id, until, now: None)]


@bug("a promise that passed is not renewed", "L4", "L5", "T3")
def promise_forgotten() -> Sequence[Change]:
    return [(status, "keep_promise", lambda payment, *, now: None)]


@bug("an operator may say no before the fence", "T1", "A3")
def operator_before_the_fence() -> Sequence[Change]:
    real = service.resolve

    def resolve(uow: UnitOfWork, *, payment_id: str, executed: bool, because: str) -> bool:
        payment = uow.session.get_one(Payment, payment_id)
        payment.fence_at = uow.now - dt.timedelta(seconds=1)
        return real(uow, payment_id=payment_id, executed=executed, because=because)

    return [(service, "resolve", resolve)]


@bug("work is ended by whoever comes, also when another worker has taken it over", "T1", "A3", "C7", "L1", "L2", "X1")
def unfenced() -> Sequence[Change]:
    def finish(session: Session, claim: work.Claim) -> None:
        session.execute(delete(WorkRow).where(WorkRow.id == claim.work_id))

    def run_again(session: Session, claim: work.Claim, *, run_at: dt.datetime) -> None:
        values = {"run_at": run_at, "lock_token": None, "attempts": 0}
        session.execute(update(WorkRow).where(WorkRow.id == claim.work_id).values(**values))

    return [(work, "finish", finish), (work, "run_again", run_again)]


# ---------------------------------------------------------------------------------------------------- claims and ledger


@bug("two tabs: that another payment has the claim is seen and not minded", "A2", "B1", "B7", "B21", "F3", "F8", "L9")
def two_tabs() -> Sequence[Change]:
    real = invoices.claim

    def claim(uow: UnitOfWork, taken: Claim) -> None:
        with contextlib.suppress(Conflict):
            real(uow, taken)

    return [(invoices, "claim", claim), (decisions, "must_be_free", lambda invoice: None)]


def _moving(real: Callable[..., None], also: Callable[..., None]) -> Callable[..., None]:
    def move(uow: UnitOfWork, payment: Payment, before: PaymentState, after: PaymentState) -> None:
        real(uow, payment, before, after)
        also(uow, payment, before, after)

    return move


@bug("an unknown outcome frees the claim", "T1", "B7", "B9", "F3", "F8")
def unknown_frees() -> Sequence[Change]:
    def also(uow: UnitOfWork, payment: Payment, _: PaymentState, after: PaymentState) -> None:
        if after is PaymentState.UNKNOWN:
            invoices.release(uow, step.claim_of(uow, payment), is_sure=False)

    return [(step, "_move_claim", _moving(step._move_claim, also))]


@bug("a rejected payment keeps its claim", "F8", "F3", "B7")
def rejected_keeps() -> Sequence[Change]:
    real = step._move_claim

    def move(uow: UnitOfWork, payment: Payment, before: PaymentState, after: PaymentState) -> None:
        if after is not PaymentState.REJECTED:
            real(uow, payment, before, after)

    return [(step, "_move_claim", move)]


@bug("settled is posted twice", "F2")
def settled_twice() -> Sequence[Change]:
    def also(uow: UnitOfWork, payment: Payment, _: PaymentState, after: PaymentState) -> None:
        if after is not PaymentState.SETTLED:
            return
        creditor = step.claim_of(uow, payment).creditor
        for account, sign in ((f"settled:{creditor}", 1), (f"biller:{creditor}", -1)):
            uow.session.add(
                LedgerEntry(
                    posting=f"again:{payment.id}",
                    kind="settled",
                    account=account,
                    currency=payment.currency,
                    amount_minor=sign * payment.amount_minor,
                    invoice_id=payment.invoice_id,
                    payment_id=payment.id,
                    at=uow.now,
                )
            )

    return [(step, "_move_claim", _moving(step._move_claim, also))]


@bug("what the bank took back stays paid", "B7", "F3", "F2")
def reversed_stays_paid() -> Sequence[Change]:
    return [(invoices, "reopen", lambda uow, taken: None)]


@bug("our own steps leave no line in the history", "D1")
def history_with_holes() -> Sequence[Change]:
    real = step._write_down

    def write_down(uow: UnitOfWork, payment: Payment, before: Any, *, source: Source, **how: Any) -> None:
        if source is not Source.WORKER:
            real(uow, payment, before, source=source, **how)

    return [(step, "_write_down", write_down)]


# ----------------------------------------------------------------------------------------------------------- submitting


@bug("a consent that is not used up is read as: never submitted", "C7", "T1", "A3")
def authorised_is_never() -> Sequence[Change]:
    real = submit._is_over

    def is_over(uow: UnitOfWork, payment: Payment, question: Any, said: Any) -> bool:
        past = dataclasses.replace(question, asked_at=uow.now + dt.timedelta(days=365))
        return real(uow, payment, past, said)

    return [(submit, "_is_over", is_over), (submit, "_next_attempt", lambda *_: None)]


@bug("a no to a repeat is taken for a no to all", "T1", "A3")
def refused_repeat_ends() -> Sequence[Change]:
    return [(repeats, "may_have_been_done", lambda session, call_id: False)]


@bug("a no to a submission ends it before its consent is asked", "T1", "A3")
def no_alone_is_no() -> Sequence[Change]:
    real = submit._not_submitted

    def not_submitted(task: Task, payment_id: str, attempt: Any, error: BankError) -> None:
        real(task, payment_id, attempt, error)
        if isinstance(error, BankRefused) and error.http_status != 409:
            _end_as_refused(task, payment_id)

    return [(submit, "_not_submitted", not_submitted)]


def _end_as_refused(task: Task, payment_id: str) -> None:
    with task.services.unit_of_work() as uow:
        payment = access.locked(uow.session, payment_id)
        if payment.state == PaymentState.SUBMITTING:
            step.step(uow, payment, PaymentStep.BANK_REJECT, source=Source.BANK, evidence="bank:refused")
        uow.commit()


@bug("a repeated submission has a key of its own", "A6", "C3")
def submitted_under_another_key() -> Sequence[Change]:
    real = calls.request_of

    def request_of(call: BankCall) -> BankRequest:
        request = real(call)
        return dataclasses.replace(request, request_id=str(uuid.uuid4())) if call.verb == "submit" else request

    return [(calls, "request_of", request_of)]


@bug("silence to a submission is read as a no", "T1", "A3")
def silent_submission_is_no() -> Sequence[Change]:
    real = submit._not_submitted

    def not_submitted(task: Task, payment_id: str, attempt: Any, error: BankError) -> None:
        real(task, payment_id, attempt, BankRefused(str(error), code="silence", http_status=400))
        _end_as_refused(task, payment_id)

    return [(submit, "_not_submitted", not_submitted)]


@bug("a consent that the bank knows no more is read as: never submitted", "T1", "A3")
def forgotten_consent_is_no() -> Sequence[Change]:
    return [(own_consent, "UNUSED", (*own_consent.UNUSED, *OVER_WORDS))]


@bug("what may have been submitted can be stopped here", "T1", "A3")
def submitted_can_be_stopped() -> Sequence[Change]:
    stopped = (PaymentState.SUBMITTING, PaymentStep.CUSTOMER_CANCEL)
    return [(PAYMENT.table, stopped, PaymentState.CANCELLED), (service, "may_withhold", lambda payment: True)]


# ---------------------------------------------------------------------------------------------------------- corrections


@bug("a decision that a correction made void is given to the bank", "R1", "B13")
def void_and_sent() -> Sequence[Change]:
    def is_outdated(session: Session, payment: Payment) -> bool:
        return False

    return [(access, "is_outdated", is_outdated)]


@bug("a new version is opened while a payment of the earlier bill is under way", "R3")
def opened_beside() -> Sequence[Change]:
    def open_(uow: UnitOfWork, vault: Vault, correction: Correction, delivered: DeliveredBill) -> None:
        if corrections._invoice_of(uow.session, delivered.id) is None:
            invoices.open_bill(uow, vault, delivered, replaces_id=correction.invoice_id)

    return [(corrections, "_open_in_its_place", open_)]


@bug("what is taken off while a payment is under way is linked and not posted", "R2")
def credit_in_payment_lost() -> Sequence[Change]:
    real = invoices.credit

    def credit(uow: UnitOfWork, *, invoice_id: str, minor: int | None, **how: Any) -> int:
        lost = minor is not None and uow.session.get_one(Invoice, invoice_id).state == InvoiceState.IN_PAYMENT
        return 0 if lost else real(uow, invoice_id=invoice_id, minor=minor, **how)

    return [(invoices, "credit", credit)]


@bug("of several discounts the largest is taken for as long as there is any", "R1", "F13")
def largest_discount() -> Sequence[Change]:
    def largest(discounts: Sequence[Discount], day: dt.date) -> Discount | None:
        return discounts[0] if discounts and day <= discounts[-1].until else None

    return [(orders, "discount_on", largest)]


@bug("the discount for early payment stays whole though part of the bill was credited", "R1", "F13")
def discount_stays_whole() -> Sequence[Change]:
    def left(*, amount_minor: int, asked_minor: int, discount_minor: int) -> int:
        return min(discount_minor, max(asked_minor - 1, 0))

    return [(invoice_models, "discount_left", left)]


@bug("a discount that nobody paid is given back with a withdrawn bill", "R6")
def discount_given_back() -> Sequence[Change]:
    def refund_of(session: Session, invoice_id: str) -> Money:
        return Money(-ledger.owed_of(session, invoice_id), session.get_one(Invoice, invoice_id).currency)

    return [(invoices, "refund_of", refund_of), (refund_access, "refund_of", refund_of)]


@bug("bills that replace each other wait for each other", "R5", "L7")
def ring_waits() -> Sequence[Change]:
    return [(corrections, "_breaks_ring", lambda session, correction, end: False)]


@bug("an order that is sent again takes the token of the latest sign-in", "S1")
def latest_sign_in_is_used() -> Sequence[Change]:
    real = initiate._token

    def token(
        services: Services, uow: UnitOfWork, payment: Payment, profile: BankProfile, *, is_first: bool
    ) -> CustomersToken | None:
        del is_first
        return real(services, uow, payment, profile, is_first=True)

    return [(initiate, "_token", token)]


@bug("a bank that tells a token alone is asked when it would have been anyway, after the token's end", "S3")
def asked_after_the_token() -> Sequence[Change]:
    def anyway(*, run_at: dt.datetime, **_: object) -> dt.datetime:
        return run_at

    return [(rules, "look_while_told", anyway), (rules, "look_at_the_last", anyway)]


# ----------------------------------------------------------------------------------- bills that nobody verified or pays


@bug(
    "the payee of a bill that nobody delivered is asked for on a page of its own, and never asked about",
    "B18",
    "V1",
    "V2",
)
def payee_check_not_asked_for() -> Sequence[Change]:
    return [(payee_checks, "must_stand", lambda uow, invoice, *, bank: None)]


@bug("a customer's last check is taken, whichever payee it was of", "B18", "V1", "V2")
def check_of_another_payee() -> Sequence[Change]:
    def standing(session: Session, invoice: Invoice, need: Any, *, bank_id: str, now: dt.datetime) -> PayeeCheck | None:
        last = select(PayeeCheck).where(
            PayeeCheck.customer_id == invoice.customer_id,
            PayeeCheck.bank_id == bank_id,
            PayeeCheck.checked_at > now - payee_checks.CHECK_LIFE,
            ~payee_checks._IS_USED,
        )
        return session.scalar(last.order_by(PayeeCheck.id.desc()).limit(1))

    return [(payee_checks, "_standing", standing)]


@bug("what stands in the bill is written down as typed, whatever its customer typed", "V1")
def typed_is_not_compared() -> Sequence[Change]:
    real = payee_checks.record

    def record(uow: UnitOfWork, *, invoice_id: str, typed: str, **how: Any) -> None:
        iban = uow.session.get_one(Invoice, invoice_id).payee_iban
        real(uow, invoice_id=invoice_id, typed=iban or typed, **how)

    return [(payee_checks, "record", record)]


@bug("a check of the payee is good for ever", "V1")
def check_for_ever() -> Sequence[Change]:
    return [(payee_checks, "CHECK_LIFE", dt.timedelta(days=365))]


@bug("that another bill may be the same one is shown, and not asked about", "V2")
def twin_not_minded() -> Sequence[Change]:
    real = payee_checks.needed
    return [(payee_checks, "needed", lambda *given, **how: dataclasses.replace(real(*given, **how), besides=()))]


@bug("a bill that is not paid here is opened as any other, to the account of its biller that we know", "R8")
def not_here_can_be_paid() -> Sequence[Change]:
    real = invoices._columns

    def columns(delivered: DeliveredBill, bill: Bill, *, now: dt.datetime, **_: object) -> dict[str, Any]:
        session = object_session(delivered)
        assert session is not None
        known = session.scalars(select(PayeeAccount).where(PayeeAccount.biller_id == delivered.biller_id)).one()
        payee = bill.payee if bill.payee and bill.payee.iban else Payee(name=known.holder, iban=known.iban)
        return real(delivered, dataclasses.replace(bill, payee=payee), holder=known.holder, now=now)

    return [
        (taking, "kind_of", lambda bill: MeansKind.CREDIT_TRANSFER),
        (invoices, "_holder", lambda uow, delivered, bill: ""),
        (invoices, "_columns", columns),
    ]


# ------------------------------------------------------------------------------------------------- accounts of payees


@bug("whether the account is open is asked when the page is drawn, and by nobody who decides", "V3", "P3")
def account_not_asked_about() -> Sequence[Change]:
    return [(decisions, "must_have_open_account", lambda uow, invoice, *, lock=False: None)]


@bug("once it is decided nobody asks about the account any more", "V4")
def freeze_not_seen_later() -> Sequence[Change]:
    return [(access, "is_account_held", lambda session, payment, *, lock=False: False)]


@bug("a frozen account is open again by one person's word", "V3", "V4", "P1", "P2")
def thawed_by_one() -> Sequence[Change]:
    moves = {**ACCOUNT.table, (AccountState.FROZEN, AccountStep.UNFREEZE): AccountState.APPROVED}
    return [(accounts, "ACCOUNT", Lifecycle(moves, ignored=ACCOUNT.ignored))]


@bug("an account that two people approved is open at once, whatever its waiting time", "V3", "V4", "P3")
def no_waiting_time() -> Sequence[Change]:
    def is_open(now: dt.datetime) -> Any:
        return PayeeAccount.state == AccountState.APPROVED

    return [(accounts, "is_open", is_open)]


@bug("a freeze holds delivered bills alone: what its customer added is paid to it", "V3", "V4")
def own_bill_to_a_frozen_account() -> Sequence[Change]:
    return [(accounts, "is_stopped", lambda session, *, iban: False)]


# -------------------------------------------------------------------------------------------------------------- telling


@bug("that a payment settled is not told", "G1", "F6", "L3")
def settled_not_told() -> Sequence[Change]:
    told = {state: event for state, event in step._TOLD.items() if state is not PaymentState.SETTLED}
    return [(step, "_TOLD", told)]


@bug("the receipt is written when the bank has accepted", "F6")
def receipt_too_early() -> Sequence[Change]:
    def issue(task: Task) -> None:
        with task.services.unit_of_work() as uow:
            payment = uow.session.get_one(Payment, task.payload["payment_id"])
            if uow.session.scalar(select(Receipt.id).where(Receipt.payment_id == payment.id)) is None:
                uow.session.add(
                    Receipt(
                        id=new_id("rcp"),
                        payment_id=payment.id,
                        customer_id=payment.customer_id,
                        number=payment.id,
                        fact=payment.fact or Fact.DEBITED.value,
                        issued_at=uow.now,
                    )
                )
            task.finish(uow)
            uow.commit()

    name = "receipts.issue_receipt"
    return [
        (route.ROUTE, PaymentAccepted, (*route.ROUTE[PaymentAccepted], name)),
        (route.HANDLERS, name, issue),
    ]


@bug("any answer of a biller's program counts as heard", "L3")
def any_answer_is_heard() -> Sequence[Change]:
    real = delivery._post

    def post(*about: Any, **how: Any) -> int:
        real(*about, **how)
        return 204

    return [(delivery, "_post", post)]


@bug("messages do not say which one is the later", "L3")
def no_sequence() -> Sequence[Change]:
    def without(event: type) -> Callable[..., Any]:
        return lambda payment_id, sequence: event(payment_id=payment_id, sequence=1)

    told: dict[Any, Any] = {state: without(event) for state, event in step._TOLD.items()}
    assert {PaymentFailed, PaymentSettled} <= set(step._TOLD.values())
    return [(step, "_TOLD", told)]
