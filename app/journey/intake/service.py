"""Taking a bill: read it, check who may send what to whom, store it as it came, acknowledge."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict, FieldError, Invalid
from app.journey.intake import holding, rules
from app.journey.intake.bill import Bill, BillRefused, Doubt
from app.journey.intake.events import BillDelivered
from app.journey.intake.formats import read_bill
from app.journey.intake.models import DeliveredBill, HeldBill, number_key
from app.people.connections import customer_behind
from app.people.models import Biller
from app.services import Services
from consent.base import new_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientIdentity:
    """The authenticated program of a biller."""

    client_id: str
    biller_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """What a biller may rely on: the bill is durably in the customer's space. ``created`` is False for a repeat."""

    bill_id: str
    number: str
    sha256: str
    delivered_at: dt.datetime
    created: bool
    held: tuple[Doubt, ...] = ()  #: why somebody must look first; then it is in the space as not verified


def deliver(
    services: Services, *, client: ClientIdentity, content: bytes, media_type: str, to: str | None
) -> Acknowledgement:
    """Take one bill, or hold it where there is a doubt. The very same bytes again are acknowledged alike.

    ``to`` is an address given beside the bill; it must agree with the bill's own. Raises Invalid (nothing written) or
    Conflict (this number was delivered before with other content).
    """
    try:
        bill = read_bill(content, media_type)
        address = rules.one_address(bill.to, to)
        rules.can_be_taken(bill)
    except BillRefused as refused:
        raise _invalid(refused) from refused
    sha256 = hashlib.sha256(content).hexdigest()
    with services.unit_of_work() as uow:
        customer_id = customer_behind(uow.session, address=address, biller_id=client.biller_id)
        if customer_id is None:
            # one answer for an unknown address and for somebody who never connected: it tells nothing about people
            raise Invalid("not-connected", f"{address} is not the address of a customer who is connected with you.")
        earlier = _earlier(uow, biller_id=client.biller_id, number=bill.number)
        if earlier is not None:
            return _repeat(earlier, sha256=sha256, customer_id=customer_id)
        taken = _Taken(content=content, sha256=sha256, media_type=media_type, customer_id=customer_id)
        doubts = _doubts(uow, bill, biller_id=client.biller_id)
        before = holding.held_before(uow.session, biller_id=client.biller_id, customer_id=customer_id, sha256=sha256)
        if doubts or (before is not None and before.ended_as == holding.DISCARDED):
            return _hold(uow, bill, client, taken, doubts)
        delivered = DeliveredBill(id=new_id("bill"), delivered_at=uow.now, **_columns(bill, client, taken))
        if before is not None and before.ended_as is None:
            holding.end(uow, before, holding.RELEASED)  # what was wrong with it is right now
        try:
            uow.session.add(delivered)
            uow.session.flush()
            uow.record(BillDelivered(bill_id=delivered.id))
            uow.commit()
        except IntegrityError:
            pass  # another request delivered the same number at the same moment: answer as for a repeat
        else:
            return _acknowledge(delivered, created=True)
    with services.reading() as uow:
        won = _earlier(uow, biller_id=client.biller_id, number=bill.number)
        if won is None:
            raise Conflict("try-again", "The bill was not taken because of another delivery at the same moment.")
        return _repeat(won, sha256=sha256, customer_id=customer_id)


def _earlier(uow: UnitOfWork, *, biller_id: str, number: str) -> DeliveredBill | None:
    return uow.session.scalar(
        select(DeliveredBill).where(DeliveredBill.biller_id == biller_id, DeliveredBill.number == number)
    )


def _repeat(earlier: DeliveredBill, *, sha256: str, customer_id: str) -> Acknowledgement:
    if (earlier.sha256, earlier.customer_id) != (sha256, customer_id):
        raise Conflict(
            "number-used",
            f"You delivered a bill with the number {earlier.number} before, with other content. "
            "Give the corrected bill a number of its own.",
        )
    return _acknowledge(earlier, created=False)


def _acknowledge(delivered: DeliveredBill, *, created: bool) -> Acknowledgement:
    return Acknowledgement(
        bill_id=delivered.id,
        number=delivered.number,
        sha256=delivered.sha256,
        delivered_at=delivered.delivered_at,
        created=created,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """The delivery itself, beside what the bill says."""

    content: bytes
    sha256: str
    media_type: str
    customer_id: str


def _columns(bill: Bill, client: ClientIdentity, taken: _Taken) -> dict[str, Any]:
    """What a delivered and a held bill have alike."""
    return {
        "biller_id": client.biller_id,
        "customer_id": taken.customer_id,
        "client_id": client.client_id,
        "number": bill.number,
        "currency": bill.payable.currency,
        "amount_minor": bill.payable.minor,
        "media_type": taken.media_type,
        "content": taken.content,
        "sha256": taken.sha256,
    }


def _doubts(uow: UnitOfWork, bill: Bill, *, biller_id: str) -> tuple[Doubt, ...]:
    """The bill names its sender, or is refused; all else that is odd about it is for somebody to look at."""
    biller = uow.session.get_one(Biller, biller_id)
    try:
        rules.is_from(bill, vat_id=biller.vat_id)
    except BillRefused as refused:
        raise _invalid(refused) from refused
    key = number_key(bill.number)
    return rules.doubts(bill, holding.known_of(uow.session, biller_id=biller_id, number=bill.number, number_key=key))


def _hold(
    uow: UnitOfWork, bill: Bill, client: ClientIdentity, taken: _Taken, doubts: tuple[Doubt, ...]
) -> Acknowledgement:
    try:
        held = holding.hold(uow, HeldBill(id=new_id("hld"), **_columns(bill, client, taken)), doubts)
    except IntegrityError:
        raise Conflict("try-again", "The same bill came twice at the same moment: send it once more.") from None
    acknowledged = Acknowledgement(
        bill_id=held.id,
        number=held.number,
        sha256=held.sha256,
        delivered_at=held.held_at,
        created=False,
        held=tuple(Doubt(**reason) for reason in held.reasons),
    )
    uow.commit()
    return acknowledged


def _invalid(refused: BillRefused) -> Invalid:
    return Invalid(refused.code, refused.detail, errors=(FieldError(refused.element, refused.detail),))
