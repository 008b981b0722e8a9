"""Going on with a standing consent: one row of work follows each, whatever is next to be done at its bank.

It is given to the bank (its bytes were stored when it was agreed on: K1, K2), looked at while it stands, and taken back
there until the bank has confirmed that. None of these calls moves money. The first transaction says what is called and
the second what came of it; none is open while a bank is called. What is believed of an answer: believing.py.
"""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import asdict, dataclass
from typing import Any, cast

from sqlalchemy import select

from app.db.unit_of_work import UnitOfWork
from app.failpoints import failpoint
from app.journey.consents import believing, budget, rules
from app.journey.consents.access import locked
from app.journey.consents.read import awaits_word
from app.journey.consents.step import end_approval, step, take_back
from app.people.stops import voids
from app.services import Services, Task
from connectors.capabilities import RecurringPayments, Recurs, ToldConsent
from connectors.contract import BankRequest, PsuContext, Staged
from connectors.errors import BankError, BankRefused, BankUnavailable
from consent import tokens, trips
from consent.models import Consent, ConsentHistory, Standing
from consent.payer import forget_payer
from consent.rules import days_at
from consent.states import STANDING_OVER, ConsentSource, StandingState, StandingStep


class _Verb(enum.Enum):
    SEND = enum.auto()
    LOOK = enum.auto()
    TAKE_BACK = enum.auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """What is to be asked of the bank, as it was committed before."""

    verb: _Verb
    consent_id: str
    bank_id: str
    bank_consent_id: str
    request: BankRequest
    psu: PsuContext | None  #: whose browser agreed, until the bank has answered
    may_have_arrived: bool  #: the same bytes, at an earlier sending: then a no to this one says nothing of that
    approval: str | None  #: the trip of the last approval that this question can be about


_Answer = Staged | ToldConsent | BankError | None


def follow(task: Task) -> None:
    """Do what is next with one consent. Safe to run again from the start at any moment."""
    call = _intend(task)
    if call is None:
        return
    failpoint("consents.intended")
    answer = _made(task, call)
    failpoint("consents.answered")
    with task.services.unit_of_work() as uow:
        consent, standing = locked(uow.session, call.consent_id)
        _TAKEN_IN[call.verb](task, uow, consent, standing, call, answer)
        uow.commit()
    failpoint("consents.written")


def recurring_of(services: Services, bank_id: str) -> RecurringPayments:
    """The verbs of its bank. Raises UnknownBank: also of one whose keys of ours are missing."""
    return cast("Recurs", services.banks.connector(bank_id)).recurring


# ----------------------------------------------------------------------------------------------------- what is next


def _intend(task: Task) -> _Call | None:
    with task.services.unit_of_work() as uow:
        consent, standing = locked(uow.session, task.payload["consent_id"])
        verb = _next(task, uow, consent, standing)
        if verb is None:
            uow.commit()
            return None
        task.hold(uow)  # a worker that was frozen must not send what another one has sent meanwhile
        may_have_arrived = standing.sent_at is not None
        if verb is _Verb.SEND:
            standing.sent_at = standing.sent_at or uow.now
            standing.sends += 1
        standing.next_look_at = None  # from here on it says what it is asked for meanwhile
        call = _Call(
            verb=verb,
            consent_id=consent.id,
            bank_id=consent.bank_id,
            bank_consent_id=consent.bank_consent_id or "",
            request=request_of(standing),
            psu=PsuContext(**standing.psu) if standing.psu else None,
            may_have_arrived=may_have_arrived,
            approval=_last_approval(uow, consent.id),
        )
        uow.commit()
        return call


def request_of(standing: Standing) -> BankRequest:
    """The very bytes that were stored."""
    return BankRequest(
        method=standing.method,
        path=standing.path,
        headers=standing.headers,
        body=standing.body,
        request_id=standing.request_id,
    )


def _next(task: Task, uow: UnitOfWork, consent: Consent, standing: Standing) -> _Verb | None:
    """None: nothing is to be called now, and the work says itself when it goes on, if ever."""
    state = StandingState(consent.state)
    if state is StandingState.PREPARED:
        return _to_send(task, uow, standing)
    if state is StandingState.REVOKING and consent.bank_consent_id is None:
        return _to_find(task, uow, standing)
    if state is StandingState.REVOKING or state in STANDING_OVER:
        return _to_take_back(task, uow, consent, standing, state)
    _end_by_date(uow, standing)
    if consent.state in STANDING_OVER:
        return _to_take_back(task, uow, consent, standing, StandingState(consent.state))
    if state is StandingState.AUTHORISED and tokens.is_over(uow.session, consent.id, now=uow.now):
        believing.end_with_token(uow, standing)
    return _to_look(task, uow, consent, standing)


