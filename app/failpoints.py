"""Named points of the money path where a test may stop, switch or kill. In production a point costs one comparison.

In one process the simulator sets ``hook``. A real process that is to die gets ``killing("initiate.sent:3")`` for it
before anything else runs: SIGKILL, no goodbye, the third time it gets there. A point stands between transactions, never
inside one: what happens inside one is the database's business, and has tests of its own.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable

Hook = Callable[[str], None]

#: called with the point's name; None in production
hook: Hook | None = None


def failpoint(name: str) -> None:
    """Here the process may die, and nothing may be lost or done twice by it."""
    if hook is not None:
        hook(name)


def killing(spec: str) -> Hook:
    """A hook that kills this process at ``name`` or ``name:n`` (the n-th time; 1 by default).

    Raises ValueError for a spec that is neither: a typing error must not look like a survived kill.
    """
    wanted, _, times = spec.partition(":")
    nth = int(times or 1)
    if not wanted or nth < 1:
        raise ValueError(f"{spec!r} is not like initiate.sent or initiate.sent:3")
    hits = itertools.count(1)

    def kill(name: str) -> None:
        if name == wanted and next(hits) == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    return kill
