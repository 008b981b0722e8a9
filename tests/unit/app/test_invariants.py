"""Each invariant is silent where all is well, and fires when the one thing is spoilt that it watches over.

The tables here are bare, without a single constraint: what the database itself would refuse must be noticed as well.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pysqlite3 import dbapi2
from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Engine,
    LargeBinary,
    MetaData,
    Table,
    Text,
    and_,
    create_engine,
    delete,
    insert,
    make_url,
    select,
    text,
    update,
)
from sqlalchemy.types import TypeEngine

from app.db.engine import make_engine
from app.invariants import INVARIANTS, found, ledger
from app.journey.invoices.rules import discount_left
from app.tables import metadata
from consent.private import Private, PrivateBytes, PrivateJSON
from tests.bench import stories
from tests.bench.stories import Lived
from tests.support.books import filled, tables_of

pytestmark = pytest.mark.slow  # it lives through many payments first

BARE = MetaData()


def in_clear(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """Whoever may do anything reads what is sealed as well."""
    if isinstance(kind, PrivateJSON):
        return JSON()
    return (LargeBinary() if isinstance(kind, PrivateBytes) else Text()) if isinstance(kind, Private) else kind


for table in metadata.sorted_tables:
    Table(table.name, BARE, *(Column(column.name, in_clear(column.type)) for column in table.columns))

SECOND, HOUR = dt.timedelta(seconds=1), dt.timedelta(hours=1)
Row = dict[str, Any]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """A few payments in which there is something of everything."""
    return stories.live(
        tmp_path_factory.mktemp("lived"),
        old=(
            stories.settled,
            stories.settled_early,
            stories.refused_by_the_customer,
            stories.paid_twice,
            stories.settled_and_taken_back,
            stories.corrected,
            stories.not_paid_here,
        ),
        recent=(),
        open_=stories.OPEN,
    )


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def bare(request: pytest.FixtureRequest, lived: Lived, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The lived rows in tables that forbid nothing."""
    if request.param == "sqlite":
        engine = make_engine(f"sqlite:///{tmp_path_factory.mktemp('bare') / 'bare.sqlite3'}")
    else:
        admin_url = request.getfixturevalue("postgres_template")
        admin = create_engine(admin_url, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text("CREATE DATABASE bare"))
        admin.dispose()
        engine = make_engine(make_url(admin_url).set(database="bare").render_as_string(hide_password=False))
    BARE.create_all(engine)
    with engine.begin() as connection:
        for table in BARE.sorted_tables:
            if rows := lived.rows[table.name]:
                connection.execute(insert(table), rows)
    yield engine
    engine.dispose()


@dataclass(frozen=True)
class Books:
    """The tables, in the hands of somebody who may do anything."""

    connection: Connection
    now: dt.datetime

    def one(self, table: str, where: str) -> Row:
        """The first such row."""
        there = BARE.tables[table]
        query = select(there).where(text(where)).order_by(*self._key(table)).limit(1)
        return dict(self.connection.execute(query).mappings().one())

    def payment(self, state: str, more: str = "1 = 1") -> Row:
        return self.one("payment", f"state = '{state}' AND {more}")

    def of(self, table: str, payment: Row, more: str = "1 = 1") -> Row:
        """What belongs to a payment."""
        column = {"trip": "id", "decision": "id"}.get(table, "payment_id")
        key = {"trip": "trip_id", "decision": "decision_id"}.get(table, "id")
        return self.one(table, f"{column} = '{payment[key]}' AND {more}")

    def of_consent(self, payment: Row) -> Row:
        return self.one("consent", f"id = '{payment['consent_id']}'")

    def change(self, table: str, row: Row, **values: Any) -> None:
        self.connection.execute(update(BARE.tables[table]).where(self._is(table, row)).values(values))

    def copy(self, table: str, row: Row, **values: Any) -> None:
        self.connection.execute(insert(BARE.tables[table]).values({**row, **values}))

    def drop(self, table: str, row: Row) -> None:
        self.connection.execute(delete(BARE.tables[table]).where(self._is(table, row)))

    def _is(self, table: str, row: Row) -> Any:
        return and_(*(column == row[column.name] for column in self._key(table)))

    def _key(self, table: str) -> list[Column[Any]]:
        return [BARE.tables[table].c[column.name] for column in metadata.tables[table].primary_key]


WITHDRAWN = "id IN (SELECT invoice_id FROM correction WHERE kind = 'withdrawal')"
Spoil = Callable[[Books], None]
#: invariant → what breaks it, and which others cannot but notice it as well
SPOILT: dict[str, list[tuple[Spoil, frozenset[str]]]] = {}


def _breaks(name: str, *others: str) -> Callable[[Spoil], Spoil]:
    def keep(spoil: Spoil) -> Spoil:
        SPOILT.setdefault(name, []).append((spoil, frozenset(others)))
        return spoil

    return keep


@_breaks("N1")
def paid_while_it_was_declined(books: Books) -> None:
    taken_back = books.one("bill_answer", "state = 'withdrawn' AND invoice_id IN (SELECT invoice_id FROM payment)")
    books.change("bill_answer", taken_back, ended_at=taken_back["ended_at"] + HOUR)


@_breaks("N2")
def aside_without_a_word(books: Books) -> None:
    books.change("invoice", books.one("invoice", "state = 'to_pay' AND NOT is_set_aside"), is_set_aside=True)


@_breaks("N2")
def declined_and_still_to_be_paid(books: Books) -> None:
    books.change("invoice", books.one("invoice", "state = 'to_pay' AND is_set_aside"), is_set_aside=False)


@_breaks("N7")
def a_disputed_line_is_left_to_pay(books: Books) -> None:
    waiting = books.one(
        "bill_answer",
        "state = 'open' AND kind <> 'more_time' AND invoice_id IN (SELECT id FROM invoice WHERE state = 'to_pay')",
    )
    books.change("bill_answer", waiting, kind="disputed", disputed_minor=1)


@_breaks("N3")
def more_time_than_anybody_gave(books: Books) -> None:
    later = books.one("invoice", "extended_to IS NOT NULL")
    books.change("invoice", later, extended_to=later["extended_to"] + 24 * HOUR)


@_breaks("N4", "N2")
def declined_and_cleared(books: Books) -> None:
    accepted = books.one("bill_answer", "state = 'accepted' AND kind = 'paid_elsewhere'")
    books.change("bill_answer", accepted, state="open")


@_breaks("N5")
def a_yes_that_takes_nothing_off(books: Books) -> None:
    refused = books.one("bill_answer", "state = 'refused'")
    books.change("bill_answer", refused, state="accepted")


@_breaks("N6")
def nobody_noticed_that_no_reply_came(books: Books) -> None:
    waiting = books.one("bill_answer", "state = 'open'")
    books.change("bill_answer", waiting, reply_by=waiting["reply_by"] - 400 * HOUR)


@_breaks("Y1")
def a_part_of_a_plan_without_an_amount(books: Books) -> None:
    first = books.one("plan_day", "number = 1 AND minor IS NOT NULL")
    books.change("plan_day", first, minor=None)


@_breaks("Y1")
def days_of_a_plan_out_of_order(books: Books) -> None:
    second = books.one("plan_day", "number = 2")
    books.change("plan_day", second, pay_on=second["pay_on"] - 2000 * HOUR)


@_breaks("Y1")
def more_planned_than_was_left(books: Books) -> None:
    plan = books.one("plan", "state = 'kept'")
    books.change("plan", plan, left_minor=1)


@_breaks("Y2")
def a_plan_that_nobody_looks_at(books: Books) -> None:
    books.change("plan_day", books.one("plan_day", "look_at IS NOT NULL"), look_at=None)


@_breaks("Y2")
def a_plan_that_is_over_and_looked_at(books: Books) -> None:
    over = books.one("plan_day", "look_at IS NULL")
    books.change("plan_day", over, look_at=books.now + HOUR)


@_breaks("Y3")
def asked_too_early(books: Books) -> None:
    asked = books.one("plan_day", "number = 1 AND state = 'missed' AND minor IS NULL")
    books.change("plan_day", asked, pay_on=asked["pay_on"] + 24 * HOUR)


@_breaks("Y5")
def a_yes_to_instalments_without_a_plan(books: Books) -> None:
    books.change("plan", books.one("plan", "answer_id IS NOT NULL"), answer_id=None)


@_breaks("Y5")
def a_plan_that_ends_later_than_was_agreed(books: Books) -> None:
    plan = books.one("plan", "answer_id IS NOT NULL")
    last = books.one("plan_day", f"plan_id = '{plan['id']}' AND minor IS NULL")
    books.change("plan_day", last, pay_on=last["pay_on"] + 24 * HOUR)


@_breaks("Y4")
def a_day_that_was_forgotten(books: Books) -> None:
    waiting = books.one("plan_day", "look_at IS NOT NULL")
    books.change("plan_day", waiting, look_at=books.now - 2 * HOUR)


def _said_of(books: Books, about: str = "payment", **changes: Any) -> None:
    """Its customer said whether it was easy."""
    where = {"payment": "state = 'settled' AND biller_id IS NOT NULL", "dispute": "biller_id IS NOT NULL"}
    of = books.one({"payment": "payment", "dispute": "bill_answer"}[about], where[about])
    both = {"customer_id": of["customer_id"], "biller_id": of["biller_id"]}
    books.copy("opinion", {"subject_id": of["id"], "about": about, "word": "yes", "at": books.now, **both}, **changes)


@_breaks("O1")
def an_opinion_of_a_payment_that_never_settled(books: Books) -> None:
    _said_of(books, subject_id=books.payment("rejected", "biller_id IS NOT NULL")["id"])


@_breaks("O1")
def an_opinion_of_nothing(books: Books) -> None:
    _said_of(books, subject_id="pay_x")


@_breaks("O1")
def an_opinion_of_somebody_elses_payment(books: Books) -> None:
    _said_of(books, customer_id="cus_x")


@_breaks("O1")
def an_opinion_of_another_company(books: Books) -> None:
    _said_of(books, biller_id="blr_x")


@_breaks("O1")
def an_opinion_of_what_is_no_answered_dispute(books: Books) -> None:
    _said_of(books, "dispute", subject_id=books.one("bill_answer", "kind <> 'disputed'")["id"])


