"""Our own JSON: exact values, every refusal with its code and pointer, and back again."""

from __future__ import annotations

import datetime as dt
import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow.fields import Field

from app.journey.intake.bill import Bill, BillKind, BillRefused, EarlyPayment, LateFee, Line, Payee
from app.journey.intake.formats import json_bill as reader
from app.journey.intake.formats.json_fields import BillSchema
from app.journey.intake.means import details_of, kind_of
from connectors.money import EXPONENTS, Money
from tests.support.bills import IBAN, NUMBER, REFERENCE, SELLER_NAME, TO, json_bill, json_fields


def refused(content: bytes) -> BillRefused:
    with pytest.raises(BillRefused) as caught:
        reader.read(content)
    return caught.value


def test_a_whole_bill() -> None:
    content = json_bill(
        order_reference="PO-7",
        note="Merci\nà bientôt",
        lines=[
            {"description": "Eau potable", "quantity": "21 m³", "amount": "85.88"},
            {"description": "Avoir", "amount": "-1.68"},
        ],
        early_payment={"until": "2026-11-15", "discount": "1.68"},
    )
    assert reader.read(content) == Bill(
        kind=BillKind.INVOICE,
        number=NUMBER,
        issued_on=dt.date(2026, 11, 1),
        due_on=dt.date(2026, 12, 1),
        payable=Money(8420, "EUR"),
        to=TO,
        payee=Payee(name=SELLER_NAME, iban=IBAN),
        remittance_reference=REFERENCE,
        early_payments=(EarlyPayment(until=dt.date(2026, 11, 15), discount=Money(168, "EUR")),),
        order_reference="PO-7",
        lines=(
            Line(description="Eau potable", quantity="21 m³", amount=Money(8588, "EUR")),
            Line(description="Avoir", amount=Money(-168, "EUR")),
        ),
        note="Merci\nà bientôt",
    )


def test_the_smallest_bill() -> None:
    found = reader.read(json_bill(due_on=None, reference=None, currency="JPY", amount="0"))
    assert (found.due_on, found.remittance_reference, found.payable) == (None, None, Money(0, "JPY"))


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({"means": "credit_transfer"}, "credit_transfer", {}),
        (
            {"means": "direct_debit", "mandate": "M-1", "creditor_id": "FR72", "payee": None},
            "direct_debit",
            {"mandate": "M-1", "creditor_id": "FR72"},
        ),
        ({"means": "direct_debit", "payee": None}, "direct_debit", {}),
        ({"means": "card", "payee": None}, "card", {}),
        (
            {"payee": {"iban": None, "account": "12345", "branch": "BPAY"}, "currency": "AUD"},
            "elsewhere",
            {"account": "12345", "branch": "BPAY", "scheme": "au_bpay", "holder": SELLER_NAME},
        ),
        (
            {"means": "elsewhere", "payee": {"iban": None, "account": "1"}},
            "elsewhere",
            {"account": "1", "scheme": "other", "holder": SELLER_NAME},
        ),
    ],
)
def test_how_it_is_paid_is_said_or_told_by_the_payee(changes: dict[str, Any], kind: str, said: dict[str, str]) -> None:
    found = reader.read(json_bill(**changes))
    assert (kind_of(found), details_of(found)) == (kind, said)


def test_a_printed_iban_is_taken() -> None:
    found = reader.read(json_bill(payee={"iban": "fr14 2004 1010 0505 0001 3m02 606"}))
    assert found.payee == Payee(name=SELLER_NAME, iban=IBAN)


def several(*euros: int) -> list[dict[str, str]]:
    """Discounts of so many euros each, one for each day from the 10th on."""
    return [{"until": f"2026-11-{day}", "amount": f"{each}.00"} for day, each in enumerate(euros, start=10)]


