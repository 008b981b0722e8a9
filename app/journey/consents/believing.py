"""What is believed of a bank's word on a standing consent, and which steps that takes. Who asks for it: follow.py."""

from __future__ import annotations

import datetime as dt
from typing import Any

from app.db.unit_of_work import UnitOfWork
from app.journey.consents import rules
from app.journey.consents.events import ConsentChanged
from app.journey.consents.my_banks import is_wanted
from app.journey.consents.step import end_approval, note, step, take_back
from app.services import Services
from connectors.capabilities import ToldConsent
from connectors.contract import ConsentStatus
from consent import tokens, trips
from consent.models import Consent, Standing
from consent.payer import hear_payer
from consent.states import ConsentSource, StandingState, StandingStep


def believe(services: Services, uow: UnitOfWork, consent: Consent, standing: Standing, told: ToldConsent) -> None:
    """Take the steps that the bank's word asks for. That it is authorised is not the whole truth: by the standard it
    says so also of what its customer stopped there. Any clear no ends what an approval left here."""

    def no(taken: StandingStep) -> None:
        evidence, answer = f"bank:{told.status}", told.raw_response or None
        end_approval(uow, standing, taken, source=ConsentSource.BANK, evidence=evidence, answer=answer)

    if told.status is ConsentStatus.NOT_FOUND:
        standing.gone_at = uow.now
        no(StandingStep.BANK_GONE)
    elif told.differences:
        not_as_agreed(uow, standing, told.differences, answer=told.raw_response)
    elif told.status is ConsentStatus.AUTHORISED:
        is_authorised(services, uow, consent, standing, told)
    elif told.is_access_lost:
        no(StandingStep.LOSE_ACCESS)
    elif told.status is ConsentStatus.REJECTED:
        no(StandingStep.REJECT)
    elif told.status is ConsentStatus.EXPIRED:
        no(StandingStep.EXPIRE)
    elif told.status is ConsentStatus.WAITING and _is_past(consent, uow.now):
        step(uow, standing, StandingStep.EXPIRE, source=ConsentSource.WORKER, evidence="not approved in time")


def not_as_agreed(uow: UnitOfWork, standing: Standing, names: tuple[str, ...], *, answer: bytes) -> None:
    """The bank would allow something else than its customer signed: it is not used, and taken back there."""
    evidence = f"the bank holds otherwise: {', '.join(names)}"
    end_approval(uow, standing, StandingStep.REJECT, source=ConsentSource.BANK, evidence=evidence, answer=answer)


def is_authorised(services: Services, uow: UnitOfWork, consent: Consent, standing: Standing, told: ToldConsent) -> None:
    """The bank says so, of what it holds as agreed: it is, where its customer wants it and its token is here."""
    if not is_wanted(uow.session, standing):
        take_back(uow, standing, source=ConsentSource.CUSTOMER, evidence="approved, and not wanted any more")
    elif not tokens.is_over(uow.session, consent.id, now=uow.now):
        news = hear_payer(uow.session, services.vault, standing, told.payer, now=uow.now)
        evidence = f"bank:authorised; {news.words}"
        said: dict[str, Any] = {"source": ConsentSource.BANK, "evidence": evidence, "answer": told.raw_response}
        if not step(uow, standing, StandingStep.AUTHORISE, **said) and news.line is not None:
            note(uow, standing, news.line, **said)
            if news.is_other:
                uow.record(ConsentChanged(consent_id=consent.id, sequence=standing.sequence))
    elif tokens.is_any_kept(uow.session, consent.id):
        end_with_token(uow, standing)
    elif consent.state == StandingState.AWAITING and (_is_past(consent, uow.now) or _was_exchanged(uow, consent)):
        evidence = "approved at the bank, whose answer did not reach us"
        step(uow, standing, StandingStep.LOSE_ACCESS, source=ConsentSource.BANK, evidence=evidence)


def end_with_token(uow: UnitOfWork, standing: Standing) -> None:
    """Whatever the bank says of the consent: nothing can be paid without a token."""
    evidence = "its token is over, and nothing is there to renew it with"
    end_approval(uow, standing, StandingStep.LOSE_ACCESS, source=ConsentSource.WORKER, evidence=evidence)


def _is_past(consent: Consent, now: dt.datetime) -> bool:
    return now >= consent.expires_at + rules.EXPIRY_MARGIN


def _was_exchanged(uow: UnitOfWork, consent: Consent) -> bool:
    """And nothing came of it, where nothing is kept."""
    over_at = trips.exchange_over_at(uow.session, consent.id)
    return over_at is not None and uow.now >= over_at
