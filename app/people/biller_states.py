"""The life cycle of a biller: whether it may reach customers at all, and who has said so."""

from __future__ import annotations

import enum

from consent.lifecycle import Lifecycle


class BillerState(enum.StrEnum):
    PROPOSED = "proposed"  #: written down; nobody has approved what is known of it
    APPROVED_ONCE = "approved_once"  #: by one person; another one is to look
    VETTED = "vetted"  #: by two different people: it may be found, deliver, and be paid
    SUSPENDED = "suspended"  #: what it delivers is held, and nothing is paid to it
    RETURNING = "returning"  #: suspended still; one person wants it back, and another one is to look
    REFUSED = "refused"  #: it never comes in; its numbers are free for who they belong to


class BillerStep(enum.Enum):
    """What can happen. In the history by its name in small letters."""

    CHECK = enum.auto()  #: the registers were asked
    APPROVE = enum.auto()
    REFUSE = enum.auto()
    SUSPEND = enum.auto()
    REINSTATE = enum.auto()


_S, _E = BillerState, BillerStep

BILLER = Lifecycle(
    {
        # whoever approved did so on the answer that stood there then
        **{(state, _E.CHECK): _S.PROPOSED for state in (_S.PROPOSED, _S.APPROVED_ONCE)},
        (_S.PROPOSED, _E.APPROVE): _S.APPROVED_ONCE,
        (_S.APPROVED_ONCE, _E.APPROVE): _S.VETTED,
        **{(state, _E.REFUSE): _S.REFUSED for state in (_S.PROPOSED, _S.APPROVED_ONCE)},
        **{(state, _E.SUSPEND): _S.SUSPENDED for state in (_S.VETTED, _S.RETURNING)},
        (_S.SUSPENDED, _E.REINSTATE): _S.RETURNING,
        (_S.RETURNING, _E.REINSTATE): _S.VETTED,
    },
    # said a second time by somebody in a hurry
    ignored=frozenset({(_S.SUSPENDED, _E.SUSPEND), (_S.REFUSED, _E.REFUSE)}),
)

#: each is taken by two different people: the second time it does what it says
BY_TWO = frozenset({_E.APPROVE, _E.REINSTATE})
#: it was vetted, and nothing is paid to it now
SUSPENDED = frozenset({_S.SUSPENDED, _S.RETURNING})
#: was vetted once: its customers still see it
KNOWN = SUSPENDED | {_S.VETTED}
