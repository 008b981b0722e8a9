"""A bill and its payments on real rows, beside a bank that says what a test tells it to and keeps what it was asked."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from sqlalchemy import Engine, delete, func, select

from app.db import work
from app.db.events import EventRow
from app.db.unit_of_work import HEAD_START, UnitOfWork
from app.db.work import LEASE, WorkRow
from app.journey.connections.service import connect
from app.journey.consents.models import BankBudget
from app.journey.decisions import payee_checks, under_consent
from app.journey.decisions.events import PaymentDecided
from app.journey.decisions.models import Decision
from app.journey.decisions.orders import earlier_of, price_of
from app.journey.intake.models import DeliveredBill
from app.journey.invoices import service as invoices
from app.journey.invoices.models import Invoice
from app.journey.ledger import service as ledger
from app.journey.ledger.models import LedgerBalance, LedgerEntry
from app.journey.ledger.rules import Claim
from app.journey.payments import service as payments
from app.journey.payments.access import locked
from app.journey.payments.models import BankAttempt, BankCall, Payment, PaymentHistory
from app.journey.payments.reasons import Reason
from app.journey.payments.states import PaymentStep, Source
from app.journey.payments.step import step
from app.journey.route import HANDLERS, ROUTE
from app.keys.installation import Keys
from app.people.models import ApiClient, Biller, Customer
from app.people.sessions import SignedIn
from app.services import Services, Task
from config.settings import Settings
from connectors.contract import (
    Authorised,
    BankRequest,
    BankStatus,
    ConsentStatus,
    Fact,
    PaymentOrder,
    PsuContext,
    ScaOAuth,
    Staged,
    Submitted,
)
from connectors.errors import BankSilent
from connectors.money import Money
from connectors.profile import BankProfile
from connectors.registry import Registry, UnknownBank, UnusableBank
from consent.models import Consent, Sealed, Trip
from consent.vault import Vault
from tests.conftest import Clock
from tests.support.engines import keys_in_memory
from tests.support.factories import open_account, vet, write_down
from tests.support.installation import BASE_URL
from tests.support.logged import log_all

IBAN = "FR1420041010050500013M02606"
VAULT = Vault({"k1": b"1" * 32}, active="k1")
ISSUER = "https://login.horizon.example"
SCA = ScaOAuth(
    issuer=ISSUER,
    authorization_endpoint=f"{ISSUER}/authorize",
    token_endpoint=f"{ISSUER}/token",
    scope="PIS:1",
    iss_parameter_supported=True,
)
PROFILE = BankProfile(
    id="horizon",
    name="Horizon",
    country="FR",
    standard="of tests",
    base_url="https://api.horizon.example",
    issuer=ISSUER,
    client_id="quittance",
    redirect=True,
    tpp_token=True,
    status_access="client_credentials",
    currencies=("EUR",),
    authorisation_minutes=10,
    poll_s=(300, 900),
    status_calls_per_minute=600,
    sandbox=False,
)
MINUTE = dt.timedelta(minutes=1)
PSU = {"ip_address": "192.0.2.7", "user_agent": "a browser"}


def said(word: str, fact: Fact, *, reason_code: str | None = None) -> BankStatus:
    """An answer of the bank's to the question for the status."""
    return BankStatus(
        transaction_status=word, fact=fact, reason_code=reason_code, reason_text=None, raw_response=word.encode()
    )


WAITING = said("RCVD", Fact.WAITING)
ACCEPTED = said("ACSP", Fact.ACCEPTED)
DEBITED = said("ACSC", Fact.DEBITED)
CREDITED = said("ACCC", Fact.CREDITED)
REJECTED = said("RJCT", Fact.REJECTED)
CANCELLED = said("CANC", Fact.CANCELLED)
NOT_FOUND = said("404", Fact.NOT_FOUND)
STRANGE = said("WHAT", Fact.UNKNOWN)
SILENT = BankSilent("no answer")


