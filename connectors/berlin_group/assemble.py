"""A NextGenPSD2 connector from a bank's file: whether its messages are signed, by which certificate, in which form."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from connectors.bank_keys import SEAL, BankKeys, KeysUnusable
from connectors.berlin_group.connector import BerlinGroupConnector
from connectors.berlin_group.quirks import Quirks
from connectors.berlin_group.wire import SCOPE, Wire
from connectors.http import BankSession
from connectors.profile import BankProfile
from connectors.security.http_signature import Signer
from connectors.security.oauth_client import OAuthClient
from connectors.security.psd2_certificates import organisation_of
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
        signer=_signer(bank, keys, bank.quirks.form(USUAL)) if bank.signed else None,
        scope=bank.quirks.own_scope or SCOPE,
        clock=clock,
    )
    return BerlinGroupConnector(bank, wire=wire, oauth=oauth, quirks=bank.quirks, clock=clock)


def _signer(bank: BankProfile, keys: BankKeys | None, form: Form) -> Signer:
    if keys is None or keys.seal is None:
        raise KeysUnusable("there is no seal for its messages")
    if bank.security.client_is_organisation and organisation_of(keys.seal.certificate) != bank.client_id:
        message = f"{keys.folder / SEAL} is not of {bank.client_id}, which the file has as client_id"
        raise KeysUnusable(message)
    try:
        return Signer(key=keys.seal.key, certificate=keys.seal.certificate, form=form, url=bank.seal_url)
    except ValueError as error:
        message = f"{keys.folder / SEAL} cannot be used: {error}"
        raise KeysUnusable(message) from None
