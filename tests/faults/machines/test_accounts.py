"""Payee accounts in every order of what people and the clock do to them, with real deliveries, signatures and payments.

Three operators, two accounts of one biller. A model of its own counts who said what, by another road than the product:
as sets of people, not as states. Whatever comes: a bill is taken, a challenge handed out, a decision made, an order
sent or a customer let go to the bank only while the model says that the account is open.
"""

from __future__ import annotations

import datetime as dt
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select
from typing_extensions import override

from app.db import work
from app.db.work import WorkRow
from app.demo.authenticator import Authenticator
from app.errors import AppError, Conflict, TooLate
from app.invariants import INVARIANTS, found, reading
from app.journey.connections.models import Connection
from app.journey.decisions import service as decisions
from app.journey.decisions.models import Decision
from app.journey.intake.service import ClientIdentity, deliver
from app.journey.invoices.models import Invoice
from app.journey.payments.models import Payment
from app.journey.route import HANDLERS
from app.people import accounts, passkeys
from app.people.models import Customer, PayeeAccount
from app.people.passkeys import RelyingParty, Started
from app.services import Task
from connectors.contract import PsuContext
from connectors.payee_name import NameAnswer, NameMatch
from tests.faults.machines.house import runs
from tests.faults.machines.test_linked_bills import floor
from tests.support.bills import json_bill
from tests.support.installation import BASE_URL
from tests.unit.app.journey.house import IBAN, PROFILE, House

OTHER = "DE89370400440532013000"
PEOPLE = ("ada", "grace", "mallory")
WAIT = dt.timedelta(hours=72)
PARTY = RelyingParty("localhost", BASE_URL)
PSU = PsuContext(ip_address="192.0.2.7", user_agent="a browser")
PICK = st.sampled_from(range(10))
WHO, WHICH = st.sampled_from(("ada", *PEOPLE)), st.sampled_from((IBAN, OTHER))
ACCOUNTS = {"ours": IBAN, "other": OTHER}
_PAGE = ("deliver ours", "work_through", "ask 0")
_AT_BANK = (*_PAGE, "sign 0", "work_through")
#: how runs begin: nothing yet, a page open, a payment under way, an account that one person has said yes to
COURSES = {
    "new": (),
    "page": _PAGE,
    "frozen page": (*_PAGE, "freeze ours ada", "sign 0", "ask 0"),
    "thawing": (*_PAGE, "freeze ours ada", "unfreeze ours ada", "insist ours"),
    "decided": (*_PAGE, "sign 0"),
    "at the bank": _AT_BANK,
    "frozen at the bank": (*_AT_BANK, "freeze ours ada", "leave 0"),
    "left": (*_AT_BANK, "leave 0"),
    "proposed": ("differs other ada", "approve other ada", "approve other ada yes", "insist other", "deliver other"),
    "waiting": ("propose other ada", "approve other ada yes", "approve other grace yes", "deliver other"),
}
#: of each account that is proposed here: the biller itself
HOLDER = "Lumen"
#: what is done by itself here; telling and asking the bank are others' matters
WORK = ("invoices.open_invoice", "payments.initiate", "payments.look_at_account", "payments.reconsider")


class Model:
    """What people said of one account."""

    def __init__(self, iban: str) -> None:
        self.iban = iban
        self.there = self.checked = self.differs = self.frozen = False
        self.sure: set[str] = set()  # of it, since its name was checked last
        self.thaw: set[str] = set()  # that it is to be open again, since somebody froze it
        self.opens_at: dt.datetime | None = None

    def is_open(self, now: dt.datetime) -> bool:
        return (
            self.there
            and len(self.sure) == 2
            and not self.frozen
            and self.opens_at is not None
            and self.opens_at <= now
        )


