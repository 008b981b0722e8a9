"""Under a recurring consent nothing is submitted without an unused decision of the customer's; a consent and an open
bill alone never pay.

All that a payment needs is there but the decision: an open bill, a standing consent at a bank that covers it, its token
in our vault. Then everything that can be knocked at is: every route as everybody, every handler of the timetable with
every id, every message of the bank's, every command, with days going by. Routes, handlers and commands are counted from
the code, so that a new one is tried without being named here, or fails the test until it is.
"""

from __future__ import annotations

import argparse
import datetime as dt
import inspect
import itertools
import json
import logging
import os
import re
import secrets
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from flask import Flask
from sqlalchemy import delete, insert, select, text
from sqlalchemy import inspect as inspect_tables
from sqlalchemy.exc import IntegrityError
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app.audit.sequencer import number_waiting
from app.cli import _parser, machinery, main
from app.db import work
from app.db.events import EventRow
from app.db.unit_of_work import UnitOfWork
from app.db.work import WorkRow
from app.demo.processes import free_ports
from app.invariants import INVARIANTS
from app.journey.decisions.models import Decision
from app.journey.notices.models import SpaceNotice
from app.journey.payments.models import Payment
from app.journey.route import HANDLERS, ROUTE
from app.keys.installation import Keys
from app.people.clients import SCOPES
from app.people.models import Biller, PayeeAccount
from app.services import Services, build_services
from app.web.customers import limits
from app.worker import Worker
from config.settings import Settings
from connectors.sandbox_bank.openbanking_uk import events
from connectors.sandbox_bank.openbanking_uk.events import Event
from consent import trips
from consent.base import new_id
from consent.private import owning
from tests.conftest import Clock
from tests.support.camt import Line, camt
from tests.support.installation import BASE_URL, make_settings
from tests.support.standing import AMOUNT, BANK, PAYEE_IBAN, Caller, World, begin, bill_for
from tests.support.thorough import thorough
from tests.support.uk_bank import make_folder
from tests.support.uk_socket import CountedBank, serve_counted

pytestmark = [pytest.mark.slow, pytest.mark.long_on_postgres, pytest.mark.timeout(400)]

NOTHING = {
    "decision": 0,
    "payment": 0,
    "submissions": 0,
    "orders at the bank": 0,
    "movements at the bank": 0,
}
ONCE = dict.fromkeys(NOTHING, 1)
FUNDS = "/funds-confirmation"
#: work that we made up
FORGED = WorkRow.key.startswith("forged:")

# ------------------------------------------------------------------------------------------------- the installation


@pytest.fixture
def clock() -> Clock:
    """From now on: the certificates are made by the true time."""
    made = Clock()
    made.now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    return made


@pytest.fixture(scope="session")
def uk_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The authority's files, in the folder of keys that the banks' files name."""
    return make_folder(tmp_path_factory.mktemp("bank-keys") / "sandbox-bank-uk")


@pytest.fixture(scope="session")
def uk_databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for the brands' keys, which take a while to make, and each test's database."""
    return tmp_path_factory.mktemp("uk-banks")


@pytest.fixture
def uk_bank(uk_folder: Path, uk_databases: Path, clock: Clock) -> Iterator[CountedBank]:
    with serve_counted(uk_folder, uk_databases / f"{uuid.uuid4().hex}.sqlite3", clock=clock) as bank:
        yield bank


@pytest.fixture
def settings(tmp_path: Path, database_url: str, uk_bank: CountedBank) -> Settings:
    (closed,) = free_ports(1)
    return make_settings(
        tmp_path,
        database_url=database_url,
        bank_keys=uk_bank.folder.parent,
        uk_bank_port=uk_bank.port,
        bank_port=closed,
    )


@pytest.fixture
def services(settings: Settings, keys: Keys, clock: Clock) -> Iterator[Services]:
    """With the banks as the product opens them: the repository's files, our keys, a socket."""
    made = build_services(settings, route=ROUTE, handlers=HANDLERS, clock=clock)
    yield made
    made.engine.dispose()


@pytest.fixture
def world(app: Flask, services: Services, worker: Worker, clock: Clock, uk_bank: CountedBank) -> Iterator[World]:
    made = begin(app=app, services=services, worker=worker, clock=clock, bank=uk_bank)
    assert made.moved() == NOTHING
    made.could_pay()
    yield made
    made.tls.close()


