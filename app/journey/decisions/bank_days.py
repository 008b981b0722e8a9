"""On which days banks carry out a credit transfer: a SEPA one on the days on which TARGET is open. In pounds Faster
Payments work on every day. What a single bank does otherwise only that bank knows. Pure but for a table of holidays."""

from __future__ import annotations

import datetime as dt
import functools

import holidays

#: whose holidays close a currency besides weekends (holidays.financial_holidays)
_MARKET = {"EUR": "XECB"}
#: currencies whose transfers are carried out on every day
_EVERY_DAY = frozenset({"GBP"})
_SATURDAY = 5  # by date.weekday()
_ONE = dt.timedelta(days=1)


@functools.cache
def _closed(market: str, year: int) -> frozenset[dt.date]:
    return frozenset(holidays.financial_holidays(market, years=year))


def is_bank_day(day: dt.date, *, currency: str) -> bool:
    """Whether a transfer in this currency is carried out on this day."""
    if currency in _EVERY_DAY:
        return True
    market = _MARKET.get(currency)
    return day.weekday() < _SATURDAY and (market is None or day not in _closed(market, day.year))


def carried_out_on(day: dt.date, *, currency: str) -> dt.date:
    """The first bank day from ``day`` on."""
    while not is_bank_day(day, currency=currency):
        day += _ONE
    return day


def in_time_for(day: dt.date, *, currency: str) -> dt.date:
    """The last bank day until ``day``."""
    while not is_bank_day(day, currency=currency):
        day -= _ONE
    return day
