"""The orders of the UK sandbox banks over TLS, in a crowd and through a kill: nothing is paid twice or lost."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.support.sandbox_tpp import Answer
from tests.support.uk_orders import Orders, code_of, payment_body
from tests.support.uk_served import ServedBank
from tests.support.uk_tpp import consent_body

pytestmark = [
    pytest.mark.faults,
    # whoever listens may be in the middle of a handshake when the bank is killed; it is seen in this test or the next
    pytest.mark.filterwarnings("ignore:.*ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"),
]

CONSENTS, PAYMENTS = "/domestic-payment-consents", "/domestic-payments"
WAIT_S_MAX = 60


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedBank]:
    served = ServedBank(tmp_path_factory.mktemp("served"))
    try:
        served.start()
        yield served
    finally:
        served.close()


def submitted(orders: Orders, amount: str = "1.00") -> tuple[str, dict[str, Any]]:
    """(the customer's token, the body of a payment that is still to be made)."""
    body = consent_body(amount, EndToEndIdentification=f"E2E-{secrets.token_hex(8)}")
    consent_id = orders.stage(CONSENTS, body)
    return orders.approve(consent_id), payment_body(consent_id, body)


def until(seen: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S_MAX
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("same_key", [True, False])
def test_a_crowd_pays_once(served: ServedBank, same_key: bool) -> None:
    orders = Orders(tpp=served.tpp(), person=served.person())
    token, body = submitted(orders)

    def one(number: int) -> Answer:
        key = "the same " + body["Data"]["ConsentId"][-12:] if same_key else f"{number} {secrets.token_hex(8)}"
        return served.tpp().call("POST", PAYMENTS, token, body, key=key)

    with ThreadPoolExecutor(8) as crowd:
        answers = list(crowd.map(one, range(8)))
    paid = [each.json["Data"]["DomesticPaymentId"] for each in answers if each.status == 201]
    assert len(set(paid)) == 1
    assert len(paid) == (8 if same_key else 1)
    assert all(code_of(each) == (400, "U009") for each in answers if each.status != 201)


def test_a_kill_after_a_submission_loses_nothing_and_pays_once(served: ServedBank) -> None:
    orders = Orders(tpp=served.tpp(), person=served.person())
    token, body = submitted(orders)
    first = orders.post(PAYMENTS, token, body, key="before the kill")
    assert first.status == 201
    served.kill()
    served.start()
    again = orders.post(PAYMENTS, token, body, key="before the kill")
    assert (again.status, again.json["Data"]["DomesticPaymentId"]) == (201, first.json["Data"]["DomesticPaymentId"])
    assert code_of(orders.post(PAYMENTS, token, body)) == (400, "U009")
    path = f"{PAYMENTS}/{first.json['Data']['DomesticPaymentId']}"
    until(lambda: orders.get(path).json["Data"]["Status"] == "ACSC")


def test_an_event_is_sent_also_after_a_kill(served: ServedBank) -> None:
    got: list[str] = []

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        orders = Orders(tpp=served.tpp("mersey"), person=served.person())
        root = served.tpp("mersey")
        root.role = ""
        data = {"CallbackUrl": f"http://127.0.0.1:{server.server_port}/events", "Version": "4.0"}
        assert root.call("POST", "/event-subscriptions", orders.own_token, {"Data": data}).status == 201
        token, body = submitted(orders)
        assert orders.post(PAYMENTS, token, body).status == 201
        served.kill()
        served.start()  # the first request, which asks whether it lives, wakes the postman
        until(lambda: bool(got))
    finally:
        server.shutdown()
        server.server_close()
