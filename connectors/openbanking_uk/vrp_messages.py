"""The JSON of variable recurring payments: limits that the customer approves once, and payments within them.

Resources and Data Models, VRP; the commercial types are those of the cVRP profile, whose messages are 4.0's. Customers
start every payment here: in their presence (InSession), or before, for a day of which the payment then says that nobody
is there (OffSession), where the consent was asked for that, too; without another approval at the bank (SCANotRequired).
References belong to payments: a consent that had one would fix it for all of them.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from connectors.capabilities import (
    COMMERCIAL,
    Alignment,
    PayerAccount,
    Period,
    PeriodicLimit,
    RecurringConsent,
    RecurringKind,
    ToldConsent,
)
from connectors.contract import ConsentStatus, PaymentOrder
from connectors.money import Money
from connectors.openbanking_uk import control_parameters, messages
from connectors.openbanking_uk.messages import Dialect
from connectors.openbanking_uk.status import CONSENTS
from connectors.strict_json import JsonObject, read_object, read_value

VRP_TYPES = {
    RecurringKind.SWEEPING: "UK.OBIE.VRPType.Sweeping",
    RecurringKind.OTHER: "UK.OBIE.VRPType.Other",
    RecurringKind.COMMERCIAL_1: "UK.OBIE.VRPType.CVRP1",
    RecurringKind.COMMERCIAL_2: "UK.OBIE.VRPType.CVRP2",
    RecurringKind.COMMERCIAL_3: "UK.OBIE.VRPType.CVRP3",
}
PERIOD_TYPES = {
    Period.DAY: "Day",
    Period.WEEK: "Week",
    Period.FORTNIGHT: "Fortnight",
    Period.MONTH: "Month",
    Period.HALF_YEAR: "Half-year",
    Period.YEAR: "Year",
}
ALIGNMENTS = {Alignment.CONSENT: "Consent", Alignment.CALENDAR: "Calendar"}
AUTHENTICATION = "UK.OBIE.SCANotRequired"
IN_SESSION, OFF_SESSION = "InSession", "OffSession"


def consent(wanted: RecurringConsent, *, dialect: Dialect) -> bytes:
    """OBDomesticVRPConsentRequest. Raises ValueError when the standard cannot carry it."""
    data = {
        "ReadRefundAccount": messages.yes_or_no(wanted.refund_account),
        "ControlParameters": _control_parameters(wanted, dialect=dialect),
        "Initiation": _initiation(wanted),
    }
    return messages.written({"Data": data, "Risk": _risk(wanted, dialect=dialect)})


def payment(order: PaymentOrder, *, wanted: RecurringConsent, consent_id: str, dialect: Dialect) -> bytes:
    """OBDomesticVRPRequest: one payment under an authorised consent, whose Initiation and Risk it repeats.

    Raises ValueError when the standard cannot carry it or the consent plainly does not cover it.
    """
    _check_covered(order, wanted)
    name = messages.identification(order.end_to_end_id)
    data = {
        "ConsentId": consent_id,
        "PSUAuthenticationMethod": AUTHENTICATION,
        "PSUInteractionType": OFF_SESSION if order.off_session else IN_SESSION,
        "VRPType": VRP_TYPES[wanted.kind],
        "Initiation": _initiation(wanted),
        "Instruction": {
            "InstructionIdentification": name,
            "EndToEndIdentification": name,
            "InstructedAmount": messages.instructed(order.amount),
            "CreditorAccount": messages.creditor(order.creditor_name, order.creditor_iban),
            **messages.remittance(order, dialect=dialect),
        },
    }
    return messages.written({"Data": data, "Risk": _risk(wanted, dialect=dialect)})


def read_told(body: bytes, *, asked: bytes) -> tuple[str, ToldConsent]:
    """OBDomesticVRPConsentResponse, beside the ConsentId that it names. Raises NotReadable."""
    consent_read = messages.read_consent(body)
    data, given = read_object(body).object("Data"), read_object(asked).object("Data")
    return consent_read.consent_id, ToldConsent(
        status=CONSENTS.get(consent_read.status, ConsentStatus.UNKNOWN),
        created_at=control_parameters.moment(data.text_or_none("CreationDateTime")),
        payer=_payer(data.object("DebtorAccount")),
        differences=control_parameters.differences(data, given),
        raw_response=_kept(body),
    )


def _kept(body: bytes) -> bytes:
    """What is kept of it: all but the payer's account, whose whole number stands in no history."""
    value = read_value(body)
    masked = _masked(value)
    return body if masked == value else json.dumps(masked, ensure_ascii=False, default=str).encode()


