"""Corrections as customers and billers see them. Every list has a limit."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.journey.answers.read import AnswerForBiller, answers_for_biller
from app.journey.answers.states import AnswerState
from app.journey.connections.access import delivering_billers, is_silenced
from app.journey.corrections.models import Correction
from app.journey.corrections.states import WHOLE, CorrectionKind, CorrectionState
from app.journey.decisions.models import Decision
from app.journey.intake.bill import BillKind
from app.journey.intake.means import MeansKind
from app.journey.intake.models import DeliveredBill, HeldBill
from app.journey.intake.originals import content_of
from app.journey.invoices.chain import earlier_ids
from app.journey.invoices.models import Invoice
from app.journey.invoices.read import Original
from app.journey.invoices.states import InvoiceState
from app.journey.ledger.service import overpaid_of, positions_of, taken_of
from app.journey.payments.read import BillForBiller, bill_for_biller
from app.journey.plans.read import PlanForBiller, standing_for_biller
from app.journey.refunds.access import refund_owed, unpromised
from app.people.biller_states import SUSPENDED
from app.people.models import Biller
from connectors.money import Money
from consent.vault import Vault

CORRECTIONS_MOST = 100
#: what a biller is told of a bill that it collects, or that is paid to an account which is no IBAN
NOT_PAID_HERE = "not_paid_here"
#: credits without a bill on the first page, of one biller: nobody fills the head of the list
STANDING_MOST = 3
_SILENCED = is_silenced(customer_id=Correction.customer_id, biller_id=Correction.biller_id, at=Correction.said_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionView:
    """One correction as the customer of its bill sees it."""

    id: str
    kind: str  #: CorrectionKind
    biller_id: str
    biller_name: str  #: by whom it was said
    number: str | None  #: of the credit note or of the new version; None: its customer had blocked the biller by then
    names: str | None  #: the number of the bill that it says it is about
    amount: Money  #: as the document says it
    taken: Money  #: what came off the bill
    said_at: dt.datetime
    reason: str | None  #: None as the number, and while its biller is suspended
    has_original: bool  #: there is a file that the biller delivered; False as the number
    opened_id: str | None  #: of a new version: its bill, once it is in the customer's space


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The credits without a bill of one biller."""

    biller_name: str
    credits: tuple[CorrectionView, ...]  #: the newest first
    more: int  #: that are not among them


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """What was said of one bill: the corrections of it, and what is owed because."""

    corrections: tuple[CorrectionView, ...] = ()
    withdrawn: CorrectionView | None = None
    replaced_by: CorrectionView | None = None
    refund_owed: Money | None = None  #: for sure: no payment of it is under way
    held_number: str | None = None  #: of a correction of it at which somebody must look first
    off_earlier: tuple[CorrectionView, ...] = ()  #: credit notes that took nothing off: this bill had replaced theirs


def chain_of(session: Session, *, invoice_id: str, customer_id: str) -> Chain:
    """What was said of this bill of this customer; of nobody else's anything."""
    invoice = session.get(Invoice, invoice_id)
    if invoice is None or invoice.customer_id != customer_id:
        raise NotFound("bill")
    corrections = _views(session, Correction.invoice_id == invoice_id)
    # asked for by itself: however many credit notes there are, they hide nothing
    whole = {each.kind: each for each in _views(session, _is_whole_of(invoice_id))}
    owed = refund_owed(session, invoice)
    return Chain(
        corrections=tuple(corrections),
        withdrawn=whole.get(CorrectionKind.WITHDRAWAL),
        replaced_by=whole.get(CorrectionKind.NEW_VERSION),
        refund_owed=owed if owed.minor else None,
        held_number=_held_number(session, invoice),
        off_earlier=tuple(_off_earlier(session, invoice)),
    )


def _held_number(session: Session, invoice: Invoice) -> str | None:
    # whoever corrects a new version may name the original
    line = [invoice.id, *(earlier_ids(session, invoice.id) if invoice.replaces_id is not None else ())]
    return session.scalar(
        select(HeldBill.number)
        .where(
            HeldBill.biller_id == invoice.biller_id,
            HeldBill.biller_id.in_(delivering_billers(invoice.customer_id)),  # else nothing of it is to come
            HeldBill.customer_id == invoice.customer_id,
            HeldBill.corrects_number.in_(select(Invoice.number).where(Invoice.id.in_(line))),
            HeldBill.ended_as.is_(None),
        )
        .order_by(HeldBill.id.desc())
        .limit(1)
    )


def _off_earlier(session: Session, invoice: Invoice) -> list[CorrectionView]:
    if invoice.replaces_id is None:
        return []
    return _views(
        session,
        Correction.invoice_id.in_(earlier_ids(session, invoice.id))
        & (Correction.kind == CorrectionKind.CREDIT_NOTE)
        & (Correction.taken_minor == 0),
    )


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


