"""The installation's keys, one file each in one folder that only the service may read.

``form.key`` signs form tokens · ``vault/<id>.key`` seal secrets (the highest id is active) · ``oauth.jwk.json``
signs billers' access tokens · ``bank-client.jwk.json`` proves us to banks · ``log.key`` signs what the log says.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey

from app.signed_note import NoteError, Signer


class KeysMissing(Exception):
    """The folder does not hold what the service needs; the text says how to make it."""


@dataclass(frozen=True, slots=True)
class Keys:
    form: str = field(repr=False)
    vault: dict[str, bytes] = field(repr=False)
    vault_active: str
    oauth: dict[str, Any] = field(repr=False)
    bank_client: dict[str, Any] = field(repr=False)
    log: Signer = field(repr=False)

    @classmethod
    def load(cls, folder: Path) -> Keys:
        """Read all keys. Raises KeysMissing; also where that of the log is damaged."""
        try:
            vault = {
                path.stem: bytes.fromhex(path.read_text().strip()) for path in sorted((folder / "vault").glob("*.key"))
            }
            if not vault:
                raise FileNotFoundError(folder / "vault" / "*.key")
            return cls(
                form=(folder / "form.key").read_text().strip(),
                vault=vault,
                vault_active=max(vault, key=lambda name: (len(name), name)),
                oauth=json.loads((folder / "oauth.jwk.json").read_text()),
                bank_client=json.loads((folder / "bank-client.jwk.json").read_text()),
                log=Signer.parse((folder / "log.key").read_text()),
            )
        except FileNotFoundError as error:
            raise KeysMissing(
                f"{error.filename or error} is missing: make the keys with `quittance keys init`"
            ) from error
        except NoteError as error:
            raise KeysMissing(f"{folder / 'log.key'}: {error}; put it back from where it was kept") from error

    @staticmethod
    def init(folder: Path) -> list[Path]:
        """Make the keys that are not there yet; never touch one that is. Returns what was made."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / "vault").mkdir(exist_ok=True, mode=0o700)
        wanted: dict[Path, Callable[[], str]] = {folder / "form.key": lambda: secrets.token_urlsafe(48)}
        wanted[folder / "log.key"] = lambda: Signer.generate(f"quittance-log-{secrets.token_hex(4)}").written()
        if not any((folder / "vault").glob("*.key")):
            wanted[folder / "vault" / "k1.key"] = lambda: secrets.token_hex(32)
        for name in ("oauth", "bank-client"):
            wanted[folder / f"{name}.jwk.json"] = _new_signing_key
        made = []
        for path, make in wanted.items():
            if not path.exists():
                _write_private(path, make())
                made.append(path)
        return made


def _new_signing_key() -> str:
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)
    return json.dumps(key.as_dict(private=True))


def _write_private(path: Path, text: str) -> None:
    """Whole or not at all, readable by the owner only, durable before the service relies on it."""
    draft = path.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
