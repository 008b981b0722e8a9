"""The bank of a walk: where its pages are, who signs in there, and in whose books one looks afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

import requests

from app.demo.errors import DemoError
from app.demo.loopback import new_session
from app.services import Services
from connectors.registry import UnknownBank

USUAL_BANK = "horizon"


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkedBank:
    id: str
    url: str  #: where its pages are
    currency: str
    folder: str  #: of its sandbox, below the data folder
    customer: str  #: who signs in there
    authority: str | None  #: of its certificate; None: it has none

    @classmethod
    def of(cls, services: Services, bank_id: str) -> WalkedBank:
        """Raises DemoError for one that there is not, or that cannot be used."""
        try:
            bank = services.banks.profile(bank_id)
        except UnknownBank:
            there = ", ".join(each.id for each in services.banks.all_banks())
            raise DemoError(f"There is no bank {bank_id}; there are: {there}.") from None
        why = services.banks.why_unusable(bank_id)
        if why is not None:
            raise DemoError(f"The bank {bank_id} cannot be used: {why}.")
        at = urlsplit(bank.issuer)
        is_uk = bank.standard == "openbanking_uk"
        return cls(
            id=bank.id,
            url=f"{at.scheme}://{at.netloc}",
            currency=bank.currencies[0],
            folder="sandbox-bank-uk" if is_uk else "sandbox-bank",
            customer="camille",
            authority=str(services.settings.bank_keys / bank.keys / "ca.pem") if bank.keys else None,
        )

    def session(self) -> requests.Session:
        """A browser that knows the bank's certificate."""
        session = new_session()
        session.verify = self.authority or True
        return session
