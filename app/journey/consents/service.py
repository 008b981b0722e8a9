"""What people do with a standing consent: go to the bank to approve it, come back, take it back.

And what a bank does with it by itself: it says that there is news.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Date, Integer, Select, bindparam, literal, or_, select, union_all, update

from app.db.unit_of_work import Recorded, UnitOfWork
from app.errors import Conflict, TooLate
from app.failpoints import failpoint
from app.journey.consents import rules
from app.journey.consents.access import locked, standing_at_bank, standing_of_customer, takeable
from app.journey.consents.events import ConsentEnding, ConsentReturned
from app.journey.consents.follow import recurring_of
from app.journey.consents.my_banks import has_removed
from app.journey.consents.step import end_approval, follow_from, look_soon, take_back
from app.people import stops
from app.people.sessions import SignedIn
from app.services import WEB_DEADLINE_S, Services
from connectors.capabilities import Event, EventKind
from connectors.contract import ScaOAuth
from connectors.errors import BankError
from connectors.registry import UnknownBank
from connectors.security.pkce import challenge
from consent import tokens, trips
from consent.base import UTCDateTime, new_secret
from consent.models import Consent, ConsentHistory, Standing, Trip
from consent.states import STANDING_USABLE, ConsentSource, StandingState, StandingStep

#: of these the customer can be sent to the bank: to approve it, or to approve the same one again
LEAVABLE = (StandingState.AWAITING, *STANDING_USABLE)
#: of these no event tells anything
_DEAF = (StandingState.PREPARED, StandingState.REJECTED, StandingState.REVOKED)
#: that are reminded of in one hour, which is one transaction: two million that last a year need seven hundred
REMINDERS_MOST = 2000


@dataclass(frozen=True, slots=True)
class Leaving:
    """Where the browser goes, and the secret by which it is known again."""

    url: str = field(repr=False)
    trip_id: str
    browser: str = field(repr=False)


def leave_to_approve(services: Services, *, signed_in: SignedIn, consent_id: str) -> Leaving:
    """Send this browser to the bank to approve a consent, for the first time or anew. Raises NotFound, TooLate, and
    Conflict (everything is stopped, the bank is removed or away)."""
    signed_in.check_acts()
    customer_id, browser = signed_in.customer.id, new_secret()
    with services.reading() as uow:
        bank_id = standing_of_customer(uow.session, consent_id=consent_id, customer_id=customer_id).bank_id
    try:
        connector, recurring = services.banks.connector(bank_id), recurring_of(services, bank_id)
    except UnknownBank as error:
        raise _is_away() from error
    with services.unit_of_work() as uow:
        consent, _ = locked(uow.session, consent_id)
        _must_be_leavable(uow, consent)
        trip = _planned(services, uow, consent)
        secrets = trips.secrets_of(uow.session, services.vault, trip)
        sca, redirect_uri, trip_id = ScaOAuth(**consent.sca), trip.redirect_uri, trip.id
        uow.commit()
    try:
        sca = recurring.approval_now(sca, timeout_s=WEB_DEADLINE_S / 2)
        url = connector.authorise_url(
            sca,
            redirect_uri=redirect_uri,
            state=secrets.state,
            nonce=secrets.nonce,
            code_challenge=challenge(secrets.verifier),
            timeout_s=WEB_DEADLINE_S,
        )
    except BankError as error:
        with services.unit_of_work() as uow:
            trips.forget(uow.session, trip_id)
            uow.commit()
        raise _is_away() from error
    failpoint("consents.leave.asked")
    with services.unit_of_work() as uow:
        consent, standing = locked(uow.session, consent_id)
        _must_be_leavable(uow, consent)
        _forget_earlier_trips(uow, consent_id, is_elsewhere=consent.sca != asdict(sca))
        consent.sca = asdict(sca)  # the answer of this browser is held against the issuer to which it goes
        trips.leave(uow.session.get_one(Trip, trip_id), browser=browser, now=uow.now)
        if consent.state == StandingState.AWAITING:
            follow_from(uow, standing, run_at=consent.expires_at + rules.EXPIRY_MARGIN)
        uow.commit()
    failpoint("consents.left")
    return Leaving(url, trip_id, browser)


def _is_away() -> Conflict:
    return Conflict("bank-away", "The bank cannot be reached just now. Nothing was changed: try again.")


def _planned(services: Services, uow: UnitOfWork, consent: Consent) -> Trip:
    """A trip that nobody is on yet."""
    trip = trips.plan(
        uow.session,
        services.vault,
        customer_id=consent.customer_id,
        bank_id=consent.bank_id,
        return_url=f"{services.settings.base_url}/banks/{consent.bank_id}/return",
        state_in_path=not services.banks.profile(consent.bank_id).return_is_registered,
        now=uow.now,
        life=rules.TRIP_LIFE + rules.RETURN_GRACE,
    )
    trip.consent_id = consent.id
    return trip


def _must_be_leavable(uow: UnitOfWork, consent: Consent) -> None:
    stops.must_not_stand(uow, consent.customer_id)
    if has_removed(uow.session, customer_id=consent.customer_id, bank_id=consent.bank_id):
        raise Conflict("bank-removed", "You have removed this bank. Add it again first.")
    is_late = consent.state == StandingState.AWAITING and uow.now >= consent.expires_at
    if consent.state not in LEAVABLE or is_late:
        raise TooLate("not-approvable", "This consent cannot be approved at the bank, or the time for it is over.")


def _forget_earlier_trips(uow: UnitOfWork, consent_id: str, *, is_elsewhere: bool) -> None:
    """The last one counts. ``is_elsewhere``: it goes to other addresses than those before, so that no code which came
    back from them is to be sent there either."""
    earlier = select(Trip.id).where(Trip.consent_id == consent_id, Trip.left_at.is_not(None))
    is_open = Trip.exchanged_at.is_(None) if is_elsewhere else Trip.returned_at.is_(None)
    trips.forget(uow.session, *uow.session.scalars(earlier.where(is_open)))


@dataclass(frozen=True, slots=True)
class Returned:
    """A redirect that belongs to a standing consent. ``work`` is None for a repeat, or where nothing is believed."""

    consent_id: str
    is_believed: bool  #: it is the browser that left, and nobody else is signed in here in it
    work: Recorded | None


def come_back(
    services: Services,
    *,
    bank_id: str,
    state: str,
    browsers: Collection[str],
    customer_id: str | None,
    answer: Mapping[str, str],
) -> Returned | None:
    """Take the redirect in. None for a state that is no standing consent's: nothing is written then.

    Believed as that of a payment: only from the browser that left, and with the right issuer (RFC 9207); a second
    return changes nothing. ``customer_id``: who is signed in here in this browser, if anybody.
    """
    with services.unit_of_work() as uow:
        trip = trips.find(uow.session, bank_id=bank_id, state=state)
        standing = None if trip is None or trip.consent_id is None else uow.session.get(Standing, trip.consent_id)
        if trip is None or standing is None:
            return None
        consent, standing = locked(uow.session, standing.consent_id)
        trips.lock(uow.session, trip)
        is_theirs = customer_id in (None, consent.customer_id)
        if not trips.is_same_browser(trip, browsers) or not is_theirs:
            return Returned(consent.id, is_believed=False, work=None)
        carries_code = "code" in answer or "response" in answer
        trusted = trips.is_from(ScaOAuth(**consent.sca), answer)
        is_open = consent.state not in (StandingState.REVOKING, StandingState.REVOKED, StandingState.REJECTED)
        usable = answer if carries_code and trusted and is_open and trips.is_open(uow.session, trip) else None
        untrusted = "wrong_issuer" if carries_code and not trusted else "nothing"
        outcome = "code" if usable else answer.get("error") or untrusted
        first = trips.come_back(
            uow.session, services.vault, trip, answer=usable, outcome=outcome, now=uow.now, life=rules.RETURN_GRACE
        )
        recorded = None
        if first:
            recorded = uow.record(ConsentReturned(consent_id=consent.id, trip_id=trip.id), head_start=True)
            uow.commit()
    failpoint("consents.returned")
    return Returned(consent.id, is_believed=True, work=recorded)


def revoke(services: Services, *, signed_in: SignedIn, consent_id: str) -> bool:
    """Take it back: from now on nothing is paid under it, and the bank is told until it confirms. False: it was over,
    or is being taken back. Raises NotFound."""
    signed_in.check_acts()
    with services.unit_of_work() as uow:
        standing_of_customer(uow.session, consent_id=consent_id, customer_id=signed_in.customer.id)
        consent, standing = locked(uow.session, consent_id)
        if consent_id not in takeable(uow.session, customer_id=consent.customer_id):
            return False
        taken = take_back(uow, standing, source=ConsentSource.CUSTOMER, evidence="stopped here")
        uow.commit()
    failpoint("consents.revoked")
    return taken


def hear(services: Services, *, bank_id: str, event: Event) -> bool:
    """The bank says that something has changed about a standing consent. False: it names none.

    That its customer stopped it there is believed at once, from the signed event alone: the consent's status need not
    tell, and the harm of a wrong word is one more approval. Everything else is a hint to look. An event of before the
    last approval is old: it may come late, or be sent again by whoever kept it.
    """
    with services.reading() as uow:
        consent_id = standing_at_bank(uow.session, bank_id=bank_id, resource_id=event.resource_id)
    if consent_id is None:
        return False
    with services.unit_of_work() as uow:
        consent, standing = locked(uow.session, consent_id)
        if consent.state in _DEAF or standing.gone_at is not None:
            return True
        if event.kind is EventKind.CONSENT_REVOKED and _is_of_last_approval(uow, consent, standing, event):
            evidence = _event(event)
            end_approval(uow, standing, StandingStep.LOSE_ACCESS, source=ConsentSource.BANK, evidence=evidence)
        last = standing.looked_at
        if last is None or last < event.occurred_at + rules.HINT_PAUSE:
            look_soon(uow, standing)
        uow.commit()
    return True


def _is_of_last_approval(uow: UnitOfWork, consent: Consent, standing: Standing, event: Event) -> bool:
    """Whether it is of after the last approval, which has reached us. That was given at the bank before its code was
    exchanged, so a moment earlier counts as after it; what was believed once is not believed again."""
    is_approved = consent.state == StandingState.AUTHORISED or tokens.is_any_kept(uow.session, consent.id)
    trip = trips.last_exchanged(uow.session, consent.id)
    approved_at = standing.authorised_at if trip is None else trip.exchanged_at
    is_old = approved_at is not None and event.occurred_at < approved_at - rules.CLOCK_SKEW
    believed = select(ConsentHistory.sequence).where(
        ConsentHistory.consent_id == consent.id, ConsentHistory.evidence == _event(event)
    )
    return is_approved and not is_old and uow.session.scalar(believed.limit(1)) is None


def _event(event: Event) -> str:
    """How it stands in the history."""
    return f"event:{event.event_id[:100]}"


#: on how many days, from today on, something may end of which it is to be told
_NEAR_DAYS = max(rules.REMIND_DAYS) + 1


def _to_remind() -> Select[str]:
    """For the days that are near: ``ends_on_0``, on which of them its customer was to be reminded of an end on it
    (``due_0``, which begins ``from_0``), and so on. One question for all of them, and it is put together once."""
    near = union_all(
        *(
            select(
                bindparam(f"ends_on_{day}", type_=Date).label("ends_on"),
                bindparam(f"due_{day}", type_=Date).label("due"),
                bindparam(f"from_{day}", type_=UTCDateTime).label("since"),
            )
            for day in range(_NEAR_DAYS)
        )
    ).cte("near")
    return (
        select(Standing.consent_id)
        .join(near, near.c.ends_on == Standing.ends_on)
        .join(Consent, Consent.id == Standing.consent_id)
        .where(
            Standing.ended_at.is_(None),
            Standing.agreed_at < near.c.since,  # no day of before it was agreed on counts
            or_(Standing.reminded_for.is_(None), Standing.reminded_for < near.c.due),
            Consent.state.in_([literal(str(state)) for state in STANDING_USABLE]),
        )
        .order_by(Standing.ends_on, Standing.consent_id)
        .limit(bindparam("most", type_=Integer))
        # only what is due is locked, and so that who begins a period under it does not wait
        .with_for_update(skip_locked=True, key_share=True, of=Standing)
    )


_TO_REMIND = _to_remind()


def remind(uow: UnitOfWork) -> None:
    """Whose last day is near: 30 days, 7 days and 1 day before, once each. Whose end is next comes first."""
    today = uow.now.date()
    given: dict[str, Any] = {"most": REMINDERS_MOST}
    for day in range(_NEAR_DAYS):
        ends_on = today + dt.timedelta(days=day)
        due = rules.reminder_day(ends_on=ends_on, today=today)
        since = due and dt.datetime.combine(due, dt.time(), dt.UTC)
        given |= {f"ends_on_{day}": ends_on, f"due_{day}": due, f"from_{day}": since}
    found = uow.session.scalars(_TO_REMIND, given).all()
    if not found:
        return
    uow.session.execute(
        update(Standing)
        .where(Standing.consent_id.in_(found))
        .values(reminded_for=today)
        .execution_options(synchronize_session=False)
    )
    for consent_id in found:
        uow.record(ConsentEnding(consent_id=consent_id))
