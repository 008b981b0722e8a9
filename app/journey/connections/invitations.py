"""A company that is not here, and a customer who would like it to be. Counted, and nothing more.

Nobody is written to by us, there is no reward, and no contact of anybody is ever asked for: the customer tells the
company themselves. When a company is let in whose name somebody wrote, their invitation counts as accepted.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from app.db.unit_of_work import UnitOfWork
from app.db.upsert import insert_once
from app.errors import Conflict, FieldError, Invalid
from app.journey.connections import rules
from app.journey.connections.models import Invitation
from app.people import names
from app.people.biller_states import BillerState
from app.people.customers import lock_customer
from app.people.models import Biller
from app.services import Task
from consent.base import new_id

#: of one customer: a list, and no address book
INVITATIONS_MOST = 50
#: companies that an operator is listed
LISTED_MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationView:
    name: str
    reference: str | None
    sent_at: dt.datetime
    accepted_at: dt.datetime | None
    biller_id: str | None  #: once it is here


@dataclass(frozen=True, slots=True)
class Wanted:
    """A company, by how many customers it was invited, and for how many it came."""

    name: str
    sent: int
    accepted: int


def invite(uow: UnitOfWork, *, customer_id: str, name: str, reference: str | None) -> None:
    """Count that this customer would like a company here; the same name once. Raises Invalid, Conflict."""
    wanted, known_by = rules.checked_company(name), rules.checked_reference(reference)
    key = names.key(wanted)[:200]
    if not key:
        raise Invalid("name", "Write the company's name.", errors=(FieldError("/name", "Write the company's name."),))
    here = select(Biller.id).where(Biller.name_key == key, Biller.state == BillerState.VETTED)
    if uow.session.scalar(here.limit(1)):
        raise Conflict("company-here", "This company is here already: find it by its name.")
    lock_customer(uow.session, customer_id)  # two windows would count the same
    mine = select(func.count()).where(Invitation.customer_id == customer_id)
    if (uow.session.scalar(mine) or 0) >= INVITATIONS_MOST:
        raise Conflict("too-many-invitations", f"You have invited {INVITATIONS_MOST} companies already.")
    row = {
        "id": new_id("ivt"),
        "customer_id": customer_id,
        "name": wanted,
        "name_key": key,
        "reference": known_by,
        "sent_at": uow.now,
    }
    insert_once(uow.session, Invitation, row, unique=["customer_id", "name_key"])


def accept_invitations(task: Task) -> None:
    """BillerVetted: the company is here now, as some had wished."""
    with task.services.unit_of_work() as uow:
        biller = uow.session.get_one(Biller, task.payload["biller_id"])
        uow.session.execute(
            update(Invitation)
            .where(*_waits_for(biller))
            .values(accepted_at=uow.now, biller_id=biller.id)
            .execution_options(synchronize_session=False)
        )
        task.finish(uow)
        uow.commit()


def invited(session: Session, biller: Biller) -> int:
    """How many customers have invited this company and wait for it."""
    return session.scalar(select(func.count()).where(*_waits_for(biller))) or 0


def _waits_for(biller: Biller) -> tuple[ColumnElement[bool], ...]:
    return (Invitation.name_key == names.key(biller.name)[:200], Invitation.accepted_at.is_(None))


def invitations_of(session: Session, *, customer_id: str) -> list[InvitationView]:
    """The newest first."""
    rows = session.scalars(
        select(Invitation)
        .where(Invitation.customer_id == customer_id)
        .order_by(Invitation.sent_at.desc(), Invitation.id.desc())
        .limit(INVITATIONS_MOST)
    )
    return [
        InvitationView(
            name=row.name,
            reference=row.reference,
            sent_at=row.sent_at,
            accepted_at=row.accepted_at,
            biller_id=row.biller_id,
        )
        for row in rows
    ]


def wanted(session: Session) -> list[Wanted]:
    """For an operator: who is wanted most, without a word of by whom."""
    sent = func.count()
    rows = session.execute(
        select(func.min(Invitation.name), sent, func.count(Invitation.accepted_at))
        .group_by(Invitation.name_key)
        .order_by(sent.desc(), Invitation.name_key)
        .limit(LISTED_MOST)
    )
    return [Wanted(*row) for row in rows]
