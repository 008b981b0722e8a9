"""What a biller fetches as the answer to its request to pay (pain.013): pain.014, in the form in which it asked."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import Conflict, NotFound
from app.journey.answers.access import open_answer
from app.journey.answers.models import BillAnswer
from app.journey.answers.rules import Reason
from app.journey.answers.states import AnswerKind, AnswerState
from app.journey.decisions.models import Decision
from app.journey.intake.formats import BYTES_MAX, bare, json_tree, payment_answer, payment_request, xml, xml_bill
from app.journey.intake.formats.outcomes import Outcome
from app.journey.intake.means import MeansKind
from app.journey.intake.models import DeliveredBill
from app.journey.intake.originals import Erased, content_of
from app.journey.invoices.models import Invoice
from app.journey.invoices.states import InvoiceState
from app.journey.ledger.service import taken_of
from app.journey.payments.models import Payment
from app.journey.payments.read import live_payments, times_closed
from app.journey.payments.states import PaymentState
from connectors.money import Money
from consent.vault import Vault

JSON, XML = "application/json", "application/xml"
#: what became of a bill of which nothing has become yet, as of one that is not in the space
_NOTHING_YET = (None, 0, 0, 0, 0)
#: by which its customer will not pay what is asked, as long as it stands. A dispute leaves the request open
_SAYS_NO = (AnswerKind.DECLINED, AnswerKind.PAID_ELSEWHERE)


@dataclass(frozen=True, slots=True)
class Answer:
    """A pain.014 document."""

    content: bytes
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    outcome: Outcome
    accepted: Money | None = None  #: where less is paid than was asked for
    decided_at: dt.datetime | None = None
    #: what became of the bill before: with it the same answer again is another one
    until_now: tuple[object, ...] = _NOTHING_YET


def answer_to(vault: Vault, session: Session, *, bill_id: str, biller_id: str, now: dt.datetime) -> Answer:
    """What is to be said of this request now. Asked again it is the same message until something has changed.

    Raises NotFound, and Conflict where it is no request to pay, or nothing is asked by it any more.
    """
    delivered = session.get(DeliveredBill, bill_id)
    if delivered is None or delivered.biller_id != biller_id:
        raise NotFound("bill")
    try:
        content = content_of(vault, session, delivered)
    except Erased:
        raise NotFound("bill") from None
    said = _said_of(session, delivered)
    if bare(delivered.media_type) == JSON:
        return _in_json(content, delivered, said, now)
    return _in_xml(content, delivered, said, now)


def _in_json(content: bytes, delivered: DeliveredBill, said: _Said, now: dt.datetime) -> Answer:
    tree = json_tree.parse(content, bytes_max=BYTES_MAX)
    if not payment_request.is_request(tree):
        raise _no_request()
    (request,) = payment_request.requests_in_json(tree)
    answer = payment_answer.answer(request, said.outcome, accepted=said.accepted)
    message_id = _message_id(delivered, said, answer)
    written = payment_answer.as_json(tree, request, answer, message_id=message_id, now=now, decided_at=said.decided_at)
    return Answer(written, JSON)


def _in_xml(content: bytes, delivered: DeliveredBill, said: _Said, now: dt.datetime) -> Answer:
    is_xml = bare(delivered.media_type).endswith("xml")
    message = payment_request.xml_message(xml_bill.opened(xml.parse(content))) if is_xml else None
    if message is None:
        raise _no_request()
    (request,) = payment_request.requests_in_xml(message)
    answer = payment_answer.answer(request, said.outcome, accepted=said.accepted)
    message_id = _message_id(delivered, said, answer)
    return Answer(
        payment_answer.as_xml(request, answer, message_id=message_id, now=now, decided_at=said.decided_at), XML
    )


def _no_request() -> Conflict:
    return Conflict("not-a-request", "This bill is no request to pay (pain.013): only such a one has an answer.")


def _said_of(session: Session, delivered: DeliveredBill) -> _Said:
    """pain.014 says whether its customer accepts it. That it was paid the webhook and the statement say."""
    invoice = session.scalar(select(Invoice).where(Invoice.bill_id == delivered.id))
    if invoice is not None and invoice.state == InvoiceState.CLEARED:
        raise _nothing_asked()
    if delivered.means != MeansKind.CREDIT_TRANSFER:
        return _Said(outcome=Outcome.NOT_PAID_HERE)
    if invoice is None:
        return _Said(outcome=Outcome.DELIVERED)
    decisions = session.scalars(
        select(Decision).where(Decision.invoice_id == invoice.id).order_by(Decision.id.desc())
    ).all()
    until_now = (
        decisions[0].id if decisions else None,
        invoice.sequence,
        invoice.credited_minor,
        times_closed(session, invoice_id=invoice.id),
        _times_unsaid(session, invoice.id),
    )
    answer = open_answer(session, invoice.id)
    taken = Money(taken_of(session, invoice.id), invoice.currency)
    if answer is not None and answer.kind in _SAYS_NO and not taken.minor:
        return _Said(outcome=_outcome_of(answer), decided_at=answer.said_at, until_now=until_now)
    if invoice.state == InvoiceState.TO_PAY and not taken.minor:
        return _Said(outcome=Outcome.DELIVERED, until_now=until_now)
    payment_id = live_payments(session, invoice_ids=[invoice.id]).get(invoice.id)
    chosen = next(each for each in decisions if payment_id in (each.payment_id, None))
    payment = session.get(Payment, payment_id) if payment_id else None
    is_paid = payment is not None and payment.state == PaymentState.SETTLED
    if invoice.credited_minor > chosen.credited_minor and not is_paid:  # its customer accepted what is asked no more
        if not invoice.asked.minor:
            raise _nothing_asked()
        if not taken.minor:
            return _Said(outcome=Outcome.DELIVERED, until_now=until_now)
        is_paid = True  # of parts what was paid before stays accepted
    accepted = taken if is_paid else taken + chosen.amount  # of parts all until now
    if accepted.minor < delivered.amount_minor:
        return _Said(
            outcome=Outcome.ACCEPTED_IN_PART,
            accepted=accepted,
            decided_at=chosen.decided_at,
            until_now=until_now,
        )
    return _Said(outcome=Outcome.SCHEDULED, decided_at=chosen.decided_at, until_now=until_now)


def _outcome_of(answer: BillAnswer) -> Outcome:
    if answer.kind == AnswerKind.PAID_ELSEWHERE:
        return Outcome.PAID_ELSEWHERE
    return Outcome.DUPLICATE if answer.reason == Reason.TWICE else Outcome.DECLINED


def _times_unsaid(session: Session, invoice_id: str) -> int:
    """How often its customer has said no, and that has ended: what is said then was said before."""
    ended = select(func.count()).where(
        BillAnswer.invoice_id == invoice_id, BillAnswer.kind.in_(_SAYS_NO), BillAnswer.state != AnswerState.OPEN
    )
    return session.scalars(ended).one()


def _nothing_asked() -> Conflict:
    return Conflict("nothing-asked", "Nothing is asked by this request any more, by your own word: it has no answer.")


def _message_id(delivered: DeliveredBill, said: _Said, answer: payment_answer.PaymentAnswer) -> str:
    """At most 35 characters, and another one for everything that is said of a request, and when it is said anew."""
    facts = f"{delivered.id} {answer} {said.until_now} {said.decided_at}"
    return hashlib.sha256(facts.encode()).hexdigest()[:32]