def credit_numbers(session: Session, *, customer_id: str) -> list[tuple[str, str]]:
    """Of all credit notes of this customer's bills: the bill, and the number of the credit note. Not of a company that
    its customer had blocked by then."""
    rows = session.execute(
        select(Correction.invoice_id, Correction.number).where(
            Correction.customer_id == customer_id,
            Correction.invoice_id.is_not(None),
            Correction.kind == CorrectionKind.CREDIT_NOTE,
            ~_SILENCED,
        )
    )
    return [(invoice_id, number) for invoice_id, number in rows if invoice_id is not None]


def standing_credits(session: Session, *, customer_id: str, most: int = STANDING_MOST) -> list[Standing]:
    """Credit notes for this customer whose bill is not here: ``most`` of each biller, who of late sent one first."""
    number = func.row_number().over(
        partition_by=Correction.biller_id, order_by=(Correction.said_at.desc(), Correction.id.desc())
    )
    count = func.count().over(partition_by=Correction.biller_id)
    numbered = (
        select(Correction.id, number.label("nth"), count.label("of_all"))
        .where(
            Correction.customer_id == customer_id,
            Correction.state == CorrectionState.STANDING,
            Correction.kind == CorrectionKind.CREDIT_NOTE,
            ~_SILENCED,
        )
        .subquery()
    )
    rows = session.execute(select(numbered.c.id, numbered.c.of_all).where(numbered.c.nth <= most))
    counts = {row.id: row.of_all for row in rows}
    found: dict[str, list[CorrectionView]] = {}
    for each in _views(session, Correction.id.in_(counts), most=None)[::-1]:
        found.setdefault(each.biller_id, []).append(each)
    return [
        Standing(biller_name=of[0].biller_name, credits=tuple(of), more=counts[of[0].id] - len(of))
        for of in found.values()
    ]


def original_of_correction(vault: Vault, session: Session, *, correction_id: str, customer_id: str) -> Original:
    """The credit note as it was delivered to this customer. Raises NotFound, also while none of its words is shown."""
    bill = session.scalar(
        select(DeliveredBill)
        .join(Correction, Correction.bill_id == DeliveredBill.id)
        .where(Correction.id == correction_id, Correction.customer_id == customer_id, ~_SILENCED)
    )
    if bill is None:
        raise NotFound("bill")
    return Original(content_of(vault, session, bill), bill.media_type, bill.number)


def whole_of(session: Session, invoice_id: str) -> dict[str, Correction]:
    """By their kind, the withdrawal and the new version after which nothing is asked of the bill: one each at most."""
    return {each.kind: each for each in session.scalars(select(Correction).where(_is_whole_of(invoice_id)))}


def _is_whole_of(invoice_id: str) -> ColumnElement[bool]:
    return (Correction.invoice_id == invoice_id) & Correction.kind.in_(WHOLE)


def _views(
    session: Session, wanted: ColumnElement[bool], *, most: int | None = CORRECTIONS_MOST
) -> list[CorrectionView]:
    """The last ``most`` of them, in the order in which they were said."""
    rows = session.execute(
        select(Correction, Biller.name, Biller.state, Invoice.id, _SILENCED)
        .join(Biller, Biller.id == Correction.biller_id)
        .outerjoin(Invoice, Invoice.bill_id == Correction.bill_id)
        .where(wanted)
        .order_by(Correction.said_at.desc(), Correction.id.desc())
        .limit(most)
    ).all()
    return [
        CorrectionView(
            id=row.id,
            kind=row.kind,
            biller_id=row.biller_id,
            biller_name=biller_name,
            number=None if silenced else row.number,
            names=row.names,
            amount=row.amount,
            taken=row.taken,
            said_at=row.said_at,
            reason=None if silenced or biller_state in SUSPENDED else row.reason,
            has_original=row.bill_id is not None and not silenced,
            opened_id=opened_id,
        )
        for row, biller_name, biller_state, opened_id, silenced in reversed(rows)
    ]


# --- for billers


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenDiscount:
    until: dt.date  #: the last day of that discount
    amount: Money
    day: dt.date  #: of the customer, on which it held


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedBill(BillForBiller):
    """A delivered bill or credit note as its biller sees it, with what it said of it later."""

    kind: str
    means: str | None  #: how it is paid; nobody pays a credit note
    amount_due: Money  #: what is still asked of its customer
    held_back: Money  #: of that, while its customer disputes some lines: what these come to, and the rest can be paid
    corrects: str | None  #: of a credit note or a new version: the bill that it was applied to
    corrected_by: tuple[str, ...]  #: the credit notes that were applied to it, the last of them
    superseded_by: str | None
    withdrawn_at: dt.datetime | None
    withdrawal_reason: str | None
    refund_owed: Money  #: of what its biller took off
    refund_unpromised: Money  #: of that and of what was paid twice, what no refund is promised for
    paid_twice: Money  #: on top of another payment, and to be given back besides
    amount_paid: Money  #: by the payment that has paid it, or those of its parts until now
    discount_taken: TakenDiscount | None  #: for early payment, by the payment that has paid it
    taken_off: Money  #: of a credit note or a new version: what came off the bill that it was applied to
    sequence: int  #: of the last thing that was told of corrections of it
    not_applied_because: str | None  #: of a credit note or a new version
    answer: AnswerForBiller | None  #: what its customer says of it, as long as that stands
    extended_to: dt.date | None  #: the day until which its biller has given time
    plan: PlanForBiller | None  #: when its customer means to pay it, as long as that stands


