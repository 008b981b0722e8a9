"""What becomes of a standing consent at the UK sandbox banks: approved again, renewed, its account moved; and what each
bank does in its own way. The official files judge.
"""

from __future__ import annotations

import copy
import datetime as dt
import json
from typing import Any

import pytest
from flask import Flask

from connectors.sandbox_bank.openbanking_uk.brands import BRANDS
from tests.support.sandbox_tpp import Answer, Clock
from tests.support.uk_bank import error_of, inside
from tests.support.uk_judge import Judged
from tests.support.uk_orders import LEDGER, Orders, OrdersAt, booked, code_of, periodic, vrp_body, vrp_consent_body
from tests.support.uk_tpp import BASE_URL
from tests.support.uk_wire import InProcess, UkPerson

pytestmark = pytest.mark.shared

CONSENTS, PAYMENTS = "/domestic-vrp-consents", "/domestic-vrps"
BOTH = pytest.mark.parametrize("brand", ["albion", "caledonia"])
RENEWS = pytest.mark.parametrize("brand", ["severn", "caledonia"])
CURRENT, SAVINGS = "99999910000041", "99999910000058"
TEN_MINUTES = dt.timedelta(minutes=10)

Standing = tuple[str, dict[str, Any], str]


@pytest.fixture
def orders(orders_at: OrdersAt, brand: str) -> Orders:
    return orders_at(brand)


def standing(orders: Orders, **parameters: Any) -> Standing:
    """(ConsentId, its body, the customer's token)."""
    orders.own_token = orders.tpp.own_token()  # the clock of a test may have gone on
    body = vrp_consent_body(version=orders.tpp.version, **parameters)
    consent_id = orders.stage(CONSENTS, body)
    return consent_id, body, orders.approve(consent_id)


def pay(orders: Orders, consent: Standing, amount: str = "20.00", **how: Any) -> Answer:
    consent_id, body, token = consent
    payment = vrp_body(consent_id, body, amount, version=orders.tpp.version, **how.pop("data", {}))
    return orders.post(PAYMENTS, token, payment, **how)


def consent_at(orders: Orders, consent_id: str) -> dict[str, Any]:
    orders.own_token = orders.tpp.own_token()
    told: dict[str, Any] = orders.get(f"{CONSENTS}/{consent_id}").json["Data"]
    return told


def at_the_bank(judged: Judged, brand: str, consent_id: str, what: str, data: bytes = b"") -> int:
    url = f"{BASE_URL}/sandbox/{brand}/consents/{consent_id}/{what}"
    headers = {**LEDGER, "Content-Type": "application/x-www-form-urlencoded"}
    return judged.send("POST", url, headers=headers, data=data, certificate=None).status


# ------------------------------------------------------------------------------------------------------ approved again


@BOTH
def test_a_consent_that_stands_is_approved_again(orders: Orders, brand: str) -> None:
    """With unchanged parameters; the new token takes the place of the old one, and what was paid goes on counting."""
    consent_id, body, old_token = consent = standing(orders, PeriodicLimits=[periodic("Week", "Consent", "50.00")])
    before = consent_at(orders, consent_id)
    assert pay(orders, consent, "30.00").status == 201
    orders.person.account = "camille-savings"
    answered = orders.tpp.answered(orders.person.approve(orders.tpp.authorize_url(consent_id)))
    assert pay(orders, consent, "1.00").status == 201, "until the code is exchanged the old token is the only one"
    new_token = str(orders.tpp.exchange(answered["code"]).json["access_token"])
    assert pay(orders, (consent_id, body, old_token), "1.00").status == 401
    assert code_of(pay(orders, (consent_id, body, new_token), "19.01"))[1] in (
        "U014",
        "UK.OBIE.Rules.FailsControlParameters",
    )
    paid = pay(orders, (consent_id, body, new_token), "19.00")
    assert (paid.status, paid.json["Data"]["DebtorAccount"]["Identification"]) == (201, SAVINGS)
    after = consent_at(orders, consent_id)
    assert (after["Status"], after["ControlParameters"]) == (before["Status"], before["ControlParameters"])
    identified = [told["DebtorAccount"]["Identification"] for told in (before, after)]
    assert identified == [CURRENT, SAVINGS]


