"""From every door, every page that a link leads to: nothing of it is on another site, and all of it is protected.

The answers are read as they come over the wire. What a page names is what it loads: the browser tests see
to the rest, since a breach of the policy is an error in the console.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urldefrag, urljoin, urlsplit

import pytest
import requests
from bs4 import BeautifulSoup, Tag

from app.demo.cast import JONAS
from app.demo.loopback import TIMEOUT_S, new_session
from tests.browser.screen import Screen, programs_session
from tests.browser.world import World, running_world

pytestmark = pytest.mark.browser

DOORS = (
    "/",  # customers
    "/bills/inv_00000000000000000000000000000000",
    "/privacy/export",
    "/no/such/page",
    "/api/v1/openapi.json",  # billers
    "/api/v1/bills",
    "/.well-known/oauth-authorization-server",
    "/banks/horizon/return/unknown",  # banks
    "/banks/nowhere/return/unknown",
    "/livez",  # operators
    "/readyz",
)
#: the addresses of ours that lead away, and the pages say so before: to approve a payment, and to sign in before one
HOP = re.compile(
    r"/payments/pay_[0-9a-f]{32}/bank\Z|/consents/con_[0-9a-f]{32}/bank\Z"
    r"|/bills/inv_[0-9a-f]{32}/bank/sign-in\?bank=[a-z0-9-]+\Z"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
}
#: element → the attribute by which it loads something or leads somewhere
LEADING = {"a": "href", "area": "href", "form": "action", "button": "formaction", "input": "formaction"}
LOADING = {
    "link": "href",
    "script": "src",
    "img": "src",
    "source": "src",
    "iframe": "src",
    "object": "data",
    "embed": "src",
    "video": "src",
    "audio": "src",
    "use": "href",
}
#: these are the same for all, and may be kept
FOR_EVERYBODY = ("/static/", "/api/v1/openapi.json", "/.well-known/")
PAGES_MOST = 600
#: the page is the same for each of the days that a bank keeps or a consent covers: one of them is looked at
DAY = re.compile(r"on(?:=|%3D)\d{4}-\d{2}-\d{2}")


@dataclass
class Crawl:
    """``seen`` is path → status. ``faults`` say what is wrong, all of it, so that one run tells everything."""

    origin: str
    session: requests.Session
    seen: dict[str, int] = field(default_factory=dict)
    hops: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    _wanted: deque[tuple[str, str]] = field(default_factory=deque)
    _shapes: set[str] = field(default_factory=set)

    def run(self, *paths: str) -> None:
        self._wanted.extend((path, "") for path in paths)
        while self._wanted:
            path, linked_from = self._wanted.popleft()
            shape = DAY.sub("on=", path)
            if path not in self.seen and shape not in self._shapes:
                self._shapes.add(shape)
                assert len(self.seen) < PAGES_MOST, (
                    f"more than {PAGES_MOST} pages: does one make new addresses for ever?"
                )
                self._look_at(path, linked_from)

    def _look_at(self, path: str, linked_from: str) -> None:
        answer = self.session.get(self.origin + path, allow_redirects=False, timeout=TIMEOUT_S)
        self.seen[path] = answer.status_code
        self._check_answer(path, answer)
        if linked_from and answer.status_code not in (200, 303):
            self._fault(path, f"{answer.status_code}, and {linked_from} links to it")
        if answer.is_redirect:
            self._follow(path, answer.headers["Location"], "redirect")
        kind = answer.headers.get("Content-Type", "")
        if kind.startswith("text/html"):
            self._check_page(path, BeautifulSoup(answer.text, "lxml"))
        elif kind.startswith("text/css"):
            self._check_style(path, answer.text)

    def _check_answer(self, path: str, answer: requests.Response) -> None:
        if answer.status_code >= 500:
            self._fault(path, f"answers {answer.status_code}")
        for name, value in HEADERS.items():
            if answer.headers.get(name) != value:
                self._fault(path, f"{name} is {answer.headers.get(name)!r}")
        for name in ("Content-Security-Policy", "Permissions-Policy"):
            if not answer.headers.get(name):
                self._fault(path, f"has no {name}")
        policy = answer.headers.get("Content-Security-Policy", "")
        if "unsafe-" in policy or "default-src 'none'" not in policy or "frame-ancestors 'none'" not in policy:
            self._fault(path, f"has a weak policy: {policy}")
        if not path.startswith(FOR_EVERYBODY) and answer.headers.get("Cache-Control") != "no-store":
            self._fault(path, f"may be kept: {answer.headers.get('Cache-Control')}")
        for cookie in answer.raw.headers.getlist("Set-Cookie"):
            if not all(word in cookie for word in ("__Host-", "Secure", "HttpOnly", "SameSite=Lax")):
                self._fault(path, f"sets a cookie without protection: {cookie.partition('=')[0]}")

    def _check_page(self, path: str, page: BeautifulSoup) -> None:
        for element in page.find_all(True):
            self._check_element(path, element)
        if len(page.find_all("h1")) != 1:
            self._fault(path, f"has {len(page.find_all('h1'))} headings h1")
        ids = [str(element["id"]) for element in page.find_all(id=True)]
        if len(ids) != len(set(ids)):
            self._fault(path, f"has an id twice: {sorted({each for each in ids if ids.count(each) > 1})}")

    def _check_element(self, path: str, element: Tag) -> None:
        inline = [name for name in element.attrs if name == "style" or name.lower().startswith("on")]
        if inline:
            self._fault(path, f"has {inline} on a {element.name}")
        is_inline = element.name == "style" or (element.name == "script" and not element.get("src"))
        if is_inline and not path.startswith("/verify"):  # one file by itself, its parts allowed by their hashes
            self._fault(path, f"has an inline {element.name}")
        for name in _values(element, LOADING):
            self._follow(path, name, f"{element.name} loads")
        for name in _values(element, LEADING):
            if element.name == "a":
                self._follow(path, name, "a link leads to")
            else:
                self._own(path, name, f"{element.name} sends to")
        if (
            element.name == "form"
            and element.get("method", "get") == "post"
            and not element.select("[name=csrf_token]")
        ):
            self._fault(path, f"the form to {element.get('action')} has no token")

    def _check_style(self, path: str, style: str) -> None:
        for address in re.findall(r"url\(\s*['\"]?([^'\")]+)", style):
            self._follow(path, address, "the style loads")
        if "@import" in style:
            self._fault(path, "imports another style")

    def _follow(self, path: str, target: str, words: str) -> None:
        if target.startswith("data:") and words in ("the style loads", "img loads"):
            return
        found = self._own(path, target, words)
        if found is None:
            return
        if HOP.match(found):
            self.hops.append(found)
        else:
            self._wanted.append((found, path))

    def _own(self, path: str, target: str, words: str) -> str | None:
        """The path and query if it is on this site."""
        absolute = urldefrag(urljoin(self.origin + path, target)).url
        parts = urlsplit(absolute)
        if f"{parts.scheme}://{parts.netloc}" != self.origin:
            self._fault(path, f"{words} {absolute}")
            return None
        return parts.path + (f"?{parts.query}" if parts.query else "")

    def _fault(self, path: str, words: str) -> None:
        self.faults.append(f"{path}: {words}")


def _values(element: Tag, table: dict[str, str]) -> Iterator[str]:
    attribute = table.get(element.name)
    value = element.get(attribute) if attribute else None
    if isinstance(value, str) and value:
        yield value


def _without_ids(paths: dict[str, int]) -> set[str]:
    """Which kinds of pages were seen."""
    return {re.sub(r"_[0-9a-f]{32}", "_…", path.partition("?")[0]) for path in paths}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One of its own: payments that other tests leave at the bank would be found here."""
    with running_world(tmp_path_factory.mktemp("demo") / "data") as running:
        yield running


