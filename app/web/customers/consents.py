"""What a customer allows at their banks: the list, one standing consent, approving it at the bank, stopping it; and the
banks themselves, side by side."""

from __future__ import annotations

from flask import abort, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.db.unit_of_work import UnitOfWork
from app.errors import AppError, NotFound
from app.journey.banks import search
from app.journey.banks.read import troubled_banks
from app.journey.consents import my_banks, rules, service
from app.journey.consents.access import takeable
from app.journey.consents.agreeing import takes_new
from app.journey.consents.read import ConsentView, consent_view, consents_of
from app.journey.consents.step import work_key
from app.journey.invoices.read import InvoiceView, open_bills_of
from app.journey.matching.read import Banks, bill_of, match
from app.journey.payments.read import payments_under, waiting_at_banks
from app.people import names
from app.people.models import Customer
from app.people.stops import is_stopped
from app.services import WEB_DEADLINE_S
from app.tasks import run_now
from app.web.context import services, trip_cookie_name
from app.web.customers.bank_view import bank_view, view_of_bank
from app.web.customers.pages import BANKS_MOST, bank_name, blueprint, me, named_payment, set_cookie, typed_words
from app.web.customers.terms import period_words
from connectors.profile import BankProfile
from connectors.registry import UnknownBank
from consent.states import StandingState

#: so many consents are more than one looks through
FIND_FROM = 8


@blueprint.get("/consents")
def consents() -> ResponseReturnValue:
    """The banks side by side, each with what is allowed there; or those of which each typed word begins a word."""
    typed = typed_words(request.args)
    customer_id = me().customer.id
    with services().reading() as uow:
        found = consents_of(uow.session, customer_id=customer_id, now=uow.now)
        mine = my_banks.banks_of(uow.session, customer_id=customer_id)
        waiting = [
            named_payment(each, None) for each in waiting_at_banks(uow.session, customer_id=customer_id, now=uow.now)
        ]
        troubled = troubled_banks(uow.session, now=uow.now)
    asked = names.words(typed)
    meant = [each for each in found if _is_meant(asked, each.biller_name, bank_name(each.bank_id))]
    open_ones = [each for each in meant if not each.is_over]
    ids = [
        *(bank_id for bank_id in mine if _is_meant(asked, bank_name(bank_id))),
        *(each.bank_id for each in open_ones),
    ]
    shown = dict.fromkeys(bank_id for bank_id in ids if not mine.get(bank_id) or bank_id in _bank_ids(open_ones))
    return render_template(
        "customers/consents.html",
        banks=[
            (
                bank_id,
                bank_name(bank_id),
                view_of_bank(bank_id, troubled),
                bool(mine.get(bank_id)),
                _at(open_ones, bank_id),
            )
            for bank_id in shown
        ],
        over=[(each, bank_name(each.bank_id)) for each in meant if each.is_over],
        waiting=[] if asked else waiting,
        asked=typed,
        may_find=len(found) >= FIND_FROM,
        period_words=period_words,
    )


def _is_meant(asked: list[str], *named: str) -> bool:
    """Whether each of the words begins one of a name; all are, where nothing is asked."""
    words = [word for name in named for word in names.words(name)]
    return all(any(word.startswith(begun) for word in words) for begun in asked)


def _bank_ids(found: list[ConsentView]) -> set[str]:
    return {each.bank_id for each in found}


def _at(found: list[ConsentView], bank_id: str) -> list[ConsentView]:
    return [each for each in found if each.bank_id == bank_id]


def profile_of(bank_id: str) -> BankProfile | None:
    """Of a bank whose file is here."""
    try:
        return services().banks.profile(bank_id)
    except UnknownBank:
        return None


@blueprint.get("/consents/<con>")
def consent(con: str) -> ResponseReturnValue:
    """All of one: each limit and what is left of it, the words as agreed, its payments and its history."""
    return _page(con)


