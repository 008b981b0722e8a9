"""Domestic scheduled payments: approved now, kept by the bank until their day.

The bank need not offer them (404), and has no call to take one back: the customer does that at the bank, and the status
becomes CANC. There is no funds confirmation: the money need not be there before the day.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from connectors.contract import BankRequest, PaymentOrder
from connectors.openbanking_uk import messages
from connectors.openbanking_uk.messages import Dialect
from connectors.openbanking_uk.orders import SCHEDULED, Orders
from connectors.openbanking_uk.wire import Wire, request


class ScheduledPayments(Orders):
    """The verbs of connectors/capabilities.py for one bank."""

    def __init__(self, wire: Wire, *, dialect: Dialect, clock: Callable[[], dt.datetime]) -> None:
        super().__init__(wire, SCHEDULED)
        self._dialect = dialect
        self._clock = clock

    def draft(self, order: PaymentOrder, *, execute_on: dt.date, request_id: str) -> BankRequest:
        """POST /domestic-scheduled-payment-consents. ValueError also for a day that is not after today (UTC)."""
        if execute_on <= self._clock().date():
            message = f"{execute_on} is not in the future: a scheduled payment is for a later day, pay this one at once"
            raise ValueError(message)
        return request(SCHEDULED.consents, consent(order, execute_on, dialect=self._dialect), request_id=request_id)

    def draft_submission(
        self, order: PaymentOrder, *, execute_on: dt.date, consent_id: str, request_id: str
    ) -> BankRequest:
        """POST /domestic-scheduled-payments: the Initiation and the Risk of the consent, letter by letter."""
        body = payment(order, execute_on, consent_id=consent_id, dialect=self._dialect)
        return request(SCHEDULED.payments, body, request_id=request_id)


def consent(order: PaymentOrder, execute_on: dt.date, *, dialect: Dialect) -> bytes:
    """OBWriteDomesticScheduledConsent4. Raises ValueError when the standard cannot carry the order."""
    data = {
        "Permission": "Create",
        "Initiation": _initiation(order, execute_on, dialect=dialect),
        "ReadRefundAccount": messages.yes_or_no(order.refund_account),
    }
    return messages.written({"Data": data, "Risk": messages.risk(dialect)})


def payment(order: PaymentOrder, execute_on: dt.date, *, consent_id: str, dialect: Dialect) -> bytes:
    """OBWriteDomesticScheduled2 for an authorised consent. Raises ValueError as ``consent`` does."""
    data = {"ConsentId": consent_id, "Initiation": _initiation(order, execute_on, dialect=dialect)}
    return messages.written({"Data": data, "Risk": messages.risk(dialect)})


def _initiation(order: PaymentOrder, execute_on: dt.date, *, dialect: Dialect) -> dict[str, Any]:
    """Midnight in UTC is the same day in London all the year round."""
    day = messages.day(execute_on, dt.time())
    return {**messages.initiation(order, dialect=dialect), "RequestedExecutionDateTime": day}
