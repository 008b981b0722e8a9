"""A judge of connectors must not be laxer than the standard: what the UK sandbox banks take, the official files take.

Each member of a good body is taken away, or turned into each of some odd values; the transport asks the official file
about every request that was answered with 201, and about every answer.
"""

from __future__ import annotations

import copy
import itertools
import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.thorough import thorough
from tests.support.uk_orders import Orders, OrdersAt, periodic, scheduled_consent_body, vrp_body, vrp_consent_body
from tests.support.uk_tpp import consent_body

pytestmark = pytest.mark.shared

BOTH = pytest.mark.parametrize("brand", ["albion", "caledonia"])
GONE = object()
ODD = [GONE, None, "", "x", "x" * 400, 7, -1.5, True, [], ["x"], {}, {"x": "y"}, "١٢", "Yes", "2026-12-24T00:00:00Z"]
RISK = {
    "4.0": {
        "PaymentContextCode": "BillingGoodsAndServicesInArrears",
        "MerchantCategoryCode": "4900",
        "MerchantCustomerIdentification": "customer 1",
        "ContractPresentIndicator": True,
        "BeneficiaryPrepopulatedIndicator": True,
        "PaymentPurposeCode": "UBIL",
        "BeneficiaryAccountType": "Business",
    },
}
RISK["3.1"] = {{"ContractPresentIndicator": "ContractPresentInidicator"}.get(n, n): v for n, v in RISK["4.0"].items()}


@pytest.fixture
def orders(orders_at: OrdersAt, brand: str) -> Orders:
    return orders_at(brand)


def full(body: dict[str, Any], version: str) -> dict[str, Any]:
    """With all that these banks know."""
    data = {**body["Data"], "ReadRefundAccount": "Yes"}
    if "InstructedAmount" in data["Initiation"]:
        data["Initiation"]["LocalInstrument"] = "UK.OBIE.FPS"
    if version == "4.0" and "RemittanceInformation" in data["Initiation"]:
        structured = [{"CreditorReferenceInformation": {"Reference": "2026-1"}}]
        data["Initiation"]["RemittanceInformation"]["Structured"] = structured
    data["Initiation"]["CreditorAccount"]["SecondaryIdentification"] = "roll 1"
    return {"Data": data, "Risk": RISK[version]}


def odd_bodies(body: dict[str, Any]) -> Iterator[tuple[list[str | int], dict[str, Any]]]:
    for way in ways(body):
        for value in ODD:
            changed = copy.deepcopy(body)
            place: Any = changed
            for step in way[:-1]:
                place = place[step]
            if value is GONE:
                del place[way[-1]]
            else:
                place[way[-1]] = value
            yield way, changed


def ways(value: Any) -> Iterator[list[str | int]]:
    """To each member, however deep, of objects and arrays."""
    steps: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        steps = list(value.items())
    elif isinstance(value, list):
        steps = list(enumerate(value))
    for step, below in steps:
        yield [step]
        yield from ([step, *way] for way in ways(below))


def tried(orders: Orders, path: str, token: str, body: dict[str, Any]) -> dict[int, int]:
    """{status: how often}. The body itself is good, and nothing is an error of the bank."""
    assert orders.post(path, token, body).status == 201
    counted: dict[int, int] = {}
    for way, odd in itertools.islice(odd_bodies(body), 0, None, thorough(7, 1)):  # prime to len(ODD): all in turn
        answer = orders.post(path, token, odd)
        counted[answer.status] = counted.get(answer.status, 0) + 1
        assert answer.status in (201, 400, 403), (way, answer.status)
        if answer.status == 400:
            assert answer.json["Errors"][0]["Message"]
    return counted


@BOTH
def test_consents(orders: Orders, brand: str) -> None:
    version = orders.tpp.version
    counted = tried(
        orders, "/domestic-payment-consents", orders.own_token, full(consent_body(version=version), version)
    )
    assert counted[400] > counted[201] > 0, brand


@BOTH
def test_scheduled_consents(orders: Orders, brand: str) -> None:
    version = orders.tpp.version
    body = full(scheduled_consent_body(version=version), version)
    counted = tried(orders, "/domestic-scheduled-payment-consents", orders.own_token, body)
    assert counted[400] > counted[201] > 0, brand


@BOTH
def test_standing_consents(orders: Orders, brand: str) -> None:
    version = orders.tpp.version
    body = full(standing(version), version)
    counted = tried(orders, "/domestic-vrp-consents", orders.own_token, body)
    assert counted[400] > counted[201] > 0, brand


@BOTH
def test_payments_under_a_standing_consent(orders: Orders, brand: str) -> None:
    """Penny after penny: the limits leave room for all of them."""
    consent = standing(orders.tpp.version)
    consent_id = orders.stage("/domestic-vrp-consents", consent)
    token = orders.approve(consent_id)
    counted = tried(orders, "/domestic-vrps", token, vrp_body(consent_id, consent, "0.01", version=orders.tpp.version))
    assert counted[400] > counted[201] > 0, brand


def standing(version: str) -> dict[str, Any]:
    return vrp_consent_body(
        version=version,
        PeriodicLimits=[periodic("Year", "Consent", "1000.00")],
        ValidFromDateTime="2026-11-01T00:00:00Z",
        ValidToDateTime="2027-11-30T00:00:00Z",
    )


@BOTH
@pytest.mark.parametrize(
    "text",
    [
        '{"Data": {}, "Data": {"Initiation": {}}, "Risk": {}}',
        '{"Data": {"Initiation": {}}, "Risk": {"x": NaN}}',
        '{"Data": {"Initiation": {"EndToEndIdentification": "\\ud800"}}, "Risk": {}}',
        '{"Data": {"Initiation": {"x": ' + "9" * 5000 + '}}, "Risk": {}}',
        "\ufeff{}",
        "",
    ],
)
def test_json_that_not_all_read_alike(orders: Orders, brand: str, text: str) -> None:
    path, key = "/domestic-payment-consents", secrets.token_hex(8)
    raw = text.encode() or b" "
    answer = orders.tpp.call("POST", path, orders.own_token, raw, key=key)
    code = json.loads(answer.content)["Errors"][0]["ErrorCode"]
    assert (answer.status, code) == (400, "U010" if brand == "albion" else "UK.OBIE.Resource.InvalidFormat")


@BOTH
@pytest.mark.parametrize("when", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_dates_at_the_ends_of_time(orders: Orders, brand: str, when: str) -> None:
    version = orders.tpp.version
    answer = orders.post(
        "/domestic-scheduled-payment-consents", orders.own_token, scheduled_consent_body(when=when, version=version)
    )
    assert answer.status == 400, brand
    body = vrp_consent_body(version=version, ValidFromDateTime=when)
    answer = orders.post("/domestic-vrp-consents", orders.own_token, body)
    assert answer.status == 201
    assert orders.approve(answer.json["Data"]["ConsentId"])
