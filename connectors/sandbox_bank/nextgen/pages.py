"""The pages where a person approves: sign-in, decision and the way back; and a page that plays the bank's app.

They look as the other sandbox banks' do, and the templates are theirs. Somebody comes there from an authorisation
request (RFC 6749 §3.1), from the link scaRedirect, or from the app.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from connectors.sandbox_bank import grants, payments, people, visit_pages, visits
from connectors.sandbox_bank import texts as words
from connectors.sandbox_bank.consent_page import page_language
from connectors.sandbox_bank.errors import PageError
from connectors.sandbox_bank.nextgen import orders, sign_in_pages, texts
from connectors.sandbox_bank.nextgen.brands import Brand
from connectors.sandbox_bank.nextgen.context import NextGenBank, brand_of, current_bank
from connectors.sandbox_bank.nextgen.orders import Authorisation
from connectors.sandbox_bank.store import Connection
from connectors.sandbox_bank.visit_pages import NotSignedIn
from connectors.sandbox_bank.visits import Visit

STATE_LENGTH_MAX = 512
_S256_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")

#: the templates know it by this name
blueprint = Blueprint("consent_page", __name__)


@dataclass(frozen=True, kw_only=True)
class Here:
    """The visit that this request belongs to, proved by its cookie."""

    bank: NextGenBank
    visit: Visit
    secret: str
    asked: Authorisation
    now_ms: int
    lang: words.Language

    @property
    def brand(self) -> Brand:
        return self.asked.order.brand

    @property
    def tpp(self) -> str:
        return self.asked.order.payment.brand or self.asked.order.payment.tpp

    @property
    def t(self) -> dict[str, str]:
        return texts.of(self.asked, self.lang, tpp=self.tpp)

    @property
    def code(self) -> str:
        return visits.code_of(self.secret)


# ---------------------------------------------------------------------------------------------------- how one gets here


@blueprint.get("/<brand_id>/consent/<link>")
def by_link(brand_id: str, link: str) -> BaseResponse:
    """From scaRedirect, and from the app."""
    bank, brand = current_bank(), brand_of(brand_id)
    with bank.store.read() as connection:
        asked = orders.authorisation_by_link(connection, link)
    if asked is None or asked.order.brand != brand or brand.approach == "oauth":
        raise PageError(404, "error_request")
    return _begin(bank, asked, state="", code_challenge="")


@blueprint.get("/<brand_id>/oauth2/authorize")
def authorize(brand_id: str) -> BaseResponse:
    bank, brand = current_bank(), brand_of(brand_id)
    if any(len(values) > 1 for _, values in request.args.lists()):
        raise PageError(400, "error_request")
    given = request.args.to_dict()
    if brand.sign_in_first:
        return sign_in_pages.begin(bank, brand, given)
    asked = _asked_for(bank, brand, given)
    good = (
        given.get("response_type") == "code"
        and 1 <= len(given.get("state", "")) <= STATE_LENGTH_MAX
        and given.get("code_challenge_method") == "S256"
        and _S256_CHALLENGE.fullmatch(given.get("code_challenge", ""))
    )
    if not good or not asked.may_be_decided(bank.now_ms()):
        answer = {"error": "invalid_scope" if good else "invalid_request", "state": given.get("state", "")}
        return redirect(_with(asked.success_uri, {**answer, "iss": bank.issuer(brand)}), 303)
    return _begin(bank, asked, state=given["state"], code_challenge=given["code_challenge"])


def _asked_for(bank: NextGenBank, brand: Brand, given: dict[str, str]) -> Authorisation:
    """Until client, payment and redirect URI agree there is nobody to redirect to (RFC 6749 §4.1.2.1)."""
    kind, _, payment_id = given.get("scope", "").partition("PIS: " if brand.scope_with_space else "PIS:")
    with bank.store.read() as connection:
        order = orders.find(connection, payment_id)
        kept = order is not None and order.is_kept(bank.now_ms())
        found = orders.authorisations_of(connection, payment_id, cancels=kept)
    if kind or order is None or not found or order.brand != brand or given.get("client_id") != order.payment.tpp:
        raise PageError(400, "error_request")
    if given.get("redirect_uri") != found[0].success_uri:
        raise PageError(400, "error_request")
    return found[0]


def _begin(bank: NextGenBank, asked: Authorisation, *, state: str, code_challenge: str) -> BaseResponse:
    with bank.store.write() as connection:
        payment_id = asked.order.payment.payment_id
        handle, secret = visits.begin(
            connection, payment_id=payment_id, state=state, code_challenge=code_challenge, now_ms=bank.now_ms()
        )
        connection.execute("INSERT INTO nextgen_visit VALUES (?, ?)", [handle, asked.authorisation_id])
    return visit_pages.begin(handle, secret, lang=page_language(), secure=True)


@blueprint.get("/<brand_id>/app")
def app(brand_id: str) -> str:
    """Plays the bank's app: what it asks its customers just now."""
    bank, brand = current_bank(), brand_of(brand_id)
    lang = page_language()
    with bank.store.read() as connection:
        waiting = orders.waiting_in_app(connection, brand, bank.now_ms()) if brand.approach == "decoupled" else []
    t = texts.of_bank(brand.name, lang)
    return render_template(
        "app.html",
        lang=lang,
        t={**t, "app": t["app"].format(bank=brand.name)},
        languages_of=lambda code: url_for("consent_page.app", brand_id=brand.id, lang=code),
        waiting=[
            {
                "href": url_for("consent_page.by_link", brand_id=brand.id, link=one.link, lang=lang),
                "words": t["app_open"].format(
                    amount=words.money(lang, one.order.payment.amount_minor),
                    payee=one.order.payment.body["creditorName"],
                ),
            }
            for one in waiting
        ],
    )


