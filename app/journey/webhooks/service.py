"""Writing messages for the facts a biller may know. Sending them is delivery.py's."""

from __future__ import annotations

import base64
import datetime as dt
import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit.sequencer import newest_checkpoint
from app.db import work
from app.db.events import EventRow
from app.db.many import among, insert_many
from app.db.unit_of_work import UnitOfWork
from app.errors import Invalid
from app.journey.answers.models import BillAnswer
from app.journey.answers.read import AnswerForBiller, answer_for_biller
from app.journey.answers.states import AnswerState
from app.journey.connections.models import Connection
from app.journey.corrections.models import Correction
from app.journey.corrections.read import status_of_bill
from app.journey.invoices.models import Invoice
from app.journey.invoices.states import InvoiceState
from app.journey.payments.models import Payment
from app.journey.payments.read import payment_for_biller
from app.journey.payments.reasons import Reason
from app.journey.plans.read import PlanForBiller, plan_for_biller
from app.journey.plans.states import PlanState
from app.journey.refunds.models import Refund, RefundHistory
from app.journey.webhooks.models import WebhookEndpoint, WebhookMessage
from app.services import Services, Task
from app.strangers import may_be_called
from connectors.money import Money
from consent.base import new_id

DELIVER = "webhooks.deliver"


def add_endpoint(services: Services, uow: UnitOfWork, *, biller_id: str, url: str) -> tuple[str, str]:
    """Let a biller listen at ``url``. Returns the endpoint's id and its secret (``whsec_…``), shown this once."""
    if not may_be_called(url, demo=services.settings.demo):
        raise Invalid("webhook-address", "A webhook address begins with https:// and names a public host.")
    endpoint = WebhookEndpoint(id=new_id("whe"), biller_id=biller_id, url=url, created_at=uow.now)
    uow.session.add(endpoint)
    uow.session.flush()
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    services.vault.put(uow.session, secret_row(endpoint.id), secret, now=uow.now)
    return endpoint.id, secret


def secret_row(endpoint_id: str) -> str:
    return f"webhook:{endpoint_id}:secret"


def tell_bill_delivered(task: Task) -> None:
    """InvoiceOpened: the bill stands in the customer's space."""
    _tell_bill(task, kind="bill.delivered")


def tell_bill_delivered_together(task: Task) -> None:
    """The same for invoices that were opened together."""
    _tell_bills(task, kind="bill.delivered")


def tell_bill_unseen(task: Task) -> None:
    """BillUnseen: nobody has opened it for days; the biller may remind its customer in another way."""
    _tell_bill(task, kind="bill.unseen")


def tell_bill_unseen_together(task: Task) -> None:
    """The same for bills of which it was seen together."""
    _tell_bills(task, kind="bill.unseen")


def _tell_bill(task: Task, *, kind: str) -> None:
    with task.services.unit_of_work() as uow:
        invoice = uow.session.get_one(Invoice, task.payload["invoice_id"])
        data = _about_bill(invoice, task.payload)
        _write(task, uow, biller_id=invoice.delivery.biller_id, kind=kind, subject=invoice.delivery.bill_id, data=data)
        task.finish(uow)
        uow.commit()


def _tell_bills(task: Task, *, kind: str) -> None:
    """Read first, so that writing keeps others from the database for a moment only."""
    facts = {fact["invoice_id"]: fact for fact in task.payload["facts"]}
    with task.services.reading() as uow:
        invoices = uow.session.scalars(select(Invoice).where(among(uow.session, Invoice.id, facts))).all()
        event_ids = [fact["event"] for fact in facts.values()]
        rows = uow.session.scalars(select(EventRow).where(among(uow.session, EventRow.id, event_ids)))
        events = {event.id: event for event in rows}
    with task.services.unit_of_work() as uow:
        task.hold(uow)
        messages = []
        checkpoint = newest_checkpoint(uow.session)
        for endpoint in _listening(uow.session, {invoice.delivery.biller_id for invoice in invoices}):
            for invoice in invoices:
                if invoice.biller_id == endpoint.biller_id:
                    fact = facts[invoice.id]
                    data = _about_bill(invoice, fact)
                    event = events[fact["event"]]
                    subject = invoice.delivery.bill_id
                    messages.append(
                        _message(event, endpoint, kind=kind, subject=subject, data=data, checkpoint=checkpoint)
                    )
        insert_many(uow.session, WebhookMessage, messages)
        asked = {f"{DELIVER}:{message['id']}": {"message_id": message["id"]} for message in messages}
        work.enqueue_together(uow.session, handler=DELIVER, payloads=asked, now=uow.now)
        task.finish(uow)
        uow.commit()


