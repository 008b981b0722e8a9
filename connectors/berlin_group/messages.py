"""The JSON of NextGenPSD2: built here byte by byte, read here once; the connector sees only our types."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from stdnum import iso11649

from connectors import sepa
from connectors.berlin_group.status import fact_of
from connectors.contract import BankStatus, PaymentOrder
from connectors.errors import BankRefused
from connectors.http import BankResponse
from connectors.strict_json import JsonObject, NotReadable, read_object

#: a paymentId goes into a path and into a scope (RFC 6749 §3.3): no spaces, quotes or backslashes
_PAYMENT_ID = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,128}")
#: "." and ".." would climb out of the path
_PATH_STEPS = (".", "..")


@dataclass(frozen=True, slots=True, kw_only=True)
class Initiated:
    """What we use of paymentInitiationRequestResponse-201. ``sca_oauth``: None where the bank offers none."""

    payment_id: str
    transaction_status: str
    sca_oauth: str | None
    reason_code: str | None
    reason_text: str | None


def initiation(order: PaymentOrder) -> bytes:
    """The body of paymentInitiation_json for a SEPA credit transfer; the same order gives the same bytes.

    The standard's file asks for debtorAccount. We leave it out: the customer chooses the account at the bank,
    as most banks allow. Raises ValueError when the order cannot be carried as it is.
    """
    body = {
        "endToEndIdentification": sepa.reference(order.end_to_end_id, field="EndToEndIdentification"),
        "instructedAmount": {"currency": order.amount.currency, "amount": sepa.amount(order.amount)},
        "creditorAccount": {"iban": sepa.account(order.creditor_iban)},
        "creditorName": sepa.text(
            order.creditor_name, field="the payee's name", characters_max=sepa.NAME_CHARACTERS_MAX
        ),
        **_remittance(order),
    }
    return json.dumps(body, ensure_ascii=True, separators=(",", ":")).encode()


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


def initiated(body: bytes, *, base_url: str) -> Initiated:
    """Read the 201 of an initiation. Raises NotReadable.

    Links may be relative to the base URL. Only scaOAuth is followed, and only to the issuer's host; no other
    link of a bank is, so that it cannot send us anywhere.
    """
    answer = read_object(body)
    payment_id = answer.text("paymentId")
    if _PAYMENT_ID.fullmatch(payment_id) is None or payment_id in _PATH_STEPS:
        raise NotReadable("paymentId has characters that no address can carry")
    href = answer.object("_links").object("scaOAuth").text_or_none("href")
    code, text = _reason(answer)
    return Initiated(
        payment_id=payment_id,
        transaction_status=answer.text("transactionStatus"),
        sca_oauth=None if href is None else _resolved(href, base_url=base_url),
        reason_code=code,
        reason_text=text,
    )


def _resolved(href: str, *, base_url: str) -> str:
    try:
        return urljoin(base_url + "/", href)
    except ValueError:
        raise NotReadable("scaOAuth is not an address") from None


def status(body: bytes) -> BankStatus:
    """Read paymentInitiationStatusResponse-200_json. Raises NotReadable."""
    answer = read_object(body)
    transaction_status = answer.text("transactionStatus")
    code, text = _reason(answer)
    return BankStatus(
        transaction_status=transaction_status,
        fact=fact_of(transaction_status),
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
    return answer.text_or_none("code"), words
