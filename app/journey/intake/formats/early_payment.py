"""Discounts for paying early, where a bill states them in a form that leaves nothing to guess.

Only two spellings are computed: the German ``#SKONTO#`` lines in the payment terms, by the official rule
(XRechnung BR-DE-18), and the percentage with an end date of UBL. Everything else (free text, several tiers, a
line that breaks the rule) is shown as written: a discount read wrongly is an amount paid short.
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

_SKONTO = re.compile(
    r"#SKONTO#TAGE=([0-9]{1,4})#PROZENT=([0-9]{1,3}\.[0-9]{2})(?:#BASISBETRAG=(-?[0-9]{1,15}\.[0-9]{2}))?#",
    re.ASCII,
)
_PERCENT = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,6})?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    until: dt.date
    percent: Decimal
    base: Decimal | None = None  #: in major units; None: the amount due


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
    """A percentage as a plain decimal (UBL SettlementDiscountPercent)."""
    if not _PERCENT.fullmatch(value):
        raise BillRefused("amount-refused", f"{text.quoted(value)} is not a percentage.", element=element)
    return Decimal(value)


def single(tiers: Iterable[Tier], *, payable: Money) -> EarlyPayment | None:
    """The discount, when there is exactly one tier and it takes off something but not everything; else None.

    The same tier written in both spellings is one. Rounded half up to the minor unit.
    """
    distinct = set(tiers)
    if len(distinct) != 1:
        return None
    tier = distinct.pop()
    base = payable.decimal() if tier.base is None else tier.base
    minor = (base * tier.percent / 100).scaleb(exponent_of(payable.currency)).quantize(Decimal(1), ROUND_HALF_UP)
    if not 0 < minor < payable.minor:
        return None
    return EarlyPayment(until=tier.until, discount=Money(int(minor), payable.currency))