class Accounts(RuleBasedStateMachine):
    seen: ClassVar[set[str]] = set()
    course = "new"

    def __init__(self) -> None:
        super().__init__()
        base = floor().open()
        with base.begin() as uow:
            customer = uow.session.get_one(Customer, "cus_1")
        self.house = House(base.engine, base.clock, customer)
        self.models = {IBAN: Model(IBAN), OTHER: Model(OTHER)}
        first = self.models[IBAN]  # the house opens it, by two people
        first.there = first.checked = True
        first.sure, first.opens_at = {"ada", "grace"}, base.clock.now
        self.device = Authenticator(BASE_URL)
        self.numbers = 0
        self.tabs: list[tuple[str, Started]] = []
        self.sent: set[str] = set()
        with self.house.begin() as uow:
            made = passkeys.start_making(
                uow, party=PARTY, purpose="new", customer_id=None, email="e", name="n", data={}
            )
            taken = passkeys.take(uow, token=made.ceremony, purpose="new", customer_id=None)
            passkeys.finish_making(
                uow,
                party=PARTY,
                ceremony=taken,
                credential=self.device.make(made.public_key),
                customer=customer,
                name="n",
            )
            uow.commit()

    @property
    def now(self) -> dt.datetime:
        return self.house.clock.now

    @initialize()
    def begin(self) -> None:
        for did in COURSES[self.course]:
            verb, *how = did.split()
            getattr(self, verb)(*(int(each) if each.isdigit() else ACCOUNTS.get(each, each) for each in how))

    def differs(self, iban: str, who: str) -> None:
        """The name of the account that is proposed is another one."""
        self.propose(iban, who, NameMatch.NO_MATCH)

    # ----------------------------------------------------------------------------------------------- what people say

    def _says(self, verb: str, iban: str, **how: object) -> bool:
        """Whether the product took it."""
        self.house.clock.tick(seconds=1)
        with self.house.begin() as uow:
            try:
                if verb == "propose":
                    accounts.propose(uow, biller_id="blr_1", iban=iban, holder=None, **how)  # type: ignore[arg-type]
                else:
                    wanted = select(PayeeAccount.id).where(PayeeAccount.iban == iban)
                    account_id = uow.session.scalar(wanted)
                    getattr(accounts, verb)(uow, account_id=account_id or "acc_none", **how)
            except AppError as refused:
                self.seen.add(f"{verb}: {refused.code}")
                return False
            uow.commit()
            return True

    @rule(iban=WHICH, who=WHO, said=st.sampled_from((*NameMatch, NameMatch.NO_MATCH)))
    def propose(self, iban: str, who: str, said: NameMatch = NameMatch.MATCH) -> None:
        model = self.models[iban]
        assert self._says("propose", iban, by=who) is not model.there
        if not model.there:
            model.__init__(iban)  # type: ignore[misc]  # as if nothing had ever been said
            model.there = True
            self.check(iban, who, said)

    @rule(iban=WHICH, who=WHO, said=st.sampled_from(NameMatch))
    def check(self, iban: str, who: str, said: NameMatch) -> None:
        model = self.models[iban]
        name = "Somebody" if said is NameMatch.CLOSE_MATCH else None
        taken = self._says("note_check", iban, answer=NameAnswer(said, name), by=who)
        assert taken is (model.there and len(model.sure) < 2)
        if taken:
            model.checked, model.differs, model.sure = True, said is NameMatch.NO_MATCH, set()

    @rule(iban=WHICH, who=WHO, despite=st.sampled_from(("", "a contract of theirs")))
    def approve(self, iban: str, who: str, despite: str = "") -> None:
        model = self.models[iban]
        may = model.there and model.checked and len(model.sure) < 2 and who not in model.sure
        may = may and (bool(despite) or not model.differs)
        assert self._says("approve", iban, holder=HOLDER, by=who, wait=WAIT, despite=despite or None) is may
        if may:
            model.sure.add(who)
            if len(model.sure) == 2:
                model.opens_at = self.now + WAIT

    @rule(iban=WHICH)
    def insist(self, iban: str) -> None:
        """Whoever has said yes alone says it once more, and once with another spelling of their name."""
        model = self.models[iban]
        for who in model.sure if len(model.sure) == 1 else ():
            assert not self._says("approve", iban, holder=HOLDER, by=who.upper(), wait=WAIT, despite="I am sure")
        for who in model.thaw if model.frozen else ():
            assert not self._says("unfreeze", iban, by=who.upper(), note="I am sure")

    @rule(iban=WHICH, who=WHO)
    def freeze(self, iban: str, who: str) -> None:
        model = self.models[iban]
        taken = self._says("freeze", iban, by=who, note="a call")
        assert taken is (model.there and len(model.sure) == 2)
        if taken:
            model.frozen, model.thaw = True, set()

    @rule(iban=WHICH, who=WHO)
    def unfreeze(self, iban: str, who: str) -> None:
        model = self.models[iban]
        may = model.there and model.frozen and who not in model.thaw
        assert self._says("unfreeze", iban, by=who, note="an error") is may
        if may:
            model.thaw.add(who)
            model.frozen = len(model.thaw) < 2

    @rule(iban=WHICH, who=WHO)
    def close(self, iban: str, who: str) -> None:
        exists = self._says("close", iban, by=who, note="over")
        model = self.models[iban]
        assert exists or not model.there
        model.there = False

    @rule(hours=st.sampled_from((1, 24, 71, 72)))
    def wait(self, hours: int) -> None:
        self.house.clock.tick(hours=hours)
        self.tabs = []

    # -------------------------------------------------------------------------------------- what bills and customers do

    @rule(iban=WHICH)
    def deliver(self, iban: str) -> None:
        self.numbers += 1
        self.house.clock.tick(seconds=1)
        content = json_bill(to=self._address(), number=str(self.numbers), payee={"name": "Lumen", "iban": iban})
        client = ClientIdentity(client_id="cli_1", biller_id="blr_1")
        taken = deliver(self.house.services, client=client, content=content, media_type="application/json", to=None)
        assert bool(taken.held) is not self.models[iban].is_open(self.now)
        self.seen.add("held" if taken.held else "delivered")

    def _address(self) -> str:
        with self.house.services.reading() as uow:
            return uow.session.scalars(select(Connection.address)).one()

    @rule(pick=PICK)
    def ask(self, pick: int) -> None:
        """The confirm page and its challenge."""
        offered = [each for each in self._invoices() if each.state == "to_pay"]
        if not offered:
            return
        invoice = offered[pick % len(offered)]
        self.house.clock.tick(seconds=1)
        is_open = self.models[invoice.payee_iban or ""].is_open(self.now)
        with self.house.begin() as uow:
            shown = decisions.shown_now(uow, customer=self.house.customer, invoice_id=invoice.id, bank=PROFILE)
            assert (shown is not None) is is_open
            try:
                started = decisions.start_paying(
                    uow,
                    signed_in=self.house.signed_in,
                    party=PARTY,
                    invoice_id=invoice.id,
                    bank=PROFILE,
                    shown=shown,
                )
            except Conflict as refused:
                self.seen.add(f"ask: {refused.code}")
                return
            uow.commit()
        assert is_open
        self.tabs.append((invoice.id, started))

    @rule(pick=PICK)
    def sign(self, pick: int) -> None:
        if not self.tabs:
            return
        invoice_id, started = self.tabs.pop(pick % len(self.tabs))
        self.house.clock.tick(seconds=1)
        with self.house.begin() as uow:
            iban = uow.session.get_one(Invoice, invoice_id).payee_iban
            is_open = self.models[iban or ""].is_open(self.now)
            try:
                decisions.decide(
                    uow,
                    signed_in=self.house.signed_in,
                    party=PARTY,
                    invoice_id=invoice_id,
                    ceremony=started.ceremony,
                    credential=self.device.sign(started.public_key),
                    banks={"horizon": PROFILE},
                    psu=PSU,
                )
            except AppError as refused:
                self.seen.add(f"sign: {refused.code}")
                return
            uow.commit()
        assert is_open
        self.seen.add("decided")

    @rule(pick=PICK)
    def leave(self, pick: int) -> None:
        with self.house.services.reading() as uow:
            waiting = uow.session.scalars(
                select(Payment).where(Payment.state == "awaiting_customer").order_by(Payment.id)
            ).all()
        if not waiting:
            return
        payment = waiting[pick % len(waiting)]
        try:
            self.house.leave(payment.id)
        except TooLate as refused:
            self.seen.add(f"leave: {refused.code}")
            return
        assert self.models[self._iban_of(payment.id)].is_open(self.now)
        self.seen.add("left")

    @rule(pick=PICK)
    def work(self, pick: int) -> None:
        due = self._due()
        if due:
            self._do(due[pick % len(due)])

    @rule()
    def work_through(self) -> None:
        for _ in range(100):
            due = self._due()
            if not due:
                return
            self._do(due[0])
        raise AssertionError("it never ends")

    def _due(self) -> list[str]:
        with self.house.services.reading() as uow:
            due = select(WorkRow.key).where(
                WorkRow.handler.in_(WORK), WorkRow.run_at <= uow.now + dt.timedelta(seconds=3)
            )
            return list(uow.session.scalars(due.order_by(WorkRow.id)))

    def _do(self, key: str) -> None:
        self.house.clock.tick(seconds=3)  # past a head start
        with self.house.begin() as uow:
            claim = work.claim_key(uow.session, key=key, now=uow.now)
            uow.commit()
        if claim is None:
            return
        bank = self.house.bank
        if claim.handler == "payments.initiate":
            bank.answers["initiate"] = self.house.staged(claim.payload["payment_id"])
        before = len(bank.asked)
        HANDLERS[claim.handler](Task(services=self.house.services, claim=claim))
        if claim.handler == "payments.initiate" and any(verb == "initiate" for verb, _ in bank.asked[before:]):
            assert self.models[self._iban_of(claim.payload["payment_id"])].is_open(self.now)
            self.seen.add("sent")

    def _iban_of(self, payment_id: str) -> str:
        with self.house.services.reading() as uow:
            return uow.session.scalars(select(Decision.payee_iban).where(Decision.payment_id == payment_id)).one()

    def _invoices(self) -> list[Invoice]:
        with self.house.services.reading() as uow:
            return list(uow.session.scalars(select(Invoice).order_by(Invoice.id)))

    # ------------------------------------------------------------------------------------------------- what is true

    @invariant()
    def it_is_open_when_the_model_says_so(self) -> None:
        with self.house.services.reading() as uow:
            is_open = accounts.open_ibans(uow.session, biller_id="blr_1", now=self.now)
        assert is_open == {each.iban for each in self.models.values() if each.is_open(self.now)}

    @override
    def teardown(self) -> None:
        self.work_through()
        with reading(self.house.engine) as connection:
            for each in INVARIANTS:
                if not each.late:
                    assert found(connection, each, now=self.now) == (), f"{each.name}: {each.says}"
        with self.house.services.reading() as uow:
            reasons = uow.session.scalars(select(Payment.reason).where(Payment.reason.is_not(None)))
            self.seen.update(each for each in reasons if each)


@pytest.mark.parametrize("course", COURSES)
def test_accounts_in_every_order(course: str) -> None:
    class Begun(Accounts):
        pass

    Begun.course = course
    run_state_machine_as_test(Begun, settings=runs(8, steps=25))


def test_it_has_seen_what_it_is_for() -> None:
    """Beginning in each way, and doing nothing more."""
    Accounts.seen.clear()
    for course in COURSES:
        machine = type("Begun", (Accounts,), {"course": course})()
        machine.begin()
        machine.it_is_open_when_the_model_says_so()
        machine.teardown()
    assert Accounts.seen >= {
        *("held", "delivered", "ask: account-held", "sign: account-held", "decided", "sent", "left"),
        *("leave: account-held", "account_held", "approve: same-person", "unfreeze: same-person"),
        "approve: name-differs",
    }
