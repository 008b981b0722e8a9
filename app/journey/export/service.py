"""Taking one's papers along: by a passkey that signs just that, written down, and told."""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from typing import IO, Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.unit_of_work import UnitOfWork
from app.errors import NotFound, TooMany
from app.journey.export import archive
from app.journey.export.models import Export
from app.journey.export.rules import EXPORTS_MOST, EXPORTS_WITHIN, plain
from app.people import passkeys, stops
from app.people.customers import lock_customer
from app.people.events import SpaceExported
from app.people.models import Customer
from app.people.passkeys import RelyingParty, Started
from app.people.sessions import SignedIn
from app.services import Services
from consent.base import new_id

_PURPOSE = "export"
#: on the page
SHOWN_MOST = 20


def start(uow: UnitOfWork, *, party: RelyingParty, signed_in: SignedIn) -> Started:
    """Ask for a passkey: everything at once is what a thief with an open session wants most. Raises NotAllowed,
    Conflict while a stop stands, TooMany."""
    signed_in.check_acts()
    customer_id = signed_in.customer.id
    stops.must_not_stand(uow, customer_id)
    _must_be_few(uow.session, customer_id, now=uow.now)
    return passkeys.start_approval(uow, party=party, customer_id=customer_id, purpose=_PURPOSE, data={})


def ask(
    uow: UnitOfWork, *, party: RelyingParty, signed_in: SignedIn, ceremony: object, credential: dict[str, Any]
) -> str:
    """Write it down, and have its customer told, before anything is made: whatever becomes of it then. Returns the id
    of the export. Raises Invalid, NotAllowed, Conflict, TooMany."""
    signed_in.check_acts()
    customer_id = signed_in.customer.id
    taken = passkeys.take(uow, token=ceremony, purpose=_PURPOSE, customer_id=customer_id)
    _, evidence = passkeys.verify(uow, party=party, ceremony=taken, credential=credential, customer_id=customer_id)
    lock_customer(uow.session, customer_id)
    stops.hold_off(uow.session, customer_id)
    stops.must_not_stand(uow, customer_id)
    _must_be_few(uow.session, customer_id, now=uow.now)
    export = Export(id=new_id("exp"), customer_id=customer_id, asked_at=uow.now, evidence=evidence)
    uow.session.add(export)
    uow.record(SpaceExported(customer_id=customer_id))
    return export.id


def make(services: Services, *, export_id: str, customer_id: str) -> IO[bytes]:
    """Make the archive that was asked for. Returns it at its beginning, in a file that has no name and is gone once it
    is closed: no copy of it stays here. Raises NotFound."""
    file = tempfile.TemporaryFile()  # noqa: SIM115  # whoever sends it closes it
    try:
        with services.reading() as uow:
            archive.of_one_moment(uow.session)
            row = uow.session.get(Export, export_id)
            if row is None or row.customer_id != customer_id or row.made_at is not None:
                raise NotFound("export")
            customer = uow.session.get_one(Customer, customer_id)
            made = archive.make(services, uow.session, customer, file=file, made_at=plain(uow.now))
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        with services.unit_of_work() as uow:
            row = uow.session.get_one(Export, export_id)
            row.made_at, row.size_bytes = uow.now, size
            row.bills, row.manifest_sha256 = made.bills, made.manifest_sha256
            uow.commit()
    except BaseException:
        file.close()
        raise
    return file


def exports_of(session: Session, *, customer_id: str) -> list[Export]:
    """The latest first."""
    rows = select(Export).where(Export.customer_id == customer_id).order_by(Export.asked_at.desc(), Export.id)
    return list(session.scalars(rows.limit(SHOWN_MOST)))


def _must_be_few(session: Session, customer_id: str, *, now: dt.datetime) -> None:
    lately = (Export.customer_id == customer_id, Export.asked_at > now - EXPORTS_WITHIN)
    count, first = session.execute(select(func.count(), func.min(Export.asked_at)).where(*lately)).one()
    if count >= EXPORTS_MOST:
        detail = f"Your papers were taken along {EXPORTS_MOST} times within a day. Try again tomorrow."
        raise TooMany("too-many-exports", detail, retry_after=first + EXPORTS_WITHIN - now)
