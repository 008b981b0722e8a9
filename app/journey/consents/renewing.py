"""The token of a standing consent, with which a payment under it is submitted and its bank asked whether there is
money, renewed where it lives for a short time only.

Two workers never renew one at once: where a bank gives another refresh token each time, it takes the second use of one
for a theft and ends the consent. The mark is a column, not a lock: no transaction is open while a bank is called.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from app.failpoints import failpoint
from app.journey.consents import rules
from app.journey.consents.access import locked
from app.journey.consents.believing import end_with_token
from app.journey.consents.follow import recurring_of
from app.journey.consents.step import follow_from, lose_access
from app.services import Services
from connectors.contract import Authorised
from connectors.errors import AccessLost, BankError
from consent import tokens
from consent.states import ConsentSource, StandingState


@dataclass(frozen=True, slots=True)
class _Old:
    bank_id: str
    refresh_token: str = field(repr=False)
    until: dt.datetime
    asked_at: dt.datetime  #: from then on the life of what comes is counted: the bank may have begun it at once


def fresh_token(services: Services, *, consent_id: str, deadline_s: float) -> str | None:
    """The customer's token of this consent, renewed first if it has to be. Calls the bank, so no transaction is open.

    None: there is none to be had now. Somebody else renews it, or the bank does not answer, and it is worth trying
    again; or the consent is not authorised, or not any more: where the bank takes the refresh token no longer, this has
    stopped it (STOPPED_AT_BANK).
    """
    found = _begin(services, consent_id)
    if not isinstance(found, _Old):
        return found
    failpoint("consents.renew.begun")
    try:
        renewed = recurring_of(services, found.bank_id).renew(found.refresh_token, timeout_s=deadline_s)
    except AccessLost as error:
        return _lost(services, consent_id, found, error)
    except BankError:
        return _end(services, consent_id, found, None)
    failpoint("consents.renew.sent")
    return _end(services, consent_id, found, renewed)


def other_token(services: Services, *, consent_id: str, refused: str, deadline_s: float) -> str | None:
    """A token in place of ``refused``, which the bank did not take: one that has come since, or one that is renewed
    now. Calls the bank, so no transaction is open. None: there is nothing to renew it with, or as ``fresh_token``."""
    with services.unit_of_work() as uow:
        consent, _ = locked(uow.session, consent_id)
        if tokens.access_token(uow.session, services.vault, consent, now=uow.now) == refused:
            if not tokens.is_renewable(uow.session, consent_id, now=uow.now):
                return None
            tokens.forget_access(uow.session, consent_id)
            uow.commit()
    return fresh_token(services, consent_id=consent_id, deadline_s=deadline_s)


def _begin(services: Services, consent_id: str) -> _Old | str | None:
    """The token that lives, or what it is renewed with, or neither."""
    with services.unit_of_work() as uow:
        consent, standing = locked(uow.session, consent_id)
        if consent.state != StandingState.AUTHORISED:
            return None
        token = tokens.access_token(uow.session, services.vault, consent, now=uow.now)
        if token is not None:
            return token
        if tokens.is_over(uow.session, consent_id, now=uow.now):
            end_with_token(uow, standing)
            uow.commit()
            return None
        found = tokens.refresh_token(uow.session, services.vault, consent_id, now=uow.now)
        # what lies further ahead was written by a clock that was ahead
        until = standing.renewing_until
        is_taken = until is not None and uow.now < until <= uow.now + 2 * rules.RENEWING
        if found is None or is_taken:
            return None
        standing.renewing_until = uow.now + rules.RENEWING
        uow.commit()
        return _Old(consent.bank_id, *found, asked_at=uow.now)


def _end(services: Services, consent_id: str, old: _Old, renewed: Authorised | None) -> str | None:
    """Keep all that came, unless the customer has approved anew meanwhile, or taken it back."""
    with services.unit_of_work() as uow:
        consent, standing = locked(uow.session, consent_id)
        there = tokens.refresh_token(uow.session, services.vault, consent_id, now=uow.now)
        is_the_same = there is not None and there[0] == old.refresh_token
        if is_the_same:
            standing.renewing_until = None
        if renewed is not None and is_the_same and consent.state == StandingState.AUTHORISED:
            vault = services.vault
            tokens.keep_standing(uow.session, vault, consent_id, renewed, now=old.asked_at, until=old.until)
            if (ends_at := tokens.lives_until(uow.session, consent_id)) is not None:
                follow_from(uow, standing, run_at=ends_at)
        token = None
        if consent.state == StandingState.AUTHORISED:
            token = tokens.access_token(uow.session, services.vault, consent, now=uow.now)
        uow.commit()
        return token


def _lost(services: Services, consent_id: str, old: _Old, error: AccessLost) -> str | None:
    """The bank takes it no more: but perhaps only because another one is here by now."""
    with services.unit_of_work() as uow:
        consent, standing = locked(uow.session, consent_id)
        there = tokens.refresh_token(uow.session, services.vault, consent_id, now=uow.now)
        token = tokens.access_token(uow.session, services.vault, consent, now=uow.now)
        # none lived when this began: one that lives is new, whatever came with it
        if token is None and (there is None or there[0] == old.refresh_token):
            standing.renewing_until = None
            lose_access(uow, standing, source=ConsentSource.BANK, evidence=f"bank:{error.code}")
            uow.commit()
        return token