def test_several_discounts_are_as_many_tiers_and_none_are_none() -> None:
    found = reader.read(json_bill(discounts=several(3, 2, 1)))
    assert [(each.until.day, each.discount.minor) for each in found.early_payments] == [(10, 300), (11, 200), (12, 100)]
    assert reader.read(json_bill(discounts=[])).early_payments == ()
    assert len(reader.read(json_bill(discounts=several(*range(20, 10, -1)))).early_payments) == 10


@pytest.mark.parametrize(
    ("changes", "starts_on"),
    [
        ({"late_fee": {"amount": "5.00"}}, dt.date(2026, 12, 2)),  # the day after the due day
        ({"late_fee": {"amount": "5.00", "from": "2026-12-02"}}, dt.date(2026, 12, 2)),
        ({"late_fee": {"amount": "5.00", "from": "2026-12-15"}}, dt.date(2026, 12, 15)),
        ({"late_fee": {"amount": "5.00", "from": "2026-11-02"}, "due_on": None}, dt.date(2026, 11, 2)),
        # a new version that is issued when its fee is owed already
        ({"late_fee": {"amount": "5.00"}, "due_on": "2026-10-15", "replaces": "2026-00398"}, dt.date(2026, 10, 16)),
        ({"late_fee": {"amount": "5.00"}, "due_on": "2100-12-31"}, dt.date(2101, 1, 1)),
    ],
)
def test_a_late_fee_begins_after_the_due_day(changes: dict[str, Any], starts_on: dt.date) -> None:
    assert reader.read(json_bill(**changes)).late_fee == LateFee(starts_on=starts_on, amount=Money(500, "EUR"))


def test_a_late_fee_may_be_more_than_the_bill_and_no_bill_needs_one() -> None:
    found = reader.read(json_bill(late_fee={"amount": "400.00"})).late_fee
    assert found is not None
    assert found.amount == Money(40000, "EUR")
    assert reader.read(json_bill()).late_fee is None


