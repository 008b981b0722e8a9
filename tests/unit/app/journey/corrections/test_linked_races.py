"""The payment of a bill comes alive again at every moment of one of its new version: two real transactions, PostgreSQL.

However they meet, nobody is sent to the bank with the new version as if nothing had been paid, and nobody waits for
somebody who waits for them.
"""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, select
from typing_extensions import override

from app import invariants
from app.journey.invoices.models import Invoice
from app.journey.payments.access import locked
from app.journey.payments.models import Payment
from app.journey.payments.reasons import Reason
from app.journey.payments.states import Source
from app.journey.payments.step import believe, correct
from app.people.models import Customer
from connectors.contract import Fact
from tests.conftest import Clock
from tests.unit.app.journey.corrections.test_correction_races import Rounds
from tests.unit.app.journey.corrections.test_correction_service import APPLY, send
from tests.unit.app.journey.house import REJECTED, House

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database_url", ["postgres"], indirect=True)]


class LinkedRounds(Rounds):
    """Each ends with both bills in order, and says what became of the payment of the new version."""

    @override
    def _check(self, house: House) -> str:
        broken = invariants.check(self.engine, now=self.clock(), late=False)
        assert [str(each) for each in broken] == []
        with house.services.reading() as uow:
            payment = uow.session.get(Payment, "pay_2")
            assert uow.session.get_one(Invoice, "inv_1").state == "paid"
            if payment is None:
                return "nothing"
            return payment.state if payment.unwanted_since is None else f"{payment.state}, unwanted"


@pytest.fixture
def rounds(engine: Engine, clock: Clock, customer: Customer, every: int) -> LinkedRounds:
    return LinkedRounds(engine, clock, customer, every)


def closed(house: House) -> None:
    house.away()
    with house.begin() as uow:
        assert believe(uow, locked(uow.session, "pay_1"), REJECTED, reason=Reason.NOT_APPROVED)
        uow.commit()


def replaced(house: House) -> str:
    """A bill whose payment was closed as not done, and its new version. Returns the id of that."""
    closed(house)
    send(house, "2", replaces="1")
    house.run(APPLY)
    with house.services.reading() as uow:
        return uow.session.scalars(select(Invoice.id).where(Invoice.number == "2")).one()


def decided(house: House) -> None:
    house.decide("pay_2", invoice_id=replaced(house))
    house.bank.answers["initiate"] = house.staged("pay_2")


def staged(house: House) -> None:
    house.stage("pay_2", invoice_id=replaced(house))


def executed_after_all(house: House) -> None:
    with house.begin() as uow:
        correct(uow, locked(uow.session, "pay_1"), Fact.DEBITED, source=Source.STATEMENT, evidence="camt:M1/1")
        uow.commit()


def test_against_the_order_that_is_prepared(rounds: LinkedRounds) -> None:
    ends = rounds.race(decided, lambda house: house.run("payments.initiate"), executed_after_all)
    assert set(ends) == {"rejected", "cancelled"}  # given up before, or stopped once it was there


def test_against_the_link_that_is_given_away(rounds: LinkedRounds) -> None:
    ends = rounds.race(staged, lambda house: house.leave("pay_2"), executed_after_all)
    assert set(ends) == {"cancelled", "awaiting_customer, unwanted"}  # stopped, or gone and not wanted any more


def test_against_its_new_version(rounds: LinkedRounds) -> None:
    def prepare(house: House) -> None:
        closed(house)
        send(house, "2", replaces="1")

    assert set(rounds.race(prepare, lambda house: house.run(APPLY), executed_after_all)) == {"nothing"}
