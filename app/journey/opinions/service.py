"""Answering the one question, or skipping it. Nothing follows from it, and nobody is told."""

from __future__ import annotations

from app.db.unit_of_work import UnitOfWork
from app.db.upsert import insert_once
from app.errors import Conflict, Invalid
from app.journey.answers.access import answer_of_customer
from app.journey.answers.models import BillAnswer
from app.journey.opinions.models import Opinion
from app.journey.opinions.read import dispute_over_at, payment_over_at
from app.journey.opinions.rules import About, Word, may_be_asked
from app.journey.payments.access import payment_of_customer
from app.journey.payments.models import Payment
from app.people.sessions import SignedIn


def say_of_payment(uow: UnitOfWork, *, signed_in: SignedIn, payment_id: str, word: str) -> Payment:
    """Raises NotFound, NotAllowed (demo visit), Invalid, and Conflict where nobody asks. The first answer stays."""
    signed_in.check_acts()
    payment = payment_of_customer(uow.session, payment_id=payment_id, customer_id=signed_in.customer.id)
    over_at = payment_over_at(payment)
    if payment.biller_id is None or not may_be_asked(is_delivered=True, over_at=over_at, now=uow.now):
        raise _not_asked()
    _write(uow, signed_in, About.PAYMENT, subject_id=payment.id, biller_id=payment.biller_id, word=word)
    return payment


def say_of_dispute(uow: UnitOfWork, *, signed_in: SignedIn, answer_id: str, word: str) -> BillAnswer:
    """Likewise. Returns the dispute."""
    signed_in.check_acts()
    answer = answer_of_customer(uow.session, answer_id=answer_id, customer_id=signed_in.customer.id)
    over_at = dispute_over_at(answer)
    if answer.biller_id is None or not may_be_asked(is_delivered=True, over_at=over_at, now=uow.now):
        raise _not_asked()
    _write(uow, signed_in, About.DISPUTE, subject_id=answer.id, biller_id=answer.biller_id, word=word)
    return answer


def _not_asked() -> Conflict:
    return Conflict("not-asked", "Nobody asks you about this now. Nothing was kept.")


def _write(uow: UnitOfWork, signed_in: SignedIn, about: About, *, subject_id: str, biller_id: str, word: str) -> None:
    if word not in set(Word):
        raise Invalid("opinion", "Choose one of the answers. Nothing was kept.")
    said = {"about": about, "customer_id": signed_in.customer.id, "biller_id": biller_id, "word": Word(word)}
    insert_once(uow.session, Opinion, {"subject_id": subject_id, **said, "at": uow.now}, unique=["subject_id"])
