"""What each status says about the money; one table, so that no other place judges by a word."""

from __future__ import annotations

from connectors.contract import Fact

#: PaymentInformationStatusCode of 1.4. PART is absent on purpose: it speaks of several instructions and would tell us
#: nothing of a single one. CANC and ACCC are no words of this standard: so they are unknown.
FACTS = {
    "RCVD": Fact.WAITING,  # received
    "PDNG": Fact.ACCEPTED,  # further checks
    "ACTC": Fact.ACCEPTED,  # authentication and syntax are right
    "ACCP": Fact.ACCEPTED,  # customer profile checked
    "ACSP": Fact.ACCEPTED,  # settlement in process
    "ACWC": Fact.ACCEPTED,  # with a change, such as the date
    "ACWP": Fact.ACCEPTED,  # not yet posted to the payee
    "ACSC": Fact.DEBITED,
    "RJCT": Fact.REJECTED,
}
#: they say that it was checked, and not that it is being executed: with a confirmation to come nothing moves yet
_CHECKED = ("PDNG", "ACTC", "ACCP")
#: StatusReasonInformation: an authorised user has cancelled the order
CANCELLED = "DS02"
_NO = (Fact.REJECTED, Fact.CANCELLED)


def fact_of(word: str, *, reason: str | None = None, transaction: str | None = None, unconfirmed: bool = False) -> Fact:
    """The fact behind paymentInformationStatus. Any word that is not in the table is UNKNOWN.

    ``transaction``: transactionStatus of the one instruction. Where one says no and the other does not, or where below
    what is called settled stands a word that we do not know, nobody knows. ``unconfirmed``: the bank offers
    ``_links.confirmation``.
    """
    fact = _one(word, reason)
    if transaction is not None:
        of_transaction = _one(transaction, reason)
        if (fact in _NO) != (of_transaction in _NO) or (fact is Fact.DEBITED and of_transaction is Fact.UNKNOWN):
            return Fact.UNKNOWN
    if unconfirmed and word in _CHECKED:
        return Fact.WAITING
    return fact


def _one(word: str, reason: str | None) -> Fact:
    fact = FACTS.get(word, Fact.UNKNOWN)
    return Fact.CANCELLED if fact is Fact.REJECTED and reason == CANCELLED else fact
