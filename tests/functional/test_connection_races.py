"""Two at the same moment, on PostgreSQL with real transactions: one code, one connection, one bill."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from app.db import work
from app.errors import Invalid
from app.journey.connections import rules, service
from app.journey.connections import step as steps
from app.journey.connections.models import Connection, ConnectionCode, ConnectionHistory, Redemption
from app.journey.connections.states import ConnectionState, ConnectionStep
from app.journey.intake import taking
from app.journey.intake.models import DeliveredBill
from app.journey.intake.service import ClientIdentity, deliver
from app.people.models import Customer
from app.services import Services, Task
from tests.support import factories
from tests.support.bills import json_bill
from tests.support.factories import BillerMade

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.parametrize("database_url", ["postgres"], indirect=True),  # SQLite lets one writer in at a time
]


@pytest.fixture
def customer(services: Services) -> Customer:
    return factories.make_customer(services)


@pytest.fixture
def billers(services: Services) -> list[BillerMade]:
    return [factories.make_biller(services, name=name) for name in ("Lumen", "Régie")]


def at_once(*do: Callable[[], None]) -> list[BaseException]:
    """All of them from one starting line. What they raised."""
    line = threading.Barrier(len(do))
    raised: list[BaseException] = []

    def run(each: Callable[[], None]) -> None:
        line.wait(10)
        try:
            each()
        except BaseException as error:  # noqa: BLE001  a thread's error is looked at outside
            raised.append(error)

    threads = [threading.Thread(target=run, args=(each,)) for each in do]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    return raised


def claimed(services: Services) -> list[Task]:
    """The codes that wait to be taken up, in as many hands."""
    with services.unit_of_work() as uow:
        claims = work.claim_due(uow.session, now=uow.now, limit=10)
        uow.commit()
    return [Task(services=services, claim=claim) for claim in claims if claim.handler == "connections.take_up"]


@pytest.mark.parametrize("_", range(5))
def test_one_code_and_two_billers(services: Services, customer: Customer, billers: list[BillerMade], _: int) -> None:
    with services.unit_of_work() as uow:
        code = service.make_code(services, uow, customer_id=customer.id)
        uow.commit()
    for biller in billers:
        service.present(services, biller_id=biller.id, code=code, address=None, reference=None)
    tasks = claimed(services)
    assert len(tasks) == 2
    raised = at_once(*(lambda task=task: service.take_up(task) for task in tasks))
    assert raised == []
    with services.reading() as uow:
        offered = uow.session.scalars(select(Connection.state)).all()
        used = uow.session.scalars(select(ConnectionCode)).one()
        found = uow.session.scalars(select(Redemption.id).where(Redemption.connection_id.is_not(None))).all()
    assert offered == ["offered"]
    assert found == [used.redemption_id]


@pytest.mark.parametrize("_", range(5))
def test_a_bill_and_a_block(services: Services, customer: Customer, billers: list[BillerMade], _: int) -> None:
    """Either the bill was there before the block, or it is refused: never a bill of somebody who is blocked."""
    biller = billers[0]
    address = factories.connect(services, customer_id=customer.id, biller_id=biller.id)
    content = json_bill(to=address, payee={"name": biller.name, "iban": biller.iban})
    client = ClientIdentity(client_id=biller.client_id, biller_id=biller.id)

    def bill() -> None:
        deliver(services, client=client, content=content, media_type="application/json", to=None)

    raised = at_once(bill, lambda: block(services, customer, biller))
    assert all(isinstance(error, Invalid) and error.code == "not-connected" for error in raised)
    with services.reading() as uow:
        delivered = uow.session.scalar(select(func.count()).select_from(DeliveredBill))
        assert uow.session.scalars(select(Connection.state)).one() == "blocked"
    assert delivered == 1 - len(raised)


def block(services: Services, customer: Customer, biller: BillerMade) -> None:
    with services.unit_of_work() as uow:
        service.change(uow, customer_id=customer.id, biller_id=biller.id, step=ConnectionStep.BLOCK)
        uow.commit()


def test_a_block_waits_for_the_bill_that_is_being_taken(
    services: Services, customer: Customer, billers: list[BillerMade], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bill is in the middle of its transaction: the block comes after it, and the next bill is refused."""
    biller = billers[0]
    address = factories.connect(services, customer_id=customer.id, biller_id=biller.id)
    client = ClientIdentity(client_id=biller.client_id, biller_id=biller.id)
    blocking = threading.Thread(target=block, args=(services, customer, biller))
    real = taking._Desk.write
    states: list[bool] = []

    def write(desk: taking._Desk) -> set[str]:
        if not blocking.is_alive() and not states:
            blocking.start()
            blocking.join(1.0)
            states.append(blocking.is_alive())
        return real(desk)

    monkeypatch.setattr(taking._Desk, "write", write)
    payee = {"name": biller.name, "iban": biller.iban}
    taken = json_bill(to=address, payee=payee, number="A-1")
    deliver(services, client=client, content=taken, media_type="application/json", to=None)
    blocking.join(10)
    assert states == [True]  # it was still waiting
    late = json_bill(to=address, payee=payee, number="A-2")
    with pytest.raises(Invalid, match="connected with you"):
        deliver(services, client=client, content=late, media_type="application/json", to=None)


