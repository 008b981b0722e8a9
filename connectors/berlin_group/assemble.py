"""A NextGenPSD2 connector from a bank's file: whether its messages are signed, by which certificate, in which form."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from connectors.bank_keys import BankKeys
from connectors.berlin_group.connector import BerlinGroupConnector
from connectors.berlin_group.quirks import Quirks
from connectors.berlin_group.wire import SCOPE, Wire
from connectors.http import BankSession
from connectors.profile import BankProfile
from connectors.seals import signer_of
from connectors.security.oauth_client import OAuthClient
from connectors.security.signature_form import Form

#: what the guidelines say: digest, x-request-id, what is said of the customer and the way back, the certificate along
USUAL = Form()


def connector(
    bank: BankProfile,
    *,
    session: BankSession,
    oauth: OAuthClient,
    keys: BankKeys | None,
    clock: Callable[[], dt.datetime],
    **_: object,
) -> BerlinGroupConnector:
    """Raises KeysUnusable for a seal that cannot sign for us there, ValueError for a file of another standard."""
    if not isinstance(bank.quirks, Quirks):
        raise ValueError("its quirks are not those of berlin_group")
    wire = Wire(
        bank.base_url,
        session=session,
        oauth=oauth,
        signer=signer_of(bank, keys, bank.quirks.form(USUAL)) if bank.signed else None,
        scope=bank.quirks.own_scope or SCOPE,
        clock=clock,
    )
    return BerlinGroupConnector(bank, wire=wire, oauth=oauth, quirks=bank.quirks, clock=clock)
