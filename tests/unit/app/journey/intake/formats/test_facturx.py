"""Bills in PDFs: the XML is the bill, and what the PDF says besides makes a doubt or a refusal."""

from __future__ import annotations

import pytest

from app.journey.intake.bill import Bill, BillRefused
from app.journey.intake.formats import facturx, pdf_child
from tests.support.bills import IBAN, NUMBER, cii_bill, pdf_bill, ubl_bill

pytestmark = pytest.mark.slow  # a process for each PDF

XML = ("factur-x.xml", cii_bill())


def refused(content: bytes) -> BillRefused:
    with pytest.raises(BillRefused) as caught:
        facturx.read(content)
    return caught.value


def doubts(bill: Bill) -> list[tuple[str, str]]:
    return [(doubt.code, doubt.element) for doubt in bill.doubts]


@pytest.mark.parametrize("name", ["factur-x.xml", "xrechnung.xml", "ZUGFeRD-invoice.xml"])
def test_the_bill_is_in_the_file_of_this_name(name: str) -> None:
    found = facturx.read(pdf_bill(("delivery.txt", b"hello"), (name, cii_bill())))
    assert (found.number, set(found.attachments), found.doubts) == (NUMBER, {"delivery.txt", name}, ())


def test_a_ubl_bill_may_be_in_it_too() -> None:
    assert facturx.read(pdf_bill(("xrechnung.xml", ubl_bill()))).number == NUMBER


def test_a_refusal_names_the_file_and_the_element() -> None:
    found = refused(pdf_bill(("factur-x.xml", cii_bill(amount="9119.00", total="119.00"))))
    assert found.code == "amounts-do-not-add-up"
    assert found.element.startswith("factur-x.xml/rsm:CrossIndustryInvoice/")


@pytest.mark.parametrize(
    "page",
    [
        "Montant: 84,20 EUR",
        "Total 84.20",
        f"Facture sans montant, IBAN {IBAN}",
        "a payer 84,20 sur FR14 2004 1010 0505 0001 3M02 606, TVA 14,03",
        "",
    ],
)
def test_a_page_that_says_the_same_makes_no_doubt(page: str) -> None:
    assert doubts(facturx.read(pdf_bill(XML, page=page))) == []


@pytest.mark.parametrize(
    ("amount", "page"),
    [
        ("1190.00", "1.190,00"),
        ("1190.00", "1 190,00"),
        ("1190.00", "1'190.00"),
        ("1190.00", "1,190.00 EUR"),
        ("1190.00", "1190,- und 0,00"),
        ("1234567.89", "1.234.567,89"),
    ],
)
def test_an_amount_is_known_in_every_country_s_way(amount: str, page: str) -> None:
    assert doubts(facturx.read(pdf_bill(("factur-x.xml", cii_bill(amount=amount)), page=page))) == []


@pytest.mark.parametrize(
    ("page", "elements"),
    [
        ("Montant: 9119,00 EUR", ["amount"]),
        ("Montant: 184,20 EUR", ["amount"]),
        ("84,20 EUR, IBAN DE75 5121 0800 1245 1261 99", ["payee"]),
        ("9119,00 EUR, IBAN DE75512108001245126199", ["amount", "payee"]),
    ],
)
def test_a_page_that_says_something_else_makes_a_doubt(page: str, elements: list[str]) -> None:
    assert doubts(facturx.read(pdf_bill(XML, page=page))) == [("page-differs", each) for each in elements]


def test_a_second_xml_makes_a_doubt() -> None:
    found = facturx.read(pdf_bill(XML, ("../other.xml", cii_bill(amount="9119.00"))))
    assert doubts(found) == [("two-documents", "other.xml")]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (pdf_bill(), "no-structured-data"),
        (pdf_bill(("note.txt", b"84.20")), "no-structured-data"),
        (pdf_bill(XML, ("xrechnung.xml", cii_bill())), "element-doubled"),
        (pdf_bill(*((f"{index}.txt", b"x") for index in range(pdf_child.FILES_MAX + 1)), XML), "too-large"),
        (pdf_bill(XML)[:-10], "not-well-formed"),
        (b"x" + pdf_bill(XML), "not-well-formed"),
        (pdf_bill(XML) + b"PK\x05\x06" + b"\0" * 18, "not-well-formed"),
        (pdf_bill(XML) + b" " * 2000, "not-well-formed"),
        (b"%PDF-1.7\n%%EOF", "not-well-formed"),
        (pdf_bill(("factur-x.xml", b" " * (pdf_child.FILE_BYTES_MAX + 1))), "too-large"),
    ],
)
def test_any_other_pdf_is_refused(content: bytes, code: str) -> None:
    assert refused(content).code == code
