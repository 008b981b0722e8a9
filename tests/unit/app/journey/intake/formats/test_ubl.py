"""UBL 2.1: exact values from bills of our own making, and each refusal with its code and path."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.journey.intake.bill import (
    AccountScheme,
    Bill,
    BillKind,
    BillRefused,
    EarlyPayment,
    LateFee,
    Line,
    Means,
    Payee,
    Seller,
)
from app.journey.intake.formats import schemas, ubl, xml
from app.journey.intake.rules import can_be_taken
from connectors.money import EXPONENTS, Money
from tests.support.bills import IBAN, NUMBER, REFERENCE, SELLER_NAME, SELLER_VAT, TO, ubl_bill, ubl_means

OTHER_IBAN = "DE75512108001245126199"
PAYABLE = "/Invoice/cac:LegalMonetaryTotal/cbc:PayableAmount"
ACCOUNT = "/Invoice/cac:PaymentMeans/cac:PayeeFinancialAccount/cbc:ID"
LEGAL_NAME = "/Invoice/cac:AccountingSupplierParty/cac:Party/cac:PartyLegalEntity/cbc:RegistrationName"


def read(**changes: Any) -> Bill:
    return ubl.read(ubl_bill(**changes))


def refused(content: bytes) -> BillRefused:
    with pytest.raises(BillRefused) as caught:
        ubl.read(content)
    return caught.value


def test_a_whole_invoice() -> None:
    found = read(
        total="94.20",
        prepaid="10.00",
        seller_trading_name="Eaux du Lac",
        bic="PSSTFRPPXXX",
        terms="Sous 30 jours\nmerci",
        order_reference="PO-7",
        preceding_numbers=("2026-00300", "2026-00301", "2026-00300"),
        note="Relevé du compteur",
    )
    assert found == Bill(
        kind=BillKind.INVOICE,
        number=NUMBER,
        issued_on=dt.date(2026, 11, 1),
        due_on=dt.date(2026, 12, 1),
        payable=Money(8420, "EUR"),
        total=Money(9420, "EUR"),
        prepaid=Money(1000, "EUR"),
        type_code="380",
        due_dates=(dt.date(2026, 12, 1),),
        to=TO,
        seller=Seller(
            legal_name=SELLER_NAME,
            trading_name="Eaux du Lac",
            vat_id=SELLER_VAT,
            legal_id="404833048",
            country="FR",
        ),
        buyer_name="Jana Nováková",
        payee=Payee(name=SELLER_NAME, iban=IBAN, bic="PSSTFRPPXXX"),
        means=(Means(code="58", account=IBAN, branch="PSSTFRPPXXX", reference=REFERENCE),),
        remittance_reference=REFERENCE,
        terms="Sous 30 jours\nmerci",
        order_reference="PO-7",
        preceding_numbers=("2026-00300", "2026-00301"),
        lines=(Line(description="Eau potable", quantity="21 m³", amount=Money(7981, "EUR")),),
        note="Relevé du compteur",
    )


def test_the_smallest_invoice() -> None:
    found = read(
        due_on=None,
        to=None,
        buyer_name=None,
        seller_vat=None,
        seller_legal_id=None,
        seller_country=None,
        means="",
        lines=(),
    )
    assert found.seller == Seller(legal_name=SELLER_NAME)
    assert (found.due_on, found.to, found.buyer_name, found.payee) == (None, None, None, None)
    assert (found.means_codes, found.remittance_reference, found.lines) == ((), None, ())


def test_a_credit_note_has_its_due_date_in_the_payment_means() -> None:
    found = read(root="CreditNote")
    assert (found.kind, found.due_on) == (BillKind.CREDIT_NOTE, dt.date(2026, 12, 1))
    assert found.lines == (Line(description="Eau potable", quantity="21 m³", amount=Money(7981, "EUR")),)


def test_an_invoice_may_have_it_there_too_but_its_own_comes_first() -> None:
    means = ubl_means(extra="<cbc:PaymentDueDate>2026-12-24</cbc:PaymentDueDate>")
    assert read(due_on=None, means=means).due_on == dt.date(2026, 12, 24)
    assert read(means=means).due_on == dt.date(2026, 12, 1)


def test_the_due_date_is_that_of_the_means_by_which_it_is_paid() -> None:
    card = ubl_means(code="48", iban=None, extra="<cbc:PaymentDueDate>2026-11-05</cbc:PaymentDueDate>")
    transfer = ubl_means(extra="<cbc:PaymentDueDate>2026-12-24</cbc:PaymentDueDate>")
    assert read(due_on=None, means=card + transfer).due_on == dt.date(2026, 12, 24)


@pytest.mark.parametrize("type_code", ["381", "396", "261"])
def test_an_invoice_with_a_credit_type_code_is_a_credit(type_code: str) -> None:
    assert read(type_code=type_code).kind is BillKind.CREDIT_NOTE


@pytest.mark.parametrize("type_code", ["380", "326", "384", "389"])
def test_every_other_type_code_leaves_it_an_invoice(type_code: str) -> None:
    assert read(type_code=type_code).kind is BillKind.INVOICE


# --- amounts


@pytest.mark.parametrize(
    ("changes", "payable", "total"),
    [
        ({"amount": "10158", "total": "10157.5", "rounding": "0.5"}, 1015800, 1015750),
        (
            {"amount": "-10000", "total": "-10835", "prepaid": "-834.9", "rounding": "+0.10"},
            -1000000,
            -1083500,
        ),
        ({"amount": "0.00", "prepaid": "84.20", "total": "84.20"}, 0, 8420),
        ({"amount": "-81.00", "prepaid": "200.00", "total": "119.00"}, -8100, 11900),
        ({"amount": "119.", "total": "+119.000"}, 11900, 11900),
    ],
)
def test_amounts_that_add_up(changes: dict[str, str], payable: int, total: int) -> None:
    found = read(**changes)
    assert (found.payable, found.total) == (Money(payable, "EUR"), Money(total, "EUR"))


def test_without_a_total_there_is_nothing_to_check_against() -> None:
    found = read(total="", prepaid="10.00")
    assert (found.payable, found.total) == (Money(8420, "EUR"), None)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": "9119.00", "total": "119.00"},
        {"amount": "84.20", "prepaid": "0.01"},
        {"amount": "84.20", "rounding": "0.01"},
        {"amount": "-84.20", "total": "84.20"},
    ],
)
def test_amounts_that_do_not_add_up_are_refused(changes: dict[str, str]) -> None:
    found = refused(ubl_bill(**changes))  # type: ignore[arg-type]
    assert (found.code, found.element) == ("amounts-do-not-add-up", PAYABLE)


def test_third_party_payments_count_in_the_xrechnung_extension_only() -> None:
    third = '<cac:PrepaidPayment><cbc:PaidAmount currencyID="EUR">{}</cbc:PaidAmount></cac:PrepaidPayment>'
    payments = third.format("19.96") + third.format("10.00")
    extension = "urn:cen.eu:en16931:2017#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0"
    extension += "#conformant#urn:xeinkauf.de:kosit:extension:xrechnung_3.0"
    customization = f"<cbc:CustomizationID>{extension}</cbc:CustomizationID>"
    assert read(amount="114.16", total="84.20", extra=customization + payments).payable == Money(11416, "EUR")
    assert read(amount="84.20", total="84.20", extra=payments).payable == Money(8420, "EUR")
    assert refused(ubl_bill(amount="114.16", total="84.20", extra=payments)).code == "amounts-do-not-add-up"


@given(
    st.sampled_from(sorted(EXPONENTS)),
    st.integers(-(10**12), 10**12),
    st.integers(0, 10**12),
    st.integers(-99, 99),
)
def test_every_amount_is_read_to_the_last_digit(currency: str, total: int, prepaid: int, rounding: int) -> None:
    payable = Money(total - prepaid + rounding, currency)
    found = read(
        currency=currency,
        amount=str(payable),
        total=str(Money(total, currency)),
        prepaid=str(Money(prepaid, currency)),
        rounding=str(Money(rounding, currency)),
        lines=(),
    )
    assert (found.payable, found.total) == (payable, Money(total, currency))


def test_amounts_in_another_currency_or_in_none_are_refused() -> None:
    found = refused(ubl_bill(amount_currency="KWD"))
    assert (found.code, found.element) == ("currency-refused", f"{PAYABLE}/@currencyID")
    assert found.detail == "The amount is in 'KWD', the document in EUR."
    bare = ubl_bill().replace(b'<cbc:PayableAmount currencyID="EUR">', b"<cbc:PayableAmount>")
    assert refused(bare).detail == "The amount is without a currency, the document in EUR."
    line = ubl_bill().replace(
        b'<cbc:LineExtensionAmount currencyID="EUR">', b'<cbc:LineExtensionAmount currencyID="USD">'
    )
    assert refused(line).element == "/Invoice/cac:InvoiceLine/cbc:LineExtensionAmount/@currencyID"


# --- who, and where the money goes


def test_the_party_name_stands_in_for_an_absent_legal_name() -> None:
    found = read(seller_name=None, seller_trading_name="Advokatfirmaet Z")
    assert found.seller is not None
    assert (found.seller.name, found.seller.trading_name) == ("Advokatfirmaet Z", "Advokatfirmaet Z")
    assert found.seller.legal_name is None


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, SELLER_NAME),
        ({"payee_name": "Factoring SA"}, "Factoring SA"),
        (
            {"payee_name": "Factoring SA", "account_name": "Factoring, compte clients"},
            "Factoring, compte clients",
        ),
    ],
)
def test_the_payee_is_named_by_its_account_then_itself_then_the_seller(changes: dict[str, str], name: str) -> None:
    assert read(**changes).payee == Payee(name=name, iban=IBAN)


@pytest.mark.parametrize(
    ("means", "iban", "reference"),
    [
        (ubl_means(code="30", iban=OTHER_IBAN, reference="A") + ubl_means(reference="B"), OTHER_IBAN, "A"),
        (ubl_means(code="30", iban="1234567", reference="A") + ubl_means(reference="B"), IBAN, "B"),
        (ubl_means(code="59", iban=OTHER_IBAN, reference="A") + ubl_means(reference="B"), IBAN, "B"),
        (
            ubl_means(iban="NL11 BANK 1111111111", reference="A") + ubl_means(code="31", reference="B"),
            IBAN,
            "B",
        ),
        (ubl_means(code="30", iban="DE75 5121 0800 1245 1261 99", reference=None), OTHER_IBAN, None),
        (ubl_means(code="42", reference="A") + ubl_means(code="49", iban=None, reference="B"), IBAN, "A"),
        (ubl_means(code=None), IBAN, REFERENCE),
        (ubl_means(code="ZZZ"), IBAN, REFERENCE),
    ],
)
def test_the_first_credit_transfer_to_a_valid_iban_wins(means: str, iban: str, reference: str | None) -> None:
    found = read(means=means)
    assert found.payee == Payee(name=SELLER_NAME, iban=iban)
    assert found.remittance_reference == reference


def test_all_means_codes_are_kept_once_each() -> None:
    means = ubl_means(code="49") + ubl_means(code="58") + ubl_means(code="58")
    assert read(means=means).means_codes == ("49", "58")


@pytest.mark.parametrize("code", ["59", "49", "48", "54", "10", "97", "#ENTITY@ATMPAYMENT#12345#"])
def test_an_account_of_another_means_is_never_offered(code: str) -> None:
    found = read(means=ubl_means(code=code))
    assert (found.payee, found.means_codes, found.remittance_reference) == (None, (code,), REFERENCE)


@pytest.mark.parametrize(
    ("account", "scheme"),
    [
        ("1234567", AccountScheme.OTHER),
        ("https://pay.example.test/x", AccountScheme.LINK),
        ("IBAN32423940", AccountScheme.OTHER),
    ],
)
def test_an_account_that_is_no_iban_is_kept_apart(account: str, scheme: AccountScheme) -> None:
    found = read(iban=account, bic="083-001", means_code="30")
    assert found.payee == Payee(name=SELLER_NAME, other_account=account, branch="083-001", scheme=scheme)


def test_a_sepa_transfer_goes_to_an_iban() -> None:
    with pytest.raises(BillRefused, match=r"\(means 58\)") as caught:
        can_be_taken(read(iban="1234567", means_code="58"))
    assert (caught.value.code, caught.value.element) == ("account-refused", "payee")
    # somebody is to look at the address of a page
    can_be_taken(read(iban="https://pay.example.test/x", means_code="58"))
    # Danish bills have the code beside a Danish account, in kroner, which SEPA does not carry
    can_be_taken(read(iban="1234567", means_code="58", currency="DKK"))


@pytest.mark.parametrize("account", [None, "", "  "])
def test_no_account_is_no_payee(account: str | None) -> None:
    assert read(iban=account).payee is None


# --- discounts


def test_a_skonto_line_is_a_discount_on_the_amount_due() -> None:
    found = read(terms="#SKONTO#TAGE=14#PROZENT=2.00#\n#SKONTO#TAGE=30#PROZENT=0.00#\n")
    assert found.early_payments == (EarlyPayment(until=dt.date(2026, 11, 15), discount=Money(168, "EUR")),)
    assert found.terms == "#SKONTO#TAGE=14#PROZENT=2.00#\n#SKONTO#TAGE=30#PROZENT=0.00#"


SETTLEMENT = (
    "<cbc:SettlementDiscountPercent>2.5</cbc:SettlementDiscountPercent>"
    "<cac:SettlementPeriod><cbc:EndDate>2026-11-10</cbc:EndDate></cac:SettlementPeriod>"
)


def test_a_percentage_with_an_end_date_is_one_too() -> None:
    found = read(extra_terms=SETTLEMENT)
    assert found.early_payments == (EarlyPayment(until=dt.date(2026, 11, 10), discount=Money(211, "EUR")),)  # 2.105


def test_several_skonto_lines_are_as_many_discounts() -> None:
    terms = "3 Stufen:\n#SKONTO#TAGE=14#PROZENT=1.00#\n#SKONTO#TAGE=7#PROZENT=2.00#BASISBETRAG=80.00#\n"
    found = read(terms=terms + "#SKONTO#TAGE=30#PROZENT=0.00#\n")
    assert found.early_payments == (
        EarlyPayment(until=dt.date(2026, 11, 8), discount=Money(160, "EUR")),
        EarlyPayment(until=dt.date(2026, 11, 15), discount=Money(84, "EUR")),
    )
    assert found.terms is not None
    assert found.terms.startswith(terms)


@pytest.mark.parametrize(
    "terms",
    [
        "#SKONTO#TAGE=14#PROZENT=2,25#\n",
        "#SKONTO#TAGE=7#PROZENT=2.00#\n#SKONTO#TAGE=14#PROZENT=2,25#\n",
        "#SKONTO#TAGE=7#PROZENT=2.00#\n#SKONTO#TAGE=14#PROZENT=3.00#\n",  # nobody would pay early
        "#SKONTO#TAGE=7#PROZENT=2.00#\n#SKONTO#TAGE=7#PROZENT=3.00#\n",
        "3% Skonto innerhalb 10 Tagen bis 15.03.2026",
    ],
)
def test_what_leaves_something_to_guess_is_only_shown(terms: str) -> None:
    found = read(terms=terms)
    assert (found.early_payments, found.terms) == ((), terms.strip())


def test_an_amount_with_an_end_date_is_one_too() -> None:
    amount = SETTLEMENT.replace(
        "<cac", '<cbc:SettlementDiscountAmount currencyID="EUR">2.11</cbc:SettlementDiscountAmount><cac'
    )
    for terms in (amount, amount.partition("</cbc:SettlementDiscountPercent>")[2]):
        assert read(extra_terms=terms).early_payments == (
            EarlyPayment(until=dt.date(2026, 11, 10), discount=Money(211, "EUR")),
        )


def test_a_percentage_without_a_day_is_only_shown() -> None:
    assert read(extra_terms=SETTLEMENT.partition("<cac")[0]).early_payments == ()


def test_both_spellings_with_different_days_are_two_tiers() -> None:
    found = read(terms="#SKONTO#TAGE=14#PROZENT=2.00#\n", extra_terms=SETTLEMENT).early_payments
    assert [(each.until.day, each.discount.minor) for each in found] == [(10, 211), (15, 168)]


HALF = '<cbc:Amount currencyID="EUR">42.10</cbc:Amount>'
FIRST = "<cbc:InstallmentDueDate>2026-12-15</cbc:InstallmentDueDate>"
NEXT = "</cac:PaymentTerms><cac:PaymentTerms>"


@pytest.mark.parametrize(
    "terms",
    [
        HALF + SETTLEMENT,
        HALF + SETTLEMENT + NEXT + HALF,
        SETTLEMENT + NEXT + HALF,
        "<cbc:PaymentPercent>50</cbc:PaymentPercent>" + SETTLEMENT,
        SETTLEMENT.replace("<cbc:EndDate>", "<cbc:StartDate>2026-11-02</cbc:StartDate><cbc:EndDate>"),
        SETTLEMENT + "<cac:ValidityPeriod><cbc:EndDate>2026-11-05</cbc:EndDate></cac:ValidityPeriod>",
        "<cbc:ReferenceEventCode>29</cbc:ReferenceEventCode>" + SETTLEMENT,
        "<cbc:PaymentMeansID>2</cbc:PaymentMeansID>" + SETTLEMENT,
        FIRST + SETTLEMENT + NEXT + FIRST.replace("12-15", "01-15").replace("2026", "2027"),
    ],
)
def test_a_discount_of_a_part_or_on_a_condition_is_only_shown(terms: str) -> None:
    assert read(extra_terms=terms).early_payments == ()


def test_the_german_text_beside_instalments_is_only_shown() -> None:
    assert read(terms="#SKONTO#TAGE=14#PROZENT=2.00#\n", extra_terms=HALF).early_payments == ()


@pytest.mark.parametrize(
    "around",
    [
        '<cbc:Amount currencyID="EUR">84.20</cbc:Amount>',
        "<cbc:PaymentPercent>100.00</cbc:PaymentPercent>",
        "<cbc:PaymentMeansID>1</cbc:PaymentMeansID>",
        FIRST,
    ],
)
def test_a_discount_of_all_that_is_due_is_one_of_the_bill(around: str) -> None:
    means = ubl_means().replace("<cac:PaymentMeans>", "<cac:PaymentMeans><cbc:ID>1</cbc:ID>")
    found = read(means=means, extra_terms=around + SETTLEMENT)
    assert found.early_payments == (EarlyPayment(until=dt.date(2026, 11, 10), discount=Money(211, "EUR")),)


def test_a_credit_has_no_discount() -> None:
    assert read(root="CreditNote", extra_terms=SETTLEMENT).early_payments == ()


def test_an_end_date_that_is_none_is_refused() -> None:
    found = refused(ubl_bill(extra_terms=SETTLEMENT.replace("2026-11-10", "2026-11-31")))
    assert (found.code, found.element) == (
        "date-refused",
        "/Invoice/cac:PaymentTerms/cac:SettlementPeriod/cbc:EndDate",
    )


# --- late fees

PENALTY = '<cbc:PenaltyAmount currencyID="EUR">5.00</cbc:PenaltyAmount>'
PENALTY_PERIOD = "<cac:PenaltyPeriod><cbc:StartDate>2026-12-15</cbc:StartDate></cac:PenaltyPeriod>"


@pytest.mark.parametrize(
    ("terms", "starts_on"),
    [
        (PENALTY, dt.date(2026, 12, 2)),
        (PENALTY + PENALTY_PERIOD, dt.date(2026, 12, 15)),
        ("<cbc:PenaltySurchargePercent>0</cbc:PenaltySurchargePercent>" + PENALTY, dt.date(2026, 12, 2)),
        (PENALTY + "<cbc:PaymentDueDate>2026-12-01</cbc:PaymentDueDate>", dt.date(2026, 12, 2)),
        (SETTLEMENT + NEXT + PENALTY, dt.date(2026, 12, 2)),
    ],
)
def test_a_fixed_penalty_is_a_late_fee(terms: str, starts_on: dt.date) -> None:
    found = read(extra_terms=terms)
    assert found.late_fee == LateFee(starts_on=starts_on, amount=Money(500, "EUR"))
    schemas.check(xml.parse(ubl_bill(extra_terms=terms)))


@pytest.mark.parametrize(
    "terms",
    [
        "<cbc:PenaltySurchargePercent>8</cbc:PenaltySurchargePercent>",
        "<cbc:PenaltySurchargePercent>8</cbc:PenaltySurchargePercent>" + PENALTY,
        PENALTY.replace("5.00", "0.00"),
        PENALTY.replace("5.00", "5.005"),
        PENALTY.replace("EUR", "USD"),
        "<cbc:PenaltySurchargePercent>-8</cbc:PenaltySurchargePercent>",
        PENALTY + NEXT + PENALTY,
        PENALTY + PENALTY_PERIOD.replace("2026-12-15", "2026-12-01"),  # the due day
        PENALTY + PENALTY_PERIOD.replace("</cac", "<cbc:EndDate>2026-12-20</cbc:EndDate></cac"),
        PENALTY + "<cac:PenaltyPeriod><cbc:DurationMeasure unitCode='DAY'>9</cbc:DurationMeasure></cac:PenaltyPeriod>",
        PENALTY + "<cbc:PaymentDueDate>2026-11-20</cbc:PaymentDueDate>",
        SETTLEMENT.replace("<cac", PENALTY + "<cac"),  # after which of two days?
        HALF + PENALTY,
        PENALTY + NEXT + HALF,
        "<cbc:PaymentMeansID>2</cbc:PaymentMeansID>" + PENALTY,
    ],
)
def test_a_penalty_that_leaves_something_to_guess_is_not_read(terms: str) -> None:
    assert read(extra_terms=terms).late_fee is None


@pytest.mark.parametrize(
    "words",
    [
        "Indemnité forfaitaire pour frais de recouvrement : 40 €",
        "#PMT#Indemnité forfaitaire de 40,00 EUR",
        "Late payment charge of 5.00 EUR",
    ],
)
def test_words_are_shown_and_never_become_an_amount(words: str) -> None:
    found = read(terms=words, note=words)
    assert (found.late_fee, found.terms, found.note) == (None, words, words)


def test_neither_a_credit_nor_a_bill_without_any_day_has_a_late_fee() -> None:
    assert read(root="CreditNote", extra_terms=PENALTY).late_fee is None
    assert read(due_on=None, extra_terms=PENALTY).late_fee is None
    found = read(due_on=None, extra_terms=PENALTY + PENALTY_PERIOD).late_fee
    assert found == LateFee(starts_on=dt.date(2026, 12, 15), amount=Money(500, "EUR"))


# --- lines


@pytest.mark.parametrize(
    ("unit", "quantity"), [("C62", "21"), ("KWH", "21 kWh"), ("MON", "21 MON"), ("", "21"), ("HUR", "21 h")]
)
def test_a_quantity_has_a_unit_that_people_read(unit: str, quantity: str) -> None:
    found = read(lines=[("Strom", "21", unit, "84.20")])
    assert found.lines[0].quantity == quantity


def test_a_line_without_a_name_is_called_by_its_description_or_its_number() -> None:
    described = ubl_bill().replace(b"cbc:Name>Eau potable</cbc:Name", b"cbc:Description>Eau</cbc:Description")
    assert ubl.read(described).lines[0].description == "Eau"
    assert read(lines=[("", "1", "", "84.20")]).lines[0].description == "1"


# --- refusals


REFUSALS: list[tuple[dict[str, Any], str, str]] = [
    ({"number": None}, "element-missing", "/Invoice/cbc:ID"),
    ({"number": " "}, "element-missing", "/Invoice/cbc:ID"),
    ({"issued_on": ""}, "element-missing", "/Invoice/cbc:IssueDate"),
    ({"currency": ""}, "element-missing", "/Invoice/cbc:DocumentCurrencyCode"),
    ({"amount": ""}, "element-missing", PAYABLE),
    ({"seller_name": "\u200b"}, "element-missing", LEGAL_NAME),
    ({"seller_name": None}, "element-missing", LEGAL_NAME),
    ({"number": "1" * 101}, "text-refused", "/Invoice/cbc:ID"),
    ({"number": "RE\u200b1"}, "text-refused", "/Invoice/cbc:ID"),
    ({"seller_name": "S" * 10_000}, "text-refused", LEGAL_NAME),
    (
        {"seller_country": "Fr"},
        "text-refused",
        "/Invoice/cac:AccountingSupplierParty/cac:Party/cac:PostalAddress/cac:Country/cbc:IdentificationCode",
    ),
    ({"note": "x" * 10_001}, "text-refused", "/Invoice/cbc:Note"),
    ({"due_on": "12/01/2026"}, "date-refused", "/Invoice/cbc:DueDate"),
    ({"currency": "XXX"}, "currency-refused", "/Invoice/cbc:DocumentCurrencyCode"),
    ({"amount": "1.19E2"}, "amount-refused", PAYABLE),
    ({"amount": "119.001"}, "amount-refused", PAYABLE),
    ({"total": "NaN"}, "amount-refused", "/Invoice/cac:LegalMonetaryTotal/cbc:TaxInclusiveAmount"),
    ({"iban": "FR1420041010050500013M02607"}, "account-refused", ACCOUNT),
    ({"iban": "\u0410T611904300234573201"}, "account-refused", ACCOUNT),
    ({"iban": "DE" + "7" * 200}, "text-refused", ACCOUNT),
    ({"reference": "RF19539007547034"}, "reference-refused", "/Invoice/cac:PaymentMeans/cbc:PaymentID"),
    ({"reference": "R" * 141}, "text-refused", "/Invoice/cac:PaymentMeans/cbc:PaymentID"),
    ({"extra": "<cbc:ID>2</cbc:ID>"}, "element-doubled", "/Invoice/cbc:ID"),
    ({"extra": "<cac:LegalMonetaryTotal/>"}, "element-doubled", "/Invoice/cac:LegalMonetaryTotal"),
    (
        {"extra_totals": '<cbc:PayableAmount currencyID="EUR">1</cbc:PayableAmount>'},
        "element-doubled",
        PAYABLE,
    ),
    ({"extra": "<cac:AccountingSupplierParty/>"}, "element-doubled", "/Invoice/cac:AccountingSupplierParty"),
    (
        {"means": ubl_means(extra="<cbc:PaymentID>2</cbc:PaymentID>")},
        "element-doubled",
        "/Invoice/cac:PaymentMeans/cbc:PaymentID",
    ),
    ({"means": ubl_means() * 101}, "too-large", "/Invoice/cac:PaymentMeans"),
    ({"lines": [("x", "1", "", "1.00")] * 10_001}, "too-large", "/Invoice/cac:InvoiceLine"),
    ({"prolog": "<!DOCTYPE Invoice>"}, "doctype-refused", ""),
    ({"prolog": "<?xml version='1.0' encoding='UTF-7'?>"}, "encoding-refused", ""),
]


@pytest.mark.parametrize(("changes", "code", "element"), REFUSALS)
def test_each_mistake_has_its_code_and_its_place(changes: dict[str, Any], code: str, element: str) -> None:
    found = refused(ubl_bill(**changes))
    assert (found.code, found.element) == (code, element)


def test_two_vat_numbers_are_refused() -> None:
    before, start, rest = ubl_bill().decode().partition("<cac:PartyTaxScheme>")
    scheme, end, after = rest.partition("</cac:PartyTaxScheme>")
    content = (before + (start + scheme + end) * 2 + after).encode()
    assert refused(content).code == "element-doubled"


def test_a_total_deeper_in_the_tree_is_not_the_total() -> None:
    amount = '<cbc:PayableAmount currencyID="EUR">1.00</cbc:PayableAmount>'
    nested = f"<cac:TaxTotal><cac:LegalMonetaryTotal>{amount}</cac:LegalMonetaryTotal></cac:TaxTotal>"
    assert read(extra=nested).payable == Money(8420, "EUR")


def test_prefixes_are_only_names() -> None:
    content = ubl_bill().replace(b"cbc:", b"q:").replace(b"xmlns:cbc", b"xmlns:q")
    assert ubl.read(content).number == NUMBER


@pytest.mark.parametrize(
    ("content", "element"),
    [
        (ubl_bill(root="Invoice").replace(b"Invoice-2", b"Invoice-99"), "/Invoice"),
        (b"<Invoice/>", "/Invoice"),
        (b"<CrossIndustryInvoice xmlns='urn:x'/>", "/CrossIndustryInvoice"),
    ],
)
def test_another_document_is_no_bill(content: bytes, element: str) -> None:
    found = refused(content)
    assert (found.code, found.element) == ("not-a-bill", element)


@pytest.mark.parametrize("place", ["seller", "payee", "neither"])
def test_the_creditor_of_a_debit_is_that_of_sepa(place: str) -> None:
    mandate = "<cac:PaymentMandate><cbc:ID>M-1</cbc:ID></cac:PaymentMandate>"
    made = ubl_bill(
        means=ubl_means(code="59", iban=None).replace("</cac:PaymentMeans>", f"{mandate}</cac:PaymentMeans>"),
        payee_name="Lac Factoring",
    )
    scheme = "0088" if place == "neither" else "SEPA"
    named = f'<cac:PartyIdentification><cbc:ID schemeID="{scheme}">FR72ZZZ123456</cbc:ID></cac:PartyIdentification>'
    before = "<cac:PayeeParty>" if place == "payee" else "<cac:AccountingSupplierParty><cac:Party>"
    found = ubl.read(made.replace(before.encode(), f"{before}{named}".encode()))
    assert found.creditor_id == (None if place == "neither" else "FR72ZZZ123456")
    assert [(each.code, each.mandate) for each in found.means] == [("59", "M-1")]
