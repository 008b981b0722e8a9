"""Saying an answer, taking it back, and what ends it. No verb here moves money, or changes what is owed.

Whoever writes an answer has locked its invoice. Deciding to pay locks the same row: nobody pays what is declined at
that moment, and nobody declines what is being paid.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

from sqlalchemy import func, select, update

from app.audit import entries
from app.audit.kinds import Kind
from app.db.unit_of_work import UnitOfWork
from app.db.upsert import insert_once
from app.errors import Conflict, FieldError, Invalid, TooLate
from app.journey.answers.access import answer_of_customer, days_of, kinds_of, open_answer, policy_of
from app.journey.answers.events import AnswerChanged, AnswerOverdue
from app.journey.answers.models import AnswerPolicy, BillAnswer, EndedBy
from app.journey.answers.rules import (
    ANSWER_DAYS_MOST,
    ANSWERS_MOST,
    INSTALMENTS_LEAST,
    INSTALMENTS_MOST,
    LINES_MAX,
    MORE_TIME_MOST,
    REASONS,
    WORDS_MAX,
    Instalment,
    Policy,
    Reason,
    are_granted,
    first_day_not_over,
    is_granted,
)
from app.journey.answers.states import ANSWER, BLOCKING, AnswerKind, AnswerState, AnswerStep
from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import text
from app.journey.invoices import service as invoices
from app.journey.invoices.access import invoice_of_customer, is_paid_apart
from app.journey.invoices.models import Invoice
from app.journey.invoices.rules import held_back, worth_of
from app.journey.invoices.states import InvoiceState
from app.people.biller_states import BillerState
from app.people.billers import locked_to_read
from app.people.customers import today_of
from app.people.sessions import SignedIn
from consent.base import new_id

#: in one transaction
OVERDUE_AT_ONCE = 500
#: of a bill that was paid before it was added here
PAID_LONG_AGO = dt.timedelta(days=10 * 366)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a customer says, as it came in: nothing of it is checked."""

    kind: AnswerKind
    reason: str | None = None
    words: str = ""
    lines: Collection[int] = ()  #: which are disputed, the first is 1; none: the whole bill
    paid_on: dt.date | None = None
    until: dt.date | None = None
    instalments: Sequence[Instalment] = ()  #: the last one without an amount: it is what is left


def say(uow: UnitOfWork, *, signed_in: SignedIn, invoice_id: str, said: Said) -> BillAnswer:
    """Answer a bill. What stood until now is taken back by it.

    Raises NotFound, NotAllowed (demo visit), Invalid naming the field, and Conflict where this cannot be said of the
    bill as it is now; then nothing is written.
    """
    signed_in.check_acts()
    customer = signed_in.customer
    invoice = invoice_of_customer(uow.session, invoice_id=invoice_id, customer_id=customer.id, lock=True)
    today = today_of(customer, uow.now)
    _must_be_sayable(invoice, said.kind, today=today)
    values = _checked(invoice, said, today=today)
    _must_not_be_too_many(uow, invoice.id)
    before = open_answer(uow.session, invoice.id)
    if before is not None:
        _end(uow, before, AnswerStep.WITHDRAW, by=EndedBy.CUSTOMER)
    policy = policy_of(uow.session, invoice.biller_id) if invoice.biller_id is not None else None
    answer = BillAnswer(
        id=new_id("ans"),
        invoice_id=invoice.id,
        customer_id=customer.id,
        biller_id=invoice.biller_id,
        kind=said.kind,
        state=AnswerState.OPEN,
        reply_by=today + dt.timedelta(days=policy.answer_days) if policy else None,
        said_at=uow.now,
        **values,
    )
    uow.session.add(answer)
    uow.session.flush()
    if answer.biller_id is not None:
        entries.write(uow, Kind.BILL_ANSWERED, answer)
    _keep(uow, invoice.id)
    if policy and _is_granted(policy, invoice, answer):
        accept(uow, answer, by=EndedBy.POLICY)
    else:
        _record(uow, answer)
    return answer