@BOTH
def test_a_no_to_a_consent_that_stands_leaves_it_as_it_is(orders: Orders, bank: Flask, brand: str) -> None:
    consent = standing(orders)
    before = consent_at(orders, consent[0])
    orders.person.approve(orders.tpp.authorize_url(consent[0]), decision="refuse")
    stranger = UkPerson(transport=InProcess(bank), customer="jonas", account="jonas-current")
    answered = orders.tpp.answered(stranger.approve(orders.tpp.authorize_url(consent[0])))
    assert answered["error"] == "access_denied"
    assert consent_at(orders, consent[0]) == before
    assert pay(orders, consent).status == 201


@BOTH
def test_a_consent_whose_last_day_is_over_is_not_approved_again(orders: Orders, clock: Clock, brand: str) -> None:
    consent_id, _, _ = standing(orders, ValidToDateTime="2026-11-30T00:00:00Z")
    clock.now = clock.now.replace(month=12, day=1, hour=0)
    answer, to = orders.person.visit(orders.tpp.authorize_url(consent_id))
    assert answer.status == 303
    assert orders.tpp.answered(to)["error"] == "invalid_request"


@pytest.mark.parametrize("brand", ["mersey"])
def test_a_bank_that_tells_of_no_stop_takes_no_payment_all_the_same(
    orders: Orders, judged: Judged, clock: Clock, brand: str
) -> None:
    """As the VRP profile has it: status unchanged, tokens dead, the same consent approved again."""
    consent_id, body, old_token = consent = standing(orders)
    assert at_the_bank(judged, brand, consent_id, "cancel") == 204
    assert consent_at(orders, consent_id)["Status"] == "AUTH"
    assert pay(orders, consent).status == 401
    assert at_the_bank(judged, brand, consent_id, "cancel") == 409, "its own books know that it was stopped"
    new_token = orders.approve(consent_id)
    assert pay(orders, (consent_id, body, old_token)).status == 401
    assert pay(orders, (consent_id, body, new_token)).status == 201
    clock.tick(seconds=1)
    assert len(booked(judged, BASE_URL)) == 1


# -------------------------------------------------------------------------------------------------------------- renewed


def approve_whole(orders: Orders, consent_id: str) -> dict[str, Any]:
    """The answer to the exchange."""
    answered = orders.tpp.answered(orders.person.approve(orders.tpp.authorize_url(consent_id)))
    exchanged = orders.tpp.exchange(answered["code"])
    assert exchanged.status == 200, exchanged.content
    given: dict[str, Any] = exchanged.json
    return given


def renew(orders: Orders, refresh_token: str | None, **changes: Any) -> Answer:
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token, **changes}
    return orders.tpp.post("/oauth2/token", form)


@RENEWS
def test_a_short_token_is_renewed_as_long_as_the_consent_stands(orders: Orders, clock: Clock, brand: str) -> None:
    body = vrp_consent_body(version=orders.tpp.version)
    consent_id = orders.stage(CONSENTS, body)
    given = approve_whole(orders, consent_id)
    assert given["expires_in"] == 600
    for _ in range(3):
        clock.tick(minutes=10)
        assert pay(orders, (consent_id, body, given["access_token"]), "5.00").status == 401
        renewed = renew(orders, given["refresh_token"])
        assert (renewed.status, renewed.headers["Cache-Control"]) == (200, "no-store")
        assert renewed.json["refresh_token"] != given["refresh_token"]
        given = renewed.json
        assert pay(orders, (consent_id, body, given["access_token"]), "5.00").status == 201


@RENEWS
def test_after_the_last_day_the_api_says_what_is_wrong(orders: Orders, clock: Clock, brand: str) -> None:
    """Not the token: it is renewed, and of no use. 3.1 has no word for it."""
    body = vrp_consent_body(version=orders.tpp.version, ValidToDateTime="2027-06-30T00:00:00Z")
    consent_id = orders.stage(CONSENTS, body)
    given = approve_whole(orders, consent_id)
    for day, hour, answered in ((30, 23, (201, None)), (1, 0, (400, "U009"))):
        clock.now = clock.now.replace(year=2027, month=6 if day == 30 else 7, day=day, hour=hour)
        given = renew(orders, given["refresh_token"]).json
        paid = pay(orders, (consent_id, body, given["access_token"]), "5.00")
        code = answered[1] if brand == "severn" or answered[1] is None else "UK.OBIE.Resource.InvalidConsentStatus"
        assert (paid.status, None if paid.status == 201 else code_of(paid)[1]) == (answered[0], code)
    assert consent_at(orders, consent_id)["Status"] == ("EXPD" if brand == "severn" else "Authorised")


