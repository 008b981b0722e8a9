"""Proofs of possession: what one proof says, when a request is worth sending once more, and whose nonce goes where."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from connectors.http import BankResponse
from connectors.security.dpop import ORIGINS_MOST, DPoP

NOW = dt.datetime(2026, 11, 23, 11, 0, tzinfo=dt.UTC)
KEY = ECKey.generate_key("P-256", {"kid": "k1", "use": "sig"}, private=True)
URL = "https://api.bank.example/open-banking/v4.0/pisp/domestic-payments"


def read(proof: str) -> tuple[dict[str, Any], dict[str, Any]]:
    token = jwt.decode(proof, KEY, algorithms=["ES256"])
    return dict(token.header), dict(token.claims)


def answer(status: int, *, nonce: str | None = None, body: bytes = b"{}", challenge: str = "") -> BankResponse:
    headers = {"WWW-Authenticate": challenge} if challenge else {}
    if nonce is not None:
        headers["DPoP-Nonce"] = nonce
    return BankResponse(status=status, headers=headers, body=body)


REFUSED = json.dumps({"error": "use_dpop_nonce"}).encode()
CHALLENGE = 'DPoP error="use_dpop_nonce", error_description="..."'


def test_a_proof_is_for_one_request_and_shows_the_public_key_alone() -> None:
    header, claims = read(DPoP(KEY).proof("POST", f"{URL}?page=2#top", now=NOW))
    assert header == {"typ": "dpop+jwt", "alg": "ES256", "jwk": header["jwk"]}
    assert header["jwk"].keys() == {"kty", "crv", "x", "y"}
    assert claims == {"htm": "POST", "htu": URL, "iat": int(NOW.timestamp()), "jti": claims["jti"]}


def test_two_proofs_of_the_same_request_differ() -> None:
    dpop = DPoP(KEY)
    assert read(dpop.proof("GET", URL, now=NOW))[1]["jti"] != read(dpop.proof("GET", URL, now=NOW))[1]["jti"]


def test_with_a_token_it_names_its_hash() -> None:
    claims = read(DPoP(KEY).proof("GET", URL, now=NOW, access_token="t0ken"))[1]
    digest = hashlib.sha256(b"t0ken").digest()
    assert claims["ath"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def test_the_thumbprint_is_that_of_the_key_that_signs() -> None:
    header, _ = read(DPoP(KEY).proof("GET", URL, now=NOW))
    assert DPoP(KEY).thumbprint == ECKey.import_key(header["jwk"]).thumbprint()


@pytest.mark.parametrize("key", [ECKey.import_key(KEY.as_dict(private=False)), ECKey.generate_key("P-384")])
def test_a_public_key_proves_nothing_and_one_curve_is_enough(key: ECKey) -> None:
    with pytest.raises(ValueError, match="private EC key on the curve P-256"):
        DPoP(key)


@pytest.mark.parametrize(
    "refused",
    [
        answer(400, nonce="n1", body=REFUSED),
        answer(401, nonce="n1", body=REFUSED),
        answer(401, nonce="n1", challenge=CHALLENGE),
    ],
)
def test_refused_for_want_of_a_nonce_it_is_worth_sending_once_more(refused: BankResponse) -> None:
    dpop = DPoP(KEY)
    assert dpop.take_nonce(URL, refused)
    assert read(dpop.proof("POST", URL, now=NOW))[1]["nonce"] == "n1"
    assert dpop.take_nonce(URL, refused)  # this one was under way when the other learned the nonce


@pytest.mark.parametrize(
    "other",
    [
        answer(400, body=REFUSED),  # no nonce: nothing would be otherwise
        answer(400, nonce="n1"),
        answer(400, nonce="n1", body=b'{"error":"invalid_grant"}'),
        answer(401, nonce="n1", challenge='Bearer error="invalid_token"'),
        answer(403, nonce="n1", body=REFUSED),
        answer(201, nonce="n1", body=REFUSED),  # done: it must not be sent again
        answer(400, nonce="n\n1", body=REFUSED),
        answer(400, nonce="n" * 513, body=REFUSED),
        answer(400, nonce="né", body=REFUSED),
    ],
)
def test_otherwise_it_is_not(other: BankResponse) -> None:
    assert not DPoP(KEY).take_nonce(URL, other)


def test_a_nonce_of_a_good_answer_is_for_the_next_request_to_that_server() -> None:
    dpop = DPoP(KEY)
    assert not dpop.take_nonce(URL, answer(201, nonce="n2"))
    assert read(dpop.proof("GET", f"{URL}/1", now=NOW))[1]["nonce"] == "n2"
    assert "nonce" not in read(dpop.proof("POST", "https://auth.bank.example/token", now=NOW))[1]


def test_no_number_of_servers_fills_the_memory() -> None:
    dpop = DPoP(KEY)
    for number in range(ORIGINS_MOST + 5):
        dpop.take_nonce(f"https://h{number}.example/", answer(200, nonce="n"))
    assert "nonce" not in read(dpop.proof("GET", f"https://h{ORIGINS_MOST}.example/", now=NOW))[1]
