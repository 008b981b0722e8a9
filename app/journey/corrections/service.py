"""Applying what a biller says of its own bill later, on whichever side of submit that is.

A correction is always taken. Recalculating the bill, the posting, the link, the payments that are stopped and the fact
are one transaction; what a payment holds meanwhile the ledger keeps apart (``owed:``), so that at no moment more is
offered than is asked.
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict, FieldError, Invalid, NotFound
from app.journey.corrections.events import BillCorrected
from app.journey.corrections.models import REASON_MAX, Correction
from app.journey.corrections.states import (
    CORRECTION,
    WHOLE,
    Because,
    CorrectionKind,
    CorrectionState,
    CorrectionStep,
)
from app.journey.intake import originals
from app.journey.intake.bill import Bill, BillKind, BillRefused
from app.journey.intake.events import BillDelivered
from app.journey.intake.formats import read_bill, text
from app.journey.intake.models import DeliveredBill
from app.journey.intake.taking import invalid
from app.journey.invoices import service as invoices
from app.journey.invoices.models import Invoice
from app.journey.invoices.states import InvoiceState
from app.journey.payments.access import locked_of_invoice
from app.journey.payments.models import Payment
from app.journey.payments.step import stop_outdated
from app.services import Task
from consent.base import new_id

#: what is waited for: a bill that was delivered is opened within moments, a payment ends when its bank says so.
#: What takes longer is looked for less often
NOT_OPENED, IN_PAYMENT = dt.timedelta(seconds=1), dt.timedelta(seconds=30)
WAITING_SHARE, PAUSE_MOST = 10, dt.timedelta(minutes=10)


def apply_correction(task: Task) -> None:
    """CorrectionDelivered, CorrectionDue: link it with its bill and recalculate that. Run again it changes nothing.

    The new version of a bill is opened once no payment holds the old one: nobody is asked to pay one while the other
    may be executed.
    """
    with task.services.unit_of_work() as uow:
        delivered = uow.session.get_one(DeliveredBill, task.payload["bill_id"])
        correction = _correction_of(uow.session, delivered.id)
        if correction is None:
            bill = read_bill(originals.content_of(task.services.vault, uow.session, delivered), delivered.media_type)
            correction = _written_down(uow, delivered, bill)
        run_at = None
        if correction.state == CorrectionState.STANDING:
            run_at = _find_and_apply(uow, correction)
        if correction.kind == CorrectionKind.NEW_VERSION and run_at is None:
            run_at = _open_in_its_place(uow, correction, delivered)
        if run_at is None:
            task.finish(uow)
        else:
            task.run_again(uow, run_at=run_at)
        uow.commit()


def withdraw(uow: UnitOfWork, *, biller_id: str, bill_id: str, reason: str) -> Correction:
    """Nothing is asked of this bill any more. Said again it is the same withdrawal, with its first reason.

    Raises NotFound, Invalid, and Conflict for what cannot be withdrawn.
    """
    delivered = uow.session.get(DeliveredBill, bill_id)
    if delivered is None or delivered.biller_id != biller_id:
        raise NotFound("bill")
    if delivered.kind == BillKind.CREDIT_NOTE:
        raise Conflict("credit-note", "A credit note cannot be withdrawn: deliver a bill for what is owed again.")
    said = _words(reason)
    invoice = uow.session.scalar(select(Invoice).where(Invoice.bill_id == bill_id))
    if invoice is None:
        raise Conflict("not-opened-yet", "This bill is still on its way into its customer's space: try again soon.")
    _lock(uow, invoice.id)
    before = _whole(uow.session, invoice.id)
    if before is not None and before.kind == CorrectionKind.WITHDRAWAL:
        return before
    if before is not None:
        raise Conflict(
            "replaced", f"A new version, number {before.number}, stands in for this bill: withdraw that one."
        )
    correction = Correction(
        id=new_id("cor"),
        kind=CorrectionKind.WITHDRAWAL,
        state=CorrectionState.STANDING,
        biller_id=biller_id,
        customer_id=invoice.customer_id,
        number=invoice.number,
        names=invoice.number,
        currency=invoice.currency,
        amount_minor=invoice.amount_minor,
        taken_minor=0,
        reason=said,
        said_at=uow.now,
    )
    _apply(uow, correction, invoice)
    return correction


def _words(reason: str) -> str:
    """The biller's reason on one line, as a person may read it. Raises Invalid."""
    try:
        said = text.line(reason, element="/reason", limit=REASON_MAX)
    except BillRefused as refused:
        raise invalid(refused) from refused
    if not said:
        detail = "Tell your customer why."
        raise Invalid("reason", detail, errors=(FieldError("/reason", detail),))
    return said


def _correction_of(session: Session, bill_id: str) -> Correction | None:
    return session.scalar(select(Correction).where(Correction.bill_id == bill_id).with_for_update())


