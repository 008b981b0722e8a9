"""Corrections as customers and billers see them. Every list has a limit."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.journey.corrections.models import Correction
from app.journey.corrections.states import CorrectionKind, CorrectionState
from app.journey.intake.bill import BillKind
from app.journey.intake.models import DeliveredBill
from app.journey.intake.originals import content_of
from app.journey.invoices.models import Invoice
from app.journey.invoices.read import Original
from app.journey.invoices.states import InvoiceState
from app.journey.ledger.service import overpaid_of, owed_of
from app.journey.payments.read import BillForBiller, bill_for_biller
from app.people.models import Biller
from connectors.money import Money
from consent.vault import Vault

CORRECTIONS_MOST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionView:
    """One correction as the customer of its bill sees it."""

    id: str
    kind: str  #: CorrectionKind
    biller_name: str  #: by whom it was said
    number: str  #: of the credit note or of the new version
    names: str | None  #: the number of the bill that it says it is about
    amount: Money  #: as the document says it
    taken: Money  #: what came off the bill
    said_at: dt.datetime
    reason: str | None
    has_original: bool  #: there is a file that the biller delivered
    opened_id: str | None  #: of a new version: its bill, once it is in the customer's space


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """What was said of one bill: the corrections of it, and what is owed because."""

    corrections: tuple[CorrectionView, ...] = ()
    withdrawn: CorrectionView | None = None
    replaced_by: CorrectionView | None = None
    refund_owed: Money | None = None  #: for sure: no payment of it is under way


def chain_of(session: Session, *, invoice_id: str, customer_id: str) -> Chain:
    """What was said of this bill of this customer; of nobody else's anything."""
    invoice = session.get(Invoice, invoice_id)
    if invoice is None or invoice.customer_id != customer_id:
        raise NotFound("bill")
    corrections = _views(session, Correction.invoice_id == invoice_id)
    by_kind = {each.kind: each for each in corrections}
    owed = refund_owed(session, invoice)
    return Chain(
        corrections=tuple(corrections),
        withdrawn=by_kind.get(CorrectionKind.WITHDRAWAL),
        replaced_by=by_kind.get(CorrectionKind.NEW_VERSION),
        refund_owed=owed if owed.minor else None,
    )


def refund_owed(session: Session, invoice: Invoice) -> Money:
    """What its biller took off and cannot be left unpaid any more. Nothing as long as a payment is under way."""
    owed = 0 if invoice.state == InvoiceState.IN_PAYMENT else -owed_of(session, invoice.id)
    return Money(owed, invoice.currency)


def corrected(session: Session, *, invoice_ids: Sequence[str]) -> dict[str, str]:
    """For each bill of these that was corrected: the kind of the last correction, a whole one before any other."""
    rows = session.execute(
        select(Correction.invoice_id, Correction.kind)
        .where(Correction.invoice_id.in_(invoice_ids))
        .order_by(Correction.kind == CorrectionKind.CREDIT_NOTE, Correction.id)
    )
    found: dict[str, str] = {}
    for invoice_id, kind in rows:
        if invoice_id is not None:
            found.setdefault(invoice_id, kind)
    return found


def standing_credits(session: Session, *, customer_id: str) -> list[CorrectionView]:
    """Credit notes for this customer whose bill is not here, the newest first."""
    return _views(
        session,
        (Correction.customer_id == customer_id)
        & (Correction.state == CorrectionState.STANDING)
        & (Correction.kind == CorrectionKind.CREDIT_NOTE),
    )[::-1]


def original_of_correction(vault: Vault, session: Session, *, correction_id: str, customer_id: str) -> Original:
    """The credit note as it was delivered to this customer. Raises NotFound."""
    bill = session.scalar(
        select(DeliveredBill)
        .join(Correction, Correction.bill_id == DeliveredBill.id)
        .where(Correction.id == correction_id, Correction.customer_id == customer_id)
    )
    if bill is None:
        raise NotFound("bill")
    return Original(content_of(vault, session, bill), bill.media_type, bill.number)


