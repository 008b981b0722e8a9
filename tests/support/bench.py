"""A connector in front of the sandbox bank, in one process: what the tests of every standard stand on."""

from __future__ import annotations

import contextlib
import secrets
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from flask import Flask

from connectors.contract import (
    BankRequest,
    BankStatus,
    Cancels,
    Connector,
    Fact,
    PaymentOrder,
    PsuContext,
    ScaOAuth,
    Staged,
)
from connectors.http import BankSession
from connectors.money import Money
from connectors.registry import Registry
from connectors.sandbox_bank.app import create_bank
from connectors.sandbox_bank.context import EXTENSION as BANK
from connectors.sandbox_bank.settings import BankSettings
from connectors.security import pkce
from tests.support import sandbox_tpp
from tests.support.sandbox_tpp import Clock, InProcess, Person
from tests.support.wsgi_adapter import WSGIAdapter

BANKS = Path(__file__).resolve().parents[2] / "config" / "banks"
BANK_URL = "http://127.0.0.1:8001"
RETURN = "http://localhost:8000/banks/sandbox/return/one"
PSU = PsuContext(ip_address="192.0.2.7", user_agent="Firefox/140")
SANDBOXES = [path.stem for path in sorted(BANKS.glob("*.toml")) if "{sandbox_bank_url}" in path.read_text("utf-8")]


def cancels(connector: Connector) -> Cancels:
    """The same, of a standard that takes orders back."""
    assert isinstance(connector, Cancels)
    return connector


def sca_of(staged: Staged) -> ScaOAuth:
    """Where to approve it, of a bank that says so."""
    assert staged.sca is not None
    return staged.sca


def hang(_: float) -> None:
    raise TimeoutError


@dataclass(kw_only=True)
class Bench:
    """A connector, the bank that it speaks to, and a customer of that bank."""

    connector: Connector
    bank: Flask
    adapter: WSGIAdapter
    clock: Clock
    new_bank: Callable[[], Flask]

    def order(self, amount: str = "84.20") -> PaymentOrder:
        return PaymentOrder(
            amount=Money.parse(amount, "EUR"),
            creditor_name="Régie des Eaux",
            creditor_iban="DE02100100109307118603",
            end_to_end_id=f"QUI-{secrets.token_hex(12)}",
            remittance_unstructured="Facture 2026-118",
        )

    def draft(self, amount: str = "84.20") -> BankRequest:
        return self.connector.draft(self.order(amount), request_id=str(uuid.uuid4()), redirect_uri=RETURN)

    def staged(self, amount: str = "84.20") -> Staged:
        return self.connector.initiate(self.draft(amount), psu=PSU, timeout_s=5)

    def url(self, staged: Staged, *, verifier: str) -> str:
        return self.connector.authorise_url(
            sca_of(staged),
            redirect_uri=RETURN,
            state="our-state",
            nonce="our-nonce",
            code_challenge=pkce.challenge(verifier),
            timeout_s=5,
        )

    def approved(self, amount: str = "84.20") -> tuple[Staged, str, str]:
        """(staged, code, verifier) after the customer said yes at the bank."""
        staged, verifier = self.staged(amount), pkce.new_verifier()
        person = Person(transport=InProcess(self.bank), base_url=BANK_URL)
        answer = person.approve(self.url(staged, verifier=verifier))
        assert (answer["state"], answer["iss"]) == ("our-state", sca_of(staged).issuer)
        return staged, answer["code"], verifier

    def complete(self, staged: Staged, code: str, verifier: str) -> str:
        authorised = self.connector.complete(
            sca_of(staged),
            answer={"code": code},
            code_verifier=verifier,
            redirect_uri=RETURN,
            state="our-state",
            nonce="our-nonce",
            timeout_s=5,
        )
        assert authorised.access_token is not None
        return authorised.access_token

    def status(self, staged: Staged, access_token: str | None = None) -> BankStatus:
        return self.connector.status(staged.consent_id, access_token=access_token, timeout_s=5)

    def fact(self, staged: Staged) -> Fact:
        return self.status(staged).fact


@contextlib.contextmanager
def open_bench(bank_id: str, folder: Path) -> Iterator[Bench]:
    """``bank_id``: a sandbox bank of config/banks. ``folder``: for the bank's files."""
    key, clock = sandbox_tpp.new_key(), Clock()
    opened: list[Flask] = []

    def new_bank() -> Flask:
        app = create_bank(
            BankSettings(
                base_url=BANK_URL,
                database=folder / f"{secrets.token_hex(4)}.sqlite3",
                ledger_token="ledger",
                tpps={"quittance": sandbox_tpp.jwks_of(key)},
                clock=clock,
                sleep=hang,
            )
        )
        app.testing = True
        opened.append(app)
        return app

    bank = new_bank()
    adapter = WSGIAdapter(bank)

    def session(_: object) -> BankSession:
        made = BankSession(allow_http=True)
        made.mount(BANK_URL, adapter)
        return made

    registry = Registry.from_folder(
        BANKS,
        sandbox_bank_url=BANK_URL,
        client_key=key.as_dict(private=True),
        allow_http=True,
        session_factory=session,
        clock=clock,
    )
    connector = registry.connector(bank_id)
    yield Bench(connector=connector, bank=bank, adapter=adapter, clock=clock, new_bank=new_bank)
    for app in opened:
        app.extensions[BANK].store.close()
