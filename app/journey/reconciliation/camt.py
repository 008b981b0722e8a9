"""ISO 20022 statements (camt.053) and notifications (camt.054), versions 001.02 and newer, also the Swiss ones. Pure.

``read`` turns bytes into values or refuses, naming the place. One booked entry may hold many transactions, so all that
is matched later stands at the transaction. An entry or transaction that cannot be read is kept with its reason: what
we cannot read may be a payment of ours. camt.052 is read as well; whether an intraday report is proof says the caller.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import re
from dataclasses import dataclass
from decimal import Decimal

from lxml import etree

from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import text, xml
from app.journey.intake.formats.xml import Node
from connectors.money import Money, exponent_of

#: a day of a large biller with its details
BYTES_MAX = 50 * 1024 * 1024
#: what such a file holds of "<" and "="
MARKUP_MAX = 5_000_000
#: Max35Text: EndToEndIdentification, the references of banks and every other id that is read here
ID_MAX = 35

#: the element of the message → its kind, and the element of one account in it
KINDS = {
    "BkToCstmrStmt": ("camt.053", "Stmt"),
    "BkToCstmrDbtCdtNtfctn": ("camt.054", "Ntfctn"),
    "BkToCstmrAcctRpt": ("camt.052", "Rpt"),
}

_VERSION = re.compile(r"(camt\.05[234])\.001\.([0-9]{2})(?![0-9])", re.ASCII)
_AMOUNT = re.compile(r"\+?(?=\.?[0-9])[0-9]{0,18}\.?[0-9]{0,18}", re.ASCII)
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T.*|Z|[+-][0-9]{2}:[0-9]{2})?", re.ASCII)
_MIDNIGHT = re.compile(r"[^T]*T00:00:00(?:\.0*)?(?:Z|[+-].*)?", re.ASCII)
_NO_ID = "NOTPROVIDED"
#: words for what the reader of bills says about bills
_DETAILS = {
    "doctype-refused": "A statement has no DOCTYPE.",
    "too-large": "The document has more elements than any statement needs.",
}


class CamtRefused(Exception):
    """The document cannot be taken. ``code`` is stable, ``element`` says where, the text says what is wrong."""

    def __init__(self, code: str, detail: str, *, element: str = "") -> None:
        super().__init__(f"{detail} ({element})" if element else detail)
        self.code = code
        self.element = element


class Direction(enum.StrEnum):
    CREDIT = "credit"
    DEBIT = "debit"

    @property
    def opposite(self) -> Direction:
        return Direction.DEBIT if self is Direction.CREDIT else Direction.CREDIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One payment inside of an entry (TxDtls)."""

    place: str
    amount: Money
    direction: Direction  #: how it is booked on the account
    reversal: bool  #: it takes an earlier booking back: RvslInd, or return information
    end_to_end_id: str | None  #: None where the bank says NOTPROVIDED
    counterparty_iban: str | None
    bank_reference: str | None  #: AcctSvcrRef of the transaction
    return_reason: str | None

    @property
    def original_direction(self) -> Direction:
        """How the payment itself was booked, which a reversal takes back."""
        return self.direction.opposite if self.reversal else self.direction


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the statement (Ntry), with the transactions that it sums up. Only ``booked`` ones are facts."""

    place: str
    status: str  #: BOOK, PDNG, INFO, FUTR
    amount: Money
    direction: Direction
    reversal: bool  #: RvslInd
    bank_reference: str | None  #: AcctSvcrRef of the entry; its NtryRef may be a number that begins anew in each file
    booked_on: dt.date | None
    batch_count: int | None  #: NbOfTxs
    details: int  #: how many TxDtls there are, readable or not
    transactions: tuple[Transaction, ...]

    @property
    def booked(self) -> bool:
        return self.status == "BOOK"

    @property
    def itemised(self) -> bool:
        """Every payment of it is there by itself."""
        return self.details >= max(1, self.batch_count or 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """An entry or transaction that cannot be read, and why."""

    place: str
    reason: str
    status: str | None
    end_to_end_id: str | None
    booked_on: dt.date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What one account has to say."""

    id: str
    account: str  #: IBAN without spaces, or another id as written
    period: tuple[dt.date, dt.date] | None  #: first and last day that it speaks of, where it says so
    whole: bool  #: not one page of several
    entries: tuple[Entry, ...]
    unreadable: tuple[Unreadable, ...]

    @property
    def bookings(self) -> int:
        """How many there are: transactions, and entries without any."""
        lost = sum("TxDtls" not in one.place for one in self.unreadable)
        return lost + sum(max(1, one.details) for one in self.entries)

    @property
    def itemised(self) -> bool:
        """A payment that is not found in it was not booked in its period."""
        return self.whole and not self.unreadable and all(one.itemised for one in self.entries if one.booked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    kind: str  #: camt.053, camt.054 or camt.052
    version: str | None  #: of the namespace: 02, 04, 08 …
    id: str
    statements: tuple[Statement, ...]


def read(content: bytes) -> Message:
    """The message in these bytes. Raises CamtRefused."""
    if len(content) > BYTES_MAX:
        raise CamtRefused("too-large", f"The document is larger than {BYTES_MAX // 1024 // 1024} MB.")
    try:
        return _message(xml.parse(content, markup_max=MARKUP_MAX))
    except BillRefused as refused:
        detail = _DETAILS.get(refused.code, refused.detail)
        raise CamtRefused(refused.code, detail, element=refused.element) from None


def _message(root: etree._Element) -> Message:
    document = _document(root)
    name = etree.QName(document)
    prefixes = {"": name.namespace} if name.namespace else {}
    found = [Node(child, etree.QName(child).localname, prefixes) for child in document]
    if len(found) != 1 or found[0].path not in KINDS:
        raise CamtRefused("not-a-statement", "This is no camt.053 or camt.054: there is no statement in it.")
    message = found[0]
    kind, each = KINDS[message.path]
    version = _VERSION.search(name.namespace or "")
    if version is not None and version[1] != kind:
        raise CamtRefused("not-a-statement", f"The document calls itself {version[1]} and holds a {kind}.")
    statements = tuple(_statement(node) for node in message.all(each))
    if not statements:
        raise CamtRefused("empty", "There is no statement in it.", element=f"{message.path}/{each}")
    return Message(
        kind=kind,
        version=version[2] if version else None,
        id=_needed(message, "GrpHdr/MsgId"),
        statements=statements,
    )


def _document(root: etree._Element) -> etree._Element:
    """The Document element, alone or in an envelope of the bank."""
    if etree.QName(root).localname == "Document":
        return root
    found = list(root.iter("{*}Document"))
    if len(found) != 1:
        raise CamtRefused("not-a-statement", "This is no ISO 20022 message: there is no one Document in it.")
    return found[0]


def _statement(node: Node) -> Statement:
    entries: list[Entry] = []
    unreadable: list[Unreadable] = []
    account = _account(node)
    for each in node.all("Ntry"):
        try:
            entries.append(_entry(each, account, unreadable))
        except (BillRefused, ValueError) as error:
            unreadable.append(_unreadable(each, error, status=_tried(each, "Sts"), booked_on=None))
    return Statement(
        id=_needed(node, "Id"),
        account=account,
        period=_period(node),
        whole=_is_whole(node),
        entries=tuple(entries),
        unreadable=tuple(unreadable),
    )


def _account(node: Node) -> str:
    iban = _text(node, "Acct/Id/IBAN")
    if iban is not None:
        return iban_of(iban)
    return _needed(node, "Acct/Id/Othr/Id")


def iban_of(written: str) -> str:
    """An account as it is compared: without spaces, in capitals."""
    return "".join(written.split()).upper()


def _period(node: Node) -> tuple[dt.date, dt.date] | None:
    """The days it speaks of: as it says, else from its opening to its closing balance."""
    first, last = _text(node, "FrToDt/FrDtTm"), _text(node, "FrToDt/ToDtTm")
    if first is not None and last is not None:
        try:
            start, end = _day(first), _day(last)
        except ValueError as error:
            raise CamtRefused("period-refused", str(error), element=f"{node.path}/FrToDt") from None
        if end > start and _MIDNIGHT.fullmatch(last):
            end -= dt.timedelta(days=1)  # it ends where the day begins
    else:
        opened, closed = _day_of_balance(node, "OPBD"), _day_of_balance(node, "CLBD")
        if opened is None or closed is None:
            return None
        # an opening balance of an earlier day is that day's closing one
        start, end = (opened if opened >= closed else opened + dt.timedelta(days=1)), closed
    return (start, end) if start <= end else None


def _is_whole(node: Node) -> bool:
    parent = node.element.getparent()
    header = Node(parent, "", node.names).maybe("GrpHdr/MsgPgntn") if parent is not None else None
    for pages in (header, node.maybe("StmtPgntn"), node.maybe("NtfctnPgntn"), node.maybe("RptPgntn")):
        if pages is not None and (_text(pages, "PgNb"), _text(pages, "LastPgInd")) not in (("1", "true"), ("1", "1")):
            return False
    return True


def _day_of_balance(node: Node, code: str) -> dt.date | None:
    """Of a balance only the day is of use here: one whose code or day cannot be read is as if it were not there."""
    for each in node.all("Bal"):
        try:
            day = _date(each, "Dt") if _text(each, "Tp/CdOrPrtry/Cd") == code else None
        except (BillRefused, ValueError):
            continue
        if day is not None:
            return day
    return None


# --- entries and their transactions


def _entry(node: Node, account: str, unreadable: list[Unreadable]) -> Entry:
    amount = _amount(node, "Amt")
    if amount is None:
        raise ValueError("the entry has no amount")
    details = [each for group in node.all("NtryDtls") for each in group.all("TxDtls")]
    batch = _text_of_first(node.all("NtryDtls"), "Btch/NbOfTxs")
    entry = Entry(
        place=node.path,
        status=_status(node),
        amount=amount,
        direction=_direction(_needed(node, "CdtDbtInd")),
        reversal=_flag(node, "RvslInd"),
        bank_reference=_text(node, "AcctSvcrRef"),
        booked_on=_date(node, "BookgDt"),
        batch_count=int(batch) if batch is not None and re.fullmatch(r"[0-9]{1,15}", batch) else None,
        details=len(details),
        transactions=(),
    )
    transactions: list[Transaction] = []
    for each in details:
        try:
            transactions.append(_transaction(each, entry, account, alone=len(details) == 1))
        except (BillRefused, ValueError) as error:
            unreadable.append(_unreadable(each, error, status=entry.status, booked_on=entry.booked_on))
    return dataclasses.replace(entry, transactions=tuple(transactions))


def _transaction(node: Node, entry: Entry, account: str, *, alone: bool) -> Transaction:
    amount = _amount(node, "Amt") or _amount(node, "AmtDtls/TxAmt/Amt") or (entry.amount if alone else None)
    if amount is None:
        raise ValueError("one transaction of several, without an amount of its own")
    indicator = _text(node, "CdtDbtInd")
    direction = _direction(indicator) if indicator else entry.direction
    returned = node.maybe("RtrInf")
    return Transaction(
        place=node.path,
        amount=amount,
        direction=direction,
        reversal=entry.reversal or returned is not None,
        end_to_end_id=_end_to_end_id(node),
        counterparty_iban=_counterparty(node, direction, account),
        bank_reference=_text(node, "Refs/AcctSvcrRef"),
        return_reason=_return_reason(returned),
    )


def _end_to_end_id(node: Node) -> str | None:
    found = _text(node, "Refs/EndToEndId")
    return None if found is None or found.upper() == _NO_ID else found


def _return_reason(returned: Node | None) -> str | None:
    if returned is None:
        return None
    return _text(returned, "Rsn/Cd") or _text(returned, "Rsn/Prtry")


def _counterparty(node: Node, direction: Direction, account: str) -> str | None:
    """The account of the other side. A return may keep the roles of the payment that it takes back."""
    sides = ("Dbtr", "Cdtr") if direction is Direction.CREDIT else ("Cdtr", "Dbtr")
    for side in sides:
        iban = _text(node, f"RltdPties/{side}Acct/Id/IBAN")
        if iban is not None and iban_of(iban) != account:
            return iban_of(iban)
    return None


def _unreadable(node: Node, error: Exception, *, status: str | None, booked_on: dt.date | None) -> Unreadable:
    if isinstance(error, BillRefused):
        reason = f"{error.element}: {error.detail}" if error.element else error.detail
    else:
        reason = str(error)
    end_to_end_id = _tried(node, "Refs/EndToEndId") or _tried(node, "NtryDtls/TxDtls/Refs/EndToEndId")
    return Unreadable(place=node.path, reason=reason, status=status, end_to_end_id=end_to_end_id, booked_on=booked_on)


def _tried(node: Node, path: str) -> str | None:
    """Of an entry that is unreadable anyway: what can still be read of it."""
    try:
        return _text(node, path)
    except BillRefused:
        return None


# --- values


def _status(node: Node) -> str:
    """A text up to version 07, then an element with a code."""
    found = node.maybe("Sts")
    if found is None:
        raise ValueError("the entry does not say whether it is booked")
    if len(found.element):
        return _text(found, "Cd") or _needed(found, "Prtry")
    return _needed(node, "Sts")


def _amount(node: Node, path: str) -> Money | None:
    """The amount at this path. Digits beyond those of the currency must be zeros: ``12.50000`` EUR is 12.50."""
    found = node.maybe(path)
    if found is None:
        return None
    currency = found.element.get("Ccy", "")
    minor = _decimal(found.text()).scaleb(exponent_of(currency))
    if minor != minor.to_integral_value():
        raise ValueError(f"{text.quoted(found.text())} has more decimals than {currency} has")
    return Money(int(minor), currency)


def _decimal(written: str) -> Decimal:
    if _AMOUNT.fullmatch(written) is None:
        raise ValueError(f"{text.quoted(written)} is not an amount")
    return Decimal(written)


def _direction(written: str) -> Direction:
    match written:
        case "CRDT":
            return Direction.CREDIT
        case "DBIT":
            return Direction.DEBIT
    raise ValueError(f"{text.quoted(written)} is neither CRDT nor DBIT")


def _flag(node: Node, path: str) -> bool:
    found = _text(node, path)
    if found not in (None, "true", "false", "1", "0"):
        raise ValueError(f"{text.quoted(found)} is neither true nor false")
    return found in ("true", "1")


def _date(node: Node, path: str) -> dt.date | None:
    """A date, or the date of a time as the bank's clock shows it."""
    found = _text(node, f"{path}/Dt") or _text(node, f"{path}/DtTm")
    return _day(found) if found is not None else None


def _day(written: str) -> dt.date:
    match = _DATE.fullmatch(written)
    if match is None:
        raise ValueError(f"{text.quoted(written)} is not a date")
    return dt.date.fromisoformat(match[1])


def _needed(node: Node, path: str) -> str:
    found = _text(node, path)
    if found is None:
        raise BillRefused("element-missing", "The element is missing or empty.", element=f"{node.path}/{path}")
    return found


def _text_of_first(nodes: list[Node], path: str) -> str | None:
    return next((found for node in nodes if (found := _text(node, path)) is not None), None)


def _text(node: Node, path: str) -> str | None:
    """The text at this path, None when it is not there or empty. Raises BillRefused for one that nobody can see."""
    found = node.maybe(path)
    if found is None:
        return None
    return text.exact(found.text(), element=found.path, limit=ID_MAX) or None
