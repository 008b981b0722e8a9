"""``python -m tests.bench.sign_call``: how much of the CPU of one bank call goes into signatures.

The call is the real one: a consent, signed, sent through the connector, its wire and requests, over mutual TLS, to a
bank in another process on 127.0.0.1, whose signed answer is verified. The connection is kept, as with a bank: its
handshake is not in the figures, and would only make the shares smaller. PS256 is what UK banks want; ES256 is what the
same call would cost with it, every check included. The shares are of one run and say more about another machine than
times do. Ends with 1 where a share is above its target.
"""
# ruff: noqa: T201  # its output is for a person

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import multiprocessing
import ssl
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey, RSAKey
from typing_extensions import override

from connectors.contract import PsuContext
from connectors.http import BankSession
from connectors.openbanking_uk.connector import OpenBankingUkConnector
from connectors.openbanking_uk.messages import Dialect
from connectors.profile import BankProfile
from connectors.sandbox_bank import authority
from connectors.security import detached_jws
from connectors.security.detached_jws import Signer, Verifier
from connectors.security.oauth_client import OAuthClient
from connectors.security.private_key_jwt import ClientKey
from tests.support.openbanking_uk import order

#: of the call's CPU, in %
TARGETS = {"PS256": 40, "ES256": 15}
WARM_UP = 50
ECDSA_SHA256 = ECDSA(SHA256())
PSU = PsuContext(ip_address="203.0.113.7", user_agent="a browser")
CONSENT = {"Data": {"ConsentId": "c-1", "Status": "AWAU"}, "Links": {}, "Meta": {}}


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


# --------------------------------------------------------------------------------------------- signatures, with a watch


class Watch:
    """Seconds of this thread's CPU spent inside it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        begun = time.thread_time()
        yield
        self.seconds += time.thread_time() - begun


class Watched:
    """A signer and a verifier whose CPU is counted."""

    def __init__(self, signer: Any, verifier: Any, watch: Watch) -> None:
        self._signer, self._verifier, self._watch = signer, verifier, watch

    def sign(self, body: bytes, *, now: dt.datetime) -> str:
        with self._watch.running():
            return str(self._signer.sign(body, now=now))

    def verify(self, signature: str | None, body: bytes, *, now: dt.datetime) -> None:
        with self._watch.running():
            self._verifier.verify(signature, body, now=now)


def make_es256(native: EllipticCurvePrivateKey, signed: bytes) -> bytes:
    """RFC 7518 §3.4: both numbers side by side, where the library has them in ASN.1."""
    r, s = decode_dss_signature(native.sign(signed, ECDSA_SHA256))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def verifies_es256(native: EllipticCurvePublicKey, signed: bytes, made: bytes) -> bool:
    if len(made) != 64:
        return False
    numbers = encode_dss_signature(int.from_bytes(made[:32], "big"), int.from_bytes(made[32:], "big"))
    try:
        native.verify(numbers, signed, ECDSA_SHA256)
    except InvalidSignature:
        return False
    return True


def pair(key: Any, algorithm: str) -> tuple[Signer, Verifier]:
    """Who signs with the key, and who verifies; both keep it as it is needed.

    In this process they take this algorithm from now on. Nothing but this measurement may choose one: they have no
    switch for it, and no UK bank takes another for messages.
    """
    detached_jws.ALGORITHM = algorithm
    detached_jws._around_the_time.cache_clear()
    if algorithm == "ES256":
        detached_jws._make, detached_jws._verifies = make_es256, verifies_es256  # type: ignore[assignment]
    public = type(key).import_key(key.as_dict(private=False))
    signer = Signer(key=key, kid="k-1", issuer="org/software")
    return signer, Verifier(key_of={"k-1": public}.get, issuers=frozenset({"org/software"}))


# ------------------------------------------------------------------------------------------------------------- the bank


def serve(jwk: dict[str, Any], algorithm: str, port: Connection, certificates: Path) -> None:
    """The bank, in a process of its own, so that its CPU is not ours. It serves who has a certificate."""
    key = RSAKey.import_key(jwk) if algorithm == "PS256" else ECKey.import_key(jwk)
    signer, _ = pair(key, algorithm)

    class Bank(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _tell(self, said: Any, *, signed: bool) -> None:
            body = json.dumps(said).encode()
            self.send_response(201 if signed else 200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "application/json")
            if signed:
                self.send_header("x-jws-signature", signer.sign(body, now=now()))
                self.send_header("x-fapi-interaction-id", self.headers["x-fapi-interaction-id"])
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            issuer = f"https://{self.headers['Host']}"
            places = {"authorization_endpoint": f"{issuer}/authorize", "token_endpoint": f"{issuer}/token"}
            self._tell({"issuer": issuer, **places}, signed=False)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/token":
                self._tell({"access_token": "t0ken", "token_type": "Bearer", "expires_in": 3600}, signed=False)
            else:
                self._tell(CONSENT, signed=True)

        @override
        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: it is not what is measured."""

    server = HTTPServer(("127.0.0.1", 0), Bank)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates / authority.CA)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificates / authority.SERVER, certificates / authority.SERVER_KEY)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    port.send(server.server_port)
    server.serve_forever()


