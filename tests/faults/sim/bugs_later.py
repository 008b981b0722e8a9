"""Mistakes about payments that are decided for a later day, planted one at a time as those of bugs.py."""

from __future__ import annotations

from collections.abc import Sequence

from app.journey.payments import initiate, repeats
from tests.faults.sim.planting import Change, bug


@bug("what was decided for a later day is sent at once", "C14", "W7")
def later_is_now() -> Sequence[Change]:
    return [(initiate, "sent_from", lambda *_, **__: None)]


@bug("what nobody could send on its day is sent on the next", "C12", "W7")
def late_is_sent_all_the_same() -> Sequence[Change]:
    return [(repeats, "is_day_over", lambda *_: False)]
