"""The life cycle of a consent."""

from __future__ import annotations

import enum

from consent.lifecycle import Lifecycle


class ConsentState(enum.StrEnum):
    AWAITING_AUTHORISATION = "awaiting_authorisation"
    AUTHORISED = "authorised"
    CONSUMED = "consumed"  #: a single consent whose payment is over
    REJECTED = "rejected"  #: refused by the customer at the bank, or by the bank
    EXPIRED = "expired"


class ConsentStep(enum.Enum):
    AUTHORISE = enum.auto()
    CONSUME = enum.auto()
    REJECT = enum.auto()
    EXPIRE = enum.auto()
    RESTORE = enum.auto()  #: the bank calls its payment accepted after all
    CORRECT = enum.auto()  #: a record of the bank shows that its payment was executed after all


S, E = ConsentState, ConsentStep
CONSENT = Lifecycle(
    {
        (S.AWAITING_AUTHORISATION, E.AUTHORISE): S.AUTHORISED,
        (S.AWAITING_AUTHORISATION, E.REJECT): S.REJECTED,
        (S.AWAITING_AUTHORISATION, E.EXPIRE): S.EXPIRED,
        (S.AUTHORISED, E.CONSUME): S.CONSUMED,
        (S.AUTHORISED, E.REJECT): S.REJECTED,
        (S.AUTHORISED, E.EXPIRE): S.EXPIRED,
        **{(state, E.RESTORE): S.AUTHORISED for state in (S.REJECTED, S.EXPIRED)},
        **{(state, E.CORRECT): S.CONSUMED for state in (S.REJECTED, S.EXPIRED)},
    },
    # status and redirect tell the same thing twice, in any order
    ignored=frozenset(
        {
            (S.AUTHORISED, E.AUTHORISE),
            (S.CONSUMED, E.CONSUME),
            (S.CONSUMED, E.AUTHORISE),
            (S.REJECTED, E.REJECT),
            (S.EXPIRED, E.EXPIRE),
        }
    ),
)
