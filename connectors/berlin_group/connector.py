"""One bank that speaks NextGenPSD2 1.3.12: SEPA credit transfers, at once or instant, on a day, again and again.

SCA itself executes the payment here, so there is no ``submit``; from the moment that the customer has the
approval link, only ``status`` counts. The standard has no idempotency key: whether an initiation may be sent
again follows from the errors alone.

Some banks want their customer to sign in before they take an order (OAuth2 as a pre-step): ``as_customer`` then asks
with that token, in all that has to do with the order.

How the customer approves, the bank says by its links (contract.Approach): at its authorization server, on a page of its
own, or in its app. Never by way of us (embedded): nobody is asked for a password of the bank's here.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from connectors.berlin_group import messages
from connectors.berlin_group.kept import FutureDated, Standing
from connectors.berlin_group.orders import JSON, Orders, gone, unreadable, with_parameter
from connectors.berlin_group.quirks import Quirks
from connectors.berlin_group.surroundings import Surroundings
from connectors.berlin_group.wire import SCOPE, Wire
from connectors.contract import (
    Approach,
    Authorised,
    BankRequest,
    BankStatus,
    PaymentOrder,
    ScaOAuth,
)
from connectors.errors import BankError, BankRefused, BankSilent, NotApproved
from connectors.http import BankResponse, Deadline
from connectors.profile import BankProfile
from connectors.security.metadata import AuthorizationServer
from connectors.security.oauth_client import OAuthClient, with_query
from connectors.strict_json import NotReadable

TRANSFERS, INSTANT = "sepa-credit-transfers", "instant-sepa-credit-transfers"
#: the end of an authorisation that is good (scaStatus)
_GOOD = ("finalised", "exempted")


class BerlinGroupConnector(Orders):
    """The contract's verbs; connectors/contract.py says what each of them promises."""

    def __init__(
        self,
        profile: BankProfile,
        *,
        wire: Wire,
        oauth: OAuthClient,
        quirks: Quirks = Quirks(),  # noqa: B008  # frozen
        clock: Callable[[], dt.datetime],
        customer_token: str | None = None,
    ) -> None:
        """``customer_token``: of who signed in there before. Raises ValueError for a profile that asks for what is not
        built."""
        if not profile.redirect:
            raise ValueError("redirect = false: only SCA by redirect is built; for an app of the bank's, see approach")
        has_token = profile.approach == Approach.OAUTH or profile.sign_in_first
        if profile.status_access == "psu_token" and not has_token:
            raise ValueError(f"status_access = psu_token: there is no token of the customer's with {profile.approach}")
        at = Surroundings(
            profile=profile, wire=wire, oauth=oauth, quirks=quirks, clock=clock, customer_token=customer_token
        )
        product, other = (INSTANT, TRANSFERS) if profile.instant else (TRANSFERS, INSTANT)
        super().__init__(at, f"/v1/payments/{product}", before=f"/v1/payments/{other}")
        self._future_dated = FutureDated(at, f"/v1/payments/{TRANSFERS}")
        self._standing = Standing(at, f"/v1/periodic-payments/{TRANSFERS}")

    @property
    def future_dated(self) -> FutureDated:
        return self._future_dated

    @property
    def standing_orders(self) -> Standing:
        return self._standing

    def sign_in_url(self, *, redirect_uri: str, state: str, code_challenge: str, timeout_s: float) -> str:
        """RFC 6749 §4.1.1 with RFC 7636 §4.3, and no payment in the scope."""
        deadline = Deadline(timeout_s)
        asked = {
            "redirect_uri": redirect_uri,
            "scope": self._at.quirks.sign_in_scope or SCOPE,
            "state": state,
            "code_challenge": code_challenge,
            "code_challenge_method": "S256",
        }
        return self._at.oauth.authorise_url(self._server(deadline=deadline), asked, deadline=deadline)

    def signed_in(
        self, *, answer: Mapping[str, str], code_verifier: str, redirect_uri: str, timeout_s: float
    ) -> Authorised:
        """RFC 9207, then RFC 6749 §4.1.3. Whoever calls has checked the state: the answer came to its address."""
        deadline = Deadline(timeout_s)
        server = self._server(deadline=deadline)
        named = server.iss_parameter_supported or self._at.oauth.profile.issuer_named
        if answer.get("iss", None if named else server.issuer) != server.issuer:
            raise BankRefused("the answer is not from this bank's server", code="wrong_issuer", http_status=400)
        if "code" not in answer:
            said = answer.get("error", "nothing")
            raise NotApproved(f"nobody signed in at the bank: {said[:100]}", code=said[:100], http_status=400)
        token = self._at.oauth.exchange(
            server.token_endpoint,
            code=answer["code"],
            code_verifier=code_verifier,
            redirect_uri=redirect_uri,
            deadline=deadline,
            scope=self._at.quirks.sign_in_scope or SCOPE,
        )
        return Authorised(access_token=token.access_token, expires_in_s=token.expires_in_s)

    def _server(self, *, deadline: Deadline) -> AuthorizationServer:
        profile = self._at.profile
        if not profile.authorization_endpoint:
            return self._at.oauth.server(deadline=deadline)
        return AuthorizationServer(
            issuer=profile.issuer,
            authorization_endpoint=profile.authorization_endpoint,
            token_endpoint=profile.token_endpoint,
            iss_parameter_supported=False,
        )

    def as_customer(self, access_token: str) -> BerlinGroupConnector:
        at = self._at
        return BerlinGroupConnector(
            at.profile, wire=at.wire, oauth=at.oauth, quirks=at.quirks, clock=at.clock, customer_token=access_token
        )

    def draft(self, order: PaymentOrder, *, request_id: str, redirect_uri: str) -> BankRequest:
        """initiatePayment, for at once."""
        self._check(order)
        body = messages.initiation(order, quirks=self._at.quirks)
        return self._drafted(body, request_id=request_id, redirect_uri=redirect_uri)

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
        """RFC 6749 §4.1.1 with RFC 7636 §4.3; or the bank's page as the bank gave it.

        Where the customer approves in an app there is no page: the address is our own, and only when the browser is
        back from it is the bank asked to tell its app. Before that a crash could forget that anybody was asked.
        """
        if staged.approach == Approach.DECOUPLED:
            return with_parameter(redirect_uri, messages.STAYED)
        if staged.approach == Approach.REDIRECT:
            return staged.authorization_endpoint
        query = urlencode(
            {
                "response_type": self._at.oauth.response_type,
                "client_id": self._at.profile.client_id,
                "redirect_uri": redirect_uri,
                "scope": staged.scope,
                "state": state,
                "code_challenge": code_challenge,
                "code_challenge_method": "S256",
            }
        )
        return with_query(staged.authorization_endpoint, query)

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
        """Exchange the code, confirm where the bank waits for that, or have its app ask the customer.

        At some banks this finishes the SCA. Whatever comes of it, ``status`` has the last word.
        """
        if not answer.get("code"):
            raise BankRefused("the answer in the browser carries no code", code="not_believed", http_status=400)
        deadline = Deadline(timeout_s)
        if sca.approach == Approach.DECOUPLED:
            return self._have_it_asked(sca, deadline=deadline)
        if sca.approach == Approach.REDIRECT:
            if sca.confirmation is not None:
                self._confirm(sca.confirmation, answer.get(self._at.profile.confirmation_code), deadline=deadline)
            # nothing that we hold moves money after this
            return Authorised(access_token=None, expires_in_s=0)
        token = self._at.oauth.exchange(
            sca.token_endpoint,
            code=answer["code"],
            code_verifier=code_verifier,
            redirect_uri=redirect_uri,
            deadline=deadline,
            scope=sca.scope,
        )
        if sca.confirmation is not None:
            # By the guidelines the token itself is the confirmation code then. Whatever comes of it, the token is kept:
            # at some banks only it lets us ask.
            with contextlib.suppress(BankError):
                self._confirm(sca.confirmation, token.access_token, deadline=deadline)
        return Authorised(access_token=token.access_token, expires_in_s=token.expires_in_s)

    def _have_it_asked(self, sca: ScaOAuth, *, deadline: Deadline) -> Authorised:
        """Start the authorisation: the bank tells its app, and its customer has until the bank gives up."""
        path = sca.token_endpoint.removeprefix(self._at.profile.base_url)
        headers = {"TPP-Redirect-Preferred": "false", "TPP-Decoupled-Preferred": "true"}
        response = self._send("POST", path, messages.nothing(), headers=headers, deadline=deadline)
        try:
            of, _, start = path.rpartition("/")
            started = messages.started(response.body, of=of, place=self._at.place, start=start)
        except NotReadable as error:
            raise unreadable(error) from None
        links = started.links
        elsewhere = links.sca_redirect or links.sca_oauth or links.is_embedded or links.wants_identification
        if started.sca_status == "failed" or elsewhere:
            message = f"the bank does not ask its customer in an app of its own (scaStatus {started.sca_status[:40]})"
            raise BankRefused(message, code="not_decoupled", http_status=response.status)
        return Authorised(access_token=None, expires_in_s=self._at.profile.authorisation_minutes * 60)

    def _confirm(self, path: str, code: str | None, *, deadline: Deadline) -> None:
        """PUT …/authorisations/{id}: THIS MAY MOVE MONEY. Never twice."""
        if not code:
            raise BankRefused("the customer is back without a confirmation code", code="not_believed", http_status=400)
        response = self._send("PUT", path, messages.confirmation(code), headers={}, deadline=deadline)
        try:
            said = messages.sca_status(response.body)
        except NotReadable as error:
            raise unreadable(error) from None
        if said == "failed":
            message = "the bank does not take the confirmation (scaStatus failed)"
            raise BankRefused(message, code="SCA_INVALID", http_status=response.status)
        if said not in _GOOD:
            message = f"the bank does not say that it is confirmed (scaStatus {said[:40]})"
            raise BankSilent(message)

    def _send(
        self, method: str, path: str, body: bytes, *, headers: Mapping[str, str], deadline: Deadline
    ) -> BankResponse:
        response = self._at.wire.call(
            method,
            path,
            headers={"X-Request-ID": str(uuid.uuid4()), "Content-Type": JSON, **headers},
            body=body,
            who=self._who(),
            deadline=deadline,
        )
        if not response.ok:
            raise messages.refusal(response)
        return response

    def cancel(self, consent_id: str, *, timeout_s: float) -> BankStatus | None:
        """DELETE …/{paymentId}. Only 204 says that it is gone; 202 would need the customer's SCA again."""
        response = self._delete(consent_id, {}, deadline=Deadline(timeout_s))
        return gone(response) if response.status == 204 else None
