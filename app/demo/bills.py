"""The bills of the demo, as such billers really send them: UBL 2.1 after EN 16931, and our JSON.

They are made with today's dates, so that the overdue one is overdue and the discount can still be won.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from lxml import etree

from app.demo.cast import CAMILLE, ENERGY, INTERNET, JONAS, MUSIC, ROWAN, TRAMS, WATER, Company, Person

UBL = "application/xml"
JSON = "application/json"

_URN = "urn:oasis:names:specification:ubl:schema:xsd:"
_CAC, _CBC = f"{_URN}CommonAggregateComponents-2", f"{_URN}CommonBasicComponents-2"
_INVOICE = f"{_URN}Invoice-2"
_NAMESPACES: Any = {None: _INVOICE, "cac": _CAC, "cbc": _CBC}  # the stubs know no default namespace
_EN16931 = "urn:cen.eu:en16931:2017"
_XRECHNUNG = f"{_EN16931}#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0"
_PROCESS = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"
#: UNECE Recommendation 20, as a person writes it
_UNITS = {"C62": "", "MTQ": "m³", "KWH": "kWh", "MON": "mois", "DAY": "Tage", "HUR": "h"}


@dataclass(frozen=True, kw_only=True)
class Item:
    """One line: ``quantity`` times ``price``, both as written; ``rate`` is the VAT in percent, None for exempt."""

    text: str
    quantity: str = "1"
    unit: str = "C62"
    price: str
    rate: str | None = "20.00"

    @property
    def net(self) -> Decimal:
        return _cents(Decimal(self.quantity) * Decimal(self.price))


@dataclass(frozen=True, kw_only=True)
class Vat:
    """The VAT of all lines of one rate (BG-23)."""

    rate: str | None
    net: Decimal
    tax: Decimal


@dataclass(frozen=True, kw_only=True)
class DemoBill:
    """One bill before it is written down in a format."""

    number: str
    company: Company
    customer: Person
    customer_number: str
    issued_on: dt.date
    due_on: dt.date
    period: tuple[dt.date, dt.date]
    items: tuple[Item, ...]
    media_type: str = UBL
    reference: str | None = None
    order_reference: str | None = None
    contract: str | None = None
    note: str | None = None
    terms: str
    #: days and percent of each discount for paying early, the earliest first
    early: tuple[tuple[int, str], ...] = ()
    #: what being late costs from the day after the due day on
    late_fee: str | None = None
    exempt_because: str | None = None

    @property
    def vat(self) -> tuple[Vat, ...]:
        rates = dict.fromkeys(item.rate for item in self.items)
        return tuple(self._vat_of(rate) for rate in rates)

    def _vat_of(self, rate: str | None) -> Vat:
        net = sum((item.net for item in self.items if item.rate == rate), Decimal(0))
        return Vat(rate=rate, net=net, tax=_cents(net * Decimal(rate or 0) / 100))

    @property
    def net(self) -> Decimal:
        return sum((vat.net for vat in self.vat), Decimal(0))

    @property
    def tax(self) -> Decimal:
        return sum((vat.tax for vat in self.vat), Decimal(0))

    @property
    def total(self) -> Decimal:
        return self.net + self.tax

    @property
    def discounts(self) -> list[tuple[dt.date, Decimal]]:
        """What paying by which day takes off, rounded as everywhere."""
        return [
            (self.issued_on + dt.timedelta(days=days), _cents(self.total * Decimal(percent) / 100))
            for days, percent in self.early
        ]

    def content(self, to: str) -> bytes:
        """The file as it is delivered to the space address ``to``. The same call gives the same bytes."""
        return _json(self, to) if self.media_type == JSON else _ubl(self, to)


def creditor_reference(digits: str) -> str:
    """An ISO 11649 reference: RF, two check digits, and the biller's own digits."""
    return f"RF{98 - int(f'{digits}271500') % 97:02d}{digits}"


# ------------------------------------------------------------------------------------------------ the demo's bills


def bills_of_today(today: dt.date) -> Iterator[DemoBill]:
    """Every bill that the demo delivers on its first day."""
    yield from (_water(today), _meter(today), _internet(today), _lessons(today))
    yield from (_electricity(today), _gas(today), _piano(today), _sim(today))
    yield from _tram_tickets(today)


