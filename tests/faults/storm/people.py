"""Customers: each with a passkey and a browser, and with the habits that people have."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from queue import Empty, Queue
from typing import Any, ClassVar
from urllib.parse import urlsplit

from lxml import html
from typing_extensions import override

from app.demo.authenticator import Authenticator, NoCredentialError
from app.demo.browser import Browser, LateError, LostError, Page, RefusedError, csrf_of
from tests.faults.storm.history import History

PIN = "1234"
#: a customer gives one thing up after so long
PATIENCE_S = 25.0
#: between two clicks on the same link
PAUSE_S = 0.4
#: how often somebody starts again when nothing happens
TRIES_MOST = 3

_PAYMENT = re.compile(r"/payments/(pay_[0-9a-f]{32})")
#: what can go wrong in a browser when programs die
HICCUPS = (LateError, LostError, RefusedError, NoCredentialError, html.etree.ParserError)


@dataclass(frozen=True)
class Bill:
    """A bill whose delivery was acknowledged."""

    id: str
    number: str
    slug: str


@dataclass(frozen=True, kw_only=True)
class BankSite:
    """Where a bank's pages are, and by which address we know it: that one leads through a link."""

    url: str
    known_as: str
    authority: str = ""  #: of its certificate; empty: it has none


@dataclass(frozen=True)
class Watched:
    """What an observer looks at."""

    payment: str
    invoice: str  #: path of the bill's page
    bill: Bill
    customer: Customer


class CountingBrowser(Browser):
    """A browser that keeps count of the answers: ``outcomes`` is shared by all."""

    outcomes: ClassVar[Counter[str]] = Counter()
    guard: ClassVar[threading.Lock] = threading.Lock()

    @override
    def ask(self, method: str, path: str, **more: Any) -> Page:
        try:
            page = super().ask(method, path, **more)
        except LostError as error:
            first = str(error).partition(" ")[0]
            self._count(first if first.isdigit() else f"none: {str(error).rpartition(' ')[2]}")
            raise
        except RefusedError as error:
            self._count(str(error.status))
            raise
        self._count(str(page.status))
        return page

    def _count(self, outcome: str) -> None:
        with self.guard:
            self.outcomes[outcome] += 1

    @override
    def pause(self, what: str) -> None:
        """People click again less often than programs do."""
        if time.monotonic() < self.until:
            time.sleep(PAUSE_S)
        super().pause(what)

    def tab(self) -> CountingBrowser:
        """Another tab, which may be used at the same time: the same cookies, its own connections."""
        other = CountingBrowser(self.origin, self.until)
        other._session.cookies.update(self._session.cookies)
        return other

    def learn(self, other: Browser) -> None:
        """Take over the cookies that another tab was given."""
        self._session.cookies.update(other._session.cookies)

    def forget(self, prefix: str) -> None:
        jar: CookieJar = self._session.cookies
        for cookie in list(jar):
            if cookie.name.startswith(prefix):
                jar.clear(cookie.domain, cookie.path, cookie.name)


class SyncedPasskey(Authenticator):
    """One that lives on several devices: it does not count, so two tabs can sign at once."""

    @override
    def sign(self, options: Any) -> dict[str, Any]:
        with _SIGNING:
            for credential in self._credentials.values():
                credential.count = -1  # the signature then carries 0, as those of synced passkeys do
            return super().sign(options)


_SIGNING = threading.Lock()


