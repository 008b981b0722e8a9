"""Money as integer minor units with its ISO 4217 currency. Without it somebody would use a float."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

# ISO 4217 exponents. Only currencies that are listed here are money to us: a code that is
# merely well-formed (XXX, XTS) must never reach a bank.
_TWO = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY "
    "COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS "
    "INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR "
    "MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD "
    "SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW"
)
EXPONENTS: dict[str, int] = {
    **dict.fromkeys(_TWO.split(), 2),
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
}

#: the largest amount we accept anywhere, in minor units (15 digits: it fits a signed 64-bit column and every scheme)
MINOR_MAX = 10**15 - 1

_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,14})(?:\.([0-9]{1,3}))?", re.ASCII)


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount in minor units (cents) of one currency. May be zero or negative; who forbids that says so."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise TypeError("an amount is a whole number of minor units")
        if self.currency not in EXPONENTS:
            raise ValueError(f"{self.currency!r} is not a currency that we know")
        if abs(self.minor) > MINOR_MAX:
            raise ValueError("amount has more digits than any payment scheme carries")

    @classmethod
    def parse(cls, text: str, currency: str, *, exact: bool = False) -> Money:
        """Read a plain decimal such as ``84.20``: ASCII digits, a dot, no sign, no exponent, no grouping.

        ``exact`` demands all digits of the currency (``84.2`` EUR is refused): the rule of our own API.
        Raises ValueError with a sentence that says what to mend.
        """
        exponent = exponent_of(currency)
        match = _AMOUNT.fullmatch(text)
        if match is None:
            raise ValueError(f"{text[:40]!r} is not an amount: write digits and a dot, like {example(currency)}")
        whole, fraction = match.group(1), match.group(2) or ""
        if len(fraction.rstrip("0")) > exponent or (exact and len(fraction) != exponent):
            raise ValueError(f"{text[:40]!r} does not have {exponent} decimals as {currency} does: {example(currency)}")
        return cls(int(whole + fraction[:exponent].ljust(exponent, "0")), currency)

    def decimal(self) -> Decimal:
        """The exact value, for formatting only."""
        return Decimal(self.minor).scaleb(-exponent_of(self.currency))

    def __str__(self) -> str:
        """With exactly the currency's digits, the form of our API and of bank messages: ``84.20``."""
        return f"{self.decimal():.{exponent_of(self.currency)}f}"

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other), self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.minor <= self._same(other)

    def _same(self, other: Money) -> int:
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} cannot be mixed")
        return other.minor


@dataclass(frozen=True, slots=True, order=False)
class Total(Money):
    """A sum of amounts. No payment scheme carries it, so that it has no bound."""

    def __post_init__(self) -> None:
        exponent_of(self.currency)


def exponent_of(currency: str) -> int:
    """Decimals of a currency by ISO 4217. Raises ValueError for a code that is not money to us."""
    try:
        return EXPONENTS[currency]
    except KeyError:
        raise ValueError(f"{currency[:10]!r} is not a currency that we know") from None


def example(currency: str) -> str:
    """A well-written amount, for error messages."""
    return str(Money(8420, currency)) if exponent_of(currency) == 2 else str(Money(8400, currency))
