"""A bill that is approved now for a later day: its bank keeps the payment until then, and carries it out by itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from app.journey.decisions.models import Decision
from app.journey.payments.models import BankAttempt, BankCall, PaymentHistory
from app.people import stops
from app.people.sessions import SignedIn
from tests.support.journey import Journey

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

pytestmark = pytest.mark.long_on_postgres

#: the clock of these tests stands on 23 November 2026, a Monday
TODAY, THURSDAY, SATURDAY = dt.date(2026, 11, 23), dt.date(2026, 11, 26), dt.date(2026, 11, 28)
HOUR_S = 3600


class Away:
    """A bank that takes nothing in."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("503 Service Unavailable", [("Content-Type", "text/plain")])
        return [b"maintenance"]


@dataclass
class Deaf:
    """The bank, and a network on which the first answer to a cancellation gets lost."""

    app: WSGIApplication
    lost: int = 1

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "DELETE" or not self.lost:
            return self.app(environ, start_response)
        self.lost -= 1
        list(self.app(environ, lambda *_: lambda _: None))
        raise TimeoutError


def until(journey: Journey, day: dt.date, hour: int) -> None:
    """It is that hour where the customer is. Whoever waits so long signs in again."""
    then = dt.datetime.combine(day, dt.time(hour), dt.UTC)
    journey.wait((then - journey.clock()).total_seconds())
    if journey.browser.get("/bills").status_code != 200:
        assert journey.browser.sign_in().status_code == 200


def words(journey: Journey, path: str) -> str:
    return " ".join(journey.browser.page(path).get_text(" ").split())


def ask_for_it_back(journey: Journey, payment_id: str) -> None:
    path = f"/payments/{payment_id}"
    answer = journey.browser.post(f"{path}/take-back", token=journey.browser.token(path))
    assert (answer.status_code, answer.location) == (303, path)


def cancellations(journey: Journey, payment_id: str) -> list[str | None]:
    """What came of each time that the bank was asked to drop it."""
    with journey.services.reading() as uow:
        return list(
            uow.session.scalars(
                select(BankAttempt.outcome)
                .join(BankCall, BankCall.id == BankAttempt.call_id)
                .where(BankCall.payment_id == payment_id, BankCall.verb == "cancel")
                .order_by(BankAttempt.number)
            )
        )


def test_it_is_approved_now_kept_by_the_bank_and_paid_on_its_day(journey: Journey) -> None:
    invoice_id = journey.bill(number="2026-1", amount="84.20")
    assert "Or approve it now: your bank keeps it until that day" in words(journey, f"/bills/{invoice_id}/later")
    offered = words(journey, f"/bills/{invoice_id}/later?bank=horizon")
    assert "Or approve it now: Horizon Bank keeps it until that day" in offered
    shown = words(journey, f"/bills/{invoice_id}/pay?bank=horizon&on={THURSDAY}")
    assert "Then Horizon Bank keeps it, and carries it out on that day by itself." in shown
    assert "Until the end of Wednesday, 25 November 2026 at the latest you can ask the bank to cancel it" in shown

    payment_id = journey.pay(invoice_id, on=THURSDAY)
    journey.wait(5)
    assert journey.truth(payment_id) == "kept"
    payment = journey.payment(payment_id)
    assert (payment.state, payment.transaction_status, payment.send_from) == ("accepted", "ACTC", None)
    assert payment.kept_until == dt.datetime(2026, 11, 26, tzinfo=dt.UTC)
    assert journey.ledger(payment.end_to_end_id) == []
    with journey.services.reading() as uow:
        decision = uow.session.scalars(select(Decision)).one()
    assert (decision.verb, decision.pay_on, decision.consent_id) == ("pay_on_day", THURSDAY, None)
    assert (decision.evidence["order"]["day"], decision.evidence["order"]["kept_by"]) == (str(THURSDAY), "horizon")
    assert "Horizon Bank pays it on" in words(journey, f"/payments/{payment_id}")
    assert "as you have approved there." in words(journey, f"/bills/{invoice_id}")
    assert "To be paid on" in words(journey, "/bills")

    until(journey, dt.date(2026, 11, 25), 23)
    assert journey.ledger(payment.end_to_end_id) == []
    until(journey, THURSDAY, 1)
    assert journey.payment(payment_id).state == "settled"
    [entry] = journey.ledger(payment.end_to_end_id)
    assert (entry["amount"], entry["kind"]) == ("84.20", "debit")
    assert journey.invoice(invoice_id).state == "paid"
    assert journey.truth(payment_id) == "done"


