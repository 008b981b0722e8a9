"""The life cycle of a standing consent: who may still pay under it, and what cannot come back."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.lifecycle import IllegalStep
from consent.states import STANDING, STANDING_OVER, StandingState, StandingStep

P, T = StandingState, StandingStep


def walk(steps: list[StandingStep], start: StandingState = P.PREPARED) -> list[StandingState]:
    """The states that a run of steps goes through; a step that is not allowed changes nothing."""
    states = [start]
    for step in steps:
        try:
            states.append(STANDING.next(states[-1], step))
        except IllegalStep:
            continue
    return states


@given(st.lists(st.sampled_from(StandingStep), max_size=25))
def test_what_is_over_stays_over_but_for_an_approval_in_the_last_moment(steps: list[StandingStep]) -> None:
    """Only our clock says that one has expired: the bank may know better, and its customer may take it back there."""
    states = walk(steps)
    for here, after in itertools.pairwise(states):
        if here in STANDING_OVER:
            known = {here, P.AUTHORISED, P.REVOKING} if here is P.EXPIRED else {here}
            assert after in known


@pytest.mark.parametrize("state", sorted(set(StandingState) - {P.PREPARED}))
@pytest.mark.parametrize("step", list(StandingStep))
def test_whatever_comes_late_or_twice_is_taken_without_an_error(state: StandingState, step: StandingStep) -> None:
    """A look, a redirect, an event and a lost answer tell the same in any order."""
    STANDING.next(state, step)


def test_what_is_given_up_while_its_bytes_are_on_their_way_is_taken_back_once_the_bank_answers() -> None:
    states = walk([T.REVOKE, T.STAGE, T.AUTHORISE, T.BANK_GONE])
    assert states == [P.PREPARED, P.REVOKING, P.REVOKING, P.REVOKING, P.REVOKED]


def test_an_approval_that_the_bank_knows_of_and_we_do_not_can_be_given_again() -> None:
    assert walk([T.STAGE, T.LOSE_ACCESS, T.AUTHORISE])[-2:] == [P.STOPPED_AT_BANK, P.AUTHORISED]


@given(st.lists(st.sampled_from(StandingStep), max_size=25), st.sampled_from((P.AWAITING, P.AUTHORISED)))
def test_what_its_customer_took_back_pays_nothing_any_more(steps: list[StandingStep], start: StandingState) -> None:
    """Whatever the bank says afterwards: an approval, an access that is lost, nothing at all."""
    assert P.AUTHORISED not in walk(steps, STANDING.next(start, T.REVOKE))


@pytest.mark.parametrize("state", sorted(set(StandingState) - STANDING_OVER))
def test_each_that_is_not_over_can_be_taken_back(state: StandingState) -> None:
    assert STANDING.next(state, T.REVOKE) is P.REVOKING


@pytest.mark.parametrize("state", sorted(set(StandingState) - STANDING_OVER - {P.PREPARED}))
def test_once_the_bank_has_it_no_more_it_is_over(state: StandingState) -> None:
    assert STANDING.next(state, T.BANK_GONE) is P.REVOKED


@pytest.mark.parametrize("state", [P.AWAITING, P.AUTHORISED, P.STOPPED_AT_BANK])
def test_time_ends_what_the_bank_has_but_one_that_it_is_still_to_take_back(state: StandingState) -> None:
    assert STANDING.next(state, T.EXPIRE) is P.EXPIRED
    assert not STANDING.allows(P.REVOKING, T.EXPIRE)


def test_what_was_stopped_at_the_bank_can_be_approved_there_again() -> None:
    steps = [T.STAGE, T.AUTHORISE, T.LOSE_ACCESS, T.LOSE_ACCESS, T.AUTHORISE, T.AUTHORISE]
    assert walk(steps) == [
        P.PREPARED,
        P.AWAITING,
        P.AUTHORISED,
        P.STOPPED_AT_BANK,
        P.STOPPED_AT_BANK,
        P.AUTHORISED,
        P.AUTHORISED,
    ]


def test_nothing_is_authorised_that_the_bank_does_not_have() -> None:
    with pytest.raises(IllegalStep):
        STANDING.next(P.PREPARED, T.AUTHORISE)
