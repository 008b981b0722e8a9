#!/usr/bin/env python3
"""Check an archive that Quittance made, offline and without anything of Quittance.

    python3 verify.py                        the folder in which this file is, unpacked
    python3 verify.py archive.zip            the archive as it came
    python3 verify.py … --log-key KEY        and hold its key against one that you have from elsewhere

Standard library alone, Python 3.9 or newer. The exit status is 0 if everything holds, 1 if anything does not, 2 if
there is nothing to check. Quittance itself checks an archive that is brought to it by this very file.

What holds: the manifest is signed by the log's key; every file is the one that the manifest lists, none is missing and
none was added; every fact stands in the log at its place, unaltered; the log was signed by the same key; and what the
bills say is what the facts say. What that cannot show is printed as well. Formats: docs/export.md of Quittance.
"""

# Quittance brings its own tools to this file; a stranger needs none of them. So: no import but of the standard library,
# and nothing that Python 3.9 lacks.

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import hmac
import json
import os
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

FORMAT = "quittance-export-1"
PROOF_FORMAT = "quittance-proof-1"
#: the first line of what is signed of a manifest. It has spaces, so no log's name is like it: nobody can take it for a
#: checkpoint, nor a checkpoint for it
NOTE = "quittance export 1"
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"

#: of what is read at once. An original is at most 20 MiB; a bill's file with its answers of banks is much smaller
JSON_MOST = 32 * 1024 * 1024
FILE_MOST = 256 * 1024 * 1024
FILES_MOST = 65_000
FACTS_MOST = 20_000
DEPTH_MOST = 40
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}(/[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}){0,2}")
_BLOCK = 1024 * 1024

#: kind of fact -> the table whose row it tells of, and that row's key. Its columns have the same names in both
SOURCES: dict[str, tuple[str, tuple[str, ...]]] = {
    "biller.registered": ("biller", ("id",)),
    "biller.identified": ("biller_identifier", ("biller_id", "scheme")),
    "key.registered": ("sealing_key", ("id",)),
    "key.revoked": ("sealing_key", ("id",)),
    "bill.delivered": ("delivered_bill", ("id",)),
    "invoice.opened": ("invoice", ("id",)),
    "bill.answered": ("bill_answer", ("id",)),
    "answer.ended": ("bill_answer", ("id",)),
    "refund.promised": ("refund", ("id",)),
    "refund.step": ("refund_history", ("refund_id", "sequence")),
    "refund.account": ("refund_account", ("id",)),
    "payment.decided": ("decision", ("id",)),
    "bank.call": ("bank_call", ("id",)),
    "bank.attempt": ("bank_attempt", ("call_id", "number")),
    "bank.answer": ("bank_attempt", ("call_id", "number")),
    "payment.step": ("payment_history", ("payment_id", "sequence")),
    "receipt.issued": ("receipt", ("id",)),
    "consent.agreed": ("standing", ("consent_id",)),
    "consent.step": ("consent_history", ("consent_id", "sequence")),
    "customer.stopped": ("stop", ("id",)),
    "stop.lifted": ("stop", ("id",)),
    "passkey.removed": ("removed_passkey", ("id",)),
    "operator.access": ("operator_access", ("id",)),
    "recovery_code.used": ("recovery_code", ("id",)),
    "recovery.begun": ("recovery", ("id",)),
    "recovery.ended": ("recovery", ("id",)),
}
#: said in the log, and left out of the archive: what a program of a company is called concerns the company
LEFT_OUT = {("delivered_bill", "client_id")}
#: the fact that each row of these has, unless it is of before the log, or too new for it
TOLD = {
    "delivered_bill": "bill.delivered",
    "invoice": "invoice.opened",
    "decision": "payment.decided",
    "payment_history": "payment.step",
    "receipt": "receipt.issued",
    "refund": "refund.promised",
    "standing": "consent.agreed",
    "consent_history": "consent.step",
    "stop": "customer.stopped",
    "removed_passkey": "passkey.removed",
    "operator_access": "operator.access",
    "recovery": "recovery.begun",
}
#: where one that nobody delivered has nothing in the log
OWN = {"invoice": "bill_id", "bill_answer": "biller_id"}

# ------------------------------------------------------------------------------------------------------------- in words

