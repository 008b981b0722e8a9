"""Reminding customers of bills whose day is near, once each: finding these, and saying whether it is still so.

Only of what is to pay and nobody has seen to: neither set aside, nor planned, nor in payment (so is what was decided
for a later day, be it kept here or at a bank), and for which something may be paid now. What comes when its day is
nearer already than its customer wants to be told of is told as a new bill, and not again as one that is due.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, Subquery, case, delete, func, literal_column, select, tuple_
from sqlalchemy.orm import Session

from app.db.events import EventRow
from app.db.many import among, insert_new
from app.journey.connections.models import Connection
from app.journey.connections.states import ConnectionState
from app.journey.invoices.access import kept
from app.journey.invoices.chain import earlier_bills
from app.journey.invoices.models import Invoice
from app.journey.invoices.ordering import PAY_BY
from app.journey.invoices.read import is_bill_stopped
from app.journey.invoices.states import InvoiceState
from app.journey.notices.events import BillDueSoon
from app.journey.notices.kinds import NoticeKind
from app.journey.notices.models import BillReminder, Notice, NoticeChoice, NoticeTimes, PushMessage
from app.journey.notices.times import LEAD_MOST, NO_TIMES, begun_day, days_apart
from app.journey.plans.models import Plan
from app.journey.plans.states import PlanState
from app.people.customers import morning_of, today_of
from app.people.models import Customer, Stop
from app.services import Services

#: bills that are looked at in one transaction
REMINDERS_AT_ONCE = 500

#: to be asked of Invoice: its biller is neither muted nor blocked by its customer
IS_HEARD = (
    ~select(Connection.id)
    .where(
        Connection.customer_id == Invoice.customer_id,
        Connection.biller_id == Invoice.biller_id,
        Connection.state.in_((ConnectionState.MUTED, ConnectionState.BLOCKED)),
    )
    .correlate(Invoice)
    .exists()
)
_LEFT = Invoice.amount_minor - Invoice.credited_minor - Invoice.paid_minor - Invoice.held_back_minor


class _Due(NamedTuple):
    """One bill whose day is near enough."""

    customer_id: str
    invoice_id: str
    pay_by: dt.date
    opened_at: dt.datetime
    lead_days: int
    time_zone: str

    def is_near(self, now: dt.datetime) -> bool:
        """And not over: by the clock of its customer, of whose zone the database knows nothing."""
        today = now.astimezone(zoneinfo.ZoneInfo(self.time_zone)).date()
        near_from = self.pay_by - dt.timedelta(days=self.lead_days)
        return near_from <= begun_day(now, time_zone=self.time_zone) and today <= self.pay_by

    @property
    def came_before(self) -> bool:
        """Before its customer was to be reminded of it."""
        day = self.pay_by - dt.timedelta(days=self.lead_days)
        return self.opened_at < morning_of(day, time_zone=self.time_zone)


def remind(services: Services) -> None:
    """Find all bills whose customers want to be told by now that they are due soon, and say so of each: once, ever.

    Whoever dies on the way leaves whole pages done or not done; a bill that two find at once is one of theirs alone.
    """
    for page in _pages(services):
        with services.unit_of_work() as uow:
            ids = kept(uow.session, [due.invoice_id for due in page])  # a customer may remove one just now
            # looked at with a longer lead, and not told
            looked = delete(BillReminder).where(among(uow.session, BillReminder.invoice_id, ids))
            looked = looked.where(BillReminder.told_at.is_(None)).execution_options(synchronize_session=False)
            uow.session.execute(looked)
            rows = [
                {
                    "invoice_id": due.invoice_id,
                    "customer_id": due.customer_id,
                    "lead_days": due.lead_days,
                    "told_at": uow.now if due.came_before else None,
                }
                for due in page
                if due.invoice_id in ids
            ]
            new = insert_new(uow.session, BillReminder, rows, unique=["invoice_id"])
            told = [BillDueSoon(invoice_id=row["invoice_id"]) for row in new if row["told_at"] is not None]
            uow.record_together(told)
            uow.commit()


def _pages(services: Services) -> Iterator[list[_Due]]:
    """From one customer to the next, so that none is walked through again for each page."""
    after = ("", "")
    while True:
        with services.reading() as uow:
            rows = uow.session.execute(_near(uow.now, after=after)).all()
            earlier = earlier_bills(uow.session, [row[1] for row in rows])
            found = [_Due(*row) for row in rows if row[1] not in earlier or not earlier[row[1]].is_in_payment]
            page = [due for due in found if due.is_near(uow.now)]
        if page:
            yield page
        if len(rows) < REMINDERS_AT_ONCE:
            return
        after = rows[-1][0], rows[-1][1]


def _near(now: dt.datetime, *, after: tuple[str, str]) -> Select[str, str, dt.date, dt.datetime, int, str]:
    """The next REMINDERS_AT_ONCE behind this customer and bill."""
    wanting = _wanting(now, after=after[0])
    looked = select(BillReminder.invoice_id).where(
        BillReminder.invoice_id == Invoice.id,
        BillReminder.told_at.is_not(None) | (BillReminder.lead_days <= wanting.c.lead),
    )
    return (
        select(wanting.c.customer_id, Invoice.id, PAY_BY, Invoice.opened_at, wanting.c.lead, wanting.c.time_zone)
        .join(Invoice, Invoice.customer_id == wanting.c.customer_id)
        .where(
            tuple_(wanting.c.customer_id, Invoice.id) > tuple_(*after),
            Invoice.due_on <= wanting.c.until,  # by the index; its day is that or a later one
            wanting.c.until >= PAY_BY,
            *_is_to_pay(now, day=wanting.c.day),
            ~looked.correlate(Invoice, wanting).exists(),
        )
        .order_by(wanting.c.customer_id, Invoice.id)
        .limit(REMINDERS_AT_ONCE)
    )


def _wanting(now: dt.datetime, *, after: str) -> Subquery:
    """Who wants to be told, from this customer on: with the ``day`` that is theirs now, and ``until`` which day."""
    apart = case(*((Customer.time_zone.in_(names), days) for days, names in days_apart(now).items()), else_=0)
    lead = func.coalesce(NoticeTimes.lead_days, NO_TIMES.lead_days)
    each = (
        select(NoticeChoice.customer_id, Customer.time_zone, lead.label("lead"), apart.label("apart"))
        .join(Customer, Customer.id == NoticeChoice.customer_id)
        .outerjoin(NoticeTimes, NoticeTimes.customer_id == NoticeChoice.customer_id)
        .where(
            NoticeChoice.kind == literal_column(f"'{NoticeKind.BILL_DUE.value}'"),  # as its index has it
            NoticeChoice.customer_id >= after,
        )
        .subquery("each_one")
    )
    until = _date(now, each.c.apart + each.c.lead, most=LEAD_MOST + 1)
    return select(each, until.label("until"), _date(now, each.c.apart, most=1).label("day")).subquery("wanting")


def _date(now: dt.datetime, days: ColumnElement[int], *, most: int) -> ColumnElement[dt.date]:
    """The date of UTC and so many days, −1 to ``most``: the two databases have no words for it in common."""
    today = now.astimezone(dt.UTC).date()
    return case({each: today + dt.timedelta(days=each) for each in range(-1, most + 1)}, value=days)


def _is_to_pay(now: dt.datetime, *, day: dt.date | ColumnElement[dt.date]) -> tuple[ColumnElement[bool], ...]:
    """To be asked of Invoice: its customer may pay it on this day of theirs and has not seen to it in any way."""
    planned = select(Plan.id).where(Plan.invoice_id == Invoice.id, Plan.state == PlanState.STANDING)
    stopped = select(Stop.id).where(Stop.customer_id == Invoice.customer_id, Stop.lifted_at.is_(None))
    return (
        Invoice.state == InvoiceState.TO_PAY,
        Invoice.is_set_aside.is_(False),
        _LEFT > 0,
        day <= PAY_BY,
        Invoice.expires_on.is_(None) | (Invoice.expires_on >= day),
        IS_HEARD,
        is_bill_stopped(now).is_(False),
        ~planned.correlate(Invoice).exists(),
        ~stopped.correlate(Invoice).exists(),
    )


def is_any_due(session: Session, notice: Notice | PushMessage, *, now: dt.datetime) -> bool:
    """Whether of the bills that it speaks for, the first and all that were found while it waited, one is to be paid
    still, and its day is not over."""
    first = session.get_one(EventRow, notice.event_id)
    today = today_of(session.get_one(Customer, notice.customer_id), now)
    told = (BillReminder.customer_id == notice.customer_id, BillReminder.told_at >= first.recorded_at)
    found = select(Invoice.id).join(BillReminder, BillReminder.invoice_id == Invoice.id).where(*told)
    ids = session.scalars(found.where(*_is_to_pay(now, day=today)).limit(REMINDERS_AT_ONCE)).all()
    earlier = earlier_bills(session, ids)
    return any(each not in earlier or not earlier[each].is_in_payment for each in ids)