def take_back(uow: UnitOfWork, *, signed_in: SignedIn, answer_id: str) -> BillAnswer:
    """As if it had not been said. Taken back again it is the same. Raises NotFound, NotAllowed, and TooLate where it
    has ended otherwise."""
    signed_in.check_acts()
    customer_id = signed_in.customer.id
    found = answer_of_customer(uow.session, answer_id=answer_id, customer_id=customer_id)
    invoices.lock(uow, found.invoice_id)
    answer = answer_of_customer(uow.session, answer_id=answer_id, customer_id=customer_id)
    if answer.state == AnswerState.WITHDRAWN:
        return answer
    if answer.state != AnswerState.OPEN:
        raise TooLate("answer-ended", "This has an end already: it cannot be taken back any more.")
    _end(uow, answer, AnswerStep.WITHDRAW, by=EndedBy.CUSTOMER)
    return answer


def accept(uow: UnitOfWork, answer: BillAnswer, *, by: EndedBy, words: str | None = None) -> None:
    """The company says yes. What that does to the bill, the caller does in the same transaction; time is given here. Of
    instalments a plan is made when the yes is recorded (app/journey/route.py)."""
    if answer.until is not None:
        invoices.extend(uow, invoice_id=answer.invoice_id, until=answer.until)
    _end(uow, answer, AnswerStep.ACCEPT, by=by, words=words)


def refuse(uow: UnitOfWork, answer: BillAnswer, *, words: str) -> None:
    """The company says no: the bill is as it was before."""
    _end(uow, answer, AnswerStep.REFUSE, by=EndedBy.BILLER, words=words)


def end_by_correction(uow: UnitOfWork, invoice: Invoice) -> None:
    """Its company took something off the bill: a dispute has its yes, and where nothing is asked any more nothing else
    has an object."""
    answer = open_answer(uow.session, invoice.id)
    if answer is None:
        return
    if answer.kind == AnswerKind.DISPUTED:
        accept(uow, answer, by=EndedBy.CORRECTION)
    elif not invoice.left.minor:
        _end(uow, answer, AnswerStep.LAPSE, by=EndedBy.CORRECTION)


def end_by_payment(uow: UnitOfWork, invoice_id: str) -> None:
    """A payment of the bill has ended. Where it is paid now only a dispute is still about something; of some lines it
    keeps what is left now from being paid, or some of that."""
    answer = open_answer(uow.session, invoice_id)
    if answer is None:
        return
    if answer.kind == AnswerKind.DISPUTED:
        if answer.lines:
            _keep(uow, invoice_id)
        return
    state = uow.session.scalars(select(Invoice.state).where(Invoice.id == invoice_id)).one()
    if state == InvoiceState.PAID:
        _end(uow, answer, AnswerStep.LAPSE, by=EndedBy.PAYMENT)


def publish_policy(uow: UnitOfWork, *, biller_id: str, policy: Policy) -> None:
    """It counts for what is said from now on. The same again changes nothing.

    Raises Invalid naming the field, and Conflict for a company that is suspended: what it had published stands.
    """
    bounds = {
        "more_time_days": (0, MORE_TIME_MOST),
        "answer_days": (1, ANSWER_DAYS_MOST),
        "instalments_most": (0, INSTALMENTS_MOST),
        "instalments_days": (0, MORE_TIME_MOST),
    }
    for name, (least, most) in bounds.items():
        if not least <= getattr(policy, name) <= most:
            raise _wrong(f"/{name}", f"Write a number from {least} to {most}.")
    if locked_to_read(uow.session, biller_id).state != BillerState.VETTED:
        raise Conflict("biller-not-vetted", "You are suspended here: what you have published stands as it is.")
    values = {**asdict(policy), "published_at": uow.now}
    if insert_once(uow.session, AnswerPolicy, {"biller_id": biller_id, **values}, unique=["biller_id"]):
        return
    published = uow.session.get_one(AnswerPolicy, biller_id, with_for_update=True, populate_existing=True)
    if published.policy != policy:
        for name, value in values.items():
            setattr(published, name, value)


