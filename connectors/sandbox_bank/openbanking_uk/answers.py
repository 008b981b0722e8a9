"""How the API speaks: bodies in both dialects, signed answers, and errors."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from flask import Response, g, request

from connectors.sandbox_bank.context import iso_utc
from connectors.sandbox_bank.openbanking_uk import detached
from connectors.sandbox_bank.openbanking_uk.brands import Brand
from connectors.sandbox_bank.openbanking_uk.context import current_bank
from connectors.sandbox_bank.openbanking_uk.payments import Consent, Payment
from connectors.sandbox_bank.openbanking_uk.people import Account
from connectors.sandbox_bank.scenarios import Reason

INTERACTION = "x-fapi-interaction-id"
SCHEME = "UK.OBIE.SortCodeAccountNumber"

_CONSENT_V3 = {"AWAU": "AwaitingAuthorisation", "AUTH": "Authorised", "COND": "Consumed", "RJCT": "Rejected"}
_PAYMENT_V3 = {
    "RCVD": "Pending",
    "PDNG": "Pending",
    "ACSP": "AcceptedSettlementInProcess",
    "ACSC": "AcceptedSettlementCompleted",
    "ACCC": "AcceptedCreditSettlementCompleted",
    "RJCT": "Rejected",
}
#: ISO 20022 ExternalStatusReason1Code
_REASONS = {
    Reason.NO_FUNDS: ("AM04", "There is not enough money in the account."),
    Reason.REJECTED_LATER: ("NARR", "The payment was stopped by the bank."),
    Reason.REVERSED: ("NARR", "The payment was taken back."),
}
_CODES_V3 = {
    "U000": "UnexpectedError",
    "U002": "Field.Invalid",
    "U004": "Field.Missing",
    "U005": "Field.Unexpected",
    "U006": "Header.Invalid",
    "U007": "Header.Missing",
    "U008": "Resource.ConsentMismatch",
    "U009": "Resource.InvalidConsentStatus",
    "U010": "Resource.InvalidFormat",
    "U011": "Resource.NotFound",
    "U015": "Signature.Invalid",
    "U016": "Signature.InvalidClaim",
    "U017": "Signature.MissingClaim",
    "U018": "Signature.Malformed",
    "U019": "Signature.Missing",
    "U020": "Signature.Unexpected",
}


class ApiError(Exception):
    """Answered as OBErrorResponse1. ``path`` names the field or header."""

    def __init__(self, code: str, text: str, *, status: int = 400, path: str | None = None) -> None:
        super().__init__(f"{code}: {text}")
        self.code, self.text, self.status, self.path = code, text, status, path


def of_consent(brand: Brand, consent: Consent, *, now_ms: int) -> dict[str, Any]:
    """OBWriteDomesticConsentResponse5."""
    status = consent.status_at(now_ms)
    data = consent.body["Data"]
    return {
        "Data": {
            "ConsentId": consent.consent_id,
            "CreationDateTime": iso_utc(consent.created_ms),
            "Status": _CONSENT_V3[status] if _is_v3(brand) else status,
            "StatusUpdateDateTime": iso_utc(consent.changed_ms),
            **{name: data[name] for name in ("ReadRefundAccount", "Authorisation") if name in data},
            "Initiation": consent.initiation,
        },
        "Risk": consent.body["Risk"],
        **_links(brand, "domestic-payment-consents", consent.consent_id),
    }


def of_payment(brand: Brand, payment: Payment, account: Account, *, status: str | None, now_ms: int) -> dict[str, Any]:
    """OBWriteDomesticResponse5. ``status``: another one than is true."""
    true, reason, since = payment.status_at(now_ms)
    word = status or true
    data: dict[str, Any] = {
        "DomesticPaymentId": payment.payment_id,
        "ConsentId": payment.consent.consent_id,
        "CreationDateTime": iso_utc(payment.created_ms),
        "Status": _PAYMENT_V3[word] if _is_v3(brand) else word,
        "StatusUpdateDateTime": iso_utc(since),
        "Initiation": payment.consent.initiation,
        "Debtor": _account(account),
    }
    if payment.consent.body["Data"].get("ReadRefundAccount") == "Yes":
        data["Refund"] = {"Account": _account(account)}
    if reason is not None and word == true and not _is_v3(brand):
        code, text = _REASONS[reason]
        data["StatusReason"] = [{"StatusReasonCode": code, "StatusReasonDescription": text}]
    return {"Data": data, **_links(brand, "domestic-payments", payment.payment_id)}


def of_details(brand: Brand, payment: Payment, *, now_ms: int) -> dict[str, Any]:
    """OBWritePaymentDetailsResponse1."""
    status, _, since = payment.status_at(now_ms)
    entry = {
        "PaymentTransactionId": payment.payment_id,
        "Status": _PAYMENT_V3[status] if _is_v3(brand) else status,
        "StatusUpdateDateTime": iso_utc(since),
        "StatusDetail": {"LocalInstrument": "UK.OBIE.FPS", "Status": status},
    }
    return {
        "Data": {"PaymentStatus": [entry]},
        **_links(brand, "domestic-payments", f"{payment.payment_id}/payment-details"),
    }


def of_funds(brand: Brand, consent: Consent, account: Account, *, now_ms: int) -> dict[str, Any]:
    """OBWriteFundsConfirmationResponse1."""
    enough = account.available_minor >= consent.amount_minor
    result = {"FundsAvailableDateTime": iso_utc(now_ms), "FundsAvailable": enough}
    return {
        "Data": {"FundsAvailableResult": result},
        **_links(brand, "domestic-payment-consents", f"{consent.consent_id}/funds-confirmation"),
    }


def answer(
    brand: Brand, body: Mapping[str, Any], *, status: int = 200, wrongly_signed: bool = False, other: bool = False
) -> Response:
    """Signed, unless the brand does not. ``other``: as if it were the answer to another call."""
    raw = json.dumps(body, separators=(",", ":")).encode()
    response = Response(raw, status=status, mimetype="application/json")
    if not brand.unsigned_answers:
        signed = raw + b" " if wrongly_signed else raw
        response.headers["x-jws-signature"] = detached.sign(signed, brand=brand, now=current_bank().now())
    if other:
        g.interaction_id = str(uuid.uuid4())
    return response


def error_of(brand: Brand, error: ApiError) -> Response:
    code = f"UK.OBIE.{_CODES_V3[error.code]}" if _is_v3(brand) else error.code
    said: dict[str, Any] = {"ErrorCode": code, "Message": error.text}
    if error.path is not None:
        said["Path"] = error.path
    body: dict[str, Any] = {"Errors": [said]}
    if _is_v3(brand):
        body = {"Code": str(error.status), "Id": str(uuid.uuid4()), "Message": error.text, **body}
    return answer(brand, body, status=error.status)


def _account(account: Account) -> dict[str, str]:
    return {
        "SchemeName": SCHEME,
        "Identification": f"{account.sort_code}{account.account_number}",
        "Name": account.holder,
    }


def _links(brand: Brand, resource: str, name: str) -> dict[str, Any]:
    own = f"{current_bank().settings.base_url}{brand.prefix}/{resource}/{name}"
    return {"Links": {"Self": f"{own}/" if brand.slash_in_self else own}, "Meta": {}}


def _is_v3(brand: Brand) -> bool:
    return brand.version == "3.1"


def echo_interaction(response: Response) -> Response:
    """On every answer of the API, also on errors, unless the brand forgets it."""
    brand = g.get("api_brand")
    if brand is not None and not brand.interaction_id_not_echoed:
        given = g.get("interaction_id") or request.headers.get(INTERACTION) or str(uuid.uuid4())
        response.headers[INTERACTION] = given
    return response
