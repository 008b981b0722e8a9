"""Durable work: asked for once, held by one worker at a time, recorded once, never dropped."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.db import work
from app.db.work import BACKOFF_MOST_S, LEASE, Claim, Lane, LostClaim, WorkRow
from tests.conftest import Clock
from tests.unit.conftest import Begin

SECOND = dt.timedelta(seconds=1)


def put(begin: Begin, *keys: str, run_at: dt.datetime | None = None, payload: dict[str, str] | None = None) -> None:
    with begin() as uow:
        for key in keys:
            work.enqueue(uow.session, handler="h", key=key, payload=payload or {}, now=uow.now, run_at=run_at)
        uow.commit()


def claim(begin: Begin, *, limit: int = 10) -> list[Claim]:
    with begin() as uow:
        claims = work.claim_due(uow.session, now=uow.now, limit=limit)
        uow.commit()
        return claims


def row(begin: Begin, key: str = "a") -> WorkRow:
    with begin() as uow:
        return uow.session.scalars(select(WorkRow).where(WorkRow.key == key)).one()


def keys(claims: Iterable[Claim]) -> list[str]:
    return sorted(claim.key for claim in claims)


def test_the_same_key_is_one_row_and_the_first_one_stays(begin: Begin) -> None:
    put(begin, "a", payload={"n": "1"})
    put(begin, "a", "a", payload={"n": "2"})
    assert row(begin).payload == {"n": "1"}


def test_enqueue_belongs_to_the_transaction(begin: Begin) -> None:
    with begin() as uow:
        work.enqueue(uow.session, handler="h", key="a", payload={}, now=uow.now)
    assert claim(begin) == []


def test_only_due_rows_are_claimed_the_longest_waiting_first(begin: Begin, clock: Clock) -> None:
    put(begin, "late", run_at=clock.now - 2 * SECOND)
    put(begin, "now")
    put(begin, "later", run_at=clock.now + SECOND)
    assert keys(claim(begin, limit=1)) == ["late"]
    assert keys(claim(begin)) == ["now"]
    assert claim(begin) == []
    clock.tick(seconds=1)
    assert keys(claim(begin)) == ["later"]


def test_work_that_waits_for_strangers_has_a_lane_of_its_own(begin: Begin, clock: Clock) -> None:
    put(begin, "payment")
    with begin() as uow:
        work.enqueue(uow.session, handler="webhooks.deliver", key="message", payload={}, now=uow.now)
        uow.commit()
    for lane, key in ((Lane.OUTBOUND, "message"), (Lane.JOURNEY, "payment")):
        with begin() as uow:
            assert work.oldest_due(uow.session, now=uow.now, lane=lane) == clock.now
            assert keys(work.claim_due(uow.session, now=uow.now, limit=10, lane=lane)) == [key]
            uow.commit()
        with begin() as uow:
            assert work.oldest_due(uow.session, now=uow.now, lane=lane) is None


def test_a_claim_is_held_until_its_lease_ends_and_then_taken_over(begin: Begin, clock: Clock) -> None:
    put(begin, "a")
    (first,) = claim(begin)
    assert (first.handler, first.key, first.attempts) == ("h", "a", 1)
    clock.now += LEASE - SECOND
    assert claim(begin) == []
    clock.now += SECOND
    (second,) = claim(begin)
    assert (second.work_id, second.attempts) == (first.work_id, 2)
    assert second.lock_token != first.lock_token


def test_a_heartbeat_keeps_the_lease_of_who_still_has_it(begin: Begin, clock: Clock) -> None:
    put(begin, "a")
    (mine,) = claim(begin)
    clock.now += LEASE - SECOND
    with begin() as uow:
        work.extend(uow.session, [mine], now=uow.now)
        uow.commit()
    clock.now += LEASE - SECOND
    assert claim(begin) == []
    clock.now += SECOND
    (theirs,) = claim(begin)
    clock.now += SECOND
    with begin() as uow:
        work.extend(uow.session, [mine], now=uow.now)  # too late: it must not push their lease
        uow.commit()
    assert row(begin).run_at == clock.now - SECOND + LEASE
    assert row(begin).lock_token == theirs.lock_token


def end(session: Session, mine: Claim) -> None:
    work.finish(session, mine)


def again(session: Session, mine: Claim) -> None:
    work.run_again(session, mine, run_at=dt.datetime(2030, 1, 1, tzinfo=dt.UTC))


@pytest.mark.parametrize("how", [end, again])
def test_who_lost_the_claim_records_nothing(begin: Begin, clock: Clock, how: Callable[[Session, Claim], None]) -> None:
    put(begin, "a")
    (mine,) = claim(begin)
    clock.now += LEASE
    (theirs,) = claim(begin)

    def carry_on() -> None:
        with begin() as uow:
            work.enqueue(uow.session, handler="h", key="effect", payload={}, now=uow.now)
            how(uow.session, mine)
            uow.commit()

    with pytest.raises(LostClaim):
        carry_on()
    with begin() as uow:
        assert list(uow.session.scalars(select(WorkRow.key))) == ["a"]
    assert row(begin).lock_token == theirs.lock_token
    with begin() as uow:
        how(uow.session, theirs)
        uow.commit()


def test_finished_work_is_gone_and_cannot_be_finished_again(begin: Begin) -> None:
    put(begin, "a")
    (mine,) = claim(begin)
    with begin() as uow:
        work.finish(uow.session, mine)
        uow.commit()
    assert claim(begin) == []
    with begin() as uow, pytest.raises(LostClaim):
        work.finish(uow.session, mine)


def test_run_again_forgets_earlier_failures(begin: Begin, clock: Clock) -> None:
    put(begin, "a", payload={"n": "1"})
    (mine,) = claim(begin)
    with begin() as uow:
        work.put_back(uow.session, mine, now=uow.now, error="ValueError: x")
        uow.commit()
    clock.tick(seconds=2)
    (mine,) = claim(begin)
    with begin() as uow:
        work.run_again(uow.session, mine, run_at=uow.now + SECOND)
        uow.commit()
    waiting = row(begin)
    assert (waiting.attempts, waiting.last_error, waiting.lock_token) == (0, None, None)
    assert waiting.run_at == clock.now + SECOND
    assert waiting.payload == {"n": "1"}


@pytest.mark.parametrize(
    ("attempts", "wait_s"), [(1, 1), (2, 2), (3, 4), (10, 512), (12, 2048), (13, BACKOFF_MOST_S), (59, BACKOFF_MOST_S)]
)
def test_who_fails_waits_longer_each_time_within_bounds(begin: Begin, clock: Clock, attempts: int, wait_s: int) -> None:
    put(begin, "a")
    (mine,) = claim(begin)
    failed = Claim(mine.work_id, mine.handler, mine.key, {}, attempts, mine.lock_token)
    with begin() as uow:
        work.put_back(uow.session, failed, now=uow.now, error="x" * 5000)
        uow.commit()
    waiting = row(begin)
    assert 0.5 * wait_s * SECOND <= waiting.run_at - clock.now < 1.5 * wait_s * SECOND
    assert waiting.last_error == "x" * 2000
    assert waiting.lock_token is None


def test_who_lost_the_claim_puts_nothing_back(begin: Begin, clock: Clock) -> None:
    put(begin, "a")
    (mine,) = claim(begin)
    clock.now += LEASE
    (theirs,) = claim(begin)
    with begin() as uow:
        work.put_back(uow.session, mine, now=uow.now, error="late")
        uow.commit()
    held = row(begin)
    assert (held.lock_token, held.last_error) == (theirs.lock_token, None)


def test_work_that_always_fails_never_stops_being_tried(begin: Begin, clock: Clock) -> None:
    """A payment must never be forgotten because a bank's file was away for some days."""
    put(begin, "a")
    with begin() as uow:
        uow.session.scalars(select(WorkRow)).one().attempts = 10_000
        uow.commit()
    (last,) = claim(begin)
    with begin() as uow:
        work.put_back(uow.session, last, now=uow.now, error="ValueError: for ever")
        uow.commit()
    assert row(begin).run_at - clock.now <= 1.5 * BACKOFF_MOST_S * SECOND
    clock.tick(seconds=2 * BACKOFF_MOST_S)
    assert len(claim(begin)) == 1
    assert row(begin).last_error == "ValueError: for ever"