WORDS: dict[str, tuple[str, str]] = {
    "no-archive": ("{name} is neither an archive nor a folder of one.", "{name} n’est ni une archive ni son dossier."),
    "zip": (
        "The archive cannot be unpacked: it is damaged, or not a ZIP file of the kind that Quittance makes.",
        "L’archive ne peut pas être décompressée : elle est abîmée, ou n’est pas un fichier ZIP tel que Quittance"
        " en fait.",
    ),
    "too-large": ("It is larger than any archive may be ({name}).", "Elle dépasse la taille permise ({name})."),
    "name": ("It has a file whose name is not allowed: {name}.", "Un de ses fichiers a un nom interdit : {name}."),
    "twice": ("It has two files of the name {name}.", "Deux de ses fichiers s’appellent {name}."),
    "no-manifest": ("It has no {name}.", "Il lui manque {name}."),
    "format": (
        "Its manifest is not of the form quittance-export-1.",
        "Son inventaire n’est pas au format quittance-export-1.",
    ),
    "key": ("It names no key of a log that is one.", "La clé du journal qu’elle nomme n’en est pas une."),
    "other-key": (
        "It is signed by another log than the one whose key you gave.",
        "Elle est signée par un autre journal que celui dont vous avez donné la clé.",
    ),
    "signature": (
        "The manifest is not signed with the key of the log: it was altered, or somebody else made it.",
        "L’inventaire n’est pas signé avec la clé du journal : il a été modifié, ou fait par quelqu’un d’autre.",
    ),
    "missing": ("The file {name} is missing.", "Il manque le fichier {name}."),
    "added": (
        "The file {name} is not in the manifest: it was added. If you put it there yourself, take it out.",
        "Le fichier {name} n’est pas dans l’inventaire : il a été ajouté. Si vous l’y avez mis vous-même, enlevez-le.",
    ),
    "altered": ("The file {name} was altered.", "Le fichier {name} a été modifié."),
    "json": ("{name} does not say what such a file says.", "{name} ne contient pas ce qu’un tel fichier contient."),
    "count": (
        "The manifest counts otherwise than the files: {name}.",
        "L’inventaire compte autrement que les fichiers : {name}.",
    ),
    "checkpoint": (
        "{name}: its checkpoint is not signed with the key of the log.",
        "{name} : son point de contrôle n’est pas signé avec la clé du journal.",
    ),
    "path": (
        "{name}: fact {number} does not stand in the log like that; it was altered, or never there.",
        "{name} : le fait {number} n’est pas ainsi dans le journal ; il a été modifié, ou n’y a jamais été.",
    ),
    "commitment": (
        "{name}: fact {number} does not say what it said when it was logged.",
        "{name} : le fait {number} ne dit pas ce qu’il disait quand il a été inscrit.",
    ),
    "kind": (
        "{name}: fact {number} is of a kind that no archive has.",
        "{name} : le fait {number} est d’une sorte qu’aucune archive ne contient.",
    ),
    "no-row": (
        "{name}: the log has {kind} of {subject}, of which the archive says nothing.",
        "{name} : le journal a {kind} de {subject}, dont l’archive ne dit rien.",
    ),
    "differs": (
        "{name}: {column} of {subject} is not what the log says.",
        "{name} : {column} de {subject} n’est pas ce que dit le journal.",
    ),
    "shown": (
        "{name}: the summary says another {column} than the bill does.",
        "{name} : le résumé donne un autre {column} que la facture.",
    ),
    "original": (
        "{name}: the document that came is not in the archive as it was.",
        "{name} : le document reçu n’est pas dans l’archive tel qu’il était.",
    ),
    "seal": (
        "{name}: its seal is not one of its company’s key over this document.",
        "{name} : son sceau n’est pas celui de la clé de l’entreprise sur ce document.",
    ),
}

