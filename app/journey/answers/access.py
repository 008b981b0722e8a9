"""The only ways from an outside id to an answer."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.journey.answers.models import AnswerPolicy, BillAnswer
from app.journey.answers.rules import Policy
from app.journey.answers.states import AnswerState


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


def policy_of(session: Session, biller_id: str) -> Policy:
    """What this company has published."""
    published = session.get(AnswerPolicy, biller_id)
    return published.policy if published is not None else Policy()
