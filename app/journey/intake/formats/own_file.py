"""What can be read of a bill that a customer adds: a PDF, a photo of a page, the text of a payment code.

Nothing that is read here is believed. It fills a form in which the customer checks every value against the paper; where
two things in the file say different accounts or amounts, the field stays empty and the page says so.
"""

from __future__ import annotations

import base64
import datetime as dt
import errno
import logging
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from app.journey.intake.bill import Bill, BillKind, BillRefused
from app.journey.intake.formats import child, facturx, payment_code, xml_bill
from app.journey.intake.means import CREDIT_TRANSFERS, MeansKind, kind_of
from app.people import lookalikes
from connectors.money import Money

BYTES_MAX = 10 * 1024 * 1024
CODE_MEDIA_TYPE = "text/plain"

_Value = TypeVar("_Value")

CHILD = Path(__file__).with_name("picture_child.py")
PDF = "application/pdf"
_OTHER_MEANS = {MeansKind.DIRECT_DEBIT: ("collected",), MeansKind.CARD: ("by-card",)}
#: the first bytes decide; WebP says its name behind a length
_PHOTOS = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"))
_WEBP = (b"RIFF", b"WEBP")
#: milliseconds of processor time that one file may take: of a PDF some to take it apart, the others to draw it
CPU_MS, _PARTS_CPU_MS = 1_700, 800
#: files that are looked at by one process of ours at the same time, and for how long one waits for its turn
_AT_ONCE = threading.BoundedSemaphore(2)
_TURN_S = 10
#: what this machine says when it has no memory, process or pipe left for another one
_NO_PLACE = (errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE)

