"""Bills of our own making, as bytes, from keyword arguments. Without it every test would carry its own UBL.

The defaults are one honest bill of the water company "Eaux du Lac". ``extra_…`` arguments are raw XML put
where their name says, for the odd and the hostile; everything else is escaped.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from pypdf import PdfWriter
from pypdf.generic import ContentStream, DictionaryObject, NameObject

TO = "k3v9q2m7x4ta@bills.example"
NUMBER = "2026-00417"
SELLER_NAME = "Eaux du Lac SA"
SELLER_VAT = "FR83404833048"
IBAN = "FR1420041010050500013M02606"
REFERENCE = "RF18539007547034"

_UBL = "urn:oasis:names:specification:ubl:schema:xsd:"


def ubl_bill(
    *,
    root: str = "Invoice",
    number: str | None = NUMBER,
    issued_on: str = "2026-11-01",
    due_on: str | None = "2026-12-01",
    type_code: str | None = None,
    currency: str = "EUR",
    amount: str = "84.20",
    amount_currency: str | None = None,
    total: str | None = None,
    prepaid: str | None = None,
    rounding: str | None = None,
    to: str | None = TO,
    buyer_name: str | None = "Jana Nováková",
    seller_name: str | None = SELLER_NAME,
    seller_trading_name: str | None = None,
    seller_vat: str | None = SELLER_VAT,
    seller_legal_id: str | None = "404833048",
    seller_country: str | None = "FR",
    payee_name: str | None = None,
    iban: str | None = IBAN,
    account_name: str | None = None,
    bic: str | None = None,
    means_code: str | None = "58",
    reference: str | None = REFERENCE,
    means: str | None = None,
    terms: str | None = None,
    extra_terms: str = "",
    order_reference: str | None = None,
    preceding_numbers: Sequence[str] = (),
    note: str | None = None,
    lines: Sequence[tuple[str, str, str, str]] = (("Eau potable", "21", "MTQ", "79.81"),),
    extra: str = "",
    extra_totals: str = "",
    prolog: str = '<?xml version="1.0" encoding="UTF-8"?>\n',
    encoding: str = "utf-8",
) -> bytes:
    """A UBL 2.1 Invoice or CreditNote (``root``). None leaves an element out; ``means`` is raw XML for ours.

    ``lines`` are (name, quantity, unit code, net amount). ``total`` is the amount unless given; "" for none.
    """
    is_invoice = root == "Invoice"
    due = _element("cbc:DueDate", due_on) if is_invoice else ""
    due_in_means = "" if is_invoice else _element("cbc:PaymentDueDate", due_on)
    if means is None:
        means = ubl_means(
            code=means_code,
            iban=iban,
            reference=reference,
            account_name=account_name,
            bic=bic,
            extra=due_in_means,
        )
    money = {"currency": currency}
    document = (
        f'{prolog}<{root} xmlns="{_UBL}{root}-2" xmlns:cac="{_UBL}CommonAggregateComponents-2"'
        f' xmlns:cbc="{_UBL}CommonBasicComponents-2">'
        + _element("cbc:ID", number)
        + _element("cbc:IssueDate", issued_on)
        + due
        + _element(f"cbc:{root}TypeCode", type_code or ("380" if is_invoice else "381"))
        + _element("cbc:Note", note)
        + _element("cbc:DocumentCurrencyCode", currency)
        + _wrapped("cac:OrderReference", _element("cbc:ID", order_reference))
        + "".join(
            _wrapped("cac:BillingReference/cac:InvoiceDocumentReference", _element("cbc:ID", each))
            for each in preceding_numbers
        )
        + _seller(seller_name, seller_trading_name, seller_vat, seller_legal_id, seller_country)
        + _buyer(to, buyer_name)
        + _wrapped("cac:PayeeParty/cac:PartyName", _element("cbc:Name", payee_name))
        + means
        + _wrapped("cac:PaymentTerms", _element("cbc:Note", terms) + extra_terms)
        + _wrapped(
            "cac:LegalMonetaryTotal",
            _element("cbc:TaxInclusiveAmount", amount if total is None else total or None, **money)
            + _element("cbc:PrepaidAmount", prepaid, **money)
            + _element("cbc:PayableRoundingAmount", rounding, **money)
            + _element("cbc:PayableAmount", amount, currency=amount_currency or currency)
            + extra_totals,
        )
        + "".join(_line(root, index, line, currency) for index, line in enumerate(lines, start=1))
        + f"{extra}</{root}>"
    )
    return document.encode(encoding)


def ubl_means(
    *,
    code: str | None = "58",
    iban: str | None = IBAN,
    reference: str | None = REFERENCE,
    account_name: str | None = None,
    bic: str | None = None,
    extra: str = "",
) -> str:
    """One cac:PaymentMeans as raw XML; ``iban`` may be any account."""
    branch = _wrapped("cac:FinancialInstitutionBranch", _element("cbc:ID", bic))
    account = _element("cbc:ID", iban) + _element("cbc:Name", account_name) + branch
    return _wrapped(
        "cac:PaymentMeans",
        _element("cbc:PaymentMeansCode", code)
        + extra
        + _element("cbc:PaymentID", reference)
        + _wrapped("cac:PayeeFinancialAccount", account),
    )


_CII = "urn:un:unece:uncefact:data:standard:"


def cii_bill(
    *,
    number: str = NUMBER,
    type_code: str = "380",
    issued_on: str = "20261101",
    currency: str = "EUR",
    amount: str = "84.20",
    total: str | None = None,
    prepaid: str | None = None,
    to: str | None = TO,
    seller_name: str | None = SELLER_NAME,
    iban: str | None = IBAN,
    means_code: str = "58",
    reference: str | None = REFERENCE,
    means: str | None = None,
    terms: str | None = None,
    due_on: str = "20261201",
    preceding_numbers: Sequence[str] = (),
    extra_document: str = "",
    extra_seller: str = "",
    extra_totals: str = "",
) -> bytes:
    """A Cross Industry Invoice. None leaves an element out; ``means`` and ``terms`` are raw XML for ours."""
    if means is None:
        account = _wrapped("ram:PayeePartyCreditorFinancialAccount", _element("ram:IBANID", iban))
        means = _wrapped("ram:SpecifiedTradeSettlementPaymentMeans", _element("ram:TypeCode", means_code) + account)
    if terms is None:
        terms = cii_terms(due_on=due_on)
    guideline = "ram:GuidelineSpecifiedDocumentContextParameter"
    endpoint = "" if to is None else f'<ram:URIID schemeID="EM">{to}</ram:URIID>'
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<rsm:CrossIndustryInvoice xmlns:rsm="{_CII}CrossIndustryInvoice:100"'
        f' xmlns:ram="{_CII}ReusableAggregateBusinessInformationEntity:100"'
        f' xmlns:udt="{_CII}UnqualifiedDataType:100">'
        + _wrapped(f"rsm:ExchangedDocumentContext/{guideline}", _element("ram:ID", "urn:cen.eu:en16931:2017"))
        + _wrapped(
            "rsm:ExchangedDocument",
            _element("ram:ID", number)
            + _element("ram:TypeCode", type_code)
            + _wrapped("ram:IssueDateTime", _cii_day(issued_on))
            + extra_document,
        )
        + "<rsm:SupplyChainTradeTransaction>"
        + _wrapped(
            "ram:ApplicableHeaderTradeAgreement",
            _wrapped(
                "ram:SellerTradeParty",
                _element("ram:Name", seller_name)
                + "<ram:PostalTradeAddress><ram:CountryID>FR</ram:CountryID></ram:PostalTradeAddress>"
                + extra_seller
                + f'<ram:SpecifiedTaxRegistration><ram:ID schemeID="VA">{SELLER_VAT}</ram:ID>'
                "</ram:SpecifiedTaxRegistration>",
            )
            + _wrapped(
                "ram:BuyerTradeParty",
                _element("ram:Name", "Jana Nováková") + _wrapped("ram:URIUniversalCommunication", endpoint),
            ),
        )
        + "<ram:ApplicableHeaderTradeDelivery/>"
        + _wrapped(
            "ram:ApplicableHeaderTradeSettlement",
            _element("ram:PaymentReference", reference)
            + _element("ram:InvoiceCurrencyCode", currency)
            + means
            + terms
            + _wrapped(
                "ram:SpecifiedTradeSettlementHeaderMonetarySummation",
                _element("ram:GrandTotalAmount", amount if total is None else total)
                + _element("ram:TotalPrepaidAmount", prepaid)
                + _element("ram:DuePayableAmount", amount)
                + extra_totals,
            )
            + "".join(
                _wrapped("ram:InvoiceReferencedDocument", _element("ram:IssuerAssignedID", each))
                for each in preceding_numbers
            ),
        )
        + "</rsm:SupplyChainTradeTransaction></rsm:CrossIndustryInvoice>"
    ).encode()


def cii_terms(*, due_on: str | None = None, text: str | None = None, discount: str = "", penalty: str = "") -> str:
    """One ram:SpecifiedTradePaymentTerms as raw XML; ``discount`` and ``penalty`` are what such terms of it hold."""
    return _wrapped(
        "ram:SpecifiedTradePaymentTerms",
        _element("ram:Description", text)
        + _wrapped("ram:DueDateDateTime", _cii_day(due_on) if due_on else "")
        + _wrapped("ram:ApplicableTradePaymentPenaltyTerms", penalty)
        + _wrapped("ram:ApplicableTradePaymentDiscountTerms", discount),
    )


def pdf_bill(*files: tuple[str, bytes], page: str = "") -> bytes:
    """A PDF with these files embedded; ``page`` is what its one page says, in ASCII."""
    writer = PdfWriter()
    sheet = writer.add_blank_page(width=595, height=842)
    if page:
        font = DictionaryObject(
            {NameObject(name): NameObject(value) for name, value in (("/Type", "/Font"), ("/Subtype", "/Type1"))}
        )
        font[NameObject("/BaseFont")] = NameObject("/Helvetica")
        fonts = DictionaryObject({NameObject("/F1"): font})
        sheet[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        drawn = ContentStream(None, writer)
        drawn.set_data(f"BT /F1 12 Tf 60 780 Td ({page}) Tj ET".encode("ascii"))
        sheet.replace_contents(drawn)
    for name, content in files:
        writer.add_attachment(name, content)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def json_bill(**changes: Any) -> bytes:
    """A bill in our own JSON. A field that is None is left out; ``payee`` is merged into the default
    one, and its fields likewise."""
    return json.dumps(json_fields(**changes), ensure_ascii=False).encode()


def json_fields(**changes: Any) -> dict[str, Any]:
    """The same before it becomes bytes."""
    changed: Mapping[str, Any] | None = changes.pop("payee", {})
    payee = None
    if changed is not None:
        merged = {"name": SELLER_NAME, "iban": IBAN, **changed}
        payee = {name: value for name, value in merged.items() if value is not None}
    fields: dict[str, Any] = {
        "to": TO,
        "number": NUMBER,
        "issued_on": "2026-11-01",
        "due_on": "2026-12-01",
        "currency": "EUR",
        "amount": "84.20",
        "payee": payee,
        "reference": REFERENCE,
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _seller(
    name: str | None, trading_name: str | None, vat: str | None, legal_id: str | None, country: str | None
) -> str:
    tax = _element("cbc:CompanyID", vat)
    return _wrapped(
        "cac:AccountingSupplierParty/cac:Party",
        _wrapped("cac:PartyName", _element("cbc:Name", trading_name))
        + _wrapped("cac:PostalAddress/cac:Country", _element("cbc:IdentificationCode", country))
        + (tax and _wrapped("cac:PartyTaxScheme", f"{tax}<cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme>"))
        + _wrapped(
            "cac:PartyLegalEntity",
            _element("cbc:RegistrationName", name) + _element("cbc:CompanyID", legal_id),
        ),
    )


def _buyer(to: str | None, name: str | None) -> str:
    return _wrapped(
        "cac:AccountingCustomerParty/cac:Party",
        _element("cbc:EndpointID", to) + _wrapped("cac:PartyLegalEntity", _element("cbc:RegistrationName", name)),
    )


def _line(root: str, index: int, line: tuple[str, str, str, str], currency: str) -> str:
    name, quantity, unit, amount = line
    of = {"Invoice": "cbc:InvoicedQuantity", "CreditNote": "cbc:CreditedQuantity"}[root]
    return _wrapped(
        f"cac:{root}Line",
        _element("cbc:ID", str(index))
        + f"<{of} unitCode={quoteattr(unit)}>{escape(quantity)}</{of}>"
        + _element("cbc:LineExtensionAmount", amount, currency=currency)
        + _wrapped("cac:Item", _element("cbc:Name", name)),
    )


def _cii_day(written: str) -> str:
    return f'<udt:DateTimeString format="102">{written}</udt:DateTimeString>'


def _element(name: str, value: str | None, *, currency: str | None = None) -> str:
    if value is None:
        return ""
    attribute = "" if currency is None else f" currencyID={quoteattr(currency)}"
    return f"<{name}{attribute}>{escape(value)}</{name}>"


def _wrapped(path: str, inner: str) -> str:
    """``inner`` in the elements of a path; nothing around nothing."""
    if not inner:
        return ""
    steps = path.split("/")
    return "".join(f"<{step}>" for step in steps) + inner + "".join(f"</{step}>" for step in reversed(steps))
