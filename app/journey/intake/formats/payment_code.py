"""The text of a payment QR code on a paper bill: EPC QR (SEPA credit transfer) and the Swiss QR-bill.

Only the text is read here. Who takes it from a picture must show the picture: a code says no more than what somebody
printed or pasted over it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from stdnum.ch import esr

from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import checks, text
from connectors.money import Money

BYTES_MAX = 2_000
_BREAK = re.compile(r"\r\n|\n|\r")
_EPC_AMOUNT = re.compile(r"EUR([0-9]{1,9}(?:\.[0-9]{1,2})?)", re.ASCII)
_EPC_CHARSETS = {"1": "utf-8", "2": "iso-8859-1", "3": "iso-8859-2", "4": "iso-8859-4"}
_EPC_CHARSETS |= {"5": "iso-8859-5", "6": "iso-8859-7", "7": "iso-8859-10", "8": "iso-8859-15"}
#: the institution of a QR-IBAN, digits 5 to 9 (QRR goes with it and with nothing else)
_QR_INSTITUTIONS = range(30000, 32000)
_SWISS_LINES = 31
_EPC_LINES = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCode:
    creditor: str
    iban: str
    amount: Money | None  #: None where the payer fills it in
    reference: str | None = None
    reference_type: str | None = None  #: QRR, SCOR of a QR-bill
    unstructured: str | None = None
    debtor: str | None = None
    bill_information: str | None = None
    address_type: str | None = None  #: S structured, K combined
    bic: str | None = None  #: as an EPC code names it


def read(content: bytes) -> PaymentCode:
    """Raises BillRefused, whose element is the line."""
    if len(content) > BYTES_MAX:
        raise BillRefused("too-large", f"The code is longer than {BYTES_MAX} bytes.")
    written = as_text(content)
    return _epc(written) if content.startswith(b"BCD") else read_text(written)


def as_text(content: bytes) -> str:
    """In the character set that it names. Raises BillRefused."""
    if content.startswith(b"BCD"):
        return _decoded(content, _charset(content[:40].decode("latin-1")))
    return _decoded(content, "utf-8")


def read_text(written: str) -> PaymentCode:
    """The same of a text that is no bytes any more, as somebody pastes it."""
    if len(written) > BYTES_MAX:
        raise BillRefused("too-large", f"The code is longer than {BYTES_MAX} characters.")
    if written.startswith("BCD"):
        _charset(written)
        return _epc(written)
    if written.startswith("SPC"):
        return _swiss(_BREAK.split(written))
    raise BillRefused("not-a-bill", "The text is no payment code: it begins neither with BCD nor with SPC.")


def remarks(written: str) -> str:
    """The lines by which no program pays: the information of an EPC code, alternative schemes of a QR-bill."""
    lines = _BREAK.split(written)
    return "\n".join(lines[_EPC_LINES:] if written.startswith("BCD") else lines[_SWISS_LINES + 1 :])


def _charset(written: str) -> str:
    """Of an EPC code, by its third line."""
    head = _BREAK.split(written, maxsplit=3)
    charset = _EPC_CHARSETS.get(head[2]) if len(head) > 2 else None
    if charset is None:
        raise BillRefused("encoding-refused", "The character set must be 1 to 8.", element="line 3")
    return charset


def _decoded(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise BillRefused("encoding-refused", f"The code is not {encoding.upper()}.") from None


class _Lines:
    """Numbered from 1, as a person counts them; what is not there is empty, what hides something is refused."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def __call__(self, number: int) -> str:
        value = self._lines[number - 1] if number <= len(self._lines) else ""
        return text.exact(value, element=f"line {number}", limit=text.REFERENCE_MAX)

    def refuse(self, number: int, code: str, detail: str) -> BillRefused:
        return BillRefused(code, detail, element=f"line {number}")


