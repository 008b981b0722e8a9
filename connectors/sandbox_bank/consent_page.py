"""The pages where a person approves: authorisation endpoint (RFC 6749 §3.1), sign-in, decision, way back.

No script, so it works everywhere. The way back is a page of our own with a link and a refresh of 0 s:
a redirect right after the form's POST would be stopped in Chromium by `form-action 'self'`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from connectors.sandbox_bank import grants, payments, people, texts, visit_pages, visits
from connectors.sandbox_bank.context import Bank, current_bank
from connectors.sandbox_bank.errors import PageError
from connectors.sandbox_bank.oauth import AUTHORIZE_PATH
from connectors.sandbox_bank.payments import Payment
from connectors.sandbox_bank.scenarios import Reason
from connectors.sandbox_bank.visit_pages import NotSignedIn
from connectors.sandbox_bank.visits import Visit

STATE_LENGTH_MAX = 512

_S256_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")

blueprint = Blueprint("consent_page", __name__)


@dataclass(frozen=True, kw_only=True)
class Here:
    """The visit that this request belongs to, proved by its cookie."""

    bank: Bank
    visit: Visit
    secret: str
    payment: Payment
    now_ms: int
    lang: texts.Language


@blueprint.get(AUTHORIZE_PATH)
def authorize() -> BaseResponse:
    bank = current_bank()
    asked = _single_query()
    payment = _asked_payment(bank, asked)
    now_ms = bank.now_ms()
    error = _redirectable_error(asked, payment, now_ms)
    if error is not None:
        return redirect(_way_back(bank, payment, {"error": error, "state": asked.get("state", "")}), 303)
    with bank.store.write() as connection:
        handle, secret = visits.begin(
            connection,
            payment_id=payment.payment_id,
            state=asked["state"],
            code_challenge=asked["code_challenge"],
            now_ms=now_ms,
        )
    secure = bank.settings.base_url.startswith("https://")
    return visit_pages.begin(handle, secret, lang=page_language(), secure=secure)


@blueprint.get("/sca/<handle>")
def visit(handle: str) -> BaseResponse:
    here = _here(handle)
    if not here.payment.may_be_decided(here.now_ms):
        return _to("back", here)
    if here.visit.customer_id is None:
        return _sign_in_page(here)
    return _decision_page(here, here.visit.customer_id)


@blueprint.post("/sca/<handle>/sign-in")
def sign_in(handle: str) -> BaseResponse:
    here = _here(handle)
    visit_pages.check_form_token(here.secret)
    with here.bank.store.write() as connection:
        payment = payments.find(connection, here.payment.payment_id)
        if payment is None or not payment.may_be_decided(here.now_ms):
            return _to("back", here)
        failed = visit_pages.sign_in(connection, handle, payment)
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
        payment = payments.find(connection, here.payment.payment_id)
        if payment is None or not payment.may_be_decided(here.now_ms):
            done = True
        elif decision == "refuse":
            payments.refuse(connection, payment.payment_id, Reason.REFUSED_BY_CUSTOMER)
            done = True
        else:
            done = payments.approve(
                connection,
                payment,
                customer_id=customer_id,
                account_id=request.form.get("account", ""),
                now_ms=here.now_ms,
                settle_ms=here.bank.settle_ms,
                execute_ms=payment.execute_ms,
            )
            if done:
                code = visits.code_of(here.secret)
                grants.keep_code(connection, code=code, handle=handle, now_ms=here.now_ms)
    if done:
        return _to("back", here)
    return _decision_page(here, customer_id, error=texts.TEXTS[here.lang]["choose_account"])


@blueprint.get("/sca/<handle>/back")
def back(handle: str) -> BaseResponse:
    here = _here(handle)
    status = here.payment.status_at(here.now_ms)
    if here.payment.may_be_decided(here.now_ms):
        return _to("visit", here)
    with here.bank.store.read() as connection:
        approved_here = visits.approved(connection, handle)
    if approved_here:
        outcome, answer = "approved", {"code": visits.code_of(here.secret)}
    elif here.payment.decision == "approved":
        outcome, answer = "closed", {"error": "invalid_scope"}
    else:
        outcome, answer = "refused", {"error": "access_denied"}
    return _page(
        "back.html",
        here,
        outcome=outcome,
        reason=None if approved_here or status.reason is None else texts.rejection(here.lang, status.reason),
        way_back=_way_back(here.bank, here.payment, {**answer, "state": here.visit.state}),
    )


def page_language() -> texts.Language:
    """?lang (our own links), then ui_locales (OpenID Connect Core §3.1.2.1), then the browser's wish."""
    for wanted in (request.args.get("lang"), ",".join(request.args.get("ui_locales", "").split())):
        if wanted:
            return texts.language(wanted)
    return texts.language(request.headers.get("Accept-Language", ""))


