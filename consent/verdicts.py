"""How one bill meets what its customer allowed, and what each bank could do otherwise: verdicts and reasons. Pure.

The sentences are the pages' (app/web/customers/verdicts.py): here is what each has to name, and what can be done next.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from consent.rules import Frame, Order, Reason, Used, Why, breaches, days_at, rank, spans_at
from consent.states import STANDING_OVER, StandingState


class Way(enum.StrEnum):
    """How a bill is paid."""

    STANDING = "standing"  #: under a standing consent that is there
    SINGLE = "single"  #: by an approval at the bank, for this bill alone
    SET_UP = "set_up"  #: by agreeing on a standing consent first


class Next(enum.StrEnum):
    """What the customer can do about a reason."""

    PAY = "pay"
    SINGLE = "single"  #: approve this bill alone, at this bank or at another one
    SET_UP = "set_up"  #: agree on a standing consent anew
    SET_UP_HIGHER = "set_up_higher"  #: … with a higher limit
    RENEW = "renew"  #: approve the same one at the bank again
    GO_ON = "go_on"  #: with the approval that was begun
    WAIT = "wait"  #: until the reason's day
    OTHER_BANK = "other_bank"
    LATER = "later"
    ASK_BANK = "ask_bank"
    LIFT_STOP = "lift_stop"


#: for each reason what can be done, the most useful first
NEXT: Mapping[Why, tuple[Next, ...]] = MappingProxyType(
    {
        Why.STOPPED_ALL: (Next.LIFT_STOP,),
        Why.UNVERIFIED: (Next.SINGLE,),
        Why.NOT_OFFERED: (Next.SINGLE,),
        Why.CURRENCY: (Next.SINGLE,),
        Why.PAYEE_DIFFERS: (Next.SINGLE, Next.SET_UP),
        Why.CURRENCY_NOT_TAKEN: (Next.OTHER_BANK,),
        Why.REMOVED: (Next.OTHER_BANK,),
        Why.PAYEE_UNREACHABLE: (Next.OTHER_BANK,),
        Why.PAYEE_NAME_DIFFERS: (Next.SINGLE, Next.SET_UP),
        Why.ENDED: (Next.SINGLE, Next.SET_UP),
        Why.IN_SESSION_ONLY: (Next.SINGLE, Next.SET_UP),
        Why.STOPPING: (Next.SINGLE,),
        Why.BANK_UNUSABLE: (Next.OTHER_BANK, Next.LATER),
        Why.OVER_EACH: (Next.SINGLE, Next.SET_UP_HIGHER),
        Why.OVER_PERIOD_ALWAYS: (Next.SINGLE, Next.SET_UP_HIGHER),
        Why.OVER_LAST_PERIOD: (Next.SINGLE, Next.SET_UP),
        Why.ACCOUNT_UNKNOWN: (Next.RENEW, Next.OTHER_BANK),
        Why.ACCESS_LOST: (Next.RENEW,),
        Why.WAITING: (Next.GO_ON,),
        Why.BANK_COUNTS_OTHERWISE: (Next.SINGLE, Next.WAIT, Next.ASK_BANK),
        Why.NOT_YET: (Next.WAIT, Next.SINGLE),
        Why.OVER_PERIOD: (Next.SINGLE, Next.WAIT),
        Why.RESETTING: (Next.LATER, Next.SINGLE),
        Why.BANK_AWAY: (Next.OTHER_BANK, Next.LATER, Next.PAY),
        Why.ENDS_BEFORE: (Next.PAY,),
        Why.COVERS: (Next.PAY,),
        Why.SIGN_IN_FIRST: (Next.PAY,),
        Why.REDIRECT: (Next.PAY,),
        Why.IN_APP: (Next.PAY,),
        Why.CAN_SET_UP: (Next.SET_UP,),
    }
)
_NOT_USED_IN = {
    StandingState.PREPARED: Why.WAITING,
    StandingState.AWAITING: Why.WAITING,
    StandingState.STOPPED_AT_BANK: Why.ACCESS_LOST,
    StandingState.REVOKING: Why.STOPPING,
}
#: what is said of a bill that can be paid in this way, now
_ALLOWING = frozenset({Why.BANK_AWAY, Why.ENDS_BEFORE, Why.COVERS, Why.SIGN_IN_FIRST, Why.REDIRECT, Why.IN_APP})
#: what is said when nothing speaks against a way: it names nothing, so that one of each is enough
_OTHERWISE = {why: Reason(why=why) for why in _ALLOWING | {Why.CAN_SET_UP}}
_SETS_UP = frozenset({Next.SET_UP, Next.SET_UP_HIGHER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """An open invoice, as far as its ways of payment go."""

    order: Order  #: the amount is what would leave the account today
    biller_id: str | None  #: None: its customer added it
    due_on: dt.date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bank:
    """A bank, as far as this bill and this customer go."""

    id: str
    currencies: Collection[str]
    journey: Why  #: of a single payment: SIGN_IN_FIRST, REDIRECT or IN_APP
    standing_in: Collection[str] = ()  #: the currencies of its standing consents; empty: it keeps none
    reaches_payee: bool = True  #: whether it can pay to such an account
    is_usable: bool = True  #: whether it is set up here at the moment
    is_away: bool = False  #: its latest calls failed
    is_removed: bool = False  #: by the customer


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A standing consent that is not over, as it stands."""

    consent_id: str
    biller_id: str
    frame: Frame
    state: StandingState
    days: str  #: by whose clock its days are counted (rules.days_at)
    used: Used
    refused: Collection[tuple[int, dt.date]] = ()  #: the periods in which the bank refused what our count allowed
    knows_account: bool  #: whether the bank still knows the account that it pays from
    off_session: bool = True  #: whether a payment may be sent under it while its customer is not there


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    way: Way
    bank_id: str
    consent_id: str | None  #: of a standing consent that is there
    reasons: tuple[Reason, ...]  #: at least one, in the order of Why
    is_offered: bool = True  #: whether another standing consent for the bill could be agreed on at this bank

    @property
    def covers(self) -> bool:
        """Whether the bill can be paid in this way now."""
        return self.way is not Way.SET_UP and self.reasons[0].why in _ALLOWING

    @property
    def next(self) -> tuple[Next, ...]:
        """What to do, the most useful first. The first reason decides: what comes after it is of no use before."""
        following = NEXT[self.reasons[0].why]
        if self.way is Way.SET_UP:  # there is nothing yet by which to pay
            return tuple(Next.SET_UP if each is Next.PAY else each for each in following)
        return tuple(each for each in following if self.is_offered or each not in _SETS_UP)


