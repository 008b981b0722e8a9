"""XML from strangers, read safely. Without it a bill could read our files, call out, or fill our memory.

``parse`` gives a tree or refuses; ``Node`` is the only way into it. A node walks from child to named child,
so every path is absolute: a second amount deeper in the tree cannot be taken for the first one. It refuses a
child that is there twice where one is meant, and a text that has elements in it.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass

from lxml import etree

from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import text

#: the encodings that we take, by the names of the XML declaration, with Python's name
ENCODINGS = {
    "utf-8": "utf-8",
    "us-ascii": "ascii",
    "utf-16": "utf-16",
    "iso-8859-1": "iso-8859-1",
    "iso-8859-15": "iso-8859-15",
    "windows-1252": "windows-1252",
}
#: how many "<" and "=" a document may hold: it bounds elements and attributes before memory is spent on them
MARKUP_MAX = 500_000
#: attributes of one element; UBL has at most eight
ATTRIBUTES_MAX = 50

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_DECLARATION = re.compile(r"<\?xml\s[^>]*?\sencoding\s*=\s*[\"']([^\"'>]*)[\"']", re.ASCII)
_DECLARATION_MAX = 200
_TOO_MANY_ATTRIBUTES = etree.XPath(f"boolean(//*[count(@*) > {ATTRIBUTES_MAX}])")


def parse(content: bytes, *, markup_max: int = MARKUP_MAX) -> etree._Element:
    """The root, without comments and processing instructions. Nothing outside the bytes is ever read."""
    decoded = _decode(content)
    if max(decoded.count("<"), decoded.count("=")) > markup_max:
        raise BillRefused("too-large", "The document has more elements than any bill needs.")
    try:
        root = etree.fromstring(decoded.encode("utf-8"), _parser())
    except etree.XMLSyntaxError as error:
        raise BillRefused("not-well-formed", f"Not well-formed XML: {_where(error)}.") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise BillRefused("doctype-refused", "A bill has no DOCTYPE. Take it out.")
    if _TOO_MANY_ATTRIBUTES(root):
        raise BillRefused("too-large", f"An element has more than {ATTRIBUTES_MAX} attributes.")
    return root


def _where(error: etree.XMLSyntaxError) -> str:
    # The parser names line and column in its message, and quotes the document.
    return text.printable(error.msg or f"line {error.lineno}", limit=text.MESSAGE_MAX)


def _parser() -> etree.XMLParser:
    # The encoding overrides the declaration: we have decoded, and there must be one reading of the bytes.
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


def _decode(content: bytes) -> str:
    """The characters. Decoded by Python and not by the parser, which knows UTF-7, EBCDIC and more."""
    by_bom = next((name for bom, name in _BOMS if content.startswith(bom)), None)
    head = content[:_DECLARATION_MAX].decode(by_bom or "latin-1", errors="ignore")
    declared = _DECLARATION.match(head.lstrip("\ufeff"))
    name = declared[1].lower() if declared else (by_bom or "utf-8")
    if name not in ENCODINGS or (by_bom and by_bom != name):
        allowed = ", ".join(ENCODINGS).upper()
        raise BillRefused("encoding-refused", f"The encoding {text.quoted(name)} is not taken here, only {allowed}.")
    try:
        return content.decode(ENCODINGS[name]).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        detail = f"Line {line} holds bytes that are not {name.upper()}, as the document says it is."
        raise BillRefused("encoding-refused", detail) from None


@dataclass(frozen=True, slots=True)
class Node:
    """One element, with the path to it that an error names. ``prefixes`` are ours, not the document's."""

    element: etree._Element
    path: str
    prefixes: Mapping[str, str]

    def all(self, path: str) -> list[Node]:
        """Every element at this relative path; only the last step may repeat."""
        *parents, last = path.split("/")
        parent = self.maybe("/".join(parents)) if parents else self
        if parent is None:
            return []
        found = parent.element.findall(last, dict(self.prefixes))
        base = f"{parent.path}/{last}"
        return [
            Node(each, f"{base}[{index}]" if len(found) > 1 else base, self.prefixes)
            for index, each in enumerate(found, start=1)
        ]

    def maybe(self, path: str) -> Node | None:
        """The one element at this relative path, or None. Two, at any step, refuse the bill."""
        node = self
        for step in path.split("/"):
            found = node.element.findall(step, dict(self.prefixes))
            if not found:
                return None
            if len(found) > 1:
                detail = f"The element is there {len(found)} times. Send it once."
                raise BillRefused("element-doubled", detail, element=f"{node.path}/{step}")
            node = Node(found[0], f"{node.path}/{step}", self.prefixes)
        return node

    def text(self) -> str:
        """The text, stripped. Empty for an empty element; an element inside it refuses the bill."""
        return self.raw_text().strip(" \t\r\n")

    def raw_text(self) -> str:
        """The text as it came, with the white space around it."""
        if len(self.element):
            raise BillRefused("type-refused", "There are elements inside a value.", element=self.path)
        return self.element.text or ""
