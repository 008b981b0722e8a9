"""What verdicts say to a person: for each reason one sentence with its figures, for each next step its words and where
it leads. Texts are lazy, so that they are in the language of the page that shows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flask import url_for
from flask_babel import LazyString, gettext, lazy_gettext

from app.db.unit_of_work import UnitOfWork
from app.journey.banks.rules import Trouble
from app.journey.decisions.read import bank_used_last
from app.journey.invoices.read import InvoiceView
from app.journey.matching.read import Allowed, Banks, Matched, Ways, bill_of, match
from app.journey.matching.rules import is_of_another
from app.web.context import services
from app.web.customers.bank_view import BankView, view_of_bank
from app.web.customers.filters import currency_name, long_day, money
from app.web.customers.pages import bank_name
from connectors.capabilities import Period
from connectors.money import Money
from consent.rules import Reason, Why
from consent.states import StandingState
from consent.verdicts import Next, Verdict, Way

#: they stand within a sentence
LIMITS: Mapping[Period, LazyString] = {
    Period.DAY: lazy_gettext("the limit for a day"),
    Period.WEEK: lazy_gettext("the limit for a week"),
    Period.FORTNIGHT: lazy_gettext("the limit for two weeks"),
    Period.MONTH: lazy_gettext("the limit for a month"),
    Period.HALF_YEAR: lazy_gettext("the limit for half a year"),
    Period.YEAR: lazy_gettext("the limit for a year"),
}
SENTENCES: Mapping[Why, LazyString] = {
    Why.STOPPED_ALL: lazy_gettext("Everything is stopped: nothing is paid until you lift the stop."),
    Why.CURRENCY_NOT_TAKEN: lazy_gettext("We cannot send this bank payments in this currency (%(name)s)."),
    Why.REMOVED: lazy_gettext("You have removed this bank."),
    Why.PAYEE_UNREACHABLE: lazy_gettext("This bank cannot pay to an account like that of this bill."),
    Why.UNVERIFIED: lazy_gettext(
        "You added this bill yourself. Only bills of verified companies are paid in this way."
    ),
    Why.NOT_OFFERED: lazy_gettext("At this bank nothing can be allowed in advance for bills in this currency."),
    Why.CURRENCY: lazy_gettext("What you allowed there is in another currency (%(name)s)."),
    Why.PAYEE_DIFFERS: lazy_gettext("What you allowed there is for another payee: %(name)s."),
    Why.PAYEE_NAME_DIFFERS: lazy_gettext("The account is in another name now. You allowed payments to %(name)s."),
    Why.ENDED: lazy_gettext("What you allowed there ended on %(day)s."),
    Why.IN_SESSION_ONLY: lazy_gettext(
        "What you allowed there is for payments while you are here, and not for a later day. For that, set up another"
        " one."
    ),
    Why.STOPPING: lazy_gettext("You have taken this back. Your bank has not confirmed that yet."),
    Why.BANK_UNUSABLE: lazy_gettext("Out of order at Quittance for now. It is our fault, and not your bank’s."),
    Why.OVER_EACH: lazy_gettext("%(over)s over the limit per payment, %(amount)s."),
    Why.OVER_PERIOD_ALWAYS: lazy_gettext("%(over)s more than %(limit)s ever allows: %(amount)s."),
    Why.OVER_LAST_PERIOD: lazy_gettext("%(over)s too much: %(amount)s is left of %(limit)s, and it ends on %(day)s."),
    Why.ACCOUNT_UNKNOWN: lazy_gettext("Your bank no longer knows the account that it was to be paid from."),
    Why.ACCESS_LOST: lazy_gettext("Your bank lets nothing be paid under it at the moment."),
    Why.WAITING: lazy_gettext("You have not approved this at your bank yet."),
    Why.BANK_COUNTS_OTHERWISE: lazy_gettext(
        "Your bank refused a payment that fits what you agreed with it: it counts otherwise. There %(limit)s resets"
        " on %(day)s."
    ),
    Why.NOT_YET: lazy_gettext("It begins on %(day)s, by your bank’s clock."),
    Why.OVER_PERIOD: lazy_gettext("%(over)s too much: %(amount)s is left of %(limit)s, which resets on %(day)s."),
    Why.RESETTING: lazy_gettext("Just about now, by your bank’s clock, %(limit)s begins anew."),
    Why.BANK_AWAY: lazy_gettext("This bank did not answer when we last called it. It may be back by now."),
    Why.ENDS_BEFORE: lazy_gettext("It ends on %(day)s, before this bill is due: pay by then."),
    Why.COVERS: lazy_gettext("Covers this bill: one signature, and no visit to the bank."),
    Why.SIGN_IN_FIRST: lazy_gettext("You sign in at the bank first, and then approve this one payment there."),
    Why.REDIRECT: lazy_gettext("You approve this one payment on the bank’s own pages."),
    Why.IN_APP: lazy_gettext("You approve this one payment in the bank’s app."),
    Why.CAN_SET_UP: lazy_gettext("You can allow payments to this company there, within limits that you choose."),
}
#: of several bills, where one would be covered by itself
_AFTER_OTHERS: Mapping[Why, LazyString] = {
    Why.OVER_LAST_PERIOD: lazy_gettext(
        "After the bills before it only %(amount)s is left of %(limit)s, and it ends on %(day)s (%(over)s too little)."
    ),
    Why.OVER_PERIOD: lazy_gettext(
        "After the bills before it only %(amount)s is left of %(limit)s, which resets on %(day)s (%(over)s too little)."
    ),
}
STEPS: Mapping[Next, LazyString] = {
    Next.PAY: lazy_gettext("Pay this way"),
    Next.SINGLE: lazy_gettext("Approve this bill alone, at a bank"),
    Next.SET_UP: lazy_gettext("Set up a consent"),
    Next.SET_UP_HIGHER: lazy_gettext("Set up another consent, with a higher limit"),
    Next.RENEW: lazy_gettext("Approve it at your bank again"),
    Next.GO_ON: lazy_gettext("Go on with the approval"),
    Next.WAIT: lazy_gettext("Wait until that day"),
    Next.OTHER_BANK: lazy_gettext("Choose another bank"),
    Next.LATER: lazy_gettext("Try again later"),
    Next.ASK_BANK: lazy_gettext("Ask your bank"),
    Next.LIFT_STOP: lazy_gettext("Lift the stop"),
}
#: of a standing consent that starts no payments now
_STATES: Mapping[StandingState, LazyString] = {
    StandingState.PREPARED: lazy_gettext("Consent for %(payee)s, not approved at the bank yet"),
    StandingState.AWAITING: lazy_gettext("Consent for %(payee)s, not approved at the bank yet"),
    StandingState.STOPPED_AT_BANK: lazy_gettext("Consent for %(payee)s, which cannot be used at the moment"),
    StandingState.REVOKING: lazy_gettext("Consent for %(payee)s, stopped here; the bank has still to confirm it"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    code: Next
    words: str
    href: str | None  #: None: there is no page for it


@dataclass(frozen=True, slots=True, kw_only=True)
class WayView:
    """One way of one bill."""

    way: Way
    bank: BankView | None  #: None: its file is gone
    bank_id: str
    bank_name: str
    consent_id: str | None
    payee_name: str | None  #: of a standing consent: for whom it is
    payer_mask: str | None  #: and from which account, as far as that is shown
    covers: bool
    is_preferred: bool
    reasons: tuple[Reason, ...]
    sentences: tuple[str, ...]  #: of each reason, the most important first
    steps: tuple[StepView, ...]  #: what can be done, the most useful first

    @property
    def is_open(self) -> bool:
        """Whether the first thing to do is to pay, or to agree, in this way."""
        return self.bank is not None and self.steps[0].code in (Next.PAY, Next.SET_UP)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedView:
    """A standing consent in the list beside the inbox."""

    consent_id: str
    bank_name: str
    payer_mask: str | None
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaysView:
    """All of one bill: the standing consents for its company, those for others, and the banks that were asked about."""

    is_stopped: bool  #: the customer has stopped everything

    standing: tuple[WayView, ...]
    of_others: tuple[WayView, ...]
    single: tuple[WayView, ...]
    set_up: tuple[WayView, ...]

    @property
    def covering(self) -> WayView | None:
        return next((way for way in self.standing if way.covers), None)


def sentence(reason: Reason, *, after_others: bool = False) -> str:
    """What a reason says, in the language of the page. ``after_others``: once the bills before it are paid."""
    words = _AFTER_OTHERS.get(reason.why) if after_others else None
    return str(words or SENTENCES[reason.why]) % {
        "amount": money(reason.amount) if reason.amount is not None else "",
        "over": money(reason.over) if reason.over is not None else "",
        "day": long_day(reason.day) if reason.day is not None else "",
        "name": _name(reason),
        "limit": LIMITS[reason.period] if reason.period is not None else "",
    }


def allowed_views(matched: Matched) -> list[AllowedView]:
    """All standing consents of the customer that are not over, by bank."""
    found = [
        AllowedView(
            consent_id=one.consent_id,
            bank_name=bank_name(one.bank_id),
            payer_mask=one.payer_mask,
            words=_stands(one),
        )
        for one in matched.allowed.values()
    ]
    return sorted(found, key=lambda one: (one.bank_name.casefold(), one.words, one.consent_id))


def _stands(one: Allowed) -> str:
    """In one line for whom it is, and how it stands."""
    if one.state is StandingState.AUTHORISED:
        if one.ends_on is None:
            return str(gettext("Consent for %(payee)s, until you stop it", payee=one.payee_name))
        return str(gettext("Consent for %(payee)s, until %(day)s", payee=one.payee_name, day=long_day(one.ends_on)))
    return str(_STATES[one.state]) % {"payee": one.payee_name}


def ways_of_bill(
    uow: UnitOfWork, bill: InvoiceView, *, customer_id: str, troubled: Mapping[str, Trouble], ask: Iterable[str] = ()
) -> WaysView | None:
    """How a bill could be paid, with ``ask`` as ids of banks to judge. None: it is not to be paid."""
    asked = bill_of(bill)
    if asked is None:
        return None
    used_last = bank_used_last(uow.session, customer_id=customer_id, currency=bill.payable.currency)
    matched = match(
        uow.session,
        customer_id=customer_id,
        bills={bill.id: asked},
        banks=Banks.now(services().banks, troubled=troubled, used_last=used_last),
        ask=ask,
        now=uow.now,
    )
    return ways_view(matched, bill.id, biller_id=bill.biller_id, troubled=troubled)


def ways_view(matched: Matched, invoice_id: str, *, biller_id: str | None, troubled: Mapping[str, Trouble]) -> WaysView:
    """Of one of the bills that were matched."""
    ways, allowed = matched.ways[invoice_id], matched.allowed
    biller_of = {consent_id: one.biller_id for consent_id, one in allowed.items()}

    def views(verdicts: Iterable[Verdict]) -> tuple[WayView, ...]:
        return tuple(
            _way(verdict, ways, invoice_id=invoice_id, biller_id=biller_id, allowed=allowed, troubled=troubled)
            for verdict in verdicts
        )

    of_others = [one for one in ways.standing if is_of_another(one, biller_id=biller_id, biller_of=biller_of)]
    return WaysView(
        is_stopped=matched.is_stopped,
        standing=views(one for one in ways.standing if one not in of_others),
        of_others=views(of_others),
        single=views(ways.single),
        set_up=views(ways.set_up),
    )


def _way(
    verdict: Verdict,
    ways: Ways,
    *,
    invoice_id: str,
    biller_id: str | None,
    allowed: Mapping[str, Allowed],
    troubled: Mapping[str, Trouble],
) -> WayView:
    held = allowed[verdict.consent_id] if verdict.consent_id else None
    return WayView(
        way=verdict.way,
        bank=view_of_bank(verdict.bank_id, troubled),
        bank_id=verdict.bank_id,
        bank_name=bank_name(verdict.bank_id),
        consent_id=verdict.consent_id,
        payee_name=held.payee_name if held else None,
        payer_mask=held.payer_mask if held else None,
        covers=verdict.covers,
        is_preferred=ways.preferred is not None and ways.preferred.is_(verdict),
        reasons=verdict.reasons,
        sentences=tuple(sentence(reason) for reason in verdict.reasons),
        steps=tuple(
            StepView(code=step, words=str(STEPS[step]), href=_href(step, verdict, invoice_id, biller_id))
            for step in verdict.next
        ),
    )


def _href(step: Next, verdict: Verdict, invoice_id: str, biller_id: str | None) -> str | None:
    """Where a step is made."""
    banks = url_for("customers.choose_bank", inv=invoice_id, _anchor="banks-title")
    found: dict[Next, str | None] = {
        Next.PAY: pay_href(verdict, invoice_id),
        Next.SINGLE: banks,
        Next.OTHER_BANK: banks,
        Next.SET_UP: _set_up_href(verdict.bank_id, biller_id),
        Next.SET_UP_HIGHER: _set_up_href(verdict.bank_id, biller_id),
        Next.RENEW: url_for("customers.renew_consent", con=verdict.consent_id) if verdict.consent_id else None,
        Next.GO_ON: url_for("customers.consent", con=verdict.consent_id) if verdict.consent_id else None,
        Next.LIFT_STOP: "/stop",
    }
    return found.get(step)


def pay_href(verdict: Verdict, invoice_id: str) -> str:
    """The page on which the bill is checked and signed, in this way."""
    if verdict.way is Way.STANDING:
        return url_for("customers.confirm", inv=invoice_id, consent=verdict.consent_id)
    return url_for("customers.confirm", inv=invoice_id, bank=verdict.bank_id)


def _set_up_href(bank_id: str, biller_id: str | None) -> str | None:
    return url_for("customers.set_up", biller=biller_id, bank=bank_id) if biller_id else None


def _name(reason: Reason) -> str:
    """Of a payee as it is; of a currency what people call it."""
    name = reason.name or ""
    return currency_name(Money(0, name)) if reason.why in (Why.CURRENCY, Why.CURRENCY_NOT_TAKEN) else name
