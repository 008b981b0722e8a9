"""Writing down what a customer is to be told, if they want it, and what they chose. Sending is sending.py's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from app.db import work
from app.db.events import EventRow
from app.db.many import among
from app.db.unit_of_work import UnitOfWork
from app.db.upsert import insert_once
from app.errors import Invalid
from app.journey.decisions.models import Decision
from app.journey.intake.models import HeldBill
from app.journey.intake.rules import NOT_REGISTERED
from app.journey.invoices.models import Invoice
from app.journey.notices.kinds import CHOICES, GATHER, NoticeKind
from app.journey.notices.models import Notice, NoticeChoice
from app.journey.notices.states import NoticeState
from app.journey.payments.models import Payment
from app.people.account_states import AccountState
from app.people.accounts import with_biller
from app.people.biller_states import SUSPENDED
from app.people.customers import lock_customer
from app.people.models import Biller, Customer, PayeeAccount
from app.services import Task
from consent.base import new_id

SEND = "notices.send"
#: how long what was told stands on its customer's page
KEPT = dt.timedelta(days=90)

#: facts as they stand in payloads: with the id of their event
Facts = list[dict[str, Any]]
#: customer → event, one of each customer
Whose = dict[str, str]


# ------------------------------------------------------------------------------------------------- what is chosen


def choose(uow: UnitOfWork, *, customer_id: str, kinds: Collection[str]) -> None:
    """Be told of these kinds by e-mail from now on, and of no other one. Raises Invalid."""
    if unknown := set(kinds) - set(CHOICES):
        raise Invalid("kind", f"There is no kind of message called {', '.join(sorted(unknown))}. Nothing was changed.")
    lock_customer(uow.session, customer_id)
    uow.session.execute(
        delete(NoticeChoice).where(NoticeChoice.customer_id == customer_id, NoticeChoice.kind.not_in(kinds))
    )
    for kind in kinds:
        values = {"customer_id": customer_id, "kind": kind, "chosen_at": uow.now}
        insert_once(uow.session, NoticeChoice, values, unique=["customer_id", "kind"])


def is_wanted(session: Session, *, customer_id: str, kind: NoticeKind) -> bool:
    """Whether this customer is told of that by e-mail."""
    return customer_id in _wanting(session, kind, {customer_id})


def _wanting(session: Session, kind: NoticeKind, customer_ids: Collection[str]) -> set[str]:
    """Those of these customers who are told of that."""
    found = select(NoticeChoice.customer_id).where(among(session, NoticeChoice.customer_id, customer_ids))
    if kind in CHOICES:
        found = found.where(NoticeChoice.kind == kind)
    return set(session.scalars(found))


# -------------------------------------------------------------------------------------------------- what happened


def tell_new_bill(task: Task) -> None:
    """InvoiceOpened: the bill stands in the customer's space."""
    _tell_one(task, NoticeKind.NEW_BILL, _whose_invoices)


def tell_new_bill_together(task: Task) -> None:
    """The same for invoices that were opened together: one message to each customer."""
    _tell_together(task, NoticeKind.NEW_BILL, _whose_invoices)


def tell_held_bill(task: Task) -> None:
    """BillHeld: somebody must look at it first; told where that is because of its account."""
    _tell_one(task, NoticeKind.BILL_HELD, _whose_held_bills)


def tell_held_bill_together(task: Task) -> None:
    """The same for bills that were held together: one message to each customer."""
    _tell_together(task, NoticeKind.BILL_HELD, _whose_held_bills)


def tell_payment_settled(task: Task) -> None:
    """PaymentSettled."""
    _tell_one(task, NoticeKind.PAYMENT_SETTLED, _whose_payments)


def tell_payment_failed(task: Task) -> None:
    """PaymentFailed."""
    _tell_one(task, NoticeKind.PAYMENT_FAILED, _whose_payments)


def tell_payment_reversed(task: Task) -> None:
    """PaymentReversed."""
    _tell_one(task, NoticeKind.PAYMENT_REVERSED, _whose_payments)


def tell_account_frozen(task: Task) -> None:
    """PayeeMoved: told where nothing is paid any more to the account that a payment under way goes to."""
    _tell_one(task, NoticeKind.ACCOUNT_FROZEN, _whose_payments_are_held_up)


def tell_words_changed(task: Task) -> None:
    """SafeWordsChanged."""
    _tell_one(task, NoticeKind.WORDS_CHANGED, _whose_words)


