"""The account from which a standing consent pays: whole in the vault alone, and elsewhere by its last signs.

Which one it is the customer chooses at each approval; the bank's word on the consent names it after that.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass

from sqlalchemy import delete
from sqlalchemy.orm import Session

from connectors.capabilities import PayerAccount
from consent.models import Sealed, Standing
from consent.vault import Vault, VaultError

SHOWN = 4
#: lines of a consent's history
PAYER_NAMED, PAYER_LOST = "account", "account_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class PayerNews:
    """What a bank's word on the account changes."""

    line: str | None  #: of the consent's history, PAYER_NAMED or PAYER_LOST; None: nothing is new
    words: str
    is_other: bool = False  #: another account pays than before


def hear_payer(
    session: Session, vault: Vault, standing: Standing, payer: PayerAccount | None, *, now: dt.datetime
) -> PayerNews:
    """Keep what the bank says. It need not name the account; one that named it since the last approval, and names none
    any more, no longer knows it."""
    if payer is not None:
        return _keep(session, vault, standing, payer, now=now)
    if standing.payer_mask is None:
        forget_payer(session, standing)  # that of the approval before: nobody knows whether it is the same
        return PayerNews(line=None, words="no account is named")
    line = PAYER_LOST if standing.payer_lost_at is None else None
    standing.payer_lost_at = standing.payer_lost_at or now
    return PayerNews(line=line, words=f"no account is named any more, before from {standing.payer_mask}")


def unname_payer(standing: Standing) -> None:
    """It was approved anew: until the bank names the account that was chosen there, none is shown. The one before stays
    sealed until then, so that another one can be told."""
    standing.payer_mask = standing.payer_name = standing.payer_lost_at = None


def forget_payer(session: Session, standing: Standing) -> None:
    """Nothing is paid from it any more. Its last signs stay where they stand."""
    session.execute(delete(Sealed).where(Sealed.id == _box(standing)))


def payer_of(session: Session, vault: Vault, standing: Standing) -> dict[str, str | None] | None:
    """The whole account, for its customer alone: ``scheme``, ``identification``, ``name``. None: none is kept, or it
    does not open."""
    try:
        named: dict[str, str | None] = json.loads(vault.get(session, _box(standing)))
    except VaultError:
        return None
    return named


def _keep(session: Session, vault: Vault, standing: Standing, payer: PayerAccount, *, now: dt.datetime) -> PayerNews:
    """Seal it, in place of the one before."""
    is_known = standing.payer_mask is not None or session.get(Sealed, _box(standing)) is not None
    before = _number(session, vault, standing)  # one that does not open: nobody can say that it is the same
    is_other = is_known and before != payer.identification
    was_lost = standing.payer_lost_at is not None
    mask_before = standing.payer_mask or _mask(before or "")
    whole = json.dumps({"scheme": payer.scheme, "identification": payer.identification, "name": payer.name})
    vault.put(session, _box(standing), whole, now=now)
    standing.payer_mask = _mask(payer.identification)
    standing.payer_name = payer.name[:140] if payer.name else None
    standing.payer_lost_at = None
    words = f"from {standing.payer_mask}" + (f", before from {mask_before}" if is_other else "")
    return PayerNews(line=PAYER_NAMED if is_other or was_lost else None, words=words, is_other=is_other)


def _mask(identification: str) -> str:
    return f"····{identification[-SHOWN:]}"


def _number(session: Session, vault: Vault, standing: Standing) -> str | None:
    """Of the account before. None: there is none, or it does not open."""
    named = payer_of(session, vault, standing)
    return None if named is None else str(named["identification"])


def _box(standing: Standing) -> str:
    return f"consent:{standing.consent_id}:payer"
