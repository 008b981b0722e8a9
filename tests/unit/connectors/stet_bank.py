"""A STET bank that says what a test tells it to, for answers that no sandbox bank gives."""

from __future__ import annotations

import datetime as dt
from functools import cache
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey
from werkzeug.wrappers import Request, Response

from connectors.http import BankSession
from connectors.registry import Registry
from connectors.sandbox_bank import authority
from connectors.sandbox_bank.authority import Tpp
from tests.support.wsgi_adapter import WSGIAdapter
from tests.unit.connectors.bank import Answer, json_answer, token

API, LOGIN = "https://api.bank.test/stet/v1", "https://login.bank.test"
NUMBER = "PSDFR-ACPR-000000"
NOON = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)
PAYMENT = "/payment-requests/pay-1"
FILE = f"""
name = "Banque de tests"
country = "FR"
standard = "stet"
base_url = "{API}"
issuer = "{LOGIN}"
token_endpoint = "{LOGIN}/token"
client_id = "{NUMBER}"
keys = "ours"
seal_url = "https://quittance.example/seal.pem"
"""
KEY = ECKey.generate_key("P-256").as_dict(private=True)


@cache
def _made(folder: Path) -> dict[str, bytes]:
    authority.make(folder / "made", tpp=Tpp.sealed(NUMBER), clock=lambda: NOON)
    return {path.name: path.read_bytes() for path in (folder / "made").iterdir()}


def make_keys(folder: Path) -> None:
    """Ours, as an operator has them; made once for all tests of a process."""
    folder.mkdir(parents=True)
    for name, content in _made(folder.parents[2]).items():
        (folder / name).write_bytes(content)


def created(**changes: Any) -> Answer:
    headers = {"Location": f"{API}{PAYMENT}", **changes.pop("headers", {})}
    body = {
        "appliedAuthenticationApproach": "REDIRECT",
        "_links": {"consentApproval": {"href": f"{LOGIN}/approve/pay-1"}},
        **changes,
    }
    kept = {name: value for name, value in headers.items() if value is not None}
    return json_answer({name: value for name, value in body.items() if value is not None}, status=201, headers=kept)


def payment(word: object = "RCVD", *, confirmation: object = None, **changes: Any) -> Answer:
    request = {
        "resourceId": "pay-1",
        "paymentInformationStatus": word,
        "creditTransferTransaction": [{"paymentId": {"endToEndId": "QUI-1"}}],
        **changes,
    }
    links: dict[str, Any] = {"self": {"href": f"{API}{PAYMENT}"}}
    if confirmation is not None:
        links["confirmation"] = confirmation if isinstance(confirmation, dict) else {"href": confirmation}
    kept = {name: value for name, value in request.items() if value is not None}
    return json_answer({"paymentRequest": kept, "_links": links})


def error(status: int, **changes: Any) -> Answer:
    body = {"timestamp": "2026-11-22T12:00:00.000Z", "status": status, "error": "No", "message": "no", "path": "/x"}
    return json_answer({**body, **changes}, status=status)


class ScriptedStetBank:
    """``answers`` maps ``POST /payment-requests`` and the like to the answers that it gives one after the other; the
    last one goes on. It plays X-Request-ID back, where ``echoes``."""

    def __init__(
        self, folder: Path, *, file: str = FILE, echoes: bool = True, **answers: Answer | list[Answer]
    ) -> None:
        self.now = NOON
        self.requests: list[Request] = []
        self.echoes = echoes
        names = {
            "create": ("POST", "/payment-requests"),
            "get": ("GET", PAYMENT),
            "put": ("PUT", PAYMENT),
            "confirm": ("POST", f"{PAYMENT}/confirmation"),
        }
        given = {names[name]: list(a) if isinstance(a, list) else [a] for name, a in answers.items()}
        self._answers = {("POST", "/token"): [token(expires_in=300)], **given}
        (folder / "tested.toml").write_text(file)
        make_keys(folder / "keys" / "ours")
        self.adapter = WSGIAdapter(Request.application(self._answer))
        self.registry = Registry.from_folder(
            folder,
            sandbox_bank_url=None,
            client_key=KEY,
            allow_http=False,
            session_factory=lambda _: self._session(),
            clock=lambda: self.now,
            bank_keys=folder / "keys",
        )
        self.connector = self.registry.connector("tested")

    def calls(self) -> list[str]:
        return [f"{one.method} {one.path.removeprefix('/stet/v1')}" for one in self.requests if one.path != "/token"]

    def _session(self) -> BankSession:
        session = BankSession()
        session.mount("https://", self.adapter)
        return session

    def _answer(self, request: Request) -> Response:
        request.get_data()
        self.requests.append(request)
        answers = self._answers[request.method, request.path.removeprefix("/stet/v1")]
        answer = (answers.pop(0) if len(answers) > 1 else answers[0])(request)
        if self.echoes and "X-Request-ID" in request.headers:
            answer.headers.setdefault("X-Request-ID", request.headers["X-Request-ID"])
        return answer
