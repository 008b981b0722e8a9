"""A standing consent as connectors speak of it."""

from __future__ import annotations

from connectors.capabilities import PeriodicLimit, RecurringConsent, RecurringKind
from connectors.money import Money
from consent.models import Standing
from consent.rules import Frame


def agreed(standing: Standing) -> RecurringConsent:
    """What its customer agreed to, in the words in which its bank is told of it."""
    return agreed_in(standing.frame, RecurringKind(standing.vrp_type), off_session=standing.off_session)


def agreed_in(frame: Frame, kind: RecurringKind, *, off_session: bool = True) -> RecurringConsent:
    """The same, of what is only about to be agreed on."""
    return RecurringConsent(
        creditor_name=frame.payee_name,
        creditor_iban=frame.payee_iban,
        maximum_individual=Money(frame.each_minor, frame.currency),
        periodic_limits=tuple(
            PeriodicLimit(period=limit.period, alignment=limit.alignment, amount=Money(limit.minor, frame.currency))
            for limit in frame.limits
        ),
        kind=kind,
        valid_from=frame.begins_on,
        valid_to=frame.ends_on,
        off_session=off_session,
    )
