"""Deciding to pay: first the exact order is signed with the passkey, then it is written down, then anything moves."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.audit import entries
from app.audit.kinds import Kind
from app.db.unit_of_work import Recorded, UnitOfWork
from app.errors import Conflict, FieldError, Invalid
from app.journey.consents.my_banks import has_removed
from app.journey.decisions import payee_checks, under_consent
from app.journey.decisions.events import PaymentDecided
from app.journey.decisions.models import Decision, PayeeCheck, Verb
from app.journey.invoices import service as invoices
from app.journey.invoices.access import (
    invoice_of_customer,
    must_be_free,
    must_have_open_account,
    must_not_be_paid_on_top,
    must_not_be_set_aside,
    must_take_parts,
    payee_of,
)
from app.journey.invoices.chain import EarlierPayments, earlier_payments
from app.journey.invoices.models import Invoice
from app.journey.invoices.rules import discount_on
from app.journey.ledger.rules import Claim
from app.journey.ledger.service import executed_of
from app.people import biller_queue, passkeys, stops
from app.people.customers import morning_of, today_of
from app.people.models import Customer
from app.people.passkeys import RelyingParty, Started
from app.people.sessions import SignedIn
from connectors.contract import PsuContext
from connectors.money import Money, exponent_of
from connectors.profile import BankProfile
from consent import sign_ins
from consent.base import new_id

#: from today
LATER_MOST = dt.timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Decided:
    """The payment that the decision starts, and the work that starts it."""

    payment_id: str
    work: Recorded
    under_consent: bool  #: nobody is to approve it at the bank


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How the customer wants to pay an invoice."""

    consent_id: object = None  #: of a standing consent; None: they approve the payment at their bank
    part: object = None  #: so much of what is left, like ``40.00``; None: all of it
    #: a later day, like ``2026-12-05``, which only a standing consent allows; None: today. All three unchecked
    pay_on: object = None


ALL_AT_ONCE = Wanted()


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one payment takes of an invoice, and what it leaves: the three sum to what was left."""

    amount: Money  #: leaves the customer's account
    discount: Money  #: is let off
    rest: Money
    discount_until: dt.date | None = None  #: the last day of the discount that it is


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
    order = order_now(uow, customer=customer, invoice=invoice, bank=bank, check=check, wanted=wanted)
    _check_signed_in(uow, customer_id=customer.id, bank=bank)
    if shown != shown_of(order):
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
    later = signed["day"] if "sent_from" in signed else None
    if later is not None and later <= today.isoformat():
        raise _changed()  # it was to wait for its day, and could be cancelled until then
    wanted = Wanted(consent_id=consent_id, part=part, pay_on=later)
    if signed != order_now(uow, customer=customer, invoice=invoice, bank=bank, check=check, wanted=wanted):
        raise _changed()
    _check_signed_in(uow, customer_id=customer.id, bank=bank)
    _, evidence = passkeys.verify(uow, party=party, ceremony=taken, credential=credential, customer_id=customer.id)
    day = _day_of(wanted, today=today)
    price = price_of(invoice, day=day, part=part)
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
        at = sent_from(day, customer=customer, decided_at=uow.now) or uow.now
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


def earlier_of(session: Session, invoice: Invoice) -> EarlierPayments:
    """What has, or may have, paid bills which this one replaces. Raises Conflict when a payment of one is under way."""
    earlier = earlier_payments(session, invoice.id)
    if earlier.in_payment:
        raise Conflict(
            "earlier-in-payment",
            "A payment of the bill that this one replaces is under way. Wait until it is known what became of it.",
        )
    return earlier


def order_now(
    uow: UnitOfWork,
    *,
    customer: Customer,
    invoice: Invoice,
    bank: BankProfile,
    check: PayeeCheck | None,
    wanted: Wanted = ALL_AT_ONCE,
) -> dict[str, str]:
    """The order to pay this invoice as it is at this moment. Raises Conflict (NotCovered among them), Invalid, and
    NotFound for a standing consent that is not this customer's at this bank."""
    earlier = earlier_of(uow.session, invoice)
    must_not_be_paid_on_top(uow.session, invoice)
    if wanted.part is not None or invoice.held_back_minor:
        must_take_parts(uow.session, invoice)
    day = _day_of(wanted, today=today_of(customer, uow.now))
    price = price_of(invoice, day=day, part=wanted.part)
    parts = executed_of(uow.session, [invoice.id]) if invoice.paid_minor else ()
    order = order_of(invoice, bank=bank, day=day, price=price, parts=parts, earlier=earlier, check=check)
    if wanted.consent_id is None:
        return order
    begins_at = sent_from(day, customer=customer, decided_at=uow.now)
    if begins_at is not None:
        order |= {"sent_from": begins_at.isoformat()}
    standing = under_consent.must_cover(
        uow,
        invoice=invoice,
        amount=price.amount,
        bank=bank,
        consent_id=wanted.consent_id,
        at=begins_at or uow.now,
    )
    return order | {"consent": standing.consent_id}


