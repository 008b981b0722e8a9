"""Two promises at once, and a promise at every moment of the bank's taking the payment back: two real transactions, on
PostgreSQL; and from one starting line on both databases. No more is promised than is owed at that moment."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from app import invariants
from app.db.events import EventRow
from app.errors import Conflict, TooLate
from app.journey.payments.access import locked
from app.journey.payments.states import Source
from app.journey.payments.step import correct
from app.journey.refunds import service
from app.journey.refunds.models import Refund
from app.people.models import Customer
from connectors.contract import Fact
from tests.conftest import Clock
from tests.functional.test_connection_races import at_once
from tests.unit.app.journey.corrections.test_correction_races import Rounds
from tests.unit.app.journey.house import House
from tests.unit.app.journey.refunds.test_refunds import arrived, credit, owing, promise, stands, withdraw


def on_postgres(test: Any) -> Any:
    """SQLite lets one writer in at a time: there is no moment between."""
    return pytest.mark.postgres(pytest.mark.parametrize("database_url", ["postgres"], indirect=True)(test))


@pytest.fixture
def rounds(engine: Engine, clock: Clock, customer: Customer, every: int) -> Rounds:
    return Rounds(engine, clock, customer, min(every, 5))  # both ends are to be met


def promised(house: House) -> int:
    with house.services.reading() as uow:
        return int(uow.session.scalar(select(func.sum(Refund.amount_minor))) or 0)


def broken(house: House) -> list[str]:
    return [each.invariant.name for each in invariants.check(house.engine, now=house.clock(), late=False)]


@contextmanager
def unlocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if who promises locked nothing of the bill."""
    with monkeypatch.context() as patch:
        numbers = itertools.count(1)  # the table would keep two of one number apart
        patch.setattr(service, "locked_with_invoice", lambda *_: {})
        patch.setattr(service, "_next_number", lambda *_: next(numbers))
        yield


def sums(rounds: Rounds) -> set[int]:
    found = set()
    for house in rounds.moments(owing, lambda house: promise(house, 2000), lambda house: promise(house, 1500)):
        found.add(promised(house))
        assert broken(house) == []
    return found


@on_postgres
def test_of_two_promises_that_are_too_much_together_one_is_made(rounds: Rounds) -> None:
    assert sums(rounds) == {1500, 2000}


@on_postgres
def test_without_the_lock_both_would_be(rounds: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above sees what it looks for."""
    both = 0
    with unlocked(monkeypatch):
        acts = (lambda house: promise(house, 2000), lambda house: promise(house, 1500))
        for house in rounds.moments(owing, *acts):
            if promised(house) == 3500:
                both += 1
                assert broken(house) == ["J1"]
    assert both


def paid_and_credited(house: House) -> None:
    house.settled()
    credit(house, 3000)


def taken_back(house: House) -> None:
    with house.begin() as uow:
        assert correct(uow, locked(uow.session, "pay_1"), Fact.REJECTED, source=Source.STATEMENT, evidence="camt:1/1")
        uow.commit()


def order(house: House) -> list[str]:
    """Of the two facts, as they were written down."""
    with house.services.reading() as uow:
        facts = uow.session.scalars(
            select(EventRow).where(EventRow.kind.in_(("RefundMoved", "RefundOwed"))).order_by(EventRow.id)
        ).all()
    return [each.kind if each.kind == "RefundMoved" else str(each.payload["amount_minor"]) for each in facts]


@on_postgres
def test_nothing_is_promised_once_the_bank_has_taken_the_payment_back(rounds: Rounds) -> None:
    rounds.every = min(rounds.every * 2, 10)
    ends = set()
    for house in rounds.moments(paid_and_credited, promise, taken_back):
        assert broken(house) == []
        ends.add(tuple(order(house)))
    assert ends == {("3000", "RefundMoved", "0"), ("3000", "0")}


def test_the_same_promise_twice_at_once_is_one(house: House) -> None:
    owing(house)
    found: list[str] = []
    assert at_once(*[lambda: found.append(promise(house)) for _ in range(2)]) == []
    assert len(set(found)) == 1
    assert promised(house) == 3000


def test_of_many_promises_at_once_no_more_is_made_than_is_owed(house: House) -> None:
    owing(house)

    def make(minor: int) -> None:
        promise(house, minor)

    raised = at_once(*[partial(make, 1000 + n) for n in range(4)])
    assert {type(each) for each in raised} == {Conflict}
    assert len(raised) == 2
    assert broken(house) == []


def test_of_taking_back_and_arriving_at_once_one_has_it(house: House) -> None:
    one = promise(owing(house))
    raised = at_once(lambda: withdraw(house, one), lambda: arrived(house, one))
    assert [type(each) for each in raised] == [TooLate]
    assert stands(house, one)[0] in ("withdrawn", "received")
