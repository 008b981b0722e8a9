"""The official samples: no value of any bill read wrongly, every refusal known by name."""

from __future__ import annotations

import csv
import io
import re
from decimal import Decimal
from pathlib import Path

import pytest

from app.journey.intake import table
from tests.support.shared import shared_folder

pytestmark = [pytest.mark.shared, pytest.mark.slow]

#: Not the file's doing: what two routes through the official mapping agreed on is no reading of ours.
JUDGES = {"rf_valid", "rules", "fatal_rules", "n_warnings", "valid", "disposition_hint", "route_b_agrees", "pdf_level"}
#: Columns that we have in another way: a bill has one number of its buyer, and falls back to the name of a party.
OTHERWISE = {"buyer_id", "buyer_name", "amount_due_ccy_attr", "skonto", "cii_discount_terms", "ubl_discount_terms"}
MONEY = {"amount_due", "total_with_vat", "prepaid", "rounding"}
#: A word in capitals that begins like an IBAN; the sample's own judge looks at its country, too.
NOT_COMPARED = {
    ("made__ubl_ref__be-ogm.xml", "payee_account_valid_iban"),
    ("cen-cii__XRechnung-O.xml", "buyer_endpoint_scheme"),
}

#: Accounts that are IBANs somebody made up; the official rules look at no check digits.
MADE_UP_IBANS = re.compile(
    r"DK1212341234123412|SE1212341234123412|NL11 ?BANK|NL15ABNA|DE12 ?12|DE5467894567876500|DE20500800300711318301"
)
#: file → code of its refusal; all others but the made-up IBANs are read
REFUSED = {
    # the document is in NOK, its amounts in EUR
    "ehf__payment-request-3.0__PaymentRequest-example-2.xml": "currency-refused",
    # two accounts in one payment means; two legal entities of one party; two electronic addresses
    "mustang__not_validating_full_invoice_based_onTest_EeISI_300_CENfullmodel.ubl.xml": "element-doubled",
    "mustang__not_validating_full_invoice_based_onTest_EeISI_300_CENfullmodel.cii.xml": "element-doubled",
    "nl-si__SI-UBL-2.0_UBL-SR-09_error_multiple_legalentity_registrationname.xml": "element-doubled",
    "nl-si__SI-UBL-2.0_UBL-SR-17_error_multiple_legalentity_companyid.xml": "element-doubled",
    "mustang__Extended_fremdwaehrung.xml": "element-doubled",
    # made to break BR-CO-16 and BR-DEX-09: 337.04 and 29.96 of third parties, but nothing due
    "xr-gen__ubl-inv-br-dex-09-test-3-271-code-0.xml": "amounts-do-not-add-up",
    # elements where their schema has none, and one of a namespace that does not exist
    "mustang__periods.ubl.xml": "structure-refused",
    "peppol-bis__GR-base-example-TaxRepresentative.xml": "structure-refused",
    "peppol-bis__GR-base-example-correct.xml": "structure-refused",
    "pint__billing__CompleteSample_LHDN-CreditNote.xml": "structure-refused",
    "horstoeko__xml_issue_268.xml": "structure-refused",
    "zf-corpus__Mustangproject__MustangGnuaccountingBeispielRE-20190610_507a.pdf": "structure-refused",
    "mustang__ZUGFeRD2_EXTENDED_Warenrechnung.xml": "element-missing",
    "zf-csharp__zugferd_23_local_namespaces.xml": "element-missing",
}

