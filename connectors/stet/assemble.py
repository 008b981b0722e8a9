"""A STET connector from a bank's file: by which certificate its messages are signed, and in which form."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from connectors.bank_keys import BankKeys
from connectors.http import BankSession
from connectors.profile import BankProfile
from connectors.seals import signer_of
from connectors.security.oauth_client import OAuthClient
from connectors.security.signature_form import STET, Form, KeyId
from connectors.stet.connector import StetConnector
from connectors.stet.quirks import Quirks
from connectors.stet.wire import Wire

#: what the standard says: all that is asked for is signed, and keyId is where the certificate can be had
USUAL = Form(headers=STET, key_id=KeyId.URL, certificate_along=False)


def connector(
    bank: BankProfile,
    *,
    session: BankSession,
    oauth: OAuthClient,
    keys: BankKeys | None,
    clock: Callable[[], dt.datetime],
    **_: object,
) -> StetConnector:
    """Raises KeysUnusable for a seal that cannot sign for us there, ValueError for a file of another standard."""
    if not isinstance(bank.quirks, Quirks):
        raise ValueError("its quirks are not those of stet")
    signer = signer_of(bank, keys, bank.quirks.form(USUAL))
    wire = Wire(
        bank.base_url,
        session=session,
        oauth=oauth,
        signer=signer,
        echoes=not bank.quirks.request_id_not_echoed,
        clock=clock,
    )
    return StetConnector(bank, wire=wire, clock=clock, quirks=bank.quirks)