def test_the_bank_is_asked_rarely_until_the_day(journey: Journey) -> None:
    payment_id = journey.pay(journey.bill(), on=dt.date(2026, 12, 23))
    journey.wait(5)
    looks = set()
    for _ in range(10 * 24):
        journey.wait(HOUR_S)
        looks.add(journey.payment(payment_id).looked_at)
    assert len(looks) <= 10 * 2 + 5  # the first ones after the approval among them
    assert journey.payment(payment_id).state == "accepted"


def test_it_is_asked_back_and_the_bank_drops_it(journey: Journey) -> None:
    invoice_id = journey.bill(number="2026-1")
    payment_id = journey.pay(invoice_id, on=THURSDAY)
    journey.wait(5)
    ask_for_it_back(journey, payment_id)
    assert (journey.payment(payment_id).state, journey.payment(payment_id).reason) == (
        "cancelled",
        "stopped_by_customer",
    )
    assert cancellations(journey, payment_id) == ["dropped"]
    assert "Horizon Bank cancelled the payment, as you wished." in words(journey, f"/payments/{payment_id}")
    assert journey.invoice(invoice_id).state == "to_pay"
    until(journey, THURSDAY, 9)
    assert journey.ledger(journey.payment(payment_id).end_to_end_id) == []
    again = journey.pay(invoice_id)
    journey.wait(5)
    assert journey.truth(again) == "done"


def test_asked_back_while_the_bank_is_away_it_is_dropped_once_the_bank_is_there(journey: Journey) -> None:
    payment_id = journey.pay(journey.bill(), on=THURSDAY)
    journey.wait(5)
    bank, journey.bank_wire.app = journey.bank_wire.app, Away()
    ask_for_it_back(journey, payment_id)
    assert journey.truth(payment_id) == "kept"
    assert "You want it cancelled: we are asking Horizon Bank to drop it." in words(journey, f"/payments/{payment_id}")
    journey.wait(HOUR_S)
    journey.bank_wire.app = bank
    journey.wait(HOUR_S)
    assert journey.payment(payment_id).state == "cancelled"


def test_on_its_day_it_is_too_late_to_ask_for_it_back(journey: Journey) -> None:
    payment_id = journey.pay(journey.bill(amount="84.20"), on=THURSDAY)
    journey.wait(5)
    journey.clock.now = dt.datetime(2026, 11, 26, 0, 1, tzinfo=dt.UTC)  # nobody works meanwhile
    journey.browser.sign_in()
    token = journey.browser.token(f"/payments/{payment_id}")
    assert journey.browser.post(f"/payments/{payment_id}/take-back", token=token).status_code == 303
    assert journey.payment(payment_id).take_back_since is None
    journey.wait(5)
    assert journey.payment(payment_id).state == "settled"


def test_a_bill_that_is_corrected_meanwhile_has_its_payment_dropped(journey: Journey) -> None:
    invoice_id = journey.bill(number="2026-1", amount="100.00")
    payment_id = journey.pay(invoice_id, on=THURSDAY)
    journey.wait(5)
    journey.deliver(number="C-1", amount="30.00", kind="credit_note", corrects="2026-1", reference=None)
    journey.wait(5)
    assert (journey.payment(payment_id).state, journey.payment(payment_id).reason) == ("cancelled", "bill_corrected")
    assert journey.invoice(invoice_id).state == "to_pay"
    until(journey, THURSDAY, 9)
    assert journey.ledger() == []


