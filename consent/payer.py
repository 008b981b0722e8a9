"""The account from which a standing consent pays: whole in the vault alone, and elsewhere by its last signs."""

from __future__ import annotations

import datetime as dt
import json

from sqlalchemy.orm import Session

from connectors.capabilities import PayerAccount
from consent.models import Standing
from consent.vault import Vault, VaultError

SHOWN = 4


def keep_payer(session: Session, vault: Vault, standing: Standing, payer: PayerAccount, *, now: dt.datetime) -> bool:
    """Seal it, in place of the one before. True: that was another account."""
    is_other = standing.payer_mask is not None and _number(session, vault, standing) != payer.identification
    whole = json.dumps({"scheme": payer.scheme, "identification": payer.identification, "name": payer.name})
    vault.put(session, _box(standing), whole, now=now)
    standing.payer_mask = f"····{payer.identification[-SHOWN:]}"
    standing.payer_name = payer.name[:140] if payer.name else None
    standing.payer_lost_at = None
    return is_other


def _number(session: Session, vault: Vault, standing: Standing) -> str | None:
    """Of the account before. None: it does not open, so nobody can say that it is the same."""
    try:
        return str(json.loads(vault.get(session, _box(standing)))["identification"])
    except VaultError:
        return None


def _box(standing: Standing) -> str:
    return f"consent:{standing.consent_id}:payer"