def _given_back(books: Books) -> tuple[Row, Row]:
    """As if two refunds were promised of a bill long ago, before there was a log; an account was released for the
    second, which was sent, and all were well. Their rows."""
    bill = books.one("invoice", "biller_id IS NOT NULL")
    same = {name: bill[name] for name in ("customer_id", "biller_id", "currency")}
    at, day = books.now - 5000 * HOUR, (books.now - 5000 * HOUR).date()
    terms = {"invoice_id": bill["id"], "owed_minor": 3000, "promised_by": day, "said_at": at}
    rows = []
    for number, steps in ((1, ("promise", "arrive")), (2, ("promise", "release", "send"))):
        refund_id, before = f"rfd_{number}", None
        for sequence, step in enumerate(steps, 1):
            state = {"promise": "promised", "arrive": "received", "send": "sent"}.get(step, before)
            line = {"refund_id": refund_id, "sequence": sequence, "step": step, "before": before, "after": state}
            source = "customer" if step in ("arrive", "release") else "biller"
            books.copy("refund_history", line, source=source, at=at + sequence * HOUR)
            before = state
        row = {
            "id": refund_id,
            "number": number,
            "amount_minor": number * 1000,
            "state": before,
            "sequence": len(steps),
        }
        books.copy("refund", row, **same, **terms)
        rows.append(row)
    account = {"id": "rfa_2", "refund_id": "rfd_2", "state": "released", "released_at": at, "mask": "····0189"}
    books.copy("refund_account", account, erase_at=books.now + HOUR)
    books.copy("sealed", {"id": "refund:rfa_2", "box": b"x", "created_at": at})
    return rows[0], rows[1]


@_breaks("J1")
def more_is_promised_than_is_owed(books: Books) -> None:
    _, second = _given_back(books)
    books.change("refund", second, owed_minor=2999)


@_breaks("J1")
def what_was_taken_back_later_counts_until_then(books: Books) -> None:
    first, second = _given_back(books)
    books.change("refund_history", {"refund_id": first["id"], "sequence": 2}, step="withdraw", after="withdrawn")
    books.change("refund_history", {"refund_id": first["id"], "sequence": 2}, source="biller")
    books.change("refund", first, state="withdrawn")
    books.change("refund", second, amount_minor=2001)


@_breaks("J2")
def a_refund_of_another_customer(books: Books) -> None:
    books.change("refund", _given_back(books)[0], customer_id="cus_x")


@_breaks("J2")
def a_refund_in_another_currency(books: Books) -> None:
    books.change("refund", _given_back(books)[0], currency="GBP")


@_breaks("J3")
def received_without_a_word(books: Books) -> None:
    books.change("refund", _given_back(books)[1], state="missing")


@_breaks("J3")
def a_line_of_a_refund_is_gone(books: Books) -> None:
    books.drop("refund_history", {"refund_id": _given_back(books)[1]["id"], "sequence": 1})


@_breaks("J3")
def a_line_of_a_refund_too_many(books: Books) -> None:
    first, _ = _given_back(books)
    line = books.one("refund_history", f"refund_id = '{first['id']}' AND sequence = 2")
    books.copy("refund_history", line, sequence=3, before="received", after="received")


@_breaks("J4")
def a_company_says_that_it_has_arrived(books: Books) -> None:
    books.change("refund_history", {"refund_id": _given_back(books)[0]["id"], "sequence": 2}, source="biller")


@_breaks("J4")
def sending_it_makes_it_received(books: Books) -> None:
    first, _ = _given_back(books)
    books.change("refund_history", {"refund_id": first["id"], "sequence": 2}, step="send", source="biller")


@_breaks("J5")
def a_number_outlives_its_account(books: Books) -> None:
    _given_back(books)
    books.change("refund_account", {"id": "rfa_2"}, state="taken_back")


@_breaks("J6")
def the_number_of_a_released_account_is_gone(books: Books) -> None:
    _given_back(books)
    books.drop("sealed", {"id": "refund:rfa_2"})


@_breaks("J5", "J6")
def an_account_outlives_its_refund(books: Books) -> None:
    _, second = _given_back(books)
    line = {"refund_id": second["id"], "sequence": 3}
    books.change("refund_history", line, step="arrive", after="received", source="customer")
    books.change("refund", second, state="received")


@_breaks("J7")
def an_account_that_nobody_erased(books: Books) -> None:
    _given_back(books)
    books.change("refund_account", {"id": "rfa_2"}, erase_at=books.now - 3 * HOUR)


@_breaks("J8")
def nobody_noticed_that_nothing_was_sent(books: Books) -> None:
    first, _ = _given_back(books)
    books.drop("refund_history", {"refund_id": first["id"], "sequence": 2})
    books.change("refund", first, state="promised", sequence=1)


@_breaks("A1")
def a_step_that_nobody_took(books: Books) -> None:
    books.change("connection", books.one("connection", "state = 'active'"), sequence=2)


@_breaks("A2")
def connected_without_a_yes(books: Books) -> None:
    books.change("connection_history", books.one("connection_history", "step = 'bring_over'"), source="biller")


@_breaks("A3")
def delivered_after_its_customer_left(books: Books) -> None:
    connection = books.one("connection", "state = 'active'")
    first = books.one("delivered_bill", "1 = 1")
    books.change("connection", connection, state="left", sequence=2)
    gone = {"step": "leave", "before": "active", "after": "left", "source": "customer"}
    at = first["delivered_at"] - 2 * HOUR
    history = books.one("connection_history", f"connection_id = '{connection['id']}'")
    books.copy("connection_history", history, sequence=2, at=at, **gone)


@_breaks("A4")
def one_code_two_billers(books: Books) -> None:
    code = {"id": "cod_x", "redemption_id": "rdm_x", "code_hash": "x", "used_at": books.now}
    books.copy("connection_code", code)
    books.copy("connection_code", code, id="cod_y")


@_breaks("A5")
def a_code_that_nobody_looked_at(books: Books) -> None:
    books.copy("redemption", {"id": "rdm_x", "presented_at": books.now})


@_breaks("B1", "B7", "B10", "F4")
def more_is_paid_than_was_billed(books: Books) -> None:
    line = books.one("ledger_entry", f"posting = 'initiated:{books.payment('settled')['id']}' AND account LIKE 'due:%'")
    books.change("ledger_entry", line, amount_minor=line["amount_minor"] - 1)
    books.copy("ledger_entry", line, id=10**6, account="adjust:nobody", amount_minor=1)


@_breaks("F2", "B3", "F3")
def more_is_paid_than_was_posted(books: Books) -> None:
    payment = books.payment("settled")
    books.change("payment", payment, amount_minor=payment["amount_minor"] + 1)
    books.change("decision", books.of("decision", payment), amount_minor=payment["amount_minor"] + 1)


@_breaks("B2")
def the_payment_came_before_the_decision(books: Books) -> None:
    payment = books.payment("settled")
    books.change("payment", payment, created_at=payment["created_at"] - HOUR)


@_breaks("B3", "P3")
def another_account_was_decided_on(books: Books) -> None:
    books.change("decision", books.of("decision", books.payment("settled")), payee_iban="GB33BUKB20201555555555")


@_breaks("B4", "B2", "D1", "E11")
def one_decision_two_payments(books: Books) -> None:
    books.copy("payment", books.payment("rejected"), id="pay_x")


@_breaks("B6")
def one_number_two_invoices(books: Books) -> None:
    one = books.one("invoice", "state = 'paid'")
    books.change("invoice", books.one("invoice", "state = 'to_pay'"), number=one["number"])


@_breaks("B7")
def paid_and_still_in_payment(books: Books) -> None:
    books.change("invoice", books.one("invoice", "state = 'paid'"), state="in_payment")


@_breaks("B8", "B7")
def paid_and_offered_again(books: Books) -> None:
    books.change("invoice", books.one("invoice", "state = 'paid'"), state="to_pay")


@_breaks("B21", "G6", "H2")
def two_parts_at_once(books: Books) -> None:
    waiting = books.of("decision", books.payment("awaiting_customer", f"{NOT_GONE} AND biller_id IS NOT NULL"))
    books.copy("decision", waiting, id="dec_z", payment_id="pay_z", decided_at=waiting["decided_at"] + SECOND)


@_breaks("B22")
def paid_in_parts_beside_what_may_have_happened(books: Books) -> None:
    closed = books.payment("rejected", "trip_id IN (SELECT id FROM trip WHERE left_at IS NOT NULL)")
    books.change("invoice", books.one("invoice", f"id = '{closed['invoice_id']}'"), may_have_been_paid=False)


@_breaks("B22", "D3")
def paid_in_parts_beside_what_its_bank_may_have(books: Books) -> None:
    """It never said so, and names no way to approve it, perhaps."""
    closed = books.payment("rejected", "trip_id IN (SELECT id FROM trip WHERE left_at IS NOT NULL)")
    trip = books.of("trip", closed)
    books.change("trip", trip, left_at=None)
    call = books.of("bank_call", closed, "verb = 'initiate'")
    books.change("bank_attempt", books.one("bank_attempt", f"call_id = '{call['id']}'"), outcome="BankSilent")
    books.change("invoice", books.one("invoice", f"id = '{closed['invoice_id']}'"), may_have_been_paid=False)


@_breaks("B9", "B7")
def under_way_and_offered(books: Books) -> None:
    waiting = books.payment("awaiting_customer", NOT_GONE)
    books.change("invoice", books.one("invoice", f"id = '{waiting['invoice_id']}'"), state="to_pay")


@_breaks("B10", "F4")
def less_than_nothing_of_its_bill(books: Books) -> None:
    closed = books.payment("rejected")
    line = books.one("ledger_entry", f"posting = 'released:{closed['id']}' AND account LIKE 'due:%'")
    for number, account in ((1, line["account"]), (-1, "adjust:nobody")):
        entry = {"posting": f"released:{closed['id']}:9", "account": account, "amount_minor": number}
        books.copy("ledger_entry", line, id=10**6 + number, **entry)


@_breaks("B11", "B7")
def cleared_and_something_is_asked(books: Books) -> None:
    books.change("invoice", books.one("invoice", "state = 'to_pay'"), state="cleared")


