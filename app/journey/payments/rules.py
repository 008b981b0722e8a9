"""When the bank is asked, and how we name a payment to it. Pure."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence

from connectors.contract import Approach, ScaOAuth
from connectors.profile import BankProfile

#: right after the customer came back, in seconds from then; afterwards the bank's own pace (its file)
FIRST_LOOKS_S = (0, 2, 7, 22, 67)
#: while the customer is at the bank: they will come back, so we ask rarely
AWAY_FIRST_LOOK_S = 120
#: a bank may take back what it settled: it is asked this long after settlement, in seconds from then
LATE_LOOKS_S = (3600, 24 * 3600, 3 * 24 * 3600, 6 * 24 * 3600)
#: what a bank keeps until a day is asked about so often until then: its customer may have cancelled it there
KEPT_PACE = dt.timedelta(hours=12)
#: and on the day, on which each bank has hours of its own: so often, each payment at a moment of its own
DAY_PACE = dt.timedelta(minutes=30)
#: so long after the beginning of its day a bank has carried it out, or will not, wherever on earth that day is
KEPT_MARGIN = dt.timedelta(hours=48)
#: a bank that has dropped what it kept, or says that it does not, is asked what is so, so much later
DROP_LOOK = dt.timedelta(minutes=1)
#: a bank that says it took back what it had settled is asked once more, so much later, before anybody is told
SECOND_LOOK = dt.timedelta(minutes=5)
#: and where it gives no answer to a late question, it is asked every so often, for so long after the end; as often
#: where its token is not taken any more, which may turn out not to be so
LATE_PAUSE, LATE_SILENCE = dt.timedelta(hours=6), dt.timedelta(days=14)
#: the bank's clock may differ from ours: only this long after the end of the approval time is an order taken back
EXPIRY_MARGIN = dt.timedelta(minutes=5)

#: a code that came back is good for so long at the most (RFC 6749 §4.1.2 recommends ten minutes)
CODE_LIFE = dt.timedelta(minutes=10)


def answer_life(sca: ScaOAuth, bank: BankProfile) -> dt.timedelta:
    """How long what the browser brought may still make the bank execute. Where it has the bank ask in its app, the
    customer's time to approve only begins."""
    if sca.approach == Approach.DECOUPLED:
        return max(dt.timedelta(minutes=bank.authorisation_minutes), CODE_LIFE)
    return CODE_LIFE


#: what a bank gave out without saying how long it lives may be used this long
UNSTATED_LIFE = dt.timedelta(hours=24)
#: an order that one person approved is left to a second one (PATC) for so long after the fence
SECOND_APPROVAL = dt.timedelta(hours=24)

#: after an answer that never came: asked again so many seconds later, from when the bank fell silent
SILENT_LOOKS_S = (2, 7, 22, 45)
#: then so often while the silence lasts: (until so many seconds, every so many)
SILENT_PACE_S = ((900, 30), (7200, 120), (86_400, 900))
SILENT_PACE_LAST_S = 3600

#: a wait that the bank wished for is told to a customer who is back from it, when it is longer than this
LONG_WAIT = dt.timedelta(minutes=1)
#: what a customer is promised: to know a quarter of an hour after nothing can move any more
PROMISE = dt.timedelta(minutes=15)
#: a bank's budget of a minute may be used up when its turn has come: what was promised is looked at so much before
PROMISE_SPARE = dt.timedelta(minutes=5)
#: when a promise could not be kept, the next ones
NEXT_PROMISES = (dt.timedelta(hours=1), dt.timedelta(hours=4), dt.timedelta(hours=24))

#: where only the token of a sign-in tells of an order, nobody is sent to approve it in the last minutes of its life
TOKEN_SPARE = dt.timedelta(minutes=2)
#: seconds before that token's end at which the bank is asked in any case: the first time while there is time to take
#: the order back, once more, and then it is said that nobody can be asked any more
LAST_LOOKS_S = (90, 30, 0)
#: a question is not put off beyond this much before that end: the call itself takes time, and so may a worker
LAST_SPARE = dt.timedelta(seconds=60)
#: and so often in the last half of its life, or in the last minutes of a long one
LAST_PACE, LAST_PACE_MOST = dt.timedelta(minutes=2), dt.timedelta(minutes=30)

#: a browser that did not leave may come back as often as it likes: it does not make us ask more often than this
HINT_PAUSE = dt.timedelta(seconds=60)

#: between two sendings of the same bytes (OBIE RW 4.0, and good manners elsewhere)
SEND_GAP = dt.timedelta(seconds=1)
#: a bank keeps an idempotency key for a day from its first use (OBL Read/Write 4.0): it is not used up to the end
KEY_LIFE = dt.timedelta(hours=23)
#: how long it may take to get an order to its bank: a customer waits to go there, and may try again once it is given up
SEND_LIFE = dt.timedelta(minutes=45)
#: where the bank does not take the customer's token, it is renewed, and the same bytes go again so many seconds later:
#: a gateway may have said so, for a while. What it does not take after the last of these, within SEND_LIFE, renewing
#: does not help
RENEWED_AGAIN_S = (1, 15, 60, 300, 900, 1200)
#: initiation: how often identical bytes are sent again before anybody could approve them
SENDS_MOST = 6
SEND_AGAIN_S = (2, 5, 15, 60, 120)


def next_look(*, anchor: dt.datetime, returned: bool, now: dt.datetime, pace_s: Sequence[int]) -> dt.datetime:
    """The next time to ask for the status: the first step of the pace that lies ahead of ``now``.

    It needs no counter, so it is the same after a crash and for every worker. The last step of the bank's pace repeats.
    """
    start = FIRST_LOOKS_S if returned else (AWAY_FIRST_LOOK_S,)
    offset = start[-1]
    steps = itertools.chain(start, (offset := offset + pause for pause in pace_s))
    elapsed = (now - anchor).total_seconds()
    for step in steps:
        if step > elapsed:
            return anchor + dt.timedelta(seconds=step)
    return now + dt.timedelta(seconds=pace_s[-1])


