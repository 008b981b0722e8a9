"""The keys of the vault in their folder: ``<id>.key`` each, and ``active`` names the one that seals.

All of them open. So a new one is spread to every process first and seals only afterwards, and an old one goes when
nothing is sealed with it any more: at no time is there a box that some process cannot open.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from app.errors import Conflict, Invalid
from app.keys.files import KeysMissing, write_private

_ACTIVE = "active"
#: the length of an id is one byte of each box (consent/vault.py)
_NAME = re.compile(r"[A-Za-z0-9-]{1,40}")


@dataclass(frozen=True)
class VaultKeys:
    folder: Path

    def names(self) -> list[str]:
        """In the order in which they were made, by their ids: k2 comes before k10."""
        return sorted((path.stem for path in self.folder.glob("*.key")), key=lambda name: (len(name), name))

    def read(self) -> dict[str, bytes]:
        """Raises FileNotFoundError where there is none, and KeysMissing for a file that holds no key."""
        names = self.names()
        if not names:
            raise FileNotFoundError(self.folder / "*.key")
        return {name: self._read(name) for name in names}

    def active(self) -> str:
        """The one that seals: the newest, unless ``active`` names another. Raises KeysMissing where it names none."""
        path = self.folder / _ACTIVE
        try:
            name = path.read_text().strip()
        except FileNotFoundError:
            return self.names()[-1]
        if name not in self.names():
            raise KeysMissing(f"{path} names {name!r}, which is not there: put {name}.key back from where it was kept")
        return name

    def add(self) -> Path:
        """Make one that opens, and seals only once it is activated. The first one seals at once."""
        self.folder.mkdir(exist_ok=True, mode=0o700)
        names = self.names()
        if names:  # written down before there is a newer one
            write_private(self.folder / _ACTIVE, self.active())
        number = 1 + max((int(name[1:]) for name in names if re.fullmatch(r"k[0-9]{1,9}", name)), default=0)
        path = self.folder / f"k{number}.key"
        write_private(path, secrets.token_hex(32))
        return path

    def activate(self, name: str) -> None:
        """From the next start of each process on it seals. Raises Invalid for one that is not there."""
        write_private(self.folder / _ACTIVE, self._known(name))

    def remove(self, name: str) -> None:
        """Raises Invalid for one that is not there, and Conflict for the one that seals."""
        if self._known(name) == self.active():
            raise Conflict("key-is-active", f"{name} seals what comes: activate another one first.")
        write_private(self.folder / _ACTIVE, self.active())
        (self.folder / f"{name}.key").unlink()

    def _known(self, name: str) -> str:
        if name not in self.names():
            raise Invalid("unknown-key", f"The vault has no key {name!r}: it has {', '.join(self.names())}.")
        return name

    def _read(self, name: str) -> bytes:
        path = self.folder / f"{name}.key"
        try:
            key = bytes.fromhex(path.read_text().strip())
        except ValueError:
            key = b""
        if len(key) != 32 or not _NAME.fullmatch(name):
            raise KeysMissing(f"{path} is no key of the vault: put it back from where it was kept")
        return key
