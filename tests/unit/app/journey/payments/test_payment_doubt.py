"""What was closed and is accepted after all is not known again, and nobody is offered its bill meanwhile."""

from __future__ import annotations

import datetime as dt

import pytest

from app.db import work
from app.errors import TooLate
from app.journey.payments import looks
from app.journey.payments import service as payments
from app.journey.payments.access import locked
from app.journey.payments.looks import follow_from
from app.journey.payments.models import Payment
from app.journey.payments.read import payment_view
from app.journey.payments.states import Source, Truth
from app.journey.payments.step import correct, doubt
from app.journey.reconciliation.read import Code, differences
from app.journey.route import HANDLERS
from app.services import Task
from connectors.contract import BankStatus, Fact
from tests.support import factories
from tests.unit.app.journey.house import (
    ACCEPTED,
    CANCELLED,
    DEBITED,
    MINUTE,
    NOT_FOUND,
    REJECTED,
    SILENT,
    STRANGE,
    WAITING,
    House,
)

SECOND = dt.timedelta(seconds=1)
TICK = dt.timedelta(microseconds=1)
DAY = dt.timedelta(days=1)

BILLED = {"due:inv_1": 9900, "biller:blr_1": -9900}


@pytest.fixture
def closed(house: House) -> House:
    """Approved, and then rejected by the bank; an hour later it is looked at once more."""
    house.approved()
    house.follow(REJECTED)
    house.clock.tick(hours=1)
    return house


def look(house: House, answer: BankStatus | Exception, payment_id: str = "pay_1") -> None:
    """The bank is asked about this one now, whenever it was to be."""
    with house.begin() as uow:
        follow_from(uow, uow.session.get_one(Payment, payment_id), run_at=uow.now)
        claim = work.claim_key(uow.session, key=looks.work_key(payment_id), now=uow.now)
        uow.commit()
    assert claim is not None
    house.bank.answers["status"] = answer
    HANDLERS[looks.HANDLER](Task(services=house.services, claim=claim))


def by_statement(house: House) -> None:
    with house.begin() as uow:
        assert correct(uow, locked(uow.session, "pay_1"), Fact.DEBITED, source=Source.STATEMENT, evidence="camt:1/1")
        uow.commit()


def another(house: House, payment_id: str = "pay_2") -> None:
    """The customer pays the bill once more, and goes to the bank for it."""
    house.stage(payment_id)
    house.leave(payment_id)


def test_what_happened_while_it_was_closed_makes_it_unwanted(closed: House) -> None:
    """It passed by what was closed, and is asked about now."""
    with closed.begin() as uow:
        factories.stop_everything(uow, customer_id=closed.customer.id)
        uow.commit()
    closed.follow(ACCEPTED)
    payment = closed.payment()
    assert (payment.state, payment.unwanted_since) == ("unknown", closed.clock.now)


def test_its_bill_is_kept_and_the_bank_asked_soon(closed: House) -> None:
    house, now = closed, closed.clock.now
    house.follow(ACCEPTED)
    payment = house.payment()
    assert (payment.state, payment.reason, payment.doubted_since) == ("unknown", None, now)
    assert payment.know_by is not None
    assert payment.know_by > now
    assert house.invoice().state == "in_payment"
    assert house.balances() == {"inflight:pay_1": 9900, "biller:blr_1": -9900}
    assert house.consent().state == "authorised"
    assert house.history()[-1] == ("rejected", "unknown", "bank", "bank:ACSP")
    assert house.last_answer() == b"ACSP"
    assert house.told()[-1] == "PaymentUnknown"
    assert house.due() == {"pay_1": now + 2 * SECOND}


def test_its_customer_reads_that_it_is_not_known_again(closed: House) -> None:
    closed.follow(ACCEPTED)
    with closed.services.reading() as uow:
        view = payment_view(uow.session, "pay_1", now=uow.now)
    assert (view.truth, view.may_pay_again, view.doubted) == (Truth.NOT_KNOWN, False, True)
    closed.clock.tick(minutes=5)
    look(closed, ACCEPTED)
    with closed.services.reading() as uow:
        view = payment_view(uow.session, "pay_1", now=uow.now)
    assert (view.truth, view.doubted) == (Truth.ACCEPTED, False)


