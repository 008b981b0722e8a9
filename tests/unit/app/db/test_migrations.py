"""From the tables of 0001, with a payment in every state, to those of today: nothing is forgotten."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import (
    Boolean,
    Connection,
    Date,
    DateTime,
    Engine,
    LargeBinary,
    MetaData,
    create_engine,
    insert,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.types import JSON, Integer

from app.db.engine import make_engine
from app.db.migrate import _references_off, _validate, config_for, upgrade
from app.db.work import WorkRow
from app.errors import Conflict
from app.invariants import check
from app.journey.consents.models import CustomerBank
from app.journey.decisions.models import Decision
from app.journey.invoices.models import Invoice
from app.journey.payments.models import BankAttempt, BankCall, Payment, PaymentHistory
from app.people import safe_words, vetting
from app.people.billers import add_biller
from app.people.identifiers import Scheme, key_of, parsed
from app.people.models import Biller, BillerHistory, BillerIdentifier, Customer, Stop
from app.services import Services
from app.worker import Worker
from connectors.contract import PaymentOrder
from connectors.money import Money
from consent import trips, vault
from consent.models import Consent, Trip
from tests.conftest import Clock
from tests.support import factories

pytestmark = pytest.mark.slow  # every migration for each

MINUTE, SECOND = dt.timedelta(minutes=1), dt.timedelta(seconds=1)
IBAN = "FR1420041010050500013M02606"
#: of the order that is still being given to its bank: how often it was sent, and from the first time to the last
SENT = {"twice": (2, 7 * SECOND), "thrice": (3, 17 * SECOND), "hasty": (3, 0.5 * SECOND)}
STATES = (
    "prepared",
    *SENT,
    "awaiting_customer",
    "accepted",
    "settled",
    "rejected",
    "cancelled",
    "expired",
    "unknown",
    "reversed",
)
LEFT = ("accepted", "settled", "unknown", "reversed", "rejected")
INVOICE = {"settled": "paid"} | dict.fromkeys(("rejected", "cancelled", "expired", "reversed"), "to_pay")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of each kind as 0001 made it."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'quittance.sqlite3'}"
        _make(url)
        yield url
        return
    server: str = request.getfixturevalue("postgres_template")
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("CREATE DATABASE old"))
    url = str(make_url(server).set(database="old"))
    _make(url)
    yield url
    with admin.connect() as connection:
        connection.execute(text("DROP DATABASE old WITH (FORCE)"))
    admin.dispose()


def _make(url: str) -> None:
    engine = make_engine(url)
    with engine.begin() as connection:
        command.upgrade(config_for(connection), "0001")
    engine.dispose()


class Old:
    """Writes rows into the tables of 0001. What a row needs and nobody names is filled with something."""

    def __init__(self, connection: Connection, now: dt.datetime) -> None:
        self.connection, self.now = connection, now
        self.tables = MetaData()
        self.tables.reflect(connection)

    def put(self, table: str, **given: Any) -> None:
        row = dict(given)
        for column in self.tables.tables[table].columns:
            must = not column.nullable and not column.primary_key and column.server_default is None
            if must and column.name not in row:
                row[column.name] = self._something(column.type)
        self.connection.execute(insert(self.tables.tables[table]).values(row))

    def _something(self, kind: Any) -> Any:
        fillers: tuple[tuple[type[Any], Any], ...] = (
            (Boolean, True),
            (DateTime, self.now),
            (Date, self.now.date()),
            (JSON, {}),
            (LargeBinary, b"{}"),
        )
        return next(
            (value for wanted, value in fillers if isinstance(kind, wanted)), 0 if isinstance(kind, Integer) else "x"
        )

    def seal(self, services: Services, trip: str, *, expires_at: dt.datetime) -> None:
        for name in ("state", "verifier"):
            row = f"trip:{trip}:{name}"
            self.put(
                "sealed",
                id=row,
                box=services.vault.seal(row, name.encode()),
                created_at=self.now,
                expires_at=expires_at,
            )


def fill(services: Services, now: dt.datetime) -> None:
    """One biller, one customer, and a payment in every state, all begun ten minutes ago."""
    with services.engine.begin() as connection:
        old = Old(connection, now - 10 * MINUTE)
        old.put("biller", id="blr", country="FR", vat_id=None)
        old.put("payee_account", id="acc", biller_id="blr", iban=IBAN, holder="Lumen")
        old.put("customer", id="cus", time_zone="Europe/Paris", locale="fr")
        old.put("api_client", client_id="cli", biller_id="blr")
        old.put("connection", id="cnx", customer_id="cus", biller_id="blr", address="k3jq7m2xw5ta@space.example")
        old.put("webhook_endpoint", id="whe", biller_id="blr", url="https://biller.example/hook")
        for state in STATES:
            _payment(old, services, name=state, state="initiating" if state in SENT else state, now=now)


def _payment(old: Old, services: Services, *, name: str, state: str, now: dt.datetime) -> None:
    begun, end_to_end_id = old.now, f"pay{STATES.index(name)}"
    people = {"customer_id": "cus", "currency": "EUR", "amount_minor": 100}
    payee = {"payee_name": "Lumen", "payee_iban": IBAN, "reference": None}
    # the settled one was paid early
    bill, early, taken = people, {}, {}
    if name == "settled":
        bill, taken = people | {"amount_minor": 102}, {"discount_minor": 2}
        early = taken | {"discount_until": begun.date()}
    old.put("delivered_bill", id=f"bil_{name}", biller_id="blr", client_id="cli", number=name, sha256=name, **bill)
    invoice = early | {"state": INVOICE.get(state, "in_payment"), "number": name, "lines": []}
    old.put("invoice", id=f"inv_{name}", bill_id=f"bil_{name}", biller_id="blr", **invoice, **bill, **payee)
    ids = {"invoice_id": f"inv_{name}", "payment_id": f"pay_{name}", "bank_id": "horizon"}
    psu = {"ip_address": "192.0.2.1", "user_agent": ""}
    old.put("decision", id=f"dec_{name}", verb="pay_now", psu=psu, **ids, **people, **payee, **taken)
    consent = None
    if state not in ("prepared", "initiating"):
        consent = f"con_{name}"
        bank = {"bank_id": "horizon", "bank_consent_id": consent, "state": "awaiting_authorisation"}
        old.put("consent", id=consent, customer_id="cus", kind="single", expires_at=begun + 15 * MINUTE, **bank)
    left = begun + SECOND if state in LEFT else None
    trip = {"id": f"trp_{name}", "customer_id": "cus", "bank_id": "horizon", "state_hash": name, "consent_id": consent}
    redirect_uri = f"http://localhost:8000/banks/horizon/return/{name}"
    old.put("trip", left_at=left, redirect_uri=redirect_uri, **trip)
    old.seal(services, trip["id"] or "", expires_at=begun + 15 * MINUTE)
    ended = {"settled_at": begun + MINUTE, "fact": "debited"} if state in ("settled", "reversed") else {}
    old.put(
        "payment",
        id=f"pay_{name}",
        decision_id=f"dec_{name}",
        invoice_id=f"inv_{name}",
        biller_id="blr",
        bank_id="horizon",
        trip_id=trip["id"],
        consent_id=consent,
        end_to_end_id=end_to_end_id,
        state=state,
        bank_answer=b"the last word" if state == "reversed" else None,
        updated_at=begun + 5 * MINUTE,
        **people,
        **ended,
    )
    sends, spread = SENT.get(name, (0, 0 * SECOND) if state == "prepared" else (1, 0 * SECOND))
    order = PaymentOrder(
        amount=Money(100, "EUR"),
        creditor_name="Lumen",
        creditor_iban=IBAN,
        end_to_end_id=end_to_end_id,
    )
    connector = services.banks.connector("horizon")
    key = f"00000000-0000-4000-8000-{STATES.index(name):012}"
    request = connector.draft(order, request_id=key, redirect_uri=redirect_uri)
    call = {"method": request.method, "path": request.path, "headers": dict(request.headers), "body": request.body}
    sent = {
        "sends": sends,
        "sent_at": begun + spread if sends else None,
        "outcome": "BankSilent" if sends > 1 else None,
    }
    old.put("bank_attempt", id=f"att_{name}", payment_id=f"pay_{name}", verb="initiate", request_id=key, **call, **sent)
    _work(old, name=name, state=state, now=now)
    _facts(old, name=name, state=state)


def _work(old: Old, *, name: str, state: str, now: dt.datetime) -> None:
    """Orders that are being given to the bank are due; the others wait."""
    asked = {"decision_id": f"dec_{name}", "payment_id": f"pay_{name}"}
    if state in ("prepared", "initiating"):
        old.put("work", handler="payments.initiate", key=f"payments.initiate:{name}", payload=asked, run_at=now)
    elif state in ("awaiting_customer", "accepted", "unknown", "settled"):
        key = f"payments.follow:pay_{name}"
        old.put("work", handler="payments.follow", key=key, payload=asked, run_at=now + 60 * MINUTE)


def _facts(old: Old, *, name: str, state: str) -> None:
    """What the biller was told, and the receipt."""
    told: dict[str, tuple[str, ...]] = {
        "settled": ("settled",),
        "reversed": ("settled", "failed"),
        **dict.fromkeys(("rejected", "cancelled", "expired"), ("failed",)),
    }
    for word in told.get(state, ()):
        event = f"evt_{name}_{word}"
        kind = {"settled": "PaymentSettled", "failed": "PaymentReversed" if state == "reversed" else "PaymentFailed"}
        old.put("event", id=event, kind=kind[word], payload={"payment_id": f"pay_{name}"})
        message = {"endpoint_id": "whe", "type": f"payment.{word}", "subject": f"pay_{name}", "delivered_at": old.now}
        old.put("webhook_message", id=f"msg_{name}_{word}", event_id=event, **message)
    if state in ("settled", "reversed"):
        old.put("receipt", id=f"rcp_{name}", payment_id=f"pay_{name}", customer_id="cus", number=name, fact="debited")


@pytest.fixture
def upgraded(services: Services, clock: Clock) -> Services:
    fill(services, clock())
    upgrade(services.engine)
    return services


def broken(services: Services, now: dt.datetime) -> list[str]:
    return [str(one) for one in check(services.engine, now=now)]


def test_a_database_of_0001_holds_all_invariants_after_the_upgrade(upgraded: Services, clock: Clock) -> None:
    assert broken(upgraded, clock()) == []


def test_what_was_paid_and_then_not_has_both_in_its_history(upgraded: Services, clock: Clock) -> None:
    begun = clock() - 10 * MINUTE
    with upgraded.reading() as uow:
        lines = uow.session.scalars(
            select(PaymentHistory).where(PaymentHistory.payment_id == "pay_reversed").order_by(PaymentHistory.sequence)
        ).all()
        assert [(line.before, line.after, line.at, line.answer) for line in lines] == [
            (None, "settled", begun + MINUTE, None),
            ("settled", "reversed", begun + 5 * MINUTE, b"the last word"),
        ]
        assert uow.session.get_one(Payment, "pay_reversed").sequence == 2
        assert uow.session.get_one(Payment, "pay_settled").sequence == 1


def test_every_sending_is_an_attempt_and_a_second_lies_between(upgraded: Services, clock: Clock) -> None:
    begun = clock() - 10 * MINUTE

    def attempts(name: str) -> list[tuple[int, dt.datetime, str | None]]:
        with upgraded.reading() as uow:
            rows = uow.session.execute(
                select(BankAttempt.number, BankAttempt.sent_at, BankAttempt.outcome)
                .join(BankCall, BankCall.id == BankAttempt.call_id)
                .where(BankCall.payment_id == f"pay_{name}")
                .order_by(BankAttempt.number)
            )
            return [(row.number, row.sent_at, row.outcome) for row in rows]

    assert attempts("prepared") == []
    assert attempts("settled") == [(1, begun, None)]
    assert attempts("twice") == [(1, begun, None), (2, begun + 7 * SECOND, "BankSilent")]
    assert attempts("thrice") == [
        (1, begun, None),
        (2, begun + 8.5 * SECOND, None),
        (3, begun + 17 * SECOND, "BankSilent"),
    ]
    last = begun + 0.5 * SECOND
    assert attempts("hasty") == [
        (1, last - 2 * SECOND, None),
        (2, last - SECOND, None),
        (3, last, "BankSilent"),
    ]


def test_an_order_on_its_way_gets_to_its_bank_and_its_secrets_outlive_the_approval(
    upgraded: Services, clock: Clock
) -> None:
    assert Worker(upgraded, schedule=None).run_until_idle() == 1 + len(SENT)  # type: ignore[arg-type]  # not needed
    assert broken(upgraded, clock()) == []
    with upgraded.reading() as uow:
        for name, times in {"prepared": 1, **{name: sends + 1 for name, (sends, _) in SENT.items()}}.items():
            payment = uow.session.get_one(Payment, f"pay_{name}")
            assert payment.state == "awaiting_customer"
            consent = uow.session.get_one(Consent, payment.consent_id)
            call = uow.session.scalars(select(BankCall).where(BankCall.payment_id == payment.id)).one()
            numbers = uow.session.scalars(select(BankAttempt.number).where(BankAttempt.call_id == call.id)).all()
            assert sorted(numbers) == list(range(1, times + 1))
            assert consent.expires_at > clock() + 14 * MINUTE  # 0001 had sealed the secrets for five minutes more
    clock.tick(minutes=14)
    with upgraded.unit_of_work() as uow:
        vault.drop_expired(uow.session, now=uow.now)
        for name in (*SENT, "awaiting_customer", "unknown"):
            trip = uow.session.get_one(Trip, f"trp_{name}")
            assert trips.secrets_of(uow.session, upgraded.vault, trip).verifier == "verifier"
        with pytest.raises(vault.VaultError):  # of what is over nothing is kept for longer
            trips.secrets_of(uow.session, upgraded.vault, uow.session.get_one(Trip, "trp_settled"))


def to(services: Services, revision: str) -> None:
    with services.engine.connect() as connection, _references_off(connection), connection.begin():
        command.upgrade(config_for(connection), revision)


def apart(services: Services, *names: str) -> list[tuple[bool, str | None, bool]]:
    """Whether these are submitted apart, the bank's id of them, and whether they wait to be submitted."""
    with services.reading() as uow:
        rows = [uow.session.get_one(Payment, f"pay_{name}") for name in names]
        return [(row.submitted_apart, row.bank_payment_id, row.is_to_submit) for row in rows]


