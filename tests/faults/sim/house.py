"""One installation for all seeds of a process: a database in memory that is put back before each, people and keys.

The product's own engine stays out: SQLite on disk with a commit that survives a power cut costs most of the time, and
what it keeps is tested elsewhere. The tables are the migrated ones.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from pysqlite3 import dbapi2
from sqlalchemy import Connection, Engine, StaticPool, create_engine, event

from app.db import work
from app.db.migrate import upgrade
from app.demo.authenticator import Authenticator
from app.invariants import INVARIANTS
from app.journey.intake.service import ClientIdentity, deliver
from app.journey.notices.kinds import NoticeKind
from app.journey.notices.models import NoticeChoice
from app.journey.route import HANDLERS, ROUTE
from app.journey.webhooks.service import add_endpoint
from app.keys.installation import Keys
from app.people import customers, passkeys
from app.people.models import Customer
from app.people.passkeys import RelyingParty
from app.people.sessions import SignedIn
from app.services import Services
from app.signed_note import Signer
from app.tables import metadata
from app.tasks import run_task
from config.settings import Settings
from connectors.contract import PsuContext
from connectors.profile import BankProfile
from connectors.registry import Registry
from consent.private import KeyKind, open_with
from consent.vault import Vault
from tests.faults.sim.bank import Bank
from tests.faults.sim.correcting import DISCOUNT_UNTIL, Document, Space, in_lines, written
from tests.faults.sim.written import Kept, Reading, Written
from tests.support import factories
from tests.support.bills import json_bill
from tests.support.engines import keys_in_memory
from tests.support.installation import make_settings

ORIGIN = "https://quittance.example"
PARTY = RelyingParty("quittance.example", ORIGIN)
PSU = PsuContext(ip_address="192.0.2.7")
#: before all seeds
FOUNDED = dt.datetime(2026, 10, 1, 9, 0, tzinfo=dt.UTC)
#: the bills of a company in Britain: for each of the people, in pence
IN_POUNDS = ((3000, 4500, 6000, 9900), (3000, 5200, 12_000))
BRITISH_IBAN = "GB29NWBK60161331926819"


@dataclass
class Banks:
    """What the services ask of connectors.registry.Registry."""

    banks_by_id: dict[str, Bank] = field(default_factory=dict)

    def banks(self) -> list[BankProfile]:
        return [bank.profile for bank in self.banks_by_id.values()]

    def profile(self, bank_id: str) -> BankProfile:
        return self.banks_by_id[bank_id].profile

    def connector(self, bank_id: str) -> Bank:
        return self.banks_by_id[bank_id]


@dataclass(frozen=True, kw_only=True)
class Person:
    signed_in: SignedIn
    device: Authenticator


@dataclass(frozen=True, kw_only=True)
class Founded:
    """What there is before a history, beside the people."""

    rows: dict[str, list[Any]]  #: of every table, by the statement that inserts them
    endpoints: dict[str, tuple[str, str]]  #: url → (biller, secret)
    clients: dict[str, ClientIdentity]  #: by biller
    bills: list[Document]


class House:
    """Made once a process; ``open`` puts everything back as it was."""

    def __init__(self) -> None:
        logging.getLogger("quittance").setLevel(logging.CRITICAL + 1)
        self._clock: Callable[[], dt.datetime] = lambda: FOUNDED
        self.banks = Banks()
        # more statements than there are: to prepare one takes ten times as long as to run it over so few rows
        self.raw: Any = dbapi2.connect(
            ":memory:", check_same_thread=False, isolation_level=None, cached_statements=8192
        )
        self.raw.execute("PRAGMA foreign_keys=ON")
        self.engine = self._engine()
        upgrade(self.engine)
        self.services = Services(
            settings=self._settings(),
            engine=self.engine,
            banks=cast("Registry", self.banks),
            vault=Vault({"k1": bytes(32)}, active="k1"),
            customer_keys=keys_in_memory(),
            keys=Keys(
                form="form",
                vault={"k1": bytes(32)},
                vault_active="k1",
                oauth={},
                bank_client={},
                web_push={},
                log=Signer.generate("log"),
            ),
            clock=lambda: self._clock(),
            route=ROUTE,
            handlers=HANDLERS,
        )
        self.endpoints: dict[str, tuple[str, str]] = {}  #: url → (biller, secret)
        self.clients: dict[str, ClientIdentity] = {}  #: by biller
        self.bills: list[Document] = []
        self.people = self._settle_in()
        for person in self.people:  # made now: a key that is made in a history draws from its dice, and only once
            for kind in KeyKind:
                self.services.customer_keys.key_of(person.signed_in.customer.id, kind)
        self.written = Written(self.raw)
        self._tables = metadata.sorted_tables  # each after those that it refers to
        self._reads: dict[str, Callable[[Mapping[str, int]], object]] = {}
        self._readings = {
            late: [self.written.reading(each.name, each.query("sqlite")) for each in INVARIANTS if each.late is late]
            for late in (False, True)
        }
        self._plain = self._founded()
        self._bill_in_pounds()
        self._with_pounds = self._founded()

    def open(self, clock: Callable[[], dt.datetime], banks: list[Bank], *, in_pounds: bool) -> Services:
        """The installation as it was founded, on another clock and with other banks. ``in_pounds``: with a company in
        Britain that bills as well."""
        self._roll_back()
        founded = self._with_pounds if in_pounds else self._plain
        self._put_back(founded)
        self.endpoints, self.clients, self.bills = founded.endpoints, founded.clients, founded.bills
        self._clock = clock
        self.banks.banks_by_id = {bank.profile.id: bank for bank in banks}
        return self.services

    def _founded(self) -> Founded:
        """As it is now."""
        rows = {}
        for table in self._tables:
            found = self.raw.execute(f"SELECT rowid, * FROM {table.name}")  # noqa: S608  # our own names
            names = ["rowid", *(f'"{column}"' for column, *_ in found.description[1:])]
            marks = ", ".join("?" * len(names))
            rows[f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks})"] = found.fetchall()  # noqa: S608
        return Founded(rows=rows, endpoints=dict(self.endpoints), clients=dict(self.clients), bills=list(self.bills))

    def _put_back(self, founded: Founded) -> None:
        """Row by row: if the database were copied as a whole, SQLite would prepare every statement anew."""
        self.raw.execute("BEGIN")
        for table in reversed(self._tables):
            self.raw.execute(f"DELETE FROM {table.name}")  # noqa: S608  # our own names
        for insert, rows in founded.rows.items():
            self.raw.executemany(insert, rows)
        self.raw.execute("COMMIT")

    def invariants(self, *, late: bool) -> list[Reading]:
        """The product's own: those that hold at every moment, or those that are a matter of time."""
        return self._readings[late]

    def kept(self) -> Kept:
        """For the queries of one history."""
        return Kept(self.written, self.raw, self._reads)

    def _engine(self) -> Engine:
        engine = create_engine(
            "sqlite://",
            module=dbapi2,
            creator=lambda: self.raw,
            poolclass=StaticPool,
            pool_reset_on_return=None,  # a session that closes has rolled back what it did not commit
            query_cache_size=2000,
        )

        @event.listens_for(engine, "begin")
        def begin(_: Connection) -> None:
            self.raw.execute("BEGIN")  # the one that it has, without a cursor that counts for nothing

        # what the connection's own rollback does first costs the more, the more statements it keeps: it resets them all
        engine.dialect.do_rollback = lambda dbapi_connection: self._roll_back()  # type: ignore[method-assign]
        return open_with(engine, keys_in_memory())

    def _roll_back(self) -> None:
        if self.raw.in_transaction:
            self.raw.execute("ROLLBACK")

    def _settings(self) -> Settings:
        nowhere = Path("/nonexistent")
        return make_settings(nowhere, database_url="sqlite://", base_url=ORIGIN, keys=nowhere, demo=False)

    def _settle_in(self) -> list[Person]:
        billers = [factories.make_biller(self.services, name=name) for name in ("Eaux du Lac", "Lumen")]
        self.clients = {
            biller.id: ClientIdentity(client_id=biller.client_id, biller_id=biller.id) for biller in billers
        }
        with self.services.unit_of_work() as uow:
            for index, biller in enumerate(billers):
                for door in range(index + 1):
                    url = f"https://biller-{index}.example/hooks/{door}"
                    _, secret = add_endpoint(self.services, uow, biller_id=biller.id, url=url)
                    self.endpoints[url] = (biller.id, secret)
            uow.commit()
        people = []
        for number, zone in enumerate(("Europe/Paris", "America/New_York")):
            customer, device = self._customer(zone)
            for index, biller in enumerate(billers[: 2 - number]):
                address = factories.connect(self.services, customer_id=customer.id, biller_id=biller.id)
                space = Space(
                    address=address,
                    customer_id=customer.id,
                    biller_id=biller.id,
                    biller_name=biller.name,
                    iban=biller.iban,
                )
                minor, tiers = ((8420, ((DISCOUNT_UNTIL, 420),)), (125_000, ()))[index]
                self._deliver(Document(space=space, number=f"{number}-{index}", minor=minor, tiers=tiers))
            people.append(Person(signed_in=SignedIn(customer, "ses_sim", False), device=device))
        self._be_quiet()
        return people

    def _bill_in_pounds(self) -> None:
        """A company in Britain, where standing consents can pay to, has billed everybody."""
        biller = factories.make_biller(self.services, name="Severn Trams", iban=BRITISH_IBAN)
        self.clients[biller.id] = ClientIdentity(client_id=biller.client_id, biller_id=biller.id)
        with self.services.unit_of_work() as uow:
            url = "https://biller-2.example/hooks/0"
            _, secret = add_endpoint(self.services, uow, biller_id=biller.id, url=url)
            self.endpoints[url] = (biller.id, secret)
            uow.commit()
        for number, (person, amounts) in enumerate(zip(self.people, IN_POUNDS, strict=True)):
            customer_id = person.signed_in.customer.id
            space = Space(
                address=factories.connect(self.services, customer_id=customer_id, biller_id=biller.id),
                customer_id=customer_id,
                biller_id=biller.id,
                biller_name=biller.name,
                iban=biller.iban,
                currency="GBP",
            )
            for index, minor in enumerate(amounts):
                self._deliver(Document(space=space, number=f"{number}-{index}", minor=minor))
        self._be_quiet()

    def _deliver(self, bill: Document) -> None:
        space, early = bill.space, None
        for day, less in bill.tiers:  # one at the most
            early = {"until": f"{day}", "discount": written(less)}
        content = json_bill(
            to=space.address,
            number=bill.number,
            currency=space.currency,
            amount=written(bill.minor),
            payee={"name": space.biller_name, "iban": space.iban},
            early_payment=early,
            lines=in_lines(bill.minor),
        )
        self.bills.append(bill)
        client = self.clients[space.biller_id]
        deliver(self.services, client=client, content=content, media_type="application/json", to=None)
        self._work()

    def _be_quiet(self) -> None:
        """What was told of the bills is told."""
        self.raw.execute("DELETE FROM work")
        self.raw.execute("DELETE FROM webhook_message")

    def _customer(self, zone: str) -> tuple[Customer, Authenticator]:
        device = Authenticator(ORIGIN)
        with self.services.unit_of_work() as uow:
            customer = customers.add_customer(
                uow, name="Camille Laurent", email="c@example.org", locale="en", time_zone=zone
            )
            started = passkeys.start_making(
                uow,
                party=PARTY,
                purpose="sign-up",
                name="Camille",
                email="c@example.org",
                customer_id=None,
                data={},
            )
            taken = passkeys.take(uow, token=started.ceremony, purpose="sign-up", customer_id=None)
            passkeys.finish_making(
                uow,
                party=PARTY,
                ceremony=taken,
                credential=device.make(started.public_key),
                customer=customer,
                name="phone",
            )
            chosen = {"customer_id": customer.id, "kind": NoticeKind.PAYMENT_COMING, "chosen_at": uow.now}
            uow.session.add(NoticeChoice(**chosen))
            uow.commit()
        return customer, device

    def _work(self) -> None:
        """All that a delivered bill asks for, but the messages themselves."""
        while True:
            with self.services.unit_of_work() as uow:
                claims = work.claim_due(uow.session, now=uow.now, limit=1)
                uow.commit()
            if not claims:
                return
            run_task(self.services, claims[0])