def test_said_again_five_minutes_later_it_goes_its_way(closed: House) -> None:
    first = closed.clock.now
    closed.follow(ACCEPTED)
    closed.clock.now = first + 5 * MINUTE - TICK
    look(closed, ACCEPTED)
    assert (closed.payment().state, closed.payment().doubted_since) == ("unknown", first)
    closed.clock.now = first + 5 * MINUTE
    look(closed, ACCEPTED)
    assert (closed.payment().state, closed.payment().doubted_since) == ("accepted", None)
    look(closed, DEBITED)
    assert closed.payment().state == "settled"
    assert closed.consent().state == "consumed"
    assert closed.balances() == {"settled:blr_1": 9900, "biller:blr_1": -9900}


@pytest.mark.parametrize("answer", [REJECTED, NOT_FOUND], ids=lambda answer: answer.transaction_status)
def test_a_stale_word_holds_the_bill_no_longer_than_it_stands(closed: House, answer: BankStatus) -> None:
    """As often as it comes: each taking is given back once."""
    for _ in range(3):
        look(closed, ACCEPTED)
        assert (closed.payment().state, closed.invoice().state) == ("unknown", "in_payment")
        look(closed, answer)
        assert (closed.payment().state, closed.invoice().state) == ("rejected", "to_pay")
        assert (closed.payment().doubted_since, closed.payment().know_by) == (None, None)
        assert closed.consent().state == "rejected"
        assert closed.balances() == BILLED


def test_waiting_ends_the_doubt_and_not_the_question_and_nothing_is_taken_back(closed: House) -> None:
    closed.clock.tick(days=2)
    look(closed, ACCEPTED)
    closed.clock.tick(seconds=2)
    look(closed, WAITING)
    payment = closed.payment()
    assert (payment.state, payment.doubted_since) == ("unknown", None)
    assert closed.due()["pay_1"] <= (payment.know_by or closed.clock.now)
    assert "cancel" not in closed.bank.verbs()


def test_promises_of_an_earlier_time_are_told_no_more(house: House) -> None:
    house.approved()
    look(house, SILENT)
    house.clock.tick(days=2)
    look(house, SILENT)
    assert house.payment().promises_broken > 0
    look(house, REJECTED)
    look(house, ACCEPTED)
    assert (house.payment().state, house.payment().promises_broken) == ("unknown", 0)


def test_an_answer_counts_for_the_time_at_which_it_was_asked_for(house: House) -> None:
    """Whoever heard it may have been frozen since: "not found" of before the fence says nothing after it."""
    house.approved()
    fence = house.payment().fence_at
    assert fence is not None
    house.clock.now = fence

    def freeze() -> None:
        house.clock.tick(days=1)
        house.bank.meanwhile = lambda: None

    house.bank.meanwhile = freeze
    look(house, NOT_FOUND)
    assert house.payment().state == "unknown"
    look(house, NOT_FOUND)
    assert house.payment().state == "rejected"


def test_while_another_payment_has_the_bill_it_holds_nothing_and_is_owed_back_if_executed(closed: House) -> None:
    house, first = closed, closed.clock.now
    another(house)
    look(house, ACCEPTED)
    assert (house.payment().state, house.payment().doubted_since) == ("unknown", first)
    assert house.payment().unwanted_since is None  # the other one came later, and gives way to it
    assert house.due()["pay_1"] == first + 2 * SECOND
    assert house.balances() == {"inflight:pay_2": 9900, "biller:blr_1": -9900}
    look(house, DEBITED, "pay_2")
    house.clock.now = first + 5 * MINUTE
    look(house, ACCEPTED)
    assert (house.payment().state, house.payment().doubted_since) == ("accepted", None)
    look(house, DEBITED)
    assert (house.payment().state, house.invoice().state) == ("settled", "paid")
    assert house.balances() == {"settled:blr_1": 2 * 9900, "adjust:blr_1": -9900, "biller:blr_1": -9900}
    with house.services.reading() as uow:
        views = [payment_view(uow.session, each, now=uow.now) for each in ("pay_1", "pay_2")]
    assert [view.on_top and view.on_top.minor for view in views] == [9900, None]


