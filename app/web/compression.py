"""Pages, and what they load, go compressed to browsers that take it: of ten years of bills a page is a tenth as long.

How much shorter an answer became tells of what it says. Whoever could have a browser ask for pages of ours with words
of their own choosing in them, and see how long the answers are, could guess what else stands there, the form token
first (BREACH). So a page is compressed only when our own pages or its reader asked for it, and never when another site
did.

It is the standard library's gzip: the packages that do this need two more encodings compiled, and know no such rule.
"""

from __future__ import annotations

import gzip

from flask import Flask, Response, request

#: below that there is nothing to win
LEAST = 1_000
#: a page of 120 kB takes two milliseconds
LEVEL = 6
#: what is the same for everybody
_PUBLIC = frozenset({"text/css", "text/javascript", "image/svg+xml", "application/manifest+json"})


def register(app: Flask) -> None:
    app.after_request(compress)


def compress(response: Response) -> Response:
    """The same answer, shorter, to whoever takes ``gzip``."""
    if not _may_be(response):
        return response
    response.vary.add("Accept-Encoding")
    if request.accept_encodings["gzip"] == 0 or "Content-Encoding" in response.headers:
        return response
    response.direct_passthrough = False  # of a file
    content = response.get_data()
    if len(content) < LEAST:
        return response
    response.set_data(gzip.compress(content, LEVEL, mtime=0))
    response.headers["Content-Encoding"] = "gzip"
    response.headers.pop("Accept-Ranges", None)  # a part of it would be one of other bytes
    etag, _ = response.get_etag()
    if etag is not None:
        response.set_etag(etag, weak=True)  # it is the same in other bytes (RFC 9110, section 8.8.1)
    return response


def _may_be(response: Response) -> bool:
    is_file = response.direct_passthrough
    if request.method != "GET" or response.status_code == 206 or (response.is_streamed and not is_file):
        return False
    if response.mimetype in _PUBLIC:
        return True
    return response.mimetype == "text/html" and request.headers.get("Sec-Fetch-Site") in ("same-origin", "none")
