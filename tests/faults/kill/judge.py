"""What is left of a cell, held against the product's own invariants, the bank's file and what people were told."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import invariants
from app.audit.sequencer import number_waiting
from app.db.work import WorkRow
from app.journey.decisions.models import Decision
from app.journey.intake.models import DeliveredBill
from app.journey.invoices.models import Invoice
from app.journey.payments.calls import attempts
from app.journey.payments.models import BankCall, Payment, PaymentHistory
from app.journey.receipts.models import Receipt
from app.journey.webhooks.models import WebhookMessage
from consent.models import Standing
from tests.faults.kill.consents_judged import consents_amiss
from tests.faults.kill.course import Course
from tests.faults.kill.gate import Sent
from tests.faults.kill.house import has_end
from tests.faults.kill.stories import HORIZON
from tests.faults.kill.town import Town
from tests.faults.storm.books import orders_of, rows_of, uk_orders_of
from tests.faults.storm.compare import OPEN, Books, Heard, Order, OurPayment, Said, compare

_OUTSIDE = {"paid": "done", "failed": "not_done", "open": "at_bank"}


def last_orders(town: Town) -> tuple[int, int]:
    """A mark: what the banks were asked for afterwards has higher numbers, Horizon Bank's and the UK banks'."""
    [number] = rows_of(town.bank_file, "SELECT coalesce(max(rowid), 0) FROM payment")[0]
    [uk_number] = rows_of(town.british.file, "SELECT coalesce(max(rowid), 0) FROM consent")[0]
    return int(number), int(uk_number)


def last_order_id(bank_file: Path) -> str:
    """What the bank calls the last order that it was given."""
    [payment_id] = rows_of(bank_file, "SELECT payment_id FROM payment ORDER BY rowid DESC LIMIT 1")[0]
    return str(payment_id)


def judge(course: Course, *, after: tuple[int, int]) -> list[str]:
    """Everything that is wrong, in sentences. All processes have ended; ``after`` is the mark of the cell's begin."""
    house = course.house
    now = house.clock()
    number_waiting(house.services)  # what the housekeeping of a worker does each second
    found = [f"invariant {broken}" for broken in invariants.check(house.services.engine, now=now)]
    with Session(house.services.engine.execution_options(read_only=True)) as session:
        books = _books(session, without=house.old_payments)
        found += _loose_ends(session, course, books)
        heard = house.town.heard()
        found += _sent_otherwise(session, heard.sent)
        found += consents_amiss(session, course, heard.sent)
    house.leave_database()
    orders = orders_of(house.town.bank_file, now_s=now.timestamp(), after=after[0])
    orders += uk_orders_of(house.town.british.file, now_s=now.timestamp(), after=after[1])
    verdict = compare(orders, books, _heard(course, heard.messages, found), now=now.timestamp())
    for kind, sentences in (("double", verdict.double), ("lost", verdict.lost), ("mis-told", verdict.mis_told)):
        found += [f"{kind}: {sentence}" for sentence in sentences]
    found += [*_amiss(orders, books), *_booked_otherwise(house.town, books)]
    if course.story.fault is not None and course.story.fault[1] == "bank dies" and house.town.british.deaths != 1:
        found.append(f"the bank died {house.town.british.deaths} times, and should have died once")
    return found


def _amiss(orders: Iterable[Order], books: Books) -> Iterator[str]:
    """At most one debit for each decision, and paid here what is booked there."""
    debits: dict[str, int] = defaultdict(int)
    gone: dict[str, int] = defaultdict(int)
    for order in orders:
        debits[order.end_to_end_id] += order.debited_at is not None
        gone[order.end_to_end_id] += order.money_is_gone
    for payment in books.payments.values():
        if debits[payment.end_to_end_id] > 1:
            yield f"double: {payment.id} was debited {debits[payment.end_to_end_id]} times"
        if (payment.state == "settled") is not (gone[payment.end_to_end_id] == 1):
            yield f"mis-told: {payment.id} is {payment.state}, and the bank booked {gone[payment.end_to_end_id]} of it"
        if bool(payment.receipts) is not (payment.state in ("settled", "reversed")):
            yield f"mis-told: {payment.id} is {payment.state} and has {payment.receipts} receipts"


def _booked_otherwise(town: Town, books: Books) -> Iterator[str]:
    """What a UK bank says through its ledger door: each payment is booked once at most, and is paid here if it is."""
    for payment in books.payments.values():
        if payment.bank_id == HORIZON:
            continue
        kinds = Counter(entry["kind"] for entry in town.british.booked(payment.end_to_end_id))
        if kinds["debit"] > 1:
            yield f"double: {payment.id} stands {kinds['debit']} times in the bank's own books"
        if (payment.state == "settled") is not (kinds == {"debit": 1}):
            yield f"mis-told: {payment.id} is {payment.state}, and the bank's own books show {dict(kinds)}"


