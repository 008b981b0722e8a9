"""What a customer or a biller can give to a stranger: a bill or a receipt as the log has it, to be checked offline."""

from __future__ import annotations

import base64
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit.entries import subject
from app.audit.kinds import SOURCES, Kind
from app.audit.proofs import proof
from app.errors import Conflict, NotFound
from app.journey.intake.models import DeliveredBill
from app.journey.intake.originals import Erased, content_of
from app.journey.invoices.models import Invoice
from app.journey.payments.models import BankAttempt, BankCall, Payment, PaymentHistory
from app.journey.receipts.models import Receipt
from app.services import Services


def proof_of_bill(services: Services, *, invoice_id: str, customer_id: str) -> dict[str, Any]:
    """A delivered bill of this customer: its delivery, its biller and the key that sealed it, with the document.

    Raises NotFound; Conflict while the log has not numbered it.
    """
    with services.reading() as uow:
        bill = uow.session.scalar(
            select(DeliveredBill)
            .join(Invoice, Invoice.bill_id == DeliveredBill.id)
            .where(Invoice.id == invoice_id, Invoice.customer_id == customer_id)
        )
        if bill is None:
            raise NotFound("bill")
        return _with_document(services, uow.session, bill, [invoice_id, *_of_delivery(bill)])


def proof_for_biller(services: Services, *, bill_id: str, biller_id: str) -> dict[str, Any]:
    """The same for who delivered it. Raises NotFound, Conflict."""
    with services.reading() as uow:
        bill = uow.session.get(DeliveredBill, bill_id)
        if bill is None or bill.biller_id != biller_id:
            raise NotFound("bill")
        return _with_document(services, uow.session, bill, _of_delivery(bill))


def proof_of_receipt(
    services: Services, *, receipt_id: str, customer_id: str, with_bill: bool = True
) -> dict[str, Any]:
    """A payment of this customer from decision to receipt, and the bill that it paid, with all that stands in that;
    or without the bill, to be handed on. Raises NotFound, Conflict."""
    with services.reading() as uow:
        session = uow.session
        receipt = session.get(Receipt, receipt_id)
        if receipt is None or receipt.customer_id != customer_id:
            raise NotFound("receipt")
        payment = session.get_one(Payment, receipt.payment_id)
        of_payment = [receipt.id, payment.decision_id, *_of_payment(session, payment.id)]
        if not with_bill:
            return _ready(services, session, of_payment)
        subjects = [payment.invoice_id, *of_payment]
        bill = session.scalar(
            select(DeliveredBill)
            .join(Invoice, Invoice.bill_id == DeliveredBill.id)
            .where(Invoice.id == payment.invoice_id)
        )
        if bill is None:  # its customer added it
            return _ready(services, session, subjects)
        return _with_document(services, session, bill, [*subjects, *_of_delivery(bill)])


def _of_delivery(bill: DeliveredBill) -> list[str]:
    return [bill.id, bill.biller_id, *([bill.key_id] if bill.key_id else [])]


def _of_payment(session: Session, payment_id: str) -> list[str]:
    calls = session.scalars(select(BankCall.id).where(BankCall.payment_id == payment_id)).all()
    attempts = session.execute(
        select(BankAttempt.call_id, BankAttempt.number).where(BankAttempt.call_id.in_(calls))
    ).mappings()
    steps = session.execute(
        select(PaymentHistory.payment_id, PaymentHistory.sequence).where(PaymentHistory.payment_id == payment_id)
    ).mappings()
    return [
        *calls,
        *(subject(SOURCES[Kind.BANK_ATTEMPT], dict(attempt)) for attempt in attempts),
        *(subject(SOURCES[Kind.PAYMENT_STEP], dict(step)) for step in steps),
    ]


def _with_document(services: Services, session: Session, bill: DeliveredBill, subjects: list[str]) -> dict[str, Any]:
    try:
        content = content_of(services.vault, session, bill)
    except Erased:
        raise NotFound("bill") from None
    return _ready(services, session, subjects) | {
        "media_type": bill.media_type,
        "document": base64.b64encode(content).decode(),
    }


def _ready(services: Services, session: Session, subjects: list[str]) -> dict[str, Any]:
    found = proof(session, services.keys.log.verifier, subjects=subjects)
    if found is None:
        raise Conflict("not-numbered", "The log has not numbered all of it yet. Ask again in a moment.")
    return found
