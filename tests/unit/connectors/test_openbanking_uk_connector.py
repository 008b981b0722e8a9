"""The UK connector in front of a bank that says and signs what a test tells it to: who asks, with what, how often; and
what of an answer is believed.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from werkzeug.wrappers import Response

from connectors.capabilities import (
    ChecksFunds,
    Notifies,
    RecurringConsent,
    RecurringKind,
    Recurs,
    Schedules,
    TellsDetails,
)
from connectors.contract import BankRequest, Cancels, Connector, ConsentStatus, Fact, PaymentOrder, Submits
from connectors.errors import BankRefused, BankSilent, BankUnavailable, EventNotBelieved
from connectors.money import Money
from connectors.openbanking_uk.events import RID, RLK, RTY, SUBJECT_TYPE, UPDATED
from connectors.openbanking_uk.orders import RECURRING, SCHEDULED, SINGLE, Resource
from tests.support.openbanking_uk import consent, order
from tests.unit.connectors.uk_bank import (
    BANK_EC_KEY,
    BANK_KEY,
    BASE,
    ISSUER,
    KEY,
    NOW,
    OURS,
    PSU,
    TOMORROW,
    UkBank,
    said_no,
    told,
)


@pytest.fixture
def bank() -> UkBank:
    return UkBank()


def paid(resource: Resource, status: str = "RCVD", **more: Any) -> dict[str, Any]:
    return {resource.payment_id: "p-1", "ConsentId": "c-1", "Status": status, **more}


def drafts(bank: UkBank) -> dict[Resource, tuple[BankRequest, BankRequest, Any]]:
    """For each kind of payment: the consent, a payment under it, and who has the verbs."""
    one = bank.connector
    return {
        SINGLE: (
            one.draft(order(), request_id=KEY, redirect_uri="https://q.example/r"),
            one.draft_submission(order(), consent_id="c-1", request_id=KEY),
            one,
        ),
        SCHEDULED: (
            one.scheduled.draft(order(), execute_on=TOMORROW, request_id=KEY),
            one.scheduled.draft_submission(order(), execute_on=TOMORROW, consent_id="c-1", request_id=KEY),
            one.scheduled,
        ),
        RECURRING: (
            one.recurring.draft(consent(), request_id=KEY),
            one.recurring.draft_payment(order(), consent=consent(), consent_id="c-1", request_id=KEY),
            one.recurring,
        ),
    }


def test_having_the_methods_says_what_it_can(bank: UkBank) -> None:
    for capability in (Connector, Submits, ChecksFunds, TellsDetails, Schedules, Recurs, Notifies):
        assert isinstance(bank.connector, capability), capability
    assert isinstance(bank.connector.scheduled, TellsDetails)
    assert isinstance(bank.connector.recurring, TellsDetails)
    # and with the right types, which only mypy sees
    can: tuple[Submits, ChecksFunds, TellsDetails, Schedules, Recurs, Notifies] = (bank.connector,) * 6
    assert len(can) == 6


def test_it_takes_nothing_back(bank: UkBank) -> None:
    assert not isinstance(bank.connector, Cancels)


def other_amount(part: dict[str, Any], name: str) -> None:
    part[name] = {**part[name], "Amount": "1.00"}


def other_currency(part: dict[str, Any], name: str) -> None:
    part[name] = {**part[name], "Currency": "EUR"}


def no_amount(part: dict[str, Any], name: str) -> None:
    part[name] = {**part[name], "Amount": "much"}


def other_payee(part: dict[str, Any], _: str) -> None:
    part["CreditorAccount"] = {**part["CreditorAccount"], "Identification": "20201599999999"}


@pytest.mark.parametrize("changed", [other_amount, other_currency, no_amount, other_payee])
@pytest.mark.parametrize("resource", [SINGLE, SCHEDULED, RECURRING], ids=lambda one: one.payment_id)
def test_a_bank_that_holds_something_else_than_it_was_given_is_not_believed(
    bank: UkBank, resource: Resource, changed: Callable[[dict[str, Any], str], None]
) -> None:
    """Of a recurring consent it is told instead: test_openbanking_uk_recurring.py has that."""
    consent_request, payment_request, verbs = drafts(bank)[resource]
    if resource is not RECURRING:
        held = {"ConsentId": "c-1", "Status": "AWAU", **json.loads(consent_request.body)["Data"]}
        changed(held["Initiation"], "InstructedAmount")
        bank.gives(f"POST {resource.consents}", told(held, 201))
        with pytest.raises(BankSilent, match=r"another|is missing"):
            verbs.initiate(consent_request, psu=PSU, timeout_s=5)
    done = {**json.loads(payment_request.body)["Data"], **paid(resource)}
    changed(done["Instruction" if resource is RECURRING else "Initiation"], "InstructedAmount")
    bank.gives(f"POST {resource.payments}", told(done, 201))
    with pytest.raises(BankSilent, match=r"another|is missing"):
        verbs.submit(payment_request, access_token="customers", psu=PSU, timeout_s=5)


@pytest.mark.parametrize("resource", [SINGLE, SCHEDULED, RECURRING], ids=lambda one: one.payment_id)
def test_the_same_written_otherwise_is_the_same(bank: UkBank, resource: Resource) -> None:
    _, request, verbs = drafts(bank)[resource]
    done = {**json.loads(request.body)["Data"], **paid(resource)}
    part = done["Instruction" if resource is RECURRING else "Initiation"]
    part["InstructedAmount"]["Amount"] += "00"
    part["CreditorAccount"] = {"SchemeName": "UK.OBIE.IBAN", "Identification": "GB33BUKB20201555555555"}
    bank.gives(f"POST {resource.payments}", told(done, 201))
    assert verbs.submit(request, access_token="customers", psu=PSU, timeout_s=5).bank_payment_id == "p-1"


@pytest.mark.parametrize("resource", [SINGLE, SCHEDULED, RECURRING], ids=lambda one: one.payment_id)
def test_a_consent_is_ours_and_its_payment_the_customers(bank: UkBank, resource: Resource) -> None:
    first, second, verbs = drafts(bank)[resource]
    bank.gives(f"POST {resource.consents}", told({"ConsentId": "c-1", "Status": "AWAU"}, 201))
    bank.gives(f"POST {resource.payments}", told(paid(resource), 201))
    staged = verbs.initiate(first, psu=PSU, timeout_s=5)
    assert (staged.consent_id, staged.transaction_status, staged.sca.intent_id) == ("c-1", "AWAU", "c-1")
    submitted = verbs.submit(second, access_token="customers", psu=PSU, timeout_s=5)
    assert (submitted.bank_payment_id, submitted.status.fact) == ("p-1", Fact.ACCEPTED)
    assert submitted.refund_account is None
    consented, executed = bank.requests
    assert consented.headers["Authorization"] == "Bearer own-1"
    assert executed.headers["Authorization"] == "Bearer customers"
    for request, draft in ((consented, first), (executed, second)):
        assert request.get_data() == draft.body
        assert request.headers["x-idempotency-key"] == draft.request_id == KEY
        assert request.headers["x-fapi-customer-ip-address"] == PSU.ip_address
        OURS.verify(request.headers["x-jws-signature"], request.get_data(), now=NOW)


@pytest.mark.parametrize("resource", [SINGLE, SCHEDULED, RECURRING], ids=lambda one: one.payment_id)
def test_the_same_bytes_go_out_each_time(bank: UkBank, resource: Resource) -> None:
    _, second, verbs = drafts(bank)[resource]
    bank.gives(f"POST {resource.payments}", Response(status=500), told(paid(resource), 201))
    with pytest.raises(BankSilent):
        verbs.submit(second, access_token="customers", psu=PSU, timeout_s=5)
    verbs.submit(second, access_token="customers", psu=PSU, timeout_s=5)
    one, two = bank.requests
    assert one.get_data() == two.get_data()
    assert one.headers["x-idempotency-key"] == two.headers["x-idempotency-key"]


@pytest.mark.parametrize("resource", [SINGLE, SCHEDULED, RECURRING], ids=lambda one: one.payment_id)
def test_a_status_is_asked_as_ourselves_and_told_as_it_is(bank: UkBank, resource: Resource) -> None:
    verbs = drafts(bank)[resource][2]
    words = ("ACSP", "ACSC", "RJCT", "BLCK", "strange")
    bank.gives(f"GET {resource.payments}/p-1", *(told(paid(resource, word)) for word in words))
    facts = [verbs.status("p-1", access_token="customers", timeout_s=5).fact for _ in words]
    assert facts == [Fact.ACCEPTED, Fact.DEBITED, Fact.REJECTED, Fact.UNKNOWN, Fact.UNKNOWN]
    assert {request.headers["Authorization"] for request in bank.requests} == {"Bearer own-1"}
    for name in ("x-idempotency-key", "x-jws-signature"):
        assert all(name not in request.headers for request in bank.requests)


@pytest.mark.parametrize("resource", [SINGLE, SCHEDULED, RECURRING], ids=lambda one: one.payment_id)
@pytest.mark.parametrize("code", ["U011", "UK.OBIE.Resource.NotFound"])
def test_what_the_bank_does_not_know(bank: UkBank, resource: Resource, code: str) -> None:
    verbs = drafts(bank)[resource][2]
    bank.gives(f"GET {resource.payments}/p-1", said_no(code))
    bank.gives(f"GET {resource.payments}/p-1/payment-details", said_no(code))
    bank.gives(f"GET {resource.consents}/c-1", said_no(code))
    assert verbs.status("p-1", access_token=None, timeout_s=5).fact is Fact.NOT_FOUND
    assert verbs.consent_status("c-1", timeout_s=5) is ConsentStatus.NOT_FOUND
    assert verbs.details("p-1", timeout_s=5) == []


@pytest.mark.parametrize("resource", [SCHEDULED, RECURRING], ids=lambda one: one.payment_id)
def test_what_the_bank_does_not_offer(bank: UkBank, resource: Resource) -> None:
    first, _, verbs = drafts(bank)[resource]
    bank.gives(f"POST {resource.consents}", Response(status=404))
    with pytest.raises(BankRefused) as caught:
        verbs.initiate(first, psu=PSU, timeout_s=5)
    assert caught.value.http_status == 404


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("AWAU", ConsentStatus.WAITING),
        ("AUTH", ConsentStatus.AUTHORISED),
        ("COND", ConsentStatus.CONSUMED),
        ("RJCT", ConsentStatus.REJECTED),
        ("CANC", ConsentStatus.CANCELLED),
        ("EXPD", ConsentStatus.EXPIRED),
        ("Authorised", ConsentStatus.AUTHORISED),
        ("strange", ConsentStatus.UNKNOWN),
    ],
)
def test_a_consents_word(bank: UkBank, word: str, status: ConsentStatus) -> None:
    bank.gives("GET /domestic-vrp-consents/c-1", told({"ConsentId": "c-1", "Status": word}))
    assert bank.connector.recurring.consent_status("c-1", timeout_s=5) is status


def test_an_answer_about_another_resource_is_none(bank: UkBank) -> None:
    bank.gives("GET /domestic-payments/p-2", told(paid(SINGLE, "ACSC")))
    bank.gives("GET /domestic-payment-consents/c-2", told({"ConsentId": "c-1", "Status": "AUTH"}))
    with pytest.raises(BankSilent, match="something else"):
        bank.connector.status("p-2", access_token=None, timeout_s=5)
    with pytest.raises(BankSilent, match="something else"):
        bank.connector.consent_status("c-2", timeout_s=5)


@pytest.mark.parametrize("resource", [SINGLE, SCHEDULED, RECURRING], ids=lambda one: one.payment_id)
def test_a_payment_of_another_consent_is_not_ours(bank: UkBank, resource: Resource) -> None:
    """Two answers that were mixed up on their way: a stranger's execution would be told as ours."""
    _, second, verbs = drafts(bank)[resource]
    bank.gives(f"POST {resource.payments}", told({**paid(resource, "ACSC"), "ConsentId": "c-2"}, 201))
    with pytest.raises(BankSilent, match="something else"):
        verbs.submit(second, access_token="customers", psu=PSU, timeout_s=5)


