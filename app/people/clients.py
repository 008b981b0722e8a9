"""Programs of billers: the public keys they prove themselves with, and what they may do.

Nothing private is ever kept here: who steals this table can speak for nobody.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Collection, Mapping
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.db.unit_of_work import UnitOfWork
from app.db.upsert import insert_once
from app.errors import FieldError, Invalid, NotFound
from app.people.models import ApiClient, Biller, UsedAssertion
from consent.base import new_id

#: everything a biller's program can ever be allowed; none of them moves money
SCOPES = {
    "bills:write": "Deliver bills to connected customers.",
    "bills:read": "See the bills you delivered and whether they are open or paid.",
    "payments:read": "See the payments of your bills.",
    "payments:confirm": "Say whether the money of a payment has arrived.",
    "connections:read": "See the customers who are connected with you, and who asks to be.",
    "connections:write": "Redeem codes and addresses, answer customers who ask, and end connections.",
}
#: without both, nobody whom a customer asks could say yes
_ANSWERING = {"connections:read", "connections:write"}
#: how a client may sign its assertions (FAPI 2.0 §5.4.1, without EdDSA, whose name is being replaced by RFC 9864)
ASSERTION_ALGORITHMS = ("ES256", "PS256")
KEYS_MAX = 5
RSA_BITS_MIN = 2048  # FAPI 2.0 §5.4.1
RSA_BITS_MAX = 4096  # a larger one only makes every check slow
RSA_EXPONENT_MIN = 65537
#: used assertions that one sweep forgets
FORGET_MAX = 1000

_ALGORITHM_OF = {"EC": "ES256", "RSA": "PS256"}
_PUBLIC_MEMBERS = {"EC": ("crv", "x", "y"), "RSA": ("n", "e")}  # RFC 7518 §6.2.1, §6.3.1
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})  # §6.2.2, §6.3.2, §6.4
_KID = re.compile(r"[\x21-\x7e]{1,100}")
_CLIENT_ID = re.compile(r"cli_[0-9a-f]{32}")


def add_client(uow: UnitOfWork, *, biller_id: str, jwks: Mapping[str, Any], scope: str) -> str:
    """Let a program of a biller in, by its public keys (a JWK Set, RFC 7517 §5). Returns the client_id.

    ``scope`` is space-separated. Raises NotFound for the biller, Invalid for a scope or a key we do not take.
    """
    if uow.session.get(Biller, biller_id) is None:
        raise NotFound("biller")
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
    taken = [_public_key(key, f"/keys/{index}") for index, key in enumerate(keys)]
    if len({key["kid"] for key in taken}) < len(taken):
        raise _bad_key("/keys", "Two keys have the same kid.")
    return taken


def _public_key(jwk: object, where: str) -> dict[str, str]:
    """The members we know and nothing else: no certificate, no address to fetch a key from."""
    if not isinstance(jwk, dict):
        raise _bad_key(where, "A key is a JSON object.")
    if private := sorted(_PRIVATE_MEMBERS & jwk.keys()):
        raise _bad_key(
            where,
            f"This is a private key ({', '.join(private)}): keep it, make a new one, send the public part.",
        )
    kind = jwk.get("kty")
    if not isinstance(kind, str) or kind not in _PUBLIC_MEMBERS:
        raise _bad_key(where, "Only kty EC (P-256) and RSA are taken.")
    if jwk.get("alg", _ALGORITHM_OF[kind]) != _ALGORITHM_OF[kind]:
        raise _bad_key(where, f"A key of kty {kind} signs with {_ALGORITHM_OF[kind]} here.")
    if jwk.get("use", "sig") != "sig" or jwk.get("key_ops", ["verify"]) != ["verify"]:
        raise _bad_key(where, "The key must be for signatures: use sig, key_ops verify.")
    members = {name: jwk.get(name) for name in _PUBLIC_MEMBERS[kind]}
    key = _import({"kty": kind, **members}, where)
    kid = jwk.get("kid", key.thumbprint())
    if not isinstance(kid, str) or _KID.fullmatch(kid) is None:
        raise _bad_key(where, "A kid is 1 to 100 visible ASCII characters.")
    return {
        "kty": kind,
        **{name: str(value) for name, value in members.items()},
        "kid": kid,
        "use": "sig",
        "alg": _ALGORITHM_OF[kind],
    }


def _import(members: dict[str, Any], where: str) -> ECKey | RSAKey:
    """A key that is on its curve, or an RSA modulus of a size that is neither weak nor a burden."""
    most = RSA_BITS_MAX // 4
    if not all(isinstance(value, str) and len(value) <= most for value in members.values()):
        raise _bad_key(
            where, f"The key needs {', '.join(name for name in members if name != 'kty')} as base64url text."
        )
    if members["kty"] == "EC" and members["crv"] != "P-256":
        raise _bad_key(where, "The curve must be P-256.")
    try:
        if members["kty"] == "EC":
            curve_key = ECKey.import_key(members)
            _ = curve_key.public_key  # computes the point
            return curve_key
        key = RSAKey.import_key(members)
        numbers, bits = key.public_key.public_numbers(), key.public_key.key_size
    except (JoseError, ValueError, TypeError) as error:
        raise _bad_key(where, "The numbers are not those of a key.") from error
    if not RSA_BITS_MIN <= bits <= RSA_BITS_MAX or numbers.e < RSA_EXPONENT_MIN:
        raise _bad_key(
            where,
            f"An RSA key has {RSA_BITS_MIN} to {RSA_BITS_MAX} bits and an exponent of {RSA_EXPONENT_MIN} or more.",
        )
    return key


def _bad_key(where: str, detail: str) -> Invalid:
    return Invalid("jwks", detail, errors=(FieldError(where, detail),))
