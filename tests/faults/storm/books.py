"""Reads the banks' files and our database, past all programs, into the values that compare.py holds together."""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pysqlite3 import dbapi2
from sqlalchemy import Connection, Engine, text

from app import invariants
from connectors.sandbox_bank.openbanking_uk.payments import instruction_of
from connectors.sandbox_bank.openbanking_uk.scenarios import scenario_of as uk_scenario_of
from connectors.sandbox_bank.scenarios import Scenario, scenario_of
from tests.faults.storm.compare import LATE_S, Books, Heard, Order, OurPayment, Said

_ID = re.compile(r"[a-z]+_[0-9a-f]{32}")
_OUTSIDE = {"paid": "done", "failed": "not_done", "open": "at_bank"}


def rows_of(path: Path, query: str, *values: object) -> list[Any]:
    """Of a bank's file, whoever has it open."""
    with contextlib.closing(dbapi2.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as bank:
        rows: list[Any] = bank.execute(query, values).fetchall()
    return rows


def orders_of(path: Path, *, now_s: float, after: int = 0) -> list[Order]:
    """What the bank was asked after the order with this number, and when it moved money.

    Bookings whose time has come by ``now_s`` count, booked or not.
    """
    bank = dbapi2.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        moved: dict[str, dict[str, float]] = defaultdict(dict)
        for payment_id, kind, at_ms in bank.execute(
            "SELECT payment_id, kind, booked_ms FROM booking UNION SELECT payment_id, kind, due_ms FROM due"
        ):
            if at_ms <= now_s * 1000:
                moved[payment_id][kind] = at_ms / 1000
        asked = "SELECT payment_id, body, amount_minor, decision FROM payment WHERE rowid > ?"
        rows = bank.execute(asked, (after,)).fetchall()
    finally:
        bank.close()
    return [
        Order(
            id=payment_id,
            end_to_end_id=json.loads(body).get("endToEndIdentification", ""),
            amount_minor=amount_minor,
            decision=decision,
            debited_at=moved[payment_id].get("debit"),
            reversed_at=moved[payment_id].get("reversal"),
        )
        for payment_id, body, amount_minor, decision in rows
    ]


def uk_orders_of(path: Path, *, now_s: float, after: int = 0) -> list[Order]:
    """The same of the UK banks, consent by consent, and of standing ones payment by payment, whenever they were agreed
    on. Nothing is decided there before it is submitted."""
    bank = dbapi2.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        moved: dict[str, dict[str, float]] = defaultdict(dict)
        for payment_id, kind, at_ms in bank.execute("SELECT payment_id, kind, due_ms FROM movement"):
            if at_ms <= now_s * 1000:
                moved[payment_id][kind] = at_ms / 1000
        asked = (
            "SELECT consent.consent_id, coalesce(payment.body, consent.body),"
            " coalesce(payment.amount_minor, consent.amount_minor), payment.payment_id"
            " FROM consent LEFT JOIN payment USING (consent_id)"
            " WHERE CASE consent.kind WHEN 'vrp' THEN payment_id IS NOT NULL ELSE consent.rowid > ? END"
        )
        rows = bank.execute(asked, (after,)).fetchall()
    finally:
        bank.close()
    return [
        Order(
            id=payment_id or consent_id,
            end_to_end_id=instruction_of(json.loads(body)).get("EndToEndIdentification", ""),
            amount_minor=amount_minor,
            decision="approved" if payment_id else "open",
            debited_at=moved[payment_id].get("debit"),
            reversed_at=moved[payment_id].get("reversal"),
        )
        for consent_id, body, amount_minor, payment_id in rows
    ]


def books_of(engine: Engine, *, check: bool = True) -> Books:
    """What stands in our database now, with ``check`` also which invariants do not hold."""
    now = dt.datetime.now(dt.UTC)
    with engine.connect() as connection:
        work = connection.execute(text("SELECT key, CAST(payload AS TEXT), run_at, handler FROM work")).all()
        due = _due(work)
        delivered = set(connection.scalars(text("SELECT id FROM delivered_bill")))
        bills = frozenset(connection.scalars(text("SELECT bill_id FROM invoice")))
        waiting = frozenset(bill for bill in delivered - bills if bill in due)
        messages = connection.execute(
            text(
                "SELECT id, subject, type FROM webhook_message m WHERE delivered_at IS NULL"
                # "still open" is not worth saying when a later word says more
                " AND NOT (type = 'payment.updated' AND EXISTS (SELECT 1 FROM webhook_message later"
                " WHERE later.endpoint_id = m.endpoint_id AND later.subject = m.subject"
                " AND later.created_at > m.created_at))"
            )
        ).all()
        told_soon = {subject for _, subject, kind in messages if kind == "payment.settled"}
        told_soon |= _ids(payload for _, payload, _, handler in work if handler == "webhooks.tell_payment_settled")
        return Books(
            bills=bills,
            waiting_bills=waiting,
            payments={payment.id: payment for payment in _payments(connection, due)},
            undelivered={message: due.get(message) for message, _, _ in messages},
            to_be_told=frozenset(told_soon),
            receipts_to_come=frozenset(
                _ids(payload for _, payload, _, handler in work if handler == "receipts.issue_receipt")
            ),
            late_work=[key for key, _, run_at, _ in work if run_at.timestamp() < now.timestamp() - LATE_S],
            broken=[str(broken) for broken in invariants.check(engine, now=now)] if check else (),
        )


#: kept for who has to find out what happened
EVIDENCE = (
    *("decision", "payment", "payment_history", "bank_call", "bank_attempt", "trip", "consent", "work", "event"),
    *("webhook_message", "receipt", "ledger_entry", "ledger_balance", "invoice", "delivered_bill"),
)


def keep_evidence(engine: Engine, folder: Path) -> None:
    """Our tables as CSV files, without what is sealed or sent."""
    folder.mkdir()
    with engine.connect() as connection:
        for table in EVIDENCE:
            rows = connection.execute(text(f"SELECT * FROM {table} ORDER BY 1")).mappings()  # noqa: S608  # our own names
            with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(rows.keys())
                writer.writerows(row.values() for row in rows)


def _payments(connection: Connection, due: Mapping[str, float]) -> Iterable[OurPayment]:
    steps: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for payment_id, after, at in connection.execute(
        text("SELECT payment_id, after, at FROM payment_history ORDER BY payment_id, sequence")
    ):
        steps[payment_id].append((after, at.timestamp()))
    rows = connection.execute(
        text(
            "SELECT d.payment_id, d.id, d.invoice_id, i.bill_id, d.amount_minor, d.bank_id, p.state, p.end_to_end_id,"
            " (SELECT count(*) FROM receipt r WHERE r.payment_id = d.payment_id) FROM decision d"
            " JOIN invoice i ON i.id = d.invoice_id LEFT JOIN payment p ON p.decision_id = d.id"
        )
    )
    for payment_id, decision_id, invoice_id, bill_id, amount_minor, bank_id, state, reference, receipts in rows:
        found = [due[name] for name in (payment_id, decision_id) if name in due]
        yield OurPayment(
            id=payment_id,
            end_to_end_id=reference or payment_id.replace("_", "", 1),
            invoice_id=invoice_id,
            bill_id=bill_id,
            amount_minor=amount_minor,
            state=state,
            bank_id=bank_id,
            steps=steps[payment_id],
            receipts=receipts,
            work_due_at=min(found, default=None),
        )


def _due(work: Iterable[Any]) -> dict[str, float]:
    """Everything that a row of work names → when the earliest of them is due."""
    due: dict[str, float] = {}
    for key, payload, run_at, _ in work:
        for name in _ids((key, payload)):
            due[name] = min(due.get(name, run_at.timestamp()), run_at.timestamp())
    return due


def _ids(words: Iterable[str]) -> set[str]:
    return {name for each in words for name in _ID.findall(each)}


def heard_from(lines: Sequence[dict[str, Any]]) -> Heard:
    """The part of a history that can be held against the books."""
    said = [
        Said(
            by=line["by"],
            word=line["word"],
            asked_at=line["asked_at"],
            heard_at=line["at"],
            payment=line.get("payment", ""),
            bill=line.get("bill", ""),
        )
        for line in lines
        if line["kind"] == "said"
    ]
    messages = [line for line in lines if line["kind"] == "webhook" and line["payment"]]
    said += [
        Said(
            by="webhook",
            word=_OUTSIDE[line["status"]],
            # a message may travel long: what counts is that it was true of its own time, which is that of its step
            asked_at=line["at"],
            heard_at=line["at"],
            payment=line["payment"],
        )
        for line in messages
    ]
    return Heard(
        bills={line["bill"]: line["number"] for line in lines if line["kind"] == "delivered"},
        decisions={line["payment"]: line["at"] for line in reversed(lines) if line["kind"] == "decided"},
        said=said,
        settled_messages=frozenset(line["payment"] for line in messages if line["type"] == "payment.settled"),
    )


def scenario_at(bank_id: str, amount_minor: int) -> Scenario:
    """What the sandbox bank makes of this amount."""
    return scenario_of(amount_minor) if bank_id == "horizon" else uk_scenario_of(amount_minor)


#: open states in which nobody waits for the customer
_OF_OURS = ("prepared", "initiating", "authorised", "submitting", "unknown", "accepted")


def loose_ends(orders: Sequence[Order], books: Books) -> list[str]:
    """What still has to come to its end when everything works again; empty when all has."""
    by_reference: dict[str, list[Order]] = defaultdict(list)
    for order in orders:
        by_reference[order.end_to_end_id].append(order)
    ends = [f"bill {bill}" for bill in books.waiting_bills]
    ends += [f"message {message}" for message in books.undelivered]
    ends += [f"late {key}" for key in books.late_work]
    for payment in books.payments.values():
        scenario = scenario_at(payment.bank_id, payment.amount_minor)
        if payment.state == "initiating" and scenario.initiation is not None:
            continue  # this bank never answers it: it is given up after some minutes, by its own rule
        decided = any(order.decision != "open" for order in by_reference[payment.end_to_end_id])
        if payment.state in (None, *_OF_OURS) or (payment.state == "awaiting_customer" and decided):
            ends.append(f"{payment.id} {payment.state}")
        elif payment.state == "settled" and not payment.receipts:
            ends.append(f"{payment.id} without a receipt")
    return ends
