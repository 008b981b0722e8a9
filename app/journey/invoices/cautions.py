"""What speaks against paying the bills of a list as they stand: said with each of them, so that nobody has to open a
bill to learn it. Of those of which it speaks against paying them at all the sum has nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.journey.intake.models import OwnBill
from app.journey.invoices.alike import Likeness, added_of, likenesses
from app.journey.invoices.models import Invoice
from app.journey.invoices.read import is_bill_stopped
from app.journey.invoices.states import InvoiceState
from app.journey.invoices.twins import Twin, twins_among

#: of the doubts of own_file.Reading: nothing is to be paid, or perhaps to somebody else. By what is said first
GRAVE = ("accounts-differ", "page-differs", "collected", "by-card", "paid-elsewhere")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caution:
    """Of one bill that could be paid now. At least one of these is so."""

    likeness: Likeness | None = None
    doubts: tuple[str, ...] = ()  #: of the file of one that its customer added, the gravest first
    twins: tuple[Twin, ...] = ()

    @property
    def is_grave(self) -> bool:
        return self.likeness is not None or any(each in GRAVE for each in self.doubts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cautions:
    of: dict[str, Caution] = field(default_factory=dict)  #: by the id of the bill
    grave: frozenset[str] = frozenset()  #: the ids of those against which something grave speaks
    #: how many others of those that their customer added may be the same as another bill, of which something is asked
    #: or was paid
    doubles: int = 0


def cautions_of(session: Session, *, customer_id: str, bills: Collection[str], now: dt.datetime) -> Cautions:
    """Of all bills that this customer added and could pay now, and of ``bills``: the ids of others that they could."""
    rows = session.execute(
        select(Invoice, OwnBill)
        .join(OwnBill, OwnBill.id == Invoice.own_bill_id)
        .where(
            Invoice.customer_id == customer_id,
            Invoice.state == InvoiceState.TO_PAY,
            Invoice.is_set_aside.is_(False),
            ~is_bill_stopped(now),
        )
    ).all()
    if not rows and not bills:
        return Cautions()
    added = [added_of(invoice) for invoice, _ in rows]
    like = likenesses(session, added, customer_id=customer_id, now=now)
    doubts = {invoice.id: tuple(sorted(own_bill.doubts, key=_rank)) for invoice, own_bill in rows}
    own = {each.id for each in added}
    twins = twins_among(session, customer_id=customer_id, invoice_ids=own.union(bills))
    found = {
        invoice_id: Caution(
            likeness=like.get(invoice_id),
            doubts=doubts.get(invoice_id, ()),
            twins=tuple(twins.get(invoice_id, ())),
        )
        for invoice_id in own.union(bills)
        if invoice_id in like or doubts.get(invoice_id) or invoice_id in twins
    }
    grave = frozenset(invoice_id for invoice_id, each in found.items() if each.is_grave)
    doubles = [each for each in own - grave if any(not twin.is_cleared for twin in twins.get(each, ()))]
    return Cautions(of=found, grave=grave, doubles=len(doubles))


def _rank(doubt: str) -> int:
    return GRAVE.index(doubt) if doubt in GRAVE else len(GRAVE)
