"""Tables of people: customers with passkeys and sessions, billers with API clients and payee accounts."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from app.people import names
from app.people.account_states import AccountState
from app.people.biller_states import BillerState
from app.people.recovery_states import RecoveryState
from consent.base import Base, Id
from consent.private import KeyKind, PrivateJSON, PrivateText


def _key_of_name(context: Any) -> str:
    return names.key(context.get_current_parameters()["name"])[:200]


class Customer(Base):
    """A person and their one space."""

    __tablename__ = "customer"
    __table_args__ = (Index(None, "mailbox_key"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(PrivateText(KeyKind.PROFILE, 100))
    # unverified when the space is made: it proves nothing, so two spaces may name the same one
    email: Mapped[str] = mapped_column(PrivateText(KeyKind.PROFILE, 254))
    #: which mailbox that is, for whoever knows the address and the key of this (`mailboxes.py`); null: of before there
    #: was one, and of whoever has erased their space
    mailbox_key: Mapped[str | None] = mapped_column(String(64))
    is_labelled: Mapped[bool] = mapped_column(default=False, server_default=false())  # the address: it has a ``+``
    #: when its customer showed that they get what is sent there; None: nothing is sent but the question. Of another
    #: address nobody has shown anything
    email_proven_at: Mapped[dt.datetime | None]
    email_changed_at: Mapped[dt.datetime | None]  # null: it is the one that the space was made with
    time_zone: Mapped[str] = mapped_column(String(60))
    locale: Mapped[str] = mapped_column(String(5))
    demo: Mapped[bool] = mapped_column(default=False)  # may be visited read-only while the demo setting is on
    created_at: Mapped[dt.datetime]
    erased_at: Mapped[dt.datetime | None]  # nobody can tell any more who it was (app/journey/erasure)


class Passkey(Base):
    """A WebAuthn credential. Only its public key is here."""

    __tablename__ = "passkey"

    credential_id: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int]
    backed_up: Mapped[bool]
    aaguid: Mapped[str] = mapped_column(String(36))
    name: Mapped[str] = mapped_column(PrivateText(KeyKind.PROFILE, 100))
    created_at: Mapped[dt.datetime]
    last_used_at: Mapped[dt.datetime | None]


class RemovedPasskey(Base):
    """A passkey that opens and signs nothing any more, by the signature of another one."""

    __tablename__ = "removed_passkey"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    name: Mapped[str] = mapped_column(PrivateText(KeyKind.PROFILE, 100))
    made_at: Mapped[dt.datetime]
    removed_at: Mapped[dt.datetime]
    evidence: Mapped[dict[str, Any]]  # the assertion of the other one; it names both


class CustomerSession(Base):
    """One sign-in on one device. The cookie holds the token, the row only its SHA-256."""

    __tablename__ = "customer_session"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    credential_id: Mapped[bytes | None] = mapped_column(LargeBinary)  # by which passkey; null: a demo visit
    read_only: Mapped[bool]  # a demo visit: looks, never acts
    # the recovery code, or the recovery, by which somebody came in without a passkey: they may make one, and no more
    way_back: Mapped[str | None] = mapped_column(Id)
    user_agent: Mapped[str] = mapped_column(PrivateText(KeyKind.PROFILE, 200))
    created_at: Mapped[dt.datetime]
    seen_at: Mapped[dt.datetime]


class PushDevice(Base):
    """A browser of a customer's that shows what they are told (Web Push, RFC 8030), until its sign-in is ended."""

    __tablename__ = "push_device"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    # its last sign-in, and by which passkey: the row of that may be gone, since nobody stays signed in for long
    session_id: Mapped[str] = mapped_column(Id)
    credential_id: Mapped[bytes] = mapped_column(LargeBinary)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)  # of the cookie by which it is known again
    # a keyed hash of where it is sent to: one browser is one device, whoever of its people said so last
    endpoint_key: Mapped[str] = mapped_column(String(64), unique=True)
    subscription: Mapped[dict[str, Any]] = mapped_column(PrivateJSON(KeyKind.PROFILE, gone=dict))
    user_agent: Mapped[str] = mapped_column(PrivateText(KeyKind.PROFILE, 200))
    created_at: Mapped[dt.datetime]
    taken_at: Mapped[dt.datetime | None]  # when its push service last took a message


class Ceremony(Base):
    """A passkey challenge that was handed out: bound to what it is for, taken once, good for five minutes."""

    __tablename__ = "ceremony"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(20))
    customer_id: Mapped[str | None] = mapped_column(ForeignKey("customer.id"))
    challenge: Mapped[bytes] = mapped_column(LargeBinary)
    data: Mapped[dict[str, Any]]
    expires_at: Mapped[dt.datetime] = mapped_column(index=True)


