"""Deciding to pay: first the exact order is signed with the passkey, then it is written down, then anything moves."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from app.audit import entries
from app.audit.kinds import Kind
from app.db.unit_of_work import Recorded, UnitOfWork
from app.errors import AppError, Conflict, Invalid
from app.journey.consents.my_banks import has_removed
from app.journey.decisions import orders, payee_checks, under_consent
from app.journey.decisions.events import PaymentDecided, PaymentScheduled
from app.journey.decisions.models import Decision, PayeeCheck, Verb
from app.journey.decisions.orders import ALL_AT_ONCE, Price, Wanted
from app.journey.invoices import service as invoices
from app.journey.invoices.access import (
    invoice_of_customer,
    must_be_free,
    must_have_open_account,
    must_not_be_set_aside,
    payee_of,
)
from app.journey.invoices.models import Invoice
from app.journey.ledger.rules import Claim
from app.people import biller_queue, passkeys, stops
from app.people.customers import today_of
from app.people.models import Ceremony, Customer
from app.people.passkeys import RelyingParty, Started
from app.people.sessions import SignedIn
from connectors.contract import PsuContext
from connectors.money import Money
from connectors.profile import BankProfile
from consent import sign_ins
from consent.base import new_id


@dataclass(frozen=True, slots=True)
class Decided:
    """The payment that the decision starts, and the work that starts it."""

    payment_id: str
    work: Recorded
    under_consent: bool  #: nobody is to approve it at the bank


@dataclass(frozen=True, slots=True, kw_only=True)
class ToPay:
    """A bill, from which bank it is to be paid, and how."""

    invoice_id: str
    bank: BankProfile
    wanted: Wanted = ALL_AT_ONCE


def start_paying(
    uow: UnitOfWork,
    *,
    signed_in: SignedIn,
    party: RelyingParty,
    invoice_id: str,
    bank: BankProfile,
    shown: object,
    wanted: Wanted = ALL_AT_ONCE,
) -> Started:
    """Hand out the challenge that binds the customer's signature to payee, account, amount, currency, day and bank; and
    to the standing consent, where it is to be paid under one. Of a part what it leaves to pay is signed, too.

    ``shown`` is what ``shown_of`` said of the order when the page was drawn: nobody signs what they were not shown.
    Raises NotFound, Conflict (it is another order by now; a payment of it, or of a bill that it replaces, is under way;
    the account of its biller is not open; the payee is to be checked first; the bank wants its customer to sign in
    there before; the customer has stopped everything; NotCovered), NotAllowed (demo visit, no passkey). Nothing is
    decided yet.
    """
    signed_in.check_acts()
    customer = signed_in.customer
    stops.must_not_stand(uow, customer.id)
    order = order_to_sign(uow, customer=customer, bill=ToPay(invoice_id=invoice_id, bank=bank, wanted=wanted))
    if shown != orders.shown_of(order):
        raise changed()
    return passkeys.start_payment(uow, party=party, customer_id=customer.id, order=order)


def order_to_sign(uow: UnitOfWork, *, customer: Customer, bill: ToPay, besides_minor: int = 0) -> dict[str, str]:
    """The order of a bill that could be decided on at this moment. ``besides_minor``: what other bills that are signed
    with it take of the same standing consent. Raises as ``start_paying`` does."""
    _must_not_be_removed(uow, customer_id=customer.id, bank=bill.bank)
    invoice = invoice_of_customer(uow.session, invoice_id=bill.invoice_id, customer_id=customer.id)
    payee_of(invoice)
    must_be_free(invoice)
    must_not_be_set_aside(invoice)
    must_have_open_account(uow, invoice)
    check = payee_checks.must_stand(uow, invoice, bank=bill.bank)
    order = orders.order_now(
        uow,
        customer=customer,
        invoice=invoice,
        bank=bill.bank,
        check=check,
        wanted=bill.wanted,
        besides_minor=besides_minor,
    )
    _check_signed_in(uow, customer_id=customer.id, bank=bill.bank)
    return order


def decide(
    uow: UnitOfWork,
    *,
    signed_in: SignedIn,
    party: RelyingParty,
    invoice_id: str,
    ceremony: object,
    credential: dict[str, Any],
    banks: Mapping[str, BankProfile],
    psu: PsuContext,
) -> Decided:
    """Decide to pay the invoice, or the part of it that was signed, now or on the day that was signed. No money moves
    here; the claim keeps every other payment off. Under a standing consent, which is then in the signed order, as much
    of its limits on that day is claimed in the same transaction.

    The signature must be over the order as it is at this moment: when the day, the discount or the bill has changed
    since the page was shown, the customer is asked again. Raises NotFound, Invalid, NotAllowed, Conflict (NotCovered
    among them); then nothing is written.
    """
    signed_in.check_acts()
    taken = passkeys.take(uow, token=ceremony, purpose="pay", customer_id=signed_in.customer.id)
    signature = Signature(party=party, ceremony=taken, credential=credential, psu=psu)
    signed = {invoice_id: taken.data["order"]}
    [decided] = decide_all(uow, customer=signed_in.customer, signed=signed, signature=signature, banks=banks)
    return decided


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What came back from the customer's device, and the challenge that it is over; not checked yet."""

    party: RelyingParty
    ceremony: Ceremony
    credential: dict[str, Any]
    psu: PsuContext


