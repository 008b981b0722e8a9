"""The sentences of a standing consent, in either language: what is shown, and what is signed by its hash."""

from __future__ import annotations

import datetime as dt

from flask_babel import force_locale, gettext

from app.journey.consents.agreeing import Terms
from app.web.customers.filters import FORMATS, long_day, money, sort_code
from app.web.customers.filters import iban as in_groups
from connectors.capabilities import Period
from connectors.money import Money
from consent.rules import Limit, span_of


def words(terms: Terms, language: str) -> list[str]:
    """All of it, one sentence after the other, in this language whatever the page's is."""
    with force_locale(FORMATS[language]):
        return _sentences(terms)


def period_words(period: Period, most: Money) -> str:
    """One limit, in the language of now."""
    amount = money(most)
    said: dict[Period, str] = {
        Period.DAY: gettext("At most %(amount)s on any one day.", amount=amount),
        Period.WEEK: gettext("At most %(amount)s in each week, from Monday to Sunday.", amount=amount),
        Period.FORTNIGHT: gettext(
            "At most %(amount)s in each period of two weeks, counted from the first day.", amount=amount
        ),
        Period.MONTH: gettext("At most %(amount)s in each calendar month.", amount=amount),
        Period.HALF_YEAR: gettext("At most %(amount)s in each half of a calendar year.", amount=amount),
        Period.YEAR: gettext("At most %(amount)s in each calendar year.", amount=amount),
    }
    return said[period]


def _sentences(terms: Terms) -> list[str]:
    frame = terms.frame
    whom = {"payee": frame.payee_name, "account": _account(frame.payee_iban), "company": terms.biller_name}
    said = [
        gettext("You allow payments at %(bank)s.", bank=terms.bank_name),
        gettext("To %(payee)s alone, %(account)s, for the bills of %(company)s.", **whom),
        gettext("At most %(amount)s for one payment.", amount=money(Money(frame.each_minor, frame.currency))),
    ]
    for number, limit in enumerate(frame.limits):
        said.append(period_words(limit.period, Money(limit.minor, frame.currency)))
        said += _first_period(limit, number, frame.begins_on, frame.currency)
    said.append(gettext("From %(day)s.", day=long_day(frame.begins_on)))
    if frame.ends_on is None:
        said.append(gettext("Until you stop it."))
    else:
        said.append(gettext("Until %(day)s, that day included.", day=long_day(frame.ends_on)))
    return [
        *said,
        gettext("You start every payment yourself, with your passkey. Nobody can take money by it."),
        gettext("You can sign a payment for a later day: it is then sent on that day while you are not here."),
        gettext("Payee, limits and days cannot be changed later: for others you set up another one."),
        gettext("You can stop it at any time, here or at your bank. What was sent before may still be paid."),
    ]


def _account(iban: str) -> str:
    """As the bank shows it, too: people in Britain know theirs by sort code and number."""
    parts, groups = sort_code(iban), in_groups(iban)
    if parts is None:
        return str(gettext("account %(iban)s", iban=groups))
    said = {"iban": groups, "sort_code": parts[0], "number": parts[1]}
    return str(gettext("account %(iban)s (sort code %(sort_code)s, account %(number)s)", **said))


def _first_period(limit: Limit, number: int, begins_on: dt.date, currency: str) -> list[str]:
    """That its first period is shorter, where it is."""
    span = span_of(limit, number, begins_on=begins_on, day=begins_on)
    if span.limit_minor == limit.minor:
        return []
    told = {
        "first": long_day(span.first),
        "last": long_day(span.last),
        "amount": money(Money(span.limit_minor, currency)),
    }
    said: dict[Period, str] = {
        Period.WEEK: gettext("The first week is shorter: from %(first)s to %(last)s at most %(amount)s.", **told),
        Period.MONTH: gettext("The first month is shorter: from %(first)s to %(last)s at most %(amount)s.", **told),
        Period.HALF_YEAR: gettext(
            "The first half-year is shorter: from %(first)s to %(last)s at most %(amount)s.", **told
        ),
        Period.YEAR: gettext("The first year is shorter: from %(first)s to %(last)s at most %(amount)s.", **told),
    }
    return [said[limit.period]]
