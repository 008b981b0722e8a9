"""What pages show of earlier decisions."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.journey.decisions.models import Decision


def bank_used_last(session: Session, *, customer_id: str, currency: str) -> str | None:
    """From which bank the customer decided to pay the last time in this currency. It is offered first, no more."""
    return session.scalar(
        select(Decision.bank_id)
        .where(Decision.customer_id == customer_id, Decision.currency == currency)
        .order_by(Decision.decided_at.desc(), Decision.id.desc())
        .limit(1)
    )
