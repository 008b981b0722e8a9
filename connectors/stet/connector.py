"""One bank that speaks STET PSD2 1.4: payment requests of one SEPA credit transfer, approved by redirect.

The customer approves at the bank, which executes what was approved; there is no ``submit``, and no token of the
customer. What there may be is a *confirmation*: the bank offers a link to it, and some banks execute nothing before we
have followed it. So ``complete`` is where money may move: the customer is back from the address for success, the bank
is asked, and only when it still waits for our word is that given, once. A bank that executes without it takes the word
as well (POST …/confirmation: "not a prerequisite" in the redirect approach). After a lost answer it is not given again:
from the moment that the customer has the approval link, only ``status`` counts.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from connectors.contract import (
    Authorised,
    BankRequest,
    BankStatus,
    Fact,
    PaymentOrder,
    PsuContext,
    ScaOAuth,
    Staged,
)
from connectors.errors import BankRefused, BankSilent
from connectors.http import Deadline
from connectors.profile import BankProfile
from connectors.psu import psu_headers
from connectors.stet import links, messages
from connectors.stet.links import path_of
from connectors.stet.messages import Retrieved
from connectors.stet.quirks import Quirks
from connectors.stet.wire import JSON, SCOPE, Wire
from connectors.strict_json import NotReadable

#: what the bank has said when it has created a payment request: the answer itself has no status
RECEIVED = "RCVD"


class StetConnector:
    """The contract's verbs and ``Cancels``; connectors/contract.py says what each of them promises."""

    def __init__(
        self,
        profile: BankProfile,
        *,
        wire: Wire,
        clock: Callable[[], dt.datetime],
        quirks: Quirks = Quirks(),  # noqa: B008  # frozen
    ) -> None:
        """Raises ValueError for a profile that asks for what is not built."""
        if not profile.redirect:
            raise ValueError("redirect = false: only approval by redirect is built for stet")
        self._profile = profile
        self._wire = wire
        self._clock = clock
        self._quirks = quirks

    def draft(self, order: PaymentOrder, *, request_id: str, redirect_uri: str) -> BankRequest:
        """POST /payment-requests. ``request_id`` is our reference there, too: a bank may know a repeat by it."""
        if order.amount.currency not in self._profile.currencies:
            message = f"{self._profile.name} does not pay in {order.amount.currency}"
            raise ValueError(message)
        x_request_id = uuid.UUID(request_id)
        _check_redirect_uri(redirect_uri)
        body = messages.payment_request(
            order, reference=x_request_id.hex, redirect_uri=redirect_uri, now=self._clock(), quirks=self._quirks
        )
        return BankRequest(
            method="POST",
            path=links.PATH,
            headers={"X-Request-ID": str(x_request_id), "Content-Type": JSON},
            body=body,
            request_id=str(x_request_id),
        )

    def initiate(self, request: BankRequest, *, psu: PsuContext, timeout_s: float) -> Staged:
        """POST the draft's very bytes. A 201 that leads nowhere is no refusal: the bank has it."""
        response = self._wire.call(
            request.method,
            request.path,
            request_id=request.request_id,
            headers={**request.headers, **psu_headers(psu)},
            body=request.body,
            deadline=Deadline(timeout_s),
        )
        if not response.ok:
            raise messages.refusal(response)
        try:
            created = messages.created(response, base_url=self._profile.base_url)
            sca = self._sca(created)
        except NotReadable as error:
            raise _unreadable(error) from None
        return Staged(consent_id=created.payment_id, transaction_status=RECEIVED, sca=sca, raw_response=response.body)

    def _sca(self, created: messages.Created) -> ScaOAuth | None:
        """Where the customer approves, and where we confirm. None: the bank approves in a way of its own."""
        if created.consent_approval is None:
            return None
        base_url = self._profile.base_url
        return ScaOAuth(
            issuer=self._profile.issuer,
            authorization_endpoint=links.to_approve(
                created.consent_approval,
                base_url=base_url,
                origins=self._profile.origins,
                allow_http=urlsplit(base_url).scheme == "http",
            ),
            token_endpoint=base_url + path_of(created.payment_id, "confirmation"),
            scope=SCOPE,
            intent_id=created.payment_id,
        )

    def authorise_url(
        self,
        staged: ScaOAuth,
        *,
        redirect_uri: str,  # noqa: ARG002  # the bank has it, with the state in it, from the payment request
        state: str,  # noqa: ARG002
        nonce: str,  # noqa: ARG002  # of OAuth, as the next, which is not spoken with customers here
        code_challenge: str,  # noqa: ARG002
        timeout_s: float,  # noqa: ARG002  # nobody is asked
    ) -> str:
        """The link consentApproval, as the bank gave it."""
        return staged.authorization_endpoint

    def complete(
        self,
        sca: ScaOAuth,
        *,
        answer: Mapping[str, str],
        code_verifier: str,  # noqa: ARG002
        redirect_uri: str,  # noqa: ARG002
        state: str,  # noqa: ARG002  # the address that the customer came back to says it
        nonce: str,  # noqa: ARG002
        timeout_s: float,
    ) -> Authorised:
        """Confirm what the customer approved, where the bank waits for it: THIS MAY MOVE MONEY. Never twice."""
        if not answer.get("code") or sca.intent_id is None:
            raise BankRefused("the customer is not back from an approval", code="not_believed", http_status=400)
        deadline = Deadline(timeout_s)
        found = self._get(sca.intent_id, deadline=deadline)
        if isinstance(found, BankStatus):
            raise BankSilent("the bank does not know the payment request now; it may know it later")
        if found.to_be_confirmed and found.status.fact in (Fact.WAITING, Fact.ACCEPTED):
            self._confirm(sca.intent_id, deadline=deadline)
        # nothing that we hold moves money after this
        return Authorised(access_token=None, expires_in_s=0)

    def _confirm(self, payment_id: str, *, deadline: Deadline) -> None:
        response = self._wire.call(
            "POST",
            path_of(payment_id, "confirmation"),
            request_id=str(uuid.uuid4()),
            headers={"Content-Type": JSON},
            body=messages.confirmation(),
            deadline=deadline,
        )
        if not response.ok:
            raise messages.refusal(response)

    def cancel(self, consent_id: str, *, timeout_s: float) -> BankStatus | None:
        """PUT with RJCT and DS02, as long as nobody has approved it; after that the bank would want its customer again.

        Only its own status says that it is gone: the answer says that the wish was taken.
        """
        deadline = Deadline(timeout_s)
        found = self._get(consent_id, deadline=deadline)
        if isinstance(found, BankStatus):
            return None
        if found.status.fact is Fact.WAITING:
            response = self._wire.call(
                "PUT",
                path_of(consent_id),
                request_id=str(uuid.uuid4()),
                headers={"Content-Type": JSON},
                body=messages.cancellation(found.request),
                deadline=deadline,
            )
            if not response.ok:
                return None
            found = self._get(consent_id, deadline=deadline)
        gone = not isinstance(found, BankStatus) and found.status.fact is Fact.CANCELLED
        return found.status if gone and isinstance(found, Retrieved) else None

    def status(self, bank_payment_id: str, *, access_token: str | None, timeout_s: float) -> BankStatus:  # noqa: ARG002
        """GET /payment-requests/{id}, as ourselves. That the bank knows none is a fact of its own."""
        found = self._get(bank_payment_id, deadline=Deadline(timeout_s))
        return found if isinstance(found, BankStatus) else found.status

    def _get(self, payment_id: str, *, deadline: Deadline) -> Retrieved | BankStatus:
        """The payment request as the bank has it; or its word, as a status, that it has none."""
        response = self._wire.call("GET", path_of(payment_id), request_id=str(uuid.uuid4()), deadline=deadline)
        if messages.is_unknown(response):
            return BankStatus(
                transaction_status="NOT_FOUND",
                fact=Fact.NOT_FOUND,
                reason_code=None,
                reason_text=None,
                raw_response=response.body,
            )
        if response.status in (404, 409):
            message = f"the bank does not know the payment request now ({response.status}); it may know it later"
            raise BankSilent(message)
        if not response.ok:
            raise messages.refusal(response)
        try:
            return messages.retrieved(response.body, payment_id=payment_id, base_url=self._profile.base_url)
        except NotReadable as error:
            raise _unreadable(error) from None


def _unreadable(error: NotReadable) -> BankSilent:
    message = f"the bank's answer cannot be read: {error}"
    return BankSilent(message)


def _check_redirect_uri(uri: str) -> None:
    """The bank sends the customer there (successfulReportUrl)."""
    parts = urlsplit(uri)
    good = parts.scheme in ("https", "http") and bool(parts.hostname) and not parts.fragment
    if not good or not uri.isascii() or not uri.isprintable():
        raise ValueError("the address for the customer's return must be an ASCII https address without a fragment")