def _water(today: dt.date) -> DemoBill:
    issued = today - dt.timedelta(days=3)
    digits = f"{issued:%y%m%d}40172"
    return DemoBill(
        number=f"BRU-{issued:%Y%m%d}-40172",
        company=WATER,
        customer=CAMILLE,
        customer_number="40172",
        issued_on=issued,
        due_on=today + dt.timedelta(days=21),
        period=_months_before(issued, 3),
        items=(
            Item(text="Abonnement eau potable", quantity="3", unit="MON", price="4.10", rate="5.50"),
            Item(text="Eau potable, consommation relevée", quantity="21", unit="MTQ", price="1.9240", rate="5.50"),
            Item(text="Assainissement collectif", quantity="21", unit="MTQ", price="1.3150", rate="10.00"),
            Item(text="Redevance de lutte contre la pollution", quantity="21", unit="MTQ", price="0.2900", rate="5.50"),
        ),
        reference=creditor_reference(digits),
        contract="ABO-40172",
        note="Relevé du compteur 77-A-3051 : 1 284 m³. Relevé précédent : 1 263 m³.",
        terms="Payable à 24 jours, sans escompte.",
    )


def _meter(today: dt.date) -> DemoBill:
    issued = today - dt.timedelta(days=40)
    return DemoBill(
        number=f"BRU-{issued:%Y%m%d}-40172-T",
        company=WATER,
        customer=CAMILLE,
        customer_number="40172",
        issued_on=issued,
        due_on=today - dt.timedelta(days=9),
        period=(issued - dt.timedelta(days=2), issued - dt.timedelta(days=2)),
        items=(
            Item(text="Remplacement du compteur gelé, déplacement compris", price="58.00", rate="10.00"),
            Item(text="Main-d’œuvre", quantity="0.5", unit="HUR", price="46.00", rate="10.00"),
        ),
        order_reference="INT-2217",
        contract="ABO-40172",
        terms="Payable à 31 jours, sans escompte.",
    )


def _internet(today: dt.date) -> DemoBill:
    issued = today - dt.timedelta(days=2)
    return DemoBill(
        number=f"FT-{issued:%Y%m%d}-118204",
        company=INTERNET,
        customer=CAMILLE,
        customer_number="118204",
        issued_on=issued,
        due_on=today + dt.timedelta(days=18),
        period=_months_before(issued, 1),
        items=(
            Item(text="Fibre 1 Gbit/s", price="24.99"),
            Item(text="Location de la box", price="3.00"),
            Item(text="Ligne mobile 06 00 00 18 20, forfait 40 Go", price="10.82"),
            Item(text="Appels vers l’étranger", quantity="17", unit="C62", price="0.07"),
        ),
        media_type=JSON,
        order_reference="CDE-118204-1",
        note=f"2 % de moins en cas de paiement au plus tard le {issued + dt.timedelta(days=12):%d/%m/%Y}."
        " Frais de retard : 5,00 € après l’échéance.",
        terms="",
        early=((12, "2.00"),),
        late_fee="5.00",
    )


def _lessons(today: dt.date) -> DemoBill:
    issued = today - dt.timedelta(days=5)
    return _music(
        today,
        number=f"MS-{issued:%Y%m%d}-0231",
        customer=CAMILLE,
        customer_number="0231",
        items=(
            Item(text="Violine, Einzelunterricht 30 Minuten (Lou)", quantity="9", price="24.50", rate=None),
            Item(text="Leihgeige 1/2", quantity="3", unit="MON", price="12.00", rate=None),
        ),
    )


def _piano(today: dt.date) -> DemoBill:
    issued = today - dt.timedelta(days=5)
    return _music(
        today,
        number=f"MS-{issued:%Y%m%d}-0418",
        customer=JONAS,
        customer_number="0418",
        items=(Item(text="Klavier, Onlineunterricht 45 Minuten", quantity="4", price="31.00", rate=None),),
        reference=creditor_reference(f"{issued:%y%m%d}0418"),
    )


def _music(
    today: dt.date,
    *,
    number: str,
    customer: Person,
    customer_number: str,
    items: tuple[Item, ...],
    reference: str | None = None,
) -> DemoBill:
    issued = today - dt.timedelta(days=5)
    return DemoBill(
        number=number,
        company=MUSIC,
        customer=customer,
        customer_number=customer_number,
        issued_on=issued,
        due_on=today + dt.timedelta(days=9),
        period=_months_before(issued, 3),
        items=items,
        reference=reference,
        order_reference=f"ANM-{customer_number}",
        terms="Zahlbar innerhalb von 14 Tagen ohne Abzug.",
        exempt_because="Umsatzsteuerfrei nach § 4 Nr. 21 UStG",
    )


