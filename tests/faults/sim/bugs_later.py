"""Mistakes about payments that are decided for a later day, planted one at a time as those of bugs.py."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy.orm import Session

from app.journey.notices import service as notices
from app.journey.payments import initiate, repeats, terms
from app.journey.payments.models import Payment
from app.journey.payments.terms import Terms
from tests.faults.sim.planting import Change, bug


@bug("what was decided for a later day is sent at once", "C14", "W7")
def later_is_now() -> Sequence[Change]:
    return [(initiate, "sent_from", lambda *_, **__: None)]


@bug("what nobody could send on its day is sent on the next", "C12", "W7")
def late_is_sent_all_the_same() -> Sequence[Change]:
    return [(repeats, "is_day_over", lambda *_: False)]


@bug("a bank is asked to keep it until another day than was signed", "A5", "W8", "C15")
def kept_a_day_longer() -> Sequence[Change]:
    true = terms.terms_of

    def wrong(session: Session, payment: Payment) -> Terms:
        found = true(session, payment)
        return found if found.kept_on is None else Terms(kept_on=found.kept_on + dt.timedelta(days=1))

    return [(initiate, "terms_of", wrong)]


@bug("what was decided for a day that a bank keeps is executed at once", "A5", "C14")
def kept_is_now() -> Sequence[Change]:
    return [(initiate, "kept_until", lambda *_, **__: None)]


@bug("nobody is told the day before that it comes", "M5")
def day_before_forgotten() -> Sequence[Change]:
    return [(notices, "told_from", lambda *_, **__: None)]


@bug("what was cancelled, or was sent, is told to come all the same", "M6")
def told_whatever_became_of_it() -> Sequence[Change]:
    return [(notices, "is_to_come", lambda *_, **__: True)]
