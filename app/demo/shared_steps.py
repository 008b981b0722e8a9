"""What walks share: somebody new, a bill that reaches them, their signature, and what each side says afterwards."""

from __future__ import annotations

import datetime as dt
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import requests

from app.demo.api_client import BillersClient
from app.demo.authenticator import Authenticator, NoCredentialError
from app.demo.bank_visit import BankVisit
from app.demo.biller_files import client_of, folder_of
from app.demo.bills import DemoBill, walk_bill
from app.demo.browser import Browser, LostError, Page, RefusedError, csrf_of
from app.demo.cast import Person
from app.demo.runfile import Running
from app.demo.steps import DisagreementError, same, shows
from app.demo.truth import Truth
from app.demo.walked_bank import USUAL_BANK, WalkedBank, in_words

PAYMENT = re.compile(r"/payments/(pay_[0-9a-f]{32})")
_BILL = re.compile(r"/bills/inv_[0-9a-f]{32}\Z")


@dataclass
class Walk:
    """Somebody new, what one walk has found out so far, and the bill that it is about now."""

    running: Running
    data: Path
    truth: Truth
    customer: Person
    browser: Browser
    visit: BankVisit
    biller: Browser
    passkey: Authenticator
    client: BillersClient
    bill: DemoBill
    at: WalkedBank
    seen: list[str] = field(default_factory=list)
    address: str = ""
    acknowledged: dict[str, Any] = field(default_factory=dict)
    page: Page | None = None
    invoice: str = ""  #: path of the bill's page
    confirm_at: str = ""  #: and of the one on which its payment is signed
    payment_id: str = ""
    at_bank: str = ""  #: where our site sends the browser
    way_back: str = ""

    @classmethod
    def of(cls, truth: Truth, running: Running, data: Path, bank_id: str, *, cents: int) -> Self:
        """With a bill of so much, without VAT. Raises DemoError where the bank cannot be used."""
        at, person = WalkedBank.of(truth.services, bank_id), _somebody(secrets.token_hex(4))
        bill = _bill_of(cents, person, at)
        return cls(
            running=running,
            data=data,
            truth=truth,
            at=at,
            customer=person,
            browser=Browser(running.base_url),
            visit=BankVisit(Browser(at.url, _session=at.session()), at.customer),
            biller=Browser(running.biller_url),
            passkey=Authenticator(running.base_url),
            client=client_of(folder_of(data), running.base_url, bill.company.slug),
            bill=bill,
        )

    def turn_to_another(self, cents: int) -> None:
        """From now on it is about another bill of the same company, which is still to be delivered."""
        self.bill = _bill_of(cents, self.customer, self.at)
        self.acknowledged, self.page = {}, None
        self.invoice = self.confirm_at = self.payment_id = ""

    @property
    def browsers(self) -> tuple[Browser, ...]:
        return (self.browser, self.visit.browser, self.biller)

    @property
    def end_to_end_id(self) -> str:
        return self.payment_id.replace("_", "", 1)

    @property
    def here(self) -> Page:
        """The page that the step before has opened."""
        if self.page is None:
            raise DisagreementError("no page was opened yet")
        return self.page


def money(bill: DemoBill) -> str:
    """As our pages and the bank's write it for the walk's language."""
    return in_words(bill.company.currency, str(bill.total))


def _somebody(token: str) -> Person:
    return Person(
        key=token,
        name=f"Alix {token}",
        email=f"walk-{token}@example.org",
        locale="en",
        time_zone="Europe/London",
        street="1, rue de l’Essai",
        postcode="67000",
        city="Strasbourg",
        country="FR",
    )


def _bill_of(cents: int, customer: Person, at: WalkedBank) -> DemoBill:
    today = dt.datetime.now(dt.UTC).date()
    return walk_bill(token=secrets.token_hex(4), today=today, customer=customer, cents=cents, currency=at.currency)


# ------------------------------------------------------------------------------------------------- a bill reaches them


def sign_up(walk: Walk) -> str:
    """A new customer makes a passkey and has a space of their own."""
    while not _signed_up(walk):
        walk.browser.pause("nobody could sign up")
    return walk.customer.email


def _signed_up(walk: Walk) -> bool:
    """One try. After a lost answer the passkey itself tells whether the space was made."""
    csrf = csrf_of(walk.browser.open("/"))
    who = {"name": walk.customer.name, "email": walk.customer.email}
    try:
        begun = walk.browser.post_json("/passkeys/new", who, csrf=csrf)
        done = {"ceremony": begun["ceremony"], "credential": walk.passkey.make(begun["publicKey"])}
        walk.browser.post_json("/passkeys/new/done", done, csrf=csrf)
    except LostError as error:
        walk.seen.append(str(error))
        return _signs_in(walk)
    return True


