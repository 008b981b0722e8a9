"""What every bill asks, and what is owed of it, counted once more: from what billers wrote and banks know alone.

Of the product's tables it reads which corrections were applied and how far payments are, and no amount that it judges.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from app.journey.corrections.read import chain_of
from app.journey.invoices.chain import earlier_bills
from app.journey.invoices.states import InvoiceState
from app.journey.payments.states import NOT_DONE, PaymentState
from tests.faults.sim.correcting import Document, Key

if TYPE_CHECKING:
    from tests.faults.sim.adding import Paper
    from tests.faults.sim.bank import Order
    from tests.faults.sim.invariants import Found, Row
    from tests.faults.sim.world import World

_BILLS = (
    "SELECT i.id, i.bill_id, i.own_bill_id, i.biller_id, i.number, i.customer_id, i.state, due.balance_minor,"
    " (SELECT COALESCE(sum(amount_minor), 0) FROM ledger_entry WHERE account = 'owed:' || i.id)"
    " FROM invoice i LEFT JOIN ledger_balance due ON due.account = 'due:' || i.id"
)
_CORRECTIONS = "SELECT id, kind, biller_id, number, invoice_id FROM correction WHERE state = 'applied' ORDER BY id"
_DECISIONS = (
    "SELECT d.payment_id, d.invoice_id, d.amount_minor, d.discount_minor, d.rest_minor, d.decided_at, d.pay_on,"
    " p.state, t.left_at"
    " FROM decision d LEFT JOIN payment p ON p.decision_id = d.id LEFT JOIN trip t ON t.id = p.trip_id"
)
_ATTEMPTS = (
    "SELECT a.rowid, c.payment_id, c.verb FROM bank_attempt a JOIN bank_call c ON c.id = a.call_id"
    " WHERE a.rowid > ? AND c.verb IN ('initiate', 'complete', 'submit') ORDER BY a.rowid"
)
#: what says that nothing more is asked
WHOLE = ("new_version", "withdrawal")


class Bill(NamedTuple):
    id: str
    bill_id: str | None  #: None: nobody delivered it
    own_bill_id: str | None
    biller_id: str | None
    number: str
    customer_id: str
    state: str
    due: int | None  #: None: the ledger has nothing of it
    owed: int

    @property
    def key(self) -> Key:
        return self.biller_id or self.id, self.number


class Decided(NamedTuple):
    payment_id: str
    invoice_id: str
    amount: int
    discount: int
    rest: int  #: that it leaves to pay, as it was signed
    decided_at: str
    pay_on: str  #: the day for which it was signed
    state: str | None
    left_at: str | None

    @property
    def whole(self) -> int:
        return self.amount + self.discount

    @property
    def has_it(self) -> bool:
        return self.state not in NOT_DONE

    @property
    def is_under_way(self) -> bool:
        return self.has_it and self.state != PaymentState.SETTLED

    @property
    def situation(self) -> str:
        """How far it is, as a mark has it."""
        if self.state is None:
            return "decided"
        if self.state == PaymentState.AWAITING_CUSTOMER:
            return "link given" if self.left_at else "link with nobody"
        return self.state


@dataclass
class Account:
    """Of one history. ``count`` after every change of the tables, ``against`` after every change at all."""

    world: World
    off: dict[str, int] = field(default_factory=lambda: defaultdict(int))  #: invoice → what was taken off
    credits: dict[str, int] = field(default_factory=lambda: defaultdict(int))  #: what its credit notes say
    retracted: dict[str, int] = field(default_factory=lambda: defaultdict(int))  #: what a word without an amount took
    whole: dict[str, str] = field(default_factory=dict)  #: invoice → after what nothing more is asked
    applied: set[str] = field(default_factory=set)
    waiting: set[Key] = field(default_factory=set)  #: new versions that were not opened when they were applied
    off_at: dict[str, int] = field(default_factory=dict)  #: payment → what had been taken off when it was decided
    bills: dict[str, Bill] = field(default_factory=dict)
    decided: dict[str, list[Decided]] = field(default_factory=dict)  #: by invoice
    attempts: int = 0
    left: set[str] = field(default_factory=set)  #: payments whose link was given out
    open: set[str] = field(default_factory=set)  #: invoices of which a payment may still be executed
    executed: dict[str, int] = field(default_factory=lambda: defaultdict(int))  #: what banks did of each
    lied: set[str] = field(default_factory=set)  #: of whose payments a bank said what was not so
    _rows: list[Any] = field(default_factory=list)  #: of ``bills``
    _chains: tuple[int, dict[Key, Collection[Key]]] = (0, {})
    _told: dict[str, tuple[object, int]] = field(default_factory=dict)

    # --------------------------------------------------------------------------------------------------- our own sums

    def count(self) -> Iterator[Found]:
        before, known, kept = self.decided, self.bills, self.world.kept
        if self._rows is not kept.rows(_BILLS):
            self._rows = kept.rows(_BILLS)
            self.bills = {row[0]: Bill(*row) for row in self._rows}
        for bill in self.bills.values():
            if known and bill.id not in known and bill.state == InvoiceState.TO_PAY:
                self.world.floor.counts["some new version opened late"] += bill.key in self.waiting
                yield from self._alone(bill, "opened")
        yield from self._corrections(before)
        self.decided = defaultdict(list)
        for row in kept.rows(_DECISIONS):
            one = Decided(*row)
            self.decided[one.invoice_id].append(one)
            if one.payment_id not in self.off_at:
                self.off_at[one.payment_id] = self.off[one.invoice_id]
                yield from self._as_asked(one)
            if one.left_at and one.payment_id not in self.left:
                self.left.add(one.payment_id)
                if one.state == PaymentState.AWAITING_CUSTOMER:  # else there was no link
                    yield from self._outdated(one.payment_id, "the link")
        for bill in self.bills.values():
            if self.document(bill).is_collected:
                yield from self._never_here(bill)
                continue
            yield from self._due_and_owed(bill, [one for one in self.decided[bill.id] if one.has_it])
            yield from self._not_asked(bill)
        yield from self._sent()

    def document(self, bill: Bill) -> Document | Paper:
        """What its biller wrote, or what its customer has of it."""
        if bill.own_bill_id is not None:
            return self.world.adding.written[bill.own_bill_id]
        return self.world.books.documents[bill.key]

    def _corrections(self, decided: Mapping[str, Sequence[Decided]]) -> Iterator[Found]:
        applied = self.world.kept.rows(_CORRECTIONS)
        if len(applied) == len(self.applied):
            return
        for correction_id, kind, biller_id, number, invoice_id in applied:
            if correction_id in self.applied:
                continue
            self.applied.add(correction_id)
            billed = self.document(self.bills[invoice_id]).minor
            if kind in WHOLE:
                self.retracted[invoice_id] += max(billed - self.off[invoice_id], 0)
                self.off[invoice_id] = max(self.off[invoice_id], billed)
                self.whole[invoice_id] = kind
                if all(bill.key != (biller_id, number) for bill in self.bills.values()):
                    self.waiting.add((biller_id, number))
            else:
                document = self.world.books.documents[biller_id, number]
                if document.of != self.bills[invoice_id].key:
                    yield "R2", f"{number} is taken off {invoice_id}, and names {document.names}"
                if invoice_id not in self.whole:
                    self.off[invoice_id] += document.minor
                    self.credits[invoice_id] += document.minor
            self._mark(kind, decided.get(invoice_id, ()))

    def _mark(self, kind: str, decided: Sequence[Decided]) -> None:
        counts = self.world.floor.counts
        if not any(one.has_it for one in decided):
            counts[f"met {kind} while free"] += 1
        for one in decided:
            counts[f"met {kind} while {one.situation}"] += 1
            counts[f"met correction while {one.situation}"] += 1
            if one.discount and one.has_it:
                counts[f"met {kind} while there is a discount"] += 1

    def _as_asked(self, one: Decided) -> Iterator[Found]:
        """R1: what is signed, and so ordered (A5), is what the bill asks then, less the share of early payment by the
        day for which it is signed: the one on which it was, by its customer's clock, or a later one."""
        bill = self.bills[one.invoice_id]
        document = self.document(bill)
        asked = document.minor - self.off[bill.id]
        person = next(each for each in self.world.people if each.signed_in.customer.id == bill.customer_id)
        at = dt.datetime.fromisoformat(one.decided_at).replace(tzinfo=dt.UTC)
        today = at.astimezone(zoneinfo.ZoneInfo(person.signed_in.customer.time_zone)).date()
        day = max(dt.date.fromisoformat(one.pay_on), today)
        early = next((less for until, less in document.tiers if day <= until), 0) * asked // document.minor
        settled = [each for each in self.decided[bill.id] if each is not one and each.state == PaymentState.SETTLED]
        paid = sum(each.whole for each in settled)
        discount = early if not paid and not one.rest else 0
        if asked - one.amount - one.rest - discount != paid or one.discount != discount:
            yield "R1", f"{one.payment_id} is over {one.amount} and leaves {one.rest}, and {bill.number} asks {asked}"
        yield from self._alone(bill, "decided")
        yield from self.world.adding.judge(one, bill, self.bills)

    def _alone(self, bill: Bill, what: str) -> Iterator[Found]:
        """R3: nobody is asked to pay a bill while a payment of another one of its chain may be executed."""
        for other in self._others_of_chain(bill):
            if other.state == InvoiceState.IN_PAYMENT or (other.id in self.open and other.id not in self.lied):
                yield "R3", f"{bill.number} is {what} while a payment of {other.number} may be executed"

    def _due_and_owed(self, bill: Bill, holding: Sequence[Decided]) -> Iterator[Found]:
        """R2: billed, less what was taken off, less what payments take that may be executed, or were. What goes beyond
        it is owed, or is to be given back by the one that was executed besides."""
        left = self.document(bill).minor - self.off[bill.id] - sum(one.whole for one in holding)
        if (
            bill.due != max(left, 0)
            or not min(left, 0) <= bill.owed <= 0
            or (bill.owed != min(left, 0) and len(holding) < 2)
        ):
            yield "R2", f"of {bill.number} {bill.due} is due and {bill.owed} owed, and {left} is left of it"

    def _never_here(self, bill: Bill) -> Iterator[Found]:
        """R8: what its biller collects is never offered, decided, claimed or called paid here."""
        self.world.floor.counts["some collected"] += 1
        if bill.state not in (InvoiceState.NOT_HERE, InvoiceState.CLEARED) or self.decided[bill.id]:
            yield (
                "R8",
                f"{bill.number} is collected by its biller, and here it is {bill.state}: {self.decided[bill.id]}",
            )
        if bill.due is not None or bill.owed:
            yield "R8", f"{bill.number} is collected by its biller, and {bill.due} is due of it, {bill.owed} owed"
        is_asked = self.off[bill.id] < self.document(bill).minor
        if is_asked != (bill.state == InvoiceState.NOT_HERE):
            yield "R8", f"{bill.number} is {bill.state}, and {self.off[bill.id]} of it is off"

    def _not_asked(self, bill: Bill) -> Iterator[Found]:
        """R4: nobody is asked to pay what was withdrawn or replaced."""
        if bill.state == InvoiceState.TO_PAY and (bill.id in self.whole or bill.key in self.world.books.withdrawn):
            yield "R4", f"{bill.number} is to pay, after its {self.whole.get(bill.id)}"

    def _sent(self) -> Iterator[Found]:
        """R1: nothing is given to a bank over an amount that is not asked any more. What it has already it may be asked
        about by the same bytes."""
        for number, payment_id, verb in self.world.house.raw.execute(_ATTEMPTS, (self.attempts,)):
            self.attempts = number
            order = next((each for each in self.world.orders_of(payment_id) if each.submitted_as), None)
            if verb == "submit" and order is not None:
                continue
            yield from self._outdated(payment_id, verb)

    def _outdated(self, payment_id: str, what: str) -> Iterator[Found]:
        [invoice_id] = self.world.house.raw.execute(
            "SELECT invoice_id FROM decision WHERE payment_id = ?", (payment_id,)
        ).fetchone()
        if self.off[invoice_id] != self.off_at[payment_id]:
            yield (
                "R1",
                f"{what} of {payment_id}: {self.off[invoice_id]} is off, {self.off_at[payment_id]} was when signed",
            )

    # ------------------------------------------------------------------------------------------ against banks and pages

    def against(self, rows: Sequence[Row], orders: Mapping[str, Sequence[Order]]) -> Iterator[Found]:
        """R3, R6: bills of one chain, and what pages say, against what banks may do or have done."""
        now = self.world.floor.now
        self.open, self.lied, self.executed = set(), set(), defaultdict(int)
        for row in rows:
            for order in orders.get(row.end_to_end_id, ()):
                if order.lied:
                    self.lied.add(row.invoice_id)
                if order.may_still_happen(now, code_with_us=row.outcome == "code"):
                    self.open.add(row.invoice_id)
                if order.executed(now):
                    self.executed[row.invoice_id] += order.amount.minor
        for bill in self.bills.values():
            if self.executed[bill.id] and self.document(bill).is_collected:
                yield "R8", f"{bill.number} is collected by its biller, and a bank executed a payment of it"
            yield from self._as_at_the_bank(bill)
            if bill.state == InvoiceState.TO_PAY:
                yield from self._asked_once(bill)

    def _as_at_the_bank(self, bill: Bill) -> Iterator[Found]:
        """R6: what a page says of a bill."""
        executed = self.executed[bill.id]
        if bill.state == InvoiceState.PAID and not executed:
            yield "R6", f"{bill.number} is called paid, and no bank executed a payment of it"
        if bill.state == InvoiceState.CLEARED and bill.id in self.open and bill.id not in self.lied:
            yield "R6", f"{bill.number} is called not to be paid, and a payment of it may be executed"
        if bill.owed or self.document(bill).is_collected:
            yield from self._refund(bill, executed)

    def _asked_once(self, bill: Bill) -> Iterator[Found]:
        """R3: of bills that replace each other one is asked for, and none while another one's payment may happen. Where
        that is known only since the bill is open, its page says so, and nobody can decide."""
        for other in self._others_of_chain(bill):
            if other.state == InvoiceState.TO_PAY:
                yield "R3", f"{bill.number} and {other.number} of one chain are to pay"
            if other.state == InvoiceState.IN_PAYMENT and not self._is_refused(bill, other):
                yield "R3", f"{bill.number} is to pay while a payment of {other.number} is under way"
            if other.state != InvoiceState.IN_PAYMENT and other.id in self.open and other.id not in self.lied:
                yield "R3", f"{bill.number} is to pay while a payment of {other.number} may be executed"

    def _is_refused(self, bill: Bill, other: Bill) -> bool:
        with self.world.services.reading() as uow:
            earlier = earlier_bills(uow.session, [bill.id]).get(bill.id)
        if earlier is not None and earlier.is_in_payment:
            self.world.floor.counts["some new version beside a payment come alive"] += 1
            return True
        return False

    def _others_of_chain(self, bill: Bill) -> Sequence[Bill]:
        chain = self._chain(bill.key)
        if len(chain) < 2:
            return ()
        return [other for other in self.bills.values() if other.key in chain and other is not bill]

    def _chain(self, key: Key) -> Collection[Key]:
        books = self.world.books
        if self._chains[0] != len(books.documents):
            self._chains = len(books.documents), {}
        of = self._chains[1]
        if key not in of:
            of[key] = books.chain(key)
        return of[key]

    def _refund(self, bill: Bill, executed: int) -> Iterator[Found]:
        """R6: what a page calls owed was paid, or credited beyond what was billed."""
        credited = self.credits[bill.id]
        told, now = self._told.get(bill.id), (bill, executed, credited, self.off[bill.id])
        if told is None or told[0] != now:
            with self.world.services.reading() as uow:
                chain = chain_of(uow.session, invoice_id=bill.id, customer_id=bill.customer_id)
            told = now, chain.refund_owed.minor if chain.refund_owed else 0
            self._told[bill.id] = told
        most = max(executed, credited) if executed else max(credited - self.document(bill).minor, 0)
        right = self._refunds(bill)
        if told[1] > most or told[1] not in right:
            yield "R6", f"{told[1]} of {bill.number} is said to be owed: {executed} was paid, {credited} credited"

    def _refunds(self, bill: Bill) -> set[int]:
        """What may be called owed: all that is, less the discount of the payment that paid it as far as nobody named an
        amount."""
        if self.document(bill).is_collected:  # what may have been collected nobody here knows
            return {max(self.off[bill.id] - self.document(bill).minor, 0)}
        if bill.state == InvoiceState.IN_PAYMENT or not bill.owed:
            return {0}
        discounts = [one.discount for one in self.decided[bill.id] if one.has_it]
        # of one beside others only so much was let off as there was room for
        let_off = discounts if len(discounts) == 1 else range(max(discounts, default=0) + 1)
        return {-bill.owed - min(minor, self.retracted[bill.id]) for minor in let_off}

    # ----------------------------------------------------------------------------------------------------- in the end

    def in_the_end(self) -> Iterator[Found]:
        """R5, R7: every bill that was taken is open, and its biller knows what it owes."""
        books, raw = self.world.books, self.world.house.raw
        opened = {bill.key: bill for bill in self.bills.values()}
        for key in sorted(books.taken):
            document = books.documents[key]
            if document.is_credit or key in opened:
                continue
            before = [opened[each] for each in books.chain(key) if each in opened]
            if not any(bill.state == InvoiceState.IN_PAYMENT for bill in before):
                yield "R5", f"bill {key[1]}, which names {document.names}, is not in its customer's space"
            else:
                self.world.floor.counts["some new version left waiting"] += 1
        pending = {row[0] for row in raw.execute("SELECT subject FROM webhook_message WHERE delivered_at IS NULL")}
        for bill in self.bills.values():
            if bill.bill_id is not None and bill.bill_id not in pending and bill.state != InvoiceState.IN_PAYMENT:
                yield from self._biller_knows(bill, bill.bill_id)

    def _biller_knows(self, bill: Bill, bill_id: str) -> Iterator[Found]:
        right = {f"{minor // 100}.{minor % 100:02d}" for minor in self._refunds(bill)}
        for url, (biller_id, _) in self.world.house.endpoints.items():
            _, refund = self.world.books.told.get((url, bill_id), (0, "0.00"))
            if biller_id == bill.biller_id and refund not in right:
                yield "R7", f"{url} was last told that {refund} of {bill.number} is owed; it is {right}"
