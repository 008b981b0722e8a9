"""Bills at which somebody must look first: kept as they came, shown as not verified, and with no invoice to pay.

An operator releases one after looking, and it is delivered then; or the biller sends it again when what was wrong is
right (its account is registered), and that delivery stands. One that is discarded never comes back.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit import entries, seals
from app.audit.kinds import Kind
from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict, Invalid, NotFound
from app.journey.connections.access import delivering_billers, may_deliver
from app.journey.intake import conformance, originals, rules
from app.journey.intake.bill import Bill, BillKind, BillRefused
from app.journey.intake.events import BillDelivered, CorrectionDelivered
from app.journey.intake.formats import read_bill
from app.journey.intake.means import MeansKind, kind_of
from app.journey.intake.models import DeliveredBill, HeldBill, is_correction
from app.journey.intake.rules import NOT_REGISTERED
from app.journey.intake.versions import Version, Versions
from app.people import accounts
from app.people.accounts import KnownAccount
from app.people.biller_states import SUSPENDED, BillerState
from app.people.billers import locked_to_read
from app.people.customers import today_of
from app.people.models import Biller, Customer, SealingKey
from app.people.sealing_keys import is_good
from app.services import Services
from connectors.money import Money
from consent.base import new_id

RELEASED, DISCARDED = "released", "discarded"
#: held bills on a customer's page; an operator is shown all
LISTED_MOST = 50
#: accounts of a company beside the one that a bill names
KNOWN_MOST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldView:
    """One held bill, as a person may see it."""

    id: str
    biller_name: str  #: as it was vetted, of whose access delivered it
    number: str
    amount: Money
    codes: tuple[str, ...]
    details: tuple[str, ...]
    held_at: dt.datetime
    named_iban: str | None  #: the account in it, where that is why it is held: nobody has said that it is the company's
    named_since: dt.datetime | None  #: from when on it has been the company's all the same: the bill came before
    is_stopped: bool  #: somebody has frozen that account
    is_suspended: bool  #: its biller is: then customers are told that, and nothing of the account in it
    known: tuple[KnownAccount, ...]  #: beside it: the company's own, at most KNOWN_MOST


def end(uow: UnitOfWork, held: HeldBill, ended_as: str) -> None:
    held.ended_as, held.ended_at = ended_as, uow.now


def release(services: Services, *, held_id: str) -> str:
    """Somebody looked: deliver it. Returns the id of the bill. An account that is not registered stays a reason."""
    with services.unit_of_work() as uow:
        biller_id, customer_id = _whose(uow.session, held_id)
        # in the order of a delivery; nobody suspends or blocks it before this bill is delivered
        biller = locked_to_read(uow.session, biller_id)
        connected = may_deliver(uow.session, customer_id=customer_id, biller_id=biller_id)
        held = _open(uow.session, held_id)
        bill = read_bill(originals.content_of(services.vault, uow.session, held), held.media_type)
        if not connected and not _credits_delivered(uow.session, held, bill.kind):
            raise Conflict("not-connected", "Its customer is no longer connected with the biller: discard it.")
        if biller.state != BillerState.VETTED:
            raise Conflict(rules.NOT_VETTED, f"{biller.name} is {biller.state}: nothing of it is released now.")
        known = accounts.open_ibans(uow.session, biller_id=held.biller_id, now=uow.now)
        stays = rules.pays_into(bill, known)
        if stays is not None:
            raise Invalid(
                stays.code,
                "The account in the bill is not registered as the biller's, or not open now: see quittance biller"
                f" account list {held.biller_id}.",
            )
        _check_seal(uow, held, originals.content_of(services.vault, uow.session, held))
        used = uow.session.scalar(
            select(DeliveredBill.id).where(
                DeliveredBill.biller_id == held.biller_id, DeliveredBill.number == held.number
            )
        )
        if used is not None:
            raise Conflict("number-used", f"Another bill with the number {held.number} was delivered meanwhile.")
        _check_versions(uow.session, held, bill.kind)
        _check_open(uow, held, bill)
        delivered = DeliveredBill(
            id=new_id("bill"),
            biller_id=held.biller_id,
            customer_id=held.customer_id,
            client_id=held.client_id,
            number=held.number,
            kind=bill.kind.value,
            means=(kind_of(bill) or MeansKind.CREDIT_TRANSFER).value,
            corrects_number=bill.corrects,
            currency=held.currency,
            amount_minor=held.amount_minor,
            media_type=held.media_type,
            content=held.content,
            sha256=held.sha256,
            seal=held.seal,
            key_id=held.key_id,
            delivered_at=uow.now,
        )
        uow.session.add(delivered)
        entries.write(uow, Kind.BILL_DELIVERED, delivered)
        uow.session.flush()
        end(uow, held, RELEASED)
        conformance.ask_for_check(uow, bill_id=delivered.id, media_type=held.media_type)
        if is_correction(delivered.kind, delivered.corrects_number):
            uow.record(CorrectionDelivered(bill_id=delivered.id))
        else:
            uow.record(BillDelivered(bill_id=delivered.id))
        uow.commit()
        return delivered.id


def _check_seal(uow: UnitOfWork, held: HeldBill, content: bytes) -> None:
    """It was sealed when it came, and nobody has touched it or taken the key back since. Raises Conflict."""
    if held.seal is None or held.key_id is None:
        return
    key = uow.session.get_one(SealingKey, held.key_id)
    if not is_good(key, at=uow.now) or not seals.is_sealed(content, held.seal, key.jwk):
        raise Conflict("seal-over", "The key of its seal is not good any more: its biller seals and sends it again.")


def _credits_delivered(session: Session, held: HeldBill, kind: BillKind) -> bool:
    """Whether it takes something off a bill that its customer has: that is taken also where they have left since."""
    named = select(DeliveredBill.id).where(
        DeliveredBill.biller_id == held.biller_id,
        DeliveredBill.customer_id == held.customer_id,
        DeliveredBill.number == held.corrects_number,
        DeliveredBill.kind == BillKind.INVOICE,
        DeliveredBill.currency == held.currency,
    )
    return kind is BillKind.CREDIT_NOTE and session.scalar(named) is not None


def _check_versions(session: Session, held: HeldBill, kind: BillKind) -> None:
    """It was held while there were fewer new versions. Raises Conflict."""
    if held.corrects_number is None or kind is BillKind.CREDIT_NOTE:
        return
    version = Version(customer_id=held.customer_id, number=held.number, replaces=held.corrects_number)
    found = Versions.around(session, biller_id=held.biller_id, versions=[version])
    try:
        rules.can_replace(versions=found.count(version))
    except BillRefused as refused:
        raise Conflict(refused.code, f"{refused.detail} Discard it.") from refused


def _check_open(uow: UnitOfWork, held: HeldBill, bill: Bill) -> None:
    """It was held while its customer could still say yes to it. Raises Conflict."""
    try:
        rules.is_open(bill, today=today_of(uow.session.get_one(Customer, held.customer_id), uow.now))
    except BillRefused as refused:
        raise Conflict(refused.code, f"{refused.detail} Discard it.") from refused


def discard(services: Services, *, held_id: str) -> None:
    """Somebody looked: it is not taken, and these bytes never will be."""
    with services.unit_of_work() as uow:
        end(uow, _open(uow.session, held_id), DISCARDED)
        uow.commit()


def held_bills(session: Session, *, now: dt.datetime, customer_id: str | None = None) -> list[HeldView]:
    """The oldest first: of one customer, at most LISTED_MOST, or all of them for an operator.

    A customer is shown none of a biller that may no longer deliver: it is not released any more.
    """
    of_whom = []
    if customer_id is not None:
        of_whom = [HeldBill.customer_id == customer_id, HeldBill.biller_id.in_(delivering_billers(customer_id))]
    rows = session.execute(
        select(HeldBill, Biller)
        .join(Biller, Biller.id == HeldBill.biller_id)
        .where(HeldBill.ended_as.is_(None), *of_whom)
        .order_by(HeldBill.held_at, HeldBill.id)
        .limit(None if customer_id is None else LISTED_MOST)
    ).all()
    biller_ids = {biller.id for _, biller in rows}
    known = accounts.open_accounts(session, biller_ids=biller_ids, now=now)
    stopped = accounts.stopped_ibans(session, biller_ids=biller_ids)
    return [_view(held, biller, known.get(biller.id, []), stopped) for held, biller in rows]


def held_bill(session: Session, *, held_id: str, now: dt.datetime) -> tuple[str, HeldView]:
    """Whose it is, and one of them as ``held_bills`` has it. Raises NotFound."""
    found = session.execute(
        select(HeldBill, Biller)
        .join(Biller, Biller.id == HeldBill.biller_id)
        .where(HeldBill.id == held_id, HeldBill.ended_as.is_(None))
    ).one_or_none()
    if found is None:
        raise NotFound("held bill")
    held, biller = found
    known = accounts.open_accounts(session, biller_ids={biller.id}, now=now)
    stopped = accounts.stopped_ibans(session, biller_ids={biller.id})
    return held.customer_id, _view(held, biller, known.get(biller.id, []), stopped)


def _view(
    held: HeldBill, biller: Biller, known: Sequence[KnownAccount], stopped: Collection[tuple[str, str]]
) -> HeldView:
    codes = tuple(dict.fromkeys(each["code"] for each in held.reasons))
    is_swapped = NOT_REGISTERED in codes and held.payee_iban is not None
    return HeldView(
        id=held.id,
        biller_name=biller.name,
        number=held.number,
        amount=Money(held.amount_minor, held.currency),
        codes=codes,
        details=tuple(each["detail"] for each in held.reasons),
        held_at=held.held_at,
        named_iban=held.payee_iban if is_swapped else None,
        known=tuple(known[:KNOWN_MOST]) if is_swapped else (),
        named_since=next((each.since for each in known if is_swapped and each.iban == held.payee_iban), None),
        is_stopped=is_swapped and (held.biller_id, held.payee_iban) in stopped,
        is_suspended=biller.state in SUSPENDED,
    )


def _whose(session: Session, held_id: str) -> tuple[str, str]:
    """Biller and customer. Raises NotFound."""
    found = session.execute(
        select(HeldBill.biller_id, HeldBill.customer_id).where(HeldBill.id == held_id)
    ).one_or_none()
    if found is None:
        raise NotFound("held bill")
    return found.biller_id, found.customer_id


def _open(session: Session, held_id: str) -> HeldBill:
    held = session.scalar(select(HeldBill).where(HeldBill.id == held_id).with_for_update())
    if held is None:
        raise NotFound("held bill")
    if held.ended_as is not None:
        raise Conflict("ended", f"This bill was {held.ended_as} already.")
    return held
