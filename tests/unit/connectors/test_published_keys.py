"""The keys that a bank signs with: read when they are needed, believed for a while; their silence is no "not sent"."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey
from werkzeug.wrappers import Request, Response

from connectors.errors import BankSilent
from connectors.http import BankSession
from connectors.security.oauth_client import OAuthClient
from connectors.security.private_key_jwt import ClientKey
from connectors.security.published_keys import LIFETIME, PAUSE, PublishedKeys
from tests.support.wsgi_adapter import WSGIAdapter

ISSUER = "https://login.bank.test"
ONE, TWO = (RSAKey.generate_key(2048, {"kid": kid}, private=True) for kid in ("one", "two"))
EC = ECKey.generate_key("P-256", {"kid": "ec"}, private=True)
SECOND = dt.timedelta(seconds=1)


class Bank:
    def __init__(self) -> None:
        self.now = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)
        self.published: list[Any] = [ONE]
        self.status = 200
        self.read = 0
        self.while_reading: Callable[[], None] = lambda: None
        session = BankSession()
        session.mount("https://", WSGIAdapter(Request.application(self._answer)))
        oauth = OAuthClient(
            session,
            issuer=ISSUER,
            client_id="quittance",
            key=ClientKey(EC.as_dict(private=True)),
            allow_http=False,
            clock=lambda: self.now,
        )
        self.oauth = oauth
        self.key_of = PublishedKeys(oauth, clock=lambda: self.now)

    def rest(self, rest: dt.timedelta) -> None:
        self.key_of = PublishedKeys(self.oauth, clock=lambda: self.now, rest=rest)

    def _answer(self, request: Request) -> Response:
        if request.path != "/jwks":
            said: Any = {name: f"{ISSUER}/{name}" for name in ("authorization_endpoint", "token_endpoint")}
            return Response(json.dumps({**said, "issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks"}))
        self.read += 1
        self.while_reading()
        keys = [one if isinstance(one, dict) else one.as_dict(private=False) for one in self.published]
        return Response(json.dumps({"keys": keys}), status=self.status)


@pytest.fixture
def bank() -> Bank:
    return Bank()


def test_a_known_key_is_not_asked_for_again(bank: Bank) -> None:
    for _ in range(3):
        found = bank.key_of("one")
        assert found is not None
        assert found.thumbprint() == ONE.thumbprint()
    assert bank.read == 1


def test_a_new_key_is_found_and_an_unknown_one_not_asked_for_all_the_time(bank: Bank) -> None:
    assert bank.key_of("one") is not None
    bank.published.append(TWO)
    bank.now += PAUSE - SECOND
    assert bank.key_of("two") is None
    bank.now += SECOND
    assert bank.key_of("two") is not None
    for _ in range(5):
        assert bank.key_of("nobody's") is None
    assert bank.read == 2


def test_a_key_that_was_taken_back_is_forgotten(bank: Bank) -> None:
    assert bank.key_of("one") is not None
    bank.published = [TWO]
    bank.now += LIFETIME - SECOND
    assert bank.key_of("one") is not None
    bank.now += SECOND
    assert bank.key_of("one") is None


@pytest.mark.parametrize("status", [404, 429, 500, 503])
def test_silence_about_keys_is_silence_about_what_was_sent(bank: Bank, status: int) -> None:
    """BankUnavailable would say that nothing was sent: the answer whose signature is looked at came all the same."""
    bank.status = status
    with pytest.raises(BankSilent, match="does not give the keys"):
        bank.key_of("one")
    bank.status = 200
    assert bank.key_of("one") is not None


def test_strangers_who_name_unknown_keys_hold_nobody_up(bank: Bank) -> None:
    """While one of them makes us read the bank's slow list, who names a known key need not wait, and others are sent
    away."""
    bank.rest(PAUSE)
    assert bank.key_of("one") is not None
    bank.now += PAUSE
    reading, go_on = threading.Event(), threading.Event()

    def slowly() -> None:
        reading.set()
        assert go_on.wait(10)

    bank.while_reading = slowly
    stranger = threading.Thread(target=bank.key_of, args=("nobody's",))
    stranger.start()
    try:
        assert reading.wait(10)
        assert bank.key_of("one") is not None
        with pytest.raises(BankSilent, match="just now"):
            bank.key_of("somebody's")
    finally:
        go_on.set()
        stranger.join()


def test_what_is_no_key_for_a_message(bank: Bank) -> None:
    twin = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
    odd = {"kty": "unheard-of", "kid": "odd"}
    sealing = {**TWO.as_dict(private=False), "use": "enc"}
    bank.published = [ONE, twin, EC, odd, sealing]
    for kid in ("one", "ec", "odd", "two"):
        assert bank.key_of(kid) is None, kid
    bank.published = [{"kty": "RSA"}, ONE]
    bank.now += LIFETIME
    assert bank.key_of("one") is not None


def test_nobody_is_asked_again_right_after_a_failure_where_that_is_wanted(bank: Bank) -> None:
    bank.rest(dt.timedelta(seconds=30))
    bank.status = 500
    for seconds, asked in ((0, 1), (29, 1), (1, 2)):
        bank.now += seconds * SECOND
        with pytest.raises(BankSilent):
            bank.key_of("one")
        assert bank.read == asked
    bank.status = 200
    bank.now -= SECOND  # a clock that was set back keeps nobody waiting
    assert bank.key_of("one") is not None
    bank.now += LIFETIME
    assert bank.key_of("one") is not None


def test_usually_somebody_asks_again_at_once(bank: Bank) -> None:
    bank.status = 500
    for asked in (1, 2):
        with pytest.raises(BankSilent):
            bank.key_of("one")
        assert bank.read == asked
