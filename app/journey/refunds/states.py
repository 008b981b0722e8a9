"""The life cycles of a refund, and of the account that its customer releases for it.

What is owed the documents say (the ledger); a refund is what was said about giving it back. Quittance holds no money
and sees none arrive, so each step is somebody's word, and each word has its owner: a company promises, says that it has
sent and takes a promise back; that the money is there, or is not, only its customer says.

=========  =============================================================================================================
state      what was said last
=========  =============================================================================================================
promised   the company gives back so much by a day
sent       the company has sent it
missing    its customer says that it has not arrived, days after that; the company sends it again, or it turns up
received   its customer says that it has arrived: the end, also of a promise that nobody said was kept
withdrawn  the company took its promise back, with its reason: the end
=========  =============================================================================================================

Amount, currency and day never change: who means others takes the promise back and makes another one.
"""

from __future__ import annotations

import enum

from consent.lifecycle import Lifecycle


class RefundState(enum.StrEnum):
    PROMISED = "promised"
    SENT = "sent"
    MISSING = "missing"
    RECEIVED = "received"
    WITHDRAWN = "withdrawn"


class RefundStep(enum.StrEnum):
    SEND = "send"
    WITHDRAW = "withdraw"
    ARRIVE = "arrive"
    MISS = "miss"


_S, _E = RefundState, RefundStep

REFUND = Lifecycle(
    {
        (_S.PROMISED, _E.SEND): _S.SENT,
        (_S.PROMISED, _E.WITHDRAW): _S.WITHDRAWN,
        (_S.PROMISED, _E.ARRIVE): _S.RECEIVED,
        (_S.SENT, _E.ARRIVE): _S.RECEIVED,
        (_S.SENT, _E.MISS): _S.MISSING,
        (_S.MISSING, _E.SEND): _S.SENT,
        (_S.MISSING, _E.ARRIVE): _S.RECEIVED,
    }
)
#: while one of these holds, its customer may release an account for it, and its company reads it
WANTS_ACCOUNT = (_S.PROMISED, _S.MISSING)


class By(enum.StrEnum):
    """Whose word a step is."""

    BILLER = "biller"
    CUSTOMER = "customer"
    WORKER = "worker"  #: a time is over


#: whose word each step is, in the words of the history; what is done with an account moves no refund
WHOSE: dict[str, By] = {
    "promise": By.BILLER,
    _E.SEND: By.BILLER,
    _E.WITHDRAW: By.BILLER,
    _E.ARRIVE: By.CUSTOMER,
    _E.MISS: By.CUSTOMER,
    "release": By.CUSTOMER,
    "take_back": By.CUSTOMER,
    "erase": By.WORKER,
}


class AccountState(enum.StrEnum):
    TYPED = "typed"  #: and not confirmed: nobody but its customer sees it
    RELEASED = "released"
    TAKEN_BACK = "taken_back"  #: by its customer
    ERASED = "erased"  #: its refund has ended, or its time is over


class AccountStep(enum.StrEnum):
    RELEASE = "release"
    TAKE_BACK = "take_back"
    ERASE = "erase"


ACCOUNT = Lifecycle(
    {
        (AccountState.TYPED, AccountStep.RELEASE): AccountState.RELEASED,
        (AccountState.RELEASED, AccountStep.TAKE_BACK): AccountState.TAKEN_BACK,
        (AccountState.RELEASED, AccountStep.ERASE): AccountState.ERASED,
    }
)
