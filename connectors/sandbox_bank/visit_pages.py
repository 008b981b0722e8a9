"""What the pages of a visit have in common, at all sandbox banks with these templates: cookie, forms, sign-in, look.

What is asked, and what becomes of a decision, each bank says by itself.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from flask import Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from connectors.sandbox_bank import payments, people, texts, visits
from connectors.sandbox_bank.errors import PageError
from connectors.sandbox_bank.payments import Choice, Payment
from connectors.sandbox_bank.store import Connection

COOKIE = "visit"


def begin(handle: str, secret: str, *, lang: texts.Language, secure: bool) -> BaseResponse:
    """To the visit, whose cookie goes nowhere else."""
    path = url_for("consent_page.visit", handle=handle)
    response = redirect(url_for("consent_page.visit", handle=handle, lang=lang), 303)
    response.set_cookie(COOKIE, secret, path=path, httponly=True, samesite="Lax", secure=secure)
    return response


def to(endpoint: str, handle: str, lang: texts.Language) -> BaseResponse:
    return redirect(url_for(f"consent_page.{endpoint}", handle=handle, lang=lang), 303)


def check_form_token(secret: str) -> None:
    """Raises PageError for a form that is not of this visit."""
    given = request.form.get("form_token", "")
    if not hmac.compare_digest(given.encode(), visits.form_token(secret).encode()):
        raise PageError(403, "error_form")


@dataclass(frozen=True, slots=True)
class NotSignedIn:
    """``tries_left`` None: there is no such customer."""

    customer_id: str  #: as it was typed
    tries_left: int | None

    def words(self, t: Mapping[str, str]) -> str:
        return t["no_customer"] if self.tries_left is None else t["wrong_pin"].format(tries=self.tries_left)


def sign_in(connection: Connection, handle: str, payment: Payment, *, owner: str | None = None) -> NotSignedIn | None:
    """By what the form says. A wrong PIN counts at what is to be approved. ``owner``: whose it is alone."""
    customer_id, pin = request.form.get("customer", ""), request.form.get("pin", "")
    if customer_id not in {one.customer_id for one in people.customers(connection) if owner in (None, one.customer_id)}:
        return NotSignedIn(customer_id, None)
    if not hmac.compare_digest(pin.strip().encode(), people.SANDBOX_PIN.encode()):
        return NotSignedIn(customer_id, payments.count_pin_failure(connection, payment))
    visits.sign_in(connection, handle, customer_id)
    return None


def name_and_choices(connection: Connection, payment: Payment, customer_id: str) -> tuple[str, list[Choice]]:
    """Who decides, and the accounts to choose from."""
    name = next(one.name for one in people.customers(connection) if one.customer_id == customer_id)
    return name, payments.choices(connection, payment, customer_id)


def able(choices: list[Choice]) -> list[str]:
    """The accounts among them that can be taken."""
    return [choice.account.account_id for choice in choices if choice.obstacle is None]


def page(
    template: str,
    *,
    lang: texts.Language,
    t: Mapping[str, str],
    handle: str,
    secret: str,
    payment: Payment,
    tpp: str,
    **values: object,
) -> Response:
    """422 where the page shows an error of the person's input."""
    remittance = payment.body.get("remittanceInformationStructured") or {}
    html = render_template(
        template,
        lang=lang,
        t=t,
        money=lambda amount_minor: texts.money(lang, amount_minor),
        handle=handle,
        form_token=visits.form_token(secret),
        payment=payment,
        tpp=tpp,
        reference=payment.body.get("remittanceInformationUnstructured") or remittance.get("reference"),
        **values,
    )
    return Response(html, status=422 if values.get("error") else 200, mimetype="text/html")