def test_what_is_submitted_apart_says_so_and_what_an_older_process_wrote_meanwhile_is_not_it(
    services: Services, clock: Clock
) -> None:
    fill(services, clock())
    to(services, "0007")
    waiting = "bank_payment_id = NULL"
    with services.engine.begin() as connection:
        ordered = "UPDATE bank_call SET path = '/domestic-payment-consents' WHERE payment_id = :of"
        connection.execute(text(ordered), {"of": "pay_unknown"})
        written = {"pay_unknown": waiting, "pay_expired": f"{waiting}, state = 'authorised'", "pay_accepted": waiting}
        for of, values in written.items():
            connection.execute(text(f"UPDATE payment SET {values} WHERE id = :of"), {"of": of})  # noqa: S608
    to(services, "head")
    assert apart(services, "unknown", "expired") == [(True, None, True)] * 2
    assert apart(services, "accepted", "settled") == [(False, "con_accepted", False), (False, "con_settled", False)]
    assert apart(services, "prepared") == [(False, None, False)]


def test_what_an_older_process_writes_into_the_upgraded_database_executes_with_its_approval(
    services: Services, clock: Clock
) -> None:
    fill(services, clock())
    to(services, "0006")
    with services.engine.connect() as connection:
        older = Old(connection, clock())  # it knows these tables, and no others
    to(services, "0015")
    with services.engine.begin() as connection:
        older.connection = connection
        people = {"customer_id": "cus", "currency": "EUR", "amount_minor": 100}
        ids = {"invoice_id": "inv_expired", "bank_id": "horizon"}
        bank = {"bank_id": "horizon", "bank_consent_id": "con_late", "state": "awaiting_authorisation"}
        older.put("decision", id="dec_late", payment_id="pay_late", verb="pay_now", psu={}, **ids, **people)
        older.put("consent", id="con_late", customer_id="cus", kind="single", **bank)
        trip = {"id": "trp_late", "customer_id": "cus", "bank_id": "horizon", "consent_id": "con_late"}
        older.put("trip", state_hash="late", left_at=older.now, **trip)
        made = {"decision_id": "dec_late", "trip_id": "trp_late", "consent_id": "con_late", "end_to_end_id": "late"}
        older.put("payment", id="pay_late", biller_id="blr", state="awaiting_customer", **made, **ids, **people)
    upgrade(services.engine)
    assert apart(services, "late") == [(False, None, False)]


