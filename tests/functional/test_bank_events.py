"""The door for what banks tell by themselves: a bank's own signed event is taken, and it is a hint, never a proof."""

from __future__ import annotations

import base64
import datetime as dt
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from joserfc import jwt
from joserfc.jwk import RSAKey
from sqlalchemy import select
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from app.db.work import WorkRow
from app.journey.consents.models import BankBudget
from app.journey.payments.looks import work_key
from app.keys.installation import Keys
from app.services import Services
from app.tables import metadata
from app.worker import Worker
from config.settings import Settings
from connectors.capabilities import Notifies
from connectors.sandbox_bank.openbanking_uk import postman
from connectors.security.event_token import TOKEN_BYTES_MAX
from connectors.security.published_keys import PAUSE
from tests.conftest import Clock
from tests.support.installation import BASE_URL
from tests.support.uk_bank import inside, make_bank, make_folder
from tests.support.uk_installation import UkJourney, make_uk_services, uk_wire
from tests.support.uk_tpp import BASE_URL as BANK_URL
from tests.support.wsgi_adapter import WSGIAdapter

pytestmark = pytest.mark.long_on_postgres

UPDATED = "urn:uk:org:openbanking:events:resource-update"
REVOKED = "urn:uk:org:openbanking:events:consent-authorization-revoked"
#: of the sandbox banks: the pace after the first minute, at which nobody but an event hurries us
SETTLES_S = 150


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its keys take a while: once for all tests."""
    folder = tmp_path_factory.mktemp("bank-keys") / "sandbox-bank-uk"
    folder.mkdir()
    return make_folder(folder)


@pytest.fixture(scope="module")
def brands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for the banks' own keys and databases."""
    return tmp_path_factory.mktemp("brands")


@pytest.fixture
def uk_bank(authority: Path, brands: Path, clock: Clock) -> Iterator[Flask]:
    database = brands / f"{uuid.uuid4().hex}.sqlite3"
    made = make_bank(authority, database, clock=clock, sleep=lambda _: None, settle_after_s=SETTLES_S)  # type: ignore[arg-type]  # as good a clock
    yield made
    inside(made).store.close()


@pytest.fixture
def wire(uk_bank: Flask, authority: Path) -> WSGIAdapter:
    return uk_wire(uk_bank, authority)


@pytest.fixture
def services(settings: Settings, keys: Keys, wire: WSGIAdapter, authority: Path, clock: Clock) -> Iterator[Services]:
    made = make_uk_services(settings, keys, wire, authority, clock=clock)
    yield made
    made.engine.dispose()


@pytest.fixture
def at(app: Flask, services: Services, worker: Worker, uk_bank: Flask, clock: Clock, wire: WSGIAdapter) -> UkJourney:
    return UkJourney.begin(  # type: ignore[return-value]  # of this class
        app=app, services=services, worker=worker, bank=uk_bank, clock=clock, bank_wire=wire
    )


# what comes to the door


def claims_of(at: UkJourney, resource_id: str, **changes: Any) -> dict[str, Any]:
    now = int(at.clock().timestamp())
    link = f"{BANK_URL}/{at.bank_id}/open-banking/v4.0/pisp/domestic-payments/{resource_id}"
    subject = {
        "subject_type": "http://openbanking.org.uk/rid_http://openbanking.org.uk/rty",
        "http://openbanking.org.uk/rid": resource_id,
        "http://openbanking.org.uk/rty": "domestic-payment",
        "http://openbanking.org.uk/rlk": [{"version": "v4.0", "link": link}],
    }
    usual = {
        "iss": f"{BANK_URL}/{at.bank_id}",
        "iat": now,
        "jti": uuid.uuid4().hex,
        "sub": link,
        "aud": "quittance",
        "txn": uuid.uuid4().hex,
        "toe": now,
        "events": {UPDATED: {"subject": subject}},
    }
    return {**usual, **changes}


def signed(at: UkJourney, claims: dict[str, Any], *, by: str | None = None, key: RSAKey | None = None) -> bytes:
    """By the bank ``by``, or by somebody who only says that they are it."""
    keys = inside(at.bank).keys
    brand = by or at.bank_id
    header = {"alg": "PS256", "kid": keys.kid(brand), "typ": "JWT"}
    return jwt.encode(header, claims, key or keys.of(brand), algorithms=["PS256"]).encode()


