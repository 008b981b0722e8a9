"""The life cycle of a payment: no way back from an outcome, and a claim exactly while it may still cost money."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.journey.invoices.states import INVOICE, InvoiceState
from app.journey.payments import step as stepping
from app.journey.payments.states import (
    CLOSED,
    MEANING,
    NOT_DONE,
    OVER,
    PAYMENT,
    STEP_OF_FACT,
    PaymentState,
    PaymentStep,
    Truth,
)
from connectors.contract import Fact
from consent.lifecycle import IllegalStep
from consent.states import CONSENT, ConsentState

S, E = PaymentState, PaymentStep
STEPS = st.lists(st.sampled_from(PaymentStep), max_size=25)


def walk(steps: Sequence[PaymentStep], start: PaymentState = S.PREPARED) -> list[PaymentState]:
    """The states that a run of steps goes through; a step that is not allowed changes nothing."""
    states = [start]
    for step in steps:
        try:
            states.append(PAYMENT.next(states[-1], step))
        except IllegalStep:
            continue
    return states


def paths(state: PaymentState, way: tuple[PaymentState, ...] = ()) -> list[tuple[PaymentState, ...]]:
    """Every way from ``state`` to an end, through one doubt and one correction at the most: nothing else leads back, or
    this would not return."""
    before, way = way, (*way, state)
    if state in NOT_DONE and max(before.count(S.UNKNOWN), before.count(S.SETTLED)) == 2:
        return [way]
    after = sorted({then for (here, _), then in PAYMENT.table.items() if here is state})
    return [way] if not after else [one for then in after for one in paths(then, way)]


@given(STEPS)
def test_an_outcome_stays_but_for_a_reversal_a_correction_and_a_doubt(steps: list[PaymentStep]) -> None:
    states = walk(steps)
    for before, after in itertools.pairwise(states):
        if before in OVER and after is not before:
            assert after in ({S.SETTLED, S.UNKNOWN} if before in NOT_DONE else {S.REVERSED})


@given(STEPS)
def test_what_was_released_is_never_held_again(steps: list[PaymentStep]) -> None:
    """A second payment may be under way by then: only a record of the bank makes an exception, and it asks for it."""
    without_records = [step for step in steps if step not in (E.CORRECT, E.DOUBT)]
    free = [MEANING[state].may_pay_again for state in walk(without_records)]
    assert free == sorted(free)


@given(STEPS, st.sampled_from(PaymentState))
def test_after_silence_only_the_bank_or_the_end_of_the_time_decides(
    steps: list[PaymentStep], start: PaymentState
) -> None:
    states = walk(steps, start)
    for before, after in itertools.pairwise(states):
        if before is S.UNKNOWN and after is not before:
            assert after in {S.ACCEPTED, S.SETTLED, S.REJECTED, S.CANCELLED, S.EXPIRED}


def test_every_state_has_a_meaning() -> None:
    assert set(MEANING) == set(PaymentState)


def test_what_each_state_means_to_customer_and_biller() -> None:
    said = {state: (meaning.truth, meaning.may_pay_again, meaning.outside) for state, meaning in MEANING.items()}
    assert said == {
        S.PREPARED: (Truth.AT_BANK, False, "open"),
        S.INITIATING: (Truth.AT_BANK, False, "open"),
        S.AWAITING_CUSTOMER: (Truth.AT_BANK, False, "open"),
        S.AUTHORISED: (Truth.APPROVED, False, "open"),
        S.SUBMITTING: (Truth.APPROVED, False, "open"),
        S.ACCEPTED: (Truth.ACCEPTED, False, "open"),
        S.SETTLED: (Truth.DONE, False, "paid"),
        S.REJECTED: (Truth.NOT_DONE, True, "failed"),
        S.CANCELLED: (Truth.NOT_DONE, True, "failed"),
        S.EXPIRED: (Truth.NOT_DONE, True, "failed"),
        S.UNKNOWN: (Truth.NOT_KNOWN, False, "open"),
        S.REVERSED: (Truth.NOT_DONE, True, "failed"),
    }
    assert {S.SETTLED, S.REJECTED, S.CANCELLED, S.EXPIRED, S.REVERSED} == OVER


def test_only_what_was_closed_as_not_done_can_be_corrected() -> None:
    assert {S.REJECTED, S.CANCELLED, S.EXPIRED} == CLOSED
    assert {S.REVERSED, *CLOSED} == NOT_DONE
    assert {(before, after) for (before, taken), after in PAYMENT.table.items() if taken is E.CORRECT} == {
        (before, S.SETTLED) for before in NOT_DONE
    }


def test_a_doubt_leaves_it_to_the_bank() -> None:
    assert {before for (before, taken) in PAYMENT.table if taken is E.DOUBT} == NOT_DONE
    assert {after for (_, taken), after in PAYMENT.table.items() if taken is E.DOUBT} == {S.UNKNOWN}


def test_not_found_never_ends_what_the_bank_said_it_has() -> None:
    ended = {before for (before, taken) in PAYMENT.table if taken is E.NOT_FOUND}
    assert ended == {S.AWAITING_CUSTOMER, S.SUBMITTING, S.UNKNOWN}


def test_what_may_have_been_submitted_cannot_be_withheld() -> None:
    """Nobody but the bank, or the end of the time, ends what it may execute."""
    assert {before for (before, taken) in PAYMENT.table if taken is E.WITHHOLD} == {S.AWAITING_CUSTOMER, S.AUTHORISED}
    assert {after for (before, taken), after in PAYMENT.table.items() if taken is E.SUBMIT} == {S.SUBMITTING}
    ours = {E.WITHHOLD, E.CUSTOMER_CANCEL, E.EXPIRE, E.GIVE_UP}
    assert not {taken for (before, taken) in PAYMENT.table if before is S.SUBMITTING} & ours


def test_on_every_way_the_consent_keeps_step() -> None:
    """A step of the payment must never fail because its consent cannot follow: the customer would see nothing."""
    ways = paths(S.PREPARED)
    assert {way[-1] for way in ways} >= {S.REVERSED, S.REJECTED}
    for way in ways:
        consent = ConsentState.AWAITING_AUTHORISATION
        for before, state in itertools.pairwise((S.PREPARED, *way)):
            for taken in stepping.consent_steps(before, state):
                consent = CONSENT.next(consent, taken)
        if way[-1] is S.REVERSED:
            assert consent is ConsentState.CONSUMED


def test_facts_that_prove_nothing_move_nothing() -> None:
    assert set(Fact) - set(STEP_OF_FACT) == {Fact.WAITING, Fact.NOT_FOUND, Fact.UNKNOWN}
    assert {fact for fact, step in STEP_OF_FACT.items() if step is E.BANK_SETTLE} == {Fact.DEBITED, Fact.CREDITED}


@pytest.mark.parametrize("fact", STEP_OF_FACT)
@pytest.mark.parametrize("state", [S.AWAITING_CUSTOMER, S.UNKNOWN])
def test_whatever_the_bank_says_of_a_payment_that_it_has_can_be_believed(state: PaymentState, fact: Fact) -> None:
    assert PAYMENT.allows(state, STEP_OF_FACT[fact])


def test_an_invoice_is_claimed_released_settled_and_reopened_only_from_where_it_stands() -> None:
    assert {(before, after) for (before, _), after in INVOICE.table.items()} == {
        (InvoiceState.TO_PAY, InvoiceState.IN_PAYMENT),
        (InvoiceState.IN_PAYMENT, InvoiceState.TO_PAY),
        (InvoiceState.IN_PAYMENT, InvoiceState.PAID),
        (InvoiceState.PAID, InvoiceState.TO_PAY),
        (InvoiceState.TO_PAY, InvoiceState.PAID),  # what happened after all, or the rest was credited
        (InvoiceState.TO_PAY, InvoiceState.CLEARED),
        # its biller had taken it back, and the payment did not happen or was taken back
        (InvoiceState.IN_PAYMENT, InvoiceState.CLEARED),
        (InvoiceState.PAID, InvoiceState.CLEARED),
        (InvoiceState.NOT_HERE, InvoiceState.CLEARED),
        # what the bank does after all, though nothing is asked any more
        (InvoiceState.CLEARED, InvoiceState.IN_PAYMENT),
        (InvoiceState.CLEARED, InvoiceState.PAID),
    }
