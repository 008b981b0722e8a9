"""Our proof of identity, PKCE, and whose metadata we believe."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from joserfc import jws, jwt
from joserfc.jwk import ECKey, RSAKey

from connectors.security import pkce
from connectors.security.metadata import same_origin, well_known_url
from connectors.security.private_key_jwt import ClientKey

NOON = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)
NOON_S = 1_795_348_800
ISSUER = "https://login.bank.test"


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (ECKey.generate_key("P-256", {"kid": "k"}), "ES256"),
        (RSAKey.generate_key(2048, {"kid": "k"}), "PS256"),
    ],
)
def test_an_assertion_says_who_to_whom_and_for_how_long(key: ECKey | RSAKey, algorithm: str) -> None:
    ours = ClientKey(key.as_dict(private=True))
    first, second = (ours.assertion(client_id="quittance", issuer=ISSUER, now=NOON) for _ in range(2))
    token = jwt.decode(first, key, algorithms=[algorithm])
    assert token.header == {"alg": algorithm, "kid": "k", "typ": "JWT"}
    jti = token.claims.pop("jti")
    assert token.claims == {
        "iss": "quittance",
        "sub": "quittance",
        "aud": ISSUER,
        "iat": NOON_S,
        "exp": NOON_S + 60,
    }
    assert jti != jwt.decode(second, key, algorithms=[algorithm]).claims["jti"]


def test_a_key_without_a_name_is_called_by_its_thumbprint() -> None:
    key = ECKey.generate_key("P-256")
    ours = ClientKey(key.as_dict(private=True))
    header = jws.extract_compact(ours.assertion(client_id="q", issuer=ISSUER, now=NOON).encode()).headers()
    assert header["kid"] == key.thumbprint()


def test_a_key_is_in_no_text() -> None:
    secret = ECKey.generate_key("P-256").as_dict(private=True)
    assert str(secret["d"]) not in repr(ClientKey(secret))


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_a_short_rsa_key_is_refused() -> None:
    with pytest.raises(ValueError, match="2048"):
        ClientKey(RSAKey.generate_key(1024).as_dict(private=True))


def test_the_example_of_rfc_7636_appendix_b() -> None:
    assert (
        pkce.challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )


def test_verifiers_are_long_and_never_the_same() -> None:
    verifiers = {pkce.new_verifier() for _ in range(100)}
    assert len(verifiers) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", verifier) for verifier in verifiers)


@pytest.mark.parametrize(
    ("issuer", "url"),
    [
        ("https://bank.test", "https://bank.test/.well-known/oauth-authorization-server"),
        ("https://bank.test/a/b", "https://bank.test/.well-known/oauth-authorization-server/a/b"),
        ("http://127.0.0.1:8001", "http://127.0.0.1:8001/.well-known/oauth-authorization-server"),
    ],
)
def test_where_metadata_lie(issuer: str, url: str) -> None:
    assert well_known_url(issuer) == url


@pytest.mark.parametrize(
    "other",
    ["http://bank.test/", "https://bank.test:444/", "https://x@bank.test/", "https://bank.test.evil/"],
)
def test_another_origin(other: str) -> None:
    assert same_origin("https://bank.test/a", "https://bank.test/b?c")
    assert not same_origin("https://bank.test/", other)