def _written_down(uow: UnitOfWork, delivered: DeliveredBill, bill: Bill) -> Correction:
    credit = delivered.kind == BillKind.CREDIT_NOTE
    because = Because.UNKNOWN
    if delivered.corrects_number is None:
        because = Because.SEVERAL_NAMED if bill.preceding_numbers else Because.NONE_NAMED
    correction = Correction(
        id=new_id("cor"),
        kind=CorrectionKind.CREDIT_NOTE if credit else CorrectionKind.NEW_VERSION,
        state=CorrectionState.STANDING,
        biller_id=delivered.biller_id,
        customer_id=delivered.customer_id,
        bill_id=delivered.id,
        number=delivered.number,
        names=delivered.corrects_number,
        currency=delivered.currency,
        amount_minor=delivered.amount_minor,
        taken_minor=0,
        because=because,
        reason=bill.note if credit else None,
        said_at=delivered.delivered_at,
    )
    uow.session.add(correction)
    uow.session.flush()
    return correction


def _find_and_apply(uow: UnitOfWork, correction: Correction) -> dt.datetime | None:
    """Link it with the bill that it names. When to come back for it; None: it is done, or that bill is not here."""
    if correction.names is None:
        return None
    target = uow.session.scalar(
        select(DeliveredBill).where(
            DeliveredBill.biller_id == correction.biller_id, DeliveredBill.number == correction.names
        )
    )
    if target is None:
        return None  # whoever opens it asks for this again
    if not _fits(correction, target):
        correction.because = Because.OTHER
        return None
    invoice = uow.session.scalar(select(Invoice).where(Invoice.bill_id == target.id))
    if invoice is None:
        return _later(uow, correction, NOT_OPENED)
    _lock(uow, invoice.id)
    if correction.kind in WHOLE and _whole(uow.session, invoice.id) is not None:
        correction.because = Because.OTHER  # withdrawn, or replaced by another one before
        return None
    _apply(uow, correction, invoice)
    return None


def _later(uow: UnitOfWork, correction: Correction, least: dt.timedelta) -> dt.datetime:
    return uow.now + min(max(least, (uow.now - correction.said_at) / WAITING_SHARE), PAUSE_MOST)


def _fits(correction: Correction, target: DeliveredBill) -> bool:
    """What the door could not see, because the bill came later."""
    is_bill = target.kind == BillKind.INVOICE and target.customer_id == correction.customer_id
    return is_bill and (correction.kind in WHOLE or target.currency == correction.currency)


def _lock(uow: UnitOfWork, invoice_id: str) -> None:
    """The payments of the invoice, what is due of it and the invoice. One that is prepared just now is waited for: it
    locks what is due, too, and would not be stopped where it is not seen."""
    while True:
        attempt = uow.session.begin_nested()
        payments = locked_of_invoice(uow.session, invoice_id)
        invoices.lock(uow, invoice_id)
        if payments.keys() == set(uow.session.scalars(select(Payment.id).where(Payment.invoice_id == invoice_id))):
            attempt.commit()  # the locks stay
            return
        attempt.rollback()  # and are left, to be taken again in the order that everybody keeps


def _apply(uow: UnitOfWork, correction: Correction, invoice: Invoice) -> None:
    """The posting, the link, what is stopped and the fact. The payments, what is due and the invoice are locked."""
    if correction.kind in WHOLE:
        minor = None
    else:  # of a bill of which nothing is asked any more nothing comes off
        minor = 0 if _whole(uow.session, invoice.id) is not None else correction.amount_minor
    correction.taken_minor = invoices.credit(uow, correction_id=correction.id, invoice_id=invoice.id, minor=minor)
    correction.state = CORRECTION.next(CorrectionState(correction.state), CorrectionStep.APPLY)
    correction.invoice_id, correction.applied_at, correction.because = invoice.id, uow.now, None
    uow.session.add(correction)
    uow.session.flush()
    if correction.taken_minor:
        stop_outdated(uow, invoice.id, evidence=f"corrected by {correction.id}")
    standing = invoices.stand(uow.session, invoice.id)
    uow.record(
        BillCorrected(correction_id=correction.id, invoice_id=invoice.id, asked_minor=invoice.asked.minor, **standing)
    )


def _whole(session: Session, invoice_id: str) -> Correction | None:
    """The withdrawal or the new version after which nothing is asked of the bill."""
    return session.scalar(select(Correction).where(Correction.invoice_id == invoice_id, Correction.kind.in_(WHOLE)))


def _open_in_its_place(uow: UnitOfWork, correction: Correction, delivered: DeliveredBill) -> dt.datetime | None:
    """Have the new version opened, unless a payment of the old one may still be executed: then later."""
    if correction.invoice_id is not None:
        state = uow.session.scalars(select(Invoice.state).where(Invoice.id == correction.invoice_id)).one()
        if state == InvoiceState.IN_PAYMENT:
            return _later(uow, correction, IN_PAYMENT)
    if uow.session.scalar(select(Invoice.id).where(Invoice.bill_id == delivered.id)) is None:
        uow.record(BillDelivered(bill_id=delivered.id))
    return None
