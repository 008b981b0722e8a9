"""A row is inserted once, and who comes second goes on in the same transaction."""

from __future__ import annotations

from sqlalchemy import select

from app.db.upsert import insert_once
from app.journey.reconciliation.models import StatementAccount
from app.services import Services


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