def answer_page_error(error: PageError) -> tuple[str, int]:
    lang = page_language()
    return render_template("error.html", lang=lang, t=texts.TEXTS[lang], message=error.text_key), error.status


def _single_query() -> dict[str, str]:
    if any(len(values) > 1 for _, values in request.args.lists()):
        raise PageError(400, "error_request")
    return request.args.to_dict()


def _asked_payment(bank: Bank, asked: dict[str, str]) -> Payment:
    """Until client, payment and redirect URI agree there is nobody to redirect to (RFC 6749 §4.1.2.1)."""
    kind, _, payment_id = asked.get("scope", "").partition(":")
    with bank.store.read() as connection:
        payment = payments.find(connection, payment_id)
    if kind != "PIS" or payment is None or asked.get("client_id") != payment.tpp:
        raise PageError(400, "error_request")
    if asked.get("redirect_uri") != payment.redirect_uri:
        raise PageError(400, "error_request")
    return payment


def _redirectable_error(asked: dict[str, str], payment: Payment, now_ms: int) -> str | None:
    if asked.get("response_type") != "code":
        return "unsupported_response_type" if "response_type" in asked else "invalid_request"
    if not 1 <= len(asked.get("state", "")) <= STATE_LENGTH_MAX:
        return "invalid_request"
    if asked.get("code_challenge_method") != "S256" or not _S256_CHALLENGE.fullmatch(asked.get("code_challenge", "")):
        return "invalid_request"
    return None if payment.may_be_decided(now_ms) else "invalid_scope"


def _way_back(bank: Bank, payment: Payment, answer: dict[str, str]) -> str:
    """The TPP's redirect URI with the answer and `iss` (RFC 9207) added to its own query, if it has one."""
    query = urlencode({name: value for name, value in {**answer, "iss": bank.settings.base_url}.items() if value})
    return f"{payment.redirect_uri}{'&' if '?' in payment.redirect_uri else '?'}{query}"


def _here(handle: str) -> Here:
    bank = current_bank()
    now_ms, secret = bank.now_ms(), request.cookies.get(visit_pages.COOKIE, "")
    with bank.store.read() as connection:
        found = visits.find(connection, handle)
        payment = None if found is None else payments.find(connection, found.payment_id)
    if found is None or payment is None or not found.belongs_to(secret, now_ms):
        raise PageError(403, "error_visit")
    return Here(bank=bank, visit=found, secret=secret, payment=payment, now_ms=now_ms, lang=page_language())


def _to(endpoint: str, here: Here) -> BaseResponse:
    return visit_pages.to(endpoint, here.visit.handle, here.lang)


def _sign_in_page(here: Here, failed: NotSignedIn | None = None) -> Response:
    with here.bank.store.read() as connection:
        customers = people.customers(connection)
    error, customer_id = (failed.words(texts.TEXTS[here.lang]), failed.customer_id) if failed else (None, None)
    return _page("sign_in.html", here, customers=customers, error=error, customer_id=customer_id)


def _decision_page(here: Here, customer_id: str, *, error: str | None = None) -> Response:
    payments.settle(here.bank.store, here.now_ms)
    with here.bank.store.read() as connection:
        name, choices = visit_pages.name_and_choices(connection, here.payment, customer_id)
    able = visit_pages.able(choices)
    return _page("decision.html", here, name=name, choices=choices, able=able, error=error)


def _page(template: str, here: Here, **values: object) -> Response:
    return visit_pages.page(
        template,
        lang=here.lang,
        t=texts.TEXTS[here.lang],
        handle=here.visit.handle,
        secret=here.secret,
        payment=here.payment,
        tpp=here.payment.brand or here.payment.tpp,
        **values,
    )