def _electricity(today: dt.date) -> DemoBill:
    issued = today - dt.timedelta(days=1)
    return DemoBill(
        number=f"WG-{issued:%Y%m%d}-55810",
        company=ENERGY,
        customer=JONAS,
        customer_number="55810",
        issued_on=issued,
        due_on=today + dt.timedelta(days=29),
        period=_months_before(issued, 2),
        items=(
            Item(
                text="Strom Windgrund Fix, Zähler 1ESY-55810", quantity="412", unit="KWH", price="0.2550", rate="19.00"
            ),
            Item(text="Grundpreis", quantity="2", unit="MON", price="9.90", rate="19.00"),
        ),
        contract="V-55810",
        terms="Zahlbar innerhalb von 30 Tagen; innerhalb von 10 Tagen 2 % Skonto, innerhalb von 20 Tagen 1 %.",
        early=((10, "2.00"), (20, "1.00")),
        note="Zählerstand 18.204 kWh, abgelesen.",
    )


def _gas(today: dt.date) -> DemoBill:
    issued = today - dt.timedelta(days=45)
    return DemoBill(
        number=f"WG-{issued:%Y%m%d}-55811",
        company=ENERGY,
        customer=JONAS,
        customer_number="55811",
        issued_on=issued,
        due_on=today - dt.timedelta(days=15),
        period=_months_before(issued, 2),
        items=(
            Item(text="Erdgas, Zähler 7GAS-55811", quantity="630", unit="KWH", price="0.0840", rate="19.00"),
            Item(text="Grundpreis", quantity="2", unit="MON", price="7.50", rate="19.00"),
        ),
        contract="V-55811",
        terms="Zahlbar innerhalb von 30 Tagen ohne Abzug.",
    )


def _sim(today: dt.date) -> DemoBill:
    issued = today - dt.timedelta(days=4)
    days = (issued - dt.timedelta(days=14 - index) for index in range(14))
    return DemoBill(
        number=f"FT-{issued:%Y%m%d}-118977",
        company=INTERNET,
        customer=JONAS,
        customer_number="118977",
        issued_on=issued,
        due_on=today + dt.timedelta(days=16),
        period=_months_before(issued, 1),
        items=(
            Item(text="SIM voyage, abonnement", price="6.00"),
            *(
                Item(text=f"Données mobiles, {day:%d/%m/%Y}", quantity=f"{120 + 37 * index}", price="0.0050")
                for index, day in enumerate(days)
            ),
        ),
        order_reference="CDE-118977-2",
        terms="Payable à 20 jours, sans escompte. Frais de retard : 5,00 € après l’échéance.",
        late_fee="5.00",
    )


def _tram_tickets(today: dt.date) -> Iterator[DemoBill]:
    """Three in pounds that one standing consent can cover."""
    for days_ago, name, price in (
        (4, "Season ticket", "46.50"),
        (3, "Bicycle pass", "12.80"),
        (2, "Harbour night line", "7.35"),
    ):
        issued = today - dt.timedelta(days=days_ago)
        yield DemoBill(
            number=f"SST-{issued:%y%m%d}-5512",
            company=TRAMS,
            customer=ROWAN,
            customer_number="5512",
            issued_on=issued,
            due_on=today + dt.timedelta(days=14 - days_ago),
            period=_months_before(issued, 1),
            items=(Item(text=name, price=price),),
            terms="Payable within 14 days.",
        )


def walk_bill(*, token: str, today: dt.date, customer: Person, cents: int, currency: str = "EUR") -> DemoBill:
    """A small bill for one walk through the whole path; ``token`` makes its number unique."""
    if currency == TRAMS.currency:
        return _tram_bill(token=token, today=today, customer=customer, cents=cents)
    return DemoBill(
        number=f"BRU-{today:%Y%m%d}-{token}",
        company=WATER,
        customer=customer,
        customer_number=token,
        issued_on=today,
        due_on=today + dt.timedelta(days=14),
        period=_months_before(today, 1),
        items=(Item(text="Eau potable", quantity="1", unit="MTQ", price=str(Decimal(cents) / 100), rate="5.50"),),
        contract=f"ABO-{token}",
        terms="Payable à 14 jours, sans escompte.",
    )


