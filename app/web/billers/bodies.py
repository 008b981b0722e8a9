"""Reading the body of a request, and no more of it than is taken."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import cast

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from app.web.billers.problems import Problem

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
