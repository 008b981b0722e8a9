"""`quittance demo --walk --recurring`: a standing consent through our pages, and the bills that are paid under it.

Somebody new allows payments to a company within limits of their own, approves that once at the bank, and pays with one
signature for each bill. What the limits do not allow is refused here, by our own count, before the bank is asked. In
the end the consent is taken back. Programs may be killed meanwhile, as in every walk.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.demo.bills import DemoBill
from app.demo.browser import LostError, Page, RefusedError, csrf_of
from app.demo.errors import NotOffered
from app.demo.runfile import Running
from app.demo.shared_steps import (
    Walk,
    api,
    bank_approve,
    connect,
    database,
    deliver,
    inbox,
    ledger,
    money,
    receipt,
    settle,
    sign,
    sign_up,
    signed,
    to_the_bank,
)
from app.demo.steps import DisagreementError, Steps, same, shows
from app.demo.truth import Truth
from app.demo.walked_bank import grouped, in_words
from app.journey.consents.agreeing import takes_new
from connectors.capabilities import Recurs
from connectors.contract import ConsentStatus
from connectors.errors import BankSilent, BankUnavailable
from connectors.money import Money
from connectors.registry import Registry

USUAL_RECURRING_BANK = "albion"

#: what the customer allows, in pence: for one payment, and in two weeks. They count from the first day: of a calendar
#: month there may be a day left, and then its limit is a thirtieth
EACH, FORTNIGHT = 4_00, 8_00
#: the bills, in pence without VAT: £3.50, £4.01, £4.00 and £0.52 with it
FIRST, OVER_EACH, SECOND, OVER_FORTNIGHT = 2_92, 3_34, 3_33, 43

CALL_S = 12
STANDS, LOST, STOPPED = "In force", "Cannot be used at the moment", "Stopped"
_CONSENT = re.compile(r"/consents/(con_[0-9a-f]{32})")


@dataclass
class RecurringWalk(Walk):
    """``paid``: what is paid under the consent, by its reference on the statement."""

    consent_id: str = ""
    door: str = "leave"  #: to the bank; "renew" where the consent is approved again
    paid: dict[str, DemoBill] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Of the consent's page."""
        return f"/consents/{self.consent_id}"

    @property
    def bank_name(self) -> str:
        return self.truth.services.banks.profile(self.at.id).name

    @property
    def used(self) -> int:
        """Of all that was paid, in pence."""
        return sum(_pence(bill) for bill in self.paid.values())

    @property
    def left(self) -> int:
        """Of the two weeks, in pence."""
        return FORTNIGHT - self.used


def begin(truth: Truth, running: Running, data: Path, bank_id: str) -> RecurringWalk:
    """Raises NotOffered where the bank takes no standing consents, DemoError where it cannot be used."""
    walk = RecurringWalk.of(truth, running, data, bank_id, cents=FIRST)
    if not takes_new(truth.services.banks.profile(bank_id)):
        raise NotOffered(f"{walk.bank_name} offers no recurring payments")
    return walk


def banks_of(banks: Registry) -> list[str]:
    """The ids of those that offer them; one that cannot be used is among them, to be seen."""
    return [bank.id for bank in banks.all_banks() if takes_new(bank)]


# ------------------------------------------------------------------------------------------------------ the consent


def agree(walk: RecurringWalk) -> str:
    """From the bill's button to limits of their own, to all of it in plain words, and the passkey over that."""
    ways = walk.browser.open(f"{walk.invoice}/pay")  # who has no bank yet is asked how it is to be paid
    offers = [link for link in ways.links("/companies/") if link.endswith(f"/consent?bank={walk.at.id}")]
    if not offers:
        raise DisagreementError(f"no consent is offered at {walk.bank_name}")
    while not walk.consent_id:
        try:
            walk.consent_id = _agree_once(walk, offers[0])
        except LostError as error:
            walk.seen.append(str(error))
            walk.consent_id = _agreed_already(walk)
    return f"{pounds(EACH)} a payment, {pounds(FORTNIGHT)} in two weeks"


