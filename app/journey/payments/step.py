"""The only writer of a payment's state: steps the table, moves the claim and the consent, writes history, tells.

All of it in the caller's transaction: a payment is never settled without its invoice, nor told without being so.
The caller has locked the payment (``access.locked``), and with it the other payments of its invoice.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import ColumnElement, Row, Select, and_, or_, select

from app.audit import entries
from app.audit.kinds import Kind
from app.db.unit_of_work import UnitOfWork
from app.journey.answers import service as answers
from app.journey.consents import claims
from app.journey.decisions.models import Decision
from app.journey.invoices import service as invoices
from app.journey.invoices.chain import later_ids, lines_of
from app.journey.invoices.models import Invoice
from app.journey.invoices.twins import twins
from app.journey.ledger import service as ledger
from app.journey.ledger.rules import Claim, inflight
from app.journey.payments import calls, rules
from app.journey.payments.access import (
    alive_of_invoice,
    gives_way,
    is_earlier_bill_taken,
    locked,
    locked_with_invoice,
)
from app.journey.payments.events import (
    ConsentMoved,
    DecisionVoid,
    KeptUnwanted,
    PayeeMoved,
    PaymentAccepted,
    PaymentFailed,
    PaymentReversed,
    PaymentSettled,
    PaymentUnknown,
    TwinMoved,
)
from app.journey.payments.looks import follow_from, may_end_otherwise
from app.journey.payments.models import Payment, PaymentHistory
from app.journey.payments.own_consent import forget_token, own_consent
from app.journey.payments.reasons import Reason
from app.journey.payments.states import (
    CLOSED,
    NOT_DONE,
    OVER,
    PAYMENT,
    SETTLED_ONCE,
    STEP_OF_FACT,
    PaymentState,
    PaymentStep,
    Source,
)
from app.journey.payments.terms import is_kept, may_be_dropped
from app.journey.payments.way import way_of
from app.people.models import PayeeAccount
from app.services import Task
from connectors.contract import BankStatus, Fact
from connectors.money import Money
from consent import tokens, trips
from consent.states import CONSENT, ConsentState, ConsentStep

#: what a consent of a single payment goes through when its payment gets into a state
_CONSENT_STEPS = {
    PaymentState.AUTHORISED: (ConsentStep.AUTHORISE,),
    PaymentState.ACCEPTED: (ConsentStep.AUTHORISE,),
    PaymentState.SETTLED: (ConsentStep.AUTHORISE, ConsentStep.CONSUME),
    PaymentState.REJECTED: (ConsentStep.REJECT,),
    PaymentState.CANCELLED: (ConsentStep.REJECT,),
    PaymentState.EXPIRED: (ConsentStep.EXPIRE,),
}
#: how a payment is stopped whose link was given to nobody, when its bill turns out to be paid
_STOPPED_BY = {
    PaymentState.PREPARED: PaymentStep.GIVE_UP,
    PaymentState.INITIATING: PaymentStep.GIVE_UP,
    PaymentState.AWAITING_CUSTOMER: PaymentStep.CUSTOMER_CANCEL,
}
#: the states in which another payment of the bill is told to give way
_STOPPABLE = (*_STOPPED_BY, PaymentState.AUTHORISED, PaymentState.SUBMITTING, PaymentState.UNKNOWN)
_TOLD = {
    PaymentState.ACCEPTED: PaymentAccepted,
    PaymentState.SETTLED: PaymentSettled,
    PaymentState.REJECTED: PaymentFailed,
    PaymentState.CANCELLED: PaymentFailed,
    PaymentState.EXPIRED: PaymentFailed,
    PaymentState.UNKNOWN: PaymentUnknown,
    PaymentState.REVERSED: PaymentReversed,
}
#: where nothing was submitted yet, of what is ours to submit
_NOT_SUBMITTED = (PaymentState.AWAITING_CUSTOMER, PaymentState.AUTHORISED)


def begin(uow: UnitOfWork, payment: Payment) -> None:
    """The first line of a new payment's history."""
    _write_down(uow, payment, None, source=Source.CUSTOMER, evidence=f"decision:{payment.decision_id}", answer=None)


