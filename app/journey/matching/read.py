"""How each received bill meets what its customer allows: computed at each reading, and stored nowhere.

One statement for however many bills, made once, and plain rows: this runs for every page with a bill on it. What a
customer has is found by indexes on their id, so it takes as long among a million customers as among a thousand.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Select,
    and_,
    bindparam,
    literal_column,
    null,
    select,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.journey.consents.agreeing import takes_new
from app.journey.consents.models import CustomerBank
from app.journey.invoices.read import InvoiceView
from app.journey.invoices.states import InvoiceState
from app.journey.matching.models import PayFirst
from app.journey.matching.rules import Preferred, best, ranked
from app.people.models import Stop
from connectors.profile import BankProfile
from connectors.registry import Registry
from consent.models import Consent, ConsentUsage, Standing, frame_of
from consent.rules import Order, Why
from consent.states import StandingState
from consent.verdicts import Bank, Bill, Held, Verdict, by_set_up, by_single, under_consent

#: a bank may still be in the day before ours
_ONE_DAY = dt.timedelta(days=1)
#: standing consents are in pounds, for now: that of the standard which has them
_STANDING_IN = ("GBP",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Banks:
    """What is known of the banks here, whoever asks."""

    by_id: Mapping[str, Bank]
    names: Mapping[str, str]
    reaches: Mapping[str, tuple[str, ...]]  #: BankProfile.reaches
    used_last: str | None  #: by this customer

    @classmethod
    def now(cls, registry: Registry, *, troubled: Collection[str] = (), used_last: str | None = None) -> Banks:
        """``troubled``: the ids of those that do not answer."""
        profiles = registry.all_banks()
        return cls(
            by_id={
                profile.id: _bank(
                    profile,
                    is_usable=registry.why_unusable(profile.id) is None,
                    is_away=profile.id in troubled,
                )
                for profile in profiles
            },
            names={profile.id: profile.name for profile in profiles},
            reaches={profile.id: profile.reaches for profile in profiles},
            used_last=used_last,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """A standing consent that is not over, as pages name it."""

    consent_id: str
    biller_id: str
    bank_id: str
    payee_name: str
    payer_mask: str | None  #: the account that it pays from, as far as it is shown
    state: StandingState
    ends_on: dt.date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How one open bill could be paid: verdicts, the most useful first (rules.ranked)."""

    standing: tuple[Verdict, ...]  #: of each standing consent
    single: tuple[Verdict, ...]  #: of each bank that was asked about, for this bill alone
    set_up: tuple[Verdict, ...]  #: of the same, where a standing consent for such bills could be agreed on
    preferred: Preferred | None

    @property
    def covering(self) -> Verdict | None:
        """The standing consent to pay it by."""
        return best(self.standing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    ways: Mapping[str, Ways]  #: of each of the bills, by the id of its invoice
    allowed: Mapping[str, Allowed]  #: all standing consents of the customer that are not over, by id
    removed: Collection[str]  #: ids of the banks that they removed
    is_stopped: bool  #: they stopped everything


def match(
    session: Session,
    *,
    customer_id: str,
    bills: Mapping[str, Bill],
    banks: Banks,
    ask: Iterable[str] = (),
    now: dt.datetime,
) -> Matched:
    """How bills of this customer could be paid: those of ``bill_of``, by the ids of their invoices. ``ask``: ids of
    banks to judge as ways of their own.

    Whether anything may be paid for a bill at all (its seal, its account, its biller) is not asked here.
    """
    known = _known(session, customer_id=customer_id, now=now)
    asked = [banks.by_id[bank_id] for bank_id in ask if bank_id in banks.by_id]
    return Matched(
        ways={invoice_id: _ways(bill, known, banks, asked, now=now) for invoice_id, bill in bills.items()},
        allowed=known.allowed,
        removed=known.removed,
        is_stopped=known.is_stopped,
    )


def bill_of(view: InvoiceView) -> Bill | None:
    """What of an invoice meets consents, on the day of the view. None: it is not to be paid here, or not now."""
    if view.state != InvoiceState.TO_PAY or view.payee_name is None or view.payee_iban is None:
        return None
    if view.waits_for_earlier or view.is_set_aside:
        return None
    order = Order(payee_name=view.payee_name, payee_iban=view.payee_iban, amount=view.payable)
    return Bill(order=order, biller_id=view.biller_id, due_on=view.due_on)


def _bank(profile: BankProfile, *, is_usable: bool, is_away: bool) -> Bank:
    return Bank(
        id=profile.id,
        currencies=profile.currencies,
        journey=Why.SIGN_IN_FIRST if profile.sign_in_first else Why.IN_APP if profile.decoupled else Why.REDIRECT,
        standing_in=_STANDING_IN if takes_new(profile) else (),
        is_usable=is_usable,
        is_away=is_away,
    )


def _ways(bill: Bill, known: _Known, banks: Banks, asked: Collection[Bank], *, now: dt.datetime) -> Ways:
    preferred = known.first.get(bill.biller_id or "")

    def here(bank: Bank) -> Bank:
        reaches = banks.reaches.get(bank.id, ())
        is_reached = not reaches or bill.order.payee_iban[:2] in reaches
        is_removed = bank.id in known.removed
        return replace(bank, reaches_payee=is_reached, is_removed=is_removed) if is_removed or not is_reached else bank

    def sorted_(verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
        return ranked(verdicts, preferred=preferred, used_last=banks.used_last, names=banks.names)

    places = [here(bank) for bank in asked]
    return Ways(
        standing=sorted_(
            under_consent(bill, held, here(_bank_of(banks, held, known.allowed)), now=now, is_stopped=known.is_stopped)
            for held in known.held
        ),
        single=sorted_(by_single(bill, bank, is_stopped=known.is_stopped) for bank in places),
        set_up=sorted_(by_set_up(bill, bank, is_stopped=known.is_stopped) for bank in places),
        preferred=preferred,
    )


def _bank_of(banks: Banks, held: Held, allowed: Mapping[str, Allowed]) -> Bank:
    """One whose file is gone is no way at the moment, and nothing else is known of it."""
    bank_id = allowed[held.consent_id].bank_id
    gone = Bank(id=bank_id, currencies=(held.frame.currency,), journey=Why.REDIRECT, is_usable=False)
    return banks.by_id.get(bank_id, gone)


# ---------------------------------------------------------------------------------------- what is known of a customer


class _Known(NamedTuple):
    held: list[Held]
    allowed: dict[str, Allowed]
    first: dict[str, Preferred]  #: by biller
    removed: set[str]
    is_stopped: bool


#: the columns of every part of the statement: of a standing consent, and of one period of it
_COLUMNS: tuple[InstrumentedAttribute[Any], ...] = (
    Standing.consent_id,
    Standing.bank_id,
    Standing.biller_id,
    Consent.state,
    Standing.payee_name,
    Standing.payee_iban,
    Standing.currency,
    Standing.each_minor,
    Standing.limits,
    Standing.days,
    Standing.begins_on,
    Standing.ends_on,
    Standing.payer_mask,
    Standing.payer_lost_at,
    ConsentUsage.number,
    ConsentUsage.first,
    ConsentUsage.used_minor,
    ConsentUsage.refused_at,
)


def _part(what: str, *given: InstrumentedAttribute[Any] | None) -> Select[*tuple[Any, ...]]:
    """Rows of another kind in the same columns: ``given`` are the first of them."""
    columns: list[ColumnElement[Any]] = [null() if column is None else column for column in given]  # type: ignore[misc]
    return select(literal_column(f"'{what}'").label("what"), *columns, *[null()] * (len(_COLUMNS) - len(columns)))


def _of_customer() -> CompoundSelect[Any]:
    """All that is asked of one customer, in one statement: each of its parts is one look into one index."""
    customer: BindParameter[str] = bindparam("customer")
    since: BindParameter[dt.date] = bindparam("since", type_=ConsentUsage.last.type)
    is_current = and_(ConsentUsage.consent_id == Standing.consent_id, ConsentUsage.last >= since)
    standing = (
        select(literal_column("'standing'").label("what"), *_COLUMNS)
        .join(Consent, Consent.id == Standing.consent_id)
        .outerjoin(ConsentUsage, is_current)
        .where(Standing.customer_id == customer, Standing.ended_at.is_(None))
    )
    first = _part("first", PayFirst.consent_id, PayFirst.bank_id, PayFirst.biller_id)
    removed = _part("removed", None, CustomerBank.bank_id)
    stopped = _part("stopped", Stop.customer_id)
    return union_all(
        standing,
        first.where(PayFirst.customer_id == customer),
        removed.where(CustomerBank.customer_id == customer, CustomerBank.removed_at.is_not(None)),
        stopped.where(Stop.customer_id == customer, Stop.lifted_at.is_(None)),
    )


_OF_CUSTOMER = _of_customer()


def _known(session: Session, *, customer_id: str, now: dt.datetime) -> _Known:
    since = now.date() - _ONE_DAY
    rows = session.connection().execute(_OF_CUSTOMER, {"customer": customer_id, "since": since}).all()
    known = _Known([], {}, {}, set(), any(row[0] == "stopped" for row in rows))
    used: dict[str, dict[tuple[int, dt.date], int]] = {}
    refused: dict[str, set[tuple[int, dt.date]]] = {}
    for row in rows:
        if row.what == "first":
            known.first[row.biller_id] = Preferred(row.consent_id, row.bank_id)
        elif row.what == "removed":
            known.removed.add(row.bank_id)
        elif row.what == "standing":
            if row.consent_id not in used:
                used[row.consent_id], refused[row.consent_id] = {}, set()
                known.allowed[row.consent_id] = _allowed(row)
                known.held.append(_held(row, used[row.consent_id], refused[row.consent_id]))
            if row.number is not None:
                used[row.consent_id][row.number, row.first] = row.used_minor
                if row.refused_at is not None:
                    refused[row.consent_id].add((row.number, row.first))
    return known


def _allowed(row: Any) -> Allowed:
    return Allowed(
        consent_id=row.consent_id,
        biller_id=row.biller_id,
        bank_id=row.bank_id,
        payee_name=row.payee_name,
        payer_mask=row.payer_mask,
        state=StandingState(row.state),
        ends_on=row.ends_on,
    )


def _held(row: Any, used: Mapping[tuple[int, dt.date], int], refused: Collection[tuple[int, dt.date]]) -> Held:
    """``used`` and ``refused`` are filled by the rows that follow."""
    return Held(
        consent_id=row.consent_id,
        biller_id=row.biller_id,
        frame=frame_of(row),
        state=StandingState(row.state),
        days=row.days,
        used=used,
        refused=refused,
        knows_account=row.payer_lost_at is None,
    )
