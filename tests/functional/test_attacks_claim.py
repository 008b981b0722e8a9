"""Attacks on the claim: only the bank's own word frees a bill, whatever bank, network or customer do."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import func, select

from app.journey.payments.models import BankAttempt, BankCall, Payment, PaymentHistory
from app.journey.receipts.models import Receipt
from connectors.berlin_group import messages
from connectors.berlin_group.connector import BerlinGroupConnector
from connectors.berlin_group.links import Links
from connectors.berlin_group.messages import Initiated
from connectors.contract import BankStatus
from connectors.errors import BankError, BankRefused, BankSilent
from connectors.sandbox_bank import payments as bank_payments
from connectors.sandbox_bank import scenarios
from connectors.sandbox_bank.scenarios import Reason, Scenario, Step
from connectors.security.pkce import challenge, new_verifier
from consent.models import Consent, Trip
from tests.support.journey import Journey

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the database plays no part
#: what the bank does with this amount is up to the test
OURS = "999.16"
#: the waits of a customer who never comes back, seconds: the third look is past the end of the time to approve
LOOKS_OF_AWAY = (121, 300, 900)


def bank_does(monkeypatch: pytest.MonkeyPatch, scenario: Scenario) -> None:
    monkeypatch.setitem(scenarios.SCENARIOS, 999_16, scenario)


def bank_waits_for(monkeypatch: pytest.MonkeyPatch, minutes: int) -> None:
    """The bank gives the customer longer than its file says."""
    monkeypatch.setattr(bank_payments, "AUTHORISATION_MS", minutes * 60 * 1000)


def asked(journey: Journey, method: str, path_end: str = "") -> int:
    return sum(1 for one in journey.bank_wire.sent if one.method == method and str(one.url).endswith(path_end))


def wait(journey: Journey, *pauses_s: int) -> None:
    for seconds in pauses_s:
        journey.wait(seconds)


def cannot_be_paid_again(journey: Journey, invoice_id: str) -> bool:
    journey.browser.sign_in()
    answer = journey.browser.get(f"/bills/{invoice_id}/pay?bank=horizon")
    return (answer.status_code, answer.headers.get("Location")) == (303, f"/bills/{invoice_id}")


def evidence_of(journey: Journey, payment_id: str) -> bytes:
    """What the bank said when the payment took its last step."""
    with journey.services.reading() as uow:
        sequence = uow.session.get_one(Payment, payment_id).sequence
        return uow.session.get_one(PaymentHistory, (payment_id, sequence)).answer or b""


@only_sqlite
@pytest.mark.parametrize("word", ["RCVD", "PATC"])
def test_a_bank_that_says_it_waits_after_the_approval_frees_nothing(
    journey: Journey, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    """A stale replica says RCVD of a payment that moved; a second approver (PATC) may take for ever."""
    bank_does(monkeypatch, Scenario(meaning=word, reads=(word,) * 4))
    invoice_id = journey.bill(number="c1", amount=OURS)
    payment_id = journey.pay(invoice_id)
    wait(journey, 300, 300, 900)
    payment = journey.payment(payment_id)
    assert (payment.state, payment.transaction_status) == ("unknown", word)
    assert journey.invoice(invoice_id).state == "in_payment"
    assert cannot_be_paid_again(journey, invoice_id)
    assert journey.truth(payment_id) == "not_known"
    assert asked(journey, "DELETE") == 0  # the customer came back with an approval: nothing is to be taken back
    wait(journey, 3000)
    assert journey.payment(payment_id).state == "settled"
    assert [entry["amount"] for entry in journey.ledger()] == [OURS]


def test_approved_and_closed_while_the_bank_says_it_waits(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """We ask the bank to take the order back; it does not, so we do not know."""
    bank_does(monkeypatch, Scenario(meaning="RCVD", reads=("RCVD",) * 3))
    invoice_id = journey.bill(number="c2", amount=OURS)
    payment_id = journey.confirm(invoice_id)
    journey.at_bank(journey.browser.leave(payment_id))
    wait(journey, *LOOKS_OF_AWAY)
    assert asked(journey, "DELETE") == 1
    assert journey.payment(payment_id).state == "unknown"
    assert journey.invoice(invoice_id).state == "in_payment"
    assert cannot_be_paid_again(journey, invoice_id)
    wait(journey, 2400)
    assert journey.payment(payment_id).state == "settled"
    assert len(journey.ledger()) == 1


def test_a_bank_that_waits_longer_than_its_file_says_gives_the_order_back_first(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank_waits_for(monkeypatch, minutes=60)
    invoice_id = journey.bill(number="c3", amount="50.00")
    payment_id = journey.confirm(invoice_id)
    url = journey.browser.leave(payment_id)
    wait(journey, *LOOKS_OF_AWAY[:2])
    assert asked(journey, "DELETE") == 0
    wait(journey, *LOOKS_OF_AWAY[2:])
    payment = journey.payment(payment_id)
    assert (payment.state, payment.reason, payment.transaction_status) == ("cancelled", "not_approved_in_time", "CANC")
    assert journey.invoice(invoice_id).state == "to_pay"
    assert error_sent_back_of(journey, url) == "invalid_scope"  # the old link leads nowhere
    journey.browser.sign_in()
    second = journey.pay(invoice_id)
    journey.wait(5)
    assert journey.payment(second).state == "settled"
    assert len(journey.ledger()) == 1


def error_sent_back_of(journey: Journey, url: str) -> str:
    """What the bank makes of the link now."""
    answer = journey.person.go(url)
    assert answer.status == 303
    return dict(part.split("=") for part in answer.headers["Location"].partition("?")[2].split("&"))["error"]


@only_sqlite
def test_approved_in_the_very_moment_that_the_order_is_taken_back(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank_waits_for(monkeypatch, minutes=60)
    invoice_id = journey.bill(number="c4", amount="50.00")
    payment_id = journey.confirm(invoice_id)
    url = journey.browser.leave(payment_id)
    real = BerlinGroupConnector.cancel

    def too_late(self: BerlinGroupConnector, consent_id: str, *, timeout_s: float) -> BankStatus | None:
        journey.at_bank(url)
        return real(self, consent_id, timeout_s=timeout_s)

    monkeypatch.setattr(BerlinGroupConnector, "cancel", too_late)
    wait(journey, *LOOKS_OF_AWAY)
    assert journey.payment(payment_id).state == "unknown"
    assert journey.invoice(invoice_id).state == "in_payment"
    wait(journey, 2400)
    assert journey.payment(payment_id).state == "settled"
    assert len(journey.ledger()) == 1


@only_sqlite
def test_the_word_that_the_order_is_gone_is_lost_on_its_way(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    bank_waits_for(monkeypatch, minutes=60)
    invoice_id = journey.bill(number="c5", amount="50.00")
    payment_id = journey.confirm(invoice_id)
    journey.browser.leave(payment_id)
    real = BerlinGroupConnector.cancel

    def lost(self: BerlinGroupConnector, consent_id: str, *, timeout_s: float) -> BankStatus | None:
        real(self, consent_id, timeout_s=timeout_s)
        raise BankSilent("no answer")

    monkeypatch.setattr(BerlinGroupConnector, "cancel", lost)
    wait(journey, *LOOKS_OF_AWAY)
    assert journey.payment(payment_id).state == "unknown"
    assert journey.invoice(invoice_id).state == "in_payment"
    wait(journey, 2400)  # the bank's status says it
    payment = journey.payment(payment_id)
    assert (payment.state, payment.transaction_status) == ("cancelled", "CANC")
    assert journey.invoice(invoice_id).state == "to_pay"


@only_sqlite
@pytest.mark.parametrize(
    "error",
    [
        pytest.param(BankSilent("the bank does not know the payment now (404)"), id="404 for ever"),
        pytest.param(BankRefused("no", code="TOKEN_UNKNOWN", http_status=401), id="401 for ever"),
    ],
)
def test_a_closed_tab_and_a_bank_that_never_tells(
    journey: Journey, monkeypatch: pytest.MonkeyPatch, error: BankError
) -> None:
    """Nobody may be told that nothing has left the account."""

    def status(*_: object, **__: object) -> BankStatus:
        raise error

    monkeypatch.setattr(BerlinGroupConnector, "status", status)
    invoice_id = journey.bill(number="c6", amount="50.00")
    payment_id = journey.confirm(invoice_id)
    journey.at_bank(journey.browser.leave(payment_id))  # approved, and the tab is closed
    wait(journey, *LOOKS_OF_AWAY[:2])
    assert journey.truth(payment_id) == "at_bank"  # there is still time to approve
    wait(journey, *LOOKS_OF_AWAY[2:])
    assert journey.payment(payment_id).state == "unknown"
    wait(journey, *[86_400] * 10)
    journey.browser.sign_in()
    page = journey.browser.page(f"/payments/{payment_id}")
    assert page.select_one(".truth-not-known") is not None
    assert "nothing has left your account" not in page.get_text()
    assert journey.invoice(invoice_id).state == "in_payment"
    next_look = journey.payment(payment_id).next_look_at
    assert next_look is not None
    assert timedelta(0) < next_look - journey.clock() <= timedelta(days=1)


# -------------------------------------------------------------------------------------- what the bank makes of an order


def without_a_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bank takes the order and names no way to approve it."""
    real = messages.initiated

    def initiated(body: bytes, **where: Any) -> Initiated:
        return dataclasses.replace(real(body, **where), links=Links())

    monkeypatch.setattr(messages, "initiated", initiated)