@pytest.fixture(autouse=True)
def many_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    """From one address come more than any program sends."""
    monkeypatch.setattr(limits, "TOOLS_LIMIT", "1000000 per minute")
    monkeypatch.setattr(limits, "CHECKING_LIMIT", "1000000 per minute")
    monkeypatch.setattr(limits, "SEARCHING_LIMIT", "1000000 per minute")
    monkeypatch.setattr(limits, "ASKING_FUNDS_LIMIT", "1000000 per minute")
    for name in ("TRYING_CODES_LIMIT", "ASKING_FOR_WORDS_LIMIT", "TRYING_WORDS_LIMIT", "CHANGING_WAYS_LIMIT"):
        monkeypatch.setattr(limits, name, "1000000 per minute")
    monkeypatch.setattr(limits, "EXPORTING_LIMIT", "1000000 per minute")
    monkeypatch.setattr(limits, "BRINGING_LIMIT", "1000000 per minute")


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Forged work fails, as it should, by the hundred."""
    caplog.set_level(logging.CRITICAL, logger="quittance.tasks")


@pytest.fixture
def command_line(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commands see this installation."""
    for name in [name for name in os.environ if name.startswith("QUITTANCE_")]:
        monkeypatch.delenv(name)
    for name in ("database_url", "keys", "bank_keys", "data", "port", "bank_port", "uk_bank_port", "biller_port"):
        monkeypatch.setenv(f"QUITTANCE_{name.upper()}", str(getattr(settings, name)))
    monkeypatch.setenv("QUITTANCE_DEMO", "true")
    opened, real = [], machinery.services

    def kept() -> Services:  # a command leaves its connections to the end of its process
        opened.append(real())
        return opened[-1]

    monkeypatch.setattr(machinery, "services", kept)
    yield
    for each in opened:
        each.engine.dispose()


# ------------------------------------------------------------------------------------------------- 1: every route


def values_of(rule: Rule, world: World) -> Iterator[dict[str, str]]:
    """Its parts, filled with every id that is at hand."""
    ids = [*world.ids(), world.standing.state, world.unused.state]
    banks = [bank.id for bank in world.services.banks.all_banks()]
    names = sorted(rule.arguments)
    choices = [banks[:2] if name == "bank_id" else ["en"] if name == "code" else ids for name in names]
    for chosen in itertools.product(*choices):
        yield dict(zip(names, chosen, strict=True))