def test_what_found_nothing_left_may_end_without_effect(closed: House) -> None:
    house = closed
    another(house)
    look(house, ACCEPTED)
    look(house, DEBITED, "pay_2")
    look(house, REJECTED)
    assert (house.payment().state, house.invoice().state) == ("rejected", "paid")
    assert house.balances() == {"settled:blr_1": 9900, "biller:blr_1": -9900}


def test_when_that_other_payment_ends_the_bill_is_not_offered(closed: House) -> None:
    house = closed
    another(house)
    look(house, ACCEPTED)
    first = house.clock.now
    house.clock.tick(minutes=1)
    house.not_found("pay_2")
    assert (house.payment().state, house.payment().doubted_since) == ("unknown", first)
    assert house.history()[-1] == ("rejected", "unknown", "bank", "bank:ACSP")
    assert house.invoice().state == "in_payment"
    assert house.balances() == {"inflight:pay_1": 9900, "biller:blr_1": -9900}


def test_nor_when_it_is_taken_back(closed: House) -> None:
    house = closed
    another(house)
    look(house, DEBITED, "pay_2")
    look(house, ACCEPTED)
    assert (house.payment().state, house.invoice().state) == ("unknown", "paid")
    assert house.payment().unwanted_since is not None
    house.clock.tick(hours=1)
    look(house, REJECTED, "pay_2")
    house.clock.tick(minutes=5)
    look(house, REJECTED, "pay_2")
    assert house.payment("pay_2").state == "reversed"
    assert (house.payment().state, house.invoice().state) == ("unknown", "in_payment")
    assert house.payment().unwanted_since is None
    assert house.balances() == {"inflight:pay_1": 9900, "biller:blr_1": -9900}


def test_of_two_such_payments_the_earlier_one_has_it(closed: House) -> None:
    house = closed
    another(house)
    look(house, REJECTED, "pay_2")
    another(house, "pay_3")
    for payment_id in ("pay_1", "pay_2"):
        look(house, ACCEPTED, payment_id)
    house.not_found("pay_3")
    assert [house.payment(payment_id).state for payment_id in ("pay_1", "pay_2")] == ["unknown", "unknown"]
    assert house.balances() == {"inflight:pay_1": 9900, "biller:blr_1": -9900}
    house.not_found("pay_1")
    assert [house.payment(payment_id).state for payment_id in ("pay_1", "pay_2")] == ["rejected", "unknown"]
    assert house.balances() == {"inflight:pay_2": 9900, "biller:blr_1": -9900}


def test_what_an_operator_ended_a_status_that_says_the_same_as_before_does_not_undo(house: House) -> None:
    house.approved()
    house.follow(ACCEPTED)
    house.clock.tick(hours=1)
    with house.begin() as uow:
        payments.resolve(uow, payment_id="pay_1", executed=False, because="A. Martin by telephone, ticket 4711")
        uow.commit()
    house.clock.tick(hours=1)
    look(house, ACCEPTED)
    assert (house.payment().state, house.payment().doubted_since) == ("rejected", None)
    with house.services.reading() as uow:
        [one] = differences(uow.session)
    assert (one.code, one.payment_id) == (Code.STATUS_OTHERWISE, "pay_1")
    look(house, WAITING)
    with house.services.reading() as uow:
        assert differences(uow.session) == []
    look(house, ACCEPTED)
    assert house.payment().state == "rejected"
    look(house, NOT_FOUND)  # now it agrees: from here on its words count again
    look(house, ACCEPTED)
    assert house.payment().state == "unknown"


