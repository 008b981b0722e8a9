"""What a bank keeps until a day, when the bank errs, lies or is late, and when people do things in an odd order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from app.errors import Conflict
from app.journey.payments import rules
from app.journey.payments import service as payments
from app.journey.payments.access import locked
from app.people import stops
from app.people.sessions import SignedIn
from consent.models import Consent
from tests.functional.test_kept_at_bank import HOUR_S, THURSDAY, ask_for_it_back, cancellations, until, words
from tests.support.journey import Journey
from tests.support.own_bills import add

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

pytestmark = pytest.mark.long_on_postgres

DAY_S = 24 * HOUR_S


@dataclass
class Says:
    """The bank; but to some requests something else is answered, by method and how the path ends."""

    app: WSGIApplication
    answers: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        for (method, end), (status, body) in self.answers.items():
            if environ["REQUEST_METHOD"] == method and environ["PATH_INFO"].endswith(end):
                echoed = ("X-Request-ID", environ["HTTP_X_REQUEST_ID"])
                start_response(status, [("Content-Type", "application/json"), echoed])
                return [body]
        return self.app(environ, start_response)


def between(journey: Journey) -> Says:
    says = Says(journey.bank_wire.app)
    journey.bank_wire.app = says
    return says


def kept(journey: Journey, on: dt.date = THURSDAY, **changes: Any) -> tuple[str, str]:
    invoice_id = journey.bill(number="2026-1", amount="84.20", **changes)
    payment_id = journey.pay(invoice_id, on=on)
    journey.wait(5)
    assert journey.truth(payment_id) == "kept"
    return invoice_id, payment_id


@pytest.mark.parametrize("status", ["400 Bad Request", "401 Unauthorized", "404 Not Found", "415 Unsupported"])
def test_a_no_that_says_nothing_of_the_payment_is_asked_again(journey: Journey, status: str) -> None:
    _, payment_id = kept(journey)
    says = between(journey)
    path = f"/{journey.payment(payment_id).bank_payment_id}"
    says.answers = {("DELETE", path): (status, b'{"tppMessages": [{"category": "ERROR", "code": "FORMAT_ERROR"}]}')}
    ask_for_it_back(journey, payment_id)
    assert journey.truth(payment_id) == "kept"
    assert "We are asking Horizon Bank" in words(journey, f"/payments/{payment_id}").replace("we are", "We are")
    says.answers = {}
    journey.wait(60)
    assert journey.payment(payment_id).state == "cancelled"


@pytest.mark.parametrize("status", ["202 Accepted", "405 Method Not Allowed"])
def test_a_bank_that_keeps_it_has_said_so_and_the_page_changes(journey: Journey, status: str) -> None:
    _, payment_id = kept(journey)
    says = between(journey)
    says.answers = {("DELETE", f"/{journey.payment(payment_id).bank_payment_id}"): (status, b"{}")}
    before = journey.browser.get(f"/payments/{payment_id}/state").get_json()["version"]
    ask_for_it_back(journey, payment_id)
    assert journey.browser.get(f"/payments/{payment_id}/state").get_json()["version"] != before
    assert "Horizon Bank does not drop it for us." in words(journey, f"/payments/{payment_id}")
    journey.wait(DAY_S)
    assert cancellations(journey, payment_id) == ["kept"]


def test_whoever_asks_again_and_again_does_not_make_us_ask_the_bank(journey: Journey) -> None:
    _, payment_id = kept(journey)
    says = between(journey)
    says.answers = {("DELETE", f"/{journey.payment(payment_id).bank_payment_id}"): ("202 Accepted", b"{}")}
    ask_for_it_back(journey, payment_id)
    sent = len(journey.bank_wire.sent)
    for _ in range(10):
        ask_for_it_back(journey, payment_id)
    assert len(journey.bank_wire.sent) == sent


def test_nobody_calls_it_not_executed_before_its_day_is_over(journey: Journey) -> None:
    _, payment_id = kept(journey)
    journey.wait(3 * HOUR_S)
    with journey.services.unit_of_work() as uow, pytest.raises(Conflict, match="fence"):
        payments.resolve(uow, payment_id=payment_id, executed=False, because="Ms Roux of the bank, by telephone today")


def test_what_the_bank_says_to_have_dropped_is_looked_at_on_its_day(journey: Journey) -> None:
    day = dt.date(2026, 12, 16)
    invoice_id, payment_id = kept(journey, on=day)
    says = between(journey)
    bank_id = journey.payment(payment_id).bank_payment_id
    says.answers = {
        ("DELETE", f"/{bank_id}"): ("204 No Content", b""),
        ("GET", f"/{bank_id}/status"): ("200 OK", b'{"transactionStatus": "CANC"}'),
    }
    journey.wait(60)
    assert journey.payment(payment_id).state == "cancelled"  # at the bank, as its status says
    assert journey.payment(payment_id).reason == "cancelled_at_bank"
    says.answers = {}  # and it was not so
    until(journey, day, 12)
    journey.wait(2 * HOUR_S)
    assert journey.payment(payment_id).state == "settled"
    assert journey.invoice(invoice_id).state == "paid"


def test_a_bank_that_ignores_the_day_is_noticed_soon(journey: Journey) -> None:
    _, payment_id = kept(journey)
    says = between(journey)
    bank_id = journey.payment(payment_id).bank_payment_id
    says.answers = {("GET", f"/{bank_id}/status"): ("200 OK", b'{"transactionStatus": "ACSC"}')}
    journey.wait(10 * 60)
    assert journey.payment(payment_id).state == "settled"


def test_on_its_day_the_bank_is_asked_every_half_hour(journey: Journey) -> None:
    _, payment_id = kept(journey)
    says = between(journey)
    bank_id = journey.payment(payment_id).bank_payment_id
    says.answers = {("GET", f"/{bank_id}/status"): ("200 OK", b'{"transactionStatus": "ACTC"}')}
    until(journey, THURSDAY, 12)
    says.answers = {("GET", f"/{bank_id}/status"): ("200 OK", b'{"transactionStatus": "ACSC"}')}
    journey.wait(31 * 60)
    assert journey.payment(payment_id).state == "settled"


def test_stopped_on_its_day_before_the_bank_acts_it_is_dropped(journey: Journey) -> None:
    _, payment_id = kept(journey)
    says = between(journey)
    bank_id = journey.payment(payment_id).bank_payment_id
    says.answers = {
        ("GET", f"/{bank_id}/status"): ("200 OK", b'{"transactionStatus": "ACTC"}'),
        ("DELETE", f"/{bank_id}"): ("204 No Content", b""),
    }
    until(journey, THURSDAY, 1)
    stops.stop_everything(journey.services, signed_in=SignedIn(journey.customer, "ses_1", read_only=False))
    journey.wait(60)
    assert (journey.payment(payment_id).state, journey.payment(payment_id).reason) == ("cancelled", "stopped_all")


def test_what_waits_for_a_second_person_is_dropped_as_well(journey: Journey) -> None:
    _, payment_id = kept(journey)
    says = between(journey)
    bank_id = journey.payment(payment_id).bank_payment_id
    says.answers = {("GET", f"/{bank_id}/status"): ("200 OK", b'{"transactionStatus": "PATC"}')}
    ask_for_it_back(journey, payment_id)
    says.answers = {}
    journey.wait(60)
    assert cancellations(journey, payment_id) == ["dropped"]


def test_what_was_dropped_while_it_was_not_wanted_is_not_laid_at_its_customers_door(journey: Journey) -> None:
    _, payment_id = kept(journey)
    with journey.services.unit_of_work() as uow:
        locked(uow.session, payment_id).unwanted_since = uow.now
        uow.commit()
    journey.wait(DAY_S / 2)
    payment = journey.payment(payment_id)
    assert (payment.state, payment.reason) == ("cancelled", "another_under_way")
    with journey.services.unit_of_work() as uow:
        assert payments.resolve(uow, payment_id=payment_id, executed=False, because="it was so all the time") is False


def test_the_day_of_a_bill_that_its_customer_added_is_not_lost_on_the_way(journey: Journey) -> None:
    invoice_id = add(journey.browser)
    answer = journey.browser.get(f"/bills/{invoice_id}/pay?bank=horizon&on={THURSDAY}")
    assert answer.status_code == 303
    assert "/payee" in answer.location
    assert f"on={THURSDAY}" in answer.location
    page = journey.browser.page(answer.location)
    assert [form for form in page.select("form[action*='/payee']") if f"on={THURSDAY}" in str(form["action"])]


@pytest.mark.parametrize("on", ["2026-11-28", "2026-11-22", "tomorrow"])
def test_a_day_that_cannot_be_is_never_today_instead(journey: Journey, on: str) -> None:
    invoice_id = journey.bill()
    answer = journey.browser.get(f"/bills/{invoice_id}/pay?bank=horizon&on={on}")
    assert (answer.status_code, answer.location.partition("?")[0]) == (303, f"/bills/{invoice_id}/later")
    assert "That day cannot be chosen in this way, or not any more." in words(journey, answer.location)


def test_once_its_day_has_begun_nobody_is_sent_to_approve_it(journey: Journey) -> None:
    invoice_id = journey.bill()
    journey.clock.now = dt.datetime(2026, 11, 25, 23, 50, tzinfo=dt.UTC)
    journey.browser.sign_in()
    payment_id = journey.confirm(invoice_id, on=THURSDAY)
    journey.clock.now = dt.datetime(2026, 11, 26, 0, 1, tzinfo=dt.UTC)
    answer = journey.browser.get(f"/payments/{payment_id}/bank")
    assert answer.headers["Location"] == f"/payments/{payment_id}"


def test_what_its_bank_goes_on_to_keep_is_asked_about_only_so_often_once_it_has_ended(journey: Journey) -> None:
    """Seed 20000546: to be asked to drop it was news each time, so that it had ended a minute ago, for ever."""
    invoice_id = journey.bill(number="2026-1", amount="84.20")
    payment_id = journey.confirm(invoice_id, on=THURSDAY)
    journey.browser.leave(payment_id)
    left = journey.clock()
    says = between(journey)
    with journey.services.reading() as uow:
        bank_id = uow.session.get_one(Consent, journey.payment(payment_id).consent_id).at_bank
    says.answers = {
        ("GET", f"/{bank_id}/status"): ("200 OK", b'{"transactionStatus": "RCVD"}'),
        ("DELETE", f"/{bank_id}"): ("405 Method Not Allowed", b"{}"),
    }
    journey.deliver(number="C-1", amount="30.00", kind="credit_note", corrects="2026-1", reference=None)
    journey.wait(5)
    assert cancellations(journey, payment_id) == ["kept"]
    payment = journey.payment(payment_id)
    assert (payment.state, payment.updated_at) == ("awaiting_customer", left)  # no news for its page
    until(journey, THURSDAY, 12)
    with journey.services.unit_of_work() as uow:
        payments.resolve(uow, payment_id=payment_id, executed=False, because="Ms Roux of the bank, by telephone today")
        uow.commit()
    ended, looks = journey.clock(), list[dt.timedelta]()
    while (next_look := journey.payment(payment_id).next_look_at) is not None and len(looks) < 10:
        journey.wait((next_look - journey.clock()).total_seconds())
        looks.append(journey.clock() - ended)
    first, *late = (dt.timedelta(seconds=seconds) for seconds in rules.LATE_LOOKS_S)
    assert [look for look in looks if look > first] == late
    assert journey.payment(payment_id).updated_at == ended
    assert set(cancellations(journey, payment_id)) == {"kept"}
