"""The life cycle of a correction, and what it does on each side of submit.

=====================================  ================================================================================
of the bill, when the correction comes  what happens
=====================================  ================================================================================
not delivered (yet)                    STANDING: shown as a credit without a bill; applied once that bill arrives
to pay                                 less is due, or nothing: the next decision is over that
a payment, not given out or submitted  the decision is void and the payment stopped in the same transaction; as above
a payment that may still be executed   the bank is asked to drop it, nobody may bring it further. What is taken off is
                                       posted as owed: made up when the payment ends without effect; if it is
                                       executed, a refund owed
paid                                   a refund owed; payment and receipt stay as they are
=====================================  ================================================================================
"""

from __future__ import annotations

import enum

from consent.lifecycle import Lifecycle


class CorrectionKind(enum.StrEnum):
    CREDIT_NOTE = "credit_note"  #: takes its amount off a bill
    NEW_VERSION = "new_version"  #: a later bill stands in for this one
    WITHDRAWAL = "withdrawal"  #: nothing of the bill is asked any more


#: after one of these nothing is asked of a bill, whatever else is said of it
WHOLE = (CorrectionKind.NEW_VERSION, CorrectionKind.WITHDRAWAL)


class CorrectionState(enum.StrEnum):
    STANDING = "standing"  #: it is here, and the bill that it is about is not
    APPLIED = "applied"  #: the bill is linked, and recalculated


class CorrectionStep(enum.Enum):
    APPLY = enum.auto()


CORRECTION = Lifecycle({(CorrectionState.STANDING, CorrectionStep.APPLY): CorrectionState.APPLIED})


class Because(enum.StrEnum):
    """Why a correction stands without its bill."""

    NONE_NAMED = "no-preceding"  #: it names no bill
    SEVERAL_NAMED = "several-preceding"  #: nobody can say how much of it is for which
    UNKNOWN = "unknown-preceding"  #: we have no such bill, or not yet
    OTHER = "other-preceding"  #: in another currency, another customer's, or no bill: found when it came later
    RING = "replaces-each-other"  #: the bill that it names stands in for it, and was delivered later
