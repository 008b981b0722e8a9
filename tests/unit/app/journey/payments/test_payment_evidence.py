"""Evidence wins (K5): a record of the bank corrects what we closed, and a bill that is paid twice is owed back."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from app.db.events import EventRow
from app.db.unit_of_work import UnitOfWork
from app.db.work import WorkRow
from app.journey.payments.models import Payment
from app.journey.payments.reasons import Reason
from app.journey.payments.states import PaymentStep, Source
from app.journey.payments.step import believe, correct, raise_fence, step
from connectors.contract import Fact
from connectors.errors import BankSilent
from tests.unit.app.journey.house import CREDITED, DEBITED, MINUTE, House, said


def payment_of(uow: UnitOfWork, payment_id: str = "pay_1") -> Payment:
    return uow.session.get_one(Payment, payment_id, with_for_update=True)


def record(house: House, fact: Fact, payment_id: str = "pay_1") -> bool:
    """A line of the bank's statement."""
    with house.begin() as uow:
        moved = correct(uow, payment_of(uow, payment_id), fact, source=Source.STATEMENT, evidence="camt:1/1")
        uow.commit()
    return moved


# ----------------------------------------------------------------------------------------------------- what a step does


def test_a_step_writes_down_by_whose_word_why_and_the_banks_bytes(house: House) -> None:
    house.approved()
    house.clock.tick(minutes=1)
    with house.begin() as uow:
        moved = step(
            uow,
            payment_of(uow),
            PaymentStep.BANK_REJECT,
            source=Source.BANK,
            evidence="bank:RJCT",
            reason=Reason.NO_FUNDS,
            answer=b"the bank's bytes",
        )
        uow.commit()
    assert moved is True
    payment = house.payment()
    assert (payment.state, payment.reason, payment.updated_at) == ("rejected", "no_funds", house.clock.now)
    assert house.history()[-1] == ("awaiting_customer", "rejected", "bank", "bank:RJCT")
    assert house.last_answer() == b"the bank's bytes"
    assert house.consent().state == "rejected"
    assert house.secrets() == {"token"}  # those of the trip are gone
    with house.services.reading() as uow:
        told = uow.session.scalars(select(EventRow.payload).where(EventRow.kind == "PaymentFailed")).all()
    assert told == [{"payment_id": "pay_1", "sequence": payment.sequence}]


def test_what_is_not_over_keeps_the_secrets_of_its_trip(house: House) -> None:
    house.approved()
    house.follow(said("ACSP", Fact.ACCEPTED))
    assert house.secrets() == {"state", "verifier", "answer", "token"}
    assert house.payment().accepted_at == house.clock.now
    assert house.consent().state == "authorised"
    accepted_at = house.clock.now
    house.clock.tick(minutes=1)
    house.follow(DEBITED)
    assert (house.payment().accepted_at, house.payment().settled_at) == (accepted_at, house.clock.now)
    assert house.consent().state == "consumed"


def test_what_is_settled_at_once_was_accepted_at_once(house: House) -> None:
    house.settled()
    assert house.payment().accepted_at == house.payment().settled_at == house.clock.now
    assert house.told() == ["PaymentDecided", "CustomerReturned", "PaymentSettled"]


def test_a_reason_and_a_promise_belong_to_one_state(house: House) -> None:
    house.approved()
    house.follow(BankSilent("no answer"))
    assert house.payment().know_by is not None
    house.not_found()
    assert (house.payment().know_by, house.payment().reason) == (None, "not_known_at_bank")
    assert record(house, Fact.DEBITED)
    assert (house.payment().reason, house.payment().fact) == (None, "debited")


def test_a_discount_goes_with_the_claim_of_its_payment(house: House) -> None:
    house.bill(discount=200)
    house.stage()
    house.come_back(house.leave())
    house.exchange(BankSilent("no answer"))
    house.follow(DEBITED)
    assert house.balances() == {"settled:blr_1": 9700, "adjust:blr_1": 200, "biller:blr_1": -9900}


def test_the_fence_only_ever_moves_away(house: House) -> None:
    now = house.clock.now
    payment = Payment()
    raise_fence(payment, now)
    assert payment.fence_at == now
    raise_fence(payment, now - MINUTE)
    assert payment.fence_at == now
    raise_fence(payment, now + MINUTE)
    assert payment.fence_at == now + MINUTE


# ------------------------------------------------------------------------------------------------- a record of the bank


