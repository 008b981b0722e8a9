"""Going on with a standing consent: one row of work follows each, whatever is next to be done at its bank.

It is given to the bank (its bytes were stored when it was agreed on: K1, K2), looked at while it stands, and taken back
there until the bank has confirmed that. None of these calls moves money. The first transaction says what is called and
the second what came of it; none is open while a bank is called.
"""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import asdict, dataclass
from typing import Any, cast

from sqlalchemy import select

from app.db.unit_of_work import UnitOfWork
from app.failpoints import failpoint
from app.journey.consents import budget, rules
from app.journey.consents.access import locked
from app.journey.consents.my_banks import is_wanted
from app.journey.consents.read import awaits_word
from app.journey.consents.step import note, step, take_back
from app.people.stops import voids
from app.services import Services, Task
from connectors.capabilities import RecurringPayments, Recurs, ToldConsent
from connectors.contract import BankRequest, ConsentStatus, PsuContext, Staged
from connectors.errors import BankError, BankRefused, BankUnavailable
from consent import tokens, trips
from consent.models import Consent, ConsentHistory, Standing
from consent.payer import keep_payer
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
        _TAKEN_IN[call.verb](task, uow, consent, standing, answer)
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
        if verb is _Verb.SEND:
            standing.sent_at = standing.sent_at or uow.now
            standing.sends += 1
        call = _Call(
            verb=verb,
            consent_id=consent.id,
            bank_id=consent.bank_id,
            bank_consent_id=consent.bank_consent_id or "",
            request=request_of(standing),
            psu=None if standing.psu is None else PsuContext(**standing.psu),
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
    return _to_look(task, uow, consent, standing)


def _to_send(task: Task, uow: UnitOfWork, standing: Standing) -> _Verb | None:
    """As long as its customer may wait for it, and wants it."""
    if voids(uow.session, standing.customer_id, decided_at=standing.agreed_at):
        take_back(uow, standing, source=ConsentSource.CUSTOMER, evidence="everything was stopped")
    elif uow.now > standing.agreed_at + rules.SEND_LIFE or standing.sends > len(rules.SEND_AGAIN_S):
        _give_up(uow, standing, "the bank did not answer; nobody was sent there to approve it")
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


def _give_up(uow: UnitOfWork, standing: Standing, evidence: str, *, answer: bytes | None = None) -> None:
    source = ConsentSource.BANK if answer is not None else ConsentSource.WORKER
    step(uow, standing, StandingStep.GIVE_UP, source=source, evidence=evidence, answer=answer)


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


def _sent(task: Task, uow: UnitOfWork, consent: Consent, standing: Standing, answer: _Answer) -> None:
    """Its id is kept whatever has become of it meanwhile: what the bank has can be taken back there."""
    if isinstance(answer, Staged):
        _staged(task, uow, consent, standing, answer)
        _run_again(task, uow, standing, run_at=_after_staging(uow, consent))
        return
    if isinstance(answer, BankRefused):
        standing.psu = None
        if consent.state == StandingState.REVOKING:
            step(uow, standing, StandingStep.BANK_GONE, source=ConsentSource.BANK, evidence=_refusal(answer))
            standing.gone_at = uow.now
        else:
            _give_up(uow, standing, _refusal(answer), answer=str(answer).encode())
        _finish(task, uow, standing)
        return
    again = rules.send_again_at(sends=standing.sends, now=uow.now)
    if isinstance(answer, BankUnavailable) and answer.retry_after_s:
        again = max(again, uow.now + dt.timedelta(seconds=answer.retry_after_s))
    if consent.state == StandingState.REVOKING:
        again = rules.take_back_again_at(since=_since(uow, standing), now=uow.now)
    _run_again(task, uow, standing, run_at=again)


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
        _not_as_agreed(uow, standing, staged.differences or ("no way to approve",), answer=answer)


def _after_staging(uow: UnitOfWork, consent: Consent) -> dt.datetime:
    is_waiting = consent.state == StandingState.AWAITING
    return consent.expires_at + rules.EXPIRY_MARGIN if is_waiting else uow.now


def _not_as_agreed(uow: UnitOfWork, standing: Standing, names: tuple[str, ...], *, answer: bytes) -> None:
    """The bank would allow something else than its customer signed: it is not used, and taken back there."""
    evidence = f"the bank holds otherwise: {', '.join(names)}"
    step(uow, standing, StandingStep.REJECT, source=ConsentSource.BANK, evidence=evidence, answer=answer)


def _looked(task: Task, uow: UnitOfWork, consent: Consent, standing: Standing, answer: _Answer) -> None:
    if not isinstance(answer, ToldConsent):
        wait = answer.retry_after_s or 0 if isinstance(answer, BankUnavailable) else 0
        if wait:
            until = uow.now + dt.timedelta(seconds=wait)
            budget.put_off(uow.session, bank_id=consent.bank_id, until=until, now=uow.now)
        pause = max(rules.WAITING_AGAIN, dt.timedelta(seconds=wait))
        if consent.state == StandingState.REVOKING:
            pause = dt.timedelta()
        elif not _is_urgent(uow, consent, standing):
            pause = max(pause, dt.timedelta(hours=1))
        _run_again(task, uow, standing, run_at=uow.now + pause)
        return
    standing.looked_at = uow.now
    _believe(task.services, uow, consent, standing, answer)
    # what happened while the bank thought is not left to the next look: nothing brings work forward that is under way
    is_other = consent.state in STANDING_OVER | {StandingState.REVOKING}
    _run_again(task, uow, standing, run_at=uow.now if is_other else _next_look(uow, consent, standing))


def _is_urgent(uow: UnitOfWork, consent: Consent, standing: Standing) -> bool:
    """Whether somebody waits for the bank's word."""
    waits = consent.state in (StandingState.AWAITING, StandingState.STOPPED_AT_BANK, StandingState.EXPIRED)
    return waits and awaits_word(uow.session, consent, standing)


def _next_look(uow: UnitOfWork, consent: Consent, standing: Standing) -> dt.datetime:
    if _is_urgent(uow, consent, standing):
        return uow.now + rules.WAITING_AGAIN
    run_at = rules.next_look(consent_id=consent.id, now=uow.now)
    if consent.state == StandingState.AWAITING:
        lapses_at = consent.expires_at + rules.EXPIRY_MARGIN
        run_at = lapses_at if uow.now < lapses_at else uow.now + dt.timedelta(hours=1)
    if standing.ends_on is not None:
        after = dt.datetime.combine(standing.ends_on + dt.timedelta(days=1), dt.time(), dt.UTC)
        run_at = min(run_at, max(after, uow.now + dt.timedelta(hours=1)))
    return run_at


def _believe(services: Services, uow: UnitOfWork, consent: Consent, standing: Standing, told: ToldConsent) -> None:
    """Take the steps that the bank's word asks for. That it is authorised is not the whole truth: by the standard it
    says so also of what its customer stopped there."""
    said: dict[str, Any] = {"source": ConsentSource.BANK, "evidence": f"bank:{told.status}"}

    def go(taken: StandingStep) -> None:
        step(uow, standing, taken, answer=told.raw_response or None, **said)

    if told.status is ConsentStatus.NOT_FOUND:
        standing.gone_at = uow.now
        go(StandingStep.BANK_GONE)
    elif told.differences:
        _not_as_agreed(uow, standing, told.differences, answer=told.raw_response)
    elif told.status is ConsentStatus.AUTHORISED:
        _is_authorised(services, uow, consent, standing, told)
    elif told.is_access_lost:
        go(StandingStep.LOSE_ACCESS)
    elif told.status is ConsentStatus.REJECTED:
        go(StandingStep.REJECT)
    elif told.status is ConsentStatus.EXPIRED:
        go(StandingStep.EXPIRE)
    elif told.status is ConsentStatus.WAITING and _is_past(consent, uow.now):
        step(uow, standing, StandingStep.EXPIRE, source=ConsentSource.WORKER, evidence="not approved in time")


def _is_authorised(
    services: Services, uow: UnitOfWork, consent: Consent, standing: Standing, told: ToldConsent
) -> None:
    if not is_wanted(uow.session, standing):
        take_back(uow, standing, source=ConsentSource.CUSTOMER, evidence="approved, and not wanted any more")
    elif tokens.is_any_kept(uow.session, consent.id):
        news, account = _account(services, uow, standing, told)
        evidence = f"bank:authorised; {account}"
        said: dict[str, Any] = {"source": ConsentSource.BANK, "evidence": evidence, "answer": told.raw_response}
        if not step(uow, standing, StandingStep.AUTHORISE, **said) and news is not None:
            note(uow, standing, news, **said)
    elif consent.state == StandingState.AWAITING and (_is_past(consent, uow.now) or _was_exchanged(uow, consent)):
        evidence = "approved at the bank, whose answer did not reach us"
        step(uow, standing, StandingStep.LOSE_ACCESS, source=ConsentSource.BANK, evidence=evidence)


def _account(services: Services, uow: UnitOfWork, standing: Standing, told: ToldConsent) -> tuple[str | None, str]:
    """Which account pays: what of it is news, if anything, and in words. A bank need not name it; one that did before
    knows it no more."""
    before = standing.payer_mask
    if told.payer is not None:
        was_lost = standing.payer_lost_at is not None
        is_other = keep_payer(uow.session, services.vault, standing, told.payer, now=uow.now)
        words = f"from {standing.payer_mask}" + (f", before from {before}" if is_other else "")
        return "account" if is_other or was_lost else None, words
    if before is None:
        return None, "no account is named"
    is_news = standing.payer_lost_at is None
    standing.payer_lost_at = standing.payer_lost_at or uow.now
    return "account_lost" if is_news else None, f"no account is named any more, before from {before}"


def _is_past(consent: Consent, now: dt.datetime) -> bool:
    return now >= consent.expires_at + rules.EXPIRY_MARGIN


def _was_exchanged(uow: UnitOfWork, consent: Consent) -> bool:
    """And nothing came of it, where nothing is kept."""
    over_at = trips.exchange_over_at(uow.session, consent.id)
    return over_at is not None and uow.now >= over_at


def _taken_back(task: Task, uow: UnitOfWork, consent: Consent, standing: Standing, answer: _Answer) -> None:
    if isinstance(answer, BankError):
        again = rules.take_back_again_at(since=_since(uow, standing), now=uow.now)
        _run_again(task, uow, standing, run_at=again)
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


def _refusal(error: BankRefused) -> str:
    return f"bank:{error.http_status} {error.code}"[:200]


_TAKEN_IN = {_Verb.SEND: _sent, _Verb.LOOK: _looked, _Verb.TAKE_BACK: _taken_back}


# ----------------------------------------------------------------------------------------------------- its own work


def _run_again(task: Task, uow: UnitOfWork, standing: Standing, *, run_at: dt.datetime) -> None:
    standing.next_look_at = run_at
    task.run_again(uow, run_at=run_at)


def _finish(task: Task, uow: UnitOfWork, standing: Standing) -> None:
    standing.next_look_at = None
    task.finish(uow)
