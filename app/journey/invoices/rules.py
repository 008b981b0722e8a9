"""What an invoice costs on a day. Pure: values in, a verdict out."""

from __future__ import annotations

import datetime as dt

from connectors.money import Money


def payable_on(*, amount: Money, discount: Money, discount_until: dt.date | None, day: dt.date) -> Money:
    """The exact price of paying the whole invoice on the customer's local ``day``; the last discount day counts."""
    if discount_until is not None and day <= discount_until:
        return amount - discount
    return amount