# ------------------------------------------------------------------------------------------------ whom it is about


def _whose_invoices(session: Session, facts: Facts) -> Whose:
    ids = {fact["invoice_id"]: fact["event"] for fact in facts}
    rows = session.execute(select(Invoice.id, Invoice.customer_id).where(among(session, Invoice.id, ids)))
    return {row.customer_id: ids[row.id] for row in rows}


def _whose_held_bills(session: Session, facts: Facts) -> Whose:
    ids = {fact["held_id"]: fact["event"] for fact in facts}
    rows = session.execute(
        select(HeldBill.id, HeldBill.customer_id, HeldBill.reasons).where(
            among(session, HeldBill.id, ids), HeldBill.ended_as.is_(None)
        )
    )
    return {
        row.customer_id: ids[row.id] for row in rows if NOT_REGISTERED in {reason["code"] for reason in row.reasons}
    }


def _whose_payments(session: Session, facts: Facts) -> Whose:
    return {session.get_one(Payment, fact["payment_id"]).customer_id: fact["event"] for fact in facts}


def _whose_payments_are_held_up(session: Session, facts: Facts) -> Whose:
    held_up = (
        select(Payment.customer_id)
        .join(Decision, Decision.id == Payment.decision_id)
        .join(PayeeAccount, (PayeeAccount.biller_id == Payment.biller_id) & (PayeeAccount.iban == Decision.payee_iban))
        .join(Biller, with_biller)
        .where(
            or_(
                PayeeAccount.state.in_((AccountState.FROZEN, AccountState.THAWING, AccountState.CLOSED)),
                Biller.state.in_(SUSPENDED),
            )
        )
    )
    found = {fact["event"]: session.scalar(held_up.where(Payment.id == fact["payment_id"])) for fact in facts}
    return {customer_id: event for event, customer_id in found.items() if customer_id is not None}


def _whose_words(_: Session, facts: Facts) -> Whose:
    return {fact["customer_id"]: fact["event"] for fact in facts}


# -------------------------------------------------------------------------------------------------- writing it down


def _tell_one(task: Task, kind: NoticeKind, whose: Callable[[Session, Facts], Whose]) -> None:
    _tell(task, kind, whose, [task.payload])


def _tell_together(task: Task, kind: NoticeKind, whose: Callable[[Session, Facts], Whose]) -> None:
    _tell(task, kind, whose, task.payload["facts"])


def _tell(task: Task, kind: NoticeKind, whose: Callable[[Session, Facts], Whose], facts: Facts) -> None:
    """Read first: most customers have chosen nothing, and then nothing is written."""
    with task.services.reading() as uow:
        about = whose(uow.session, facts)
        wanting = _wanting(uow.session, kind, about)
    with task.services.unit_of_work() as uow:
        task.hold(uow)
        for customer_id in sorted(wanting):
            _write(uow, kind, customer_id=customer_id, event_id=about[customer_id])
        task.finish(uow)
        uow.commit()


def _write(uow: UnitOfWork, kind: NoticeKind, *, customer_id: str, event_id: str) -> None:
    """The message and the work that sends it. What is gathered is said by the one that waits already."""
    if kind in GATHER and _waits(uow.session, kind, customer_id):
        return
    values = {
        "id": new_id("ntc"),
        "customer_id": customer_id,
        "event_id": uow.session.get_one(EventRow, event_id).id,
        "kind": kind,
        "locale": uow.session.get_one(Customer, customer_id).locale,
        "state": NoticeState.WAITING,
        "tries": 0,
        "created_at": uow.now,
    }
    if insert_once(uow.session, Notice, values, unique=["event_id"]):
        work.enqueue(
            uow.session,
            handler=SEND,
            key=f"{SEND}:{values['id']}",
            payload={"notice_id": values["id"]},
            now=uow.now,
            run_at=uow.now + GATHER.get(kind, dt.timedelta()),
        )


def _waits(session: Session, kind: NoticeKind, customer_id: str) -> bool:
    """Whether a message of this kind is still to be sent for the first time."""
    waiting = select(Notice.id).where(
        Notice.customer_id == customer_id, Notice.kind == kind, Notice.state == NoticeState.WAITING, Notice.tries == 0
    )
    return session.scalar(waiting.limit(1)) is not None


def drop_old(uow: UnitOfWork) -> None:
    """Forget what was told long ago."""
    uow.session.execute(delete(Notice).where(Notice.created_at <= uow.now - KEPT, Notice.state != NoticeState.WAITING))
