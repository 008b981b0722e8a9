"""Mistakes about what customers answer to bills, planted one at a time as those of bugs.py."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from unittest import mock

from app.db.unit_of_work import UnitOfWork
from app.journey.answers import service as answers
from app.journey.answers.access import open_answer
from app.journey.answers.models import BillAnswer
from app.journey.corrections import replies
from app.journey.decisions import orders
from app.journey.decisions import service as decisions
from app.journey.decisions.orders import Price
from app.journey.invoices import service as invoices
from app.journey.invoices.models import Invoice
from connectors.money import Money
from tests.faults.sim.planting import Change, bug


@bug("a bill that its customer has declined is paid when a tab of before is signed", "Y2", "N1")
def set_aside_not_asked() -> Sequence[Change]:
    return [(decisions, "must_not_be_set_aside", lambda invoice: None)]


@bug("the company's yes ends the answer, and the bill goes on asking", "Y3", "N5")
def yes_without_withdrawal() -> Sequence[Change]:
    return [(replies, "withdraw", lambda uow, **how: None)]


@bug("a bill of which the answer was taken back stays set aside", "Y1", "N2")
def taken_back_and_still_aside() -> Sequence[Change]:
    real = invoices.set_aside

    def set_aside(uow: UnitOfWork, *, invoice_id: str, aside: bool, held_minor: int = 0) -> None:
        if aside or held_minor:
            real(uow, invoice_id=invoice_id, aside=aside, held_minor=held_minor)

    return [(invoices, "set_aside", set_aside)]


@bug("time that the company refused is given all the same", "Y4", "N3")
def more_time_kept_after_no() -> Sequence[Change]:
    real = answers.refuse

    def refuse(uow: UnitOfWork, answer: BillAnswer, *, words: str) -> None:
        if answer.until is not None:
            invoices.extend(uow, invoice_id=answer.invoice_id, until=answer.until)
        real(uow, answer, words=words)

    return [(answers, "refuse", refuse)]


@bug("a line that is disputed is paid with the rest of its bill", "Y2", "N1")
def disputed_line_paid() -> Sequence[Change]:
    def price_of(invoice: Invoice, *, day: dt.date, part: object = None) -> Price:
        with mock.patch.object(Invoice, "held_back", Money(0, invoice.currency)):
            return real(invoice, day=day, part=part)

    real = orders.price_of
    return [(orders, "price_of", price_of)]


@bug("once the rest of a bill is paid, the disputed lines are free to be paid as well", "N2", "N7", "Y1")
def disputed_line_free_after_the_rest() -> Sequence[Change]:
    real = answers.end_by_payment

    def end_by_payment(uow: UnitOfWork, invoice_id: str) -> None:
        real(uow, invoice_id)
        answer = open_answer(uow.session, invoice_id)
        if answer is not None and answer.lines:
            invoices.set_aside(uow, invoice_id=invoice_id, aside=False)

    return [(answers, "end_by_payment", end_by_payment)]


@bug("what was said of a bill stands on when that is paid", "N4", "N7", "Y1")
def lapse_forgotten_when_paid() -> Sequence[Change]:
    return [(answers, "end_by_payment", lambda uow, invoice_id: None)]


@bug("what was said of a bill stands on when nothing of it is asked any more", "N4")
def lapse_forgotten_when_taken_back() -> Sequence[Change]:
    return [(answers, "end_by_correction", lambda uow, invoice: None)]
