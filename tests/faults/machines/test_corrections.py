"""Corrections among the decisions and ends of payments, in every order: what is due, paid, taken off and owed.

Its own sums are of the plainest kind: what was billed, less what was taken off, less what payments have. What is above
zero is due, what is below is owed; and never more is taken by a decision than is due.
"""

from __future__ import annotations

import functools
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

from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict
from app.invariants import INVARIANTS, found, reading
from app.journey.invoices import service as invoices
from app.journey.invoices.models import Invoice
from app.journey.ledger.rules import Claim
from connectors.money import Money
from tests.faults.machines.house import BILLERS, House, runs

BILLED, DISCOUNT = 100_00, 3_33
INVOICE = "inv_1"
PICK = st.sampled_from(range(10))
#: queries that read nothing but the ledger and the invoice; corrections and decisions have no rows here
OF_THE_LEDGER = [each for each in INVARIANTS if each.name in ("F1", "F4", "F9")]


@functools.cache
def house() -> House:
    return House()


@dataclass
class Taken:
    claim: Claim
    stands: str = "held"  #: held, released, paid, paid twice, taken back
    reclaims: int = 0


class Corrections(RuleBasedStateMachine):
    """One bill of a hundred, its corrections and its payments."""

    seen: ClassVar[set[str]] = set()

    def __init__(self) -> None:
        super().__init__()
        self.house = house().open()
        self.taken: list[Taken] = []
        self.off = self.retracted = 0
        self.said = 0

    @initialize(before=st.sampled_from((0, 1, 30_00)), course=st.sampled_from(range(5)))
    def begin(self, before: int, course: int) -> None:
        """A bill, and often a payment of it that was closed and may come after all."""
        self.house.bill(INVOICE, biller_id=BILLERS[0], amount=BILLED, discount=DISCOUNT)
        if course:
            self.decide(early=course == 1, stale=False)
            self.go_on(pick=0, well=False)
            if before:
                self.credit(before)
        if course == 2:
            self.go_on(pick=0, well=False)
        if course >= 3:
            self.decide(early=False, stale=False)
            self.go_on(pick=1, well=True)
        if course == 4:
            self.credit(2)
            self.go_on(pick=0, well=False)

    # ------------------------------------------------------------------------------------------------ what it should be

    @property
    def net(self) -> int:
        """Above zero: due. Below: owed."""
        return BILLED - self.off - sum(one.claim.whole for one in self.taken if one.stands in ("held", "paid"))

    @property
    def has_it(self) -> Taken | None:
        return next((one for one in self.taken if one.stands in ("held", "paid")), None)

    def _free(self) -> None:
        """Nobody has it any more: the first that paid for it on top of another one pays for it."""
        for one in self.taken:
            if one.stands == "paid twice":
                one.stands = "paid"
                self.seen.add("applied")
                return

    # ----------------------------------------------------------------------------------------------------- what happens

    @rule(minor=st.sampled_from((1, 2, 10_00, 30_00, 120_00)))
    def credit(self, minor: int) -> None:
        it = self.has_it
        assert self._credit(minor) == minor
        self.off += minor
        self.seen.add(f"credited while {it.stands if it else 'free'}")

    @rule()
    def withdraw(self) -> None:
        left = max(BILLED - self.off, 0)
        assert self._credit(None) == left
        self.off += left
        self.retracted += left

    def _credit(self, minor: int | None) -> int:
        self.said += 1
        name = f"cor_{self.said}"
        taken: int = self._post(lambda uow: invoices.credit(uow, correction_id=name, invoice_id=INVOICE, minor=minor))
        return taken

    @rule(early=st.booleans(), stale=st.booleans())
    def decide(self, early: bool, stale: bool) -> None:
        """The whole bill as it is asked; or, stale, as it was asked when it came."""
        asked = BILLED if stale else max(BILLED - self.off, 0)
        discount = DISCOUNT * asked // BILLED if early else 0
        if not asked:
            return
        claim = Claim(
            invoice_id=INVOICE,
            payment_id=f"pay_{len(self.taken)}",
            creditor=BILLERS[0],
            amount=Money(asked - discount, "EUR"),
            discount=Money(discount, "EUR"),
        )
        if self.net < asked:
            with self.house.begin() as uow, pytest.raises(Conflict):
                invoices.claim(uow, claim)
            self.seen.add("refused")
            return
        self._post(lambda uow: invoices.claim(uow, claim))
        self.taken.append(Taken(claim))

    @precondition(lambda self: self.taken)
    @rule(pick=PICK, well=st.booleans())
    def go_on(self, pick: int, well: bool) -> None:
        one = self.taken[-1 - pick % len(self.taken)]
        if one.stands == "held" and well:
            self._post(lambda uow: invoices.settle(uow, one.claim))
            one.stands = "paid"
        elif one.stands == "held":
            self._post(lambda uow: invoices.release(uow, one.claim, is_sure=False))
            one.stands = "released"
            self._free()
        elif one.stands == "released" and well:
            free = self.has_it is None
            assert bool(self._post(lambda uow: invoices.correct(uow, one.claim))) is free
            one.stands = "paid" if free else "paid twice"
        elif one.stands == "released" and self.has_it is None:
            self._post(lambda uow: _reclaimed(uow, one.claim))
            one.stands = "held"
            self.seen.add("reclaimed")
        elif one.stands in ("paid", "paid twice"):
            first = one.stands == "paid"
            self._post(lambda uow: invoices.reopen(uow, one.claim))
            one.stands = "taken back"
            if first:
                self._free()

    def _post(self, work: Callable[[UnitOfWork], Any]) -> Any:
        with self.house.begin() as uow:
            answer = work(uow)
            uow.commit()
        return answer

    # ----------------------------------------------------------------------------------------------------- what is true

    @invariant()
    def due_and_owed_are_right_to_the_cent(self) -> None:
        totals = dict(self.house.rows("SELECT account, sum(amount_minor) FROM ledger_entry GROUP BY account"))
        assert totals.get(f"due:{INVOICE}", 0) == max(self.net, 0)
        assert totals.get(f"owed:{INVOICE}", 0) == min(self.net, 0)
        paid = sum(one.claim.amount.minor for one in self.taken if one.stands in ("paid", "paid twice"))
        assert totals.get(f"settled:{BILLERS[0]}", 0) == paid
        let_off = sum(one.claim.discount.minor for one in self.taken if one.stands in ("held", "paid"))
        twice = sum(one.claim.amount.minor for one in self.taken if one.stands == "paid twice")
        assert totals.get(f"adjust:{BILLERS[0]}", 0) == self.off + let_off - twice
        assert sum(totals.values()) == 0

    @invariant()
    def the_invoice_says_so(self) -> None:
        [(state, credited)] = self.house.rows("SELECT state, credited_minor FROM invoice")
        assert credited == self.off
        it = self.has_it
        free = "to_pay" if self.net > 0 else "cleared"
        assert state == ({"held": "in_payment", "paid": "paid"}[it.stands] if it else free)
        self.seen.add(state)

    @invariant()
    def a_refund_is_told_once_it_is_owed_for_sure(self) -> None:
        """The last that was told is what is owed, wherever no payment is under way."""
        it = self.has_it
        owed = -min(self.net, 0)
        if owed and it is not None:  # of what was let off nothing is given back where no amount was named
            owed -= min(it.claim.discount.minor, self.retracted)
        if it is None or it.stands == "paid":
            told = self.house.rows(
                "SELECT payload ->> 'amount_minor' FROM event WHERE kind = 'RefundOwed' ORDER BY rowid DESC LIMIT 1"
            )
            last = [int(row[0]) for row in told]
            assert last == [owed] if owed else last in ([], [0])
            self.seen.update(("refund told",) if owed else ("refund taken back",) if told else ())

    @invariant()
    def the_product_finds_no_fault_in_its_ledger(self) -> None:
        with reading(self.house.engine) as connection:
            for each in OF_THE_LEDGER:
                assert found(connection, each, now=self.house.clock.now) == (), each.says


def _reclaimed(uow: UnitOfWork, claim: Claim) -> None:
    assert invoices.reclaim(uow, claim) == claim.whole
    assert uow.session.get_one(Invoice, INVOICE, populate_existing=True).state == "in_payment"


def test_corrections_in_every_order() -> None:
    run_state_machine_as_test(Corrections, settings=runs(80, steps=30))
    assert Corrections.seen >= {
        *("to_pay", "in_payment", "paid", "cleared", "refused", "reclaimed", "refund told", "refund taken back"),
        *("credited while free", "credited while held", "credited while paid", "applied"),
    }
