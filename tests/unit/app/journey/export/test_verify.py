"""The verifier that lies in an archive: by the published vectors, and beside the libraries that we use otherwise."""

from __future__ import annotations

import ast
import base64
import hashlib
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from app.audit import tree
from app.audit.entries import canonical, commitment
from app.audit.seals import is_sealed
from app.journey.export import verify
from app.journey.export.rules import plain
from app.signed_note import Signer
from tests.support.sealing import new_sealing_key, seal

#: RFC 8032 §7.1: secret key, public key, message, signature
VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe246"
        "55141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb"
        "00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc"
        "027beceea1ec40a",
    ),
    (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        hashlib.sha512(b"abc").hexdigest(),
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad"
        "9bef1177331a704",
    ),
]


def theirs(key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@pytest.mark.parametrize(("secret", "public", "message", "signature"), VECTORS)
def test_the_vectors_of_rfc_8032(secret: str, public: str, message: str, signature: str) -> None:
    key, text, by = bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature)
    assert Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret)).sign(text) == by
    assert verify.is_signed(key, by, text)
    assert not verify.is_signed(key, by, text + b"x")
    order = verify._L
    doubled = by[:32] + (int.from_bytes(by[32:], "little") + order).to_bytes(32, "little")
    assert not verify.is_signed(key, doubled, text)  # the same signature in another spelling


@given(secret=st.binary(min_size=32, max_size=32), message=st.binary(max_size=100), data=st.data())
def test_it_says_what_the_library_says(secret: bytes, message: bytes, data: st.DataObject) -> None:
    private = Ed25519PrivateKey.from_private_bytes(secret)
    key, signature = private.public_key().public_bytes_raw(), private.sign(message)
    assert verify.is_signed(key, signature, message)
    spoilt = bytearray(signature + key)
    spoilt[data.draw(st.integers(0, 95))] ^= 1 << data.draw(st.integers(0, 7))
    changed = bytes(spoilt)
    assert verify.is_signed(changed[64:], changed[:64], message) == theirs(changed[64:], changed[:64], message)


@given(key=st.binary(min_size=32, max_size=32), signature=st.binary(min_size=64, max_size=64))
def test_it_believes_no_noise(key: bytes, signature: bytes) -> None:
    assert verify.is_signed(key, signature, b"") == theirs(key, signature, b"")


@given(number=st.integers(0, 599), size=st.integers(1, 600))
def test_a_path_is_followed_as_the_log_makes_it(number: int, size: int) -> None:
    number %= size
    leaves = [b"%d" % each for each in range(size)]
    tiles = {
        (level, which): hashes
        for level, which, hashes in tree.grow(lambda *_: [], 0, list(map(tree.leaf_hash, leaves)))
    }
    path = tree.inclusion(lambda *which: tiles.get(which, []), number, size)
    root = tree.root(lambda *which: tiles.get(which, []), size)
    assert verify.root_by(path, number=number, size=size, leaf=leaves[number]) == root
    assert verify.root_by(path, number=number, size=size, leaf=b"x") != root


def test_a_checkpoint_and_a_note_are_opened_as_the_log_writes_them() -> None:
    signer = Signer.generate("log.example")
    key = verify.Key.parse(str(signer.verifier))
    assert str(key) == str(signer.verifier)
    assert key.checkpoint(signer.checkpoint(7, bytes(32))) == (7, bytes(32))
    assert key.checkpoint(Signer.generate("log.example").checkpoint(7, bytes(32))) is None
    digest = base64.b64encode(hashlib.sha256(b"m").digest()).decode()
    assert key.opened(signer.export(b"m")) == [verify.NOTE, "log.example", digest]
    for wrong in ("", "a+b", "log.example+00000000+AAAA", None, f"{key} "):
        with pytest.raises(verify.Broken):
            verify.Key.parse(wrong)


#: no half of a pair: no file of ours has one
WRITTEN = st.characters(codec="utf-8")
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(WRITTEN),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(WRITTEN, max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(value=st.dictionaries(st.text(WRITTEN, max_size=5), json_values, max_size=5))
def test_it_spells_as_the_log_does(value: dict[str, Any]) -> None:
    assert verify.canonical(value) == canonical(value).encode()
    assert len(commitment(bytes(16), canonical(value))) == 64


@given(content=st.binary(max_size=60))
def test_bytes_have_the_hash_that_the_log_has(content: bytes) -> None:
    assert verify._digest(plain(content)) == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("alg", ["ES256", "PS256", "Ed25519"])
def test_a_seal_is_checked_as_we_check_it(alg: str) -> None:
    key, other = new_sealing_key(alg), new_sealing_key(alg)
    jwk = {**key.public, "alg": alg, "kid": key.kid}
    made = seal(key, b"a bill")
    for content, by in ((b"a bill", made), (b"another", made), (b"a bill", seal(other, b"a bill"))):
        assert verify.seal_holds(content, by, jwk) == is_sealed(content, by, jwk)
    assert verify.seal_holds(b"a bill", made, jwk)


def test_it_needs_nothing_but_python() -> None:
    """What it imports is of the standard library; but where it says that it may be without."""
    tree_of = ast.parse(Path(verify.__file__).read_text("utf-8"))
    top = [node for node in tree_of.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name for node in top for alias in node.names
    }
    assert {name.partition(".")[0] for name in names} <= set(sys.stdlib_module_names)
    everywhere = {
        (node.module or "").partition(".")[0] for node in ast.walk(tree_of) if isinstance(node, ast.ImportFrom)
    }
    assert everywhere - set(sys.stdlib_module_names) == {"cryptography"}
    # what came after Python 3.9
    text = Path(verify.__file__).read_text("utf-8")
    assert not re.search(r"slots=True|kw_only|strict=|\bmatch \w+:", text)
    ast.parse(text, feature_version=(3, 9))


def test_every_word_is_there_in_both_languages() -> None:
    for english, french in verify.WORDS.values():
        assert set(re.findall(r"\{(\w+)\}", english)) == set(re.findall(r"\{(\w+)\}", french))
    used = set(re.findall(r"""(?:Broken|say)\(\s*"([a-z-]+)\"""", Path(verify.__file__).read_text("utf-8")))
    assert used == verify.WORDS.keys()


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "fr_FR.UTF-8"}, "fr"),
        ({"LANG": "fr", "LC_ALL": "en_GB"}, "en"),
        ({"LANG": "C", "LC_MESSAGES": "fr_BE"}, "fr"),
    ],
)
def test_it_speaks_the_language_of_whoever_runs_it(environment: dict[str, str], language: str) -> None:
    assert verify.language_of(environment) == language


@given(content=st.binary(max_size=300))
def test_noise_is_no_archive(content: bytes) -> None:
    with pytest.raises(verify.Broken):
        verify.Zipped(io.BytesIO(content + b"."))


@pytest.mark.parametrize("content", [b"NaN", b"[" * 2000, b"{", b"\xff", json.dumps({"a": [[[]]]}).encode() * 2])
def test_what_is_no_json_is_refused(content: bytes) -> None:
    with pytest.raises(verify.Broken):
        verify._parsed(content, "x")
