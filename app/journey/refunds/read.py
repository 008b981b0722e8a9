"""Refunds as customers and billers see them. Every list has a limit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from app.db.many import among
from app.errors import NotFound
from app.journey.connections.access import is_silenced
from app.journey.invoices.models import Invoice
from app.journey.invoices.states import InvoiceState
from app.journey.refunds.access import account_of, all_owed, refund_of_biller, standing_minor, unpromised
from app.journey.refunds.models import Refund, RefundAccount, RefundHistory
from app.journey.refunds.rules import REFUNDS_MOST, is_late, may_be_missing, missing_from
from app.journey.refunds.states import WANTS_ACCOUNT, AccountState, RefundState
from app.people.biller_states import SUSPENDED
from app.people.models import Biller
from connectors.money import Money

PAGE_MOST = 100
#: accounts on a company's page, the newest
ACCOUNTS_SHOWN_MOST = 20
_IS_UNHEARD = or_(
    Biller.state.in_(SUSPENDED),
    is_silenced(customer_id=Refund.customer_id, biller_id=Refund.biller_id, at=RefundHistory.at),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """An account that a customer released for a refund, as they see it."""

    mask: str
    refund_id: str
    invoice_id: str
    bill_number: str
    released_at: dt.datetime
    first_read_at: dt.datetime | None  #: by the company; None: it has not looked
    last_read_at: dt.datetime | None
    is_open: bool  #: the company can read it, or could again if the refund did not arrive
    erase_at: dt.datetime  #: by then it is gone in any case
    state: str  #: AccountState
    ended_at: dt.datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundLine:
    """One thing that was said of a refund."""

    step: str  #: states.WHOSE
    source: str  #: By
    at: dt.datetime
    sent_on: dt.date | None
    way: str | None  #: rules.Way
    #: the company's words. None, too, while it is suspended, and of one that its customer had blocked by then
    words: str | None
    reference: str | None  #: likewise


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundView:
    """One refund as its customer sees it."""

    id: str
    amount: Money
    state: str  #: RefundState
    promised_by: dt.date
    is_overdue: bool  #: that day is over, and nobody said that it was sent
    sent_on: dt.date | None
    missing_from: dt.date | None  #: of one that was sent: the first day on which it may be called missing
    may_be_missing: bool
    lines: tuple[RefundLine, ...]  #: the first one first
    account: AccountView | None  #: that is released now
    wants_account: bool  #: one may be released now

    @property
    def is_open(self) -> bool:
        return self.state in (RefundState.PROMISED, RefundState.SENT, RefundState.MISSING)

    @property
    def last(self) -> RefundLine:
        return self.lines[-1]

    def said(self, step: str) -> RefundLine | None:
        """The last line of this step."""
        return next((line for line in reversed(self.lines) if line.step == step), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundsOfBill:
    """What is owed of a bill, and what was said of giving it back."""

    owed: Money  #: for sure, by the documents; nothing while a payment is under way
    still_owed: Money  #: of that, what has not arrived as its customer says
    unpromised: Money  #: of that, what no refund is for
    too_much: Money  #: what was promised, sent or received beyond what is owed by now
    refunds: tuple[RefundView, ...] = ()  #: the newest first


def refunds_of_bill(session: Session, *, invoice_id: str, customer_id: str, today: dt.date) -> RefundsOfBill:
    """Raises NotFound."""
    invoice = session.get(Invoice, invoice_id)
    if invoice is None or invoice.customer_id != customer_id:
        raise NotFound("bill")
    rows = session.scalars(
        select(Refund).where(Refund.invoice_id == invoice_id).order_by(Refund.number.desc()).limit(REFUNDS_MOST)
    ).all()
    owed, standing = all_owed(session, invoice), standing_minor(session, invoice_id)
    lines = _lines(session, [row.id for row in rows])
    is_suspended = bool(rows) and session.get_one(Biller, rows[0].biller_id).state in SUSPENDED
    certain = owed.minor if invoice.state != InvoiceState.IN_PAYMENT else 0
    arrived = sum(row.amount_minor for row in rows if row.state == RefundState.RECEIVED)
    return RefundsOfBill(
        owed=Money(certain, invoice.currency),
        still_owed=Money(max(certain - arrived, 0), invoice.currency),
        unpromised=unpromised(session, invoice),
        too_much=Money(max(standing - owed.minor, 0), invoice.currency),
        refunds=tuple(
            _view(session, row, invoice, lines=lines[row.id], today=today, is_suspended=is_suspended) for row in rows
        ),
    )


def _view(
    session: Session, refund: Refund, invoice: Invoice, *, lines: list[RefundLine], today: dt.date, is_suspended: bool
) -> RefundView:
    state = RefundState(refund.state)
    account = account_of(session, refund.id, AccountState.RELEASED)
    return RefundView(
        id=refund.id,
        amount=refund.amount,
        state=refund.state,
        promised_by=refund.promised_by,
        is_overdue=is_late(state, promised_by=refund.promised_by, today=today),
        sent_on=refund.sent_on,
        missing_from=missing_from(refund.sent_on) if refund.sent_on and state is RefundState.SENT else None,
        may_be_missing=may_be_missing(state, sent_on=refund.sent_on, today=today),
        lines=tuple(lines),
        account=_account_view(account, refund, invoice) if account is not None else None,
        wants_account=state in WANTS_ACCOUNT and account is None and not is_suspended,
    )


def _lines(session: Session, refund_ids: Sequence[str]) -> dict[str, list[RefundLine]]:
    rows = session.execute(
        select(RefundHistory, _IS_UNHEARD)
        .join(Refund, Refund.id == RefundHistory.refund_id)
        .join(Biller, Biller.id == Refund.biller_id)
        .where(RefundHistory.refund_id.in_(refund_ids))
        .order_by(RefundHistory.refund_id, RefundHistory.sequence)
    )
    found: dict[str, list[RefundLine]] = {refund_id: [] for refund_id in refund_ids}
    for line, is_unheard in rows:
        found[line.refund_id].append(
            RefundLine(
                step=line.step,
                source=line.source,
                at=line.at,
                sent_on=line.sent_on,
                way=line.way,
                words=None if is_unheard else line.words,
                reference=None if is_unheard else line.reference,
            )
        )
    return found


def accounts_of_company(session: Session, *, biller_id: str, customer_id: str) -> tuple[AccountView, ...]:
    """All accounts that a customer released to a company, the newest first; a page has the newest of them."""
    rows = session.execute(
        select(RefundAccount, Refund, Invoice)
        .join(Refund, Refund.id == RefundAccount.refund_id)
        .join(Invoice, Invoice.id == Refund.invoice_id)
        .where(
            Refund.biller_id == biller_id,
            Refund.customer_id == customer_id,
            RefundAccount.state != AccountState.TYPED,
        )
        .order_by(RefundAccount.state != AccountState.RELEASED, RefundAccount.id.desc())
        .limit(ACCOUNTS_SHOWN_MOST)
    )
    return tuple(_account_view(account, refund, invoice) for account, refund, invoice in rows)


def accounts_read(session: Session, *, customer_id: str) -> list[tuple[str, AccountView]]:
    """The accounts of a customer that a company has read, with its name: what was read last first."""
    rows = session.execute(
        select(RefundAccount, Refund, Invoice, Biller.name)
        .join(Refund, Refund.id == RefundAccount.refund_id)
        .join(Invoice, Invoice.id == Refund.invoice_id)
        .join(Biller, Biller.id == Refund.biller_id)
        .where(Refund.customer_id == customer_id, RefundAccount.last_read_at.is_not(None))
        .order_by(RefundAccount.last_read_at.desc(), RefundAccount.id)
        .limit(ACCOUNTS_SHOWN_MOST)
    )
    return [(name, _account_view(account, refund, invoice)) for account, refund, invoice, name in rows]


def _account_view(account: RefundAccount, refund: Refund, invoice: Invoice) -> AccountView:
    return AccountView(
        mask=account.mask,
        refund_id=refund.id,
        invoice_id=invoice.id,
        bill_number=invoice.number,
        released_at=account.released_at or account.typed_at,
        first_read_at=account.first_read_at,
        last_read_at=account.last_read_at,
        is_open=account.state == AccountState.RELEASED,
        erase_at=account.erase_at,
        state=account.state,
        ended_at=account.ended_at,
    )


class TypedAccount(NamedTuple):
    """What was typed and waits for its customer's passkey."""

    id: str
    mask: str  #: its last signs


