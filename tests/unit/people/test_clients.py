"""Which keys a biller's program may register."""

from __future__ import annotations

from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from app.errors import Invalid, NotFound
from app.people import clients
from app.services import Services
from tests.support import factories

EC = ECKey.generate_key("P-256").as_dict(private=False)
RSA = RSAKey.generate_key(2048).as_dict(private=False)
#: the first 1024 bits of a modulus, odd as they all are: one that is too small
WEAK = str(RSA["n"])[:170] + "E"


def biller_of(services: Services) -> str:
    return factories.make_biller(services).id


def added(services: Services, *keys: object, scope: str = "bills:read") -> Any:
    biller_id = biller_of(services)
    with services.unit_of_work() as uow:
        client_id = clients.add_client(uow, biller_id=biller_id, jwks={"keys": list(keys)}, scope=scope)
        uow.commit()
    with services.reading() as uow:
        return clients.client_of(uow.session, client_id)


def test_only_the_public_members_that_we_know_are_kept(services: Services) -> None:
    client = added(services, {**EC, "x5u": "https://elsewhere.example", "kid": "k1"}, RSA)
    first, second = client.jwks["keys"]
    assert first == {"kty": "EC", "crv": "P-256", "x": EC["x"], "y": EC["y"], "kid": "k1", "use": "sig", "alg": "ES256"}
    thumbprint = RSAKey.import_key(RSA).thumbprint()
    assert second == {"kty": "RSA", "n": RSA["n"], "e": "AQAB", "kid": thumbprint, "use": "sig", "alg": "PS256"}
    assert (client.active, client.scope) == (True, "bills:read")


def test_scopes_are_kept_in_their_order_and_once(services: Services) -> None:
    client = added(services, EC, scope="payments:read bills:write bills:write")
    assert client.scope == "bills:write payments:read"


REFUSED: list[tuple[str, list[Any]]] = [
    ("no key", []),
    ("six keys", [ECKey.generate_key("P-256").as_dict(private=False) for _ in range(6)]),
    ("no object", ["x"]),
    ("private EC", [ECKey.generate_key("P-256").as_dict(private=True)]),
    ("private RSA", [RSAKey.generate_key(2048).as_dict(private=True)]),
    ("empty private member", [{**EC, "d": ""}]),
    ("secret", [OctKey.generate_key(256).as_dict(private=True)]),
    ("OKP", [OKPKey.generate_key("Ed25519").as_dict(private=False)]),
    ("unhashable kty", [{**EC, "kty": ["EC"]}]),
    ("no kty", [{}]),
    ("P-384", [ECKey.generate_key("P-384").as_dict(private=False)]),
    ("off the curve", [{**EC, "x": EC["y"]}]),
    ("half a point", [{name: EC[name] for name in ("kty", "crv", "x")}]),
    ("not base64url", [{**EC, "x": "é!"}]),
    ("a number", [{**EC, "x": 5}]),
    ("RS256", [{**RSA, "alg": "RS256"}]),
    ("PS256 on a curve", [{**EC, "alg": "PS256"}]),
    ("for encryption", [{**EC, "use": "enc"}]),
    ("to sign", [{**EC, "key_ops": ["sign"]}]),
    ("1024 bits", [{**RSA, "n": WEAK}]),
    ("exponent 3", [{**RSA, "e": "Aw"}]),
    ("8192 bits", [{**RSA, "n": str(RSA["n"]) * 4}]),
    ("the same kid twice", [{**EC, "kid": "a"}, {**RSA, "kid": "a"}]),
    ("the same key twice", [EC, EC]),
    ("kid with a space", [{**EC, "kid": "a b"}]),
    ("kid that is a number", [{**EC, "kid": 1}]),
    ("endless kid", [{**EC, "kid": "a" * 101}]),
]


@pytest.mark.filterwarnings("ignore:Key size should be:joserfc.errors.SecurityWarning")  # we say it ourselves
def test_keys_that_are_not_taken(services: Services, subtests: pytest.Subtests) -> None:
    biller_id = biller_of(services)
    for name, keys in REFUSED:
        with subtests.test(name), services.unit_of_work() as uow:
            with pytest.raises(Invalid) as refused:
                clients.add_client(uow, biller_id=biller_id, jwks={"keys": keys}, scope="bills:read")
            assert refused.value.code == "jwks"


def test_scopes_and_billers_that_do_not_exist(services: Services) -> None:
    biller_id = biller_of(services)
    with services.unit_of_work() as uow:
        for scope in ("", "payments:write", "bills:read admin"):
            with pytest.raises(Invalid):
                clients.add_client(uow, biller_id=biller_id, jwks={"keys": [EC]}, scope=scope)
        with pytest.raises(NotFound):
            clients.add_client(uow, biller_id="blr_0", jwks={"keys": [EC]}, scope="bills:read")
        with pytest.raises(NotFound):
            clients.stop_client(uow, client_id="cli_0")
