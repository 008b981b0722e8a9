"""Invoices as pages show them. Every list has a limit."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, ColumnElement, Row, Select, SQLColumnExpression, and_, case, func, or_, select
from sqlalchemy.orm import Session

from app.audit.kinds import Kind
from app.audit.proofs import number_of
from app.audit.seals import is_sealed
from app.errors import NotFound
from app.journey.connections.read import muted_billers
from app.journey.intake import own_bills
from app.journey.intake.bill import LateFee
from app.journey.intake.means import MeansKind
from app.journey.intake.models import DeliveredBill, OwnBill
from app.journey.intake.originals import content_of
from app.journey.invoices.chain import EarlierBill, asked_before, earlier_bills
from app.journey.invoices.discounts import DiscountView, discounts_on
from app.journey.invoices.models import Invoice
from app.journey.invoices.ordering import Sort, by_day, by_rank, in_order, is_in_order, newest_of
from app.journey.invoices.rules import payable_on
from app.journey.invoices.states import InvoiceState
from app.people import names
from app.people.account_states import AccountState
from app.people.accounts import is_iban_stopped, is_open, is_stopped, with_biller
from app.people.biller_states import SUSPENDED
from app.people.customers import today_of
from app.people.models import Biller, Customer, PayeeAccount, SealingKey
from app.people.sealing_keys import is_good
from connectors.money import Money, Total
from consent.vault import Vault, VaultError

INBOX_MOST = 100
#: open bills of one company that stand beside a consent for it
OPEN_MOST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class LineView:
    description: str
    quantity: str | None
    amount: Money | None


class Seal(enum.StrEnum):
    """What is known now of the seal on a bill."""

    NONE = "none"
    GOOD = "good"
    WRONG = "wrong"  #: not over the bytes that are kept: somebody has changed something here
    TAKEN_BACK = "taken_back"  #: its key may have been in other hands when the bill came


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What was checked of where a bill comes from."""

    seal: Seal  #: GOOD only where it was checked anew over the very bytes that are kept
    number: int | None  #: of its delivery in the log; None: it has none yet, or came before there was a log
    kid: str | None  #: of the key that sealed it
    key_since: dt.datetime | None  #: when that was registered
    revoked_since: dt.datetime | None  #: from when on it may have been in other hands


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceView:
    """One bill as its customer sees it on ``today``."""

    id: str
    biller_id: str | None  #: None: its customer added it, and nobody has verified it
    biller_name: str  #: of one that its customer added the payee, as they confirmed it
    delivered_by: str | None  #: whose verified access delivered it
    number: str
    issued_on: dt.date
    due_on: dt.date | None
    pay_by: dt.date | None  #: the same, or a later day until which its company has given more time
    late: bool
    expires_on: dt.date | None  #: the last day of a request to pay
    is_expired: bool  #: that day is over
    received_at: dt.datetime
    amount: Money  #: as billed
    asked: Money  #: after all that its biller took off since
    asked_before: Money  #: the same, before it was withdrawn or replaced; all of it, where credit notes left nothing
    paid: Money  #: by payments of parts, or of all of it
    left: Money  #: of what is asked
    held_back: Money  #: of what is left: its customer disputes these lines, and the rest can be paid
    payable: Money  #: what paying it today costs
    discounts: tuple[DiscountView, ...]  #: for paying early, the earliest day first; also those that are over
    late_fee: LateFee | None  #: what its biller may ask besides once it is late; in none of these amounts
    reference: str | None
    means: str  #: MeansKind
    elsewhere: dict[str, str]  #: what it says of a means that is not offered: intake/means.py
    day_over: bool  #: it names a day, and that is before today
    payee_name: str | None
    payee_iban: str | None
    lines: tuple[LineView, ...]
    note: str | None
    terms: str | None
    order_reference: str | None
    state: str
    media_type: str
    seal: Seal
    payment_id: str | None = None  #: filled in by the door from a later stage
    decided: Money | None = None  #: what that payment takes from the account
    receipt_id: str | None = None
    corrected: str | None = None  #: the kind of its last correction, filled in by the door from a later stage
    seen: bool = False  #: its customer opened it before
    muted: bool = False  #: its biller is: it came without a notice, and stands behind the others
    may_have_been_paid: bool = False  #: by a payment that was closed: what is left is paid in one
    is_suspended: bool = False  #: its biller is: nothing is paid to it now
    is_set_aside: bool = False  #: by its customer's answer: not to be paid while that stands
    is_stopped: bool = False  #: nothing may be paid for it now: so is its biller, or its account is held; in lists only
    earlier: EarlierBill | None = None  #: the bill that this one stands in for

    @property
    def is_delivered(self) -> bool:
        return self.biller_id is not None

    @property
    def figure(self) -> Money:
        """What stands large: what can be paid of what is left, or what the payment takes that has the bill, or all that
        have paid it."""
        return self.decided or self.to_pay

    @property
    def to_pay(self) -> Money:
        """What is left, without what is held back of it."""
        return self.left - self.held_back

    @property
    def discount(self) -> DiscountView | None:
        """The one that holds today, else the last one, which is over."""
        return next((each for each in self.discounts if each.holds), self.discounts[-1] if self.discounts else None)

    @property
    def later_discounts(self) -> tuple[DiscountView, ...]:
        """Those that hold once the one of today is over."""
        return tuple(each for each in self.discounts if each.open and not each.holds)

    @property
    def price_after(self) -> Money:
        """What paying all of it costs once the discount of today is over."""
        return self.later_discounts[0].price if self.later_discounts else self.left

    @property
    def beside_lines(self) -> Money | None:
        """What the bill asks for more than its lines come to: tax, as a rule; below nothing, where something was paid
        before. None: not all of its lines say an amount."""
        amounts = [line.amount for line in self.lines if line.amount is not None]
        if not self.lines or len(amounts) < len(self.lines):
            return None
        return Money(self.amount.minor - sum(each.minor for each in amounts), self.amount.currency)

    @property
    def taken_off(self) -> Money:
        return self.amount - self.asked

    @property
    def is_credited(self) -> bool:
        return self.asked != self.amount

    @property
    def waits_for_earlier(self) -> bool:
        """Whether the bill that it replaces is in payment: who pays this one meanwhile could pay twice."""
        return self.earlier is not None and self.earlier.is_in_payment

    @property
    def says_how(self) -> bool:
        """Whether its pages say to whom, how and until when it is paid: of a suspended biller what was paid, alone."""
        return not self.is_suspended or self.state in (InvoiceState.IN_PAYMENT, InvoiceState.PAID)


