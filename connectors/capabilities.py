"""What some standards can do beyond connectors/contract.py, each in a protocol of its own.

Having the methods is how a connector says that it can; ``isinstance`` asks, and no flag can say otherwise. A bank that
does not offer what its standard has answers 404: BankRefused.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from connectors.contract import (
    Authorised,
    BankRequest,
    BankStatus,
    Connector,
    ConsentStatus,
    PaymentOrder,
    PsuContext,
    ScaOAuth,
    Staged,
    Submitted,
)
from connectors.money import Money


@runtime_checkable
class SignsIn(Protocol):
    """A standard in which a bank may want its customer to sign in there before it takes any order (Berlin Group: OAuth2
    as a pre-step). Whether this bank does, its file says.

    A sign-in pays nothing and approves nothing: an order that is given with its token waits for its approval as any
    other.
    """

    def sign_in_url(self, *, redirect_uri: str, state: str, code_challenge: str, timeout_s: float) -> str:
        """The address at the bank that the customer's browser is sent to, at once. No order is named in it."""
        ...

    def signed_in(
        self, *, answer: Mapping[str, str], code_verifier: str, redirect_uri: str, timeout_s: float
    ) -> Authorised:
        """Check the ``answer`` of the redirect and exchange its code for the customer's token.

        MUST NOT be repeated after BankSilent: the customer signs in once more. BankRefused for an answer that is not to
        be believed, NotApproved for the customer's own no.
        """
        ...

    def as_customer(self, access_token: str) -> Connector:
        """The same bank, asked with the customer's token. Its ``initiate`` raises NotSignedIn when the bank does not
        take the token."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Funds:
    """Whether the amount was there when the bank looked. No promise: it may be gone a moment later."""

    available: bool | None  #: None: the bank does not say
    raw_response: bytes


@runtime_checkable
class ChecksFunds(Protocol):
    """Before a payment is submitted the bank can be asked whether the money is there."""

    def funds(self, consent_id: str, *, access_token: str, timeout_s: float) -> Funds:
        """Read only, with the customer's token, may be repeated. BankRefused unless the consent is AUTHORISED."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """One transaction at the bank or in the payment scheme, by which a payment is executed."""

    transaction_id: str
    status: BankStatus
    scheme: str | None  #: the scheme's name, in the bank's word


@runtime_checkable
class TellsDetails(Protocol):
    """The bank tells more of a payment than its status. For operators: ``status`` alone decides what is paid."""

    def details(self, payment_id: str, *, timeout_s: float) -> Sequence[Detail]:
        """Read only, as ourselves, may be repeated. Empty where there is nothing (yet)."""
        ...


class ScheduledPayments(Protocol):
    """Payments that the bank keeps from their approval until a day. Nobody but the customer, at the bank, can take one
    back: then its status is CANCELLED, and no call of ours makes it so."""

    def draft(self, order: PaymentOrder, *, execute_on: dt.date, request_id: str) -> BankRequest:
        """As Connector.draft. Raises ValueError also for a day that is not in the future."""
        ...

    def initiate(self, request: BankRequest, *, psu: PsuContext, timeout_s: float) -> Staged:
        """As Connector.initiate: moves no money. The approval goes on with ``authorise_url`` and ``complete``."""
        ...

    def draft_submission(
        self, order: PaymentOrder, *, execute_on: dt.date, consent_id: str, request_id: str
    ) -> BankRequest:
        """As Submits.draft_submission."""
        ...

    def submit(self, request: BankRequest, *, access_token: str, psu: PsuContext | None, timeout_s: float) -> Submitted:
        """As Submits.submit: from now on the bank WILL MOVE MONEY, on the day, whatever we do."""
        ...

    def consent_status(self, consent_id: str, *, timeout_s: float) -> ConsentStatus:
        """Read only, as ourselves, may be repeated."""
        ...

    def status(self, payment_id: str, *, access_token: str | None, timeout_s: float) -> BankStatus:
        """Read only, may be repeated. That the bank has stored it is never told as paid."""
        ...