def report_overdue(uow: UnitOfWork) -> None:
    """Say of each answer that nobody replied to in time that it is so: once, ever."""
    late = (
        BillAnswer.state == AnswerState.OPEN,
        BillAnswer.overdue_at.is_(None),
        BillAnswer.reply_by < first_day_not_over(uow.now),
    )
    oldest = (
        select(BillAnswer.id)
        .where(*late)
        .order_by(BillAnswer.reply_by)
        .limit(OVERDUE_AT_ONCE)
        .with_for_update(skip_locked=True)
        .cte("oldest")
    )
    ids = uow.session.scalars(
        update(BillAnswer)
        .where(BillAnswer.id.in_(select(oldest.c.id)), *late)
        .values(overdue_at=uow.now)
        .returning(BillAnswer.id)
        .execution_options(synchronize_session=False)
    ).all()
    for answer_id in ids:
        uow.record(AnswerOverdue(answer_id=answer_id))


def checked_words(words: str, *, pointer: str = "/words") -> str | None:
    """What somebody wrote, on one line, as a person may read it; None: nothing. Raises Invalid."""
    try:
        return text.line(words, element=pointer, limit=WORDS_MAX) or None
    except BillRefused as refused:
        raise _wrong(pointer, f"Write at most {WORDS_MAX} ordinary characters.") from refused


def _must_be_sayable(invoice: Invoice, kind: AnswerKind, *, today: dt.date) -> None:
    if kind in kinds_of(invoice, today=today):
        return
    if invoice.state == InvoiceState.IN_PAYMENT:
        raise Conflict(
            "already-in-payment",
            "A payment of this bill is under way. Stop it first, or wait until it is known what became of it.",
        )
    raise Conflict("not-to-be-said", "This cannot be said of the bill as it is now. Nothing was changed.")


def _checked(invoice: Invoice, said: Said, *, today: dt.date) -> dict[str, object]:
    """The columns of what is said. Raises Invalid."""
    reasons = REASONS.get(said.kind)
    words = checked_words(said.words)
    if reasons is not None and said.reason not in reasons:
        raise _wrong("/reason", "Choose one of the reasons.")
    if said.reason == Reason.OTHER and reasons is not None and words is None:
        raise _wrong("/words", "Write in a few words why.")
    lines = _checked_lines(invoice, said)
    return {
        "reason": Reason(said.reason) if reasons is not None and said.reason else None,
        "words": words,
        "lines": lines,
        "disputed_minor": worth_of(invoice.lines, lines, amount_minor=invoice.amount_minor),
        "paid_on": _checked_paid_on(said, today=today),
        "until": _checked_until(invoice, said, today=today),
        **_checked_instalments(invoice, said, today=today),
    }


def _checked_lines(invoice: Invoice, said: Said) -> list[int]:
    if said.kind is not AnswerKind.DISPUTED:
        return []
    lines = sorted(set(said.lines))
    if len(lines) > LINES_MAX or any(not 1 <= line <= len(invoice.lines) for line in lines):
        raise _wrong("/lines", "Choose lines that the bill has.")
    return lines if len(lines) < len(invoice.lines) else []  # all of them are the whole bill


def _checked_paid_on(said: Said, *, today: dt.date) -> dt.date | None:
    if said.kind is not AnswerKind.PAID_ELSEWHERE or said.paid_on is None:
        return None
    if not today - PAID_LONG_AGO <= said.paid_on <= today:
        raise _wrong("/paid_on", "Write the day on which you paid, today at the latest.")
    return said.paid_on


def _checked_until(invoice: Invoice, said: Said, *, today: dt.date) -> dt.date | None:
    if said.kind is not AnswerKind.MORE_TIME:
        return None
    days = days_of(invoice, today=today)
    if days is None or said.until is None or not days[0] <= said.until <= days[1]:
        raise _wrong("/until", "Choose a day after the one by which the bill is to be paid, within a year of it.")
    return said.until


