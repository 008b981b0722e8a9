"""Signatures over the exact bytes: what is believed, and that each single fault is refused and named."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import RSAKey

from connectors.security.detached_jws import IAT, ISS, TAN, Fault, SignatureError, Signer, Verifier

NOW = dt.datetime(2026, 11, 23, 11, 0, tzinfo=dt.UTC)
KEY = RSAKey.generate_key(2048, private=True)
PUBLIC = RSAKey.import_key(KEY.as_dict(private=False))
BODY = b'{"Data":{"ConsentId":"c-1"},"Risk":{}}'
SIGNER = Signer(key=KEY, kid="k1", issuer="0015800001041REAAY/ssa-1")
VERIFIER = Verifier(key_of={"k1": PUBLIC}.get, issuers=frozenset({SIGNER.issuer}))

HEADER: Mapping[str, Any] = {
    "alg": "PS256",
    "kid": "k1",
    IAT: int(NOW.timestamp()),
    ISS: SIGNER.issuer,
    TAN: "openbanking.org.uk",
    "crit": [IAT, ISS, TAN],
}


def b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def signed(header: Mapping[str, Any], *, body: bytes = BODY, pss: bool = True) -> str:
    """By hand, so that the header may say anything."""
    first = b64(json.dumps(dict(header)).encode())
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32) if pss else padding.PKCS1v15()
    private = KEY.private_key
    assert private is not None
    made = private.sign(f"{first}.{b64(body)}".encode(), scheme, hashes.SHA256())
    return f"{first}..{b64(made)}"


def fault_of(signature: str | None, *, body: bytes = BODY, verifier: Verifier = VERIFIER) -> Fault | None:
    try:
        verifier.verify(signature, body, now=NOW)
    except SignatureError as error:
        return error.fault
    return None


@given(st.binary(max_size=300))
def test_what_is_signed_is_believed(body: bytes) -> None:
    assert fault_of(SIGNER.sign(body, now=NOW), body=body) is None


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_with_one_byte_changed_it_is_not(at: int, by: int) -> None:
    changed = BODY[:at] + bytes([BODY[at] ^ by]) + BODY[at + 1 :]
    assert fault_of(SIGNER.sign(BODY, now=NOW), body=changed) is Fault.INVALID


def test_it_is_detached_and_says_what_the_standard_wants() -> None:
    header, payload, signature = SIGNER.sign(BODY, now=NOW).split(".")
    assert (payload, bool(signature)) == ("", True)
    said = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    assert said == {**HEADER, "typ": "JOSE", "cty": "application/json"}


def test_the_form_before_v3_1_4() -> None:
    old = Signer(key=KEY, kid="k1", issuer=SIGNER.issuer, b64=False)
    verifier = Verifier(key_of={"k1": PUBLIC}.get, issuers=VERIFIER.issuers, b64=False)
    assert fault_of(old.sign(BODY, now=NOW), verifier=verifier) is None
    assert fault_of(old.sign(BODY, now=NOW), verifier=verifier, body=BODY + b" ") is Fault.INVALID
    assert fault_of(old.sign(BODY, now=NOW)) is Fault.INVALID_CLAIM  # to be refused where it is not wanted
    assert fault_of(SIGNER.sign(BODY, now=NOW), verifier=verifier) is Fault.MISSING_CLAIM


def test_by_hand_is_as_good() -> None:
    assert fault_of(signed(HEADER)) is None
    assert fault_of(signed({**HEADER, "cty": "json", "typ": "JOSE"})) is None


@pytest.mark.parametrize("name", ["kid", "crit", IAT, ISS, TAN])
def test_what_is_missing_is_named(name: str) -> None:
    header = {key: value for key, value in HEADER.items() if key != name}
    assert fault_of(signed(header)) is Fault.MISSING_CLAIM


@pytest.mark.parametrize(
    "changes",
    [
        {"alg": "none"},
        {"alg": "RS256"},
        {"alg": "HS256"},
        {"kid": "k2"},
        {"kid": 7},
        {"crit": [IAT, ISS]},
        {"crit": [IAT, ISS, TAN, TAN]},
        {"crit": [IAT, ISS, TAN, "evil"], "evil": 1},
        {"crit": "all"},
        {"b64": False},
        {"jku": "https://evil.example/jwks"},
        {"x5c": []},
        {"typ": "JWT"},
        {"cty": "text/plain"},
        {IAT: int(NOW.timestamp()) + 61},
        {IAT: str(int(NOW.timestamp()))},
        {IAT: True},
        {IAT: NOW.timestamp() - 0.5},
        {ISS: "somebody/else"},
        {ISS: [SIGNER.issuer]},
        {TAN: "evil.example"},
        {TAN: ["openbanking.org.uk"]},
    ],
    ids=str,
)
def test_what_is_wrong_is_refused(changes: Mapping[str, Any]) -> None:
    assert fault_of(signed({**HEADER, **changes})) is Fault.INVALID_CLAIM


def test_another_padding_or_another_key_is_not_the_signature() -> None:
    assert fault_of(signed(HEADER, pss=False)) is Fault.INVALID
    other = Signer(key=RSAKey.generate_key(2048, private=True), kid="k1", issuer=SIGNER.issuer)
    assert fault_of(other.sign(BODY, now=NOW)) is Fault.INVALID


@pytest.mark.parametrize(
    ("signature", "fault"),
    [
        (None, Fault.MISSING),
        ("", Fault.MISSING),
        ("x", Fault.MALFORMED),
        ("a.b.c", Fault.MALFORMED),
        ("..", Fault.MALFORMED),
        ("!..c", Fault.MALFORMED),
        (f"{b64(b'[]')}..c", Fault.MALFORMED),
        (f"{b64(b'{')}..c", Fault.MALFORMED),
        (f"{b64(b'[' * 2900)}..c", Fault.MALFORMED),
        (f"{b64(b' ' * 4000)}..c", Fault.MALFORMED),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_cannot_be_read_is_refused(signature: str | None, fault: Fault) -> None:
    assert fault_of(signature) is fault


@pytest.mark.parametrize("plain", [True, False])
def test_an_issuer_may_be_a_whole_certificate_subject(plain: bool) -> None:
    subject = (
        "CN=payments.bank.example, 2.5.4.97=PSDGB-FCA-123456, O=A Bank With Rather A Long Name plc, L=London, C=GB"
    )
    signer = Signer(key=KEY, kid="k" * 64, issuer=subject, b64=plain)
    verifier = Verifier(key_of={"k" * 64: PUBLIC}.get, issuers=frozenset({subject}), b64=plain)
    signature = signer.sign(BODY, now=NOW)
    assert len(signature.partition(".")[0]) > 512
    assert fault_of(signature, verifier=verifier) is None


def test_a_key_that_took_the_name_of_another_is_the_one_that_counts() -> None:
    keys = {"k1": SIGNER.key}
    verifier = Verifier(key_of=keys.get, issuers=frozenset())
    before = SIGNER.sign(BODY, now=NOW)
    verifier.verify(before, BODY, now=NOW)
    keys["k1"] = RSAKey.generate_key(2048, private=True)
    with pytest.raises(SignatureError):
        verifier.verify(before, BODY, now=NOW)
    verifier.verify(Signer(key=keys["k1"], kid="k1", issuer=SIGNER.issuer).sign(BODY, now=NOW), BODY, now=NOW)


@pytest.mark.parametrize("changes", [{"use": "enc"}, {"alg": "RS256"}, {"key_ops": ["encrypt"]}], ids=str)
def test_a_key_for_something_else_signs_nothing_here(changes: dict[str, Any]) -> None:
    other = RSAKey.import_key({**KEY.as_dict(private=False), **changes})
    verifier = Verifier(key_of={"k1": other}.get, issuers=VERIFIER.issuers)
    assert fault_of(SIGNER.sign(BODY, now=NOW), verifier=verifier) is Fault.INVALID


def test_there_is_one_way_to_write_a_signature() -> None:
    """Two that decode to the same would be two names of one message."""
    header, _, made = SIGNER.sign(BODY, now=NOW).split(".")
    said = base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)).decode()
    for other in (f"{header}=", f"{header[:4]}!{header[4:]}", f"{header}\n", b64(said.encode("utf-16"))):
        assert fault_of(f"{other}..{made}") is Fault.MALFORMED
    for other in (f"{made}==", f"{made[:4]}!{made[4:]}", f"{made[:4]} {made[4:]}"):
        assert fault_of(f"{header}..{other}") is Fault.INVALID


def test_the_header_is_the_same_but_for_the_time() -> None:
    later = NOW + dt.timedelta(seconds=1)
    for b64_claim in (True, False):
        signer = Signer(key=KEY, kid='k "é"', issuer="i\\", trust_anchor="t", b64=b64_claim)
        first, second = (signer.sign(BODY, now=now).split(".")[0] for now in (NOW, later))
        one, two = (json.loads(base64.urlsafe_b64decode(each + "=" * (-len(each) % 4))) for each in (first, second))
        assert (two.pop(IAT) - one.pop(IAT), one) == (1, two)
        named = [IAT, ISS, TAN] if b64_claim else ["b64", IAT, ISS, TAN]
        assert (one["kid"], one[ISS], one["crit"], "b64" in one) == ('k "é"', "i\\", named, not b64_claim)