def bodies(world: World, ids: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """What might be taken for a decision: everything that is known, under every name that we use for it."""
    said: dict[str, Any] = {
        "bank": BANK,
        "bank_id": BANK,
        "invoice": world.invoice_id,
        "invoice_id": world.invoice_id,
        "consent": world.consent_id,
        "consent_id": world.standing.bank_consent_id,
        "customer": world.customer.id,
        "customer_id": world.customer.id,
        "payment": next((one for one, whose in ids.items() if whose == "payment"), new_id("pay")),
        "decision": next((one for one, whose in ids.items() if whose == "decision"), new_id("dec")),
        "amount": AMOUNT,
        "amount_minor": 8420,
        "currency": "GBP",
        "verb": "pay_now",
        "status": "paid",
        "name": "Camille Laurent",
        "email": "camille@example.org",
        "ceremony": secrets.token_urlsafe(32),
    }
    yield {"json": {**said, "credential": {"id": "x", "rawId": "x", "type": "public-key", "response": {}}}}
    yield {"data": {**{name: str(value) for name, value in said.items()}, "credential": "{}"}}


#: after these nothing could be paid, whatever else is wrong: tests/functional/test_{stop,consents}.py have them
_ENDS_ALL = {"customers.stop_everything", "customers.stop_consent", "customers.remove_bank"}


def call_every_route(world: World, *, every: int) -> None:
    """As everybody, with everything: each method of each route, but of those who call and what fills its address
    ``every`` so many-th pair alone, other ones at each."""
    tried, callers, turn = 0, world.callers(), itertools.count()
    for rule in world.app.url_map.iter_rules():
        if rule.endpoint in _ENDS_ALL:
            continue
        for method in sorted(rule.methods or set()):
            filled = itertools.islice(values_of(rule, world), 1 if method == "OPTIONS" else None)  # the same for all
            pairs = list(itertools.product(callers.values(), filled))
            chosen = pairs[next(turn) % min(every, len(pairs)) :: every]
            for caller, asked in itertools.groupby(chosen, key=lambda pair: pair[0]):
                here = caller()  # anew: some routes end the session
                for _, values in asked:
                    tried += call(world, here, rule, method, values)
    assert tried >= 1000 // every


def call(world: World, here: Caller, rule: Rule, method: str, values: Mapping[str, str]) -> int:
    _, path = rule.build(dict(values)) or (None, None)
    assert path is not None, rule
    if method not in ("POST", "PUT", "PATCH", "DELETE"):
        answered(here.call(method, f"{path}?bank={BANK}"), rule)
        return 1
    if rule.endpoint == "billers.deliver_bill":
        number = f"N-{secrets.token_hex(4)}"
        content = bill_for(world.address, number=number, today=world.clock().date())
        answered(here.call(method, path, data=content, content_type="application/json"), rule)
    for body in bodies(world, world.ids()):
        answered(here.call(method, path, **body), rule)
    return 2


#: what a space may ask for once a day, by its own rule behind the door
_ONCE_A_DAY = {"customers.ask_address"}


def answered(answer: TestResponse, rule: Rule) -> None:
    assert answer.status_code < 500, (rule, answer.status_code)
    if rule.endpoint not in _ONCE_A_DAY:
        assert answer.status_code != 429, f"{rule} was not asked but put off: the test must be slower there"


def sign_something_else(world: World) -> None:
    """The customer's passkey, but over another challenge than that of the order."""
    browser = world.browser
    stay_signed_in(world)
    page = f"/bills/{world.invoice_id}/pay?bank={BANK}"
    for other in ("/passkeys/use", "/passkeys/add"):
        token, started = browser.start_paying(world.invoice_id, bank=BANK)
        asked = browser.post(other, token=token, data={}).get_json()
        signed = json.dumps(browser.device.sign(asked["publicKey"]))
        for ceremony in (started.get_json()["ceremony"], asked["ceremony"]):
            form = {"credential": signed, "ceremony": ceremony}
            assert (
                browser.post(f"/bills/{world.invoice_id}/pay", token=browser.token(page), form=form).status_code >= 400
            )


def ask_for_the_money(world: World) -> None:
    """The one button by which the bank is called under the consent, with the customer's token: of all of the bill and
    of a part, and however often."""
    browser = world.browser
    stay_signed_in(world)
    path = f"/bills/{world.invoice_id}/pay/funds?consent={world.consent_id}"
    for more in ("", "", "&part=10.00"):
        said = browser.post(f"{path}{more}", token=browser.token("/bills"), form={})
        assert (said.status_code, "the money is there" in said.text) == (200, True)
    asked = [path for _, path in world.bank.came if path.endswith(f"/{world.standing.bank_consent_id}{FUNDS}")]
    assert len(asked) >= 3, "the bank was not asked: that nothing moved proves nothing"


# ---------------------------------------------------------------------------------------------- 2: every handler


def names_in_payloads() -> set[str]:
    """Whatever any handler reads of its payload, from the stages' own sources."""
    stages = {Path(inspect.getfile(handler)).parent for handler in HANDLERS.values()}
    text = "".join(path.read_text("utf-8") for stage in stages for path in stage.glob("*.py"))
    found = set(re.findall(r'payload(?:\.get\(|\[)"(\w+)"', text))
    assert {"payment_id", "decision_id", "invoice_id", "bill_id", "event"} <= found
    return found | {"consent_id", "customer_id", "bank_id"}


def payloads(world: World) -> Iterator[dict[str, Any]]:
    """Each id under each name, and each under its own."""
    ids, names = world.ids(), names_in_payloads()
    with world.services.reading() as uow:
        facts = uow.session.scalars(select(EventRow.id).order_by(EventRow.id)).all()
    for one in ids:
        yield dict.fromkeys(names, one) | {"bank_id": BANK, "sequence": 1}
    first = {whose: one for one, whose in reversed(ids.items())}
    by_name: dict[str, Any] = {name: first.get(name.removesuffix("_id"), new_id("pay")) for name in names}
    by_name |= {"bill_id": first["delivered_bill"], "bank_id": BANK, "sequence": 1}
    for fact in (facts[0], facts[-1]):
        yield by_name | {"event": fact}


def forge_work(world: World) -> None:
    """For each handler, with every payload or so many of them, other ones for each."""
    every = thorough(4, 1)
    with world.services.unit_of_work() as uow:
        for turn, handler in enumerate(HANDLERS):
            for number, payload in list(enumerate(payloads(world)))[turn % every :: every]:
                key = f"forged:{handler}:{number}:{secrets.token_hex(4)}"
                work.enqueue(uow.session, handler=handler, key=key, payload=payload, now=uow.now)
        uow.commit()


def run_every_handler(world: World) -> None:
    """By the worker itself, as work that is due."""
    forge_work(world)
    world.worker.run_until_idle()
    with world.services.reading() as uow:
        left = uow.session.scalars(select(WorkRow).where(FORGED)).all()
    assert not [row.key for row in left if row.run_at <= world.clock()], "some were not run"
    with world.services.unit_of_work() as uow:  # what was told of a fact that was none, as M2 finds it
        [of_its_fact] = [each for each in INVARIANTS if each.name == "M2"]
        untrue = uow.session.scalars(text(of_its_fact.sql)).all()
        uow.session.execute(delete(SpaceNotice).where(SpaceNotice.id.in_(untrue)))
        uow.commit()


def forged(world: World) -> list[str]:
    """One key of work for each handler, where there is such work."""
    with world.services.reading() as uow:
        keys = uow.session.scalars(select(WorkRow.key).where(FORGED)).all()
    return list({key.split(":")[1]: key for key in keys}.values())


def forget_forged(world: World) -> None:
    with world.services.unit_of_work() as uow:
        uow.session.execute(delete(WorkRow).where(FORGED))
        uow.commit()


# ----------------------------------------------------------------------------------- 3: every message of the bank's


def tell_every_event(world: World) -> None:
    """Signed by the bank, about everything that it has; at the door for them, and each twice.

    A revocation is told as one of before the approval: it is not believed, so that the consent can pay still, and it is
    seen that nothing did.
    """
    now_ms = world.bank.inside.now_ms()
    about = [
        ("domestic-vrp-consents", world.standing.bank_consent_id),
        ("domestic-payment-consents", world.standing.bank_consent_id),
        ("domestic-vrps", uuid.uuid4().hex),
        *(("domestic-payments", row["payment_id"]) for row in world.bank.rows("payment")),
    ]
    kinds = [[events.RESOURCE_UPDATE], [events.REVOKED], list(events.TYPES)]
    for (collection, resource_id), types in itertools.product(about, kinds):
        event = Event(
            jti=str(uuid.uuid4()),
            brand=BANK,
            tpp="quittance",
            types=types,
            collection=collection,
            resource_id=resource_id,
            toe_ms=now_ms - (3_600_000 if events.REVOKED in types else 0),
            tries=1,
        )
        raw = events.token_of(world.bank.inside, event)
        for _ in range(2):
            answer = world.app.test_client().post(
                f"/banks/{BANK}/events", base_url=BASE_URL, data=raw, content_type="application/jwt"
            )
            assert answer.status_code < 500
    world.worker.run_until_idle()


def answers(world: World) -> Iterator[tuple[str, dict[str, str]]]:
    """(the state that the address names or not, the answer): forged ones, and true ones that belong elsewhere."""
    true = [one.answer for one in (world.standing, world.unused)]
    forged = [
        {"state": state, "code": secrets.token_urlsafe(24), "iss": f"{world.bank.base_url}/{BANK}"}
        for state in (*world.ids(), world.standing.state, world.unused.state, secrets.token_urlsafe(24))
    ]
    others = [
        {"state": world.unused.state, "error": "access_denied"},
        {"response": world.unused.answer["id_token"]},
        {**world.unused.answer, "state": world.standing.state},
    ]
    for answer in (*true, *forged, *others):
        yield "", answer
        yield f"/{answer['state']}" if "state" in answer else "/x", answer


def come_back_with_everything(world: World) -> None:
    for caller, bank in itertools.product((world.callers()["nobody"], world.as_customer), (BANK, "tyne")):
        here = caller()
        for at, answer in answers(world):
            path = f"/banks/{bank}/return{at}"
            assert here.call("GET", f"{path}?{urlencode(answer)}").status_code < 500
            assert here.call("POST", path, data=answer).status_code < 500
    world.worker.run_until_idle()


# ---------------------------------------------------------------------------------------------- 4: every command


BECAUSE = "the bank's desk says so, ticket 4711"
#: an account whose statements are to count
PAYERS_IBAN = "GB33BUKB20201555555555"
BY = ("--by", "ada")
SERVES = "it serves until it is stopped"
#: command → its arguments after it, several times; or why it is not run here
Arguments = Callable[[World, Path], list[list[str]]]
COMMANDS: Mapping[tuple[str, ...], Arguments | str] = {
    ("serve",): SERVES,
    ("worker",): "the same work is done by the same worker in this process",
    ("demo",): "a supervisor of all the others; its walks pay for customers of their own, who decide",
    ("sandbox-bank",): SERVES,
    ("demo-biller",): SERVES,
    ("new-standard",): "it lays source files, and knows no installation",
    ("check",): lambda world, _: [[], ["--list"]],
    ("migrate",): lambda world, _: [[]],
    ("keys", "init"): lambda world, _: [[]],
    ("keys", "list"): lambda world, _: [[]],
    ("keys", "add"): lambda world, _: [[]],
    ("keys", "activate"): lambda world, _: [["k1"]],
    ("keys", "rewrap"): lambda world, _: [[]],
    ("keys", "remove"): lambda world, _: [["k2"]],
    ("payment", "unknown"): lambda world, _: [[]],
    ("payment", "voided"): lambda world, _: [[]],
    ("payment", "resolve"): lambda world, _: [
        [one, said, "--because", BECAUSE] for one in orders(world) for said in ("--executed", "--not-executed")
    ],
    ("consents", "list"): lambda world, _: [[], ["--stuck"]],
    ("consents", "show"): lambda world, _: [[world.consent_id]],
    ("reconcile",): lambda world, _: [[]],
    ("reconcile", "show"): lambda world, _: [["dif_" + "0" * 16, *BY, "--because", BECAUSE]],
    ("reconcile", "account", "add"): lambda world, _: [[PAYERS_IBAN, "--because", BECAUSE]],
    ("reconcile", "statement"): lambda world, folder: [[str(path)] for path in statements(world, folder)],
    ("reconcile", "ask"): lambda world, _: [[], ["--since", "1000"]],
    ("reconcile", "accept"): lambda world, _: [[one, "--because", BECAUSE] for one in orders(world)],
    ("reconcile", "account", "list"): lambda world, _: [[]],
    ("reconcile", "account", "remove"): lambda world, _: [[PAYERS_IBAN]],
    ("work", "list"): lambda world, _: [[]],
    ("work", "dead"): lambda world, _: [[]],
    ("work", "replay"): lambda world, _: [["--all"], *([each] for each in forged(world))],
    ("biller", "add"): lambda world, _: [
        ["Another Ltd", "--country", "GB", "--id", "uk-company:09044172", "--iban", PAYEE_IBAN, "--approved-by", "ada"]
    ],
    ("biller", "propose"): lambda *_: [["A Third Ltd", "--country", "GB", "--id", "uk-company:09044180", *BY]],
    ("biller", "check"): lambda world, _: [[each, *BY] for each in billers(world)],
    ("biller", "approve"): lambda world, _: [
        [each, "--by", who, "--despite", BECAUSE] for each in billers(world) for who in ("ada", "grace")
    ],
    ("biller", "suspend"): lambda world, _: [[each, *BY, "--because", BECAUSE] for each in billers(world)],
    ("biller", "reinstate"): lambda world, _: [
        [each, "--by", who, "--because", BECAUSE] for each in billers(world) for who in ("ada", "grace")
    ],
    ("biller", "refuse"): lambda world, _: [[each, *BY, "--because", BECAUSE] for each in billers(world)],
    ("biller", "show"): lambda world, _: [[each] for each in billers(world)],
    ("biller", "list"): lambda *_: [[]],
    ("biller", "account", "propose"): lambda world, _: [[world.program.biller_id, PAYERS_IBAN, *BY]],
    ("biller", "account", "check"): lambda world, _: [[each, *BY] for each in accounts(world)],
    ("biller", "account", "approve"): lambda world, _: [
        [each, "--holder", holder_of(world, each), *BY] for each in accounts(world)
    ],
    ("biller", "account", "freeze"): lambda world, _: [[each, *BY, "--because", BECAUSE] for each in accounts(world)],
    ("biller", "account", "unfreeze"): lambda world, _: [
        [each, "--by", who, "--because", BECAUSE] for each in accounts(world) for who in ("ada", "grace")
    ],
    ("biller", "account", "close"): lambda *_: [["acc_" + "0" * 32, *BY, "--because", BECAUSE]],
    ("biller", "account", "list"): lambda *_: [[]],
    ("biller", "client"): lambda world, folder: [[world.program.biller_id, "--jwks", str(jwks(world, folder))]],
    ("biller", "scope"): lambda world, _: [[world.program.client_id, " ".join(SCOPES)]],
    ("biller", "key", "add"): lambda world, folder: [[world.program.biller_id, "--jwk", str(jwk(world, folder))]],
    ("biller", "key", "revoke"): lambda *_: [["key_" + "0" * 32, "--because", BECAUSE]],
    ("biller", "key", "list"): lambda world, _: [[world.program.biller_id]],
    ("audit", "key"): lambda *_: [[]],
    ("audit", "checkpoint"): lambda *_: [[]],
    ("audit", "verify"): lambda *_: [[]],
    ("privacy", "record"): lambda *_: [[]],
    ("privacy", "seal"): lambda *_: [[]],
    ("receipt", "verify"): "it reads files, and needs no installation",
    ("connection", "count"): lambda *_: [[]],
    ("connection", "redemptions"): lambda *_: [[]],
    ("connection", "leaks"): lambda *_: [[]],
    ("invitation", "list"): lambda *_: [[]],
    ("biller", "webhook"): lambda world, _: [[world.program.biller_id, "http://127.0.0.1:9/hook"]],
    ("bill", "held"): lambda world, _: [[]],
    ("bill", "show"): lambda world, _: [[world.invoice_id, *BY, "--because", BECAUSE]],
    ("bill", "seal"): lambda world, _: [[]],
    ("bill", "release"): lambda world, _: [["hld_" + "0" * 32]],
    ("bill", "discard"): lambda world, _: [["hld_" + "0" * 32]],
    ("read",): lambda world, folder: [[str(path) for path in statements(world, folder)]],
    ("bank", "list"): lambda world, _: [[]],
    ("bank", "check"): lambda world, _: [[BANK], ["horizon"]],
    ("bank", "subscribe"): lambda world, _: [[BANK], [BANK, "--show"], [BANK, "--delete"]],
    ("bank", "register"): lambda world, _: [[BANK, "--show"], [BANK, "--delete"]],
}


#: where what is at hand is nothing that they could change, or where they find what is to be looked at
MAY_SAY_NO = frozenset(
    {
        ("consents", "show"),  # the one at hand is no standing one
        ("payment", "resolve"),
        ("biller", "key", "add"),
        ("biller", "key", "revoke"),
        ("audit", "verify"),
        ("biller", "check"),
        ("biller", "approve"),
        ("biller", "suspend"),
        ("biller", "reinstate"),
        ("biller", "refuse"),
        ("biller", "account", "check"),
        ("biller", "account", "approve"),
        ("biller", "account", "freeze"),
        ("biller", "account", "unfreeze"),
        ("biller", "account", "close"),
        ("reconcile", "accept"),
        ("reconcile", "show"),
        ("reconcile",),
        ("bank", "check"),
        ("bank", "register"),
        ("bank", "subscribe"),
        ("bill", "release"),
        ("bill", "discard"),
    }
)


def orders(world: World) -> list[str]:
    """What could be taken for a payment."""
    found = {whose: one for one, whose in world.ids().items() if "payment" in whose or "consent" in whose}
    return list(found.values())


def billers(world: World) -> list[str]:
    """The one that delivers, and those that are proposed."""
    with world.services.reading() as uow:
        return list(uow.session.scalars(select(Biller.id).order_by(Biller.id)))


def accounts(world: World) -> list[str]:
    """Those that bills may name, and that are proposed."""
    with world.services.reading() as uow:
        return list(uow.session.scalars(select(PayeeAccount.id).order_by(PayeeAccount.id)))


def holder_of(world: World, account_id: str) -> str:
    with world.services.reading() as uow:
        return uow.session.get_one(PayeeAccount, account_id).holder


def commands() -> set[tuple[str, ...]]:
    """Every one that does something, from the parser itself."""

    def below(parser: argparse.ArgumentParser, at: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if parser.get_default("command") is not None:
            yield at
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for name, child in action.choices.items():
                    yield from below(child, (*at, name))

    return set(below(_parser(), ()))


def statements(world: World, folder: Path) -> Iterator[Path]:
    """The payee's bank and the payer's say that the bill was paid, by every name that it could be known by."""
    with world.services.reading() as uow:
        names = uow.session.scalars(select(Payment.end_to_end_id)).all()
    known_as = [*names, world.invoice_id.replace("_", ""), "2026-1", world.standing.bank_consent_id[:35]]
    for (number, name), account in itertools.product(enumerate(known_as), (PAYEE_IBAN, PAYERS_IBAN)):
        path = folder / f"statement-{number}-{account}.xml"
        line = Line(
            end_to_end_id=name,
            amount=AMOUNT,
            currency="GBP",
            reference=f"R{number}",
            indicator="CRDT" if account == PAYEE_IBAN else "DBIT",
            counterparty=None if account == PAYEE_IBAN else PAYEE_IBAN,
        )
        path.write_bytes(camt(line, account=account, message_id=f"MSG-{number}"))
        yield path


def jwks(world: World, folder: Path) -> Path:
    path = folder / "jwks.json"
    path.write_text(json.dumps({"keys": [world.program.key.as_dict(private=False)]}))
    return path


def jwk(world: World, folder: Path) -> Path:
    path = folder / "jwk.json"
    path.write_text(json.dumps(world.program.key.as_dict(private=False)))
    return path


def run_every_command(world: World, folder: Path) -> None:
    number_waiting(world.services)  # as the worker does all the time: `check` asks for it
    for command, arguments in COMMANDS.items():
        if not isinstance(arguments, str):
            for more in arguments(world, folder):
                status = main([*command, *more])
                assert status == 0 or (status == 1 and command in MAY_SAY_NO), (command, more, status)
    world.worker.run_until_idle()


# ------------------------------------------------------------------------------------------------- and nothing moves


def days_go_by(world: World) -> None:
    """With the worker and its housekeeping."""
    for passed in ({"seconds": 5}, {"hours": 1}, {"days": 1}, {"days": 8}):
        world.wait(**passed)


def test_every_command_is_known_here() -> None:
    """A new one is to be added above, with arguments that name what is at hand or with why it is not run."""
    assert commands() == set(COMMANDS)


def test_no_route_pays(world: World) -> None:
    call_every_route(world, every=thorough(7, 1))
    sign_something_else(world)
    ask_for_the_money(world)
    days_go_by(world)
    assert world.moved() == NOTHING
    world.could_pay()


def test_no_handler_pays(world: World) -> None:
    run_every_handler(world)
    days_go_by(world)
    assert world.moved() == NOTHING
    world.could_pay()
    forget_forged(world)


def test_no_message_of_the_banks_pays(world: World) -> None:
    tell_every_event(world)
    come_back_with_everything(world)
    days_go_by(world)
    assert world.moved() == NOTHING
    world.could_pay()


@pytest.mark.usefixtures("command_line")
def test_no_command_pays(world: World, tmp_path: Path) -> None:
    forge_work(world)
    run_every_command(world, tmp_path)
    days_go_by(world)
    assert world.moved() == NOTHING
    world.could_pay()
    forget_forged(world)


def test_the_bank_would_have_paid(world: World) -> None:
    """What the others count is seen when it happens: the consent, its token and the counting are good."""
    world.pays_by_force()
    assert world.moved() == {**ONCE, "decision": 0, "payment": 0}


# ---------------------------------------------------------------------------------------------- and one decision pays


def stay_signed_in(world: World) -> None:
    if world.browser.get("/bills").status_code != 200:
        world.browser.sign_in()


def decide(world: World) -> Callable[[], TestResponse]:
    """The customer signs the order. Returns what posts that very decision again."""
    browser, path = world.browser, f"/bills/{world.invoice_id}/pay"
    stay_signed_in(world)
    _, started = browser.start_paying(world.invoice_id, bank=BANK)
    asked = started.get_json()
    form = {"credential": json.dumps(browser.device.sign(asked["publicKey"])), "ceremony": asked["ceremony"]}

    def post() -> TestResponse:
        stay_signed_in(world)
        return browser.post(path, token=browser.token("/bills"), form=form)

    first = post()
    assert (first.status_code, first.headers["Location"][-6:]) == (303, "/leave")
    return post


def approve_at_the_bank(world: World) -> str:
    """The bank answers behind the #, which the page that waits there posts to us. Returns the payment's id."""
    with world.services.reading() as uow:
        payment_id = uow.session.scalars(select(Payment.id)).one()
    parts = urlsplit(world.person().approve(world.browser.leave(payment_id)))
    form = dict(parse_qsl(parts.fragment))
    token = world.browser.token(parts.path)
    taken = world.browser.post(parts.path, token=token, form={**form, "csrf_token": token})
    assert (taken.status_code, taken.headers["Location"]) == (303, f"/payments/{payment_id}?back=1")
    return payment_id


@pytest.mark.usefixtures("command_line")
def test_one_decision_submits_once_whatever_comes_again(world: World, tmp_path: Path) -> None:
    decided = {**NOTHING, "decision": 1, "payment": 1}
    post_again = decide(world)
    post_again()
    run_every_handler(world)
    tell_every_event(world)
    assert world.moved() == decided, "the customer has not approved it at the bank"
    forget_forged(world)

    payment_id = approve_at_the_bank(world)
    world.wait(seconds=5)
    with world.services.reading() as uow:
        assert uow.session.get_one(Payment, payment_id).state == "settled"
    assert world.moved() == ONCE
    assert [path.rpartition("/")[2] for path in world.bank.submissions] == ["domestic-payments"]

    for _ in range(2):
        assert post_again().status_code in (303, 400, 409)
    call_every_route(world, every=thorough(29, 5))  # the test before has the others
    run_every_handler(world)
    forget_forged(world)
    tell_every_event(world)
    come_back_with_everything(world)
    run_every_command(world, tmp_path)
    days_go_by(world)
    assert post_again().status_code in (303, 400, 409)
    assert world.moved() == ONCE
    world.could_pay()


def test_a_payment_without_an_unused_decision_cannot_be_stored(world: World) -> None:
    """By the tables themselves, whatever a handler would like to write."""
    tables = inspect_tables(world.services.engine)
    [column] = [one for one in tables.get_columns("payment") if one["name"] == "decision_id"]
    assert column["nullable"] is False
    unique = [tuple(one["column_names"]) for one in tables.get_unique_constraints("payment")]
    assert ("decision_id",) in unique
    keys = {tuple(one["constrained_columns"]): one for one in tables.get_foreign_keys("payment")}
    key = keys["decision_id",]
    assert (key["referred_table"], key["referred_columns"]) == ("decision", ["id"])

    decide(world)
    with world.services.reading() as uow:
        used = uow.session.scalars(select(Decision.id)).one()
    for decision_id in (None, used, new_id("dec")):
        with pytest.raises(IntegrityError, match="decision"), world.services.unit_of_work() as uow:
            store_another(world, uow, decision_id=decision_id)
    with world.services.unit_of_work() as uow:
        decision = dict(uow.session.execute(select(Decision.__table__)).mappings().one())
        decision |= {"id": new_id("dec"), "payment_id": new_id("pay")}
        uow.session.execute(insert(Decision).values(**owning(Decision, decision)))
        store_another(world, uow, decision_id=decision["id"])  # it was the decision alone that was missing


def store_another(world: World, uow: UnitOfWork, *, decision_id: str | None) -> None:
    """A payment like the one that is there, with all of its own but the decision. It is not committed."""
    trip = trips.plan(
        uow.session,
        world.services.vault,
        customer_id=world.customer.id,
        bank_id=BANK,
        return_url=f"{BASE_URL}/banks/{BANK}/return",
        state_in_path=False,
        now=uow.now,
        life=dt.timedelta(hours=1),
    )
    payment = dict(uow.session.execute(select(Payment.__table__)).mappings().one())
    payment |= {
        "id": new_id("pay"),
        "trip_id": trip.id,
        "consent_id": None,
        "bank_payment_id": None,
        "end_to_end_id": uuid.uuid4().hex,
        "decision_id": decision_id,
    }
    uow.session.execute(insert(Payment).values(**payment))
