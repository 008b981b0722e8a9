"""Whole lives of one bill by the pure rules alone, by the hundred thousand: what is paid, let off, taken off and left
sums to the bill to the cent, whatever happens in whatever order, and nothing is ever asked for that is not due.

A life is drawn by a seed: a hundred thousand of them take minutes. test_one_bill.py of the machines has the services.
"""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import Invalid
from app.journey.decisions.orders import checked_part, price_of
from app.journey.invoices.models import Invoice
from app.journey.invoices.rules import held_back, to_give_back
from app.journey.ledger import rules
from app.journey.ledger.rules import NOTHING, Claim, Lines, Position
from connectors.money import Money
from tests.support.thorough import thorough

EUR = "EUR"
DUE, OWED = rules.due("inv"), rules.owed("inv")
#: clocks change, months end, and a leap day
BEGINS = (dt.date(2026, 3, 27), dt.date(2026, 10, 23), dt.date(2026, 12, 30), dt.date(2028, 2, 27))


@dataclass
class Taken:
    claim: Claim
    stands: str = "held"  #: held, released, dropped, paid, taken back
    has: Position = NOTHING


@dataclass
class Life:
    """One bill, and the books that the rules write of it."""

    dice: random.Random
    books: Counter[str] = field(default_factory=Counter)
    taken: list[Taken] = field(default_factory=list)
    noted: int = 0  #: taken off by credit notes
    retracted: int = 0  #: and without an amount
    disputed: int = 0
    was_released: bool = False

    def __post_init__(self) -> None:
        dice = self.dice
        amount = dice.choice((1, 2, 99, 100_00, dice.randint(3, 10**4), dice.randint(3, 10**13)))
        self.day = dice.choice(BEGINS)
        count = dice.randint(0, min(3, amount - 1))
        saves = sorted({dice.randint(1, amount - 1) for _ in range(count)}, reverse=True)
        tiers = [(self.day + dt.timedelta(days=3 * number), minor) for number, minor in enumerate(saves)]
        self.invoice = Invoice(
            currency=EUR,
            amount_minor=amount,
            credited_minor=0,
            paid_minor=0,
            held_back_minor=0,
            discount_minor=tiers[0][1] if tiers else 0,
            discount_until=tiers[0][0] if tiers else None,
            later_discounts=[{"until": day.isoformat(), "minor": minor} for day, minor in tiers[1:]],
        )
        self.post(rules.billed(invoice_id="inv", creditor="blr", amount=Money(amount, EUR)), shares=False)

    # ----------------------------------------------------------------------------------------------------- what happens

    def post(self, lines: Lines, *, shares: bool = True) -> None:
        if shares:
            lines = rules.shared(lines, invoice_id="inv", due_minor=self.books[DUE], owed_minor=self.books[OWED])
        assert sum(line.minor for line in lines) == 0
        for line in lines:
            self.books[line.account] += line.minor

    def step(self) -> None:
        verbs = (self.decide, self.decide, self.end, self.end, self.revive, self.take_off, self.dispute, self.wait)
        self.dice.choice(verbs)()
        self.follow()

    def decide(self) -> None:
        """All of it, or a part, as the day and what is held back have it."""
        invoice = self.invoice
        if self.has_it("held") or not invoice.to_pay.minor or (self.disputed and not invoice.held_back_minor):
            return
        most = min(invoice.to_pay.minor, invoice.left.minor - 1)
        part = None
        # a part after one was closed: its bank has it, and said so only later
        if most and self.dice.random() < (0.3 if self.was_released else 0.6):
            part = str(Money(self.dice.choice((1, most, self.dice.randint(1, most))), EUR))
        price = price_of(invoice, day=self.day, part=part)
        self.taken.append(
            Taken(
                Claim(
                    invoice_id="inv",
                    payment_id=f"pay_{len(self.taken)}",
                    creditor="blr",
                    amount=price.amount,
                    discount=price.discount,
                )
            )
        )
        claim = self.taken[-1].claim
        assert claim.amount.minor > 0
        assert claim.whole <= self.books[DUE] - invoice.held_back_minor
        self.move(self.taken[-1], rules.holding(claim, claim.whole), shares=False)

    def move(self, one: Taken, after: Position, *, shares: bool = True) -> None:
        self.post(rules.moved(one.claim, one.has, after), shares=shares)
        one.has = after

    def end(self) -> None:
        """The bank's yes or no, or a later word of it."""
        if not self.taken:
            return
        one, well = self.dice.choice(self.taken[-3:]), self.dice.random() < 0.7
        if one.stands == "held":
            self.move(one, rules.executed(one.claim, one.has.taken) if well else NOTHING)
            # dropped: nobody but we could have made it happen
            one.stands = "paid" if well else self.dice.choice((*["released"] * 6, "dropped"))
            self.was_released |= one.stands == "released"
        elif one.stands in ("released", "taken back") and well:
            self.move(one, rules.executed(one.claim, self.room(one)))
            one.stands = "paid"
        elif one.stands == "paid" and not well:
            self.move(one, NOTHING)
            one.stands = "taken back"
        self.share_out()

    def revive(self) -> None:
        """The bank calls one accepted after all that was closed, or taken back."""
        gone = self.having("released", "taken back")
        if gone:
            one = self.dice.choice(gone)
            self.move(one, rules.holding(one.claim, self.room(one)))
            one.stands = "held"

    def share_out(self) -> None:
        """What became free pays for what was paid, the largest first, and then goes to who found too little."""
        for one in sorted(self.having("paid"), key=lambda one: -one.claim.whole):
            if one.has.on_top:
                self.move(one, rules.executed(one.claim, one.has.taken + self.room(one)))
        for one in self.having("held"):
            self.move(one, rules.holding(one.claim, one.has.taken + self.room(one)))

    def take_off(self) -> None:
        """A credit note of any amount; or all that is asked, by a withdrawal."""
        asked = self.invoice.asked.minor
        if self.dice.random() < 0.3:
            minor = asked
            self.retracted += minor
        else:
            minor = self.dice.choice((1, self.dice.randint(1, asked + 1), self.dice.randint(1, 10**13)))
            self.noted += minor
        self.post(rules.credited(invoice_id="inv", creditor="blr", minor=minor))
        self.disputed = 0  # its company's yes

    def dispute(self) -> None:
        if not self.has_it("held"):
            self.disputed = self.dice.choice((0, 1, self.dice.randint(1, self.invoice.amount_minor)))

    def wait(self) -> None:
        self.day += dt.timedelta(days=self.dice.randint(1, 5))

    def follow(self) -> None:
        """The invoice has what the service keeps in it."""
        self.invoice.credited_minor = self.noted + self.retracted
        self.invoice.paid_minor = sum(one.has.taken for one in self.having("paid"))
        left = self.invoice.left.minor
        held = held_back(disputed_minor=self.disputed, left_minor=left, is_apart=not self.was_released)
        self.invoice.held_back_minor = held

    def having(self, *stands: str) -> list[Taken]:
        return [one for one in self.taken if one.stands in stands]

    def has_it(self, *stands: str) -> bool:
        return bool(self.having(*stands))

    def room(self, one: Taken) -> int:
        others = sum(each.has.taken for each in self.taken if each is not one)
        return rules.room(one.claim, one.has, due_minor=self.books[DUE], others_minor=others)

    # ----------------------------------------------------------------------------------------------------- what is true

    def look(self) -> None:
        invoice, due, owed = self.invoice, self.books[DUE], -self.books[OWED]
        under_way = sum(one.has.taken for one in self.having("held"))
        wanted = sum(one.claim.whole for one in self.having("held", "paid"))
        assert sum(self.books.values()) == 0
        assert due >= 0 <= owed
        assert not (due and owed)
        # what is left, under way, paid, let off and taken off is the bill, and what goes beyond it is owed
        assert due == max(invoice.amount_minor - invoice.credited_minor - wanted, 0)
        assert due - owed + under_way + invoice.paid_minor + invoice.credited_minor == invoice.amount_minor
        assert all(minor >= 0 for account, minor in self.books.items() if account.startswith("inflight:"))
        assert all(0 <= one.has.taken <= one.claim.whole for one in self.taken)
        assert all(one.has == NOTHING for one in self.taken if one.stands not in ("held", "paid"))
        moved = sum(one.claim.amount.minor for one in self.having("paid"))
        assert self.books[rules.settled_of("blr")] == moved
        if not under_way:
            assert invoice.left.minor == due
        price = price_of(invoice, day=self.day)
        assert price.amount.minor + price.discount.minor + price.rest.minor == invoice.left.minor
        assert price.rest.minor == invoice.held_back_minor
        let_off = sum(max(one.has.adjusted, 0) for one in self.taken)
        assert let_off <= sum(one.claim.discount.minor for one in self.having("held", "paid"))
        back = to_give_back(owed_minor=owed, retracted_minor=self.retracted, let_off_minor=let_off)
        assert 0 <= back <= owed
        if self.retracted and not self.noted and not under_way:  # just what was paid, and no discount
            assert back == sum(one.has.settled - one.has.on_top for one in self.taken)

    def look_at_prices(self) -> None:
        """On no day more is taken than is left, and of what is held back nothing."""
        invoice = self.invoice
        left, held = invoice.left, invoice.held_back
        for day in (self.day, *invoice.discount_days):
            price = price_of(invoice, day=day)
            assert price.amount + price.discount + price.rest == left
            assert price.rest == held
            assert price.amount.minor >= (1 if left.minor else 0)
            assert not price.discount.minor or not (invoice.paid_minor or held.minor)
        edges = {0, 1, left.minor - 1, left.minor, left.minor + 1, (left - held).minor, (left - held).minor + 1}
        for minor in edges:
            if minor >= 0:
                fits = 0 < minor < left.minor and minor <= left.minor - held.minor
                assert _is_taken(minor, left=left, held=held) == fits


