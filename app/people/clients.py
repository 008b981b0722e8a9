"""Programs of billers: the public keys they prove themselves with, and what they may do.

Nothing private is ever kept here: who steals this table can speak for nobody.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.db.unit_of_work import UnitOfWork
from app.db.upsert import insert_once
from app.errors import Conflict, Invalid, NotFound
from app.people.biller_states import BillerState
from app.people.models import ApiClient, Biller, UsedAssertion
from app.people.public_keys import bad_key, public_key
from consent.base import new_id

#: everything a biller's program can ever be allowed; none of them moves money
SCOPES = {
    "bills:write": "Deliver bills to connected customers.",
    "bills:read": "See the bills you delivered and whether they are open or paid.",
    "payments:read": "See the payments of your bills.",
    "payments:confirm": "Say whether the money of a payment has arrived.",
    "connections:read": "See the customers who are connected with you, and who asks to be.",
    "connections:write": "Redeem codes and addresses, answer customers who ask, and end connections.",
    "answers:read": "See what your customers say of your bills instead of paying them.",
    "answers:write": "Reply to that, and publish a policy for it.",
    "refunds:read": "See the refunds that you have promised, and what your customers say of them.",
    "refunds:write": "Promise refunds, say that they were sent, and take promises back.",
}
#: without both, nobody whom a customer asks could say yes
_ANSWERING = {"connections:read", "connections:write"}
#: how a client may sign its assertions (FAPI 2.0 §5.4.1, without EdDSA, whose name is being replaced by RFC 9864)
ASSERTION_ALGORITHMS = ("ES256", "PS256")
ASSERTION_KINDS = ("EC", "RSA")
KEYS_MAX = 5
#: used assertions that one sweep forgets
FORGET_MAX = 1000

_CLIENT_ID = re.compile(r"cli_[0-9a-f]{32}")


def add_client(uow: UnitOfWork, *, biller_id: str, jwks: Mapping[str, Any], scope: str) -> str:
    """Let a program of a biller in, by its public keys (a JWK Set, RFC 7517 §5). Returns the client_id.

    ``scope`` is space-separated. Raises NotFound for the biller, Conflict for one that is not vetted, Invalid for a
    scope or a key we do not take.
    """
    biller = uow.session.get(Biller, biller_id)
    if biller is None:
        raise NotFound("biller")
    if biller.state != BillerState.VETTED:
        raise Conflict("biller-not-vetted", f"{biller.name} is {biller.state}: two people are to approve it first.")
    client = ApiClient(
        client_id=new_id("cli"),
        biller_id=biller_id,
        jwks={"keys": _public_keys(jwks)},
        scope=_known_scope(scope),
        active=True,
        created_at=uow.now,
    )
    uow.session.add(client)
    uow.session.flush()
    return client.client_id


def client_of(session: Session, client_id: str) -> ApiClient | None:
    """The client with this id, if it may act now. Safe with any text: only what looks like an id is looked up."""
    if _CLIENT_ID.fullmatch(client_id) is None:
        return None
    return session.scalar(select(ApiClient).where(ApiClient.client_id == client_id, ApiClient.active))


def change_scope(uow: UnitOfWork, *, client_id: str, scope: str) -> None:
    """Let a program do this from now on, and nothing else; tokens that it still holds do no more than they say.

    Raises NotFound, Invalid for a scope that we do not know.
    """
    client = client_of(uow.session, client_id)
    if client is None:
        raise NotFound("client")
    client.scope = _known_scope(scope)


def billers_that_answer(session: Session, biller_ids: Collection[str]) -> set[str]:
    """Those among them of which a program may see and answer customers who ask."""
    programs = session.execute(
        select(ApiClient.biller_id, ApiClient.scope).where(ApiClient.biller_id.in_(biller_ids), ApiClient.active)
    )
    return {biller_id for biller_id, scope in programs if set(scope.split()) >= _ANSWERING}


def stop_client(uow: UnitOfWork, *, client_id: str) -> None:
    """Shut a program out. Takes effect at its next request, whatever tokens it still holds."""
    client = client_of(uow.session, client_id)
    if client is None:
        raise NotFound("client")
    client.active = False


def use_assertion_once(session: Session, *, client_id: str, jti: str, expires_at: dt.datetime) -> bool:
    """True the first time only (RFC 7523 §3, jti). Commit before anything is handed out for the assertion.

    The primary key is the guard, so it holds across threads, processes and machines. ``expires_at`` must not be
    earlier than the moment from which the assertion is refused for its age.
    """
    key = hashlib.sha256(f"{client_id}|{jti}".encode()).hexdigest()
    return insert_once(session, UsedAssertion, {"key": key, "expires_at": expires_at}, unique=["key"])


def forget_used_assertions(uow: UnitOfWork) -> int:
    """Drop what would be refused for its age anyway. Returns how many; call again while it is FORGET_MAX."""
    due = select(UsedAssertion.key).where(UsedAssertion.expires_at < uow.now).limit(FORGET_MAX)
    gone = uow.session.scalars(
        delete(UsedAssertion)
        .where(UsedAssertion.key.in_(due))
        .returning(UsedAssertion.key)
        .execution_options(synchronize_session=False)
    )
    return len(gone.all())


def _known_scope(scope: str) -> str:
    wanted = scope.split()
    unknown = sorted(set(wanted) - SCOPES.keys())
    if unknown or not wanted:
        raise Invalid("scope", f"Name scopes among {', '.join(SCOPES)}; not {' '.join(unknown) or 'nothing'}.")
    return " ".join(name for name in SCOPES if name in wanted)


def _public_keys(jwks: Mapping[str, Any]) -> list[dict[str, str]]:
    keys = jwks.get("keys")
    if not isinstance(keys, list) or not 1 <= len(keys) <= KEYS_MAX:
        raise Invalid("jwks", f"Send a JWK Set with 1 to {KEYS_MAX} public keys.")
    taken = [public_key(key, f"/keys/{index}", kinds=ASSERTION_KINDS) for index, key in enumerate(keys)]
    if len({key["kid"] for key in taken}) < len(taken):
        raise bad_key("/keys", "Two keys have the same kid.")
    return taken
