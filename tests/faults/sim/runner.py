"""Running seeds, and what came of them."""

from __future__ import annotations

import collections
from dataclasses import dataclass, field

from tests.faults.sim import chance
from tests.faults.sim.floor import Violation
from tests.faults.sim.heal import heal
from tests.faults.sim.house import FOUNDED, House
from tests.faults.sim.invariants import Watch, states_seen
from tests.faults.sim.world import World

STEPS = 120
_house: list[House] = []


@dataclass(kw_only=True)
class Outcome:
    """What one seed was, or what all of them were together."""

    seed: int
    payments: int = 0
    executed: int = 0
    broken: str | None = None  #: the invariant's name
    detail: str = ""
    trace: list[str] = field(default_factory=list)
    hash: str = ""
    counts: collections.Counter[str] = field(default_factory=collections.Counter)


def the_house() -> House:
    """Made at the first use in a process."""
    if not _house:
        with chance.from_seed(0, lambda: FOUNDED):
            _house.append(House())
    return _house[0]


def run(seed: int, *, steps: int = STEPS, known: frozenset[str] = frozenset()) -> Outcome:
    """One history. Never raises Violation: it is in the outcome. ``known`` names invariants that are left out."""
    house = the_house()
    world = World(house, seed, known=known)
    watch = Watch(world)
    world.after = watch.look
    outcome = Outcome(seed=seed, counts=world.floor.counts, trace=world.floor.trace)
    with chance.from_seed(seed, world.floor.clock), world.session():
        try:
            world.run(steps)
            heal(world, watch)
        except Violation as violation:
            outcome.broken, outcome.detail = violation.name, str(violation)
            world.floor.note(f"BROKEN {violation}")
        finally:
            world.floor.abandon()
    for before, after in states_seen(world):
        world.floor.counts[f"step {before} → {after}"] += 1
    for error, times in world.errors.items():
        world.floor.counts[f"error {error}"] += times
    world.floor.counts["some corrected"] += _count(world, "SELECT count(*) FROM ledger_entry WHERE kind = 'corrected'")
    own_paid = "SELECT count(*) FROM payment WHERE biller_id IS NULL AND state = 'settled'"
    world.floor.counts["some own bill paid"] += _count(world, own_paid)
    settled = "SELECT count(*) FROM payment WHERE trip_id IS NULL AND state = 'settled'"
    world.floor.counts["some settled under a standing consent"] += _count(world, settled)
    in_parts = "SELECT count(*) FROM payment WHERE state = 'settled' GROUP BY invoice_id HAVING count(*) > 1"
    world.floor.counts["some paid in parts"] += len(world.house.raw.execute(in_parts).fetchall())
    outcome.payments = _count(world, "SELECT count(*) FROM payment")
    outcome.executed = sum(order.executed(world.floor.now) for bank in world.banks for order in bank.orders)
    outcome.hash = world.floor.history_hash()
    return outcome


def _count(world: World, query: str) -> int:
    [count] = world.house.raw.execute(query).fetchone()
    return int(count)
