"""Erasing a space: asked by a passkey, done once nothing is under way, for good. docs/erasing.md has the rules.

Asking stops everything (app/people/stops.py): nothing more is begun, what can be stopped is stopped, consents end at
their banks. Then the worker waits for what is under way, erases, and destroys the key of the profile; years later what
proves payments goes the same way. Each step may die anywhere and is begun anew.
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict
from app.journey.connections import step as connections
from app.journey.connections.models import Connection, Redemption
from app.journey.connections.states import CONNECTION, By, ConnectionState, ConnectionStep
from app.journey.decisions.models import Decision
from app.journey.erasure import emptying
from app.journey.erasure.models import Erasure
from app.journey.erasure.states import ERASURE, ErasureState, ErasureStep
from app.journey.payments.models import Payment
from app.journey.payments.states import OVER
from app.people import passkeys, stops, way_in
from app.people.customers import lock_customer
from app.people.events import ErasureAsked
from app.people.models import Customer
from app.people.passkeys import RelyingParty, Started
from app.people.sessions import SignedIn
from app.services import Services
from consent.base import new_id
from consent.models import Consent, Standing
from consent.private import KeyKind

log = logging.getLogger("quittance.erasure")

#: for a bank to confirm that a consent has ended: after that it is not waited for
CONSENTS_WAIT = dt.timedelta(days=7)
#: what was under way to somebody when the space was erased has arrived, or was given up, by then
SWEPT_AFTER = dt.timedelta(days=8)
#: in which its customer can take it back, with any passkey, whoever asked for it
TO_TAKE_BACK = dt.timedelta(days=3)
#: where somebody came back without a passkey shortly before, who may be somebody else
TO_TAKE_BACK_AFTER_RETURN = dt.timedelta(days=7)


# ------------------------------------------------------------------------------------------------------ what is asked


def start_asking(uow: UnitOfWork, *, signed_in: SignedIn, party: RelyingParty) -> Started:
    """Ask for a passkey. Raises NotAllowed (demo visit, no passkey), Conflict where it was asked already."""
    signed_in.check_acts()
    if erasure_of(uow.session, signed_in.customer.id) is not None:
        raise _asked_already()
    return passkeys.start_approval(uow, party=party, customer_id=signed_in.customer.id, purpose="erase", data={})


def ask(
    services: Services, *, signed_in: SignedIn, party: RelyingParty, ceremony: object, credential: dict[str, Any]
) -> None:
    """From now on nothing is begun, and once nothing is under way the space is erased. Raises NotAllowed, Invalid,
    Conflict; then nothing was changed."""
    signed_in.check_acts()
    customer_id = signed_in.customer.id
    with services.unit_of_work() as uow:
        lock_customer(uow.session, customer_id)
        taken = passkeys.take(uow, token=ceremony, purpose="erase", customer_id=customer_id)
        if erasure_of(uow.session, customer_id) is not None:
            raise _asked_already()
        passkeys.verify(uow, party=party, ceremony=taken, credential=credential, customer_id=customer_id)
        stops.stop_within(services, uow, signed_in=signed_in)
        wait = TO_TAKE_BACK_AFTER_RETURN if way_in.came_lately(uow.session, customer_id, now=uow.now) else TO_TAKE_BACK
        erasure = Erasure(id=new_id("ers"), customer_id=customer_id, asked_at=uow.now, not_before=uow.now + wait)
        uow.session.add(erasure)
        uow.record(ErasureAsked(customer_id=customer_id))
        uow.commit()


def take_back(uow: UnitOfWork, *, signed_in: SignedIn) -> None:
    """The customer stays. The stop stands until they lift it. Raises NotAllowed, and Conflict where nothing waits."""
    signed_in.check_acts()
    erasure = erasure_of(uow.session, signed_in.customer.id, lock=True)
    if erasure is None or erasure.state != ErasureState.WAITING:
        raise Conflict("not-erasing", "Nothing is being erased.")
    _step(uow, erasure, ErasureStep.TAKE_BACK)


def erasure_of(session: Session, customer_id: str, *, lock: bool = False) -> Erasure | None:
    """The one that was not taken back."""
    found = select(Erasure).where(Erasure.customer_id == customer_id, Erasure.state != ErasureState.TAKEN_BACK)
    return session.scalar(found.with_for_update() if lock else found)


# ------------------------------------------------------------------------------------------------- what the worker does


def go_on(services: Services) -> None:
    """Do with each erasure what its time has come for."""
    for erasure_id in _some(services):
        try:
            _go_on(services, erasure_id)
        except Exception:  # the edge of the loop: one that fails keeps no other one up
            log.exception("the erasure %s failed, and gets its next turn", erasure_id)


def destroy_again(services: Services) -> None:
    """The keys that were destroyed are: who brings back a copy of their database would bring these back as well."""
    with services.reading() as uow:
        gone = uow.session.execute(
            select(Erasure.customer_id, Erasure.record_gone_at).where(Erasure.profile_gone_at.is_not(None))
        ).all()
    for customer_id, record_gone_at in gone:
        for kind in (KeyKind.PROFILE, KeyKind.RECORD) if record_gone_at else (KeyKind.PROFILE,):
            if not services.customer_keys.is_destroyed(customer_id, kind):
                log.error("a key of %s that was destroyed is there again: destroyed anew", customer_id)
                services.customer_keys.destroy(customer_id, kind)


def _some(services: Services) -> list[str]:
    """All of them: one that waits, or fails, must not keep another one up."""
    with services.reading() as uow:
        waits = (Erasure.state == ErasureState.WAITING) & (Erasure.not_before <= uow.now)
        half_done = (Erasure.erased_at.is_not(None) & Erasure.profile_gone_at.is_(None)) | (
            (Erasure.state == ErasureState.FORGOTTEN) & Erasure.record_gone_at.is_(None)
        )
        unswept = Erasure.swept_at.is_(None) & (Erasure.erased_at <= uow.now - SWEPT_AFTER)
        over = (Erasure.state == ErasureState.ERASED) & (Erasure.keep_until <= uow.now)
        found = select(Erasure.id).where(waits | half_done | unswept | over).order_by(Erasure.id)
        return list(uow.session.scalars(found))


def _go_on(services: Services, erasure_id: str) -> None:
    with services.unit_of_work() as uow:
        erasure = uow.session.get_one(Erasure, erasure_id, with_for_update=True)
        customer_id = erasure.customer_id
        if erasure.state == ErasureState.WAITING:
            _erase_or_wait(services, uow, erasure)
        elif erasure.swept_at is None and erasure.erased_at and erasure.erased_at <= uow.now - SWEPT_AFTER:
            emptying.empty(uow, customer_id)
            if erasure.state == ErasureState.FORGOTTEN:
                emptying.forget(uow, customer_id)
            uow.session.get_one(Erasure, erasure_id).swept_at = uow.now
        is_over = erasure.state == ErasureState.ERASED and erasure.keep_until and erasure.keep_until <= uow.now
        if is_over and not has_consent_at_bank(uow.session, customer_id):
            emptying.forget(uow, customer_id)
            _step(uow, uow.session.get_one(Erasure, erasure_id), ErasureStep.FORGET)
        state = erasure.state
        uow.commit()
    # the keys after the rows: whoever dies between comes back, and nobody has rows that no key opens
    if state in (ErasureState.ERASED, ErasureState.FORGOTTEN):
        _destroy(services, erasure_id, KeyKind.PROFILE)
    if state == ErasureState.FORGOTTEN:
        _destroy(services, erasure_id, KeyKind.RECORD)


def _destroy(services: Services, erasure_id: str, kind: KeyKind) -> None:
    with services.unit_of_work() as uow:
        erasure = uow.session.get_one(Erasure, erasure_id, with_for_update=True)
        if (erasure.profile_gone_at if kind is KeyKind.PROFILE else erasure.record_gone_at) is not None:
            return
        services.customer_keys.destroy(erasure.customer_id, kind)
        if kind is KeyKind.PROFILE:
            erasure.profile_gone_at = uow.now
        else:
            erasure.record_gone_at = uow.now
        uow.commit()


def _erase_or_wait(services: Services, uow: UnitOfWork, erasure: Erasure) -> None:
    customer_id = erasure.customer_id
    lock_customer(uow.session, customer_id)
    stops.take_turn(uow.session, customer_id)  # nobody lifts it, nor begins anything, until this is through
    if not stops.is_stopped(uow.session, customer_id):
        _step(uow, erasure, ErasureStep.TAKE_BACK)  # its customer has lifted the stop: they go on
        return
    if is_anything_under_way(uow.session, erasure, now=uow.now):
        return
    _leave_companies(uow, customer_id)
    customer = uow.session.get_one(Customer, customer_id)
    customer.erased_at = uow.now
    has_paid = is_anything_to_prove(uow.session, customer_id)
    years = services.settings.keep_payments_years if has_paid else 0
    erasure.erased_at = uow.now
    erasure.keep_until = _years_after(uow.now, years)
    _step(uow, erasure, ErasureStep.ERASE)
    uow.session.flush()
    emptying.empty(uow, customer_id)


def is_anything_to_prove(session: Session, customer_id: str) -> bool:
    """Whether they ever decided to pay, or allowed a bank to."""
    decided = select(Decision.id).where(Decision.customer_id == customer_id).limit(1)
    allowed = select(Standing.consent_id).where(Standing.customer_id == customer_id).limit(1)
    return session.scalar(decided) is not None or session.scalar(allowed) is not None


def has_consent_at_bank(session: Session, customer_id: str) -> bool:
    """Whether a bank has one of theirs and has not said that it is gone: its id is needed until then."""
    return session.scalar(_AT_BANK.where(Standing.customer_id == customer_id).limit(1)) is not None


_AT_BANK = (
    select(Standing.consent_id)
    .join(Consent, Consent.id == Standing.consent_id)
    .where(Standing.gone_at.is_(None), Consent.bank_consent_id.is_not(None))
)


def is_anything_under_way(session: Session, erasure: Erasure, *, now: dt.datetime) -> bool:
    """A payment whose end is not known, or, for a week, a consent that its bank has not ended yet."""
    of_customer = Payment.customer_id == erasure.customer_id
    payment = select(Payment.id).where(of_customer, Payment.state.not_in(OVER) | Payment.doubted_since.is_not(None))
    if session.scalar(payment.limit(1)) is not None:
        return True
    is_waited_for = now < erasure.asked_at + CONSENTS_WAIT
    return is_waited_for and has_consent_at_bank(session, erasure.customer_id)


def _leave_companies(uow: UnitOfWork, customer_id: str) -> None:
    """Each is told what it is told of anybody who leaves, and no more."""
    theirs = select(Connection.id).where(Connection.customer_id == customer_id)
    # an offer that is declined lets go of what it came by: nobody would find that any more
    came = update(Redemption).where(Redemption.connection_id.in_(theirs)).values(presented=None, reference=None)
    uow.session.execute(came.execution_options(synchronize_session=False))
    of_customer = select(Connection).where(Connection.customer_id == customer_id).order_by(Connection.id)
    for connection in uow.session.scalars(of_customer.with_for_update()):
        for way in (ConnectionStep.LEAVE, ConnectionStep.DECLINE):
            if CONNECTION.allows(ConnectionState(connection.state), way):
                connections.take(uow, connection, way, by=By.CUSTOMER)
                break


def _step(uow: UnitOfWork, erasure: Erasure, step: ErasureStep) -> None:
    """The only writer of its state."""
    erasure.state = ERASURE.next(ErasureState(erasure.state), step)
    if step is ErasureStep.TAKE_BACK:
        erasure.ended_at = uow.now


def _years_after(now: dt.datetime, years: int) -> dt.datetime:
    return now + dt.timedelta(days=366 * years)


def _asked_already() -> Conflict:
    return Conflict("erasing", "Your space is being erased already.")
