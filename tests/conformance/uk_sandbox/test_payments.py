"""The UK sandbox banks' payments: as the official files say, and each deliberate fault refused with nothing written."""

from __future__ import annotations

import copy
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from openapi_core.testing import MockResponse

from tests.support.openbanking_uk import asked, judge_of, posted
from tests.support.sandbox_tpp import Answer, Clock
from tests.support.uk_bank import inside, make_bank, make_folder, other_at, tpp_at
from tests.support.uk_tpp import BRANDS, InProcess, UkPerson, UkTpp, consent_body

CONSENTS, PAYMENTS = "/domestic-payment-consents", "/domestic-payments"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("authority"))


@dataclass
class Counter:
    """A TPP at one brand, and a customer of it."""

    app: Flask
    folder: Path
    clock: Clock
    brand: str
    tpp: UkTpp = field(init=False)

    def __post_init__(self) -> None:
        self.tpp = tpp_at(self.app, self.folder, self.brand, clock=self.clock)

    def post(self, path: str, token: str, body: Mapping[str, Any], *, key: str | None = None, **headers: Any) -> Answer:
        return self.tpp.call("POST", path, token, body, key=key or secrets.token_hex(16), headers=headers or None)

    def body(self, amount: str = "123.50") -> dict[str, Any]:
        return consent_body(amount, version=self.tpp.version)

    def authorised(self, body: Mapping[str, Any]) -> tuple[str, str]:
        """(ConsentId, the customer's token)."""
        consent_id = self.tpp.consent(body)
        person = UkPerson(transport=InProcess(self.app))
        answer = self.tpp.answered(person.approve(self.tpp.authorize_url(consent_id)))
        return consent_id, str(self.tpp.exchange(answer["code"]).json["access_token"])

    def submission(self, body: Mapping[str, Any], consent_id: str) -> dict[str, Any]:
        return {"Data": {"ConsentId": consent_id, "Initiation": body["Data"]["Initiation"]}, "Risk": body["Risk"]}

    def rows(self) -> dict[str, int]:
        with inside(self.app).store.read() as file:
            tables = ("consent", "payment", "movement", "idempotency")
            return {table: file.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}  # noqa: S608

    def status(self, payment_id: str) -> str:
        answer = self.tpp.call("GET", f"{PAYMENTS}/{payment_id}", self.tpp.own_token())
        assert answer.status == 200, answer.content
        return str(answer.json["Data"]["Status"])


@pytest.fixture(params=["albion"])
def here(request: pytest.FixtureRequest, folder: Path, tmp_path: Path) -> Iterator[Counter]:
    clock = Clock()
    app = make_bank(folder, tmp_path / "bank.sqlite3", clock=clock, sleep=lambda _: None)
    yield Counter(app, folder, clock, request.param)
    inside(app).store.close()


at_both_versions = pytest.mark.parametrize("here", ["albion", "caledonia"], indirect=True)


