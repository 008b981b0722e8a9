"""Money ahead as its customer sees it: what they said, what is due and decided, and when to pay what."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from app.journey.answers.read import sayable
from app.journey.answers.states import AnswerKind
from app.journey.decisions.bank_days import in_time_for, is_bank_day
from app.journey.decisions.models import Decision
from app.journey.intake.bill import LateFee
from app.journey.intake.means import MeansKind
from app.journey.invoices.models import Invoice
from app.journey.invoices.ordering import Sort
from app.journey.invoices.read import INBOX_MOST, InvoiceView, invoices_of
from app.journey.invoices.rules import Discount
from app.journey.invoices.states import InvoiceState
from app.journey.outlook import rules
from app.journey.outlook.best import HORIZON, Bill, plan
from app.journey.outlook.models import Outlook, Payday
from app.journey.outlook.rules import Entry, Every, Place, Suggested, Why
from app.journey.payments.models import Payment
from app.journey.payments.read import taken_under_way
from app.journey.payments.states import OVER, PaymentState
from app.journey.plans.read import last_plans, still_to_come
from app.people.customers import today_of
from app.people.models import Biller, Customer
from connectors.money import Money, Total

#: bills for which a day is looked for
PLANNED_MOST = INBOX_MOST
#: of the inbox that are read
PAGES_MOST = 10
#: of a customer who has no bill yet
CURRENCY = "EUR"
#: of what is not paid in time its company may give some more
_TOO_LATE = (Why.AFTER_DUE, Why.NO_MONEY, Why.LATE)
_ONE = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaydayView:
    id: str
    name: str
    amount: Money
    every: str  #: Every
    next_on: dt.date | None  #: after today; None: it came once, and that is over
    missed_on: dt.date | None  #: it should have come since their customer said what they have: that is not counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Going:
    """What leaves on a day without this page suggesting it."""

    #: payment (decided), since (made since they said what they have), plan, rest (that a payment leaves), or debit
    #: (which the company collects)
    kind: str
    name: str
    number: str
    on: dt.date
    amount: Money
    invoice_id: str
    payment_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonView:
    """The figures of ``rules.Reason`` as money, and beside them what a sentence needs."""

    why: Why
    day: dt.date | None
    amount: Total
    below: Total
    names: tuple[str, ...] = ()  #: of the money that it waits for


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestionView:
    bill: InvoiceView
    pay_on: dt.date | None  #: None: there is no money for it
    price: Money
    reasons: tuple[ReasonView, ...]
    may_ask: bool  #: its company can be asked for more time


@dataclass(frozen=True, slots=True, kw_only=True)
class DayView:
    day: dt.date
    banks_work: bool
    comes: tuple[tuple[str, Money], ...]
    goes: tuple[Going, ...]
    due: tuple[InvoiceView, ...]
    pays: tuple[SuggestionView, ...]
    balance: Total | None  #: at its end, if what is suggested is paid
    is_lowest: bool

    @property
    def is_empty(self) -> bool:
        return not (self.comes or self.goes or self.due or self.pays or self.is_lowest)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekView:
    monday: dt.date
    days: tuple[DayView, ...]  #: on which there is something


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodView:
    """From a day on which money comes, or today, until the next one."""

    first: dt.date
    last: dt.date
    start: Total  #: what is there before any of it
    comes: Total
    goes: Total  #: decided, planned or collected
    pays: Total  #: suggested
    balance: Total  #: at its end: start, and what comes, without what goes and is paid
    pays_due: Total  #: of ``pays``, of bills that are due by its last day
    paid_before: Total  #: of bills that are due in it and suggested for earlier: in none of these sums
    unpaid: Total  #: what is due by its last day and not suggested by then: likewise


@dataclass(frozen=True, slots=True, kw_only=True)
class BesideView:
    """A bill that is in no sum here."""

    bill: InvoiceView
    why: str  #: currency, not_here, stopped, aside, expired or earlier


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlookView:
    currency: str
    balance: Total | None  #: as they said it; None: they have said nothing yet
    balance_on: dt.date | None
    floor: Total | None
    paydays: tuple[PaydayView, ...]
    weeks: tuple[WeekView, ...]
    suggestions: tuple[SuggestionView, ...]  #: the first to pay first
    is_best: bool
    periods: tuple[PeriodView, ...]
    line: tuple[Total, ...]  #: the balance at the end of each day that is looked at
    lowest: DayView | None
    short: Total | None  #: so far it is below the floor today, before anything is paid; None: it is not
    beside: tuple[BesideView, ...]
    has_more: bool  #: there are more bills than are looked at
    today: dt.date
    last: dt.date  #: of the days that are looked at


def outlook_of(session: Session, *, customer: Customer, now: dt.datetime) -> OutlookView:
    today = today_of(customer, now)
    said = session.get(Outlook, customer.id)
    bills = _open_bills(session, customer, today=today, now=now)
    taken = taken_under_way(session, invoice_ids=[each.id for each in bills if each.state == InvoiceState.IN_PAYMENT])
    currency = said.currency if said else usual_currency(bills)
    counted_from = said.balance_on if said else today
    in_sums: list[InvoiceView] = []
    beside: list[BesideView] = []
    goes = _payments(session, customer=customer, said=said, currency=currency, today=today)
    for bill in bills:
        why = _why_beside(bill, currency)
        if bill.state == InvoiceState.IN_PAYMENT and bill.to_pay.minor <= taken.get(bill.id, 0):
            continue  # that payment takes all of it
        if why is None:
            in_sums.append(bill)
        elif why == "not_here" and _is_collected(bill, today, counted_from=counted_from):
            goes.append(_debit(bill, today))
        elif not (why == "not_here" and bill.day_over):
            beside.append(BesideView(bill=bill, why=why))
    planned = _planned(session, in_sums, taken, today=today)
    has_plan = {each.invoice_id for each in planned}
    to_plan = []
    for bill in in_sums:
        if bill.id in has_plan:
            continue
        if bill.state == InvoiceState.IN_PAYMENT:  # nothing more can be decided of it yet
            goes.append(_rest(bill, taken.get(bill.id, 0), today))
        else:
            to_plan.append(bill)
    return _View(session, customer, said, currency, today, to_plan[:PLANNED_MOST], [*goes, *planned]).view(
        paydays=_paydays(session, said, today=today), beside=beside, has_more=len(to_plan) > PLANNED_MOST
    )


def _open_bills(session: Session, customer: Customer, *, today: dt.date, now: dt.datetime) -> list[InvoiceView]:
    """In their own order, which says which of two bills they would rather pay first."""
    states = (InvoiceState.TO_PAY, InvoiceState.IN_PAYMENT, InvoiceState.NOT_HERE)
    found: list[InvoiceView] = []
    for page in range(1, PAGES_MOST + 1):
        more = invoices_of(
            session, customer_id=customer.id, today=today, now=now, states=states, sort=Sort.MINE, page=page
        )
        found += more
        if len(more) < INBOX_MOST:
            break
    return found


def currency_of(session: Session, *, customer_id: str) -> str | None:
    """Of what they said; None: they have said nothing yet."""
    return session.scalar(select(Outlook.currency).where(Outlook.customer_id == customer_id))


def usual_currency(bills: Iterable[InvoiceView]) -> str:
    """That of most open bills."""
    counted = Counter(bill.left.currency for bill in bills)
    return min(counted, key=lambda code: (-counted[code], code), default=CURRENCY)


def _why_beside(bill: InvoiceView, currency: str) -> str | None:
    """Why a bill is in no sum; None: it is in."""
    if bill.is_stopped:
        return "stopped"
    if bill.is_set_aside:
        return "aside"
    if bill.left.currency != currency:
        return "currency"
    if bill.state == InvoiceState.NOT_HERE:
        return "not_here"
    if bill.is_expired and bill.state == InvoiceState.TO_PAY:
        return "expired"
    return "earlier" if bill.waits_for_earlier else None


def _is_collected(bill: InvoiceView, today: dt.date, *, counted_from: dt.date) -> bool:
    """Whether its company takes the money on a day that is to come, or has since they said what they have."""
    day = bill.due_on
    return bill.means == MeansKind.DIRECT_DEBIT and day is not None and (day >= today or day > counted_from)


def _debit(bill: InvoiceView, today: dt.date) -> Going:
    return Going(
        kind="debit",
        name=bill.biller_name,
        number=bill.number,
        on=max(bill.due_on or today, today),
        amount=bill.left,
        invoice_id=bill.id,
    )


def _rest(bill: InvoiceView, taken_minor: int, today: dt.date) -> Going:
    """What a payment under way leaves of its bill. One that names no day may be asked for at any time."""
    return Going(
        kind="rest",
        name=bill.biller_name,
        number=bill.number,
        on=max(bill.pay_by or today, today),
        amount=Money(bill.to_pay.minor - taken_minor, bill.to_pay.currency),
        invoice_id=bill.id,
    )


def _planned(
    session: Session, bills: Sequence[InvoiceView], taken: Mapping[str, int], *, today: dt.date
) -> list[Going]:
    """What their customer plans to pay themselves, and is not suggested otherwise. ``taken``: by payments under way."""
    by_id = {bill.id: bill for bill in bills}
    plans = last_plans(session, invoice_ids=list(by_id), today=today)
    return [
        Going(
            kind="plan",
            name=by_id[invoice_id].biller_name,
            number=by_id[invoice_id].number,
            on=max(day.pay_on, today),
            amount=day.amount,
            invoice_id=invoice_id,
        )
        for invoice_id, each in plans.items()
        if each.stands
        for day in still_to_come(each, taken_minor=taken.get(invoice_id, 0))
    ]


def _payments(
    session: Session, *, customer: Customer, said: Outlook | None, currency: str, today: dt.date
) -> list[Going]:
    """What is decided and not known to be made; and what was made since their customer said what they have."""
    wanted: ColumnElement[bool] = Payment.state.not_in(OVER)
    if said is not None:
        wanted |= and_(Payment.state == PaymentState.SETTLED, Payment.settled_at > said.updated_at)
    rows = session.execute(
        select(Payment, Decision.pay_on, Invoice.number, func.coalesce(Biller.name, Invoice.payee_name))
        .join(Decision, Decision.id == Payment.decision_id)
        .join(Invoice, Invoice.id == Payment.invoice_id)
        .outerjoin(Biller, Biller.id == Payment.biller_id)
        .where(Payment.customer_id == customer.id, Payment.currency == currency, wanted)
        .order_by(Decision.pay_on, Payment.id)
    )
    return [
        Going(
            kind="since" if payment.state == PaymentState.SETTLED else "payment",
            name=name,
            number=number,
            on=max(pay_on, today),
            amount=payment.amount,
            invoice_id=payment.invoice_id,
            payment_id=payment.id,
        )
        for payment, pay_on, number, name in rows
    ]


def _paydays(session: Session, said: Outlook | None, *, today: dt.date) -> tuple[PaydayView, ...]:
    """What comes today belongs to what they have."""
    if said is None:
        return ()
    rows = session.scalars(select(Payday).where(Payday.customer_id == said.customer_id).order_by(Payday.id))
    found = []
    for row in rows:
        since = rules.paydays(Every(row.every), row.next_on, first=said.balance_on + _ONE, last=today)
        found.append(
            PaydayView(
                id=row.id,
                name=row.name,
                amount=Money(row.amount_minor, said.currency),
                every=row.every,
                next_on=rules.next_payday(Every(row.every), row.next_on, first=today + _ONE),
                missed_on=since[-1] if since else None,
            )
        )
    return tuple(found)


@dataclass(slots=True)
class _View:
    """All that the page is made of, put together."""

    session: Session
    customer: Customer
    said: Outlook | None
    currency: str
    today: dt.date
    bills: list[InvoiceView]  #: for which a day is looked for
    goes: list[Going]

    def view(self, *, paydays: tuple[PaydayView, ...], beside: list[BesideView], has_more: bool) -> OutlookView:
        last = rules.last_day(self.today)
        comes = [(day, each) for each in paydays for day in self._days(each, last)]
        suggested: tuple[SuggestionView, ...] = ()
        line: list[int] = []
        is_best = True
        short = 0
        if self.said is not None:
            of_days = rules.balances(
                self.said.balance_minor,
                comes=[(day, each.amount.minor) for day, each in comes],
                goes=[(each.on, each.amount.minor) for each in self.goes],
                today=self.today,
            )
            short = self.said.floor_minor - of_days[0]
            suggested, line, is_best = self._plan(of_days, comes)
        days = self._calendar(comes, suggested, line, last)
        weeks: dict[dt.date, list[DayView]] = {}
        for each in days:
            if not each.is_empty:
                weeks.setdefault(each.day - each.day.weekday() * _ONE, []).append(each)
        return OutlookView(
            currency=self.currency,
            balance=self.said.balance if self.said else None,
            balance_on=self.said.balance_on if self.said else None,
            floor=self.said.floor if self.said else None,
            paydays=paydays,
            weeks=tuple(WeekView(monday=monday, days=tuple(each)) for monday, each in weeks.items()),
            suggestions=suggested,
            is_best=is_best,
            periods=self._periods(days, self.said.balance, suggested) if self.said else (),
            line=tuple(Total(minor, self.currency) for minor in line),
            lowest=next((each for each in days if each.is_lowest), None),
            short=Total(short, self.currency) if short > 0 else None,
            beside=tuple(beside),
            has_more=has_more,
            today=self.today,
            last=last,
        )

    def _days(self, payday: PaydayView, last: dt.date) -> tuple[dt.date, ...]:
        if payday.next_on is None:
            return ()
        return rules.paydays(Every(payday.every), payday.next_on, first=self.today + _ONE, last=last)

    def _plan(
        self, of_days: list[int], comes: list[tuple[dt.date, PaydayView]]
    ) -> tuple[tuple[SuggestionView, ...], list[int], bool]:
        """The suggestions, and the balances once they are followed."""
        floor = self.said.floor_minor if self.said else 0
        bills = [_to_plan(bill) for bill in self.bills]
        cash: list[Entry] = rules.cash(of_days, floor=floor, days=[day for day, _ in comes], today=self.today)
        made = plan(bills, today=self.today, cash=cash)
        found = rules.suggestions(
            bills, made.days, of_days=of_days, floor=floor, choices=[day for day, _ in cash], today=self.today
        )
        line = rules.follow(bills, made.days, of_days=of_days, today=self.today)
        return tuple(self._suggestion(each, comes) for each in found), line, made.is_best

    def _suggestion(self, found: Suggested, comes: list[tuple[dt.date, PaydayView]]) -> SuggestionView:
        bill = self.bills[found.bill]
        asks = found.pay_on != self.today and any(each.why in _TOO_LATE for each in found.reasons)
        return SuggestionView(
            bill=bill,
            pay_on=found.pay_on,
            price=Money(found.price, self.currency),
            reasons=tuple(
                ReasonView(
                    why=each.why,
                    day=each.day,
                    amount=Total(each.amount, self.currency),
                    below=Total(each.below, self.currency),
                    names=tuple(payday.name for day, payday in comes if day == found.pay_on),
                )
                for each in found.reasons
            ),
            may_ask=asks and bill.is_delivered and self._may_ask(bill),
        )

    def _may_ask(self, bill: InvoiceView) -> bool:
        may = sayable(self.session, invoice_id=bill.id, customer_id=self.customer.id, today=self.today)
        return AnswerKind.MORE_TIME in may.kinds

    def _calendar(
        self,
        comes: list[tuple[dt.date, PaydayView]],
        suggested: Sequence[SuggestionView],
        line: list[int],
        last: dt.date,
    ) -> list[DayView]:
        lowest = line.index(min(line)) if line else None
        return [
            DayView(
                day=day,
                banks_work=is_bank_day(day, currency=self.currency),
                comes=tuple((each.name, each.amount) for on, each in comes if on == day),
                goes=tuple(each for each in self.goes if each.on == day),
                due=tuple(bill for bill in self.bills if _due_on(bill, self.today) == day),
                pays=tuple(each for each in suggested if each.pay_on == day),
                balance=Total(line[number], self.currency) if line else None,
                is_lowest=number == lowest,
            )
            for number, day in enumerate(self.today + number * _ONE for number in range(HORIZON))
            if day <= last
        ]

    def _periods(
        self, days: Sequence[DayView], balance: Total, suggested: Sequence[SuggestionView]
    ) -> tuple[PeriodView, ...]:
        starts = [0, *(number for number, each in enumerate(days) if each.comes), len(days)]
        found: list[PeriodView] = []
        for first, end in pairwise(starts):
            if first < end:
                found.append(self._period(days[first:end], found[-1].balance if found else balance, suggested))
        return tuple(found)

    def _period(self, days: Sequence[DayView], start: Total, suggested: Sequence[SuggestionView]) -> PeriodView:
        def total(amounts: Iterable[Money]) -> Total:
            return Total(sum(each.minor for each in amounts), self.currency)

        first, last = days[0].day, days[-1].day
        places = [
            (each, rules.place_of(_due_on(each.bill, self.today), each.pay_on, first, last)) for each in suggested
        ]
        return PeriodView(
            first=first,
            last=last,
            start=start,
            comes=total(amount for each in days for _, amount in each.comes),
            goes=total(going.amount for each in days for going in each.goes),
            pays=total(pays.price for each in days for pays in each.pays),
            balance=days[-1].balance or Total(0, self.currency),
            pays_due=total(each.price for each, place in places if place is Place.DUE),
            paid_before=total(each.price for each, place in places if place is Place.PAID_BEFORE),
            unpaid=total(each.bill.to_pay for each, place in places if place is Place.UNPAID),
        )


def _due_on(bill: InvoiceView, today: dt.date) -> dt.date | None:
    return max(bill.pay_by, today) if bill.pay_by else None


def _to_plan(bill: InvoiceView) -> Bill:
    return Bill(
        left_minor=bill.to_pay.minor,
        due_on=bill.pay_by,
        discounts=tuple(Discount(each.until, each.saves) for each in bill.discounts),
        late_fee=_fee_of_signing(bill.late_fee) if bill.late_fee else None,
        last_on=bill.expires_on,
    )


def _fee_of_signing(fee: LateFee) -> LateFee:
    """The same by the day on which a payment is signed: on a day without banks it is made on a later one."""
    in_time = in_time_for(fee.last_day_without, currency=fee.amount.currency)
    return LateFee(starts_on=in_time + dt.timedelta(days=1), amount=fee.amount)
