"""What a customer is told before and while their space is erased."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.journey.erasure.service import erasure_of, is_anything_to_prove, is_anything_under_way
from app.journey.invoices.models import Invoice
from app.journey.invoices.states import InvoiceState
from app.journey.payments.models import Payment
from app.journey.payments.states import OVER
from app.journey.refunds.models import Refund
from app.journey.refunds.states import REFUND


@dataclass(frozen=True, slots=True)
class ErasureView:
    """``waits_for`` is said of one that was asked."""

    asked_at: dt.datetime | None  #: None: nothing was asked
    not_before: dt.datetime | None  #: when it begins, if it is not taken back
    is_waiting_for_bank: bool
    has_paid: bool  #: something must be kept
    unpaid: int  #: bills that are to be paid still: to erase the space pays none
    refunds: int  #: of which the money has not arrived
    on_the_way: int  #: payments whose end is not known


def erasure_view(session: Session, *, customer_id: str, now: dt.datetime) -> ErasureView:
    erasure = erasure_of(session, customer_id)
    return ErasureView(
        asked_at=erasure.asked_at if erasure else None,
        not_before=erasure.not_before if erasure else None,
        is_waiting_for_bank=erasure is not None and is_anything_under_way(session, erasure, now=now),
        has_paid=is_anything_to_prove(session, customer_id),
        unpaid=_count(session, Invoice.id, Invoice.customer_id == customer_id, Invoice.state == InvoiceState.TO_PAY),
        refunds=_count(session, Refund.id, Refund.customer_id == customer_id, Refund.state.not_in(REFUND.final())),
        on_the_way=_count(session, Payment.id, Payment.customer_id == customer_id, Payment.state.not_in(OVER)),
    )


def _count(session: Session, what: object, *conditions: object) -> int:
    return session.scalar(select(func.count(what)).where(*conditions)) or 0  # type: ignore[arg-type]
