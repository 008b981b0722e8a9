"""An installation in this process, put together once for all who need one: settings, the sandbox bank, the services."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask
from joserfc.jwk import ECKey

from app.journey.route import HANDLERS, ROUTE
from app.keys.installation import Keys
from app.services import Services, build_services
from config.settings import ROOT, Settings
from connectors.http import BankSession
from connectors.registry import Registry
from connectors.sandbox_bank.app import create_bank
from connectors.sandbox_bank.settings import BankSettings
from tests.support.wsgi_adapter import WSGIAdapter

BASE_URL = "http://localhost:8000"
BANK_URL = "http://127.0.0.1:8001"
LEDGER_TOKEN = "ledger"

Time = Callable[[], dt.datetime]


def make_settings(folder: Path, *, database_url: str, **others: Any) -> Settings:
    """A demo that keeps everything below ``folder``; ``others`` are settings that are to be otherwise."""
    usual = Settings(
        data=folder,
        base_url=BASE_URL,
        database_url=database_url,
        keys=folder / "keys",
        banks=ROOT / "config" / "banks",
        bank_keys=folder / "bank-keys",
        space_domain="space.quittance.example",
        port=8000,
        bank_port=8001,
        uk_bank_port=8003,
        stet_bank_port=8004,
        nextgen_bank_port=8005,
        biller_port=8002,
        web_workers=1,
        web_threads=8,
        trusted_proxies=0,
        demo=True,
    )
    return dataclasses.replace(usual, **others)


def make_bank(database: Path, keys: Keys, *, clock: Time, sleep: Callable[[float], None]) -> Flask:
    """The sandbox bank, which knows us by our keys. Who makes it closes its store at the end."""
    public = ECKey.import_key(keys.bank_client).as_dict(private=False)
    made = create_bank(
        BankSettings(
            base_url=BANK_URL,
            database=database,
            ledger_token=LEDGER_TOKEN,
            tpps={"quittance": {"keys": [public]}},
            clock=clock,
            sleep=sleep,
        )
    )
    made.testing = True
    return made


def make_services(settings: Settings, keys: Keys, wire: WSGIAdapter, *, clock: Time) -> Services:
    """Our services, with the sandbox bank behind ``wire``. Who makes them disposes of their engine."""
    banks = Registry.from_folder(
        settings.banks,
        sandbox_bank_url=settings.sandbox_bank_url,
        client_key=keys.bank_client,
        allow_http=True,
        session_factory=_through(wire, BANK_URL, allow_http=True),
        clock=clock,
    )
    return build_services(settings, route=ROUTE, handlers=HANDLERS, clock=clock, banks=banks)


def make_services_over_tls(
    settings: Settings, keys: Keys, wire: WSGIAdapter, *, standard: str, base_url: str, clock: Time
) -> Services:
    """The same with the sandbox banks of a standard (``stet``, ``nextgen``) behind ``wire``, which want a certificate:
    their authority's files are below ``settings.bank_keys``."""
    at = {standard: base_url}
    banks = Registry.from_folder(
        settings.banks,
        sandbox_bank_url=None,
        sandbox_bank_stet_url=at.get("stet"),
        sandbox_bank_nextgen_url=at.get("nextgen"),
        client_key=keys.bank_client,
        allow_http=False,
        session_factory=_through(wire, base_url),
        clock=clock,
        bank_keys=settings.bank_keys,
    )
    return build_services(settings, route=ROUTE, handlers=HANDLERS, clock=clock, banks=banks)


def _through(wire: WSGIAdapter, base_url: str, *, allow_http: bool = False) -> Callable[[object], BankSession]:
    def session(_: object) -> BankSession:
        made = BankSession(allow_http=allow_http)
        made.mount(base_url, wire)
        return made

    return session
