"""Mistakes about payments that are decided for a later day, planted one at a time as those of bugs.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.journey.decisions import under_consent
from app.journey.payments import approval, initiate, repeats
from tests.faults.sim.planting import Change, bug


@bug("what was decided for a later day is sent at once", "C14", "W5")
def later_is_now() -> Sequence[Change]:
    return [(initiate, "sent_from", lambda *_, **__: None)]


@bug("what nobody could send on its day is sent on the next", "C12", "W5")
def late_is_sent_all_the_same() -> Sequence[Change]:
    return [(repeats, "is_day_over", lambda *_: False)]


@bug("the limits of today are claimed for what is paid later", "E6", "W4")
def limits_of_the_wrong_day() -> Sequence[Change]:
    real = under_consent.take

    def take(uow: Any, *, at: Any, **more: Any) -> None:
        real(uow, at=uow.now, **more)

    return [(under_consent, "take", take), (approval, "claim_days", lambda *_: None)]
