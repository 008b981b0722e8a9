"""Why a payment did not happen, in our words: one code a sentence on the page (templates/customers/payment.html)."""

from __future__ import annotations

import enum

from connectors.contract import BankStatus


class Reason(enum.StrEnum):
    REFUSED_AT_BANK = "refused_at_bank"  #: the customer said no there
    NO_FUNDS = "no_funds"
    BANK_UNREACHABLE = "bank_unreachable"  #: it never got there
    SIGN_IN_OVER = "sign_in_over"  #: the bank takes no order unless its customer is signed in there, and nobody was
    BANK_REFUSED = "bank_refused"  #: the bank would not take the order
    NOT_APPROVED_IN_TIME = "not_approved_in_time"
    STOPPED_BY_CUSTOMER = "stopped_by_customer"  #: here, as long as nothing could move
    CANCELLED_AT_BANK = "cancelled_at_bank"  #: there, by its customer, while the bank kept it until a day
    #: it was not wanted for a while, and its bank, which kept it until a day, was asked to drop it and did
    DROPPED_MEANWHILE = "dropped_meanwhile"
    APPROVAL_LOST = (
        "approval_lost"  #: the customer approved, and the bank's permission did not reach us in time, or does not open
    )
    NOT_APPROVED = "not_approved"  #: the bank ended it, and as far as we know nobody had approved it
    REJECTED_BY_BANK = "rejected_by_bank"  #: after the customer had approved it, or so says a statement or an operator
    REVERSED = "reversed"
    NOT_KNOWN_AT_BANK = "not_known_at_bank"  #: when nothing could move any more, the bank knew no such payment
    ANOTHER_UNDER_WAY = "another_under_way"  #: the bank calls an earlier payment of the same bill accepted after all
    BILL_CORRECTED = "bill_corrected"  #: its biller took something off the bill after the customer had decided
    EARLIER_BILL = "earlier_bill"  #: a payment of the bill that its own one replaces was executed, or may be
    #: a payment of a bill that may be the same was executed, or may be, and its customer did not know
    SAME_BILL = "same_bill"
    PAYEE_NOT_CHECKED = "payee_not_checked"  #: nobody delivered the bill, and what its customer must check is not there
    #: nothing is paid to its payee's account since somebody froze or closed that
    ACCOUNT_HELD = "account_held"
    LIMIT_REACHED = "limit_reached"  #: of a standing consent, in a period that began after the customer had decided
    DAY_OVER = "day_over"  #: the day that the customer signed was over before anything was sent
    CONSENT_ENDED = "consent_ended"  #: the standing consent may not be used any more, or is not taken by the bank
    BANK_COUNTS_OTHERWISE = "bank_counts_otherwise"  #: the bank called it more than the consent allows; we did not
    STOPPED_ALL = "stopped_all"  #: its customer stopped everything after they had decided
    PAID_OTHERWISE = "paid_otherwise"  #: another payment of the same bill was executed


#: ISO 20022 ExternalStatusReason1Code: AM04 InsufficientFunds. AM14 is another matter: over an agreed limit
#: and the Berlin Group's own word for it
_NO_FUNDS = frozenset({"AM04", "FUNDS_NOT_AVAILABLE"})


def reason_of(status: BankStatus, *, outcome: str | None, accepted: bool) -> Reason:
    """The reason of a bank's no. ``outcome`` is what the redirect said: a hint that only chooses the words."""
    if status.reason_code in _NO_FUNDS:
        return Reason.NO_FUNDS
    if outcome == "access_denied":
        return Reason.REFUSED_AT_BANK
    return Reason.REJECTED_BY_BANK if accepted or outcome == "code" else Reason.NOT_APPROVED
