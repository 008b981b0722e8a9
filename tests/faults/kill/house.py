"""An installation on one database: founded once, with a customer, a biller and paid bills, and later with standing
consents, too; put back to one of these moments before a cell."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
import shutil
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from flask import Flask
from sqlalchemy import ColumnElement, create_engine, func, literal, make_url, or_, select, text
from typing_extensions import override
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from app import failpoints
from app import worker as worker_module
from app.db.migrate import upgrade
from app.db.work import WorkRow
from app.demo.authenticator import Authenticator
from app.errors import Conflict
from app.factory import create_app
from app.failpoints import killing
from app.journey.consents.step import HANDLER as FOLLOWS
from app.journey.consents.step import work_key
from app.journey.intake.service import ClientIdentity, deliver
from app.journey.payments import rules
from app.journey.payments.service import resolve
from app.journey.route import HANDLERS, ROUTE
from app.journey.webhooks.service import add_endpoint
from app.people.models import Customer
from app.schedule import Schedule
from app.services import Services, build_services
from app.tasks import run_task
from app.web.banks import redirect
from app.web.customers import agree, consents, decide, sign_together
from app.worker import Worker
from config.settings import ROOT
from consent.models import Consent
from consent.states import STANDING_USABLE
from tests.faults.kill.clock import Clock
from tests.faults.kill.stories import BANKS, HORIZON
from tests.faults.kill.town import Town
from tests.support import factories
from tests.support.bills import json_bill
from tests.support.factories import BillerMade
from tests.support.installation import make_settings

#: where somebody waits until time is up: a deadline far below a page's ten seconds and a worker's twenty
HURRY_S = 0.8
#: with the margin after it still less than the bank's quarter of an hour, and asked between the two
AUTHORISATION_MINUTES = 5
POLL_S = [500, 60, 60, 3600]
#: a look at a standing consent that is due within this time has its reason
SOON = dt.timedelta(days=1)
#: where the biller is paid in pounds
UK_IBAN = "GB74SBDK99999941726053"


class Database(Protocol):
    """A database that can be put back."""

    @property
    def url(self) -> str: ...

    def keep(self, name: str) -> None:
        """As it is now is how it is put back under this name. Nobody is connected."""

    def put_back(self, name: str) -> None: ...


@dataclass
class File:
    """SQLite: a file and its copy."""

    path: Path

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    def keep(self, name: str) -> None:
        shutil.copyfile(self.path, self.path.with_suffix(f".{name}"))

    def put_back(self, name: str) -> None:
        for suffix in ("-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        shutil.copyfile(self.path.with_suffix(f".{name}"), self.path)


@dataclass
class Clone:
    """PostgreSQL: a database and its templates, on a server of the matrix's own."""

    server: str
    name: str

    def __post_init__(self) -> None:
        self._do(f"CREATE DATABASE {self.name}")

    @property
    def url(self) -> str:
        return str(make_url(self.server).set(database=self.name))

    def keep(self, name: str) -> None:
        self._do(f"CREATE DATABASE {self.name}_{name} TEMPLATE {self.name} STRATEGY file_copy")

    def put_back(self, name: str) -> None:
        self._do(
            f"DROP DATABASE {self.name} WITH (FORCE)",
            f"CREATE DATABASE {self.name} TEMPLATE {self.name}_{name} STRATEGY file_copy",
        )

    def _do(self, *commands: str) -> None:
        admin = create_engine(self.server, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            for command in commands:
                connection.execute(text(command))
        admin.dispose()


@dataclass(frozen=True, kw_only=True)
class Moment:
    """To which a house can be put back."""

    cookies: Any  #: with which its customer is signed in
    consents: Mapping[str, str]  #: bank → the customer's standing consent there


@dataclass
class House:
    """Everything of one installation that outlives a cell. The runner connects to its database only between forks."""

    engine_name: str
    database: Database
    services: Services
    app: Flask
    clock: Clock
    town: Town
    listener: socket.socket
    passkey: Authenticator = field(init=False)
    biller: BillerMade = field(init=False)
    address: str = ""
    cookies: Any = None
    consents: Mapping[str, str] = field(default_factory=dict)
    #: the payments of the old bills, and what Horizon Bank calls the one there
    old_payments: list[str] = field(default_factory=list)
    old_order: str = ""
    _moments: dict[str, Moment] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.passkey = Authenticator(self.services.settings.base_url)
        upgrade(self.services.engine)
        self.biller = factories.make_biller(self.services)
        hook = f"/{self.engine_name}"
        with self.services.unit_of_work() as uow:
            factories.open_account(uow, biller_id=self.biller.id, iban=UK_IBAN)
            url = f"http://127.0.0.1:{self.town.biller_port}{hook}"
            _, secret = add_endpoint(self.services, uow, biller_id=self.biller.id, url=url)
            uow.commit()
        self.town.trust(hook, secret)
        self.leave_database()

    def connect(self) -> None:
        """The one customer of the house is connected with its biller."""
        with self.services.reading() as uow:
            customer = uow.session.scalars(select(Customer)).one()
        self.address = factories.connect(self.services, customer_id=customer.id, biller_id=self.biller.id)
        self.leave_database()

    def deliver(self, *, number: str, amount: str, bank: str) -> str:
        """The biller delivers a bill for a customer of this bank, and is told that it arrived: the bill's id."""
        currency, iban = ("EUR", self.biller.iban) if bank == HORIZON else ("GBP", UK_IBAN)
        content = json_bill(
            to=self.address,
            number=number,
            amount=amount,
            currency=currency,
            payee={"name": self.biller.name, "iban": iban},
        )
        client = ClientIdentity(client_id=self.biller.client_id, biller_id=self.biller.id)
        done = deliver(self.services, client=client, content=content, media_type="application/json", to=None)
        self.leave_database()
        return done.bill_id

    def keep(self, name: str, moment: Moment) -> None:
        """As everything is now is how it is put back under this name."""
        self.leave_database()
        self._moments[name] = moment
        self.database.keep(name)
        self.town.british.keep(f"{self.engine_name}-{name}")

    def put_back(self, name: str) -> None:
        """Our database and the UK banks' books."""
        moment = self._moments[name]
        self.database.put_back(name)
        self.town.british.put_back(f"{self.engine_name}-{name}")
        self.cookies, self.consents = moment.cookies, moment.consents

    def resolve(self, payment: str) -> None:
        """An operator has it from the bank in writing how a payment ended. That it was not executed is taken only
        later."""
        executed = bool(self.town.british.booked(rules.end_to_end_id(payment)))
        with self.services.unit_of_work() as uow, contextlib.suppress(Conflict):
            resolve(uow, payment_id=payment, executed=executed, because="the bank's own books, by its ledger door")
            uow.commit()
        self.leave_database()

    def leave_database(self) -> None:
        """No connection may be open when a child is forked, nor when the database is put back."""
        self.services.engine.dispose()


def make(
    *, folder: Path, database: Database, engine_name: str, clock: Clock, town: Town, listener: socket.socket, keys: Path
) -> House:
    """Put one together. Its tables are there, its people are not yet."""
    port = listener.getsockname()[1]
    settings = make_settings(
        folder,
        database_url=database.url,
        base_url=f"http://localhost:{port}",
        keys=keys,
        banks=_banks(folder / "banks"),
        port=port,
        bank_port=town.bank_port,
        uk_bank_port=town.british.port,
        biller_port=town.biller_port,
        web_threads=1,
    )
    services = build_services(settings, route=ROUTE, handlers=HANDLERS, clock=clock)
    app = create_app(services)
    for template in app.jinja_env.list_templates(["html"]):
        app.jinja_env.get_template(template)  # read once here, not in each child
    return House(engine_name, database, services, app, clock, town, listener)


def _banks(folder: Path) -> Path:
    """The banks as they are, but that we give customers less time: Horizon Bank is asked to drop orders then."""
    folder.mkdir(exist_ok=True)
    minutes = f"authorisation_minutes = {AUTHORISATION_MINUTES}\npoll_s = {POLL_S}"
    for bank in BANKS:
        profile = (ROOT / "config" / "banks" / f"{bank}.toml").read_text("utf-8")
        profile = re.sub(r"(?m)^authorisation_minutes = \d+$", minutes, profile)
        (folder / f"{bank}.toml").write_text(profile, "utf-8")
    return folder


# ------------------------------------------------------------------------------------------------------- its processes


class _Quiet(WSGIRequestHandler):
    @override
    def log(self, type: str, message: str, *args: Any) -> None:
        """The customer sees what became of a request."""


def serve(house: House, *, failpoint: str | None, hurried: bool, worker_is_quicker: bool) -> Callable[[Any], None]:
    """A web process: the pages, one request after the other.

    Where the worker is to be the one who acts, it is always quicker: the page finds the work taken, as it may any time.
    """
    changes: dict[str, Any] = {}
    if hurried:
        changes["WEB_DEADLINE_S"] = HURRY_S
    if worker_is_quicker:
        changes["run_now"] = lambda services, key, *, deadline_s: False

    def live(line: socket.socket) -> None:
        for name, value in changes.items():
            for door in (decide, redirect, agree, consents, sign_together):
                setattr(door, name, value)
        failpoints.hook = killing(failpoint) if failpoint else None
        _server(house).serve_forever()

    return live


def _server(house: House) -> BaseWSGIServer:
    host, port = house.listener.getsockname()
    return make_server(host, port, house.app, request_handler=_Quiet, fd=house.listener.fileno())


def work(house: House, *, failpoint: str | None, hurried: bool) -> Callable[[socket.socket], None]:
    """A worker: does what is due each time that it is told to, and says what comes next."""

    def live(line: socket.socket) -> None:
        if hurried:
            name = "run_task"
            setattr(worker_module, name, lambda services, claim: run_task(services, claim, deadline_s=HURRY_S))
        failpoints.hook = killing(failpoint) if failpoint else None
        worker = Worker(house.services, Schedule(house.services))
        with line.makefile("rw") as lines:
            for _ in lines:
                lines.write(json.dumps(_worked(house, worker)) + "\n")
                lines.flush()

    return live


def _worked(house: House, worker: Worker) -> dict[str, Any]:
    """All that is due: how many pieces it was, and when the next is."""
    done = worker.run_until_idle()
    with house.services.reading() as uow:
        due = uow.session.scalar(select(func.min(WorkRow.run_at)).where(has_end(house.clock())))
    return {"done": done, "next": due.isoformat() if due else None}


def has_end(now: dt.datetime) -> ColumnElement[bool]:
    """Of a row of work: that it is not the weekly look at a standing consent that stands, which comes for ever."""
    stands = select(literal(work_key("")).concat(Consent.id)).where(
        Consent.kind == "standing", Consent.state.in_(STANDING_USABLE)
    )
    return or_(WorkRow.handler != FOLLOWS, WorkRow.key.not_in(stands), WorkRow.run_at < now + SOON)


class Resident:
    """Both of them in the runner itself, while a house is founded: what it reads and compiles, its children inherit."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._worker = Worker(house.services, Schedule(house.services))
        self._server = _server(house)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    #: nobody dies here
    status = None
    was_killed = False

    def is_gone(self, *, within_s: float = 0.0) -> bool:
        return False

    def ask(self, order: Any) -> Any:
        return _worked(self._house, self._worker)

    def end(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
