"""Pages and what they load go compressed, and to nobody in a way that tells another site what stands in them."""

from __future__ import annotations

import gzip
import re

import pytest
from werkzeug.test import TestResponse

from tests.support.installation import BASE_URL
from tests.support.journey import Journey


def ask(journey: Journey, path: str, headers: dict[str, str], *, method: str = "GET") -> TestResponse:
    """As the customer's browser does; a file that is answered with is closed."""
    client = journey.browser.client
    return client.open(path, method=method, base_url=BASE_URL, headers=headers, buffered=True)


ASKS = {"Accept-Encoding": "gzip, deflate, br", "Sec-Fetch-Site": "none"}


def test_a_page_goes_compressed_to_whoever_takes_it(journey: Journey) -> None:
    plain = ask(journey, "/bills", {"Sec-Fetch-Site": "none", "Accept-Encoding": "br;q=1, gzip;q=0"})
    assert "Content-Encoding" not in plain.headers
    assert "Accept-Encoding" in plain.headers["Vary"]
    for site in ("none", "same-origin"):
        answer = ask(journey, "/bills", {**ASKS, "Sec-Fetch-Site": site})
        assert answer.headers["Content-Encoding"] == "gzip"
        assert answer.headers["Content-Length"] == str(len(answer.data))
        assert "Accept-Encoding" in answer.headers["Vary"]
        assert answer.headers["Cache-Control"] == "no-store"
        assert _without_token(gzip.decompress(answer.data)) == _without_token(plain.data)
        assert len(answer.data) < len(plain.data) / 2


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", None])
def test_no_other_site_learns_how_short_a_page_becomes(journey: Journey, site: str | None) -> None:
    headers = {"Accept-Encoding": "gzip"} | ({} if site is None else {"Sec-Fetch-Site": site})
    answer = ask(journey, "/search?q=guess", headers)
    assert answer.status_code == 200
    assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize("path", ["/static/quittance.css", "/static/quittance.js"])
def test_what_is_the_same_for_all_is_compressed_and_kept(journey: Journey, path: str) -> None:
    plain, answer = ask(journey, path, {}), ask(journey, path, {"Accept-Encoding": "gzip"})
    assert gzip.decompress(answer.data) == plain.data
    assert answer.headers["ETag"] == f"W/{plain.headers['ETag']}"
    assert "Accept-Ranges" not in answer.headers  # a part would be one of what is not compressed
    again = ask(journey, path, {"Accept-Encoding": "gzip", "If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    part = ask(journey, path, {"Accept-Encoding": "gzip", "Range": "bytes=0-99"})
    assert (part.status_code, part.data) == (206, plain.data[:100])
    assert "Content-Encoding" not in part.headers
    head = ask(journey, path, {"Accept-Encoding": "gzip"}, method="HEAD")
    assert (head.data, head.headers["Content-Length"]) == (b"", plain.headers["Content-Length"])


def test_what_is_short_stays_as_it_is(journey: Journey) -> None:
    answer = ask(journey, "/static/mark.svg", {"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in answer.headers
    assert answer.data.startswith(b"<svg")


def test_programs_are_answered_as_before(journey: Journey) -> None:
    answer = ask(journey, "/api/v1/openapi.json", ASKS)
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert "Content-Encoding" not in answer.headers


def _without_token(page: bytes) -> bytes:
    """The form token is another one in each answer."""
    return re.sub(rb'(csrf-token" content|csrf_token" value)="[^"]*"', b"", page)
