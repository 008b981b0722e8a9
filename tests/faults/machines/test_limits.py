"""How often a bank is asked: its budget of questions under any number of workers, at the edges of minutes above all.

The model keeps the time of every question and counts them again and again.
"""

from __future__ import annotations

import datetime as dt
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from app.journey.consents import budget
from tests.faults.machines.house import house, runs

#: how many questions a minute each bank allows
BANKS = {"horizon": 1, "meridian": 3, "zenith": 7}
BANK = st.sampled_from(list(BANKS))
SECOND, MINUTE = dt.timedelta(seconds=1), dt.timedelta(minutes=1)


def minute_of(at: dt.datetime) -> dt.datetime:
    return at.replace(second=0, microsecond=0)


class Budget(RuleBasedStateMachine):
    """Workers of one machine, which has one clock: it only goes forward between two transactions."""

    seen: ClassVar[set[str]] = set()  #: of all runs: a machine that is never refused finds nothing

    def __init__(self) -> None:
        super().__init__()
        self.house = house().open()
        self.asked: dict[str, list[dt.datetime]] = {bank: [] for bank in BANKS}
        self.left_alone: dict[str, dt.datetime] = {}

    def _take(self, bank: str, *, commit: bool = True) -> dt.datetime | None:
        with self.house.begin() as uow:
            wait_until = budget.take(uow.session, bank_id=bank, most=BANKS[bank], now=uow.now)
            if commit:
                uow.commit()
        return wait_until

    def _asked_this_minute(self, bank: str) -> int:
        this = minute_of(self.house.clock.now)
        return sum(minute_of(at) == this for at in self.asked[bank])

    @rule(bank=BANK, times=st.sampled_from(range(1, 10)))
    def ask(self, bank: str, times: int) -> None:
        """As many workers as want to, one after the other."""
        now = self.house.clock.now
        for _ in range(times):
            wait_until = self._take(bank)
            alone = self.left_alone.get(bank, now)
            is_enough = self._asked_this_minute(bank) == BANKS[bank]
            free_at = minute_of(now) + MINUTE if is_enough else now
            if alone > now or is_enough:
                assert wait_until == max(alone, free_at)
                self.seen.add("left alone" if alone > now else "enough")
            else:
                assert wait_until is None
                self.asked[bank].append(now)
                self.seen.add("asked")

    @rule(bank=BANK)
    def go_down_before_the_commit(self, bank: str) -> None:
        """Nobody asked, so nothing is counted."""
        self._take(bank, commit=False)

    @rule(bank=BANK)
    def wait_as_long_as_told(self, bank: str) -> None:
        """Who comes back at the time that was named, and is alone, may ask."""
        wait_until = self._take(bank)
        if wait_until is None:
            self.asked[bank].append(self.house.clock.now)
            return
        assert wait_until > self.house.clock.now
        self.house.clock.now = wait_until
        assert self._take(bank) is None
        self.asked[bank].append(wait_until)

    @rule(bank=BANK, seconds=st.sampled_from((0, 1, 30, 59, 60, 61, 3600)))
    def be_told_to_wait(self, bank: str, seconds: int) -> None:
        """429 with Retry-After. It comes as the answer to a question; a shorter one takes nothing back."""
        if not self.asked[bank]:
            return
        until = self.house.clock.now + seconds * SECOND
        with self.house.begin() as uow:
            budget.put_off(uow.session, bank_id=bank, until=until, now=uow.now)
            uow.commit()
        self.left_alone[bank] = max(until, self.left_alone.get(bank, until))

    @rule(seconds=st.sampled_from((0.000001, 0.999999, 1, 2, 29, 58, 59, 60, 61, 3600)))
    def time_passes(self, seconds: float) -> None:
        self.house.clock.tick(seconds=seconds)

    @rule(microseconds=st.sampled_from((-1_000_000, -1, 0, 1, 999_999)))
    def the_minute_ends(self, microseconds: int) -> None:
        """A second, or a moment, before or after."""
        edge = minute_of(self.house.clock.now) + MINUTE + dt.timedelta(microseconds=microseconds)
        self.house.clock.now = max(self.house.clock.now, edge)

    @invariant()
    def no_minute_has_more_questions_than_the_bank_allows(self) -> None:
        for bank, asked in self.asked.items():
            minutes = [minute_of(at) for at in asked]
            assert all(minutes.count(each) <= BANKS[bank] for each in set(minutes))


def test_the_budget_of_a_bank() -> None:
    run_state_machine_as_test(Budget, settings=runs(40, steps=30))
    assert Budget.seen == {"asked", "enough", "left alone"}


def test_two_workers_at_the_edge_of_a_minute_share_one_budget() -> None:
    """Between two machines, or two transactions of PostgreSQL, `now` may go back a little: at every question here."""
    home = house().open()
    edge = minute_of(home.clock.now) + MINUTE
    granted = 0
    for number in range(20):
        home.clock.now = edge - SECOND if number % 2 else edge
        with home.begin() as uow:
            granted += budget.take(uow.session, bank_id="horizon", most=2, now=uow.now) is None
            uow.commit()
    assert granted <= 4  # two in each of the two minutes
