"""A customer stops everything at every moment of what they, or somebody else, begin: two real transactions, on
PostgreSQL.

What the stop sees once it has its turn is all that was ever decided or first sent: nothing comes after it, to the
transaction; and nobody waits for somebody who waits for them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from app import invariants
from app.db.unit_of_work import UnitOfWork
from app.db.work import WorkRow
from app.errors import Invalid
from app.journey.decisions.models import Decision
from app.journey.payments.models import BankAttempt, BankCall
from app.people import sessions, stops
from app.people.models import Customer
from connectors.contract import Authorised
from consent.models import Trip
from tests.conftest import Clock
from tests.support.locks import locks_taken
from tests.unit.app.journey.corrections.test_correction_races import Act, Rounds
from tests.unit.app.journey.decisions.test_decision_service import decide, passkey_of, start
from tests.unit.app.journey.house import ACCEPTED, House
from tests.unit.app.journey.payments.test_payment_submit import go_on, submitted

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.parametrize("database_url", ["postgres"], indirect=True),  # SQLite lets one writer in at a time
]


@pytest.fixture
def rounds(engine: Engine, clock: Clock, customer: Customer, every: int) -> Rounds:
    return Rounds(engine, clock, customer, every)


def begun(session: Session) -> set[str]:
    """All that was decided, first sent, or given away to approve."""
    sent = select(BankCall.id).join(BankAttempt).where(BankCall.verb.in_(("initiate", "complete", "submit")))
    left = select(Trip.id).where(Trip.browser_hash.is_not(None))
    return {*session.scalars(select(Decision.id)), *session.scalars(sent), *session.scalars(left)}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """What each stop saw in its own transaction once nobody was before it any more."""
    found: list[set[str]] = []
    real = sessions.end_others

    def end_others(uow: UnitOfWork, **asked: Any) -> None:
        found.append(begun(uow.session))
        real(uow, **asked)

    monkeypatch.setattr(sessions, "end_others", end_others)
    return found


def stop(house: House) -> None:
    stops.stop_everything(house.services, signed_in=house.signed_in)


def looked_at(house: House) -> None:
    """All work that the stop asked for, and an order that waits."""
    for handler in ("payments.look_at_customer", "payments.initiate", "payments.reconsider"):
        with house.services.reading() as uow:
            due = len(uow.session.scalars(select(WorkRow.key).where(WorkRow.handler == handler)).all())
        for _ in range(due):
            house.hurry(handler)
            house.run(handler)


def sign(house: House) -> Callable[[House], object]:
    device = passkey_of(house, house.customer)
    started = start(house)
    credential = device.sign(started.public_key)
    return lambda _: decide(house, started, credential)


def order(house: House) -> None:
    house.bill()
    house.decide()
    house.bank.answers["initiate"] = house.staged()


def stage(house: House) -> None:
    house.bill()
    house.stage()


def come_back(house: House) -> None:
    house.come_back(house.away())
    house.bank.answers["complete"] = Authorised(access_token="t0ken", expires_in_s=600)
    house.clock.tick(seconds=3)


#: what is there before, what is done, and whether its bank lets us submit
RACES: dict[str, tuple[Act, Act, bool]] = {
    "order": (order, lambda house: house.run("payments.initiate"), False),
    "leave": (stage, lambda house: house.leave(), False),
    "exchange": (come_back, lambda house: house.run("payments.exchange_code"), False),
    "submit": (lambda house: house.approved(), lambda house: go_on(house, submit=submitted(ACCEPTED)), True),
}


def ends(rounds: Rounds, seen: list[set[str]], prepare: Act, act: Act) -> Iterator[tuple[str, int]]:
    """How each payment stood, and how much was begun that the stop had not seen."""
    for house in rounds.moments(prepare, act, stop):
        with house.services.reading() as uow:
            late = begun(uow.session) - seen[-1]
        looked_at(house)
        assert [str(each) for each in invariants.check(house.engine, now=house.clock(), late=False)] == []
        with house.services.reading() as uow:
            assert stops.is_stopped(uow.session, house.customer.id)
            late |= begun(uow.session) - seen[-1]
        payment = house.payment()
        yield payment.state if payment.unwanted_since is None else "unwanted", len(late)


@pytest.mark.parametrize("what", RACES)
def test_nothing_is_first_sent_after_the_stop(what: str, rounds: Rounds, seen: list[set[str]]) -> None:
    prepare, act, rounds.submits = RACES[what]
    found = list(ends(rounds, seen, prepare, act))
    assert {late for _, late in found} == {0}
    assert {state for state, _ in found} <= {"rejected", "cancelled", "unwanted", "accepted"}
    assert any(state in ("rejected", "cancelled", "unwanted") for state, _ in found)


def test_nothing_is_decided_after_the_stop(rounds: Rounds, seen: list[set[str]]) -> None:
    signed: list[Act] = []

    def prepare(house: House) -> None:
        house.bill()
        house.bank.answers["initiate"] = house.staged()
        signed[:] = [sign(house)]

    def finish(house: House) -> None:
        with contextlib.suppress(Invalid):  # the stop forgets what was asked of a passkey
            signed[0](house)

    late, refused = set(), 0
    for house in rounds.moments(prepare, finish, stop):
        looked_at(house)
        with house.services.reading() as uow:
            refused += not uow.session.scalars(select(Decision.id)).all()
            late |= begun(uow.session) - seen[-1]
        assert [str(each) for each in invariants.check(house.engine, now=house.clock(), late=False)] == []
    assert late == set()
    assert refused


def test_without_its_place_in_line_it_would_be(
    rounds: Rounds, seen: list[set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests above see what they look for."""
    monkeypatch.setattr(stops, "hold_off", lambda *_: None)
    rounds.every = min(rounds.every, 8)  # it would be in seventeen moments that follow each other
    prepare, act, _ = RACES["order"]
    assert any(late for _, late in ends(rounds, seen, prepare, act))


def test_everybody_stands_in_line_behind_what_the_stop_never_locks(house: House) -> None:
    house.bill()
    signed = sign(house)
    house.bank.answers["initiate"] = house.staged()
    with locks_taken(house.engine) as taken:
        signed(house)
    assert "stop: shared" in taken[-2:]  # but for the passkey
    house.hurry("payments.initiate")
    with locks_taken(house.engine) as taken:
        house.run("payments.initiate")
    assert "stop: shared" in taken
    with locks_taken(house.engine) as taken:
        stop(house)
    assert taken[0] == "stop:"
    assert not {"payment", "invoice", "ledger_balance", "biller"} & set(taken)
