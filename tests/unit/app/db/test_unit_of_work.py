"""Rows, facts and the work that follows from them: together or not at all."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import func, select

from app.db.events import Event, EventRow
from app.db.unit_of_work import HEAD_START, UnitOfWork
from app.db.work import WorkRow
from app.journey.payments.events import PaymentSettled
from app.journey.route import ROUTE
from tests.conftest import Clock
from tests.unit.conftest import Begin

pytestmark = pytest.mark.each_database

SETTLED = PaymentSettled(payment_id="pay_1", sequence=4)


def count(uow: UnitOfWork) -> tuple[int, int]:
    """How many facts and how many pieces of work there are."""
    events = uow.session.scalar(select(func.count()).select_from(EventRow))
    pieces = uow.session.scalar(select(func.count()).select_from(WorkRow))
    return events or 0, pieces or 0


def test_a_fact_asks_for_the_work_of_every_handler(begin: Begin, clock: Clock) -> None:
    with begin() as uow:
        recorded = uow.record(SETTLED)
        uow.commit()
    with begin() as uow:
        row = uow.session.get_one(EventRow, recorded.event_id)
        assert (row.kind, row.recorded_at) == ("PaymentSettled", clock.now)
        assert row.event() == SETTLED
        pieces = {piece.handler: piece for piece in uow.session.scalars(select(WorkRow))}
    assert tuple(pieces) == ROUTE[PaymentSettled]
    for handler, piece in pieces.items():
        assert piece.key == recorded.work_keys[handler] == f"{handler}:{recorded.event_id}"
        assert piece.payload == {"event": recorded.event_id, "payment_id": "pay_1", "sequence": 4}
        assert (piece.run_at, piece.attempts, piece.lock_token) == (clock.now, 0, None)


def test_with_a_head_start_workers_wait_a_moment(begin: Begin, clock: Clock) -> None:
    with begin() as uow:
        uow.record(SETTLED, head_start=True)
        uow.commit()
        assert set(uow.session.scalars(select(WorkRow.run_at))) == {clock.now + HEAD_START}


def test_without_commit_nothing_happened(begin: Begin) -> None:
    with begin() as uow:
        uow.record(SETTLED)
        uow.session.flush()
    with begin() as uow:
        assert count(uow) == (0, 0)


def test_what_is_done_at_the_end_is_done_once_in_order_and_after_all_else(begin: Begin) -> None:
    day, done = dt.date(2026, 1, 1), []
    with begin() as uow:
        for order in (("b", 0, day), ("a", 1, day), ("a", 0, day + dt.timedelta(days=1)), ("a", 0, day)):
            uow.at_the_end(order, lambda order=order: done.append((order, count(uow))))  # type: ignore[misc]
        uow.session.add(EventRow(id="evt_1", kind="PaymentSettled", payload=SETTLED.payload(), recorded_at=uow.now))
        assert done == []
        uow.commit()
        uow.commit()
    assert [order[:2] for order, _ in done] == [("a", 0), ("a", 0), ("a", 1), ("b", 0)]
    assert [order[2] for order, _ in done[:2]] == [day, day + dt.timedelta(days=1)]
    assert {counted for _, counted in done} == {(1, 0)}


def test_what_was_to_be_done_at_the_end_is_not_where_nothing_is_committed(begin: Begin) -> None:
    done: list[str] = []
    uow = begin()
    with uow:
        uow.at_the_end(("a", 0, dt.date(2026, 1, 1)), lambda: done.append("a"))
    with uow:
        uow.commit()
    assert done == []


def test_an_error_takes_fact_and_work_with_it(begin: Begin) -> None:
    def fail() -> None:
        with begin() as uow:
            uow.record(SETTLED)
            uow.session.flush()
            raise RuntimeError("in between")

    with pytest.raises(RuntimeError, match="in between"):
        fail()
    with begin() as uow:
        assert count(uow) == (0, 0)


def test_the_same_fact_twice_is_two_facts_with_work_of_their_own(begin: Begin) -> None:
    with begin() as uow:
        one, two = uow.record(SETTLED), uow.record(SETTLED)
        uow.commit()
        assert one.event_id != two.event_id
        assert count(uow) == (2, 2 * len(ROUTE[PaymentSettled]))


def test_a_fact_that_is_on_no_timetable_cannot_be_recorded(begin: Begin) -> None:
    with begin() as uow, pytest.raises(KeyError):
        uow.record(Event())


def test_now_stands_still_inside_a_transaction(begin: Begin, clock: Clock) -> None:
    with begin() as uow:
        before = uow.now
        clock.tick(hours=1)
        assert uow.now == before
    with begin() as uow:
        assert uow.now == clock.now
