"""The VAT rate of each line, as the three formats have it. A bill is never refused for it, but for our strict JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import json_bill
from app.journey.intake.formats.xml_bill import read
from tests.support.bills import cii_bill, ubl_bill
from tests.support.bills import json_bill as written


def ubl(tax: str) -> str | None:
    content = ubl_bill().replace(b"</cac:Item>", f"{tax}</cac:Item>".encode())
    assert tax.encode() in content
    (line,) = read(content).lines
    return line.vat_rate


def cii(tax: str) -> str | None:
    line = (
        "<rsm:SupplyChainTradeTransaction><ram:IncludedSupplyChainTradeLineItem>"
        "<ram:AssociatedDocumentLineDocument><ram:LineID>1</ram:LineID></ram:AssociatedDocumentLineDocument>"
        "<ram:SpecifiedTradeProduct><ram:Name>Eau</ram:Name></ram:SpecifiedTradeProduct>"
        "<ram:SpecifiedLineTradeAgreement><ram:NetPriceProductTradePrice><ram:ChargeAmount>79.81</ram:ChargeAmount>"
        "</ram:NetPriceProductTradePrice></ram:SpecifiedLineTradeAgreement>"
        '<ram:SpecifiedLineTradeDelivery><ram:BilledQuantity unitCode="C62">1</ram:BilledQuantity>'
        f"</ram:SpecifiedLineTradeDelivery><ram:SpecifiedLineTradeSettlement>{tax}"
        "<ram:SpecifiedTradeSettlementLineMonetarySummation><ram:LineTotalAmount>79.81</ram:LineTotalAmount>"
        "</ram:SpecifiedTradeSettlementLineMonetarySummation></ram:SpecifiedLineTradeSettlement>"
        "</ram:IncludedSupplyChainTradeLineItem>"
    )
    content = cii_bill().replace(b"<rsm:SupplyChainTradeTransaction>", line.encode())
    (read_line,) = read(content).lines
    return read_line.vat_rate


def ubl_tax(category: str, rate: str) -> str:
    percent = f"<cbc:Percent>{rate}</cbc:Percent>" if rate else ""
    scheme = "<cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme>"
    return f"<cac:ClassifiedTaxCategory><cbc:ID>{category}</cbc:ID>{percent}{scheme}</cac:ClassifiedTaxCategory>"


def cii_tax(category: str, rate: str) -> str:
    percent = f"<ram:RateApplicablePercent>{rate}</ram:RateApplicablePercent>" if rate else ""
    code = f"<ram:CategoryCode>{category}</ram:CategoryCode>"
    return f"<ram:ApplicableTradeTax><ram:TypeCode>VAT</ram:TypeCode>{code}{percent}</ram:ApplicableTradeTax>"


@pytest.mark.parametrize(
    ("category", "rate", "read_as"), [("S", "5.50", "5.50"), ("O", "", "0"), ("S", "", None), ("S", "120", None)]
)
def test_of_one_tax_the_rate_is_read(category: str, rate: str, read_as: str | None) -> None:
    assert ubl(ubl_tax(category, rate)) == read_as
    assert cii(cii_tax(category, rate)) == read_as


def test_where_there_are_two_or_none_nothing_is_known() -> None:
    assert ubl(ubl_tax("S", "20") + ubl_tax("S", "5.5")) is None
    assert (ubl(""), cii("")) == (None, None)


@pytest.mark.parametrize("rate", ["20", "0", "5.5", "100"])
def test_our_json_names_it(rate: str) -> None:
    content = written(lines=[{"description": "Eau", "amount": "79.81", "vat_rate": rate}])
    assert json_bill.read(content).lines[0].vat_rate == rate
    assert json.loads(content)["lines"][0]["vat_rate"] == rate


@pytest.mark.parametrize("rate", ["-1", "101", "20 %", "5,5", "", "1e1", 20])
def test_our_json_is_strict(rate: Any) -> None:
    with pytest.raises(BillRefused) as refused:
        json_bill.read(written(lines=[{"description": "Eau", "amount": "79.81", "vat_rate": rate}]))
    assert refused.value.element == "/lines/0/vat_rate"
