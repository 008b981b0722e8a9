"""An approval that executes nothing by itself: waited for, then used once and soon, or withheld for ever.

Until its payment is submitted nothing can happen that we do not do: whatever speaks against it ends it here. Under a
standing consent there is nothing to wait for; what it allows is asked once more, of the days of the sending itself.
"""

from __future__ import annotations

import datetime as dt
import uuid

from app.db.unit_of_work import UnitOfWork
from app.journey.consents import claims
from app.journey.consents.claims import LimitReached
from app.journey.decisions.models import Decision
from app.journey.payments import calls, repeats, rules
from app.journey.payments.access import GivesWay, why_unwanted
from app.journey.payments.initiate import order_of, psu_of
from app.journey.payments.looks import look_again
from app.journey.payments.models import Payment
from app.journey.payments.own_consent import standing_of
from app.journey.payments.reasons import Reason
from app.journey.payments.speaker import orders_of
from app.journey.payments.states import PaymentStep, Source
from app.journey.payments.step import raise_fence, step
from app.journey.payments.terms import is_day_begun, terms_of
from app.journey.payments.way import way_of
from app.people import stops
from app.services import Task
from consent.models import Consent, Standing
from consent.rules import Reason as Breach
from consent.rules import Why
from consent.tokens import access_token


def wait_for_approval(task: Task, uow: UnitOfWork, payment: Payment) -> None:
    """Nobody asks the bank meanwhile: it has nothing that it could execute."""
    way = way_of(uow.session, payment)
    consent = uow.session.get_one(Consent, payment.consent_id)
    over_at = consent.expires_at + (rules.EXPIRY_MARGIN if way.given_out_at is not None else dt.timedelta())
    if way.outcome not in (None, "code"):
        reason = Reason.REFUSED_AT_BANK if way.outcome == "access_denied" else Reason.NOT_APPROVED
        withhold(task, uow, payment, reason, evidence=f"came back without a code: {way.outcome}")
    elif why := why_unwanted(uow.session, payment):
        give_way(task, uow, payment, why)
    elif uow.now >= over_at and way.given_out_at is None:
        evidence = "the time is over; the link was given to nobody"
        reason = Reason.NOT_APPROVED_IN_TIME
        step(uow, payment, PaymentStep.EXPIRE, source=Source.WORKER, evidence=evidence, reason=reason)
        task.finish(uow)
    elif uow.now >= over_at and way.outcome is None:
        withhold(task, uow, payment, Reason.NOT_APPROVED_IN_TIME, evidence="nobody came back in time")
    else:  # whoever exchanges its code ends it, or goes on with it
        look_again(task, uow, payment, run_at=max(over_at, uow.now + rules.HINT_PAUSE))


def wait_for_day(task: Task, uow: UnitOfWork, payment: Payment) -> None:
    """It was decided for a later day. What speaks against it meanwhile ends it at once."""
    why = why_unwanted(uow.session, payment)
    if why is not None:
        give_way(task, uow, payment, why)
    else:
        look_again(task, uow, payment, run_at=payment.send_from or uow.now + rules.EXPIRY_MARGIN)


