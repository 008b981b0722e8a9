"""After the redirect: exchange the code for the consent's token, at most once. Whether it may be used, the bank's own
word on the consent tells after that (follow.py)."""

from __future__ import annotations

import datetime as dt

from app.db.unit_of_work import UnitOfWork
from app.failpoints import failpoint
from app.journey.consents import rules
from app.journey.consents.access import locked
from app.journey.consents.my_banks import is_wanted
from app.journey.consents.step import follow_from, note
from app.services import Task
from connectors.contract import Authorised, ScaOAuth
from connectors.errors import BankError, NotApproved
from consent import tokens, trips
from consent.models import Consent, Standing, Trip
from consent.payer import unname_payer
from consent.states import ConsentSource, StandingState

#: of these an approval that comes back is of use
APPROVABLE = (
    StandingState.AWAITING,
    StandingState.AUTHORISED,
    StandingState.STOPPED_AT_BANK,
    StandingState.EXPIRED,
)


def exchange_consent_code(task: Task) -> None:
    """ConsentReturned: exchange the code, then have the bank asked at once."""
    services = task.services
    with services.unit_of_work() as uow:
        consent, standing = locked(uow.session, task.payload["consent_id"])
        trip = uow.session.get_one(Trip, task.payload["trip_id"], with_for_update=True, populate_existing=True)
        task.hold(uow)
        taken = None
        if _is_of_use(uow, consent, standing):
            taken = trips.take_answer(uow.session, services.vault, trip, now=uow.now)
        if taken is None:  # refused at the bank, tried before, or of no more use
            trips.forget(uow.session, trip.id)
            _look_now(uow, consent, standing)
            task.finish(uow)
            uow.commit()
            return
        answer, secrets = taken
        sca, redirect_uri, bank_id, asked_at = ScaOAuth(**consent.sca), trip.redirect_uri, consent.bank_id, uow.now
        uow.commit()
    failpoint("consents.exchange.taken")
    authorised: Authorised | None = None
    try:
        authorised = services.banks.connector(bank_id).complete(
            sca,
            answer=answer,
            code_verifier=secrets.verifier,
            redirect_uri=redirect_uri,
            state=secrets.state,
            nonce=secrets.nonce,
            timeout_s=task.deadline_s,
        )
        outcome = "code"
    except NotApproved as error:
        outcome = error.code
    except BankError as error:
        outcome = type(error).__name__
    failpoint("consents.exchange.sent")
    with services.unit_of_work() as uow:
        consent, standing = locked(uow.session, task.payload["consent_id"])
        trip = uow.session.get_one(Trip, task.payload["trip_id"])
        trip.outcome = outcome[:40]
        trips.forget(uow.session, trip.id)
        if authorised is not None and _is_of_use(uow, consent, standing):
            _keep(task, uow, consent, standing, authorised, asked_at=asked_at)
        _look_now(uow, consent, standing)
        uow.commit()
    failpoint("consents.exchange.kept")
    with services.unit_of_work() as uow:
        task.finish(uow)
        uow.commit()


def _is_of_use(uow: UnitOfWork, consent: Consent, standing: Standing) -> bool:
    """Whether an approval of it is of use: it is not over at the bank, and its customer wants it still."""
    return consent.state in APPROVABLE and standing.gone_at is None and is_wanted(uow.session, standing)


def _keep(
    task: Task, uow: UnitOfWork, consent: Consent, standing: Standing, authorised: Authorised, *, asked_at: dt.datetime
) -> None:
    """With a far end of its own, set anew with each approval."""
    until = uow.now + rules.TOKEN_KEPT
    if standing.ends_on is not None:  # whoever's clock counts: it is of no use two days later
        until = dt.datetime.combine(standing.ends_on + dt.timedelta(days=2), dt.time(), dt.UTC)
    tokens.keep_standing(uow.session, task.services.vault, consent.id, authorised, now=asked_at, until=until)
    unname_payer(standing)  # another account may have been chosen there: the bank's next word names it
    standing.renewing_until = None  # whoever renews the one of before finds another in its place
    if consent.state == StandingState.AUTHORISED:
        standing.authorised_at = uow.now
        note(uow, standing, "approve_again", source=ConsentSource.CUSTOMER, evidence="a new token for it")


def _look_now(uow: UnitOfWork, consent: Consent, standing: Standing) -> None:
    if consent.state in APPROVABLE:
        follow_from(uow, standing, run_at=uow.now)
