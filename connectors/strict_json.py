"""Reads a bank's JSON once, strictly. Without it every field would be checked where it is used, or nowhere.

Fields that we do not know are ignored: banks add some. Fields that we use must be what they should be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

#: longer than any text that a standard lets a bank send in one field
TEXT_CHARACTERS_MAX = 4096
#: no number of a standard comes near this power of ten
EXPONENT_MAX = 30
#: what neither UTF-8 nor a database takes: NUL, and half a character, left where a bank cut a text short
_UNFIT = re.compile("[\x00\ud800-\udfff]")


class NotReadable(ValueError):
    """The answer is not what the standard says. The text names the field and never quotes the answer."""


@dataclass(frozen=True, slots=True)
class JsonObject:
    """A JSON object whose members are read by the type they must have."""

    members: Mapping[str, Any]

    def text(self, name: str) -> str:
        """A string that is there and not empty. Raises NotReadable."""
        value = self.text_or_none(name)
        if not value:
            message = f"{name} is missing or not a text"
            raise NotReadable(message)
        return value

    def text_or_none(self, name: str) -> str | None:
        """A string, or None for a member that is absent, null or of another type. What cannot be kept is a U+FFFD."""
        value = self.members.get(name)
        return _UNFIT.sub("\ufffd", value[:TEXT_CHARACTERS_MAX]) if isinstance(value, str) else None

    def flag(self, name: str) -> bool:
        """True only where the member is true."""
        return self.members.get(name) is True

    def object(self, name: str) -> JsonObject:
        """An object; an empty one where there is none."""
        value = self.members.get(name)
        return JsonObject(value if isinstance(value, dict) else {})

    def objects(self, name: str) -> list[JsonObject]:
        """The objects in an array; none where there is no array."""
        value = self.members.get(name)
        return [JsonObject(item) for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def read_value(body: bytes) -> Any:
    """Any JSON value. Raises NotReadable unless ``body`` is one, in UTF-8 (RFC 8259): no NaN, no name twice."""
    try:
        return json.loads(body.decode(), object_pairs_hook=_no_twins, parse_constant=_no_constant, parse_float=_number)
    except NotReadable:
        raise
    except (ValueError, ArithmeticError, RecursionError):
        raise NotReadable("the answer is not JSON") from None


def read_object(body: bytes) -> JsonObject:
    """One JSON object, read as strictly. Raises NotReadable."""
    value = read_value(body)
    if not isinstance(value, dict):
        raise NotReadable("the answer is not a JSON object")
    return JsonObject(value)


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotReadable("a name stands twice in one object")
    return members


def _number(text: str) -> Decimal:
    """A few characters could stand for a number of a million digits."""
    number = Decimal(text)
    if number and abs(number.adjusted()) > EXPONENT_MAX:
        raise NotReadable("a number is beyond all measure")
    return number


def _no_constant(_: str) -> NoReturn:
    raise NotReadable("the answer is not JSON")
