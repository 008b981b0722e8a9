"""Durable work: asked for once, held by one worker at a time, recorded once, never dropped."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable

import pytest
from sqlalchemy import Engine, delete, event, select, text, update
from sqlalchemy.orm import Session

from app.db import work
from app.db.unit_of_work import UnitOfWork
from app.db.work import (
    BACKOFF_MOST_S,
    DEAD_PAUSE,
    LEASE,
    LEASE_MOST,
    TRIES_MOST,
    Age,
    Claim,
    Lane,
    LostClaim,
    Standing,
    WorkRow,
)
from app.errors import Invalid
from app.worker import THREADS
from tests.conftest import Clock
from tests.unit.conftest import Begin

pytestmark = pytest.mark.each_database

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
    put(begin, "now")
    put(begin, "late", run_at=clock.now - 2 * SECOND)
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


def test_no_company_waits_behind_a_push_service_of_a_customers(begin: Begin, clock: Clock) -> None:
    """Nor the other way round: who names either could keep all threads of the lane waiting."""
    with begin() as uow:
        for handler in ("webhooks.deliver", "notices.push"):
            work.enqueue(uow.session, handler=handler, key=handler, payload={}, now=uow.now)
        uow.commit()
    for lane, key in ((Lane.PUSH, "notices.push"), (Lane.OUTBOUND, "webhooks.deliver")):
        with begin() as uow:
            assert keys(work.claim_due(uow.session, now=uow.now, limit=10, lane=lane)) == [key]
            uow.commit()
    assert THREADS[Lane.PUSH] == 2


def test_no_upload_waits_behind_reports(begin: Begin, clock: Clock) -> None:
    with begin() as uow:
        for handler in ("intake.check_conformance", "intake.deliver_upload"):
            work.enqueue(uow.session, handler=handler, key=handler, payload={}, now=uow.now)
        uow.commit()
    for lane, key in ((Lane.BULK, "intake.deliver_upload"), (Lane.REPORTS, "intake.check_conformance")):
        with begin() as uow:
            assert keys(work.claim_due(uow.session, now=uow.now, limit=10, lane=lane)) == [key]
            uow.commit()
    assert THREADS[Lane.REPORTS] == 1


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
    ("attempts", "wait_s"), [(1, 1), (2, 2), (3, 4), (10, 512), (12, 2048), (13, BACKOFF_MOST_S), (34, BACKOFF_MOST_S)]
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


def failing(begin: Begin, key: str = "a", *, tries: int = TRIES_MOST, error: str = "ValueError: for ever") -> bool:
    """Fail once more, after so many tries in all. Returns whether it is a dead letter now."""
    with begin() as uow:
        uow.session.scalars(select(WorkRow).where(WorkRow.key == key)).one().attempts = tries - 1
        uow.commit()
    with begin() as uow:
        mine = work.claim_key(uow.session, key=key, now=uow.now)
        assert mine is not None
        dead = work.put_back(uow.session, mine, now=uow.now, error=error)
        uow.commit()
    return dead


def test_the_tries_before_a_dead_letter_take_about_a_day() -> None:
    waits = [min(BACKOFF_MOST_S, 2**tries) for tries in range(TRIES_MOST - 1)]
    assert 23 * 3600 < sum(waits) < 25 * 3600


def test_work_that_always_fails_becomes_a_dead_letter_and_is_tried_once_a_day(begin: Begin, clock: Clock) -> None:
    """A payment must never be forgotten because a bank's file was away for some days."""
    put(begin, "a")
    asked_at = clock.now
    assert failing(begin, tries=TRIES_MOST - 1) is False
    assert row(begin).dead_at is None
    clock.tick(hours=2)
    assert failing(begin) is True
    died_at = clock.now
    for _ in range(3):
        letter = row(begin)
        assert (letter.dead_at, letter.created_at, letter.lock_token) == (died_at, asked_at, None)
        assert letter.last_error == "ValueError: for ever"
        assert 0.9 * DEAD_PAUSE <= letter.run_at - clock.now <= 1.1 * DEAD_PAUSE
        clock.now = letter.run_at
        (mine,) = claim(begin)
        with begin() as uow:
            assert work.put_back(uow.session, mine, now=uow.now, error="ValueError: for ever") is True
            uow.commit()


