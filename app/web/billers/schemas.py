"""The public words of the billers' API. A field that is not named here never leaves the house."""

from __future__ import annotations

import datetime as dt
from typing import Any, Protocol

import marshmallow as ma
from marshmallow import fields, validate
from typing_extensions import override

from app.audit.proofs import FORMAT
from app.journey.answers.models import EndedBy
from app.journey.answers.rules import (
    ANSWER_DAYS,
    ANSWER_DAYS_MOST,
    INSTALMENTS_MOST,
    MORE_TIME_MOST,
    WORDS_MAX,
    Reason,
)
from app.journey.answers.states import AnswerKind, AnswerState
from app.journey.connections.models import REFERENCE_MAX
from app.journey.connections.states import Told
from app.journey.corrections.models import REASON_MAX
from app.journey.corrections.states import Because
from app.journey.intake.bill import BillKind
from app.journey.intake.means import MeansKind
from connectors.money import Money

STATUSES = ("open", "paid", "failed")


class _WithAmount(Protocol):
    @property
    def amount(self) -> Money: ...


class Amount(fields.Field[Money]):
    """Money as a decimal string with exactly the currency's digits (``84.20``, ``8400`` yen): never a JSON number."""

    PATTERN = r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,3})?$"

    @override
    def _serialize(self, value: Money | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else str(value)


class _Id(fields.String):
    """One of our ids: its kind, an underscore, 32 hexadecimal digits."""

    def __init__(self, kind: str, description: str) -> None:
        example = f"{kind}_019b0c7a1f2e7d3c8a4b5c6d7e8f9a0b"
        super().__init__(
            required=True,
            metadata={"pattern": f"^{kind}_[0-9a-f]{{32}}$", "example": example, "description": description},
        )


def _number() -> fields.String:
    return fields.String(
        required=True,
        metadata={"example": "AQ-2026-0042", "description": "The bill's number, as you wrote it."},
    )


def _moment(description: str, *, allow_none: bool = False, attribute: str | None = None) -> fields.AwareDateTime:
    return fields.AwareDateTime(
        format="iso",
        default_timezone=dt.UTC,
        required=True,
        allow_none=allow_none,
        attribute=attribute,
        metadata={"example": "2026-11-22T09:30:00+00:00", "description": description},
    )


def _amount() -> Amount:
    return Amount(required=True, metadata={"example": "84.20", "description": "With exactly the currency's digits."})


def _currency() -> fields.Function:
    return fields.Function(
        _currency_of,
        required=True,
        metadata={"type": "string", "example": "EUR", "pattern": "^[A-Z]{3}$", "description": "ISO 4217."},
    )


def _currency_of(shown: _WithAmount) -> str:
    return shown.amount.currency


class _MayHaveAmount(Protocol):
    @property
    def amount(self) -> Money | None: ...


def _currency_if_any(shown: _MayHaveAmount) -> str | None:
    return shown.amount.currency if shown.amount is not None else None


class AcknowledgementSchema(ma.Schema):
    """We have the bill, durably. The same answer for the same bytes, however often."""

    id = _Id("bill", "Our id of the bill.")
    number = _number()
    sha256 = fields.String(
        required=True,
        metadata={
            "pattern": "^[0-9a-f]{64}$",
            "example": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "description": "SHA-256 of the bytes as you sent them.",
        },
    )
    delivered_at = _moment("When we took it.")


class DoubtSchema(ma.Schema):
    """Why somebody must look at a bill before it can be paid."""

    code = fields.String(required=True, metadata={"example": "account-not-registered", "description": "Stable."})
    detail = fields.String(required=True, metadata={"description": "What it is, in a sentence."})
    pointer = fields.String(
        required=True, attribute="element", metadata={"example": "payee", "description": "Where in the bill."}
    )


class HeldSchema(ma.Schema):
    """We have the bill, durably, and somebody must look at it first. The customer sees it as not verified."""

    id = _Id("hld", "Our id of the held bill.")
    number = _number()
    sha256 = fields.String(
        required=True,
        metadata={"pattern": "^[0-9a-f]{64}$", "description": "SHA-256 of the bytes as you sent them."},
    )
    held_at = _moment("When we took it.")
    reasons = fields.List(fields.Nested(DoubtSchema), required=True, metadata={"minItems": 1})


class RequestAnswerSchema(ma.Schema):
    """A pain.014 document in the JSON of SEPA Request-to-Pay (EPC133-22)."""

    Document = fields.Dict(required=True, metadata={"description": "With a CdtrPmtActvtnReqStsRpt in it."})


class FindingSchema(ma.Schema):
    """A rule of EN 16931 that the bill does not keep."""

    rule = fields.String(
        required=True,
        metadata={
            "example": "BR-CO-15",
            "description": "As the standard calls it; empty where the rules could not be applied to this bill at all.",
        },
    )
    severity = fields.String(required=True, validate=validate.OneOf(("fatal", "warning")))
    location = fields.String(required=True, metadata={"description": "XPath of the element."})
    detail = fields.String(required=True, metadata={"description": "What the rule says."})


class ConformanceSchema(ma.Schema):
    """Whether a bill keeps the official rules of EN 16931. Your customer sees and can pay it either way."""

    bill_id = _Id("bill", "The bill.")
    status = fields.String(
        required=True,
        validate=validate.OneOf(("conforms", "findings", "not-checked")),
        metadata={
            "description": "not-checked: not yet, or a format that the rules are not about, or this installation has"
            " no rules."
        },
    )
    rules = fields.String(
        required=True, allow_none=True, metadata={"example": "EN16931-UBL-validation", "description": "Which rules."}
    )
    checked_at = _moment("When it was held against them.", allow_none=True)
    findings = fields.List(fields.Nested(FindingSchema), required=True)


class FactSchema(ma.Schema):
    """One fact of the log, with the path from it to the root that the checkpoint has (RFC 6962)."""

    number = fields.Integer(required=True, metadata={"minimum": 0, "description": "Its place in the log, from 0."})
    entry = fields.String(required=True, metadata={"description": "The entry, byte by byte: its hash is in the tree."})
    says = fields.String(required=True, metadata={"description": "What the entry committed to, byte by byte."})
    salt = fields.String(required=True, metadata={"description": "Base64. HMAC-SHA-256 of says under it: commitment."})
    path = fields.List(fields.String(), required=True, metadata={"description": "Hashes in Base64, upwards."})


class ProofSchema(ma.Schema):
    """What a stranger can check offline, with the log's public key."""

    format = fields.String(required=True, metadata={"example": FORMAT})
    log = fields.String(
        required=True,
        metadata={"description": "The log's public key (C2SP signed note). Hold it against a copy that you trust."},
    )
    checkpoint = fields.String(
        required=True,
        metadata={"description": "Signed note over size and root of the log (C2SP tlog-checkpoint). Keep it."},
    )
    facts = fields.List(fields.Nested(FactSchema), required=True)
    media_type = fields.String(required=True, metadata={"description": "Of the document."})
    document = fields.String(required=True, metadata={"description": "The delivered bytes in Base64."})


def _count(description: str, example: int = 0) -> fields.Integer:
    return fields.Integer(required=True, metadata={"minimum": 0, "example": example, "description": description})


class UploadSchema(ma.Schema):
    """A file of many bills, and how far we are with it."""

    id = _Id("upl", "Our id of the upload.")
    status = fields.String(
        required=True,
        attribute="state",
        validate=validate.OneOf(("working", "done")),
        metadata={"description": "working: we have the file, durably · done: every line has its result."},
    )
    sha256 = fields.String(
        required=True,
        metadata={"pattern": "^[0-9a-f]{64}$", "description": "SHA-256 of the file as you sent it."},
    )
    bills = _count("Lines with something in them.", 100_000)
    done = _count("Lines that have their result.", 62_500)
    delivered = _count("In their customers' spaces.", 62_400)
    repeated = _count("In their customers' spaces since before: the very same bytes.")
    held = _count("In their customers' spaces as not verified: somebody must look first.", 60)
    refused = _count("Not taken.", 40)
    started_at = _moment("When we began to receive it.")
    ended_at = _moment("When every line had its result.", allow_none=True)


_ACTIONS = {
    "example": ["redeem-code", "redeem-address", "other-channel"],
    "description": "What you can do instead, for a program: stable. Absent where it is to mend the request.",
}


class LineProblemSchema(DoubtSchema):
    """Why a line was refused or held."""

    actions = fields.List(fields.String(), metadata=_ACTIONS)


class UploadLineSchema(ma.Schema):
    """What became of one line."""

    line = fields.Integer(required=True, metadata={"minimum": 1, "description": "Its number in the file, from 1."})
    outcome = fields.String(required=True, validate=validate.OneOf(("delivered", "repeated", "held", "refused")))
    id = fields.String(
        required=True,
        allow_none=True,
        attribute="bill_id",
        metadata={
            "pattern": "^(bill|hld)_[0-9a-f]{32}$",
            "description": "Our id of the bill; of a held one, of the held bill; null where it is refused.",
        },
    )
    number = fields.String(
        required=True, allow_none=True, metadata={"description": "The bill's number; null where it could not be read."}
    )
    problems = fields.List(
        fields.Nested(LineProblemSchema),
        required=True,
        metadata={"description": "Why it is refused or held; otherwise empty. Codes are those of a single delivery."},
    )


class UploadLinesSchema(ma.Schema):
    """Results of lines, in the order of the file."""

    lines = fields.List(fields.Nested(UploadLineSchema), required=True)
    after = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "Ask with this ?after= for the next ones; null when there are none yet."},
    )


