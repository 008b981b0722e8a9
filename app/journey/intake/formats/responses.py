"""What others answer to documents: the UBL ApplicationResponse (Peppol) and the French life cycle (CDAR)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from lxml import etree

from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import checks, fields, text, xml
from app.journey.intake.formats.fields import given, maybe_exact, plain, required, several
from connectors.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    code: str
    list_name: str | None = None  #: OPStatusReason, OPStatusAction


@dataclass(frozen=True, slots=True, kw_only=True)
class Characteristic:
    """A fact with the status (CDAR MDT-207): MPA paid, MEN received …"""

    code: str
    amount: Money | None = None
    day: dt.date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    kind: str  #: ApplicationResponse or CDAR
    profile: str | None
    id: str | None
    status: str
    reasons: tuple[Reason, ...]
    document_number: str
    document_type: str | None  #: of the document that it is about
    acknowledgement_type: str | None = None  #: CDAR: 305 by a platform, 23 by a partner
    effective_on: dt.date | None = None
    characteristics: tuple[Characteristic, ...] = ()


def read(content: bytes) -> Response:
    """The response in an XML document. Raises BillRefused."""
    root = xml.parse(content)
    if root.tag == _UBL_ROOT:
        return _ubl(root)
    if root.tag == _CDAR_ROOT:
        return _cdar(root)
    raise BillRefused("not-a-bill", "The document is no response.", element=f"/{etree.QName(root).localname}")


# --- UBL

_UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
_UBL_NAMES = xml.Names({"cac": f"{_UBL}CommonAggregateComponents-2", "cbc": f"{_UBL}CommonBasicComponents-2"})
_UBL_ROOT = f"{{{_UBL}ApplicationResponse-2}}ApplicationResponse"


def _ubl(root: etree._Element) -> Response:
    """One document is answered; what is said of its lines is for their makers."""
    node = xml.Node(root, "/ApplicationResponse", _UBL_NAMES)
    answer = node.maybe("cac:DocumentResponse")
    if answer is None:
        raise fields.missing(node, "cac:DocumentResponse")
    effective = given(answer, "cac:Response/cbc:EffectiveDate")
    return Response(
        kind="ApplicationResponse",
        profile=maybe_exact(node, "cbc:ProfileID", text.NAME_MAX),
        id=fields.exact(required(node, "cbc:ID"), text.NUMBER_MAX),
        status=fields.exact(required(answer, "cac:Response/cbc:ResponseCode"), text.ID_MAX),
        reasons=tuple(_reasons(several(answer, "cac:Response/cac:Status"))),
        document_number=fields.exact(required(answer, "cac:DocumentReference/cbc:ID"), text.NUMBER_MAX),
        document_type=maybe_exact(answer, "cac:DocumentReference/cbc:DocumentTypeCode"),
        effective_on=fields.date(effective) if effective else None,
    )


def _reasons(statuses: list[xml.Node]) -> list[Reason]:
    codes = [code for status in statuses if (code := given(status, "cbc:StatusReasonCode")) is not None]
    return [Reason(code=fields.exact(code, text.ID_MAX), list_name=code.element.get("listID")) for code in codes]


# --- CDAR

_STANDARD = "urn:un:unece:uncefact:data:standard:"
_CDAR_NAMES = xml.Names(
    {
        "rsm": f"{_STANDARD}CrossDomainAcknowledgementAndResponse:100",
        "ram": f"{_STANDARD}ReusableAggregateBusinessInformationEntity:100",
        "udt": f"{_STANDARD}UnqualifiedDataType:100",
    }
)
_CDAR_ROOT = f"{{{_STANDARD}CrossDomainAcknowledgementAndResponse:100}}CrossDomainAcknowledgementAndResponse"


def _cdar(root: etree._Element) -> Response:
    node = xml.Node(root, "/rsm:CrossDomainAcknowledgementAndResponse", _CDAR_NAMES)
    said = node.maybe("rsm:AcknowledgementDocument")
    about = said.maybe("ram:ReferenceReferencedDocument") if said else None
    if said is None or about is None:
        raise fields.missing(node, "rsm:AcknowledgementDocument/ram:ReferenceReferencedDocument")
    statuses = several(about, "ram:SpecifiedDocumentStatus")
    codes = [code for status in statuses if (code := given(status, "ram:ReasonCode")) is not None]
    return Response(
        kind="CDAR",
        profile=maybe_exact(
            node,
            "rsm:ExchangedDocumentContext/ram:GuidelineSpecifiedDocumentContextParameter/ram:ID",
            text.NAME_MAX,
        ),
        id=maybe_exact(node, "rsm:ExchangedDocument/ram:ID", text.NAME_MAX),
        status=fields.exact(required(about, "ram:ProcessConditionCode"), text.ID_MAX),
        reasons=tuple(Reason(code=fields.exact(code, text.ID_MAX)) for code in codes),
        document_number=fields.exact(required(about, "ram:IssuerAssignedID"), text.NUMBER_MAX),
        document_type=maybe_exact(about, "ram:TypeCode"),
        acknowledgement_type=maybe_exact(said, "ram:TypeCode"),
        characteristics=tuple(
            _characteristic(each)
            for status in statuses
            for each in several(status, "ram:SpecifiedDocumentCharacteristic")
        ),
    )


def _characteristic(node: xml.Node) -> Characteristic:
    amount = given(node, "ram:ValueAmount")
    day = given(node, "ram:ValueDateTime/udt:DateTimeString")
    return Characteristic(
        code=plain(node, "ram:TypeCode"),
        amount=_amount(amount) if amount else None,
        day=fields.compact_date(day) if day else None,
    )


def _amount(node: xml.Node) -> Money:
    code = checks.currency(node.element.get("currencyID", ""), element=f"{node.path}/@currencyID")
    return fields.amount(node, code)
