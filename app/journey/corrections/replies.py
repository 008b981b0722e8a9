"""A company's reply to what its customer said of a bill. Its yes is a change of the bill, in the same transaction."""

from __future__ import annotations

from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict, FieldError, Invalid, TooLate
from app.journey.answers import service as answers
from app.journey.answers.access import answer_to_biller
from app.journey.answers.models import BillAnswer, EndedBy
from app.journey.answers.states import BLOCKING, AnswerState
from app.journey.corrections.read import whole_of
from app.journey.corrections.service import withdraw
from app.journey.invoices.models import Invoice
from app.journey.payments.access import locked_with_invoice
from app.people.biller_states import BillerState
from app.people.billers import locked_to_read
from app.services import Services


def reply(services: Services, *, biller_id: str, answer_id: str, accepts: bool, words: str) -> None:
    """Say yes or no. The same reply again changes nothing, and its first words stay.

    A company that is suspended may still say yes, which is to its customer's good, and not no: its customer would be
    asked to pay again, by somebody to whom nobody can pay.

    Raises NotFound, Invalid naming the field, Conflict for a yes that only a correction can be and for a no that is not
    taken, and TooLate where the answer has ended in the meantime; then nothing is written.
    """
    with services.unit_of_work() as uow:
        found = answer_to_biller(uow.session, answer_id=answer_id, biller_id=biller_id)
        said = answers.checked_words(words)
        biller = locked_to_read(uow.session, biller_id)
        locked_with_invoice(uow, found.invoice_id)
        answer = answer_to_biller(uow.session, answer_id=answer_id, biller_id=biller_id)
        if not _is_said_already(answer, accepts=accepts):
            if accepts:
                _say_yes(uow, answer, words=said)
            else:
                _say_no(uow, answer, words=said, is_vetted=biller.state == BillerState.VETTED)
        uow.commit()


def _is_said_already(answer: BillAnswer, *, accepts: bool) -> bool:
    if answer.state == AnswerState.OPEN:
        return False
    wanted = AnswerState.ACCEPTED if accepts else AnswerState.REFUSED
    if answer.state == wanted and answer.ended_by == EndedBy.BILLER:
        return True
    raise TooLate("answer-ended", f"This answer has ended: it is {answer.state}. Nothing was changed.")


def _say_no(uow: UnitOfWork, answer: BillAnswer, *, words: str | None, is_vetted: bool) -> None:
    if words is None:
        detail = "Tell your customer why."
        raise Invalid("answer", detail, errors=(FieldError("/words", detail),))
    if not is_vetted:
        raise Conflict("biller-not-vetted", "You are suspended here: a yes is taken, and a no only once you are back.")
    answers.refuse(uow, answer, words=words)


def _say_yes(uow: UnitOfWork, answer: BillAnswer, *, words: str | None) -> None:
    is_over = bool(
        whole_of(uow.session, answer.invoice_id)
    )  # nothing of it is asked any more, and what was paid is owed
    if answer.lines and not is_over:
        raise Conflict(
            "correct-the-bill",
            "Some lines are disputed: say yes by a credit note or a new version of the bill, which ends the dispute.",
        )
    answers.accept(uow, answer, by=EndedBy.BILLER, words=words)
    if answer.kind in BLOCKING and not is_over:
        invoice = uow.session.get_one(Invoice, answer.invoice_id)
        withdraw(uow, biller_id=invoice.delivery.biller_id, bill_id=invoice.delivery.bill_id, reason=words)
