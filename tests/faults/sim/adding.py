"""Bills that customers add themselves: read, kept, their payees checked, from one tab or two; some are removed.

What lay before a customer, and what they said of it, is kept here, apart from the product's tables.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.journey.decisions import payee_checks
from app.journey.decisions.payee_checks import CHECK_LIFE, NotChecked, account_key
from app.journey.intake import own_bills
from app.journey.invoices import own
from app.journey.invoices.access import invoice_of_customer
from app.journey.invoices.states import InvoiceState
from app.people.customers import today_of
from connectors.profile import BankProfile
from tests.faults.sim.bank import Bank
from tests.faults.sim.correcting import Key, Tier
from tests.faults.sim.house import Person
from tests.support.bills import REFERENCE

if TYPE_CHECKING:
    from tests.faults.sim.accounting import Bill, Decided
    from tests.faults.sim.invariants import Found
    from tests.faults.sim.world import World

#: that people find in one history
PAPERS_MOST = 4
#: where a browser waits for the answer
POINTS = ("web.read", "web.kept", "web.checked")
#: the second is called like a company that delivers here
STRANGERS = (("Dachdeckerei Brandt", "DE75512108001245126199"), ("Eaux du Lac SA", "NL91ABNA0417164300"))
THIEF = "BE68539007547034"
TAKEN = (InvoiceState.IN_PAYMENT, InvoiceState.PAID)


@dataclass(frozen=True, kw_only=True)
class Paper:
    """A bill that lies before a customer. Money in minor units of EUR."""

    person: Person
    debt: Key  #: what it asks for: where a biller has delivered the same bill, that one's
    payee: str
    iban: str  #: as it is printed
    code_iban: str  #: in its code: somebody may have pasted another one over it
    minor: int
    number: str
    reference: str
    tiers: tuple[Tier, ...] = ()
    is_collected: bool = False

    @property
    def customer_id(self) -> str:
        return self.person.signed_in.customer.id

    @property
    def code(self) -> str:
        amount = f"EUR{self.minor // 100}.{self.minor % 100:02d}"
        return f"BCD\n002\n1\nSCT\n\n{self.payee}\n{self.code_iban}\n{amount}\n\n\n{self.number}"


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a customer said of one payee, and was taken."""

    at: dt.datetime
    typed: str
    warned: bool
    besides: frozenset[str]  #: invoices that they want to pay as well


