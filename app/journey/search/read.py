"""A customer's bills as they can be looked for. The database is asked for the customer's rows and never for a word:
what their texts say is read here alone."""

from __future__ import annotations

import json
import zoneinfo
from collections import defaultdict
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.journey.corrections.read import credit_numbers
from app.journey.decisions.models import Decision
from app.journey.invoices.models import Invoice
from app.journey.invoices.states import InvoiceState
from app.journey.payments.models import Payment
from app.journey.payments.states import NOT_DONE
from app.journey.receipts.models import Receipt
from app.journey.search import rules
from app.journey.search.rules import Amount, Day, Field, Findable, Found, Text
from app.people.biller_states import SUSPENDED
from app.people.models import Biller, Customer
from consent.private import as_stored, keys_of, open_all

#: on one page
FOUND_MOST = 50
_WITH_PAYMENT = (InvoiceState.IN_PAYMENT, InvoiceState.PAID)


@dataclass(frozen=True, slots=True)
class Results:
    """A page of what was found, the newest first."""

    why: dict[str, list[Found]]  #: id of a bill → what cannot be seen of why it was found
    count: int  #: on all pages
    has_more: bool  #: older ones, on the next page


def find(session: Session, query: rules.Query, *, customer: Customer, page: int = 1) -> Results:
    """This customer's bills that have all the words of the query. A page behind the last one is the last one."""
    found = rules.search(query, findables(session, customer, with_days=query.asks_for_days))
    first = min(page - 1, max(len(found) - 1, 0) // FOUND_MOST) * FOUND_MOST
    shown = found[first : first + FOUND_MOST]
    return Results({bill.id: rules.why(query, bill) for bill in shown}, len(found), first + FOUND_MOST < len(found))


def findables(session: Session, customer: Customer, *, with_days: bool = True) -> list[Findable]:
    """All bills of this customer and of nobody else, the newest first."""
    paid = _payments(session, customer, with_days=with_days)
    for inv, number in credit_numbers(session, customer_id=customer.id):
        paid[inv].numbers.append((Field.CREDIT_NOTE, number, None))
    rows = session.connection().execute(
        select(
            Invoice.id, func.coalesce(Biller.name, Invoice.payee_name), Biller.state, Invoice.number, Invoice.state,
            Invoice.currency, Invoice.amount_minor, Invoice.credited_minor, Invoice.paid_minor,
            Invoice.held_back_minor, Invoice.payee_name, Invoice.reference, Invoice.order_reference, Invoice.issued_on,
            Invoice.due_on, Invoice.extended_to, as_stored(Invoice.note).label("note"),
            as_stored(Invoice.lines).label("lines"),
        )
        .outerjoin(Biller, Biller.id == Invoice.biller_id)
        .where(Invoice.customer_id == customer.id)
        .order_by(Invoice.issued_on.desc(), Invoice.id.desc())
    ).all()  # fmt: skip
    keys = keys_of(session)
    notes = open_all(keys, [row.note for row in rows])
    # in one piece, which is much quicker than one by one
    lines = json.loads("[{}]".format(",".join([each or "[]" for each in open_all(keys, [row.lines for row in rows])])))
    found = []
    for (
        inv, name, biller_state, number, state, currency, billed, credited, paid_minor, held_back, payee_name,
        reference, order, issued_on, due_on, extended_to, _, _,
    ), note, its_lines in zip(rows, notes, lines, strict=True):  # fmt: skip
        is_told = _is_told(biller_state, state)
        of_payments = paid.get(inv, _NONE)
        said: list[Text] = [(Field.COMPANY, name, None)]
        numbers: list[Text] = [(Field.NUMBER, number, None), *of_payments.numbers]
        days: list[Day] = [(Field.ISSUED, issued_on, None), *of_payments.days]
        if reference and is_told:
            numbers.append((Field.REFERENCE, reference, None))
        if order:
            numbers.append((Field.ORDER, order, None))
        if payee_name and payee_name != name and is_told:
            said.append((Field.PAYEE, payee_name, None))
        said += [(Field.LINE, line["description"], None) for line in its_lines]
        if note and is_told:
            said.append((Field.NOTE, note, None))
        if is_told:
            days += [(Field.DUE, day, None) for day in (due_on, extended_to) if day is not None]
        left = max(billed - credited - paid_minor, 0)
        taken = sum([each[1] for each in of_payments.amounts]) if state in _WITH_PAYMENT else 0
        sums: list[Amount] = [
            (Field.FIGURE, taken or max(left - held_back, 0), None),
            (Field.BILLED, billed, None),
            (Field.PAID, paid_minor, None),
            (Field.LEFT, left, None),
        ]
        amounts = [each for each in sums if each[1]] + of_payments.amounts
        found.append(Findable(inv, currency, said, numbers, amounts, days))
    return found


class _Payments(NamedTuple):
    """Of the payments of one bill."""

    numbers: list[Text]  #: theirs, and those of their receipts
    amounts: list[Amount]  #: what was paid, or is on its way
    days: list[Day]  #: on which it was, or is to be


_NONE = _Payments([], [], [])


def _payments(session: Session, customer: Customer, *, with_days: bool) -> dict[str, _Payments]:
    """By bill. The days are those of the customer's calendar."""
    zone = zoneinfo.ZoneInfo(customer.time_zone)
    connection = session.connection()
    planned = select(Payment.id, Decision.pay_on).join(Decision, Decision.id == Payment.decision_id)
    planned = planned.where(
        Payment.customer_id == customer.id, Payment.settled_at.is_(None), Payment.state.not_in(NOT_DONE)
    )
    pay_on = dict(iter(connection.execute(planned))) if with_days else {}
    rows = connection.execute(
        select(
            Payment.id, Payment.invoice_id, Payment.end_to_end_id, Payment.bank_payment_id, Payment.state,
            Payment.amount_minor, Payment.settled_at, Receipt.id, Receipt.number,
        )
        .outerjoin(Receipt, Receipt.payment_id == Payment.id)
        .where(Payment.customer_id == customer.id)
    ).all()  # fmt: skip
    found: dict[str, _Payments] = defaultdict(lambda: _Payments([], [], []))
    for pay, inv, end_to_end_id, bank_id, state, minor, settled_at, receipt, number in rows:
        numbers, amounts, days = found[inv]
        numbers.append((Field.PAYMENT, end_to_end_id, pay))
        if bank_id:
            numbers.append((Field.PAYMENT, bank_id, pay))
        if receipt:
            numbers.append((Field.RECEIPT, number, receipt))
        if state in NOT_DONE:
            continue
        amounts.append((Field.PAID, minor, pay))
        if with_days:
            day = settled_at.astimezone(zone).date() if settled_at is not None else pay_on[pay]
            days.append((Field.PAID_ON, day, pay))
    return found


def _is_told(biller_state: str | None, state: str) -> bool:
    """Whether its pages say to whom and until when it is paid: as ``says_how`` of a view."""
    return biller_state not in SUSPENDED or state in _WITH_PAYMENT
