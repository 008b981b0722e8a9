"""Payments as pages and billers see them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, Select, and_, bindparam, func, or_, select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.journey.decisions.models import Decision
from app.journey.intake.models import DeliveredBill
from app.journey.invoices.chain import EarlierBill, earlier_bills
from app.journey.invoices.models import Invoice
from app.journey.invoices.read import is_bill_stopped
from app.journey.invoices.states import InvoiceState
from app.journey.ledger.service import position_of, positions_of
from app.journey.payments import calls
from app.journey.payments.access import gives_way
from app.journey.payments.models import Payment, PaymentHistory
from app.journey.payments.reasons import Reason
from app.journey.payments.states import CLOSED, MEANING, OVER, PaymentState, Source, Truth
from app.journey.payments.step import may_withhold
from app.journey.payments.terms import is_kept
from app.journey.payments.way import Way, way_of
from app.people.models import Biller
from connectors.contract import Fact
from connectors.money import Money
from consent.base import UTCDateTime
from consent.models import Consent

PAYMENTS_MOST = 50
#: so long after its day what a bank has kept is an operator's business: the bank neither settles it nor says no
KEPT_OVERDUE = dt.timedelta(days=3)
_RELEASED = tuple(state for state, meaning in MEANING.items() if meaning.may_pay_again)
#: how the history has it: ISO 20022's word for what is settled on the payee's account
_ARRIVED = "bank:ACCC"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    key: str
    done: bool
    at: dt.datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentView:
    """One payment as its customer sees it."""

    id: str
    state: str
    version: str  #: changes whenever the page would
    truth: Truth
    #: it did not happen, no other payment holds or has paid the bill, and something may be paid for that now
    may_pay_again: bool
    bill_state: str  #: of the bill, whatever became of this payment: to_pay, in_payment, paid or cleared
    source: str  #: by whose word it stands where it stands (Source)
    biller_name: str
    is_delivered: bool  #: by its biller; else its customer added the bill, and nobody has verified it
    number: str
    invoice_id: str
    amount: Money
    let_off: Money | None  #: what comes off its bill besides: it is paid early
    rest: Money | None  #: that it left to pay of its bill, as its customer decided; None: it was for all of that
    payee_name: str
    payee_iban: str
    reference: str | None
    bank_id: str
    bank_name: str  #: the bank's id until the door puts its name in
    consent_id: str | None  #: of the standing consent under which it is paid; None: it is approved by itself
    approach: str | None  #: how the bank lets it be approved (connectors.contract.Approach), once it has said so
    end_to_end_id: str
    bank_payment_id: str | None
    pay_on: dt.date
    decided_at: dt.datetime
    updated_at: dt.datetime
    settled_at: dt.datetime | None
    fact: str | None
    arrival_confirmed: bool  #: the bank itself said that the payee's account was credited
    reason: str | None
    know_by: dt.datetime | None  #: unknown: it was promised to be known by then
    told_until: dt.datetime | None  #: until when the bank can be asked, where only a token is told of it
    untold: bool  #: unknown or accepted, and nobody can be asked any more: a statement or an operator has to tell
    promises_broken: int  #: how often the promised time passed, or was sure to pass, without an answer
    doubted: bool  #: unknown: it was called not done, and the bank calls it accepted after all
    unwanted: bool  #: another one paid the bill, or may have: this one is stopped if it can be, nobody may approve it
    paid_otherwise: bool  #: unwanted, and it is sure that another one has paid the bill
    earlier_taken: bool  #: unwanted, since a bill that its own one replaces was paid, or may be
    same_taken: bool  #: unwanted, since a bill that may be the same was paid, or may be
    consent_ended: bool  #: unwanted, since its standing consent is not to be used any more
    account_held: bool  #: unwanted, since nothing is paid to its payee's account any more
    stopped_all: bool  #: unwanted, since its customer stopped everything
    corrected: bool  #: decided before its biller took something off the bill
    is_kept_payment: bool  #: its bank keeps it from its approval until its day, or has
    bank_had_it: bool  #: the bank has said that it accepted it
    is_wanted_back: bool  #: its bank keeps it until a day, and its customer wants it back
    link_open: bool  #: the customer may go to the bank
    cancellable: bool
    approved: bool  #: at the bank, as far as we know
    final: bool
    steps: tuple[StepView, ...]
    #: executed while other payments of the same bill had it, or some of it: what of it pays nothing, and is owed back
    on_top: Money | None = None
    is_looked_at: bool = False  #: closed, and its bank is asked in the coming days whether it is so
    drop_refused: bool = False  #: its bank was asked to drop what it keeps, and keeps it all the same
    #: filled in by the door: the bank can be asked to drop what it keeps; else only its customer can have that, there
    bank_takes_back: bool = False
    receipt_id: str | None = None  #: filled in by the door from a later stage
    earlier: EarlierBill | None = None  #: the bill that its own one stands in for


def payment_view(session: Session, payment_id: str, *, now: dt.datetime) -> PaymentView:
    """One payment; whose it is was checked by access.py. Raises NotFound."""
    row = session.execute(_one(), {"of_payment": payment_id, "now": now}).one_or_none()
    if row is None:
        raise NotFound("payment")
    view = _seen_in_the_ledger(session, _view(now, way_of(session, row[0]), *row))
    return dataclasses.replace(view, earlier=earlier_bills(session, [view.invoice_id]).get(view.invoice_id))


@functools.cache
def _one() -> Select[*tuple[Any, ...]]:
    """The query of ``payment_view``, which every page that follows a payment asks again and again."""
    return _select(bindparam("now", type_=UTCDateTime)).where(Payment.id == bindparam("of_payment"))


def payments_of_invoice(session: Session, *, invoice_id: str, customer_id: str, now: dt.datetime) -> list[PaymentView]:
    """All tries at one bill, newest first."""
    rows = session.execute(
        _select(now)
        .where(Payment.invoice_id == invoice_id, Payment.customer_id == customer_id)
        .order_by(Payment.id.desc())
        .limit(PAYMENTS_MOST)
    ).all()
    return [_seen_in_the_ledger(session, _view(now, way_of(session, row[0]), *row)) for row in rows]


def payments_under(session: Session, *, consent_id: str, now: dt.datetime) -> list[PaymentView]:
    """Those that were started under a standing consent, newest first."""
    under = _select(now).where(Payment.consent_id == consent_id).order_by(Payment.id.desc()).limit(PAYMENTS_MOST)
    rows = session.execute(under).all()
    return [_seen_in_the_ledger(session, _view(now, way_of(session, row[0]), *row)) for row in rows]


def waiting_at_banks(session: Session, *, customer_id: str, now: dt.datetime) -> list[PaymentView]:
    """Single payments that wait for their customer's approval, newest first."""
    waiting = _select(now).where(Payment.customer_id == customer_id, Payment.state == PaymentState.AWAITING_CUSTOMER)
    rows = session.execute(waiting.order_by(Payment.id.desc()).limit(PAYMENTS_MOST)).all()
    return [_view(now, way_of(session, row[0]), *row) for row in rows]


