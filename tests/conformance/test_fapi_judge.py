"""Our client of each security profile, judged by an authorization server that we did not write (npm oidc-provider)."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from connectors.errors import BankRefused
from connectors.http import Deadline
from connectors.security import pkce
from connectors.security.oauth_client import OAuthClient, Token
from connectors.security.private_key_jwt import ClientKey
from connectors.security.profiles import PROFILES, Answer, Binding
from connectors.security.request_object import Expected, NotBelieved, check_id_token, read_jarm
from tests.support.judges import CONSENT, RETURN, Judge, clock, request, running_judge

pytestmark = pytest.mark.judges

FAPI = [name for name in PROFILES if name.startswith("fapi")]


@pytest.fixture(scope="module", params=[False, True], ids=["no nonce", "nonce"])
def judge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    with running_judge(tmp_path_factory.mktemp("judge"), nonce=request.param) as running:
        yield running


@pytest.mark.parametrize("name", FAPI)
def test_a_customer_approves_and_the_code_becomes_a_token(judge: Judge, name: str) -> None:
    profile, client = PROFILES[name], judge.client(name)
    deadline = Deadline(20)
    server = client.server(deadline=deadline)
    verifier, state, nonce = pkce.new_verifier(), secrets.token_urlsafe(16), secrets.token_urlsafe(16)
    asked = request(state=state, nonce=nonce, verifier=verifier)
    back = urlsplit(judge.visit(client.authorise_url(server, asked, deadline=deadline)))
    said = dict(parse_qsl(back.fragment or back.query))
    expected = Expected(issuer=judge.issuer, client_id=name, nonce=nonce, state=state, consent_id=CONSENT)
    keys = client.keys(server, deadline=deadline)
    if profile.answer is Answer.JWT:
        said = dict(read_jarm(said["response"], keys=keys, expected=expected, now=clock()))
    if profile.answer is Answer.HYBRID:
        claims = check_id_token(said["id_token"], code=said["code"], keys=keys, expected=expected, now=clock())
        assert claims["openbanking_intent_id"] == CONSENT
        with pytest.raises(NotBelieved):
            check_id_token(said["id_token"], code="another", keys=keys, expected=expected, now=clock())
    if profile.issuer_named:
        assert said["iss"] == judge.issuer
    token = client.exchange(
        server.token_endpoint, code=said["code"], code_verifier=verifier, redirect_uri=RETURN, deadline=deadline
    )
    assert "cnf" in bound_to(token.access_token, keys)


@pytest.mark.parametrize("name", FAPI)
def test_a_customers_token_is_renewed_and_bound_anew(judge: Judge, name: str) -> None:
    client = judge.client(name)
    deadline = Deadline(20)
    given = approved(judge, client)
    keys = client.keys(client.server(deadline=deadline), deadline=deadline)
    assert given.refresh_token is not None
    renewed = client.renew(given.refresh_token, deadline=deadline)
    assert renewed.access_token != given.access_token
    before, after = (bound_to(token.access_token, keys) for token in (given, renewed))
    assert (after["cnf"], after["scope"], after["sub"]) == (before["cnf"], before["scope"], before["sub"])
    # each of them is good once: the judge changes them, and what was spent is nobody's
    assert renewed.refresh_token not in (None, given.refresh_token)
    assert client.renew(str(renewed.refresh_token), deadline=deadline).access_token != renewed.access_token
    for spent in (given.refresh_token, "another"):
        with pytest.raises(BankRefused) as refused:
            client.renew(spent, deadline=deadline)
        assert refused.value.code == "invalid_grant"


def approved(judge: Judge, client: OAuthClient) -> Token:
    """What comes of a customer's yes."""
    deadline = Deadline(20)
    server, verifier = client.server(deadline=deadline), pkce.new_verifier()
    asked = request(state="state", nonce="nonce", verifier=verifier)
    back = urlsplit(judge.visit(client.authorise_url(server, asked, deadline=deadline)))
    said = dict(parse_qsl(back.fragment or back.query))
    if "response" in said:
        keys = client.keys(server, deadline=deadline)
        said = {"code": jwt.decode(said["response"], keys, algorithms=["PS256"]).claims["code"]}
    return client.exchange(
        server.token_endpoint, code=said["code"], code_verifier=verifier, redirect_uri=RETURN, deadline=deadline
    )


@pytest.mark.parametrize("name", FAPI)
def test_a_token_for_ourselves_is_bound_to_what_the_profile_says(judge: Judge, name: str) -> None:
    client = judge.client(name)
    deadline = Deadline(20)
    token = client.own_token("payments", deadline=deadline)
    confirmation = bound_to(token, client.keys(client.server(deadline=deadline), deadline=deadline))["cnf"]
    assert confirmation.keys() == {"jkt" if PROFILES[name].binding is Binding.DPOP else "x5t#S256"}


def bound_to(access_token: str, keys: KeySet) -> dict[str, Any]:
    return dict(jwt.decode(access_token, keys, algorithms=["PS256"]).claims)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("fapi2_dpop", {"key": ClientKey(RSAKey.generate_key(2048, private=True).as_dict(private=True))}),
        ("fapi2_dpop", {"profile": PROFILES["oauth2"], "dpop": None}),  # no proof
        ("fapi1_advanced", {"clock": lambda: clock() - dt.timedelta(minutes=5)}),  # an assertion of the past
        ("fapi1_advanced", {"client_id": "nobody"}),
    ],
    ids=["another key", "no proof", "the past", "nobody"],
)
def test_the_judge_refuses_what_is_wrong(judge: Judge, name: str, changes: dict[str, Any]) -> None:
    with pytest.raises(BankRefused):
        judge.client(name, **changes).own_token("payments", deadline=Deadline(20))


def test_the_judge_refuses_a_request_that_was_not_signed_or_not_pushed(judge: Judge) -> None:
    asked = {"redirect_uri": RETURN, "scope": "openid payments", "state": "s", "nonce": "n"}
    for name in ("fapi1_advanced", "fapi2_mtls"):
        client = judge.client(name, profile=PROFILES["oauth2"])
        url = client.authorise_url(client.server(deadline=Deadline(20)), asked, deadline=Deadline(20))
        answer = requests.get(url, allow_redirects=False, verify=judge.ca, timeout=10)
        there = answer.headers.get("Location", "")
        assert answer.status_code == 400 or "error=" in there, there
