"""A bank in this process that says and signs what a test tells it to, and the UK connector in front of it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable
from typing import Any

from joserfc.jwk import ECKey, RSAKey
from werkzeug.wrappers import Request, Response

from connectors.capabilities import RecurringKind
from connectors.contract import PsuContext
from connectors.http import BankSession
from connectors.openbanking_uk.connector import OpenBankingUkConnector
from connectors.openbanking_uk.messages import Dialect
from connectors.profile import BankProfile
from connectors.security.detached_jws import Signer, Verifier
from connectors.security.oauth_client import OAuthClient
from connectors.security.private_key_jwt import ClientKey
from tests.support.wsgi_adapter import WSGIAdapter

NOW = dt.datetime(2026, 11, 23, 11, 0, tzinfo=dt.UTC)
TOMORROW = NOW.date() + dt.timedelta(days=1)
BANK_KEY = RSAKey.generate_key(2048, {"kid": "bank-1"}, private=True)
BANK_EC_KEY = ECKey.generate_key("P-256", {"kid": "bank-2"}, private=True)
OUR_KEY = RSAKey.generate_key(2048, {"kid": "ours-1"}, private=True)
CLIENT_KEY = ClientKey(ECKey.generate_key("P-256", {"kid": "c-1"}, private=True).as_dict(private=True))
BANK = Signer(key=BANK_KEY, kid="bank-1", issuer="bank-org")
OURS = Verifier(key_of={"ours-1": OUR_KEY}.get, issuers=frozenset({"org/software"}))
ISSUER = "https://login.bank.test"
BASE = "/open-banking/v4.0/pisp"
PSU = PsuContext(ip_address="203.0.113.7", user_agent="a browser")
KEY = "5c2fb8a4-6f8e-4a2b-9a52-0b1a5f2f0a11"

Answer = Callable[[Request], Response]


def told(data: Any, status: int = 200) -> Response:
    return Response(json.dumps({"Data": data}), status=status, content_type="application/json")


def said_no(code: str, status: int = 400) -> Response:
    return Response(json.dumps({"Errors": [{"ErrorCode": code}]}), status=status, content_type="application/json")


class UkBank:
    """``answers``: "METHOD /path" → what it answers, one after the other; the last one goes on."""

    def __init__(
        self,
        *,
        base: str = BASE,
        dialect: Dialect | None = None,
        kinds: Iterable[RecurringKind] = tuple(RecurringKind),
        **changes: Any,
    ) -> None:
        self.requests: list[Request] = []
        self.answers: dict[str, list[Response]] = {}
        self.signs = True
        self.tokens = 0
        self.token_answers: list[Response] = []  #: each is given once, before tokens of our own
        self.token_requests: list[Request] = []  #: what they were given to
        self.asked_for_keys = 0
        self.published = [key.as_dict(private=False) for key in (BANK_KEY, BANK_EC_KEY)]
        profile = BankProfile(
            id="tested",
            name="Tested",
            country="GB",
            standard="openbanking_uk",
            base_url=f"https://api.bank.test{base}",
            issuer=ISSUER,
            client_id="quittance",
            currencies=("GBP",),
            authorisation_minutes=15,
            poll_s=(60,),
            status_calls_per_minute=600,
            sandbox=False,
            recurring=tuple(kinds),
        )
        session = BankSession()
        self.adapter = WSGIAdapter(Request.application(self._answer))
        session.mount("https://", self.adapter)
        oauth = OAuthClient(
            session,
            issuer=ISSUER,
            client_id="quittance",
            key=CLIENT_KEY,
            allow_http=False,
            clock=lambda: NOW,
            origins=frozenset({"api.bank.test"}),
        )
        usual: dict[str, Any] = {
            "session": session,
            "oauth": oauth,
            "signer": Signer(key=OUR_KEY, kid="ours-1", issuer="org/software"),
            "verifier": Verifier(key_of={"bank-1": BANK_KEY}.get, issuers=frozenset({"bank-org"})),
            "dialect": dialect or Dialect(),
            "clock": lambda: NOW,
        }
        self.connector = OpenBankingUkConnector(profile, **{**usual, **changes})

    def gives(self, call: str, *answers: Response) -> None:
        self.answers[call] = list(answers)

    def _answer(self, request: Request) -> Response:
        request.get_data()
        if request.path.startswith("/.well-known/"):
            return Response(
                json.dumps(
                    {
                        "issuer": ISSUER,
                        "authorization_endpoint": f"{ISSUER}/authorize",
                        "token_endpoint": f"{ISSUER}/token",
                        "jwks_uri": f"{ISSUER}/jwks",
                    }
                )
            )
        if request.path == "/jwks":
            self.asked_for_keys += 1
            return Response(json.dumps({"keys": self.published}), status=200 if self.published else 503)
        if request.path == "/token":
            self.tokens += 1
            if self.token_answers:
                self.token_requests.append(request)
                return self.token_answers.pop(0)
            token = {"access_token": f"own-{self.tokens}", "token_type": "Bearer", "expires_in": 300}
            return Response(json.dumps(token))
        self.requests.append(request)
        answers = self.answers[f"{request.method} {request.path.removeprefix(BASE)}"]
        response = answers.pop(0) if len(answers) > 1 else answers[0]
        response.headers["x-fapi-interaction-id"] = request.headers["x-fapi-interaction-id"]
        if self.signs and response.status_code < 300:
            response.headers["x-jws-signature"] = BANK.sign(response.get_data(), now=NOW)
        return response
