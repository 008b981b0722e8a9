"""What the door asks of the resources, and how they are put behind it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from flask import Flask

from connectors.sandbox_bank.openbanking_uk import (
    answers,
    domestic,
    events,
    idempotency,
    ledger,
    limits,
    payments,
    people,
    recurring,
    scheduled,
    subscriptions,
)
from connectors.sandbox_bank.openbanking_uk.context import EXTENSION, UkBank
from connectors.sandbox_bank.openbanking_uk.errors import OAuthError
from connectors.sandbox_bank.openbanking_uk.payments import SCHEDULED, VRP, Consent
from connectors.sandbox_bank.openbanking_uk.postman import Postman
from connectors.sandbox_bank.openbanking_uk.scenarios import scenario_of
from connectors.sandbox_bank.openbanking_uk.store import Connection
from connectors.sandbox_bank.scenarios import Fault

SCHEMA = payments.SCHEMA + idempotency.SCHEMA + events.SCHEMA

#: a standing consent in one of these may be approved again: it stands, or its customer cancelled it at the bank
APPROVED_BEFORE = ("AUTH", "CANC")

__all__ = ["SCHEMA", "Approval", "approval_of", "decide", "is_usable", "play_token_fault", "register", "to_approve"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """What a customer is asked to approve, as the pages show it. ``limits``: of a standing consent, in words."""

    consent_id: str
    kind: Literal["payment", "scheduled", "vrp"]
    tpp: str
    status: str
    payee: str
    payee_account: str  #: sort code and account number, 14 digits; empty where each payment names its own
    amount_minor: int | None
    currency: str
    reference: str | None
    when: dt.date | None
    limits: list[str]
    expires_ms: int | None

    @property
    def is_open(self) -> bool:
        """Whether a customer may say something to it, as long as its time is not over."""
        return self.status == "AWAU" or (self.kind == "vrp" and self.status in APPROVED_BEFORE)


def register(app: Flask) -> None:
    """The bank is in the app already. In tests nobody walks: they call `postman.deliver_due` themselves."""
    for each in (domestic, scheduled, recurring, subscriptions, ledger):
        app.register_blueprint(each.blueprint)
    app.after_request(answers.echo_interaction)
    bank: UkBank = app.extensions[EXTENSION]
    if not bank.testing:
        app.before_request(Postman(bank).wake)


def to_approve(connection: Connection, *, brand_id: str, consent_id: str) -> Approval | None:
    consent = payments.consent_of(connection, consent_id, brand=brand_id)
    return None if consent is None else approval_of(consent)


def approval_of(consent: Consent) -> Approval:
    payee = consent.initiation.get("CreditorAccount")
    return Approval(
        consent_id=consent.consent_id,
        kind=consent.kind.name,
        tpp=consent.tpp,
        status=consent.status,
        payee="whoever it names with each payment" if payee is None else str(payee["Name"]),
        payee_account="" if payee is None else str(payee["Identification"]),
        amount_minor=None if consent.kind is VRP else consent.amount_minor,
        currency="GBP",
        reference=_reference(consent.initiation),
        when=scheduled.execution_of(consent).date() if consent.kind is SCHEDULED else None,
        limits=limits.in_words(consent.parameters) if consent.kind is VRP else [],
        expires_ms=consent.expires_ms,
    )


def decide(
    connection: Connection,
    *,
    brand_id: str,
    consent_id: str,
    approved: bool,
    account_id: str | None,
    customer_id: str,
    now_ms: int,
) -> bool:
    """The customer's word on a consent, and whether it is approved by it. A standing one that was approved before only
    its own customer approves again, with the account that they choose now; their no leaves it as it is."""
    consent = payments.consent_of(connection, consent_id, brand=brand_id)
    if consent is None:
        return False
    status = consent.status_at(now_ms)
    again = consent.kind is VRP and status in APPROVED_BEFORE and _is_of(connection, consent, customer_id)
    if approved and (status == "AWAU" or again):
        payments.change_consent(connection, consent, "AUTH", now_ms=now_ms, account_id=account_id)
        return True
    if status == "AWAU":
        payments.change_consent(connection, consent, "RJCT", now_ms=now_ms)
    return False


def is_usable(connection: Connection, *, brand_id: str, consent_id: str) -> bool:
    """A token for a single payment lives its own life, also when the consent is used up: a repeat is answered.

    That for a standing consent lives as long as that stands. After its last day the API says what is wrong.
    """
    consent = payments.consent_of(connection, consent_id, brand=brand_id)
    return consent is not None and (consent.kind is not VRP or consent.status == "AUTH")


def play_token_fault(bank: UkBank, *, brand_id: str, consent_id: str) -> None:
    """What the magic amount does to the exchange of a code that is spent already."""
    with bank.store.read() as connection:
        consent = payments.consent_of(connection, consent_id, brand=brand_id)
    fault = scenario_of(consent.amount_minor).token if consent is not None else None
    if fault is Fault.FAILS:
        raise OAuthError("server_error", "the bank failed after it spent the code", status=500)
    if fault is Fault.HANGS:
        bank.hang()


def _is_of(connection: Connection, consent: Consent, customer_id: str) -> bool:
    return people.account_of(connection, consent.account_id or "").customer_id == customer_id


def _reference(initiation: Mapping[str, Any]) -> str | None:
    """The first text of the remittance information, whichever dialect it is in."""
    told = initiation.get("RemittanceInformation", {})
    structured = [each for each in told.get("Structured", []) if isinstance(each, dict)]
    references = [each.get("CreditorReferenceInformation") for each in structured]
    unstructured = told.get("Unstructured")
    said = [
        *[each.get("Reference") for each in references if isinstance(each, dict)],
        told.get("Reference"),
        *(unstructured if isinstance(unstructured, list) else [unstructured]),
    ]
    return next((str(each) for each in said if each), None)