def _bill_link(description: str) -> fields.String:
    return _link("bill", description)


def _link(kind: str, description: str) -> fields.String:
    return fields.String(
        required=True,
        allow_none=True,
        metadata={"pattern": f"^{kind}_[0-9a-f]{{32}}$", "description": description},
    )


def _day(description: str, *, allow_none: bool = True) -> fields.Date:
    return fields.Date(
        required=True, allow_none=allow_none, metadata={"example": "2026-12-15", "description": description}
    )


class OpenAnswerSchema(ma.Schema):
    """What your customer says of a bill, as long as that stands. All of it under its id, for the scope answers:read."""

    id = _Id("ans", "Our id of the answer.")
    kind = fields.String(required=True, validate=validate.OneOf([kind.value for kind in AnswerKind]))
    until = _day("Of more_time: the day until which your customer asks for time; of instalments: the last one's.")


class PlannedDaySchema(ma.Schema):
    """One day on which your customer means to pay."""

    pay_on = _day("In your customer's own calendar.", allow_none=False)
    amount = Amount(required=True, metadata={"example": "40.00", "description": "That is left to pay for that day."})


class PlanSchema(ma.Schema):
    """When your customer means to pay the bill. They are asked on each day, and promise nothing by it."""

    id = _Id("pln", "Our id of the plan.")
    made_at = _moment("When it was made.")
    answer_id = _link("ans", "The instalments that you said yes to; null: your customer's own plan.")
    days = fields.List(
        fields.Nested(PlannedDaySchema), required=True, metadata={"description": "One to twelve, in their order."}
    )