@_breaks("B12", "B7", "F3", "F10")
def withdrawn_and_asked_for(books: Books) -> None:
    books.change("invoice", books.one("invoice", WITHDRAWN), credited_minor=0, state="to_pay")


@_breaks("B13", "D1", "F8", "L1")
def void_and_waiting_for_its_customer(books: Books) -> None:
    books.change("payment", books.one("payment", "reason = 'bill_corrected'"), state="awaiting_customer")


@_breaks("B13", "D1", "F8", "L1", "C5", "B2", "C13")
def void_and_needs_no_trip(books: Books) -> None:
    payment = books.one("payment", "reason = 'bill_corrected'")
    books.change("payment", payment, state="authorised", submitted_apart=True, trip_id=None, bank_payment_id=None)


@_breaks("B16")
def void_and_given_to_the_bank(books: Books) -> None:
    payment = books.one("payment", "reason = 'bill_corrected'")
    correction = books.one("correction", f"invoice_id = '{payment['invoice_id']}' AND taken_minor > 0")
    call = books.one("bank_call", f"payment_id = '{payment['id']}' AND verb = 'initiate'")
    attempt = books.one("bank_attempt", f"call_id = '{call['id']}' AND number = 1")
    books.change("bank_attempt", attempt, sent_at=correction["applied_at"] + 61 * SECOND)


@_breaks("B14")
def a_new_version_of_nothing(books: Books) -> None:
    books.change("invoice", books.one("invoice", "replaces_id IS NOT NULL"), replaces_id=None)


@_breaks("B18")
def paid_to_an_account_that_nobody_typed(books: Books) -> None:
    check = books.one("payee_check", "id IN (SELECT payee_check_id FROM decision)")
    books.change("payee_check", check, typed_iban="NL91ABNA0417164300")


@_breaks("B19")
def an_own_bill_dressed_as_delivered(books: Books) -> None:
    biller = books.one("biller", "1 = 1")
    books.change("invoice", books.one("invoice", "own_bill_id IS NOT NULL"), biller_id=biller["id"])


@_breaks("B20", "B3", "B18", "F3")
def led_to_pay_it_twice(books: Books) -> None:
    """Its customer added a bill with the same values, and a payment of that which was decided before is under way."""
    waiting = books.payment("awaiting_customer", f"{NOT_GONE} AND biller_id IS NOT NULL")
    bill = books.one("invoice", f"id = '{waiting['invoice_id']}'")
    own = books.payment("awaiting_customer", "biller_id IS NULL")
    same = {name: bill[name] for name in ("payee_iban", "payee_name", "amount_minor", "reference")}
    books.change("invoice", books.one("invoice", f"id = '{own['invoice_id']}'"), **same)
    books.change("decision", books.of("decision", own), decided_at=waiting["created_at"] - HOUR)


@_breaks("B20", "B3", "B18", "F3", "C5", "B2", "C13")
def led_to_pay_it_twice_without_a_trip(books: Books) -> None:
    waiting = books.payment("awaiting_customer", f"{NOT_GONE} AND biller_id IS NOT NULL")
    led_to_pay_it_twice(books)
    books.change("payment", waiting, trip_id=None)


@_breaks("B20", "B3", "B18", "F3", "B14")
def led_to_pay_what_the_new_version_asks_as_well(books: Books) -> None:
    """The bill that its customer added has the values of the one that the delivered one replaces."""
    waiting = books.payment("awaiting_customer", f"{NOT_GONE} AND biller_id IS NOT NULL")
    first = books.one("invoice", "state = 'cleared' AND replaces_id IS NULL AND payee_iban IS NOT NULL")
    books.change("invoice", books.one("invoice", f"id = '{waiting['invoice_id']}'"), replaces_id=first["id"])
    own = books.payment("awaiting_customer", "biller_id IS NULL")
    same = {name: first[name] for name in ("payee_iban", "payee_name", "amount_minor", "reference")}
    books.change("invoice", books.one("invoice", f"id = '{own['invoice_id']}'"), **same)
    books.change("decision", books.of("decision", own), decided_at=waiting["created_at"] - HOUR)


@_breaks("B17")
def offered_though_its_biller_collects_it(books: Books) -> None:
    books.change("invoice", books.one("invoice", "state = 'not_here'"), state="to_pay")


NOT_GONE = "trip_id IN (SELECT id FROM trip WHERE left_at IS NULL) AND submitted_apart = false"


@_breaks("B15", "B14")
def led_to_pay_both(books: Books) -> None:
    """The bill that it replaces, through another one, is in payment."""
    waiting = books.payment("awaiting_customer", NOT_GONE)
    held = books.one("invoice", f"state = 'in_payment' AND id <> '{waiting['invoice_id']}'")
    between = books.one("invoice", "state = 'cleared' AND replaces_id IS NULL")
    books.change("invoice", between, replaces_id=held["id"])
    books.change("invoice", books.one("invoice", f"id = '{waiting['invoice_id']}'"), replaces_id=between["id"])


@_breaks("B15", "B14", "C5", "B2", "C13")
def led_to_pay_both_without_a_trip(books: Books) -> None:
    waiting = books.payment("awaiting_customer", NOT_GONE)
    led_to_pay_both(books)
    books.change("payment", waiting, trip_id=None)


@_breaks("C1")
def two_calls_for_one_thing(books: Books) -> None:
    books.copy("bank_call", books.one("bank_call", "verb = 'initiate'"), id="bnk_x", request_id="another")


@_breaks("C2")
def one_key_two_calls(books: Books) -> None:
    one = books.one("bank_call", "verb = 'initiate'")
    books.change("bank_call", books.one("bank_call", "verb = 'complete'"), request_id=one["request_id"])


@_breaks("C4")
def sent_before_it_was_stored(books: Books) -> None:
    call = books.of("bank_call", books.payment("settled"), "verb = 'complete'")
    books.change("bank_call", call, made_at=call["made_at"] + HOUR)


@_breaks("C5")
def sent_after_the_link_was_given_away(books: Books) -> None:
    payment = books.payment("settled")
    call = books.of("bank_call", payment, "verb = 'initiate'")
    attempt = books.one("bank_attempt", f"call_id = '{call['id']}'")
    books.change("bank_attempt", attempt, sent_at=books.of("trip", payment)["left_at"] + SECOND)


@_breaks("C5", "D5", "B2", "C13")
@_breaks("D5", "C5", "B2", "C13")
def paid_without_a_trip_and_never_submitted(books: Books) -> None:
    """And given to the bank as if there were a link to come of it."""
    books.change("payment", books.payment("settled"), trip_id=None)


@_breaks("C6")
def sent_again_at_once(books: Books) -> None:
    call = books.of("bank_call", books.payment("settled"), "verb = 'initiate'")
    books.copy("bank_attempt", books.one("bank_attempt", f"call_id = '{call['id']}'"), number=2)


@_breaks("C7")
def not_found_before_the_fence(books: Books) -> None:
    payment = books.payment("rejected")
    line = books.of("payment_history", payment, "after = 'rejected'")
    books.change("payment_history", line, evidence="not_found")
    books.change("payment", payment, fence_at=line["at"])


def submission(books: Books, *after_the_exchange: dt.timedelta) -> None:
    """As if a settled payment had been submitted then."""
    payment = books.payment("settled")
    books.change("payment", payment, submitted_apart=True)
    call = {**books.of("bank_call", payment, "verb = 'initiate'"), "id": "bnk_submit", "verb": "submit"}
    exchanged_at = books.of("trip", payment)["exchanged_at"]
    books.copy("bank_call", {**call, "request_id": "of the submission"}, made_at=exchanged_at - SECOND)
    attempt = books.one("bank_attempt", "number = 1")
    for number, after in enumerate(after_the_exchange, 1):
        sent_at = exchanged_at + after
        books.copy("bank_attempt", {**attempt, "call_id": "bnk_submit", "number": number, "sent_at": sent_at})


@_breaks("C8")
def submitted_before_the_code_was_exchanged(books: Books) -> None:
    submission(books, -SECOND)


@_breaks("C8", "C5", "B2", "C13")
def submitted_before_the_standing_consent_was_approved(books: Books) -> None:
    submitted_before_the_code_was_exchanged(books)
    books.change("payment", books.payment("settled"), trip_id=None)


@_breaks("C9")
def submitted_again_a_day_later(books: Books) -> None:
    payment = books.payment("settled")
    books.change("payment", payment, fence_at=payment["created_at"] + 48 * HOUR)
    submission(books, SECOND, 23 * HOUR + 2 * SECOND)


@_breaks("C10")
def at_the_bank_without_having_been_given_to_it(books: Books) -> None:
    books.change("payment", books.payment("settled"), bank_payment_id="another")


@_breaks("C11")
def submitted_though_its_approval_had_executed_it(books: Books) -> None:
    submission(books, SECOND)
    books.change("payment", books.payment("settled"), submitted_apart=False)


@_breaks("D1")
def a_line_of_the_history_is_gone(books: Books) -> None:
    books.drop("payment_history", books.of("payment_history", books.payment("settled"), "sequence = 2"))


@_breaks("D2")
def corrected_by_our_own_reasoning(books: Books) -> None:
    line = books.one("payment_history", "before = 'rejected' AND after = 'settled'")
    books.change("payment_history", line, source="worker")


@_breaks("D3")
def back_without_having_left(books: Books) -> None:
    books.change("trip", books.of("trip", books.payment("rejected")), left_at=None)


@_breaks("D4")
def a_code_exchanged_twice(books: Books) -> None:
    call = books.of("bank_call", books.payment("settled"), "verb = 'complete'")
    attempt = books.one("bank_attempt", f"call_id = '{call['id']}'")
    books.copy("bank_attempt", attempt, number=2, sent_at=attempt["sent_at"] + 2 * SECOND)


@_breaks("D5")
def paid_and_the_link_was_given_to_nobody(books: Books) -> None:
    books.change("trip", books.of("trip", books.payment("settled")), left_at=None, returned_at=None)


@_breaks("D6")
def a_promise_about_what_is_known(books: Books) -> None:
    books.change("payment", books.payment("settled"), know_by=books.now + HOUR)


@_breaks("E4")
def somebody_elses_trip(books: Books) -> None:
    books.change("trip", books.of("trip", books.payment("settled")), customer_id="cus_x")


