"""The only ways from an outside id to an answer."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.journey.answers.models import AnswerPolicy, BillAnswer
from app.journey.answers.rules import Policy, kinds_for, later_days
from app.journey.answers.states import AnswerKind, AnswerState
from app.journey.invoices.access import takes_parts
from app.journey.invoices.models import Invoice
from app.journey.invoices.states import InvoiceState


def answer_of_customer(session: Session, *, answer_id: str, customer_id: str) -> BillAnswer:
    """Raises NotFound alike for none and for somebody else's."""
    answer = session.get(BillAnswer, answer_id, populate_existing=True)
    if answer is None or answer.customer_id != customer_id:
        raise NotFound("answer")
    return answer


def answer_to_biller(session: Session, *, answer_id: str, biller_id: str) -> BillAnswer:
    """Raises NotFound alike for none and for one of another biller's bill."""
    answer = session.get(BillAnswer, answer_id, populate_existing=True)
    if answer is None or answer.biller_id != biller_id:
        raise NotFound("answer")
    return answer


def open_answer(session: Session, invoice_id: str) -> BillAnswer | None:
    """What stands of this bill now. Who means to change it has locked the invoice."""
    return session.scalar(
        select(BillAnswer)
        .where(BillAnswer.invoice_id == invoice_id, BillAnswer.state == AnswerState.OPEN)
        .execution_options(populate_existing=True)
    )


def kinds_of(invoice: Invoice, *, today: dt.date) -> tuple[AnswerKind, ...]:
    """What its customer may say of this bill, as it is now."""
    return kinds_for(
        state=InvoiceState(invoice.state),
        is_asked=bool(invoice.asked.minor),
        is_delivered=invoice.is_delivered,
        due_on=invoice.due_on,
        pay_by=invoice.pay_by,
        takes_parts=_takes_parts(invoice),
        today=today,
    )


def _takes_parts(invoice: Invoice) -> bool:
    """Whether what is left can be, and may be, paid in parts. Not while lines are disputed: a proposal would take that
    back."""
    is_free = invoice.left.minor > 1 and not invoice.held_back_minor
    return is_free and takes_parts(invoice)


def days_of(invoice: Invoice, *, today: dt.date) -> tuple[dt.date, dt.date] | None:
    """The first and the last day until which more time may be asked for, and on which instalments may end. None: it
    names no day, or there is none."""
    if invoice.due_on is None or invoice.pay_by is None:
        return None
    return later_days(due_on=invoice.due_on, pay_by=invoice.pay_by, today=today)


def policy_of(session: Session, biller_id: str) -> Policy:
    """What this company has published."""
    published = session.get(AnswerPolicy, biller_id)
    return published.policy if published is not None else Policy()