class TakenDiscountSchema(ma.Schema):
    """One of the discounts of a bill, as it was taken."""

    until = _day("The last day of that discount, as you delivered it.", allow_none=False)
    amount = Amount(
        required=True,
        metadata={"example": "1.68", "description": "What it took off: of what you asked then, the share of it."},
    )
    day = _day("Your customer's own calendar day that counted.", allow_none=False)


class DeliveredBillSchema(ma.Schema):
    """A bill or a credit note that you delivered. Nothing about who pays it, or from where."""

    id = _Id("bill", "Our id of the bill.")
    number = _number()
    kind = fields.String(required=True, validate=validate.OneOf([kind.value for kind in BillKind]))
    means = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf([kind.value for kind in MeansKind]),
        metadata={
            "description": "How it is paid, as we read it. credit_transfer: your customer can pay it here ·"
            " direct_debit, card: you collect it · elsewhere: in another way, as to an account without an IBAN. Of a"
            " credit note null."
        },
    )
    status = fields.String(
        required=True,
        validate=validate.OneOf(("open", "paid", "not_paid_here", "closed")),
        metadata={
            "description": "open: to be paid, or a payment is under way · paid · not_paid_here: your customer can"
            " never pay it here, for its means is not credit_transfer; whether it was paid we are not told ·"
            " closed: nothing of it is asked any more, since you credited it whole, withdrew it or replaced it. Of a"
            " credit note: open while the bill that it takes its amount off is not there, closed once it is applied."
        },
    )
    amount = Amount(required=True, metadata={"example": "84.20", "description": "As you delivered it."})
    currency = _currency()
    amount_due = Amount(
        required=True,
        metadata={"example": "54.20", "description": "What is asked of the customer: less all that you took off."},
    )
    held_back = Amount(
        required=True,
        metadata={
            "example": "0.00",
            "description": "Of that, while your customer disputes some lines (answer): what these lines come to, with"
            " their VAT rounded up. It is not paid before that has an end; the rest can be. 0.00, too, where the whole"
            " bill is set aside.",
        },
    )
    corrects = _bill_link(
        "Of a credit note or a new version: the bill that it was applied to. A further new version stands in for the"
        " last one, whichever of them it names."
    )
    not_applied_because = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf([because.value for because in Because]),
        metadata={
            "description": "Of a credit note or a new version that was applied to no bill. unknown-preceding: once you"
            " deliver that bill it is applied. replaces-each-other: the bill that it names stands in for it, by later"
            " words of yours."
        },
    )
    corrected_by = fields.List(
        fields.String(), required=True, metadata={"description": "Ids of the credit notes that were applied to it."}
    )
    superseded_by = _bill_link("The new version that stands in for it.")
    withdrawn_at = _moment("When you withdrew it.", allow_none=True)
    withdrawal_reason = fields.String(
        required=True, allow_none=True, metadata={"description": "What you told your customer."}
    )
    refund_owed = Amount(
        required=True,
        metadata={
            "example": "0.00",
            "description": "What you owe your customer of what you took off: by credit notes what they say, by a"
            " withdrawal or a new version what was paid. It stays as it is when you have given it back: that you say"
            " as a refund.",
        },
    )
    refund_unpromised = Amount(
        required=True,
        metadata={
            "example": "0.00",
            "description": "What of refund_owed and paid_twice no refund of yours is for: so much you may promise.",
        },
    )
    amount_paid = Amount(
        required=True,
        metadata={
            "example": "0.00",
            "description": "What your customer paid of it, by the payment that has paid it: less a discount, and less"
            " what you had taken off before.",
        },
    )
    discount_taken = fields.Nested(
        TakenDiscountSchema,
        required=True,
        allow_none=True,
        metadata={
            "description": "The discount for early payment that your customer was let off, by the payment that has paid"
            " it. It is that of their own calendar day when they decided, and stays so whenever the money arrives."
        },
    )
    taken_off = Amount(
        required=True,
        metadata={
            "example": "0.00",
            "description": "Of a credit note or a new version: what came off the bill that it was applied to. 0.00"
            " where nothing was asked of that bill any more: name its new version in a credit note for that.",
        },
    )
    paid_twice = Amount(
        required=True,
        metadata={
            "example": "0.00",
            "description": "What was paid on top of another payment of it, which you owe your customer besides: a"
            " second `payment.settled` told you.",
        },
    )
    sequence = fields.Integer(
        required=True,
        metadata={
            "example": 2,
            "description": "Grows with every `bill.corrected` and `bill.refund_owed` of this bill, which carry it: the"
            " higher one is the later.",
        },
    )
    answer = fields.Nested(
        OpenAnswerSchema,
        required=True,
        allow_none=True,
        metadata={
            "description": "What your customer says of it instead of paying it, which waits for your reply. It changes"
            " nothing of what you ask; while it stands, one other than more_time and instalments keeps the bill from"
            " being paid here."
        },
    )
    extended_to = _day("The day until which you have given time, by a yes or by your policy.")
    plan = fields.Nested(
        PlanSchema,
        required=True,
        allow_none=True,
        metadata={"description": "When your customer means to pay it, as long as that stands."},
    )
    delivered_at = _moment("When we took it.")
    payments = fields.List(
        fields.String(), required=True, metadata={"description": "Ids of its payments, oldest first."}
    )