@pytest.mark.parametrize(
    ("fact", "moved", "state", "reason"),
    [
        (Fact.DEBITED, True, "settled", None),
        (Fact.CREDITED, True, "settled", None),
        (Fact.REJECTED, True, "rejected", "rejected_by_bank"),
        (Fact.CANCELLED, True, "cancelled", "rejected_by_bank"),
        (Fact.WAITING, False, "unknown", None),
        (Fact.UNKNOWN, False, "unknown", None),
        (Fact.NOT_FOUND, False, "unknown", None),
    ],
)
def test_a_record_of_the_bank_ends_what_is_not_known(
    house: House, fact: Fact, moved: bool, state: str, reason: str | None
) -> None:
    house.approved()
    house.follow(BankSilent("no answer"))
    assert record(house, fact) is moved
    payment = house.payment()
    assert (payment.state, payment.reason) == (state, reason)
    assert payment.fact == (fact.value if state == "settled" else None)
    if moved:
        assert house.history()[-1] == ("unknown", state, "statement", "camt:1/1")
        assert house.last_answer() is None


def test_what_a_record_settled_the_bank_itself_is_asked_about_an_hour_later(house: House) -> None:
    house.approved()
    house.follow(said("ACSP", Fact.ACCEPTED))
    house.clock.tick(minutes=1)
    with house.begin() as uow:
        payment = payment_of(uow)
        payment.next_look_at = None
        uow.session.execute(update(WorkRow).values(run_at=house.clock.now + 1000 * MINUTE))
        uow.commit()
    assert record(house, Fact.DEBITED) is True
    assert house.due() == {"pay_1": house.clock.now + 60 * MINUTE}
    assert house.payment().next_look_at == house.clock.now + 60 * MINUTE


@pytest.mark.parametrize("fact", [Fact.REJECTED, Fact.CANCELLED])
def test_a_record_takes_back_what_was_settled(house: House, fact: Fact) -> None:
    house.settled()
    assert record(house, fact) is True
    assert (house.payment().state, house.payment().reason) == ("reversed", "reversed")
    assert house.balances() == {"due:inv_1": 9900, "biller:blr_1": -9900}


def test_debited_and_then_credited_it_has_arrived(house: House) -> None:
    house.settled()
    assert house.payment().fact == "debited"
    sequence = house.payment().sequence
    assert record(house, Fact.DEBITED) is False
    assert house.payment().fact == "debited"
    assert record(house, Fact.CREDITED) is False
    assert (house.payment().fact, house.payment().sequence) == ("credited", sequence)
    assert record(house, Fact.DEBITED) is False
    assert house.payment().fact == "credited"  # what has arrived does not go back on its way


def test_closed_by_us_and_executed_after_all_it_is_paid(house: House) -> None:
    house.approved()
    house.not_found()
    assert house.consent().state == "rejected"
    house.clock.tick(minutes=1)
    with house.begin() as uow:
        assert believe(uow, payment_of(uow), CREDITED, reason=None) is True
        uow.commit()
    payment = house.payment()
    assert (payment.state, payment.fact, payment.reason) == ("settled", "credited", None)
    assert (payment.settled_at, payment.accepted_at) == (house.clock.now, house.clock.now)
    assert house.history()[-1] == ("rejected", "settled", "bank", "bank:ACCC")
    assert house.last_answer() == b"ACCC"
    assert house.consent().state == "consumed"
    assert house.invoice().state == "paid"
    assert house.balances() == {"settled:blr_1": 9900, "biller:blr_1": -9900}


# ----------------------------------------------------------------------------------------------------------- paid twice


def put(house: House, payment_id: str, **values: object) -> None:
    with house.begin() as uow:
        uow.session.execute(update(Payment).where(Payment.id == payment_id).values(**values))
        uow.commit()


def twice(house: House, second: str) -> None:
    """The first payment was closed, and another one took the bill: the customer has not left for it, or is away."""
    house.approved()
    house.not_found()
    house.stage("pay_2")
    if second != "staged":
        house.leave("pay_2")
    if second == "settled":
        with house.begin() as uow:
            step(uow, payment_of(uow, "pay_2"), PaymentStep.BANK_SETTLE, source=Source.BANK, evidence="bank:ACSC")
            uow.commit()
    house.clock.tick(minutes=1)


