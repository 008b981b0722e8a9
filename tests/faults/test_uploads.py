"""Real servers and workers that die in the middle of a file of many bills. Sent again, each bill is there once."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from joserfc.jwk import ECKey
from sqlalchemy import func, select, update

from app.db.work import WorkRow
from app.demo.processes import die_with_parent, free_ports
from app.invariants import check
from app.journey.intake.models import DeliveredBill, Upload, UploadLine, UploadPart
from app.journey.intake.uploads import LINES_A_PAGE, PART_LINES
from app.journey.invoices.models import Invoice
from app.keys.installation import Keys
from app.services import Services, utc_now
from config.settings import ROOT, Settings
from tests.support import factories
from tests.support.billers_door import ASSERTION_TYPE, ISSUER, Program
from tests.support.installation import make_services
from tests.support.wsgi_adapter import WSGIAdapter

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.long_on_postgres, pytest.mark.timeout(240)]

BILLS = 6_000
#: nothing here takes that long on any machine
SOON_S = 120.0
NDJSON = "application/x-ndjson"


@dataclass
class House:
    """One installation: its database, its programs, and a biller's program that calls it over a socket."""

    services: Services
    folder: Path
    port: int
    program: Program
    addresses: list[str]
    environment: dict[str, str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    token: str = ""
    token_until: float = 0.0

    def start(self, word: str) -> subprocess.Popen[bytes]:
        parent = os.getpid()
        with (self.folder / f"{word}.log").open("ab") as output:
            made = subprocess.Popen(
                [sys.executable, "-P", "-m", "app.cli", word],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: die_with_parent(parent),
            )
        self.processes.append(made)
        if word == "serve":
            self.until(self._answers)
        return made

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """kill -9, all of it at once."""
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def until(self, what: Callable[[], bool], *, seconds: float = SOON_S) -> None:
        started = time.monotonic()
        while not what():
            assert time.monotonic() < started + seconds, self.said()
            time.sleep(0.05)

    def said(self) -> str:
        return "".join(log.read_text("utf-8")[-5000:] for log in sorted(self.folder.glob("*.log")))

    def file(self, bills: int) -> bytes:
        payee = {"name": "Lumen", "iban": self.program.iban}
        common = {"issued_on": "2026-11-02", "currency": "EUR", "amount": "84.20", "payee": payee}
        written = io.BytesIO()
        for number in range(1, bills + 1):
            to = self.addresses[number % len(self.addresses)]
            written.write(json.dumps({"to": to, "number": f"K-{number:06}", **common}).encode() + b"\n")
        return written.getvalue()

    # ----------------------------------------------------------------------------------------------- the biller's calls

    def bearer(self) -> dict[str, str]:
        """One token for some minutes, as a program keeps it."""
        if time.monotonic() > self.token_until:
            self.token, self.token_until = self._token(), time.monotonic() + 200
        return {"Authorization": f"Bearer {self.token}"}

    def _token(self) -> str:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self.program.assertion(),
            "scope": "bills:write bills:read",
        }
        answer = self._call("POST", "/oauth2/token", data=form)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def upload(self, content: bytes) -> tuple[int, dict[str, Any]]:
        headers = {**self.bearer(), "Content-Type": NDJSON}
        answer = self._call("POST", "/api/v1/uploads", data=content, headers=headers)
        assert answer.status_code in (200, 202), answer.text
        return answer.status_code, answer.json()

    def progress(self, upload_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self._call("GET", f"/api/v1/uploads/{upload_id}", headers=self.bearer()).json()
        return found

    def results(self, upload_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        after: int | None = 0
        headers = self.bearer()
        while after is not None:
            place = f"/api/v1/uploads/{upload_id}/lines?after={after}"
            page = self._call("GET", place, headers=headers).json()
            found += page["lines"]
            after = page["after"]
        return found

    def begin_to_send(self, content: bytes, *, share: float) -> socket.socket:
        """The head, and so much of the body; the rest never comes."""
        line = socket.create_connection(("127.0.0.1", self.port), timeout=SOON_S)
        head = [
            "POST /api/v1/uploads HTTP/1.1",
            f"Host: localhost:{self.port}",
            f"Authorization: {self.bearer()['Authorization']}",
            f"Content-Type: {NDJSON}",
            f"Content-Length: {len(content)}",
        ]
        line.sendall("\r\n".join([*head, "", ""]).encode() + content[: int(len(content) * share)])
        return line

    def _call(self, method: str, path: str, **how: Any) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, f"http://localhost:{self.port}{path}", timeout=SOON_S, **how)

    def _answers(self) -> bool:
        try:
            return self._call("GET", "/oauth2/jwks").status_code == 200
        except requests.ConnectionError:
            return False

    # -------------------------------------------------------------------------------------------------- what is there

    def rows(self, *tables: Any) -> tuple[int, ...]:
        with self.services.reading() as uow:
            return tuple(uow.session.scalar(select(func.count()).select_from(table)) or 0 for table in tables)

    def end_leases(self) -> None:
        """As if their time had passed: what a dead worker had is free at once."""
        with self.services.unit_of_work() as uow:
            uow.session.execute(update(WorkRow).where(WorkRow.lock_token.is_not(None)).values(run_at=uow.now))
            uow.commit()

    def is_idle(self) -> bool:
        return self.rows(WorkRow) == (0,)

    def is_right(self, upload_id: str, *, bills: int, outcomes: set[str]) -> None:
        """A result for each line, each bill once, and every invariant."""
        lines = self.results(upload_id)
        assert [each["line"] for each in lines] == list(range(1, bills + 1))
        assert {each["outcome"] for each in lines} == outcomes
        assert len({each["id"] for each in lines}) == bills
        assert self.rows(DeliveredBill, Invoice, UploadPart) == (bills, bills, 0)
        assert not [str(broken) for broken in check(self.services.engine, now=utc_now(), late=False)]


@pytest.fixture
def house(settings: Settings, keys: Keys, bank_wire: WSGIAdapter, tmp_path: Path) -> Iterator[House]:
    services = make_services(settings, keys, bank_wire, clock=utc_now)
    made = factories.make_biller(services, iban=factories.IBANS[0])
    addresses = [
        factories.connect(services, customer_id=factories.make_customer(services).id, biller_id=made.id)
        for _ in range(50)
    ]
    program = Program(
        http=None,  # type: ignore[arg-type]  # it calls over a socket
        clock=utc_now,
        biller_id=made.id,
        iban=made.iban,
        vat_id=made.vat_id,
        client_id=made.client_id,
        key=ECKey.import_key(made.private_jwk),
    )
    [port] = free_ports(1)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("QUITTANCE_")} | {
        "PYTHONPATH": str(ROOT),
        "QUITTANCE_DATA": str(settings.data),
        "QUITTANCE_DATABASE_URL": settings.database_url,
        "QUITTANCE_KEYS": str(settings.keys),
        "QUITTANCE_DEMO": "1",
        "QUITTANCE_PORT": str(port),
        "QUITTANCE_BASE_URL": ISSUER,
        "QUITTANCE_WEB_WORKERS": "1",
    }
    folder = tmp_path / "logs"
    folder.mkdir()
    house = House(services, folder, port, program, addresses, environment)
    yield house
    for process in house.processes:
        house.kill(process)
    services.engine.dispose()


