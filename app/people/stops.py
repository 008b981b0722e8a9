"""Stopping everything: "that was not me". docs/stopping.md has the rules.

While a stop stands nothing of its customer's is decided or first sent, and whatever they decided before it was lifted
is void for good. Whoever decides, gives a link away, uses an approval or sends for the first time holds a stop off
until their transaction ends; who stops waits for them, and each of them who comes later sees it.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import bindparam, exists, or_, select, update
from sqlalchemy.orm import Session

from app.audit import entries
from app.audit.kinds import Kind
from app.db.locks import lock_name
from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict
from app.people import passkeys, recovery, sessions
from app.people.events import CustomerStopped, StopLifted
from app.people.models import Recovery, Stop, ToolToken
from app.people.passkeys import RelyingParty, Started
from app.people.sessions import SignedIn
from app.services import Services
from consent import sign_ins, trips
from consent.base import new_id

#: of one customer, that are shown
STOPS_MOST = 20


def is_stopped(session: Session, customer_id: str) -> bool:
    """Whether a stop of theirs stands."""
    return standing(session, customer_id) is not None


def standing(session: Session, customer_id: str) -> Stop | None:
    """Their stop that stands."""
    return session.scalar(select(Stop).where(Stop.customer_id == customer_id, Stop.lifted_at.is_(None)))


def stops_of(session: Session, customer_id: str) -> list[Stop]:
    """Whatever they stopped, the latest first."""
    return list(
        session.scalars(
            select(Stop)
            .where(Stop.customer_id == customer_id)
            .order_by(Stop.at.desc(), Stop.id.desc())
            .limit(STOPS_MOST)
        )
    )


_VOIDS = select(
    exists().where(
        Stop.customer_id == bindparam("of_customer"),
        or_(Stop.lifted_at.is_(None), Stop.lifted_at >= bindparam("decided_at")),
    )
)


def voids(session: Session, customer_id: str, *, decided_at: dt.datetime) -> bool:
    """Whether what they decided then is void: a stop stands, or was lifted only after it."""
    return bool(session.scalar(_VOIDS, {"of_customer": customer_id, "decided_at": decided_at}))


def must_not_stand(uow: UnitOfWork, customer_id: str) -> None:
    """Nothing is begun while a stop stands, nor by who asked before it was lifted. Raises Conflict."""
    if voids(uow.session, customer_id, decided_at=uow.now):
        raise Conflict("stopped-all", "Everything is stopped, so nothing was begun. Lift the stop first.")


def hold_off(session: Session, customer_id: str) -> None:
    """No stop of theirs comes before this transaction ends; one that came already is seen by whoever asks now.

    A name of its own, no row: nobody is to wait for it who only counts, or writes to, this customer. It stands behind
    invoice, payment and account, and before a standing consent and its limits, in everybody's order.
    """
    lock_name(session, _name_of(customer_id), shared=True)


def stop_everything(services: Services, *, signed_in: SignedIn) -> None:
    """At once: nothing more of theirs is decided or sent, every other session ends, and so does whatever their own
    tools hold; ceremonies and sign-ins at banks are forgotten, with what open trips to banks need to come to anything.
    What follows for consents is done with it, what follows for payments by work of its own (CustomerStopped).

    This session goes on, or who stops could not see what became of it. Said again, it ends what has come since.
    Raises NotAllowed in a demo visit.
    """
    signed_in.check_stops()
    with services.unit_of_work() as uow:
        stop_within(services, uow, signed_in=signed_in)
        uow.commit()


def stop_within(services: Services, uow: UnitOfWork, *, signed_in: SignedIn) -> None:
    """The same in a transaction that has more to do with it."""
    customer_id = signed_in.customer.id
    take_turn(uow.session, customer_id)
    stop = standing(uow.session, customer_id)
    if stop is None:
        # by the clock of now: whoever was waited for decided before
        stop = Stop(id=new_id("stp"), customer_id=customer_id, session_id=signed_in.session_id, at=services.clock())
        uow.session.add(stop)
        uow.session.flush()
        entries.write(uow, Kind.CUSTOMER_STOPPED, stop)
        uow.record(CustomerStopped(customer_id=customer_id))
    elif stop.paused_by is not None:  # for a recovery, which took nothing back
        stop.paused_by = None
        uow.record(CustomerStopped(customer_id=customer_id))
    sessions.end_others(uow, customer_id=customer_id, but=signed_in.session_id)
    passkeys.forget_ceremonies(uow.session, customer_id)
    end_what_is_open(uow, customer_id)


def end_what_is_open(uow: UnitOfWork, customer_id: str) -> None:
    """Their own tools read nothing more, and whoever is at a bank for them cannot go on from there. The caller has
    taken their turn (``take_turn``). A stop that stands only for a recovery is one of everything from now on."""
    stop = standing(uow.session, customer_id)
    if stop is not None:
        stop.paused_by = None
    held = update(ToolToken).where(ToolToken.customer_id == customer_id, ToolToken.ended_at.is_(None))
    uow.session.execute(held.values(ended_at=uow.now))
    sign_ins.forget_of_customer(uow.session, customer_id)
    trips.forget_of_customer(uow.session, customer_id)


def take_turn(session: Session, customer_id: str) -> None:
    """Wait for whoever holds a stop of theirs off, and hold off whoever comes later, until this transaction ends."""
    lock_name(session, _name_of(customer_id))


def pause(uow: UnitOfWork, for_it: Recovery, *, at: dt.datetime) -> None:
    """Nothing of theirs is begun while this recovery waits, nor afterwards until a passkey lifts that: a stop like
    every other one, but that nothing is taken back and nobody signed out. A stop that stands already is enough. The
    caller has taken their turn. ``at``: by the clock of now, since whoever was waited for decided before."""
    if is_stopped(uow.session, for_it.customer_id):
        return
    stop = Stop(
        id=new_id("stp"),
        customer_id=for_it.customer_id,
        session_id=for_it.id,
        paused_by=for_it.id,
        at=at,
    )
    uow.session.add(stop)
    uow.session.flush()
    entries.write(uow, Kind.CUSTOMER_STOPPED, stop)


def start_lifting(uow: UnitOfWork, *, signed_in: SignedIn, party: RelyingParty) -> Started:
    """Ask for a passkey of theirs. Raises NotAllowed (demo visit, no passkey), Conflict where nothing is stopped."""
    signed_in.check_acts()
    stop = standing(uow.session, signed_in.customer.id)
    if stop is None:
        raise _not_stopped()
    return passkeys.start_approval(
        uow, party=party, customer_id=signed_in.customer.id, purpose="lift", data={"stop": stop.id}
    )


def lift(
    services: Services, *, signed_in: SignedIn, party: RelyingParty, ceremony: object, credential: dict[str, Any]
) -> None:
    """From now on they can pay again. What was stopped stays stopped. Whoever waits for a way in by e-mail waits for
    nothing from now on: there is a passkey. Raises NotAllowed, Invalid, Conflict."""
    signed_in.check_acts()
    customer_id = signed_in.customer.id
    with services.unit_of_work() as uow:
        taken = passkeys.take(uow, token=ceremony, purpose="lift", customer_id=customer_id)
        take_turn(uow.session, customer_id)
        stop = standing(uow.session, customer_id)
        if stop is None or stop.id != taken.data["stop"]:
            raise _not_stopped()
        _, evidence = passkeys.verify(uow, party=party, ceremony=taken, credential=credential, customer_id=customer_id)
        stop.lifted_at, stop.lifted_evidence = services.clock(), evidence
        uow.session.flush()
        entries.write(uow, Kind.STOP_LIFTED, stop)
        recovery.stop_waiting(uow, customer_id, evidence=evidence)
        uow.record(StopLifted(customer_id=customer_id))
        uow.commit()


def _name_of(customer_id: str) -> str:
    return f"stop:{customer_id}"


def _not_stopped() -> Conflict:
    return Conflict("not-stopped", "Nothing is stopped, or the stop was lifted already.")
