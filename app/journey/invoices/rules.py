"""What an invoice costs on a day. Pure: values in, a verdict out."""

from __future__ import annotations

import datetime as dt

from connectors.money import Money


def discount_left(*, amount_minor: int, asked_minor: int, discount_minor: int) -> int:
    """What early payment takes off once ``asked_minor`` is left of the bill: the same share, never more than offered.

    Rounded down: nobody pays less than is asked of them because of us.
    """
    return discount_minor * asked_minor // amount_minor


def payable_on(*, amount: Money, discount: Money, discount_until: dt.date | None, day: dt.date) -> Money:
    """The exact price of paying the whole invoice on the customer's local ``day``; the last discount day counts."""
    if discount_until is not None and day <= discount_until:
        return amount - discount
    return amount
