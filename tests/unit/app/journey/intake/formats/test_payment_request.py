"""Requests to pay, in XML and in JSON: exact values, each refusal with its place; answers by the official schema."""

from __future__ import annotations

import copy
import datetime as dt
import json
from typing import Any

import pytest
from lxml import etree

from app.journey.intake.bill import AccountScheme, Bill, BillKind, BillRefused, Payee, Seller
from app.journey.intake.formats import payment_answer, read_any
from app.journey.intake.formats import payment_request as requests
from app.journey.intake.formats.outcomes import WORDS, Outcome
from app.journey.intake.formats.payment_request import PaymentRequest
from app.journey.intake.means import MeansKind, kind_of
from connectors.money import Money
from tests.support.shared import shared_folder

IBAN = "FR1420041010050500013M02606"
NOW = dt.datetime(2026, 11, 21, 10, 0, tzinfo=dt.UTC)


def fields() -> dict[str, Any]:
    """A whole SRTP message, as the JSON has it."""
    transaction = {
        "PmtId": {"InstrId": "I-1", "EndToEndId": "2026-00417"},
        "PmtCond": {"AmtModAllwd": True, "EarlyPmtAllwd": True, "GrntedPmtReqd": False},
        "Amt": {"InstdAmt": 84.2},
        "Cdtr": {
            "Nm": "Eaux du Lac SA",
            "Id": {"OrgId": {"Othr": [{"Id": "FR83404833048", "SchmeNm": {"Cd": "TXID"}}]}},
        },
        "CdtrAcct": {"Id": {"IBAN": IBAN}},
        "RmtInf": {"Strd": {"CdtrRefInf": {"Ref": "RF18539007547034"}}},
    }
    instruction = {
        "PmtInfId": "P-1",
        "ReqdExctnDt": {"Dt": "2026-12-01"},
        "XpryDt": {"Dt": "2026-12-31"},
        "Dbtr": {"Nm": "Jana Nováková"},
        "DbtrAcct": {"Prxy": {"Id": "k3v9q2m7x4ta@bills.example"}},
        "CdtTrfTx": [transaction],
    }
    header = {"MsgId": "M-1", "CreDtTm": "2026-11-01T09:00:00Z", "NbOfTxs": "1"}
    return {
        "callbackUrl": "https://biller.example/answers",
        "Document": {"CdtrPmtActvtnReq": {"GrpHdr": header, "PmtInf": [instruction]}},
    }


def changed(**changes: Any) -> bytes:
    """The message with values put at their paths: ``Amt__InstdAmt=1`` in the transaction; ``…=None`` takes one out."""
    whole = copy.deepcopy(fields())
    message = whole["Document"]["CdtrPmtActvtnReq"]
    instruction = message["PmtInf"][0]
    for path, value in changes.items():
        *parents, last = path.split("__")
        places: list[dict[str, Any]] = [instruction["CdtTrfTx"][0], instruction, message, whole]
        place = next((each for each in places if (parents or [last])[0] in each), places[0])
        for step in parents:
            place = place.setdefault(step, {})
        if value is None:
            place.pop(last)
        else:
            place[last] = value
    return json.dumps(whole).encode()


def read(**changes: Any) -> Bill:
    return read_any(changed(**changes))


def refused(content: bytes) -> tuple[str, str]:
    with pytest.raises(BillRefused) as caught:
        read_any(content)
    return caught.value.code, caught.value.element


def in_xml(*, message: str = "", **changes: str) -> bytes:
    """The same in XML; ``changes`` replace text by text."""
    document = (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.013.001.08"><CdtrPmtActvtnReq>'
        "<GrpHdr><MsgId>M-1</MsgId><CreDtTm>2026-11-01T09:00:00Z</CreDtTm><NbOfTxs>1</NbOfTxs>"
        "<CtrlSum>84.20</CtrlSum></GrpHdr>"
        "<PmtInf><PmtInfId>P-1</PmtInfId><ReqdExctnDt><Dt>2026-12-01</Dt></ReqdExctnDt>"
        "<Dbtr><Nm>Jana</Nm></Dbtr>"
        "<CdtTrfTx><PmtId><EndToEndId>E-1</EndToEndId></PmtId>"
        "<PmtCond><DelyPnlty>after 30 days</DelyPnlty><ImdtPmtRbt><Rate>2.25</Rate></ImdtPmtRbt></PmtCond>"
        '<Amt><InstdAmt Ccy="EUR">84.20</InstdAmt></Amt><Cdtr><Nm>Eaux du Lac SA</Nm></Cdtr>'
        f"<CdtrAcct><Id><IBAN>{IBAN}</IBAN></Id></CdtrAcct>"
        "<RmtInf><Strd><RfrdDocInf><Nb>2026-00417</Nb></RfrdDocInf></Strd></RmtInf></CdtTrfTx></PmtInf>"
        "</CdtrPmtActvtnReq></Document>"
    )
    for old, new in changes.items():
        assert old in document, old
        document = document.replace(old, new)
    return document.encode()


