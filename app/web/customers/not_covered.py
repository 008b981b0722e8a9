"""Why a standing consent does not allow a payment, in a sentence. Texts are lazy: each page has its own language."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import LazyString, lazy_gettext

from app.web.customers.filters import currency_name, long_day, money
from connectors.capabilities import Period
from connectors.money import Money
from consent.rules import Reason, Why

#: they stand within a sentence
LIMITS: Mapping[Period, LazyString] = {
    Period.DAY: lazy_gettext("the limit for a day"),
    Period.WEEK: lazy_gettext("the limit for a week"),
    Period.FORTNIGHT: lazy_gettext("the limit for two weeks"),
    Period.MONTH: lazy_gettext("the limit for a month"),
    Period.HALF_YEAR: lazy_gettext("the limit for half a year"),
    Period.YEAR: lazy_gettext("the limit for a year"),
}
SENTENCES: Mapping[Why, LazyString] = {
    Why.STOPPED_ALL: lazy_gettext("You have stopped everything: nothing is paid until you lift the stop."),
    Why.CURRENCY_NOT_TAKEN: lazy_gettext("We cannot send this bank payments in this currency (%(name)s)."),
    Why.UNVERIFIED: lazy_gettext(
        "You added this bill yourself. Only bills of verified companies are paid in this way."
    ),
    Why.CURRENCY: lazy_gettext("What you allowed there is in another currency (%(name)s)."),
    Why.PAYEE_DIFFERS: lazy_gettext("What you allowed there is for another payee: %(name)s."),
    Why.PAYEE_NAME_DIFFERS: lazy_gettext("The account is in another name now. You allowed payments to %(name)s."),
    Why.ENDED: lazy_gettext("What you allowed there ended on %(day)s."),
    Why.STOPPING: lazy_gettext("You have taken this back. Your bank has not confirmed that yet."),
    Why.OVER_EACH: lazy_gettext("%(amount)s over the limit per payment."),
    Why.OVER_PERIOD_ALWAYS: lazy_gettext("More than %(limit)s ever allows: %(amount)s."),
    Why.OVER_LAST_PERIOD: lazy_gettext("%(amount)s left of %(limit)s, and it ends on %(day)s."),
    Why.ACCOUNT_UNKNOWN: lazy_gettext("Your bank no longer knows the account that it was to be paid from."),
    Why.ACCESS_LOST: lazy_gettext("This was stopped at your bank."),
    Why.WAITING: lazy_gettext("You have not approved this at your bank yet."),
    Why.BANK_COUNTS_OTHERWISE: lazy_gettext(
        "Your bank refused a payment that fits what you agreed with it: it counts otherwise. There %(limit)s resets"
        " on %(day)s."
    ),
    Why.NOT_YET: lazy_gettext("It begins on %(day)s."),
    Why.OVER_PERIOD: lazy_gettext("%(amount)s left of %(limit)s, which resets on %(day)s."),
}


def sentence(reason: Reason) -> str:
    """What a reason says, in the language of the page."""
    return str(SENTENCES[reason.why]) % {
        "amount": money(reason.amount) if reason.amount is not None else "",
        "day": long_day(reason.day) if reason.day is not None else "",
        "name": _name(reason),
        "limit": LIMITS[reason.period] if reason.period is not None else "",
    }


def _name(reason: Reason) -> str:
    name = reason.name or ""
    return currency_name(Money(0, name)) if reason.why in (Why.CURRENCY, Why.CURRENCY_NOT_TAKEN) else name