def _tram_bill(*, token: str, today: dt.date, customer: Person, cents: int) -> DemoBill:
    return DemoBill(
        number=f"SST-{today:%y%m%d}-{token}",
        company=TRAMS,
        customer=customer,
        customer_number=token,
        issued_on=today,
        due_on=today + dt.timedelta(days=14),
        period=_months_before(today, 1),
        items=(Item(text="Tram journeys", price=str(Decimal(cents) / 100)),),
        terms="Payable within 14 days.",
    )


def _months_before(day: dt.date, months: int) -> tuple[dt.date, dt.date]:
    """The whole calendar months before the month of ``day``."""
    end = day.replace(day=1) - dt.timedelta(days=1)
    start = end.replace(day=1)
    for _ in range(months - 1):
        start = (start - dt.timedelta(days=1)).replace(day=1)
    return start, end


def _cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), ROUND_HALF_UP)


def _rate(written: str) -> str:
    """A rate of VAT within French words: ``20``, ``5,5``."""
    return f"{Decimal(written).normalize():f}".replace(".", ",")


# --------------------------------------------------------------------------------------------------------- JSON


def _json(bill: DemoBill, to: str) -> bytes:
    company = bill.company
    lines = [
        {
            "description": item.text,
            "quantity": f"{item.quantity} {_UNITS[item.unit]}".strip(),
            "amount": str(item.net),
            "vat_rate": item.rate or "0",
        }
        for item in bill.items
    ]
    lines += [{"description": f"TVA {_rate(vat.rate)} %", "amount": str(vat.tax)} for vat in bill.vat if vat.rate]
    document = {
        "to": to,
        "number": bill.number,
        "issued_on": bill.issued_on.isoformat(),
        "due_on": bill.due_on.isoformat(),
        "currency": company.currency,
        "amount": str(bill.total),
        "payee": {"name": company.name, "iban": company.iban},
        "reference": bill.reference or bill.number,
        "lines": lines,
    }
    if bill.order_reference:
        document["order_reference"] = bill.order_reference
    if bill.note:
        document["note"] = bill.note
    if len(bill.discounts) == 1:
        ((until, discount),) = bill.discounts
        document["early_payment"] = {"until": until.isoformat(), "discount": str(discount)}
    elif bill.discounts:
        document["discounts"] = [{"until": day.isoformat(), "amount": str(amount)} for day, amount in bill.discounts]
    if bill.late_fee:
        document["late_fee"] = {"amount": bill.late_fee}  # from the day after the due day
    return json.dumps(document, ensure_ascii=False, indent=2).encode()


# ------------------------------------------------------------------------------------------- UBL 2.1, in its order


def _ubl(bill: DemoBill, to: str) -> bytes:
    root = etree.Element(f"{{{_INVOICE}}}Invoice", nsmap=_NAMESPACES)
    _head(root, bill)
    _seller(_below(root, "AccountingSupplierParty", "Party"), bill.company)
    _buyer(_below(root, "AccountingCustomerParty", "Party"), bill, to)
    _means(_below(root, "PaymentMeans"), bill)
    terms = _below(root, "PaymentTerms")
    _put(terms, "Note", _terms(bill))
    if bill.late_fee:
        _amount(terms, "PenaltyAmount", Decimal(bill.late_fee), bill.company.currency)
    _tax_total(_below(root, "TaxTotal"), bill)
    _totals(_below(root, "LegalMonetaryTotal"), bill)
    for index, item in enumerate(bill.items, start=1):
        _line(_below(root, "InvoiceLine"), index, item, bill.company.currency)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _head(root: etree._Element, bill: DemoBill) -> None:
    _put(root, "CustomizationID", _XRECHNUNG if bill.company.country == "DE" else _EN16931)
    _put(root, "ProfileID", _PROCESS)
    _put(root, "ID", bill.number)
    _put(root, "IssueDate", bill.issued_on.isoformat())
    _put(root, "DueDate", bill.due_on.isoformat())
    _put(root, "InvoiceTypeCode", "380")
    if bill.note:
        _put(root, "Note", bill.note)
    _put(root, "DocumentCurrencyCode", bill.company.currency)
    _put(root, "BuyerReference", bill.customer_number)
    period = _below(root, "InvoicePeriod")
    _put(period, "StartDate", bill.period[0].isoformat())
    _put(period, "EndDate", bill.period[1].isoformat())
    if bill.order_reference:
        _put(_below(root, "OrderReference"), "ID", bill.order_reference)
    if bill.contract:
        _put(_below(root, "ContractDocumentReference"), "ID", bill.contract)


