"""Bills that customers add themselves: read, kept as they came, and checked value by value by their customer.

Nothing here is verified, and nothing here becomes so. What its customer has not confirmed within a week is gone.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict, Invalid, NotFound
from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import checks, own_file, text
from app.journey.intake.formats.own_file import CODE_MEDIA_TYPE, Reading
from app.journey.intake.models import OwnBill
from app.people.customers import lock_customer
from app.services import Services
from connectors import sepa
from connectors.money import EXPONENTS, Money, exponent_of
from consent.base import new_id
from consent.private import KeyKind, is_sealed, keys_of, seal, unseal
from consent.vault import Vault, VaultError

#: that a customer has begun and not finished, and how long they stay
DRAFTS_MOST = 20
DRAFT_LIFE = dt.timedelta(days=7)
#: of all files that one customer has here, begun and kept
BYTES_MOST = 200 * 1024 * 1024
PAYEE_MAX = sepa.NAME_CHARACTERS_MAX
NUMBER_MAX = 100
_SPACES = re.compile(r"[\s'’]")
_AMOUNT = re.compile(r"([0-9]{1,15})(?:[.,]([0-9]{1,3}))?", re.ASCII)
_GROUPED = re.compile(r"[0-9]{1,3}(?:([.,])[0-9]{3})+(?!\1)[.,][0-9]{1,3}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnValues:
    """What a customer confirms of a bill that they add."""

    payee: str
    iban: str  #: electronic form, check digits right
    amount: Money
    due_on: dt.date | None
    number: str  #: of the bill; where it has none, the reference
    reference: str


class ValuesRefused(Exception):
    """``fields`` are the names of those that must be mended. Nothing was written."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        super().__init__(", ".join(fields))
        self.fields = fields


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnDraft:
    """A bill that was begun: what was read of it, each value as text for a form."""

    id: str
    added_at: dt.datetime
    media_type: str
    reading: Mapping[str, str]
    doubts: tuple[str, ...]
    is_kept: bool

    @property
    def has_picture(self) -> bool:
        return self.media_type != CODE_MEDIA_TYPE

    @property
    def amount(self) -> Money | None:
        """As it was read."""
        written, currency = self.reading["amount"], self.reading["currency"]
        return Money.parse(written, currency) if written else None


def add_file(services: Services, *, customer_id: str, content: bytes) -> str:
    """Read a PDF or a photo and keep it as begun. Returns its id; the very same bytes have the same until it is kept.

    Raises Invalid (nothing is written) and Conflict (too many were begun, or kept).
    """
    try:
        reading = own_file.read(content)
    except BillRefused as refused:
        raise Invalid(refused.code, refused.detail) from refused
    return _add(services, customer_id, content, own_file.media_type_of(content) or "", reading)


def add_code(services: Services, *, customer_id: str, written: str) -> str:
    """The same of the text of a payment code."""
    try:
        reading = own_file.read_code(written)
    except BillRefused as refused:
        raise Invalid("code-refused", refused.detail) from refused
    return _add(services, customer_id, written.strip().encode(), CODE_MEDIA_TYPE, reading)


def _add(services: Services, customer_id: str, content: bytes, media_type: str, reading: Reading) -> str:
    sha256 = hashlib.sha256(content).hexdigest()
    with services.unit_of_work() as uow:
        lock_customer(uow.session, customer_id)
        of_customer, begun = OwnBill.customer_id == customer_id, OwnBill.kept_at.is_(None)
        known = uow.session.scalar(select(OwnBill.id).where(of_customer, begun, OwnBill.sha256 == sha256).limit(1))
        if known is not None:
            return known
        drafts_begun = uow.session.scalar(select(func.count()).select_from(OwnBill).where(of_customer, begun)) or 0
        if drafts_begun >= DRAFTS_MOST:
            raise Conflict("too-many-drafts", "Finish or throw away one of the bills that you have begun to add.")
        kept = uow.session.scalar(select(func.sum(func.length(OwnBill.box))).where(of_customer)) or 0
        if kept + len(content) > BYTES_MOST:
            raise Conflict("too-many-own-bills", "You have added as much as we keep.")
        own_bill_id = new_id("own")
        uow.session.add(
            OwnBill(
                id=own_bill_id,
                customer_id=customer_id,
                media_type=media_type,
                sha256=sha256,
                box=seal(keys_of(uow.session), customer_id, KeyKind.PROFILE, content),
                reading=_as_text(reading),
                added_at=uow.now,
            )
        )
        uow.commit()
        return own_bill_id