def typed_account(session: Session, *, refund_id: str, now: dt.datetime) -> TypedAccount | None:
    """None: nothing waits."""
    account = account_of(session, refund_id, AccountState.TYPED)
    return TypedAccount(account.id, account.mask) if account is not None and account.erase_at > now else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundInShort:
    """One refund for a list of bills."""

    amount: Money
    state: str
    promised_by: dt.date
    sent_on: dt.date | None


def refunds_in_short(session: Session, *, invoice_ids: Collection[str]) -> dict[str, list[RefundInShort]]:
    """For each of these bills of which refunds were promised: these, the first one first."""
    rows = session.scalars(
        select(Refund).where(among(session, Refund.invoice_id, invoice_ids)).order_by(Refund.invoice_id, Refund.number)
    )
    found: dict[str, list[RefundInShort]] = {}
    for row in rows:
        short = RefundInShort(amount=row.amount, state=row.state, promised_by=row.promised_by, sent_on=row.sent_on)
        found.setdefault(row.invoice_id, []).append(short)
    return found


# --- for billers


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundForBiller:
    """One refund as the company that owes it sees it."""

    id: str
    bill_id: str
    number: str
    amount: Money
    promised_by: dt.date
    promised_at: dt.datetime
    state: str
    sent_on: dt.date | None
    way: str | None
    reference: str | None
    is_still_owed: bool  #: less is owed of the bill by now than what was promised of it: then it is not
    has_account: bool  #: its customer has released one that can be read now
    account: str | None  #: only where it is asked for alone
    updated_at: dt.datetime
    sequence: int


