"""What people do with a payment. The customer goes to the bank, comes back, or stops; an operator tells an end.

And what a bank does with it by itself: it says that there is news.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import select

from app.db.unit_of_work import Recorded, UnitOfWork
from app.errors import Conflict, Invalid, NotFound, TooLate
from app.failpoints import failpoint
from app.journey.payments import rules
from app.journey.payments.access import (
    locked,
    payment_at_bank,
    payment_of_customer,
    payment_of_trip,
    why_unwanted,
)
from app.journey.payments.events import CustomerReturned
from app.journey.payments.looks import follow_from, look_on_hint, may_end_otherwise
from app.journey.payments.models import Payment
from app.journey.payments.reasons import Reason
from app.journey.payments.speaker import takes_back
from app.journey.payments.states import CLOSED, OVER, PAYMENT, PaymentState, PaymentStep, Source
from app.journey.payments.step import correct, keep_promise, may_withhold, raise_fence, step
from app.journey.payments.terms import is_day_begun, is_kept
from app.journey.payments.way import trip_of, way_of
from app.people import stops
from app.people.sessions import SignedIn
from app.services import WEB_DEADLINE_S, Services
from connectors.capabilities import Event
from connectors.contract import Fact, ScaOAuth
from connectors.errors import BankError
from connectors.security.pkce import challenge
from consent import trips
from consent.base import new_secret
from consent.models import Consent, Trip
from consent.vault import VaultError

#: the browser that left sees its payment at least this long, however short the bank's time to approve is
AWAY_LEAST = dt.timedelta(minutes=90)
#: that are renewed in one transaction
PROMISES_MOST = 500
#: characters of a sentence that can be looked up years later
EVIDENCE_LEAST = 10


@dataclass(frozen=True, slots=True)
class Leaving:
    """Where the browser goes, and the secret by which it is known again."""

    url: str
    trip_id: str
    browser: str
    life: dt.timedelta  #: how long this browser may see the payment without signing in

    def __repr__(self) -> str:
        return "Leaving(<secret>)"


def leave_for_bank(services: Services, *, signed_in: SignedIn, payment_id: str) -> Leaving:
    """Give the approval link to this browser: the point of no return where SCA executes. Raises NotFound, TooLate."""
    signed_in.check_acts()
    customer_id = signed_in.customer.id
    with services.unit_of_work() as uow:
        payment, consent, trip = _leavable(uow, payment_id=payment_id, customer_id=customer_id)
        try:
            secrets = trips.secrets_of(uow.session, services.vault, trip)
        except VaultError as error:  # the operator's keys are not all there: what is sealed cannot be opened
            raise Conflict(
                "vault-away",
                "You cannot go to your bank for it just now. Nothing was paid: try again later, or stop it.",
            ) from error
        bank_id, sca, redirect_uri = payment.bank_id, ScaOAuth(**consent.sca), trip.redirect_uri
    try:  # at some banks the request goes there before the browser does
        url = services.banks.connector(bank_id).authorise_url(
            sca,
            redirect_uri=redirect_uri,
            state=secrets.state,
            nonce=secrets.nonce,
            code_challenge=challenge(secrets.verifier),
            timeout_s=WEB_DEADLINE_S,
        )
    except BankError as error:
        raise Conflict("bank-away", "The bank cannot be reached just now. Nothing was paid: try again.") from error
    failpoint("leave.asked")
    with services.unit_of_work() as uow:
        payment, consent, trip = _leavable(uow, payment_id=payment_id, customer_id=customer_id)
        browser = new_secret()
        trips.leave(trip, browser=browser, now=uow.now)
        payment.updated_at = uow.now
        # by the bank's time, not by ours: that may be shorter, and the link is good until the bank's is over
        minutes = services.banks.profile(bank_id).authorisation_minutes
        lapses_at = rules.lapses_at(given_at=consent.created_at, minutes=minutes)
        raise_fence(payment, max(lapses_at, consent.expires_at) + rules.EXPIRY_MARGIN)
        first_look = rules.look_while_told(
            run_at=uow.now + dt.timedelta(seconds=rules.AWAY_FIRST_LOOK_S),
            begun_at=payment.created_at,
            told_until=payment.told_until,
            now=uow.now,
        )
        follow_from(uow, payment, run_at=first_look)
        uow.commit()
        leaving = Leaving(url, trip.id, browser, max(AWAY_LEAST, consent.expires_at - uow.now))
    failpoint("leave.given")
    return leaving


_GIVES_WAY = {
    Reason.PAID_OTHERWISE: ("paid-otherwise", "Another payment has paid this bill."),
    Reason.ANOTHER_UNDER_WAY: ("another-under-way", "Another payment of this bill may be under way after all."),
    Reason.BILL_CORRECTED: ("bill-corrected", "The bill was corrected after this payment had been confirmed."),
    Reason.PAYEE_NOT_CHECKED: ("payee-not-checked", "The payee of this bill was not checked."),
    Reason.STOPPED_ALL: ("stopped-all", "Everything was stopped after you had confirmed this payment."),
    Reason.ACCOUNT_HELD: ("account-held", "Nothing is paid to the account of this bill now: somebody looks at it."),
    Reason.SAME_BILL: ("same-bill", "A payment of a bill that may be the very same was made, or may be."),
    Reason.CONSENT_ENDED: ("consent-ended", "The consent that this payment is under is not to be used any more."),
    Reason.EARLIER_BILL: ("earlier-bill", "A payment of the bill that this one replaces was made, or may be."),
}


def _leavable(uow: UnitOfWork, *, payment_id: str, customer_id: str) -> tuple[Payment, Consent, Trip]:
    """The payment, locked, if its customer may go to the bank for it now. Raises NotFound, TooLate."""
    payment = payment_of_customer(uow.session, payment_id=payment_id, customer_id=customer_id, lock=True)
    if payment.state != PaymentState.AWAITING_CUSTOMER:
        raise TooLate("not-awaiting", "This payment is not waiting for you at the bank.")
    stops.hold_off(uow.session, customer_id)
    consent = uow.session.get_one(Consent, payment.consent_id)
    trip = trip_of(uow.session, payment)
    why = why_unwanted(uow.session, payment)
    if why is not None:
        raise TooLate(*_GIVES_WAY[why.reason])
    if is_day_begun(payment, now=uow.now):
        raise TooLate("not-awaiting", "The day that this payment was for has begun.")
    if trip.returned_at is not None or uow.now >= consent.expires_at:
        raise TooLate("not-awaiting", "You have been to the bank for this payment, or the time for it is over.")
    return payment, consent, trip


@dataclass(frozen=True, slots=True)
class Returned:
    """A redirect that belongs to a payment. ``work`` is None for a repeat, or for another browser."""

    payment_id: str
    same_browser: bool
    work: Recorded | None


def come_back(
    services: Services,
    *,
    bank_id: str,
    state: str,
    browsers: Collection[str],
    answer: Mapping[str, str],
) -> Returned | None:
    """Take the redirect in, by its parameters. None for a state that we never gave: nothing is written then.

    Only the browser that left may bring a code (cross-browser attack); from any other one the redirect is a hint to
    look at the status. The issuer must be the one the state was made for (RFC 9207); when it is not, no code is used.
    """
    with services.unit_of_work() as uow:
        trip = trips.find(uow.session, bank_id=bank_id, state=state)
        if trip is None or trip.left_at is None:
            return None
        payment = locked(uow.session, payment_of_trip(uow.session, trip).id)
        trips.lock(uow.session, trip)
        if not trips.is_same_browser(trip, browsers):
            # whoever finds an old address must not make us ask for ever, nor submit earlier
            if trip.returned_at is None and payment.state not in OVER and not payment.is_to_submit:
                look_on_hint(uow, payment, way_of(uow.session, payment))
                uow.commit()
            return Returned(payment.id, False, None)
        consent = uow.session.get_one(Consent, payment.consent_id)
        carries_code = "code" in answer or "response" in answer
        sca = ScaOAuth(**consent.sca)
        trusted = trips.is_from(sca, answer)
        open_ = payment.state not in OVER and trips.is_open(uow.session, trip)
        usable = answer if carries_code and trusted and open_ else None
        untrusted = "wrong_issuer" if carries_code and not trusted else "nothing"
        outcome = "code" if usable else answer.get("error") or untrusted
        first = trips.come_back(
            uow.session, services.vault, trip, answer=usable, outcome=outcome, now=uow.now, life=AWAY_LEAST
        )
        recorded = None
        if first:
            payment.updated_at = uow.now
            if usable:
                life = rules.answer_life(sca, services.banks.profile(bank_id))
                raise_fence(payment, uow.now + life + rules.EXPIRY_MARGIN)
            recorded = uow.record(CustomerReturned(payment_id=payment.id), head_start=True)
            uow.commit()
        returned = Returned(payment.id, True, recorded)
    failpoint("return.noted")
    return returned


def hear(services: Services, *, bank_id: str, event: Event) -> None:
    """The bank says that something has changed, and never what: it is asked earlier, and only its answer counts.

    What we have asked about since then tells nothing new, so the same event twice, or an old one sent again by somebody
    who kept it, changes nothing: no list of seen ones is needed. What is ours to submit is left alone: its next step
    may be a sending, and that no call from outside brings forward.
    """
    with services.reading() as uow:
        payment_id = payment_at_bank(uow.session, bank_id=bank_id, resource_id=event.resource_id)
        if payment_id is None or not _is_news(uow, uow.session.get_one(Payment, payment_id), event):
            return
    with services.unit_of_work() as uow:
        payment = locked(uow.session, payment_id)
        if _is_news(uow, payment, event):
            look_on_hint(uow, payment, way_of(uow.session, payment))
            uow.commit()


def _is_news(uow: UnitOfWork, payment: Payment, event: Event) -> bool:
    """Whether to look earlier because of it."""
    way = way_of(uow.session, payment)
    is_known = payment.looked_at is not None and payment.looked_at >= event.occurred_at + rules.HINT_PAUSE
    is_over = payment.state in OVER and not may_end_otherwise(payment, way)
    return not (is_known or is_over or payment.is_to_submit or way.given_out_at is None)


def cancel(uow: UnitOfWork, *, signed_in: SignedIn, payment_id: str) -> Payment:
    """Stop a payment that nobody could make happen but us: its link was given to nobody, or it is for us to submit.

    Raises NotFound, TooLate (then the bank decides).
    """
    signed_in.check_acts()
    payment = payment_of_customer(uow.session, payment_id=payment_id, customer_id=signed_in.customer.id, lock=True)
    way = way_of(uow.session, payment)
    state = PaymentState(payment.state)
    ours = way.keeps_link or may_withhold(payment)
    if not ours or not PAYMENT.allows(state, PaymentStep.CUSTOMER_CANCEL):
        raise TooLate(
            "too-late",
            "It is too late to stop this payment here: your bank already has it for you to decide.",
        )
    step(
        uow,
        payment,
        PaymentStep.CUSTOMER_CANCEL,
        source=Source.CUSTOMER,
        evidence="stopped here; " + ("the link was given to nobody" if way.keeps_link else "nothing was submitted"),
        reason=Reason.STOPPED_BY_CUSTOMER,
    )
    return payment


def want_back(services: Services, uow: UnitOfWork, *, signed_in: SignedIn, payment_id: str) -> bool:
    """Have the bank asked to drop a payment that it keeps until a day. Whether it does, it says: until then the payment
    stands. False: that was wanted before, and nobody is asked sooner. Raises NotFound, TooLate, and Conflict where only
    its customer can, there."""
    signed_in.check_acts()
    payment = payment_of_customer(uow.session, payment_id=payment_id, customer_id=signed_in.customer.id, lock=True)
    if not is_kept(payment, now=uow.now):
        raise TooLate("too-late", "It is too late to take this payment back: your bank decides.")
    if not takes_back(services, payment.bank_id):
        raise Conflict("kept-at-bank", "Your bank keeps this payment, and only you can cancel it, at the bank.")
    if payment.take_back_since is not None:
        return False
    payment.take_back_since = payment.updated_at = uow.now
    follow_from(uow, payment, run_at=uow.now)
    return True


def resolve(uow: UnitOfWork, *, payment_id: str, executed: bool, because: str) -> bool:
    """An operator has it from the bank itself how a payment ended, in a way that we cannot ask (K5).

    ``because`` says who said so and where it is written down; it stands in the payment's history for ever. "Not
    executed" is taken only once nothing can move the money any more. Returns False when that is what we said already.
    Raises NotFound, Invalid, and Conflict for what cannot follow.
    """
    if len(because.strip()) < EVIDENCE_LEAST:
        raise Invalid("evidence", "Say who at the bank said so, when, and where it is written down.")
    if uow.session.get(Payment, payment_id) is None:
        raise NotFound("payment")
    payment = locked(uow.session, payment_id)
    evidence = because.strip()
    return _executed(uow, payment, evidence) if executed else _not_executed(uow, payment, evidence)


def _executed(uow: UnitOfWork, payment: Payment, evidence: str) -> bool:
    if payment.state == PaymentState.SETTLED:
        return False
    if not correct(uow, payment, Fact.DEBITED, source=Source.OPERATOR, evidence=evidence):
        raise Conflict(
            "not-so", f"This payment is {payment.state}, so it cannot have been executed. Nothing was changed."
        )
    return True


def _not_executed(uow: UnitOfWork, payment: Payment, evidence: str) -> bool:
    if payment.state in CLOSED:
        return False
    if payment.state in OVER:
        raise Conflict(
            "not-so",
            f"This payment is {payment.state} by a record of the bank. That it was taken back is told by the bank's"
            " status or by a statement. Nothing was changed.",
        )
    if payment.fence_at is None:
        raise Conflict("not-so", "This payment was given to nobody to approve: it ends by itself. Nothing was changed.")
    if may_withhold(payment):
        raise Conflict(
            "not-so", "Nothing of this payment was sent to its bank: it ends by itself. Nothing was changed."
        )
    if uow.now <= payment.fence_at:
        raise Conflict("not-yet", "Until its fence has passed this payment can still be executed at the bank: wait.")
    if payment.state == PaymentState.ACCEPTED:
        return correct(uow, payment, Fact.REJECTED, source=Source.OPERATOR, evidence=evidence)
    return step(
        uow,
        payment,
        PaymentStep.NOT_FOUND,
        source=Source.OPERATOR,
        evidence=evidence,
        reason=Reason.NOT_KNOWN_AT_BANK,
    )


def renew_promises(uow: UnitOfWork) -> None:
    """Promises that passed while nobody looked, because the work fails or nobody does it: said, and made anew."""
    late = uow.session.scalars(
        select(Payment)
        .where(Payment.know_by <= uow.now)
        .order_by(Payment.know_by)
        .limit(PROMISES_MOST)
        .with_for_update(skip_locked=True)  # whoever has it looks just now
    )
    for payment in late:
        keep_promise(payment, now=uow.now)
