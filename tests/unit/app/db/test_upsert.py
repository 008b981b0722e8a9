"""A row is inserted once, and who comes second goes on in the same transaction."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from app.db.many import insert_new
from app.db.upsert import insert_once
from app.journey.reconciliation.models import StatementAccount
from app.services import Services

pytestmark = pytest.mark.each_database


def test_the_second_changes_nothing_and_gets_no_error(services: Services) -> None:
    with services.unit_of_work() as uow:
        values = {"iban": "AT611904300234573201", "because": "first", "added_at": uow.now}
        assert insert_once(uow.session, StatementAccount, values, unique=["iban"])
        assert not insert_once(uow.session, StatementAccount, values | {"because": "second"}, unique=["iban"])
        other = values | {"iban": "DE02120300000000202051"}
        assert insert_once(uow.session, StatementAccount, other, unique=["iban"])
        uow.commit()
    with services.reading() as uow:
        found = uow.session.scalars(select(StatementAccount.because).order_by(StatementAccount.iban)).all()
    assert list(found) == ["first", "first"]


def test_of_many_rows_those_that_are_there_already_stay_as_they_are(services: Services) -> None:
    ibans = ("AT611904300234573201", "DE02120300000000202051", "FR1420041010050500013M02606")
    with services.unit_of_work() as uow:
        rows = [{"iban": iban, "because": "first", "added_at": uow.now} for iban in ibans]
        assert insert_new(uow.session, StatementAccount, rows[:2], unique=["iban"]) == rows[:2]
        again = [row | {"because": "second"} for row in rows]
        assert insert_new(uow.session, StatementAccount, again, unique=["iban"]) == again[2:]
        assert insert_new(uow.session, StatementAccount, again, unique=["iban"]) == []
        uow.commit()
    with services.reading() as uow:
        found = uow.session.scalars(select(StatementAccount.because).order_by(StatementAccount.iban)).all()
    assert list(found) == ["first", "first", "second"]
