"""The pages where a person approves: from the link consentApproval to sign-in, decision and the way back.

They look as the other sandbox bank's do, and its templates are theirs. The way back is one of the two addresses that
the payment request named: nothing is added to it, so it proves nothing.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from connectors.sandbox_bank import payments, people, visits
from connectors.sandbox_bank import texts as words
from connectors.sandbox_bank.consent_page import page_language
from connectors.sandbox_bank.errors import PageError
from connectors.sandbox_bank.scenarios import Reason
from connectors.sandbox_bank.stet import payment_requests, texts
from connectors.sandbox_bank.stet.context import StetBank, current_bank
from connectors.sandbox_bank.stet.payment_requests import Request
from connectors.sandbox_bank.visits import Visit

COOKIE = "visit"

#: the templates know it by this name
blueprint = Blueprint("consent_page", __name__)


@dataclass(frozen=True, kw_only=True)
class Here:
    """The visit that this request belongs to, proved by its cookie."""

    bank: StetBank
    visit: Visit
    secret: str
    asked: Request
    now_ms: int
    lang: words.Language

    @property
    def tpp(self) -> str:
        return self.asked.payment.brand

    @property
    def t(self) -> dict[str, str]:
        return texts.of(self.asked.brand, self.lang, tpp=self.tpp)


@blueprint.get("/<brand_id>/consent/<link>")
def begin(brand_id: str, link: str) -> BaseResponse:
    bank = current_bank()
    brand = bank.brand(brand_id)
    with bank.store.write() as connection:
        asked = payment_requests.find_by_link(connection, link)
        if asked is None or asked.brand != brand:
            raise PageError(404, "error_request")
        handle, secret = visits.begin(
            connection, payment_id=asked.payment.payment_id, state="", code_challenge="", now_ms=bank.now_ms()
        )
    address = url_for("consent_page.visit", handle=handle)
    response = redirect(f"{address}?lang={page_language()}", 303)
    response.set_cookie(COOKIE, secret, path=address, httponly=True, samesite="Lax", secure=True)
    return response


@blueprint.get("/sca/<handle>")
def visit(handle: str) -> BaseResponse:
    here = _here(handle)
    if not here.asked.may_be_decided(here.now_ms):
        return _to("back", here)
    if here.visit.customer_id is None:
        return _sign_in_page(here)
    return _decision_page(here, here.visit.customer_id)


@blueprint.post("/sca/<handle>/sign-in")
def sign_in(handle: str) -> BaseResponse:
    here = _here(handle)
    _check_form_token(here)
    customer_id, pin = request.form.get("customer", ""), request.form.get("pin", "")
    with here.bank.store.write() as connection:
        asked = payment_requests.find(connection, here.asked.payment.payment_id)
        if asked is None or not asked.may_be_decided(here.now_ms):
            return _to("back", here)
        if customer_id not in {c.customer_id for c in people.customers(connection)}:
            tries_left = None
        elif hmac.compare_digest(pin.strip().encode(), people.SANDBOX_PIN.encode()):
            visits.sign_in(connection, handle, customer_id)
            return _to("visit", here)
        else:
            tries_left = payments.count_pin_failure(connection, asked.payment)
    if tries_left == 0:
        return _to("back", here)
    error = here.t["no_customer"] if tries_left is None else here.t["wrong_pin"].format(tries=tries_left)
    return _sign_in_page(here, error=error, customer_id=customer_id)


@blueprint.post("/sca/<handle>/decision")
def decide(handle: str) -> BaseResponse:
    """A second POST (double click, back button) finds it decided, changes nothing, leads back as before."""
    here = _here(handle)
    _check_form_token(here)
    customer_id, decision = here.visit.customer_id, request.form.get("decision")
    if customer_id is None or decision not in ("approve", "refuse"):
        return _to("visit", here)
    payments.settle(here.bank.store, here.now_ms)
    with here.bank.store.write() as connection:
        asked = payment_requests.find(connection, here.asked.payment.payment_id)
        done = True
        if asked is not None and asked.may_be_decided(here.now_ms):
            if decision == "refuse":
                payments.refuse(connection, asked.payment.payment_id, Reason.REFUSED_BY_CUSTOMER)
            else:
                done = payment_requests.approve(
                    connection,
                    asked,
                    customer_id=customer_id,
                    account_id=request.form.get("account", ""),
                    now_ms=here.now_ms,
                    settle_ms=here.bank.settle_ms,
                )
    if done:
        return _to("back", here)
    return _decision_page(here, customer_id, error=here.t["choose_account"])


@blueprint.get("/sca/<handle>/back")
def back(handle: str) -> BaseResponse:
    here = _here(handle)
    if here.asked.may_be_decided(here.now_ms):
        return _to("visit", here)
    approved = here.asked.approved_ms is not None
    status = here.asked.payment.status_at(here.now_ms)
    return _page(
        "back.html",
        here,
        outcome="approved" if approved else "refused",
        reason=None if approved or status.reason is None else words.rejection(here.lang, status.reason),
        way_back=here.asked.success_url if approved else here.asked.failure_url,
    )


def answer_page_error(error: PageError) -> tuple[str, int]:
    lang = page_language()
    # nobody knows yet whose page it is
    t = {**words.TEXTS[lang], "bank": "Banque"}
    return render_template("error.html", lang=lang, t=t, message=error.text_key), error.status


def _here(handle: str) -> Here:
    bank = current_bank()
    now_ms, secret = bank.now_ms(), request.cookies.get(COOKIE, "")
    with bank.store.read() as connection:
        found = visits.find(connection, handle)
        asked = None if found is None else payment_requests.find(connection, found.payment_id)
    if found is None or asked is None or not found.belongs_to(secret, now_ms):
        raise PageError(403, "error_visit")
    return Here(bank=bank, visit=found, secret=secret, asked=asked, now_ms=now_ms, lang=page_language())


def _check_form_token(here: Here) -> None:
    given = request.form.get("form_token", "")
    if not hmac.compare_digest(given.encode(), visits.form_token(here.secret).encode()):
        raise PageError(403, "error_form")


def _to(endpoint: str, here: Here) -> BaseResponse:
    return redirect(url_for(f"consent_page.{endpoint}", handle=here.visit.handle, lang=here.lang), 303)


def _sign_in_page(here: Here, *, error: str | None = None, customer_id: str | None = None) -> Response:
    with here.bank.store.read() as connection:
        customers = people.customers(connection)
    return _page("sign_in.html", here, customers=customers, error=error, customer_id=customer_id)


def _decision_page(here: Here, customer_id: str, *, error: str | None = None) -> Response:
    payments.settle(here.bank.store, here.now_ms)
    with here.bank.store.read() as connection:
        name = next(c.name for c in people.customers(connection) if c.customer_id == customer_id)
        choices = payments.choices(connection, here.asked.payment, customer_id)
    able = [choice.account.account_id for choice in choices if choice.obstacle is None]
    return _page("decision.html", here, name=name, choices=choices, able=able, error=error)


def _page(template: str, here: Here, **values: object) -> Response:
    """422 where the page shows an error of the person's input."""
    html = render_template(
        template,
        lang=here.lang,
        t=here.t,
        money=lambda amount_minor: words.money(here.lang, amount_minor),
        handle=here.visit.handle,
        form_token=visits.form_token(here.secret),
        payment=here.asked.payment,
        tpp=here.tpp,
        reference=here.asked.payment.body["remittanceInformationUnstructured"],
        **values,
    )
    return Response(html, status=422 if values.get("error") else 200, mimetype="text/html")