log = logging.getLogger("quittance.own_bills")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Values to be checked by a person; None where nothing was found, or two that differ.

    ``doubts``: ``accounts-differ``, ``amounts-differ``, ``names-differ``, ``references-differ``, ``page-differs`` (the
    printed text names another account), ``code-unreadable`` (a payment code that is against its rules),
    ``not-looked-into`` (a part of the file could not be read, so nothing in it was compared); and where it is not to be
    paid by a transfer ``collected`` (by direct debit), ``by-card``, ``paid-elsewhere``.
    """

    payee: str | None = None
    iban: str | None = None
    amount: Money | None = None
    due_on: dt.date | None = None
    number: str | None = None
    reference: str | None = None
    doubts: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.payee or self.iban or self.amount or self.reference)


def media_type_of(content: bytes) -> str | None:
    """By its first bytes; None for what is neither a PDF nor a photo that we take."""
    if content.startswith(facturx.MAGIC):
        return PDF
    if content.startswith(_WEBP[0]) and content[8:12] == _WEBP[1]:
        return "image/webp"
    return next((media_type for magic, media_type in _PHOTOS if content.startswith(magic)), None)


def checked_media_type(content: bytes) -> str:
    """The same of a file that is not too large. Raises BillRefused."""
    media_type = media_type_of(content)
    if media_type is None:
        raise BillRefused("not-a-bill", "The file is neither a PDF nor a picture in JPEG, PNG or WebP.")
    if len(content) > BYTES_MAX:
        raise BillRefused("too-large", f"The file is larger than {BYTES_MAX // 1024 // 1024} MiB.")
    return media_type


def read(content: bytes) -> Reading:
    """Of a PDF or a photo. Raises BillRefused; that nothing can be read of it is no refusal."""
    media_type = checked_media_type(content)
    with turn():
        parts = _parts(content) if media_type == PDF else None
        found = looked_at(content, "codes")
    codes, unreadable = _codes([base64.b64decode(code) for code in found["codes"]])
    readings, whole = [], found["whole"] and media_type != PDF
    if parts is not None:
        bill, bill_unreadable = _bill_inside(parts)
        readings = [_of_bill(bill)] if bill else []
        whole = found["whole"] and parts.text_is_whole and not bill_unreadable
    readings += map(_of_code, codes)
    return _together(readings, page=parts.text if parts else "", unreadable=unreadable, whole=whole)


def read_code(written: str) -> Reading:
    """Of the text of a payment code, as somebody pastes it. Raises BillRefused."""
    return _of_code(payment_code.read_text(written.strip()))


def picture(content: bytes) -> bytes:
    """Its first page as a JPEG that was drawn anew: nothing of the file itself is in it. Raises BillRefused."""
    with turn():
        found = looked_at(content, "picture", is_all=True)
    return base64.b64decode(found["picture"])


@contextmanager
def turn() -> Iterator[None]:
    """Wait for a place to look at a file. Raises BillRefused where there is none."""
    busy = BillRefused("busy", "Many files are being read at this moment. Please try again.")
    if not _AT_ONCE.acquire(timeout=_TURN_S):
        raise busy
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_PLACE:
            raise  # a fault of this installation, which trying again does not mend
        log.warning("no place for a process that looks at a file: %s", error)
        raise busy from None
    finally:
        _AT_ONCE.release()


def taken_apart(content: bytes) -> facturx.Parts:
    """Text and embedded files of a PDF, in its part of the time. Raises BillRefused."""
    return facturx.take_apart(content, cpu_ms=_PARTS_CPU_MS)


def looked_at(content: bytes, wanted: str, *, is_all: bool = False) -> Mapping[str, Any]:
    """What picture_child.py answers, in what is left of the time: all of it where nothing is taken apart. Raises
    BillRefused."""
    left = CPU_MS if is_all or media_type_of(content) != PDF else CPU_MS - _PARTS_CPU_MS
    return child.run(CHILD, wanted, cpu_ms=left, content=content, called="the file")


def _parts(content: bytes) -> facturx.Parts | None:
    """Text and embedded files. None where that takes too much, or only its owner may change it."""
    try:
        return taken_apart(content)
    except BillRefused as refused:
        if refused.code in ("encrypted", "too-large"):
            return None
        raise


def _bill_inside(parts: facturx.Parts) -> tuple[Bill | None, bool]:
    """The bill for programs in a PDF, and whether one is there that cannot be read.

    Raises BillRefused for what is not to pay.
    """
    try:
        bill = xml_bill.read(facturx.bill_inside(parts)[1])
    except BillRefused as refused:
        return None, refused.code != "no-structured-data"
    if bill.kind is BillKind.CREDIT_NOTE or bill.payable.minor <= 0:
        raise BillRefused("nothing-to-pay", "By what the file says for programs there is nothing to pay.")
    return bill, False


def _of_bill(bill: Bill) -> Reading:
    return Reading(
        payee=bill.payee.name if bill.payee else bill.seller.name if bill.seller else None,
        iban=bill.payee.iban if bill.payee else None,
        amount=bill.payable,
        due_on=bill.due_on,
        number=bill.number,
        reference=bill.remittance_reference,
        doubts=_other_means(bill),
    )


def _other_means(bill: Bill) -> tuple[str, ...]:
    """The doubt of a bill that does not ask for a credit transfer."""
    kind, codes = kind_of(bill), {each.code for each in bill.means} or {""}
    if kind is MeansKind.CREDIT_TRANSFER or (kind is None and not CREDIT_TRANSFERS.isdisjoint(codes)):
        return ()  # also where the account is to be found on the page
    return _OTHER_MEANS.get(kind or MeansKind.ELSEWHERE, ("paid-elsewhere",))


def _of_code(code: payment_code.PaymentCode) -> Reading:
    return Reading(
        payee=code.creditor, iban=code.iban, amount=code.amount, reference=code.reference or code.unstructured
    )


def _codes(contents: list[bytes]) -> tuple[list[payment_code.PaymentCode], bool]:
    """The payment codes among the codes on the pages, and whether one of them is against its rules."""
    found, unreadable = [], False
    for content in contents:
        if content.startswith((b"BCD", b"SPC")):
            try:
                found.append(payment_code.read(content))
            except BillRefused:
                unreadable = True
    return found, unreadable


def _together(readings: list[Reading], *, page: str, unreadable: bool, whole: bool) -> Reading:
    """One reading of several, in which the field is empty of which they say two things."""
    ibans = {each.iban for each in readings if each.iban}
    amounts = {each.amount for each in readings if each.amount}
    names = {lookalikes.plain(each.payee): each.payee for each in readings if each.payee}
    references = {lookalikes.plain(each.reference): each.reference for each in readings if each.reference}
    printed = facturx.ibans_on(page)
    iban = _only(ibans or printed)
    doubts = {
        "accounts-differ": len(ibans) > 1,
        "amounts-differ": len(amounts) > 1,
        "names-differ": len(names) > 1,
        "references-differ": len(references) > 1,
        "page-differs": bool(printed) and iban is not None and iban not in printed,
        "code-unreadable": unreadable,
        "not-looked-into": not whole,
    }
    return Reading(
        payee=_only(names.values()),
        iban=iban,
        amount=_only(amounts),
        due_on=next((each.due_on for each in readings if each.due_on), None),
        number=next((each.number for each in readings if each.number), None),
        reference=_only(references.values()),
        doubts=(
            *(code for code, holds in doubts.items() if holds),
            *dict.fromkeys(code for each in readings for code in each.doubts),
        ),
    )


def _only(found: Collection[_Value]) -> _Value | None:
    return next(iter(found)) if len(found) == 1 else None
