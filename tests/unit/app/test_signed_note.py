"""Checkpoints: what is signed is read, and nothing else; each way to bend one is a refusal."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.signed_note import Checkpoint, NoteError, Signer, Verifier

ROOT = hashlib.sha256(b"root").digest()
SIGNER = Signer.generate("log.example/1")
NOTE = SIGNER.checkpoint(17, ROOT)


def test_it_is_the_format_of_the_standard() -> None:
    """Taken apart by hand, with the cryptography alone."""
    text, _, signature = NOTE.rpartition("\n\n")
    assert text.split("\n") == ["log.example/1", "17", base64.b64encode(ROOT).decode()]
    dash, name, encoded = signature.removesuffix("\n").split(" ")
    assert (dash, name) == ("\u2014", "log.example/1")
    origin, key_hash, key = str(SIGNER.verifier).split("+", 2)
    data, public = base64.b64decode(encoded), base64.b64decode(key)
    assert (origin, public[0]) == ("log.example/1", 1)
    assert data[:4].hex() == key_hash == hashlib.sha256(b"log.example/1\n" + public).hexdigest()[:8]
    Ed25519PublicKey.from_public_bytes(public[1:]).verify(data[4:], f"{text}\n".encode())


def test_keys_are_written_and_read() -> None:
    again = Signer.parse(f"{SIGNER.written()}\n")
    assert Verifier.parse(str(again.verifier)) == SIGNER.verifier
    assert again.verifier.open(NOTE) == SIGNER.verifier.open(NOTE) == Checkpoint("log.example/1", 17, ROOT)
    assert SIGNER.written() not in repr(SIGNER)


def test_a_cosigned_note_is_read() -> None:
    """Others may sign it as well: theirs are passed over."""
    cosigned = NOTE + Signer.generate("witness.example").checkpoint(17, ROOT).rpartition("\n\n")[2]
    assert SIGNER.verifier.open(cosigned).size == 17


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n\n",
        NOTE.replace("17", "18"),
        NOTE.replace("17", "017"),
        NOTE.replace("\u2014", "-"),
        NOTE.replace("log.example/1 ", "log.example/2 "),
        NOTE.replace("\n\n", "\n"),
        NOTE[:-10],
        f"x{NOTE}",
        Signer.generate("log.example/1").checkpoint(17, ROOT),
        Signer.generate("another").checkpoint(17, ROOT),
        SIGNER.checkpoint(17, ROOT[:31]),
        SIGNER.checkpoint(-1, ROOT),
    ],
    ids=range(13),  # made anew in each process: no names
)
def test_what_is_not_signed_like_that_is_refused(note: str) -> None:
    with pytest.raises(NoteError):
        SIGNER.verifier.open(note)


@pytest.mark.parametrize(
    "written",
    ["", "a+b", "a+b+c", str(SIGNER.verifier).replace("log", "lag"), str(SIGNER.verifier)[:-4], SIGNER.written()],
    ids=range(6),
)
def test_what_is_no_public_key_is_refused(written: str) -> None:
    with pytest.raises(NoteError):
        Verifier.parse(written)


@pytest.mark.parametrize(
    "written",
    ["", str(SIGNER.verifier), SIGNER.written().replace("log", "lag"), SIGNER.written()[:-4]],
    ids=range(4),
)
def test_what_is_no_private_key_is_refused(written: str) -> None:
    with pytest.raises(NoteError):
        Signer.parse(written)


@pytest.mark.parametrize("origin", ["", "a b", "a+b"])
def test_a_log_has_a_name_that_can_be_written(origin: str) -> None:
    with pytest.raises(NoteError):
        Signer.generate(origin)
