"""UN/CEFACT Cross Industry Invoice (D16B and later): EN 16931, XRechnung, Factur-X and ZUGFeRD 2, all profiles.

The paths are those of the official mapping (EN 16931-3-3). EXTENDED repeats what EN 16931 has once: payment terms, each
with a due date or a discount, and accounts. What is due when is then a matter of rules, which stand in ``_Terms``.
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

_STANDARD = "urn:un:unece:uncefact:data:standard:"
NAMES = xml.Names(
    {
        "rsm": f"{_STANDARD}CrossIndustryInvoice:100",
        "ram": f"{_STANDARD}ReusableAggregateBusinessInformationEntity:100",
        "udt": f"{_STANDARD}UnqualifiedDataType:100",
    }
)
ROOT = f"{{{_STANDARD}CrossIndustryInvoice:100}}CrossIndustryInvoice"
#: the root of ZUGFeRD 1, whose elements have other names
LEGACY_ROOT = "{urn:ferd:CrossIndustryDocument:invoice:1p0}CrossIndustryDocument"

_TRADE = "rsm:SupplyChainTradeTransaction"
_TOTALS = "ram:SpecifiedTradeSettlementHeaderMonetarySummation"
_DAY = "udt:DateTimeString"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """The three parts of the trade that a bill is about, and what is said before them."""

    root: xml.Node
    document: xml.Node
    agreement: xml.Node
    settlement: xml.Node
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Means:
    """One ram:SpecifiedTradeSettlementPaymentMeans (BG-16)."""

    node: xml.Node
    code: str  #: BT-81
    account: xml.Node | None  #: BT-84: an IBANID, else a ProprietaryID
    branch: str  #: BT-86


def read_tree(root: etree._Element) -> Bill:
    """The bill in an element ROOT."""
    node = xml.Node(root, "/rsm:CrossIndustryInvoice", NAMES)
    document = _part(node, "rsm:ExchangedDocument")
    agreement = _part(node, f"{_TRADE}/ram:ApplicableHeaderTradeAgreement")
    settlement = _part(node, f"{_TRADE}/ram:ApplicableHeaderTradeSettlement")
    currency = fields.currency(required(settlement, "ram:InvoiceCurrencyCode"))
    return _bill(_Parts(root=node, document=document, agreement=agreement, settlement=settlement, currency=currency))


def _part(node: xml.Node, path: str) -> xml.Node:
    found = node.maybe(path)
    if found is None:
        raise fields.missing(node, path)
    return found


def _bill(parts: _Parts) -> Bill:
    agreement, settlement = parts.agreement, parts.settlement
    issued_on = fields.compact_date(required(parts.document, f"ram:IssueDateTime/{_DAY}"))
    type_code = maybe_exact(parts.document, "ram:TypeCode")
    kind = BillKind.CREDIT_NOTE if type_code in codes.CREDITS else BillKind.INVOICE
    totals = _totals(parts)
    seller = _seller(agreement)
    means = _all_means(settlement)
    terms = [_Terms(node) for node in several(settlement, "ram:SpecifiedTradePaymentTerms")]
    payee_name = maybe_line(settlement, "ram:PayeeTradeParty/ram:Name")
    to, to_scheme = _endpoint(agreement, "ram:BuyerTradeParty")
    return Bill(
        kind=kind,
        number=fields.exact(required(parts.document, "ram:ID"), text.NUMBER_MAX),
        issued_on=issued_on,
        due_on=_due_on(terms),
        due_dates=tuple(each.due_on for each in terms if each.due_on),
        payable=totals.payable,
        total=totals.total,
        prepaid=totals.prepaid,
        rounding=totals.rounding,
        type_code=type_code,
        tax_currency=maybe_exact(settlement, "ram:TaxCurrencyCode"),
        to=to,
        to_scheme=to_scheme,
        seller=seller,
        buyer_name=maybe_line(agreement, "ram:BuyerTradeParty/ram:Name"),
        buyer_id=_first_of(agreement, "ram:BuyerTradeParty/ram:ID", "ram:BuyerTradeParty/ram:GlobalID"),
        buyer_reference=maybe_exact(agreement, "ram:BuyerReference"),
        payee_name=payee_name,
        payee=_payee(_chosen(means), payee_name, seller, parts.currency),
        means=tuple(_shown(each, settlement) for each in means),
        creditor_id=text.shown(plain(settlement, "ram:CreditorReferenceID"), limit=text.ID_MAX),
        remittance_reference=fields.reference(given(settlement, "ram:PaymentReference")),
        early_payments=_early_payments(terms, issued_on, totals) if kind is BillKind.INVOICE else (),
        late_fee=_late_fee(terms, issued_on, totals.payable) if kind is BillKind.INVOICE else None,
        terms=fields.paragraphs(description for each in terms for description in each.descriptions),
        order_reference=maybe_exact(agreement, "ram:BuyerOrderReferencedDocument/ram:IssuerAssignedID"),
        preceding_numbers=_preceding_numbers(settlement),
        lines=_lines(parts),
        note=fields.paragraphs(
            content for note in several(parts.document, "ram:IncludedNote") for content in several(note, "ram:Content")
        ),
        specification=maybe_exact(
            parts.root,
            "rsm:ExchangedDocumentContext/ram:GuidelineSpecifiedDocumentContextParameter/ram:ID",
            text.DESCRIPTION_MAX,
        ),
        doubts=fields.hidden(agreement.maybe("ram:SellerTradeParty/ram:Name")),
    )


# --- amounts and days


@dataclass(frozen=True, slots=True, kw_only=True)
class _Totals:
    """BG-22"""

    payable: Money
    total: Money | None
    prepaid: Money | None
    rounding: Money | None


def _totals(parts: _Parts) -> _Totals:
    """BT-115, checked against BT-112, 113 and 114 (BR-CO-16)."""
    node = _part(parts.settlement, _TOTALS)
    found = _Totals(
        payable=_money(required(node, "ram:DuePayableAmount"), parts.currency),
        total=_amount(node, "ram:GrandTotalAmount", parts.currency),
        prepaid=_amount(node, "ram:TotalPrepaidAmount", parts.currency),
        rounding=_amount(node, "ram:RoundingAmount", parts.currency),
    )
    if found.total is not None:
        nothing = Money(0, parts.currency)
        fields.adds_up(
            node, "ram:DuePayableAmount", found.payable, found.total, found.prepaid, found.rounding, more=nothing
        )
    return found


def _amount(node: xml.Node, path: str, currency: str) -> Money | None:
    found = given(node, path)
    return _money(found, currency) if found else None


def _money(node: xml.Node, currency: str) -> Money:
    """An amount in the invoice's currency; one that names another is refused."""
    own = node.element.get("currencyID")
    if own is not None and own != currency:
        detail = f"The amount is in {text.quoted(own)}, the invoice in {currency}."
        raise BillRefused("currency-refused", detail, element=f"{node.path}/@currencyID")
    return fields.amount(node, currency)


