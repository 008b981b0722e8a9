"""The JSON of OBL Read/Write: built here byte by byte, read here once; the connector sees only our types.

The payment must repeat the Initiation and the Risk of its consent letter by letter (U008 otherwise): both bodies are
made by the same two functions from the same order. Fields without a value are left out, never empty (v4.0, "Optional
fields").
"""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from stdnum import iban
from stdnum.exceptions import ValidationError

from connectors.capabilities import Detail
from connectors.contract import BankStatus, PaymentOrder, RefundAccount
from connectors.errors import BankRefused, BeyondLimits
from connectors.http import BankResponse
from connectors.money import Money
from connectors.openbanking_uk import control_parameters
from connectors.openbanking_uk.status import CONSENT_WORDS, fact_of_payment
from connectors.strict_json import JsonObject, NotReadable, read_object

CURRENCY = "GBP"
#: the largest amount of Faster Payments, in pence
AMOUNT_MINOR_MAX = 100_000_000
NAME_CHARACTERS_MAX = 70
#: RemittanceInformation reaches a UK payee's statement in so many characters (Faster Payments, reference information)
REFERENCE_CHARACTERS_MAX = 18
UNSTRUCTURED_CHARACTERS_MAX = 140
SORT_CODE_ACCOUNT_NUMBER = "UK.OBIE.SortCodeAccountNumber"

#: OBErrorResponse1's words, of 4.0 and of 3.1.x, for a payment beyond the control parameters of its consent
BEYOND_LIMITS = frozenset({"U014", "UK.OBIE.Rules.FailsControlParameters"})

#: an id goes into a path: no spaces, quotes or slashes; ConsentId has at most 128 characters, a DomesticPaymentId 40
_ID = re.compile(r"[\x21\x23-\x2e\x30-\x5b\x5d-\x7e]{1,128}")
#: of a consent's ControlParameters, as a path to what is wrong names it
_LIMIT = re.compile(r"(?<![A-Za-z])(?:MaximumIndividualAmount|PeriodicLimits\[[0-9]\])(?![A-Za-z])")
#: RFC 6750 §3, RFC 9449 §7.1: which error a 401 names
_CHALLENGE = re.compile(r'\berror="?([a-z_]+)')
#: those that are about our own proof of who we are
OUR_FAULTS = frozenset({"invalid_dpop_proof", "use_dpop_nonce", "invalid_client", "invalid_request"})
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
    """What we use of OBWriteDomesticResponse5, OBWriteDomesticScheduledResponse5 and OBDomesticVRPResponse."""

    payment_id: str
    consent_id: str
    status: str
    reason_code: str | None
    reason_text: str | None
    refund_account: RefundAccount | None


def consent(order: PaymentOrder, *, dialect: Dialect) -> bytes:
    """OBWriteDomesticConsent4; the same order gives the same bytes.

    Raises ValueError when the standard cannot carry the order.
    """
    data = {"Initiation": initiation(order, dialect=dialect), "ReadRefundAccount": yes_or_no(order.refund_account)}
    return written({"Data": data, "Risk": risk(dialect)})


def payment(order: PaymentOrder, *, consent_id: str, dialect: Dialect) -> bytes:
    """OBWriteDomestic2 for an authorised consent. Raises ValueError as ``consent`` does."""
    data = {"ConsentId": consent_id, "Initiation": initiation(order, dialect=dialect)}
    return written({"Data": data, "Risk": risk(dialect)})


def read_consent(body: bytes) -> Consent:
    """Raises NotReadable."""
    data = read_object(body).object("Data")
    status = data.text("Status")
    return Consent(consent_id=id_of(data, "ConsentId"), status=CONSENT_WORDS.get(status, status))


def check_same_order(answer: bytes, asked: bytes) -> None:
    """Raises NotReadable where the bank says that it holds another amount or payee than it was given."""
    said, given = read_object(answer).object("Data"), read_object(asked).object("Data")
    for part in ("Initiation", "Instruction"):
        _check_same_amount(said.object(part), given.object(part), "InstructedAmount")
        there, ours = (data.object(part).object("CreditorAccount").members for data in (said, given))
        is_alike = there.get("SchemeName") == ours.get("SchemeName")  # else it is the same account, perhaps, as an IBAN
        if ours and is_alike and there.get("Identification") != ours.get("Identification"):
            raise NotReadable("it is about another payee")


def differences(answer: bytes, asked: bytes) -> tuple[str, ...]:
    """What the bank holds otherwise of a recurring consent than it was given, as far as it says so. Raises
    NotReadable."""
    said, given = read_object(answer).object("Data"), read_object(asked).object("Data")
    return control_parameters.differences(said, given) if control_parameters.PARAMETERS in said.members else ()