#: of an invoice in payment not those that have paid parts of it before
_HAS_THE_BILL = or_(Invoice.state != InvoiceState.IN_PAYMENT, Payment.state != PaymentState.SETTLED)


def live_payments(session: Session, *, invoice_ids: Sequence[str]) -> dict[str, str]:
    """For each invoice that has one: the payment that holds or has settled it, not one that has nothing of it."""
    found = session.execute(
        select(Payment.invoice_id, Payment.id)
        .join(Invoice, Invoice.id == Payment.invoice_id)
        .where(Payment.invoice_id.in_(invoice_ids), Payment.state.not_in(_RELEASED), _HAS_THE_BILL)
        .order_by(Payment.id)
    ).all()
    several = {invoice_id for invoice_id, count in Counter(row[0] for row in found).items() if count > 1}
    return {
        invoice_id: payment_id
        for invoice_id, payment_id in found
        if invoice_id not in several or position_of(session, payment_id).taken
    }


def times_closed(session: Session, *, invoice_id: str) -> int:
    """How often it was known of a payment of this invoice that it had not happened, or not lasted."""
    return session.scalars(
        select(func.count())
        .select_from(PaymentHistory)
        .join(Payment, Payment.id == PaymentHistory.payment_id)
        .where(Payment.invoice_id == invoice_id, PaymentHistory.after.in_(_RELEASED))
    ).one()


