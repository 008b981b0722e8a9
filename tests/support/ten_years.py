"""The space of a customer who has been here for ten years: thirty companies sent a bill a month each, and those of the
last three months were told of. All are paid, with a receipt, but half of those of the last two months.

Rows as the journey leaves them, so far as pages read them: what else they refer to is not there, and nothing may be
done in this space but reading.
"""

from __future__ import annotations

import collections
import contextlib
import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection as DatabaseConnection
from sqlalchemy import Engine, insert, text

from app.db.events import EventRow
from app.journey.connections.models import Connection
from app.journey.decisions.models import Decision
from app.journey.invoices.models import Invoice
from app.journey.notices.models import Notice, SpaceNotice
from app.journey.notices.service import KEPT
from app.journey.outlook.models import Outlook, Payday
from app.journey.payments.models import Payment
from app.journey.receipts.models import Receipt
from app.people.models import Biller, Customer, PayeeAccount
from app.services import Services, utc_now
from consent.base import Base, hash_of
from consent.private import owning
from tests.support import factories

YEARS, COMPANIES = 10, 30
IBAN = "FR1420041010050500013M02606"
#: "compagnie" begins ten of them
NAMES = (
    *(
        "Lumen Énergie",
        "Régie Œuvres",
        "Fibre du Midi",
        "Mutuelle Saint-Paul",
        "Assurances Le Phare",
        "Musique Sans Fin",
    ),
    *("Tramways de la Baie", "Collège Jean-Zay", "Pension du Parc", "Cabinet Aubert", "Journal du Soir", "Optique Noé"),
    *("Garage Ferrand", "Piscine des Dunes", "Crèche Les Loupiots", "Serrurerie Blanc", "Caves Roussel", "Taxis Azur"),
    *("Clinique du Lac", "Syndic Dupré"),
    *(f"Compagnie {name}" for name in ("des Eaux", "du Gaz", "du Bois", "des Bacs", "du Rail", "des Ports", "du Thé")),
    *(f"Compagnie {name}" for name in ("des Docks", "des Salines", "du Câble")),
)
#: every list, each in the ways in which it can be had, and two bills
LISTS = (
    *(
        f"/bills?show={show}&sort={sort}"
        for show in ("all", "to-pay", "paid")
        for sort in ("due", "amount", "company", "mine")
    ),
    "/bills?show=paid&page=32",
    "/receipts",
    "/receipts?year=2020",
    "/receipts?page=18",
    "/money",
    "/calendar",
    "/companies",
    "/companies/blr_0/given",
    "/consents",
    "/messages",
    "/notices",
    "/papers",
    "/together",
    "/privacy",
    "/privacy/export",
    "/privacy/erase",
    "/security",
    "/stop",
    "/bills/inv_a0119000",
    "/bills/inv_a0119001",
)


def fill(services: Services) -> Customer:
    """Returns the customer. There is another one besides, of whose as many bills nothing may be read."""
    customer = factories.make_customer(services)
    stranger = factories.make_customer(services, name="Nele")
    rows: dict[type[Base], list[Mapping[str, Any]]] = collections.defaultdict(list)
    now = utc_now()
    newest = now.year * 12 + now.month - 2  # the month that is over
    for company in range(COMPANIES):
        name = NAMES[company]
        biller = {"id": f"blr_{company}", "name": name, "name_key": name, "country": "FR", "state": "vetted"}
        rows[Biller].append({**biller, "vetted_since": now, "sequence": 0, "created_at": now})
        rows[PayeeAccount].append(
            {
                "id": f"acc_{company}", "biller_id": f"blr_{company}", "iban": IBAN, "holder": name,
                "state": "approved", "active_from": now, "sequence": 0, "created_at": now,
            }
        )  # fmt: skip
        rows[Connection].append(
            {
                "id": f"cnn_{company}", "customer_id": customer.id, "biller_id": f"blr_{company}",
                "address": f"address{company}@quittance.example", "state": "active", "shared_at": now,
                "changed_at": now, "created_at": now,
            }
        )  # fmt: skip
        for month in range(YEARS * 12):
            for whose, to in (("a", customer), ("b", stranger)):
                is_paid = month > 1 or company % 2 == 0
                _add(
                    rows,
                    to,
                    f"{whose}{YEARS * 12 - 1 - month:04}{company:03}",
                    name=name,
                    company=company,
                    month=newest - month,
                    is_paid=is_paid,
                )
    of_customer = {"customer_id": customer.id, "currency": "EUR"}
    rows[Outlook].append(
        {**of_customer, "balance_minor": 240_000, "balance_on": now.date(), "floor_minor": 20_000, "updated_at": now}
    )
    rows[Payday].append(
        {
            "id": "pdy_1", "customer_id": customer.id, "name": "Salaire", "amount_minor": 265_000, "every": "month",
            "next_on": now.date() + dt.timedelta(days=9), "created_at": now,
        }
    )  # fmt: skip
    with _without_references(services.engine) as connection:
        for table, made in rows.items():
            connection.execute(insert(table), [owning(table, row) for row in made])
    return customer


def _add(
    rows: dict[type[Base], list[Mapping[str, Any]]],
    to: Customer,
    key: str,
    *,
    name: str,
    company: int,
    month: int,
    is_paid: bool,
) -> None:
    day = dt.date(month // 12, month % 12 + 1, 1 + company * 27 // (COMPANIES - 1))
    at = dt.datetime.combine(day, dt.time(9), dt.UTC)
    minor = (company * 7 + 2) * 421 + month % 12 * 53
    whose = {"customer_id": to.id, "currency": "EUR", "amount_minor": minor}
    payee = {"payee_name": name, "payee_iban": IBAN, "reference": f"RF18 5390 {key[1:]}"}
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
    if dt.datetime.now(dt.UTC) - at < KEPT:
        told = {"customer_id": to.id, "event_id": f"evt_{key}", "kind": "new_bill", "created_at": at}
        sent = {"locale": "fr", "state": "sent", "tries": 1, "begun_at": at, "ended_at": at}
        rows[EventRow].append(
            {
                "id": told["event_id"],
                "kind": "bill.received",
                "payload": {"invoice_id": f"inv_{key}"},
                "recorded_at": at,
            }
        )
        rows[Notice].append({"id": f"ntc_{key}", **told, **sent})
        rows[SpaceNotice].append({"id": f"ntc_{key}", **told, "seen_at": at if is_paid else None})
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