@_breaks("E4", "C5", "D5", "B2", "C13")
def under_somebody_elses_consent(books: Books) -> None:
    payment = books.payment("settled")
    books.change("payment", payment, trip_id=None)
    books.change("consent", books.of_consent(payment), customer_id="cus_x")


def _standing(books: Books) -> Row:
    """A standing consent that waits to be approved, of the customer and biller of a settled payment. Its row. It is
    older than what is looked for in the log."""
    payment = books.payment("settled")
    head = books.of_consent(payment)
    books.copy("consent", head, id="con_x", kind="standing", state="awaiting", bank_consent_id="vrp-1")
    books.copy("shown_text", {"sha256": "x"})
    standing = {"consent_id": "con_x", "customer_id": head["customer_id"], "bank_id": head["bank_id"]}
    long_ago = books.now - 72 * HOUR
    books.copy("standing", standing, biller_id=payment["biller_id"], shown_hash="x", agreed_at=long_ago, sequence=2)
    line = {"consent_id": "con_x", "at": long_ago}
    books.copy("consent_history", line, sequence=1, step="agree", after="prepared")
    books.copy("consent_history", line, sequence=2, step="stage", before="prepared", after="awaiting")
    _followed(books, "con_x")
    return standing


def _followed(books: Books, consent_id: str) -> None:
    work = {"id": -1, "handler": "consents.follow", "key": f"consents.follow:{consent_id}", "run_at": books.now}
    books.copy("work", work)


def _claim(books: Books, payment: Row, consent_id: str, released_at: dt.datetime | None = None) -> None:
    """What the payment claims of a period of a limit, and nobody else has used any of it."""
    minor = payment["amount_minor"]
    period = {"consent_id": consent_id, "number": 0, "first": dt.date(2026, 11, 1)}
    books.copy("consent_usage", period, last=dt.date(2026, 11, 30), used_minor=minor)
    books.copy("limit_claim", period, payment_id=payment["id"], minor=minor, released_at=released_at)


@_breaks("E6")
def more_is_used_than_is_claimed(books: Books) -> None:
    payment = books.payment("rejected")
    _claim(books, payment, payment["consent_id"], released_at=books.now)


@_breaks("E6")
def closed_and_still_claimed(books: Books) -> None:
    payment = books.payment("rejected")
    _claim(books, payment, payment["consent_id"])


@_breaks("E6")
def claimed_under_another_consent(books: Books) -> None:
    _claim(books, books.payment("settled"), "con_x")


def _paid_under(books: Books) -> tuple[Row, Row]:
    """As if a settled payment had been paid under a standing consent, and all were well. Its row and that of the
    decision."""
    submission(books, SECOND)
    payment = books.payment("settled")
    call, decision = books.of("bank_call", payment, "verb = 'initiate'"), books.of("decision", payment)
    books.drop("bank_attempt", books.one("bank_attempt", f"call_id = '{call['id']}'"))
    books.drop("bank_call", call)
    head = books.of_consent(payment)
    exchanged_at = books.of("trip", payment)["exchanged_at"]
    books.change("payment", payment, trip_id=None)
    books.change("decision", decision, consent_id=head["id"])
    books.change("consent", head, kind="standing", state="authorised")
    books.copy("shown_text", {"sha256": "x"})
    same = {name: decision[name] for name in ("customer_id", "bank_id", "payee_name", "payee_iban", "currency")}
    minor = payment["amount_minor"]
    frame = {"each_minor": minor, "limits": [{"period": "month", "alignment": "calendar", "minor": minor}]}
    standing = {**same, **frame, "consent_id": head["id"], "biller_id": payment["biller_id"], "shown_hash": "x"}
    books.copy("standing", standing, begins_on=decision["pay_on"], sequence=3)
    states = (None, "prepared", "awaiting", "authorised")
    for sequence, (before, after) in enumerate(itertools.pairwise(states), 1):
        line = {"consent_id": head["id"], "sequence": sequence, "at": exchanged_at}
        books.copy("consent_history", line, before=before, after=after)
    _claim(books, payment, head["id"])
    books.change("consent_usage", _usage(payment), limit_minor=minor)
    _followed(books, head["id"])
    return books.payment("settled"), books.of("decision", payment)


def _usage(payment: Row) -> Row:
    return {"consent_id": payment["consent_id"], "number": 0, "first": dt.date(2026, 11, 1)}


def _standing_of(payment: Row) -> Row:
    return {"consent_id": payment["consent_id"]}


def _first_sending(books: Books) -> Row:
    return books.one("bank_attempt", "call_id = 'bnk_submit' AND number = 1")


@_breaks("E1")
def more_is_claimed_of_a_period_than_it_allows(books: Books) -> None:
    payment, _ = _paid_under(books)
    books.change("consent_usage", _usage(payment), limit_minor=payment["amount_minor"] - 1)


@_breaks("E1")
def a_period_allows_more_than_was_agreed(books: Books) -> None:
    payment, _ = _paid_under(books)
    books.change("consent_usage", _usage(payment), limit_minor=payment["amount_minor"] + 1)


@_breaks("E2")
def more_than_the_consent_allows_for_one(books: Books) -> None:
    payment, _ = _paid_under(books)
    books.change("standing", _standing_of(payment), each_minor=payment["amount_minor"] - 1)


@_breaks("E3")
def sent_once_the_consent_was_taken_back(books: Books) -> None:
    payment, _ = _paid_under(books)
    sent_at = _first_sending(books)["sent_at"]
    line = {"consent_id": payment["consent_id"], "sequence": 4, "at": sent_at - 61 * SECOND}
    first = books.one("consent_history", f"consent_id = '{payment['consent_id']}' AND sequence = 3")
    books.change("consent_history", first, at=sent_at - HOUR)
    books.copy("consent_history", line, before="authorised", after="revoking")
    books.change("consent", {"id": payment["consent_id"]}, state="revoking")
    books.change("standing", _standing_of(payment), sequence=4)


@_breaks("E3")
def sent_before_the_first_day(books: Books) -> None:
    payment, decision = _paid_under(books)
    books.change("standing", _standing_of(payment), begins_on=decision["pay_on"] + 24 * HOUR)


@_breaks("E3")
def sent_after_the_last_day(books: Books) -> None:
    payment, decision = _paid_under(books)
    books.change("standing", _standing_of(payment), ends_on=decision["pay_on"] - 24 * HOUR)


@_breaks("E6")
def paid_under_a_consent_and_nothing_was_claimed(books: Books) -> None:
    payment, _ = _paid_under(books)
    books.drop("limit_claim", {**_usage(payment), "payment_id": payment["id"]})
    books.change("consent_usage", _usage(payment), used_minor=0)


@_breaks("E10")
def paid_to_somebody_else_than_the_consent_is_for(books: Books) -> None:
    payment, _ = _paid_under(books)
    books.change("standing", _standing_of(payment), payee_name="Somebody Else")


@_breaks("E10", "E9")
def no_such_standing_consent(books: Books) -> None:
    payment, _ = _paid_under(books)
    books.drop("standing", _standing_of(payment))


@_breaks("B2")
def paid_under_another_consent_than_was_decided(books: Books) -> None:
    _, decision = _paid_under(books)
    books.change("decision", decision, consent_id=None)


@_breaks("C12")
def first_sent_on_the_day_after(books: Books) -> None:
    _, decision = _paid_under(books)
    books.change("decision", decision, pay_on=decision["pay_on"] - 48 * HOUR)


@_breaks("C12")
def first_sent_long_after_it_was_signed(books: Books) -> None:
    payment, decision = _paid_under(books)
    books.change("bank_attempt", _first_sending(books), sent_at=decision["decided_at"] + 2761 * SECOND)
    books.change("payment", payment, fence_at=decision["decided_at"] + HOUR)


@_breaks("C14")
def decided_for_a_later_day_and_not_kept_for_it(books: Books) -> None:
    _, decision = _paid_under(books)
    books.change("decision", decision, verb="pay_on_day")


@_breaks("C14")
def kept_for_a_later_day_that_nobody_decided(books: Books) -> None:
    payment, decision = _paid_under(books)
    books.change("payment", payment, send_from=decision["decided_at"] + SECOND)


@_breaks("C14")
def sent_before_its_day_had_come(books: Books) -> None:
    payment, decision = _paid_under(books)
    books.change("decision", decision, verb="pay_on_day")
    books.change("payment", payment, send_from=_first_sending(books)["sent_at"] + SECOND)


@_breaks("C14", "C15")
def kept_by_its_bank_though_it_was_decided_for_today(books: Books) -> None:
    payment = books.payment("settled")
    books.change("payment", payment, kept_until=books.of("decision", payment)["decided_at"] - SECOND)


@_breaks("C15")
def kept_until_another_day_than_was_decided(books: Books) -> None:
    payment = books.payment("settled")
    decision = books.of("decision", payment)
    books.change("decision", decision, verb="pay_on_day")
    books.change("payment", payment, kept_until=decision["decided_at"] + 100 * HOUR)


@_breaks("C15")
def wanted_back_though_no_bank_keeps_it(books: Books) -> None:
    books.change("payment", books.payment("settled"), take_back_since=books.payment("settled")["created_at"])


@_breaks("C13", "B2")
def submitted_though_nobody_approved_it(books: Books) -> None:
    submission(books, SECOND)
    payment = books.payment("settled")
    call = books.of("bank_call", payment, "verb = 'initiate'")
    books.drop("bank_attempt", books.one("bank_attempt", f"call_id = '{call['id']}'"))
    books.drop("bank_call", call)
    books.change("payment", payment, trip_id=None)


@_breaks("E7")
def a_step_that_nobody_took_with_a_standing_consent(books: Books) -> None:
    books.change("standing", _standing(books), sequence=3)


@_breaks("E7")
def it_stands_elsewhere_than_its_history(books: Books) -> None:
    _standing(books)
    books.change("consent", {"id": "con_x"}, state="authorised")


@_breaks("E9")
def nobody_knows_what_was_shown(books: Books) -> None:
    _standing(books)
    books.drop("shown_text", {"sha256": "x"})


@_breaks("E9")
def over_and_not_over(books: Books) -> None:
    books.change("standing", _standing(books), ended_at=books.now)


