"""Who of the operator's says or reads something, and why. What they read of a customer's, that customer sees."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit import entries
from app.audit.kinds import Kind
from app.db.unit_of_work import UnitOfWork
from app.errors import Invalid
from app.people.models import OperatorAccess
from consent.base import new_id

NOTE_MAX = 300
#: on a customer's page, the newest
ACCESSES_MOST = 100
#: two spellings of one person would be two people, so nothing that is easily left out
_PERSON = re.compile(r"[a-z][a-z0-9]{0,59}")


class Read(enum.StrEnum):
    """What was read: its contents, not only that there is one."""

    HELD_BILL = "held_bill"
    BILL = "bill"
    PAYMENT = "payment"


def person(written: str) -> str:
    """An operator, as history names them: small letters and digits. Raises Invalid."""
    name = written.strip().lower()
    if not _PERSON.fullmatch(name):
        detail = f"{written!r} does not name a person: letters from a to z, then digits, nothing else."
        raise Invalid("person", detail)
    return name


def check_reason(note: str | None) -> None:
    """Raises Invalid for one that nobody could read."""
    if note is not None and (not 1 <= len(note.strip()) <= NOTE_MAX or not note.isprintable()):
        raise Invalid("reason", f"Say why in 1 to {NOTE_MAX} characters, on one line.")


def note_access(uow: UnitOfWork, *, customer_id: str, what: Read, subject_id: str, by: str, because: str) -> None:
    """Write down that a person reads it, before they do: for the customer's page and for the log. Raises Invalid where
    they do not say who they are, or why."""
    check_reason(because)
    access = OperatorAccess(
        id=new_id("opa"),
        customer_id=customer_id,
        by=person(by),
        what=what,
        subject_id=subject_id,
        because=because.strip(),
        at=uow.now,
    )
    uow.session.add(access)
    uow.session.flush()
    entries.write(uow, Kind.OPERATOR_ACCESS, access)


def accesses_of(session: Session, *, customer_id: str) -> Sequence[OperatorAccess]:
    """What was read in this customer's space, the newest first."""
    of_customer = select(OperatorAccess).where(OperatorAccess.customer_id == customer_id)
    return session.scalars(of_customer.order_by(OperatorAccess.id.desc()).limit(ACCESSES_MOST)).all()
