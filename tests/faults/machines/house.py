"""What the machines stand on: a migrated database in memory that is put back before each run, and people in it."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import math
import os
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from pysqlite3 import dbapi2
from sqlalchemy import Connection, StaticPool, create_engine, delete, event

from app.db.migrate import upgrade
from app.db.unit_of_work import UnitOfWork
from app.db.work import WorkRow
from app.journey.connections import service as connections
from app.journey.intake.models import DeliveredBill
from app.journey.invoices.models import Invoice
from app.journey.invoices.states import InvoiceState
from app.journey.ledger import service as ledger
from app.journey.route import ROUTE
from app.people.models import ApiClient, Biller, Customer
from connectors.money import Money
from consent.base import new_id
from consent.private import open_with
from tests.conftest import Clock
from tests.support.engines import keys_in_memory
from tests.support.factories import open_account, vet, write_down
from tests.support.logged import log_all
from tests.support.thorough import thorough

_LONGER = int(os.environ.get("FAULTS_LONGER", "1"))

IBAN = "FR1420041010050500013M02606"
CUSTOMER = "cus_1"
BILLERS = ("blr_1", "blr_2")
#: the last day of every discount: no run is that long
DISCOUNT_UNTIL = dt.date(2099, 12, 31)


def runs(most: int, *, steps: int, few: int | None = None) -> settings:
    """So many runs of at most so many calls: the same ones each time, unless more of them are wished for. `make test`
    has a ``few``, or a quarter of them: enough to have seen what a test says that it sees."""
    return settings(
        max_examples=thorough(few or math.ceil(most / 4), most) * _LONGER,
        stateful_step_count=steps,
        derandomize=_LONGER == 1,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.target, Phase.shrink),  # explaining takes minutes
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


class House:
    """One for a process: to make an engine and to migrate takes longer than most runs."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.raw: Any = dbapi2.connect(":memory:", check_same_thread=False, isolation_level=None)
        self.engine = create_engine("sqlite://", module=dbapi2, creator=lambda: self.raw, poolclass=StaticPool)
        open_with(self.engine, keys_in_memory())
        event.listen(self.engine, "begin", _begin)
        self.raw.execute("PRAGMA foreign_keys=ON")
        upgrade(self.engine)
        self._settle_in()
        self._template: Any = dbapi2.connect(":memory:", check_same_thread=False)
        self.raw.backup(self._template)

    def open(self) -> House:
        """As it was when nothing had happened."""
        if self.raw.in_transaction:
            self.raw.execute("ROLLBACK")
        self._template.backup(self.raw)
        self.clock.now = Clock().now
        return self

    def begin(self) -> UnitOfWork:
        return UnitOfWork(self.engine, route=ROUTE, clock=self.clock)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self.raw.execute(query).fetchall()
        return found

    def bill(self, invoice_id: str, *, biller_id: str, amount: int, discount: int = 0) -> None:
        """An invoice that is due, as app.journey.invoices.service.open_invoice makes it."""
        with self.begin() as uow:
            values = {
                "biller_id": biller_id,
                "customer_id": CUSTOMER,
                "number": invoice_id,
                "currency": "EUR",
                "amount_minor": amount,
            }
            bill = DeliveredBill(
                id=new_id("bill"),
                client_id=f"cli_{biller_id}",
                media_type="application/json",
                content=b"{}",
                sha256=hashlib.sha256(b"{}").hexdigest(),
                delivered_at=uow.now,
                **values,
            )
            uow.session.add(bill)
            uow.session.flush()
            invoice = Invoice(
                id=invoice_id,
                bill_id=bill.id,
                state=InvoiceState.TO_PAY,
                discount_minor=discount,
                discount_until=DISCOUNT_UNTIL if discount else None,
                issued_on=uow.now.date(),
                lines=[],
                payee_name="Lumen",
                payee_iban=IBAN,
                received_at=uow.now,
                opened_at=uow.now,
                **values,
            )
            uow.session.add(invoice)
            uow.session.flush()
            ledger.bill(uow, invoice_id=invoice_id, creditor=biller_id, amount=Money(amount, "EUR"))
            log_all(uow)
            uow.commit()

    def _settle_in(self) -> None:
        with self.begin() as uow:
            now: dt.datetime = uow.now
            uow.session.add(
                Customer(
                    id=CUSTOMER, name="Camille", email="c@x.org", time_zone="Europe/Paris", locale="fr", created_at=now
                )
            )
            for biller_id in BILLERS:
                write_down(uow, Biller(id=biller_id, name=biller_id, country="FR", created_at=now))
                vet(uow, biller_id)
                open_account(uow, biller_id=biller_id, iban=IBAN)
                connections.connect(uow, customer_id=CUSTOMER, biller_id=biller_id, space_domain="example.org")
                uow.session.add(
                    ApiClient(
                        client_id=f"cli_{biller_id}", biller_id=biller_id, jwks={}, scope="bills:write", created_at=now
                    )
                )
            log_all(uow)
            uow.session.flush()
            uow.session.execute(delete(WorkRow))  # nobody had invited them, so there is nothing to do
            uow.commit()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


@functools.cache
def house() -> House:
    return House()
