"""Who decides on a payment, or prepares one, stands in line with who suspends the biller or freezes its account: real
transactions, on PostgreSQL. Nobody overtakes who waits for that, and nobody waits for somebody who waits for them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, select

from app.errors import Conflict
from app.journey.decisions.models import Decision
from app.journey.payments.reasons import Reason
from app.people import accounts, vetting
from app.people.billers import locked_to_read
from app.people.models import Customer, PayeeAccount
from tests.conftest import Clock
from tests.functional.test_suspension_races import await_a_lock
from tests.support.locks import locks_taken
from tests.unit.app.journey.corrections.test_correction_races import Rounds
from tests.unit.app.journey.decisions.test_decision_service import decide, passkey_of, start
from tests.unit.app.journey.decisions.test_twin_races import gives_way
from tests.unit.app.journey.house import IBAN, House

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


def freeze(house: House) -> None:
    with house.begin() as uow:
        account_id = uow.session.scalars(select(PayeeAccount.id).where(PayeeAccount.iban == IBAN)).one()
        accounts.freeze(uow, account_id=account_id, by="ada", note="it is not theirs")
        uow.commit()


by_each = pytest.mark.parametrize("stop", [suspend, freeze])


def signed(house: House) -> Act:
    """A tab in which the bill is signed, and about to be sent."""
    device, started = passkey_of(house, house.customer), start(house)
    credential = device.sign(started.public_key)
    return lambda: decide(house, started, credential)


def behind(stop: Callable[[House], None], house: House, act: Act) -> list[Conflict]:
    """A bill of the biller is taken just now, who stops it waits for that, and then this comes. Why it was refused."""
    refused: list[Conflict] = []

    def run() -> None:
        try:
            act()
        except Conflict as error:
            refused.append(error)

    stopping, acting = threading.Thread(target=stop, args=(house,)), threading.Thread(target=run)
    with house.begin() as uow:
        locked_to_read(uow.session, "blr_1")
        stopping.start()
        await_a_lock(house.services, "%pg_advisory_xact_lock(%")
        acting.start()
        await_a_lock(house.services, "%pg_advisory_xact_lock_shared(%")
    for each in (stopping, acting):
        each.join(10)
        assert not each.is_alive()
    return refused


@by_each
def test_nobody_decides_past_who_waits_to_stop_payments(house: House, stop: Callable[[House], None]) -> None:
    house.bill()
    assert [each.code for each in behind(stop, house, signed(house))] == ["account-held"]
    with house.services.reading() as uow:
        assert uow.session.scalars(select(Decision)).all() == []


@by_each
def test_nobody_prepares_a_payment_past_them(house: House, stop: Callable[[House], None]) -> None:
    house.bill()
    house.decide()
    assert behind(stop, house, lambda: house.run("payments.initiate")) == []
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


@by_each
def test_payments_are_stopped_at_every_moment_of_a_decision_and_of_what_prepares_it(
    rounds: Rounds, stop: Callable[[House], None]
) -> None:
    tab: list[Act] = []

    def prepare(house: House) -> None:
        house.bill()
        house.bank.answers["initiate"] = house.staged()
        tab[:] = [signed(house)]

    def act(house: House) -> None:
        tab[0]()
        house.hurry("payments.initiate")
        house.run("payments.initiate")

    ends = set()
    for house in rounds.moments(prepare, act, stop):
        house.hurry("payments.look_at_account")
        house.run("payments.look_at_account")
        ends.add(gives_way(house))
    assert ends <= {"refused", "rejected", "cancelled"}
