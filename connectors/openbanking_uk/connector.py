"""One bank that speaks OBL Read/Write 4.0, or its dialect 3.1.

An approval alone moves nothing here: the customer authorises a consent, and with their token the payment is submitted,
once. The consent keeps it from happening twice (COND after the first); the idempotency key lets a lost answer be asked
for again: the same key and the same bytes within a day give the payment as it is ("Idempotency").

What the verbs of all kinds of payments share is in orders.py, and how a call is made in wire.py. Other kinds are
``scheduled`` and, at a bank whose file says so, ``recurring``; they are approved as single ones are, by
``authorise_url`` and ``complete``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence

from connectors.capabilities import Event, Funds, Subscription
from connectors.contract import Authorised, BankRequest, PaymentOrder, ScaOAuth
from connectors.errors import BankRefused, BankSilent, BankUnavailable, NotApproved
from connectors.http import BankSession, Deadline
from connectors.openbanking_uk import messages
from connectors.openbanking_uk.events import EventReader, Subscriptions
from connectors.openbanking_uk.messages import Dialect
from connectors.openbanking_uk.orders import SINGLE, Orders, unreadable
from connectors.openbanking_uk.quirks import Quirks
from connectors.openbanking_uk.scheduled import ScheduledPayments
from connectors.openbanking_uk.vrp import RecurringPayments
from connectors.openbanking_uk.wire import Wire, at, request
from connectors.profile import BankProfile
from connectors.security.detached_jws import Signer, Verifier
from connectors.security.oauth_client import OAuthClient
from connectors.security.profiles import Answer
from connectors.security.published_keys import PublishedKeys
from connectors.security.request_object import Expected, NotBelieved, check_id_token, read_jarm
from connectors.strict_json import NotReadable

#: whoever sends us events cannot make us wait for a bank's keys, one call after the other, while the bank is away
KEYS_REST = dt.timedelta(seconds=30)


class OpenBankingUkConnector(Orders):
    """The contract's verbs for single payments, and those of connectors/capabilities.py, where their promises are."""

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
        origins: frozenset[str] | None = None,
    ) -> None:
        """``verifier``: None for a bank that does not sign its answers (``unsigned_answers``), and only there.
        ``origins``: the hosts that its links may lead to; None: those that its file names.

        Raises ValueError where verifier and quirks disagree.
        """
        if (verifier is None) != quirks.unsigned_answers:
            raise ValueError("a bank's answers are verified unless its quirks say that it signs none")

        def wire(base_url: str) -> Wire:
            return Wire(
                base_url,
                session=session,
                oauth=oauth,
                signer=signer,
                verifier=verifier,
                echoes=not quirks.interaction_id_not_echoed,
                clock=clock,
            )

        payments = wire(profile.base_url)
        super().__init__(payments, SINGLE)
        self._quirks = quirks
        self._profile = profile
        self._oauth = oauth
        self._dialect = dialect
        self._clock = clock
        self._scheduled = ScheduledPayments(payments, dialect=dialect, clock=clock)
        self._payments = payments
        # the event API lies beside the others, not below one of them: …/v4.0/pisp, …/v4.0/event-subscriptions
        self._subscriptions = Subscriptions(
            wire(profile.base_url.removesuffix("/pisp")), dialect=dialect, recurring=bool(profile.recurring)
        )
        self._events = EventReader(
            issuer=profile.issuer,
            client_id=profile.client_id,
            origins=profile.origins if origins is None else origins,
            key_of=PublishedKeys(oauth, clock=clock, rest=KEYS_REST).of_any_kind,
            clock=clock,
        )

    @property
    def scheduled(self) -> ScheduledPayments:
        """Payments that the bank keeps until their day."""
        return self._scheduled

    @property
    def recurring(self) -> RecurringPayments:
        """Variable recurring payments. Which kinds can be set up, the bank's file says; what was set up while it named
        others, or any, is asked about, used and taken back all the same."""
        return RecurringPayments(
            self._payments, dialect=self._dialect, oauth=self._oauth, kinds=self._profile.recurring
        )

    # ------------------------------------------------------------------------------------------------ to be approved

    def draft(self, order: PaymentOrder, *, request_id: str, redirect_uri: str) -> BankRequest:  # noqa: ARG002
        """POST /domestic-payment-consents. Where the customer comes back to stands in the authorization request."""
        return request(SINGLE.consents, messages.consent(order, dialect=self._dialect), request_id=request_id)

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
        return Authorised(
            access_token=token.access_token, expires_in_s=token.expires_in_s, refresh_token=token.refresh_token
        )

    def _code(self, answer: Mapping[str, str], *, expected: Expected, deadline: Deadline) -> str:
        how = self._oauth.profile.answer
        if how is not Answer.CODE:
            keys = self._oauth.keys(self._oauth.server(deadline=deadline), deadline=deadline)
            if how is Answer.JWT:
                answer = read_jarm(answer.get("response", ""), keys=keys, expected=expected, now=self._clock())
                if "error" in answer:
                    raise NotApproved("the bank's signed answer is a no", code=answer["error"][:64], http_status=400)
            else:
                code, id_token = answer.get("code", ""), answer.get("id_token", "")
                check_id_token(id_token, code=code, keys=keys, expected=expected, now=self._clock())
        if not answer.get("code"):
            raise NotBelieved("it carries no code")
        return answer["code"]

    # --------------------------------------------------------------------------------------------------- to be executed

    def funds(self, consent_id: str, *, access_token: str, timeout_s: float) -> Funds:
        """GET …/funds-confirmation, with the customer's token."""
        path = at(SINGLE.consents, consent_id, "funds-confirmation")
        response = self._wire.get(path, access_token=access_token, deadline=Deadline(timeout_s))
        if response is None:
            raise BankRefused("the bank knows no such consent", code="U011", http_status=400)
        try:
            return Funds(available=messages.read_funds(response.body), raw_response=response.body)
        except NotReadable as error:
            raise unreadable(error) from None

    def draft_submission(self, order: PaymentOrder, *, consent_id: str, request_id: str) -> BankRequest:
        """POST /domestic-payments: the Initiation and the Risk of the consent, letter by letter."""
        body = messages.payment(order, consent_id=consent_id, dialect=self._dialect)
        return request(SINGLE.payments, body, request_id=request_id)

    # ----------------------------------------------------------------------------------------------------------- events

    def verify_event(self, raw: bytes) -> Event:
        """A security event token, signed with a key that the bank publishes (events.py)."""
        try:
            return self._events.read(raw)
        except BankSilent as error:
            message = f"the event cannot be checked now: {error}"
            raise BankUnavailable(message) from None

    def subscribe(self, callback_url: str, *, timeout_s: float) -> Subscription:
        """POST /event-subscriptions."""
        return self._subscriptions.subscribe(callback_url, timeout_s=timeout_s)

    def change_subscription(self, subscription_id: str, callback_url: str, *, timeout_s: float) -> Subscription:
        """PUT /event-subscriptions/{id}."""
        return self._subscriptions.change(subscription_id, callback_url, timeout_s=timeout_s)

    def subscriptions(self, *, timeout_s: float) -> Sequence[Subscription]:
        """GET /event-subscriptions."""
        return self._subscriptions.subscriptions(timeout_s=timeout_s)

    def unsubscribe(self, subscription_id: str, *, timeout_s: float) -> None:
        """DELETE /event-subscriptions/{id}."""
        self._subscriptions.unsubscribe(subscription_id, timeout_s=timeout_s)