@pytest.mark.parametrize(("dice", "dead_hours", "wait_s"), [(0.0, 21.6, 2.0), (0.5, 24.0, 4.0), (1.0, 26.4, 6.0)])
def test_by_how_much_the_dice_spread_the_tries(
    begin: Begin, clock: Clock, monkeypatch: pytest.MonkeyPatch, dice: float, dead_hours: float, wait_s: float
) -> None:
    monkeypatch.setattr(work, "_dice", lambda: dice)
    put(begin, "a", "b")
    failing(begin, "a", tries=3)
    failing(begin, "b")
    assert row(begin, "a").run_at == clock.now + wait_s * SECOND
    assert row(begin, "b").run_at == clock.now + dt.timedelta(hours=dead_hours)


def test_dead_letters_do_not_all_come_at_the_same_time_of_the_day(begin: Begin) -> None:
    keys = "abcdefgh"
    put(begin, *keys)
    for key in keys:
        failing(begin, key)
    assert len({row(begin, key).run_at for key in keys}) > 1


def test_a_success_makes_a_dead_letter_work_again(begin: Begin, clock: Clock) -> None:
    put(begin, "a")
    failing(begin)
    clock.tick(days=2)
    (mine,) = claim(begin)
    assert mine.attempts == TRIES_MOST + 1
    with begin() as uow:
        work.run_again(uow.session, mine, run_at=uow.now)
        uow.commit()
    well = row(begin)
    assert (well.dead_at, well.attempts, well.last_error) == (None, 0, None)


def test_a_row_that_kills_its_workers_becomes_a_dead_letter_too(begin: Begin, clock: Clock) -> None:
    """It never fails in words: each worker that takes it just ends."""
    put(begin, "a")
    for attempt in range(1, TRIES_MOST + 1):
        (mine,) = claim(begin)
        assert mine.attempts == attempt
        clock.now += LEASE
    assert claim(begin) == []
    letter = row(begin)
    assert (letter.dead_at, letter.lock_token, letter.last_error) == (clock.now, None, work.VANISHED)
    assert letter.run_at >= clock.now + 0.9 * DEAD_PAUSE
    died_at = clock.now
    clock.now = letter.run_at
    assert len(claim(begin)) == 1  # its try of the day
    clock.now += LEASE
    assert claim(begin) == []
    letter = row(begin)
    assert (letter.dead_at, letter.lock_token) == (died_at, None)
    assert letter.run_at >= clock.now + 0.9 * DEAD_PAUSE


def test_a_failure_in_words_is_no_vanished_worker(begin: Begin, clock: Clock) -> None:
    """However often it was tried: who claims it may try it."""
    put(begin, "a")
    failing(begin, tries=5 * TRIES_MOST)
    clock.tick(days=2)
    assert [mine.attempts for mine in claim(begin)] == [5 * TRIES_MOST + 1]


def test_a_dead_letter_may_be_brought_forward_for_one_try(begin: Begin, clock: Clock) -> None:
    put(begin, "a", "b")
    failing(begin)
    failing(begin, "b", tries=3)
    for key in ("a", "b"):
        with begin() as uow:
            work.bring_forward(uow.session, key=key, run_at=uow.now)
            uow.commit()
    assert (row(begin).dead_at, row(begin).attempts) == (clock.now, TRIES_MOST)
    assert (row(begin, "b").dead_at, row(begin, "b").attempts) == (None, 0)
    assert keys(claim(begin)) == ["a", "b"]


def replay(begin: Begin, *keys: str) -> list[str]:
    with begin() as uow:
        replayed = work.replay(uow.session, keys=keys or None, now=uow.now)
        uow.commit()
    return replayed


def test_an_operator_replays_dead_letters(begin: Begin, clock: Clock) -> None:
    put(begin, "a", "b", "c")
    put(begin, "later", run_at=clock.now + SECOND)
    for key in "cba":
        failing(begin, key)
        clock.tick(seconds=1)
    with begin() as uow:
        letters = work.dead_letters(uow.session)
    assert [(one.key, one.tries, one.dead_at, one.last_error) for one in letters] == [
        (key, TRIES_MOST, clock.now - seconds * SECOND, "ValueError: for ever")
        for key, seconds in (("c", 3), ("b", 2), ("a", 1))
    ]
    assert letters[0].run_at == row(begin, "c").run_at
    assert replay(begin, "b") == ["b"]
    again = row(begin, "b")
    assert (again.dead_at, again.attempts, again.last_error, again.run_at) == (None, 0, None, clock.now)
    assert replay(begin) == ["a", "c"]
    assert replay(begin) == []
    assert keys(claim(begin)) == ["a", "b", "c", "later"]


def test_what_only_waits_may_be_replayed_by_name(begin: Begin, clock: Clock) -> None:
    put(begin, "a", run_at=clock.now + DEAD_PAUSE)
    assert replay(begin, "a", "a") == ["a"]
    assert keys(claim(begin)) == ["a"]