def _to_send(task: Task, uow: UnitOfWork, standing: Standing) -> _Verb | None:
    """As long as its customer may wait for it, and wants it."""
    if voids(uow.session, standing.customer_id, decided_at=standing.agreed_at):
        take_back(uow, standing, source=ConsentSource.CUSTOMER, evidence="everything was stopped")
    elif uow.now > standing.agreed_at + rules.SEND_LIFE or standing.sends > len(rules.SEND_AGAIN_S):
        evidence = "the bank did not tell its id; nobody was sent there to approve it"
        step(uow, standing, StandingStep.GIVE_UP, source=ConsentSource.WORKER, evidence=evidence)
    else:
        return _Verb.SEND
    task.run_again(uow, run_at=uow.now)
    return None


def _to_find(task: Task, uow: UnitOfWork, standing: Standing) -> _Verb | None:
    """Taken back before the bank told its id. Where it may have arrived, the same bytes have the bank tell it."""
    if standing.sent_at is None or uow.now > standing.sent_at + rules.KEY_LIFE:
        evidence = "it never left" if standing.sent_at is None else "the bank never told its id, and nobody approved it"
        step(uow, standing, StandingStep.BANK_GONE, source=ConsentSource.WORKER, evidence=evidence)
        standing.gone_at = uow.now
        _finish(task, uow, standing)
        return None
    return _Verb.SEND


def _to_take_back(
    task: Task, uow: UnitOfWork, consent: Consent, standing: Standing, state: StandingState
) -> _Verb | None:
    if consent.bank_consent_id is None or standing.gone_at is not None:
        _finish(task, uow, standing)
        return None
    if state is StandingState.EXPIRED and standing.ended_at is not None:
        may_return_until = standing.ended_at + rules.RETURN_GRACE
        if tokens.is_any_kept(uow.session, consent.id) and uow.now < may_return_until:
            return _to_look(task, uow, consent, standing)  # its approval came in the last moment: does the bank say so?
        if uow.now < may_return_until:
            _run_again(task, uow, standing, run_at=may_return_until)
            return None
    return _Verb.TAKE_BACK


def _to_look(task: Task, uow: UnitOfWork, consent: Consent, standing: Standing) -> _Verb | None:
    profile = task.services.banks.profile(consent.bank_id)
    wait_until = budget.take(uow.session, bank_id=consent.bank_id, most=profile.status_calls_per_minute, now=uow.now)
    if wait_until is None:
        return _Verb.LOOK
    _run_again(task, uow, standing, run_at=wait_until)
    return None


def _end_by_date(uow: UnitOfWork, standing: Standing) -> None:
    """Its last day is over by whichever clock the bank counts."""
    if standing.ends_on is not None and min(days_at(uow.now, days=standing.days)) > standing.ends_on:
        step(
            uow,
            standing,
            StandingStep.EXPIRE,
            source=ConsentSource.WORKER,
            evidence=f"its last day, {standing.ends_on}",
        )


# ----------------------------------------------------------------------------------------------------- the calls


def _made(task: Task, call: _Call) -> _Answer:
    recurring = recurring_of(task.services, call.bank_id)
    try:
        if call.verb is _Verb.SEND:
            if call.psu is None:
                raise RuntimeError(f"{call.consent_id} is to be sent, and was answered before")
            return recurring.initiate(call.request, psu=call.psu, timeout_s=task.deadline_s)
        if call.verb is _Verb.LOOK:
            return recurring.told(call.bank_consent_id, asked=call.request.body, timeout_s=task.deadline_s / 2)
        recurring.revoke(call.bank_consent_id, timeout_s=task.deadline_s)
    except BankError as error:
        return error
    return None


# ----------------------------------------------------------------------------------------------------- what came of it


