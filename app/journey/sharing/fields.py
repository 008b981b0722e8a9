"""Every field that a company is told, and what of them is its customer's. The one list: the page that shows a customer
what is given is made of it, and a test holds all answers and messages that are really sent against it.

A field is named ``<resource>.<path>``: the resource is that of the operation (``/bills/{bill_id}/proof`` is
``bills/proof``), of a webhook the word before the dot of its type, and lists are left out. Whoever adds one puts it
here: under what of the customer's it tells, or among those that tell nothing of them.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


class Way(enum.StrEnum):
    """How it reaches the company."""

    API = "api"  #: its program asks
    WEBHOOK = "webhook"  #: it is told
    MESSAGE = "message"  #: the answer to its request to pay (pain.014)


class Why(enum.StrEnum):
    NEEDED = "needed"  #: without it there would be no bill here, or nobody knew that it is paid
    CHOSEN = "chosen"  #: its customer said or did it, and nothing of it is told otherwise


class Withdraw(enum.StrEnum):
    """How its customer ends that it is given."""

    LEAVE = "leave"  #: the company is shown it no more from then on
    TAKE_BACK = "take_back"  #: of an answer that waits
    DROP = "drop"  #: of a plan that stands
    TAKE_ACCOUNT_BACK = "take_account_back"


class Key(enum.StrEnum):
    """What it is, in the words of the page."""

    NAME = "name"
    REFERENCE = "reference"
    ADDRESS = "address"
    CONNECTION = "connection"  #: that the two are connected, and since when
    UNSEEN = "unseen"  #: that a bill was not opened for days
    STATUS = "status"  #: of each bill, whether and how much of it is paid
    PAYMENT = (
        "payment"  #: of each payment its amount, days and reference: what a receipt says, without account and bank
    )
    ANSWER = "answer"
    PLAN = "plan"
    REFUND = "refund"  #: whether a refund has arrived
    ACCOUNT = "account"
    LOG = "log"  #: by which the log names its customer


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    key: Key
    why: Why
    withdraw: Withdraw | None
    fields: Mapping[Way, frozenset[str]]


def _of(resource: str, *names: str) -> set[str]:
    return {f"{resource}.{name}" for name in names}


def _given(key: Key, why: Why, withdraw: Withdraw | None = None, **fields: set[str]) -> Given:
    ways = {Way(name): frozenset(names) for name, names in fields.items()}
    return Given(key=key, why=why, withdraw=withdraw, fields=MappingProxyType(ways))


_SAID = ("kind", "state", "ended_by", "reason", "lines", "paid_on", "until", "instalments.pay_on", "instalments.amount")
#: in the order of the page. Nothing is given by default but what is NEEDED
GIVEN = (
    _given(Key.NAME, Why.NEEDED, Withdraw.LEAVE, api={"connections.customer_name"}),
    _given(
        Key.REFERENCE,
        Why.NEEDED,
        Withdraw.LEAVE,
        api={"connections.customer_reference"},
        webhook={"connection.customer_reference"},
    ),
    _given(Key.ADDRESS, Why.NEEDED, Withdraw.LEAVE, api={"connections.address"}),
    _given(
        Key.CONNECTION,
        Why.NEEDED,
        Withdraw.LEAVE,
        api={
            *_of("connections", "id", "status", "since", "sequence"),
            *_of("redemptions", "status", "connection_id"),
        },
        webhook=_of("connection", "connection_id", "status", "sequence"),
    ),
    _given(Key.UNSEEN, Why.NEEDED, webhook={"bill.days"}),
    _given(
        Key.STATUS,
        Why.NEEDED,
        api=_of(
            "bills",
            *("status", "amount_due", "held_back", "amount_paid", "paid_twice", "payments", "sequence"),
            *("discount_taken.until", "discount_taken.amount", "discount_taken.day"),
            *("refund_owed", "refund_unpromised"),
        ),
        webhook=_of("bill", "status", "amount", "sequence", "refund_owed"),
        message={"bills/answer.Document", "bills/answer"},
    ),
    _given(
        Key.PAYMENT,
        Why.NEEDED,
        api=_of(
            "payments",
            *("id", "status", "amount", "end_to_end_id", "decided_at", "pay_on", "settled_at", "updated_at"),
            "sequence",
        ),
        webhook=_of("payment", "payment_id", "status", "amount", "end_to_end_id", "sequence", "reason"),
    ),
    _given(
        Key.ANSWER,
        Why.CHOSEN,
        Withdraw.TAKE_BACK,
        api={
            *_of("answers", "id", "words", "said_at", "ended_at", "sequence", *_SAID),
            *_of("bills", "answer.id", "answer.kind", "answer.until"),
        },
        webhook=_of("answer", "answer_id", "sequence", *_SAID),
        message={"bills/answer.Document", "bills/answer"},
    ),
    _given(
        Key.PLAN,
        Why.CHOSEN,
        Withdraw.DROP,
        api=_of(
            "bills",
            *("plan.id", "plan.made_at", "plan.answer_id", "plan.days.pay_on", "plan.days.amount"),
        ),
        webhook=_of("plan", "plan_id", "state", "answer_id", "missed", "days.pay_on", "days.amount", "sequence"),
    ),
    _given(
        Key.REFUND,
        Why.CHOSEN,
        api=_of("refunds", "state", "updated_at", "sequence", "is_still_owed"),
        webhook=_of("refund", "state", "sequence"),
    ),
    _given(Key.ACCOUNT, Why.CHOSEN, Withdraw.TAKE_ACCOUNT_BACK, api=_of("refunds", "account", "has_account")),
    _given(Key.LOG, Why.NEEDED, api=_of("bills/proof", "facts.says", "facts.entry", "facts.salt")),
)
BY_KEY = {given.key: given for given in GIVEN}
FIELDS = frozenset(name for given in GIVEN for names in given.fields.values() for name in names)

#: what the company said or sent itself, our ids of that, and how a list goes on: nothing of them is its customer's
OTHERS = frozenset(
    {
        *_of("bills", "id", "number", "kind", "means", "amount", "currency", "corrects", "corrected_by", "taken_off"),
        *_of("bills", "not_applied_because", "superseded_by", "withdrawn_at", "withdrawal_reason", "delivered_at"),
        *_of("bills", "extended_to", "sha256", "held_at"),
        *_of("bills", "reasons.code", "reasons.detail", "reasons.pointer"),
        *_of("bills/proof", "format", "log", "checkpoint", "facts.number", "facts.path", "media_type", "document"),
        *_of("bills/conformance", "bill_id", "status", "rules", "checked_at", "findings.rule"),
        *_of("bills/conformance", "findings.severity", "findings.location", "findings.detail"),
        *_of("bill", "bill_id", "number", "currency", "correction.kind", "correction.bill_id"),
        *_of("bill", "correction.number", "correction.taken_off"),
        *_of("uploads", "id", "status", "sha256", "bills", "done", "delivered", "repeated", "held", "refused"),
        *_of("uploads", "started_at", "ended_at"),
        *_of("uploads/lines", "after", "line", "outcome", "id", "number"),
        *_of("uploads/lines", "problems.code", "problems.detail", "problems.pointer", "problems.actions"),
        *_of("redemptions", "id", "customer_reference", "presented_at", "expires_at"),
        *_of("connections", "expected_on", "after"),
        *_of("payments", "bill_id", "number", "currency"),
        *_of("payment", "bill_id", "number", "currency"),
        *_of("payments/confirmation", "payment_id", "received", "amount", "currency", "booked_on", "said_at"),
        *_of("answers", "bill_id", "number", "reply_by", "reply", "after"),
        *_of("answer", "bill_id", "number", "reply_by"),
        *_of("answer-policy", "more_time_days", "answer_days", "instalments_most", "instalments_days", "published_at"),
        *_of("plan", "bill_id", "number", "currency"),
        *_of("refunds", "id", "bill_id", "number", "amount", "currency", "promised_by", "promised_at", "sent_on"),
        *_of("refunds", "way", "reference", "after"),
        *_of("refund", "refund_id", "bill_id", "number", "amount", "currency", "promised_by", "sent_on"),
    }
)

_PREFIX = "/api/v1/"
#: the last part of an operation that answers with what it is done to
_VERBS = frozenset({"check", "confirm", "refuse", "end", "reply", "sent", "withdraw", "withdrawal"})


def resource_of(path: str) -> str:
    """Of a path, or of a template of paths, what its answer is about."""
    parts = [
        part for part in path.removeprefix(_PREFIX).split("/") if not re.match(r"[{<]|[a-z]+_[0-9a-f]{32}\Z", part)
    ]
    return "/".join(part for part in parts if part not in _VERBS)


def field_of(resource: str, path: str) -> str:
    """The name of a field in an answer, whether it stands alone or in a list of its kind."""
    first, _, rest = path.partition(".")
    inner = rest if rest and first == resource.rpartition("/")[2] else path
    return f"{resource}.{inner}" if inner else resource
