"""What is said of a bill at every moment of a decision to pay it, and a reply at every moment of taking it back: two
real transactions, on PostgreSQL; and from one starting line on both databases.

However they meet, one of the two is refused, and nobody waits for somebody who waits for them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, select

from app import invariants
from app.errors import Conflict, Invalid, TooLate
from app.journey.answers import service as answers
from app.journey.answers.models import AnswerPolicy, BillAnswer
from app.journey.answers.rules import Instalment, Policy
from app.journey.corrections.replies import reply
from app.journey.decisions import service as decisions
from app.journey.decisions.models import Decision
from app.journey.invoices.models import Invoice
from app.journey.payments.access import locked
from app.journey.payments.step import doubt
from app.journey.plans import service as plans
from app.journey.plans.models import Plan
from app.journey.plans.rules import PlannedDay
from app.journey.plans.states import PlanState
from app.people.models import Customer
from connectors.contract import Fact
from tests.conftest import Clock
from tests.functional.test_connection_races import at_once
from tests.unit.app.journey.answers.test_answers import DAY, answer, say, take_back
from tests.unit.app.journey.corrections.test_correction_races import Act, Rounds
from tests.unit.app.journey.decisions.test_decision_service import decide, passkey_of, start
from tests.unit.app.journey.house import House
from tests.unit.app.journey.payments.test_parts import record


def on_postgres(test: Any) -> Any:
    """SQLite lets one writer in at a time: there is no moment between."""
    return pytest.mark.postgres(pytest.mark.parametrize("database_url", ["postgres"], indirect=True)(test))


@pytest.fixture
def rounds(engine: Engine, clock: Clock, customer: Customer, every: int) -> Rounds:
    return Rounds(engine, clock, customer, every)


def signed(house: House) -> Callable[[], object]:
    """The bill, with an order that is about to be sent."""
    house.bill()
    device = passkey_of(house, house.customer)
    started = start(house)
    credential = device.sign(started.public_key)
    return lambda: decide(house, started, credential)


def decline(house: House) -> None:
    say(house, "declined", reason="not_ordered")


def with_lines(house: House) -> None:
    """The bill of 99.00 is for three things that cost the same."""
    with house.begin() as uow:
        lines = [{"description": f"{n}", "quantity": None, "amount_minor": 3300, "vat_rate": "0"} for n in range(3)]
        uow.session.get_one(Invoice, "inv_1").lines = lines
        uow.commit()


def outcome(house: House) -> tuple[int, int]:
    """How many decisions and how many answers there are."""
    assert [str(each) for each in invariants.check(house.engine, now=house.clock(), late=False)] == []
    with house.services.reading() as uow:
        return len(uow.session.scalars(select(Decision)).all()), len(uow.session.scalars(select(BillAnswer)).all())


def outcomes(rounds: Rounds, *, answers_first: bool = False) -> set[tuple[int, int]]:
    sends: list[Callable[[], object]] = []

    def prepare(house: House) -> None:
        sends[:] = [signed(house)]

    def pay(_: House) -> None:
        sends[0]()

    acts: tuple[Act, Act] = (decline, pay) if answers_first else (pay, decline)
    return {outcome(house) for house in rounds.moments(prepare, *acts)}


@on_postgres
@pytest.mark.parametrize("answers_first", [False, True])
def test_nobody_pays_what_they_decline_at_that_moment(answers_first: bool, rounds: Rounds) -> None:
    rounds.every = min(rounds.every, 5)  # both ends are to be met
    assert outcomes(rounds, answers_first=answers_first) == {(1, 0), (0, 1)}


@on_postgres
def test_without_the_question_they_would(rounds: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above sees what it looks for."""
    monkeypatch.setattr(decisions, "must_not_be_set_aside", lambda _: None)
    assert (1, 1) in outcomes(rounds)


def dispute(house: House, *lines: int) -> None:
    say(house, "disputed", reason="wrong_amount", lines=lines)


@on_postgres
@pytest.mark.parametrize("disputes_first", [False, True])
def test_nobody_pays_a_line_that_they_dispute_at_that_moment(disputes_first: bool, rounds: Rounds) -> None:
    """What is signed is the rest beside one disputed line; a second one is disputed meanwhile."""
    rounds.every = min(rounds.every, 5)  # both ends are to be met
    sends: list[Callable[[], object]] = []

    def prepare(house: House) -> None:
        house.bill()
        with_lines(house)
        dispute(house, 2)
        device = passkey_of(house, house.customer)
        started = start(house)
        credential = device.sign(started.public_key)
        sends[:] = [lambda: decide(house, started, credential)]

    def pay(_: House) -> None:
        with contextlib.suppress(Invalid):  # it is more than can be paid by now
            sends[0]()

    def dispute_more(house: House) -> None:
        dispute(house, 2, 3)

    acts: tuple[Act, Act] = (dispute_more, pay) if disputes_first else (pay, dispute_more)
    ends = set()
    for house in rounds.moments(prepare, *acts):
        ends.add(outcome(house))
        with house.services.reading() as uow:
            decided = uow.session.scalars(select(Decision.rest_minor)).all()
        assert (decided, house.invoice().held_back_minor) in (([3300], 3300), ([], 6600))
    assert ends == {(1, 1), (0, 2)}


