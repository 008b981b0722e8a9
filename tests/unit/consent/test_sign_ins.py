"""Sign-ins at banks that take no order without one: how long an order may be given with it. The rest, the doors test
(tests/functional/nextgen/test_sign_in_first.py)."""

from __future__ import annotations

import datetime as dt

import pytest

from consent.sign_ins import good_until
from tests.conftest import Clock


@pytest.mark.parametrize(
    ("life_min", "approval_min", "good_min"),
    [
        (20, 5, 10),  # twice five and two would leave eight: never less than half of its life
        (60, 5, 48),  # leaving and approving may take five minutes each
        (60, 15, 30),
        (60, 90, 30),  # whatever the bank allows: one that was just made is good
        (24 * 60, 15, 60),  # and after an hour one signs in again
        (5, 90, 2.5),
        (4, 90, 1.5),  # its last two and a half minutes leave no time to approve anything
    ],
)
def test_what_is_begun_with_it_has_the_time_to_end(
    clock: Clock, life_min: int, approval_min: int, good_min: float
) -> None:
    until = good_until(
        signed_in_at=clock.now,
        expires_at=clock.now + dt.timedelta(minutes=life_min),
        approval=dt.timedelta(minutes=approval_min),
    )
    assert until == clock.now + dt.timedelta(minutes=good_min)