def event(at: UkJourney, resource_id: str, **changes: Any) -> bytes:
    return signed(at, claims_of(at, resource_id, **changes))


def post(at: UkJourney, body: bytes, *, path: str | None = None, media_type: str = "application/jwt") -> TestResponse:
    return at.app.test_client().post(
        path or f"/banks/{at.bank_id}/events", base_url=BASE_URL, data=body, content_type=media_type
    )


def refused(answer: TestResponse, status: int, code: str = "invalid_request") -> str:
    """It is refused as RFC 8935 has it; what it says."""
    assert (answer.status_code, answer.mimetype) == (status, "application/json")
    assert answer.headers["Content-Language"] == "en"
    said = answer.get_json()
    assert set(said) == {"err", "description"}
    assert said["err"] == code
    return str(said["description"])


def taken(answer: TestResponse) -> bool:
    return (answer.status_code, answer.data) == (202, b"")


def due(at: UkJourney, payment_id: str) -> dt.datetime | None:
    with at.services.reading() as uow:
        return uow.session.scalar(select(WorkRow.run_at).where(WorkRow.key == work_key(payment_id)))


def rows(at: UkJourney) -> dict[str, Any]:
    """Everything that is written down."""
    with at.services.reading() as uow:
        return {name: [tuple(row) for row in uow.session.execute(select(one))] for name, one in metadata.tables.items()}


def accepted(at: UkJourney) -> tuple[str, str]:
    """A payment that the bank has accepted, at the pace of its file. Its id and the bank's."""
    payment_id = at.pay(at.bill(number=f"e-{uuid.uuid4().hex[:8]}"))
    for _ in range(5):
        at.wait(14)
    payment = at.payment(payment_id)
    assert payment.bank_payment_id is not None
    assert payment.state == "accepted"
    return payment_id, payment.bank_payment_id


def looks(at: UkJourney) -> int:
    """How often the bank was asked for a status."""
    return sum(1 for one in at.bank_wire.sent if one.method == "GET" and "/domestic-payments/" in str(one.url))


# ------------------------------------------------------------------------------------------------------------- believed


def test_an_event_brings_the_next_look_forward_and_is_no_status(at: UkJourney) -> None:
    payment_id, bank_payment_id = accepted(at)
    last, before, asked = at.payment(payment_id).looked_at, due(at, payment_id), looks(at)
    assert last is not None
    assert before is not None
    assert before > at.clock() + dt.timedelta(minutes=2)
    at.clock.tick(seconds=5)
    lie = claims_of(at, bank_payment_id)
    lie["events"][UPDATED]["Status"] = lie["status"] = "ACSC"
    assert taken(post(at, signed(at, lie)))
    assert due(at, payment_id) == max(at.clock(), last + dt.timedelta(seconds=60)) < before
    assert (at.payment(payment_id).state, looks(at)) == ("accepted", asked)  # nobody is asked at the door
    at.wait(60)
    assert (at.payment(payment_id).state, looks(at)) == ("accepted", asked + 1)  # the bank itself says otherwise
    assert at.truth(payment_id) == "accepted"


@pytest.mark.parametrize("kind", [UPDATED, REVOKED])
@pytest.mark.parametrize("names", ["payment", "consent"])
def test_an_event_of_either_kind_names_the_payment_or_its_consent(at: UkJourney, kind: str, names: str) -> None:
    payment_id, resource_id = accepted(at)
    if names == "consent":
        with at.services.reading() as uow:
            table = metadata.tables["consent"]
            resource_id = uow.session.scalars(select(table.c.bank_consent_id)).one()
    subject = claims_of(at, resource_id)["events"][UPDATED]
    before = due(at, payment_id)
    assert taken(post(at, event(at, resource_id, events={kind: subject})))
    after = due(at, payment_id)
    assert after is not None
    assert before is not None
    assert after < before


def test_also_where_a_bank_puts_the_resources_name_behind_the_callback(at: UkJourney) -> None:
    path = f"/banks/{at.bank_id}/events/event-notifications"
    payment_id, bank_payment_id = accepted(at)
    before = due(at, payment_id)
    assert taken(post(at, event(at, bank_payment_id), path=path))
    assert due(at, payment_id) != before


def test_what_names_nothing_of_ours_is_taken_and_nothing_is_written(at: UkJourney) -> None:
    accepted(at)
    before = rows(at)
    for resource_id in ("unknown", str(uuid.uuid4()), "x" * 128):
        assert taken(post(at, event(at, resource_id)))
    assert rows(at) == before


