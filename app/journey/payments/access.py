"""The only ways from an outside id to a payment."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import Session, aliased

from app.db.unit_of_work import UnitOfWork
from app.errors import NotFound
from app.journey.decisions import payee_checks
from app.journey.decisions.models import Decision
from app.journey.invoices.access import locked_invoice
from app.journey.invoices.chain import earlier_payments
from app.journey.invoices.models import Invoice
from app.journey.invoices.twins import twins
from app.journey.payments.models import Payment, PaymentHistory
from app.journey.payments.own_consent import is_own
from app.journey.payments.reasons import Reason
from app.journey.payments.states import NOT_DONE, PaymentState, Source
from app.journey.payments.way import trip_of
from app.people import stops
from app.people.accounts import may_be_paid, was_held_since
from consent import trips
from consent.models import Consent, Standing, Trip
from consent.states import StandingState

# these are asked before and after every step of a payment, and each is put together once
_LOCKED = select(Payment).order_by(Payment.id).with_for_update().execution_options(populate_existing=True)
_LOCKED_OF_INVOICE = _LOCKED.where(Payment.invoice_id == bindparam("of_invoice"))
_OF_PAYMENT = aliased(Payment)
_LOCKED_WITH = _LOCKED.where(
    Payment.invoice_id
    == select(_OF_PAYMENT.invoice_id).where(_OF_PAYMENT.id == bindparam("of_payment")).scalar_subquery()
)
_PAID_BESIDE = (
    select(Payment.id)
    .where(
        Payment.invoice_id == bindparam("of_invoice"),
        Payment.id != bindparam("but"),
        Payment.state == PaymentState.SETTLED,
    )
    .order_by(Payment.id)
)
_ALIVE = select(Payment).where(
    Payment.invoice_id == bindparam("of_invoice"),
    Payment.id != bindparam("but"),
    Payment.state.not_in((*NOT_DONE, PaymentState.SETTLED)),
)
_ALIVE_IN_ORDER = _ALIVE.order_by(Payment.id)
_EARLIER = Decision.decided_at < bindparam("decided_at")
_ALIVE_FIRST = _ALIVE.join(Decision, Decision.id == Payment.decision_id).with_only_columns(Payment.id).limit(1)
#: to which what its bank has accepted gives way, and what it has not
_BEFORE_ACCEPTED = _ALIVE_FIRST.where(Payment.accepted_at.is_not(None), _EARLIER)
_BEFORE_OTHERS = _ALIVE_FIRST.where(or_(Payment.accepted_at.is_not(None), _EARLIER))
_CREDITED = select(Invoice.credited_minor).where(Invoice.id == bindparam("of_invoice"))
_SOURCE = select(PaymentHistory.source).where(
    PaymentHistory.payment_id == bindparam("of_payment"), PaymentHistory.sequence == bindparam("at")
)


def payment_of_customer(session: Session, *, payment_id: str, customer_id: str, lock: bool = False) -> Payment:
    """This customer's payment. Raises NotFound alike for none and for somebody else's."""
    payment = session.get(Payment, payment_id)
    if payment is None or payment.customer_id != customer_id:
        raise NotFound("payment")
    return locked(session, payment_id) if lock else payment


def payment_of_browser(session: Session, *, payment_id: str, cookies: Collection[str]) -> Payment:
    """The payment for which this very browser went to the bank. Raises NotFound."""
    payment = session.get(Payment, payment_id)
    if payment is None or payment.trip_id is None:
        raise NotFound("payment")
    if not trips.is_same_browser(trip_of(session, payment), cookies):
        raise NotFound("payment")
    return payment


def payment_of_trip(session: Session, trip: Trip) -> Payment:
    """The payment that this trip authorises."""
    return session.scalars(select(Payment).where(Payment.trip_id == trip.id)).one()


def payment_at_bank(session: Session, *, bank_id: str, resource_id: str) -> str | None:
    """The payment that this bank knows by this id, its own or that of its own consent; None: we have none there."""
    by_payment = select(Payment.id).where(Payment.bank_id == bank_id, Payment.bank_payment_id == resource_id)
    by_consent = (
        select(Payment.id)
        .join(Consent, Consent.id == Payment.consent_id)
        .where(Consent.bank_id == bank_id, Consent.bank_consent_id == resource_id, is_own())
    )
    return session.scalar(by_payment) or session.scalar(by_consent)


def paid_by_another(session: Session, payment: Payment, decision: Decision) -> str | None:
    """The payment that has paid of the same invoice, and that its customer did not know of when they decided: those of
    the parts before this one they knew. None: there is none."""
    paid = session.scalars(_PAID_BESIDE, {"of_invoice": payment.invoice_id, "but": payment.id}).all()
    return next((each for each in paid if each not in decision.parts_paid), None)


def _alive_again(session: Session, payment: Payment, decision: Decision) -> str | None:
    """The payment of the same invoice that was closed when this one was decided, or this one when that was, and that
    may happen after all, and sooner than this one: its bank has accepted it, or it was decided earlier. None: there is
    none. Of two parts one is paid after the other."""
    of = {"of_invoice": payment.invoice_id, "but": payment.id, "decided_at": decision.decided_at}
    return session.scalar(_BEFORE_OTHERS if payment.accepted_at is None else _BEFORE_ACCEPTED, of)


def alive_of_invoice(session: Session, payment: Payment) -> Sequence[Payment]:
    """The other payments of its invoice that may be executed, the earliest first."""
    return session.scalars(_ALIVE_IN_ORDER, {"of_invoice": payment.invoice_id, "but": payment.id}).all()


def is_outdated(session: Session, payment: Payment) -> bool:
    """Whether its biller has taken something off the invoice since its customer decided: the decision is void."""
    decision = session.get_one(Decision, payment.decision_id)
    credited = session.scalars(_CREDITED, {"of_invoice": payment.invoice_id}).one()
    return credited > decision.credited_minor


def is_earlier_bill_taken(session: Session, payment: Payment) -> bool:
    """Whether a bill that its own one replaces is being paid, or has been since its customer decided, or may have been
    in another way that they did not know of then: to go on could be to pay both."""
    decision = session.get_one(Decision, payment.decision_id)
    earlier = earlier_payments(session, payment.invoice_id)
    return earlier.come_first(paid=decision.earlier_paid, not_here=decision.earlier_not_here)


def is_unchecked(session: Session, payment: Payment) -> bool:
    """Whether nobody delivered its bill, and its decision has no check of this very payee, account and amount."""
    if payment.biller_id is not None:
        return False
    return not payee_checks.stands_behind(session, session.get_one(Decision, payment.decision_id))


def is_account_held(session: Session, payment: Payment, *, lock: bool = False) -> bool:
    """Whether its bill was delivered, and the biller's account that its customer decided on is not open any more, as it
    was then; or nobody delivered it, and payments to its account were stopped. ``lock``: of the former nobody freezes
    the account before this transaction ends."""
    decision = session.get_one(Decision, payment.decision_id)
    return not may_be_paid(
        session, biller_id=payment.biller_id, iban=decision.payee_iban, moment=decision.decided_at, lock=lock
    )


def is_consent_ended(session: Session, payment: Payment) -> bool:
    """Whether it is to be paid under a standing consent that nobody may use now; or is still to be sent under one that
    was approved anew since its customer decided, perhaps for another account, or whose account the bank has lost."""
    if payment.trip_id is not None or payment.consent_id is None:
        return False
    if session.get_one(Consent, payment.consent_id).state != StandingState.AUTHORISED:
        return True
    if payment.state not in (PaymentState.PREPARED, PaymentState.AUTHORISED):
        return False  # it was sent by what was approved then, and the same bytes may still tell
    standing = session.get_one(Standing, payment.consent_id)
    decided_at = session.get_one(Decision, payment.decision_id).decided_at
    is_anew = standing.authorised_at is not None and standing.authorised_at > decided_at
    return is_anew or standing.payer_lost_at is not None


def is_void(session: Session, payment: Payment) -> bool:
    """Whether its customer has stopped everything since they decided, also where they have lifted that meanwhile."""
    decided_at = session.get_one(Decision, payment.decision_id).decided_at
    return stops.voids(session, payment.customer_id, decided_at=decided_at)


def paid_beside(session: Session, payment: Payment, decision: Decision) -> str | None:
    """The payment that has paid a bill which may be the same, or may, and that its customer did not know of when they
    decided: it was decided earlier, and had been closed by then. None: there is none. Who decided later knew this one,
    or gives way to it."""
    taken = {twin.id for twin in twins(session, invoice_id=payment.invoice_id) if twin.is_taken}
    unknown = taken.difference(payee_checks.known_besides(session, decision)) if taken else taken
    if not unknown:
        return None
    return session.scalar(
        select(Payment.id)
        .join(Decision, Decision.id == Payment.decision_id)
        .where(
            Payment.invoice_id.in_(unknown),
            Payment.state.not_in(NOT_DONE),
            Decision.decided_at < decision.decided_at,
        )
        .order_by(Payment.id)
        .limit(1)
    )


@dataclass(frozen=True, slots=True)
class GivesWay:
    """Why a payment is not to be brought further."""

    reason: Reason
    evidence: str  #: for its history


def gives_way(session: Session, payment: Payment) -> GivesWay | None:
    """To what a payment has to give way: another one has paid its invoice, a bill that this replaces or one that may be
    the same, or may have after all; or its decision is void, because of what its biller or its customer did; or its
    payee's account is held, or the standing consent that it is under is not to be used. None: to nothing. This is the
    one place that judges it."""
    decision = session.get_one(Decision, payment.decision_id)  # held, so that all who ask for it find it in the session
    other = paid_by_another(session, payment, decision)
    if other is not None:
        return GivesWay(Reason.PAID_OTHERWISE, f"paid by {other}")
    if is_void(session, payment):
        return GivesWay(Reason.STOPPED_ALL, "its customer stopped everything")
    if is_outdated(session, payment):
        return GivesWay(Reason.BILL_CORRECTED, "the bill was corrected")
    if is_unchecked(session, payment):
        return GivesWay(Reason.PAYEE_NOT_CHECKED, "the payee was not checked")
    if is_account_held(session, payment):
        return GivesWay(Reason.ACCOUNT_HELD, "the payee's account is not open any more")
    if is_consent_ended(session, payment):
        return GivesWay(Reason.CONSENT_ENDED, "its standing consent is not to be used any more")
    if is_earlier_bill_taken(session, payment):
        return GivesWay(Reason.EARLIER_BILL, "a payment of the bill that this one replaces")
    beside = paid_beside(session, payment, decision)
    if beside is not None:
        return GivesWay(Reason.SAME_BILL, f"{beside} of a bill that may be the same")
    alive = _alive_again(session, payment, decision)
    return GivesWay(Reason.ANOTHER_UNDER_WAY, f"{alive} may happen after all") if alive is not None else None


def why_unwanted(session: Session, payment: Payment) -> GivesWay | None:
    """Why nobody may bring this payment further: it could pay its invoice once more, or more than is asked. None: it is
    wanted."""
    found = gives_way(session, payment)
    if found is None and payment.unwanted_since is not None:  # what it gave way to may be over by now
        decision = session.get_one(Decision, payment.decision_id)
        if was_held_since(session, iban=decision.payee_iban, moment=decision.decided_at):
            return GivesWay(Reason.ACCOUNT_HELD, "the payee's account was held meanwhile")
        return GivesWay(Reason.ANOTHER_UNDER_WAY, "another payment of the bill")
    return found


def source_of(session: Session, payment: Payment) -> Source:
    """By whose word the payment stands where it stands."""
    return Source(session.scalars(_SOURCE, {"of_payment": payment.id, "at": payment.sequence}).one())


def was_said(session: Session, payment: Payment, *, evidence: str) -> bool:
    """Whether the payment ever took a step on this evidence."""
    line = select(PaymentHistory.sequence).where(
        PaymentHistory.payment_id == payment.id, PaymentHistory.evidence == evidence
    )
    return session.scalar(line.limit(1)) is not None


def was_closed_by_bank(session: Session, payment: Payment) -> bool:
    """Whether the bank's status has ever said that it will not happen."""
    line = select(PaymentHistory.sequence).where(
        PaymentHistory.payment_id == payment.id,
        PaymentHistory.source == Source.BANK,
        PaymentHistory.after.in_(NOT_DONE),
    )
    return session.scalar(line.limit(1)) is not None