REFUSALS: list[tuple[dict[str, Any], str, str]] = [
    ({"to": None}, "element-missing", "/to"),
    ({"number": "  "}, "element-missing", "/number"),
    ({"payee": {"name": "\u200b"}}, "element-missing", "/payee/name"),
    ({"iban": IBAN}, "element-unknown", "/iban"),
    ({"payee": {"bic": "X"}}, "element-unknown", "/payee/bic"),
    ({"a/b~c": 1}, "element-unknown", "/a~1b~0c"),
    # the first one, in the order of the schema; unknown fields come last, in their own
    ({"zzz": 1, "aaa": 1}, "element-unknown", "/zzz"),
    ({"zzz": 1, "due_on": "1", "number": 417}, "type-refused", "/number"),
    ({"number": 417}, "type-refused", "/number"),
    ({"number": True}, "type-refused", "/number"),
    ({"lines": {}}, "type-refused", "/lines"),
    ({"lines": ["x"]}, "type-refused", "/lines/0"),
    ({"lines": [{"description": "x"}, None]}, "type-refused", "/lines/1"),
    ({"early_payment": "2%"}, "type-refused", "/early_payment"),
    ({"number": "RE\u200b1"}, "text-refused", "/number"),
    ({"note": "a\x1bb"}, "text-refused", "/note"),
    ({"payee": {"name": "\ud800"}}, "text-refused", "/payee/name"),
    ({"reference": "R" * 141}, "text-refused", "/reference"),
    ({"number": "1" * 101}, "text-refused", "/number"),
    ({"due_on": "2026-02-30"}, "date-refused", "/due_on"),
    ({"due_on": "2026-12-01Z"}, "date-refused", "/due_on"),
    ({"currency": "eur"}, "currency-refused", "/currency"),
    ({"currency": "XXX"}, "currency-refused", "/currency"),
    ({"amount": "-84.20"}, "amount-refused", "/amount"),
    ({"amount": "84.2"}, "amount-refused", "/amount"),
    ({"amount": "8.4e1"}, "amount-refused", "/amount"),
    ({"currency": "JPY"}, "amount-refused", "/amount"),
    ({"lines": [{"description": "x", "amount": "1"}]}, "amount-refused", "/lines/0/amount"),
    ({"lines": [{"description": "x"}, {"amount": "1.00"}]}, "element-missing", "/lines/1/description"),
    ({"payee": {"iban": "FR1420041010050500013M02607"}}, "account-refused", "/payee/iban"),
    ({"payee": {"iban": "12345678"}}, "account-refused", "/payee/iban"),
    ({"payee": {"iban": None}}, "element-missing", "/payee/iban"),
    ({"payee": {"account": "12345678"}}, "value-refused", "/payee/account"),
    ({"payee": {"branch": "60-16-13"}}, "value-refused", "/payee/branch"),
    ({"payee": {"iban": None, "account": "FR1420041010050500013M02607"}}, "account-refused", "/payee/account"),
    ({"means": "cash"}, "value-refused", "/means"),
    ({"means": "elsewhere"}, "element-missing", "/payee/account"),
    ({"means": "credit_transfer", "payee": {"iban": None, "account": "1"}}, "element-missing", "/payee/iban"),
    ({"means": "direct_debit"}, "value-refused", "/payee"),
    ({"means": "card"}, "value-refused", "/payee"),
    ({"mandate": "M-1"}, "value-refused", "/mandate"),
    ({"means": "card", "creditor_id": "X", "payee": None}, "value-refused", "/creditor_id"),
    ({"payee": None}, "element-missing", "/payee"),
    ({"payee": {"iban": "\u0410T611904300234573201"}}, "account-refused", "/payee/iban"),
    ({"reference": "RF19539007547034"}, "reference-refused", "/reference"),
    ({"early_payment": {"until": "2026-10-31", "discount": "1.00"}}, "date-refused", "/early_payment/until"),
    *(
        (
            {"early_payment": {"until": "2026-11-15", "discount": discount}},
            "amounts-do-not-add-up",
            "/early_payment/discount",
        )
        for discount in ("0.00", "84.20", "99.00")
    ),
    ({"discounts": {"until": "2026-11-15", "amount": "1.00"}}, "type-refused", "/discounts"),
    ({"discounts": [{"until": "2026-11-15"}]}, "element-missing", "/discounts/0/amount"),
    ({"discounts": [{"until": "2026-11-15", "discount": "1.00"}]}, "element-missing", "/discounts/0/amount"),
    ({"discounts": [{"until": "2026-10-31", "amount": "1.00"}]}, "date-refused", "/discounts/0/until"),
    ({"discounts": several(2, 2), "early_payment": several(1)[0]}, "element-missing", "/early_payment/discount"),
    (
        {"discounts": several(2), "early_payment": {"until": "2026-11-15", "discount": "1.00"}},
        "value-refused",
        "/discounts",
    ),
    ({"discounts": several(*range(20, 9, -1))}, "too-large", "/discounts"),
    ({"discounts": several(2, 2)}, "amounts-do-not-add-up", "/discounts/1/amount"),
    ({"discounts": several(3, 2, 5)}, "amounts-do-not-add-up", "/discounts/2/amount"),
    ({"discounts": several(2) + several(1)}, "date-refused", "/discounts/1/until"),
    ({"discounts": several(3, 2)[::-1]}, "date-refused", "/discounts/1/until"),
    *(
        ({"discounts": [{"until": "2026-11-15", "amount": amount}]}, "amounts-do-not-add-up", "/discounts/0/amount")
        for amount in ("0.00", "84.20", "99.00")
    ),
    ({"late_fee": "5.00"}, "type-refused", "/late_fee"),
    ({"late_fee": {}}, "element-missing", "/late_fee/amount"),
    ({"late_fee": {"amount": 5}}, "type-refused", "/late_fee/amount"),
    ({"late_fee": {"amount": "5,00"}}, "amount-refused", "/late_fee/amount"),
    ({"late_fee": {"amount": "5.00", "from_": "2026-12-02"}}, "element-unknown", "/late_fee/from_"),
    ({"late_fee": {"amount": "5.00", "currency": "GBP"}}, "element-unknown", "/late_fee/currency"),
    ({"late_fee": {"amount": "5.00", "from": "soon"}}, "date-refused", "/late_fee/from"),
    ({"late_fee": {"amount": "5.00", "from": "2026-12-01"}}, "date-refused", "/late_fee/from"),  # the due day
    ({"late_fee": {"amount": "5.00"}, "due_on": None}, "element-missing", "/late_fee/from"),
    ({"late_fee": {"amount": "5.00", "from": "2026-11-01"}, "due_on": None}, "date-refused", "/late_fee/from"),
    ({"late_fee": {"amount": "0.00"}}, "amounts-do-not-add-up", "/late_fee/amount"),
    ({"late_fee": {"amount": "5.00"}, "kind": "credit_note", "corrects": "1"}, "value-refused", "/late_fee"),
    ({"late_fee": {"amount": "5.00"}, "means": "direct_debit", "payee": None}, "value-refused", "/late_fee"),
    ({"late_fee": {"amount": "5.00"}, "means": "card", "payee": None}, "value-refused", "/late_fee"),
    ({"lines": [{"description": "x"}] * 1001}, "too-large", "/lines"),
    ({"note": [[[[[[[[[]]]]]]]]]}, "too-large", "/note/0/0/0/0/0/0/0"),
    ({"lines": [{"description": str(index)} for index in range(20_000)]}, "too-large", ""),
]