def test_a_stranger_finds_the_doors_and_nothing_else(world: World) -> None:
    crawl = Crawl(world.url, new_session())
    crawl.session.headers["Accept"] = "text/html"
    crawl.run(*DOORS)
    assert crawl.faults == []
    assert crawl.hops == []
    assert {"/", "/static/quittance.css", "/static/quittance.js", "/static/mark.svg"} <= set(crawl.seen)
    assert any(path.endswith(".woff2") for path in crawl.seen)
    assert not any(
        path.startswith(("/bills/inv_", "/payments/", "/receipts")) and status == 200
        for path, status in crawl.seen.items()
    )


def test_a_visitor_finds_everything_of_the_customer_they_visit(screen: Screen, world: World) -> None:
    screen.visit(JONAS)
    crawl = Crawl(world.url, programs_session(screen.page.context, world))
    crawl.run(*DOORS)
    assert crawl.faults == []
    assert crawl.hops == []
    kinds = _without_ids(crawl.seen)
    assert {
        "/bills",
        "/bills/inv_…",
        "/bills/inv_…/bank",
        "/bills/inv_…/original",
        "/receipts",
        "/messages",
        "/notices",
        "/calendar",
        "/privacy",
        "/companies/blr_…/given",
        "/security",
        "/privacy/export",
        "/privacy/import",
        "/papers",
    } <= kinds


def test_a_customer_finds_payments_and_receipts_and_one_hop(screen: Screen, world: World) -> None:
    """With one payment paid and one that waits at the leaving page."""
    paid = world.deliver(JONAS, "41.01")
    screen.begin_payment(JONAS, paid)
    screen.pay_at_bank(JONAS)
    screen.expect_truth("done")
    waiting = world.deliver(JONAS, "41.02")
    screen.open_confirm(waiting)
    screen.sign()
    payment = screen.path.removesuffix("/leave")

    session = programs_session(screen.page.context, world)
    crawl = Crawl(world.url, session)
    crawl.run(*DOORS, f"{payment}/state")
    assert crawl.faults == []
    assert {hop for hop in crawl.hops if "/sign-in?" not in hop} == {f"{payment}/bank"}
    assert {hop.rpartition("=")[2] for hop in crawl.hops if "/sign-in?" in hop} == {"tuulipankki"}
    kinds = _without_ids(crawl.seen)
    assert {"/payments/pay_…", "/payments/pay_…/leave", "/receipts/rcp_…", "/receipts/rcp_…/pdf"} <= kinds

    hop = session.get(f"{world.url}{payment}/bank", allow_redirects=False, timeout=TIMEOUT_S)
    assert hop.status_code == 303
    assert hop.headers["Location"].startswith(f"{world.bank_url}/")
