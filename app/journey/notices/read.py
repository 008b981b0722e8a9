"""What was told, as its customer sees it: all of it, as their space tells it; and the list of e-mails that tells a
true one from a fake."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, select
from sqlalchemy.orm import Session

from app.db.events import EventRow
from app.journey.answers.models import BillAnswer
from app.journey.invoices.models import Invoice
from app.journey.notices.compose import text_of
from app.journey.notices.kinds import NoticeKind
from app.journey.notices.models import Notice, NoticeChoice, SpaceNotice
from app.journey.notices.states import NoticeState
from app.journey.notices.texts import IN_SPACE
from app.journey.payments.models import Payment
from app.journey.plans.models import Plan
from app.people.models import Biller
from connectors.money import Money
from consent.models import Standing

#: on one page
TOLD_AT_ONCE = 25
#: more that are not read are not counted: a page says that there are more
UNREAD_MOST = 99
#: what became of an e-mail that was to go and did not reach its customer, as far as anybody knows
NOT_DELIVERED = (NoticeState.REFUSED, NoticeState.GIVEN_UP, NoticeState.NOT_SENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a notice is about, where that is still here."""

    what: str  #: ``bill``, ``payment`` or ``consent``
    id: str
    name: str  #: of the company; of a bill that its customer added the payee, as they confirmed it
    number: str | None = None  #: of the bill
    amount: Money | None = None  #: of a payment that of the payment, of a bill what it was for
    is_delivered: bool = True  #: False: its customer added the bill, and nobody has verified it


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldView:
    """One notice in its customer's space."""

    id: str
    kind: NoticeKind
    title: str
    paragraphs: tuple[str, ...]  #: what there is to know and to do, where it is about nothing that can be opened
    told_at: dt.datetime
    is_new: bool  #: it was never shown before
    about: About | None
    not_delivered: NoticeState | None  #: what became of the e-mail that did not reach its customer; else None
    tried: bool  #: that one may have arrived all the same


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeView:
    """One message: its subject and its own paragraphs, without the safe words that it began with."""

    id: str
    subject: str
    paragraphs: tuple[str, ...]
    language: str
    state: NoticeState
    tried: bool  #: what was given up, or not wanted any more, may have arrived all the same
    created_at: dt.datetime
    ended_at: dt.datetime | None  #: of a sent one: when a mail server took it


def told_of(
    session: Session, *, customer_id: str, locale: str, page: int = 1, not_delivered: bool = False
) -> tuple[list[ToldView], bool]:
    """TOLD_AT_ONCE of all that is kept, newest first, in the language of the page; or of that alone of which the
    e-mail did not reach them. And whether there are older ones."""
    mail = and_(Notice.event_id == SpaceNotice.event_id, Notice.state.in_(NOT_DELIVERED))
    found = (
        select(SpaceNotice, EventRow.payload, Notice.state, Notice.tries)
        .join(EventRow, EventRow.id == SpaceNotice.event_id)
        .join(Notice, mail, isouter=not not_delivered)
        .where(SpaceNotice.customer_id == customer_id)
        .order_by(SpaceNotice.created_at.desc(), SpaceNotice.id.desc())
        .limit(TOLD_AT_ONCE + 1)
        .offset((page - 1) * TOLD_AT_ONCE)
    )
    rows = session.execute(found).all()
    shown = rows[:TOLD_AT_ONCE]
    about = _about(session, customer_id, {row.SpaceNotice.event_id: row.payload for row in shown})
    return [_told(row, about.get(row.SpaceNotice.event_id), locale) for row in shown], len(rows) > len(shown)


def unread_of(session: Session, *, customer_id: str) -> int:
    """How many notices in their space this customer has not been shown; UNREAD_MOST + 1: more than that."""
    unread = select(SpaceNotice.id).where(SpaceNotice.customer_id == customer_id, SpaceNotice.seen_at.is_(None))
    return session.scalar(select(func.count()).select_from(unread.limit(UNREAD_MOST + 1).subquery())) or 0


def _told(row: Row[Any], about: About | None, locale: str) -> ToldView:
    notice, kind = row.SpaceNotice, NoticeKind(row.SpaceNotice.kind)
    text = IN_SPACE[kind][locale] if kind in IN_SPACE else text_of(kind, locale)
    return ToldView(
        id=notice.id,
        kind=kind,
        title=text.subject,
        paragraphs=() if about else text.paragraphs,
        told_at=notice.created_at,
        is_new=notice.seen_at is None,
        about=about,
        not_delivered=NoticeState(row.state) if row.state else None,
        tried=bool(row.tries),
    )


