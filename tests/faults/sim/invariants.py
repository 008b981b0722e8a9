"""What must always be true: the product's own queries, and what only somebody who sees the bank's books can say."""

from __future__ import annotations

import collections
import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from app.journey.payments.read import payment_for_biller, payment_view
from app.journey.payments.states import CLOSED, PaymentState, Truth
from tests.faults.sim.bank import Order
from tests.faults.sim.world import World

#: an invariant's name and what breaks it
Found = tuple[str, str]


_PAYMENTS = (
    "SELECT p.id, p.state, p.invoice_id, p.biller_id, p.end_to_end_id, p.sequence, p.updated_at, p.know_by,"
    " t.left_at, t.returned_at, t.outcome, c.bank_consent_id, p.bank_payment_id, p.trip_id, i.state, d.parts_paid,"
    " d.rest_minor, i.amount_minor"
    " FROM payment p LEFT JOIN trip t ON t.id = p.trip_id JOIN invoice i ON i.id = p.invoice_id"
    " JOIN decision d ON d.id = p.decision_id LEFT JOIN consent c ON c.id = p.consent_id ORDER BY p.id"
)


class Row(NamedTuple):
    id: str
    state: str
    invoice_id: str
    biller_id: str | None  #: None: its customer added the bill
    end_to_end_id: str
    sequence: int
    updated_at: str
    know_by: str | None
    left_at: str | None
    returned_at: str | None
    outcome: str | None
    bank_consent_id: str | None
    bank_payment_id: str | None
    trip_id: str | None  #: None: it is paid under a standing consent
    invoice_state: str
    parts_paid: str  #: JSON: the payments that its customer knew to have paid of the bill when they decided
    rest_minor: int
    billed_minor: int

    @property
    def is_part(self) -> bool:
        return self.rest_minor > 0 or self.parts_paid != "[]"


@dataclass(frozen=True, slots=True)
class Told:
    """What the customer and the biller would read now."""

    truth: Truth
    may_pay_again: bool
    outside: str  #: to its biller


@dataclass
class Watch:
    """Looks at a world after each step, and hardly looks where nothing changed."""

    world: World
    written: int = -1
    moment: tuple[int, int] = (-1, -1)
    told: dict[str, tuple[Row, Told]] = field(default_factory=dict)
    returned: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    orders: set[str] = field(default_factory=set)
    payments: list[Any] = field(default_factory=list)  #: as the database gave them
    rows: list[Row] = field(default_factory=list)  #: the same
    held: dict[str, tuple[object, str]] = field(default_factory=dict)  #: of what each of the product's queries held

    def look(self) -> None:
        """Raises Violation for the first thing that is not so."""
        world = self.world
        moment = (world.house.raw.total_changes, sum(bank.moment() for bank in world.banks))
        if moment == self.moment:
            return
        self.judge(check(world, self, tables=moment[0] != self.written))
        self.moment, self.written = moment, moment[0]

    def judge(self, found: Iterable[Found]) -> None:
        """Raises Violation for the first."""
        for name, detail in found:
            self.world.floor.broken(name, detail)


def check(world: World, watch: Watch | None = None, *, tables: bool = True) -> list[Found]:
    """All that is broken now: the name and what breaks it."""
    watch = watch or Watch(world)
    found: list[Found] = []
    if tables:
        found += broken_tables(world, watch)
        payments = world.kept.rows(_PAYMENTS)
        if payments is not watch.payments:
            watch.payments, watch.rows = payments, [Row(*row) for row in payments]
        found += world.account.count()
        found += world.answering.judge()
        found += world.vetting.judge()
        found += world.standing.truth.judge()
    return found + list(_broken_truth(world, watch)) + list(world.standing.truth.books())


def broken_tables(world: World, watch: Watch, *, late: bool = False) -> Iterator[Found]:
    """The product's own queries; none is asked again of what it has held of: the same rows, and if it is a matter of
    time, at the same time. What is to hold at every moment is broken by what is written, never by time that goes by."""
    now = f"{world.floor.now:%Y-%m-%d %H:%M:%S.%f}"
    times = world.house.written.times
    for reading in world.house.invariants(late=late):
        of = (reading.seen(times), now if late else "")
        if watch.held.get(reading.name) == of:
            continue
        rows = world.house.raw.execute(reading.query, {"now": now} if reading.has_time else {}).fetchall()
        for row in rows:
            yield row[0], str(row[1])
        if not rows:
            watch.held[reading.name] = of


def _broken_truth(world: World, watch: Watch) -> Iterator[Found]:
    now = world.floor.now
    orders: dict[str, list[Order]] = collections.defaultdict(list)
    for bank in world.banks:
        for order in bank.orders:
            orders[order.end_to_end_id].append(order)
            if order.id not in watch.orders:
                watch.orders.add(order.id)
                yield from _other_than_decided(world, order)
    by_reference = {row.end_to_end_id for row in watch.rows}
    standing: dict[str, list[tuple[Row, Order]]] = collections.defaultdict(list)
    for reference, group in orders.items():
        if reference not in by_reference and any(order.executed(now) for order in group):
            yield "A3", f"the bank executed {reference}, and we know no such payment"
    for row in watch.rows:
        mine = orders.get(row.end_to_end_id, [])
        yield from _twice(mine, now)
        standing[row.invoice_id] += [(row, order) for order in mine if order.stands(now)]
        yield from _of_payment(world, watch, row, mine)
    for invoice_id, stands in standing.items():
        lied = any(
            order.lied for row in watch.rows if row.invoice_id == invoice_id for order in orders[row.end_to_end_id]
        )
        if len(stands) > 1 and not lied and not _are_parts(stands):
            yield "A2", f"{invoice_id} is paid {len(stands)} times: {', '.join(order.id for _, order in stands)}"
    yield from world.account.against(watch.rows, orders)


