"""A browser without a screen: cookies, forms, links, and no redirect that nobody looked at.

What may be asked again is asked again when a program dies under it; what may not is left to the caller.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urljoin, urlsplit

import lxml.html
import requests

from app.demo.loopback import TIMEOUT_S, new_session

Answer = TypeVar("Answer")

PAUSE_S = 0.15
REDIRECTS_MOST = 5
#: what a first-time visitor sends; the language decides nothing here
_HEADERS = {"User-Agent": "Quittance walk", "Accept-Language": "en"}
#: what the script of a page hands over, of what it says beside its form
_SIGNED = ("bank", "shown", "consent", "part", "on", "language")


class LostError(Exception):
    """No answer, or one of a program that was dying: whether anything was done is not known."""


class RefusedError(Exception):
    """The answer is no. ``status`` and the words of the page or problem."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"{status}: {words[:300]}")
        self.status = status


class LateError(Exception):
    """It did not come to pass in its time."""


@dataclass(frozen=True, slots=True)
class Page:
    """One answer."""

    url: str
    status: int
    location: str | None  #: absolute, of a redirect
    text: str

    @property
    def tree(self) -> lxml.html.HtmlElement:
        return lxml.html.document_fromstring(self.text or "<html></html>")

    def links(self, prefix: str) -> list[str]:
        """Paths of links that begin so, in the order of the page."""
        return [link for link in self.tree.xpath("//a/@href") if str(link).startswith(prefix)]

    def form(self, name: str) -> tuple[str, dict[str, str]] | None:
        """(address, filled fields) of the form that has a field of this name; None where there is none."""
        for form in self.tree.forms:
            if name in form.inputs:
                return urljoin(self.url, form.get("action") or ""), dict(form.form_values())
        return None

    @property
    def order(self) -> dict[str, str]:
        """What the script of the page says of all that a passkey is to sign; empty where nothing can be signed."""
        said: dict[str, str] = {}
        for form in self.tree.xpath("//form[@data-passkey]"):
            told = {name: form.get(f"data-{name}") for name in _SIGNED}
            said |= {name: str(value) for name, value in told.items() if value is not None}
            said |= {str(each.name): str(each.value) for each in form.xpath(".//input[@data-terms]")}
        return said

    @property
    def words(self) -> str:
        """The text of the page, with single spaces: non-breaking ones too."""
        return " ".join(self.tree.text_content().split())


@dataclass
class Browser:
    """``origin`` is the site whose pages it shows. ``until`` (monotonic) ends every waiting; the walk moves it on."""

    origin: str
    until: float = 0.0
    #: what happened on the way that a customer would have seen as a hiccup
    seen: list[str] = field(default_factory=list)
    _session: requests.Session = field(default_factory=new_session, repr=False)

    def get(self, path: str) -> Page:
        """Open a page, again and again while nobody answers. Redirects are returned. Raises LateError, RefusedError."""
        return self.patiently(lambda: self.ask("GET", path))

    def open(self, path: str) -> Page:
        """Open a page and follow redirects as long as they stay on this site."""
        page = self.get(path)
        for _ in range(REDIRECTS_MOST):
            if page.location is None or urlsplit(page.location)[:2] != urlsplit(self.origin)[:2]:
                return page
            page = self.get(page.location)
        raise LateError(f"{path} goes round in circles")

    def come_back(self, way_back: str) -> Page:
        """From a bank, as often as nobody answers: coming back twice changes nothing.

        Some banks answer behind the # of the address, which a script of our page hands over.
        """
        address, _, said = way_back.partition("#")
        page = self.open(address)
        form = page.form("id_token")
        if form is None:
            return page
        answer = dict(parse_qsl(said))
        action, fields = form
        fields = {name: answer.get(name, value) for name, value in fields.items()}
        taken = self.patiently(lambda: self.post_form(action, fields))
        return self.open(taken.location or action)

    def trust(self, authority: str) -> None:
        """The site's certificate is one of this authority, whose certificate lies there."""
        self._session.verify = authority

    def wait_for(self, path: str, wanted: Callable[[Page], bool], *, what: str) -> Page:
        """Open the page until it shows what is wanted."""
        while True:
            page = self.open(path)
            if wanted(page):
                return page
            self.pause(what)

    def patiently(self, ask: Callable[[], Answer]) -> Answer:
        """Do something that may be done twice until it is answered."""
        while True:
            try:
                return ask()
            except LostError as error:
                self.seen.append(str(error))
                self.pause(str(error))

    def ask(self, method: str, path: str, **more: Any) -> Page:
        """One request, once. Raises LostError when it is not known what became of it, RefusedError for a 4xx."""
        url = urljoin(self.origin, path)
        headers = _HEADERS | more.pop("headers", {})
        if method != "GET":
            headers |= {"Origin": self.origin, "Sec-Fetch-Site": "same-origin"}
        try:
            answer = self._session.request(
                method, url, headers=headers, timeout=TIMEOUT_S, allow_redirects=False, **more
            )
        except requests.RequestException as error:
            raise LostError(f"no answer to {method} {urlsplit(url).path}: {type(error).__name__}") from error
        if answer.status_code >= 500:
            raise LostError(f"{answer.status_code} to {method} {urlsplit(url).path}")
        location = answer.headers.get("Location")
        page = Page(url, answer.status_code, urljoin(url, location) if location else None, answer.text)
        if answer.status_code >= 400:
            raise RefusedError(
                answer.status_code, answer.text if "json" in answer.headers.get("Content-Type", "") else page.words
            )
        return page

    def post_form(self, address: str, fields: Mapping[str, str]) -> Page:
        """Send a form, once."""
        return self.ask("POST", address, data=dict(fields))

    def post_json(self, path: str, body: Mapping[str, Any], *, csrf: str) -> dict[str, Any]:
        """What the script of a page does, once."""
        page = self.ask("POST", path, json=dict(body), headers={"X-CSRFToken": csrf, "Accept": "application/json"})
        return _object(page.text)

    def get_json(self, path: str, *, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """A small answer for programs, patiently."""
        wanted = {"Accept": "application/json"} | dict(headers or {})
        return _object(self.patiently(lambda: self.ask("GET", path, headers=wanted)).text)

    def pause(self, what: str) -> None:
        """Wait a moment. Raises LateError with ``what`` is missing when the step's time is over."""
        if time.monotonic() >= self.until:
            raise LateError(what)
        time.sleep(PAUSE_S)


def csrf_of(page: Page) -> str:
    """The form token of one of our pages."""
    return str(page.tree.xpath("string(//meta[@name='csrf-token']/@content)"))


def _object(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise RefusedError(200, "not a JSON object")
    return found
