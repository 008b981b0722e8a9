"""What the UK sandbox banks tell a TPP without being asked: subscriptions, and tokens posted to its callback."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from joserfc import jwt
from joserfc.jwk import RSAKey
from openapi_schema_validator import OAS30Validator

from connectors.capabilities import EventKind
from connectors.openbanking_uk.events import EventReader
from connectors.sandbox_bank.openbanking_uk import postman
from connectors.sandbox_bank.openbanking_uk.events import ACCOUNT_UPDATE, RESOURCE_UPDATE, REVOKED, TRIES_MAX
from tests.support.sandbox_tpp import Answer, Clock
from tests.support.shared import shared_folder
from tests.support.uk_bank import inside, other_at
from tests.support.uk_judge import Judged
from tests.support.uk_orders import (
    LEDGER,
    Orders,
    OrdersAt,
    code_of,
    payment_body,
    scheduled_consent_body,
    vrp_consent_body,
)
from tests.support.uk_tpp import BASE_URL

pytestmark = pytest.mark.shared

SUBSCRIPTIONS = "/event-subscriptions"
BOTH = pytest.mark.parametrize("brand", ["albion", "caledonia"])
ALBION = pytest.mark.parametrize("brand", ["albion"])
FOLDERS = {"4.0": "v4.0", "3.1": "v3.1.11"}


@dataclass(kw_only=True)
class Callback:
    """A TPP's door on this machine. ``answers``: what it says to each call, 202 when they are used up."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], str]] = field(default_factory=list)


@pytest.fixture
def callback() -> Iterator[Callback]:
    made = Callback()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            made.got.append((dict(self.headers), body))
            self.send_response(made.answers.pop(0) if made.answers else 202)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    made.url = f"http://127.0.0.1:{server.server_port}/open-banking/v4.0/event-notifications"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def orders(orders_at: OrdersAt, brand: str) -> Orders:
    return orders_at(brand)


def call(orders: Orders, method: str, path: str, data: dict[str, Any] | None = None, **how: Any) -> Answer:
    """At the API's root: event subscriptions are of no one role."""
    tpp = copy.copy(orders.tpp)
    tpp.role = ""
    return tpp.call(method, path, tpp.own_token(), None if data is None else {"Data": data}, **how)


def subscribe(orders: Orders, **data: Any) -> Answer:
    return call(orders, "POST", SUBSCRIPTIONS, {"Version": orders.tpp.version, **data})


def read(orders: Orders, token: str, *, now_s: int) -> dict[str, Any]:
    """The claims of a token from the bank, judged by the official file as far as it goes."""
    decoded = jwt.decode(token, orders.tpp.keys(), algorithms=["PS256"])
    claims = dict(decoded.claims)
    assert decoded.header["typ"] == "JWT"
    assert (claims["iss"], claims["aud"], claims["iat"]) == (orders.tpp.issuer, orders.tpp.client_id, now_s)
    path = shared_folder() / "specs" / "obie" / FOLDERS[orders.tpp.version] / "event-notifications-openapi.json"
    official = json.loads(path.read_bytes())
    told = {**claims, "events": {name: told for name, told in claims["events"].items() if name == RESOURCE_UPDATE}}
    schema = {"$ref": "#/components/schemas/OBEventNotification1", "components": official["components"]}
    OAS30Validator(schema).validate(told)
    return claims


def deliver(bank: Flask) -> int:
    return postman.deliver_due(inside(bank))


# -------------------------------------------------------------------------------------------------------- subscriptions


@BOTH
def test_a_subscription_is_made_read_changed_and_deleted(orders: Orders, brand: str) -> None:
    assert call(orders, "GET", SUBSCRIPTIONS).json["Data"]["EventSubscription"] == []
    version, url = orders.tpp.version, "https://tpp.example/open-banking/event-notifications"
    made = subscribe(orders, CallbackUrl=url, EventTypes=[RESOURCE_UPDATE])
    assert made.status == 201
    assert orders.tpp.is_signed(made)
    data = made.json["Data"]
    assert {name: data[name] for name in ("CallbackUrl", "Version", "EventTypes")} == {
        "CallbackUrl": url,
        "Version": version,
        "EventTypes": [RESOURCE_UPDATE],
    }
    path = f"{SUBSCRIPTIONS}/{data['EventSubscriptionId']}"
    assert made.json["Links"]["Self"] == f"{orders.tpp.issuer}/open-banking/v{version}{path}"
    exists = "U029" if brand == "albion" else "UK.OBIE.Rules.ResourceAlreadyExists"
    assert code_of(subscribe(orders, CallbackUrl=url)) == (409, exists)
    assert call(orders, "GET", SUBSCRIPTIONS).json["Data"]["EventSubscription"] == [data]
    changed = {"EventSubscriptionId": data["EventSubscriptionId"], "Version": version}
    assert call(orders, "PUT", path, changed).json["Data"] == changed
    assert call(orders, "DELETE", path).status == 204
    assert code_of(call(orders, "DELETE", path))[0] == 400
    assert call(orders, "GET", SUBSCRIPTIONS).json["Data"]["EventSubscription"] == []