@pytest.mark.parametrize("table", ["decision", "invoice"])
def test_a_process_of_before_corrections_neither_decides_nor_opens_a_bill(
    services: Services, clock: Clock, table: str
) -> None:
    fill(services, clock())
    to(services, "0015")
    with services.engine.connect() as connection:
        older = Old(connection, clock())
    upgrade(services.engine)
    people = {"customer_id": "cus", "currency": "EUR", "amount_minor": 100}
    rows: dict[str, dict[str, Any]] = {
        "decision": {"invoice_id": "inv_expired", "bank_id": "horizon", "verb": "pay_now", "payment_id": "pay_late"},
        "invoice": {"bill_id": "bil_late", "biller_id": "blr", "number": "late", "state": "to_pay", "lines": []},
    }
    with services.engine.begin() as connection:
        older.connection = connection
        older.put("delivered_bill", id="bil_late", biller_id="blr", client_id="cli", number="late", **people)
    with services.engine.connect() as connection:
        older.connection = connection
        with pytest.raises(IntegrityError, match="credited_minor"):
            older.put(table, id="late", **rows[table], **people)


def test_what_was_decided_before_knows_of_the_bills_that_were_not_paid_here(services: Services, clock: Clock) -> None:
    fill(services, clock())
    to(services, "0020")
    if services.engine.dialect.name == "postgresql":
        _validate(services.engine)  # what is not is not reflected
    received = clock() - 9 * MINUTE
    with services.engine.begin() as connection:
        older = Old(connection, clock())
        people = {"customer_id": "cus", "currency": "EUR", "amount_minor": 100}
        line = {"first": ("direct_debit", None), "second": ("credit_transfer", "first"), "third": ("card", "second")}
        for name, (means, replaces) in {**line, "fourth": ("credit_transfer", "third")}.items():
            older.put("delivered_bill", id=f"bil_{name}", biller_id="blr", client_id="cli", number=name, **people)
            here = means == "credit_transfer"
            payee = {"payee_iban": IBAN, "payee_name": "Lumen"} if here else {"payee_iban": None, "payee_name": None}
            state = {"state": "to_pay" if name == "fourth" else "cleared", "means": means, **payee}
            ids = {"id": f"inv_{name}", "bill_id": f"bil_{name}", "biller_id": "blr", "number": name}
            earlier: dict[str, Any] = {
                "replaces_id": replaces and f"inv_{replaces}",
                "lines": [],
                "received_at": received,
            }
            older.put("invoice", **ids, **state, **earlier, **people)
        for name in ("second", "fourth"):
            decided = {"id": f"dec_{name}", "invoice_id": f"inv_{name}", "payment_id": f"pay_{name}"}
            older.put("decision", **decided, bank_id="horizon", verb="pay_now", **people)
    upgrade(services.engine)
    with services.reading() as uow:
        known: dict[str, list[Any]] = dict(
            uow.session.execute(select(Decision.invoice_id, Decision.earlier_not_here)).all()
        )
        opened = uow.session.scalars(select(Invoice.opened_at).where(Invoice.id == "inv_fourth")).one()
    assert (known.pop("inv_second"), known.pop("inv_fourth")) == (["inv_first"], ["inv_third", "inv_first"])
    assert all(each == [] for each in known.values())
    assert opened == received
    with services.engine.connect() as connection, _references_off(connection), connection.begin():
        command.downgrade(config_for(connection), "0020")
    columns = {each["name"] for each in inspect(services.engine).get_columns("invoice")}
    assert "opened_at" not in columns
    upgrade(services.engine)