@pytest.mark.parametrize(
    ("state", "after"), [("awaiting_customer", "cancelled"), ("initiating", "rejected"), ("prepared", "rejected")]
)
def test_the_other_payment_is_stopped_while_nobody_has_left_for_it(house: House, state: str, after: str) -> None:
    twice(house, "staged")
    put(house, "pay_2", state=state)
    assert record(house, Fact.DEBITED) is True
    other = house.payment("pay_2")
    assert (other.state, other.reason, other.unwanted_since) == (after, "paid_otherwise", None)
    assert house.history("pay_2")[-1] == (state, after, "worker", "paid by pay_1")
    assert house.payment().state == "settled"
    assert house.invoice().state == "paid"  # what was stopped first has left the bill to what was executed
    assert house.balances() == {"settled:blr_1": 9900, "biller:blr_1": -9900}


def test_the_other_payment_is_asked_about_at_once_when_its_customer_is_at_the_bank(house: House) -> None:
    twice(house, "away")
    assert record(house, Fact.DEBITED) is True
    other = house.payment("pay_2")
    assert (other.state, other.unwanted_since) == ("awaiting_customer", house.clock.now)
    assert house.due()["pay_2"] == house.clock.now
    assert house.balances() == {
        "inflight:pay_2": 9900,
        "settled:blr_1": 9900,
        "adjust:blr_1": -9900,
        "biller:blr_1": -9900,
    }


def test_what_cannot_be_stopped_any_more_is_owed_back(house: House) -> None:
    twice(house, "settled")
    looks = house.due()
    assert record(house, Fact.DEBITED) is True
    other = house.payment("pay_2")
    assert (other.state, other.unwanted_since) == ("settled", None)
    assert house.due() == looks
    assert house.invoice().state == "paid"
    assert house.balances() == {"settled:blr_1": 2 * 9900, "adjust:blr_1": -9900, "biller:blr_1": -9900}


def test_when_what_paid_the_bill_is_taken_back_the_other_payment_need_not_give_way_any_more(house: House) -> None:
    twice(house, "away")
    assert record(house, Fact.DEBITED) is True
    assert house.payment("pay_2").unwanted_since is not None
    house.bill("3")
    house.stage("pay_3", invoice_id="inv_3")
    put(house, "pay_3", unwanted_since=house.clock.now)
    assert record(house, Fact.REJECTED) is True
    assert house.payment().state == "reversed"
    assert house.payment("pay_2").unwanted_since is None
    assert house.payment("pay_3").unwanted_since == house.clock.now  # of another bill


def test_while_a_third_payment_has_paid_the_bill_the_other_one_stays_unwanted(house: House) -> None:
    twice(house, "away")
    assert record(house, Fact.DEBITED) is True
    since = house.payment("pay_2").unwanted_since
    house.bill("3")
    house.stage("pay_3", invoice_id="inv_3")
    put(house, "pay_3", invoice_id="inv_1", state="settled")
    assert record(house, Fact.REJECTED) is True
    assert house.payment("pay_2").unwanted_since == since


def test_a_payment_of_another_bill_is_left_alone(house: House) -> None:
    twice(house, "settled")
    house.bill("3")
    house.stage("pay_3", invoice_id="inv_3")
    assert record(house, Fact.DEBITED) is True
    assert house.payment("pay_3").unwanted_since is None
    assert house.payment("pay_3").state == "awaiting_customer"


def test_what_the_bank_has_accepted_is_not_stopped(house: House) -> None:
    twice(house, "away")
    put(house, "pay_2", state="accepted")
    assert record(house, Fact.DEBITED) is True
    assert (house.payment("pay_2").state, house.payment("pay_2").unwanted_since) == ("accepted", None)


def test_when_the_other_payment_ends_without_effect_nothing_is_owed_back(house: House) -> None:
    twice(house, "away")
    assert record(house, Fact.DEBITED) is True
    assert house.balances()["adjust:blr_1"] == -9900
    assert record(house, Fact.CANCELLED, "pay_2") is True
    assert house.invoice().state == "paid"
    assert house.balances() == {"settled:blr_1": 9900, "biller:blr_1": -9900}


def test_a_payment_without_a_consent_takes_its_steps_all_the_same(house: House) -> None:
    house.bill()
    house.decide()
    house.bank.answers["draft"] = ValueError("too much")
    house.run("payments.initiate")
    assert house.payment().consent_id is None
    assert record(house, Fact.DEBITED) is True
    assert house.payment().settled_at == house.clock.now
