"""Whether a page asks, and what a company may be told of the answers: counts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.journey.answers.read import AnswerView
from app.journey.answers.states import AnswerKind, AnswerState
from app.journey.opinions.models import Opinion
from app.journey.opinions.rules import About, Word, is_told, may_be_asked
from app.journey.payments.states import PaymentState

#: how a dispute ends by its company's word; whatever else ends one, nobody has handled it
_ANSWERED = (AnswerState.ACCEPTED, AnswerState.REFUSED)


class _Payment(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def settled_at(self) -> dt.datetime | None: ...


class _Answer(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def ended_at(self) -> dt.datetime | None: ...


def payment_over_at(payment: _Payment) -> dt.datetime | None:
    """When it was settled, as long as it is. None: it is not."""
    return payment.settled_at if payment.state == PaymentState.SETTLED else None


def dispute_over_at(answer: _Answer) -> dt.datetime | None:
    """When its company replied. None: it is no dispute, or nobody has."""
    is_over = answer.kind == AnswerKind.DISPUTED and answer.state in _ANSWERED
    return answer.ended_at if is_over else None


def asks_of_payment(session: Session, payment: _Payment, *, is_delivered: bool, now: dt.datetime) -> bool:
    """Whether its page asks. One query, where the question has an object at all."""
    over_at = payment_over_at(payment)
    return may_be_asked(is_delivered=is_delivered, over_at=over_at, now=now) and not _is_answered(session, payment.id)


def dispute_to_ask_of(
    session: Session, answers: Sequence[AnswerView], *, is_delivered: bool, now: dt.datetime
) -> str | None:
    """The last thing that its customer said of a bill, where it is a dispute of which the page asks: its id."""
    for answer in answers[:1]:
        over_at = dispute_over_at(answer)
        if may_be_asked(is_delivered=is_delivered, over_at=over_at, now=now) and not _is_answered(session, answer.id):
            return answer.id
    return None


def _is_answered(session: Session, subject_id: str) -> bool:
    return session.get(Opinion, subject_id) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How one month's payments to a company, or disputes with it, were found. Counts of answers."""

    yes: int
    partly: int
    no: int


def figures_of(session: Session, *, biller_id: str, about: About, month: dt.date, now: dt.datetime) -> Figures | None:
    """Of a whole month that is over, in UTC; ``month`` is any day of it. None: fewer people than GROUP_LEAST answered,
    or the month is not over.

    Only whole months: who could choose any two days would learn one person's answer from the difference.
    """
    begins = dt.datetime(month.year, month.month, 1, tzinfo=dt.UTC)
    ends = dt.datetime(month.year + month.month // 12, month.month % 12 + 1, 1, tzinfo=dt.UTC)
    if ends > now:
        return None
    wanted = (
        Opinion.biller_id == biller_id,
        Opinion.about == about,
        Opinion.word != Word.SKIPPED,
        Opinion.at >= begins,
        Opinion.at < ends,
    )
    people = session.scalars(select(func.count(Opinion.customer_id.distinct())).where(*wanted)).one()
    if not is_told(people):
        return None
    rows = session.execute(select(Opinion.word, func.count().label("times")).where(*wanted).group_by(Opinion.word))
    counts = {row.word: int(row.times) for row in rows}
    return Figures(yes=counts.get(Word.YES, 0), partly=counts.get(Word.PARTLY, 0), no=counts.get(Word.NO, 0))