def decide_all(
    uow: UnitOfWork,
    *,
    customer: Customer,
    signed: Mapping[str, dict[str, str]],
    signature: Signature,
    banks: Mapping[str, BankProfile],
) -> list[Decided]:
    """Decide to pay each of these invoices, by its id, as its order was signed: all of them, or none. What is refused
    says of which it is (``AppError.about``); then nothing may be committed.

    Locked in everybody's order: the queues of the billers, what is due of all these bills and of those that may be the
    same, the invoices, the accounts, the customer's stop, the consents, the passkey, and last the limits.
    """
    found = [invoice_of_customer(uow.session, invoice_id=each, customer_id=customer.id) for each in signed]
    for biller_id in sorted({invoice.biller_id for invoice in found if invoice.biller_id is not None}):
        biller_queue.wait_to_read(uow.session, biller_id)
    payee_checks.lock_with_twins(uow.session, found)
    locked = {each: _to_be_decided(uow, each, customer_id=customer.id) for each in sorted(signed)}
    stops.hold_off(uow.session, customer.id)
    stops.must_not_stand(uow, customer.id)
    for consent_id in sorted({order["consent"] for order in signed.values() if "consent" in order}):
        under_consent.lock(uow.session, consent_id=consent_id, customer_id=customer.id)
    besides: Counter[str | None] = Counter()  # by consent
    agreed = []
    for invoice_id, order in signed.items():
        of, invoice = order.get("consent"), locked[invoice_id]
        with about(invoice_id):
            one = _still_agreed(
                uow, customer=customer, invoice=invoice, signed=order, banks=banks, besides_minor=besides[of]
            )
        besides[of] += one.price.amount.minor
        agreed.append(one)
    party, ceremony, credential = signature.party, signature.ceremony, signature.credential
    _, evidence = passkeys.verify(uow, party=party, ceremony=ceremony, credential=credential, customer_id=customer.id)
    decided = [_write_down(uow, each, customer=customer, evidence=evidence, psu=signature.psu) for each in agreed]
    of_consents = [each for each in zip(agreed, decided, strict=True) if each[1].under_consent]
    for each, made in sorted(of_consents, key=lambda pair: pair[0].signed["consent"]):
        with about(each.invoice.id):
            at = orders.sent_from(each.day, customer=customer, decided_at=uow.now) or uow.now
            minor = each.price.amount.minor
            consent_id = each.signed["consent"]
            under_consent.take(uow, consent_id=consent_id, payment_id=made.payment_id, minor=minor, at=at)
    return decided


@contextlib.contextmanager
def about(invoice_id: str) -> Iterator[None]:
    """Whatever is refused in it says that it is about this invoice."""
    try:
        yield
    except AppError as error:
        error.about = invoice_id
        raise


def _to_be_decided(uow: UnitOfWork, invoice_id: str, *, customer_id: str) -> Invoice:
    """The invoice as it is now, locked together with the account that it is paid to."""
    with about(invoice_id):
        invoice = invoice_of_customer(uow.session, invoice_id=invoice_id, customer_id=customer_id, lock=True)
        payee_of(invoice)
        # before all that says that nothing was paid: a payment that is under way may have moved money
        must_be_free(invoice)
        must_not_be_set_aside(invoice)
        must_have_open_account(uow, invoice, lock=True)
        return invoice


@dataclass(frozen=True, slots=True, kw_only=True)
class _Agreed:
    """One signed order, which is still what would be ordered now."""

    invoice: Invoice
    signed: dict[str, str]
    bank: BankProfile
    check: PayeeCheck | None
    price: Price
    day: dt.date
    is_today: bool


def _still_agreed(
    uow: UnitOfWork,
    *,
    customer: Customer,
    invoice: Invoice,
    signed: dict[str, str],
    banks: Mapping[str, BankProfile],
    besides_minor: int,
) -> _Agreed:
    """Raises Conflict where anything of it has changed."""
    bank, today = banks.get(signed["bank"]), today_of(customer, uow.now)
    if bank is None:
        raise changed()
    _must_not_be_removed(uow, customer_id=customer.id, bank=bank)
    check = payee_checks.must_stand(uow, invoice, bank=bank)
    part = str(Money(int(signed["amount_minor"]), signed["currency"])) if "rest_minor" in signed else None
    later = signed["day"] if "sent_from" in signed or "kept_by" in signed else None
    if later is not None and later <= today.isoformat():
        raise changed()  # it was to wait for its day, and could be cancelled until then
    wanted = Wanted(consent_id=signed.get("consent"), part=part, pay_on=later)
    order = orders.order_now(
        uow,
        customer=customer,
        invoice=invoice,
        bank=bank,
        check=check,
        wanted=wanted,
        besides_minor=besides_minor,
    )
    if signed != order:
        raise changed()
    _check_signed_in(uow, customer_id=customer.id, bank=bank)
    day = orders.day_of(wanted, bank=bank, currency=invoice.currency, today=today, now=uow.now)
    price = orders.price_of(invoice, day=day, part=part)
    return _Agreed(invoice=invoice, signed=signed, bank=bank, check=check, price=price, day=day, is_today=day == today)