def _page(consent_id: str, refused: AppError | None = None) -> ResponseReturnValue:
    customer_id = me().customer.id
    with services().reading() as uow:
        view = consent_view(uow.session, consent_id=consent_id, customer_id=customer_id, now=uow.now)
        paid = [named_payment(each, None) for each in payments_under(uow.session, consent_id=consent_id, now=uow.now)]
        stopped = is_stopped(uow.session, customer_id)
        removed = my_banks.has_removed(uow.session, customer_id=customer_id, bank_id=view.bank_id)
        covered = _covered_by(uow, view, me().customer) if view.state is StandingState.AUTHORISED else []
    page = render_template(
        "customers/consent.html",
        consent=view,
        covered=covered,
        fits_together=_fits_together(view, covered),
        bank_name=bank_name(view.bank_id),
        profile=profile_of(view.bank_id),
        paid=paid,
        stopped=stopped,
        removed=removed,
        just_back="back" in request.args,
        error=refused.code if refused is not None else None,
        period_words=period_words,
    )
    return (page, refused.status) if refused is not None else page


def _covered_by(uow: UnitOfWork, view: ConsentView, customer: Customer) -> list[InvoiceView]:
    """The open bills of its company that could be paid under it now: why it was set up, more often than not."""
    open_ones = open_bills_of(
        uow.session, customer=customer, biller_id=view.biller_id, currency=view.each.currency, now=uow.now
    )
    bills = {bill.id: asked for bill in open_ones if (asked := bill_of(bill)) is not None}
    banks = Banks.now(services().banks)
    matched = match(uow.session, customer_id=customer.id, bills=bills, banks=banks, now=uow.now)
    covered = {
        bill_id
        for bill_id, ways in matched.ways.items()
        if any(way.covers and way.consent_id == view.id for way in ways.standing)
    }
    return [bill for bill in open_ones if bill.id in covered]


def _fits_together(view: ConsentView, bills: list[InvoiceView]) -> bool:
    """Whether what is left of each limit pays all of these bills."""
    total = sum(bill.payable.minor for bill in bills)
    return all(limit.left is None or total <= limit.left.minor for limit in view.limits)


@blueprint.get("/consents/<con>/leave")
def leave_for_consent(con: str) -> ResponseReturnValue:
    """Which bank comes next and what it will show, for the first approval. While the bank is being told, it waits."""
    return _leaving(con, renewing=False)


@blueprint.get("/consents/<con>/renew")
def renew_consent(con: str) -> ResponseReturnValue:
    """The same before it is approved once more."""
    return _leaving(con, renewing=True)


def _leaving(consent_id: str, *, renewing: bool) -> ResponseReturnValue:
    with services().reading() as uow:
        view = consent_view(uow.session, consent_id=consent_id, customer_id=me().customer.id, now=uow.now)
    is_being_told = view.state is StandingState.PREPARED and not renewing
    if not is_being_told and (not view.can_approve or view.waits_for_bank):
        return redirect(url_for("customers.consent", con=consent_id), 303)
    return render_template(
        "customers/consent_leave.html",
        consent=view,
        bank_name=bank_name(view.bank_id),
        bank_view=view_of_bank(view.bank_id),
        ready=not is_being_told,
        renewing=view.state is not StandingState.AWAITING,
        period_words=period_words,
    )


@blueprint.get("/consents/<con>/state")
def consent_state(con: str) -> ResponseReturnValue:
    """For the page's small poll: whether there is something new to show."""
    with services().reading() as uow:
        view = consent_view(uow.session, consent_id=con, customer_id=me().customer.id, now=uow.now)
    moves = view.waits_for_bank or view.is_late or view.state in (StandingState.PREPARED, StandingState.REVOKING)
    return jsonify(version=view.version, final=not moves)


@blueprint.get("/consents/<con>/bank")
def consent_at_bank(con: str) -> ResponseReturnValue:
    """Send this browser to the bank: the hop that leaves this site."""
    if request.method == "HEAD":
        abort(405)  # a look must not count as leaving
    try:
        leaving = service.leave_to_approve(services(), signed_in=me(), consent_id=con)
    except NotFound:
        raise
    except AppError as error:
        if error.status == 403:
            raise
        return _page(con, error)
    response = redirect(leaving.url, 303)
    life_s = int((rules.TRIP_LIFE + rules.RETURN_GRACE).total_seconds())
    set_cookie(response, trip_cookie_name(leaving.trip_id), leaving.browser, max_age=life_s)
    return response


