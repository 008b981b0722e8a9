"""The memo ledger under any order of postings by several payments of several invoices: nobody takes what is not there.

The model is who owes what, in plain numbers. It knows neither accounts nor lines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.exc import IntegrityError

from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict
from app.invariants import INVARIANTS, found, reading
from app.journey.invoices import service as invoices
from app.journey.ledger import service as ledger
from app.journey.ledger.rules import Claim
from app.journey.ledger.service import Overdrawn
from connectors.money import Money
from tests.faults.machines.house import BILLERS, house, runs

pytestmark = pytest.mark.timeout(600)  # to make a run that breaks something short takes minutes

#: what the ledger alone must keep to; the others look at payments too, which these machines do not have
OF_THE_LEDGER = [each for each in INVARIANTS if each.name in ("F1", "F4")]

STANDS = {"held", "released", "paid", "paid twice", "taken back"}
PICK = st.sampled_from(range(6))


@dataclass
class Owed:
    """One invoice as its biller would write it on paper."""

    biller: str
    billed: int
    discount: int = 0
    due: int = 0  #: free to pay


@dataclass
class Taken:
    """One payment: what it takes of its invoice, and how far it got."""

    claim: Claim
    stands: str = "held"  #: one of STANDS
    told: set[str] = field(default_factory=lambda: {"initiate"})  #: what was posted for it


class _Books(RuleBasedStateMachine):
    """What both machines know and compare."""

    bills: ClassVar[tuple[tuple[int, int], ...]]  #: amounts, and discounts off them
    seen: ClassVar[set[str]]  #: how payments stood in any run: a machine that posts nothing finds nothing

    def __init__(self) -> None:
        super().__init__()
        self.house = house().open()
        self.owed: dict[str, Owed] = {}
        self.taken: dict[str, Taken] = {}
        self.twice: list[Taken] = []  #: executed on top of another payment, in this order
        self.claims = 0

    @initialize()
    def begin(self) -> None:
        """Some invoices; one is taken by a second payment after the first was given up, and yet executed."""
        for number, (amount, discount) in enumerate(self.bills):
            self._bill(f"inv_{number}", BILLERS[number % 2], amount, discount)
        self._take_whole()
        self.go_on(pick=0, well=False)
        self._take_whole()
        self.go_on(pick=1, well=True)

    def _take_whole(self) -> None:
        raise NotImplementedError

    def go_on(self, pick: int, well: bool) -> None:
        raise NotImplementedError

    def _bill(self, invoice_id: str, biller_id: str, amount: int, discount: int) -> None:
        self.house.bill(invoice_id, biller_id=biller_id, amount=amount, discount=discount)
        self.owed[invoice_id] = Owed(biller_id, amount, discount, due=amount)

    def _new(self, invoice_id: str, amount: int, discount: int) -> Claim:
        self.claims += 1
        return Claim(
            invoice_id=invoice_id,
            payment_id=f"pay_{self.claims}",
            creditor=self.owed[invoice_id].biller,
            amount=Money(amount, "EUR"),
            discount=Money(discount, "EUR"),
        )

    def _one(self, pick: int) -> Taken:
        """The newest ones first: they are those to which something may still happen."""
        return list(reversed(self.taken.values()))[pick % len(self.taken)]

    def _goes_to_who_paid_twice(self, invoice_id: str) -> int:
        """What is free is taken by those that have paid for it already, as far as they go into it, the largest first:
        it is not paid for once more."""
        owed, taken = self.owed[invoice_id], 0
        for one in sorted(self.twice, key=lambda one: -one.claim.whole):
            if one.claim.invoice_id == invoice_id and one.stands == "paid twice" and one.claim.whole <= owed.due:
                one.stands = "paid"
                owed.due -= one.claim.whole
                taken += one.claim.whole
        return taken

    def _post(self, work: Callable[[UnitOfWork], Any]) -> Any:
        with self.house.begin() as uow:
            answer = work(uow)
            uow.commit()
        return answer

    def _refuse(self, work: Callable[[UnitOfWork], Any], *how: type[Exception]) -> None:
        """It is refused, and nothing at all was written."""
        before = self._everything()
        with self.house.begin() as uow, pytest.raises(how):
            work(uow)
        assert self._everything() == before

    def _everything(self) -> list[list[tuple[Any, ...]]]:
        tables = ("ledger_balance", "ledger_entry", "invoice")
        return [self.house.rows(f"SELECT * FROM {table} ORDER BY 1") for table in tables]  # noqa: S608

    @invariant()
    def the_ledger_says_who_owes_what(self) -> None:
        balances = dict(self.house.rows("SELECT account, balance_minor FROM ledger_balance"))
        assert all(minor >= 0 for minor in balances.values())
        held = {
            f"inflight:{key}": one.claim.amount.minor if one.stands == "held" else 0 for key, one in self.taken.items()
        }
        assert balances == {f"due:{key}": one.due for key, one in self.owed.items()} | held
        totals = dict(self.house.rows("SELECT account, sum(amount_minor) FROM ledger_entry GROUP BY account"))
        for biller in BILLERS:
            assert totals.get(f"biller:{biller}", 0) == -sum(o.billed for o in self.owed.values() if o.biller == biller)
            assert totals.get(f"settled:{biller}", 0) == self._paid_to(biller)
            assert totals.get(f"adjust:{biller}", 0) == self._let_off_by(biller)
        assert sum(totals.values()) == 0

    def _paid_to(self, biller: str) -> int:
        return sum(
            one.claim.amount.minor
            for one in self.taken.values()
            if one.claim.creditor == biller and one.stands in ("paid", "paid twice")
        )

    def _let_off_by(self, biller: str) -> int:
        """Discounts, less what it was paid twice and has to give back."""
        let_off = 0
        for one in self.taken.values():
            if one.claim.creditor == biller:
                let_off += one.claim.discount.minor if one.stands in ("held", "paid") else 0
                let_off -= one.claim.amount.minor if one.stands == "paid twice" else 0
        return let_off

    @invariant()
    def it_is_noted_how_payments_stand(self) -> None:
        self.seen.update(one.stands for one in self.taken.values())

    @invariant()
    def nothing_is_taken_twice(self) -> None:
        """Billed is what is due, what payments hold and what they have paid; once paid twice is nobody's due."""
        for invoice_id, owed in self.owed.items():
            whole = sum(
                one.claim.whole
                for one in self.taken.values()
                if one.claim.invoice_id == invoice_id and one.stands in ("held", "paid")
            )
            assert owed.due + whole == owed.billed
            assert owed.due >= 0

    @invariant()
    def the_product_finds_no_fault_in_its_ledger(self) -> None:
        with reading(self.house.engine) as connection:
            for each in OF_THE_LEDGER:
                assert found(connection, each, now=self.house.clock.now) == (), each.says