def test_another_banks_payment_is_not_hurried_by_this_bank(at: UkJourney) -> None:
    """Each bank speaks for itself alone, whatever id it names."""
    payment_id, bank_payment_id = accepted(at)
    before = due(at, payment_id)
    at.bank_id = "albion"
    assert taken(post(at, event(at, bank_payment_id)))
    assert due(at, payment_id) == before


def test_sent_again_for_hours_it_makes_us_ask_no_more_than_once(at: UkJourney) -> None:
    """By the bank, which did not see our answer, or by somebody who kept it."""
    payment_id, bank_payment_id = accepted(at)
    raw = event(at, bank_payment_id)
    asked = looks(at)
    for _ in range(10):
        assert taken(post(at, raw))
    at.wait(61)
    assert looks(at) == asked + 1
    after = due(at, payment_id)
    assert after is not None
    while at.clock() < after - dt.timedelta(seconds=20):
        assert taken(post(at, raw))
        at.wait(15)
    assert (due(at, payment_id), looks(at)) == (after, asked + 1)


def test_even_new_events_all_the_time_make_us_ask_once_a_minute(at: UkJourney) -> None:
    payment_id, bank_payment_id = accepted(at)
    at.wait(61)
    asked = looks(at)
    for _ in range(12):
        for _ in range(3):
            assert taken(post(at, event(at, bank_payment_id)))
        at.wait(10)
    assert looks(at) <= asked + 3
    assert at.payment(payment_id).state == "settled"  # meanwhile it is


def test_the_banks_budget_holds(at: UkJourney) -> None:
    payment_id, bank_payment_id = accepted(at)
    at.clock.tick(seconds=61)
    minute = at.clock().replace(second=0, microsecond=0)
    with at.services.unit_of_work() as uow:
        budget = uow.session.get_one(BankBudget, at.bank_id)
        budget.minute, budget.calls = minute, 10_000
        uow.commit()
    asked = looks(at)
    assert taken(post(at, event(at, bank_payment_id)))
    at.worker.run_until_idle()
    assert (looks(at), due(at, payment_id)) == (asked, minute + dt.timedelta(minutes=1))


def test_what_is_ours_to_submit_is_not_hurried(at: UkJourney) -> None:
    """The next step of such a payment may be a sending."""
    payment_id = at.confirm(at.bill(number="e-away"))
    at.browser.leave(payment_id)
    with at.services.reading() as uow:
        consent_id = uow.session.scalars(select(metadata.tables["consent"].c.bank_consent_id)).one()
    before = rows(at)
    assert taken(post(at, event(at, consent_id)))
    assert rows(at) == before


# --------------------------------------------------------------------------------------------------------- not believed


def test_a_forged_one_is_refused_with_the_reason(at: UkJourney) -> None:
    _, resource_id = accepted(at)
    mine = RSAKey.generate_key(2048)
    good = claims_of(at, resource_id)
    before = rows(at)
    header, claims, signature = signed(at, good).split(b".")
    forged = {
        "authentication_failed": [
            signed(at, good, key=mine),
            b".".join([header, claims, signature[:-6] + b"AAAAAA"]),
        ],
        "invalid_key": [signed(at, good, by="albion")],  # a good one, and another bank's
        "invalid_audience": [event(at, resource_id, aud="somebody-else"), event(at, resource_id, aud=None)],
        "invalid_issuer": [event(at, resource_id, iss=f"{BANK_URL}/albion")],
        "invalid_request": [
            b"",
            b"{}",
            b"\xff\xfe",
            b".".join([header, claims, b""]),
            b".".join([base64.urlsafe_b64encode(b'{"alg":"none","kid":"one"}').rstrip(b"="), claims, signature]),
            event(at, resource_id, events={}),
            event(at, resource_id, jti=""),
            event(at, resource_id, iat=int(at.clock().timestamp()) + 3600),
        ],
    }
    for code, bodies in forged.items():
        for body in bodies:
            assert refused(post(at, body), 400, code)
    assert rows(at) == before


