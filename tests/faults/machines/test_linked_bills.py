"""Bills that replace each other, with their corrections, decisions and payments as they really are: in every order.

Four numbers of one biller are delivered, each of which may name any other as the one that it replaces, before or after
that one; work is done now or later; customers decide and leave for the bank; banks and statements say how it ends, and
then otherwise. Whatever comes: no bill is lost, and once the work is done one of those that replace each other is to
pay at the most, and none while another may be paid.
"""

from __future__ import annotations

import contextlib
import functools
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select
from typing_extensions import override

from app.db import work
from app.db.work import WorkRow
from app.errors import AppError, Conflict, TooLate
from app.invariants import INVARIANTS, found, reading
from app.invariants.query import Invariant
from app.journey.corrections.models import Correction
from app.journey.corrections.service import withdraw
from app.journey.decisions.models import Decision
from app.journey.intake.events import BillDelivered, CorrectionDelivered
from app.journey.invoices.models import Invoice
from app.journey.ledger import service as ledger
from app.journey.payments.access import locked
from app.journey.payments.models import Payment
from app.journey.payments.reasons import Reason
from app.journey.payments.states import CLOSED, Source
from app.journey.payments.step import believe, correct, doubt
from app.journey.route import HANDLERS
from app.people.models import Customer
from app.services import Task
from connectors.contract import Fact
from tests.faults.machines.house import House as Floor
from tests.faults.machines.house import runs
from tests.support.bills import json_bill
from tests.support.logged import log_all
from tests.unit.app.journey.house import ACCEPTED, DEBITED, IBAN, REJECTED, House

NUMBERS = ("1", "2", "3", "4")
PICK = st.sampled_from(range(10))
#: how a run begins
COURSES = (
    *("", "at the bank", "closed", "decided", "left", "after all", "doubted"),
    *("paid", "taken back", "further", "early", "ring"),
)
#: what is done by itself; telling and asking are others' matters
WORK = ("invoices.open_invoice", "corrections.apply_correction", "payments.initiate")
#: the queries that are about bills and their payments; the others are asked at the end of a run
ABOUT_BILLS = ("B7", "B8", "B9", "B11", "B12", "B13", "B14", "B15", "F1", "F8", "F9", "F10", "F11", "G5", "G8", "G9")
#: longer than what waits ever waits to look again
LONG_S = 3601.0


class _Empty(Floor):
    """A customer, and nobody else."""

    @override
    def _settle_in(self) -> None:
        with self.begin() as uow:
            uow.session.add(
                Customer(id="cus_1", name="C", email="c@x.org", time_zone="UTC", locale="en", created_at=uow.now)
            )
            uow.commit()


@functools.cache
def floor() -> _Empty:
    return _Empty()


