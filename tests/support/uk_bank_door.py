"""A UK bank's authorization server on a real TLS socket, which a test makes wrong in one thing at a time."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from joserfc.jwk import RSAKey
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from tests.support.bank_keys import SERVER, make_bank_keys, make_certificate

BANK_KEY = RSAKey.generate_key(2048, {"kid": "bank-1", "use": "sig"}, private=True)
Answer = Callable[[Request], Response]


def json_answer(body: object, *, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    return lambda _: Response(json.dumps(body), status=status, headers=headers, content_type="application/json")


@dataclass
class Door:
    """``metadata`` may be changed; ``answers`` are by path, and any of them replaced. ``requests`` is what came."""

    folder: Path  #: of our keys for it
    url: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def open_at(self, url: str) -> None:
        self.url = url
        self.metadata = {
            "issuer": url,
            "authorization_endpoint": f"{url}/authorize",
            "token_endpoint": f"{url}/token",
            "jwks_uri": f"{url}/jwks",
            "pushed_authorization_request_endpoint": f"{url}/par",
            "registration_endpoint": f"{url}/register",
            "token_endpoint_auth_methods_supported": ["private_key_jwt", "tls_client_auth"],
            "token_endpoint_auth_signing_alg_values_supported": ["PS256"],
            "request_object_signing_alg_values_supported": ["PS256"],
            "id_token_signing_alg_values_supported": ["PS256"],
            "response_types_supported": ["code", "code id_token"],
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": ["openid", "payments", "accounts"],
        }
        self.answers = {
            "/.well-known/openid-configuration": lambda _: json_answer(self.metadata)(_),
            "/jwks": json_answer({"keys": [BANK_KEY.as_dict(private=False)]}),
            "/token": json_answer({"access_token": "s3cret-t0ken", "token_type": "Bearer", "expires_in": 300}),
        }

    def __call__(self, request: Request) -> Response:
        request.get_data()
        self.requests.append(request)
        answer = self.answers.get(request.path)
        return answer(request) if answer else Response("nothing here", status=404)


@contextlib.contextmanager
def open_door(folder: Path, *, ours: float = 365, begins: float = -1, ends: float = 365) -> Iterator[Door]:
    """``folder`` gets our keys for it. ``ours``: the end of our certificate, the others are of its own; in days."""
    authority = make_bank_keys(folder, days=ours)
    make_certificate(folder.parent / "server", signer=authority, uses=SERVER, begins=begins, ends=ends)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder.parent / "server.pem", folder.parent / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(folder / "ca.pem")
    door = Door(folder)
    bank = make_server(
        "127.0.0.1",
        0,
        Request.application(door),
        threaded=True,
        ssl_context=context,
        request_handler=_Quiet,
    )
    door.open_at(f"https://127.0.0.1:{bank.port}")
    thread = threading.Thread(target=bank.serve_forever)
    thread.start()
    try:
        yield door
    finally:
        bank.shutdown()
        thread.join()
        bank.server_close()


class _Quiet(WSGIRequestHandler):
    def log(self, *_: object, **__: object) -> None:
        """Nobody reads it."""
