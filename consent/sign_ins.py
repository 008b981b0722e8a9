"""Sign-ins at banks that take no order without one (NextGenPSD2: OAuth2 as a pre-step). They pay and approve nothing.

A sign-in is a trip of the browser without a consent, and then a token of the customer's until that dies. It serves
every order that its customer gives there meanwhile.
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from connectors.contract import Authorised
from consent import tokens, trips
from consent.base import new_id
from consent.models import Sealed, SignIn, Trip
from consent.vault import Vault

#: how long it may take to sign in there
TRIP_LIFE = dt.timedelta(minutes=30)
#: of one customer, that were begun and not ended
BEGUN_MOST = 10
#: no order is given, nor given again, with a token that lives for less: at some banks only that tells of the order,
#: nobody is sent to approve in its last two minutes, and whoever goes there needs a moment to do so
ORDER_SPARE = dt.timedelta(seconds=150)
#: beside the time to approve at the bank: for leaving, and for the question what became of it
SPARE = dt.timedelta(minutes=2)
#: nobody is taken for signed in there for longer, however long the token lives
ORDERS = dt.timedelta(hours=1)
#: a token whose life nobody states is tried until the bank refuses it, for so long
UNSTATED = dt.timedelta(hours=24)
#: what was confirmed with a sign-in that was good is not stopped a moment later
GRACE = dt.timedelta(minutes=1)


def plan(
    session: Session,
    vault: Vault,
    *,
    customer_id: str,
    bank_id: str,
    invoice_id: str,
    part: str | None = None,
    return_url: str,
    state_in_path: bool,
    now: dt.datetime,
) -> SignIn:
    """Prepare one. ``part``: what of the invoice is to be paid then. ``return_url`` as in trips.plan."""
    unfinished = select(SignIn).where(SignIn.customer_id == customer_id, SignIn.signed_in_at.is_(None))
    for old in session.scalars(unfinished.order_by(SignIn.id.desc()).offset(BEGUN_MOST - 1)).all():
        forget(session, old)
    trip = trips.plan(
        session,
        vault,
        customer_id=customer_id,
        bank_id=bank_id,
        return_url=return_url,
        state_in_path=state_in_path,
        now=now,
        life=TRIP_LIFE,
    )
    sign_in = SignIn(
        id=new_id("sgn"),
        customer_id=customer_id,
        bank_id=bank_id,
        trip_id=trip.id,
        invoice_id=invoice_id,
        part=part,
        created_at=now,
        expires_at=now + TRIP_LIFE,
    )
    session.add(sign_in)
    session.flush()
    return sign_in


def of_trip(session: Session, trip: Trip) -> SignIn | None:
    """The sign-in that this trip is for; None: it is a payment's."""
    return session.scalar(select(SignIn).where(SignIn.trip_id == trip.id))


def keep(session: Session, vault: Vault, sign_in: SignIn, authorised: Authorised, *, now: dt.datetime) -> None:
    """Seal its token until that dies. The customer's earlier sign-ins there are over: the last one says who it is."""
    if authorised.access_token is None:
        raise ValueError("a sign-in without a token is none")
    earlier = select(SignIn).where(
        SignIn.customer_id == sign_in.customer_id,
        SignIn.bank_id == sign_in.bank_id,
        SignIn.id != sign_in.id,
        SignIn.signed_in_at.is_not(None),
    )
    for old in session.scalars(earlier).all():
        forget(session, old)
    sign_in.signed_in_at = now
    stated = authorised.expires_in_s
    sign_in.expires_at = now + (UNSTATED if stated is None else dt.timedelta(seconds=stated))
    vault.put(session, _box(sign_in.id), authorised.access_token, now=now, expires_at=sign_in.expires_at)


