"""The UK sandbox banks as a process of its own over TLS: the socket says who calls, a kill loses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from app.demo.processes import free_ports
from config.settings import ROOT
from connectors.sandbox_bank import authority
from tests.support.uk_bank import OTHER
from tests.support.uk_tpp import BRANDS, OverTls, UkPerson, UkTpp, way_back

pytestmark = pytest.mark.faults

START_S_MAX = 30
CREDENTIALS = {"grant_type": "client_credentials", "scope": "payments"}


class ServedBank:
    """`quittance sandbox-bank` in its own process group, so that a kill takes all of it, as a power cut does."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.folder = data / "authority"
        (self._port,) = free_ports(1)
        self.base_url = f"https://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._transports: list[OverTls] = []

    def start(self) -> None:
        others = {name: value for name, value in os.environ.items() if "QUITTANCE_" not in name and "BANK_" not in name}
        command = [sys.executable, "-m", "app.cli", "sandbox-bank", "--standard", "openbanking_uk"]
        with (self.data / "bank.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--port", str(self._port), "--folder", str(self.folder)],
                env={**others, "QUITTANCE_DATA": str(self.data)},
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_S_MAX
        while not self._lives():
            assert time.monotonic() < deadline, (self.data / "bank.log").read_text("utf-8")
            time.sleep(0.1)

    def kill(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def close(self) -> None:
        self.kill()
        for transport in self._transports:
            transport.close()

    def transport(self) -> OverTls:
        self._transports.append(OverTls(self.folder / "ca.pem"))
        return self._transports[-1]

    def tpp(self, brand: str = "albion") -> UkTpp:
        return UkTpp(
            transport=self.transport(), files=self.folder, brand=brand, base_url=self.base_url, **BRANDS[brand]
        )

    def person(self) -> UkPerson:
        return UkPerson(transport=self.transport())

    def _lives(self) -> bool:
        try:
            with requests.get(f"{self.base_url}/livez", timeout=1, verify=str(self.folder / "ca.pem")) as got:
                return got.status_code == 200
        except (requests.RequestException, OSError):
            return False


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedBank]:
    served = ServedBank(tmp_path_factory.mktemp("served"))
    try:
        served.start()
        yield served
    finally:
        served.close()


@pytest.mark.parametrize("brand", ["albion", "caledonia", "severn", "mersey", "tyne"])
def test_a_customer_approves(served: ServedBank, brand: str) -> None:
    tpp = served.tpp(brand)
    answer = tpp.answered(served.person().approve(tpp.authorize_url(tpp.consent())))
    assert tpp.exchange(answer["code"]).status == 200


def test_the_socket_says_which_certificate_there_is(served: ServedBank) -> None:
    """What a test may say in the WSGI environment, nobody can say in a header."""
    tpp = served.tpp()
    access_token = tpp.own_token()
    tpp.certificate = None
    forged = {"sandbox.client_certificate": "x", "X-Client-Cert": (served.folder / "client.pem").read_text()[28:60]}
    assert tpp.post("/oauth2/token", CREDENTIALS, headers=forged).status == 400
    assert tpp.call("POST", "/domestic-payment-consents", access_token, {"Data": {}}, key="one").status == 401


def test_a_certificate_of_another_tpp(served: ServedBank) -> None:
    authority.add_tpp(served.folder, OTHER, files=served.folder / "other")
    tpp = served.tpp()
    access_token = tpp.own_token()
    tpp.certificate = served.folder / "other" / "client.pem"
    assert tpp.post("/oauth2/token", CREDENTIALS).json["error"] == "invalid_client"
    assert tpp.call("POST", "/domestic-payment-consents", access_token, {"Data": {}}, key="one").status == 401


def test_a_certificate_of_another_authority_does_not_pass_tls(served: ServedBank, tmp_path: Path) -> None:
    authority.make(tmp_path)
    tpp = served.tpp()
    tpp.certificate = tmp_path / "client.pem"
    with pytest.raises(requests.RequestException):
        tpp.post("/oauth2/token", CREDENTIALS)


def test_killed_after_an_approval(served: ServedBank) -> None:
    """The way back leads back with the same code after a restart, a token stays good, and a key stays the same."""
    tpp, person = served.tpp(), served.person()
    access_token, keys = tpp.own_token(), tpp.get("/jwks").json
    page, place = person.visit(tpp.authorize_url(tpp.consent()))
    decision, place = person.submit(page, place, customer=person.customer, pin="1234")
    before, _ = person.submit(decision, place, account=person.account, decision="approve")
    served.kill()
    served.start()
    after, _ = person.submit(decision, place, account=person.account, decision="approve")
    codes = {tpp.answered(way_back(page))["code"] for page in (before, after)}
    assert len(codes) == 1
    assert tpp.get("/jwks").json == keys
    assert tpp.exchange(codes.pop()).status == 200
    assert tpp.call("POST", "/domestic-payment-consents", access_token, {"Data": {}}, key="one").status != 401
