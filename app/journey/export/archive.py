"""Making the archive: a customer's rows, some bills at a time, the very bytes of their documents, and the proofs.

Nothing is held in memory but the bills of one batch and the list of files. It is read in one transaction that writes
nothing, so all of it is of one moment; nobody downloads while that is open.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from sqlalchemy import inspect, select, text
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.audit.entries import subject
from app.audit.kinds import SOURCES
from app.audit.proofs import Proofs
from app.db.many import among
from app.journey.answers.models import BillAnswer
from app.journey.calendars.models import CalendarFeed
from app.journey.connections.models import (
    AddressLeak,
    Connection,
    ConnectionCode,
    ConnectionHistory,
    Invitation,
    Redemption,
)
from app.journey.consents.models import CustomerBank
from app.journey.corrections.models import Correction
from app.journey.decisions.models import Decision, PayeeCheck, PayeeName
from app.journey.erasure.models import Erasure
from app.journey.export import verify
from app.journey.export.brought import bytes_of
from app.journey.export.models import Brought, Export
from app.journey.export.rules import original_name, plain, shown, written
from app.journey.export.tables import BILL, TABLES, Left, Taken, left_of
from app.journey.export.words import README
from app.journey.intake import own_bills
from app.journey.intake.models import Conformance, DeliveredBill, HeldBill, OwnBill
from app.journey.intake.originals import contents_of
from app.journey.invoices.models import Invoice, OwnOrder
from app.journey.ledger.models import LedgerEntry
from app.journey.matching.models import PayFirst
from app.journey.notices.models import (
    BillReminder,
    Notice,
    NoticeChoice,
    NoticeTimes,
    PushMessage,
    SpaceNotice,
)
from app.journey.opinions.models import Opinion
from app.journey.outlook.models import Outlook, Payday
from app.journey.payments.models import BankAttempt, BankCall, Payment, PaymentHistory
from app.journey.plans.models import Plan, PlanDay, Round
from app.journey.receipts.models import Receipt
from app.journey.reconciliation.models import BillerWord, StatementEntry
from app.journey.refunds.accounts import row_of
from app.journey.refunds.models import Refund, RefundAccount, RefundHistory
from app.people.models import (
    Biller,
    BillerIdentifier,
    Customer,
    CustomerSession,
    OperatorAccess,
    Passkey,
    PushDevice,
    Recovery,
    RecoveryCode,
    RemovedPasskey,
    SealingKey,
    Stop,
    ToolToken,
)
from app.services import Services
from consent.base import Base
from consent.models import (
    Consent,
    ConsentHistory,
    ConsentUsage,
    LimitClaim,
    ShownText,
    SignIn,
    Standing,
    Trip,
)
from consent.payer import payer_of
from consent.vault import VaultError

#: bills that are read together
BATCH = 50
_FILE_FORM = "quittance-export-file-1"
#: what is packed: documents mostly are already, and archives are
_PACKED = (".json", ".txt", ".xml", ".py")

Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Made:
    """What became of it. ``manifest_sha256`` tells which archive it was."""

    bills: int
    manifest_sha256: str


def of_one_moment(session: Session) -> None:
    """Before anything else is read: what comes meanwhile would be in one file and not in the others. SQLite reads so
    by itself."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))


