"""All that its customer, its company and the bank can do about one bill, in any order, through the real services.

What is paid, under way, let off, taken off and left sums to the bill to the cent after every step; nothing more than is
due can be claimed, nothing of a disputed line or of a bill that is set aside, and under a standing consent the bank is
never given more than its limits allow. Days pass meanwhile: over the ends of discounts and of months, leap days, and
nights when clocks change. Answers alone, in every order, are those of test_dialogue.py, whose verbs these are.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

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
from sqlalchemy import Engine, select
from sqlalchemy.exc import NoResultFound

from app.db import work
from app.db.engine import make_engine
from app.db.migrate import upgrade
from app.db.work import WorkRow
from app.errors import AppError, Conflict
from app.journey.answers.states import BLOCKING
from app.journey.decisions import service as decisions
from app.journey.decisions.orders import Wanted, price_of
from app.journey.invoices import service as invoices
from app.journey.invoices.models import Invoice
from app.journey.ledger import service as ledger
from app.journey.ledger.rules import Claim
from app.journey.payments import service as payments
from app.journey.payments.models import Payment
from app.journey.payments.states import CLOSED, MEANING, NOT_DONE, PaymentState
from app.journey.plans import service as plans
from app.journey.plans.models import Plan
from app.journey.plans.rules import PlannedDay
from app.journey.route import HANDLERS
from app.people.customers import today_of
from app.people.models import Customer
from app.services import Task
from connectors.capabilities import Alignment, Period
from connectors.contract import Submitted
from connectors.money import Money
from consent.rules import Frame, Limit
from tests.faults.machines.house import runs
from tests.support.thorough import thorough
from tests.unit.app.journey.answers.test_dialogue import BETWEEN_S, DAY, VERBS, Dialogue, NotNow
from tests.unit.app.journey.corrections.test_correction_service import APPLY, send
from tests.unit.app.journey.decisions.test_decision_service import PARTY, PSU
from tests.unit.app.journey.house import DEBITED, IBAN, PROFILE
from tests.unit.app.journey.standing_house import StandingHouse

BILLED = 99_00
#: early payment: within so many days so much less
TIERS = ((2, 5_00), (9, 2_00))
EACH, MONTH = 60_00, 80_00
FRAME = Frame(
    payee_name="Lumen SA",
    payee_iban=IBAN,
    currency="EUR",
    each_minor=EACH,
    limits=(Limit(period=Period.MONTH, alignment=Alignment.CALENDAR, minor=MONTH),),
    begins_on=dt.date(2026, 1, 1),
    ends_on=None,
)
#: clocks go forward two days later, back two days later; the year and a month end; a leap day comes
BEGINNINGS = (
    ("2026-03-27T09:00", "Europe/Paris"),
    ("2026-10-23T09:00", "Europe/London"),
    ("2026-12-30T09:00", "Pacific/Auckland"),
    ("2028-02-27T14:00", "America/St_Johns"),
)
#: the verbs of a dialogue, by whom; for paying and taking off there are others here
BY_BANK = sorted(name for name in VERBS if name.startswith(("payment_", "bank_")))
LATE_WORDS = ("payment_happened_after_all", "bank_calls_it_accepted_after_all")
BY_COMPANY = ["yes", "no"]
#: after which there is little left to do about this very bill
ENDING = ["new_version", "withdrawal"]
BY_CUSTOMER = sorted(VERBS.keys() - {*BY_BANK, *BY_COMPANY, *ENDING, "pay", "credit_note"})
PARTS = st.sampled_from((None, None, 0.01, 0.3, 0.5, 0.99))
#: work of the journey itself: what is told to billers and banks by work is not looked at here
OURS = ("plans.", "payments.reconsider", APPLY)
HELD = {state for state, meaning in MEANING.items() if meaning.outside == "open"}
TABLES = ("ledger_entry", "ledger_balance", "payment", "decision", "bill_answer", "plan", "plan_day", "correction")


class OneBill(Dialogue):
    """It names two discounts, and its customer has a standing consent besides."""

    def __init__(self, migrated: Path, *, begins: str, zone: str) -> None:
        self.zone = zone
        super().__init__(migrated, begins_at=dt.datetime.fromisoformat(begins).replace(tzinfo=dt.UTC))
        today = self.today()
        (first, minor), *later = [(today + days * DAY, minor) for days, minor in TIERS]
        with self.house.begin() as uow:
            bill = uow.session.get_one(Invoice, "inv_1")
            bill.discount_until, bill.discount_minor = first, minor
            bill.later_discounts = [{"until": day.isoformat(), "minor": minor} for day, minor in later]
            uow.commit()

    def _house(self, engine: Engine, customer: Customer) -> StandingHouse:
        return StandingHouse(engine, self.clock, customer, frame=FRAME)

    def own(self) -> StandingHouse:
        assert isinstance(self.house, StandingHouse)
        return self.house

    def today(self) -> dt.date:
        return today_of(self.house.customer, self.clock.now)

    def waiting(self) -> dt.date | None:
        """The day of a payment under the consent that is still to be sent."""
        query = "SELECT d.pay_on FROM payment p JOIN decision d ON d.id = p.decision_id"
        found = self.raw.execute(f"{query} WHERE p.state = 'authorised' AND p.trip_id IS NULL").fetchone()
        return None if found is None else dt.date.fromisoformat(found[0])

    def was_given(self, *states: PaymentState) -> bool:
        """Whether the last payment in one of these states is in the bank's hands: its link was given out, or it was
        submitted. Nobody else can have made another one happen."""
        among = ", ".join(f"'{state}'" for state in states)
        query = f"SELECT id FROM payment WHERE state IN ({among}) ORDER BY id DESC LIMIT 1"  # noqa: S608
        found = self.raw.execute(query).fetchone()
        left = (
            "SELECT (SELECT count(*) FROM bank_call WHERE payment_id = p.id AND verb = 'submit')"
            " + (SELECT count(*) FROM trip WHERE id = p.trip_id AND left_at IS NOT NULL) FROM payment p WHERE id = ?"
        )
        return found is not None and bool(self.raw.execute(left, found).fetchone()[0])

    def has_plan(self) -> bool:
        return bool(self.raw.execute("SELECT count(*) FROM plan WHERE state = 'standing'").fetchone()[0])

    def everything(self) -> list[list[tuple[Any, ...]]]:
        return [self.raw.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in TABLES]  # noqa: S608

    def work(self) -> None:
        """What is due of the journey itself."""
        while True:
            with self.house.begin() as uow:
                rows = uow.session.execute(
                    select(WorkRow.key, WorkRow.handler).where(WorkRow.run_at <= uow.now).order_by(WorkRow.id)
                )
                key = next((row.key for row in rows if row.handler.startswith(OURS)), None)
                claim = work.claim_key(uow.session, key=key, now=uow.now) if key else None
                uow.commit()
            if claim is None:
                return
            HANDLERS[claim.handler](Task(services=self.house.services, claim=claim))


@functools.cache
def _bills() -> list[tuple[OneBill, Any]]:
    """One for each beginning, as it is when nothing has happened."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "migrated.sqlite3"
        engine = make_engine(f"sqlite:///{path}")
        upgrade(engine)
        engine.dispose()
        made = [OneBill(path, begins=begins, zone=zone) for begins, zone in BEGINNINGS]
    return [(one, one.kept()) for one in made]


