"""People who answer their bills otherwise than by paying, and companies that reply, between whatever else happens.

What was said and replied is kept here, apart from the product's tables, and what both sides are shown, what is decided
and what is still asked is held against it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app.journey.answers import service as answers
from app.journey.answers.read import AnswerForBiller, AnswerView, answer_for_biller, answers_of_invoice
from app.journey.answers.rules import LATER, REASONS, Instalment, Policy
from app.journey.answers.service import Said
from app.journey.answers.states import BLOCKING, AnswerKind
from app.journey.corrections.replies import reply
from app.journey.invoices.read import invoice_view
from app.people.customers import today_of
from tests.faults.sim.correcting import worths
from tests.faults.sim.house import Person

if TYPE_CHECKING:
    from tests.faults.sim.invariants import Found
    from tests.faults.sim.world import World

#: what somebody does, and how often
DEEDS = {"say": 5.0, "take back": 2.5, "reply": 4.0, "publish": 0.5}
#: which lines are disputed, one after the other: none of them is the whole bill
LINES: tuple[tuple[int, ...], ...] = ((2,), (), (3, 1), (1,))
#: days more that are asked for
MORE_DAYS = (3, 10, 40)
KINDS = (*AnswerKind, AnswerKind.MORE_TIME, AnswerKind.INSTALMENTS)
_ANSWERS = "SELECT a.id, a.state, a.ended_by, a.invoice_id FROM bill_answer a ORDER BY a.id"
_DECISIONS = (
    "SELECT d.id, d.invoice_id, d.rest_minor, i.amount_minor FROM decision d JOIN invoice i ON i.id = d.invoice_id"
)
_BILLS = (
    "SELECT i.id, i.customer_id, i.is_set_aside, i.due_on, i.extended_to, i.credited_minor < i.amount_minor, i.state,"
    " EXISTS (SELECT 1 FROM correction c WHERE c.invoice_id = i.id AND c.taken_minor > 0), i.held_back_minor,"
    " i.amount_minor - i.credited_minor - i.paid_minor, i.amount_minor,"
    " i.state IN ('to_pay', 'in_payment') AND NOT i.may_have_been_paid"
    " FROM invoice i WHERE i.id IN (SELECT invoice_id FROM bill_answer) ORDER BY i.id"
)


#: what of an answer never changes
_TERMS = ("kind", "reason", "words", "lines", "paid_on", "until", "instalments", "reply_by", "said_at")
#: the tables that are judged
_READ = ("bill_answer", "invoice", "decision")


def _terms(answer: AnswerView | AnswerForBiller) -> tuple[object, ...]:
    return tuple(getattr(answer, name) for name in _TERMS)


@dataclass(eq=False, kw_only=True)
class Word:
    """One answer, as those who said it and replied to it know of it."""

    invoice_id: str
    kind: AnswerKind
    until: dt.date | None
    lines: tuple[int, ...] = ()  #: that are disputed; none: the whole bill
    terms: tuple[object, ...] = ()  #: as they were shown first
    is_open: bool = True
    accepted: bool = False  #: by its company, or by its policy


@dataclass(eq=False)
class Answering:
    """Of one history."""

    world: World
    words: dict[str, Word] = field(default_factory=dict)  #: by the answer's id
    decided: set[str] = field(default_factory=set)  #: that were held against it already
    shown: dict[str, tuple[str, str | None]] = field(default_factory=dict)  #: what of an answer was compared last
    written: tuple[int, ...] = ()

    # ---------------------------------------------------------------------------------------------------- what is said

    def go_on(self) -> bool:
        what = self.world.dice.choices(list(DEEDS), list(DEEDS.values()))[0]
        if what == "say":
            return self._say()
        if what == "publish":
            return self._publish()
        open_ = [answer_id for answer_id, word in self.words.items() if word.is_open]
        if self.world.dice.random() < 0.1:
            open_ = list(self.words)  # somebody does not know that it is over
        if not open_:
            return False
        return (self._take_back if what == "take back" else self._reply)(self.world.dice.choice(open_))

    def _say(self) -> bool:
        """Mostly of a bill of which a payment was begun: that one may turn out to have happened."""
        world = self.world
        rows = world.house.raw.execute(
            "SELECT i.id, i.customer_id, i.due_on, i.extended_to, d.id IS NOT NULL FROM invoice i"
            " LEFT JOIN decision d ON d.invoice_id = i.id WHERE i.state IN ('to_pay', 'paid', 'not_here')"
            " GROUP BY i.id ORDER BY i.id"
        ).fetchall()
        busy = [row for row in rows if row[4]]
        rows = busy if busy and world.dice.random() < 0.5 else rows
        if not rows:
            return False
        invoice_id, customer_id, due_on, extended_to, _ = world.dice.choice(rows)
        kind = world.dice.choice(KINDS)
        reason = world.dice.choice(REASONS[kind]) if kind in REASONS else None
        until = dt.date.fromisoformat(extended_to or due_on) if due_on else None
        if until is not None:
            until = max(until, world.floor.now.date()) + dt.timedelta(days=world.dice.choice(MORE_DAYS))
        until = until if kind in LATER else None
        parts = self._parts(until) if kind is AnswerKind.INSTALMENTS else ()
        lines = LINES[len(self.words) % len(LINES)] if kind is AnswerKind.DISPUTED else ()
        said = Said(kind=kind, reason=reason, words="As I told you.", until=until, lines=lines, instalments=parts)
        person = world._person(customer_id)

        def say() -> None:
            world.floor.point("answer.says")
            with world.services.unit_of_work() as uow:
                answer = answers.say(uow, signed_in=person.signed_in, invoice_id=invoice_id, said=said)
                answer_id, granted = answer.id, answer.state == "accepted"
                uow.commit()
            if not self.words:  # what was decided before anything was said
                self.decided.update(each[0] for each in world.house.raw.execute("SELECT id FROM decision"))
            for before in self.words.values():
                before.is_open &= before.invoice_id != invoice_id
            self.words[answer_id] = Word(
                invoice_id=invoice_id, kind=kind, until=until, lines=lines, is_open=not granted, accepted=granted
            )
            world.floor.counts["some disputed lines"] += bool(lines)
            world.floor.counts[f"some said {kind}"] += 1
            world.floor.counts["some time given by policy"] += granted
            world.floor.counts["some instalments agreed by policy"] += granted and bool(parts)

        began = world.request(f"say {kind}", say)
        if lines:  # who disputes some of a bill often wants to pay the rest
            world.request("show", world.showing(person, invoice_id))
        return began

    def _parts(self, until: dt.date | None) -> list[Instalment]:
        """Two or three, of which the last one is for that day."""
        if until is None:
            return []
        dice = self.world.dice
        days = [until - dt.timedelta(days=before) for before in range(dice.choice((1, 2)), 0, -1)]
        return [*(Instalment(day, dice.choice((1, 500))) for day in days), Instalment(until)]

    def _take_back(self, answer_id: str) -> bool:
        person, world = self._person(answer_id), self.world

        def take_back() -> None:
            with world.services.unit_of_work() as uow:
                answers.take_back(uow, signed_in=person.signed_in, answer_id=answer_id)
                uow.commit()
            self.words[answer_id].is_open = False
            world.floor.counts["some answer taken back"] += 1

        return world.request("take an answer back", take_back)

    def _reply(self, answer_id: str) -> bool:
        world, accepts = self.world, self.world.dice.random() < 0.5
        query = "SELECT biller_id, number FROM invoice WHERE id = ? AND biller_id IS NOT NULL"
        row = world.house.raw.execute(query, (self.words[answer_id].invoice_id,)).fetchone()
        if row is None:
            return False
        biller_id, number = row

        def send() -> None:
            reply(world.services, biller_id=biller_id, answer_id=answer_id, accepts=accepts, words="We looked.")
            word = self.words[answer_id]
            word.is_open, word.accepted = False, accepts
            if accepts and word.until is None:
                world.books.withdrawn.add((biller_id, number))
            world.floor.counts[f"some replied {'yes' if accepts else 'no'}"] += 1
            agreed = accepts and word.kind is AnswerKind.INSTALMENTS
            world.floor.counts["some instalments agreed by a reply"] += agreed

        return world.request("reply", send)

    def _publish(self) -> bool:
        world = self.world
        biller_id = world.dice.choice(sorted(world.house.clients))
        policy = Policy(
            more_time_days=world.dice.choice((0, 5, 30)),
            answer_days=world.dice.choice((1, 10)),
            instalments_most=world.dice.choice((0, 2)),
            instalments_days=world.dice.choice((5, 30)),
        )

        def publish() -> None:
            with world.services.unit_of_work() as uow:
                answers.publish_policy(uow, biller_id=biller_id, policy=policy)
                uow.commit()

        return world.request("publish a policy", publish)

    def _person(self, answer_id: str) -> Person:
        query = "SELECT customer_id FROM bill_answer WHERE id = ?"
        row = self.world.house.raw.execute(query, (answer_id,)).fetchone()
        return self.world._person(row[0]) if row else self.world.people[0]

    # ----------------------------------------------------------------------------------------------- what is held to it

    def judge(self) -> Iterator[Found]:
        if not self.words:
            return
        times = self.world.house.written.times
        written = tuple(count for what, count in times.items() if what.partition(".")[0] in _READ)
        if written == self.written:
            return
        self.written = written
        yield from self._decided()  # before what the step has ended since
        raw = self.world.house.raw
        bills = {row[0]: row for row in raw.execute(_BILLS)}
        rows = raw.execute(_ANSWERS).fetchall()
        for answer_id, state, ended_by, invoice_id in rows:
            if answer_id in self.words:
                yield from self._ended(answer_id, state, ended_by, bills[invoice_id])
                if self.shown.get(answer_id) != (state, ended_by):
                    self.shown[answer_id] = (state, ended_by)
                    yield from self._both_sides(answer_id, invoice_id, bills[invoice_id])
        for invoice_id, _, aside, due_on, extended_to, is_asked, *_, held, left, amount, is_apart in bills.values():
            mine = [word for word in self.words.values() if word.invoice_id == invoice_id]
            standing = [word for word in mine if word.is_open and word.kind in BLOCKING]
            disputed = sum(_worth(word, amount) for word in standing)
            kept = disputed if is_apart and 0 < disputed < left else 0
            if (bool(aside), held) != (bool(standing) and not kept, kept):
                yield (
                    "Y1",
                    f"{invoice_id} is set aside: {bool(aside)}, or {held} of it, and its customer says otherwise",
                )
            until = max((word.until for word in mine if word.accepted and word.until), default=None)
            if (extended_to or due_on) != (until.isoformat() if until else due_on):
                yield "Y4", f"{invoice_id} is to be paid until {extended_to or due_on}, and {until} was agreed"
            if is_asked and any(word.accepted and word.until is None for word in mine):
                yield "Y3", f"{invoice_id} is asked for, and its company said yes to its customer"

    def _decided(self) -> Iterator[Found]:
        for decision_id, invoice_id, rest, amount in self.world.house.raw.execute(_DECISIONS):
            if decision_id in self.decided:
                continue
            self.decided.add(decision_id)
            for word in self.words.values():
                if word.invoice_id == invoice_id and word.is_open and word.kind in BLOCKING:
                    disputed = _worth(word, amount)
                    if not disputed or rest < disputed:
                        yield "Y2", f"{decision_id} is taken while {invoice_id} is {word.kind}, and leaves {rest}"
                    self.world.floor.counts["some rest decided beside disputed lines"] += 1

    def _ended(self, answer_id: str, state: str, ended_by: str | None, bill: Any) -> Iterator[Found]:
        """What nobody of the two has ended was ended by a payment that paid the bill, or by a correction of it."""
        word = self.words[answer_id]
        if not word.is_open or state == "open":
            if word.is_open != (state == "open"):
                yield "Y1", f"{answer_id} is {state}, and its customer and its company know otherwise"
            return
        is_paid, is_corrected = bill[6] == "paid", bool(bill[7])
        if not ((ended_by == "payment" and is_paid) or (ended_by == "correction" and is_corrected)):
            yield "Y1", f"{answer_id} is {state} by {ended_by}, and nobody did that"
        word.is_open = False
        self.world.floor.counts[f"some answer {state} by {ended_by}"] += 1

    def _both_sides(self, answer_id: str, invoice_id: str, bill: Any) -> Iterator[Found]:
        """What its customer and its company are shown of it: the same, and the same as ever but for its end."""
        person, word = self.world._person(bill[1]), self.words[answer_id]
        with self.world.services.reading() as uow:
            customer, session = person.signed_in.customer, uow.session
            day = today_of(customer, uow.now)
            found = answers_of_invoice(session, invoice_id=invoice_id, customer_id=customer.id, today=day)
            mine = next(each for each in found if each.id == answer_id)
            view = invoice_view(session, invoice_id=invoice_id, customer_id=customer.id, today=day)
            theirs = None
            if view.biller_id is not None:
                theirs = answer_for_biller(session, answer_id=answer_id, biller_id=view.biller_id)
        terms = _terms(mine)
        word.terms = word.terms or terms
        if terms != word.terms:
            yield "Y1", f"{answer_id} says {terms}, and said {word.terms}"
        if theirs is None:
            return
        if terms != _terms(theirs) or (mine.state, mine.ended_by, mine.reply) != (
            theirs.state,
            theirs.ended_by,
            theirs.reply,
        ):
            yield "Y1", f"of {answer_id} its customer sees {mine}, its company {theirs}"


def _worth(word: Word, amount: int) -> int:
    """What the lines come to that it disputes. 0: of a word about the whole bill."""
    return sum(worths(amount)[line - 1] for line in word.lines)
