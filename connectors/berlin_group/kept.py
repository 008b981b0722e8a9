"""What the bank keeps from its approval on: payments on a later day, and standing orders.

Both may be taken back; the bank may want its customer's approval of that.
"""

from __future__ import annotations

import datetime as dt

from connectors.berlin_group import messages
from connectors.berlin_group.orders import Orders, gone
from connectors.capabilities import Cancellation, StandingOrder
from connectors.contract import BankRequest, BankStatus, PaymentOrder, PsuContext
from connectors.http import Deadline


class _Kept(Orders):
    def cancel(self, payment_id: str, *, redirect_uri: str, psu: PsuContext, timeout_s: float) -> Cancellation:
        """DELETE …/{paymentId}: 204, it is gone; 202, its customer must say so at the bank; anything else, it stays."""
        return self._cancellation(payment_id, redirect_uri=redirect_uri, psu=psu, timeout_s=timeout_s)

    def drop(self, payment_id: str, *, timeout_s: float) -> BankStatus | None:
        """DELETE …/{paymentId}: 204, it is gone; 202, its customer would have to say so, and 405, it stays."""
        response = self._delete(payment_id, {}, deadline=Deadline(timeout_s))
        if response.status == 204:
            return gone(response)
        if response.status in (202, 405):
            return None
        raise messages.refusal(response)

    def _check_day(self, day: dt.date) -> None:
        """By UTC, and a day of grace to none: what is due today is paid at once."""
        if day <= self._at.clock().date():
            message = f"{day} is not in the future: what is due now is paid at once"
            raise ValueError(message)


class FutureDated(_Kept):
    """The verbs of capabilities.FutureDatedPayments for one bank."""

    def draft(self, order: PaymentOrder, *, execute_on: dt.date, request_id: str, redirect_uri: str) -> BankRequest:
        """initiatePayment with requestedExecutionDate."""
        self._check(order)
        self._check_day(execute_on)
        body = messages.initiation(order, quirks=self._at.quirks, execute_on=execute_on)
        return self._drafted(body, request_id=request_id, redirect_uri=redirect_uri)


class Standing(_Kept):
    """The verbs of capabilities.StandingOrders for one bank."""

    def draft(self, asked: StandingOrder, *, request_id: str, redirect_uri: str) -> BankRequest:
        """initiatePayment of the service periodic-payments."""
        self._check(asked.order)
        self._check_day(asked.first)
        body = messages.standing_order(asked, quirks=self._at.quirks)
        return self._drafted(body, request_id=request_id, redirect_uri=redirect_uri)
