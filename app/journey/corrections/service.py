"""Applying what a biller says of its own bill later, on whichever side of submit that is.

A correction is always taken. Recalculating the bill, the posting, the link, the payments that are stopped and the fact
are one transaction; what a payment holds meanwhile the ledger keeps apart (``owed:``), so that at no moment more is
offered than is asked.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from app.db.events import Event
from app.db.many import among
from app.db.unit_of_work import UnitOfWork
from app.db.upsert import insert_once
from app.errors import Conflict, FieldError, Invalid, NotFound
from app.journey.answers import service as answers
from app.journey.corrections.events import BillCorrected
from app.journey.corrections.models import REASON_MAX, Correction
from app.journey.corrections.read import whole_of
from app.journey.corrections.states import (
    CORRECTION,
    WHOLE,
    Because,
    CorrectionKind,
    CorrectionState,
    CorrectionStep,
)
from app.journey.intake import originals
from app.journey.intake.bill import BillKind, BillRefused
from app.journey.intake.formats import read_bill, text
from app.journey.intake.models import DeliveredBill
from app.journey.intake.taking import invalid
from app.journey.invoices import service as invoices
from app.journey.invoices.chain import earlier_ids
from app.journey.invoices.events import InvoiceOpened
from app.journey.invoices.models import Invoice
from app.journey.invoices.states import InvoiceState
from app.journey.payments.access import locked_with_invoice
from app.journey.payments.step import stop_new_versions, stop_outdated, tell_twins_of_line
from app.services import Services, Task
from consent.base import new_id
from consent.vault import Vault

#: a bill that was delivered is opened within moments. What takes longer is looked for less often
NOT_OPENED, WAITING_SHARE = dt.timedelta(seconds=1), 10
#: whoever opens a bill or ends a payment says so (CorrectionDue); this is only the net below that
PAUSE_MOST = dt.timedelta(hours=1)


def apply_correction(task: Task) -> None:
    """CorrectionDelivered, CorrectionDue: link it with its bill and recalculate that. Run again it changes nothing.

    The new version of a bill is opened once no payment holds any earlier one: nobody is asked to pay one while another
    may be executed.
    """
    with task.services.unit_of_work() as uow:
        delivered = uow.session.get_one(DeliveredBill, task.payload["bill_id"])
        correction = _correction_of(uow.session, delivered.id)
        if correction is None:
            try:
                content = originals.content_of(task.services.vault, uow.session, delivered)
            except originals.Erased:  # there is nobody any more whom it would be told
                task.finish(uow)
                uow.commit()
                return
            bill = read_bill(content, delivered.media_type)
            correction = _written_once(uow, delivered, preceding=bill.preceding_numbers, note=bill.note)
        run_at = None
        if correction.state == CorrectionState.STANDING:
            run_at = _find_and_apply(uow, correction, delivered)
        if correction.kind == CorrectionKind.NEW_VERSION and run_at is None:
            run_at = _open_in_its_place(uow, task.services.vault, correction, delivered)
        if run_at is None:
            task.finish(uow)
        else:
            task.run_again(uow, run_at=run_at)
        uow.commit()


def replace_at_once(uow: UnitOfWork, events: Sequence[Event]) -> None:
    """InvoiceOpened: where the new version of a bill was delivered before it, that stands in for it at once.

    Otherwise its customer could be asked to pay both, for as long as the work of the correction has to wait.
    """
    opened = [event.invoice_id for event in events if isinstance(event, InvoiceOpened)]
    for invoice, own, delivered in _named_before(uow.session, opened):
        if CorrectionKind.NEW_VERSION in whole_of(uow.session, invoice.id):
            continue  # a further one stands in for the first one, and has work of its own
        correction = _at_hand(uow, own, delivered)
        if correction is None or correction.state == CorrectionState.APPLIED:
            continue
        if not _breaks_ring(uow.session, correction, invoice.delivery.bill_id):
            _apply(uow, correction, invoice)


def _named_before(session: Session, invoice_ids: Collection[str]) -> list[tuple[Invoice, DeliveredBill, DeliveredBill]]:
    """Each of these bills, as it was delivered, with the new versions that were delivered before it was opened: of it,
    of one that it stands in for itself, or of the bill that it names and nobody has (``_target_of``)."""
    names: dict[tuple[str, str], tuple[Invoice, DeliveredBill]] = {}
    beside: dict[tuple[str, str], tuple[Invoice, DeliveredBill]] = {}
    rows = session.execute(
        select(Invoice, DeliveredBill)
        .join(DeliveredBill, DeliveredBill.id == Invoice.bill_id)
        .where(among(session, Invoice.id, invoice_ids))
    )
    for invoice, own in rows:
        earlier = earlier_ids(session, invoice.id) if invoice.replaces_id is not None else []
        numbers = session.scalars(select(Invoice.number).where(Invoice.id.in_(earlier))) if earlier else ()
        biller_id = own.biller_id
        names |= {(biller_id, number): (invoice, own) for number in (invoice.number, *numbers)}
        if own.corrects_number is not None:
            beside[biller_id, own.corrects_number] = invoice, own
    delivered = session.scalars(
        select(DeliveredBill)
        .where(
            DeliveredBill.biller_id.in_({biller_id for biller_id, _ in (*names, *beside)}),
            among(session, DeliveredBill.corrects_number, {number for _, number in (*names, *beside)}),
            DeliveredBill.kind == BillKind.INVOICE,
        )
        .order_by(DeliveredBill.delivered_at, DeliveredBill.id)
    )
    found = []
    for each in delivered:
        of = each.biller_id, each.corrects_number or ""
        named = names.get(of) or beside.get(of)
        if named is None:
            continue  # the same number of another biller
        invoice, own = named
        comes_after = of in names or _order(each) > _order(own)
        if comes_after and each.id != own.id and each.customer_id == invoice.customer_id:
            found.append((invoice, own, each))
    return found


def _at_hand(uow: UnitOfWork, own: DeliveredBill, delivered: DeliveredBill) -> Correction | None:
    """The correction, locked. Whoever opens a bill that names another one has its correction locked already, and waits
    for none: who has this one is told (CorrectionDue) once that is done."""
    if own.corrects_number is None:
        return _correction_of(uow.session, delivered.id) or _written_once(uow, delivered)
    return uow.session.scalar(
        select(Correction).where(Correction.bill_id == delivered.id).with_for_update(skip_locked=True)
    )


def take_back(services: Services, *, biller_id: str, bill_id: str, reason: str) -> None:
    """Withdraw a bill wherever it is on its way. One that is not in its customer's space yet comes into it withdrawn:
    it asks for nothing, so that it need not wait for a payment of the bill that it replaces.

    Raises as ``withdraw``.
    """
    with services.unit_of_work() as uow:
        _open_first(uow, services.vault, biller_id=biller_id, bill_id=bill_id)
        withdraw(uow, biller_id=biller_id, bill_id=bill_id, reason=reason)
        uow.commit()


def _open_first(uow: UnitOfWork, vault: Vault, *, biller_id: str, bill_id: str) -> None:
    """Have the bill in its customer's space. Whoever opens it at this moment is waited for, or waits."""
    session = uow.session
    while True:
        attempt = session.begin_nested()
        own = _correction_of(session, bill_id)  # first, as everybody who opens a new version
        delivered = session.get(DeliveredBill, bill_id, with_for_update=True)
        written = session.scalar(select(Correction.id).where(Correction.bill_id == bill_id))
        if own is not None or written is None:
            attempt.commit()  # the locks stay
            break
        attempt.rollback()  # it was written down meanwhile
    if delivered is None or delivered.biller_id != biller_id or delivered.kind != BillKind.INVOICE:
        return  # the withdrawal says what is wrong
    if _invoice_of(session, bill_id) is None:
        _open(uow, vault, delivered, replaces_id=own.invoice_id if own else None)


