"""The confirm page, the step-up with the passkey, and the decision."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

from flask import Response, abort, jsonify, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from app.errors import AppError, Invalid, TooLate
from app.journey.answers.read import said_before
from app.journey.banks import sign_in
from app.journey.banks.read import troubled_banks
from app.journey.banks.sign_in import PART_MAX
from app.journey.consents.my_banks import banks_of
from app.journey.corrections.read import chain_of
from app.journey.decisions import orders, payee_checks
from app.journey.decisions import service as decisions
from app.journey.decisions.funds import FundsAnswer, can_be_asked
from app.journey.decisions.read import bank_used_last
from app.journey.decisions.under_consent import ConsentShown, consent_of, shown_consent
from app.journey.invoices.access import invoice_of_customer, not_paid_here, takes_parts
from app.journey.invoices.models import Invoice
from app.journey.invoices.read import InvoiceView, Seal, account_view, invoice_view, origin_of
from app.journey.invoices.states import InvoiceState
from app.journey.payments.coming import told_from
from app.journey.payments.speaker import takes_back
from app.people import passkeys
from app.people.customers import today_of
from app.services import WEB_DEADLINE_S
from app.tasks import run_now
from app.web.context import services, trip_cookie_name
from app.web.customers.bank_view import bank_view
from app.web.customers.pages import (
    blueprint,
    json_body,
    me,
    note_seen,
    psu,
    relying_party,
    sent_credential,
    set_cookie,
    typed_amount,
)
from app.web.customers.verdicts import LIMITS, sentence
from connectors.profile import BankProfile
from consent.sign_ins import TRIP_LIFE

#: the pages of paying a bill, one after the other
_PAYING = {
    f"customers.{name}"
    for name in (
        "part",
        "confirm",
        "pay",
        "choose_bank",
        "find_bank",
        "pay_first",
        "check_payee",
        "payee_checked",
        "sign_in_at_bank",
        "ask_funds",
        "funds_asked",
    )
}


@blueprint.get("/bills/<inv>/part")
def part(inv: str) -> ResponseReturnValue:
    """How much of it is to be paid now; with what was typed when that is no part of it."""
    customer = me().customer
    with services().reading() as uow:
        today = today_of(customer, uow.now)
        bill = invoice_view(uow.session, invoice_id=inv, customer_id=customer.id, today=today)
        in_parts = takes_parts(invoice_of_customer(uow.session, invoice_id=inv, customer_id=customer.id))
    if bill.state != InvoiceState.TO_PAY or bill.is_set_aside or not in_parts:
        return redirect(url_for("customers.bill", inv=inv), 303)
    kept = {name: request.args[name] for name in ("bank", "consent") if name in request.args}
    return render_template("customers/part.html", bill=bill, kept=kept, typed=request.args.get("part", "")[:PART_MAX])


@blueprint.get("/bills/<inv>/pay")
def confirm(inv: str) -> ResponseReturnValue:
    """Everything that is to happen, before it is asked for. The bank is chosen on a page of its own (choose.py)."""
    return confirm_page(inv, error="order-changed" if "changed" in request.args else None)


@blueprint.post("/bills/<inv>/pay/ceremony")
def pay_ceremony(inv: str) -> ResponseReturnValue:
    """The challenge over exactly what the page shows, for the passkey to sign. 409 order-changed and not-covered: it
    must be drawn anew, since it is not that any more."""
    body = json_body()
    wanted = body if isinstance(body, dict) else {}
    bank, consent_id = usable_bank(wanted.get("bank")), wanted.get("consent")
    if bank is None:
        raise Invalid("unknown-bank", "Choose one of the banks on the page.")
    with services().unit_of_work() as uow:
        started = decisions.start_paying(
            uow,
            signed_in=me(),
            party=relying_party(),
            invoice_id=inv,
            bank=bank,
            shown=wanted.get("shown"),
            wanted=orders.Wanted(
                consent_id=consent_id or None, part=wanted.get("part") or None, pay_on=wanted.get("on") or None
            ),
        )
        uow.commit()
    return jsonify(ceremony=started.ceremony, publicKey=started.public_key)


@blueprint.post("/bills/<inv>/pay")
def pay(inv: str) -> ResponseReturnValue:
    """Decide. Then give the payment to the bank while the customer waits; a worker goes on where this ends, and with
    what is paid under a standing consent: nobody leaves for the bank, and until it is sent it can be stopped."""
    try:
        ceremony, credential = sent_credential(so="Nothing was paid.")
        with services().unit_of_work() as uow:
            decided = decisions.decide(
                uow,
                signed_in=me(),
                party=relying_party(),
                invoice_id=inv,
                ceremony=ceremony,
                credential=credential,
                banks=services().banks.banks_by_id(),
                psu=psu(),
            )
            uow.commit()
    except AppError as error:
        if error.status == 404:
            raise
        return refused(inv, error)
    for key in decided.work.work_keys.values():
        run_now(services(), key, deadline_s=WEB_DEADLINE_S)
    page = "customers.payment" if decided.under_consent else "customers.leave"
    return redirect(url_for(page, pay=decided.payment_id), 303)


@blueprint.get("/bills/<inv>/bank/sign-in")
def sign_in_at_bank(inv: str) -> ResponseReturnValue:
    """Send this browser to sign in at a bank that takes no payment before. It comes back to the confirm page."""
    bank = usable_bank(request.args.get("bank"))
    if request.method == "HEAD" or bank is None:
        abort(405 if bank else 404)
    try:
        leaving = sign_in.leave_for_sign_in(services(), signed_in=me(), invoice_id=inv, bank=bank, part=wanted_part())
    except TooLate:
        return redirect(url_for("customers.bill", inv=inv), 303)
    except AppError as error:
        if error.code != "bank-away":
            raise
        return refused(inv, error)
    response = redirect(leaving.url, 303)
    life_s = int(TRIP_LIFE.total_seconds())
    set_cookie(response, trip_cookie_name(leaving.trip_id), leaving.browser, max_age=life_s)
    return response


def refused(invoice_id: str, error: AppError) -> Response:
    """The page again, with what was wrong; where that leads on by now, there."""
    page = confirm_page(invoice_id, error=error.code)
    page.status_code = error.status if page.status_code == 200 else page.status_code
    return page


def confirm_page(invoice_id: str, *, error: str | None, funds: FundsAnswer | None = None) -> Response:
    """``funds``: what its bank has just said, of a payment for today under a standing consent."""
    who = me()
    if who.has_stopped:
        return make_response(redirect(url_for("customers.stop"), 303))  # which says how to lift it
    with services().reading() as uow:
        today = today_of(who.customer, uow.now)
        invoice = invoice_of_customer(uow.session, invoice_id=invoice_id, customer_id=who.customer.id)
        currency = invoice.currency
        before = bank_used_last(uow.session, customer_id=who.customer.id, currency=currency)
        is_removed = banks_of(uow.session, customer_id=who.customer.id)
        banks = [
            bank for bank in services().banks.banks() if currency in bank.currencies and not is_removed.get(bank.id)
        ]
        consent_id = request.args.get("consent")
        wanted = request.args.get("bank", before)
        if consent_id is not None:
            wanted = consent_of(uow.session, consent_id=consent_id, customer_id=who.customer.id).bank_id
        alone = banks[0] if len(banks) == 1 and consent_id is None else None
        chosen = next((bank for bank in banks if bank.id == wanted), alone)
        later = _later_day(chosen, currency=currency, today=today, now=uow.now)
        day = later or today
        tells_before = told_from(day, customer=who.customer, decided_at=uow.now) is not None
        shown = None
        if chosen is not None:
            # before what the page says: what happens meanwhile is then on the page and not in this, and asked about
            how = orders.Wanted(consent_id=consent_id, part=wanted_part(), pay_on=later)
            shown = decisions.shown_now(uow, customer=who.customer, invoice_id=invoice_id, bank=chosen, wanted=how)
        bill = invoice_view(uow.session, invoice_id=invoice_id, customer_id=who.customer.id, today=day)
        price = _price(invoice, bill, day=day)
        has_passkey = passkeys.has_passkey(uow.session, who.customer.id)
        troubled = troubled_banks(uow.session, now=uow.now)
        chain = chain_of(uow.session, invoice_id=invoice_id, customer_id=who.customer.id)
        said = said_before(uow.session, invoice_ids=[invoice_id]).get(invoice_id)
        signed_in_until = None
        account = account_view(uow.session, invoice_id=invoice_id, customer=who.customer, now=uow.now)
        bill = replace(bill, seal=origin_of(services().vault, uow.session, invoice_id=invoice_id).seal)  # checked anew
        need, check = payee_checks.state_of(uow, invoice_id=invoice_id, bank_id=chosen.id if chosen else None)
        consent = None
        if consent_id is not None and chosen is not None and bill.payee_iban is not None:
            amount = price.amount if price else bill.payable
            at = orders.sent_from(day, customer=who.customer, decided_at=uow.now) or uow.now
            consent = shown_consent(uow, invoice=invoice, amount=amount, bank=chosen, consent_id=consent_id, at=at)
        elif chosen is not None and chosen.sign_in_first:
            signed_in_until = sign_in.good_until(uow, services().vault, customer_id=who.customer.id, bank=chosen)
    note_seen(bill)
    if error is not None and bill.payee_iban is None:
        raise not_paid_here()
    is_closed = bill.seal is Seal.WRONG or (account is not None and not account.is_open)
    if price is None or bill.state != InvoiceState.TO_PAY or bill.is_set_aside or is_closed:
        # which says why; or where there is no such part of it, to ask for it again
        page = "customers.part" if price is None else "customers.bill"
        kept_bank, kept_consent = (request.args.get(name) if price is None else None for name in ("bank", "consent"))
        return make_response(redirect(url_for(page, inv=invoice_id, bank=kept_bank, consent=kept_consent), 303))
    is_unchecked = not need.is_nothing and check is None
    needs_passkey = who.read_only or not has_passkey
    first = _page_before(invoice_id, chosen, has_day=later is not None, is_unchecked=is_unchecked, error=error)
    if first is not None:
        return make_response(redirect(first, 303))
    return make_response(
        render_template(
            "customers/confirm.html",
            bill=bill,
            chain=chain,
            before=said,
            bank=bank_view(chosen, troubled) if chosen else None,
            consent=consent,
            not_covered=sentence(consent.reason) if consent and consent.reason else None,
            limit_words=LIMITS,
            shown=shown,
            others=len(banks) > 1,
            need=need,
            account=account,
            pay=price.amount,
            rest=price.rest if price.rest.minor else None,
            pay_on=day,
            tells_before=tells_before,
            has_passkey=has_passkey,
            needs_passkey=needs_passkey,
            bank_takes_back=chosen is not None and day > today and takes_back(services(), chosen.id),
            signed_in_until=signed_in_until,
            just_back="back" in request.args,
            error=error,
            may_ask_funds=day == today and not needs_passkey and consent is not None and _may_ask_funds(bill, consent),
            funds=funds,
            again=_again(invoice_id),
        )
    )


def _may_ask_funds(bill: InvoiceView, consent: ConsentShown) -> bool:
    """Only of what can be signed now is its bank asked whether the money is there."""
    return consent.reason is None and not bill.waits_for_earlier and can_be_asked(services(), consent.bank_id)


def _again(invoice_id: str) -> str:
    """Where the same page is had once more, of what only a form is answered with."""
    if request.endpoint != "customers.ask_funds":
        return ""
    return url_for("customers.confirm", inv=invoice_id, consent=request.args.get("consent"))


def _page_before(
    invoice_id: str, bank: BankProfile | None, *, has_day: bool, is_unchecked: bool, error: str | None
) -> str | None:
    """Where something is to be chosen, or checked, before it can be confirmed. None: nothing is."""
    if bank is None:
        return url_for("customers.choose_bank", inv=invoice_id) if error is None else None
    if request.args.get("on") and not has_day:  # which says that it cannot be that day
        return url_for("customers.later", inv=invoice_id, bank=bank.id, no="day")
    consent_id = request.args.get("consent")
    return url_for("customers.check_payee", inv=invoice_id, bank=bank.id, consent=consent_id) if is_unchecked else None


def _later_day(bank: BankProfile | None, *, currency: str, today: dt.date, now: dt.datetime) -> dt.date | None:
    """The later day on which it is to be paid, under a standing consent or by a bank that keeps it until then. None:
    today, which it is, too, where the address names none that may be."""
    try:
        day = dt.date.fromisoformat(request.args.get("on", ""))
    except ValueError:
        return None
    if not today < day <= today + orders.LATER_MOST:
        return None
    is_kept = bank is not None and bank.keeps_days and orders.is_kept_day(day, currency=currency, now=now)
    return day if "consent" in request.args or is_kept else None


def wanted_part() -> str | None:
    """What of the bill is to be paid, as it was typed: with a comma or a dot, and spaces. None: all of it."""
    if "part" not in request.args:
        return None
    return typed_amount(request.args["part"])[:PART_MAX]


@blueprint.url_defaults
def _keep_wanted(endpoint: str, values: dict[str, Any]) -> None:
    """What is to be paid, and on which day, goes along from page to page until it is signed. A day that turns out not
    to be possible in the way that is chosen then is said, where days are chosen: never is it today instead."""
    if endpoint in _PAYING and request.endpoint in _PAYING:
        for name in ("part", "on"):
            if name in request.args:
                values.setdefault(name, request.args[name])


def as_wanted(session: Session, bill: InvoiceView, *, today: dt.date) -> InvoiceView:
    """The bill, for the pages on the way to paying it: what paying it today costs is then the part that is wanted."""
    price = _price(session.get_one(Invoice, bill.id), bill, day=today)
    return bill if price is None else replace(bill, payable=price.amount)


def _price(invoice: Invoice, bill: InvoiceView, *, day: dt.date) -> orders.Price | None:
    """Of what is to be paid that day. None: there is no such part of it."""
    if bill.state != InvoiceState.TO_PAY:
        return orders.price_of(invoice, day=day)
    try:
        return orders.price_of(invoice, day=day, part=wanted_part())
    except AppError:
        return None


def usable_bank(bank_id: object) -> BankProfile | None:
    """One that customers can be sent to."""
    return next((bank for bank in services().banks.banks() if bank.id == bank_id), None)
