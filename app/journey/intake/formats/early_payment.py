"""Discounts for paying early, where a bill states them in a form that leaves nothing to guess.

Three spellings are computed: the German ``#SKONTO#`` lines in the payment terms, by the official rule (XRechnung
BR-DE-18), the percentage or amount with an end date of UBL, and the discount terms of CII EXTENDED. Everything else
(free text, a line that breaks the rule, a percentage and an amount that differ, terms about an instalment) is shown as
written: a discount read wrongly is an amount paid short. One tier that cannot be computed leaves all of them to the
reader, and so does one that takes off no less than an earlier one: nobody would pay early for it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from app.journey.intake.bill import BillRefused, EarlyPayment
from app.journey.intake.formats import text
from connectors.money import Money, exponent_of

#: days of one tier; more is a typing mistake, and far beyond it the calendar ends
DAYS_MAX = 366

#: of one bill; two are usual
TIERS_MAX = 10

#: minor units by which a stated amount may differ from its percentage
ROUNDING_MAX = 1

#: per cent of the bill
WHOLE = Decimal(100)

_SKONTO = re.compile(
    r"#SKONTO#TAGE=([0-9]{1,4})#PROZENT=([0-9]{1,3}\.[0-9]{2})(?:#BASISBETRAG=(-?[0-9]{1,15}\.[0-9]{2}))?#",
    re.ASCII,
)
_DAYS = re.compile(r"[0-9]{1,4}(?:\.0{1,4})?", re.ASCII)
_PERCENT = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,6})?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """What is taken off by the end of ``until``: a percentage of the base, an amount, or both said alike."""

    until: dt.date
    percent: Decimal | None = None
    base: Decimal | None = None  #: in major units; None: the amount due
    amount: Money | None = None


def skonto_tiers(terms: str, *, issued_on: dt.date) -> tuple[Tier, ...] | None:
    """The tiers of a payment terms text (BT-20) as it came, or None where a ``#`` line breaks the rule.

    An entry of 0.00 % states the day of the net amount and is no tier. Days count from the issue date (BT-2).
    """
    *complete, rest = terms.replace("\r\n", "\n").split("\n")
    if rest.strip().startswith("#"):
        return None  # BR-DE-18: every entry ends with a line break
    entries = [line for line in complete if line.strip().startswith("#")]
    matches = [_SKONTO.fullmatch(entry) for entry in entries]
    tiers = []
    for match in matches:
        if match is None or int(match[1]) > DAYS_MAX:
            return None
        base = Decimal(match[3]) if match[3] else None
        until = issued_on + dt.timedelta(days=int(match[1]))
        tiers.append(Tier(until=until, percent=Decimal(match[2]), base=base))
    return tuple(tier for tier in tiers if tier.percent)


def percent(value: str, *, element: str) -> Decimal:
    """A percentage as a plain decimal (UBL SettlementDiscountPercent, CII CalculationPercent)."""
    if not _PERCENT.fullmatch(value):
        raise BillRefused("amount-refused", f"{text.quoted(value)} is not a percentage.", element=element)
    return Decimal(value)


def after(day: dt.date, days: str) -> dt.date | None:
    """So many days later, None where nobody means so many."""
    whole = int(days.partition(".")[0]) if _DAYS.fullmatch(days) else None
    return day + dt.timedelta(days=whole) if whole is not None and whole <= DAYS_MAX else None


def offers(tiers: Iterable[Tier], *, payable: Money, total: Money | None = None) -> tuple[EarlyPayment, ...]:
    """The discounts, the earliest first, when each takes off something but not everything; else none.

    The same tier written in two spellings is one. Two for one day leave open which holds. Each later one takes off
    less. Rounded half up.
    """
    found = {_offer(tier, payable=payable, most=total or payable) for tier in tiers}
    offered = sorted((each for each in found if each), key=lambda each: each.until)
    if len(offered) != len(found) or len(offered) > TIERS_MAX or not all(map(_goes_down, offered, offered[1:])):
        return ()
    return tuple(offered)


def _goes_down(one: EarlyPayment, later: EarlyPayment) -> bool:
    return one.until < later.until and one.discount.minor > later.discount.minor


def _offer(tier: Tier, *, payable: Money, most: Money) -> EarlyPayment | None:
    base = payable.decimal() if tier.base is None else tier.base
    if base > max(most.decimal(), payable.decimal()):
        return None
    discount = tier.amount
    if tier.percent is not None:
        minor = (base * tier.percent / 100).scaleb(exponent_of(payable.currency)).quantize(Decimal(1), ROUND_HALF_UP)
        calculated = Money(int(minor), payable.currency) if abs(minor) < payable.minor else None
        if calculated is None or (discount is not None and abs(discount.minor - calculated.minor) > ROUNDING_MAX):
            return None
        discount = discount or calculated
    if discount is None or not 0 < discount.minor < payable.minor:
        return None
    return EarlyPayment(until=tier.until, discount=discount)
