"""Our own JSON bill: the format of the public API for billers that have no e-invoicing software.

Strict on purpose: an unknown field, a field twice, a number where a text belongs are mistakes of a program,
and the biller's engineer learns of them on the first try. ``BillSchema`` is also what the API publishes in
OpenAPI.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, ClassVar, TypeAlias, TypeVar

from marshmallow import RAISE, Schema, ValidationError, fields
from typing_extensions import override

from app.journey.intake.bill import CORRECTED, Bill, BillKind, BillRefused, EarlyPayment, Line, Means, Payee
from app.journey.intake.formats import accounts, checks, json_tree, text
from app.journey.intake.means import MeansKind
from connectors.money import Money

#: 1000 lines of 1000 characters, with room for the rest
JSON_BYTES_MAX = 2 * 1024 * 1024
LINES_MAX = 1_000
#: objects and lists inside each other; a bill has three
DEPTH_MAX = 8

_Value = TypeVar("_Value")

_AMOUNT_PATTERN = r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,3})?$"
_SIGNED_AMOUNT_PATTERN = r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,3})?$"


def read(content: bytes) -> Bill:
    """The bill in a JSON document (RFC 8259), or BillRefused."""
    return _read(json_tree.parse(content, bytes_max=JSON_BYTES_MAX, depth_max=DEPTH_MAX))


def read_tree(tree: Any) -> Bill:
    """The bill in what json_tree.parse made of the bytes."""
    json_tree.check(tree, depth_max=DEPTH_MAX)
    return _read(tree)


def _read(tree: Any) -> Bill:
    try:
        found = _right_schema()(tree)
    except _SomethingWrong:
        found = _load(tree)
    return _bill(found)


def _load(tree: Any) -> Mapping[str, Any]:
    """By marshmallow, which says what is wrong and where."""
    try:
        found: Mapping[str, Any] = _schema().load(tree)
    except ValidationError as error:
        pointer, problem = _first(error.messages)
        raise BillRefused(problem.code, str(problem), element=pointer) from None
    return found


# --- the words of the format


class Problem(str):
    """A message of marshmallow that carries our code."""

    __slots__ = ("code",)
    code: str

    def __new__(cls, code: str, detail: str) -> Problem:
        problem = super().__new__(cls, detail)
        problem.code = code
        return problem


_MISSING = Problem("element-missing", "The field is missing.")
_EMPTY = Problem("element-missing", "The field is empty. Give it a value, or leave it out if it is optional.")
_NULL = Problem("type-refused", "The field is null. Give it a value, or leave it out if it is optional.")
_NO_TEXT = Problem("type-refused", "The value must be a text in quotes.")
_NO_LIST = Problem("type-refused", "The value must be a list.")
_NO_OBJECT = Problem("type-refused", "The value must be an object.")
_UNKNOWN = Problem("element-unknown", "There is no field of this name.")


class _Coded(fields.Field[Any]):
    """A field whose messages carry our codes."""

    problems: ClassVar[Mapping[str, Problem]] = {"required": _MISSING, "null": _NULL}

    @override
    def make_error(self, key: str, **kwargs: Any) -> ValidationError:
        return ValidationError(self.problems[key])


class _Nested(_Coded, fields.Nested):
    """An object."""


class _List(_Coded, fields.List[Any]):
    """A list of at most LINES_MAX."""

    problems: ClassVar[Mapping[str, Problem]] = {**_Coded.problems, "invalid": _NO_LIST}

    @override
    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> list[Any]:
        if isinstance(value, list) and len(value) > LINES_MAX:
            raise ValidationError(Problem("too-large", f"The list is longer than {LINES_MAX}."))
        return super()._deserialize(value, *args, **kwargs)


class _Text(_Coded, fields.String):
    """A text in quotes, never empty, cleaned and checked by ``read``."""

    def __init__(self, read: Callable[[str], str], description: str, *, required: bool = False, **schema: Any) -> None:
        super().__init__(required=required, metadata={"description": description, "minLength": 1, **schema})
        self.read = read

    @override
    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        found = _checked(self.read, _written(value))
        if not found:
            raise ValidationError(_EMPTY)
        return found


class _Date(_Coded, fields.Date):
    """A calendar day."""

    def __init__(self, description: str, *, required: bool = False) -> None:
        super().__init__(required=required, metadata={"description": description, "example": "2026-12-01"})

    @override
    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> dt.date:
        return _checked(lambda written: checks.date(written, element=""), _written(value))


def _written(value: object) -> str:
    """The text of a JSON text; anything else becomes a message of marshmallow."""
    if isinstance(value, json_tree.JsonNumber):
        written = text.printable(value.written, limit=text.QUOTE_MAX)
        raise ValidationError(Problem("type-refused", f'Numbers are not taken: quote it, like "{written}".'))
    if not isinstance(value, str):
        raise ValidationError(_NO_TEXT)
    return value


def _checked(read: Callable[[str], _Value], written: str) -> _Value:
    """What ``read`` makes of it; what it refuses becomes a message of marshmallow."""
    try:
        return read(written)
    except BillRefused as refused:
        raise ValidationError(Problem(refused.code, refused.detail)) from None


def _exact(limit: int) -> Callable[[str], str]:
    return lambda value: text.exact(value, element="", limit=limit)


def _line(limit: int) -> Callable[[str], str]:
    return lambda value: text.line(value, element="", limit=limit)


def _paragraph(value: str) -> str:
    return text.paragraph(value, element="")


def _reference(value: str) -> str:
    return checks.reference(value, element="")


def _currency(value: str) -> str:
    return checks.currency(value, element="")


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


class _Strict(Schema):
    """An object with these fields and no others."""

    class Meta:
        unknown = RAISE

    error_messages = {"type": _NO_OBJECT, "unknown": _UNKNOWN}  # noqa: RUF012  # marshmallow's own way


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
    currency = _Text(_currency, "ISO 4217 code.", required=True, pattern="^[A-Z]{3}$", example="EUR")
    amount = _Text(
        _exact(text.QUOTE_MAX),
        "Amount due, with a dot and exactly the currency's decimals.",
        required=True,
        pattern=_AMOUNT_PATTERN,
        example="84.20",
    )
    payee = _Nested(
        PayeeSchema,
        metadata={
            "description": "Where the money is to go. A credit note may leave it out; what you collect has none."
        },
    )
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
        _reference,
        "What the payment is to carry, so that you recognise it. One that starts with RF and two digits must "
        "be a valid creditor reference (ISO 11649). Without it: the number.",
        maxLength=text.REFERENCE_MAX,
        example="RF18539007547034",
    )
    order_reference = _Text(_exact(text.ID_MAX), "The customer's order.", maxLength=text.ID_MAX, example="PO-7")
    note = _Text(_paragraph, "A message to the customer.", maxLength=text.PARAGRAPH_MAX)
    lines = _List(_Nested(LineSchema), metadata={"description": "What the bill is for.", "maxItems": LINES_MAX})
    early_payment = _Nested(EarlyPaymentSchema, metadata={"description": "A discount for paying early."})


def _first(messages: Any, pointer: str = "") -> tuple[str, Problem]:
    """The first mistake and its JSON pointer: fields in the order of the schema, unknown ones last."""
    if isinstance(messages, dict):
        key, inner = next(iter(messages.items()))
        return _first(inner, pointer if key == "_schema" else json_tree.pointer_of(pointer, key))
    return pointer, messages[0]


@cache
def _schema() -> BillSchema:
    """One for all bills: to make it takes longer than to read a bill, and reading leaves nothing in it."""
    return BillSchema()


# --- the same words again, for bills with nothing wrong in them


class _SomethingWrong(Exception):
    """What it is, marshmallow says."""


#: what a value of the schema is made of; it raises _SomethingWrong
_Right: TypeAlias = Callable[[Any], Any]


@cache
def _right_schema() -> _Right:
    """Reads what the schema reads, by the same functions of its fields, in a fifth of the time."""
    return _right_object(_schema())


def _right_object(schema: Schema) -> _Right:
    steps = [(name, field.required, _right_value(field)) for name, field in schema.fields.items()]
    names = schema.fields.keys()

    def read(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or not value.keys() <= names:
            raise _SomethingWrong
        found = {}
        for name, required, right in steps:
            if name in value:
                found[name] = right(value[name])
            elif required:
                raise _SomethingWrong
        return found

    return read


def _right_value(field: fields.Field[Any]) -> _Right:
    if isinstance(field, _Nested):
        return _right_object(field.schema)
    if isinstance(field, _List):
        return _right_list(_right_value(field.inner))
    if isinstance(field, _Date):
        return _right_text(lambda written: checks.date(written, element=""))
    if isinstance(field, _Text):
        return _right_text(field.read)
    raise TypeError(f"{field} is none of the fields that a bill is made of")


def _right_list(right: _Right) -> _Right:
    def read(value: Any) -> list[Any]:
        if not isinstance(value, list) or len(value) > LINES_MAX:
            raise _SomethingWrong
        return [right(each) for each in value]

    return read


def _right_text(read_text: Callable[[str], Any]) -> _Right:
    def read(value: Any) -> Any:
        if not isinstance(value, str):
            raise _SomethingWrong
        try:
            found = read_text(value)
        except BillRefused:
            raise _SomethingWrong from None
        if not found:
            raise _SomethingWrong
        return found

    return read


# --- from the fields to a bill


def _bill(found: Mapping[str, Any]) -> Bill:
    currency = found["currency"]
    payable = checks.json_amount(found["amount"], currency, element="/amount")
    kind = BillKind(found.get("kind", BillKind.INVOICE))
    return Bill(
        kind=kind,
        type_code=CORRECTED if "replaces" in found else None,
        preceding_numbers=_preceding(found, kind),
        number=found["number"],
        issued_on=found["issued_on"],
        due_on=found.get("due_on"),
        payable=payable,
        to=found["to"],
        payee=_payee(found, kind),
        means=_all_means(found),
        creditor_id=found.get("creditor_id"),
        remittance_reference=found.get("reference"),
        early_payments=(_early_payment(found, payable),) if "early_payment" in found else (),
        order_reference=found.get("order_reference"),
        lines=tuple(_bill_line(index, each, currency) for index, each in enumerate(found.get("lines", ()))),
        note=found.get("note"),
    )


#: how a bill is paid for which nobody sends money → its code in UNCL 4461
_COLLECTED = {MeansKind.DIRECT_DEBIT: "49", MeansKind.CARD: "48"}


def _all_means(found: Mapping[str, Any]) -> tuple[Means, ...]:
    """Only what is collected needs a word: of anything else the payee tells."""
    code = _COLLECTED.get(found.get("means", ""))
    if found.get("means") != MeansKind.DIRECT_DEBIT:
        for name in ("mandate", "creditor_id"):
            if name in found:
                detail = 'The field belongs to a direct debit: say "means": "direct_debit", or leave it out.'
                raise BillRefused("value-refused", detail, element=f"/{name}")
    return (Means(code=code, mandate=found.get("mandate")),) if code else ()


def _payee(found: Mapping[str, Any], kind: BillKind) -> Payee | None:
    """Whoever gets the money, where somebody sends it."""
    means = found.get("means")
    if means in _COLLECTED:
        if "payee" in found:
            detail = f'A bill with "means": "{means}" is paid to no account: leave the payee out.'
            raise BillRefused("value-refused", detail, element="/payee")
        return None
    if "payee" in found:
        return _account_of(found["payee"], means=means, currency=found["currency"])
    if kind is BillKind.INVOICE:
        raise BillRefused(_MISSING.code, str(_MISSING), element="/payee")
    return None


def _account_of(payee: Mapping[str, Any], *, means: str | None, currency: str) -> Payee:
    """An IBAN, or an account that is none: one of the two, and the one that goes with the means."""
    wanted = "account" if means == MeansKind.ELSEWHERE or (means is None and "iban" not in payee) else "iban"
    if wanted not in payee:
        missing = "iban" if means is None else wanted
        raise BillRefused(_MISSING.code, str(_MISSING), element=f"/payee/{missing}")
    others = ("iban",) if wanted == "account" else ("account", "branch")
    for name in others:
        if name in payee:
            detail = f"The payee has '{wanted}', and '{name}' does not go with it: leave one of the two out."
            raise BillRefused("value-refused", detail, element=f"/payee/{name}")
    account = checks.Account(iban=payee.get("iban"), other=payee.get("account"))
    return accounts.payee(payee["name"], account, payee.get("branch"), accounts.Where(currency=currency))


def _preceding(found: Mapping[str, Any], kind: BillKind) -> tuple[str, ...]:
    """A credit note corrects, a bill replaces: the other way round somebody meant something else."""
    word, wrong = ("corrects", "replaces") if kind is BillKind.CREDIT_NOTE else ("replaces", "corrects")
    if wrong in found:
        detail = f"The field is not one of a {kind.value.replace('_', ' ')}; did you mean '{word}'?"
        raise BillRefused("value-refused", detail, element=f"/{wrong}")
    return (found[word],) if word in found else ()


def _early_payment(found: Mapping[str, Any], payable: Money) -> EarlyPayment:
    until, written = found["early_payment"]["until"], found["early_payment"]["discount"]
    discount = checks.json_amount(written, payable.currency, element="/early_payment/discount")
    if not 0 < discount.minor < payable.minor:
        detail = "The discount must be more than nothing and less than the amount."
        raise BillRefused("amounts-do-not-add-up", detail, element="/early_payment/discount")
    if until < found["issued_on"]:
        raise BillRefused("date-refused", "The discount ends before the bill begins.", element="/early_payment/until")
    return EarlyPayment(until=until, discount=discount)


def _bill_line(index: int, found: Mapping[str, Any], currency: str) -> Line:
    element = f"/lines/{index}/amount"
    amount = checks.json_amount(found["amount"], currency, element=element, signed=True) if "amount" in found else None
    return Line(description=found["description"], quantity=found.get("quantity"), amount=amount)
