"""Billers that say something of their own bills later: credit notes, new versions, withdrawals, in every order.

What they said is kept here, apart from the product's tables: what a bill asks is counted from it (accounting.py).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app.journey.corrections.service import take_back
from app.journey.intake.service import deliver
from tests.support.bills import json_bill

if TYPE_CHECKING:
    from tests.faults.sim.world import World

#: of what is said in one history: a few bills with much said of each, not many with little
SAID_MOST = 14
#: of a bill of which something happens just now more is said than of one that lies about
BUSY_RATE = 0.8
DISCOUNT_UNTIL = dt.date(2026, 12, 31)

#: what is said, and how often
WORDS: Mapping[str, float] = {
    "part": 4,
    "whole": 1.5,
    "too much": 1,
    "version": 4,
    "collected": 1.5,
    "collected version": 1.5,
    "further version": 2,
    "ring": 0.5,
    "withdrawal": 4,
    "again": 1.5,
    "promised": 2,
}

#: a biller and a number of its
Key = tuple[str, str]
#: a discount for early payment: its last day, and what it takes off
Tier = tuple[dt.date, int]


@dataclass(frozen=True, kw_only=True)
class Space:
    """Where one biller delivers to one customer."""

    address: str
    customer_id: str
    biller_id: str
    biller_name: str
    iban: str
    currency: str = "EUR"


@dataclass(frozen=True, kw_only=True)
class Document:
    """What a biller wrote: a bill, a new version of one or a credit note. Money in minor units of its currency."""

    space: Space
    number: str
    minor: int
    tiers: tuple[Tier, ...] = ()  #: the earliest first
    is_credit: bool = False
    is_collected: bool = False  #: by its biller: it is not paid here
    names: str | None = None  #: the number of the bill that it is about
    content: bytes = b""

    @property
    def key(self) -> Key:
        return self.space.biller_id, self.number

    @property
    def of(self) -> Key | None:
        """The bill that it is about."""
        return (self.space.biller_id, self.names) if self.names else None


@dataclass
class Books:
    """All that billers wrote and said in one history."""

    documents: dict[Key, Document] = field(default_factory=dict)
    promised: dict[Key, Document] = field(
        default_factory=dict
    )  #: bills that something names, and that are still to come
    taken: set[Key] = field(default_factory=set)  #: acknowledged
    withdrawn: set[Key] = field(default_factory=set)  #: and that was answered well
    told: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    """Endpoint and bill → the latest word on what is owed, by its sequence."""
    numbers: int = 1000

    @classmethod
    def of_house(cls, bills: Collection[Document]) -> Books:
        written = {each.key: each for each in bills}
        return cls(documents=written, taken=set(written))

    def hear(self, url: str, said: Mapping[str, Any]) -> str:
        """A message to a biller about a bill. Returns what is worth a mark."""
        if said["type"] != "bill.refund_owed":
            return str(said["type"])
        data = said["data"]
        of, latest = (url, data["bill_id"]), (data["sequence"], data["refund_owed"])
        self.told[of] = max(self.told.get(of, (0, "0.00")), latest)
        return "refund taken back" if data["refund_owed"] == "0.00" else "refund told"

    def next_number(self) -> str:
        self.numbers += 1
        return str(self.numbers)

    def chain(self, key: Key) -> set[Key]:
        """The bill with all that replace it, or that it replaces, over however many steps."""
        found, new = set[Key](), {key}
        while new:
            found |= new
            edges = [(each.key, each.of) for each in self.documents.values() if each.of and not each.is_credit]
            new = {b for a, b in edges if a in found} | {a for a, b in edges if b in found}
            new = {each for each in new if each in self.documents} - found
        return found


def interrupt(world: World, payment_id: str) -> None:
    """Between two steps of a payment its bill is corrected, and that is done before the next one."""
    row = world.house.raw.execute(
        "SELECT i.biller_id, i.number FROM decision d JOIN invoice i ON i.id = d.invoice_id WHERE d.payment_id = ?",
        (payment_id,),
    ).fetchone()
    about = (
        world.books.documents.get(tuple(row)) if row is not None else None
    )  # one that nobody delivered has no biller
    if about is None or not say(world, about):
        return
    for _ in range(3):
        world.claim_due()
        for fiber in world.floor.ready():
            if fiber.label == "corrections.apply_correction" and fiber in fiber.process.fibers:
                world.resume(fiber)


def say(world: World, about: Document | None = None) -> bool:
    """A biller says one thing, through the door."""
    books, dice = world.books, world.dice
    if books.numbers - 1000 >= SAID_MOST:
        return False
    target = about or _target(world)
    word = dice.choices(list(WORDS), list(WORDS.values()))[0]
    by_themselves: Mapping[str, Callable[[], bool]] = {
        "again": lambda: _say_again(world),
        "promised": lambda: _keep_word(world),
        "withdrawal": lambda: _withdraw(world, target),
        "ring": lambda: _ring(world, target.space),
        "collected": lambda: _deliver(world, _collected(world, target.space, 7700), word),
    }
    if word in by_themselves:
        return by_themselves[word]()
    early = dice.random() < 0.12  # it comes before the bill that it names
    if early:
        target = _promise(world, target.space)
    elif word == "further version" or (word != "version" and dice.random() < 0.1):
        target = _replaced(world) or target
    if word == "collected version":
        document = _collected(world, target.space, max(target.minor - dice.choice((0, 1000)), 100), names=target.number)
    elif word in ("version", "further version"):
        minor = max(target.minor + dice.choice((0, -1, -1000, 1500)), 100)
        document = _bill(world, target.space, books.next_number(), minor, names=target.number)
    else:
        minor = {"part": dice.choice((1, 333, target.minor // 3)), "whole": target.minor}.get(word, target.minor + 2000)
        document = _credit(target.space, books.next_number(), max(minor, 1), names=target.number)
    return _deliver(world, document, f"{'early ' if early else ''}{word}")


def _target(world: World) -> Document:
    """A bill to say something of: mostly one of which a payment is under way or has just ended."""
    bills = [each for each in world.books.documents.values() if not each.is_credit]
    if world.dice.random() < BUSY_RATE:
        rows = world.house.raw.execute(
            "SELECT i.biller_id, i.number, max(d.decided_at) FROM decision d JOIN invoice i ON i.id = d.invoice_id"
            " WHERE i.biller_id IS NOT NULL GROUP BY i.id ORDER BY 3 DESC, i.id LIMIT 2"
        ).fetchall()
        bills = [world.books.documents[biller_id, number] for biller_id, number, _ in rows] or bills
    return world.dice.choice(bills)


def _replaced(world: World) -> Document | None:
    """A bill that was replaced or withdrawn already: some systems name the original for ever."""
    books = world.books
    named = {each.of for each in books.documents.values() if each.of and not each.is_credit} | books.withdrawn
    found = [each for key, each in books.documents.items() if key in named and not each.is_credit]
    return world.dice.choice(found) if found else None


def _promise(world: World, space: Space) -> Document:
    """A bill that is going to be delivered, perhaps."""
    bill = _bill(world, space, world.books.next_number(), world.dice.choice((8420, 10000)))
    world.books.promised[bill.key] = bill
    return bill


def _bill(world: World, space: Space, number: str, minor: int, *, names: str | None = None) -> Document:
    # the first is over when today is, in the midst of the history
    first = min(world.floor.clock().date(), DISCOUNT_UNTIL - dt.timedelta(days=1))
    several = ((first, minor // 20), (DISCOUNT_UNTIL, minor // 30))
    tiers = several if world.dice.random() < 0.4 else ()
    content = json_bill(
        to=space.address,
        number=number,
        currency=space.currency,
        amount=written(minor),
        payee={"name": space.biller_name, "iban": space.iban},
        discounts=[{"until": f"{day}", "amount": written(less)} for day, less in tiers] or None,
        replaces=names,
        lines=in_lines(minor),
    )
    return Document(space=space, number=number, minor=minor, tiers=tiers, names=names, content=content)


def _collected(world: World, space: Space, minor: int, *, names: str | None = None) -> Document:
    """A bill by direct debit, by card, or to an account without an IBAN: nobody pays it here."""
    means: Mapping[str, Any] = world.dice.choice(
        (
            {"payee": None, "means": "direct_debit", "mandate": "M-1"},
            {"payee": None, "means": "card"},
            {"payee": {"name": space.biller_name, "iban": None, "account": "5050-1055"}},
        )
    )
    number = world.books.next_number()
    asked = {"number": number, "currency": space.currency, "amount": written(minor)}
    content = json_bill(to=space.address, replaces=names, **asked, **means)
    return Document(space=space, number=number, minor=minor, is_collected=True, names=names, content=content)


def _credit(space: Space, number: str, minor: int, *, names: str) -> Document:
    content = json_bill(
        to=space.address,
        number=number,
        kind="credit_note",
        currency=space.currency,
        amount=written(minor),
        payee={"name": space.biller_name, "iban": space.iban},
        corrects=names,
    )
    return Document(space=space, number=number, minor=minor, is_credit=True, names=names, content=content)


def worths(minor: int) -> tuple[int, ...]:
    """What the three lines of a bill come to."""
    return (minor // 2, minor // 3, minor - minor // 2 - minor // 3)


def in_lines(minor: int) -> list[dict[str, str]]:
    return [
        {"description": f"{n}", "amount": written(worth), "vat_rate": "0"}
        for n, worth in enumerate(worths(minor), start=1)
    ]


def written(minor: int) -> str:
    """An amount, as a bill has it."""
    return f"{minor // 100}.{minor % 100:02d}"


def _ring(world: World, space: Space) -> bool:
    """Two bills that replace each other."""
    books = world.books
    first, second = books.next_number(), books.next_number()
    begun = _deliver(world, _bill(world, space, first, 5000, names=second), "ring")
    return _deliver(world, _bill(world, space, second, 5000, names=first), "ring") or begun


def _keep_word(world: World) -> bool:
    """A bill comes after what was said of it."""
    promised = world.books.promised
    if not promised:
        return False
    return _deliver(world, promised.pop(world.dice.choice(list(promised))), "bill after all")


def _say_again(world: World) -> bool:
    """The same bytes: its program does not know whether they came."""
    said = [each for each in world.books.documents.values() if each.content]
    return bool(said) and _deliver(world, world.dice.choice(said), "again")


def _deliver(world: World, document: Document, word: str) -> bool:
    books = world.books
    client = world.house.clients[document.space.biller_id]

    def send() -> None:
        world.floor.point("biller.sends")
        books.documents[document.key] = document  # it may be taken, whatever is heard of it
        deliver(world.services, client=client, content=document.content, media_type="application/json", to=None)
        books.taken.add(document.key)
        world.floor.counts[f"some said {word}"] += 1
        world.floor.point("biller.sent")

    return world.request(f"deliver {document.number} {word} of {document.names}", send)


def _withdraw(world: World, bill: Document) -> bool:
    row = world.house.raw.execute(
        "SELECT id FROM delivered_bill WHERE biller_id = ? AND number = ?", bill.key
    ).fetchone()
    if row is None:
        return False

    def send() -> None:
        world.floor.point("biller.sends")
        take_back(world.services, biller_id=bill.space.biller_id, bill_id=row[0], reason="It was wrong.")
        word = "withdrawal again" if bill.key in world.books.withdrawn else "withdrawal"
        world.books.withdrawn.add(bill.key)
        world.floor.counts[f"some said {word}"] += 1
        world.floor.point("biller.sent")

    return world.request(f"withdraw {bill.number}", send)