def step(
    uow: UnitOfWork,
    payment: Payment,
    taken: PaymentStep,
    *,
    source: Source,
    evidence: str,
    reason: Reason | None = None,
    answer: bytes | None = None,
) -> bool:
    """Take one step. Returns False when it is a known repeat that changes nothing. Raises IllegalStep."""
    before = PaymentState(payment.state)
    after = PAYMENT.next(before, taken)
    if after is before:
        return False
    payment.state = after
    payment.updated_at = uow.now
    # what was told as paid and is not done has been taken back, however often its bank changed its word since
    payment.reason = Reason.REVERSED if after in NOT_DONE and payment.was_taken_back else reason
    payment.status_says = None
    if taken is not PaymentStep.DOUBT:
        payment.doubted_since = None
    payment.know_by = _promise(payment, now=uow.now) if after is PaymentState.UNKNOWN else None
    payment.untold_since = None
    if after in OVER and payment.trip_id is not None:
        trips.forget(uow.session, payment.trip_id)
    if after in CLOSED and not may_end_otherwise(payment, way_of(uow.session, payment)):
        # nobody asks about it any more
        tokens.forget_of_order(uow.session, payment.id)
        forget_token(uow.session, payment)
    if after in CLOSED and payment.is_to_submit and before in _NOT_SUBMITTED:  # the approval is never used
        forget_token(uow.session, payment)
    _write_down(uow, payment, before, source=source, evidence=evidence, answer=answer)
    _move_claim(uow, payment, before, after)
    _move_limits(uow, payment, before, after)
    _move_consent(uow, payment, before, after)
    if after in _TOLD:
        uow.record(_TOLD[after](payment_id=payment.id, sequence=payment.sequence))
    return True


def believe(uow: UnitOfWork, payment: Payment, status: BankStatus, *, reason: Reason | None) -> bool:
    """Take the step that the bank's answer asks for, and keep its words as the evidence. False: it moves nothing."""
    return _by_record(
        uow,
        payment,
        status.fact,
        source=Source.BANK,
        evidence=f"bank:{status.transaction_status}",
        reason=reason,
        answer=status.raw_response,
    )


def correct(uow: UnitOfWork, payment: Payment, fact: Fact, *, source: Source, evidence: str) -> bool:
    """Step by a record of the bank that came in another way than by asking for the status (K5: evidence wins).

    Settles what is open or unknown, corrects what was closed as not done, reverses what was settled. ``evidence`` names
    the record for who looks it up years later. False when it changes nothing.
    """
    reason = None
    if fact in (Fact.REJECTED, Fact.CANCELLED):
        reason = Reason.REVERSED if payment.state == PaymentState.SETTLED else Reason.REJECTED_BY_BANK
    return _by_record(uow, payment, fact, source=source, evidence=evidence, reason=reason, answer=None)


def doubt(uow: UnitOfWork, payment: Payment, *, answer: bytes | None = None) -> None:
    """The bank calls accepted what was closed as not done; or that, or executed, what was taken back: not known again.
    What others have left of its invoice is kept for it, so that nobody pays that once more meanwhile. Another payment
    of it is stopped, while it can be: at once, or by the bank that is asked to drop it.

    The caller has written down the bank's word, and since when it is doubted.
    """
    # first: what can be stopped at once leaves the invoice to this one
    why = f"the bank calls {payment.id} accepted after all"
    _stop_others(uow, payment, evidence=why, reason=Reason.ANOTHER_UNDER_WAY)
    payment.accepted_at = payment.accepted_at or uow.now
    _raise_fence_to_its_day(payment)
    payment.promises_broken = 0  # those of an earlier time are told no more
    evidence = "bank:consent consumed" if payment.is_to_submit else f"bank:{payment.transaction_status}"
    step(uow, payment, PaymentStep.DOUBT, source=Source.BANK, evidence=evidence, answer=answer)
    if payment.unwanted_since is None and gives_way(uow.session, payment) is not None:
        payment.unwanted_since = uow.now  # what happened while it was closed passed it by


def stand_after_all(uow: UnitOfWork, payment: Payment, *, answer: bytes) -> None:
    """The bank has what was closed when nobody knew that, and may let it be approved in a way of its own: not known
    again. It has accepted nothing yet, so of this and the others of its invoice each gives way as ever.

    The caller has raised the fence.
    """
    evidence = f"bank:{payment.transaction_status}"
    step(uow, payment, PaymentStep.DOUBT, source=Source.BANK, evidence=evidence, answer=answer)
    for each in (payment, *alive_of_invoice(uow.session, payment)):
        _reconsider(uow, each)


