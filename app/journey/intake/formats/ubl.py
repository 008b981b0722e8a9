"""UBL 2.1 Invoice and CreditNote: EN 16931, Peppol BIS, XRechnung, PINT, EHF payment request and reminder.

The paths are those of the official mapping (EN 16931-3-2), each from the root and each step by name. Elements
that we do not read may stand anywhere: conformance is the schema's matter. What we read is a matter of money:
there an element too many or too few refuses the bill.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from lxml import etree

from app.journey.intake.bill import Bill, BillKind, BillRefused, EarlyPayment, LateFee, Line, Means, Payee, Seller
from app.journey.intake.formats import accounts, checks, codes, early_payment, fields, late_fee, text, xml
from app.journey.intake.formats.fields import given, maybe_exact, maybe_line, plain, required, several
from app.journey.intake.means import CREDIT_TRANSFERS
from connectors.money import Money

_UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
_PREFIXES = xml.Names({"cac": f"{_UBL}CommonAggregateComponents-2", "cbc": f"{_UBL}CommonBasicComponents-2"})
ROOTS = {
    f"{{{_UBL}Invoice-2}}Invoice": BillKind.INVOICE,
    f"{{{_UBL}CreditNote-2}}CreditNote": BillKind.CREDIT_NOTE,
}

_SELLER = "cac:AccountingSupplierParty/cac:Party"
_BUYER = "cac:AccountingCustomerParty/cac:Party"
_LEGAL_NAME = "cac:PartyLegalEntity/cbc:RegistrationName"
_PARTY_NAME = "cac:PartyName/cbc:Name"
_TOTALS = "cac:LegalMonetaryTotal"
_ACCOUNT = "cac:PayeeFinancialAccount"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Names:
    """What an Invoice and a CreditNote call differently."""

    line: str
    quantity: str
    type_code: str


_NAMES = {
    BillKind.INVOICE: _Names(line="cac:InvoiceLine", quantity="cbc:InvoicedQuantity", type_code="cbc:InvoiceTypeCode"),
    BillKind.CREDIT_NOTE: _Names(
        line="cac:CreditNoteLine", quantity="cbc:CreditedQuantity", type_code="cbc:CreditNoteTypeCode"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Means:
    """One cac:PaymentMeans (BG-16)."""

    node: xml.Node
    code: str  #: BT-81, empty where absent
    account: xml.Node | None  #: BT-84

    @property
    def branch(self) -> str:
        """BT-86"""
        return plain(self.node, f"{_ACCOUNT}/cac:FinancialInstitutionBranch/cbc:ID")


def read(content: bytes) -> Bill:
    """The bill in a UBL 2.1 document, or BillRefused."""
    root = xml.parse(content)
    if root.tag not in ROOTS:
        raise xml.not_a_bill(root)
    return read_tree(root)


def read_tree(root: etree._Element) -> Bill:
    """The bill in an element of ROOTS."""
    return _bill(xml.Node(root, "/" + etree.QName(root).localname, _PREFIXES), ROOTS[root.tag])


def _bill(root: xml.Node, root_kind: BillKind) -> Bill:
    currency = fields.currency(required(root, "cbc:DocumentCurrencyCode"))
    issued_on = fields.date(required(root, "cbc:IssueDate"))
    type_code = maybe_exact(root, _NAMES[root_kind].type_code)
    # an Invoice with a credit type code is a credit: whatever its root says, it must not be paid
    kind = BillKind.CREDIT_NOTE if type_code in codes.CREDITS else root_kind
    totals = _totals(fields.part(root, _TOTALS), _third_party_payments(root, currency), currency)
    party = fields.part(root, _SELLER)
    seller = _seller(party)
    buyer = fields.part(root, _BUYER)
    means = _all_means(root)
    chosen = _chosen(means)
    payee_name = maybe_line(root, f"cac:PayeeParty/{_PARTY_NAME}")
    endpoint = given(buyer, "cbc:EndpointID")
    terms = several(root, "cac:PaymentTerms")
    notes = [note for each in terms for note in several(each, "cbc:Note")]
    due = _due(root, means, chosen)
    own_due = root.maybe("cbc:DueDate")
    return Bill(
        kind=kind,
        number=fields.exact(required(root, "cbc:ID"), text.NUMBER_MAX),
        issued_on=issued_on,
        due_on=due,
        due_dates=(due,) if due else (),
        due_on_of_means=due is not None and root_kind is BillKind.INVOICE and (own_due is None or not own_due.text()),
        payable=totals.payable,
        total=totals.total,
        prepaid=totals.prepaid,
        rounding=totals.rounding,
        type_code=type_code,
        tax_currency=maybe_exact(root, "cbc:TaxCurrencyCode"),
        to=fields.exact(endpoint, text.ADDRESS_MAX) if endpoint else None,
        to_scheme=endpoint.element.get("schemeID") if endpoint else None,
        seller=seller,
        buyer_name=fields.first_line(buyer, _LEGAL_NAME, _PARTY_NAME),
        buyer_id=_buyer_id(buyer),
        buyer_reference=maybe_exact(root, "cbc:BuyerReference"),
        payee_name=payee_name,
        payee=_payee(chosen, payee_name, seller, currency),
        means=tuple(_shown(each) for each in means),
        creditor_id=_creditor_id(party, root.maybe("cac:PayeeParty")),
        remittance_reference=_reference(means, chosen),
        early_payments=_early_payments(terms, chosen, issued_on, totals) if kind is BillKind.INVOICE else (),
        late_fee=_late_fee(terms, chosen, issued_on, due, totals.payable) if kind is BillKind.INVOICE else None,
        terms=fields.paragraphs(notes),
        order_reference=maybe_exact(root, "cac:OrderReference/cbc:ID"),
        preceding_numbers=_preceding_numbers(root),
        lines=_lines(root, root_kind, currency),
        note=fields.paragraphs(several(root, "cbc:Note")),
        specification=maybe_exact(root, "cbc:CustomizationID", text.DESCRIPTION_MAX),
        doubts=fields.hidden(party.maybe(_LEGAL_NAME), party.maybe(_PARTY_NAME)),
    )


# --- what the bill is about


@dataclass(frozen=True, slots=True, kw_only=True)
class _Totals:
    """BG-22"""

    payable: Money
    total: Money | None
    prepaid: Money | None
    rounding: Money | None


def _totals(node: xml.Node, third_party: Money, currency: str) -> _Totals:
    """BT-115, checked against BT-112, 113 and 114 (BR-CO-16). An EHF payment request has no total."""
    found = _Totals(
        payable=_money(required(node, "cbc:PayableAmount"), currency),
        total=_amount(node, "cbc:TaxInclusiveAmount", currency),
        prepaid=_amount(node, "cbc:PrepaidAmount", currency),
        rounding=_amount(node, "cbc:PayableRoundingAmount", currency),
    )
    if found.total is not None:
        fields.adds_up(
            node, "cbc:PayableAmount", found.payable, found.total, found.prepaid, found.rounding, more=third_party
        )
    return found


def _third_party_payments(root: xml.Node, currency: str) -> Money:
    """BG-DEX-09 of the XRechnung extension, added to what is due (BR-DEX-09). Elsewhere it is a remark."""
    due = Money(0, currency)
    if not plain(root, "cbc:CustomizationID").endswith(codes.XRECHNUNG_EXTENSION):
        return due
    for payment in several(root, "cac:PrepaidPayment"):
        due = due + (_amount(payment, "cbc:PaidAmount", currency) or Money(0, currency))
    return due


def _due(root: xml.Node, means: tuple[_Means, ...], chosen: _Means | None) -> dt.date | None:
    """BT-9. A CreditNote has it in its payment means, and so have old Dutch and Danish invoices."""
    own = given(root, "cbc:DueDate")
    if own is not None:
        return fields.date(own)
    candidates = ([chosen] if chosen else []) + list(means)
    nodes = (given(each.node, "cbc:PaymentDueDate") for each in candidates)
    first = next((each for each in nodes if each is not None), None)
    return fields.date(first) if first else None


def _early_payments(
    terms: list[xml.Node], chosen: _Means | None, issued_on: dt.date, totals: _Totals
) -> tuple[EarlyPayment, ...]:
    """Nothing where some terms are about a part: the discount of an instalment is none of the bill."""
    tiers: list[early_payment.Tier] = []
    for each in terms:
        stated = _tiers(each, issued_on, totals.payable.currency)
        if stated is None or (stated and _has_conditions(each, chosen, issued_on)):
            return ()
        tiers += stated
    if tiers and (_instalments(terms) or any(_is_part(each, totals.payable) for each in terms)):
        return ()
    return early_payment.offers(tiers, payable=totals.payable, total=totals.total)


def _instalments(terms: list[xml.Node]) -> bool:
    """Whether they name several days of instalments, whose amounts they may leave out."""
    days = (given(each, "cbc:InstallmentDueDate") for each in terms)
    return len({fields.date(each) for each in days if each is not None}) > 1


def _is_part(terms: xml.Node, payable: Money) -> bool:
    """Whether they say that they are about another amount than all that is due."""
    percent, amount = given(terms, "cbc:PaymentPercent"), given(terms, "cbc:Amount")
    if percent is not None and early_payment.percent(percent.text(), element=percent.path) != early_payment.WHOLE:
        return True
    return amount is not None and _money(amount, payable.currency) != payable


def _has_conditions(terms: xml.Node, chosen: _Means | None, issued_on: dt.date) -> bool:
    """Whether their discount hangs on more than its last day: on another means, on an event, on a day to wait for."""
    means = [each.text() for each in several(terms, "cbc:PaymentMeansID")]
    if means and (chosen is None or plain(chosen.node, "cbc:ID") not in means):
        return True
    if given(terms, "cbc:ReferenceEventCode") is not None or terms.maybe("cac:ValidityPeriod") is not None:
        return True
    start = given(terms, "cac:SettlementPeriod/cbc:StartDate")
    return start is not None and fields.date(start) > issued_on


def _tiers(terms: xml.Node, issued_on: dt.date, currency: str) -> list[early_payment.Tier] | None:
    """The discounts that these terms name; None where one of them leaves something to guess."""
    found = _settlement_discount(terms, currency)
    for note in several(terms, "cbc:Note"):
        # The text as it came: the rule wants a line break after the last entry, too.
        skonto = early_payment.skonto_tiers(note.raw_text(), issued_on=issued_on)
        if found is None or skonto is None:
            return None
        found += skonto
    return found


def _settlement_discount(terms: xml.Node, currency: str) -> list[early_payment.Tier] | None:
    """None where a discount is named whose last day is not."""
    percent, amount = given(terms, "cbc:SettlementDiscountPercent"), given(terms, "cbc:SettlementDiscountAmount")
    if percent is None and amount is None:
        return []
    until = given(terms, "cac:SettlementPeriod/cbc:EndDate")
    if until is None:
        return None
    tier = early_payment.Tier(
        until=fields.date(until),
        percent=early_payment.percent(percent.text(), element=percent.path) if percent else None,
        amount=_money(amount, currency) if amount else None,
    )
    return [] if tier.percent == 0 and tier.amount is None else [tier]


@late_fee.unless_refused
def _late_fee(
    terms: list[xml.Node], chosen: _Means | None, issued_on: dt.date, due_on: dt.date | None, payable: Money
) -> LateFee | None:
    """A fixed amount for paying late, of all that is due. Two of them, or a percentage, and nobody could say which."""
    with_fee = [each for each in terms if given(each, "cbc:PenaltyAmount") or _has_rate(each)]
    if len(with_fee) != 1 or _has_rate(with_fee[0]) or _has_conditions(with_fee[0], chosen, issued_on):
        return None
    if _instalments(terms) or any(_is_part(each, payable) for each in terms):
        return None
    amount = _money(required(with_fee[0], "cbc:PenaltyAmount"), payable.currency)
    starts_on = _late_from(with_fee[0], due_on)
    return late_fee.named(amount, starts_on, issued_on=issued_on, due_on=due_on)


def _has_rate(terms: xml.Node) -> bool:
    percent = given(terms, "cbc:PenaltySurchargePercent")
    return percent is not None and early_payment.percent(percent.text(), element=percent.path) != 0


def _late_from(terms: xml.Node, due_on: dt.date | None) -> dt.date | None:
    """The first day of its penalty period, which must have no end; without one the day after the due day, if these
    terms name no other day."""
    period = terms.maybe("cac:PenaltyPeriod")
    if period is not None:
        start = given(period, "cbc:StartDate")
        is_open = given(period, "cbc:EndDate") is None and given(period, "cbc:DurationMeasure") is None
        return fields.date(start) if start is not None and is_open else None
    named = (given(terms, "cbc:PaymentDueDate"), given(terms, "cac:SettlementPeriod/cbc:EndDate"))
    if any(fields.date(each) != due_on for each in named if each is not None):
        return None
    return late_fee.day_after(due_on)


def _preceding_numbers(root: xml.Node) -> tuple[str, ...]:
    """BT-25, once each."""
    references = several(root, "cac:BillingReference")
    return fields.distinct((given(each, "cac:InvoiceDocumentReference/cbc:ID") for each in references), text.NUMBER_MAX)


def _lines(root: xml.Node, root_kind: BillKind, currency: str) -> tuple[Line, ...]:
    names = _NAMES[root_kind]
    return tuple(_line(node, names.quantity, currency) for node in several(root, names.line, most=codes.LINES_MAX))


def _line(node: xml.Node, quantity: str, currency: str) -> Line:
    """BG-25. Where the item has no name, its description; where it has neither, the line's number."""
    paths = ("cac:Item/cbc:Name", "cac:Item/cbc:Description", "cbc:ID")
    description = fields.first_line(node, *paths, limit=text.DESCRIPTION_MAX)
    if description is None:
        raise fields.missing(node, paths[0])
    return Line(
        description=description,
        quantity=codes.quantity(given(node, quantity)),
        amount=_amount(node, "cbc:LineExtensionAmount", currency),
        vat_rate=codes.vat_rate(
            [
                (plain(each, "cbc:ID"), plain(each, "cbc:Percent"))
                for each in node.all("cac:Item/cac:ClassifiedTaxCategory")
            ]
        ),
    )


