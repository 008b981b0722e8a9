"""What must be true of standing consents and stops: by the order in which things came, and by the banks' own books.

Both are kept here, apart from the product's tables.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app.journey.payments.access import gives_way
from app.journey.payments.models import Payment
from app.people.customers import today_of
from tests.faults.sim.bank import Order
from tests.faults.sim.standing_bank import Recurring

if TYPE_CHECKING:
    from tests.faults.sim.invariants import Found
    from tests.faults.sim.world import World

_FIRST_SENT = (
    "SELECT a.rowid, c.verb, p.id, p.customer_id, p.consent_id, d.rowid, a.sent_at,"
    " CASE WHEN p.trip_id IS NULL THEN d.pay_on END FROM bank_attempt a"
    " JOIN bank_call c ON c.id = a.call_id AND c.verb IN ('initiate', 'submit')"
    " JOIN payment p ON p.id = c.payment_id JOIN decision d ON d.id = p.decision_id"
    " WHERE a.number = 1 AND a.rowid > ? ORDER BY a.rowid"
)
_STANDING = (
    "SELECT s.consent_id, c.state, c.bank_id, c.bank_consent_id, s.request_id, s.gone_at FROM standing s"
    " JOIN consent c ON c.id = s.consent_id"
)


@dataclass(eq=False)
class StandingTruth:
    """Of one history."""

    world: World
    sent: int = 0  #: the last first sending that was judged
    decided: int = 0  #: the same of decisions
    stepped: int = 0  #: and of consents' histories
    taken_back: set[str] = field(default_factory=set)
    stopped: dict[str, str] = field(default_factory=dict)  #: customer → the stop that stands
    void: dict[str, int] = field(default_factory=dict)  #: customer → their last decision before a stop was lifted
    waits: list[str] = field(default_factory=list)  #: payments of which the same bytes would tell when all is well

    def __post_init__(self) -> None:
        self.banks = [bank for bank in self.world.banks if isinstance(bank, Recurring)]

    def judge(self) -> Iterator[Found]:
        """W1: nothing is first sent under a consent that was taken back here. W2: nothing of theirs is decided while a
        customer has stopped everything, nor first sent, also of what they decided before they lifted that. W3: what
        stands here as authorised was approved at the bank as it was agreed on, and what we call gone there is. W7: what
        needs no approval of its own is first sent on the very day that its customer signed."""
        raw = self.world.house.raw
        first_sent = raw.execute(_FIRST_SENT, (self.sent,))
        for number, verb, payment_id, customer_id, consent_id, decision, sent_at, pay_on in first_sent:
            self.sent = number
            if consent_id in self.taken_back:
                yield "W1", f"{verb} of {payment_id}, and {consent_id} was taken back before"
            if customer_id in self.stopped or decision <= self.void.get(customer_id, 0):
                yield "W2", f"{verb} of {payment_id}, and {customer_id} had stopped everything"
            if pay_on is not None and self._day(customer_id, sent_at) != pay_on:
                yield "W7", f"{verb} of {payment_id} at {sent_at}, and it was signed for {pay_on}"
        query = "SELECT rowid, customer_id, payment_id FROM decision WHERE rowid > ? ORDER BY rowid"
        for number, customer_id, payment_id in raw.execute(query, (self.decided,)):
            self.decided = number
            if customer_id in self.stopped:
                yield "W2", f"{payment_id} is decided, and {customer_id} has stopped everything"
        query = "SELECT rowid, consent_id, step FROM consent_history WHERE rowid > ? ORDER BY rowid"
        for number, consent_id, step in raw.execute(query, (self.stepped,)):
            self.stepped = number
            self.world.floor.counts[f"standing {step}"] += 1
            if step == "revoke":
                self.taken_back.add(consent_id)
        self._note_stops()
        yield from self._as_at_the_bank()

    def _day(self, customer_id: str, moment: str) -> str:
        """Which day that was for them."""
        person = next(each for each in self.world.people if each.signed_in.customer.id == customer_id)
        at = dt.datetime.fromisoformat(moment).replace(tzinfo=dt.UTC)
        self.world.floor.counts["some sent on a day of its own"] += 1
        return today_of(person.signed_in.customer, at).isoformat()

    def _note_stops(self) -> None:
        stopped = dict(self.world.kept.rows("SELECT customer_id, id FROM stop WHERE lifted_at IS NULL"))
        for customer_id in self.stopped.keys() - stopped.keys():
            self.void[customer_id] = self.decided
        self.world.floor.counts["some stopped everything"] += len(stopped.keys() - self.stopped.keys())
        self.stopped = stopped

    def _as_at_the_bank(self) -> Iterator[Found]:
        if not self.banks:
            return
        for consent_id, state, bank_id, bank_consent_id, _, gone_at in self.world.kept.rows(_STANDING):
            bank = self.world._bank(bank_id)
            held = bank.held.get(bank_consent_id or "") if isinstance(bank, Recurring) else None
            if state == "authorised" and (held is None or not held.is_approved or held.is_altered):
                yield "W3", f"{consent_id} is called authorised, and at the bank it is not what was agreed on"
            if held is not None and gone_at is not None and not held.is_gone:
                yield "W3", f"{consent_id} is called gone, and the bank has it"

    def books(self) -> Iterator[Found]:
        """W4: a bank's book has one payment of a decision under a standing consent at the most, and no more than the
        consent allows, by the bank's own count."""
        for bank in self.banks:
            known: dict[str, Order] = {}
            for held in bank.held.values():
                for order in held.paid:
                    if order.end_to_end_id in known:
                        yield "W4", f"{order.id} and {known[order.end_to_end_id].id} are one decision"
                    known[order.end_to_end_id] = order
                for what in bank.beyond(held):
                    yield "W4", what

    # ------------------------------------------------------------------------------------------------------ in the end

    def begin_to_heal(self) -> None:
        """Those of which nothing but the same bytes tells, while they still can be sent."""
        if not self.banks:
            return
        fresh = self.world.floor.now - dt.timedelta(hours=20)
        rows = self.world.house.raw.execute(
            "SELECT p.id, p.bank_id FROM payment p JOIN consent c ON c.id = p.consent_id AND c.state = 'authorised'"
            " JOIN bank_call b ON b.payment_id = p.id AND b.verb = 'submit'"
            " JOIN bank_attempt a ON a.call_id = b.id AND a.number = 1 AND a.sent_at > ?"
            " WHERE p.trip_id IS NULL AND p.state IN ('submitting', 'unknown') AND p.bank_payment_id IS NULL"
            " AND p.unwanted_since IS NULL",
            (f"{fresh:%Y-%m-%d %H:%M:%S.%f}",),
        )
        self.waits = [payment_id for payment_id, bank_id in rows if self.world._bank(bank_id).profile.keeps_keys]

    def in_the_end(self) -> Iterator[Found]:
        """W5: what was taken back is gone at the bank, and nothing is usable there that is over here. W6: what became
        of a payment whose answer was lost is known where the same bytes could tell."""
        if not self.banks:
            return
        raw = self.world.house.raw
        for consent_id, state, bank_id, _, request_id, _ in raw.execute(_STANDING).fetchall():
            if state == "revoking":
                yield "W5", f"{consent_id} was taken back, and the bank has not confirmed it yet"
            bank = self.world._bank(bank_id)
            if not isinstance(bank, Recurring) or state not in ("revoking", "revoked", "rejected", "expired"):
                continue
            for held in bank.held.values():
                if held.request_id == request_id and held.is_usable:
                    yield "W5", f"{consent_id} is {state}, and at the bank {held.id} can be used"
        for payment_id in self.waits:
            row: Any = raw.execute(
                "SELECT p.state, p.bank_payment_id, c.state FROM payment p JOIN consent c ON c.id = p.consent_id"
                " WHERE p.id = ?",
                (payment_id,),
            ).fetchone()
            self.world.floor.counts["some lost answer under a standing consent resolved"] += row[1] is not None
            if row[0] in ("submitting", "unknown") and row[1] is None and row[2] == "authorised":
                with self.world.services.reading() as uow:
                    payment = uow.session.get_one(Payment, payment_id)
                    is_wanted = payment.unwanted_since is None and gives_way(uow.session, payment) is None
                if is_wanted:
                    yield "W6", f"{payment_id} is still {row[0]}, and the same bytes would have told"
