"""What we ask is signed; what comes back in the browser is believed only when every claim is as it must be."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest
from authlib.oidc.core.util import create_half_hash
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from connectors.security.request_object import (
    Expected,
    NotBelieved,
    check_id_token,
    claimed_state,
    half_hash,
    read_jarm,
    request_object,
)

NOW = dt.datetime(2026, 11, 23, 11, 0, tzinfo=dt.UTC)
S = int(NOW.timestamp())
ISSUER, CLIENT = "https://auth.bank.example", "quittance"
BANK = RSAKey.generate_key(2048, {"kid": "b1"}, private=True)
KEYS = KeySet([RSAKey.import_key(BANK.as_dict(private=False))])
EXPECTED = Expected(issuer=ISSUER, client_id=CLIENT, nonce="n-1", state="s-1", consent_id="c-1")
CODE = "c0de"
ID_TOKEN: Mapping[str, Any] = {
    "iss": ISSUER,
    "aud": CLIENT,
    "sub": "c-1",
    "iat": S,
    "exp": S + 300,
    "nonce": "n-1",
    "c_hash": half_hash(CODE),
    "s_hash": half_hash("s-1"),
    "openbanking_intent_id": "c-1",
}
JARM: Mapping[str, Any] = {"iss": ISSUER, "aud": CLIENT, "exp": S + 300, "code": CODE, "state": "s-1"}


def by_bank(claims: Mapping[str, Any], *, key: RSAKey | ECKey = BANK, alg: str = "PS256", kid: str = "b1") -> str:
    return jwt.encode({"alg": alg, "kid": kid}, dict(claims), key, algorithms=[alg])


def test_what_we_ask_is_signed_and_for_this_bank_and_these_minutes() -> None:
    key = ECKey.generate_key("P-256", private=True)
    asked = {"response_type": "code id_token", "scope": "openid payments", "state": "s-1", "nonce": "n-1"}
    token = jwt.decode(
        request_object(asked, client_id=CLIENT, audience=ISSUER, key=key, kid="k1", now=NOW), key, algorithms=["ES256"]
    )
    assert token.header == {"typ": "oauth-authz-req+jwt", "alg": "ES256", "kid": "k1"}
    said = {"iss": CLIENT, "client_id": CLIENT, "aud": ISSUER, "iat": S, "nbf": S, "exp": S + 300}
    assert token.claims == {**asked, **said, "jti": token.claims["jti"]}


def test_the_half_hash_is_that_of_a_library_which_we_did_not_write() -> None:
    assert half_hash(CODE) == create_half_hash(CODE, "PS256").decode()


def test_an_answer_that_fits_is_believed() -> None:
    assert check_id_token(by_bank(ID_TOKEN), code=CODE, keys=KEYS, expected=EXPECTED, now=NOW)["sub"] == "c-1"
    several = {**ID_TOKEN, "aud": [CLIENT, "other"], "azp": CLIENT}
    assert check_id_token(by_bank(several), code=CODE, keys=KEYS, expected=EXPECTED, now=NOW)


def test_of_a_token_response_it_hashes_nothing() -> None:
    claims = {name: value for name, value in ID_TOKEN.items() if not name.endswith("_hash")}
    assert check_id_token(by_bank(claims), code=None, keys=KEYS, expected=EXPECTED, now=NOW)
    with pytest.raises(NotBelieved):
        check_id_token(by_bank(claims), code=CODE, keys=KEYS, expected=EXPECTED, now=NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "somebody"},
        {"aud": [CLIENT, "other"]},
        {"aud": [CLIENT, "other"], "azp": "other"},
        {"aud": 7},
        {"nonce": "n-2"},
        {"nonce": None},
        {"c_hash": half_hash("another")},
        {"s_hash": half_hash("s-2")},
        {"s_hash": None},
        {"openbanking_intent_id": "c-2"},
        {"exp": S - 60},
        {"exp": "soon"},
        {"exp": True},
        {"iat": S + 61},
        {"nbf": S + 61},
    ],
    ids=str,
)
def test_an_answer_that_does_not_fit_is_not(changes: Mapping[str, Any]) -> None:
    claims = {name: value for name, value in {**ID_TOKEN, **changes}.items() if value is not None}
    with pytest.raises(NotBelieved):
        check_id_token(by_bank(claims), code=CODE, keys=KEYS, expected=EXPECTED, now=NOW)


def test_another_code_is_not_believed() -> None:
    with pytest.raises(NotBelieved, match="c_hash"):
        check_id_token(by_bank(ID_TOKEN), code="stolen", keys=KEYS, expected=EXPECTED, now=NOW)


@pytest.mark.parametrize(
    "token",
    [
        by_bank(ID_TOKEN, key=RSAKey.generate_key(2048, private=True)),
        by_bank(ID_TOKEN, alg="RS256"),
        by_bank(ID_TOKEN, kid="b2"),
        "eyJhbGciOiJub25lIn0.e30.",
        "x.y.z",
        "",
        "é",
    ],
    ids=["key", "RS256", "kid", "none", "xyz", "empty", "letters"],
)
def test_what_the_bank_did_not_sign_is_not_believed(token: str) -> None:
    with pytest.raises(NotBelieved):
        check_id_token(token, code=CODE, keys=KEYS, expected=EXPECTED, now=NOW)
    with pytest.raises(NotBelieved):
        read_jarm(token, keys=KEYS, expected=EXPECTED, now=NOW)


def test_jarm_carries_the_answer() -> None:
    said = read_jarm(by_bank(JARM), keys=KEYS, expected=EXPECTED, now=NOW)
    assert (said["code"], said["state"]) == (CODE, "s-1")


@pytest.mark.parametrize(
    "changes",
    [{"iss": "https://evil.example"}, {"aud": "somebody"}, {"exp": S - 60}, {"exp": None}, {"state": "s-2"}],
    ids=str,
)
def test_jarm_that_does_not_fit_does_not(changes: Mapping[str, Any]) -> None:
    claims = {name: value for name, value in {**JARM, **changes}.items() if value is not None}
    with pytest.raises(NotBelieved):
        read_jarm(by_bank(claims), keys=KEYS, expected=EXPECTED, now=NOW)


@pytest.mark.parametrize("payload", [b"[" * 3000, b'{"state": "\\ud800"}', b'{"state": 1}', b"[]", b"\xff"])
def test_a_signed_answer_that_names_no_state_of_ours_leads_nowhere(payload: bytes) -> None:
    """Anybody can send one: it must not be an error of ours."""
    parts = (b'{"alg":"PS256"}', payload, b"signature")
    response = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts).decode()
    assert claimed_state(response) is None