def _epc(written: str) -> PaymentCode:
    """EPC069-12: BCD, version, charset, SCT, BIC, name, IBAN, amount, purpose, reference or text, information."""
    line = _Lines(_BREAK.split(written))
    if line(1) != "BCD" or line(2) not in ("001", "002") or line(4) != "SCT":
        raise line.refuse(4, "not-a-bill", "The code is not a SEPA credit transfer of version 001 or 002.")
    if (line(2) == "001" or line(5)) and checks.bic(line(5)) is None:
        raise line.refuse(5, "account-refused", "The BIC is missing or is none.")
    reference, unstructured = line(10), line(11)
    if reference and unstructured:
        raise line.refuse(11, "reference-refused", "There is a reference and a text. Only one may be.")
    return PaymentCode(
        creditor=_needed(line, 6),
        iban=_iban(line, 7),
        amount=_epc_amount(line),
        reference=checks.reference(reference, element="line 10") if reference else None,
        unstructured=unstructured or None,
        bic=line(5) or None,
    )


def _epc_amount(line: _Lines) -> Money | None:
    written = line(8)
    if not written:
        return None
    match = _EPC_AMOUNT.fullmatch(written)
    if match is None:
        raise line.refuse(8, "amount-refused", f"{text.quoted(written)} is not an amount in EUR.")
    return _above_zero(line, 8, match[1], "EUR")


def _above_zero(line: _Lines, number: int, written: str, currency: str) -> Money:
    amount = checks.xml_amount(written, currency, element=f"line {number}")
    if amount.minor <= 0:
        raise line.refuse(number, "amount-refused", "The amount is not above zero.")
    return amount


def _swiss(lines: list[str]) -> PaymentCode:
    """Swiss Implementation Guidelines for the QR-bill: 31 lines, of which the last ones may be missing."""
    line = _Lines(lines)
    if line(2) != "0200" or line(3) != "1" or (len(lines) >= _SWISS_LINES and line(31) != "EPD"):
        raise line.refuse(2, "not-a-bill", "The code is not a QR-bill of version 2.")
    currency, iban = line(20), _iban(line, 4)
    if currency not in ("CHF", "EUR"):
        raise line.refuse(20, "currency-refused", "A QR-bill is in CHF or EUR.")
    kind, reference = line(28), line(29)
    _check_swiss_reference(line, iban, kind, reference)
    return PaymentCode(
        creditor=_needed(line, 6),
        iban=iban,
        amount=_above_zero(line, 19, line(19), currency) if line(19) else None,
        reference=reference or None,
        reference_type=kind if reference else None,
        unstructured=line(30) or None,
        debtor=line(22) or None,
        bill_information=line(32) or None,
        address_type=line(5) or None,
    )


def _check_swiss_reference(line: _Lines, iban: str, kind: str, reference: str) -> None:
    is_qr_iban = int(iban[4:9]) in _QR_INSTITUTIONS if iban[4:9].isdigit() else False
    if kind not in ("QRR", "SCOR", "NON") or (kind == "NON") != (not reference):
        raise line.refuse(28, "reference-refused", "The reference is QRR, SCOR or NON, and NON has none.")
    if is_qr_iban != (kind == "QRR"):
        raise line.refuse(28, "reference-refused", "A QRR reference and a QR-IBAN belong together.")
    if kind == "QRR" and not (len(reference) == 27 and esr.is_valid(reference)):
        raise line.refuse(29, "reference-refused", f"{text.quoted(reference)} is not a valid QR reference.")
    if kind == "SCOR" and not reference.startswith("RF"):
        raise line.refuse(29, "reference-refused", f"{text.quoted(reference)} is not a creditor reference.")
    if kind == "SCOR":
        checks.reference(reference, element="line 29")


def _needed(line: _Lines, number: int) -> str:
    found = line(number)
    if not found:
        raise line.refuse(number, "element-missing", "The line is missing or empty.")
    return found


def _iban(line: _Lines, number: int) -> str:
    found = checks.account(_needed(line, number), element=f"line {number}").iban
    if found is None:
        raise line.refuse(number, "account-refused", "The account is not an IBAN.")
    return found
