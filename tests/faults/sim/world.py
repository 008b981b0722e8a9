"""One history: people, billers, workers and two banks around the real services, driven by the dice of a seed."""

from __future__ import annotations

import base64
import collections
import datetime as dt
import hashlib
import hmac
import json
import secrets
import zoneinfo
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from app import failpoints, strangers
from app.db import work
from app.db.work import HANDLERS_OF, Claim, Lane, LostClaim
from app.errors import AppError, Conflict, TooLate
from app.journey.decisions import orders
from app.journey.decisions import service as decisions
from app.journey.invoices.states import InvoiceState
from app.journey.payments import service as payments
from app.journey.payments.looks import work_key
from app.journey.payments.read import OpenOutcome, open_outcomes
from app.journey.route import HANDLERS
from app.people.customers import today_of
from app.people.passkeys import Started
from app.schedule import JOBS, OF_SERVICES
from app.services import WEB_DEADLINE_S, Handler, Services, Task
from app.tasks import run_now, run_task
from connectors.errors import BankSilent, BankUnavailable
from connectors.money import Money
from tests.faults.sim import aims, chance, correcting, reconciling
from tests.faults.sim.accounting import Account
from tests.faults.sim.adding import Adding
from tests.faults.sim.answering import Answering
from tests.faults.sim.bank import FORGOTTEN, Bank, Executing, Order, WayBack, profile_of
from tests.faults.sim.floor import Fiber, Floor, Process
from tests.faults.sim.house import PARTY, PSU, House, Person
from tests.faults.sim.keeping import Keeping
from tests.faults.sim.signing_in import LAST_LOOKS, SigningIn
from tests.faults.sim.standing import StandingConsents
from tests.faults.sim.submitting import Submitting
from tests.faults.sim.vetting import Vetting
from tests.faults.sim.visits import Visits

#: where histories begin: an ordinary day, month and year ends in two time zones, the nights when clocks change
STARTS = (
    "2026-11-23 10:00:00",
    "2026-11-30 22:59:30",
    "2026-12-31 22:55:00",
    "2026-12-31 22:59:50",
    "2027-01-01 04:59:30",
    "2027-03-28 00:50:00",
    "2027-10-31 00:30:00",
)
FREEZES_S = (5, 31, 120, 1200, 7200, 26 * 3600)
HEARTBEAT = dt.timedelta(seconds=10)
FAR_PAST = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
#: how often a payment under a standing consent is decided for a later day
LATER = 0.35
BUSY_MOST = 3  #: pieces of work that a worker does at once
#: lanes of what waits for others than banks; where one of them has nothing, no seed has drawn anything
STRANGERS = {Lane.OUTBOUND, Lane.PUSH}
LANES = {handler: lane for lane, handlers in HANDLERS_OF.items() for handler in handlers}

#: deeds and how often each is drawn, before the seed bends them
DEEDS: Mapping[str, float] = {
    "hurry": 3,
    "decide": 9,
    "sign": 14,
    "leave": 16,
    "visit": 24,
    "back": 20,
    "cancel": 1.5,
    "tick": 10,
    "wait": 8,
    "edge": 2.5,
    "pass_days": 1.2,
    "jump": 1.5,
    "crash": 0,  # drawn at points
    "freeze": 0,
    "away": 0.7,
    "second_person": 2,
    "bank_app": 2,
    "operator": 0.7,
    "receiver": 1,
    "housekeeping": 1,
    "ask": 0.7,
    "word": 0.7,
    "statement": 0.5,
    "correct": 0.4,
}


@dataclass(eq=False, kw_only=True)
class Link:
    """A browser holds the address at the bank, and the cookie of its trip."""

    person: Person
    payment_id: str
    bank_id: str
    url: str
    browser: str


@dataclass(kw_only=True)
class Receiver:
    """A biller's program behind one address."""

    biller_id: str
    secret: str
    trouble: str = ""
    bodies: dict[str, bytes] = field(default_factory=dict)
    told: dict[str, tuple[int, str]] = field(default_factory=dict)  #: payment → the latest word by its sequence


@dataclass(kw_only=True)
class Answer:
    status: int


