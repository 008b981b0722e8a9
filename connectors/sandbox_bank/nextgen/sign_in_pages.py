"""The pages where a customer signs in before there is any order (OAuth2 as a pre-step). Nothing is approved there."""

from __future__ import annotations

import hmac
import re
from urllib.parse import urlencode

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from connectors.sandbox_bank import people, visit_pages, visits
from connectors.sandbox_bank.consent_page import page_language
from connectors.sandbox_bank.errors import BerlinGroupError, PageError
from connectors.sandbox_bank.initiation import redirect_uri
from connectors.sandbox_bank.nextgen import sign_ins, texts
from connectors.sandbox_bank.nextgen.brands import BRANDS, Brand
from connectors.sandbox_bank.nextgen.context import NextGenBank, current_bank
from connectors.sandbox_bank.nextgen.sign_ins import SignIn

STATE_LENGTH_MAX = 512
_S256_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")

blueprint = Blueprint("sign_in_first", __name__)


def begin(bank: NextGenBank, brand: Brand, given: dict[str, str]) -> BaseResponse:
    """The authorisation request. Until client and redirect URI are known there is nobody to redirect to."""
    tpp = given.get("client_id", "")
    try:
        back = redirect_uri(given.get("redirect_uri", ""))
    except BerlinGroupError:
        raise PageError(400, "error_request") from None
    if tpp not in bank.settings.tpps:
        raise PageError(400, "error_request")
    error = _error(brand, given)
    if error is not None:
        return redirect(_with(back, {"error": error, "state": given.get("state", ""), "iss": bank.issuer(brand)}), 303)
    with bank.store.write() as connection:
        handle, secret = sign_ins.begin(
            connection,
            brand=brand,
            tpp=tpp,
            redirect_uri=back,
            state=given["state"],
            code_challenge=given["code_challenge"],
            now_ms=bank.now_ms(),
        )
    response = redirect(url_for("sign_in_first.visit", handle=handle, lang=page_language()), 303)
    path = url_for("sign_in_first.visit", handle=handle)
    response.set_cookie(visit_pages.COOKIE, secret, path=path, httponly=True, samesite="Lax", secure=True)
    return response


def _error(brand: Brand, given: dict[str, str]) -> str | None:
    if given.get("response_type") != brand.response_type:
        return "unsupported_response_type"
    if given.get("scope") != brand.sign_in_scope:
        return "invalid_scope"
    good = (
        1 <= len(given.get("state", "")) <= STATE_LENGTH_MAX
        and given.get("code_challenge_method") == "S256"
        and _S256_CHALLENGE.fullmatch(given.get("code_challenge", ""))
    )
    return None if good else "invalid_request"


@blueprint.get("/first/<handle>")
def visit(handle: str) -> str | BaseResponse:
    here, _ = _here(handle)
    return _page(here) if here.outcome is None else _back(here)


@blueprint.post("/first/<handle>")
def decide(handle: str) -> str | BaseResponse:
    """A second POST (double click, back button) finds it decided, changes nothing, leads back as before."""
    here, secret = _here(handle)
    visit_pages.check_form_token(secret)
    bank, error = current_bank(), None
    with bank.store.write() as connection:
        if request.form.get("decision") == "refuse":
            sign_ins.refuse(connection, handle)
        elif here.outcome is None:
            customer_id = request.form.get("customer", "")
            if customer_id not in {one.customer_id for one in people.customers(connection)}:
                error = visit_pages.NotSignedIn(customer_id, None)
            elif not hmac.compare_digest(request.form.get("pin", "").strip().encode(), people.SANDBOX_PIN.encode()):
                left = sign_ins.count_pin_failure(connection, handle)
                error = visit_pages.NotSignedIn(customer_id, left) if left else None
            else:
                sign_ins.sign_in(connection, handle, customer_id=customer_id, secret=secret, now_ms=bank.now_ms())
    if error is not None:
        return Response(_page(here, error), 422, mimetype="text/html")
    return redirect(url_for("sign_in_first.visit", handle=handle, lang=page_language()), 303)


def _page(here: SignIn, failed: visit_pages.NotSignedIn | None = None) -> str:
    bank, brand, lang = current_bank(), BRANDS[here.brand], page_language()
    with bank.store.read() as connection:
        customers = people.customers(connection)
    t = texts.of_sign_in(brand.name, lang)
    return render_template(
        "sign_in_first.html",
        lang=lang,
        t=t,
        tpp=_called(bank, here.tpp),
        languages_of=lambda code: url_for("sign_in_first.visit", handle=here.handle, lang=code),
        handle=here.handle,
        form_token=visits.form_token(request.cookies.get(visit_pages.COOKIE, "")),
        customers=customers,
        customer_id=failed.customer_id if failed else None,
        error=failed.words(t) if failed else None,
    )


def _back(here: SignIn) -> str:
    bank, brand, lang = current_bank(), BRANDS[here.brand], page_language()
    code = visits.code_of(request.cookies.get(visit_pages.COOKIE, ""))
    answer = {"code": code} if here.outcome == "signed_in" else {"error": "access_denied"}
    way_back = _with(here.redirect_uri, {**answer, "state": here.state, "iss": bank.issuer(brand)})
    return render_template(
        "signed_in.html",
        lang=lang,
        t=texts.of_sign_in(brand.name, lang),
        tpp=_called(bank, here.tpp),
        outcome="signed_in" if here.outcome == "signed_in" else "not_signed_in",
        way_back=way_back,
    )


def _called(bank: NextGenBank, tpp: str) -> str:
    return str(bank.settings.tpps[tpp].get("organisation", tpp))


def _here(handle: str) -> tuple[SignIn, str]:
    bank, secret = current_bank(), request.cookies.get(visit_pages.COOKIE, "")
    with bank.store.read() as connection:
        found = sign_ins.find(connection, handle)
    if found is None or not found.belongs_to(secret, bank.now_ms()):
        raise PageError(403, "error_visit")
    return found, secret


def _with(uri: str, answer: dict[str, str]) -> str:
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode({name: text for name, text in answer.items() if text})}"