@on_postgres
@pytest.mark.parametrize("takes_back_first", [False, True])
def test_no_bill_stays_aside_by_an_answer_that_is_taken_back_at_that_moment(
    takes_back_first: bool, rounds: Rounds
) -> None:
    """Beside it a payment ends that came alive again when another had all of the bill."""
    said: list[str] = []

    def prepare(house: House) -> None:
        house.bill()
        with_lines(house)
        for payment_id in ("pay_1", "pay_2"):
            house.stage(payment_id)
            house.leave(payment_id)
            record(house, Fact.REJECTED if payment_id == "pay_1" else Fact.DEBITED, payment_id)
        with house.begin() as uow:
            doubt(uow, locked(uow.session, "pay_1"))
            uow.commit()
        said[:] = [say(house, "disputed", reason="wrong_amount", lines=(2,))]

    def end(house: House) -> None:
        record(house, Fact.REJECTED, "pay_1")

    def take_it_back(house: House) -> None:
        take_back(house, said[0])

    acts: tuple[Act, Act] = (take_it_back, end) if takes_back_first else (end, take_it_back)
    for house in rounds.moments(prepare, *acts):
        assert outcome(house) == (2, 1)
        assert not house.invoice().is_set_aside


def proposed(house: House) -> str:
    """Two parts that end after the day of the only bill, which wait for a reply."""
    house.bill()
    due_on = house.clock.now.date() + 7 * DAY
    with house.begin() as uow:
        uow.session.get_one(Invoice, "inv_1").due_on = due_on
        uow.commit()
    return say(house, "instalments", instalments=[Instalment(due_on, 4000), Instalment(due_on + 30 * DAY)])


def agreed(house: House) -> list[str | None]:
    """Of the plans that stand, to which proposals they were agreed."""
    with house.services.reading() as uow:
        return list(uow.session.scalars(select(Plan.answer_id).where(Plan.state == PlanState.STANDING)))


@on_postgres
@pytest.mark.parametrize("kind", ["paid_elsewhere", "instalments"])
@pytest.mark.parametrize("accepts", [True, False])
def test_a_reply_and_its_taking_back_have_one_end(accepts: bool, kind: str, rounds: Rounds) -> None:
    rounds.every = min(rounds.every, 5)  # both ends are to be met
    said: list[str] = []

    def prepare(house: House) -> None:
        if kind == "instalments":
            said[:] = [proposed(house)]
        else:
            house.bill()
            said[:] = [say(house, kind)]

    def replied(house: House) -> None:
        reply(house.services, biller_id="blr_1", answer_id=said[0], accepts=accepts, words="We looked.")

    ends = set()
    for house in rounds.moments(prepare, replied, lambda house: take_back(house, said[0])):
        assert outcome(house) == (0, 1)
        one, bill = answer(house, said[0]), house.invoice()
        assert house.told().count("AnswerChanged") == 2
        has_its_yes = one.state == "accepted"
        assert (bill.state == "cleared") == (has_its_yes and kind != "instalments")
        assert bill.extended_to == (one.until if has_its_yes else None)
        assert agreed(house) == ([one.id] if has_its_yes and kind == "instalments" else [])
        assert not bill.is_set_aside
        ends.add(one.state)
    assert ends == {"withdrawn", "accepted" if accepts else "refused"}


@on_postgres
@pytest.mark.parametrize("reply_first", [True, False])
def test_of_a_yes_to_instalments_and_a_plan_of_ones_own_at_once_one_stands(reply_first: bool, rounds: Rounds) -> None:
    rounds.every = min(rounds.every, 7)
    said: list[str] = []

    def prepare(house: House) -> None:
        said[:] = [proposed(house)]

    def replied(house: House) -> None:
        reply(house.services, biller_id="blr_1", answer_id=said[0], accepts=True, words="")

    def planned(house: House) -> None:
        with house.begin() as uow:
            day = PlannedDay(uow.now.date() + DAY)
            plans.make(uow, signed_in=house.signed_in, invoice_id="inv_1", days=[day])
            uow.commit()

    acts: tuple[Act, Act] = (replied, planned) if reply_first else (planned, replied)
    ends = set()
    for house in rounds.moments(prepare, *acts):
        assert outcome(house) == (0, 1)
        assert answer(house, said[0]).state == "accepted"
        [stands] = agreed(house)
        with house.services.reading() as uow:
            assert sorted(uow.session.scalars(select(Plan.state))) == ["standing", "withdrawn"]
        ends.add(stands is None)
    assert ends == {True, False}


def test_of_all_at_once_one_has_it(house: House) -> None:
    send = signed(house)

    def pay() -> None:
        send()

    raised = at_once(pay, lambda: decline(house), lambda: decline(house))
    assert {type(each) for each in raised} <= {Conflict}
    decided, said = outcome(house)
    assert (decided, said) in ((1, 0), (0, 2))
    assert house.invoice().is_set_aside == (not decided)


def test_of_a_reply_and_a_taking_back_at_once_one_has_it(house: House) -> None:
    house.bill()
    one = say(house, "declined", reason="not_ordered")
    raised = at_once(
        lambda: take_back(house, one),
        lambda: reply(house.services, biller_id="blr_1", answer_id=one, accepts=True, words=""),
    )
    assert [type(each) for each in raised] == [TooLate]
    assert outcome(house) == (0, 1)


def test_the_first_policies_of_a_company_at_once_are_one(house: House) -> None:
    def publish(days: int) -> None:
        with house.begin() as uow:
            answers.publish_policy(uow, biller_id="blr_1", policy=Policy(more_time_days=days))
            uow.commit()

    assert at_once(lambda: publish(1), lambda: publish(2)) == []
    with house.services.reading() as uow:
        assert uow.session.scalars(select(AnswerPolicy.more_time_days)).one() in (1, 2)
