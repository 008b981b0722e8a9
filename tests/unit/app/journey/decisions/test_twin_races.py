"""Two bills that may be the same, each at every moment of the other one: two real transactions, on PostgreSQL.

However they meet, at most one of them is paid or on its way without its customer's word that they want to pay both; who
comes second is told why, and moves nothing; and nobody waits for somebody who waits for them.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Engine, select

from app import invariants
from app.db.work import WorkRow
from app.errors import Conflict, TooLate
from app.journey.decisions import payee_checks
from app.journey.decisions.models import Decision
from app.journey.intake import own_bills
from app.journey.invoices import own
from app.journey.invoices.models import Invoice
from app.journey.payments.access import locked
from app.journey.payments.models import Payment
from app.journey.payments.reasons import Reason
from app.journey.payments.states import CLOSED, Source
from app.journey.payments.step import believe, correct
from app.people.models import Customer
from connectors.contract import Fact
from tests.conftest import Clock
from tests.functional.test_connection_races import at_once
from tests.support.pictures import epc_text
from tests.unit.app.journey.corrections.test_correction_races import Rounds
from tests.unit.app.journey.corrections.test_correction_service import APPLY, send
from tests.unit.app.journey.decisions.test_decision_service import decide, passkey_of, start
from tests.unit.app.journey.house import IBAN, REJECTED, House

DELIVERED = "inv_1"
VERSION = "150.00"
INITIATE, RECONSIDER = "payments.initiate", "payments.reconsider"
#: why somebody is not let on: the page that comes instead says it
TOLD = {"check-payee-first", "order-changed", "already-in-payment", "earlier-in-payment"}


def on_postgres(test: Any) -> Any:
    """SQLite lets one writer in at a time: there is no moment between."""
    return pytest.mark.postgres(pytest.mark.parametrize("database_url", ["postgres"], indirect=True)(test))


@dataclass
class Tab:
    """Signed, and about to be sent: the order of one bill."""

    house: House
    invoice_id: str
    sign: Callable[[], object]
    told: str | None = None  #: why it was not taken

    def send(self) -> None:
        try:
            self.sign()
        except Conflict as error:
            self.told = error.code


@dataclass
class Twins:
    """The bills of one round and the tabs in which they were signed."""

    tabs: dict[str, Tab] = field(default_factory=dict)
    own: str = ""

    def keep(self, house: House, reference: str = "1") -> str:
        """Its customer adds what the delivered bill says, as a paper. Returns the invoice's id."""
        customer_id, text = house.customer.id, epc_text(iban=IBAN, amount="EUR99.00", reference=reference)
        own_bill_id = own_bills.add_code(house.services, customer_id=customer_id, written=text)
        with house.begin() as uow:
            form = own_bills.draft(uow.session, own_bill_id=own_bill_id, customer_id=customer_id).reading
            values, day = own_bills.checked(form), house.clock.now.date()
            self.own = own.keep(uow, own_bill_id=own_bill_id, customer_id=customer_id, values=values, today=day)
            uow.commit()
        return self.own

    def check(self, house: House, invoice_id: str) -> None:
        """All that the page asks for: also that the other one is wanted as well, where it says that there is one."""
        house.check_payee(invoice_id, named=True, doubted=True, besides=True)

    def open_tabs(self, house: House, *invoice_ids: str) -> None:
        device = passkey_of(house, house.customer)
        self.tabs = {each: self._signed(house, device, each) for each in invoice_ids}

    def send(self, which: int) -> Callable[[House], None]:
        return lambda _: list(self.tabs.values())[which].send()

    def _signed(self, house: House, device: object, invoice_id: str) -> Tab:
        started = start(house, invoice_id=invoice_id)
        credential = device.sign(started.public_key)  # type: ignore[attr-defined]
        return Tab(house, invoice_id, lambda: decide(house, started, credential, invoice_id=invoice_id))


@pytest.fixture
def twins() -> Twins:
    return Twins()


@pytest.fixture
def rounds(engine: Engine, clock: Clock, customer: Customer, every: int) -> Rounds:
    return Rounds(engine, clock, customer, every)


def in_order(house: House) -> None:
    assert [str(each) for each in invariants.check(house.engine, now=house.clock(), late=False)] == []


def decided(house: House) -> list[str]:
    with house.services.reading() as uow:
        return list(uow.session.scalars(select(Decision.invoice_id)))


def without_a_word(house: House) -> int:
    """How many bills were decided on by who did not say that they want to pay another of them as well."""
    with house.services.reading() as uow:
        decisions = uow.session.scalars(select(Decision)).all()
        known = {each.invoice_id: payee_checks.known_besides(uow.session, each) for each in decisions}
    return sum(not set(besides) & (set(known) - {invoice_id}) for invoice_id, besides in known.items())


def one_alone(house: House, twins: Twins) -> str:
    """Exactly one of two tabs was taken; nothing moved for the other one, and it was told why. Returns whose it was."""
    in_order(house)
    [taken] = decided(house)
    [refused] = set(twins.tabs) - {taken}
    assert twins.tabs[taken].told is None
    assert twins.tabs[refused].told in TOLD
    assert house.invoice(refused).state == "to_pay"
    assert house.balances()[f"due:{refused}"] == house.invoice(refused).amount_minor
    return taken


