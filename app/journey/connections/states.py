"""The life cycle of a connection: one customer and one biller, and who of the two has said what.

A biller is told less than the customer sees: muted is active to it, and everything that is over is ended, whether the
customer left, blocked it or never answered. What a biller may not know has no word of its own.
"""

from __future__ import annotations

import enum

from consent.lifecycle import Lifecycle


class ConnectionState(enum.StrEnum):
    NONE = "none"  #: nobody has said anything yet; no row stays so
    HANDED = "handed"  #: the customer has an address for this biller alone; the biller has not come with it
    ASKED = "asked"  #: the customer asked; the biller has not looked
    CHECKING = "checking"  #: the biller looks whether it knows the reference
    OFFERED = "offered"  #: the biller came with a code or its address; the customer has not answered
    ACTIVE = "active"  #: bills arrive
    MUTED = "muted"  #: bills arrive without a notice, behind the others
    DECLINED = "declined"  #: the customer did not take the offer; nobody is told
    REFUSED = "refused"  #: the biller does not know the reference
    LEFT = "left"  #: the customer went
    ENDED = "ended"  #: the biller ended it
    BLOCKED = "blocked"  #: the biller can do nothing that its customer would notice


class ConnectionStep(enum.Enum):
    """What can happen. In the history by its name in small letters."""

    HAND = enum.auto()
    ASK = enum.auto()
    CHECK = enum.auto()
    CONFIRM = enum.auto()
    REFUSE = enum.auto()
    PRESENT_CODE = enum.auto()
    PRESENT_ADDRESS = enum.auto()
    ACCEPT = enum.auto()
    DECLINE = enum.auto()
    LAPSE = enum.auto()  #: an offer that nobody answered
    MUTE = enum.auto()
    UNMUTE = enum.auto()
    LEAVE = enum.auto()
    END = enum.auto()
    BLOCK = enum.auto()
    UNBLOCK = enum.auto()
    BRING_OVER = enum.auto()  #: connected before they came here: by an operator


class By(enum.StrEnum):
    """Who took a step."""

    CUSTOMER = "customer"
    BILLER = "biller"
    OPERATOR = "operator"
    WORKER = "worker"


_S, _E = ConnectionState, ConnectionStep

#: bills arrive
OPEN = frozenset({_S.ACTIVE, _S.MUTED})
#: nothing is between the two, and the customer may begin anew
APART = frozenset({_S.NONE, _S.DECLINED, _S.REFUSED, _S.LEFT, _S.ENDED})
#: the customer's request is with the biller
REQUESTED = frozenset({_S.ASKED, _S.CHECKING})
_ALL = frozenset(_S) - {_S.NONE}

CONNECTION = Lifecycle(
    {
        (_S.NONE, _E.BRING_OVER): _S.ACTIVE,
        # the customer begins
        **{(state, _E.HAND): _S.HANDED for state in APART},
        **{(state, _E.ASK): _S.ASKED for state in (*APART, _S.HANDED)},
        # the biller answers a request
        (_S.ASKED, _E.CHECK): _S.CHECKING,
        **{(state, _E.CONFIRM): _S.ACTIVE for state in REQUESTED},
        **{(state, _E.REFUSE): _S.REFUSED for state in REQUESTED},
        # the biller begins, with what the customer handed over. A code is fresh, so it counts after an end as well;
        # an address that was given once does not bring a biller back that was left
        **{(state, _E.PRESENT_CODE): _S.OFFERED for state in (*APART, _S.HANDED)},
        (_S.HANDED, _E.PRESENT_ADDRESS): _S.OFFERED,
        # each of the two has asked for the other
        **{(state, _E.PRESENT_CODE): _S.ACTIVE for state in REQUESTED},
        **{(state, _E.PRESENT_ADDRESS): _S.ACTIVE for state in REQUESTED},
        # the customer answers
        (_S.OFFERED, _E.ACCEPT): _S.ACTIVE,
        (_S.OFFERED, _E.DECLINE): _S.DECLINED,
        (_S.OFFERED, _E.LAPSE): _S.DECLINED,
        (_S.ACTIVE, _E.MUTE): _S.MUTED,
        (_S.MUTED, _E.UNMUTE): _S.ACTIVE,
        **{(state, _E.LEAVE): _S.LEFT for state in (_S.HANDED, *REQUESTED, *OPEN)},
        **{(state, _E.END): _S.ENDED for state in (_S.OFFERED, *OPEN)},
        **{(state, _E.BLOCK): _S.BLOCKED for state in _ALL - {_S.BLOCKED}},
        (_S.BLOCKED, _E.UNBLOCK): _S.LEFT,
    },
    ignored=frozenset(
        {
            # forms and programs that send a second time
            (_S.HANDED, _E.HAND),
            (_S.ASKED, _E.ASK),
            (_S.CHECKING, _E.CHECK),
            *((state, _E.CONFIRM) for state in OPEN),
            *((state, _E.ACCEPT) for state in OPEN),
            (_S.DECLINED, _E.DECLINE),
            (_S.MUTED, _E.MUTE),
            (_S.ACTIVE, _E.UNMUTE),
            (_S.LEFT, _E.LEAVE),
            (_S.LEFT, _E.UNBLOCK),
            (_S.BLOCKED, _E.BLOCK),
            # whatever a customer did meanwhile, a biller that ends or refuses finds it over
            *((state, _E.REFUSE) for state in _ALL - OPEN - REQUESTED),
            *((state, _E.END) for state in _ALL - OPEN - REQUESTED - {_S.OFFERED}),
            *((state, _E.PRESENT_CODE) for state in (_S.OFFERED, *OPEN)),
            *((state, _E.PRESENT_ADDRESS) for state in (_S.OFFERED, *OPEN)),
        }
    ),
)


class Told(enum.StrEnum):
    """What a biller is told of a connection."""

    ASKED = "asked"
    CHECKING = "checking"
    ACTIVE = "active"
    ENDED = "ended"


_TOLD = {
    _S.ASKED: Told.ASKED,
    _S.CHECKING: Told.CHECKING,
    _S.ACTIVE: Told.ACTIVE,
    _S.MUTED: Told.ACTIVE,
}


def told(state: ConnectionState) -> Told:
    """The biller's word for a state, if it knows of the connection at all."""
    return _TOLD.get(state, Told.ENDED)
