"""The life cycles of consents: of a single payment, and of those under which the customer pays again and again."""

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
    RESTORE = enum.auto()  #: its payment may be executed after all
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
            # its payment was taken back, perhaps is under way once more, and has ended: it was used all the same
            *((S.CONSUMED, taken) for taken in (E.REJECT, E.EXPIRE, E.RESTORE, E.CORRECT)),
            (S.REJECTED, E.REJECT),
            (S.EXPIRED, E.EXPIRE),
            (S.AWAITING_AUTHORISATION, E.RESTORE),  # its payment was closed before the bank had named it
        }
    ),
)


class StandingState(enum.StrEnum):
    """Of a consent under which the customer may start payment after payment. Only AUTHORISED starts any."""

    PREPARED = "prepared"  #: signed here; the bank may not know of it yet
    AWAITING = "awaiting"  #: the bank holds it, the customer has not approved it there
    AUTHORISED = "authorised"
    STOPPED_AT_BANK = "stopped_at_bank"  #: the bank lets us use it no more, or not yet; it can be approved there again
    REVOKING = "revoking"  #: taken back here, and the bank has not confirmed yet that it has it no more
    REJECTED = "rejected"  #: refused by the customer at the bank, or by the bank
    EXPIRED = "expired"  #: by our clock; the bank's word that it was approved in the last moment counts still
    REVOKED = "revoked"


class StandingStep(enum.Enum):
    STAGE = enum.auto()  #: the bank has given it an id
    GIVE_UP = enum.auto()  #: the bank did not take it
    AUTHORISE = enum.auto()
    REJECT = enum.auto()
    EXPIRE = enum.auto()  #: its last day is over, or the time to approve it
    LOSE_ACCESS = (
        enum.auto()
    )  #: the customer stopped it at the bank, or the bank did; or their approval did not reach us
    REVOKE = enum.auto()  #: the customer takes it back, here
    BANK_GONE = enum.auto()  #: the bank has it no more, for good


class ConsentSource(enum.StrEnum):
    """Whose word a step of a standing consent stands on."""

    CUSTOMER = "customer"
    BANK = "bank"
    WORKER = "worker"  #: the time is over
    OPERATOR = "operator"


#: in which a customer can pay under it, or can again once they approve it anew
STANDING_USABLE = (StandingState.AUTHORISED, StandingState.STOPPED_AT_BANK)

P, T = StandingState, StandingStep
#: nothing is paid under one of these, and nobody has to do anything about it
STANDING_OVER = frozenset({P.REJECTED, P.EXPIRED, P.REVOKED})
#: the bank has it, or may have
_AT_BANK = (P.AWAITING, P.AUTHORISED, P.STOPPED_AT_BANK)
STANDING = Lifecycle(
    {
        (P.PREPARED, T.STAGE): P.AWAITING,
        (P.PREPARED, T.GIVE_UP): P.REJECTED,
        (P.PREPARED, T.REVOKE): P.REVOKING,  # an answer may be on its way: what it tells of is taken back there, too
        (P.AWAITING, T.AUTHORISE): P.AUTHORISED,
        **{(state, T.REJECT): P.REJECTED for state in _AT_BANK},
        **{(state, T.EXPIRE): P.EXPIRED for state in _AT_BANK},
        **{(state, T.REVOKE): P.REVOKING for state in _AT_BANK},
        (P.AWAITING, T.LOSE_ACCESS): P.STOPPED_AT_BANK,
        (P.AUTHORISED, T.LOSE_ACCESS): P.STOPPED_AT_BANK,
        (P.STOPPED_AT_BANK, T.AUTHORISE): P.AUTHORISED,
        **{(state, T.BANK_GONE): P.REVOKED for state in (*_AT_BANK, P.REVOKING)},
        # only our clock has said that it is over
        (P.EXPIRED, T.AUTHORISE): P.AUTHORISED,
        (P.EXPIRED, T.REVOKE): P.REVOKING,
    },
    # a look, a redirect, an event and a late answer tell the same thing in any order: what is known already, or is over
    # for good, they do not change
    ignored=frozenset(
        {
            *((state, T.STAGE) for state in (*_AT_BANK, P.REVOKING, P.EXPIRED)),
            *((state, T.GIVE_UP) for state in (*_AT_BANK, P.REVOKING, P.EXPIRED)),
            (P.AUTHORISED, T.AUTHORISE),  # approved again while it stood
            (P.STOPPED_AT_BANK, T.LOSE_ACCESS),
            *((P.EXPIRED, step) for step in (T.EXPIRE, T.REJECT, T.LOSE_ACCESS, T.BANK_GONE)),
            # what the customer has taken back stays so, whatever was on its way meanwhile
            *((P.REVOKING, step) for step in (T.AUTHORISE, T.REJECT, T.EXPIRE, T.LOSE_ACCESS, T.REVOKE)),
            *((state, step) for state in (P.REJECTED, P.REVOKED) for step in StandingStep),
        }
    ),
)
