"""Orders and responses of our own making, and what is refused in them."""

from __future__ import annotations

import datetime as dt

import pytest

from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import orders, responses
from app.journey.intake.formats.orders import Order, OrderKind
from app.journey.intake.formats.responses import Characteristic, Reason, Response
from connectors.money import Money

_UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
_CDAR = "urn:un:unece:uncefact:data:standard:"


def ubl(root: str, inner: str) -> bytes:
    return (
        f'<{root} xmlns="{_UBL}{root}-2" xmlns:cac="{_UBL}CommonAggregateComponents-2"'
        f' xmlns:cbc="{_UBL}CommonBasicComponents-2">{inner}</{root}>'
    ).encode()


def party(role: str, name: str) -> str:
    legal = f"<cac:PartyLegalEntity><cbc:RegistrationName>{name}</cbc:RegistrationName></cac:PartyLegalEntity>"
    return f"<cac:{role}><cac:Party>{legal}</cac:Party></cac:{role}>"


ORDER = (
    "<cbc:ID>PO-7</cbc:ID><cbc:IssueDate>2026-10-01</cbc:IssueDate>"
    "<cbc:DocumentCurrencyCode>EUR</cbc:DocumentCurrencyCode>"
    + party("BuyerCustomerParty", "Jana")
    + party("SellerSupplierParty", "Eaux du Lac SA")
    + '<cac:AnticipatedMonetaryTotal><cbc:PayableAmount currencyID="EUR">84.20</cbc:PayableAmount>'
    "</cac:AnticipatedMonetaryTotal>"
)


def test_an_order() -> None:
    found = orders.read(ubl("Order", ORDER))
    assert found == Order(
        kind=OrderKind.ORDER,
        id="PO-7",
        order_reference=None,
        sales_order_id=None,
        issued_on=dt.date(2026, 10, 1),
        currency="EUR",
        payable=Money(8420, "EUR"),
        response_code=None,
        seller="Eaux du Lac SA",
        buyer="Jana",
    )
    assert found.order_number == "PO-7"


@pytest.mark.parametrize("kind", ["OrderResponse", "OrderChange", "OrderCancellation"])
def test_what_is_about_an_order_names_it(kind: str) -> None:
    reference = "<cac:OrderReference><cbc:ID>PO-6</cbc:ID></cac:OrderReference>"
    assert orders.read(ubl(kind, ORDER + reference)).order_number == "PO-6"


@pytest.mark.parametrize(
    ("content", "code", "element"),
    [
        (ubl("Invoice", ORDER), "not-a-bill", "/Invoice"),
        (ubl("Order", ORDER.replace("PO-7", "")), "element-missing", "/Order/cbc:ID"),
        (
            ubl("Order", ORDER.replace('currencyID="EUR"', 'currencyID="USD"')),
            "currency-refused",
            "/Order/cac:AnticipatedMonetaryTotal/cbc:PayableAmount/@currencyID",
        ),
        (ubl("Order", ORDER.replace("2026-10-01", "1.10.26")), "date-refused", "/Order/cbc:IssueDate"),
    ],
)
def test_an_order_that_is_wrong_is_refused(content: bytes, code: str, element: str) -> None:
    with pytest.raises(BillRefused) as caught:
        orders.read(content)
    assert (caught.value.code, caught.value.element) == (code, element)


RESPONSE = (
    "<cbc:ProfileID>urn:p</cbc:ProfileID><cbc:ID>R-1</cbc:ID><cac:DocumentResponse><cac:Response>"
    "<cbc:ResponseCode>RE</cbc:ResponseCode><cbc:EffectiveDate>2026-11-02</cbc:EffectiveDate>"
    '<cac:Status><cbc:StatusReasonCode listID="OPStatusReason">PRI</cbc:StatusReasonCode></cac:Status>'
    "</cac:Response><cac:DocumentReference><cbc:ID>2026-00417</cbc:ID>"
    "<cbc:DocumentTypeCode>380</cbc:DocumentTypeCode></cac:DocumentReference></cac:DocumentResponse>"
)


def test_a_response() -> None:
    assert responses.read(ubl("ApplicationResponse", RESPONSE)) == Response(
        kind="ApplicationResponse",
        profile="urn:p",
        id="R-1",
        status="RE",
        reasons=(Reason(code="PRI", list_name="OPStatusReason"),),
        document_number="2026-00417",
        document_type="380",
        effective_on=dt.date(2026, 11, 2),
    )


def cdar(day: str = "20261102") -> bytes:
    fact = (
        '<ram:TypeCode>MPA</ram:TypeCode><ram:ValueAmount currencyID="EUR">84.20</ram:ValueAmount>'
        f'<ram:ValueDateTime><udt:DateTimeString format="102">{day}</udt:DateTimeString></ram:ValueDateTime>'
    )
    status = f"<ram:SpecifiedDocumentCharacteristic>{fact}</ram:SpecifiedDocumentCharacteristic>"
    return (
        f'<rsm:CrossDomainAcknowledgementAndResponse xmlns:rsm="{_CDAR}CrossDomainAcknowledgementAndResponse:100"'
        f' xmlns:ram="{_CDAR}ReusableAggregateBusinessInformationEntity:100"'
        f' xmlns:udt="{_CDAR}UnqualifiedDataType:100"><rsm:AcknowledgementDocument><ram:TypeCode>23</ram:TypeCode>'
        "<ram:ReferenceReferencedDocument><ram:IssuerAssignedID>2026-00417</ram:IssuerAssignedID>"
        "<ram:TypeCode>380</ram:TypeCode><ram:ProcessConditionCode>211</ram:ProcessConditionCode>"
        f"<ram:SpecifiedDocumentStatus>{status}</ram:SpecifiedDocumentStatus></ram:ReferenceReferencedDocument>"
        "</rsm:AcknowledgementDocument></rsm:CrossDomainAcknowledgementAndResponse>"
    ).encode()


def test_a_french_status_with_what_was_paid() -> None:
    found = responses.read(cdar())
    assert (found.kind, found.status, found.document_number) == ("CDAR", "211", "2026-00417")
    assert found.characteristics == (Characteristic(code="MPA", amount=Money(8420, "EUR"), day=dt.date(2026, 11, 2)),)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (ubl("Order", ORDER), "not-a-bill"),
        (ubl("ApplicationResponse", "<cbc:ID>R-1</cbc:ID>"), "element-missing"),
        (cdar(day="20261301"), "date-refused"),
        (cdar().replace(b"AcknowledgementDocument", b"Other"), "element-missing"),
    ],
)
def test_a_response_that_is_wrong_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(BillRefused) as caught:
        responses.read(content)
    assert caught.value.code == code
