"""What a customer was shown, and asks about: a text, a PDF, a picture of a payment code. Read for comparing alone.

Nothing is kept, and nothing of it is believed. Whatever people could read and no program reads is named, so that nobody
says of such a thing that it is real.
"""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.journey.intake.bill import Bill, BillRefused
from app.journey.intake.formats import facturx, own_file, payment_code, xml_bill
from app.journey.intake.formats.facturx import Parts
from app.journey.intake.formats.payment_code import PaymentCode
from connectors.money import Money

#: characters of a text that is pasted: a long e-mail
TEXT_MAX = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a program would pay by: a payment code, or the bill for programs in a PDF."""

    payee: str
    accounts: frozenset[str]  #: as written, IBANs in electronic form
    amount: Money | None
    words: tuple[str, ...]  #: number and references
    bic: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """``unread``: ``nothing`` (there is no text and no code), ``pictures``, ``fonts``, ``hidden-text``,
    ``annotations``, ``pages``, ``revisions`` (as the programs that read files say it), ``files`` (others are inside),
    ``other-code`` (a code that is none for payments), ``code-unreadable`` (one that is against its rules),
    ``bill-unreadable``.
    """

    texts: tuple[str, ...] = ()  #: each says all of it: of a PDF as two programs read it; and each code
    prose: tuple[str, ...] = ()  #: what people read: the texts, and of a code the lines that no program pays by
    claims: tuple[Claim, ...] = ()
    sha256: str | None = None  #: of a file
    unread: tuple[str, ...] = ()


def of_text(written: str) -> Shown:
    """Of what somebody pastes: words, an IBAN, the text of a payment code. Raises BillRefused."""
    if len(written) > TEXT_MAX or len(unicodedata.normalize("NFKC", written)) > TEXT_MAX:  # one sign may be many words
        raise BillRefused("too-long", f"The text is longer than {TEXT_MAX} characters.")
    texts = (written,) if written.strip() else ()
    begin = written.strip()
    is_code = begin.startswith(("BCD\n", "BCD\r", "SPC\n", "SPC\r"))
    return _of((), [begin]) if is_code else _of(texts, [])


def of_file(content: bytes) -> Shown:
    """Of a PDF or a picture. Raises BillRefused."""
    media_type = own_file.checked_media_type(content)
    with own_file.turn():
        parts = own_file.taken_apart(content) if media_type == own_file.PDF else None
        looked = own_file.looked_at(content, "shown")
    return together(content, parts, looked)


def together(content: bytes, parts: Parts | None, looked: Mapping[str, Any]) -> Shown:
    """What the two programs that read files have found."""
    unread = list(looked["besides"])
    texts: list[str] = []
    bills: list[Bill] = []
    if parts is not None:
        texts = [parts.text, looked["text"]]
        unread += parts.besides if parts.text_is_whole else [*parts.besides, "pages"]
        bills, more = _bills_inside(parts)
        unread += more
    codes, unreadable = _as_texts([base64.b64decode(code) for code in looked["codes"]])
    found = _of([text for text in texts if text.strip()], codes, bills=bills, unread=[*unread, *unreadable])
    return Shown(
        texts=found.texts,
        prose=found.prose,
        claims=found.claims,
        unread=found.unread,
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _of(texts: Iterable[str], codes: Iterable[str], *, bills: Iterable[Bill] = (), unread: Iterable[str] = ()) -> Shown:
    claims, hindered = [_of_bill(bill) for bill in bills], list(unread)
    read, prose = list(texts), list(texts)
    for code in codes:
        try:
            claims.append(_of_code(payment_code.read_text(code)))
        except BillRefused:
            hindered.append("code-unreadable")
        read.append(code)  # also the lines of it that no program pays by
        prose.append(payment_code.remarks(code))
    if not read and not claims:
        hindered.append("nothing")
    return Shown(
        texts=tuple(dict.fromkeys(read)),
        prose=tuple(dict.fromkeys(prose)),
        claims=tuple(claims),
        unread=tuple(dict.fromkeys(hindered)),
    )


def _as_texts(contents: Iterable[bytes]) -> tuple[list[str], list[str]]:
    """The payment codes, and what hinders."""
    found, hindered = [], []
    for content in contents:
        try:
            if content.startswith((b"BCD", b"SPC")):
                found.append(payment_code.as_text(content))
            else:
                hindered.append("other-code")
        except BillRefused:
            hindered.append("code-unreadable")
    return found, hindered


def _bills_inside(parts: Parts) -> tuple[list[Bill], list[str]]:
    if not parts.files:
        return [], []
    try:
        bill = xml_bill.read(facturx.bill_inside(parts)[1])
    except BillRefused as refused:
        return [], ["files" if refused.code == "no-structured-data" else "bill-unreadable"]
    return [bill], ["files"] if len(parts.files) > 1 else []


def _of_bill(bill: Bill) -> Claim:
    payee = bill.payee
    named = {means.account for means in bill.means} | ({payee.iban, payee.other_account} if payee else set())
    return Claim(
        payee=payee.name if payee else bill.seller.name if bill.seller else "",
        accounts=frozenset(account for account in named if account),
        amount=bill.payable,
        words=tuple(word for word in (bill.number, bill.remittance_reference) if word),
        bic=payee.bic if payee else None,
    )


def _of_code(code: PaymentCode) -> Claim:
    return Claim(
        payee=code.creditor,
        accounts=frozenset([code.iban]),
        amount=code.amount,
        words=tuple(word for word in (code.reference, code.unstructured) if word),
        bic=code.bic,
    )