class Place(NamedTuple):
    """Whether a bill has another one before and behind it in its customer's own order."""

    has_before: bool
    has_behind: bool


@dataclass(frozen=True, slots=True)
class OpenTotal:
    """What is still to pay, per currency: of delivered bills, or of those that their customer added."""

    amounts: tuple[Total, ...]
    count: int
    not_here: int  #: bills besides whose day is not over and that are not paid here
    stopped: int  #: bills besides for which nothing may be paid now: in neither of the others
    set_aside: int  #: bills besides that their customer has answered otherwise: in none of the others
    held_back: int  #: of the bills in the sum those of which lines are disputed: what these come to is not in it
    collected: int  #: bills besides that are paid from here and name a direct debit, too: in none of the others


def is_bill_stopped(now: dt.datetime | BindParameter[dt.datetime]) -> ColumnElement[bool]:
    """In a query: nothing may be paid for it at this moment, in whatever way. Its biller is suspended, or its account
    is not open; of one that its customer added, somebody has stopped payments to its account."""
    suspended = select(Biller.id).where(Biller.id == Invoice.biller_id, Biller.state.in_(SUSPENDED))
    of_bill = and_(PayeeAccount.biller_id == Invoice.biller_id, PayeeAccount.iban == Invoice.payee_iban)
    open_now = select(PayeeAccount.id).join(Biller, with_biller).where(of_bill, is_open(now))
    return case(
        (Invoice.biller_id.is_(None), is_iban_stopped(Invoice.payee_iban)),
        (Invoice.payee_iban.is_(None), suspended.correlate(Invoice).exists()),
        else_=~open_now.correlate(Invoice).exists(),
    )