def test_bills_of_before_are_compared_with_those_that_are_added(services: Services, clock: Clock) -> None:
    fill(services, clock())
    with services.engine.begin() as connection:
        says = "UPDATE invoice SET number = 'RE 2026/77', reference = 'Кunde-7' WHERE id = 'inv_settled'"
        connection.execute(text(says))
    upgrade(services.engine)
    with services.reading() as uow:
        rows = {row.id: row for row in uow.session.scalars(select(Invoice))}
    assert (rows["inv_settled"].number_letters, rows["inv_settled"].reference_letters) == ("re202677", "kunde7")
    others = [row for row in rows.values() if row.id != "inv_settled"]
    assert len(others) == len(STATES) - 1
    assert all((row.number_letters, row.reference_letters) == (row.number.replace("_", ""), "") for row in others)


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_no_large_table_is_read_while_it_is_locked(services: Services, clock: Clock) -> None:
    fill(services, clock())
    waiting = text("SELECT count(*) FROM pg_constraint WHERE NOT convalidated")
    to(services, "head")
    with services.engine.connect() as connection:
        assert connection.scalar(waiting) > 0
    upgrade(services.engine)
    with services.engine.connect() as connection:
        assert connection.scalar(waiting) == 0


def test_the_older_program_finds_a_promise_of_every_unknown_outcome(upgraded: Services) -> None:
    with upgraded.engine.begin() as connection:
        nobody = "UPDATE payment SET know_by = NULL, untold_since = updated_at WHERE id = 'pay_unknown'"
        connection.execute(text(nobody))
    with upgraded.engine.connect() as connection, _references_off(connection), connection.begin():
        command.downgrade(config_for(connection), "0008")
    with upgraded.engine.connect() as connection:
        unknown = "SELECT id FROM payment WHERE state = 'unknown' AND know_by IS NULL"
        assert connection.execute(text(unknown)).all() == []


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_an_upgrade_may_take_as_long_as_it_takes(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, str] = {}

    def limits(connection: Connection) -> dict[str, str]:
        return {name: str(connection.scalar(text(f"SHOW {name}"))) for name in ("statement_timeout", "lock_timeout")}

    real = command.upgrade

    def upgrade_and_look(config: Any, revision: str) -> None:
        real(config, revision)
        seen.update(limits(config.attributes["connection"]))

    monkeypatch.setattr("app.db.migrate.command.upgrade", upgrade_and_look)
    upgrade(engine)
    assert seen == {"statement_timeout": "0", "lock_timeout": "5s"}
    with engine.connect() as connection:
        assert limits(connection)["statement_timeout"] == "15s"
        assert inspect(connection).has_table("bank_call")


