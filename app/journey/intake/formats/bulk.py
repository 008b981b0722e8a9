"""Many bills in one file: a line of JSON each (NDJSON), or a row of a table each (CSV). Each stands by itself.

The words are those of our JSON, so that who sends one bill can send a thousand. A table has a column for each of them,
with a dot before the parts: ``payee.iban``, ``early_payment.until``. Lines of a bill have no place in a table.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from binascii import Error as BinasciiError
from collections.abc import Iterator
from dataclasses import dataclass

from joserfc.util import urlsafe_b64decode

from app.journey.intake.bill import Bill, BillRefused
from app.journey.intake.formats import json_bill, text

BYTES_MAX = 256 * 1024 * 1024
BILLS_MAX = 100_000
#: of one line, with its end
LINE_BYTES_MAX = json_bill.JSON_BYTES_MAX
COLUMNS_MAX = 60
#: a row goes on over a new line inside quotation marks, and without the closing one to the end of the file
ROW_LINES_MAX = 300
REQUIRED = ("to", "number", "issued_on", "currency", "amount")
#: besides, unless a column says how each bill is paid
OF_TRANSFERS = ("payee.name", "payee.iban")
COLUMNS = (
    *REQUIRED,
    *OF_TRANSFERS,
    "payee.account",
    "payee.branch",
    "means",
    "mandate",
    "creditor_id",
    "kind",
    "corrects",
    "replaces",
    "due_on",
    "reference",
    "order_reference",
    "note",
    "early_payment.until",
    "early_payment.discount",
    "late_fee.amount",
    "late_fee.from",
)
_SEPARATORS = (",", ";", "\t")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What one line of the file holds, not read yet. ``content`` is what a single delivery would have sent."""

    number: int  #: of the line in the file, from 1
    content: bytes
    refused: BillRefused | None = None  #: a row that is none; there is no content then


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkLine(Piece):
    """One bill of the file, or why it is refused."""

    bill: Bill | None = None
    seal: str | None = None  #: its biller's signature over the content


def ndjson(lines: Iterator[bytes]) -> Iterator[BulkLine]:
    """The bills of a file of lines, each read."""
    return map(read, cut_ndjson(lines))


def table(lines: Iterator[bytes]) -> Iterator[BulkLine]:
    """The bills of a table, each read."""
    return map(read, cut_table(lines))


def cut_ndjson(lines: Iterator[bytes]) -> Iterator[Piece]:
    """What is in a file of lines, one after the other, never all at once. Empty lines are passed over.

    Raises BillRefused for the file as a whole: too many lines, or one too long to be held.
    """
    found = 0
    for number, line in enumerate(_limited(lines), start=1):
        content = line.strip(b" \t\r\n")
        if not content:
            continue
        found += 1
        if found > BILLS_MAX:
            raise BillRefused("too-large", f"The file has more than {BILLS_MAX} bills.", element=f"line {number}")
        yield Piece(number=number, content=content)


def cut_table(lines: Iterator[bytes]) -> Iterator[Piece]:
    """The rows of a CSV file in UTF-8, with a header; the separator is a comma, a semicolon or a tab.

    Raises BillRefused for the file as a whole: its header, its encoding, a row that is none.
    """
    decoded = _decoded(_limited(lines))
    first = next(decoded, "").removeprefix("\ufeff")
    separator = max(_SEPARATORS, key=first.count)
    header = _header(first, separator)
    _check_header(header)
    row_of = _RowLimit()
    rows = csv.reader(row_of.limited(decoded), delimiter=separator, strict=True)
    found = 0
    while True:
        row_of.begin()
        try:
            row = next(rows, None)
        except csv.Error as error:
            raise BillRefused("not-well-formed", f"The row is no CSV: {error}.", element=_at(rows.line_num)) from None
        if row is None:
            return
        if not any(cell.strip() for cell in row):
            continue
        found += 1
        if found > BILLS_MAX:
            raise BillRefused("too-large", f"The file has more than {BILLS_MAX} bills.", element=_at(rows.line_num))
        yield _of_row(rows.line_num + 1, header, row)


