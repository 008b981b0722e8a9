"""Our client of each security profile, judged by an authorization server that we did not write (npm oidc-provider)."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from connectors.errors import BankRefused
from connectors.http import BankSession, Deadline
from connectors.security import pkce
from connectors.security.dpop import DPoP
from connectors.security.oauth_client import OAuthClient
from connectors.security.private_key_jwt import ClientKey
from connectors.security.profiles import PROFILES, Answer, Binding
from connectors.security.request_object import Expected, NotBelieved, check_id_token, read_jarm

JUDGES = Path(__file__).parent.parent / "judges"
MODULES = Path(os.environ.get("QUITTANCE_TEST_JUDGES", JUDGES / "node_modules"))
NODE = os.environ.get("QUITTANCE_TEST_NODE") or shutil.which("node") or "node"
RETURN = "https://127.0.0.1:1/banks/judge/return"
CONSENT = "consent-1"
FAPI = [name for name in PROFILES if name.startswith("fapi")]


def clock() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def certificate(
    folder: Path, name: str, *, signer: ec.EllipticCurvePrivateKey | None = None
) -> ec.EllipticCurvePrivateKey:
    """``name``.pem and ``name``.key; without a signer it signs itself, as an authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(clock() - dt.timedelta(days=1))
        .not_valid_after(clock() + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
    )
    made = builder.sign(signer or key, hashes.SHA256())
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return key


class Judge:
    """The server, and everything that a client of it needs."""

    def __init__(self, folder: Path, port: int, key: RSAKey) -> None:
        self.issuer = f"https://127.0.0.1:{port}"
        self.ca = str(folder / "authority.pem")
        self.ours = (str(folder / "client.pem"), str(folder / "client.key"))
        self.key = ClientKey(key.as_dict(private=True))

    def client(self, name: str, **changes: Any) -> OAuthClient:
        profile = PROFILES[name]
        bound = profile.binding
        usual: dict[str, Any] = {
            "issuer": self.issuer,
            "client_id": name,
            "key": self.key,
            "allow_http": False,
            "clock": clock,
            "profile": profile,
            "dpop": DPoP(ECKey.generate_key("P-256", private=True)) if bound is Binding.DPOP else None,
            "openid": True,
        }
        session = BankSession(verify=self.ca, certificate=self.ours if bound is Binding.MTLS else None)
        return OAuthClient(session, **{**usual, **changes})

    def visit(self, url: str) -> str:
        """A browser follows the address, signs in and consents; where it comes back to."""
        browser = requests.Session()
        browser.trust_env = False
        for _ in range(12):
            answer = browser.get(url, allow_redirects=False, verify=self.ca, timeout=10)
            assert answer.status_code in (302, 303), (answer.status_code, answer.text)
            url = urljoin(url, answer.headers["Location"])
            if url.startswith(RETURN):
                return url
        raise AssertionError("it never came back")


def free_port() -> int:
    with socket.socket() as there:
        there.bind(("127.0.0.1", 0))
        return int(there.getsockname()[1])


@pytest.fixture(scope="module", params=["", "nonce"], ids=["no nonce", "nonce"])
def judge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    folder = tmp_path_factory.mktemp("judge")
    authority = certificate(folder, "authority")
    for name in ("server", "client"):
        certificate(folder, name, signer=authority)
    key = RSAKey.generate_key(2048, {"kid": "ours-1", "use": "sig", "alg": "PS256"}, private=True)
    (folder / "client.jwks").write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    program = folder / "authorization_server.mjs"
    shutil.copy(JUDGES / program.name, program)  # node looks for packages beside the file
    (folder / "node_modules").symlink_to(MODULES)
    port = free_port()
    with subprocess.Popen(
        [NODE, str(program), str(folder), str(port), request.param], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            assert any("ready" in line for line in server.stdout), "the judge did not start: run `make test`"
            yield Judge(folder, port, key)
        finally:
            server.terminate()


@pytest.mark.parametrize("name", FAPI)
def test_a_customer_approves_and_the_code_becomes_a_token(judge: Judge, name: str) -> None:
    profile, client = PROFILES[name], judge.client(name)
    deadline = Deadline(20)
    server = client.server(deadline=deadline)
    verifier, state, nonce = pkce.new_verifier(), secrets.token_urlsafe(16), secrets.token_urlsafe(16)
    asked = {
        "redirect_uri": RETURN,
        "scope": "openid payments",
        "state": state,
        "nonce": nonce,
        "claims": {"id_token": {"openbanking_intent_id": {"value": CONSENT, "essential": True}}},
        "code_challenge": pkce.challenge(verifier),
        "code_challenge_method": "S256",
    }
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
