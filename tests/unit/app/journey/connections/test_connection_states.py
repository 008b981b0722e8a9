"""The table of connections, walked at random: whatever the two do, and in whatever order."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.journey.connections.states import CONNECTION, OPEN, ConnectionState, ConnectionStep, Told, told
from config.settings import ROOT
from consent.lifecycle import IllegalStep

S, E = ConnectionState, ConnectionStep

#: who takes which step
OF_CUSTOMER: set[ConnectionStep] = {E.HAND, E.ASK, E.ACCEPT, E.DECLINE, E.MUTE, E.UNMUTE, E.LEAVE, E.BLOCK, E.UNBLOCK}
OF_BILLER: set[ConnectionStep] = {E.CHECK, E.CONFIRM, E.REFUSE, E.PRESENT_CODE, E.PRESENT_ADDRESS, E.END}
OF_OTHERS = {E.LAPSE, E.BRING_OVER}

runs = st.lists(st.sampled_from(sorted(OF_CUSTOMER | OF_BILLER | {E.LAPSE}, key=lambda step: step.name)), max_size=40)


def walk(steps: list[ConnectionStep]) -> list[tuple[ConnectionStep, ConnectionState, ConnectionState]]:
    """What moved: step, before, after. A step that does not fit is refused and changes nothing."""
    state, moved = S.NONE, []
    for step in steps:
        try:
            after = CONNECTION.next(state, step)
        except IllegalStep:
            continue
        if after is not state:
            moved.append((step, state, after))
        state = after
    return moved


def test_every_step_is_somebodys() -> None:
    assert set(E) == OF_CUSTOMER | OF_BILLER | OF_OTHERS


@given(runs)
def test_nothing_reaches_a_customer_who_has_not_said_yes_since_last_apart(
    steps: list[ConnectionStep],
) -> None:
    yes = False
    for step, before, after in walk(steps):
        if step in (E.ASK, E.ACCEPT):
            yes = True
        if after in OPEN:
            assert yes, (step, before, after)
        if after not in OPEN and after not in (S.ASKED, S.CHECKING):
            yes = False


@given(runs)
def test_a_block_holds_until_its_customer_ends_it(steps: list[ConnectionStep]) -> None:
    for step, before, after in walk(steps):
        if before is S.BLOCKED:
            assert (step, after) == (E.UNBLOCK, S.LEFT)


@given(runs)
def test_a_biller_alone_never_gets_further_than_asking(steps: list[ConnectionStep]) -> None:
    alone = [step for step in steps if step in OF_BILLER]
    assert {after for _, _, after in walk(alone)} <= {S.OFFERED, S.ENDED}


@given(runs)
def test_what_a_biller_does_never_brings_it_back_after_its_customer_left(steps: list[ConnectionStep]) -> None:
    """A fresh code may, because only the customer gives one; even then they are asked."""
    for step, before, after in walk(steps):
        if step in OF_BILLER and before in (S.LEFT, S.DECLINED, S.ENDED, S.REFUSED):
            assert (step, after) == (E.PRESENT_CODE, S.OFFERED)


@given(runs)
def test_every_step_of_the_customer_that_leaves_stops_the_bills(steps: list[ConnectionStep]) -> None:
    for step, _, after in walk(steps):
        if step in (E.LEAVE, E.BLOCK, E.DECLINE):
            assert after not in OPEN


@pytest.mark.parametrize("state", list(S))
def test_a_biller_cannot_tell_the_states_apart_that_are_not_its_to_know(state: ConnectionState) -> None:
    expected = {S.ASKED: Told.ASKED, S.CHECKING: Told.CHECKING, S.ACTIVE: Told.ACTIVE, S.MUTED: Told.ACTIVE}
    assert told(state) is expected.get(state, Told.ENDED)


@pytest.mark.parametrize("step", [E.CHECK, E.CONFIRM, E.REFUSE, E.END])
def test_what_is_over_answers_a_biller_alike(step: ConnectionStep) -> None:
    """Left, blocked, handed anew: the same refusal, or the same yes, whether an offer was taken back by it or not."""
    hidden = [S.HANDED, S.OFFERED, S.DECLINED, S.REFUSED, S.LEFT, S.ENDED, S.BLOCKED]

    def answer(state: ConnectionState) -> str:
        try:
            return told(CONNECTION.next(state, step))
        except IllegalStep:
            return "refused"

    assert {answer(state) for state in hidden} in ({Told.ENDED}, {"refused"})


@pytest.mark.parametrize("state", list(S))
def test_a_customer_can_always_do_something(state: ConnectionState) -> None:
    assert any(CONNECTION.allows(state, step) for step in OF_CUSTOMER)


def test_the_document_has_the_table() -> None:
    """docs/connections.md is read by people: it says what the code does, step by step and state by state."""
    text = (ROOT / "docs" / "connections.md").read_text("utf-8")
    written = {
        (S(before), E[step.upper()]): (S(after), who)
        for step, who, befores, after in re.findall(
            r"^\| `(\w+)` \| (\w+) \| ([\w, ]+) \| (\w+) \|$", text, re.MULTILINE
        )
        for before in befores.split(", ")
    }
    assert {move: after for move, (after, _) in written.items()} == CONNECTION.table
    whose = {"customer": OF_CUSTOMER, "biller": OF_BILLER, "worker": {E.LAPSE}, "operator": {E.BRING_OVER}}
    assert all(step in whose[who] for (_, step), (_, who) in written.items())
    words = dict(re.findall(r"^\| `(\w+)` \| .+ \| ([\w–]+) \|$", text, re.MULTILINE))
    for state in S:
        said = "ended" if words[state] == "–" else words[state]
        assert said == told(state), state
