"""The verbs that single, scheduled and recurring payments share: a consent, then payments under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connectors import idempotency
from connectors.capabilities import Detail
from connectors.contract import (
    BankRequest,
    BankStatus,
    ConsentStatus,
    Fact,
    PsuContext,
    ScaOAuth,
    Staged,
    Submitted,
)
from connectors.errors import BankRefused, BankSilent
from connectors.http import BankResponse, Deadline
from connectors.openbanking_uk import messages
from connectors.openbanking_uk.status import CONSENTS, fact_of_payment
from connectors.openbanking_uk.wire import SCOPE, Wire, at
from connectors.strict_json import NotReadable


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """Where one kind of payment is, below the base URL, and how the bank names its ids."""

    consents: str
    payments: str
    payment_id: str


SINGLE = Resource(consents="/domestic-payment-consents", payments="/domestic-payments", payment_id="DomesticPaymentId")
SCHEDULED = Resource(
    consents="/domestic-scheduled-payment-consents",
    payments="/domestic-scheduled-payments",
    payment_id="DomesticScheduledPaymentId",
)
RECURRING = Resource(consents="/domestic-vrp-consents", payments="/domestic-vrps", payment_id="DomesticVRPId")


class Orders:
    """One kind of payment at one bank."""

    def __init__(self, wire: Wire, resource: Resource) -> None:
        self._wire = wire
        self._resource = resource

    def initiate(self, request: BankRequest, *, psu: PsuContext, timeout_s: float) -> Staged:
        """A consent moves no money, whoever approves it, until a payment is submitted under it.

        May be sent again after silence: a second consent would be approved by nobody. ValueError for another request.
        """
        _check(request, self._resource.consents)
        deadline = Deadline(timeout_s)
        server = self._wire.server(deadline=deadline)
        response = self._wire.post(request, psu=psu, deadline=deadline)
        try:
            consent = messages.read_consent(response.body)
            differences: tuple[str, ...] = ()
            if self._resource is RECURRING:  # the bank has it: whoever asked needs its id, to have it taken back
                differences = messages.differences(response.body, request.body)
            else:
                messages.check_same_order(response.body, request.body)
        except NotReadable as error:
            raise unreadable(error) from None
        if consent.status == "RJCT":
            raise BankRefused("the bank took the consent and rejected it", code="RJCT", http_status=response.status)
        return Staged(
            consent_id=consent.consent_id,
            transaction_status=consent.status,
            sca=ScaOAuth(
                issuer=server.issuer,
                authorization_endpoint=server.authorization_endpoint,
                token_endpoint=server.token_endpoint,
                scope=f"openid {SCOPE}",
                iss_parameter_supported=server.iss_parameter_supported,
                intent_id=consent.consent_id,
            ),
            raw_response=response.body,
            differences=differences,
        )

    def consent_status(self, consent_id: str, *, timeout_s: float) -> ConsentStatus:
        """GET the consent. COND says that a payment was submitted, not what became of it."""
        response = self._wire.get(at(self._resource.consents, consent_id), deadline=Deadline(timeout_s))
        if response is None:
            return ConsentStatus.NOT_FOUND
        try:
            consent = messages.read_consent(response.body)
        except NotReadable as error:
            raise unreadable(error) from None
        check_same(consent.consent_id, consent_id)
        return CONSENTS.get(consent.status, ConsentStatus.UNKNOWN)

    def submit(self, request: BankRequest, *, access_token: str, psu: PsuContext | None, timeout_s: float) -> Submitted:
        """MOVES MONEY. After silence: the same bytes under the same key, as connectors/idempotency.py says.

        ValueError for a request that is not such a payment.
        """
        _check(request, self._resource.payments)
        response = self._wire.post(request, psu=psu, access_token=access_token, deadline=Deadline(timeout_s))
        return self._submitted(response, asked=request.body)

    def status(
        self,
        payment_id: str,
        *,
        access_token: str | None,  # noqa: ARG002  # we may always ask as ourselves
        timeout_s: float,
    ) -> BankStatus:
        """GET the payment, as ourselves. RJCT may follow ACSP, ACWP and ACSC: it is told as it is."""
        response = self._wire.get(at(self._resource.payments, payment_id), deadline=Deadline(timeout_s))
        if response is None:
            return BankStatus(
                transaction_status="NOT_FOUND",
                fact=Fact.NOT_FOUND,
                reason_code=None,
                reason_text=None,
                raw_response=b"",
            )
        submitted = self._submitted(response)
        check_same(submitted.bank_payment_id, payment_id)
        return submitted.status

    def details(self, payment_id: str, *, timeout_s: float) -> Sequence[Detail]:
        """GET payment-details, which a bank need not have (404)."""
        path = at(self._resource.payments, payment_id, "payment-details")
        response = self._wire.get(path, deadline=Deadline(timeout_s))
        if response is None:
            return []
        try:
            return messages.read_details(response.body)
        except NotReadable as error:
            raise unreadable(error) from None

    def _submitted(self, response: BankResponse, *, asked: bytes | None = None) -> Submitted:
        """``asked``: what the bank was given just now, where the answer is to that."""
        try:
            read = messages.read_payment(response.body, payment_id=self._resource.payment_id)
            if asked is not None:
                messages.check_same_order(response.body, asked)
        except NotReadable as error:
            raise unreadable(error) from None
        if asked is not None:
            check_same(read.consent_id, messages.consent_of(asked))
        return Submitted(
            bank_payment_id=read.payment_id,
            status=BankStatus(
                transaction_status=read.status,
                fact=fact_of_payment(read.status),
                reason_code=read.reason_code,
                reason_text=read.reason_text,
                raw_response=response.body,
            ),
            refund_account=read.refund_account,
        )


def unreadable(error: NotReadable) -> BankSilent:
    """What an answer is that came and says nothing."""
    message = f"the bank's answer cannot be read: {error}"
    return BankSilent(message)


def _check(request: BankRequest, path: str) -> None:
    """Raises ValueError for a request that was drafted for something else, or whose key was changed since."""
    if (request.method, request.path) != ("POST", path):
        message = (
            f"this is a {request.method} to {request.path[:100]}, not a POST to {path}: draft it with the same verbs"
        )
        raise ValueError(message)
    if idempotency.key(request.headers.get("x-idempotency-key", "")) != request.request_id:
        raise ValueError("x-idempotency-key is not the request's own id: send the request as it was drafted")


def check_same(told: str, asked: str) -> None:
    """Raises BankSilent."""
    if told != asked:
        raise BankSilent("the bank's answer is about something else than we asked for")
