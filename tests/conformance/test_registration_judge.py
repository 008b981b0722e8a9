"""`quittance bank register` against oidc-provider: it takes what we ask for, and the client that it makes works.

tests/judges/registration.mjs says what stands between the two, and why.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from app.cli import main
from app.keys.installation import Keys
from connectors.http import Deadline
from connectors.registry import Registry
from connectors.security import pkce, registration
from connectors.security.profiles import PROFILES, Answer, ClientAuth
from connectors.security.request_object import Expected, check_id_token, read_jarm
from tests.support.bank_keys import CLIENT, make_certificate
from tests.support.judges import CONSENT, RETURN, Judge, clock, request, running_judge

pytestmark = pytest.mark.judges

FILE = """
name = "Judge"
country = "GB"
standard = "openbanking_uk"
version = "4.0"
base_url = "URL/pisp"
issuer = "URL"
client_id = "not-yet"
profile = "PROFILE"
client_auth = "AUTH"
keys = "ours"
organisation_id = "0015800001041RHAAY"
software_id = "1p8bGrHhJRrphjFk0qwNAU"
"""
FAPI = [name for name in PROFILES if name.startswith("fapi")]


@pytest.fixture(autouse=True)
def books_in_order() -> None:
    """No database is asked here."""


@pytest.fixture(scope="module", params=FAPI)
def profile(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def judge(profile: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    with running_judge(tmp_path_factory.mktemp("judge"), registers=profile) as running:
        yield running


@dataclass
class Here:
    """An installation with the judge as its one bank."""

    folder: Path
    judge: Judge
    capsys: pytest.CaptureFixture[str]
    text: str

    def run(self, *arguments: str) -> tuple[int, str]:
        self.capsys.readouterr()
        status = main(["bank", *arguments])
        said = self.capsys.readouterr()
        return status, said.out + said.err

    def write(self, client_id: str = "not-yet") -> None:
        file = self.text.replace('"not-yet"', json.dumps(client_id))
        (self.folder / "banks" / "judge.toml").write_text(file)

    def register(
        self, *, directory: RSAKey | None = None, how: tuple[str, ...] = (), **changes: Any
    ) -> tuple[int, str]:
        statement = {
            "iss": "OpenBanking Ltd",
            "iat": int(clock().timestamp()),
            "software_id": "1p8bGrHhJRrphjFk0qwNAU",
            "org_id": "0015800001041RHAAY",
            "software_redirect_uris": [RETURN],
            **changes,
        }
        by = directory or self.judge.directory
        text = jwt.encode({"alg": "PS256", "kid": "directory"}, statement, by, algorithms=["PS256"])
        (self.folder / "statement.jwt").write_text(text)
        ssa = str(self.folder / "statement.jwt")
        return self.run("register", "judge", "--ssa", ssa, "--redirect-uri", RETURN, *how)

    def registered(self) -> str:
        """The client_id, which is then in the bank's file as the command says."""
        status, said = self.register()
        assert status == 0, said
        told = re.search(r'^client_id = "(.+)"$', said, re.MULTILINE)
        assert told is not None
        assert "registration_access_token" not in said
        self.write(told[1])
        return told[1]


