"""What early payment takes off a bill, as its customer sees it on a day."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from app.journey.invoices.models import Invoice
from app.journey.invoices.rules import discount_on
from connectors.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscountView:
    saves: Money
    until: dt.date
    price: Money  #: what paying all of the bill costs with it
    open: bool  #: its last day is not over
    holds: bool  #: it is the one of today


def discounts_on(invoice: Invoice, today: dt.date) -> tuple[DiscountView, ...]:
    """All of them, the earliest day first."""
    discounts = invoice.discounts
    of_today = discount_on(discounts, today)
    return tuple(
        DiscountView(
            saves=each.saves,
            until=each.until,
            price=invoice.left - each.saves,
            open=today <= each.until,
            holds=each == of_today,
        )
        for each in discounts
    )
