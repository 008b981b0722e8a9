"""What could keep a space from being erased, or a key from being gone, or make money move from a space that is.

Each was once so."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest
from sqlalchemy import select, text

from app.audit.sequencer import number_waiting
from app.audit.verify import verify
from app.db.work import WorkRow
from app.errors import NotFound
from app.journey.connections.models import Connection
from app.journey.erasure import emptying
from app.journey.erasure import service as erasure
from app.journey.erasure.states import ErasureState
from app.journey.invoices.models import Invoice
from app.journey.notices.models import Notice, NoticeChoice
from app.journey.payments.models import Payment
from app.journey.receipts.proofs import proof_for_biller
from app.journey.reconciliation.models import StatementEntry
from app.journey.reconciliation.service import import_statement
from app.people import way_in
from app.people.models import Customer
from app.people.recovery import Shown
from consent.private import KeyKind, seal, unseal
from tests.functional.test_erasure import DAYS_TO_TAKE_BACK, ask, erase, erasure_of, go_on, is_clean, left
from tests.functional.test_stop import lift
from tests.support import factories
from tests.support.camt import Line, camt
from tests.support.journey import Browser, Journey

KEPT = dt.timedelta(days=1840).total_seconds()
SWEPT = dt.timedelta(days=9).total_seconds()


def grow_old(journey: Journey) -> None:
    for seconds in (SWEPT, KEPT):
        journey.wait(seconds)
        go_on(journey)


def test_a_line_of_a_statement_is_forgotten_with_its_payment(journey: Journey) -> None:
    payment_id = journey.pay(journey.bill())
    journey.wait(600)
    payment = journey.payment(payment_id)
    line = Line(end_to_end_id=payment.end_to_end_id, amount=str(payment.amount), reference="R1")
    import_statement(journey.services, camt(line, account=journey.biller.iban))
    with journey.services.reading() as uow:
        assert uow.session.scalars(select(StatementEntry)).one().verdict != "unreadable"
    assert erase(journey).state == ErasureState.ERASED
    grow_old(journey)
    assert (erasure_of(journey).state, erasure_of(journey).record_gone_at is not None) == (ErasureState.FORGOTTEN, True)


def test_who_once_stopped_a_way_back_can_erase(journey: Journey) -> None:
    with journey.services.unit_of_work() as uow:
        uow.session.get_one(Customer, journey.customer.id).email_proven_at = uow.now
        uow.commit()
    with journey.services.unit_of_work() as uow:
        way_in.begin_waiting(journey.services, uow, Shown(journey.customer.id, None))
        uow.commit()
    journey.wait(60)
    assert lift(journey).status_code == 303
    journey.wait(60)
    assert erase(journey).state == ErasureState.FORGOTTEN


def test_no_company_takes_the_number_that_an_erased_bill_gets(journey: Journey) -> None:
    acknowledged = journey.deliver(number="nice-1")
    journey.worker.run_until_idle()
    accomplice = Browser.of(journey.app)
    accomplice.sign_up(name="Mallory", email="mallory@example.org")
    with journey.services.reading() as uow:
        other = uow.session.scalars(select(Customer).order_by(Customer.id.desc()).limit(1)).one()
    address = factories.connect(journey.services, customer_id=other.id, biller_id=journey.biller.id)
    theirs = dataclasses.replace(journey, browser=accomplice, customer=other, address=address)
    assert theirs.deliver(number=f"(erased) {acknowledged.bill_id}").created
    assert erase(journey).state == ErasureState.FORGOTTEN


def test_by_which_number_a_company_knew_them_goes_from_what_happened_too(journey: Journey) -> None:
    with journey.services.unit_of_work() as uow:
        row = uow.session.scalars(select(Connection).where(Connection.customer_id == journey.customer.id)).one()
        row.reference, row.shared_at = "canarycustomernumber-77", uow.now
        uow.commit()
    assert erase(journey).state == ErasureState.FORGOTTEN
    assert left(journey, ("canarycustomernumber",)) == []


def test_a_message_that_waits_is_not_tried_for_ever(journey: Journey) -> None:
    with journey.services.unit_of_work() as uow:
        uow.session.get_one(Customer, journey.customer.id).email_proven_at = uow.now
        uow.session.add(NoticeChoice(customer_id=journey.customer.id, kind="new_bill", chosen_at=uow.now))
        uow.commit()
    assert ask(journey).status_code == 303
    journey.wait(DAYS_TO_TAKE_BACK)
    journey.bill(number="gather-1")  # its message waits for more of its kind
    with journey.services.reading() as uow:
        assert uow.session.scalars(select(Notice)).all()
    erasure.go_on(journey.services)
    for _ in range(12):
        journey.wait(7200)
    with journey.services.reading() as uow:
        assert uow.session.scalars(select(WorkRow).where(WorkRow.handler == "notices.send")).all() == []


def test_nobody_lifts_the_stop_while_it_is_erased(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Money would move from a space that is not there any more. SQLite lets one writer in at a time."""
    if journey.services.engine.dialect.name != "postgresql":
        pytest.skip("one writer")
    journey.bill(number="r-1")
    assert ask(journey).status_code == 303
    journey.wait(DAYS_TO_TAKE_BACK)
    journey.browser.sign_in()
    real, said = emptying.empty, dict[str, int]()

    def meanwhile(uow: Any, customer_id: str) -> None:
        said.setdefault("lift", lift(journey).status_code)
        real(uow, customer_id)

    monkeypatch.setattr(emptying, "empty", meanwhile)
    erasure.go_on(journey.services)
    assert said["lift"] != 303
    with journey.services.reading() as uow:
        assert uow.session.scalars(select(Payment)).all() == []
    assert erasure_of(journey).state == ErasureState.FORGOTTEN


