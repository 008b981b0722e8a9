"""The pages where a person approves: from the link consentApproval to sign-in, decision and the way back.

They look as the other sandbox bank's do, and its templates are theirs. The way back is one of the two addresses that
the payment request named: nothing is added to it, so it proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from connectors.sandbox_bank import payments, people, visit_pages, visits
from connectors.sandbox_bank import texts as words
from connectors.sandbox_bank.consent_page import page_language
from connectors.sandbox_bank.errors import PageError
from connectors.sandbox_bank.scenarios import Reason
from connectors.sandbox_bank.stet import payment_requests, texts
from connectors.sandbox_bank.stet.context import StetBank, current_bank
from connectors.sandbox_bank.stet.payment_requests import Request
from connectors.sandbox_bank.visit_pages import NotSignedIn
from connectors.sandbox_bank.visits import Visit

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
    return visit_pages.begin(handle, secret, lang=page_language(), secure=True)


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
    visit_pages.check_form_token(here.secret)
    with here.bank.store.write() as connection:
        asked = payment_requests.find(connection, here.asked.payment.payment_id)
        if asked is None or not asked.may_be_decided(here.now_ms):
            return _to("back", here)
        failed = visit_pages.sign_in(connection, handle, asked.payment)
    if failed is None:
        return _to("visit", here)
    if failed.tries_left == 0:
        return _to("back", here)
    return _sign_in_page(here, failed)


@blueprint.post("/sca/<handle>/decision")
def decide(handle: str) -> BaseResponse:
    """A second POST (double click, back button) finds it decided, changes nothing, leads back as before."""
    here = _here(handle)
    visit_pages.check_form_token(here.secret)
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
    now_ms, secret = bank.now_ms(), request.cookies.get(visit_pages.COOKIE, "")
    with bank.store.read() as connection:
        found = visits.find(connection, handle)
        asked = None if found is None else payment_requests.find(connection, found.payment_id)
    if found is None or asked is None or not found.belongs_to(secret, now_ms):
        raise PageError(403, "error_visit")
    return Here(bank=bank, visit=found, secret=secret, asked=asked, now_ms=now_ms, lang=page_language())


def _to(endpoint: str, here: Here) -> BaseResponse:
    return visit_pages.to(endpoint, here.visit.handle, here.lang)


def _sign_in_page(here: Here, failed: NotSignedIn | None = None) -> Response:
    with here.bank.store.read() as connection:
        customers = people.customers(connection)
    error, customer_id = (failed.words(here.t), failed.customer_id) if failed else (None, None)
    return _page("sign_in.html", here, customers=customers, error=error, customer_id=customer_id)


def _decision_page(here: Here, customer_id: str, *, error: str | None = None) -> Response:
    payments.settle(here.bank.store, here.now_ms)
    with here.bank.store.read() as connection:
        name, choices = visit_pages.name_and_choices(connection, here.asked.payment, customer_id)
    able = visit_pages.able(choices)
    return _page("decision.html", here, name=name, choices=choices, able=able, error=error)


def _page(template: str, here: Here, **values: object) -> Response:
    return visit_pages.page(
        template,
        lang=here.lang,
        t=here.t,
        handle=here.visit.handle,
        secret=here.secret,
        payment=here.asked.payment,
        tpp=here.tpp,
        **values,
    )
