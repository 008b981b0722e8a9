"""The JSON of OBL Read/Write: built here byte by byte, read here once; the connector sees only our types.

The payment must repeat the Initiation and the Risk of its consent letter by letter (U008 otherwise): both bodies are
made by the same two functions from the same order. Fields without a value are left out, never empty (v4.0, "Optional
fields").
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from stdnum import iban
from stdnum.exceptions import ValidationError

from connectors.contract import PaymentOrder
from connectors.errors import BankRefused
from connectors.http import BankResponse
from connectors.money import Money
from connectors.strict_json import JsonObject, NotReadable, read_object

CURRENCY = "GBP"
#: the largest amount of Faster Payments, in pence
AMOUNT_MINOR_MAX = 100_000_000
NAME_CHARACTERS_MAX = 70
#: RemittanceInformation reaches a UK payee's statement in so many characters (Faster Payments, reference information)
REFERENCE_CHARACTERS_MAX = 18
UNSTRUCTURED_CHARACTERS_MAX = 140
SORT_CODE_ACCOUNT_NUMBER = "UK.OBIE.SortCodeAccountNumber"

#: an id goes into a path: no spaces, quotes or slashes; ConsentId has at most 128 characters, a DomesticPaymentId 40
_ID = re.compile(r"[\x21\x23-\x2e\x30-\x5b\x5d-\x7e]{1,128}")
_PATH_STEPS = (".", "..")
_PRINTABLE = re.compile(r"[\x20-\x7e]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """In which words a bank speaks. ``version`` is that of its path: 4.0 or 3.1."""

    version: str = "4.0"
    #: 3.1.x wrote ContractPresentInidicator; some banks took the right spelling there, and some the wrong one later
    misspelt_contract_present: bool = False

    @property
    def is_v3(self) -> bool:
        return self.version.startswith("3.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What we use of OBWriteDomesticConsentResponse5. ``status``: AWAU, AUTH, RJCT or COND, in v4.0's words."""

    consent_id: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """What we use of OBWriteDomesticResponse5."""

    payment_id: str
    consent_id: str
    status: str
    reason_code: str | None
    reason_text: str | None


#: 3.1.x → 4.0 (Resources and Data Models, "Payment Order Consent Status")
_CONSENT_WORDS = {
    "AwaitingAuthorisation": "AWAU",
    "Authorised": "AUTH",
    "Rejected": "RJCT",
    "Consumed": "COND",
    "Revoked": "CANC",
}


def consent(order: PaymentOrder, *, dialect: Dialect) -> bytes:
    """OBWriteDomesticConsent4; the same order gives the same bytes.

    Raises ValueError when the standard cannot carry the order.
    """
    data = {"Initiation": _initiation(order, dialect=dialect), "ReadRefundAccount": "No"}
    return _written({"Data": data, "Risk": _risk(dialect)})


def payment(order: PaymentOrder, *, consent_id: str, dialect: Dialect) -> bytes:
    """OBWriteDomestic2 for an authorised consent. Raises ValueError as ``consent`` does."""
    data = {"ConsentId": consent_id, "Initiation": _initiation(order, dialect=dialect)}
    return _written({"Data": data, "Risk": _risk(dialect)})


def read_consent(body: bytes) -> Consent:
    """Raises NotReadable."""
    data = read_object(body).object("Data")
    status = data.text("Status")
    return Consent(consent_id=_id(data, "ConsentId"), status=_CONSENT_WORDS.get(status, status))


def read_payment(body: bytes) -> Submitted:
    """Raises NotReadable."""
    data = read_object(body).object("Data")
    reasons = data.objects("StatusReason")
    reason = reasons[0] if reasons else JsonObject({})
    return Submitted(
        payment_id=_id(data, "DomesticPaymentId"),
        consent_id=_id(data, "ConsentId"),
        status=data.text("Status"),
        reason_code=reason.text_or_none("StatusReasonCode"),
        reason_text=reason.text_or_none("StatusReasonDescription"),
    )


