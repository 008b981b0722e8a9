"""Event notifications: a bank's calls to us (real time), and the subscriptions by which it knows where.

Resources and Data Models, Event Notifications. An event names a resource (``rid``, ``rty``) and where it is (``rlk``);
which status it has now must be asked for.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Sequence
from typing import Any
from urllib.parse import urlsplit

from connectors.capabilities import Event, EventKind, Subscription
from connectors.contract import BankRequest
from connectors.errors import EventNotBelieved
from connectors.http import Deadline, check_scheme
from connectors.openbanking_uk import messages
from connectors.openbanking_uk.messages import Dialect
from connectors.openbanking_uk.orders import unreadable
from connectors.openbanking_uk.wire import Wire, at, plain_request
from connectors.security import event_token
from connectors.security.event_token import KeyOf
from connectors.strict_json import JsonObject, NotReadable, read_object

SUBSCRIPTIONS = "/event-subscriptions"
UPDATED = "urn:uk:org:openbanking:events:resource-update"
REVOKED = "urn:uk:org:openbanking:events:consent-authorization-revoked"
#: of recurring payments
ACCOUNT_CHANGED = "urn:uk:org:openbanking:events:domestic-vrp-consent-linked-account-update"
#: what each says; where one token has several, the first of these
KINDS = {
    REVOKED: EventKind.CONSENT_REVOKED,
    ACCOUNT_CHANGED: EventKind.PAYER_ACCOUNT_CHANGED,
    UPDATED: EventKind.RESOURCE_UPDATED,
}
_SPACE = "http://openbanking.org.uk/"
RID, RTY, RLK = f"{_SPACE}rid", f"{_SPACE}rty", f"{_SPACE}rlk"
#: the kind of subject that names a resource by the first two
SUBJECT_TYPE = f"{RID}_{RTY}"
#: hosts to which a bank may call without TLS: only a sandbox on this machine gets there
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Subscriptions:
    """``wire`` leads to where the bank has its event API, which belongs to no one of its other APIs."""

    def __init__(self, wire: Wire, *, dialect: Dialect, recurring: bool) -> None:
        """``recurring``: whether the bank has recurring payments. One that has none may refuse their events."""
        self._wire = wire
        self._dialect = dialect
        self._types = (UPDATED, REVOKED, ACCOUNT_CHANGED) if recurring else (UPDATED, REVOKED)

    def subscribe(self, callback_url: str, *, timeout_s: float) -> Subscription:
        """POST /event-subscriptions, signed, without an idempotency key. ValueError unless the address is https."""
        request = subscription(callback_url, dialect=self._dialect, types=self._types)
        return self._send(request, timeout_s=timeout_s)

    def change(self, subscription_id: str, callback_url: str, *, timeout_s: float) -> Subscription:
        """PUT /event-subscriptions/{id}, signed, the same bytes have the same effect. ValueError as above."""
        request = subscription(callback_url, dialect=self._dialect, types=self._types, subscription_id=subscription_id)
        return self._send(request, timeout_s=timeout_s)

    def _send(self, request: BankRequest, *, timeout_s: float) -> Subscription:
        response = self._wire.post(request, psu=None, deadline=Deadline(timeout_s))
        try:
            return _subscription(read_object(response.body).object("Data"))
        except NotReadable as error:
            raise unreadable(error) from None

    def subscriptions(self, *, timeout_s: float) -> Sequence[Subscription]:
        """GET /event-subscriptions."""
        response = self._wire.get(SUBSCRIPTIONS, deadline=Deadline(timeout_s))
        if response is None:
            return []
        try:
            data = read_object(response.body).object("Data")
            return [_subscription(each) for each in data.objects("EventSubscription")]
        except NotReadable as error:
            raise unreadable(error) from None

    def unsubscribe(self, subscription_id: str, *, timeout_s: float) -> None:
        """DELETE /event-subscriptions/{id}."""
        self._wire.delete(at(SUBSCRIPTIONS, subscription_id), deadline=Deadline(timeout_s))


def subscription(
    callback_url: str, *, dialect: Dialect, types: Collection[str], subscription_id: str | None = None
) -> BankRequest:
    """OBEventSubscription1, for the types of events that tell us something. Raises ValueError.

    ``subscription_id``: of the one that is changed to this; it is named again, as in OBEventSubscriptionResponse1.
    """
    check_scheme(callback_url, allow_http=urlsplit(callback_url).hostname in LOOPBACK)
    data = {"CallbackUrl": callback_url, "Version": dialect.version, "EventTypes": [*types]}
    if subscription_id is None:
        return plain_request(SUBSCRIPTIONS, messages.written({"Data": data}))
    body = messages.written({"Data": {"EventSubscriptionId": subscription_id, **data}})
    return plain_request(at(SUBSCRIPTIONS, subscription_id), body, method="PUT")


def _subscription(data: JsonObject) -> Subscription:
    return Subscription(
        subscription_id=messages.id_of(data, "EventSubscriptionId"), callback_url=data.text_or_none("CallbackUrl")
    )


class EventReader:
    """What of a call to us is believed to be one bank's event for us."""

    def __init__(
        self,
        *,
        issuer: str,
        client_id: str,
        origins: frozenset[str],
        key_of: KeyOf,
        clock: Callable[[], dt.datetime],
    ) -> None:
        """``origins``: hosts, with their ports where they are not the usual ones, that the bank's links may lead to."""
        self._issuer = issuer
        self._client_id = client_id
        self._origins = origins
        self._key_of = key_of
        self._clock = clock

    def read(self, raw: bytes) -> Event:
        """OBEventNotification2. Raises EventNotBelieved, saying which rule is broken."""
        token = event_token.read(
            raw, issuer=self._issuer, client_id=self._client_id, key_of=self._key_of, now=self._clock()
        )
        known = {name: JsonObject(_dict(token.events[name])) for name in KINDS if name in token.events}
        if not known:
            raise EventNotBelieved("none of its events is one that we asked for")
        subjects = [event.object("subject") for event in known.values() if event.object("subject").members]
        if not subjects:
            raise EventNotBelieved("subject is missing: it names no resource")
        resources = {self._resource(subject) for subject in subjects}
        if len(resources) > 1:
            raise EventNotBelieved("its events name different resources")
        resource_type, resource_id = resources.pop()
        return Event(
            event_id=token.jti,
            kind=KINDS[next(iter(known))],
            resource_type=resource_type,
            resource_id=resource_id,
            occurred_at=token.occurred_at,
        )

    def _resource(self, subject: JsonObject) -> tuple[str, str]:
        """Its links are not followed: we know where the bank's resources are. One that leads elsewhere is no bank's."""
        if subject.text_or_none("subject_type") != SUBJECT_TYPE:
            raise EventNotBelieved("subject_type is not one that we know")
        try:
            resource_type, resource_id = subject.text(RTY), messages.id_of(subject, RID)
        except NotReadable as error:
            raise EventNotBelieved(str(error)) from None
        links = subject.objects(RLK)
        if not links or not all(self._is_ours(link.text_or_none("link")) for link in links):
            raise EventNotBelieved("rlk: a link is missing, not https, or not on a host of the bank's")
        return resource_type, resource_id

    def _is_ours(self, link: str | None) -> bool:
        try:
            check_scheme(link or "", allow_http=False)
        except ValueError:
            return False
        return urlsplit(link or "").netloc in self._origins


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