def _signs_in(walk: Walk) -> bool:
    """Whether the passkey opens a space: the way to learn what became of a sign-up that was not answered."""
    browser = walk.browser
    csrf = csrf_of(browser.open("/"))

    def once() -> bool:
        begun = browser.post_json("/passkeys/use", {}, csrf=csrf)
        try:
            signed = walk.passkey.sign(begun["publicKey"])
            browser.post_json("/passkeys/use/done", {"ceremony": begun["ceremony"], "credential": signed}, csrf=csrf)
        except (RefusedError, NoCredentialError):
            return False
        return True

    return browser.patiently(once)


def connect(walk: Walk) -> str:
    """The customer makes a code, the biller redeems it, the customer accepts: then the biller has an address.

    Walked at the usual bank; at another one only the bank differs, and the two are brought over by the operator's verb.
    """
    if walk.at.id != USUAL_BANK:
        walk.address = walk.browser.patiently(
            lambda: walk.truth.connect(email=walk.customer.email, vat_id=walk.bill.company.vat_id)
        )
        return f"by the operator, in process: {walk.address}"
    code = walk.browser.patiently(lambda: _code(walk))
    presented = walk.browser.patiently(lambda: _calling(lambda: walk.client.redeem(code)))
    offer = walk.browser.wait_for(
        "/companies", lambda page: bool(_offers(page)), what="no company waits for the customer's answer"
    )
    walk.browser.patiently(lambda: _accept(walk, _offers(offer)[0]))
    while True:
        told = walk.browser.patiently(lambda: _calling(lambda: walk.client.redemption(presented["id"])))
        if told["status"] == "accepted":
            break
        walk.browser.pause(f"the redemption is {told['status']}")
    connection = walk.browser.patiently(lambda: _calling(lambda: walk.client.connection(told["connection_id"])))
    same("name of the customer", connection["customer_name"], walk.customer.name)
    walk.address = connection["address"]
    return f"with the code {code}: {walk.address}"


def _code(walk: Walk) -> str:
    """The code of the page, made when there is none."""
    page = walk.browser.open("/companies/code")
    if not _shown_codes(page):
        walk.browser.post_form("/companies/code", {"csrf_token": csrf_of(page)})
        page = walk.browser.open("/companies/code")
    return _shown_codes(page)[0]


def _shown_codes(page: Page) -> list[str]:
    return [str(each.text_content()).strip() for each in page.tree.find_class("code-big")]


def _offers(page: Page) -> list[str]:
    """Pages of the companies that wait for an answer."""
    return [str(link) for link in page.tree.xpath("//section[@aria-labelledby='offered']//a/@href")]


def _accept(walk: Walk, company: str) -> None:
    """After a lost answer the page tells whether it was taken: then there is no button any more."""
    page = walk.browser.open(company)
    shows(page, walk.bill.company.name)
    if any((form.get("action") or "").endswith("/accept") for form in page.tree.forms):
        walk.browser.post_form(f"{company}/accept", {"csrf_token": csrf_of(page)})


def deliver(walk: Walk) -> str:
    """The biller delivers a UBL bill through the API. The same bytes may be sent again."""
    content = walk.bill.content(walk.address)
    walk.acknowledged = walk.browser.patiently(lambda: _deliver(walk, content))
    return f"{walk.acknowledged['id']}, {len(content)} bytes of UBL"


def _deliver(walk: Walk, content: bytes) -> dict[str, Any]:
    return _calling(lambda: walk.client.deliver(content, walk.bill.media_type))


