"""Coming in without a passkey, to make one: by a recovery code at once, by e-mail after a wait. docs/recovery.md.

Whoever comes in so has a session that is good for that alone, and for ending what others have (``SignedIn.way_back``).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from app.audit import entries
from app.audit.kinds import Kind
from app.db.unit_of_work import UnitOfWork
from app.errors import NotAllowed, TooLate
from app.people import passkeys, recovery, recovery_codes, sessions, stops
from app.people.customers import lock_customer
from app.people.events import RecoveryDone
from app.people.models import Customer, Passkey, Recovery, RecoveryCode, RemovedPasskey
from app.people.passkeys import RelyingParty, Started
from app.people.recovery import Shown
from app.people.recovery_states import RecoveryState
from app.people.sessions import SignedIn
from app.services import Services
from consent.base import new_id

_PURPOSE = "way-in"


@dataclass(frozen=True, slots=True)
class WayIn:
    """Whose space is open for a new passkey, and by what."""

    customer_id: str
    way_back: str  #: id of the code or the recovery


def by_code(uow: UnitOfWork, typed: str) -> WayIn | None:
    """Use a recovery code up. None: it opens nothing."""
    code = recovery_codes.use(uow, typed)
    return WayIn(code.customer_id, code.id) if code is not None else None


def begin_waiting(services: Services, uow: UnitOfWork, shown: Shown) -> str:
    """The words of the e-mail were right: from now on nothing of the customer's is begun, they are warned, and the way
    opens after the wait. Returns the value of the cookie by which this browser is known then. Raises TooLate where
    their address is not good for it any more."""
    lock_customer(uow.session, shown.customer_id)
    customer = uow.session.get_one(Customer, shown.customer_id, populate_existing=True)
    if not recovery.may_recover(customer, now=uow.now):
        raise TooLate("recovery-not-open", "This address was changed meanwhile. Nothing was changed.")
    stops.take_turn(uow.session, customer.id)
    begun, secret = recovery.begin(uow, customer.id)
    stops.pause(uow, begun, at=services.clock())
    return secret


def after_wait(uow: UnitOfWork, shown: Shown) -> WayIn:
    """Fresh words, in the browser in which the wait began. Raises TooLate."""
    opened = recovery.to_open(uow, shown.recovery_id or "")
    return WayIn(opened.customer_id, opened.id)


def start_passkey(uow: UnitOfWork, *, party: RelyingParty, signed_in: SignedIn) -> Started:
    """Begin to make the new passkey. Raises NotAllowed for whoever is signed in otherwise, TooLate."""
    way_back, customer = _way_back(signed_in), signed_in.customer
    if _is_recovery(way_back):
        recovery.to_open(uow, way_back)
    return passkeys.start_making(
        uow,
        party=party,
        purpose=_PURPOSE,
        name=customer.name,
        email=customer.email,
        customer_id=customer.id,
        data={"way_back": way_back},
        most=passkeys.WITH_WAYS_BACK,
    )


def finish_passkey(
    services: Services,
    *,
    signed_in: SignedIn,
    party: RelyingParty,
    ceremony: object,
    credential: dict[str, Any],
    name: str,
) -> None:
    """It is there, and this session is over: its customer signs in with it as always.

    After a code the passkeys of before stay: the new one can remove each. After e-mail none of them does, no session
    and nothing that whoever was here had allowed, and the stop stands until the new one lifts it. Raises NotAllowed,
    Invalid, TooLate.
    """
    way_back, customer = _way_back(signed_in), signed_in.customer
    with services.unit_of_work() as uow:
        lock_customer(uow.session, customer.id)  # whoever removes a passkey, or is second here, is waited for
        opened = None
        if _is_recovery(way_back):
            stops.take_turn(uow.session, customer.id)  # whoever lifts the stop stops the recovery as well
            opened = recovery.to_open(uow, way_back, lock=True)
        taken = passkeys.take(uow, token=ceremony, purpose=_PURPOSE, customer_id=customer.id)
        if taken.data["way_back"] != way_back:
            raise NotAllowed("session-over", "This was begun in another session. Nothing was changed.")
        made = passkeys.finish_making(
            uow,
            party=party,
            ceremony=taken,
            credential=credential,
            customer=customer,
            name=name,
            most=passkeys.WITH_WAYS_BACK,
        )
        uow.session.flush()
        if opened is not None:
            _take_over(uow, opened, made, credential, here=signed_in.session_id)
        # last of all: who stops everything has it locked only after their turn
        if not sessions.end(uow, session_id=signed_in.session_id, customer_id=customer.id):
            raise NotAllowed("session-over", "This session was ended meanwhile. Nothing was changed.")
        uow.commit()


def _take_over(uow: UnitOfWork, opened: Recovery, made: Passkey, credential: dict[str, Any], *, here: str) -> None:
    """Nothing of before opens or allows anything: neither passkeys, sessions, codes, tools nor consents."""
    customer_id = opened.customer_id
    evidence = {
        "recovery": opened.id,
        "credential_id": passkeys.public_id(made),
        "attestation_object": credential["response"]["attestationObject"],
        "client_data_json": credential["response"]["clientDataJSON"],
    }
    for gone in passkeys.passkeys_of(uow.session, customer_id):
        if gone is not made:
            _remove(uow, gone, evidence)
    passkeys.forget_ceremonies(uow.session, customer_id)
    recovery_codes.drop_unused(uow.session, customer_id)
    recovery.forget_attempts(uow.session, opened.id)
    sessions.end_others(uow, customer_id=customer_id, but=here)
    recovery.finish(uow, opened, evidence=evidence)
    stops.end_what_is_open(uow, customer_id)
    uow.record(RecoveryDone(customer_id=customer_id))


def _remove(uow: UnitOfWork, gone: Passkey, evidence: dict[str, Any]) -> None:
    uow.session.refresh(gone, with_for_update=True)  # whoever signs with it just now is waited for
    removed = RemovedPasskey(
        id=new_id("rpk"),
        customer_id=gone.customer_id,
        name=gone.name,
        made_at=gone.created_at,
        removed_at=uow.now,
        evidence=evidence,
    )
    uow.session.add(removed)
    uow.session.delete(gone)
    uow.session.flush()
    entries.write(uow, Kind.PASSKEY_REMOVED, removed)


def end_others(services: Services, *, signed_in: SignedIn) -> None:
    """Sign everybody else out, who may have the device that was lost. Raises NotAllowed."""
    _way_back(signed_in)
    with services.unit_of_work() as uow:
        sessions.end_others(uow, customer_id=signed_in.customer.id, but=signed_in.session_id)
        uow.commit()


def is_by_mail(signed_in: SignedIn) -> bool:
    """Whether they came in after the wait: the new passkey will be the only one then."""
    return _is_recovery(_way_back(signed_in))


def _way_back(signed_in: SignedIn) -> str:
    if signed_in.way_back is None:
        raise NotAllowed("passkey-first", "This is for whoever came in without a passkey.")
    return signed_in.way_back


def _is_recovery(way_back: str) -> bool:
    return way_back.startswith("rcv_")


#: so long somebody who came back without a passkey may still be somebody else
_LATELY = dt.timedelta(days=7)


def came_lately(session: Session, customer_id: str, *, now: dt.datetime) -> bool:
    """Whether somebody came back to this space without a passkey in the last days: by a code, or by e-mail."""
    since = now - _LATELY
    by_code = exists().where(RecoveryCode.customer_id == customer_id, RecoveryCode.used_at > since)
    by_mail = exists().where(
        Recovery.customer_id == customer_id, Recovery.state == RecoveryState.DONE, Recovery.ended_at > since
    )
    return bool(session.scalar(select(or_(by_code, by_mail))))
