"""The life cycle of a customer's answer to a bill. Its terms never change: who means something else takes it back and
says that, so that a company always replies to exactly what was said.

==============  =======================================================================================================
said            what it means, and what the company's yes does in the same transaction
==============  =======================================================================================================
paid elsewhere  the customer has paid it in another way. Yes: nothing is asked of the bill any more
declined        the customer will not pay it. Yes: the same
disputed        the bill, or some lines of it, is wrong. Yes: the same for a whole bill; of lines the company corrects
                the bill, and that is its yes
more time       the customer asks to pay until a later day. Yes: the bill is to be paid until then
instalments     the customer proposes to pay in parts, the last one on a later day. Yes: the bill is to be paid until
                that day, and these days are what is planned for it
==============  =======================================================================================================

None of them moves money, and none changes what is owed: only the company's yes does.
"""

from __future__ import annotations

import enum

from consent.lifecycle import Lifecycle


class AnswerKind(enum.StrEnum):
    PAID_ELSEWHERE = "paid_elsewhere"
    DECLINED = "declined"
    DISPUTED = "disputed"
    MORE_TIME = "more_time"
    INSTALMENTS = "instalments"


#: while one of these stands its bill is not paid from here; of one that disputes lines the rest may be
BLOCKING = (AnswerKind.PAID_ELSEWHERE, AnswerKind.DECLINED, AnswerKind.DISPUTED)


class AnswerState(enum.StrEnum):
    OPEN = "open"
    WITHDRAWN = "withdrawn"  #: its customer took it back
    ACCEPTED = "accepted"  #: the company said yes, or its published policy did
    REFUSED = "refused"  #: the company said no: the bill is as before
    LAPSED = "lapsed"  #: it has no object any more: the bill was paid, taken back or replaced


class AnswerStep(enum.Enum):
    WITHDRAW = enum.auto()
    ACCEPT = enum.auto()
    REFUSE = enum.auto()
    LAPSE = enum.auto()


ANSWER = Lifecycle(
    {
        (AnswerState.OPEN, AnswerStep.WITHDRAW): AnswerState.WITHDRAWN,
        (AnswerState.OPEN, AnswerStep.ACCEPT): AnswerState.ACCEPTED,
        (AnswerState.OPEN, AnswerStep.REFUSE): AnswerState.REFUSED,
        (AnswerState.OPEN, AnswerStep.LAPSE): AnswerState.LAPSED,
    }
)
