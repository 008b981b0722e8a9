"""The pages where a person approves, in the brand's name: authorization endpoint, sign-in, decision, way back.

English only, as at a bank in the UK. No script, so they work everywhere. The way back is a page of our own with a link
and a refresh of 0 s: a redirect right after the form's POST would be stopped in Chromium by `form-action 'self'`.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, fields

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from connectors.sandbox_bank.openbanking_uk import people, resources, scenarios, tokens, visits, way_back
from connectors.sandbox_bank.openbanking_uk.asked import Asked, Refused, Return, read
from connectors.sandbox_bank.openbanking_uk.brands import Brand
from connectors.sandbox_bank.openbanking_uk.context import UkBank, current_bank
from connectors.sandbox_bank.openbanking_uk.errors import PageError
from connectors.sandbox_bank.openbanking_uk.resources import Approval
from connectors.sandbox_bank.openbanking_uk.store import Connection
from connectors.sandbox_bank.openbanking_uk.visits import Visit

COOKIE = "visit"

_REQUEST = "The request that brought you here is not right, and nothing was approved by it."
_AGAIN = " Go back to where you came from and start again."
_VISIT = (
    "This visit is over, or it began in another browser. Go back to where you came from: there you see where your"
    " payment stands."
)

blueprint = Blueprint("pages", __name__)


@dataclass(frozen=True, kw_only=True)
class Here:
    """The visit that this request belongs to, proved by its cookie."""

    bank: UkBank
    brand: Brand
    visit: Visit
    secret: str
    approval: Approval
    now_ms: int

    @property
    def is_open(self) -> bool:
        return self.visit.outcome is None and _waits(self.approval, self.visit.tpp, self.now_ms)


# ---------------------------------------------------------------------------------------------------- the way in


@blueprint.get("/<brand_id>/oauth2/authorize")
def authorize(brand_id: str) -> BaseResponse:
    bank = current_bank()
    brand = bank.brand(brand_id)
    if any(len(values) > 1 for _, values in request.args.lists()):
        raise PageError(400, _REQUEST + _AGAIN)
    given = request.args.to_dict()
    client_id = given.get("client_id", "")
    if brand.how.pushed:
        asked = _pushed(bank, brand, client_id, given.get("request_uri", ""))
    else:
        try:
            asked = read(bank, brand, client_id, given)
        except Refused as refused:
            if refused.to is None:
                raise PageError(
                    400, f"{_REQUEST}{_AGAIN} ({refused.error.error}: {refused.error.description})"
                ) from None
            return _back_with_error(bank, brand, client_id, refused.to, refused.error.error, refused.error.description)
    return _begin(bank, brand, client_id, asked)


def _pushed(bank: UkBank, brand: Brand, client_id: str, request_uri: str) -> Asked:
    """What was pushed, once, within a minute, by the client whose name stands beside it (RFC 9126 §4)."""
    with bank.store.write() as connection:
        row = connection.execute(
            "UPDATE pushed SET used = 1 WHERE request_uri = ? AND brand = ? AND tpp = ? AND used = 0 AND expires_ms > ?"
            " RETURNING asked",
            [request_uri, brand.id, client_id, bank.now_ms()],
        ).fetchone()
    if row is None:
        raise PageError(400, f"{_REQUEST}{_AGAIN} (request_uri is unknown, used or too old)")
    return Asked.from_json(row["asked"])


def _begin(bank: UkBank, brand: Brand, client_id: str, asked: Asked) -> BaseResponse:
    now_ms = bank.now_ms()
    with bank.store.read() as connection:
        approval = resources.to_approve(connection, brand_id=brand.id, consent_id=asked.consent_id)
    if approval is None or approval.tpp != client_id:
        return _back_with_error(bank, brand, client_id, asked, "invalid_request", "the consent is not one of yours")
    if not _waits(approval, client_id, now_ms):
        return _back_with_error(bank, brand, client_id, asked, "invalid_request", "the consent waits for nobody")
    with bank.store.write() as connection:
        handle, secret = visits.begin(connection, brand_id=brand.id, tpp=client_id, asked=asked, now_ms=now_ms)
    address = url_for("pages.visit", brand_id=brand.id, handle=handle)
    response = redirect(address, 303)
    response.set_cookie(COOKIE, secret, path=address, httponly=True, samesite="Lax", secure=True)
    return response


def _back_with_error(
    bank: UkBank, brand: Brand, client_id: str, to: Return | Asked, error: str, description: str
) -> BaseResponse:
    return redirect(way_back.with_error(bank, brand, client_id, to, error, description), 303)


# ---------------------------------------------------------------------------------------------------- the visit


@blueprint.get("/<brand_id>/approve/<handle>")
def visit(brand_id: str, handle: str) -> BaseResponse:
    here = _here(brand_id, handle)
    if not here.is_open:
        return _to("back", here)
    return _sign_in_page(here) if here.visit.customer_id is None else _decision_page(here, here.visit.customer_id)


@blueprint.post("/<brand_id>/approve/<handle>/sign-in")
def sign_in(brand_id: str, handle: str) -> BaseResponse:
    here = _here(brand_id, handle)
    _check_form_token(here)
    if not here.is_open:
        return _to("back", here)
    customer_id, pin = request.form.get("customer", ""), request.form.get("pin", "")
    with here.bank.store.write() as connection:
        if customer_id not in {each.customer_id for each in people.customers(connection)}:
            tries_left = None
        elif hmac.compare_digest(pin.strip().encode(), people.SANDBOX_PIN.encode()):
            visits.sign_in(connection, handle, customer_id)
            return _to("visit", here)
        else:
            tries_left = visits.count_pin_failure(connection, handle)
            if tries_left == 0:
                _decide(connection, here, approved=False, account_id=None, customer_id=customer_id)
    if tries_left == 0:
        return _to("back", here)
    error = "Choose who you are." if tries_left is None else f"That PIN is not right. Tries left: {tries_left}."
    return _sign_in_page(here, error=error, customer_id=customer_id)


@blueprint.post("/<brand_id>/approve/<handle>/decision")
def decide(brand_id: str, handle: str) -> BaseResponse:
    """A second POST (double click, back button) finds it decided, changes nothing, leads back as before."""
    here = _here(brand_id, handle)
    _check_form_token(here)
    customer_id, decision = here.visit.customer_id, request.form.get("decision")
    if customer_id is None or decision not in ("approve", "refuse"):
        return _to("visit", here)
    account_id = request.form.get("account", "")
    with here.bank.store.write() as connection:
        here = _again(connection, here)
        if not here.is_open:
            return _to("back", here)
        if decision == "refuse":
            _decide(connection, here, approved=False, account_id=None, customer_id=customer_id)
            return _to("back", here)
        if account_id in {each.account_id for each in people.accounts_of(connection, customer_id)}:
            _decide(connection, here, approved=True, account_id=account_id, customer_id=customer_id)
            return _to("back", here)
    return _decision_page(here, customer_id, error="Choose one of your accounts.")


@blueprint.get("/<brand_id>/approve/<handle>/back")
def back(brand_id: str, handle: str) -> BaseResponse:
    here = _here(brand_id, handle)
    if here.is_open:
        return _to("visit", here)
    outcome, asked = here.visit.outcome or "closed", here.visit.asked
    if outcome == "approved":
        address = way_back.with_code(here.bank, here.brand, here.visit.tpp, asked, visits.code_of(here.secret))
    else:
        error, why = {
            "refused": ("access_denied", "nobody approved who may: it was refused, or it is another customer's"),
            "closed": ("invalid_request", "the consent is decided already, or its time is over"),
        }[outcome]
        address = way_back.with_error(here.bank, here.brand, here.visit.tpp, asked, error, why)
    return _page("uk_back.html", here, outcome=outcome, way_back=address)


# ------------------------------------------------------------------------------------------------ what the brand does


@blueprint.get("/<brand_id>/")
def brand(brand_id: str) -> str:
    """What can be tried at this bank: its magic amounts, and what it gets wrong."""
    bank = current_bank()
    one = bank.brand(brand_id)
    defaults = Brand(id="", name="")
    told = {"id", "name", "help_phone", "version", "profile", "client_auth"}
    quirks = {
        each.name: getattr(one, each.name)
        for each in fields(one)
        if each.name not in told and getattr(one, each.name) != getattr(defaults, each.name)
    }
    return render_template(
        "uk_brand.html", brand=one, bank=bank, quirks=quirks, scenarios=scenarios.DESCRIBED, t=words(one), lang="en"
    )


def answer_page_error(error: PageError) -> tuple[str, int]:
    brand = current_bank().brands.get(request.path.split("/")[1])
    said = words(brand if brand is not None else Brand(id="", name="Sandbox bank"))
    return render_template("uk_error.html", message=error.text, t=said, lang="en"), error.status


# ------------------------------------------------------------------------------------------------ the machinery


def _here(brand_id: str, handle: str) -> Here:
    bank = current_bank()
    brand = bank.brand(brand_id)
    with bank.store.read() as connection:
        found = visits.find(connection, handle, brand_id=brand.id)
        approval = (
            None
            if found is None
            else resources.to_approve(connection, brand_id=brand.id, consent_id=found.asked.consent_id)
        )
    secret, now_ms = request.cookies.get(COOKIE, ""), bank.now_ms()
    if found is None or approval is None or not found.belongs_to(secret, now_ms):
        raise PageError(403, _VISIT)
    return Here(bank=bank, brand=brand, visit=found, secret=secret, approval=approval, now_ms=now_ms)


def _again(connection: Connection, here: Here) -> Here:
    """As it is now, alone in the file: what another tab did meanwhile counts."""
    found = visits.find(connection, here.visit.handle, brand_id=here.brand.id)
    approval = resources.to_approve(connection, brand_id=here.brand.id, consent_id=here.approval.consent_id)
    if found is None or approval is None:
        raise PageError(403, _VISIT)
    return Here(
        bank=here.bank, brand=here.brand, visit=found, secret=here.secret, approval=approval, now_ms=here.now_ms
    )


def _decide(connection: Connection, here: Here, *, approved: bool, account_id: str | None, customer_id: str) -> None:
    """A code is for what is approved by it, and for nothing else: a stranger's yes may change nothing."""
    is_approved = resources.decide(
        connection,
        brand_id=here.brand.id,
        consent_id=here.approval.consent_id,
        approved=approved,
        account_id=account_id,
        customer_id=customer_id,
        now_ms=here.now_ms,
    )
    visits.end(connection, here.visit.handle, approved=is_approved)
    if is_approved:
        code = visits.code_of(here.secret)
        tokens.keep_code(connection, code=code, handle=here.visit.handle, now_ms=here.now_ms)


