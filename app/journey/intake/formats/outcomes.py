"""What became of a bill, in the words of the networks that bills come from: each must hear the same truth.

Three outside words for one fact: the status of ISO 20022 pain.014 (SEPA Request-to-Pay), the code of the Peppol Invoice
Response, and the French life cycle (CDAR). A network has no word for everything; then nothing is said there.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


class Outcome(enum.StrEnum):
    """What happened to a bill, as far as a biller may know."""

    DELIVERED = "delivered"
    NOT_PAID_HERE = "not_paid_here"  #: its customer sees it, and could not pay it here
    OPENED = "opened"
    DISPUTED = "disputed"
    DECLINED = "declined"
    DUPLICATE = "duplicate"
    PAID_ELSEWHERE = "paid_elsewhere"  #: as its customer says; nobody else has said so
    SCHEDULED = "scheduled"
    ACCEPTED_IN_PART = "accepted_in_part"
    PAID_IN_PART = "paid_in_part"
    PAID = "paid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """None where the network has no word."""

    pain_014: str | None = None  #: TxSts
    pain_014_reason: str | None = None  #: StsRsnInf/Rsn/Cd, with RJCT
    peppol: str | None = None  #: UNCL 4343 subset of the Invoice Response (T111)
    peppol_reason: str | None = None  #: OPStatusReason
    peppol_action: str | None = None  #: OPStatusAction
    cdar: str | None = None  #: ProcessConditionCode


WORDS: Mapping[Outcome, Words] = MappingProxyType(
    {
        Outcome.DELIVERED: Words(pain_014="ACTC", peppol="AB", cdar="203"),
        Outcome.NOT_PAID_HERE: Words(pain_014="RJCT", pain_014_reason="MS03", peppol="AB", cdar="203"),
        Outcome.OPENED: Words(peppol="IP", cdar="204"),
        # a dispute leaves the request open: no answer of pain.014 says so
        Outcome.DISPUTED: Words(peppol="UQ", peppol_reason="OTH", peppol_action="OTH", cdar="207"),
        # its customer knows who asks, or it would not have arrived: not UCRD, "unknown creditor"
        Outcome.DECLINED: Words(pain_014="RJCT", pain_014_reason="MS02", peppol="RE", peppol_reason="OTH", cdar="210"),
        Outcome.DUPLICATE: Words(pain_014="RJCT", pain_014_reason="AM05", peppol="RE", peppol_reason="OTH", cdar="210"),
        # "already paid" is there for who asks alone (PAID, in a cancellation): a payer has "reason not specified". The
        # others' word for paid is the buyer's own, as this is
        Outcome.PAID_ELSEWHERE: Words(pain_014="RJCT", pain_014_reason="MS02", peppol="PD", cdar="211"),
        Outcome.SCHEDULED: Words(pain_014="ACCP", peppol="AP", cdar="205"),
        Outcome.ACCEPTED_IN_PART: Words(pain_014="ACWC", peppol="CA", cdar="206"),
        Outcome.PAID_IN_PART: Words(peppol="PD", peppol_reason="PPD", cdar="211"),
        Outcome.PAID: Words(peppol="PD", cdar="211"),
    }
)
