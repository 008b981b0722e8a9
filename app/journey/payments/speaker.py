"""In whose name a bank is asked about a payment: ours; or its customer's, where that signed in there before. And by
which of its verbs: by those for one payment, or by those for payments under a standing consent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, cast

from app.services import Services
from connectors.capabilities import RecurringConsent, RecurringPayments, Recurs, SignsIn
from connectors.contract import (
    BankRequest,
    BankStatus,
    Connector,
    ConsentStatus,
    PaymentOrder,
    PsuContext,
    Submits,
    Submitted,
)


class Tells(Protocol):
    """What became of a payment."""

    def status(self, bank_payment_id: str, *, access_token: str | None, timeout_s: float) -> BankStatus:
        """As Connector.status."""
        ...


class Orders(Submits, Tells, Protocol):
    """All that a bank is asked about a payment that is ours to submit, once that is approved."""


def speaker(services: Services, bank_id: str, *, customer_token: str | None) -> Connector:
    """The bank's connector. ``customer_token``: of the sign-in that the payment was begun with, while it lives. Raises
    UnknownBank."""
    connector = services.banks.connector(bank_id)
    if customer_token is None or not services.banks.profile(bank_id).sign_in_first:
        return connector
    # only files of standards that have it may say sign_in_first
    return cast("SignsIn", connector).as_customer(customer_token)


def orders_of(services: Services, bank_id: str, *, agreed: RecurringConsent | None) -> Orders:
    """By whom a payment is submitted and told of. ``agreed``: what the standing consent allows under which it is paid;
    None: it has a consent of its own. Raises UnknownBank, and ValueError for a bank that has no such verbs any more."""
    connector = services.banks.connector(bank_id)
    if agreed is None:
        return cast("Orders", connector)  # only such a bank's payments are ours to submit
    if not isinstance(connector, Recurs):
        message = f"{bank_id} takes no payments under standing consents"
        raise ValueError(message)
    return _UnderStanding(connector.recurring, agreed)


def teller(services: Services, bank_id: str, *, agreed: RecurringConsent | None, customer_token: str | None) -> Tells:
    """Whom to ask what became of any payment, as ``speaker`` and ``orders_of`` have it. Raises UnknownBank."""
    if agreed is not None:
        return orders_of(services, bank_id, agreed=agreed)
    return speaker(services, bank_id, customer_token=customer_token)


@dataclass(frozen=True)
class _UnderStanding:
    """The verbs for recurring payments in the shape of those for a single one."""

    recurring: RecurringPayments
    agreed: RecurringConsent

    def draft_submission(self, order: PaymentOrder, *, consent_id: str, request_id: str) -> BankRequest:
        return self.recurring.draft_payment(order, consent=self.agreed, consent_id=consent_id, request_id=request_id)

    def submit(self, request: BankRequest, *, access_token: str, psu: PsuContext | None, timeout_s: float) -> Submitted:
        return self.recurring.submit(request, access_token=access_token, psu=psu, timeout_s=timeout_s)

    def consent_status(self, consent_id: str, *, timeout_s: float) -> ConsentStatus:
        return self.recurring.consent_status(consent_id, timeout_s=timeout_s)

    def status(self, bank_payment_id: str, *, access_token: str | None, timeout_s: float) -> BankStatus:
        return self.recurring.status(bank_payment_id, access_token=access_token, timeout_s=timeout_s)
