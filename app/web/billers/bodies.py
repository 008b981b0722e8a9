"""Reading the body of a request, and no more of it than is taken."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterator
from typing import Any, cast

import marshmallow as ma
from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from app.errors import FieldError
from app.web.billers.problems import Problem
from connectors.strict_json import NotReadable, read_value

JSON = "application/json"

_BUFFER = 64 * 1024


def whole_body(*, most: int, what: str) -> bytes:
    """The body as it came, of at most ``most`` bytes. With a Content-Length beyond that not a byte of it is read.

    Raises Problem 413; ``what`` names in it what was sent, like "A bill".
    """
    # one byte more than is taken: a body without Content-Length is cut off at this limit without a word
    request.max_content_length = most + 1
    too_large = Problem(413, "too-large", f"{what} has at most {most} bytes.")
    try:
        content = request.get_data(cache=False)
    except RequestEntityTooLarge as error:
        raise too_large from error
    if len(content) > most:
        raise too_large
    return content


def loaded(schema: ma.Schema, *, most: int, what: str, code: str) -> dict[str, Any]:
    """The small JSON object of an operation, by its schema. Raises Problem 413, 415 and 422, with the first fault of
    each field.

    ``what`` names it, like "A confirmation"; ``code`` is that of the refusal of one that is not as described.
    """
    if request.mimetype != JSON or request.content_encoding:
        raise Problem(415, "media-type", f"Send {JSON}, without Content-Encoding.")
    try:
        found: dict[str, Any] = schema.load(read_value(whole_body(most=most, what=what)))
    except NotReadable:
        raise Problem(422, "not-well-formed", "The body is not the JSON object that it should be.") from None
    except ma.ValidationError as error:
        messages = error.messages if isinstance(error.messages, dict) else {}
        errors = [
            FieldError("" if name == "_schema" else f"/{name[:40]}", str(detail[0]))
            for name, detail in messages.items()
            if isinstance(detail, list) and detail
        ]
        raise Problem(422, code, f"{what} is not as described.", errors=tuple(errors)) from None
    return found


def calendar_day(written: str | None, *, pointer: str, code: str) -> dt.date | None:
    """A day as JSON writes it. Raises Problem 422 for one that no calendar has."""
    if written is None:
        return None
    try:
        return dt.date.fromisoformat(written)
    except ValueError:
        detail = "This is not a day of the calendar."
        raise Problem(422, code, detail, errors=(FieldError(pointer, detail),)) from None


def body_lines(*, most: int, line_most: int, what: str) -> Iterator[bytes]:
    """The body line by line, never as a whole. A line longer than ``line_most`` comes cut off behind one byte more.

    Raises Problem 411 without a Content-Length, which says whether the body came as a whole; 413 beyond ``most``; and
    at its end 400 when it did not.
    """
    if request.content_length is None:
        raise Problem(411, "length-required", f"{what} needs its Content-Length: send it as one body, not in chunks.")
    if request.content_length > most:
        raise Problem(413, "too-large", f"{what} has at most {most} bytes.")
    request.max_content_length = most
    return _lines(request.content_length, line_most=line_most, what=what)


def _lines(length: int, *, line_most: int, what: str) -> Iterator[bytes]:
    # raw, a line would be read byte by byte
    body: io.BufferedReader = io.BufferedReader(cast(io.RawIOBase, request.stream), buffer_size=_BUFFER)
    while line := body.readline(line_most + 1):
        length -= len(line)
        yield line
    if length:
        # to the server, a sender that hangs up looks like the end of the body
        raise Problem(400, "incomplete", f"{what} ended before its Content-Length: send it again.")
