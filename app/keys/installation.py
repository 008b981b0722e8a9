"""The installation's keys, one file each in one folder that only the service may read.

``form.key`` signs form tokens · ``vault/<id>.key`` seal secrets, as ``vault_keys.py`` has it · ``oauth.jwk.json``
signs billers' access tokens · ``bank-client.jwk.json`` proves us to banks, ``web-push.jwk.json`` to the push
services of customers' browsers · ``log.key`` signs what the log says.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey

from app.keys.files import KeysMissing, write_private
from app.keys.vault_keys import VaultKeys
from app.signed_note import NoteError, Signer


@dataclass(frozen=True, slots=True)
class Keys:
    form: str = field(repr=False)
    vault: dict[str, bytes] = field(repr=False)
    vault_active: str
    oauth: dict[str, Any] = field(repr=False)
    bank_client: dict[str, Any] = field(repr=False)
    web_push: dict[str, Any] = field(repr=False)
    log: Signer = field(repr=False)

    @classmethod
    def load(cls, folder: Path) -> Keys:
        """Read all keys. Raises KeysMissing; also where that of the log is damaged."""
        try:
            vault = VaultKeys(folder / "vault")
            return cls(
                form=(folder / "form.key").read_text().strip(),
                vault=vault.read(),
                vault_active=vault.active(),
                oauth=json.loads((folder / "oauth.jwk.json").read_text()),
                bank_client=json.loads((folder / "bank-client.jwk.json").read_text()),
                web_push=json.loads((folder / "web-push.jwk.json").read_text()),
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
        wanted: dict[Path, Callable[[], str]] = {folder / "form.key": lambda: secrets.token_urlsafe(48)}
        wanted[folder / "log.key"] = lambda: Signer.generate(f"quittance-log-{secrets.token_hex(4)}").written()
        for name in ("oauth", "bank-client", "web-push"):
            wanted[folder / f"{name}.jwk.json"] = _new_signing_key
        vault = VaultKeys(folder / "vault")
        made = [] if vault.names() else [vault.add()]
        for path, make in wanted.items():
            if not path.exists():
                write_private(path, make())
                made.append(path)
        return made


def _new_signing_key() -> str:
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)
    return json.dumps(key.as_dict(private=True))