HOLDS = (
    (
        "Everything holds. Files: {files}, bills: {bills}, receipts: {receipts}, facts of the log: {facts}.",
        "Tout concorde. Fichiers : {files}, factures : {bills}, reçus : {receipts}, faits du journal : {facts}.",
    ),
    ("Made by {instance} at {made_at}.", "Faite par {instance} le {made_at}."),
    ("Signed with the log’s key {key}", "Signée avec la clé du journal {key}"),
)
GIVEN = ("That is the key that you gave.", "C’est la clé que vous avez donnée.")
CLAIMED = (
    "The archive names this key itself. Whoever makes another archive with another key can do the same: compare it with"
    " the key that {instance} shows on its page /verify, or that you kept before (--log-key).",
    "C’est l’archive elle-même qui nomme cette clé. Qui fait une autre archive avec une autre clé peut en dire autant :"
    " comparez-la avec la clé que {instance} montre sur sa page /verify, ou que vous aviez gardée (--log-key).",
)
UNTOLD = (
    "Rows that no fact of the log here speaks of: {untold}. They are bills that their customer added, and what is older"
    " than the log or was too new for it, and are only as the manifest has them.",
    "Lignes dont aucun fait du journal présent ici ne parle : {untold}. Ce sont des factures ajoutées par la personne"
    " elle-même, et ce qui est plus ancien que le journal ou était trop récent ; elles sont seulement telles que"
    " l’inventaire les a.",
)
SEALS = (
    "Seals of companies over their bills: good {good}, not checked {unchecked}.",
    "Sceaux d’entreprises sur leurs factures : bons {good}, non vérifiés {unchecked}.",
)
SEALS_UNCHECKED = (
    "To check these as well, install the package “cryptography” for this Python and run it again.",
    "Pour les vérifier aussi, installez le paquet « cryptography » pour ce Python et recommencez.",
)
SEALS_VOID = (
    "Of these by a key that was not good when the bill came, or that its company took back since: {void}.",
    "Dont ceux d’une clé qui n’était pas valable à l’arrivée de la facture, ou que l’entreprise a reprise depuis :"
    " {void}.",
)
NESTED = (
    "Archives of other places inside, as they were brought along: {brought}. Check each by itself: python3 verify.py"
    " brought/….zip",
    "Archives venues d’ailleurs à l’intérieur, telles qu’elles ont été apportées : {brought}. Vérifiez chacune à part :"
    " python3 verify.py brought/….zip",
)
LIMITS = (
    "This cannot show that a bill is right, nor what happened after it was made.",
    "Cela ne peut pas montrer qu’une facture est juste, ni ce qui s’est passé après.",
)
FAILS = (
    "This archive does not hold. Do not rely on anything in it:",
    "Cette archive ne concorde pas. Ne vous fiez à rien de ce qu’elle contient :",
)


@dataclass(frozen=True)
class Fault:
    """One thing that does not hold. ``code`` is one of WORDS."""

    code: str
    told: Mapping[str, str]

    def words(self, language: str) -> str:
        return WORDS[self.code][language == "fr"].format(**self.told)


class Broken(Exception):
    """Nothing more can be said of it than this."""

    def __init__(self, code: str, **told: object) -> None:
        self.fault = Fault(code, {name: _plain(value) for name, value in told.items()})
        super().__init__(self.fault.words("en"))


def _plain(value: object) -> str:
    """Of what an archive says, as much as fits on a line and cannot move a terminal's cursor."""
    return "".join(sign if sign.isprintable() else "?" for sign in str(value))[:200]


@dataclass
class Report:
    """What was found. It holds if there are no faults."""

    faults: list[Fault] = field(default_factory=list)
    manifest: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""  #: the log's, as it is written
    is_key_given: bool = False
    facts: int = 0
    bills: int = 0
    receipts: int = 0
    untold: int = 0  #: rows that could stand in the log, and do not
    seals_good: int = 0
    seals_void: int = 0  #: of these, by a key that did not count then, or was taken back
    seals_unchecked: int = 0

    @property
    def holds(self) -> bool:
        return not self.faults

    def say(self, code: str, **told: object) -> None:
        self.faults.append(Broken(code, **told).fault)

    def lines(self, language: str) -> Iterator[str]:
        """For a person, ``en`` or ``fr``."""
        chosen = language == "fr"
        if not self.holds:
            yield FAILS[chosen]
            yield from (f"- {fault.words(language)}" for fault in self.faults[:50])
            return
        files = self.manifest["files"]
        told = {
            "files": len(files),
            "bills": self.bills,
            "receipts": self.receipts,
            "facts": self.facts,
            "instance": _plain(self.manifest["instance"]),
            "made_at": _plain(self.manifest["made_at"]),
            "key": self.key,
        }
        yield from (line[chosen].format(**told) for line in HOLDS)
        yield (GIVEN if self.is_key_given else CLAIMED)[chosen].format(**told)
        if self.untold:
            yield UNTOLD[chosen].format(untold=self.untold)
        if self.seals_good or self.seals_unchecked:
            yield SEALS[chosen].format(good=self.seals_good, unchecked=self.seals_unchecked)
        if self.seals_void:
            yield SEALS_VOID[chosen].format(void=self.seals_void)
        if self.seals_unchecked:
            yield SEALS_UNCHECKED[chosen]
        brought = sum(name.startswith("brought/") for name in files)
        if brought:
            yield NESTED[chosen].format(brought=brought)
        yield LIMITS[chosen]


# ------------------------------------------------------------------------------------------------- Ed25519 (RFC 8032)

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT = pow(2, (_P - 1) // 4, _P)
#: x, y, z, t with x = X/Z, y = Y/Z, xy = T/Z
_Point = tuple[int, int, int, int]


def _x_of(y: int, sign: int) -> int | None:
    """The x of a point of the curve, by its y and the lowest bit of x. None: there is none."""
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    if square == 0:
        return None if sign else 0
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT % _P
    if (x * x - square) % _P:
        return None
    return _P - x if x & 1 != sign else x


def _point(written: bytes) -> _Point | None:
    number = int.from_bytes(written, "little")
    y = number & ((1 << 255) - 1)
    x = _x_of(y, number >> 255)
    return None if x is None else (x, y, 1, x * y % _P)


def _add(one: _Point, other: _Point) -> _Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _times(number: int, point: _Point) -> _Point:
    result: _Point = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = _add(result, point)
        point = _add(point, point)
        number >>= 1
    return result


_BASE_Y = 4 * pow(5, -1, _P) % _P
_BASE_X = _x_of(_BASE_Y, 0) or 0
_BASE: _Point = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % _P)


