"""What a bill says, whatever format it came in. Every format turns bytes into this or refuses, naming the element."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass

from connectors.money import Money


class BillKind(enum.StrEnum):
    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"


#: UNCL 1001, corrected invoice: it stands in for an earlier one
CORRECTED = "384"


class AccountScheme(enum.StrEnum):
    """What an account number is. Only an IBAN can be paid to; the others are shown as what they are."""

    IBAN = "iban"
    UK_SORT_CODE = "uk_sort_code"  #: six digits of the branch, eight of the account
    AU_BSB = "au_bsb"  #: six digits of the branch, up to nine of the account
    AU_BPAY = "au_bpay"  #: a biller code; the reference is the customer's number there (CRN)
    SE_BANKGIRO = "se_bankgiro"
    SE_PLUSGIRO = "se_plusgiro"
    NO_ACCOUNT = "no_account"  #: eleven digits
    SG_PAYNOW = "sg_paynow"  #: a company's number (UEN)
    LINK = "link"  #: an address of a page, which is never made a link
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seller:
    """Who sends the bill, as the bill says it (EN 16931 BG-4). Claims, until matched with the vetted biller."""

    legal_name: str | None = None  #: BT-27
    trading_name: str | None = None  #: BT-28
    vat_id: str | None = None  #: BT-31
    legal_id: str | None = None  #: BT-30
    country: str | None = None  #: BT-40, ISO 3166-1 alpha-2
    endpoint: str | None = None  #: BT-34
    endpoint_scheme: str | None = None  #: BT-34-1

    @property
    def name(self) -> str:
        """What to call it. An EHF payment request has no legal name."""
        return self.legal_name or self.trading_name or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payee:
    """Where the money is to go (BG-17). ``iban`` only when it is a valid one; anything else stays ``other_account``."""

    name: str  #: account name (BT-85), else payee (BT-59), else seller
    iban: str | None = None  #: electronic form, check digits right
    other_account: str | None = None  #: an account that is no IBAN, as written
    bic: str | None = None  #: BT-86, where it is one
    branch: str | None = None  #: BT-86 as written, where it is none: a BSB, a sort code
    scheme: AccountScheme = AccountScheme.IBAN


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """One way to pay that the bill names (BG-16), offered or not."""

    code: str = ""  #: BT-81, UNCL 4461
    account: str | None = None  #: BT-84 as written; unchecked, for the account that is paid to see ``Bill.payee``
    second_account: str | None = None  #: the national number that CII may give beside the IBAN
    branch: str | None = None  #: BT-86 as written
    reference: str | None = None  #: BT-83
    mandate: str | None = None  #: BT-89


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyPayment:
    """One tier: who pays by the end of ``until`` pays ``discount`` less. Each later one of a bill takes off less."""

    until: dt.date
    discount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class LateFee:
    """A fixed amount that the biller may ask besides, once the bill is paid on this day or later. It is no part of what
    is asked: a payment pays the bill."""

    starts_on: dt.date  #: the first day with it; the one before is the last without
    amount: Money  #: more than nothing

    @property
    def last_day_without(self) -> dt.date:
        return self.starts_on - dt.timedelta(days=1)

    def on(self, day: dt.date) -> int:
        """What paying on this day costs besides, in minor units."""
        return self.amount.minor if day >= self.starts_on else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    description: str
    quantity: str | None = None  #: as written, with its unit: ``21 m³``
    amount: Money | None = None  #: net of the line (BT-131); may be negative
    #: of its VAT in per cent (BT-152), a plain decimal like ``5.5``. None: it names none that can be reckoned with
    vat_rate: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Why somebody must look before this bill can be paid. ``code`` is stable and public."""

    code: str
    detail: str
    element: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """The content of one bill. Texts are stripped, in NFC, free of control and bidi characters."""

    kind: BillKind
    number: str  #: BT-1, at most 100 characters
    issued_on: dt.date  #: BT-2
    due_on: dt.date | None  #: BT-9; with several due dates the net one, without discount
    payable: Money  #: BT-115, amount due for payment; zero and below are possible
    total: Money | None = None  #: BT-112, with VAT
    prepaid: Money | None = None  #: BT-113
    rounding: Money | None = None  #: BT-114
    type_code: str | None = None  #: BT-3, UNCL 1001
    tax_currency: str | None = None  #: BT-6
    due_dates: tuple[dt.date, ...] = ()  #: all that the bill names, in their order
    expires_on: dt.date | None = None  #: the last day of a request to pay; nothing else has one
    is_amount_fixed: bool = False  #: a request to pay that says so: it is to be paid in one
    due_on_of_means: bool = False  #: BT-9 is absent, the day stands in the payment means of an invoice
    to: str | None = None  #: BT-49: the recipient's address, here the customer's space address
    to_scheme: str | None = None  #: BT-49-1
    seller: Seller | None = None  #: None only where the format has no place for it (our JSON)
    buyer_name: str | None = None  #: BT-44
    buyer_id: str | None = None  #: BT-46
    buyer_reference: str | None = None  #: BT-10
    payee_name: str | None = None  #: BT-59, where it is not the seller
    payee: Payee | None = None
    means: tuple[Means, ...] = ()
    creditor_id: str | None = None  #: BT-90, who collects by direct debit; unchecked
    remittance_reference: str | None = None  #: BT-83, as written
    early_payments: tuple[EarlyPayment, ...] = ()  #: tiers that leave nothing to guess, the earliest first
    late_fee: LateFee | None = None  #: a fixed one, where the format has a place for it; never read from words
    terms: str | None = None  #: BT-20 as written: shown, never computed with
    order_reference: str | None = None  #: BT-13
    preceding_numbers: tuple[str, ...] = ()  #: BT-25
    lines: tuple[Line, ...] = ()
    note: str | None = None  #: BT-22
    specification: str | None = None  #: BT-24
    attachments: tuple[str, ...] = ()  #: names of the files in a PDF
    doubts: tuple[Doubt, ...] = ()  #: what the document says of itself that must be looked at first

    @property
    def corrects(self) -> str | None:
        """The number of the one bill that this one is about: a credit note takes off it, a corrected invoice replaces
        it. None where it names none, or several, so that nobody can say how much of it is for which."""
        if self.kind is not BillKind.CREDIT_NOTE and self.type_code != CORRECTED:
            return None
        named = set(self.preceding_numbers)
        return named.pop() if len(named) == 1 else None

    @property
    def means_codes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(each.code for each in self.means if each.code))


class BillRefused(Exception):
    """The bill cannot be taken. ``code`` is stable and public, ``element`` says where, the text says what to mend."""

    def __init__(self, code: str, detail: str, *, element: str = "") -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.element = element