def _loose_ends(session: Session, course: Course, books: Books) -> Iterator[str]:
    """What has no end, or another one than the story's."""
    for row in session.scalars(select(WorkRow).where(has_end(course.house.clock()))):
        yield f"lost: work {row.key} does not end: {row.last_error}"
    for payment in books.payments.values():
        if payment.state is None or payment.state in OPEN:
            yield f"lost: {payment.id} is {payment.state or 'decided'} for ever"
    state = session.scalar(select(Invoice.state).where(Invoice.bill_id == course.bill))
    wanted = "paid" if course.story.paid else "to_pay"
    if state != wanted:
        yield f"lost: in the end the bill is {state}, and should be {wanted}"


def _sent_otherwise(session: Session, sent: Sequence[Sent]) -> Iterator[str]:
    """K1 and K2: what arrived was written down before, byte by byte, under its one key and as often as it was sent."""
    calls, agreed = session.scalars(select(BankCall)), session.scalars(select(Standing))
    written = {(call.verb, call.request_id): (call.body, attempts(session, call)) for call in calls}
    written |= {("agree", standing.request_id): (standing.body, standing.sends) for standing in agreed}
    for one, times in Counter(sent).items():
        body, most = written.get((one.verb, one.key), (None, 0))
        if body is None:
            yield f"double: the bank was asked to {one.verb} under {one.key}, which was never written down"
        elif body != one.body.encode():
            yield f"double: under {one.key} the bank was given other bytes than were written down"
        elif times > most:
            yield f"double: {one.key} was sent {times} times, and {most} are written down"


def _books(session: Session, *, without: Collection[str]) -> Books:
    """The part of our database that compare.py looks at. No work is left when it is read, or that is said elsewhere."""
    steps: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for line in session.scalars(select(PaymentHistory).order_by(PaymentHistory.sequence)):
        steps[line.payment_id].append((line.after, line.at.timestamp()))
    receipts = session.scalars(select(Receipt.payment_id)).all()
    rows = session.execute(
        select(Decision, DeliveredBill.id, Payment.state)
        .join(Invoice, Invoice.id == Decision.invoice_id)
        .join(DeliveredBill, DeliveredBill.id == Invoice.bill_id)
        .outerjoin(Payment, Payment.decision_id == Decision.id)
    ).all()
    payments = [
        OurPayment(
            id=decision.payment_id,
            end_to_end_id=decision.payment_id.replace("_", "", 1),
            invoice_id=decision.invoice_id,
            bill_id=bill,
            amount_minor=decision.amount_minor,
            rest_minor=decision.rest_minor,
            state=state,
            bank_id=decision.bank_id,
            steps=steps[decision.payment_id],
            receipts=receipts.count(decision.payment_id),
        )
        for decision, bill, state in rows
    ]
    undelivered = session.scalars(
        select(WebhookMessage.id).where(
            WebhookMessage.delivered_at.is_(None),
            # "still open" is not worth saying when a later word says more
            (WebhookMessage.type != "payment.updated") | WebhookMessage.dropped_at.is_(None),
        )
    )
    bills = frozenset(session.scalars(select(DeliveredBill.id).join(Invoice, Invoice.bill_id == DeliveredBill.id)))
    return Books(
        bills=bills,
        waiting_bills=frozenset(session.scalars(select(DeliveredBill.id))) - bills,
        payments={payment.id: payment for payment in payments if payment.id not in without},
        undelivered=dict.fromkeys(undelivered),
    )


def _heard(course: Course, messages: Iterable[Mapping[str, Any]], found: list[str]) -> Heard:
    """What the customer and the biller's program were told."""
    said = list(course.said)
    settled = set()
    for message in messages:
        data = message["data"]
        if not message["type"]:
            found.append(f"mis-told: a false message to the biller: {data}")
        elif "payment_id" in data:
            at = dt.datetime.fromisoformat(message["timestamp"]).timestamp()
            word = _OUTSIDE[data["status"]]
            said.append(Said(by="webhook", word=word, asked_at=at, heard_at=at, payment=data["payment_id"]))
            if message["type"] == "payment.settled":
                settled.add(data["payment_id"])
    return Heard(
        bills={course.bill: "K-1"},
        decisions=course.acknowledged,
        said=said,
        settled_messages=frozenset(settled),
    )
