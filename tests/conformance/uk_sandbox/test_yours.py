"""A customer's own page at a UK sandbox bank: what others may do with their accounts, and that it can be stopped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask

from tests.support.sandbox_tpp import Answer, Clock
from tests.support.uk_orders import (
    Orders,
    OrdersAt,
    booked,
    payment_body,
    scheduled_consent_body,
    vrp_body,
    vrp_consent_body,
)
from tests.support.uk_tpp import BASE_URL
from tests.support.uk_wire import InProcess, UkPerson

VRP_CONSENTS, VRPS = "/domestic-vrp-consents", "/domestic-vrps"
SCHEDULED_CONSENTS, SCHEDULED = "/domestic-scheduled-payment-consents", "/domestic-scheduled-payments"


@dataclass
class AtHome:
    """A customer on their own page, in a browser that forgets its cookies with the object."""

    person: UkPerson
    brand: str = "albion"

    @property
    def url(self) -> str:
        return f"{BASE_URL}/{self.brand}/yours"

    def page(self) -> Answer:
        return self.person.visit(self.url)[0]

    def sign_in(self, **values: str) -> Answer:
        return self.person.submit(self.page(), self.url, **{"customer": self.person.customer, "pin": "1234", **values})[
            0
        ]

    def words(self) -> str:
        return " ".join(self.page().page.get_text(" ").split())

    def token(self) -> str:
        found = self.page().page.select_one("input[name=form_token]")
        assert found is not None
        return str(found["value"])

    def stop(self, **what: str) -> Answer:
        return self.post("stop", **{"form_token": self.token(), **what})

    def post(self, verb: str, **form: str) -> Answer:
        return self.person.open("POST", f"{self.url}/{verb}", form)


@pytest.fixture
def home(bank: Flask) -> AtHome:
    return AtHome(UkPerson(transport=InProcess(bank)))


@pytest.fixture
def jonas(bank: Flask) -> AtHome:
    return AtHome(UkPerson(transport=InProcess(bank), customer="jonas", account="jonas-current"))


@pytest.fixture
def orders(orders_at: OrdersAt) -> Orders:
    return orders_at()


def standing(orders: Orders) -> tuple[str, dict[str, Any], str]:
    """(ConsentId, its body, the customer's token)."""
    body = vrp_consent_body(version=orders.tpp.version)
    consent_id = orders.stage(VRP_CONSENTS, body)
    return consent_id, body, orders.approve(consent_id)


def waiting(orders: Orders) -> str:
    """The id of a scheduled payment."""
    body = scheduled_consent_body(version=orders.tpp.version)
    consent_id = orders.stage(SCHEDULED_CONSENTS, body)
    answer = orders.post(SCHEDULED, orders.approve(consent_id), payment_body(consent_id, body))
    assert answer.status == 201
    return str(answer.json["Data"]["DomesticScheduledPaymentId"])


def status(orders: Orders, path: str) -> str:
    orders.own_token = orders.tpp.own_token()
    return str(orders.get(path).json["Data"]["Status"])


# ------------------------------------------------------------------------------------------------------------- the door


def test_it_is_linked_from_the_brands_page_and_asks_who_is_there(home: AtHome) -> None:
    front = home.person.visit(f"{BASE_URL}/albion/")[0]
    assert front.page.select_one('a[href="/albion/yours"]') is not None
    assert home.page().text_of("h1") == "Sign in to your bank"
    assert home.sign_in(pin="0000").text_of("#error") == "That PIN is not right."
    assert home.sign_in(customer="nobody").text_of("#error") == "Choose who you are."
    assert home.sign_in().text_of(".step") == "Signed in as Camille Laurent"


def test_its_cookie_is_for_this_page_alone_and_for_no_other_site(home: AtHome) -> None:
    asked = home.person.open("GET", home.url)
    signed_in = home.post("sign-in", form_token=home.token(), customer="camille", pin="1234")
    secrets = []
    for answer in (asked, signed_in):
        secret, *attributes = answer.headers["Set-Cookie"].split("; ")
        assert sorted(attributes) == ["HttpOnly", "Path=/albion/yours", "SameSite=Strict", "Secure"]
        secrets.append(secret)
    assert secrets[0] != secrets[1]  # what stood there before the sign-in may be known to somebody


def test_a_form_without_its_token_changes_nothing(home: AtHome, jonas: AtHome, orders: Orders) -> None:
    consent_id, _, _ = standing(orders)
    assert home.post("sign-in", customer="camille", pin="1234").status == 403
    home.sign_in()
    jonas.sign_in()
    for token in ("", "forged", jonas.token()):
        assert home.post("stop", form_token=token, consent=consent_id).status == 403
        assert home.post("sign-out", form_token=token).status == 403
    assert status(orders, f"{VRP_CONSENTS}/{consent_id}") == "AUTH"


def test_nobody_who_has_not_signed_in_stops_anything(home: AtHome, orders: Orders) -> None:
    consent_id, _, _ = standing(orders)
    assert home.stop(consent=consent_id).status == 303
    assert status(orders, f"{VRP_CONSENTS}/{consent_id}") == "AUTH"


def test_one_signs_out_and_is_signed_out_after_a_while(home: AtHome, clock: Clock) -> None:
    home.sign_in()
    home.post("sign-out", form_token=home.token())
    assert home.page().text_of("h1") == "Sign in to your bank"
    home.sign_in()
    clock.tick(minutes=30)
    assert home.page().text_of("h1") == "Sign in to your bank"


def test_a_brand_knows_nothing_of_another(home: AtHome, bank: Flask, orders: Orders) -> None:
    consent_id, _, _ = standing(orders)
    payment_id = waiting(orders)
    home.sign_in()
    secret = home.person.open("GET", home.url).headers.get("Set-Cookie", "")
    assert secret == ""  # one who is signed in keeps the cookie
    tyne = AtHome(home.person, "tyne")
    assert tyne.page().text_of("h1") == "Sign in to your bank"
    tyne.sign_in()
    assert "Nobody may start payments" in tyne.words()
    assert "No payment waits" in tyne.words()
    tyne.stop(consent=consent_id)
    tyne.stop(payment=payment_id)
    assert status(orders, f"{VRP_CONSENTS}/{consent_id}") == "AUTH"
    assert status(orders, f"{SCHEDULED}/{payment_id}") == "RCVD"


# -------------------------------------------------------------------------------------------------------- what it shows


@pytest.mark.shared
@pytest.mark.parametrize("brand", ["albion", "caledonia"])
def test_a_standing_consent_is_shown_with_its_limits_and_stopped(
    orders_at: OrdersAt, bank: Flask, clock: Clock, brand: str
) -> None:
    orders, home = orders_at(brand), AtHome(UkPerson(transport=InProcess(bank)), brand)
    consent_id, body, token = standing(orders)
    paid = orders.post(VRPS, token, vrp_body(consent_id, body, version=orders.tpp.version))
    assert paid.status == 201
    home.sign_in()
    words = home.words()
    for said in (
        "Thames Water Works",
        "08-08-00 21325698",
        "£50.00 at most with each payment",
        "£100.00 at most in a month, by the calendar",
        "Current account",
        "quittance",
    ):
        assert said in words
    home.stop(consent=consent_id)
    assert "You stopped it. It begins again only if you approve it again." in home.words()
    assert orders.post(VRPS, token, vrp_body(consent_id, body, version=orders.tpp.version)).status == 401
    if brand == "albion":  # 3.1 has no word for it
        assert status(orders, f"{VRP_CONSENTS}/{consent_id}") == "CANC"
    home.stop(consent=consent_id)
    clock.tick(seconds=1)
    assert len(booked(InProcess(bank), BASE_URL)) == 1


@pytest.mark.shared
def test_a_scheduled_payment_is_shown_and_stopped(home: AtHome, orders: Orders, bank: Flask, clock: Clock) -> None:
    stopped, left = waiting(orders), waiting(orders)
    home.sign_in()
    for said in ("£123.50", "Thames Water Works", "25 November 2026", "Invoice 2026-1"):
        assert said in home.words()
    home.stop(payment=stopped)
    assert home.words().count("You stopped it. It is not paid.") == 1
    assert status(orders, f"{SCHEDULED}/{stopped}") == "CANC"
    clock.tick(days=3)
    home.sign_in()
    assert left not in home.page().content.decode()
    home.stop(payment=left)
    assert status(orders, f"{SCHEDULED}/{left}") == "ACSC"
    assert len(booked(InProcess(bank), BASE_URL)) == 1


def test_what_is_anothers_is_not_shown_and_not_stopped(home: AtHome, jonas: AtHome, orders: Orders) -> None:
    consent_id, _, _ = standing(orders)
    payment_id = waiting(orders)
    jonas.sign_in()
    assert "Nobody may start payments" in jonas.words()
    jonas.stop(consent=consent_id)
    jonas.stop(payment=payment_id)
    assert status(orders, f"{VRP_CONSENTS}/{consent_id}") == "AUTH"
    assert status(orders, f"{SCHEDULED}/{payment_id}") == "RCVD"


def test_what_its_tpp_gave_back_or_nobody_approved_is_not_shown(home: AtHome, orders: Orders) -> None:
    consent_id, _, _ = standing(orders)
    orders.stage(VRP_CONSENTS, vrp_consent_body())
    assert orders.tpp.call("DELETE", f"{VRP_CONSENTS}/{consent_id}", orders.own_token).status == 204
    home.sign_in()
    assert "Nobody may start payments" in home.words()


# -------------------------------------------------------------------------------------------------- approved once more


@pytest.mark.parametrize("brand", ["albion", "severn", "tyne"])
def test_a_strangers_yes_to_what_was_stopped_leads_back_with_an_error(
    orders_at: OrdersAt, bank: Flask, jonas: AtHome, brand: str
) -> None:
    """The consent is Camille's: whoever else approves it gets no code, and is told so."""
    orders, home = orders_at(brand), AtHome(UkPerson(transport=InProcess(bank)), brand)
    consent_id, _, _ = standing(orders)
    home.sign_in()
    home.stop(consent=consent_id)
    answered = orders.tpp.answered(jonas.person.approve(orders.tpp.authorize_url(consent_id)))
    assert answered["error"] == "access_denied"
    assert "code" not in answered
    assert "id_token" not in answered
    assert status(orders, f"{VRP_CONSENTS}/{consent_id}") == "CANC"
    orders.approve(consent_id)
    assert status(orders, f"{VRP_CONSENTS}/{consent_id}") == "AUTH"