def tell_bill_corrected(task: Task) -> None:
    """BillCorrected: the bill is linked with what its biller said of it later, and recalculated."""
    with task.services.unit_of_work() as uow:
        correction = uow.session.get_one(Correction, task.payload["correction_id"])
        invoice = uow.session.get_one(Invoice, task.payload["invoice_id"])
        data = _about_bill(invoice, task.payload) | {
            "amount": str(Money(task.payload["asked_minor"], invoice.currency)),
            "currency": invoice.currency,
            "sequence": task.payload["sequence"],
            "correction": {
                "kind": correction.kind,
                "bill_id": correction.bill_id,
                "number": correction.number,
                "taken_off": str(correction.taken),
            },
        }
        _write(
            task,
            uow,
            biller_id=invoice.delivery.biller_id,
            kind="bill.corrected",
            subject=invoice.delivery.bill_id,
            data=data,
        )
        task.finish(uow)
        uow.commit()


def tell_answer_changed(task: Task) -> None:
    """AnswerChanged: a customer has said something of a bill, or that has ended."""
    state = task.payload["state"]
    _tell_answer(task, kind=f"answer.{state}", state=state, sequence=task.payload["sequence"])


def tell_answer_overdue(task: Task) -> None:
    """AnswerOverdue: nobody had replied in time. It was open then, whatever it is by now."""
    _tell_answer(task, kind="answer.overdue", state=AnswerState.OPEN, sequence=1)


def _tell_answer(task: Task, *, kind: str, state: str, sequence: int) -> None:
    with task.services.unit_of_work() as uow:
        answer = uow.session.get(BillAnswer, task.payload["answer_id"])
        if answer is not None and answer.biller_id is not None:  # else there is nobody to tell
            told = answer_for_biller(uow.session, answer_id=answer.id, biller_id=answer.biller_id)
            data = _about_answer(told, state=state, sequence=sequence)
            _write(task, uow, biller_id=answer.biller_id, kind=kind, subject=told.bill_id, data=data)
        task.finish(uow)
        uow.commit()


def _about_answer(answer: AnswerForBiller, *, state: str, sequence: int) -> dict[str, Any]:
    """What is said never changes, and it ends once; ``state`` and ``sequence`` are of the fact that is told. The words
    of both sides are fetched: what is sent is written down in many places."""
    said: dict[str, Any] = {
        "answer_id": answer.id,
        "bill_id": answer.bill_id,
        "number": answer.number,
        "kind": answer.kind,
        "state": state,
        "ended_by": answer.ended_by if state != AnswerState.OPEN else None,
        "reason": answer.reason,
        "lines": list(answer.lines),
        "paid_on": answer.paid_on,
        "until": answer.until,
        "instalments": [{"pay_on": each.pay_on.isoformat(), "amount": str(each.amount)} for each in answer.instalments],
        "reply_by": answer.reply_by,
        "sequence": sequence,
    }
    return {name: value.isoformat() if isinstance(value, dt.date) else value for name, value in said.items()}


def tell_plan_changed(task: Task) -> None:
    """PlanChanged: a customer plans to pay a bill, missed a day of it, or the plan has ended."""
    fact = task.payload
    with task.services.unit_of_work() as uow:
        plan = plan_for_biller(uow.session, plan_id=fact["plan_id"])
        if plan is not None:
            _write(
                task,
                uow,
                biller_id=plan.biller_id,
                kind=_kind_of_plan(fact),
                subject=plan.bill_id,
                data=_about_plan(plan, fact),
            )
        task.finish(uow)
        uow.commit()


