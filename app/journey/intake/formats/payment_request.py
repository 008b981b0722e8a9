"""Requests to pay: ISO 20022 pain.013 in XML, and the same as JSON in the EPC's SEPA Request-to-Pay (EPC133-22).

One reader for both, since both have the same names. What the SRTP JSON has in another way: an amount is a bare number
in euro, and an address for answers stands beside the document. That address is checked and kept; nothing is fetched.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from dataclasses import dataclass
from typing import Protocol, Self
from urllib.parse import urlsplit

from lxml import etree

from app.journey.intake.bill import Bill, BillKind, BillRefused, Means, Payee, Seller
from app.journey.intake.formats import accounts, checks, text, xml
from app.journey.intake.formats.json_tree import JsonNode, JsonNumber
from app.journey.intake.means import CHEQUE
from connectors.money import Money

_NAMESPACE = re.compile(r"urn:iso:std:iso:20022:tech:xsd:pain\.013\.001\.(?:0[1-9]|1[0-9])", re.ASCII)
_MESSAGE = "CdtrPmtActvtnReq"
#: which message the JSON of the scheme is (DS-02)
_JSON_NAME = "pain.013.001.10"
#: of the EPC's rulebook: payment instructions, and transactions in each of ISO's
REQUESTS_MAX = 100
_TEXTS_MAX = 10
_ID_MAX = 35
_NAME_MAX = 140
_TRUE = {"true": True, "1": True, "false": False, "0": False}


class Node(Protocol):
    """What the reader needs of a tree: ``xml.Node`` and ``JsonNode`` have it."""

    @property
    def path(self) -> str: ...

    def maybe(self, path: str, /) -> Self | None: ...

    def all(self, path: str, /) -> list[Self]: ...

    def text(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRequest:
    """One transaction that a creditor asks for."""

    message_id: str
    message_name: str  #: pain.013 and its version
    payment_information_id: str
    instruction_id: str | None
    end_to_end_id: str
    created_on: dt.date
    requested_on: dt.date | None  #: when it should be paid
    expires_on: dt.date | None
    amount: Money  #: above nothing
    creditor: str
    creditor_id: str | None  #: a tax number (TXID) where there is one
    account: checks.Account
    by_cheque: bool  #: PmtMtd; everything else is a transfer
    debtor: str | None
    to: str | None  #: the proxy of the debtor's account: here the customer's space address
    creditor_reference: str | None
    unstructured: tuple[str, ...]
    invoice_number: str | None
    amount_may_change: bool | None
    rebate: str | None  #: for immediate payment, as written: a rate or an amount, without a day
    penalty: str | None
    callback_url: str | None = None


def is_request(tree: object) -> bool:
    """Whether a JSON document is meant as an SRTP request, right or wrong."""
    return isinstance(tree, dict) and "Document" in tree


def xml_message(root: etree._Element) -> etree._Element | None:
    """The pain.013 message in a document, alone or in a bank's envelope of two levels; None for another document."""
    levels = [root, *root, *(inner for child in root for inner in child)]
    found = [each for each in levels if _is_message(each)]
    return found[0] if len(found) == 1 else None


def _is_message(element: etree._Element) -> bool:
    name = etree.QName(element)
    return name.localname == _MESSAGE and _NAMESPACE.fullmatch(name.namespace or "") is not None


# --- one bill


def read_xml(message: etree._Element) -> Bill:
    return _one(requests_in_xml(message))


def read_json(tree: object) -> Bill:
    return _one(requests_in_json(tree))


def _one(requests: tuple[PaymentRequest, ...]) -> Bill:
    if len(requests) != 1:
        detail = f"The message asks for {len(requests)} payments. Send each in a message of its own."
        raise BillRefused("element-doubled", detail, element=f"/{_MESSAGE}/PmtInf")
    return as_bill(requests[0])


def as_bill(request: PaymentRequest) -> Bill:
    """The request as a bill. A rebate without a day is shown and not computed."""
    spoken = (("Rebate for immediate payment", request.rebate), ("Late payment", request.penalty))
    where = accounts.Where(currency=request.amount.currency)
    payee: Payee = accounts.payee(request.creditor, request.account, None, where)
    return Bill(
        kind=BillKind.INVOICE,
        number=request.invoice_number or request.end_to_end_id,
        issued_on=request.created_on,
        due_on=request.requested_on,
        due_dates=(request.requested_on,) if request.requested_on else (),
        expires_on=request.expires_on,
        is_amount_fixed=request.amount_may_change is False,
        payable=request.amount,
        to=request.to,
        seller=Seller(legal_name=request.creditor, vat_id=request.creditor_id),
        buyer_name=request.debtor,
        payee=payee,
        means=(Means(code=CHEQUE),) if request.by_cheque else (),
        remittance_reference=request.creditor_reference or " ".join(request.unstructured)[: text.REFERENCE_MAX] or None,
        terms="\n".join(f"{name}: {value}" for name, value in spoken if value) or None,
    )


# --- the message