def _check_same_amount(said: JsonObject, given: JsonObject, name: str) -> None:
    there, ours = said.object(name), given.object(name)
    if not there.members or not ours.members:
        return
    try:
        same = Decimal(there.text("Amount")) == Decimal(ours.text("Amount"))
    except ArithmeticError:
        same = False
    if not same or there.text("Currency") != ours.text("Currency"):
        message = f"{name} is another one than was asked for"
        raise NotReadable(message)


def consent_of(body: bytes) -> str:
    """The ConsentId that a payment of ours names."""
    return id_of(read_object(body).object("Data"), "ConsentId")


def read_payment(body: bytes, *, payment_id: str = "DomesticPaymentId") -> Submitted:
    """``payment_id`` names the id of this kind of payment. Raises NotReadable."""
    data = read_object(body).object("Data")
    reasons = data.objects("StatusReason")  # of 3.1.x a recurring payment alone has one, in two texts beside the status
    reason = reasons[0] if reasons else JsonObject({})
    return Submitted(
        payment_id=id_of(data, payment_id),
        consent_id=id_of(data, "ConsentId"),
        status=data.text("Status"),
        reason_code=reason.text_or_none("StatusReasonCode") or data.text_or_none("StatusReason"),
        reason_text=reason.text_or_none("StatusReasonDescription") or data.text_or_none("StatusReasonDescription"),
        refund_account=_refund_account(data.object("Refund")),
    )


def _refund_account(refund: JsonObject) -> RefundAccount | None:
    """Data.Refund has an Account; that of a recurring payment is one. None unless it is whole: it is a courtesy."""
    account = refund.object("Account") if "Account" in refund.members else refund
    scheme, identification = account.text_or_none("SchemeName"), account.text_or_none("Identification")
    name = account.text_or_none("Name")
    if not scheme or not identification or not name:
        return None
    return RefundAccount(scheme=scheme, identification=identification, name=name)


def read_details(body: bytes) -> list[Detail]:
    """OBWritePaymentDetailsResponse1 and OBDomesticVRPDetails. Raises NotReadable."""
    return [_detail(entry, body) for entry in read_object(body).object("Data").objects("PaymentStatus")]


def _detail(entry: JsonObject, body: bytes) -> Detail:
    status, more = entry.text("Status"), entry.object("StatusDetail")
    return Detail(
        transaction_id=entry.text("PaymentTransactionId"),
        status=BankStatus(
            transaction_status=status,
            fact=fact_of_payment(status),
            reason_code=more.text_or_none("StatusReason"),
            reason_text=more.text_or_none("StatusReasonDescription"),
            raw_response=body,
        ),
        scheme=more.text_or_none("LocalInstrument"),
    )


def read_funds(body: bytes) -> bool | None:
    """OBWriteFundsConfirmationResponse1 says true or false, OBVRPFundsConfirmationResponse a word; either may say
    nothing. Raises NotReadable."""
    said = read_object(body).object("Data").object("FundsAvailableResult").members.get("FundsAvailable")
    if isinstance(said, bool):
        return said
    return {"Available": True, "NotAvailable": False}.get(str(said))


def refusal(response: BankResponse) -> BankRefused:
    """OBErrorResponse1, of 4.0 (four characters) or of 3.1.x (UK.OBIE.…). The code is that of the first error, but a
    limit is told wherever it stands."""
    try:
        errors = read_object(response.body).objects("Errors")
    except NotReadable:
        errors = []
    beyond = [error for error in errors if error.text_or_none("ErrorCode") in BEYOND_LIMITS]
    first = [*beyond, *errors, JsonObject({})][0]
    code = (_of_ours(response) or first.text_or_none("ErrorCode") or f"http_{response.status}")[:100]
    text = first.text_or_none("Message") or "no text"
    message = f"the bank refused: {text[:500]}"
    if beyond:
        limit = _LIMIT.search(first.text_or_none("Path") or "")
        return BeyondLimits(message, code=code, http_status=response.status, parameter=limit and limit[0])
    return BankRefused(message, code=code, http_status=response.status)


def _of_ours(response: BankResponse) -> str | None:
    """Of a 401: what was wrong with how we proved who we are. Then it says nothing of the token beside it."""
    found = _CHALLENGE.search(response.headers.get("www-authenticate", "")) if response.status == 401 else None
    return found[1] if found is not None and found[1] in OUR_FAULTS else None