def _kind_of_plan(fact: Mapping[str, Any]) -> str:
    if fact["missed"] is not None:
        return "plan.missed"
    return "plan.made" if fact["state"] == PlanState.STANDING else "plan.ended"


def _about_plan(plan: PlanForBiller, fact: Mapping[str, Any]) -> dict[str, Any]:
    """What it says never changes; state, day missed and sequence are of the fact that is told."""
    return {
        "plan_id": plan.id,
        "bill_id": plan.bill_id,
        "number": plan.number,
        "state": fact["state"],
        "answer_id": plan.answer_id,
        "missed": fact["missed"],
        "currency": plan.currency,
        "days": [{"pay_on": day.pay_on.isoformat(), "amount": str(day.planned)} for day in plan.days],
        "sequence": fact["sequence"],
    }


#: what a line of a refund's history is called outside
REFUND_KINDS = {
    "promise": "refund.promised",
    "send": "refund.sent",
    "arrive": "refund.received",
    "miss": "refund.missing",
    "withdraw": "refund.withdrawn",
    "release": "refund.account_released",
    "take_back": "refund.account_withdrawn",
    "erase": "refund.account_withdrawn",
}


def tell_refund_moved(task: Task) -> None:
    """RefundMoved: somebody said something of a refund, or an account was released for it, or is not there any more."""
    _tell_refund(task)


def tell_refund_overdue(task: Task) -> None:
    """RefundOverdue: it was only promised then, whatever it is by now."""
    _tell_refund(task, kind="refund.overdue")


def _tell_refund(task: Task, *, kind: str | None = None) -> None:
    """One line of its history, as it was then. None of the words, no reference, and nothing of an account: what is sent
    is written down in many places."""
    with task.services.unit_of_work() as uow:
        line = uow.session.get_one(RefundHistory, (task.payload["refund_id"], task.payload["sequence"]))
        refund = uow.session.get_one(Refund, line.refund_id)
        invoice = uow.session.get_one(Invoice, refund.invoice_id)
        bill_id = invoice.delivery.bill_id
        data = {
            "refund_id": refund.id,
            "bill_id": bill_id,
            "number": invoice.number,
            "amount": str(refund.amount),
            "currency": refund.currency,
            "promised_by": refund.promised_by.isoformat(),
            "state": line.after,
            "sent_on": line.sent_on.isoformat() if line.sent_on else None,
            "sequence": line.sequence,
        }
        _write(task, uow, biller_id=refund.biller_id, kind=kind or REFUND_KINDS[line.step], subject=bill_id, data=data)
        task.finish(uow)
        uow.commit()


def tell_refund_owed(task: Task) -> None:
    """RefundOwed: more was taken off than was left to pay."""
    with task.services.unit_of_work() as uow:
        invoice = uow.session.get_one(Invoice, task.payload["invoice_id"])
        owed = Money(task.payload["amount_minor"], invoice.currency)  # of the fact that is told, not of now
        data = _about_bill(invoice, task.payload) | {
            "refund_owed": str(owed),
            "currency": owed.currency,
            "sequence": task.payload["sequence"],
        }
        _write(
            task,
            uow,
            biller_id=invoice.delivery.biller_id,
            kind="bill.refund_owed",
            subject=invoice.delivery.bill_id,
            data=data,
        )
        task.finish(uow)
        uow.commit()


def _about_bill(invoice: Invoice, fact: Mapping[str, Any]) -> dict[str, Any]:
    """Of the fact that is told, not of now, where the fact says how the bill stood."""
    status = status_of_bill(InvoiceState(fact.get("state", invoice.state)))
    said = {"bill_id": invoice.bill_id, "number": invoice.number, "status": status}
    return said | {"days": fact["days"]} if "days" in fact else said