def decided_amounts(session: Session, *, invoice_ids: Sequence[str]) -> dict[str, Money]:
    """For each invoice that is in payment: what that payment takes from the account, as its customer decided; for each
    that is paid: what all that have paid it took."""
    found = session.scalars(
        select(Payment)
        .join(Invoice, Invoice.id == Payment.invoice_id)
        .where(
            Payment.invoice_id.in_(invoice_ids),
            Payment.state.not_in(_RELEASED),
            Invoice.state.in_((InvoiceState.IN_PAYMENT, InvoiceState.PAID)),
            _HAS_THE_BILL,
        )
        .order_by(Payment.id)
    ).all()
    several = {invoice_id for invoice_id, count in Counter(each.invoice_id for each in found).items() if count > 1}
    amounts: dict[str, Money] = {each.invoice_id: each.amount for each in found}
    for invoice_id in several:  # of which some may have found no room in it
        positions = positions_of(session, invoice_id)
        of_each = [positions[each.id] for each in found if each.invoice_id == invoice_id]
        minor = sum(each.held + each.settled - each.on_top for each in of_each)
        amounts[invoice_id] = Money(minor, amounts[invoice_id].currency)
    return amounts


def taken_under_way(session: Session, *, invoice_ids: Sequence[str]) -> dict[str, int]:
    """How much payments under way take of these invoices, in minor units: what leaves the account, and what is let
    off."""
    rows = session.execute(
        select(Payment.invoice_id, func.sum(Decision.amount_minor + Decision.discount_minor))
        .join(Decision, Decision.id == Payment.decision_id)
        .where(Payment.invoice_id.in_(invoice_ids), Payment.state.not_in(OVER))
        .group_by(Payment.invoice_id)
    )
    return {invoice_id: int(minor) for invoice_id, minor in rows}


def not_known(session: Session, *, invoice_ids: Sequence[str]) -> set[str]:
    """Those of these invoices of whose payment nobody knows yet what became of it."""
    unknown = Payment.state == PaymentState.UNKNOWN
    return set(session.scalars(select(Payment.invoice_id).where(Payment.invoice_id.in_(invoice_ids), unknown)))


def is_decided(session: Session, *, payment_id: str, customer_id: str) -> bool:
    """Whether this customer decided this payment, though the bank may not have been told yet."""
    return (
        session.scalar(
            select(Decision.id).where(Decision.payment_id == payment_id, Decision.customer_id == customer_id)
        )
        is not None
    )


def _select(now: dt.datetime | BindParameter[dt.datetime]) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Payment,
            Decision,
            Invoice.number,
            Invoice.state,
            Invoice.credited_minor,
            func.coalesce(Biller.name, Invoice.payee_name),
            or_(is_bill_stopped(now), Invoice.is_set_aside),
            Consent,
            PaymentHistory.source,
            PaymentHistory.evidence,
        )
        .join(Decision, Decision.id == Payment.decision_id)
        .join(Invoice, Invoice.id == Payment.invoice_id)
        .outerjoin(Biller, Biller.id == Payment.biller_id)
        .outerjoin(Consent, Consent.id == Payment.consent_id)
        .join(
            PaymentHistory,
            and_(PaymentHistory.payment_id == Payment.id, PaymentHistory.sequence == Payment.sequence),
        )
    )


