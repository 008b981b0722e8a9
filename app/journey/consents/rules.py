"""When a standing consent is sent, looked at, taken back and spoken of. Pure."""

from __future__ import annotations

import datetime as dt
import zlib

#: of one customer, that are not over
OPEN_MOST = 50
#: between two sendings of the same bytes
SEND_GAP = dt.timedelta(seconds=1)
#: how long it may take to give it to its bank: a customer waits to go there, and may try again once it is given up
SEND_LIFE = dt.timedelta(minutes=45)
SEND_AGAIN_S = (2, 5, 15, 60, 120)
#: within this the same bytes have the bank tell the id that it gave: it keeps a key for a day (OBL Read/Write 4.0)
KEY_LIFE = dt.timedelta(hours=23)
#: the bank's clock may differ from ours
EXPIRY_MARGIN = dt.timedelta(minutes=5)
#: who approved it in the last moment may still be on the way back; after that it is taken back at the bank
RETURN_GRACE = dt.timedelta(hours=1)
#: a redirect is believed for so long after its customer left
TRIP_LIFE = dt.timedelta(minutes=30)
#: however often somebody says that there is news, the bank is asked no more often than this
HINT_PAUSE = dt.timedelta(seconds=60)
#: one that stands is looked at so often
LOOK_EVERY = dt.timedelta(days=7)
#: while something waits for the bank's word
WAITING_AGAIN = dt.timedelta(seconds=15)
#: who approved it waits no longer than this for a bank that does not say what it holds, and may approve it again
WORD_LIFE = dt.timedelta(days=1)
#: by so much an event's own time may be before the moment that it is compared with: clocks differ, and some count whole
#: seconds
CLOCK_SKEW = dt.timedelta(seconds=60)
#: one worker renews a token, and no other before this is over
RENEWING = dt.timedelta(minutes=1)
#: a token of a consent without an end is kept so long after its approval, at the most
TOKEN_KEPT = dt.timedelta(days=3650)
#: for so many days before the end, once each
REMIND_DAYS = (30, 7, 1)
#: (until so long after it was taken back, how long between two tries)
_TAKE_BACK_PACE = (
    (dt.timedelta(minutes=1), dt.timedelta(seconds=10)),
    (dt.timedelta(hours=1), dt.timedelta(minutes=5)),
    (dt.timedelta(days=1), dt.timedelta(hours=1)),
)
#: (until so long after its customer came back, how long between two looks)
_WORD_PACE = (
    (dt.timedelta(minutes=10), WAITING_AGAIN),
    (dt.timedelta(hours=1), dt.timedelta(minutes=5)),
)
#: after a look that told nothing
LOOK_FAILED = dt.timedelta(hours=1)


def send_again_at(*, sends: int, now: dt.datetime) -> dt.datetime:
    """When to send again what was sent ``sends`` times (1 or more) and not answered."""
    return now + dt.timedelta(seconds=SEND_AGAIN_S[min(sends, len(SEND_AGAIN_S)) - 1])


def take_back_again_at(*, since: dt.datetime, now: dt.datetime) -> dt.datetime:
    """When to tell the bank again what it has not confirmed: for ever, and in the end once a day."""
    return now + _pause(_TAKE_BACK_PACE, now - since, at_last=dt.timedelta(days=1))


def look_again_at(*, since: dt.datetime, now: dt.datetime) -> dt.datetime:
    """When to ask again for the word that somebody has waited for since then."""
    return now + _pause(_WORD_PACE, now - since, at_last=LOOK_FAILED)


def _pause(
    pace: tuple[tuple[dt.timedelta, dt.timedelta], ...], waited: dt.timedelta, *, at_last: dt.timedelta
) -> dt.timedelta:
    return next((pause for until, pause in pace if waited < until), at_last)


def next_look(*, consent_id: str, now: dt.datetime) -> dt.datetime:
    """In a week, or up to a sixth of it earlier: by its id, so that those which were set up together are not looked at
    together for ever."""
    spread = zlib.crc32(consent_id.encode()) % 1000 / 1000
    return now + LOOK_EVERY * (1 - spread / 6)


def reminder_day(*, ends_on: dt.date, today: dt.date) -> dt.date | None:
    """The latest day, today or before, on which whoever has one that ends then was to be reminded of it; None: none
    has come, or the end is over."""
    days = [ends_on - dt.timedelta(days=days) for days in REMIND_DAYS]
    return max((day for day in days if day <= today <= ends_on), default=None)
