"""UBL 2.1 Invoice and CreditNote: EN 16931, Peppol BIS, XRechnung, PINT, EHF payment request and reminder.

The paths are those of the official mapping (EN 16931-3-2), each from the root and each step by name. Elements
that we do not read may stand anywhere: conformance is the schema's matter. What we read is a matter of money:
there an element too many or too few refuses the bill.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import NoReturn

from lxml import etree

from app.journey.intake.bill import Bill, BillKind, BillRefused, EarlyPayment, Line, Payee, Seller
from app.journey.intake.formats import checks, early_payment, text, xml
from connectors.money import Money

_UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
_PREFIXES = {"cac": f"{_UBL}CommonAggregateComponents-2", "cbc": f"{_UBL}CommonBasicComponents-2"}
_ROOTS = {
    f"{{{_UBL}Invoice-2}}Invoice": BillKind.INVOICE,
    f"{{{_UBL}CreditNote-2}}CreditNote": BillKind.CREDIT_NOTE,
}
_SBDH = "{http://www.unece.org/cefact/namespaces/StandardBusinessDocumentHeader}StandardBusinessDocument"

_SELLER = "cac:AccountingSupplierParty/cac:Party"
_BUYER = "cac:AccountingCustomerParty/cac:Party"
_LEGAL_NAME = "cac:PartyLegalEntity/cbc:RegistrationName"
_PARTY_NAME = "cac:PartyName/cbc:Name"
_TOTALS = "cac:LegalMonetaryTotal"
_ACCOUNT = "cac:PayeeFinancialAccount"
_LINE_NAMES = {
    BillKind.INVOICE: ("cac:InvoiceLine", "cbc:InvoicedQuantity"),
    BillKind.CREDIT_NOTE: ("cac:CreditNoteLine", "cbc:CreditedQuantity"),
}
_XRECHNUNG_EXTENSION = "#conformant#urn:xeinkauf.de:kosit:extension:xrechnung_3.0"

LINES_MAX = 10_000
#: payment means, notes, preceding invoices: each
REPEATS_MAX = 100

#: UNCL 4461: the customer sends the money. ZZZ is "as agreed"; EHF payment requests may leave the code out.
CREDIT_TRANSFER_CODES = frozenset({"30", "58", "31", "42", "57", "1", "ZZZ", ""})
#: UNCL 1001: documents by which the biller owes the customer (EN 16931 credit note codes)
_CREDIT_TYPE_CODES = frozenset(
    {"81", "83", "261", "262", "296", "308", "381", "396", "420", "458", "502", "503", "532"}
)

#: UNECE Recommendation 20 codes with a symbol that everybody knows; a piece has none. Others are shown as is.
_UNIT_SYMBOLS = dict.fromkeys(("", "C62", "H87", "EA", "NAR", "XPP", "ZZ"), "") | {
    "CMT": "cm",
    "GRM": "g",
    "HUR": "h",
    "KGM": "kg",
    "KMT": "km",
    "KWH": "kWh",
    "KWT": "kW",
    "LTR": "l",
    "MIN": "min",
    "MMT": "mm",
    "MTK": "m²",
    "MTQ": "m³",
    "MTR": "m",
    "MWH": "MWh",
    "P1": "%",
    "SEC": "s",
    "TNE": "t",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Means:
    """One cac:PaymentMeans (BG-16)."""

    node: xml.Node
    code: str  #: BT-81, empty where absent
    account: xml.Node | None  #: BT-84


def read(content: bytes) -> Bill:
    """The bill in a UBL 2.1 document, or BillRefused."""
    root = xml.parse(content)
    if root.tag not in _ROOTS:
        _refuse_root(root)
    return _bill(xml.Node(root, "/" + etree.QName(root).localname, _PREFIXES), _ROOTS[root.tag])


def _bill(root: xml.Node, root_kind: BillKind) -> Bill:
    currency = _currency(root)
    issued_on = _date(_required(root, "cbc:IssueDate"))
    kind = _kind(root, root_kind)
    payable = _payable(root, currency)
    seller = _seller(root)
    means = _all_means(root)
    chosen = _chosen(means)
    return Bill(
        kind=kind,
        number=_exact(_required(root, "cbc:ID"), text.NUMBER_MAX),
        issued_on=issued_on,
        due_on=_due_on(root, means, chosen),
        payable=payable,
        total=_amount(root, f"{_TOTALS}/cbc:TaxInclusiveAmount", currency),
        to=_maybe_exact(root, f"{_BUYER}/cbc:EndpointID", text.ADDRESS_MAX),
        seller=seller,
        buyer_name=_maybe_line(root, f"{_BUYER}/{_LEGAL_NAME}") or _maybe_line(root, f"{_BUYER}/{_PARTY_NAME}"),
        payee=_payee(root, chosen, seller),
        means_codes=tuple(dict.fromkeys(each.code for each in means if each.code)),
        remittance_reference=_reference(means, chosen),
        early_payment=_early_payment(root, issued_on, payable) if kind is BillKind.INVOICE else None,
        terms=_paragraphs(_payment_terms_notes(root)),
        order_reference=_maybe_exact(root, "cac:OrderReference/cbc:ID", text.ID_MAX),
        preceding_numbers=_preceding_numbers(root),
        lines=_lines(root, root_kind, currency),
        note=_paragraphs(_several(root, "cbc:Note")),
    )


def _refuse_root(root: etree._Element) -> NoReturn:
    name = etree.QName(root)
    if root.tag == _SBDH:
        detail = "Send the invoice itself, without its StandardBusinessDocument envelope."
    else:
        shown = text.quoted(name.localname)
        detail = f"The root element {shown} is neither an Invoice nor a CreditNote in the namespace of UBL 2."
    raise BillRefused("not-a-bill", detail, element="/" + text.printable(name.localname, limit=text.QUOTE_MAX))


# --- what the bill is about


def _currency(root: xml.Node) -> str:
    node = _required(root, "cbc:DocumentCurrencyCode")
    return checks.currency(node.text(), element=node.path)


def _kind(root: xml.Node, root_kind: BillKind) -> BillKind:
    """An Invoice with a credit type code is a credit: whatever its root says, it must not be paid."""
    code = _given(root, "cbc:InvoiceTypeCode")
    return BillKind.CREDIT_NOTE if code and code.text() in _CREDIT_TYPE_CODES else root_kind


def _payable(root: xml.Node, currency: str) -> Money:
    """BT-115, checked against BT-112, 113 and 114 (BR-CO-16). An EHF payment request has no total."""
    payable = _money(_required(root, f"{_TOTALS}/cbc:PayableAmount"), currency)
    total = _amount(root, f"{_TOTALS}/cbc:TaxInclusiveAmount", currency)
    prepaid = _amount(root, f"{_TOTALS}/cbc:PrepaidAmount", currency)
    rounding = _amount(root, f"{_TOTALS}/cbc:PayableRoundingAmount", currency)
    if total is not None:
        nothing = Money(0, currency)
        due = total - (prepaid or nothing) + (rounding or nothing) + _third_party_payments(root, currency)
        if due != payable:
            detail = f"The amount due is {payable}, but total - prepaid + rounding makes {due} {currency}."
            raise BillRefused("amounts-do-not-add-up", detail, element=f"{root.path}/{_TOTALS}/cbc:PayableAmount")
    return payable


def _third_party_payments(root: xml.Node, currency: str) -> Money:
    """BG-DEX-09 of the XRechnung extension, added to what is due (BR-DEX-09). Elsewhere it is a remark."""
    due = Money(0, currency)
    customization = _given(root, "cbc:CustomizationID")
    if customization is None or not customization.text().endswith(_XRECHNUNG_EXTENSION):
        return due
    for payment in _several(root, "cac:PrepaidPayment"):
        due = due + (_amount(payment, "cbc:PaidAmount", currency) or Money(0, currency))
    return due


def _due_on(root: xml.Node, means: tuple[_Means, ...], chosen: _Means | None) -> dt.date | None:
    """BT-9. A CreditNote has it in its payment means, and so have old Dutch and Danish invoices."""
    node = _given(root, "cbc:DueDate")
    candidates = ([chosen] if chosen else []) + list(means)
    nodes = [node] + [_given(each.node, "cbc:PaymentDueDate") for each in candidates]
    first = next((each for each in nodes if each is not None), None)
    return _date(first) if first else None


def _early_payment(root: xml.Node, issued_on: dt.date, payable: Money) -> EarlyPayment | None:
    tiers: list[early_payment.Tier] = []
    for terms in _several(root, "cac:PaymentTerms"):
        tiers += _settlement_discount(terms)
    for note in _payment_terms_notes(root):
        # The text as it came: the rule wants a line break after the last entry, too.
        skonto = early_payment.skonto_tiers(note.raw_text(), issued_on=issued_on)
        if skonto is None:
            return None
        tiers += skonto
    return early_payment.single(tiers, payable=payable)


def _settlement_discount(terms: xml.Node) -> list[early_payment.Tier]:
    percent = _given(terms, "cbc:SettlementDiscountPercent")
    until = _given(terms, "cac:SettlementPeriod/cbc:EndDate")
    if percent is None or until is None:
        return []
    return [early_payment.Tier(until=_date(until), percent=early_payment.percent(percent.text(), element=percent.path))]


def _payment_terms_notes(root: xml.Node) -> list[xml.Node]:
    return [note for terms in _several(root, "cac:PaymentTerms") for note in _several(terms, "cbc:Note")]


def _preceding_numbers(root: xml.Node) -> tuple[str, ...]:
    """BT-25, once each."""
    references = _several(root, "cac:BillingReference")
    nodes = [_given(each, "cac:InvoiceDocumentReference/cbc:ID") for each in references]
    return tuple(dict.fromkeys(_exact(node, text.NUMBER_MAX) for node in nodes if node))


def _lines(root: xml.Node, root_kind: BillKind, currency: str) -> tuple[Line, ...]:
    name, quantity = _LINE_NAMES[root_kind]
    return tuple(_line(node, quantity, currency) for node in _several(root, name, most=LINES_MAX))


def _line(node: xml.Node, quantity: str, currency: str) -> Line:
    """BG-25. Where the item has no name, its description; where it has neither, the line's number."""
    paths = ("cac:Item/cbc:Name", "cac:Item/cbc:Description", "cbc:ID")
    texts = (_maybe_line(node, path, text.DESCRIPTION_MAX) for path in paths)
    description = next((found for found in texts if found), None)
    if description is None:
        raise _missing(node, paths[0])
    return Line(
        description=description,
        quantity=_quantity(_given(node, quantity)),
        amount=_amount(node, "cbc:LineExtensionAmount", currency),
    )


