"""Whether a sheet that somebody holds is one of ours: by its number and the salt of its log entry, which stand on it.

The salt is 128 random bits that only the log has (app/audit/entries.py), so a number alone finds nothing; and once the
entry's opening is erased, nothing is found by either.
"""

from __future__ import annotations

import base64
import hmac

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit.kinds import Kind
from app.audit.models import LogEntry
from app.journey.receipts.models import Receipt
from app.journey.receipts.read import ReceiptView, receipt_view
from app.people.models import Customer


def check_secret(session: Session, *, receipt_id: str) -> str | None:
    """The part of the address that nobody can guess, 22 signs of base64url. None: the receipt is older than the log, or
    its opening was erased."""
    salt = session.scalar(
        select(LogEntry.salt).where(LogEntry.subject == receipt_id, LogEntry.kind == Kind.RECEIPT_ISSUED.value)
    )
    return None if salt is None else base64.urlsafe_b64encode(salt).decode().rstrip("=")


def receipt_of_sheet(session: Session, *, number: str, secret: str) -> tuple[ReceiptView, Customer] | None:
    """The receipt of this number as it stands now and its payer, if the secret is its own; else None, whatever is
    wrong."""
    receipt = session.scalar(select(Receipt).where(Receipt.number == number))
    known = check_secret(session, receipt_id=receipt.id) if receipt is not None else None
    if receipt is None or known is None or not hmac.compare_digest(known.encode(), secret.encode()):
        return None
    view = receipt_view(session, receipt_id=receipt.id, customer_id=receipt.customer_id)
    return view, session.get_one(Customer, receipt.customer_id)