def is_signed(key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether this is a signature of the key by Ed25519 (RFC 8032 §5.1.7, without the cofactor)."""
    if len(key) != 32 or len(signature) != 64:
        return False
    public, r = _point(key), _point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if public is None or r is None or s >= _L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % _L
    left, right = _times(s, _BASE), _add(r, _times(h, public))
    return (left[0] * right[2] - right[0] * left[2]) % _P == 0 and (left[1] * right[2] - right[1] * left[2]) % _P == 0


# ------------------------------------------------------------------------------------------------------- signed notes


#: of a signed note: who sends more wants it to take long
SIGNATURES_MOST, NOTE_MOST = 16, 20_000


@dataclass(frozen=True)
class Key:
    """The public key of a log, written ``<origin>+<hash>+<key>`` (C2SP signed-note)."""

    origin: str
    key: bytes

    @classmethod
    def parse(cls, written: object) -> Key:
        parts = written.split("+", 2) if isinstance(written, str) else []
        data = _decoded(parts[2]) if len(parts) == 3 else b""
        if len(data) != 33 or data[:1] != b"\x01" or not parts[0] or any(sign.isspace() for sign in parts[0]):
            raise Broken("key")
        key = cls(parts[0], data[1:])
        if str(key) != written:
            raise Broken("key")
        return key

    @property
    def hash(self) -> bytes:
        return hashlib.sha256(self.origin.encode() + b"\n\x01" + self.key).digest()[:4]

    def __str__(self) -> str:
        return f"{self.origin}+{self.hash.hex()}+{base64.b64encode(bytes([1]) + self.key).decode()}"

    def opened(self, note: str) -> list[str] | None:
        """The lines that were signed with it. None: it has signed nothing of that."""
        body, empty, signatures = note.rpartition("\n\n")
        for line in signatures.splitlines()[:SIGNATURES_MOST] if empty and len(note) <= NOTE_MOST else ():
            dash, _, rest = line.partition(" ")
            name, _, encoded = rest.partition(" ")
            data = _decoded(encoded)
            mine = dash == "\u2014" and name == self.origin and data[:4] == self.hash
            if mine and is_signed(self.key, data[4:], f"{body}\n".encode()):
                return body.split("\n")
        return None

    def checkpoint(self, note: str) -> tuple[int, bytes] | None:
        """How many entries the log had, and the root over them."""
        origin, size, root, *_ = [*(self.opened(note) or []), "", "", ""]
        if origin != self.origin or not re.fullmatch(r"0|[1-9][0-9]{0,17}", size) or len(_decoded(root)) != 32:
            return None
        return int(size), _decoded(root)


def _decoded(written: object) -> bytes:
    """Of Base64; nothing where it is none."""
    try:
        return base64.b64decode(written if isinstance(written, str) else "?", validate=True)
    except (binascii.Error, ValueError):
        return b""


def root_by(path: Sequence[bytes], *, number: int, size: int, leaf: bytes) -> bytes | None:
    """The root that a path leads to from this leaf (RFC 9162 §2.1.3.2). None: to none."""
    if not 0 <= number < size:
        return None
    first, second = number, size - 1
    found = hashlib.sha256(b"\0" + leaf).digest()
    for step in path:
        if second == 0:
            return None
        if first & 1 or first == second:
            found = hashlib.sha256(b"\1" + step + found).digest()
            while first and not first & 1:
                first, second = first >> 1, second >> 1
        else:
            found = hashlib.sha256(b"\1" + found + step).digest()
        first, second = first >> 1, second >> 1
    return found if second == 0 else None


# ------------------------------------------------------------------------------------------------------------ the files


class Folder:
    """An archive that was unpacked."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> list[str]:
        found = []
        for place, _, files in os.walk(self._path):
            found += [(Path(place) / each).relative_to(self._path).as_posix() for each in files]
        return found

    def size(self, name: str) -> int:
        return (self._path / name).stat().st_size

    def open(self, name: str) -> BinaryIO:
        path = self._path / name
        if path.is_symlink() or not path.is_file():
            raise Broken("missing", name=name)
        return path.open("rb")


class Zipped:
    """An archive as it came. Raises Broken for one that is no ZIP file, or of a kind that we never make."""

    def __init__(self, file: BinaryIO) -> None:
        _look_at_the_end(file)
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, OverflowError) as error:
            raise Broken("zip") from error
        plain = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        if any(each.compress_type not in plain or each.flag_bits & 0x41 for each in self._zip.infolist()):
            raise Broken("zip")

    def names(self) -> list[str]:
        return self._zip.namelist()

    def size(self, name: str) -> int:
        return self._zip.getinfo(name).file_size

    @property
    def packed(self) -> int:
        return sum(each.compress_size for each in self._zip.infolist())

    @property
    def unpacked(self) -> int:
        return sum(each.file_size for each in self._zip.infolist())

    def open(self, name: str) -> BinaryIO:
        try:
            return self._zip.open(name)  # type: ignore[return-value]  # what it gives reads like a file
        except KeyError as error:
            raise Broken("missing", name=name) from error
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, EOFError) as error:
            raise Broken("zip") from error