@pytest.mark.parametrize("resource", [SINGLE, SCHEDULED, RECURRING], ids=lambda one: one.payment_id)
def test_an_answer_that_is_not_signed_is_none(bank: UkBank, resource: Resource) -> None:
    first, second, verbs = drafts(bank)[resource]
    bank.signs = False
    bank.gives(f"POST {resource.consents}", told({"ConsentId": "c-1", "Status": "AWAU"}, 201))
    bank.gives(f"POST {resource.payments}", told(paid(resource, "ACSC"), 201))
    bank.gives(f"GET {resource.payments}/p-1", told(paid(resource, "ACSC")))
    with pytest.raises(BankSilent, match="not signed"):
        verbs.initiate(first, psu=PSU, timeout_s=5)
    with pytest.raises(BankSilent, match="not signed"):
        verbs.submit(second, access_token="customers", psu=PSU, timeout_s=5)
    with pytest.raises(BankSilent, match="not signed"):
        verbs.status("p-1", access_token=None, timeout_s=5)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"Data":{"ConsentId":"c-1"}}'])
@pytest.mark.parametrize("resource", [SINGLE, SCHEDULED, RECURRING], ids=lambda one: one.payment_id)
def test_an_answer_that_cannot_be_read_is_silence(bank: UkBank, resource: Resource, body: bytes) -> None:
    first, second, verbs = drafts(bank)[resource]
    for path in (resource.consents, resource.payments):
        bank.gives(f"POST {path}", Response(body, status=201))
    with pytest.raises(BankSilent, match="cannot be read"):
        verbs.initiate(first, psu=PSU, timeout_s=5)
    with pytest.raises(BankSilent, match="cannot be read"):
        verbs.submit(second, access_token="customers", psu=PSU, timeout_s=5)


