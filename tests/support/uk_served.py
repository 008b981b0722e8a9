"""The UK sandbox banks as `quittance sandbox-bank` serves them: a process of its own, over TLS."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import requests

from app.demo.processes import free_ports
from config.settings import ROOT
from tests.support.uk_tpp import BRANDS, OverTls, UkPerson, UkTpp

START_S_MAX = 30


class ServedBank:
    """In its own process group, so that a kill takes all of it, as a power cut does."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.folder = data / "sandbox-bank-uk"
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
