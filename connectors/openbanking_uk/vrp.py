"""Variable recurring payments at one bank: a consent with limits, approved once, then payments under it.

The bank need not offer them (404). It refuses a payment beyond the limits (U014). A consent ends when we DELETE it, or
at the bank (CANC, EXPD); no payment uses it up, as one does that of a single payment: what keeps a lost answer from
being paid twice is the idempotency key alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from typing_extensions import override

from connectors.capabilities import Funds, RecurringConsent, RecurringKind, ToldConsent
from connectors.contract import Authorised, BankRequest, ConsentStatus, PaymentOrder, PsuContext, ScaOAuth, Submitted
from connectors.errors import AccessLost, BankRefused
from connectors.http import Deadline
from connectors.money import Money
from connectors.openbanking_uk import messages, vrp_messages
from connectors.openbanking_uk.messages import Dialect
from connectors.openbanking_uk.orders import RECURRING, Orders, check_same, unreadable
from connectors.openbanking_uk.wire import Wire, at, plain_request, request
from connectors.security.oauth_client import OAuthClient
from connectors.strict_json import NotReadable

#: OBErrorResponse1's words, of 4.0 and of 3.1.x, for: approve again, and: the consent is not authorised (any more)
ACCESS_LOST = frozenset({"U028", "UK.OBIE.Reauthenticate", "U009", "UK.OBIE.Resource.InvalidConsentStatus"})


class RecurringPayments(Orders):
    """The verbs of connectors/capabilities.py for one bank."""

    def __init__(self, wire: Wire, *, dialect: Dialect, oauth: OAuthClient, kinds: Iterable[RecurringKind]) -> None:
        super().__init__(wire, RECURRING)
        self._dialect = dialect
        self._oauth = oauth
        self._kinds = frozenset(kinds)

    @property
    def kinds(self) -> frozenset[RecurringKind]:
        """Which of them the bank takes."""
        return self._kinds

    def draft(self, consent: RecurringConsent, *, request_id: str) -> BankRequest:
        """POST /domestic-vrp-consents."""
        if consent.kind not in self._kinds:
            message = f"this bank takes no recurring payments of the kind {consent.kind}: its file does not name it"
            raise ValueError(message)
        return request(RECURRING.consents, vrp_messages.consent(consent, dialect=self._dialect), request_id=request_id)

    def approval_now(self, sca: ScaOAuth, *, timeout_s: float) -> ScaOAuth:
        """From the bank's metadata, as what a consent comes with."""
        server = self._wire.server(deadline=Deadline(timeout_s))
        return dataclasses.replace(
            sca,
            issuer=server.issuer,
            authorization_endpoint=server.authorization_endpoint,
            token_endpoint=server.token_endpoint,
            iss_parameter_supported=server.iss_parameter_supported,
        )

    def told(self, consent_id: str, *, asked: bytes, timeout_s: float) -> ToldConsent:
        """GET /domestic-vrp-consents/{id}: status, the payer's account, whether the bank holds what it was asked."""
        response = self._wire.get(at(RECURRING.consents, consent_id), deadline=Deadline(timeout_s))
        if response is None:
            return ToldConsent(status=ConsentStatus.NOT_FOUND)
        try:
            named, told = vrp_messages.read_told(response.body, asked=asked)
        except NotReadable as error:
            raise unreadable(error) from None
        check_same(named, consent_id)
        return told

    def renew(self, refresh_token: str, *, timeout_s: float) -> Authorised:
        """RFC 6749 §6, at the token endpoint that the bank's metadata name now: a consent outlives an address."""
        try:
            token = self._oauth.renew(refresh_token, deadline=Deadline(timeout_s))
        except BankRefused as error:
            if error.code != "invalid_grant":
                raise
            raise AccessLost(str(error), code=error.code, http_status=error.http_status) from error
        return Authorised(
            access_token=token.access_token,
            expires_in_s=token.expires_in_s,
            refresh_token=token.refresh_token or refresh_token,
        )

    def draft_payment(
        self, order: PaymentOrder, *, consent: RecurringConsent, consent_id: str, request_id: str
    ) -> BankRequest:
        """POST /domestic-vrps."""
        body = vrp_messages.payment(order, wanted=consent, consent_id=consent_id, dialect=self._dialect)
        return request(RECURRING.payments, body, request_id=request_id)

    @override
    def submit(self, request: BankRequest, *, access_token: str, psu: PsuContext | None, timeout_s: float) -> Submitted:
        """As it is for others. The same bytes again, after a 401 also with a token that was renewed."""
        with _told_apart():
            return super().submit(request, access_token=access_token, psu=psu, timeout_s=timeout_s)

    def revoke(self, consent_id: str, *, timeout_s: float) -> None:
        """DELETE /domestic-vrp-consents/{id}. Afterwards the bank knows it no longer."""
        self._wire.delete(at(RECURRING.consents, consent_id), deadline=Deadline(timeout_s))

    def funds(self, consent_id: str, amount: Money, *, access_token: str, psu: PsuContext, timeout_s: float) -> Funds:
        """POST …/funds-confirmation, which moves nothing and has no idempotency key."""
        asked = plain_request(
            at(RECURRING.consents, consent_id, "funds-confirmation"), vrp_messages.funds(consent_id, amount)
        )
        with _told_apart():
            response = self._wire.post(asked, psu=psu, access_token=access_token, deadline=Deadline(timeout_s))
        try:
            return Funds(available=messages.read_funds(response.body), raw_response=response.body)
        except NotReadable as error:
            raise unreadable(error) from None


@contextmanager
def _told_apart() -> Iterator[None]:
    """Of what was refused with the customer's token: whether it is the access that the bank does not take."""
    try:
        yield
    except BankRefused as error:
        is_of_token = error.http_status == 401 and error.code not in messages.OUR_FAULTS
        if not is_of_token and error.code not in ACCESS_LOST:
            raise
        raise AccessLost(str(error), code=error.code, http_status=error.http_status) from error
