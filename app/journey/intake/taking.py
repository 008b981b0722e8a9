"""What becomes of bills that were read: the one way for a single delivery and for many at once.

What is known is looked up for all of them together, so that a thousand bills cost as many queries as one. Then each is
judged by itself, in the order in which they came, and the next one knows of it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sqlalchemy import Row as DatabaseRow
from sqlalchemy import and_, or_, select
from sqlalchemy.orm import defer

from app.audit import entries, seals
from app.audit.kinds import Kind
from app.db.events import Event
from app.db.many import among, insert_new
from app.db.unit_of_work import UnitOfWork
from app.errors import AppError, Conflict, FieldError, Invalid
from app.journey.connections import leaks
from app.journey.connections.access import customers_behind, customers_once_behind
from app.journey.intake import conformance, holding, originals, rules
from app.journey.intake.bill import Bill, BillKind, BillRefused, Doubt
from app.journey.intake.events import BillDelivered, BillHeld, CorrectionDelivered
from app.journey.intake.formats import read_bill
from app.journey.intake.means import MeansKind, kind_of
from app.journey.intake.models import DeliveredBill, HeldBill, is_correction, number_key
from app.journey.intake.versions import Version, Versions
from app.people import accounts
from app.people.biller_states import BillerState
from app.people.billers import locked_to_read
from app.people.customers import today_of
from app.people.models import Customer
from app.people.sealing_keys import is_good, keys_of
from consent.base import new_id

#: how often others may win the same numbers meanwhile. Each time what they took is a repeat, so twice is rare
ROUNDS_MOST = 5

#: what a biller is told whose bill is for nobody that it is connected with
NOT_CONNECTED = (
    "{} is not the address of a customer who is connected with you. Ask your customer for a code or an address and"
    " redeem it, or send this bill by another channel."
)
#: besides, where it corrects another one, whichever that is: to ask for less needs no connection
TAKEN_ALL_THE_SAME = (
    " What takes something off a bill that you delivered there before is taken all the same: a credit note that names"
    " it, or its withdrawal (POST /bills/{its id}/withdrawal). A new version is not."
)
#: the same for its program
WAYS_ON = ("redeem-code", "redeem-address", "other-channel")

Row: TypeAlias = dict[str, Any]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A bill that can be taken, and the very bytes it came in."""

    bill: Bill
    address: str  #: of the customer's space
    content: bytes
    sha256: str
    media_type: str
    seal: str | None = None  #: its biller's signature over these bytes, not checked yet


#: it is durably ours, or why not
Outcome: TypeAlias = Acknowledgement | AppError


def read(content: bytes, media_type: str, *, to: str | None, seal: str | None = None) -> Delivery:
    """``to`` is an address given beside the bill, ``seal`` its biller's. Raises BillRefused."""
    return checked(read_bill(content, media_type), content, media_type, to=to, seal=seal)


def checked(bill: Bill, content: bytes, media_type: str, *, to: str | None = None, seal: str | None = None) -> Delivery:
    """May this bill be delivered at all? Raises BillRefused."""
    address = rules.one_address(bill.to, to)
    rules.can_be_taken(bill)
    sha256 = hashlib.sha256(content).hexdigest()
    return Delivery(bill=bill, address=address, content=content, sha256=sha256, media_type=media_type, seal=seal)


def invalid(refused: BillRefused) -> Invalid:
    return Invalid(refused.code, refused.detail, errors=(FieldError(refused.element, refused.detail),))


def take(uow: UnitOfWork, deliveries: Sequence[Delivery], *, client: ClientIdentity) -> list[Outcome]:
    """Take them, or hold those with a doubt, in the caller's transaction; one outcome for each, in their order."""
    outcomes: dict[int, Outcome] = {}
    pending = dict(enumerate(deliveries))
    for _ in range(ROUNDS_MOST):
        desk = _Desk(uow, client, list(pending.values()))
        judged = {index: desk.judge(delivery) for index, delivery in pending.items()}
        lost = desk.write()
        # what others took at the same moment is judged again: now they are known
        again = {index for index, outcome in judged.items() if _names_one_of(outcome, lost)}
        outcomes |= {index: outcome for index, outcome in judged.items() if index not in again}
        pending = {index: pending[index] for index in sorted(again)}
        if not pending:
            return [outcomes[index] for index in range(len(deliveries))]
    raise Conflict("try-again", "The bill was not taken because of other deliveries at the same moment.")


def _names_one_of(outcome: Outcome, ids: set[str]) -> bool:
    return isinstance(outcome, Acknowledgement) and outcome.bill_id in ids


@dataclass(frozen=True, slots=True, kw_only=True)
class _Earlier(rules.Preceding):
    """A bill under this number that is ours already."""

    id: str
    sha256: str
    delivered_at: dt.datetime