class World:
    def __init__(self, house: House, seed: int, *, known: frozenset[str] = frozenset()) -> None:
        self.house = house
        self.floor = Floor(seed, start=FAR_PAST, raw=house.raw, known=known)
        dice = self.dice = self.floor.dice
        self.floor.now = dt.datetime.fromisoformat(dice.choice(STARTS) + "+00:00")
        self.floor.switching = dice.choice((0.2, 0.5, 1.0))
        aim = self.aim = aims.drawn(dice, seed)
        self.banks: list[Bank] = []
        for name in ("north", "south"):
            kind = aim.kind or (Submitting if dice.random() < 0.3 else Executing)
            profile = replace(profile_of(name, dice), **aim.profile(dice))
            keeps = not profile.sign_in_first and profile.status_access != "psu_token"
            self.banks.append(kind(self.floor, replace(profile, keeps_days=keeps), aim.nature(dice)))
        opened = house.open(self.floor.clock, self.banks, in_pounds=aim.in_pounds)
        handlers = {name: self._watched(name, handler) for name, handler in HANDLERS.items()}
        self.kept = house.kept()
        self.services: Services = replace(opened, handlers=handlers)
        self.people = house.people
        self.shown: list[tuple[Person, str, Started]] = []  #: open tabs
        self.links: list[Link] = []
        self.ways_back: list[tuple[WayBack, Link]] = []
        self.followed: set[int] = set()  #: ways back that some browser took
        self.visits = Visits(self)
        self.adding = Adding(self)
        self.answering = Answering(self)
        self.vetting = Vetting(self)
        self.standing = StandingConsents(self)
        self.keeping = Keeping(self)
        self.receivers = {
            url: Receiver(biller_id=biller_id, secret=secret) for url, (biller_id, secret) in house.endpoints.items()
        }
        self.books = correcting.Books.of_house(house.bills)
        self.account = Account(self)
        self.crash_rate = dice.choice((0.0, 0.0, 0.02, 0.08))
        self.freeze_rate = dice.choice((0.0, 0.0, 0.02, 0.06))
        self.dawdling = dice.choice((0.05, 0.3))  #: how often a customer looks at the bank's page for long
        self.aimed_rate = dice.choice((0.0, 0.1, 0.4))  #: how often a process dies where it matters to the aim
        self.deeds = {
            name: weight * dice.choice((0.3, 1, 1, 2)) * aim.deeds.get(name, 1)
            for name, weight in {**DEEDS, **aim.own_deeds}.items()
            if weight
        }
        self.impatient = dice.choice((0.0, 0.3, 0.8))  #: how often a customer opens two tabs
        self.in_parts = dice.choice((0.0, 0.0, 0.7))  #: how often a customer wants to pay a part of a bill
        self.eager = dice.choice((0.2, 0.5, 0.9))  #: how seldom customers wait
        self.calm = False  #: healing: no faults, nobody does anything new
        self.healed_at = FAR_PAST  #: since when
        self.asked: collections.Counter[str] = collections.Counter()
        self.deaths: collections.Counter[str] = collections.Counter()  #: by the point at which it was aimed
        self.errors: collections.Counter[str] = collections.Counter()
        self.after: Callable[[], None] = lambda: None  #: looks at the invariants

    # ----------------------------------------------------------------------------------------------------- the hooks

    def hook(self, name: str) -> None:
        """app.failpoints.hook."""
        fiber = self.floor.current
        if name in ("status.asked", "submit.asked"):
            self._count_question(fiber)
        elif name == "status.written":
            self._hold(fiber)
        self.floor.point(name)

    def _hold(self, fiber: Fiber | None) -> None:
        """It is written down for how long the bank wants to be left alone."""
        if fiber is not None and fiber.told_hold is not None:
            bank, until = fiber.told_hold
            bank.left_alone_until = max(bank.left_alone_until or until, until)
            fiber.told_hold = None

    def _count_question(self, fiber: Fiber | None) -> None:
        """K8: in no minute more questions than the bank allows, and none before the time that it named; but what nobody
        can be asked any more in a moment."""
        if fiber is None or fiber.subject is None:
            return
        fiber.told_hold = None
        bank = self.bank_of(fiber.subject)
        minute = f"{bank.profile.id} {self.floor.now:%Y%m%d%H%M}"
        self.asked[minute] += 1
        if self._is_last_question(fiber.subject):
            self.floor.counts["some asked at the last"] += 1
            return
        if self.asked[minute] > bank.profile.status_calls_per_minute:
            self.floor.broken("K8", f"{bank.profile.id} is asked {self.asked[minute]} times in a minute")
        if bank.left_alone_until is not None and self.floor.now < bank.left_alone_until:
            self.floor.broken("K8", f"{bank.profile.id} wants to be left alone until {bank.left_alone_until}")

    def _is_last_question(self, payment_id: str) -> bool:
        """Only a token is told of it, and dies within minutes."""
        [told_until] = self.house.raw.execute("SELECT told_until FROM payment WHERE id = ?", (payment_id,)).fetchone()
        if told_until is None:
            return False
        left = dt.datetime.fromisoformat(told_until).replace(tzinfo=dt.UTC) - self.floor.now
        return dt.timedelta() < left <= LAST_LOOKS

    def _watched(self, name: str, handler: Handler) -> Handler:
        def watched(task: Task) -> None:
            try:
                handler(task)
                self._hold(self.floor.current)
            except LostClaim:
                self.floor.counts["some fenced"] += 1
                self.floor.note("fenced")
                raise
            except Exception as error:
                self.errors[f"{name} {type(error).__name__}"] += 1
                if isinstance(error, TypeError):  # nobody's bad day: a call that can never work, perhaps a planted one
                    self.floor.broken("X1", f"{name} ends in {error}")
                self.floor.note(f"error {type(error).__name__}: {str(error)[:80]}")
                raise

        return watched

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """What a biller's program does with a message."""
        floor, receiver = self.floor, self.receivers[url]
        floor.point("biller.called")
        if receiver.trouble:
            floor.counts[f"fault biller {receiver.trouble}"] += 1
        if receiver.trouble == "down":
            raise BankUnavailable("connection refused")
        if receiver.trouble == "5xx":
            raise BankSilent("500")
        if receiver.trouble == "refuses":
            return Answer(status=400)
        self._hear(url, receiver, headers, body)
        if receiver.trouble == "loses":
            floor.sleep(8)
            raise BankSilent("the answer was lost")
        floor.point("biller.answered")
        return Answer(status=204)

    def _hear(self, url: str, receiver: Receiver, headers: Mapping[str, str], body: bytes) -> None:
        message_id = headers["webhook-id"]
        signed = f"{message_id}.{headers['webhook-timestamp']}.".encode() + body
        key = base64.b64decode(receiver.secret.removeprefix("whsec_"))
        if headers["webhook-signature"] != "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode():
            self.floor.broken("G3", "a message with a wrong signature")
        if receiver.bodies.setdefault(message_id, body) != body:
            self.floor.broken("G2", "one message said two things")
        said = json.loads(body)
        if not said["type"].startswith("payment."):
            self.floor.counts[f"some {self.books.hear(url, said)}"] += 1
            return
        data = said["data"]
        self.floor.note(f"told {data['status']} #{data['sequence']}")
        self.floor.counts[f"told {data['status']}"] += 1
        orders = self.orders_of(data["payment_id"])
        if data["status"] == "paid" and not any(order.executed(self.floor.now) for order in orders):
            self.floor.broken("A4", f"the biller is told that {data['payment_id']} is paid")
        latest = receiver.told.get(data["payment_id"], (0, ""))
        receiver.told[data["payment_id"]] = max(latest, (data["sequence"], data["status"]))

    # -------------------------------------------------------------------------------------------------------- the truth

    def bank_of(self, payment_id: str) -> Bank:
        row = self.house.raw.execute("SELECT bank_id FROM decision WHERE payment_id = ?", (payment_id,)).fetchone()
        return next(bank for bank in self.banks if bank.profile.id == row[0])

    def orders_of(self, payment_id: str) -> list[Order]:
        """All that the bank ever took for it: the same bytes may have been sent again."""
        reference = payment_id.replace("_", "", 1)
        return [order for bank in self.banks for order in bank.orders if order.end_to_end_id == reference]

    # ------------------------------------------------------------------------------------------------------ the history

    def run(self, steps: int) -> None:
        """The troubled part of a history."""
        if self.aim.may_be_short:  # what is begun with a token ends with it: some must live on when all is well
            steps = int(steps * self.dice.choice((0.2, 0.4, 0.7, 1.0)))
        for _ in range(steps):
            self.step()
        self.drop_fibers()

    def session(self) -> Any:
        """The hooks of one history, for as long as it lasts."""
        world = self

        class Line:
            """Stands in for connectors.http.BankSession."""

            def __init__(self, **_: object) -> None: ...

            def call(
                self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, deadline: object
            ) -> Answer:
                return world.post(url, headers, body)

            def close(self) -> None: ...

        return chance.replaced((failpoints, "hook", self.hook), (strangers, "BankSession", Line))

    def step(self) -> None:
        ready = self.floor.ready()
        if ready and self.dice.random() < 0.55:
            for _ in range(self.dice.choice((1, 1, 2, 4, 8))):
                self.resume(self.dice.choice(ready))
                ready = self.floor.ready()
                if not ready:
                    break
        else:
            name = self.dice.choices(list(self.deeds), list(self.deeds.values()))[0]
            if not getattr(self, f"do_{name}")():
                self._do_little()
        self.after()

    def resume(self, fiber: Fiber) -> None:
        self.floor.resume(fiber)
        self._reap()
        self.after()
        process = fiber.process
        if self.calm or not process.fibers:
            return
        if self.aim.is_about(fiber.at) and self.dice.random() < self.aimed_rate / (1 + self.deaths[fiber.at]):
            self.deaths[fiber.at] += 1
            self.floor.crash(process)
            self.after()
            if self.dice.random() < 0.3:
                self._nobody_works()
        elif self.dice.random() < self.crash_rate:
            self.floor.crash(process)
            self.after()
        elif self.dice.random() < self.freeze_rate:
            self.floor.freeze(process, self.dice.choice(FREEZES_S))
        elif fiber in process.fibers and self.dice.random() < self.freeze_rate / 2:
            fiber.wake_at = self.floor.now + dt.timedelta(seconds=self.dice.choice(FREEZES_S))  # one thread is stuck
        elif fiber.at == "status.heard" and self.dice.random() < 0.6:
            self._stick_until_fence(fiber)
        elif fiber.subject and fiber in process.fibers:
            self._interrupt(fiber.subject)

    def _interrupt(self, payment_id: str) -> None:
        """Between two steps of a payment somebody does something about it."""
        if self.dice.random() < self.aim.corrects_between:
            correcting.interrupt(self, payment_id)
        elif self.dice.random() < self.aim.vets_between:
            self.vetting.interrupt(payment_id)
        elif self.aim.stops_between and self.dice.random() < self.aim.stops_between:  # no dice of other histories
            self.standing.interrupt(payment_id)

    def _nobody_works(self) -> None:
        """Whatever killed it holds up all others for a while. Their first visitor may be quicker than their workers."""
        self.do_jump()
        self.after()
        if self.dice.random() < 0.3:
            self.do_cancel()

    def _stick_until_fence(self, fiber: Fiber) -> None:
        """A bank that knows nothing of an order before its customer decides has said so, and that is written down after
        the fence; the customer was at the bank and decides meanwhile."""
        links = [
            link
            for link in self.links
            if link.payment_id == fiber.subject
            and self._bank(link.bank_id).nature.before_decision == FORGOTTEN
            and self._order_behind(link).is_undecided
        ]
        if fiber not in fiber.process.fibers or not links:
            return
        row = self.house.raw.execute("SELECT fence_at FROM payment WHERE id = ?", (fiber.subject,)).fetchone()
        fence = row and row[0] and dt.datetime.fromisoformat(row[0]).replace(tzinfo=dt.UTC)
        if fence and fence > self.floor.now:
            self.floor.counts["fault stuck until the fence"] += 1
            fiber.wake_at = fence + dt.timedelta(seconds=1)
            self._visit(links[0])

    def _reap(self) -> None:
        """A request that ends in anything but an answer of ours is a fault of ours."""
        for fiber, error in self.floor.ended:
            if error is None:
                continue
            if not isinstance(error, AppError):
                self.floor.broken("X1", f"{fiber.label} ends in {type(error).__name__}: {error}")
                continue
            self.floor.counts[f"refused {error.code}"] += 1
            self.floor.note(f"refused {error.code}")
        self.floor.ended.clear()

    def drop_fibers(self) -> None:
        """Everything stops: what is still on its way is killed."""
        for process in self.floor.processes:
            self.floor.crash(process)
        self.floor.ended.clear()

    # ------------------------------------------------------------------------------------------------------------- time

    def go_to(self, when: dt.datetime, *, beat: bool = True) -> None:
        self.floor.now = max(self.floor.now, when)
        for bank in self.banks:
            bank.tick()
        for process in self.floor.processes:
            claims = [fiber.claim for fiber in process.fibers if fiber.claim is not None]
            frozen = process.frozen_until is not None and process.frozen_until > self.floor.now
            if beat and claims and not frozen and (process.beat_at or FAR_PAST) + HEARTBEAT <= self.floor.now:
                process.beat_at = self.floor.now
                with self.services.unit_of_work() as uow:
                    work.extend(uow.session, claims, now=uow.now)
                    uow.commit()

    def settle(self, until: dt.datetime, *, most: int = 60) -> bool:
        """Time goes by and everybody does what is due, in the order of time. False when it was too much to do."""
        for _ in range(most):
            ready = self.floor.ready()
            if ready:
                self.resume(self.dice.choice(ready))
                continue
            if self.claim_due():
                continue
            nearest = self._nearest()
            if nearest is None or nearest > until:
                self.go_to(until)
                self.after()
                return True
            self.go_to(nearest)
            self.after()
        return False

    def _nearest(self) -> dt.datetime | None:
        times = [when for bank in self.banks for when, _ in bank.late]
        wake = self.floor.next_wake()
        if wake is not None:
            times.append(wake)
        due = self._due_at()
        if due is not None and self._idle_worker() is not None:
            times.append(due)
        times += [
            (process.beat_at or self.floor.now) + HEARTBEAT
            for process in self.floor.processes
            if process.frozen_until is None and any(fiber.claim for fiber in process.fibers)
        ]
        return min((max(when, self.floor.now) for when in times), default=None)

    def _due_at(self) -> dt.datetime | None:
        [first] = self.house.raw.execute("SELECT min(run_at) FROM work").fetchone()
        return None if first is None else dt.datetime.fromisoformat(first).replace(tzinfo=dt.UTC)

    def _due_handlers(self) -> set[str]:
        now = f"{self.floor.now:%Y-%m-%d %H:%M:%S.%f}"
        return {name for (name,) in self.house.raw.execute("SELECT handler FROM work WHERE run_at <= ?", (now,))}

    def _idle_worker(self) -> Process | None:
        idle = [
            process
            for process in self.floor.processes
            if process.worker
            and len(process.fibers) < BUSY_MOST
            and (process.frozen_until is None or process.frozen_until <= self.floor.now)
        ]
        return self.dice.choice(idle) if idle else None

    def claim_due(self) -> bool:
        """A worker takes one piece of due work, if there is any."""
        due, worker = self._due_at(), self._idle_worker()
        if due is None or due > self.floor.now or worker is None:
            return False
        took = False
        for lane in Lane:
            lanes = {LANES.get(name, Lane.JOURNEY) for name in self._due_handlers()}
            if lane not in lanes:
                if lane not in STRANGERS and lanes - STRANGERS:
                    _draw_tokens()
                continue
            with self.services.unit_of_work() as uow:
                claims = work.claim_due(uow.session, now=uow.now, limit=1, lane=lane)
                uow.commit()
            for claim in claims:
                self._start(worker, claim)
                took = True
        return took

    def _start(self, worker: Process, claim: Claim) -> None:
        worker.frozen_until = None
        worker.beat_at = self.floor.now if not any(fiber.claim for fiber in worker.fibers) else worker.beat_at

        def body() -> None:
            self.floor.point("work.begun")
            run_task(self.services, claim)

        self.floor.spawn(worker, claim.handler, body, claim=claim, subject=claim.payload.get("payment_id"))

    # ------------------------------------------------------------------------------------------------- what people do

    def _web(self) -> Process | None:
        free = [
            process
            for process in self.floor.processes
            if not process.worker and (process.frozen_until is None or process.frozen_until <= self.floor.now)
        ]
        return self.dice.choice(free) if free else None

    def request(self, label: str, body: Callable[[], None], *, subject: str | None = None) -> bool:
        web = self._web()
        if web is None:
            return False
        web.frozen_until = None
        self.resume(self.floor.spawn(web, label, body, subject=subject))
        return True

    def do_hurry(self) -> bool:
        """A customer who knows the way does one thing after the other, whatever comes between."""
        last = ("back",) if self.aim.comes_back else ()
        self.hurry("decide", "sign", "leave", "visit", *last, *self.aim.hurries_on)
        return True

    def hurry(self, *deeds: str) -> None:
        for name in deeds:
            getattr(self, f"do_{name}")()
            self.after()
            self.settle(self.floor.now + dt.timedelta(seconds=2), most=40)

    def do_decide(self) -> bool:
        """A customer opens the confirm page of a bill, perhaps in two tabs."""
        person = self.dice.choice(self.people)
        bills = self.house.raw.execute(
            "SELECT id, state FROM invoice WHERE customer_id = ? ORDER BY id", (person.signed_in.customer.id,)
        )
        invoice_id, state = self.dice.choice(bills.fetchall())
        if state not in ("to_pay", "not_here") and self.dice.random() < 0.95:
            return False
        tabs = 2 if self.dice.random() < self.impatient else 1
        begun = [self.request("show", self.showing(person, invoice_id)) for _ in range(tabs)]
        return any(begun)

    def showing(self, person: Person, invoice_id: str) -> Callable[[], None]:
        wanted, consent_id = self.standing.pays_under(person, invoice_id)
        bank = wanted or self.dice.choice(self.banks)
        bank_id = bank.profile.id
        if isinstance(bank, SigningIn) and self.dice.random() < 0.95:
            self.visits.before(person, invoice_id, bank)
        self.adding.before(person, invoice_id, bank)
        share = self.dice.uniform(0.05, 0.95) if self.dice.random() < self.in_parts else None
        ahead = self.dice.randint(1, 3) if consent_id is not None and self.dice.random() < LATER else None
        kept = self.keeping.day(person, bank) if consent_id is None else None

        def show() -> None:
            services = self.services
            bank, customer = services.banks.profile(bank_id), person.signed_in.customer
            how = orders.Wanted(
                consent_id=consent_id,
                part=self._part_of(invoice_id, share),
                pay_on=kept or self._day_ahead(person, ahead),
            )
            with services.reading() as uow:
                seen = decisions.shown_now(uow, customer=customer, invoice_id=invoice_id, bank=bank, wanted=how)
            self.floor.point("web.drawn")
            with services.unit_of_work() as uow:
                started = decisions.start_paying(
                    uow,
                    signed_in=person.signed_in,
                    party=PARTY,
                    invoice_id=invoice_id,
                    bank=bank,
                    shown=seen,
                    wanted=how,
                )
                uow.commit()
            self.floor.point("web.shown")
            self.shown.append((person, invoice_id, started))

        return show

    def _day_ahead(self, person: Person, ahead: int | None) -> str | None:
        """So many days from their own today; None: today."""
        if ahead is None:
            return None
        self.floor.counts["some shown for a later day"] += 1
        return (today_of(person.signed_in.customer, self.floor.now) + dt.timedelta(days=ahead)).isoformat()

    def _part_of(self, invoice_id: str, share: float | None) -> str | None:
        """So much of what is left of it; None: all of it, or it is to be paid in one."""
        row = self.house.raw.execute(
            "SELECT amount_minor - credited_minor - paid_minor, currency, bill_id FROM invoice WHERE id = ?",
            (invoice_id,),
        ).fetchone()
        if share is None or row is None or row[2] is None or row[0] < 2:
            return None
        self.floor.counts["some shown a part"] += 1
        return str(Money(max(int(row[0] * share), 1), row[1]))

    def do_sign(self) -> bool:
        """A customer signs what a tab shows; the other tab may be signed as well."""
        if not self.shown:
            return False
        person, invoice_id, started = self.shown.pop(self.dice.randrange(len(self.shown)))
        credential = person.device.sign(started.public_key)

        def sign() -> None:
            services = self.services
            with services.unit_of_work() as uow:
                try:
                    decided = decisions.decide(
                        uow,
                        signed_in=person.signed_in,
                        party=PARTY,
                        invoice_id=invoice_id,
                        ceremony=started.ceremony,
                        credential=credential,
                        banks={bank.id: bank for bank in services.banks.banks()},
                        psu=PSU,
                    )
                except Conflict as conflict:
                    self.floor.counts[f"some two tabs {conflict.code}"] += 1
                    self._refused_rightly(invoice_id, conflict)
                    raise
                uow.commit()
            self._now_about(decided.payment_id)
            self.floor.point("web.decided")
            for key in decided.work.work_keys.values():
                run_now(services, key, deadline_s=WEB_DEADLINE_S)
            self.floor.counts["some decided under a standing consent"] += decided.under_consent

        return self.request("sign", sign)

    def _refused_rightly(self, invoice_id: str, conflict: Conflict) -> None:
        """T1: where another payment has the bill, nobody is told that nothing was paid."""
        row = self.house.raw.execute("SELECT state FROM invoice WHERE id = ?", (invoice_id,)).fetchone()
        if row is not None and row[0] in (InvoiceState.IN_PAYMENT, InvoiceState.PAID) and "Nothing" in conflict.detail:
            self.floor.broken("T1", f"{invoice_id} is {row[0]}, and its customer is told: {conflict.detail}")

    def _now_about(self, payment_id: str) -> None:
        if self.floor.current is not None:
            self.floor.current.subject = payment_id

    def _payments(self, *states: str) -> list[tuple[str, str, str]]:
        """(payment, customer, bank) in one of these states."""
        marks = ", ".join("?" * len(states))
        query = f"SELECT id, customer_id, bank_id FROM payment WHERE state IN ({marks}) ORDER BY id"  # noqa: S608
        return list(self.house.raw.execute(query, states))

    def _person(self, customer_id: str) -> Person:
        return next(person for person in self.people if person.signed_in.customer.id == customer_id)

    def do_leave(self) -> bool:
        waiting = self._payments("awaiting_customer")
        if self.dice.random() < 0.05:
            waiting = self._payments("unknown", "rejected", "cancelled", "expired", "settled")
        elif self.dice.random() < 0.8:
            gone = {link.payment_id for link in self.links}
            waiting = [found for found in waiting if found[0] not in gone]
        if not waiting:
            return False
        payment_id, customer_id, bank_id = self.dice.choice(waiting)
        person = self._person(customer_id)

        def leave() -> None:
            leaving = payments.leave_for_bank(self.services, signed_in=person.signed_in, payment_id=payment_id)
            link = Link(person=person, payment_id=payment_id, bank_id=bank_id, url=leaving.url, browser=leaving.browser)
            self.links.append(link)
            self._bank(bank_id).give_link(self._order_behind(link))

        return self.request("leave", leave, subject=payment_id)

    def _order_behind(self, link: Link) -> Order:
        order_id = link.url.partition("scope=PIS%3A")[2].partition("&")[0]
        return self._bank(link.bank_id).by_id[order_id]

    def _bank(self, bank_id: str) -> Bank:
        return next(bank for bank in self.banks if bank.profile.id == bank_id)

    def do_visit(self) -> bool:
        """Somebody opens the link at the bank and decides there."""
        links = self.links
        if self.dice.random() < 0.8:
            visited = {link.url for _, link in self.ways_back}
            links = [link for link in links if link.url not in visited]
        if not links:
            return False
        link = self.dice.choice(links)
        if self.dice.random() < self.dawdling:
            self._dawdle(link)
        self._visit(link)
        return True

    def _visit(self, link: Link) -> None:
        what = self.dice.choices(("approve", "refuse", "abandon"), (8, 1.5, 1))[0]
        self.floor.note(f"at the bank: {what}")
        self.floor.counts[f"visit {what}"] += 1
        way = self._bank(link.bank_id).visit(link.url, what)
        if way is None:
            return
        self.ways_back.append((way, link))
        if self.dice.random() < 0.3:  # the browser follows at once
            self.do_back()

    def _dawdle(self, link: Link) -> None:
        """They look at the bank's page until its time is nearly over: what they do then races with the fence."""
        moment = self._order_behind(link).deadline - dt.timedelta(seconds=self.dice.choice((1, 30, 200)))
        if moment > self.floor.now:
            self.floor.counts["visit dawdled"] += 1
            self.settle(moment, most=40)

    def do_back(self) -> bool:
        """A browser follows a way back, honestly or not."""
        ways = self.ways_back
        if self.dice.random() < 0.85:
            ways = [taken for taken in ways if id(taken[0]) not in self.followed]
        if not ways:
            return False
        way, link = self.dice.choice(ways)
        self.followed.add(id(way))
        kind = self.dice.choices(
            ("honest", "other browser", "forged state", "other bank", "wrong issuer", "no code", "other code", "error"),
            (14, 1, 0.5, 0.3, 1, 0.5, 0.5, 0.5),
        )[0]
        self.floor.counts[f"back {kind}"] += 1
        code = self._bank(link.bank_id).codes.get(way.code or "")
        way, browsers, bank_id = self._bent(kind, way, link)
        if code is not None and way.code is not None and kind != "other code":
            if kind == "honest" and self._is_issuer_right(link.bank_id, way):
                code.native, code.foreign = True, None
            elif not code.native:
                code.foreign = f"it came with: {kind}"
        must_fail = kind in ("forged state", "other bank")

        def back() -> None:
            returned = payments.come_back(
                self.services,
                bank_id=bank_id,
                state=way.state,
                browsers=browsers,
                answer=way.answer,
            )
            self._note_code(link, way, returned)
            if must_fail and returned is not None:
                self.floor.broken("D3", f"a redirect with {kind} was taken for one of ours")
            if returned is None or not returned.same_browser or returned.work is None:
                return
            for key in returned.work.work_keys.values():
                run_now(self.services, key, deadline_s=WEB_DEADLINE_S)
            run_now(self.services, work_key(returned.payment_id), deadline_s=WEB_DEADLINE_S / 2)

        return self.request("back", back, subject=link.payment_id)

    def _note_code(self, link: Link, way: WayBack, returned: payments.Returned | None) -> None:
        """The first return counts: whether it brought a code of this bank's."""
        code = self._bank(link.bank_id).codes.get(way.code or "")
        if code is not None and returned is not None and returned.work is not None:
            code.order.came_until = code.until

    def _bent(self, kind: str, way: WayBack, link: Link) -> tuple[WayBack, set[str], str]:
        """What arrives: the redirect, the browser's cookies, and at which bank's address."""
        if kind == "other browser":
            return way, {other.browser for other in self.links if other.payment_id != link.payment_id}, link.bank_id
        if kind == "other bank":
            other = next(bank for bank in self.banks if bank.profile.id != link.bank_id)
            return way, {link.browser}, other.profile.id
        changes: dict[str, dict[str, str | None]] = {
            "forged state": {"state": "A" * 43},
            "wrong issuer": {"issuer": "https://evil.example"},
            "no code": {"code": None, "error": None},
            "other code": {"code": f"code-of-nobody-{len(self.floor.trace)}", "error": None},
            "error": {"code": None, "error": "server_error"},
        }
        return replace(way, **changes.get(kind, {})), {link.browser}, link.bank_id  # type: ignore[arg-type]

    def _is_issuer_right(self, bank_id: str, way: WayBack) -> bool:
        bank = self._bank(bank_id)
        return way.issuer == bank.profile.issuer or (way.issuer is None and not bank.nature.names_issuer)

    def do_keep(self) -> bool:
        return self.keeping.deed()

    def do_cancel(self) -> bool:
        found = self._payments("awaiting_customer", "authorised", "submitting", "unknown", "initiating", "accepted")
        if self.dice.random() < 0.5:
            found = self._payments("authorised", "submitting") or found  # there it is a matter of moments
        if not found:
            return False
        payment_id, customer_id, _ = self.dice.choice(found)
        person = self._person(customer_id)

        def cancel() -> None:
            with self.services.unit_of_work() as uow:
                payments.cancel(uow, signed_in=person.signed_in, payment_id=payment_id)
                uow.commit()
            self.floor.counts["some stopped by customer"] += 1

        return self.request("cancel", cancel, subject=payment_id)

    # -------------------------------------------------------------------------------------------- what the world does

    def do_tick(self) -> bool:
        return self.claim_due()

    def _do_little(self) -> None:
        """There was no occasion for what was drawn."""
        ready = self.floor.ready()
        if ready:
            self.resume(self.dice.choice(ready))
            return
        if self.dice.random() < self.eager:
            for name in self.dice.sample(("sign", "leave", "visit", "back"), 4):
                if getattr(self, f"do_{name}")():
                    return
        if not self.claim_due():
            self.settle(self.floor.now + dt.timedelta(seconds=self.dice.choice((1, 2, 5))), most=10)

    def do_wait(self) -> bool:
        seconds = self.dice.choice((1, 2, 2, 3, 10, 10, 31, 60, 200))
        self.settle(self.floor.now + dt.timedelta(seconds=seconds), most=25)
        return True

    def do_edge(self) -> bool:
        """To one second around a time that means something."""
        edges = [
            dt.datetime.fromisoformat(row[0]).replace(tzinfo=dt.UTC)
            for row in self.house.raw.execute(
                "SELECT fence_at FROM payment UNION SELECT know_by FROM payment UNION SELECT run_at FROM work"
                " UNION SELECT expires_at FROM consent UNION SELECT not_before FROM bank_budget"
                " UNION SELECT datetime(checked_at, '+30 minutes') FROM payee_check ORDER BY 1"
            )
            if row[0] is not None
        ]
        edges += [order.deadline for bank in self.banks for order in bank.orders]
        for person in self.people:
            zone = zoneinfo.ZoneInfo(person.signed_in.customer.time_zone)
            tomorrow = self.floor.now.astimezone(zone).date() + dt.timedelta(days=1)
            edges.append(dt.datetime.combine(tomorrow, dt.time(), zone).astimezone(dt.UTC))
        edges = [edge for edge in edges if edge > self.floor.now + dt.timedelta(seconds=2)]
        if not edges:
            return False
        edge = self.dice.choice(edges) + dt.timedelta(seconds=self.dice.choice((-1, 0, 1)))
        self.floor.note(f"edge {edge:%d %H:%M:%S}")
        if self.dice.random() < 0.5:
            self.go_to(edge, beat=False)
        else:
            self.settle(edge, most=40)
        return True

    def do_pass_days(self) -> bool:
        days = self.dice.choice((0.1, 1, 1, 3))
        self.settle(self.floor.now + dt.timedelta(days=days), most=60)
        return True

    def do_jump(self) -> bool:
        """Nobody ran meanwhile."""
        seconds = self.dice.choice((31, 300, 3600, 30 * 3600))
        self.go_to(self.floor.now + dt.timedelta(seconds=seconds), beat=False)
        return True

    def do_away(self) -> bool:
        bank = self.dice.choice(self.banks)
        seconds = self.dice.choice((60, 900, 7200, 86_400))
        bank.away_until = self.floor.now + dt.timedelta(seconds=seconds)
        self.floor.note(f"{bank.profile.id} is away for {seconds} s")
        return True

    def do_second_person(self) -> bool:
        self.dice.choice(self.banks).second_approval()
        return True

    def do_bank_app(self) -> bool:
        bank = self.dice.choice(self.banks)
        rows = self.house.raw.execute(
            "SELECT c.bank_consent_id FROM consent c JOIN payment p ON p.consent_id = c.id"
            # also one that was closed here before the bank had said that it has it
            " WHERE c.sca = '{}' AND p.state IN ('unknown', 'rejected', 'cancelled', 'expired') AND c.bank_id = ?",
            (bank.profile.id,),
        )
        bank.approve_without_link({row[0] for row in rows})
        return True

    def do_sign_in(self) -> bool:
        return self.visits.again()

    def do_app(self) -> bool:
        return self.visits.app()

    def do_add(self) -> bool:
        return self.adding.go_on()

    def do_answer(self) -> bool:
        return self.answering.go_on()

    def do_vet(self) -> bool:
        return self.vetting.go_on()

    def do_consent(self) -> bool:
        return self.standing.go_on()

    def do_stop(self) -> bool:
        return self.standing.stop_or_lift()

    def do_receiver(self) -> bool:
        receiver = self.dice.choice(list(self.receivers.values()))
        receiver.trouble = self.dice.choice(("", "", "down", "5xx", "refuses", "loses"))
        return True

    def do_housekeeping(self) -> bool:
        for job in JOBS:
            with self.services.unit_of_work() as uow:
                job(uow)
                uow.commit()
        for of_services in OF_SERVICES:
            of_services(self.services)
        return True

    def do_ask(self) -> bool:
        return reconciling.ask_the_banks(self)

    def do_word(self) -> bool:
        return reconciling.say_what_arrived(self)

    def do_statement(self) -> bool:
        return reconciling.import_a_statement(self)

    def do_correct(self) -> bool:
        return correcting.say(self)

    def do_operator(self) -> bool:
        """An operator asks the bank by telephone about an unknown payment. "Not yet" is not "never"."""
        [unknown] = self.house.raw.execute("SELECT count(*) FROM payment WHERE state = 'unknown'").fetchone()
        return unknown > 0 and self.resolve_one(self._queue())

    def _queue(self) -> list[OpenOutcome]:
        with self.services.reading() as uow:
            return open_outcomes(uow.session, now=uow.now)

    def resolve_one(self, queue: list[OpenOutcome]) -> bool:
        if not queue:
            return False
        outcome = self.dice.choice(queue)
        now = self.floor.now
        known = outcome.bank_payment_id
        linked = [o for o in self.orders_of(outcome.id) if known in (None, o.id, o.submitted_as)]
        executed = any(order.stands(now) for order in linked)
        waiting = any(order.may_still_happen(now, code_with_us=True) for order in linked)
        past_fence = outcome.fence_at is not None and now > outcome.fence_at
        if not executed and waiting and past_fence:
            return False  # the bank's people say: wait
        with self.services.unit_of_work() as uow:
            try:
                done = payments.resolve(
                    uow, payment_id=outcome.id, executed=executed, because="Ms Arnaud at the bank, ticket 4711"
                )
            except TooLate:
                done = False
            except Conflict as early:
                self.floor.counts[f"refused {early.code}"] += 1
                return True
            uow.commit()
        self.floor.counts["some resolved by operator"] += done
        self.floor.note(f"operator: executed={executed} done={done}")
        return True


def _draw_tokens() -> None:
    """What a claim that finds nothing draws: it is spared, and every seed stays the history that it was with it."""
    for _ in range(2):
        secrets.token_hex(16)