def test_an_unknown_key_changes_nothing(begin: Begin) -> None:
    put(begin, "a")
    failing(begin)
    with pytest.raises(Invalid, match="no work with the key x, y; nothing was changed") as refused:
        replay(begin, "x", "a", "y", "x")
    assert refused.value.code == "work"
    assert row(begin).dead_at is not None


def test_what_a_worker_has_in_its_hands_is_not_replayed(begin: Begin, clock: Clock) -> None:
    put(begin, "a")
    failing(begin)
    clock.tick(days=2)
    (mine,) = claim(begin)
    assert replay(begin, "a") == []
    assert replay(begin) == []
    assert row(begin).lock_token == mine.lock_token
    clock.now += LEASE  # it vanished
    assert replay(begin) == ["a"]
    with begin() as uow, pytest.raises(LostClaim):
        work.finish(uow.session, mine)


def test_what_nobody_began_with_is_given_back(begin: Begin, clock: Clock) -> None:
    put(begin, "a", "b", "c")
    taken = claim(begin)
    clock.now += LEASE
    with begin() as uow:  # another worker has one of them by now
        theirs = work.claim_key(uow.session, key="b", now=uow.now)
        assert theirs is not None
        work.give_back(uow.session, taken, now=uow.now)
        uow.commit()
    for key in "ac":
        free = row(begin, key)
        assert (free.lock_token, free.attempts, free.run_at) == (None, 0, clock.now)
    assert (row(begin, "b").lock_token, row(begin, "b").attempts) == (theirs.lock_token, 2)


def test_who_claims_says_for_how_long(begin: Begin, clock: Clock) -> None:
    """A web request's claim is short: when it is killed, a worker goes on soon. Its signs of life are as short."""
    put(begin, "a")
    put(begin, "b", run_at=clock.now + SECOND)
    with begin() as uow:
        mine = work.claim_key(uow.session, key="b", now=uow.now, lease=3 * SECOND)
        (other,) = work.claim_due(uow.session, now=uow.now, limit=1, lease=7 * SECOND)
        uow.commit()
    assert mine is not None
    assert (mine.lease, other.lease) == (3 * SECOND, 7 * SECOND)
    assert (row(begin, "b").run_at, row(begin).run_at) == (clock.now + 3 * SECOND, clock.now + 7 * SECOND)
    clock.tick(seconds=1)
    with begin() as uow:
        work.hold(uow.session, mine, clock=clock)
        work.extend(uow.session, [other], now=uow.now)
        uow.commit()
    assert (row(begin, "b").run_at, row(begin).run_at) == (clock.now + 3 * SECOND, clock.now + 7 * SECOND)
    clock.tick(seconds=3)
    assert keys(claim(begin)) == ["b"]


def test_who_lost_the_claim_holds_nothing(begin: Begin, clock: Clock) -> None:
    put(begin, "a")
    (mine,) = claim(begin)
    clock.now += LEASE
    (theirs,) = claim(begin)
    with begin() as uow, pytest.raises(LostClaim):
        work.hold(uow.session, mine, clock=clock)
    assert row(begin).lock_token == theirs.lock_token


def test_what_is_held_is_ours_for_a_whole_lease_from_then_however_long_was_waited(begin: Begin, clock: Clock) -> None:
    put(begin, "a")
    (mine,) = claim(begin)
    with begin() as uow:
        clock.tick(seconds=9)  # other rows are locked by somebody
        work.hold(uow.session, mine, clock=clock)
        uow.commit()
    assert row(begin).run_at == clock.now + LEASE


def ahead(begin: Begin, clock: Clock, **how: float) -> Claim:
    """Somebody whose clock is ahead takes the row, and vanishes."""
    right = clock.now
    clock.tick(**how)
    (theirs,) = claim(begin)
    clock.now = right
    return theirs


def end_wrong_leases(begin: Begin) -> list[str]:
    with begin() as uow:
        ended = work.end_wrong_leases(uow.session, now=uow.now)
        uow.commit()
    return ended


def test_a_lease_of_a_clock_that_was_ahead_is_over(begin: Begin, clock: Clock) -> None:
    put(begin, "a")
    theirs = ahead(begin, clock, days=400)
    put(begin, "held", "waits", run_at=clock.now)
    (mine,) = claim(begin, limit=1)
    with begin() as uow:
        uow.session.execute(update(WorkRow).where(WorkRow.key == "waits").values(run_at=clock.now + DEAD_PAUSE))
        uow.commit()
    assert keys([mine]) == ["held"]
    assert end_wrong_leases(begin) == ["a"]
    assert end_wrong_leases(begin) == []
    (again,) = claim(begin)
    assert (again.key, again.attempts) == ("a", 2)
    with begin() as uow, pytest.raises(LostClaim):
        work.finish(uow.session, theirs)
    assert row(begin, "held").lock_token == mine.lock_token


