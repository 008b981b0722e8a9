"""Each magic amount of the UK sandbox banks does what the brand's page says of it."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from flask import Flask

from connectors.sandbox_bank.openbanking_uk.scenarios import DESCRIBED
from tests.support.sandbox_tpp import Answer, Clock
from tests.support.uk_bank import AtBrand, inside, make_bank, tpp_at
from tests.support.uk_judge import Judged
from tests.support.uk_orders import Orders, OrdersAt, booked, code_of, payment_body
from tests.support.uk_tpp import BASE_URL, consent_body
from tests.support.uk_wire import InProcess, UkPerson

pytestmark = pytest.mark.shared

CONSENTS, PAYMENTS = "/domestic-payment-consents", "/domestic-payments"


@pytest.fixture
def orders(orders_at: OrdersAt) -> Orders:
    return orders_at("albion")


def staged(orders: Orders, amount: str) -> Answer:
    return orders.post(CONSENTS, orders.own_token, consent_body(amount), key="k" + secrets.token_hex(8))


def paid(orders: Orders, amount: str) -> str:
    """The address of the payment."""
    answer = orders.pay(amount)
    assert answer.status == 201, answer.content
    return f"{PAYMENTS}/{answer.json['Data']['DomesticPaymentId']}"


def status(orders: Orders, path: str) -> str:
    return str(orders.get(path).json["Data"]["Status"])


def kinds(judged: Judged) -> list[str]:
    return [entry["kind"] for entry in booked(judged, BASE_URL)]


def submitted(orders: Orders, amount: str) -> tuple[str, dict[str, object], str]:
    """(token, body, key) of a submission that is still to be made."""
    body = consent_body(amount)
    consent_id = orders.stage(CONSENTS, body)
    return orders.approve(consent_id), payment_body(consent_id, body), secrets.token_hex(8)


# ------------------------------------------------------------------------------------------------------------- consents


def test_a_consent_refused(orders: Orders) -> None:
    assert code_of(staged(orders, "999.01")) == (400, "U002")


def test_a_consent_that_fails_before_or_after_it_is_made(orders: Orders, bank: Flask) -> None:
    for amount, made in (("999.02", 0), ("999.03", 1)):
        assert code_of(staged(orders, amount)) == (500, "U000")
        with inside(bank).store.read() as connection:
            assert connection.execute("SELECT count(*) FROM consent").fetchone()[0] == made


def test_a_consent_whose_answer_was_lost_is_found_by_its_key(orders: Orders) -> None:
    body = consent_body("999.03")
    answers = [orders.post(CONSENTS, orders.own_token, body, key="the same") for _ in range(2)]
    assert [each.status for each in answers] == [500, 500]


def test_answers_that_hang(folder: Path, keys: Path, tmp_path: Path, clock: Clock) -> None:
    waits: list[float] = []
    app = make_bank(folder, keys / f"hang-{tmp_path.name}.sqlite3", clock=clock, sleep=waits.append)
    hanging = Orders(tpp=tpp_at(app, folder, "albion", clock=clock), person=UkPerson(transport=InProcess(app)))
    assert staged(hanging, "999.04").status == 201
    assert waits == [30]
    path = paid(hanging, "999.09")
    assert [status(hanging, path) for _ in range(3)] == ["ACSP"] * 3
    assert waits == [30] * 3
    token, body, key = submitted(hanging, "999.17")
    answers = [hanging.post(PAYMENTS, token, body, key=key) for _ in range(2)]
    assert [each.status for each in answers] == [201, 201]
    assert waits == [30] * 4
    submitted(hanging, "999.11")
    assert waits == [30] * 5
    inside(app).store.close()


def test_the_token_exchange_fails_after_it_spent_the_code(orders: Orders) -> None:
    consent_id = orders.stage(CONSENTS, consent_body("999.10"))
    code = orders.tpp.answered(orders.person.approve(orders.tpp.authorize_url(consent_id)))["code"]
    assert orders.tpp.exchange(code).status == 500
    assert orders.tpp.exchange(code).json["error"] == "invalid_grant"


# ------------------------------------------------------------------------------------------------- what becomes of it


@pytest.mark.parametrize(
    ("amount", "seen", "books"),
    [
        ("999.05", {0: "RJCT"}, []),
        ("999.06", {0: "ACSP", 1.9: "ACSP", 2: "RJCT"}, []),
        ("999.07", {0: "ACSP", 19.9: "ACSP", 20: "ACSC"}, ["debit"]),
        ("999.13", {0: "ACSP", 1: "ACSC", 4: "RJCT"}, ["reversal", "debit"]),
        ("999.14", {0: "ACSP", 1: "ACCC"}, ["debit"]),
        ("999.18", {0: "RJCT"}, []),
        ("999.22", {0: "RCVD", 0.5: "PDNG", 1: "ACSP", 2: "ACSC"}, ["debit"]),
        ("12.00", {0: "ACSP", 1: "ACSC"}, ["debit"]),
    ],
)
def test_what_becomes_of_a_payment(
    orders: Orders, judged: Judged, clock: Clock, amount: str, seen: dict[float, str], books: list[str]
) -> None:
    path, began = paid(orders, amount), clock.now
    for after_s, word in seen.items():
        clock.now = began
        clock.tick(seconds=after_s)
        assert status(orders, path) == word
        scheme = orders.get(f"{path}/payment-details").json["Data"]["PaymentStatus"][0]["Status"]
        assert scheme == {"RCVD": "PDNG"}.get(word, word)
    clock.tick(days=1)
    assert kinds(judged) == books


def test_reads_that_go_wrong(orders: Orders) -> None:
    path = paid(orders, "999.08")
    assert [orders.get(path).status for _ in range(4)] == [500, 500, 500, 200]
    path = paid(orders, "999.15")
    assert [status(orders, path) for _ in range(4)] == ["ACSP", "RCVD", "ACSP", "ACSP"]


def test_an_answer_that_cannot_be_read(at: AtBrand, person: UkPerson) -> None:
    orders = Orders(tpp=at("albion"), person=person)
    path = paid(orders, "999.12")
    for _ in range(2):
        answer = orders.get(path)
        assert answer.status == 200
        with pytest.raises(ValueError, match="Expecting"):
            _ = answer.json
    assert status(orders, path) == "ACSP"


# ---------------------------------------------------------------------------------------------------------- submissions


def test_a_submission_that_fails_after_it_was_executed(orders: Orders, judged: Judged, clock: Clock) -> None:
    token, body, key = submitted(orders, "999.16")
    assert code_of(orders.post(PAYMENTS, token, body, key=key)) == (500, "U000")
    clock.tick(seconds=1)
    assert kinds(judged) == ["debit"]
    again = orders.post(PAYMENTS, token, body, key=key)
    assert (again.status, again.json["Data"]["Status"]) == (201, "ACSC")
    assert kinds(judged) == ["debit"]


def test_a_submission_that_fails_before_it_was_executed(orders: Orders, judged: Judged, clock: Clock) -> None:
    token, body, key = submitted(orders, "999.21")
    assert code_of(orders.post(PAYMENTS, token, body, key=key)) == (500, "U000")
    clock.tick(seconds=1)
    assert kinds(judged) == []
    assert orders.post(PAYMENTS, token, body, key=key).status == 201
    clock.tick(seconds=1)
    assert kinds(judged) == ["debit"]


def test_a_submission_refused(orders: Orders, judged: Judged, clock: Clock) -> None:
    token, body, key = submitted(orders, "999.20")
    assert [code_of(orders.post(PAYMENTS, token, body, key=key)) for _ in range(2)] == [(400, "U002")] * 2
    clock.tick(seconds=1)
    assert kinds(judged) == []


def test_an_answer_that_is_wrongly_signed(orders: Orders) -> None:
    token, body, key = submitted(orders, "999.19")
    first = orders.post(PAYMENTS, token, body, key=key)
    assert first.status == 201
    with pytest.raises(Exception, match=r"(?i)signature"):
        orders.tpp.is_signed(first)
    assert orders.tpp.is_signed(orders.post(PAYMENTS, token, body, key=key))


def test_an_answer_to_another_call(orders: Orders) -> None:
    token, body, key = submitted(orders, "999.23")
    mine = {"x-fapi-interaction-id": "93bac548-d2de-4546-b106-880a5018460d"}
    answers = [orders.post(PAYMENTS, token, body, key=key, headers=mine) for _ in range(2)]
    echoed = [each.headers["x-fapi-interaction-id"] == mine["x-fapi-interaction-id"] for each in answers]
    assert echoed == [False, True]


def test_each_amount_stands_in_this_file() -> None:
    """It fails where the table grows and nobody tries what is new."""
    text = Path(__file__).read_text("utf-8")
    assert [amount for amount in DESCRIBED if f'"{amount.removeprefix("£")}"' not in text] == []