def code_of(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json["Errors"][0]["ErrorCode"].removeprefix("UK.OBIE.")


# ------------------------------------------------------------------------------------------------------- as they should


@pytest.mark.parametrize("here", BRANDS, indirect=True)
def test_a_payment_is_submitted_once_and_settles(here: Counter) -> None:
    body = here.body()
    consent_id, token = here.authorised(body)
    made = here.post(PAYMENTS, token, here.submission(body, consent_id))
    assert made.status == 201, made.content
    payment_id = made.json["Data"]["DomesticPaymentId"]
    here.clock.tick(seconds=2)
    assert here.status(payment_id) in ("ACSC", "AcceptedSettlementCompleted")
    assert here.rows() == {"consent": 1, "payment": 1, "movement": 1, "idempotency": 2}
    again = here.post(PAYMENTS, token, here.submission(body, consent_id))
    assert code_of(again)[0] == 400
    assert here.rows()["payment"] == 1


@pytest.mark.shared
@at_both_versions
def test_requests_and_answers_are_as_the_official_file_says(here: Counter) -> None:
    judge = judge_of({"4.0": "v4.0", "3.1": "v3.1.11"}[here.tpp.version], "payment-initiation")
    body = here.body()
    body["Data"]["ReadRefundAccount"] = "Yes"
    answer = here.post(CONSENTS, here.tpp.own_token(), body)
    judge.validate_response(posted(CONSENTS, json.dumps(body).encode()), _as_answered(answer))
    consent_id, token = here.authorised(body)
    for path in (f"{CONSENTS}/{consent_id}",):
        judge.validate_response(asked("get", path), _as_answered(here.tpp.call("GET", path, here.tpp.own_token())))
    funds = f"{CONSENTS}/{consent_id}/funds-confirmation"
    judge.validate_response(asked("get", funds), _as_answered(here.tpp.call("GET", funds, token)))
    submission = here.submission(body, consent_id)
    made = here.post(PAYMENTS, token, submission)
    judge.validate_response(posted(PAYMENTS, json.dumps(submission).encode()), _as_answered(made))
    assert made.json["Data"]["Refund"]["Account"]["Name"] == "Camille Laurent"
    here.clock.tick(seconds=2)
    payment = f"{PAYMENTS}/{made.json['Data']['DomesticPaymentId']}"
    for path in (payment, f"{payment}/payment-details"):
        judge.validate_response(asked("get", path), _as_answered(here.tpp.call("GET", path, here.tpp.own_token())))


def _as_answered(answer: Answer) -> MockResponse:
    return MockResponse(answer.content, status_code=answer.status, headers=dict(answer.headers))


@pytest.mark.parametrize("here", BRANDS, indirect=True)
def test_every_answer_is_signed_but_where_the_brand_does_not(here: Counter) -> None:
    answer = here.post(CONSENTS, here.tpp.own_token(), here.body())
    assert here.tpp.is_signed(answer) is (here.brand != "humber")


# ---------------------------------------------------------------------------------------------------------- idempotency


@at_both_versions
def test_the_same_key_and_bytes_are_one_payment_for_a_day(here: Counter) -> None:
    body = here.body()
    consent_id, token = here.authorised(body)
    submission = here.submission(body, consent_id)
    first, again = (here.post(PAYMENTS, token, submission, key="the-key") for _ in range(2))
    assert (first.status, again.status) == (201, 201)
    assert first.json["Data"]["DomesticPaymentId"] == again.json["Data"]["DomesticPaymentId"]
    assert here.rows()["payment"] == 1


def test_another_body_under_the_key_does_nothing(here: Counter) -> None:
    token = here.tpp.own_token()
    assert here.post(CONSENTS, token, here.body(), key="the-key").status == 201
    before = here.rows()
    assert code_of(here.post(CONSENTS, token, here.body("9.00"), key="the-key")) == (400, "U006")
    assert here.rows() == before


@pytest.mark.parametrize("key", ["k" * 41, " key", "key "])
def test_a_key_that_no_key_may_be(here: Counter, key: str) -> None:
    assert code_of(here.post(CONSENTS, here.tpp.own_token(), here.body(), key=key)) in ((400, "U006"), (400, "U007"))
    assert here.rows()["consent"] == 0


def test_without_a_key_and_with_one_on_a_question(here: Counter) -> None:
    token = here.tpp.own_token()
    assert code_of(here.tpp.call("POST", CONSENTS, token, here.body())) == (400, "U007")
    consent_id = here.tpp.consent()
    assert code_of(here.tpp.call("GET", f"{CONSENTS}/{consent_id}", token, key="k")) == (400, "U006")


# ---------------------------------------------------------------------------------------------------- deliberate faults


def changed(body: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    made = copy.deepcopy(dict(body))
    *way, last = path.split(".")
    there: Any = made
    for name in way:
        there = there[name]
    if value is None:
        del there[last]
    else:
        there[last] = value
    return made


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("Data.Initiation.EndToEndIdentification", "e" * 36, "U002"),
        ("Data.Initiation.InstructionIdentification", "", "U002"),
        ("Data.Initiation.InstructedAmount.Amount", "0.00", "U002"),
        ("Data.Initiation.InstructedAmount.Amount", "1.005", "U002"),
        ("Data.Initiation.InstructedAmount.Amount", 12, "U002"),
        ("Data.Initiation.InstructedAmount.Currency", "EUR", "U002"),
        ("Data.Initiation.CreditorAccount.Identification", "GB29NWBK60161331926819", "U002"),
        ("Data.Initiation.CreditorAccount.Name", None, "U004"),
        ("Data.Initiation.CreditorAccount", None, "U004"),
        ("Data.Initiation.RemittanceInformation", {"Reference": "of 3.1"}, "U005"),
        ("Data.Initiation.Unknown", "x", "U005"),
        ("Data.Unknown", "x", "U005"),
        ("Risk", None, "U004"),
        ("Risk.ContractPresentInidicator", True, "U005"),
        ("More", {}, "U005"),
    ],
)
def test_a_consent_that_is_not_as_it_should_be(here: Counter, path: str, value: Any, code: str) -> None:
    refused = here.post(CONSENTS, here.tpp.own_token(), changed(here.body(), path, value))
    assert code_of(refused) == (400, code)
    assert here.rows()["consent"] == 0


@at_both_versions
@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("Data.Initiation.InstructedAmount.Amount", "123.51"),
        ("Data.Initiation.CreditorAccount.Identification", "08080021325699"),
        ("Data.Initiation.EndToEndIdentification", "another"),
        ("Risk.PaymentContextCode", "Other"),
    ],
)
def test_a_payment_other_than_its_consent(here: Counter, path: str, value: str) -> None:
    body = here.body()
    consent_id, token = here.authorised(body)
    refused = here.post(PAYMENTS, token, changed(here.submission(body, consent_id), path, value))
    assert code_of(refused) in ((400, "U008"), (400, "Resource.ConsentMismatch"))
    assert here.rows()["payment"] == 0