def _write_down(
    uow: UnitOfWork, agreed: _Agreed, *, customer: Customer, evidence: dict[str, Any], psu: PsuContext
) -> Decided:
    """Claim what it takes of the invoice, and keep the decision with its evidence."""
    invoice, signed, price = agreed.invoice, agreed.signed, agreed.price
    payee_name, payee_iban = payee_of(invoice)
    payment_id = new_id("pay")
    claimed = Claim(
        invoice_id=invoice.id,
        payment_id=payment_id,
        creditor=invoice.creditor,
        amount=price.amount,
        discount=price.discount,
    )
    with about(invoice.id):
        invoices.claim(uow, claimed)
    decision = Decision(
        id=new_id("dec"),
        customer_id=customer.id,
        invoice_id=invoice.id,
        verb=Verb.PAY_NOW if agreed.is_today else Verb.PAY_ON_DAY,
        currency=invoice.currency,
        amount_minor=claimed.amount.minor,
        discount_minor=claimed.discount.minor,
        discount_until=price.discount_until,
        credited_minor=invoice.credited_minor,
        paid_minor=invoice.paid_minor,
        parts_paid=signed.get("parts_paid", "").split(),
        rest_minor=price.rest.minor,
        earlier_paid=signed.get("earlier_paid", "").split(),
        earlier_not_here=signed.get("earlier_not_here", "").split(),
        pay_on=agreed.day,
        bank_id=agreed.bank.id,
        payee_name=payee_name,
        payee_iban=payee_iban,
        reference=invoice.reference,
        payment_id=payment_id,
        consent_id=signed.get("consent"),
        payee_check_id=agreed.check.id if agreed.check is not None else None,
        evidence=evidence | {"order": signed},  # its own, also where several were signed at once
        psu=asdict(psu),
        decided_at=uow.now,
    )
    uow.session.add(decision)
    entries.write(uow, Kind.PAYMENT_DECIDED, decision)
    uow.session.flush()
    recorded = uow.record(PaymentDecided(decision_id=decision.id, payment_id=decision.payment_id), head_start=True)
    if decision.verb == Verb.PAY_ON_DAY:
        uow.record(PaymentScheduled(decision_id=decision.id, payment_id=decision.payment_id))
    return Decided(decision.payment_id, recorded, under_consent=decision.consent_id is not None)


def _must_not_be_removed(uow: UnitOfWork, *, customer_id: str, bank: BankProfile) -> None:
    """Raises Conflict where its customer wants nothing more of this bank here."""
    if has_removed(uow.session, customer_id=customer_id, bank_id=bank.id):
        raise Conflict("bank-removed", f"You have removed {bank.name}. Nothing was paid: choose another bank.")


def _check_signed_in(uow: UnitOfWork, *, customer_id: str, bank: BankProfile) -> None:
    """Some banks take no order unless their customer has signed in there before. Raises Conflict."""
    if not bank.sign_in_first:
        return
    approval = dt.timedelta(minutes=bank.authorisation_minutes)
    if sign_ins.live(uow.session, customer_id=customer_id, bank_id=bank.id, approval=approval, now=uow.now) is None:
        raise Conflict("sign-in-first", f"{bank.name} wants you to sign in there before it takes a payment.")


def shown_now(
    uow: UnitOfWork, *, customer: Customer, invoice_id: str, bank: BankProfile, wanted: Wanted = ALL_AT_ONCE
) -> str | None:
    """For a page that is about to show the order: read before all else of it, so that whatever changes while it is
    drawn is noticed. None: it cannot be ordered now."""
    invoice = invoice_of_customer(uow.session, invoice_id=invoice_id, customer_id=customer.id)
    try:
        must_not_be_set_aside(invoice)
        must_have_open_account(uow, invoice)
        check = payee_checks.must_stand(uow, invoice, bank=bank)
        order = orders.order_now(uow, customer=customer, invoice=invoice, bank=bank, check=check, wanted=wanted)
        return orders.shown_of(order)
    except (Conflict, Invalid):
        return None


def changed() -> Conflict:
    return Conflict("order-changed", "Something in this payment has changed since you saw it. Please check it again.")
