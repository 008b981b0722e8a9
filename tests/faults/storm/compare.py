"""What was said and written here, held against what the bank did. Pure: values in, violations out.

The bank's file is the truth. A violation is a sentence with ids, in one of three kinds:

    double    one bill was debited more than once
    lost      something that was acknowledged, or that the bank did, is not here, or nobody looks after it any more
    mis-told  somebody was told what the bank contradicts
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

#: what is said of a payment, in the words of our pages
PAID, NOT_DONE, NOT_KNOWN, ACCEPTED, AT_BANK, KEPT = "done", "not_done", "not_known", "accepted", "at_bank", "kept"
#: of a bill: it may be paid (again)
MAY_PAY = "may_pay"

ENDED_WELL = ("settled", "reversed")
CLOSED = ("rejected", "cancelled", "expired")
OPEN = ("prepared", "initiating", "awaiting_customer", "authorised", "submitting", "accepted", "unknown")
#: work may be so late before somebody has to know why
LATE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Order:
    """One order in the bank's file. Times in seconds since 1970; None: it never happened."""

    id: str
    end_to_end_id: str
    amount_minor: int
    decision: str  #: open, approved, refused or cancelled
    debited_at: float | None = None
    reversed_at: float | None = None

    @property
    def money_is_gone(self) -> bool:
        return self.debited_at is not None and self.reversed_at is None


@dataclass(frozen=True, kw_only=True)
class OurPayment:
    """One decision here, with what became of it. ``state`` is None while its payment is not prepared."""

    id: str
    end_to_end_id: str
    invoice_id: str
    bill_id: str
    amount_minor: int
    state: str | None
    rest_minor: int = 0  #: that is left to pay of its bill after it, as it was signed
    bank_id: str = "horizon"
    #: (state, since when), the whole history
    steps: Sequence[tuple[str, float]] = ()
    receipts: int = 0
    #: when the work that looks after it is due, of the earliest; None: there is none
    work_due_at: float | None = None


