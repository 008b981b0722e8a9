"""The keys with which billers seal their bills: registered when a biller is vetted, exchanged, and taken back.

A key is good from a time to a time. One that is taken back may have been in other hands for a while: it is no good from
``revoked_since`` on, also for what was delivered before anybody knew.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit import entries
from app.audit.kinds import Kind
from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict, Invalid, NotFound
from app.people import biller_queue
from app.people.models import Biller, SealingKey
from app.people.public_keys import public_key, thumbprint
from consent.base import new_id

SEALING_KINDS = ("EC", "RSA", "OKP")
#: a key is exchanged after three years at the latest
LIFE_MOST = dt.timedelta(days=3 * 366)
BECAUSE_MAX = 200


def add_key(
    uow: UnitOfWork,
    *,
    biller_id: str,
    jwk: Mapping[str, Any],
    valid_from: dt.datetime | None = None,
    valid_until: dt.datetime | None = None,
) -> SealingKey:
    """Let a biller seal with this public key: from now, unless later; for three years at most.

    Raises NotFound for the biller, Invalid for a key or times we do not take, Conflict for a key that is there already.
    """
    biller_queue.wait_to_change(uow.session, biller_id)
    if uow.session.get(Biller, biller_id) is None:
        raise NotFound("biller")
    begins = valid_from or uow.now
    ends = valid_until or begins + LIFE_MOST
    if begins < uow.now or not begins < ends <= begins + LIFE_MOST:
        raise Invalid("key-times", f"A key is good from now or later, for {LIFE_MOST.days} days at the most.")
    taken = public_key(dict(jwk), "", kinds=SEALING_KINDS)
    if key_named(uow.session, biller_id=biller_id, kid=taken["kid"]) is not None:
        raise Conflict("key-known", f"The biller has a key {taken['kid']} already: a new key has a new kid.")
    known = {thumbprint(each.jwk): each.kid for each in keys_of(uow.session, biller_id=biller_id)}
    same = known.get(thumbprint(taken))
    if same is not None:  # a second name would outlive that the first one is taken back
        raise Conflict("key-known", f"This is the biller's key {same} under another kid: make a new one.")
    key = SealingKey(
        id=new_id("key"),
        biller_id=biller_id,
        kid=taken["kid"],
        jwk=taken,
        valid_from=begins,
        valid_until=ends,
        registered_at=uow.now,
    )
    uow.session.add(key)
    entries.write(uow, Kind.KEY_REGISTERED, key)
    uow.session.flush()
    return key


def revoke_key(uow: UnitOfWork, *, key_id: str, because: str, since: dt.datetime | None = None) -> SealingKey:
    """Take a key back: from now, or from when it may have been in other hands. Raises NotFound, Invalid, Conflict."""
    key = uow.session.scalar(select(SealingKey).where(SealingKey.id == key_id).with_for_update())
    if key is None:
        raise NotFound("key")
    if key.revoked_at is not None:
        raise Conflict("key-revoked", "This key was taken back already.")
    if since is not None and since > uow.now:
        raise Invalid("key-times", "A key is taken back from now or from earlier.")
    if not 1 <= len(because.strip()) <= BECAUSE_MAX:
        raise Invalid("because", f"Say why, in at most {BECAUSE_MAX} characters.")
    key.revoked_at, key.revoked_since, key.revoked_because = uow.now, since or uow.now, because.strip()
    entries.write(uow, Kind.KEY_REVOKED, key)
    uow.session.flush()
    return key


def key_named(session: Session, *, biller_id: str, kid: str) -> SealingKey | None:
    return session.scalar(select(SealingKey).where(SealingKey.biller_id == biller_id, SealingKey.kid == kid))


def keys_of(session: Session, *, biller_id: str) -> list[SealingKey]:
    """All that it ever had, the oldest first."""
    of_biller = select(SealingKey).where(SealingKey.biller_id == biller_id).order_by(SealingKey.id)
    return list(session.scalars(of_biller))


def is_good(key: SealingKey, *, at: dt.datetime) -> bool:
    """Whether what it sealed at this time is sealed, by what is known now."""
    return key.valid_from <= at < key.valid_until and (key.revoked_since is None or at < key.revoked_since)
