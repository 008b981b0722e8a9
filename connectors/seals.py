"""Our seal at one bank, as its file and our keys have it: what NextGenPSD2 and STET banks believe messages for."""

from __future__ import annotations

from connectors.bank_keys import SEAL, BankKeys, KeysUnusable
from connectors.profile import BankProfile
from connectors.security.http_signature import Signer
from connectors.security.psd2_certificates import organisation_of
from connectors.security.signature_form import Form


def signer_of(bank: BankProfile, keys: BankKeys | None, form: Form) -> Signer:
    """Raises KeysUnusable where there is none, where it cannot sign, and where it is not ours at this bank."""
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
