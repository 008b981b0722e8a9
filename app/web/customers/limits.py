"""What a customer may send here, and how often. All numbers of the door stand here.

Counted in memory, so each worker process counts by itself, as at the billers' door.
"""

from __future__ import annotations

from flask import request
from flask_limiter import Limiter

from app.journey.intake.formats.own_file import BYTES_MAX
from app.web.context import signed_in

#: forms and passkeys are small
BODY_MOST = 64 * 1024
#: a bill that a customer adds: the file, and what a form has around it
FILE_MOST = BYTES_MAX + BODY_MOST
#: begun by one address: a new customer has a place of their own for files
SIGN_UP_LIMIT = "30 per hour; 100 per day"
#: bills that one customer adds, and pages of them that are drawn or not: each takes a process of its own
ADDING_LIMIT = "30 per hour; 100 per day"
DRAWING_LIMIT = "120 per hour"


def sign_up_limit() -> str:
    return SIGN_UP_LIMIT


def adding_limit() -> str:
    return ADDING_LIMIT


def drawing_limit() -> str:
    return DRAWING_LIMIT


def address() -> str:
    """Behind a proxy, ProxyFix has put the true one here."""
    return request.remote_addr or "unknown"


def caller() -> str:
    """The customer; for whoever is none, the address."""
    who = signed_in()
    return who.customer.id if who is not None else address()


limiter = Limiter(caller, storage_uri="memory://", strategy="moving-window")
