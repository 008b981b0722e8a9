"""What customers do with a standing consent: set it up, pay under it, approve it anew, end it, stop everything."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from typing_extensions import override

from app.demo.browser import LostError, Page, csrf_of
from tests.faults.kill.course import Broken, Course
from tests.faults.storm.compare import NOT_KNOWN

#: what is agreed on: by no calendar, whose first periods may have but a day left, and enough for every magic amount
TERMS = {"each": "1200.00", "limit_month": "", "limit_fortnight": "4000.00", "until": "day", "ends_on": "2027-12-23"}
#: who has set up so many, or has been at the bank so often for one, gives up: a kill and a fault cost one of each
CONSENTS_MOST, VISITS_MOST = 3, 4
#: of the bill that is paid with another one
OTHER_AMOUNT = "61.10"
#: until a person who has come back, and sees no change, goes on
MOMENT_S = 15

#: of a consent's page, where it stands
STANDS, STOPPED_THERE = "In force", "Cannot be used at the moment"
STOPPED, NOT_SET_UP = "Stopped", "Not set up"
OVER = (STOPPED, NOT_SET_UP, "Not approved in time", "Ended")
#: what the page of a payment says of which nobody can be asked any more
_UNTOLD = "can no longer tell us"

_COMPANY = re.compile(r"/companies/[a-z]+_[0-9a-f]{32}")
_CONSENT = re.compile(r"/consents/(con_[0-9a-f]{32})")


@dataclass
class StandingCourse(Course):
    """A cell of a standing consent. Who pays does it under the consent, and sees to it before that it stands."""

    consent: str = ""  #: the last one at the bank of the story
    told: set[tuple[str, str]] = field(default_factory=set)  #: (consent, where its page said that it stands)
    _known: set[str] = field(default_factory=set)  #: consents that were there before

    def __post_init__(self) -> None:
        super().__post_init__()
        self.consent = self.house.consents.get(self.story.bank, "")
        self._known = set(self.house.consents.values())

    @override
    def _pay(self, way: str) -> None:
        match way:
            case "takes it back":
                self._take_back()
                self._try_in_vain()
            case "stops everything":
                self._stop_everything()
                self._try_in_vain()
            case "pays two at once":
                self._pay_two()
            case _:
                self._pay_under(way)

    def _pay_under(self, way: str) -> None:
        """One signature, and no visit to the bank; and then perhaps the end of the consent."""
        self._see_that_it_stands()
        self.payments.append(self._decide())
        does, _, when = way.partition(", ")
        if when == "later":
            self._wait_a_moment()
        if does == "pays and takes it back":
            self._take_back()
        elif does == "pays and stops everything":
            self._stop_everything()

    def _pay_two(self) -> None:
        """This bill and another one, with one signature: both are decided, or none is."""
        self._see_that_it_stands()
        first = self._invoice
        self.house.deliver(number="K-2", amount=OTHER_AMOUNT, bank=self.story.bank)
        self._invoice = ""
        self._find("K-2")
        second, self._invoice = self._invoice, first
        while not (taken := self._payments_of(second, first)):
            with contextlib.suppress(LostError):
                self._sign_both(first, second)
        self.payments += taken

    def _payments_of(self, *bills: str) -> list[str]:
        """One of each; none where nobody decided about any of them. Raises Broken for anything between."""
        while True:
            pages = {bill: self.customer.open(bill) for bill in bills}
            free = [bool(page.links(f"{bill}/pay")) for bill, page in pages.items()]
            if all(free):
                return []
            if any(free):
                raise Broken(f"of {len(bills)} bills that were signed at once {free.count(False)} are decided")
            links = [link for page in pages.values() for link in page.links("/payments/pay_")]
            taken = list(dict.fromkeys(link.removeprefix("/payments/").partition("/")[0] for link in links))
            if len(taken) == len(bills):
                return taken
            self.customer.pause("not every payment that was decided is prepared")

    def _sign_both(self, *bills: str) -> None:
        page = self.customer.open("/together")
        form = page.form("bill")
        if form is None:
            raise Broken("no bills can be chosen")
        chosen: dict[str, Any] = {**form[1], "bill": [bill.removeprefix("/bills/") for bill in bills]}
        self.customer.ask("POST", form[0], data=chosen)
        page = self.customer.open("/together/sign")
        signed = page.form("credential")
        if signed is None:
            raise Broken("they cannot be signed at once")
        address, fields = signed
        asked = self.customer.post_json("/together/sign/ceremony", page.order, csrf=csrf_of(page))
        credential = json.dumps(self.house.passkey.sign(asked["publicKey"]))
        done = self.customer.post_form(address, {**fields, "ceremony": asked["ceremony"], "credential": credential})
        if "/together?signed" not in (done.location or ""):
            raise Broken(f"the decisions led to {done.location}")
        for payment in self._payments_of(*bills):
            self.acknowledged[payment] = self.now

    @override
    def _under(self) -> str:
        return f"consent={self.consent}"

    @override
    def _look(self, payment: str) -> str:
        """Who reads that the bank tells us nothing any more has it written to us by the bank."""
        word = super()._look(payment)
        if word == NOT_KNOWN and _UNTOLD in self.customer.open(f"/payments/{payment}").words:
            self.house.resolve(payment)
            word = super()._look(payment)
        return word

    def _wait_a_moment(self) -> None:
        """A person's: the worker does what is due."""
        self.house.clock.move(seconds=MOMENT_S)
        self._work()

    # ---------------------------------------------------------------------------------------------------- setting it up

    def set_up(self) -> str:
        """Until one stands, as a person would. Returns its id."""
        for _ in range(CONSENTS_MOST):
            self.consent = self._agree()
            if self._bring_to_stand():
                return self.consent
        raise Broken(f"{CONSENTS_MOST} consents were agreed on, and none stands")

    def _see_that_it_stands(self) -> None:
        if not self.consent or not self._bring_to_stand():
            self.set_up()

    def _agree(self) -> str:
        """Sign exactly these limits. After a lost answer the list is looked at before anything is repeated."""
        while True:
            links = self.customer.open("/consents").links("/consents/con_")
            found = {match[1] for link in links if (match := _CONSENT.fullmatch(link))} - self._known
            if found:
                self._known |= found
                return min(found)
            try:
                self._sign_terms()
            except LostError:
                continue

    def _sign_terms(self) -> None:
        [company] = {link for link in self.customer.open("/companies").links("/companies/") if _COMPANY.fullmatch(link)}
        [path] = {link for link in self.customer.open(company).links("/companies/") if link.endswith("/consent")}
        form = self.customer.open(f"{path}?bank={self.story.bank}").form("each")
        if form is None:
            raise Broken("no consent can be set up")
        address, fields = form
        page = self.customer.post_form(address, {**fields, **TERMS})
        signed = page.form("credential")
        if signed is None:
            raise Broken(f"the consent cannot be signed: {page.words[:300]}")
        address, fields = signed
        asked = self.customer.post_json(f"{path}/ceremony", page.order, csrf=csrf_of(page))
        credential = json.dumps(self.house.passkey.sign(asked["publicKey"]))
        self.customer.post_form(address, {**fields, "ceremony": asked["ceremony"], "credential": credential})

    def _bring_to_stand(self) -> bool:
        """Go to the bank whenever the page says that it is to be approved there. False: it is over."""
        visits = 0
        while True:
            page, word = self._read()
            if word == STANDS:
                return True
            if word in OVER:
                return False
            path = f"/consents/{self.consent}"
            doors = [door for door in (f"{path}/leave", f"{path}/renew") if page.links(door)]
            if not doors:
                self.customer.pause(f"the consent is called: {word}")
            elif visits < VISITS_MOST:
                visits += 1
                self._visit_for_it(doors[0])
            else:
                raise Broken(f"after {visits} visits to the bank the consent is called: {word}")

    def _read(self) -> tuple[Page, str]:
        """Its page, and what that says of where it stands."""
        page = self.customer.open(f"/consents/{self.consent}")
        word = str(page.tree.xpath("string(//p[@class='state'])")).strip()
        if not word:
            raise Broken(f"the page does not say where the consent stands: {page.words[:200]}")
        self.told.add((self.consent, word))
        return page, word

    def _visit_for_it(self, door: str) -> None:
        """There and back, and then a moment."""
        path = f"/consents/{self.consent}"
        if not self.customer.open(door).links(f"{path}/bank"):
            self.customer.pause("the bank was not told of the consent")
            return
        gone = self._gone(path)
        if gone is None:
            return
        if gone:
            self.customer.come_back(self._visit(gone, "pays"))
        self._wait_a_moment()

    # -------------------------------------------------------------------------------------------------- and its end

    def _take_back(self) -> None:
        """Pressed until the page does not offer it any more."""
        self._press(f"/consents/{self.consent}", f"/consents/{self.consent}/stop", until=lambda page: False)
        self._read()

    def _stop_everything(self) -> None:
        self._press("/stop", "/stop", until=lambda page: "Everything is stopped" in page.words)

    def _press(self, path: str, action: str, *, until: Callable[[Page], bool]) -> None:
        """The button of this form. After a lost answer the page is looked at before anything is repeated."""
        while True:
            page = self.customer.open(path)
            forms = [form for form in page.tree.forms if str(form.get("action")) == action]
            if until(page) or not forms:
                return
            try:
                self.customer.post_form(action, dict(forms[0].form_values()))
            except LostError:
                continue

    def _try_in_vain(self) -> None:
        """From that moment on nothing can be signed under it."""
        if self.customer.open(f"{self._invoice}/pay?{self._under()}").order:
            raise Broken("a consent that was taken back is offered to pay under")
