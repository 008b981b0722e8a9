"""A suspension and a delivery at the same moment, on PostgreSQL with real transactions: before it, or held."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import func, select, text

from app.journey.intake import holding, taking
from app.journey.intake.models import DeliveredBill, HeldBill
from app.journey.intake.service import ClientIdentity, deliver
from app.journey.intake.taking import Acknowledgement
from app.people import accounts, vetting
from app.people.billers import locked_to_read
from app.people.models import Biller
from app.services import Services
from tests.support import factories
from tests.support.bills import json_bill
from tests.support.factories import BillerMade
from tests.support.locks import locks_taken

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.parametrize("database_url", ["postgres"], indirect=True),  # SQLite lets one writer in at a time
]


@pytest.fixture
def biller(services: Services) -> BillerMade:
    return factories.make_biller(services)


@pytest.fixture
def address(services: Services, biller: BillerMade) -> str:
    customer = factories.make_customer(services)
    return factories.connect(services, customer_id=customer.id, biller_id=biller.id)


def send(services: Services, biller: BillerMade, address: str, number: str, iban: str | None = None) -> Acknowledgement:
    payee = {"name": biller.name, "iban": iban or biller.iban}
    client = ClientIdentity(client_id=biller.client_id, biller_id=biller.id)
    content = json_bill(to=address, payee=payee, number=number)
    return deliver(services, client=client, content=content, media_type="application/json", to=None)


def suspend(services: Services, biller: BillerMade) -> None:
    with services.unit_of_work() as uow:
        vetting.suspend(uow, biller_id=biller.id, by="ada", note="its bills are not its own")
        uow.commit()


def await_a_lock(services: Services, statement: str) -> None:
    """Until somebody's statement waits for another one's transaction."""
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE :statement")
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with services.engine.connect() as connection:
            if connection.scalar(waiting, {"statement": statement}):
                return
    pytest.fail(f"nobody waits with {statement}")


def test_a_bill_that_comes_during_a_suspension_waits_for_it_and_is_held(
    services: Services, biller: BillerMade, address: str
) -> None:
    taken: list[Acknowledgement] = []
    delivering = threading.Thread(target=lambda: taken.append(send(services, biller, address, "A-1")))
    with services.unit_of_work() as uow:
        vetting.suspend(uow, biller_id=biller.id, by="ada", note="its bills are not its own")
        delivering.start()
        await_a_lock(services, "%pg_advisory_xact_lock_shared(%")
        uow.commit()
    delivering.join(10)
    assert [each.code for each in taken[0].held] == ["biller-not-vetted"]
    with services.reading() as uow:
        assert uow.session.scalar(select(func.count()).select_from(DeliveredBill)) == 0


def test_a_suspension_waits_for_the_bill_that_is_being_taken_and_is_not_overtaken_by_the_next_one(
    services: Services, biller: BillerMade, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next bill waits behind it, and is held; whether an account is open is told meanwhile."""
    suspending = threading.Thread(target=suspend, args=(services, biller))
    second = threading.Thread(target=send, args=(services, biller, address, "A-2"))
    real = taking._Desk.write
    seen: list[tuple[bool, bool, bool]] = []

    def write(desk: taking._Desk) -> set[str]:
        if suspending.ident is None:
            suspending.start()
            await_a_lock(services, "%pg_advisory_xact_lock(%")
            second.start()
            await_a_lock(services, "%pg_advisory_xact_lock_shared(%")
            with services.unit_of_work() as uow:
                may = accounts.is_open_since(
                    uow.session, biller_id=biller.id, iban=biller.iban, moment=uow.now, lock=True
                )
            seen.append((suspending.is_alive(), second.is_alive(), may))
        return real(desk)

    monkeypatch.setattr(taking._Desk, "write", write)
    assert send(services, biller, address, "A-1").held == ()
    suspending.join(10)
    second.join(10)
    assert seen == [(True, True, True)]
    assert [each.code for each in send(services, biller, address, "A-3").held] == ["biller-not-vetted"]
    with services.reading() as uow:
        numbers = uow.session.scalars(select(DeliveredBill.number).order_by(DeliveredBill.number)).all()
    assert numbers == ["A-1"]


def test_a_company_that_never_stops_delivering_does_not_keep_its_suspension_off(
    services: Services, biller: BillerMade
) -> None:
    """There is always one transaction that reads it: at a row, each would overtake who waits to change it."""
    over = threading.Event()

    def read_it_all_the_time() -> None:
        while not over.is_set():
            with services.unit_of_work() as uow:
                locked_to_read(uow.session, biller.id)
                time.sleep(0.1)

    readers = [threading.Thread(target=read_it_all_the_time) for _ in range(6)]
    for each in readers:
        each.start()
        time.sleep(0.015)
    try:
        suspend(services, biller)
    finally:
        over.set()
        for each in readers:
            each.join()
    with services.reading() as uow:
        assert uow.session.get_one(Biller, biller.id).state == "suspended"


def test_who_delivers_and_who_releases_lock_in_one_order(services: Services, biller: BillerMade, address: str) -> None:
    iban = "AT611904300234573201"
    send(services, biller, address, "A-1", iban)
    with services.unit_of_work() as uow:
        factories.open_account(uow, biller_id=biller.id, iban=iban, holder=biller.name)
        uow.commit()
    with services.reading() as uow:
        held_id = uow.session.scalars(select(HeldBill.id)).one()
    with locks_taken(services.engine) as delivering:
        send(services, biller, address, "A-2")
    with locks_taken(services.engine) as releasing:
        holding.release(services, held_id=held_id)
    assert delivering == releasing == ["biller: shared", "biller", "connection", "held_bill"]