def _sent(task: Task, uow: UnitOfWork, consent: Consent, standing: Standing, call: _Call, answer: _Answer) -> None:
    """Its id is kept whatever has become of it meanwhile: what the bank has can be taken back there."""
    if isinstance(answer, Staged):
        _staged(task, uow, consent, standing, answer)
        _run_again(task, uow, standing, run_at=_after_staging(uow, consent))
        return
    if isinstance(answer, BankRefused) and _is_no(call, answer):
        _refused(uow, consent, standing, answer)
        _finish(task, uow, standing)
        return
    if isinstance(answer, BankUnavailable) and not call.may_have_arrived:
        standing.sent_at = None  # nothing left: neither now nor before
    if consent.state == StandingState.REVOKING:
        again = rules.take_back_again_at(since=_since(uow, standing), now=uow.now)
    else:
        again = rules.send_again_at(sends=standing.sends, now=uow.now)
    _run_again(task, uow, standing, run_at=max(again, uow.now + _rest(answer)))


def _is_no(call: _Call, error: BankRefused) -> bool:
    """Whether it is the bank's word that it has it not. Once the same bytes may have arrived, a no can be to us, or to
    this sending alone."""
    return not call.may_have_arrived and error.is_no


def _refused(uow: UnitOfWork, consent: Consent, standing: Standing, error: BankRefused) -> None:
    said: dict[str, Any] = {"source": ConsentSource.BANK, "evidence": f"bank:{error.http_status} {error.code}"[:200]}
    if consent.state == StandingState.REVOKING:
        step(uow, standing, StandingStep.BANK_GONE, **said)
        standing.gone_at = uow.now
    else:
        step(uow, standing, StandingStep.GIVE_UP, answer=str(error).encode(), **said)


def _staged(task: Task, uow: UnitOfWork, consent: Consent, standing: Standing, staged: Staged) -> None:
    profile = task.services.banks.profile(consent.bank_id)
    if consent.bank_consent_id is None:
        consent.bank_consent_id = staged.consent_id
        consent.sca = asdict(staged.sca) if staged.sca is not None else {}
        # the bank's time to approve began when it took it, which may have been at the first sending
        given_at = standing.sent_at or uow.now
        consent.expires_at = given_at + dt.timedelta(minutes=profile.authorisation_minutes)
    standing.psu = None
    uow.session.flush()
    answer = staged.raw_response
    evidence = f"bank:{staged.transaction_status}"
    step(uow, standing, StandingStep.STAGE, source=ConsentSource.BANK, evidence=evidence, answer=answer)
    if staged.differences or staged.sca is None:
        believing.not_as_agreed(uow, standing, staged.differences or ("no way to approve",), answer=answer)


def _after_staging(uow: UnitOfWork, consent: Consent) -> dt.datetime:
    is_waiting = consent.state == StandingState.AWAITING
    return consent.expires_at + rules.EXPIRY_MARGIN if is_waiting else uow.now


def _looked(task: Task, uow: UnitOfWork, consent: Consent, standing: Standing, call: _Call, answer: _Answer) -> None:
    asked_for_at = standing.next_look_at  # since the question: nothing brings work forward that is under way
    rest = _rest(answer)
    if rest:
        budget.put_off(uow.session, bank_id=consent.bank_id, until=uow.now + rest, now=uow.now)
    if call.approval != _last_approval(uow, consent.id):  # it was approved anew since: of that the answer says nothing
        _run_again(task, uow, standing, run_at=uow.now)
        return
    if isinstance(answer, ToldConsent):
        standing.looked_at = uow.now
        believing.believe(task.services, uow, consent, standing, answer)
    _wait_no_longer(uow, consent, standing)
    run_at = _next_look(uow, consent, standing, is_told=isinstance(answer, ToldConsent))
    if asked_for_at is not None:
        run_at = min(run_at, max(asked_for_at, uow.now + rules.HINT_PAUSE))
    if consent.state != StandingState.REVOKING:  # what is taken back is told at once
        run_at = max(run_at, uow.now + rest)
    _run_again(task, uow, standing, run_at=run_at)


def _last_approval(uow: UnitOfWork, consent_id: str) -> str | None:
    trip = trips.last_exchanged(uow.session, consent_id)
    return None if trip is None else trip.id