class PaymentSchema(ma.Schema):
    """A payment of one of your bills. Nothing about the payer's account, bank or name."""

    id = _Id("pay", "Our id of the payment.")
    bill_id = _Id("bill", "The bill it pays.")
    number = _number()
    status = fields.String(
        required=True,
        validate=validate.OneOf(STATUSES),
        metadata={
            "description": "open: under way, or the bank does not tell · paid: settled · failed: as far as is known"
            " not executed, or taken back. Later the bank may still make a failed payment open or paid, or a paid"
            " one failed: a webhook tells you then, and its sequence is the higher one."
        },
    )
    amount = _amount()
    currency = _currency()
    end_to_end_id = fields.String(
        required=True,
        metadata={
            "pattern": "^pay[0-9a-f]{32}$",
            "example": "pay019b0c7a1f2e7d3c8a4b5c6d7e8f9a0b",
            "description": "EndToEndIdentification on your bank statement; some banks write it in capitals.",
        },
    )
    decided_at = _moment("When the customer decided to pay.")
    pay_on = _day(
        "The day for which they decided it, in their own calendar. Until a later one has come they may cancel it.",
        allow_none=False,
    )
    settled_at = _moment("When the bank said that the money moved.", allow_none=True)
    updated_at = _moment("When the status last changed.")
    sequence = fields.Integer(
        required=True,
        metadata={
            "example": 4,
            "description": "Grows with every step; webhooks carry it: the higher one is the later.",
        },
    )


