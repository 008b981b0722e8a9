"""Sending a message to a biller: the only call to a biller in the whole service."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.journey.webhooks.models import WebhookEndpoint, WebhookMessage
from app.journey.webhooks.rules import signature
from app.journey.webhooks.service import secret_row
from app.services import Task
from app.strangers import may_be_called, post

#: pauses between tries; after the last one the message waits for somebody to ask for it again
PAUSES_S = (5, 30, 120, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600, 26 * 3600)


def deliver(task: Task) -> None:
    """Send one message once; try again later until the biller answers 2xx. The same id and body every time."""
    services = task.services
    with services.reading() as uow:
        message = uow.session.get_one(WebhookMessage, task.payload["message_id"])
        endpoint = uow.session.get_one(WebhookEndpoint, message.endpoint_id)
        secret = services.vault.get(uow.session, secret_row(endpoint.id))
        wanted = endpoint.active and not _is_overtaken(uow.session, message)
        sent_at = uow.now
    status = None
    if wanted and may_be_called(endpoint.url, demo=services.settings.demo):
        status = _post(endpoint.url, message, secret, sent_at, demo=services.settings.demo)
    with services.unit_of_work() as uow:
        message = uow.session.get_one(WebhookMessage, message.id)
        if not wanted:
            message.dropped_at = uow.now
            task.finish(uow)  # nobody listens there any more, or a later word says more
            uow.commit()
            return
        message.tries += 1
        message.last_status = status
        if status is not None and 200 <= status < 300:
            message.delivered_at = uow.now
            task.finish(uow)
        elif message.tries > len(PAUSES_S):
            message.dropped_at = uow.now
            task.finish(uow)  # the row stays, undelivered, for the biller to ask for
        else:
            task.run_again(uow, run_at=uow.now + dt.timedelta(seconds=PAUSES_S[message.tries - 1]))
        uow.commit()


def _is_overtaken(session: Session, message: WebhookMessage) -> bool:
    """ "Still open" is not worth saying after "paid" or "failed": it would only be believed."""
    if message.type != "payment.updated":
        return False
    later = select(WebhookMessage.id).where(
        WebhookMessage.endpoint_id == message.endpoint_id,
        WebhookMessage.subject == message.subject,
        WebhookMessage.created_at > message.created_at,
    )
    return session.scalar(later.limit(1)) is not None


def _post(url: str, message: WebhookMessage, secret: str, sent_at: dt.datetime, *, demo: bool) -> int | None:
    """The HTTP status, or None without an answer."""
    timestamp = int(sent_at.timestamp())
    headers = {
        "content-type": "application/json",
        "webhook-id": message.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, message_id=message.id, timestamp=timestamp, body=message.body),
    }
    return post(url, headers=headers, body=message.body, demo=demo).status
