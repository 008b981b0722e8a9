"""A customer erases their space: nothing of them is left in any table, file or line of the log, what proves payments
stays until its time is over, and the log still holds."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import JSON, LargeBinary, Text, and_, func, inspect, literal, select, text, type_coerce, update
from sqlalchemy.types import TypeEngine
from werkzeug.test import TestResponse

from app.audit.sequencer import number_waiting
from app.audit.verify import verify
from app.cli import main
from app.invariants import check
from app.journey.connections.models import Connection
from app.journey.erasure import service as erasure
from app.journey.erasure.holdings import HOLDINGS
from app.journey.erasure.models import Erasure
from app.journey.erasure.sealing import seal_old
from app.journey.erasure.states import ErasureState
from app.journey.intake import originals
from app.journey.intake.models import DeliveredBill
from app.journey.payments.states import PaymentState
from app.people.models import Customer, CustomerSession, Passkey
from app.schedule import Schedule
from app.tables import metadata
from consent.private import (
    ERASED,
    KeyKind,
    Private,
    PrivateBytes,
    PrivateJSON,
    PrivateText,
    is_sealed,
    keys_behind,
    opened,
)
from consent.vault import VaultError
from tests.functional.test_answers import say, token_of
from tests.support import factories, own_bills
from tests.support.journey import Browser, Journey

DAYS_TO_TAKE_BACK = dt.timedelta(days=3).total_seconds()
#: in every field that a person, or a company for them, fills in. Nothing of it may be left at once
PROFILE = (
    "zoëcanary",
    "canarymail",
    "canaryline",
    "canarynote",
    "canarywords",
    "canarypayday",
    "canaryowner",
    "canaryinvite",
    "canaryunpaid",
    "canaryfile",
    "canaryagent",
)
#: and this once payments need not be proved any more
RECORD = ("canarypaid", "canaryreference", "canaryorder")


@pytest.fixture
def lived(journey: Journey) -> Journey:
    """Somebody who used what there is."""
    browser = Browser.of(journey.app)
    browser.client.environ_base["HTTP_USER_AGENT"] = "canaryagent/1.0"
    browser.sign_up(name="Zoëcanary Martin", email="zoe.canarymail@example.org")
    with journey.services.reading() as uow:
        customer = uow.session.scalars(select(Customer).order_by(Customer.id.desc()).limit(1)).one()
    address = factories.connect(journey.services, customer_id=customer.id, biller_id=journey.biller.id)
    theirs = dataclasses.replace(journey, browser=browser, customer=customer, address=address)
    said = {
        "note": "canarynote of this bill",
        "lines": [{"description": "canaryline", "quantity": "1", "amount": "84.20"}],
    }
    paid = theirs.bill(number="canarypaid-1", reference="canaryreference", order_reference="canaryorder-9", **said)
    theirs.pay(paid)
    theirs.wait(120)
    disputed = theirs.bill(number="canaryunpaid-2", reference="canaryunpaid", **said)
    say(theirs, disputed, "disputed", words="canarywords: this is not what I bought")
    own_bills.add(browser, payee="Canaryowner Plumbing", number="canaryunpaid-3", reference="canaryunpaid")
    money = token_of(browser.page("/money"))
    have = {"balance": "500", "floor": "0", "currency": "EUR"}
    assert browser.post("/money", token=money, form=have).status_code == 303
    day = str(theirs.clock().date() + dt.timedelta(days=3))
    form = {"name": "canarypayday", "amount": "1000", "every": "once", "next_on": day}
    assert browser.post("/money/paydays", token=money, form=form).status_code == 303
    form = {"name": "Canaryinvite Ltd", "reference": "canaryinvite-1"}
    browser.post("/companies/invite", token=browser.token("/companies/invite"), form=form)
    theirs.wait(5)
    return theirs


def ask(journey: Journey) -> TestResponse:
    browser = journey.browser
    token = browser.token("/privacy/erase")
    started = browser.post("/privacy/erase/ceremony", token=token, data={}).get_json()
    form = {"ceremony": started["ceremony"], "credential": json.dumps(browser.device.sign(started["publicKey"]))}
    return browser.post("/privacy/erase", token=token, form=form)


def erase(journey: Journey) -> Erasure:
    answer = ask(journey)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/privacy/erase"), answer.text
    assert erasure_of(journey).state == ErasureState.WAITING
    go_on(journey)
    assert erasure_of(journey).state == ErasureState.WAITING
    journey.wait(DAYS_TO_TAKE_BACK)
    go_on(journey)
    return erasure_of(journey)


def go_on(journey: Journey) -> None:
    """All that the worker does by the clock, and what follows."""
    journey.wait(5)
    Schedule(journey.services).run_due()
    journey.wait(5)


def erasure_of(journey: Journey) -> Erasure:
    with journey.services.reading() as uow:
        return uow.session.scalars(select(Erasure).order_by(Erasure.id.desc()).limit(1)).one()


def dumped(journey: Journey) -> str:
    """Every value of every row, as the database has it; of SQLite also the file itself."""
    engine = journey.services.engine
    found = []
    with engine.connect() as connection:
        for table in inspect(connection).get_table_names():
            for row in connection.execute(text(f"SELECT * FROM {table}")):  # noqa: S608  # our names
                found += [
                    bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value)
                    for value in row
                ]
        connection.rollback()
    if engine.dialect.name == "sqlite":
        with engine.connect().execution_options(read_only=True) as connection:
            raw = connection.connection.driver_connection
            assert raw is not None
            connection.rollback()
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            raw.execute("VACUUM")
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with open(str(engine.url.database), "rb") as file:  # noqa: PTH123
            found.append(file.read().decode("utf-8", "replace"))
    return "\n".join(found).lower()


def left(journey: Journey, canaries: tuple[str, ...]) -> list[str]:
    there = dumped(journey)
    return [canary for canary in canaries if canary in there or canary.encode("unicode_escape").decode() in there]


def is_clean(journey: Journey) -> None:
    """The invariants hold, and so does the log."""
    number_waiting(journey.services)
    assert check(journey.services.engine, now=journey.clock()) == []
    with journey.services.engine.connect() as connection:
        found = verify(connection, journey.services.keys.log.verifier)
        connection.rollback()
    assert found.wrong == []


def test_nothing_is_left_of_who_it_was_and_later_nothing_of_what_they_paid(
    lived: Journey, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    there = dumped(lived)
    for canary in ("canaryunpaid-2", "canarypaid-1"):  # else this would prove nothing
        assert canary in there
    erased = erase(lived)
    assert (erased.state, erased.profile_gone_at is not None) == (ErasureState.ERASED, True)
    assert erased.keep_until is not None
    assert (erased.keep_until - lived.clock()).days in range(1825, 1831)
    assert left(lived, PROFILE) == []
    assert left(lived, RECORD) == list(RECORD)
    is_clean(lived)
    with lived.services.reading() as uow:
        customer = uow.session.get_one(Customer, lived.customer.id)
        assert (customer.name, customer.email) == (ERASED, ERASED)
        for table in (Passkey, CustomerSession):
            assert not uow.session.scalars(select(table).where(table.customer_id == customer.id)).all()
    assert lived.browser.get("/bills").status_code in (302, 303)
    assert not [canary for canary in (*PROFILE, *RECORD) if canary in caplog.text.lower()]

    lived.wait(dt.timedelta(days=9).total_seconds())  # what was under way to somebody
    go_on(lived)
    assert erasure_of(lived).swept_at is not None
    lived.wait(dt.timedelta(days=1831).total_seconds())
    go_on(lived)
    forgotten = erasure_of(lived)
    assert (forgotten.state, forgotten.record_gone_at is not None) == (ErasureState.FORGOTTEN, True)
    assert left(lived, (*PROFILE, *RECORD)) == []
    is_clean(lived)


def test_a_copy_of_before_opens_nothing_once_the_keys_are_gone(lived: Journey) -> None:
    """As a backup of the database would be read, with the keys of today."""
    with lived.services.reading() as uow:
        bills = uow.session.scalars(select(DeliveredBill).where(DeliveredBill.customer_id == lived.customer.id)).all()
    lived.services.customer_keys.destroy(lived.customer.id, KeyKind.PROFILE)
    with lived.services.reading() as uow:
        assert uow.session.get_one(Customer, lived.customer.id).name is ERASED
        for bill in bills:
            with pytest.raises(VaultError, match="was erased"):
                originals.content_of(lived.services.vault, uow.session, bill)


def test_others_keep_all_of_theirs(journey: Journey, lived: Journey) -> None:
    mine = journey.bill(number="canarypaid-1x", note="a canarynote of mine")
    erase(lived)
    journey.browser.sign_in()
    assert "a canarynote of mine" in journey.browser.page(f"/bills/{mine}").get_text()
    is_clean(journey)


def test_who_never_paid_leaves_nothing_that_must_stay(journey: Journey) -> None:
    journey.bill(number="canaryunpaid", reference="canaryreference")
    erased = erase(journey)
    assert erased.state == ErasureState.FORGOTTEN
    assert left(journey, ("canaryunpaid", "canaryreference", "camille@example.org")) == []
    is_clean(journey)


def test_for_three_days_it_can_be_taken_back(journey: Journey) -> None:
    assert ask(journey).status_code == 303
    page = journey.browser.page("/privacy/erase")
    assert "It is erased on" in page.get_text()
    answer = journey.browser.post("/privacy/erase/take-back", token=token_of(page), form={})
    assert answer.status_code == 303
    assert erasure_of(journey).state == ErasureState.TAKEN_BACK
    go_on(journey)
    assert journey.browser.page("/bills").select("h1")


def test_the_end_of_what_was_under_way_sets_it_off(journey: Journey) -> None:
    payment_id = journey.pay(journey.bill())
    assert ask(journey).status_code == 303
    for _ in range(80):
        journey.wait(3600)
        erasure.go_on(journey.services)
    assert journey.payment(payment_id).state == PaymentState.SETTLED
    assert erasure_of(journey).state == ErasureState.ERASED


def test_whoever_lifts_the_stop_stays(journey: Journey) -> None:
    assert ask(journey).status_code == 303
    token = journey.browser.token("/stop")
    started = journey.browser.post("/stop/lift/ceremony", token=token, data={}).get_json()
    signed = json.dumps(journey.browser.device.sign(started["publicKey"]))
    form = {"ceremony": started["ceremony"], "credential": signed}
    assert journey.browser.post("/stop/lift", token=token, form=form).status_code == 303
    journey.wait(DAYS_TO_TAKE_BACK)
    go_on(journey)
    assert erasure_of(journey).state == ErasureState.TAKEN_BACK


def test_who_dies_on_the_way_is_followed_by_whoever_comes_next(lived: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the rows and before the key; and after the key and before it is written down."""
    assert ask(lived).status_code == 303
    lived.wait(DAYS_TO_TAKE_BACK)
    destroy = type(lived.services.customer_keys).destroy

    def dies(*_: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(type(lived.services.customer_keys), "destroy", dies)
    erasure.go_on(lived.services)
    assert (erasure_of(lived).state, erasure_of(lived).profile_gone_at) == (ErasureState.ERASED, None)
    monkeypatch.setattr(type(lived.services.customer_keys), "destroy", destroy)
    lived.services.customer_keys.destroy(lived.customer.id, KeyKind.PROFILE)
    erasure.go_on(lived.services)
    assert erasure_of(lived).profile_gone_at is not None
    assert left(lived, PROFILE) == []
    is_clean(lived)


def test_a_stolen_session_erases_nothing(journey: Journey) -> None:
    token = journey.browser.token("/privacy/erase")
    answer = journey.browser.post("/privacy/erase", token=token, form={"ceremony": "", "credential": "{}"})
    assert answer.status_code in (400, 422)
    with journey.services.reading() as uow:
        assert uow.session.scalar(select(func.count()).select_from(Erasure)) == 0


def test_the_page_says_what_is_open_and_what_has_to_stay(journey: Journey) -> None:
    journey.bill()
    said = journey.browser.page("/privacy/erase").get_text(" ", strip=True)
    assert "1 bill is still to be paid" in said
    assert "Nothing. You have paid no bill from here." in said
    journey.pay(journey.bill(number="2"))
    journey.wait(120)
    said = journey.browser.page("/privacy/erase").get_text(" ", strip=True)
    assert "What proves your payments stays for 5 years" in said
    assert "authority for data protection of your country" in said


def test_a_company_is_told_that_they_left_and_delivers_nothing_more(lived: Journey) -> None:
    erase(lived)
    with lived.services.reading() as uow:
        rows = uow.session.scalars(select(Connection).where(Connection.customer_id == lived.customer.id)).all()
        assert [(row.state, row.reference) for row in rows] == [("left", None)]
        assert lived.address not in {row.address for row in rows}


def test_what_an_older_release_wrote_in_clear_goes_as_well(journey: Journey) -> None:
    invoice_id = journey.bill()
    with journey.services.engine.begin() as connection:
        connection.execute(text("UPDATE invoice SET note = 'canaryclear' WHERE id = :id"), {"id": invoice_id})
        connection.execute(text("UPDATE customer SET name = 'canaryclear'"))
    assert "canaryclear" in journey.browser.page(f"/bills/{invoice_id}").get_text()
    erase(journey)
    assert left(journey, ("canaryclear",)) == []


def test_every_table_is_in_the_record_of_processing() -> None:
    """And no private column is in one of which nobody knows whose its rows are."""
    assert HOLDINGS.keys() == metadata.tables.keys()
    for table in metadata.tables.values():
        if any(isinstance(column.type, Private) for column in table.columns):
            assert HOLDINGS[table.name].whose, table.name
        for each in (*HOLDINGS[table.name].emptied, *HOLDINGS[table.name].forgotten):
            assert each in table.columns, f"{table.name}.{each}"
        has_customer = "customer_id" in table.columns or table.name == "customer"
        assert not has_customer or "customer" in HOLDINGS[table.name].whose, f"{table.name}: whose is it?"


def test_the_record_is_printed_from_the_tables(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUITTANCE_DEMO", "true")
    assert main(["privacy", "record"]) == 0
    said = capsys.readouterr().out
    for name in metadata.tables:
        assert f"| {name} |" in said
    assert "| customer | name, e-mail address, language, time zone | profile: name, email |" in said
    assert "for 5 years after a space was erased" in said


def in_clear(journey: Journey) -> None:
    """The database as an older release has left it, but for the documents."""
    keys = keys_behind(journey.services.engine.dialect)
    with journey.services.engine.begin() as connection:
        for table in metadata.sorted_tables:
            private = {
                column.name: STORED[type(column.type)] for column in table.columns if type(column.type) in STORED
            }
            raw = [type_coerce(table.c[name], stored).label(name) for name, (stored, _) in private.items()]
            for row in connection.execute(select(*table.primary_key, *raw)).mappings().all():
                values = {}
                for name, (stored, plain) in private.items():
                    found = opened(keys, row[name]) if is_sealed(row[name]) else None
                    if found is not None:
                        values[name] = literal(plain(found), stored)
                if values:
                    key = and_(*(column == row[column.name] for column in table.primary_key))
                    connection.execute(update(table).where(key).values(values))
        connection.execute(update(Customer).values(mailbox_key=None))


#: how each kind of private column lies in the database, and what stood there in clear
STORED: dict[type[Any], tuple[TypeEngine[Any], Callable[[bytes], Any]]] = {
    PrivateText: (Text(), bytes.decode),
    PrivateJSON: (JSON(), json.loads),
    PrivateBytes: (LargeBinary(), bytes),
}


def test_what_older_releases_wrote_in_clear_is_sealed_while_everything_runs(lived: Journey) -> None:
    in_clear(lived)
    assert set(left(lived, ("canarynote", "canaryline", "canarywords", "canarymail"))) != set()
    page = lived.browser.get("/bills").text
    assert seal_old(lived.services) == 2
    assert left(lived, ("canarynote", "canaryline", "canarywords", "canarymail", "zoëcanary")) == []
    assert lived.browser.get("/bills").text.count("canarypaid") == page.count("canarypaid")
    assert seal_old(lived.services) == 0
    is_clean(lived)
    erase(lived)
    assert left(lived, PROFILE) == []
    is_clean(lived)
