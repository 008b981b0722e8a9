"""The one question, on the page of what it is about: answered or skipped, and never seen again."""

from __future__ import annotations

from flask import abort, redirect, request, url_for
from flask.typing import ResponseReturnValue

from app.errors import Conflict
from app.journey.opinions import service
from app.web.context import services
from app.web.customers.pages import blueprint, me


@blueprint.post("/payments/<pay>/opinion")
def say_of_payment(pay: str) -> ResponseReturnValue:
    """Too late, or asked no more, is no error: the page is as it was."""
    try:
        with services().unit_of_work() as uow:
            service.say_of_payment(uow, signed_in=me(), payment_id=pay, word=request.form.get("word", ""))
            uow.commit()
    except Conflict:
        pass
    return redirect(url_for("customers.payment", pay=pay), 303)


@blueprint.post("/bills/<inv>/answers/<ans>/opinion")
def say_of_dispute(inv: str, ans: str) -> ResponseReturnValue:
    """Likewise."""
    try:
        with services().unit_of_work() as uow:
            said = service.say_of_dispute(uow, signed_in=me(), answer_id=ans, word=request.form.get("word", ""))
            if said.invoice_id != inv:
                abort(404)
            uow.commit()
    except Conflict:
        pass
    return redirect(url_for("customers.bill", inv=inv), 303)