def test_billers_of_before_are_vetted_since_they_were_written_down(services: Services, clock: Clock) -> None:
    """With their VAT number, and what stands in it, as their own alone."""
    fill(services, clock())
    to(services, "0026")
    if services.engine.dialect.name == "postgresql":
        _validate(services.engine)  # what is not is not reflected
    numbers = {"blr_fr": "FR64904172681", "blr_be": "BE0403170701", "blr_de": "DE136695976", "blr_none": None}
    numbers["blr_monaco"] = "FR53000004605"  # a company of Monaco has no SIREN
    with services.engine.begin() as connection:
        older = Old(connection, clock())
        for biller_id, vat_id in numbers.items():
            older.put("biller", id=biller_id, name=biller_id, country="FR", vat_id=vat_id)
    upgrade(services.engine)
    with services.reading() as uow:
        billers = uow.session.scalars(select(Biller).where(Biller.id.in_(numbers))).all()
        assert {(each.state, each.vetted_since == each.created_at, each.sequence) for each in billers} == {
            ("vetted", True, 1)
        }
        lines = uow.session.scalars(select(BillerHistory).where(BillerHistory.biller_id.in_(numbers))).all()
        assert [(each.step, each.by) for each in lines] == [("bring_over", "vetting")] * len(numbers)
        known = uow.session.scalars(select(BillerIdentifier).where(BillerIdentifier.biller_id.in_(numbers))).all()
        assert sorted((each.biller_id, each.scheme, each.value) for each in known) == [
            ("blr_be", "kbo", "0403170701"),
            ("blr_be", "vat", "BE0403170701"),
            ("blr_de", "vat", "DE136695976"),
            ("blr_fr", "siren", "904172681"),
            ("blr_fr", "vat", "FR64904172681"),
            ("blr_monaco", "vat", "FR53000004605"),
        ]
    assert not [each for each in check(services.engine, now=clock(), late=False) if each.invariant.name[0] in "VH"]
    with services.engine.connect() as connection, _references_off(connection), connection.begin():
        command.downgrade(config_for(connection), "0026")
    assert "state" not in {each["name"] for each in inspect(services.engine).get_columns("biller")}
    upgrade(services.engine)