class Parts(_Books):
    """The ledger itself: any part of an invoice may be taken, and several payments may hold parts of one."""

    bills = ((10_000, 0), (1, 0))
    seen: ClassVar[set[str]] = set()

    def _take_whole(self) -> None:
        self.take(pick=0, how="all", percent=3)

    @rule(pick=PICK, how=st.sampled_from(("all", "one", "half", "all but one")), percent=st.sampled_from((0, 3, 50)))
    def take(self, pick: int, how: str, percent: int) -> None:
        invoice_id, owed = list(self.owed.items())[pick % len(self.owed)]
        whole = {"all": owed.due, "one": 1, "half": owed.due // 2, "all but one": owed.due - 1}[how]
        discount = whole * percent // 100
        if whole < 1 or whole > owed.due:
            return
        claim = self._new(invoice_id, whole - discount, discount)
        self._post(lambda uow: ledger.initiate(uow, claim))
        owed.due -= whole
        self.taken[claim.payment_id] = Taken(claim)

    @rule(pick=PICK, more=st.sampled_from((1, 2, 10**12)), discount=st.sampled_from((0, 1)))
    def take_more_than_there_is(self, pick: int, more: int, discount: int) -> None:
        invoice_id, owed = list(self.owed.items())[pick % len(self.owed)]
        claim = self._new(invoice_id, owed.due + more, discount)
        self._refuse(lambda uow: ledger.initiate(uow, claim), Overdrawn)

    @precondition(lambda self: self.taken)
    @rule(pick=PICK)
    def go_down_before_the_commit(self, pick: int) -> None:
        """Whatever it was, it has not happened."""
        one = self._one(pick)
        verb = {"held": ledger.settle, "released": ledger.correct, "paid": ledger.reverse}.get(one.stands)
        before = self._everything()
        if verb is not None:
            with self.house.begin() as uow:
                verb(uow, one.claim)
        assert self._everything() == before

    @precondition(lambda self: self.taken)
    @rule(pick=PICK, well=st.booleans(), apply=st.booleans())
    def go_on(self, pick: int, well: bool, apply: bool = False) -> None:
        """The next thing that can happen to it; what became free may then go to who paid twice."""
        one = self._one(pick)
        owed = self.owed[one.claim.invoice_id]
        if one.stands == "held" and well:
            self._post(lambda uow: ledger.settle(uow, one.claim))
            self._stands(one, "paid", "settle")
        elif one.stands == "held":
            self._post(lambda uow: ledger.release(uow, one.claim))
            self._stands(one, "released", "release")
            owed.due += one.claim.whole
        elif one.stands == "released":  # it was executed after all, and takes its part if that is still free
            free = owed.due >= one.claim.whole
            assert self._post(lambda uow: ledger.correct(uow, one.claim)) is free
            self._stands(one, "paid" if free else "paid twice", "correct")
            owed.due -= one.claim.whole if free else 0
            self.twice += [] if free else [one]
        elif one.stands in ("paid", "paid twice"):
            first = one.stands == "paid"
            assert self._post(lambda uow: ledger.reverse(uow, one.claim)) is first
            self._stands(one, "taken back", "reverse")
            owed.due += one.claim.whole if first else 0
        if apply:
            invoice_id = one.claim.invoice_id
            applied = self._post(lambda uow: ledger.apply_overpaid(uow, invoice_id=invoice_id))
            assert applied == self._goes_to_who_paid_twice(invoice_id)
            self.seen.update({"applied"} if applied else ())

    def _stands(self, one: Taken, now: str, told: str) -> None:
        one.stands = now
        one.told.add(told)

    @precondition(lambda self: self.taken)
    @rule(pick=PICK, verb=st.sampled_from(("initiate", "release", "settle", "correct", "reverse")))
    def say_it_again(self, pick: int, verb: str) -> None:
        """The same posting twice, or the other end of one that has ended: refused, whatever the caller forgot."""
        one = self._one(pick)
        ended = one.stands != "held" and verb in ("release", "settle")
        if verb in one.told or ended:
            self._refuse(lambda uow: getattr(ledger, verb)(uow, one.claim), Overdrawn, IntegrityError)

    @rule(pick=PICK)
    def bill_again(self, pick: int) -> None:
        invoice_id, owed = list(self.owed.items())[pick % len(self.owed)]
        again = Money(owed.billed, "EUR")
        self._refuse(
            lambda uow: ledger.bill(uow, invoice_id=invoice_id, creditor=owed.biller, amount=again), IntegrityError
        )


class Wholes(_Books):
    """Invoices as the product pays them: all at once, with or without the discount, by one payment at a time."""

    bills = ((84_20, 4_20), (1, 0))
    seen: ClassVar[set[str]] = set()

    def _take_whole(self) -> None:
        self.decide(pick=0, early=True)

    @rule(pick=PICK, early=st.booleans())
    def decide(self, pick: int, early: bool) -> None:
        """Two tabs, two devices: the second one is told so, and nothing moves."""
        invoice_id, owed = list(self.owed.items())[pick % len(self.owed)]
        discount = owed.discount if early else 0
        claim = self._new(invoice_id, owed.billed - discount, discount)
        if owed.due < owed.billed:
            self._refuse(lambda uow: invoices.claim(uow, claim), Conflict)
            return
        self._post(lambda uow: invoices.claim(uow, claim))
        owed.due = 0
        self.taken[claim.payment_id] = Taken(claim)

    @precondition(lambda self: self.taken)
    @rule(pick=PICK, well=st.booleans())
    def go_on(self, pick: int, well: bool) -> None:
        one = self._one(pick)
        owed = self.owed[one.claim.invoice_id]
        if one.stands == "held" and well:
            self._post(lambda uow: invoices.settle(uow, one.claim))
            one.stands = "paid"
        elif one.stands == "held":
            self._post(lambda uow: invoices.release(uow, one.claim, is_sure=False))
            one.stands, owed.due = "released", owed.billed
            self._goes_to_who_paid_twice(one.claim.invoice_id)
        elif one.stands == "released":
            free = owed.due == owed.billed
            assert self._post(lambda uow: invoices.correct(uow, one.claim)) is free
            one.stands, owed.due = "paid" if free else "paid twice", 0
            self.twice += [] if free else [one]
        elif one.stands in ("paid", "paid twice"):
            self._post(lambda uow: invoices.reopen(uow, one.claim))
            freed, one.stands = one.stands == "paid", "taken back"
            if freed:
                owed.due = owed.billed
                self._goes_to_who_paid_twice(one.claim.invoice_id)

    @precondition(lambda self: self.taken)
    @rule(pick=PICK)
    def end_again(self, pick: int) -> None:
        """Whatever its end was, it has no other one."""
        one = self._one(pick)
        if one.stands != "held":
            self._refuse(lambda uow: invoices.release(uow, one.claim, is_sure=False), Overdrawn, IntegrityError)
            self._refuse(lambda uow: invoices.settle(uow, one.claim), Overdrawn, IntegrityError)

    @invariant()
    def an_invoice_says_what_its_payments_do(self) -> None:
        for invoice_id, state in self.house.rows("SELECT id, state FROM invoice"):
            stands = {one.stands for one in self.taken.values() if one.claim.invoice_id == invoice_id}
            expected = "in_payment" if "held" in stands else "paid" if "paid" in stands else "to_pay"
            assert state == expected


def test_parts_of_invoices() -> None:
    run_state_machine_as_test(Parts, settings=runs(25, steps=25, few=16))
    assert Parts.seen == STANDS | {"applied"}


def test_whole_invoices() -> None:
    run_state_machine_as_test(Wholes, settings=runs(20, steps=25))
    assert Wholes.seen == STANDS
