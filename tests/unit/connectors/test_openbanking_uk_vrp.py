"""What recurring payments can carry, written letter by letter; and what is refused before anything is sent."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from connectors.capabilities import Alignment, Period, PeriodicLimit, RecurringKind
from connectors.money import Money
from connectors.openbanking_uk import scheduled, vrp_messages
from connectors.openbanking_uk.messages import Dialect
from tests.support.openbanking_uk import consent, limit, order

V4, V3 = Dialect(), Dialect(version="3.1")
DAY = dt.date(2026, 12, 24)


def test_a_consent_says_what_the_customer_allowed() -> None:
    wanted = consent(
        periodic_limits=(limit(), limit(Period.YEAR, Alignment.CONSENT, 200_000)),
        valid_from=DAY,
        valid_to=dt.date(2027, 12, 23),
        refund_account=True,
    )
    assert json.loads(vrp_messages.consent(wanted, dialect=V4)) == {
        "Data": {
            "ReadRefundAccount": "Yes",
            "ControlParameters": {
                "ValidFromDateTime": "2026-12-24T00:00:00+00:00",
                "ValidToDateTime": "2027-12-23T23:59:59+00:00",
                "MaximumIndividualAmount": {"Amount": "150.00", "Currency": "GBP"},
                "PeriodicLimits": [
                    {"PeriodType": "Month", "PeriodAlignment": "Calendar", "Amount": "300.00", "Currency": "GBP"},
                    {"PeriodType": "Year", "PeriodAlignment": "Consent", "Amount": "2000.00", "Currency": "GBP"},
                ],
                "VRPType": ["UK.OBIE.VRPType.Other"],
                "PSUAuthenticationMethods": ["UK.OBIE.SCANotRequired"],
                "PSUInteractionTypes": ["InSession"],
            },
            "Initiation": {
                "CreditorAccount": {
                    "SchemeName": "UK.OBIE.SortCodeAccountNumber",
                    "Identification": "60161331926819",
                    "Name": "Lumen Energy Ltd",
                },
            },
        },
        "Risk": {
            "PaymentContextCode": "BillingGoodsAndServicesInArrears",
            "ContractPresentIndicator": True,
            "BeneficiaryPrepopulatedIndicator": True,
            "BeneficiaryAccountType": "Business",
        },
    }


def test_a_payment_says_what_the_customer_confirmed() -> None:
    made = order(remittance_structured="RF18539007547034")
    data = json.loads(vrp_messages.payment(made, wanted=consent(), consent_id="c-1", dialect=V4))["Data"]
    assert data["Instruction"] == {
        "InstructionIdentification": "pay0123456789abcdef0123456789abcdef",
        "EndToEndIdentification": "pay0123456789abcdef0123456789abcdef",
        "InstructedAmount": {"Amount": "84.20", "Currency": "GBP"},
        "CreditorAccount": data["Initiation"]["CreditorAccount"],
        "RemittanceInformation": {
            "Unstructured": ["Energy for October, account 4711"],
            "Structured": [{"CreditorReferenceInformation": {"Reference": "RF18539007547034"}}],
        },
    }
    assert (data["ConsentId"], data["VRPType"]) == ("c-1", "UK.OBIE.VRPType.Other")
    assert (data["PSUAuthenticationMethod"], data["PSUInteractionType"]) == ("UK.OBIE.SCANotRequired", "InSession")
    assert "RemittanceInformation" not in data["Initiation"]  # else all payments would have to carry the same


def test_where_a_later_day_may_be_signed_the_consent_says_so_and_the_payment_says_that_nobody_is_there() -> None:
    wanted = consent(off_session=True)
    asked = json.loads(vrp_messages.consent(wanted, dialect=V4))["Data"]["ControlParameters"]
    assert asked["PSUInteractionTypes"] == ["InSession", "OffSession"]
    made = order(off_session=True)
    data = json.loads(vrp_messages.payment(made, wanted=wanted, consent_id="c-1", dialect=V4))["Data"]
    assert data["PSUInteractionType"] == "OffSession"
    here = json.loads(vrp_messages.payment(order(), wanted=wanted, consent_id="c-1", dialect=V4))["Data"]
    assert here["PSUInteractionType"] == "InSession"
    with pytest.raises(ValueError, match="while the customer is there"):
        vrp_messages.payment(made, wanted=consent(), consent_id="c-1", dialect=V4)


def test_a_payment_in_the_words_of_3_1() -> None:
    made = order(remittance_structured="RF18539007547034")
    instruction = json.loads(vrp_messages.payment(made, wanted=consent(), consent_id="c-1", dialect=V3))["Data"]
    assert instruction["Instruction"]["RemittanceInformation"] == {
        "Unstructured": "Energy for October, account 4711",
        "Reference": "RF18539007547034",
    }


def test_sweeping_is_no_bill() -> None:
    body = json.loads(vrp_messages.consent(consent(kind=RecurringKind.SWEEPING), dialect=V4))
    assert body["Data"]["ControlParameters"]["VRPType"] == ["UK.OBIE.VRPType.Sweeping"]
    assert body["Risk"]["PaymentContextCode"] == "TransferToSelf"
    assert body["Risk"]["BeneficiaryAccountType"] == "Personal"


def euro(minor: int) -> Money:
    return Money(minor, "EUR")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"maximum_individual": Money(0, "GBP")}, "0.01"),
        ({"maximum_individual": Money(-1, "GBP")}, "0.01"),
        ({"maximum_individual": Money(100_000_001, "GBP")}, "1000000.00"),
        ({"maximum_individual": euro(15_000)}, "GBP"),
        ({"periodic_limits": ()}, "at least one periodic limit"),
        ({"periodic_limits": (limit(), limit(minor=40_000))}, "keep the lower one"),
        ({"periodic_limits": (limit(minor=14_999),)}, "below the individual maximum"),
        ({"periodic_limits": (limit(minor=100_000_001),)}, "1000000.00"),
        (
            {"periodic_limits": (PeriodicLimit(period=Period.DAY, alignment=Alignment.CONSENT, amount=euro(9)),)},
            "mixed",
        ),
        ({"periodic_limits": (limit(Period.FORTNIGHT),)}, "counted from the consent"),
        ({"valid_from": DAY, "valid_to": DAY - dt.timedelta(days=1)}, "before it begins"),
        ({"creditor_iban": "FR1420041010050500013M02606"}, "UK account"),
        ({"creditor_iban": "GB29NWBK60161331926818"}, "UK account"),
        ({"creditor_name": "x" * 71}, "payee's name"),
        ({"creditor_name": " "}, "payee's name"),
        ({"creditor_name": "Lumen\u202eEnergy"}, "printable"),
    ],
)
def test_a_consent_that_cannot_be_carried_is_refused(changes: dict[str, Any], named: str) -> None:
    for dialect in (V4, V3):
        with pytest.raises(ValueError, match=named):
            vrp_messages.consent(consent(**changes), dialect=dialect)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"amount": Money(15_001, "GBP")}, "above the consent's individual maximum"),
        ({"amount": Money(0, "GBP")}, "0.01"),
        ({"amount": euro(8420)}, "mixed"),
        ({"creditor_name": "Lumen Energy Limited"}, "another payee"),
        ({"creditor_iban": "GB33BUKB20201555555555"}, "another payee"),
        ({"end_to_end_id": "x" * 36}, "EndToEndIdentification"),
        ({"end_to_end_id": ""}, "EndToEndIdentification"),
        ({"remittance_unstructured": "x" * 141}, "remittance"),
        ({"remittance_unstructured": None, "remittance_structured": "x" * 19}, "reference"),
    ],
)
def test_a_payment_that_the_consent_does_not_cover_is_refused(changes: dict[str, Any], named: str) -> None:
    for dialect in (V4, V3):
        with pytest.raises(ValueError, match=named):
            vrp_messages.payment(order(**changes), wanted=consent(), consent_id="c-1", dialect=dialect)


@given(st.integers(-10, 200_000), st.integers(1, 100_000))
def test_no_payment_is_above_the_individual_maximum(minor: int, maximum: int) -> None:
    wanted = consent(maximum_individual=Money(maximum, "GBP"), periodic_limits=(limit(minor=100_000),))
    made = order(amount=Money(minor, "GBP"))
    if 1 <= minor <= maximum:
        said = json.loads(vrp_messages.payment(made, wanted=wanted, consent_id="c-1", dialect=V4))
        assert said["Data"]["Instruction"]["InstructedAmount"]["Amount"] == f"{minor // 100}.{minor % 100:02}"
    else:
        with pytest.raises(ValueError, match=r"above|0\.01"):
            vrp_messages.payment(made, wanted=wanted, consent_id="c-1", dialect=V4)


@given(st.sampled_from(["JPY", "KWD", "EUR", "USD"]), st.integers(1, 10_000))
def test_no_other_currency_is_carried(currency: str, minor: int) -> None:
    """Nor one with another number of digits than the pound's."""
    with pytest.raises(ValueError, match="GBP"):
        vrp_messages.funds("c-1", Money(minor, currency))


