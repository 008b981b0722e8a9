"""Connections, what leads to them (codes, redemptions, invitations), and what went astray."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.journey.connections.states import ConnectionState
from consent.base import Base, Id

REFERENCE_MAX = 50
_STATES = ", ".join(f"'{state}'" for state in ConnectionState)


class Connection(Base):
    """One customer and one biller. Its address is the biller's alone, for ever: a leak shows where it came from."""

    __tablename__ = "connection"
    __table_args__ = (
        UniqueConstraint("customer_id", "biller_id"),
        CheckConstraint(f"state IN ({_STATES})", name="state_known"),
        CheckConstraint("(state = 'offered') = (offered_until IS NOT NULL)", name="offer_has_its_end"),
        CheckConstraint("state = 'offered' OR offered_reference IS NULL", name="offer_has_its_reference"),
        Index(None, "state", "offered_until"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"))
    biller_id: Mapped[str] = mapped_column(ForeignKey("biller.id"), index=True)
    address: Mapped[str] = mapped_column(String(120), unique=True)  # <12 random base32>@<space domain>
    state: Mapped[str] = mapped_column(String(8), default=ConnectionState.NONE)
    sequence: Mapped[int] = mapped_column(default=0)  # of its history
    told: Mapped[int] = mapped_column(default=0)  # how many words the biller was told: what it may not know counts not
    # the first of them that is about what it still is about: an answer to an earlier one is about another request
    told_anew: Mapped[int] = mapped_column(default=0)
    reference: Mapped[str | None] = mapped_column(String(REFERENCE_MAX))  # the customer's there; the biller sees it
    offered_reference: Mapped[str | None] = mapped_column(String(REFERENCE_MAX))  # of an offer: not before a yes
    expected_on: Mapped[dt.date | None]  # when the biller means to have checked a request
    offered_until: Mapped[dt.datetime | None]
    shared_at: Mapped[dt.datetime | None]  # since when the biller knows who the customer is; null: it does not
    changed_at: Mapped[dt.datetime]
    created_at: Mapped[dt.datetime]


class ConnectionHistory(Base):
    """A step of a connection, and who took it."""

    __tablename__ = "connection_history"
    __table_args__ = (CheckConstraint("source IN ('customer', 'biller', 'operator', 'worker')", name="source_known"),)

    connection_id: Mapped[str] = mapped_column(ForeignKey("connection.id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # from 1
    step: Mapped[str] = mapped_column(String(20))
    before: Mapped[str] = mapped_column(String(8))
    after: Mapped[str] = mapped_column(String(8))
    source: Mapped[str] = mapped_column(String(8))  # who took it
    at: Mapped[dt.datetime]


class Redemption(Base):
    """A biller came with a code or an address. It stands here alike whether anybody is behind it or not."""

    __tablename__ = "redemption"
    __table_args__ = (
        Index(None, "biller_id", "presented_at"),
        CheckConstraint("accepted_at IS NULL OR connection_id IS NOT NULL", name="accepted_by_somebody"),
        CheckConstraint("(taken_up_at IS NULL) = (presented IS NOT NULL)", name="forgotten_once_looked_at"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    biller_id: Mapped[str] = mapped_column(ForeignKey("biller.id"))
    kind: Mapped[str] = mapped_column(String(7))  # code, address
    # the address, or the SHA-256 of the code; null once we have looked: it may be somebody else's
    presented: Mapped[str | None] = mapped_column(String(120))
    reference: Mapped[str | None] = mapped_column(String(REFERENCE_MAX))
    presented_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime]
    taken_up_at: Mapped[dt.datetime | None]  # when we had looked who is behind it
    connection_id: Mapped[str | None] = mapped_column(
        ForeignKey("connection.id"), index=True
    )  # not the biller's to see
    accepted_at: Mapped[dt.datetime | None]  # before it is accepted


class ConnectionCode(Base):
    """A short code that a customer hands to whom they like: good once. Itself it is sealed as ``code:<id>``."""

    __tablename__ = "connection_code"
    __table_args__ = (CheckConstraint("(used_at IS NULL) = (redemption_id IS NULL)", name="used_by_one"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    made_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime]
    used_at: Mapped[dt.datetime | None]
    redemption_id: Mapped[str | None] = mapped_column(ForeignKey("redemption.id"), unique=True)
    withdrawn_at: Mapped[dt.datetime | None]


class StrayBill(Base):
    """A bill was refused because nobody is connected at its address. Whether it is somebody's is looked up later."""

    __tablename__ = "stray_bill"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    biller_id: Mapped[str] = mapped_column(ForeignKey("biller.id"))
    address: Mapped[str] = mapped_column(String(120))
    refused_at: Mapped[dt.datetime]


class AddressLeak(Base):
    """An address that was given to one biller was used by another one. Nothing reached the customer."""

    __tablename__ = "address_leak"

    connection_id: Mapped[str] = mapped_column(ForeignKey("connection.id"), primary_key=True)  # whose address
    biller_id: Mapped[str] = mapped_column(ForeignKey("biller.id"), primary_key=True)  # who used it
    times: Mapped[int]
    first_at: Mapped[dt.datetime]
    last_at: Mapped[dt.datetime]
    seen_at: Mapped[dt.datetime | None]  # when the customer said that they have read it; a later use shows it again


class Invitation(Base):
    """A customer would like a company here that is not. A name and a reference: nothing is sent to anybody by us."""

    __tablename__ = "invitation"
    __table_args__ = (
        UniqueConstraint("customer_id", "name_key"),
        CheckConstraint("(accepted_at IS NULL) = (biller_id IS NULL)", name="accepted_by_somebody"),
        Index(None, "name_key"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"))
    name: Mapped[str] = mapped_column(String(70))
    name_key: Mapped[str] = mapped_column(String(200))
    reference: Mapped[str | None] = mapped_column(String(REFERENCE_MAX))
    sent_at: Mapped[dt.datetime]
    accepted_at: Mapped[dt.datetime | None]
    biller_id: Mapped[str | None] = mapped_column(ForeignKey("biller.id"))
