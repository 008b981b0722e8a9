"""Addresses of a space: one for each biller, and of no use to any other one."""

from __future__ import annotations

import re

import pytest

from app.journey.connections.access import customers_behind
from app.journey.connections.models import Connection
from app.journey.connections.service import connect
from app.people.customers import add_customer
from app.people.models import Biller, Customer
from tests.conftest import Clock
from tests.support.factories import vet, write_down
from tests.unit.conftest import Begin

DOMAIN = "space.quittance.example"


@pytest.fixture
def billers(begin: Begin, clock: Clock) -> tuple[str, str]:
    with begin() as uow:
        for biller_id in ("blr_1", "blr_2"):
            write_down(uow, Biller(id=biller_id, name=biller_id, country="FR", created_at=clock.now))
            vet(uow, biller_id)
        uow.commit()
    return "blr_1", "blr_2"


def connected(begin: Begin, customer_id: str, biller_id: str) -> str:
    with begin() as uow:
        address = connect(uow, customer_id=customer_id, biller_id=biller_id, space_domain=DOMAIN)
        uow.commit()
    return address


def behind(begin: Begin, address: str, biller_id: str) -> str | None:
    with begin() as uow:
        return customers_behind(uow.session, addresses=[address], biller_id=biller_id).get(address)


def test_an_address_is_sixty_random_bits_and_says_nothing(
    begin: Begin, customer: Customer, billers: tuple[str, str]
) -> None:
    address = connected(begin, customer.id, billers[0])
    assert re.fullmatch(rf"[a-z2-7]{{12}}@{re.escape(DOMAIN)}", address)


def test_connecting_again_gives_the_same_address(begin: Begin, customer: Customer, billers: tuple[str, str]) -> None:
    assert connected(begin, customer.id, billers[0]) == connected(begin, customer.id, billers[0])
    with begin() as uow:
        assert uow.session.query(Connection).count() == 1


def test_each_biller_and_each_customer_has_an_address_of_its_own(
    begin: Begin, customer: Customer, billers: tuple[str, str]
) -> None:
    with begin() as uow:
        other = add_customer(uow, name="Other", email="o@example.org", locale="fr", time_zone="UTC")
        uow.commit()
    addresses = {connected(begin, who, biller) for who in (customer.id, other.id) for biller in billers}
    assert len(addresses) == 4


def test_an_address_serves_only_the_biller_it_was_given_to(
    begin: Begin, customer: Customer, billers: tuple[str, str]
) -> None:
    mine, stranger = billers
    address = connected(begin, customer.id, mine)
    assert behind(begin, address, mine) == customer.id
    assert behind(begin, address.upper(), mine) == customer.id
    assert behind(begin, address, stranger) is None
    assert behind(begin, f"aaaaaaaaaaaa@{DOMAIN}", mine) is None