# ------------------------------------------------------------------------------------------------ two tabs, two devices


@on_postgres
@pytest.mark.parametrize("first", [0, 1])
def test_two_tabs_order_the_delivered_bill_and_its_copy(rounds: Rounds, twins: Twins, first: int) -> None:
    def prepare(house: House) -> None:
        house.bill()
        twins.check(house, twins.keep(house))
        twins.open_tabs(house, DELIVERED, twins.own)

    acts = twins.send(first), twins.send(1 - first)
    ends = [one_alone(house, twins) for house in rounds.moments(prepare, *acts)]
    assert ends
    assert len({each == DELIVERED for each in ends}) == 2  # each of them wins in some


@on_postgres
def test_two_tabs_order_two_copies(rounds: Rounds, twins: Twins) -> None:
    def prepare(house: House) -> None:
        copies = [twins.keep(house), twins.keep(house, "Copy of 1")]
        for each in copies:
            twins.check(house, each)
        twins.open_tabs(house, *copies)

    ends = [one_alone(house, twins) for house in rounds.moments(prepare, twins.send(0), twins.send(1))]
    assert len(set(ends)) > 1


def test_many_devices_at_once_in_every_order(rounds: Rounds, twins: Twins) -> None:
    """Each locks all of these bills: nobody waits in a ring, and one is taken."""
    for _ in range(12):
        house = rounds.fresh()
        house.bill()
        copies = [twins.keep(house, f"Copy {each} of 1") for each in range(3)]
        for each in copies:
            twins.check(house, each)
        twins.open_tabs(house, DELIVERED, *copies)
        tabs = list(twins.tabs.values())
        assert at_once(*(each.send for each in tabs)) == []
        in_order(house)
        [taken] = decided(house)
        assert {each.told for each in tabs if each.invoice_id != taken} <= TOLD
        assert [each.state for each in map(house.invoice, twins.tabs)].count("in_payment") == 1
        assert house.invoice(taken).state == "in_payment"


# ---------------------------------------------------------------------- one of them arrives, is added or is replaced


@on_postgres
@pytest.mark.parametrize("added_first", [True, False])
def test_a_copy_that_is_added_while_the_bill_is_ordered(rounds: Rounds, twins: Twins, added_first: bool) -> None:
    """Added, checked and ordered at once: what it was checked beside is what is there, or it is not taken."""

    signed = {}

    def prepare(house: House) -> None:
        house.bill()
        twins.open_tabs(house, DELIVERED)
        signed["now"] = twins.tabs[DELIVERED]

    def order(_: House) -> None:
        signed["now"].send()

    def add_and_order(house: House) -> None:
        with contextlib.suppress(payee_checks.NotChecked):  # the page is drawn anew: what it said has changed
            twins.check(house, twins.keep(house))
            twins.open_tabs(house, twins.own)
            twins.send(0)(house)

    acts = (add_and_order, order) if added_first else (order, add_and_order)
    for house in rounds.moments(prepare, *acts):
        in_order(house)
        assert without_a_word(house) <= 1
        assert len(decided(house)) >= 1


@on_postgres
@pytest.mark.parametrize("order_first", [True, False])
def test_a_copy_that_is_ordered_while_the_bill_is_replaced(rounds: Rounds, twins: Twins, order_first: bool) -> None:
    """Its customer knew of the bill, and not of its new version: that is not paid as well without a word."""

    def prepare(house: House) -> None:
        house.bill()
        twins.check(house, twins.keep(house))
        twins.open_tabs(house, twins.own)
        send(house, "2", amount=VERSION, replaces="1")

    def replace(house: House) -> None:
        house.run(APPLY)

    acts = (twins.send(0), replace) if order_first else (replace, twins.send(0))
    ends = set()
    for house in rounds.moments(prepare, *acts):
        in_order(house)
        with house.services.reading() as uow:
            [version] = uow.session.scalars(select(Invoice.id).where(Invoice.number == "2"))
        told = twins.tabs[twins.own].told
        assert decided(house) == ([] if told else [twins.own])
        assert told is None or told in TOLD
        if told is None:
            with pytest.raises(Conflict, match="Check the payee"):
                start(house, invoice_id=version)
        ends.add(told)
    assert ends == {None, "check-payee-first"}


# ------------------------------------------------------------------------------- a payment of the other one comes alive


def closed(house: House, twins: Twins) -> None:
    """The payment of the copy was closed as not done; the delivered bill came then."""
    twins.keep(house)
    twins.check(house, twins.own)
    twins.open_tabs(house, twins.own)
    twins.tabs[twins.own].send()
    house.bank.answers["initiate"] = house.staged("pay_own")
    ordered(house)
    with house.services.reading() as uow:
        payment_id = uow.session.scalars(select(Payment.id)).one()
    house.leave(payment_id)
    with house.begin() as uow:
        assert believe(uow, locked(uow.session, payment_id), REJECTED, reason=Reason.NOT_APPROVED)
        uow.commit()
    house.clock.tick(seconds=1)
    house.bill()
    house.bank.answers["initiate"] = house.staged("pay_delivered")


