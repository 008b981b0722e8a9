"""What people do with standing consents, and with the button that stops everything: they set one up, pay under it,
approve it anew, take it back here or at the bank, remove a bank, stop everything and lift that.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.journey.consents import agreeing, my_banks
from app.journey.consents import service as consents
from app.journey.consents.agreeing import Terms, Wanted
from app.journey.consents.step import work_key
from app.people import stops
from app.services import WEB_DEADLINE_S
from app.tasks import run_now
from connectors.capabilities import Event, EventKind, Period
from tests.faults.sim.bank import Bank, WayBack
from tests.faults.sim.house import PARTY, PSU, Person
from tests.faults.sim.standing_bank import Held, Recurring
from tests.faults.sim.standing_truth import StandingTruth
from tests.faults.sim.visits import Returning

if TYPE_CHECKING:
    from tests.faults.sim.world import World

#: that one person has at once
OPEN_MOST = 3
#: the most for one payment, and the limits that come with it
EACH = (5000, 10_000, 20_000, 20_000)
PERIODS = {Period.DAY: 4, Period.FORTNIGHT: 4, Period.WEEK: 2, Period.MONTH: 3, Period.HALF_YEAR: 1, Period.YEAR: 1}
#: what somebody does about a consent, and how often
WHIMS = {"leave": 5.0, "take back": 1.2, "stop there": 1.5, "hear": 2.0, "remove": 0.5, "set up": 3.0, "come back": 0.5}
#: what somebody does between two steps of a payment of theirs
SUDDEN = {"stop there": 3.0, "take back": 3.0, "stop": 2.0, "remove": 0.5, "leave": 1.0}
_OPEN = (
    "SELECT s.consent_id, s.customer_id, s.bank_id, c.state, c.bank_consent_id FROM standing s"
    " JOIN consent c ON c.id = s.consent_id ORDER BY s.consent_id"
)


def words(terms: Terms, language: str) -> Sequence[str]:
    """What a page would say of them."""
    return [f"{terms.biller_name} from {terms.bank_name} ({language})", f"{terms.frame}"]


@dataclass(eq=False, kw_only=True)
class Going:
    """A browser is on its way to a bank, to approve a standing consent there."""

    person: Person
    bank: Recurring
    consent_id: str
    url: str = field(repr=False)
    browser: str = field(repr=False)


@dataclass(eq=False)
class StandingConsents:
    """Of one history."""

    world: World
    under_way: list[Going] = field(default_factory=list)
    back: list[tuple[WayBack, str | None, Going]] = field(default_factory=list)
    events: list[tuple[Recurring, Event]] = field(default_factory=list)  #: that nobody has heard yet

    def __post_init__(self) -> None:
        self.truth = StandingTruth(self.world)
        self.banks = [bank for bank in self.world.banks if isinstance(bank, Recurring)]

    # ------------------------------------------------------------------------------------------------ what people want

    def go_on(self) -> bool:
        """Whoever is at the bank comes back first; else somebody does what comes to their mind."""
        if not self.banks:
            return False
        if self.under_way and self.world.dice.random() < 0.9:
            return self._visit()
        if self.truth.stopped and self.world.dice.random() < 0.8:
            return self._lift(self.world._person(min(self.truth.stopped)))
        usable = [row for row in self._rows() if row[3] == "authorised"]
        if len(usable) < 2 and self.world.dice.random() < 0.8 - 0.6 * len(usable):
            return self._set_up()
        if usable and self.world.dice.random() < 0.7 and self._pay(self.world.dice.choice(usable)[1]):
            return True
        return self._whim(WHIMS)

    def _pay(self, customer_id: str) -> bool:
        """Somebody opens their bills in pounds, one or two at once, and signs what they see."""
        world = self.world
        query = "SELECT id FROM invoice WHERE currency = 'GBP' AND state = 'to_pay' AND customer_id = ? ORDER BY id"
        bills = [row[0] for row in world.house.raw.execute(query, (customer_id,))]
        if not bills:
            return False
        person = world._person(customer_id)
        for invoice_id in world.dice.sample(bills, min(len(bills), world.dice.choice((1, 1, 2)))):
            for _ in range(2 if world.dice.random() < world.impatient / 2 else 1):
                world.request("show", world.showing(person, invoice_id))
        world.settle(world.floor.now + dt.timedelta(seconds=1), most=10)
        while world.shown and world.dice.random() < 0.9:
            world.do_sign()
        return True

    def interrupt(self, payment_id: str) -> None:
        """Between two steps of a payment its customer does something that may be meant to end it."""
        query = "SELECT customer_id, consent_id FROM decision WHERE payment_id = ?"
        row = self.world.house.raw.execute(query, (payment_id,)).fetchone()
        if row is None:
            return
        if row[1] is None or not self.banks:
            self.stop(self.world._person(row[0]))
        else:
            self._whim(SUDDEN, consent_id=row[1])
        self.world.after()

    def _whim(self, whims: dict[str, float], consent_id: str | None = None) -> bool:
        what = self.world.dice.choices(list(whims), list(whims.values()))[0]
        if what == "hear":
            return self._hear()
        if what == "come back":
            return bool(self.back) and self._come_back(*self.world.dice.choice(self.back))
        if what == "set up":
            return self._set_up()
        rows = [row for row in self._rows() if consent_id in (None, row[0])]
        if not rows:
            return False
        chosen = self.world.dice.choice(rows)
        about: dict[str, Callable[[], bool]] = {
            "leave": lambda: self._leave(chosen[0]) and self._visit(),
            "take back": lambda: self._take_back(chosen[0], chosen[1]),
            "stop there": lambda: self._stop_there(chosen[2], chosen[4]),
            "remove": lambda: self._remove(chosen[1], chosen[2]),
            "stop": lambda: self.stop(self.world._person(chosen[1])),
        }
        return about[what]()

    def _rows(self) -> list[tuple[str, str, str, str, str | None]]:
        return list(self.world.house.raw.execute(_OPEN))

    def pays_under(self, person: Person, invoice_id: str) -> tuple[Bank | None, str | None]:
        """By which bank and under which consent somebody wants to pay a bill in pounds; any other: (None, None)."""
        if not self.banks:
            return None, None
        query = "SELECT currency FROM invoice WHERE id = ?"
        if self.world.house.raw.execute(query, (invoice_id,)).fetchone()[0] != "GBP":
            return None, None
        dice, customer_id = self.world.dice, person.signed_in.customer.id
        mine = [row for row in self._rows() if row[1] == customer_id and row[3] in ("authorised", "stopped_at_bank")]
        good = [row for row in mine if row[3] == "authorised"] or mine
        if not good or dice.random() < 0.1:
            return dice.choice(self.banks), None
        row = dice.choice(good if dice.random() < 0.97 else mine)
        return self.world._bank(row[2]), row[0]

    # ------------------------------------------------------------------------------------------------------ setting up

    def _set_up(self) -> bool:
        """All the way, as far as it gets, whatever comes between."""
        world, dice = self.world, self.world.dice
        free = [each for each in world.people if each.signed_in.customer.id not in self.truth.stopped]
        person, bank = dice.choice(free or world.people), dice.choice(self.banks)
        mine = [row for row in self._rows() if row[1] == person.signed_in.customer.id]
        if sum(row[3] not in ("rejected", "expired", "revoked") for row in mine) >= OPEN_MOST:
            return False
        if not world.request("agree", self._agreeing(person, bank, self._wanted())):
            return False
        world.settle(world.floor.now + dt.timedelta(seconds=2), most=30)
        for row in self._rows():
            if row[1] == person.signed_in.customer.id and row[3] == "awaiting" and self._leave(row[0]):
                self._visit()
                world.settle(world.floor.now + dt.timedelta(seconds=3), most=40)
                break
        return True

    def _wanted(self) -> Wanted:
        """With limits that a few bills fill."""
        dice = self.world.dice
        each = dice.choice(EACH)
        periods = dice.sample(list(PERIODS), dice.choice((1, 1, 2)), counts=list(PERIODS.values()))
        ends = self.world.floor.now.date() + dt.timedelta(days=dice.choice((3, 40))) if dice.random() < 0.3 else None
        return Wanted(
            each_minor=each,
            limits={period: each * dice.choice((1, 2, 3, 60)) for period in periods},
            begins_on=None,
            ends_on=ends,
        )

    def _agreeing(self, person: Person, bank: Recurring, wanted: Wanted) -> Callable[[], None]:
        services, signed_in = self.world.services, person.signed_in
        [biller_id] = self.world.house.raw.execute("SELECT biller_id FROM invoice WHERE currency = 'GBP'").fetchone()

        def agree() -> None:
            with services.reading() as uow:
                terms = agreeing.terms_of(
                    uow, customer=signed_in.customer, biller_id=biller_id, bank=bank.profile, wanted=wanted
                )
                seen = agreeing.shown_of(agreeing.order_of(terms, language="en", words=words))
            self.world.floor.point("web.drawn")
            with services.unit_of_work() as uow:
                started = agreeing.start_agreeing(
                    uow,
                    signed_in=signed_in,
                    party=PARTY,
                    biller_id=biller_id,
                    bank=bank.profile,
                    wanted=wanted,
                    language="en",
                    words=words,
                    shown=seen,
                )
                uow.commit()
            self.world.floor.point("web.shown")
            with services.unit_of_work() as uow:
                consent_id = agreeing.agree(
                    services,
                    uow,
                    signed_in=signed_in,
                    party=PARTY,
                    ceremony=started.ceremony,
                    credential=person.device.sign(started.public_key),
                    banks={each.id: each for each in services.banks.banks()},
                    psu=PSU,
                    words=words,
                )
                uow.commit()
            self.world.floor.counts["some standing consent agreed"] += 1
            self.world.floor.point("web.agreed")
            run_now(services, work_key(consent_id), deadline_s=WEB_DEADLINE_S)

        return agree

    def _leave(self, consent_id: str) -> bool:
        row = next(row for row in self._rows() if row[0] == consent_id)
        person, bank = self.world._person(row[1]), self.world._bank(row[2])

        def leave() -> None:
            leaving = consents.leave_to_approve(self.world.services, signed_in=person.signed_in, consent_id=consent_id)
            assert isinstance(bank, Recurring)
            going = Going(person=person, bank=bank, consent_id=consent_id, url=leaving.url, browser=leaving.browser)
            self.under_way.append(going)
            self.world.floor.counts["some standing consent approved anew"] += row[3] != "awaiting"

        before = len(self.under_way)
        return self.world.request("leave to approve", leave) and len(self.under_way) > before

    def _visit(self) -> bool:
        """Somebody decides at the bank, and comes back."""
        if not self.under_way:
            return False
        dice = self.world.dice
        going = self.under_way.pop(dice.randrange(len(self.under_way)))
        what = dice.choices(("approve", "refuse", "abandon"), (12, 0.6, 0.6))[0]
        self.world.floor.note(f"at the bank: {what} {going.consent_id}")
        found = going.bank.visit_consent(going.url, what)
        if found is None:
            return True
        self.back.append((*found, going))
        return dice.random() < 0.05 or self._come_back(*self.back[-1])

    def _come_back(self, way: WayBack, code: str | None, going: Going) -> bool:
        world = self.world
        whose = Returning.to(world, going.person, going.browser)

        def back() -> None:
            returned = consents.come_back(
                world.services,
                bank_id=going.bank.profile.id,
                state=way.state,
                browsers=whose.browsers,
                customer_id=whose.customer_id,
                answer=way.answer,
            )
            if returned is not None and returned.is_believed and not whose.is_theirs:
                world.floor.broken("D3", "an approval is taken from another browser, or for another customer")
            if returned is None or returned.work is None:
                return
            for key in returned.work.work_keys.values():
                run_now(world.services, key, deadline_s=WEB_DEADLINE_S)
            run_now(world.services, work_key(returned.consent_id), deadline_s=WEB_DEADLINE_S / 2)

        return world.request("back from approving", back)

    # ------------------------------------------------------------------------------------------------------ taking back

    def _take_back(self, consent_id: str, customer_id: str) -> bool:
        person = self.world._person(customer_id)

        def revoke() -> None:
            taken = consents.revoke(self.world.services, signed_in=person.signed_in, consent_id=consent_id)
            self.world.floor.counts["some standing consent taken back"] += taken

        return self.world.request("take back", revoke)

    def _stop_there(self, bank_id: str, bank_consent_id: str | None) -> bool:
        """At the bank; its event comes at once, later, twice or never."""
        bank = self.world._bank(bank_id)
        held = bank.held.get(bank_consent_id or "") if isinstance(bank, Recurring) else None
        if held is None or not held.is_usable or not isinstance(bank, Recurring):
            return False
        event = bank.stop_there(held)
        self.events += [(bank, event)] * self.world.dice.choice((0, 1, 1, 2))
        return self.world.dice.random() < 0.5 or self._hear()

    def _hear(self) -> bool:
        """An event of a bank comes; or a hint that something is new, of which nothing is."""
        dice = self.world.dice
        if self.events:
            bank, event = self.events.pop(dice.randrange(len(self.events)))
        else:
            held: list[tuple[Recurring, Held]] = [(bank, each) for bank in self.banks for each in bank.held.values()]
            if not held:
                return False
            bank, one = dice.choice(held)
            event = Event(
                event_id=f"hint-{len(self.world.floor.trace)}",
                kind=EventKind.RESOURCE_UPDATED,
                resource_type="domestic-vrp-consent",
                resource_id=one.id,
                occurred_at=self.world.floor.now,
            )

        def hear() -> None:
            consents.hear(self.world.services, bank_id=bank.profile.id, event=event)

        return self.world.request("event", hear)

    def _remove(self, customer_id: str, bank_id: str) -> bool:
        """They want nothing more of a bank here; mostly they change their mind soon."""
        person = self.world._person(customer_id)
        query = "SELECT removed_at FROM customer_bank WHERE customer_id = ? AND bank_id = ?"
        row = self.world.house.raw.execute(query, (customer_id, bank_id)).fetchone()
        is_removed = row is not None and row[0] is not None

        def change() -> None:
            with self.world.services.unit_of_work() as uow:
                if is_removed:
                    my_banks.add_bank(uow, signed_in=person.signed_in, bank_id=bank_id)
                else:
                    taken = my_banks.remove_bank(uow, signed_in=person.signed_in, bank_id=bank_id)
                    self.world.floor.counts["some standing consent taken back with its bank"] += len(taken)
                uow.commit()
            self.world.floor.counts["some bank removed"] += not is_removed

        if not is_removed and self.world.dice.random() < 0.3:
            return False
        return self.world.request("add a bank again" if is_removed else "remove a bank", change)

    # ------------------------------------------------------------------------------------------------------ everything

    def stop_or_lift(self) -> bool:
        """Who stopped everything lifts it soon; and adds again what banks they removed. Others stop, now and then."""
        dice = self.world.dice
        person = dice.choice(self.world.people)
        customer_id = person.signed_in.customer.id
        if customer_id in self.truth.stopped and dice.random() < 0.95:
            return self._lift(person)
        query = "SELECT bank_id FROM customer_bank WHERE customer_id = ? AND removed_at IS NOT NULL"
        removed = self.world.house.raw.execute(query, (customer_id,)).fetchone()
        if removed is not None:
            return self._remove(customer_id, removed[0])
        return dice.random() < 0.15 and self.stop(person)

    def stop(self, person: Person) -> bool:
        world, customer_id = self.world, person.signed_in.customer.id

        def stop() -> None:
            stops.stop_everything(world.services, signed_in=person.signed_in)

        for state in ("authorised", "submitting", "unknown", "accepted", "awaiting_customer"):
            mine = [found for found in world._payments(state) if found[1] == customer_id]
            world.floor.counts[f"some stopped all while {state}"] += bool(mine)
        under = "SELECT count(*) FROM payment WHERE trip_id IS NULL AND state = 'submitting' AND customer_id = ?"
        [busy] = world.house.raw.execute(under, (customer_id,)).fetchone()
        world.floor.counts["some stopped all while one under a standing consent is submitted"] += bool(busy)
        return world.request("stop everything", stop)

    def _lift(self, person: Person) -> bool:
        services = self.world.services

        def lift() -> None:
            with services.unit_of_work() as uow:
                started = stops.start_lifting(uow, signed_in=person.signed_in, party=PARTY)
                uow.commit()
            self.world.floor.point("web.shown")
            stops.lift(
                services,
                signed_in=person.signed_in,
                party=PARTY,
                ceremony=started.ceremony,
                credential=person.device.sign(started.public_key),
            )
            self.world.floor.counts["some stop lifted"] += 1

        return self.world.request("lift the stop", lift)
