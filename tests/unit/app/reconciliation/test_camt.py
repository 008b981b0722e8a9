"""The reader of statements: what each version says, what cannot be read, and what is refused."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.journey.reconciliation import camt as reader
from app.journey.reconciliation.camt import CamtRefused, Direction, Statement, Transaction, read
from connectors.money import Money
from tests.support.camt import Line, camt

ACCOUNT = "FR1420041010050500013M02606"
ID = "pay" + "0" * 32


def only(content: bytes) -> Statement:
    (statement,) = read(content).statements
    return statement


def transaction(line: Line, **how: str) -> Transaction:
    (entry,) = only(camt(line, account=ACCOUNT, **how)).entries  # type: ignore[arg-type]
    (found,) = entry.transactions
    return found


def reason(*lines: Line | str) -> str:
    (found,) = only(camt(*lines, account=ACCOUNT)).unreadable
    return found.reason


@pytest.mark.parametrize("version", ["02", "04", "06", "07", "08", "10", "13"])
@pytest.mark.parametrize("kind", ["053", "054"])
def test_every_version(kind: str, version: str) -> None:
    message = read(camt(Line(end_to_end_id=ID, reference="R1"), account=ACCOUNT, kind=kind, version=version))
    assert (message.kind, message.version, message.id) == (f"camt.{kind}", version, "MSG-1")
    (statement,) = message.statements
    assert (statement.account, statement.id, statement.bookings) == (ACCOUNT, "MSG-1-1", 1)
    assert statement.period == (dt.date(2026, 11, 23), dt.date(2026, 11, 23))
    (entry,) = statement.entries
    assert entry.booked
    (found,) = entry.transactions
    assert (found.end_to_end_id, found.bank_reference) == (ID, "R1")
    assert (found.amount, found.direction, found.reversal) == (Money(8420, "EUR"), Direction.CREDIT, False)
    assert statement.itemised


def test_other_namespaces_and_envelopes() -> None:
    plain = camt(Line(end_to_end_id=ID), account=ACCOUNT)
    name = b"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
    six = plain.replace(name, b"http://www.six-interbank-clearing.com/de/camt.053.001.08.xsd")
    assert read(six).version == "08"
    nameless = plain.replace(b' xmlns="' + name + b'"', b"")
    assert (read(nameless).kind, read(nameless).version) == ("camt.053", None)
    head, _, body = plain.partition(b"?>")
    assert read(head + b"?><Envelope><Header/>" + body + b"</Envelope>") == read(plain)


@pytest.mark.parametrize(("written", "minor"), [("12.50000", 1250), ("12.5", 1250), ("+012", 1200), (".5", 50)])
def test_amounts_are_exact(written: str, minor: int) -> None:
    assert transaction(Line(end_to_end_id=ID, amount=written)).amount == Money(minor, "EUR")


@pytest.mark.parametrize("written", ["12.50001", "-1", "1e3", "12,50", "", ".", "٣", "9" * 18, "NaN"])
def test_what_is_no_amount_is_kept_as_unreadable(written: str) -> None:
    statement = only(camt(Line(end_to_end_id=ID, amount=written), account=ACCOUNT))
    (found,) = statement.unreadable
    assert (statement.entries, found.end_to_end_id) == ((), ID)
    assert found.place == "BkToCstmrStmt/Stmt/Ntry"
    assert "amount" in found.reason or "decimals" in found.reason
    assert statement.bookings == 1
    assert not statement.itemised


def test_a_reversal_has_the_sense_of_what_it_takes_back() -> None:
    found = transaction(Line(end_to_end_id=ID, indicator="DBIT", reversal=True))
    assert (found.direction, found.original_direction) == (Direction.DEBIT, Direction.CREDIT)
    returned = transaction(Line(end_to_end_id=ID, indicator="CRDT", return_reason="AC01"))
    assert (returned.reversal, returned.return_reason) == (True, "AC01")
    assert returned.original_direction is Direction.DEBIT


@pytest.mark.parametrize("none", ["NOTPROVIDED", "notprovided", "", None])
def test_no_id_is_none(none: str | None) -> None:
    assert transaction(Line(end_to_end_id=none)).end_to_end_id is None


def test_the_counterparty_is_the_other_side() -> None:
    iban = "DE89370400440532013000"
    assert transaction(Line(end_to_end_id=ID, counterparty=iban)).counterparty_iban == iban
    assert transaction(Line(end_to_end_id=ID, indicator="DBIT", counterparty=iban)).counterparty_iban == iban
    assert transaction(Line(end_to_end_id=ID, counterparty=ACCOUNT)).counterparty_iban is None


def batch(*transactions: str, count: int = 2) -> str:
    details = "".join(f"<TxDtls>{each}</TxDtls>" for each in transactions)
    return (
        '<Ntry><Amt Ccy="EUR">100.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>'
        f"<NtryDtls><Btch><NbOfTxs>{count}</NbOfTxs></Btch>{details}</NtryDtls></Ntry>"
    )


def test_a_batch_is_read_one_by_one() -> None:
    one = f'<Refs><EndToEndId>{ID}</EndToEndId></Refs><Amt Ccy="EUR">60.00</Amt>'
    two = '<AmtDtls><TxAmt><Amt Ccy="EUR">40.00</Amt></TxAmt></AmtDtls>'
    statement = only(camt(batch(one, two), account=ACCOUNT))
    assert [str(found.amount) for found in statement.entries[0].transactions] == ["60.00", "40.00"]
    assert statement.itemised
    assert not only(camt(batch(one), account=ACCOUNT)).itemised
    assert not only(camt(batch(count=5), account=ACCOUNT)).itemised


def test_one_of_several_without_an_amount_is_unreadable_and_the_others_are_not() -> None:
    one = '<Amt Ccy="EUR">60.00</Amt>'
    two = f"<Refs><EndToEndId>{ID}</EndToEndId></Refs>"
    statement = only(camt(batch(one, two), account=ACCOUNT))
    (found,) = statement.unreadable
    assert (found.place, found.end_to_end_id) == ("BkToCstmrStmt/Stmt/Ntry/NtryDtls/TxDtls[2]", ID)
    assert (len(statement.entries[0].transactions), statement.bookings) == (1, 2)


def test_what_else_is_unreadable_says_why() -> None:
    line = Line(end_to_end_id=ID)
    text = line.xml(new=True)
    assert reason(Line(end_to_end_id=ID, indicator="IN")) == "'IN' is neither CRDT nor DBIT"
    assert reason(Line(end_to_end_id=ID, currency="XXX")) == "'XXX' is not a currency that we know"
    assert reason(Line(end_to_end_id=ID, booked_on="2026-02-30")) == "day is out of range for month"
    assert reason(Line(end_to_end_id="x" * 36)).endswith("The value is longer than 35 characters.")
    assert reason(text.replace("<RvslInd>false", "<RvslInd>maybe")) == "'maybe' is neither true nor false"
    assert reason(text.replace("<Sts><Cd>BOOK</Cd></Sts>", "")) == "the entry does not say whether it is booked"
    assert "there 2 times" in reason(text.replace("<Refs>", "<Refs/><Refs>"))


def test_only_booked_entries_are_facts() -> None:
    for status in ("PDNG", "INFO", "FUTR"):
        (entry,) = only(camt(Line(end_to_end_id=ID, status=status), account=ACCOUNT)).entries
        assert not entry.booked


BALANCES = "".join(
    f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">1</Amt><CdtDbtInd>CRDT</CdtDbtInd>'
    f"<Dt><Dt>{day}</Dt></Dt></Bal>"
    for code, day in (("OPBD", "2026-11-20"), ("CLBD", "2026-11-23"))
)


def test_the_days_of_a_statement() -> None:
    content = camt(account=ACCOUNT, days=None)
    assert only(content).period is None
    with_balances = content.replace(b"</Acct>", b"</Acct>" + BALANCES.encode())
    assert only(with_balances).period == (dt.date(2026, 11, 21), dt.date(2026, 11, 23))
    for written in (b'<Amt Ccy="EUR">-1.00</Amt>', b"<Amt/>", b""):  # only its day is of use
        assert only(with_balances.replace(b'<Amt Ccy="EUR">1</Amt>', written)).period == only(with_balances).period
    unreadable = with_balances.replace(b"<Dt>2026-11-20</Dt>", b"<Dt>soon</Dt>")
    assert only(unreadable).period is None
    midnight = camt(account=ACCOUNT, days=("2026-11-22", "2026-11-24")).replace(b"24T23:59:59", b"24T00:00:00")
    assert only(midnight).period == (dt.date(2026, 11, 22), dt.date(2026, 11, 23))
    with pytest.raises(CamtRefused, match=r"is not a date \(BkToCstmrStmt/Stmt/FrToDt\)"):
        read(camt(account=ACCOUNT, days=("soon", "2026-11-24")))


def test_one_page_of_several_is_not_whole() -> None:
    content = camt(account=ACCOUNT)
    for pages, whole in (("1</PgNb><LastPgInd>true", True), ("1</PgNb><LastPgInd>false", False)):
        paged = content.replace(b"</GrpHdr>", f"<MsgPgntn><PgNb>{pages}</LastPgInd></MsgPgntn></GrpHdr>".encode())
        assert only(paged).itemised is whole


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "not-well-formed"),
        (b"<a/>", "not-a-statement"),
        (b"<Document/>", "not-a-statement"),
        (
            b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.03"><CstmrCdtTrfInitn/></Document>',
            "not-a-st",
        ),
        (b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><Document>&x;</Document>", "doctype-refused"),
        (b"<?xml version='1.0' encoding='UTF-7'?><Document/>", "encoding-refused"),
        (camt(account="").replace(b"<IBAN></IBAN>", b""), "element-missing"),
        (camt(account=ACCOUNT).replace(b"camt.053.001", b"camt.054.001"), "not-a-statement"),
        (camt(account=ACCOUNT).replace(b"<MsgId>MSG-1</MsgId>", b""), "element-missing"),
        (camt(account=ACCOUNT).replace(b"</GrpHdr>", b"</GrpHdr><GrpHdr/>"), "element-doubled"),
    ],
)
def test_what_is_no_statement_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(CamtRefused) as caught:
        read(content)
    assert caught.value.code.startswith(code)


def test_a_file_that_is_too_large_is_not_even_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "BYTES_MAX", 10)
    with pytest.raises(CamtRefused, match="larger than"):
        read(camt(account=ACCOUNT))


def test_more_elements_than_any_statement_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MARKUP_MAX", 10)
    with pytest.raises(CamtRefused, match="more elements than any statement needs"):
        read(camt(account=ACCOUNT))


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for whole in (content, camt("<Ntry>", account=ACCOUNT).replace(b"<Ntry>", content)):
        try:
            read(whole)
        except CamtRefused:
            continue