def _are_parts(group: Sequence[tuple[Row, Order]]) -> bool:
    """Whether whoever decided on each of these knew of those before it, and all of them are no more than the bill."""
    known = all(earlier.id in later.parts_paid for at, (later, _) in enumerate(group) for earlier, _ in group[:at])
    return known and sum(order.amount.minor for _, order in group) <= group[0][0].billed_minor


def _other_than_decided(world: World, order: Order) -> Iterator[Found]:
    row = world.house.raw.execute(
        "SELECT amount_minor, currency, payee_iban, payee_name,"
        " CASE WHEN verb = 'pay_on_day' AND consent_id IS NULL THEN pay_on END"
        " FROM decision WHERE 'pay' || substr(payment_id, 5) = ?",
        (order.end_to_end_id,),
    ).fetchone()
    day = None if order.execute_on is None else order.execute_on.isoformat()
    asked = (order.amount.minor, order.amount.currency, order.iban, order.name, day)
    if row is None or tuple(row) != asked:
        yield "A5", f"{order.id}: decided {row}, ordered {asked}"


def _twice(mine: list[Order], now: dt.datetime) -> Iterator[Found]:
    if sum(order.executed(now) for order in mine) > 1:
        yield "A1", f"executed twice: {', '.join(order.id for order in mine)}"


def _of_payment(world: World, watch: Watch, row: Row, mine: list[Order]) -> Iterator[Found]:
    now = world.floor.now
    executed = any(order.executed(now) for order in mine)
    lied = any(order.lied for order in mine)
    code_with_us = row.outcome == "code"
    open_ = any(order.stands(now) or order.may_still_happen(now, code_with_us=code_with_us) for order in mine)
    if row.state in CLOSED and any(order.stands(now) for order in mine) and not lied:
        yield "A3", f"{row.id} is {row.state}, and the bank executed it"
    if row.state == PaymentState.SETTLED and not executed:
        yield "A4", f"{row.id} is settled, and the bank did not execute it"
    if row.state == PaymentState.ACCEPTED and not any(order.approved for order in mine):
        yield "A4", f"{row.id} is accepted, and nobody approved it"
    has_paid_its_part = row.is_part and row.state == PaymentState.SETTLED
    if row.invoice_state == "to_pay" and open_ and not lied and not has_paid_its_part:
        yield "T1", f"{row.invoice_id} may be paid again, and {row.id} is or may be executed ({row.state})"
    told = _told(world, watch, row)
    if not executed and (told.truth is Truth.DONE or told.outside == "paid"):
        yield "T2", f"{row.id} is called done, and the bank did not execute it"
    calls_off = told.truth is Truth.NOT_DONE or told.may_pay_again or told.outside == "failed"
    if calls_off and open_ and not lied:
        yield "T1", f"{row.id} is called not done ({row.state}), and it is or may be executed"
    if row.state == PaymentState.UNKNOWN and row.know_by is not None:
        yield from _promised_too_late(world, row)
    was = watch.returned.setdefault(row.id, (row.returned_at, row.outcome)) if row.returned_at else None
    # what it brought may turn out to be of no use: its bank began nothing with it, or was never asked
    begun = (row.returned_at, "code" if row.outcome in ("not_started", "nobody_asked") else row.outcome)
    if was is not None and was not in ((row.returned_at, row.outcome), begun):
        yield "D3", f"a second return changed {row.id}: {was} to {(row.returned_at, row.outcome)}"


def _promised_too_late(world: World, row: Row) -> Iterator[Found]:
    """Where only a token tells, nothing is promised for later than its end."""
    profile = world.bank_of(row.id).profile
    if not profile.sign_in_first or profile.status_access != "psu_token":
        return
    ends = world.house.raw.execute(
        "SELECT s.expires_at FROM payment p JOIN sealed s ON s.id = 'consent:' || p.consent_id || ':token'"
        " WHERE p.id = ?",
        (row.id,),
    ).fetchone()
    if ends is not None and str(row.know_by) > str(ends[0]):
        yield "T3", f"{row.id} is promised to be known by {row.know_by}, and its token ends at {ends[0]}"


def _told(world: World, watch: Watch, row: Row) -> Told:
    known = watch.told.get(row.id)
    if known is not None and known[0] == row and known[1].truth is not Truth.KEPT:
        return known[1]
    with world.services.reading() as uow:
        view = payment_view(uow.session, row.id, now=uow.now)
        outside = ""  # nobody else is told
        if row.biller_id is not None:
            outside = payment_for_biller(uow.session, payment_id=row.id, biller_id=row.biller_id).status
    told = Told(view.truth, view.may_pay_again, outside)
    watch.told[row.id] = row, told
    return told


def states_seen(world: World) -> Iterator[tuple[str | None, str]]:
    """Every step that a payment took: before and after."""
    rows: Any = world.house.raw.execute("SELECT before, after FROM payment_history")
    yield from rows
