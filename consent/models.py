"""Consents, the trips to the bank that authorise them, and sealed secrets."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from connectors.capabilities import Alignment, Period, RecurringKind
from consent.base import Base, Id
from consent.private import KeyKind, PrivateJSON, PrivateText
from consent.rules import Frame, Limit
from consent.states import ConsentSource, ConsentState, StandingState

_SINGLE = ", ".join(f"'{state.value}'" for state in ConsentState)
_STANDING = ", ".join(f"'{state.value}'" for state in StandingState)
_RECURRING = ", ".join(f"'{kind.value}'" for kind in RecurringKind)
_SOURCES = ", ".join(f"'{source.value}'" for source in ConsentSource)


class Consent(Base):
    """What a customer allows at one bank: one single payment, or by a standing one (Standing) payment after payment.

    ``bank_consent_id`` is the bank's own id of it.
    """

    __tablename__ = "consent"
    __table_args__ = (
        CheckConstraint(
            f"(kind = 'single' AND state IN ({_SINGLE})) OR (kind = 'standing' AND state IN ({_STANDING}))",
            name="state_of_its_kind",
        ),
        CheckConstraint(
            "bank_consent_id IS NOT NULL"
            " OR (kind = 'standing' AND state IN ('prepared', 'revoking', 'rejected', 'expired', 'revoked'))",
            name="known_at_bank",
        ),
        UniqueConstraint("bank_id", "bank_consent_id"),  # a bank that repeats an id must not settle two payments
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    bank_id: Mapped[str] = mapped_column(String(60))
    bank_consent_id: Mapped[str | None] = mapped_column(String(140))  # null: the bank may not know of it
    state: Mapped[str] = mapped_column(String(24), default=ConsentState.AWAITING_AUTHORISATION)
    sca: Mapped[dict[str, Any]]  # where the bank lets the customer approve (public addresses)
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime]  # of the time to approve it

    @property
    def at_bank(self) -> str:
        """Its id there. Raises LookupError for one of which the bank may not know."""
        if self.bank_consent_id is None:
            raise LookupError(f"{self.id} is not at its bank")
        return self.bank_consent_id


class ShownText(Base):
    """What a page said when somebody signed it: the hash was in what they signed. Kept once, however many saw it."""

    __tablename__ = "shown_text"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    language: Mapped[str] = mapped_column(String(2))
    what: Mapped[str] = mapped_column(String(20))
    text: Mapped[str] = mapped_column(Text)  # its sentences, as a canonical JSON list
    first_at: Mapped[dt.datetime]


def frame_of(row: Any) -> Frame:
    """What is agreed, of a Standing, or of a plain row with its columns."""
    return Frame(
        payee_name=row.payee_name,
        payee_iban=row.payee_iban,
        currency=row.currency,
        each_minor=row.each_minor,
        limits=tuple(
            Limit(period=Period(one["period"]), alignment=Alignment(one["alignment"]), minor=one["minor"])
            for one in row.limits
        ),
        begins_on=row.begins_on,
        ends_on=row.ends_on,
    )


class Standing(Base):
    """What is agreed in a standing consent, which is never changed, and what is known of it at the bank.

    Nobody pulls anything by it: each payment under it has its own decision.
    """

    __tablename__ = "standing"
    __table_args__ = (
        CheckConstraint("each_minor > 0", name="each_positive"),
        CheckConstraint("ends_on IS NULL OR ends_on >= begins_on", name="ends_after_it_begins"),
        CheckConstraint(f"vrp_type IN ({_RECURRING})", name="vrp_type_known"),
        Index(
            "ix_standing_open",
            "customer_id",
            postgresql_where=text("ended_at IS NULL"),
            sqlite_where=text("ended_at IS NULL"),
        ),
        Index(
            "ix_standing_ends",
            "ends_on",
            postgresql_where=text("ended_at IS NULL"),
            sqlite_where=text("ended_at IS NULL"),
        ),
    )

    consent_id: Mapped[str] = mapped_column(ForeignKey("consent.id"), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"))
    biller_id: Mapped[str] = mapped_column(ForeignKey("biller.id"), index=True)  # a payee that was verified, always
    bank_id: Mapped[str] = mapped_column(String(60))
    purpose: Mapped[str] = mapped_column(String(140))
    payee_name: Mapped[str] = mapped_column(String(70))
    payee_iban: Mapped[str] = mapped_column(String(34))
    currency: Mapped[str] = mapped_column(String(3))
    each_minor: Mapped[int]
    limits: Mapped[list[Any]]  # of rules.Limit: {"period", "alignment", "minor"}, one to six
    vrp_type: Mapped[str] = mapped_column(String(12))  # RecurringKind
    # payments may be sent, too, when its customer is not there: on a day that they signed before
    off_session: Mapped[bool] = mapped_column(default=False, server_default=false())
    days: Mapped[str] = mapped_column(String(40))  # by whose clock its days are counted (rules.days_at)
    begins_on: Mapped[dt.date]
    ends_on: Mapped[dt.date | None]  # the last day
    shown_hash: Mapped[str] = mapped_column(ForeignKey("shown_text.sha256"))
    evidence: Mapped[dict[str, Any]]  # the passkey assertion over exactly these values
    agreed_at: Mapped[dt.datetime]
    # the request that gives it to the bank: its key and exact bytes, stored before they are sent (K1, K2)
    request_id: Mapped[str] = mapped_column(String(40), unique=True)
    method: Mapped[str] = mapped_column(String(8))
    path: Mapped[str] = mapped_column(String(300))
    headers: Mapped[dict[str, Any]]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    psu: Mapped[dict[str, Any] | None] = mapped_column(
        PrivateJSON(KeyKind.PROFILE, gone=dict)
    )  # whose browser agreed, for the bank; forgotten once that has answered
    sent_at: Mapped[dt.datetime | None]  # the request, for the first time
    sends: Mapped[int] = mapped_column(default=0)  # how often
    payer_mask: Mapped[str | None] = mapped_column(
        PrivateText(KeyKind.RECORD, 40)
    )  # the account that it pays from; the whole in the vault
    payer_name: Mapped[str | None] = mapped_column(PrivateText(KeyKind.RECORD, 140))
    payer_lost_at: Mapped[dt.datetime | None]  # since then the bank, which had named the account, names none
    authorised_at: Mapped[dt.datetime | None]  # the last time
    ended_at: Mapped[dt.datetime | None]  # set exactly while its state is an end
    looked_at: Mapped[dt.datetime | None]  # when the bank was last asked
    next_look_at: Mapped[dt.datetime | None]
    renewing_until: Mapped[dt.datetime | None]  # until then one worker renews its token, and no other
    gone_at: Mapped[dt.datetime | None]  # the bank has confirmed that it has it no more
    reminded_for: Mapped[dt.date | None]  # the last day on which its customer was reminded of the end
    sequence: Mapped[int] = mapped_column(default=0)  # how many lines its history has

    @property
    def frame(self) -> Frame:
        return frame_of(self)


class ConsentHistory(Base):
    """One step of a standing consent: unbroken, append-only. Single ones have the history of their payment."""

    __tablename__ = "consent_history"
    __table_args__ = (CheckConstraint(f"source IN ({_SOURCES})", name="source_known"),)

    consent_id: Mapped[str] = mapped_column(ForeignKey("standing.consent_id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # 1, 2, 3 …
    step: Mapped[str] = mapped_column(String(20))  # agree, or a StandingStep
    before: Mapped[str | None] = mapped_column(String(24))  # null: it was agreed
    after: Mapped[str] = mapped_column(String(24))
    source: Mapped[str] = mapped_column(String(10))
    evidence: Mapped[str] = mapped_column(Text)
    answer: Mapped[bytes | None] = mapped_column(LargeBinary)  # what the bank said, without secrets
    at: Mapped[dt.datetime]


class ConsentUsage(Base):
    """How much of one period of one limit is claimed (rules.Span)."""

    __tablename__ = "consent_usage"
    __table_args__ = (
        CheckConstraint("used_minor >= 0", name="used_not_negative"),
        CheckConstraint("last >= first", name="last_after_first"),
        # not that it is at most the limit: what the bank calls accepted after all is counted, too
        Index("ix_consent_usage_current", "consent_id", "last"),
    )

    consent_id: Mapped[str] = mapped_column(ForeignKey("standing.consent_id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # which of the limits, from 0
    first: Mapped[dt.date] = mapped_column(primary_key=True)
    last: Mapped[dt.date]
    limit_minor: Mapped[int]
    used_minor: Mapped[int]
    refused_at: Mapped[dt.datetime | None]  # the bank refused what our count allowed: it counts otherwise


class LimitClaim(Base):
    """What one payment takes of one period of one limit. What is not released adds up to what is used of the period."""

    __tablename__ = "limit_claim"
    __table_args__ = (
        CheckConstraint("minor > 0", name="minor_positive"),
        ForeignKeyConstraint(
            ["consent_id", "number", "first"],
            ["consent_usage.consent_id", "consent_usage.number", "consent_usage.first"],
        ),
        Index("ix_limit_claim_period", "consent_id", "number", "first"),
    )

    # of the decision: the claim is made with it, and so before there is a payment
    payment_id: Mapped[str] = mapped_column(ForeignKey("decision.payment_id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    first: Mapped[dt.date] = mapped_column(primary_key=True)
    consent_id: Mapped[str] = mapped_column(Id)
    minor: Mapped[int]
    at: Mapped[dt.datetime]
    released_at: Mapped[dt.datetime | None]  # null: it stands


class Trip(Base):
    """One journey of one browser to the bank and back, for one consent, or for a sign-in before any.

    ``state`` comes back in the redirect and finds this row; ``browser_hash`` says whether it is the browser that left.
    """

    __tablename__ = "trip"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    bank_id: Mapped[str] = mapped_column(String(60))
    state_hash: Mapped[str] = mapped_column(String(64), unique=True)
    redirect_uri: Mapped[str] = mapped_column(String(300))
    # once the bank has staged it. A standing one is approved again in a trip of its own
    consent_id: Mapped[str | None] = mapped_column(ForeignKey("consent.id"), index=True)
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
    part: Mapped[str | None] = mapped_column(String(20))  # that they want to pay of it, like 40.00; None: all of it
    created_at: Mapped[dt.datetime]
    signed_in_at: Mapped[dt.datetime | None]  # the token is here since then
    expires_at: Mapped[dt.datetime] = mapped_column(index=True)  # of the token; before, of the time to get it


class Sealed(Base):
    """A secret at rest: AES-256-GCM, bound to this row's id, opened only by vault.py."""

    __tablename__ = "sealed"

    id: Mapped[str] = mapped_column(
        String(120), primary_key=True
    )  # what it is: trip:<id>:verifier, consent:<id>:token, consent:<id>:payer, payment:<id>:token, …
    box: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime | None] = mapped_column(index=True)