#: the end of a ZIP file that has no comment, and what would stand before it where it has more than 65,535 files
_END, _END64 = b"PK\x05\x06", b"PK\x06\x07"


def _look_at_the_end(file: BinaryIO) -> None:
    """Before the list of its files is read, which takes memory: that the list is not too long. Raises Broken."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - 42, 0))
    last = file.read(42)
    end = last[-22:]
    if len(end) != 22 or end[:4] != _END or end[-2:] != b"\0\0" or last[:4] == _END64:
        raise Broken("zip")
    count, length = int.from_bytes(end[10:12], "little"), int.from_bytes(end[12:16], "little")
    if count > FILES_MOST or length > FILES_MOST * 200:
        raise Broken("too-large", name="zip")


@dataclass
class _Files:
    """The files of an archive, as its manifest lists them."""

    place: Folder | Zipped
    listed: Mapping[str, Any] = field(default_factory=dict)

    def read(self, name: str, most: int = JSON_MOST) -> bytes:
        """Raises Broken."""
        with self.place.open(name) as file:
            return _all_of(file, name, most)

    def digest(self, name: str) -> tuple[int, str]:
        """Its size and SHA-256, without holding all of it. Raises Broken."""
        size, digest = 0, hashlib.sha256()
        with self.place.open(name) as file:
            for block in _blocks(file):
                size += len(block)
                if size > FILE_MOST:
                    raise Broken("too-large", name=name)
                digest.update(block)
        return size, digest.hexdigest()

    def json(self, name: str) -> dict[str, Any]:
        """Raises Broken."""
        read = _parsed(self.read(name), name)
        if not isinstance(read, dict):
            raise Broken("json", name=name)
        return read


def read_file(place: Folder | Zipped, name: str) -> bytes:
    """One file of an archive. Raises Broken."""
    return _Files(place).read(name, FILE_MOST)


def read_json(place: Folder | Zipped, name: str) -> dict[str, Any]:
    """Raises Broken."""
    return _Files(place).json(name)


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    try:
        yield from iter(lambda: file.read(_BLOCK), b"")
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError) as error:
        raise Broken("zip") from error


def _all_of(file: BinaryIO, name: str, most: int) -> bytes:
    found = bytearray()
    for block in _blocks(file):
        found += block
        if len(found) > most:
            raise Broken("too-large", name=name)
    return bytes(found)


def _parsed(content: bytes, name: str) -> object:
    try:
        read = json.loads(content.decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Broken("json", name=name) from error
    if _depth(read) > DEPTH_MOST:
        raise Broken("json", name=name)
    return read


def _no_number(written: str) -> object:
    raise ValueError(f"{written} is no number")


def _depth(value: object) -> int:
    """How deep it is nested, without being called for each level."""
    depth, level = 0, [value]
    while level:
        depth += 1
        inner: list[object] = []
        for each in level:
            if isinstance(each, dict):
                inner += each.values()
            elif isinstance(each, list):
                inner += each
        level = inner
    return depth


def canonical(value: object) -> bytes:
    """RFC 8785 for texts, whole numbers, null, and lists and objects of them: of which hashes are made."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


# ----------------------------------------------------------------------------------------------------------- the checks


def check(place: Folder | Zipped, *, log_key: str | None = None) -> Report:
    """All of it. What does not hold is in the report, whatever is wrong with the archive."""
    report = Report()
    try:
        _check(place, report, log_key)
    except Broken as broken:
        report.faults.append(broken.fault)
    except (KeyError, TypeError, AttributeError, IndexError):
        report.say("json", name="?")
    return report


