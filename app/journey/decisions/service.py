"""Deciding to pay: first the exact order is signed with the passkey, then it is written down, then anything moves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from app.audit import entries
from app.audit.kinds import Kind
from app.db.unit_of_work import Recorded, UnitOfWork
from app.errors import Conflict, Invalid
from app.journey.consents.my_banks import has_removed
from app.journey.decisions import orders, payee_checks, under_consent
from app.journey.decisions.events import PaymentDecided
from app.journey.decisions.models import Decision, Verb
from app.journey.decisions.orders import ALL_AT_ONCE, Wanted
from app.journey.invoices import service as invoices
from app.journey.invoices.access import (
    invoice_of_customer,
    must_be_free,
    must_have_open_account,
    must_not_be_set_aside,
    payee_of,
)
from app.journey.ledger.rules import Claim
from app.people import biller_queue, passkeys, stops
from app.people.customers import today_of
from app.people.models import Customer
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
    _must_not_be_removed(uow, customer_id=customer.id, bank=bank)
    invoice = invoice_of_customer(uow.session, invoice_id=invoice_id, customer_id=customer.id)
    payee_of(invoice)
    must_be_free(invoice)
    must_not_be_set_aside(invoice)
    must_have_open_account(uow, invoice)
    check = payee_checks.must_stand(uow, invoice, bank=bank)
    order = orders.order_now(uow, customer=customer, invoice=invoice, bank=bank, check=check, wanted=wanted)
    _check_signed_in(uow, customer_id=customer.id, bank=bank)
    if shown != orders.shown_of(order):
        raise _changed()
    return passkeys.start_payment(uow, party=party, customer_id=customer.id, order=order)


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
    customer = signed_in.customer
    taken = passkeys.take(uow, token=ceremony, purpose="pay", customer_id=customer.id)
    signed: dict[str, Any] = taken.data["order"]
    invoice = invoice_of_customer(uow.session, invoice_id=invoice_id, customer_id=customer.id)
    biller_queue.wait_to_read(uow.session, invoice.biller_id)
    payee_checks.lock_with_twins(uow.session, invoice)
    invoice = invoice_of_customer(uow.session, invoice_id=invoice_id, customer_id=customer.id, lock=True)
    payee_name, payee_iban = payee_of(invoice)
    # before all that says that nothing was paid: a payment that is under way may have moved money
    must_be_free(invoice)
    must_not_be_set_aside(invoice)
    must_have_open_account(uow, invoice, lock=True)
    stops.hold_off(uow.session, customer.id)
    stops.must_not_stand(uow, customer.id)
    bank = banks.get(signed["bank"])
    today = today_of(customer, uow.now)
    if bank is None:
        raise _changed()
    _must_not_be_removed(uow, customer_id=customer.id, bank=bank)
    check = payee_checks.must_stand(uow, invoice, bank=bank)
    consent_id = signed.get("consent")
    if consent_id is not None:
        under_consent.lock(uow.session, consent_id=consent_id, customer_id=customer.id)
    part = str(Money(int(signed["amount_minor"]), signed["currency"])) if "rest_minor" in signed else None
    later = signed["day"] if "sent_from" in signed or "kept_by" in signed else None
    if later is not None and later <= today.isoformat():
        raise _changed()  # it was to wait for its day, and could be cancelled until then
    wanted = Wanted(consent_id=consent_id, part=part, pay_on=later)
    if signed != orders.order_now(uow, customer=customer, invoice=invoice, bank=bank, check=check, wanted=wanted):
        raise _changed()
    _check_signed_in(uow, customer_id=customer.id, bank=bank)
    _, evidence = passkeys.verify(uow, party=party, ceremony=taken, credential=credential, customer_id=customer.id)
    day = orders.day_of(wanted, bank=bank, currency=invoice.currency, today=today, now=uow.now)
    price = orders.price_of(invoice, day=day, part=part)
    payment_id = new_id("pay")
    claimed = Claim(
        invoice_id=invoice.id,
        payment_id=payment_id,
        creditor=invoice.creditor,
        amount=price.amount,
        discount=price.discount,
    )
    invoices.claim(uow, claimed)
    decision = Decision(
        id=new_id("dec"),
        customer_id=customer.id,
        invoice_id=invoice.id,
        verb=Verb.PAY_NOW if day == today else Verb.PAY_ON_DAY,
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
        pay_on=day,
        bank_id=bank.id,
        payee_name=payee_name,
        payee_iban=payee_iban,
        reference=invoice.reference,
        payment_id=payment_id,
        consent_id=consent_id,
        payee_check_id=check.id if check is not None else None,
        evidence=evidence,
        psu=asdict(psu),
        decided_at=uow.now,
    )
    uow.session.add(decision)
    entries.write(uow, Kind.PAYMENT_DECIDED, decision)
    uow.session.flush()
    recorded = uow.record(PaymentDecided(decision_id=decision.id, payment_id=decision.payment_id), head_start=True)
    if consent_id is not None:
        at = orders.sent_from(day, customer=customer, decided_at=uow.now) or uow.now
        under_consent.take(uow, consent_id=consent_id, payment_id=payment_id, minor=price.amount.minor, at=at)
    return Decided(decision.payment_id, recorded, under_consent=consent_id is not None)


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


def _changed() -> Conflict:
    return Conflict("order-changed", "Something in this payment has changed since you saw it. Please check it again.")