def test_who_has_a_lease_that_is_too_long_may_end_the_row_until_it_is_taken(begin: Begin, clock: Clock) -> None:
    put(begin, "a")
    theirs = ahead(begin, clock, hours=1)
    assert end_wrong_leases(begin) == ["a"]
    with begin() as uow:
        work.finish(uow.session, theirs)
        uow.commit()
    assert claim(begin) == []


def test_a_lease_of_a_clock_that_was_ahead_keeps_neither_web_request_nor_operator(begin: Begin, clock: Clock) -> None:
    put(begin, "a")
    ahead(begin, clock, hours=3)
    with begin() as uow:
        mine = work.claim_key(uow.session, key="a", now=uow.now)
        uow.commit()
    assert mine is not None
    ahead_again = clock.now + LEASE_MOST
    assert replay(begin, "a") == []  # it is really in somebody's hands now
    for run_at, replayed in ((ahead_again, []), (ahead_again + SECOND, ["a"])):
        with begin() as uow:
            uow.session.execute(update(WorkRow).values(run_at=run_at))
            uow.commit()
        assert replay(begin, "a") == replayed


def test_nobody_is_given_a_lease_that_would_count_as_over(begin: Begin) -> None:
    put(begin, "a")
    with begin() as uow, pytest.raises(ValueError, match="would count as over"):
        work.claim_key(uow.session, key="a", now=uow.now, lease=LEASE_MOST + SECOND)
    with begin() as uow:
        assert work.claim_key(uow.session, key="a", now=uow.now, lease=LEASE_MOST) is not None
        uow.commit()
    assert end_wrong_leases(begin) == []


def test_a_late_heartbeat_does_not_bring_back_what_was_ended_or_put_back(begin: Begin, clock: Clock) -> None:
    put(begin, "a", "b")
    lost = claim(begin)
    clock.now += LEASE
    for theirs in claim(begin):
        with begin() as uow:
            if theirs.key == "a":
                work.put_back(uow.session, theirs, now=uow.now, error="ValueError: x")
            else:
                work.finish(uow.session, theirs)
            uow.commit()
    waits_until = row(begin).run_at
    with begin() as uow:
        work.extend(uow.session, lost, now=uow.now)
        uow.commit()
    with begin() as uow:
        left = [(one.key, one.run_at, one.lock_token) for one in uow.session.scalars(select(WorkRow))]
    assert left == [("a", waits_until, None)]


def test_bring_forward_only_ever_moves_earlier(begin: Begin, clock: Clock) -> None:
    put(begin, "a", "another", run_at=clock.now + 10 * SECOND)
    for moved, then in ((20, 10), (5, 5), (10, 5)):
        with begin() as uow:
            work.bring_forward(uow.session, key="a", run_at=clock.now + moved * SECOND)
            uow.commit()
        assert row(begin).run_at == clock.now + then * SECOND
    assert row(begin, "another").run_at == clock.now + 10 * SECOND


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


def test_next_due_is_what_comes_in_between(begin: Begin, clock: Clock) -> None:
    def nearest(seconds: float) -> dt.datetime | None:
        with begin() as uow:
            return work.next_due(uow.session, now=uow.now, before=uow.now + seconds * SECOND)

    put(begin, "due")
    put(begin, "third", run_at=clock.now + 3 * SECOND)
    put(begin, "second", run_at=clock.now + 2 * SECOND)
    assert nearest(1) is None
    assert nearest(2) == clock.now + 2 * SECOND
    assert nearest(10) == clock.now + 2 * SECOND


