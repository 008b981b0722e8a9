"""JSON from strangers, read safely: a tree in which no number was read and no key was lost, and a way into it.

``JsonNode`` answers like ``xml.Node``: a payment request is the same in both, and is read once.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import text

#: objects and lists inside each other; a payment request with its references has some twelve
DEPTH_MAX = 20
#: values in all; the largest bill has about 4000
VALUES_MAX = 20_000


@dataclass(frozen=True, slots=True)
class JsonNumber:
    """A number as written. Never read as one: a bill's values are texts, so that no digit is rounded."""

    written: str


class JsonObject(dict[str, Any]):
    """An object that remembers a key that it had twice."""

    doubled: str | None = None


def parse(content: bytes, *, bytes_max: int, depth_max: int = DEPTH_MAX) -> Any:
    """The tree of an RFC 8259 document; every limit is kept."""
    if len(content) > bytes_max:
        raise BillRefused("too-large", f"The document is larger than {bytes_max // 1024 // 1024} MiB.")
    if content.startswith(codecs.BOM_UTF8):
        raise BillRefused("encoding-refused", "Send UTF-8 without a byte order mark.")
    try:
        tree = _DECODER.decode(content.decode("utf-8"))
    except UnicodeDecodeError:
        raise BillRefused("encoding-refused", "The document is not UTF-8.") from None
    except json.JSONDecodeError as error:
        detail = f"Not well-formed JSON: {error.msg}, line {error.lineno}, column {error.colno}."
        raise BillRefused("not-well-formed", detail) from None
    except RecursionError:
        raise BillRefused("too-large", f"Values are nested deeper than {depth_max} levels.") from None
    check(tree, depth_max=depth_max)
    return tree


def check(tree: object, *, depth_max: int) -> None:
    """No key twice, not too deep, not too many. Without recursion: the depth is the sender's choice."""
    # where each value stands is its key and where its parent stands: a pointer is made of it only for a refusal
    waiting: list[tuple[_Place | None, object, int]] = [(None, tree, 1)]
    values = 0
    while waiting:
        place, value, depth = waiting.pop()
        if depth > depth_max:
            detail = f"Values are nested deeper than {depth_max} levels."
            raise BillRefused("too-large", detail, element=_pointer(place))
        if not isinstance(value, (dict, list)):
            continue
        if isinstance(value, JsonObject) and value.doubled is not None:
            detail = "The field is there twice. Send it once."
            raise BillRefused("element-doubled", detail, element=pointer_of(_pointer(place), value.doubled))
        values += len(value)
        if values > VALUES_MAX:
            raise BillRefused("too-large", f"There are more than {VALUES_MAX} values.", element=_pointer(place))
        # a text, which has nothing inside, is looked at only where it is too deep itself
        waiting += [
            ((place, key), inner, depth + 1)
            for key, inner in _inside(value)
            if depth == depth_max or not isinstance(inner, str)
        ]


#: where the parent stands, and the key in it
_Place: TypeAlias = "tuple[_Place | None, str | int]"


def _pointer(place: _Place | None) -> str:
    keys = []
    while place is not None:
        place, key = place
        keys.append(key)
    pointer = ""
    for key in reversed(keys):
        pointer = pointer_of(pointer, key)
    return pointer


def _json_object(pairs: list[tuple[str, Any]]) -> JsonObject:
    found = JsonObject(pairs)
    if len(found) < len(pairs):
        seen = set()
        for key, _ in pairs:
            if key in seen:
                found.doubled = key
            seen.add(key)
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise BillRefused("not-well-formed", f"{name} is not JSON.")


#: one for all documents: to make it takes a while
_DECODER = json.JSONDecoder(
    object_pairs_hook=_json_object,
    parse_int=JsonNumber,
    parse_float=JsonNumber,
    parse_constant=_refuse_constant,
)


def _inside(value: dict[str, Any] | list[Any]) -> Iterable[tuple[str | int, object]]:
    return value.items() if isinstance(value, dict) else enumerate(value)


def pointer_of(parent: str, key: str | int) -> str:
    """A JSON pointer (RFC 6901); a stranger's key is cut short."""
    name = text.printable(str(key), limit=text.QUOTE_MAX)
    return f"{parent}/{name.replace('~', '~0').replace('/', '~1')}"


class JsonNode:
    """One object, list item or value, with its pointer. Its methods are those of ``xml.Node``."""

    __slots__ = ("path", "value")

    def __init__(self, value: object, path: str = "") -> None:
        self.value = value
        self.path = path

    def maybe(self, path: str) -> JsonNode | None:
        """The one value at this relative path, or None. A list of one is that one; a longer one refuses the bill."""
        node = self
        for step in path.split("/"):
            found = node.all(step)
            if not found:
                return None
            if len(found) > 1:
                detail = f"The field has {len(found)} values. Send one."
                raise BillRefused("element-doubled", detail, element=pointer_of(node.path, step))
            node = found[0]
        return node

    def all(self, path: str) -> list[JsonNode]:
        """Every value at this relative path; only the last step may be a list."""
        parents, _, last = path.rpartition("/")
        parent = self.maybe(parents) if parents else self
        if parent is None:
            return []
        if not isinstance(parent.value, dict):
            raise BillRefused("type-refused", "The value must be an object.", element=parent.path)
        if last not in parent.value:
            return []
        value, pointer = parent.value[last], pointer_of(parent.path, last)
        if isinstance(value, list):
            return [JsonNode(each, pointer_of(pointer, index)) for index, each in enumerate(value)]
        return [JsonNode(value, pointer)]

    def text(self) -> str:
        """A text stripped, a number as written, ``true`` and ``false``; anything else refuses the bill."""
        if isinstance(self.value, JsonNumber):
            return self.value.written
        if isinstance(self.value, bool):
            return "true" if self.value else "false"
        if isinstance(self.value, str):
            return self.value.strip(" \t\r\n")
        raise BillRefused("type-refused", "The value must be a text.", element=self.path)
