"""The life cycle of a way back in by e-mail."""

from __future__ import annotations

import enum

from consent.lifecycle import Lifecycle


class RecoveryState(enum.StrEnum):
    WAITING = "waiting"  #: for its time, and then for its browser
    DONE = "done"  #: there is a new passkey, and no other one
    STOPPED = "stopped"  #: by somebody who has a passkey
    REPLACED = "replaced"  #: words were shown in another browser: the wait began anew there
    EXPIRED = "expired"  #: nobody came in time


class RecoveryStep(enum.Enum):
    FINISH = enum.auto()
    STOP = enum.auto()
    REPLACE = enum.auto()
    EXPIRE = enum.auto()


RECOVERY = Lifecycle(
    {
        (RecoveryState.WAITING, RecoveryStep.FINISH): RecoveryState.DONE,
        (RecoveryState.WAITING, RecoveryStep.STOP): RecoveryState.STOPPED,
        (RecoveryState.WAITING, RecoveryStep.REPLACE): RecoveryState.REPLACED,
        (RecoveryState.WAITING, RecoveryStep.EXPIRE): RecoveryState.EXPIRED,
    }
)