class _EveryBank:
    """Answers, or raises, what the test put into ``answers`` under the verb; a verb without an answer is a mistake."""

    def __init__(self) -> None:
        self.profile = PROFILE
        #: whether the installation has its file
        self.is_known = True
        #: and our keys for it
        self.is_usable = True
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        #: called before each answer: what happens elsewhere while the bank thinks
        self.meanwhile: Callable[[], None] = lambda: None

    def _answer(self, verb: str, **asked: Any) -> Any:
        self.asked.append((verb, asked))
        self.meanwhile()
        answer = self.answers[verb]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def verbs(self) -> list[str]:
        return [verb for verb, _ in self.asked]

    def draft(self, order: PaymentOrder, *, request_id: str, redirect_uri: str) -> BankRequest:
        self.asked.append(("draft", {"order": order, "request_id": request_id, "redirect_uri": redirect_uri}))
        if "draft" in self.answers:
            raise self.answers["draft"]
        return BankRequest(
            method="POST",
            path="/payments",
            headers={"TPP-Redirect-URI": redirect_uri},
            body=f"{order.amount} to {order.creditor_iban}".encode(),
            request_id=request_id,
        )

    def initiate(self, request: BankRequest, *, psu: PsuContext, timeout_s: float) -> Staged:
        return cast(Staged, self._answer("initiate", request=request, psu=psu, timeout_s=timeout_s))

    def authorise_url(self, staged: ScaOAuth, **asked: Any) -> str:
        self.asked.append(("authorise_url", {"sca": staged, **asked}))
        self.meanwhile()
        if isinstance(self.answers.get("authorise_url"), Exception):
            raise self.answers["authorise_url"]
        return f"{staged.authorization_endpoint}?state={asked['state']}"

    def complete(self, sca: ScaOAuth, **asked: Any) -> Authorised:
        return cast(Authorised, self._answer("complete", sca=sca, **asked))

    def status(self, bank_payment_id: str, *, access_token: str | None, timeout_s: float) -> BankStatus:
        asked = {"bank_payment_id": bank_payment_id, "access_token": access_token, "timeout_s": timeout_s}
        return cast(BankStatus, self._answer("status", **asked))


class Bank(_EveryBank):
    """One where an approval executes, and that takes an order back."""

    def cancel(self, consent_id: str, *, timeout_s: float) -> BankStatus | None:
        return cast("BankStatus | None", self._answer("cancel", consent_id=consent_id, timeout_s=timeout_s))

    def as_customer(self, access_token: str) -> Bank:
        self.asked.append(("as_customer", {"access_token": access_token}))
        return self


class SubmittingBank(_EveryBank):
    """One where an approval alone executes nothing, and that takes nothing back."""

    def draft_submission(self, order: PaymentOrder, *, consent_id: str, request_id: str) -> BankRequest:
        self.asked.append(("draft_submission", {"order": order, "consent_id": consent_id, "request_id": request_id}))
        if "draft_submission" in self.answers:
            raise self.answers["draft_submission"]
        body = f"{consent_id}: {order.amount} to {order.creditor_iban}".encode()
        return BankRequest(method="POST", path="/submissions", headers={}, body=body, request_id=request_id)

    def submit(self, request: BankRequest, *, access_token: str, psu: PsuContext | None, timeout_s: float) -> Submitted:
        asked = {"request": request, "access_token": access_token, "psu": psu, "timeout_s": timeout_s}
        return cast(Submitted, self._answer("submit", **asked))

    def consent_status(self, consent_id: str, *, timeout_s: float) -> ConsentStatus:
        return cast(ConsentStatus, self._answer("consent_status", consent_id=consent_id, timeout_s=timeout_s))


class _Banks:
    """The registry of an installation with one bank."""

    def __init__(self, bank: _EveryBank) -> None:
        self._bank = bank

    def profile(self, bank_id: str) -> BankProfile:
        assert bank_id == "horizon"
        if not self._bank.is_known:
            raise UnknownBank(bank_id)
        return self._bank.profile

    def connector(self, bank_id: str) -> _EveryBank:
        assert bank_id == "horizon"
        if not self._bank.is_usable:
            raise UnusableBank(bank_id, "no keys")
        return self._bank


