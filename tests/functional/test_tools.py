"""A customer's own programs: a token is made with a passkey, shown once, reads, and does nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app.people.models import ToolToken
from app.web.customers import limits
from consent.base import hash_of
from tests.functional.test_account_swaps import freeze
from tests.support import factories
from tests.support.journey import ORIGIN, Browser, Journey

BILLS = "/my/v1/bills"


def start(browser: Browser, name: str = "Budget") -> tuple[str, TestResponse]:
    form = browser.token("/security/tools")
    return form, browser.post("/security/tools/ceremony", token=form, data={"name": name})


def finish(browser: Browser, form: str, started: dict[str, Any]) -> TestResponse:
    sent = {"ceremony": started["ceremony"], "credential": json.dumps(browser.device.sign(started["publicKey"]))}
    return browser.post("/security/tools", token=form, form=sent)


def made(browser: Browser, name: str = "Budget") -> str:
    form, started = start(browser, name)
    answer = finish(browser, form, started.get_json())
    assert answer.status_code == 200
    return answer.text.partition('<code class="code token">')[2].partition("<")[0]


def ask(app: Flask, path: str, token: str | None, **headers: str) -> TestResponse:
    given = {} if token is None else {"Authorization": f"Bearer {token}"}
    client: FlaskClient = app.test_client()
    return client.get(path, base_url=ORIGIN, headers={**given, **headers})


def test_a_token_reads_bills_and_their_ways(journey: Journey) -> None:
    invoice_id = journey.bill(number="t1", amount="84.20")
    token = made(journey.browser)
    said = ask(journey.app, BILLS, token)
    assert (said.status_code, said.headers["Cache-Control"]) == (200, "no-store")
    [bill] = said.get_json()["bills"]
    assert (bill["id"], bill["state"], bill["number"]) == (invoice_id, "to_pay", "t1")
    assert bill["payable_today"] == {"amount": "84.20", "currency": "EUR"}
    assert bill["page"] == f"{ORIGIN}/bills/{invoice_id}"
    assert said.get_json()["next"] is None
    ways = ask(journey.app, f"{BILLS}/{invoice_id}/ways", token).get_json()
    assert ways["bill"]["id"] == invoice_id
    single = next(way for way in ways["ways"] if way["way"] == "single")
    assert (single["bank"]["id"], single["covers"], single["reasons"][0]["code"]) == ("horizon", True, "redirect")
    assert single["next"][0]["page"] == f"{ORIGIN}/bills/{invoice_id}/pay?bank=horizon"
    french = ask(journey.app, f"{BILLS}/{invoice_id}/ways", token, **{"Accept-Language": "fr"}).get_json()
    assert french["ways"][0]["reasons"][0]["code"] == ways["ways"][0]["reasons"][0]["code"]


def test_while_nothing_may_be_paid_for_a_bill_a_program_is_told_so(journey: Journey) -> None:
    invoice_id = journey.bill(number="t2")
    token = made(journey.browser)
    freeze(journey)
    [listed] = ask(journey.app, BILLS, token).get_json()["bills"]
    read = ask(journey.app, f"{BILLS}/{invoice_id}/ways", token).get_json()
    assert read["ways"] == []
    for bill in (listed, read["bill"]):
        assert (bill["state"], bill["held"], bill["payable_today"]) == ("to_pay", "stopped", None)


def test_a_token_is_shown_once_and_kept_as_a_hash(journey: Journey) -> None:
    token = made(journey.browser)
    assert token.startswith("quittance_my_")
    assert token not in journey.browser.get("/security/tools").text
    with journey.services.reading() as uow:
        row = uow.session.scalars(select(ToolToken)).one()
    assert (row.token_hash, row.name, row.last_used_at) == (hash_of(token), "Budget", None)
    ask(journey.app, BILLS, token)
    with journey.services.reading() as uow:
        assert uow.session.scalars(select(ToolToken.last_used_at)).one() is not None
    assert "Last used" in journey.browser.get("/security/tools").text


def test_it_is_ended_by_a_plain_form(journey: Journey) -> None:
    token = made(journey.browser)
    [form] = [each for each in journey.browser.page("/security/tools").select("form") if each.select("[name=tool]")]
    sent = {str(field["name"]): str(field["value"]) for field in form.select("input")}
    stranger = journey.browser.of(journey.app)
    stranger.sign_up(name="Nele Neumann", email="nele@example.org")
    theirs = stranger.post(str(form["action"]), token=stranger.token("/bills"), form={"tool": sent["tool"]})
    assert theirs.status_code == 404
    assert ask(journey.app, BILLS, token).status_code == 200
    answer = journey.browser.post(str(form["action"]), token=sent.pop("csrf_token"), form=sent)
    assert answer.status_code == 303
    refused = ask(journey.app, BILLS, token)
    assert (refused.status_code, refused.mimetype) == (401, "application/problem+json")
    assert journey.browser.page("/security/tools").select("[name=tool]") == []


def test_none_is_made_without_a_passkey_over_its_name(journey: Journey) -> None:
    browser = journey.browser
    form, started = start(browser)
    other = journey.browser.of(journey.app)
    other.sign_up(name="Nele Neumann", email="nele@example.org")
    asked = {**started.get_json()["publicKey"], "allowCredentials": []}
    wrong = json.dumps(other.device.sign(asked))
    sent = {"ceremony": started.get_json()["ceremony"], "credential": wrong}
    assert browser.post("/security/tools", token=form, form=sent).status_code in (400, 403, 422)
    assert browser.post("/security/tools", token=form, form={}).status_code == 422
    approval = browser.post("/passkeys/add", token=form, data={}).get_json()  # of something else
    assert finish(browser, form, approval).status_code == 422
    assert start(browser, " ")[1].status_code == 422
    with journey.services.reading() as uow:
        assert uow.session.scalar(select(func.count()).select_from(ToolToken)) == 0


def test_a_visit_of_the_demo_makes_none(journey: Journey) -> None:
    visitor = journey.browser.of(journey.app)
    cookie = factories.sign_in(journey.services, journey.customer, read_only=True)
    visitor.client.set_cookie("__Host-session-8000", cookie, domain="localhost", secure=True)
    assert visitor.page("/security/tools").select("[data-passkey]") == []
    answer = visitor.post("/security/tools/ceremony", token=visitor.token("/security/tools"), data={"name": "x"})
    assert answer.status_code == 403


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer x", "Basic eDp5", "Bearer quittance_my_" + "a" * 43])
def test_nothing_else_opens_the_door(journey: Journey, header: str | None) -> None:
    journey.bill(number="t2")
    headers = {} if header is None else {"Authorization": header}
    for path in (BILLS, f"{BILLS}/inv_1/ways"):
        # with the cookie of whoever is signed in: it is not looked at
        answer = journey.browser.client.get(path, base_url=ORIGIN, headers=headers)
        assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
        assert answer.get_json()["code"] == "no-token"


def test_it_reads_nobody_elses_bills_and_knows_no_verb(journey: Journey) -> None:
    invoice_id = journey.bill(number="t3")
    stranger = journey.browser.of(journey.app)
    stranger.sign_up(name="Nele Neumann", email="nele@example.org")
    token = made(stranger)
    assert ask(journey.app, BILLS, token).get_json()["bills"] == []
    refused = ask(journey.app, f"{BILLS}/{invoice_id}/ways", token)
    assert (refused.status_code, refused.mimetype) == (404, "application/problem+json")
    assert ask(journey.app, "/my/v1/nothing", token).mimetype == "application/problem+json"
    mine = made(journey.browser)
    headers = {"Authorization": f"Bearer {mine}"}
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for path in (BILLS, f"{BILLS}/{invoice_id}/ways", f"/bills/{invoice_id}/pay"):
            answer = journey.app.test_client().open(path, method=method, base_url=ORIGIN, headers=headers)
            assert answer.status_code in (401, 403, 405), (method, path)
    # and it opens no page
    assert ask(journey.app, "/bills", mine).status_code == 303


def test_after_a_stop_no_token_is_good(journey: Journey) -> None:
    token = made(journey.browser)
    with journey.services.unit_of_work() as uow:
        factories.stop_everything(uow, customer_id=journey.customer.id)
        uow.commit()
    assert ask(journey.app, BILLS, token).status_code == 401


def test_a_program_that_asks_too_often_waits(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TOOLS_LIMIT", "2 per minute")
    one, two = made(journey.browser), made(journey.browser, "Another")
    answers = [ask(journey.app, BILLS, one).status_code for _ in range(3)]
    assert answers == [200, 200, 429]
    assert ask(journey.app, BILLS, two).status_code == 200


def test_however_it_writes_its_header_it_is_one_program(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TOOLS_LIMIT", "2 per minute")
    token, client = made(journey.browser), journey.app.test_client()
    headers = [{"Authorization": f"{scheme} {token}"} for scheme in ("Bearer", "bEARER", "BEARER")]
    assert [client.get(BILLS, base_url=ORIGIN, headers=each).status_code for each in headers] == [200, 200, 429]


@pytest.mark.parametrize("header", ["Bearer quittance_my_{0}", "Bearer x{0}", "Basic {0}"])
def test_who_sends_what_is_no_token_waits_and_keeps_nobody_else_out(
    journey: Journey, monkeypatch: pytest.MonkeyPatch, header: str
) -> None:
    """Also from the same address: a token is counted by itself."""
    monkeypatch.setattr(limits, "TOOLS_LIMIT", "2 per minute")
    token, client = made(journey.browser), journey.app.test_client()
    sent = [{"Authorization": header.format(str(each) * 43)} for each in range(3)]
    answers = [client.get(BILLS, base_url=ORIGIN, headers=each) for each in sent]
    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert answers[2].mimetype == "application/problem+json"
    assert ask(journey.app, BILLS, token).status_code == 200
