"""One cell: a customer pays a bill at pages and a bank, a process dies at its point, and another one takes over."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from typing_extensions import override

from app.demo.browser import Browser, LateError, LostError, Page, RefusedError, csrf_of
from tests.faults.kill.house import House, Resident, serve, work
from tests.faults.kill.plan import Cell
from tests.faults.kill.processes import GONE_S, Died, Process, forked
from tests.faults.kill.stories import HORIZON, WEB, WORKER, Story
from tests.faults.storm.compare import KEPT, MAY_PAY, NOT_DONE, NOT_KNOWN, PAID, Said

PIN = "1234"
#: between two things that a person does
MOMENT_S = 0.05
#: what is paid of a bill first, where it is paid in parts
PART = "30.00"
#: until which day, the second after the begin on which banks work, the bank keeps what it is given for later
KEPT_UNTIL = "2026-11-03"
#: looks for work until everything has ended: many more than any bank needs here
ROUNDS_MOST = 150
#: for real, of a whole cell
PATIENCE_S = 60.0
#: what is said where a bank wants the request before its customer, and does not take it
BANK_AWAY = 409

_PAYMENT = re.compile(r"/payments/(pay_[0-9a-f]{32})")


class Broken(Exception):
    """The cell did not come to its end, and no rule of the product says why."""


class Customer(Browser):
    """A browser at our pages. Where somebody would wait, the worker works and time goes by."""

    def __init__(self, course: Course) -> None:
        super().__init__(course.house.services.settings.base_url)
        self.course = course

    @override
    def ask(self, method: str, path: str, **more: Any) -> Page:
        self.course.house.clock.move(seconds=MOMENT_S)
        self.course.revive()
        try:
            return super().ask(method, path, **more)
        except LostError:
            self.course.wait_for_death()
            raise

    @override
    def open(self, path: str) -> Page:
        page = super().open(path)
        if urlsplit(page.url).path == "/" and path != "/":  # the sign-in has run out
            self.sign_in(page)
            page = super().open(path)
        return page

    @override
    def pause(self, what: str) -> None:
        self.course.tick(what)

    def sign_up(self) -> None:
        csrf = csrf_of(self.open("/"))
        begun = self.post_json("/passkeys/new", {"name": "Camille Laurent", "email": "c@example.org"}, csrf=csrf)
        made = {"ceremony": begun["ceremony"], "credential": self.course.house.passkey.make(begun["publicKey"])}
        self.post_json("/passkeys/new/done", made, csrf=csrf)

    def sign_in(self, page: Page) -> None:
        begun = self.post_json("/passkeys/use", {}, csrf=csrf_of(page))
        signed = {"ceremony": begun["ceremony"], "credential": self.course.house.passkey.sign(begun["publicKey"])}
        self.post_json("/passkeys/use/done", signed, csrf=csrf_of(page))

    @property
    def cookies(self) -> Any:
        return self._session.cookies


@dataclass
class Course:
    """What happens in a cell, and what was seen of it. Without a cell nobody dies."""

    house: House
    story: Story
    cell: Cell | None = None
    resident: Resident | None = None  #: instead of processes
    killed: bool = False
    bill: str = ""
    payments: list[str] = field(default_factory=list)
    acknowledged: dict[str, float] = field(default_factory=dict)  #: payment → when its decision was
    said: list[Said] = field(default_factory=list)
    _invoice: str = ""  #: path of the bill's page
    _processes: dict[str, Process | Resident] = field(default_factory=dict)
    _rounds: int = 0
    _until: float = field(default_factory=lambda: time.monotonic() + PATIENCE_S)
    customer: Customer = field(init=False)

    def __post_init__(self) -> None:
        self.customer = Customer(self)
        self.customer.until = self._until
        if self.house.cookies is not None:
            self.customer.cookies.update(self.house.cookies)

    @property
    def now(self) -> float:
        return self.house.clock().timestamp()

    def run(self, *, number: str = "K-1") -> None:
        """From the bill's delivery until no work is left. Raises Broken."""
        try:
            self.bill = self.house.deliver(number=number, amount=self.story.amount, bank=self.story.bank)
            self._find(number)
            self._pay(self.story.customer)
            self._come_to_an_end()
        except (LateError, LostError, RefusedError, TimeoutError) as error:
            raise Broken(f"{type(error).__name__}: {error}") from error
        finally:
            self.end()

    def end(self) -> None:
        """The processes are no longer needed."""
        for process in self._processes.values():
            if process is not self.resident:
                process.end()
        self._processes.clear()

    # ----------------------------------------------------------------------------------------------- deaths and time

    def revive(self) -> None:
        """Who has died is followed by another one. Raises Broken when it was not its point that it died at."""
        self.house.town.british.revive()
        for name in (WEB, WORKER):
            process = self._processes.get(name)
            if process is not None and not process.is_gone():
                continue
            if process is not None:
                self._note_death(name, process)
            self._processes[name] = self._started(name)

    def _note_death(self, name: str, process: Process | Resident) -> None:
        process.end()
        is_victim = self.cell is not None and name == self.cell.who and not self.killed
        if not is_victim or not process.was_killed:
            raise Broken(f"the {name} process ended by itself, status {process.status}")
        self.killed = True

    def _started(self, name: str) -> Process | Resident:
        if self.resident is not None:
            return self.resident
        cell, failpoint = self.cell, None
        if cell is not None and cell.who == name and not self.killed:
            failpoint = f"{cell.point}:{cell.nth}"
        hurried = self.story.hurried
        if name == WORKER:
            return forked(work(self.house, failpoint=failpoint, hurried=hurried))
        quicker = cell is not None and cell.who == WORKER
        return forked(serve(self.house, failpoint=failpoint, hurried=hurried, worker_is_quicker=quicker))

    def wait_for_death(self) -> None:
        """A connection broke: its process is about to be gone, or answers no more for another reason."""
        self._processes[WEB].is_gone(within_s=GONE_S if self.cell and self.cell.who == WEB and not self.killed else 0.1)

    def tick(self, what: str) -> None:
        """All that is due is done; when that is nothing, it is later. Raises LateError when this goes on too long."""
        self._go_on(what)
        done, due = self._work()
        if not done and due is not None:
            self.house.clock.set(max(due, self.house.clock()))
        elif not done:
            self.house.clock.move(seconds=1)

    def _go_on(self, what: str) -> None:
        self._rounds += 1
        if self._rounds > ROUNDS_MOST or time.monotonic() > self._until:
            raise LateError(f"{what}, after {self._rounds} rounds")

    def _work(self) -> tuple[int, dt.datetime | None]:
        """How many pieces were done, and when the next is due."""
        while True:
            self.revive()
            try:
                answer = self._processes[WORKER].ask("work")
            except Died:
                continue
            due = answer["next"]
            return answer["done"], dt.datetime.fromisoformat(due) if due else None

    # ------------------------------------------------------------------------------------------- what the customer does

    def _find(self, number: str) -> None:
        while not self._invoice:
            page = self.customer.open("/bills?show=to-pay")
            for card in page.tree.xpath("//li[contains(@class, 'card')]"):
                if number in card.text_content():
                    self._invoice = str(card.xpath("string(.//h2/a/@href)"))
            if not self._invoice:
                self.customer.pause("the bill is not in the customer's space")

    def _pay(self, way: str) -> None:
        """Decide, go to the bank, come back: as far as this customer goes."""
        payment = self._decide()
        self.payments.append(payment)
        if way == "stops":
            self._stop(payment)
        if way in ("stops", "never goes"):
            return
        link = self._leave(payment)
        way_back = self._visit(link, way) if link else ""
        if way == "approves and stops":
            self._stop(payment)
        if not way_back or way in ("never comes back", "approves and stops"):
            return
        if way == "stops on the way back":
            self._stop_at_once(payment, way_back)
        browser = Customer(self) if way == "other browser" else self.customer
        for _ in range(2 if way == "comes back twice" else 1):
            browser.come_back(way_back)
        self._look(payment)
        if way == "has it kept and takes it back":
            self._take_back_kept(payment)

    def _decide(self) -> str:
        """Sign exactly this order. After a lost answer the bill is looked at before anything is repeated."""
        while True:
            page = self.customer.open(self._invoice)
            known = [match[1] for link in page.links("/payments/") if (match := _PAYMENT.match(link))]
            taken = [payment for payment in known if payment not in self.payments]
            if taken:
                return str(taken[0])
            if page.links(f"{self._invoice}/pay"):
                try:
                    return self._sign()
                except LostError:
                    continue
            self.customer.pause("the bill can neither be paid nor is a payment of it under way")

    def _sign(self) -> str:
        page = self.customer.open(f"{self._invoice}/pay?{self._under()}")
        form = page.form("credential")
        if form is None or not page.order:
            raise Broken("the page cannot be signed")
        address, fields = form
        asked = self.customer.post_json(f"{self._invoice}/pay/ceremony", page.order, csrf=csrf_of(page))
        signed = json.dumps(self.house.passkey.sign(asked["publicKey"]))
        done = self.customer.post_form(address, {**fields, "ceremony": asked["ceremony"], "credential": signed})
        found = _PAYMENT.search(done.location or "")
        if found is None:
            raise Broken(f"the decision led to {done.location}")
        self.acknowledged[found[1]] = self.now
        return found[1]

    def _under(self) -> str:
        """By what it is paid, as the address of the page says it that is signed: the first time as the story goes."""
        bank = f"bank={self.story.bank}"
        if self.payments:
            return bank
        if self.story.customer == "pays a part":
            return f"{bank}&part={PART}"
        if self.story.customer.startswith("has it kept"):
            return f"{bank}&on={KEPT_UNTIL}"
        return bank

    def _stop(self, payment: str) -> None:
        """Here, while nobody but us could make it happen."""
        while True:
            page = self.customer.open(f"/payments/{payment}")
            if self._stopped(page) or self._word(page) == NOT_DONE:
                return
            self.customer.pause("the payment can not be stopped")

    def _take_back_kept(self, payment: str) -> None:
        """Pressed on the page of what the bank keeps, once that stands there, until it is not offered any more."""
        path = f"/payments/{payment}"
        while (word := self._look(payment)) not in (PAID, NOT_DONE):
            page = self.customer.open(path)
            form = next((form for form in page.tree.forms if form.get("action") == f"{path}/take-back"), None)
            if form is not None:
                with contextlib.suppress(LostError):
                    self.customer.post_form(f"{path}/take-back", dict(form.form_values()))
            elif word == KEPT:
                return
            else:
                self.customer.pause("the bank does not keep the payment yet")

    def _stop_at_once(self, payment: str, way_back: str) -> None:
        """Before anybody has more time than the redirect itself takes; too late more often than not."""
        with contextlib.suppress(LostError):
            self.customer.ask("GET", way_back)
        with contextlib.suppress(LostError, RefusedError):  # it died again, or the bank has it since the page was made
            self._stopped(self.customer.ask("GET", f"/payments/{payment}"))

    def _stopped(self, page: Page) -> bool:
        """Whether this page lets it be stopped: then it was."""
        for form in page.tree.forms:
            if str(form.get("action") or "").endswith("/cancel"):
                self.customer.post_form(str(form.get("action")), dict(form.form_values()))
                return True
        return False

    def _leave(self, payment: str) -> str:
        """The bank's address; empty when there is nothing to approve any more."""
        path = f"/payments/{payment}"
        page = self.customer.wait_for(
            f"{path}/leave",
            lambda page: bool(page.links(f"{path}/bank")) or not page.url.endswith("/leave"),
            what="the bank was not told of the payment",
        )
        if not page.links(f"{path}/bank"):
            return ""
        while (gone := self._gone(path)) is None:
            pass
        return gone

    def _gone(self, path: str) -> str | None:
        """The bank's address, by the door of what is to be approved; empty: there is nothing to approve any more. None:
        the bank takes no request now."""
        try:
            gone = self.customer.get(f"{path}/bank").location or ""
        except RefusedError as error:
            if error.status != BANK_AWAY:
                raise
            self.customer.pause("the bank takes no request")
            return None
        return gone if gone.startswith(f"{self.house.town.address_of(self.story.bank)}/") else ""

    def _visit(self, link: str, way: str) -> str:
        """The bank's pages. Returns the way back; empty for a customer who closes the window."""
        bank = Browser(self.house.town.address_of(self.story.bank), self._until)
        if self.story.bank != HORIZON:
            bank.trust(self.house.town.british.authority)
        page = bank.open(link)
        address = page.url
        if way == "looks and goes away":
            return ""
        if way == "hesitates":
            self.house.clock.move(minutes=14)
        while not (back := str(page.tree.xpath("string(//a[@id='way-back']/@href)"))):
            self.house.clock.move(seconds=MOMENT_S)
            sign_in = page.form("pin")
            form = sign_in or page.form("form_token")
            if form is None:
                raise Broken(f"the bank shows neither a form nor the way back: {page.words[:200]}")
            fields = form[1] | {"decision": "refuse" if way == "refuses" else "approve"}
            if sign_in:
                fields |= {"customer": "camille", "pin": "9999" if way == "wrong PIN" else PIN}
            try:
                page = bank.open(bank.post_form(form[0], fields).location or address)
            except RefusedError:  # a wrong PIN: the form again
                page = bank.open(address)
        return back

    # -------------------------------------------------------------------------------------------------- the end of it

    def _come_to_an_end(self) -> None:
        """Until no work is left. A customer who is told that they may pay again does so at once, and in vain or not."""
        done_with = not self.payments
        while True:
            _, due = self._work()
            if not done_with:
                word = self._look(self.payments[-1])
                if (
                    word in (PAID, NOT_DONE, NOT_KNOWN)
                    and self._may_pay()
                    and len(self.payments) < self.story.tries_most
                ):
                    self._pay("pays")
                    continue
                done_with = word in (PAID, NOT_DONE)
            if due is None:
                break
            self._go_on("there is still work")
            self.house.clock.set(max(due, self.house.clock()))
        if not self.story.paid:  # what was true when it was said may have changed since
            self._may_pay()
            for payment in self.payments:
                self._look(payment)

    def _look(self, payment: str) -> str:
        """What the payment's page says, kept for the judge."""
        asked_at = self.now
        path = f"/payments/{payment}"
        try:
            page = self.customer.open(path)
        except RefusedError:  # it shows nothing to who is not signed in
            self.customer.open("/bills")
            page = self.customer.open(path)
        word = self._word(page)
        if word:
            self.said.append(Said(by="page", word=word, asked_at=asked_at, heard_at=self.now, payment=payment))
        return word

    def _may_pay(self) -> bool:
        """What the bill's page says, kept for the judge."""
        asked_at = self.now
        page = self.customer.open(self._invoice)
        word = ""
        if page.links(f"{self._invoice}/pay"):
            word = MAY_PAY
        elif any(str(chip.text_content()).strip() == "Paid" for chip in page.tree.xpath("//span[@class='chip']")):
            word = PAID
        if word:
            self.said.append(Said(by="bill page", word=word, asked_at=asked_at, heard_at=self.now, bill=self.bill))
        return word == MAY_PAY

    @staticmethod
    def _word(page: Page) -> str:
        words = str(page.tree.xpath("string(//div[contains(@class, 'truth ')]/@class)")).split()
        found = next((word for word in words if word.startswith("truth-")), "truth-")
        return found.removeprefix("truth-").replace("-", "_")
