"""What stands in a JSON object that was sent to the API: each reader raises ApiError with the path of the fault."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.sandbox_bank.openbanking_uk import limits
from connectors.sandbox_bank.openbanking_uk.answers import ApiError

_AMOUNT = re.compile(r"\d{1,13}(\.\d{1,5})?", re.ASCII)
_DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})", re.ASCII)


def amount_of(within: Mapping[str, Any], name: str, at: str) -> int:
    """In pence."""
    return pence(object_of(within, name, {"Amount", "Currency"}, at), f"{at}{name}")


def pence(amount: Mapping[str, Any], path: str) -> int:
    text = amount.get("Amount")
    if not isinstance(text, str) or _AMOUNT.fullmatch(text) is None or amount.get("Currency") != "GBP":
        raise ApiError("U002", "an amount of GBP, as text", path=path)
    if text.partition(".")[2][2:].strip("0") or limits.pence(text) == 0:
        raise ApiError("U002", "whole pence, more than none", path=path)
    return limits.pence(text)


def moment(within: Mapping[str, Any], name: str, at: str) -> dt.datetime:
    """An ISODateTime with its offset."""
    text = within.get(name)
    try:
        if isinstance(text, str) and _DATE_TIME.fullmatch(text):
            return dt.datetime.fromisoformat(text)
    except ValueError:
        pass
    raise ApiError("U003", f"{name} is a date and time with its offset", path=f"{at}{name}")


def text_of(within: Mapping[str, Any], name: str, most: int, at: str) -> str:
    value = within.get(name)
    if value is None:
        raise ApiError("U004", f"{name} is missing", path=f"{at}{name}")
    if not isinstance(value, str) or not 1 <= len(value) <= most:
        raise ApiError("U002", f"{name} has 1 to {most} characters", path=f"{at}{name}")
    return value


def one_of(within: Mapping[str, Any], name: str, known: Sequence[str], at: str) -> str:
    value = within.get(name)
    if value is None:
        raise ApiError("U004", f"{name} is missing", path=f"{at}{name}")
    if value not in known:
        raise ApiError("U002", f"{name} is one of {', '.join(known)}", path=f"{at}{name}")
    return str(value)


def object_of(within: Mapping[str, Any], name: str, allowed: set[str] | None, at: str = "") -> Mapping[str, Any]:
    found = within.get(name)
    if not isinstance(found, dict):
        raise ApiError("U004", f"{name} is missing", path=f"{at}{name}")
    if allowed is not None:
        only(found, allowed, f"{at}{name}.")
    return found


def only(found: Mapping[str, Any], allowed: set[str], at: str) -> None:
    unknown = found.keys() - allowed
    if unknown:
        raise ApiError("U005", f"{min(unknown)} is not a field here, or not at this bank", path=f"{at}{min(unknown)}")
