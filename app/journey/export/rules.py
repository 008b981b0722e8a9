"""What goes into an archive under which name, and how a value is written there. Values in, values out."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any

#: exports of one customer in a day, and imports that are kept at once
EXPORTS_MOST, EXPORTS_WITHIN = 5, dt.timedelta(days=1)
BROUGHT_MOST = 5
#: of an archive that is brought: as it came, all its files unpacked, and the one by the other where that is much
ARCHIVE_MOST = 100 * 1024 * 1024
UNPACKED_MOST = 1024 * 1024 * 1024
RATIO_MOST, RATIO_FROM = 60, 16 * 1024 * 1024
#: of what is kept of it in one row
PART = 1024 * 1024

ENDINGS = {
    "application/json": "json",
    "application/pdf": "pdf",
    "application/xml": "xml",
    "text/xml": "xml",
    "text/plain": "txt",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
}


def original_name(sha256: str, media_type: str) -> str:
    """Where the very bytes of a bill lie."""
    return f"originals/{sha256}.{ENDINGS.get(media_type, 'bin')}"


def plain(value: Any) -> Any:
    """As JSON has it, in the very spelling of the log (app/audit/entries.py); bytes as text where they are UTF-8."""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, bytes):
        try:
            return {"text": value.decode()}
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(value).decode()}
    return value


def written(value: object) -> bytes:
    """A file of the archive: for programs, and for people who look."""
    return json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "replace") + b"\n"


Rows = Mapping[str, Sequence[Mapping[str, Any]]]


def shown(rows: Rows, *, document: str | None) -> dict[str, Any]:
    """The few lines that a list shows of a bill; ``verify.py`` holds them against the bill."""
    invoices, delivered = rows.get("invoice", ()), rows.get("delivered_bill", ())
    of = invoices[0] if invoices else delivered[0]
    biller_id = of.get("biller_id")
    billers = {row["id"]: row["name"] for row in rows.get("biller", ())}
    return {
        "id": of["id"],
        "biller": billers[biller_id] if biller_id else of.get("payee_name"),
        "number": of["number"],
        "currency": of["currency"],
        "amount_minor": of["amount_minor"],
        "issued_on": of.get("issued_on"),
        "due_on": of.get("due_on"),
        "state": of.get("state"),
        "paid_minor": of.get("paid_minor", 0),
        "is_delivered": of.get("bill_id") is not None if invoices else True,
        "receipts": [row["number"] for row in rows.get("receipt", ())],
        "document": document,
    }
