"""The demo biller's own files: what seed.py tells it, and the private keys that only it has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey

from app.demo import files
from app.demo.api_client import BillersClient
from app.demo.loopback import new_session

BILLERS_FILE = "billers.json"


def folder_of(data: Path) -> Path:
    """Where the demo biller keeps its own things."""
    return data / "demo-biller"


def private_key(folder: Path, slug: str) -> dict[str, Any]:
    """The biller's private JWK, made the first time. It never leaves this folder."""
    key: dict[str, Any] = json.loads(files.read_or_make(folder / "keys" / f"{slug}.jwk.json", _new_key))
    return key


def client_of(folder: Path, base_url: str, slug: str) -> BillersClient:
    """The program of one of the billers, at the API."""
    known = (files.read_json(folder / BILLERS_FILE) or {})[slug]
    return BillersClient(
        base_url, client_id=known["client_id"], private_key=private_key(folder, slug), session=new_session()
    )


def _new_key() -> str:
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)
    return json.dumps(key.as_dict(private=True))