# ------------------------------------------------------------------------------------------------------------ the visit


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
        asked = _still(connection, here)
        if asked is None:
            return _to("back", here)
        failed = visit_pages.sign_in(connection, handle, asked.order.payment, owner=asked.order.owner)
        if failed is None:
            connection.execute(
                "UPDATE nextgen_authorisation SET sca_status = 'psuAuthenticated' WHERE authorisation_id = ?",
                [asked.authorisation_id],
            )
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
        asked, done = _still(connection, here), True
        if asked is not None and decision == "refuse":
            orders.refuse(connection, asked)
        elif asked is not None:
            done = orders.approve(
                connection,
                asked,
                customer_id=customer_id,
                account_id=request.form.get("account", ""),
                code=here.code if here.brand.confirms and not asked.cancels else None,
                now_ms=here.now_ms,
                settle_ms=here.bank.settle_ms,
            )
            if done and here.brand.approach == "oauth":
                grants.keep_code(connection, code=here.code, handle=handle, now_ms=here.now_ms)
    if done:
        return _to("back", here)
    return _decision_page(here, customer_id, error=here.t["choose_account"])


@blueprint.get("/sca/<handle>/back")
def back(handle: str) -> BaseResponse:
    here = _here(handle)
    if here.asked.may_be_decided(here.now_ms):
        return _to("visit", here)
    approved = here.asked.sca_status in ("unconfirmed", "finalised")
    status = here.asked.order.payment.status_at(here.now_ms)
    why_not = None if approved or status.reason is None else words.rejection(here.lang, status.reason)
    way_back, stays = _way_back(here, approved=approved), here.brand.approach == "decoupled"
    outcome = "approved" if approved else "refused"
    return _page("back.html", here, outcome=outcome, reason=why_not, way_back=way_back, stays=stays)


def _way_back(here: Here, *, approved: bool) -> str:
    asked, brand = here.asked, here.brand
    if brand.approach == "decoupled":
        return url_for("consent_page.app", brand_id=brand.id, lang=here.lang)
    if brand.approach == "redirect":
        if approved and brand.confirms and not asked.cancels:
            return _with(asked.success_uri, {brand.confirmation_code_name: here.code})
        return asked.success_uri if approved else asked.failure_uri
    with here.bank.store.read() as connection:
        approved_here = visits.approved(connection, here.visit.handle)
    answer = {"code": here.code} if approved_here else {"error": "access_denied"}
    return _with(asked.success_uri, {**answer, "state": here.visit.state, "iss": here.bank.issuer(brand)})


def answer_page_error(error: PageError) -> tuple[str, int]:
    lang = page_language()
    # nobody knows yet whose page it is
    t = {**words.TEXTS[lang], "bank": "NextGenPSD2"}
    return render_template("error.html", lang=lang, t=t, message=error.text_key), error.status


def _with(uri: str, answer: dict[str, str]) -> str:
    query = urlencode({name: value for name, value in answer.items() if value})
    return f"{uri}{'&' if '?' in uri else '?'}{query}"


def _still(connection: Connection, here: Here) -> Authorisation | None:
    """What is asked, read in this transaction, where it may still be decided."""
    asked = orders.authorisation(connection, here.asked.authorisation_id)
    return asked if asked is not None and asked.may_be_decided(here.now_ms) else None


def _here(handle: str) -> Here:
    bank = current_bank()
    now_ms, secret = bank.now_ms(), request.cookies.get(visit_pages.COOKIE, "")
    with bank.store.read() as connection:
        found = visits.find(connection, handle)
        row = connection.execute("SELECT authorisation_id FROM nextgen_visit WHERE handle = ?", [handle]).fetchone()
        asked = None if row is None else orders.authorisation(connection, row["authorisation_id"])
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
        name, choices = visit_pages.name_and_choices(connection, here.asked.order.payment, customer_id)
    able = visit_pages.able(choices)
    if here.asked.cancels:  # no account is chosen: it is the order that goes
        choices, able = [], ["-"]
    return _page("decision.html", here, name=name, choices=choices, able=able, error=error)


def _page(template: str, here: Here, **values: object) -> Response:
    return visit_pages.page(
        template,
        lang=here.lang,
        t=here.t,
        handle=here.visit.handle,
        secret=here.secret,
        payment=here.asked.order.payment,
        tpp=here.tpp,
        **values,
    )
