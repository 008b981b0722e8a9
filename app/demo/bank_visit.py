"""A customer at the bank's own pages: signs in, approves, and is led back."""

from __future__ import annotations

from dataclasses import dataclass

from app.demo.browser import Browser, LostError, Page
from app.demo.steps import DisagreementError

PIN = "1234"


@dataclass
class BankVisit:
    """``customer`` is who signs in there."""

    browser: Browser
    customer: str
    _at: str = ""
    _page: Page | None = None

    @property
    def page(self) -> Page:
        """That the customer sees now."""
        if self._page is None:
            raise DisagreementError("no page of the bank was opened yet")
        return self._page

    def arrive(self, address: str) -> Page:
        """Where the bank's own address leads to."""
        self._page = self.browser.open(address)
        self._at = self._page.url
        return self._page

    def choose(self, words: str) -> Page:
        """What the bank's app asks in these words."""
        links = self.page.tree.xpath("//ul[@id='waiting']//a")
        found = [str(link.get("href")) for link in links if " ".join(link.text_content().split()) == words]
        if not found:
            raise DisagreementError(f"the app does not ask about {words}")
        return self.arrive(found[0])

    def sign_in_first(self) -> str:
        """Before there is any payment. The address that leads back."""
        self._fill_in(until="way back")
        return str(self.page.tree.xpath("string(//a[@id='way-back']/@href)"))

    def sign_in(self) -> Page:
        """Until the bank asks what is decided."""
        self._fill_in(until="decision")
        return self.page

    def approve(self) -> str:
        """The address that leads back."""
        self._fill_in(until="way back")
        return str(self.page.tree.xpath("string(//a[@id='way-back']/@href)"))

    def _fill_in(self, *, until: str) -> None:
        """The bank's forms, until the wanted page is there. A form whose answer was lost is looked at anew."""
        while True:
            page = self.page
            if page.tree.xpath("//a[@id='way-back']"):
                return
            sign_in = page.form("pin")
            if sign_in is None and until == "decision":
                return
            try:
                self._page = self._send(page, sign_in)
            except LostError as error:
                self.browser.seen.append(str(error))
                self._page = self.browser.open(self._at)

    def _send(self, page: Page, sign_in: tuple[str, dict[str, str]] | None) -> Page:
        if sign_in is not None:
            address, fields = sign_in
            answer = self.browser.post_form(address, {**fields, "customer": self.customer, "pin": PIN})
        else:
            decision = page.form("account")
            if decision is None:
                raise DisagreementError("the bank shows neither sign-in nor decision")
            address, fields = decision
            answer = self.browser.post_form(address, {**fields, "decision": "approve"})
        return self.browser.open(answer.location or self._at)