class Everything(RuleBasedStateMachine):
    seen: ClassVar[Counter[str]] = Counter()

    @initialize(beginning=st.sampled_from(range(len(BEGINNINGS))), course=st.sampled_from(range(7)))
    def begin(self, beginning: int, course: int) -> None:
        """Often with something behind it already: else most lives end before it comes to that."""
        self.of, kept = _bills()[beginning]
        self.of.put_back(kept)
        self.given: Counter[tuple[int, int]] = Counter()  #: month → what the bank was given under the consent
        self.seen[f"begun {beginning}"] += 1
        if course == 1:
            self.say("dispute_a_line")
        elif course == 2:
            self.pay_on_a_day(0.5, 2)
        elif course == 3:
            self.pay_now_under_the_consent(0.3)
            self.send()
        elif course == 4:
            self.pay_at_the_bank(0.3)
            self.its_end(well=True)
        elif course == 6:
            self.pay_on_a_day(0.5, 1)
            self.its_day_comes(0, 6)
        elif course == 5:  # what was closed may have happened all the same
            self.pay_at_the_bank(None)
            self.its_end(well=False)
            self.pay_at_the_bank(None)

    # ----------------------------------------------------------------------------------------------------- what is done

    def attempt(self, name: str, do: Callable[[], None]) -> bool:
        """Whether it was done. What is refused writes nothing."""
        self.of.clock.tick(seconds=BETWEEN_S)
        before = self.of.everything()
        try:
            do()
        except (AppError, NotNow, NoResultFound) as refused:
            assert self.of.everything() == before, name
            self.seen[f"refused {refused.code}" if isinstance(refused, AppError) else "nothing to do it to"] += 1
            return False
        self.of.work()
        self.seen[name] += 1
        return True

    @rule(name=st.sampled_from(BY_CUSTOMER))
    def say(self, name: str) -> None:
        self.attempt(name, lambda: VERBS[name](self.of))

    @precondition(lambda self: self.of.state().standing is not None)
    @rule(name=st.sampled_from(BY_COMPANY))
    def reply(self, name: str) -> None:
        self.attempt(name, lambda: VERBS[name](self.of))

    @rule(name=st.sampled_from(ENDING), really=st.sampled_from((False, False, False, True)))
    def end(self, name: str, really: bool) -> None:
        if really:
            self.attempt(name, lambda: VERBS[name](self.of))

    @precondition(lambda self: self.of.state().bill == "in_payment")
    @rule(well=st.sampled_from((True, True, False)))
    def its_end(self, well: bool) -> None:
        self.hear("payment_is_settled" if well else "payment_is_closed")

    @precondition(lambda self: self.of.state().payments)
    @rule(name=st.sampled_from(BY_BANK))
    def hear(self, name: str) -> None:
        """Of what it was given: no bank says anything of a payment that was withheld."""
        if self.of.was_given(*(CLOSED if name in LATE_WORDS else PaymentState)):
            self.attempt(name, lambda: VERBS[name](self.of))

    @rule(share=PARTS)
    def pay_at_the_bank(self, share: float | None) -> None:
        self._decide(share, None)

    @rule(share=PARTS)
    def pay_now_under_the_consent(self, share: float | None) -> None:
        self._decide(share, 0)

    @rule(share=PARTS, ahead=st.sampled_from((1, 2, 3, 10, 35)))
    def pay_on_a_day(self, share: float | None, ahead: int) -> None:
        self._decide(share, ahead)

    def _decide(self, share: float | None, ahead: int | None) -> None:
        """All that can be paid, or a part; at the bank, or under the consent so many days from today."""
        before, invoice = self.of.state(), self._invoice()
        free = self._due()
        part = None if share is None else str(Money(max(int(invoice.left.minor * share), 1), "EUR"))
        how = "at the bank" if ahead is None else "for a day" if ahead else "under the consent"
        if self.attempt(f"decided {how}", lambda: self._pay(part, ahead)):
            query = "SELECT amount_minor, discount_minor, rest_minor FROM decision ORDER BY rowid DESC LIMIT 1"
            amount, discount, rest = self.of.raw.execute(query).fetchone()
            assert (before.bill, before.aside) == ("to_pay", False)
            assert amount + discount <= free - before.held
            assert amount + discount + rest == invoice.left.minor
            assert part is None or (str(Money(amount, "EUR")), discount) == (part, 0)
            assert rest >= before.held
            assert ahead is None or amount <= EACH
            self.seen["a part"] += part is not None
            self.seen["with a discount"] += discount > 0
            self.seen["beside disputed lines"] += before.held > 0

    def _pay(self, part: str | None, ahead: int | None) -> None:
        of, house = self.of, self.of.own()
        day = None if not ahead else (of.today() + ahead * DAY).isoformat()
        wanted = Wanted(consent_id=None if ahead is None else house.consent_id, part=part, pay_on=day)
        who: dict[str, Any] = {"signed_in": house.signed_in, "party": PARTY, "invoice_id": "inv_1"}
        with house.services.reading() as uow:
            shown = decisions.shown_now(uow, customer=house.customer, invoice_id="inv_1", bank=PROFILE, wanted=wanted)
        with house.begin() as uow:
            started = decisions.start_paying(uow, bank=PROFILE, shown=shown, wanted=wanted, **who)
            uow.commit()
        signed: dict[str, Any] = {"ceremony": started.ceremony, "credential": of.device.sign(started.public_key)}
        with house.begin() as uow:
            payment_id = decisions.decide(uow, banks={"horizon": PROFILE}, psu=PSU, **signed, **who).payment_id
            uow.commit()
        house.bank.answers["initiate"] = house.staged(payment_id)
        house.hurry("payments.initiate")
        house.run("payments.initiate")
        if ahead is None and part is None:  # a part may still be cancelled before its customer goes there
            house.leave(payment_id)

    @precondition(lambda self: self.of.state().bill == "in_payment")
    @rule()
    def cancel(self) -> None:
        self.attempt("took it back", self._cancel)

    def _cancel(self) -> None:
        payment_id = self.of.payment(*HELD)
        with self.of.house.begin() as uow:
            payments.cancel(uow, signed_in=self.of.house.signed_in, payment_id=payment_id)
            uow.commit()

    @rule(minor=st.sampled_from((1, 1, 3_00, 3_00, 10_00, 33_00, 66_01, 99_00, 150_00)))
    def credit(self, minor: int) -> None:
        """A credit note of any amount; one that is more than the bill owes something, too."""
        [said] = self.of.raw.execute("SELECT count(*) FROM correction").fetchone()
        number = f"C-{said}"

        def deliver() -> None:
            send(self.of.house, number, amount=str(Money(minor, "EUR")))
            self.of.house.run(APPLY)

        self.attempt("credited", deliver)

    @rule(days=st.sampled_from((1, 5, 20)), count=st.sampled_from((1, 2, 3)))
    def plan(self, days: int, count: int) -> None:
        ends = [self.of.today() + days * number * DAY for number in range(1, count + 1)]
        parts = [*(PlannedDay(day, 10_00) for day in ends[:-1]), PlannedDay(ends[-1])]

        def arrange() -> None:
            with self.of.house.begin() as uow:
                plans.arrange(uow, signed_in=self.of.house.signed_in, invoice_id="inv_1", days=parts)
                uow.commit()

        self.attempt("planned", arrange)

    @precondition(lambda self: self.of.has_plan())
    @rule()
    def drop_plan(self) -> None:
        def drop() -> None:
            with self.of.house.begin() as uow:
                plan_id = uow.session.scalars(select(Plan.id).where(Plan.state == "standing")).one()
                plans.withdraw(uow, signed_in=self.of.house.signed_in, plan_id=plan_id)
                uow.commit()

        self.attempt("dropped a plan", drop)

    @precondition(lambda self: self.of.waiting() is not None)
    @rule()
    def send(self) -> None:
        """Whoever works does so at once."""
        self.of.clock.tick(seconds=BETWEEN_S)
        self._send_what_is_due()
        self.of.work()

    @precondition(lambda self: self.of.waiting() is not None)
    @rule(more=st.sampled_from((-1, 0, 0, 0, 1)), hour=st.sampled_from((0, 5, 6, 23)))
    def its_day_comes(self, more: int, hour: int) -> None:
        """Or the day before it, or the one after, on which it is not sent any more."""
        day = self.of.waiting() or self.of.today()
        self.time_passes(max((day - self.of.today()).days + more, 0), hour)

    @rule(days=st.sampled_from((0, 0, 1, 1, 2, 3, 7, 31)), hour=st.sampled_from((0, 5, 6, 7, 23)))
    def time_passes(self, days: int, hour: int) -> None:
        """Until an hour of that day, by its customer's clock; then whoever works does what is due."""
        zone = ZoneInfo(self.of.zone)
        wanted = dt.datetime.combine(self.of.today() + days * DAY, dt.time(hour), zone).astimezone(dt.UTC)
        self.of.clock.now = max(wanted, self.of.clock.now + dt.timedelta(seconds=BETWEEN_S))
        plans.look_at_days(self.of.house.services)
        self._send_what_is_due()
        self.of.work()
        self.seen["a day passed"] += days > 0

    def _send_what_is_due(self) -> None:
        """Of what is paid under the consent; it is looked at whether its time has come or not."""
        house, now = self.of.own(), self.of.clock.now
        query = "SELECT id FROM payment WHERE state = 'authorised' AND trip_id IS NULL"
        for (payment_id,) in self.of.raw.execute(query).fetchall():
            asked = len(house.bank.asked)
            house.go_on(payment_id, submit=Submitted(bank_payment_id=f"paid-{payment_id}", status=DEBITED))
            sent = [verb for verb, _ in house.bank.asked[asked:] if verb == "recurring.submit"]
            payment, local = house.payment(payment_id), now.astimezone(ZoneInfo(self.of.zone))
            if not sent:
                continue
            day = self.of.raw.execute("SELECT pay_on FROM decision WHERE payment_id = ?", (payment_id,)).fetchone()[0]
            assert (payment.state, local.date().isoformat()) == ("settled", day)
            assert payment.send_from is None or (local.hour >= 6 and now >= payment.send_from)
            self.given[now.year, now.month] += payment.amount_minor  # its days are those of UTC
            self.seen["sent on its day" if payment.send_from else "sent at once"] += 1

    # ----------------------------------------------------------------------------------------------------- what is true

    def _invoice(self) -> Invoice:
        invoice: Invoice = self.of.house.invoice()
        return invoice

    def _due(self) -> int:
        with self.of.house.services.reading() as uow:
            return ledger.balance_of(uow.session, "due:inv_1")

    @invariant()
    def all_of_it_sums_to_the_bill(self) -> None:
        query = "SELECT account, sum(amount_minor) FROM ledger_entry WHERE invoice_id = 'inv_1' GROUP BY account"
        books = Counter(dict(self.of.raw.execute(query).fetchall()))
        due, owed = books["due:inv_1"], -books["owed:inv_1"]
        assert sum(books.values()) == 0
        assert due >= 0 <= owed
        assert not (due and owed)
        with self.of.house.services.reading() as uow:
            rows = uow.session.scalars(select(Payment).where(Payment.invoice_id == "inv_1")).all()
            has = ledger.positions_of(uow.session, "inv_1")
            states = {row.id: PaymentState(row.state) for row in rows}
        signed = "SELECT payment_id, amount_minor, discount_minor FROM decision WHERE invoice_id = 'inv_1'"
        whole = {payment_id: amount + discount for payment_id, amount, discount in self.of.raw.execute(signed)}
        held = {each for each, state in states.items() if state in HELD}
        paid = {each for each, state in states.items() if state is PaymentState.SETTLED}
        invoice = self._invoice()
        assert due == max(BILLED - invoice.credited_minor - sum(whole[each] for each in held | paid), 0)
        assert due - owed + sum(each.taken for each in has.values()) + invoice.credited_minor == BILLED
        assert all(0 <= has[each].taken <= (whole[each] if each in held | paid else 0) for each in states)
        assert len([each for each in held if not self._came_alive(each)]) <= 1
        assert invoice.paid_minor == sum(has[each].taken for each in paid)
        self.seen.update(state.value for state in states.values())
        self.seen["paid on top"] += any(each.on_top for each in has.values())
        self.seen["owed"] += owed > 0

    def _came_alive(self, payment_id: str) -> bool:
        query = "SELECT before FROM payment_history WHERE payment_id = ? AND after = 'unknown'"
        return any(before in NOT_DONE for (before,) in self.of.raw.execute(query, (payment_id,)))

    @invariant()
    def nothing_more_than_is_due_can_be_claimed(self) -> None:
        invoice, due, state = self._invoice(), self._due(), self.of.state()
        if state.bill == "to_pay":
            for day in (self.of.today(), *invoice.discount_days):
                price = price_of(invoice, day=day)
                assert price.amount.minor + price.discount.minor + price.rest.minor == due == invoice.left.minor
                assert price.rest.minor == state.held
        more = Claim(
            invoice_id="inv_1",
            payment_id="pay_more",
            creditor="blr_1",
            amount=Money(due + 1, "EUR"),
            discount=Money(0, "EUR"),
        )
        with self.of.house.begin() as uow, pytest.raises(Conflict):
            invoices.claim(uow, more)

    @invariant()
    def no_limit_of_the_consent_is_exceeded(self) -> None:
        assert max(self.given.values(), default=0) <= MONTH
        used = self.of.raw.execute("SELECT coalesce(max(used_minor - limit_minor), 0) FROM consent_usage").fetchone()
        assert used[0] <= 0

    @invariant()
    def what_is_set_aside_has_no_payment(self) -> None:
        state = self.of.state()
        if state.standing is not None and state.standing[0] in BLOCKING and not state.held and state.bill == "to_pay":
            assert state.aside
        if state.aside:
            assert state.bill != "in_payment" or "unknown" in state.payments  # which came back by the bank's late word

    def teardown(self) -> None:
        if hasattr(self, "of"):
            assert self.of.broken(all_of_them=True) == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_whatever_is_done_about_a_bill() -> None:
    Everything.seen.clear()
    run_state_machine_as_test(Everything, settings=runs(600, steps=24, few=15))
    seen = {name for name, times in Everything.seen.items() if times}
    assert seen >= {"settled", "a part", "a day passed"}
    if thorough(0, 1):
        assert seen >= {
            "awaiting_customer",
            "authorised",
            "rejected",
            "cancelled",
            "unknown",
            "reversed",
            "owed",
            "paid on top",
            "credited",
        }
        assert seen >= {
            "with a discount",
            "sent at once",
            "sent on its day",
            "beside disputed lines",
            "planned",
            "yes",
            "no",
        }
