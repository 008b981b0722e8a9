"""A correction at every moment of what a customer, a worker or a bank does: two real transactions, on PostgreSQL.

Before each statement of the one the other begins, and goes on as far as the locks of the first let it. However they
meet, nothing is asked of the bank that was decided on another amount after the correction is there, no cent is lost,
and nobody waits for somebody who waits for them.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, event, select, text

from app import invariants
from app.db import work
from app.db.work import WorkRow
from app.errors import AppError, Conflict, TooLate
from app.journey.corrections.events import BillCorrected
from app.journey.corrections.models import Correction
from app.journey.corrections.service import take_back as withdraw_unopened
from app.journey.corrections.service import withdraw
from app.journey.decisions.models import Decision
from app.journey.intake.events import BillDelivered, CorrectionDelivered
from app.journey.intake.models import DeliveredBill
from app.journey.invoices.models import Invoice
from app.journey.payments.access import locked
from app.journey.payments.models import Payment
from app.journey.payments.states import MEANING, PaymentState, Source
from app.journey.payments.step import correct
from app.journey.route import HANDLERS
from app.people.models import Customer
from app.services import Task
from connectors.contract import Authorised, Fact
from tests.conftest import Clock
from tests.support.bills import json_bill
from tests.support.engines import empty
from tests.support.logged import log_all
from tests.unit.app.journey.decisions.test_decision_service import decide, passkey_of, start
from tests.unit.app.journey.house import ACCEPTED, DEBITED, IBAN, House, SubmittingBank
from tests.unit.app.journey.payments.test_payment_submit import go_on, submitted

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database_url", ["postgres"], indirect=True)]

Act = Callable[[House], object]
#: for the other one to get as far as it can, if the database does not say before that it waits
A_WHILE_S = 10.0
_WAITS = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
HANG_S = 20.0


def credit(house: House, number: str = "C-1") -> None:
    """The work of a delivered credit note over 30.00."""
    with house.begin() as uow:
        content = json_bill(number=number, kind="credit_note", corrects="1", amount="30.00", payee={"iban": IBAN})
        bill_id = f"bill_{number}"
        row = house.deliver_row(number, minor=3000, content=content)
        row.kind, row.corrects_number = "credit_note", "1"
        uow.session.add(row)
        log_all(uow)
        recorded = uow.record(CorrectionDelivered(bill_id=bill_id))
        claim = work.claim_key(uow.session, key=recorded.work_keys["corrections.apply_correction"], now=uow.now)
        uow.commit()
    assert claim is not None
    HANDLERS["corrections.apply_correction"](Task(services=house.services, claim=claim))


def take_back(house: House) -> None:
    with house.begin() as uow:
        withdraw(uow, biller_id="blr_1", bill_id="bill_1", reason="No.")
        uow.commit()


class Rounds:
    """The same race from every moment of the first one on, or from every so many-th."""

    def __init__(self, engine: Engine, clock: Clock, customer: Customer, every: int) -> None:
        self.engine, self.clock, self.customer, self.every = engine, clock, customer, every
        self.submits = False

    def fresh(self) -> House:
        """As if nothing had happened."""
        with self.engine.begin() as connection:
            empty(connection, but=("customer", "log_head"))
        bank = {"bank": SubmittingBank()} if self.submits else {}
        return House(self.engine, self.clock, self.customer, **bank)

    def race(self, prepare: Act, act: Act, other: Act = credit) -> list[str]:
        """How the payments stood at the end of each round, and that all is in order each time."""
        return [self._check(house) for house in self.moments(prepare, act, other)]

    def moments(self, prepare: Act, act: Act, other: Act) -> Iterator[House]:
        """The house at the end of each round."""
        for moment in range(0, 200, self.every):
            house = self.fresh()
            prepare(house)
            if not self._meet(house, act, other, moment):
                assert moment > 3
                return
            yield house
        raise AssertionError("it never ends")

    def _meet(self, house: House, act: Act, other: Act, moment: int) -> bool:
        """False: the first one had ended before that moment."""
        wrong: list[BaseException] = []
        seen = 0

        def run() -> None:
            try:
                other(house)
            except BaseException as error:  # noqa: BLE001  # shown below
                wrong.append(error)

        thread = threading.Thread(target=run)
        me = threading.get_ident()

        def statement(*_: object) -> None:
            nonlocal seen
            if threading.get_ident() == me and not thread.ident:
                seen += 1
                if seen == moment + 1:
                    thread.start()
                    self._let_go_far(thread)

        event.listen(self.engine, "before_cursor_execute", statement)
        try:
            with contextlib.suppress(Conflict, TooLate):
                act(house)
        finally:
            event.remove(self.engine, "before_cursor_execute", statement)
        if not thread.ident:
            return False
        thread.join(HANG_S)
        assert not thread.is_alive()
        assert not [error for error in wrong if not isinstance(error, AppError)], wrong
        return True

    def _let_go_far(self, other: threading.Thread) -> None:
        """Until it is done, or waits for what we have locked."""
        until = time.monotonic() + A_WHILE_S
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while other.is_alive() and time.monotonic() < until and not connection.scalar(_WAITS):
                other.join(0.01)

    def _check(self, house: House) -> str:
        broken = invariants.check(self.engine, now=self.clock(), late=False)
        assert [str(each) for each in broken] == []
        with house.services.reading() as uow:
            decisions = uow.session.scalars(select(Decision)).all()
            states = dict(uow.session.execute(select(Payment.id, Payment.state)).all())
            off = sum(uow.session.scalars(select(Correction.taken_minor)))
        held = sum(
            each.amount_minor + each.discount_minor
            for each in decisions
            if each.payment_id not in states or not MEANING[PaymentState(states[each.payment_id])].may_pay_again
        )
        net = 9900 - off - held
        balances = house.balances()
        assert (balances.get("due:inv_1", 0), balances.get("owed:inv_1", 0)) == (max(net, 0), min(net, 0))
        assert house.told().count(BillCorrected.__name__) >= 1
        return next(iter(states.values()), "decided" if decisions else "nothing")


@pytest.fixture
def rounds(engine: Engine, clock: Clock, customer: Customer, every: int) -> Rounds:
    return Rounds(engine, clock, customer, every)


def test_against_the_signature(rounds: Rounds) -> None:
    signed = {}

    def prepare(house: House) -> None:
        house.bill()
        device = passkey_of(house, house.customer)
        started = start(house)
        signed["now"] = started, device.sign(started.public_key)

    rounds.every = min(rounds.every, 16)  # both ends are to be met
    ends = rounds.race(prepare, lambda house: decide(house, *signed["now"]))
    assert set(ends) == {"nothing", "decided"}  # signed over the old amount and refused, or decided before


def test_against_the_order_that_is_prepared(rounds: Rounds) -> None:
    def prepare(house: House) -> None:
        house.bill()
        house.decide()
        house.bank.answers["initiate"] = house.staged()

    rounds.every = min(rounds.every, 8)  # both ends are to be met
    ends = rounds.race(prepare, lambda house: house.run("payments.initiate"))
    assert set(ends) == {"rejected", "cancelled"}  # given up before, or stopped once it was there


def test_against_the_link_that_is_given_away(rounds: Rounds) -> None:
    def prepare(house: House) -> None:
        house.bill()
        house.stage()

    ends = rounds.race(prepare, lambda house: house.leave())
    assert set(ends) == {"cancelled", "awaiting_customer"}  # stopped, or gone and not wanted any more


def test_against_the_submission(rounds: Rounds) -> None:
    rounds.submits = True
    ends = rounds.race(lambda house: house.approved(), lambda house: go_on(house, submit=submitted(ACCEPTED)))
    assert set(ends) == {"rejected", "accepted"}  # withheld, or submitted before


def test_against_the_settlement(rounds: Rounds) -> None:
    ends = rounds.race(lambda house: house.approved(), lambda house: house.follow(DEBITED))
    assert set(ends) == {"settled"}


def test_a_statement_that_settles_and_takes_back_against_another_tab(rounds: Rounds) -> None:
    """Both in one transaction, while somebody signs in the tab that was left open."""
    rounds.every = min(rounds.every, 8)  # all ends are to be met
    signed = {}

    def prepare(house: House) -> None:
        house.bill()
        device = passkey_of(house, house.customer)
        started = start(house)
        signed["now"] = started, device.sign(started.public_key)
        house.stage()
        house.come_back(house.leave())
        house.exchange(Authorised(access_token="t0ken", expires_in_s=600))

    def settle_and_take_back(house: House) -> None:
        with house.begin() as uow:
            payment = locked(uow.session, "pay_1")
            for fact in (Fact.DEBITED, Fact.REJECTED):
                assert correct(uow, payment, fact, source=Source.STATEMENT, evidence="camt:1/1")
            uow.commit()

    states = set()
    for house in rounds.moments(prepare, settle_and_take_back, lambda house: decide(house, *signed["now"])):
        states.add((house.payment().state, house.invoice().state))
        assert [str(each) for each in invariants.check(house.engine, now=house.clock(), late=False)] == []
    assert ("reversed", "in_payment") in states  # signed once it was free again
    assert {payment for payment, _ in states} == {"reversed"}


def test_against_the_exchange_of_the_code(rounds: Rounds) -> None:
    rounds.submits = True

    def prepare(house: House) -> None:
        house.come_back(house.away())

    ends = rounds.race(prepare, lambda house: house.exchange(Authorised(access_token="t0ken", expires_in_s=600)))
    assert set(ends) == {"rejected"}  # whenever it came: nothing is submitted


def credit_again(house: House) -> None:
    credit(house, "C-2")


@pytest.mark.parametrize("state", ["to pay", "paid"])
@pytest.mark.parametrize(("act", "other"), [(credit_again, credit), (take_back, credit), (take_back, take_back)])
def test_against_another_correction(rounds: Rounds, state: str, act: Act, other: Act) -> None:
    def prepare(house: House) -> None:
        house.settled() if state == "paid" else house.bill()

    assert rounds.race(prepare, act, other)


@pytest.mark.parametrize("replaces", [None, "1"])
def test_a_withdrawal_against_the_opening(rounds: Rounds, replaces: str | None) -> None:
    """Whoever opens the bill, it is there once, and nothing is asked of it."""
    handler = "corrections.apply_correction" if replaces else "invoices.open_invoice"

    def prepare(house: House) -> None:
        house.bill()
        delivered(house, ("2", replaces))

    def take_back_the_second(house: House) -> None:
        withdraw_unopened(house.services, biller_id="blr_1", bill_id="bill_2", reason="No.")

    for house in rounds.moments(prepare, lambda house: house.run(handler), take_back_the_second):
        with house.services.reading() as uow:
            states = dict(uow.session.execute(select(Invoice.number, Invoice.state)).all())
            linked = uow.session.scalar(select(Invoice.replaces_id).where(Invoice.number == "2"))
        assert states == {"1": "cleared" if replaces else "to_pay", "2": "cleared"}
        assert linked == ("inv_1" if replaces else None)
        assert [str(each) for each in invariants.check(house.engine, now=house.clock(), late=False)] == []


def delivered(house: House, *said: tuple[str, str | None], together: bool = False) -> None:
    """Bills with what each replaces, and the work that they ask for."""
    rows = []
    for number, replaces in said:
        changes = {"replaces": replaces} if replaces else {}
        content = json_bill(number=number, amount="84.20", payee={"iban": IBAN}, **changes)
        row = house.deliver_row(number, minor=8420, content=content)
        row.corrects_number = replaces
        rows.append(row)
    house.add(*rows)
    with house.begin() as uow:
        for row in rows:
            if row.corrects_number:
                uow.record(CorrectionDelivered(bill_id=row.id))
        plain = [BillDelivered(bill_id=row.id) for row in rows if not row.corrects_number]
        if together:
            uow.record_together(plain)
        else:
            for each in plain:
                uow.record(each)
        uow.commit()


def apply(house: House, bill_id: str) -> None:
    """The work of one delivered correction, in whatever hands."""
    with house.begin() as uow:
        recorded = uow.record(CorrectionDelivered(bill_id=bill_id))
        claim = work.claim_key(uow.session, key=recorded.work_keys["corrections.apply_correction"], now=uow.now)
        uow.commit()
    assert claim is not None
    HANDLERS["corrections.apply_correction"](Task(services=house.services, claim=claim))


def in_order(house: House) -> dict[str, tuple[str, str | None]]:
    """All is in order; the bills by their numbers: the state, and the number of the one that each stands in for."""
    assert [str(each) for each in invariants.check(house.engine, now=house.clock(), late=False)] == []
    with house.services.reading() as uow:
        bills = {each.id: each for each in uow.session.scalars(select(Invoice))}
        assert len({each.bill_id for each in bills.values()}) == len(bills)
    return {
        each.number: (each.state, bills[each.replaces_id].number if each.replaces_id else None)
        for each in bills.values()
    }


def test_two_hands_that_write_one_new_version_down(rounds: Rounds) -> None:
    """Its own work, and that of the bill which it replaces, for the first time at once."""

    def prepare(house: House) -> None:
        delivered(house, ("1", None), ("2", "1"))

    ends = []
    for house in rounds.moments(
        prepare, lambda house: house.run("invoices.open_invoice"), lambda house: apply(house, "bill_2")
    ):
        apply(house, "bill_2")  # what had to wait is done
        ends.append(in_order(house))
    assert ends == [{"1": ("cleared", None), "2": ("to_pay", "1")}] * len(ends)
    assert ends


def test_the_same_new_version_in_two_hands(rounds: Rounds) -> None:
    def prepare(house: House) -> None:
        house.bill()
        delivered(house, ("2", "1"))

    for house in rounds.moments(prepare, lambda house: apply(house, "bill_2"), lambda house: apply(house, "bill_2")):
        assert in_order(house) == {"1": ("cleared", None), "2": ("to_pay", "1")}


@pytest.mark.parametrize("withdrawal_first", [True, False])
def test_a_withdrawal_against_the_opening_of_many_bills(rounds: Rounds, withdrawal_first: bool) -> None:
    def open_them(house: House) -> None:
        house.run("invoices.open_invoice_together")

    def take_it_back(house: House) -> None:
        withdraw_unopened(house.services, biller_id="blr_1", bill_id="bill_2", reason="No.")

    def prepare(house: House) -> None:
        delivered(house, ("2", None), ("3", None), together=True)

    acts = (take_it_back, open_them) if withdrawal_first else (open_them, take_it_back)
    for house in rounds.moments(prepare, *acts):
        assert in_order(house) == {"2": ("cleared", None), "3": ("to_pay", None)}


@pytest.mark.parametrize(("withdrawn", "applied"), [("2", "3"), ("3", "2")])
def test_a_withdrawal_in_a_ring_against_its_work(rounds: Rounds, withdrawn: str, applied: str) -> None:
    """Each opens the bill that the other one's names."""

    def prepare(house: House) -> None:
        delivered(house, ("2", "3"), ("3", "2"))
        house.clock.tick(seconds=1)

    def take_it_back(house: House) -> None:
        withdraw_unopened(house.services, biller_id="blr_1", bill_id=f"bill_{withdrawn}", reason="No.")

    for house in rounds.moments(prepare, take_it_back, lambda house: apply(house, f"bill_{applied}")):
        for bill_id in ("bill_2", "bill_3", "bill_2"):
            apply(house, bill_id)
        found = in_order(house)
        assert set(found) == {"2", "3"}
        assert found[withdrawn][0] == "cleared"


def test_nothing_is_left_to_do_twice(rounds: Rounds) -> None:
    """The same credit note in two hands at once is one correction."""
    house = rounds.fresh()
    house.bill()
    credit(house)
    with house.begin() as uow:
        uow.record(CorrectionDelivered(bill_id="bill_C-1"))
        uow.commit()
    house.run("corrections.apply_correction")
    with house.services.reading() as uow:
        assert uow.session.scalars(select(DeliveredBill.id).where(DeliveredBill.kind == "credit_note")).all()
        assert uow.session.scalars(select(WorkRow).where(WorkRow.handler == "corrections.apply_correction")).all() == []
    assert house.invoice().credited_minor == 3000
