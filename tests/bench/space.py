"""``python -m tests.bench.space``: how long the lists take that a customer sees who has been here for ten years, and a
search.

Thirty companies send a bill a month each; nine in ten are paid, with a receipt, and each was told of. Each database
has one such customer, and one besides of whom nothing may be read. What is measured is the whole page, from the request
to the last byte, in this process: with PostgreSQL its server's time is in it. Of each page the median, and that of our
processor's time alone, which says more where others are at work; beside them a page that reads nearly nothing, as a
measure of the machine. All in milliseconds. Writes build/bench.json, and judges nothing.
"""
# ruff: noqa: T201  # its output is for a person

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import gc
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask.testing import FlaskClient
from sqlalchemy import Connection as DatabaseConnection
from sqlalchemy import Engine, insert, text

from app.db.migrate import upgrade
from app.factory import create_app
from app.garbage import keep_what_is_loaded
from app.journey.connections.models import Connection
from app.journey.decisions.models import Decision
from app.journey.invoices.models import Invoice
from app.journey.notices.models import Notice
from app.journey.payments.models import Payment
from app.journey.receipts.models import Receipt
from app.journey.route import HANDLERS, ROUTE
from app.keys.installation import Keys
from app.people.models import Biller, Customer
from app.services import Services, build_services, open_banks, utc_now
from consent.base import Base, hash_of
from consent.private import owning
from tests.bench.read_bills import write
from tests.support import factories
from tests.support.installation import BASE_URL, make_settings
from tests.support.postgres import running_postgres