def test_a_json_request_is_a_bill() -> None:
    assert read() == Bill(
        kind=BillKind.INVOICE,
        number="2026-00417",
        issued_on=dt.date(2026, 11, 1),
        due_on=dt.date(2026, 12, 1),
        due_dates=(dt.date(2026, 12, 1),),
        payable=Money(8420, "EUR"),
        to="k3v9q2m7x4ta@bills.example",
        seller=Seller(legal_name="Eaux du Lac SA", vat_id="FR83404833048"),
        buyer_name="Jana Nováková",
        payee=Payee(name="Eaux du Lac SA", iban=IBAN),
        remittance_reference="RF18539007547034",
        expires_on=dt.date(2026, 12, 31),
    )


def test_an_xml_request_is_one_too_and_a_rebate_without_a_day_is_only_shown() -> None:
    found = read_any(in_xml())
    assert (found.number, found.payable, found.payee) == (
        "2026-00417",
        Money(8420, "EUR"),
        Payee(name="Eaux du Lac SA", iban=IBAN),
    )
    assert (found.early_payments, found.terms) == (
        (),
        "Rebate for immediate payment: 2.25\nLate payment: after 30 days",
    )


def test_a_request_in_an_envelope_is_read() -> None:
    inside = in_xml().removeprefix(b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.013.001.08">')
    inside = inside.removesuffix(b"</Document>").replace(
        b"<CdtrPmtActvtnReq>", b'<CdtrPmtActvtnReq xmlns="urn:iso:std:iso:20022:tech:xsd:pain.013.001.08">'
    )
    assert read_any(b"<Message><Request>" + inside + b"</Request></Message>").number == "2026-00417"


def test_texts_are_the_reference_where_no_structured_one_is() -> None:
    found = read(RmtInf={"Ustrd": ["Water 2026/4", "thank you"]})
    assert found.remittance_reference == "Water 2026/4 thank you"


def test_an_account_that_is_no_iban_is_kept() -> None:
    payee = read(CdtrAcct={"Id": {"Othr": {"Id": "US88664715164441"}}}).payee
    assert payee == Payee(name="Eaux du Lac SA", other_account="US88664715164441", scheme=AccountScheme.OTHER)


def test_a_request_for_a_cheque_is_no_transfer() -> None:
    method = "<PmtMtd>{}</PmtMtd><ReqdExctnDt>"
    kinds = [kind_of(read_any(in_xml(**{"<ReqdExctnDt>": method.format(each)}))) for each in ("CHK", "TRF", "TRA")]
    assert kinds == [MeansKind.ELSEWHERE, MeansKind.CREDIT_TRANSFER, MeansKind.CREDIT_TRANSFER]


PLACE = "/Document/CdtrPmtActvtnReq"
TRANSACTION = f"{PLACE}/PmtInf/0/CdtTrfTx/0"


@pytest.mark.parametrize(
    ("changes", "code", "element"),
    [
        ({"Amt__InstdAmt": -84.2}, "amount-refused", f"{TRANSACTION}/Amt/InstdAmt"),
        ({"Amt__InstdAmt": 0}, "amount-refused", f"{TRANSACTION}/Amt/InstdAmt"),
        ({"Amt__InstdAmt": 84.201}, "amount-refused", f"{TRANSACTION}/Amt/InstdAmt"),
        ({"Amt__InstdAmt": "84.20"}, "type-refused", f"{TRANSACTION}/Amt/InstdAmt"),
        ({"Amt__InstdAmt": None}, "element-missing", f"{TRANSACTION}/Amt/InstdAmt"),
        ({"CdtrAcct__Id__IBAN": IBAN[:-1] + "7"}, "account-refused", f"{TRANSACTION}/CdtrAcct/Id/IBAN"),
        ({"CdtrAcct__Id__IBAN": "12345678"}, "account-refused", f"{TRANSACTION}/CdtrAcct/Id/IBAN"),
        (
            {"RmtInf__Strd__CdtrRefInf__Ref": "RF19539007547034"},
            "reference-refused",
            f"{TRANSACTION}/RmtInf/Strd/CdtrRefInf/Ref",
        ),
        ({"PmtCond__AmtModAllwd": "perhaps"}, "type-refused", f"{TRANSACTION}/PmtCond/AmtModAllwd"),
        ({"Cdtr": "Lumen"}, "type-refused", f"{TRANSACTION}/Cdtr"),
        ({"GrpHdr__NbOfTxs": "2"}, "amounts-do-not-add-up", f"{PLACE}/GrpHdr/NbOfTxs"),
        ({"GrpHdr__CtrlSum": 84.21}, "amounts-do-not-add-up", f"{PLACE}/GrpHdr/CtrlSum"),
        ({"GrpHdr__CreDtTm": "yesterday"}, "date-refused", f"{PLACE}/GrpHdr/CreDtTm"),
        ({"ReqdExctnDt": {}}, "element-missing", f"{PLACE}/PmtInf/0/ReqdExctnDt"),
        ({"ReqdExctnDt__Dt": "2026-02-30"}, "date-refused", f"{PLACE}/PmtInf/0/ReqdExctnDt/Dt"),
        ({"CdtTrfTx": []}, "element-missing", f"{PLACE}/PmtInf/CdtTrfTx"),
        ({"Document": {}}, "element-missing", PLACE),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], code: str, element: str) -> None:
    assert refused(changed(**changes)) == (code, element)


@pytest.mark.parametrize(
    "url",
    [
        "http://biller.example/answers",
        "file:///etc/passwd",
        "https://169.254.169.254/",
        "https://[::1]/",
        "https://localhost/",
        "https://127.1/",
        "https://user@biller.example/",
        "https://[bad",
    ],
)
def test_an_address_for_answers_that_leads_inside_is_refused(url: str) -> None:
    assert refused(changed(callbackUrl=url)) == ("text-refused", "/callbackUrl")


def test_a_number_is_read_as_it_is_written() -> None:
    doubled = changed().replace(b'"InstdAmt": 84.2', b'"InstdAmt": 1, "InstdAmt": 84.2')
    assert refused(doubled) == ("element-doubled", f"{TRANSACTION}/Amt/InstdAmt")
    for written in (b"1e2", b"84.20000000000000000001", b"9" * 5000):
        assert refused(changed().replace(b"84.2", written))[0] == "amount-refused"


@pytest.mark.parametrize(
    ("old", "new", "code", "element"),
    [
        ('Ccy="EUR"', 'Ccy="XXX"', "currency-refused", "CdtTrfTx/Amt/InstdAmt/@Ccy"),
        ("<CtrlSum>84.20", "<CtrlSum>84.21", "amounts-do-not-add-up", None),
        ("CdtTrfTx>", "CdtTrfTxInf>", "element-missing", "CdtTrfTx"),
    ],
)
def test_what_is_wrong_in_xml_is_named(old: str, new: str, code: str, element: str | None) -> None:
    place = "/CdtrPmtActvtnReq/GrpHdr/CtrlSum" if element is None else f"/CdtrPmtActvtnReq/PmtInf/{element}"
    assert refused(in_xml(**{old: new})) == (code, place)


def test_two_payments_are_two_messages() -> None:
    double = in_xml(
        **{"<NbOfTxs>1": "<NbOfTxs>2", "<CtrlSum>84.20</CtrlSum>": "", "</CdtTrfTx>": "</CdtTrfTx>#", "<CdtTrfTx>": "@"}
    ).decode()
    start, end = double.index("@"), double.index("#")
    one = "<CdtTrfTx>" + double[start + 1 : end]
    assert refused((double[:start] + one + one + double[end + 1 :]).encode()) == (
        "element-doubled",
        "/CdtrPmtActvtnReq/PmtInf",
    )


# --- answers


def request() -> PaymentRequest:
    (found,) = requests.requests_in_xml(etree.fromstring(in_xml())[0])
    return found


@pytest.mark.shared
@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if WORDS[outcome].pain_014])
def test_an_answer_is_what_the_schema_wants_and_reads_back(outcome: Outcome) -> None:
    part = Money(4000, "EUR") if outcome is Outcome.ACCEPTED_IN_PART else None
    said = payment_answer.answer(request(), outcome, accepted=part)
    written = payment_answer.as_xml(request(), said, message_id="A-1", now=NOW)
    schema = etree.XMLSchema(etree.parse(str(shared_folder() / "schemas/pain.014.001.08.xsd")))
    schema.assertValid(etree.fromstring(written))
    assert payment_answer.read(written) == (said,)


