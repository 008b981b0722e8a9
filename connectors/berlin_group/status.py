"""What each transactionStatus says about the money; one table, so that no other place judges by a word."""

from __future__ import annotations

from connectors.contract import Fact

#: the enum of 1.3.12, schema transactionStatus. PART is absent on purpose: it speaks of bulk payments only
#: and would tell us nothing of a single one. RJCT may still follow ACSC.
FACTS = {
    "RCVD": Fact.WAITING,  # received
    "PATC": Fact.WAITING,  # some of several people have approved
    "PDNG": Fact.ACCEPTED,  # further checks
    "ACTC": Fact.ACCEPTED,  # authentication and syntax are right
    "ACCP": Fact.ACCEPTED,  # customer profile checked
    "ACFC": Fact.ACCEPTED,  # funds checked
    "ACSP": Fact.ACCEPTED,  # settlement in process
    "ACWC": Fact.ACCEPTED,  # with a change, such as the date
    "ACWP": Fact.ACCEPTED,  # not yet posted to the payee
    "ACSC": Fact.DEBITED,
    "ACCC": Fact.CREDITED,
    "RJCT": Fact.REJECTED,
    "CANC": Fact.CANCELLED,
}


def fact_of(transaction_status: str, *, acsc_is_accepted: bool = False) -> Fact:
    """The fact behind a word; any word that is not in the table, written otherwise or new, is UNKNOWN.

    ``acsc_is_accepted``: at this bank money has moved only with ACCC.
    """
    if acsc_is_accepted and transaction_status == "ACSC":
        return Fact.ACCEPTED
    return FACTS.get(transaction_status, Fact.UNKNOWN)