@dataclass
class _Desk:
    """What is known of one biller and of these deliveries; it learns from each that it takes."""

    uow: UnitOfWork
    client: ClientIdentity
    deliveries: Sequence[Delivery]
    _delivered: list[Row] = field(default_factory=list)
    _held: list[Row] = field(default_factory=list)
    _corrections: set[str] = field(default_factory=set)  # ids of what corrects an earlier bill, or could
    _stray: list[str] = field(default_factory=list)  # addresses at which nobody is connected
    _mended: dict[str, HeldBill] = field(default_factory=dict)  # by the id under which it is delivered now

    def __post_init__(self) -> None:
        session, biller_id = self.uow.session, self.client.biller_id
        addresses = {each.address for each in self.deliveries}
        self._keys = {each.bill.number: number_key(each.bill.number) for each in self.deliveries}
        self._biller = locked_to_read(session, biller_id)
        self._accounts = accounts.open_ibans(session, biller_id=biller_id, now=self.uow.now)
        self._sealing = {key.kid: key for key in keys_of(session, biller_id=biller_id)}
        self._customers = customers_behind(session, addresses=addresses, biller_id=biller_id)
        away = addresses - self._customers.keys()
        self._once = customers_once_behind(session, addresses=away, biller_id=biller_id) if away else {}
        self._versions = Versions.around(
            session,
            biller_id=biller_id,
            versions=[each for each in map(self._version, self.deliveries) if each is not None],
        )
        self._earlier: dict[str, _Earlier] = {}
        self._alike: dict[str | None, list[str]] = {}  # numbers by their key
        for row in self._delivered_before():
            self._earlier[row.number] = _Earlier(
                id=row.id,
                sha256=row.sha256,
                customer_id=row.customer_id,
                kind=row.kind,
                currency=row.currency,
                delivered_at=row.delivered_at,
            )
            self._alike.setdefault(row.number_key, []).append(row.number)
        hashes = {each.sha256 for each in self.deliveries}
        held = session.scalars(
            select(HeldBill)
            .where(HeldBill.biller_id == biller_id, among(session, HeldBill.sha256, hashes))
            .options(defer(HeldBill.content))
            .order_by(HeldBill.id)  # two that lock the same ones wait for each other, and never both
            .with_for_update()  # an operator may end one at this moment
        )
        self._held_before = {each.sha256: each for each in held}
        self._held_now: dict[str, Acknowledgement] = {}

    def _delivered_before(self) -> Iterable[DatabaseRow[Any]]:
        """Bills under these numbers, under numbers that look the same, and those that corrections name."""
        session, bill = self.uow.session, DeliveredBill
        numbers = {*self._keys, *(each.bill.corrects for each in self.deliveries if each.bill.corrects)}
        of_biller = bill.biller_id == self.client.biller_id
        return session.execute(
            select(
                *(bill.id, bill.sha256, bill.customer_id, bill.kind, bill.currency, bill.delivered_at),
                *(bill.number, bill.number_key),
            )
            .where(
                # of the biller in each: else SQLite goes through all bills that it ever delivered
                or_(
                    and_(of_biller, among(session, bill.number, numbers)),
                    and_(of_biller, among(session, bill.number_key, set(self._keys.values()))),
                )
            )
            .order_by(bill.number)
        )

    def judge(self, delivery: Delivery) -> Outcome:
        """What becomes of this one; what is to be written of it waits for ``write``."""
        try:
            return self._judge(delivery)
        except AppError as refused:
            return refused

    def write(self) -> set[str]:
        """Write what was taken and say so. Returns the ids of those that another transaction was quicker with."""
        session = self.uow.session
        contents = {each.sha256: each.content for each in self.deliveries}
        taken = (*self._delivered, *self._held)
        originals.keep(self.uow, {(row["customer_id"], row["sha256"]): contents[row["sha256"]] for row in taken})
        delivered = insert_new(session, DeliveredBill, self._delivered, unique=("biller_id", "number"))
        entries.write_many(self.uow, Kind.BILL_DELIVERED, delivered)
        held = insert_new(session, HeldBill, self._held, unique=("biller_id", "sha256"))
        for row in delivered:
            if row["id"] in self._mended:  # what was wrong with it is right now
                holding.end(self.uow, self._mended[row["id"]], holding.RELEASED)
        for row in delivered:
            conformance.ask_for_check(self.uow, bill_id=row["id"], media_type=row["media_type"])
        leaks.stray(self.uow, biller_id=self.client.biller_id, addresses=self._stray)
        for row in delivered:
            if row["id"] in self._corrections:
                self.uow.record(CorrectionDelivered(bill_id=row["id"]))
        self._record([BillDelivered(bill_id=row["id"]) for row in delivered if row["id"] not in self._corrections])
        self._record([BillHeld(held_id=row["id"]) for row in held])
        return {row["id"] for row in (*self._delivered, *self._held)} - {row["id"] for row in (*delivered, *held)}

    def _record(self, facts: Sequence[Event]) -> None:
        if len(facts) == 1:
            self.uow.record(facts[0])
        else:
            self.uow.record_together(facts)

    def _judge(self, delivery: Delivery) -> Acknowledgement:
        customer_id = self._customers.get(delivery.address) or self._credited(delivery)
        number = delivery.bill.number
        earlier = self._earlier.get(number)
        if customer_id is None:
            return self._not_connected(delivery, earlier)
        if earlier is not None:
            return _repeat(number, earlier, sha256=delivery.sha256, customer_id=customer_id)
        sealed_by = self._sealed_by(delivery)
        self._check_preceding(delivery, customer_id)
        doubts = self._doubts(delivery)
        before = self._held_before.get(delivery.sha256)
        if before is not None and before.customer_id != customer_id:
            raise Conflict(
                "number-used",
                f"You sent this very bill, number {before.number}, to another customer before. "
                "Give the one for this customer a number of its own.",
            )
        is_held = bool(doubts) or (before is not None and before.ended_as == holding.DISCARDED)
        if before is None or not is_held:  # what is held is said again on any day
            self._check_open(delivery.bill, customer_id)
        if is_held:
            return self._hold(delivery, customer_id, before, doubts, sealed_by)
        row = {**self._row(delivery, customer_id, sealed_by), "id": new_id("bill"), "delivered_at": self.uow.now}
        row["number_key"] = self._keys[number]
        row["kind"] = delivery.bill.kind.value
        row["means"] = (kind_of(delivery.bill) or MeansKind.CREDIT_TRANSFER).value
        self._delivered.append(row)
        if is_correction(row["kind"], row["corrects_number"]):
            self._corrections.add(row["id"])
        version = self._version(delivery)
        if version is not None:
            self._versions.add(version)
        if before is not None and before.ended_as is None:
            self._mended[row["id"]] = before
        self._earlier[number] = _Earlier(
            id=row["id"],
            sha256=delivery.sha256,
            customer_id=customer_id,
            kind=row["kind"],
            currency=row["currency"],
            delivered_at=self.uow.now,
        )
        self._alike.setdefault(row["number_key"], []).append(number)
        return _acknowledge(number, self._earlier[number], created=True)

    def _check_open(self, bill: Bill, customer_id: str) -> None:
        if bill.expires_on is None:
            return
        today = today_of(self.uow.session.get_one(Customer, customer_id), self.uow.now)
        try:
            rules.is_open(bill, today=today)
        except BillRefused as refused:
            raise invalid(refused) from refused

    def _credited(self, delivery: Delivery) -> str | None:
        """The customer whose delivered bill it takes something off: they owe less, also where they have left since."""
        preceding = self._earlier.get(delivery.bill.corrects or "")
        if delivery.bill.kind is not BillKind.CREDIT_NOTE or preceding is None:
            return None
        once = self._once.get(delivery.address)
        return once if once == preceding.customer_id else None

    def _check_preceding(self, delivery: Delivery, customer_id: str) -> None:
        bill, version = delivery.bill, self._version(delivery)
        preceding = self._earlier.get(bill.corrects or "")
        try:
            if preceding is not None:  # else it may come yet
                rules.can_correct(bill, preceding, customer_id=customer_id)
            if version is not None:
                rules.can_replace(versions=self._versions.count(version))
        except BillRefused as refused:
            raise invalid(refused) from refused

    def _version(self, delivery: Delivery) -> Version | None:
        """None where it replaces nothing, or is for nobody."""
        bill = delivery.bill
        if bill.kind is BillKind.CREDIT_NOTE or bill.corrects is None:
            return None
        customer_id = self._customers.get(delivery.address)
        return Version(customer_id=customer_id, number=bill.number, replaces=bill.corrects) if customer_id else None

    def _not_connected(self, delivery: Delivery, earlier: _Earlier | None) -> Acknowledgement:
        """What was delivered while they were connected is acknowledged as ever. Anything else is refused alike."""
        number, once = delivery.bill.number, self._once.get(delivery.address)
        if (
            earlier is not None
            and once is not None
            and (earlier.sha256, earlier.customer_id) == (delivery.sha256, once)
        ):
            return _acknowledge(number, earlier, created=False)
        self._stray.append(delivery.address)
        # one answer for an unknown address, another biller's, and somebody who left, blocked or never connected: it
        # tells nothing about people
        detail = NOT_CONNECTED.format(delivery.address)
        if is_correction(delivery.bill.kind, delivery.bill.corrects):
            detail += TAKEN_ALL_THE_SAME
        raise Invalid("not-connected", detail, actions=WAYS_ON)

    def _sealed_by(self, delivery: Delivery) -> str | None:
        """The id of the key whose seal is over exactly these bytes. None: it came without. Raises Invalid."""
        if delivery.seal is None:
            return None
        key = self._sealing.get(seals.kid_of(delivery.seal) or "")
        if key is None:
            raise _bad_seal("seal-key-unknown", "The seal names no key of yours in kid: register the key first.")
        if not is_good(key, at=self.uow.now):
            raise _bad_seal("seal-key-over", f"Your key {key.kid} is not good now: seal with one that is.")
        if not seals.is_sealed(delivery.content, delivery.seal, key.jwk):
            raise _bad_seal("seal-wrong", "The seal is not over exactly these bytes. Nothing of the bill was taken.")
        return key.id

    def _doubts(self, delivery: Delivery) -> tuple[Doubt, ...]:
        """The bill names its sender, or is refused; all else that is odd about it is for somebody to look at."""
        bill = delivery.bill
        try:
            rules.is_from(bill, vat_id=self._biller.vat_id)
        except BillRefused as refused:
            raise invalid(refused) from refused
        alike = next((each for each in self._alike.get(self._keys[bill.number], ()) if each != bill.number), None)
        known = rules.Known(
            name=self._biller.name,
            accounts=self._accounts,
            is_vetted=self._biller.state == BillerState.VETTED,
            number_alike=alike,
            # also once it was taken back: who has stolen it may have the access as well
            seal_missing=delivery.seal is None
            and any(key.valid_from <= self.uow.now for key in self._sealing.values()),
        )
        return rules.doubts(bill, known)

    def _hold(
        self,
        delivery: Delivery,
        customer_id: str,
        before: HeldBill | None,
        doubts: tuple[Doubt, ...],
        sealed_by: str | None,
    ) -> Acknowledgement:
        """Keep it for somebody to look at. The very same bytes again are the same held bill."""
        if before is not None:
            if before.ended_as == holding.DISCARDED:
                raise Conflict("discarded", "This bill was looked at and not taken. Send a corrected one.")
            return Acknowledgement(
                bill_id=before.id,
                number=before.number,
                sha256=before.sha256,
                delivered_at=before.held_at,
                created=False,
                held=tuple(Doubt(**reason) for reason in before.reasons),
            )
        now = self._held_now.get(delivery.sha256)
        if now is None:
            row = {**self._row(delivery, customer_id, sealed_by), "id": new_id("hld"), "held_at": self.uow.now}
            row["payee_iban"] = delivery.bill.payee.iban if delivery.bill.payee else None
            row["reasons"] = [{"code": each.code, "detail": each.detail, "element": each.element} for each in doubts]
            self._held.append(row)
            now = self._held_now[delivery.sha256] = Acknowledgement(
                bill_id=row["id"],
                number=delivery.bill.number,
                sha256=delivery.sha256,
                delivered_at=self.uow.now,
                created=False,
                held=doubts,
            )
        return now

    def _row(self, delivery: Delivery, customer_id: str, sealed_by: str | None) -> Row:
        """What a delivered and a held bill have alike."""
        return {
            "biller_id": self.client.biller_id,
            "customer_id": customer_id,
            "client_id": self.client.client_id,
            "number": delivery.bill.number,
            "corrects_number": delivery.bill.corrects,
            "currency": delivery.bill.payable.currency,
            "amount_minor": delivery.bill.payable.minor,
            "media_type": delivery.media_type,
            "sha256": delivery.sha256,
            "seal": delivery.seal,
            "key_id": sealed_by,
        }


def _bad_seal(code: str, detail: str) -> Invalid:
    return Invalid(code, detail, errors=(FieldError("Bill-Signature", detail),))


def _repeat(number: str, earlier: _Earlier, *, sha256: str, customer_id: str) -> Acknowledgement:
    if earlier.customer_id != customer_id:
        detail = f"You delivered a bill with the number {number} to another customer before."
        raise Conflict("number-used", f"{detail} Give the one for this customer a number of its own.")
    if earlier.sha256 != sha256:
        raise Conflict(
            "number-used",
            f"You delivered a bill with the number {number} before, with other content, and that one stands:"
            f" {earlier.id}. To put a new version in its place, give that a number of its own and name {number} in it:"
            ' as "replaces" in our JSON; in UBL and CII by type code 384 and the preceding invoice (BT-25). To take'
            f" something off, send a credit note that names {number}. To ask for nothing any more, withdraw it:"
            f" POST /bills/{earlier.id}/withdrawal.",
        )
    return _acknowledge(number, earlier, created=False)


def _acknowledge(number: str, taken: _Earlier, *, created: bool) -> Acknowledgement:
    return Acknowledgement(
        bill_id=taken.id, number=number, sha256=taken.sha256, delivered_at=taken.delivered_at, created=created
    )