def test_a_server_that_dies_while_it_receives_a_file_has_taken_nothing(house: House) -> None:
    content = house.file(BILLS)
    server = house.start("serve")
    line = house.begin_to_send(content, share=0.7)
    house.until(lambda: house.rows(UploadPart) >= (2,))
    house.kill(server)
    line.close()
    assert house.rows(DeliveredBill, UploadLine) == (0, 0)
    house.start("serve")
    house.start("worker")
    status, upload = house.upload(content)
    assert status == 202
    house.until(lambda: house.progress(upload["id"])["status"] == "done")
    house.until(house.is_idle)
    with house.services.unit_of_work() as uow:  # what came of the first try is forgotten a day later
        torn = uow.session.scalars(select(Upload.id).where(Upload.state == "receiving")).all()
        assert len(torn) == 1
        uow.session.execute(UploadPart.__table__.delete().where(UploadPart.upload_id.in_(torn)))  # type: ignore[attr-defined]
        uow.commit()
    house.is_right(upload["id"], bills=BILLS, outcomes={"delivered"})


def test_a_sender_that_hangs_up_leaves_nothing(house: House) -> None:
    house.start("serve")
    line = house.begin_to_send(house.file(BILLS), share=0.7)
    house.until(lambda: house.rows(UploadPart) >= (2,))
    line.close()
    house.until(lambda: house.rows(Upload, UploadPart) == (0, 0))


def test_a_worker_that_dies_in_the_middle_loses_and_doubles_nothing(house: House) -> None:
    killed_in_the_middle(house, bills=BILLS, patient=False)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_hundred_thousand_bills_and_a_worker_that_dies(house: House) -> None:
    killed_in_the_middle(house, bills=100_000, patient=True)


def killed_in_the_middle(house: House, *, bills: int, patient: bool) -> None:
    """Kill the worker twice; send the file again in between and at the end. ``patient`` waits for the real leases."""
    content = house.file(bills)
    house.start("serve")
    status, upload = house.upload(content)
    assert status == 202
    for share in (0.0, 0.4):
        worker = house.start("worker")
        house.until(lambda share=share: house.progress(upload["id"])["done"] > share * bills)  # type: ignore[misc]
        house.kill(worker)
        seen = house.progress(upload["id"])
        assert seen["status"] == "working"
        assert seen["done"] == seen["delivered"] == len(house.results(upload["id"]))
        assert house.rows(DeliveredBill) == (seen["done"],)
        again, same = house.upload(content)
        assert (again, same["id"]) == (200, upload["id"])
        if not patient:
            house.end_leases()
    house.start("worker")
    house.until(lambda: house.progress(upload["id"])["status"] == "done", seconds=900)
    house.until(house.is_idle, seconds=900)
    house.is_right(upload["id"], bills=bills, outcomes={"delivered"})
    status, second = house.upload(content)
    assert status == 202
    house.until(lambda: house.progress(second["id"])["status"] == "done", seconds=900)
    house.is_right(second["id"], bills=bills, outcomes={"repeated"})
    assert bills > PART_LINES
    assert bills > LINES_A_PAGE