def tell_connection_changed(task: Task) -> None:
    """ConnectionChanged: a customer asks, is connected, or no longer is. Who it is, the biller asks for."""
    with task.services.unit_of_work() as uow:
        connection = uow.session.get_one(Connection, task.payload["connection_id"])
        status = task.payload["status"]
        data = {
            "connection_id": connection.id,
            "status": status,
            "customer_reference": task.payload["reference"],
            "sequence": task.payload["sequence"],
        }
        _write(
            task,
            uow,
            biller_id=connection.biller_id,
            kind=f"connection.{status}",
            subject=connection.id,
            data=data,
        )
        task.finish(uow)
        uow.commit()


def tell_payment_updated(task: Task) -> None:
    """A payment is under way, or its outcome is not known: still open to the biller."""
    _tell_payment(task, kind="payment.updated")


def tell_payment_settled(task: Task) -> None:
    """PaymentSettled."""
    _tell_payment(task, kind="payment.settled")


def tell_payment_failed(task: Task) -> None:
    """It did not happen, or the bank took it back."""
    _tell_payment(task, kind="payment.failed")


def _tell_payment(task: Task, *, kind: str) -> None:
    with task.services.unit_of_work() as uow:
        payment_id = task.payload["payment_id"]
        told = uow.session.get_one(Payment, payment_id)
        biller_id = told.biller_id
        if biller_id is None:  # its customer added the bill: there is nobody to tell
            task.finish(uow)
            uow.commit()
            return
        payment = payment_for_biller(uow.session, payment_id=payment_id, biller_id=biller_id)
        data = {
            "payment_id": payment.id,
            "bill_id": payment.bill_id,
            "number": payment.number,
            "status": {"payment.settled": "paid", "payment.failed": "failed"}.get(kind, "open"),
            "amount": str(payment.amount),
            "currency": payment.amount.currency,
            "end_to_end_id": payment.end_to_end_id,
            # of the step that is told, not of now; facts from before there were sequences have none
            "sequence": task.payload.get("sequence", 1),
        }
        if (told.reason, told.sequence) == (Reason.ACCOUNT_HELD, data["sequence"]):
            data["reason"] = told.reason  # it is the biller's account; no other reason is any business of its
        _write(task, uow, biller_id=biller_id, kind=kind, subject=payment.id, data=data)
        task.finish(uow)
        uow.commit()


def _write(task: Task, uow: UnitOfWork, *, biller_id: str, kind: str, subject: str, data: dict[str, Any]) -> None:
    """One message for each endpoint that listens, with the work that sends it."""
    fact = uow.session.get_one(EventRow, task.payload["event"])
    checkpoint = newest_checkpoint(uow.session)
    for endpoint in _listening(uow.session, {biller_id}):
        written = _message(fact, endpoint, kind=kind, subject=subject, data=data, checkpoint=checkpoint)
        message = WebhookMessage(**written)
        uow.session.add(message)
        uow.session.flush()
        work.enqueue(
            uow.session,
            handler=DELIVER,
            key=f"{DELIVER}:{message.id}",
            payload={"message_id": message.id},
            now=uow.now,
        )


def _listening(session: Session, biller_ids: Collection[str]) -> Sequence[WebhookEndpoint]:
    return session.scalars(
        select(WebhookEndpoint).where(WebhookEndpoint.biller_id.in_(biller_ids), WebhookEndpoint.active)
    ).all()


def _message(
    fact: EventRow,
    endpoint: WebhookEndpoint,
    *,
    kind: str,
    subject: str,
    data: dict[str, Any],
    checkpoint: str | None,
) -> dict[str, Any]:
    """A message, column by column. Its time is that of the fact.

    The log's newest checkpoint goes along: who keeps its messages can tell later whether the log was changed.
    """
    said = {"type": kind, "timestamp": fact.recorded_at.isoformat(), "data": data}
    said |= {"checkpoint": checkpoint} if checkpoint else {}
    return {
        "id": new_id("msg"),
        "endpoint_id": endpoint.id,
        "event_id": fact.id,
        "type": kind,
        "subject": subject,
        "body": json.dumps(said, separators=(",", ":")).encode(),
        "created_at": fact.recorded_at,
        "tries": 0,
    }