def test_nothing_is_submitted_that_nobody_approved_or_with_the_wrong_token(here: Counter) -> None:
    body = here.body()
    consent_id, token = here.authorised(body)
    other = here.tpp.consent(body)
    assert here.post(PAYMENTS, token, here.submission(body, other)).status == 403
    assert here.post(PAYMENTS, here.tpp.own_token(), here.submission(body, consent_id)).status == 403
    assert here.rows()["payment"] == 0


def test_an_approval_ends_with_its_token_and_a_consent_by_itself(here: Counter) -> None:
    body = here.body()
    consent_id, token = here.authorised(body)
    waiting = here.tpp.consent()
    here.clock.tick(minutes=16)
    assert here.post(PAYMENTS, token, here.submission(body, consent_id)).status == 401
    told = here.tpp.call("GET", f"{CONSENTS}/{waiting}", here.tpp.own_token())
    assert told.json["Data"]["Status"] == "RJCT"
    assert here.rows()["payment"] == 0


def test_what_is_unknown_is_400_and_anothers_403(here: Counter) -> None:
    token = here.tpp.own_token()
    assert code_of(here.tpp.call("GET", f"{CONSENTS}/nothing", token)) == (400, "U011")
    assert code_of(here.tpp.call("GET", f"{PAYMENTS}/nothing", token)) == (400, "U011")
    consent_id = here.tpp.consent()
    other = other_at(here.app, here.folder, "albion", clock=here.clock)
    assert other.call("GET", f"{CONSENTS}/{consent_id}", other.own_token()).status == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Accept": "text/html"}, 406),
        ({"x-fapi-interaction-id": "not-a-uuid"}, 400),
        ({"x-fapi-auth-date": "yesterday"}, 400),
        ({"x-jws-signature": None}, 400),
        ({"x-jws-signature": "a..b"}, 400),
    ],
)
def test_headers_that_are_not_as_they_should_be(here: Counter, headers: dict[str, str | None], status: int) -> None:
    answer = here.post(CONSENTS, here.tpp.own_token(), here.body(), **headers)
    assert answer.status == status, answer.content
    assert here.rows()["consent"] == 0


def test_bytes_that_were_not_signed(here: Counter) -> None:
    body = json.dumps(here.body()).encode()
    forged = {"x-jws-signature": here.tpp.sign(body)}
    answer = here.tpp.call("POST", CONSENTS, here.tpp.own_token(), body + b" ", key="k", headers=forged)
    assert code_of(answer) == (400, "U015")
    assert here.rows()["consent"] == 0


def test_the_interaction_id_is_played_back_also_with_a_no(here: Counter) -> None:
    mine = "1b8ea36a-2b93-4e0e-9e0b-6a1a6a2f8a11"
    answer = here.tpp.call("GET", f"{CONSENTS}/nothing", here.tpp.own_token(), headers={"x-fapi-interaction-id": mine})
    assert answer.headers["x-fapi-interaction-id"] == mine


# -------------------------------------------------------------------------------------------------------- magic amounts


@pytest.mark.parametrize(
    ("amount", "status", "payments"), [("999.16", 500, 1), ("999.20", 400, 0), ("999.21", 500, 0), ("999.18", 201, 1)]
)
def test_what_a_submission_may_come_to(here: Counter, amount: str, status: int, payments: int) -> None:
    body = here.body(amount)
    consent_id, token = here.authorised(body)
    submission = here.submission(body, consent_id)
    assert here.post(PAYMENTS, token, submission, key="the-key").status == status
    assert here.rows()["payment"] == payments
    if status == 500:  # the same bytes again: done, or told
        again = here.post(PAYMENTS, token, submission, key="the-key")
        assert again.status == 201
        assert here.rows()["payment"] == 1


def test_an_answer_that_is_wrongly_signed_once(here: Counter) -> None:
    body = here.body("999.19")
    consent_id, token = here.authorised(body)
    submission = here.submission(body, consent_id)
    with pytest.raises(Exception, match="bad_signature"):
        here.tpp.is_signed(here.post(PAYMENTS, token, submission, key="the-key"))
    assert here.tpp.is_signed(here.post(PAYMENTS, token, submission, key="the-key"))


def test_the_books_say_what_was_booked_and_to_nobody_without_the_token(here: Counter) -> None:
    body = here.body("999.13")
    consent_id, token = here.authorised(body)
    assert here.post(PAYMENTS, token, here.submission(body, consent_id)).status == 201
    client = here.app.test_client()
    assert client.get("/sandbox/ledger").status_code == 401
    here.clock.tick(seconds=10)
    said = client.get("/sandbox/ledger?end_to_end_id=Q-INV-1", headers={"Authorization": "Bearer ledger"}).json
    assert [entry["kind"] for entry in (said or {})["entries"]] == ["reversal", "debit"]
    assert {entry["amount"] for entry in (said or {})["entries"]} == {"999.13"}