YEARS, COMPANIES = 10, 30
NAMES = ("Lumen Énergie", "Compagnie des Eaux", "Régie Œuvres")
ROUNDS = 15
#: every list, each in the ways in which it can be had
LISTS = (
    *(
        f"/bills?show={show}&sort={sort}"
        for show in ("all", "to-pay", "paid")
        for sort in ("due", "amount", "company", "mine")
    ),
    "/bills?show=paid&page=32",
    "/receipts",
    "/money",
    "/calendar",
    "/companies",
    "/companies/blr_0/given",
    "/consents",
    "/messages",
    "/papers",
    "/together",
    "/privacy",
    "/privacy/export",
    "/privacy/erase",
    "/security",
    "/stop",
    "/bills/inv_a0000119",
    "/bills/inv_a0000118",
)
#: what the query is like → the query
QUERIES = {
    "a company": "lumen",
    "a letter": "e",
    "an accented word of lines": "énergie",
    "an amount": "84,20",
    "a month": "mars 2026",
    "a company, a month and an amount": "compagnie mars 84",
    "a reference in groups": "RF18 5390 0754 0042",
    "nothing": "zzz",
    "as bad as it can be": " ".join(["1"] * 20),
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.space", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args(arguments).rounds
    logging.disable(logging.WARNING)
    results: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory(prefix="quittance-bench-") as folder, running_postgres() as url:
        for name, database_url in (("sqlite", f"sqlite:///{folder}/bench.sqlite3"), ("postgresql", url)):
            with _installation(Path(folder) / name, database_url) as services:
                customer = _fill(services)
                results[name] = _measure(services, customer, rounds=rounds)
    for name, found in results.items():
        print(f"space: {name}, {YEARS * 12 * COMPANIES:,} bills")
        for what, (median, cpu) in found.items():
            print(f"  {what:<34} {median:7.1f} ms, {cpu:7.1f} ms of our CPU")
    write({"space": results})
    return 0


@contextlib.contextmanager
def _installation(folder: Path, database_url: str) -> Iterator[Services]:
    settings = make_settings(folder, database_url=database_url)
    Keys.init(settings.keys)
    banks = open_banks(settings, Keys.load(settings.keys), utc_now)
    services = build_services(settings, route=ROUTE, handlers=HANDLERS, clock=utc_now, banks=banks)
    upgrade(services.engine)
    yield services
    services.engine.dispose()


def _fill(services: Services) -> Customer:
    """The rows as the journey leaves them, so far as they are read: what else they refer to is not there."""
    customer = factories.make_customer(services)
    stranger = factories.make_customer(services, name="Nele")
    rows: dict[type[Base], list[Mapping[str, Any]]] = {
        each: [] for each in (Biller, Connection, Invoice, Decision, Payment, Receipt, Notice)
    }
    now = utc_now()
    for company in range(COMPANIES):
        name = f"{NAMES[company % len(NAMES)]} {company}"
        biller = {"id": f"blr_{company}", "name": name, "name_key": name, "country": "FR", "state": "vetted"}
        rows[Biller].append({**biller, "vetted_since": now, "sequence": 0, "created_at": now})
        rows[Connection].append(
            {
                "id": f"cnn_{company}", "customer_id": customer.id, "biller_id": f"blr_{company}",
                "address": f"address{company}@quittance.example", "state": "active", "shared_at": now,
                "changed_at": now, "created_at": now,
            }
        )  # fmt: skip
        for month in range(YEARS * 12):
            for whose, to in (("a", customer), ("b", stranger)):
                _add(rows, to, f"{whose}{company:03}{month:04}", name=name, company=company, month=month)
    with _without_references(services.engine) as connection:
        for table, made in rows.items():
            connection.execute(insert(table), [owning(table, row) for row in made])
    return customer


def _add(
    rows: dict[type[Base], list[Mapping[str, Any]]], to: Customer, key: str, *, name: str, company: int, month: int
) -> None:
    day = dt.date(2016 + month // 12, month % 12 + 1, 12)
    at = dt.datetime.combine(day, dt.time(9), dt.UTC)
    minor = 8420 + company * 100 + month
    is_paid = month % 10 != 9
    whose = {"customer_id": to.id, "currency": "EUR", "amount_minor": minor}
    payee = {"payee_name": name, "payee_iban": "FR1420041010050500013M02606", "reference": f"RF18 5390 {key[1:]}"}
    lines = [
        {"description": text, "quantity": "21 m³", "amount_minor": minor // 3, "vat_rate": "20"}
        for text in ("Consommation d’énergie, heures pleines", "Abonnement mensuel", f"Relevé du compteur {key}")
    ]
    rows[Invoice].append(
        {
            **whose, **payee, "id": f"inv_{key}", "bill_id": f"bill_{key}", "biller_id": f"blr_{company}",
            "number": f"FA-{day:%Y-%m}-{key}", "state": "paid" if is_paid else "to_pay", "credited_minor": 0,
            "paid_minor": minor if is_paid else 0, "discount_minor": 0, "issued_on": day,
            "due_on": day + dt.timedelta(days=20), "means": "credit_transfer", "means_details": {},
            "number_letters": "", "reference_letters": "", "order_reference": f"CMD {key}", "lines": lines,
            "note": "Merci de votre confiance. Une question ? Appelez le service des clients.", "received_at": at,
            "opened_at": at, "seen_at": at,
        }
    )  # fmt: skip
    rows[Notice].append(
        {
            "id": f"ntc_{key}", "customer_id": to.id, "event_id": f"evt_{key}", "kind": "new_bill", "locale": "fr",
            "state": "sent", "tries": 1, "created_at": at, "begun_at": at, "ended_at": at,
        }
    )  # fmt: skip
    if not is_paid:
        return
    of_bill = {**whose, "invoice_id": f"inv_{key}", "bank_id": "horizon", "consent_id": f"con_{key}"}
    rows[Decision].append(
        {
            **of_bill, **payee, "id": f"dec_{key}", "payment_id": f"pay_{key}", "verb": "pay_now", "discount_minor": 0,
            "credited_minor": 0, "pay_on": day, "evidence": {}, "psu": {}, "decided_at": at,
        }
    )  # fmt: skip
    rows[Payment].append(
        {
            **of_bill, "id": f"pay_{key}", "decision_id": f"dec_{key}", "biller_id": f"blr_{company}",
            "submitted_apart": False, "bank_payment_id": f"b-{key}", "end_to_end_id": f"QT{hash_of(key)[:30]}",
            "state": "settled", "fact": "debited", "created_at": at, "updated_at": at, "settled_at": at,
            "promises_broken": 0, "sequence": 1,
        }
    )  # fmt: skip
    rows[Receipt].append(
        {
            "id": f"rcp_{key}", "payment_id": f"pay_{key}", "customer_id": to.id, "number": f"Q-{day.year}-{key}",
            "fact": "debited", "issued_at": at,
        }
    )  # fmt: skip


@contextlib.contextmanager
def _without_references(engine: Engine) -> Iterator[DatabaseConnection]:
    off, on = {
        "sqlite": ("PRAGMA foreign_keys = OFF", "PRAGMA foreign_keys = ON"),
        "postgresql": ("SET session_replication_role = replica", "SET session_replication_role = DEFAULT"),
    }[engine.dialect.name]
    with engine.connect() as connection:
        connection.connection.cursor().execute(off)  # SQLite hears it outside of a transaction alone
        yield connection
        connection.execute(text("ANALYZE"))
        connection.commit()
        connection.connection.cursor().execute(on)


def _measure(services: Services, customer: Customer, *, rounds: int) -> dict[str, list[float]]:
    client = create_app(services).test_client()
    token = factories.sign_in(services, customer)
    gc.collect()
    keep_what_is_loaded()  # as the server's process does
    client.set_cookie("__Host-session-8000", token, domain="localhost", secure=True)
    searches = {f"search: {what}": f"/search?q={quote(query)}" for what, query in QUERIES.items()}
    pages = {**{path: path for path in LISTS}, **searches, "a bare page": "/help"}
    return {what: _times(client, path, rounds) for what, path in pages.items()}


def _times(client: FlaskClient, path: str, rounds: int) -> list[float]:
    took, cpu = [], []
    for _ in range(rounds + 1):  # the first one fills caches
        begun, cpu_begun = time.perf_counter(), time.process_time()
        answer = client.get(path, base_url=BASE_URL)
        cpu.append((time.process_time() - cpu_begun) * 1e3)
        took.append((time.perf_counter() - begun) * 1e3)
        assert answer.status_code == 200, (path, answer.status_code)
    return [round(statistics.median(each[1:]), 1) for each in (took, cpu)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