# --- who sends it, and where the money goes


def _seller(party: xml.Node) -> Seller:
    """BG-4. An EHF payment request has no legal name (BT-27), only the party's name."""
    legal_name = maybe_line(party, _LEGAL_NAME)
    party_name = maybe_line(party, _PARTY_NAME)
    if legal_name is None and party_name is None:
        raise fields.missing(party, _LEGAL_NAME)
    endpoint = given(party, "cbc:EndpointID")
    return Seller(
        legal_name=legal_name,
        trading_name=party_name,
        vat_id=_vat_id(party),
        legal_id=maybe_exact(party, "cac:PartyLegalEntity/cbc:CompanyID"),
        country=fields.country(given(party, "cac:PostalAddress/cac:Country/cbc:IdentificationCode")),
        endpoint=fields.exact(endpoint, text.ADDRESS_MAX) if endpoint else None,
        endpoint_scheme=endpoint.element.get("schemeID") if endpoint else None,
    )


def _buyer_id(party: xml.Node) -> str | None:
    """BT-46, the first one."""
    identifications = several(party, "cac:PartyIdentification")
    return maybe_exact(identifications[0], "cbc:ID") if identifications else None


def _vat_id(party: xml.Node) -> str | None:
    """BT-31: of the tax registrations the one for VAT; the others (BT-32, GST) are none."""
    registrations = several(party, "cac:PartyTaxScheme")
    vat = [each for each in registrations if plain(each, "cac:TaxScheme/cbc:ID") == "VAT"]
    if len(vat) > 1:
        raise BillRefused("element-doubled", "The seller has two VAT numbers. Send one.", element=vat[1].path)
    return maybe_exact(vat[0], "cbc:CompanyID") if vat else None


