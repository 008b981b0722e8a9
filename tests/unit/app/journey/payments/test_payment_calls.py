"""Before a call to a bank: its bytes for life, a line for each attempt, the bank's budget, one row of work."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import delete, select

from app.db import work
from app.db.work import WorkRow
from app.journey.consents import budget
from app.journey.payments import calls
from app.journey.payments.looks import follow_from, work_key
from app.journey.payments.models import Payment
from connectors.contract import BankRequest
from tests.unit.app.journey.house import MINUTE, House

SECOND = dt.timedelta(seconds=1)
REQUEST = BankRequest(method="DELETE", path="/payments/1", headers={"A": "b"}, body=b"bytes", request_id="key-1")


def test_the_bytes_of_a_call_and_its_key_stay(house: House) -> None:
    house.bill()
    house.stage()
    house.bill("2")
    house.stage("pay_2", invoice_id="inv_2")
    made_at = house.clock.now
    with house.begin() as uow:
        made = calls.store(uow, payment_id="pay_1", verb="cancel", request=REQUEST)
        uow.commit()
    house.clock.tick(minutes=1)
    with house.begin() as uow:
        call = calls.call_of(uow.session, payment_id="pay_1", verb="cancel")
        assert call is not None
        assert call.id == made.id
        assert call.id.startswith("bnk_")
        assert (call.payment_id, call.verb, call.made_at) == ("pay_1", "cancel", made_at)
        assert calls.request_of(call) == REQUEST
        assert calls.call_of(uow.session, payment_id="pay_2", verb="cancel") is None
        assert calls.call_of(uow.session, payment_id="pay_1", verb="complete") is None


def test_every_attempt_is_a_line_of_its_own(house: House) -> None:
    house.bill()
    house.stage()  # one attempt of another call
    first = house.clock.now
    with house.begin() as uow:
        call = calls.store(uow, payment_id="pay_1", verb="cancel", request=REQUEST)
        assert calls.attempts(uow.session, call) == 0
        assert calls.first_and_last(uow.session, call) is None
        assert calls.attempt(uow, call) == 1
        uow.commit()
    for number in (2, 3):
        house.clock.tick(seconds=7)
        with house.begin() as uow:
            assert calls.attempt(uow, call) == number
            uow.commit()
    with house.begin() as uow:
        calls.answered(uow, call_id=call.id, number=2, outcome="kept", answer=b"no")
        assert calls.attempts(uow.session, call) == 3
        assert calls.first_and_last(uow.session, call) == (first, first + 14 * SECOND)
        uow.commit()
    _, sent = house.calls("cancel")
    assert [(one.number, one.sent_at, one.outcome, one.answer, one.answered_at) for one in sent] == [
        (1, first, None, None, None),
        (2, first + 7 * SECOND, "kept", b"no", house.clock.now),
        (3, first + 14 * SECOND, None, None, None),
    ]


# ----------------------------------------------------------------------------------------------------------- the budget


def take(house: House, *, bank_id: str = "horizon", most: int = 2) -> dt.datetime | None:
    with house.begin() as uow:
        wait_until = budget.take(uow.session, bank_id=bank_id, most=most, now=uow.now)
        uow.commit()
    return wait_until


def put_off(house: House, until: dt.datetime) -> None:
    with house.begin() as uow:
        budget.put_off(uow.session, bank_id="horizon", until=until, now=uow.now)
        uow.commit()


def test_a_minute_has_so_many_calls_and_the_next_one_as_many(house: House) -> None:
    house.clock.tick(seconds=20.5)
    minute = house.clock.now.replace(second=0, microsecond=0)
    assert [take(house) for _ in range(4)] == [None, None, minute + MINUTE, minute + MINUTE]
    assert (house.budget().calls, house.budget().minute) == (2, minute)
    assert take(house, bank_id="other") is None  # another bank has its own
    house.clock.now = minute + MINUTE
    assert [take(house) for _ in range(3)] == [None, None, minute + 2 * MINUTE]
    assert (house.budget().calls, house.budget().minute) == (2, minute + MINUTE)
    assert house.budget().not_before is None


def test_a_clock_that_is_a_moment_behind_counts_in_the_minute_that_has_begun(house: House) -> None:
    minute = house.clock.now
    house.clock.now = minute + MINUTE
    assert take(house) is None
    house.clock.now = minute + 59 * SECOND
    assert [take(house), take(house)] == [None, minute + 2 * MINUTE]
    assert (house.budget().calls, house.budget().minute) == (2, minute + MINUTE)


def test_a_minute_that_a_clock_far_ahead_counted_is_over(house: House) -> None:
    minute = house.clock.now
    house.clock.now = minute + 2 * MINUTE
    assert [take(house), take(house)] == [None, None]
    house.clock.now = minute
    assert take(house) is None
    assert (house.budget().calls, house.budget().minute) == (1, minute)


def test_a_bank_that_wants_to_be_left_alone_is_left_alone_until_the_latest_time_it_named(house: House) -> None:
    now = house.clock.now
    assert take(house) is None
    assert take(house, bank_id="other") is None
    put_off(house, now + 90 * SECOND)
    put_off(house, now + 30 * SECOND)  # an earlier time takes nothing back
    assert house.budget().not_before == now + 90 * SECOND
    assert take(house) == now + 90 * SECOND
    assert take(house, bank_id="other") is None
    house.clock.now = now + 89 * SECOND
    assert take(house) == now + 90 * SECOND
    assert house.budget().calls == 1
    house.clock.now = now + 90 * SECOND
    assert take(house) is None
    put_off(house, now + 100 * SECOND)
    assert take(house) == now + 100 * SECOND


def test_where_both_hold_the_later_time_is_named(house: House) -> None:
    """Whoever came back at the earlier one would be put off again."""
    now = house.clock.now
    take(house, most=1)
    put_off(house, now + 10 * SECOND)
    assert take(house, most=1) == now + MINUTE
    put_off(house, now + 100 * SECOND)
    assert take(house, most=1) == now + 100 * SECOND


def test_a_bank_may_want_to_be_left_alone_before_it_was_ever_asked(house: House) -> None:
    put_off(house, house.clock.now + MINUTE)
    assert house.budget().not_before == house.clock.now + MINUTE


# ------------------------------------------------------------------------------------------------------ one row of work


@pytest.mark.parametrize(("then_s", "run_s"), [(60, 60), (30, 30), (200, 120)])
def test_a_payment_is_followed_by_one_row_that_only_moves_earlier(house: House, then_s: int, run_s: int) -> None:
    house.away()
    now = house.clock.now
    with house.begin() as uow:
        uow.session.execute(delete(WorkRow))
        payment = uow.session.get_one(Payment, "pay_1")
        follow_from(uow, payment, run_at=now + 120 * SECOND)
        assert payment.next_look_at == now + 120 * SECOND
        follow_from(uow, payment, run_at=now + then_s * SECOND)
        assert payment.next_look_at == now + then_s * SECOND
        uow.commit()
    with house.begin() as uow:
        row = uow.session.scalars(select(WorkRow)).one()
        assert (row.handler, row.key, row.payload) == (
            "payments.follow",
            "payments.follow:pay_1",
            {"payment_id": "pay_1"},
        )
        assert work_key("pay_1") == row.key
        assert (row.run_at, row.created_at) == (now + run_s * SECOND, now)
        assert work.claim_key(uow.session, key=row.key, now=uow.now) is not None
