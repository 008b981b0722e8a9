"""Sending one message to one device, by the push service that its browser named (RFC 8030): at least once.

Whoever dies between the push service's 201 and our writing it down sends it again: with the same id, by which the
device shows it in the place of the first and not beside it. What its push service knows no more is no device any more;
nor is one for which nothing was taken, message after message.
"""

from __future__ import annotations

import datetime as dt
import json

from sqlalchemy import func, select

from app import strangers
from app.db.unit_of_work import UnitOfWork
from app.failpoints import failpoint
from app.journey.notices.compose import Shown, compose_for_device, text_of
from app.journey.notices.kinds import ALWAYS, GATHER, NoticeKind
from app.journey.notices.models import PushMessage
from app.journey.notices.service import is_still_so, is_wanted, lives_for
from app.journey.notices.states import NoticeState, NoticeStep
from app.journey.notices.trying import end, to_try_now
from app.people.devices import remove
from app.people.models import PushDevice
from app.services import Services, Task
from connectors.web_push import Subscription, Urgency, seal

#: between tries; with the last one a day is over
PAUSES_S = (30, 120, 600, 1800, 3600, 2 * 3600, 4 * 3600, 6 * 3600, 10 * 3600)
#: so many messages given up one after the other, over that time at least, and a device is none any more: whoever named
#: a place that never answers would have us wait for it for ever. For a day it may be we who reach nobody
GIVEN_UP_MOST, GIVEN_UP_FOR = 5, dt.timedelta(days=3)
#: of a push service: there is no such device, or no more (RFC 8030 §7.3)
GONE = (404, 410)


def push(task: Task) -> None:
    """Hand it to the push service once; try again later while that is of use."""
    services = task.services
    with services.unit_of_work() as uow:
        task.hold(uow)
        message = to_try_now(task, uow, uow.session.get(PushMessage, task.payload["message_id"]))
        if message is None:
            uow.commit()
            return
        shown = _shown(uow, message)
        if shown is None:
            end(task, uow, message, NoticeStep.LEAVE)
            uow.commit()
            return
        message.tries += 1
        message.begun_at = message.begun_at or uow.now
        url, headers, body = _request(services, uow, message, shown)
        uow.commit()
    answer = strangers.post(url, headers=headers, body=body, demo=services.settings.demo)
    failpoint("notice.pushed")
    with services.unit_of_work() as uow:
        task.hold(uow)
        there = uow.session.get(PushMessage, message.id)
        if there is None:  # its device was removed meanwhile
            task.finish(uow)
        elif answer.status in GONE:
            remove(uow, customer_id=there.customer_id, device_id=there.device_id)
            task.finish(uow)
        elif answer.is_taken:
            uow.session.get_one(PushDevice, there.device_id).taken_at = uow.now
            end(task, uow, there, NoticeStep.SEND)
        elif there.tries > len(PAUSES_S):
            end(task, uow, there, NoticeStep.GIVE_UP)
            if _is_given_up(uow, there.device_id):
                remove(uow, customer_id=there.customer_id, device_id=there.device_id)
        else:
            pause_s = max(PAUSES_S[there.tries - 1], answer.retry_after_s or 0)
            task.run_again(uow, run_at=uow.now + dt.timedelta(seconds=pause_s))
        uow.commit()


def _is_given_up(uow: UnitOfWork, device_id: str) -> bool:
    """Whether nothing was taken for this device, since the last that was, in so many messages over so long a time."""
    device = uow.session.get_one(PushDevice, device_id)
    uow.session.flush()
    count, first = uow.session.execute(
        select(func.count(), func.min(PushMessage.begun_at)).where(
            PushMessage.device_id == device_id,
            PushMessage.state == NoticeState.GIVEN_UP,
            PushMessage.ended_at > (device.taken_at or device.created_at),
        )
    ).one()
    return count >= GIVEN_UP_MOST and first is not None and first <= uow.now - GIVEN_UP_FOR


def _shown(uow: UnitOfWork, message: PushMessage) -> Shown | None:
    """What the device shows; None where nothing is to be said any more, or nobody can tell any more where to."""
    if not uow.session.get_one(PushDevice, message.device_id).subscription:  # its customer's key is gone
        return None
    if not is_wanted(uow.session, message) or not is_still_so(uow.session, message, now=uow.now):
        return None
    return compose_for_device(text_of(NoticeKind(message.kind), message.locale), locale=message.locale)


def _request(
    services: Services, uow: UnitOfWork, message: PushMessage, shown: Shown
) -> tuple[str, dict[str, str], bytes]:
    """Where to, with what, and what only the device opens."""
    device = uow.session.get_one(PushDevice, message.device_id)
    subscription = Subscription.parse(device.subscription)
    said = {"title": shown.title, "body": shown.body, "lang": message.locale, "tag": message.id}
    headers = services.web_push.headers(
        subscription,
        ttl_s=int(lives_for(uow.session, message, now=uow.now).total_seconds()),
        urgency=_urgency(NoticeKind(message.kind)),
        now=uow.now,
    )
    return subscription.endpoint, headers, seal(json.dumps(said, ensure_ascii=False).encode(), subscription)


def _urgency(kind: NoticeKind) -> Urgency:
    if kind in ALWAYS:
        return Urgency.HIGH  # somebody else may be acting just then
    return Urgency.LOW if kind in GATHER else Urgency.NORMAL
