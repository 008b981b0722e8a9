"""A question to a service that answers in JSON, at one address: asked once, and no clear answer is one, too."""

from __future__ import annotations

import json
import unicodedata
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from connectors.errors import BankError
from connectors.http import BankSession, Deadline
from connectors.strict_json import JsonObject, read_object

#: longer is no name of an account in ISO 20022, nor one that a page should show
NAME_MAX = 140

Answer = TypeVar("Answer")


class QuestionService:
    """Whom such questions go to."""

    is_offered = True

    def __init__(self, url: str, *, allow_http: bool = False) -> None:
        """``allow_http`` is for the demo and tests alone."""
        self._url = url
        self._session = BankSession(allow_http=allow_http)

    def ask(
        self, question: Mapping[str, Any], *, timeout_s: float, read: Callable[[JsonObject], Answer], otherwise: Answer
    ) -> Answer:
        """What ``read`` makes of the answer. Whatever the other side does, it raises nothing: silence, and what
        ``read`` raises ValueError (NotReadable) for, is ``otherwise``."""
        body = json.dumps(question).encode()
        headers = {"Content-Type": "application/json", "X-Request-ID": str(uuid.uuid4())}
        try:
            answer = self._session.call("POST", self._url, headers=headers, deadline=Deadline(timeout_s), body=body)
            return read(read_object(answer.body)) if answer.status == 200 else otherwise
        except (BankError, ValueError):  # also of an address that is none
            return otherwise


def shown_name(said: str) -> str | None:
    """A name as a page may show it; None: no page should."""
    name = unicodedata.normalize("NFC", said).strip()
    if len(name) > NAME_MAX or not name.isprintable() or not any(map(str.isalnum, name)):
        return None
    return name
