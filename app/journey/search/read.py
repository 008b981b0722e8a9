"""A customer's bills as they can be looked for. The database is asked for the customer's rows and never for a word:
what their texts say is read here alone."""

from __future__ import annotations

import zoneinfo
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.journey.corrections.read import credit_numbers
from app.journey.decisions.models import Decision
from app.journey.invoices.models import Invoice
from app.journey.invoices.states import InvoiceState
from app.journey.payments.models import Payment
from app.journey.payments.states import PaymentState
from app.journey.receipts.models import Receipt
from app.journey.search import rules
from app.journey.search.rules import Amount, Day, Field, Findable, Found, Text
from app.people.biller_states import SUSPENDED
from app.people.models import Biller, Customer

#: on one page
FOUND_MOST = 50
_OVER = (PaymentState.REJECTED, PaymentState.CANCELLED, PaymentState.EXPIRED, PaymentState.REVERSED)


@dataclass(frozen=True, slots=True)
class Results:
    """A page of what was found, the newest first."""

    why: dict[str, list[Found]]  #: id of a bill → what cannot be seen of why it was found
    count: int  #: on all pages
    has_more: bool  #: older ones, on the next page


def find(session: Session, query: rules.Query, *, customer: Customer, page: int = 1) -> Results:
    """This customer's bills that have all the words of the query. A page behind the last one is the last one."""
    found = rules.search(query, findables(session, customer))
    first = min(page - 1, max(len(found) - 1, 0) // FOUND_MOST) * FOUND_MOST
    shown = found[first : first + FOUND_MOST]
    return Results({bill.id: rules.why(query, bill) for bill in shown}, len(found), first + FOUND_MOST < len(found))


def findables(session: Session, customer: Customer) -> list[Findable]:
    """All bills of this customer and of nobody else."""
    zone = zoneinfo.ZoneInfo(customer.time_zone)
    texts: dict[str, list[Text]] = defaultdict(list)
    days: dict[str, list[Day]] = defaultdict(list)
    paid: dict[str, list[Amount]] = defaultdict(list)
    payments = session.execute(
        select(
            Payment.id, Payment.invoice_id, Payment.end_to_end_id, Payment.bank_payment_id, Payment.state,
            Payment.amount_minor, Payment.currency, Payment.settled_at, Decision.pay_on, Receipt.id, Receipt.number,
        )
        .join(Decision, Decision.id == Payment.decision_id)
        .outerjoin(Receipt, Receipt.payment_id == Payment.id)
        .where(Payment.customer_id == customer.id)
    )  # fmt: skip
    for pay, inv, end_to_end_id, bank_id, state, minor, currency, settled_at, pay_on, receipt, number in payments:
        texts[inv].append(Text(Field.PAYMENT, end_to_end_id, pay))
        if bank_id is not None:
            texts[inv].append(Text(Field.PAYMENT, bank_id, pay))
        if receipt is not None:
            texts[inv].append(Text(Field.RECEIPT, number, receipt))
        if state not in _OVER:
            paid[inv].append(Amount(Field.PAID, minor, currency, pay))
            day = settled_at.astimezone(zone).date() if settled_at is not None else pay_on
            days[inv].append(Day(Field.PAID_ON, day, pay))
    for inv, number in credit_numbers(session, customer_id=customer.id):
        texts[inv].append(Text(Field.CREDIT_NOTE, number))
    bills = session.execute(
        select(
            Invoice.id, func.coalesce(Biller.name, Invoice.payee_name), Biller.state, Invoice.number, Invoice.state,
            Invoice.currency, Invoice.amount_minor, Invoice.credited_minor, Invoice.paid_minor,
            Invoice.held_back_minor, Invoice.issued_on, Invoice.due_on, Invoice.extended_to, Invoice.payee_name,
            Invoice.reference, Invoice.order_reference, Invoice.note, Invoice.lines,
        )
        .outerjoin(Biller, Biller.id == Invoice.biller_id)
        .where(Invoice.customer_id == customer.id)
    )  # fmt: skip
    found = []
    for row in bills:
        (inv, name, biller_state, number, state, currency, billed, credited, paid_minor, held_back, issued_on,
         due_on, extended_to, payee_name, reference, order, note, lines) = row  # fmt: skip
        # of a suspended company its pages say neither how nor until when it is paid
        is_told = biller_state not in SUSPENDED or state in (InvoiceState.IN_PAYMENT, InvoiceState.PAID)
        said = {
            Field.REFERENCE: reference if is_told else None,
            Field.ORDER: order,
            Field.PAYEE: payee_name if is_told and payee_name != name else None,
            Field.NOTE: note if is_told else None,
        }
        left = max(billed - credited - paid_minor, 0)
        taken = sum(each.minor for each in paid[inv])
        has_payment = state in (InvoiceState.IN_PAYMENT, InvoiceState.PAID) and taken
        sums = {
            Field.FIGURE: taken if has_payment else max(left - held_back, 0),
            Field.BILLED: billed,
            Field.PAID: paid_minor,
            Field.LEFT: left,
        }
        due = {due_on, extended_to} - {None} if is_told else set()
        found.append(
            Findable(
                id=inv,
                newest=(issued_on, inv),
                texts=(
                    Text(Field.COMPANY, name),
                    Text(Field.NUMBER, number),
                    *(Text(field, words) for field, words in said.items() if words),
                    *_lines(lines),
                    *texts[inv],
                ),
                amounts=(*(Amount(field, minor, currency) for field, minor in sums.items() if minor), *paid[inv]),
                days=(
                    Day(Field.ISSUED, issued_on),
                    *(Day(Field.DUE, day) for day in due if day is not None),
                    *days[inv],
                ),
            )
        )
    return found


def _lines(lines: list[dict[str, object]]) -> Iterator[Text]:
    return (Text(Field.LINE, str(line["description"])) for line in lines)
