"""Opening an invoice for a delivered bill, and the claim that lets one payment at it at a time.

The lock is the posting in the ledger; the state of the invoice follows it in the same transaction.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
from collections.abc import Collection
from typing import Any, TypedDict

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from app.audit import entries
from app.audit.kinds import Kind
from app.db.many import among, insert_many
from app.db.unit_of_work import UnitOfWork
from app.journey.intake import originals
from app.journey.intake.bill import Bill, BillKind, Line
from app.journey.intake.formats import read_bill
from app.journey.intake.means import MeansKind, details_of
from app.journey.intake.models import DeliveredBill
from app.journey.invoices.access import already_in_payment, locked_invoice
from app.journey.invoices.chain import earlier_ids, later_ids
from app.journey.invoices.events import BillUnseen, CorrectionDue, InvoiceOpened, RefundOwed
from app.journey.invoices.models import Invoice
from app.journey.invoices.rules import Word, to_give_back
from app.journey.invoices.states import InvoiceState, state_of
from app.journey.ledger import service as ledger
from app.journey.ledger.rules import Claim, due
from app.people.models import PayeeAccount
from app.services import Services, Task
from connectors.money import Money
from consent.base import new_id
from consent.vault import Vault, VaultError

log = logging.getLogger("quittance.invoices")

#: in one transaction
UNSEEN_AT_ONCE = 500

OPEN = "invoices.open_invoice"


def open_invoice(task: Task) -> None:
    """BillDelivered: put the bill into the customer's space. Running it again finds the invoice and changes nothing."""
    with task.services.unit_of_work() as uow:
        # locked: its biller may withdraw it at this moment, and opens it for that
        delivered = uow.session.get_one(DeliveredBill, task.payload["bill_id"], with_for_update=True)
        if uow.session.scalar(select(Invoice.id).where(Invoice.bill_id == delivered.id)) is None:
            with contextlib.suppress(originals.Erased):  # there is nobody any more to open it for
                open_bill(uow, task.services.vault, delivered)
        task.finish(uow)
        uow.commit()


def open_bill(uow: UnitOfWork, vault: Vault, delivered: DeliveredBill, *, replaces_id: str | None = None) -> None:
    """Put a bill that has no invoice yet into its customer's space; ``replaces_id``: as the new version of that one."""
    bill = read_bill(originals.content_of(vault, uow.session, delivered), delivered.media_type)
    holder = _holder(uow, delivered, bill) if delivered.means == MeansKind.CREDIT_TRANSFER else None
    invoice = Invoice(**_columns(delivered, bill, holder=holder, now=uow.now), replaces_id=replaces_id)
    uow.session.add(invoice)
    uow.session.flush()
    entries.write(uow, Kind.INVOICE_OPENED, invoice)
    if invoice.is_paid_here:
        ledger.bill(uow, invoice_id=invoice.id, creditor=invoice.creditor, amount=invoice.amount)
    uow.record(InvoiceOpened(invoice_id=invoice.id))
    _ask_for_corrections(uow, {(delivered.biller_id, invoice.number)})
    others = {delivered.corrects_number} - {None}
    if replaces_id is not None:
        others |= _names_of(uow.session, earlier_ids(uow.session, invoice.id))
    if others:  # the next one that goes the same way; it asks for the one after it
        _ask_for_new_versions(uow, delivered.biller_id, others, most=1)


def open_invoice_together(task: Task) -> None:
    """The same for bills that were delivered together. One that keeps the others up is asked for by itself."""
    facts = {fact["bill_id"]: fact for fact in task.payload["facts"]}
    with task.services.reading() as uow:
        made, apart = _invoices_of(task.services.vault, uow, facts)
    with task.services.unit_of_work() as uow:
        task.hold(uow)  # whoever else had it is over: what it opened can be seen
        # as for one; in one order, since who withdraws some of them waits as well
        bills = select(DeliveredBill.id).where(among(uow.session, DeliveredBill.id, facts))
        uow.session.execute(bills.order_by(DeliveredBill.id).with_for_update())
        known = set(uow.session.scalars(select(Invoice.bill_id).where(among(uow.session, Invoice.bill_id, facts))))
        opened = [row for row in made if row["bill_id"] not in known]
        insert_many(uow.session, Invoice, opened)
        entries.write_many(uow, Kind.INVOICE_OPENED, opened)
        ledger.bill_together(
            uow,
            [
                (row["id"], row["biller_id"], Money(row["amount_minor"], row["currency"]))
                for row in opened
                if row["means"] == MeansKind.CREDIT_TRANSFER
            ],
        )
        uow.record_together([InvoiceOpened(invoice_id=row["id"]) for row in opened])
        _ask_for_corrections(uow, {(row["biller_id"], row["number"]) for row in opened})
        for bill_id in apart:
            uow.ask_apart(OPEN, facts[bill_id])
        task.finish(uow)
        uow.commit()


