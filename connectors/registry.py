"""All banks of an installation: a folder of files, each naming the standard that its bank speaks."""

from __future__ import annotations

import datetime as dt
import functools
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey
from typing_extensions import override

from connectors import profile
from connectors.bank_keys import BankKeys, KeysUnusable
from connectors.berlin_group import assemble as berlin_group
from connectors.contract import Connector
from connectors.http import BankSession
from connectors.line import Line
from connectors.openbanking_uk import assemble
from connectors.profile import BankProfile, ProfileError
from connectors.security.dpop import DPoP
from connectors.security.oauth_client import OAuthClient
from connectors.security.private_key_jwt import ClientKey
from connectors.security.profiles import Binding, ClientAuth
from connectors.stet import assemble as stet

#: the word in a bank's file → who speaks it
STANDARDS: Mapping[str, Callable[..., Connector]] = {
    "berlin_group": berlin_group.connector,
    "openbanking_uk": lambda bank, *, keys, **others: assemble.connector(bank, **others),  # noqa: ARG005
    "stet": stet.connector,
}

#: opens the connections to one bank
SessionFactory = Callable[[BankProfile], BankSession]

log = logging.getLogger(__name__)


class UnknownBank(KeyError):
    """No bank of this id: never was, or its file is gone."""

    @override
    def __str__(self) -> str:
        return f"no bank {self.args[0]!r}"


class UnusableBank(UnknownBank):
    """Its file is there, and our keys for it are not: nobody can be sent there, and it cannot be asked."""

    def __init__(self, bank_id: str, why: str) -> None:
        super().__init__(bank_id)
        self.why = why

    @override
    def __str__(self) -> str:
        return f"bank {self.args[0]!r} cannot be used: {self.why}"


