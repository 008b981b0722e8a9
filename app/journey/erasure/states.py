"""The life cycle of an erasure: docs/erasing.md."""

from __future__ import annotations

import enum

from consent.lifecycle import Lifecycle


class ErasureState(enum.StrEnum):
    WAITING = "waiting"  #: asked; what is under way ends first
    TAKEN_BACK = "taken_back"  #: its customer stays
    ERASED = "erased"  #: nobody can tell any more who it was; what proves payments is kept until its time is over
    FORGOTTEN = "forgotten"  #: that is gone, too


class ErasureStep(enum.Enum):
    TAKE_BACK = enum.auto()
    ERASE = enum.auto()
    FORGET = enum.auto()


ERASURE = Lifecycle(
    {
        (ErasureState.WAITING, ErasureStep.TAKE_BACK): ErasureState.TAKEN_BACK,
        (ErasureState.WAITING, ErasureStep.ERASE): ErasureState.ERASED,
        (ErasureState.ERASED, ErasureStep.FORGET): ErasureState.FORGOTTEN,
    }
)
