"""Files of banks, written for a test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey

from connectors.registry import Registry

KEY = ECKey.generate_key("P-256").as_dict(private=True)
GOOD = {
    "name": "Bank of Tests",
    "country": "DE",
    "standard": "berlin_group",
    "base_url": "https://api.bank.test/psd2",
    "issuer": "https://login.bank.test",
    "client_id": "quittance",
}
UK_FILE = {
    **GOOD,
    "country": "GB",
    "standard": "openbanking_uk",
    "version": "4.0",
    "profile": "fapi1_advanced",
    "keys": "ours",
    "organisation_id": "0015800001041RHAAY",
    "software_id": "1p8bGrHhJRrphjFk0qwNAU",
}


def write(folder: Path, *, stem: str = "tested", **changes: Any) -> None:
    """A file with the good keys; a change to ... takes one away."""
    values = {key: value for key, value in {**GOOD, **changes}.items() if value is not ...}
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]  # JSON's values are TOML's
    (folder / f"{stem}.toml").write_text("\n".join(lines))


def registry(folder: Path, **changes: Any) -> Registry:
    usual: dict[str, Any] = {"sandbox_bank_url": None, "client_key": KEY, "allow_http": False}
    return Registry.from_folder(folder, **{**usual, **changes})
