"""The JSON of NextGenPSD2: built here byte by byte, read here once; the connector sees only our types."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stdnum import iso11649

from connectors import sepa
from connectors.berlin_group.links import Links, Place, below, is_id
from connectors.berlin_group.quirks import Quirks
from connectors.berlin_group.status import fact_of
from connectors.capabilities import StandingOrder
from connectors.contract import BankStatus, PaymentOrder
from connectors.errors import BankRefused
from connectors.http import BankResponse
from connectors.strict_json import JsonObject, NotReadable, read_object

#: what our own addresses for the customer's return say, where a page of the bank's leads back to them: by the standard
#: it adds a confirmation code or nothing, so each of the two says by itself which one it is, in OAuth's words. The
#: second is for a refusal and for any other failure
SUCCESS, FAILURE = "code=approved", "error=not_approved"
#: the same where the browser never leaves: the bank asks its customer somewhere else
STAYED = "code=decoupled"
#: a bank that gets nothing wrong
NONE = Quirks()


@dataclass(frozen=True, slots=True, kw_only=True)
class Initiated:
    """What we use of paymentInitiationRequestResponse-201."""

    payment_id: str
    transaction_status: str
    links: Links
    reason_code: str | None
    reason_text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What we use of startScaprocessResponse."""

    sca_status: str
    links: Links


def initiation(order: PaymentOrder, *, quirks: Quirks = NONE, execute_on: dt.date | None = None) -> bytes:
    """The body of paymentInitiation_json for a SEPA credit transfer; the same order gives the same bytes.

    The standard's file asks for debtorAccount. We leave it out, or name no account in it: the customer chooses one at
    the bank, as most banks allow. Raises ValueError when the order cannot be carried as it is.
    """
    body = _transfer(order, quirks=quirks)
    if execute_on is not None:
        body["requestedExecutionDate"] = execute_on.isoformat()
    return _encoded(body, order, quirks=quirks)


def standing_order(asked: StandingOrder, *, quirks: Quirks = NONE) -> bytes:
    """The body of periodicPaymentInitiation_json. Raises ValueError as ``initiation`` does."""
    body = _transfer(asked.order, quirks=quirks)
    body |= {"startDate": asked.first.isoformat(), "frequency": asked.frequency.value}
    if asked.execution_rule is not None:
        body["executionRule"] = asked.execution_rule.value
    if asked.last is not None:
        body["endDate"] = asked.last.isoformat()
    if asked.day_of_month is not None:
        body["dayOfExecution"] = str(asked.day_of_month)  # without a leading zero; 31 is the last of each month
    return _encoded(body, asked.order, quirks=quirks)


def _transfer(order: PaymentOrder, *, quirks: Quirks) -> dict[str, Any]:
    body: dict[str, Any] = {
        "endToEndIdentification": sepa.reference(order.end_to_end_id, field="EndToEndIdentification"),
        "instructedAmount": {"currency": order.amount.currency, "amount": sepa.amount(order.amount)},
        "creditorAccount": {"iban": sepa.account(order.creditor_iban)},
        "creditorName": sepa.text(
            order.creditor_name, field="the payee's name", characters_max=sepa.NAME_CHARACTERS_MAX
        ),
        **_remittance(order),
    }
    if quirks.debtor_account_wanted:
        body["debtorAccount"] = {"currency": order.amount.currency}
    return body


def _encoded(body: Mapping[str, Any], order: PaymentOrder, *, quirks: Quirks) -> bytes:
    text = json.dumps(body, ensure_ascii=True, separators=(",", ":"))
    if quirks.amounts_as_numbers:  # written by hand: a float could be another amount
        amount = sepa.amount(order.amount)
        text = text.replace(f'"amount":"{amount}"', f'"amount":{amount}', 1)
    return text.encode()


