"""A push service on 127.0.0.1, over TLS, and the browsers that it knows: in the place of Google's or Mozilla's.

Of our own, as small as it may be, and written from the receiver's side of the standards alone (RFC 8030, 8188, 8291,
8292): it checks who sends, keeps what it took and opens it as the browser would. It can say no, and worse.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import json
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey

from connectors.sandbox_bank import authority

TTL_MOST_S = 28 * 24 * 3600


def text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def value(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Subscriber:
    """One browser that somebody subscribed: the key pair and the secret of which it tells the public part."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.auth = secrets.token_bytes(16)

    @property
    def p256dh(self) -> bytes:
        return self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    @property
    def private_key(self) -> str:
        return text(self._key.private_numbers().private_value.to_bytes(32, "big"))

    def as_json(self) -> dict[str, Any]:
        """What ``PushSubscription.toJSON()`` gives."""
        keys = {"p256dh": text(self.p256dh), "auth": text(self.auth)}
        return {"endpoint": self.endpoint, "expirationTime": None, "keys": keys}

    def open(self, body: bytes) -> bytes:
        """As the receiver does it: RFC 8188 §2.1 and RFC 8291 §3.4. Raises when it is not for this one."""
        salt, size, length = body[:16], int.from_bytes(body[16:20], "big"), body[20]
        sender, record = body[21 : 21 + length], body[21 + length :]
        assert length == 65
        assert len(record) <= size <= 4096  # it is one record, and the last
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
        about = b"WebPush: info\x00" + self.p256dh + sender
        secret = HKDF(SHA256(), 32, self.auth, about).derive(self._key.exchange(ec.ECDH(), public))
        key = HKDF(SHA256(), 16, salt, b"Content-Encoding: aes128gcm\x00").derive(secret)
        nonce = HKDF(SHA256(), 12, salt, b"Content-Encoding: nonce\x00").derive(secret)
        padded = AESGCM(key).decrypt(nonce, record, None).rstrip(b"\x00")
        assert padded.endswith(b"\x02")
        return padded[:-1]


@dataclass
class Pushed:
    """One message that was taken."""

    endpoint: str
    headers: dict[str, str]
    body: bytes
    text: bytes

    @property
    def shown(self) -> dict[str, str]:
        """What the worker of the page is given."""
        said: dict[str, str] = json.loads(self.text)
        return said

    @property
    def ttl_s(self) -> int:
        return int(self.headers["ttl"])


@dataclass
class PushService:
    """``to_push``: what it answers there instead of 201, the next one first, with headers or without; 0: it hangs up.
    ``asked``: how often it was asked at all. ``key``: by whom it lets itself be sent to."""

    url: str
    key: str = ""
    subscribers: dict[str, Subscriber] = field(default_factory=dict)
    taken: list[Pushed] = field(default_factory=list)
    to_push: list[int | tuple[int, dict[str, str]]] = field(default_factory=list)
    asked: int = 0
    before_201: Callable[[], None] = lambda: None  #: it has the message, and has not said so
    wrong: list[str] = field(default_factory=list)  #: what was not as the standards want it
    clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)

    def subscribe(self) -> Subscriber:
        made = Subscriber(f"{self.url}/push/{secrets.token_urlsafe(24)}")
        self.subscribers[made.endpoint] = made
        return made

    def take(self, endpoint: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str]]:
        """What it answers."""
        self.asked += 1
        if self.to_push:
            said = self.to_push.pop(0)
            return said if isinstance(said, tuple) else (said, {})
        subscriber = self.subscribers.get(endpoint)
        if subscriber is None:
            return 410, {}
        if wrong := self._wrong(headers, body):
            self.wrong.append(wrong)
            return 400, {}
        self.taken.append(Pushed(endpoint, headers, body, subscriber.open(body)))
        self.before_201()
        return 201, {"Location": f"{self.url}/message/{len(self.taken)}"}

    def _wrong(self, headers: dict[str, str], body: bytes) -> str:
        if headers.get("content-encoding") != "aes128gcm" or len(body) > 4096:
            return "not sealed, or too long"
        if not headers.get("ttl", "").isdigit() or int(headers["ttl"]) > TTL_MOST_S:
            return "no time to live"
        if headers.get("urgency") not in ("very-low", "low", "normal", "high"):
            return "no urgency"
        return self._wrong_sender(headers.get("authorization", ""))

    def _wrong_sender(self, authorization: str) -> str:
        """RFC 8292 §3 and §4."""
        scheme, _, rest = authorization.partition(" ")
        parts = dict(part.strip().split("=", 1) for part in rest.split(","))
        if scheme != "vapid" or parts.keys() != {"t", "k"}:
            return "nobody said who they are"
        if parts["k"] != self.key:
            return "not by whom it lets itself be sent to"
        raw = value(parts["k"])
        public = ECKey.import_key({"kty": "EC", "crv": "P-256", "x": text(raw[1:33]), "y": text(raw[33:])})
        claims = jwt.decode(parts["t"], public, algorithms=["ES256"]).claims
        if claims["aud"] != self.url:
            return f"for {claims['aud']}"
        if not 0 < claims["exp"] - self.clock().timestamp() <= 24 * 3600:
            return "its token is over, or good for too long"
        if not claims["sub"].startswith(("mailto:", "https://", "http://localhost")):
            return "nobody to write to"
        return ""


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """A client that does not believe the certificate hangs up: that is its right."""


@contextlib.contextmanager
def serve_push(folder: Path | None) -> Iterator[PushService]:
    """One with a certificate for 127.0.0.1 of the authority in ``folder`` (``ca.pem`` there); None: without TLS, as the
    demo allows it on this machine."""
    service = PushService("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): said for name, said in self.headers.items()}
            code, more = service.take(f"{service.url}{self.path}", headers, body)
            if code == 0:
                self.close_connection = True
                return
            self.send_response(code)
            for name, said in {"Content-Length": "0", **more}.items():
                self.send_header(name, said)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = _Server(("127.0.0.1", 0), Handler)
    if folder is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(folder / authority.SERVER, folder / authority.SERVER_KEY)
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    service.url = f"{'http' if folder is None else 'https'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def wait_for(what: Callable[[], bool], *, within_s: float = 20) -> None:
    """Raises AssertionError when it does not come."""
    deadline = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextlib.contextmanager
def talking(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does on each connection what ``answer`` does, and nothing else. Yields its address, without TLS."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)

        def serve() -> None:
            while not over.is_set():
                with contextlib.suppress(OSError):
                    connection, _ = listening.accept()
                    with connection, contextlib.suppress(OSError):
                        answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/push/slow"
        over.set()
        thread.join(5)