def test_the_payers_account_is_told_and_does_not_stand_in_what_is_kept() -> None:
    account = {
        "SchemeName": "UK.OBIE.SortCodeAccountNumber",
        "Identification": "99999941726053",
        "SecondaryIdentification": "R0LL 17",
        "Name": "C Laurent",
        "Proxy": {"Identification": "+447700900123"},
    }
    data = {"ConsentId": "c-1", "Status": "AUTH", "CreationDateTime": "2026-11-23T10:00:00+00:00"}
    within = {**data, "DebtorAccount": account, "Initiation": {"DebtorAccount": account}}
    _, told = vrp_messages.read_told(json.dumps({"Data": within}).encode(), asked=b'{"Data":{}}')
    assert told.payer is not None
    assert (told.payer.identification, told.payer.name) == ("99999941726053", "C Laurent")
    masked = {"SchemeName": "UK.OBIE.SortCodeAccountNumber", "Identification": "····6053"}
    kept = {**data, "DebtorAccount": masked, "Initiation": {"DebtorAccount": masked}}
    assert json.loads(told.raw_response) == {"Data": kept}


def test_what_names_no_account_is_kept_letter_by_letter() -> None:
    body = b'{"Data": {"ConsentId":"c-1", "Status":"AUTH" ,"More": [1.50]}}'
    assert vrp_messages.read_told(body, asked=b'{"Data":{}}')[1].raw_response == body


@given(st.dates(), st.sampled_from([V4, V3]))
def test_a_scheduled_payment_says_its_day(day: dt.date, dialect: Dialect) -> None:
    assume(day.year >= 1000)
    agreed = json.loads(scheduled.consent(order(), day, dialect=dialect))
    submitted = json.loads(scheduled.payment(order(), day, consent_id="c-1", dialect=dialect))
    assert agreed["Data"]["Permission"] == "Create"
    assert agreed["Data"]["Initiation"]["RequestedExecutionDateTime"] == f"{day.isoformat()}T00:00:00+00:00"
    assert submitted["Data"] == {"ConsentId": "c-1", "Initiation": agreed["Data"]["Initiation"]}
    assert submitted["Risk"] == agreed["Risk"]
