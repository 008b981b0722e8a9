"""How one bank is spoken to."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.bank_keys import BankKeys
from connectors.http import BankSession
from connectors.security.oauth_client import OAuthClient
from connectors.security.private_key_jwt import ClientKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Never shared between banks: TLS state, tokens and certificates are one bank's own."""

    session: BankSession
    oauth: OAuthClient
    key: ClientKey
    keys: BankKeys | None  #: None: the installation's own key alone