# --- what is due when


class _Terms:
    """One ram:SpecifiedTradePaymentTerms (BT-9, BT-20, and what EXTENDED has of discounts and of penalties)."""

    def __init__(self, node: xml.Node) -> None:
        due = given(node, f"ram:DueDateDateTime/{_DAY}")
        self.due_on = fields.compact_date(due) if due else None
        self.descriptions = several(node, "ram:Description")
        self.discounts = several(node, "ram:ApplicableTradePaymentDiscountTerms")
        self.penalties = several(node, "ram:ApplicableTradePaymentPenaltyTerms")
        self.part = given(node, "ram:PartialPaymentAmount")
        self.payee = node.maybe("ram:PayeeTradeParty")

    def tiers(self, issued_on: dt.date, currency: str) -> list[early_payment.Tier] | None:
        """The discounts of these terms; None where one leaves something to guess, or is for another payee."""
        found = []
        for node in self.discounts:
            tier = self._tier(node, issued_on, currency)
            if tier is None:
                return None
            found.append(tier)
        for description in self.descriptions:
            # the text as it came: the rule wants a line break after the last entry, too
            skonto = early_payment.skonto_tiers(description.raw_text(), issued_on=issued_on)
            if skonto is None:
                return None
            found += skonto
        tiers = [tier for tier in found if tier.percent or tier.amount]
        return None if tiers and self.payee is not None else tiers

    def late_fee(self, penalty: xml.Node, issued_on: dt.date, due_on: dt.date | None, payable: Money) -> LateFee | None:
        """Of these penalty terms, where they are a fixed amount and nothing else: the days are those of a discount."""
        amount = given(penalty, "ram:ActualPenaltyAmount")
        of_rate = (given(penalty, "ram:CalculationPercent"), given(penalty, "ram:BasisAmount"))
        if amount is None or any(of_rate) or self.payee is not None:
            return None
        return late_fee.named(
            _money(amount, payable.currency),
            late_fee.day_after(self._until(penalty, issued_on)),
            issued_on=issued_on,
            due_on=due_on,
        )

    def is_part(self, payable: Money) -> bool:
        """Whether they say that they are about another amount than all that is due."""
        return self.part is not None and _money(self.part, payable.currency) != payable

    def _tier(self, node: xml.Node, issued_on: dt.date, currency: str) -> early_payment.Tier | None:
        """So many days after the base date, else after the issue; without days until the due date of these terms."""
        percent, amount = given(node, "ram:CalculationPercent"), given(node, "ram:ActualDiscountAmount")
        base, until = given(node, "ram:BasisAmount"), self._until(node, issued_on)
        if until is None or (percent is None and amount is None):
            return None
        return early_payment.Tier(
            until=until,
            percent=early_payment.percent(percent.text(), element=percent.path) if percent else None,
            base=_money(base, currency).decimal() if base else None,
            amount=_money(amount, currency) if amount else None,
        )

    def _until(self, node: xml.Node, issued_on: dt.date) -> dt.date | None:
        day = given(node, f"ram:BasisDateTime/{_DAY}")
        period = given(node, "ram:BasisPeriodMeasure")
        if period is None:
            return self.due_on if day is None else None
        if period.element.get("unitCode") != "DAY":
            return None
        return early_payment.after(fields.compact_date(day) if day else issued_on, period.text())