def _check(place: Folder | Zipped, report: Report, log_key: str | None) -> None:
    names = place.names()
    for name in names:
        if not _NAME.fullmatch(name):
            raise Broken("name", name=name)
    if len(set(names)) < len(names) or len({name.lower() for name in names}) < len(names):
        raise Broken("twice", name=sorted(names, key=names.count)[-1])
    files = _Files(place)
    for name in (MANIFEST, SIGNATURE):
        if name not in names:
            raise Broken("no-manifest", name=name)
    written = files.read(MANIFEST)
    manifest = _manifest(_parsed(written, MANIFEST))
    key = Key.parse(manifest["log"])
    report.manifest, report.key, report.is_key_given = manifest, str(key), log_key is not None
    if log_key is not None and log_key.strip() != str(key):
        raise Broken("other-key")
    signed = key.opened(files.read(SIGNATURE, 10_000).decode("utf-8", "replace"))
    if signed != [NOTE, key.origin, base64.b64encode(hashlib.sha256(written).digest()).decode()]:
        raise Broken("signature")
    files.listed = manifest["files"]
    _check_files(files, names, report)
    if report.holds:  # else nothing that they say is to be believed
        _Facts(files, key, report).check()


def _manifest(read: object) -> dict[str, Any]:
    """Raises Broken."""
    if not isinstance(read, dict) or read.get("format") != FORMAT:
        raise Broken("format")
    texts = all(isinstance(read.get(name), str) for name in ("instance", "log", "made_at"))
    files, counts = read.get("files"), read.get("counts")
    if not texts or not isinstance(files, dict) or not isinstance(counts, dict) or len(files) > FILES_MOST:
        raise Broken("format")
    for name, each in files.items():
        if not isinstance(each, dict) or type(each.get("bytes")) is not int or not isinstance(each.get("sha256"), str):
            raise Broken("json", name=name)
    return read


def _check_files(files: _Files, names: Sequence[str], report: Report) -> None:
    """Each one is as it is listed, and no other is there."""
    there, listed = set(names) - {MANIFEST, SIGNATURE}, files.listed
    for name in sorted(listed.keys() - there):
        report.say("missing", name=name)
    for name in sorted(there - listed.keys()):
        report.say("added", name=name)
    for name in sorted(there & listed.keys()):
        try:
            is_same = files.digest(name) == (listed[name]["bytes"], listed[name]["sha256"])
        except Broken:
            is_same = False
        if not is_same:
            report.say("altered", name=name)


Rows = Mapping[str, Sequence[Mapping[str, Any]]]


class _Facts:
    """What the log says, held against what the files say."""

    def __init__(self, files: _Files, key: Key, report: Report) -> None:
        self._files, self._key, self._report = files, key, report
        self._checkpoint: tuple[str, tuple[int, bytes]] | None = None  # most proofs have the same
        originals = (name for name in files.listed if name.startswith("originals/"))
        self._originals = {name.partition("/")[2].partition(".")[0]: name for name in originals}  # by SHA-256

    def check(self) -> None:
        for name in sorted(self._files.listed):
            if name.endswith(".json") and (name.startswith("bills/") or "/" not in name):
                self._guarded(name, self._one)
        counts, report = self._report.manifest["counts"], self._report
        for what, found in (("bills", report.bills), ("receipts", report.receipts), ("facts", report.facts)):
            if counts.get(what) != found:
                report.say("count", name=what)
        if counts.get("proofs") != sum(name.startswith("proofs/") for name in self._files.listed):
            report.say("count", name="proofs")

    def _guarded(self, name: str, act: Callable[[str], None]) -> None:
        """What is wrong with one file leaves the others to be looked at."""
        try:
            act(name)
        except Broken as broken:
            self._report.faults.append(broken.fault)
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
            self._report.say("json", name=name)

    def _one(self, name: str) -> None:
        read = self._files.json(name)
        rows: Rows = read["rows"]
        if name.startswith("bills/"):
            self._report.bills += bool(rows.get("invoice"))
            self._report.receipts += len(rows.get("receipt", ()))
            _check_shown(name, read["shown"], rows)
        self._check_documents(name, rows)
        proof = f"proofs/{name.rpartition('/')[2]}"
        facts = self._proven(proof) if proof in self._files.listed else []
        _compare(proof, facts, rows)
        told = {(kind, _subject(kind, says)) for _, kind, says in facts}
        self._report.facts += len(facts)
        self._report.untold += sum(
            (kind, _subject(kind, row)) not in told for table, kind in TOLD.items() for row in rows.get(table, ())
        )
        if name.startswith("bills/"):
            self._check_seals(name, rows)

    def _proven(self, name: str) -> list[tuple[int, str, Mapping[str, Any]]]:
        """Number, kind and words of each fact, once it is shown that the log has it. Raises Broken."""
        proof = self._files.json(name)
        facts = proof.get("facts")
        if proof.get("format") != PROOF_FORMAT or proof.get("log") != str(self._key) or not isinstance(facts, list):
            raise Broken("json", name=name)
        if not 1 <= len(facts) <= FACTS_MOST:
            raise Broken("json", name=name)
        checkpoint = self._signed(name, proof["checkpoint"])
        proven = [_fact(name, each, checkpoint) for each in facts]
        if len({number for number, _, _ in proven}) < len(proven):
            raise Broken("json", name=name)
        return proven

    def _signed(self, name: str, note: str) -> tuple[int, bytes]:
        if self._checkpoint is not None and self._checkpoint[0] == note:
            return self._checkpoint[1]
        opened = self._key.checkpoint(note)
        if opened is None:
            raise Broken("checkpoint", name=name)
        self._checkpoint = (note, opened)
        return opened

    def _check_documents(self, name: str, rows: Rows) -> None:
        """The very bytes that came are here."""
        for table in ("delivered_bill", "own_bill", "held_bill"):
            for row in rows.get(table, ()):
                original = self._originals.get(row["sha256"])
                if original is None or self._files.listed[original]["sha256"] != row["sha256"]:
                    raise Broken("original", name=name)

    def _check_seals(self, name: str, rows: Rows) -> None:
        keys = {key["id"]: key for key in rows.get("sealing_key", ())}
        for row in rows.get("delivered_bill", ()):
            if row["seal"] is None:
                continue
            key = keys[row["key_id"]]
            document = self._files.read(self._originals[row["sha256"]], FILE_MOST)
            found = seal_holds(document, row["seal"], key["jwk"])
            if found is None:
                self._report.seals_unchecked += 1
            elif not found:
                raise Broken("seal", name=name)
            else:
                self._report.seals_good += 1
                at, until = row["delivered_at"], key["revoked_since"] or key["valid_until"]
                self._report.seals_void += not key["valid_from"] <= at < min(until, key["valid_until"])