def test_an_unknown_key_is_asked_for_once_in_a_while(at: UkJourney) -> None:
    accepted(at)
    claims = claims_of(at, "x")
    assert taken(post(at, signed(at, claims)))
    asked = len(at.bank_wire.sent)
    for _ in range(5):
        refused(post(at, signed(at, claims, by="albion")), 400, "invalid_key")
    assert len(at.bank_wire.sent) == asked
    at.clock.tick(seconds=PAUSE.total_seconds())
    for _ in range(5):
        refused(post(at, signed(at, claims, by="albion")), 400, "invalid_key")
    assert len(at.bank_wire.sent) == asked + 1


def test_rubbish_makes_nobody_ask_the_bank(at: UkJourney) -> None:
    asked = len(at.bank_wire.sent)
    for body in (b"x", b"a.b.c", event(at, "x", aud="another"), event(at, "x", iss="https://evil.example")):
        refused(post(at, body), 400, post(at, body).get_json()["err"])
    assert len(at.bank_wire.sent) == asked


def test_while_the_banks_keys_cannot_be_had_it_may_come_again(at: UkJourney) -> None:
    raw, real = event(at, "x"), at.bank_wire.app

    def away(*_: object) -> Any:
        raise TimeoutError

    at.bank_wire.app = away
    asked = len(at.bank_wire.sent)
    for _ in range(5):
        answer = post(at, raw)
        refused(answer, 503, "temporarily_unavailable")
        assert answer.headers["Retry-After"] == "30"
    assert len(at.bank_wire.sent) == asked + 1
    at.bank_wire.app = real
    at.clock.tick(seconds=30)
    assert taken(post(at, raw))


def test_what_is_too_large_is_not_read(at: UkJourney) -> None:
    assert refused(post(at, b"a" * (TOKEN_BYTES_MAX + 1)), 413)
    assert refused(post(at, b"a" * TOKEN_BYTES_MAX), 400)


def test_only_what_a_browser_cannot_send_by_itself_is_taken(at: UkJourney) -> None:
    raw = event(at, "x")
    for media_type in (
        "application/json",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "",
    ):
        refused(post(at, raw, media_type=media_type), 415)
    for media_type in ("application/jwt; charset=utf-8", "application/secevent+jwt"):  # RFC 8935 has the second
        assert taken(post(at, raw, media_type=media_type))


def test_a_bank_that_is_not_there_or_has_no_events(at: UkJourney) -> None:
    for bank_id in ("horizon", "nowhere", "Mersey"):
        refused(post(at, event(at, "x"), path=f"/banks/{bank_id}/events"), 404)


def test_a_bank_whose_keys_of_ours_are_missing_may_try_again(at: UkJourney) -> None:
    at.services.banks._unusable["mersey"] = "the keys are not there"
    answer = post(at, event(at, "x"))
    assert "keys" not in refused(answer, 503, "temporarily_unavailable")
    assert answer.headers["Retry-After"] == "30"


def test_it_is_only_for_posting(at: UkJourney) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = at.app.test_client().open(f"/banks/{at.bank_id}/events", base_url=BASE_URL, method=method)
        assert answer.status_code == 405


# ------------------------------------------------------------------------------------------------- with the bank itself


@pytest.fixture
def door(app: Flask) -> Iterator[str]:
    """Our door on a real socket."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_bank_that_we_subscribed_to_tells_us_and_we_look_earlier(at: UkJourney, door: str) -> None:
    connector = at.services.banks.connector(at.bank_id)
    assert isinstance(connector, Notifies)
    first = connector.subscribe("http://127.0.0.1:1/old", timeout_s=5)
    changed = connector.change_subscription(first.subscription_id, f"{door}/banks/mersey/events", timeout_s=5)
    assert connector.subscriptions(timeout_s=5) == [changed]
    payment_id, _ = accepted(at)
    planned = due(at, payment_id)
    assert planned is not None
    postman.deliver_due(inside(at.bank))  # that it was accepted, we know already
    at.wait(SETTLES_S - 70 + 1)
    assert at.payment(payment_id).state == "accepted"
    assert postman.deliver_due(inside(at.bank)) == 1
    hurried = due(at, payment_id)
    assert hurried is not None
    assert hurried < planned - dt.timedelta(minutes=2)
    assert at.payment(payment_id).state == "accepted"
    at.wait((hurried - at.clock()).total_seconds())
    assert at.payment(payment_id).state == "settled"
    assert at.clock() < planned
    connector.unsubscribe(changed.subscription_id, timeout_s=5)
    assert connector.subscriptions(timeout_s=5) == []
