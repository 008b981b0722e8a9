"""The life cycle of an upload of many bills."""

from __future__ import annotations

import enum

from consent.lifecycle import Lifecycle


class UploadState(enum.StrEnum):
    RECEIVING = "receiving"  #: its file is not here as a whole; nothing of it was delivered, and it may be forgotten
    WORKING = "working"  #: the file is durably ours
    DONE = "done"  #: every line has its result


class UploadStep(enum.Enum):
    RECEIVE = enum.auto()
    END = enum.auto()


UPLOAD = Lifecycle(
    {
        (UploadState.RECEIVING, UploadStep.RECEIVE): UploadState.WORKING,
        (UploadState.WORKING, UploadStep.END): UploadState.DONE,
    }
)
