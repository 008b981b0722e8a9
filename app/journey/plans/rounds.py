"""Several bills that their customer chose to pay: which ones, and how far each is. Those that standing consents cover
may be signed at once (app/journey/decisions/together.py); the others are looked at and signed one after the other, and
whoever comes back from a bank goes on with the next one. Nothing is decided or held by the choice."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.db.many import among
from app.db.unit_of_work import UnitOfWork
from app.db.upsert import insert_once
from app.errors import FieldError, Invalid
from app.journey.decisions.models import Decision
from app.journey.decisions.orders import price_of
from app.journey.invoices.access import invoice_of_customer, must_be_free, must_not_be_set_aside, payee_of
from app.journey.invoices.models import Invoice
from app.journey.invoices.states import InvoiceState
from app.journey.plans.models import Round
from app.people.models import Biller
from app.people.sessions import SignedIn
from connectors.money import Money, Total

#: bills of one round
BILLS_MOST = 20
#: whoever has not gone on by then has done with it
LIFE = dt.timedelta(hours=12)


class Place(enum.StrEnum):
    """Where a bill of a round is."""

    WAITING = "waiting"
    UNDER_WAY = "under_way"
    PAID = "paid"
    NOT_PAID = "not_paid"  #: its customer began to pay it, and it was not; or it is not to be paid any more


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundBill:
    invoice_id: str
    name: str  #: of whom it is paid to
    number: str
    amount: Money  #: that paying all of it takes today
    place: Place
    payment_id: str | None = None  #: that was decided last of it in this round


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundView:
    bills: tuple[RoundBill, ...]  #: in the order in which they were chosen
    sums: tuple[Money, ...]  #: of those that wait, by currency

    @property
    def next(self) -> RoundBill | None:
        return next((bill for bill in self.bills if bill.place is Place.WAITING), None)


def begin(uow: UnitOfWork, *, signed_in: SignedIn, invoice_ids: Sequence[str]) -> None:
    """Choose bills. What was chosen before is forgotten. Raises NotFound, NotAllowed (demo visit), Invalid for none or
    too many, and Conflict for one that is not to be paid; then nothing is written."""
    signed_in.check_acts()
    customer_id = signed_in.customer.id
    chosen = list(dict.fromkeys(invoice_ids))
    if not 1 <= len(chosen) <= BILLS_MOST:
        detail = f"Choose one to {BILLS_MOST} bills."
        raise Invalid("bills", detail, errors=(FieldError("/bill", detail),))
    for invoice_id in chosen:
        invoice = invoice_of_customer(uow.session, invoice_id=invoice_id, customer_id=customer_id)
        payee_of(invoice)
        must_be_free(invoice)
        must_not_be_set_aside(invoice)
    values = {"invoice_ids": chosen, "begun_at": uow.now}
    if not insert_once(uow.session, Round, {"customer_id": customer_id, **values}, unique=["customer_id"]):
        row = uow.session.get_one(Round, customer_id, with_for_update=True, populate_existing=True)
        row.invoice_ids, row.begun_at = chosen, uow.now


def leave(uow: UnitOfWork, *, signed_in: SignedIn) -> None:
    """Forget what was chosen. Left again it is the same. Raises NotAllowed."""
    signed_in.check_acts()
    uow.session.execute(delete(Round).where(Round.customer_id == signed_in.customer.id))


def skip(uow: UnitOfWork, *, signed_in: SignedIn, invoice_id: str) -> None:
    """Go on without this bill. Raises NotAllowed."""
    signed_in.check_acts()
    row = uow.session.get(Round, signed_in.customer.id, with_for_update=True, populate_existing=True)
    if row is not None:
        row.invoice_ids = [each for each in row.invoice_ids if each != invoice_id]


def drop_stale(uow: UnitOfWork) -> None:
    uow.session.execute(delete(Round).where(Round.begun_at < uow.now - LIFE))


def round_of(session: Session, *, customer_id: str, today: dt.date, now: dt.datetime) -> RoundView | None:
    """What they chose, as long as one of these bills waits or is under way. None: there is nothing to go on with."""
    row = session.get(Round, customer_id)
    if row is None or row.begun_at < now - LIFE:
        return None
    rows = session.execute(
        select(Invoice, func.coalesce(Biller.name, Invoice.payee_name))
        .outerjoin(Biller, Biller.id == Invoice.biller_id)
        .where(among(session, Invoice.id, row.invoice_ids), Invoice.customer_id == customer_id)
    )
    found = {invoice.id: (invoice, name) for invoice, name in rows}
    decided = session.execute(
        select(Decision.invoice_id, Decision.payment_id)
        .where(among(session, Decision.invoice_id, row.invoice_ids), Decision.decided_at >= row.begun_at)
        .order_by(Decision.decided_at, Decision.id)
    )
    tried = {each.invoice_id: each.payment_id for each in decided}
    bills = [
        RoundBill(
            invoice_id=invoice.id,
            name=name,
            number=invoice.number,
            amount=price_of(invoice, day=today).amount,
            place=_place(invoice, is_tried=invoice.id in tried),
            payment_id=tried.get(invoice.id),
        )
        for invoice, name in (found[each] for each in row.invoice_ids if each in found)
    ]
    if not any(bill.place in (Place.WAITING, Place.UNDER_WAY) for bill in bills):
        return None
    sums: dict[str, int] = {}
    for bill in bills:
        if bill.place is Place.WAITING:
            sums[bill.amount.currency] = sums.get(bill.amount.currency, 0) + bill.amount.minor
    return RoundView(bills=tuple(bills), sums=tuple(Total(minor, currency) for currency, minor in sums.items()))


def _place(invoice: Invoice, *, is_tried: bool) -> Place:
    if invoice.state == InvoiceState.PAID:
        return Place.PAID
    if invoice.state == InvoiceState.IN_PAYMENT:
        return Place.UNDER_WAY
    if invoice.state != InvoiceState.TO_PAY or invoice.is_set_aside or is_tried:
        return Place.NOT_PAID
    return Place.WAITING
