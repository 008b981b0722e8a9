"""Puts the cast into the database: customers, vetted billers, their programs, webhooks and connections.

It may run at every start: what is there is found again. What the demo biller must know (ids, addresses, secrets of
webhooks, its private keys) goes into its folder, as a real biller would keep it at home.
"""

from __future__ import annotations

import base64
import datetime as dt
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey
from sqlalchemy import select

from app.db.unit_of_work import UnitOfWork
from app.demo import files
from app.demo.biller_files import BILLERS_FILE, private_key
from app.demo.cast import COMPANIES, CONNECTIONS, OPERATORS, PEOPLE, Company, Person
from app.journey.answers.read import policy_for_biller
from app.journey.answers.rules import Policy
from app.journey.answers.service import publish_policy
from app.journey.connections.service import connect
from app.journey.notices import service as notices
from app.journey.notices.kinds import CHOICES
from app.journey.webhooks.models import WebhookEndpoint
from app.journey.webhooks.service import add_endpoint, secret_row
from app.people import accounts, safe_words, vetting
from app.people.billers import add_biller
from app.people.clients import SCOPES, add_client, client_of
from app.people.customers import add_customer
from app.people.identifiers import Scheme, whole
from app.people.mailboxes import customers_with_address
from app.people.models import Biller, PayeeAccount
from app.services import Services
from connectors.company_register import CompanyRegister, Found, RegisterAnswer
from connectors.http import Deadline
from connectors.payee_name import NOT_POSSIBLE

#: of every company: two weeks more, or three parts within two months, are given at once, and all else is replied to
#: within five days
POLICY = Policy(more_time_days=14, answer_days=5, instalments_most=3, instalments_days=62)
#: for the register beside the sandbox bank, which starts meanwhile; and between two questions
REGISTER_S, PAUSE_S = 20, 0.1


def seed(services: Services, folder: Path) -> None:
    """Make the cast, or find it. Raises what the verbs of app.people raise."""
    known = files.read_json(folder / BILLERS_FILE) or {}
    said = _said_by_register(services)
    with services.unit_of_work() as uow:
        customers = {person.key: _customer(services, uow, person) for person in PEOPLE}
        told = {
            company.slug: _biller(
                services, uow, company, folder, known=known.get(company.slug, {}), said=said.get(company.slug, {})
            )
            for company in COMPANIES
        }
        for key, slugs in CONNECTIONS.items():
            for slug in slugs:
                told[slug]["addresses"][key] = connect(
                    uow,
                    customer_id=customers[key],
                    biller_id=told[slug]["biller_id"],
                    space_domain=services.settings.space_domain,
                )
        uow.commit()
    if told != known:
        files.write_json(folder / BILLERS_FILE, told)


def _customer(services: Services, uow: UnitOfWork, person: Person) -> str:
    """Told of everything, so that there is something to see under Messages; in the demo no e-mail leaves."""
    found = [known for known in customers_with_address(uow.session, person.email) if known.demo]
    if found:
        return found[0].id
    customer = add_customer(
        uow, name=person.name, email=person.email, locale=person.locale, time_zone=person.time_zone, demo=True
    )
    safe_words.words_of(services.vault, uow, customer)
    notices.choose(uow, customer_id=customer.id, kinds=CHOICES)
    return customer.id


def _biller(
    services: Services,
    uow: UnitOfWork,
    company: Company,
    folder: Path,
    *,
    known: dict[str, Any],
    said: Mapping[str, RegisterAnswer],
) -> dict[str, Any]:
    biller_id = uow.session.scalar(select(Biller.id).where(Biller.vat_id == company.vat_id))
    if biller_id is None:
        biller_id = _vetted(uow, company, said)
    if policy_for_biller(uow.session, biller_id=biller_id).published_at is None:
        publish_policy(uow, biller_id=biller_id, policy=POLICY)
    endpoint_id, secret = _endpoint(services, uow, biller_id=biller_id, slug=company.slug, known=known)
    return {
        "biller_id": biller_id,
        "client_id": _client(uow, biller_id=biller_id, key=private_key(folder, company.slug), known=known),
        "endpoint_id": endpoint_id,
        "webhook_secret": secret,
        "addresses": {},
    }


