"""Sign-ins: idle after 15 minutes, over after 12 hours, and worthless to who steals the table."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from app.people import sessions
from app.people.models import Customer, CustomerSession
from app.people.sessions import IDLE, LONGEST, SEEN_STEP, SignedIn
from consent.base import hash_of
from tests.conftest import Clock
from tests.unit.conftest import Begin

MOMENT = dt.timedelta(microseconds=1)


@pytest.fixture
def token(begin: Begin, customer: Customer) -> str:
    return sign_in(begin, customer)


def sign_in(begin: Begin, customer: Customer, *, replaces: str | None = None, agent: str = "Firefox") -> str:
    with begin() as uow:
        made = sessions.open_session(uow, customer_id=customer.id, user_agent=agent, read_only=False, replaces=replaces)
        uow.commit()
    return made


def find(begin: Begin, token: str) -> tuple[SignedIn, bool] | None:
    with begin() as uow:
        return sessions.find(uow.session, token=token, now=uow.now)


def session_id(begin: Begin, token: str) -> str:
    found = find(begin, token)
    assert found is not None
    return found[0].session_id


def touch(begin: Begin, token: str) -> None:
    here = session_id(begin, token)
    with begin() as uow:
        sessions.touch(uow, here)
        uow.commit()


def test_the_cookie_finds_its_customer(begin: Begin, customer: Customer, token: str) -> None:
    found = find(begin, token)
    assert found is not None
    who, wants_touch = found
    assert (who.customer.id, who.read_only, wants_touch) == (customer.id, False, False)


def test_only_its_hash_is_in_the_database(begin: Begin, token: str) -> None:
    with begin() as uow:
        row = uow.session.scalars(select(CustomerSession)).one()
    assert row.token_hash == hash_of(token)
    assert token not in repr(vars(row))
    assert find(begin, row.token_hash) is None


@pytest.mark.parametrize("stranger", ["", "x", "\N{BLACK HEART SUIT}", "x" * 10_000])
def test_another_token_is_nobodys(begin: Begin, token: str, stranger: str) -> None:
    assert find(begin, stranger) is None


def test_after_fifteen_quiet_minutes_it_is_over(begin: Begin, token: str, clock: Clock) -> None:
    clock.now += IDLE
    assert find(begin, token) is not None
    clock.now += MOMENT
    assert find(begin, token) is None


def test_who_is_active_stays_but_no_longer_than_twelve_hours(begin: Begin, token: str, clock: Clock) -> None:
    opened = clock.now
    while clock.now + IDLE <= opened + LONGEST:
        clock.now += IDLE
        touch(begin, token)
    clock.now = opened + LONGEST
    assert find(begin, token) is not None
    clock.now += MOMENT
    assert find(begin, token) is None


def test_seen_is_written_at_most_once_a_minute(begin: Begin, token: str, clock: Clock) -> None:
    def wants_touch() -> bool:
        found = find(begin, token)
        assert found is not None
        return found[1]

    clock.now += SEEN_STEP
    assert not wants_touch()
    clock.now += MOMENT
    assert wants_touch()
    touch(begin, token)
    assert not wants_touch()


def test_a_change_of_privilege_is_a_new_token_and_ends_the_old_session(
    begin: Begin, customer: Customer, token: str
) -> None:
    other = sign_in(begin, customer, replaces=session_id(begin, token))
    assert other != token
    assert find(begin, token) is None
    assert find(begin, other) is not None


def test_signing_out_ends_ones_own_session_only(begin: Begin, customer: Customer, token: str) -> None:
    here = session_id(begin, token)
    for customer_id, is_over in (("cus_another", False), (customer.id, True), (customer.id, True)):
        with begin() as uow:
            sessions.end(uow, session_id=here, customer_id=customer_id)
            uow.commit()
        assert (find(begin, token) is None) is is_over


def test_the_list_of_devices_shows_those_that_are_not_idle_newest_first(
    begin: Begin, customer: Customer, token: str, clock: Clock
) -> None:
    clock.now += IDLE - dt.timedelta(minutes=1)
    sign_in(begin, customer, agent="Phone" + "x" * 500)
    with begin() as uow:
        shown = sessions.sessions_of(uow.session, customer_id=customer.id, now=uow.now)
        assert [row.user_agent[:7] for row in shown] == ["Phonexx", "Firefox"]
        assert len(shown[0].user_agent) == 200
    clock.now += dt.timedelta(minutes=1)
    with begin() as uow:
        shown = sessions.sessions_of(uow.session, customer_id=customer.id, now=uow.now)
        assert [row.user_agent[:7] for row in shown] == ["Phonexx"]


def test_what_is_over_is_forgotten_and_nothing_else(begin: Begin, customer: Customer, token: str, clock: Clock) -> None:
    clock.now += LONGEST
    fresh = sign_in(begin, customer)
    with begin() as uow:
        sessions.drop_stale(uow)
        uow.commit()
        assert list(uow.session.scalars(select(CustomerSession.token_hash))) == [hash_of(fresh)]
