"""A bank that says what a test tells it to, for answers that no sandbox bank gives."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey
from werkzeug.wrappers import Request, Response

from connectors.http import BankSession
from connectors.registry import Registry
from tests.support.wsgi_adapter import WSGIAdapter

ISSUER = "https://login.bank.test"
API = "https://api.bank.test/psd2"
NOON = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)
KEY = ECKey.generate_key("P-256", {"kid": "one"})
PROFILE = f"""
name = "Bank of Tests"
country = "DE"
standard = "berlin_group"
base_url = "{API}"
issuer = "{ISSUER}"
client_id = "quittance"
"""

Answer = Callable[[Request], Response]


def json_answer(body: object, *, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    return lambda _: Response(json.dumps(body), status=status, headers=headers, content_type="application/json")


def metadata(**changes: Any) -> Answer:
    body = {
        "issuer": ISSUER,
        "authorization_endpoint": f"{ISSUER}/authorize",
        "token_endpoint": f"{ISSUER}/token",
        "authorization_response_iss_parameter_supported": True,
        **changes,
    }
    return json_answer(body)


def token(value: str = "our-token", **changes: Any) -> Answer:
    return json_answer({"access_token": value, "token_type": "Bearer", "expires_in": 300, **changes})


class ScriptedBank:
    """``answers`` maps a path to the answers that it gives one after the other; the last one goes on."""

    def __init__(self, folder: Path, *, profile: str = PROFILE, **answers: Answer | list[Answer]) -> None:
        self.now = NOON
        self.requests: list[Request] = []
        paths = {
            "metadata": "/.well-known/oauth-authorization-server",
            "token": "/token",
            "initiation": "/psd2/v1/payments/sepa-credit-transfers",
            "payment": "/psd2/v1/payments/sepa-credit-transfers/pay-1",
            "status": "/psd2/v1/payments/sepa-credit-transfers/pay-1/status",
        }
        given: dict[str, Answer | list[Answer]] = {"metadata": metadata(), "token": token(), **answers}
        self._answers = {paths[name]: list(a) if isinstance(a, list) else [a] for name, a in given.items()}
        (folder / "tested.toml").write_text(profile)
        self.adapter = WSGIAdapter(Request.application(self._answer))
        self.registry = Registry.from_folder(
            folder,
            sandbox_bank_url=None,
            client_key=KEY.as_dict(private=True),
            allow_http=False,
            session_factory=lambda _: self._session(),
            clock=lambda: self.now,
        )
        self.connector = self.registry.connector("tested")

    def calls(self, path_end: str) -> list[Request]:
        return [request for request in self.requests if request.path.endswith(path_end)]

    def _session(self) -> BankSession:
        session = BankSession()
        session.mount("https://", self.adapter)
        return session

    def _answer(self, request: Request) -> Response:
        request.get_data()
        self.requests.append(request)
        answers = self._answers[request.path]
        return (answers.pop(0) if len(answers) > 1 else answers[0])(request)