@pytest.mark.parametrize(("changes", "code", "element"), REFUSALS)
def test_each_mistake_has_its_code_and_its_place(changes: dict[str, Any], code: str, element: str) -> None:
    found = refused(json.dumps(json_fields(**changes)).encode())
    assert found.code == code
    # where there are too many values at all, the place is where the counting stopped
    assert found.element == element or (code == "too-large" and found.element.startswith("/lines"))


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        ("84.20", 'Numbers are not taken: quote it, like "84.20".'),
        ("1e999", 'Numbers are not taken: quote it, like "1e999".'),
        ("9" * 5000, 'Numbers are not taken: quote it, like "' + "9" * 40 + '…".'),
        ("null", "The field is null. Give it a value, or leave it out if it is optional."),
        ('"84,20"', "'84,20' has a comma: write 84.20, with a dot."),
    ],
)
def test_an_amount_that_is_not_written_as_it_should_says_how(raw: str, detail: str) -> None:
    found = refused(json_bill().replace(b'"84.20"', raw.encode()))
    assert (found.element, found.detail) == ("/amount", detail)


@pytest.mark.parametrize(
    ("content", "code", "element"),
    [
        (b"", "not-well-formed", ""),
        (b"{", "not-well-formed", ""),
        (b'{"amount": NaN}', "not-well-formed", ""),
        (b'{"amount": -Infinity}', "not-well-formed", ""),
        (b"[" * 100_000 + b"]" * 100_000, "too-large", ""),
        (b'"' + b"x" * reader.JSON_BYTES_MAX + b'"', "too-large", ""),
        (b"\xef\xbb\xbf" + json_bill(), "encoding-refused", ""),
        (json_bill().decode().encode("utf-16"), "encoding-refused", ""),
        ('{"to": "ü"}'.encode("latin-1"), "encoding-refused", ""),
        (b"[]", "type-refused", ""),
        (b"null", "type-refused", ""),
        (b'"a bill"', "type-refused", ""),
        (b'{"amount": "1.00", "amount": "9119.00"}', "element-doubled", "/amount"),
        (b'{"payee": {"iban": "a", "iban": "b"}}', "element-doubled", "/payee/iban"),
        (b'{"lines": [{}, {"amount": "1", "amount": "2"}]}', "element-doubled", "/lines/1/amount"),
    ],
)
def test_what_is_no_json_of_ours_is_refused(content: bytes, code: str, element: str) -> None:
    found = refused(content)
    assert (found.code, found.element) == (code, element)


