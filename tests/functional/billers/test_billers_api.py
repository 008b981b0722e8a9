"""Bills in and their status out, and every refusal: precise, as described, and nothing written."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder, TestResponse, run_wsgi_app
from werkzeug.wrappers import Request

from app.journey.intake.models import DeliveredBill
from app.journey.intake.originals import content_of
from app.people.models import ApiClient
from app.services import Services
from app.web.billers.limits import BILL_BYTES_MAX
from tests.conftest import Clock
from tests.support.billers_door import Program
from tests.support.billers_spec import conforms, description
from tests.support.billers_world import World, json_bill, ubl_bill

BILL = "/api/v1/bills"
NOWHERE = "aaaaaaaaaaaa@space.quittance.example"


def refused(app: Flask, answer: TestResponse, status: int, code: str, *, pointer: str | None = None) -> dict[str, Any]:
    """The whole problem, after what every one of them has."""
    conforms(app, answer)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.text
    body: dict[str, Any] = answer.get_json()
    assert (body["code"], body["status"], body["type"]) == (code, status, f"urn:quittance:problem:{code}")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    if pointer is not None:
        assert body["errors"][0]["pointer"] == pointer
        assert body["errors"][0]["detail"]
    return body


# --------------------------------------------------------------------------------------- what is taken


@pytest.mark.parametrize(
    "media_type", ["application/json", "application/xml", "text/xml", "application/vnd.oasis.ubl+xml"]
)
def test_a_bill_is_taken_as_it_came(
    app: Flask, services: Services, world: World, aquarelle: Program, address: str, clock: Clock, media_type: str
) -> None:
    content = (json_bill if "json" in media_type else ubl_bill)(aquarelle, address)
    answer = aquarelle.deliver(content, media_type=f"{media_type}; charset=UTF-8")
    assert answer.status_code == 201, answer.text
    conforms(app, answer)
    body = answer.get_json()
    bill_id = body.pop("id")
    assert answer.headers["Location"] == f"{BILL}/{bill_id}"
    assert body == {
        "number": "AQ-2026-0042",
        "sha256": hashlib.sha256(content).hexdigest(),
        "delivered_at": clock().isoformat(),
    }
    with services.reading() as uow:
        row = uow.session.get_one(DeliveredBill, bill_id)
        kept = content_of(services.vault, uow.session, row)
    assert (kept, row.content, row.media_type) == (content, None, media_type)
    assert (row.biller_id, row.client_id) == (aquarelle.biller_id, aquarelle.client_id)


def test_the_same_bytes_again_give_the_same_acknowledgement(
    app: Flask, world: World, aquarelle: Program, address: str, clock: Clock
) -> None:
    content = json_bill(aquarelle, address)
    first = aquarelle.deliver(content)
    clock.tick(hours=1)
    again = world.refuses(aquarelle.deliver, content)  # nothing more is written
    assert (first.status_code, again.status_code) == (201, 200)
    conforms(app, again)
    assert again.get_json() == first.get_json()
    assert again.headers["Location"] == first.headers["Location"]


def test_the_address_may_stand_beside_the_bill_and_must_agree(
    app: Flask, world: World, aquarelle: Program, address: str
) -> None:
    content = json_bill(aquarelle, address)
    other = world.connect(aquarelle)
    answer = world.refuses(aquarelle.deliver, content, path=f"{BILL}?to={other}")
    refused(app, answer, 422, "recipients-differ")
    assert aquarelle.deliver(content, path=f"{BILL}?to={address}").status_code == 201


def test_a_bill_and_nothing_about_who_pays(app: Flask, aquarelle: Program, address: str, clock: Clock) -> None:
    path = aquarelle.deliver(json_bill(aquarelle, address)).headers["Location"]
    answer = aquarelle.get(path, scope="bills:read")
    conforms(app, answer)
    assert answer.get_json() == {
        "id": path.rpartition("/")[2],
        "number": "AQ-2026-0042",
        "kind": "invoice",
        "means": "credit_transfer",
        "status": "open",
        "amount": "84.20",
        "currency": "EUR",
        "amount_due": "84.20",
        "held_back": "0.00",
        "corrects": None,
        "not_applied_because": None,
        "corrected_by": [],
        "superseded_by": None,
        "withdrawn_at": None,
        "withdrawal_reason": None,
        "refund_owed": "0.00",
        "refund_unpromised": "0.00",
        "paid_twice": "0.00",
        "amount_paid": "0.00",
        "discount_taken": None,
        "taken_off": "0.00",
        "sequence": 0,
        "answer": None,
        "extended_to": None,
        "plan": None,
        "delivered_at": clock().isoformat(),
        "payments": [],
    }
    head = aquarelle.http.head(path, headers=aquarelle.bearer())
    assert (head.status_code, head.data) == (200, b"")


# ------------------------------------------------------------------------------------- what is refused


def test_a_bill_for_an_unknown_and_for_an_unconnected_customer_is_the_same(
    app: Flask, world: World, aquarelle: Program, address: str
) -> None:
    elsewhere = world.connect(world.program())
    for to in (NOWHERE, elsewhere):
        answer = world.refuses(aquarelle.deliver, json_bill(aquarelle, to), notes={"stray_bill"})
        body = refused(app, answer, 422, "not-connected")
        assert body["detail"].startswith(f"{to} is not the address of a customer who is connected with you. Ask your")
        assert body["actions"] == ["redeem-code", "redeem-address", "other-channel"]


def test_an_amount_with_a_comma(app: Flask, world: World, aquarelle: Program, address: str) -> None:
    answer = world.refuses(aquarelle.deliver, json_bill(aquarelle, address, amount="84,20"))
    body = refused(app, answer, 422, "amount-refused", pointer="/amount")
    assert "84.20" in body["detail"]
    content = ubl_bill(aquarelle, address).replace(b">84.20</cbc:PayableAmount>", b">84,20</cbc:PayableAmount>")
    answer = world.refuses(aquarelle.deliver, content, media_type="application/xml")
    refused(app, answer, 422, "amount-refused", pointer="/Invoice/cac:LegalMonetaryTotal/cbc:PayableAmount")


MALFORMED: list[tuple[str, bytes, str]] = [
    ("application/xml", b"<Invoice>", "not-well-formed"),
    ("application/xml", b"{}", "not-well-formed"),
    ("text/xml", b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', "doctype-refused"),
    ("text/xml", b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>', "doctype-refused"),
    ("application/xml", b"<x/>", "not-a-bill"),
    ("application/json", b"{", "not-well-formed"),
    ("application/json", b"<x/>", "not-well-formed"),
    ("application/json", b'{"amount": NaN}', "not-well-formed"),
    ("application/json", b"[" * 100_000, "too-large"),
    ("application/json", b'{"number": "1", "number": "2"}', "element-doubled"),
    ("application/json", b'{"pay": "now"}', "element-missing"),
    ("application/json", b"\xff\xfe\x00", "encoding-refused"),
]


def test_malformed_and_hostile_bills(
    app: Flask, world: World, aquarelle: Program, address: str, subtests: pytest.Subtests
) -> None:
    for media_type, content, code in MALFORMED:
        with subtests.test(media_type=media_type, content=str(content[:60])):
            answer = world.refuses(aquarelle.deliver, content, media_type=media_type)
            refused(app, answer, 422, code)


WRONG_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"amount": 84.2}, "type-refused"),
    ({"amount": "84.2"}, "amount-refused"),
    ({"amount": "0.00"}, "nothing-to-pay"),
    ({"currency": "XXX"}, "currency-refused"),
    ({"due_on": "02/12/2026"}, "date-refused"),
    ({"number": ""}, "element-missing"),
    ({"number": "\x00"}, "text-refused"),
    ({"number": "\ud800"}, "text-refused"),
    ({"surprise": "x"}, "element-unknown"),
    ({"payee": {"name": "A", "iban": "FR7630006000011234567890180"}}, "account-refused"),
]


def test_wrong_fields(app: Flask, world: World, aquarelle: Program, address: str, subtests: pytest.Subtests) -> None:
    for changes, code in WRONG_FIELDS:
        with subtests.test(changes=str(changes)):
            answer = world.refuses(aquarelle.deliver, json_bill(aquarelle, address, **changes))
            body = refused(app, answer, 422, code)
            assert body["errors"][0]["pointer"]


def test_a_bill_at_which_somebody_must_look_is_held_and_the_biller_is_told_why(
    app: Flask, world: World, aquarelle: Program, address: str
) -> None:
    content = json_bill(aquarelle, address, payee={"name": "A", "iban": "GB33BUKB20201555555555"})
    answer = aquarelle.deliver(content)
    assert answer.status_code == 202, answer.text
    conforms(app, answer)
    body = answer.get_json()
    assert [(each["code"], each["pointer"]) for each in body["reasons"]] == [("account-not-registered", "payee")]
    assert body["id"].startswith("hld_")
    again = world.refuses(aquarelle.deliver, content)
    assert (again.status_code, again.get_json()) == (202, body)


def test_another_bill_under_a_number_that_was_used(app: Flask, world: World, aquarelle: Program, address: str) -> None:
    assert aquarelle.deliver(json_bill(aquarelle, address)).status_code == 201
    answer = world.refuses(aquarelle.deliver, json_bill(aquarelle, address, amount="99.00"))
    refused(app, answer, 409, "number-used")


class Unread(io.RawIOBase):
    """A body that must not be read to its end."""

    def __init__(self, size: int) -> None:
        self.left, self.read_bytes = size, 0

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), self.left)
        buffer[:count] = b"x" * count
        self.left -= count
        self.read_bytes += count
        return count

    def readable(self) -> bool:
        return True


@pytest.mark.parametrize("chunked", [False, True])
def test_twenty_megabytes_are_refused_without_reading_them_all(
    app: Flask, world: World, aquarelle: Program, chunked: bool
) -> None:
    size = 20 * 1024 * 1024
    body = Unread(size)
    builder = EnvironBuilder(BILL, method="POST", headers=Headers(aquarelle.bearer()), content_type="application/xml")
    environ = builder.get_environ()
    environ["wsgi.input"] = io.BufferedReader(body)
    if chunked:
        environ.update({"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True})
        environ.pop("CONTENT_LENGTH", None)
    else:
        environ["CONTENT_LENGTH"] = str(size)
    answer = world.refuses(lambda: TestResponse(*run_wsgi_app(app, environ), request=Request(environ)))
    refused(app, answer, 413, "too-large")
    assert body.read_bytes <= (BILL_BYTES_MAX + 64 * 1024 if chunked else 0)


def test_content_that_is_not_sent_as_it_is(app: Flask, world: World, aquarelle: Program, address: str) -> None:
    content = json_bill(aquarelle, address)
    for encoding in ("gzip", "identity", "br"):
        answer = world.refuses(aquarelle.deliver, content, headers={"Content-Encoding": encoding})
        refused(app, answer, 415, "content-encoding")
        assert answer.headers["Accept-Encoding"] == "identity"
    for media_type in (
        "text/plain",
        "image/png",
        "multipart/form-data; boundary=x",
        "application/problem+json",
        "",
    ):
        answer = world.refuses(aquarelle.deliver, content, media_type=media_type)
        refused(app, answer, 415, "media-type")
    answer = world.refuses(aquarelle.deliver, content, media_type="application/json; charset=latin-1")
    refused(app, answer, 415, "charset")
    refused(app, world.refuses(aquarelle.deliver, b""), 422, "empty")


def test_parameters_that_are_not_right(app: Flask, world: World, aquarelle: Program, address: str) -> None:
    content = json_bill(aquarelle, address)
    for query, code, pointer in (
        (f"to={address}&to={address}", "repeated-parameter", "?to"),
        ("dry_run=1", "unknown-parameter", "?dry_run"),
        ("to=", "address", "?to"),
        ("to=%00@space.example", "address", "?to"),
        ("to=nobody", "address", "?to"),
    ):
        answer = world.refuses(aquarelle.deliver, content, path=f"{BILL}?{query}")
        refused(app, answer, 422, code, pointer=pointer)


def test_deliveries_have_a_limit_per_client(
    app: Flask, world: World, aquarelle: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.billers.limits.DELIVERY_LIMIT", "3 per minute")
    bearer, other = aquarelle.bearer(), world.second_program(aquarelle).bearer()
    post = aquarelle.http.post
    assert [post(BILL, content_type="text/plain", headers=bearer).status_code for _ in range(4)] == [415] * 3 + [429]
    answer = post(BILL, content_type="text/plain", headers=bearer)
    refused(app, answer, 429, "too-many-requests")
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert post(BILL, content_type="text/plain", headers=other).status_code == 415


# --------------------------------------------------------------------------------------- whose and how


def test_what_is_another_billers_does_not_exist(app: Flask, world: World, aquarelle: Program, address: str) -> None:
    path = aquarelle.deliver(json_bill(aquarelle, address)).headers["Location"]
    stranger = world.program()
    answer = refused(app, stranger.get(path), 404, "not-found")
    assert answer == refused(app, stranger.get(f"{BILL}/bill_{'0' * 32}"), 404, "not-found")
    assert world.second_program(aquarelle).get(path).status_code == 200  # the same biller's other program


def test_what_is_no_id_does_not_exist(app: Flask, aquarelle: Program) -> None:
    for name in ("x", "%00", "bill_", "bill_" + "0" * 33, "pay_" + "0" * 32, "%ED%A0%80", "bill_" + "G" * 32, "%0a"):
        refused(app, aquarelle.get(f"{BILL}/{name}"), 404, "not-found")
    for name in ("x", "%00", "bill_" + "0" * 32):
        refused(app, aquarelle.get(f"/api/v1/payments/{name}"), 404, "not-found")


OPERATIONS = (
    ("POST", BILL, "bills:write"),
    ("GET", f"{BILL}/bill_{'0' * 32}", "bills:read"),
    ("GET", f"/api/v1/payments/pay_{'0' * 32}", "payments:read"),
)


def test_each_operation_needs_its_own_scope(app: Flask, world: World, aquarelle: Program) -> None:
    scopes = {scope for _, _, scope in OPERATIONS}
    for method, path, needed in OPERATIONS:
        others = " ".join(sorted(scopes - {needed}))
        answer = world.refuses(world.http.open, path, method=method, headers=aquarelle.bearer(others))
        refused(app, answer, 403, "insufficient-scope")
        challenge = f'Bearer realm="quittance-billers", error="insufficient_scope", scope="{needed}"'
        assert answer.headers["WWW-Authenticate"] == challenge
        answer = world.http.open(path, method=method, headers=aquarelle.bearer(needed))
        assert answer.status_code in (404, 415)


def test_a_scope_that_was_taken_away_is_gone_at_once(app: Flask, world: World, aquarelle: Program) -> None:
    bearer = aquarelle.bearer()
    with world.services.unit_of_work() as uow:
        uow.session.get_one(ApiClient, aquarelle.client_id).scope = "payments:read"
        uow.commit()
    answer = world.http.get(f"{BILL}/bill_{'0' * 32}", headers=bearer)
    refused(app, answer, 403, "insufficient-scope")


def test_addresses_and_methods_that_do_not_exist(world: World, aquarelle: Program) -> None:
    for path in ("/api/v1/invoices", "/api", "/api/v2/bills", "/oauth2/authorize", "/api/v1/bills/"):
        answer = world.http.get(path, headers=aquarelle.bearer())
        assert (answer.status_code, answer.mimetype) == (404, "application/problem+json"), path
        assert answer.get_json()["code"] == "not-found"
    for method, path, allow in (
        ("PUT", BILL, {"POST"}),
        ("OPTIONS", BILL, {"POST"}),
        ("GET", BILL, {"POST"}),
        ("DELETE", f"{BILL}/bill_{'0' * 32}", {"GET", "HEAD"}),
        ("TRACE", BILL, {"POST"}),
    ):
        answer = world.http.open(path, method=method, content_type="text/plain")
        assert (answer.status_code, answer.mimetype) == (405, "application/problem+json"), path
        assert set(answer.headers["Allow"].split(", ")) == allow


def test_the_other_doors_keep_their_own_errors(world: World) -> None:
    answer = world.http.get("/nothing-here", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.mimetype) == (404, "text/html")


def test_a_surprise_tells_nothing(
    app: Flask, world: World, aquarelle: Program, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("app.web.billers.bills.corrected_bill", broken)
    answer = aquarelle.get(f"{BILL}/bill_{'0' * 32}")
    assert (answer.status_code, answer.mimetype) == (500, "application/problem+json")
    assert answer.get_json()["code"] == "internal-error"
    assert "secret" not in answer.text
    reference = answer.get_json()["detail"].rstrip(".").rpartition(" ")[2]
    assert reference in caplog.text


def test_a_second_client_cannot_answer_for_the_first(aquarelle: Program, world: World) -> None:
    """A client may not sign for another one of the same biller."""
    other = world.second_program(aquarelle)
    forged = replace(other, client_id=aquarelle.client_id)
    assert forged.ask(forged.assertion()).status_code == 400


def test_the_examples_of_the_description_are_taken(app: Flask, aquarelle: Program, address: str) -> None:
    body = description(app)["paths"][BILL]["post"]["requestBody"]["content"]
    example = json.dumps({**body["application/json"]["example"], "to": address}).replace(
        body["application/json"]["example"]["payee"]["iban"], aquarelle.iban
    )
    assert aquarelle.deliver(example.encode()).status_code == 201