def test_stopping_everything_has_it_dropped(journey: Journey) -> None:
    payment_id = journey.pay(journey.bill(), on=THURSDAY)
    journey.wait(5)
    stops.stop_everything(journey.services, signed_in=SignedIn(journey.customer, "ses_1", read_only=False))
    journey.wait(5)
    assert (journey.payment(payment_id).state, journey.payment(payment_id).reason) == ("cancelled", "stopped_all")


def test_until_it_is_approved_it_is_any_payment(journey: Journey) -> None:
    invoice_id = journey.bill()
    payment_id = journey.confirm(invoice_id, on=THURSDAY)
    path = f"/payments/{payment_id}/leave"
    assert "26 November" in words(journey, path)
    journey.browser.post(f"/payments/{payment_id}/cancel", token=journey.browser.token(path))
    assert journey.payment(payment_id).state == "cancelled"
    refused = journey.pay(invoice_id, on=THURSDAY, decision="refuse")
    journey.wait(5)
    assert journey.payment(refused).state in ("rejected", "cancelled")


@pytest.mark.parametrize("on", [TODAY, SATURDAY, dt.date(2026, 12, 25), dt.date(2028, 1, 3)])
def test_a_day_on_which_banks_do_not_work_or_that_is_none_is_not_signed(journey: Journey, on: dt.date) -> None:
    invoice_id = journey.bill()
    token = journey.browser.token(f"/bills/{invoice_id}")
    answer = journey.browser.start_signing(invoice_id, token, "0" * 64, on=on)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "pay_on")
    form = {"other": str(on), "bank": "horizon"}
    page = journey.browser.post(f"/bills/{invoice_id}/later", token=token, form=form)
    assert page.status_code == 422
    assert "Choose a day on which banks work" in page.text


def test_any_day_on_which_banks_work_is_looked_at_and_signed_next(journey: Journey) -> None:
    invoice_id = journey.bill()
    form = {"other": str(THURSDAY), "bank": "horizon"}
    answer = journey.browser.post(
        f"/bills/{invoice_id}/later", token=journey.browser.token(f"/bills/{invoice_id}"), form=form
    )
    assert answer.status_code == 303
    assert answer.location.endswith(f"/bills/{invoice_id}/pay?bank=horizon&on={THURSDAY}")


def test_the_discount_is_that_of_the_day(journey: Journey) -> None:
    discounts = [{"until": str(THURSDAY), "amount": "4.20"}]
    invoice_id = journey.bill(amount="84.20", due_on="2026-12-20", discounts=discounts)
    payment_id = journey.pay(invoice_id, on=THURSDAY)
    assert str(journey.payment(payment_id).amount) == "80.00"
    ask_for_it_back_after_approval(journey, payment_id)
    later = journey.pay(invoice_id, on=dt.date(2026, 11, 27))
    assert str(journey.payment(later).amount) == "84.20"


def ask_for_it_back_after_approval(journey: Journey, payment_id: str) -> None:
    journey.wait(5)
    ask_for_it_back(journey, payment_id)
    assert journey.payment(payment_id).state == "cancelled"


def test_a_lost_answer_to_the_cancellation_is_found_by_the_status(journey: Journey) -> None:
    payment_id = journey.pay(journey.bill(), on=THURSDAY)
    journey.wait(5)
    journey.bank_wire.app = Deaf(journey.bank_wire.app)
    ask_for_it_back(journey, payment_id)
    journey.wait(60)
    assert (journey.payment(payment_id).state, journey.payment(payment_id).reason) == (
        "cancelled",
        "stopped_by_customer",
    )


def test_nothing_else_is_asked_back(journey: Journey) -> None:
    payment_id = journey.pay(journey.bill())
    journey.wait(5)
    ask_for_it_back(journey, payment_id)
    assert journey.payment(payment_id).take_back_since is None
    with journey.services.reading() as uow:
        lines = uow.session.scalars(select(PaymentHistory.after).where(PaymentHistory.payment_id == payment_id)).all()
    assert lines[-1] == "settled"
