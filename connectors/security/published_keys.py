"""The keys that a bank publishes and signs its messages with, read when one is met that is not known yet."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from joserfc.jwk import ECKey, KeySet, RSAKey

from connectors.errors import BankError, BankSilent
from connectors.http import Deadline
from connectors.security.oauth_client import OAuthClient

#: a key that the bank took back is believed no longer than this
LIFETIME = dt.timedelta(minutes=10)
#: whoever names unknown keys cannot make us ask more often
PAUSE = dt.timedelta(seconds=30)
TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class _Read:
    keys: Mapping[str, RSAKey | ECKey]  #: by name
    at: dt.datetime

    def is_good_for(self, kid: str, *, now: dt.datetime) -> bool:
        age = now - self.at
        return age < LIFETIME and (kid in self.keys or age < PAUSE)


class PublishedKeys:
    """``key_of`` of a verifier (security/detached_jws.py). Safe for many threads."""

    def __init__(
        self, oauth: OAuthClient, *, clock: Callable[[], dt.datetime], rest: dt.timedelta = dt.timedelta()
    ) -> None:
        """``rest``: for so long after they could not be read nobody asks for them again, and nobody waits for another
        who reads them: whoever is asked by strangers must not be held up by them."""
        self._oauth = oauth
        self._clock = clock
        self._rest = rest
        self._failed_at: dt.datetime | None = None
        self._lock = threading.Lock()
        self._read: _Read | None = None

    def __call__(self, kid: str) -> RSAKey | None:
        """The RSA key of this name, as ``of_any_kind`` has it."""
        key = self.of_any_kind(kid)
        return key if isinstance(key, RSAKey) else None

    def of_any_kind(self, kid: str) -> RSAKey | ECKey | None:
        """The key of this name; None: the bank publishes none.

        Raises BankSilent when it cannot be asked: the answer that the signature belongs to has come, and cannot be
        believed yet, so that what was asked may have happened.
        """
        read = self._read
        if read is not None and read.is_good_for(kid, now=self._clock()):
            return read.keys.get(kid)
        if not self._lock.acquire(timeout=0 if self._rest else TIMEOUT_S):
            raise BankSilent("the keys to check the bank's signature with are being read just now")
        try:
            read = self._read
            if read is None or not read.is_good_for(kid, now=self._clock()):
                self._check_rest()
                self._failed_at = self._clock()
                keys = _by_name(self._published())
                read = self._read = _Read(keys, self._clock())
                self._failed_at = None
            return read.keys.get(kid)
        finally:
            self._lock.release()

    def _check_rest(self) -> None:
        if self._failed_at is not None and dt.timedelta() <= self._clock() - self._failed_at < self._rest:
            raise BankSilent("the bank did not give the keys to check its signature with a moment ago")

    def _published(self) -> KeySet:
        deadline = Deadline(TIMEOUT_S)
        try:
            return self._oauth.keys(self._oauth.server(deadline=deadline), deadline=deadline)
        except BankError as error:
            message = f"the bank answered, but does not give the keys to check its signature with: {error}"
            raise BankSilent(message) from None


def _by_name(keys: KeySet) -> dict[str, RSAKey | ECKey]:
    """Of two that share a name none is believed."""
    names = [key.kid for key in keys.keys]
    return {
        key.kid: key
        for key in keys.keys
        if isinstance(key, RSAKey | ECKey) and key.kid is not None and names.count(key.kid) == 1
    }
