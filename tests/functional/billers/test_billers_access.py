"""The access token at the API: only ours, only for this, only now. And no biller can start a payment."""

from __future__ import annotations

import secrets
from typing import Any

from flask import Flask
from joserfc import jwt
from joserfc.jwk import ECKey

from app.services import Services
from app.web.billers.auth import PUBLIC
from app.web.billers.limits import limiter
from tests.conftest import Clock
from tests.support.billers_door import ABSENT, ISSUER, Program, new_key
from tests.support.billers_world import World, json_bill

PATH = f"/api/v1/bills/bill_{'0' * 32}"


def forge(
    services: Services, program: Program, *, header: dict[str, Any] | None = None, key: Any = None, **claims: Any
) -> str:
    """A token as we make them, signed with our own key unless another is given, bent as asked."""
    ours = ECKey.import_key(services.keys.oauth)
    now = int(services.clock().timestamp())
    right = {
        "iss": ISSUER,
        "aud": f"{ISSUER}/api/v1",
        "sub": program.client_id,
        "client_id": program.client_id,
        "scope": "bills:read",
        "iat": now,
        "exp": now + 300,
        "jti": secrets.token_urlsafe(8),
    } | claims
    head = {"alg": "ES256", "typ": "at+jwt", "kid": ours.kid} | (header or {})
    head, right = ({k: v for k, v in part.items() if v is not ABSENT} for part in (head, right))
    return jwt.encode(head, right, key or ours, algorithms=[head["alg"]], default_type=None)


def call(world: World, authorization: str) -> Any:
    return world.http.get(PATH, headers={"Authorization": authorization})


def test_a_token_of_ours_opens(world: World, services: Services, aquarelle: Program) -> None:
    assert call(world, f"Bearer {forge(services, aquarelle)}").status_code == 404
    assert call(world, f"bearer {forge(services, aquarelle)}").status_code == 404  # RFC 9110 §11.1


def test_without_a_token(world: World) -> None:
    answer = world.http.get(PATH)
    assert (answer.status_code, answer.get_json()["code"]) == (401, "no-token")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="quittance-billers"'
    assert world.http.get(f"{PATH}?access_token=x").status_code == 401


def test_a_token_that_is_not_right(
    world: World, services: Services, aquarelle: Program, clock: Clock, subtests: Any
) -> None:
    now = int(clock().timestamp())
    stranger = new_key()
    wrong: list[dict[str, Any]] = [
        {"header": {"typ": ABSENT}},  # trap 3: Authlib's own validator takes it
        {"header": {"typ": "JWT"}},
        {"header": {"alg": "ES384"}, "key": ECKey.generate_key("P-384")},
        {"key": stranger, "header": {"kid": stranger.kid}},
        {"key": stranger},
        {"aud": [f"{ISSUER}/api/v1"]},
        {"aud": ISSUER},
        {"aud": ABSENT},
        {"iss": f"{ISSUER}/"},
        {"iss": ABSENT},
        {"exp": now},
        {"exp": ABSENT},
        {"exp": float("nan")},
        {"exp": str(now + 300)},
        {"client_id": ABSENT},
        {"client_id": "\x00", "sub": "\x00"},
        {"client_id": "cli_" + "0" * 32, "sub": "cli_" + "0" * 32},
        {"sub": "somebody"},
        {"scope": ABSENT},
        {"scope": ["bills:read"]},
        {"jti": ABSENT},
        {"cnf": {"jkt": "x"}},  # bound to a key: never as a plain bearer
    ]
    for bent in wrong:
        with subtests.test(bent=str(bent)):
            answer = call(world, f"Bearer {forge(services, aquarelle, **bent)}")
            assert (answer.status_code, answer.get_json()["code"]) == (401, "invalid-token"), answer.text
            assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_a_header_that_is_no_credential(world: World, services: Services, aquarelle: Program) -> None:
    token = forge(services, aquarelle)
    unsigned = token.rpartition(".")[0] + "."
    for header in (
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {token} {token}",
        f"Bearer  {token}",
        f"DPoP {token}",
        f"Basic {token}",
        f"Bearer {unsigned}",
        "Bearer " + "x" * 5000,
        'Bearer "',
        f"Bearer {token},Bearer {token}",
        f"Bearer {aquarelle.assertion()}",
    ):
        answer = call(world, header)
        assert (answer.status_code, answer.get_json()["code"]) == (401, "invalid-token"), header


def test_a_token_lives_five_minutes(world: World, aquarelle: Program, clock: Clock) -> None:
    bearer = aquarelle.bearer()
    clock.tick(seconds=299)
    assert world.http.get(PATH, headers=bearer).status_code == 404
    clock.tick(seconds=1)
    answer = world.http.get(PATH, headers=bearer)
    assert answer.get_json()["detail"] == "The token has expired: get a new one."


def billers_rules(app: Flask) -> list[Any]:
    return [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("billers")]


def test_only_the_named_endpoints_are_public(app: Flask, world: World) -> None:
    rules = billers_rules(app)
    assert {rule.endpoint for rule in rules} >= PUBLIC
    for rule in rules:
        path = rule.rule.replace("<", "").replace(">", "")
        for method in rule.methods:
            status = world.http.open(path, method=method).status_code
            assert (status != 401) == (rule.endpoint in PUBLIC), (method, rule.rule, status)


def test_every_operation_names_its_scope(app: Flask) -> None:
    for rule in billers_rules(app):
        scope = getattr(app.view_functions[rule.endpoint], "scope", None)
        assert (scope is None) == (rule.endpoint in PUBLIC), rule.rule


#: what it would take to pay, or to be a customer
NEVER = ("payment", "decision", "consent", "trip", "bank_attempt", "sealed", "customer_session", "ceremony", "passkey")


def test_no_credential_of_a_biller_can_start_a_payment(
    app: Flask, world: World, aquarelle: Program, address: str
) -> None:
    """Every address and method of the whole service, with a good token and with a biller's signed assertion."""
    bill_id = aquarelle.deliver(json_bill(aquarelle, address)).get_json()["id"]
    before = {name: count for name, count in world.rows().items() if name in NEVER}
    assert set(before) == set(NEVER)
    bearer = aquarelle.bearer()
    assertion = aquarelle.assertion()
    values = {name: bill_id for rule in app.url_map.iter_rules() for name in rule.arguments}
    bodies: list[dict[str, Any]] = [
        {"json": {"amount": "84.20"}},
        {"data": {"client_assertion": assertion, "confirm": "yes"}},
    ]
    knocks = 0
    for rule in app.url_map.iter_rules():
        with app.test_request_context():
            path = (
                app.url_for(rule.endpoint, **{name: values[name] for name in rule.arguments})
                if rule.endpoint != "static"
                else "/static/x"
            )
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"):
            for body in bodies:
                limiter.reset()
                answer = world.http.open(path, method=method, headers=bearer, **body)
                cookies = [
                    c for c in answer.headers.getlist("Set-Cookie") if c.startswith("__Host-session") and "=;" not in c
                ]
                assert not cookies, (method, path, cookies)
                knocks += 1
    assert knocks > 100
    assert {name: count for name, count in world.rows().items() if name in NEVER} == before
