"""Signing several bills of a round at once: the page, the one challenge over all of them, and the decisions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus

from flask import Response, jsonify, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.db.unit_of_work import UnitOfWork
from app.errors import AppError
from app.journey.answers.read import SaidBefore, said_before
from app.journey.corrections.read import Chain, chain_of
from app.journey.decisions import together
from app.journey.decisions.together import Signable
from app.journey.decisions.under_consent import ConsentShown, shown_after, shown_consent
from app.journey.invoices.access import invoice_of_customer
from app.journey.invoices.read import AccountView, InvoiceView, account_view, invoice_view, origin_of
from app.journey.plans.rounds import RoundView, round_of
from app.people import passkeys
from app.people.customers import today_of
from app.services import WEB_DEADLINE_S
from app.tasks import run_now
from app.web.context import services
from app.web.customers.bank_view import BankView, bank_view
from app.web.customers.bundle import Bundle, bundle_of, named_of
from app.web.customers.pages import blueprint, json_body, me, note_seen, psu, relying_party, sent_credential
from app.web.customers.together import is_begun, together_page
from app.web.customers.verdicts import LIMITS
from connectors.money import Money, Total


@dataclass(frozen=True, slots=True, kw_only=True)
class ToSign:
    """One of the bills, with all that the page of a single payment under a standing consent says."""

    bill: InvoiceView
    chain: Chain
    before: SaidBefore | None
    account: AccountView | None
    bank: BankView
    consent: ConsentShown
    pay: Money
    rest: Money | None  #: that it leaves to pay


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What all of these bills together take of one consent."""

    consent: ConsentShown  #: as it is after them
    bank: BankView
    amount: Money
    count: int


@blueprint.get("/together/sign")
def sign_together() -> ResponseReturnValue:
    """Everything that is to happen, before it is asked for."""
    changed = request.args.get("changed")
    return _page(error="order-changed" if changed is not None else None, about=changed)


@blueprint.post("/together/sign/ceremony")
def together_ceremony() -> ResponseReturnValue:
    """The challenge over exactly what the page shows. 409 order-changed: it must be drawn anew."""
    body = json_body()
    shown = body.get("shown") if isinstance(body, dict) else None
    with services().unit_of_work() as uow:
        _, bundle = _now(uow)
        started = together.start_paying(
            uow, signed_in=me(), party=relying_party(), vault=services().vault, ways=bundle.ways, shown=shown
        )
        uow.commit()
    return jsonify(ceremony=started.ceremony, publicKey=started.public_key)


@blueprint.post("/together/sign")
def pay_signed() -> ResponseReturnValue:
    """Decide about all of them. Then prepare the payments: nobody leaves for a bank, so a worker sends them, and until
    then each can be stopped."""
    try:
        ceremony, credential = sent_credential(so="Nothing was paid.")
        with services().unit_of_work() as uow:
            decided = together.decide(
                uow,
                signed_in=me(),
                party=relying_party(),
                vault=services().vault,
                ceremony=ceremony,
                credential=credential,
                banks=services().banks.banks_by_id(),
                psu=psu(),
            )
            uow.commit()
    except AppError as error:
        if error.status == 404:
            raise
        return _page(error=error.code, about=error.about, status=error.status)
    for key in (key for each in decided for key in each.work.work_keys.values()):
        run_now(services(), key, deadline_s=WEB_DEADLINE_S)
    return redirect(url_for("customers.together", signed=len(decided)), 303)


def _now(uow: UnitOfWork) -> tuple[RoundView | None, Bundle]:
    customer = me().customer
    view = round_of(uow.session, customer_id=customer.id, today=today_of(customer, uow.now), now=uow.now)
    return view, bundle_of(uow, view, customer=customer)


def _page(*, error: str | None, about: str | None = None, status: int = 200) -> Response:
    who = me()
    if who.has_stopped:
        return make_response(redirect(url_for("customers.stop"), 303))  # which says how to lift it
    with services().reading() as uow:
        view, bundle = _now(uow)
        signable = bundle.sorted.signable if bundle.sorted.is_offered else ()
        bills = [_to_sign(uow, each) for each in signable]
        has_passkey = passkeys.has_passkey(uow.session, who.customer.id)
    if error == "ceremony-over" and is_begun(view):  # perhaps by that very signature, sent twice: the round says it
        return make_response(redirect(url_for("customers.together"), 303))
    if not bills and status != 200:
        return together_page(error=error, about=about, is_signed=True, status=status)
    if not bills:  # they go one after the other
        return make_response(redirect(url_for("customers.together", changed=(about or "") if error else None), 303))
    for each in bills:
        note_seen(each.bill)
    page = render_template(
        "customers/sign_together.html",
        bills=bills,
        taken=_taken(bills, signable),
        apart=bundle.apart,
        sums=_sums(bills),
        shown=bundle.sorted.shown,
        limit_words=LIMITS,
        needs_passkey=who.read_only or not has_passkey,
        error=error,
        named=named_of(view, bundle.apart, about=about),
        is_signed=status != HTTPStatus.OK,
    )
    return make_response(page, status)


def _to_sign(uow: UnitOfWork, found: Signable) -> ToSign:
    customer, invoice_id, bank = me().customer, found.bill.invoice_id, found.bill.bank
    invoice = invoice_of_customer(uow.session, invoice_id=invoice_id, customer_id=customer.id)
    today = today_of(customer, uow.now)
    bill = invoice_view(uow.session, invoice_id=invoice_id, customer_id=customer.id, today=today)
    rest = int(found.order.get("rest_minor", 0))
    return ToSign(
        bill=replace(bill, seal=origin_of(services().vault, uow.session, invoice_id=invoice_id).seal),
        chain=chain_of(uow.session, invoice_id=invoice_id, customer_id=customer.id),
        before=said_before(uow.session, invoice_ids=[invoice_id]).get(invoice_id),
        account=account_view(uow.session, invoice_id=invoice_id, customer=customer, now=uow.now),
        bank=bank_view(bank, {}),
        consent=shown_consent(
            uow, invoice=invoice, amount=found.amount, bank=bank, consent_id=found.consent_id, at=uow.now
        ),
        pay=found.amount,
        rest=Money(rest, invoice.currency) if rest else None,
    )


def _taken(bills: Sequence[ToSign], signable: Sequence[Signable]) -> list[Taken]:
    """Two bills under one consent count together."""
    of_consent: dict[str, list[ToSign]] = {}
    for each, found in zip(bills, signable, strict=True):
        of_consent.setdefault(found.consent_id, []).append(each)
    made = []
    for of_one in of_consent.values():
        first, minor = of_one[0], sum(each.pay.minor for each in of_one)
        after = shown_after(first.consent, minor=minor)
        made.append(Taken(consent=after, bank=first.bank, amount=Total(minor, first.pay.currency), count=len(of_one)))
    return made


def _sums(bills: Sequence[ToSign]) -> list[Money]:
    sums: Counter[str] = Counter()
    for each in bills:
        sums[each.pay.currency] += each.pay.minor
    return [Total(minor, currency) for currency, minor in sums.items()]
