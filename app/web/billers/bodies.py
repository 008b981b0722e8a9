"""Reading the body of a request, and no more of it than is taken."""

from __future__ import annotations

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from app.web.billers.problems import Problem


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
