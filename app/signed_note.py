"""Signed checkpoints: what the log was at one moment, in the formats of C2SP signed-note and tlog-checkpoint.

A checkpoint is text: the origin, how many entries, the root in Base64; an empty line; a signature by Ed25519. Whoever
keeps one can find out later whether anything before it was changed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

#: the algorithm byte of Ed25519 in a signed note
_ED25519 = b"\x01"
_DASH = "\u2014"
_PRIVATE = "PRIVATE+KEY"
#: the first line of what is signed of an archive. A checkpoint begins with the name of its log, which has no space: so
#: neither can be taken for the other
EXPORT = "quittance export 1"


class NoteError(Exception):
    """A key or a note that is not right; the text says how."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """``size`` entries have this root: so said who holds the key of ``origin``."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Verifier:
    """The public half of a log's key, written ``<origin>+<hash>+<key>``."""

    origin: str
    key: bytes

    @classmethod
    def parse(cls, written: str) -> Verifier:
        """Raises NoteError."""
        parts = written.strip().split("+", 2)
        data = _decoded(parts[2]) if len(parts) == 3 else b""
        if len(data) != 33 or data[:1] != _ED25519 or not _is_name(parts[0]):
            raise NoteError("this is not the public key of a log: <origin>+<hash>+<key>")
        verifier = cls(parts[0], data[1:])
        if verifier.hash.hex() != parts[1]:
            raise NoteError("the public key of the log has a typing error: its hash is another one")
        return verifier

    @property
    def hash(self) -> bytes:
        """The four bytes that stand before each signature."""
        return hashlib.sha256(self.origin.encode() + b"\n" + _ED25519 + self.key).digest()[:4]

    def __str__(self) -> str:
        return f"{self.origin}+{self.hash.hex()}+{base64.b64encode(_ED25519 + self.key).decode()}"

    def open(self, note: str) -> Checkpoint:
        """What the note says, if its signature is by this key. Raises NoteError."""
        body, empty, signatures = note.rpartition("\n\n")
        signed = body + "\n"
        if not empty or not any(self._has_signed(signed, line) for line in signatures.splitlines()):
            raise NoteError("the checkpoint is not signed with the key of this log")
        origin, size, root, *_ = [*body.split("\n"), "", ""]
        decoded = _decoded(root)
        if origin != self.origin or not _is_size(size) or len(decoded) != 32:
            raise NoteError("what is signed is not a checkpoint of this log")
        return Checkpoint(origin, int(size), decoded)

    def _has_signed(self, signed: str, line: str) -> bool:
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        data = _decoded(encoded)
        if dash != _DASH or name != self.origin or data[:4] != self.hash:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(data[4:], signed.encode())
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signer:
    """The key of a log, written ``PRIVATE+KEY+<origin>+<hash>+<key>``."""

    origin: str
    _key: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def generate(cls, origin: str) -> Signer:
        if not _is_name(origin):
            raise NoteError(f"{origin!r} is no name for a log: no space and no plus sign")
        return cls(origin, Ed25519PrivateKey.generate())

    @classmethod
    def parse(cls, written: str) -> Signer:
        """Raises NoteError."""
        prefix, _, rest = written.strip().partition(f"{_PRIVATE}+")
        parts = rest.split("+", 2)
        data = _decoded(parts[2]) if not prefix and len(parts) == 3 else b""
        if len(data) != 33 or data[:1] != _ED25519:
            raise NoteError("this is not the key of a log")
        signer = cls(parts[0], Ed25519PrivateKey.from_private_bytes(data[1:]))
        if signer.verifier.hash.hex() != parts[1]:
            raise NoteError("the key of the log is damaged: its hash is another one")
        return signer

    @property
    def verifier(self) -> Verifier:
        return Verifier(self.origin, self._key.public_key().public_bytes_raw())

    def written(self) -> str:
        data = base64.b64encode(_ED25519 + self._key.private_bytes_raw()).decode()
        return f"{_PRIVATE}+{self.origin}+{self.verifier.hash.hex()}+{data}"

    def checkpoint(self, size: int, root: bytes) -> str:
        return self._signed(f"{self.origin}\n{size}\n{base64.b64encode(root).decode()}\n")

    def export(self, manifest: bytes) -> str:
        """A note over the manifest of an archive that is taken along: its SHA-256 is signed."""
        digest = hashlib.sha256(manifest).digest()
        return self._signed(f"{EXPORT}\n{self.origin}\n{base64.b64encode(digest).decode()}\n")

    def _signed(self, body: str) -> str:
        signature = base64.b64encode(self.verifier.hash + self._key.sign(body.encode())).decode()
        return f"{body}\n{_DASH} {self.origin} {signature}\n"


def _is_name(origin: str) -> bool:
    return bool(origin) and "+" not in origin and not any(character.isspace() for character in origin)


def _is_size(written: str) -> bool:
    return written.isascii() and written.isdigit() and (written == "0" or written[0] != "0") and len(written) <= 18


def _decoded(written: str) -> bytes:
    try:
        return base64.b64decode(written, validate=True)
    except (binascii.Error, ValueError):
        return b""