NOT_BILLS = {
    "fragment_invalid/unit__cen-unit-cii__BR-CO-15__CrossIndustryInvoice__error.xml": "element-missing",
    "fragment_invalid/unit__cen-unit__BR-02__CreditNote__error.xml": "element-missing",
    "fragment_invalid/unit__cen-unit__BR-02__Invoice__error.xml": "element-missing",
    "fragment_invalid/unit__cen-unit__BR-50__CreditNote__error.xml": "element-missing",
    "fragment_invalid/unit__cen-unit__BR-50__Invoice__error.xml": "element-missing",
    "fragment_invalid/unit__cen-unit__BR-CL-04__Invoice__error.xml": "currency-refused",
    "fragment_invalid/unit__cen-unit__BR-CL-16__CreditNote__error.xml": "element-missing",
    "fragment_invalid/unit__cen-unit__BR-CL-16__Invoice__error.xml": "element-missing",
    "fragment_invalid/unit__cen-unit__BR-CO-10__Invoice__error.xml": "element-missing",
    "fragment_invalid/unit__cen-unit__BR-CO-15__CreditNote__error.xml": "element-missing",
    "fragment_invalid/unit__cen-unit__BR-CO-15__Invoice__error.xml": "element-missing",
    "fragment_invalid/unit__cen-unit__BR-CO-16__Invoice__error.xml": "element-missing",
    "fragment_invalid/unit__cen-unit__BR-CO-26__Invoice__error.xml": "element-missing",
    "fragment_invalid/unit__peppol-unit__PEPPOL-EN16931-R061__Invoice__error.xml": "element-missing",
    "not_invoice/drafthorse__Empty.pdf": "no-structured-data",
    "not_invoice/drafthorse__invoice_pdf17.pdf": "no-structured-data",
    "not_invoice/horstoeko__00_ZugferdDocumentPdfBuilder_PrintLayout.pdf": "no-structured-data",
    "not_invoice/horstoeko__pdf_invalid.pdf": "no-structured-data",
    "not_invoice/horstoeko__xml_dummy.xml": "not-a-bill",
    "not_invoice/moov-iso__invalid_pain_v11.xml": "not-a-bill",
    "not_invoice/mustang__MustangGnuaccountingBeispielRE-20170509_505PDFA3.pdf": "no-structured-data",
    "not_invoice/mustang__MustangGnuaccountingBeispielRE-20190610_507blanko.pdf": "no-structured-data",
    "not_invoice/mustang__MustangGnuaccountingBeispielRE-20201121_508blankoA3.pdf": "no-structured-data",
    "not_invoice/zf-corpus__Mustangproject__MustangGnuaccountingBeispielRE-20140519_499.pdf": "not-a-bill",
    "not_invoice/zf240__Taxi_Quittung.pdf": "no-structured-data",
    "zugferd1_legacy/zf-corpus__Mustangproject__MustangGnuaccountingBeispielRE-20140703_502.pdf": "not-a-bill",
    "zugferd1_legacy/zf-corpus__fail__MustangRE-20171118_506_ZUGFeRD1and2.pdf": "element-doubled",
    "zugferd1_legacy/zf-csharp__ZUGFeRD_1p0_COMFORT_Einfach.xml": "not-a-bill",
    "zugferd1_legacy/zf-csharp__ZUGFeRD_1p0_COMFORT_Rabatte.xml": "not-a-bill",
}


def samples() -> Path:
    return shared_folder() / "samples"


def expected_rows() -> dict[str, dict[str, str]]:
    """Those of which the file is here."""
    with (samples() / "expected_invoices.csv").open(encoding="utf-8") as file:
        return {row["file"]: row for row in csv.DictReader(file) if (samples() / row["file"]).is_file()}


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, str]]:
    """What `quittance read` says of each sample."""
    out = io.StringIO()
    files = {str(samples() / name): name for name in expected_rows()}
    table.write(files, out)
    return {files[row["file"]]: row for row in csv.DictReader(io.StringIO(out.getvalue()))}


def same(column: str, expected: str, got: str) -> bool:
    """In the sense of samples/compare.py."""
    if column in MONEY and expected and got:
        return Decimal(expected) == Decimal(got)
    if column == "payee_account":
        return _accounts(expected) == _accounts(got)
    if column == "payee_account_valid_iban":
        return set(expected.split("|")) == set(got.split("|"))
    return " ".join(expected.split()) == " ".join(got.split())


def _accounts(value: str) -> set[str]:
    return {each.replace(" ", "").upper() for each in value.split("|")}


def test_no_value_of_any_sample_is_read_wrongly(found: dict[str, dict[str, str]]) -> None:
    wrong, read = [], 0
    for name, expected in expected_rows().items():
        got = found[name]
        if got["refused"]:
            continue
        read += 1
        columns = (expected.keys() & got.keys()) - JUDGES - OTHERWISE - {"file"}
        wrong += [
            (Path(name).name, column, expected[column], got[column])
            for column in columns
            if not same(column, expected[column], got[column]) and (Path(name).name, column) not in NOT_COMPARED
        ]
    assert wrong == []
    assert read == 217


def test_exactly_these_samples_are_refused(found: dict[str, dict[str, str]]) -> None:
    refused = {Path(name).name: row["refused"] for name, row in found.items() if row["refused"]}
    made_up = {
        name: reason
        for name, reason in refused.items()
        if reason.startswith("account-refused") and MADE_UP_IBANS.search(reason)
    }
    assert {name: reason.partition(":")[0] for name, reason in refused.items() if name not in made_up} == REFUSED
    assert len(made_up) == 39


def test_what_is_no_whole_bill_is_refused() -> None:
    train = samples() / "train"
    folders = ("fragment_invalid", "not_invoice", "zugferd1_legacy")
    paths = [path for folder in folders for path in (train / folder).iterdir()]
    refused = {str(path.relative_to(train)): table.row(path).get("refused", "").partition(":")[0] for path in paths}
    assert refused == NOT_BILLS