class Registry:
    """Made once at start; safe for many threads. One connector, session and token cache for each bank.

    A bank whose keys are missing or wrong is kept apart, so that it does not stop the others: it is offered to nobody.
    """

    def __init__(
        self,
        profiles: Iterable[BankProfile],
        *,
        client_key: ClientKey,
        allow_http: bool,
        session_factory: SessionFactory | None,
        clock: Callable[[], dt.datetime],
        bank_keys: Path | None = None,
    ) -> None:
        """Opens no connection. Raises ProfileError for a bank whose standard is not built."""
        self._profiles = {bank.id: bank for bank in profiles}
        self._client_key = client_key
        self._allow_http = allow_http
        self._session_factory = session_factory
        self._clock = clock
        self._bank_keys = bank_keys
        self._load_keys = functools.cache(BankKeys.load)  # many banks, one folder: an RSA key takes long to check
        self._connectors: dict[str, Connector] = {}
        self._lines: dict[str, Line] = {}
        self._unusable: dict[str, str] = {}
        for bank in self._profiles.values():
            try:
                self._open(bank)
            except KeysUnusable as error:
                self._unusable[bank.id] = str(error)
                if not bank.sandbox:
                    log.warning("bank %s cannot be used: %s", bank.id, error)

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
        sandbox_bank_uk_url: str | None = None,
        sandbox_bank_stet_url: str | None = None,
        sandbox_bank_nextgen_url: str | None = None,
        bank_keys: Path | None = None,
        only: str | None = None,
    ) -> Registry:
        """Read ``folder``/*.toml. ``client_key`` is our private key as a JWK; ``clock`` gives aware UTC.

        ``bank_keys``: a folder with one folder of keys for each name that a bank's file gives as ``keys``.
        ``only``: the id of one bank; the other files are not read. Without its address a sandbox bank is left out.
        Raises ProfileError, naming file, line and key.
        """
        sandboxes = {
            "{sandbox_bank_url}": sandbox_bank_url,
            "{sandbox_bank_uk_url}": sandbox_bank_uk_url,
            "{sandbox_bank_stet_url}": sandbox_bank_stet_url,
            "{sandbox_bank_nextgen_url}": sandbox_bank_nextgen_url,
        }
        paths = [path for path in sorted(folder.glob("*.toml")) if only in (None, path.stem)]
        read = (profile.read(path, sandboxes=sandboxes, allow_http=allow_http) for path in paths)
        return cls(
            [bank for bank in read if bank is not None],
            client_key=ClientKey(client_key),
            allow_http=allow_http,
            session_factory=session_factory,
            clock=clock,
            bank_keys=bank_keys,
        )

    def banks(self) -> list[BankProfile]:
        """The banks that customers can be sent to, by the name that they see."""
        return [bank for bank in self.all_banks() if bank.id not in self._unusable]

    def banks_by_id(self) -> dict[str, BankProfile]:
        """The same by their ids."""
        return {bank.id: bank for bank in self.banks()}

    def all_banks(self) -> list[BankProfile]:
        """Also those that cannot be used."""
        return sorted(self._profiles.values(), key=lambda bank: (bank.name.casefold(), bank.id))

    def why_unusable(self, bank_id: str) -> str | None:
        """What is wrong with our keys for it, in one sentence; None: nothing."""
        return self._unusable.get(bank_id)

    def profile(self, bank_id: str) -> BankProfile:
        """Also of a bank that cannot be used: it keeps its name. Raises UnknownBank."""
        try:
            return self._profiles[bank_id]
        except KeyError:
            raise UnknownBank(bank_id) from None

    def connector(self, bank_id: str) -> Connector:
        """Raises UnknownBank; UnusableBank, which is one, where our keys are missing."""
        return self._connectors[self._usable(bank_id)]

    def line(self, bank_id: str) -> Line:
        """Raises as ``connector`` does."""
        return self._lines[self._usable(bank_id)]

    def _usable(self, bank_id: str) -> str:
        bank = self.profile(bank_id)
        if bank.id in self._unusable:
            raise UnusableBank(bank.id, self._unusable[bank.id])
        return bank.id

    def _open(self, bank: BankProfile) -> None:
        if bank.standard not in STANDARDS:
            message = f"{bank.id}.toml: standard: {bank.standard!r} is not built; known: {', '.join(STANDARDS)}"
            raise ProfileError(message)
        keys = self._keys_of(bank)
        line = self._line(bank, keys)
        try:
            made = STANDARDS[bank.standard](
                bank, session=line.session, oauth=line.oauth, key=line.key, keys=keys, clock=self._clock
            )
        except ValueError as error:
            message = f"{bank.id}.toml: {error}"
            raise ProfileError(message) from None
        self._lines[bank.id], self._connectors[bank.id] = line, made

    def _keys_of(self, bank: BankProfile) -> BankKeys | None:
        """None: it is spoken to with the installation's own key alone."""
        if not bank.keys:
            return None
        if self._bank_keys is None:
            raise KeysUnusable("this installation has no folder of keys for banks")
        return self._load_keys(
            self._bank_keys / bank.keys,
            needs_certificate=bank.needs_certificate,
            needs_signing=bank.needs_signing_key,
            needs_seal=bank.needs_seal,
        )

    def _line(self, bank: BankProfile, keys: BankKeys | None) -> Line:
        session = self._session_factory(bank) if self._session_factory else _session(keys, allow_http=self._allow_http)
        key = (keys and keys.signing) or self._client_key
        oauth = OAuthClient(
            session,
            issuer=bank.issuer,
            client_id=bank.client_id,
            key=key,
            allow_http=self._allow_http,
            clock=self._clock,
            profile=bank.security,
            client_auth=ClientAuth(bank.client_auth),
            dpop=self._dpop() if bank.security.binding is Binding.DPOP else None,
            openid=bank.openid,
            origins=bank.origins,
            quirks=bank.quirks,
            token_endpoint=bank.token_endpoint or None,
        )
        return Line(session=session, oauth=oauth, key=key, keys=keys)

    def _dpop(self) -> DPoP:
        """By the installation's own key: every process has the same, and tokens of customers outlive each of them."""
        if not isinstance(self._client_key.jwk, ECKey):
            raise KeysUnusable("DPoP needs the installation's own key for banks to be an EC key (P-256)")
        return DPoP(self._client_key.jwk)


def _session(keys: BankKeys | None, *, allow_http: bool) -> BankSession:
    if keys is None:
        return BankSession(allow_http=allow_http)
    return BankSession(allow_http=allow_http, verify=keys.authorities or True, certificate=keys.certificate)
