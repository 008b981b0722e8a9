"""Consents, the trips to the bank that authorise them, and sealed secrets."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from consent.base import Base, Id
from consent.states import ConsentState


class Consent(Base):
    """What a customer allows at one bank: here, one single payment. ``bank_consent_id`` is the bank's own id of it."""

    __tablename__ = "consent"
    __table_args__ = (
        CheckConstraint("kind IN ('single')", name="kind_known"),
        UniqueConstraint("bank_id", "bank_consent_id"),  # a bank that repeats an id must not settle two payments
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    bank_id: Mapped[str] = mapped_column(String(60))
    bank_consent_id: Mapped[str] = mapped_column(String(140))
    state: Mapped[str] = mapped_column(String(24), default=ConsentState.AWAITING_AUTHORISATION)
    sca: Mapped[dict[str, Any]]  # where the bank lets the customer approve (public addresses)
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime]


class Trip(Base):
    """One journey of one browser to the bank and back, for one consent, or for a sign-in before any.

    ``state`` comes back in the redirect and finds this row; ``browser_hash`` says whether it is the browser that left.
    """

    __tablename__ = "trip"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"))
    bank_id: Mapped[str] = mapped_column(String(60))
    state_hash: Mapped[str] = mapped_column(String(64), unique=True)
    redirect_uri: Mapped[str] = mapped_column(String(300))
    consent_id: Mapped[str | None] = mapped_column(ForeignKey("consent.id"), unique=True)  # once the bank has staged it
    browser_hash: Mapped[str | None] = mapped_column(String(64), index=True)  # set when the link is given to a browser
    created_at: Mapped[dt.datetime]
    left_at: Mapped[dt.datetime | None]  # the point of no return where SCA executes
    returned_at: Mapped[dt.datetime | None]
    exchanged_at: Mapped[dt.datetime | None]  # set before the code is sent: a code is exchanged at most once
    outcome: Mapped[str | None] = mapped_column(String(40))  # code, or the OAuth error that came back


class SignIn(Base):
    """A customer's sign-in at a bank that takes no order without one. It pays nothing and approves nothing: with its
    token, which is in the vault, orders are given there until ``expires_at``."""

    __tablename__ = "sign_in"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    bank_id: Mapped[str] = mapped_column(String(60))
    trip_id: Mapped[str] = mapped_column(ForeignKey("trip.id"), unique=True)
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoice.id"))  # to whose page the customer comes back
    created_at: Mapped[dt.datetime]
    signed_in_at: Mapped[dt.datetime | None]  # the token is here since then
    expires_at: Mapped[dt.datetime] = mapped_column(index=True)  # of the token; before, of the time to get it


class Sealed(Base):
    """A secret at rest: AES-256-GCM, bound to this row's id, opened only by vault.py."""

    __tablename__ = "sealed"

    id: Mapped[str] = mapped_column(
        String(120), primary_key=True
    )  # what it is: trip:<id>:verifier, consent:<id>:token, payment:<id>:token, sign_in:<id>:token, …
    box: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime | None] = mapped_column(index=True)