class WithdrawalSchema(ma.Schema):
    """Why nothing is asked of a bill any more. Your customer reads it."""

    class Meta:
        unknown = ma.RAISE

    reason = fields.String(
        required=True,
        validate=validate.Length(min=1, max=REASON_MAX),
        metadata={"example": "The order was cancelled.", "description": "In a sentence, for your customer."},
    )


class _YesOrNo(fields.Boolean):
    """A JSON boolean and nothing that could be taken for one."""

    @override
    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if type(value) is not bool:
            raise self.make_error("invalid", input=value)
        return value


class InstalmentSchema(ma.Schema):
    """One of the parts in which your customer proposes to pay."""

    pay_on = _day("In your customer's own calendar.", allow_none=False)
    amount = Amount(required=True, metadata={"example": "40.00", "description": "In the currency of the bill."})


class BillAnswerSchema(ma.Schema):
    """What a customer says of one of your bills instead of paying it. It never changes; it ends once."""

    id = _Id("ans", "Our id of the answer.")
    bill_id = _Id("bill", "The bill.")
    number = _number()
    kind = fields.String(
        required=True,
        validate=validate.OneOf([kind.value for kind in AnswerKind]),
        metadata={
            "description": "paid_elsewhere: it was paid in another way · declined: it will not be paid · disputed: it,"
            " or some of its lines, is wrong · more_time: it will be paid until a later day · instalments: it will be"
            " paid in parts, the last one on a later day."
        },
    )
    state = fields.String(
        required=True,
        validate=validate.OneOf([state.value for state in AnswerState]),
        metadata={
            "description": "open: it waits for your reply · withdrawn: your customer took it back, or said something"
            " else · accepted · refused · lapsed: the bill was paid, or is asked no more."
        },
    )
    reason = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf([reason.value for reason in Reason]),
        metadata={"description": "Why it is declined or disputed."},
    )
    words = fields.String(
        required=True, allow_none=True, metadata={"description": "What your customer wrote, for a person to read."}
    )
    lines = fields.List(
        fields.Integer(metadata={"minimum": 1}),
        required=True,
        metadata={"description": "Which lines of the bill are disputed, from 1; none: all of it."},
    )
    paid_on = _day("Of paid_elsewhere: when, as your customer says.")
    until = _day("Of more_time: the day until which your customer asks for time; of instalments: the last one's.")
    instalments = fields.List(
        fields.Nested(InstalmentSchema),
        required=True,
        metadata={"description": "Of instalments: two to twelve, in their order. They sum to what was left to pay."},
    )
    reply_by = _day("By when you reply, as you have published: your customer sees this day.", allow_none=False)
    said_at = _moment("When it was said.")
    ended_at = _moment("When it ended.", allow_none=True)
    ended_by = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf([by.value for by in EndedBy]),
        metadata={"description": "What ended it: your reply (biller), your published policy, a correction of yours, …"},
    )
    reply = fields.String(required=True, allow_none=True, metadata={"description": "What you wrote to your customer."})
    sequence = fields.Integer(
        required=True,
        metadata={
            "example": 1,
            "description": "1: it was said · 2: it ended. Webhooks carry it: the higher one is later.",
        },
    )