def refusal(response: BankResponse) -> BankRefused:
    """OBErrorResponse1, of 4.0 (four characters) or of 3.1.x (UK.OBIE.…). The code is that of the first error."""
    try:
        errors = read_object(response.body).objects("Errors")
    except NotReadable:
        errors = []
    first = errors[0] if errors else JsonObject({})
    code = first.text_or_none("ErrorCode") or f"http_{response.status}"
    text = first.text_or_none("Message") or "no text"
    message = f"the bank refused: {text[:500]}"
    return BankRefused(message, code=code[:100], http_status=response.status)


def account(value: str) -> str:
    """Sort code and account number (14 digits) of a UK IBAN whose check digits are right. Raises ValueError."""
    try:
        if iban.validate(value) == value and value.startswith("GB"):
            return value[8:]
    except ValidationError:
        pass
    raise ValueError("the payee's account is not a UK account (an IBAN that begins with GB)")


def _initiation(order: PaymentOrder, *, dialect: Dialect) -> dict[str, Any]:
    identification = _identification(order.end_to_end_id)
    initiation = {
        "InstructionIdentification": identification,
        "EndToEndIdentification": identification,
        "InstructedAmount": {"Amount": _amount(order.amount), "Currency": CURRENCY},
        "CreditorAccount": {
            "SchemeName": SORT_CODE_ACCOUNT_NUMBER,
            "Identification": account(order.creditor_iban),
            "Name": _text(order.creditor_name, "the payee's name", NAME_CHARACTERS_MAX),
        },
    }
    remittance = _remittance(order, dialect=dialect)
    return {**initiation, "RemittanceInformation": remittance} if remittance else initiation


def _remittance(order: PaymentOrder, *, dialect: Dialect) -> dict[str, Any]:
    """The reference where the scheme carries one, else the text. 3.1.x has a Reference beside one text; 4.0 lists."""
    reference = order.remittance_structured
    text = order.remittance_unstructured
    if reference is None and text is not None and len(text) <= REFERENCE_CHARACTERS_MAX:
        reference, text = text, None
    said: dict[str, Any] = {}
    if text is not None:
        words = _text(text, "the remittance information", UNSTRUCTURED_CHARACTERS_MAX)
        said["Unstructured"] = words if dialect.is_v3 else [words]
    if reference is not None:
        words = _text(reference, "the reference", REFERENCE_CHARACTERS_MAX)
        if dialect.is_v3:
            said["Reference"] = words
        else:
            said["Structured"] = [{"CreditorReferenceInformation": {"Reference": words}}]
    return said


def _risk(dialect: Dialect) -> dict[str, Any]:
    """A bill, addressed to a company by our customer's hand. Nothing about the customer is said beyond that."""
    contract = "ContractPresentInidicator" if dialect.misspelt_contract_present else "ContractPresentIndicator"
    return {
        "PaymentContextCode": "BillingGoodsAndServicesInArrears",
        contract: True,
        "BeneficiaryPrepopulatedIndicator": True,
        "BeneficiaryAccountType": "Business",
    }


def _amount(amount: Money) -> str:
    if amount.currency != CURRENCY:
        message = f"a domestic payment carries {CURRENCY}, not {amount.currency}"
        raise ValueError(message)
    if not 1 <= amount.minor <= AMOUNT_MINOR_MAX:
        raise ValueError("a domestic payment carries 0.01 to 1000000.00 GBP")
    return str(amount)


def _identification(value: str) -> str:
    if not 1 <= len(value) <= 35 or _PRINTABLE.fullmatch(value) is None or value != value.strip():
        raise ValueError("EndToEndIdentification must be 1 to 35 printable characters")
    return value


def _text(value: str, field: str, characters_max: int) -> str:
    """As it is: what the customer confirmed is what the payee reads. Raises ValueError when it does not fit."""
    tidy = " ".join(value.split())
    if not tidy or len(tidy) > characters_max or not tidy.isprintable():
        message = f"{field} has {len(tidy)} characters; it must have 1 to {characters_max}, all of them printable"
        raise ValueError(message)
    return tidy


def _id(data: JsonObject, name: str) -> str:
    value = data.text(name)
    if _ID.fullmatch(value) is None or value in _PATH_STEPS:
        message = f"{name} is not an id that can stand in an address"
        raise NotReadable(message)
    return value


def _written(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