@ALBION
@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"Version": "3.1"}, "U002"),
        ({"Version": None}, "U004"),
        ({"CallbackUrl": "http://tpp.example/events"}, "U002"),
        ({"CallbackUrl": "https://user@tpp.example/events"}, "U002"),
        ({"CallbackUrl": "https://tpp.example/events#one"}, "U002"),
        ({"CallbackUrl": "https://tpp.example:99999/events"}, "U002"),
        ({"CallbackUrl": "file:///etc/passwd"}, "U002"),
        ({"CallbackUrl": "https:///events"}, "U002"),
        ({"CallbackUrl": 1}, "U002"),
        ({"EventTypes": ["urn:example:other"]}, "U002"),
        ({"EventTypes": RESOURCE_UPDATE}, "U002"),
        ({"EventSubscriptionId": "mine"}, "U005"),
    ],
)
def test_a_subscription_that_is_not_as_it_must_be(orders: Orders, brand: str, data: dict[str, Any], code: str) -> None:
    assert brand == orders.tpp.brand
    assert code_of(subscribe(orders, **data)) == (400, code)
    assert call(orders, "GET", SUBSCRIPTIONS).json["Data"]["EventSubscription"] == []


@ALBION
def test_a_subscription_is_signed_and_has_no_key(orders: Orders, brand: str) -> None:
    assert brand == orders.tpp.brand
    data = {"Version": "4.0"}
    assert code_of(call(orders, "POST", SUBSCRIPTIONS, data, key="k")) == (400, "U006")
    unsigned = call(orders, "POST", SUBSCRIPTIONS, data, headers={"x-jws-signature": None})
    assert code_of(unsigned) == (400, "U019")


@ALBION
def test_a_subscription_of_another_tpp(orders: Orders, bank: Flask, folder: Path, clock: Clock, brand: str) -> None:
    made = subscribe(orders).json["Data"]["EventSubscriptionId"]
    others = Orders(tpp=other_at(bank, folder, brand, clock=clock), person=orders.person)
    assert call(others, "GET", SUBSCRIPTIONS).json["Data"]["EventSubscription"] == []
    assert code_of(call(others, "DELETE", f"{SUBSCRIPTIONS}/{made}")) == (400, "U011")
    assert len(call(orders, "GET", SUBSCRIPTIONS).json["Data"]["EventSubscription"]) == 1


# --------------------------------------------------------------------------------------------------------------- events


@BOTH
def test_each_change_of_a_payment_is_told_when_it_happens(
    orders: Orders, bank: Flask, clock: Clock, callback: Callback, brand: str
) -> None:
    subscribe(orders, CallbackUrl=callback.url)
    payment_id = orders.pay().json["Data"]["DomesticPaymentId"]
    assert deliver(bank) == 0
    clock.tick(seconds=1)
    assert deliver(bank) == 1
    ((headers, token),) = callback.got
    assert headers["Content-Type"] == "application/jwt"
    assert headers["x-fapi-interaction-id"]
    assert headers["x-fapi-financial-id"] == f"sandbox-{brand}"
    claims = read(orders, token, now_s=clock.seconds())
    assert claims["toe"] == clock.seconds()
    assert claims["sub"] == f"{orders.tpp.api}/domestic-payments/{payment_id}"
    assert claims["events"] == {
        RESOURCE_UPDATE: {
            "subject": {
                "subject_type": "http://openbanking.org.uk/rid_http://openbanking.org.uk/rty",
                "http://openbanking.org.uk/rid": payment_id,
                "http://openbanking.org.uk/rty": "domestic-payment",
                "http://openbanking.org.uk/rlk": [{"version": f"v{orders.tpp.version}", "link": claims["sub"]}],
            }
        }
    }
    clock.tick(days=1)
    assert deliver(bank) == 0


@ALBION
def test_what_is_not_taken_is_sent_again_and_is_the_same_event(
    orders: Orders, bank: Flask, clock: Clock, callback: Callback, brand: str
) -> None:
    assert brand == orders.tpp.brand
    callback.answers = [500, 200]
    subscribe(orders, CallbackUrl=callback.url)
    orders.pay()
    waits = []
    for pause in (1, 0.9, 0.1, 3.9, 0.1):
        clock.tick(seconds=pause)
        waits.append((deliver(bank), len(callback.got)))
    assert waits == [(0, 1), (0, 1), (0, 2), (0, 2), (1, 3)]
    assert len({read_id(orders, token) for _, token in callback.got}) == 1


def read_id(orders: Orders, token: str) -> str:
    return str(jwt.decode(token, orders.tpp.keys(), algorithms=["PS256"]).claims["jti"])


