"""Many bills in one file: each is read or refused by itself."""

from __future__ import annotations

import datetime as dt

import pytest

from app.journey.intake.bill import BillRefused, LateFee
from app.journey.intake.formats import bulk
from app.journey.intake.formats.bulk import BulkLine
from app.journey.intake.means import kind_of
from connectors.money import Money
from tests.support.bills import IBAN, SELLER_NAME, TO, json_bill

HEADER = "to,number,issued_on,due_on,currency,amount,payee.name,payee.iban,reference"
ROW = f"{TO},2026-1,2026-11-01,2026-12-01,EUR,84.20,{SELLER_NAME},{IBAN},RF18539007547034"


def lines(content: bytes) -> list[BulkLine]:
    return list(bulk.ndjson(bulk.split(content)))


def rows(*written: str) -> list[BulkLine]:
    return list(bulk.table(bulk.split("\n".join(written).encode())))


def outcomes(found: list[BulkLine]) -> list[tuple[int, str]]:
    """Number of the bill, or code and place of its refusal."""
    said = []
    for each in found:
        if each.bill:
            said.append((each.number, each.bill.number))
        elif each.refused:
            said.append((each.number, f"{each.refused.code} {each.refused.element}"))
    return said


def test_each_line_of_json_stands_by_itself() -> None:
    content = b"\n".join(
        [json_bill(number="1"), b"", json_bill(number="2", amount="84,20"), b"{", json_bill(number="4")]
    )
    assert outcomes(lines(content)) == [
        (1, "1"),
        (3, "amount-refused line 3/amount"),
        (4, "not-well-formed line 4"),
        (5, "4"),
    ]


def test_a_row_is_a_bill_and_the_very_bytes_that_one_delivery_would_have() -> None:
    (found,) = rows(HEADER, ROW)
    assert found.bill is not None
    assert (found.number, found.bill.number, found.bill.payable) == (2, "2026-1", Money(8420, "EUR"))
    (again,) = lines(found.content)
    assert again.bill == found.bill


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_three_separators_are_known_and_a_mark_before_the_header_is_passed_over(separator: str) -> None:
    quoted = f'{ROW},"in two\nlines"'.replace(",", separator)
    (found,) = rows(f"\ufeff{HEADER},note".replace(",", separator), quoted)
    assert found.bill is not None
    assert found.bill.note == "in two\nlines"


def test_each_row_stands_by_itself() -> None:
    found = rows(HEADER, ROW, ROW.replace("84.20", "84"), ",,,,,,,,", f"{ROW},", ROW.replace("2026-1,", "2026-2,"))
    assert outcomes(found) == [
        (2, "2026-1"),
        (3, "amount-refused line 3/amount"),
        (5, "not-well-formed line 5"),
        (6, "2026-2"),
    ]


def test_a_discount_has_two_columns() -> None:
    (found,) = rows(f"{HEADER},early_payment.until,early_payment.discount", f"{ROW},2026-11-15,1.68")
    assert found.bill is not None
    assert [each.discount for each in found.bill.early_payments] == [Money(168, "EUR")]


def test_a_late_fee_has_two_columns_of_which_one_may_be_left_out() -> None:
    (found,) = rows(f"{HEADER},late_fee.amount,late_fee.from", f"{ROW},5.00,2026-12-15")
    assert found.bill is not None
    assert found.bill.late_fee == LateFee(starts_on=dt.date(2026, 12, 15), amount=Money(500, "EUR"))
    (found,) = rows(f"{HEADER},late_fee.amount", f"{ROW},5.00")
    assert found.bill is not None
    assert found.bill.late_fee == LateFee(starts_on=dt.date(2026, 12, 2), amount=Money(500, "EUR"))


def test_a_table_may_say_how_each_is_paid() -> None:
    header = "to,number,issued_on,currency,amount,means,mandate,payee.name,payee.iban,payee.account"
    begins = f"{TO},{{}},2026-11-01,EUR,84.20"
    found = rows(
        header,
        f"{begins.format(1)},direct_debit,M-1,,,",
        f"{begins.format(2)},,,{SELLER_NAME},{IBAN},",
        f"{begins.format(3)},,,{SELLER_NAME},,5050-1055",
        f"{begins.format(4)},,,,,",
    )
    assert [kind_of(each.bill) for each in found if each.bill] == ["direct_debit", "credit_transfer", "elsewhere"]
    assert outcomes(found)[3] == (5, "element-missing line 5/payee")
    (collected,) = rows("to,number,issued_on,currency,amount,means", f"{begins.format(1)},card")
    assert collected.bill is not None


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ((HEADER.replace("amount", "betrag"), ROW), "element-unknown"),
        ((HEADER.replace("due_on", "to"), ROW), "element-doubled"),
        ((HEADER.replace(",amount", ""), ROW), "element-missing"),
        ((HEADER.replace(",payee.iban", ""), ROW), "element-missing"),
        (("",), "element-missing"),
        ((HEADER, f'{ROW},"'), "not-well-formed"),
        ((f'{HEADER},"', ROW), "not-well-formed"),
    ],
)
def test_a_file_that_is_no_table_is_refused_as_a_whole(written: tuple[str, ...], code: str) -> None:
    with pytest.raises(BillRefused) as caught:
        rows(*written)
    assert caught.value.code == code


def test_a_line_beyond_the_limit_ends_the_file() -> None:
    with pytest.raises(BillRefused) as caught:
        lines(json_bill() + b"\n" + b" " * (bulk.LINE_BYTES_MAX + 1))
    assert (caught.value.code, caught.value.element) == ("too-large", "line 2")


def test_a_row_has_so_many_lines_and_no_more() -> None:
    """An open quotation mark takes all that follows into its row; and nobody has read a cell before the row ends."""
    (longest,) = rows(f"{HEADER},note", f'{ROW},"{bulk.ROW_LINES_MAX * chr(10)}"'[:-2] + '"', "")
    assert longest.number == bulk.ROW_LINES_MAX + 1
    with pytest.raises(BillRefused) as caught:
        rows(f"{HEADER},note", f"{ROW},", "", f'{ROW},"{bulk.ROW_LINES_MAX * chr(10)}"')
    assert (caught.value.code, caught.value.element) == ("too-large", "line 4")


def test_a_row_of_many_cells_over_many_lines_ends_the_file() -> None:
    cells = 'x","' * 25_000
    with pytest.raises(BillRefused) as caught:
        rows(f"{HEADER},note", f'{ROW},"', *[f"{cells}x" for _ in range(bulk.ROW_LINES_MAX)])
    assert (caught.value.code, caught.value.element) == ("too-large", "line 2")
    many_rows = [ROW.replace("2026-1,", f"{number},") for number in range(2 * bulk.ROW_LINES_MAX)]
    assert len(rows(HEADER, *many_rows)) == 2 * bulk.ROW_LINES_MAX


def test_a_table_that_is_not_utf_8_names_the_line() -> None:
    with pytest.raises(BillRefused) as caught:
        list(bulk.table(iter([HEADER.encode() + b"\n", b"\xff\n"])))
    assert (caught.value.code, caught.value.element) == ("encoding-refused", "line 2")