def invoices_of(
    session: Session,
    *,
    customer_id: str,
    today: dt.date,
    now: dt.datetime,
    states: Sequence[InvoiceState],
    with_set_aside: bool = True,
    sort: Sort = Sort.DUE,
    page: int = 1,
) -> list[InvoiceView]:
    """A page of a customer's bills, at most INBOX_MOST: what is to pay first, by the day or as ``sort`` says; what its
    customer has set aside next; then the others, by the day the newest first.

    What is not paid here stands among the first until its day is over: nobody tells when it was paid. By the day those
    of a muted biller stand behind the others of their kind; none is left out. Without what is set aside: without such
    bills that would be to pay. By amount each currency stands by itself, the largest amount first.
    """
    over = Invoice.state.in_((InvoiceState.PAID, InvoiceState.CLEARED)) | (
        (Invoice.state == InvoiceState.NOT_HERE) & _is_day_over(today)
    )
    still_open = case((over, 2), (Invoice.is_set_aside, 1), else_=0)
    wanted = and_(Invoice.customer_id == customer_id, Invoice.state.in_(states))
    if not with_set_aside:
        wanted = and_(wanted, or_(Invoice.state != InvoiceState.TO_PAY, Invoice.is_set_aside.is_(False)))
    muted = muted_billers(session, customer_id=customer_id)
    first = (page - 1) * INBOX_MOST
    if sort is Sort.COMPANY:
        ids = _by_company(session, wanted, still_open, over)[first : first + INBOX_MOST]
        return invoices_named(session, ids, customer_id=customer_id, today=today, now=now)
    order: dict[Sort, tuple[SQLColumnExpression[Any], ...]] = {
        Sort.DUE: (case((Invoice.biller_id.in_(muted), 1), else_=0),),
        Sort.AMOUNT: (Invoice.currency, _figure().desc()),
        Sort.MINE: by_rank(),
    }
    rows = session.execute(
        _select()
        .add_columns(is_bill_stopped(now))
        .where(wanted)
        .order_by(still_open, *order[sort], newest_of(over), *by_day())
        .limit(INBOX_MOST)
        .offset(first)
    ).all()
    return _listed(session, rows, today=today, muted=muted)


def invoices_named(
    session: Session, ids: Sequence[str], *, customer_id: str, today: dt.date, now: dt.datetime
) -> list[InvoiceView]:
    """Those of these bills that are this customer's, in the order of the ids: not more than a page shows."""
    rows = session.execute(
        _select().add_columns(is_bill_stopped(now)).where(Invoice.id.in_(ids), Invoice.customer_id == customer_id)
    ).all()
    views = _listed(session, rows, today=today, muted=muted_billers(session, customer_id=customer_id))
    return sorted(views, key=lambda view: ids.index(view.id))


def has_bills(session: Session, *, customer_id: str) -> bool:
    """Whether there is any bill of theirs."""
    return session.scalar(select(Invoice.id).where(Invoice.customer_id == customer_id).limit(1)) is not None


def places_of(session: Session, bills: Sequence[InvoiceView], *, customer_id: str, page: int) -> dict[str, Place]:
    """Of a page in its customer's own order: where those stand that have a place in it."""
    count = session.scalars(
        select(func.count()).select_from(Invoice).where(Invoice.customer_id == customer_id, in_order())
    ).one()
    return {
        bill.id: Place(number > 0, number < count - 1)
        for number, bill in enumerate(bills, (page - 1) * INBOX_MOST)
        if is_in_order(state=bill.state, is_set_aside=bill.is_set_aside)
    }