@pytest.mark.parametrize("resource", [SINGLE, SCHEDULED, RECURRING], ids=lambda one: one.payment_id)
def test_a_request_goes_only_where_it_was_drafted_for(bank: UkBank, resource: Resource) -> None:
    mine = drafts(bank)
    first, second, verbs = mine[resource]
    others = [request for other, pair in mine.items() if other is not resource for request in pair[:2]]
    for wrong in (*others, second, dataclasses.replace(first, method="PUT")):
        with pytest.raises(ValueError, match="draft it"):
            verbs.initiate(wrong, psu=PSU, timeout_s=5)
    for wrong in (*others, first, dataclasses.replace(second, method="PUT")):
        with pytest.raises(ValueError, match="draft it"):
            verbs.submit(wrong, access_token="t", psu=PSU, timeout_s=5)
    assert bank.requests == []


@pytest.mark.parametrize("key", [None, "", " x", "x" * 41, "0d5d6f0f-6f0c-4d53-9a0c-6a3c7b1f5a11"])
def test_a_key_that_was_changed_sends_nothing(bank: UkBank, key: str | None) -> None:
    _, second, verbs = drafts(bank)[RECURRING]
    headers = {name: value for name, value in second.headers.items() if name != "x-idempotency-key"}
    wrong = dataclasses.replace(second, headers=headers if key is None else {**headers, "x-idempotency-key": key})
    with pytest.raises(ValueError, match=r"idempotency.key"):
        verbs.submit(wrong, access_token="t", psu=PSU, timeout_s=5)
    assert bank.requests == []