def ordered(house: House) -> None:
    """The order is given to the bank."""
    house.hurry(INITIATE)
    house.run(INITIATE)


def executed_after_all(house: House) -> None:
    with house.begin() as uow:
        payment_id = uow.session.scalars(select(Payment.id).join(Invoice).where(Invoice.own_bill_id.is_not(None))).one()
        correct(uow, locked(uow.session, payment_id), Fact.DEBITED, source=Source.STATEMENT, evidence="camt:M1/1")
        uow.commit()


def looked_at(house: House) -> None:
    """The work that is there is done, in any order."""
    for handler in (INITIATE, RECONSIDER):
        with house.services.reading() as uow:
            due = uow.session.scalars(select(WorkRow.key).where(WorkRow.handler == handler)).all()
        for _ in due:
            house.hurry(handler)
            house.run(handler)


def of_delivered(house: House) -> Payment | None:
    with house.services.reading() as uow:
        return uow.session.scalar(select(Payment).where(Payment.invoice_id == DELIVERED))


def gives_way(house: House) -> str:
    """In order now, and once the work is done: nobody can go on with the delivered bill as if nothing had been paid."""
    in_order(house)
    looked_at(house)
    in_order(house)
    payment = of_delivered(house)
    if payment is None:
        assert decided(house) == [each for each in decided(house) if each != DELIVERED]
        return "refused"
    assert payment.state in CLOSED or payment.unwanted_since is not None
    if payment.state not in CLOSED:
        with pytest.raises(TooLate):
            house.leave(payment.id)
    return payment.state if payment.state in CLOSED else f"{payment.state}, unwanted"


@on_postgres
@pytest.mark.parametrize("evidence_first", [True, False])
def test_an_order_against_the_payment_of_its_twin_that_is_executed_after_all(
    rounds: Rounds, twins: Twins, evidence_first: bool
) -> None:
    def prepare(house: House) -> None:
        closed(house, twins)
        twins.open_tabs(house, DELIVERED)

    def sign(_: House) -> None:
        twins.tabs[DELIVERED].send()

    acts = (executed_after_all, sign) if evidence_first else (sign, executed_after_all)
    rounds.every = min(rounds.every, 16)  # both ends are to be met
    ends = {gives_way(house) for house in rounds.moments(prepare, *acts)}
    assert ends == {"refused", "rejected"}  # the page again, with why; or given up before anything was sent


@on_postgres
@pytest.mark.parametrize("evidence_first", [True, False])
def test_an_order_on_its_way_to_the_bank_against_it(rounds: Rounds, twins: Twins, evidence_first: bool) -> None:
    def prepare(house: House) -> None:
        closed(house, twins)
        twins.open_tabs(house, DELIVERED)
        twins.tabs[DELIVERED].send()

    acts = (executed_after_all, ordered) if evidence_first else (ordered, executed_after_all)
    rounds.every = min(rounds.every, 16)  # both ends are to be met
    ends = {gives_way(house) for house in rounds.moments(prepare, *acts)}
    assert "rejected" in ends
    assert ends <= {"rejected", "cancelled"}  # given up before, or stopped once it was there


@on_postgres
@pytest.mark.parametrize("evidence_first", [True, False])
def test_the_link_that_is_given_away_against_it(rounds: Rounds, twins: Twins, evidence_first: bool) -> None:
    def prepare(house: House) -> None:
        closed(house, twins)
        twins.open_tabs(house, DELIVERED)
        twins.tabs[DELIVERED].send()
        ordered(house)

    def leave(house: House) -> None:
        payment = of_delivered(house)
        assert payment is not None
        with contextlib.suppress(TooLate):
            house.leave(payment.id)

    acts = (executed_after_all, leave) if evidence_first else (leave, executed_after_all)
    rounds.every = min(rounds.every, 5)  # few of its moments come after the link was given
    ends = {gives_way(house) for house in rounds.moments(prepare, *acts)}
    assert "awaiting_customer, unwanted" in ends
    assert ends <= {"cancelled", "awaiting_customer, unwanted"}  # stopped before the link was given, or not wanted


@on_postgres
def test_evidence_that_is_about_to_be_committed_while_an_order_goes_all_the_way_to_the_bank(
    rounds: Rounds, twins: Twins
) -> None:
    """It looked for what is under way before the payment was there: the order waits for it, before anything is sent."""
    house = rounds.fresh()
    closed(house, twins)
    twins.open_tabs(house, DELIVERED)
    twins.tabs[DELIVERED].send()
    order = threading.Thread(target=ordered, args=(house,))
    with house.begin() as uow:
        payment_id = uow.session.scalars(select(Payment.id)).one()
        correct(uow, locked(uow.session, payment_id), Fact.DEBITED, source=Source.STATEMENT, evidence="camt:M1/1")
        order.start()
        order.join(1)
        uow.commit()
    order.join(10)
    assert not order.is_alive()
    assert house.bank.verbs().count("initiate") == 1  # of the copy
    assert gives_way(house) == "rejected"
