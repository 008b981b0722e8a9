"""What is in a customer's space, to hold against it what they were shown. Reads; writes nothing."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections import defaultdict
from collections.abc import Collection, Iterator

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.db.many import among
from app.journey.connections.access import delivering_billers
from app.journey.intake.formats.facturx import MAGIC
from app.journey.intake.formats.shown import Shown
from app.journey.intake.holding import held_bills
from app.journey.intake.models import DeliveredBill
from app.journey.intake.originals import content_of
from app.journey.invoices import real
from app.journey.invoices.models import Invoice
from app.journey.invoices.real import Answer, Company, Known
from app.journey.invoices.rules import payable_on
from app.journey.invoices.states import InvoiceState
from app.people.account_states import AccountState
from app.people.accounts import is_open, with_biller
from app.people.biller_states import SUSPENDED
from app.people.models import Biller, Customer, PayeeAccount, SealingKey
from app.people.sealing_keys import is_good
from connectors.money import Money
from consent.vault import Vault, VaultError

#: bills of a customer that are looked through, the latest; and of those that come into question, how many are read
BILLS_MOST = 5_000
READ_MOST = 10
#: two people have said that it was the company's once; nothing may be paid to it now
_WERE_THEIRS = (AccountState.APPROVED, AccountState.FROZEN, AccountState.THAWING)
_TAG = re.compile(r"<[^>]*>")
#: of a French VAT id the last ones are the company's number in all registers
_SIREN_DIGITS = 9


def compare(
    vault: Vault, session: Session, shown: Shown, *, customer_id: str, today: dt.date, now: dt.datetime
) -> Answer:
    """Hold it against what is in this customer's space, and against nothing else."""
    companies = _companies(session, customer_id=customer_id, now=now)
    bills = _bills(session, companies, customer_id=customer_id, today=today)
    read = {bill.id: bill for bill in _read(vault, session, real.concerned(shown, bills, today=today)[:READ_MOST])}
    return real.judge(
        shown,
        companies=list(companies.values()),
        bills=[read.get(bill.id, bill) for bill in bills],
        today=today,
        held=[held.number for held in held_bills(session, now=now, customer_id=customer_id)],
    )


def _companies(session: Session, *, customer_id: str, now: dt.datetime) -> dict[str, Company]:
    """By id: those whose bills reach the customer, or did."""
    delivered = select(Invoice.biller_id).where(Invoice.customer_id == customer_id, Invoice.bill_id.is_not(None))
    connected = set(session.scalars(delivering_billers(customer_id)))
    named = session.execute(
        select(Biller.id, Biller.name, Biller.state).where(
            or_(among(session, Biller.id, connected), Biller.id.in_(delivered))
        )
    ).all()
    accounts = session.execute(
        select(PayeeAccount.biller_id, PayeeAccount.iban, PayeeAccount.holder, PayeeAccount.state, is_open(now))
        .join(Biller, with_biller)
        .where(among(session, PayeeAccount.biller_id, [row.id for row in named]))
    ).all()
    billed = session.execute(
        select(Invoice.biller_id, Invoice.payee_iban)
        .where(Invoice.customer_id == customer_id, Invoice.bill_id.is_not(None), Invoice.payee_iban.is_not(None))
        .distinct()
    ).all()
    open_now, once, holders = defaultdict(set), defaultdict(set), defaultdict(set)
    for biller_id, iban, holder, state, is_open_now in accounts:
        if is_open_now:
            open_now[biller_id].add(iban)
            holders[biller_id].add(holder)
        elif state in _WERE_THEIRS:
            once[biller_id].add(iban)
    for row in billed:
        once[row.biller_id].add(row.payee_iban)
    return {
        row.id: Company(
            name=row.name,
            holders=frozenset(holders[row.id]),
            open=frozenset(open_now[row.id]),
            once=frozenset(once[row.id] - open_now[row.id]),
            is_connected=row.id in connected,
            is_suspended=row.state in SUSPENDED,
        )
        for row in named
    }


def _bills(session: Session, companies: dict[str, Company], *, customer_id: str, today: dt.date) -> list[Known]:
    """The latest ones, those first that are to pay."""
    rows = session.execute(
        select(Invoice, DeliveredBill.sha256, SealingKey)
        .join(DeliveredBill, DeliveredBill.id == Invoice.bill_id)
        .outerjoin(SealingKey, SealingKey.id == DeliveredBill.key_id)
        .where(Invoice.customer_id == customer_id)
        .order_by(Invoice.received_at.desc(), Invoice.id.desc())
        .limit(BILLS_MOST)
    ).all()
    found = sorted(rows, key=lambda row: row[0].state != InvoiceState.TO_PAY)
    return [_known(invoice, sha256, key, companies, today) for invoice, sha256, key in found]


def _known(
    invoice: Invoice, sha256: str, key: SealingKey | None, companies: dict[str, Company], today: dt.date
) -> Known:
    limits = frozenset(filter(None, (invoice.due_on, *invoice.discount_days)))
    return Known(
        id=invoice.id,
        company=companies[invoice.delivery.biller_id],
        number=invoice.number,
        reference=invoice.reference,
        account=invoice.payee_iban,
        amount=invoice.amount,
        asked=invoice.asked,
        payable=payable_on(amount=invoice.left, discounts=invoice.discounts, day=today),
        discounted=frozenset(invoice.asked - each.saves for each in invoice.discounts),
        amounts=frozenset(
            amount
            for amount in (
                *(each.saves for each in invoice.discounts),
                invoice.amount - invoice.asked,
                Money(invoice.paid_minor, invoice.currency),
                Money(invoice.late_fee_minor, invoice.currency),
            )
            if amount.minor
        ),
        days=frozenset([invoice.issued_on]),
        limits=limits,
        terms=frozenset((day - invoice.issued_on).days for day in limits),
        sha256=sha256,
        is_genuine=key is None or is_good(key, at=invoice.received_at),
    )


def _read(vault: Vault, session: Session, bills: Collection[Known]) -> Iterator[Known]:
    """With the words, numbers and amounts that the biller itself has written, so that who repeats them says nothing
    new."""
    rows = session.execute(
        select(Invoice, DeliveredBill, Biller.vat_id, Customer.name)
        .join(DeliveredBill, DeliveredBill.id == Invoice.bill_id)
        .join(Biller, Biller.id == Invoice.biller_id)
        .join(Customer, Customer.id == Invoice.customer_id)
        .where(Invoice.id.in_([bill.id for bill in bills]))
    ).all()
    found = {invoice.id: (invoice, bill, vat_id or "", name) for invoice, bill, vat_id, name in rows}
    for known in bills:
        invoice, bill, vat_id, name = found[known.id]
        try:
            original = content_of(vault, session, bill)
        except VaultError:  # somebody has changed something here: that is told elsewhere, and nobody vouches for it
            yield dataclasses.replace(known, is_genuine=False)
            continue
        written = "" if original.startswith(MAGIC) else _TAG.sub("\n", original.decode("utf-8", "replace"))
        digits = "".join(filter(str.isdigit, vat_id))
        besides = (vat_id, digits, digits[-_SIREN_DIGITS:], invoice.order_reference or "", name)
        yield real.with_original(known, written, besides=besides)
