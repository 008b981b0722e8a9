"""The JSON of STET 1.4: built here byte by byte, read here once; the connector sees only our types."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from connectors import sepa
from connectors.contract import BankStatus, PaymentOrder
from connectors.errors import BankRefused
from connectors.http import BankResponse
from connectors.stet import links
from connectors.stet.quirks import Quirks
from connectors.stet.status import CANCELLED, fact_of
from connectors.strict_json import JsonObject, NotReadable, read_object

#: how the bank names us to the customer
BRAND = "Quittance"
#: what our own addresses for the customer's return say: a bank adds nothing to them by the standard, so each of the two
#: says by itself which one it is, in OAuth's words. The second is for a refusal and for any other failure
SUCCESS, FAILURE = "code=approved", "error=not_approved"
#: of an identification of ours: narrower than SEPA's alphabet, which has a plus sign
_REFERENCE = re.compile(r"[a-zA-Z0-9 /\-?:().,']{1,35}")


def payment_request(
    order: PaymentOrder, *, reference: str, redirect_uri: str, now: dt.datetime, quirks: Quirks
) -> bytes:
    """The body of PaymentRequestResource: one SEPA credit transfer, for the customer to approve by redirect.

    ``reference``: ours for the request and its one instruction. The customer chooses the account at the bank, so no
    debtorAccount. Raises ValueError when the order cannot be carried as it is.
    """
    moment = _date_time(now)
    name = sepa.text(order.creditor_name, field="the payee's name", characters_max=sepa.NAME_CHARACTERS_MAX)
    body: dict[str, Any] = {
        "paymentInformationId": reference,
        "creationDateTime": moment,
        "numberOfTransactions": 1,
        "initiatingParty": {"name": BRAND},
        "paymentTypeInformation": {"serviceLevel": "SEPA"},
        "beneficiary": {"creditor": {"name": name}, "creditorAccount": {"iban": sepa.account(order.creditor_iban)}},
        "chargeBearer": "SLEV",
        "creditTransferTransaction": [
            {
                "paymentId": {"instructionId": reference, "endToEndId": _end_to_end_id(order)},
                "instructedAmount": {"currency": order.amount.currency, "amount": sepa.amount(order.amount)},
                "remittanceInformation": _remittance(order, quirks),
            }
        ],
        "supplementaryData": {
            "acceptedAuthenticationApproach": ["REDIRECT"],
            "successfulReportUrl": _with(redirect_uri, SUCCESS),
            "unsuccessfulReportUrl": _with(redirect_uri, FAILURE),
        },
    }
    if quirks.execution_date_wanted:
        body["requestedExecutionDate"] = moment
    return _encoded(body)


def _date_time(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _end_to_end_id(order: PaymentOrder) -> str:
    text = sepa.reference(order.end_to_end_id, field="endToEndId")
    if _REFERENCE.fullmatch(text) is None:
        raise ValueError("endToEndId must be 1 to 35 characters of STET's alphabet, which has no plus sign")
    return text


def _remittance(order: PaymentOrder, quirks: Quirks) -> list[str]:
    """One text at the most. The standard has no place for a structured reference, so it goes as text."""
    words = order.remittance_structured or order.remittance_unstructured
    if words is None and quirks.remittance_wanted:
        words = order.end_to_end_id
    if words is None:
        return []
    return [sepa.text(words, field="the text for the payee", characters_max=sepa.REMITTANCE_CHARACTERS_MAX)]


def _with(uri: str, parameter: str) -> str:
    return f"{uri}{'&' if '?' in uri else '?'}{parameter}"


def _encoded(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=True, separators=(",", ":"), default=_number).encode()


def _number(value: object) -> int | str:
    """A bank's fraction, which it is sent back; there is none among the fields of the standard."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else str(value)
    raise TypeError