def _agree_once(walk: RecurringWalk, offer: str) -> str:
    form = walk.browser.open(offer).form("each")
    if form is None:
        raise DisagreementError("the page has no limits to fill in")
    address, fields = form
    chosen = {"each": _decimal(EACH), "limit_month": "", "limit_fortnight": _decimal(FORTNIGHT)}
    walk.page = walk.browser.post_form(address, {**fields, **chosen})
    company = walk.bill.company
    for said in (
        f"To {company.name} alone, account {grouped(company.iban)}",
        f"At most {pounds(EACH)} for one payment.",
        f"At most {pounds(FORTNIGHT)} in each period of two weeks, counted from the first day.",
    ):
        shows(walk.page, said)
    done = signed(walk, f"{address}/ceremony")
    found = _CONSENT.search(done.location or "")
    if found is None:
        raise DisagreementError(f"the signature led to {done.location}")
    return found[1]


def _agreed_already(walk: RecurringWalk) -> str:
    """The consent that the unanswered signature made; empty where it made none."""
    links = walk.browser.open("/consents").links("/consents/con_")
    return next((found[1] for link in links if (found := _CONSENT.fullmatch(link))), "")


def leave(walk: RecurringWalk) -> str:
    """Our leaving page, once the bank has the consent, says what the bank will show."""
    page = walk.browser.wait_for(
        f"{walk.path}/{walk.door}",
        lambda page: bool(page.links(f"{walk.path}/bank")),
        what="the bank was not told of the consent",
    )
    for said in (f"at most {pounds(EACH)}", f"At most {pounds(FORTNIGHT)} in each period of two weeks"):
        shows(page, said)
    return "the bank has the consent"


def to_bank(walk: RecurringWalk) -> str:
    """The one hop that leaves our site; while the bank is away our page says that it may be tried again."""
    while not walk.at_bank:
        try:
            walk.at_bank = to_the_bank(walk, walk.browser.get(f"{walk.path}/bank"))
        except RefusedError as error:
            if error.status != 409:
                raise
            walk.browser.pause(str(error))
    return walk.at.url


def bank_page(walk: RecurringWalk) -> str:
    """The bank's own page shows the payee, and asks who is there."""
    shows(walk.visit.arrive(walk.at_bank), walk.bill.company.name)
    return "the payee is ours"


def bank_sign_in(walk: RecurringWalk) -> str:
    """The customer reads there what is to be allowed: account, every limit and both days."""
    page, ours = walk.visit.sign_in(), _ours(walk)
    begins, ends = _day(ours["begins_on"]), _day(ours["ends_on"])
    for said in (
        walk.at.account_in_words(walk.bill.company.iban),
        f"{pounds(EACH)} at most with each payment",
        f"{pounds(FORTNIGHT)} at most in a fortnight, counted from {begins}",
        f"from {begins}",
        f"until {ends}",
    ):
        shows(page, said)
    return f"account and limits are ours, from {begins} until {ends}"


def come_back(walk: RecurringWalk) -> str:
    """Back at our return address, and on to the consent: the code does not stay in the address."""
    page = walk.browser.come_back(walk.way_back)
    if urlsplit(page.url).path != walk.path or "code=" in page.url:
        raise DisagreementError(f"the way back ended at {page.url}")
    walk.at_bank = ""
    return "the consent's page"


def stands(walk: RecurringWalk) -> str:
    """The page comes to say so, our database and the bank agree, and nothing is used of it."""
    while (said := _said(walk)) != STANDS:
        if said == LOST:  # the bank, or we, died over the code, which is good once: it is approved again
            walk.seen.append("the approval did not reach us")
            walk.door = "renew"
            for again in (leave, to_bank, bank_page, bank_sign_in, bank_approve, come_back):
                again(walk)
        walk.browser.pause(f"the consent's page says: {said}")
    _both_say(walk, "authorised", ConsentStatus.AUTHORISED)
    shows(walk.browser.open(walk.path), f"{pounds(walk.left)} left")
    return "authorised, here and at the bank"