def _day_of(wanted: Wanted, *, today: dt.date) -> dt.date:
    """The customer's local day on which it is to be paid. Raises Invalid."""
    if wanted.pay_on is None:
        return today
    try:
        day = dt.date.fromisoformat(str(wanted.pay_on))
    except ValueError as error:
        raise _wrong_day() from error
    if wanted.consent_id is None or not today < day <= today + LATER_MOST:
        raise _wrong_day()
    return day


def _wrong_day() -> Invalid:
    detail = "Choose a day from tomorrow on, within a year, on which your standing consent allows the payment."
    return Invalid("pay_on", detail, errors=(FieldError("/pay_on", detail),))


def sent_from(day: dt.date, *, customer: Customer, decided_at: dt.datetime) -> dt.datetime | None:
    """From when on what is decided for that day of its customer's is given to the bank. None: at once."""
    return morning_of(day, time_zone=customer.time_zone) if day > today_of(customer, decided_at) else None


def order_of(
    invoice: Invoice,
    *,
    bank: BankProfile,
    day: dt.date,
    price: Price,
    parts: Sequence[str] = (),
    earlier: EarlierPayments | None = None,
    check: PayeeCheck | None = None,
) -> dict[str, str]:
    """What is signed. Every field is text, so that its canonical form has one spelling. Raises Invalid.

    Of a part what it leaves to pay stands in it, and the payments of the parts before it; the payments of bills which
    this one replaces, where there are any, and those of these bills that were not to be paid from here: the page warned
    of them. So does the last day of a request to pay, where that is over, and what was checked of a payee that nobody
    verified.
    """
    if invoice.currency not in bank.currencies:
        raise Invalid("bank-currency", f"{bank.name} makes no payments in {invoice.currency}. Choose another bank.")
    payee_name, payee_iban = payee_of(invoice)
    over = {"expired_on": invoice.expires_on.isoformat()} if invoice.expires_on and invoice.is_expired(day) else {}
    rest = {"rest_minor": str(price.rest.minor)} if price.rest.minor else {}
    paid = {"parts_paid": " ".join(parts)} if parts else {}
    return (
        _as_signed(earlier)
        | rest
        | paid
        | over
        | payee_checks.as_signed(check)
        | {
            "invoice": invoice.id,
            "payee": payee_name,
            "iban": payee_iban,
            "amount_minor": str(price.amount.minor),
            "currency": invoice.currency,
            "reference": invoice.reference or "",
            "day": day.isoformat(),
            "bank": bank.id,
        }
    )


def _as_signed(earlier: EarlierPayments | None) -> dict[str, str]:
    if earlier is None:
        return {}
    known = {"earlier_paid": earlier.executed, "earlier_not_here": earlier.not_here}
    return {name: " ".join(ids) for name, ids in known.items() if ids}


def shown_of(order: dict[str, str]) -> str:
    """The hash of an order. The page that shows it carries this to the ceremony."""
    return hashlib.sha256(passkeys.canonical(order)).hexdigest()


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
        order = order_now(uow, customer=customer, invoice=invoice, bank=bank, check=check, wanted=wanted)
        return shown_of(order)
    except (Conflict, Invalid):
        return None


def _changed() -> Conflict:
    return Conflict("order-changed", "Something in this payment has changed since you saw it. Please check it again.")


def price_of(invoice: Invoice, *, day: dt.date, part: object = None) -> Price:
    """Of all that is left, or of a ``part`` of it like ``40.00``, on the customer's local ``day``. A part has no
    discount: that is for who pays all at once. What is held back while lines are disputed is left in any case: all the
    rest is a part then. Raises Invalid."""
    nothing, left, held = Money(0, invoice.currency), invoice.left, invoice.held_back
    if part is None and held.minor:
        return Price(amount=invoice.to_pay, discount=nothing, rest=held)
    if part is None:
        taken = discount_on(invoice.discounts, day)
        if taken is None:
            return Price(amount=left, discount=nothing, rest=nothing)
        return Price(amount=left - taken.saves, discount=taken.saves, rest=nothing, discount_until=taken.until)
    amount = checked_part(part, left=left, held=held)
    return Price(amount=amount, discount=nothing, rest=left - amount)


def checked_part(part: object, *, left: Money, held: Money) -> Money:
    """An amount like ``40.00`` that is less than what is left, and no more than what is not held back of it. Raises
    Invalid."""
    written = str(part)
    if len(written.partition(".")[2]) > exponent_of(left.currency):  # 1.000 is a thousand to many
        raise _wrong_part(f"Write {left.currency} with {exponent_of(left.currency)} decimals at the most.")
    try:
        amount = Money.parse(written, left.currency)
    except ValueError as error:
        raise _wrong_part(f"{error}.") from None
    most = left - held
    if held.minor and not 0 < amount.minor <= most.minor:
        raise _wrong_part(f"Write {most} {left.currency} at the most: {held} is held back while you dispute lines.")
    if not 0 < amount.minor < left.minor:
        raise _wrong_part(f"Write an amount that is less than what is left to pay: {left} {left.currency}.")
    return amount


def _wrong_part(detail: str) -> Invalid:
    return Invalid("part", detail, errors=(FieldError("/part", detail),))