class LinkedBills(RuleBasedStateMachine):
    """Four numbers, one customer, one bank that says what is drawn."""

    seen: ClassVar[set[str]] = set()

    def __init__(self) -> None:
        super().__init__()
        base = floor().open()
        with base.begin() as uow:
            customer = uow.session.get_one(Customer, "cus_1")
        self.house = House(base.engine, base.clock, customer)
        self.names: dict[str, str | None] = {}  # what was delivered: its number, and the one that it replaces
        self.opened: set[str] = set()
        self.notes = 0
        self.payments = 0

    @initialize(course=st.sampled_from(COURSES))
    def begin(self, course: str) -> None:
        """Often a payment of a bill that was closed and may come after all, and a new version that waits or is paid."""
        if course == "further":
            for number, of in (("1", None), ("2", "1"), ("3", "1")):
                self.deliver(number, of, whole=True)
        elif course == "early":
            self.deliver("2", "1", whole=True)
            self.deliver("1", None, whole=False)
            self.work(0)
        elif course == "ring":
            for number, of in (("1", "2"), ("2", "1")):
                self.deliver(number, of, whole=number == "2")
        elif course:
            self._come_alive(course)

    def _come_alive(self, course: str) -> None:
        self.deliver("1", None, whole=True)
        self._order()
        self.leave(0)
        if course == "at the bank":
            return
        self.bank_says(0, REJECTED)
        self.deliver("2", "1", whole=True)
        self._look_at_the_new_ones()
        if course == "doubted":
            self.bank_calls_it_accepted_after_all(0)
        if course != "closed":
            self._order()
        if course in ("left", "paid", "taken back"):
            self.leave(0)
        if course in ("paid", "taken back"):
            self.bank_says(0, DEBITED)
            self._all_is_there()
        if course == "taken back":
            self.statement_shows(1, Fact.REJECTED)
        if course == "after all":
            self.statement_shows(0, Fact.DEBITED)

    def _order(self) -> None:
        self.decide(0)
        self.work(0)

    # ----------------------------------------------------------------------------------------------------- what happens

    @rule(number=st.sampled_from(NUMBERS), of=st.sampled_from((None, *NUMBERS)), whole=st.booleans())
    def deliver(self, number: str, of: str | None, whole: bool) -> None:
        if number in self.names or number == of:
            return
        self.names[number] = of
        self._deliver(number, amount="50.00", replaces=of)
        if whole:
            self.rest()

    @precondition(lambda self: self.names)
    @rule(pick=PICK)
    def credit(self, pick: int) -> None:
        self.notes += 1
        self._deliver(f"C-{self.notes}", amount="20.00", kind="credit_note", corrects=NUMBERS[pick % 4])

    def _deliver(self, number: str, *, amount: str, **said: str | None) -> None:
        house = self.house
        house.clock.tick(seconds=1)
        written = {key: value for key, value in said.items() if value is not None}
        content = json_bill(number=number, amount=amount, payee={"iban": IBAN}, **written)
        row = house.deliver_row(number, minor=int(amount.replace(".", "")), content=content)
        row.kind = written.get("kind", "invoice")
        row.corrects_number = written.get("replaces", written.get("corrects"))
        with house.begin() as uow:
            uow.session.add(row)
            uow.session.flush()
            plain = row.corrects_number is None
            uow.record(BillDelivered(bill_id=row.id) if plain else CorrectionDelivered(bill_id=row.id))
            log_all(uow)
            uow.commit()

    @rule(number=st.sampled_from(NUMBERS))
    def withdraw(self, number: str) -> None:
        with self.house.begin() as uow, contextlib.suppress(AppError):
            withdraw(uow, biller_id="blr_1", bill_id=f"bill_{number}", reason="No.")
            self.seen.add("withdrawn")
            uow.commit()

    @rule(pick=PICK)
    def work(self, pick: int) -> None:
        """One of what is due, whichever."""
        with self.house.begin() as uow:
            due = uow.session.scalars(
                select(WorkRow.key).where(WorkRow.handler.in_(WORK), WorkRow.run_at <= uow.now).order_by(WorkRow.id)
            ).all()
        if due:
            self._do(due[pick % len(due)])

    def _do(self, key: str) -> None:
        with self.house.begin() as uow:
            claim = work.claim_key(uow.session, key=key, now=uow.now)
            uow.commit()
        assert claim is not None
        if claim.handler == "payments.initiate":
            self.house.bank.answers["initiate"] = self.house.staged(claim.payload["payment_id"])
        HANDLERS[claim.handler](Task(services=self.house.services, claim=claim))

    @rule()
    def rest(self) -> None:
        """Time goes by, and all that is due is done."""
        for _ in range(len(NUMBERS) + 1):  # each may wait for the one before
            for _ in range(100):
                with self.house.begin() as uow:
                    due = select(WorkRow.key).where(WorkRow.handler.in_(WORK), WorkRow.run_at <= uow.now)
                    key = uow.session.scalars(due.order_by(WorkRow.id).limit(1)).first()
                if key is None:
                    break
                self._do(key)
            else:
                raise AssertionError("it never ends")
            self.house.clock.tick(seconds=LONG_S)
        self._all_is_there()

    @precondition(lambda self: self.names)
    @rule(pick=PICK)
    def decide(self, pick: int) -> None:
        offered = [each.id for each in self._invoices() if each.state == "to_pay"]
        if not offered:
            return
        self.payments += 1
        self.house.clock.tick(seconds=1)
        before = len(self._decided())
        with contextlib.suppress(Conflict):
            self.house.decide(f"pay_{self.payments}", invoice_id=offered[pick % len(offered)])
        if len(self._decided()) == before:
            self.seen.add("refused: the earlier one is in payment")

    @rule(pick=PICK)
    def leave(self, pick: int) -> None:
        payment = self._payment(pick, "awaiting_customer")
        if payment is not None:
            with contextlib.suppress(TooLate):
                self.house.leave(payment.id)

    @rule(pick=PICK, answer=st.sampled_from((ACCEPTED, DEBITED, REJECTED)))
    def bank_says(self, pick: int, answer: object) -> None:
        """Of what its customer was given the link to."""
        payment = self._payment(pick, "awaiting_customer", "accepted", "unknown")
        if payment is None or self.house.trip(payment.id).left_at is None:
            return
        with self.house.begin() as uow:
            believe(uow, locked(uow.session, payment.id), answer, reason=Reason.REJECTED_BY_BANK)  # type: ignore[arg-type]
            uow.commit()

    @rule(pick=PICK, fact=st.sampled_from((Fact.DEBITED, Fact.REJECTED)))
    def statement_shows(self, pick: int, fact: Fact) -> None:
        payment = self._payment(pick, *CLOSED, "settled")
        if payment is None or payment.consent_id is None:
            return
        with self.house.begin() as uow:
            now = locked(uow.session, payment.id)
            if correct(uow, now, fact, source=Source.STATEMENT, evidence="camt:M1/1"):
                self.seen.add(f"{'settled' if fact is Fact.DEBITED else 'reversed'} after all")
            uow.commit()

    @rule(pick=PICK)
    def bank_calls_it_accepted_after_all(self, pick: int) -> None:
        payment = self._payment(pick, *CLOSED)
        if payment is None or payment.consent_id is None:
            return
        with self.house.begin() as uow:
            now = locked(uow.session, payment.id)
            now.doubted_since = now.doubted_since or uow.now
            doubt(uow, now)
            holds = ledger.position_of(uow.session, now.id).held > 0
            self.seen.add(f"doubted, and {'holds' if holds else 'finds nothing'}")
            uow.commit()

    # ----------------------------------------------------------------------------------------------------- what is seen

    def _decided(self) -> list[str]:
        with self.house.services.reading() as uow:
            return list(uow.session.scalars(select(Decision.id)))

    def _invoices(self) -> list[Invoice]:
        with self.house.services.reading() as uow:
            return list(uow.session.scalars(select(Invoice).order_by(Invoice.number)))

    def _payment(self, pick: int, *states: str) -> Payment | None:
        with self.house.services.reading() as uow:
            there = uow.session.scalars(select(Payment).where(Payment.state.in_(states)).order_by(Payment.id)).all()
        return there[pick % len(there)] if there else None

    def _families(self) -> list[set[str]]:
        """The numbers that have to do with each other, by one word or by several."""
        families = [{number} for number in self.names]
        for number, of in self.names.items():
            if of in self.names:
                joined = [family for family in families if family & {number, of}]
                families = [family for family in families if family not in joined] + [set().union(*joined)]
        return families

    # ----------------------------------------------------------------------------------------------------- what is true

    def _all_is_there(self) -> None:
        """The work is done: every bill is in its customer's space, and of a family one is to pay at the most."""
        states = {each.number: each.state for each in self._invoices()}
        for family in self._families():
            held = {number for number in family if states.get(number) == "in_payment"}
            assert held or family <= states.keys(), (self.names, states)
            offered = [number for number in family if states.get(number) == "to_pay"]
            assert len(offered) <= 1, (self.names, states)
            if len(family) > 1:
                self.seen.add(f"together: {', '.join(sorted({states.get(each, 'waits') for each in family}))}")

    @invariant()
    def the_product_finds_no_fault(self) -> None:
        self._ask([each for each in INVARIANTS if each.name in ABOUT_BILLS])

    @override
    def teardown(self) -> None:
        self.rest()
        self._ask([each for each in INVARIANTS if not each.late])

    def _ask(self, asked: list[Invariant]) -> None:
        with reading(self.house.engine) as connection:
            for each in asked:
                assert found(connection, each, now=self.house.clock.now) == (), f"{each.name}: {each.says}"

    @invariant()
    def what_gave_way_is_seen(self) -> None:
        with self.house.services.reading() as uow:
            self.seen.update(uow.session.scalars(select(Payment.reason).where(Payment.reason.is_not(None))))
            self.seen.update(
                f"because {why}" for why in uow.session.scalars(select(Correction.because)) if why is not None
            )

    @invariant()
    def a_bill_is_opened_when_it_may_be(self) -> None:
        self._look_at_the_new_ones()

    def _look_at_the_new_ones(self) -> None:
        """A new version not while an earlier bill is in payment; and what has a new version already is not to pay."""
        bills = {each.id: each for each in self._invoices()}
        for each in bills.values():
            if each.number in self.opened:
                continue
            self.opened.add(each.number)
            if self.names[each.number] is None and each.number in self.names.values():
                assert each.state != "to_pay", (self.names, each.number)
                self.seen.add("came after its new version")
            earlier = each.replaces_id
            while earlier is not None:
                assert bills[earlier].state != "in_payment", (self.names, each.number)
                earlier = bills[earlier].replaces_id

    @invariant()
    def nobody_is_led_to_pay_what_may_be_paid_already(self) -> None:
        """Whoever may still leave for the bank decided when no bill of the family was in payment, nor is one now."""
        with self.house.services.reading() as uow:
            payments = list(uow.session.scalars(select(Payment).where(Payment.state == "awaiting_customer")))
        states = {each.id: each for each in self._invoices()}
        for payment in payments:
            earlier = states[payment.invoice_id].replaces_id
            while earlier is not None:
                assert payment.unwanted_since is not None or states[earlier].state != "in_payment"
                earlier = states[earlier].replaces_id


def test_linked_bills_in_every_order() -> None:
    for course in COURSES:  # each once, since what is drawn may leave one out
        machine = LinkedBills()
        machine.begin(course)
        machine.what_gave_way_is_seen()
        machine.teardown()
    run_state_machine_as_test(LinkedBills, settings=runs(15, steps=22, few=12))
    assert LinkedBills.seen >= {
        *("because replaces-each-other", "doubted, and holds", "settled after all", "reversed after all", "withdrawn"),
        *("earlier_bill", "came after its new version", "refused: the earlier one is in payment"),
        *("together: cleared, paid", "together: cleared, to_pay", "together: in_payment, to_pay"),
    }
