"""Is this real? What a customer was shown elsewhere, held against their own space. Writes nothing."""

from __future__ import annotations

from flask import render_template, request
from flask.typing import ResponseReturnValue

from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import shown
from app.journey.intake.formats.shown import Shown
from app.journey.invoices.compared import compare
from app.journey.invoices.read import invoice_view
from app.people.customers import today_of
from app.web.context import services
from app.web.customers.limits import comparing_limit, limiter
from app.web.customers.pages import blueprint, me, sent_file


@blueprint.get("/real")
def ask_real() -> ResponseReturnValue:
    return _page()


@blueprint.post("/real")
@limiter.limit(comparing_limit)
def is_it_real() -> ResponseReturnValue:
    """Compare what was chosen, photographed or pasted. The answer is this page, and nothing of it is kept."""
    written = request.form.get("text", "").replace("\r\n", "\n")
    try:
        what = _shown(written)
    except BillRefused as refused:
        return _page(error=refused.code, written=written), 422
    customer = me().customer
    with services().reading() as uow:
        today = today_of(customer, uow.now)
        answer = compare(services().vault, uow.session, what, customer_id=customer.id, today=today, now=uow.now)
        bill = (
            invoice_view(uow.session, invoice_id=answer.bill_id, customer_id=customer.id, today=today)
            if answer.bill_id
            else None
        )
    return _page(answer=answer, bill=bill)


def _shown(written: str) -> Shown:
    file = sent_file()
    if file is None and not written.strip():
        raise BillRefused("nothing-shown", "Choose a file, take a photo or paste a text.")
    if file is not None and written.strip():
        raise BillRefused("two-things", "Ask about one thing at a time.")
    return shown.of_text(written) if file is None else shown.of_file(file)


def _page(**told: object) -> str:
    nothing = {"answer": None, "bill": None, "error": None, "written": ""}
    return render_template("customers/real.html", **{**nothing, **told}, text_max=shown.TEXT_MAX)
