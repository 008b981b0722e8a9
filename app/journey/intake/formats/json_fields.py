"""The fields of our own JSON bill, each by itself: what the API publishes of it, and how it is read.

The schemas are for OpenAPI alone, marshmallow loads nothing by them. ``read`` is made of the same fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from typing import Any, TypeAlias, cast

from marshmallow import RAISE, Schema, fields

from app.journey.intake.bill import BillKind, BillRefused
from app.journey.intake.formats import checks, json_tree, text
from app.journey.intake.formats.early_payment import TIERS_MAX
from app.journey.intake.means import MeansKind

LINES_MAX = 1_000
MISSING = "The field is missing."

_AMOUNT_PATTERN = r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,3})?$"
_SIGNED_AMOUNT_PATTERN = r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,3})?$"

#: reads a value of a tree. Raises BillRefused, whose element is a JSON pointer from this value on
_Reader: TypeAlias = Callable[[Any], Any]


def read(tree: Any) -> Mapping[str, Any]:
    """The fields of a bill. Raises BillRefused at the first mistake, in the order of the schema, unknown ones last."""
    found: Mapping[str, Any] = _bill_reader()(tree)
    return found


@cache
def _bill_reader() -> _Reader:
    """One for all bills: to make it takes longer than to read a bill."""
    return _object_reader(BillSchema())


# --- the kinds of fields


class _Field(fields.Field[Any]):
    """A field that knows how its value is read."""

    reader: _Reader


class _Nested(_Field, fields.Nested):
    """An object."""

    def __init__(self, nested: type[Schema], description: str) -> None:
        super().__init__(nested, metadata={"description": description})
        self.reader = _object_reader(nested())


class _List(_Field, fields.List[Any]):
    """A list of objects, so many at most."""

    def __init__(self, nested: type[Schema], description: str, *, most: int = LINES_MAX) -> None:
        super().__init__(fields.Nested(nested), metadata={"description": description, "maxItems": most})
        self.reader = _list_reader(_object_reader(nested()), most)


class _Text(_Field, fields.String):
    """A text in quotes, never empty, cleaned and checked by ``read``."""

    def __init__(self, read: Callable[[str], str], description: str, *, required: bool = False, **schema: Any) -> None:
        super().__init__(required=required, metadata={"description": description, "minLength": 1, **schema})
        self.reader = _text_reader(read)


class _Date(_Field, fields.Date):
    """A calendar day."""

    def __init__(
        self, description: str, *, required: bool = False, data_key: str | None = None, example: str = "2026-12-01"
    ) -> None:
        super().__init__(
            required=required, data_key=data_key, metadata={"description": description, "example": example}
        )
        self.reader = _text_reader(partial(checks.date, element=""))


def _object_reader(schema: Schema) -> _Reader:
    known = cast("dict[str, _Field]", schema.fields)
    # as it is called in JSON: a word like `from` cannot be an attribute's name
    named = {field.data_key or name: field for name, field in known.items()}
    steps = [(name, field.required, field.reader) for name, field in named.items()]

    def read(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise BillRefused("type-refused", "The value must be an object.")
        found = {}
        for name, required, reader in steps:
            if name in value:
                try:
                    found[name] = reader(value[name])
                except BillRefused as refused:
                    raise _inside(value, name, refused) from None
            elif required:
                raise BillRefused("element-missing", MISSING, element=f"/{name}")
        if len(found) < len(value):
            unknown = next(name for name in value if name not in named)
            detail = "There is no field of this name."
            raise BillRefused("element-unknown", detail, element=json_tree.pointer_of("", unknown))
        return found

    return read


def _list_reader(reader: _Reader, most: int) -> _Reader:
    def read(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise BillRefused("type-refused", "The value must be a list.")
        if len(value) > most:
            raise BillRefused("too-large", f"The list is longer than {most}.")
        found = []
        for index, each in enumerate(value):
            try:
                found.append(reader(each))
            except BillRefused as refused:
                raise _inside(value, index, refused) from None
        return found

    return read


def _inside(value: Any, key: str | int, refused: BillRefused) -> BillRefused:
    """What is refused of the value under this key, as it is said of the object or list that holds it."""
    if value[key] is None:
        refused = BillRefused("type-refused", "The field is null. Give it a value, or leave it out if it is optional.")
    return BillRefused(refused.code, refused.detail, element=f"/{key}{refused.element}")


def _text_reader(read_text: Callable[[str], Any]) -> _Reader:
    def read(value: Any) -> Any:
        if isinstance(value, str):
            found = read_text(value)
            if found:
                return found
            detail = "The field is empty. Give it a value, or leave it out if it is optional."
            raise BillRefused("element-missing", detail)
        if isinstance(value, json_tree.JsonNumber):
            written = text.printable(value.written, limit=text.QUOTE_MAX)
            raise BillRefused("type-refused", f'Numbers are not taken: quote it, like "{written}".')
        raise BillRefused("type-refused", "The value must be a text in quotes.")

    return read


# --- how texts are read


def _exact(limit: int) -> Callable[[str], str]:
    return partial(text.exact, element="", limit=limit)


def _line(limit: int) -> Callable[[str], str]:
    return partial(text.line, element="", limit=limit)


def _one_of(known: Iterable[str]) -> Callable[[str], str]:
    words = tuple(known)

    def check(value: str) -> str:
        if value not in words:
            raise BillRefused("value-refused", f"{text.quoted(value)} is none of {', '.join(words)}.")
        return value

    return check


def _other_account(value: str) -> str:
    found = checks.account(value, element="")
    return found.other or value.strip()  # where it is an IBAN all the same the door says so


def _iban(value: str) -> str:
    iban = checks.account(value, element="").iban
    if iban is None:
        raise BillRefused("account-refused", f"{text.quoted(value)} is not an IBAN. One that has none is an 'account'.")
    return iban


# --- the schemas


class _Strict(Schema):
    """An object with these fields and no others."""

    class Meta:
        unknown = RAISE  # said in OpenAPI, too


class PayeeSchema(_Strict):
    """Where the money is to go: an IBAN, or an account that is none, which your customer can read and not pay to."""

    name = _Text(
        _line(text.NAME_MAX),
        "Name of the account holder.",
        required=True,
        maxLength=text.NAME_MAX,
        example="Eaux du Lac SA",
    )
    iban = _Text(
        _iban,
        "IBAN of the account. Spaces and lower case are allowed, wrong check digits are not.",
        maxLength=text.ACCOUNT_MAX,
        example="FR1420041010050500013M02606",
    )
    account = _Text(
        _other_account,
        "Number of an account that has no IBAN. Your customer reads it and pays from elsewhere.",
        maxLength=text.ACCOUNT_MAX,
        example="31926819",
    )
    branch = _Text(
        _exact(text.ACCOUNT_MAX),
        "What belongs to that number: a sort code, a BSB, BPAY, SE:BANKGIRO. Not beside an IBAN.",
        maxLength=text.ACCOUNT_MAX,
        example="60-16-13",
    )


class LineSchema(_Strict):
    """One line of the bill, for the customer to read. The lines are not added up."""

    description = _Text(
        _line(text.DESCRIPTION_MAX),
        "What was delivered.",
        required=True,
        maxLength=text.DESCRIPTION_MAX,
        example="Drinking water",
    )
    quantity = _Text(
        _line(text.QUANTITY_MAX),
        "How much, with its unit, as the customer is to read it.",
        maxLength=text.QUANTITY_MAX,
        example="21 m³",
    )
    amount = _Text(
        _exact(text.QUOTE_MAX),
        "Amount of the line, in the bill's currency; a minus is allowed.",
        pattern=_SIGNED_AMOUNT_PATTERN,
        example="84.20",
    )
    vat_rate = _Text(
        partial(checks.rate, element=""),
        "Per cent of VAT that comes to the amount of the line; 0 where none does. Where a line has both, your customer"
        " can dispute it and pay the rest of the bill meanwhile.",
        pattern=r"^0*([0-9]{1,2}(\.[0-9]{1,6})?|100(\.0{1,6})?)$",
        example="5.5",
    )


class EarlyPaymentSchema(_Strict):
    """A discount for paying early."""

    until = _Date("Last day on which the discount holds.", required=True)
    discount = _Text(
        _exact(text.QUOTE_MAX),
        "What the customer may take off: more than nothing, less than the amount.",
        required=True,
        pattern=_AMOUNT_PATTERN,
        example="1.68",
    )


class DiscountSchema(_Strict):
    """One of several discounts for paying early. Until its day your customer pays the amount of the bill less this."""

    until = _Date("Last day on which it holds, on your customer's own calendar.", required=True)
    amount = _Text(
        _exact(text.QUOTE_MAX),
        "What the customer may take off: more than nothing, less than the amount of the bill, and less than by the"
        " discount before.",
        required=True,
        pattern=_AMOUNT_PATTERN,
        example="1.68",
    )


class LateFeeSchema(_Strict):
    """What being late costs: one fixed amount. It is shown to your customer and never paid with this bill: once it is
    owed, ask for it with a new version of the bill or with another bill."""

    amount = _Text(
        _exact(text.QUOTE_MAX),
        "In the currency of the bill: more than nothing. That of a small bill may be more than the bill.",
        required=True,
        pattern=_AMOUNT_PATTERN,
        example="5.00",
    )
    from_ = _Date(
        "First day on which it is owed, on your customer's own calendar: after due_on. Without it: the day after"
        " due_on. Time that you give your customer moves it to the day after that time.",
        data_key="from",
        example="2026-12-02",
    )


class BillSchema(_Strict):
    """A bill. Every value is a text in quotes, amounts included, so that no program rounds them."""

    to = _Text(
        _exact(text.ADDRESS_MAX),
        "The customer's address at Quittance, as the customer gave it to you.",
        required=True,
        maxLength=text.ADDRESS_MAX,
        example="k3v9q2m7x4ta@bills.example",
    )
    number = _Text(
        _exact(text.NUMBER_MAX),
        "Your number of the bill; one number, one bill.",
        required=True,
        maxLength=text.NUMBER_MAX,
        example="2026-00417",
    )
    issued_on = _Date("Day of issue.", required=True)
    kind = _Text(
        _one_of(BillKind),
        "A bill (invoice), or a credit note, which takes its amount off an earlier bill. Without it: invoice.",
        enum=[each.value for each in BillKind],
        example=BillKind.INVOICE.value,
    )
    corrects = _Text(
        _exact(text.NUMBER_MAX),
        "Of a credit note: your number of the bill that it takes its amount off.",
        maxLength=text.NUMBER_MAX,
        example="2026-00398",
    )
    replaces = _Text(
        _exact(text.NUMBER_MAX),
        "Of a bill that is the new version of an earlier one: your number of that one. It is not to be paid any more.",
        maxLength=text.NUMBER_MAX,
        example="2026-00398",
    )
    due_on = _Date("Day by which to pay. Without it the bill is due on receipt.")
    currency = _Text(
        partial(checks.currency, element=""), "ISO 4217 code.", required=True, pattern="^[A-Z]{3}$", example="EUR"
    )
    amount = _Text(
        _exact(text.QUOTE_MAX),
        "Amount due, with a dot and exactly the currency's decimals.",
        required=True,
        pattern=_AMOUNT_PATTERN,
        example="84.20",
    )
    payee = _Nested(PayeeSchema, "Where the money is to go. A credit note may leave it out; what you collect has none.")
    means = _Text(
        _one_of(MeansKind),
        "How it is paid. credit_transfer: your customer pays it here · direct_debit, card: you collect it; it is shown,"
        " and cannot be paid here · elsewhere: to an account without an IBAN. Without it the payee tells.",
        enum=[each.value for each in MeansKind],
        example=MeansKind.CREDIT_TRANSFER.value,
    )
    mandate = _Text(
        _exact(text.ID_MAX),
        "Of a direct debit: the reference of your customer's mandate.",
        maxLength=text.ID_MAX,
        example="M-2024-0815",
    )
    creditor_id = _Text(
        _exact(text.ID_MAX),
        "Of a direct debit: your creditor identifier.",
        maxLength=text.ID_MAX,
        example="FR72ZZZ123456",
    )
    reference = _Text(
        partial(checks.reference, element=""),
        "What the payment is to carry, so that you recognise it. One that starts with RF and two digits must "
        "be a valid creditor reference (ISO 11649). Without it: the number.",
        maxLength=text.REFERENCE_MAX,
        example="RF18539007547034",
    )
    order_reference = _Text(_exact(text.ID_MAX), "The customer's order.", maxLength=text.ID_MAX, example="PO-7")
    note = _Text(partial(text.paragraph, element=""), "A message to the customer.", maxLength=text.PARAGRAPH_MAX)
    lines = _List(LineSchema, "What the bill is for.")
    early_payment = _Nested(EarlyPaymentSchema, "A discount for paying early. Of several: discounts.")
    discounts = _List(
        DiscountSchema,
        "All discounts for paying early, the earliest day first; each later one takes off less. Not beside"
        " early_payment.",
        most=TIERS_MAX,
    )
    late_fee = _Nested(
        LateFeeSchema,
        "What being late costs. Neither of a credit note nor of what you collect.",
    )