@RENEWS
def test_a_refresh_token_is_used_once_but_for_a_lost_answer(orders: Orders, clock: Clock, brand: str) -> None:
    body = vrp_consent_body(version=orders.tpp.version)
    consent_id = orders.stage(CONSENTS, body)
    given = approve_whole(orders, consent_id)
    first = renew(orders, given["refresh_token"])
    clock.tick(seconds=59)
    again = renew(orders, given["refresh_token"])
    assert (first.status, again.status) == (200, 200)
    assert pay(orders, (consent_id, body, again.json["access_token"]), "5.00").status == 201
    clock.tick(seconds=1)
    assert error_of(renew(orders, given["refresh_token"])) == (400, "invalid_grant")
    # somebody has it who should not: whoever holds what came of it is out, too
    for answer in (first, again):
        assert error_of(renew(orders, answer.json["refresh_token"])) == (400, "invalid_grant")
        assert pay(orders, (consent_id, body, answer.json["access_token"]), "5.00").status == 401


@RENEWS
def test_a_refresh_token_ends_with_its_consent(orders: Orders, judged: Judged, brand: str) -> None:
    for how in ("cancel", "delete", "approve again", "code again"):
        body = vrp_consent_body(version=orders.tpp.version)
        consent_id = orders.stage(CONSENTS, body)
        answered = orders.tpp.answered(orders.person.approve(orders.tpp.authorize_url(consent_id)))
        given = orders.tpp.exchange(answered["code"]).json
        if how == "cancel":
            assert at_the_bank(judged, brand, consent_id, "cancel") == 204
        elif how == "delete":
            assert orders.tpp.call("DELETE", f"{CONSENTS}/{consent_id}", orders.own_token).status == 204
        elif how == "approve again":
            approve_whole(orders, consent_id)
        else:
            assert orders.tpp.exchange(answered["code"]).status == 400
        assert error_of(renew(orders, given["refresh_token"])) == (400, "invalid_grant"), how


@RENEWS
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"refresh_token": None}, "invalid_request"),
        ({"refresh_token": "another"}, "invalid_grant"),
        ({"scope": "openid payments accounts"}, "invalid_scope"),
    ],
)
def test_a_renewal_that_is_wrong(orders: Orders, brand: str, changes: dict[str, Any], error: str) -> None:
    consent_id = orders.stage(CONSENTS, vrp_consent_body(version=orders.tpp.version))
    given = approve_whole(orders, consent_id)
    assert error_of(renew(orders, **{"refresh_token": given["refresh_token"], **changes})) == (400, error)
    assert renew(orders, given["refresh_token"]).status == 200


@pytest.mark.parametrize("brand", ["albion", "caledonia"])
def test_the_metadata_say_whether_tokens_are_renewed(orders: Orders, brand: str) -> None:
    said = orders.tpp.get("/.well-known/openid-configuration").json["grant_types_supported"]
    assert ("refresh_token" in said) is BRANDS[brand].short_tokens
    if not BRANDS[brand].short_tokens:
        assert error_of(renew(orders, "any")) == (400, "unsupported_grant_type")


# ------------------------------------------------------------------------------------------------ days, accounts, kinds


@pytest.mark.parametrize(("brand", "midnight_utc"), [("tyne", 23), ("albion", 0)])
def test_each_bank_counts_days_by_its_own_clock(orders: Orders, clock: Clock, brand: str, midnight_utc: int) -> None:
    """In summer London's midnight is that of 23:00 UTC: limits, the first and the last day go by it."""
    clock.now = clock.now.replace(year=2027, month=6, day=29, hour=12)
    midnight = dt.datetime(2027, 7, 1, tzinfo=dt.UTC) - dt.timedelta(hours=(24 - midnight_utc) % 24)
    consent = standing(
        orders, PeriodicLimits=[periodic("Month", "Calendar", "300.00")], ValidToDateTime="2027-07-02T00:00:00Z"
    )  # of June two days of thirty are left: £20
    later = standing(orders, ValidFromDateTime="2027-07-01T00:00:00Z")
    clock.now = midnight - dt.timedelta(seconds=1)
    assert pay(orders, consent, "20.00").status == 201
    assert code_of(pay(orders, consent, "0.01"))[1] == "U014"
    assert code_of(pay(orders, later, "1.00"))[1] == "U014"
    clock.tick(seconds=1)
    assert pay(orders, consent, "20.00").status == 201
    assert pay(orders, later, "1.00").status == 201
    clock.now = midnight + dt.timedelta(days=2, seconds=-1)
    assert pay(orders, consent, "20.00").status == 201
    clock.tick(seconds=1)
    assert code_of(pay(orders, consent, "0.01"))[1] == "U009"