def _masked(value: Any) -> Any:
    """The same, with the last signs of each account's number that is a payer's, and nothing else of that."""
    if isinstance(value, list):
        return [_masked(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: _last_signs(each) if name == "DebtorAccount" else _masked(each) for name, each in value.items()}


def _last_signs(account: Any) -> dict[str, str | None]:
    read = JsonObject(account if isinstance(account, dict) else {})
    number = read.text_or_none("Identification") or ""
    return {"SchemeName": read.text_or_none("SchemeName"), "Identification": f"····{number[-4:]}"}


def _payer(account: JsonObject) -> PayerAccount | None:
    scheme, identification = account.text_or_none("SchemeName"), account.text_or_none("Identification")
    if not scheme or not identification:
        return None
    return PayerAccount(scheme=scheme, identification=identification, name=account.text_or_none("Name"))


def funds(consent_id: str, amount: Money) -> bytes:
    """OBVRPFundsConfirmationRequest. Raises ValueError."""
    data = {"ConsentId": consent_id, "InstructedAmount": messages.instructed(amount)}
    return messages.written({"Data": data})


def _initiation(wanted: RecurringConsent) -> dict[str, Any]:
    return {"CreditorAccount": messages.creditor(wanted.creditor_name, wanted.creditor_iban)}


def _control_parameters(wanted: RecurringConsent, *, dialect: Dialect) -> dict[str, Any]:
    """The time of the two dates counts for nothing; it is that of the day's edges all the same."""
    if dialect.is_v3 and wanted.kind in COMMERCIAL:
        raise ValueError("commercial recurring payments came with 4.0; this bank speaks 3.1: ask it for another kind")
    if not wanted.periodic_limits:
        raise ValueError("recurring payments need at least one periodic limit")
    if wanted.valid_to and wanted.valid_to < wanted.valid_from:
        message = f"the consent would end ({wanted.valid_to}) before it begins ({wanted.valid_from})"
        raise ValueError(message)
    ends = {"ValidToDateTime": messages.day(wanted.valid_to, dt.time(23, 59, 59))} if wanted.valid_to else {}
    return {
        "ValidFromDateTime": messages.day(wanted.valid_from, dt.time()),
        **ends,
        "MaximumIndividualAmount": messages.instructed(wanted.maximum_individual),
        "PeriodicLimits": [_limit(limit, wanted) for limit in _distinct(wanted.periodic_limits)],
        "VRPType": [VRP_TYPES[wanted.kind]],
        "PSUAuthenticationMethods": [AUTHENTICATION],
        "PSUInteractionTypes": [IN_SESSION, OFF_SESSION] if wanted.off_session else [IN_SESSION],
    }


def _distinct(limits: tuple[PeriodicLimit, ...]) -> tuple[PeriodicLimit, ...]:
    """One for each type of period: a bank may refuse two, though they be counted from different days."""
    if len({limit.period for limit in limits}) != len(limits):
        raise ValueError("two periodic limits are for the same period: keep the lower one")
    return limits


def _limit(limit: PeriodicLimit, wanted: RecurringConsent) -> dict[str, str]:
    """Fortnights have no place in a calendar."""
    if limit.period is Period.FORTNIGHT and limit.alignment is not Alignment.CONSENT:
        raise ValueError("a limit by the fortnight must be counted from the consent, not by the calendar")
    if limit.amount < wanted.maximum_individual:
        message = f"the limit by the {limit.period} is below the individual maximum ({wanted.maximum_individual})"
        raise ValueError(message)
    return {
        "PeriodType": PERIOD_TYPES[limit.period],
        "PeriodAlignment": ALIGNMENTS[limit.alignment],
        **messages.instructed(limit.amount),
    }


def _risk(wanted: RecurringConsent, *, dialect: Dialect) -> dict[str, Any]:
    """As for a bill, unless the money stays with the customer."""
    if wanted.kind is not RecurringKind.SWEEPING:
        return messages.risk(dialect)
    own = {"PaymentContextCode": "TransferToSelf", "BeneficiaryAccountType": "Personal"}
    return {**messages.risk(dialect), **own}


def _check_covered(order: PaymentOrder, wanted: RecurringConsent) -> None:
    if wanted.maximum_individual < order.amount:
        message = f"{order.amount} is above the consent's individual maximum, {wanted.maximum_individual}"
        raise ValueError(message)
    if (order.creditor_name, order.creditor_iban) != (wanted.creditor_name, wanted.creditor_iban):
        raise ValueError("the consent is for another payee: the customer must approve one for this payee first")
    if order.off_session and not wanted.off_session:
        raise ValueError("the consent is for payments while the customer is there, and for no others")