def _by_company(
    session: Session, wanted: ColumnElement[bool], still_open: ColumnElement[int], over: ColumnElement[bool]
) -> list[str]:
    """The ids of all of them. Sorted here: no two databases sort names alike, and none as people do."""
    rows = session.execute(
        select(Invoice.id, func.coalesce(Biller.name, Invoice.payee_name), still_open)
        .outerjoin(Biller, Biller.id == Invoice.biller_id)
        .where(wanted)
        .order_by(newest_of(over), *by_day())
    ).all()
    return [row[0] for row in sorted(rows, key=lambda row: (row[2], names.words(row[1])))]


def _figure() -> ColumnElement[int]:
    """In a query what stands large on a card: what is left to be paid of a bill, or what was paid of it."""
    asked = Invoice.amount_minor - Invoice.credited_minor
    return case((Invoice.state == InvoiceState.PAID, asked), else_=asked - Invoice.paid_minor - Invoice.held_back_minor)


def _listed(
    session: Session, rows: Sequence[Row[*tuple[Any, ...]]], *, today: dt.date, muted: Collection[str]
) -> list[InvoiceView]:
    earlier = earlier_bills(session, [row[0].id for row in rows])
    return [
        _view(
            *of_one,
            today=today,
            muted=of_one[0].biller_id in muted,
            is_stopped=bool(stopped),
            earlier=earlier.get(of_one[0].id),
        )
        for *of_one, stopped in rows
    ]


def open_bills_of(
    session: Session, *, customer: Customer, biller_id: str, currency: str, now: dt.datetime
) -> list[InvoiceView]:
    """What is to be paid to one company in one currency, by due day, at most OPEN_MOST: beside a consent for it."""
    rows = session.execute(
        _select()
        .where(
            Invoice.customer_id == customer.id,
            Invoice.biller_id == biller_id,
            Invoice.currency == currency,
            Invoice.state == InvoiceState.TO_PAY,
            Invoice.is_set_aside.is_(False),
        )
        .order_by(*by_day())
        .limit(OPEN_MOST)
    ).all()
    today = today_of(customer, now)
    earlier = earlier_bills(session, [row[0].id for row in rows])
    return [_view(*row, today=today, earlier=earlier.get(row[0].id)) for row in rows]


def invoice_view(session: Session, *, invoice_id: str, customer_id: str, today: dt.date) -> InvoiceView:
    """One bill of this customer. Raises NotFound."""
    row = session.execute(_select().where(Invoice.id == invoice_id, Invoice.customer_id == customer_id)).one_or_none()
    if row is None:
        raise NotFound("bill")
    return _view(*row, today=today, earlier=earlier_bills(session, [invoice_id]).get(invoice_id))


def origin_of(vault: Vault, session: Session, *, invoice_id: str) -> Origin:
    """Of a bill that its customer may see."""
    found = session.execute(
        select(DeliveredBill, SealingKey)
        .join(Invoice, Invoice.bill_id == DeliveredBill.id)
        .outerjoin(SealingKey, SealingKey.id == DeliveredBill.key_id)
        .where(Invoice.id == invoice_id)
    ).one_or_none()
    bill, key = found if found is not None else (None, None)
    seal = _seal(key, at=bill.delivered_at) if bill else Seal.NONE
    if bill and key and not _holds(vault, session, bill, key):
        seal = Seal.WRONG
    return Origin(
        seal=seal,
        number=number_of(session, Kind.BILL_DELIVERED, subject=bill.id) if bill else None,
        kid=key.kid if key else None,
        key_since=key.registered_at if key else None,
        revoked_since=key.revoked_since if key else None,
    )


@dataclass(frozen=True, slots=True)
class AccountView:
    """The account of a bill, as this service knows it."""

    known_since: dt.date | None  #: as that of the company which delivered it, on the customer's calendar
    is_open: bool  #: something may be paid to it now
    is_given_up: bool = False  #: it is not the company's any more; else, where it is not open, somebody looks at it


