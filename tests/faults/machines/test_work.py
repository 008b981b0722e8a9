"""Durable work in many hands, on a clock that also goes back a little: a row is in one hand only, and none is lost.

The model is a list of rows with who has each of them until when. A hand is what a worker got when it claimed a row;
workers vanish, freeze, and come back with what is no longer theirs.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar
from unittest import mock

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select, update

from app.db import work
from app.db.unit_of_work import UnitOfWork
from app.db.work import (
    BACKOFF_MOST_S,
    BULK_HANDLERS,
    DEAD_PAUSE,
    LEASE,
    MAIL_HANDLERS,
    OUTBOUND_HANDLERS,
    PUSH_HANDLERS,
    REPORT_HANDLERS,
    TRIES_MOST,
    VANISHED,
    Claim,
    Lane,
    LostClaim,
    WorkRow,
)
from app.errors import Invalid
from tests.faults.machines.house import house, runs

pytestmark = pytest.mark.timeout(600)  # to make a run that breaks something short takes minutes

KEYS = ("a", "b", "c")
#: one of each lane
HANDLERS = {
    Lane.JOURNEY: "payments.follow",
    Lane.OUTBOUND: OUTBOUND_HANDLERS[0],
    Lane.PUSH: PUSH_HANDLERS[0],
    Lane.MAIL: MAIL_HANDLERS[0],
    Lane.BULK: BULK_HANDLERS[0],
    Lane.REPORTS: REPORT_HANDLERS[0],
}
KEY, PICK = st.sampled_from(KEYS), st.sampled_from(range(1000))
#: what a lease, a pause and a day are made of, and a moment more or less
SECONDS = st.sampled_from((-2.0, -0.5, 0.0, 0.001, 1.0, 10.0, 29.999, 30.0, 30.001, 3600.0, 5400.0, 86_400.0, 95_040.0))
LEASES = st.sampled_from((dt.timedelta(seconds=3), LEASE))
DICE = st.sampled_from((0.0, 0.5, 0.999))
SECOND = dt.timedelta(seconds=1)


@dataclass
class Row:
    handler: str
    payload: dict[str, int]
    run_at: dt.datetime
    since: int  #: which row came first
    hand: Claim | None = None
    tries: int = 0
    error: str | None = None
    dead_at: dt.datetime | None = None


class Work(RuleBasedStateMachine):
    seen: ClassVar[set[str]] = set()  #: of all runs: a machine that does nothing finds nothing

    def __init__(self) -> None:
        super().__init__()
        self.house = house().open()
        self.rows: dict[str, Row] = {}
        self.hands: list[Claim] = []  #: all that anybody ever got, also what is long over
        self.asked = 0
        self.latest = self.now  #: that the clock ever said

    # ------------------------------------------------------------------------------------------------------ small words

    @property
    def now(self) -> dt.datetime:
        return self.house.clock.now

    def _do(self, verb: Callable[[UnitOfWork], object], *, commit: bool = True) -> None:
        with self.house.begin() as uow:
            verb(uow)
            if commit:
                uow.commit()

    def _hand(self, pick: int) -> Claim:
        """The newest ones first: most of the others are lost."""
        return self.hands[-1 - pick % len(self.hands)]

    def _row_of(self, hand: Claim) -> Row | None:
        """The row while it is this hand's; None when it has passed into another one, or is over."""
        row = self.rows.get(hand.key)
        return row if row is not None and row.hand is hand else None

    def _fenced(self, hand: Claim, verb: Callable[[UnitOfWork], object]) -> Row | None:
        """A call that only who has the row may make: anybody else is told so, and nothing happens."""
        row = self._row_of(hand)
        if row is None:
            self.seen.add("lost")
            with self.house.begin() as uow, pytest.raises(LostClaim):
                verb(uow)
        else:
            self._do(verb)
        return row

    def _is_free(self, row: Row) -> bool:
        return row.hand is None or row.run_at <= self.now

    def _was_taken(self, hand: Claim) -> None:
        """Nobody else has it in a living hand; it is theirs from now on."""
        row = self.rows[hand.key]
        assert self._is_free(row), "it is in two hands"
        self.seen.add("taken over" if row.hand else "taken")
        assert hand.lock_token not in {old.lock_token for old in self.hands if old.key == hand.key}
        row.hand, row.tries, row.run_at = hand, row.tries + 1, self.now + hand.lease
        assert (hand.handler, hand.payload, hand.attempts) == (row.handler, row.payload, row.tries)
        self.hands.append(hand)

    def _failed(self, row: Row, error: str, dice: float) -> None:
        """It waits twice as long each time, an hour at most; after a day of that it is dead, and tried daily."""
        row.hand, row.error = None, error
        if row.tries >= TRIES_MOST:
            self.seen.add(f"dead: {error}")
            row.dead_at = row.dead_at or self.now
            row.run_at = self.now + DEAD_PAUSE * (0.9 + dice / 5)
        else:
            row.run_at = self.now + min(BACKOFF_MOST_S, 2 ** (row.tries - 1)) * (0.5 + dice) * SECOND

    def _kills(self, row: Row) -> bool:
        """It has worn out so many workers that never said a word: the next one does not get it."""
        return row.hand is not None and row.tries >= TRIES_MOST

    # ---------------------------------------------------------------------------------------------------- asking for it

    @initialize(tries=st.sampled_from((0, TRIES_MOST - 2, TRIES_MOST - 1, TRIES_MOST, TRIES_MOST + 5)))
    def ask_for_something(self, tries: int) -> None:
        """One row has failed so often already: that takes a day otherwise."""
        self.ask(key="a", lane=Lane.JOURNEY, seconds=0, commit=True)
        self.ask(key="b", lane=Lane.OUTBOUND, seconds=1, commit=True)
        self._do(lambda uow: uow.session.execute(update(WorkRow).where(WorkRow.key == "a").values(attempts=tries)))
        self.rows["a"].tries = tries

    @rule(key=KEY, lane=st.sampled_from(Lane), seconds=SECONDS, commit=st.booleans())
    def ask(self, key: str, lane: Lane, seconds: float, commit: bool) -> None:
        self.asked += 1
        handler = HANDLERS[lane]
        run_at, payload = self.now + seconds * SECOND, {"n": self.asked}
        self._do(
            lambda uow: work.enqueue(
                uow.session, handler=handler, key=key, payload=payload, now=uow.now, run_at=run_at
            ),
            commit=commit,
        )
        if commit and key not in self.rows:
            self.rows[key] = Row(handler, payload, run_at, since=self.asked)

    @rule(key=KEY, seconds=SECONDS)
    def bring_forward(self, key: str, seconds: float) -> None:
        run_at = self.now + seconds * SECOND
        self._do(lambda uow: work.bring_forward(uow.session, key=key, run_at=run_at))
        row = self.rows.get(key)
        if row is not None and row.hand is None and row.run_at > run_at:
            row.run_at = run_at
            row.tries = row.tries if row.dead_at else 0

    # --------------------------------------------------------------------------------------- claiming it, and ending it

    @rule(limit=st.sampled_from(range(1, 5)), lane=st.sampled_from(Lane), lease=LEASES, dice=DICE, commit=st.booleans())
    def claim_what_is_due(self, limit: int, lane: Lane, lease: dt.timedelta, dice: float, commit: bool) -> None:
        due = [
            (row.run_at, row.since, key)
            for key, row in self.rows.items()
            if row.run_at <= self.now and row.handler == HANDLERS[lane]
        ]
        expected = [key for _, _, key in sorted(due)[:limit]]
        got: list[Claim] = []
        with mock.patch.object(work, "_dice", return_value=dice):
            self._do(
                lambda uow: got.extend(work.claim_due(uow.session, now=uow.now, limit=limit, lane=lane, lease=lease)),
                commit=commit,
            )
        deadly = {key for key in expected if self._kills(self.rows[key])}
        assert sorted(hand.key for hand in got) == sorted(set(expected) - deadly)
        if commit:
            for key in deadly:
                self.rows[key].tries += 1
                self._failed(self.rows[key], VANISHED, dice)
            for hand in got:
                self._was_taken(hand)

    @rule(key=KEY, lease=LEASES, dice=DICE)
    def claim_by_name(self, key: str, lease: dt.timedelta, dice: float) -> None:
        got: list[Claim | None] = []
        with mock.patch.object(work, "_dice", return_value=dice):
            self._do(lambda uow: got.append(work.claim_key(uow.session, key=key, now=uow.now, lease=lease)))
        row = self.rows.get(key)
        if row is None or not self._is_free(row):
            assert got == [None]
        elif self._kills(row):
            assert got == [None]
            row.tries += 1
            self._failed(row, VANISHED, dice)
        else:
            assert got[0] is not None
            self._was_taken(got[0])

    @rule(
        pick=PICK,
        dice=DICE,
        seconds=SECONDS,
        how=st.sampled_from(("hold", "finish", "again", "fail", "return")),
    )
    def go_on(self, pick: int, dice: float, seconds: float, how: str) -> None:
        """Whoever has it, or believes so, does with it what a handler may do."""
        if not self.hands:
            return
        hand = self._hand(pick)
        if how == "hold":
            self._hold(hand)
        elif how == "finish":
            self._finish(hand)
        elif how == "fail":
            self._fail(hand, dice)
        elif how == "return":
            self._give_back(hand)
        else:
            self._look_again(hand, seconds)

    def _hold(self, hand: Claim) -> None:
        row = self._fenced(hand, lambda uow: work.hold(uow.session, hand, clock=self.house.clock))
        if row is not None:
            row.run_at = self.now + hand.lease

    def _finish(self, hand: Claim) -> None:
        if self._fenced(hand, lambda uow: work.finish(uow.session, hand)) is not None:
            del self.rows[hand.key]

    def _look_again(self, hand: Claim, seconds: float) -> None:
        run_at = self.now + seconds * SECOND
        row = self._fenced(hand, lambda uow: work.run_again(uow.session, hand, run_at=run_at))
        if row is not None:
            row.hand, row.run_at, row.tries, row.error, row.dead_at = None, run_at, 0, None, None

    def _fail(self, hand: Claim, dice: float) -> None:
        """Whoever lost the row meanwhile only believes that it failed."""
        dead: list[bool] = []
        with mock.patch.object(work, "_dice", return_value=dice):
            self._do(lambda uow: dead.append(work.put_back(uow.session, hand, now=uow.now, error="ValueError")))
        assert dead == [hand.attempts >= TRIES_MOST]
        if (row := self._row_of(hand)) is not None:
            self._failed(row, "ValueError", dice)

    def _give_back(self, hand: Claim) -> None:
        self._do(lambda uow: work.give_back(uow.session, [hand], now=uow.now))
        if (row := self._row_of(hand)) is not None:
            row.hand, row.run_at, row.tries = None, self.now, row.tries - 1

    @rule(picks=st.lists(PICK, min_size=1, max_size=4))
    def beat(self, picks: list[int]) -> None:
        """The heartbeat of a worker, which may not have heard yet what it has lost."""
        hands = [self._hand(pick) for pick in picks] if self.hands else []
        self._do(lambda uow: work.extend(uow.session, hands, now=uow.now))
        for hand in hands:
            if (row := self._row_of(hand)) is not None:
                row.run_at = self.now + hand.lease

    @rule(pick=PICK, most=st.sampled_from(range(1, 5)), vanish=st.booleans())
    def fail_again_and_again(self, pick: int, most: int, vanish: bool) -> None:
        """The same row, whenever it is due: in words, or without one."""
        if not self.rows:
            return
        key = list(self.rows)[pick % len(self.rows)]
        for _ in range(most):
            row = self.rows[key]
            self.house.clock.now = max(self.now, row.run_at)
            self.claim_by_name(key=key, lease=LEASE, dice=0.5)
            if not vanish and (hand := self.rows[key].hand) is not None:
                self._fail(hand, 0.5)

    # ----------------------------------------------------------------------------------------------- time and operators

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        self.house.clock.tick(seconds=seconds)

    @rule(keys=st.lists(KEY, min_size=1, max_size=3) | st.none())
    def replay(self, keys: list[str] | None) -> None:
        if keys is not None and not set(keys) <= self.rows.keys():
            with self.house.begin() as uow, pytest.raises(Invalid):
                work.replay(uow.session, keys=keys, now=uow.now)
            return
        wanted = {key for key, row in self.rows.items() if row.dead_at} if keys is None else set(keys)
        expected = sorted(key for key in wanted if self._is_free(self.rows[key]))
        replayed: list[str] = []
        self._do(lambda uow: replayed.extend(work.replay(uow.session, keys=keys, now=uow.now)))
        assert replayed == expected
        self.seen.update("replayed" for _ in replayed)
        for key in expected:
            row = self.rows[key]
            row.hand, row.run_at, row.tries, row.error, row.dead_at = None, self.now, 0, None, None

    # ------------------------------------------------------------------------------------------------ what always holds

    @invariant()
    def the_table_is_as_the_model_says(self) -> None:
        with self.house.begin() as uow:
            there = {row.key: row for row in uow.session.scalars(select(WorkRow))}
            letters = {letter.key for letter in work.dead_letters(uow.session)}
        assert there.keys() == self.rows.keys(), "work was dropped, or came from nowhere"
        for key, row in self.rows.items():
            stored = there[key]
            assert stored.run_at == row.run_at
            assert stored.lock_token == (row.hand.lock_token if row.hand else None)
            assert (stored.attempts, stored.last_error, stored.dead_at) == (row.tries, row.error, row.dead_at)
            assert (stored.handler, stored.payload) == (row.handler, row.payload)
        assert letters == {key for key, row in self.rows.items() if row.dead_at}

    @invariant()
    def nothing_waits_for_ever(self) -> None:
        """Whatever happened to a row, it is tried again: a day and a tenth from now at the latest."""
        self.latest = max(self.latest, self.now)
        for row in self.rows.values():
            assert row.run_at <= self.latest + DEAD_PAUSE * 1.1 or row.tries == 0


def test_work_in_many_hands() -> None:
    run_state_machine_as_test(Work, settings=runs(50, steps=40))
    assert Work.seen == {"taken", "taken over", "lost", "dead: ValueError", f"dead: {VANISHED}", "replayed"}
