"""Setting up a standing consent with a company: the limits, everything in plain words, and the passkey over it."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from typing import Any

from flask import jsonify, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.db.unit_of_work import UnitOfWork
from app.errors import AppError, Conflict, FieldError, Invalid
from app.journey.consents import agreeing
from app.journey.consents.agreeing import CURRENCY, Terms, Wanted, takes_new
from app.journey.consents.my_banks import has_removed
from app.journey.consents.read import suggested, usable_with
from app.journey.consents.step import work_key
from app.journey.intake.own_bills import typed_amount
from app.journey.invoices.read import InvoiceView, open_bills_of
from app.journey.matching.read import bill_of
from app.people import passkeys
from app.people.customers import today_of
from app.services import WEB_DEADLINE_S
from app.tasks import run_now
from app.web.context import services
from app.web.customers.bank_view import bank_view
from app.web.customers.pages import bank_name, blueprint, common, json_body, me, psu, relying_party, sent_credential
from app.web.customers.terms import period_words, words
from app.web.customers.verdicts import sentence
from connectors.capabilities import Alignment, Period
from connectors.money import Money
from connectors.profile import BankProfile
from consent.rules import Limit, Reason, Why, breaches, first_breach, span_of, spans_at

#: in the order of the form, where the month stands before the others
PERIODS = (Period.DAY, Period.WEEK, Period.FORTNIGHT, Period.MONTH, Period.HALF_YEAR, Period.YEAR)
MONTHS = 13
TYPED_MOST = 30
FIELDS = ("bank", "each", *(f"limit_{period}" for period in PERIODS), "begins_on", "until", "ends_on")


@blueprint.get("/companies/<biller>/consent")
def set_up(biller: str) -> ResponseReturnValue:
    """The limits that the customer chooses, filled in from the address, or from their bills; before that the bank, if
    there are several."""
    bank = _bank(request.args.get("bank", ""))
    if bank is None:
        return _choose_bank(biller)
    typed = _typed(request.args)
    return _form(biller, bank, typed if any(typed[name] for name in FIELDS[1:]) else _suggestion(biller, bank))


@blueprint.post("/companies/<biller>/consent")
def check_terms(biller: str) -> ResponseReturnValue:
    """Everything that would be agreed on, before it is signed."""
    typed = _typed(request.form)
    bank = _bank(typed["bank"])
    if bank is None:
        return redirect(url_for("customers.set_up", biller=biller), 303)
    if request.form.get("change"):
        return _form(biller, bank, typed)
    return _check(biller, bank, typed, error="terms-changed" if request.form.get("changed") else None)


@blueprint.post("/companies/<biller>/consent/ceremony")
def agree_ceremony(biller: str) -> ResponseReturnValue:
    """The challenge over exactly what the page shows."""
    body = json_body()
    sent = body if isinstance(body, dict) else {}
    typed = _typed({name: value for name, value in sent.items() if isinstance(value, str)})
    bank = _must_be_known(typed)
    with services().unit_of_work() as uow:
        started = agreeing.start_agreeing(
            uow,
            signed_in=me(),
            party=relying_party(),
            biller_id=biller,
            bank=bank,
            wanted=_wanted(typed),
            language=_language(sent.get("language")),
            words=words,
            shown=sent.get("shown"),
        )
        uow.commit()
    return jsonify(ceremony=started.ceremony, publicKey=started.public_key)


@blueprint.post("/companies/<biller>/consent/signed")
def agree(biller: str) -> ResponseReturnValue:
    """Write it down. Then give it to the bank while the customer waits; a worker goes on where this ends."""
    try:
        ceremony, credential = sent_credential(so="Nothing was set up.")
        with services().unit_of_work() as uow:
            consent_id = agreeing.agree(
                services(),
                uow,
                signed_in=me(),
                party=relying_party(),
                ceremony=ceremony,
                credential=credential,
                banks=services().banks.banks_by_id(),
                psu=psu(),
                words=words,
            )
            uow.commit()
    except AppError as error:
        typed = _typed(request.form)
        bank = _bank(typed["bank"])
        if error.status == 404 or bank is None:
            raise
        agreed = _agreed_already(biller, bank, typed) if error.code == "ceremony-over" else None
        if agreed is not None:
            return redirect(url_for("customers.leave_for_consent", con=agreed), 303)
        return _check(biller, bank, typed, error=error.code, status=error.status)
    run_now(services(), work_key(consent_id), deadline_s=WEB_DEADLINE_S)
    return redirect(url_for("customers.leave_for_consent", con=consent_id), 303)


def _agreed_already(biller_id: str, bank: BankProfile, typed: Mapping[str, str]) -> str | None:
    """What came of the same signature when it was sent before: the button pressed twice, the page loaded again."""
    language = _language(common()["locale"])
    try:
        with services().reading() as uow:
            who = me()
            terms = agreeing.terms_of(uow, customer=who.customer, biller_id=biller_id, bank=bank, wanted=_wanted(typed))
            order = agreeing.order_of(terms, language=language, words=words)
            return agreeing.agreed_lately(uow, signed_in=who, order=order)
    except (Invalid, Conflict):
        return None


@blueprint.get("/companies/<biller>/consent/signed")
def agree_again(biller: str) -> ResponseReturnValue:
    """Where a browser comes that asks again for the answer to a signature, as the change of language does."""
    return redirect(url_for("customers.set_up", biller=biller), 303)


# ----------------------------------------------------------------------------------------------------- what was typed


def _typed(form: Mapping[str, str]) -> dict[str, str]:
    return {name: form.get(name, "").strip()[:TYPED_MOST] for name in FIELDS}


def _wanted(typed: Mapping[str, str]) -> Wanted:
    """Raises Invalid, with each field that cannot be read."""
    errors: list[FieldError] = []

    def amount(name: str, pointer: str) -> int:
        try:
            return typed_amount(typed[name], CURRENCY).minor
        except ValueError:
            errors.append(FieldError(pointer, "amount"))
            return 0

    def date(name: str) -> dt.date | None:
        try:
            return dt.date.fromisoformat(typed[name]) if typed[name] else None
        except ValueError:
            errors.append(FieldError(f"/{name}", "day"))
            return None

    each = amount("each", "/each")
    limits = {period: amount(f"limit_{period}", f"/limits/{period}") for period in PERIODS if typed[f"limit_{period}"]}
    begins_on = date("begins_on")
    ends_on = date("ends_on") if typed["until"] != "stopped" else None
    if typed["until"] != "stopped" and not typed["ends_on"]:
        errors.append(FieldError("/ends_on", "day"))
    if errors:
        raise Invalid("frame", "Something in these limits cannot be read.", errors=tuple(errors))
    return Wanted(each_minor=each, limits=limits, begins_on=begins_on, ends_on=ends_on)


def _address(biller_id: str, typed: Mapping[str, str]) -> str:
    """Of the form as it is filled in."""
    filled: dict[str, Any] = {name: value for name, value in typed.items() if value}
    return url_for("customers.set_up", biller=biller_id, **filled)


def _suggestion(biller_id: str, bank: BankProfile) -> dict[str, str]:
    customer = me().customer
    with services().reading() as uow:
        found = suggested(uow.session, biller_id=biller_id, customer_id=customer.id, currency=CURRENCY, now=uow.now)
        first = agreeing.first_day(customer, bank, now=uow.now)
    month = first.month - 1 + MONTHS
    last = dt.date(first.year + month // 12, month % 12 + 1, min(first.day, 28)) - dt.timedelta(days=1)
    filled = dict.fromkeys(FIELDS, "") | {"bank": bank.id, "until": "day", "ends_on": last.isoformat()}
    if found is None:
        return filled
    filled["each"] = _written(found.each)
    monthly = Limit(period=Period.MONTH, alignment=Alignment.CALENDAR, minor=found.month.minor)
    if span_of(monthly, 0, begins_on=first, day=first).limit_minor >= found.each.minor:
        return filled | {"limit_month": _written(found.month)}
    # of what is left of this month by its days, not one bill could be paid
    fortnight = Money(max(found.each.minor, found.month.minor // 2), CURRENCY)
    return filled | {"limit_fortnight": _written(fortnight)}


def _written(amount: Money) -> str:
    """As people who read the page write it."""
    written = str(amount.decimal())
    return written.replace(".", ",") if common()["locale"] == "fr" else written


def _not_covered(uow: UnitOfWork, terms: Terms) -> list[tuple[InvoiceView, str]]:
    """The open bills that could not be paid under it as soon as it begins, one after the other, and why: before it is
    signed for their sake."""
    customer = me().customer
    today = today_of(customer, uow.now)
    views = open_bills_of(
        uow.session, customer=customer, biller_id=terms.biller_id, currency=terms.frame.currency, now=uow.now
    )
    found = []
    used: Counter[tuple[int, dt.date]] = Counter()
    day = max(today, terms.frame.begins_on)
    for view in views:
        bill = bill_of(view)
        if bill is None:
            continue
        against = breaches(terms.frame, bill.order, days=[day], used={})
        if not against and bill.due_on is not None and today <= bill.due_on < day:
            against = [Reason(why=Why.NOT_YET, day=day)]
        if against:
            found.append((view, " ".join(sentence(reason) for reason in against)))
        elif together := first_breach(terms.frame, bill.order, days=[day], used=used):
            found.append((view, sentence(together, after_others=True)))
        else:
            used.update({span.key: bill.order.amount.minor for span in spans_at(terms.frame, [day])})
    return found


def _bank(bank_id: str) -> BankProfile | None:
    """One that customers can be sent to, and that takes such consents."""
    return next((bank for bank in services().banks.banks() if bank.id == bank_id and takes_new(bank)), None)


def _must_be_known(typed: Mapping[str, str]) -> BankProfile:
    bank = _bank(typed["bank"])
    if bank is None:
        raise Invalid("unknown-bank", "Choose one of the banks on the page.")
    return bank


def _language(wanted: object) -> str:
    return "fr" if wanted == "fr" else "en"


# ----------------------------------------------------------------------------------------------------- the pages


def _choose_bank(biller_id: str) -> ResponseReturnValue:
    customer = me().customer
    with services().reading() as uow:
        payee = _payee(uow.session, biller_id, customer.id, uow.now)
        banks = [
            bank
            for bank in services().banks.banks()
            if takes_new(bank) and not has_removed(uow.session, customer_id=customer.id, bank_id=bank.id)
        ]
    if len(banks) == 1:
        return redirect(url_for("customers.set_up", biller=biller_id, bank=banks[0].id), 303)
    views = [bank_view(bank, {}) for bank in banks]
    return render_template("customers/agree_bank.html", biller_id=biller_id, payee=payee, banks=views)


def _payee(session: object, biller_id: str, customer_id: str, now: dt.datetime) -> agreeing.Payee | None:
    """None: nothing can be agreed on with it now, and the page says so."""
    try:
        return agreeing.payee_for(session, biller_id=biller_id, customer_id=customer_id, now=now)  # type: ignore[arg-type]
    except Conflict:
        return None


def _form(
    biller_id: str, bank: BankProfile, typed: Mapping[str, str], refused: AppError | None = None
) -> ResponseReturnValue:
    customer_id, closed = me().customer.id, None
    with services().reading() as uow:
        payee = _payee(uow.session, biller_id, customer_id, uow.now)
        try:
            agreeing.may_agree(uow, customer_id=customer_id, bank=bank)
        except Conflict as conflict:
            closed = conflict.code
    page = render_template(
        "customers/agree.html",
        biller_id=biller_id,
        payee=payee,
        closed=closed,
        bank=bank_view(bank, {}),
        currency=CURRENCY,
        typed=typed,
        again=_address(biller_id, typed),
        periods=PERIODS,
        wrong={error.pointer: error.detail for error in refused.errors} if refused else {},
        error=refused.code if refused else None,
    )
    return make_response(page, refused.status if refused else 200)


def _check(
    biller_id: str, bank: BankProfile, typed: Mapping[str, str], *, error: str | None = None, status: int = 200
) -> ResponseReturnValue:
    """The page that is signed; where it cannot be, the form again, with everything that was typed. ``error``: why it
    was not, before."""
    language = _language(common()["locale"])
    who = me()
    try:
        with services().reading() as uow:
            terms = agreeing.terms_of(uow, customer=who.customer, biller_id=biller_id, bank=bank, wanted=_wanted(typed))
            not_covered = _not_covered(uow, terms)
            beside = usable_with(uow.session, customer_id=who.customer.id, biller_id=biller_id, now=uow.now)
            has_passkey = passkeys.has_passkey(uow.session, who.customer.id)
    except (Invalid, Conflict) as refused:
        return _form(biller_id, bank, typed, refused=refused)
    page = render_template(
        "customers/agree_check.html",
        biller_id=biller_id,
        terms=terms,
        bank=bank_view(bank, {}),
        typed=typed,
        again=_address(biller_id, typed),
        language=language,
        sentences=words(terms, language),
        not_covered=not_covered,
        beside=[(each, bank_name(each.bank_id)) for each in beside],
        period_words=period_words,
        shown=agreeing.shown_of(agreeing.order_of(terms, language=language, words=words)),
        needs_passkey=who.read_only or not has_passkey,
        error=error,
    )
    return make_response(page, status)
