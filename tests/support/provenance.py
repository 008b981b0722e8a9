"""Sealed bills of a journey's biller."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from app.audit.sequencer import number_waiting
from app.journey.intake.service import Acknowledgement, ClientIdentity, deliver
from app.journey.invoices.models import Invoice
from app.people.sealing_keys import add_key
from tests.support.bills import json_bill
from tests.support.journey import Journey
from tests.support.sealing import SealingKeyMade, new_sealing_key, seal


def register_key(journey: Journey, alg: str = "ES256") -> SealingKeyMade:
    made = new_sealing_key(alg)
    with journey.services.unit_of_work() as uow:
        row = add_key(uow, biller_id=journey.biller.id, jwk=made.public)
        uow.commit()
    return made.registered(row.id)


def bill_of(journey: Journey, number: str = "2026-1", **changes: Any) -> bytes:
    payee = {"name": journey.biller.name, "iban": journey.biller.iban}
    return json_bill(to=journey.address, number=number, payee=payee, **changes)


def put(journey: Journey, content: bytes, *, seal: str | None = None) -> Acknowledgement:
    client = ClientIdentity(client_id=journey.biller.client_id, biller_id=journey.biller.id)
    return deliver(journey.services, client=client, content=content, media_type="application/json", to=None, seal=seal)


def opened(journey: Journey, acknowledged: Acknowledgement) -> str:
    """The invoice of it, with all that the log says of it numbered."""
    journey.worker.run_until_idle()
    number_waiting(journey.services)
    with journey.services.reading() as uow:
        return uow.session.scalars(select(Invoice.id).where(Invoice.bill_id == acknowledged.bill_id)).one()


def deliver_sealed(journey: Journey, key: SealingKeyMade, number: str = "2026-1") -> str:
    content = bill_of(journey, number)
    return opened(journey, put(journey, content, seal=seal(key, content)))
