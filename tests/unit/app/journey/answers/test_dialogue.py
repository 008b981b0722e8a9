"""Every dialogue about one bill: what its customer says, what its company replies or changes, and what payments do.

From each state that two sides can be in all verbs are tried, through the services, on a database that is put back
before each. After each the customer and the company are shown the same terms, the invariants hold, and the bill can be
paid where nothing that keeps it from that stands, and nowhere else.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import json
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pysqlite3 import dbapi2
from sqlalchemy import Engine, StaticPool, create_engine, event, select
from sqlalchemy.exc import NoResultFound

from app import invariants
from app.db.unit_of_work import UnitOfWork
from app.errors import AppError
from app.invariants.answers import ANSWERS
from app.journey.answers import service as answers
from app.journey.answers.models import BillAnswer
from app.journey.answers.read import answers_for_biller, answers_of_invoice
from app.journey.answers.rules import Instalment, Policy
from app.journey.answers.service import Said
from app.journey.answers.states import BLOCKING, AnswerKind
from app.journey.corrections.read import corrected_bill
from app.journey.corrections.replies import reply
from app.journey.corrections.service import withdraw
from app.journey.decisions.orders import price_of
from app.journey.decisions.service import shown_now
from app.journey.invoices.models import Invoice
from app.journey.invoices.read import invoice_view
from app.journey.payments.access import locked
from app.journey.payments.models import Payment
from app.journey.payments.states import CLOSED, MEANING, PaymentState, Source
from app.journey.payments.step import correct, doubt
from app.journey.route import ROUTE
from app.people.customers import add_customer, today_of
from app.people.models import Customer
from connectors.contract import Fact
from consent.private import open_with
from tests.conftest import Clock
from tests.support.engines import keys_in_memory
from tests.unit.app.journey.corrections.test_correction_service import APPLY, send
from tests.unit.app.journey.decisions.test_decision_service import decide, passkey_of, start
from tests.unit.app.journey.house import PROFILE, House

DAY = dt.timedelta(days=1)
#: more than a minute, within which the clock does not tell what came first; on the day on which all begins
BETWEEN_S = 61
#: what the policy gives by itself, and what its company is asked for; and so many days in parts
GIVEN, ASKED_FOR = 2, 5
GIVEN_IN_PARTS = 30
PAYMENTS_MOST = 2
POLICY = Policy(more_time_days=GIVEN, instalments_most=2, instalments_days=GIVEN_IN_PARTS)

Verb = Callable[["Dialogue"], None]
VERBS: dict[str, Verb] = {}


class State(NamedTuple):
    """What of a dialogue decides how it may go on."""

    bill: str
    asked: int
    aside: bool
    held: int  #: back, of what is left
    extended_to: dt.date | None
    standing: tuple[str, int] | None  #: the kind of the open answer, and of how many lines
    last: str | None  #: how the last answer stands
    payments: tuple[str, ...]
    corrected: tuple[str, ...]


class Dialogue:
    """One bill of 99.00 in three lines, in a database that can be put back."""

    zone = "Europe/Paris"

    def __init__(self, migrated: Path, *, begins_at: dt.datetime | None = None) -> None:
        self.raw: Any = dbapi2.connect(":memory:", check_same_thread=False, isolation_level=None)
        self.raw.execute("PRAGMA foreign_keys=ON")
        dbapi2.connect(migrated).backup(self.raw)
        self.clock = Clock()
        self.clock.now = begins_at or self.clock.now
        engine = self._engine()
        with UnitOfWork(engine, route=ROUTE, clock=self.clock) as uow:
            customer = add_customer(uow, name="Camille", email="c@example.org", locale="fr", time_zone=self.zone)
            uow.commit()
        self.house = self._house(engine, customer)
        self.house.bill()
        self.device = passkey_of(self.house, customer)
        self.due_on = self.clock.now.date() + 7 * DAY
        with self.house.begin() as uow:
            bill = uow.session.get_one(Invoice, "inv_1")
            bill.due_on = self.due_on
            bill.lines = [
                {"description": f"{n}", "quantity": None, "amount_minor": 3300, "vat_rate": "0"} for n in range(3)
            ]
            answers.publish_policy(uow, biller_id="blr_1", policy=POLICY)
            uow.commit()
        self._queries = {each.name: each.query("sqlite") for each in invariants.INVARIANTS if not each.late}
        self._ours = {each.name for each in ANSWERS}

    def _house(self, engine: Engine, customer: Customer) -> House:
        return House(engine, self.clock, customer)

    def _engine(self) -> Engine:
        engine = create_engine(
            "sqlite://",
            module=dbapi2,
            creator=lambda: self.raw,
            poolclass=StaticPool,
            pool_reset_on_return=None,
            query_cache_size=2000,
        )
        event.listen(engine, "begin", lambda _: self.raw.execute("BEGIN"))
        return open_with(engine, keys_in_memory())

    # ----------------------------------------------------------------------------------------------- to go on from it

    def kept(self) -> tuple[Any, dt.datetime]:
        copy = dbapi2.connect(":memory:", check_same_thread=False)
        self.raw.backup(copy)
        return copy, self.clock.now

    def put_back(self, kept: tuple[Any, dt.datetime]) -> None:
        copy, self.clock.now = kept
        copy.backup(self.raw)

    def state(self) -> State:
        ask = self.raw.execute
        bill, aside, held, extended_to, asked = ask(
            "SELECT state, is_set_aside, held_back_minor, extended_to, amount_minor - credited_minor FROM invoice"
            " WHERE id = 'inv_1'"
        ).fetchone()
        said = ask("SELECT kind, lines, state FROM bill_answer ORDER BY id").fetchall()
        standing = [(kind, len(json.loads(lines))) for kind, lines, state in said if state == "open"]
        return State(
            bill=bill,
            asked=asked,
            aside=bool(aside),
            held=held,
            extended_to=extended_to and dt.date.fromisoformat(extended_to),
            standing=standing[0] if standing else None,
            last=said[-1][2] if said else None,
            payments=tuple(sorted(state for (state,) in ask("SELECT state FROM payment"))),
            corrected=tuple(sorted({kind for (kind,) in ask("SELECT kind FROM correction")})),
        )

    # ------------------------------------------------------------------------------------------------ what is looked at

    def broken(self, *, all_of_them: bool) -> list[str]:
        names = self._queries if all_of_them else self._queries.keys() & self._ours
        now = {"now": f"{self.clock.now:%Y-%m-%d %H:%M:%S.%f}"}
        return [
            name
            for name in names
            if self.raw.execute(self._queries[name], now if ":now" in self._queries[name] else {}).fetchone()
        ]

    def look(self, terms: dict[str, tuple[object, ...]]) -> None:
        """Both sides are shown the same. ``terms``: of all answers, as they were said; they never change."""
        customer = self.house.customer
        with self.house.services.reading() as uow:
            session, today = uow.session, today_of(customer, uow.now)
            mine = answers_of_invoice(session, invoice_id="inv_1", customer_id=customer.id, today=today)
            theirs = answers_for_biller(session, biller_id="blr_1", bill_id="bill_1")
            view = invoice_view(session, invoice_id="inv_1", customer_id=customer.id, today=today)
            bill = corrected_bill(session, bill_id="bill_1", biller_id="blr_1")
            can_be_paid = shown_now(uow, customer=customer, invoice_id="inv_1", bank=PROFILE) is not None
            price = price_of(session.get_one(Invoice, "inv_1"), day=today)
            was_closed = session.get_one(Invoice, "inv_1").may_have_been_paid
        both = [field.name for field in dataclasses.fields(theirs[0]) if hasattr(mine[0], field.name)] if mine else []
        terms_shown = {"kind", "until", "instalments", "lines", "reason", "words", "paid_on", "reply_by"}
        assert {"id", "state", *terms_shown} <= set(both) or not mine
        assert [[getattr(each, name) for name in both] for each in reversed(mine)] == [
            [getattr(each, name) for name in both] for each in theirs
        ]
        for each in theirs:
            said = tuple(getattr(each, name) for name in (*sorted(terms_shown), "said_at"))
            assert terms.setdefault(each.id, said) == said
        standing = [each for each in theirs if each.state == "open"]
        assert len(standing) <= 1
        blocks = any(each.kind in BLOCKING for each in standing)
        lines = sum(len(each.lines) for each in standing)  # of 33.00 each
        held = lines * 3300 if not was_closed and lines * 3300 < view.left.minor else 0
        aside = blocks and not held
        assert (view.is_set_aside, view.held_back.minor, bill.held_back.minor) == (aside, held, held)
        assert (view.payable.minor, view.to_pay.minor) == (view.left.minor - held,) * 2
        if view.state == "to_pay":
            assert (price.amount.minor, price.rest.minor) == (view.left.minor - held, held)
        given = [each.until for each in theirs if each.state == "accepted" and each.until is not None]
        assert view.pay_by == max([self.due_on, *given])
        assert (bill.status == "closed") == (view.state == "cleared")
        assert bill.amount_due == (view.left if bill.status == "open" else dataclasses.replace(view.left, minor=0))
        assert (can_be_paid and view.state == "to_pay") == (view.state == "to_pay" and not aside)
        plan = bill.plan
        agreed_to = [each for each in theirs if each.state == "accepted" and each.instalments]
        if plan is not None:  # nobody plans anything here but by a yes to the last of them
            assert plan.answer_id == agreed_to[-1].id
            assert [(day.pay_on, day.planned) for day in plan.days] == [
                (each.pay_on, each.amount) for each in agreed_to[-1].instalments
            ]
            assert sum(day.amount.minor for day in plan.days) == view.to_pay.minor
        elif agreed_to:
            assert view.state not in ("to_pay", "in_payment") or self.was_ended(agreed_to[-1].id)
        agreed = any(each.state == "accepted" and each.until is None and each.ended_by == "biller" for each in theirs)
        assert not (agreed and view.asked.minor)

    # -------------------------------------------------------------------------------------------------- what they do

    def say(self, kind: AnswerKind, **more: Any) -> None:
        with self.house.begin() as uow:
            said = Said(kind=kind, words="As I told you.", **more)
            answers.say(uow, signed_in=self.house.signed_in, invoice_id="inv_1", said=said)
            uow.commit()

    def was_ended(self, answer_id: str) -> bool:
        """Whether there was a plan by this yes, and has ended."""
        query = "SELECT count(*) FROM plan WHERE answer_id = ? AND state <> 'standing'"
        return bool(self.raw.execute(query, (answer_id,)).fetchone()[0])

    def last_answer(self) -> str:
        with self.house.services.reading() as uow:
            return uow.session.scalars(select(BillAnswer.id).order_by(BillAnswer.id.desc()).limit(1)).one()

    def payment(self, *states: PaymentState) -> str:
        """The last one in one of these states."""
        with self.house.services.reading() as uow:
            found = select(Payment.id).where(Payment.state.in_(states)).order_by(Payment.id.desc()).limit(1)
            return uow.session.scalars(found).one()


class NotNow(Exception):
    """There is nothing that this could be done to."""


def _verb(done: Verb) -> Verb:
    VERBS[done.__name__] = done
    return done


for _name, _kind, _more in (
    ("paid_elsewhere", AnswerKind.PAID_ELSEWHERE, {}),
    ("decline", AnswerKind.DECLINED, {"reason": "not_ordered"}),
    ("dispute", AnswerKind.DISPUTED, {"reason": "wrong_amount"}),
    ("dispute_a_line", AnswerKind.DISPUTED, {"reason": "wrong_amount", "lines": (2,)}),
):
    VERBS[_name] = functools.partial(Dialogue.say, kind=_kind, **_more)


@_verb
def more_time(of: Dialogue) -> None:
    of.say(AnswerKind.MORE_TIME, until=of.due_on + GIVEN * DAY)


@_verb
def much_more_time(of: Dialogue) -> None:
    of.say(AnswerKind.MORE_TIME, until=of.due_on + ASKED_FOR * DAY)


@_verb
def two_parts(of: Dialogue) -> None:
    of.say(AnswerKind.INSTALMENTS, instalments=_parts(of, 2))


@_verb
def three_parts(of: Dialogue) -> None:
    of.say(AnswerKind.INSTALMENTS, instalments=_parts(of, 3))


def _parts(of: Dialogue, count: int) -> list[Instalment]:
    """Of which the last one is later than whatever was given, and in two within what the policy says yes to."""
    pay_by = max(of.due_on, of.state().extended_to or of.due_on)
    days = [pay_by + number * DAY for number in range(count)]
    return [*(Instalment(day, 1000) for day in days[:-1]), Instalment(days[-1])]


@_verb
def take_back(of: Dialogue) -> None:
    answer_id = of.last_answer()
    with of.house.begin() as uow:
        answers.take_back(uow, signed_in=of.house.signed_in, answer_id=answer_id)
        uow.commit()


@_verb
def yes(of: Dialogue) -> None:
    reply(of.house.services, biller_id="blr_1", answer_id=of.last_answer(), accepts=True, words="")


@_verb
def no(of: Dialogue) -> None:
    reply(of.house.services, biller_id="blr_1", answer_id=of.last_answer(), accepts=False, words="We looked.")


def _corrected(of: Dialogue, number: str, **changes: Any) -> None:
    if of.state().corrected:  # one thing of each bill: what comes on top has tests of its own
        raise NotNow
    send(of.house, number, **changes)
    of.house.run(APPLY)


@_verb
def credit_note(of: Dialogue) -> None:
    _corrected(of, "C-1")


@_verb
def new_version(of: Dialogue) -> None:
    _corrected(of, "V-1", replaces="1")


@_verb
def withdrawal(of: Dialogue) -> None:
    with of.house.begin() as uow:
        withdraw(uow, biller_id="blr_1", bill_id="bill_1", reason="No.")
        uow.commit()


@_verb
def pay(of: Dialogue) -> None:
    if len(of.state().payments) == PAYMENTS_MOST:
        raise NotNow
    started = start(of.house)
    payment_id = decide(of.house, started, of.device.sign(started.public_key)).payment_id
    of.house.bank.answers["initiate"] = of.house.staged(payment_id)
    of.house.hurry("payments.initiate")
    of.house.run("payments.initiate")


_LIVE = tuple(state for state, meaning in MEANING.items() if meaning.outside == "open")


def _by_statement(of: Dialogue, payment_id: str, fact: Fact) -> None:
    with of.house.begin() as uow:
        correct(uow, locked(uow.session, payment_id), fact, source=Source.STATEMENT, evidence="camt:1/1")
        uow.commit()


@_verb
def payment_is_closed(of: Dialogue) -> None:
    _by_statement(of, of.payment(*_LIVE), Fact.REJECTED)


@_verb
def payment_is_settled(of: Dialogue) -> None:
    _by_statement(of, of.payment(*_LIVE), Fact.DEBITED)


@_verb
def payment_is_reversed(of: Dialogue) -> None:
    _by_statement(of, of.payment(PaymentState.SETTLED), Fact.REJECTED)


@_verb
def payment_happened_after_all(of: Dialogue) -> None:
    _by_statement(of, of.payment(*CLOSED), Fact.DEBITED)


@_verb
def bank_calls_it_accepted_after_all(of: Dialogue) -> None:
    payment_id = of.payment(*CLOSED)
    with of.house.begin() as uow:
        payment = locked(uow.session, payment_id)
        payment.transaction_status = "ACSP"
        payment.doubted_since = uow.now
        doubt(uow, payment)
        uow.commit()


# --------------------------------------------------------------------------------------------------------- all of them


#: dialogues begin with a bill that nobody has paid yet, that somebody meant to pay, that is paid, and of which all is
#: paid but a line that is disputed
BEGINNINGS: tuple[tuple[str, ...], ...] = (
    (),
    ("pay", "payment_is_closed"),
    ("pay", "payment_is_settled"),
    ("dispute_a_line", "pay", "payment_is_settled"),
)


@dataclass(frozen=True)
class Reached:
    """A state, how it was reached first, and what had been said by then."""

    state: State
    way: tuple[str, ...]
    steps: int  #: from its beginning
    kept: Any
    terms: dict[str, tuple[object, ...]]


def walk(dialogue: Dialogue, *, steps: int) -> Iterator[tuple[Reached, str, State | None]]:
    """Each state that is reached in fewer than so many steps, with each verb and what it leads to; None: it may not."""
    waiting = deque[Reached]()
    for way in BEGINNINGS:
        begun = dialogue.kept()
        for name in way:
            VERBS[name](dialogue)
        waiting.append(Reached(dialogue.state(), way, 0, dialogue.kept(), {}))
        dialogue.put_back(begun)
    seen = {at.state for at in waiting}
    while waiting:
        at = waiting.popleft()
        dialogue.put_back(at.kept)
        for name, verb in VERBS.items():
            dialogue.clock.tick(seconds=BETWEEN_S)
            try:
                verb(dialogue)
            except (AppError, NotNow, NoResultFound):
                assert dialogue.state() == at.state, (*at.way, name)
                dialogue.clock.now = at.kept[1]
                yield at, name, None
                continue
            terms, after, way = dict(at.terms), dialogue.state(), (*at.way, name)
            try:
                dialogue.look(terms)
                broken = dialogue.broken(all_of_them=after not in seen)
                assert not broken, broken
            except AssertionError as error:
                raise AssertionError(f"after {', '.join(way)}: {error}") from error
            if after not in seen:
                seen.add(after)
                if at.steps + 1 < steps:
                    waiting.append(Reached(after, way, at.steps + 1, dialogue.kept(), terms))
            yield at, name, after
            dialogue.put_back(at.kept)


@pytest.mark.slow
@pytest.mark.parametrize("steps", [2, pytest.param(4, marks=[pytest.mark.long, pytest.mark.timeout(3600)])])
def test_both_sides_always_believe_the_same(steps: int, sqlite_template: Path) -> None:
    reached: set[State] = set()
    done: set[str] = set()
    for at, name, after in walk(Dialogue(sqlite_template), steps=steps):
        reached |= {at.state} if after is None else {at.state, after}
        if after is not None:
            done.add(name)
        is_free = at.state.bill == "to_pay" and not at.state.aside
        assert name != "pay" or len(at.state.payments) == PAYMENTS_MOST or (after is not None) == is_free, at.way
    assert done == VERBS.keys()
    assert {state.bill for state in reached} == {"to_pay", "in_payment", "paid", "cleared"}
    assert {state.last for state in reached} == {None, "open", "withdrawn", "accepted", "refused", "lapsed"}


@pytest.mark.slow
@pytest.mark.parametrize("times", [8, pytest.param(200, marks=[pytest.mark.long, pytest.mark.timeout(3600)])])
def test_no_dialogue_pays_what_is_not_to_be_paid(times: int, sqlite_template: Path) -> None:
    """However long: nothing is paid after it was declined, disputed or paid elsewhere, nor more than is due."""
    dialogue = Dialogue(sqlite_template)
    begun = dialogue.kept()

    @settings(max_examples=times, derandomize=True, database=None)
    @given(st.lists(st.sampled_from(sorted(VERBS)), min_size=8, max_size=16))
    def played(names: list[str]) -> None:
        dialogue.put_back(begun)
        terms: dict[str, tuple[object, ...]] = {}
        for name in names:
            dialogue.clock.tick(seconds=BETWEEN_S)
            before = dialogue.state()
            try:
                VERBS[name](dialogue)
            except (AppError, NotNow, NoResultFound):
                continue
            assert name != "pay" or (before.bill == "to_pay" and not before.aside)
            dialogue.look(terms)
        assert not dialogue.broken(all_of_them=True)

    played()
