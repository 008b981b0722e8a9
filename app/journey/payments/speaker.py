"""In whose name a bank is asked about a payment: ours; or its customer's, where that signed in there before. And by
which of its verbs: those for a payment at once, for one that the bank keeps until a day, or for one under a standing
consent."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Protocol, cast

from app.journey.payments.terms import Terms
from app.services import Services
from connectors.capabilities import (
    FutureDatedPayments,
    FutureDates,
    RecurringConsent,
    RecurringPayments,
    Recurs,
    ScheduledPayments,
    Schedules,
    SignsIn,
)
from connectors.contract import (
    BankRequest,
    BankStatus,
    Connector,
    ConsentStatus,
    PaymentOrder,
    PsuContext,
    Staged,
    Submits,
    Submitted,
)


class Begins(Protocol):
    """Giving a payment to the bank, for its customer to approve there."""

    def draft(self, order: PaymentOrder, *, request_id: str, redirect_uri: str) -> BankRequest:
        """As Connector.draft."""
        ...

    def initiate(self, request: BankRequest, *, psu: PsuContext, timeout_s: float) -> Staged:
        """As Connector.initiate."""
        ...


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


def beginner(services: Services, bank_id: str, terms: Terms, *, customer_token: str | None = None) -> Begins:
    """By whom a payment that is to be approved at its bank is given to it. Raises UnknownBank, and ValueError as
    ``orders_of`` does."""
    kept = _kept(services, bank_id, terms)
    return kept if kept is not None else speaker(services, bank_id, customer_token=customer_token)


def orders_of(services: Services, bank_id: str, terms: Terms) -> Orders:
    """By whom a payment is submitted and told of. Raises UnknownBank, and ValueError for a bank that has no such verbs
    any more."""
    connector = services.banks.connector(bank_id)
    if terms.agreed is not None:
        if not isinstance(connector, Recurs):
            message = f"{bank_id} takes no payments under standing consents"
            raise ValueError(message)
        return _UnderStanding(connector.recurring, terms.agreed)
    # only such a bank's payments are ours to submit
    return cast("Orders", _kept(services, bank_id, terms) or connector)


def teller(services: Services, bank_id: str, terms: Terms, *, customer_token: str | None) -> Tells:
    """Whom to ask what became of any payment, as ``speaker`` and ``orders_of`` have it. Raises UnknownBank."""
    if terms.agreed is not None:
        return orders_of(services, bank_id, terms)
    kept = _kept(services, bank_id, terms)
    return kept if kept is not None else speaker(services, bank_id, customer_token=customer_token)


def takes_back(services: Services, bank_id: str) -> bool:
    """Whether the bank can be asked to give up what it keeps until a day: else only its customer can have that there.
    Raises UnknownBank."""
    return isinstance(services.banks.connector(bank_id), FutureDates)


def _kept(services: Services, bank_id: str, terms: Terms) -> _Scheduled | _FutureDated | None:
    """The verbs for what the bank keeps until a day. None: it is carried out at once. No bank keeps anything whose
    customers sign in first (connectors/profile.py)."""
    if terms.kept_on is None:
        return None
    connector = services.banks.connector(bank_id)
    if isinstance(connector, Schedules):
        return _Scheduled(connector.scheduled, terms.kept_on)
    if isinstance(connector, FutureDates):
        return _FutureDated(connector.future_dated, terms.kept_on)
    message = f"{bank_id} keeps no payments until a day"
    raise ValueError(message)


@dataclass(frozen=True)
class _Scheduled:
    """The verbs for scheduled payments in the shape of those for one at once (UK)."""

    scheduled: ScheduledPayments
    execute_on: dt.date

    def draft(self, order: PaymentOrder, *, request_id: str, redirect_uri: str) -> BankRequest:  # noqa: ARG002  # it is registered
        return self.scheduled.draft(order, execute_on=self.execute_on, request_id=request_id)

    def initiate(self, request: BankRequest, *, psu: PsuContext, timeout_s: float) -> Staged:
        return self.scheduled.initiate(request, psu=psu, timeout_s=timeout_s)

    def draft_submission(self, order: PaymentOrder, *, consent_id: str, request_id: str) -> BankRequest:
        return self.scheduled.draft_submission(
            order, execute_on=self.execute_on, consent_id=consent_id, request_id=request_id
        )

    def submit(self, request: BankRequest, *, access_token: str, psu: PsuContext | None, timeout_s: float) -> Submitted:
        return self.scheduled.submit(request, access_token=access_token, psu=psu, timeout_s=timeout_s)

    def consent_status(self, consent_id: str, *, timeout_s: float) -> ConsentStatus:
        return self.scheduled.consent_status(consent_id, timeout_s=timeout_s)

    def status(self, bank_payment_id: str, *, access_token: str | None, timeout_s: float) -> BankStatus:
        return self.scheduled.status(bank_payment_id, access_token=access_token, timeout_s=timeout_s)


@dataclass(frozen=True)
class _FutureDated:
    """The same for payments whose approval is all that they need, and which can be taken back after it, too (Berlin
    Group)."""

    future_dated: FutureDatedPayments
    execute_on: dt.date

    def draft(self, order: PaymentOrder, *, request_id: str, redirect_uri: str) -> BankRequest:
        return self.future_dated.draft(
            order, execute_on=self.execute_on, request_id=request_id, redirect_uri=redirect_uri
        )

    def initiate(self, request: BankRequest, *, psu: PsuContext, timeout_s: float) -> Staged:
        return self.future_dated.initiate(request, psu=psu, timeout_s=timeout_s)

    def status(self, bank_payment_id: str, *, access_token: str | None, timeout_s: float) -> BankStatus:
        return self.future_dated.status(bank_payment_id, access_token=access_token, timeout_s=timeout_s)

    def cancel(self, consent_id: str, *, timeout_s: float) -> BankStatus | None:
        """As Cancels.cancel, also of what was approved."""
        return self.future_dated.drop(consent_id, timeout_s=timeout_s)


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