def test_a_token_that_the_bank_forgot_is_asked_for_again(bank: UkBank) -> None:
    first, _, verbs = drafts(bank)[RECURRING]
    bank.gives("POST /domestic-vrp-consents", Response(status=401), told({"ConsentId": "c-1", "Status": "AWAU"}, 201))
    verbs.initiate(first, psu=PSU, timeout_s=5)
    assert [request.headers["Authorization"] for request in bank.requests] == ["Bearer own-1", "Bearer own-2"]


def test_a_customers_token_that_the_bank_forgot_is_not_replaced(bank: UkBank) -> None:
    _, second, verbs = drafts(bank)[RECURRING]
    bank.gives("POST /domestic-vrps", said_no("U000", 401))
    with pytest.raises(BankRefused) as caught:
        verbs.submit(second, access_token="customers", psu=PSU, timeout_s=5)
    assert caught.value.http_status == 401
    assert len(bank.requests) == 1


def test_beyond_the_limits_is_refused_with_the_banks_word(bank: UkBank) -> None:
    _, second, verbs = drafts(bank)[RECURRING]
    bank.gives("POST /domestic-vrps", said_no("U014"))
    with pytest.raises(BankRefused) as caught:
        verbs.submit(second, access_token="customers", psu=PSU, timeout_s=5)
    assert caught.value.code == "U014"


