"""Devices that show what their customer is told: which there are, and how one comes and goes.

A device is a browser, known again by a cookie of its own, so that it stays the same one however often its sign-in is
over by itself. It goes with a sign-in that is ended, with the passkey by which it was last signed in (``sessions.py``),
by its customer's hand, and when its push service knows it no more.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.db.locks import lock_name
from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict, Invalid
from app.people.customers import lock_customer
from app.people.events import DeviceAdded
from app.people.models import CustomerSession, PushDevice
from app.people.sessions import SignedIn
from app.strangers import may_be_called
from connectors.web_push import NoSubscription, Subscription
from consent.base import hash_of, new_id, new_secret
from consent.private import keys_of

#: of one customer: each may be reached at a place that never answers
DEVICES_MOST = 5


def add(
    uow: UnitOfWork, *, signed_in: SignedIn, wanted: object, user_agent: str, demo: bool, token: str | None = None
) -> str:
    """Have this browser show notices from now on. ``wanted`` is what it made of the subscription, ``token`` of the
    cookie by which it was known until now. Returns the value of the one by which it is known again. Raises Invalid,
    Conflict, NotAllowed."""
    signed_in.check_acts()
    try:
        subscription = Subscription.parse(wanted)
    except NoSubscription:
        raise Invalid("device-not-told", "The browser did not say how it is reached. Nothing was changed.") from None
    if not may_be_called(subscription.endpoint, demo=demo):
        raise Invalid(
            "device-not-reached", "Nothing may be sent to where this browser is reached. Nothing was changed."
        )
    customer_id, key = signed_in.customer.id, keys_of(uow.session).hash_of(f"push:{subscription.endpoint}")
    lock_customer(uow.session, customer_id)
    lock_name(uow.session, f"push-device:{key}")
    # locked: whoever ends this sign-in meanwhile ends the device with it, or is seen
    here = uow.session.get(CustomerSession, signed_in.session_id, with_for_update=True)
    if here is None or here.credential_id is None:
        raise Conflict("session-over", "This was ended meanwhile. Nothing was changed.")
    # the same browser once more, be it another person's now: what was to be shown there is theirs no longer
    there = delete(PushDevice).where(PushDevice.endpoint_key == key).returning(PushDevice.customer_id)
    was_theirs = uow.session.scalar(there) == customer_id
    forget(uow, token=token)
    theirs = select(func.count()).where(PushDevice.customer_id == customer_id)
    if (uow.session.scalar(theirs) or 0) >= DEVICES_MOST:
        raise Conflict(
            "too-many-devices", "There are as many devices as we keep. Nothing was changed; remove one first."
        )
    made, device_id = new_secret(), new_id("pdv")
    uow.session.add(
        PushDevice(
            id=device_id,
            customer_id=customer_id,
            session_id=here.id,
            credential_id=here.credential_id,
            token_hash=hash_of(made),
            endpoint_key=key,
            subscription=subscription.as_json(),
            user_agent=user_agent[:200],
            created_at=uow.now,
        )
    )
    if not was_theirs:
        uow.record(DeviceAdded(customer_id=customer_id, device_id=device_id))
    return made


def devices_of(session: Session, *, customer_id: str) -> Sequence[PushDevice]:
    """The newest first."""
    found = select(PushDevice).where(PushDevice.customer_id == customer_id)
    return session.scalars(found.order_by(PushDevice.created_at.desc(), PushDevice.id.desc())).all()


def is_known_by(device: PushDevice, token: str | None) -> bool:
    """Whether this is the browser with this cookie."""
    return token is not None and device.token_hash == hash_of(token)


def forget(uow: UnitOfWork, *, token: str | None) -> None:
    """Nothing is shown any more in the browser with this cookie, whosever device it is."""
    if token is not None:
        uow.session.execute(delete(PushDevice).where(PushDevice.token_hash == hash_of(token)))


def remove(uow: UnitOfWork, *, customer_id: str, device_id: str) -> None:
    """Nothing is shown there any more, of what waits as well. One that is gone already is fine."""
    uow.session.execute(delete(PushDevice).where(PushDevice.customer_id == customer_id, PushDevice.id == device_id))
