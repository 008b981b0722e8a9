"""Tokens by which a customer's own programs read what is here, and do nothing. A row holds only a token's hash.

One is made with a passkey, over the name that it is given, and shown once. It is good until its customer ends it; while
they have stopped everything it opens nothing.
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.unit_of_work import UnitOfWork
from app.errors import FieldError, Invalid, NotFound
from app.people import passkeys, stops
from app.people.customers import lock_customer
from app.people.models import Customer, ToolToken
from app.people.passkeys import RelyingParty, Started
from app.people.sessions import SignedIn
from consent.base import hash_of, new_secret

#: what it may do: to read bills and how they could be paid. There is no other
SCOPE = "bills:read"
#: open ones of one customer
TOKENS_MOST = 10
#: by which people, and programs that look for lost secrets, know one
PREFIX = "quittance_my_"
#: how stale last_used_at may be: a question is not a database write each time
SEEN_STEP = dt.timedelta(seconds=60)
_PURPOSE = "make-tool-token"


def start_making(uow: UnitOfWork, *, party: RelyingParty, signed_in: SignedIn, name: object) -> Started:
    """Ask for a passkey before a token of this name is made: a stolen session must not make one. Raises Invalid,
    NotAllowed."""
    signed_in.check_acts()
    written = name.strip() if isinstance(name, str) else ""
    if not 1 <= len(written) <= 100 or not written.isprintable():
        raise Invalid("tool-name", "Write a name.", errors=(FieldError("/name", "At most 100 characters."),))
    return passkeys.start_approval(
        uow, party=party, customer_id=signed_in.customer.id, purpose=_PURPOSE, data={"name": written}
    )


def make(
    uow: UnitOfWork, *, party: RelyingParty, signed_in: SignedIn, ceremony: object, credential: dict[str, object]
) -> str:
    """The token, which nobody can be told again. Raises Invalid, NotAllowed."""
    signed_in.check_acts()
    customer_id = signed_in.customer.id
    taken = passkeys.take(uow, token=ceremony, purpose=_PURPOSE, customer_id=customer_id)
    passkeys.verify(uow, party=party, ceremony=taken, credential=credential, customer_id=customer_id)
    lock_customer(uow.session, customer_id)
    stops.hold_off(uow.session, customer_id)
    stops.must_not_stand(uow, customer_id)
    is_open = (ToolToken.customer_id == customer_id, ToolToken.ended_at.is_(None))
    if uow.session.scalars(select(func.count()).select_from(ToolToken).where(*is_open)).one() >= TOKENS_MOST:
        raise Invalid("too-many-tools", f"There are {TOKENS_MOST} already. End one first.")
    token = f"{PREFIX}{new_secret()}"
    uow.session.add(
        ToolToken(
            token_hash=hash_of(token),
            customer_id=customer_id,
            name=taken.data["name"],
            scope=SCOPE,
            created_at=uow.now,
        )
    )
    return token


def tools_of(session: Session, *, customer_id: str) -> list[ToolToken]:
    """The open ones, the newest first."""
    open_ones = select(ToolToken).where(ToolToken.customer_id == customer_id, ToolToken.ended_at.is_(None))
    return list(session.scalars(open_ones.order_by(ToolToken.created_at.desc()).limit(TOKENS_MOST)))


def end(uow: UnitOfWork, *, signed_in: SignedIn, token_hash: str) -> None:
    """From now on it opens nothing. May be repeated. Raises NotFound, NotAllowed."""
    signed_in.check_acts()
    row = uow.session.get(ToolToken, token_hash, with_for_update=True)
    if row is None or row.customer_id != signed_in.customer.id:
        raise NotFound("tool")
    row.ended_at = row.ended_at or uow.now


def find(session: Session, *, token: str, now: dt.datetime) -> tuple[Customer, bool] | None:
    """Whose it is, and whether ``last_used_at`` wants writing. None: it opens nothing."""
    found = session.execute(
        select(ToolToken, Customer)
        .join(Customer, Customer.id == ToolToken.customer_id)
        .where(ToolToken.token_hash == hash_of(token), ToolToken.ended_at.is_(None))
    ).one_or_none()
    if found is None or stops.is_stopped(session, found[1].id):
        return None
    used_at = found[0].last_used_at
    return found[1], used_at is None or now - used_at > SEEN_STEP


def touch(uow: UnitOfWork, *, token: str) -> None:
    """It was used now."""
    row = uow.session.get(ToolToken, hash_of(token))
    if row is not None:
        row.last_used_at = uow.now