def _all_means(root: xml.Node) -> tuple[_Means, ...]:
    return tuple(
        _Means(node=node, code=plain(node, "cbc:PaymentMeansCode"), account=given(node, f"{_ACCOUNT}/cbc:ID"))
        for node in several(root, "cac:PaymentMeans")
    )


def _chosen(means: tuple[_Means, ...]) -> _Means | None:
    """The first credit transfer to a valid IBAN, else the first one with any account."""
    transfers = [each for each in means if each.account and each.code in CREDIT_TRANSFERS]
    with_iban = (each for each in transfers if each.account and checks.valid_iban(each.account.text()))
    return next(with_iban, None) or next(iter(transfers), None)


def _shown(means: _Means) -> Means:
    """What the customer may see of it. Of the mandate and the account nothing is checked: nobody pays by them."""
    node = means.node
    return Means(
        code=text.printable(means.code, limit=text.QUOTE_MAX),
        account=text.shown(means.account.text(), limit=text.ACCOUNT_MAX) if means.account else None,
        branch=text.shown(means.branch, limit=text.ACCOUNT_MAX) if means.account else None,
        reference=text.shown(plain(node, "cbc:PaymentID"), limit=text.REFERENCE_MAX),
        mandate=text.shown(plain(node, "cac:PaymentMandate/cbc:ID"), limit=text.ID_MAX),
    )