@_breaks("E9")
def nothing_was_agreed(books: Books) -> None:
    books.copy("consent", books.of_consent(books.payment("settled")), id="con_x", kind="standing", state="prepared")


@_breaks("E11")
def one_approval_two_journeys(books: Books) -> None:
    books.copy("trip", books.of("trip", books.payment("settled")), id="trp_x", state_hash="x")


@_breaks("E5")
def a_token_for_who_never_came_back(books: Books) -> None:
    trip = books.of("trip", books.payment("settled"))
    books.copy("trip", trip, id="trp_x", state_hash="x", consent_id=None, exchanged_at=None)
    signed_in = {
        "id": "sgn_x",
        "customer_id": trip["customer_id"],
        "bank_id": trip["bank_id"],
        "trip_id": "trp_x",
        "invoice_id": "inv_x",
        "created_at": books.now,
        "signed_in_at": books.now,
        "expires_at": books.now + HOUR,
    }
    books.connection.execute(insert(BARE.tables["sign_in"]).values(signed_in))


@_breaks("F1")
def a_posting_out_of_balance(books: Books) -> None:
    line = books.one("ledger_entry", "account LIKE 'biller:%'")
    books.change("ledger_entry", line, amount_minor=line["amount_minor"] - 1)


@_breaks("F2")
def settled_and_not_posted(books: Books) -> None:
    line = books.of("ledger_entry", books.payment("settled"), "account LIKE 'settled:%'")
    books.change("ledger_entry", line, account=f"nowhere:{line['account']}")


@_breaks("F3")
def more_is_due_than_was_billed(books: Books) -> None:
    invoice = books.one("invoice", "state = 'to_pay'")
    due = books.one("ledger_balance", f"account = 'due:{invoice['id']}'")
    books.change("ledger_balance", due, balance_minor=due["balance_minor"] + 1)
    for account, more in (("due", 1), ("biller", -1)):
        line = books.one("ledger_entry", f"posting = 'billed:{invoice['id']}' AND account LIKE '{account}:%'")
        books.change("ledger_entry", line, amount_minor=line["amount_minor"] + more)


@_breaks("F4")
def a_balance_of_nothing(books: Books) -> None:
    books.copy("ledger_balance", {"account": "due:inv_x", "currency": "EUR", "balance_minor": 5})


@_breaks("F4")
def a_balance_that_owes_what_was_never_posted(books: Books) -> None:
    books.change("ledger_balance", books.one("ledger_balance", "account LIKE 'due:%'"), owed_minor=5)


@_breaks("F5")
def posted_in_another_currency(books: Books) -> None:
    posting = books.of("ledger_entry", books.payment("settled"))["posting"]
    there = BARE.tables["ledger_entry"]
    books.connection.execute(update(there).where(there.c.posting == posting).values(currency="USD"))


@_breaks("F6")
def settled_without_a_receipt(books: Books) -> None:
    books.drop("receipt", books.one("receipt", "1 = 1"))


@_breaks("F7")
def a_discount_below_zero(books: Books) -> None:
    payment = books.payment("rejected")
    books.change("payment", payment, amount_minor=payment["amount_minor"] + 1)
    decision = books.of("decision", payment)
    books.change("decision", decision, amount_minor=payment["amount_minor"] + 1, discount_minor=-1)


EARLY = "discount_minor > 0 AND discount_until IS NOT NULL"


@_breaks("F12")
def who_pays_later_is_let_off_more(books: Books) -> None:
    bill = books.one("invoice", EARLY)
    later = {"until": f"{bill['discount_until'] + 24 * HOUR}", "minor": bill["discount_minor"]}
    books.change("invoice", bill, later_discounts=[later])


@_breaks("F12")
def a_later_discount_of_an_earlier_day(books: Books) -> None:
    bill = books.one("invoice", EARLY)
    later = [
        {"until": f"{bill['discount_until'] + days * 24 * HOUR}", "minor": 3 - at} for at, days in enumerate((2, 1))
    ]
    books.change("invoice", bill, later_discounts=later)


@_breaks("F12")
def a_later_discount_of_nothing(books: Books) -> None:
    bill = books.one("invoice", EARLY)
    books.change("invoice", bill, later_discounts=[{"until": f"{bill['discount_until'] + 24 * HOUR}", "minor": 0}])


def _decided_early(books: Books) -> Row:
    return books.one("decision", EARLY)


@_breaks("F13")
def the_discount_of_a_later_day_was_taken(books: Books) -> None:
    decision = _decided_early(books)
    bill = books.one("invoice", f"id = '{decision['invoice_id']}'")
    later = {"until": f"{bill['discount_until']}", "minor": bill["discount_minor"]}
    earlier = {"discount_until": decision["pay_on"], "discount_minor": bill["discount_minor"] + 1}
    books.change("invoice", bill, later_discounts=[later], **earlier)


@_breaks("F13")
def a_discount_whose_day_was_over_was_taken(books: Books) -> None:
    decision = _decided_early(books)
    bill = books.one("invoice", f"id = '{decision['invoice_id']}'")
    over = decision["pay_on"] - 24 * HOUR
    books.change("invoice", bill, discount_until=over)
    books.change("decision", decision, discount_until=over)


@_breaks("F13", "B3", "F3")
def a_cent_more_than_the_discount_was_let_off(books: Books) -> None:
    decision = books.of(
        "decision", books.payment("settled", "decision_id IN (SELECT id FROM decision WHERE discount_minor > 0)")
    )
    books.change("decision", decision, discount_minor=decision["discount_minor"] + 1)


@given(amount=st.integers(2, 10**11 - 1), data=st.data())
def test_the_share_of_a_discount_is_counted_to_the_cent_in_the_database(amount: int, data: st.DataObject) -> None:
    minor, credited = data.draw(st.integers(1, amount - 1)), data.draw(st.integers(0, amount))
    values = f"(SELECT {amount} AS amount_minor, {minor} AS minor) t, (SELECT {credited} AS credited_minor) d"
    with contextlib.closing(dbapi2.connect(":memory:")) as connection:
        (share,) = connection.execute(f"SELECT {ledger.SHARE} FROM {values}").fetchone()  # noqa: S608
    assert share == discount_left(amount_minor=amount, asked_minor=amount - credited, discount_minor=minor)


@_breaks("F8")
def a_payment_under_way_holds_less_than_its_amount(books: Books) -> None:
    with_discount = "id IN (SELECT payment_id FROM ledger_entry WHERE account LIKE 'adjust:%')"
    live = books.payment("awaiting_customer", with_discount)
    line = books.of("ledger_entry", live, "account LIKE 'adjust:%'")
    books.change("ledger_entry", line, amount_minor=line["amount_minor"] + 1)
    held = books.of("ledger_entry", live, "account LIKE 'inflight:%'")
    books.change("ledger_entry", held, amount_minor=held["amount_minor"] - 1)
    balance = books.one("ledger_balance", f"account = 'inflight:{live['id']}'")
    books.change("ledger_balance", balance, balance_minor=balance["balance_minor"] - 1)


@_breaks("F10")
def retracted_and_by_nobody(books: Books) -> None:
    books.change("invoice", books.one("invoice", "state = 'to_pay'"), retracted_minor=1)


@_breaks("F9", "F3", "F4")
def owed_and_offered(books: Books) -> None:
    invoice = books.one("invoice", "state = 'to_pay'")
    entry = books.one("ledger_entry", "kind = 'credited' AND account LIKE 'adjust:%'")
    for line, (account, minor) in enumerate(((f"owed:{invoice['id']}", -5), ("nowhere:", 5))):
        changed = {"id": 10**6 + line, "posting": "x", "kind": "billed", "account": account, "amount_minor": minor}
        books.copy("ledger_entry", entry, invoice_id=invoice["id"], **changed)


@_breaks("F10")
def taken_off_and_not_posted(books: Books) -> None:
    line = books.one("ledger_entry", "kind = 'credited' AND account LIKE 'adjust:%'")
    books.change("ledger_entry", line, account="nowhere:")


@_breaks("F11")
def a_credit_in_another_currency(books: Books) -> None:
    books.change("correction", books.one("correction", "kind = 'credit_note'"), currency="USD")


@_breaks("G1")
def a_step_that_nobody_recorded(books: Books) -> None:
    books.drop("event", books.one("event", "kind = 'PaymentSettled'"))


@_breaks("G2")
def told_what_was_not_so(books: Books) -> None:
    rejected = books.payment("rejected")
    message = books.one("webhook_message", f"subject = '{rejected['id']}' AND type = 'payment.failed'")
    books.change("webhook_message", message, type="payment.settled")


@_breaks("G4")
def one_number_two_bills(books: Books) -> None:
    paid, open_ = (books.one("invoice", f"state = '{state}'") for state in ("paid", "to_pay"))
    bill = books.one("delivered_bill", f"id = '{open_['bill_id']}'")
    books.change("delivered_bill", bill, number=paid["number"])


@_breaks("G5")
def a_bill_that_never_arrives(books: Books) -> None:
    books.drop("work", books.one("work", "handler = 'invoices.open_invoice'"))


@_breaks("G6")
def a_decision_that_leads_to_nothing(books: Books) -> None:
    decided = "(SELECT id FROM decision WHERE payment_id NOT IN (SELECT id FROM payment))"
    waiting = books.one("work", f"handler = 'payments.initiate' AND payload ->> 'decision_id' IN {decided}")
    books.drop("work", waiting)


@_breaks("G8")
def a_credit_note_that_never_arrives(books: Books) -> None:
    books.change("delivered_bill", books.one("delivered_bill", "kind = 'invoice'"), kind="credit_note")


@_breaks("G9")
def a_credit_that_stands_beside_its_bill(books: Books) -> None:
    correction = books.one("correction", "state = 'standing'")
    books.change("correction", correction, names=books.one("invoice", "state = 'to_pay'")["number"])


UPLOAD: Row = {"id": "upl_x", "state": "done", "bills": 2, "delivered": 1, "repeated": 0, "held": 0, "refused": 1}


@_breaks("G7")
def a_line_without_a_result(books: Books) -> None:
    books.copy("upload", UPLOAD)
    books.copy("upload_line", {"upload_id": "upl_x", "line": 1, "outcome": "delivered"})