def account_view(session: Session, *, invoice_id: str, customer: Customer, now: dt.datetime) -> AccountView | None:
    """Of this customer's bill. None: it is not paid here; or nobody delivered it, and nothing is known of its account
    that would keep anybody from paying to it."""
    row = session.execute(
        select(PayeeAccount.active_from, PayeeAccount.state, is_open(now))
        .join(Biller, with_biller)
        .join(Invoice, and_(Invoice.biller_id == PayeeAccount.biller_id, Invoice.payee_iban == PayeeAccount.iban))
        .where(Invoice.id == invoice_id, Invoice.customer_id == customer.id)
    ).one_or_none()
    if row is not None and row[0] is not None:
        is_given_up = row[1] == AccountState.CLOSED
        return AccountView(known_since=today_of(customer, row[0]), is_open=bool(row[2]), is_given_up=is_given_up)
    added = select(Invoice.payee_iban).where(Invoice.id == invoice_id, Invoice.biller_id.is_(None))
    iban = session.scalar(added)
    return AccountView(known_since=None, is_open=False) if iban is not None and is_stopped(session, iban=iban) else None


def _holds(vault: Vault, session: Session, bill: DeliveredBill, key: SealingKey) -> bool:
    try:
        return bill.seal is not None and is_sealed(content_of(vault, session, bill), bill.seal, key.jwk)
    except VaultError:
        return False


def invoice_of_own(session: Session, *, own_bill_id: str) -> str | None:
    """The invoice of a bill that its customer added, once it is kept."""
    return session.scalar(select(Invoice.id).where(Invoice.own_bill_id == own_bill_id))


def open_total(
    session: Session,
    *,
    customer_id: str,
    today: dt.date,
    now: dt.datetime,
    delivered: bool = True,
    but: Collection[str] = (),
) -> OpenTotal:
    """The sum of all bills to pay, as they are asked. What nobody verified is never in one sum with what is; what is
    not paid here, for what nothing may be paid now, and what its company says that it collects as well, is only
    counted; so are the bills ``but``, by whoever names them. A bill whose seal does not fit its file is in the sum:
    only its own page reads the file (``origin_of``)."""
    of_kind = Invoice.bill_id.is_not(None) if delivered else Invoice.bill_id.is_(None)
    of_anybody = and_(Invoice.customer_id == customer_id, of_kind)
    of_customer = and_(of_anybody, Invoice.is_set_aside.is_(False))
    to_pay = Invoice.state == InvoiceState.TO_PAY
    not_here = and_(Invoice.state == InvoiceState.NOT_HERE, ~_is_day_over(today))
    stopped = is_bill_stopped(now)
    besides_debit = func.coalesce(Invoice.means_details["besides"].as_string(), "") == MeansKind.DIRECT_DEBIT
    rows = session.execute(
        select(
            Invoice.currency,
            func.sum(Invoice.amount_minor - Invoice.credited_minor - Invoice.paid_minor - Invoice.held_back_minor),
            func.count(),
            func.count().filter(Invoice.held_back_minor > 0),
        )
        .where(of_customer, to_pay, ~stopped, ~besides_debit, Invoice.id.not_in(but))
        .group_by(Invoice.currency)
        .order_by(Invoice.currency)
    ).all()
    besides = select(func.count()).select_from(Invoice).where(of_customer)
    aside = select(func.count()).select_from(Invoice).where(of_anybody, Invoice.is_set_aside, or_(to_pay, not_here))
    return OpenTotal(
        tuple(Total(int(minor), currency) for currency, minor, *_ in rows),
        sum(row[2] for row in rows),
        session.scalars(besides.where(not_here, ~stopped)).one(),
        session.scalars(besides.where(or_(to_pay, not_here), stopped)).one(),
        session.scalars(aside).one(),
        sum(row[3] for row in rows),
        session.scalars(besides.where(to_pay, ~stopped, besides_debit)).one(),
    )


@dataclass(frozen=True, slots=True)
class Original:
    """The file as the biller delivered it, or as its customer added it."""

    content: bytes
    media_type: str
    number: str