def own_bill_of(session: Session, *, own_bill_id: str, customer_id: str, lock: bool = False) -> OwnBill:
    """This customer's. Raises NotFound alike for none and for somebody else's."""
    own = session.get(OwnBill, own_bill_id, with_for_update=lock or None)
    if own is None or own.customer_id != customer_id:
        raise NotFound("bill")
    return own


def draft(session: Session, *, own_bill_id: str, customer_id: str) -> OwnDraft:
    """Raises NotFound."""
    return _draft(own_bill_of(session, own_bill_id=own_bill_id, customer_id=customer_id))


def drafts(session: Session, *, customer_id: str) -> list[OwnDraft]:
    """Those that were begun, the latest first."""
    rows = session.scalars(
        select(OwnBill)
        .where(OwnBill.customer_id == customer_id, OwnBill.kept_at.is_(None))
        .order_by(OwnBill.id.desc())
        .limit(DRAFTS_MOST)
    )
    return [_draft(own) for own in rows]


def throw_away(uow: UnitOfWork, *, own_bill_id: str, customer_id: str) -> None:
    """It and its bytes are gone. Raises NotFound, and Conflict for one that is kept."""
    own = own_bill_of(uow.session, own_bill_id=own_bill_id, customer_id=customer_id, lock=True)
    if own.kept_at is not None:
        raise Conflict("kept", "This bill is among your bills already.")
    uow.session.delete(own)


def drop_abandoned(uow: UnitOfWork) -> None:
    """What was begun a week ago and never confirmed."""
    abandoned = delete(OwnBill).where(OwnBill.kept_at.is_(None), OwnBill.added_at <= uow.now - DRAFT_LIFE)
    uow.session.execute(abandoned.execution_options(synchronize_session=False))


def content_of(vault: Vault, session: Session, own: OwnBill) -> bytes:
    """The very bytes that were added. Raises VaultError when they are not."""
    content = _opened(vault, session, own)
    if hashlib.sha256(content).hexdigest() != own.sha256:
        raise VaultError(f"{own.id} is not what was added")
    return content


def picture_of(services: Services, *, own_bill_id: str, customer_id: str) -> bytes:
    """Its first page, drawn anew as a JPEG. Raises NotFound, also where nothing can be drawn."""
    with services.reading() as uow:
        own = own_bill_of(uow.session, own_bill_id=own_bill_id, customer_id=customer_id)
        content = content_of(services.vault, uow.session, own)
    if own.media_type == CODE_MEDIA_TYPE:
        raise NotFound("picture")
    try:
        return own_file.picture(content)
    except BillRefused:
        raise NotFound("picture") from None


def checked(form: Mapping[str, str]) -> OwnValues:
    """What a customer wrote, as values that a bank can carry. Raises ValuesRefused with every field to be mended."""
    wrong: list[str] = []

    def take(field: str) -> Any:
        try:
            return _FIELDS[field](form)
        except (BillRefused, ValueError):
            wrong.append(field)
            return None

    values = {field: take(field) for field in _FIELDS}
    if wrong:
        raise ValuesRefused(tuple(wrong))
    return OwnValues(
        payee=values["payee"],
        iban=values["iban"],
        amount=values["amount"],
        due_on=values["due_on"],
        number=values["number"] or values["reference"][:NUMBER_MAX],
        reference=values["reference"],
    )


def _payee(form: Mapping[str, str]) -> str:
    """No symbol is among what a bank carries: none that looks like a mark of ours either."""
    payee = text.exact(form.get("payee", ""), element="", limit=PAYEE_MAX)
    sepa.text(payee, field="payee", characters_max=PAYEE_MAX)
    return payee


