"""What a company says of giving money back, and what its customer says of whether it has come. Nothing here moves
money, or changes what is owed: that the documents say.

Who promises has locked the payments of the bill, what is due of it and the invoice, so that what is owed stays as it is
until the promise is written. Whatever else is said locks the refund alone.
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import func, select, update

from app.audit import entries
from app.audit.kinds import Kind
from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict, FieldError, Invalid, NotFound
from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import text
from app.journey.intake.models import DeliveredBill
from app.journey.invoices.models import Invoice
from app.journey.invoices.states import InvoiceState
from app.journey.payments.access import locked_with_invoice
from app.journey.refunds import accounts
from app.journey.refunds.access import all_owed, refund_of_biller, refund_of_customer, unpromised
from app.journey.refunds.events import RefundOverdue
from app.journey.refunds.models import Refund
from app.journey.refunds.rules import (
    REFERENCE_MAX,
    REFUNDS_MOST,
    WORDS_MAX,
    Way,
    first_day_not_over,
    may_be_missing,
    missing_from,
    promised_days,
    sent_days,
)
from app.journey.refunds.states import RefundState, RefundStep
from app.journey.refunds.step import Sent, take, write_down
from app.people.biller_states import BillerState
from app.people.billers import locked_to_read
from app.people.customers import today_of
from app.people.models import Customer
from app.people.sessions import SignedIn
from app.services import Services
from connectors.money import Money
from consent.base import new_id

#: in one transaction
OVERDUE_AT_ONCE = 500


# ------------------------------------------------------------------------------------------------- the company's words


def promise(
    services: Services, *, biller_id: str, bill_id: str, amount: Money, promised_by: dt.date
) -> tuple[str, bool]:
    """Promise to give back so much of a bill by a day. Returns the refund's id, and whether it is new: the same terms
    again, while that refund was not taken back, are the same refund.

    A company that is suspended may promise: it is to its customer's good. Raises NotFound, Invalid naming the field,
    and Conflict where no more is owed, or it is not known yet how much; then nothing is written.
    """
    with services.unit_of_work() as uow:
        invoice_id = _invoice_of(uow, biller_id=biller_id, bill_id=bill_id)
        locked_with_invoice(uow, invoice_id)
        invoice = uow.session.get_one(Invoice, invoice_id)
        same = uow.session.scalar(
            select(Refund.id).where(
                Refund.invoice_id == invoice_id,
                Refund.amount_minor == amount.minor,
                Refund.currency == amount.currency,
                Refund.promised_by == promised_by,
                Refund.state != RefundState.WITHDRAWN,
            )
        )
        if same is not None:
            return same, False
        _must_be_an_amount(invoice, amount)
        _must_be_within(promised_by, promised_days(_today(uow, invoice.customer_id)), pointer="/promised_by")
        _must_be_owed(uow, invoice, amount)
        refund = Refund(
            id=new_id("rfd"),
            invoice_id=invoice_id,
            customer_id=invoice.customer_id,
            biller_id=biller_id,
            number=_next_number(uow, invoice_id),
            currency=amount.currency,
            amount_minor=amount.minor,
            owed_minor=all_owed(uow.session, invoice).minor,
            promised_by=promised_by,
            said_at=uow.now,
            state=RefundState.PROMISED,
            sequence=0,
        )
        uow.session.add(refund)
        uow.session.flush()
        entries.write(uow, Kind.REFUND_PROMISED, refund)
        write_down(uow, refund, "promise", before=None)
        uow.commit()
        return refund.id, True


def send(services: Services, *, biller_id: str, refund_id: str, sent: Sent) -> None:
    """Say that it was sent, or once its customer said that it has not come, that it was sent again. The same again, and
    whatever is said once it has arrived, changes nothing. Raises NotFound, Invalid naming the field, and TooLate."""
    reference = _checked(sent.reference, most=REFERENCE_MAX, pointer="/reference")
    sent = Sent(sent_on=sent.sent_on, way=sent.way, reference=reference)
    with services.unit_of_work() as uow:
        refund = refund_of_biller(uow.session, refund_id=refund_id, biller_id=biller_id, lock=True)
        is_same = (refund.sent_on, refund.way, refund.reference) == (sent.sent_on, sent.way, sent.reference)
        if refund.state == RefundState.RECEIVED or is_same:
            return
        _must_be_within(sent.sent_on, sent_days(_today(uow, refund.customer_id)), pointer="/sent_on")
        if sent.way is Way.RELEASED_ACCOUNT and not accounts.was_read(uow.session, refund.id):
            raise _wrong("/way", "You have read no account that your customer released for this refund.")
        take(uow, refund, RefundStep.SEND, sent=sent)
        accounts.keep_for_a_while(uow, refund)
        uow.commit()


def withdraw(services: Services, *, biller_id: str, refund_id: str, words: str) -> None:
    """Take a promise back, and say why. Said again it is the same, with its first words. One that is suspended may not:
    what it owes stays owed, and nobody could ask it why.

    Raises NotFound, Invalid naming the field, Conflict and TooLate; then nothing is written.
    """
    said = _checked(words, most=WORDS_MAX, pointer="/words")
    if said is None:
        raise _wrong("/words", "Tell your customer why.")
    with services.unit_of_work() as uow:
        biller = locked_to_read(uow.session, biller_id)
        refund = refund_of_biller(uow.session, refund_id=refund_id, biller_id=biller_id, lock=True)
        if refund.state == RefundState.WITHDRAWN:
            return
        if biller.state != BillerState.VETTED:
            raise Conflict("biller-not-vetted", "You are suspended here: what you have promised stands as it is.")
        take(uow, refund, RefundStep.WITHDRAW, words=said)
        accounts.erase(uow, refund)
        uow.commit()


# ------------------------------------------------------------------------------------------------ the customer's words


def arrived(uow: UnitOfWork, *, signed_in: SignedIn, refund_id: str) -> Refund:
    """Its customer says that the money is there. Said again it is the same. Raises NotFound, NotAllowed, and TooLate
    where the promise was taken back."""
    signed_in.check_acts()
    refund = refund_of_customer(uow.session, refund_id=refund_id, customer_id=signed_in.customer.id, lock=True)
    if refund.state != RefundState.RECEIVED:
        take(uow, refund, RefundStep.ARRIVE)
        accounts.erase(uow, refund)
    return refund


def not_arrived(uow: UnitOfWork, *, signed_in: SignedIn, refund_id: str) -> Refund:
    """Its customer says that it has not come, days after it was sent. Said again it is the same.

    Raises NotFound, NotAllowed, Conflict before that day, and TooLate where it is not said to be sent.
    """
    signed_in.check_acts()
    customer = signed_in.customer
    refund = refund_of_customer(uow.session, refund_id=refund_id, customer_id=customer.id, lock=True)
    if refund.state == RefundState.MISSING:
        return refund
    today, state = today_of(customer, uow.now), RefundState(refund.state)
    if state is RefundState.SENT and not may_be_missing(state, sent_on=refund.sent_on, today=today):
        day = missing_from(refund.sent_on) if refund.sent_on else today
        raise Conflict("too-early", f"A transfer takes some days: from {day} on you can say that it has not arrived.")
    take(uow, refund, RefundStep.MISS)
    return refund


# -------------------------------------------------------------------------------------------------------- the clock


def report_overdue(uow: UnitOfWork) -> None:
    """Say of each refund that was not sent by the day of its promise that it is so: once, ever."""
    late = (
        Refund.state == RefundState.PROMISED,
        Refund.overdue_at.is_(None),
        Refund.promised_by < first_day_not_over(uow.now),
    )
    oldest = (
        select(Refund.id)
        .where(*late)
        .order_by(Refund.promised_by)
        .limit(OVERDUE_AT_ONCE)
        .with_for_update(skip_locked=True)
        .cte("oldest")
    )
    noticed = uow.session.execute(
        update(Refund)
        .where(Refund.id.in_(select(oldest.c.id)), *late)
        .values(overdue_at=uow.now)
        .returning(Refund.id, Refund.sequence)
        .execution_options(synchronize_session=False)
    ).all()
    for refund_id, sequence in noticed:
        uow.record(RefundOverdue(refund_id=refund_id, sequence=sequence))


# ----------------------------------------------------------------------------------------------------------------------


def _invoice_of(uow: UnitOfWork, *, biller_id: str, bill_id: str) -> str:
    bill = uow.session.get(DeliveredBill, bill_id)
    if bill is None or bill.biller_id != biller_id:
        raise NotFound("bill")
    invoice_id = uow.session.scalar(select(Invoice.id).where(Invoice.bill_id == bill_id))
    if invoice_id is None:
        raise _not_owed("Nothing is owed of this bill.")
    return invoice_id


def _must_be_an_amount(invoice: Invoice, amount: Money) -> None:
    if amount.currency != invoice.currency:
        raise _wrong("/currency", f"The bill is in {invoice.currency}.")
    if amount.minor <= 0:
        raise _wrong("/amount", "Promise more than nothing.")


def _must_be_owed(uow: UnitOfWork, invoice: Invoice, amount: Money) -> None:
    if invoice.state == InvoiceState.IN_PAYMENT:
        raise Conflict(
            "already-in-payment", "A payment of this bill is under way: wait until it is known what is owed."
        )
    left = unpromised(uow.session, invoice)
    if amount.minor > left.minor:
        raise _not_owed(f"Of this bill {left} {left.currency} is owed beyond what you have promised already.")


def _not_owed(detail: str) -> Conflict:
    return Conflict("not-owed", detail)


def _next_number(uow: UnitOfWork, invoice_id: str) -> int:
    last = uow.session.scalar(select(func.max(Refund.number)).where(Refund.invoice_id == invoice_id)) or 0
    if last >= REFUNDS_MOST:
        raise Conflict("refunds-most", "Too many refunds were promised of this bill. Talk to your customer.")
    return int(last) + 1


def _today(uow: UnitOfWork, customer_id: str) -> dt.date:
    return today_of(uow.session.get_one(Customer, customer_id), uow.now)


def _must_be_within(day: dt.date, days: tuple[dt.date, dt.date], *, pointer: str) -> None:
    first, last = days
    if not first <= day <= last:
        raise _wrong(pointer, f"Write a day from {first} to {last}.")


def _checked(words: str | None, *, most: int, pointer: str) -> str | None:
    """What a company wrote, on one line, as a person may read it; None: nothing. Raises Invalid."""
    try:
        return text.line(words or "", element=pointer, limit=most) or None
    except BillRefused as refused:
        raise _wrong(pointer, f"Write at most {most} ordinary characters.") from refused


def _wrong(pointer: str, detail: str) -> Invalid:
    return Invalid("refund", detail, errors=(FieldError(pointer, detail),))