@ALBION
def test_a_tpp_that_never_answers_is_given_up(
    orders: Orders, bank: Flask, clock: Clock, callback: Callback, brand: str
) -> None:
    assert brand == orders.tpp.brand
    callback.answers = [503] * 100
    subscribe(orders, CallbackUrl=callback.url)
    orders.pay()
    for _ in range(10):
        clock.now += timedelta(hours=1)
        deliver(bank)
    assert len(callback.got) == TRIES_MAX
    with inside(bank).store.read() as connection:
        assert [row["state"] for row in connection.execute("SELECT state FROM event")] == ["dropped"]


@ALBION
def test_a_door_that_is_shut_hurts_nobody(orders: Orders, bank: Flask, clock: Clock, brand: str) -> None:
    assert brand == orders.tpp.brand
    subscribe(orders, CallbackUrl="http://127.0.0.1:1/events")
    orders.pay()
    clock.tick(seconds=1)
    assert deliver(bank) == 0


@ALBION
@pytest.mark.parametrize("types", [None, [], [REVOKED]])
def test_nobody_is_told_what_he_did_not_ask_for(
    orders: Orders, bank: Flask, clock: Clock, callback: Callback, brand: str, types: list[str] | None
) -> None:
    """None: there is no subscription; without a list all is wanted."""
    assert brand == orders.tpp.brand
    if types is not None:
        subscribe(orders, CallbackUrl=callback.url, EventTypes=types)
    orders.pay()
    clock.tick(seconds=1)
    assert deliver(bank) == (1 if types == [] else 0)


@BOTH
def test_a_consent_that_its_customer_ended(
    orders: Orders, judged: Judged, bank: Flask, clock: Clock, callback: Callback, brand: str
) -> None:
    subscribe(orders, CallbackUrl=callback.url)
    consent_id = orders.stage("/domestic-vrp-consents", vrp_consent_body(version=orders.tpp.version))
    orders.approve(consent_id)
    url = f"{BASE_URL}/sandbox/{brand}/consents/{consent_id}/cancel"
    assert judged.send("POST", url, headers=LEDGER, data=b"", certificate=None).status == 204
    assert deliver(bank) == 1
    claims = read(orders, callback.got[0][1], now_s=clock.seconds())
    assert set(claims["events"]) == {RESOURCE_UPDATE, REVOKED}
    assert claims["sub"] == f"{orders.tpp.api}/domestic-vrp-consents/{consent_id}"
    assert claims["events"][REVOKED]["subject"]["http://openbanking.org.uk/rty"] == "domestic-vrp-consent"


@BOTH
def test_a_consent_whose_account_was_moved_is_told_to_our_reader(
    orders: Orders, judged: Judged, bank: Flask, clock: Clock, callback: Callback, brand: str
) -> None:
    subscribe(orders, CallbackUrl=callback.url, EventTypes=[ACCOUNT_UPDATE])
    consent_id = orders.stage("/domestic-vrp-consents", vrp_consent_body(version=orders.tpp.version))
    orders.approve(consent_id)
    url = f"{BASE_URL}/sandbox/{brand}/consents/{consent_id}/account"
    headers = {**LEDGER, "Content-Type": "application/x-www-form-urlencoded"}
    moved = judged.send("POST", url, headers=headers, data=b"account=camille-savings", certificate=None)
    assert (moved.status, deliver(bank)) == (204, 1)

    def key_of(kid: str) -> RSAKey | None:
        found = orders.tpp.keys().get_by_kid(kid)
        return found if isinstance(found, RSAKey) else None

    reader = EventReader(
        issuer=orders.tpp.issuer,
        client_id=orders.tpp.client_id,
        origins=frozenset({urlsplit(BASE_URL).netloc}),
        key_of=key_of,
        clock=clock,
    )
    event = reader.read(callback.got[0][1].encode())
    assert (event.kind, event.resource_type) == (EventKind.PAYER_ACCOUNT_CHANGED, "domestic-vrp-consent")
    assert event.resource_id == consent_id


@ALBION
def test_a_scheduled_payment_that_its_customer_stopped(
    orders: Orders, judged: Judged, bank: Flask, clock: Clock, callback: Callback, brand: str
) -> None:
    subscribe(orders, CallbackUrl=callback.url)
    body = scheduled_consent_body()
    consent_id = orders.stage("/domestic-scheduled-payment-consents", body)
    token = orders.approve(consent_id)
    paid = orders.post("/domestic-scheduled-payments", token, payment_body(consent_id, body)).json["Data"]
    clock.tick(seconds=2)
    url = f"{BASE_URL}/sandbox/{brand}/payments/{paid['DomesticScheduledPaymentId']}/cancel"
    assert judged.send("POST", url, headers=LEDGER, data=b"", certificate=None).status == 204
    assert deliver(bank) == 2  # it was valid, it is cancelled
    clock.tick(days=9)
    assert deliver(bank) == 0