def test_bring_forward_only_ever_moves_earlier(begin: Begin, clock: Clock) -> None:
    put(begin, "a", run_at=clock.now + 10 * SECOND)
    for moved, then in ((20, 10), (5, 5), (10, 5)):
        with begin() as uow:
            work.bring_forward(uow.session, key="a", run_at=clock.now + moved * SECOND)
            uow.commit()
        assert row(begin).run_at == clock.now + then * SECOND


def test_bring_forward_leaves_alone_what_is_being_worked_on(begin: Begin, clock: Clock) -> None:
    put(begin, "a")
    claim(begin)
    with begin() as uow:
        work.bring_forward(uow.session, key="a", run_at=uow.now)
        uow.commit()
    assert row(begin).run_at == clock.now + LEASE


def test_one_row_is_claimed_by_name_even_before_it_is_due_unless_a_worker_has_it(begin: Begin, clock: Clock) -> None:
    put(begin, "a", run_at=clock.now + SECOND)
    put(begin, "b")
    with begin() as uow:
        mine = work.claim_key(uow.session, key="a", now=uow.now)
        assert mine is not None
        assert mine.key == "a"
        assert work.claim_key(uow.session, key="nothing", now=uow.now) is None
        uow.commit()
    with begin() as uow:
        assert work.claim_key(uow.session, key="a", now=uow.now) is None
    clock.now += LEASE
    with begin() as uow:
        assert work.claim_key(uow.session, key="a", now=uow.now) is not None


def test_oldest_due_says_how_long_somebody_waits(begin: Begin, clock: Clock) -> None:
    put(begin, "later", run_at=clock.now + SECOND)
    with begin() as uow:
        assert work.oldest_due(uow.session, now=uow.now, lane=Lane.JOURNEY) is None
    put(begin, "late", run_at=clock.now - 5 * SECOND)
    with begin() as uow:
        assert work.oldest_due(uow.session, now=uow.now, lane=Lane.JOURNEY) == clock.now - 5 * SECOND


only_postgres = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)


@pytest.mark.postgres
@only_postgres
def test_no_plan_of_postgresql_claims_more_than_the_limit(begin: Begin) -> None:
    """A nested loop may run a locking subquery once a row, and would then take every due row."""
    put(begin, *"abcdefgh")
    with begin() as uow:
        for choice in ("enable_hashjoin", "enable_mergejoin", "enable_hashagg", "enable_sort", "enable_material"):
            uow.session.execute(text(f"SET LOCAL {choice} = off"))
        assert len(work.claim_due(uow.session, now=uow.now, limit=2)) == 2


@pytest.mark.postgres
@only_postgres
def test_two_workers_of_postgresql_take_different_rows_without_waiting(begin: Begin) -> None:
    put(begin, "a", "b")
    with begin() as one, begin() as two:
        first = work.claim_due(one.session, now=one.now, limit=1)
        second = work.claim_due(two.session, now=two.now, limit=1)
        assert keys([*first, *second]) == ["a", "b"]
