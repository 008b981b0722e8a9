"""Is the money there? Before a customer decides about a bill under a standing consent, its bank can be asked.

It is asked only because they press a button, about the very amount that they would sign. The answer is for them to read
and is kept nowhere; it reserves nothing, and decides, pays and hinders nothing. That the bank was asked stands in the
history of the consent, and so in the log. No transaction is open while the bank is called.
"""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass
from http import HTTPStatus

from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict
from app.journey.consents import budget
from app.journey.consents.access import locked
from app.journey.consents.follow import recurring_of
from app.journey.consents.renewing import fresh_token, other_token
from app.journey.consents.step import FUNDS_ASKED, look_soon, note
from app.journey.decisions.orders import Wanted
from app.journey.decisions.service import ToPay, order_to_sign
from app.journey.decisions.under_consent import consent_of
from app.journey.invoices.access import invoice_of_customer
from app.people import stops
from app.people.sessions import SignedIn
from app.services import WEB_DEADLINE_S, Services
from connectors.capabilities import Funds, Recurs
from connectors.contract import PsuContext
from connectors.errors import AccessLost, BankError, BankRefused, BankUnavailable
from connectors.http import Deadline
from connectors.money import Money
from connectors.profile import BankProfile
from connectors.registry import UnknownBank
from consent.states import ConsentSource, StandingState

#: of the time that a customer waits, to have a token renewed before the bank can be asked
_RENEWING_S = WEB_DEADLINE_S / 2


class FundsSaid(enum.StrEnum):
    """What came of the question."""

    THERE = "there"
    NOT_THERE = "not_there"
    UNSAID = "unsaid"  #: the bank was asked, and does not say
    NO_ACCESS = "no_access"  #: it does not take, now or any more, what its customer allowed there
    AWAY = "away"  #: it cannot be asked just now, or gives no answer


@dataclass(frozen=True, slots=True, kw_only=True)
class FundsAnswer:
    said: FundsSaid
    at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    bank: BankProfile
    consent_id: str
    bank_consent_id: str
    amount: Money
    psu: PsuContext


def can_be_asked(services: Services, bank_id: str) -> bool:
    """Whether the bank's standard has the question for a standing consent. A bank that does not offer it says so."""
    try:
        return isinstance(services.banks.connector(bank_id), Recurs)
    except UnknownBank:
        return False


def ask(
    services: Services, *, signed_in: SignedIn, invoice_id: str, consent_id: object, part: object, psu: PsuContext
) -> FundsAnswer:
    """Ask the consent's bank about what paying this bill, or ``part`` of it, would take today.

    Only what could be signed now is asked about: raises NotFound, Invalid, NotAllowed, Conflict (NotCovered among them)
    as ``service.start_paying`` does, and then nobody was asked.
    """
    signed_in.check_acts()
    deadline = Deadline(WEB_DEADLINE_S)
    with services.reading() as uow:
        question = _question(
            services, uow, signed_in=signed_in, invoice_id=invoice_id, consent_id=consent_id, part=part, psu=psu
        )
    said = FundsSaid.AWAY
    token = fresh_token(services, consent_id=question.consent_id, deadline_s=min(_RENEWING_S, deadline.left_s()))
    if token is not None and _may_ask(services, question, is_first=True):
        said = _asked(services, question, token=token, deadline=deadline)
        if said is FundsSaid.NO_ACCESS:
            said = _asked_again(services, question, refused=token, deadline=deadline)
    return FundsAnswer(said=said, at=services.clock())


def _question(
    services: Services,
    uow: UnitOfWork,
    *,
    signed_in: SignedIn,
    invoice_id: str,
    consent_id: object,
    part: object,
    psu: PsuContext,
) -> _Question:
    customer = signed_in.customer
    invoice_of_customer(uow.session, invoice_id=invoice_id, customer_id=customer.id)
    consent = consent_of(uow.session, consent_id=consent_id, customer_id=customer.id)
    bank = services.banks.banks_by_id().get(consent.bank_id)
    if bank is None or not can_be_asked(services, consent.bank_id):
        raise Conflict("bank-away", "The bank cannot be asked just now. Nothing was changed.")
    stops.must_not_stand(uow, customer.id)
    wanted = Wanted(consent_id=consent.id, part=part)
    order = order_to_sign(uow, customer=customer, bill=ToPay(invoice_id=invoice_id, bank=bank, wanted=wanted))
    return _Question(
        bank=bank,
        consent_id=consent.id,
        bank_consent_id=consent.at_bank,
        amount=Money(int(order["amount_minor"]), order["currency"]),
        psu=psu,
    )


def _may_ask(services: Services, question: _Question, *, is_first: bool) -> bool:
    """Take a call of the bank's budget, and write down that it is asked, before it is. Not where the consent was taken
    back since: from that moment on nothing uses its token."""
    bank = question.bank
    with services.unit_of_work() as uow:
        consent, standing = locked(uow.session, question.consent_id)
        if consent.state != StandingState.AUTHORISED:
            return False
        if budget.take(uow.session, bank_id=bank.id, most=bank.status_calls_per_minute, now=uow.now) is not None:
            return False
        if is_first:
            about = "whether the money for a bill is there"
            note(uow, standing, FUNDS_ASKED, source=ConsentSource.CUSTOMER, evidence=about)
        uow.commit()
    return True


def _asked_again(services: Services, question: _Question, *, refused: str, deadline: Deadline) -> FundsSaid:
    """With another token, once. What still is not taken ends nothing here, since it may be this question alone that the
    bank does not allow: its word on the consent itself is asked for."""
    token = other_token(
        services,
        consent_id=question.consent_id,
        refused=refused,
        deadline_s=min(_RENEWING_S, deadline.left_s()),
    )
    said = FundsSaid.NO_ACCESS
    if token is not None and _may_ask(services, question, is_first=False):
        said = _asked(services, question, token=token, deadline=deadline)
    if said is FundsSaid.NO_ACCESS:
        with services.unit_of_work() as uow:
            consent, standing = locked(uow.session, question.consent_id)
            if consent.state == StandingState.AUTHORISED:
                look_soon(uow, standing)
            uow.commit()
    return said


def _asked(services: Services, question: _Question, *, token: str, deadline: Deadline) -> FundsSaid:
    try:
        funds = recurring_of(services, question.bank.id).funds(
            question.bank_consent_id,
            question.amount,
            access_token=token,
            psu=question.psu,
            timeout_s=deadline.left_s(),
        )
    except BankError as error:
        if isinstance(error, BankUnavailable) and error.retry_after_s:
            _leave_alone(services, question, error.retry_after_s)
        return _said_by(error)
    return _said(funds)


def _said(funds: Funds) -> FundsSaid:
    if funds.available is None:
        return FundsSaid.UNSAID
    return FundsSaid.THERE if funds.available else FundsSaid.NOT_THERE


def _said_by(error: BankError) -> FundsSaid:
    """A 401 that is no AccessLost is for us to mend, and says nothing of the bank."""
    if isinstance(error, AccessLost):
        return FundsSaid.NO_ACCESS
    is_refused = isinstance(error, BankRefused) and error.http_status != HTTPStatus.UNAUTHORIZED
    return FundsSaid.UNSAID if is_refused else FundsSaid.AWAY


def _leave_alone(services: Services, question: _Question, seconds: int) -> None:
    with services.unit_of_work() as uow:
        until = uow.now + dt.timedelta(seconds=seconds)
        budget.put_off(uow.session, bank_id=question.bank.id, until=until, now=uow.now)
        uow.commit()
