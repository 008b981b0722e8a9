"""People and bills for tests, made through the same verbs that the service uses."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import dataclass
from typing import Any

from joserfc.jwk import ECKey, KeySet

from app.audit import entries
from app.audit.kinds import Kind
from app.db.unit_of_work import UnitOfWork
from app.journey.connections import service as connections
from app.people import accounts, clients, customers, sessions
from app.people.models import Biller, Customer, PayeeAccount
from app.people.sessions import SignedIn
from app.services import Services
from connectors.payee_name import NOT_POSSIBLE
from consent.base import new_id

_numbers = itertools.count(1)

OPERATORS = ("ada", "grace")
IBANS = ("FR1420041010050500013M02606", "DE89370400440532013000", "NL91ABNA0417164300", "BE68539007547034")


@dataclass(frozen=True, slots=True)
class BillerMade:
    """A vetted biller with one program that may do everything a biller can."""

    id: str
    name: str
    vat_id: str
    iban: str
    client_id: str
    private_jwk: dict[str, Any]


def make_customer(
    services: Services, *, name: str = "Camille Laurent", locale: str = "en", demo: bool = False
) -> Customer:
    with services.unit_of_work() as uow:
        customer = customers.add_customer(
            uow,
            name=name,
            email=f"c{next(_numbers)}@example.org",
            locale=locale,
            time_zone="Europe/Paris",
            demo=demo,
        )
        uow.commit()
        return customer


def make_biller(
    services: Services,
    *,
    name: str = "Lumen Énergie",
    scope: str = "bills:write bills:read payments:read connections:read connections:write",
    iban: str | None = None,
) -> BillerMade:
    number = next(_numbers)
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)
    iban = iban or IBANS[number % len(IBANS)]
    vat_id = f"FR{number:011d}"
    with services.unit_of_work() as uow:
        biller = Biller(id=new_id("blr"), name=name, vat_id=vat_id, country="FR", created_at=uow.now)
        uow.session.add(biller)
        entries.write(uow, Kind.BILLER_REGISTERED, biller)
        uow.session.flush()
        open_account(uow, biller_id=biller.id, iban=iban, holder=name[:70])
        public = KeySet([ECKey.import_key(key.as_dict(private=False))]).as_dict(private=False)
        client_id = clients.add_client(uow, biller_id=biller.id, jwks=public, scope=scope)
        uow.commit()
    return BillerMade(biller.id, name, vat_id, iban, client_id, dict(key.as_dict(private=True)))


def open_account(uow: UnitOfWork, *, biller_id: str, iban: str, holder: str | None = None) -> PayeeAccount:
    """An account that two operators approved, open at once."""
    account = accounts.propose(uow, biller_id=biller_id, iban=iban, holder=holder, by=OPERATORS[0])
    accounts.note_check(uow, account_id=account.id, answer=NOT_POSSIBLE, by=OPERATORS[0])
    for operator in OPERATORS:
        accounts.approve(uow, account_id=account.id, holder=account.holder, by=operator, wait=dt.timedelta())
    return account


def connect(services: Services, *, customer_id: str, biller_id: str) -> str:
    """Returns the space address that this biller delivers to."""
    with services.unit_of_work() as uow:
        address = connections.connect(
            uow, customer_id=customer_id, biller_id=biller_id, space_domain=services.settings.space_domain
        )
        uow.commit()
        return address


def sign_in(services: Services, customer: Customer, *, read_only: bool = False) -> str:
    """Returns the value of the session cookie."""
    with services.unit_of_work() as uow:
        token = sessions.open_session(
            uow, customer_id=customer.id, user_agent="test", read_only=read_only, replaces=None
        )
        uow.commit()
        return token


def signed_in(customer: Customer, *, read_only: bool = False) -> SignedIn:
    return SignedIn(customer, "ses_test", read_only)