def test_the_program_of_before_finds_no_work_that_it_does_not_know(services: Services, clock: Clock) -> None:
    """A biller was just vetted, and who had invited it is not told yet."""
    fill(services, clock())
    upgrade(services.engine)
    factories.make_biller(services)
    to_tell = select(WorkRow.handler).where(WorkRow.handler == "connections.accept_invitations")
    with services.reading() as uow:
        assert uow.session.scalars(to_tell).all() != []
        known = uow.session.scalars(select(WorkRow.handler).where(WorkRow.handler.like("payments.%"))).all()
    with services.engine.connect() as connection, _references_off(connection), connection.begin():
        command.downgrade(config_for(connection), "0027")
    with services.engine.connect() as connection:
        left = list(connection.scalars(select(WorkRow.handler)))
    assert "connections.accept_invitations" not in left
    assert sorted(each for each in left if each.startswith("payments.")) == sorted(known)


def test_one_number_in_two_forms_is_one_of_billers_of_before_too(services: Services, clock: Clock) -> None:
    """None of them changes: the log has it. Who comes with another form of one is told whose it is."""
    fill(services, clock())
    to(services, "0026")
    if services.engine.dialect.name == "postgresql":
        _validate(services.engine)  # what is not is not reflected
    keys = {
        "CHE107787577TVA": "CHE107787577",
        "XI980780684": "GB980780684",
        "GR094259216": "EL094259216",
        "NL4495445B01": "NL004495445B01",
        "LI12345": "LI12345",
        "FR64904172681": "FR64904172681",
        "GB980780684": "GB980780684",
        "XI123456727": "GB123456727",  # the older one
        "GB123456727": "GB123456727",
    }
    with services.engine.begin() as connection:
        older = Old(connection, clock())
        for number in keys:
            came = clock() - dt.timedelta(days=number == "XI123456727")
            older.put("biller", id=f"blr_{number}", name=number, country="FR", vat_id=number, created_at=came)
    upgrade(services.engine)
    with services.reading() as uow:
        known = uow.session.scalars(select(BillerIdentifier).where(BillerIdentifier.value.in_(keys))).all()
        found = {each.value: each.value_key for each in known if each.scheme == "vat"}
        assert found == keys | {"XI980780684": "XI980780684*", "GB123456727": "GB123456727*"}
        assert {number: key_of(Scheme.VAT, number) for number in keys} == keys
    numbers = [parsed("vat:CHE-107.787.577 MWST")]
    with services.unit_of_work() as uow, pytest.raises(Conflict, match="blr_CHE107787577TVA"):
        add_biller(uow, name="Anna", country="CH", identifiers=numbers, ibans=[], by="ada")
    with services.engine.connect() as connection, _references_off(connection), connection.begin():
        command.downgrade(config_for(connection), "0029")
    assert "value_key" not in {each["name"] for each in inspect(services.engine).get_columns("biller_identifier")}
    upgrade(services.engine)