def _due_on(terms: list[_Terms]) -> dt.date | None:
    """BT-9, the net one: the latest of the terms without a discount, else the latest of all."""
    net = [each.due_on for each in terms if each.due_on and not each.discounts]
    return max(net or [each.due_on for each in terms if each.due_on], default=None)


def _early_payments(terms: list[_Terms], issued_on: dt.date, totals: _Totals) -> tuple[EarlyPayment, ...]:
    """Nothing where some terms are about a part: the discount of an instalment is none of the bill."""
    tiers: list[early_payment.Tier] = []
    for each in terms:
        found = each.tiers(issued_on, totals.payable.currency)
        if found is None:
            return ()
        tiers += found
    if tiers and any(each.is_part(totals.payable) for each in terms):
        return ()
    return early_payment.offers(tiers, payable=totals.payable, total=totals.total)


@late_fee.unless_refused
def _late_fee(terms: list[_Terms], issued_on: dt.date, payable: Money) -> LateFee | None:
    """Of all that is due. Of two nobody could say which."""
    found = [(each, penalty) for each in terms for penalty in each.penalties]
    if len(found) != 1 or any(each.is_part(payable) for each in terms):
        return None
    ((one, penalty),) = found
    return one.late_fee(penalty, issued_on, _due_on(terms), payable)


# --- who sends it, and where the money goes


def _seller(agreement: xml.Node) -> Seller:
    """BG-4"""
    party = _part(agreement, "ram:SellerTradeParty")
    endpoint, scheme = _endpoint(agreement, "ram:SellerTradeParty")
    legal_name = maybe_line(party, "ram:Name")
    trading_name = maybe_line(party, "ram:SpecifiedLegalOrganization/ram:TradingBusinessName")
    if legal_name is None and trading_name is None:
        raise fields.missing(party, "ram:Name")
    return Seller(
        legal_name=legal_name,
        trading_name=trading_name,
        vat_id=_vat_id(party),
        legal_id=maybe_exact(party, "ram:SpecifiedLegalOrganization/ram:ID"),
        country=fields.country(given(party, "ram:PostalTradeAddress/ram:CountryID")),
        endpoint=endpoint,
        endpoint_scheme=scheme,
    )


def _vat_id(party: xml.Node) -> str | None:
    """BT-31: of the tax registrations the one for VAT (VA); FC is the tax office's number (BT-32)."""
    found = [
        number
        for registration in several(party, "ram:SpecifiedTaxRegistration")
        for number in several(registration, "ram:ID")
        if number.element.get("schemeID") == "VA" and number.text()
    ]
    if len(found) > 1:
        raise BillRefused("element-doubled", "The seller has two VAT numbers. Send one.", element=found[1].path)
    return fields.exact(found[0], text.ID_MAX) if found else None


def _endpoint(agreement: xml.Node, party: str) -> tuple[str | None, str | None]:
    """BT-34 and BT-49 with their schemes."""
    found = given(agreement, f"{party}/ram:URIUniversalCommunication/ram:URIID")
    return (fields.exact(found, text.ADDRESS_MAX), found.element.get("schemeID")) if found else (None, None)