def test_keys_that_come_back_with_an_old_copy_are_destroyed_again(journey: Journey) -> None:
    keys = journey.services.customer_keys
    box = seal(keys, journey.customer.id, KeyKind.PROFILE, b"words")
    with keys.engine.connect() as connection:
        copy = connection.execute(text("SELECT * FROM customer_key")).mappings().all()
    erase(journey)
    with keys.engine.begin() as connection:
        connection.execute(text("DELETE FROM customer_key"))
        for row in map(dict, copy):
            names = ", ".join(row)
            put = text(f"INSERT INTO customer_key ({names}) VALUES ({', '.join(f':{name}' for name in row)})")  # noqa: S608
            connection.execute(put, row)
    keys._known.clear()
    assert unseal(keys, box) == b"words"
    erasure.destroy_again(journey.services)
    assert unseal(keys, box) is None


@pytest.mark.tampers
def test_an_empty_box_hides_nothing_from_the_log(journey: Journey) -> None:
    """Whoever empties an entry of somebody who has erased nothing is found out, also with another's box."""
    journey.pay(journey.bill())
    journey.wait(600)
    gone = Browser.of(journey.app)
    gone.sign_up(name="Gone", email="gone@example.org")
    with journey.services.reading() as uow:
        other = uow.session.scalars(select(Customer).order_by(Customer.id.desc()).limit(1)).one()
    erase(dataclasses.replace(journey, browser=gone, customer=other))
    is_clean(journey)
    number_waiting(journey.services)
    for owner in (journey.customer.id, other.id):
        for kind in ("payment.decided", "receipt.issued", "biller.step"):
            with journey.services.engine.connect() as connection:
                box = {"box": f"~1:record:{owner}:", "kind": kind}
                connection.execute(text("UPDATE log_entry SET opening = :box WHERE kind = :kind"), box)
                found = verify(connection, journey.services.keys.log.verifier)
                connection.rollback()
            assert any("what it said is gone" in each for each in found.wrong), (owner, kind)


def test_everybody_else_goes_on_whatever_keeps_one_waiting(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as there are more of those than are done at once."""
    real = erasure._go_on
    first = Browser.of(journey.app)
    first.sign_up(name="First", email="first@example.org")
    with journey.services.reading() as uow:
        stuck = uow.session.scalars(select(Customer).order_by(Customer.id.desc()).limit(1)).one()
    assert ask(dataclasses.replace(journey, browser=first, customer=stuck)).status_code == 303
    waits = erasure_of(journey).id

    def fails(services: Any, erasure_id: str) -> None:
        if erasure_id == waits:
            raise RuntimeError("for ever")
        real(services, erasure_id)

    monkeypatch.setattr(erasure, "_go_on", fails)
    assert erase(journey).state == ErasureState.FORGOTTEN


def test_a_passkey_by_a_code_waits_for_a_week(journey: Journey) -> None:
    from app.demo.authenticator import Authenticator
    from tests.functional.test_ways_back_in import make_codes, make_passkey, use_code
    from tests.support.journey import ORIGIN

    code = make_codes(journey.browser)[0]
    journey.clock.tick(seconds=30)
    thief = Browser(journey.app.test_client(), Authenticator(ORIGIN))
    assert use_code(thief, code).status_code == 303
    assert make_passkey(thief).status_code == 200
    thief.sign_in()
    assert ask(dataclasses.replace(journey, browser=thief)).status_code == 303
    asked = erasure_of(journey)
    assert asked.not_before - asked.asked_at == dt.timedelta(days=7)
    with journey.services.reading() as uow:
        journey.worker.run_until_idle()
        assert "erasure_asked" in set(uow.session.scalars(select(Notice.kind)))
    journey.browser.sign_in()
    token = journey.browser.token("/privacy/erase")
    assert journey.browser.post("/privacy/erase/take-back", token=token, form={}).status_code == 303
    assert erasure_of(journey).state == ErasureState.TAKEN_BACK


def test_a_company_that_asks_afterwards_is_answered_as_of_what_is_not_there(journey: Journey) -> None:
    paid = journey.deliver(number="p-1")
    journey.worker.run_until_idle()
    with journey.services.reading() as uow:
        invoice_id = uow.session.scalars(select(Invoice.id).where(Invoice.bill_id == paid.bill_id)).one()
    journey.pay(invoice_id)
    journey.wait(600)
    assert erase(journey).state == ErasureState.ERASED
    with pytest.raises(NotFound):
        proof_for_biller(journey.services, bill_id=paid.bill_id, biller_id=journey.biller.id)
