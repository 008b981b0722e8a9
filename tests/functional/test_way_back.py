"""The redirect back: twice, late, forged, in another browser, from another bank. Only the status tells the truth."""

from __future__ import annotations

import re

from sqlalchemy import func, select

from app.db.events import EventRow
from app.journey.payments.models import BankAttempt, BankCall
from consent.models import Trip
from tests.support.journey import Browser, Journey


def returned(journey: Journey) -> int:
    with journey.services.reading() as uow:
        return uow.session.scalar(select(func.count()).where(EventRow.kind == "CustomerReturned")) or 0


def exchanges(journey: Journey) -> int:
    return sum(1 for one in journey.bank_wire.sent if b"authorization_code" in (_body(one.body)))


def _body(body: object) -> bytes:
    return body if isinstance(body, bytes) else str(body or "").encode()


def test_twice(journey: Journey) -> None:
    payment_id = journey.confirm(journey.bill(number="w1"))
    way_back = journey.at_bank(journey.browser.leave(payment_id))
    first, second = journey.browser.come_back(way_back), journey.browser.come_back(way_back)
    assert first.headers["Location"] == second.headers["Location"] == f"/payments/{payment_id}?back=1"
    assert (returned(journey), exchanges(journey)) == (1, 1)


def test_a_state_that_we_never_gave(journey: Journey) -> None:
    answer = journey.browser.get("/banks/horizon/return/never-given?code=x&state=never-given")
    assert answer.status_code == 400
    assert returned(journey) == 0


def test_a_state_that_does_not_match_the_address(journey: Journey) -> None:
    payment_id = journey.confirm(journey.bill(number="w2"))
    way_back = journey.at_bank(journey.browser.leave(payment_id))
    assert journey.browser.come_back(re.sub("state=[^&]+", "state=other", way_back)).status_code == 400
    assert returned(journey) == 0


def test_an_unknown_bank(journey: Journey) -> None:
    assert journey.browser.get("/banks/nowhere/return/x").status_code == 404


def test_a_doubled_parameter(journey: Journey) -> None:
    payment_id = journey.confirm(journey.bill(number="w3"))
    way_back = journey.at_bank(journey.browser.leave(payment_id))
    assert journey.browser.come_back(way_back + "&code=other").status_code == 400
    assert returned(journey) == 0


def test_in_another_browser_no_code_is_used_and_the_status_still_tells(journey: Journey) -> None:
    payment_id = journey.confirm(journey.bill(number="w4"))
    way_back = journey.at_bank(journey.browser.leave(payment_id))
    other = Browser.of(journey.app)
    answer = other.come_back(way_back)
    assert answer.status_code == 200
    assert "Horizon Bank" in answer.get_data(as_text=True)
    assert payment_id not in answer.get_data(as_text=True)
    assert (returned(journey), exchanges(journey)) == (0, 0)
    journey.wait(65)
    assert journey.payment(payment_id).state == "settled"


def test_another_issuer_means_no_code_is_used(journey: Journey) -> None:
    payment_id = journey.confirm(journey.bill(number="w5"))
    way_back = journey.at_bank(journey.browser.leave(payment_id))
    journey.browser.come_back(re.sub("iss=[^&]+", "iss=https%3A%2F%2Fevil.example", way_back))
    assert exchanges(journey) == 0
    with journey.services.reading() as uow:
        assert uow.session.scalars(select(Trip.outcome)).one() == "wrong_issuer"
    journey.wait(5)
    assert journey.payment(payment_id).state == "settled"  # the bank's status is what counts


def test_a_redirect_alone_is_no_proof_of_payment(journey: Journey) -> None:
    """Whoever makes up a good-looking return without approving at the bank has paid nothing."""
    payment_id = journey.confirm(journey.bill(number="w6"))
    journey.browser.leave(payment_id)
    with journey.services.reading() as uow:
        redirect_uri = uow.session.scalars(select(Trip.redirect_uri)).one()
    journey.browser.come_back(redirect_uri + "?code=made-up&iss=http%3A%2F%2F127.0.0.1%3A8001")
    journey.wait(10)
    assert journey.payment(payment_id).state in ("awaiting_customer", "unknown")
    assert journey.truth(payment_id) == "not_known"
    assert journey.ledger() == []


def test_the_trip_cookie_alone_shows_only_that_payment(journey: Journey) -> None:
    """The session ended while the customer was at the bank: they still learn the truth, and nothing else."""
    payment_id = journey.pay(journey.bill(number="w7"))
    other_payment = journey.confirm(journey.bill(number="w8"))
    journey.clock.tick(hours=1)  # the session is idle for too long
    journey.worker.run_until_idle()
    assert journey.browser.get(f"/payments/{payment_id}").status_code == 200
    assert journey.browser.get(f"/payments/{other_payment}").status_code == 404
    assert journey.browser.get("/bills").status_code == 303


def test_a_lost_exchange_is_never_repeated(journey: Journey) -> None:
    payment_id = journey.confirm(journey.bill(number="w9", amount="999.10"))
    journey.browser.come_back(journey.at_bank(journey.browser.leave(payment_id)))
    journey.wait(5)
    assert exchanges(journey) == 1
    assert journey.payment(payment_id).state == "settled"
    with journey.services.reading() as uow:
        outcome = uow.session.scalars(
            select(BankAttempt.outcome)
            .join(BankCall, BankCall.id == BankAttempt.call_id)
            .where(BankCall.verb == "complete")
        ).one()
    assert outcome == "BankSilent"
