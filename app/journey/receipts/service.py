"""Issuing the receipt of a settled payment."""

from __future__ import annotations

from sqlalchemy import select

from app.audit import entries
from app.audit.kinds import Kind
from app.journey.payments.models import Payment
from app.journey.receipts.models import Receipt
from app.services import Task
from consent.base import new_id


def issue_receipt(task: Task) -> None:
    """PaymentSettled: one receipt, however often this runs."""
    with task.services.unit_of_work() as uow:
        payment = uow.session.get_one(Payment, task.payload["payment_id"])
        known = uow.session.scalar(select(Receipt.id).where(Receipt.payment_id == payment.id))
        if known is None and payment.settled_at is not None and payment.fact is not None:
            receipt_id = new_id("rcp")
            receipt = Receipt(
                id=receipt_id,
                payment_id=payment.id,
                customer_id=payment.customer_id,
                # the random end of the id: short enough to read out, and it does not count our customers' payments
                number=f"Q-{payment.settled_at:%Y%m%d}-{receipt_id[-8:].upper()}",
                fact=payment.fact,
                issued_at=uow.now,
            )
            uow.session.add(receipt)
            entries.write(uow, Kind.RECEIPT_ISSUED, receipt)
        task.finish(uow)
        uow.commit()