def locked(session: Session, payment_id: str) -> Payment:
    """The row, locked for whoever wants to step it, with the rows of the other payments of its invoice.

    What one of them becomes decides what may become of the others. All are locked in one order, so that two who step
    two of them wait for each other instead of seeing half.
    """
    rows = session.scalars(_LOCKED_WITH, {"of_payment": payment_id}).all()
    return next(payment for payment in rows if payment.id == payment_id)


def locked_of_invoice(session: Session, invoice_id: str) -> dict[str, Payment]:
    """All payments of an invoice by their ids, as they are now and locked."""
    rows = session.scalars(_LOCKED_OF_INVOICE, {"of_invoice": invoice_id})
    return {payment.id: payment for payment in rows}


def locked_with_invoice(uow: UnitOfWork, invoice_id: str) -> dict[str, Payment]:
    """The payments of an invoice, what is due of it and the invoice. One that is prepared just now is waited for: it
    locks what is due, too, and would not be stopped where it is not seen."""
    while True:
        attempt = uow.session.begin_nested()
        payments = locked_of_invoice(uow.session, invoice_id)
        locked_invoice(uow.session, invoice_id)
        if payments.keys() == set(uow.session.scalars(select(Payment.id).where(Payment.invoice_id == invoice_id))):
            attempt.commit()  # the locks stay
            return payments
        attempt.rollback()  # and are left, to be taken again in the order that everybody keeps