def _by_record(
    uow: UnitOfWork,
    payment: Payment,
    fact: Fact,
    *,
    source: Source,
    evidence: str,
    reason: Reason | None,
    answer: bytes | None,
) -> bool:
    state = PaymentState(payment.state)
    taken = STEP_OF_FACT.get(fact)
    if taken is PaymentStep.BANK_SETTLE and state in NOT_DONE:
        taken = PaymentStep.CORRECT
    if taken is PaymentStep.BANK_SETTLE and state is PaymentState.SETTLED and fact is Fact.CREDITED:
        payment.fact = fact.value  # it was debited, and has arrived
    if taken is None or not PAYMENT.allows(state, taken):
        return False
    after = PAYMENT.next(state, taken)
    settles = after is PaymentState.SETTLED
    if settles and payment.was_taken_back and source is Source.STATEMENT:
        return False  # it may show the very execution that was taken back since: that is listed, and an operator says
    if settles:
        payment.fact = fact.value
    if after in SETTLED_ONCE and source is not Source.BANK:  # the bank itself may think otherwise later
        follow_from(uow, payment, run_at=uow.now + dt.timedelta(seconds=rules.LATE_LOOKS_S[0]))
    return step(uow, payment, taken, source=source, evidence=evidence, reason=reason, answer=answer)


def _write_down(
    uow: UnitOfWork,
    payment: Payment,
    before: PaymentState | None,
    *,
    source: Source,
    evidence: str,
    answer: bytes | None,
) -> None:
    payment.sequence += 1
    # the row of the payment first, then the line of its history, then the claim: one order for everybody
    uow.session.flush()
    line = PaymentHistory(
        payment_id=payment.id,
        sequence=payment.sequence,
        before=before,
        after=payment.state,
        source=source,
        evidence=evidence,
        answer=answer,
        at=uow.now,
    )
    uow.session.add(line)
    entries.write(uow, Kind.PAYMENT_STEP, line)


def _move_claim(uow: UnitOfWork, payment: Payment, before: PaymentState, after: PaymentState) -> None:
    if after in CLOSED:
        _leave(uow, payment)
        _give_to_others(uow, payment)
    elif after is PaymentState.REVERSED:
        invoices.reopen(uow, claim_of(uow, payment))
        _give_to_others(uow, payment)
    elif after is PaymentState.SETTLED:
        _pay(uow, payment, before)
    elif before in NOT_DONE:
        invoices.reclaim(uow, claim_of(uow, payment))
        stop_new_versions(
            uow, payment.invoice_id, evidence=f"{payment.id} of the earlier bill may be executed after all"
        )
        _tell_twins(uow, payment)
    elif after is PaymentState.ACCEPTED:
        payment.accepted_at = uow.now
        _raise_fence_to_its_day(payment)
        if payment.unwanted_since is not None and is_kept(payment, now=uow.now):
            uow.record(KeptUnwanted(payment_id=payment.id, refused=False))


def _leave(uow: UnitOfWork, payment: Payment) -> None:
    """It will not happen, as far as anybody knows."""
    # a bank that names no way to approve it may let it be approved all the same, once it has it
    may_stand = calls.is_unanswered(uow.session, payment_id=payment.id, verb="initiate")
    is_sure = not may_stand and not may_end_otherwise(payment, way_of(uow.session, payment))
    if _holds(uow, payment):
        invoices.release(uow, claim_of(uow, payment), is_sure=is_sure)
    else:  # it came alive again when others had all of the bill
        invoices.end_with_nothing(uow, payment.invoice_id, is_sure=is_sure)