def _ask_for_corrections(uow: UnitOfWork, opened: Collection[tuple[str, str]]) -> None:
    """What was delivered before these bills, biller and number of each, and corrects one of them, is done now.

    Whoever delivers it after this moment finds the bill delivered: one of the two sees the other.
    """
    bills = uow.session.execute(
        select(DeliveredBill.id, DeliveredBill.biller_id, DeliveredBill.corrects_number)
        .where(
            DeliveredBill.biller_id.in_({biller_id for biller_id, _ in opened}),
            among(uow.session, DeliveredBill.corrects_number, {number for _, number in opened}),
        )
        .order_by(DeliveredBill.id)
    )
    for bill_id, biller_id, number in bills:
        if (biller_id, number) in opened:
            uow.record(CorrectionDue(bill_id=bill_id))


def _payment_has_ended(uow: UnitOfWork, invoice_id: str) -> None:
    """The new version that waits for that, of the bill or of another one of its line, is looked at."""
    biller_id = uow.session.scalars(select(Invoice.biller_id).where(Invoice.id == invoice_id)).one()
    if biller_id is None:  # one that its customer added has no versions
        return
    line = [invoice_id, *earlier_ids(uow.session, invoice_id), *later_ids(uow.session, invoice_id)]
    _ask_for_new_versions(uow, biller_id, _names_of(uow.session, line))


def _ask_for_new_versions(
    uow: UnitOfWork, biller_id: str, names: Collection[str | None], *, most: int | None = None
) -> None:
    """Those that name one of these bills and are not in the space yet, in the order in which they came."""
    waiting = uow.session.scalars(
        select(DeliveredBill.id)
        .where(
            DeliveredBill.biller_id == biller_id,
            DeliveredBill.corrects_number.in_(names),
            DeliveredBill.kind == BillKind.INVOICE,
            ~exists().where(Invoice.bill_id == DeliveredBill.id),
        )
        .order_by(DeliveredBill.delivered_at, DeliveredBill.id)
        .limit(most)
    )
    for bill_id in waiting:
        uow.record(CorrectionDue(bill_id=bill_id))


def _names_of(session: Session, invoice_ids: Collection[str]) -> set[str]:
    """Of the bills of one line: a new version names any of them, or what they name themselves and is not here."""
    rows = session.execute(
        select(DeliveredBill.number, DeliveredBill.corrects_number)
        .join(Invoice, Invoice.bill_id == DeliveredBill.id)
        .where(Invoice.id.in_(invoice_ids))
    )
    return {name for row in rows for name in row if name is not None}