@blueprint.post("/consents/<con>/stop")
def stop_consent(con: str) -> ResponseReturnValue:
    """Take it back; then tell the bank while the customer waits. A worker goes on where this ends."""
    if service.revoke(services(), signed_in=me(), consent_id=con):
        run_now(services(), work_key(con), deadline_s=WEB_DEADLINE_S)
    return redirect(url_for("customers.consent", con=con), 303)


# ------------------------------------------------------------------------------------------------------------- banks


@blueprint.get("/consents/banks/add")
def more_banks() -> ResponseReturnValue:
    """Banks that are not the customer's, or not any more; or those that the words of the address find."""
    typed = typed_words(request.args)
    if search.is_account(typed):  # no form of ours sends it here
        return redirect(url_for("customers.more_banks"), 303)
    return _more_banks(search.by_words(services().banks.banks(), typed), asked=typed)


@blueprint.post("/consents/banks/add")
def find_another_bank() -> ResponseReturnValue:
    """What was typed comes in a body, as for a bill (choose.py): an account number goes into no address."""
    typed = typed_words(request.form)
    if not search.is_account(typed):
        return redirect(url_for("customers.more_banks", find=typed or None), 303)
    return _more_banks(search.by_account(services().banks.banks(), typed), asked=None)


def _more_banks(found: list[BankProfile], *, asked: str | None) -> ResponseReturnValue:
    """``asked``: the words by which they were found; None: by an account, which is not shown again."""
    with services().reading() as uow:
        mine = my_banks.banks_of(uow.session, customer_id=me().customer.id)
    others = [bank for bank in found if mine.get(bank.id, True)]
    return render_template(
        "customers/more_banks.html",
        banks=[(bank_view(bank, {}), takes_new(bank), bank.id in mine) for bank in others[:BANKS_MOST]],
        more=len(others[BANKS_MOST:]),
        asked=asked,
        is_mine=[bank.name for bank in found if not mine.get(bank.id, True)] if asked != "" else [],
    )


@blueprint.post("/consents/banks/<bank>/add")
def add_bank(bank: str) -> ResponseReturnValue:
    if all(each.id != bank for each in services().banks.banks()):
        abort(404)
    with services().unit_of_work() as uow:
        my_banks.add_bank(uow, signed_in=me(), bank_id=bank)
        uow.commit()
    return redirect(url_for("customers.consents"), 303)


@blueprint.get("/consents/banks/<bank>/remove")
def removing_bank(bank: str) -> ResponseReturnValue:
    """What ends with it, and what stays."""
    customer_id = me().customer.id
    with services().reading() as uow:
        found = consents_of(uow.session, customer_id=customer_id, now=uow.now)
        mine = my_banks.banks_of(uow.session, customer_id=customer_id)
        waiting = [
            named_payment(each, None)
            for each in waiting_at_banks(uow.session, customer_id=customer_id, now=uow.now)
            if each.bank_id == bank
        ]
    ending = [each for each in found if each.bank_id == bank and not each.is_over]
    if mine.get(bank, True) and not ending:
        abort(404)
    return render_template(
        "customers/remove_bank.html",
        bank_id=bank,
        bank_name=bank_name(bank),
        profile=profile_of(bank),
        ending=ending,
        waiting=waiting,
    )


@blueprint.post("/consents/banks/<bank>/remove")
def remove_bank(bank: str) -> ResponseReturnValue:
    """Take back all that was allowed there; then tell the bank, of the first one while the customer waits."""
    customer_id = me().customer.id
    with services().reading() as uow:
        mine = my_banks.banks_of(uow.session, customer_id=customer_id)
        known = bank in mine or takeable(uow.session, customer_id=customer_id, bank_id=bank)
    if not known:
        abort(404)
    with services().unit_of_work() as uow:
        taken = my_banks.remove_bank(uow, signed_in=me(), bank_id=bank)
        uow.commit()
    for consent_id in taken[:1]:
        run_now(services(), work_key(consent_id), deadline_s=WEB_DEADLINE_S)
    return redirect(url_for("customers.consents"), 303)
