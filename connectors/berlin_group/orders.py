"""Orders of one payment service and product at one bank: given to it, asked about, taken back.

What all of them have. The approval of each goes on in connector.py.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import NoReturn
from urllib.parse import urlsplit

from connectors.berlin_group import messages
from connectors.berlin_group.links import Links, below
from connectors.berlin_group.status import fact_of
from connectors.berlin_group.surroundings import Surroundings
from connectors.berlin_group.wire import SCOPE, As, is_of_token
from connectors.capabilities import Cancellation
from connectors.contract import Approach, BankRequest, BankStatus, Fact, PaymentOrder, PsuContext, ScaOAuth, Staged
from connectors.errors import BankRefused, BankSilent, BankUnavailable, NotSignedIn
from connectors.http import BankResponse, Deadline
from connectors.psu import psu_headers
from connectors.strict_json import NotReadable

#: how the bank names us to the customer
BRAND = "Quittance"
JSON = "application/json"
#: RESOURCE_UNKNOWN and STATUS_INVALID: some banks say so until the customer's redirect has ended
EARLY = (404, 409)
#: what a 400 must say of a payment that is not there, or of a product that the bank does not have: most speak of others
_NOT_THERE = ("RESOURCE_UNKNOWN", "PRODUCT_UNKNOWN", "PRODUCT_INVALID", "SERVICE_INVALID")
AUTHORISATIONS, CANCELLATIONS = "authorisations", "cancellation-authorisations"
#: of an initiation's headers: what is said again where an approval is started
_OF_THE_WAY = ("TPP-Redirect-Preferred", "TPP-Decoupled-Preferred", "TPP-Redirect-URI", "TPP-Nok-Redirect-URI")
_OVER = (Fact.REJECTED, Fact.CANCELLED)


class Orders:
    """The verbs for what lies at ``path``, as ``/v1/payments/sepa-credit-transfers``.

    ``before``: where new ones would lie if the bank's file said otherwise, as it may have done when an open one was
    drafted.
    """

    def __init__(self, at: Surroundings, path: str, *, before: str | None = None) -> None:
        self._at = at
        self._path = path
        self._before = before

    def _drafted(self, body: bytes, *, request_id: str, redirect_uri: str) -> BankRequest:
        """The headers of initiatePayment but for those that are known only when it is sent."""
        x_request_id = str(uuid.UUID(request_id))
        check_redirect_uri(redirect_uri)
        headers = {
            "X-Request-ID": x_request_id,
            "Content-Type": JSON,
            "TPP-Brand-Logging-Information": BRAND,
            **self._way_back(redirect_uri),
        }
        return BankRequest(method="POST", path=self._path, headers=headers, body=body, request_id=x_request_id)

    def _check(self, order: PaymentOrder) -> None:
        if order.amount.currency not in self._at.profile.currencies:
            message = f"{self._at.profile.name} does not pay in {order.amount.currency}"
            raise ValueError(message)

    def _way_back(self, redirect_uri: str) -> dict[str, str]:
        """Which approach is asked for, and where the customer comes back to.

        A bank with an app is told the way back, too (the standard recommends it always): what is asked for is a wish,
        and a bank that has no app for a customer answers with a page of its own, to which we send them then.
        """
        approach = self._at.profile.approach
        back = nok = redirect_uri
        if approach != Approach.OAUTH:
            named = self._at.quirks.confirmation_code_name
            back = redirect_uri if named == "code" else with_parameter(redirect_uri, messages.SUCCESS)
            nok = with_parameter(redirect_uri, messages.FAILURE)
        ways = {"TPP-Redirect-URI": back, "TPP-Nok-Redirect-URI": nok}
        if approach != Approach.DECOUPLED:
            # not in an app of the bank's: it would ask at once, before anybody has left for it
            return {"TPP-Redirect-Preferred": "true", "TPP-Decoupled-Preferred": "false", **ways}
        # explicit: a bank that asked its customer at once could have it approved before anybody knows of it
        explicit = {"TPP-Explicit-Authorisation-Preferred": "true"}
        return {"TPP-Redirect-Preferred": "false", "TPP-Decoupled-Preferred": "true", **explicit, **ways}

    def initiate(self, request: BankRequest, *, psu: PsuContext, timeout_s: float) -> Staged:
        """POST the draft's very bytes. A 201 without a link to follow is no refusal: the bank has it.

        Where the approval must be started, and the customer is sent to a page of the bank's for it, it is started here:
        nobody can approve before somebody is sent there.
        """
        deadline, at = Deadline(timeout_s), self._at
        if at.profile.approach == Approach.OAUTH:
            # Before the order, so that its approval cannot fail for want of metadata once the bank holds it.
            at.oauth.server(deadline=deadline)
        response = at.wire.call(
            request.method,
            request.path,
            headers={**request.headers, **psu_headers(psu)},
            body=request.body,
            who=self._who_initiates(),
            deadline=deadline,
        )
        if at.customer_token is not None and response.status == 401 and is_of_token(response):
            raise _not_signed_in(response)
        if not response.ok:
            raise messages.refusal(response)
        try:
            initiated = messages.initiated(response.body, path=request.path, place=at.place)
        except NotReadable as error:
            raise unreadable(error) from None
        if fact_of(initiated.transaction_status) in _OVER:
            message = f"the bank took the order and rejected it: {initiated.reason_text or 'no text'}"
            code = initiated.reason_code or initiated.transaction_status
            raise BankRefused(message, code=code, http_status=response.status)
        way = {name: value for name, value in request.headers.items() if name in _OF_THE_WAY}
        sca = self._sca(
            initiated.links,
            initiated.payment_id,
            path=request.path,
            start=AUTHORISATIONS,
            headers={**way, **psu_headers(psu)},
            deadline=deadline,
            http_status=response.status,
        )
        return Staged(
            consent_id=initiated.payment_id,
            transaction_status=initiated.transaction_status,
            sca=sca,
            raw_response=response.body,
        )

    def _sca(
        self,
        links: Links,
        payment_id: str,
        *,
        path: str,
        start: str,
        headers: Mapping[str, str],
        deadline: Deadline,
        http_status: int,
    ) -> ScaOAuth | None:
        """Where to approve, by the bank's links. ``start``: where an approval is started that is not yet.

        None without any: the bank asks in its own app by itself, or asks nothing of the customer at all. BankRefused
        for what we never do: take what the customer keeps secret to the bank.
        """
        place = below(path, payment_id)
        named = self._named(links, payment_id, place, deadline=deadline)
        if named is not None:
            return named
        if links.start and self._at.profile.decoupled:
            return self._elsewhere(below(place, start), payment_id)
        if links.start:
            begun = self._start(place, start=start, headers=headers, deadline=deadline)
            if begun is None:
                return None
            return self._sca(
                begun,
                payment_id,
                path=path,
                start=start,
                headers=headers,
                deadline=deadline,
                http_status=http_status,
            )
        if links.wants_identification:
            message = (
                "the bank wants to know from us under which name its customer signs in there, which we do not ask for"
            )
            raise BankRefused(message, code="psu_identification_wanted", http_status=http_status)
        if links.is_embedded:
            message = (
                "the bank wants its customer's password or code by way of us (embedded approach): nobody is ever asked"
                " for one here, and the order lapses"
            )
            raise BankRefused(message, code="embedded_refused", http_status=http_status)
        return None

    def _named(self, links: Links, payment_id: str, place: str, *, deadline: Deadline) -> ScaOAuth | None:
        """By a link that leads to a page of the bank's."""
        at = self._at
        if links.sca_oauth is not None:
            try:
                server = at.oauth.server(links.sca_oauth, deadline=deadline)
            except (BankUnavailable, BankRefused) as error:
                message = f"the bank took the order, but not where to approve it: {error}"
                raise BankSilent(message) from error
            space = " " if at.quirks.scope_with_space else ""
            return ScaOAuth(
                issuer=server.issuer,
                authorization_endpoint=server.authorization_endpoint,
                token_endpoint=server.token_endpoint,
                scope=f"{SCOPE}:{space}{payment_id}",
                iss_parameter_supported=server.iss_parameter_supported,
                confirmation=links.confirmation,
            )
        if links.sca_redirect is not None:
            return ScaOAuth(
                issuer=at.profile.issuer,
                authorization_endpoint=links.sca_redirect,
                token_endpoint=at.profile.base_url + (links.confirmation or below(place, "status")),
                scope=SCOPE,
                intent_id=payment_id,
                approach=Approach.REDIRECT,
                confirmation=links.confirmation,
            )
        return None

    def _elsewhere(self, path: str, payment_id: str) -> ScaOAuth:
        """In an app of the bank's, which is not told before somebody has left for it (``complete``)."""
        profile = self._at.profile
        return ScaOAuth(
            issuer=profile.issuer,
            authorization_endpoint="",
            token_endpoint=profile.base_url + path,
            scope=SCOPE,
            intent_id=payment_id,
            approach=Approach.DECOUPLED,
        )

    def _start(self, place: str, *, start: str, headers: Mapping[str, str], deadline: Deadline) -> Links | None:
        """POST …/authorisations. None where it may have been started, and nobody knows how: perhaps its customer is
        being asked, so the order is followed, and never given again. Raises BankUnavailable and BankRefused where
        nothing was started: the order lapses."""
        try:
            response = self._at.wire.call(
                "POST",
                below(place, start),
                headers={"X-Request-ID": str(uuid.uuid4()), "Content-Type": JSON, **headers},
                body=messages.nothing(),
                who=self._who(),
                deadline=deadline,
            )
            if response.status == 409:  # it is started already
                return None
            if not response.ok:
                raise messages.refusal(response)
            begun = messages.started(response.body, of=place, place=self._at.place, start=start)
        except (BankSilent, NotReadable):
            return None
        return replace(_ended(begun, response), start=False)  # it is started

    def status(self, payment_id: str, *, access_token: str | None, timeout_s: float) -> BankStatus:
        """GET …/{paymentId}/status. RESOURCE_UNKNOWN is a fact of its own; any other 404 or 409 is BankSilent.

        Before it is a fact, the payment is looked for under the product that the bank's file may have named before.
        """
        profile, deadline = self._at.profile, Deadline(timeout_s)
        access_token = access_token or self._at.customer_token
        if access_token is None and profile.status_access == "psu_token":
            self._nobody()
        who = access_token or self._who()
        response = self._ask_status(self._path, payment_id, who=who, deadline=deadline)
        if response.status in EARLY and self._knows_it_not(response):
            elsewhere = self._ask_before(payment_id, who=who, deadline=deadline)
            if elsewhere is None:
                return BankStatus(
                    transaction_status="RESOURCE_UNKNOWN",
                    fact=Fact.NOT_FOUND,
                    reason_code=None,
                    reason_text=None,
                    raw_response=response.body,
                )
            response = elsewhere
        if response.status in EARLY:
            message = f"the bank does not know the payment now ({response.status}); it may know it later"
            raise BankSilent(message)
        if not response.ok:
            raise messages.refusal(response)
        try:
            return messages.status(response.body, acsc_is_accepted=self._at.quirks.acsc_is_accepted)
        except NotReadable as error:
            raise unreadable(error) from None

    def _knows_it_not(self, response: BankResponse) -> bool:
        return messages.refusal(response).code == "RESOURCE_UNKNOWN" and not self._at.quirks.unknown_is_early

    def _ask_before(self, payment_id: str, *, who: As | str, deadline: Deadline) -> BankResponse | None:
        """The answer under the other product; None where the bank does not have the payment, or the product, either."""
        if self._before is None:
            return None
        response = self._ask_status(self._before, payment_id, who=who, deadline=deadline)
        return None if _is_not_there(response) else response

    def _ask_status(self, path: str, payment_id: str, *, who: As | str, deadline: Deadline) -> BankResponse:
        """Raises NotSignedIn."""
        response = self._at.wire.call(
            "GET",
            below(path, payment_id, "status"),
            headers={"X-Request-ID": str(uuid.uuid4())},
            body=None,
            who=who,
            deadline=deadline,
        )
        if isinstance(who, str) and response.status == 401 and is_of_token(response):
            raise _not_signed_in(response)
        return response

    def _delete(self, payment_id: str, headers: Mapping[str, str], *, deadline: Deadline) -> BankResponse:
        """Also what lies under the product that the bank's file may have named before."""
        response = self._ask_to_delete(self._path, payment_id, headers, deadline=deadline)
        is_elsewhere = response.status == 404 and messages.refusal(response).code == "RESOURCE_UNKNOWN"
        if is_elsewhere and self._before is not None:
            response = self._ask_to_delete(self._before, payment_id, headers, deadline=deadline)
        return response

    def _ask_to_delete(
        self, path: str, payment_id: str, headers: Mapping[str, str], *, deadline: Deadline
    ) -> BankResponse:
        return self._at.wire.call(
            "DELETE",
            below(path, payment_id),
            headers={"X-Request-ID": str(uuid.uuid4()), **headers},
            body=None,
            who=self._who(),
            deadline=deadline,
        )

    def _cancellation(self, payment_id: str, *, redirect_uri: str, psu: PsuContext, timeout_s: float) -> Cancellation:
        """DELETE …/{paymentId}: 204, it is gone; 202, its customer must say so at the bank; anything else, it stays."""
        deadline = Deadline(timeout_s)
        check_redirect_uri(redirect_uri)
        headers = {**self._way_back(redirect_uri), **psu_headers(psu)}
        response = self._delete(payment_id, headers, deadline=deadline)
        if response.status == 204:
            return Cancellation(status=gone(response))
        if response.status != 202:
            return Cancellation()
        try:
            place = below(self._path, payment_id)
            links = messages.links_of(response.body, of=place, place=self._at.place, start=CANCELLATIONS)
        except NotReadable as error:
            raise unreadable(error) from None
        headers.pop("TPP-Explicit-Authorisation-Preferred", None)
        sca = self._sca(
            links,
            payment_id,
            path=self._path,
            start=CANCELLATIONS,
            headers=headers,
            deadline=deadline,
            http_status=response.status,
        )
        return Cancellation(sca=sca)

    def _who_initiates(self) -> As | str:
        if self._at.profile.sign_in_first:
            return self._at.customer_token or self._nobody()
        return As.OURSELVES if self._at.profile.tpp_token else As.CERTIFICATE

    def _who(self) -> As | str:
        """With whose token all is asked but an initiation and a status."""
        profile = self._at.profile
        if self._at.customer_token is not None:
            return self._at.customer_token
        if profile.sign_in_first and profile.status_access == "psu_token":
            return self._nobody()
        return As.CERTIFICATE if profile.status_access == "certificate" else As.OURSELVES

    def _nobody(self) -> NoReturn:
        message = f"{self._at.profile.name} wants its customer's token, and there is none: nothing was sent"
        raise NotSignedIn(message, code="TOKEN_UNKNOWN", http_status=401)