def _checked_instalments(invoice: Invoice, said: Said, *, today: dt.date) -> dict[str, object]:
    """Of instalments their day is that of the last one."""
    if said.kind is not AnswerKind.INSTALMENTS:
        return {}
    parts, days = said.instalments, days_of(invoice, today=today)
    if not INSTALMENTS_LEAST <= len(parts) <= INSTALMENTS_MOST:
        raise _wrong("/days", f"Propose {INSTALMENTS_LEAST} to {INSTALMENTS_MOST} parts.")
    if parts[0].pay_on <= today or any(one.pay_on >= other.pay_on for one, other in pairwise(parts)):
        raise _wrong("/days", "Choose days one after the other, from tomorrow on.")
    if days is None or not days[0] <= parts[-1].pay_on <= days[1]:
        raise _wrong("/days", "End after the day by which the bill is to be paid, within a year of it.")
    minors = [part.minor for part in parts[:-1] if part.minor is not None and part.minor > 0]
    rest = invoice.left.minor - sum(minors)
    if parts[-1].minor is not None or len(minors) < len(parts) - 1 or rest <= 0:
        raise _wrong("/amounts", "Give each day an amount but the last: something must be left for that one.")
    instalments = [
        {"pay_on": part.pay_on.isoformat(), "minor": minor} for part, minor in zip(parts, (*minors, rest), strict=True)
    ]
    return {"until": parts[-1].pay_on, "instalments": instalments, "paid_minor": invoice.paid_minor}


def _is_granted(policy: Policy, invoice: Invoice, answer: BillAnswer) -> bool:
    """Whether its company has published that it says yes to it."""
    if answer.until is None or invoice.due_on is None:
        return False
    if answer.instalments is None:
        return is_granted(policy, due_on=invoice.due_on, until=answer.until)
    return are_granted(policy, due_on=invoice.due_on, count=len(answer.instalments), until=answer.until)


def _must_not_be_too_many(uow: UnitOfWork, invoice_id: str) -> None:
    count = select(func.count()).select_from(BillAnswer).where(BillAnswer.invoice_id == invoice_id)
    if uow.session.scalars(count).one() >= ANSWERS_MOST:
        raise Conflict("answers-most", "This bill was answered too often. Talk to the company that sent it.")


def _end(uow: UnitOfWork, answer: BillAnswer, step: AnswerStep, *, by: EndedBy, words: str | None = None) -> None:
    """The one place where an answer ends. Its invoice is locked, and nothing keeps it from being paid any more."""
    answer.state = ANSWER.next(AnswerState(answer.state), step)
    answer.ended_at, answer.ended_by, answer.reply = uow.now, by, words
    uow.session.flush()
    if answer.biller_id is not None:
        entries.write(uow, Kind.ANSWER_ENDED, answer)
    _keep(uow, answer.invoice_id)
    _record(uow, answer)


def _keep(uow: UnitOfWork, invoice_id: str) -> None:
    """The one place where a bill is kept from being paid by what stands of it, whole or as far as its disputed lines
    go, and where it is free again. Its invoice is locked."""
    answer = open_answer(uow.session, invoice_id)
    if answer is None or answer.kind not in BLOCKING:
        invoices.set_aside(uow, invoice_id=invoice_id, aside=False)
        return
    uow.session.flush()
    invoice = uow.session.get_one(Invoice, invoice_id, populate_existing=True)
    held_minor = held_back(
        disputed_minor=answer.disputed_minor,
        left_minor=invoice.left.minor,
        is_apart=is_paid_apart(invoice),
    )
    invoices.set_aside(uow, invoice_id=invoice_id, aside=not held_minor, held_minor=held_minor)


def _record(uow: UnitOfWork, answer: BillAnswer) -> None:
    uow.record(AnswerChanged(answer_id=answer.id, state=answer.state, sequence=answer.sequence))


def _wrong(pointer: str, detail: str) -> Invalid:
    return Invalid("answer", detail, errors=(FieldError(pointer, detail),))