# ------------------------------------------------------------------------------------------------ what is paid under it


def pay(walk: RecurringWalk) -> str:
    """The bill says that it is covered, and is paid by one signature: nobody goes to the bank."""
    walk.confirm_at = f"{walk.invoice}/pay?consent={walk.consent_id}"
    bill = walk.browser.wait_for(
        walk.invoice,
        lambda page: bool(page.links(walk.confirm_at)),
        what=f"the bill is not covered by the consent, which begins on {_day(_ours(walk)['begins_on'])}",
    )
    shows(bill, f"Covered by your consent at {walk.bank_name}: one signature")
    walk.page = walk.browser.wait_for(walk.confirm_at, _can_be_signed, what="the payment cannot be signed")
    company, left = walk.bill.company, f"{pounds(walk.left)} left of"
    for said in (company.name, grouped(company.iban), money(walk.bill), left):
        shows(walk.page, said)
    sign(walk)
    walk.paid[walk.end_to_end_id] = walk.bill
    return f"{money(walk.bill)}, one signature: {walk.payment_id}"


def pay_again(walk: RecurringWalk) -> str:
    """Another bill, of exactly the limit for one payment."""
    _another_bill(walk, SECOND)
    return pay(walk)


def over_each(walk: RecurringWalk) -> str:
    """A bill of a penny more than the limit for one payment."""
    _another_bill(walk, OVER_EACH)
    return _not_covered(walk, f"{pounds(_pence(walk.bill) - EACH)} over the limit per payment, {pounds(EACH)}.")


def over_period(walk: RecurringWalk) -> str:
    """A bill of a little more than is left of the two weeks: the page names the day on which they begin anew."""
    _another_bill(walk, OVER_FORTNIGHT)
    resets_on = _day(_ours(walk)["begins_on"] + dt.timedelta(days=14))
    over, left = pounds(_pence(walk.bill) - walk.left), pounds(walk.left)
    why = f"{over} too much: {left} is left of the limit for two weeks, which resets on {resets_on}."
    return _not_covered(walk, why)


def stop(walk: RecurringWalk) -> str:
    """The customer takes the consent back on our page, and the bank knows it no longer."""
    walk.browser.patiently(lambda: _press_stop(walk))
    while (said := _said(walk)) != STOPPED:
        walk.browser.pause(f"the consent's page says: {said}")
    _both_say(walk, "revoked", ConsentStatus.NOT_FOUND)
    return "the bank knows it no longer"


def _press_stop(walk: RecurringWalk) -> None:
    """After a lost answer the page tells whether it was taken: then there is no button any more."""
    page, address = walk.browser.open(walk.path), f"{walk.path}/stop"
    if any((form.get("action") or "") == address for form in page.tree.forms):
        walk.browser.post_form(address, {"csrf_token": csrf_of(page)})


def afterwards(walk: RecurringWalk) -> str:
    """No bill can be paid under it any more."""
    _nothing_to_sign(walk, "What you allowed there ended on")
    return f"{money(walk.bill)} refused: what was allowed has ended"


def books(walk: RecurringWalk) -> str:
    """The bank's books of this consent: one debit of each payment, and nothing else."""
    entries = walk.at.booked(walk.visit.browser, walk.data, consent_id=_ours(walk)["at_bank"])
    booked = sorted((each["endToEndId"], each["kind"], each["amount"], walk.at.credited(each)) for each in entries)
    account = walk.at.account(walk.bill.company.iban)
    same("bookings", booked, sorted((key, "debit", str(bill.total), account) for key, bill in walk.paid.items()))
    return f"{pounds(walk.used)} in {len(booked)} debits, and nothing else under this consent"


def _another_bill(walk: RecurringWalk, net: int) -> None:
    walk.turn_to_another(net)
    deliver(walk)
    inbox(walk)
    walk.confirm_at = f"{walk.invoice}/pay?consent={walk.consent_id}"


