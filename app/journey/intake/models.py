"""The bill as it was delivered."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.journey.intake.bill import BillKind
from app.journey.intake.means import MeansKind
from app.journey.intake.states import UploadState
from app.people import lookalikes
from consent.base import Base, Id
from consent.private import KeyKind, PrivateJSON

NUMBER_MAX = 100
#: for the checks of tables
MEANS = ", ".join(f"'{kind.value}'" for kind in MeansKind)


def number_key(number: str) -> str:
    """The same for numbers that look the same; as long as its column."""
    return lookalikes.key(number)[:NUMBER_MAX]


def is_correction(kind: str, corrects_number: str | None) -> bool:
    """Whether a delivered bill goes the way of corrections: a credit note, or what replaces an earlier bill."""
    return kind == BillKind.CREDIT_NOTE or corrects_number is not None


def _key_of_number(context: Any) -> str:
    return number_key(context.get_current_parameters()["number"])


class DeliveredBill(Base):
    """A bill as a biller delivered it, beside the invoice that we made of it. Its bytes are in ``original``."""

    __tablename__ = "delivered_bill"
    __table_args__ = (
        UniqueConstraint("biller_id", "number"),
        Index(None, "biller_id", "number_key"),
        Index(
            "ix_delivered_bill_corrects_number",
            "biller_id",
            "corrects_number",
            postgresql_where=text("corrects_number IS NOT NULL"),
            sqlite_where=text("corrects_number IS NOT NULL"),
        ),
        CheckConstraint("kind IN ('invoice', 'credit_note')", name="kind_known"),
        CheckConstraint(f"means IN ({MEANS})", name="means_known"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    biller_id: Mapped[str] = mapped_column(ForeignKey("biller.id"))
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("api_client.client_id"))  # whose verified access delivered it
    number: Mapped[str] = mapped_column(String(100))
    # null: written by a process of an older release, which runs beside this one for a while
    number_key: Mapped[str | None] = mapped_column(String(100), default=_key_of_number)
    kind: Mapped[str] = mapped_column(String(11), default=BillKind.INVOICE, server_default=BillKind.INVOICE)
    # how it is paid; of a credit note, which nobody pays, this says nothing
    means: Mapped[str] = mapped_column(
        String(15), default=MeansKind.CREDIT_TRANSFER, server_default=MeansKind.CREDIT_TRANSFER
    )
    corrects_number: Mapped[str | None] = mapped_column(String(100))  # of the one earlier bill that it is about
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int]  # as billed, or as credited
    media_type: Mapped[str] = mapped_column(String(80))
    # null: sealed, as the original of this SHA-256. Only releases before 0013 wrote it here, in clear
    content: Mapped[bytes | None] = mapped_column(LargeBinary)
    sha256: Mapped[str] = mapped_column(String(64))
    seal: Mapped[str | None] = mapped_column(Text)  # its biller's detached JWS over these bytes; null: none
    key_id: Mapped[str | None] = mapped_column(ForeignKey("sealing_key.id"))  # that made it, and was good then
    delivered_at: Mapped[dt.datetime]


class Original(Base):
    """The bytes of a bill as they were delivered."""

    __tablename__ = "original"

    # of whose they are and their SHA-256 (originals.name_of); of those of older releases, the SHA-256 alone
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    box: Mapped[bytes] = mapped_column(LargeBinary)  # sealed with the key of their customer's profile
    kept_at: Mapped[dt.datetime]


class HeldBill(Base):
    """A bill at which somebody must look. There is no invoice of it: it is shown as not verified and cannot be paid."""

    __tablename__ = "held_bill"
    __table_args__ = (
        UniqueConstraint("biller_id", "sha256"),
        CheckConstraint("ended_as IN ('released', 'discarded')", name="end_known"),
        CheckConstraint("(ended_as IS NULL) = (ended_at IS NULL)", name="end_has_its_moment"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    biller_id: Mapped[str] = mapped_column(ForeignKey("biller.id"))
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("api_client.client_id"))
    number: Mapped[str] = mapped_column(String(100))
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int]
    media_type: Mapped[str] = mapped_column(String(80))
    # null: sealed, as the original of this SHA-256. Only releases before 0013 wrote it here, in clear
    content: Mapped[bytes | None] = mapped_column(LargeBinary)
    sha256: Mapped[str] = mapped_column(String(64))
    seal: Mapped[str | None] = mapped_column(Text)
    key_id: Mapped[str | None] = mapped_column(ForeignKey("sealing_key.id"))
    corrects_number: Mapped[str | None] = mapped_column(String(100))  # of the one earlier bill that it is about
    reasons: Mapped[list[Any]] = mapped_column(PrivateJSON(KeyKind.PROFILE, gone=list))  # [{code, detail, element}]
    payee_iban: Mapped[str | None] = mapped_column(String(34))  # that it names, whoever has it
    held_at: Mapped[dt.datetime]
    ended_as: Mapped[str | None] = mapped_column(String(9))
    ended_at: Mapped[dt.datetime | None]


class OwnBill(Base):
    """A bill that its customer added: the file or the text as it came, and what was read of it, which proves nothing.

    Its bytes are sealed here, not among the originals of billers: its customer may remove them.
    """

    __tablename__ = "own_bill"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    media_type: Mapped[str] = mapped_column(String(80))
    sha256: Mapped[str] = mapped_column(String(64))
    box: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)  # sealed with the key of its customer's profile
    reading: Mapped[dict[str, Any]]  # of own_file.Reading, each value as text
    added_at: Mapped[dt.datetime]
    kept_at: Mapped[dt.datetime | None] = mapped_column(index=True)  # null: its values were not confirmed yet

    @property
    def doubts(self) -> tuple[str, ...]:
        """What in the file itself speaks against it, in the codes of own_file.Reading."""
        return tuple(self.reading.get("doubts", []))


class Conformance(Base):
    """What the official rules of EN 16931 say of a delivered bill. Nothing hangs on it."""

    __tablename__ = "conformance"

    bill_id: Mapped[str] = mapped_column(ForeignKey("delivered_bill.id"), primary_key=True)
    rules: Mapped[str] = mapped_column(String(80))
    findings: Mapped[list[Any]]  # [{rule, severity, location, detail}]
    checked_at: Mapped[dt.datetime]


class Upload(Base):
    """Many bills in one file of a biller, and how far we are with them."""

    __tablename__ = "upload"
    __table_args__ = (
        CheckConstraint("state IN ('receiving', 'working', 'done')", name="state_known"),
        CheckConstraint("(state = 'receiving') = (sha256 IS NULL)", name="whole_once_received"),
        CheckConstraint("delivered + repeated + held + refused <= bills", name="one_result_each"),
        CheckConstraint("(state = 'done') = (ended_at IS NOT NULL)", name="end_has_its_moment"),
        Index(None, "biller_id", "sha256"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    biller_id: Mapped[str] = mapped_column(ForeignKey("biller.id"))
    client_id: Mapped[str] = mapped_column(ForeignKey("api_client.client_id"))
    state: Mapped[str] = mapped_column(String(9), default=UploadState.RECEIVING, index=True)
    sha256: Mapped[str | None] = mapped_column(String(64))  # of the file as it came
    # null: received by a process of an older release, which runs beside this one for a while
    media_type: Mapped[str | None] = mapped_column(String(80))
    bills: Mapped[int] = mapped_column(default=0)
    delivered: Mapped[int] = mapped_column(default=0)
    repeated: Mapped[int] = mapped_column(default=0)
    held: Mapped[int] = mapped_column(default=0)
    refused: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[dt.datetime]
    ended_at: Mapped[dt.datetime | None]


class UploadPart(Base):
    """Some hundred lines that nobody has worked on yet, sealed. It goes in the transaction that has their results."""

    __tablename__ = "upload_part"

    upload_id: Mapped[str] = mapped_column(ForeignKey("upload.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # in the order of the file, from 1
    box: Mapped[bytes] = mapped_column(LargeBinary)


class UploadLine(Base):
    """What became of one line of an upload."""

    __tablename__ = "upload_line"
    __table_args__ = (
        CheckConstraint("outcome IN ('delivered', 'repeated', 'held', 'refused')", name="outcome_known"),
        CheckConstraint("(outcome = 'refused') = (bill_id IS NULL)", name="what_is_taken_has_an_id"),
    )

    upload_id: Mapped[str] = mapped_column(ForeignKey("upload.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    outcome: Mapped[str] = mapped_column(String(9))
    bill_id: Mapped[str | None] = mapped_column(Id)  # bill_… or, of a held one, hld_…
    number: Mapped[str | None] = mapped_column(String(100))
    problems: Mapped[list[Any]]  # [{code, detail, element}]
