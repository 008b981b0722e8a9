"""The official orders, payment messages and responses: what we read of them is what their table says."""

from __future__ import annotations

import csv
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import bank_message, json_tree, orders, payment_answer, payment_code, responses, xml
from app.journey.intake.formats import payment_request as requests
from tests.support.shared import shared_folder

pytestmark = pytest.mark.shared

Row = dict[str, str]

#: broken on purpose, and refused for what the table says
REFUSED = {
    "made__pain.013.001.07__bad-ctrlsum.xml": "amounts-do-not-add-up",
    "made__pain.013.001.07__bad-iban.xml": "account-refused",
    "made__pain.013.001.07__cdttrftxinf-tags.xml": "element-missing",
}


def samples() -> Path:
    return shared_folder() / "samples"


def expected(name: str) -> list[tuple[Path, Row]]:
    """The rows of which the file is here."""
    with (samples() / name).open(encoding="utf-8") as file:
        rows = [(samples() / row["file"], row) for row in csv.DictReader(file)]
    return [(path, row) for path, row in rows if path.is_file()]


def plain(value: object) -> str:
    return "" if value is None else " ".join(str(value).split())


def test_orders_say_what_their_table_says() -> None:
    rows = expected("expected_orders.csv")
    for path, row in rows:
        found = orders.read(path.read_bytes())
        got = {
            "kind": found.kind.value,
            "order_id": found.id,
            "order_reference": plain(found.order_reference),
            "issue_date": found.issued_on.isoformat(),
            "currency": plain(found.currency),
            "response_code": plain(found.response_code),
            "seller": plain(found.seller),
            "buyer": plain(found.buyer),
        }
        assert got == {name: row[name] for name in got}, path.name
        assert found.payable == (None if not row["payable"] else found.payable), path.name
        assert (found.payable.decimal() if found.payable else None) == (
            Decimal(row["payable"]) if row["payable"] else None
        ), path.name
    assert len(rows) == 14


def test_every_order_x_is_read() -> None:
    read = {path.name: orders.read(path.read_bytes()).kind for path in (samples() / "train/orderx").iterdir()}
    assert len(read) == 9
    assert set(read.values()) == {orders.OrderKind.ORDER, orders.OrderKind.CHANGE, orders.OrderKind.RESPONSE}


def test_an_order_x_in_a_pdf_is_the_same_beside_it() -> None:
    folder = samples() / "train/orderx"
    for path in folder.glob("*.pdf"):
        if path.with_suffix(".xml").is_file():
            assert orders.read(path.read_bytes()) == orders.read(path.with_suffix(".xml").read_bytes())


def test_responses_say_what_their_table_says() -> None:
    rows = expected("expected_responses.csv")
    for path, row in rows:
        found = responses.read(path.read_bytes())
        types = [found.document_type]
        if found.kind == "CDAR":  # the table has all type codes of the message in one cell
            types = [found.acknowledgement_type, *types, *(each.code for each in found.characteristics)]
        got = {
            "kind": found.kind,
            "status": found.status,
            "reasons": "|".join(each.code for each in found.reasons),
            "reason_lists": "|".join(each.list_name for each in found.reasons if each.list_name),
            "document_ref": found.document_number,
            "document_type": "|".join(each for each in types if each),
            "effective_date": found.effective_on.isoformat() if found.effective_on else "",
        }
        if row["profile"]:  # of CDAR messages the table has neither profile nor id
            got |= {"profile": plain(found.profile), "id": plain(found.id)}
        assert got == {name: row[name] for name in got}, path.name
    assert len(rows) == 20


def of_request(path: Path) -> list[Row]:
    content = path.read_bytes()
    if path.suffix == ".json":
        found = requests.requests_in_json(json_tree.parse(content, bytes_max=len(content)))
    else:
        message = requests.xml_message(xml.parse(content))
        assert message is not None
        found = requests.requests_in_xml(message)
    return [
        {
            "msg_id": each.message_id,
            "end_to_end_id": each.end_to_end_id,
            "amount": str(each.amount),
            "currency": each.amount.currency,
            "requested_date": plain(each.requested_on),
            "expiry": plain(each.expires_on),
            "creditor": each.creditor,
            "creditor_account": plain(each.account.iban or each.account.other),
            "creditor_ref": plain(each.creditor_reference),
            "unstructured": "|".join(each.unstructured),
            "invoice_ref": plain(each.invoice_number),
            "amount_modification_allowed": "true" if each.amount_may_change else plain(each.amount_may_change).lower(),
            "rebate": plain(each.rebate),
            "debtor": plain(each.debtor),
        }
        for each in found
    ]


def of_code(path: Path) -> list[Row]:
    found = payment_code.read(path.read_bytes())
    return [
        {
            "amount": plain(found.amount),
            "currency": found.amount.currency if found.amount else "",
            "creditor": found.creditor,
            "creditor_account": found.iban,
            "creditor_ref": plain(found.reference),
            "ref_type": plain(found.reference_type),
            "unstructured": plain(found.unstructured),
            "debtor": plain(found.debtor),
            "bill_info": plain(found.bill_information),
            "address_type": plain(found.address_type),
        }
    ]


def of_bank_message(path: Path) -> list[Row]:
    found = bank_message.read(path.read_bytes())
    currencies = sorted({each.amount.currency for each in found.transfers if each.amount})
    return [
        {
            "msg_id": found.message_id,
            "end_to_end_id": "|".join(each.end_to_end_id for each in found.transfers),
            "amount": "|".join(plain(each.amount) for each in found.transfers),
            "currency": "|".join(currencies),
            "status": "|".join(found.statuses),
        }
    ]


def of_answer(path: Path) -> list[Row]:
    return [
        {"end_to_end_id": plain(each.end_to_end_id), "status": each.status, "reason": plain(each.reason)}
        for each in payment_answer.read(path.read_bytes())
    ]


READERS: dict[str, Callable[[Path], list[Row]]] = {
    "pain013": of_request,
    "epc_srtp_json": of_request,
    "epcqr": of_code,
    "swissqr": of_code,
    "pain001": of_bank_message,
    "pain002": of_bank_message,
    "pain014": of_answer,
}


def test_payment_messages_say_what_their_table_says() -> None:
    rows = [(path, row) for path, row in expected("expected_payment_messages.csv") if path.suffix != ".pdf"]
    refused = {}
    for path in dict.fromkeys(path for path, _ in rows):
        want = [row for each, row in rows if each == path]
        try:
            got = READERS[path.parent.name](path)
        except BillRefused as error:
            refused[path.name] = error.code
            continue
        assert len(got) == len(want), path.name
        for one, other in zip(got, want, strict=True):
            for name, value in one.items():
                assert same(name, value, other[name]), (path.name, name, value, other[name])
    assert refused == REFUSED
    assert len(rows) == 27


def same(name: str, got: str, want: str) -> bool:
    if name == "amount":
        return [number(each) for each in got.split("|")] == [number(each) for each in want.split("|")]
    if name in ("requested_date", "expiry"):
        return got == want[:10]  # of a moment we keep the day
    return got == plain(want)


def number(written: str) -> Decimal | None:
    return Decimal(written) if written else None
