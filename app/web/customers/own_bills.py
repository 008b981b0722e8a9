"""Bills that a customer adds: a PDF, a photo or the text of a payment code; then every value is checked by them."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale

from app.errors import AppError, Conflict, Invalid
from app.journey.intake import own_bills
from app.journey.intake.own_bills import ValuesRefused
from app.journey.invoices.own import keep, remove
from app.journey.invoices.read import invoice_of_own
from app.people.customers import today_of
from app.web.context import services
from app.web.customers.limits import adding_limit, drawing_limit, limiter
from app.web.customers.pages import blueprint, me, sent_file


@blueprint.get("/bills/add")
def add_bill() -> ResponseReturnValue:
    return _add_page(None)


@blueprint.post("/bills/add")
@limiter.limit(adding_limit)
def read_own_bill() -> ResponseReturnValue:
    """Read what was chosen, photographed or pasted, and go on to the form in which it is checked."""
    customer_id, written, file = me().customer.id, request.form.get("code", "").strip(), sent_file()
    try:
        if file is not None:
            own_bill_id = own_bills.add_file(services(), customer_id=customer_id, content=file)
        elif written:
            own_bill_id = own_bills.add_code(services(), customer_id=customer_id, written=written)
        else:
            raise Invalid("nothing-added", "Choose a file, take a photo or paste a code.")
    except (Invalid, Conflict) as refused:
        return _add_page(refused, written=written), refused.status
    return redirect(url_for("customers.check_own_bill", own=own_bill_id), 303)


@blueprint.get("/bills/add/<own>")
def check_own_bill(own: str) -> ResponseReturnValue:
    return _check_page(own, typed=None, wrong=())


@blueprint.post("/bills/add/<own>")
def keep_own_bill(own: str) -> ResponseReturnValue:
    """The customer says: this is what the bill says."""
    customer = me().customer
    try:
        values = own_bills.checked(request.form)
    except ValuesRefused as refused:
        page = _check_page(own, typed=request.form, wrong=refused.fields)
        page.status_code = 422 if page.status_code == 200 else page.status_code
        return page
    with services().unit_of_work() as uow:
        today = today_of(customer, uow.now)
        invoice_id = keep(uow, own_bill_id=own, customer_id=customer.id, values=values, today=today)
        uow.commit()
    return redirect(url_for("customers.bill", inv=invoice_id), 303)


@blueprint.post("/bills/add/<own>/discard")
def discard_own_bill(own: str) -> ResponseReturnValue:
    with services().unit_of_work() as uow:
        own_bills.throw_away(uow, own_bill_id=own, customer_id=me().customer.id)
        uow.commit()
    return redirect(url_for("customers.add_bill"), 303)


@blueprint.get("/bills/add/<own>/picture")
@limiter.limit(drawing_limit)
def own_picture(own: str) -> ResponseReturnValue:
    """Its first page, as a picture that was drawn by us: the file itself is only ever a download."""
    picture = own_bills.picture_of(services(), own_bill_id=own, customer_id=me().customer.id)
    answer = Response(picture, mimetype="image/jpeg")
    answer.headers["Content-Security-Policy"] = "sandbox; default-src 'none'; frame-ancestors 'none'"
    return answer


@blueprint.post("/bills/<inv>/remove")
def remove_own_bill(inv: str) -> ResponseReturnValue:
    with services().unit_of_work() as uow:
        remove(uow, invoice_id=inv, customer_id=me().customer.id)
        uow.commit()
    return redirect(url_for("customers.inbox"), 303)


def _written(reading: Mapping[str, str]) -> dict[str, str]:
    """What was read, the amount as people write it in the language of the page."""
    locale = get_locale()
    point = locale.number_symbols["latn"]["decimal"] if locale else "."
    return {**reading, "amount": reading["amount"].replace(".", point)}


def _add_page(refused: AppError | None, *, written: str = "") -> str:
    with services().reading() as uow:
        begun = own_bills.drafts(uow.session, customer_id=me().customer.id)
    return render_template(
        "customers/add_bill.html", drafts=begun, error=refused.code if refused else None, written=written
    )


def _check_page(own_bill_id: str, *, typed: Mapping[str, str] | None, wrong: tuple[str, ...]) -> Response:
    customer_id = me().customer.id
    with services().reading() as uow:
        draft = own_bills.draft(uow.session, own_bill_id=own_bill_id, customer_id=customer_id)
        kept = invoice_of_own(uow.session, own_bill_id=own_bill_id)
    if kept is not None:
        return make_response(redirect(url_for("customers.bill", inv=kept), 303))
    values = _written(draft.reading) if typed is None else typed
    payable = {currency for bank in services().banks.banks() for currency in bank.currencies}
    currencies = sorted({*payable, *filter(None, [draft.reading["currency"]])})
    return make_response(
        render_template(
            "customers/check_bill.html",
            draft=draft,
            values={name: values.get(name, "") for name in draft.reading},
            wrong=wrong,
            currencies=currencies,
        )
    )