def _said_by_register(services: Services) -> dict[str, dict[str, RegisterAnswer]]:
    """By company that is not here yet, and scheme: what the register beside the sandbox bank says of its numbers. The
    bank may be starting still."""
    with services.reading() as uow:
        here = set(uow.session.scalars(select(Biller.vat_id)))
    patience = Deadline(REGISTER_S)
    return {
        company.slug: {
            scheme: _asked(services.company_register, scheme, value, patience)
            for scheme, value in whole([(Scheme.VAT, company.vat_id)]).items()
        }
        for company in COMPANIES
        if company.vat_id not in here
    }


def _asked(register: CompanyRegister, scheme: Scheme, value: str, patience: Deadline) -> RegisterAnswer:
    while True:
        answer = register.look_up(scheme=scheme, value=value, timeout_s=1)
        if answer.outcome is not Found.NOT_POSSIBLE or not register.is_offered or not patience.left_s():
            return answer
        time.sleep(PAUSE_S)


def _vetted(uow: UnitOfWork, company: Company, said: Mapping[str, RegisterAnswer]) -> str:
    """The company and its account, approved by two operators of the cast, and open at once."""
    proposer, other = OPERATORS
    numbers = [(Scheme.VAT, company.vat_id)]
    biller = add_biller(
        uow, name=company.name, country=company.country, identifiers=numbers, ibans=[company.iban], by=proposer
    )
    account_id = uow.session.scalars(select(PayeeAccount.id).where(PayeeAccount.biller_id == biller.id)).one()
    accounts.note_check(uow, account_id=account_id, answer=NOT_POSSIBLE, by=proposer)  # its bank is not of this world
    vetting.note_answers(uow, biller_id=biller.id, answers=said, by=proposer)
    for operator in (proposer, other):
        vetting.approve(uow, biller_id=biller.id, by=operator, bank_names=())
        accounts.approve(uow, account_id=account_id, holder=company.name, by=operator, wait=dt.timedelta())
    return biller.id


def _client(uow: UnitOfWork, *, biller_id: str, key: dict[str, Any], known: dict[str, Any]) -> str:
    """The program that this folder has the key of. A database that does not know it gets it anew."""
    client = client_of(uow.session, known.get("client_id", ""))
    if client is not None and client.biller_id == biller_id:
        client.scope = " ".join(SCOPES)  # one of an older release may lack what came later
        return client.client_id
    public = ECKey.import_key(key).as_dict(private=False)
    return add_client(uow, biller_id=biller_id, jwks={"keys": [public]}, scope=" ".join(SCOPES))


def _endpoint(
    services: Services, uow: UnitOfWork, *, biller_id: str, slug: str, known: dict[str, Any]
) -> tuple[str, str]:
    """Where the demo biller listens. Its port may change from start to start; its secret stays."""
    url = f"http://127.0.0.1:{services.settings.biller_port}/webhooks/{slug}"
    there = uow.session.scalar(
        select(WebhookEndpoint).where(WebhookEndpoint.biller_id == biller_id, WebhookEndpoint.url == url)
    )
    ours = uow.session.get(WebhookEndpoint, known.get("endpoint_id", ""))
    if ours is not None and there is None:
        ours.url = url
        there = ours
    if there is None:
        return add_endpoint(services, uow, biller_id=biller_id, url=url)
    if there is ours:
        return there.id, str(known["webhook_secret"])
    # another data folder, the same database and port: its secret is lost to us, so there is a new one
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    services.vault.put(uow.session, secret_row(there.id), secret, now=uow.now)
    return there.id, secret