def test_the_schema_describes_every_field() -> None:
    fields: dict[str, Field[Any]] = BillSchema().fields
    assert list(fields) == [
        *("to", "number", "issued_on", "kind", "corrects", "replaces", "due_on", "currency", "amount", "payee"),
        *("means", "mandate", "creditor_id", "reference"),
        *("order_reference", "note", "lines", "early_payment", "discounts", "late_fee"),
    ]
    assert all(field.metadata["description"] for field in fields.values())


WORDS = st.text(string.ascii_letters + string.digits + " éß漢€-./", min_size=1, max_size=40).filter(
    lambda word: word == word.strip()
)
DAYS = st.dates(dt.date(2000, 1, 1), dt.date(2100, 12, 31))


@st.composite
def bills(draw: st.DrawFn) -> Bill:
    currency = draw(st.sampled_from(sorted(EXPONENTS)))
    payable = Money(draw(st.integers(2, 10**12)), currency)
    issued_on = draw(DAYS)
    days = sorted(draw(st.sets(DAYS.filter(lambda day: day >= issued_on), max_size=min(3, payable.minor - 1))))
    saves = draw(st.sets(st.integers(1, payable.minor - 1), min_size=len(days), max_size=len(days)))
    tiers = (
        EarlyPayment(until=until, discount=Money(minor, currency))
        for until, minor in zip(days, sorted(saves, reverse=True), strict=True)
    )
    amounts = st.builds(Money, st.integers(-(10**12), 10**12), st.just(currency))
    due_on = draw(st.none() | DAYS)
    after, last = (due_on or issued_on) + dt.timedelta(days=1), dt.date(2100, 12, 31)
    fee = None
    if after <= last and draw(st.booleans()):
        minor = draw(st.integers(1, payable.minor))
        fee = LateFee(starts_on=draw(st.dates(after, last)), amount=Money(minor, currency))
    lines = st.builds(Line, description=WORDS, quantity=st.none() | WORDS, amount=st.none() | amounts)
    return Bill(
        kind=BillKind.INVOICE,
        number=draw(WORDS),
        issued_on=issued_on,
        due_on=due_on,
        payable=payable,
        to=draw(WORDS),
        payee=Payee(name=draw(WORDS), iban=IBAN),
        remittance_reference=draw(st.none() | WORDS.filter(lambda word: not word.upper().startswith("R"))),
        early_payments=tuple(tiers),
        late_fee=fee,
        order_reference=draw(st.none() | WORDS),
        lines=tuple(draw(st.lists(lines, max_size=3))),
        note=draw(st.none() | WORDS),
    )


def as_json(bill: Bill) -> bytes:
    """The bill as a biller would write it."""
    tiers = [{"until": each.until.isoformat(), "amount": str(each.discount)} for each in bill.early_payments]
    lines = [
        {
            "description": line.description,
            **({"quantity": line.quantity} if line.quantity else {}),
            **({"amount": str(line.amount)} if line.amount else {}),
        }
        for line in bill.lines
    ]
    assert bill.payee is not None
    return json_bill(
        to=bill.to,
        number=bill.number,
        issued_on=bill.issued_on.isoformat(),
        due_on=bill.due_on.isoformat() if bill.due_on else None,
        currency=bill.payable.currency,
        amount=str(bill.payable),
        payee={"name": bill.payee.name, "iban": bill.payee.iban},
        reference=bill.remittance_reference,
        order_reference=bill.order_reference,
        note=bill.note,
        lines=lines or None,
        discounts=tiers or None,
        late_fee={"amount": str(bill.late_fee.amount), "from": bill.late_fee.starts_on.isoformat()}
        if bill.late_fee
        else None,
    )


@given(bills())
def test_every_bill_survives_the_way_through_json(bill: Bill) -> None:
    assert reader.read(as_json(bill)) == bill
