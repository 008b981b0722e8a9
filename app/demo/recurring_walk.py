"""`quittance demo --walk --recurring`: one standing consent and payments under it, from connector to bank and back.

It walks what connector and bank can do, over TLS, by the installation's own bank files and keys: our pages for such
consents come later, and nothing here is in our database. The customer approves once, at the bank's pages; what goes
beyond the limits is asked of the bank all the same, which must refuse it.
"""

from __future__ import annotations

import calendar
import dataclasses
import datetime as dt
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

from app.demo.bank_visit import BankVisit
from app.demo.browser import Browser, LostError
from app.demo.cast import TRAMS
from app.demo.errors import NotOffered
from app.demo.runfile import Running
from app.demo.steps import DisagreementError, Steps, same, shows
from app.demo.walked_bank import WalkedBank, in_words
from app.services import Services
from connectors.capabilities import (
    UNSURE,
    Alignment,
    Period,
    PeriodicLimit,
    RecurringConsent,
    RecurringKind,
    RecurringPayments,
    Recurs,
)
from connectors.contract import BankRequest, Connector, ConsentStatus, Fact, PaymentOrder, PsuContext, ScaOAuth
from connectors.errors import AccessLost, BankRefused, BankSilent, BankUnavailable, BeyondLimits
from connectors.money import Money
from connectors.registry import Registry
from connectors.security.pkce import challenge, new_verifier
from connectors.security.profiles import Answer

USUAL_RECURRING_BANK = "albion"

#: what the consent allows, in pence: each payment, and at least what is left of the month in which it begins
EACH, OPEN_LEAST = 4_00, 8_00
FIRST = 3_50

CALL_S = 12
PSU = PsuContext(ip_address="192.0.2.7", user_agent="Quittance walk")

Told = TypeVar("Told")


@dataclass
class RecurringWalk:
    """What one walk has found out so far. ``paid`` and ``refused`` are what the bank's books are held against."""

    running: Running
    data: Path
    at: WalkedBank
    visit: BankVisit
    services: Services
    connector: Connector
    recurring: RecurringPayments
    payee: str
    seen: list[str] = field(default_factory=list)
    consent: RecurringConsent | None = None
    consent_id: str = ""
    request: bytes = field(default=b"", repr=False)  #: what the bank was given
    sca: ScaOAuth | None = None
    state: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    verifier: str = field(default_factory=new_verifier, repr=False)
    address: str = field(default="", repr=False)  #: at the bank, where the customer approves
    way_back: str = field(default="", repr=False)
    access_token: str = field(default="", repr=False)
    left: int = 0  #: of the month, in pence
    paid: dict[str, PaymentOrder] = field(default_factory=dict)  #: by the bank's id
    refused: list[PaymentOrder] = field(default_factory=list)

    @classmethod
    def of(cls, services: Services, running: Running, data: Path, bank_id: str) -> RecurringWalk:
        """Raises NotOffered where the bank has no such payments, DemoError where it cannot be used."""
        at = WalkedBank.of(services, bank_id)
        connector = services.banks.connector(bank_id)
        if not isinstance(connector, Recurs) or not connector.recurring.kinds:
            name = services.banks.profile(bank_id).name
            raise NotOffered(f"{name} offers no recurring payments")
        return cls(
            running=running,
            data=data,
            at=at,
            visit=BankVisit(Browser(at.url, _session=at.session()), at.customer),
            services=services,
            connector=connector,
            recurring=connector.recurring,
            payee=f"{TRAMS.name} {secrets.token_hex(4)}",  # no other walk pays it: the books can be looked up by it
        )

    @property
    def browsers(self) -> tuple[Browser, ...]:
        return (self.visit.browser,)

    @property
    def today(self) -> dt.date:
        """As the bank counts days."""
        counted = self.services.banks.profile(self.at.id).limit_days
        return self.services.clock().astimezone(dt.UTC if counted == UNSURE else ZoneInfo(counted)).date()

    @property
    def redirect_uri(self) -> str:
        """The one that we have at this bank."""
        return f"{self.running.base_url}/banks/{self.at.id}/return"

    @property
    def agreed(self) -> RecurringConsent:
        if self.consent is None:
            raise DisagreementError("nothing was agreed yet")
        return self.consent

    @property
    def approval(self) -> ScaOAuth:
        if self.sca is None:
            raise DisagreementError("the bank names no way to approve")
        return self.sca

    @property
    def total(self) -> str:
        """Of all that was paid, in words."""
        return _money(self, sum(order.amount.minor for order in self.paid.values()))

    def asked(self, call: Callable[[], Told]) -> Told:
        """What may be asked twice, until the bank answers. Raises BankRefused."""

        def once() -> Told:
            try:
                return call()
            except (BankUnavailable, BankSilent) as error:
                raise LostError(str(error)) from error

        return self.visit.browser.patiently(once)


