"""How a mistake is planted in the real services, and taken out again; bugs.py and the files beside it have them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

#: (module, object or dict; name or key; what stands there instead)
Change = tuple[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Bug:
    says: str
    trips: frozenset[str]  #: invariants, any of which may be the first to see it
    changes: Callable[[], Sequence[Change]]


BUGS: dict[str, Bug] = {}


def bug(says: str, *trips: str) -> Callable[[Callable[[], Sequence[Change]]], Callable[[], Sequence[Change]]]:
    """A mistake: what is wrong, and the invariants of which any may be the first to see it."""

    def keep(changes: Callable[[], Sequence[Change]]) -> Callable[[], Sequence[Change]]:
        BUGS[changes.__name__.replace("_", "-")] = Bug(says, frozenset(trips), changes)
        return changes

    return keep


@contextlib.contextmanager
def planted(name: str | None) -> Iterator[None]:
    """The services with this mistake in them; without a name as they are."""
    before = []
    try:
        for of, what, instead in BUGS[name].changes() if name else ():
            before.append((of, what, there(of, what)))
            put(of, what, instead)
        yield
    finally:
        for of, what, was in reversed(before):
            put(of, what, was)


_ABSENT: Any = object()


def there(of: Any, what: Any) -> Any:
    """What stands at a place that a mistake may take."""
    return of.get(what, _ABSENT) if isinstance(of, Mapping) else getattr(of, what)


def put(of: Any, what: Any, value: Any) -> None:
    if not isinstance(of, MutableMapping):
        setattr(of, what, value)
    elif value is _ABSENT:
        del of[what]
    else:
        of[what] = value