def _payee(chosen: _Means | None, payee_name: str | None, seller: Seller, currency: str) -> Payee | None:
    """BG-17 of the chosen means; None where no credit transfer has an account."""
    if chosen is None or chosen.account is None:
        return None
    name = maybe_line(chosen.node, f"{_ACCOUNT}/cbc:Name") or payee_name or seller.name
    where = accounts.Where(currency=currency, country=seller.country, means_code=chosen.code)
    return accounts.payee(name, fields.account(chosen.account), chosen.branch, where)


def _creditor_id(*parties: xml.Node | None) -> str | None:
    """BT-90: the identifier of the seller or the payee that says it is one of SEPA."""
    identifications = [each for party in parties if party for each in several(party, "cac:PartyIdentification")]
    ids = (given(each, "cbc:ID") for each in identifications)
    found = (each.text() for each in ids if each and each.element.get("schemeID") == "SEPA")
    return text.shown(next(found, ""), limit=text.ID_MAX)


def _reference(means: tuple[_Means, ...], chosen: _Means | None) -> str | None:
    """BT-83 of the chosen means, else the first one given: some files state it beside another means."""
    candidates = ([chosen] if chosen else []) + list(means)
    nodes = (given(each.node, "cbc:PaymentID") for each in candidates)
    return fields.reference(next((node for node in nodes if node), None))


# --- amounts


def _amount(node: xml.Node, path: str, currency: str) -> Money | None:
    found = given(node, path)
    return _money(found, currency) if found else None


def _money(node: xml.Node, currency: str) -> Money:
    """An amount in the document's currency: every amount says its own, and one that differs is refused."""
    own = node.element.get("currencyID")
    if own != currency:
        said = f"in {text.quoted(own)}" if own else "without a currency"
        detail = f"The amount is {said}, the document in {currency}."
        raise BillRefused("currency-refused", detail, element=f"{node.path}/@currencyID")
    return fields.amount(node, currency)