@dataclass(slots=True)
class _RowLimit:
    """How much of the file the row has taken that is being read: all of it is held until the row ends."""

    number: int = 1  #: of the line, in the file; the header was the first
    first: int = 0  #: the line in which the row begins
    characters: int = 0

    def begin(self) -> None:
        self.first, self.characters = self.number + 1, 0

    def limited(self, lines: Iterator[str]) -> Iterator[str]:
        for line in lines:
            self.number += 1
            self.characters += len(line)
            if self.number - self.first >= ROW_LINES_MAX or self.characters > LINE_BYTES_MAX:
                most = f"{ROW_LINES_MAX} lines or {LINE_BYTES_MAX // 1024 // 1024} MiB"
                detail = f"The row goes on for more than {most}: a quotation mark may be missing."
                raise BillRefused("too-large", detail, element=f"line {self.first}")
            yield line


def split(content: bytes) -> Iterator[bytes]:
    """The lines of a file that is at hand as a whole."""
    return iter(io.BytesIO(content).readline, b"")


def _at(lines_after_header: int) -> str:
    return f"line {lines_after_header + 1}"


def _limited(lines: Iterator[bytes]) -> Iterator[bytes]:
    size = 0
    for number, line in enumerate(lines, start=1):
        size += len(line)
        if len(line) > LINE_BYTES_MAX:
            detail = f"The line is longer than {LINE_BYTES_MAX // 1024 // 1024} MiB."
            raise BillRefused("too-large", detail, element=f"line {number}")
        if size > BYTES_MAX:
            raise BillRefused("too-large", f"The file is larger than {BYTES_MAX // 1024 // 1024} MiB.")
        yield line


def _decoded(lines: Iterator[bytes]) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        try:
            yield codecs.decode(line, "utf-8")
        except UnicodeDecodeError:
            raise BillRefused("encoding-refused", "The line is not UTF-8.", element=f"line {number}") from None


def _header(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator, strict=True), [])
    except csv.Error as error:
        raise BillRefused("not-well-formed", f"The header is no CSV: {error}.", element="line 1") from None


def _check_header(header: list[str]) -> None:
    if len(header) > COLUMNS_MAX:
        raise BillRefused("too-large", f"There are more than {COLUMNS_MAX} columns.", element="line 1")
    for name in header:
        if name not in COLUMNS:
            detail = f"There is no column {text.quoted(name)}; the columns are {', '.join(COLUMNS)}."
            raise BillRefused("element-unknown", detail, element="line 1")
        if header.count(name) > 1:
            raise BillRefused("element-doubled", f"The column {text.quoted(name)} is there twice.", element="line 1")
    for name in REQUIRED if "means" in header else (*REQUIRED, *OF_TRANSFERS):
        if name not in header:
            raise BillRefused("element-missing", f"There is no column '{name}'.", element="line 1")


def _of_row(number: int, header: list[str], row: list[str]) -> Piece:
    if len(row) != len(header):
        detail = f"The row has {len(row)} cells, the header {len(header)}."
        refused = BillRefused("not-well-formed", detail, element=f"line {number}")
        return Piece(number=number, content=b"", refused=refused)
    bill: dict[str, object] = {}
    for name, cell in zip(header, row, strict=True):
        parent, dot, child = name.partition(".")
        if not cell.strip():
            continue  # an empty cell says nothing
        if dot:
            inside = bill.setdefault(parent, {})
            if isinstance(inside, dict):
                inside[child] = cell
        else:
            bill[name] = cell
    content = json.dumps(bill, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return Piece(number=number, content=content)


def read(piece: Piece) -> BulkLine:
    """The bill of one line, or why it is refused: never an exception."""
    content, seal = _unsealed(piece.content)
    if piece.refused is not None:
        return BulkLine(number=piece.number, content=content, refused=piece.refused)
    try:
        return BulkLine(number=piece.number, content=content, bill=json_bill.read(content), seal=seal)
    except BillRefused as refused:
        named = BillRefused(refused.code, refused.detail, element=f"line {piece.number}{refused.element}")
        return BulkLine(number=piece.number, content=content, refused=named)


def _unsealed(content: bytes) -> tuple[bytes, str | None]:
    """A sealed bill is a text in JSON: its compact JWS, with the bill inside. What is none is read as a bill."""
    if len(content) < 2 or content[:1] + content[-1:] != b'""':
        return content, None
    header, _, rest = content[1:-1].decode("latin-1").partition(".")
    inside, _, signature = rest.partition(".")
    try:
        return urlsafe_b64decode(inside.encode("ascii")), f"{header}..{signature}"
    except (ValueError, BinasciiError):
        return content, None
