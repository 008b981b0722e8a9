"""Whether a standing consent covers a bill that is to be paid under it: asked before anything is signed, and once more,
with the consent locked, in the transaction that decides. What it does not allow the bank is never asked for."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict, NotFound
from app.journey.consents import claims
from app.journey.consents.claims import LimitReached
from app.journey.invoices.access import payee_of
from app.journey.invoices.models import Invoice
from app.people import stops
from connectors.money import Money
from connectors.profile import BankProfile
from consent.models import Consent, Standing
from consent.rules import Limit, Order, Reason, Why, days_at, first_breach, spans_at
from consent.states import StandingState
from consent.verdicts import Bank, Bill, Held, under_consent


class NotCovered(Conflict):
    """The standing consent does not allow this payment now: nothing was decided."""

    def __init__(self, reason: Reason) -> None:
        super().__init__("not-covered", "Your standing consent does not allow this payment now. Nothing was paid.")
        self.reason = reason


def consent_of(session: Session, *, consent_id: object, customer_id: str) -> Consent:
    """This customer's standing consent. Raises NotFound alike for none and for somebody else's."""
    consent = session.get(Consent, consent_id) if isinstance(consent_id, str) else None
    if consent is None or consent.kind != "standing" or consent.customer_id != customer_id:
        raise NotFound("consent")
    return consent


def lock(session: Session, *, consent_id: object, customer_id: str) -> None:
    """Nobody ends it before this transaction is over; others may decide under it at the same time. Raises NotFound."""
    consent = consent_of(session, consent_id=consent_id, customer_id=customer_id)
    session.refresh(consent, with_for_update={"read": True})


def must_cover(
    uow: UnitOfWork,
    *,
    invoice: Invoice,
    amount: Money,
    bank: BankProfile,
    consent_id: object,
    at: dt.datetime,
    besides_minor: int = 0,
) -> Standing:
    """The standing consent, if the customer may pay the amount of this invoice under it ``at`` that moment, and besides
    ``besides_minor`` for other bills. Raises NotFound, and NotCovered with what speaks against it."""
    consent = consent_of(uow.session, consent_id=consent_id, customer_id=invoice.customer_id)
    if consent.bank_id != bank.id:
        raise NotFound("consent")
    standing = uow.session.get_one(Standing, consent.id)
    reason = _what_speaks_against(
        uow, standing, consent, invoice=invoice, amount=amount, bank=bank, at=at, besides_minor=besides_minor
    )
    if reason is not None:
        raise NotCovered(reason)
    return standing


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitLeft:
    """What one period still allows."""

    limit: Limit
    left: Money
    whole: Money  #: of its first period, perhaps less than the limit
    resets_on: dt.date


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentShown:
    """A standing consent, for the page on which a payment under it is signed."""

    id: str
    bank_id: str
    payee_name: str
    payer_mask: str | None
    each: Money
    limits: tuple[LimitLeft, ...]  #: of the day of the payment; none before its first day
    ends_on: dt.date | None
    reason: Reason | None  #: why it does not allow this payment; None: it does


def shown_consent(
    uow: UnitOfWork, *, invoice: Invoice, amount: Money, bank: BankProfile, consent_id: object, at: dt.datetime
) -> ConsentShown:
    """The consent, and what is left of it for a payment ``at`` that moment. Raises NotFound."""
    reason = None
    try:
        must_cover(uow, invoice=invoice, amount=amount, bank=bank, consent_id=consent_id, at=at)
    except NotCovered as refused:
        reason = refused.reason
    consent = consent_of(uow.session, consent_id=consent_id, customer_id=invoice.customer_id)
    standing = uow.session.get_one(Standing, consent.id)
    return ConsentShown(
        id=consent.id,
        bank_id=consent.bank_id,
        payee_name=standing.payee_name,
        payer_mask=standing.payer_mask,
        each=Money(standing.each_minor, standing.currency),
        limits=_limits_left(uow, standing, at=at),
        ends_on=standing.ends_on,
        reason=reason,
    )


def shown_after(consent: ConsentShown, *, minor: int) -> ConsentShown:
    """What is left of it once so many minor units are paid under it."""
    taken = Money(minor, consent.each.currency)
    limits = tuple(replace(each, left=each.left - taken) for each in consent.limits)
    return replace(consent, limits=limits)


def _limits_left(uow: UnitOfWork, standing: Standing, *, at: dt.datetime) -> tuple[LimitLeft, ...]:
    """Near midnight, by each day that it may be at the bank, the least."""
    days = days_at(at, days=standing.days)
    if min(days) < standing.begins_on:
        return ()
    used = claims.used(uow.session, consent_id=standing.consent_id, days=days)
    found: dict[int, LimitLeft] = {}
    for span in spans_at(standing.frame, days):
        left = LimitLeft(
            limit=standing.frame.limits[span.number],
            left=Money(max(0, span.limit_minor - used.get(span.key, 0)), standing.currency),
            whole=Money(span.limit_minor, standing.currency),
            resets_on=span.resets_on,
        )
        if span.number not in found or left.left.minor < found[span.number].left.minor:
            found[span.number] = left
    return tuple(found.values())


def take(uow: UnitOfWork, *, consent_id: str, payment_id: str, minor: int, at: dt.datetime) -> None:
    """Claim what a decided payment takes of the limits when it is sent, ``at``: the last thing in its transaction.
    Raises NotCovered where another payment was quicker; then nothing may be committed."""
    standing = uow.session.get_one(Standing, consent_id)
    days = claims.days_of_sending(standing, now=at)
    try:
        claims.take(uow.session, standing, payment_id=payment_id, minor=minor, days=days, now=uow.now)
    except LimitReached as reached:
        raise NotCovered(reached.reason) from reached


def _what_speaks_against(
    uow: UnitOfWork,
    standing: Standing,
    consent: Consent,
    *,
    invoice: Invoice,
    amount: Money,
    bank: BankProfile,
    at: dt.datetime,
    besides_minor: int,
) -> Reason | None:
    if standing.ended_at is not None:
        return Reason(why=Why.ENDED, day=standing.ended_at.date())
    payee_name, payee_iban = payee_of(invoice)
    order = Order(payee_name=payee_name, payee_iban=payee_iban, amount=amount)
    days = claims.days_of_sending(standing, now=at)
    used = dict(claims.used(uow.session, consent_id=consent.id, days=days))
    for span in spans_at(standing.frame, days) if besides_minor else ():
        used[span.key] = used.get(span.key, 0) + besides_minor
    verdict = under_consent(
        Bill(order=order, biller_id=invoice.biller_id, due_on=invoice.due_on),
        Held(
            consent_id=consent.id,
            biller_id=standing.biller_id,
            frame=standing.frame,
            state=StandingState(consent.state),
            days=standing.days,
            used=used,
            refused=claims.refused(uow.session, consent_id=consent.id, days=days),
            knows_account=standing.payer_lost_at is None,
            off_session=standing.off_session,
        ),
        Bank(id=bank.id, currencies=bank.currencies, journey=Why.REDIRECT),
        now=at,
        is_stopped=stops.is_stopped(uow.session, consent.customer_id),
        is_later=at > uow.now,
    )
    if not verdict.covers:
        return verdict.reasons[0]
    return first_breach(standing.frame, order, days=days, used=used)  # by each of the days on which it may arrive
