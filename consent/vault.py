"""Secrets at rest. The only place where a token, a code or a verifier stands in clear, and only as a return value.

Layout of a box: version byte, length and text of the key id, 12 bytes nonce + wrapped data key, 12 bytes nonce +
ciphertext. The row's id is authenticated with both, so a box that is moved to another row does not open.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import ColumnElement, Connection, delete, func, not_, select, update
from sqlalchemy.orm import Session

from consent.models import Sealed

_VERSION = 1
_NONCE = 12
_WRAPPED = 32 + 16  # a 256-bit data key and its tag


class VaultError(Exception):
    """The secret is not there, was moved, was altered, or its key is gone."""


def drop_expired(session: Session, *, now: dt.datetime) -> None:
    """Forget what nobody may use any more."""
    expired = delete(Sealed).where(Sealed.expires_at <= now)
    session.execute(expired.execution_options(synchronize_session=False))


@dataclass(frozen=True)
class Rewrapped:
    """What became of some rows, in the order of their ids."""

    last: str | None  #: go on after this one; None: there are no more
    done: int
    unopened: tuple[str, ...]  #: altered, moved, or their key is gone: left as they are


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
        data_key = AESGCM.generate_key(256)
        nonce = secrets.token_bytes(_NONCE)
        return self._wrap(row_id, data_key) + nonce + AESGCM(data_key).encrypt(nonce, secret, _of_data(row_id))

    def open(self, row_id: str, box: bytes) -> bytes:
        data_key, nonce, text = self._unwrap(row_id, box)
        try:
            return AESGCM(data_key).decrypt(nonce, text, _of_data(row_id))
        except (InvalidTag, ValueError) as error:
            raise VaultError(_unopened(row_id)) from error

    def count(self, session: Session | Connection, boxes: ColumnElement[Any] | None = None) -> dict[str, int]:
        """How many rows each key seals, of those of the vault or of another table's column of boxes. Those of keys that
        are not here are under the empty name."""
        column = Sealed.__table__.c.box if boxes is None else boxes
        count = select(func.count(column))
        known = {name: session.execute(count.where(_is_by(name, column))).scalar_one() for name in self._keys}
        return {**known, "": session.execute(count).scalar_one() - sum(known.values())}

    def is_by_others(self, boxes: ColumnElement[Any]) -> ColumnElement[bool]:
        """Of which boxes of a column another key than the active one has sealed the data key."""
        return boxes.is_not(None) & not_(_is_by(self._active, boxes))

    def rewrap(self, session: Session, *, after: str, most: int) -> Rewrapped:
        """Have the active key wrap the data keys of up to ``most`` rows whose ids come after ``after``.

        The secret itself is not read. A row that another transaction holds is passed over: to wait for it while others
        are held could be for ever. So repeat from the start until all is done.
        """
        rows = session.execute(
            select(Sealed.id, Sealed.box)
            .where(Sealed.id > after, self.is_by_others(Sealed.__table__.c.box))
            .order_by(Sealed.id)
            .limit(most)
            .with_for_update(skip_locked=True)
        ).all()
        unopened = []
        for row_id, box in rows:
            try:
                data_key, nonce, text = self._unwrap(row_id, box)
            except VaultError:
                unopened.append(row_id)
                continue
            rewrapped = self._wrap(row_id, data_key) + nonce + text
            session.execute(update(Sealed).where(Sealed.id == row_id).values(box=rewrapped))
        last = rows[-1].id if len(rows) == most else None
        return Rewrapped(last=last, done=len(rows) - len(unopened), unopened=tuple(unopened))

    def _wrap(self, row_id: str, data_key: bytes) -> bytes:
        """All of a box that comes before its secret."""
        name, nonce = self._active.encode(), secrets.token_bytes(_NONCE)
        return _head(self._active) + nonce + self._keys[self._active].encrypt(nonce, data_key, _of_key(name, row_id))

    def _unwrap(self, row_id: str, box: bytes) -> tuple[bytes, bytes, bytes]:
        """The data key, and the nonce and ciphertext of the secret."""
        try:
            if box[0] != _VERSION:
                raise VaultError(f"{row_id}: unknown layout {box[0]}")
            start = 2 + box[1]
            name = box[2:start]
            key_nonce, rest = box[start : start + _NONCE], box[start + _NONCE :]
            wrapped, nonce, text = rest[:_WRAPPED], rest[_WRAPPED : _WRAPPED + _NONCE], rest[_WRAPPED + _NONCE :]
            return self._keys[name.decode()].decrypt(key_nonce, wrapped, _of_key(name, row_id)), nonce, text
        except (InvalidTag, KeyError, IndexError, ValueError) as error:
            raise VaultError(_unopened(row_id)) from error


def _head(name: str) -> bytes:
    return bytes([_VERSION, len(name)]) + name.encode()


def _is_by(name: str, boxes: ColumnElement[Any]) -> ColumnElement[bool]:
    head = _head(name)
    return func.substr(boxes, 1, len(head)) == head


def _of_key(name: bytes, row_id: str) -> bytes:
    return b"key|" + name + b"|" + row_id.encode()


def _of_data(row_id: str) -> bytes:
    return b"data|" + row_id.encode()


def _unopened(row_id: str) -> str:
    return f"{row_id} does not open: altered, moved, or its key is gone"