def _pay(uow: UnitOfWork, payment: Payment, before: PaymentState) -> None:
    """It happened, and pays what it holds of its bill; what held nothing, what others have left of it."""
    payment.settled_at = uow.now
    payment.accepted_at = payment.accepted_at or uow.now
    if before in NOT_DONE:  # first: what can still be stopped leaves the invoice to this one
        _stop_others(uow, payment, evidence=f"paid by {payment.id}", reason=Reason.PAID_OTHERWISE)
    if _holds(uow, payment):
        invoices.settle(uow, claim_of(uow, payment))
    else:
        invoices.correct(uow, claim_of(uow, payment))
        if before not in NOT_DONE:
            invoices.end_with_nothing(uow, payment.invoice_id, is_sure=True)
    answers.end_by_payment(uow, payment.invoice_id)
    # in this order: who decides just now about what may be the same has locked the last one of the line, and is
    # waited for here
    stop_new_versions(uow, payment.invoice_id, evidence=f"the earlier bill is paid by {payment.id}")
    if before in NOT_DONE:
        _tell_twins(uow, payment)


def _give_to_others(uow: UnitOfWork, payment: Payment) -> None:
    """Its invoice may be paid by another one now. A payment that came alive again, and found too little then, takes
    what it has left: the customer may not pay that once more as long as that one may come. Whoever gave way to it alone
    need not any more."""
    answers.end_by_payment(uow, payment.invoice_id)
    for other in alive_of_invoice(uow.session, payment):
        invoices.reclaim(uow, claim_of(uow, other))
        if other.unwanted_since is not None and gives_way(uow.session, other) is None:
            other.unwanted_since = None
    _want_new_versions_again(uow, payment)
    _tell_twins(uow, payment)


def _holds(uow: UnitOfWork, payment: Payment) -> bool:
    """Whether it holds anything of its invoice. What comes alive again may find that others have all of it."""
    return ledger.balance_of(uow.session, inflight(payment.id)) > 0


def _move_limits(uow: UnitOfWork, payment: Payment, before: PaymentState, after: PaymentState) -> None:
    """What it claimed of the limits of a standing consent stands as long as it may cost money, or has."""
    if payment.trip_id is not None:
        return
    if after in CLOSED:
        claims.release(uow, payment_id=payment.id)
    elif before in CLOSED:
        claims.restore(uow, payment_id=payment.id)


def claim_of(uow: UnitOfWork, payment: Payment) -> Claim:
    """What this payment takes of its invoice, by the customer's decision."""
    decision = uow.session.get_one(Decision, payment.decision_id)
    return Claim(
        invoice_id=payment.invoice_id,
        payment_id=payment.id,
        creditor=payment.biller_id or payment.invoice_id,
        amount=payment.amount,
        discount=Money(decision.discount_minor, payment.currency),
    )


def _stop_others(uow: UnitOfWork, payment: Payment, *, evidence: str, reason: Reason) -> None:
    """The bill is paid, or may be, while another payment of it is under way: that one is stopped while it can be."""
    others = _stoppable(uow, payment.invoice_id).where(Payment.id != payment.id)
    _stop(uow, uow.session.scalars(others).all(), evidence=evidence, reason=reason)


def stop_outdated(uow: UnitOfWork, invoice_id: str, *, evidence: str) -> None:
    """The bill was corrected after its customer had decided: what is under way is stopped while it can be. The caller
    has locked the payments of the invoice."""
    under_way = uow.session.scalars(_stoppable(uow, invoice_id)).all()
    _stop(uow, under_way, evidence=evidence, reason=Reason.BILL_CORRECTED)


def stop_new_versions(uow: UnitOfWork, invoice_id: str, *, evidence: str) -> None:
    """The bill is paid, or may be, while there is a new version of it: nobody is led to pay that as well, but who knew
    it when they decided. The caller has locked its payments, what is due of it and the invoice."""
    for later_id in later_ids(uow.session, invoice_id):
        locked_with_invoice(uow, later_id)
        under_way = uow.session.scalars(_stoppable(uow, later_id)).all()
        unaware = [other for other in under_way if is_earlier_bill_taken(uow.session, other)]
        _stop(uow, unaware, evidence=evidence, reason=Reason.EARLIER_BILL)


def _tell_twins(uow: UnitOfWork, payment: Payment) -> None:
    """What is under way of bills that may be the same is looked at by itself, each in a transaction of its own: nobody
    locks payments of two bills that do not replace each other. Until then the gates hold it up (``gives_way``)."""
    under_way = _under_way(uow, Payment.customer_id == payment.customer_id)
    if under_way:
        same = {twin.id for twin in twins(uow.session, invoice_id=payment.invoice_id)}
        _look_at(uow, [each for each in under_way if each.invoice_id in same])


