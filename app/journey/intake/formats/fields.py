"""What one element of an XML bill says. Without it UBL and CII would each have their own idea of an amount.

The path of an element is made only when it is needed: for the refusal that names it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import ParamSpec, TypeVar

from lxml import etree

from app.journey.intake.bill import BillRefused, Doubt
from app.journey.intake.formats import checks, text
from app.journey.intake.formats.xml import Node
from connectors.money import Money

#: payment means, notes, preceding invoices: each
REPEATS_MAX = 100
#: UN/CEFACT 2379 → how many digits; the only one of EN 16931, and those of orders
DAY: Mapping[str, int] = MappingProxyType({"102": 8})
MOMENT: Mapping[str, int] = MappingProxyType({"102": 8, "203": 12, "204": 14})

_P = ParamSpec("_P")
_Value = TypeVar("_Value")


def given(node: Node, path: str) -> Node | None:
    """The one element there, or None where it is absent or empty."""
    found = node.maybe(path)
    return found if found is not None and found.text() else None


def part(node: Node, path: str) -> Node:
    """The one element there, to look into; where it is absent, one in which there is nothing."""
    found = node.maybe(path)
    return found if found is not None else Node(etree.Element("absent"), path, node.names, parent=node)


def required(node: Node, path: str) -> Node:
    found = given(node, path)
    if found is None:
        raise missing(node, path)
    return found


def missing(node: Node, path: str) -> BillRefused:
    detail = "The element is missing or empty."
    return BillRefused("element-missing", detail, element=f"{node.path}/{path}")


def several(node: Node, path: str, *, most: int = REPEATS_MAX) -> list[Node]:
    found = node.all(path)
    if len(found) > most:
        raise BillRefused("too-large", f"The element is there more than {most} times.", element=f"{node.path}/{path}")
    return found


def plain(node: Node, path: str) -> str:
    """The text, or nothing. For codes that are compared and never shown."""
    found = node.maybe(path)
    return found.text() if found is not None else ""


def exact(node: Node, limit: int) -> str:
    return _at(node, text.exact, node.text(), element="", limit=limit)


def maybe_exact(node: Node, path: str, limit: int = text.ID_MAX) -> str | None:
    found = given(node, path)
    return exact(found, limit) if found else None


def maybe_line(node: Node, path: str, limit: int = text.NAME_MAX) -> str | None:
    found = given(node, path)
    return _at(found, text.line, found.text(), element="", limit=limit) or None if found else None


def first_line(node: Node, *paths: str, limit: int = text.NAME_MAX) -> str | None:
    """The first of these that says something."""
    return next((found for path in paths if (found := maybe_line(node, path, limit))), None)


def paragraphs(nodes: Iterable[Node]) -> str | None:
    written = [node for node in nodes if node.text()]
    if not written:
        return None
    return _at(written[0], text.paragraph, "\n".join(node.text() for node in written), element="") or None


def distinct(nodes: Iterable[Node | None], limit: int) -> tuple[str, ...]:
    """What they say, once each, in their order."""
    return tuple(dict.fromkeys(exact(node, limit) for node in nodes if node))


def date(node: Node) -> dt.date:
    return _at(node, checks.xml_date, node.text(), element="")


def compact_date(node: Node, *, formats: Mapping[str, int] = DAY) -> dt.date:
    """A day as YYYYMMDD; with MOMENT the day of a moment written that way."""
    written, given_format = node.text(), node.element.get("format") or ""
    if given_format not in formats:
        allowed = ", ".join(formats)
        detail = f"The format of a day is {allowed} (YYYYMMDD), not {text.quoted(given_format)}."
        raise BillRefused("date-refused", detail, element=f"{node.path}/@format")
    if len(written) != formats[given_format] or not (written.isascii() and written.isdigit()):
        raise BillRefused("date-refused", f"{text.quoted(written)} is not a day: write YYYYMMDD.", element=node.path)
    return _at(node, checks.date, f"{written[:4]}-{written[4:6]}-{written[6:8]}", element="")


def country(node: Node | None) -> str | None:
    return _at(node, checks.country, node.text(), element="") if node else None


def currency(node: Node) -> str:
    return _at(node, checks.currency, node.text(), element="")


def reference(node: Node | None) -> str | None:
    return _at(node, checks.reference, node.text(), element="") if node else None


def account(node: Node) -> checks.Account:
    return _at(node, checks.account, node.text(), element="")


def amount(node: Node, code: str) -> Money:
    """An amount without a currency of its own."""
    return _at(node, checks.xml_amount, node.text(), code, element="")


def adds_up(
    totals: Node, name: str, payable: Money, total: Money, prepaid: Money | None, rounding: Money | None, *, more: Money
) -> None:
    """BR-CO-16: what is due is total - prepaid + rounding, and ``more`` that an extension adds."""
    nothing = Money(0, payable.currency)
    due = total - (prepaid or nothing) + (rounding or nothing) + more
    if due != payable:
        detail = f"The amount due is {payable}, but total - prepaid + rounding makes {due} {payable.currency}."
        raise BillRefused("amounts-do-not-add-up", detail, element=f"{totals.path}/{name}")


def hidden(*names: Node | None) -> tuple[Doubt, ...]:
    """A doubt where a name has characters in it that nobody sees; they are not shown, and this says that they were."""
    found = [node for node in names if node is not None and text.hides(node.raw_text())]
    detail = "The name holds invisible characters, or such that turn the direction of writing."
    return tuple(Doubt(code="name-hides-characters", detail=detail, element=node.path) for node in found)


def _at(node: Node, read: Callable[_P, _Value], *args: _P.args, **kwargs: _P.kwargs) -> _Value:
    """What ``read`` makes of it; what it refuses is refused at the path of this element."""
    try:
        return read(*args, **kwargs)
    except BillRefused as refused:
        raise BillRefused(refused.code, refused.detail, element=node.path) from None
