"""Orders and what is answered to them: UBL 2.1 (Peppol) and Order-X. A bill that names its order closes the chain."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass

from lxml import etree

from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import checks, facturx, fields, text, xml
from app.journey.intake.formats.fields import given, maybe_exact, maybe_line, required
from connectors.money import Money


class OrderKind(enum.StrEnum):
    ORDER = "Order"
    CHANGE = "OrderChange"
    CANCELLATION = "OrderCancellation"
    RESPONSE = "OrderResponse"  #: an answer, or an agreement that is order and answer at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    kind: OrderKind
    id: str  #: of this document
    order_reference: str | None  #: the order that it is about (BT-13 of the bill), where it is none itself
    sales_order_id: str | None  #: BT-14 of the bill
    issued_on: dt.date
    currency: str | None
    payable: Money | None
    response_code: str | None
    seller: str | None
    buyer: str | None

    @property
    def order_number(self) -> str:
        """What a bill calls it."""
        return self.id if self.kind is OrderKind.ORDER else self.order_reference or self.id


def read(content: bytes) -> Order:
    """The order in an XML document, or in a PDF as Order-X. Raises BillRefused."""
    if content.startswith(facturx.MAGIC):
        content = facturx.only(facturx.ORDER_NAME, content)
    root = xml.parse(content)
    if root.tag in _UBL_ROOTS:
        return _ubl(root)
    if root.tag == _ORDER_X_ROOT:
        return _order_x(root)
    raise BillRefused("not-a-bill", "The document is no order.", element=f"/{etree.QName(root).localname}")


# --- UBL

_UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
_UBL_NAMES = xml.Names({"cac": f"{_UBL}CommonAggregateComponents-2", "cbc": f"{_UBL}CommonBasicComponents-2"})
_UBL_ROOTS = {f"{{{_UBL}{kind.value}-2}}{kind.value}": kind for kind in OrderKind}
_NAME = "cac:Party/cac:PartyLegalEntity/cbc:RegistrationName"


def _ubl(root: etree._Element) -> Order:
    kind = _UBL_ROOTS[root.tag]
    node = xml.Node(root, f"/{kind.value}", _UBL_NAMES)
    currency = given(node, "cbc:DocumentCurrencyCode")
    code = fields.currency(currency) if currency else None
    total = given(node, "cac:AnticipatedMonetaryTotal/cbc:PayableAmount")
    return Order(
        kind=kind,
        id=fields.exact(required(node, "cbc:ID"), text.NUMBER_MAX),
        order_reference=maybe_exact(node, "cac:OrderReference/cbc:ID", text.NUMBER_MAX),
        sales_order_id=maybe_exact(node, "cbc:SalesOrderID", text.NUMBER_MAX),
        issued_on=fields.date(required(node, "cbc:IssueDate")),
        currency=code,
        payable=_amount(total, total.element.get("currencyID"), code) if total else None,
        response_code=maybe_exact(node, "cbc:OrderResponseCode"),
        seller=maybe_line(node, f"cac:SellerSupplierParty/{_NAME}"),
        buyer=maybe_line(node, f"cac:BuyerCustomerParty/{_NAME}"),
    )


def _amount(node: xml.Node, own: str | None, currency: str | None) -> Money:
    """Of an order that names a currency, an amount in it; of another, in the amount's own."""
    code = currency or checks.currency(own or "", element=f"{node.path}/@currencyID")
    if own is not None and own != code:
        detail = f"The amount is in {text.quoted(own)}, the order in {code}."
        raise BillRefused("currency-refused", detail, element=f"{node.path}/@currencyID")
    return fields.amount(node, code)


# --- Order-X

_ORDER_X = "urn:un:unece:uncefact:data:SCRDMCCBDACIOMessageStructure:100"
_ORDER_X_ROOT = f"{{{_ORDER_X}}}SCRDMCCBDACIOMessageStructure"
_ORDER_X_NAMES = xml.Names(
    {
        "rsm": _ORDER_X,
        "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:128",
        "udt": "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:128",
    }
)
#: UNCL 1001
_ORDER_X_KINDS = {"220": OrderKind.ORDER, "230": OrderKind.CHANGE, "231": OrderKind.RESPONSE}
_TRADE = "rsm:SupplyChainTradeTransaction"
_AGREEMENT = f"{_TRADE}/ram:ApplicableHeaderTradeAgreement"
_SETTLEMENT = f"{_TRADE}/ram:ApplicableHeaderTradeSettlement"
_DOCUMENT = "rsm:ExchangedDocument"


def _order_x(root: etree._Element) -> Order:
    node = xml.Node(root, "/rsm:SCRDMCCBDACIOMessageStructure", _ORDER_X_NAMES)
    type_code = required(node, f"{_DOCUMENT}/ram:TypeCode")
    kind = _ORDER_X_KINDS.get(type_code.text())
    if kind is None:
        detail = f"{text.quoted(type_code.text())} is no type code of an order: {', '.join(_ORDER_X_KINDS)}."
        raise BillRefused("not-a-bill", detail, element=type_code.path)
    currency = given(node, f"{_SETTLEMENT}/ram:OrderCurrencyCode")
    code = fields.currency(currency) if currency else None
    totals = "ram:SpecifiedTradeSettlementHeaderMonetarySummation"
    total = given(node, f"{_SETTLEMENT}/{totals}/ram:GrandTotalAmount")
    issued = required(node, f"{_DOCUMENT}/ram:IssueDateTime/udt:DateTimeString")
    return Order(
        kind=kind,
        id=fields.exact(required(node, f"{_DOCUMENT}/ram:ID"), text.NUMBER_MAX),
        order_reference=maybe_exact(node, f"{_AGREEMENT}/ram:BuyerOrderReferencedDocument/ram:IssuerAssignedID"),
        sales_order_id=maybe_exact(node, f"{_AGREEMENT}/ram:SellerOrderReferencedDocument/ram:IssuerAssignedID"),
        issued_on=fields.compact_date(issued, formats=fields.MOMENT),
        currency=code,
        payable=_amount(total, total.element.get("currencyID"), code) if total and code else None,
        response_code=maybe_exact(node, f"{_DOCUMENT}/ram:StatusCode") if kind is OrderKind.RESPONSE else None,
        seller=maybe_line(node, f"{_AGREEMENT}/ram:SellerTradeParty/ram:Name"),
        buyer=maybe_line(node, f"{_AGREEMENT}/ram:BuyerTradeParty/ram:Name"),
    )