def _seen_in_the_ledger(session: Session, view: PaymentView) -> PaymentView:
    """With what only the books know: whether it, or another payment instead, was executed."""
    if view.state == PaymentState.SETTLED:
        on_top = position_of(session, view.id).on_top
        return dataclasses.replace(view, on_top=Money(on_top, view.amount.currency)) if on_top else view
    if view.truth is Truth.KEPT and (view.unwanted or view.is_wanted_back):
        answered = calls.drop_answered(session, session.get_one(Payment, view.id))
        view = dataclasses.replace(view, drop_refused=answered is not None)
    if not view.unwanted:
        return view
    why = gives_way(session, session.get_one(Payment, view.id))
    reason = None if why is None else why.reason
    return dataclasses.replace(
        view,
        paid_otherwise=reason is Reason.PAID_OTHERWISE,
        earlier_taken=reason is Reason.EARLIER_BILL,
        same_taken=reason is Reason.SAME_BILL,
        consent_ended=reason is Reason.CONSENT_ENDED,
        account_held=reason is Reason.ACCOUNT_HELD,
        stopped_all=reason is Reason.STOPPED_ALL,
    )


def _view(
    now: dt.datetime,
    way: Way,
    payment: Payment,
    decision: Decision,
    number: str,
    bill_state: str,
    credited_minor: int,
    biller: str,
    is_held_off: bool,
    consent: Consent | None,
    source: str,
    evidence: str,
) -> PaymentView:
    state = PaymentState(payment.state)
    meaning = MEANING[state]
    waiting = state is PaymentState.AWAITING_CUSTOMER
    kept = is_kept(payment, now=now)
    unwanted = payment.unwanted_since is not None and (waiting or kept or state is PaymentState.UNKNOWN)
    corrected = credited_minor > decision.credited_minor
    # back from the bank and its answer is not read yet: nobody may say "not approved" to somebody who has approved
    truth = Truth.NOT_KNOWN if waiting and way.returned_at is not None else meaning.truth
    if state is PaymentState.AUTHORISED and payment.send_from is not None:
        truth = Truth.SCHEDULED
    if kept:
        truth = Truth.KEPT
    return PaymentView(
        id=payment.id,
        state=state,
        version=f"{state}-{bill_state}-{payment.updated_at.timestamp():.6f}{'-unwanted' if unwanted else ''}"
        f"{f'-{credited_minor}' if corrected else ''}{'-kept' if kept else ''}",
        truth=truth,
        may_pay_again=meaning.may_pay_again and bill_state == InvoiceState.TO_PAY and not is_held_off,
        bill_state=bill_state,
        source=source,
        biller_name=biller,
        is_delivered=payment.biller_id is not None,
        number=number,
        invoice_id=payment.invoice_id,
        amount=payment.amount,
        let_off=Money(decision.discount_minor, decision.currency) if decision.discount_minor else None,
        rest=Money(decision.rest_minor, decision.currency) if decision.rest_minor else None,
        payee_name=decision.payee_name,
        payee_iban=decision.payee_iban,
        reference=decision.reference,
        bank_id=payment.bank_id,
        bank_name=payment.bank_id,
        consent_id=None if way.has_trip else payment.consent_id,
        approach=None if consent is None else consent.sca.get("approach"),
        end_to_end_id=payment.end_to_end_id,
        bank_payment_id=payment.bank_payment_id,
        pay_on=decision.pay_on,
        decided_at=decision.decided_at,
        updated_at=payment.updated_at,
        settled_at=payment.settled_at,
        fact=payment.fact,
        arrival_confirmed=is_arrival_confirmed(payment.fact, source=source, evidence=evidence),
        reason=payment.reason,
        know_by=payment.know_by,
        told_until=payment.told_until,
        untold=payment.untold_since is not None,
        promises_broken=payment.promises_broken,
        doubted=state is PaymentState.UNKNOWN and payment.doubted_since is not None,
        unwanted=unwanted,
        paid_otherwise=False,
        earlier_taken=False,
        same_taken=False,
        consent_ended=False,
        account_held=False,
        stopped_all=False,
        corrected=corrected,
        is_kept_payment=payment.kept_until is not None,
        bank_had_it=payment.accepted_at is not None,
        is_wanted_back=kept and payment.take_back_since is not None,
        link_open=waiting and way.returned_at is None and not unwanted,
        cancellable=(waiting and way.given_out_at is None) or may_withhold(payment),
        approved=_is_approved(payment, way),
        final=state in OVER,
        is_looked_at=state in CLOSED and payment.next_look_at is not None,
        steps=_steps(payment, decision, way),
    )


