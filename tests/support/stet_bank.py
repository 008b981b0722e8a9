"""The STET sandbox banks in this process, and the files that their authority makes."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Flask

from connectors.sandbox_bank import authority
from connectors.sandbox_bank.authority import Tpp
from connectors.sandbox_bank.sealed import TEST_CERTIFICATE
from connectors.sandbox_bank.stet.app import create_stet_bank
from connectors.sandbox_bank.stet.settings import StetBankSettings
from tests.support.sandbox_tpp import Clock

BASE_URL = "https://127.0.0.1:8004"
NUMBER, OTHER = "PSDFR-ACPR-000000", "PSDFR-ACPR-000001"


@cache
def _made() -> Path:
    """RSA keys take their time, so the files are made once in a process."""
    folder = Path(tempfile.mkdtemp(prefix="stet-authority-"))
    authority.make(folder, tpp=Tpp.sealed(NUMBER), clock=Clock())
    authority.add_tpp(folder, Tpp.sealed(OTHER), files=folder / "other", clock=Clock())
    return folder


def make_folder(folder: Path) -> Path:
    """All files of the authority and of our TPP, and in ``other`` those of another one."""
    shutil.copytree(_made(), folder)
    return folder


def make_stet_bank(
    folder: Path,
    *,
    database: Path,
    clock: Callable[[], dt.datetime],
    sleep: Callable[[float], None],
    settle_after_s: float = 1.0,
) -> Flask:
    """``folder``: what `make_folder` made. Who makes it closes its store at the end."""
    app = create_stet_bank(
        StetBankSettings(
            base_url=BASE_URL,
            database=database,
            folder=folder,
            ledger_token="ledger",
            settle_after_s=settle_after_s,
            clock=clock,
            sleep=sleep,
        ),
        testing=True,
    )
    app.testing = True
    return app


def with_certificate(path: Path) -> dict[str, object]:
    """What the server's environment has of a connection with this certificate."""
    return {TEST_CERTIFICATE: x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)}
