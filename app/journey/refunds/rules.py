"""How much may be promised, when something is late, and what an account number is. Pure: values in, a verdict out."""

from __future__ import annotations

import datetime as dt
import enum

from stdnum import iban
from stdnum.exceptions import ValidationError

from app.journey.intake.formats.checks import iban_length
from app.journey.refunds.states import RefundState

DAY = dt.timedelta(days=1)
#: days of two places on earth are that far apart at the most, and for two hours of each day some are
APART = dt.timedelta(days=2)
WORDS_MAX = 500
REFERENCE_MAX = 140
#: of one bill: each of them is told to its customer
REFUNDS_MOST = 30
#: how far ahead a refund is promised, and how long ago it was sent
AHEAD_MOST, AGO_MOST = 366 * DAY, 366 * DAY
#: a transfer takes a bank day, and a long weekend has four days that are none
MISSING_AFTER = 5 * DAY
#: released for one refund
ACCOUNTS_MOST = 10
#: how long a number waits for its customer's passkey
TYPED_KEPT = dt.timedelta(minutes=30)
#: how long one stays once the refund was sent, or the day is over by which it was promised
ACCOUNT_KEPT = 30 * DAY
IBAN_TYPED_MOST = 60
#: a day that began then is over everywhere
EVERYWHERE = DAY


class Way(enum.StrEnum):
    """To where a company says that it has sent the money."""

    PAYER_ACCOUNT = "payer_account"  #: to the account that the bill was paid from
    RELEASED_ACCOUNT = "released_account"  #: to the account that its customer released
    OTHER = "other"


def left_to_promise(*, owed_minor: int, standing_minor: int) -> int:
    """What is owed of a bill and no refund that stands is for: never below zero."""
    return max(owed_minor - standing_minor, 0)


def promised_days(today: dt.date) -> tuple[dt.date, dt.date]:
    """The first and the last day by which a refund may be promised; where its company is it may be an earlier
    one still."""
    return today - APART, today + AHEAD_MOST


def sent_days(today: dt.date) -> tuple[dt.date, dt.date]:
    """The first and the last day on which it may be said to be sent; where it is said it may be a later one already."""
    return today - AGO_MOST, today + APART


def missing_from(sent_on: dt.date) -> dt.date:
    """The first day on which its customer may say that it has not arrived."""
    return sent_on + MISSING_AFTER


def may_be_missing(state: RefundState, *, sent_on: dt.date | None, today: dt.date) -> bool:
    return state is RefundState.SENT and sent_on is not None and today >= missing_from(sent_on)


def is_late(state: RefundState, *, promised_by: dt.date, today: dt.date) -> bool:
    """The day by which it was promised is over, and nobody said that it was sent."""
    return state is RefundState.PROMISED and promised_by < today


def first_day_not_over(now: dt.datetime) -> dt.date:
    """Every day before this one is over, wherever on earth its customer is."""
    return (now - EVERYWHERE).date()


def erased_at(now: dt.datetime, *, promised_by: dt.date) -> dt.datetime:
    """When an account that is released now is erased if nothing more is said."""
    last = dt.datetime.combine(promised_by, dt.time(), tzinfo=dt.UTC)
    return max(now, last) + ACCOUNT_KEPT


class IbanFault(enum.StrEnum):
    """Why what was typed is no account number."""

    NONE = "none"  #: nothing was typed
    COUNTRY = "country"  #: it does not begin with a country that has IBANs
    LENGTH = "length"
    DIGITS = "digits"  #: the check digits: something was mistyped


def checked_iban(typed: str) -> str | IbanFault:
    """As it is kept: without spaces, in capitals; or what is wrong with it."""
    bare = "".join(typed.split()).replace("-", "").upper().removeprefix("IBAN").removeprefix(":")
    if not bare:
        return IbanFault.NONE
    length = iban_length(bare[:2]) if bare.isascii() else None
    if length is None or not bare[2:4].isdigit():
        return IbanFault.COUNTRY
    if len(bare) != length:
        return IbanFault.LENGTH
    try:
        # without the national checks of stdnum: they know a fixed list of banks, and new ones must be let in
        return str(iban.validate(bare, check_country=False))
    except ValidationError:
        return IbanFault.DIGITS
