"""`quittance demo --walk`: one payment from end to end over HTTP, and then every side is asked whether it agrees.

It does what a customer, a bank and a biller do, with their real forms, cookies, signatures and addresses. Programs may
be killed meanwhile: what is safe is asked again, what is not is looked up first, and each step has its own deadline.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from app.demo.browser import Page
from app.demo.runfile import Running
from app.demo.shared_steps import (
    PAYMENT,
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
    to_the_bank,
    webhook,
)
from app.demo.steps import DisagreementError, Steps, shows
from app.demo.truth import Truth
from app.demo.walked_bank import grouped

#: a walk pays little, so that the made-up account lasts for thousands of them
CENTS_MIN, CENTS_MAX = 100, 900


def begin(truth: Truth, running: Running, data: Path, bank_id: str) -> Walk:
    """Raises DemoError where the bank cannot be used."""
    return Walk.of(truth, running, data, bank_id, cents=CENTS_MIN + secrets.randbelow(CENTS_MAX - CENTS_MIN))


# --------------------------------------------------------------------------------------------------------- the steps


def bill(walk: Walk) -> str:
    """Its page shows number, account, and the way to pay."""
    page = walk.browser.open(walk.invoice)
    for said in (walk.bill.number, grouped(walk.bill.company.iban), money(walk.bill)):
        shows(page, said)
    if not page.links(f"{walk.invoice}/pay"):
        raise DisagreementError("the page of the bill offers no payment")
    return walk.bill.number


def confirm(walk: Walk) -> str:
    """Everything that is to be signed, once more."""
    walk.confirm_at = f"{walk.invoice}/pay?bank={walk.at.id}"
    walk.page = page = walk.browser.open(walk.confirm_at)
    for said in (walk.bill.company.name, grouped(walk.bill.company.iban), money(walk.bill)):
        shows(page, said)
    return f"{money(walk.bill)} to {walk.bill.company.name}"


def sign_in_first(walk: Walk) -> str:
    """Where the bank takes no payment before its customer has signed in there: there and back, and nothing is paid."""
    hop = f"{walk.invoice}/bank/sign-in?bank={walk.at.id}"
    if not walk.at.sign_in_first:
        return "not wanted by this bank"
    while walk.here.form("credential") is None:
        if hop not in walk.here.links(hop):
            raise DisagreementError("the page offers neither to sign in at the bank nor to confirm")
        walk.visit.arrive(to_the_bank(walk, walk.browser.get(hop)))
        walk.page = walk.browser.come_back(walk.visit.sign_in_first())
        if "code=" in walk.page.url:
            raise DisagreementError(f"the way back ended at {walk.page.url}")
        walk.page = walk.browser.open(walk.confirm_at)
    shows(walk.here, "You are signed in at")
    return "the customer is signed in there, and nothing is paid"


def leave(walk: Walk) -> str:
    """Our leaving page, once the bank has the order."""
    path = f"/payments/{walk.payment_id}"
    page = walk.browser.wait_for(
        f"{path}/leave", lambda page: bool(page.links(f"{path}/bank")), what="the bank was not told of the payment"
    )
    shows(page, money(walk.bill))
    return "the bank has the order"


def to_bank(walk: Walk) -> str:
    """The one hop that leaves our site; or none, where the bank asks in its app."""
    page = walk.browser.get(f"/payments/{walk.payment_id}/bank")
    if walk.at.app is not None:
        return _to_app(walk, page)
    walk.at_bank = to_the_bank(walk, page)
    return walk.at.url


def _to_app(walk: Walk, page: Page) -> str:
    if page.status != 303 or not (page.location or "").startswith(f"{walk.running.base_url}/banks/"):
        raise DisagreementError(f"{page.status} to {page.location}, where the customer should stay")
    here = walk.browser.come_back(str(page.location))
    shows(here, "Waiting for your approval in the app")
    shows(here, money(walk.bill))
    walk.at_bank = str(walk.at.app)
    return "the customer stays, and the bank asks in its app"


def bank_page(walk: Walk) -> str:
    """The bank's own page shows the same payee and amount, and asks who is there."""
    page = walk.visit.arrive(walk.at_bank)
    if walk.at.app is not None:
        page = walk.visit.choose(f"{money(walk.bill)} to {walk.bill.company.name}")
    shows(page, walk.bill.company.name)
    shows(page, money(walk.bill))
    return "payee and amount are ours"


def bank_sign_in(walk: Walk) -> str:
    """The customer signs in at the bank."""
    page = walk.visit.sign_in()
    for said in (walk.at.account_in_words(walk.bill.company.iban), walk.bill.number):
        shows(page, said)
    return "account, reference and amount are ours"


def come_back(walk: Walk) -> str:
    """Back at our return address, and on to the payment: the code does not stay in the address."""
    here = f"/payments/{walk.payment_id}"  # nobody left, where the bank asks in its app
    page = walk.browser.come_back(walk.way_back) if walk.at.app is None else walk.browser.open(here)
    if PAYMENT.search(page.url) is None or "code=" in page.url:
        raise DisagreementError(f"the way back ended at {page.url}")
    shows(page, money(walk.bill))
    return "the payment's page"


#: The deadlines leave room for one program to be killed and replaced:
#: work whose worker died is taken over when its lease ends, after 30 s.
STEPS: Steps[Walk] = {
    "sign-up": (sign_up, 30),
    "connect": (connect, 60),
    "deliver": (deliver, 30),
    "inbox": (inbox, 60),
    "bill": (bill, 20),
    "confirm": (confirm, 20),
    "sign-in-first": (sign_in_first, 40),
    "sign": (sign, 60),
    "leave": (leave, 60),
    "to-bank": (to_bank, 20),
    "bank-page": (bank_page, 20),
    "bank-sign-in": (bank_sign_in, 20),
    "bank-approve": (bank_approve, 20),
    "come-back": (come_back, 40),
    "settle": (settle, 90),
    "receipt": (receipt, 60),
    "webhook": (webhook, 90),
    "api": (api, 20),
    "ledger": (ledger, 20),
    "database": (database, 20),
}
