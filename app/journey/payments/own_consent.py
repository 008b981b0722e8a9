"""Whether a payment's consent is its own. This is the one place that asks of which kind it is.

What was given for a single payment goes through what that does, its token is that payment's, and by its status the bank
tells whether it was submitted. A standing one covers others as well: no payment moves it or ends its token, and it
stays authorised whatever is paid under it, so that it tells nothing of any of them.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from app.journey.payments.models import Payment
from connectors.capabilities import RecurringConsent
from connectors.contract import ConsentStatus
from consent import tokens
from consent.agreed import agreed
from consent.models import Consent, Standing

#: what a consent says under which nothing was submitted, and nothing can be any more once its token is dead
UNUSED = (ConsentStatus.AUTHORISED, ConsentStatus.REJECTED, ConsentStatus.CANCELLED)


def own_consent(session: Session, payment: Payment) -> Consent | None:
    """The consent that is this payment's alone. None: the bank has given none yet, or it is a standing one."""
    consent = None if payment.consent_id is None else session.get_one(Consent, payment.consent_id)
    return consent if consent is not None and consent.kind == "single" else None


def is_own() -> ColumnElement[bool]:
    """The same, of the consents of a query."""
    return Consent.kind == "single"


def forget_token(session: Session, payment: Payment) -> None:
    """What the payment's own consent was given for will not be done, or nobody asks about it any more."""
    own = own_consent(session, payment)
    if own is not None:
        tokens.forget(session, own.id)


def is_unused(session: Session, payment: Payment, said: ConsentStatus | None) -> bool:
    """Whether the bank's word of the consent proves that nothing was submitted of the payment."""
    return said in UNUSED and own_consent(session, payment) is not None


def is_used(session: Session, payment: Payment, said: ConsentStatus | None) -> bool:
    """Whether it proves that the bank has the payment."""
    return said is ConsentStatus.CONSUMED and own_consent(session, payment) is not None


def standing_of(session: Session, payment: Payment) -> Standing | None:
    """The standing consent under which it is paid. None: it is paid under none."""
    if payment.consent_id is None or own_consent(session, payment) is not None:
        return None
    return session.get_one(Standing, payment.consent_id)


def agreed_of(session: Session, payment: Payment) -> RecurringConsent | None:
    """What that allows, as its bank was told."""
    standing = standing_of(session, payment)
    return None if standing is None else agreed(standing)