def _quantity(node: xml.Node | None) -> str | None:
    """BT-129 with its unit (BT-130): ``21 m³``."""
    if node is None:
        return None
    code = node.element.get("unitCode", "")
    value = f"{node.text()} {_UNIT_SYMBOLS.get(code, code)}"
    return text.line(value, element=node.path, limit=text.QUANTITY_MAX)


# --- who sends it, and where the money goes


def _seller(root: xml.Node) -> Seller:
    """BG-4. An EHF payment request has no legal name (BT-27), only the party's name."""
    legal_name = _maybe_line(root, f"{_SELLER}/{_LEGAL_NAME}")
    party_name = _maybe_line(root, f"{_SELLER}/{_PARTY_NAME}")
    name = legal_name or party_name
    if name is None:
        raise _missing(root, f"{_SELLER}/{_LEGAL_NAME}")
    country = _given(root, f"{_SELLER}/cac:PostalAddress/cac:Country/cbc:IdentificationCode")
    return Seller(
        name=name,
        trading_name=party_name if legal_name else None,
        vat_id=_vat_id(root),
        legal_id=_maybe_exact(root, f"{_SELLER}/cac:PartyLegalEntity/cbc:CompanyID", text.ID_MAX),
        country=checks.country(country.text(), element=country.path) if country else None,
    )


