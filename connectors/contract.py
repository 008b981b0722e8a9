"""The contract between Quittance and any bank standard: the words and verbs a connector has.

A connector is stateless, knows HTTP and one standard, and knows neither our database nor Flask.
Every call that can lead to money is split in two: ``draft`` gives the exact bytes (no input or output, so that they
can be stored first), ``initiate`` sends those very bytes.

What not every standard has is in protocols of its own: ``Submits`` here, the others in connectors/capabilities.py.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from connectors.money import Money


class Fact(enum.StrEnum):
    """What a bank's transactionStatus says about the money (ISO 20022 ExternalPaymentTransactionStatus1Code)."""

    WAITING = "waiting"  #: RCVD, PATC: the bank holds the order, the customer has not (wholly) approved it
    ACCEPTED = "accepted"  #: ACTC, ACCP, ACFC, ACSP, ACWC, ACWP, PDNG: approved, not settled
    DEBITED = "debited"  #: ACSC: the customer's account was debited
    CREDITED = "credited"  #: ACCC: the payee's account was credited
    REJECTED = "rejected"  #: RJCT
    CANCELLED = "cancelled"  #: CANC
    NOT_FOUND = "not_found"  #: the bank knows no such order, now: a word that means nothing before the fence (K4)
    UNKNOWN = "unknown"  #: any word that we do not know: never read as paid, never as failed


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentOrder:
    """One credit transfer as the customer confirmed it. Nothing in it may change after the confirm page."""

    amount: Money
    creditor_name: str  #: 1 to 70 characters
    creditor_iban: str  #: electronic form, upper case, no spaces
    end_to_end_id: str  #: EndToEndIdentification, at most 35 characters, unique for ever
    remittance_unstructured: str | None = None  #: at most 140 characters
    remittance_structured: str | None = None  #: a creditor reference (ISO 11649 or national), at most 35 characters
    off_session: bool = False  #: its customer is not there as it is sent: they signed it before, for this day
    refund_account: bool = False  #: ask where a refund would go, where the bank tells it; comes back with Submitted


@dataclass(frozen=True, slots=True, kw_only=True)
class BankRequest:
    """A request whose bytes are settled before the first one is sent, and sent again only identically."""

    method: str
    path: str  #: below the bank's base URL
    headers: Mapping[str, str]  #: without credentials; these are added when sending
    body: bytes
    request_id: str  #: X-Request-ID (a UUID): made once, the same for every resend


@dataclass(frozen=True, slots=True, kw_only=True)
class PsuContext:
    """What banks ask to know about the customer's browser (PSU-IP-Address and friends). Kept no longer than needed."""

    ip_address: str
    user_agent: str = ""


class Approach(enum.StrEnum):
    """How the customer approves at the bank (Berlin Group: SCA approach). Never by giving us anything of the bank's."""

    OAUTH = "oauth"  #: at an authorization server, and we exchange a code
    REDIRECT = "redirect"  #: on a page of the bank's, which sends the browser back
    #: in an app of the bank's, which it opens by itself: the browser stays here. Nothing is started before ``complete``
    DECOUPLED = "decoupled"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaOAuth:
    """Where the customer approves, taken from the bank's RFC 8414 metadata (Berlin Group link ``scaOAuth``).

    Of the other approaches: ``authorization_endpoint`` is the page of the bank, empty where there is none, and
    ``token_endpoint`` what ``complete`` calls, if anything.
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    scope: str
    #: RFC 9207: the answer in the browser must name the issuer in ``iss``; refuse one that does not
    iss_parameter_supported: bool = False
    intent_id: str | None = None  #: what the approval must be for, where the bank signs that (openbanking_intent_id)
    approach: str = Approach.OAUTH
    confirmation: str | None = None  #: what waits for our word once the customer has approved (Berlin Group)


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """The bank holds the order and nobody has approved it yet."""

    consent_id: str  #: the bank's id of what the customer is to approve (ConsentId; Berlin Group: paymentId)
    transaction_status: str
    sca: ScaOAuth | None  #: None: the bank names no way to approve, so from now on only ``status`` tells
    raw_response: bytes
    #: of a recurring consent: what the bank holds otherwise than it was asked (ToldConsent). With any it is not to be
    #: approved; the bank has it all the same, so it is to be taken back
    differences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorised:
    """Tokens of one approval. Secrets: they go to the vault and nowhere else."""

    access_token: str | None  #: None: the standard has none of the customer's (STET)
    expires_in_s: int | None  #: None: the bank does not say
    refresh_token: str | None = None  #: what a shorter-lived access token is renewed with, where the bank gives one

    def __repr__(self) -> str:
        return "Authorised(access_token=<secret>)"


@dataclass(frozen=True, slots=True, kw_only=True)
class BankStatus:
    """The bank's word on one payment, with the bytes that said it."""

    transaction_status: str
    fact: Fact
    reason_code: str | None  #: ISO reason or tppMessages code, when given
    reason_text: str | None  #: the bank's words, shown only to operators
    raw_response: bytes


