"""The JSON that the API answers with, in both dialects: consents, payments, details, funds."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from connectors.sandbox_bank.context import iso_utc
from connectors.sandbox_bank.openbanking_uk.brands import Brand
from connectors.sandbox_bank.openbanking_uk.fields import SCHEME
from connectors.sandbox_bank.openbanking_uk.payments import SCHEDULED, VRP, Consent, Payment
from connectors.sandbox_bank.openbanking_uk.people import Account
from connectors.sandbox_bank.scenarios import Reason

#: A standing consent that the bank cancelled, or that is over, stays Authorised in 3.1: its enumeration has no more.
_CONSENT_V3 = {
    "AWAU": "AwaitingAuthorisation",
    "AUTH": "Authorised",
    "COND": "Consumed",
    "RJCT": "Rejected",
    "CANC": "Authorised",
    "EXPD": "Authorised",
}
_PAYMENT_V3 = {
    "RCVD": "Pending",
    "PDNG": "Pending",
    "ACSP": "AcceptedSettlementInProcess",
    "ACSC": "AcceptedSettlementCompleted",
    "ACCC": "AcceptedCreditSettlementCompleted",
    "RJCT": "Rejected",
}
#: 3.1 says no more of a scheduled payment than that it is set up
_SCHEDULED_V3 = {
    "RCVD": "InitiationPending",
    "PDNG": "InitiationPending",
    "ACTC": "InitiationCompleted",
    "ACSP": "InitiationCompleted",
    "ACSC": "InitiationCompleted",
    "RJCT": "InitiationFailed",
    "CANC": "Cancelled",
}
_DETAILS_V3 = {**_PAYMENT_V3, "ACTC": "AcceptedTechnicalValidation"}
#: ISO 20022 ExternalStatusReason1Code
_REASONS = {
    Reason.NO_FUNDS: ("AM04", "There is not enough money in the account."),
    Reason.REJECTED_LATER: ("NARR", "The payment was stopped by the bank."),
    Reason.REVERSED: ("NARR", "The payment was taken back."),
}


def of_consent(brand: Brand, consent: Consent, account: Account | None, *, now_ms: int) -> dict[str, Any]:
    """Of each kind. ``account``: that the customer chose."""
    status, given = _told(brand, consent.status_at(now_ms)), consent.body["Data"]
    kept = ("Permission", "ReadRefundAccount", "ControlParameters", "Initiation", "Authorisation", "SCASupportData")
    data = {
        "ConsentId": consent.consent_id,
        "CreationDateTime": iso_utc(consent.created_ms),
        "Status": status,
        "StatusUpdateDateTime": iso_utc(consent.changed_ms),
        **{name: given[name] for name in kept if name in given},
    }
    if account is not None:
        data["DebtorAccount" if consent.kind is VRP else "Debtor"] = of_account(account)
    return {"Data": data, "Risk": consent.body["Risk"]}


def _told(brand: Brand, status: str) -> str:
    if is_v3(brand):
        return _CONSENT_V3[status]
    return "AUTH" if status == "CANC" and brand.cancelled_told_authorised else status


def of_payment(brand: Brand, payment: Payment, account: Account, *, told: str | None, now_ms: int) -> dict[str, Any]:
    """Of each kind. ``told``: another status than is true."""
    true, reason, since = payment.status_at(now_ms)
    given = payment.body["Data"]
    data: dict[str, Any] = {
        payment.kind.id_field: payment.payment_id,
        "ConsentId": payment.consent.consent_id,
        "CreationDateTime": iso_utc(payment.created_ms),
        "Status": _status(brand, payment, told or true),
        "StatusUpdateDateTime": iso_utc(since),
        **{name: given[name] for name in ("Initiation", "Instruction") if name in given},
    }
    debtor = of_account(account)
    standing = payment.kind is VRP
    data["DebtorAccount" if standing else "Debtor"] = debtor
    if payment.consent.body["Data"].get("ReadRefundAccount") == "Yes":
        data["Refund"] = debtor if standing else {"Account": debtor}
    if reason is not None and told in (None, true) and not is_v3(brand):
        code, text = _REASONS[reason]
        data["StatusReason"] = [{"StatusReasonCode": code, "StatusReasonDescription": text}]
    return {"Data": data, "Risk": payment.body["Risk"]} if standing else {"Data": data}


def _status(brand: Brand, payment: Payment, status: str) -> str:
    if payment.kind is SCHEDULED:
        # 4.0 knows ACCC in its prose, but not in the enumeration of a scheduled payment
        status = "ACSC" if status == "ACCC" else status
        return _SCHEDULED_V3[status] if is_v3(brand) else status
    return _PAYMENT_V3[status] if is_v3(brand) else status


def of_details(brand: Brand, payment: Payment, *, now_ms: int) -> dict[str, Any]:
    """One entry: the payment as the scheme sees it, which never sees one that was cancelled before its day."""
    status, _, since = payment.status_at(now_ms)
    if status == "CANC":
        return {"Data": {"PaymentStatus": []}}
    status = "PDNG" if status == "RCVD" else status  # the enumeration of 4.0 has no RCVD here
    entry = {
        "PaymentTransactionId": payment.payment_id,
        "Status": _DETAILS_V3[status] if is_v3(brand) else status,
        "StatusUpdateDateTime": iso_utc(since),
        "StatusDetail": {"LocalInstrument": "UK.OBIE.FPS", "Status": status},
    }
    return {"Data": {"PaymentStatus": [entry]}}


def of_funds(*, enough: bool, now_ms: int) -> dict[str, Any]:
    """OBWriteFundsConfirmationResponse1."""
    return {"Data": {"FundsAvailableResult": {"FundsAvailableDateTime": iso_utc(now_ms), "FundsAvailable": enough}}}


def of_vrp_funds(asked: Mapping[str, Any], *, enough: bool, now_ms: int) -> dict[str, Any]:
    """OBVRPFundsConfirmationResponse to the Data of its request."""
    result = {
        "FundsAvailableDateTime": iso_utc(now_ms),
        "FundsAvailable": "Available" if enough else "NotAvailable",
    }
    data = {
        "FundsConfirmationId": uuid.uuid4().hex,
        "CreationDateTime": iso_utc(now_ms),
        **asked,
        "FundsAvailableResult": result,
    }
    return {"Data": data}


def of_account(account: Account) -> dict[str, str]:
    return {
        "SchemeName": SCHEME,
        "Identification": f"{account.sort_code}{account.account_number}",
        "Name": account.holder,
    }


def is_v3(brand: Brand) -> bool:
    return brand.version == "3.1"
