"""The life cycle of one message by e-mail."""

from __future__ import annotations

import enum

from consent.lifecycle import Lifecycle


class NoticeState(enum.StrEnum):
    WAITING = "waiting"  #: it is sent, or tried again
    SENT = "sent"  #: a mail server has taken it
    REFUSED = "refused"  #: the mail server takes nothing for this address
    GIVEN_UP = "given_up"  #: no mail server could be reached for a day
    NOT_SENT = "not_sent"  #: nothing was to be sent: no e-mail here, not wanted any more, or no safe words


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