def test_the_program_of_before_is_not_let_near_a_suspended_biller(services: Services, clock: Clock) -> None:
    """It would find it, take its bills and pay it."""
    fill(services, clock())
    upgrade(services.engine)
    with services.unit_of_work() as uow:
        vetting.suspend(uow, biller_id="blr", by="ada", note="its bills are not its own")
        uow.commit()
    with (
        services.engine.connect() as connection,
        _references_off(connection),
        connection.begin(),
        pytest.raises(RuntimeError, match="suspended"),
    ):
        command.downgrade(config_for(connection), "0026")
    with services.reading() as uow:
        assert uow.session.get_one(Biller, "blr").state == "suspended"


def test_what_was_sent_before_addresses_were_shown_breaks_nothing(services: Services, clock: Clock) -> None:
    """Neither at once nor once its customer has shown the address: nobody was asked when it was sent."""
    fill(services, clock())
    to(services, "0028")
    if services.engine.dialect.name == "postgresql":
        _validate(services.engine)  # what is not is not reflected
    with services.unit_of_work() as uow:
        services.vault.put(uow.session, safe_words.row_of("cus"), "lantern meadow", now=uow.now)
        uow.commit()
    with services.engine.begin() as connection:
        older = Old(connection, clock())
        told = {"id": "ntc", "customer_id": "cus", "event_id": "evt_settled_settled", "kind": "payment_settled"}
        older.put("notice", **told, state="sent", locale="en", tries=1, ended_at=clock())
    upgrade(services.engine)
    assert broken(services, clock()) == []
    clock.tick(hours=1)
    with services.unit_of_work() as uow:
        uow.session.get_one(Customer, "cus").email_proven_at = uow.now
        uow.commit()
    assert not [each for each in broken(services, clock()) if each.startswith("M")]


