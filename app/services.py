"""What the rooms of the journey work with: database, banks, vault and clock. Built once at start."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import Engine

from app.db import work
from app.db.engine import make_engine, make_keys_engine
from app.db.unit_of_work import Route, UnitOfWork
from app.keys.customers import CustomerKeys
from app.keys.installation import Keys
from config.settings import Settings
from connectors.company_register import CompanyRegister, NoRegister, RegisterService
from connectors.payee_name import NobodyToAsk, PayeeNames, VerificationOfPayee
from connectors.registry import Registry
from connectors.web_push import Sender
from consent.private import open_with
from consent.vault import Vault

#: a customer is waiting for the answer
WEB_DEADLINE_S = 10.0
#: nobody is waiting
WORKER_DEADLINE_S = 20.0


def utc_now() -> dt.datetime:
    """The clock service: the only reader of the time outside tests."""
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True, kw_only=True)
class Services:
    """Shared by all threads of a process; holds no state of any request."""

    settings: Settings
    engine: Engine
    banks: Registry
    vault: Vault
    keys: Keys
    customer_keys: CustomerKeys
    clock: Callable[[], dt.datetime]
    route: Route
    handlers: Mapping[str, Handler] = field(repr=False)
    payee_names: PayeeNames = field(default_factory=NobodyToAsk)  #: whom we ask whether a name belongs to an account
    company_register: CompanyRegister = field(default_factory=NoRegister)  #: whom we ask whose a company's number is

    def unit_of_work(self) -> UnitOfWork:
        """A transaction that may write."""
        return UnitOfWork(self.engine, route=self.route, clock=self.clock)

    def reading(self) -> UnitOfWork:
        """A transaction that only reads; on SQLite it waits for no writer."""
        return UnitOfWork(self._reading_engine, route=self.route, clock=self.clock)

    @functools.cached_property
    def web_push(self) -> Sender:
        """We, as the push services of customers' browsers know us."""
        return open_web_push(self.settings, self.keys)

    @functools.cached_property
    def _reading_engine(self) -> Engine:
        """The same engine: to make it anew takes as long as a short query."""
        return self.engine.execution_options(read_only=True)


@dataclass(frozen=True, kw_only=True)
class Task:
    """One piece of claimed work in a handler's hands. The handler ends it inside its last transaction."""

    services: Services
    claim: work.Claim
    deadline_s: float = WORKER_DEADLINE_S

    @property
    def payload(self) -> dict[str, Any]:
        return self.claim.payload

    def hold(self, uow: UnitOfWork) -> None:
        """Still ours, for a whole lease: say so before anything is sent. Raises LostClaim when it is not."""
        work.hold(uow.session, self.claim, clock=self.services.clock)

    def finish(self, uow: UnitOfWork) -> None:
        """Done: the row goes with this transaction. Raises LostClaim when another worker has taken over."""
        work.finish(uow.session, self.claim)

    def finish_if_ours(self, uow: UnitOfWork) -> None:
        """Done, also where another worker has taken over and it may be done already."""
        work.finish_if_ours(uow.session, self.claim)

    def run_again(self, uow: UnitOfWork, *, run_at: dt.datetime) -> None:
        """Not done yet: look again then. Raises LostClaim when another worker has taken over."""
        work.run_again(uow.session, self.claim, run_at=run_at)


class Handler(Protocol):
    """A function of a stage that does one piece of work: safe to run again from the start at any moment."""

    def __call__(self, task: Task, /) -> None: ...


def build_services(
    settings: Settings,
    *,
    route: Route,
    handlers: Mapping[str, Handler],
    clock: Callable[[], dt.datetime] = utc_now,
    banks: Registry | None = None,
) -> Services:
    """Put the parts together. Opens no connection yet."""
    keys = Keys.load(settings.keys)
    vault = Vault(keys.vault, active=keys.vault_active)
    customer_keys = open_customer_keys(settings, vault, clock=clock)
    return Services(
        settings=settings,
        engine=open_with(make_engine(settings.database_url, pool_size=settings.web_threads + 6), customer_keys),
        banks=banks or open_banks(settings, keys, clock),
        vault=vault,
        keys=keys,
        customer_keys=customer_keys,
        clock=clock,
        route=route,
        handlers=handlers,
        payee_names=open_payee_names(settings),
        company_register=open_company_register(settings),
    )


def open_customer_keys(settings: Settings, vault: Vault, *, clock: Callable[[], dt.datetime]) -> CustomerKeys:
    """Where the customers' own keys are. Opens no connection yet."""
    return CustomerKeys(make_keys_engine(settings.customer_keys), vault, clock=clock)


def open_payee_names(settings: Settings) -> PayeeNames:
    """Whom this installation asks, by its settings."""
    if not settings.name_check_url:
        return NobodyToAsk()
    return VerificationOfPayee(settings.name_check_url, allow_http=settings.demo)


def open_company_register(settings: Settings) -> CompanyRegister:
    """The same for the numbers of companies."""
    if not settings.company_register_url:
        return NoRegister()
    return RegisterService(settings.company_register_url, allow_http=settings.demo)


def open_web_push(settings: Settings, keys: Keys) -> Sender:
    """With whom a push service can talk about what we send: where our customers reach a person, or else our address."""
    return Sender(keys.web_push, contact=f"mailto:{settings.help_email}" if settings.help_email else settings.base_url)


def open_banks(
    settings: Settings, keys: Keys, clock: Callable[[], dt.datetime], *, only: str | None = None
) -> Registry:
    """The banks of the installation, by the files in its folder; ``only``: one of them, whatever the others say."""
    return Registry.from_folder(
        settings.banks,
        sandbox_bank_url=settings.sandbox_bank_url,
        sandbox_bank_uk_url=settings.sandbox_bank_uk_url,
        sandbox_bank_stet_url=settings.sandbox_bank_stet_url,
        sandbox_bank_nextgen_url=settings.sandbox_bank_nextgen_url,
        bank_keys=settings.bank_keys,
        only=only,
        client_key=keys.bank_client,
        allow_http=settings.demo,
        clock=clock,
    )
