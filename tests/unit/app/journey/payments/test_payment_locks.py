"""On PostgreSQL whoever reads a row in order to change it locks it: when two meet, the second reads what is so."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from app.journey.payments import service as payments
from app.journey.payments.access import locked
from app.journey.payments.models import Payment
from app.journey.payments.states import Source
from app.journey.payments.step import correct
from connectors.contract import Fact
from connectors.errors import BankSilent
from tests.unit.app.journey.house import CANCELLED, WAITING, House, said

LOCKS = re.compile(r"\bFROM (\w+).*\bFOR (?:NO KEY )?UPDATE\Z", re.DOTALL)

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database_url", ["postgres"], indirect=True)]


def locked_by(house: House, act: Callable[[], object], *, work: bool = False) -> list[str]:
    """The tables whose rows were locked, in order; of the ledger the accounts. Rows of work only when asked for."""
    locked: list[str] = []

    def statement(_connection: object, _cursor: object, sql: str, values: dict[str, Any], *_: object) -> None:
        found = LOCKS.search(sql.strip())
        if found and found.group(1) == "ledger_balance":
            [accounts] = values.values()
            locked.extend([accounts] if isinstance(accounts, str) else accounts)
        elif found and (work or found.group(1) != "work"):
            locked.append(found.group(1))

    event.listen(house.engine, "before_cursor_execute", statement)
    try:
        act()
    finally:
        event.remove(house.engine, "before_cursor_execute", statement)
    return locked


def order_of_locks(house: House, act: Callable[[], object]) -> list[str]:
    """The same without those that are locked already."""
    return list(dict.fromkeys(locked_by(house, act)))


def staged(house: House) -> House:
    house.bill()
    house.stage()
    return house


def test_to_the_bank(house: House) -> None:
    assert locked_by(staged(house), house.leave) == ["payment", "payment"]  # the bank may be asked between the two


def test_and_back_the_payment_before_its_trip(house: House) -> None:
    left = house.away()
    assert locked_by(house, lambda: house.come_back(left)) == ["payment", "trip"]
    assert locked_by(house, lambda: house.come_back(left, browsers=[])) == ["payment", "trip"]


def test_stopping(house: House) -> None:
    staged(house)

    def cancel() -> None:
        with house.begin() as uow:
            payments.cancel(uow, signed_in=house.signed_in, payment_id="pay_1")

    assert locked_by(house, cancel) == ["payment", "due:inv_1"]


def test_an_operators_word(house: House) -> None:
    staged(house)

    def resolve() -> None:
        with house.begin() as uow:
            payments.resolve(uow, payment_id="pay_1", executed=True, because="A. Martin by telephone, ticket 4711")

    assert locked_by(house, resolve) == ["payment", "due:inv_1", "invoice"]


def test_giving_it_to_the_bank_exchanging_the_code_and_asking(house: House) -> None:
    house.bill()
    assert locked_by(house, house.stage) == ["payment", "due:inv_1", "invoice", "payment"]
    house.come_back(house.leave())
    assert locked_by(house, lambda: house.exchange(BankSilent("no answer"))) == ["payment", "payment"]
    assert locked_by(house, lambda: house.follow(WAITING)) == ["payment", "payment"]


def test_a_payment_before_its_work_also_where_an_order_is_taken_back(house: House) -> None:
    """Who steps a payment may want it followed: it has the payment, then, and waits for its work."""
    house.away()
    house.clock.tick(seconds=3600)
    house.bank.answers["cancel"] = CANCELLED
    assert locked_by(house, lambda: house.follow(WAITING), work=True) == [
        *("payment", "work"),  # to ask
        *("payment", "work"),  # to take it back
        *("payment", "due:inv_1"),
    ]
    assert house.payment().state == "cancelled"


def record(house: House, fact: Fact, payment_id: str = "pay_1") -> None:
    """A line of the bank's statement."""
    with house.begin() as uow:
        payment = locked(uow.session, payment_id)
        assert correct(uow, payment, fact, source=Source.STATEMENT, evidence="camt:1/1")
        uow.commit()


def test_the_other_payments_of_a_bill_before_what_is_due_of_it(house: House) -> None:
    house.approved()
    house.not_found()
    house.stage("pay_2")
    house.leave("pay_2")
    assert order_of_locks(house, lambda: record(house, Fact.DEBITED)) == ["payment", "due:inv_1"]
    # what was paid on top pays the bill now, and is taken back then: what is due is locked before it is looked at
    assert order_of_locks(house, lambda: record(house, Fact.CANCELLED, "pay_2")) == ["payment", "due:inv_1"]
    assert order_of_locks(house, lambda: record(house, Fact.REJECTED)) == ["payment", "due:inv_1"]


def test_what_is_due_before_the_bill_also_where_nothing_becomes_due(house: House) -> None:
    """What is settled may be taken back in the same transaction, and then something does."""
    house.approved()
    assert order_of_locks(house, lambda: record(house, Fact.DEBITED)) == ["payment", "due:inv_1", "invoice"]


def test_who_steps_one_payment_of_a_bill_waits_for_who_steps_another(house: House) -> None:
    house.approved()
    house.follow(said("RJCT", Fact.REJECTED))
    house.stage("pay_2")
    with house.begin() as first, house.begin() as second:
        assert locked(first.session, "pay_2").state == "awaiting_customer"
        second.session.execute(text("SET LOCAL lock_timeout = '100ms'"))
        with pytest.raises(OperationalError, match="lock timeout"):
            locked(second.session, "pay_1")


def test_what_was_locked_is_as_it_is_now(house: House) -> None:
    staged(house)
    with house.begin() as late:
        seen = late.session.get_one(Payment, "pay_1")
        house.leave()
        assert seen.fence_at is None
        assert locked(late.session, "pay_1").fence_at is not None


def test_promises_are_renewed_without_waiting_for_who_looks_just_now(house: House) -> None:
    house.approved()
    house.follow(BankSilent("no answer"))
    promised = house.payment().know_by
    assert promised is not None
    house.clock.now = promised
    with house.begin() as looking, house.begin() as renewing:
        locked(looking.session, "pay_1")
        renewing.session.execute(text("SET LOCAL lock_timeout = '100ms'"))
        payments.renew_promises(renewing)
        renewing.commit()
    assert house.payment().know_by == promised
