"""XML from strangers, read safely. Without it a bill could read our files, call out, or fill our memory.

``parse`` gives a tree or refuses; ``Node`` is the only way into it. A node walks from child to named child,
so every path is absolute: a second amount deeper in the tree cannot be taken for the first one. It refuses a
child that is there twice where one is meant, and a text that has elements in it.
"""

from __future__ import annotations

import codecs
import re
import threading
from collections.abc import Mapping

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
#: attributes of one element, in a document of so many bytes; UBL has at most eight
ATTRIBUTES_MAX = 50
ATTRIBUTES_LOOKED_AT_FROM = 100_000

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_DECLARATION = re.compile(r"<\?xml\s[^>]*?\sencoding\s*=\s*[\"']([^\"'>]*)[\"']", re.ASCII)
_DECLARATION_MAX = 200
_TOO_MANY_ATTRIBUTES = etree.XPath(f"boolean(//*[@*[{ATTRIBUTES_MAX + 1}]])")


def parse(content: bytes, *, markup_max: int = MARKUP_MAX) -> etree._Element:
    """The root, without comments and processing instructions. Nothing outside the bytes is ever read."""
    encoded = _as_utf8(content)
    # a document of so few bytes cannot hold so much markup, and most are small
    if len(encoded) > markup_max and (_more(encoded, b"<", markup_max) or _more(encoded, b"=", markup_max)):
        raise BillRefused("too-large", "The document has more elements than any bill needs.")
    try:
        root = etree.fromstring(encoded, _parser())
    except etree.XMLSyntaxError as error:
        raise BillRefused("not-well-formed", f"Not well-formed XML: {_where(error)}.") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise BillRefused("doctype-refused", "A bill has no DOCTYPE. Take it out.")
    if len(encoded) > ATTRIBUTES_LOOKED_AT_FROM and _TOO_MANY_ATTRIBUTES(root):
        raise BillRefused("too-large", f"An element has more than {ATTRIBUTES_MAX} attributes.")
    return root


def _more(content: bytes, mark: bytes, most: int) -> bool:
    """Whether it is there more often. Faster than counting: a large bill is mostly one attachment without any."""
    position = content.find(mark)
    for _ in range(most):
        if position < 0:
            return False
        position = content.find(mark, position + 1)
    return position >= 0


def not_a_bill(root: etree._Element) -> BillRefused:
    """The refusal of a document of another kind."""
    name = text.printable(etree.QName(root).localname, limit=text.QUOTE_MAX)
    detail = f"The root element '{name}' is not one of a bill that we read, or not in its namespace."
    return BillRefused("not-a-bill", detail, element=f"/{name}")


def _where(error: etree.XMLSyntaxError) -> str:
    # The parser names line and column in its message, and quotes the document.
    return text.printable(error.msg or f"line {error.lineno}", limit=text.MESSAGE_MAX)


_of_this_thread = threading.local()


