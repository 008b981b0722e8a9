"""What may be said of a bill, and until when. Pure: values in, a verdict out."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from app.journey.answers.states import AnswerKind
from app.journey.invoices.states import InvoiceState

WORDS_MAX = 500
LINES_MAX = 200
#: to one bill: each of them is told to its company
ANSWERS_MOST = 30
#: days after a bill's own day: nobody asks for more time than that, and no company's policy gives more
MORE_TIME_MOST = 365
#: where a company has published nothing: it says yes to nothing by itself, and has ten days to reply
ANSWER_DAYS, ANSWER_DAYS_MOST = 10, 60
#: parts of one proposal
INSTALMENTS_LEAST, INSTALMENTS_MOST = 2, 12
#: a day that began then is over everywhere
EVERYWHERE = dt.timedelta(days=1)


class Reason(enum.StrEnum):
    """Why a bill is declined or disputed."""

    NOT_ORDERED = "not_ordered"
    NOT_MINE = "not_mine"  #: it is somebody else's
    CANCELLED = "cancelled"  #: the customer had cancelled what it is for
    NOT_RECEIVED = "not_received"
    NOT_AS_AGREED = "not_as_agreed"
    WRONG_AMOUNT = "wrong_amount"
    TWICE = "twice"  #: it was billed before
    OTHER = "other"  #: the words say it


REASONS: Mapping[AnswerKind, tuple[Reason, ...]] = {
    AnswerKind.DECLINED: (Reason.NOT_ORDERED, Reason.NOT_MINE, Reason.CANCELLED, Reason.TWICE, Reason.OTHER),
    AnswerKind.DISPUTED: (
        Reason.WRONG_AMOUNT,
        Reason.NOT_RECEIVED,
        Reason.NOT_AS_AGREED,
        Reason.CANCELLED,
        Reason.OTHER,
    ),
}
#: of a bill in which state what may be said. One that is in payment is paid, or its payment stopped, first
SAID_OF: Mapping[InvoiceState, tuple[AnswerKind, ...]] = {
    InvoiceState.TO_PAY: tuple(AnswerKind),
    InvoiceState.NOT_HERE: (AnswerKind.PAID_ELSEWHERE, AnswerKind.DECLINED, AnswerKind.DISPUTED),
    InvoiceState.PAID: (AnswerKind.DISPUTED,),
}
#: what asks for a later day
LATER = (AnswerKind.MORE_TIME, AnswerKind.INSTALMENTS)
#: of a bill that its customer added there is nobody to reply
OF_OWN = (AnswerKind.PAID_ELSEWHERE, AnswerKind.DECLINED)


@dataclass(frozen=True, slots=True)
class Policy:
    """What a company has published. A customer's answer is held to the policy of the moment at which it was said."""

    more_time_days: int = 0  #: so many days after a bill's own day it says yes to by itself
    answer_days: int = ANSWER_DAYS  #: within so many days it replies
    instalments_most: int = 0  #: to so many parts it says yes by itself,
    instalments_days: int = 0  #: the last one so many days after a bill's own day at the latest


@dataclass(frozen=True, slots=True)
class Instalment:
    """``minor`` is proposed to be paid on ``pay_on``. None, of the last one alone: all that is left."""

    pay_on: dt.date
    minor: int | None = None


def kinds_for(
    *,
    state: InvoiceState,
    is_asked: bool,
    is_delivered: bool,
    due_on: dt.date | None,
    pay_by: dt.date | None,
    takes_parts: bool,
    today: dt.date,
) -> tuple[AnswerKind, ...]:
    """What its customer may say of a bill of which something ``is_asked``; of a paid one that was taken back there is
    nothing to say yes to any more. More time and instalments only of one that names a day, and while a later one is
    left; instalments where ``takes_parts`` says that what is left may be paid in parts."""
    kinds: Collection[AnswerKind] = SAID_OF.get(state, ()) if is_asked else ()
    if not is_delivered:
        kinds = [kind for kind in kinds if kind in OF_OWN]
    if due_on is None or later_days(due_on=due_on, pay_by=pay_by or due_on, today=today) is None:
        kinds = [kind for kind in kinds if kind not in LATER]
    return tuple(kind for kind in kinds if takes_parts or kind is not AnswerKind.INSTALMENTS)


def later_days(*, due_on: dt.date, pay_by: dt.date, today: dt.date) -> tuple[dt.date, dt.date] | None:
    """The first and the last day until which more time may be asked for, and on which instalments may end. None: there
    is none."""
    first = max(pay_by, today) + dt.timedelta(days=1)
    last = due_on + dt.timedelta(days=MORE_TIME_MOST)
    return (first, last) if first <= last else None


def is_granted(policy: Policy, *, due_on: dt.date, until: dt.date) -> bool:
    """Whether the published policy says yes by itself. It counts from the bill's own day, however often it is asked."""
    return until <= due_on + dt.timedelta(days=policy.more_time_days)


def are_granted(policy: Policy, *, due_on: dt.date, count: int, until: dt.date) -> bool:
    """The same for so many parts, of which the last one is to be paid on ``until``."""
    return count <= policy.instalments_most and until <= due_on + dt.timedelta(days=policy.instalments_days)


def first_day_not_over(now: dt.datetime) -> dt.date:
    """Every day before this one is over, wherever on earth its customer is."""
    return (now - EVERYWHERE).date()