@_breaks("H1")
def a_number_that_was_left_out(books: Books) -> None:
    last = books.one("log_entry", "number = (SELECT MAX(number) FROM log_entry)")
    books.change("log_entry", last, number=last["number"] + 1)


@_breaks("H2", "H1")
def a_delivery_that_stands_in_no_entry(books: Books) -> None:
    bill = books.one("delivered_bill", "delivered_at = (SELECT MAX(delivered_at) FROM delivered_bill)")
    books.drop("log_entry", books.one("log_entry", f"subject = '{bill['id']}'"))


@_breaks("H3")
def an_entry_that_gets_no_number(books: Books) -> None:
    entry = books.one("log_entry", "number = 0")
    books.copy("log_entry", entry, id="log_x", number=None, at=books.now - HOUR)


def told(books: Books, **values: Any) -> None:
    """A message about the first settled payment."""
    event = books.one("event", "kind = 'PaymentSettled'")
    notice = {"id": "ntc_x", "customer_id": "cus_x", "event_id": event["id"], "kind": "payment_settled", "locale": "en"}
    row = {**notice, "state": "not_sent", "tries": 0, "created_at": books.now, **values}
    books.copy("notice", row)
    in_space = {name: row[name] for name in ("customer_id", "event_id", "kind", "created_at")}
    books.copy("space_notice", {"id": "spn_x", **in_space})


@_breaks("M1")
def sent_without_words(books: Books) -> None:
    somebody = books.one("customer", "1 = 1")
    books.copy("customer", somebody, id="cus_x", email_proven_at=books.now)
    told(books, state="sent", ended_at=books.now)


@_breaks("M4")
def sent_to_an_address_that_may_be_anybodys(books: Books) -> None:
    somebody = books.one("customer", "1 = 1")
    books.copy("customer", somebody, id="cus_x")
    books.copy("sealed", books.one("sealed", "1 = 1"), id="customer:cus_x:safe-words")
    told(books, state="sent", begun_at=books.now, ended_at=books.now)


@_breaks("M4")
def sent_before_it_was_shown(books: Books) -> None:
    sent_to_an_address_that_may_be_anybodys(books)
    books.change("customer", {"id": "cus_x"}, email_proven_at=books.now + HOUR)


@_breaks("M2")
def told_as_what_it_was_not(books: Books) -> None:
    told(books, kind="payment_failed", ended_at=books.now)


@_breaks("M8")
def sent_and_not_told_in_the_space(books: Books) -> None:
    told(books, ended_at=books.now)
    books.drop("space_notice", books.one("space_notice", "id = 'spn_x'"))


def pushed(books: Books, **values: Any) -> None:
    """A message to a device about a fact that stands in its customer's space."""
    here = books.one("space_notice", "1 = 1")
    device = {"id": "pdv_x", "customer_id": here["customer_id"], "session_id": "ses_x", "credential_id": b"x"}
    device |= {"token_hash": "t", "endpoint_key": "e", "subscription": {}, "user_agent": "x", "created_at": books.now}
    books.copy("push_device", {**device, **values})
    message = {name: here[name] for name in ("customer_id", "event_id", "kind")}
    message |= {"id": "psh_x", "device_id": "pdv_x", "locale": "en", "state": "sent", "tries": 1}
    books.copy("push_message", {**message, "created_at": books.now, "ended_at": books.now})


@_breaks("M9")
def a_message_to_a_device_that_nobody_sends(books: Books) -> None:
    pushed(books)
    books.change("push_message", {"id": "psh_x"}, state="waiting", ended_at=None)


@_breaks("M9")
def a_message_to_somebody_elses_device(books: Books) -> None:
    pushed(books, customer_id="cus_x")


@_breaks("M5", "C14", "C15")
def nobody_is_told_the_day_before(books: Books) -> None:
    books.change("payment", books.payment("accepted"), kept_until=books.now + 26 * HOUR)


def coming(books: Books, **values: Any) -> dict[str, Any]:
    """A message that the first payment under a standing consent comes, an hour before that."""
    payment, decision = _paid_under(books)
    books.change("payment", payment, send_from=books.now + HOUR)
    fact = {"decision_id": decision["id"], "payment_id": payment["id"]}
    books.copy("event", books.one("event", "1 = 1"), id="evt_x", kind="PaymentScheduled", payload=fact)
    told(books, event_id="evt_x", kind="payment_coming", ended_at=books.now, **values)
    return payment


@_breaks("M6", "C14")
def told_of_a_payment_that_could_be_sent_by_then(books: Books) -> None:
    coming(books, created_at=books.now + 2 * HOUR)


@_breaks("M6", "C14")
def told_of_a_payment_two_days_before(books: Books) -> None:
    coming(books, created_at=books.now - 48 * HOUR)


ENDED_AN_HOUR_BEFORE = "an hour before"


@_breaks("M6", "C14", "D1", "B22", "G2")
def told_of_a_payment_that_had_ended(books: Books) -> None:
    payment = coming(books)
    line = books.of("payment_history", payment, f"sequence = {payment['sequence']}")
    books.change("payment_history", line, after="cancelled", at=books.now - HOUR, evidence=ENDED_AN_HOUR_BEFORE)


def due_soon(books: Books, invoice: Row, *, told_at: dt.datetime | None, fact: str = "evt_x") -> None:
    """It was said of a bill that it is due soon."""
    reminded = {"invoice_id": invoice["id"], "customer_id": invoice["customer_id"], "lead_days": 3}
    if fact == "evt_x":
        books.copy("bill_reminder", {**reminded, "told_at": told_at})
    some = books.one("event", "1 = 1")
    books.copy("event", some, id=fact, kind="BillDueSoon", payload={"invoice_id": invoice["id"]})


@_breaks("M7")
def said_to_be_due_soon_twice(books: Books) -> None:
    invoice = books.one("invoice", "state = 'to_pay'")
    due_soon(books, invoice, told_at=books.now)
    due_soon(books, invoice, told_at=books.now, fact="evt_y")


@_breaks("M7")
def said_to_be_due_soon_and_not_found_to_be(books: Books) -> None:
    due_soon(books, books.one("invoice", "state = 'to_pay'"), told_at=None)


@_breaks("M7", "M4")
def said_to_be_due_soon_long_after_it_was_paid(books: Books) -> None:
    payment = books.payment("settled", "invoice_id IN (SELECT id FROM invoice WHERE state = 'paid')")
    invoice = books.one("invoice", f"id = '{payment['invoice_id']}'")
    due_soon(books, invoice, told_at=payment["settled_at"] - HOUR)
    sent = payment["settled_at"] + 121 * SECOND
    whose = {"customer_id": invoice["customer_id"], "kind": "bill_due", "event_id": "evt_x", "state": "sent"}
    told(books, **whose, created_at=sent, begun_at=sent, ended_at=sent)


@_breaks("M3")
def a_message_that_nobody_sends(books: Books) -> None:
    told(books, state="waiting")


@_breaks("P1")
def frozen_by_nobody(books: Books) -> None:
    books.change("payee_account", books.one("payee_account", "state = 'approved'"), state="frozen")


@_breaks("P2")
def approved_twice_by_one(books: Books) -> None:
    second = books.one("payee_account_history", "after = 'approved'")
    first = books.one(
        "payee_account_history", f"account_id = '{second['account_id']}' AND sequence = {second['sequence'] - 1}"
    )
    books.change("payee_account_history", first, by=second["by"])


@_breaks("P3")
def paid_to_a_frozen_account(books: Books) -> None:
    decision = books.one("decision", "invoice_id IN (SELECT id FROM invoice WHERE bill_id IS NOT NULL)")
    account = books.one("payee_account", f"iban = '{decision['payee_iban']}'")
    last = books.one("payee_account_history", f"account_id = '{account['id']}' AND sequence = {account['sequence']}")
    before = {"step": "freeze", "before": "approved", "after": "frozen", "at": decision["decided_at"] - HOUR}
    books.copy("payee_account_history", last, sequence=account["sequence"] + 1, **before)
    books.change("payee_account", account, state="frozen", sequence=account["sequence"] + 1)


@_breaks("V1")
def suspended_by_nobody(books: Books) -> None:
    books.change("biller", books.one("biller", "state = 'vetted'"), state="suspended")


@_breaks("V2")
def vetted_twice_by_one(books: Books) -> None:
    second = books.one("biller_history", "after = 'vetted'")
    first = books.one("biller_history", f"biller_id = '{second['biller_id']}' AND sequence = {second['sequence'] - 1}")
    books.change("biller_history", first, by=second["by"])


@_breaks("V2")
def vetted_although_nobody_said_why(books: Books) -> None:
    books.change("biller_history", books.one("biller_history", "after = 'vetted'"), doubted=True, note=None)


@_breaks("V3")
def vetted_without_a_number(books: Books) -> None:
    books.drop("biller_identifier", books.one("biller_identifier", "scheme = 'vat'"))


@_breaks("V3")
def vetted_without_being_looked_up(books: Books) -> None:
    books.change("biller_identifier", books.one("biller_identifier", "scheme = 'vat'"), outcome=None)


@_breaks("V3")
def its_number_is_free_for_another(books: Books) -> None:
    number = books.one("biller_identifier", "scheme = 'vat'")
    books.change("biller_identifier", number, released_at=number["registered_at"])


@_breaks("V3")
def two_have_one_number(books: Books) -> None:
    number = books.one("biller_identifier", "scheme = 'vat'")
    books.copy("biller_identifier", number, biller_id="blr_another", value="another form of it")


@_breaks("V4")
def delivered_while_suspended(books: Books) -> None:
    bill = books.one("delivered_bill", "1 = 1")
    biller = books.one("biller", f"id = '{bill['biller_id']}'")
    last = books.one("biller_history", f"biller_id = '{biller['id']}' AND sequence = {biller['sequence']}")
    before = {"step": "suspend", "before": "vetted", "after": "suspended", "at": bill["delivered_at"] - HOUR}
    books.copy("biller_history", last, sequence=biller["sequence"] + 1, **before)
    books.change("biller", biller, state="suspended", sequence=biller["sequence"] + 1)