def ask(services: Services, customer: Customer, biller: BillerMade) -> str:
    """Returns the connection's id."""
    with services.unit_of_work() as uow:
        asked = service.ask(
            uow,
            customer_id=customer.id,
            biller_id=biller.id,
            reference="K-1",
            today=uow.now.date(),
            space_domain=services.settings.space_domain,
        )
        uow.commit()
    return asked.id


@pytest.mark.parametrize("_", range(3))
def test_two_windows_that_ask(services: Services, customer: Customer, billers: list[BillerMade], _: int) -> None:
    def window() -> None:
        ask(services, customer, billers[0])

    assert at_once(window, window, window) == []
    with services.reading() as uow:
        assert uow.session.scalars(select(Connection.state)).all() == ["asked"]
        assert uow.session.scalar(select(func.count()).select_from(ConnectionHistory)) == 1


@pytest.mark.parametrize("_", range(3))
def test_two_windows_and_the_last_code(services: Services, customer: Customer, _: int) -> None:
    def window() -> None:
        with services.unit_of_work() as uow:
            service.make_code(services, uow, customer_id=customer.id)
            uow.commit()

    for _ in range(4):
        window()
    raised = at_once(window, window, window)
    assert [getattr(error, "code", error) for error in raised] == ["too-many-codes"] * 2


@pytest.mark.parametrize("_", range(3))
def test_programs_of_one_biller_are_counted_one_after_the_other(
    services: Services, billers: list[BillerMade], monkeypatch: pytest.MonkeyPatch, _: int
) -> None:
    monkeypatch.setattr("app.journey.connections.rules.REDEMPTIONS_AN_HOUR", 1)

    def program() -> None:
        service.present(services, biller_id=billers[0].id, code=rules.new_code(), address=None, reference=None)

    raised = at_once(program, program, program)
    assert [getattr(error, "code", error) for error in raised] == ["too-many-redemptions"] * 2


@pytest.mark.parametrize("_", range(3))
def test_the_customer_leaves_while_the_biller_confirms(
    services: Services, customer: Customer, billers: list[BillerMade], _: int
) -> None:
    """Both get an answer, and the connection stands where its history ends."""
    connection_id = ask(services, customer, billers[0])

    def leave() -> None:
        with services.unit_of_work() as uow:
            service.change(uow, customer_id=customer.id, biller_id=billers[0].id, step=ConnectionStep.LEAVE)
            uow.commit()

    def confirm() -> None:
        confirms = ConnectionStep.CONFIRM
        service.answer(services, biller_id=billers[0].id, connection_id=connection_id, sequence=1, step=confirms)

    raised = at_once(leave, confirm)
    assert [getattr(error, "code", error) for error in raised] in ([], ["connection-changed"])
    with services.unit_of_work() as uow:
        connection = steps.locked(uow, customer_id=customer.id, biller_id=billers[0].id)
        assert connection is not None
        assert connection.state == ConnectionState.LEFT


def test_a_repeat_waits_for_the_yes_that_is_being_given(
    services: Services, customer: Customer, billers: list[BillerMade]
) -> None:
    """The customer's transaction is open when the worker looks at the second of two: both are accepted in the end."""
    biller = billers[0]
    with services.unit_of_work() as uow:
        code = service.make_code(services, uow, customer_id=customer.id)
        uow.commit()
    first = service.present(services, biller_id=biller.id, code=code, address=None, reference=None)
    service.take_up(*claimed(services))
    again = service.present(services, biller_id=biller.id, code=code, address=None, reference=None)
    repeat = threading.Thread(target=service.take_up, args=claimed(services))
    with services.unit_of_work() as uow:
        service.accept(uow, customer_id=customer.id, biller_id=biller.id)
        repeat.start()
        repeat.join(1.0)
        assert repeat.is_alive()  # it waits
        uow.commit()
    repeat.join(10)
    with services.reading() as uow:
        accepted = uow.session.execute(select(Redemption.id, Redemption.accepted_at)).all()
    assert {each.id for each in accepted if each.accepted_at is not None} == {first.id, again.id}
