"""When a request that may have moved money may be sent again. Without these rules a lost answer could be paid twice.

OBL Read/Write v4.0, "Idempotency". A key protects for 24 hours from its first use, identical bytes alone, and is
not repeated within a second. Whoever sends keeps the request and when it is sent, before it is sent, and asks here
before sending it again.
"""

from __future__ import annotations

import datetime as dt
import enum
import re

from connectors.contract import BankRequest

KEY_CHARACTERS_MAX = 40
#: a day by the standard, less an hour: the bank's clock is another, and the request is still on its way
PROTECTED = dt.timedelta(hours=23)
PAUSE = dt.timedelta(seconds=1)
_KEY = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")


class Repeat(enum.StrEnum):
    """Whether the identical request may go out again."""

    NOW = "now"
    WAIT = "wait"  #: too soon after the last time
    ASK_FIRST = "ask_first"  #: the key protects no longer: first ask what became of it, and send only if nothing did


def key(value: str) -> str:
    """``value``, fit to be an idempotency key: 1 to 40 visible characters, no space around them. Raises ValueError."""
    if len(value) > KEY_CHARACTERS_MAX or _KEY.fullmatch(value) is None:
        message = f"an idempotency key has 1 to {KEY_CHARACTERS_MAX} visible characters and no space at its ends"
        raise ValueError(message)
    return value


def repeat(
    *, first_sent_at: dt.datetime, last_sent_at: dt.datetime, asked_at: dt.datetime | None, now: dt.datetime
) -> Repeat:
    """The verdict at ``now``. ``asked_at``: when the bank last said that nothing had come of the request.

    What it said before the last sending says nothing of that one. A clock that went back is not trusted.
    """
    asked = asked_at is not None and last_sent_at < asked_at <= now
    if not asked and not first_sent_at <= last_sent_at <= now < first_sent_at + PROTECTED:
        return Repeat.ASK_FIRST
    return Repeat.WAIT if now < last_sent_at + PAUSE else Repeat.NOW


def check_identical(first: BankRequest, again: BankRequest) -> None:
    """Raises ValueError unless ``again`` has the key, the place and every byte of ``first``.

    A changed body under the same key may be taken for fraud; another key for the same body is another payment.
    """
    for name in ("request_id", "method", "path", "headers", "body"):
        if getattr(first, name) != getattr(again, name):
            message = f"the request is not the one that was sent: its {name} differs; send the stored one"
            raise ValueError(message)