@dataclass(eq=False)
class Adding:
    """Of one history."""

    world: World
    papers: list[Paper] = field(default_factory=list)
    written: dict[str, Paper] = field(default_factory=dict)  #: own bill → what it was read from
    begun: list[str] = field(default_factory=list)  #: own bills whose form stands in a browser
    kept: dict[str, Person] = field(default_factory=dict)  #: invoices
    said: dict[tuple[str, str], Said] = field(default_factory=dict)  #: invoice and bank → the last word, if unused

    # -------------------------------------------------------------------------------------------------- what people do

    def go_on(self) -> bool:
        """Somebody adds a bill, as far as they get; or comes back to one that was begun, or does not want it here."""
        world, dice = self.world, self.world.dice
        if self.kept and dice.random() < 0.1:
            return self._remove()
        if not self.begun or dice.random() < 0.7:
            paper = self._paper()
            for _ in range(2 if dice.random() < world.impatient else 1):
                world.request(f"add {paper.number}", self._reading(paper))
            world.settle(world.floor.now + dt.timedelta(seconds=1), most=20)
        if not self.begun:
            return True
        own_bill_id = self.begun[-1] if dice.random() < 0.8 else dice.choice(self.begun)
        for _ in range(2 if dice.random() < world.impatient else 1):
            world.request("keep", self._keeping(own_bill_id))
        if dice.random() < 0.7:
            world.settle(world.floor.now + dt.timedelta(seconds=1), most=20)
            self._pay_at_once(own_bill_id)
        return True

    def _paper(self) -> Paper:
        """A new one, or one that was added before: nobody knows whether that came through."""
        dice = self.world.dice
        if self.papers and (len(self.papers) == PAPERS_MOST or dice.random() < 0.25):
            return dice.choice(self.papers)
        person = dice.choice(self.world.people)
        delivered = [
            each
            for each in self.world.books.documents.values()
            if each.space.customer_id == person.signed_in.customer.id
            and each.space.currency == "EUR"
            and not each.is_credit
            and not each.is_collected
        ]
        number = f"P-{len(self.papers)}"
        payee, iban = dice.choice(STRANGERS)
        code_iban = THIEF if dice.random() < 0.1 else iban
        minor = dice.choice((4200, 18_450)) + len(self.papers)
        debt, reference = ("", number), number
        if dice.random() < 0.5:  # on paper as well
            bill = dice.choice(delivered)
            debt, number, reference = bill.key, bill.number, REFERENCE
            payee, iban, code_iban, minor = bill.space.biller_name, bill.space.iban, bill.space.iban, bill.minor
        paper = Paper(
            person=person,
            debt=debt,
            payee=payee,
            iban=iban,
            code_iban=code_iban,
            minor=minor,
            number=number,
            reference=reference,
        )
        self.papers.append(paper)
        return paper

    def _reading(self, paper: Paper) -> Callable[[], None]:
        def read() -> None:
            own_bill_id = own_bills.add_code(self.world.services, customer_id=paper.customer_id, written=paper.code)
            self.written.setdefault(own_bill_id, paper)
            self.world.floor.point("web.read")
            if own_bill_id not in self.begun:
                self.begun.append(own_bill_id)

        return read

    def _keeping(self, own_bill_id: str) -> Callable[[], None]:
        services, floor, paper = self.world.services, self.world.floor, self.written[own_bill_id]
        customer = paper.person.signed_in.customer

        def keep() -> None:
            with services.reading() as uow:
                draft = own_bills.draft(uow.session, own_bill_id=own_bill_id, customer_id=customer.id)
            values = own_bills.checked({**draft.reading, "number": paper.number, "reference": paper.reference})
            floor.point("web.drawn")
            with services.unit_of_work() as uow:
                day = today_of(customer, uow.now)
                invoice_id = own.keep(uow, own_bill_id=own_bill_id, customer_id=customer.id, values=values, today=day)
                uow.commit()
            floor.counts["some own bill kept again" if invoice_id in self.kept else "some own bill kept"] += 1
            self.kept[invoice_id] = paper.person
            floor.point("web.kept")

        return keep

    def _pay_at_once(self, own_bill_id: str) -> None:
        row = self.world.house.raw.execute("SELECT id FROM invoice WHERE own_bill_id = ?", (own_bill_id,)).fetchone()
        if row is not None:
            self.world.request("show", self.world.showing(self.written[own_bill_id].person, row[0]))
            self.world.settle(self.world.floor.now + dt.timedelta(seconds=2), most=40)
            self.world.hurry("sign", "leave", "visit", "back")

    def _remove(self) -> bool:
        world = self.world
        invoice_id = world.dice.choice(list(self.kept))
        customer_id = self.kept[invoice_id].signed_in.customer.id

        def remove() -> None:
            with world.services.unit_of_work() as uow:
                own.remove(uow, invoice_id=invoice_id, customer_id=customer_id)
                uow.commit()
            world.floor.counts["some own bill removed"] += 1

        return world.request("remove", remove)

    # ------------------------------------------------------------------------------------------------------- the payee

    def before(self, person: Person, invoice_id: str, bank: Bank) -> None:
        """What is to be done before the confirm page; now and then somebody goes there all the same."""
        world = self.world
        if not self.written:
            return
        with world.services.reading() as uow:
            need, check = payee_checks.state_of(uow, invoice_id=invoice_id, bank_id=bank.profile.id)
        if need.is_nothing or world.dice.random() < (0.1 if check is None else 0.8):
            return
        world.request("check payee", self._checking(person, invoice_id, bank.profile))
        world.settle(world.floor.now + dt.timedelta(seconds=1), most=20)

    def _checking(self, person: Person, invoice_id: str, bank: BankProfile) -> Callable[[], None]:
        services, floor, dice = self.world.services, self.world.floor, self.world.dice
        customer_id = person.signed_in.customer.id
        warned, agrees = dice.random() < 0.95, dice.random() < 0.8
        typed = self._typed(invoice_id)

        def check() -> None:
            with services.reading() as uow:
                invoice_of_customer(uow.session, invoice_id=invoice_id, customer_id=customer_id)
                need, _ = payee_checks.state_of(uow, invoice_id=invoice_id, bank_id=None)
            floor.counts["some twin warned"] += bool(need.besides)
            floor.counts["some payee warned of"] += need.likeness is not None
            floor.point("web.drawn")
            with services.unit_of_work() as uow:
                try:
                    payee_checks.record(
                        uow,
                        signed_in=person.signed_in,
                        invoice_id=invoice_id,
                        bank=bank,
                        typed=typed,
                        named=False,
                        called=warned,
                        warned=warned,
                        doubted=False,
                        besides=agrees,
                        shown=need.shown,
                    )
                except NotChecked as refused:
                    for fault in refused.faults:
                        floor.counts[f"some check refused {fault}"] += 1
                    floor.note(f"not checked: {refused}")
                    return
                uow.commit()
            besides = frozenset(each.id for each in need.besides) if agrees else frozenset()
            self.said[invoice_id, bank.id] = Said(at=floor.now, typed=typed, warned=warned, besides=besides)
            floor.point("web.checked")

        return check

    def _typed(self, invoice_id: str) -> str:
        """From the paper; in all ways in which people write it, and not always well."""
        dice, paper = self.world.dice, self._paper_of(invoice_id)
        if paper is None:
            return ""
        if dice.random() < 0.15:
            return dice.choice((paper.code_iban, THIEF, paper.iban[:-1], paper.iban[:-2] + paper.iban[:-3:-1], ""))
        in_groups = " ".join(paper.iban[at : at + 4] for at in range(0, len(paper.iban), 4))
        return dice.choice((paper.iban, in_groups, f"iban: {in_groups.lower()}"))

    def _paper_of(self, invoice_id: str) -> Paper | None:
        row = self.world.house.raw.execute("SELECT own_bill_id FROM invoice WHERE id = ?", (invoice_id,)).fetchone()
        return self.written.get(row[0]) if row is not None else None

    # ---------------------------------------------------------------------------------------------------------- judging

    def judge(self, one: Decided, bill: Bill, bills: Mapping[str, Bill]) -> Iterator[Found]:
        """V1: what nobody delivered is paid to the account that its customer typed, after their words for this bank, of
        the last half hour, which count once. V2: nobody pays a debt besides another bill for it without a word."""
        bank_id, iban = self.world.house.raw.execute(
            "SELECT bank_id, payee_iban FROM decision WHERE payment_id = ?", (one.payment_id,)
        ).fetchone()
        said = self.said.pop((bill.id, bank_id), None)
        paper = self.written.get(bill.own_bill_id or "")
        if paper is not None:
            at = dt.datetime.fromisoformat(one.decided_at).replace(tzinfo=dt.UTC)
            right = said is not None and said.warned and account_key(said.typed) == iban
            if said is None or not right or at - said.at >= CHECK_LIFE:
                yield "V1", f"{one.payment_id} of {paper.number} to {iban}, and its customer said {said}"
        for other in self._for_the_same(bill, bills):
            if said is None or other.id not in said.besides:
                yield "V2", f"{bill.id} is paid besides {other.id} ({other.state}), and its customer said {said}"
            self.world.floor.counts["some twin paid as well"] += 1

    def _for_the_same(self, bill: Bill, bills: Mapping[str, Bill]) -> Iterator[Bill]:
        """Bills that are or may be paid, and ask for the same; of an own one also those that were delivered."""
        if not self.written:
            return
        for other in bills.values():
            is_delivered = bill.own_bill_id is not None and other.own_bill_id is None
            may_be_paid = other.state in TAKEN or (is_delivered and other.state != InvoiceState.CLEARED)
            if other is not bill and may_be_paid and self._debt(other) == self._debt(bill):
                yield other

    def _debt(self, bill: Bill) -> Key:
        return self.written[bill.own_bill_id].debt if bill.own_bill_id is not None else bill.key
