"""Variable recurring payments at one bank: a consent with limits, approved once, then payments under it.

The bank need not offer them (404). It refuses a payment beyond the limits (U014). A consent ends when we DELETE it, or
at the bank (CANC, EXPD); no payment uses it up, as one does that of a single payment: what keeps a lost answer from
being paid twice is the idempotency key alone.
"""

from __future__ import annotations

from connectors.capabilities import Funds, RecurringConsent
from connectors.contract import BankRequest, PaymentOrder, PsuContext
from connectors.http import Deadline
from connectors.money import Money
from connectors.openbanking_uk import messages, vrp_messages
from connectors.openbanking_uk.messages import Dialect
from connectors.openbanking_uk.orders import RECURRING, Orders, unreadable
from connectors.openbanking_uk.wire import Wire, at, plain_request, request
from connectors.strict_json import NotReadable


class RecurringPayments(Orders):
    """The verbs of connectors/capabilities.py for one bank."""

    def __init__(self, wire: Wire, *, dialect: Dialect) -> None:
        super().__init__(wire, RECURRING)
        self._dialect = dialect

    def draft(self, consent: RecurringConsent, *, request_id: str) -> BankRequest:
        """POST /domestic-vrp-consents."""
        return request(RECURRING.consents, vrp_messages.consent(consent, dialect=self._dialect), request_id=request_id)

    def draft_payment(
        self, order: PaymentOrder, *, consent: RecurringConsent, consent_id: str, request_id: str
    ) -> BankRequest:
        """POST /domestic-vrps."""
        body = vrp_messages.payment(order, wanted=consent, consent_id=consent_id, dialect=self._dialect)
        return request(RECURRING.payments, body, request_id=request_id)

    def revoke(self, consent_id: str, *, timeout_s: float) -> None:
        """DELETE /domestic-vrp-consents/{id}. Afterwards the bank knows it no longer."""
        self._wire.delete(at(RECURRING.consents, consent_id), deadline=Deadline(timeout_s))

    def funds(self, consent_id: str, amount: Money, *, access_token: str, psu: PsuContext, timeout_s: float) -> Funds:
        """POST …/funds-confirmation, which moves nothing and has no idempotency key."""
        asked = plain_request(
            at(RECURRING.consents, consent_id, "funds-confirmation"), vrp_messages.funds(consent_id, amount)
        )
        response = self._wire.post(asked, psu=psu, access_token=access_token, deadline=Deadline(timeout_s))
        try:
            return Funds(available=messages.read_funds(response.body), raw_response=response.body)
        except NotReadable as error:
            raise unreadable(error) from None