def _is_not_there(response: BankResponse) -> bool:
    """The payment, and perhaps the product. A 403 is no such word: it may be of the account, the service or us."""
    said = messages.refusal(response).code
    return response.status in (404, 405) or (response.status == 400 and said in _NOT_THERE)


def _not_signed_in(response: BankResponse) -> NotSignedIn:
    refusal = messages.refusal(response)
    return NotSignedIn(str(refusal), code=refusal.code, http_status=refusal.http_status)


def _ended(started: messages.Started, response: BankResponse) -> Links:
    if started.sca_status == "failed":
        message = "the bank does not let its customer approve this order (scaStatus failed)"
        raise BankRefused(message, code="SCA_INVALID", http_status=response.status)
    return started.links


def gone(response: BankResponse) -> BankStatus:
    return BankStatus(
        transaction_status="CANC",
        fact=Fact.CANCELLED,
        reason_code=None,
        reason_text=None,
        raw_response=response.body,
    )


def unreadable(error: NotReadable) -> BankSilent:
    message = f"the bank's answer cannot be read: {error}"
    return BankSilent(message)


def check_redirect_uri(uri: str) -> None:
    """It goes into headers as it is, and the bank sends the customer there (TPP-Redirect-URI, format uri)."""
    parts = urlsplit(uri)
    if parts.scheme not in ("https", "http") or not parts.hostname or not uri.isascii() or not uri.isprintable():
        raise ValueError("the address for the customer's return must be an ASCII https address")


def with_parameter(uri: str, parameter: str) -> str:
    return f"{uri}{'&' if '?' in uri else '?'}{parameter}"