def _vat_id(root: xml.Node) -> str | None:
    """BT-31: of the tax registrations the one for VAT; the others (BT-32, GST) are none."""
    registrations = _several(root, f"{_SELLER}/cac:PartyTaxScheme")
    vat = [each for each in registrations if _text(each, "cac:TaxScheme/cbc:ID") == "VAT"]
    if len(vat) > 1:
        raise BillRefused("element-doubled", "The seller has two VAT numbers. Send one.", element=vat[1].path)
    return _maybe_exact(vat[0], "cbc:CompanyID", text.ID_MAX) if vat else None


def _all_means(root: xml.Node) -> tuple[_Means, ...]:
    return tuple(
        _Means(node=node, code=_text(node, "cbc:PaymentMeansCode"), account=_given(node, f"{_ACCOUNT}/cbc:ID"))
        for node in _several(root, "cac:PaymentMeans")
    )


def _chosen(means: tuple[_Means, ...]) -> _Means | None:
    """The first credit transfer to a valid IBAN, else the first one with any account."""
    transfers = [each for each in means if each.account and each.code in CREDIT_TRANSFER_CODES]
    with_iban = [each for each in transfers if each.account and checks.valid_iban(each.account.text())]
    return next(iter(with_iban + transfers), None)


def _payee(root: xml.Node, chosen: _Means | None, seller: Seller) -> Payee | None:
    """BG-17 of the chosen means; None where no credit transfer has an account."""
    if chosen is None or chosen.account is None:
        return None
    account = checks.account(chosen.account.text(), element=chosen.account.path)
    name = _maybe_line(chosen.node, f"{_ACCOUNT}/cbc:Name") or _maybe_line(root, f"cac:PayeeParty/{_PARTY_NAME}")
    branch = _text(chosen.node, f"{_ACCOUNT}/cac:FinancialInstitutionBranch/cbc:ID")
    return Payee(
        name=name or seller.name,
        iban=account.iban,
        other_account=account.other,
        bic=checks.bic(branch) if account.iban else None,
    )


