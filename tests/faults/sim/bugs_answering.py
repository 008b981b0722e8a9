"""Mistakes about what customers answer to bills, planted one at a time as those of bugs.py."""

from __future__ import annotations

from collections.abc import Sequence

from app.db.unit_of_work import UnitOfWork
from app.journey.answers import service as answers
from app.journey.answers.models import BillAnswer
from app.journey.corrections import replies
from app.journey.decisions import service as decisions
from app.journey.invoices import service as invoices
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

    def set_aside(uow: UnitOfWork, *, invoice_id: str, aside: bool) -> None:
        if aside:
            real(uow, invoice_id=invoice_id, aside=True)

    return [(invoices, "set_aside", set_aside)]


@bug("time that the company refused is given all the same", "Y4", "N3")
def more_time_kept_after_no() -> Sequence[Change]:
    real = answers.refuse

    def refuse(uow: UnitOfWork, answer: BillAnswer, *, words: str) -> None:
        if answer.until is not None:
            invoices.extend(uow, invoice_id=answer.invoice_id, until=answer.until)
        real(uow, answer, words=words)

    return [(answers, "refuse", refuse)]


@bug("what was said of a bill stands on when that is paid", "N4")
def lapse_forgotten_when_paid() -> Sequence[Change]:
    return [(answers, "end_by_payment", lambda uow, invoice_id: None)]


@bug("what was said of a bill stands on when nothing of it is asked any more", "N4")
def lapse_forgotten_when_taken_back() -> Sequence[Change]:
    return [(answers, "end_by_correction", lambda uow, invoice: None)]
