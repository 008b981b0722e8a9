"""The account from which a standing consent pays: whole in the vault alone, and elsewhere by its last signs."""

from __future__ import annotations

import datetime as dt
import json

from sqlalchemy.orm import Session

from connectors.capabilities import PayerAccount
from consent.models import Standing
from consent.vault import Vault

SHOWN = 4


def keep_payer(session: Session, vault: Vault, standing: Standing, payer: PayerAccount, *, now: dt.datetime) -> None:
    """Seal it, in place of the one before."""
    whole = json.dumps({"scheme": payer.scheme, "identification": payer.identification, "name": payer.name})
    vault.put(session, f"consent:{standing.consent_id}:payer", whole, now=now)
    standing.payer_mask = f"····{payer.identification[-SHOWN:]}"
    standing.payer_name = payer.name[:140] if payer.name else None
