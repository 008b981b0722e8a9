"""Secrets at rest. The only place where a token, a code or a verifier stands in clear, and only as a return value.

Layout of a box: version byte, length and text of the key id, 12 bytes nonce + wrapped data key, 12 bytes nonce +
ciphertext. The row's id is authenticated with both, so a box that is moved to another row does not open.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import delete
from sqlalchemy.orm import Session

from consent.models import Sealed

_VERSION = 1
_NONCE = 12
_WRAPPED = 32 + 16  # a 256-bit data key and its tag


class VaultError(Exception):
    """The secret is not there, was moved, was altered, or its key is gone."""


def drop_expired(session: Session, *, now: dt.datetime) -> None:
    """Forget what nobody may use any more."""
    session.execute(delete(Sealed).where(Sealed.expires_at <= now))


class Vault:
    """Envelope encryption: one data key a row, wrapped by the active key-encryption key."""

    def __init__(self, keys: Mapping[str, bytes], *, active: str) -> None:
        if active not in keys:
            raise VaultError(f"vault key {active!r} is not among {sorted(keys)}")
        self._keys = {name: AESGCM(key) for name, key in keys.items()}
        self._active = active

    def __repr__(self) -> str:
        return f"Vault(active={self._active!r})"

    def put(
        self,
        session: Session,
        row_id: str,
        secret: str,
        *,
        now: dt.datetime,
        expires_at: dt.datetime | None = None,
    ) -> None:
        """Seal ``secret`` into the row ``row_id``, replacing what was there."""
        session.merge(Sealed(id=row_id, box=self.seal(row_id, secret.encode()), created_at=now, expires_at=expires_at))

    def get(self, session: Session, row_id: str) -> str:
        """Open the row. Raises VaultError."""
        row = session.get(Sealed, row_id)
        if row is None:
            raise VaultError(f"nothing is sealed as {row_id}")
        return self.open(row_id, row.box).decode()

    def seal(self, row_id: str, secret: bytes) -> bytes:
        name = self._active.encode()
        data_key = AESGCM.generate_key(256)
        key_nonce, nonce = secrets.token_bytes(_NONCE), secrets.token_bytes(_NONCE)
        wrapped = self._keys[self._active].encrypt(key_nonce, data_key, b"key|" + name + b"|" + row_id.encode())
        text = AESGCM(data_key).encrypt(nonce, secret, b"data|" + row_id.encode())
        return bytes([_VERSION, len(name)]) + name + key_nonce + wrapped + nonce + text

    def open(self, row_id: str, box: bytes) -> bytes:
        try:
            if box[0] != _VERSION:
                raise VaultError(f"{row_id}: unknown layout {box[0]}")
            start = 2 + box[1]
            name = box[2:start]
            key_nonce, rest = box[start : start + _NONCE], box[start + _NONCE :]
            wrapped, nonce, text = (
                rest[:_WRAPPED],
                rest[_WRAPPED : _WRAPPED + _NONCE],
                rest[_WRAPPED + _NONCE :],
            )
            data_key = self._keys[name.decode()].decrypt(key_nonce, wrapped, b"key|" + name + b"|" + row_id.encode())
            return AESGCM(data_key).decrypt(nonce, text, b"data|" + row_id.encode())
        except (InvalidTag, KeyError, IndexError, ValueError) as error:
            raise VaultError(f"{row_id} does not open: altered, moved, or its key is gone") from error
