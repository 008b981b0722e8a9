"""The memo ledger under any order of postings by several payments of several invoices: nobody takes what is not there.

The model is who owes what, in plain numbers. It knows neither accounts nor lines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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

STANDS = {"held", "released", "paid", "taken back"}
#: how much of an invoice one may have found
ROOM = {"paid on top", "paid partly on top", "held of too little"}
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
    has: int  #: of its invoice
    stands: str = "held"  #: one of STANDS

    @property
    def holds(self) -> int:
        return min(self.has, self.claim.amount.minor) if self.stands == "held" else 0

    @property
    def let_off(self) -> int:
        """Below zero: what is to be given back."""
        moved = self.holds if self.stands == "held" else self.claim.amount.minor if self.stands == "paid" else 0
        return self.has - moved

    @property
    def room(self) -> str:
        """How much of the invoice it found; of most: all that it wanted."""
        if self.stands == "paid" and self.let_off < 0:
            return "paid partly on top" if self.has else "paid on top"
        return "held of too little" if self.stands == "held" and self.has < self.claim.whole else self.stands


class _Books(RuleBasedStateMachine):
    """What both machines know and compare."""

    bills: ClassVar[tuple[tuple[int, int], ...]]  #: amounts, and discounts off them
    seen: ClassVar[set[str]]  #: how payments stood in any run: a machine that posts nothing finds nothing

    def __init__(self) -> None:
        super().__init__()
        self.house = house().open()
        self.owed: dict[str, Owed] = {}
        self.taken: dict[str, Taken] = {}
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

    def _more(self, one: Taken) -> int:
        """It takes what others have left, as far as it lacks that. Returns how much."""
        owed = self.owed[one.claim.invoice_id]
        more = min(one.claim.whole - one.has, owed.due)
        one.has += more
        owed.due -= more
        return more

    def _gives_back(self, one: Taken, stands: str) -> None:
        self.owed[one.claim.invoice_id].due += one.has
        one.has, one.stands = 0, stands

    def _goes_to_who_paid_on_top(self, invoice_id: str) -> int:
        """What is free is taken by those that have paid for it already, as far as they go into it, the largest first,
        and of these the one that was decided first: it is not paid for once more."""
        on_top = [one for one in self.taken.values() if one.claim.invoice_id == invoice_id and one.let_off < 0]
        return sum(self._more(one) for one in sorted(on_top, key=lambda one: -one.claim.whole))

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
        held = {f"inflight:{key}": one.holds for key, one in self.taken.items()}
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
            if one.claim.creditor == biller and one.stands == "paid"
        )

    def _let_off_by(self, biller: str) -> int:
        """Discounts, less what it was paid on top and has to give back."""
        return sum(one.let_off for one in self.taken.values() if one.claim.creditor == biller)

    @invariant()
    def it_is_noted_how_payments_stand(self) -> None:
        self.seen.update(each for one in self.taken.values() for each in (one.stands, one.room))

    @invariant()
    def nothing_is_taken_twice(self) -> None:
        """Billed is what is due, what payments hold and what they have paid; once paid twice is nobody's due."""
        for invoice_id, owed in self.owed.items():
            those = [one for one in self.taken.values() if one.claim.invoice_id == invoice_id]
            assert owed.due + sum(one.has for one in those) == owed.billed
            assert all(0 <= one.has <= one.claim.whole for one in those)
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

    @initialize()
    def begin_with_parts(self) -> None:
        """Of one bill a part is paid while another payment of all of it was closed, and then executed on top, as far as
        there is no room for it; of another one such a payment comes alive again."""
        for number, late in ((2, self.go_on), (3, self.come_alive)):
            self._bill(f"inv_{number}", BILLERS[0], 10_000, 0)
            self.take(pick=number, how="all", percent=3)
            self.go_on(pick=0, well=False)
            self.take(pick=number, how="half", percent=0)
            self.go_on(pick=0, well=True)
            late(pick=1, **({"well": True} if number == 2 else {}))
            self.it_is_noted_how_payments_stand()
        self.go_on(pick=2, well=False, apply=True)

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
        self.taken[claim.payment_id] = Taken(claim, whole)

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
        verb = {"released": ledger.correct, "taken back": ledger.reclaim, "paid": ledger.reverse}.get(one.stands)
        verb = ledger.settle if one.holds else verb
        before = self._everything()
        if verb is not None:
            with self.house.begin() as uow:
                verb(uow, one.claim)
        assert self._everything() == before

    @precondition(lambda self: self.taken)
    @rule(pick=PICK, well=st.booleans(), apply=st.booleans())
    def go_on(self, pick: int, well: bool, apply: bool = False) -> None:
        """The next thing that can happen to it; what became free may then go to who paid on top."""
        one = self._one(pick)
        if one.stands == "held" and well:
            verb = ledger.settle if one.holds else ledger.correct
            has, more = one.has, 0 if one.holds else self._more(one)
            assert self._post(lambda uow: verb(uow, one.claim)) == has + more
            one.stands = "paid"
        elif one.stands == "held":
            if one.holds:
                assert self._post(lambda uow: ledger.release(uow, one.claim)) == one.has
            self._gives_back(one, "released")
        elif one.stands in ("released", "taken back"):  # it was executed after all
            assert self._post(lambda uow: ledger.correct(uow, one.claim)) == self._more(one)
            one.stands = "paid"
        elif one.stands == "paid":
            assert self._post(lambda uow: ledger.reverse(uow, one.claim)) == one.has
            self._gives_back(one, "taken back")
        if apply:
            invoice_id = one.claim.invoice_id
            applied = self._post(lambda uow: ledger.apply_overpaid(uow, invoice_id=invoice_id))
            assert applied == self._goes_to_who_paid_on_top(invoice_id)
            self.seen.update({"applied"} if applied else ())

    @precondition(lambda self: self.taken)
    @rule(pick=PICK)
    def come_alive(self, pick: int) -> None:
        """It may happen after all, or found too little when it came alive: it holds what is left."""
        one = self._one(pick)
        if one.stands == "paid":
            self._refuse(lambda uow: ledger.reclaim(uow, one.claim), Overdrawn)
            return
        assert self._post(lambda uow: ledger.reclaim(uow, one.claim)) == self._more(one)
        one.stands = "held"

    @precondition(lambda self: self.taken)
    @rule(pick=PICK, verb=st.sampled_from(("initiate", "release", "settle", "correct", "reverse")))
    def say_it_again(self, pick: int, verb: str) -> None:
        """The same posting twice, or an end of one that holds nothing: refused, whatever the caller forgot."""
        one = self._one(pick)
        may = {"release": one.holds, "settle": one.holds, "correct": not one.has and one.stands != "paid"}
        if not may.get(verb, one.stands == "paid" and verb == "reverse"):
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
        self.taken[claim.payment_id] = Taken(claim, claim.whole)

    @precondition(lambda self: self.taken)
    @rule(pick=PICK, well=st.booleans())
    def go_on(self, pick: int, well: bool) -> None:
        one = self._one(pick)
        if one.stands == "held" and well:
            self._post(lambda uow: invoices.settle(uow, one.claim))
            one.stands = "paid"
        elif one.stands == "held":
            self._post(lambda uow: invoices.release(uow, one.claim, is_sure=False))
            self._gives_back(one, "released")
            self._goes_to_who_paid_on_top(one.claim.invoice_id)
        elif one.stands in ("released", "taken back"):
            assert self._post(lambda uow: invoices.correct(uow, one.claim)) == self._more(one)
            one.stands = "paid"
        elif one.stands == "paid":
            self._post(lambda uow: invoices.reopen(uow, one.claim))
            self._gives_back(one, "taken back")
            self._goes_to_who_paid_on_top(one.claim.invoice_id)

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
            stands = {one.stands for one in self.taken.values() if one.claim.invoice_id == invoice_id and one.has}
            expected = "in_payment" if "held" in stands else "paid" if "paid" in stands else "to_pay"
            assert state == expected


def test_parts_of_invoices() -> None:
    run_state_machine_as_test(Parts, settings=runs(25, steps=25, few=16))
    assert Parts.seen == STANDS | ROOM | {"applied"}


def test_whole_invoices() -> None:
    run_state_machine_as_test(Wholes, settings=runs(20, steps=25))
    assert Wholes.seen == STANDS | {"paid on top"}
