"""Each format under fire: whatever bytes come, a reader answers with what it reads or with a refusal, and nothing else.

The bytes are honest documents, hurt: pieces cut out, doubled, moved, replaced by what has fooled others. That gets
deeper than random bytes do.

``python -m tests.unit.app.journey.intake.formats.test_fuzz 100000 ubl`` is so many documents of one target in a process
that has little memory, and little time for each of them: whoever needs more is killed, and that is a finding.
"""

from __future__ import annotations

import contextlib
import resource
import signal
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.journey.intake import uploads
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
    read_bill,
    responses,
)
from app.journey.intake.formats.outcomes import Outcome
from config.settings import ROOT
from tests.support.bills import cii_bill, pdf_bill, ubl_bill
from tests.support.bills import json_bill as our_json
from tests.support.thorough import thorough
from tests.unit.app.journey.intake.formats import test_bulk, test_orders_and_responses, test_payment_request
from tests.unit.app.journey.intake.formats.test_payment_code import EPC, SWISS

#: what takes bytes and may refuse them
Reader: TypeAlias = Callable[[bytes], object]
#: what is around each reading
Around: TypeAlias = Callable[[], AbstractContextManager[None]]

EXAMPLES = thorough(20, 2_000)

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


def fuzz(whole: bytes, read: Reader, *, examples: int = EXAMPLES, around: Around = contextlib.nullcontext) -> None:
    @settings(
        deadline=None, max_examples=examples, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
    )
    @given(hurt(whole))
    def under_fire(content: bytes) -> None:
        with around():
            answers(read, content)

    under_fire()


def _payment_answer() -> bytes:
    said = payment_answer.answer(test_payment_request.request(), Outcome.DECLINED)
    return payment_answer.as_xml(test_payment_request.request(), said, message_id="A", now=test_payment_request.NOW)


def _taken_apart(content: bytes) -> None:
    """What the child does that takes PDFs apart, in this process, so that many can be tried."""
    answer = pdf_child.answer(content)
    assert answer.keys() in ({"files", "text", "text_is_whole", "besides"}, {"refused"})


def _as_delivered(media_type: str) -> Reader:
    return lambda content: read_bill(content, media_type)


def _upload(cut: Callable[[Iterator[bytes]], Iterator[bulk.Piece]]) -> Reader:
    """A file of bills as it is kept in parts, opened again, and read."""

    def read(content: bytes) -> None:
        pieces = list(cut(bulk.split(content)))
        again = list(uploads._unpacked(uploads._packed(pieces))) if pieces else []
        assert [(each.number, each.content, bool(each.refused)) for each in again] == [
            (each.number, each.content, bool(each.refused)) for each in pieces
        ]
        for line in map(bulk.read, again):
            assert (line.bill is None) is not (line.refused is None)

    return read


PAIN_001 = (
    b"<Document xmlns='urn:iso:std:iso:20022:tech:xsd:pain.001.001.09'><CstmrCdtTrfInitn><GrpHdr><MsgId>M</MsgId>"
    b"</GrpHdr><PmtInf><CdtTrfTxInf><PmtId><EndToEndId>E</EndToEndId></PmtId><Amt><InstdAmt Ccy='EUR'>84.20"
    b"</InstdAmt></Amt></CdtTrfTxInf></PmtInf></CstmrCdtTrfInitn></Document>"
)
OURS = our_json(lines=[{"description": "Eau", "amount": "84.20"}], note="Bonjour")
PDF = pdf_bill(("factur-x.xml", cii_bill()), page="84,20 EUR")
ORDER = test_orders_and_responses.ubl("Order", test_orders_and_responses.ORDER)
RESPONSE = test_orders_and_responses.ubl("ApplicationResponse", test_orders_and_responses.RESPONSE)
#: format → honest documents, each with what reads it
TARGETS: Mapping[str, Sequence[tuple[bytes, Reader]]] = {
    "json": [(OURS, json_bill.read), (OURS, _as_delivered("application/json"))],
    "ubl": [
        (ubl_bill(terms="#SKONTO#TAGE=14#PROZENT=2.00#\n", note="Bonjour"), read_any),
        (ubl_bill(root="CreditNote"), read_any),
        (ubl_bill(), _as_delivered("application/vnd.oasis.ubl+xml")),
    ],
    "cii": [(cii_bill(), read_any), (cii_bill(), _as_delivered("text/xml"))],
    "payment-request": [(test_payment_request.in_xml(), read_any), (test_payment_request.changed(), read_any)],
    "payment-answer": [(_payment_answer(), payment_answer.read)],
    "order": [(ORDER, orders.read)],
    "response": [(RESPONSE, responses.read), (test_orders_and_responses.cdar(), responses.read)],
    "payment-code": [("\n".join(EPC).encode(), payment_code.read), ("\n".join(SWISS).encode(), payment_code.read)],
    "bank-message": [(PAIN_001, bank_message.read)],
    "upload": [
        (f"{test_bulk.HEADER}\n{test_bulk.ROW}\n".encode(), _upload(bulk.cut_table)),
        (our_json() + b"\n" + our_json(number="2"), _upload(bulk.cut_ndjson)),
    ],
    "pdf-child": [(PDF, _taken_apart)],
}


@pytest.mark.parametrize("target", TARGETS)
def test_under_fire(target: str) -> None:
    for whole, read in TARGETS[target]:
        fuzz(whole, read)


@pytest.mark.slow  # a process for each
def test_pdfs_under_fire() -> None:
    fuzz(PDF, read_any, examples=thorough(5, 200))


# ---------------------------------------------------------------------------------------- with little memory and time

MODULE = "tests.unit.app.journey.intake.formats.test_fuzz"
#: of the whole process, libraries and hypothesis included; it begins with less than half of that
MEMORY_MAX = 1024 * 1024 * 1024
#: of the processor, for one document of some kilobytes: a hundred times what the slowest takes
CPU_S_MAX = 5.0


class TooSlow(Exception):
    """No reader catches it: it is not what a document may cause."""


@contextlib.contextmanager
def little_time() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TooSlow

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, CPU_S_MAX)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


@pytest.mark.slow
@pytest.mark.timeout(3600)  # of a thorough run
def test_under_fire_with_little_memory_and_time() -> None:
    command = [sys.executable, "-m", MODULE, str(EXAMPLES), *TARGETS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-4000:]


def main(examples: int, targets: Sequence[str]) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    for target in targets:
        for whole, read in TARGETS[target]:
            fuzz(whole, read, examples=examples, around=little_time)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
