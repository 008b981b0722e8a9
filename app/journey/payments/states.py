"""The life cycle of a payment, and what each state means to the customer and to the biller.

Where SCA itself executes (Berlin Group) the way is PREPARED → INITIATING → AWAITING_CUSTOMER → ACCEPTED → SETTLED.
Where a payment is submitted apart from its approval (UK) AUTHORISED → SUBMITTING lie between: until then nobody but we
could make it happen, so that we can end it by not submitting it. What is paid under a standing consent needs no
approval of its own: PREPARED → AUTHORISED.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from connectors.contract import Fact
from consent.lifecycle import Lifecycle


class PaymentState(enum.StrEnum):
    PREPARED = "prepared"  #: the exact bytes for the bank are stored; none was sent
    INITIATING = "initiating"  #: being given to the bank; nobody can approve it yet
    AWAITING_CUSTOMER = "awaiting_customer"  #: the bank holds it for the customer to approve there
    AUTHORISED = "authorised"  #: approved, and not submitted: nothing moves before it is
    SUBMITTING = "submitting"  #: its exact bytes are stored, and may have been sent: the bank may execute it
    ACCEPTED = "accepted"  #: approved; the bank has not settled it
    SETTLED = "settled"  #: the bank says debited or credited
    REJECTED = "rejected"  #: it will not happen, by the bank's word or because it never got there
    CANCELLED = "cancelled"  #: taken back: here before its link was given away, or at the bank, by its word
    EXPIRED = "expired"  #: nobody was ever asked to approve it: the customer never went to the bank
    UNKNOWN = "unknown"  #: the bank may have acted and does not tell: the claim stays
    REVERSED = "reversed"  #: settled, and then taken back: as closed as any other that was not done


class PaymentStep(enum.Enum):
    INITIATE = enum.auto()
    STAGE = enum.auto()
    GIVE_UP = enum.auto()
    CUSTOMER_CANCEL = enum.auto()
    AUTHORISE = enum.auto()  #: the customer's token is here, with which it can be submitted; or a standing consent is
    WITHHOLD = enum.auto()  #: it is not submitted, now or ever
    SUBMIT = enum.auto()
    BANK_ACCEPT = enum.auto()
    BANK_SETTLE = enum.auto()
    BANK_REJECT = enum.auto()
    BANK_CANCEL = enum.auto()
    LOSE_SIGHT = enum.auto()
    NOT_FOUND = enum.auto()  #: past the fence, the bank knows no such order
    EXPIRE = enum.auto()
    DOUBT = enum.auto()  #: the bank calls accepted what had not happened, or has it after all: not known again
    CORRECT = enum.auto()  #: a record of the bank shows that what we closed as not done was executed (K5)


S, E = PaymentState, PaymentStep
#: what the bank may execute
_OPEN = (S.AWAITING_CUSTOMER, S.SUBMITTING)
#: closed as not done, and open to correction by a record of the bank
CLOSED = frozenset({S.REJECTED, S.CANCELLED, S.EXPIRED})
#: it did not happen, or did not last: it has nothing of its invoice
NOT_DONE = CLOSED | {S.REVERSED}
#: its bank has executed it, whatever became of that
SETTLED_ONCE = frozenset({S.SETTLED, S.REVERSED})
PAYMENT = Lifecycle(
    {
        (S.PREPARED, E.INITIATE): S.INITIATING,
        (S.PREPARED, E.GIVE_UP): S.REJECTED,
        (S.INITIATING, E.STAGE): S.AWAITING_CUSTOMER,
        (S.INITIATING, E.GIVE_UP): S.REJECTED,
        **{(state, E.CUSTOMER_CANCEL): S.CANCELLED for state in (S.AWAITING_CUSTOMER, S.AUTHORISED)},
        **{(state, E.EXPIRE): S.EXPIRED for state in (S.AWAITING_CUSTOMER, S.UNKNOWN)},
        **{(state, E.AUTHORISE): S.AUTHORISED for state in (S.PREPARED, S.AWAITING_CUSTOMER)},
        **{(state, E.WITHHOLD): S.REJECTED for state in (S.AWAITING_CUSTOMER, S.AUTHORISED)},
        (S.AUTHORISED, E.SUBMIT): S.SUBMITTING,
        **{(state, E.BANK_ACCEPT): S.ACCEPTED for state in (*_OPEN, S.UNKNOWN)},
        **{(state, E.BANK_SETTLE): S.SETTLED for state in (*_OPEN, S.ACCEPTED, S.UNKNOWN)},
        **{(state, E.BANK_REJECT): S.REJECTED for state in (*_OPEN, S.ACCEPTED, S.UNKNOWN)},
        **{(state, E.BANK_CANCEL): S.CANCELLED for state in (*_OPEN, S.ACCEPTED, S.UNKNOWN)},
        **{(state, E.LOSE_SIGHT): S.UNKNOWN for state in _OPEN},
        **{(state, E.NOT_FOUND): S.REJECTED for state in (*_OPEN, S.UNKNOWN)},
        **{(state, E.CORRECT): S.SETTLED for state in NOT_DONE},
        **{(state, E.DOUBT): S.UNKNOWN for state in NOT_DONE},
        **{(S.SETTLED, taken): S.REVERSED for taken in (E.BANK_REJECT, E.BANK_CANCEL)},
    },
    # banks say the same again, and a stale replica may say less than it said before
    ignored=frozenset(
        {
            (S.ACCEPTED, E.BANK_ACCEPT),
            (S.ACCEPTED, E.LOSE_SIGHT),
            (S.ACCEPTED, E.NOT_FOUND),  # it said that it has it: only a later word of its own ends it
            (S.SETTLED, E.BANK_ACCEPT),
            (S.SETTLED, E.BANK_SETTLE),
            (S.SETTLED, E.NOT_FOUND),
            (S.UNKNOWN, E.LOSE_SIGHT),
            # closed is closed: only a record of execution changes it, by CORRECT, or a word of the bank, by DOUBT
            *(
                (state, taken)
                for state in NOT_DONE
                for taken in (E.BANK_ACCEPT, E.BANK_REJECT, E.BANK_CANCEL, E.NOT_FOUND, E.LOSE_SIGHT)
            ),
        }
    ),
)

#: what the bank's word does to a payment; a fact that is not here (waiting, unknown) moves nothing by itself
STEP_OF_FACT = {
    Fact.ACCEPTED: E.BANK_ACCEPT,
    Fact.DEBITED: E.BANK_SETTLE,
    Fact.CREDITED: E.BANK_SETTLE,
    Fact.REJECTED: E.BANK_REJECT,
    Fact.CANCELLED: E.BANK_CANCEL,
}


class Truth(enum.StrEnum):
    """What the customer is told. Four outcomes, and three for the time before there can be any."""

    AT_BANK = "at_bank"
    APPROVED = "approved"  #: and on its way to be executed
    SCHEDULED = "scheduled"  #: decided for a later day: nothing was sent, and it can be cancelled
    KEPT = "kept"  #: approved for a later day, until which the bank keeps it
    DONE = "done"
    ACCEPTED = "accepted"
    NOT_DONE = "not_done"
    NOT_KNOWN = "not_known"


@dataclass(frozen=True, slots=True)
class Meaning:
    truth: Truth
    may_pay_again: bool  #: the claim on the invoice is free
    outside: str  #: the word billers see: open, paid or failed


MEANING = {
    S.PREPARED: Meaning(Truth.AT_BANK, may_pay_again=False, outside="open"),
    S.INITIATING: Meaning(Truth.AT_BANK, may_pay_again=False, outside="open"),
    S.AWAITING_CUSTOMER: Meaning(Truth.AT_BANK, may_pay_again=False, outside="open"),
    S.AUTHORISED: Meaning(Truth.APPROVED, may_pay_again=False, outside="open"),
    S.SUBMITTING: Meaning(Truth.APPROVED, may_pay_again=False, outside="open"),
    S.ACCEPTED: Meaning(Truth.ACCEPTED, may_pay_again=False, outside="open"),
    S.SETTLED: Meaning(Truth.DONE, may_pay_again=False, outside="paid"),
    S.REJECTED: Meaning(Truth.NOT_DONE, may_pay_again=True, outside="failed"),
    S.CANCELLED: Meaning(Truth.NOT_DONE, may_pay_again=True, outside="failed"),
    S.EXPIRED: Meaning(Truth.NOT_DONE, may_pay_again=True, outside="failed"),
    S.UNKNOWN: Meaning(Truth.NOT_KNOWN, may_pay_again=False, outside="open"),
    S.REVERSED: Meaning(Truth.NOT_DONE, may_pay_again=True, outside="failed"),
}

#: an end. The bank is still asked at times whether it thinks so, too, and its record can correct or reverse
OVER = frozenset(state for state, meaning in MEANING.items() if meaning.truth in (Truth.DONE, Truth.NOT_DONE))


class StatusSays(enum.StrEnum):
    """What the bank's status has said of an end that a statement or an operator decided, since then."""

    SAME = "same"  #: so it is to be believed again, as of any end
    OPPOSITE = "opposite"  #: no more than it had said before: it undoes nothing, and is listed as a difference


class Source(enum.StrEnum):
    """By whose word a payment took a step."""

    CUSTOMER = "customer"
    WORKER = "worker"  #: our own reasoning: evidence says which
    BANK = "bank"  #: its answer to a question of ours
    STATEMENT = "statement"  #: its statement of account
    OPERATOR = "operator"  #: a person of the operator, who says why


#: evidence that the bank's own status does not outweigh by itself
OTHERS = (Source.STATEMENT, Source.OPERATOR)