def requests_in_xml(message: etree._Element) -> tuple[PaymentRequest, ...]:
    """Every payment that a CdtrPmtActvtnReq asks for. Raises BillRefused."""
    namespace = etree.QName(message).namespace or ""
    node = xml.Node(message, f"/{_MESSAGE}", xml.Names({"": namespace}))
    return _requests(node, _xml_amount, name=namespace.rpartition(":")[2])


def requests_in_json(tree: object) -> tuple[PaymentRequest, ...]:
    """The same in the JSON of the SRTP scheme."""
    callback = JsonNode(tree).maybe("callbackUrl")
    url = _callback(callback) if callback else None
    message = _json_message(tree)
    return _requests(message, _json_amount, name=_JSON_NAME, callback_url=url)


def asked_in(tree: object) -> tuple[JsonNode, JsonNode, JsonNode]:
    """Where a JSON request that was read before says it: the message, the instruction and the transaction."""
    message = _json_message(tree)
    return next(
        (message, instruction, transaction)
        for instruction in message.all("PmtInf")
        for transaction in instruction.all("CdtTrfTx")
    )


def _json_message(tree: object) -> JsonNode:
    message = JsonNode(tree).maybe(f"Document/{_MESSAGE}")
    if message is None:
        raise BillRefused("element-missing", "The field is missing.", element=f"/Document/{_MESSAGE}")
    return message


class _Amount(Protocol):
    def __call__(self, node: Node, /) -> Money: ...


def _requests(
    message: Node, amount_of: _Amount, *, name: str, callback_url: str | None = None
) -> tuple[PaymentRequest, ...]:
    header = _needed(message, "GrpHdr")
    found = [
        _request(message, instruction, transaction, amount_of, message_name=name, callback_url=callback_url)
        for instruction in _few(message, "PmtInf")
        for transaction in _few(instruction, "CdtTrfTx")
    ]
    if not found:
        raise _missing(message, "PmtInf/CdtTrfTx")
    count, total = _needed(header, "NbOfTxs"), header.maybe("CtrlSum")
    if count.text() != str(len(found)):
        detail = f"The message says {text.quoted(count.text())} transactions and has {len(found)}."
        raise BillRefused("amounts-do-not-add-up", detail, element=count.path)
    if total is not None:
        _check_sum(total, found)
    return tuple(found)


def _check_sum(total: Node, found: list[PaymentRequest]) -> None:
    """CtrlSum is the sum of all amounts, whatever their currencies."""
    stated = checks.xml_amount(total.text(), found[0].amount.currency, element=total.path)
    if stated.decimal() != sum(each.amount.decimal() for each in found):
        detail = f"The control sum is {stated}, but the amounts make another one."
        raise BillRefused("amounts-do-not-add-up", detail, element=total.path)


def _request(
    message: Node,
    instruction: Node,
    transaction: Node,
    amount_of: _Amount,
    *,
    message_name: str,
    callback_url: str | None,
) -> PaymentRequest:
    amount = amount_of(_needed(transaction, "Amt/InstdAmt"))
    if amount.minor <= 0:
        detail = "What is asked for must be more than nothing."
        raise BillRefused("amount-refused", detail, element=_needed(transaction, "Amt/InstdAmt").path)
    conditions = "PmtCond"
    return PaymentRequest(
        message_id=_id(_needed(message, "GrpHdr/MsgId")),
        message_name=message_name,
        payment_information_id=_id(_needed(instruction, "PmtInfId")),
        instruction_id=_maybe_id(transaction, "PmtId/InstrId"),
        end_to_end_id=_id(_needed(transaction, "PmtId/EndToEndId")),
        created_on=_moment(_needed(message, "GrpHdr/CreDtTm")),
        requested_on=_day(instruction, "ReqdExctnDt"),
        expires_on=_day(instruction, "XpryDt"),
        amount=amount,
        creditor=_line(_needed(transaction, "Cdtr/Nm")),
        creditor_id=_tax_number(transaction),
        account=_account(transaction),
        by_cheque=(method := instruction.maybe("PmtMtd")) is not None and method.text() == "CHK",
        debtor=_maybe_line(instruction, "Dbtr/Nm"),
        to=_maybe_id(instruction, "DbtrAcct/Prxy/Id", text.ADDRESS_MAX),
        creditor_reference=_reference(transaction),
        unstructured=tuple(_line(each) for each in _few(transaction, "RmtInf/Ustrd", most=_TEXTS_MAX)),
        invoice_number=_invoice_number(transaction),
        amount_may_change=_flag(transaction, f"{conditions}/AmtModAllwd"),
        rebate=_maybe_line(transaction, f"{conditions}/ImdtPmtRbt/Rate")
        or _maybe_line(transaction, f"{conditions}/ImdtPmtRbt/Amt"),
        penalty=_maybe_line(transaction, f"{conditions}/DelyPnlty"),
        callback_url=callback_url,
    )


# --- values


