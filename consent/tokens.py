"""Access tokens that banks gave us for one consent, or for one order. They live in the vault and nowhere else."""

from __future__ import annotations

import datetime as dt
import functools
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from connectors.contract import Authorised
from consent.models import Consent, Sealed
from consent.vault import Vault, VaultError

log = logging.getLogger("quittance.consent")


@dataclass(frozen=True, slots=True)
class CustomersToken:
    """Of a sign-in at a bank that takes no order without one."""

    access_token: str = field(repr=False)
    expires_at: dt.datetime


#: a token that is about to end is not used any more
MARGIN = dt.timedelta(seconds=10)
#: of a token whose life nobody states
UNSTATED = dt.timedelta(minutes=5)


def keep(session: Session, vault: Vault, consent: Consent, authorised: Authorised, *, now: dt.datetime) -> None:
    """Seal the token until it expires; without a stated life it is kept for five minutes. There may be none."""
    if authorised.access_token is None:
        return
    life = UNSTATED if authorised.expires_in_s is None else dt.timedelta(seconds=authorised.expires_in_s)
    vault.put(session, _box(consent.id), authorised.access_token, now=now, expires_at=now + life)


def keep_standing(
    session: Session, vault: Vault, consent_id: str, authorised: Authorised, *, now: dt.datetime, until: dt.datetime
) -> None:
    """Seal what one approval of a standing consent gave, in place of all that there was. ``until``: its far end, set
    anew with each approval. A token whose life nobody states lives as long as the consent."""
    forget(session, consent_id)
    if authorised.access_token is not None:
        stated = authorised.expires_in_s
        dies_at = until if stated is None else min(until, now + dt.timedelta(seconds=stated))
        vault.put(session, _box(consent_id), authorised.access_token, now=now, expires_at=dies_at)
    if authorised.refresh_token is not None:
        vault.put(session, _box_to_renew(consent_id), authorised.refresh_token, now=now, expires_at=until)
    session.flush()


def refresh_token(
    session: Session, vault: Vault, consent_id: str, *, now: dt.datetime
) -> tuple[str, dt.datetime] | None:
    """What the token of a standing consent is renewed with, and the far end; None: nothing, or it does not open."""
    box = _box_to_renew(consent_id)
    found = opened(session, vault, box, now=now)
    row = session.get(Sealed, box)
    return None if found is None or row is None or row.expires_at is None else (found, row.expires_at)


def is_renewable(session: Session, consent_id: str, *, now: dt.datetime) -> bool:
    """Whether something to renew its token with is here, be it one that does not open now."""
    row = session.get(Sealed, _box_to_renew(consent_id))
    return row is not None and row.expires_at is not None and row.expires_at - MARGIN > now


def is_any_kept(session: Session, consent_id: str) -> bool:
    """Whether an approval of it left anything here, be it dead by now or not to be opened."""
    return consent_id in with_any_kept(session, [consent_id])


def with_any_kept(session: Session, consent_ids: Iterable[str]) -> set[str]:
    """Those of these consents of which an approval left anything here."""
    box_of = {box(consent_id): consent_id for consent_id in consent_ids for box in (_box, _box_to_renew)}
    return {box_of[found] for found in session.scalars(select(Sealed.id).where(Sealed.id.in_(box_of)))}


def lives_until(session: Session, consent_id: str) -> dt.datetime | None:
    """Until when what an approval of it left here is of use: to pay with, or to renew that; None: nothing is left."""
    boxes = [_box(consent_id), _box_to_renew(consent_id)]
    last = session.scalar(select(func.max(Sealed.expires_at)).where(Sealed.id.in_(boxes)))
    return None if last is None else last - MARGIN


def is_over(session: Session, consent_id: str, *, now: dt.datetime) -> bool:
    """Whether nothing that an approval of it left here is of use any more. What does not open may open again."""
    until = lives_until(session, consent_id)
    return until is None or until <= now


def access_token(session: Session, vault: Vault, consent: Consent, *, now: dt.datetime) -> str | None:
    """The token of this consent while it lives, else None.

    One that does not open is none: what it was given for must come to its end without it. It is kept, for a process
    that has its key, or for when the key is back.
    """
    return opened(session, vault, _box(consent.id), now=now)


def opened(session: Session, vault: Vault, box: str, *, now: dt.datetime) -> str | None:
    """What is sealed there, as ``access_token`` says."""
    row = session.get(Sealed, box)
    if row is None or row.expires_at is None or row.expires_at - MARGIN <= now:
        return None
    try:
        return vault.get(session, row.id)
    except VaultError as error:
        _tell(row.id, str(error))
        return None


def keep_for_order(session: Session, vault: Vault, order_id: str, token: CustomersToken, *, now: dt.datetime) -> None:
    """Seal the token of a sign-in that an order is about to be given with. ``order_id``: ours.

    An order that is sent again goes with this very token or not at all: whoever signs in there later may be somebody
    else to the bank, and an order that it has already would then be asked about in the wrong name.
    """
    vault.put(session, _box_of_order(order_id), token.access_token, now=now, expires_at=token.expires_at)


def of_order(session: Session, vault: Vault, order_id: str, *, now: dt.datetime) -> CustomersToken | None:
    """The one that the order was first sent with, as ``access_token`` says."""
    box = _box_of_order(order_id)
    token = opened(session, vault, box, now=now)
    row = session.get(Sealed, box)
    if token is None or row is None or row.expires_at is None:
        return None
    return CustomersToken(token, row.expires_at)


def hand_to_consent(
    session: Session, vault: Vault, order_id: str, consent: Consent, token: CustomersToken, *, now: dt.datetime
) -> None:
    """The bank has the order: from now on it is asked about with this, until the token dies."""
    forget_of_order(session, order_id)
    if token.expires_at > now:
        vault.put(session, _box(consent.id), token.access_token, now=now, expires_at=token.expires_at)


def forget_of_order(session: Session, order_id: str) -> None:
    """It is not given any more."""
    session.execute(delete(Sealed).where(Sealed.id == _box_of_order(order_id)))


def forget(session: Session, consent_id: str | None) -> None:
    """What it was given for will not be done."""
    session.execute(delete(Sealed).where(Sealed.id.in_((_box(consent_id), _box_to_renew(consent_id)))))


def forget_access(session: Session, consent_id: str) -> None:
    """The bank does not take it. What it is renewed with stays."""
    session.execute(delete(Sealed).where(Sealed.id == _box(consent_id)))


@functools.lru_cache(maxsize=1000)
def _tell(row_id: str, error: str) -> None:
    """Once for each, however often its payment is gone on with."""
    log.error("%s is not used, so that its payment may end unknown or not be passed on: %s", row_id, error)


def _box_of_order(order_id: str) -> str:
    return f"payment:{order_id}:token"


def _box_to_renew(consent_id: str | None) -> str:
    return f"consent:{consent_id}:refresh"


def _box(consent_id: str | None) -> str:
    return f"consent:{consent_id}:token"
