"""When a payment that the bank holds is gone on with: one row of work follows one payment."""

from __future__ import annotations

import datetime as dt

from app.db import work
from app.db.unit_of_work import UnitOfWork
from app.journey.payments import rules
from app.journey.payments.models import Payment
from app.journey.payments.states import CLOSED, SETTLED_ONCE, PaymentState
from app.journey.payments.way import Way
from app.services import Task

HANDLER = "payments.follow"


def work_key(payment_id: str) -> str:
    return f"{HANDLER}:{payment_id}"


def follow_from(uow: UnitOfWork, payment: Payment, *, run_at: dt.datetime) -> None:
    """Ask the bank about this payment from ``run_at`` on, or earlier when it was to be earlier.

    The bank's budget and its own wish (Retry-After) are looked at when the time has come.
    """
    work.enqueue(
        uow.session,
        handler=HANDLER,
        key=work_key(payment.id),
        payload={"payment_id": payment.id},
        now=uow.now,
        run_at=run_at,
    )
    work.bring_forward(uow.session, key=work_key(payment.id), run_at=run_at)
    payment.next_look_at = run_at


def look_on_hint(uow: UnitOfWork, payment: Payment, way: Way) -> None:
    """Somebody says that the bank has news of it: look earlier, but not sooner than a while after the last look.

    However often they say so, we ask no more often than that.
    """
    last = payment.looked_at or way.given_out_at or payment.created_at
    follow_from(uow, payment, run_at=max(uow.now, last + rules.HINT_PAUSE))


def look_again(task: Task, uow: UnitOfWork, payment: Payment, *, run_at: dt.datetime) -> None:
    """Go on with it then. Where the bank wants to be left alone for longer than was promised, that is said at once."""
    payment.next_look_at = run_at
    if payment.know_by is not None and run_at > payment.know_by:
        payment.promises_broken += payment.updated_at != uow.now  # what was promised just now was told to nobody
        payment.know_by = rules.promised(run_at + rules.PROMISE, told_until=payment.told_until)
        payment.updated_at = uow.now
    task.run_again(uow, run_at=run_at)


def may_end_otherwise(payment: Payment, way: Way) -> bool:
    """What has ended is looked at again when the bank could think otherwise of it: once settled, or closed and its link
    was given out. A bank, too, is wrong at times."""
    return payment.state in SETTLED_ONCE or (payment.state in CLOSED and way.given_out_at is not None)


def late_look(payment: Payment, way: Way, *, now: dt.datetime) -> dt.datetime | None:
    """When the bank is asked again about what has ended; None when it is past that."""
    if not may_end_otherwise(payment, way):
        return None
    is_settled = payment.state == PaymentState.SETTLED
    ended_at = (payment.settled_at if is_settled else None) or payment.updated_at
    if payment.doubted_since is not None and now < payment.doubted_since + rules.LATE_SILENCE:
        again = rules.look_in_silence(silent_since=payment.doubted_since, now=now)
        return max(again, payment.doubted_since + rules.SECOND_LOOK) if is_settled else again
    if payment.silent_since is not None and now < ended_at + rules.LATE_SILENCE:
        return now + rules.LATE_PAUSE
    looks = [rules.late_look(ended_at=ended_at, now=now)]
    if payment.kept_until is not None and payment.state in CLOSED:
        # soon, since to be asked to drop it is no proof that it has; and on its day, on which it would show
        looks += [max(ended_at + rules.DROP_LOOK, now) if now < ended_at + rules.DROP_LOOK else None]
        looks += [rules.late_look(ended_at=max(payment.kept_until, ended_at), now=now)]
    return min((look for look in looks if look is not None), default=None)