@pytest.mark.parametrize("said", [True, False, None])
def test_funds_of_a_single_payment(bank: UkBank, said: bool | None) -> None:
    result = {} if said is None else {"FundsAvailableResult": {"FundsAvailable": said}}
    bank.gives("GET /domestic-payment-consents/c-1/funds-confirmation", told(result))
    funds = bank.connector.funds("c-1", access_token="customers", timeout_s=5)
    assert funds.available is said
    assert bank.requests[0].headers["Authorization"] == "Bearer customers"


def test_funds_of_a_consent_that_the_bank_does_not_know(bank: UkBank) -> None:
    bank.gives("GET /domestic-payment-consents/c-1/funds-confirmation", said_no("U011"))
    with pytest.raises(BankRefused) as caught:
        bank.connector.funds("c-1", access_token="customers", timeout_s=5)
    assert caught.value.code == "U011"


@pytest.mark.parametrize(("said", "read"), [("Available", True), ("NotAvailable", False), ("Perhaps", None)])
def test_funds_of_recurring_payments(bank: UkBank, said: str, read: bool | None) -> None:
    path = "/domestic-vrp-consents/c-1/funds-confirmation"
    bank.gives(f"POST {path}", told({"FundsAvailableResult": {"FundsAvailable": said}}, 201))
    amount = Money(8420, "GBP")
    funds = bank.connector.recurring.funds("c-1", amount, access_token="customers", psu=PSU, timeout_s=5)
    assert funds.available is read
    (request,) = bank.requests
    assert request.headers["Authorization"] == "Bearer customers"
    assert "x-idempotency-key" not in request.headers
    OURS.verify(request.headers["x-jws-signature"], request.get_data(), now=NOW)
    assert json.loads(request.get_data())["Data"]["InstructedAmount"] == {"Amount": "84.20", "Currency": "GBP"}


def test_a_consent_is_taken_back(bank: UkBank) -> None:
    gone = Response(status=204)
    bank.gives("DELETE /domestic-vrp-consents/c-1", gone, said_no("U011"), said_no("U009"))
    bank.connector.recurring.revoke("c-1", timeout_s=5)
    bank.connector.recurring.revoke("c-1", timeout_s=5)  # gone already is gone
    with pytest.raises(BankRefused):
        bank.connector.recurring.revoke("c-1", timeout_s=5)
    assert bank.requests[0].headers["Authorization"] == "Bearer own-1"


def test_an_id_leads_nowhere_else(bank: UkBank) -> None:
    bank.gives("DELETE /domestic-vrp-consents/../domestic-payments", said_no("U011"))
    bank.connector.recurring.revoke("../domestic-payments", timeout_s=5)
    assert str(bank.adapter.sent[-1].url).endswith("/domestic-vrp-consents/..%2Fdomestic-payments")


def test_a_refund_account_comes_back_with_the_payment(bank: UkBank) -> None:
    account = {"SchemeName": "UK.OBIE.SortCodeAccountNumber", "Identification": "11280001234567", "Name": "A Payer"}
    bank.gives("POST /domestic-payments", told(paid(SINGLE, Refund={"Account": account}), 201))
    asked = dataclasses.replace(order(), refund_account=True)
    draft = bank.connector.draft_submission(asked, consent_id="c-1", request_id=KEY)
    submitted = bank.connector.submit(draft, access_token="customers", psu=PSU, timeout_s=5)
    assert submitted.refund_account is not None
    assert submitted.refund_account.identification == "11280001234567"
    assert "11280001234567" not in repr(submitted.refund_account)


@pytest.mark.parametrize("missing", ["SchemeName", "Identification", "Name"])
def test_half_a_refund_account_is_none_and_no_error(bank: UkBank, missing: str) -> None:
    account = {"SchemeName": "s", "Identification": "i", "Name": "n"}
    del account[missing]
    bank.gives("POST /domestic-payments", told(paid(SINGLE, "ACSC", Refund={"Account": account}), 201))
    draft = bank.connector.draft_submission(order(), consent_id="c-1", request_id=KEY)
    submitted = bank.connector.submit(draft, access_token="customers", psu=PSU, timeout_s=5)
    assert submitted.refund_account is None
    assert submitted.status.fact is Fact.DEBITED