def use_approval(task: Task, uow: UnitOfWork, payment: Payment) -> calls.Attempt | None:
    """Settle the bytes and the key, for life. Not when the customer has been waiting for too long, or has paid."""
    stops.hold_off(uow.session, payment.customer_id)
    consent = uow.session.get_one(Consent, payment.consent_id)
    standing = standing_of(uow.session, payment)
    if standing is not None:
        uow.session.refresh(consent, with_for_update={"read": True})  # nobody ends it before this is written down
    token = access_token(uow.session, task.services.vault, consent, now=uow.now)
    decision = uow.session.get_one(Decision, payment.decision_id)
    why = why_unwanted(uow.session, payment) or _not_its_day(uow, payment, standing, decision)
    if why is not None:
        give_way(task, uow, payment, why)
        return None
    approved_at = payment.updated_at if standing is None else payment.send_from or decision.decided_at
    is_old = repeats.is_too_old(uow, payment, since=approved_at)
    if is_old or (token is None and standing is None):
        evidence = "its token is dead, or does not open" if token is None else "the approval is too old to be used"
        withhold(task, uow, payment, Reason.APPROVAL_LOST, evidence=evidence)
        return None
    if token is None:  # somebody renews it, or its key comes back
        look_again(task, uow, payment, run_at=rules.look_in_silence(silent_since=approved_at, now=uow.now))
        return None
    breach = None if standing is None else claim_days(uow, payment, standing)
    if breach is not None and breach.why is Why.NOT_YET:  # by a clock behind that by which it was decided
        look_again(task, uow, payment, run_at=uow.now + rules.HINT_PAUSE)
        return None
    if breach is not None:
        evidence = f"its consent does not allow it now: {breach.why}"
        reason = Reason.CONSENT_ENDED if breach.why is Why.ENDED else Reason.LIMIT_REACHED
        withhold(task, uow, payment, reason, evidence=evidence)
        return None
    try:
        orders = orders_of(task.services, payment.bank_id, terms_of(uow.session, payment))
        request = orders.draft_submission(
            order_of(payment, decision), consent_id=consent.at_bank, request_id=str(uuid.uuid4())
        )
    except ValueError as error:
        withhold(task, uow, payment, Reason.BANK_REFUSED, evidence=f"it cannot be sent: {error}")
        return None
    if standing is not None:
        raise_fence(payment, uow.now + rules.KEY_LIFE + rules.EXPIRY_MARGIN)  # the same bytes are not sent after that
    task.hold(uow)
    call = calls.store(uow, payment_id=payment.id, verb="submit", request=request)
    step(uow, payment, PaymentStep.SUBMIT, source=Source.WORKER, evidence="bytes stored")
    return calls.submission(uow, payment, call, token=token, psu=psu_of(payment, decision))


def _not_its_day(uow: UnitOfWork, payment: Payment, standing: Standing | None, decision: Decision) -> GivesWay | None:
    if standing is not None and repeats.is_day_over(uow, payment):
        return GivesWay(Reason.DAY_OVER, f"it was for {decision.pay_on} alone, and nothing was sent on that day")
    if is_day_begun(payment, now=uow.now):
        return GivesWay(Reason.DAY_OVER, f"it was to be kept until {decision.pay_on}, and that day has begun")
    return None


def claim_days(uow: UnitOfWork, payment: Payment, standing: Standing) -> Breach | None:
    """Claim what is missing where a payment is sent now, as it is by each day on which the bank may count it. What the
    consent does not allow on one of them is told, and nothing is claimed."""
    days = claims.days_of_sending(standing, now=uow.now)
    frame = standing.frame
    if min(days) < frame.begins_on:
        return Breach(why=Why.NOT_YET, day=frame.begins_on)
    if frame.ends_on is not None and max(days) > frame.ends_on:
        return Breach(why=Why.ENDED, day=frame.ends_on)
    try:
        with uow.session.begin_nested():
            minor = payment.amount_minor
            claims.take(uow.session, standing, payment_id=payment.id, minor=minor, days=days, now=uow.now)
    except LimitReached as reached:
        return reached.reason
    return None


def withhold(task: Task, uow: UnitOfWork, payment: Payment, reason: Reason, *, evidence: str) -> None:
    """Nothing was submitted, so that nothing happens, whatever the customer approved."""
    step(uow, payment, PaymentStep.WITHHOLD, source=Source.WORKER, evidence=evidence, reason=reason)
    payment.next_look_at = None
    task.finish(uow)


def give_way(task: Task, uow: UnitOfWork, payment: Payment, why: GivesWay) -> None:
    withhold(task, uow, payment, why.reason, evidence=why.evidence)
