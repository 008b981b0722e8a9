"""Stopping everything, what became of it, and lifting it."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Response, jsonify, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.journey.consents.stopping import TakenBack, taken_back
from app.journey.payments.stopped import Fate, StoppedPayment, banks_of, stopped_payments
from app.people import passkeys, recovery, stops
from app.web.context import services
from app.web.customers.pages import bank_name, blueprint, me, named_payment, relying_party, sent_credential
from app.web.customers.security import passkey_views
from connectors.contract import Cancels
from connectors.registry import UnknownBank


@dataclass(frozen=True, slots=True)
class HelpView:
    """Whom to call at one bank; what its file does not say is empty."""

    name: str
    phone: str = ""
    hours: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class ConsentView:
    payee_name: str
    bank_name: str
    is_confirmed: bool


@blueprint.get("/stop")
def stop() -> ResponseReturnValue:
    """Before: what the one button does. After: what became of it, and whom to call."""
    customer_id = me().customer.id
    with services().reading() as uow:
        standing = stops.standing(uow.session, customer_id)
        coming = recovery.waiting(uow.session, customer_id)
        earlier = [each for each in stops.stops_of(uow.session, customer_id) if each.lifted_at is not None]
        payments = stopped_payments(uow.session, stop=standing, now=uow.now) if standing else []
        consents = taken_back(uow.session, stop=standing) if standing else []
        banks = banks_of(uow.session, customer_id=customer_id)
        keys = passkey_views(passkeys.passkeys_of(uow.session, customer_id))
    return render_template(
        "customers/stop.html",
        stop=standing,
        recovery=coming,
        earlier=earlier,
        payments={fate.value: [_named(each) for each in payments if each.fate is fate] for fate in Fate},
        taken_back_by={each.payment.bank_id: _takes_back(each.payment.bank_id) for each in payments},
        consents=[_consent_view(each) for each in consents],
        banks=[_help_view(each) for each in banks],
        passkeys=keys,
    )


@blueprint.post("/stop")
def stop_everything() -> ResponseReturnValue:
    stops.stop_everything(services(), signed_in=me())
    return redirect(url_for("customers.stop"), 303)


@blueprint.post("/stop/lift/ceremony")
def lift_ceremony() -> Response:
    with services().unit_of_work() as uow:
        started = stops.start_lifting(uow, signed_in=me(), party=relying_party())
        uow.commit()
    return jsonify(ceremony=started.ceremony, publicKey=started.public_key)


@blueprint.post("/stop/lift")
def lift() -> ResponseReturnValue:
    ceremony, credential = sent_credential()
    stops.lift(services(), signed_in=me(), party=relying_party(), ceremony=ceremony, credential=credential)
    return redirect(url_for("customers.stop"), 303)


def _named(each: StoppedPayment) -> object:
    return named_payment(each.payment, None)


def _takes_back(bank_id: str) -> bool:
    """Whether the bank can be asked to drop what waits there for an approval."""
    try:
        return isinstance(services().banks.connector(bank_id), Cancels)
    except UnknownBank:
        return False


def _consent_view(consent: TakenBack) -> ConsentView:
    return ConsentView(consent.payee_name, bank_name(consent.bank_id), consent.is_confirmed)


def _help_view(bank_id: str) -> HelpView:
    try:
        bank = services().banks.profile(bank_id)
    except UnknownBank:
        return HelpView(bank_id)
    return HelpView(bank.name, bank.help_phone, bank.help_hours, bank.help_url)
