"""Sign-ins: one row a device, the token only as a hash, idle after 15 minutes, over after 12 hours."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, or_, select, update
from sqlalchemy.orm import Session

from app.db.unit_of_work import UnitOfWork
from app.errors import NotAllowed
from app.people.models import Customer, CustomerSession, PushDevice, Recovery, RecoveryCode, Stop
from app.people.recovery_states import RecoveryState
from consent.base import hash_of, new_id, new_secret

IDLE = dt.timedelta(minutes=15)
LONGEST = dt.timedelta(hours=12)
#: of whoever came in without a passkey, to make one
LONGEST_WITHOUT_PASSKEY = dt.timedelta(hours=1)
#: how stale seen_at may be: a page view is not a database write each time
SEEN_STEP = dt.timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The customer behind a request."""

    customer: Customer
    session_id: str
    read_only: bool
    has_stopped: bool = False  #: everything, when the page was asked for: for its words, and no verdict
    is_paused: bool = False  #: by a recovery alone; they have not stopped everything themselves
    way_back: str | None = None  #: by which they came in without a passkey
    recovery_opens_at: dt.datetime | None = None  #: of the recovery that waits: for its words as well
    code_used_at: dt.datetime | None = None  #: when a recovery code was used while this session was open already

    def check_acts(self) -> None:
        """Raises NotAllowed in a demo visit, which looks and changes nothing, and for whoever has no passkey."""
        self.check_stops()
        if self.way_back is not None:
            raise NotAllowed("passkey-first", "Make a passkey first, and sign in with it.")

    def check_stops(self) -> None:
        """The same for what ends things: whoever came in to make a passkey may do that. Raises NotAllowed."""
        if self.read_only:
            raise NotAllowed("demo-visit", "This is a demo visit: it looks and changes nothing.")


def open_session(
    uow: UnitOfWork,
    *,
    customer_id: str,
    user_agent: str,
    read_only: bool,
    replaces: str | None,
    credential_id: bytes | None = None,
    way_back: str | None = None,
    device: str | None = None,
) -> str:
    """Sign in: a new token at every change of privilege; the replaced session is over. ``credential_id``: the passkey
    by which; None for a visit, and for ``way_back``: by a recovery code or a recovery. ``device``: of the cookie of a
    browser that shows notices, which from now on is signed in by this. Returns the cookie's value."""
    if replaces is not None:
        uow.session.execute(delete(CustomerSession).where(CustomerSession.id == replaces))
    token, session_id = new_secret(), new_id("ses")
    if device is not None and credential_id is not None:
        known = (PushDevice.customer_id == customer_id, PushDevice.token_hash == hash_of(device))
        now_by = {"session_id": session_id, "credential_id": credential_id}
        uow.session.execute(update(PushDevice).where(*known).values(now_by))
    uow.session.add(
        CustomerSession(
            id=session_id,
            token_hash=hash_of(token),
            customer_id=customer_id,
            credential_id=credential_id,
            read_only=read_only,
            way_back=way_back,
            user_agent=user_agent[:200],
            created_at=uow.now,
            seen_at=uow.now,
        )
    )
    return token


def find(session: Session, *, token: str, now: dt.datetime) -> tuple[SignedIn, bool] | None:
    """Who this cookie is, and whether ``seen_at`` wants writing. None when it is nobody's or over."""
    row = session.execute(_FOUND, {"token_hash": hash_of(token)}).one_or_none()
    if row is None:
        return None
    signed_in, customer, stop_id, paused_by, opens_at, code_used_at = row
    longest = LONGEST if signed_in.way_back is None else LONGEST_WITHOUT_PASSKEY
    if now - signed_in.seen_at > IDLE or now - signed_in.created_at > longest:
        return None
    who = SignedIn(
        customer,
        signed_in.id,
        signed_in.read_only,
        has_stopped=stop_id is not None,
        is_paused=paused_by is not None,
        way_back=signed_in.way_back,
        recovery_opens_at=opens_at,
        code_used_at=code_used_at,
    )
    return who, now - signed_in.seen_at > SEEN_STEP


