"""A UK connector from a bank's file: who signs what, in which dialect."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from connectors.bank_keys import SIGNING, KeysUnusable
from connectors.http import BankSession
from connectors.openbanking_uk.connector import OpenBankingUkConnector
from connectors.openbanking_uk.messages import Dialect
from connectors.openbanking_uk.quirks import Quirks
from connectors.profile import BankProfile
from connectors.security.detached_jws import Signer, Verifier
from connectors.security.oauth_client import OAuthClient
from connectors.security.private_key_jwt import ClientKey
from connectors.security.published_keys import PublishedKeys


def connector(
    bank: BankProfile,
    *,
    session: BankSession,
    oauth: OAuthClient,
    key: ClientKey,
    clock: Callable[[], dt.datetime],
) -> OpenBankingUkConnector:
    """Raises KeysUnusable for a key that cannot sign messages, ValueError for a file of another standard."""
    if not isinstance(bank.quirks, Quirks):
        raise ValueError("its quirks are not those of openbanking_uk")
    if not isinstance(key.jwk, RSAKey):
        message = f"{bank.keys}/{SIGNING} cannot be used: x-jws-signature is PS256, which wants an RSA key"
        raise KeysUnusable(message)
    quirks = bank.quirks
    try:
        signer = Signer(
            key=key.jwk,
            kid=key.kid,
            issuer=f"{bank.organisation_id}/{bank.software_id}",
            trust_anchor=bank.tan,
            b64=not quirks.b64_header,
        )
    except JoseError as error:
        raise KeysUnusable(
            f"{bank.keys}/{SIGNING} cannot be used: it says that it is for something else ({error})"
        ) from None
    verifier = Verifier(
        key_of=PublishedKeys(oauth, clock=clock),
        issuers=frozenset({bank.bank_organisation_id} - {""}),
        trust_anchors=frozenset({bank.tan}),
        b64=not quirks.b64_header,
    )
    return OpenBankingUkConnector(
        bank,
        session=session,
        oauth=oauth,
        signer=signer,
        verifier=None if quirks.unsigned_answers else verifier,
        dialect=dialect_of(bank.version, quirks),
        clock=clock,
        quirks=quirks,
    )


def dialect_of(version: str, quirks: Quirks) -> Dialect:
    """3.1 itself misspells ContractPresentIndicator; a bank that does not is the one that differs."""
    misspelt = version == "3.1" and not quirks.correct_contract_indicator
    return Dialect(version=version, misspelt_contract_present=misspelt)