def test_ages_and_standing_of_every_handler(begin: Begin, clock: Clock) -> None:
    def now_there() -> tuple[list[Age], list[Standing]]:
        with begin() as uow:
            return work.ages(uow.session, uow.now), work.standing(uow.session, uow.now)

    assert now_there() == ([], [])
    put(begin, "dead", "held")
    failing(begin, "dead")
    with begin() as uow:
        assert work.claim_key(uow.session, key="held", now=uow.now)
        work.enqueue(uow.session, handler="g", key="later", payload={}, now=uow.now, run_at=uow.now + LEASE / 2)
        uow.commit()
    put(begin, "late", run_at=clock.now - 5 * SECOND)
    put(begin, "due")
    assert now_there() == (
        [Age("h", 5.0, 1)],
        [
            Standing("g", ready=0, leased=0, waiting=1, dead=0, oldest_s=0.0),
            Standing("h", ready=2, leased=1, waiting=0, dead=1, oldest_s=5.0),
        ],
    )
    clock.now += LEASE  # the worker of one of them is gone
    assert now_there() == (
        [Age("g", 15.0, 0), Age("h", 35.0, 1)],
        [
            Standing("g", ready=1, leased=0, waiting=0, dead=0, oldest_s=15.0),
            Standing("h", ready=3, leased=0, waiting=0, dead=1, oldest_s=35.0),
        ],
    )
    clock.now -= 15 * SECOND  # the very moment that one comes due
    assert now_there()[0][0] == Age("g", 0.0, 0)
    with begin() as uow:
        uow.session.execute(delete(WorkRow).where(WorkRow.key != "dead"))
        assert work.ages(uow.session, uow.now) == [Age("h", 0.0, 1)]


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


def calls(begin: Begin, ask: Callable[[UnitOfWork], None]) -> tuple[int, int]:
    """How often a transaction called the workers, and how often they heard it."""
    with begin() as uow:
        engine = uow.session.get_bind()
        assert isinstance(engine, Engine)
    called: list[str] = []

    def statement(*seen: object) -> None:
        called.extend(str(one) for one in seen if "pg_notify" in str(one) and isinstance(one, str))

    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as ears:
        ears.exec_driver_sql(f"LISTEN {work.CHANNEL}")
        event.listen(engine, "before_cursor_execute", statement)
        try:
            with begin() as uow:
                ask(uow)
                uow.commit()
        finally:
            event.remove(engine, "before_cursor_execute", statement)
        driver = ears.connection.driver_connection
        assert driver is not None
        heard = list(driver.notifies(timeout=0.2))
        ears.exec_driver_sql(f"UNLISTEN {work.CHANNEL}")
    return len(called), len(heard)


@pytest.mark.postgres
@only_postgres
def test_a_transaction_calls_the_workers_once(begin: Begin, clock: Clock) -> None:
    def due(uow: UnitOfWork) -> None:
        for key in "abc":
            work.enqueue(uow.session, handler="h", key=key, payload={}, now=uow.now)

    def later(uow: UnitOfWork) -> None:
        work.enqueue(uow.session, handler="h", key="d", payload={}, now=uow.now, run_at=uow.now + 60 * SECOND)

    def again(uow: UnitOfWork) -> None:
        work.enqueue(uow.session, handler="h", key="a", payload={}, now=uow.now)
        work.bring_forward(uow.session, key="nothing", run_at=uow.now)

    def forward(uow: UnitOfWork) -> None:
        work.bring_forward(uow.session, key="d", run_at=uow.now)

    assert calls(begin, due) == (1, 1)
    assert calls(begin, later) == (0, 0)
    assert calls(begin, again) == (0, 0)
    assert calls(begin, forward) == (1, 1)


@pytest.mark.postgres
@only_postgres
def test_what_is_rolled_back_calls_nobody(begin: Begin) -> None:
    def ask(uow: UnitOfWork) -> None:
        work.enqueue(uow.session, handler="h", key="a", payload={}, now=uow.now)
        uow.session.rollback()

    def ask_in_a_savepoint(uow: UnitOfWork) -> None:
        with uow.session.begin_nested() as nested:
            work.enqueue(uow.session, handler="h", key="a", payload={}, now=uow.now)
            nested.rollback()
        work.enqueue(uow.session, handler="h", key="b", payload={}, now=uow.now)

    assert calls(begin, ask) == (1, 0)
    assert calls(begin, ask_in_a_savepoint) == (2, 1)


@pytest.mark.postgres
@only_postgres
def test_a_session_that_goes_on_after_its_commit_calls_again(begin: Begin) -> None:
    def ask(uow: UnitOfWork) -> None:
        for key in "ab":
            work.enqueue(uow.session, handler="h", key=key, payload={}, now=uow.now)
            uow.commit()

    assert calls(begin, ask) == (2, 2)


@pytest.mark.postgres
@only_postgres
def test_the_heartbeat_waits_for_nobody_who_is_about_to_end_a_row(begin: Begin, clock: Clock) -> None:
    put(begin, "a", "b")
    taken = claim(begin)
    clock.tick(seconds=1)
    with begin() as ending:
        work.finish(ending.session, next(mine for mine in taken if mine.key == "a"))
        with begin() as beating:
            beating.session.execute(text("SET LOCAL lock_timeout = '100ms'"))
            work.extend(beating.session, taken, now=beating.now)
            beating.commit()
        ending.commit()
    assert row(begin, "b").run_at == clock.now + LEASE
