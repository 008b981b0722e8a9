"""Each format under fire: whatever bytes come, a reader answers with what it reads or with a refusal, and nothing else.

The bytes are honest documents, hurt: pieces cut out, doubled, moved, replaced by what has fooled others. That gets
deeper than random bytes do. FUZZ_EXAMPLES makes it as long as somebody has patience.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.journey.intake.bill import Bill, BillRefused
from app.journey.intake.formats import (
    bank_message,
    bulk,
    json_bill,
    orders,
    payment_answer,
    payment_code,
    pdf_child,
    read_any,
    responses,
)
from app.journey.intake.formats.outcomes import Outcome
from tests.support.bills import cii_bill, pdf_bill, ubl_bill
from tests.support.bills import json_bill as our_json
from tests.unit.app.journey.intake.formats import test_bulk, test_orders_and_responses, test_payment_request
from tests.unit.app.journey.intake.formats.test_payment_code import EPC, SWISS

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "150"))

#: what has fooled readers of others
TRICKS = (
    *(b"", b"\0", b"\xff", b"\xef\xbb\xbf", b"<", b">", b"&#0;", b"&#x202e;", b"&amp;", b"<!-- -->", b"<?x?>", b"]]>"),
    *(b"<![CDATA[1]]>", b'<!DOCTYPE a [<!ENTITY x "y">]>', b"&x;", b" xsi:nil='true'", b"xmlns=''", b"</", b"/>"),
    *(b"1E2", b"NaN", b"-0", b"+1", b"1_0", b"0x1", b"1e999", b"\xef\xbc\x91", b"\xd9\xa1", b"9" * 400, b"84,20"),
    *(b"{", b"[" * 50, b'"', b"\\ud800", b"null", b"true", b"\n", b"\r\n", b"\xe2\x80\xae", b"\xcc\x88", b"2026-02-30"),
    *(b"#SKONTO#TAGE=1#PROZENT=1.00#\n", b"JPY", b"XXX", b"obj", b"endstream", b"/Kids", b"/Filter /FlateDecode"),
)


@st.composite
def hurt(draw: st.DrawFn, whole: bytes) -> bytes:
    """``whole`` with up to six wounds."""
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, len(whole)))
        end = min(len(whole), start + draw(st.sampled_from((0, 1, 3, 20, 200))))
        piece = draw(st.sampled_from(TRICKS) | st.binary(max_size=8) | st.just(whole[start:end]))
        where = draw(st.integers(0, len(whole))) if piece == whole[start:end] else start
        whole = whole[:where] + piece + whole[where:] if where != start else whole[:start] + piece + whole[end:]
    return whole


def answers(read: Callable[[bytes], object], content: bytes) -> None:
    """It reads or refuses. What it reads can be shown and stored."""
    found: object
    try:
        found = read(content)
    except BillRefused as refused:
        found = refused
    if isinstance(found, BillRefused):
        assert found.code
        assert (found.detail + found.element).encode()
    if isinstance(found, Bill):
        assert abs(found.payable.minor) < 10**15
        assert found.number == found.number.strip() != ""
        seller = found.seller.name if found.seller else None
        shown = [each for each in (found.number, found.note, found.terms, found.buyer_name, seller) if each]
        for text in shown:
            assert not {unicodedata.category(each) for each in text.replace("\n", "")} & {"Cc", "Cs", "Cf"}
        assert all(0 < each.discount.minor < found.payable.minor for each in found.early_payments)


def fuzz(whole: bytes, read: Callable[[bytes], object], *, examples: int = EXAMPLES) -> None:
    @settings(max_examples=examples, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(hurt(whole))
    def under_fire(content: bytes) -> None:
        answers(read, content)

    under_fire()


def test_our_json_under_fire() -> None:
    fuzz(our_json(lines=[{"description": "Eau", "amount": "84.20"}], note="Bonjour"), json_bill.read)


def test_ubl_under_fire() -> None:
    fuzz(ubl_bill(terms="#SKONTO#TAGE=14#PROZENT=2.00#\n", note="Bonjour"), read_any)
    fuzz(ubl_bill(root="CreditNote"), read_any)


def test_cii_under_fire() -> None:
    fuzz(cii_bill(), read_any)


def test_payment_requests_under_fire() -> None:
    fuzz(test_payment_request.in_xml(), read_any)
    fuzz(test_payment_request.changed(), read_any)


def test_payment_answers_under_fire() -> None:
    request = test_payment_request.request()
    said = payment_answer.answer(request, Outcome.DECLINED)
    written = payment_answer.as_xml(request, said, message_id="A", now=test_payment_request.NOW)
    fuzz(written, payment_answer.read)


def test_orders_under_fire() -> None:
    fuzz(test_orders_and_responses.ubl("Order", test_orders_and_responses.ORDER), orders.read)


def test_responses_under_fire() -> None:
    fuzz(test_orders_and_responses.ubl("ApplicationResponse", test_orders_and_responses.RESPONSE), responses.read)
    fuzz(test_orders_and_responses.cdar(), responses.read)


def test_payment_codes_under_fire() -> None:
    fuzz("\n".join(EPC).encode(), payment_code.read)
    fuzz("\n".join(SWISS).encode(), payment_code.read)


def test_bank_messages_under_fire() -> None:
    pain_001 = (
        b"<Document xmlns='urn:iso:std:iso:20022:tech:xsd:pain.001.001.09'><CstmrCdtTrfInitn><GrpHdr><MsgId>M</MsgId>"
        b"</GrpHdr><PmtInf><CdtTrfTxInf><PmtId><EndToEndId>E</EndToEndId></PmtId><Amt><InstdAmt Ccy='EUR'>84.20"
        b"</InstdAmt></Amt></CdtTrfTxInf></PmtInf></CstmrCdtTrfInitn></Document>"
    )
    fuzz(pain_001, bank_message.read)


def test_bulk_files_under_fire() -> None:
    fuzz(f"{test_bulk.HEADER}\n{test_bulk.ROW}\n".encode(), lambda content: list(bulk.table(bulk.split(content))))
    fuzz(our_json() + b"\n" + our_json(number="2"), lambda content: list(bulk.ndjson(bulk.split(content))))


@pytest.mark.slow  # a process for each
def test_pdfs_under_fire() -> None:
    fuzz(pdf_bill(("factur-x.xml", cii_bill()), page="84,20 EUR"), read_any, examples=max(EXAMPLES // 10, 10))


def test_the_child_that_takes_pdfs_apart_never_falls() -> None:
    """In this process, so that many can be tried; its limits are tested where it is a process."""

    def taken_apart(content: bytes) -> None:
        answer = pdf_child.answer(content)
        assert answer.keys() in ({"files", "text"}, {"refused"})

    fuzz(pdf_bill(("factur-x.xml", cii_bill()), page="84,20 EUR"), taken_apart)
