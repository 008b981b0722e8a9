"""Payments that a bank of the simulator keeps until a day: its verbs for them, and what customers do meanwhile."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.journey.decisions.orders import is_kept_day
from app.journey.payments import service as payments
from app.people.customers import today_of
from connectors.berlin_group import messages
from connectors.contract import BankRequest, BankStatus, ConsentStatus, PaymentOrder, PsuContext, Staged, Submitted

if TYPE_CHECKING:
    from tests.faults.sim.bank import Bank
    from tests.faults.sim.house import Person
    from tests.faults.sim.submitting import Submitting
    from tests.faults.sim.world import World

#: days ahead at the most: what is kept so long, and then takes days, has come to its end when a history has healed
AHEAD_MOST = 2


@dataclass(frozen=True, eq=False)
class Dated:
    """connectors.capabilities.FutureDatedPayments of a bank."""

    bank: Bank

    def draft(
        self, order: PaymentOrder, *, execute_on: dt.date, request_id: str, redirect_uri: str = ""
    ) -> BankRequest:
        return BankRequest(
            method="POST",
            path="/v1/payments/sepa-credit-transfers",
            headers={"X-Request-ID": request_id, "TPP-Redirect-URI": redirect_uri},
            body=messages.initiation(order, execute_on=execute_on),
            request_id=request_id,
        )

    def initiate(self, request: BankRequest, *, psu: PsuContext, timeout_s: float) -> Staged:
        return self.bank.initiate(request, psu=psu, timeout_s=timeout_s)

    def status(self, payment_id: str, *, access_token: str | None, timeout_s: float) -> BankStatus:
        return self.bank.status(payment_id, access_token=access_token, timeout_s=timeout_s)

    def drop(self, payment_id: str, *, timeout_s: float) -> BankStatus | None:
        return self.bank.drop(payment_id, timeout_s=timeout_s)


@dataclass(frozen=True, eq=False)
class Scheduled(Dated):
    """connectors.capabilities.ScheduledPayments of a bank."""

    bank: Submitting

    def draft_submission(
        self, order: PaymentOrder, *, execute_on: dt.date, consent_id: str, request_id: str
    ) -> BankRequest:
        request = self.bank.draft_submission(order, consent_id=consent_id, request_id=request_id)
        if self.bank.by_id[consent_id].execute_on != execute_on:
            self.bank.floor.broken("W8", f"{consent_id} is submitted for {execute_on}")
        return request

    def submit(self, request: BankRequest, *, access_token: str, psu: PsuContext | None, timeout_s: float) -> Submitted:
        return self.bank.submit(request, access_token=access_token, psu=psu, timeout_s=timeout_s)

    def consent_status(self, consent_id: str, *, timeout_s: float) -> ConsentStatus:
        return self.bank.consent_status(consent_id, timeout_s=timeout_s)


@dataclass(eq=False)
class Keeping:
    """Those of one history."""

    world: World

    def day(self, person: Person, bank: Bank) -> str | None:
        """Until which it is to be kept; None: it is paid at once."""
        world = self.world
        if not world.aim.keeps or not bank.profile.keeps_days or world.dice.random() >= world.aim.keeps:
            return None
        now = world.floor.now
        ahead = dt.timedelta(days=world.dice.randint(1, AHEAD_MOST))
        day = today_of(person.signed_in.customer, now) + ahead
        if not is_kept_day(day, currency=bank.profile.currencies[0], now=now):
            return None
        world.floor.counts["some shown to be kept"] += 1
        return day.isoformat()

    def deed(self) -> bool:
        """A customer wants back what is kept: from here, or at the bank."""
        world = self.world
        query = "SELECT id, customer_id FROM payment WHERE state = 'accepted' AND kept_until IS NOT NULL ORDER BY id"
        found = world.house.raw.execute(query).fetchall()
        if not found:
            return False
        payment_id, customer_id = world.dice.choice(found)
        if world.dice.random() < 0.4:
            return any(world.bank_of(payment_id).cancelled_there(order) for order in world.orders_of(payment_id))
        person = world._person(customer_id)

        def want_back() -> None:
            with world.services.unit_of_work() as uow:
                payments.want_back(world.services, uow, signed_in=person.signed_in, payment_id=payment_id)
                uow.commit()
            world.floor.counts["some wanted back"] += 1

        return world.request("want back", want_back, subject=payment_id)
