"""What is written into the log: for each kind of fact the table that has it, and the columns that are said of it.

A row that one of these names never changes in them again. So an entry can be compared with its row for ever, and an
operator who edits the row is found out. Tables go by their names here: the log stands below the rooms that own them.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from consent.private import KeyKind


class Kind(enum.StrEnum):
    """A kind of fact, as it stands in an entry."""

    BILLER_REGISTERED = "biller.registered"
    BILLER_IDENTIFIED = "biller.identified"
    BILLER_STEP = "biller.step"
    KEY_REGISTERED = "key.registered"
    KEY_REVOKED = "key.revoked"
    ACCOUNT_PROPOSED = "account.proposed"
    ACCOUNT_STEP = "account.step"
    BILL_DELIVERED = "bill.delivered"
    INVOICE_OPENED = "invoice.opened"
    BILL_ANSWERED = "bill.answered"
    ANSWER_ENDED = "answer.ended"
    REFUND_PROMISED = "refund.promised"
    REFUND_STEP = "refund.step"
    REFUND_ACCOUNT = "refund.account"
    PAYMENT_DECIDED = "payment.decided"
    BANK_CALL = "bank.call"
    BANK_ATTEMPT = "bank.attempt"
    BANK_ANSWER = "bank.answer"
    PAYMENT_STEP = "payment.step"
    RECEIPT_ISSUED = "receipt.issued"
    CONSENT_AGREED = "consent.agreed"
    CONSENT_STEP = "consent.step"
    CUSTOMER_STOPPED = "customer.stopped"
    STOP_LIFTED = "stop.lifted"
    PASSKEY_REMOVED = "passkey.removed"
    OPERATOR_ACCESS = "operator.access"
    CODE_USED = "recovery_code.used"
    RECOVERY_BEGUN = "recovery.begun"
    RECOVERY_ENDED = "recovery.ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the facts of one kind stand."""

    table: str
    key: tuple[str, ...]  #: columns of the primary key: together the subject of the entry
    since: str  #: the column with the time from which on each row has an entry
    columns: tuple[str, ...]  #: what is said
    #: of these, columns that entries of before they were there do not say, with what the rows of such entries have
    added: Mapping[str, object] = field(default_factory=dict)
    digests: tuple[str, ...] = ()  #: columns with bytes or JSON, of which the SHA-256 is said
    only: str = ""  #: SQL: which rows are facts of this kind
    #: with which of its customer's keys it is sealed: with that of the profile where it says what goes when they erase
    #: their space. None: it is a company's, and stands in clear
    key_kind: KeyKind | None = KeyKind.RECORD
    #: by which rows a row is its customer's, where it does not say so itself: column, and the table that it refers to
    through: tuple[tuple[str, str], ...] = ()

    @property
    def subject(self) -> str:
        """The same as SQL, of the table ``fact``."""
        return " || '/' || ".join(f"fact.{name}" for name in self.key)

    @property
    def theirs(self) -> str:
        """As SQL, which rows of the table are ``:customer``'s. Not of a company's facts."""
        found = "customer_id = :customer"
        for name, table in reversed(self.through):
            found = f"{name} IN (SELECT id FROM {table} WHERE {found})"  # noqa: S608  # nosec B608  # our names
        return found


