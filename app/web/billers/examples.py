"""One bill in each format, as the description of the API shows it. Every name and account is made up."""

from __future__ import annotations

import json
from typing import Any

JSON_BILL: dict[str, Any] = {
    "to": "k3jq7m2xw5ta@space.quittance.example",
    "number": "AQ-2026-0042",
    "issued_on": "2026-11-02",
    "due_on": "2026-12-02",
    "currency": "EUR",
    "amount": "84.20",
    "payee": {"name": "Aquarelle Eau SA", "iban": "FR7630006000011234567890189"},
    "reference": "AQ-2026-0042",
    "lines": [{"description": "Drinking water", "quantity": "21 m³", "amount": "84.20"}],
}

#: a file of many bills has one of these on each line
JSON_BILL_LINE = json.dumps(JSON_BILL, ensure_ascii=False)

UBL_BILL = """\
<?xml version="1.0" encoding="UTF-8"?>
<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
         xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
         xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2">
  <cbc:CustomizationID>urn:cen.eu:en16931:2017</cbc:CustomizationID>
  <cbc:ID>AQ-2026-0042</cbc:ID>
  <cbc:IssueDate>2026-11-02</cbc:IssueDate>
  <cbc:DueDate>2026-12-02</cbc:DueDate>
  <cbc:InvoiceTypeCode>380</cbc:InvoiceTypeCode>
  <cbc:DocumentCurrencyCode>EUR</cbc:DocumentCurrencyCode>
  <cac:AccountingSupplierParty><cac:Party>
    <cac:PostalAddress><cac:Country><cbc:IdentificationCode>FR</cbc:IdentificationCode></cac:Country></cac:PostalAddress>
    <cac:PartyLegalEntity><cbc:RegistrationName>Aquarelle Eau SA</cbc:RegistrationName></cac:PartyLegalEntity>
  </cac:Party></cac:AccountingSupplierParty>
  <cac:AccountingCustomerParty><cac:Party>
    <cbc:EndpointID schemeID="EM">k3jq7m2xw5ta@space.quittance.example</cbc:EndpointID>
    <cac:PartyLegalEntity><cbc:RegistrationName>Camille Durand</cbc:RegistrationName></cac:PartyLegalEntity>
  </cac:Party></cac:AccountingCustomerParty>
  <cac:PaymentMeans>
    <cbc:PaymentMeansCode>58</cbc:PaymentMeansCode>
    <cbc:PaymentID>AQ-2026-0042</cbc:PaymentID>
    <cac:PayeeFinancialAccount>
      <cbc:ID>FR7630006000011234567890189</cbc:ID>
      <cbc:Name>Aquarelle Eau SA</cbc:Name>
    </cac:PayeeFinancialAccount>
  </cac:PaymentMeans>
  <cac:TaxTotal><cbc:TaxAmount currencyID="EUR">4.39</cbc:TaxAmount></cac:TaxTotal>
  <cac:LegalMonetaryTotal>
    <cbc:LineExtensionAmount currencyID="EUR">79.81</cbc:LineExtensionAmount>
    <cbc:TaxExclusiveAmount currencyID="EUR">79.81</cbc:TaxExclusiveAmount>
    <cbc:TaxInclusiveAmount currencyID="EUR">84.20</cbc:TaxInclusiveAmount>
    <cbc:PayableAmount currencyID="EUR">84.20</cbc:PayableAmount>
  </cac:LegalMonetaryTotal>
  <cac:InvoiceLine>
    <cbc:ID>1</cbc:ID>
    <cbc:InvoicedQuantity unitCode="MTQ">21</cbc:InvoicedQuantity>
    <cbc:LineExtensionAmount currencyID="EUR">79.81</cbc:LineExtensionAmount>
    <cac:Item><cbc:Name>Drinking water</cbc:Name></cac:Item>
  </cac:InvoiceLine>
</Invoice>
"""
