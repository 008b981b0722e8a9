"""The public words about refunds. A field that is not named here never leaves the house."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from app.journey.refunds.rules import MISSING_AFTER, REFERENCE_MAX, WORDS_MAX, Way
from app.journey.refunds.states import RefundState
from app.web.billers.schemas import Amount, _amount, _currency, _day, _Id, _moment, _number

_DAY = validate.Regexp("^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
_WAYS = [way.value for way in Way]


class RefundSchema(ma.Schema):
    """What you give back of one of your bills. Amount, currency and day never change."""

    id = _Id("rfd", "Our id of the refund.")
    bill_id = _Id("bill", "The bill.")
    number = _number()
    amount = _amount()
    currency = _currency()
    promised_by = _day("The day by which you send it, as you said: your customer sees it.", allow_none=False)
    promised_at = _moment("When you promised it.")
    state = fields.String(
        required=True,
        validate=validate.OneOf([state.value for state in RefundState]),
        metadata={
            "description": "promised · sent: as you said · missing: your customer says that it has not come · received:"
            " your customer says that it has · withdrawn: you took the promise back."
        },
    )
    sent_on = _day("When you sent it, as you said last.")
    way = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf(_WAYS),
        metadata={
            "description": "payer_account: to the account that the bill was paid from · released_account: to the one"
            " that your customer released · other."
        },
    )
    reference = fields.String(
        required=True, allow_none=True, metadata={"description": "What your customer finds on their statement."}
    )
    is_still_owed = fields.Boolean(
        required=True,
        metadata={
            "description": "False: less is owed of the bill by now than you have promised, as when the bank took its"
            " payment back; or this promise is withdrawn."
        },
    )
    has_account = fields.Boolean(
        required=True,
        metadata={
            "description": "True: your customer wants it on an account that they released for this refund alone. Ask"
            " for the refund by its id to read it."
        },
    )
    account = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "example": "FR7630006000011234567890189",
            "description": "The IBAN that your customer released, while the refund is promised or missing; never in a"
            " list. Each reading is written down and shown to your customer. Keep it no longer than you need it.",
        },
    )
    updated_at = _moment("When something was last said of it.")
    sequence = fields.Integer(
        required=True,
        metadata={
            "example": 1,
            "description": "Grows with everything that is said. Webhooks carry it: the higher one is later.",
        },
    )


class RefundsSchema(ma.Schema):
    """Refunds in the order in which they were promised."""

    refunds = fields.List(fields.Nested(RefundSchema), required=True)
    after = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Ask with this ?after= for the next ones; null at the end."},
    )


class PromiseSchema(ma.Schema):
    """So much, by a day."""

    class Meta:
        unknown = ma.RAISE

    bill_id = fields.String(
        required=True,
        validate=validate.Regexp(r"^bill_[0-9a-f]{32}\Z"),
        metadata={"example": "bill_019b0c7a1f2e7d3c8a4b5c6d7e8f9a0b"},
    )
    amount = fields.String(
        required=True,
        validate=validate.Regexp(Amount.PATTERN),
        metadata={"example": "30.00", "description": "At most refund_unpromised of the bill."},
    )
    currency = fields.String(
        required=True,
        validate=validate.Regexp("^[A-Z]{3}$"),
        metadata={"example": "EUR", "description": "ISO 4217: that of the bill."},
    )
    promised_by = fields.String(
        required=True,
        validate=_DAY,
        metadata={"format": "date", "example": "2026-12-15", "description": "By when you send it."},
    )


class SentSchema(ma.Schema):
    """When you sent it, and how your customer finds it."""

    class Meta:
        unknown = ma.RAISE

    sent_on = fields.String(
        required=True,
        validate=_DAY,
        metadata={
            "format": "date",
            "example": "2026-12-14",
            "description": f"{MISSING_AFTER.days} days after it your customer may say that it has not come.",
        },
    )
    way = fields.String(validate=validate.OneOf(_WAYS), metadata={"description": "To where you sent it."})
    reference = fields.String(
        validate=validate.Length(min=1, max=REFERENCE_MAX),
        metadata={"example": "AQ-2026-0042 refund", "description": "What stands on your customer's statement."},
    )


class TakenBackSchema(ma.Schema):
    """Why you do not send it after all. Your customer reads it."""

    class Meta:
        unknown = ma.RAISE

    words = fields.String(
        required=True,
        validate=validate.Length(min=1, max=WORDS_MAX),
        metadata={"example": "It is set off against your next bill.", "description": "In a sentence."},
    )