def under_consent(
    bill: Bill, held: Held, bank: Bank, *, now: dt.datetime, is_stopped: bool, is_later: bool = False
) -> Verdict:
    """Whether a standing consent covers a bill that is paid ``now``. ``is_stopped``: the customer stopped everything;
    ``is_later``: they sign it before, and are not there then.

    Exact to the second. What is claimed when the bill is paid looks a moment around, and may be refused in the first
    and the last minute and a half of a day (rules.days_at, ``margin``). Raises ValueError for a consent that is over.
    """
    reasons = [
        *_of_bank(bill, bank, is_stopped=is_stopped),
        *_of_state(held),
        *_of_frame(bill, held, now),
    ]
    if is_later and not held.off_session:
        reasons.append(Reason(why=Why.IN_SESSION_ONLY))
    if bill.due_on is not None and held.frame.ends_on is not None and held.frame.ends_on < bill.due_on:
        reasons.append(Reason(why=Why.ENDS_BEFORE, day=held.frame.ends_on))
    is_offered = next(_of_offer(bill, bank), None) is None
    return _verdict(
        Way.STANDING, bank, reasons, otherwise=Why.COVERS, consent_id=held.consent_id, is_offered=is_offered
    )


def by_single(bill: Bill, bank: Bank, *, is_stopped: bool) -> Verdict:
    """Whether a bank can be asked for this bill alone, and which journey that is."""
    reasons = list(_of_bank(bill, bank, is_stopped=is_stopped))
    return _verdict(Way.SINGLE, bank, reasons, otherwise=bank.journey)