SOURCES = {
    Kind.BILLER_REGISTERED: Source(
        table="biller",
        key=("id",),
        since="created_at",
        columns=("id", "name", "vat_id", "country", "created_at"),
        key_kind=None,
    ),
    Kind.BILLER_IDENTIFIED: Source(
        table="biller_identifier",
        key=("biller_id", "scheme"),
        since="registered_at",
        columns=("biller_id", "scheme", "value", "registered_at"),
        key_kind=None,
    ),
    Kind.BILLER_STEP: Source(
        table="biller_history",
        key=("biller_id", "sequence"),
        since="at",
        columns=("biller_id", "sequence", "step", "before", "after", "by", "note", "at"),
        digests=("evidence",),
        only="step <> 'bring_over'",  # of before there was anything to write down
        key_kind=None,
    ),
    Kind.KEY_REGISTERED: Source(
        table="sealing_key",
        key=("id",),
        since="registered_at",
        columns=("id", "biller_id", "kid", "jwk", "valid_from", "valid_until", "registered_at"),
        key_kind=None,
    ),
    Kind.KEY_REVOKED: Source(
        table="sealing_key",
        key=("id",),
        since="revoked_at",
        columns=("id", "biller_id", "kid", "revoked_at", "revoked_since", "revoked_because"),
        only="revoked_at IS NOT NULL",
        key_kind=None,
    ),
    Kind.ACCOUNT_PROPOSED: Source(
        table="payee_account",
        key=("id",),
        since="created_at",
        columns=("id", "biller_id", "iban", "created_at"),
        key_kind=None,
    ),
    Kind.ACCOUNT_STEP: Source(
        table="payee_account_history",
        key=("account_id", "sequence"),
        since="at",
        columns=(
            "account_id",
            "sequence",
            "step",
            "before",
            "after",
            "holder",
            "by",
            "note",
            "name_check",
            "name_found",
            "active_from",
            "at",
        ),
        key_kind=None,
    ),
    Kind.BILL_DELIVERED: Source(
        table="delivered_bill",
        key=("id",),
        since="delivered_at",
        columns=(
            "id",
            "biller_id",
            "customer_id",
            "client_id",
            "number",
            "kind",
            "means",
            "corrects_number",
            "currency",
            "amount_minor",
            "media_type",
            "sha256",
            "seal",
            "key_id",
            "delivered_at",
        ),
        key_kind=KeyKind.PROFILE,
    ),
    Kind.INVOICE_OPENED: Source(
        table="invoice",
        key=("id",),
        since="opened_at",
        columns=(
            "id",
            "bill_id",
            "customer_id",
            "biller_id",
            "number",
            "currency",
            "amount_minor",
            "discount_minor",
            "discount_until",
            "later_discounts",
            "late_fee_minor",
            "late_fee_from",
            "issued_on",
            "due_on",
            "expires_on",
            "means",
            "payee_name",
            "payee_iban",
            "reference",
            "order_reference",
            "lines",
            "note",
            "terms",
            "opened_at",
        ),
        added={"later_discounts": [], "late_fee_minor": 0, "late_fee_from": None},
        only="bill_id IS NOT NULL",  # a bill that its customer added may be removed, and leaves nothing
        key_kind=KeyKind.PROFILE,
    ),
    Kind.BILL_ANSWERED: Source(
        table="bill_answer",
        key=("id",),
        since="said_at",
        columns=(
            "id",
            "invoice_id",
            "customer_id",
            "biller_id",
            "kind",
            "reason",
            "words",
            "lines",
            "paid_on",
            "until",
            "reply_by",
            "said_at",
            "instalments",
            "paid_minor",
        ),
        added={"instalments": None, "paid_minor": None},
        only="biller_id IS NOT NULL",  # a bill that its customer added may be removed, and leaves nothing
        key_kind=KeyKind.PROFILE,
    ),
    Kind.ANSWER_ENDED: Source(
        table="bill_answer",
        key=("id",),
        since="ended_at",
        columns=("id", "state", "ended_by", "reply", "ended_at"),
        only="biller_id IS NOT NULL AND ended_at IS NOT NULL",
        key_kind=KeyKind.PROFILE,
    ),
    Kind.REFUND_PROMISED: Source(
        table="refund",
        key=("id",),
        since="said_at",
        columns=(
            "id",
            "invoice_id",
            "customer_id",
            "biller_id",
            "number",
            "currency",
            "amount_minor",
            "owed_minor",
            "promised_by",
            "said_at",
        ),
    ),
    Kind.REFUND_STEP: Source(
        table="refund_history",
        key=("refund_id", "sequence"),
        since="at",
        columns=(
            "refund_id",
            "sequence",
            "step",
            "before",
            "after",
            "source",
            "words",
            "sent_on",
            "way",
            "reference",
            "at",
        ),
        key_kind=KeyKind.PROFILE,
        through=(("refund_id", "refund"),),
    ),
    # that one was released, and by which signature: nothing of the account itself
    Kind.REFUND_ACCOUNT: Source(
        table="refund_account",
        key=("id",),
        since="released_at",
        columns=("id", "refund_id", "released_at"),
        digests=("evidence",),
        only="released_at IS NOT NULL",
        through=(("refund_id", "refund"),),
    ),
    Kind.PAYMENT_DECIDED: Source(
        table="decision",
        key=("id",),
        since="decided_at",
        columns=(
            "id",
            "customer_id",
            "invoice_id",
            "verb",
            "currency",
            "amount_minor",
            "discount_minor",
            "credited_minor",
            "earlier_paid",
            "earlier_not_here",
            "pay_on",
            "bank_id",
            "payee_name",
            "payee_iban",
            "reference",
            "payment_id",
            "payee_check_id",
            "decided_at",
        ),
        digests=("evidence",),  # it names the passkey, by which strangers could link receipts
    ),
    Kind.BANK_CALL: Source(
        table="bank_call",
        key=("id",),
        since="made_at",
        columns=("id", "payment_id", "verb", "request_id", "method", "path", "made_at"),
        digests=("body",),
        through=(("payment_id", "payment"),),
    ),
    Kind.BANK_ATTEMPT: Source(
        table="bank_attempt",
        key=("call_id", "number"),
        since="sent_at",
        columns=("call_id", "number", "sent_at"),
        through=(("call_id", "bank_call"), ("payment_id", "payment")),
    ),
    Kind.BANK_ANSWER: Source(
        table="bank_attempt",
        key=("call_id", "number"),
        since="answered_at",
        columns=("call_id", "number", "outcome", "answered_at"),
        digests=("answer",),
        only="answered_at IS NOT NULL",
        through=(("call_id", "bank_call"), ("payment_id", "payment")),
    ),
    Kind.PAYMENT_STEP: Source(
        table="payment_history",
        key=("payment_id", "sequence"),
        since="at",
        columns=("payment_id", "sequence", "before", "after", "source", "evidence", "at"),
        digests=("answer",),
        through=(("payment_id", "payment"),),
    ),
    Kind.RECEIPT_ISSUED: Source(
        table="receipt",
        key=("id",),
        since="issued_at",
        columns=("id", "payment_id", "customer_id", "number", "fact", "issued_at"),
    ),
    Kind.CONSENT_AGREED: Source(
        table="standing",
        key=("consent_id",),
        since="agreed_at",
        columns=(
            "consent_id",
            "customer_id",
            "biller_id",
            "bank_id",
            "payee_name",
            "payee_iban",
            "currency",
            "each_minor",
            "vrp_type",
            "days",
            "begins_on",
            "ends_on",
            "shown_hash",
            "agreed_at",
        ),
        digests=("limits", "evidence", "body"),
    ),
    Kind.CONSENT_STEP: Source(
        table="consent_history",
        key=("consent_id", "sequence"),
        since="at",
        columns=("consent_id", "sequence", "step", "before", "after", "source", "evidence", "at"),
        digests=("answer",),
        through=(("consent_id", "consent"),),
    ),
    Kind.CUSTOMER_STOPPED: Source(
        table="stop", key=("id",), since="at", columns=("id", "customer_id", "session_id", "at")
    ),
    Kind.STOP_LIFTED: Source(
        table="stop",
        key=("id",),
        since="lifted_at",
        columns=("id", "customer_id", "lifted_at"),
        digests=("lifted_evidence",),
        only="lifted_at IS NOT NULL",
    ),
    Kind.PASSKEY_REMOVED: Source(
        table="removed_passkey",
        key=("id",),
        since="removed_at",
        columns=("id", "customer_id", "made_at", "removed_at"),
        digests=("evidence",),
        key_kind=KeyKind.PROFILE,
    ),
    Kind.OPERATOR_ACCESS: Source(
        table="operator_access",
        key=("id",),
        since="at",
        columns=("id", "customer_id", "by", "what", "subject_id", "because", "at"),
    ),
    # by which somebody came to a new passkey without one of before: nothing of the code itself
    Kind.CODE_USED: Source(
        table="recovery_code",
        key=("id",),
        since="used_at",
        columns=("id", "customer_id", "made_at", "used_at"),
        only="used_at IS NOT NULL",
        key_kind=KeyKind.PROFILE,
    ),
    Kind.RECOVERY_BEGUN: Source(
        table="recovery",
        key=("id",),
        since="began_at",
        columns=("id", "customer_id", "began_at", "opens_at"),
        key_kind=KeyKind.PROFILE,
    ),
    Kind.RECOVERY_ENDED: Source(
        table="recovery",
        key=("id",),
        since="ended_at",
        columns=("id", "customer_id", "state", "ended_at"),
        digests=("evidence",),
        only="ended_at IS NOT NULL",
        key_kind=KeyKind.PROFILE,
    ),
}


def without_entry(kind: Kind, *, where: str = "") -> str:
    """SQL for the subjects of the facts that stand in no entry. ``where``: which rows of ``fact`` are asked for."""
    source = SOURCES[kind]
    conditions = [f"fact.{source.since} >= (SELECT begun_at FROM log_head)"]  # noqa: S608  # nosec B608  # our names
    conditions += [f"fact.{source.only}"] if source.only else []
    conditions += [where] if where else []
    return (
        f"SELECT {source.subject} FROM {source.table} fact WHERE {' AND '.join(conditions)}"  # noqa: S608  # nosec B608  # our names
        f" AND NOT EXISTS (SELECT 1 FROM log_entry e WHERE e.subject = {source.subject} AND e.kind = '{kind.value}')"
    )
