"""After the redirect: exchange the code for a token, at most once. A lost exchange is never repeated: status tells."""

from __future__ import annotations

import uuid

from sqlalchemy import select

from app.journey.payments.access import locked
from app.journey.payments.models import BankAttempt
from app.journey.payments.states import OVER
from app.journey.payments.status import follow_from
from app.services import Task
from connectors.contract import ScaOAuth
from connectors.errors import BankError
from consent import tokens, trips
from consent.base import new_id
from consent.models import Consent, Trip


def exchange_code(task: Task) -> None:
    """CustomerReturned: exchange the code, then let the status be asked at once."""
    services = task.services
    with services.unit_of_work() as uow:
        payment = locked(uow.session, task.payload["payment_id"])
        if payment.state in OVER:
            # the bank's word came first: the code is of no more use, and at some banks to exchange it is to approve
            task.finish(uow)
            uow.commit()
            return
        trip = uow.session.get_one(Trip, payment.trip_id)
        consent = uow.session.get_one(Consent, payment.consent_id)
        code = trips.take_code(uow.session, services.vault, trip, now=uow.now)
        if code is None:  # refused at the bank, or the exchange was tried before
            follow_from(uow, payment, run_at=uow.now)
            task.finish(uow)
            uow.commit()
            return
        verifier = trips.secrets_of(uow.session, services.vault, trip).verifier
        uow.session.add(
            BankAttempt(
                id=new_id("att"),
                payment_id=payment.id,
                verb="complete",
                request_id=str(uuid.uuid4()),
                method="POST",
                path=consent.sca["token_endpoint"],
                headers={},
                body=b"",  # it holds the code and our assertion: secrets, sealed with the trip and not repeated
                sends=1,
                sent_at=uow.now,
            )
        )
        sca, redirect_uri, bank_id = ScaOAuth(**consent.sca), trip.redirect_uri, payment.bank_id
        uow.commit()
    connector = services.banks.connector(bank_id)
    authorised, outcome = None, "authorised"
    try:
        authorised = connector.complete(
            sca, code=code, code_verifier=verifier, redirect_uri=redirect_uri, timeout_s=task.deadline_s
        )
    except BankError as error:
        outcome = type(error).__name__  # whatever it was, the money may have moved: only status tells
    with services.unit_of_work() as uow:
        payment = locked(uow.session, task.payload["payment_id"])
        attempt = uow.session.scalars(
            select(BankAttempt).where(BankAttempt.payment_id == payment.id, BankAttempt.verb == "complete")
        ).one()
        attempt.outcome, attempt.answered_at = outcome, uow.now
        if authorised is not None:
            consent = uow.session.get_one(Consent, payment.consent_id)
            tokens.keep(uow.session, services.vault, consent, authorised, now=uow.now)
        follow_from(uow, payment, run_at=uow.now)
        task.finish(uow)
        uow.commit()
