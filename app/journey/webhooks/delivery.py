"""Sending a message to a biller: the only call to a biller in the whole service."""

from __future__ import annotations

import datetime as dt

import requests

from app.journey.webhooks.models import WebhookEndpoint, WebhookMessage
from app.journey.webhooks.rules import may_be_called, signature
from app.journey.webhooks.service import secret_row
from app.services import Task

TIMEOUT_S = (3, 8)
#: pauses between tries; after the last one the message waits for somebody to ask for it again
PAUSES_S = (5, 30, 120, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600, 24 * 3600)


def deliver(task: Task) -> None:
    """Send one message once; try again later until the biller answers 2xx. The same id and body every time."""
    services = task.services
    with services.reading() as uow:
        message = uow.session.get_one(WebhookMessage, task.payload["message_id"])
        endpoint = uow.session.get_one(WebhookEndpoint, message.endpoint_id)
        secret = services.vault.get(uow.session, secret_row(endpoint.id))
        sent_at = uow.now
    status = None
    if may_be_called(endpoint.url, demo=services.settings.demo):
        status = _post(endpoint.url, message, secret, sent_at)
    with services.unit_of_work() as uow:
        message = uow.session.get_one(WebhookMessage, message.id)
        message.tries += 1
        message.last_status = status
        if status is not None and 200 <= status < 300:
            message.delivered_at = uow.now
            task.finish(uow)
        elif message.tries > len(PAUSES_S):
            task.finish(uow)  # the row stays, undelivered, for the biller to ask for
        else:
            task.run_again(uow, run_at=uow.now + dt.timedelta(seconds=PAUSES_S[message.tries - 1]))
        uow.commit()


def _post(url: str, message: WebhookMessage, secret: str, sent_at: dt.datetime) -> int | None:
    timestamp = int(sent_at.timestamp())
    headers = {
        "content-type": "application/json",
        "webhook-id": message.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, message_id=message.id, timestamp=timestamp, body=message.body),
    }
    try:
        with requests.Session() as session:
            session.trust_env = False  # no proxy and no CA bundle from the environment
            answer = session.post(
                url, data=message.body, headers=headers, timeout=TIMEOUT_S, allow_redirects=False, stream=True
            )
            answer.close()
            return answer.status_code
    except requests.RequestException:
        return None
