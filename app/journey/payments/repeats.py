"""What the sendings of one submission prove: whether the bank may have done it, and whether a no of it is the end.

Of a single payment its consent says the rest (own_consent.py). Under a standing one nothing does but the same bytes.
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy.orm import Session

from app.db.unit_of_work import UnitOfWork
from app.journey.decisions.models import Decision
from app.journey.payments import calls, rules
from app.journey.payments.access import why_unwanted
from app.journey.payments.models import BankCall, Payment
from app.journey.payments.own_consent import standing_of
from app.people.customers import today_of
from app.people.models import Customer
from connectors.errors import AccessLost, BankError, BankRefused, BankUnavailable
from connectors.profile import BankProfile

#: outcomes of a sending after which the bank certainly did not do it, as far as this one goes
_NOT_SENT, _REFUSED, _NO_ACCESS = BankUnavailable.__name__, "refused", AccessLost.__name__


def is_no(error: BankError) -> bool:
    """Whether it is the bank's word that this sending did nothing. "There is one already" is no such word."""
    return isinstance(error, BankRefused) and error.is_no


def outcome_of(error: BankError) -> str:
    """How it is written down."""
    if isinstance(error, AccessLost):
        return _NO_ACCESS
    return _REFUSED if is_no(error) else type(error).__name__


def may_have_been_done(session: Session, call_id: str) -> bool:
    """Whether the bank may have done one of its sendings."""
    return any(outcome not in (_NOT_SENT, _REFUSED, _NO_ACCESS) for outcome in calls.outcomes(session, call_id))


def never_reached(session: Session, call_id: str) -> bool:
    """Whether it certainly never got to the bank."""
    return all(outcome == _NOT_SENT for outcome in calls.outcomes(session, call_id))


def never_let_in(session: Session, call_id: str) -> bool:
    """Whether each of its sendings ended before it got to the bank, or with a token that the bank did not take. A
    refusal is no such end: alone it may be the no of a gateway (``is_refused_again``)."""
    return all(outcome in (_NOT_SENT, _NO_ACCESS) for outcome in calls.outcomes(session, call_id))


def times_without_access(session: Session, call_id: str) -> int:
    """How many of its sendings came with a token that the bank did not take."""
    return calls.outcomes(session, call_id).count(_NO_ACCESS)


def is_refused(session: Session, call_id: str) -> bool:
    """Whether the last sending was refused, and none may have been done."""
    outcomes = calls.outcomes(session, call_id)
    return outcomes[-1:] == [_REFUSED] and not may_have_been_done(session, call_id)


def is_refused_again(session: Session, call_id: str) -> bool:
    """Whether the same bytes were refused twice. Once may be the no of a gateway that had passed them on; had it, the
    bank would have answered with the payment the second time."""
    return is_refused(session, call_id) and calls.outcomes(session, call_id).count(_REFUSED) > 1


def would_be_another_payment(session: Session, payment: Payment, profile: BankProfile, call_id: str) -> bool:
    """Whether the same bytes could be executed once more: the bank forgets the key of what reached it, and no payment
    uses up the consent. A no to a token is enough to end a payment, and not to send it again by ourselves."""
    if profile.keeps_keys or standing_of(session, payment) is None:
        return False
    return not never_reached(session, call_id)


def is_day_to_come(uow: UnitOfWork, payment: Payment) -> bool:
    """Whether what needs no approval of its own was decided for a day, or an hour of it, that has not come."""
    if payment.trip_id is not None:
        return False
    decision = uow.session.get_one(Decision, payment.decision_id)
    if today_of(uow.session.get_one(Customer, payment.customer_id), uow.now) < decision.pay_on:
        return True
    return payment.send_from is not None and uow.now < payment.send_from


def is_day_over(uow: UnitOfWork, payment: Payment) -> bool:
    """Whether the day that its customer signed is over for them."""
    decision = uow.session.get_one(Decision, payment.decision_id)
    return today_of(uow.session.get_one(Customer, payment.customer_id), uow.now) > decision.pay_on


def is_too_old(uow: UnitOfWork, payment: Payment, *, since: dt.datetime) -> bool:
    """Whether it is too long after ``since``, when it was approved or sent first, to send it: its customer went away.
    What was decided for a day of its own may go on all of that day, however long its bank is out of reach."""
    return payment.send_from is None and uow.now > since + rules.SEND_LIFE


def is_left(uow: UnitOfWork, payment: Payment, profile: BankProfile, call: BankCall) -> bool:
    """Whether it is under a standing consent and, as things are, not sent again: then nobody can be asked about it. On
    another day only what may have arrived goes again, and nothing once the bank may have forgotten its key."""
    sent = calls.first_and_last(uow.session, call)
    if standing_of(uow.session, payment) is None or sent is None:
        return False
    is_late = is_too_old(uow, payment, since=sent[0]) or is_day_over(uow, payment)
    return (
        uow.now > sent[0] + rules.KEY_LIFE
        or (is_late and not may_have_been_done(uow.session, call.id))
        or would_be_another_payment(uow.session, payment, profile, call.id)
        or why_unwanted(uow.session, payment) is not None
    )