@pytest.fixture
def make_here(
    tmp_path: Path, judge: Judge, profile: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], Here]:
    for name in list(os.environ):
        if name.startswith("QUITTANCE_") and not name.startswith("QUITTANCE_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("QUITTANCE_DATA", str(tmp_path))
    monkeypatch.setenv("QUITTANCE_BANKS", str(tmp_path / "banks"))
    monkeypatch.setenv("QUITTANCE_BASE_URL", "https://bills.example")
    keys = tmp_path / "bank-keys" / "ours"
    for folder in (tmp_path / "banks", keys):
        folder.mkdir(parents=True)
    Keys.init(tmp_path / "keys")
    (keys / "signing.json").write_text(json.dumps(judge.key.jwk.as_dict(private=True)))
    (keys / "signing.json").chmod(0o600)
    (keys / "ca.pem").write_bytes(Path(judge.ca).read_bytes())
    authority = load_pem_private_key((judge.folder / "authority.key").read_bytes(), None)
    assert isinstance(authority, ec.EllipticCurvePrivateKey)
    make_certificate(keys / "client", signer=authority, uses=CLIENT)

    def made(client_auth: str) -> Here:
        text = FILE.replace("URL", judge.issuer).replace("PROFILE", profile).replace("AUTH", client_auth)
        here = Here(tmp_path, judge, capsys, text)
        here.write()
        return here

    return made


def approved(here: Here, client_id: str) -> Mapping[str, Any]:
    """A customer says yes to a request of this client; what the token says that we get for the code."""
    banks = Registry.from_folder(
        here.folder / "banks",
        sandbox_bank_url=None,
        client_key=ECKey.generate_key("P-256").as_dict(private=True),
        allow_http=False,
        bank_keys=here.folder / "bank-keys",
    )
    client, deadline = banks.line("judge").oauth, Deadline(30)
    server = client.server(deadline=deadline)
    verifier, state, nonce = pkce.new_verifier(), secrets.token_urlsafe(16), secrets.token_urlsafe(16)
    asked = request(state=state, nonce=nonce, verifier=verifier)
    back = urlsplit(here.judge.visit(client.authorise_url(server, asked, deadline=deadline)))
    said: Mapping[str, str] = dict(parse_qsl(back.fragment or back.query))
    expected = Expected(issuer=here.judge.issuer, client_id=client_id, nonce=nonce, state=state, consent_id=CONSENT)
    keys = client.keys(server, deadline=deadline)
    if client.profile.answer is Answer.JWT:
        said = read_jarm(said["response"], keys=keys, expected=expected, now=clock())
    elif client.profile.answer is Answer.HYBRID:
        check_id_token(said["id_token"], code=said["code"], keys=keys, expected=expected, now=clock())
    token = client.exchange(
        server.token_endpoint, code=said["code"], code_verifier=verifier, redirect_uri=RETURN, deadline=deadline
    )
    return jwt.decode(token.access_token, keys, algorithms=["PS256"]).claims


def test_a_client_that_registered_gets_a_customers_token(make_here: Callable[[str], Here], profile: str) -> None:
    for client_auth in PROFILES[profile].client_auth:  # one client for each way to prove who we are
        here = make_here(client_auth)
        client_id = here.registered()
        status, said = here.run("check", "judge")
        assert status == 0, said
        claims = approved(here, client_id)
        assert claims["client_id"] == client_id
        assert "cnf" in claims


def test_a_certificate_that_was_not_registered_proves_nothing(make_here: Callable[[str], Here], profile: str) -> None:
    """The subject is written with the number that some banks want, which to this one is another subject."""
    if ClientAuth.TLS in PROFILES[profile].client_auth:
        here = make_here(ClientAuth.TLS)
        here.text += "[quirks]\nregistration_subject_by_oid = true\n"
        here.write()
        here.registered()
        status, said = here.run("check", "judge")
        assert status == 1
        assert "invalid_client" in said


def test_a_registration_is_shown_changed_and_deleted(make_here: Callable[[str], Here], profile: str) -> None:
    here = make_here("private_key_jwt")
    client_id = here.registered()
    status, said = here.run("register", "judge", "--show")
    shown = json.loads(said.split("\n\nIn judge.toml")[0])
    assert (status, shown["client_id"], shown["redirect_uris"]) == (0, client_id, [RETURN])
    assert shown["response_types"] == [PROFILES[profile].response_type]
    status, said = here.register(how=("--update",))
    assert (status, client_id in said) == (0, True), said
    assert here.run("register", "judge", "--delete") == (0, "Our registration there is gone.\n")
    status, said = here.run("check", "judge")
    assert status == 1
    assert "invalid_client" in said


def test_a_statement_that_is_not_the_directorys_is_refused(make_here: Callable[[str], Here]) -> None:
    other = RSAKey.generate_key(2048, {"kid": "directory"}, private=True)
    status, said = make_here("private_key_jwt").register(directory=other)
    assert status == 1
    assert "invalid_software_statement" in said


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"grant_types": ["password"]}, "grant_types"),
        ({"response_types": ["token"]}, "response_types"),
        ({"redirect_uris": []}, "redirect_uris"),
        ({"scope": "openid everything"}, "scope"),
        ({"token_endpoint_auth_method": "client_secret_basic"}, "token_endpoint_auth_method"),
        ({"request_object_signing_alg": "none"}, "request_object_signing_alg"),
        ({"id_token_signed_response_alg": "HS1"}, "id_token_signed_response_alg"),
    ],
    ids=str,
)
def test_the_judge_refuses_wrong_metadata(
    make_here: Callable[[str], Here], monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], told: str
) -> None:
    """These refusals are oidc-provider's own: what stands before it looks at none of them."""
    made = registration.claims
    monkeypatch.setattr(registration, "claims", lambda *args, **kwargs: {**made(*args, **kwargs), **changes})
    status, said = make_here("private_key_jwt").register()
    assert status == 1
    assert "invalid_client_metadata" in said or "invalid_redirect_uri" in said, said
    assert told in said


def test_nobody_registers_without_a_statement(judge: Judge) -> None:
    answer = requests.post(f"{judge.issuer}/register", json={"redirect_uris": [RETURN]}, verify=judge.ca, timeout=10)
    assert (answer.status_code, answer.json()["error_description"]) == (400, "it must be application/jwt")
