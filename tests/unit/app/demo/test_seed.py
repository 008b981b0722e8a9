"""Seeding may run at every start."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from flask import Flask
from sqlalchemy import func, select

from app.demo import files
from app.demo.biller_files import BILLERS_FILE
from app.demo.seed import seed
from app.journey.answers.models import AnswerPolicy
from app.journey.connections.models import Connection
from app.journey.webhooks.models import WebhookEndpoint
from app.journey.webhooks.service import secret_row
from app.people.models import ApiClient, Biller, BillerHistory, BillerIdentifier, Customer, PayeeAccount
from app.services import Services
from connectors.company_register import NOT_POSSIBLE, Found, RegisterAnswer
from connectors.sandbox_bank import company_register

TABLES = (Customer, Biller, PayeeAccount, ApiClient, Connection, WebhookEndpoint, AnswerPolicy)


def counts(services: Services) -> list[int | None]:
    with services.reading() as uow:
        return [uow.session.scalar(select(func.count()).select_from(table)) for table in TABLES]


def secret_of(services: Services, endpoint_id: str) -> str:
    with services.reading() as uow:
        return services.vault.get(uow.session, secret_row(endpoint_id))


def test_makes_the_cast_once(services: Services, tmp_path: Path) -> None:
    seed(services, tmp_path)
    told = files.read_json(tmp_path / BILLERS_FILE)
    assert counts(services) == [3, 5, 5, 5, 7, 5, 5]
    seed(services, tmp_path)
    assert counts(services) == [3, 5, 5, 5, 7, 5, 5]
    assert files.read_json(tmp_path / BILLERS_FILE) == told


def test_the_companies_are_vetted_by_what_the_register_says(services: Services, tmp_path: Path) -> None:
    """Which is that of the demo: it knows each of their numbers, and comes up while they are written down."""
    register = Flask("register")
    register.register_blueprint(company_register.blueprint)
    asked: list[str] = []

    class Starting:
        is_offered = True

        def look_up(self, *, scheme: str, value: str, timeout_s: float) -> RegisterAnswer:
            asked.append(value)
            if len(asked) == 1:
                return NOT_POSSIBLE
            said = (
                register.test_client().post(company_register.PATH, json={"scheme": scheme, "value": value}).get_json()
            )
            return RegisterAnswer(Found(said["status"]), said.get("legalName"))

    seed(dataclasses.replace(services, company_register=Starting()), tmp_path)
    with services.reading() as uow:
        found = uow.session.execute(select(BillerIdentifier.scheme, BillerIdentifier.outcome)).all()
        states = set(uow.session.scalars(select(Biller.state)))
        doubted = uow.session.scalars(select(BillerHistory.sequence).where(BillerHistory.doubted)).all()
    assert sorted(tuple(each) for each in found) == [("siren", "active")] * 2 + [("vat", "active")] * 5
    assert (states, doubted) == ({"vetted"}, [])
    before = len(asked)
    seed(dataclasses.replace(services, company_register=Starting()), tmp_path)
    assert len(asked) == before


def test_tells_the_biller_the_secrets_that_sign_its_webhooks(services: Services, tmp_path: Path) -> None:
    seed(services, tmp_path)
    for known in files.read_json(tmp_path / BILLERS_FILE).values():
        assert secret_of(services, known["endpoint_id"]) == known["webhook_secret"]
        assert all(address.endswith("@space.quittance.example") for address in known["addresses"].values())


def test_the_bill_customers_are_demo_customers(services: Services, tmp_path: Path) -> None:
    seed(services, tmp_path)
    with services.reading() as uow:
        found = uow.session.execute(select(Customer.name, Customer.locale, Customer.demo).order_by(Customer.name)).all()
    assert [tuple(row) for row in found] == [
        ("Camille Laurent", "fr", True),
        ("Jonas Weber", "en", True),
        ("Rowan Ellis", "en", True),
    ]


def test_another_port_moves_the_webhooks_and_keeps_their_secrets(services: Services, tmp_path: Path) -> None:
    seed(services, tmp_path)
    told = files.read_json(tmp_path / BILLERS_FILE)
    moved = dataclasses.replace(services, settings=dataclasses.replace(services.settings, biller_port=9999))
    seed(moved, tmp_path)
    assert files.read_json(tmp_path / BILLERS_FILE) == told
    with services.reading() as uow:
        urls = uow.session.scalars(select(WebhookEndpoint.url)).all()
    assert all(url.startswith("http://127.0.0.1:9999/webhooks/") for url in urls)


def test_another_folder_on_the_same_database_gets_programs_and_secrets_of_its_own(
    services: Services, tmp_path: Path
) -> None:
    seed(services, tmp_path / "first")
    seed(services, tmp_path / "second")
    assert counts(services) == [3, 5, 5, 10, 7, 5, 5]
    for known in files.read_json(tmp_path / "second" / BILLERS_FILE).values():
        assert secret_of(services, known["endpoint_id"]) == known["webhook_secret"]
