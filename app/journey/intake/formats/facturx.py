"""A bill in XML inside a PDF: Factur-X, ZUGFeRD 2, XRechnung-in-PDF. The XML is the bill; the page is what people read.

Which of two is meant, or whether the page says another amount than the XML, is nothing that a program may settle: such
a bill is read with a doubt, and a bill with a doubt is not paid before somebody has looked.
"""

from __future__ import annotations

import base64
import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.journey.intake.bill import Bill, BillRefused, Doubt
from app.journey.intake.formats import checks, child, text, xml_bill
from connectors.money import Money, exponent_of

#: the names of the standards, old ones too; compared in lower case
XML_NAMES = ("factur-x.xml", "xrechnung.xml", "zugferd-invoice.xml")
ORDER_NAME = "order-x.xml"
MAGIC = b"%PDF-"
#: milliseconds of processor time, for taking one apart: an honest one with large tables of fonts needs two seconds
CPU_MS_MAX = 4_000

_CHILD = Path(__file__).with_name("pdf_child.py")
#: after the last mark of the end: white space, and what printers' software leaves
_AFTER_END_MAX = 1024
_END = b"%%EOF"
_ZIP_END = b"PK\x05\x06"
_IBAN_ON_PAGE = re.compile(r"\b[A-Z]{2}[0-9]{2}(?: ?[0-9A-Z]{2,4}){3,8}\b", re.ASCII)
_AMOUNT_ON_PAGE = re.compile(r"[0-9][.,][0-9]{2}\b", re.ASCII)


@dataclass(frozen=True, slots=True)
class Parts:
    """A PDF taken apart: embedded files by name, of which only XML has content, and the text of the first pages."""

    files: tuple[tuple[str, bytes], ...]
    text: str
    text_is_whole: bool
    besides: tuple[str, ...] = ()  #: why pages may show something else than that text, in the codes of pdf_child

    @property
    def xml_files(self) -> list[tuple[str, bytes]]:
        return [(name, content) for name, content in self.files if name.lower().endswith(".xml")]


def read(content: bytes) -> Bill:
    """The bill in the XML that is embedded in a PDF, with doubts where the PDF says two things. Or BillRefused."""
    parts = take_apart(content)
    name, inner = bill_inside(parts)
    bill = _inside(name, inner)
    doubts = _doubts(bill, parts)
    return dataclasses.replace(bill, attachments=tuple(_shown(each) for each, _ in parts.files), doubts=doubts)


def bill_inside(parts: Parts) -> tuple[str, bytes]:
    """Name and content of the XML that is the bill. Raises BillRefused."""
    known = [(name, inner) for name, inner in parts.xml_files if _base(name) in XML_NAMES]
    if len(known) > 1:
        raise BillRefused(
            "element-doubled", f"The PDF has {len(known)} files called like a bill. Send one.", element=""
        )
    if not known:
        names = ", ".join(XML_NAMES)
        detail = f"There is no bill in this PDF that a program can read: none of {names} is embedded."
        raise BillRefused("no-structured-data", detail)
    return known[0]


def only(file_name: str, content: bytes) -> bytes:
    """The one embedded file of this name. Raises BillRefused."""
    found = [inner for name, inner in take_apart(content).xml_files if _base(name) == file_name]
    if len(found) > 1:
        raise BillRefused("element-doubled", f"The PDF has {len(found)} files called {file_name}. Send one.")
    if not found:
        raise BillRefused("no-structured-data", f"There is no {file_name} in this PDF.")
    return found[0]


def take_apart(content: bytes, *, cpu_ms: int = CPU_MS_MAX) -> Parts:
    """By a child process with limits; raises BillRefused."""
    if not content.startswith(MAGIC):
        raise BillRefused("not-well-formed", "A PDF begins with %PDF-, and this does not.")
    end = content.rfind(_END)
    if end < 0 or len(content) - end > _AFTER_END_MAX or _ZIP_END in content[end:]:
        raise BillRefused("not-well-formed", "The PDF does not end where a PDF ends. Send the file itself, whole.")
    found = child.run(_CHILD, cpu_ms=cpu_ms, content=content, called="the PDF")
    return parts_of(found)


def parts_of(found: Mapping[str, Any]) -> Parts:
    """Of the answer of pdf_child."""
    files = tuple((name, base64.b64decode(inner)) for name, inner in found["files"])
    return Parts(files, found["text"], found["text_is_whole"], tuple(found["besides"]))


def ibans_on(page: str) -> set[str]:
    """The IBANs that the text of a page names, in electronic form."""
    return {iban for each in _IBAN_ON_PAGE.findall(page) if (iban := checks.valid_iban(each))}


def _inside(name: str, content: bytes) -> Bill:
    try:
        return xml_bill.read(content)
    except BillRefused as refused:
        raise BillRefused(refused.code, refused.detail, element=f"{_shown(name)}{refused.element}") from None


def _doubts(bill: Bill, parts: Parts) -> tuple[Doubt, ...]:
    found = list(bill.doubts)
    others = [name for name, _ in parts.xml_files if _base(name) not in XML_NAMES]
    if others:
        detail = f"A second XML file, {_shown(others[0])}, is embedded: which of them is the bill?"
        found.append(Doubt(code="two-documents", detail=detail, element=_shown(others[0])))
    if _AMOUNT_ON_PAGE.search(parts.text) and not _says_amount(parts.text, bill.payable):
        detail = f"The page that people read does not say {bill.payable} {bill.payable.currency}."
        found.append(Doubt(code="page-differs", detail=detail, element="amount"))
    accounts = ibans_on(parts.text)
    if bill.payee and bill.payee.iban and accounts and bill.payee.iban not in accounts:
        detail = "The page that people read names another account."
        found.append(Doubt(code="page-differs", detail=detail, element="payee"))
    return tuple(found)


def _says_amount(page: str, money: Money) -> bool:
    """With whatever a country puts between thousands and before the cents."""
    whole, _, fraction = f"{abs(money.decimal()):.{exponent_of(money.currency)}f}".partition(".")
    groups = [whole[max(0, end - 3) : end] for end in range(len(whole), 0, -3)][::-1]
    cents = rf"\s?[.,]\s?{fraction}" if fraction.strip("0") else rf"(?:\s?[.,]\s?(?:{fraction}|-+|–))?"
    pattern = r"[.,'’\s\u00a0\u202f]?".join(groups)
    return re.search(rf"(?<![0-9]){pattern}{cents if fraction else ''}(?![0-9])", page) is not None


def _base(name: str) -> str:
    return name.lower().replace("\\", "/").rsplit("/", 1)[-1]


def _shown(name: str) -> str:
    """A stranger's file name: never a path."""
    return text.printable(name.replace("\\", "/").rsplit("/", 1)[-1], limit=text.NAME_MAX)