def withdraw(uow: UnitOfWork, *, biller_id: str, bill_id: str, reason: str | None) -> Correction:
    """Nothing is asked of this bill any more. Said again it is the same withdrawal, with its first reason. ``reason``:
    None where it is what its customer had said of it.

    Raises NotFound, Invalid, and Conflict for what cannot be withdrawn.
    """
    delivered = uow.session.get(DeliveredBill, bill_id)
    if delivered is None or delivered.biller_id != biller_id:
        raise NotFound("bill")
    if delivered.kind == BillKind.CREDIT_NOTE:
        raise Conflict("credit-note", "A credit note cannot be withdrawn: deliver a bill for what is owed again.")
    said = _words(reason) if reason is not None else None
    invoice = uow.session.scalar(select(Invoice).where(Invoice.bill_id == bill_id))
    if invoice is None:
        raise Conflict("not-opened-yet", "This bill is still on its way into its customer's space: try again soon.")
    locked_with_invoice(uow, invoice.id)
    before = whole_of(uow.session, invoice.id)
    if withdrawal := before.get(CorrectionKind.WITHDRAWAL):
        return withdrawal
    if new_version := before.get(CorrectionKind.NEW_VERSION):
        raise Conflict(
            "replaced", f"A new version, number {new_version.number}, stands in for this bill: withdraw that one."
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


def _written_once(
    uow: UnitOfWork, delivered: DeliveredBill, *, preceding: Sequence[str] = (), note: str | None = None
) -> Correction:
    """The correction of this document, locked: written down now, or by somebody else at this very moment."""
    credit = delivered.kind == BillKind.CREDIT_NOTE
    because = Because.UNKNOWN
    if delivered.corrects_number is None:
        because = Because.SEVERAL_NAMED if preceding else Because.NONE_NAMED
    values = {
        "id": new_id("cor"),
        "kind": CorrectionKind.CREDIT_NOTE if credit else CorrectionKind.NEW_VERSION,
        "state": CorrectionState.STANDING,
        "biller_id": delivered.biller_id,
        "customer_id": delivered.customer_id,
        "bill_id": delivered.id,
        "number": delivered.number,
        "names": delivered.corrects_number,
        "currency": delivered.currency,
        "amount_minor": delivered.amount_minor,
        "taken_minor": 0,
        "because": because,
        "reason": note if credit else None,
        "said_at": delivered.delivered_at,
    }
    insert_once(uow.session, Correction, values, unique=["bill_id"])
    written = _correction_of(uow.session, delivered.id)
    if written is None:
        raise RuntimeError(f"{delivered.id} has no correction")
    return written


def _find_and_apply(uow: UnitOfWork, correction: Correction, delivered: DeliveredBill) -> dt.datetime | None:
    """Link it with the bill that it names. When to come back for it; None: it is done, or that bill is not here."""
    target = _target_of(uow.session, delivered)
    if target is None or not _fits(correction, target):
        correction.because = correction.because if target is None else Because.OTHER
        target = _beside(uow.session, delivered)
    if target is None:
        return None  # whoever opens it asks for this again
    bill_id = target.id
    invoice = _locked_invoice_of(uow, bill_id)
    if correction.kind == CorrectionKind.NEW_VERSION:
        # a further one stands in for the last of those that do already
        while invoice and (last := whole_of(uow.session, invoice.id).get(CorrectionKind.NEW_VERSION)) and last.bill_id:
            bill_id = last.bill_id
            invoice = _locked_invoice_of(uow, bill_id)
        if _breaks_ring(uow.session, correction, bill_id):
            return None
    if invoice is None:
        return _later(uow, correction)
    _apply(uow, correction, invoice)
    return None


def _target_of(session: Session, delivered: DeliveredBill) -> DeliveredBill | None:
    """The bill that it names, as far as that was delivered."""
    return session.scalar(
        select(DeliveredBill).where(
            DeliveredBill.biller_id == delivered.biller_id, DeliveredBill.number == delivered.corrects_number
        )
    )


def _beside(session: Session, delivered: DeliveredBill) -> DeliveredBill | None:
    """Of new versions of a bill that is not here the last one before this: of them, too, only one is to pay."""
    if delivered.kind == BillKind.CREDIT_NOTE:
        return None
    return session.scalar(
        select(DeliveredBill)
        .where(
            DeliveredBill.biller_id == delivered.biller_id,
            DeliveredBill.customer_id == delivered.customer_id,
            DeliveredBill.corrects_number == delivered.corrects_number,
            DeliveredBill.kind == BillKind.INVOICE,
            tuple_(DeliveredBill.delivered_at, DeliveredBill.id) < tuple_(*_order(delivered)),
        )
        .order_by(DeliveredBill.delivered_at.desc(), DeliveredBill.id.desc())
        .limit(1)
    )


def _order(delivered: DeliveredBill) -> tuple[dt.datetime, str]:
    """Documents in the order in which they came: ids of one delivery are in its own."""
    return delivered.delivered_at, delivered.id


def _locked_invoice_of(uow: UnitOfWork, bill_id: str) -> Invoice | None:
    invoice = _invoice_of(uow.session, bill_id)
    if invoice is not None:
        locked_with_invoice(uow, invoice.id)
    return invoice


def _invoice_of(session: Session, bill_id: str) -> Invoice | None:
    return session.scalar(select(Invoice).where(Invoice.bill_id == bill_id))


def _breaks_ring(session: Session, correction: Correction, end: str) -> bool:
    """Whether the bill that the new version is to stand in for stands in for it, by whatever many steps.

    Of those whose word is not done yet the one that was delivered first does not have it done: what was said later
    counts. It stands by itself then, and is opened as any bill.
    """
    open_: list[tuple[dt.datetime, str]] = []
    bill_id: str | None = end  # the delivered bill
    seen: set[str] = set()
    while bill_id is not None and bill_id != correction.bill_id and bill_id not in seen:
        seen.add(bill_id)
        delivered = session.get_one(DeliveredBill, bill_id)
        said = session.scalar(select(Correction).where(Correction.bill_id == bill_id))
        if said is not None and said.state == CorrectionState.APPLIED:
            bill_id = session.scalars(select(Invoice.bill_id).where(Invoice.id == said.invoice_id)).one()
        elif delivered.corrects_number is None or (said is not None and said.because == Because.RING):
            bill_id = None
        else:
            open_.append((delivered.delivered_at, bill_id))
            bill_id = session.scalar(
                select(DeliveredBill.id).where(
                    DeliveredBill.biller_id == delivered.biller_id,
                    DeliveredBill.customer_id == delivered.customer_id,
                    DeliveredBill.number == delivered.corrects_number,
                )
            )
    if bill_id is None or bill_id != correction.bill_id or any(each < (correction.said_at, bill_id) for each in open_):
        return False
    correction.because = Because.RING
    return True


def _later(uow: UnitOfWork, correction: Correction) -> dt.datetime:
    return uow.now + min(max(NOT_OPENED, (uow.now - correction.said_at) / WAITING_SHARE), PAUSE_MOST)


def _fits(correction: Correction, target: DeliveredBill) -> bool:
    """What the door could not see, because the bill came later."""
    is_bill = target.kind == BillKind.INVOICE and target.customer_id == correction.customer_id
    return is_bill and (correction.kind in WHOLE or target.currency == correction.currency)


def _apply(uow: UnitOfWork, correction: Correction, invoice: Invoice) -> None:
    """The posting, the link, what is stopped and the fact. The payments, what is due and the invoice are locked."""
    minor = None if correction.kind in WHOLE else correction.amount_minor
    if minor is not None and whole_of(uow.session, invoice.id):
        minor = 0  # of a bill of which nothing is asked any more nothing comes off
    correction.taken_minor = invoices.credit(uow, correction_id=correction.id, invoice_id=invoice.id, minor=minor)
    correction.state = CORRECTION.next(CorrectionState(correction.state), CorrectionStep.APPLY)
    correction.invoice_id, correction.applied_at, correction.because = invoice.id, uow.now, None
    uow.session.add(correction)
    uow.session.flush()
    opened = None
    if correction.kind == CorrectionKind.NEW_VERSION and correction.bill_id is not None:
        opened = _locked_invoice_of(uow, correction.bill_id)  # before it was known which bill it replaces
        if opened is not None:
            opened.replaces_id = invoice.id
            uow.session.flush()
    if correction.taken_minor:
        answers.end_by_correction(uow, invoice)
        stop_outdated(uow, invoice.id, evidence=f"corrected by {correction.id}")
    if opened is not None:
        stop_new_versions(uow, invoice.id, evidence=f"it replaces {invoice.id}, of which there is a payment")
        tell_twins_of_line(uow, invoice)
    standing = invoices.stand(uow.session, invoice.id)
    uow.record(
        BillCorrected(correction_id=correction.id, invoice_id=invoice.id, asked_minor=invoice.asked.minor, **standing)
    )


def _open_in_its_place(
    uow: UnitOfWork, vault: Vault, correction: Correction, delivered: DeliveredBill
) -> dt.datetime | None:
    """Open the new version, unless a payment of an earlier one may still be executed: then later."""
    if _invoice_of(uow.session, delivered.id) is not None:
        return None
    replaces_id = correction.invoice_id
    if replaces_id is not None:
        earlier = [replaces_id, *earlier_ids(uow.session, replaces_id)]
        held = select(Invoice.id).where(Invoice.id.in_(earlier), Invoice.state == InvoiceState.IN_PAYMENT)
        if uow.session.scalar(held.limit(1)) is not None:
            return uow.now + PAUSE_MOST
    _open(uow, vault, delivered, replaces_id=replaces_id)
    return None


def _open(uow: UnitOfWork, vault: Vault, delivered: DeliveredBill, *, replaces_id: str | None) -> None:
    invoices.open_bill(uow, vault, delivered, replaces_id=replaces_id)
    if replaces_id is not None:
        tell_twins_of_line(uow, uow.session.get_one(Invoice, replaces_id))