def _seller(party: etree._Element, company: Company) -> None:
    _put(party, "EndpointID", company.email, schemeID="EM")
    _put(_below(party, "PartyName"), "Name", company.name)
    _address(party, company)
    registration = _below(party, "PartyTaxScheme")
    _put(registration, "CompanyID", company.vat_id)
    _put(_below(registration, "TaxScheme"), "ID", "VAT")
    legal = _below(party, "PartyLegalEntity")
    _put(legal, "RegistrationName", company.name)
    scheme = {"schemeID": company.legal_scheme} if company.legal_scheme else {}
    _put(legal, "CompanyID", company.legal_id, **scheme)
    contact = _below(party, "Contact")
    _put(contact, "Name", company.contact)
    _put(contact, "Telephone", company.phone)
    _put(contact, "ElectronicMail", company.email)


def _buyer(party: etree._Element, bill: DemoBill, to: str) -> None:
    _put(party, "EndpointID", to, schemeID="EM")
    _put(_below(party, "PartyIdentification"), "ID", bill.customer_number)
    _address(party, bill.customer)
    _put(_below(party, "PartyLegalEntity"), "RegistrationName", bill.customer.name)


def _address(party: etree._Element, who: Company | Person) -> None:
    address = _below(party, "PostalAddress")
    _put(address, "StreetName", who.street)
    _put(address, "CityName", who.city)
    _put(address, "PostalZone", who.postcode)
    _put(_below(address, "Country"), "IdentificationCode", who.country)


def _means(means: etree._Element, bill: DemoBill) -> None:
    _put(means, "PaymentMeansCode", "58" if bill.company.currency == "EUR" else "30")  # SEPA, or any credit transfer
    _put(means, "PaymentID", bill.reference or bill.number)
    account = _below(means, "PayeeFinancialAccount")
    _put(account, "ID", bill.company.iban)
    _put(account, "Name", bill.company.name)
    _put(_below(account, "FinancialInstitutionBranch"), "ID", bill.company.bic)


def _terms(bill: DemoBill) -> str:
    """In words, and for the machine the German way (XRechnung BR-DE-18): every entry ends with a line break."""
    if not bill.early:
        return bill.terms
    return f"{bill.terms}\n" + "".join(f"#SKONTO#TAGE={days}#PROZENT={percent}#\n" for days, percent in bill.early)


def _tax_total(total: etree._Element, bill: DemoBill) -> None:
    _amount(total, "TaxAmount", bill.tax, bill.company.currency)
    for vat in bill.vat:
        subtotal = _below(total, "TaxSubtotal")
        _amount(subtotal, "TaxableAmount", vat.net, bill.company.currency)
        _amount(subtotal, "TaxAmount", vat.tax, bill.company.currency)
        category = _below(subtotal, "TaxCategory")
        _category(category, vat.rate, exempt_because=bill.exempt_because)


def _category(category: etree._Element, rate: str | None, *, exempt_because: str | None = None) -> None:
    _put(category, "ID", "S" if rate else "E")
    _put(category, "Percent", rate or "0")
    if rate is None and exempt_because:
        _put(category, "TaxExemptionReason", exempt_because)
    _put(_below(category, "TaxScheme"), "ID", "VAT")


def _totals(totals: etree._Element, bill: DemoBill) -> None:
    _amount(totals, "LineExtensionAmount", bill.net, bill.company.currency)
    _amount(totals, "TaxExclusiveAmount", bill.net, bill.company.currency)
    _amount(totals, "TaxInclusiveAmount", bill.total, bill.company.currency)
    _amount(totals, "PayableAmount", bill.total, bill.company.currency)


def _line(line: etree._Element, index: int, item: Item, currency: str) -> None:
    _put(line, "ID", str(index))
    _put(line, "InvoicedQuantity", item.quantity, unitCode=item.unit)
    _amount(line, "LineExtensionAmount", item.net, currency)
    described = _below(line, "Item")
    _put(described, "Name", item.text)
    _category(_below(described, "ClassifiedTaxCategory"), item.rate)
    _put(_below(line, "Price"), "PriceAmount", item.price, currencyID=currency)


def _below(parent: etree._Element, *names: str) -> etree._Element:
    for name in names:
        parent = etree.SubElement(parent, f"{{{_CAC}}}{name}")
    return parent


def _put(parent: etree._Element, name: str, value: str, **attributes: str) -> None:
    etree.SubElement(parent, f"{{{_CBC}}}{name}", attrib=attributes).text = value


def _amount(parent: etree._Element, name: str, value: Decimal, currency: str) -> None:
    _put(parent, name, str(value), currencyID=currency)