class BillAnswersSchema(ma.Schema):
    """Answers in the order in which they were said."""

    answers = fields.List(fields.Nested(BillAnswerSchema), required=True)
    after = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "Ask with this ?after= for the next ones; null at the end. To see what was said meanwhile,"
            " begin anew: webhooks tell of it."
        },
    )


class ReplySchema(ma.Schema):
    """Your yes or no to an answer."""

    class Meta:
        unknown = ma.RAISE

    accepts = _YesOrNo(required=True, metadata={"description": "True: yes. What that does is said at the operation."})
    words = fields.String(
        validate=validate.Length(max=WORDS_MAX),
        metadata={"example": "You are right.", "description": "Your customer reads it. A no needs words."},
    )


def _upto(least: int, most: int, description: str, example: int, *, required: bool = True) -> fields.Integer:
    """Where it may be left out that is 0."""
    return fields.Integer(
        required=required,
        load_default=ma.missing if required else 0,
        strict=True,
        validate=validate.Range(least, most),
        metadata={"example": example, "description": description},
    )


class AnswerPolicySchema(ma.Schema):
    """How you take answers. Your customers see it where they answer."""

    class Meta:
        unknown = ma.RAISE

    more_time_days = _upto(
        0,
        MORE_TIME_MOST,
        "So many days after the day of the bill itself you say yes to more time by it, at once. 0: to none.",
        14,
    )
    answer_days = _upto(1, ANSWER_DAYS_MOST, "Within so many days you reply.", ANSWER_DAYS)
    instalments_most = _upto(
        0,
        INSTALMENTS_MOST,
        "To so many instalments you say yes by it, at once, where the last one is within instalments_days. 0: to none.",
        3,
        required=False,
    )
    instalments_days = _upto(0, MORE_TIME_MOST, "So many days after the day of the bill itself.", 62, required=False)


class PublishedPolicySchema(AnswerPolicySchema):
    """The same, and since when. Who has published nothing says yes to nothing by it, and has ten days to reply."""

    published_at = _moment("When you published it; null: you have published nothing.", allow_none=True)


class WordSchema(ma.Schema):
    """Whether a payment has arrived on your account. Send amount and currency as your statement has them."""

    class Meta:
        unknown = ma.RAISE

    received = _YesOrNo(required=True, metadata={"description": "True when the money is on your account."})
    amount = fields.String(
        validate=validate.Regexp(Amount.PATTERN),
        metadata={"example": "84.20", "description": "With exactly the currency's digits; not without currency."},
    )
    currency = fields.String(
        validate=validate.Regexp("^[A-Z]{3}$"),
        metadata={"example": "EUR", "description": "ISO 4217; not without amount."},
    )
    booked_on = fields.String(
        validate=validate.Regexp("^[0-9]{4}-[0-9]{2}-[0-9]{2}$"),
        metadata={"format": "date", "example": "2026-11-23", "description": "The day it was booked."},
    )


class ConfirmationSchema(ma.Schema):
    """Your last word on a payment, as we noted it. It changes nothing about the payment."""

    payment_id = _Id("pay", "The payment.")
    received = fields.Boolean(required=True)
    amount = Amount(required=True, allow_none=True, metadata={"example": "84.20"})
    currency = fields.Function(
        _currency_if_any,
        required=True,
        metadata={"type": ["string", "null"], "example": "EUR", "pattern": "^[A-Z]{3}$", "description": "ISO 4217."},
    )
    booked_on = fields.Date(required=True, allow_none=True, metadata={"example": "2026-11-23"})
    said_at = _moment("When you said so first.")


_REFERENCE = {
    "type": "string",
    "minLength": 1,
    "maxLength": REFERENCE_MAX,
    "example": "K-204417",
    "description": "By which you know the customer.",
}


class RedeemSchema(ma.Schema):
    """A code or an address that a customer handed to you: exactly one of the two."""

    class Meta:
        unknown = ma.RAISE

    code = fields.String(
        validate=validate.Length(1, 40),
        metadata={
            "example": "C7KM-4RXP-JT4",
            "description": "As the customer says it; hyphens and case do not matter.",
        },
    )
    address = fields.String(
        validate=validate.Length(1, 120),
        metadata={
            "example": "k3jq7m2xw5ta@space.quittance.example",
            "description": "An address of the customer's space that was made for you.",
        },
    )
    customer_reference = fields.String(
        validate=validate.Length(1, REFERENCE_MAX),
        metadata={**_REFERENCE, "description": "By which you know the customer: shown when they are asked."},
    )