def _remittance(order: PaymentOrder) -> dict[str, Any]:
    """Structured or unstructured: SEPA carries one of the two (EPC132-08, remittance information).

    An ISO 11649 reference goes out structured. A national one is not known across borders and goes as text.
    """
    structured, unstructured = order.remittance_structured, order.remittance_unstructured
    if structured and unstructured:
        raise ValueError("SEPA carries a structured reference or a text, not both")
    if structured and iso11649.is_valid(structured):
        return {"remittanceInformationStructured": {"reference": iso11649.compact(structured)}}
    if not (structured or unstructured):
        return {}
    words = sepa.text(
        structured or unstructured or "",
        field="the text for the payee",
        characters_max=sepa.REMITTANCE_CHARACTERS_MAX,
    )
    return {"remittanceInformationUnstructured": words}


def nothing() -> bytes:
    """The body of an approval that is started with no more than that."""
    return b"{}"


def confirmation(code: str) -> bytes:
    """authorisationConfirmation."""
    return json.dumps({"confirmationCode": code}, separators=(",", ":")).encode()


def initiated(body: bytes, *, path: str, place: Place) -> Initiated:
    """Read the 201 of an initiation at ``path``. Raises NotReadable."""
    answer = read_object(body)
    payment_id = answer.text("paymentId")
    if not is_id(payment_id):
        raise NotReadable("paymentId has characters that no address can carry")
    code, text = _reason(answer)
    return Initiated(
        payment_id=payment_id,
        transaction_status=answer.text("transactionStatus"),
        links=place.read(answer.object("_links"), of=below(path, payment_id)),
        reason_code=code,
        reason_text=text,
    )


def started(body: bytes, *, of: str, place: Place, start: str) -> Started:
    """Read the 201 of an approval that was started for the payment at ``of``. Raises NotReadable."""
    answer = read_object(body)
    return Started(sca_status=answer.text("scaStatus"), links=place.read(answer.object("_links"), of=of, start=start))


def sca_status(body: bytes) -> str:
    """Read authorisationConfirmationResponse. Raises NotReadable."""
    return read_object(body).text("scaStatus")


def links_of(body: bytes, *, of: str, place: Place, start: str) -> Links:
    """The links of any other answer about the payment at ``of``. Raises NotReadable."""
    return place.read(read_object(body).object("_links"), of=of, start=start)


def status(body: bytes, *, acsc_is_accepted: bool = False) -> BankStatus:
    """Read paymentInitiationStatusResponse-200_json. Raises NotReadable."""
    answer = read_object(body)
    transaction_status = answer.text("transactionStatus")
    code, text = _reason(answer)
    return BankStatus(
        transaction_status=transaction_status,
        fact=fact_of(transaction_status, acsc_is_accepted=acsc_is_accepted),
        reason_code=code,
        reason_text=text,
        raw_response=body,
    )


def refusal(response: BankResponse) -> BankRefused:
    """A 4xx in either form of the standard: tppMessages (Error…_NG_PIS) or problem+json (Error…_PIS)."""
    code, text = None, None
    with contextlib.suppress(NotReadable):  # the status code alone says enough
        code, text = _reason(read_object(response.body))
    code = code or f"HTTP_{response.status}"
    message = f"the bank refused with {response.status} {code}: {text or 'no text'}"
    return BankRefused(message, code=code, http_status=response.status)


def _reason(answer: JsonObject) -> tuple[str | None, str | None]:
    """Code and words of the first error that the bank names, else of its first warning, else psuMessage."""
    messages = answer.objects("tppMessages")
    messages.sort(key=lambda message: message.text_or_none("category") != "ERROR")
    for message in messages:
        return message.text_or_none("code"), message.text_or_none("text")
    words = answer.text_or_none("detail") or answer.text_or_none("title") or answer.text_or_none("psuMessage")
    code = answer.text_or_none("code")
    for error in answer.objects("additionalErrors"):
        # the first of them says what the whole does not
        code = code or error.text_or_none("code")
        words = words or error.text_or_none("detail") or error.text_or_none("title")
    return code, words
