"""One purchase from its order to what came back of it: the same six steps for every company, whatever happened.

Pure: what the page of a bill has read anyway, and the steps that follow from it. The words for each code, and the pages
behind the links, are in the template (``_purchase.html``), so that a step that is missing is said to be in words.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.journey.answers.read import AnswerView
from app.journey.answers.states import AnswerKind, AnswerState
from app.journey.corrections.read import Chain, CorrectionView
from app.journey.corrections.states import CorrectionKind
from app.journey.intake.means import MeansKind
from app.journey.invoices.read import InvoiceView
from app.journey.invoices.states import InvoiceState
from app.journey.payments.read import PaymentView
from app.journey.payments.states import PaymentState, Truth
from app.journey.plans.read import PlanView
from app.journey.receipts.read import ReceiptInShort
from app.journey.refunds.read import RefundsOfBill, RefundView
from app.journey.refunds.states import RefundState
from connectors.money import Money

#: entries of one step that are shown; the others are counted, and stand in the lists of the page
ENTRIES_MOST = 4


class Key(enum.StrEnum):
    """The steps, in their order."""

    ORDER = "order"
    BILL = "bill"
    DECISION = "decision"
    PAYMENT = "payment"
    RECEIPT = "receipt"
    BACK = "back"  #: credit notes and refunds


class Stage(enum.StrEnum):
    """Where a step, or one thing in it, stands."""

    DONE = "done"
    NOW = "now"  #: under way, or waiting for somebody
    MISSING = "missing"  #: it should be there, and somebody has to see to it
    NOT_YET = "not_yet"  #: it is still to come, and nothing is wrong with that
    NOT_STATED = "not_stated"  #: the bill does not say it
    OUTSIDE = "outside"  #: it happens elsewhere, and nobody tells us
    NOT_NEEDED = "not_needed"  #: or over, and of no use any more: what did not go through, or was taken back


#: of several in one step the first of these is that of the step
_FIRST = (Stage.MISSING, Stage.NOT_YET, Stage.NOT_STATED, Stage.DONE, Stage.OUTSIDE, Stage.NOT_NEEDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happened in a step, or did not."""

    code: str  #: for which the template has the words
    stage: Stage
    on: dt.date | dt.datetime | None = None
    amount: Money | None = None
    text: str | None = None  #: a number or a reference, as it is written
    to: str | None = None  #: the page behind it: bill, payment, receipt, or a part of this page
    id: str | None = None  #: of what that page is about
    payment: PaymentView | None = None  #: for the words of how it stands
    answer: AnswerView | None = None  #: for the words of what was said


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseStep:
    key: Key
    entries: tuple[Entry, ...]  #: at least one, at most ENTRIES_MOST
    more: int  #: that are not among them

    @property
    def stage(self) -> Stage:
        """What is under way comes before all; where some of it is done and some is not, that is under way, too."""
        found = {entry.stage for entry in self.entries}
        if Stage.NOW in found or (Stage.DONE in found and found & {Stage.MISSING, Stage.NOT_YET}):
            return Stage.NOW
        return next(each for each in _FIRST if each in found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """What a page knows of one bill; lists as their stages give them, the newest first."""

    bill: InvoiceView
    answers: Sequence[AnswerView]
    plan: PlanView | None
    payments: Sequence[PaymentView]
    receipts: Mapping[str, ReceiptInShort]  #: by their payments
    chain: Chain
    refunds: RefundsOfBill

    @property
    def is_paid_here(self) -> bool:
        """Else nobody tells whether it was paid."""
        return self.bill.means == MeansKind.CREDIT_TRANSFER

    @property
    def has_paid(self) -> list[PaymentView]:
        """The first one first."""
        return [each for each in reversed(self.payments) if each.truth is Truth.DONE]

    @property
    def under_way(self) -> list[PaymentView]:
        return [each for each in reversed(self.payments) if each.truth not in (Truth.DONE, Truth.NOT_DONE)]

    @property
    def is_being_prepared(self) -> bool:
        """A payment was signed a moment ago, and there is nothing of it yet but that it has the bill."""
        return self.bill.state == InvoiceState.IN_PAYMENT and not self.under_way

    @property
    def is_paid_unseen(self) -> bool:
        """It is paid, by payments that are older than the last ones which the page has."""
        return self.bill.state == InvoiceState.PAID and not self.has_paid

    @property
    def taken_back(self) -> list[PaymentView]:
        """Those that were settled, and then taken back by the bank."""
        return [each for each in reversed(self.payments) if _is_reversed(each)]

    @property
    def not_done(self) -> list[PaymentView]:
        return [each for each in self.payments if each.truth is Truth.NOT_DONE and not _is_reversed(each)]

    @property
    def said(self) -> AnswerView | None:
        """What its customer said of it last, unless they took it back."""
        return next((each for each in self.answers[:1] if each.state != AnswerState.WITHDRAWN), None)

    @property
    def is_elsewhere(self) -> bool:
        """Its customer says that it is paid in another way, and that is not refused."""
        said = self.said
        return (
            said is not None
            and said.kind == AnswerKind.PAID_ELSEWHERE
            and said.state in (AnswerState.OPEN, AnswerState.ACCEPTED)
        )


def _is_reversed(payment: PaymentView) -> bool:
    return payment.state == PaymentState.REVERSED


def steps_of(purchase: Purchase) -> tuple[PurchaseStep, ...]:
    """All six, in their order."""
    return (
        _step(Key.ORDER, _order(purchase)),
        _step(Key.BILL, _bill(purchase)),
        _step(Key.DECISION, _decision(purchase)),
        _step(Key.PAYMENT, _payment(purchase)),
        _step(Key.RECEIPT, _receipt(purchase)),
        _step(Key.BACK, _back(purchase)),
    )


def _step(key: Key, entries: Iterator[Entry]) -> PurchaseStep:
    """What is over goes first where there is no room for all: what is under way or still to come is always shown."""
    found = list(entries)
    over = [each for each in found if each.stage in (Stage.DONE, Stage.NOT_NEEDED)]
    hidden = over[: max(len(found) - ENTRIES_MOST, 0)]
    shown = tuple(each for each in found if not any(each is one for one in hidden))
    return PurchaseStep(key=key, entries=shown[:ENTRIES_MOST], more=len(found) - len(shown[:ENTRIES_MOST]))


def _order(of: Purchase) -> Iterator[Entry]:
    if of.bill.order_reference:
        yield Entry(code="order", stage=Stage.DONE, text=of.bill.order_reference)
    else:
        yield Entry(code="no-order", stage=Stage.NOT_STATED)


def _bill(of: Purchase) -> Iterator[Entry]:
    bill, chain = of.bill, of.chain
    if bill.earlier is not None:
        yield Entry(code="earlier-bill", stage=Stage.DONE, text=bill.earlier.number, to="bill", id=bill.earlier.id)
    code = "delivered" if bill.is_delivered else "added"
    yield Entry(code=code, stage=Stage.DONE, on=bill.received_at, amount=bill.amount, text=bill.number)
    if chain.withdrawn is not None:
        yield Entry(code="withdrawn", stage=Stage.DONE, on=chain.withdrawn.said_at, to="corrections")
    if chain.replaced_by is not None:
        yield _replaced(chain.replaced_by)
    if chain.held_number is not None:
        yield Entry(code="correction-held", stage=Stage.NOW, text=chain.held_number)


def _replaced(by: CorrectionView) -> Entry:
    to = "bill" if by.opened_id else "corrections"
    return Entry(code="replaced", stage=Stage.DONE, on=by.said_at, text=by.number, to=to, id=by.opened_id)


def _decision(of: Purchase) -> Iterator[Entry]:
    """What its customer decided: what they said of the bill, what they plan, and what they signed."""
    decided = [*of.taken_back, *of.has_paid, *of.under_way]
    for each in sorted(decided, key=lambda one: one.decided_at):
        stage = Stage.NOT_NEEDED if _is_reversed(each) else Stage.DONE
        yield Entry(code="signed", stage=stage, on=each.decided_at, amount=each.amount, to="payment", id=each.id)
    if of.is_being_prepared:
        yield Entry(code="signed-now", stage=Stage.DONE)
    if of.is_paid_unseen:
        yield Entry(code="signed", stage=Stage.DONE, amount=of.bill.paid)
    said = of.said
    if said is not None:
        yield Entry(code="said", stage=_stage_of(said), on=said.said_at, answer=said)
    plans = of.plan is not None and of.plan.stands and of.bill.state == InvoiceState.TO_PAY
    if plans and of.plan is not None:
        yield Entry(code="planned", stage=Stage.NOW, on=of.plan.next_on)
    if of.bill.state == InvoiceState.TO_PAY and not plans and not (said is not None and said.is_open):
        stops = bool(of.not_done or of.taken_back)
        code = "rest-undecided" if of.bill.paid.minor else "undecided-again" if stops else "undecided"
        yield Entry(code=code, stage=Stage.NOT_YET, amount=of.bill.to_pay)
    elif not decided and said is None and not plans and not of.is_being_prepared and not of.is_paid_unseen:
        code = "nothing-to-decide" if of.bill.state == InvoiceState.CLEARED else "decided-elsewhere"
        yield Entry(code=code, stage=Stage.NOT_NEEDED)


def _stage_of(said: AnswerView) -> Stage:
    """What its company has refused, or has ended with the bill, decides nothing any more."""
    if said.is_open:
        return Stage.DONE if said.reply_by is None else Stage.NOW
    return Stage.DONE if said.state == AnswerState.ACCEPTED else Stage.NOT_NEEDED


def _payment(of: Purchase) -> Iterator[Entry]:
    if of.not_done:
        last = of.not_done[0]
        text = str(len(of.not_done)) if len(of.not_done) > 1 else None
        to = "payments" if text else "payment"
        yield Entry(
            code="tried", stage=Stage.NOT_NEEDED, on=last.updated_at, amount=last.amount, text=text, to=to, id=last.id
        )
    for each in of.taken_back:
        yield _of_payment("reversed", Stage.NOT_NEEDED, each, on=each.updated_at)
    for each in of.has_paid:
        yield _of_payment("paid-on-top" if each.on_top else "paid", Stage.DONE, each, on=each.settled_at)
    for each in of.under_way:
        yield _of_payment("under-way", Stage.NOW, each, on=None)
    if of.is_being_prepared:
        yield Entry(code="being-prepared", stage=Stage.NOW)
    if of.is_paid_unseen:
        yield Entry(code="paid", stage=Stage.DONE, amount=of.bill.paid)
    yield from _unpaid(of)


def _of_payment(code: str, stage: Stage, each: PaymentView, *, on: dt.datetime | None) -> Entry:
    return Entry(code=code, stage=stage, on=on, amount=each.amount, to="payment", id=each.id, payment=each)


def _unpaid(of: Purchase) -> Iterator[Entry]:
    """What no payment from here is for."""
    bill = of.bill
    if of.is_elsewhere and bill.state != InvoiceState.PAID:
        yield Entry(code="elsewhere", stage=Stage.OUTSIDE)
    elif bill.state == InvoiceState.TO_PAY:
        code = "set-aside" if bill.is_set_aside and not bill.held_back.minor else "unpaid"
        stage = Stage.MISSING if bill.late or of.taken_back else Stage.NOT_YET
        yield Entry(code="rest-unpaid" if bill.paid.minor else code, stage=stage, amount=bill.left)
    elif bill.state == InvoiceState.NOT_HERE:
        is_said = bill.says_how  # else neither how nor until when: its company is suspended
        code = "debited" if bill.means == "direct_debit" and is_said else "not-here"
        yield Entry(code=code, stage=Stage.OUTSIDE, on=bill.due_on if is_said else None)
    elif bill.state == InvoiceState.CLEARED:
        code = "nothing-to-pay" if of.is_paid_here else "cleared-debit" if bill.means == "direct_debit" else "cleared"
        yield Entry(code=code, stage=Stage.NOT_NEEDED)


def _receipt(of: Purchase) -> Iterator[Entry]:
    for each in reversed(of.payments):
        receipt = of.receipts.get(each.id)
        if receipt is not None:
            code, stage = ("receipt-void", Stage.NOT_NEEDED) if receipt.void else ("receipt", Stage.DONE)
            yield Entry(code=code, stage=stage, on=receipt.issued_at, text=receipt.number, to="receipt", id=receipt.id)
        elif each.truth is Truth.DONE:
            yield Entry(code="receipt-soon", stage=Stage.NOW)
    if of.is_paid_unseen:
        yield Entry(code="receipt-listed", stage=Stage.DONE, to="receipts")
    if of.under_way or of.is_being_prepared:
        yield Entry(code="no-receipt-yet", stage=Stage.NOT_YET)
    elif of.is_elsewhere and of.bill.state != InvoiceState.PAID:
        yield Entry(code="no-receipt-elsewhere", stage=Stage.NOT_NEEDED)
    elif of.bill.state == InvoiceState.TO_PAY:
        yield Entry(code="no-receipt-rest" if of.bill.paid.minor else "no-receipt", stage=Stage.NOT_YET)
    elif of.bill.state == InvoiceState.NOT_HERE or not of.is_paid_here:
        yield Entry(code="no-receipt-elsewhere", stage=Stage.NOT_NEEDED)
    elif of.bill.state == InvoiceState.CLEARED and not of.has_paid:
        yield Entry(code="no-receipt-needed", stage=Stage.NOT_NEEDED)


def _back(of: Purchase) -> Iterator[Entry]:
    notes = [each for each in of.chain.corrections if each.kind == CorrectionKind.CREDIT_NOTE]
    for note in notes:
        yield Entry(
            code="credit", stage=Stage.DONE, on=note.said_at, amount=note.amount, text=note.number, to="corrections"
        )
    for refund in reversed(of.refunds.refunds):
        yield _of_refund(refund)
    if of.refunds.unpromised.minor and of.refunds.owed.minor:
        yield Entry(code="unpromised", stage=Stage.MISSING, amount=of.refunds.unpromised, to="refund")
    elif not notes and not of.refunds.refunds:
        yield Entry(code="nothing-back", stage=Stage.NOT_NEEDED)


_OF_REFUND = {
    RefundState.PROMISED: Stage.NOW,
    RefundState.SENT: Stage.NOW,
    RefundState.MISSING: Stage.MISSING,
    RefundState.RECEIVED: Stage.DONE,
    RefundState.WITHDRAWN: Stage.DONE,
}


def _of_refund(refund: RefundView) -> Entry:
    state = RefundState(refund.state)
    on = refund.sent_on if state is RefundState.SENT else refund.promised_by
    when = on if state in (RefundState.PROMISED, RefundState.SENT) else refund.last.at
    code = "refund-overdue" if refund.is_overdue else f"refund-{state}"
    return Entry(code=code, stage=_OF_REFUND[state], on=when, amount=refund.amount, to="refund")
