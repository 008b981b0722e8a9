"""All banks of an installation: a folder of files, each naming the standard that its bank speaks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from typing_extensions import override

from connectors import profile
from connectors.berlin_group.connector import BerlinGroupConnector
from connectors.contract import Connector
from connectors.http import BankSession
from connectors.profile import BankProfile, ProfileError
from connectors.security.oauth_client import OAuthClient
from connectors.security.private_key_jwt import ClientKey

#: the word in a bank's file → who speaks it
STANDARDS: Mapping[str, Callable[..., Connector]] = {"berlin_group": BerlinGroupConnector}

#: opens the connections to one bank
SessionFactory = Callable[[BankProfile], BankSession]


class UnknownBank(KeyError):
    """No bank of this id: never was, or its file is gone."""

    @override
    def __str__(self) -> str:
        return f"no bank {self.args[0]!r}"


class Registry:
    """Made once at start; safe for many threads. One connector, session and token cache for each bank."""

    def __init__(
        self,
        profiles: Iterable[BankProfile],
        *,
        client_key: ClientKey,
        allow_http: bool,
        session_factory: SessionFactory,
        clock: Callable[[], dt.datetime],
    ) -> None:
        """Opens no connection. Raises ProfileError for a bank whose standard is not built."""
        self._profiles = {bank.id: bank for bank in profiles}
        self._client_key = client_key
        self._allow_http = allow_http
        self._session_factory = session_factory
        self._clock = clock
        self._connectors = {bank.id: self._made(bank) for bank in self._profiles.values()}

    @classmethod
    def from_folder(
        cls,
        folder: Path,
        *,
        sandbox_bank_url: str | None,
        client_key: Mapping[str, Any],
        allow_http: bool,
        session_factory: SessionFactory | None = None,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> Registry:
        """Read ``folder``/*.toml. ``client_key`` is our private key as a JWK; ``clock`` gives aware UTC.

        Without ``sandbox_bank_url`` sandbox banks are left out. Raises ProfileError, naming file and key.
        """
        read = (
            profile.read(path, sandbox_bank_url=sandbox_bank_url, allow_http=allow_http)
            for path in sorted(folder.glob("*.toml"))
        )
        return cls(
            [bank for bank in read if bank is not None],
            client_key=ClientKey(client_key),
            allow_http=allow_http,
            session_factory=session_factory or (lambda _: BankSession(allow_http=allow_http)),
            clock=clock,
        )

    def banks(self) -> list[BankProfile]:
        """All banks, by the name that customers see."""
        return sorted(self._profiles.values(), key=lambda bank: (bank.name.casefold(), bank.id))

    def profile(self, bank_id: str) -> BankProfile:
        """Raises UnknownBank."""
        try:
            return self._profiles[bank_id]
        except KeyError:
            raise UnknownBank(bank_id) from None

    def connector(self, bank_id: str) -> Connector:
        """Raises UnknownBank."""
        return self._connectors[self.profile(bank_id).id]

    def _made(self, bank: BankProfile) -> Connector:
        if bank.standard not in STANDARDS:
            message = f"{bank.id}.toml: standard: {bank.standard!r} is not built; known: {', '.join(STANDARDS)}"
            raise ProfileError(message)
        session = self._session_factory(bank)
        oauth = OAuthClient(
            session,
            issuer=bank.issuer,
            client_id=bank.client_id,
            key=self._client_key,
            allow_http=self._allow_http,
            clock=self._clock,
        )
        try:
            return STANDARDS[bank.standard](bank, session=session, oauth=oauth)
        except ValueError as error:
            message = f"{bank.id}.toml: {error}"
            raise ProfileError(message) from None