def _calling(call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A call of the biller's program, in the browser's words for what can go wrong."""
    try:
        return call()
    except requests.HTTPError as error:
        if error.response.status_code < 500:
            raise RefusedError(error.response.status_code, error.response.text) from error
        raise LostError(f"{error.response.status_code} to the biller") from error
    except requests.RequestException as error:
        raise LostError(f"no answer to the biller: {type(error).__name__}") from error


def inbox(walk: Walk) -> str:
    """The bill stands in the customer's space."""
    number = walk.bill.number
    page = walk.browser.wait_for("/bills", lambda page: number in page.words, what=f"{number} is not in the inbox")
    found = page.tree.xpath("//li[contains(., $number)]//a/@href", number=number)
    links = dict.fromkeys(str(link) for link in found if _BILL.fullmatch(link))
    same("bills of this number", len(links), 1)
    walk.invoice = next(iter(links))
    return walk.invoice.rpartition("/")[2]


# -------------------------------------------------------------------------------------------------- what they decide


def sign(walk: Walk) -> str:
    """The passkey signs exactly this order. After a lost answer the bill is looked at before anything is repeated."""
    while not walk.payment_id:
        try:
            walk.payment_id = _sign_once(walk)
        except LostError as error:
            walk.seen.append(str(error))
            walk.payment_id = _decided_already(walk)
    return walk.payment_id


def _sign_once(walk: Walk) -> str:
    done = signed(walk, f"{walk.invoice}/pay/ceremony")
    found = PAYMENT.search(done.location or "")
    if found is None:
        raise DisagreementError(f"the decision led to {done.location}")
    return found[1]


def signed(walk: Walk, ceremony: str) -> Page:
    """What the script of the page does, once: ``ceremony`` tells what is to be signed, and the form is sent with it."""
    browser, page = walk.browser, walk.here
    form = page.form("credential")
    if form is None or not page.order:
        raise DisagreementError("the page cannot be signed")
    address, fields = form
    asked = browser.post_json(ceremony, page.order, csrf=csrf_of(page))
    credential = json.dumps(walk.passkey.sign(asked["publicKey"]))
    return browser.post_form(address, {**fields, "ceremony": asked["ceremony"], "credential": credential})


def _decided_already(walk: Walk) -> str:
    """The payment that the unanswered decision started; empty when it was not taken, and the page is open again."""
    while True:
        page = walk.browser.open(walk.invoice)
        found = [match[1] for link in page.links("/payments/") if (match := PAYMENT.match(link))]
        if found:
            return str(found[0])
        if page.links(f"{walk.invoice}/pay"):
            walk.page = walk.browser.open(walk.confirm_at)
            return ""
        walk.browser.pause("the decision is neither there nor not there")


def to_the_bank(walk: Walk, page: Page) -> str:
    """The address at the bank to which this answer of ours sends the browser."""
    if page.status != 303 or not (page.location or "").startswith(f"{walk.at.url}/"):
        raise DisagreementError(f"{page.status} to {page.location} does not lead to the bank")
    return str(page.location)


def bank_approve(walk: Walk) -> str:
    """The customer approves there."""
    walk.way_back = walk.visit.approve()
    if walk.at.app is None and not walk.way_back.startswith(f"{walk.running.base_url}/banks/"):
        raise DisagreementError(f"the bank leads back to {walk.way_back}")
    return "approved"


# ------------------------------------------------------------------------------------------------ what each side says


def settle(walk: Walk) -> str:
    """The page's own poll, until the bank has told the outcome."""
    path = f"/payments/{walk.payment_id}/state"
    while True:
        state = walk.browser.get_json(path)
        if state["final"]:
            break
        walk.browser.pause(f"the payment is still {state['version'].partition('-')[0]}")
    same("state of the payment", state["version"].partition("-")[0], "settled")
    return "settled"


def receipt(walk: Walk) -> str:
    """The receipt names bill, amount and the reference that stands on the bank statement."""
    page = walk.browser.wait_for(
        f"/payments/{walk.payment_id}", lambda page: bool(page.links("/receipts/rcp_")), what="there is no receipt"
    )
    page = walk.browser.open(page.links("/receipts/rcp_")[0])
    for said in (walk.bill.number, walk.end_to_end_id, money(walk.bill)):
        shows(page, said)
    return page.url.rpartition("/")[2]


def webhook(walk: Walk) -> str:
    """The biller has a message whose signature it checked itself."""
    while True:
        state = walk.biller.get_json("/state.json")
        messages = state["billers"][walk.bill.company.slug]["messages"]
        settled = [
            each
            for each in messages
            if each["type"] == "payment.settled" and each["data"]["number"] == walk.bill.number
        ]
        if settled:
            break
        walk.biller.pause("the biller has no payment.settled")
    same("webhooks payment.settled", len(settled), 1)
    same("amount in the webhook", settled[0]["data"]["amount"], str(walk.bill.total))
    same("payment in the webhook", settled[0]["data"]["payment_id"], walk.payment_id)
    return "payment.settled, signature right"


def api(walk: Walk) -> str:
    """What the biller's program is told when it asks."""
    told = walk.browser.patiently(lambda: _calling(lambda: walk.client.bill(walk.acknowledged["id"])))
    same("bill in the API", told["status"], "paid")
    same("payments in the API", told["payments"], [walk.payment_id])
    payment = walk.browser.patiently(lambda: _calling(lambda: walk.client.payment(walk.payment_id)))
    same("payment in the API", (payment["status"], payment["amount"]), ("paid", str(walk.bill.total)))
    same("reference in the API", payment["end_to_end_id"], walk.end_to_end_id)
    return "paid"


def ledger(walk: Walk) -> str:
    """The bank's books: one debit of exactly this amount to exactly this account, and nothing else."""
    entries = walk.at.booked(walk.visit.browser, walk.data, end_to_end_id=walk.end_to_end_id)
    same("bookings", [entry["kind"] for entry in entries], ["debit"])
    same("amount booked", (entries[0]["amount"], entries[0]["currency"]), (str(walk.bill.total), walk.at.currency))
    same("account credited", walk.at.credited(entries[0]), walk.at.account(walk.bill.company.iban))
    return f"one debit of {entries[0]['amount']} {walk.at.currency}"


def database(walk: Walk) -> str:
    """Our own books, read past all pages."""
    cents = int(walk.bill.total * 100)
    found = walk.browser.patiently(lambda: walk.truth.of_bill(walk.acknowledged["id"]))
    same("our database", found, {"invoice": "paid", "payments": [("settled", cents)], "decisions": 1, "receipts": 1})
    return "paid once, one receipt"