def _fact(name: str, listed: Mapping[str, Any], checkpoint: tuple[int, bytes]) -> tuple[int, str, Mapping[str, Any]]:
    number, entry, says = listed["number"], listed["entry"], listed["says"]
    path = [_decoded(step) for step in listed["path"]]
    if type(number) is not int or len(path) > 64:
        raise Broken("json", name=name)
    if root_by(path, number=number, size=checkpoint[0], leaf=entry.encode()) != checkpoint[1]:
        raise Broken("path", name=name, number=number)
    leaf = _parsed(entry.encode(), name)
    salt = _decoded(listed["salt"])
    made = hmac.new(salt, says.encode(), hashlib.sha256).hexdigest()
    if not isinstance(leaf, dict) or len(salt) != 16 or not hmac.compare_digest(made, str(leaf.get("commitment"))):
        raise Broken("commitment", name=name, number=number)
    said, kind = _parsed(says.encode(), name), leaf.get("kind")
    if kind not in SOURCES or not isinstance(said, dict):
        raise Broken("kind", name=name, number=number)
    return number, str(kind), said


def _subject(kind: str, row: Mapping[str, Any]) -> str:
    return "/".join(str(row[each]) for each in SOURCES[kind][1])


def _compare(name: str, facts: Sequence[tuple[int, str, Mapping[str, Any]]], rows: Rows) -> None:
    """What the log says of a row is what the row says: the same names, the same values. Raises Broken."""
    for _, kind, says in facts:
        table, key = SOURCES[kind]
        subject = _subject(kind, says)
        same = [row for row in rows.get(table, ()) if "/".join(str(row[each]) for each in key) == subject]
        if len(same) != 1:
            raise Broken("no-row", name=name, kind=kind, subject=subject)
        for column, value in says.items():
            if (table, column) not in LEFT_OUT and not _is_said(same[0], column, value):
                raise Broken("differs", name=name, column=column, subject=subject)


def _is_said(row: Mapping[str, Any], column: str, value: object) -> bool:
    if column in row:
        return bool(row[column] == value) and type(row[column]) is type(value)
    of = column[: -len("_sha256")]
    if not column.endswith("_sha256"):
        return False
    return of not in row or _digest(row[of]) == value  # one that is not here may be anything


def _digest(value: object) -> str | None:
    """Of a column with JSON; of one with bytes, which stand here as text or in Base64."""
    if value is None:
        return None
    if isinstance(value, dict) and value.keys() == {"text"}:
        return hashlib.sha256(str(value["text"]).encode()).hexdigest()
    if isinstance(value, dict) and value.keys() == {"base64"}:
        return hashlib.sha256(_decoded(value["base64"])).hexdigest()
    return hashlib.sha256(canonical(value)).hexdigest()


