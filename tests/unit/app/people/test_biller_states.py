"""Every step in every state, by the table and by the words of docs/vetting.md."""

from __future__ import annotations

import itertools

import pytest

from app.people.biller_states import BILLER, BY_TWO, KNOWN, BillerState, BillerStep
from consent.lifecycle import IllegalStep

S, E = BillerState, BillerStep
ALLOWED = {
    (S.PROPOSED, E.CHECK): S.PROPOSED,
    (S.PROPOSED, E.APPROVE): S.APPROVED_ONCE,
    (S.PROPOSED, E.REFUSE): S.REFUSED,
    (S.APPROVED_ONCE, E.CHECK): S.PROPOSED,
    (S.APPROVED_ONCE, E.APPROVE): S.VETTED,
    (S.APPROVED_ONCE, E.REFUSE): S.REFUSED,
    (S.VETTED, E.SUSPEND): S.SUSPENDED,
    (S.SUSPENDED, E.SUSPEND): S.SUSPENDED,
    (S.SUSPENDED, E.REINSTATE): S.RETURNING,
    (S.RETURNING, E.SUSPEND): S.SUSPENDED,
    (S.RETURNING, E.REINSTATE): S.VETTED,
    (S.REFUSED, E.REFUSE): S.REFUSED,
}


@pytest.mark.parametrize(("state", "step"), list(itertools.product(S, E)))
def test_each_step_in_each_state(state: BillerState, step: BillerStep) -> None:
    if (state, step) in ALLOWED:
        assert BILLER.next(state, step) is ALLOWED[state, step]
    else:
        with pytest.raises(IllegalStep):
            BILLER.next(state, step)


def test_nothing_but_a_second_person_makes_it_vetted() -> None:
    into = {(state, step) for (state, step), after in BILLER.table.items() if after is S.VETTED}
    assert into == {(S.APPROVED_ONCE, E.APPROVE), (S.RETURNING, E.REINSTATE)}
    assert {step for _, step in into} == BY_TWO


def test_what_was_refused_stays_so_and_what_was_vetted_never_is() -> None:
    assert BILLER.final() == {S.REFUSED}
    assert BILLER.reachable(S.VETTED) == KNOWN