def tell_twins_of_line(uow: UnitOfWork, invoice: Invoice) -> None:
    """Bills were found to replace each other, this one among them. What may be the same as one of them may be the same
    as each now, so what is under way of any of these is looked at, as in ``_tell_twins``."""
    under_way = _under_way(uow, Payment.customer_id == invoice.customer_id)
    same = {twin.id for twin in twins(uow.session, invoice_id=invoice.id)} if under_way else set()
    if same:
        line = lines_of(uow.session, [invoice.id])[invoice.id]
        _look_at(uow, [each for each in under_way if each.invoice_id in same.union(line)])


def look_at_account(task: Task) -> None:
    """PayeeAccountMoved: payments to it that are under way are looked at, each in a transaction of its own. Until then
    the gates hold them up (``gives_way``)."""
    with task.services.unit_of_work() as uow:
        account = uow.session.get_one(PayeeAccount, task.payload["account_id"])
        payments = uow.session.scalars(
            select(Payment.id)
            .join(Decision, Decision.id == Payment.decision_id)
            .where(
                or_(Payment.biller_id == account.biller_id, Payment.biller_id.is_(None)),
                Decision.payee_iban == account.iban,
                _is_stoppable(uow),
            )
            .order_by(Payment.id)
        ).all()
        for payment_id in payments:
            uow.record(PayeeMoved(payment_id=payment_id))
        task.finish(uow)
        uow.commit()


def look_at_consent(task: Task) -> None:
    """A standing consent may be used no more, or again: payments under it that are under way are looked at, as in
    ``look_at_account``."""
    with task.services.unit_of_work() as uow:
        for each in _under_way(uow, Payment.consent_id == task.payload["consent_id"]):
            uow.record(ConsentMoved(payment_id=each.id))
        task.finish(uow)
        uow.commit()


def look_at_customer(task: Task) -> None:
    """CustomerStopped: what of theirs is under way is looked at, as in ``look_at_account``."""
    with task.services.unit_of_work() as uow:
        for each in _under_way(uow, Payment.customer_id == task.payload["customer_id"]):
            uow.record(DecisionVoid(payment_id=each.id))
        task.finish(uow)
        uow.commit()


def _under_way(uow: UnitOfWork, whose: ColumnElement[bool]) -> Sequence[Row[str, str]]:
    """All of these payments that can still be stopped, or be wanted no more."""
    return uow.session.execute(
        select(Payment.id, Payment.invoice_id).where(whose, _is_stoppable(uow)).order_by(Payment.id)
    ).all()


def _look_at(uow: UnitOfWork, under_way: Sequence[Row[str, str]]) -> None:
    for each in under_way:
        uow.record(TwinMoved(payment_id=each.id))


def reconsider(task: Task) -> None:
    """TwinMoved, PayeeMoved, ConsentMoved, DecisionVoid: stop the payment while it can be, if it has to give way now;
    else it is wanted again."""
    with task.services.unit_of_work() as uow:
        payment = locked(uow.session, task.payload["payment_id"])
        if payment.state not in OVER:  # else nobody brings it further
            _reconsider(uow, payment)
        task.finish(uow)
        uow.commit()


def _reconsider(uow: UnitOfWork, payment: Payment) -> None:
    why = gives_way(uow.session, payment)
    if why is None:
        if payment.unwanted_since is not None and payment.trip_id is None:
            follow_from(uow, payment, run_at=uow.now)  # the same bytes may go again, and would tell
        payment.unwanted_since = None
    elif payment.state in _STOPPABLE or may_be_dropped(payment, now=uow.now):
        _stop(uow, [payment], evidence=why.evidence, reason=why.reason)


def _stoppable(uow: UnitOfWork, invoice_id: str) -> Select[Payment]:
    return select(Payment).where(Payment.invoice_id == invoice_id, _is_stoppable(uow)).order_by(Payment.id)


def _is_stoppable(uow: UnitOfWork) -> ColumnElement[bool]:
    """Of the payments of a query: what can be stopped, or its bank be asked to drop. What its bank keeps until a day is
    approved, and yet such a one (``may_be_dropped``)."""
    kept = and_(Payment.state == PaymentState.ACCEPTED, Payment.kept_until > uow.now - rules.KEPT_MARGIN)
    return or_(Payment.state.in_(_STOPPABLE), kept)