def test_a_payment_that_comes_back_rejected_is_an_answer(bank: UkBank) -> None:
    reasons = [{"StatusReasonCode": "AM04", "StatusReasonDescription": "not enough"}]
    bank.gives("POST /domestic-payments", told(paid(SINGLE, "RJCT", StatusReason=reasons), 201))
    draft = bank.connector.draft_submission(order(), consent_id="c-1", request_id=KEY)
    status = bank.connector.submit(draft, access_token="customers", psu=PSU, timeout_s=5).status
    assert (status.fact, status.reason_code, status.reason_text) == (Fact.REJECTED, "AM04", "not enough")


@pytest.mark.parametrize("days", [0, -1, -400])
def test_a_scheduled_payment_is_for_a_later_day(bank: UkBank, days: int) -> None:
    day = NOW.date() + dt.timedelta(days=days)
    with pytest.raises(ValueError, match="not in the future"):
        bank.connector.scheduled.draft(order(), execute_on=day, request_id=KEY)


@pytest.mark.parametrize("request_id", ["", "pay-1", "x" * 41])
def test_a_request_id_is_a_uuid(bank: UkBank, request_id: str) -> None:
    made: PaymentOrder = order()
    wanted: RecurringConsent = consent()
    with pytest.raises(ValueError, match="UUID"):
        bank.connector.draft(made, request_id=request_id, redirect_uri="https://q.example/r")
    with pytest.raises(ValueError, match="UUID"):
        bank.connector.recurring.draft(wanted, request_id=request_id)


# ------------------------------------------------------------------------------------------------------- subscriptions


@pytest.mark.parametrize(
    ("kinds", "more"),
    [
        ([], []),
        ([RecurringKind.OTHER], ["urn:uk:org:openbanking:events:domestic-vrp-consent-linked-account-update"]),
    ],
    ids=["no recurring payments", "recurring payments"],
)
def test_events_are_asked_for_beside_the_payments_api(kinds: list[RecurringKind], more: list[str]) -> None:
    bank = UkBank(kinds=kinds)
    place = "/open-banking/v4.0/event-subscriptions"
    bank.gives(f"POST {place}", told({"EventSubscriptionId": "s-1", "CallbackUrl": "https://q.example/e"}, 201))
    bank.gives(f"GET {place}", told({"EventSubscription": [{"EventSubscriptionId": "s-1"}]}), said_no("U011"))
    bank.gives(f"PUT {place}/s-1", told({"EventSubscriptionId": "s-1", "CallbackUrl": "https://q.example/n"}))
    bank.gives(f"DELETE {place}/s-1", Response(status=204))
    made = bank.connector.subscribe("https://q.example/e", timeout_s=5)
    assert (made.subscription_id, made.callback_url) == ("s-1", "https://q.example/e")
    assert [(one.subscription_id, one.callback_url) for one in bank.connector.subscriptions(timeout_s=5)] == [
        ("s-1", None)
    ]
    assert bank.connector.subscriptions(timeout_s=5) == []
    changed = bank.connector.change_subscription("s-1", "https://q.example/n", timeout_s=5)
    assert (changed.subscription_id, changed.callback_url) == ("s-1", "https://q.example/n")
    bank.connector.unsubscribe("s-1", timeout_s=5)
    posted, put = (one for one in bank.requests if one.method in ("POST", "PUT"))
    wanted = {
        "Version": "4.0",
        "EventTypes": [
            "urn:uk:org:openbanking:events:resource-update",
            "urn:uk:org:openbanking:events:consent-authorization-revoked",
            *more,
        ],
    }
    for sent in (posted, put):
        OURS.verify(sent.headers["x-jws-signature"], sent.get_data(), now=NOW)
        for name in ("x-idempotency-key", "x-fapi-customer-ip-address"):  # nobody is there
            assert name not in sent.headers
    assert json.loads(posted.get_data())["Data"] == {"CallbackUrl": "https://q.example/e", **wanted}
    assert json.loads(put.get_data())["Data"] == {
        "EventSubscriptionId": "s-1",
        "CallbackUrl": "https://q.example/n",
        **wanted,
    }