@runtime_checkable
class Schedules(Protocol):
    """A standard in which the bank keeps a payment until its day."""

    @property
    def scheduled(self) -> ScheduledPayments:
        """The verbs for such payments."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """What became of the wish to take an approved order back. Neither of the two: the bank keeps it."""

    status: BankStatus | None = None  #: it is gone
    sca: ScaOAuth | None = None  #: the bank asks its customer first, in the same ways as for a payment

    @property
    def kept(self) -> bool:
        return self.status is None and self.sca is None


class FutureDatedPayments(Protocol):
    """Payments that the bank keeps from their approval until a day, and executes then without a call of ours.

    The approval goes the way of single payments: ``authorise_url`` and ``complete`` of the connector.
    """

    def draft(self, order: PaymentOrder, *, execute_on: dt.date, request_id: str, redirect_uri: str) -> BankRequest:
        """As Connector.draft. Raises ValueError also for a day that is not in the future."""
        ...

    def initiate(self, request: BankRequest, *, psu: PsuContext, timeout_s: float) -> Staged:
        """As Connector.initiate: moves no money, nor is anything kept before the customer has approved it."""
        ...

    def status(self, payment_id: str, *, access_token: str | None, timeout_s: float) -> BankStatus:
        """Read only, may be repeated. That the bank keeps it is never told as paid."""
        ...

    def cancel(self, payment_id: str, *, redirect_uri: str, psu: PsuContext, timeout_s: float) -> Cancellation:
        """Take it back, as long as the bank lets us: usually until the day before. After BankSilent ask for the status.
        Only the status CANCELLED says that it is gone."""
        ...

    def drop(self, payment_id: str, *, timeout_s: float) -> BankStatus | None:
        """The same where no customer is there: the bank's word that it is gone; None when it keeps it, or would have
        its customer say so. BankRefused for any other no, which says nothing of the payment."""
        ...


@runtime_checkable
class FutureDates(Protocol):
    """A standard in which an approval is all that a payment on a later day needs (Berlin Group)."""

    @property
    def future_dated(self) -> FutureDatedPayments:
        """The verbs for such payments."""
        ...


class Frequency(enum.StrEnum):
    """How often a standing order pays (ISO 20022 EventFrequency7Code)."""

    DAILY = "Daily"
    WEEKLY = "Weekly"
    EVERY_TWO_WEEKS = "EveryTwoWeeks"
    MONTHLY = "Monthly"
    EVERY_TWO_MONTHS = "EveryTwoMonths"
    QUARTERLY = "Quarterly"
    SEMI_ANNUAL = "SemiAnnual"
    ANNUAL = "Annual"


class ExecutionRule(enum.StrEnum):
    """On which day it pays instead, when its day is none on which the bank works."""

    FOLLOWING = "following"
    PRECEDING = "preceding"


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingOrder:
    """The same transfer again and again, by the bank itself. Never what a customer of ours is asked for: each bill is
    paid by a decision of its own."""

    order: PaymentOrder
    first: dt.date
    frequency: Frequency
    last: dt.date | None = None  #: None: until it is taken back
    day_of_month: int | None = None  #: 1 to 31, and 31 is the last day of each month; None: as the bank has it
    execution_rule: ExecutionRule | None = None

    def __post_init__(self) -> None:
        if self.day_of_month is not None and not 1 <= self.day_of_month <= 31:
            raise ValueError("a day of the month is 1 to 31")
        if self.last is not None and self.last < self.first:
            raise ValueError("a standing order cannot end before it begins")


class StandingOrders(Protocol):
    """Orders that the bank executes by itself from a day on."""

    def draft(self, asked: StandingOrder, *, request_id: str, redirect_uri: str) -> BankRequest:
        """As FutureDatedPayments.draft."""
        ...

    def initiate(self, request: BankRequest, *, psu: PsuContext, timeout_s: float) -> Staged:
        """As FutureDatedPayments.initiate."""
        ...

    def status(self, payment_id: str, *, access_token: str | None, timeout_s: float) -> BankStatus:
        """Of the order itself. Of its single payments it says nothing."""
        ...

    def cancel(self, payment_id: str, *, redirect_uri: str, psu: PsuContext, timeout_s: float) -> Cancellation:
        """As FutureDatedPayments.cancel: what it has paid stays paid."""
        ...


@runtime_checkable
class KeepsStandingOrders(Protocol):
    """A standard with standing orders."""

    @property
    def standing_orders(self) -> StandingOrders:
        """The verbs for them."""
        ...


class Period(enum.StrEnum):
    """How long a limit counts before it begins anew. The shortest comes first."""

    DAY = "day"
    WEEK = "week"
    FORTNIGHT = "fortnight"
    MONTH = "month"
    HALF_YEAR = "half_year"
    YEAR = "year"


class Alignment(enum.StrEnum):
    """From when its periods are counted."""

    CONSENT = "consent"  #: from the consent's first day
    CALENDAR = "calendar"  #: from the calendar's weeks, months, …; of the first one only a share of the limit counts


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodicLimit:
    """At most so much in each period, of all payments under one consent.

    Which day begins a month that is counted from the 29th to the 31st, no standard says, and banks differ: whoever
    offers months, half-years and years counted from the consent keeps to those that begin on one of the first 28 days.
    """

    period: Period
    alignment: Alignment
    amount: Money


class RecurringKind(enum.StrEnum):
    """What recurring payments are for, which decides whether a bank takes them."""

    SWEEPING = "sweeping"  #: to another account of the customer's own
    OTHER = "other"
    COMMERCIAL_1 = "commercial_1"  #: UK cVRP1 to 3: by contract between the bank and us
    COMMERCIAL_2 = "commercial_2"
    COMMERCIAL_3 = "commercial_3"


#: by which clock a bank counts the days of limits, where nobody has said it
UNSURE = "unsure"
COMMERCIAL = frozenset({RecurringKind.COMMERCIAL_1, RecurringKind.COMMERCIAL_2, RecurringKind.COMMERCIAL_3})


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurringConsent:
    """What the customer allows once: later payments to one payee, each started by the customer, within limits that the
    bank keeps. Payments name their own references, so there is none here."""

    creditor_name: str
    creditor_iban: str
    maximum_individual: Money
    periodic_limits: tuple[PeriodicLimit, ...]  #: at least one, and one for a period at the most
    kind: RecurringKind
    #: the first day, as the bank counts days, and not in its past. Never left to the bank: standards contradict
    #: themselves on whether it would be that of the making or that of the approval, and periods are counted from it
    valid_from: dt.date
    valid_to: dt.date | None = None  #: the last day; None: until taken back
    refund_account: bool = False  #: as PaymentOrder has it, for each payment
    off_session: bool = (
        False  #: payments may come, too, when the customer is not there: on a day that they signed before
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PayerAccount:
    """The account from which a customer pays. Personal data."""

    scheme: str  #: how ``identification`` is to be read, in the standard's word
    identification: str = field(repr=False)
    name: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldConsent:
    """What a bank says of a recurring consent. Of one that it does not know: NOT_FOUND, and nothing else.

    ``status`` is the bank's word and not the whole truth: by the standard it stays AUTHORISED when the customer takes
    the consent back at the bank, and 3.1 has no word for its end either.
    """

    status: ConsentStatus
    created_at: dt.datetime | None = None
    payer: PayerAccount | None = None  #: which the customer chose there; None until then, or where it is not told
    #: what the bank holds otherwise than it was asked, in the standard's words (PeriodicLimits, ValidToDateTime, …).
    #: With any, it is not what the customer agreed to: do not use it
    differences: tuple[str, ...] = ()
    raw_response: bytes = field(default=b"", repr=False)

    @property
    def is_access_lost(self) -> bool:
        """The customer took it back at the bank, and may approve it again there: what AccessLost says of a call."""
        return self.status is ConsentStatus.CANCELLED


class RecurringPayments(Protocol):
    """Consents under which the customer pays again and again, approving at the bank only once.

    What a bank says no to with the customer's token is told apart: AccessLost, BeyondLimits, and BankRefused for the
    rest.
    """

    @property
    def kinds(self) -> frozenset[RecurringKind]:
        """Those that this bank takes of us: what its file says."""
        ...

    def draft(self, consent: RecurringConsent, *, request_id: str) -> BankRequest:
        """As Connector.draft, for the consent. Raises ValueError also for a kind that the bank does not take."""
        ...

    def initiate(self, request: BankRequest, *, psu: PsuContext, timeout_s: float) -> Staged:
        """As Connector.initiate: moves no money. The approval goes on with ``authorise_url`` and ``complete``, whose
        token lives as long as the consent, or is renewed with the refresh token beside it.

        The same consent is approved again in the same way, where access to it was lost: by the ``sca`` that came with
        it, brought up to date (``approval_now``).
        """
        ...

    def approval_now(self, sca: ScaOAuth, *, timeout_s: float) -> ScaOAuth:
        """The same approval at the issuer and the addresses that the bank names now: a consent outlives them. What an
        approval is for does not change. Keep it before a customer leaves by it: their answer is held against its
        issuer, and their code goes to its token endpoint. Read only, may be repeated."""
        ...

    def consent_status(self, consent_id: str, *, timeout_s: float) -> ConsentStatus:
        """Read only, as ourselves, may be repeated. Never CONSUMED; NOT_FOUND once it is revoked."""
        ...

    def told(self, consent_id: str, *, asked: bytes, timeout_s: float) -> ToldConsent:
        """All that the bank says of a consent, held against ``asked``, the body that it was given (``draft``). Read
        only, as ourselves, may be repeated."""
        ...

    def renew(self, refresh_token: str, *, timeout_s: float) -> Authorised:
        """A new access token for the customer's consent. Keep what comes back, all of it: ``refresh_token`` in it is
        the one to use from now on, be it another or the same.

        Moves no money, and may be repeated after BankUnavailable, which silence is told as. AccessLost: the bank takes
        the refresh token no more, and only the customer can give another. BankRefused: the bank does not take *us* for
        now, which says nothing of the consent.
        """
        ...

    def draft_payment(
        self, order: PaymentOrder, *, consent: RecurringConsent, consent_id: str, request_id: str
    ) -> BankRequest:
        """The exact request that executes one payment. Raises ValueError for one that the consent does not cover as far
        as that is plain from itself: another payee, above the individual maximum. The periods only the bank counts."""
        ...

    def submit(self, request: BankRequest, *, access_token: str, psu: PsuContext | None, timeout_s: float) -> Submitted:
        """As Submits.submit: THIS MOVES MONEY. No consent is used up by it, so the idempotency key alone keeps it from
        happening twice: connectors/idempotency.py has the rules. BeyondLimits, AccessLost and BankRefused say that this
        very call did nothing."""
        ...

    def status(self, payment_id: str, *, access_token: str | None, timeout_s: float) -> BankStatus:
        """Read only, may be repeated."""
        ...

    def revoke(self, consent_id: str, *, timeout_s: float) -> None:
        """The customer takes the consent back with us: tell the bank. May be repeated; gone already is gone."""
        ...

    def funds(self, consent_id: str, amount: Money, *, access_token: str, psu: PsuContext, timeout_s: float) -> Funds:
        """As ChecksFunds.funds, for an amount."""
        ...


@runtime_checkable
class Recurs(Protocol):
    """A standard with consents for recurring payments. Whether a bank takes new ones of us is what its file says
    (``kinds``): those that are there outlive a change of it."""

    @property
    def recurring(self) -> RecurringPayments:
        """The verbs for them."""
        ...


class EventKind(enum.StrEnum):
    """Why a bank calls us."""

    RESOURCE_UPDATED = "resource_updated"
    CONSENT_REVOKED = "consent_revoked"  #: the customer took an authorisation back at the bank
    #: the account from which a recurring consent pays was closed, blocked or moved: ``told`` may say what is so now
    PAYER_ACCOUNT_CHANGED = "payer_account_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A bank's hint to ask for something. It names the resource and never a status: what became of it, ``status`` and
    ``consent_status`` tell."""

    event_id: str  #: one event has the same id each time that it comes; the caller leaves out what it has seen
    kind: EventKind
    resource_type: str  #: in the standard's word
    resource_id: str  #: of a payment or a consent, as we know it
    occurred_at: dt.datetime  #: by which events are put in order: they may come late and in any order


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Where a bank sends its events."""

    subscription_id: str
    callback_url: str | None


@runtime_checkable
class Notifies(Protocol):
    """A standard whose banks call us when something has changed. Nothing here moves money."""

    def verify_event(self, raw: bytes) -> Event:
        """The event that ``raw``, the whole body of a call to us, is signed to be. Raises EventNotBelieved, or
        BankUnavailable when the bank's keys cannot be had: then it will come again."""
        ...

    def subscribe(self, callback_url: str, *, timeout_s: float) -> Subscription:
        """Ask for events. A bank keeps one subscription: change an old one. After BankSilent look for it among
        ``subscriptions``. Raises ValueError for an address without TLS, unless it is this machine's."""
        ...

    def change_subscription(self, subscription_id: str, callback_url: str, *, timeout_s: float) -> Subscription:
        """Have the events sent there from now on. May be repeated. Raises ValueError as ``subscribe`` does."""
        ...

    def subscriptions(self, *, timeout_s: float) -> Sequence[Subscription]:
        """Read only, may be repeated."""
        ...

    def unsubscribe(self, subscription_id: str, *, timeout_s: float) -> None:
        """May be repeated; gone already is gone."""
        ...