def confirmation() -> bytes:
    """The body of ConfirmationResource: empty, since its one member is for the embedded approach."""
    return b"{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """What we use of a 201. ``consent_approval``: None where the bank offers no redirect."""

    payment_id: str
    consent_approval: str | None


def created(response: BankResponse, *, base_url: str) -> Created:
    """Read HalPaymentRequestCreation and its Location. Raises NotReadable."""
    answer = read_object(response.body)
    approach = answer.text_or_none("appliedAuthenticationApproach")
    href = links.href(answer.object("_links"), "consentApproval")
    return Created(
        payment_id=links.payment_id_in(response.headers.get("Location"), base_url=base_url),
        consent_approval=href if approach in (None, "REDIRECT") else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """A payment request as the bank has it. ``to_be_confirmed``: it offers the confirmation."""

    request: JsonObject
    to_be_confirmed: bool
    status: BankStatus


def retrieved(body: bytes, *, payment_id: str, base_url: str) -> Retrieved:
    """Read HalPaymentRequest. Raises NotReadable, also for an answer about another payment request."""
    answer = read_object(body)
    request = answer.object("paymentRequest")
    if request.text_or_none("resourceId") not in (None, payment_id):
        raise NotReadable("it is about another payment request")
    href = links.href(answer.object("_links"), "confirmation")
    if href is not None and not links.is_of(href, payment_id, "confirmation", base_url=base_url):
        raise NotReadable("the link confirmation leads elsewhere")
    word, reason, transaction = _said(request)
    fact = fact_of(word, reason=reason, transaction=transaction, unconfirmed=href is not None)
    status = BankStatus(
        transaction_status=word,
        fact=fact,
        reason_code=reason,
        reason_text=_REASONS.get(reason or ""),
        raw_response=body,
    )
    return Retrieved(request=request, to_be_confirmed=href is not None, status=status)


def _said(request: JsonObject) -> tuple[str, str | None, str | None]:
    """Status, its reason, and the status of the one instruction. A reason may stand at either."""
    transactions = request.objects("creditTransferTransaction")
    if len(transactions) > 1:
        raise NotReadable("creditTransferTransaction has several instructions; ours has one")
    transaction = transactions[0] if transactions else JsonObject({})
    reason = request.text_or_none("statusReasonInformation") or transaction.text_or_none("statusReasonInformation")
    return request.text("paymentInformationStatus"), reason, transaction.text_or_none("transactionStatus")


def cancellation(request: JsonObject) -> bytes:
    """The body that asks to cancel all of it: as the bank has it, with RJCT and DS02 (PUT of a payment request)."""
    changed = {"paymentInformationStatus": "RJCT", "statusReasonInformation": CANCELLED}
    return _encoded({**request.members, **changed})


def is_unknown(response: BankResponse) -> bool:
    """Whether the bank itself says that it has no such payment request: a gateway's 404 does not look so."""
    with contextlib.suppress(NotReadable):
        answer = read_object(response.body)
        return response.status == 404 and answer.members.get("status") == 404 and bool(answer.text("message"))
    return False


def refusal(response: BankResponse) -> BankRefused:
    """A 4xx as ErrorModel has it: timestamp, status, error, message, path."""
    error, words = None, None
    with contextlib.suppress(NotReadable):  # the status code alone says enough
        answer = read_object(response.body)
        error, words = answer.text_or_none("error"), answer.text_or_none("message")
    code = error or f"HTTP_{response.status}"
    message = f"the bank refused with {response.status} {code[:140]}: {(words or 'no text')[:140]}"
    return BankRefused(message, code=code[:64], http_status=response.status)


#: StatusReasonInformation in words for operators: the bank sends the code alone
_REASONS = {
    "AC01": "the account number is not valid",
    "AC04": "the account is closed",
    "AC06": "the account is blocked",
    "AG01": "such a payment is not allowed from this kind of account",
    "AM18": "too many instructions",
    "CH03": "the execution date is too far ahead",
    "CUST": "the customer refused, or has not enough money",
    "DS02": "cancelled by an authorised user",
    "FF01": "the bank takes the request for invalid",
    "FRAD": "the bank takes it for fraud",
    "MS03": "the bank gives no reason",
    "NOAS": "the customer did not answer in time",
    "RR01": "the debtor's account or identification is missing",
    "RR03": "the payee's name or address is missing",
    "RR04": "a regulatory reason",
    "RR12": "a party's identification is missing",
}
