"""A house whose customer has a standing consent at a bank that keeps such."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any, cast

from app.db import work
from app.journey.payments import looks
from app.journey.payments.looks import follow_from
from app.journey.payments.models import Payment
from app.journey.route import HANDLERS
from app.services import Task
from connectors.capabilities import Alignment, Period, RecurringConsent
from connectors.contract import (
    Authorised,
    BankRequest,
    BankStatus,
    ConsentStatus,
    PaymentOrder,
    PsuContext,
    Submitted,
)
from consent import tokens
from consent.base import new_id
from consent.models import Consent, Trip
from consent.rules import Frame, Limit
from tests.support.factories import agree_standing
from tests.support.logged import log_all
from tests.unit.app.journey.house import IBAN, House, SubmittingBank

TOKEN = "t0ken-of-the-standing-one"
FRAME = Frame(
    payee_name="Lumen SA",
    payee_iban=IBAN,
    currency="EUR",
    each_minor=500_00,
    limits=(Limit(period=Period.MONTH, alignment=Alignment.CALENDAR, minor=1000_00),),
    begins_on=dt.date(2026, 1, 1),
    ends_on=None,
)


@dataclass(frozen=True)
class _Recurring:
    bank: RecurringBank

    def draft_payment(
        self, order: PaymentOrder, *, consent: RecurringConsent, consent_id: str, request_id: str
    ) -> BankRequest:
        asked = {"order": order, "consent": consent, "consent_id": consent_id, "request_id": request_id}
        self.bank.asked.append(("recurring.draft_payment", asked))
        return BankRequest(method="POST", path="/recurring", headers={}, body=b"an order", request_id=request_id)

    def submit(self, request: BankRequest, *, access_token: str, psu: PsuContext | None, timeout_s: float) -> Submitted:
        return cast(Submitted, self.bank.say("recurring.submit", request=request, access_token=access_token))

    def consent_status(self, consent_id: str, *, timeout_s: float) -> ConsentStatus:
        return cast(ConsentStatus, self.bank.say("recurring.consent_status", consent_id=consent_id))

    def status(self, payment_id: str, *, access_token: str | None, timeout_s: float) -> BankStatus:
        return cast(BankStatus, self.bank.say("recurring.status", payment_id=payment_id, access_token=access_token))

    def renew(self, refresh_token: str, *, timeout_s: float) -> Authorised:
        return cast(Authorised, self.bank.say("recurring.renew", refresh_token=refresh_token))


class RecurringBank(SubmittingBank):
    """Its verbs for recurring payments have answers of their own: no other is one of these."""

    @property
    def recurring(self) -> _Recurring:
        return _Recurring(self)

    def say(self, verb: str, **asked: Any) -> Any:
        return self._answer(verb, **asked)


@dataclass
class StandingHouse(House):
    bank: RecurringBank = field(default_factory=RecurringBank)
    consent_id: str = ""
    frame: Frame = FRAME

    def __post_init__(self) -> None:
        super().__post_init__()
        with self.begin() as uow:
            standing = agree_standing(
                uow, customer_id=self.customer.id, biller_id="blr_1", bank_id="horizon", frame=self.frame
            )
            self.consent_id = standing.consent_id
            consent = uow.session.get_one(Consent, standing.consent_id)
            long = Authorised(access_token=TOKEN, expires_in_s=10_000_000)
            tokens.keep(uow.session, self.services.vault, consent, long, now=uow.now)
            trip = Trip(
                id=new_id("trp"),
                customer_id=self.customer.id,
                bank_id="horizon",
                state_hash="x",
                redirect_uri="https://space.example/back",
                consent_id=consent.id,
                created_at=uow.now,
                left_at=uow.now,
                returned_at=uow.now,
                exchanged_at=uow.now,
                outcome="code",
            )
            uow.session.add(trip)
            log_all(uow)
            uow.commit()

    def authorised(self, number: str = "1", *, minor: int = 9900) -> str:
        """A bill, and a payment of it under the standing consent that its customer has decided. Returns its id."""
        invoice_id, payment_id = self.bill(number, minor=minor), f"pay_{number}"
        self.decide(payment_id, invoice_id=invoice_id, consent_id=self.consent_id)
        self.run("payments.initiate")
        return payment_id

    def go_on(self, payment_id: str = "pay_1", **answers: object) -> None:
        """Its work is done now, whenever it was to be. ``answers``: of the verbs for recurring payments."""
        self.bank.answers.update({f"recurring.{verb}": answer for verb, answer in answers.items()})
        with self.begin() as uow:
            follow_from(uow, uow.session.get_one(Payment, payment_id), run_at=uow.now)
            claim = work.claim_key(uow.session, key=looks.work_key(payment_id), now=uow.now)
            uow.commit()
        assert claim is not None
        HANDLERS[looks.HANDLER](Task(services=self.services, claim=claim))

    def token(self) -> str | None:
        with self.services.reading() as uow:
            consent = uow.session.get_one(Consent, self.consent_id)
            return tokens.access_token(uow.session, self.services.vault, consent, now=uow.now)

    def consent_stands(self) -> None:
        with self.services.reading() as uow:
            assert uow.session.get_one(Consent, self.consent_id).state == "authorised"
        assert self.token() == TOKEN
