"""Erasing the space: what goes, what stays and why; asked with a passkey, and taken back while it waits."""

from __future__ import annotations

from flask import Response, jsonify, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.journey.erasure import service as erasure
from app.journey.erasure.read import erasure_view
from app.web.context import services
from app.web.customers.pages import blueprint, me, relying_party, sent_credential


@blueprint.get("/privacy/erase")
def erasing() -> ResponseReturnValue:
    settings = services().settings
    with services().reading() as uow:
        view = erasure_view(uow.session, customer_id=me().customer.id, now=uow.now)
    return render_template(
        "customers/erase.html",
        view=view,
        now=services().clock(),
        years=settings.keep_payments_years,
        complaints=settings.complaints,
    )


@blueprint.post("/privacy/erase/ceremony")
def erase_ceremony() -> Response:
    with services().unit_of_work() as uow:
        started = erasure.start_asking(uow, signed_in=me(), party=relying_party())
        uow.commit()
    return jsonify(ceremony=started.ceremony, publicKey=started.public_key)


@blueprint.post("/privacy/erase")
def erase() -> ResponseReturnValue:
    ceremony, credential = sent_credential()
    erasure.ask(services(), signed_in=me(), party=relying_party(), ceremony=ceremony, credential=credential)
    return redirect(url_for("customers.erasing"), 303)


@blueprint.post("/privacy/erase/take-back")
def keep_space() -> ResponseReturnValue:
    with services().unit_of_work() as uow:
        erasure.take_back(uow, signed_in=me())
        uow.commit()
    return redirect(url_for("customers.erasing"), 303)