@runtime_checkable
class Connector(Protocol):
    """One bank, spoken to in its standard. All times in seconds; every call may raise a BankError."""

    def draft(self, order: PaymentOrder, *, request_id: str, redirect_uri: str) -> BankRequest:
        """The exact initiation request. Sends nothing. Raises ValueError when the standard cannot carry the order."""
        ...

    def initiate(self, request: BankRequest, *, psu: PsuContext, timeout_s: float) -> Staged:
        """Give the order to the bank, for the customer to approve there. MUST NOT move money.

        Where SCA itself executes (Berlin Group, STET) a lost answer may be sent again with identical bytes as long as
        the approval link was given to nobody.
        """
        ...

    def authorise_url(
        self, staged: ScaOAuth, *, redirect_uri: str, state: str, nonce: str, code_challenge: str, timeout_s: float
    ) -> str:
        """The address at the bank that the customer's browser is sent to, at once: some are good for a minute only.

        It may ask the bank for it (RFC 9126). From then on only ``status`` counts.
        """
        ...

    def complete(
        self,
        sca: ScaOAuth,
        *,
        answer: Mapping[str, str],
        code_verifier: str,
        redirect_uri: str,
        state: str,
        nonce: str,
        timeout_s: float,
    ) -> Authorised:
        """Check the ``answer`` of the redirect (its parameters) and exchange its code; or confirm what was approved,
        where a bank waits for that (STET); or have the bank ask its customer (decoupled). At some banks this is what
        executes.

        MUST NOT be repeated after BankSilent: ask ``status``. BankRefused for an answer that is not to be believed.
        """
        ...

    def status(self, bank_payment_id: str, *, access_token: str | None, timeout_s: float) -> BankStatus:
        """Read only, may be repeated. Without ``access_token`` it asks as ourselves, where the bank allows it.
        NotSignedIn: only the customer's token is told of it, and there is none, or the bank does not take it any more.

        Where an approval alone executes, the payment's id is that of the consent.
        """
        ...


@runtime_checkable
class Cancels(Protocol):
    """A standard in which an order can be taken back as long as nobody has approved it."""

    def cancel(self, consent_id: str, *, timeout_s: float) -> BankStatus | None:
        """The bank's word that it is gone, or None when it keeps it."""
        ...


class ConsentStatus(enum.StrEnum):
    """What a bank says of a consent whose payments are submitted apart from its approval."""

    WAITING = "waiting"  #: nobody has approved it
    AUTHORISED = "authorised"  #: approved; of a single payment also: none was submitted under it
    CONSUMED = "consumed"  #: a payment was submitted; what became of it only the payment's status tells
    REJECTED = "rejected"
    CANCELLED = "cancelled"  #: taken back at the bank; of a recurring one: authorised again if approved anew
    EXPIRED = "expired"  #: its last day has passed
    NOT_FOUND = "not_found"  #: the bank knows none of this id, or no longer
    UNKNOWN = "unknown"  #: any word that we do not know: nothing may be submitted under it


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundAccount:
    """Where the payer wants a refund. Personal data: for the payee of this payment and for nobody else."""

    scheme: str  #: how ``identification`` is to be read, in the standard's word
    identification: str = field(repr=False)
    name: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """The bank has the order to execute."""

    bank_payment_id: str
    status: BankStatus
    refund_account: RefundAccount | None = None  #: where it was asked for and the bank tells it


@runtime_checkable
class Submits(Protocol):
    """A standard in which an approval alone moves nothing: the payment is submitted with the customer's token."""

    def draft_submission(self, order: PaymentOrder, *, consent_id: str, request_id: str) -> BankRequest:
        """The exact request that executes. Sends nothing; ``request_id`` becomes the idempotency key."""
        ...

    def submit(self, request: BankRequest, *, access_token: str, psu: PsuContext | None, timeout_s: float) -> Submitted:
        """Execute: THIS MOVES MONEY. ``psu`` is None where no customer is there. After BankSilent the identical request
        may be sent again as long as connectors/idempotency.py says; never another one for the same consent. A word of
        rejection is an answer, not an error: ``status`` carries it."""
        ...

    def consent_status(self, consent_id: str, *, timeout_s: float) -> ConsentStatus:
        """Read only, as ourselves, may be repeated."""
        ...