def _xml_amount(node: Node, /) -> Money:
    if not isinstance(node, xml.Node):
        raise TypeError("an element is meant")
    code = checks.currency(node.element.get("Ccy", ""), element=f"{node.path}/@Ccy")
    return checks.xml_amount(node.text(), code, element=node.path)


def _json_amount(node: Node, /) -> Money:
    """A bare number of the JSON, in euro."""
    if not isinstance(node, JsonNode) or not isinstance(node.value, JsonNumber):
        raise BillRefused("type-refused", "The amount must be a number, without quotes.", element=node.path)
    return checks.xml_amount(node.value.written, "EUR", element=node.path)


def _account(transaction: Node) -> checks.Account:
    iban = transaction.maybe("CdtrAcct/Id/IBAN")
    if iban is None:
        return checks.account(
            _needed(transaction, "CdtrAcct/Id/Othr/Id").text(), element=f"{transaction.path}/CdtrAcct"
        )
    found = checks.account(iban.text(), element=iban.path)
    if found.iban is None:
        raise BillRefused("account-refused", f"{text.quoted(iban.text())} is not an IBAN.", element=iban.path)
    return found


def _tax_number(transaction: Node) -> str | None:
    for other in _few(transaction, "Cdtr/Id/OrgId/Othr"):
        scheme = other.maybe("SchmeNm/Cd")
        if scheme is not None and scheme.text() == "TXID":
            return _id(_needed(other, "Id"))
    return None


def _reference(transaction: Node) -> str | None:
    found = [
        node
        for structured in _few(transaction, "RmtInf/Strd")
        if (node := structured.maybe("CdtrRefInf/Ref")) is not None and node.text()
    ]
    if len(found) > 1:
        raise BillRefused("element-doubled", "There are two creditor references. Send one.", element=found[1].path)
    return checks.reference(found[0].text(), element=found[0].path) if found else None


def _invoice_number(transaction: Node) -> str | None:
    numbers = {
        _id(node, text.NUMBER_MAX)
        for structured in _few(transaction, "RmtInf/Strd")
        for document in _few(structured, "RfrdDocInf")
        if (node := document.maybe("Nb")) is not None and node.text()
    }
    return numbers.pop() if len(numbers) == 1 else None


def _flag(node: Node, path: str) -> bool | None:
    found = node.maybe(path)
    if found is None:
        return None
    if found.text() not in _TRUE:
        raise BillRefused("type-refused", "The value must be true or false.", element=found.path)
    return _TRUE[found.text()]


def _day(node: Node, path: str) -> dt.date | None:
    """A choice of ISO 20022: a day, or a moment of which the day counts."""
    choice = node.maybe(path)
    if choice is None:
        return None
    day, moment = choice.maybe("Dt"), choice.maybe("DtTm")
    if (day is None) == (moment is None):
        raise BillRefused("element-missing", "Give either Dt or DtTm.", element=choice.path)
    if day is not None:
        return checks.xml_date(day.text(), element=day.path)
    return _moment(moment) if moment is not None else None


def _moment(node: Node) -> dt.date:
    written = node.text()
    try:
        dt.datetime.fromisoformat(written)
    except ValueError:
        raise BillRefused(
            "date-refused", f"{text.quoted(written)} is not a date and time.", element=node.path
        ) from None
    return checks.date(written[:10], element=node.path)


def _callback(node: JsonNode) -> str:
    """Where answers go: https and a name. A number would be a machine inside somebody's network."""
    written = text.exact(node.text(), element=node.path, limit=2_000)
    try:
        parts = urlsplit(written)
        host = parts.hostname or ""
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme != "https" or "." not in host or parts.username is not None or _is_number(host):
        detail = "The address for answers must be https, with the name of a host and no user in it."
        raise BillRefused("text-refused", detail, element=node.path)
    return written


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        # 127.1 and 0x7f.1 are numbers to some programs
        return host.rpartition(".")[2][:1].isdigit()
    return True


def _needed(node: Node, path: str) -> Node:
    found = node.maybe(path)
    if found is None:
        raise _missing(node, path)
    return found


def _missing(node: Node, path: str) -> BillRefused:
    return BillRefused("element-missing", "The element is missing or empty.", element=f"{node.path}/{path}")


def _few(node: Node, path: str, *, most: int = REQUESTS_MAX) -> list[Node]:
    found = [*node.all(path)]
    if len(found) > most:
        raise BillRefused("too-large", f"The element is there more than {most} times.", element=f"{node.path}/{path}")
    return list(found)


def _id(node: Node, limit: int = _ID_MAX) -> str:
    found = text.exact(node.text(), element=node.path, limit=limit)
    if not found:
        raise BillRefused("element-missing", "The element is missing or empty.", element=node.path)
    return found


def _maybe_id(node: Node, path: str, limit: int = _ID_MAX) -> str | None:
    found = node.maybe(path)
    return _id(found, limit) if found is not None else None


def _line(node: Node) -> str:
    return text.line(node.text(), element=node.path, limit=_NAME_MAX)


def _maybe_line(node: Node, path: str) -> str | None:
    found = node.maybe(path)
    return _line(found) or None if found is not None else None