@pytest.mark.parametrize("url", ["http://q.example/e", "ftp://q.example", "q.example", "https://me@q.example/"])
def test_events_come_to_an_https_address(bank: UkBank, url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        bank.connector.subscribe(url, timeout_s=5)
    with pytest.raises(ValueError, match="https"):
        bank.connector.change_subscription("s-1", url, timeout_s=5)
    assert bank.requests == []


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000"])
def test_only_to_this_machine_they_may_come_without_tls(bank: UkBank, host: str) -> None:
    url = f"http://{host}/banks/albion/events"
    bank.gives("POST /open-banking/v4.0/event-subscriptions", told({"EventSubscriptionId": "s-1"}, 201))
    assert bank.connector.subscribe(url, timeout_s=5).subscription_id == "s-1"


def test_a_subscription_without_an_id_is_none(bank: UkBank) -> None:
    place = "/open-banking/v4.0/event-subscriptions"
    bank.gives(f"POST {place}", told({}, 201))
    bank.gives(f"GET {place}", told({"EventSubscription": [{}]}))
    with pytest.raises(BankSilent):
        bank.connector.subscribe("https://q.example/e", timeout_s=5)
    with pytest.raises(BankSilent):
        bank.connector.subscriptions(timeout_s=5)


# ------------------------------------------------------------------------------------------------------------- events


def event(kid: str = "bank-1", *, host: str = "api.bank.test", **changes: Any) -> bytes:
    key: RSAKey | ECKey = BANK_EC_KEY if kid == "bank-2" else BANK_KEY
    algorithm = "ES256" if kid == "bank-2" else "PS256"
    subject = {
        "subject_type": SUBJECT_TYPE,
        RID: "p-1",
        RTY: "domestic-payment",
        RLK: [{"version": "v4.0", "link": f"https://{host}{BASE}/domestic-payments/p-1"}],
    }
    claims = {
        "iss": ISSUER,
        "aud": "quittance",
        "iat": int(NOW.timestamp()),
        "toe": int(NOW.timestamp()),
        "jti": "e-1",
        "txn": "t-1",
        "events": {UPDATED: {"subject": subject}},
        **changes,
    }
    return jwt.encode({"alg": algorithm, "kid": kid}, claims, key, algorithms=[algorithm]).encode()


@pytest.mark.parametrize("kid", ["bank-1", "bank-2"])
def test_an_event_is_signed_with_a_key_that_the_bank_publishes(bank: UkBank, kid: str) -> None:
    for _ in range(3):
        assert bank.connector.verify_event(event(kid)).resource_id == "p-1"
    assert bank.asked_for_keys == 1


@pytest.mark.parametrize(
    ("raw", "named", "code"),
    [
        (event(aud="another"), "aud", "invalid_audience"),
        (event(iss="https://another.test"), "iss", "invalid_issuer"),
        (event("unknown"), "no such key", "invalid_key"),
        (event()[:-8] + b"AAAAAAAA", "signature", "authentication_failed"),
        (event(host="evil.test"), "rlk", "invalid_request"),
        (b"rubbish", "JWS", "invalid_request"),
    ],
    ids=["for another", "of another", "key", "signature", "link", "rubbish"],
)
def test_an_event_that_is_none_is_not_believed(bank: UkBank, raw: bytes, named: str, code: str) -> None:
    with pytest.raises(EventNotBelieved, match=named) as refused:
        bank.connector.verify_event(raw)
    assert refused.value.code == code


def test_links_may_lead_where_the_bank_is_said_to_be() -> None:
    bank = UkBank(origins=frozenset({"cdn.bank.test"}))
    assert bank.connector.verify_event(event(host="cdn.bank.test")).resource_id == "p-1"
    with pytest.raises(EventNotBelieved, match="rlk"):
        bank.connector.verify_event(event())


def test_whoever_names_unknown_keys_makes_nobody_ask_more_often(bank: UkBank) -> None:
    for number in range(5):
        with pytest.raises(EventNotBelieved):
            bank.connector.verify_event(event(f"unknown-{number}"))
    assert bank.asked_for_keys == 1


def test_an_event_that_cannot_be_checked_now_will_come_again(bank: UkBank) -> None:
    bank.published = []
    for _ in range(3):  # whoever sends many makes nobody ask for the keys each time
        with pytest.raises(BankUnavailable):
            bank.connector.verify_event(event())
    assert bank.asked_for_keys == 1
