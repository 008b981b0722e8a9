"""The sandbox banks of a standard as `quittance sandbox-bank` serves them: a process of their own, over TLS."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import requests

from app.demo.processes import free_ports
from config.settings import ROOT
from connectors.registry import Registry
from tests.support.sandbox_tpp import Answer, Person, new_key
from tests.support.uk_wire import OverTls

START_S_MAX = 30


class ServedProcess:
    """Banks in their own process group, so that a kill takes all of it, as a power cut does.

    ``folder`` has, or gets, the files of their authority.
    """

    def __init__(self, data: Path, *, folder: Path, standard: str) -> None:
        self.data = data
        self.folder = folder
        self._standard = standard
        (self._port,) = free_ports(1)
        self.base_url = f"https://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str) -> None:
        others = {name: value for name, value in os.environ.items() if "QUITTANCE_" not in name and "BANK_" not in name}
        command = [sys.executable, "-m", "app.cli", "sandbox-bank", "--standard", self._standard]
        with (self.data / "bank.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--port", str(self._port), *arguments],
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

    def _lives(self) -> bool:
        try:
            with requests.get(f"{self.base_url}/livez", timeout=1, verify=str(self.folder / "ca.pem")) as got:
                return got.status_code == 200
        except (requests.RequestException, OSError):
            return False


class ServedBanks(ServedProcess):
    """Those of a standard whose authority's files are where the banks' own are looked for."""

    def __init__(self, data: Path, *, standard: str) -> None:
        super().__init__(data, folder=data / "bank-keys" / f"sandbox-bank-{standard}", standard=standard)

    def registry(self, keys: Path | None = None) -> Registry:
        """The repository's own files, with the keys that the sandbox's authority made, or with others."""
        at = {self._standard: self.base_url}
        return Registry.from_folder(
            ROOT / "config" / "banks",
            sandbox_bank_url=None,
            sandbox_bank_stet_url=at.get("stet"),
            sandbox_bank_nextgen_url=at.get("nextgen"),
            client_key=new_key().as_dict(private=True),
            allow_http=False,
            bank_keys=keys or self.folder.parent,
        )

    @contextmanager
    def person(self) -> Iterator[Person]:
        """A customer whose browser has no certificate."""
        wire = OverTls(self.folder / "ca.pem")
        try:
            yield Person(transport=_Browser(wire), base_url=self.base_url)
        finally:
            wire.close()

    @property
    def ledger_token(self) -> str:
        return (self.data / f"sandbox-bank-{self._standard}" / "ledger-token").read_text("utf-8").strip()


@contextmanager
def serving(data: Path, *, standard: str) -> Iterator[ServedBanks]:
    banks = ServedBanks(data, standard=standard)
    banks.start()
    try:
        yield banks
    finally:
        banks.kill()


class _Browser:
    """What a person's transport wants, over TLS without a certificate of its own."""

    def __init__(self, wire: OverTls) -> None:
        self._wire = wire

    def send(self, method: str, url: str, *, headers: Mapping[str, str], data: bytes) -> Answer:
        return self._wire.send(method, url, headers=headers, data=data, certificate=None)