#: the session, its customer, and what is said about them at the top of every page
_FOUND = (
    select(
        CustomerSession,
        Customer,
        Stop.id,
        Stop.paused_by,
        Recovery.opens_at,
        select(func.max(RecoveryCode.used_at))
        .where(
            RecoveryCode.customer_id == CustomerSession.customer_id, RecoveryCode.used_at > CustomerSession.created_at
        )
        .scalar_subquery(),
    )
    .join(Customer, Customer.id == CustomerSession.customer_id)
    .outerjoin(Stop, and_(Stop.customer_id == Customer.id, Stop.lifted_at.is_(None)))
    .outerjoin(Recovery, and_(Recovery.customer_id == Customer.id, Recovery.state == RecoveryState.WAITING))
    .where(CustomerSession.token_hash == bindparam("token_hash"))
)


def touch(uow: UnitOfWork, session_id: str) -> None:
    """The customer is still here."""
    row = uow.session.get(CustomerSession, session_id)
    if row is not None:
        row.seen_at = uow.now


def sessions_of(session: Session, *, customer_id: str, now: dt.datetime) -> list[CustomerSession]:
    """Where the customer is signed in now, newest first."""
    return list(
        session.scalars(
            select(CustomerSession)
            .where(
                CustomerSession.customer_id == customer_id,
                CustomerSession.seen_at > now - IDLE,
                CustomerSession.created_at > now - LONGEST,
            )
            .order_by(CustomerSession.seen_at.desc())
            .limit(50)
        )
    )


def end(uow: UnitOfWork, *, session_id: str, customer_id: str) -> bool:
    """Sign out there: no notices are shown there any more either. A session that is already over is fine. Returns
    whether it was there."""
    there = delete(CustomerSession).where(CustomerSession.id == session_id, CustomerSession.customer_id == customer_id)
    was_there = uow.session.scalar(there.returning(CustomerSession.id)) is not None
    _end_devices(uow, customer_id, PushDevice.session_id == session_id)
    return was_there


def end_others(uow: UnitOfWork, *, customer_id: str, but: str) -> None:
    """Sign out everywhere else, visits of a demo as well, and have notices shown nowhere else."""
    uow.session.execute(
        delete(CustomerSession).where(CustomerSession.customer_id == customer_id, CustomerSession.id != but)
    )
    _end_devices(uow, customer_id, PushDevice.session_id != but)


def end_of_passkey(uow: UnitOfWork, credential_id: bytes, *, signed_in: SignedIn, signed_by: bytes) -> None:
    """Sign out whoever is signed in with this passkey, or with one that is not known; but not ``signed_in``, who has
    just signed with another one, and is signed in with that from now on. No device that was last signed in by it shows
    notices any more."""
    theirs = CustomerSession.customer_id == signed_in.customer.id
    here = CustomerSession.id == signed_in.session_id
    uow.session.execute(update(CustomerSession).where(theirs, here).values(credential_id=signed_by))
    unknown = and_(CustomerSession.credential_id.is_(None), CustomerSession.way_back.is_(None))
    by_it = or_(CustomerSession.credential_id == credential_id, unknown)
    uow.session.execute(delete(CustomerSession).where(theirs, ~here, CustomerSession.read_only.is_(False), by_it))
    device_here = (PushDevice.customer_id == signed_in.customer.id, PushDevice.session_id == signed_in.session_id)
    uow.session.execute(update(PushDevice).where(*device_here).values(credential_id=signed_by))
    _end_devices(uow, signed_in.customer.id, PushDevice.credential_id == credential_id)


def _end_devices(uow: UnitOfWork, customer_id: str, which: ColumnElement[bool]) -> None:
    """With what waits to be shown there. After the sign-ins: a device that one of them was just adding is waited for
    there, and seen here."""
    uow.session.execute(delete(PushDevice).where(PushDevice.customer_id == customer_id, which))


def drop_stale(uow: UnitOfWork) -> None:
    """Forget sessions that are over. A device goes on showing notices: nobody stays signed in for as long as that."""
    stale = delete(CustomerSession).where(CustomerSession.seen_at <= uow.now - LONGEST)
    uow.session.execute(stale.execution_options(synchronize_session=False))
