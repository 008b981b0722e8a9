"""What our own calls tell about banks: which ones do not answer at the moment. Nothing is asked and nothing written."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.journey.banks.rules import Trouble, trouble
from app.journey.payments.models import BankAttempt, BankCall, Payment

#: the latest calls, of all banks together: their ids are in the order of time, so this reads the end of one index
CALLS_MOST = 500


def troubled_banks(session: Session, *, now: dt.datetime) -> dict[str, Trouble]:
    """The banks of which all recent calls about payments failed, by id. A bank that nobody called is not among them."""
    latest = select(BankCall.id, BankCall.payment_id).order_by(BankCall.id.desc()).limit(CALLS_MOST).subquery()
    rows = session.execute(
        select(Payment.bank_id, BankAttempt.answered_at, BankAttempt.outcome)
        .join(latest, latest.c.id == BankAttempt.call_id)
        .join(Payment, Payment.id == latest.c.payment_id)
        .order_by(BankAttempt.answered_at.desc(), BankAttempt.call_id.desc(), BankAttempt.number.desc())
    )
    calls: dict[str, list[tuple[dt.datetime, str]]] = defaultdict(list)
    for bank_id, ended_at, outcome in rows:
        if ended_at is not None and outcome is not None:  # else it is under way
            calls[bank_id].append((ended_at, outcome))
    found = {bank_id: trouble(of_bank, now=now) for bank_id, of_bank in calls.items()}
    return {bank_id: verdict for bank_id, verdict in found.items() if verdict is not None}