def account(value: str) -> str:
    """Sort code and account number (14 digits) of a UK IBAN whose check digits are right. Raises ValueError."""
    try:
        if iban.validate(value) == value and value.startswith("GB"):
            return value[8:]
    except ValidationError:
        pass
    raise ValueError("the payee's account is not a UK account (an IBAN that begins with GB)")


def initiation(order: PaymentOrder, *, dialect: Dialect) -> dict[str, Any]:
    """OBDomestic2, Initiation. Raises ValueError.

    Of EndToEndIdentification Faster Payments carries 31 characters: our bank and we know all 35, a payee who sees it at
    all sees it without its end, and finds the bill by the reference.
    """
    name = identification(order.end_to_end_id)
    return {
        "InstructionIdentification": name,
        "EndToEndIdentification": name,
        "InstructedAmount": instructed(order.amount),
        "CreditorAccount": creditor(order.creditor_name, order.creditor_iban),
        **remittance(order, dialect=dialect),
    }


def creditor(name: str, creditor_iban: str) -> dict[str, str]:
    """CreditorAccount: sort code and account number. Raises ValueError."""
    return {
        "SchemeName": SORT_CODE_ACCOUNT_NUMBER,
        "Identification": account(creditor_iban),
        "Name": text(name, "the payee's name", NAME_CHARACTERS_MAX),
    }


def remittance(order: PaymentOrder, *, dialect: Dialect) -> dict[str, Any]:
    """RemittanceInformation, or nothing: the reference where the scheme carries one, else the text.

    3.1.x has a Reference beside one text; 4.0 lists.
    """
    reference, words = order.remittance_structured, order.remittance_unstructured
    if reference is None and words is not None and len(words) <= REFERENCE_CHARACTERS_MAX:
        reference, words = words, None
    said: dict[str, Any] = {}
    if words is not None:
        words = text(words, "the remittance information", UNSTRUCTURED_CHARACTERS_MAX)
        said["Unstructured"] = words if dialect.is_v3 else [words]
    if reference is not None:
        words = text(reference, "the reference", REFERENCE_CHARACTERS_MAX)
        if dialect.is_v3:
            said["Reference"] = words
        else:
            said["Structured"] = [{"CreditorReferenceInformation": {"Reference": words}}]
    return {"RemittanceInformation": said} if said else {}


def day(date: dt.date, time: dt.time) -> str:
    """An ISODateTime of this day, in UTC."""
    return dt.datetime.combine(date, time, dt.UTC).isoformat()


def yes_or_no(value: bool) -> str:  # it is the whole question
    """As ReadRefundAccount has it."""
    return "Yes" if value else "No"


def risk(dialect: Dialect) -> dict[str, Any]:
    """OBRisk1: a bill, addressed to a company by our customer's hand. Nothing is said of the customer beyond that."""
    contract = "ContractPresentInidicator" if dialect.misspelt_contract_present else "ContractPresentIndicator"
    return {
        "PaymentContextCode": "BillingGoodsAndServicesInArrears",
        contract: True,
        "BeneficiaryPrepopulatedIndicator": True,
        "BeneficiaryAccountType": "Business",
    }


def instructed(value: Money) -> dict[str, str]:
    """OBActiveOrHistoricCurrencyAndAmount, in pounds and pence. Raises ValueError."""
    if value.currency != CURRENCY:
        message = f"a domestic payment carries {CURRENCY}, not {value.currency}"
        raise ValueError(message)
    if not 1 <= value.minor <= AMOUNT_MINOR_MAX:
        raise ValueError("a domestic payment carries 0.01 to 1000000.00 GBP")
    return {"Amount": str(value), "Currency": CURRENCY}


def identification(value: str) -> str:
    """EndToEndIdentification as it is. Raises ValueError."""
    if not 1 <= len(value) <= 35 or _PRINTABLE.fullmatch(value) is None or value != value.strip():
        raise ValueError("EndToEndIdentification must be 1 to 35 printable characters")
    return value


def text(value: str, field: str, characters_max: int) -> str:
    """As it is: what the customer confirmed is what the payee reads. Raises ValueError when it does not fit."""
    tidy = " ".join(value.split())
    if not tidy or len(tidy) > characters_max or not tidy.isprintable():
        message = f"{field} has {len(tidy)} characters; it must have 1 to {characters_max}, all of them printable"
        raise ValueError(message)
    return tidy


def id_of(data: JsonObject, name: str) -> str:
    """An id of the bank's, fit to stand in an address. Raises NotReadable."""
    value = data.text(name)
    if _ID.fullmatch(value) is None or value in _PATH_STEPS:
        message = f"{name} is not an id that can stand in an address"
        raise NotReadable(message)
    return value


def written(body: dict[str, Any]) -> bytes:
    """The bytes that are signed and sent."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
