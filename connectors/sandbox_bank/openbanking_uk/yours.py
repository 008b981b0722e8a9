"""A customer's own page at a brand: what others may do with their accounts, to see and to stop.

It is the only way to stop a scheduled payment, for which the standard has no call, and the customer's own way to end a
standing consent without its TPP.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from connectors.sandbox_bank.openbanking_uk import pages, payments, people, recurring, resources, scheduled, visits
from connectors.sandbox_bank.openbanking_uk.brands import Brand
from connectors.sandbox_bank.openbanking_uk.context import UkBank, current_bank
from connectors.sandbox_bank.openbanking_uk.errors import PageError
from connectors.sandbox_bank.openbanking_uk.payments import Consent, Payment
from connectors.sandbox_bank.openbanking_uk.resources import Approval
from connectors.sandbox_bank.openbanking_uk.store import Connection
from connectors.sandbox_bank.openbanking_uk.used import digest

COOKIE = "yours"
#: from the sign-in, whatever is done meanwhile
LIFE_MS = visits.LIFE_MS

SCHEMA = """
CREATE TABLE IF NOT EXISTS signed_in (
    secret_hash TEXT PRIMARY KEY,
    brand TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT;
"""

blueprint = Blueprint("yours", __name__)


@dataclass(frozen=True, kw_only=True)
class Here:
    """Whose page it is, proved by its cookie; ``customer_id`` None: of nobody who has signed in."""

    bank: UkBank
    brand: Brand
    secret: str
    customer_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """A standing consent or a scheduled payment, as the page shows it. ``field``: what it is called in the form."""

    field: str
    id: str
    approval: Approval
    stops: bool  #: whether it can be stopped; otherwise it was
    account: str
    tpp: str


@blueprint.get("/<brand_id>/yours")
def yours(brand_id: str) -> BaseResponse:
    here = _here(brand_id)
    if here.customer_id is None:
        return _sign_in_page(here)
    bank, brand, now_ms = here.bank, here.brand, here.bank.now_ms()
    with bank.store.read() as connection:
        standing = payments.standing_of(connection, here.customer_id, brand=brand.id)
        waiting = payments.scheduled_of(connection, here.customer_id, brand=brand.id)
        consents = [_standing(connection, bank, each, now_ms=now_ms) for each in standing]
        orders = [_waiting(connection, bank, each, now_ms=now_ms) for each in waiting]
    return _page(
        "uk_yours.html",
        here,
        name=people.CUSTOMERS[here.customer_id],
        consents=[each for each in consents if each is not None],
        orders=[each for each in orders if each is not None],
    )


@blueprint.post("/<brand_id>/yours/sign-in")
def sign_in(brand_id: str) -> BaseResponse:
    """The secret of before was anybody's: who signs in gets another one."""
    here = _here(brand_id)
    _check_form_token(here)
    customer_id, pin = request.form.get("customer", ""), request.form.get("pin", "")
    if customer_id not in people.CUSTOMERS:
        return _sign_in_page(here, error="Choose who you are.")
    if not hmac.compare_digest(pin.strip().encode(), people.SANDBOX_PIN.encode()):
        return _sign_in_page(here, error="That PIN is not right.", customer_id=customer_id)
    secret, now_ms = secrets.token_urlsafe(32), here.bank.now_ms()
    with here.bank.store.write() as connection:
        connection.execute("DELETE FROM signed_in WHERE created_ms < ?", [now_ms - LIFE_MS])
        connection.execute(
            "INSERT INTO signed_in (secret_hash, brand, customer_id, created_ms) VALUES (?, ?, ?, ?)",
            [digest(secret), here.brand.id, customer_id, now_ms],
        )
    response = _to_page(here)
    _give(response, here, secret)
    return response


@blueprint.post("/<brand_id>/yours/stop")
def stop(brand_id: str) -> BaseResponse:
    """A standing consent (`consent`) or a scheduled payment (`payment`). What is not theirs, or over, stays."""
    here = _here(brand_id)
    _check_form_token(here)
    if here.customer_id is None:
        return _to_page(here)
    with here.bank.store.write() as connection:
        _stop(connection, here, consent_id=request.form.get("consent"), payment_id=request.form.get("payment"))
    return _to_page(here)


@blueprint.post("/<brand_id>/yours/sign-out")
def sign_out(brand_id: str) -> BaseResponse:
    here = _here(brand_id)
    _check_form_token(here)
    with here.bank.store.write() as connection:
        connection.execute("DELETE FROM signed_in WHERE secret_hash = ?", [digest(here.secret)])
    return _to_page(here)


# ------------------------------------------------------------------------------------------------- what may be stopped


def _standing(connection: Connection, bank: UkBank, consent: Consent, *, now_ms: int) -> Allowed | None:
    """None for one that is over by itself."""
    status = consent.status_at(now_ms)
    if status not in ("AUTH", "CANC"):
        return None
    return _allowed(connection, bank, consent, "consent", consent.consent_id, stops=status == "AUTH")


def _waiting(connection: Connection, bank: UkBank, payment: Payment, *, now_ms: int) -> Allowed | None:
    """None for one whose day has come."""
    stops = scheduled.may_be_stopped(payment, now_ms=now_ms)
    if not stops and payment.status_at(now_ms)[0] != "CANC":
        return None
    return _allowed(connection, bank, payment.consent, "payment", payment.payment_id, stops=stops)


def _allowed(
    connection: Connection, bank: UkBank, consent: Consent, field: str, its_id: str, *, stops: bool
) -> Allowed:
    account = people.account_of(connection, consent.account_id or "")
    return Allowed(
        field=field,
        id=its_id,
        approval=resources.approval_of(consent),
        stops=stops,
        account=account.name,
        tpp=(bank.tpp(consent.tpp) or {}).get("software", consent.tpp),
    )


def _stop(connection: Connection, here: Here, *, consent_id: str | None, payment_id: str | None) -> None:
    now_ms = here.bank.now_ms()
    if consent_id is not None:
        consent = payments.consent_of(connection, consent_id, brand=here.brand.id)
        if consent is not None and consent.kind is payments.VRP and _is_theirs(connection, here, consent.account_id):
            recurring.cancel(connection, consent, now_ms=now_ms)
    if payment_id is not None:
        payment = payments.payment_of(connection, payment_id, brand=here.brand.id)
        if (
            payment is not None
            and payment.kind is payments.SCHEDULED
            and _is_theirs(connection, here, payment.account_id)
        ):
            scheduled.cancel(connection, payment, now_ms=now_ms)


def _is_theirs(connection: Connection, here: Here, account_id: str | None) -> bool:
    return account_id is not None and people.account_of(connection, account_id).customer_id == here.customer_id


# ------------------------------------------------------------------------------------------------------- the machinery


def _here(brand_id: str) -> Here:
    """A browser without a secret gets one with the page that asks for the PIN: the form's token comes out of it."""
    bank = current_bank()
    brand = bank.brand(brand_id)
    secret = request.cookies.get(COOKIE, "")
    with bank.store.read() as connection:
        row = connection.execute(
            "SELECT customer_id FROM signed_in WHERE secret_hash = ? AND brand = ? AND created_ms > ?",
            [digest(secret), brand.id, bank.now_ms() - LIFE_MS],
        ).fetchone()
    return Here(bank=bank, brand=brand, secret=secret, customer_id=None if row is None else row["customer_id"])


def _check_form_token(here: Here) -> None:
    given = request.form.get("form_token", "")
    if not here.secret or not hmac.compare_digest(given.encode(), visits.form_token(here.secret).encode()):
        raise PageError(403, "This form is no longer valid. Go back, reload the page and try again.")


def _give(response: BaseResponse, here: Here, secret: str) -> None:
    """For this brand's page and no other address. Nobody comes here from elsewhere, so nothing is sent with them."""
    path = url_for("yours.yours", brand_id=here.brand.id)
    response.set_cookie(COOKIE, secret, path=path, httponly=True, samesite="Strict", secure=True)


def _to_page(here: Here) -> BaseResponse:
    return redirect(url_for("yours.yours", brand_id=here.brand.id), 303)


def _sign_in_page(here: Here, *, error: str | None = None, customer_id: str | None = None) -> Response:
    with here.bank.store.read() as connection:
        customers = people.customers(connection)
    given = (
        here
        if error is not None
        else Here(bank=here.bank, brand=here.brand, secret=secrets.token_urlsafe(32), customer_id=None)
    )
    response = _page("uk_yours_sign_in.html", given, customers=customers, error=error, customer_id=customer_id)
    _give(response, given, given.secret)
    return response


def _page(template: str, here: Here, **values: object) -> Response:
    """422 where the page shows an error of the person's input."""
    html = render_template(
        template, lang="en", t=pages.words(here.brand), here=here, form_token=visits.form_token(here.secret), **values
    )
    return Response(html, status=422 if values.get("error") else 200, mimetype="text/html")