def _iban(form: Mapping[str, str]) -> str:
    iban = checks.valid_iban(form.get("iban", "").strip())
    if iban is None:
        raise ValueError("no IBAN")
    return iban


def _currency(form: Mapping[str, str]) -> str:
    return checks.currency(form.get("currency", ""), element="")


def _amount(form: Mapping[str, str]) -> Money:
    return typed_amount(form.get("amount", ""), form.get("currency", ""))


def typed_amount(typed: str, code: str) -> Money:
    """As people write it: ``1 184,50``, ``1'184.50``, ``1.184,50``. Raises ValueError: also for what could be two
    amounts, and for one that nobody can pay."""
    written = _SPACES.sub("", typed)
    if _GROUPED.fullmatch(written):
        whole, fraction = re.split(r"[.,](?=[0-9]*\Z)", written)
        written = f"{re.sub('[.,]', '', whole)}.{fraction}"
    match = _AMOUNT.fullmatch(written)
    # three digits behind a comma are cents to nobody who writes euros: perhaps they are thousands
    if match is None or code not in EXPONENTS or len(match[2] or "") > exponent_of(code):
        raise ValueError(written)
    money = Money.parse(f"{int(match[1])}.{match[2]}" if match[2] else str(int(match[1])), code)
    if not 0 < money.minor <= sepa.AMOUNT_MINOR_MAX:
        raise ValueError(written)
    return money


def _due_on(form: Mapping[str, str]) -> dt.date | None:
    written = form.get("due_on", "").strip()
    return checks.date(written, element="") if written else None


def _number(form: Mapping[str, str]) -> str:
    return text.exact(form.get("number", ""), element="", limit=NUMBER_MAX)


def _reference(form: Mapping[str, str]) -> str:
    reference = checks.reference(form.get("reference", ""), element="")
    sepa.text(reference, field="reference", characters_max=sepa.REMITTANCE_CHARACTERS_MAX)
    return reference


_FIELDS: Mapping[str, Any] = {
    "payee": _payee,
    "iban": _iban,
    "currency": _currency,
    "amount": _amount,
    "due_on": _due_on,
    "number": _number,
    "reference": _reference,
}


def _as_text(reading: Reading) -> dict[str, Any]:
    return {
        "payee": _cut(reading.payee, PAYEE_MAX),
        "iban": reading.iban or "",
        "amount": str(reading.amount) if reading.amount else "",
        "currency": reading.amount.currency if reading.amount else "",
        "due_on": reading.due_on.isoformat() if reading.due_on else "",
        "number": _cut(reading.number, NUMBER_MAX),
        "reference": _cut(reading.reference or reading.number, text.REFERENCE_MAX),
        "doubts": list(reading.doubts),
    }


def _cut(written: str | None, most: int) -> str:
    """For a form in which somebody looks at it."""
    return unicodedata.normalize("NFC", written or "")[:most].strip()


def _draft(own: OwnBill) -> OwnDraft:
    return OwnDraft(
        id=own.id,
        added_at=own.added_at,
        media_type=own.media_type,
        reading={name: own.reading.get(name, "") for name in _FIELDS},
        doubts=own.doubts,
        is_kept=own.kept_at is not None,
    )


def seal_with_theirs(vault: Vault, uow: UnitOfWork, customer_id: str) -> None:
    """Seal with this customer's own key what older releases sealed with the installation's."""
    for own in uow.session.scalars(select(OwnBill).where(OwnBill.customer_id == customer_id)):
        if not is_sealed(own.box):
            content = vault.open(_name(own.id), own.box)
            own.box = seal(keys_of(uow.session), customer_id, KeyKind.PROFILE, content)


def _opened(vault: Vault, session: Session, own: OwnBill) -> bytes:
    if not is_sealed(own.box):
        return vault.open(_name(own.id), own.box)
    opened = unseal(keys_of(session), own.box)
    if opened is None:
        raise VaultError(f"{own.id} was erased")
    return opened


def _name(own_bill_id: str) -> str:
    """Of a box of older releases, which the installation's key has sealed."""
    return f"own_bill:{own_bill_id}"
