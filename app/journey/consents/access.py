"""The only ways from an outside id to a standing consent."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent.models import Consent, Standing


def locked(session: Session, consent_id: str) -> tuple[Consent, Standing]:
    """The rows as they are now, for whoever wants to step them. The lock is that of the consent; a payment that is
    decided under it looks at it with a weaker one, and waits. Who only writes down something that refers to it does
    not (FOR NO KEY UPDATE)."""
    wanted = select(Consent).where(Consent.id == consent_id).with_for_update(key_share=True)
    consent = session.scalars(wanted.execution_options(populate_existing=True)).one()
    return consent, session.get_one(Standing, consent_id, populate_existing=True)
