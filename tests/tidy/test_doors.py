"""No way in without a guard: found from the routes themselves, so that a new page cannot be forgotten."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.routing import Rule

from app.people.models import Customer
from app.services import Services
from app.tables import metadata
from app.web.billers.auth import PUBLIC as PUBLIC_TO_BILLERS
from app.web.customers.pages import OPEN_TO_VISITS, PUBLIC
from config.settings import ROOT
from tests.support import factories
from tests.support.installation import BASE_URL
from tests.support.journey import Browser
from tests.tidy.conftest import name_of

#: blueprints without a guard, and why they need none
OPEN = {
    "operators": "it says nothing that a stranger could use",
}
SAFE = {"GET", "HEAD", "OPTIONS"}
TEMPLATES = sorted((ROOT / "app" / "templates" / "customers").glob("*.html"))


def routes(app: Flask, door: str) -> Iterator[Rule]:
    return (rule for rule in app.url_map.iter_rules() if rule.endpoint.partition(".")[0] == door)


def path_of(rule: Rule) -> str:
    """An address of this route, with a value that nobody has for each of its parts."""
    return re.sub(r"<[^>]+>", "x", rule.rule)


def rows(services: Services) -> dict[str, Any]:
    with services.reading() as uow:
        return {
            name: uow.session.scalar(select(func.count()).select_from(table)) for name, table in metadata.tables.items()
        }


@pytest.fixture
def visitor(app: Flask, services: Services) -> FlaskClient:
    """A browser that is signed in, without any page of ours open."""
    customer: Customer = factories.make_customer(services)
    client = app.test_client()
    client.set_cookie("__Host-session-8000", factories.sign_in(services, customer), domain="localhost", secure=True)
    return client


def test_every_blueprint_has_a_guard_or_a_reason(app: Flask) -> None:
    for name in app.blueprints:
        guarded = bool(app.before_request_funcs.get(name))
        assert guarded is not (name in OPEN), f"Give the blueprint {name} a before_request guard, or a reason in OPEN."


def test_every_route_belongs_to_a_door(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        door = rule.endpoint.partition(".")[0]
        assert door in app.blueprints or rule.endpoint == "static", f"{rule} stands beside the doors, without a guard."


def test_the_lists_of_public_pages_name_only_pages_that_exist(app: Flask) -> None:
    customers = {rule.endpoint.partition(".")[2] for rule in routes(app, "customers")}
    assert customers >= PUBLIC | OPEN_TO_VISITS, "A page was renamed: mend PUBLIC and OPEN_TO_VISITS in pages.py."
    endpoints = {rule.endpoint for rule in app.url_map.iter_rules()}
    assert endpoints >= PUBLIC_TO_BILLERS, "An endpoint was renamed: mend PUBLIC in app/web/billers/auth.py."


def test_only_doors_with_a_guard_change_anything(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        if (rule.methods or set()) - SAFE:
            assert rule.endpoint.partition(".")[0] not in OPEN, f"{rule} changes something behind an open door."


def test_a_customers_page_that_is_not_public_asks_to_sign_in(app: Flask, client: FlaskClient) -> None:
    for rule in routes(app, "customers"):
        if "GET" in (rule.methods or set()) and rule.endpoint.partition(".")[2] not in PUBLIC:
            answer = client.get(path_of(rule), base_url=BASE_URL)
            assert answer.status_code == 303, f"{rule} shows itself to somebody who is not signed in."
            assert answer.headers["Location"].startswith("/?next="), rule


#: what a page of another site can make a browser send, beside the customer's own cookies
FORGERIES = {
    "no token": {"Origin": BASE_URL, "Sec-Fetch-Site": "same-origin"},
    "no token, old browser": {"Origin": BASE_URL},
    "another site's page": {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    "another site's page, old browser": {"Origin": "https://evil.example"},
    "a page of a sibling": {"Origin": "http://shop.localhost:8000", "Sec-Fetch-Site": "same-site"},
    "no page at all": {},
    "a sandboxed frame": {"Origin": "null"},
}


@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.parametrize("as_json", [False, True], ids=["form", "json"])
def test_no_post_works_from_elsewhere(
    app: Flask, services: Services, visitor: FlaskClient, forgery: str, as_json: bool
) -> None:
    token = {"X-CSRFToken": token_of(visitor)} if "no token" not in forgery else {}
    before = rows(services)
    tried = 0
    for rule in routes(app, "customers"):
        for method in (rule.methods or set()) - SAFE:
            answer = visitor.open(
                path_of(rule),
                method=method,
                base_url=BASE_URL,
                headers=FORGERIES[forgery] | token,
                json={"ceremony": "x"} if as_json else None,
                data=None if as_json else {"ceremony": "x"},
            )
            assert answer.status_code == 403, f"{method} {rule} works with {forgery}: guard() must see it."
            tried += 1
    assert tried >= 10
    assert rows(services) == before


def token_of(client: FlaskClient) -> str:
    browser = Browser.of(client.application)
    browser.client = client
    return browser.token("/bills")


def test_with_token_and_origin_the_same_post_works(visitor: FlaskClient) -> None:
    headers = FORGERIES["no token"] | {"X-CSRFToken": token_of(visitor)}
    assert visitor.post("/passkeys/use", base_url=BASE_URL, headers=headers, json={}).status_code == 200


def test_somebody_elses_token_does_not_help(app: Flask, visitor: FlaskClient) -> None:
    token_of(visitor)
    headers = FORGERIES["no token"] | {"X-CSRFToken": Browser.of(app).token("/")}
    assert visitor.post("/passkeys/use", base_url=BASE_URL, headers=headers, json={}).status_code == 403


@pytest.mark.parametrize("template", TEMPLATES, ids=[path.name for path in TEMPLATES])
def test_every_form_that_changes_something_carries_the_token(template: Path) -> None:
    text = template.read_text("utf-8")
    for form in re.findall(r"<form\b.*?</form>", text, re.DOTALL):
        if re.search(r"""method=["']?post""", form, re.IGNORECASE):
            held = "csrf()" in form or "csrf_token()" in form
            assert held, f"{name_of(template)}: put {{{{ csrf() }}}} into {form[:90]} …"


def test_csrf_is_the_hidden_field() -> None:
    parts = (ROOT / "app" / "templates" / "customers" / "_parts.html").read_text("utf-8")
    assert re.search(r'macro csrf\(\).*?name="?csrf_token"? value="\{\{ csrf_token\(\) \}\}"', parts, re.DOTALL)


def test_every_api_route_is_in_its_description(app: Flask, client: FlaskClient) -> None:
    described = client.get("/api/v1/openapi.json").get_json()["paths"]
    for rule in routes(app, "billers"):
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            assert method.lower() in described.get(path, {}), f"{method} {path} is not described: use @operation."


def test_every_api_operation_names_its_scope_and_asks_for_a_token(app: Flask, client: FlaskClient) -> None:
    for rule in routes(app, "billers"):
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            assert getattr(app.view_functions[rule.endpoint], "scope", None), f"{rule} names no scope."
            assert client.open(path_of(rule), method=method).status_code == 401, f"{rule} answers without a token."
