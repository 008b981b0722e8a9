"""What is the same of a message whichever way it goes: whether it is tried now, and how it ends."""

from __future__ import annotations

from typing import TypeVar

from app.db.unit_of_work import UnitOfWork
from app.journey.notices.models import Notice, PushMessage
from app.journey.notices.service import UNENDED_MOST, is_quiet, is_too_soon
from app.journey.notices.states import NOTICE, NoticeState, NoticeStep
from app.people.customers import lock_customer
from app.services import Task

M = TypeVar("M", Notice, PushMessage)


def to_try_now(task: Task, uow: UnitOfWork, message: M | None) -> M | None:
    """The message, if it is to be tried now; else its work is done, or comes again: another one was sent a moment ago,
    or its customer wants none at this hour. One that is not there went with its customer, or with its device."""
    if message is None:
        task.finish(uow)
        return None
    lock_customer(uow.session, message.customer_id)  # from the first try on, nothing more is gathered for it
    if message.state != NoticeState.WAITING:
        task.finish(uow)
        return None
    until = is_too_soon(uow.session, message, now=uow.now) or is_quiet(uow.session, message, now=uow.now)
    if until is None:
        return message
    if message.begun_at is not None and until > message.begun_at + UNENDED_MOST:
        end(task, uow, message, NoticeStep.GIVE_UP)
    else:
        task.run_again(uow, run_at=until)
    return None


def end(task: Task, uow: UnitOfWork, message: Notice | PushMessage, step: NoticeStep) -> None:
    message.state = NOTICE.next(NoticeState(message.state), step)
    message.ended_at = uow.now
    task.finish(uow)