def _about(session: Session, customer_id: str, facts: Mapping[str, Mapping[str, Any]]) -> dict[str, About]:
    """By event what it is about. What was removed since is not there, and what is somebody else's neither."""
    payments = _ids(facts, "payment_id")
    consents = _ids(facts, "consent_id")
    invoices = _ids(facts, "invoice_id")
    for name, table in (("answer_id", BillAnswer), ("plan_id", Plan)):
        named = _ids(facts, name)
        rows = session.execute(select(table.id, table.invoice_id).where(table.id.in_(set(named.values()))))
        bills = dict(rows.all())
        invoices |= {event: bills[each] for event, each in named.items() if each in bills}
    return {
        **_bills(session, customer_id, invoices),
        **_consents(session, customer_id, consents),
        **_payments(session, customer_id, payments),  # where a fact names both, the payment says more
    }


def _ids(facts: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, str]:
    return {event: fact[name] for event, fact in facts.items() if fact.get(name)}


def _bills(session: Session, customer_id: str, invoices: Mapping[str, str]) -> dict[str, About]:
    rows = _named(session, customer_id, Invoice.id.in_(set(invoices.values())))
    found = {
        invoice.id: About(
            what="bill",
            id=invoice.id,
            name=name,
            number=invoice.number,
            amount=Money(invoice.amount_minor, invoice.currency),
            is_delivered=invoice.biller_id is not None,
        )
        for invoice, name in rows
    }
    return {event: found[each] for event, each in invoices.items() if each in found}


def _payments(session: Session, customer_id: str, payments: Mapping[str, str]) -> dict[str, About]:
    mine = select(Payment).where(Payment.customer_id == customer_id, Payment.id.in_(set(payments.values())))
    rows = {payment.id: payment for payment in session.scalars(mine)}
    bills = _named(session, customer_id, Invoice.id.in_({payment.invoice_id for payment in rows.values()}))
    named = {invoice.id: (invoice, name) for invoice, name in bills}
    found: dict[str, About] = {}
    for event, payment_id in payments.items():
        if payment_id in rows and rows[payment_id].invoice_id in named:
            invoice, name = named[rows[payment_id].invoice_id]
            found[event] = About(
                what="payment",
                id=payment_id,
                name=name,
                number=invoice.number,
                amount=rows[payment_id].amount,
                is_delivered=invoice.biller_id is not None,
            )
    return found


def _named(session: Session, customer_id: str, which: ColumnElement[bool]) -> Sequence[tuple[Invoice, str]]:
    """Bills of this customer, each with the name of its company or payee."""
    named = select(Invoice, func.coalesce(Biller.name, Invoice.payee_name)).outerjoin(
        Biller, Biller.id == Invoice.biller_id
    )
    return session.execute(named.where(Invoice.customer_id == customer_id, which)).all()


def _consents(session: Session, customer_id: str, consents: Mapping[str, str]) -> dict[str, About]:
    mine = select(Standing.consent_id, Standing.payee_name).where(
        Standing.customer_id == customer_id, Standing.consent_id.in_(set(consents.values()))
    )
    names = dict(session.execute(mine).all())
    return {
        event: About(what="consent", id=each, name=names[each]) for event, each in consents.items() if each in names
    }


def was_asked(session: Session, *, customer_id: str) -> bool:
    """Whether the question for their address was sent to them, of what is kept."""
    asked = select(Notice.id).where(Notice.customer_id == customer_id, Notice.kind == NoticeKind.ADDRESS_ASKED)
    return session.scalar(asked.where(Notice.state == NoticeState.SENT).limit(1)) is not None


def notices_of(session: Session, *, customer_id: str) -> list[NoticeView]:
    """All that are kept, newest first: whoever looks for one that is not in the list takes it for a fake."""
    rows = session.scalars(
        select(Notice).where(Notice.customer_id == customer_id).order_by(Notice.created_at.desc(), Notice.id.desc())
    )
    return [_view(row) for row in rows]


def chosen_by(session: Session, *, customer_id: str) -> tuple[set[str], set[str]]:
    """The kinds that this customer is told of by e-mail, and on their devices."""
    rows = session.scalars(select(NoticeChoice).where(NoticeChoice.customer_id == customer_id)).all()
    return {row.kind for row in rows if row.by_mail}, {row.kind for row in rows if row.by_push}


def is_unreachable(session: Session, *, customer_id: str) -> bool:
    """Whether the last message that was tried was refused for this customer's address."""
    tried = (NoticeState.SENT, NoticeState.REFUSED)
    last = select(Notice.state).where(Notice.customer_id == customer_id, Notice.state.in_(tried))
    return session.scalar(last.order_by(Notice.ended_at.desc(), Notice.id.desc()).limit(1)) == NoticeState.REFUSED


def _view(row: Notice) -> NoticeView:
    text = text_of(NoticeKind(row.kind), row.locale)
    return NoticeView(
        id=row.id,
        subject=text.subject,
        paragraphs=text.paragraphs,
        language=row.locale,
        state=NoticeState(row.state),
        tried=row.tries > 0,
        created_at=row.created_at,
        ended_at=row.ended_at,
    )
