"""The NextGenPSD2 sandbox banks in this process. Their authority's files are as those of the STET banks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

from flask import Flask

from connectors.sandbox_bank.nextgen.app import create_nextgen_bank
from connectors.sandbox_bank.nextgen.settings import NextGenBankSettings
from tests.support.stet_bank import NUMBER, OTHER, make_folder, with_certificate

__all__ = ["BASE_URL", "NUMBER", "OTHER", "make_folder", "make_nextgen_bank", "with_certificate"]

BASE_URL = "https://127.0.0.1:8005"


def make_nextgen_bank(
    folder: Path,
    *,
    database: Path,
    clock: Callable[[], dt.datetime],
    sleep: Callable[[float], None],
    settle_after_s: float = 1.0,
) -> Flask:
    """``folder``: what `make_folder` made. Who makes it closes its store at the end."""
    app = create_nextgen_bank(
        NextGenBankSettings(
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