@pytest.mark.parametrize(("brand", "midnight_utc"), [("tyne", 23), ("albion", 0)])
def test_a_consent_may_begin_on_the_day_that_it_is_there(
    orders: Orders, clock: Clock, brand: str, midnight_utc: int
) -> None:
    clock.now = dt.datetime(2027, 6, 30, 23, 30, tzinfo=dt.UTC)
    today = "2027-07-01" if midnight_utc == 23 else "2027-06-30"
    yesterday = dt.date.fromisoformat(today) - dt.timedelta(days=1)
    consent = standing(orders, ValidToDateTime=f"{today}T00:00:00Z")
    assert pay(orders, consent, "3.00").status == 201
    body = vrp_consent_body(ValidToDateTime=f"{yesterday}T00:00:00Z")
    assert code_of(orders.post(CONSENTS, orders.own_token, body)) == (400, "U003")


@BOTH
def test_the_account_of_a_consent_is_moved(orders: Orders, judged: Judged, bank: Flask, brand: str) -> None:
    consent = standing(orders)
    for account, status in (("jonas-current", 409), ("nobodys", 409), ("camille-savings", 204)):
        assert at_the_bank(judged, brand, consent[0], "account", f"account={account}".encode()) == status
    assert consent_at(orders, consent[0])["DebtorAccount"]["Identification"] == SAVINGS
    assert pay(orders, consent).json["Data"]["DebtorAccount"]["Identification"] == SAVINGS
    with inside(bank).store.read() as connection:
        rows = connection.execute("SELECT types, collection, resource_id FROM event").fetchall()
    told = [tuple(row) for row in rows if "linked-account" in row["types"]]
    types = ["urn:uk:org:openbanking:events:domestic-vrp-consent-linked-account-update"]
    assert told == [(json.dumps(types), "domestic-vrp-consents", consent[0])]
    assert at_the_bank(judged, brand, consent[0], "cancel") == 204
    assert at_the_bank(judged, brand, consent[0], "account", b"account=camille-current") == 409


@BOTH
@pytest.mark.parametrize("number", [1, 2, 3])
def test_commercial_payments_came_with_4_0(orders: Orders, brand: str, number: int) -> None:
    kind = f"UK.OBIE.VRPType.CVRP{number}"
    body = vrp_consent_body(version=orders.tpp.version, VRPType=[kind])
    made = orders.post(CONSENTS, orders.own_token, body)
    if brand == "caledonia":
        assert code_of(made) == (400, "UK.OBIE.Field.Invalid")
        return
    consent_id = str(made.json["Data"]["ConsentId"])
    consent = consent_id, body, orders.approve(consent_id)
    assert pay(orders, consent, data={"VRPType": kind}).status == 201
    assert code_of(pay(orders, consent)) == (400, "U014")


@pytest.mark.parametrize("brand", sorted(BRANDS))
def test_each_bank_says_whom_to_call(orders: Orders, brand: str) -> None:
    page, _ = orders.person.visit(f"{BASE_URL}/{brand}/")
    assert BRANDS[brand].help_phone in page.page.get_text()


def test_a_token_is_bound_to_whoever_renews_it(orders_at: OrdersAt) -> None:
    """A refresh token alone pays nothing: the access token that it brings is bound to the client's own key."""
    orders = orders_at("severn")
    body = vrp_consent_body()
    consent_id = orders.stage(CONSENTS, body)
    given = renew(orders, approve_whole(orders, consent_id)["refresh_token"]).json
    other = copy.copy(orders.tpp)
    other.dpop_key = type(other.dpop_key).generate_key("P-256")
    assert other.call("POST", PAYMENTS, given["access_token"], vrp_body(consent_id, body), key="k").status == 401
    assert pay(orders, (consent_id, body, given["access_token"])).status == 201