def _waits(approval: Approval, client_id: str, now_ms: int) -> bool:
    in_time = approval.expires_ms is None or now_ms < approval.expires_ms
    return approval.is_open and approval.tpp == client_id and in_time


def _check_form_token(here: Here) -> None:
    given = request.form.get("form_token", "")
    if not hmac.compare_digest(given.encode(), visits.form_token(here.secret).encode()):
        raise PageError(403, "This form is no longer valid. Go back, reload the page and try again.")


def _to(endpoint: str, here: Here) -> BaseResponse:
    return redirect(url_for(f"pages.{endpoint}", brand_id=here.brand.id, handle=here.visit.handle), 303)


def _sign_in_page(here: Here, *, error: str | None = None, customer_id: str | None = None) -> Response:
    with here.bank.store.read() as connection:
        customers = people.customers(connection)
    return _page("uk_sign_in.html", here, customers=customers, error=error, customer_id=customer_id)


def _decision_page(here: Here, customer_id: str, *, error: str | None = None) -> Response:
    with here.bank.store.read() as connection:
        name = next(each.name for each in people.customers(connection) if each.customer_id == customer_id)
        accounts = people.accounts_of(connection, customer_id)
    return _page("uk_decision.html", here, name=name, accounts=accounts, error=error)


def _page(template: str, here: Here, **values: object) -> Response:
    """422 where the page shows an error of the person's input."""
    html = render_template(
        template,
        lang="en",
        t=words(here.brand),
        here=here,
        approval=here.approval,
        form_token=visits.form_token(here.secret),
        tpp=(here.bank.tpp(here.visit.tpp) or {}).get("software", here.visit.tpp),
        **values,
    )
    return Response(html, status=422 if values.get("error") else 200, mimetype="text/html")


def words(brand: Brand) -> dict[str, str]:
    """What the layout that both sandbox banks share says in its head."""
    return {"bank": brand.name, "sandbox": "Sandbox: a pretend bank. No real money moves here."}