def _first_of(node: xml.Node, *paths: str) -> str | None:
    nodes = (each for path in paths for each in several(node, path) if each.text())
    first = next(nodes, None)
    return fields.exact(first, text.ID_MAX) if first else None


def _all_means(settlement: xml.Node) -> tuple[_Means, ...]:
    return tuple(_one_means(node) for node in several(settlement, "ram:SpecifiedTradeSettlementPaymentMeans"))


def _one_means(node: xml.Node) -> _Means:
    account = "ram:PayeePartyCreditorFinancialAccount"
    return _Means(
        node=node,
        code=plain(node, "ram:TypeCode"),
        account=given(node, f"{account}/ram:IBANID") or given(node, f"{account}/ram:ProprietaryID"),
        branch=plain(node, "ram:PayeeSpecifiedCreditorFinancialInstitution/ram:BICID"),
    )


def _chosen(means: tuple[_Means, ...]) -> _Means | None:
    """The first credit transfer to a valid IBAN, else the first one with any account."""
    transfers = [each for each in means if each.account and each.code in CREDIT_TRANSFERS]
    with_iban = (each for each in transfers if each.account and checks.valid_iban(each.account.text()))
    return next(with_iban, None) or next(iter(transfers), None)


def _payee(chosen: _Means | None, payee_name: str | None, seller: Seller, currency: str) -> Payee | None:
    """BG-17 of the chosen means; None where no credit transfer has an account."""
    if chosen is None or chosen.account is None:
        return None
    name = maybe_line(chosen.node, "ram:PayeePartyCreditorFinancialAccount/ram:AccountName")
    where = accounts.Where(currency=currency, country=seller.country, means_code=chosen.code)
    return accounts.payee(name or payee_name or seller.name, fields.account(chosen.account), chosen.branch, where)


def _shown(means: _Means, settlement: xml.Node) -> Means:
    """What the customer may see of it. Of the mandate and the account nothing is checked: nobody pays by them."""
    mandates = (plain(each, "ram:DirectDebitMandateID") for each in settlement.all("ram:SpecifiedTradePaymentTerms"))
    return Means(
        code=text.printable(means.code, limit=text.QUOTE_MAX),
        account=text.shown(means.account.text(), limit=text.ACCOUNT_MAX) if means.account else None,
        second_account=_second_account(means),
        branch=text.shown(means.branch, limit=text.ACCOUNT_MAX) if means.account else None,
        mandate=text.shown(next(filter(None, mandates), ""), limit=text.ID_MAX),
    )


def _second_account(means: _Means) -> str | None:
    number = plain(means.node, "ram:PayeePartyCreditorFinancialAccount/ram:ProprietaryID")
    has_both = means.account is not None and number and means.account.text() != number
    return text.shown(number, limit=text.ACCOUNT_MAX) if has_both else None


def _preceding_numbers(settlement: xml.Node) -> tuple[str, ...]:
    """BT-25, once each."""
    references = several(settlement, "ram:InvoiceReferencedDocument")
    return fields.distinct((given(each, "ram:IssuerAssignedID") for each in references), text.NUMBER_MAX)


# --- lines


def _lines(parts: _Parts) -> tuple[Line, ...]:
    nodes = several(parts.root, f"{_TRADE}/ram:IncludedSupplyChainTradeLineItem", most=codes.LINES_MAX)
    return tuple(_line(node, parts.currency) for node in nodes)


def _line(node: xml.Node, currency: str) -> Line:
    """BG-25. Where the product has no name, its description; where it has neither, the line's number."""
    product = "ram:SpecifiedTradeProduct"
    paths = (f"{product}/ram:Name", f"{product}/ram:Description", "ram:AssociatedDocumentLineDocument/ram:LineID")
    description = fields.first_line(node, *paths, limit=text.DESCRIPTION_MAX)
    if description is None:
        raise fields.missing(node, paths[0])
    total = "ram:SpecifiedLineTradeSettlement/ram:SpecifiedTradeSettlementLineMonetarySummation/ram:LineTotalAmount"
    return Line(
        description=description,
        quantity=codes.quantity(given(node, "ram:SpecifiedLineTradeDelivery/ram:BilledQuantity")),
        amount=_amount(node, total, currency),
        vat_rate=codes.vat_rate(
            [
                (plain(each, "ram:CategoryCode"), plain(each, "ram:RateApplicablePercent"))
                for each in node.all("ram:SpecifiedLineTradeSettlement/ram:ApplicableTradeTax")
            ]
        ),
    )