def _parser() -> etree.XMLParser:
    """One for each thread: making it takes as long as a small bill."""
    made: etree.XMLParser | None = getattr(_of_this_thread, "parser", None)
    if made is None:
        # The encoding overrides the declaration: we have decoded, and there must be one reading of the bytes.
        made = _of_this_thread.parser = etree.XMLParser(
            encoding="utf-8",
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
    return made


def _as_utf8(content: bytes) -> bytes:
    """The characters in UTF-8. Decoded by Python and not by the parser, which knows UTF-7, EBCDIC and more."""
    by_bom = next((name for bom, name in _BOMS if content.startswith(bom)), None)
    head = content[:_DECLARATION_MAX].decode(by_bom or "latin-1", errors="ignore")
    declared = _DECLARATION.match(head.lstrip("\ufeff"))
    name = declared[1].lower() if declared else (by_bom or "utf-8")
    if name not in ENCODINGS or (by_bom and by_bom != name):
        allowed = ", ".join(ENCODINGS).upper()
        raise BillRefused("encoding-refused", f"The encoding {text.quoted(name)} is not taken here, only {allowed}.")
    try:
        decoded = content.decode(ENCODINGS[name])
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        detail = f"Line {line} holds bytes that are not {name.upper()}, as the document says it is."
        raise BillRefused("encoding-refused", detail) from None
    return content if name == "utf-8" and not by_bom else decoded.removeprefix("\ufeff").encode("utf-8")


class Names(dict[str, str]):
    """Prefix → namespace; ours, not the document's. Remembers what each path is in full."""

    def __init__(self, prefixes: Mapping[str, str]) -> None:
        super().__init__(prefixes)
        self._paths: dict[str, tuple[tuple[str, str], ...]] = {}

    def steps(self, path: str) -> tuple[tuple[str, str], ...]:
        """``cac:Party/cbc:ID`` → its steps, each with the name as the parser has it: ``{urn:…}ID``."""
        known = self._paths.get(path)
        if known is None:
            known = self._paths[path] = tuple((step, self._tag(step)) for step in path.split("/"))
        return known

    def _tag(self, step: str) -> str:
        """A step without a prefix is in the namespace of the prefix "", if there is one."""
        prefix, colon, name = step.rpartition(":")
        namespace = self[prefix] if colon else self.get("")
        return f"{{{namespace}}}{name}" if namespace else name


class Node:
    """One element, with the path to it that an error names.

    Its children are sorted by name once, on the first question: a bill is asked some sixty.
    """

    __slots__ = ("_index", "_nodes", "_parent", "_sorted", "_step", "_text", "element", "names")

    def __init__(
        self,
        element: etree._Element,
        path: str,
        names: Mapping[str, str],
        *,
        parent: Node | None = None,
        index: int | None = None,
    ) -> None:
        """``path`` from the root, or with a ``parent`` the one step from there."""
        self.element = element
        self.names = names if isinstance(names, Names) else Names(names)
        self._parent = parent
        self._step = path
        self._index = index
        self._sorted: dict[str, list[etree._Element]] | None = None
        self._nodes: dict[str, Node] | None = None
        self._text: str | None = None

    @property
    def path(self) -> str:
        if self._parent is None:
            return self._step
        index = "" if self._index is None else f"[{self._index}]"
        return f"{self._parent.path}/{self._step}{index}"

    def all(self, path: str) -> list[Node]:
        """Every element at this relative path; only the last step may repeat."""
        parents, _, last = path.rpartition("/")
        parent = self.maybe(parents) if parents else self
        if parent is None:
            return []
        ((_, tag),) = self.names.steps(last)
        found = parent.children().get(tag, ())
        return [
            Node(each, last, self.names, parent=parent, index=index if len(found) > 1 else None)
            for index, each in enumerate(found, start=1)
        ]

    def maybe(self, path: str) -> Node | None:
        """The one element at this relative path, or None. Two, at any step, refuse the bill."""
        node = self
        for step, tag in self.names.steps(path):
            nodes = node._nodes
            if nodes is None:
                nodes = node._nodes = {}
            known = nodes.get(tag)
            if known is None:
                found = (node._sorted or node.children()).get(tag)
                if found is None:
                    return None
                if len(found) > 1:
                    detail = f"The element is there {len(found)} times. Send it once."
                    raise BillRefused("element-doubled", detail, element=f"{node.path}/{step}")
                known = nodes[tag] = Node(found[0], step, self.names, parent=node)
            node = known
        return node

    def text(self) -> str:
        """The text, stripped. Empty for an empty element; an element inside it refuses the bill."""
        if self._text is None:
            self._text = self.raw_text().strip(" \t\r\n")
        return self._text

    def raw_text(self) -> str:
        """The text as it came, with the white space around it."""
        if len(self.element):
            raise BillRefused("type-refused", "There are elements inside a value.", element=self.path)
        return self.element.text or ""

    def children(self) -> dict[str, list[etree._Element]]:
        """By their names in full."""
        if self._sorted is None:
            self._sorted = {}
            for child in self.element:
                self._sorted.setdefault(child.tag, []).append(child)
        return self._sorted
