"""The life cycle of a payee account: which account of a biller bills may name, and who has said so.

It is open for payments once two different people have approved it and its waiting time is over: nobody has to do
anything for that, the state and the clock say it (``accounts.is_open``).
"""

from __future__ import annotations

import enum

from consent.lifecycle import Lifecycle


class AccountState(enum.StrEnum):
    PROPOSED = "proposed"  #: nobody has approved what is known of it
    APPROVED_ONCE = "approved_once"  #: by one person; another one is to look
    APPROVED = "approved"  #: by two different people: open from its day on
    FROZEN = "frozen"  #: nothing is paid to it
    THAWING = "thawing"  #: frozen still; one person wants it open again, and another one is to look
    CLOSED = "closed"  #: refused, or given up


class AccountStep(enum.Enum):
    """What can happen. In the history by its name in small letters."""

    PROPOSE = enum.auto()
    CHECK = enum.auto()  #: the payee's bank was asked whether the name belongs to it
    APPROVE = enum.auto()
    FREEZE = enum.auto()
    UNFREEZE = enum.auto()
    CLOSE = enum.auto()


_S, _E = AccountState, AccountStep

ACCOUNT = Lifecycle(
    {
        (_S.CLOSED, _E.PROPOSE): _S.PROPOSED,
        # whoever approved did so on the answer that stood there then
        **{(state, _E.CHECK): _S.PROPOSED for state in (_S.PROPOSED, _S.APPROVED_ONCE)},
        (_S.PROPOSED, _E.APPROVE): _S.APPROVED_ONCE,
        (_S.APPROVED_ONCE, _E.APPROVE): _S.APPROVED,
        **{(state, _E.FREEZE): _S.FROZEN for state in (_S.APPROVED, _S.THAWING)},
        (_S.FROZEN, _E.UNFREEZE): _S.THAWING,
        (_S.THAWING, _E.UNFREEZE): _S.APPROVED,
        **{(state, _E.CLOSE): _S.CLOSED for state in frozenset(_S) - {_S.CLOSED}},
    },
    # said a second time by somebody in a hurry
    ignored=frozenset({(_S.FROZEN, _E.FREEZE), (_S.CLOSED, _E.CLOSE)}),
)

#: each is taken by two different people: the second time it does what it says
BY_TWO = frozenset({_E.APPROVE, _E.UNFREEZE})
#: the steps after which payments that are under way to it are looked at
MOVES = frozenset({_E.FREEZE, _E.UNFREEZE, _E.CLOSE})