def make(services: Services, session: Session, customer: Customer, *, file: IO[bytes], made_at: str) -> Made:
    """Write all of it to ``file``, which can be sought in; the session reads ``of_one_moment``. Raises VaultError
    where an original does not open."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        return _Archive(services, session, customer, _Writer(packed), made_at).make()


# ---------------------------------------------------------------------------------------------------------- the files


@dataclass
class _Writer:
    packed: zipfile.ZipFile
    listed: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, name: str, content: bytes) -> None:
        """Once: two bills may have the same document."""
        self.stream(name, [content])

    def stream(self, name: str, content: Iterable[bytes]) -> None:
        if name in self.listed:
            return
        digest, size = hashlib.sha256(), 0
        with self.packed.open(_entry(name), "w") as entry:
            for block in content:
                digest.update(block)
                size += len(block)
                entry.write(block)
        self.listed[name] = {"bytes": size, "sha256": digest.hexdigest()}


def _entry(name: str) -> zipfile.ZipInfo:
    """The same time for all: the archive says itself when it was made."""
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED if name.endswith(_PACKED) else zipfile.ZIP_STORED
    entry.external_attr = 0o644 << 16
    return entry


# ----------------------------------------------------------------------------------------------------------- the rows


@dataclass(frozen=True, slots=True)
class _Step:
    """Rows of one table, found by those of another one: ``column`` is one of the values of ``of.attribute``."""

    table: type[Base]
    column: str
    of: type[Base]
    attribute: str


#: from the bills of a batch to all that hangs on each
_OF_BILL = (
    _Step(OwnBill, "id", Invoice, "own_bill_id"),
    _Step(DeliveredBill, "id", Invoice, "bill_id"),
    _Step(Conformance, "bill_id", DeliveredBill, "id"),
    _Step(SealingKey, "id", DeliveredBill, "key_id"),
    _Step(Biller, "id", DeliveredBill, "biller_id"),
    _Step(BillerIdentifier, "biller_id", Biller, "id"),
    _Step(Correction, "invoice_id", Invoice, "id"),
    _Step(BillAnswer, "invoice_id", Invoice, "id"),
    _Step(PayeeName, "invoice_id", Invoice, "id"),
    _Step(PayeeCheck, "invoice_id", Invoice, "id"),
    _Step(Decision, "invoice_id", Invoice, "id"),
    _Step(LimitClaim, "payment_id", Decision, "payment_id"),
    _Step(Payment, "invoice_id", Invoice, "id"),
    _Step(PaymentHistory, "payment_id", Payment, "id"),
    _Step(BankCall, "payment_id", Payment, "id"),
    _Step(BankAttempt, "call_id", BankCall, "id"),
    _Step(StatementEntry, "payment_id", Payment, "id"),
    _Step(BillerWord, "payment_id", Payment, "id"),
    _Step(Receipt, "payment_id", Payment, "id"),
    _Step(Refund, "invoice_id", Invoice, "id"),
    _Step(RefundHistory, "refund_id", Refund, "id"),
    _Step(RefundAccount, "refund_id", Refund, "id"),
    _Step(Plan, "invoice_id", Invoice, "id"),
    _Step(PlanDay, "plan_id", Plan, "id"),
    _Step(LedgerEntry, "invoice_id", Invoice, "id"),
    _Step(OwnOrder, "invoice_id", Invoice, "id"),
    _Step(BillReminder, "invoice_id", Invoice, "id"),
)
#: the same of a document that became no bill of its own: a credit note, or a new version that waits
_OF_DOCUMENT = (
    _Step(Conformance, "bill_id", DeliveredBill, "id"),
    _Step(SealingKey, "id", DeliveredBill, "key_id"),
    _Step(Biller, "id", DeliveredBill, "biller_id"),
    _Step(BillerIdentifier, "biller_id", Biller, "id"),
    _Step(Correction, "bill_id", DeliveredBill, "id"),
)
#: what hangs on a customer and on no bill, by its file
_OF_CUSTOMER: dict[str, tuple[_Step, ...]] = {
    "consents.json": (
        _Step(CustomerBank, "customer_id", Customer, "id"),
        _Step(PayFirst, "customer_id", Customer, "id"),
        _Step(Consent, "customer_id", Customer, "id"),
        _Step(Standing, "customer_id", Customer, "id"),
        _Step(ConsentHistory, "consent_id", Standing, "consent_id"),
        _Step(ConsentUsage, "consent_id", Standing, "consent_id"),
        _Step(ShownText, "sha256", Standing, "shown_hash"),
        _Step(Trip, "customer_id", Customer, "id"),
        _Step(SignIn, "customer_id", Customer, "id"),
    ),
    "connections.json": (
        _Step(Connection, "customer_id", Customer, "id"),
        _Step(ConnectionHistory, "connection_id", Connection, "id"),
        _Step(ConnectionCode, "customer_id", Customer, "id"),
        _Step(Redemption, "connection_id", Connection, "id"),
        _Step(AddressLeak, "connection_id", Connection, "id"),
        _Step(Invitation, "customer_id", Customer, "id"),
        _Step(Biller, "id", Connection, "biller_id"),
    ),
    "privacy.json": (
        _Step(Passkey, "customer_id", Customer, "id"),
        _Step(RemovedPasskey, "customer_id", Customer, "id"),
        _Step(CustomerSession, "customer_id", Customer, "id"),
        _Step(ToolToken, "customer_id", Customer, "id"),
        _Step(CalendarFeed, "customer_id", Customer, "id"),
        _Step(Stop, "customer_id", Customer, "id"),
        _Step(SpaceNotice, "customer_id", Customer, "id"),
        _Step(Notice, "customer_id", Customer, "id"),
        _Step(PushDevice, "customer_id", Customer, "id"),
        _Step(PushMessage, "customer_id", Customer, "id"),
        _Step(NoticeChoice, "customer_id", Customer, "id"),
        _Step(NoticeTimes, "customer_id", Customer, "id"),
        _Step(Outlook, "customer_id", Customer, "id"),
        _Step(Payday, "customer_id", Customer, "id"),
        _Step(Round, "customer_id", Customer, "id"),
        _Step(Export, "customer_id", Customer, "id"),
        _Step(Brought, "customer_id", Customer, "id"),
        _Step(RecoveryCode, "customer_id", Customer, "id"),
        _Step(Recovery, "customer_id", Customer, "id"),
        _Step(OperatorAccess, "customer_id", Customer, "id"),
        _Step(Opinion, "customer_id", Customer, "id"),
        _Step(Erasure, "customer_id", Customer, "id"),
    ),
}


class _Found:
    """The rows that hang on each of some things, by the name of its file."""

    def __init__(self, session: Session, starts: Mapping[str, Base]) -> None:
        self._session = session
        self._rows: dict[type[Base], list[tuple[Base, set[str]]]] = {}
        for name, row in starts.items():
            self._rows.setdefault(type(row), []).append((row, {name}))

    def follow(self, step: _Step) -> None:
        names: dict[Any, set[str]] = {}
        for row, those in self._rows.get(step.of, ()):
            value = getattr(row, step.attribute)
            if value is not None:
                names.setdefault(value, set()).update(those)
        rows = self._rows.setdefault(step.table, [])
        column: InstrumentedAttribute[Any] = getattr(step.table, step.column)
        for row in _some(self._session, step.table, column, names):
            rows.append((row, names[getattr(row, step.column)]))

    def of(self, table: type[Base]) -> list[Base]:
        return [row for row, _ in self._rows.get(table, ())]

    def by_name(self) -> dict[str, dict[type[Base], list[Base]]]:
        found: dict[str, dict[type[Base], list[Base]]] = {}
        for table, rows in self._rows.items():
            for row, names in rows:
                for name in names:
                    found.setdefault(name, {}).setdefault(table, []).append(row)
        return found


def _some(
    session: Session, table: type[Base], column: InstrumentedAttribute[Any], values: Collection[Any]
) -> list[Base]:
    if not values:
        return []
    order = inspect(table).primary_key
    return list(session.scalars(select(table).where(among(session, column, values)).order_by(*order)))


def _columns(table: type[Base]) -> list[tuple[str, str]]:
    """Of each column that goes along: its name, and that of the attribute."""
    but = left_of(table.__tablename__)
    return [(each.columns[0].name, each.key) for each in inspect(table).column_attrs if each.columns[0].name not in but]


def _told(row: Base) -> dict[str, Any]:
    return {name: plain(getattr(row, attribute)) for name, attribute in _columns(type(row))}


# --------------------------------------------------------------------------------------------------------- the archive


@dataclass
class _Archive:
    services: Services
    session: Session
    customer: Customer
    files: _Writer
    made_at: str
    counts: dict[str, int] = field(default_factory=lambda: {"bills": 0, "receipts": 0, "facts": 0, "proofs": 0})

    def make(self) -> Made:
        self._proofs = Proofs(self.session, self.services.keys.log.verifier)
        self.files.add("README.txt", README.encode())
        self.files.add("verify.py", Path(verify.__file__).read_bytes())
        for batch in self._batches(Invoice, Invoice.customer_id == self.customer.id):
            self._bills(batch, _OF_BILL)
        documents = DeliveredBill.customer_id == self.customer.id
        became = select(Invoice.bill_id).where(Invoice.bill_id.is_not(None), Invoice.customer_id == self.customer.id)
        for batch in self._batches(DeliveredBill, documents, DeliveredBill.id.not_in(became)):
            self._bills(batch, _OF_DOCUMENT)
        for name, steps in _OF_CUSTOMER.items():
            self._about_customer(name, steps)
        self._held()
        self._brought()
        return self._sign()

    def _batches(self, table: type[Any], *which: Any) -> Iterator[dict[str, Base]]:
        """All of these by the names of their files, some at a time."""
        after = ""
        while True:
            found = self.session.scalars(select(table).where(*which, table.id > after).order_by(table.id).limit(BATCH))
            batch = {row.id: row for row in found}
            if not batch:
                return
            after = max(batch)
            yield batch
            self.session.expunge_all()

    def _bills(self, batch: Mapping[str, Base], steps: tuple[_Step, ...]) -> None:
        found = _Found(self.session, batch)
        for step in steps:
            found.follow(step)
        documents = self._documents(found.of(DeliveredBill))
        by_name = {name: _by_table(rows, steps) for name, rows in found.by_name().items()}
        own = {own.id: self._own_document(own) for own in found.of(OwnBill) if isinstance(own, OwnBill)}
        proofs = self._proofs.of({name: _subjects(rows) for name, rows in by_name.items()})
        for name, rows in by_name.items():
            told = {table.__tablename__: [_told(row) for row in those] for table, those in rows.items()}
            for account in told.get("refund_account", ()):
                account["account"] = self._account(account["id"])
            document = next(
                (row["sha256"] for kind in ("delivered_bill", "own_bill") for row in told.get(kind, ())), None
            )
            original = documents.get(document or "") or own.get(
                next((row["id"] for row in told.get("own_bill", ())), "")
            )
            summary = shown(told, document=document)
            content = {"format": _FILE_FORM, "shown": summary, "original": original, "rows": told}
            self.files.add(f"bills/{name}.json", written(content))
            self.counts["bills"] += bool(told.get("invoice"))
            self.counts["receipts"] += len(told.get("receipt", ()))
            self._prove(name, proofs.get(name))

    def _documents(self, bills: Iterable[Any]) -> dict[str, str]:
        """SHA-256 of each document → its file. One after the other: one may have twenty megabytes."""
        names = {}
        for bill in bills:
            name = original_name(bill.sha256, bill.media_type)
            names[bill.sha256] = name
            if name not in self.files.listed:
                self.files.add(name, contents_of(self.services.vault, self.session, [bill])[bill.sha256])
        return names

    def _own_document(self, own: OwnBill) -> str:
        name = original_name(own.sha256, own.media_type)
        if name not in self.files.listed:
            self.files.add(name, own_bills.content_of(self.services.vault, self.session, own))
        return name

    def _account(self, account_id: str) -> str | None:
        """The number that its customer typed, as long as it is kept."""
        try:
            return self.services.vault.get(self.session, row_of(account_id))
        except VaultError:
            return None

    def _about_customer(self, name: str, steps: tuple[_Step, ...]) -> None:
        found = _Found(self.session, {name: self.customer})
        for step in steps:
            found.follow(step)
        rows = _by_table(found.by_name()[name], steps)
        if name == "privacy.json":
            rows[Customer] = [self.customer]
        told = {table.__tablename__: [_told(row) for row in those] for table, those in rows.items()}
        for standing, row in zip(told.get("standing", ()), rows.get(Standing, ()), strict=True):
            if isinstance(row, Standing):
                standing["payer_account"] = payer_of(self.session, self.services.vault, row)
        self.files.add(name, written({"format": _FILE_FORM, "rows": told}))
        stem = name.removesuffix(".json")
        self._prove(stem, self._proofs.of({stem: _subjects(rows)}).get(stem))
        self.session.expunge_all()

    def _held(self) -> None:
        """Bills at which somebody must look, and those that a customer has begun to add: nothing is proven of them."""
        held = self.session.scalars(select(HeldBill).where(HeldBill.customer_id == self.customer.id)).all()
        self._documents(held)
        drafts = self.session.scalars(
            select(OwnBill)
            .outerjoin(Invoice, Invoice.own_bill_id == OwnBill.id)
            .where(OwnBill.customer_id == self.customer.id, Invoice.id.is_(None))
        ).all()
        for draft in drafts:
            self._own_document(draft)
        rows = {"held_bill": [_told(row) for row in held], "own_bill": [_told(row) for row in drafts]}
        self.files.add("held.json", written({"format": _FILE_FORM, "rows": rows}))

    def _brought(self) -> None:
        for brought in self.session.scalars(select(Brought).where(Brought.customer_id == self.customer.id)).all():
            blocks = bytes_of(self.session, brought.id)
            self.files.stream(f"brought/{brought.id}.zip", blocks)

    def _prove(self, name: str, proof: Mapping[str, Any] | None) -> None:
        if proof is not None:
            self.files.add(f"proofs/{name}.json", written(proof))
            self.counts["proofs"] += 1
            self.counts["facts"] += len(proof["facts"])

    def _sign(self) -> Made:
        log = self.services.keys.log
        manifest = written(
            {
                "format": verify.FORMAT,
                "instance": self.services.settings.base_url,
                "log": str(log.verifier),
                "made_at": self.made_at,
                "customer": {name: plain(getattr(self.customer, name)) for name in _DETAILS},
                "counts": self.counts,
                "files": self.files.listed,
                "tables": {name: each.where for name, each in TABLES.items() if isinstance(each, Taken)},
                "not_here": {name: each.because for name, each in TABLES.items() if isinstance(each, Left)},
            }
        )
        self.files.packed.writestr(_entry(verify.MANIFEST), manifest)
        self.files.packed.writestr(_entry(verify.SIGNATURE), log.export(manifest))
        return Made(self.counts["bills"], hashlib.sha256(manifest).hexdigest())


_DETAILS = ("id", "name", "email", "email_proven_at", "time_zone", "locale", "created_at")


def _by_table(rows: Mapping[type[Base], list[Base]], steps: tuple[_Step, ...]) -> dict[type[Base], list[Base]]:
    """With an empty list for each table of which there is nothing, so that a reader sees that it was looked for."""
    every = dict.fromkeys([Invoice, DeliveredBill] if steps in (_OF_BILL, _OF_DOCUMENT) else [])
    every |= dict.fromkeys(step.table for step in steps)
    return {table: rows.get(table, []) for table in every}


#: of each table in the log: how its rows are called there
_LOGGED = {source.table: source for source in SOURCES.values()}


def _subjects(rows: Mapping[type[Base], list[Base]]) -> set[str]:
    return {
        subject(source, {key: getattr(row, key) for key in source.key})
        for table, those in rows.items()
        if (source := _LOGGED.get(table.__tablename__)) is not None
        for row in those
    }


def tables_taken() -> set[str]:
    """The tables whose rows are written by what stands above: what the registry says is held against it."""
    steps = [*_OF_BILL, *_OF_DOCUMENT, *(step for those in _OF_CUSTOMER.values() for step in those)]
    own = {"customer", "invoice", "delivered_bill", "held_bill", "brought_part", "original", "log_entry"}
    return {step.table.__tablename__ for step in steps} | own | {"log_checkpoint"}


__all__ = ["BILL", "Made", "make", "tables_taken"]