@dataclass
class House:
    """One customer, one biller, its bills and their payments. Verbs go through the services that the doors call."""

    engine: Engine
    clock: Clock
    customer: Customer
    bank: _EveryBank = field(default_factory=Bank)

    def __post_init__(self) -> None:
        self.services = Services(
            settings=cast(Settings, _Settings()),
            engine=self.engine,
            banks=cast(Registry, _Banks(self.bank)),
            vault=VAULT,
            customer_keys=keys_in_memory(),
            keys=cast(Keys, None),
            clock=self.clock,
            route=ROUTE,
            handlers=HANDLERS,
        )
        now = self.clock.now
        with self.begin() as uow:
            write_down(uow, Biller(id="blr_1", name="Lumen", country="FR", created_at=now))
            vet(uow, "blr_1")
            for table in (EventRow, WorkRow):  # that was long ago
                uow.session.execute(delete(table))
            uow.commit()
        self.add(ApiClient(client_id="cli_1", biller_id="blr_1", jwks={}, scope="bills:write", created_at=now))
        with self.begin() as uow:  # who are connected: what the biller delivers may arrive
            open_account(uow, biller_id="blr_1", iban=IBAN, holder="Lumen SA")
            connect(uow, customer_id=self.customer.id, biller_id="blr_1", space_domain="space.example")
            log_all(uow)
            uow.commit()

    @property
    def signed_in(self) -> SignedIn:
        return SignedIn(self.customer, "ses_1", read_only=False)

    def begin(self) -> UnitOfWork:
        return self.services.unit_of_work()

    def add(self, *rows: object) -> None:
        with self.begin() as uow:
            for row in rows:
                uow.session.add(row)
                uow.session.flush()
            log_all(uow)
            uow.commit()

    # ------------------------------------------------------------------------------------------------------ the journey

    def check_payee(self, invoice_id: str, *, typed: str = IBAN, **ticked: bool) -> None:
        """The customer does what the page of the payee asks for before the bill is paid. ``ticked``: besides the
        warning, ``named``, ``doubted`` and ``besides``."""
        with self.begin() as uow:
            need, _ = payee_checks.state_of(uow, invoice_id=invoice_id, bank_id=None)
            payee_checks.record(
                uow,
                signed_in=self.signed_in,
                invoice_id=invoice_id,
                bank=PROFILE,
                typed=typed,
                called=True,
                warned=True,
                shown=need.shown,
                **{"named": False, "doubted": False, "besides": False, **ticked},
            )
            uow.commit()

    def deliver(
        self,
        number: str = "1",
        *,
        minor: int = 9900,
        content: bytes = b"{}",
        media_type: str = "application/json",
    ) -> str:
        """A bill as it was delivered. Returns its id."""
        self.add(self.deliver_row(number, minor=minor, content=content, media_type=media_type))
        return f"bill_{number}"

    def deliver_row(
        self, number: str, *, minor: int, content: bytes, media_type: str = "application/json"
    ) -> DeliveredBill:
        return DeliveredBill(
            id=f"bill_{number}",
            biller_id="blr_1",
            customer_id=self.customer.id,
            client_id="cli_1",
            number=number,
            currency="EUR",
            amount_minor=minor,
            media_type=media_type,
            content=content,
            sha256=hashlib.sha256(content).hexdigest(),
            delivered_at=self.clock.now,
        )

    def bill(self, number: str = "1", *, minor: int = 9900, discount: int = 0, reference: str | None = "RF 1") -> str:
        """An invoice that is due. Returns its id."""
        bill_id, invoice_id = self.deliver(number, minor=minor), f"inv_{number}"
        with self.begin() as uow:
            invoice = Invoice(
                id=invoice_id,
                bill_id=bill_id,
                customer_id=self.customer.id,
                biller_id="blr_1",
                number=number,
                currency="EUR",
                amount_minor=minor,
                discount_minor=discount,
                discount_until=self.clock.now.date() if discount else None,
                issued_on=self.clock.now.date(),
                payee_name="Lumen SA",
                payee_iban=IBAN,
                reference=reference,
                lines=[],
                received_at=self.clock.now,
                opened_at=self.clock.now,
            )
            uow.session.add(invoice)
            uow.session.flush()
            ledger.bill(uow, invoice_id=invoice_id, creditor="blr_1", amount=invoice.amount)
            log_all(uow)
            uow.commit()
        return invoice_id

    def decide(
        self,
        payment_id: str = "pay_1",
        *,
        invoice_id: str = "inv_1",
        consent_id: str | None = None,
        part: str | None = None,
    ) -> None:
        """The customer decided: the claim is taken and the work is asked for. ``consent_id``: of a standing one;
        ``part``: of what is left so much, like ``40.00``."""
        with self.begin() as uow:
            invoice = uow.session.get_one(Invoice, invoice_id)
            price = price_of(invoice, day=self.clock.now.date(), part=part)
            earlier = earlier_of(uow.session, invoice)
            decision = Decision(
                id=f"dec_{payment_id}",
                customer_id=self.customer.id,
                invoice_id=invoice_id,
                verb="pay_now",
                currency="EUR",
                amount_minor=price.amount.minor,
                discount_minor=price.discount.minor,
                discount_until=price.discount_until,
                credited_minor=invoice.credited_minor,
                paid_minor=invoice.paid_minor,
                parts_paid=list(ledger.executed_of(uow.session, [invoice_id])),
                rest_minor=price.rest.minor,
                earlier_paid=list(earlier.executed),
                earlier_not_here=list(earlier.not_here),
                pay_on=self.clock.now.date(),
                bank_id="horizon",
                payee_name=invoice.payee_name,
                payee_iban=invoice.payee_iban,
                reference=invoice.reference,
                payment_id=payment_id,
                consent_id=consent_id,
                evidence={},
                psu=PSU,
                decided_at=self.clock.now,
            )
            uow.session.add(decision)
            uow.session.flush()
            invoices.claim(
                uow,
                Claim(
                    invoice_id=invoice_id,
                    payment_id=payment_id,
                    creditor="blr_1",
                    amount=price.amount,
                    discount=price.discount,
                ),
            )
            uow.record(PaymentDecided(decision_id=decision.id, payment_id=payment_id))
            if consent_id is not None:
                under_consent.take(
                    uow, consent_id=consent_id, payment_id=payment_id, minor=price.amount.minor, at=uow.now
                )
            log_all(uow)
            uow.commit()

    def run(self, handler: str) -> None:
        """Do the one piece of work of this handler that is due."""
        with self.begin() as uow:
            due = select(WorkRow.key).where(WorkRow.handler == handler, WorkRow.run_at <= uow.now)
            key = uow.session.scalars(due).one()
            claim = work.claim_key(uow.session, key=key, now=uow.now)
            log_all(uow)
            uow.commit()
        assert claim is not None
        HANDLERS[handler](Task(services=self.services, claim=claim))

    def hurry(self, handler: str = "payments.follow") -> None:
        """Its work is due now, and free: its time was brought forward, or its worker vanished."""
        with self.begin() as uow:
            row = uow.session.scalars(select(WorkRow).where(WorkRow.handler == handler)).one()
            row.run_at, row.lock_token = uow.now, None
            log_all(uow)
            uow.commit()

    def stage(
        self, payment_id: str = "pay_1", *, invoice_id: str = "inv_1", part: str | None = None, **changes: Any
    ) -> None:
        """Decided, and given to the bank, which waits for the customer."""
        self.decide(payment_id, invoice_id=invoice_id, part=part)
        self.bank.answers["initiate"] = replace(self.staged(payment_id), **changes)
        self.run("payments.initiate")

    def staged(self, payment_id: str = "pay_1") -> Staged:
        """What the bank says that takes an order."""
        return Staged(
            consent_id=f"bank-{payment_id}", transaction_status="RCVD", sca=SCA, raw_response=b'{"status":"RCVD"}'
        )

    def leave(self, payment_id: str = "pay_1") -> payments.Leaving:
        return payments.leave_for_bank(self.services, signed_in=self.signed_in, payment_id=payment_id)

    def come_back(
        self,
        left: payments.Leaving,
        *,
        bank_id: str = "horizon",
        state: str | None = None,
        browsers: Collection[str] | None = None,
        code: str | None = "c0de",
        error: str | None = None,
        iss: str | None = ISSUER,
    ) -> payments.Returned | None:
        """The redirect, in the browser that left, with a code."""
        answer = {"code": code, "error": error, "iss": iss}
        return payments.come_back(
            self.services,
            bank_id=bank_id,
            state=state or left.url.partition("state=")[2],
            browsers=[left.browser] if browsers is None else browsers,
            answer={name: value for name, value in answer.items() if value is not None},
        )

    def away(self) -> payments.Leaving:
        """A payment whose customer is at the bank."""
        self.bill()
        self.stage()
        return self.leave()

    def approved(self) -> None:
        """A payment whose customer has approved it and come back; the code is exchanged, the bank not yet asked."""
        self.come_back(self.away())
        self.exchange(Authorised(access_token="t0ken", expires_in_s=600))

    def exchange(self, answer: Authorised | Exception) -> None:
        """A worker exchanges the code, once the web request has had its head start."""
        self.clock.now += HEAD_START
        self.bank.answers["complete"] = answer
        self.run("payments.exchange_code")

    def settled(self) -> None:
        self.approved()
        self.follow(said("ACSC", Fact.DEBITED))

    def follow(self, answer: BankStatus | Exception) -> None:
        """The bank is asked, as it is time to, and answers this."""
        self.bank.answers["status"] = answer
        self.run("payments.follow")

    def follow_after(self, seconds: float, answer: BankStatus | Exception) -> None:
        self.clock.tick(seconds=seconds)
        self.follow(answer)

    def not_found(self, payment_id: str = "pay_1") -> None:
        """Closed: the bank knew nothing of it when nothing could move any more."""
        with self.begin() as uow:
            step(
                uow,
                locked(uow.session, payment_id),
                PaymentStep.NOT_FOUND,
                source=Source.WORKER,
                evidence="not_found",
                reason=Reason.NOT_KNOWN_AT_BANK,
            )
            log_all(uow)
            uow.commit()

    def given_up(self) -> None:
        """What is left of a payment that never got to the bank: nothing."""
        assert self.payment().consent_id is None
        assert self.secrets() == set()
        assert self.due("payments.initiate") == {}
        assert self.due() == {}
        assert self.invoice().state == "to_pay"
        assert self.balances() == {"due:inv_1": 9900, "biller:blr_1": -9900}
        assert self.told() == ["PaymentDecided", "PaymentFailed"]

    # ---------------------------------------------------------------------------------------------------- what is there

    def payment(self, payment_id: str = "pay_1") -> Payment:
        with self.services.reading() as uow:
            return uow.session.get_one(Payment, payment_id)

    def invoice(self, invoice_id: str = "inv_1") -> Invoice:
        with self.services.reading() as uow:
            return uow.session.get_one(Invoice, invoice_id)

    def trip(self, payment_id: str = "pay_1") -> Trip:
        with self.services.reading() as uow:
            return uow.session.get_one(Trip, uow.session.get_one(Payment, payment_id).trip_id)

    def consent(self, payment_id: str = "pay_1") -> Consent:
        with self.services.reading() as uow:
            return uow.session.get_one(Consent, uow.session.get_one(Payment, payment_id).consent_id)

    def history(self, payment_id: str = "pay_1") -> list[tuple[str | None, str, str, str]]:
        with self.services.reading() as uow:
            lines = uow.session.scalars(
                select(PaymentHistory).where(PaymentHistory.payment_id == payment_id).order_by(PaymentHistory.sequence)
            ).all()
        assert [line.sequence for line in lines] == list(range(1, len(lines) + 1))
        return [(line.before, line.after, line.source, line.evidence) for line in lines]

    def last_answer(self, payment_id: str = "pay_1") -> bytes | None:
        """The bank's own bytes of the last step."""
        with self.services.reading() as uow:
            sequence = uow.session.get_one(Payment, payment_id).sequence
            return uow.session.get_one(PaymentHistory, (payment_id, sequence)).answer

    def calls(self, verb: str, payment_id: str = "pay_1") -> tuple[BankCall, list[BankAttempt]]:
        with self.services.reading() as uow:
            call = uow.session.scalars(
                select(BankCall).where(BankCall.payment_id == payment_id, BankCall.verb == verb)
            ).one()
            sent = select(BankAttempt).where(BankAttempt.call_id == call.id).order_by(BankAttempt.number)
            return call, list(uow.session.scalars(sent))

    def outcomes(self, verb: str, payment_id: str = "pay_1") -> list[str | None]:
        return [attempt.outcome for attempt in self.calls(verb, payment_id)[1]]

    def due(self, handler: str = "payments.follow") -> dict[str, dt.datetime]:
        """When the rows of a handler run, by what they are about."""
        with self.services.reading() as uow:
            rows = uow.session.scalars(select(WorkRow).where(WorkRow.handler == handler))
            return {row.payload["payment_id"]: row.run_at for row in rows}

    def told(self) -> list[str]:
        """The facts of the journey, in order."""
        with self.services.reading() as uow:
            return list(uow.session.scalars(select(EventRow.kind).order_by(EventRow.recorded_at, EventRow.id)))

    def balances(self) -> Mapping[str, int]:
        """What each account of the ledger holds; what is nothing is left out. Locks and entries must agree."""
        with self.services.reading() as uow:
            total = func.sum(LedgerEntry.amount_minor)
            booked = {
                row.account: int(row.total)
                for row in uow.session.execute(
                    select(LedgerEntry.account, total.label("total")).group_by(LedgerEntry.account)
                )
            }
            for lock in uow.session.scalars(select(LedgerBalance)):
                assert booked.get(lock.account, 0) == lock.balance_minor
        assert sum(booked.values()) == 0
        return {account: minor for account, minor in booked.items() if minor}

    def secrets(self) -> set[str]:
        """What is sealed, without the id of the trip or the consent."""
        with self.services.reading() as uow:
            return {row.rpartition(":")[2] for row in uow.session.scalars(select(Sealed.id))}

    def budget(self) -> BankBudget:
        with self.services.reading() as uow:
            return uow.session.get_one(BankBudget, "horizon")


@dataclass(frozen=True)
class _Settings:
    base_url: str = BASE_URL


def lease_of(house: House, handler: str) -> bool:
    """Whether the row of this handler is held for a whole lease from now."""
    with house.services.reading() as uow:
        row = uow.session.scalars(select(WorkRow).where(WorkRow.handler == handler)).one()
        return row.lock_token is not None and row.run_at == house.clock.now + LEASE


def money(minor: int) -> Money:
    return Money(minor, "EUR")
