"""The order that is signed: what a customer wants of a bill, what that takes of it today, and every word that stands in
it. Nothing is written here."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict, FieldError, Invalid
from app.journey.decisions import payee_checks, under_consent
from app.journey.decisions.bank_days import is_bank_day
from app.journey.decisions.models import PayeeCheck
from app.journey.invoices.access import must_take_parts, payee_of
from app.journey.invoices.chain import EarlierPayments, earlier_payments
from app.journey.invoices.models import Invoice
from app.journey.invoices.rules import discount_on
from app.journey.ledger.service import executed_of
from app.people import passkeys
from app.people.customers import morning_of, today_of
from app.people.models import Customer
from connectors.money import Money, exponent_of
from connectors.profile import BankProfile

#: from today
LATER_MOST = dt.timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How the customer wants to pay an invoice."""

    consent_id: object = None  #: of a standing consent; None: they approve the payment at their bank
    part: object = None  #: so much of what is left, like ``40.00``; None: all of it
    #: a later day, like ``2026-12-05``: under a standing consent, or at a bank that keeps a payment until then;
    #: None: today. All three unchecked
    pay_on: object = None


ALL_AT_ONCE = Wanted()


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one payment takes of an invoice, and what it leaves: the three sum to what was left."""

    amount: Money  #: leaves the customer's account
    discount: Money  #: is let off
    rest: Money
    discount_until: dt.date | None = None  #: the last day of the discount that it is


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
    besides_minor: int = 0,
) -> dict[str, str]:
    """The order to pay this invoice as it is at this moment. ``besides_minor``: what other bills that are signed with
    it take of the same standing consent. Raises Conflict (NotCovered among them), Invalid, and NotFound for a standing
    consent that is not this customer's at this bank."""
    earlier = earlier_of(uow.session, invoice)
    if wanted.part is not None or invoice.held_back_minor:
        must_take_parts(invoice)
    today = today_of(customer, uow.now)
    day = day_of(wanted, bank=bank, currency=invoice.currency, today=today, now=uow.now)
    price = price_of(invoice, day=day, part=wanted.part)
    parts = executed_of(uow.session, [invoice.id]) if invoice.paid_minor else ()
    order = order_of(invoice, bank=bank, day=day, price=price, parts=parts, earlier=earlier, check=check)
    if wanted.consent_id is None:
        return order if day == today else order | {"kept_by": bank.id}
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
        besides_minor=besides_minor,
    )
    return order | {"consent": standing.consent_id}


def day_of(wanted: Wanted, *, bank: BankProfile, currency: str, today: dt.date, now: dt.datetime) -> dt.date:
    """The customer's local day on which it is to be paid. Raises Invalid."""
    if wanted.pay_on is None:
        return today
    try:
        day = dt.date.fromisoformat(str(wanted.pay_on))
    except ValueError as error:
        raise _wrong_day() from error
    may_be_kept = bank.keeps_days and is_kept_day(day, currency=currency, now=now)
    if not today < day <= today + LATER_MOST or (wanted.consent_id is None and not may_be_kept):
        raise _wrong_day()
    return day


def is_kept_day(day: dt.date, *, currency: str, now: dt.datetime) -> bool:
    """Whether a bank that keeps payments can be given one for this day: it has not come by the bank's clock, either,
    and banks work on it, so that it need not be shifted."""
    return day > now.date() and is_bank_day(day, currency=currency)


def _wrong_day() -> Invalid:
    detail = (
        "Choose a day from tomorrow on, within a year: one on which your standing consent allows the payment; or, at a"
        " bank that keeps payments until their day, one on which banks work."
    )
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
        _earlier_as_signed(earlier)
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


def _earlier_as_signed(earlier: EarlierPayments | None) -> dict[str, str]:
    if earlier is None:
        return {}
    known = {"earlier_paid": earlier.executed, "earlier_not_here": earlier.not_here}
    return {name: " ".join(ids) for name, ids in known.items() if ids}


def shown_of(order: dict[str, str] | list[dict[str, str]]) -> str:
    """The hash of an order, or of several. The page that shows it carries this to the ceremony."""
    return hashlib.sha256(passkeys.canonical(order)).hexdigest()


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