def _views(session: Session, wanted: ColumnElement[bool]) -> list[CorrectionView]:
    rows = session.execute(
        select(Correction, Biller.name, Invoice.id)
        .join(Biller, Biller.id == Correction.biller_id)
        .outerjoin(Invoice, Invoice.bill_id == Correction.bill_id)
        .where(wanted)
        .order_by(Correction.said_at, Correction.id)
        .limit(CORRECTIONS_MOST)
    )
    return [
        CorrectionView(
            id=row.id,
            kind=row.kind,
            biller_name=biller_name,
            number=row.number,
            names=row.names,
            amount=row.amount,
            taken=row.taken,
            said_at=row.said_at,
            reason=row.reason,
            has_original=row.bill_id is not None,
            opened_id=opened_id,
        )
        for row, biller_name, opened_id in rows
    ]


# --- for billers


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedBill(BillForBiller):
    """A delivered bill or credit note as its biller sees it, with what it said of it later."""

    kind: str
    amount_due: Money  #: what its customer still has to pay of it
    corrects: str | None  #: of a credit note or a new version: the bill that it was applied to
    corrected_by: tuple[str, ...]  #: the credit notes that were applied to it
    superseded_by: str | None
    withdrawn_at: dt.datetime | None
    withdrawal_reason: str | None
    refund_owed: Money
    not_applied_because: str | None  #: of a credit note or a new version


def status_of_bill(state: InvoiceState) -> str:
    """The word for billers."""
    return {InvoiceState.PAID: "paid", InvoiceState.CLEARED: "closed"}.get(state, "open")


def corrected_bill(session: Session, *, bill_id: str, biller_id: str) -> CorrectedBill:
    """One delivered bill or credit note of this biller. Raises NotFound."""
    bill = bill_for_biller(session, bill_id=bill_id, biller_id=biller_id)
    delivered = session.get_one(DeliveredBill, bill_id)
    invoice = session.scalar(select(Invoice).where(Invoice.bill_id == bill_id))
    own = session.scalar(select(Correction).where(Correction.bill_id == bill_id))
    said: Sequence[Correction] = ()
    owed = due = Money(0, delivered.currency)
    status = "closed" if own is not None and own.state == CorrectionState.APPLIED else "open"
    if invoice is not None:
        said = session.scalars(
            select(Correction)
            .where(Correction.invoice_id == invoice.id)
            .order_by(Correction.id)
            .limit(CORRECTIONS_MOST)
        ).all()
        status = status_of_bill(InvoiceState(invoice.state))
        twice = 0 if invoice.state == InvoiceState.IN_PAYMENT else overpaid_of(session, invoice.id)
        owed = Money(refund_owed(session, invoice).minor + twice, invoice.currency)
        due = invoice.asked if status == "open" else due
    elif delivered.kind == BillKind.INVOICE:
        status, due = "open", Money(delivered.amount_minor, delivered.currency)
    withdrawal = next((each for each in said if each.kind == CorrectionKind.WITHDRAWAL), None)
    shown = {each.name: getattr(bill, each.name) for each in dataclasses.fields(BillForBiller)}
    return CorrectedBill(
        **shown | {"status": status},
        kind=delivered.kind,
        amount_due=due,
        corrects=_bill_of(session, own.invoice_id) if own is not None else None,
        corrected_by=tuple(each.bill_id for each in said if each.kind == CorrectionKind.CREDIT_NOTE and each.bill_id),
        superseded_by=next((each.bill_id for each in said if each.kind == CorrectionKind.NEW_VERSION), None),
        withdrawn_at=withdrawal.applied_at if withdrawal else None,
        withdrawal_reason=withdrawal.reason if withdrawal else None,
        refund_owed=owed,
        not_applied_because=own.because if own is not None else None,
    )


def _bill_of(session: Session, invoice_id: str | None) -> str | None:
    return session.scalar(select(Invoice.bill_id).where(Invoice.id == invoice_id)) if invoice_id else None