class RedemptionSchema(ma.Schema):
    """A code or an address that you came with, and whether a customer has accepted you for it."""

    id = _Id("rdm", "Our id of the redemption.")
    status = fields.String(
        required=True,
        validate=validate.OneOf(("waiting", "accepted", "over")),
        metadata={
            "description": "waiting: nobody has accepted yet · accepted: you are connected · over: nobody has, and"
            " nobody can any more. A code of nobody waits like that of a customer who does not answer, or blocks you."
        },
    )
    customer_reference = fields.String(required=True, allow_none=True, metadata={"description": "As you gave it."})
    presented_at = _moment("When you came with it.")
    expires_at = _moment("Until when it can be accepted.")
    connection_id = fields.String(
        required=True,
        allow_none=True,
        metadata={"pattern": "^cnx_[0-9a-f]{32}$", "description": "The connection, once it is accepted."},
    )


class ConnectionSchema(ma.Schema):
    """A customer who asks you, or has accepted you. Nothing of what they have with others."""

    id = _Id("cnx", "Our id of the connection.")
    status = fields.String(
        required=True,
        validate=validate.OneOf([str(each) for each in Told]),
        metadata={
            "description": "asked: the customer asks you; check the reference · checking: you said that you do ·"
            " active: your bills arrive · ended: they do not; whether the customer left, or who ended it, is not said."
        },
    )
    customer_name = fields.String(
        required=True, allow_none=True, metadata={"description": "As the customer calls themselves; null once ended."}
    )
    customer_reference = fields.String(
        required=True, allow_none=True, metadata={"example": "K-204417", "description": "By which you know them."}
    )
    address = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "example": "k3jq7m2xw5ta@space.quittance.example",
            "description": "Where you deliver, while it is active. It is yours alone: used by anybody else it shows.",
        },
    )
    expected_on = fields.Date(
        required=True,
        allow_none=True,
        metadata={"example": "2026-11-26", "description": "By when the customer was told that you will have checked."},
    )
    since = _moment("Since when you know of each other.", attribute="shared_at")
    sequence = fields.Integer(
        required=True,
        metadata={"example": 2, "description": "Grows with every status; webhooks carry it: the higher one is later."},
    )


class ConnectionsSchema(ma.Schema):
    """Connections in one order, that of their ids."""

    connections = fields.List(fields.Nested(ConnectionSchema), required=True)
    after = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "Ask with this ?after= for the next ones; null at the end. To see who asked meanwhile, begin"
            " anew: webhooks tell of it."
        },
    )


def _seen() -> fields.Integer:
    return fields.Integer(
        required=True,
        strict=True,
        validate=validate.Range(1, 2**31 - 1),
        metadata={
            "example": 1,
            "description": "The sequence of the connection as you saw it: the answer is about that request. When the"
            " customer withdrew it, and asks with another reference perhaps, it is refused (409).",
        },
    )


class AnswerSchema(ma.Schema):
    """Which request is confirmed or refused."""

    class Meta:
        unknown = ma.RAISE

    sequence = _seen()


class CheckSchema(ma.Schema):
    """That you check a request, and by when."""

    class Meta:
        unknown = ma.RAISE

    sequence = _seen()
    expected_on = fields.String(
        validate=validate.Regexp("^[0-9]{4}-[0-9]{2}-[0-9]{2}$"),
        metadata={"format": "date", "example": "2026-11-26", "description": "The customer is told this day."},
    )


class FieldErrorSchema(ma.Schema):
    """One fault of the input."""

    pointer = fields.String(required=True, metadata={"description": "Where: JSON pointer, XPath or parameter."})
    detail = fields.String(required=True, metadata={"description": "What to mend."})


class ProblemSchema(ma.Schema):
    """What is wrong (RFC 9457)."""

    type = fields.String(required=True, metadata={"format": "uri", "example": "urn:quittance:problem:not-connected"})
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True, metadata={"description": "What to mend, for a person."})
    code = fields.String(required=True, metadata={"description": "What is wrong, for a program: stable."})
    errors = fields.List(fields.Nested(FieldErrorSchema))
    actions = fields.List(fields.String(), metadata=_ACTIONS)