def _is_taken(minor: int, *, left: Money, held: Money) -> bool:
    try:
        return checked_part(str(Money(minor, EUR)), left=left, held=held).minor == minor
    except Invalid:
        return False


@pytest.mark.timeout(1800)
@settings(max_examples=thorough(200, 100_000), deadline=None)
@given(seed=st.integers(0, 2**63))
def test_whatever_happens_to_a_bill_all_of_it_sums_to_it_to_the_cent(seed: int) -> None:
    life = Life(random.Random(seed))  # noqa: S311  # no secret
    life.follow()
    life.look()
    for _ in range(10):
        life.step()
        life.look()
    life.look_at_prices()


def test_such_lives_have_all_there_is() -> None:
    """Else nothing is proven by them."""
    seen: Counter[str] = Counter()
    for seed in range(3000):
        life = Life(random.Random(seed))  # noqa: S311  # no secret
        life.follow()
        for _ in range(10):
            life.step()
            seen.update({one.stands for one in life.taken})
            seen["held back"] += life.invoice.held_back_minor > 0
            seen["owed"] += life.books[OWED] < 0
            seen["a discount"] += any(one.claim.discount.minor for one in life.taken)
            seen["on top"] += any(one.has.on_top for one in life.taken)
            seen["partly on top"] += any(one.has.on_top and one.has.taken for one in life.taken)
            seen["too little left"] += any(one.has.taken < one.claim.whole for one in life.having("held"))
            seen["parts"] += len(life.having("paid")) > 1
    assert min(seen[each] for each in ("held", "released", "paid", "taken back", "parts")) > 20
    assert min(seen[each] for each in ("held back", "owed", "a discount", "on top", "too little left")) > 20
    assert seen["partly on top"] > 10
