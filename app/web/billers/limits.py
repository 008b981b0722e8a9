"""How often one biller may knock. All numbers of the door stand here.

Counted in memory, so each worker process counts by itself: on one machine n workers allow n times as much, which is
accepted (architecture: Redis or Valkey for several machines).
"""

from __future__ import annotations

from flask import request
from flask_limiter import Limiter

from app.journey.intake.formats import BYTES_MAX, bulk

#: a token lives five minutes, so this is plenty, and slows down who guesses
TOKEN_LIMIT = "60 per minute"  # noqa: S105 (no secret)
#: per client, however many addresses it calls from
DELIVERY_LIMIT = "600 per minute"

#: files of many bills, per client; a file may have a hundred thousand
UPLOAD_LIMIT = "60 per hour"

#: a bill with its attachments: no more is read off the wire than the intake takes
BILL_BYTES_MAX = BYTES_MAX
#: a file of many bills: it is read line by line
UPLOAD_BYTES_MAX = bulk.BYTES_MAX
#: four short values
CONFIRMATION_BYTES_MAX = 4 * 1024
#: a word and a sentence of 500 characters, however each of them is written
REPLY_BYTES_MAX = 8 * 1024
#: a code and a reference, or a day
CONNECTION_BYTES_MAX = 4 * 1024
#: an assertion is about 1 kB
TOKEN_REQUEST_BYTES_MAX = 16 * 1024


def delivery_limit() -> str:
    return DELIVERY_LIMIT


def upload_limit() -> str:
    return UPLOAD_LIMIT


def caller_address() -> str:
    """Who calls, before we know who it is. Behind a proxy, ProxyFix has put the true address here."""
    return request.remote_addr or "unknown"


limiter = Limiter(caller_address, storage_uri="memory://", strategy="moving-window", headers_enabled=True)
