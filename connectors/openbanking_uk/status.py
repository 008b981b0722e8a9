"""What each status says about the money. Version 4.0 has ISO 20022's words, 3.1.11 its own; they do not overlap.

Resources and Data Models, PISP: "Payment Order Status". RJCT may still follow ACSP, ACWP and ACSC there.
"""

from __future__ import annotations

from connectors.contract import Fact

#: Status of a domestic payment
PAYMENT_FACTS = {
    "RCVD": Fact.ACCEPTED,  # what is submitted here was authorised before: nobody is waited for
    "PDNG": Fact.ACCEPTED,
    "ACTC": Fact.ACCEPTED,
    "PATC": Fact.WAITING,  # some of several people have authorised it
    "ACCP": Fact.ACCEPTED,
    "ACFC": Fact.ACCEPTED,
    "ACSP": Fact.ACCEPTED,
    "ACWC": Fact.ACCEPTED,
    "ACWP": Fact.ACCEPTED,  # accepted, not posted to the payee
    "ACSC": Fact.DEBITED,
    "ACCC": Fact.CREDITED,
    "RJCT": Fact.REJECTED,
    "CANC": Fact.CANCELLED,  # of scheduled payments
    "Pending": Fact.ACCEPTED,
    "AcceptedSettlementInProcess": Fact.ACCEPTED,
    "AcceptedWithoutPosting": Fact.ACCEPTED,
    "AcceptedSettlementCompleted": Fact.DEBITED,
    "AcceptedCreditSettlementCompleted": Fact.CREDITED,
    "Rejected": Fact.REJECTED,
    "Cancelled": Fact.CANCELLED,
    "InitiationPending": Fact.ACCEPTED,  # of scheduled payments
    "InitiationFailed": Fact.REJECTED,
    # BLCK (debited, held back from the payee) and InitiationCompleted (stored, not executed) are absent on purpose: the
    # money neither arrived nor came back, so neither "paid" nor "not paid" would be true
}


def fact_of_payment(status: str) -> Fact:
    """The fact behind a word; any word that is not in the table is UNKNOWN."""
    return PAYMENT_FACTS.get(status, Fact.UNKNOWN)
