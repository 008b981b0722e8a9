"""The life cycle of one message, by e-mail or to a device."""

from __future__ import annotations

import enum

from consent.lifecycle import Lifecycle


class NoticeState(enum.StrEnum):
    WAITING = "waiting"  #: it is sent, or tried again
    SENT = "sent"  #: a mail server has taken it, or a push service
    REFUSED = "refused"  #: the mail server takes nothing for this address; a device of that sort is gone itself
    GIVEN_UP = "given_up"  #: for a day nobody could be reached who takes it
    NOT_SENT = "not_sent"  #: nothing was to be sent: no e-mail here, not wanted or not so any more, no safe words


class NoticeStep(enum.Enum):
    SEND = enum.auto()
    REFUSE = enum.auto()
    GIVE_UP = enum.auto()
    LEAVE = enum.auto()


NOTICE = Lifecycle(
    {
        (NoticeState.WAITING, NoticeStep.SEND): NoticeState.SENT,
        (NoticeState.WAITING, NoticeStep.REFUSE): NoticeState.REFUSED,
        (NoticeState.WAITING, NoticeStep.GIVE_UP): NoticeState.GIVEN_UP,
        (NoticeState.WAITING, NoticeStep.LEAVE): NoticeState.NOT_SENT,
    }
)
