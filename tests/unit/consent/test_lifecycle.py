"""The table that every state goes through."""

from __future__ import annotations

import enum

import pytest

from consent.lifecycle import IllegalStep, Lifecycle


class Door(enum.Enum):
    OPEN = "open"
    SHUT = "shut"
    BRICKED = "bricked"


class Hand(enum.Enum):
    PUSH = "push"
    PULL = "pull"
    BUILD = "build"


TABLE = {
    (Door.OPEN, Hand.PUSH): Door.SHUT,
    (Door.SHUT, Hand.PULL): Door.OPEN,
    (Door.SHUT, Hand.BUILD): Door.BRICKED,
}
DOOR = Lifecycle(TABLE, ignored=frozenset({(Door.BRICKED, Hand.BUILD)}))


@pytest.mark.parametrize("state", Door)
@pytest.mark.parametrize("step", Hand)
def test_a_step_does_what_the_table_says_and_nothing_else(state: Door, step: Hand) -> None:
    assert DOOR.allows(state, step) is ((state, step) in TABLE)
    if (state, step) in TABLE:
        assert DOOR.next(state, step) is TABLE[state, step]
    elif (state, step) == (Door.BRICKED, Hand.BUILD):
        assert DOOR.next(state, step) is Door.BRICKED
    else:
        with pytest.raises(IllegalStep, match=f"{step.name} in {state.name}"):
            DOOR.next(state, step)


def test_final_is_what_no_step_leaves() -> None:
    assert DOOR.final() == {Door.BRICKED}


def test_reachable_follows_every_step() -> None:
    assert DOOR.reachable(Door.OPEN) == {Door.OPEN, Door.SHUT, Door.BRICKED}
    assert DOOR.reachable(Door.BRICKED) == {Door.BRICKED}


def test_a_step_cannot_both_move_and_be_ignored() -> None:
    with pytest.raises(ValueError, match="both a step and ignored"):
        Lifecycle(TABLE, ignored=frozenset({(Door.OPEN, Hand.PUSH)}))


def test_later_changes_of_the_mapping_change_nothing() -> None:
    table = dict(TABLE)
    door = Lifecycle(table)
    table.clear()
    assert door.allows(Door.OPEN, Hand.PUSH)


def test_it_draws_itself() -> None:
    assert DOOR.mermaid().splitlines() == [
        "stateDiagram-v2",
        "  OPEN --> SHUT: PUSH",
        "  SHUT --> OPEN: PULL",
        "  SHUT --> BRICKED: BUILD",
    ]
