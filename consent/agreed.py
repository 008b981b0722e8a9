"""A standing consent as connectors speak of it."""

from __future__ import annotations

from connectors.capabilities import PeriodicLimit, RecurringConsent, RecurringKind
from connectors.money import Money
from consent.models import Standing


def agreed(standing: Standing) -> RecurringConsent:
    """What its customer agreed to, in the words in which its bank is told of it."""
    frame = standing.frame
    return RecurringConsent(
        creditor_name=frame.payee_name,
        creditor_iban=frame.payee_iban,
        maximum_individual=Money(frame.each_minor, frame.currency),
        periodic_limits=tuple(
            PeriodicLimit(period=limit.period, alignment=limit.alignment, amount=Money(limit.minor, frame.currency))
            for limit in frame.limits
        ),
        kind=RecurringKind(standing.vrp_type),
        valid_from=frame.begins_on,
        valid_to=frame.ends_on,
    )
