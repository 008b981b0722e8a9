"""Whether a customer has stopped everything: then nothing of theirs is started until they lift it."""

from __future__ import annotations

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from app.people.models import Stop


def is_stopped(session: Session, customer_id: str) -> bool:
    """Whether a stop of theirs stands."""
    stands = exists().where(Stop.customer_id == customer_id, Stop.lifted_at.is_(None))
    return bool(session.scalar(select(stands)))
