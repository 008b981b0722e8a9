"""One bank that speaks OBL Read/Write 4.0, or its dialect 3.1: domestic payments.

An approval alone moves nothing here: the customer authorises a consent, and with their token the payment is submitted,
once. The consent keeps it from happening twice (COND after the first); the idempotency key lets a lost answer be asked
for again: the same key and the same bytes within a day give the payment as it is ("Idempotency").

Every body that is sent is signed, and so must be every answer to a signed request.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from urllib.parse import quote

from connectors.contract import (
    Authorised,
    BankRequest,
    BankStatus,
    ConsentStatus,
    Fact,
    PaymentOrder,
    PsuContext,
    ScaOAuth,
    Staged,
    Submitted,
)
from connectors.errors import BankRefused, BankSilent
from connectors.http import BankResponse, BankSession, Deadline
from connectors.openbanking_uk import messages
from connectors.openbanking_uk.messages import Dialect
from connectors.openbanking_uk.quirks import Quirks
from connectors.openbanking_uk.status import fact_of_payment
from connectors.profile import BankProfile
from connectors.security.detached_jws import SignatureError, Signer, Verifier
from connectors.security.oauth_client import OAuthClient
from connectors.security.profiles import Answer
from connectors.security.request_object import Expected, NotBelieved, check_id_token, read_jarm
from connectors.strict_json import NotReadable

SCOPE = "payments"
CONSENTS, PAYMENTS = "/domestic-payment-consents", "/domestic-payments"
#: what we know of an id at the bank that it does not know: 400, not 404, which says that it has no such resource at all
NOT_FOUND_CODES = frozenset({"U011", "UK.OBIE.Resource.NotFound"})


class OpenBankingUkConnector:
    """The contract's verbs, with a submission of its own; connectors/contract.py says what each of them promises."""

    def __init__(
        self,
        profile: BankProfile,
        *,
        session: BankSession,
        oauth: OAuthClient,
        signer: Signer,
        verifier: Verifier | None,
        dialect: Dialect,
        clock: Callable[[], dt.datetime],
        quirks: Quirks = Quirks(),  # noqa: B008  # frozen
    ) -> None:
        """``verifier``: None for a bank that does not sign its answers (``unsigned_answers``), and only there.

        Raises ValueError where the two disagree.
        """
        if (verifier is None) != quirks.unsigned_answers:
            raise ValueError("a bank's answers are verified unless its quirks say that it signs none")
        self._quirks = quirks
        self._profile = profile
        self._session = session
        self._oauth = oauth
        self._signer = signer
        self._verifier = verifier
        self._dialect = dialect
        self._clock = clock

    # ------------------------------------------------------------------------------------------------ to be approved

    def draft(self, order: PaymentOrder, *, request_id: str, redirect_uri: str) -> BankRequest:  # noqa: ARG002
        """POST /domestic-payment-consents. Where the customer comes back to stands in the authorization request."""
        return _request(CONSENTS, messages.consent(order, dialect=self._dialect), request_id=request_id)

    def initiate(self, request: BankRequest, *, psu: PsuContext, timeout_s: float) -> Staged:
        """A consent moves no money, whoever approves it, until its payment is submitted."""
        deadline = Deadline(timeout_s)
        server = self._oauth.server(deadline=deadline)
        response = self._as_ourselves(request, psu=psu, deadline=deadline)
        try:
            consent = messages.read_consent(response.body)
        except NotReadable as error:
            raise _unreadable(error) from None
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
        )

    def authorise_url(
        self, staged: ScaOAuth, *, redirect_uri: str, state: str, nonce: str, code_challenge: str, timeout_s: float
    ) -> str:
        """The consent's id goes as openbanking_intent_id, which must come back in the id_token."""
        deadline = Deadline(timeout_s)
        intent = {"value": f"{self._quirks.intent_id_prefix}{staged.intent_id}", "essential": True}
        asked = {
            "redirect_uri": redirect_uri,
            "scope": staged.scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": code_challenge,
            "code_challenge_method": "S256",
            "claims": {"id_token": {"openbanking_intent_id": intent}},
        }
        return self._oauth.authorise_url(self._oauth.server(deadline=deadline), asked, deadline=deadline)

    def complete(
        self,
        sca: ScaOAuth,
        *,
        answer: Mapping[str, str],
        code_verifier: str,
        redirect_uri: str,
        state: str,
        nonce: str,
        timeout_s: float,
    ) -> Authorised:
        """The answer of the redirect is believed only when the bank signed it for this very consent."""
        deadline = Deadline(timeout_s)
        expected = Expected(
            issuer=sca.issuer,
            client_id=self._profile.client_id,
            nonce=nonce,
            state=state,
            consent_id=sca.intent_id,
            intent_prefix=self._quirks.intent_id_prefix,
            nonce_may_be_missing=self._quirks.id_token_without_nonce,
            intent_may_be_missing=self._quirks.id_token_without_intent,
        )
        try:
            code = self._code(answer, expected=expected, deadline=deadline)
        except NotBelieved as error:
            message = f"the answer in the browser is not the bank's answer to our request: {error}"
            raise BankRefused(message, code="not_believed", http_status=400) from None
        token = self._oauth.exchange(
            sca.token_endpoint,
            code=code,
            code_verifier=code_verifier,
            redirect_uri=redirect_uri,
            deadline=deadline,
            scope=sca.scope,
        )
        return Authorised(access_token=token.access_token, expires_in_s=token.expires_in_s)

    def _code(self, answer: Mapping[str, str], *, expected: Expected, deadline: Deadline) -> str:
        how = self._oauth.profile.answer
        if how is not Answer.CODE:
            keys = self._oauth.keys(self._oauth.server(deadline=deadline), deadline=deadline)
            if how is Answer.JWT:
                answer = read_jarm(answer.get("response", ""), keys=keys, expected=expected, now=self._clock())
            else:
                code, id_token = answer.get("code", ""), answer.get("id_token", "")
                check_id_token(id_token, code=code, keys=keys, expected=expected, now=self._clock())
        if not answer.get("code"):
            raise NotBelieved("it carries no code")
        return answer["code"]

    # --------------------------------------------------------------------------------------------------- to be executed

    def draft_submission(self, order: PaymentOrder, *, consent_id: str, request_id: str) -> BankRequest:
        """POST /domestic-payments: the Initiation and the Risk of the consent, letter by letter."""
        body = messages.payment(order, consent_id=consent_id, dialect=self._dialect)
        return _request(PAYMENTS, body, request_id=request_id)

    def submit(self, request: BankRequest, *, access_token: str, psu: PsuContext, timeout_s: float) -> Submitted:
        """Executes the payment. After silence: the same bytes under the same key, never later than a day."""
        deadline = Deadline(timeout_s)
        response = self._send(request, token=access_token, psu=psu, deadline=deadline)
        if not response.ok:
            raise messages.refusal(response)
        return self._submitted(response)

    def consent_status(self, consent_id: str, *, timeout_s: float) -> ConsentStatus:
        """GET /domestic-payment-consents/{id}: COND says that a payment was submitted, not what became of it."""
        response = self._get(f"{CONSENTS}/{quote(consent_id, safe='')}", deadline=Deadline(timeout_s))
        if response is None:
            return ConsentStatus.NOT_FOUND
        try:
            return _CONSENTS.get(messages.read_consent(response.body).status, ConsentStatus.UNKNOWN)
        except NotReadable as error:
            raise _unreadable(error) from None

    def status(
        self,
        payment_id: str,
        *,
        access_token: str | None,  # noqa: ARG002  # we may always ask as ourselves
        timeout_s: float,
    ) -> BankStatus:
        """GET /domestic-payments/{id}, as ourselves."""
        response = self._get(f"{PAYMENTS}/{quote(payment_id, safe='')}", deadline=Deadline(timeout_s))
        if response is None:
            return BankStatus(
                transaction_status="NOT_FOUND",
                fact=Fact.NOT_FOUND,
                reason_code=None,
                reason_text=None,
                raw_response=b"",
            )
        return self._submitted(response).status

    # ------------------------------------------------------------------------------------------------------------ wires

    def _as_ourselves(self, request: BankRequest, *, psu: PsuContext, deadline: Deadline) -> BankResponse:
        """Send, and once more if the bank forgot our token: what it refused with 401 it did not do."""
        token = self._oauth.own_token(SCOPE, deadline=deadline)
        response = self._send(request, token=token, psu=psu, deadline=deadline)
        if response.status == 401:
            self._oauth.forget(token)
            token = self._oauth.own_token(SCOPE, deadline=deadline)
            response = self._send(request, token=token, psu=psu, deadline=deadline)
        if not response.ok:
            raise messages.refusal(response)
        return response

    def _send(self, request: BankRequest, *, token: str, psu: PsuContext, deadline: Deadline) -> BankResponse:
        """The stored bytes, signed now: the time in a signature is that of its sending, the bytes stay the same."""
        headers = {
            **request.headers,
            "x-jws-signature": self._signer.sign(request.body, now=self._clock()),
            "x-fapi-customer-ip-address": psu.ip_address,
        }
        response = self._call(request.method, request.path, headers, token=token, body=request.body, deadline=deadline)
        if response.ok:
            self._check_signature(response)
        return response

    def _get(self, path: str, *, deadline: Deadline) -> BankResponse | None:
        """None: the bank knows no such resource."""
        token = self._oauth.own_token(SCOPE, deadline=deadline)
        response = self._call("GET", path, {}, token=token, body=None, deadline=deadline)
        if response.status == 401:
            self._oauth.forget(token)
            token = self._oauth.own_token(SCOPE, deadline=deadline)
            response = self._call("GET", path, {}, token=token, body=None, deadline=deadline)
        if response.ok:
            self._check_signature(response)
            return response
        refused = messages.refusal(response)
        if response.status in (400, 404) and refused.code in NOT_FOUND_CODES:
            return None
        raise refused

    def _call(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        token: str,
        body: bytes | None,
        deadline: Deadline,
    ) -> BankResponse:
        """Send, and once more with a new proof where only a nonce was missing."""
        url = self._profile.base_url + path
        interaction = str(uuid.uuid4())

        def send() -> BankResponse:
            shown = {**headers, "x-fapi-interaction-id": interaction, **self._oauth.authorization(token, method, url)}
            return self._session.call(method, url, headers=shown, body=body, deadline=deadline)

        response = send()
        if self._oauth.wants_nonce(url, response):
            response = send()
        echo = response.headers.get("x-fapi-interaction-id")
        if echo is not None and echo.lower() != interaction:
            raise BankSilent("the bank's answer carries the x-fapi-interaction-id of another call")
        if echo is None and response.ok and not self._quirks.interaction_id_not_echoed:
            raise BankSilent("the bank's answer carries no x-fapi-interaction-id: it may be that of another call")
        return response

    def _check_signature(self, response: BankResponse) -> None:
        if self._verifier is None:
            return
        try:
            self._verifier.verify(response.headers.get("x-jws-signature"), response.body, now=self._clock())
        except SignatureError as error:
            message = f"the bank's answer is not signed as it must be: {error}"
            raise BankSilent(message) from None

    def _submitted(self, response: BankResponse) -> Submitted:
        try:
            read = messages.read_payment(response.body)
        except NotReadable as error:
            raise _unreadable(error) from None
        return Submitted(
            bank_payment_id=read.payment_id,
            status=BankStatus(
                transaction_status=read.status,
                fact=fact_of_payment(read.status),
                reason_code=read.reason_code,
                reason_text=read.reason_text,
                raw_response=response.body,
            ),
        )


_CONSENTS = {
    "AWAU": ConsentStatus.WAITING,
    "AUTH": ConsentStatus.AUTHORISED,
    "COND": ConsentStatus.CONSUMED,
    "RJCT": ConsentStatus.REJECTED,
}


def _request(path: str, body: bytes, *, request_id: str) -> BankRequest:
    """``request_id`` is the idempotency key: at most 40 characters, and a UUID has 36."""
    key = str(uuid.UUID(request_id))
    headers = {"x-idempotency-key": key, "Content-Type": "application/json"}
    return BankRequest(method="POST", path=path, headers=headers, body=body, request_id=key)


def _unreadable(error: NotReadable) -> BankSilent:
    message = f"the bank's answer cannot be read: {error}"
    return BankSilent(message)