def _stop(uow: UnitOfWork, payments: Sequence[Payment], *, evidence: str, reason: Reason) -> None:
    """Stop those that nobody else can make happen; the bank is asked to drop the others."""
    left = [each for each in payments if not _is_stopped(uow, each, evidence=evidence, reason=reason)]
    for payment in left:
        if payment.unwanted_since is None:
            payment.unwanted_since = uow.now
            if is_kept(payment, now=uow.now):
                uow.record(KeptUnwanted(payment_id=payment.id, refused=False))
            follow_from(uow, payment, run_at=uow.now)


def _is_stopped(uow: UnitOfWork, payment: Payment, *, evidence: str, reason: Reason) -> bool:
    is_here = way_of(uow.session, payment).given_out_at is None
    taken = _STOPPED_BY.get(PaymentState(payment.state)) if is_here else None
    if taken is None and may_withhold(payment):
        taken = PaymentStep.WITHHOLD
    if taken is not None:
        step(uow, payment, taken, source=Source.WORKER, evidence=evidence, reason=reason)
    return taken is not None


def _want_new_versions_again(uow: UnitOfWork, payment: Payment) -> None:
    """It has not paid its bill: what gave way to it among the payments of the new versions need not any more."""
    for invoice_id in later_ids(uow.session, payment.invoice_id):
        for other in locked_with_invoice(uow, invoice_id).values():
            if other.unwanted_since is not None and gives_way(uow.session, other) is None:
                other.unwanted_since = None


def _move_consent(uow: UnitOfWork, payment: Payment, before: PaymentState, after: PaymentState) -> None:
    consent = own_consent(uow.session, payment)
    if consent is None:
        return
    for taken in consent_steps(before, after):
        consent.state = CONSENT.next(ConsentState(consent.state), taken)


def consent_steps(before: PaymentState, after: PaymentState) -> tuple[ConsentStep, ...]:
    """What the consent of a single payment goes through when its payment goes from one state into another."""
    if before in CLOSED:
        return (ConsentStep.RESTORE,) if after is PaymentState.UNKNOWN else (ConsentStep.CORRECT,)
    return _CONSENT_STEPS.get(after, ())


def may_withhold(payment: Payment) -> bool:
    """Whether nothing can happen as long as we do not submit it, and we never tried."""
    return payment.is_to_submit and PAYMENT.allows(PaymentState(payment.state), PaymentStep.WITHHOLD)


def keep_promise(payment: Payment, *, now: dt.datetime) -> None:
    """What was promised and could not be kept is counted, said on the page, and promised anew."""
    if payment.know_by is not None and now >= payment.know_by:
        payment.promises_broken += 1
        by = rules.next_promise(now=now, broken=payment.promises_broken)
        payment.know_by = rules.promised(by, told_until=payment.told_until)
        payment.updated_at = now  # the page says something else from now on


def promise_nothing(payment: Payment, *, now: dt.datetime) -> None:
    """Nobody can be asked any more what became of it, or of what the bank accepted: no time can be promised by which
    that will be known."""
    if payment.state in (PaymentState.UNKNOWN, PaymentState.ACCEPTED) and payment.untold_since is None:
        payment.untold_since = now
        payment.know_by = None
        payment.updated_at = now  # the page says something else from now on


def promise_again(payment: Payment, *, now: dt.datetime) -> None:
    """It can be asked about after all."""
    if payment.untold_since is not None:
        payment.untold_since = None
        payment.know_by = _promise(payment, now=now) if payment.state == PaymentState.UNKNOWN else None
        payment.updated_at = now


def _promise(payment: Payment, *, now: dt.datetime) -> dt.datetime | None:
    by = rules.promise(now=now, fence_at=payment.fence_at)
    return rules.promised(by, told_until=payment.told_until)


def _raise_fence_to_its_day(payment: Payment) -> None:
    """What a bank has accepted for a later day may move money on that day, whatever we do until then (K4)."""
    if payment.kept_until is not None:
        raise_fence(payment, payment.kept_until + rules.KEPT_MARGIN)


def raise_fence(payment: Payment, until: dt.datetime) -> None:
    """Something was given out that could move money until then (K4). The fence only ever moves away."""
    payment.fence_at = max(payment.fence_at or until, until)