def _reference(means: tuple[_Means, ...], chosen: _Means | None) -> str | None:
    """BT-83 of the chosen means, else the first one given: some files state it beside another means."""
    candidates = ([chosen] if chosen else []) + list(means)
    nodes = [_given(each.node, "cbc:PaymentID") for each in candidates]
    first = next((node for node in nodes if node), None)
    return checks.reference(first.text(), element=first.path) if first else None


# --- reading one element


def _given(node: xml.Node, path: str) -> xml.Node | None:
    """The one element there, or None where it is absent or empty."""
    found = node.maybe(path)
    return found if found is not None and found.text() else None


def _required(node: xml.Node, path: str) -> xml.Node:
    found = _given(node, path)
    if found is None:
        raise _missing(node, path)
    return found


def _missing(node: xml.Node, path: str) -> BillRefused:
    detail = "The element is missing or empty."
    return BillRefused("element-missing", detail, element=f"{node.path}/{path}")


def _several(node: xml.Node, path: str, *, most: int = REPEATS_MAX) -> list[xml.Node]:
    found = node.all(path)
    if len(found) > most:
        raise BillRefused("too-large", f"The element is there more than {most} times.", element=f"{node.path}/{path}")
    return found


def _text(node: xml.Node, path: str) -> str:
    found = _given(node, path)
    return found.text() if found else ""


def _exact(node: xml.Node, limit: int) -> str:
    return text.exact(node.text(), element=node.path, limit=limit)


def _maybe_exact(node: xml.Node, path: str, limit: int) -> str | None:
    found = _given(node, path)
    return _exact(found, limit) if found else None


def _maybe_line(node: xml.Node, path: str, limit: int = text.NAME_MAX) -> str | None:
    found = _given(node, path)
    return text.line(found.text(), element=found.path, limit=limit) or None if found else None


def _paragraphs(nodes: list[xml.Node]) -> str | None:
    written = "\n".join(node.text() for node in nodes)
    return text.paragraph(written, element=nodes[0].path) or None if nodes else None


def _date(node: xml.Node) -> dt.date:
    return checks.xml_date(node.text(), element=node.path)


def _amount(node: xml.Node, path: str, currency: str) -> Money | None:
    found = _given(node, path)
    return _money(found, currency) if found else None


def _money(node: xml.Node, currency: str) -> Money:
    """An amount in the document's currency: every amount says its own, and one that differs is refused."""
    own = node.element.get("currencyID")
    if own != currency:
        said = f"in {text.quoted(own)}" if own else "without a currency"
        detail = f"The amount is {said}, the document in {currency}."
        raise BillRefused("currency-refused", detail, element=f"{node.path}/@currencyID")
    return checks.xml_amount(node.text(), currency, element=node.path)