@dataclass
class Customer:
    """One person. ``run`` lives until ``stop``."""

    name: str
    base_url: str
    bank_sites: Sequence[BankSite]
    dice: random.Random
    history: History
    stop: threading.Event
    watch: Callable[[Watched], None]
    browser: CountingBrowser = field(init=False)
    passkey: SyncedPasskey = field(init=False)
    wallet: Queue[Bill] = field(default_factory=Queue)
    #: bills that may still be unpaid, to come back to
    unpaid: list[Bill] = field(default_factory=list)
    #: what was put off: (monotonic time, what)
    later: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.browser = CountingBrowser(self.base_url)
        self.passkey = SyncedPasskey(self.base_url)

    @property
    def email(self) -> str:
        return f"{self.name.lower()}@example.org"

    # --------------------------------------------------------------------------------------------- signing up and in

    def sign_up(self) -> None:
        """Before the storm: make a passkey and a space."""
        browser = self.browser
        browser.until = time.monotonic() + 60
        csrf = csrf_of(browser.open("/"))
        begun = browser.post_json("/passkeys/new", {"name": self.name, "email": self.email}, csrf=csrf)
        made = {"ceremony": begun["ceremony"], "credential": self.passkey.make(begun["publicKey"])}
        browser.post_json("/passkeys/new/done", made, csrf=csrf)

    def sign_in_again(self) -> None:
        """When the sign-in has run out."""
        browser = self.browser
        page = browser.open("/")
        if urlsplit(page.url).path != "/":
            return
        begun = browser.post_json("/passkeys/use", {}, csrf=csrf_of(page))
        signed = self.passkey.sign(begun["publicKey"])
        browser.post_json(
            "/passkeys/use/done", {"ceremony": begun["ceremony"], "credential": signed}, csrf=csrf_of(page)
        )

    # ----------------------------------------------------------------------------------------------------- every day

    def run(self) -> None:
        while not self.stop.is_set():
            self._do_what_was_put_off()
            bill = self._next_bill()
            if bill is None:
                self.stop.wait(0.2)
                continue
            self.browser.until = time.monotonic() + PATIENCE_S
            try:
                self.pay(bill)
            except HICCUPS:
                self.unpaid.append(bill)  # another day
            self.stop.wait(self.dice.uniform(0.0, 0.5))

    def _do_what_was_put_off(self) -> None:
        due = [entry for entry in self.later if entry[0] <= time.monotonic()]
        for entry in due:
            self.later.remove(entry)
            self.browser.until = time.monotonic() + PATIENCE_S
            try:
                entry[1]()
            except HICCUPS:
                continue

    def _put_off(self, what: Callable[[], None], *, least_s: float, most_s: float) -> None:
        self.later.append((time.monotonic() + self.dice.uniform(least_s, most_s), what))

    def _next_bill(self) -> Bill | None:
        if self.unpaid and self.dice.random() < 0.25:
            return self.unpaid.pop(self.dice.randrange(len(self.unpaid)))
        try:
            return self.wallet.get_nowait()
        except Empty:
            return self.unpaid.pop(0) if self.unpaid and self.dice.random() < 0.3 else None

    def pay(self, bill: Bill) -> None:
        """One bill from the inbox to the bank and back, as far as this person feels like it."""
        invoice = self._find(bill)
        if invoice is None:
            self.unpaid.append(bill)
            return
        payment = self._decide(invoice, bill)
        if payment is None:
            return
        if self.dice.random() < 0.35:
            self.unpaid.append(bill)  # they will look again, and pay again where the page says that they may
        self._go_to_bank(payment)

    def _find(self, bill: Bill) -> str | None:
        page = self.browser.open("/bills?show=to-pay")
        if urlsplit(page.url).path == "/":
            self.sign_in_again()
            page = self.browser.open("/bills?show=to-pay")
        for card in page.tree.xpath("//li[contains(@class, 'card')]"):
            if bill.number in card.text_content():
                return str(card.xpath("string(.//h2/a/@href)"))
        return None

    # ------------------------------------------------------------------------------------------------------ deciding

    def _decide(self, invoice: str, bill: Bill) -> str | None:
        """In one to three tabs at once, again when no answer comes. The payment's id; None when there is none."""
        for _ in range(TRIES_MOST):
            page = self.browser.open(invoice)
            known = [match[1] for link in page.links("/payments/") if (match := _PAYMENT.match(link))]
            if not page.links(f"{invoice}/pay"):
                if known and self.dice.random() < 0.5:
                    self._look_after(str(known[0]), invoice, bill)
                    return str(known[0])
                return None
            tabs = self.dice.choices((1, 2, 3), (60, 25, 15))[0]
            decided = self._in_tabs(tabs, lambda tab: self._sign(tab, invoice))
            for payment in decided:
                self.history.note("decided", payment=payment, invoice=invoice)
                self._look_after(payment, invoice, bill)
            if decided:
                return decided[0]
        return None

    def _look_after(self, payment: str, invoice: str, bill: Bill) -> None:
        self.watch(Watched(payment, invoice, bill, self))

    def _in_tabs(self, count: int, do: Callable[[CountingBrowser], str]) -> list[str]:
        """What came out of the tabs in which it worked."""
        found: list[str] = []

        def one(tab: CountingBrowser) -> None:
            try:
                found.append(do(tab))
            except HICCUPS:
                return

        tabs = [self.browser.tab() for _ in range(count)]
        threads = [threading.Thread(target=one, args=(tab,), daemon=True) for tab in tabs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for tab in tabs:
            self.browser.learn(tab)
        return found

    def _sign(self, tab: CountingBrowser, invoice: str) -> str:
        """Sign exactly this order and send the form; sometimes with a double click."""
        page = tab.open(f"{invoice}/pay")
        choice = [str(address) for address in page.tree.xpath("//ul[@id='banks']//a/@href")]
        if choice:  # no bank is known yet: that was the page to choose one
            page = tab.open(self.dice.choice(choice))
        form = page.form("credential")
        if form is None or not page.order:
            raise RefusedError(200, "the page cannot be signed")
        address, fields = form
        asked = tab.post_json(f"{invoice}/pay/ceremony", page.order, csrf=csrf_of(page))
        fields |= {"ceremony": asked["ceremony"], "credential": json.dumps(self.passkey.sign(asked["publicKey"]))}
        if self.dice.random() < 0.1:
            threading.Thread(target=_send_quietly, args=(tab.tab(), address, fields), daemon=True).start()
        done = tab.post_form(address, fields)
        found = _PAYMENT.search(done.location or "")
        if found is None:
            raise RefusedError(done.status, f"the decision led to {done.location}")
        return str(found[1])

    # --------------------------------------------------------------------------------------------------- at the bank

    def _go_to_bank(self, payment: str) -> None:
        mood = self.dice.random()
        if mood < 0.04:
            return  # something else came up
        if mood < 0.08:
            self._stop(payment)
            return
        path = f"/payments/{payment}"
        page = self.browser.wait_for(
            f"{path}/leave",
            lambda page: bool(page.links(f"{path}/bank")) or not page.url.endswith("/leave"),
            what="the bank was not told",
        )
        if not page.links(f"{path}/bank"):
            return
        gone = self.browser.get(f"{path}/bank").location or ""
        site = next((site for site in self.bank_sites if gone.startswith(f"{site.known_as}/")), None)
        if site is None:
            return
        at_bank = Browser(site.url, time.monotonic() + PATIENCE_S)
        if site.authority:
            at_bank.trust(site.authority)
        self._visit(at_bank, site.url + gone.removeprefix(site.known_as))

    def _stop(self, payment: str) -> None:
        page = self.browser.open(f"/payments/{payment}")
        for form in page.tree.forms:
            if str(form.get("action") or "").endswith("/cancel"):
                self.browser.post_form(str(form.get("action")), dict(form.form_values()))

    def _visit(self, bank: Browser, address: str) -> None:
        """Approve, refuse, think for a while, or close the window."""
        page = bank.open(address)
        mood = self.dice.random()
        if mood < 0.07:
            return
        if mood < 0.14:
            self._put_off(lambda: self._answer_bank(bank, page, "approve"), least_s=2, most_s=20)
        elif mood < 0.18:  # longer than we give them
            self._put_off(lambda: self._answer_bank(bank, page, "approve"), least_s=55, most_s=110)
        elif mood < 0.26:
            self._answer_bank(bank, page, "refuse")
        else:
            self._answer_bank(bank, page, "approve")

    def _answer_bank(self, bank: Browser, page: Page, decision: str) -> None:
        """Through the bank's forms. One whose answer was lost is looked at anew."""
        bank.until = time.monotonic() + PATIENCE_S
        address = page.url
        while not page.tree.xpath("//a[@id='way-back']"):
            sign_in = page.form("pin")
            form = sign_in or page.form("form_token")
            if form is None:
                return
            fields = form[1] | {"decision": decision}
            if sign_in:
                fields |= {"customer": "camille", "pin": PIN if self.dice.random() < 0.95 else "9999"}
            try:
                answer = bank.post_form(form[0], fields)
                page = bank.open(answer.location or address)
            except (LostError, RefusedError):
                bank.pause("the bank does not answer")
                page = bank.open(address)
        self._come_back(str(page.tree.xpath("string(//a[@id='way-back']/@href)")))

    # --------------------------------------------------------------------------------------------------- coming back

    def _come_back(self, way_back: str) -> None:
        """Once, twice at the same time, later again, in another browser, or never."""
        self.browser.until = time.monotonic() + PATIENCE_S
        mood = self.dice.random()
        if mood < 0.15:
            return
        if mood < 0.25:
            CountingBrowser(self.base_url, time.monotonic() + PATIENCE_S).come_back(way_back)
            if self.dice.random() < 0.5:
                return
        if mood < 0.40:
            self._in_tabs(2, lambda tab: tab.come_back(way_back).url)
        elif mood < 0.45:
            self._put_off(lambda: self._once_more(way_back), least_s=5, most_s=80)
            return
        else:
            self.browser.come_back(way_back)
        if self.dice.random() < 0.1:
            self._put_off(lambda: self._once_more(way_back), least_s=1, most_s=40)
        self.browser.forget("__Host-away")  # a browser holds few such journeys at once

    def _once_more(self, way_back: str) -> None:
        self.browser.come_back(way_back)


def _send_quietly(tab: CountingBrowser, address: str, fields: dict[str, str]) -> None:
    try:
        tab.post_form(address, fields)
    except HICCUPS:
        return