def test_what_pain_014_has_no_word_for_is_not_said() -> None:
    for outcome in (Outcome.OPENED, Outcome.DISPUTED, Outcome.PAID, Outcome.PAID_IN_PART):
        with pytest.raises(payment_answer.NothingToSay):
            payment_answer.answer(request(), outcome)


@pytest.mark.parametrize("part", [Money(0, "EUR"), Money(8420, "EUR"), None])
def test_a_part_is_more_than_nothing_and_less_than_all(part: Money | None) -> None:
    with pytest.raises(ValueError, match="part"):
        payment_answer.answer(request(), Outcome.ACCEPTED_IN_PART, accepted=part)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [(b"ACCP", b"PAID", "text-refused"), (b"CdtrPmtActvtnReqStsRpt", b"Other", "not-a-bill")],
)
def test_an_answer_that_is_none_is_refused(old: bytes, new: bytes, code: str) -> None:
    said = payment_answer.answer(request(), Outcome.SCHEDULED)
    written = payment_answer.as_xml(request(), said, message_id="A-1", now=NOW)
    with pytest.raises(BillRefused) as caught:
        payment_answer.read(written.replace(old, new))
    assert caught.value.code == code


def test_every_outcome_has_its_words() -> None:
    assert set(WORDS) == set(Outcome)
    for words in WORDS.values():
        assert (words.pain_014 == "RJCT") == (words.pain_014_reason is not None)
        assert words.peppol in {"AB", "IP", "UQ", "CA", "RE", "AP", "PD"}
        assert words.cdar is not None
