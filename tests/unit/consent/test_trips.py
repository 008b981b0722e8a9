"""A trip to the bank: bound to the browser that left, its code used once, its secrets nowhere but in the vault."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import Engine, event

from app.people.models import Customer
from consent import trips
from consent.base import hash_of
from consent.models import Trip
from consent.vault import Vault, VaultError
from tests.conftest import Clock
from tests.unit.conftest import Begin

VAULT = Vault({"k1": b"1" * 32}, active="k1")
RETURN_URL = "https://bills.example/banks/horizon/return"
LIFE = dt.timedelta(minutes=90)


@pytest.fixture
def trip(begin: Begin, customer: Customer, clock: Clock) -> Trip:
    with begin() as uow:
        made = trips.plan(
            uow.session,
            VAULT,
            customer_id=customer.id,
            bank_id="horizon",
            return_url=RETURN_URL,
            state_in_path=True,
            now=clock.now,
            life=LIFE,
        )
        uow.commit()
    return made


def test_the_state_is_the_end_of_the_return_address_and_its_hash_finds_the_trip(begin: Begin, trip: Trip) -> None:
    with begin() as uow:
        secrets = trips.secrets_of(uow.session, VAULT, trip)
        assert trip.redirect_uri == f"{RETURN_URL}/{secrets.state}"
        assert trip.state_hash == hash_of(secrets.state)
        assert secrets.verifier not in repr(vars(trip))
        assert repr(secrets) == "TripSecrets(<secret>)"
        found = trips.find(uow.session, bank_id="horizon", state=secrets.state)
        assert found is not None
        assert found.id == trip.id


def test_a_state_that_we_never_gave_or_gave_for_another_bank_finds_nothing(begin: Begin, trip: Trip) -> None:
    with begin() as uow:
        state = trips.secrets_of(uow.session, VAULT, trip).state
        for bank_id, said in (("other", state), ("horizon", state[:-1]), ("horizon", trip.state_hash)):
            assert trips.find(uow.session, bank_id=bank_id, state=said) is None


def test_two_trips_share_no_secret(begin: Begin, trip: Trip, customer: Customer, clock: Clock) -> None:
    with begin() as uow:
        other = trips.plan(
            uow.session,
            VAULT,
            customer_id=customer.id,
            bank_id="horizon",
            return_url=RETURN_URL,
            state_in_path=True,
            now=clock.now,
            life=LIFE,
        )
        one, two = trips.secrets_of(uow.session, VAULT, trip), trips.secrets_of(uow.session, VAULT, other)
    assert len({one.state, one.verifier, two.state, two.verifier}) == 4


def test_only_the_browser_that_left_is_known_again() -> None:
    trip = Trip()
    assert not trips.is_same_browser(trip, ["anybody"])
    assert not trips.is_same_browser(trip, [])
    trips.leave(trip, browser="ours", now=dt.datetime(2026, 11, 23, tzinfo=dt.UTC))
    assert trips.is_same_browser(trip, ["ours"])
    assert trips.is_same_browser(trip, ["of another trip", "ours"])
    assert not trips.is_same_browser(trip, ["another"])
    assert not trips.is_same_browser(trip, [])
    assert trip.browser_hash != "ours"


def test_leaving_again_moves_the_browser_but_not_the_point_of_no_return(clock: Clock) -> None:
    trip = Trip()
    trips.leave(trip, browser="first", now=clock.now)
    first = clock.now
    clock.tick(minutes=1)
    trips.leave(trip, browser="second", now=clock.now)
    assert trip.left_at == first
    assert trips.is_same_browser(trip, ["second"])
    assert not trips.is_same_browser(trip, ["first"])


def test_the_first_return_counts_and_its_code_is_taken_once(begin: Begin, trip: Trip, clock: Clock) -> None:
    with begin() as uow:
        here = uow.session.get_one(Trip, trip.id)
        assert trips.take_answer(uow.session, VAULT, here, now=clock.now) is None
        assert here.exchanged_at is None
        assert trips.come_back(
            uow.session, VAULT, here, answer={"code": "c0de"}, outcome="code", now=clock.now, life=LIFE
        )
        first = clock.now
        clock.tick(seconds=5)
        assert not trips.come_back(
            uow.session, VAULT, here, answer={"code": "forged"}, outcome="code", now=clock.now, life=LIFE
        )
        assert (here.returned_at, here.outcome) == (first, "code")
        secrets = trips.secrets_of(uow.session, VAULT, here)
        assert trips.take_answer(uow.session, VAULT, here, now=clock.now) == ({"code": "c0de"}, secrets)
        assert here.exchanged_at == clock.now
        assert trips.take_answer(uow.session, VAULT, here, now=clock.now) is None


@pytest.mark.parametrize("outcome", ["access_denied", "wrong_issuer", "nothing", "code", "x" * 500])
def test_without_a_code_there_is_nothing_to_exchange_whatever_the_redirect_says(
    begin: Begin, trip: Trip, clock: Clock, outcome: str
) -> None:
    """``?error=code`` too: whoever writes the redirect must not make us look for a code that never came."""
    with begin() as uow:
        here = uow.session.get_one(Trip, trip.id)
        assert trips.come_back(uow.session, VAULT, here, answer=None, outcome=outcome, now=clock.now, life=LIFE)
        assert len(here.outcome or "") <= 40
        assert trips.take_answer(uow.session, VAULT, here, now=clock.now) is None


def test_a_trip_that_is_forgotten_has_no_secrets_left(begin: Begin, trip: Trip, clock: Clock) -> None:
    with begin() as uow:
        here = uow.session.get_one(Trip, trip.id)
        trips.come_back(uow.session, VAULT, here, answer={"code": "c0de"}, outcome="code", now=clock.now, life=LIFE)
        trips.forget(uow.session, here.id)
        trips.forget(uow.session, here.id)
        uow.commit()
    with begin() as uow, pytest.raises(VaultError):
        trips.secrets_of(uow.session, VAULT, trip)
    with begin() as uow:  # a code that is gone is none: the payment goes on, by its status
        assert trips.take_answer(uow.session, VAULT, uow.session.get_one(Trip, trip.id), now=clock.now) is None


def test_where_the_bank_knows_the_address_beforehand_the_state_is_no_part_of_it(
    begin: Begin, trip: Trip, clock: Clock
) -> None:
    with begin() as uow:
        made = trips.plan(
            uow.session,
            VAULT,
            customer_id=trip.customer_id,
            bank_id="albion",
            return_url="https://bills.example/banks/albion/return",
            state_in_path=False,
            now=clock.now,
            life=LIFE,
        )
        secrets = trips.secrets_of(uow.session, VAULT, made)
        assert made.redirect_uri == "https://bills.example/banks/albion/return"
        assert trips.find(uow.session, bank_id="albion", state=secrets.state) is made


def test_all_trips_of_a_customer_whose_code_was_not_exchanged_are_forgotten_at_once(
    begin: Begin, engine: Engine, customer: Customer, clock: Clock
) -> None:
    """While everything is being stopped others wait, so it takes as many statements however many trips there were."""
    made = []
    with begin() as uow:
        for number in range(4):
            of_it = {"customer_id": customer.id, "bank_id": "horizon", "return_url": RETURN_URL}
            made.append(trips.plan(uow.session, VAULT, **of_it, state_in_path=True, now=clock.now, life=LIFE))
            made[-1].exchanged_at = clock.now if number == 3 else None
        uow.commit()
    statements: list[str] = []

    def heard(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    with begin() as uow:
        event.listen(engine, "before_cursor_execute", heard)
        trips.forget_of_customer(uow.session, customer.id)
        event.remove(engine, "before_cursor_execute", heard)
        uow.commit()
    assert len(statements) == 2
    with begin() as uow:
        assert [trips.is_open(uow.session, trip) for trip in made] == [False, False, False, True]