def is_arrival_confirmed(fact: str | None, *, source: str, evidence: str) -> bool:
    """Whether the bank itself said that the payee's account was credited, by the line of history that settled it.

    That a payment arrived may also be known from a statement, after the bank has said no more than that it left.
    """
    return fact == Fact.CREDITED and source == Source.BANK and evidence == _ARRIVED


def _is_approved(payment: Payment, way: Way) -> bool:
    """At the bank, as far as we know: it says so, or it sent the customer back with a code."""
    return payment.accepted_at is not None or way.is_approved


def _steps(payment: Payment, decision: Decision, way: Way) -> tuple[StepView, ...]:
    approved = _is_approved(payment, way)
    steps = (
        StepView(key="confirmed", done=True, at=decision.decided_at),
        StepView(key="sent", done=way.given_out_at is not None, at=way.given_out_at),
        StepView(key="approved", done=approved, at=payment.accepted_at or (way.returned_at if approved else None)),
        StepView(key="settled", done=payment.settled_at is not None, at=payment.settled_at),
    )
    return steps if way.has_trip else tuple(step for step in steps if step.key != "approved")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOutcome:
    """A payment whose end is not known, as an operator sees it: nothing about who pays what to whom."""

    id: str
    accepted: bool  #: the bank accepted it, and nobody can be asked any more whether it was settled
    bank_id: str
    bank_payment_id: str | None
    since: dt.datetime
    silent_since: dt.datetime | None
    fence_at: dt.datetime | None
    know_by: dt.datetime | None
    told_until: dt.datetime | None  #: until when the bank can be asked, where only a token is told of it
    untold_since: dt.datetime | None  #: nobody can be asked any more: it waits for a statement or for an operator
    promises_broken: int