def by_set_up(bill: Bill, bank: Bank, *, is_stopped: bool) -> Verdict:
    """Whether a standing consent for bills like this one could be agreed on at a bank."""
    reasons = [*_of_bank(bill, bank, is_stopped=is_stopped), *_of_offer(bill, bank)]
    return _verdict(Way.SET_UP, bank, reasons, otherwise=Why.CAN_SET_UP)


def _verdict(
    way: Way,
    bank: Bank,
    found: list[Reason],
    *,
    otherwise: Why,
    consent_id: str | None = None,
    is_offered: bool = True,
) -> Verdict:
    """``otherwise``: what is said when nothing speaks against it."""
    against = [reason for reason in found if reason.why not in _ALLOWING]
    reasons = against or [*found, _OTHERWISE[otherwise]]
    if len(reasons) > 1:
        reasons.sort(key=rank)
    return Verdict(way=way, bank_id=bank.id, consent_id=consent_id, reasons=tuple(reasons), is_offered=is_offered)


def _of_bank(bill: Bill, bank: Bank, *, is_stopped: bool) -> Iterator[Reason]:
    if is_stopped:
        yield Reason(why=Why.STOPPED_ALL)
    currency = bill.order.amount.currency
    if currency not in bank.currencies:
        yield Reason(why=Why.CURRENCY_NOT_TAKEN, name=currency)
    if bank.is_removed:
        yield Reason(why=Why.REMOVED)
    if not bank.reaches_payee:
        yield Reason(why=Why.PAYEE_UNREACHABLE)
    if not bank.is_usable:
        yield Reason(why=Why.BANK_UNUSABLE)
    if bank.is_away:
        yield Reason(why=Why.BANK_AWAY)


def _of_offer(bill: Bill, bank: Bank) -> Iterator[Reason]:
    if bill.biller_id is None:
        yield Reason(why=Why.UNVERIFIED)
    if bill.order.amount.currency not in bank.standing_in:
        yield Reason(why=Why.NOT_OFFERED)


def _of_state(held: Held) -> Iterator[Reason]:
    if held.state in STANDING_OVER:
        raise ValueError(f"{held.consent_id} is over: {held.state}")
    if held.state in _NOT_USED_IN:
        yield Reason(why=_NOT_USED_IN[held.state])
    if not held.knows_account:
        yield Reason(why=Why.ACCOUNT_UNKNOWN)


def _of_frame(bill: Bill, held: Held, now: dt.datetime) -> Iterator[Reason]:
    days = days_at(now, days=held.days)
    against = breaches(held.frame, bill.order, days=days, used=held.used)
    yield from against
    if bill.biller_id is None:
        yield Reason(why=Why.UNVERIFIED)
    elif bill.biller_id != held.biller_id and all(reason.why is not Why.PAYEE_DIFFERS for reason in against):
        # two companies may share one account: the consent is for one of them
        yield Reason(why=Why.PAYEE_DIFFERS, name=held.frame.payee_name)
    if held.refused and min(days) >= held.frame.begins_on:
        for span in spans_at(held.frame, days):
            if span.key in held.refused:
                period = held.frame.limits[span.number].period
                is_resetting = span.resets_on <= max(days)
                yield (
                    Reason(why=Why.RESETTING, period=period)
                    if is_resetting
                    else Reason(why=Why.BANK_COUNTS_OTHERWISE, day=span.resets_on, period=period)
                )
