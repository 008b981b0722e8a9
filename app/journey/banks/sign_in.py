"""Signing in at a bank that takes no order without it, before and outside of any payment (NextGenPSD2: OAuth2 as a
pre-step). Nothing is paid or approved by that.

The answer is believed as that of a payment's trip: its state is one that we gave for this bank, its browser the one
that left. Whatever goes wrong, the customer is not signed in, and may try again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import cast

from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict, NotFound, TooLate
from app.journey.invoices.access import invoice_of_customer, payee_of
from app.journey.invoices.states import InvoiceState
from app.people import stops
from app.people.sessions import SignedIn
from app.services import WEB_DEADLINE_S, Services
from connectors.capabilities import SignsIn
from connectors.contract import Authorised
from connectors.errors import BankError, NotApproved
from connectors.profile import BankProfile
from connectors.security.pkce import challenge
from consent import sign_ins, trips
from consent.base import new_secret
from consent.models import SignIn, Trip
from consent.vault import Vault

#: characters of an amount
PART_MAX = 20


@dataclass(frozen=True, slots=True)
class Leaving:
    """Where the browser goes, and the secret by which it is known again."""

    url: str = field(repr=False)
    trip_id: str
    browser: str = field(repr=False)


def good_until(uow: UnitOfWork, vault: Vault, *, customer_id: str, bank: BankProfile) -> dt.datetime | None:
    """Until when the customer can begin payments there with the sign-in that there is; None: there is none, or its
    token does not open."""
    approval = dt.timedelta(minutes=bank.authorisation_minutes)
    found = sign_ins.live(uow.session, customer_id=customer_id, bank_id=bank.id, approval=approval, now=uow.now)
    if found is None or found.signed_in_at is None:
        return None
    if sign_ins.token_of(uow.session, vault, found, now=uow.now) is None:
        return None
    return sign_ins.good_until(signed_in_at=found.signed_in_at, expires_at=found.expires_at, approval=approval)


def leave_for_sign_in(
    services: Services, *, signed_in: SignedIn, invoice_id: str, bank: BankProfile, part: str | None = None
) -> Leaving:
    """Send this browser to sign in there; it comes back to the page where this invoice, or ``part`` of it, is paid.

    Raises NotFound (also of a bank that wants no sign-in), TooLate, NotAllowed, Conflict (the bank is away; its
    customer has stopped everything).
    """
    signed_in.check_acts()
    if not bank.sign_in_first:
        raise NotFound("sign-in")
    connector = _connector(services, bank.id)
    customer_id, browser = signed_in.customer.id, new_secret()
    with services.unit_of_work() as uow:
        stops.must_not_stand(uow, customer_id)
        invoice = invoice_of_customer(uow.session, invoice_id=invoice_id, customer_id=customer_id)
        payee_of(invoice)
        if invoice.state != InvoiceState.TO_PAY:
            raise TooLate("already-in-payment", "A payment of this bill is under way, or it is paid already.")
        planned = sign_ins.plan(
            uow.session,
            services.vault,
            customer_id=customer_id,
            bank_id=bank.id,
            invoice_id=invoice.id,
            part=part[:PART_MAX] if part else None,
            return_url=f"{services.settings.base_url}/banks/{bank.id}/return",
            state_in_path=not bank.return_is_registered,
            now=uow.now,
        )
        trip = uow.session.get_one(Trip, planned.trip_id)
        trips.leave(trip, browser=browser, now=uow.now)
        secrets = trips.secrets_of(uow.session, services.vault, trip)
        trip_id, redirect_uri = trip.id, trip.redirect_uri
        uow.commit()
    try:
        url = connector.sign_in_url(
            redirect_uri=redirect_uri,
            state=secrets.state,
            code_challenge=challenge(secrets.verifier),
            timeout_s=WEB_DEADLINE_S,
        )
    except BankError as error:
        raise Conflict("bank-away", "The bank cannot be reached just now. Nothing was paid: try again.") from error
    return Leaving(url, trip_id, browser)


@dataclass(frozen=True, slots=True)
class Returned:
    """A redirect that belongs to a sign-in. What came of it, the page where the customer goes on sees by itself."""

    invoice_id: str
    part: str | None  #: that was to be paid of it, as it was asked for; None: all of it
    is_believed: bool  #: it is the browser that left, and nobody else is signed in here in it


def come_back(
    services: Services,
    *,
    bank_id: str,
    state: str,
    browsers: Collection[str],
    customer_id: str | None,
    answer: Mapping[str, str],
) -> Returned | None:
    """Take the redirect in and exchange its code, once. None for a state that is no sign-in's.

    ``customer_id``: who is signed in here in this browser, if anybody. From another browser, or for another customer,
    nothing is taken; a second return changes nothing.
    """
    with services.unit_of_work() as uow:
        trip = trips.find(uow.session, bank_id=bank_id, state=state)
        found = None if trip is None else sign_ins.of_trip(uow.session, trip)
        if trip is None or found is None:
            return None
        trip = _locked(uow, trip.id)
        if trip is None:
            return None
        if not trips.is_same_browser(trip, browsers) or customer_id not in (None, found.customer_id):
            return Returned(found.invoice_id, found.part, is_believed=False)
        sign_in_id, trip_id, returned = found.id, trip.id, Returned(found.invoice_id, found.part, is_believed=True)
        outcome = "code" if "code" in answer else answer.get("error") or "nothing"
        in_time = uow.now < found.expires_at
        trips.come_back(
            uow.session,
            services.vault,
            trip,
            answer=answer if "code" in answer and in_time else None,
            outcome=outcome,
            now=uow.now,
            life=sign_ins.TRIP_LIFE,
        )
        taken = trips.take_answer(uow.session, services.vault, trip, now=uow.now)
        redirect_uri, asked_at = trip.redirect_uri, uow.now
        uow.commit()
    if taken is None:  # it came before, it is too late, or nobody signed in there
        return returned
    given, secrets = taken
    authorised, outcome = _exchanged(services, bank_id, given, secrets.verifier, redirect_uri=redirect_uri)
    with services.unit_of_work() as uow:
        ended, here = _locked(uow, trip_id), uow.session.get(SignIn, sign_in_id)
        if ended is not None and here is not None:  # else it was forgotten meanwhile
            ended.outcome = outcome[:40]
            trips.forget(uow.session, trip_id)
            if authorised is not None:
                # its life began while we waited for the answer, however long that took, or to get to this line
                sign_ins.keep(uow.session, services.vault, here, authorised, now=asked_at)
        uow.commit()
    return returned


def _locked(uow: UnitOfWork, trip_id: str) -> Trip | None:
    """Read anew; None: it was forgotten meanwhile."""
    return uow.session.get(Trip, trip_id, with_for_update=True, populate_existing=True)


def _exchanged(
    services: Services, bank_id: str, answer: Mapping[str, str], verifier: str, *, redirect_uri: str
) -> tuple[Authorised | None, str]:
    """The customer's token, and how the trip ended. A code is never sent twice: whoever lost a token signs in again."""
    try:
        authorised = _connector(services, bank_id).signed_in(
            answer=answer, code_verifier=verifier, redirect_uri=redirect_uri, timeout_s=WEB_DEADLINE_S
        )
    except NotApproved as error:
        return None, error.code
    except BankError as error:
        return None, type(error).__name__
    return (authorised, "code") if authorised.access_token is not None else (None, "no_token")


def _connector(services: Services, bank_id: str) -> SignsIn:
    """Of a bank whose file says sign_in_first: only files of standards that have it may."""
    return cast("SignsIn", services.banks.connector(bank_id))