def late_look(*, ended_at: dt.datetime, now: dt.datetime) -> dt.datetime | None:
    """The next time to see whether the bank says something else of what has ended; None when it is past that."""
    return next((look for s in LATE_LOOKS_S if (look := ended_at + dt.timedelta(seconds=s)) > now), None)


def look_on_its_day(*, kept_until: dt.datetime, payment_id: str, now: dt.datetime) -> dt.datetime:
    """The next time to ask for what a bank has kept until ``kept_until``, while that day may last somewhere."""
    first = kept_until + dt.timedelta(seconds=int(payment_id[-6:], 16) % DAY_PACE.total_seconds())
    return first if now < first else first + ((now - first) // DAY_PACE + 1) * DAY_PACE


def look_in_silence(*, silent_since: dt.datetime, now: dt.datetime) -> dt.datetime:
    """The next time to ask a bank that gives no answer: soon, so that its return is noticed within half a minute."""
    elapsed = (now - silent_since).total_seconds()
    for first in SILENT_LOOKS_S:
        if first > elapsed:
            return silent_since + dt.timedelta(seconds=first)
    pause = next((every for until, every in SILENT_PACE_S if elapsed < until), SILENT_PACE_LAST_S)
    return now + dt.timedelta(seconds=pause)


def promise(*, now: dt.datetime, fence_at: dt.datetime | None) -> dt.datetime:
    """By when an unknown outcome will be known: after the fence "waiting" and "not found" are answers, too."""
    return max(now, fence_at or now) + PROMISE


def look_before_promise(*, run_at: dt.datetime, know_by: dt.datetime | None, now: dt.datetime) -> dt.datetime:
    """``run_at``, or earlier: a promise wants a look while there is time to spare, and one when its time is over."""
    if know_by is None:
        return run_at
    early = know_by - PROMISE_SPARE
    return min(run_at, early if early > now else know_by)


def promised(by: dt.datetime, *, told_until: dt.datetime | None) -> dt.datetime | None:
    """The time that a promise names; None where nobody will tell us as late as that, so that it may be a false one."""
    return by if told_until is None or by <= told_until else None


def look_while_told(
    *, run_at: dt.datetime, begun_at: dt.datetime, told_until: dt.datetime | None, now: dt.datetime
) -> dt.datetime:
    """``run_at``, or earlier, where only a token tells of the order, and dies at ``told_until``: what the bank does not
    tell before, it tells nobody. ``begun_at``: when the order was."""
    if told_until is None or now >= told_until:
        return run_at
    often_from = told_until - min((told_until - begun_at) / 2, LAST_PACE_MOST)
    return look_at_the_last(run_at=min(run_at, max(often_from, now + LAST_PACE)), told_until=told_until, now=now)


def look_at_the_last(*, run_at: dt.datetime, told_until: dt.datetime | None, now: dt.datetime) -> dt.datetime:
    """``run_at``, or the next of the last looks: whatever makes us wait, what they do not tell nobody ever does."""
    if told_until is None or now >= told_until:
        return run_at
    last = (told_until - dt.timedelta(seconds=s) for s in LAST_LOOKS_S)
    return min(run_at, next(look for look in last if look > now))


def is_now_or_never(*, wait_until: dt.datetime, told_until: dt.datetime | None, now: dt.datetime) -> bool:
    """Whether this is one of the last looks, and to wait until then, for the bank's budget or because it wants to be
    left alone, would be to wait for too long."""
    if told_until is None or not is_last_look(told_until=told_until, now=now):
        return False
    return wait_until > told_until - LAST_SPARE


def is_last_look(*, told_until: dt.datetime | None, now: dt.datetime) -> bool:
    """Whether there may be no other before nobody can be asked any more."""
    return told_until is not None and now >= told_until - dt.timedelta(seconds=LAST_LOOKS_S[0])


def lapses_at(*, given_at: dt.datetime, minutes: int) -> dt.datetime:
    """When the bank lets an order lapse that nobody has approved."""
    return given_at + approval_life(minutes)


def approve_until(*, lapses_at: dt.datetime, told_until: dt.datetime | None) -> dt.datetime:
    """Until when its customer is sent to approve an order that the bank lets lapse at ``lapses_at``: nobody, once what
    came of that could not be asked any more."""
    return lapses_at if told_until is None else min(lapses_at, told_until - TOKEN_SPARE)


def next_promise(*, now: dt.datetime, broken: int) -> dt.datetime:
    """The promise that follows ``broken`` ones that could not be kept (1 or more)."""
    return now + NEXT_PROMISES[min(broken, len(NEXT_PROMISES)) - 1]


def send_again_at(*, sends: int, now: dt.datetime) -> dt.datetime | None:
    """When to send an unanswered initiation again; None when it is time to give up (nobody can approve it)."""
    if sends >= SENDS_MOST:
        return None
    return now + dt.timedelta(seconds=SEND_AGAIN_S[min(sends, len(SEND_AGAIN_S)) - 1])


def end_to_end_id(payment_id: str) -> str:
    """EndToEndIdentification: at most 35 characters, unique for ever, says nothing about the customer.

    The payment's own id without its separator: 3 letters and 32 hex digits, exactly the 35 that SEPA carries.
    """
    return payment_id.replace("_", "", 1)


def approval_life(minutes: int) -> dt.timedelta:
    """How long the customer may take to approve at the bank."""
    return dt.timedelta(minutes=minutes)
