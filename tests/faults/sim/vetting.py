"""Operators freeze the accounts of billers, open them again by two, close them and approve them anew, at any moment.

What they said of each account is kept here, apart from the product's tables, and what customers decide and what goes to
a bank is held against it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app.db.unit_of_work import UnitOfWork
from app.errors import AppError
from app.people import accounts
from connectors.payee_name import NameAnswer, NameMatch
from tests.support.factories import OPERATORS

if TYPE_CHECKING:
    from tests.faults.sim.invariants import Found
    from tests.faults.sim.world import World

#: until an account that was approved anew is open
WAITS = (dt.timedelta(), dt.timedelta(hours=1), dt.timedelta(hours=72))
#: V3: what is decided
_DECIDED = "SELECT d.id, i.biller_id, d.payee_iban FROM decision d JOIN invoice i ON i.id = d.invoice_id"
#: V4: an order or a submission is about to be sent; or its customer is given the link to the bank
_WENT_ON = (
    "SELECT c.verb || ' ' || a.number || ' of ' || p.id, p.biller_id, d.payee_iban, p.id, c.verb, a.sent_at"
    " FROM bank_attempt a"
    " JOIN bank_call c ON c.id = a.call_id AND c.verb IN ('initiate', 'submit') JOIN payment p ON p.id = c.payment_id"
    " JOIN decision d ON d.id = p.decision_id"
    " UNION ALL SELECT 'link of ' || p.id, p.biller_id, d.payee_iban, p.id, 'link', NULL"
    " FROM payment p JOIN trip t ON t.id = p.trip_id"
    " JOIN decision d ON d.id = p.decision_id WHERE t.browser_hash IS NOT NULL"
)


@dataclass(eq=False, kw_only=True)
class Standing:
    """What people said of one account."""

    account_id: str
    biller_id: str
    holder: str
    approvals: int = 2
    opens_at: dt.datetime
    is_closed: bool = False
    is_frozen: bool = False
    thawed_by: int = 0  #: how many want it open again

    def is_open(self, now: dt.datetime) -> bool:
        return self.approvals == 2 and now >= self.opens_at and not self.is_closed and not self.is_frozen


@dataclass(eq=False)
class Vetting:
    """Of one history."""

    world: World
    standing: dict[str, Standing] = field(default_factory=dict)  #: by IBAN
    _looked_at: dict[str, list[Any]] = field(default_factory=dict)  #: by invariant, the rows of the last time
    judged: set[str] = field(default_factory=set)  #: what was held against it already

    def __post_init__(self) -> None:
        rows = self.world.house.raw.execute("SELECT id, biller_id, iban, holder FROM payee_account ORDER BY iban")
        for account_id, biller_id, iban, holder in rows:
            self.standing[iban] = Standing(
                account_id=account_id, biller_id=biller_id, holder=holder, opens_at=self.world.floor.now
            )

    # -------------------------------------------------------------------------------------------- what operators do

    def go_on(self) -> bool:
        """One operator does what fits, and now and then what does not."""
        self._change(self.world.dice.choice(sorted(self.standing)))
        return True

    def interrupt(self, payment_id: str) -> None:
        """Between two steps of somebody's payment, about its account."""
        query = "SELECT d.payee_iban FROM decision d WHERE d.payment_id = ?"
        row = self.world.house.raw.execute(query, (payment_id,)).fetchone()
        if row is not None and row[0] in self.standing:
            self._change(row[0])
            self.world.after()

    def _change(self, iban: str) -> None:
        """One to four things one after the other: who opens it again mostly gets there."""
        for _ in range(self.world.dice.choice((1, 2, 3, 4))):
            account, often = self.standing[iban], self.world.dice.random() < 0.8
            if account.is_closed:
                self._propose_anew(iban)
            elif account.approvals < 2:
                self._approve(account)
            elif account.is_frozen and often:
                self._unfreeze(account)
            else:
                (self._freeze if often else self._close)(account)

    def _freeze(self, account: Standing) -> None:
        if self._does(accounts.freeze, account, by=OPERATORS[0], note="a call"):
            account.is_frozen, account.thawed_by = True, 0
            self.world.floor.counts["some account frozen"] += 1

    def _unfreeze(self, account: Standing) -> None:
        """The first one who wants it may say so twice: that is one person."""
        by = self.world.dice.choice(OPERATORS) if account.thawed_by else OPERATORS[0]
        if not self._does(accounts.unfreeze, account, by=by, note="confirmed"):
            return
        account.thawed_by += 1
        if account.thawed_by == 2:
            account.is_frozen = False
            self.world.floor.counts["some account thawed"] += 1

    def _close(self, account: Standing) -> None:
        if self._does(accounts.close, account, by=OPERATORS[1], note="not theirs"):
            account.is_closed, account.is_frozen, account.approvals = True, False, 0

    def _propose_anew(self, iban: str) -> None:
        account = self.standing[iban]

        def propose(uow: UnitOfWork, *, account_id: str, by: str) -> None:
            accounts.propose(uow, biller_id=account.biller_id, iban=iban, holder=account.holder, by=by)
            accounts.note_check(uow, account_id=account_id, answer=NameAnswer(NameMatch.MATCH, None), by=by)

        if self._does(propose, account, by=OPERATORS[0]):
            account.is_closed = False

    def _approve(self, account: Standing) -> None:
        by = self.world.dice.choice(OPERATORS) if account.approvals else OPERATORS[0]
        wait = self.world.dice.choice(WAITS)
        if self._does(accounts.approve, account, holder=account.holder, by=by, wait=wait):
            account.approvals += 1
            account.opens_at = self.world.floor.now + wait
            self.world.floor.counts["some account approved anew"] += account.approvals == 2

    def _does(self, verb: Callable[..., Any], account: Standing, **how: Any) -> bool:
        """Whether it was taken."""
        with self.world.services.unit_of_work() as uow:
            try:
                verb(uow, account_id=account.account_id, **how)
            except AppError as refused:
                self.world.floor.note(f"operator: {verb.__name__} {account.account_id}: {refused.code}")
                return False
            uow.commit()
        self.world.floor.note(f"operator: {verb.__name__} {account.account_id}")
        return True

    # ----------------------------------------------------------------------------------------------------- what is true

    def judge(self) -> Iterator[Found]:
        """V3: nobody decides to pay to an account that is not open at that moment. V4: neither is anything of such a
        payment sent, nor its customer given the link, while the account is not."""
        for name, query in (("V3", _DECIDED), ("V4", _WENT_ON)):
            rows = self.world.kept.rows(query)
            if rows is self._looked_at.get(name):
                continue
            self._looked_at[name] = rows
            for what, biller_id, iban, *sending in rows:
                if what not in self.judged:
                    self.judged.add(what)
                    if self._is_held(biller_id, iban) and not (sending and self._only_tells(*sending)):
                        yield name, f"{what} to {iban}, which is not open"

    def _only_tells(self, payment_id: str, verb: str, sent_at: str | None) -> bool:
        """Whether the bank had it by then: the same bytes again move nothing, and tell what came of it."""
        if verb != "submit" or sent_at is None:
            return False
        sent = dt.datetime.fromisoformat(sent_at).replace(tzinfo=dt.UTC)
        taken = [order.submitted_at for order in self.world.orders_of(payment_id)]
        return any(at is not None and at < sent for at in taken)

    def _is_held(self, biller_id: str | None, iban: str) -> bool:
        """Of a bill that its customer added: whether anybody has frozen its account."""
        account = self.standing.get(iban)
        if biller_id is None:
            return account is not None and account.is_frozen
        return account is None or account.biller_id != biller_id or not account.is_open(self.world.floor.now)
