"""The bodies that are sent to the API: what stands in them, and how. Each check raises ApiError."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.sandbox_bank.openbanking_uk import limits
from connectors.sandbox_bank.openbanking_uk.answers import ApiError
from connectors.sandbox_bank.openbanking_uk.brands import Brand

SCHEME = "UK.OBIE.SortCodeAccountNumber"
#: how far ahead a scheduled payment may lie
SCHEDULED_DAYS_MAX = 365

_AMOUNT = re.compile(r"\d{1,13}(\.\d{1,5})?")
_DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})")
_ACCOUNT = re.compile(r"\d{14}")

_CONSENT = {"Initiation", "ReadRefundAccount", "Authorisation", "SCASupportData"}
_REFERENCES = {"InstructionIdentification", "EndToEndIdentification"}
_PARTIES = {"CreditorPostalAddress", "CreditorAgent", "UltimateCreditor", "UltimateDebtor", "RegulatoryReporting"}
_INITIATION = {
    *_REFERENCES,
    *_PARTIES,
    "InstructedAmount",
    "CreditorAccount",
    "LocalInstrument",
    "RemittanceInformation",
}
_STANDING = {*_PARTIES, "CreditorAccount", "RemittanceInformation"}
_CONTROL_PARAMETERS = {
    "ValidFromDateTime",
    "ValidToDateTime",
    "MaximumIndividualAmount",
    "PeriodicLimits",
    "VRPType",
    "PSUAuthenticationMethods",
    "PSUInteractionTypes",
}


# ------------------------------------------------------------------------------------------------------------- consents


def consent(body: Mapping[str, Any], brand: Brand) -> int:
    """The amount in pence of an OBWriteDomesticConsent4."""
    data = _consent(body, brand, _CONSENT)
    return initiation(data, "Initiation", brand, allowed=_INITIATION, required=_REFERENCES)


def scheduled_consent(body: Mapping[str, Any], brand: Brand, *, now: dt.datetime) -> int:
    """The amount in pence of an OBWriteDomesticScheduledConsent4."""
    data = _consent(body, brand, {*_CONSENT, "Permission"})
    if data.get("Permission") != "Create":
        raise ApiError("U002", "Permission must be Create", path="Data.Permission")
    allowed = {*_INITIATION, "RequestedExecutionDateTime"}
    amount_minor = initiation(data, "Initiation", brand, allowed=allowed, required={"InstructionIdentification"})
    when = moment(data["Initiation"], "RequestedExecutionDateTime", "Data.Initiation.")
    if not now < when <= now + dt.timedelta(days=SCHEDULED_DAYS_MAX):
        text = f"RequestedExecutionDateTime must lie ahead, by at most {SCHEDULED_DAYS_MAX} days"
        raise ApiError("U003", text, path="Data.Initiation.RequestedExecutionDateTime")
    return amount_minor


def vrp_consent(body: Mapping[str, Any], brand: Brand, *, today: dt.date) -> int:
    """The largest amount, in pence, of a payment under an OBDomesticVRPConsentRequest."""
    data = _consent(body, brand, {"Initiation", "ReadRefundAccount", "ControlParameters"})
    individual_minor = _control_parameters(data, today=today)
    fixed = object_of(data, "Initiation", _STANDING, "Data.")
    _remittance(fixed, brand, "Data.Initiation.")
    if "CreditorAccount" in fixed:
        creditor(fixed, "Data.Initiation.")
    elif "UK.OBIE.VRPType.Sweeping" in data["ControlParameters"]["VRPType"]:
        raise ApiError("U004", "CreditorAccount is missing, for sweeping", path="Data.Initiation.CreditorAccount")
    return individual_minor


def _consent(body: Mapping[str, Any], brand: Brand, allowed: set[str]) -> Mapping[str, Any]:
    only(body, {"Data", "Risk"}, "")
    data = object_of(body, "Data", allowed)
    if data.get("ReadRefundAccount", "No") not in ("Yes", "No"):
        raise ApiError("U002", "ReadRefundAccount is Yes or No", path="Data.ReadRefundAccount")
    risk = object_of(body, "Risk", None)
    right = brand.version == "4.0" or brand.correct_contract_indicator
    wrong = "ContractPresentInidicator" if right else "ContractPresentIndicator"
    if wrong in risk:
        raise ApiError("U005", f"{wrong} is not a field of this version", path=f"Risk.{wrong}")
    return data


def _control_parameters(data: Mapping[str, Any], *, today: dt.date) -> int:
    at = "Data.ControlParameters."
    given = object_of(data, "ControlParameters", _CONTROL_PARAMETERS, "Data.")
    begins = moment(given, "ValidFromDateTime", at).date() if "ValidFromDateTime" in given else today
    if "ValidToDateTime" in given and moment(given, "ValidToDateTime", at).date() < max(begins, today):
        raise ApiError("U003", "ValidToDateTime lies before the beginning, or is past", path=f"{at}ValidToDateTime")
    _some_of(given, "VRPType", limits.VRP_TYPES)
    _some_of(given, "PSUAuthenticationMethods", limits.AUTHENTICATION_METHODS)
    if given.get("PSUInteractionTypes"):
        _some_of(given, "PSUInteractionTypes", limits.INTERACTION_TYPES)
    periodic = given.get("PeriodicLimits")
    if not isinstance(periodic, list) or not periodic:
        raise ApiError("U004", "PeriodicLimits has one limit at least", path=f"{at}PeriodicLimits")
    for number, limit in enumerate(periodic):
        _periodic_limit(limit, f"{at}PeriodicLimits[{number}]")
    return amount_of(given, "MaximumIndividualAmount", at)


def _periodic_limit(limit: Any, path: str) -> None:
    if not isinstance(limit, dict):
        raise ApiError("U010", "a limit is an object", path=path)
    only(limit, {"PeriodType", "PeriodAlignment", "Amount", "Currency"}, f"{path}.")
    one_of(limit, "PeriodType", limits.PERIOD_TYPES, f"{path}.")
    one_of(limit, "PeriodAlignment", limits.ALIGNMENTS, f"{path}.")
    if limit["PeriodType"] == "Fortnight" and limit["PeriodAlignment"] == "Calendar":
        raise ApiError("U002", "a fortnight is aligned with the consent", path=f"{path}.PeriodAlignment")
    _pence({"Amount": limit.get("Amount"), "Currency": limit.get("Currency")}, path)


def _some_of(given: Mapping[str, Any], name: str, known: Sequence[str]) -> None:
    found = given.get(name)
    path = f"Data.ControlParameters.{name}"
    if not isinstance(found, list) or not found:
        raise ApiError("U004", f"{name} has one member at least", path=path)
    if not all(each in known for each in found):
        raise ApiError("U002", f"{name} are of {', '.join(known)}", path=path)


# ------------------------------------------------------------------------------------------------------------- payments


def instruction(data: Mapping[str, Any], brand: Brand) -> int:
    """The amount in pence of an OBDomesticVRPInstruction."""
    allowed = _INITIATION - {"UltimateDebtor", "RegulatoryReporting"}
    return initiation(data, "Instruction", brand, allowed=allowed, required=_REFERENCES)


def initiation(data: Mapping[str, Any], name: str, brand: Brand, *, allowed: set[str], required: set[str]) -> int:
    """The amount in pence of an Initiation, or of an Instruction."""
    found, at = object_of(data, name, allowed, "Data."), f"Data.{name}."
    for reference in sorted(_REFERENCES & (required | found.keys())):
        text_of(found, reference, 35, at)
    creditor(found, at)
    _remittance(found, brand, at)
    return amount_of(found, "InstructedAmount", at)


def creditor(within: Mapping[str, Any], at: str) -> None:
    account = object_of(within, "CreditorAccount", None, at)
    if account.get("SchemeName") != SCHEME or _ACCOUNT.fullmatch(str(account.get("Identification", ""))) is None:
        raise ApiError("U002", "only sort code and account number, 14 digits", path=f"{at}CreditorAccount")
    if not account.get("Name"):
        raise ApiError("U004", "the payee's name is missing", path=f"{at}CreditorAccount.Name")
    text_of(account, "Name", 350, f"{at}CreditorAccount.")


def _remittance(within: Mapping[str, Any], brand: Brand, at: str) -> None:
    """4.0 has arrays and no Reference; 3.1 one text and a Reference. The official file of 4.0 does not refuse that."""
    told = within.get("RemittanceInformation", {})
    wanted = {"Unstructured", "Structured"} if brand.version == "4.0" else {"Unstructured", "Reference"}
    kind = list if brand.version == "4.0" else str
    if not isinstance(told, dict) or told.keys() - wanted or not all(isinstance(each, kind) for each in told.values()):
        text = f"RemittanceInformation is not that of {brand.version}"
        raise ApiError("U005", text, path=f"{at}RemittanceInformation")


# ----------------------------------------------------------------------------------------------------------- what is in


def amount_of(within: Mapping[str, Any], name: str, at: str) -> int:
    """In pence."""
    return _pence(object_of(within, name, {"Amount", "Currency"}, at), f"{at}{name}")


def _pence(amount: Mapping[str, Any], path: str) -> int:
    text = amount.get("Amount")
    if not isinstance(text, str) or _AMOUNT.fullmatch(text) is None or amount.get("Currency") != "GBP":
        raise ApiError("U002", "an amount of GBP, as text", path=path)
    if text.partition(".")[2][2:].strip("0") or limits.pence(text) == 0:
        raise ApiError("U002", "whole pence, more than none", path=path)
    return limits.pence(text)


def moment(within: Mapping[str, Any], name: str, at: str) -> dt.datetime:
    """An ISODateTime with its offset."""
    text = within.get(name)
    try:
        if isinstance(text, str) and _DATE_TIME.fullmatch(text):
            return dt.datetime.fromisoformat(text)
    except ValueError:
        pass
    raise ApiError("U003", f"{name} is a date and time with its offset", path=f"{at}{name}")


def text_of(within: Mapping[str, Any], name: str, most: int, at: str) -> str:
    value = within.get(name)
    if value is None:
        raise ApiError("U004", f"{name} is missing", path=f"{at}{name}")
    if not isinstance(value, str) or not 1 <= len(value) <= most:
        raise ApiError("U002", f"{name} has 1 to {most} characters", path=f"{at}{name}")
    return value


def one_of(within: Mapping[str, Any], name: str, known: Sequence[str], at: str) -> str:
    value = within.get(name)
    if value is None:
        raise ApiError("U004", f"{name} is missing", path=f"{at}{name}")
    if value not in known:
        raise ApiError("U002", f"{name} is one of {', '.join(known)}", path=f"{at}{name}")
    return str(value)


def object_of(within: Mapping[str, Any], name: str, allowed: set[str] | None, at: str = "") -> Mapping[str, Any]:
    found = within.get(name)
    if not isinstance(found, dict):
        raise ApiError("U004", f"{name} is missing", path=f"{at}{name}")
    if allowed is not None:
        only(found, allowed, f"{at}{name}.")
    return found


def only(found: Mapping[str, Any], allowed: set[str], at: str) -> None:
    unknown = found.keys() - allowed
    if unknown:
        raise ApiError("U005", f"{min(unknown)} is not a field here, or not at this bank", path=f"{at}{min(unknown)}")
