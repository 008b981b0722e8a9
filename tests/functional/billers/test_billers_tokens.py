"""The token endpoint: every trap of private_key_jwt, and that what is refused leaves nothing behind."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from joserfc import jws
from joserfc.jwk import ECKey, OctKey

from app.people.clients import SCOPES, add_client, forget_used_assertions, stop_client
from app.web.billers.limits import TOKEN_LIMIT
from tests.conftest import Clock
from tests.support.billers_door import ABSENT, ISSUER, Program, new_key, public_jwks
from tests.support.billers_world import World


def claims_of(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    content = jws.extract_compact(token.encode())
    return content.headers(), json.loads(content.payload)


def unsigned(header: object, payload: bytes, signature: bytes = b"x") -> str:
    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    return f"{part(json.dumps(header).encode())}.{part(payload)}.{part(signature)}"


@pytest.mark.parametrize("alg", ["ES256", "PS256"])
def test_a_token_for_a_signed_assertion(world: World, aquarelle: Program, clock: Clock, alg: str) -> None:
    program = world.second_program(aquarelle, alg=alg)
    answer = program.ask(program.assertion(alg=alg), scope="bills:write payments:read")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.get_json()
    # trap 4: five minutes, not ten days
    assert (body["token_type"], body["expires_in"], body["scope"]) == (
        "Bearer",
        300,
        "bills:write payments:read",
    )
    header, claims = claims_of(body["access_token"])
    keys = world.http.get("/oauth2/jwks").get_json()["keys"]
    # trap 2: signed with the one algorithm that we check
    assert header == {"alg": "ES256", "typ": "at+jwt", "kid": keys[0]["kid"]}
    now = int(clock().timestamp())
    assert len(claims.pop("jti")) >= 20
    assert claims == {
        "iss": ISSUER,
        "aud": f"{ISSUER}/api/v1",
        "sub": program.client_id,
        "client_id": program.client_id,
        "scope": "bills:write payments:read",
        "iat": now,
        "exp": now + 300,
    }


def test_without_a_scope_all_that_was_granted(world: World) -> None:
    program = world.program(scope="payments:read bills:read")
    assert program.ask(program.assertion()).get_json()["scope"] == "bills:read payments:read"


def test_the_keys_show_nothing_private(world: World) -> None:
    (key,) = world.http.get("/oauth2/jwks").get_json()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}


def test_the_metadata_say_what_there_is(world: World) -> None:
    assert world.http.get("/.well-known/oauth-authorization-server").get_json() == {
        "issuer": ISSUER,
        "token_endpoint": f"{ISSUER}/oauth2/token",
        "jwks_uri": f"{ISSUER}/oauth2/jwks",
        "scopes_supported": list(SCOPES),
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["ES256", "PS256"],
    }


def refused(answer: Any, error: str, description: str) -> None:
    assert answer.status_code == 400, answer.text
    assert answer.get_json() == {"error": error, "error_description": description}
    assert answer.headers["Cache-Control"] == "no-store"


AUD = f"aud must be one string: {ISSUER}"
NUMBER = "must be a whole number of seconds."


WRONG_CLAIMS: list[tuple[dict[str, Any], str]] = [
    ({"aud": [ISSUER]}, AUD),
    ({"aud": f"{ISSUER}/oauth2/token"}, AUD),
    ({"aud": f"{ISSUER}/"}, AUD),
    ({"aud": ABSENT}, AUD),
    ({"exp_in": 361}, "exp is more than 360 seconds ahead."),
    ({"exp_in": -10}, "The assertion has expired."),
    ({"exp": ABSENT}, "exp is missing."),
    ({"exp": float("nan")}, f"exp {NUMBER}"),
    ({"exp": "soon"}, f"exp {NUMBER}"),
    ({"exp": True}, f"exp {NUMBER}"),
    ({"iat_in": 11}, "The assertion is not valid yet: is your clock right?"),
    ({"nbf_in": 11}, "The assertion is not valid yet: is your clock right?"),
    ({"nbf": None}, f"nbf {NUMBER}"),
    ({"iss": "cli_somebody"}, "iss and sub must both be the client_id."),
    ({"iss": ABSENT}, "iss and sub must both be the client_id."),
    ({"jti": ABSENT}, "jti must be 1 to 255 ASCII characters."),
    ({"jti": ""}, "jti must be 1 to 255 ASCII characters."),
    ({"jti": 7}, "jti must be 1 to 255 ASCII characters."),
    ({"jti": "x" * 256}, "jti must be 1 to 255 ASCII characters."),
    ({"jti": "\x00"}, "jti must be 1 to 255 ASCII characters."),
]


def test_a_claim_that_is_not_right(world: World, aquarelle: Program, clock: Clock, subtests: pytest.Subtests) -> None:
    """Trap 5 among them: no ceiling for exp, and an aud of several."""
    now = int(clock().timestamp())
    for claims, description in WRONG_CLAIMS:
        bent = {
            name.removesuffix("_in"): now + value if name.endswith("_in") else value for name, value in claims.items()
        }
        with subtests.test(claims=str(claims)):
            answer = world.refuses(aquarelle.ask, aquarelle.assertion(**bent))
            refused(answer, "invalid_client", description)
    assert world.rows()["used_assertion"] == 0


def test_the_longest_life_and_small_differences_of_clocks(aquarelle: Program, clock: Clock) -> None:
    now = int(clock().timestamp())
    assert aquarelle.ask(aquarelle.assertion(exp=now + 360)).status_code == 200
    assert aquarelle.ask(aquarelle.assertion(iat=now + 10, exp=now + 60)).status_code == 200
    assert aquarelle.ask(aquarelle.assertion(exp=now - 9)).status_code == 200


def test_an_unknown_biller(world: World, aquarelle: Program) -> None:
    before = world.rows()
    for sub in ("cli_" + "0" * 32, "nobody", "\x00", "\ud800", ""):
        answer = aquarelle.ask(_raw(aquarelle, sub))
        refused(answer, "invalid_client", "The client does not exist on this server.")
    assert world.rows() == before


def _raw(program: Program, sub: object) -> str:
    payload = json.dumps({"iss": sub, "sub": sub}).encode()
    return unsigned({"alg": "ES256", "kid": program.key.kid}, payload)


def test_a_bad_signature(world: World, aquarelle: Program) -> None:
    before = world.rows()
    other = new_key()
    assert isinstance(aquarelle.key, ECKey)
    assertion = aquarelle.assertion(signed_by=other)
    refused(aquarelle.ask(assertion), "invalid_client", "The signature does not fit the registered key.")
    # a key in the header counts for nothing
    own = {"jwk": other.as_dict(private=False)}
    answer = aquarelle.ask(aquarelle.assertion(signed_by=other, header=own))
    refused(answer, "invalid_client", "The signature does not fit the registered key.")
    unknown = aquarelle.ask(aquarelle.assertion(header={"kid": other.kid}))
    refused(unknown, "invalid_client", "No registered key has this kid.")
    assert world.rows() == before


def test_algorithms_are_pinned(world: World, aquarelle: Program) -> None:
    """Trap 1: without a list of ours HS256 is allowed, and the public key no secret."""
    before = world.rows()
    public = aquarelle.key.as_pem(private=False)
    head, body = (part.encode() for part in aquarelle.assertion().split(".")[:2])
    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": aquarelle.key.kid}).encode()).rstrip(b"=")
    mac = base64.urlsafe_b64encode(hmac.new(public, head + b"." + body, hashlib.sha256).digest()).rstrip(b"=")
    sign_with = "Sign with ES256 or PS256."
    refused(aquarelle.ask((head + b"." + body + b"." + mac).decode()), "invalid_client", sign_with)
    for alg in ("none", "RS256", "ES384", "é", "EdDSA"):
        payload = json.dumps({"sub": aquarelle.client_id}).encode()
        refused(
            aquarelle.ask(unsigned({"alg": alg, "kid": aquarelle.key.kid}, payload)),
            "invalid_client",
            sign_with,
        )
    secret = OctKey.generate_key(256)
    shared = aquarelle.assertion(alg="HS256", signed_by=secret)
    refused(aquarelle.ask(shared), "invalid_client", sign_with)
    assert world.rows() == before


def test_a_jwt_of_another_type_is_no_assertion(aquarelle: Program) -> None:
    for typ in ("at+jwt", "dpop+jwt", "secevent+jwt"):
        answer = aquarelle.ask(aquarelle.assertion(header={"typ": typ}))
        refused(answer, "invalid_client", "This is a JWT of another type, not a client assertion.")
    assert aquarelle.ask(aquarelle.assertion(header={"typ": "client-authentication+jwt"})).status_code == 200


GARBAGE = [
    "x",
    "a.b.c",
    "é.é.é",
    "." * 3000,
    "a" * 9000,
    unsigned({"alg": "ES256"}, b"[" * 3000),
    unsigned({"alg": "ES256"}, b"[]"),
    unsigned({"alg": "ES256"}, b"\xff"),
    unsigned({"alg": ["ES256"]}, b'{"sub": "cli_x"}'),
    unsigned([], b'{"sub": "cli_x"}'),
    unsigned({"alg": "ES256"}, b'{"sub": ["cli_x"]}'),
    unsigned({"alg": "ES256"}, b"{}"),
]
STRANGE_HEADERS: list[dict[str, Any]] = [
    {"alg": ["ES256"]},
    {"alg": None},
    {"kid": 5},
    {"kid": ["x"]},
    {"crit": ["exp"]},
    {"typ": 5},
    {"b64": False},
]


def test_whatever_the_bytes_are_never_a_crash(world: World, aquarelle: Program, subtests: pytest.Subtests) -> None:
    payload = json.dumps({"sub": aquarelle.client_id}).encode()
    right = {"alg": "ES256", "kid": aquarelle.key.kid}
    strange = [unsigned(right | header, payload) for header in STRANGE_HEADERS]
    for garbage in GARBAGE + strange:
        with subtests.test(garbage=garbage[:60]):
            answer = world.refuses(aquarelle.ask, garbage)
            assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_client")
    assert world.rows()["used_assertion"] == 0


def test_an_assertion_counts_once(world: World, aquarelle: Program) -> None:
    assertion = aquarelle.assertion()
    assert aquarelle.ask(assertion).status_code == 200
    refused(aquarelle.ask(assertion), "invalid_client", "This assertion was used before: sign a new one.")
    assert world.rows()["used_assertion"] == 1


@pytest.mark.each_database
def test_once_also_at_the_same_moment(app: Flask, aquarelle: Program) -> None:
    """The primary key is the guard: eight threads, one token."""
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": aquarelle.assertion(),
    }
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: app.test_client().post("/oauth2/token", data=form).status_code, range(8)))
    assert sorted(answers) == [200] + [400] * 7


def test_the_same_jti_of_two_clients_is_two(world: World, aquarelle: Program) -> None:
    other = world.program()
    assert aquarelle.ask(aquarelle.assertion(jti="1")).status_code == 200
    assert other.ask(other.assertion(jti="1")).status_code == 200


def test_a_wrong_assertion_does_not_use_up_a_jti(aquarelle: Program) -> None:
    assert aquarelle.ask(aquarelle.assertion(jti="mine", signed_by=new_key())).status_code == 400
    assert aquarelle.ask(aquarelle.assertion(jti="mine")).status_code == 200


def test_used_assertions_are_kept_as_long_as_they_could_be_sent_again(
    world: World, aquarelle: Program, clock: Clock
) -> None:
    now = int(clock().timestamp())
    assertion = aquarelle.assertion(exp=now + 60)
    assert aquarelle.ask(assertion).status_code == 200
    for seconds, left in ((69, 1), (3, 0)):
        clock.tick(seconds=seconds)
        with world.services.unit_of_work() as uow:
            forget_used_assertions(uow)
            uow.commit()
        assert world.rows()["used_assertion"] == left
        assert aquarelle.ask(assertion).status_code == 400


def test_a_client_that_was_stopped(world: World, aquarelle: Program) -> None:
    bearer = aquarelle.bearer()
    with world.services.unit_of_work() as uow:
        stop_client(uow, client_id=aquarelle.client_id)
        uow.commit()
    refused(aquarelle.ask(aquarelle.assertion()), "invalid_client", "The client does not exist on this server.")
    answer = world.http.get("/api/v1/bills/bill_" + "0" * 32, headers=bearer)
    assert (answer.status_code, answer.get_json()["code"]) == (401, "invalid-token")


def test_scopes_that_were_not_granted(world: World) -> None:
    program = world.program(scope="payments:read")
    for scope in ("bills:write", "payments:read bills:write", "admin", "payments:write", "é"):
        answer = program.ask(program.assertion(), scope=scope)
        refused(answer, "invalid_scope", "The requested scope is invalid, unknown, or malformed.")


WRONG_PARAMETERS: list[tuple[dict[str, Any], str, str]] = [
    ({"grant_type": ABSENT}, "invalid_request", "grant_type is missing."),
    ({"grant_type": ["client_credentials"] * 2}, "invalid_request", "A parameter is there twice."),
    ({"client_secret": "x"}, "invalid_client", "Authenticate with private_key_jwt alone."),
    ({"client_id": "cli_other"}, "invalid_client", "client_id and the assertion name different clients."),
]


def test_parameters(world: World, aquarelle: Program, subtests: pytest.Subtests) -> None:
    for parameters, error, description in WRONG_PARAMETERS:
        with subtests.test(parameters=str(parameters)):
            refused(aquarelle.ask(aquarelle.assertion(), **parameters), error, description)
    assert world.rows()["used_assertion"] == 0


def test_no_other_grant(aquarelle: Program) -> None:
    for grant in ("authorization_code", "password", "refresh_token", 'a"b', "é"):
        answer = aquarelle.ask(aquarelle.assertion(), grant_type=grant)
        assert (answer.status_code, answer.get_json()) == (400, {"error": "unsupported_grant_type"})


def test_no_other_way_to_authenticate(aquarelle: Program) -> None:
    none_at_all: list[dict[str, Any]] = [
        {"client_assertion": ABSENT},
        {"client_assertion_type": "x"},
        {"client_assertion": ""},
    ]
    for parameters in none_at_all:
        answer = aquarelle.ask(aquarelle.assertion(), client_id=aquarelle.client_id, **parameters)
        assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_client")
    basic = aquarelle.ask(aquarelle.assertion(), headers={"Authorization": "Basic eDp5"})
    refused(basic, "invalid_client", "Authenticate with private_key_jwt alone.")


def test_nothing_in_the_address(world: World, aquarelle: Program) -> None:
    query = {"grant_type": "client_credentials", "client_assertion": aquarelle.assertion()}
    answer = world.http.post("/oauth2/token", query_string=query, data={"x": "y"})
    refused(answer, "invalid_request", "Send the parameters in the body, not in the address.")


def test_only_a_form_and_only_post(world: World) -> None:
    answer = world.http.post("/oauth2/token", json={"grant_type": "client_credentials"})
    assert (answer.status_code, answer.mimetype) == (415, "application/problem+json")
    answer = world.http.get("/oauth2/token")
    assert (answer.status_code, answer.headers["Allow"], answer.mimetype) == (
        405,
        "POST",
        "application/problem+json",
    )
    answer = world.http.post("/oauth2/token", data={"client_assertion": "x" * 20_000})
    assert (answer.status_code, answer.get_json()["code"]) == (413, "too-large")


def test_the_token_endpoint_has_a_limit(world: World) -> None:
    most = int(TOKEN_LIMIT.split()[0])
    assert {world.http.post("/oauth2/token", data={"x": "y"}).status_code for _ in range(most)} == {400}
    answer = world.http.post("/oauth2/token", data={"x": "y"})
    assert (answer.status_code, answer.get_json()["code"]) == (429, "too-many-requests")
    assert 0 < int(answer.headers["Retry-After"]) <= 60


def test_authlib_does_not_write_tokens_into_the_log(aquarelle: Program, caplog: pytest.LogCaptureFixture) -> None:
    """Trap 8: its debug line holds the whole token."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.DEBUG)
    try:
        token = aquarelle.token()
    finally:
        root.setLevel(before)
    assert token not in caplog.text


def test_two_keys_at_once(world: World, aquarelle: Program) -> None:
    """Rotation: the new key is registered while the old one still signs."""
    old, new = new_key(), new_key("PS256")
    with world.services.unit_of_work() as uow:
        jwks = public_jwks(old, new)
        client_id = add_client(uow, biller_id=aquarelle.biller_id, jwks=jwks, scope="bills:read")
        uow.commit()
    program = replace(aquarelle, client_id=client_id, key=new)
    for key, alg in ((old, "ES256"), (new, "PS256")):
        program = replace(program, key=key)
        assert program.ask(program.assertion(alg=alg)).status_code == 200
    nameless = program.assertion(alg="PS256", header={"kid": ABSENT})
    refused(program.ask(nameless), "invalid_client", "No registered key has this kid.")
    crossed = program.assertion(alg="ES256", signed_by=old, header={"kid": new.kid})
    assert program.ask(crossed).status_code == 400
