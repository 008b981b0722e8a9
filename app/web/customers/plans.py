"""Planning to pay a bill, on one day or in parts, proposing parts that end after its day, and not meaning a plan any
more. No page here moves money."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flask import Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict, FieldError, Invalid
from app.journey.answers.read import Sayable, last_answers, sayable
from app.journey.answers.rules import are_granted
from app.journey.answers.states import AnswerKind
from app.journey.decisions.bank_days import carried_out_on, in_time_for
from app.journey.decisions.orders import LATER_MOST, checked_part, is_kept_day, price_of
from app.journey.decisions.read import bank_used_last
from app.journey.decisions.under_consent import shown_consent
from app.journey.invoices.access import invoice_of_customer, takes_parts
from app.journey.invoices.models import Invoice
from app.journey.invoices.read import InvoiceView, invoice_view
from app.journey.invoices.states import InvoiceState
from app.journey.notices.kinds import NoticeKind
from app.journey.notices.read import chosen_by
from app.journey.payments.coming import told_from
from app.journey.payments.speaker import takes_back
from app.journey.plans import service
from app.journey.plans.read import last_plans
from app.journey.plans.rules import AHEAD_MOST, PlannedDay, each_month, evenly, in_equal_parts, split
from app.people import stops
from app.people.customers import morning_of, today_of
from app.web.context import services
from app.web.customers.bank_view import BankView
from app.web.customers.decide import usable_bank
from app.web.customers.inbox import bill_page
from app.web.customers.pages import blueprint, me, typed_amount
from app.web.customers.verdicts import WayView, ways_of_bill
from connectors.money import Money

#: rows of the form for parts of one's own choice
ROWS = 6
#: standing consents for which days are looked at
CONSENTS_MOST = 3
#: further banks that are named as keeping a payment until its day
KEEPERS_MOST = 6
#: into how many parts a bill is split without typing: until the day by which it is to be paid, and after it
SPLITS, LATER_SPLITS = (2, 3, 4), (2, 3, 4, 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayOffered:
    """A day that can be chosen with one click."""

    key: str  #: due, in_time, discount, week or month: why it is offered
    pay_on: dt.date
    amount: Money
    carried_out_on: dt.date | None  #: where banks do not work on it; None: they do
    is_late: bool  #: after the day by which the bill is to be paid


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCovered:
    """Such a day, on which a standing consent allows the payment."""

    day: DayOffered
    way: WayView


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """A bank that keeps the payment until its day, and the days on which it works."""

    bank: BankView | None  #: None: nobody knows yet which one is its customer's
    days: tuple[DayOffered, ...]
    takes_back: bool  #: it can be asked from here to give it up
    others: tuple[BankView, ...]  #: further banks that keep it


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitOffered:
    """A split that can be chosen with one click."""

    count: int
    days: tuple[tuple[dt.date, Money], ...]
    granted: bool = False  #: its company says yes to it at once

    @property
    def shown(self) -> str:
        """What was shown when it is chosen: should anything be otherwise by then, nothing else is proposed for it."""
        return f"{self.count} {self.days[0][0]} {self.days[-1][0]} {sum(amount.minor for _, amount in self.days)}"


@blueprint.get("/bills/<inv>/later")
def later(inv: str) -> ResponseReturnValue:
    """On which day; nothing is decided by it."""
    return _page(inv, "customers/later.html")


@blueprint.get("/bills/<inv>/parts")
def in_parts(inv: str) -> ResponseReturnValue:
    """On which days, and how much on each."""
    return _page(inv, "customers/in_parts.html")


@blueprint.post("/bills/<inv>/later")
def plan_day(inv: str) -> ResponseReturnValue:
    """A day to be asked on; or one until which a bank is to keep it, which is looked at and signed on the next page."""
    try:
        if "bank" in request.form:
            return _to_be_kept(inv)
        days = [PlannedDay(_day(request.form.get("day") or request.form.get("other", ""), "/day"))]
        return _done(inv, days, service.make)
    except Invalid as refused:
        return _page(inv, "customers/later.html", refused)


@blueprint.post("/bills/<inv>/parts")
def plan_parts(inv: str) -> ResponseReturnValue:
    try:
        return _done(inv, _parts(inv), service.arrange)
    except Invalid as refused:
        return _page(inv, "customers/in_parts.html", refused)


@blueprint.post("/bills/<inv>/plans/<pln>/withdraw")
def withdraw_plan(inv: str, pln: str) -> ResponseReturnValue:
    try:
        with services().unit_of_work() as uow:
            service.withdraw(uow, signed_in=me(), plan_id=pln)
            uow.commit()
    except Conflict as refused:
        return bill_page(inv, error=refused.code), refused.status
    return redirect(url_for("customers.bill", inv=inv, undone="plan"), 303)


def _to_be_kept(invoice_id: str) -> ResponseReturnValue:
    day, bank = _day(request.form.get("other", ""), "/day"), usable_bank(request.form["bank"])
    customer = me().customer
    with services().reading() as uow:
        today = today_of(customer, uow.now)
        bill = invoice_view(uow.session, invoice_id=invoice_id, customer_id=customer.id, today=today)
        may_be = is_kept_day(day, currency=bill.left.currency, now=uow.now) and today < day <= today + LATER_MOST
    if bank is None or not bank.keeps_days or not may_be:
        raise _wrong("/bank_day", "Choose a day on which banks work, from tomorrow on, within a year.")
    return redirect(url_for("customers.confirm", inv=invoice_id, bank=bank.id, on=day.isoformat()), 303)


def _done(invoice_id: str, days: Sequence[PlannedDay], verb: Callable[..., object]) -> ResponseReturnValue:
    try:
        with services().unit_of_work() as uow:
            verb(uow, signed_in=me(), invoice_id=invoice_id, days=days)
            uow.commit()
    except Conflict as refused:
        return bill_page(invoice_id, error=refused.code), refused.status
    return redirect(url_for("customers.bill", inv=invoice_id), 303)


def _parts(invoice_id: str) -> Sequence[PlannedDay]:
    """What was chosen: one of the splits, or rows. Raises Invalid."""
    customer = me().customer
    with services().reading() as uow:
        today = today_of(customer, uow.now)
        bill = invoice_view(uow.session, invoice_id=invoice_id, customer_id=customer.id, today=today)
        may = sayable(uow.session, invoice_id=invoice_id, customer_id=customer.id, today=today)
    until, after = request.form.get("split", ""), request.form.get("after", "")
    count = until or after
    if count:
        offered = {str(each.count): each for each in splits_offered(bill, today=today)}
        if not until:
            offered = {each.shown: each for each in later_splits(bill, may, today=today)}
        if count not in offered:
            raise _wrong("/split", "Choose one of the splits.")
        return in_equal_parts(bill.to_pay.minor, [pay_on for pay_on, _ in offered[count].days])
    rows = [
        (day.strip(), amount.strip())
        for day, amount in zip(request.form.getlist("day"), request.form.getlist("amount"), strict=False)
        if day.strip() or amount.strip()
    ]
    if len(rows) < 2:
        raise _wrong("/days", "Plan two days at least.")
    days = [PlannedDay(_day(day, "/days"), _amount(amount, bill)) for day, amount in rows[:-1]]
    last_day, last_amount = rows[-1]
    rest = bill.to_pay.minor - sum(day.minor or 0 for day in days)
    if last_amount and _amount(last_amount, bill) != rest:  # they would not sum to the bill, and who is right?
        raise _wrong("/amounts", "Write no amount for the last day, or what is left then.")
    return [*days, PlannedDay(_day(last_day, "/days"))]


def _day(written: str, pointer: str) -> dt.date:
    try:
        return dt.date.fromisoformat(written.strip())
    except ValueError as error:
        raise _wrong(pointer, "Choose a day.") from error


def _amount(written: str, bill: InvoiceView) -> int:
    try:
        return checked_part(typed_amount(written), left=bill.left, held=bill.held_back).minor
    except Invalid as refused:
        raise _wrong("/amounts", refused.detail) from refused


def _wrong(pointer: str, detail: str) -> Invalid:
    return Invalid("plan", detail, errors=(FieldError(pointer, detail),))


def _page(invoice_id: str, template: str, refused: Invalid | None = None) -> Response:
    """The form; after a refusal with what was typed, and what is to be mended."""
    customer = me().customer
    with services().reading() as uow:
        today = today_of(customer, uow.now)
        bill = invoice_view(uow.session, invoice_id=invoice_id, customer_id=customer.id, today=today)
        invoice = invoice_of_customer(uow.session, invoice_id=invoice_id, customer_id=customer.id)
        plan = last_plans(uow.session, invoice_ids=[invoice_id], today=today).get(invoice_id)
        may = sayable(uow.session, invoice_id=invoice_id, customer_id=customer.id, today=today)
        said = last_answers(uow.session, invoice_ids=[invoice_id], today=today).get(invoice_id)
        days = days_offered(invoice, bill, today=today)
        is_offered = takes_parts(invoice) or template == "customers/later.html"
        is_later = template == "customers/later.html"
        covered = _covered(uow, invoice, bill, days) if is_later else ()
        keeper = _keeper(uow, bill, days) if is_later else None
        mailed, _ = chosen_by(uow.session, customer_id=customer.id)
        by_mail = NoticeKind.PLAN_DUE in mailed
        farthest = max((each.day.pay_on for each in covered), default=today)
        tells_before = told_from(farthest, customer=customer, decided_at=uow.now) is not None
    if bill.state != InvoiceState.TO_PAY or bill.is_set_aside or not is_offered:
        return make_response(redirect(url_for("customers.bill", inv=invoice_id), 303))  # which says how it stands
    rows = list(zip(request.form.getlist("day"), request.form.getlist("amount"), strict=False))
    proposes = AnswerKind.INSTALMENTS in may.kinds and may.last_day is not None
    page = render_template(
        template,
        bill=bill,
        by_mail=by_mail and customer.email_proven_at is not None,
        plan=plan if plan is not None and plan.stands else None,
        days=days,
        covered=covered,
        keeper=keeper,
        no_day="no" in request.args and refused is None,
        tells_before=tells_before,
        splits=splits_offered(bill, today=today),
        later_splits=later_splits(bill, may, today=today),
        may=may,
        proposes=proposes,
        reply_by=today + dt.timedelta(days=may.policy.answer_days) if may.policy else None,
        stands=said if said is not None and said.is_open else None,
        first_day=today + dt.timedelta(days=1),
        last_day=may.last_day if proposes and template == "customers/in_parts.html" else today + AHEAD_MOST,
        typed=request.form.get("other", ""),
        rows=(rows + [("", "")] * ROWS)[:ROWS],
        wrong={error.pointer.removeprefix("/"): error.detail for error in refused.errors} if refused else {},
    )
    return make_response(page, refused.status if refused else 200)


def days_offered(invoice: Invoice, bill: InvoiceView, *, today: dt.date) -> tuple[DayOffered, ...]:
    """Days on which it makes sense to pay this bill, each once, the first one first."""
    currency, tomorrow = bill.left.currency, today + dt.timedelta(days=1)
    wanted: dict[dt.date, str] = {}
    if bill.pay_by:
        wanted[bill.pay_by] = "due"
        wanted.setdefault(in_time_for(bill.pay_by, currency=currency), "in_time")
    for discount in bill.discounts:
        wanted.setdefault(discount.until, "discount")
    wanted.setdefault(today + dt.timedelta(days=7), "week")
    wanted.setdefault(each_month(today.replace(day=1), 2)[1], "month")
    found = []
    for day, key in sorted(wanted.items()):
        if day >= tomorrow:
            done_on = carried_out_on(day, currency=currency)
            found.append(
                DayOffered(
                    key=key,
                    pay_on=day,
                    amount=price_of(invoice, day=day).amount,
                    carried_out_on=done_on if done_on != day else None,
                    is_late=bill.pay_by is not None and done_on > bill.pay_by,
                )
            )
    return tuple(found)


def _covered(
    uow: UnitOfWork, invoice: Invoice, bill: InvoiceView, days: Sequence[DayOffered]
) -> tuple[DayCovered, ...]:
    """On which of these days the bill could be paid without asking its customer again."""
    customer = me().customer
    ways = ways_of_bill(uow, bill, customer_id=customer.id, troubled={}) if bill.state == InvoiceState.TO_PAY else None
    if ways is None or stops.is_stopped(uow.session, customer.id):
        return ()
    found = []
    for way in ways.standing[:CONSENTS_MOST]:
        bank = usable_bank(way.bank_id)
        if bank is None:
            continue
        for day in days:
            at = morning_of(day.pay_on, time_zone=customer.time_zone)
            consent = shown_consent(
                uow, invoice=invoice, amount=day.amount, bank=bank, consent_id=way.consent_id, at=at
            )
            if consent.reason is None:
                found.append(DayCovered(day=day, way=way))
    return tuple(sorted(found, key=lambda one: one.day.pay_on))


def _keeper(uow: UnitOfWork, bill: InvoiceView, days: Sequence[DayOffered]) -> Keeper | None:
    """The bank that was asked for, else the one used last. None: no bank keeps a payment of this bill."""
    customer, keeps = me().customer, [bank.id for bank in services().banks.banks() if bank.keeps_days]
    ways = ways_of_bill(uow, bill, customer_id=customer.id, troubled={}, ask=keeps) if keeps else None
    if ways is None or stops.is_stopped(uow.session, customer.id):
        return None
    banks = {way.bank_id: way.bank for way in ways.single if way.covers and way.bank is not None}
    used_last = bank_used_last(uow.session, customer_id=customer.id, currency=bill.left.currency)
    chosen = banks.pop(request.values.get("bank", used_last or ""), None)
    if chosen is None and not banks:
        return None
    return Keeper(
        bank=chosen,
        days=tuple(day for day in days if is_kept_day(day.pay_on, currency=bill.left.currency, now=uow.now)),
        takes_back=chosen is not None and takes_back(services(), chosen.id),
        others=tuple(banks.values())[:KEEPERS_MOST],
    )


def splits_offered(bill: InvoiceView, *, today: dt.date) -> tuple[SplitOffered, ...]:
    """Equal parts until the day by which it is to be paid, each on a day on which banks work, as many as there are days
    for."""
    if bill.pay_by is None:
        return ()
    last = in_time_for(bill.pay_by, currency=bill.to_pay.currency)
    found = []
    for count in SPLITS:
        days = _in_time(evenly(today, last, count), bill.to_pay.currency)
        if len(set(days)) == count and bill.to_pay.minor >= count and days[0] > today:
            found.append(SplitOffered(count=count, days=_in_equal_parts(bill.to_pay, days)))
    return tuple(found)


def later_splits(bill: InvoiceView, may: Sayable, *, today: dt.date) -> tuple[SplitOffered, ...]:
    """Proposals: equal parts, one a month from the day by which it is to be paid, or the last before it on which banks
    work; where that is over, from tomorrow."""
    if AnswerKind.INSTALMENTS not in may.kinds or bill.pay_by is None or bill.due_on is None or may.last_day is None:
        return ()
    first = max(bill.pay_by, today + dt.timedelta(days=1))
    found = []
    for count in LATER_SPLITS:
        days = _in_time(each_month(first, count), bill.to_pay.currency)
        if days[0] <= today:  # banks do not work from tomorrow until the day from which the months are counted
            days = (first, *days[1:])
        if days[-1] <= may.last_day and bill.to_pay.minor >= count:
            granted = may.policy is not None and are_granted(
                may.policy, due_on=bill.due_on, count=count, until=days[-1]
            )
            found.append(SplitOffered(count=count, days=_in_equal_parts(bill.to_pay, days), granted=granted))
    return tuple(found)


def _in_time(days: Sequence[dt.date], currency: str) -> tuple[dt.date, ...]:
    """The same days, or the last before each on which banks work: what is carried out later would be late."""
    return tuple(in_time_for(day, currency=currency) for day in days)


def _in_equal_parts(left: Money, days: Sequence[dt.date]) -> tuple[tuple[dt.date, Money], ...]:
    return tuple(
        (day, Money(minor, left.currency)) for day, minor in zip(days, split(left.minor, len(days)), strict=True)
    )
