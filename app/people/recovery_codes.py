"""Recovery codes: ten secrets that a customer keeps on paper, for the day on which no passkey is left.

Each opens their space once, to make a new passkey there and for nothing else (way_in.py). A code alone says whose it
is, so nobody is asked for an address, and nobody learns by one who is here. docs/recovery.md has the rules.
"""

from __future__ import annotations

import datetime as dt
import re
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app.audit import entries
from app.audit.kinds import Kind
from app.db.unit_of_work import UnitOfWork
from app.people import passkeys, stops
from app.people.customers import lock_customer
from app.people.events import RecoveryCodesMade, RecoveryCodeUsed
from app.people.models import RecoveryCode
from app.people.passkeys import RelyingParty, Started
from app.people.sessions import SignedIn
from consent.base import hash_of, new_id

CODES = 10
#: thirty-two signs without I, L, O and U: five bits each, a hundred in all. They are hashed without salt, or a code
#: could not be looked up: with eighty, a stolen table of millions of codes could be searched for any one of them
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH, GROUP = 20, 4
_PURPOSE = "make-codes"
_LOOKS_LIKE = str.maketrans("OIL", "011")
_SIGNS = re.compile(rf"[{ALPHABET}]{{{LENGTH}}}")


@dataclass(frozen=True, slots=True)
class CodesView:
    """What a customer's page says of their codes."""

    left: int
    made_at: dt.datetime | None  #: when those that are left were made; None: there is none
    used_at: dt.datetime | None  #: when one was used last, whenever that was made


def drawn() -> str:
    """A new one, in groups as it is shown."""
    signs = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return "-".join(signs[at : at + GROUP] for at in range(0, LENGTH, GROUP))


def plain(typed: str) -> str | None:
    """A code as its hash is made of it, whatever its case and marks, and with O, I and L for what they look like.
    None: it cannot be one."""
    signs = re.sub(r"[\s\N{EN DASH}\N{HYPHEN}\N{NON-BREAKING HYPHEN}.-]", "", typed).upper().translate(_LOOKS_LIKE)
    return signs if _SIGNS.fullmatch(signs) else None


def start_making(uow: UnitOfWork, *, party: RelyingParty, signed_in: SignedIn) -> Started:
    """Ask for a passkey: a stolen session must not make codes. Raises NotAllowed."""
    signed_in.check_acts()
    return passkeys.start_approval(uow, party=party, customer_id=signed_in.customer.id, purpose=_PURPOSE, data={})


def make(
    uow: UnitOfWork, *, party: RelyingParty, signed_in: SignedIn, ceremony: object, credential: dict[str, Any]
) -> list[str]:
    """Ten new ones, which nobody can be told again; of those of before none counts any more. Raises Invalid,
    NotAllowed, and Conflict while everything is stopped."""
    signed_in.check_acts()
    customer_id = signed_in.customer.id
    lock_customer(uow.session, customer_id)
    stops.hold_off(uow.session, customer_id)
    stops.must_not_stand(uow, customer_id)
    taken = passkeys.take(uow, token=ceremony, purpose=_PURPOSE, customer_id=customer_id)
    passkeys.verify(uow, party=party, ceremony=taken, credential=credential, customer_id=customer_id)
    drop_unused(uow.session, customer_id)
    codes = [drawn() for _ in range(CODES)]
    for code in codes:
        code_hash = hash_of(plain(code) or "")
        uow.session.add(RecoveryCode(id=new_id("rco"), code_hash=code_hash, customer_id=customer_id, made_at=uow.now))
    uow.record(RecoveryCodesMade(customer_id=customer_id))
    return codes


def use(uow: UnitOfWork, typed: str) -> RecoveryCode | None:
    """Use it up, whoever comes with it first; None: it opens nothing, be it unknown, used or void."""
    code = plain(typed[:100])
    if code is None:
        return None
    found = RecoveryCode.code_hash == hash_of(code)
    once = update(RecoveryCode).where(found, RecoveryCode.used_at.is_(None)).values(used_at=uow.now)
    used = uow.session.scalar(
        once.returning(RecoveryCode.id).execution_options(synchronize_session=False)
    )  # who is second waits for the first, and finds it used
    if used is None:
        return None
    row = uow.session.get_one(RecoveryCode, used)
    entries.write(uow, Kind.CODE_USED, row)
    uow.record(RecoveryCodeUsed(customer_id=row.customer_id))
    return row


def codes_of(session: Session, customer_id: str) -> CodesView:
    """How many are left, and when one was used."""
    left = func.count().filter(RecoveryCode.used_at.is_(None))
    made_at = func.max(RecoveryCode.made_at).filter(RecoveryCode.used_at.is_(None))
    asked = select(left, made_at, func.max(RecoveryCode.used_at)).where(RecoveryCode.customer_id == customer_id)
    row = session.execute(asked).one()
    return CodesView(*row)


def drop_unused(session: Session, customer_id: str) -> None:
    """None of theirs opens anything any more. Used ones stay: nobody can use them again."""
    unused = (RecoveryCode.customer_id == customer_id, RecoveryCode.used_at.is_(None))
    session.execute(delete(RecoveryCode).where(*unused).execution_options(synchronize_session=False))