@_breaks("V5", "V4")
def a_program_of_nobody_who_was_vetted(books: Books) -> None:
    biller = books.one("biller", "state = 'vetted'")
    last = books.one("biller_history", f"biller_id = '{biller['id']}' AND sequence = {biller['sequence']}")
    books.change("biller", biller, state="proposed")
    books.change("biller_history", last, after="proposed")


def stop_of(books: Books, payment: Row, at: dt.datetime, **more: Any) -> None:
    row = {"id": "stp_x", "customer_id": payment["customer_id"], "session_id": "ses_x", "lifted_at": None}
    books.copy("stop", {**row, "lifted_evidence": None, "at": at, **more})


@_breaks("S1")
def decided_while_everything_was_stopped(books: Books) -> None:
    payment = books.payment("settled")
    stop_of(books, payment, books.of("decision", payment)["decided_at"] - HOUR)


@_breaks("S1", "C5")
def first_sent_after_its_customer_had_stopped_everything(books: Books) -> None:
    payment = books.payment("settled")
    decided_at = books.of("decision", payment)["decided_at"]
    call = books.of("bank_call", payment, "verb = 'initiate'")
    attempt = books.one("bank_attempt", f"call_id = '{call['id']}'")
    books.change("bank_attempt", attempt, sent_at=decided_at + 3 * SECOND)
    stop_of(books, payment, decided_at + SECOND / 2, lifted_at=decided_at + 2.5 * SECOND, lifted_evidence={})


@_breaks("S2")
def lifted_before_it_was_stopped(books: Books) -> None:
    payment = books.payment("settled")
    at = books.of("decision", payment)["decided_at"] - HOUR
    stop_of(books, payment, at, lifted_at=at - SECOND, lifted_evidence={})


def recovery_of(books: Books, **more: Any) -> Row:
    """A way back of the first customer, which is done as it should be unless it says otherwise."""
    began_at = books.now - 130 * HOUR  # what is younger must stand in the log
    moments = {"began_at": began_at, "opens_at": began_at + 72 * HOUR, "expires_at": began_at + 240 * HOUR}
    row = {"id": "rcv_x", "customer_id": books.one("customer", "1 = 1")["id"], "browser_hash": "x", "state": "done"}
    row |= {"warned": 2, "ended_at": began_at + 73 * HOUR, "evidence": None}
    made = {**row, **moments, **more}
    books.copy("recovery", made)
    return made


@_breaks("S3")
def a_way_back_waits_and_nothing_is_stopped(books: Books) -> None:
    recovery_of(books, state="waiting", ended_at=None)


@_breaks("S3")
def it_led_to_a_passkey_before_its_time(books: Books) -> None:
    made = recovery_of(books)
    books.change("recovery", made, ended_at=made["began_at"] + 71 * HOUR)


@_breaks("S3")
def somebody_came_in_before_its_time(books: Books) -> None:
    made = recovery_of(books)
    session = {"id": "ses_x", "token_hash": "x", "customer_id": made["customer_id"], "credential_id": None}
    session |= {"read_only": False, "way_back": made["id"], "user_agent": "", "seen_at": books.now}
    books.copy("customer_session", {**session, "created_at": made["began_at"] + 71 * HOUR})


def erased(books: Books, **values: Any) -> Row:
    """A customer who is gone, as far as the two rows say."""
    customer = {**books.one("customer", "1 = 1"), "id": "cus_x", "erased_at": books.now}
    customer |= {"mailbox_key": None, "email_proven_at": None}
    books.copy("customer", customer)
    gone = {"id": "ers_x", "customer_id": "cus_x", "state": "erased", "asked_at": books.now, "ended_at": None}
    gone |= {"erased_at": books.now, "profile_gone_at": books.now, "keep_until": books.now, "record_gone_at": None}
    books.copy("erasure", {**gone, "swept_at": None, **values})
    return customer


@_breaks("S4")
def who_is_gone_is_found_by_an_address(books: Books) -> None:
    books.change("customer", erased(books), mailbox_key="x")


@_breaks("S4")
def nobody_wrote_down_that_they_went(books: Books) -> None:
    erased(books)
    books.connection.execute(delete(BARE.tables["erasure"]))


@_breaks("S4")
def who_is_gone_can_sign_in(books: Books) -> None:
    session = {"id": "ses_x", "token_hash": "x", "customer_id": erased(books)["id"], "credential_id": None}
    session |= {"read_only": False, "way_back": None, "user_agent": "", "seen_at": books.now, "created_at": books.now}
    books.copy("customer_session", session)


@_breaks("S5")
def the_first_key_is_still_there(books: Books) -> None:
    erased(books, profile_gone_at=None, erased_at=books.now - 2 * HOUR)


@_breaks("S5")
def the_second_key_is_still_there(books: Books) -> None:
    erased(books, keep_until=books.now - 48 * HOUR)


@_breaks("L1")
def nobody_looks_at_it(books: Books) -> None:
    books.drop("work", books.one("work", f"key = 'payments.follow:{books.payment('accepted')['id']}'"))


@_breaks("L2")
def nobody_sends_it(books: Books) -> None:
    books.drop("work", books.one("work", "handler = 'webhooks.deliver'"))


@_breaks("L8")
def nobody_asks_about_a_standing_consent(books: Books) -> None:
    _standing(books)
    books.drop("work", {"id": -1})


@_breaks("L8")
def nobody_takes_it_back_at_its_bank(books: Books) -> None:
    standing = _standing(books)
    books.drop("work", {"id": -1})
    books.change("consent", {"id": "con_x"}, state="expired")
    books.change("standing", standing, ended_at=books.now)
    books.change("consent_history", {"consent_id": "con_x", "sequence": 2}, after="expired")


@_breaks("L4")
def work_that_nobody_does(books: Books) -> None:
    books.change("work", books.one("work", "1 = 1"), run_at=books.now - 301 * SECOND)


@_breaks("L5")
def a_promise_that_nobody_renews(books: Books) -> None:
    books.change("payment", books.payment("unknown"), know_by=books.now - 301 * SECOND)


@_breaks("L6")
def given_to_the_bank_for_hours(books: Books) -> None:
    payment = books.payment("initiating")
    for table, row, column in (
        ("payment", payment, "created_at"),
        ("decision", books.of("decision", payment), "decided_at"),
    ):
        books.change(table, row, **{column: books.now - 3601 * SECOND})


@_breaks("L7")
def on_its_way_for_a_day(books: Books) -> None:
    bill = books.one(
        "delivered_bill", "kind = 'invoice' AND id NOT IN (SELECT bill_id FROM invoice WHERE bill_id IS NOT NULL)"
    )
    books.change("delivered_bill", bill, delivered_at=books.now - 25 * HOUR)


def broken_in(connection: Connection, now: dt.datetime) -> set[str]:
    return {each.name for each in INVARIANTS if found(connection, each, now=now)}


@pytest.mark.each_database
def test_all_are_silent_where_there_is_nothing(engine: Engine) -> None:
    with engine.connect() as connection:
        assert broken_in(connection, dt.datetime(2026, 11, 23, 10, 0, tzinfo=dt.UTC)) == set()


def test_all_are_silent_where_all_is_well(bare: Engine, lived: Lived) -> None:
    with bare.connect() as connection:
        assert broken_in(connection, lived.clock.now) == set()
        _paid_under(Books(connection, lived.clock.now))
        _given_back(Books(connection, lived.clock.now))
        _said_of(Books(connection, lived.clock.now))
        assert broken_in(connection, lived.clock.now) == set()


@pytest.mark.parametrize("name", [each.name for each in INVARIANTS])
def test_each_fires_when_its_own_thing_is_spoilt(name: str, bare: Engine, lived: Lived) -> None:
    assert name in SPOILT, f"say above what breaks {name}"
    for spoil, others in SPOILT[name]:
        with bare.connect() as connection:  # left without a commit: the next one finds all well again
            spoil(Books(connection, lived.clock.now))
            assert broken_in(connection, lived.clock.now) == {name, *others}, spoil.__name__
            # so that the tests that leave out what none of whose tables has a row ask this one
            assert filled(connection) & tables_of(next(each for each in INVARIANTS if each.name == name))


def test_a_bill_of_two_who_never_had_to_do_with_each_other(bare: Engine, lived: Lived) -> None:
    with bare.connect() as connection:
        books = Books(connection, lived.clock.now)
        books.change("delivered_bill", books.one("delivered_bill", "1 = 1"), customer_id="cus_x")
        assert "A3" in broken_in(connection, lived.clock.now)


@pytest.mark.parametrize(("seconds", "broken"), [(1, set()), (61, {"A3"})])
def test_clocks_differ_by_a_moment(seconds: int, broken: set[str], bare: Engine, lived: Lived) -> None:
    """Asked long ago, confirmed; a process whose clock is behind takes the first bill."""
    with bare.connect() as connection:
        books = Books(connection, lived.clock.now)
        first = books.one("delivered_bill", "1 = 1")
        who = f"customer_id = '{first['customer_id']}' AND biller_id = '{first['biller_id']}'"
        connected = books.one("connection", who)
        books.change("connection", connected, sequence=2)
        asked = books.one("connection_history", f"connection_id = '{connected['id']}'")
        books.drop("connection_history", asked)
        begins = {"step": "ask", "before": "none", "after": "asked", "source": "customer"}
        books.copy("connection_history", asked, **begins, at=first["delivered_at"] - 24 * HOUR)
        yes = {"sequence": 2, "step": "confirm", "before": "asked", "after": "active", "source": "biller"}
        books.copy("connection_history", asked, **yes, at=first["delivered_at"] + seconds * SECOND)
        assert broken_in(connection, lived.clock.now) == broken


def test_what_nobody_submitted_is_not_at_the_bank(bare: Engine, lived: Lived) -> None:
    """Where the approval executes nothing, the bank's word that it has it is no proof of itself."""
    with bare.connect() as connection:
        books = Books(connection, lived.clock.now)
        books.change("payment", books.payment("settled"), submitted_apart=True)
        assert broken_in(connection, lived.clock.now) == {"C10"}