def _check_shown(name: str, shown: Mapping[str, Any], rows: Rows) -> None:
    """The few lines that a list shows of a bill are those of the bill. Raises Broken."""
    of = [*rows.get("invoice", ()), *rows.get("delivered_bill", ())][0]
    billers = {row["id"]: row["name"] for row in rows.get("biller", ())}
    document = [*rows.get("delivered_bill", ()), *rows.get("own_bill", ()), {"sha256": None}][0]
    expected: dict[str, Any] = {
        "id": of["id"],
        "biller": billers[of["biller_id"]] if of.get("biller_id") else of.get("payee_name"),
        "number": of["number"],
        "currency": of["currency"],
        "amount_minor": of["amount_minor"],
        "issued_on": of.get("issued_on"),
        "due_on": of.get("due_on"),
        "state": of.get("state"),
        "paid_minor": of.get("paid_minor", 0),
        "is_delivered": of.get("bill_id") is not None if rows.get("invoice") else True,
        "receipts": [row["number"] for row in rows.get("receipt", ())],
        "document": document["sha256"],
    }
    for column, value in expected.items():
        if shown.get(column) != value or type(shown.get(column)) is not type(value):
            raise Broken("shown", name=name, column=column)


# --------------------------------------------------------------------------------------------------- seals of companies


def seal_holds(document: bytes, seal: str, jwk: Mapping[str, Any]) -> bool | None:
    """Whether a detached JWS (RFC 7515 appendix F) is one of this key over exactly these bytes. None: it is of a kind
    that this Python cannot check."""
    header, _, signature = seal.partition("..")
    said = _parsed(_unpadded(header), "seal")
    if not isinstance(said, dict) or (said.get("alg"), said.get("kid")) != (jwk["alg"], jwk["kid"]):
        return False
    signed = f"{header}.{base64.urlsafe_b64encode(document).rstrip(b'=').decode()}".encode()
    if jwk["kty"] == "OKP":
        return jwk.get("crv") == "Ed25519" and is_signed(_unpadded(jwk["x"]), _unpadded(signature), signed)
    try:
        return _checked_elsewhere(jwk, _unpadded(signature), signed)
    except ImportError:
        return None


def _unpadded(written: str) -> bytes:
    return base64.urlsafe_b64decode(written + "=" * (-len(written) % 4))


def _checked_elsewhere(jwk: Mapping[str, Any], signature: bytes, signed: bytes) -> bool:
    """ES256 and PS256, by a package that a stranger may have or not. Raises ImportError."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256

    def number(name: str) -> int:
        return int.from_bytes(_unpadded(jwk[name]), "big")

    try:
        if jwk["kty"] == "EC" and jwk["alg"] == "ES256" and len(signature) == 64:
            r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
            curve = ec.EllipticCurvePublicNumbers(number("x"), number("y"), ec.SECP256R1()).public_key()
            curve.verify(encode_dss_signature(r, s), signed, ec.ECDSA(SHA256()))
            return True
        if jwk["kty"] == "RSA" and jwk["alg"] == "PS256":
            key = rsa.RSAPublicNumbers(number("e"), number("n")).public_key()
            key.verify(signature, signed, padding.PSS(padding.MGF1(SHA256()), SHA256.digest_size), SHA256())
            return True
    except (InvalidSignature, ValueError):
        pass
    return False


# ----------------------------------------------------------------------------------------------- for whoever runs it


def main(arguments: Sequence[str], *, language: str, here: Path) -> int:
    parser = argparse.ArgumentParser(prog="verify.py", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("archive", nargs="?", type=Path, default=here, help="a ZIP file or a folder; else this one")
    parser.add_argument("--log-key", help="the public key of the log, as you know it from elsewhere")
    given = parser.parse_args(arguments)
    path: Path = given.archive
    if path.is_dir():
        report = check(Folder(path), log_key=given.log_key)
    elif path.is_file():
        with path.open("rb") as file:
            report = _of_file(file, given.log_key)
    else:
        sys.stderr.write(Broken("no-archive", name=path).fault.words(language) + "\n")
        return 2
    sys.stdout.write("".join(f"{line}\n" for line in report.lines(language)))
    return 0 if report.holds else 1


def _of_file(file: BinaryIO, log_key: str | None) -> Report:
    try:
        return check(Zipped(file), log_key=log_key)
    except Broken as broken:
        return Report(faults=[broken.fault])


def language_of(environment: Mapping[str, str]) -> str:
    """``fr`` or ``en``, as programs are told it."""
    chosen = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    return "fr" if chosen.lower().startswith("fr") else "en"


if __name__ == "__main__":
    if hasattr(sys.stdout, "reconfigure"):  # a terminal of Windows may not know every letter
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    sys.exit(main(sys.argv[1:], language=language_of(os.environ), here=Path(__file__).resolve().parent))