def _not_covered(walk: RecurringWalk, why: str) -> str:
    shows(walk.browser.open(walk.invoice), f"Not covered by your consent at {walk.bank_name}. {why}")
    _nothing_to_sign(walk, why)
    return f"{money(walk.bill)} refused: {why}"


def _nothing_to_sign(walk: RecurringWalk, why: str) -> None:
    """The page of the payment says why, and our door refuses what a page might ask for: nothing was decided or sent."""
    page = walk.browser.open(walk.confirm_at)
    shows(page, f"Your consent does not cover this bill now {why}")
    if _can_be_signed(page):
        raise DisagreementError("the page can be signed")
    at, order = f"{walk.invoice}/pay/ceremony", {"bank": walk.at.id, "consent": walk.consent_id, "shown": ""}
    try:
        walk.browser.patiently(lambda: walk.browser.post_json(at, order, csrf=csrf_of(page)))
    except RefusedError as error:
        same("status of the refusal", error.status, 409)
    else:
        raise DisagreementError("the payment can be signed all the same")
    found = walk.browser.patiently(lambda: walk.truth.of_bill(walk.acknowledged["id"]))
    same("our database", found, {"invoice": "to_pay", "payments": [], "decisions": 0, "receipts": 0})


# ------------------------------------------------------------------------------------------------------ what they share


def pounds(pence: int) -> str:
    """As pages write it."""
    return in_words("GBP", _decimal(pence))


def _decimal(pence: int) -> str:
    return str(Money(pence, "GBP"))


def _pence(bill: DemoBill) -> int:
    return int(bill.total * 100)


def _day(day: dt.date) -> str:
    return f"{day.day} {day:%B %Y}"


def _can_be_signed(page: Page) -> bool:
    return page.form("credential") is not None


def _said(walk: RecurringWalk) -> str:
    """How the consent stands, in the words of its page."""
    states = walk.browser.open(walk.path).tree.find_class("state")
    return " ".join(" ".join(each.text_content().split()) for each in states)


def _ours(walk: RecurringWalk) -> dict[str, Any]:
    return walk.browser.patiently(lambda: walk.truth.of_consent(walk.consent_id))


def _both_say(walk: RecurringWalk, state: str, at_bank: ConsentStatus) -> None:
    """Our database, and the bank when it is asked."""
    ours = _ours(walk)
    same("our database", ours["state"], state)
    connector = walk.truth.services.banks.connector(walk.at.id)
    if not isinstance(connector, Recurs):
        raise DisagreementError(f"{walk.bank_name} has no standard for standing consents")
    recurring = connector.recurring

    def once() -> ConsentStatus:
        try:
            return recurring.consent_status(ours["at_bank"], timeout_s=CALL_S)
        except (BankUnavailable, BankSilent) as error:
            raise LostError(str(error)) from error

    same("consent at the bank", walk.browser.patiently(once), at_bank)


#: each leaves room for the bank to be killed and replaced; "pay" for the first minutes of a day, too, in which it is
#: not sure that the day has begun at the bank
RECURRING_STEPS: Steps[RecurringWalk] = {
    "sign-up": (sign_up, 30),
    "connect": (connect, 60),
    "deliver": (deliver, 30),
    "inbox": (inbox, 60),
    "agree": (agree, 60),
    "leave": (leave, 90),
    "to-bank": (to_bank, 40),
    "bank-page": (bank_page, 20),
    "bank-sign-in": (bank_sign_in, 20),
    "bank-approve": (bank_approve, 20),
    "come-back": (come_back, 40),
    "stands": (stands, 120),
    "pay": (pay, 150),
    "settle": (settle, 90),
    "receipt": (receipt, 60),
    "api": (api, 20),
    "ledger": (ledger, 20),
    "database": (database, 20),
    "over-each": (over_each, 90),
    "pay-again": (pay_again, 90),
    "settle-again": (settle, 90),
    "over-period": (over_period, 90),
    "stop": (stop, 90),
    "afterwards": (afterwards, 20),
    "books": (books, 20),
}