def test_work_that_nobody_does_any_more_is_dropped_and_addresses_are_found_by_their_index(
    services: Services, clock: Clock
) -> None:
    fill(services, clock())
    to(services, "0030")
    if services.engine.dialect.name == "postgresql":
        _validate(services.engine)  # what is not is not reflected
    with services.engine.begin() as connection:
        before = set(connection.scalars(select(WorkRow.handler)))
        older = Old(connection, clock())
        older.put("work", key="ask:cus", handler="notices.tell_address_asked", payload={})
    upgrade(services.engine)
    with services.engine.begin() as connection:
        assert set(connection.scalars(select(WorkRow.handler))) == before
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL enable_seqscan = off"))  # of one row it would read all
        plan = "EXPLAIN" if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
        plan += " SELECT id FROM customer WHERE mailbox_key = 'x'"
        assert "ix_customer_mailbox_key" in str(connection.execute(text(plan)).all())
    with services.engine.connect() as connection, _references_off(connection), connection.begin():
        command.downgrade(config_for(connection), "0030")
    assert "ix_customer_mailbox_key" not in {each["name"] for each in inspect(services.engine).get_indexes("customer")}
    upgrade(services.engine)


def back(services: Services, revision: str) -> None:
    with services.engine.connect() as connection, _references_off(connection), connection.begin():
        command.downgrade(config_for(connection), revision)


def test_the_program_of_before_standing_consents_has_its_tables_again(upgraded: Services, clock: Clock) -> None:
    """As long as nobody agreed on one, it can go back and forth: also what each forbids is there again."""
    twice = text("UPDATE trip SET consent_id = 'con_settled' WHERE id = 'trp_accepted'")
    back(upgraded, "0031")
    with upgraded.engine.connect() as connection, pytest.raises(IntegrityError):
        connection.execute(twice)
    upgrade(upgraded.engine)
    assert broken(upgraded, clock()) == []
    with upgraded.engine.begin() as connection:
        connection.execute(twice)
    assert [each[:4] for each in broken(upgraded, clock())] == ["E11:"]


@pytest.mark.parametrize(
    ("table", "why"),
    [("consent", "standing consents"), ("stop", "stopped everything"), ("customer_bank", "removed banks")],
)
def test_the_program_of_before_is_not_let_near_what_it_cannot_keep(
    table: str, why: str, upgraded: Services, clock: Clock
) -> None:
    with upgraded.unit_of_work() as uow:
        if table == "stop":
            uow.session.add(Stop(id="stp", customer_id="cus", session_id="ses", at=uow.now))
        elif table == "customer_bank":
            bank = {"customer_id": "cus", "bank_id": "horizon", "rank": 1}
            uow.session.add(CustomerBank(**bank, added_at=uow.now, removed_at=uow.now))
        else:
            factories.agree_standing(uow, customer_id="cus", biller_id="blr", steps=())
        uow.commit()
    before = broken(upgraded, clock())
    with pytest.raises(RuntimeError, match=why):
        back(upgraded, "0031")
    assert broken(upgraded, clock()) == before == []
    if table == "stop":  # once it is lifted
        with upgraded.engine.begin() as connection:
            connection.execute(text("UPDATE stop SET lifted_at = at"))
        back(upgraded, "0031")