def open_outcomes(session: Session, *, now: dt.datetime, most: int = 200) -> list[OpenOutcome]:
    """Unknown outcomes, and those of accepted payments that nobody can be asked about, or that a bank has kept longer
    than until their day: first those that wait for an operator, then the most often promised, then the oldest."""
    overdue = Payment.kept_until < now - KEPT_OVERDUE
    untold = and_(Payment.state == PaymentState.ACCEPTED, or_(Payment.untold_since.is_not(None), overdue))
    rows = session.scalars(
        select(Payment)
        .where(or_(Payment.state == PaymentState.UNKNOWN, untold))
        .order_by(Payment.untold_since.is_(None), Payment.promises_broken.desc(), Payment.id)
        .limit(most)
    )
    return [
        OpenOutcome(
            id=payment.id,
            accepted=payment.state == PaymentState.ACCEPTED,
            bank_id=payment.bank_id,
            bank_payment_id=payment.bank_payment_id,
            since=payment.updated_at,
            silent_since=payment.silent_since,
            fence_at=payment.fence_at,
            know_by=payment.know_by,
            told_until=payment.told_until,
            untold_since=payment.untold_since,
            promises_broken=payment.promises_broken,
        )
        for payment in rows
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidedOften:
    """A bill whose biller corrected it again and again after its customer had decided, as an operator sees it."""

    invoice_id: str
    biller_name: str
    number: str
    times: int


def voided_often(session: Session, *, least: int = 2, most: int = 200) -> list[VoidedOften]:
    """Bills of which at least so many payments were stopped because of a correction, the most often first."""
    times = func.count(Payment.id)
    rows = session.execute(
        select(Payment.invoice_id, Biller.name, Invoice.number, times)
        .join(Invoice, Invoice.id == Payment.invoice_id)
        .join(Biller, Biller.id == Payment.biller_id)
        .where(Payment.reason == Reason.BILL_CORRECTED)
        .group_by(Payment.invoice_id, Biller.name, Invoice.number)
        .having(times >= least)
        .order_by(times.desc(), Payment.invoice_id)
        .limit(most)
    )
    return [VoidedOften(invoice_id=row[0], biller_name=row[1], number=row[2], times=row[3]) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class BillForBiller:
    """A delivered bill as its biller sees it."""

    id: str
    number: str
    status: str  #: open or paid; corrections say more of it
    amount: Money
    delivered_at: dt.datetime
    payments: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentForBiller:
    """A payment as the biller sees it: never the payer's account."""

    id: str
    bill_id: str
    number: str
    status: str  #: open, paid or failed
    amount: Money
    end_to_end_id: str
    decided_at: dt.datetime
    pay_on: dt.date  #: the day for which its customer decided it
    settled_at: dt.datetime | None
    updated_at: dt.datetime
    sequence: int  #: grows with each step: which of two messages is the later one


def bill_for_biller(session: Session, *, bill_id: str, biller_id: str) -> BillForBiller:
    """One delivered bill of this biller. Raises NotFound. Before the invoice is opened it is simply open."""
    row = session.execute(
        select(DeliveredBill, Invoice)
        .outerjoin(Invoice, Invoice.bill_id == DeliveredBill.id)
        .where(DeliveredBill.id == bill_id, DeliveredBill.biller_id == biller_id)
    ).one_or_none()
    if row is None:
        raise NotFound("bill")
    delivered: DeliveredBill = row[0]
    invoice: Invoice | None = row[1]
    payments: Sequence[str] = ()
    if invoice is not None:
        payments = session.scalars(
            select(Payment.id).where(Payment.invoice_id == invoice.id).order_by(Payment.id).limit(PAYMENTS_MOST)
        ).all()
    return BillForBiller(
        id=delivered.id,
        number=delivered.number,
        status="paid" if invoice is not None and invoice.state == InvoiceState.PAID else "open",
        amount=Money(delivered.amount_minor, delivered.currency),
        delivered_at=delivered.delivered_at,
        payments=tuple(payments),
    )


_FOR_BILLER = (
    select(Payment, Decision.decided_at, Decision.pay_on, Invoice)
    .join(Decision, Decision.id == Payment.decision_id)
    .join(Invoice, Invoice.id == Payment.invoice_id)
    .where(Payment.id == bindparam("of_payment"), Payment.biller_id == bindparam("of_biller"))
)


def payment_for_biller(session: Session, *, payment_id: str, biller_id: str) -> PaymentForBiller:
    """One payment of a bill of this biller. Raises NotFound."""
    row = session.execute(_FOR_BILLER, {"of_payment": payment_id, "of_biller": biller_id}).one_or_none()
    if row is None:
        raise NotFound("payment")
    payment, decided_at, pay_on, invoice = row
    return PaymentForBiller(
        id=payment.id,
        bill_id=invoice.delivery.bill_id,
        number=invoice.number,
        status=MEANING[PaymentState(payment.state)].outside,
        amount=payment.amount,
        end_to_end_id=payment.end_to_end_id,
        decided_at=decided_at,
        pay_on=pay_on,
        settled_at=payment.settled_at,
        updated_at=payment.updated_at,
        sequence=payment.sequence,
    )
