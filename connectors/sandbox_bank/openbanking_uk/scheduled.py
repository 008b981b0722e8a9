"""/domestic-scheduled-payment-consents and /domestic-scheduled-payments: one payment, on a later day.

It is received, then valid (ACTC) until its day, and from then on as any payment. No TPP can cancel it; the customer
can, at the bank. The money is set aside at once, so there is nothing to check on the day.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from connectors.sandbox_bank.openbanking_uk import api, events, fields, payments
from connectors.sandbox_bank.openbanking_uk.api import Here
from connectors.sandbox_bank.openbanking_uk.payments import SCHEDULED, Consent, Payment, Timetable
from connectors.sandbox_bank.openbanking_uk.scenarios import scenario_of
from connectors.sandbox_bank.openbanking_uk.store import Connection

#: how many statuses it has before its day, in which its customer may still stop it
BEFORE_ITS_DAY = 2


class Scheduled:
    """The Orders that wait for their day."""

    kind = SCHEDULED

    def check_consent(self, body: dict[str, Any], here: Here) -> int:
        return fields.scheduled_consent(body, here.brand, now=here.bank.now())

    def check_payment(self, body: dict[str, Any], consent: Consent, here: Here) -> int:  # noqa: ARG002
        api.repeated(body, consent)
        return consent.amount_minor

    def execute(
        self, connection: Connection, consent: Consent, body: dict[str, Any], amount_minor: int, here: Here
    ) -> str:
        api.check_authorised(consent, here.now_ms)
        due = _timetable(consent, amount_minor, now_ms=here.now_ms, settle_ms=here.bank.settle_ms)
        payments.change_consent(connection, consent, "COND", now_ms=here.now_ms)
        return payments.submit(connection, consent, body, amount_minor, due, now_ms=here.now_ms)


blueprint = api.orders("scheduled", Scheduled())


def execution_of(consent: Consent) -> dt.datetime:
    return dt.datetime.fromisoformat(consent.initiation["RequestedExecutionDateTime"])


def may_be_stopped(payment: Payment, *, now_ms: int) -> bool:
    """Whether its day has not come, and nobody stopped it."""
    before, on_its_day = payment.timetable[:BEFORE_ITS_DAY], payment.timetable[BEFORE_ITS_DAY:]
    waits = payment.status_at(now_ms)[0] in [status for _, status, _ in before]
    return waits and bool(on_its_day) and now_ms < on_its_day[0][0]


def cancel(connection: Connection, payment: Payment, *, now_ms: int) -> bool:
    """By the customer, at the bank. False for one whose day has come."""
    if not may_be_stopped(payment, now_ms=now_ms):
        return False
    so_far = [each for each in payment.timetable if each[0] <= now_ms]
    payments.change_timetable(connection, payment, [*so_far, (now_ms, "CANC", None)])
    events.of_cancelled_payment(connection, payment, now_ms=now_ms)
    return True


def _timetable(consent: Consent, amount_minor: int, *, now_ms: int, settle_ms: int) -> Timetable:
    if scenario_of(amount_minor).refused_at_once:
        return payments.timetable_of(amount_minor, begins_ms=now_ms, settle_ms=settle_ms)
    begins_ms = max(now_ms, round(execution_of(consent).timestamp() * 1000))
    valid_ms = min(now_ms + settle_ms, begins_ms)
    later = payments.timetable_of(amount_minor, begins_ms=begins_ms, settle_ms=settle_ms)
    return [(now_ms, "RCVD", None), (valid_ms, "ACTC", None), *later]
