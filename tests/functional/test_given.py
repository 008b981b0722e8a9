"""What each company is given: the one list of fields, held against all that is really sent, and the page made of it."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.audit.sequencer import number_waiting
from app.journey.sharing.fields import BY_KEY, FIELDS, GIVEN, OTHERS, Key, Way, field_of, resource_of
from app.journey.webhooks.models import WebhookMessage
from app.journey.webhooks.service import add_endpoint
from app.schedule import Schedule
from app.web.billers.limits import limiter
from tests.functional.billers.test_billers_payments import program_of
from tests.functional.billers.test_payment_answers import in_json
from tests.functional.test_answers import say, take_back
from tests.functional.test_corrections import bill, credit
from tests.functional.test_corrections_said import settled
from tests.functional.test_plans import planned, today
from tests.support.billers_door import Program
from tests.support.billers_spec import description
from tests.support.billers_world import json_bill
from tests.support.journey import Browser, Journey
from tests.support.refunds import IBAN, Owing

WORDS, REFERENCE = "The canary never sang", "K-CANARY-77"
#: answers that are another's document: one field, whatever stands in it
WHOLE = frozenset({"bills/answer"})


class Recorder(FlaskClient):
    """A program that keeps every answer it is given."""

    answers: list[tuple[str, Any]]

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        answer = super().open(*args, **kwargs)
        path = answer.request.path
        if path.startswith("/api/v1/") and answer.status_code < 300 and answer.mimetype == "application/json":
            self.answers.append((path, answer.get_json()))
        return answer


def leaves(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Each value of a JSON document that says something, with the path of its field."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{at}.{name}" if at else name)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, at)
    elif value is not None:
        yield at, value


def given_to(program: Program, journey: Journey) -> list[tuple[str, Any]]:
    """Every field that reached the company, by its name in the list, with what stood in it."""
    found = []
    for path, body in program.http.answers:  # type: ignore[attr-defined]
        resource = resource_of(path)
        for at, value in leaves(body):
            found.append((field_of(resource, at) if resource not in WHOLE else resource, value))
    with journey.services.reading() as uow:
        for message in uow.session.scalars(select(WebhookMessage)):
            said = json.loads(message.body)
            assert set(said) <= {"type", "timestamp", "data", "checkpoint"}
            found += [(f"{message.type.partition('.')[0]}.{at}", value) for at, value in leaves(said["data"])]
    return found


def post(program: Program, path: str, body: Any = None, method: str = "post") -> TestResponse:
    answer: TestResponse = getattr(program.http, method)(f"/api/v1/{path}", json=body, headers=program.bearer())
    assert answer.status_code < 300, (path, answer.text)
    return answer


def ask(journey: Journey, biller_id: str, word: str, **form: str) -> None:
    browser = journey.browser
    answer = browser.post(f"/companies/{biller_id}/{word}", token=browser.token("/bills"), form=form)
    assert answer.status_code == 303, answer.text
    journey.worker.run_until_idle()


@pytest.fixture
def program(journey: Journey) -> Program:
    """Of the company that the customer is connected with, which listens."""
    found = program_of(journey)
    http = Recorder(journey.app, journey.app.response_class)
    http.answers = []
    with journey.services.unit_of_work() as uow:
        add_endpoint(journey.services, uow, biller_id=found.biller_id, url="http://127.0.0.1:9/hook")
        uow.commit()
    return dataclasses.replace(found, http=http)


def bill_id_of(journey: Journey, invoice_id: str) -> str:
    return str(journey.invoice(invoice_id).bill_id)


def whole_story(journey: Journey, program: Program) -> None:
    """All that is between a customer and a company, and the company looks at everything after each of it."""
    ask(journey, program.biller_id, "leave")
    ask(journey, program.biller_id, "ask", reference=REFERENCE)
    [connection] = program.get("/api/v1/connections").get_json()["connections"]
    post(program, f"connections/{connection['id']}/check", {"sequence": connection["sequence"]})
    post(program, f"connections/{connection['id']}/confirm", {"sequence": connection["sequence"] + 1})
    journey.worker.run_until_idle()
    address = program.get(f"/api/v1/connections/{connection['id']}").get_json()["address"]
    redeemed = post(program, "redemptions", {"address": address, "customer_reference": REFERENCE})
    program.get(redeemed.headers["Location"])
    delivered = program.deliver(json_bill(program, address, number="D-1"))
    bill_id = delivered.get_json()["id"]
    lines = json_bill(program, address, number="U-1") + b"\n"
    upload = program.http.post(
        "/api/v1/uploads", data=lines, content_type="application/x-ndjson", headers=program.bearer()
    )
    assert upload.status_code < 300, upload.text
    journey.worker.run_until_idle()
    program.get(f"/api/v1/uploads/{upload.get_json()['id']}")
    program.get(f"/api/v1/uploads/{upload.get_json()['id']}/lines")
    program.get(f"/api/v1/bills/{bill_id}/conformance")
    journey.clock.tick(seconds=8 * 86_400)  # nobody opens it
    Schedule(journey.services).run_due()
    journey.worker.run_until_idle()
    journey.browser.sign_in()

    request = program.deliver(in_json(journey).replace(b'"Camille"', b'"C."'), path=f"/api/v1/bills?to={address}")
    assert request.status_code < 300, request.text
    journey.worker.run_until_idle()
    paid = bill(journey, "2026-7")
    journey.pay(paid, part="40.00")
    journey.wait(5)
    journey.pay(paid)
    journey.wait(5)
    refused = bill(journey, "2026-8")
    journey.pay(refused, decision="refuse")
    journey.wait(5)
    early = bill(journey, "2026-9", early_payment={"until": "2026-12-24", "discount": "2.00"})
    settled(journey, early)

    post(program, "answer-policy", {"more_time_days": 0, "answer_days": 5}, method="put")
    disputed = bill(journey, "2026-10", lines=[{"description": "Line", "amount": "20.00", "vat_rate": "20"}] * 2)
    say(journey, disputed, "disputed", reason="not_received", words=WORDS, line="1")
    post(program, f"answers/{say(journey, refused, 'declined', words=WORDS)}/reply", {"accepts": True})
    say(journey, early_or(journey, "2026-11"), "paid-elsewhere", paid_on=str(today(journey)))
    timed = early_or(journey, "2026-12")
    say(journey, timed, "more-time", until=str(today(journey) + dt.timedelta(days=25)))
    look(journey, program)
    take_back(journey, timed)
    plan = early_or(journey, "2026-13", due_on=str(today(journey) + dt.timedelta(days=20)))
    planned(journey, plan, today(journey) + dt.timedelta(days=3))
    look(journey, program)
    Schedule(journey.services).run_due()

    credit(journey, "30.00", of="2026-7", number="C-7")
    owing = Owing(journey, program, paid)
    refund = owing.promise()
    owing.release(refund)
    assert program.get(f"/api/v1/refunds/{refund}").get_json()["account"] == IBAN
    owing.send(refund)
    journey.clock.tick(seconds=6 * 86_400)
    journey.browser.sign_in()
    owing.say(refund, "missing")
    owing.send(refund, reference="Again", way="released_account")
    owing.say(refund, "arrived")
    withdrawn = bill(journey, "2026-14")
    post(program, f"bills/{bill_id_of(journey, withdrawn)}/withdrawal", {"reason": "The order was cancelled."})
    journey.worker.run_until_idle()
    program.get(f"/api/v1/bills/{request.get_json()['id']}/answer")
    number_waiting(journey.services)
    look(journey, program)


def early_or(journey: Journey, number: str, **more: Any) -> str:
    """A bill that is due in a while, so that its customer may plan and ask."""
    due = str(today(journey) + dt.timedelta(days=20))
    return bill(journey, number, **{"due_on": due, **more})


def look(journey: Journey, program: Program) -> None:
    """The company asks for all that it may, as often as it likes."""
    journey.worker.run_until_idle()
    for path in ("connections", "answers", "refunds", "answer-policy"):
        assert program.get(f"/api/v1/{path}").status_code == 200
    for answer in program.get("/api/v1/answers").get_json()["answers"]:
        program.get(f"/api/v1/answers/{answer['id']}")
    limiter.reset()
    with journey.services.reading() as uow:
        ids = [json.loads(body)["data"].get("bill_id") for body in uow.session.scalars(select(WebhookMessage.body))]
    for bill_id in sorted({each for each in ids if each}):
        limiter.reset()
        shown = program.get(f"/api/v1/bills/{bill_id}")
        program.get(f"/api/v1/bills/{bill_id}/proof")
        for payment_id in shown.get_json()["payments"]:
            program.get(f"/api/v1/payments/{payment_id}")


def test_all_that_is_really_sent_is_on_the_list(journey: Journey, program: Program) -> None:
    whole_story(journey, program)
    told = given_to(program, journey)
    names = {name for name, _ in told}
    assert names - FIELDS - OTHERS == set(), "put it into app/journey/sharing/fields.py: what does it say of whom?"
    # the story is the whole one: of everything on the list something was sent
    sent = {given.key for given in GIVEN if names & {name for names in given.fields.values() for name in names}}
    assert sent == set(Key)
    kinds = {json.loads(body)["type"].partition(".")[0] for body in bodies(journey)}
    assert kinds == {"connection", "bill", "payment", "answer", "plan", "refund"}

    # what is the customer's stands in the fields that say so, and nowhere else
    canaries = {
        journey.customer.name: Key.NAME,
        REFERENCE: Key.REFERENCE,
        journey.address: Key.ADDRESS,
        WORDS: Key.ANSWER,
        IBAN: Key.ACCOUNT,
        journey.customer.id: Key.LOG,
    }
    for canary, key in canaries.items():
        where = {name for name, value in told if canary in str(value)}
        allowed = {name for names in BY_KEY[key].fields.values() for name in names}
        assert where, canary
        assert where - {"redemptions.customer_reference"} <= allowed, canary
    for never in (journey.customer.email, "camille-current", "horizon"):
        assert not [name for name, value in told if never in str(value)], never


def bodies(journey: Journey) -> list[bytes]:
    with journey.services.reading() as uow:
        return list(uow.session.scalars(select(WebhookMessage.body)))


def test_every_field_of_the_description_is_on_the_list(app: Flask) -> None:
    """Also those that no story sends: the list is compared with what the API says of itself."""
    spec = description(app)
    described = set()
    for path, operations in spec["paths"].items():
        for operation in operations.values():
            for content in contents(spec, operation):
                described |= {field_of(resource_of(path), at) for at in paths(spec, content["schema"])}
    assert described - FIELDS - OTHERS == set()
    by_api = {name for name in OTHERS if name.split(".")[0] not in WEBHOOKS}
    by_api |= {name for given in GIVEN for way in (Way.API, Way.MESSAGE) for name in given.fields.get(way, ())}
    assert by_api - described == set(), "the list names what is not there any more"


def resolved(spec: Any, node: Any) -> Any:
    while "$ref" in node:
        found = spec
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def contents(spec: Any, operation: Any) -> Iterator[Any]:
    """Of each answer of an operation that says something: what it has."""
    for status, answer in operation.get("responses", {}).items() if isinstance(operation, dict) else ():
        if status.startswith("2"):
            yield from resolved(spec, answer).get("content", {}).values()


def paths(spec: Any, node: Any, at: str = "") -> Iterator[str]:
    node = resolved(spec, node)
    several = [each for kind in ("anyOf", "oneOf", "allOf") for each in node.get(kind, ())]
    if "items" in node:
        several.append(node["items"])
    if "properties" in node:
        for name, inner in node["properties"].items():
            yield from paths(spec, inner, f"{at}.{name}" if at else name)
    elif several:
        for each in several:
            yield from paths(spec, each, at)
    elif node.get("type") != "null":
        yield at


WEBHOOKS = {"bill", "payment", "answer", "plan", "refund", "connection"}


def test_no_field_is_twice(app: Flask) -> None:
    assert not FIELDS & OTHERS
    names = [name for given in GIVEN for way, names in given.fields.items() if way is not Way.MESSAGE for name in names]
    assert len(names) == len(set(names))
    assert len(BY_KEY) == len(GIVEN) == len(Key)


def test_what_the_proof_says_of_the_customer(journey: Journey, program: Program) -> None:
    """An id of ours, and neither name nor address."""
    invoice_id = bill(journey)
    number_waiting(journey.services)
    proof = program.get(f"/api/v1/bills/{bill_id_of(journey, invoice_id)}/proof").get_json()
    said = "".join(fact["says"] for fact in proof["facts"])
    assert journey.customer.id in said
    for secret in (journey.customer.name, journey.customer.email, journey.address):
        assert secret not in said
    assert base64.b64decode(proof["document"])


# ------------------------------------------------------------------------------------------------------- the page


def page_of(journey: Journey) -> dict[str, str]:
    """Of each entry that was given: its words."""
    page = journey.browser.page(f"/companies/{journey.biller.id}/given")
    return {
        str(part["data-given"]): " ".join(part.get_text(" ").replace("\xa0", " ").split())
        for part in page.select("[data-given]")
    }


def test_a_company_that_delivered_nothing_knows_name_and_address(journey: Journey) -> None:
    page = page_of(journey)
    assert list(page) == ["name", "address", "connection"]
    assert journey.customer.name in page["name"]
    assert journey.address.partition("@")[0] in page["address"].replace(" ", "").replace("\u200b", "")
    assert "by leaving the company" in page["address"]


def test_each_field_with_what_for_and_since_when(journey: Journey, program: Program) -> None:
    whole_story(journey, program)
    page = page_of(journey)
    assert set(page) == set(Key)
    assert WORDS in page["answer"]
    assert REFERENCE in page["reference"]
    for words in page.values():
        for each in ("What for", "Since", "How", "To withdraw"):
            assert each in words
    assert "read it" in page["account"]
    assert IBAN not in journey.browser.get(f"/companies/{journey.biller.id}/given").text


def test_what_can_be_withdrawn_is_withdrawn_there(journey: Journey, program: Program) -> None:
    answered, plan = bill(journey), bill(journey, "2026-2")
    say(journey, answered, "declined", words=WORDS)
    planned(journey, plan, today(journey) + dt.timedelta(days=2))
    path = f"/companies/{journey.biller.id}/given"
    for ending in ("/take-back", "/withdraw", "/leave"):
        [form] = journey.browser.page(path).select(f"main form[action$='{ending}']")
        sent = journey.browser.post(str(form["action"]), token=journey.browser.token("/bills"), form={})
        assert sent.status_code == 303, ending
        assert not journey.browser.page(path).select(f"main form[action$='{ending}']")
    page = page_of(journey)
    for key in ("name", "address"):
        assert "It is not shown to the company any more" in page[key]
    assert program.get("/api/v1/connections").get_json()["connections"][0]["customer_name"] is None


def test_it_is_linked_from_the_company_and_from_privacy(journey: Journey) -> None:
    path = f"/companies/{journey.biller.id}/given"
    for page in (f"/companies/{journey.biller.id}", "/privacy"):
        assert journey.browser.page(page).select_one(f"a[href='{path}']"), page
    for page in ("/bills", "/security"):
        assert journey.browser.page(page).select_one("a[href='/privacy']"), page


def test_nobody_sees_what_somebody_else_gave(journey: Journey) -> None:
    say(journey, bill(journey), "declined", words=WORDS)
    other = Browser.of(journey.app)
    other.sign_up(name="Jonas", email="jonas@example.org")
    assert other.get(f"/companies/{journey.biller.id}/given").status_code == 404
    assert other.get(f"/companies/blr_{'0' * 32}/given").status_code == 404
    assert journey.biller.name not in other.page("/privacy").get_text()