def test_who_knew_when_they_decided_that_the_earlier_bill_is_paid_may_pay(bare: Engine, lived: Lived) -> None:
    with bare.connect() as connection:
        books = Books(connection, lived.clock.now)
        waiting, paid = books.payment("awaiting_customer", NOT_GONE), books.one("invoice", "state = 'paid'")
        books.change("invoice", books.one("invoice", f"id = '{waiting['invoice_id']}'"), replaces_id=paid["id"])
        assert broken_in(connection, lived.clock.now) == {"B14", "B15"}
        by = books.payment("settled", f"invoice_id = '{paid['id']}'")
        books.change("decision", books.of("decision", waiting), earlier_paid=["pay_another"])
        assert broken_in(connection, lived.clock.now) == {"B14", "B15"}
        books.change("decision", books.of("decision", waiting), earlier_paid=[by["id"]])
        assert broken_in(connection, lived.clock.now) == {"B14"}


def test_who_knew_when_they_decided_that_the_earlier_bill_may_be_collected_may_pay(bare: Engine, lived: Lived) -> None:
    with bare.connect() as connection:
        books = Books(connection, lived.clock.now)
        waiting, collected = books.payment("awaiting_customer", NOT_GONE), books.one("invoice", "state = 'not_here'")
        books.change("invoice", books.one("invoice", f"id = '{waiting['invoice_id']}'"), replaces_id=collected["id"])
        assert broken_in(connection, lived.clock.now) == {"B14", "B15"}
        books.change("decision", books.of("decision", waiting), earlier_not_here=["inv_another"])
        assert broken_in(connection, lived.clock.now) == {"B14", "B15"}
        books.change("decision", books.of("decision", waiting), earlier_not_here=[collected["id"]])
        assert broken_in(connection, lived.clock.now) == {"B14"}


@pytest.mark.parametrize("table", ["payment", "decision", "ledger_entry", "ledger_balance"])
@pytest.mark.parametrize("state", ["not_here", "cleared"])
def test_whatever_touches_a_bill_that_is_not_paid_here_is_seen(
    table: str, state: str, bare: Engine, lived: Lived
) -> None:
    with bare.connect() as connection:
        books = Books(connection, lived.clock.now)
        bill = books.one("invoice", f"state = '{state}' AND means <> 'credit_transfer'")
        about: Row = {"account": f"due:{bill['id']}"} if table == "ledger_balance" else {"invoice_id": bill["id"]}
        ids: dict[str, Row] = {"payment": {"id": "pay_x"}, "decision": {"id": "dec_x"}, "ledger_entry": {"id": 10**6}}
        books.copy(table, books.one(table, "1 = 1"), **ids.get(table, {}), **about)
        assert "B17" in broken_in(connection, lived.clock.now)


@pytest.mark.parametrize("state", ["unknown", "settled"])
def test_no_time_is_promised_where_nobody_can_be_asked(state: str, bare: Engine, lived: Lived) -> None:
    with bare.connect() as connection:
        books = Books(connection, lived.clock.now)
        books.change("payment", books.payment(state), untold_since=books.now)
        assert broken_in(connection, lived.clock.now) == {"D6"}
        books.change("payment", books.payment("unknown"), know_by=None)
        assert broken_in(connection, lived.clock.now) == (set() if state == "unknown" else {"D6"})


def test_where_only_a_token_tells_an_unknown_outcome_may_promise_nothing(bare: Engine, lived: Lived) -> None:
    """And what is accepted may say that nobody can be asked: nowhere else."""
    with bare.connect() as connection:
        books = Books(connection, lived.clock.now)
        books.change("payment", books.payment("unknown"), know_by=None)
        assert broken_in(connection, lived.clock.now) == {"D6"}
        books.change("payment", books.payment("unknown"), told_until=books.now)
        assert broken_in(connection, lived.clock.now) == set()
        books.change("payment", books.payment("accepted"), untold_since=books.now)
        assert broken_in(connection, lived.clock.now) == set()
        books.change("payment", books.payment("rejected"), untold_since=books.now)
        assert broken_in(connection, lived.clock.now) == {"D6"}


def test_every_doubt_about_the_file_was_confirmed(bare: Engine, lived: Lived) -> None:
    with bare.connect() as connection:
        books = Books(connection, lived.clock.now)
        check = books.one("payee_check", "id IN (SELECT payee_check_id FROM decision)")
        invoice = books.one("invoice", f"id = '{check['invoice_id']}'")
        own = books.one("own_bill", f"id = '{invoice['own_bill_id']}'")
        books.change("own_bill", own, reading={**own["reading"], "doubts": ["collected", "page-differs"]})
        assert broken_in(connection, lived.clock.now) == {"B18"}
        books.change("payee_check", check, doubts=["collected"])
        assert broken_in(connection, lived.clock.now) == {"B18"}
        books.change("payee_check", check, doubts=["collected", "page-differs"])
        assert broken_in(connection, lived.clock.now) == set()
        books.change("payee_check", check, doubts=[], warning="own-bill-1")  # words that spoke of none
        assert broken_in(connection, lived.clock.now) == set()


def test_an_upload_with_all_its_results_is_done(bare: Engine, lived: Lived) -> None:
    with bare.connect() as connection:
        books = Books(connection, lived.clock.now)
        a_line_without_a_result(books)
        books.copy("upload_line", {"upload_id": "upl_x", "line": 3, "outcome": "refused"})
        assert broken_in(connection, lived.clock.now) == set()
        books.change("upload", books.one("upload", "1 = 1"), refused=0)
        assert broken_in(connection, lived.clock.now) == {"G7"}
        books.change("upload", books.one("upload", "1 = 1"), state="working")
        assert broken_in(connection, lived.clock.now) == set()


def test_what_needs_no_trip_is_submitted_once_its_consent_was_approved(bare: Engine, lived: Lived) -> None:
    """The first time, should that have been approved again."""
    with bare.connect() as connection:
        books = Books(connection, lived.clock.now)
        payment = books.payment("settled")
        submission(books, SECOND)
        books.drop("bank_call", books.of("bank_call", payment, "verb = 'initiate'"))
        books.change("payment", payment, trip_id=None)
        assert broken_in(connection, lived.clock.now) == {"B2", "C13"}  # nobody agreed on such a consent
        trip = books.one("trip", f"id = '{payment['trip_id']}'")
        books.copy("trip", trip, id="trp_x", state_hash="x", exchanged_at=books.now)
        assert broken_in(connection, lived.clock.now) <= {"B2", "C13", "E11"}  # here it is that of a single payment
        books.change("trip", trip, exchanged_at=None)
        assert "C8" in broken_in(connection, lived.clock.now)


def test_what_had_ended_and_lives_again_is_told_of(bare: Engine, lived: Lived) -> None:
    with bare.connect() as connection:
        books = Books(connection, lived.clock.now)
        told_of_a_payment_that_had_ended(books)
        assert "M6" in broken_in(connection, lived.clock.now)
        line = books.one("payment_history", f"evidence = '{ENDED_AN_HOUR_BEFORE}'")
        alive = {"sequence": line["sequence"] + 1, "before": line["after"], "after": "unknown", "evidence": "bank:ACTC"}
        books.copy("payment_history", {**line, **alive}, at=line["at"] + SECOND)
        assert "M6" not in broken_in(connection, lived.clock.now)


def test_a_fence_that_a_doubt_has_moved_says_nothing_of_what_was_closed_before(bare: Engine, lived: Lived) -> None:
    with bare.connect() as connection:
        books = Books(connection, lived.clock.now)
        not_found_before_the_fence(books)
        assert broken_in(connection, lived.clock.now) == {"C7"}
        payment = books.payment("rejected")
        line = books.of("payment_history", payment, "after = 'rejected'")
        doubted = {"sequence": line["sequence"] + 1, "before": "rejected", "after": "unknown", "evidence": "bank:ACTC"}
        books.copy("payment_history", {**line, **doubted}, at=line["at"] + SECOND)
        assert "C7" not in broken_in(connection, lived.clock.now)


def test_more_time_is_what_was_said_yes_to(bare: Engine, lived: Lived) -> None:
    with bare.connect() as connection:
        books = Books(connection, lived.clock.now)
        later = books.one("invoice", "extended_to IS NOT NULL")
        books.change("invoice", later, extended_to=None)
        assert broken_in(connection, lived.clock.now) == {"N3"}
        asked = books.one("bill_answer", "state = 'open' AND kind = 'more_time'")
        books.change("invoice", later, extended_to=later["extended_to"])
        books.change("invoice", {"id": asked["invoice_id"]}, extended_to=asked["until"])
        assert broken_in(connection, lived.clock.now) == {"N3"}


def test_of_instalments_that_were_refused_there_is_no_plan_nor_time(bare: Engine, lived: Lived) -> None:
    with bare.connect() as connection:
        books = Books(connection, lived.clock.now)
        plan = books.one("plan", "answer_id IS NOT NULL")
        answer = {"id": plan["answer_id"]}
        books.change("bill_answer", answer, state="refused")
        assert broken_in(connection, lived.clock.now) == {"N3", "Y5"}
        books.change("bill_answer", answer, state="accepted", kind="more_time")
        assert broken_in(connection, lived.clock.now) == {"Y5"}


def test_of_a_paid_bill_a_dispute_may_stand(bare: Engine, lived: Lived) -> None:
    with bare.connect() as connection:
        books = Books(connection, lived.clock.now)
        paid = books.one(
            "bill_answer", "state = 'open' AND invoice_id IN (SELECT id FROM invoice WHERE state = 'paid')"
        )
        assert paid["kind"] == "disputed"
        books.change("bill_answer", paid, kind="paid_elsewhere")
        assert broken_in(connection, lived.clock.now) == {"N4"}


def test_nothing_is_spoilt_for_an_invariant_that_is_gone() -> None:
    assert set(SPOILT) <= {each.name for each in INVARIANTS}


def test_work_for_another_one_is_no_excuse(bare: Engine, lived: Lived) -> None:
    """The id must stand in the very field of the handler's work: elsewhere it means nothing."""
    with bare.connect() as connection:
        books = Books(connection, lived.clock.now)
        waiting = books.one("work", "handler = 'invoices.open_invoice'")
        books.change("work", waiting, payload={"event": waiting["payload"]["bill_id"], "bill_id": "bill_x"})
        assert broken_in(connection, lived.clock.now) == {"G5"}
        books.change("work", waiting, payload={})
        assert broken_in(connection, lived.clock.now) == {"G5"}
