"""Is the money there? Asked of the bank of a standing consent, from the page on which a bill is decided. The answer is
that page, and nothing of it is kept."""

from __future__ import annotations

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from app.errors import AppError
from app.journey.decisions import funds
from app.journey.invoices.access import invoice_of_customer
from app.web.context import services
from app.web.customers.decide import confirm_page, refused, wanted_part
from app.web.customers.limits import asking_funds_limit, limiter
from app.web.customers.pages import blueprint, me, psu


@blueprint.post("/bills/<inv>/pay/funds")
@limiter.limit(asking_funds_limit)
def ask_funds(inv: str) -> ResponseReturnValue:
    """Have the bank asked, now and once."""
    consent_id = request.args.get("consent")
    try:
        answer = funds.ask(
            services(), signed_in=me(), invoice_id=inv, consent_id=consent_id, part=wanted_part(), psu=psu()
        )
    except AppError as error:
        if error.status in (403, 404):
            raise
        return refused(inv, error)
    return confirm_page(inv, error=None, funds=answer)


@blueprint.get("/bills/<inv>/pay/funds")
def funds_asked(inv: str) -> ResponseReturnValue:
    """Whoever fetches that address once more asks no bank."""
    with services().reading() as uow:
        invoice_of_customer(uow.session, invoice_id=inv, customer_id=me().customer.id)
    return redirect(url_for("customers.confirm", inv=inv, consent=request.args.get("consent")), 303)
