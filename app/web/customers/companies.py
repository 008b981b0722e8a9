"""Companies that may send bills here: who does, who asks, finding one, and what the customer hands over."""

from __future__ import annotations

from collections.abc import Callable

from flask import abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.db.unit_of_work import UnitOfWork
from app.errors import AppError, Conflict, Invalid
from app.journey.connections import invitations, leaks, read, rules, service
from app.journey.connections.states import ConnectionStep
from app.journey.refunds.read import accounts_of_company
from app.people.billers import FOUND_MOST
from app.people.customers import today_of
from app.people.vetting import vetting_of
from app.web.context import services
from app.web.customers.pages import TYPED_MOST, blueprint, me, typed_words

#: what the buttons of a company's page do, by the last part of their address
STEPS = {
    "decline": ConnectionStep.DECLINE,
    "mute": ConnectionStep.MUTE,
    "unmute": ConnectionStep.UNMUTE,
    "leave": ConnectionStep.LEAVE,
    "block": ConnectionStep.BLOCK,
    "unblock": ConnectionStep.UNBLOCK,
}


@blueprint.get("/companies")
def companies() -> ResponseReturnValue:
    customer = me().customer
    with services().reading() as uow:
        today = today_of(customer, uow.now)
        known = read.connections_of(uow.session, customer_id=customer.id, today=today)
        unread = leaks.leaks_of(uow.session, customer_id=customer.id, unread=True)
    return render_template("customers/companies.html", companies=known, leaks=unread)


@blueprint.get("/companies/find")
def find_company() -> ResponseReturnValue:
    """Vetted companies by words of their names, which are nobody's secret: they may stand in an address."""
    typed = typed_words(request.args)
    customer = me().customer
    with services().reading() as uow:
        today = today_of(customer, uow.now)
        found = read.found_billers(uow.session, typed, customer_id=customer.id, today=today) if typed else []
    return render_template("customers/find_company.html", asked=typed, found=found, more=len(found) == FOUND_MOST)


@blueprint.get("/companies/<biller>")
def company(biller: str) -> ResponseReturnValue:
    return _page(biller)


@blueprint.post("/companies/<biller>/ask")
def ask_company(biller: str) -> ResponseReturnValue:
    """Ask to be billed here. The page before this has said what the company learns."""
    customer = me().customer
    typed = request.form.get("reference", "")

    def ask(uow: UnitOfWork) -> None:
        service.ask(
            uow,
            customer_id=customer.id,
            biller_id=biller,
            reference=typed,
            today=today_of(customer, uow.now),
            space_domain=services().settings.space_domain,
        )

    return _done(biller, ask, typed=typed)


@blueprint.post("/companies/<biller>/address")
def hand_address(biller: str) -> ResponseReturnValue:
    """Make the address that is for this company alone."""
    domain = services().settings.space_domain
    customer_id = me().customer.id
    return _done(biller, lambda uow: service.hand(uow, customer_id=customer_id, biller_id=biller, space_domain=domain))


@blueprint.post("/companies/<biller>/accept")
def accept_company(biller: str) -> ResponseReturnValue:
    customer_id = me().customer.id
    return _done(biller, lambda uow: service.accept(uow, customer_id=customer_id, biller_id=biller))


@blueprint.post("/companies/<biller>/leaks")
def leaks_read(biller: str) -> ResponseReturnValue:
    customer_id, until = me().customer.id, request.form.get("until", "")
    return _done(biller, lambda uow: leaks.leaks_seen(uow, customer_id=customer_id, biller_id=biller, until=until))


@blueprint.post("/companies/<biller>/<word>")
def change_company(biller: str, word: str) -> ResponseReturnValue:
    step = STEPS.get(word)
    if step is None:
        abort(404)
    customer_id = me().customer.id
    return _done(biller, lambda uow: service.change(uow, customer_id=customer_id, biller_id=biller, step=step))


@blueprint.get("/companies/code")
def codes() -> ResponseReturnValue:
    return _codes()


@blueprint.post("/companies/code")
def make_code() -> ResponseReturnValue:
    try:
        with services().unit_of_work() as uow:
            service.make_code(services(), uow, customer_id=me().customer.id)
            uow.commit()
    except Conflict as refused:
        return _codes(refused.code), refused.status
    return redirect(url_for("customers.codes"), 303)


@blueprint.post("/companies/code/withdraw")
def withdraw_code() -> ResponseReturnValue:
    with services().unit_of_work() as uow:
        service.withdraw_code(uow, customer_id=me().customer.id, code_id=request.form.get("code", ""))
        uow.commit()
    return redirect(url_for("customers.codes"), 303)


@blueprint.get("/companies/invite")
def invitation() -> ResponseReturnValue:
    return _invitations(name=request.args.get("name", "")[:TYPED_MOST])


@blueprint.post("/companies/invite")
def invite() -> ResponseReturnValue:
    name, reference = request.form.get("name", ""), request.form.get("reference", "")
    try:
        with services().unit_of_work() as uow:
            invitations.invite(uow, customer_id=me().customer.id, name=name, reference=reference)
            uow.commit()
    except (Invalid, Conflict) as refused:
        return _invitations(name=name, reference=reference, error=refused.code), refused.status
    return redirect(url_for("customers.invitation"), 303)


def _done(biller_id: str, do: Callable[[UnitOfWork], object], *, typed: str = "") -> ResponseReturnValue:
    """Do it and show where the company stands now; what does not fit any more says so on that very page."""
    try:
        with services().unit_of_work() as uow:
            do(uow)
            uow.commit()
    except (Invalid, Conflict) as refused:
        return _page(biller_id, refused, typed=typed), refused.status
    return redirect(url_for("customers.company", biller=biller_id), 303)


def _page(biller_id: str, refused: AppError | None = None, *, typed: str = "") -> str:
    customer = me().customer
    with services().reading() as uow:
        today = today_of(customer, uow.now)
        view = read.connection_view(uow.session, biller_id=biller_id, customer_id=customer.id, today=today)
        vetting = vetting_of(uow.session, biller_id=biller_id, now=uow.now)
        over = view.offered_until is not None and view.offered_until <= uow.now
        accounts = accounts_of_company(uow.session, biller_id=biller_id, customer_id=customer.id)
    error = refused.code if refused is not None else None
    return render_template(
        "customers/company.html",
        company=view,
        vetting=vetting,
        over=over,
        accounts=accounts,
        error=error,
        typed=typed,
    )


def _codes(error: str | None = None) -> str:
    with services().reading() as uow:
        open_codes = read.codes_of(services().vault, uow.session, customer_id=me().customer.id, now=uow.now)
    return render_template(
        "customers/codes.html", codes=open_codes, most=rules.CODES_MOST, days=rules.CODE_LIFE.days, error=error
    )


def _invitations(*, name: str = "", reference: str = "", error: str | None = None) -> str:
    with services().reading() as uow:
        sent = invitations.invitations_of(uow.session, customer_id=me().customer.id)
    return render_template("customers/invite.html", invitations=sent, name=name, reference=reference, error=error)