def status_of_bill(state: InvoiceState) -> str:
    """The word for billers."""
    words = {InvoiceState.PAID: "paid", InvoiceState.CLEARED: "closed", InvoiceState.NOT_HERE: NOT_PAID_HERE}
    return words.get(state, "open")


def corrected_bill(session: Session, *, bill_id: str, biller_id: str) -> CorrectedBill:
    """One delivered bill or credit note of this biller. Raises NotFound."""
    bill = bill_for_biller(session, bill_id=bill_id, biller_id=biller_id)
    delivered = session.get_one(DeliveredBill, bill_id)
    invoice = session.scalar(select(Invoice).where(Invoice.bill_id == bill_id))
    own = session.scalar(select(Correction).where(Correction.bill_id == bill_id))
    credit_notes: Sequence[str | None] = ()
    whole: dict[str, Correction] = {}
    owed = open_ = twice = due = paid = held = Money(0, delivered.currency)
    sequence, discount = 0, None
    status = "closed" if own is not None and own.state == CorrectionState.APPLIED else "open"
    if invoice is not None:
        credit_notes = session.scalars(
            select(Correction.bill_id)
            .where(Correction.invoice_id == invoice.id, Correction.kind == CorrectionKind.CREDIT_NOTE)
            .order_by(Correction.id.desc())
            .limit(CORRECTIONS_MOST)
        ).all()
        whole = whole_of(session, invoice.id)
        status = status_of_bill(InvoiceState(invoice.state))
        owed, open_, sequence = refund_owed(session, invoice), unpromised(session, invoice), invoice.sequence
        if invoice.state != InvoiceState.IN_PAYMENT:
            twice = Money(overpaid_of(session, invoice.id), invoice.currency)
        due = invoice.left if status in ("open", NOT_PAID_HERE) else due
        held = invoice.held_back
        paid = Money(taken_of(session, invoice.id), invoice.currency)
        discount = _discount_taken(session, invoice) if invoice.discount_days else None
    elif delivered.kind == BillKind.INVOICE:
        status = "open" if delivered.means == MeansKind.CREDIT_TRANSFER else NOT_PAID_HERE
        due = Money(delivered.amount_minor, delivered.currency)
    withdrawal, new_version = whole.get(CorrectionKind.WITHDRAWAL), whole.get(CorrectionKind.NEW_VERSION)
    shown = {each.name: getattr(bill, each.name) for each in dataclasses.fields(BillForBiller)}
    return CorrectedBill(
        **shown | {"status": status},
        kind=delivered.kind,
        means=delivered.means if delivered.kind == BillKind.INVOICE else None,
        amount_due=due,
        held_back=held,
        corrects=_bill_of(session, own.invoice_id) if own is not None else None,
        corrected_by=tuple(filter(None, reversed(credit_notes))),
        superseded_by=new_version.bill_id if new_version else None,
        withdrawn_at=withdrawal.applied_at if withdrawal else None,
        withdrawal_reason=withdrawal.reason if withdrawal else None,
        refund_owed=owed,
        refund_unpromised=open_,
        paid_twice=twice,
        amount_paid=paid,
        discount_taken=discount,
        taken_off=own.taken if own is not None else Money(0, delivered.currency),
        sequence=sequence,
        not_applied_because=own.because if own is not None else None,
        answer=next(
            iter(answers_for_biller(session, biller_id=biller_id, bill_id=bill_id, state=AnswerState.OPEN)), None
        ),
        extended_to=invoice.extended_to if invoice is not None else None,
        plan=standing_for_biller(session, invoice_id=invoice.id) if invoice is not None else None,
    )


def _discount_taken(session: Session, invoice: Invoice) -> TakenDiscount | None:
    """One at the most: it is for who pays all at once. As much of it as found room in the bill."""
    positions = positions_of(session, invoice.id)
    paid_by = [each for each, has in positions.items() if has.settled and has.adjusted > 0]
    for one in session.scalars(select(Decision).where(Decision.payment_id.in_(paid_by))):
        if one.discount_until is not None:
            let_off = Money(positions[one.payment_id].adjusted, one.currency)
            return TakenDiscount(until=one.discount_until, amount=let_off, day=one.pay_on)
    return None


def _bill_of(session: Session, invoice_id: str | None) -> str | None:
    return session.scalar(select(Invoice.bill_id).where(Invoice.id == invoice_id)) if invoice_id else None
