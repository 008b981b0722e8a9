"""What each status says about the money. Version 4.0 has ISO 20022's words, 3.1.11 its own; they do not overlap.

Resources and Data Models, PISP: "Payment Order Status". RJCT may still follow ACSP, ACWP and ACSC there.
"""

from __future__ import annotations

from connectors.contract import ConsentStatus, Fact

#: Status of a consent, 3.1.x → 4.0 ("Payment Order Consent Status"); 4.0's words are the same before and after
CONSENT_WORDS = {
    "AwaitingAuthorisation": "AWAU",
    "Authorised": "AUTH",
    "Rejected": "RJCT",
    "Consumed": "COND",
    "Revoked": "CANC",
    "Expired": "EXPD",
}

CONSENTS = {
    "AWAU": ConsentStatus.WAITING,
    "AUTH": ConsentStatus.AUTHORISED,
    "COND": ConsentStatus.CONSUMED,
    "RJCT": ConsentStatus.REJECTED,
    "CANC": ConsentStatus.CANCELLED,  # of recurring payments, as the next
    "EXPD": ConsentStatus.EXPIRED,
}

#: Status of a payment, and in payment-details
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
    # 3.1.11 in payment-details alone
    "Received": Fact.ACCEPTED,
    "Accepted": Fact.ACCEPTED,
    "AcceptedTechnicalValidation": Fact.ACCEPTED,
    "AcceptedCustomerProfile": Fact.ACCEPTED,
    "AcceptedFundsChecked": Fact.ACCEPTED,
    "AcceptedWithChange": Fact.ACCEPTED,
    "PartiallyAcceptedTechnicalCorrect": Fact.WAITING,
    "PaymentCancelled": Fact.CANCELLED,
    # BLCK (debited, held back from the payee) and InitiationCompleted (stored, not executed) are absent on purpose: the
    # money neither arrived nor came back, so neither "paid" nor "not paid" would be true. So are the words of 3.1.11 on
    # requests to cancel (AcceptedCancellationRequest, …): they tell of the request, not of the payment
}


def fact_of_payment(status: str) -> Fact:
    """The fact behind a word; any word that is not in the table is UNKNOWN."""
    return PAYMENT_FACTS.get(status, Fact.UNKNOWN)