@only_sqlite
def test_taken_without_a_link_is_not_known_until_the_bank_gives_it_back(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_a_link(monkeypatch)
    bank_waits_for(monkeypatch, minutes=60)
    invoice_id = journey.bill(number="c7", amount="50.00")
    payment_id = journey.confirm(invoice_id)
    assert journey.payment(payment_id).state == "unknown"
    assert journey.truth(payment_id) == "not_known"
    assert journey.invoice(invoice_id).state == "in_payment"
    assert journey.browser.get(f"/payments/{payment_id}/bank").headers["Location"] == f"/payments/{payment_id}"
    wait(journey, 1, *LOOKS_OF_AWAY)
    payment = journey.payment(payment_id)
    assert (payment.state, payment.reason) == ("cancelled", "not_approved_in_time")
    assert journey.invoice(invoice_id).state == "to_pay"


@only_sqlite
def test_taken_without_a_link_and_approved_in_the_banks_own_way(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_a_link(monkeypatch)
    invoice_id = journey.bill(number="c8", amount="50.00")
    payment_id = journey.confirm(invoice_id)
    with journey.services.reading() as uow:
        bank_payment_id = uow.session.scalars(select(Consent.bank_consent_id)).one()
        redirect_uri = uow.session.scalars(select(Trip.redirect_uri)).one()
    query = {
        "response_type": "code",
        "client_id": "quittance",
        "redirect_uri": redirect_uri,
        "scope": f"PIS:{bank_payment_id}",
        "state": "of the bank's app",
        "code_challenge": challenge(new_verifier()),
        "code_challenge_method": "S256",
    }
    journey.at_bank(f"{journey.person.base_url}/oauth2/authorize?{urlencode(query)}")
    wait(journey, 5, 121)
    assert journey.payment(payment_id).state == "settled"
    assert journey.invoice(invoice_id).state == "paid"
    assert len(journey.ledger()) == 1


def test_a_bank_that_repeats_an_id_settles_one_payment_only(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    real, ids = messages.initiated, []

    def initiated(body: bytes, **where: Any) -> Initiated:
        read = real(body, **where)
        ids.append(read.payment_id)
        return dataclasses.replace(read, payment_id=ids[0])

    monkeypatch.setattr(messages, "initiated", initiated)
    journey.pay(journey.bill(number="c9", amount="50.00"))
    other_invoice = journey.bill(number="c10", amount="70.00")
    other = journey.confirm(other_invoice)
    assert journey.payment(other).state == "initiating"
    wait(journey, *[120] * 7)
    payment = journey.payment(other)
    assert (payment.state, payment.reason) == ("rejected", "bank_unreachable")
    assert journey.invoice(other_invoice).state == "to_pay"
    assert [entry["amount"] for entry in journey.ledger()] == ["50.00"]
    assert len(ids) == 1 + 6
    with journey.services.reading() as uow:
        calls = select(BankCall.id).where(BankCall.payment_id == other)
        assert len(uow.session.scalars(select(BankAttempt).where(BankAttempt.call_id.in_(calls))).all()) == 6


# ----------------------------------------------------------------------------------------------------- after settlement


def test_taken_back_on_the_fifth_day_is_found_out_on_the_sixth(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    day_ms = 24 * 3600 * 1000
    taken_back = Step(status="RJCT", after_ms=5 * day_ms, reason=Reason.REVERSED)
    bank_does(
        monkeypatch, Scenario(meaning="taken back", timetable=(Step(status="ACSP"), Step(status="ACSC"), taken_back))
    )
    invoice_id = journey.bill(number="c11", amount=OURS)
    payment_id = journey.pay(invoice_id)
    for day in range(6):
        wait(journey, 86_400 - 60)
        assert journey.payment(payment_id).state == "settled", day
        wait(journey, 60)
    wait(journey, 300)  # it is asked once more before anybody is told
    payment = journey.payment(payment_id)
    assert (payment.state, payment.reason) == ("reversed", "reversed")
    assert journey.invoice(invoice_id).state == "to_pay"
    bank_does(monkeypatch, scenarios.ORDINARY)
    journey.browser.sign_in()
    second = journey.pay(invoice_id)
    journey.wait(5)
    assert journey.payment(second).state == "settled"
    assert sorted(entry["kind"] for entry in journey.ledger()) == ["debit", "debit", "reversal"]


@only_sqlite
def test_debited_and_later_credited_is_taken_up_and_told_once(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    credited = Step(status="ACCC", after_ms=2 * 3600 * 1000)
    bank_does(monkeypatch, Scenario(meaning="credited later", timetable=(Step(status="ACSP"), Step(status="ACSC"))))
    payment_id = journey.pay(journey.bill(number="c12", amount=OURS))
    settled = journey.payment(payment_id)
    assert (settled.state, settled.fact, settled.transaction_status) == ("settled", "debited", "ACSC")
    assert b"ACSC" in evidence_of(journey, payment_id)

    real = bank_payments.Payment.status_at

    def status_at(self: bank_payments.Payment, now_ms: int) -> bank_payments.Status:
        said = real(self, now_ms)
        return bank_payments.Status(code=credited.status) if said.code == "ACSC" else said

    monkeypatch.setattr(bank_payments.Payment, "status_at", status_at)
    wait(journey, 3600)
    payment = journey.payment(payment_id)
    assert (payment.state, payment.fact, payment.transaction_status) == ("settled", "credited", "ACCC")
    assert payment.settled_at == settled.settled_at
    with journey.services.reading() as uow:
        assert uow.session.scalar(select(func.count()).select_from(Receipt)) == 1


@only_sqlite
def test_the_banks_last_word_is_kept_and_the_answer_that_led_to_the_state(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank_does(monkeypatch, Scenario(meaning="ACTC, then ACSP", reads=("ACTC", "ACSP", "ACSP")))
    payment_id = journey.pay(journey.bill(number="c13", amount=OURS))
    accepted = journey.payment(payment_id)
    assert (accepted.state, accepted.transaction_status) == ("accepted", "ACTC")
    wait(journey, 3)
    payment = journey.payment(payment_id)
    assert (payment.state, payment.transaction_status) == ("accepted", "ACSP")
    assert b"ACTC" in evidence_of(journey, payment_id)
    wait(journey, 5, 16)
    payment = journey.payment(payment_id)
    assert (payment.state, payment.transaction_status) == ("settled", "ACSC")
    assert b"ACSC" in evidence_of(journey, payment_id)


def test_a_word_of_the_bank_may_be_longer_than_any_that_we_know(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL refuses what does not fit into its column: the payment would be stuck for ever."""
    real, word = messages.initiated, "X" * 36

    def initiated(body: bytes, **where: Any) -> Initiated:
        return dataclasses.replace(real(body, **where), transaction_status=word)

    monkeypatch.setattr(messages, "initiated", initiated)
    bank_does(monkeypatch, Scenario(meaning="a word of its own", reads=(word,)))
    payment_id = journey.confirm(journey.bill(number="c14", amount=OURS))
    payment = journey.payment(payment_id)
    assert (payment.state, payment.transaction_status) == ("awaiting_customer", "X" * 35)
    journey.browser.come_back(journey.at_bank(journey.browser.leave(payment_id)))
    payment = journey.payment(payment_id)
    assert (payment.state, payment.transaction_status) == ("awaiting_customer", "X" * 35)
    wait(journey, 3)
    assert journey.payment(payment_id).state == "settled"
