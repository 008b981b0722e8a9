"""Who decides on a payment, or prepares one, stands in line with who suspends the biller: real transactions, on
PostgreSQL. Nobody overtakes a suspension that waits, and nobody waits for somebody who waits for them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, select

from app.errors import Conflict
from app.journey.decisions.models import Decision
from app.journey.payments.reasons import Reason
from app.people import vetting
from app.people.billers import locked_to_read
from app.people.models import Biller, Customer
from tests.conftest import Clock
from tests.functional.test_suspension_races import await_a_lock
from tests.support.locks import locks_taken
from tests.unit.app.journey.corrections.test_correction_races import Rounds
from tests.unit.app.journey.decisions.test_decision_service import decide, passkey_of, start
from tests.unit.app.journey.decisions.test_twin_races import in_order
from tests.unit.app.journey.house import House

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.parametrize("database_url", ["postgres"], indirect=True),  # SQLite lets one writer in at a time
]
Act = Callable[[], Any]


@pytest.fixture
def rounds(engine: Engine, clock: Clock, customer: Customer, every: int) -> Rounds:
    return Rounds(engine, clock, customer, every)


def suspend(house: House) -> None:
    with house.begin() as uow:
        vetting.suspend(uow, biller_id="blr_1", by="ada", note="its bills are not its own")
        uow.commit()


def signed(house: House) -> Act:
    """A tab in which the bill is signed, and about to be sent."""
    device, started = passkey_of(house, house.customer), start(house)
    credential = device.sign(started.public_key)
    return lambda: decide(house, started, credential)


def behind_a_suspension(house: House, act: Act) -> list[Conflict]:
    """A bill of the biller is taken just now, a suspension waits for it, and then this comes. Why it was refused."""
    refused: list[Conflict] = []

    def run() -> None:
        try:
            act()
        except Conflict as error:
            refused.append(error)

    suspending, acting = threading.Thread(target=suspend, args=(house,)), threading.Thread(target=run)
    with house.begin() as uow:
        locked_to_read(uow.session, "blr_1")
        suspending.start()
        await_a_lock(house.services, "%pg_advisory_xact_lock(%")
        acting.start()
        await_a_lock(house.services, "%pg_advisory_xact_lock_shared(%")
    for each in (suspending, acting):
        each.join(10)
        assert not each.is_alive()
    return refused


def test_nobody_decides_past_a_suspension_that_waits(house: House) -> None:
    house.bill()
    assert [each.code for each in behind_a_suspension(house, signed(house))] == ["account-held"]
    with house.services.reading() as uow:
        assert uow.session.scalars(select(Decision)).all() == []


def test_nobody_prepares_a_payment_past_it(house: House) -> None:
    house.bill()
    house.decide()
    assert behind_a_suspension(house, lambda: house.run("payments.initiate")) == []
    assert (house.payment().state, house.payment().reason) == ("rejected", Reason.ACCOUNT_HELD)
    assert "initiate" not in house.bank.verbs()


def test_who_waits_in_line_has_locked_nothing_that_others_wait_for(house: House) -> None:
    """A delivery may wait for an invoice while a suspension waits for the delivery: nobody behind that one has it."""
    house.bill()
    house.bank.answers["initiate"] = house.staged()
    sign = signed(house)
    with locks_taken(house.engine) as taken:
        sign()
    assert taken[:2] == ["ceremony", "biller: shared"]  # the former is of this tab alone
    assert {"invoice", "ledger_balance", "biller"} <= set(taken[2:])
    house.hurry("payments.initiate")
    with locks_taken(house.engine) as taken:
        house.run("payments.initiate")
    assert taken[0] == "biller: shared"
    assert {"payment", "invoice", "ledger_balance", "biller"} <= set(taken[1:])


def test_a_suspension_at_every_moment_of_a_decision_and_of_what_prepares_it(rounds: Rounds) -> None:
    tab: list[Act] = []

    def prepare(house: House) -> None:
        house.bill()
        house.bank.answers["initiate"] = house.staged()
        tab[:] = [signed(house)]

    def act(house: House) -> None:
        tab[0]()
        house.hurry("payments.initiate")
        house.run("payments.initiate")

    for house in rounds.moments(prepare, act, suspend):
        in_order(house)
        with house.services.reading() as uow:
            assert uow.session.get_one(Biller, "blr_1").state == "suspended"
