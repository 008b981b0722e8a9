"""Whether a bank holds a recurring consent as it was given: each limit, both dates, the payee, the kinds.

A bank that stored a wider one would let more be paid than the customer agreed to. Both sides are the Data of a consent,
in the JSON of OBL. The same written otherwise is the same: limits in another order, 300.0 for 300.00, a moment by
another offset, an account as an IBAN.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from connectors.strict_json import JsonObject

PARAMETERS = "ControlParameters"
IBAN = "UK.OBIE.IBAN"


def differences(said: JsonObject, given: JsonObject) -> tuple[str, ...]:
    """The names of what is otherwise in ``said``; none where ``given`` has no control parameters."""
    of_bank, of_ours = said.object(PARAMETERS), given.object(PARAMETERS)
    if not of_ours.members:
        return ()
    names = [
        name
        for name, read in _READERS.items()
        if not (name in _MAY_BE_LEFT_OUT and name not in of_bank.members)
        and _read(read, of_bank, name) != _read(read, of_ours, name)
    ]
    names += [name for name in ("ValidFromDateTime", "ValidToDateTime") if not _same_day(of_bank, of_ours, name)]
    if _payee(said) != _payee(given):
        names.append("CreditorAccount")
    return tuple(names)


def _amount(within: JsonObject) -> tuple[Decimal, str]:
    amount = Decimal(within.text("Amount"))
    if not amount.is_finite():
        raise ValueError("no amount")
    return amount, within.text("Currency")


def _one(within: JsonObject, name: str) -> Any:
    return _amount(within.object(name))


def _limits(within: JsonObject, name: str) -> Any:
    return sorted(
        (limit.text("PeriodType"), limit.text("PeriodAlignment"), *_amount(limit)) for limit in within.objects(name)
    )


def _words(within: JsonObject, name: str) -> Any:
    return sorted(within.members[name])


_READERS: Mapping[str, Callable[[JsonObject, str], Any]] = {
    "MaximumIndividualAmount": _one,
    "PeriodicLimits": _limits,
    "VRPType": _words,
    "PSUAuthenticationMethods": _words,
    "PSUInteractionTypes": _words,
}


#: the standard leaves it to a bank whether it plays this back (0..n), and nothing of a limit is in it
_MAY_BE_LEFT_OUT = frozenset({"PSUInteractionTypes"})


def _read(read: Callable[[JsonObject, str], Any], within: JsonObject, name: str) -> Any:
    """None for what is not there, or not as it must be: ours always is."""
    try:
        return read(within, name)
    except (ValueError, ArithmeticError, KeyError, TypeError):
        return None


def _same_day(of_bank: JsonObject, of_ours: JsonObject, name: str) -> bool:
    """The standard disregards the time, so the day as written counts. The very moment by another offset is no other: in
    summer a bank in London writes our last second of a day as one of the next, and after our day we pay nothing."""
    there, ours = (_read_moment(within.text_or_none(name)) for within in (of_bank, of_ours))
    if there is None or ours is None:
        return of_bank.members.get(name) is None and of_ours.members.get(name) is None
    if there.date() == ours.date():
        return True
    # ISODateTime wants an offset. Some banks leave it out: then the day is all that they say
    return there.tzinfo is not None and there == ours


def moment(text: str | None) -> dt.datetime | None:
    """An ISODateTime with its offset; None for anything else."""
    read = _read_moment(text)
    return read if read is not None and read.tzinfo is not None else None


def _read_moment(text: str | None) -> dt.datetime | None:
    """Also without an offset."""
    try:
        return dt.datetime.fromisoformat(text or "")
    except ValueError:
        return None


def _payee(data: JsonObject) -> str | None:
    """Sort code and account number. No name: a bank may write it in capitals, and money follows the number."""
    account = data.object("Initiation").object("CreditorAccount")
    number = account.text_or_none("Identification")
    if number is None:
        return None
    signs = number.replace(" ", "").replace("-", "")
    is_of_uk = account.text_or_none("SchemeName") == IBAN and signs.startswith("GB")
    return signs[8:] if is_of_uk else signs
