"""What a bill says, whatever format it came in. Every format turns bytes into this or refuses, naming the element."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass

from connectors.money import Money


class BillKind(enum.StrEnum):
    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seller:
    """Who sends the bill, as the bill says it (EN 16931 BG-4). Claims, until matched with the vetted biller."""

    name: str  #: BT-27
    trading_name: str | None = None  #: BT-28
    vat_id: str | None = None  #: BT-31
    legal_id: str | None = None  #: BT-30
    country: str | None = None  #: BT-40, ISO 3166-1 alpha-2


@dataclass(frozen=True, slots=True, kw_only=True)
class Payee:
    """Where the money is to go (BG-17). ``iban`` only when it is a valid one; anything else stays ``other_account``."""

    name: str  #: account name (BT-85), else payee (BT-59), else seller
    iban: str | None = None  #: electronic form, check digits right
    other_account: str | None = None  #: an account that is no IBAN, as written
    bic: str | None = None  #: BT-86


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyPayment:
    """One tier: who pays by the end of ``until`` pays ``discount`` less."""

    until: dt.date
    discount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    description: str
    quantity: str | None = None  #: as written, with its unit: ``21 m³``
    amount: Money | None = None  #: net of the line (BT-131); may be negative


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """The content of one bill. Texts are stripped, in NFC, free of control and bidi characters."""

    kind: BillKind
    number: str  #: BT-1, at most 100 characters
    issued_on: dt.date  #: BT-2
    due_on: dt.date | None  #: BT-9; with several due dates the net one, without discount
    payable: Money  #: BT-115, amount due for payment; zero and below are possible
    total: Money | None = None  #: BT-112, with VAT
    to: str | None = None  #: BT-49: the recipient's address, here the customer's space address
    seller: Seller | None = None  #: None only where the format has no place for it (our JSON)
    buyer_name: str | None = None  #: BT-44
    payee: Payee | None = None
    means_codes: tuple[str, ...] = ()  #: BT-81, UNCL 4461
    remittance_reference: str | None = None  #: BT-83, as written
    early_payment: EarlyPayment | None = None  #: exactly one structured tier, else None
    terms: str | None = None  #: BT-20 as written: shown, never computed with
    order_reference: str | None = None  #: BT-13
    preceding_numbers: tuple[str, ...] = ()  #: BT-25
    lines: tuple[Line, ...] = ()
    note: str | None = None  #: BT-22


class BillRefused(Exception):
    """The bill cannot be taken. ``code`` is stable and public, ``element`` says where, the text says what to mend."""

    def __init__(self, code: str, detail: str, *, element: str = "") -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.element = element