def original_of(vault: Vault, session: Session, *, invoice_id: str, customer_id: str) -> Original:
    """The file of this customer's bill. Raises NotFound."""
    own = session.execute(
        select(OwnBill, Invoice.number)
        .join(Invoice, Invoice.own_bill_id == OwnBill.id)
        .where(Invoice.id == invoice_id, Invoice.customer_id == customer_id)
    ).one_or_none()
    if own is not None:
        return Original(own_bills.content_of(vault, session, own[0]), own[0].media_type, own[1])
    bill = session.scalar(
        select(DeliveredBill)
        .join(Invoice, Invoice.bill_id == DeliveredBill.id)
        .where(Invoice.id == invoice_id, Invoice.customer_id == customer_id)
    )
    if bill is None:
        raise NotFound("bill")
    return Original(content_of(vault, session, bill), bill.media_type, bill.number)


def _is_day_over(today: dt.date) -> ColumnElement[bool]:
    """In a query what ``day_over`` is in a view: a bill without a day has none that could be over."""
    return and_(Invoice.due_on.is_not(None), Invoice.due_on < today)


def _select() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Invoice,
            func.coalesce(Biller.name, Invoice.payee_name),
            func.coalesce(DeliveredBill.media_type, OwnBill.media_type),
            SealingKey,
            Biller.state,
        )
        .outerjoin(Biller, Biller.id == Invoice.biller_id)
        .outerjoin(DeliveredBill, DeliveredBill.id == Invoice.bill_id)
        .outerjoin(SealingKey, SealingKey.id == DeliveredBill.key_id)
        .outerjoin(OwnBill, OwnBill.id == Invoice.own_bill_id)
    )


def _view(
    invoice: Invoice,
    biller_name: str,
    media_type: str,
    key: SealingKey | None,
    biller_state: str | None,
    *,
    today: dt.date,
    muted: bool = False,
    is_stopped: bool = False,
    earlier: EarlierBill | None,
) -> InvoiceView:
    return InvoiceView(
        id=invoice.id,
        biller_id=invoice.biller_id,
        biller_name=biller_name,
        delivered_by=biller_name if invoice.is_delivered else None,
        number=invoice.number,
        issued_on=invoice.issued_on,
        due_on=invoice.due_on,
        pay_by=invoice.pay_by,
        late=invoice.state == InvoiceState.TO_PAY
        and not invoice.is_set_aside
        and invoice.pay_by is not None
        and invoice.pay_by < today,
        expires_on=invoice.expires_on,
        is_expired=invoice.is_expired(today),
        received_at=invoice.received_at,
        amount=invoice.amount,
        asked=invoice.asked,
        asked_before=asked_before(invoice),
        held_back=invoice.held_back,
        payable=invoice.to_pay
        if invoice.held_back_minor
        else payable_on(amount=invoice.left, discounts=invoice.discounts, day=today),
        paid=Money(invoice.paid_minor, invoice.currency),
        left=invoice.left,
        discounts=() if invoice.held_back_minor else discounts_on(invoice, today),
        late_fee=invoice.late_fee,
        reference=invoice.reference,
        means=invoice.means,
        elsewhere=invoice.means_details,
        day_over=invoice.due_on is not None and invoice.due_on < today,
        payee_name=invoice.payee_name,
        payee_iban=invoice.payee_iban,
        lines=tuple(_line(line, invoice.currency) for line in invoice.lines),
        note=invoice.note,
        terms=invoice.terms,
        order_reference=invoice.order_reference,
        state=invoice.state,
        media_type=media_type,
        seal=_seal(key, at=invoice.received_at),
        seen=invoice.seen_at is not None,
        earlier=earlier,
        muted=muted,
        is_suspended=biller_state in SUSPENDED,
        is_stopped=is_stopped,
        is_set_aside=invoice.is_set_aside,
        may_have_been_paid=invoice.may_have_been_paid,
    )


def _seal(key: SealingKey | None, *, at: dt.datetime) -> Seal:
    if key is None:
        return Seal.NONE
    return Seal.GOOD if is_good(key, at=at) else Seal.TAKEN_BACK


def _line(line: dict[str, object], currency: str) -> LineView:
    minor = line["amount_minor"]
    return LineView(
        description=str(line["description"]),
        quantity=str(line["quantity"]) if line["quantity"] else None,
        amount=Money(minor, currency) if isinstance(minor, int) else None,
    )