@pytest.mark.parametrize("between", [WAITING, STRANGE, ACCEPTED], ids=lambda answer: answer.transaction_status)
def test_what_a_statement_refuted_does_not_become_news_by_another_word(closed: House, between: BankStatus) -> None:
    """Otherwise a stale copy in between would have the bill offered that was paid."""
    by_statement(closed)
    for answer in (REJECTED, between, REJECTED):
        closed.clock.tick(minutes=10)
        look(closed, answer)
    assert (closed.payment().state, closed.payment().status_says) == ("settled", "opposite")
    assert closed.invoice().state == "paid"


def test_but_what_the_bank_itself_agreed_with_it_may_take_back(closed: House) -> None:
    by_statement(closed)
    look(closed, REJECTED)
    look(closed, DEBITED)
    assert closed.payment().status_says == "same"
    for _ in range(2):
        closed.clock.tick(minutes=10)
        look(closed, REJECTED)
    assert (closed.payment().state, closed.payment().status_says) == ("reversed", None)


@pytest.mark.parametrize("answer", [SILENT, NOT_FOUND], ids=str)
def test_a_bank_that_says_nothing_is_not_said_to_contradict(closed: House, answer: BankStatus | Exception) -> None:
    by_statement(closed)
    closed.clock.tick(hours=1)
    look(closed, answer)
    with closed.services.reading() as uow:
        assert differences(uow.session) == []


def test_an_operators_no_ends_it_also_while_another_one_has_its_bill(closed: House) -> None:
    another(closed)
    look(closed, ACCEPTED)
    with closed.begin() as uow:
        assert payments.resolve(uow, payment_id="pay_1", executed=False, because="A. Martin by telephone, ticket 4711")
        uow.commit()
    assert closed.payment().state == "rejected"
    assert closed.payment("pay_2").unwanted_since is None
    look(closed, ACCEPTED)
    assert (closed.payment().state, closed.payment().status_says) == ("rejected", "opposite")


@pytest.mark.parametrize("decided_only", [False, True])
def test_a_payment_that_nobody_can_approve_yet_gives_way(closed: House, decided_only: bool) -> None:
    """Its link was given to nobody: to give it out now could pay the bill twice."""
    house = closed
    house.decide("pay_2") if decided_only else house.stage("pay_2")
    look(house, ACCEPTED)
    if decided_only:
        assert house.payment().state == "unknown"
        assert house.balances() == {"inflight:pay_2": 9900, "biller:blr_1": -9900}
        house.run("payments.initiate")
    assert house.payment("pay_2").reason == "another_under_way"
    assert (house.payment().state, house.invoice().state) == ("unknown", "in_payment")
    assert house.balances() == {"inflight:pay_1": 9900, "biller:blr_1": -9900}
    with pytest.raises(TooLate):
        house.leave("pay_2")


def test_one_that_can_be_approved_already_is_dropped_at_the_bank(closed: House) -> None:
    """Its customer holds the link: to approve it now could pay the bill twice."""
    house, first = closed, closed.clock.now
    another(house)
    look(house, ACCEPTED)
    with house.services.reading() as uow:
        view = payment_view(uow.session, "pay_2", now=uow.now)
    assert (view.unwanted, view.paid_otherwise, view.link_open) == (True, False, False)
    with pytest.raises(TooLate, match="may be under way"):
        house.leave("pay_2")
    assert house.due()["pay_2"] == first
    house.bank.answers["cancel"] = CANCELLED
    look(house, WAITING, "pay_2")
    assert house.bank.verbs()[-1] == "cancel"
    assert (house.payment("pay_2").state, house.payment("pay_2").reason) == ("cancelled", "another_under_way")
    assert (house.payment().state, house.invoice().state) == ("unknown", "in_payment")


