"""The fake bank as a process of its own: killed while somebody approves, and asked by many at once."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import requests

from tests.support.sandbox_tpp import OverHttp, Person, Tpp, answer_to_tpp, jwks_of, new_key, order

pytestmark = pytest.mark.faults

KEY = new_key()
START_S_MAX = 20
#: moments between sending the approval and the kill: before, during and after the bank's commit
KILL_AFTER_S = (0.0, 0.001, 0.002, 0.004, 0.006, 0.01, 0.02)


class ServedBank:
    """gunicorn in its own process group, so that a kill takes master and workers, as a power cut does."""

    def __init__(self, folder: Path, *, workers: int) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            self._port = free.getsockname()[1]
        self.base_url = f"http://127.0.0.1:{self._port}"
        self._workers = workers
        self._log = folder / "bank.log"
        tpps = folder / "tpps.json"
        tpps.write_text(json.dumps({"quittance": jwks_of(KEY)}), encoding="utf-8")
        self._environ = {
            **os.environ,
            "SANDBOX_BANK_URL": self.base_url,
            "SANDBOX_BANK_DATABASE": str(folder / "bank.db"),
            "SANDBOX_BANK_LEDGER_TOKEN": "ledger",
            "SANDBOX_BANK_TPPS": str(tpps),
            "SANDBOX_BANK_SETTLE_S": "0.05",
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._transports: list[OverHttp] = []

    def start(self) -> None:
        command = [sys.executable, "-m", "gunicorn", "-k", "gthread", "--threads", "16"]
        command += ["--workers", str(self._workers), "-b", f"127.0.0.1:{self._port}"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "connectors.sandbox_bank.wsgi:application"],
                env=self._environ,
                cwd=Path(__file__).parents[2],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_S_MAX
        while not self._lives():
            assert time.monotonic() < deadline, self._log.read_text(encoding="utf-8")
            time.sleep(0.05)

    def kill(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def close(self) -> None:
        self.kill()
        for transport in self._transports:
            transport.close()

    def transport(self) -> OverHttp:
        self._transports.append(OverHttp())
        return self._transports[-1]

    def tpp(self) -> Tpp:
        return Tpp(transport=self.transport(), base_url=self.base_url, key=KEY, now_s=lambda: int(time.time()))

    def person(self) -> Person:
        return Person(transport=self.transport(), base_url=self.base_url)

    def ledger(self, end_to_end_id: str) -> list[str]:
        with requests.get(
            f"{self.base_url}/sandbox/ledger",
            params={"end_to_end_id": end_to_end_id},
            headers={"Authorization": "Bearer ledger"},
            timeout=10,
        ) as got:
            return [entry["kind"] for entry in got.json()["entries"]]

    def _lives(self) -> bool:
        try:
            with requests.get(f"{self.base_url}/livez", timeout=1) as got:
                return got.status_code == 200
        except requests.RequestException:
            return False


@pytest.fixture
def served(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ServedBank]:
    served = ServedBank(tmp_path, workers=request.param)
    try:
        served.start()
        yield served
    finally:
        served.close()


@pytest.mark.parametrize("served", [1], indirect=True)
def test_killed_while_a_customer_approves(served: ServedBank) -> None:
    """Whatever the browser was told is true after the restart, and money moved at most once."""
    with ThreadPoolExecutor(1) as pool:
        for round_, kill_after_s in enumerate(KILL_AFTER_S):
            end_to_end_id = f"KILL-{round_}"
            tpp, person = served.tpp(), served.person()
            payment_id = tpp.initiated(order(endToEndIdentification=end_to_end_id))
            decision = person.sign_in(person.go(tpp.authorize_url(payment_id)))
            approval = pool.submit(person.submit_once, decision, account="camille-current", decision="approve")
            time.sleep(kill_after_s)
            served.kill()
            told_done = approval.exception() is None and approval.result().status == 303
            served.start()

            before = tpp.status(payment_id)
            assert before in ("RCVD", "ACSP", "ACSC")
            assert not told_done or before != "RCVD"
            back = answer_to_tpp(person.submit(decision, account="camille-current", decision="approve"))
            assert tpp.exchange(back["code"]).status == 200
            time.sleep(0.1)
            assert tpp.status(payment_id) == "ACSC"
            assert served.ledger(end_to_end_id) == ["debit"]


@pytest.mark.parametrize("served", [2], indirect=True)
def test_many_presses_at_once_pay_once(served: ServedBank) -> None:
    tpp, person = served.tpp(), served.person()
    payment_id = tpp.initiated()
    decision = person.sign_in(person.go(tpp.authorize_url(payment_id)))

    def press(_: int) -> str:
        page = person.submit(decision, account="camille-current", decision="approve")
        return answer_to_tpp(page)["code"]

    with ThreadPoolExecutor(8) as pool:
        codes = set(pool.map(press, range(16)))
    assert len(codes) == 1
    time.sleep(0.1)

    def read(_: int) -> object:
        return tpp.status(payment_id)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(read, range(16))) == {"ACSC"}
    assert served.ledger("Q-INV-1") == ["debit"]


@pytest.mark.parametrize("served", [2], indirect=True)
def test_an_assertion_is_good_once_for_all_workers(served: ServedBank) -> None:
    tpp = served.tpp()
    assertion = tpp.assertion()

    def ask(_: int) -> int:
        form = {"grant_type": "client_credentials", "scope": "PIS"}
        return tpp.ask_token(form, assertion=assertion).status

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(ask, range(8))) == [200, *[401] * 7]