def _waits_since(uow: UnitOfWork, consent: Consent, standing: Standing) -> dt.datetime | None:
    """Since when somebody waits for the bank's word on what they approved; None: nobody does."""
    trip = trips.last_exchanged(uow.session, consent.id)
    exchanged_at = None if trip is None else trip.exchanged_at
    if consent.state == StandingState.AUTHORISED:  # approved anew, perhaps from another account
        is_unread = exchanged_at is not None and (standing.looked_at is None or standing.looked_at < exchanged_at)
        return exchanged_at if is_unread else None
    waits = consent.state in (StandingState.AWAITING, StandingState.STOPPED_AT_BANK, StandingState.EXPIRED)
    if not waits or not awaits_word(uow.session, consent, standing):
        return None
    return exchanged_at or _since(uow, standing)


def _wait_no_longer(uow: UnitOfWork, consent: Consent, standing: Standing) -> None:
    """Who approved what the bank does not speak of may approve it again. What is over by our clock has an end anyhow,
    and what stands goes on standing."""
    since = _waits_since(uow, consent, standing)
    waits = since is not None and uow.now >= since + rules.WORD_LIFE
    if waits and consent.state in (StandingState.AWAITING, StandingState.STOPPED_AT_BANK):
        evidence = "approved, and the bank did not say in a day what it holds"
        end_approval(uow, standing, StandingStep.LOSE_ACCESS, source=ConsentSource.WORKER, evidence=evidence)


def _next_look(uow: UnitOfWork, consent: Consent, standing: Standing, *, is_told: bool) -> dt.datetime:
    since = _waits_since(uow, consent, standing)
    if since is not None:
        return rules.look_again_at(since=since, now=uow.now)
    if consent.state in STANDING_OVER | {StandingState.REVOKING}:
        return uow.now
    if not is_told:
        return uow.now + rules.LOOK_FAILED
    run_at = rules.next_look(consent_id=consent.id, now=uow.now)
    if consent.state == StandingState.AWAITING:
        lapses_at = consent.expires_at + rules.EXPIRY_MARGIN
        run_at = lapses_at if uow.now < lapses_at else uow.now + dt.timedelta(hours=1)
    if standing.ends_on is not None:
        after = dt.datetime.combine(standing.ends_on + dt.timedelta(days=1), dt.time(), dt.UTC)
        run_at = min(run_at, max(after, uow.now + dt.timedelta(hours=1)))
    token_ends_at = tokens.lives_until(uow.session, consent.id)
    return run_at if token_ends_at is None else min(run_at, max(token_ends_at, uow.now))


def _taken_back(
    task: Task, uow: UnitOfWork, consent: Consent, standing: Standing, call: _Call, answer: _Answer
) -> None:
    del call
    if isinstance(answer, BankError):
        again = rules.take_back_again_at(since=_since(uow, standing), now=uow.now)
        _run_again(task, uow, standing, run_at=max(again, uow.now + _rest(answer)))
        return
    standing.gone_at = uow.now
    if consent.state == StandingState.REVOKING:
        step(uow, standing, StandingStep.BANK_GONE, source=ConsentSource.BANK, evidence="bank:taken back there, too")
    _finish(task, uow, standing)


def _since(uow: UnitOfWork, standing: Standing) -> dt.datetime:
    """When it came to stand where it stands."""
    last = select(ConsentHistory.at).where(
        ConsentHistory.consent_id == standing.consent_id, ConsentHistory.sequence == standing.sequence
    )
    return uow.session.scalars(last).one()


def _rest(answer: _Answer) -> dt.timedelta:
    """How long the bank wants to be left alone."""
    seconds = answer.retry_after_s or 0 if isinstance(answer, BankUnavailable) else 0
    return dt.timedelta(seconds=seconds)


_TAKEN_IN = {_Verb.SEND: _sent, _Verb.LOOK: _looked, _Verb.TAKE_BACK: _taken_back}


# ----------------------------------------------------------------------------------------------------- its own work


def _run_again(task: Task, uow: UnitOfWork, standing: Standing, *, run_at: dt.datetime) -> None:
    standing.next_look_at = run_at
    task.run_again(uow, run_at=run_at)


def _finish(task: Task, uow: UnitOfWork, standing: Standing) -> None:
    """It is over, and nobody has to be told: what was kept for that goes."""
    standing.next_look_at = standing.psu = None
    forget_payer(uow.session, standing)
    task.finish(uow)
