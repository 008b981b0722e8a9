"""One bank that speaks NextGenPSD2 1.3.12: payments/sepa-credit-transfers, redirect SCA, OAuth2 integrated.

SCA itself executes the payment here, so there is no ``submit``; from the moment that the customer has the
approval link, only ``status`` counts. The standard has no idempotency key: whether an initiation may be sent
again follows from the errors alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from connectors.berlin_group import messages
from connectors.berlin_group.messages import Initiated
from connectors.berlin_group.status import fact_of
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
from connectors.errors import BankRefused, BankSilent, BankUnavailable
from connectors.http import BankResponse, BankSession, Deadline
from connectors.profile import BankProfile
from connectors.psu import psu_headers
from connectors.security.oauth_client import OAuthClient
from connectors.strict_json import NotReadable

#: how the bank names us to the customer
BRAND = "Quittance"
PATH = "/v1/payments/sepa-credit-transfers"
#: the role of payment initiation: the scope of our own token, and what stands before a paymentId (scaOAuth)
SCOPE = "PIS"
#: RESOURCE_UNKNOWN and STATUS_INVALID: some banks say so until the customer's redirect has ended
EARLY = (404, 409)


class BerlinGroupConnector:
    """The contract's verbs; connectors/contract.py says what each of them promises."""

    def __init__(self, profile: BankProfile, *, session: BankSession, oauth: OAuthClient) -> None:
        """Raises ValueError for a profile that asks for what is not built."""
        if not profile.redirect:
            raise ValueError("redirect = false: only SCA by redirect is built for berlin_group")
        self._profile = profile
        self._session = session
        self._oauth = oauth

    def draft(self, order: PaymentOrder, *, request_id: str, redirect_uri: str) -> BankRequest:
        """The headers of initiatePayment but for those that are known only when it is sent."""
        if order.amount.currency not in self._profile.currencies:
            message = f"{self._profile.name} does not pay in {order.amount.currency}"
            raise ValueError(message)
        x_request_id = str(uuid.UUID(request_id))
        _check_redirect_uri(redirect_uri)
        return BankRequest(
            method="POST",
            path=PATH,
            headers={
                "X-Request-ID": x_request_id,
                "Content-Type": "application/json",
                "TPP-Redirect-Preferred": "true",
                "TPP-Brand-Logging-Information": BRAND,
                "TPP-Redirect-URI": redirect_uri,
                "TPP-Nok-Redirect-URI": redirect_uri,
            },
            body=messages.initiation(order),
            request_id=x_request_id,
        )

    def initiate(self, request: BankRequest, *, psu: PsuContext, timeout_s: float) -> Staged:
        """POST the draft's very bytes. A 201 without a link to follow is no refusal: the bank has it."""
        deadline = Deadline(timeout_s)
        # Before the order, so that its approval cannot fail for want of metadata once the bank holds it.
        self._oauth.server(deadline=deadline)
        response = self._call(
            request.method,
            request.path,
            headers={**request.headers, **psu_headers(psu)},
            body=request.body,
            as_ourselves=self._profile.tpp_token,
            deadline=deadline,
        )
        if not response.ok:
            raise messages.refusal(response)
        try:
            initiated = messages.initiated(response.body, base_url=self._profile.base_url)
        except NotReadable as error:
            raise _unreadable(error) from None
        if fact_of(initiated.transaction_status) in (Fact.REJECTED, Fact.CANCELLED):
            message = f"the bank took the order and rejected it: {initiated.reason_text or 'no text'}"
            code = initiated.reason_code or initiated.transaction_status
            raise BankRefused(message, code=code, http_status=response.status)
        return Staged(
            consent_id=initiated.payment_id,
            transaction_status=initiated.transaction_status,
            sca=self._sca(initiated, deadline=deadline),
            raw_response=response.body,
        )

    def authorise_url(
        self,
        staged: ScaOAuth,
        *,
        redirect_uri: str,
        state: str,
        nonce: str,  # noqa: ARG002  # of OpenID Connect, which is not spoken here
        code_challenge: str,
        timeout_s: float,  # noqa: ARG002  # nobody is asked
    ) -> str:
        """RFC 6749 §4.1.1 with RFC 7636 §4.3."""
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self._profile.client_id,
                "redirect_uri": redirect_uri,
                "scope": staged.scope,
                "state": state,
                "code_challenge": code_challenge,
                "code_challenge_method": "S256",
            }
        )
        parts = urlsplit(staged.authorization_endpoint)
        return urlunsplit(parts._replace(query=f"{parts.query}&{query}" if parts.query else query))

    def complete(
        self,
        sca: ScaOAuth,
        *,
        answer: Mapping[str, str],
        code_verifier: str,
        redirect_uri: str,
        state: str,  # noqa: ARG002  # the address that the answer came to says it
        nonce: str,  # noqa: ARG002
        timeout_s: float,
    ) -> Authorised:
        """At some banks this finishes the SCA. Whatever comes of it, ``status`` has the last word."""
        if not answer.get("code"):
            raise BankRefused("the answer in the browser carries no code", code="not_believed", http_status=400)
        token = self._oauth.exchange(
            sca.token_endpoint,
            code=answer["code"],
            code_verifier=code_verifier,
            redirect_uri=redirect_uri,
            deadline=Deadline(timeout_s),
        )
        return Authorised(access_token=token.access_token, expires_in_s=token.expires_in_s)

    def cancel(self, consent_id: str, *, timeout_s: float) -> BankStatus | None:
        """DELETE …/{paymentId}. Only 204 says that it is gone; 202 would need the customer's SCA again."""
        response = self._call(
            "DELETE",
            f"{PATH}/{quote(consent_id, safe='')}",
            headers={"X-Request-ID": str(uuid.uuid4())},
            body=None,
            as_ourselves=True,
            deadline=Deadline(timeout_s),
        )
        if response.status != 204:
            return None
        return BankStatus(
            transaction_status="CANC",
            fact=Fact.CANCELLED,
            reason_code=None,
            reason_text=None,
            raw_response=response.body,
        )

    def status(self, consent_id: str, *, access_token: str | None, timeout_s: float) -> BankStatus:
        """GET …/{paymentId}/status. RESOURCE_UNKNOWN is a fact of its own; any other 404 or 409 is BankSilent."""
        if access_token is None and self._profile.status_access == "psu_token":
            message = f"{self._profile.name} tells a status only with the customer's token, and there is none"
            raise BankRefused(message, code="TOKEN_UNKNOWN", http_status=401)
        headers = {"X-Request-ID": str(uuid.uuid4())}
        response = self._call(
            "GET",
            f"{PATH}/{quote(consent_id, safe='')}/status",
            headers=headers if access_token is None else _bearer(headers, access_token),
            body=None,
            as_ourselves=access_token is None,
            deadline=Deadline(timeout_s),
        )
        if response.status in EARLY:
            refusal = messages.refusal(response)
            if refusal.code == "RESOURCE_UNKNOWN":
                return BankStatus(
                    transaction_status=refusal.code,
                    fact=Fact.NOT_FOUND,
                    reason_code=None,
                    reason_text=None,
                    raw_response=response.body,
                )
            message = f"the bank does not know the payment now ({response.status}); it may know it later"
            raise BankSilent(message)
        if not response.ok:
            raise messages.refusal(response)
        try:
            return messages.status(response.body)
        except NotReadable as error:
            raise _unreadable(error) from None

    def _call(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        as_ourselves: bool,
        deadline: Deadline,
    ) -> BankResponse:
        """Send, and once more if the bank forgot our token: what it refused with 401 it did not do."""
        if not as_ourselves:
            return self._send(method, path, headers=headers, body=body, deadline=deadline)
        token = self._oauth.own_token(SCOPE, deadline=deadline)
        response = self._send(method, path, headers=_bearer(headers, token), body=body, deadline=deadline)
        if response.status != 401:
            return response
        self._oauth.forget(token)
        token = self._oauth.own_token(SCOPE, deadline=deadline)
        return self._send(method, path, headers=_bearer(headers, token), body=body, deadline=deadline)

    def _send(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes | None, deadline: Deadline
    ) -> BankResponse:
        response = self._session.call(
            method, self._profile.base_url + path, headers=headers, body=body, deadline=deadline
        )
        echo = response.headers.get("X-Request-ID")
        if echo is not None and echo.lower() != headers["X-Request-ID"].lower():
            raise BankSilent("the bank's answer carries the X-Request-ID of another call")
        return response

    def _sca(self, initiated: Initiated, *, deadline: Deadline) -> ScaOAuth | None:
        """Where to approve: the metadata that scaOAuth names, believed on the issuer's host only.

        None without the link: the bank may approve in its own app, or ask nothing of the customer at all.
        """
        if initiated.sca_oauth is None:
            return None
        try:
            server = self._oauth.server(initiated.sca_oauth, deadline=deadline)
        except (BankUnavailable, BankRefused) as error:
            message = f"the bank took the order, but not where to approve it: {error}"
            raise BankSilent(message) from error
        return ScaOAuth(
            issuer=server.issuer,
            authorization_endpoint=server.authorization_endpoint,
            token_endpoint=server.token_endpoint,
            scope=f"{SCOPE}:{initiated.payment_id}",
            iss_parameter_supported=server.iss_parameter_supported,
        )


def _bearer(headers: Mapping[str, str], token: str) -> dict[str, str]:
    return {**headers, "Authorization": f"Bearer {token}"}


def _unreadable(error: NotReadable) -> BankSilent:
    message = f"the bank's answer cannot be read: {error}"
    return BankSilent(message)


def _check_redirect_uri(uri: str) -> None:
    """It goes into headers as it is, and the bank sends the customer there (TPP-Redirect-URI, format uri)."""
    parts = urlsplit(uri)
    if parts.scheme not in ("https", "http") or not parts.hostname or not uri.isascii() or not uri.isprintable():
        raise ValueError("the address for the customer's return must be an ASCII https address")
