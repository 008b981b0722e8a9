"""What people do at banks that want them to sign in first: sign in, as themselves or as somebody else of the house,
again from another tab, and approve in the bank's app."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.journey.banks import sign_in
from tests.faults.sim.bank import WayBack
from tests.faults.sim.house import Person
from tests.faults.sim.signing_in import SigningIn

if TYPE_CHECKING:
    from tests.faults.sim.world import World

#: how often it is somebody else of the house who signs in there
ANOTHER = 0.3


@dataclass(eq=False, kw_only=True)
class Setting:
    """A browser is on its way to a bank, to sign in there."""

    person: Person
    bank: SigningIn
    url: str = field(repr=False)
    browser: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Returning:
    """Who comes back from a bank, and in which browser: mostly whoever left, in the one that they left in."""

    browsers: set[str]
    customer_id: str | None  #: None: nobody is signed in there
    is_theirs: bool

    @classmethod
    def to(cls, world: World, person: Person, browser: str) -> Returning:
        dice = world.dice
        is_other_browser, is_other_customer = dice.random() < 0.02, dice.random() < 0.02
        customer_id: str | None = person.signed_in.customer.id
        if is_other_customer:
            customer_id = next(each.signed_in.customer.id for each in world.people if each is not person)
        elif dice.random() < 0.1:
            customer_id = None
        return cls(
            browsers={"somebody-elses"} if is_other_browser else {browser},
            customer_id=customer_id,
            is_theirs=not (is_other_browser or is_other_customer),
        )


@dataclass(eq=False)
class Visits:
    """Those of one history."""

    world: World
    under_way: list[Setting] = field(default_factory=list)
    back: list[tuple[WayBack, Setting]] = field(default_factory=list)  #: of browsers that were there

    def has_signed_in(self, person: Person, bank: SigningIn) -> bool:
        """What its page would say."""
        with self.world.services.reading() as uow:
            customer_id, vault = person.signed_in.customer.id, self.world.services.vault
            return sign_in.good_until(uow, vault, customer_id=customer_id, bank=bank.profile) is not None

    def before(self, person: Person, invoice_id: str, bank: SigningIn) -> None:
        """All the way, as far as it gets, whatever comes between."""
        world = self.world
        if self.has_signed_in(person, bank) and world.dice.random() < 0.8:
            return
        if self.begin(person, invoice_id, bank):
            world.settle(world.floor.now + dt.timedelta(seconds=1), most=20)
            self.go_on()
            world.settle(world.floor.now + dt.timedelta(seconds=2), most=40)

    def begin(self, person: Person, invoice_id: str, bank: SigningIn) -> bool:
        world = self.world

        def leave() -> None:
            leaving = sign_in.leave_for_sign_in(
                world.services, signed_in=person.signed_in, invoice_id=invoice_id, bank=bank.profile
            )
            self.under_way.append(Setting(person=person, bank=bank, url=leaving.url, browser=leaving.browser))

        return world.request("leave to sign in", leave)

    def go_on(self) -> bool:
        """Somebody is at the bank, signs in there and comes back; or one who was comes back again."""
        dice = self.world.dice
        if self.under_way:
            going = self.under_way.pop(dice.randrange(len(self.under_way)))
            customer_id = going.person.signed_in.customer.id
            who: str | None = customer_id
            if dice.random() < ANOTHER:
                who = f"another one beside {customer_id}"
                self.world.floor.counts["some signed in as another"] += 1
            if dice.random() < 0.03:
                who = None
            way = going.bank.sign_in_visit(going.url, customer_id=customer_id, who=who)
            self.back.append((way, going))
            return self._come_back(way, going)
        if self.back and dice.random() < 0.1:
            return self._come_back(*dice.choice(self.back))
        return False

    def _come_back(self, way: WayBack, going: Setting) -> bool:
        world = self.world
        whose = Returning.to(world, going.person, going.browser)

        def back() -> None:
            returned = sign_in.come_back(
                world.services,
                bank_id=going.bank.profile.id,
                state=way.state,
                browsers=whose.browsers,
                customer_id=whose.customer_id,
                answer=way.answer,
            )
            if returned is not None and returned.is_believed and not whose.is_theirs:
                world.floor.broken("D3", "a sign-in is taken from another browser, or for another customer")
            if returned is not None and not returned.is_believed:
                world.floor.counts["some sign-ins not believed"] += 1

        return world.request("back from signing in", back)

    def app(self) -> bool:
        """Somebody looks into the app of a bank that asks there."""
        banks = [bank for bank in self.world.banks if isinstance(bank, SigningIn)]
        return bool(banks) and self.world.dice.choice(banks).decide_in_app(approve=self.world.dice.random() < 0.85)

    def again(self) -> bool:
        """In another tab somebody signs in there once more, or begins to."""
        dice = self.world.dice
        if self.go_on():
            return True
        banks = [bank for bank in self.world.banks if isinstance(bank, SigningIn)]
        rows = self.world.house.raw.execute("SELECT id, customer_id FROM invoice WHERE state = 'to_pay'").fetchall()
        if not banks or not rows:
            return False
        invoice_id, customer_id = dice.choice(rows)
        begun = self.begin(self.world._person(customer_id), invoice_id, dice.choice(banks))
        if begun and dice.random() < 0.5:
            self.go_on()
        return begun
