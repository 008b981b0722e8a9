"""Answers as customers and billers see them. Every list has a limit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from app.db.many import among
from app.errors import NotFound
from app.journey.answers.access import answer_to_biller, days_of, kinds_of, policy_of
from app.journey.answers.models import AnswerPolicy, BillAnswer
from app.journey.answers.rules import ANSWERS_MOST, INSTALMENTS_LEAST, Policy
from app.journey.answers.states import BLOCKING, AnswerKind, AnswerState
from app.journey.connections.access import is_silenced
from app.journey.invoices.access import is_paid_apart
from app.journey.invoices.chain import lines_of
from app.journey.invoices.models import Invoice
from app.journey.invoices.rules import worth_of_lines
from app.journey.invoices.states import InvoiceState
from app.people.biller_states import SUSPENDED
from app.people.models import Biller
from connectors.money import Money

PAGE_MOST = 100
_IS_UNHEARD = or_(
    Biller.state.in_(SUSPENDED),
    is_silenced(customer_id=BillAnswer.customer_id, biller_id=BillAnswer.biller_id, at=BillAnswer.ended_at),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalmentView:
    """One part that is proposed."""

    pay_on: dt.date
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerView:
    """One answer, as the customer who said it sees it."""

    id: str
    kind: str  #: AnswerKind
    state: str  #: AnswerState
    reason: str | None  #: rules.Reason
    words: str | None
    lines: tuple[int, ...]  #: which lines of the bill are disputed, the first is 1; none: the whole bill
    disputed_minor: int | None  #: what these come to with their tax, at the most; None: the bill does not tell
    paid_on: dt.date | None
    until: dt.date | None  #: of more time and of instalments, of which it is the last day
    instalments: tuple[InstalmentView, ...]  #: none of any other kind
    reply_by: dt.date | None  #: None: there is no company that could reply
    is_overdue: bool  #: that day is over, and nobody has replied
    said_at: dt.datetime
    ended_at: dt.datetime | None
    ended_by: str | None  #: models.EndedBy
    #: the company's words. None, too, while it is suspended, and of one that its customer had blocked by then
    reply: str | None

    @property
    def is_open(self) -> bool:
        return self.state == AnswerState.OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Sayable:
    """What a customer may say of a bill now."""

    kinds: tuple[AnswerKind, ...]
    first_day: dt.date | None  #: until which more time may be asked for, at the least; None: for none
    last_day: dt.date | None
    granted_to: dt.date | None  #: until this day the company says yes by itself
    #: to parts that end on this day at the latest, as many as its policy says, it says yes by itself
    instalments_to: dt.date | None
    policy: Policy | None  #: None: nobody delivered the bill
    is_apart: bool  #: lines may be disputed and the rest be paid meanwhile
    worths: tuple[Money | None, ...]  #: what each line comes to with its tax, at the most; None: the bill does not tell


def answers_of_invoice(
    session: Session, *, invoice_id: str, customer_id: str, today: dt.date
) -> tuple[AnswerView, ...]:
    """All that its customer has said of a bill, the newest first."""
    found = session.execute(
        select(BillAnswer, Invoice.currency, _IS_UNHEARD)
        .join(Invoice, Invoice.id == BillAnswer.invoice_id)
        .outerjoin(Biller, Biller.id == BillAnswer.biller_id)
        .where(BillAnswer.invoice_id == invoice_id, BillAnswer.customer_id == customer_id)
        .order_by(BillAnswer.id.desc())
        .limit(ANSWERS_MOST)
    )
    return tuple(
        _view(each, currency=currency, today=today, is_unheard=is_unheard) for each, currency, is_unheard in found
    )


def last_answers(session: Session, *, invoice_ids: Collection[str], today: dt.date) -> dict[str, AnswerView]:
    """For each of these bills that was answered what was said last, unless it was taken back: it stands, or its company
    has replied."""
    last = (
        select(func.max(BillAnswer.id))
        .where(among(session, BillAnswer.invoice_id, invoice_ids))
        .group_by(BillAnswer.invoice_id)
    )
    found = session.execute(
        select(BillAnswer, Invoice.currency, _IS_UNHEARD)
        .join(Invoice, Invoice.id == BillAnswer.invoice_id)
        .outerjoin(Biller, Biller.id == BillAnswer.biller_id)
        .where(BillAnswer.id.in_(last), BillAnswer.state != AnswerState.WITHDRAWN)
    )
    return {
        each.invoice_id: _view(each, currency=currency, today=today, is_unheard=is_unheard)
        for each, currency, is_unheard in found
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidBefore:
    """What its customer said of a bill that another one stands in for."""

    invoice_id: str
    number: str
    kind: str  #: AnswerKind: one that sets a bill aside
    said_at: dt.datetime


def said_before(session: Session, *, invoice_ids: Collection[str]) -> dict[str, SaidBefore]:
    """For each of these that stands in for bills which its customer had answered: the last answer that was not taken
    back. Of several one that they are paid elsewhere comes first: who pays this one might pay twice."""
    earlier = {each: line[: line.index(each)] for each, line in lines_of(session, invoice_ids).items()}
    ids = {each for line in earlier.values() for each in line}
    if not ids:
        return {}
    rows = session.execute(
        select(BillAnswer, Invoice.number)
        .join(Invoice, Invoice.id == BillAnswer.invoice_id)
        .where(
            among(session, BillAnswer.invoice_id, ids),
            BillAnswer.kind.in_(BLOCKING),
            BillAnswer.state != AnswerState.WITHDRAWN,
        )
        .order_by(BillAnswer.id)
    ).all()
    found: dict[str, SaidBefore] = {}
    for invoice_id, line in earlier.items():
        of_line = [(answer, number) for answer, number in rows if answer.invoice_id in line]
        of_line.sort(key=lambda one: one[0].kind == AnswerKind.PAID_ELSEWHERE)  # the last one of all counts
        if of_line:
            answer, number = of_line[-1]
            found[invoice_id] = SaidBefore(
                invoice_id=answer.invoice_id, number=number, kind=answer.kind, said_at=answer.said_at
            )
    return found


def sayable(session: Session, *, invoice_id: str, customer_id: str, today: dt.date) -> Sayable:
    """Raises NotFound."""
    invoice = session.get(Invoice, invoice_id)
    if invoice is None or invoice.customer_id != customer_id:
        raise NotFound("bill")
    kinds = kinds_of(invoice, today=today)
    policy = policy_of(session, invoice.biller_id) if invoice.biller_id is not None else None
    days = granted = in_parts = None
    if AnswerKind.MORE_TIME in kinds and invoice.due_on:
        days = days_of(invoice, today=today)
        granted = invoice.due_on + dt.timedelta(days=policy.more_time_days) if policy else None
        if AnswerKind.INSTALMENTS in kinds and policy and policy.instalments_most >= INSTALMENTS_LEAST:
            in_parts = invoice.due_on + dt.timedelta(days=policy.instalments_days)
    first, last = days or (None, None)
    return Sayable(
        kinds=kinds,
        first_day=first,
        last_day=last,
        granted_to=granted if granted and first and granted >= first else None,
        instalments_to=in_parts if in_parts and first and in_parts >= first else None,
        policy=policy,
        is_apart=invoice.state == InvoiceState.TO_PAY and is_paid_apart(invoice),
        worths=tuple(None if each is None else Money(each, invoice.currency) for each in worth_of_lines(invoice.lines)),
    )


def _instalments(answer: BillAnswer, currency: str) -> tuple[InstalmentView, ...]:
    return tuple(
        InstalmentView(pay_on=dt.date.fromisoformat(each["pay_on"]), amount=Money(each["minor"], currency))
        for each in answer.instalments or ()
    )


def _view(answer: BillAnswer, *, currency: str, today: dt.date, is_unheard: bool) -> AnswerView:
    is_open = answer.state == AnswerState.OPEN
    return AnswerView(
        id=answer.id,
        kind=answer.kind,
        state=answer.state,
        reason=answer.reason,
        words=answer.words,
        lines=tuple(answer.lines),
        disputed_minor=answer.disputed_minor,
        paid_on=answer.paid_on,
        until=answer.until,
        instalments=_instalments(answer, currency),
        reply_by=answer.reply_by,
        is_overdue=is_open and answer.reply_by is not None and answer.reply_by < today,
        said_at=answer.said_at,
        ended_at=answer.ended_at,
        ended_by=answer.ended_by,
        reply=None if is_unheard else answer.reply,
    )


# --- for billers


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerForBiller:
    """One answer, as the company of the bill sees it."""

    id: str
    bill_id: str
    number: str
    kind: str
    state: str
    reason: str | None
    words: str | None
    lines: tuple[int, ...]
    paid_on: dt.date | None
    until: dt.date | None
    instalments: tuple[InstalmentView, ...]
    reply_by: dt.date
    said_at: dt.datetime
    ended_at: dt.datetime | None
    ended_by: str | None
    reply: str | None
    sequence: int  #: 1 when it is said, 2 when it has ended


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPolicy:
    """What a company has published of how it takes answers."""

    more_time_days: int
    answer_days: int
    instalments_most: int
    instalments_days: int
    published_at: dt.datetime | None  #: None: it has published nothing, and this is what counts then


def policy_for_biller(session: Session, *, biller_id: str) -> PublishedPolicy:
    """What counts for what its customers say now."""
    published, policy = session.get(AnswerPolicy, biller_id), policy_of(session, biller_id)
    return PublishedPolicy(
        more_time_days=policy.more_time_days,
        answer_days=policy.answer_days,
        instalments_most=policy.instalments_most,
        instalments_days=policy.instalments_days,
        published_at=published.published_at if published is not None else None,
    )


def answer_for_biller(session: Session, *, answer_id: str, biller_id: str) -> AnswerForBiller:
    """Raises NotFound."""
    answer_to_biller(session, answer_id=answer_id, biller_id=biller_id)
    (found,) = _for_biller(session, BillAnswer.id == answer_id, most=1)
    return found


def answers_for_biller(
    session: Session,
    *,
    biller_id: str,
    state: AnswerState | None = None,
    bill_id: str | None = None,
    after: str | None = None,
) -> list[AnswerForBiller]:
    """The answers to this biller's bills, the oldest first: at most PAGE_MOST of those said after ``after``."""
    wanted = BillAnswer.biller_id == biller_id
    if state is not None:
        wanted &= BillAnswer.state == state
    if bill_id is not None:
        wanted &= Invoice.bill_id == bill_id
    if after is not None:
        wanted &= BillAnswer.id > after
    return _for_biller(session, wanted, most=PAGE_MOST)


def _for_biller(session: Session, wanted: ColumnElement[bool], *, most: int) -> list[AnswerForBiller]:
    rows = session.execute(
        select(BillAnswer, Invoice.bill_id, Invoice.number, Invoice.currency)
        .join(Invoice, Invoice.id == BillAnswer.invoice_id)
        .where(wanted, BillAnswer.reply_by.is_not(None))
        .order_by(BillAnswer.id)
        .limit(most)
    ).all()
    return [
        AnswerForBiller(
            id=answer.id,
            bill_id=bill_id,
            number=number,
            kind=answer.kind,
            state=answer.state,
            reason=answer.reason,
            words=answer.words,
            lines=tuple(answer.lines),
            paid_on=answer.paid_on,
            until=answer.until,
            instalments=_instalments(answer, currency),
            reply_by=answer.reply_by,
            said_at=answer.said_at,
            ended_at=answer.ended_at,
            ended_by=answer.ended_by,
            reply=answer.reply,
            sequence=answer.sequence,
        )
        for answer, bill_id, number, currency in rows
        if bill_id is not None and answer.reply_by is not None
    ]