def live(
    session: Session,
    *,
    customer_id: str,
    bank_id: str,
    approval: dt.timedelta,
    now: dt.datetime,
    grace: dt.timedelta = dt.timedelta(),
) -> SignIn | None:
    """The customer's sign-in there, if an order may still be given with it.

    ``approval``: how long one may take there to approve an order. ``grace``: how much later it may be.
    """
    sign_in = session.scalar(
        select(SignIn)
        .where(SignIn.customer_id == customer_id, SignIn.bank_id == bank_id, SignIn.signed_in_at.is_not(None))
        .order_by(SignIn.signed_in_at.desc(), SignIn.id.desc())
        .limit(1)
    )
    if sign_in is None or sign_in.signed_in_at is None:
        return None
    last = good_until(signed_in_at=sign_in.signed_in_at, expires_at=sign_in.expires_at, approval=approval)
    is_good = now < last + grace and lives_for_an_order(sign_in.expires_at, now=now)
    return sign_in if is_good else None


def good_until(*, signed_in_at: dt.datetime, expires_at: dt.datetime, approval: dt.timedelta) -> dt.datetime:
    """Until when an order may be given.

    At some banks only the very token tells what became of an order, so what is begun with it must have the time to end:
    to leave for the approval, and to approve. Where it lives too short for that, its first half is for giving orders.
    After an hour one signs in again, whatever the bank says: it may be somebody else who sits there.
    """
    spare = max(ORDER_SPARE, min(2 * approval + SPARE, (expires_at - signed_in_at) / 2))
    return min(expires_at - spare, signed_in_at + ORDERS)


def lives_for_an_order(expires_at: dt.datetime, *, now: dt.datetime) -> bool:
    """Whether a token that dies then lives long enough to give an order with it."""
    return now + ORDER_SPARE <= expires_at


def token_of(session: Session, vault: Vault, sign_in: SignIn, *, now: dt.datetime) -> tokens.CustomersToken | None:
    """Its token, while it lives and opens. One that does not open is kept, for a process that has its key."""
    token = tokens.opened(session, vault, _box(sign_in.id), now=now)
    return None if token is None else tokens.CustomersToken(token, sign_in.expires_at)


def forget_token(
    session: Session, vault: Vault, *, customer_id: str, bank_id: str, access_token: str, now: dt.datetime
) -> None:
    """The bank does not take it: the sign-in that it is of, if that is still here, is good for no other order."""
    theirs = select(SignIn).where(SignIn.customer_id == customer_id, SignIn.bank_id == bank_id)
    for sign_in in session.scalars(theirs).all():
        if tokens.opened(session, vault, _box(sign_in.id), now=now) == access_token:
            forget(session, sign_in)


def forget(session: Session, sign_in: SignIn) -> None:
    """It is over, with all of its secrets. The trip is locked first, as by who comes back from it."""
    trip = session.get(Trip, sign_in.trip_id, with_for_update=True)
    session.execute(delete(Sealed).where(Sealed.id == _box(sign_in.id)))
    trips.forget(session, sign_in.trip_id)
    session.delete(sign_in)
    session.flush()  # the row that points at the trip first
    if trip is not None:
        session.delete(trip)


def forget_of_invoice(session: Session, invoice_id: str) -> None:
    """The page to which its customer was to come back goes."""
    for sign_in in session.scalars(select(SignIn).where(SignIn.invoice_id == invoice_id)).all():
        forget(session, sign_in)


def forget_of_customer(session: Session, customer_id: str) -> None:
    """Whoever is signed in for them at whatever bank, or about to be."""
    theirs = select(SignIn).where(SignIn.customer_id == customer_id).order_by(SignIn.id)
    for sign_in in session.scalars(theirs).all():
        forget(session, sign_in)


def drop_expired(session: Session, *, now: dt.datetime) -> None:
    """Those with which no order can be given any more."""
    of_no_use = or_(SignIn.expires_at <= now, SignIn.signed_in_at <= now - ORDERS - GRACE)
    for over in session.scalars(select(SignIn).where(of_no_use)).all():
        forget(session, over)


def _box(sign_in_id: str) -> str:
    return f"sign_in:{sign_in_id}:token"
