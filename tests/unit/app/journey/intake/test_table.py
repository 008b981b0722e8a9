"""Files as rows: `quittance read`."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from app.cli import main
from app.journey.intake import table
from tests.support.bills import IBAN, NUMBER, REFERENCE, json_bill, ubl_bill


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "honest.xml").write_bytes(ubl_bill(prepaid="0.00"))
    (tmp_path / "ours.json").write_bytes(json_bill())
    (tmp_path / "wrong.xml").write_bytes(ubl_bill(amount="9119.00", total="84.20"))
    (tmp_path / "archive.zip").write_bytes(b"PK\x03\x04")
    return tmp_path


def test_each_file_is_a_row_with_its_values_or_its_refusal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(folder / name) for name in ("honest.xml", "ours.json", "wrong.xml", "archive.zip")]
    assert main(["read", *files]) == 0
    honest, ours, wrong, archive = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert [row["file"] for row in (honest, ours, wrong, archive)] == files
    assert (honest["invoice_number"], honest["amount_due"], honest["payee_account"]) == (NUMBER, "84.20", IBAN)
    assert (honest["prepaid"], honest["rounding"], honest["remittance_reference"]) == ("0.00", "", REFERENCE)
    assert (honest["pays"], honest["refused"], ours["amount_due"]) == ("payable", "", "84.20")
    assert wrong["refused"].startswith("amounts-do-not-add-up: The amount due is 9119.00")
    assert wrong["refused"].endswith("[/Invoice/cac:LegalMonetaryTotal/cbc:PayableAmount]")
    assert (wrong["amount_due"], archive["refused"]) == ("", "not-a-bill: The file is neither XML, PDF nor JSON.")


def test_a_file_that_is_not_there_is_a_failure(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", str(folder / "absent.xml")]) == 1
    assert "absent.xml: No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ('=HYPERLINK("http://x","y")', '\'=HYPERLINK("http://x","y")'),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-1+2", "-1+2"),
        ("+++090/9337/55493+++", "+++090/9337/55493+++"),
    ],
)
def test_no_cell_is_a_formula(tmp_path: Path, name: str, cell: str) -> None:
    path = tmp_path / "bill.xml"
    path.write_bytes(ubl_bill(seller_name=name))
    assert table.row(path)["seller_name"] == cell