def refund_for_biller(
    session: Session, *, refund_id: str, biller_id: str, account: str | None = None
) -> RefundForBiller:
    """Raises NotFound."""
    refund_of_biller(session, refund_id=refund_id, biller_id=biller_id)
    (found,) = _for_biller(session, Refund.id == refund_id, most=1, account=account)
    return found


def refunds_for_biller(
    session: Session,
    *,
    biller_id: str,
    state: RefundState | None = None,
    bill_id: str | None = None,
    after: str | None = None,
) -> list[RefundForBiller]:
    """This biller's refunds, the oldest first: at most PAGE_MOST of those promised after ``after``. No account stands
    in a list."""
    wanted = Refund.biller_id == biller_id
    if state is not None:
        wanted &= Refund.state == state
    if bill_id is not None:
        wanted &= Invoice.bill_id == bill_id
    if after is not None:
        wanted &= Refund.id > after
    return _for_biller(session, wanted, most=PAGE_MOST)


def _for_biller(
    session: Session, wanted: ColumnElement[bool], *, most: int, account: str | None = None
) -> list[RefundForBiller]:
    rows = session.execute(
        select(Refund, Invoice, RefundHistory.at, Biller.state)
        .join(Invoice, Invoice.id == Refund.invoice_id)
        .join(Biller, Biller.id == Refund.biller_id)
        .join(RefundHistory, (RefundHistory.refund_id == Refund.id) & (RefundHistory.sequence == Refund.sequence))
        .where(wanted)
        .order_by(Refund.id)
        .limit(most)
    ).all()
    released = set(
        session.scalars(
            select(RefundAccount.refund_id).where(
                RefundAccount.refund_id.in_([refund.id for refund, *_ in rows]),
                RefundAccount.state == AccountState.RELEASED,
            )
        )
    )
    too_much: dict[str, bool] = {}
    for _, invoice, *_ in rows:
        if invoice.id not in too_much:
            too_much[invoice.id] = standing_minor(session, invoice.id) > all_owed(session, invoice).minor
    return [
        RefundForBiller(
            id=refund.id,
            bill_id=invoice.delivery.bill_id,
            number=invoice.number,
            amount=refund.amount,
            promised_by=refund.promised_by,
            promised_at=refund.said_at,
            state=refund.state,
            sent_on=refund.sent_on,
            way=refund.way,
            reference=refund.reference,
            is_still_owed=refund.state != RefundState.WITHDRAWN and not too_much[invoice.id],
            has_account=refund.id in released and refund.state in WANTS_ACCOUNT and biller_state not in SUSPENDED,
            account=account,
            updated_at=at,
            sequence=refund.sequence,
        )
        for refund, invoice, at, biller_state in rows
    ]