class Stop(Base):
    """A customer stopped everything ("that was not me"): while it stands nothing of theirs is started."""

    __tablename__ = "stop"
    __table_args__ = (
        Index(
            "uq_stop_standing",
            "customer_id",
            unique=True,
            sqlite_where=text("lifted_at IS NULL"),
            postgresql_where=text("lifted_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    session_id: Mapped[str] = mapped_column(Id)  # in which: its row may be gone; of one for a recovery, that
    paused_by: Mapped[str | None] = mapped_column(ForeignKey("recovery.id"))  # it only pauses; null: all was stopped
    at: Mapped[dt.datetime]
    lifted_at: Mapped[dt.datetime | None]
    lifted_evidence: Mapped[dict[str, Any] | None]  # the passkey assertion


class OperatorAccess(Base):
    """Somebody of the operator's read what stands in a customer's space, and said why."""

    __tablename__ = "operator_access"
    __table_args__ = (CheckConstraint("what IN ('held_bill', 'bill', 'payment')", name="what_known"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    by: Mapped[str] = mapped_column(String(60))  # a person
    what: Mapped[str] = mapped_column(String(9))
    subject_id: Mapped[str] = mapped_column(Id)  # of the held bill, the bill (its invoice) or the payment
    because: Mapped[str] = mapped_column(String(300))
    at: Mapped[dt.datetime]


class RecoveryCode(Base):
    """Opens a customer's space once, for who has no passkey left to make a new one. Only its SHA-256 is here."""

    __tablename__ = "recovery_code"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    made_at: Mapped[dt.datetime]
    used_at: Mapped[dt.datetime | None]  # for ever


class Recovery(Base):
    """A way back in by e-mail, for who has neither passkey nor code: it opens after a wait, in one browser."""

    __tablename__ = "recovery"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'done', 'stopped', 'replaced', 'expired')", name="state_known"),
        CheckConstraint("(state = 'waiting') = (ended_at IS NULL)", name="end_has_its_moment"),
        CheckConstraint("opens_at > began_at AND expires_at > opens_at", name="moments_in_order"),
        Index(
            "uq_recovery_waiting",
            "customer_id",
            unique=True,
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    browser_hash: Mapped[str] = mapped_column(String(64), unique=True)  # SHA-256 of its cookie's value
    state: Mapped[str] = mapped_column(String(8), default=RecoveryState.WAITING)
    warned: Mapped[int] = mapped_column(default=0)  # how often, after it had begun
    began_at: Mapped[dt.datetime]
    opens_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime]
    ended_at: Mapped[dt.datetime | None]
    evidence: Mapped[dict[str, Any] | None]  # what a passkey signed: the one that stopped it, or the new one when made


class RecoveryAttempt(Base):
    """Somebody asked for words by e-mail. The address is sealed beside it, and so are the words of each customer."""

    __tablename__ = "recovery_attempt"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)  # of the cookie's value, in the browser that asked
    recovery_id: Mapped[str | None] = mapped_column(ForeignKey("recovery.id"))  # which the words open; null: begin one
    customers: Mapped[list[Any]]  # ids of those who were written to; none: there is nobody to write to
    tries: Mapped[int] = mapped_column(default=0)
    expires_at: Mapped[dt.datetime] = mapped_column(index=True)


class ToolToken(Base):
    """By which a customer's own tool may read what is here, and do nothing. The row holds only its SHA-256."""

    __tablename__ = "tool_token"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    name: Mapped[str] = mapped_column(PrivateText(KeyKind.PROFILE, 100))
    scope: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[dt.datetime]
    last_used_at: Mapped[dt.datetime | None]
    ended_at: Mapped[dt.datetime | None]


class Biller(Base):
    """A company that may deliver bills once it is vetted. It can never start a payment."""

    __tablename__ = "biller"
    __table_args__ = (
        CheckConstraint(
            "state IN ('proposed', 'approved_once', 'vetted', 'suspended', 'returning', 'refused')", name="state_known"
        ),
        CheckConstraint(
            "state NOT IN ('vetted', 'suspended', 'returning') OR vetted_since IS NOT NULL", name="has_its_day"
        ),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    vat_id: Mapped[str | None] = mapped_column(String(20))  # bills must name no other one; unique by BillerIdentifier
    country: Mapped[str] = mapped_column(String(2))
    name_key: Mapped[str] = mapped_column(String(200), default=_key_of_name)  # by which customers find it
    state: Mapped[str] = mapped_column(String(13), default=BillerState.PROPOSED)
    vetted_since: Mapped[dt.datetime | None]  # null: two people never approved it
    sequence: Mapped[int] = mapped_column(default=0)  # of the last line of its history
    created_at: Mapped[dt.datetime]


class BillerIdentifier(Base):
    """A number of a biller in a public register, and what the register said of it last."""

    __tablename__ = "biller_identifier"
    __table_args__ = (
        Index(
            "uq_biller_identifier_held",
            "scheme",
            "value_key",
            unique=True,
            sqlite_where=text("released_at IS NULL"),
            postgresql_where=text("released_at IS NULL"),
        ),
    )

    biller_id: Mapped[str] = mapped_column(ForeignKey("biller.id"), primary_key=True)
    scheme: Mapped[str] = mapped_column(String(10), primary_key=True)  # app.people.identifiers.Scheme
    value: Mapped[str] = mapped_column(String(20))
    value_key: Mapped[str] = mapped_column(String(24))  # the same for all its forms: app.people.identifiers.key_of
    registered_at: Mapped[dt.datetime | None]  # null: known from before billers had a history
    outcome: Mapped[str | None] = mapped_column(String(12))  # connectors.company_register.Found; null: not asked
    name_found: Mapped[str | None] = mapped_column(String(140))  # the legal name, as the register has it
    asked_at: Mapped[dt.datetime | None]
    released_at: Mapped[dt.datetime | None]  # its biller was refused: another one may have it


class BillerHistory(Base):
    """Who did what about a biller. Append-only."""

    __tablename__ = "biller_history"

    biller_id: Mapped[str] = mapped_column(ForeignKey("biller.id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    step: Mapped[str] = mapped_column(String(10))
    before: Mapped[str | None] = mapped_column(String(13))
    after: Mapped[str] = mapped_column(String(13))
    by: Mapped[str] = mapped_column(String(60))  # an operator
    note: Mapped[str | None] = mapped_column(String(300))  # why, in their words
    doubted: Mapped[bool] = mapped_column(default=False)  # something spoke against it: who approves it must say why
    evidence: Mapped[dict[str, Any] | None]  # what was known then: numbers, answers of registers, look-alikes
    at: Mapped[dt.datetime]


class PayeeAccount(Base):
    """An account that is said to be the biller's. A bill that names one which is not open is held.

    Open: approved by two people, and its time has come (``accounts.is_open``).
    """

    __tablename__ = "payee_account"
    __table_args__ = (
        UniqueConstraint("biller_id", "iban"),
        CheckConstraint(
            "state IN ('proposed', 'approved_once', 'approved', 'frozen', 'thawing', 'closed')", name="state_known"
        ),
        CheckConstraint(
            "state NOT IN ('approved', 'frozen', 'thawing') OR active_from IS NOT NULL", name="has_its_day"
        ),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    biller_id: Mapped[str] = mapped_column(ForeignKey("biller.id"))
    iban: Mapped[str] = mapped_column(String(34))
    holder: Mapped[str] = mapped_column(String(70))
    state: Mapped[str] = mapped_column(String(13), default=AccountState.PROPOSED)
    # since when, or from when, it may be paid to; null: it never had two approvals
    active_from: Mapped[dt.datetime | None]
    # what the payee's bank said of name and account: connectors.payee_name. Null: not asked since it was proposed
    name_check: Mapped[str | None] = mapped_column(String(12))
    name_found: Mapped[str | None] = mapped_column(String(140))  # of a close match: the name that the bank has
    sequence: Mapped[int] = mapped_column(default=0)  # of the last line of its history
    created_at: Mapped[dt.datetime]


class PayeeAccountHistory(Base):
    """Who did what about a payee account. Append-only."""

    __tablename__ = "payee_account_history"

    account_id: Mapped[str] = mapped_column(ForeignKey("payee_account.id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    step: Mapped[str] = mapped_column(String(10))
    before: Mapped[str | None] = mapped_column(String(13))
    after: Mapped[str] = mapped_column(String(13))
    holder: Mapped[str] = mapped_column(String(70))  # whose it was said to be
    by: Mapped[str] = mapped_column(String(60))  # an operator
    note: Mapped[str | None] = mapped_column(String(300))  # why, in their words
    name_check: Mapped[str | None] = mapped_column(String(12))  # as they saw it
    name_found: Mapped[str | None] = mapped_column(String(140))
    active_from: Mapped[dt.datetime | None]
    at: Mapped[dt.datetime]


class ApiClient(Base):
    """A program of a biller: its public keys and what it may do."""

    __tablename__ = "api_client"

    client_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    biller_id: Mapped[str] = mapped_column(ForeignKey("biller.id"), index=True)
    jwks: Mapped[dict[str, Any]]
    scope: Mapped[str] = mapped_column(String(200))  # granted, space-separated
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[dt.datetime]


class SealingKey(Base):
    """A public key with which a biller seals its bills, and when it is good."""

    __tablename__ = "sealing_key"
    __table_args__ = (UniqueConstraint("biller_id", "kid"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    biller_id: Mapped[str] = mapped_column(ForeignKey("biller.id"))
    kid: Mapped[str] = mapped_column(String(100))
    jwk: Mapped[dict[str, Any]]
    valid_from: Mapped[dt.datetime]
    valid_until: Mapped[dt.datetime]
    registered_at: Mapped[dt.datetime]
    revoked_at: Mapped[dt.datetime | None]  # when we were told
    revoked_since: Mapped[dt.datetime | None]  # from then on nothing that it sealed is sealed
    revoked_because: Mapped[str | None] = mapped_column(String(200))


class UsedAssertion(Base):
    """A client assertion's jti, kept until it expires: the primary key is the replay guard, right across processes."""

    __tablename__ = "used_assertion"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[dt.datetime] = mapped_column(index=True)
