"""Journeys of a browser to the bank and back: prepared before the bank is called, bound to the browser that leaves.

The secrets of a trip (verifier, state, answer) are sealed in the vault. At most banks the state is also the last part
of the return address, which comes letter by letter: who reads it there lacks the cookie of the browser that left.
"""

from __future__ import annotations

import datetime as dt
import hmac
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, exists, literal, select
from sqlalchemy.orm import Session

from connectors.contract import ScaOAuth
from connectors.security.pkce import new_verifier
from consent.base import hash_of, new_id, new_secret
from consent.models import Sealed, Trip
from consent.vault import Vault, VaultError

#: a code is exchanged, or was lost with its worker, so long after that was begun
EXCHANGING = dt.timedelta(minutes=1)
#: what is sealed of one
_SECRETS = ("state", "verifier", "answer")


@dataclass(frozen=True, slots=True)
class TripSecrets:
    """What the redirect needs. Never logged, never shown."""

    state: str
    verifier: str

    @property
    def nonce(self) -> str:
        """What an id_token must repeat (OpenID Connect). Made of the verifier, which it does not tell."""
        return hash_of(f"nonce:{self.verifier}")

    def __repr__(self) -> str:
        return "TripSecrets(<secret>)"


def plan(
    session: Session,
    vault: Vault,
    *,
    customer_id: str,
    bank_id: str,
    return_url: str,
    state_in_path: bool,
    now: dt.datetime,
    life: dt.timedelta,
) -> Trip:
    """Prepare a trip. ``return_url`` is our address for this bank. ``state_in_path``: the state becomes its last part;
    not where the bank takes only an address that it knows beforehand."""
    state, verifier = new_secret(), new_verifier()
    trip = Trip(
        id=new_id("trp"),
        customer_id=customer_id,
        bank_id=bank_id,
        state_hash=hash_of(state),
        redirect_uri=f"{return_url}/{state}" if state_in_path else return_url,
        created_at=now,
    )
    session.add(trip)
    session.flush()
    for name, secret in (("state", state), ("verifier", verifier)):
        vault.put(session, _box(trip.id, name), secret, now=now, expires_at=now + life)
    return trip


def secrets_of(session: Session, vault: Vault, trip: Trip) -> TripSecrets:
    """Open the trip's state and verifier. Raises VaultError once they are gone."""
    return TripSecrets(vault.get(session, _box(trip.id, "state")), vault.get(session, _box(trip.id, "verifier")))


def leave(trip: Trip, *, browser: str, now: dt.datetime) -> None:
    """The link is given to this browser. Where SCA executes this is the point of no return."""
    trip.browser_hash = hash_of(browser)
    trip.left_at = trip.left_at or now


_OF_STATE = select(Trip).where(Trip.state_hash == bindparam("of_state"), Trip.bank_id == bindparam("of_bank"))
_LAST_EXCHANGED = (
    select(Trip)
    .where(Trip.consent_id == bindparam("of_consent"), Trip.exchanged_at.is_not(None))
    .order_by(Trip.exchanged_at.desc(), Trip.id.desc())
    .limit(1)
)


def find(session: Session, *, bank_id: str, state: str) -> Trip | None:
    """The trip that this redirect belongs to; None for a state that we never gave, or gave for another bank."""
    return session.scalar(_OF_STATE, {"of_state": hash_of(state), "of_bank": bank_id})


def lock(session: Session, trip: Trip) -> None:
    """Lock the row and read it anew. Always after the payment's row: in another order two could wait for each other."""
    session.refresh(trip, with_for_update=True)


def is_same_browser(trip: Trip, cookies: Collection[str]) -> bool:
    """Whether one of the browser's trip cookies is the one that was given when it left."""
    left = trip.browser_hash
    return left is not None and any(hmac.compare_digest(left, hash_of(cookie)) for cookie in cookies)


def is_from(sca: ScaOAuth, answer: Mapping[str, str]) -> bool:
    """RFC 9207: an issuer that is named must be the right one; a bank that says it names itself must do so.

    A signed answer (JARM) names it inside, where whoever exchanges its code looks.
    """
    if "iss" in answer:
        return answer["iss"] == sca.issuer
    is_signed = "response" in answer and "code" not in answer
    return is_signed or not sca.iss_parameter_supported


def come_back(
    session: Session,
    vault: Vault,
    trip: Trip,
    *,
    answer: Mapping[str, str] | None,
    outcome: str,
    now: dt.datetime,
    life: dt.timedelta,
) -> bool:
    """Note the return and seal the ``answer`` that carries a code. False when it came before: a second return changes
    nothing."""
    if trip.returned_at is not None:
        return False
    trip.returned_at = now
    # a redirect may well say error=code: only a code that came is one
    trip.outcome = "nothing" if answer is None and outcome == "code" else outcome[:40]
    if answer is not None:
        vault.put(session, _box(trip.id, "answer"), json.dumps(dict(answer)), now=now, expires_at=now + life)
    return True


def is_open(session: Session, trip: Trip) -> bool:
    """Whether a code could still be exchanged: its payment was never over, or the verifier would be forgotten."""
    return session.get(Sealed, _box(trip.id, "verifier")) is not None


def take_answer(
    session: Session, vault: Vault, trip: Trip, *, now: dt.datetime
) -> tuple[Mapping[str, str], TripSecrets] | None:
    """The answer whose code is to be exchanged and the trip's secrets, once in the life of a trip.

    None when there is no code, it was tried, it is too old, or the payment was over meanwhile (``forget``).
    """
    if trip.exchanged_at is not None or trip.outcome != "code":
        return None
    trip.exchanged_at = now  # committed before the code is sent: a lost exchange is never repeated
    try:
        return json.loads(vault.get(session, _box(trip.id, "answer"))), secrets_of(session, vault, trip)
    except VaultError:
        return None


def last_exchanged(session: Session, consent_id: str) -> Trip | None:
    """The trip whose code was the last of this consent to be exchanged, or is being exchanged now."""
    return session.scalar(_LAST_EXCHANGED, {"of_consent": consent_id})


def exchange_over_at(session: Session, consent_id: str) -> dt.datetime | None:
    """From when on the last exchange of a code for this consent is over, whatever came of it; None: there was none."""
    trip = last_exchanged(session, consent_id)
    if trip is None or trip.exchanged_at is None:
        return None
    is_known = trip.outcome != "code"  # what the exchange came to stands in place of what the redirect brought
    return trip.exchanged_at if is_known else trip.exchanged_at + EXCHANGING


def forget(session: Session, *trip_ids: str) -> None:
    """The payment is over: its secrets go."""
    boxes = sorted(_box(trip_id, name) for trip_id in trip_ids for name in _SECRETS)
    session.execute(delete(Sealed).where(Sealed.id.in_(boxes)))


def forget_of_customer(session: Session, customer_id: str) -> None:
    """Nothing comes of a trip of theirs any more of which no code was exchanged."""
    is_open = exists().where(Sealed.id.in_([literal("trip:") + Trip.id + literal(f":{name}") for name in _SECRETS]))
    theirs = select(Trip.id).where(Trip.customer_id == customer_id, Trip.exchanged_at.is_(None), is_open)
    forget(session, *session.scalars(theirs))


def _box(trip_id: str, name: str) -> str:
    return f"trip:{trip_id}:{name}"
