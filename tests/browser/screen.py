"""One browser tab of one person: what a person does in it, and what is wrong with the page that it shows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import axe_playwright_python
import requests
from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Request, Response, expect

from app.demo.cast import Person
from app.demo.loopback import new_session
from tests.browser.world import World

Theme = Literal["light", "dark"]
Language = Literal["en", "fr"]

PIN = "1234"
PHONE, DESKTOP = (390, 844), (1180, 900)
#: the narrowest screen on which a page must not scroll sideways (WCAG 2.2, 1.4.10)
NARROWEST = 320
#: the demo answers in milliseconds; a busy machine does not
PATIENCE_MS = 20_000
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

_AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
_FOCUSABLE = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]"


@dataclass
class Screen:
    """``troubles`` is what the browser complained about; a test that leaves any has failed (see conftest)."""

    world: World
    page: Page
    troubles: list[str] = field(default_factory=list)
    authenticator: str = ""
    _allowed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self._trouble(f"page error: {error}"))
        self.page.on("requestfailed", self._request_failed)
        self.page.on("response", self._response)
        self._debugger = self.page.context.new_cdp_session(self.page)
        self._debugger.send("WebAuthn.enable")
        made = self._debugger.send("WebAuthn.addVirtualAuthenticator", {"options": _AUTHENTICATOR})
        self.authenticator = made["authenticatorId"]

    # ------------------------------------------------------------------------------------------------ complaints

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._trouble(f"console {message.type} at {self.page.url}: {message.text}")

    def _request_failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # that one only says that the page went on
            self._trouble(f"request failed: {request.url}: {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 500:
            self._trouble(f"{response.status} from {response.url}")

    def _trouble(self, words: str) -> None:
        if not any(allowed in words for allowed in self._allowed):
            self.troubles.append(words)

    def allow(self, words: str) -> None:
        """From now on a complaint with these words is no trouble: the test brings it about itself."""
        self._allowed.append(words)

    # ------------------------------------------------------------------------------------------------ the device

    def user_verification(self, works: bool) -> None:
        """Whether the device recognises its owner from now on."""
        self._debugger.send(
            "WebAuthn.setUserVerified", {"authenticatorId": self.authenticator, "isUserVerified": works}
        )

    def take_passkeys_from(self, other: Screen) -> None:
        """A second tab on the same device: it has the same passkeys."""
        held = other._debugger.send("WebAuthn.getCredentials", {"authenticatorId": other.authenticator})
        for credential in held["credentials"]:
            self._debugger.send(
                "WebAuthn.addCredential", {"authenticatorId": self.authenticator, "credential": credential}
            )

    # ------------------------------------------------------------------------------------------------ getting about

    @property
    def path(self) -> str:
        """Where the tab is, if it is on our site."""
        assert self.page.url.startswith(f"{self.world.url}/"), self.page.url
        return self.page.url.removeprefix(self.world.url)

    def open(self, path: str) -> None:
        self.page.goto(self.world.url + path)

    def at(self, pattern: str) -> None:
        """Wait until the tab is at an address of ours that ends so: a regular expression."""
        self.page.wait_for_url(re.compile(re.escape(self.world.url) + pattern + r"\Z"))

    def visit(self, person: Person, language: Language | None = None) -> None:
        """Look around as a seeded customer, in a language that is chosen first if one is named."""
        self.open(f"/language/{language}?next=/" if language else "/")
        self.page.locator("form[action='/demo/sign-in'] button", has_text=person.name).click()
        self.at("/bills")

    def sign_up(self, name: str, email: str) -> None:
        """As somebody new, on an English or French start page."""
        self.open("/")
        form = self.page.locator("form[data-passkey=new]")
        form.locator("[name=name]").fill(name)
        form.locator("[name=email]").fill(email)
        form.locator("[data-go]").click()
        self.at("/bills")

    @property
    def language(self) -> str | None:
        return self.page.locator("html").get_attribute("lang")

    def switch_language(self) -> None:
        other = "en" if self.language == "fr" else "fr"
        self.page.locator(f"header a[hreflang={other}]").click()
        expect(self.page.locator(f"html[lang={other}]")).to_have_count(1)

    def card(self, number: str) -> Locator:
        """Of this bill, and of none that only names it as one that may be the same."""
        return self.page.locator("li.card", has=self.page.locator(".card-who", has_text=number))

    def open_bill(self, number: str) -> None:
        """From the inbox."""
        self.open("/bills")
        self.card(number).locator("h2 a").click()
        self.at("/bills/inv_[0-9a-f]+")

    def open_confirm(self, number: str, *, on_the_way: Callable[[], None] | None = None) -> None:
        """``on_the_way`` is done on the bill's own page."""
        self.open_bill(number)
        if on_the_way is not None:
            on_the_way()
        self.page.locator("main a.button[href$='/pay']").click()
        self.at("/bills/inv_[0-9a-f]+/(pay|bank)")
        self.choose_bank()

    def choose_bank(self, bank: str = "horizon") -> None:
        """Where none is known, at the first payment: the page to choose one stands before the confirm page."""
        if self.path.endswith("/pay"):
            return
        self.page.locator(f"#banks a[href$='bank={bank}']").focus()
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(f"**/pay?bank={bank}")

    def make_passkey(self) -> None:
        """On the confirm page of a visit: it comes back with a way to pay."""
        self.page.locator("[data-passkey=add] [data-go]").click()
        expect(self.pay_form).to_be_visible(timeout=PATIENCE_MS)

    @property
    def pay_form(self) -> Locator:
        return self.page.locator("form[data-passkey=pay]")

    def sign(self) -> None:
        """Confirm with the passkey; the tab is then at the leaving page, and the bank is ready."""
        self.pay_form.locator("[data-go]").click()
        self.at("/payments/pay_[0-9a-f]+/leave")
        expect(self.to_bank).to_be_visible(timeout=PATIENCE_MS)

    @property
    def to_bank(self) -> Locator:
        return self.page.locator("main a[href^='/payments/'][href$='/bank']")

    def go_to_bank(self) -> None:
        self.to_bank.click()
        self.page.wait_for_url(f"{self.world.bank_url}/sca/**")

    def sign_in_at_bank(self, person: Person) -> None:
        self.page.locator(f"input[name=customer][value={person.key}]").check()
        self.page.locator("#pin").fill(PIN)
        self.page.locator("button.primary").click()
        self.page.locator("button[name=decision][value=approve]").wait_for()

    def decide_at_bank(self, decision: Literal["approve", "refuse"]) -> None:
        """And back to us, which the bank does by itself."""
        self.page.locator(f"button[name=decision][value={decision}]").click()
        self.page.wait_for_url(f"{self.world.url}/**")

    def begin_payment(self, person: Person, number: str) -> str:
        """From nowhere to the leaving page; the payment's address."""
        self.visit(person)
        self.open_confirm(number)
        self.make_passkey()
        self.sign()
        return self.path.removesuffix("/leave")

    def pay_at_bank(self, person: Person, decision: Literal["approve", "refuse"] = "approve") -> None:
        self.go_to_bank()
        self.sign_in_at_bank(person)
        self.decide_at_bank(decision)

    def expect_truth(self, truth: str) -> None:
        """The payment page comes to say this, by itself."""
        expect(self.page.locator(f".truth-{truth}")).to_be_visible(timeout=60_000)

    def text(self, where: str) -> str:
        """The words of one place, with single spaces."""
        return " ".join(self.page.locator(where).inner_text().split())

    # ------------------------------------------------------------------------------------------------ looking closely

    def check_page(self) -> None:
        """What every page owes everybody: no barrier, one heading, the skip link first, no sideways scroll."""
        self.check_bank_page()
        first = self.page.locator(_FOCUSABLE).first
        expect(first).to_have_class("skip")
        expect(first).to_have_attribute("href", "#main")
        assert self.page.locator("[tabindex]:not([tabindex='0'], [tabindex='-1'])").count() == 0, self.page.url
        assert self.page.locator("main#main").count() == 1, self.page.url

    def check_bank_page(self) -> None:
        """The same but for what is a matter of taste, for the pages of the sandbox bank."""
        self.page.wait_for_load_state()  # half of a page names what is not there yet
        expect(self.page.locator("h1")).to_have_count(1)
        violations = self.violations()
        assert violations == [], "\n".join([self.page.url, *violations])
        size = self.page.viewport_size
        assert size is not None
        for width in {size["width"], NARROWEST}:
            self.page.set_viewport_size({"width": width, "height": size["height"]})
            assert self.page_width() <= width, f"{self.page.url} scrolls sideways at {width} px: {self._too_wide()}"
        self.page.set_viewport_size({"width": size["width"], "height": size["height"]})

    def page_width(self) -> int:
        return int(self.page.evaluate("document.documentElement.scrollWidth"))

    def _too_wide(self) -> Any:
        """What sticks out, for the message of a test that failed."""
        return self.page.evaluate(
            "() => [...document.querySelectorAll('body *')]"
            ".filter((each) => each.getBoundingClientRect().right > innerWidth + 0.5)"
            ".map((each) => each.outerHTML.slice(0, 120)).slice(0, 5)"
        )

    def violations(self) -> list[str]:
        """What axe finds. It comes in through the debugger, so that the page's own policy need not let it in."""
        self._debugger.send("Runtime.evaluate", {"expression": f"{_axe()};0"})
        run = (
            f"axe.run(document, {{runOnly: {json.dumps(AXE_TAGS)}}}).then((found) => JSON.stringify(found.violations))"
        )
        answer = self._debugger.send(
            "Runtime.evaluate", {"expression": run, "awaitPromise": True, "returnByValue": True}
        )
        assert "exceptionDetails" not in answer, answer
        return [
            f"{each['id']}: {each['help']}: {node['html'][:200]}: {node['failureSummary']}"
            for each in json.loads(answer["result"]["value"])
            for node in each["nodes"]
        ]


@cache
def _axe() -> str:
    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")


def programs_session(context: BrowserContext, world: World) -> requests.Session:
    """A session for programs, signed in as this browser is: answers can be read before any browser acts on them."""
    session = new_session()
    session.headers["Accept"] = "text/html"
    for cookie in context.cookies(world.url):
        session.cookies.set(cookie["name"], cookie["value"], domain="localhost.local", path="/", secure=True)
    return session
