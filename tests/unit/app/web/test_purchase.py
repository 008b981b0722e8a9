"""Whatever happened to a bill, each of the six steps says something, and never more than there is room for."""

from __future__ import annotations

import datetime as dt
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest

from app.journey.answers.states import AnswerKind, AnswerState
from app.journey.corrections.read import Chain
from app.journey.invoices.states import InvoiceState
from app.journey.payments.states import MEANING, PaymentState
from app.journey.receipts.read import ReceiptInShort
from app.journey.refunds.read import RefundsOfBill
from app.web.customers.purchase import ENTRIES_MOST, Entry, Key, Purchase, PurchaseStep, Stage, steps_of
from connectors.money import Money

NOW = dt.datetime(2026, 11, 23, 9, tzinfo=dt.UTC)
SOME, NONE = Money(1000, "EUR"), Money(0, "EUR")
#: tries at a bill, the newest first
TRIES = (
    (),
    (PaymentState.SETTLED,),
    (PaymentState.REJECTED,),
    (PaymentState.REVERSED,),
    (PaymentState.UNKNOWN, PaymentState.SETTLED),
    (PaymentState.AWAITING_CUSTOMER, *(PaymentState.SETTLED,) * 9),
    (PaymentState.SETTLED, PaymentState.REVERSED, *(PaymentState.EXPIRED,) * 3),
)


def fake(**values: Any) -> Any:
    return SimpleNamespace(**values)


def payment(number: int, state: PaymentState) -> Any:
    at = NOW + dt.timedelta(hours=-number)
    truth = MEANING[state].truth
    return fake(
        id=f"pay_{number}",
        state=state,
        truth=truth,
        amount=SOME,
        on_top=None,
        decided_at=at,
        settled_at=at,
        updated_at=at,
    )


def purchase(
    state: InvoiceState, tries: tuple[PaymentState, ...], *, means: str, said: Any, receipts: bool, paid: Money
) -> Purchase:
    bill = fake(
        state=state,
        means=means,
        says_how=True,
        is_delivered=True,
        earlier=None,
        received_at=NOW,
        due_on=NOW.date(),
        amount=SOME,
        number="1",
        order_reference=None,
        paid=paid,
        left=SOME,
        to_pay=SOME,
        held_back=NONE,
        is_set_aside=said is not None and said.is_open,
        late=False,
    )
    payments = [payment(number, each) for number, each in enumerate(tries)]
    issued = {
        each.id: ReceiptInShort(id=f"rcp_{each.id}", number="Q-1", issued_at=NOW, void=each.state == "reversed")
        for each in payments
        if receipts and each.state in (PaymentState.SETTLED, PaymentState.REVERSED)
    }
    return Purchase(
        bill=bill,
        answers=[said] if said else [],
        plan=None,
        payments=payments,
        receipts=issued,
        chain=Chain(),
        refunds=RefundsOfBill(owed=NONE, still_owed=NONE, unpromised=NONE, too_much=NONE),
    )


def answers() -> list[Any]:
    found: list[Any] = [None]
    for kind, state in product(AnswerKind, AnswerState):
        is_open = state == AnswerState.OPEN
        found.append(fake(kind=kind, state=state, is_open=is_open, reply_by=NOW.date(), said_at=NOW, lines=()))
    return found


@pytest.mark.parametrize("state", InvoiceState)
def test_no_step_is_ever_silent(state: InvoiceState) -> None:
    cases = product(TRIES, ("credit_transfer", "direct_debit"), answers(), (True, False), (SOME, NONE))
    for tries, means, said, receipts, paid in cases:
        steps = steps_of(purchase(state, tries, means=means, said=said, receipts=receipts, paid=paid))
        assert [step.key for step in steps] == list(Key)
        for step in steps:
            assert 1 <= len(step.entries) <= ENTRIES_MOST, (step.key, state, tries, said)
            assert step.stage in set(Stage)
            assert step.more >= 0


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ([Stage.DONE], Stage.DONE),
        ([Stage.DONE, Stage.MISSING], Stage.NOW),
        ([Stage.NOT_NEEDED, Stage.MISSING], Stage.MISSING),
        ([Stage.NOT_NEEDED, Stage.DONE], Stage.DONE),
        ([Stage.NOW, Stage.MISSING, Stage.DONE], Stage.NOW),
        ([Stage.NOT_NEEDED], Stage.NOT_NEEDED),
    ],
)
def test_where_a_step_stands(stages: list[Stage], expected: Stage) -> None:
    entries = tuple(Entry(code="x", stage=stage) for stage in stages)
    assert PurchaseStep(key=Key.PAYMENT, entries=entries, more=0).stage is expected


def test_what_is_missing_is_shown_where_there_is_no_room_for_all() -> None:
    tries = (PaymentState.AWAITING_CUSTOMER, *(PaymentState.SETTLED,) * 9)
    found = steps_of(
        purchase(InvoiceState.IN_PAYMENT, tries, means="credit_transfer", said=None, receipts=True, paid=SOME)
    )
    payments = next(step for step in found if step.key is Key.PAYMENT)
    assert (len(payments.entries), payments.more) == (ENTRIES_MOST, 6)
    assert payments.entries[-1].stage is Stage.NOW
    receipts = next(step for step in found if step.key is Key.RECEIPT)
    assert receipts.entries[-1].stage is Stage.NOT_YET
