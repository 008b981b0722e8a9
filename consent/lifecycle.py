"""A life cycle is a table: (state, step) -> state. Without it, states would be assigned from anywhere."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Generic, TypeVar

S = TypeVar("S", bound=enum.Enum)
E = TypeVar("E", bound=enum.Enum)


class IllegalStep(Exception):
    """This step is not allowed in this state; nothing was changed."""


class Lifecycle(Generic[S, E]):
    """The one place where a state may change. ``ignored`` names repeats that are known to happen and change nothing."""

    def __init__(self, table: Mapping[tuple[S, E], S], *, ignored: frozenset[tuple[S, E]] = frozenset()) -> None:
        both = table.keys() & ignored
        if both:
            raise ValueError(f"both a step and ignored: {both}")
        self.table = dict(table)
        self.ignored = ignored

    def next(self, state: S, step: E) -> S:
        """The state after ``step``. Raises IllegalStep when the table has no such row."""
        if (state, step) in self.ignored:
            return state
        try:
            return self.table[state, step]
        except KeyError:
            raise IllegalStep(f"{step.name} in {state.name}") from None

    def allows(self, state: S, step: E) -> bool:
        """Whether ``step`` changes anything in ``state``."""
        return (state, step) in self.table

    def final(self) -> frozenset[S]:
        """States that no step leaves."""
        states = {state for state, _ in self.table} | set(self.table.values())
        return frozenset(states - {state for state, _ in self.table})

    def reachable(self, start: S) -> frozenset[S]:
        """All states that some run of steps reaches from ``start``."""
        seen, edge = {start}, [start]
        while edge:
            here = edge.pop()
            for (state, _), after in self.table.items():
                if state is here and after not in seen:
                    seen.add(after)
                    edge.append(after)
        return frozenset(seen)

    def mermaid(self) -> str:
        """The table drawn as a Mermaid state diagram, for the documents."""
        rows = (f"  {before.name} --> {after.name}: {step.name}" for (before, step), after in self.table.items())
        return "\n".join(("stateDiagram-v2", *rows))
