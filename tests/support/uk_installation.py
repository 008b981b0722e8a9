"""Our service and the UK sandbox banks in one process: a customer pays a bill in pounds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Flask
from typing_extensions import override

from app.journey.intake.service import Acknowledgement
from app.journey.route import HANDLERS, ROUTE
from app.keys.installation import Keys
from app.services import Services, build_services
from config.settings import Settings
from connectors.http import BankSession
from connectors.registry import Registry
from tests.support import factories
from tests.support.installation import Time
from tests.support.journey import Journey
from tests.support.uk_tpp import BASE_URL
from tests.support.uk_wire import InProcess, UkPerson
from tests.support.wsgi_adapter import WSGIAdapter

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

IBAN = "GB29NWBK60161331926819"


def uk_wire(bank: Flask, folder: Path) -> WSGIAdapter:
    """What stands between us and the banks. ``folder``: the authority's files, with our certificate."""
    der = x509.load_pem_x509_certificate((folder / "client.pem").read_bytes()).public_bytes(Encoding.DER)
    served: WSGIApplication = bank

    def shown(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return served({**environ, "sandbox.client_certificate": der}, start_response)

    return WSGIAdapter(shown)


def make_uk_services(settings: Settings, keys: Keys, wire: WSGIAdapter, folder: Path, *, clock: Time) -> Services:
    """``folder`` has the name that the banks' files give to our keys. Who makes them disposes of their engine."""

    def session(_: object) -> BankSession:
        made = BankSession()
        made.mount(BASE_URL, wire)
        return made

    banks = Registry.from_folder(
        settings.banks,
        sandbox_bank_url=settings.sandbox_bank_url,
        sandbox_bank_uk_url=BASE_URL,
        bank_keys=folder.parent,
        client_key=keys.bank_client,
        allow_http=True,
        session_factory=session,
        clock=clock,
    )
    return build_services(settings, route=ROUTE, handlers=HANDLERS, clock=clock, banks=banks)


@dataclass
class UkJourney(Journey):
    """At a bank whose answer comes back in the query, so that no script is needed."""

    bank_id: str = "mersey"

    def __post_init__(self) -> None:
        """The biller has an account in the UK, too."""
        with self.services.unit_of_work() as uow:
            factories.open_account(uow, biller_id=self.biller.id, iban=IBAN)
            uow.commit()

    @override
    def deliver(self, **changes: Any) -> Acknowledgement:
        payee = {"name": self.biller.name, "iban": IBAN}
        return super().deliver(**{"payee": payee, "currency": "GBP", **changes})

    @override
    def at_bank(self, url: str, *, decision: str = "approve", account: str = "camille-current") -> str:
        return UkPerson(transport=InProcess(self.bank)).approve(url, decision=decision, account=account)
