"""Sealing with their customers' own keys what older releases wrote in clear, or sealed with the installation's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Table, and_, select, text, tuple_, update
from sqlalchemy.orm import Session

from app.audit.kinds import SOURCES, Kind
from app.audit.models import LogEntry
from app.journey.erasure.holdings import HOLDINGS
from app.journey.intake import originals, own_bills
from app.people import mailboxes
from app.people.models import Customer
from app.services import Services
from consent.base import Base
from consent.private import Private, owned

#: rows in one transaction
AT_ONCE = 1000


def seal_old(services: Services) -> int:
    """Seal what there is of each customer of before. Returns how many customers that was.

    May be stopped and begun again, and may run while everything else does: a customer is done when their mailbox has
    its key, which is written last.
    """
    done = 0
    while customer_id := _next(services):
        for table in Base.metadata.sorted_tables:
            _seal_rows(services, table, customer_id)
        for kind in SOURCES:
            _seal_entries(services, kind, customer_id)
        with services.unit_of_work() as uow:
            originals.seal_with_theirs(services.vault, uow, customer_id)
            own_bills.seal_with_theirs(services.vault, uow, customer_id)
            customer = uow.session.get_one(Customer, customer_id, with_for_update=True)
            mailboxes.give(uow.session, customer, customer.email)
            uow.commit()
        done += 1
    return done


def _next(services: Services) -> str | None:
    of_before = select(Customer.id).where(Customer.mailbox_key.is_(None), Customer.erased_at.is_(None))
    with services.reading() as uow:
        return uow.session.scalar(of_before.order_by(Customer.id).limit(1))


def _seal_rows(services: Services, table: Table, customer_id: str) -> None:
    private = [column.name for column in table.columns if isinstance(column.type, Private)]
    if not private or table.name == LogEntry.__tablename__:
        return
    for session, rows in _pages(services, table, HOLDINGS[table.name].whose, customer_id):
        for row in rows:
            values = {name: owned(row[name], customer_id) for name in private if row[name] is not None}
            if values:
                key = and_(*(column == row[column.name] for column in table.primary_key))
                session.execute(update(table).where(key).values(values))


def _seal_entries(services: Services, kind: Kind, customer_id: str) -> None:
    source = SOURCES[kind]
    if source.key_kind is None:
        return
    table: Table = Base.metadata.tables[LogEntry.__tablename__]
    facts = f"SELECT {source.subject} FROM {source.table} fact WHERE {source.theirs}"  # noqa: S608  # nosec B608  # our names
    of_kind = f"kind = '{kind.value}' AND subject IN ({facts})"
    for session, rows in _pages(services, table, of_kind, customer_id):
        for row in rows:
            if row["opening"] is None or row["salt"] is None:
                continue
            values = {name: owned(row[name], customer_id, source.key_kind) for name in ("opening", "salt")}
            session.execute(update(table).where(table.c.id == row["id"]).values(values))


def _pages(
    services: Services, table: Table, whose: str, customer_id: str
) -> Iterator[tuple[Session, list[dict[str, Any]]]]:
    """The rows of this customer, so many in one transaction, in the order of their keys."""
    keys = list(table.primary_key)
    after: tuple[Any, ...] | None = None
    while True:
        with services.unit_of_work() as uow:
            theirs = select(table).where(text(whose).bindparams(customer=customer_id)).order_by(*keys).limit(AT_ONCE)
            found = theirs.with_for_update()  # what is changed meanwhile must not be written back
            if after is not None:
                found = found.where(tuple_(*keys) > after)
            rows = [dict(row) for row in uow.session.execute(found).mappings()]
            yield uow.session, rows
            uow.commit()
        if len(rows) < AT_ONCE:
            return
        after = tuple(rows[-1][column.name] for column in keys)