def banks_of(banks: Registry) -> list[str]:
    """The ids of those that take recurring payments of us; one that cannot be used is among them, to be seen."""
    return [bank.id for bank in banks.all_banks() if bank.recurring]


# --------------------------------------------------------------------------------------------------------- the steps


def agree(walk: RecurringWalk) -> str:
    """The bank holds a consent with the limits that the customer is to allow. No money moves by it."""
    while True:
        today = walk.today
        walk.consent, walk.left = limits(today, payee=walk.payee, iban=TRAMS.iban)
        request = walk.recurring.draft(walk.consent, request_id=str(uuid.uuid4()))
        staged, walk.request = _staged(walk, request), request.body
        if walk.today == today:  # at midnight it may be another day's, and so another month's share
            break
    walk.consent_id, walk.sca = staged
    same("consent", _consent_status(walk), ConsentStatus.WAITING)
    month = walk.agreed.periodic_limits[0].amount
    return f"{_money(walk, EACH)} each, {_money(walk, month.minor)} a month, {_money(walk, walk.left)} left of this one"


def limits(today: dt.date, *, payee: str, iban: str) -> tuple[RecurringConsent, int]:
    """What is agreed, and what of it counts in this month: of its first one, by the calendar, only a share by the days.

    Whatever the day, two payments fit into that and a third does not.
    """
    days = calendar.monthrange(today.year, today.month)[1]
    open_days = days - today.day + 1
    a_day = -(-OPEN_LEAST // open_days)
    monthly = PeriodicLimit(
        period=Period.MONTH, alignment=Alignment.CALENDAR, amount=Money(a_day * days, TRAMS.currency)
    )
    agreed = RecurringConsent(
        creditor_name=payee,
        creditor_iban=iban,
        maximum_individual=Money(EACH, TRAMS.currency),
        periodic_limits=(monthly,),
        kind=RecurringKind.OTHER,
        valid_from=today,
    )
    return agreed, a_day * open_days


def _staged(walk: RecurringWalk, request: BankRequest) -> tuple[str, ScaOAuth | None]:
    try:
        staged = walk.asked(lambda: walk.recurring.initiate(request, psu=PSU, timeout_s=CALL_S))
    except BankRefused as error:
        if error.http_status == 404:  # the standard's word for what a bank does not offer
            name = walk.services.banks.profile(walk.at.id).name
            raise NotOffered(f"{name} offers no recurring payments: it answers 404") from error
        raise
    return staged.consent_id, staged.sca


def leave(walk: RecurringWalk) -> str:
    """Where the customer approves, by the bank's own metadata."""
    walk.address = walk.asked(
        lambda: walk.connector.authorise_url(
            walk.approval,
            redirect_uri=walk.redirect_uri,
            state=walk.state,
            nonce=walk.nonce,
            code_challenge=challenge(walk.verifier),
            timeout_s=CALL_S,
        )
    )
    if not walk.address.startswith(f"{walk.at.url}/"):
        raise DisagreementError(f"{walk.address.partition('?')[0]} is not at the bank")
    return walk.at.url


def bank_page(walk: RecurringWalk) -> str:
    """The bank's own page shows the payee, and asks who is there."""
    shows(walk.visit.arrive(walk.address), walk.payee)
    return "the payee is ours"


def bank_sign_in(walk: RecurringWalk) -> str:
    """The customer reads what is to be allowed: every limit of it."""
    page = walk.visit.sign_in()
    month = walk.agreed.periodic_limits[0].amount
    for said in (
        walk.at.account_in_words(TRAMS.iban),
        f"{_money(walk, EACH)} at most with each payment",
        f"{in_words(month.currency, f'{month.decimal():,}')} at most in a month, by the calendar",
    ):
        shows(page, said)
    return "account and limits are ours"


def bank_approve(walk: RecurringWalk) -> str:
    """The customer approves, once for all that follows."""
    walk.way_back = walk.visit.approve()
    if not walk.way_back.startswith(walk.redirect_uri):
        raise DisagreementError(f"the bank leads back to {walk.way_back.partition('#')[0].partition('?')[0]}")
    return "approved"


def come_back(walk: RecurringWalk) -> str:
    """The answer is for this very request, and is believed for no other; its code is exchanged, once."""
    parts = urlsplit(walk.way_back)
    answer = dict(parse_qsl(parts.fragment or parts.query))
    is_signed = walk.services.banks.profile(walk.at.id).security.answer is not Answer.CODE
    if "response" not in answer:  # a JWT names both inside, where the connector looks
        same("state of the answer", answer.get("state"), walk.state)
        if walk.approval.iss_parameter_supported:
            same("issuer of the answer", answer.get("iss"), walk.approval.issuer)
    if is_signed:
        _must_refuse("another request's answer", lambda: _complete(walk, answer, state=secrets.token_urlsafe(24)))
    walk.access_token = _complete(walk, answer, state=walk.state)
    return "believed, and exchanged" if is_signed else "exchanged"


def _complete(walk: RecurringWalk, answer: dict[str, str], *, state: str) -> str:
    """Not asked twice: a code is good once."""
    given = walk.connector.complete(
        walk.approval,
        answer=answer,
        code_verifier=walk.verifier,
        redirect_uri=walk.redirect_uri,
        state=state,
        nonce=walk.nonce,
        timeout_s=CALL_S,
    )
    if given.access_token is None:
        raise DisagreementError("the bank gives no token for the customer's consent")
    return given.access_token


def authorised(walk: RecurringWalk) -> str:
    """The bank's own word, and what it holds: exactly what was agreed, and the account that the customer chose."""
    told = walk.asked(lambda: walk.recurring.told(walk.consent_id, asked=walk.request, timeout_s=CALL_S))
    same("consent", told.status, ConsentStatus.AUTHORISED)
    if told.differences:
        raise DisagreementError(f"the bank holds another consent than was agreed: {', '.join(told.differences)}")
    if told.payer is None:
        raise DisagreementError("the bank does not tell the account that the customer chose")
    return f"authorised, every limit as agreed, from an account that ends in {told.payer.identification[-4:]}"


def funds(walk: RecurringWalk) -> str:
    """Whether the money is there."""
    amount = walk.agreed.maximum_individual
    told = walk.asked(
        lambda: walk.recurring.funds(walk.consent_id, amount, access_token=walk.access_token, psu=PSU, timeout_s=CALL_S)
    )
    same("funds", told.available, True)
    return f"{_money(walk, amount.minor)} is there"


def pay(walk: RecurringWalk) -> str:
    """One payment, and the same bytes under the same key once more: that is the same payment."""
    order = _order(walk, FIRST)
    request = _draft(walk, order)
    first, again = _submit(walk, request), _submit(walk, request)
    same("payment of the same bytes", again, first)
    walk.paid[first] = order
    return f"{_money(walk, FIRST)}, sent twice, one payment"


def settled(walk: RecurringWalk) -> str:
    """The bank's word on all that was paid, until the money has left."""
    for payment_id in walk.paid:
        _wait_until_debited(walk, payment_id)
    return f"{len(walk.paid)} debited"


def over_each(walk: RecurringWalk) -> str:
    """A penny above the limit for each payment."""
    return _beyond(walk, EACH + 1)


def pay_again(walk: RecurringWalk) -> str:
    """Exactly the limit for each payment."""
    order = _order(walk, EACH)
    walk.paid[_submit(walk, _draft(walk, order))] = order
    return _money(walk, EACH)


def over_month(walk: RecurringWalk) -> str:
    """A penny above what is left of the month."""
    return _beyond(walk, walk.left - sum(order.amount.minor for order in walk.paid.values()) + 1)


def _beyond(walk: RecurringWalk, pence: int) -> str:
    order = _order(walk, pence)
    request = _draft(walk, order)
    refusal = _must_refuse(f"a payment of {_money(walk, pence)}", lambda: _submit(walk, request))
    if not isinstance(refusal, BeyondLimits):
        raise DisagreementError(f"the payment beyond the limits was refused for something else: {refusal}")
    walk.refused.append(order)
    return f"{_money(walk, pence)} refused: {refusal.code}"


def books(walk: RecurringWalk) -> str:
    """The bank's books: one debit of each payment, of exactly its amount and to exactly its payee, and nothing else."""
    for order in walk.paid.values():
        [entry] = _entries(walk, order, 1)
        booked = (entry["kind"], entry["amount"], entry["currency"], entry["creditorName"], walk.at.credited(entry))
        wanted = ("debit", str(order.amount), order.amount.currency, walk.payee, walk.at.account(order.creditor_iban))
        same("booking", booked, wanted)
    for order in walk.refused:
        _entries(walk, order, 0)
    return f"{walk.total} in {len(walk.paid)} debits, and nothing of {len(walk.refused)} refused"


def _entries(walk: RecurringWalk, order: PaymentOrder, count: int) -> list[dict[str, str]]:
    entries = walk.at.booked(walk.visit.browser, walk.data, order.end_to_end_id)
    same(f"bookings of {order.amount}", len(entries), count)
    return entries


def revoke(walk: RecurringWalk) -> str:
    """The customer takes the consent back with us. Twice is as good as once."""
    for _ in range(2):
        walk.asked(lambda: walk.recurring.revoke(walk.consent_id, timeout_s=CALL_S))
    same("consent", _consent_status(walk), ConsentStatus.NOT_FOUND)
    return "the bank knows it no longer"


def afterwards(walk: RecurringWalk) -> str:
    """Nothing can be paid under it any more."""
    order = _order(walk, 1)
    request = _draft(walk, order)
    refusal = _must_refuse("a payment under a revoked consent", lambda: _submit(walk, request))
    if not isinstance(refusal, AccessLost):
        raise DisagreementError(f"the payment under a revoked consent was refused for something else: {refusal}")
    walk.refused.append(order)
    return f"{_money(walk, 1)} refused: {refusal.code}"


# ------------------------------------------------------------------------------------------------------ what they share


def _order(walk: RecurringWalk, pence: int) -> PaymentOrder:
    return PaymentOrder(
        amount=Money(pence, TRAMS.currency),
        creditor_name=walk.payee,
        creditor_iban=TRAMS.iban,
        end_to_end_id=secrets.token_hex(16),
        remittance_unstructured="Tram journeys",
    )


def _draft(walk: RecurringWalk, order: PaymentOrder) -> BankRequest:
    """Our side writes nothing that the consent plainly does not cover: to have the bank's word it is told of more."""
    most = max(walk.agreed.maximum_individual, order.amount, key=lambda amount: amount.minor)
    agreed = dataclasses.replace(walk.agreed, maximum_individual=most)
    return walk.recurring.draft_payment(order, consent=agreed, consent_id=walk.consent_id, request_id=str(uuid.uuid4()))


def _submit(walk: RecurringWalk, request: BankRequest) -> str:
    """The bank's id of it. The same bytes under the same key may be sent again."""
    return walk.asked(
        lambda: walk.recurring.submit(request, access_token=walk.access_token, psu=PSU, timeout_s=CALL_S)
    ).bank_payment_id


def _wait_until_debited(walk: RecurringWalk, payment_id: str) -> None:
    while True:
        status = walk.asked(lambda: walk.recurring.status(payment_id, access_token=None, timeout_s=CALL_S))
        if status.fact in (Fact.DEBITED, Fact.CREDITED):
            return
        if status.fact not in (Fact.WAITING, Fact.ACCEPTED):
            raise DisagreementError(f"the bank says {status.transaction_status} of a payment within the limits")
        walk.visit.browser.pause(f"the payment is still {status.transaction_status}")


def _consent_status(walk: RecurringWalk) -> ConsentStatus:
    return walk.asked(lambda: walk.recurring.consent_status(walk.consent_id, timeout_s=CALL_S))


def _must_refuse(what: str, call: Callable[[], object]) -> BankRefused:
    try:
        call()
    except BankRefused as error:
        return error
    raise DisagreementError(f"{what} was not refused")


def _money(walk: RecurringWalk, pence: int) -> str:
    return in_words(walk.at.currency, str(Money(pence, walk.at.currency)))


#: each leaves room for the bank to be killed and replaced
RECURRING_STEPS: Steps[RecurringWalk] = {
    "consent": (agree, 40),
    "leave": (leave, 40),
    "bank-page": (bank_page, 20),
    "bank-sign-in": (bank_sign_in, 20),
    "bank-approve": (bank_approve, 20),
    "come-back": (come_back, 40),
    "authorised": (authorised, 20),
    "funds": (funds, 20),
    "pay": (pay, 40),
    "settled": (settled, 60),
    "over-each": (over_each, 40),
    "pay-again": (pay_again, 40),
    "over-month": (over_month, 40),
    "settled-again": (settled, 60),
    "books": (books, 20),
    "revoke": (revoke, 40),
    "afterwards": (afterwards, 40),
    "books-again": (books, 20),
}
