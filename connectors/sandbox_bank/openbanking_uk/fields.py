"""The bodies that are sent to the API: what stands in them, and how. Each check raises ApiError."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.sandbox_bank.openbanking_uk import limits, risk
from connectors.sandbox_bank.openbanking_uk.answers import ApiError
from connectors.sandbox_bank.openbanking_uk.brands import Brand
from connectors.sandbox_bank.openbanking_uk.values import amount_of, moment, object_of, one_of, only, pence, text_of

SCHEME = "UK.OBIE.SortCodeAccountNumber"
#: how far ahead a scheduled payment may lie
SCHEDULED_DAYS_MAX = 365

_ACCOUNT = re.compile(r"\d{14}", re.ASCII)
_ACCOUNT_FIELDS = {"SchemeName", "Identification", "Name", "SecondaryIdentification"}

#: Faster Payments, which is how this bank pays
LOCAL_INSTRUMENT = "UK.OBIE.FPS"
NAME_CHARACTERS_MAX = 70
REFERENCE_CHARACTERS_MAX = 35
UNSTRUCTURED_CHARACTERS_MAX = 140

_CONSENT = {"Initiation", "ReadRefundAccount"}
_REFERENCES = {"InstructionIdentification", "EndToEndIdentification"}
_STANDING = {"CreditorAccount", "RemittanceInformation"}
_INITIATION = {*_REFERENCES, *_STANDING, "InstructedAmount", "LocalInstrument"}
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
    individual_minor = _control_parameters(data, brand, today=today)
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
    risk.check(body, brand)
    return data


def _control_parameters(data: Mapping[str, Any], brand: Brand, *, today: dt.date) -> int:
    at = "Data.ControlParameters."
    given = object_of(data, "ControlParameters", _CONTROL_PARAMETERS, "Data.")
    begins = moment(given, "ValidFromDateTime", at).date() if "ValidFromDateTime" in given else today
    if "ValidToDateTime" in given and moment(given, "ValidToDateTime", at).date() < max(begins, today):
        raise ApiError("U003", "ValidToDateTime lies before the beginning, or is past", path=f"{at}ValidToDateTime")
    _some_of(given, "VRPType", limits.vrp_types(brand.version))
    _some_of(given, "PSUAuthenticationMethods", limits.AUTHENTICATION_METHODS)
    if given.get("PSUInteractionTypes", []) != []:
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
    pence({"Amount": limit.get("Amount"), "Currency": limit.get("Currency")}, path)


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
    return initiation(data, "Instruction", brand, allowed=_INITIATION, required=_REFERENCES)


def initiation(data: Mapping[str, Any], name: str, brand: Brand, *, allowed: set[str], required: set[str]) -> int:
    """The amount in pence of an Initiation, or of an Instruction."""
    found, at = object_of(data, name, allowed, "Data."), f"Data.{name}."
    for reference in sorted(_REFERENCES & (required | found.keys())):
        text_of(found, reference, REFERENCE_CHARACTERS_MAX, at)
    if "LocalInstrument" in found:
        one_of(found, "LocalInstrument", [LOCAL_INSTRUMENT], at)
    creditor(found, at)
    _remittance(found, brand, at)
    return amount_of(found, "InstructedAmount", at)


def creditor(within: Mapping[str, Any], at: str) -> None:
    at = f"{at}CreditorAccount."
    account = object_of(within, "CreditorAccount", _ACCOUNT_FIELDS, at.removesuffix("CreditorAccount."))
    one_of(account, "SchemeName", [SCHEME], at)
    if _ACCOUNT.fullmatch(text_of(account, "Identification", 256, at)) is None:
        raise ApiError("U002", "sort code and account number are 14 digits", path=f"{at}Identification")
    text_of(account, "Name", NAME_CHARACTERS_MAX, at)
    if "SecondaryIdentification" in account:
        text_of(account, "SecondaryIdentification", 34, at)


def _remittance(within: Mapping[str, Any], brand: Brand, at: str) -> None:
    """4.0 has arrays and no Reference; 3.1 one text and a Reference. The official file of 4.0 does not refuse that."""
    if "RemittanceInformation" not in within:
        return
    at = f"{at}RemittanceInformation"
    told = within["RemittanceInformation"]
    most = {"Unstructured": UNSTRUCTURED_CHARACTERS_MAX}
    most |= {"Structured": 0} if brand.version == "4.0" else {"Reference": REFERENCE_CHARACTERS_MAX}
    kind = list if brand.version == "4.0" else str
    if not isinstance(told, dict) or told.keys() - most or not all(isinstance(each, kind) for each in told.values()):
        raise ApiError("U005", f"RemittanceInformation is not that of {brand.version}", path=at)
    if brand.version == "3.1":
        for name in told:
            text_of(told, name, most[name], f"{at}.")
        return
    for text in told.get("Unstructured", []):
        text_of({"Unstructured": text}, "Unstructured", most["Unstructured"], f"{at}.")
    for each in told.get("Structured", []):
        _structured({"Structured": each}, f"{at}.")


def _structured(within: Mapping[str, Any], at: str) -> None:
    """The creditor's reference, of all that may stand there."""
    found = object_of(within, "Structured", {"CreditorReferenceInformation"}, at)
    reference = object_of(found, "CreditorReferenceInformation", {"Reference"}, f"{at}Structured.")
    text_of(reference, "Reference", REFERENCE_CHARACTERS_MAX, f"{at}Structured.CreditorReferenceInformation.")