@contextlib.contextmanager
def running_bank(key: RSAKey | ECKey, algorithm: str, certificates: Path) -> Iterator[str]:
    context = multiprocessing.get_context("spawn")
    ours, its = context.Pipe()
    process = context.Process(target=serve, args=(key.as_dict(private=True), algorithm, its, certificates), daemon=True)
    process.start()
    try:
        yield f"https://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()


# ------------------------------------------------------------------------------------------------------------ measuring


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Seconds of CPU for one call."""

    call_s: float
    signatures_s: float

    @property
    def share(self) -> float:
        return self.signatures_s / self.call_s


def measure(algorithm: str, *, calls: int) -> Measured:
    key = RSAKey.generate_key(2048, private=True) if algorithm == "PS256" else ECKey.generate_key("P-256", private=True)
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder, running_bank(key, algorithm, made(Path(folder))) as url:
        bank = connector(url, Watched(*pair(key, algorithm), watch), Path(folder))
        requests = [bank.draft(order(), request_id=str(uuid.uuid4()), redirect_uri=url) for _ in range(WARM_UP + calls)]
        for request in requests[:WARM_UP]:
            bank.initiate(request, psu=PSU, timeout_s=10)
        watch.seconds = 0.0
        begun = time.process_time()
        for request in requests[WARM_UP:]:
            bank.initiate(request, psu=PSU, timeout_s=10)
        return Measured(call_s=(time.process_time() - begun) / calls, signatures_s=watch.seconds / calls)


def made(certificates: Path) -> Path:
    authority.make(certificates)
    return certificates


def connector(url: str, watched: Any, certificates: Path) -> OpenBankingUkConnector:
    profile = BankProfile(
        id="bench",
        name="Bench",
        country="GB",
        standard="openbanking_uk",
        base_url=url,
        issuer=url,
        client_id="quittance",
        currencies=("GBP",),
        authorisation_minutes=15,
        poll_s=(60,),
        status_calls_per_minute=600,
        sandbox=False,
    )
    session = BankSession(
        verify=str(certificates / authority.CA),
        certificate=(str(certificates / authority.CLIENT), str(certificates / authority.CLIENT_KEY)),
    )
    key = ClientKey(ECKey.generate_key("P-256", {"kid": "c-1"}, private=True).as_dict(private=True))
    oauth = OAuthClient(session, issuer=url, client_id="quittance", key=key, allow_http=False, clock=now)
    return OpenBankingUkConnector(
        profile, session=session, oauth=oauth, signer=watched, verifier=watched, dialect=Dialect(), clock=now
    )


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.sign_call", description=__doc__)
    parser.add_argument("--calls", type=int, default=500)
    calls = parser.parse_args(arguments).calls
    measured = {algorithm: measure(algorithm, calls=calls) for algorithm in TARGETS}
    for algorithm, one in measured.items():
        print(
            f"{algorithm}: one call {one.call_s * 1000:.2f} ms of CPU, its signatures {one.signatures_s * 1000:.2f} ms;"
            f" target at most {TARGETS[algorithm]} %"
        )
    print(
        "sign_call: "
        + " ".join(f"{algorithm} {one.share:.0%}".replace("%", " %") for algorithm, one in measured.items())
    )
    return 1 if any(one.share * 100 > TARGETS[algorithm] for algorithm, one in measured.items()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
