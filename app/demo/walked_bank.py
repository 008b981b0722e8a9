"""The bank of a walk: where its pages are, who signs in there, and in whose books one looks afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests

from app.demo.browser import Browser
from app.demo.errors import DemoError
from app.demo.loopback import new_session
from app.services import Services
from connectors.registry import UnknownBank

USUAL_BANK = "horizon"
#: of the sandbox bank that needs no keys; the others have one of the name that their keys have
_FOLDER = "sandbox-bank"

_SIGNS = {"EUR": "€", "GBP": "£"}


def grouped(iban: str) -> str:
    return " ".join(iban[index : index + 4] for index in range(0, len(iban), 4))


def in_words(currency: str, amount: str) -> str:
    """As pages in English write it."""
    return f"{_SIGNS[currency]}{amount}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkedBank:
    id: str
    url: str  #: where its pages are
    currency: str
    folder: str  #: of its sandbox, below the data folder
    customer: str  #: who signs in there
    authority: str | None  #: of its certificate; None: it has none
    sign_in_first: bool = False  #: its customers sign in there before a payment is confirmed
    app: str | None = None  #: the page that plays its app, where customers approve in one and stay here

    @classmethod
    def of(cls, services: Services, bank_id: str) -> WalkedBank:
        """Raises DemoError for one that there is not, or that cannot be used."""
        try:
            bank = services.banks.profile(bank_id)
        except UnknownBank:
            there = ", ".join(each.id for each in services.banks.all_banks())
            raise DemoError(f"There is no bank {bank_id}; there are: {there}.") from None
        if not bank.sandbox:
            raise DemoError(f"The bank {bank_id} is a real one: walks are for sandbox banks alone.")
        why = services.banks.why_unusable(bank_id)
        if why is not None:
            raise DemoError(f"The bank {bank_id} cannot be used: {why}.")
        at = urlsplit(bank.issuer)
        return cls(
            id=bank.id,
            url=f"{at.scheme}://{at.netloc}",
            currency=bank.currencies[0],
            folder=bank.keys or _FOLDER,
            customer="camille",
            authority=str(services.settings.bank_keys / bank.keys / "ca.pem") if bank.keys else None,
            sign_in_first=bank.sign_in_first,
            app=f"{bank.issuer}/app" if bank.decoupled else None,
        )

    @property
    def is_uk(self) -> bool:
        return self.currency == "GBP"

    def account(self, iban: str) -> str:
        """The payee's account as the bank knows it: where it has no IBAN, sort code and account number."""
        return iban[8:] if self.is_uk else iban

    def account_in_words(self, iban: str) -> str:
        """As the bank's pages write it."""
        if not self.is_uk:
            return grouped(iban)
        sort_code, number = iban[8:14], iban[14:]
        return f"{sort_code[:2]}-{sort_code[2:4]}-{sort_code[4:]} {number}"

    def credited(self, entry: Mapping[str, Any]) -> Any:
        """The payee's account in an entry of the bank's books."""
        return entry["creditorAccount" if self.is_uk else "creditorIban"]

    def booked(self, browser: Browser, data: Path, **of: str) -> list[dict[str, Any]]:
        """The bank's books of one ``end_to_end_id`` or ``consent_id``; ``browser`` knows the bank's certificate."""
        token = (data / self.folder / "ledger-token").read_text("utf-8").strip()
        path = f"/sandbox/ledger?{urlencode(of)}"
        found: list[dict[str, Any]] = browser.get_json(path, headers={"Authorization": f"Bearer {token}"})["entries"]
        return found

    def session(self) -> requests.Session:
        """A browser that knows the bank's certificate."""
        session = new_session()
        session.verify = self.authority or True
        return session