def test_what_was_doubted_and_paid_the_bill_is_named_as_the_reason(closed: House) -> None:
    house = closed
    another(house)
    look(house, ACCEPTED)
    look(house, DEBITED)
    house.bank.answers["cancel"] = CANCELLED
    look(house, WAITING, "pay_2")
    assert (house.payment("pay_2").state, house.payment("pay_2").reason) == ("cancelled", "paid_otherwise")


def test_a_doubt_that_lasts_does_not_hurry_the_other_payment_again(closed: House) -> None:
    house, first = closed, closed.clock.now
    another(house)
    look(house, ACCEPTED)
    house.bank.answers["cancel"] = None
    look(house, WAITING, "pay_2")
    due = house.due()["pay_2"]
    house.clock.tick(seconds=2)
    look(house, ACCEPTED)
    assert (house.payment("pay_2").unwanted_since, house.due()["pay_2"]) == (first, due)


@pytest.mark.parametrize("answer", [REJECTED, NOT_FOUND], ids=lambda answer: answer.transaction_status)
def test_when_the_doubt_ends_the_other_payment_is_wanted_again(closed: House, answer: BankStatus) -> None:
    house = closed
    another(house)
    look(house, ACCEPTED)
    look(house, answer)
    assert (house.payment().doubted_since, house.payment("pay_2").unwanted_since) == (None, None)
    assert house.leave("pay_2").url


def test_but_not_while_another_doubt_lasts(closed: House) -> None:
    house = closed
    another(house)
    look(house, REJECTED, "pay_2")
    another(house, "pay_3")
    look(house, ACCEPTED)
    look(house, ACCEPTED, "pay_2")
    look(house, REJECTED)
    assert house.payment("pay_3").unwanted_since is not None
    look(house, REJECTED, "pay_2")
    assert house.payment("pay_3").unwanted_since is None


def test_one_whose_way_of_approval_is_the_banks_own_is_asked_to_be_dropped(closed: House) -> None:
    house = closed

    def come_alive() -> None:
        with house.begin() as uow:
            doubt(uow, locked(uow.session, "pay_1"))
            uow.commit()

    house.bank.meanwhile = come_alive
    house.stage("pay_2", sca=None)
    assert (house.payment("pay_2").state, house.payment("pay_2").unwanted_since) == ("unknown", house.clock.now)
    assert house.payment().unwanted_since is None  # which the bank has accepted, and was decided earlier
    assert house.balances() == {"inflight:pay_1": 9900, "biller:blr_1": -9900}


def test_what_was_executed_on_top_comes_before_what_may_be_executed(closed: House) -> None:
    house = closed
    another(house)
    look(house, REJECTED, "pay_2")
    another(house, "pay_3")
    look(house, ACCEPTED)
    look(house, DEBITED, "pay_2")  # on top of pay_3
    look(house, REJECTED, "pay_3")
    assert [house.payment(one).state for one in ("pay_1", "pay_2", "pay_3")] == ["unknown", "settled", "rejected"]
    assert house.invoice().state == "paid"
    assert house.balances() == {"settled:blr_1": 9900, "biller:blr_1": -9900}


def test_a_statement_that_shows_it_settles_it(closed: House) -> None:
    closed.follow(ACCEPTED)
    by_statement(closed)
    assert closed.payment().state == "settled"
    assert closed.balances() == {"settled:blr_1": 9900, "biller:blr_1": -9900}


def test_a_code_that_comes_now_lacks_its_verifier_and_only_the_status_counts(house: House) -> None:
    left = house.away()
    house.clock.tick(minutes=1)
    look(house, REJECTED)
    look(house, ACCEPTED)
    fence = house.payment().fence_at
    house.come_back(left)
    assert (house.trip().outcome, house.payment().fence_at) == ("nothing", fence)
    house.clock.tick(seconds=30)
    house.run("payments.exchange_code")
    assert "complete" not in house.bank.verbs()
    assert house.due()["pay_1"] <= house.clock.now
    assert house.clock.now - (house.payment().doubted_since or house.clock.now) < MINUTE