@dataclass(frozen=True, kw_only=True)
class Said:
    """One word about a payment (``payment``) or a bill (``bill``), heard between ``asked_at`` and ``heard_at``."""

    by: str  #: page, bill page, API or webhook
    word: str
    asked_at: float
    heard_at: float
    payment: str = ""
    bill: str = ""


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What people and programs outside were told."""

    bills: Mapping[str, str] = field(default_factory=dict)  #: bill id → number, acknowledged
    decisions: Mapping[str, float] = field(default_factory=dict)  #: payment id → when it was acknowledged
    said: Sequence[Said] = ()
    #: payment ids of payment.settled messages that arrived
    settled_messages: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Books:
    """What stands in our database. ``late_work`` are keys."""

    bills: frozenset[str]  #: in their customers' spaces
    waiting_bills: frozenset[str] = frozenset()  #: delivered, not yet there
    payments: Mapping[str, OurPayment] = field(default_factory=dict)
    undelivered: Mapping[str, float | None] = field(default_factory=dict)  #: message id → when it is tried again
    to_be_told: frozenset[str] = frozenset()  #: settled payments whose message is still to be written or to arrive
    receipts_to_come: frozenset[str] = frozenset()  #: settled payments whose receipt is still to be written
    late_work: Sequence[str] = ()  #: due for longer than LATE_S
    broken: Sequence[str] = ()  #: invariants, in words


@dataclass
class Verdict:
    double: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    mis_told: list[str] = field(default_factory=list)
    #: open, honestly said to be so, and looked after
    waiting: Counter[str] = field(default_factory=Counter)
    reversed_later: int = 0  #: settled here, and taken back by the bank: it is asked again an hour after

    @property
    def clean(self) -> bool:
        return not (self.double or self.lost or self.mis_told)

    def __str__(self) -> str:
        return f"double {len(self.double)} lost {len(self.lost)} mis-told {len(self.mis_told)}"


@dataclass(frozen=True)
class _Case:
    """All that is known, by what it is looked up by."""

    heard: Heard
    books: Books
    orders: Mapping[str, Sequence[Order]]  #: by EndToEndIdentification
    of_bill: Mapping[str, Sequence[OurPayment]]

    def executed(self, payment: OurPayment) -> list[Order]:
        return [order for order in self.orders.get(payment.end_to_end_id, ()) if order.debited_at is not None]


def compare(orders: Sequence[Order], books: Books, heard: Heard, *, now: float) -> Verdict:
    """Hold everything against everything."""
    by_reference: dict[str, list[Order]] = defaultdict(list)
    for order in orders:
        by_reference[order.end_to_end_id].append(order)
    of_bill: dict[str, list[OurPayment]] = defaultdict(list)
    for payment in books.payments.values():
        of_bill[payment.bill_id].append(payment)
    case = _Case(heard, books, by_reference, of_bill)
    verdict = Verdict()
    verdict.double = list(_double(case))
    verdict.lost = list(_lost(case, now=now))
    verdict.mis_told = list(_mis_told(case))
    for payment in books.payments.values():
        if payment.state is None or payment.state in OPEN:
            verdict.waiting[payment.state or "decided"] += 1
        elif payment.state == "settled" and not any(order.money_is_gone for order in case.executed(payment)):
            verdict.reversed_later += bool(case.executed(payment))
    return verdict


# ---------------------------------------------------------------------------------------------------------- double


def _double(case: _Case) -> Iterator[str]:
    for bill, payments in case.of_bill.items():
        gone = [order for payment in payments for order in case.executed(payment) if order.money_is_gone]
        if len(gone) > 1 and sum(order.amount_minor for order in gone) > _whole(payments):
            yield f"bill {bill} was debited {len(gone)} times, by orders {', '.join(order.id for order in gone)}"


def _whole(payments: Sequence[OurPayment]) -> int:
    """What all payments of one bill may come to: the first of them was signed for all of it, or a part and its rest."""
    return max((payment.amount_minor + payment.rest_minor for payment in payments), default=0)


# ------------------------------------------------------------------------------------------------------------ lost


def _lost(case: _Case, *, now: float) -> Iterator[str]:
    yield from _lost_acknowledgements(case)
    known = {payment.end_to_end_id for payment in case.books.payments.values()}
    for reference, orders in case.orders.items():
        yield from (
            f"order {order.id} ({reference}) was executed and nobody here knows of it"
            for order in orders
            if order.debited_at is not None and reference not in known
        )
    for payment in case.books.payments.values():
        yield from _lost_payment(case, payment, now=now)
    yield from (
        f"message {message} was not delivered and nobody tries it again"
        for message, again_at in case.books.undelivered.items()
        if again_at is None
    )
    yield from (f"work {key} is more than {LATE_S:.0f} s late" for key in case.books.late_work)
    yield from (f"invariant {broken}" for broken in case.books.broken)


def _lost_acknowledgements(case: _Case) -> Iterator[str]:
    for bill, number in case.heard.bills.items():
        if bill not in case.books.bills | case.books.waiting_bills:
            yield f"bill {bill} ({number}) was acknowledged and is not here"
    for payment in case.heard.decisions:
        if payment not in case.books.payments:
            yield f"decision for {payment} was acknowledged and is not here"


def _lost_payment(case: _Case, payment: OurPayment, *, now: float) -> Iterator[str]:
    executed = case.executed(payment)
    if payment.state in CLOSED and any(order.money_is_gone for order in executed):
        yield f"{payment.id} is called {payment.state}, and order {executed[0].id} was executed"
    if payment.state is None or payment.state in OPEN:
        due_at = payment.work_due_at
        if due_at is None:
            yield f"{payment.id} is {payment.state or 'decided'} and nobody looks after it"
        elif due_at < now - LATE_S:
            yield f"{payment.id} is {payment.state or 'decided'} and its work is {now - due_at:.0f} s late"
    if payment.state == "settled":
        if payment.receipts != 1 and not (payment.receipts == 0 and payment.id in case.books.receipts_to_come):
            yield f"{payment.id} is settled and has {payment.receipts} receipts"
        if payment.id not in case.heard.settled_messages | case.books.to_be_told:
            yield f"{payment.id} is settled and its biller was not told"


# -------------------------------------------------------------------------------------------------------- mis-told


def _mis_told(case: _Case) -> Iterator[str]:
    for payment in case.books.payments.values():
        yield from _mis_written(case, payment)
    seen = set()
    for said in case.heard.said:
        sentence = _judge(case, said)
        key = (said.by, said.word, said.payment, said.bill)
        if sentence and key not in seen:
            seen.add(key)
            yield sentence


def _mis_written(case: _Case, payment: OurPayment) -> Iterator[str]:
    """A state is said to whoever looks at that moment."""
    executed = case.executed(payment)
    if payment.state in ENDED_WELL and not executed:
        yield f"{payment.id} is called {payment.state}, and the bank executed nothing"
    if payment.receipts and not executed:
        yield f"{payment.id} has a receipt, and the bank executed nothing"
    for order in executed:
        if order.amount_minor != payment.amount_minor:
            yield f"{payment.id}: {payment.amount_minor} was signed and {order.amount_minor} executed"
    for state, since in payment.steps:
        yield from _mis_stepped(payment, executed, state, since)


def _mis_stepped(payment: OurPayment, executed: Sequence[Order], state: str, since: float) -> Iterator[str]:
    if state == "settled" and executed and not _paid_by(executed, since):
        yield f"{payment.id} was called settled at {since:.3f}, before the bank executed it"
    if state in CLOSED and _contradicted(executed, since):
        yield f"{payment.id} was called {state} at {since:.3f}, and order {executed[0].id} was executed"


def _judge(case: _Case, said: Said) -> str | None:
    if said.payment:
        payment = case.books.payments.get(said.payment)
        return None if payment is None else _judge_payment(said, case.executed(payment))
    return _judge_bill(case, said, case.of_bill.get(said.bill, ()))


def _judge_payment(said: Said, executed: Sequence[Order]) -> str | None:
    if said.word == PAID and not _paid_by(executed, said.heard_at):
        return f"{said.by} called {said.payment} paid at {said.heard_at:.3f}, before the bank executed it"
    if said.word == NOT_DONE and _contradicted(executed, said.asked_at):
        return f"{said.by} called {said.payment} not done at {said.heard_at:.3f}; order {executed[0].id} was executed"
    return None


def _judge_bill(case: _Case, said: Said, payments: Sequence[OurPayment]) -> str | None:
    if said.word == PAID:
        gone = [
            order.amount_minor
            for payment in payments
            for order in case.executed(payment)
            if _paid_by([order], said.heard_at)
        ]
        if not gone or sum(gone) < _whole(payments):
            return f"{said.by} called bill {said.bill} paid at {said.heard_at:.3f}, before the bank executed a payment"
    if said.word == MAY_PAY:
        before = [
            payment for payment in payments if case.heard.decisions.get(payment.id, said.asked_at) < said.asked_at
        ]
        executed = [
            order for payment in before for order in case.executed(payment) if _contradicted([order], said.asked_at)
        ]
        if executed and sum(order.amount_minor for order in executed) >= _whole(payments):
            last = executed[-1].id
            return f"{said.by} offered to pay bill {said.bill} at {said.heard_at:.3f}; order {last} was executed"
    return None


def _paid_by(executed: Sequence[Order], at: float) -> bool:
    """Whether the money had gone by then. A later reversal is another matter: nobody could know it."""
    return any(order.debited_at is not None and order.debited_at <= at for order in executed)


def _contradicted(executed: Sequence[Order], at: float) -> bool:
    """Whether the bank executed one of these, earlier or later, and had not taken it back by then."""
    return any(order.reversed_at is None or order.reversed_at > at for order in executed)