def _invoices_of(vault: Vault, uow: UnitOfWork, bill_ids: Collection[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows of their invoices, and which bills have none because something about them is wrong."""
    bills = uow.session.scalars(select(DeliveredBill).where(among(uow.session, DeliveredBill.id, bill_ids))).all()
    accounts = uow.session.scalars(
        select(PayeeAccount).where(PayeeAccount.biller_id.in_({each.biller_id for each in bills}))
    )
    holders = {(account.biller_id, account.iban): account.holder for account in accounts}
    try:
        contents = originals.contents_of(vault, uow.session, bills)
    except VaultError:
        contents = {}  # of which of them is seen below
    made, apart = [], []
    for delivered in bills:
        try:
            content = contents.get(delivered.sha256) or originals.content_of(vault, uow.session, delivered)
            bill = read_bill(content, delivered.media_type)
            holder = None
            if delivered.means == MeansKind.CREDIT_TRANSFER:
                holder = holders[delivered.biller_id, (bill.payee and bill.payee.iban) or ""]
            made.append(_columns(delivered, bill, holder=holder, now=uow.now))
        except Exception:  # the other bills are right
            log.exception("%s cannot be opened together with others", delivered.id)
            apart.append(delivered.id)
    return made, apart


def _holder(uow: UnitOfWork, delivered: DeliveredBill, bill: Bill) -> str:
    """Whose account it is, as it was vetted: the name in a bill is only what the biller says."""
    iban = bill.payee.iban if bill.payee else None
    holder: str = uow.session.scalars(
        select(PayeeAccount.holder).where(PayeeAccount.biller_id == delivered.biller_id, PayeeAccount.iban == iban)
    ).one()
    return holder


def _columns(delivered: DeliveredBill, bill: Bill, *, holder: str | None, now: dt.datetime) -> dict[str, Any]:
    """The invoice of a bill, column by column. ``holder``: of the account to which it is paid from here."""
    first = bill.early_payments[0] if bill.early_payments else None
    is_paid_here = delivered.means == MeansKind.CREDIT_TRANSFER
    iban = bill.payee.iban if bill.payee and is_paid_here else None
    if is_paid_here and iban is None:
        raise ValueError(f"{delivered.id} was taken without an account")  # intake/rules.py forbids it
    reference = (bill.remittance_reference or bill.number)[:140]
    return {
        "id": new_id("inv"),
        "bill_id": delivered.id,
        "customer_id": delivered.customer_id,
        "biller_id": delivered.biller_id,
        "number": delivered.number,
        "state": InvoiceState.TO_PAY if is_paid_here else InvoiceState.NOT_HERE,
        "currency": bill.payable.currency,
        "amount_minor": bill.payable.minor,
        "credited_minor": 0,
        "paid_minor": 0,
        "discount_minor": first.discount.minor if first else 0,
        "discount_until": first.until if first else None,
        "later_discounts": [
            {"until": each.until.isoformat(), "minor": each.discount.minor} for each in bill.early_payments[1:]
        ],
        "late_fee_minor": bill.late_fee.amount.minor if bill.late_fee else 0,
        "late_fee_from": bill.late_fee.starts_on if bill.late_fee else None,
        "issued_on": bill.issued_on,
        "due_on": bill.due_on,
        "expires_on": bill.expires_on,
        "is_amount_fixed": bill.is_amount_fixed,
        "means": delivered.means,
        "means_details": details_of(bill),
        "payee_name": holder,
        "payee_iban": iban,
        "reference": reference,
        "number_letters": Word.of(delivered.number).letters,
        "reference_letters": Word.of(reference).letters,
        "order_reference": bill.order_reference,
        "lines": [_line(line) for line in bill.lines],
        "note": bill.note,
        "terms": bill.terms,
        "received_at": delivered.delivered_at,
        "opened_at": now,
    }


def _line(line: Line) -> dict[str, str | int | None]:
    return {
        "description": line.description,
        "quantity": line.quantity,
        "amount_minor": line.amount.minor if line.amount else None,
        "vat_rate": line.vat_rate,
    }


def see(uow: UnitOfWork, *, invoice_id: str, customer_id: str) -> None:
    """Its customer opened the bill. The first time counts."""
    uow.session.execute(
        update(Invoice)
        .where(Invoice.id == invoice_id, Invoice.customer_id == customer_id, Invoice.seen_at.is_(None))
        .values(seen_at=uow.now)
        .execution_options(synchronize_session=False)
    )


def report_unseen(services: Services) -> None:
    """Say of each bill that nobody has opened for the days of the setting that it is so: once, ever. They count from
    when it came into the space: nobody could open it before."""
    days = services.settings.unseen_days
    while days and _report_some(services, days):
        pass


def _report_some(services: Services, days: int) -> bool:
    with services.unit_of_work() as uow:
        open_ = Invoice.state.in_((InvoiceState.TO_PAY, InvoiceState.NOT_HERE))
        forgotten = (Invoice.seen_at.is_(None), Invoice.unseen_at.is_(None), open_)
        oldest = (
            select(Invoice.id)
            .where(*forgotten, Invoice.opened_at <= uow.now - dt.timedelta(days=days))
            .order_by(Invoice.opened_at, Invoice.id)
            .limit(UNSEEN_AT_ONCE)
            .with_for_update(skip_locked=True)  # another worker has these, or their customer opens one now
            .cte("oldest")
        )
        ids = uow.session.scalars(
            update(Invoice)
            .where(Invoice.id.in_(select(oldest.c.id)), *forgotten)
            .values(unseen_at=uow.now)
            .returning(Invoice.id)
            .execution_options(synchronize_session=False)
        ).all()
        uow.record_together([BillUnseen(invoice_id=invoice_id, days=days) for invoice_id in ids])
        uow.commit()
    return len(ids) == UNSEEN_AT_ONCE


def claim(uow: UnitOfWork, taken: Claim) -> None:
    """Keep what a payment takes of the invoice for it alone. Raises Conflict when another one has the invoice or it is
    paid: of two parts one is paid after the other. The caller has locked the invoice."""
    state = uow.session.scalars(select(Invoice.state).where(Invoice.id == taken.invoice_id)).one()
    try:
        if state != InvoiceState.TO_PAY:
            raise already_in_payment()
        ledger.initiate(uow, taken)
    except ledger.Overdrawn:
        raise already_in_payment() from None
    _follow_ledger(uow, taken.invoice_id)


def reclaim(uow: UnitOfWork, taken: Claim) -> int:
    """A payment that was closed as not done may happen after all, or has found too little of the invoice when it came
    alive again: what is left of it is kept for this one. Returns how much, in minor units."""
    minor = ledger.reclaim(uow, taken)
    _follow_ledger(uow, taken.invoice_id)
    return minor


def release(uow: UnitOfWork, taken: Claim, *, is_sure: bool) -> None:
    """The payment will not happen: what it took may be paid again, unless it turned out to be paid already.
    ``is_sure``: nobody but we could have made it happen."""
    ledger.release(uow, taken)
    if not is_sure:
        _write_down(uow, taken.invoice_id, may_have_been_paid=True)
    _become_free(uow, taken.invoice_id)
    _payment_has_ended(uow, taken.invoice_id)


def end_with_nothing(uow: UnitOfWork, invoice_id: str, *, is_sure: bool) -> None:
    """A payment that found nothing left of the invoice when it came alive again has ended; ``is_sure`` as of
    ``release``."""
    lock(uow, invoice_id)  # as whoever takes something of it: an answer to it may be taken back just now
    if not is_sure:
        _write_down(uow, invoice_id, may_have_been_paid=True)
    _payment_has_ended(uow, invoice_id)


def settle(uow: UnitOfWork, taken: Claim) -> None:
    """The payment happened."""
    lock(uow, taken.invoice_id)  # what is due of it first: it may be taken back in this very transaction
    _pay(uow, taken.invoice_id, ledger.settle(uow, taken))
    _tell_refund(uow, taken.invoice_id)
    _payment_has_ended(uow, taken.invoice_id)


def correct(uow: UnitOfWork, taken: Claim) -> int:
    """A payment that has nothing of the invoice happened after all: it pays what others have left of it. Returns how
    much, in minor units; the rest of it is owed back."""
    minor = ledger.correct(uow, taken)
    if minor:
        _pay(uow, taken.invoice_id, minor)
        _tell_refund(uow, taken.invoice_id)
    return minor


def reopen(uow: UnitOfWork, taken: Claim) -> None:
    """The bank took the payment back: what it paid is due again, unless another payment paid that too."""
    owed = ledger.owed_of(uow.session, taken.invoice_id)
    minor = ledger.reverse(uow, taken)
    if minor:
        _pay(uow, taken.invoice_id, -minor)
        _become_free(uow, taken.invoice_id)
        is_told = owed and not ledger.owed_of(uow.session, taken.invoice_id)
        if is_told and not ledger.overpaid_of(uow.session, taken.invoice_id):
            _record_refund(uow, taken.invoice_id, 0)  # nobody is to give back what came back


def lock(uow: UnitOfWork, invoice_id: str) -> None:
    """Nobody decides about the invoice, takes it or takes something off it until this transaction ends."""
    locked_invoice(uow.session, invoice_id)


def set_aside(uow: UnitOfWork, *, invoice_id: str, aside: bool, held_minor: int = 0) -> None:
    """Whether its customer's answer keeps it from being paid, or else what of it. The caller has locked the invoice."""
    _write_down(uow, invoice_id, is_set_aside=aside, held_back_minor=held_minor)


def extend(uow: UnitOfWork, *, invoice_id: str, until: dt.date) -> None:
    """Its company gives more time. The caller has locked the invoice."""
    _write_down(uow, invoice_id, extended_to=until)


def _write_down(uow: UnitOfWork, invoice_id: str, **values: object) -> None:
    uow.session.flush()
    uow.session.execute(update(Invoice).where(Invoice.id == invoice_id).values(**values))


def credit(uow: UnitOfWork, *, correction_id: str, invoice_id: str, minor: int | None) -> int:
    """Its biller takes ``minor`` units off the invoice, or with None all that it still asks. Returns how many.

    What a payment holds of it stays with that payment until it has ended: then the invoice is due for what is asked, or
    a refund is owed. The caller has locked the payments.
    """
    locked_invoice(uow.session, invoice_id)
    invoice = uow.session.get_one(Invoice, invoice_id)
    taken = invoice.asked.minor if minor is None else minor
    if not taken:
        return 0
    if invoice.is_paid_here:
        amount = Money(taken, invoice.currency)
        of = {"correction_id": correction_id, "invoice_id": invoice_id, "creditor": invoice.creditor}
        ledger.credit(uow, **of, amount=amount)
    invoice.credited_minor += taken
    if minor is None:
        invoice.retracted_minor += taken
    uow.session.flush()
    _follow_ledger(uow, invoice_id)
    _tell_refund(uow, invoice_id)
    return taken


def _become_free(uow: UnitOfWork, invoice_id: str) -> None:
    """A payment has it no more: is that paid all the same, and is anything left to pay?"""
    _pay(uow, invoice_id, ledger.apply_overpaid(uow, invoice_id=invoice_id))
    _tell_refund(uow, invoice_id)


def _pay(uow: UnitOfWork, invoice_id: str, minor: int) -> None:
    """So much of it is paid, or below zero, is not paid any more."""
    if minor:
        _write_down(uow, invoice_id, paid_minor=Invoice.paid_minor + minor)
    _follow_ledger(uow, invoice_id)


def _tell_refund(uow: UnitOfWork, invoice_id: str) -> None:
    """Of what a payment under way holds nobody knows yet whether it is to be given back."""
    owed = refund_of(uow.session, invoice_id)
    if owed.minor and not ledger.is_held(uow.session, invoice_id):
        _record_refund(uow, invoice_id, owed.minor)


def _record_refund(uow: UnitOfWork, invoice_id: str, minor: int) -> None:
    uow.record(RefundOwed(invoice_id=invoice_id, amount_minor=minor, **stand(uow.session, invoice_id)))


def refund_of(session: Session, invoice_id: str) -> Money:
    """What its biller took off beyond what is free of it: to be given back, once no payment of it is under way.

    By a credit note what the credit note says. A withdrawal and a new version say no amount: by them what was paid, so
    that the discount for early payment, which nobody paid, is not given back. Of a bill that is not paid here nobody
    knows what was paid: what was credited beyond all that it was for is owed in any case.
    """
    row = session.execute(
        select(
            Invoice.means, Invoice.retracted_minor, Invoice.credited_minor, Invoice.amount_minor, Invoice.currency
        ).where(Invoice.id == invoice_id)
    ).one()
    if row.means != MeansKind.CREDIT_TRANSFER:
        return Money(max(row.credited_minor - row.amount_minor, 0), row.currency)
    owed = -ledger.owed_of(session, invoice_id)
    let_off = ledger.let_off_of(session, invoice_id) if owed and row.retracted_minor else 0
    return Money(
        to_give_back(owed_minor=owed, retracted_minor=row.retracted_minor, let_off_minor=let_off), row.currency
    )


class Stand(TypedDict):
    """How an invoice stood when a fact about it was recorded, and which of these facts is the later one."""

    state: str
    sequence: int


def stand(session: Session, invoice_id: str) -> Stand:
    """The caller has locked what is due of the invoice and tells this."""
    row = session.execute(
        update(Invoice)
        .where(Invoice.id == invoice_id)
        .values(sequence=Invoice.sequence + 1)
        .returning(Invoice.state, Invoice.sequence)
        .execution_options(synchronize_session=False)
    ).one()
    return Stand(state=row.state, sequence=row.sequence)


def _follow_ledger(uow: UnitOfWork, invoice_id: str) -> None:
    """The state is what the ledger says. Where no step of the table leads there one of the two is wrong: it stops."""
    state, means, paid_minor, asked_minor = uow.session.execute(
        select(Invoice.state, Invoice.means, Invoice.paid_minor, Invoice.amount_minor - Invoice.credited_minor).where(
            Invoice.id == invoice_id
        )
    ).one()
    before = InvoiceState(state)
    if means != MeansKind.CREDIT_TRANSFER:  # of what is not paid here the ledger knows nothing
        after = before if asked_minor > 0 else InvoiceState.CLEARED
    else:
        after = state_of(
            before,
            is_held=ledger.is_held(uow.session, invoice_id),
            left_minor=ledger.balance_of(uow.session, due(invoice_id)),
            paid_minor=paid_minor,
        )
    if after is not before:
        _write_down(uow, invoice_id, state=after)
