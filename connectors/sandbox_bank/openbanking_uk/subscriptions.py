"""/event-subscriptions: where a TPP wants to be told of what happens. It has one at each brand, or none."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from flask import Response

from connectors.sandbox_bank.openbanking_uk import answers, api, events, rules, values
from connectors.sandbox_bank.openbanking_uk.answers import ApiError
from connectors.sandbox_bank.openbanking_uk.api import Here
from connectors.sandbox_bank.openbanking_uk.store import Connection, Row

COLLECTION = "/event-subscriptions"
#: plain http goes nowhere but to this machine
LOOPBACK = ("127.0.0.1", "localhost", "::1")
CALLBACK_CHARACTERS_MAX = 2048

blueprint = api.blueprint("subscriptions", below="")


@blueprint.post(COLLECTION)
def create() -> Response:
    here = api.here(customer=False)
    data = _posted(here)
    with here.bank.store.write() as connection:
        if _own(connection, here) is not None:
            raise ApiError("U029", "there is a subscription already; change or delete it", status=409)
        connection.execute(
            "INSERT INTO subscription VALUES (?, ?, ?, ?, ?, ?)",
            [uuid.uuid4().hex, here.brand.id, here.grant.tpp, *_columns(data)],
        )
        made = _own(connection, here)
    return _answer(here, made, status=201)


@blueprint.get(COLLECTION)
def read() -> Response:
    here = api.here(customer=False)
    with here.bank.store.read() as connection:
        own = _own(connection, here)
    found = [] if own is None else [events.body_of(own)]
    return answers.answer(here.brand, {"Data": {"EventSubscription": found}}, link=_link(here))


@blueprint.put(f"{COLLECTION}/<subscription_id>")
def change(subscription_id: str) -> Response:
    here = api.here(customer=False)
    data = _posted(here, own_id=subscription_id)
    with here.bank.store.write() as connection:
        _check_own(connection, here, subscription_id)
        connection.execute(
            "UPDATE subscription SET callback_url = ?, version = ?, event_types = ? WHERE subscription_id = ?",
            [*_columns(data), subscription_id],
        )
        changed = _own(connection, here)
    return _answer(here, changed)


@blueprint.delete(f"{COLLECTION}/<subscription_id>")
def delete(subscription_id: str) -> Response:
    here = api.here(customer=False)
    with here.bank.store.write() as connection:
        _check_own(connection, here, subscription_id)
        connection.execute("DELETE FROM subscription WHERE subscription_id = ?", [subscription_id])
    return Response(status=204)


def _posted(here: Here, *, own_id: str | None = None) -> Mapping[str, Any]:
    """The Data of an OBEventSubscription1, or of the response to it that a PUT sends back. Raises ApiError."""
    rules.check_no_key()
    body = rules.posted(here.bank, here.brand, here.grant.tpp).body
    values.only(body, {"Data", "Links", "Meta"} if own_id is not None else {"Data"}, "")
    allowed = {"CallbackUrl", "Version", "EventTypes", *(("EventSubscriptionId",) if own_id is not None else ())}
    data = values.object_of(body, "Data", allowed)
    if own_id is not None and data.get("EventSubscriptionId") != own_id:
        raise ApiError("U002", "EventSubscriptionId is not that of the address", path="Data.EventSubscriptionId")
    values.one_of(data, "Version", [here.brand.version], "Data.")
    if "CallbackUrl" in data:
        _check_callback(values.text_of(data, "CallbackUrl", CALLBACK_CHARACTERS_MAX, "Data."))
    types = data.get("EventTypes", [])
    if not isinstance(types, list) or not all(each in events.TYPES for each in types):
        raise ApiError("U002", f"EventTypes are of {', '.join(events.TYPES)}", path="Data.EventTypes")
    return data


def _check_callback(url: str) -> None:
    if not _is_usable(url):
        raise ApiError("U002", "CallbackUrl is https, or http on this machine", path="Data.CallbackUrl")


def _is_usable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        if parts.port == 0 or not parts.hostname or "@" in parts.netloc or parts.fragment:
            return False
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)


def _columns(data: Mapping[str, Any]) -> list[str | None]:
    types = data.get("EventTypes") or None
    return [data.get("CallbackUrl"), data["Version"], None if types is None else json.dumps(types)]


def _own(connection: Connection, here: Here) -> Row | None:
    return events.subscription_of(connection, brand=here.brand.id, tpp=here.grant.tpp)


def _check_own(connection: Connection, here: Here, subscription_id: str) -> None:
    own = _own(connection, here)
    if own is None or own["subscription_id"] != subscription_id:
        raise ApiError("U011", "there is no such subscription")


def _answer(here: Here, row: Row | None, *, status: int = 200) -> Response:
    if row is None:
        raise ApiError("U011", "there is no such subscription")
    link = f"{_link(here)}/{row['subscription_id']}"
    return answers.answer(here.brand, {"Data": events.body_of(row)}, link=link, status=status)


def _link(here: Here) -> str:
    return here.brand.prefix.removesuffix("/pisp") + COLLECTION
