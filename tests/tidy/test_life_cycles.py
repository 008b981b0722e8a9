"""Every life cycle table: nothing unreachable, the ends named exactly, every step of use."""

from __future__ import annotations

import enum
import importlib
from typing import Any

import pytest

from app.journey.answers.states import ANSWER, AnswerState, AnswerStep
from app.journey.connections.states import CONNECTION, ConnectionState, ConnectionStep
from app.journey.corrections.states import CORRECTION, CorrectionState, CorrectionStep
from app.journey.erasure.states import ERASURE, ErasureState, ErasureStep
from app.journey.intake.states import UPLOAD, UploadState, UploadStep
from app.journey.invoices.states import INVOICE, InvoiceState, InvoiceStep
from app.journey.notices.states import NOTICE, NoticeState, NoticeStep
from app.journey.payments.states import PAYMENT, PaymentState, PaymentStep
from app.journey.plans.states import DAY, PLAN, DayState, DayStep, PlanState, PlanStep
from app.journey.refunds.states import ACCOUNT, REFUND, AccountState, AccountStep, RefundState, RefundStep
from app.people.recovery_states import RECOVERY, RecoveryState, RecoveryStep
from consent.lifecycle import Lifecycle
from consent.states import CONSENT, STANDING, ConsentState, ConsentStep, StandingState, StandingStep
from tests.tidy.conftest import module_of, name_of, sources

Kind = type[enum.Enum]
States = set[enum.Enum]
#: table, its states, its steps, where it begins, where it can end
KNOWN: list[tuple[Lifecycle[Any, Any], Kind, Kind, States, States]] = [
    (CONNECTION, ConnectionState, ConnectionStep, {ConnectionState.NONE}, set()),  # people come back to one another
    (RECOVERY, RecoveryState, RecoveryStep, {RecoveryState.WAITING}, {*RecoveryState} - {RecoveryState.WAITING}),
    (UPLOAD, UploadState, UploadStep, {UploadState.RECEIVING}, {UploadState.DONE}),
    (
        NOTICE,
        NoticeState,
        NoticeStep,
        {NoticeState.WAITING},
        {NoticeState.SENT, NoticeState.REFUSED, NoticeState.GIVEN_UP, NoticeState.NOT_SENT},
    ),
    (
        ANSWER,
        AnswerState,
        AnswerStep,
        {AnswerState.OPEN},
        {AnswerState.WITHDRAWN, AnswerState.ACCEPTED, AnswerState.REFUSED, AnswerState.LAPSED},
    ),
    (
        PLAN,
        PlanState,
        PlanStep,
        {PlanState.STANDING},
        {PlanState.KEPT, PlanState.MISSED, PlanState.WITHDRAWN, PlanState.LAPSED},
    ),
    (DAY, DayState, DayStep, {DayState.WAITING}, {DayState.KEPT, DayState.MISSED}),
    (
        ERASURE,
        ErasureState,
        ErasureStep,
        {ErasureState.WAITING},
        {ErasureState.TAKEN_BACK, ErasureState.FORGOTTEN},
    ),
    (REFUND, RefundState, RefundStep, {RefundState.PROMISED}, {RefundState.RECEIVED, RefundState.WITHDRAWN}),
    (ACCOUNT, AccountState, AccountStep, {AccountState.TYPED}, {AccountState.TAKEN_BACK, AccountState.ERASED}),
    (CORRECTION, CorrectionState, CorrectionStep, {CorrectionState.STANDING}, {CorrectionState.APPLIED}),
    # a paid one may be reopened
    (INVOICE, InvoiceState, InvoiceStep, {InvoiceState.TO_PAY, InvoiceState.NOT_HERE}, set()),
    (
        CONSENT,
        ConsentState,
        ConsentStep,
        {ConsentState.AWAITING_AUTHORISATION},
        {ConsentState.CONSUMED},
    ),
    (
        STANDING,
        StandingState,
        StandingStep,
        {StandingState.PREPARED},
        # of what only our clock has ended the bank may say that it was approved in the last moment
        {StandingState.REJECTED, StandingState.REVOKED},
    ),
    (
        PAYMENT,
        PaymentState,
        PaymentStep,
        {PaymentState.PREPARED},
        set(),  # what did not happen, or did not last, can be corrected by a record of the bank
    ),
]
each = pytest.mark.parametrize(
    ("table", "states", "steps", "starts", "ends"), KNOWN, ids=[one[1].__name__ for one in KNOWN]
)


def test_every_table_is_looked_at_here() -> None:
    for path in sources():
        if path.name == "states.py":
            module = importlib.import_module(module_of(path))
            for name, value in vars(module).items():
                if isinstance(value, Lifecycle):
                    known = any(value is one[0] for one in KNOWN)
                    assert known, f"{name} of {name_of(path)} is a life cycle: add it to KNOWN in this test."


@each
def test_every_state_is_reachable(
    table: Lifecycle[Any, Any], states: Kind, steps: Kind, starts: States, ends: States
) -> None:
    reached = {state for start in starts for state in table.reachable(start)}
    lost = sorted(state.name for state in set(states) - reached)
    assert not lost, f"No run of steps leads to {', '.join(lost)}: add the step or drop the state."


@each
def test_the_ends_are_the_ones_that_are_meant(
    table: Lifecycle[Any, Any], states: Kind, steps: Kind, starts: States, ends: States
) -> None:
    assert table.final() == ends, "A state that nothing leaves must be meant as an end: name it here, or add its step."


@each
def test_no_step_is_both_a_move_and_ignored(
    table: Lifecycle[Any, Any], states: Kind, steps: Kind, starts: States, ends: States
) -> None:
    assert not table.table.keys() & table.ignored, "A step either moves a state or is a known repeat, never both."
    idle = [f"{step.name} in {state.name}" for (state, step), after in table.table.items() if after is state]
    assert not idle, f"{', '.join(idle)} moves nothing: name it in `ignored`."


@each
def test_every_step_is_of_use(
    table: Lifecycle[Any, Any], states: Kind, steps: Kind, starts: States, ends: States
) -> None:
    useless = sorted(step.name for step in set(steps) - {step for _, step in table.table})
    assert not useless, f"{', '.join(useless)} moves no state: add it to the table or drop it."
