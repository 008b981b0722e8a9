"""Several bills under standing consents, signed at once: one signature over the list of the very orders that would be
signed one by one. All of them are decided, or none; each is then a decision and a payment like any other.

What asks a word of its own of its customer is not signed among others but by itself: own_word.py says what that is. It
is asked when the page is drawn, when the challenge is handed out and when it is decided.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.db.unit_of_work import UnitOfWork
from app.errors import AppError, Conflict, Invalid, NotFound
from app.journey.decisions import orders
from app.journey.decisions.own_word import beside_of, must_ask_nothing
from app.journey.decisions.service import Decided, Signature, ToPay, about, changed, decide_all, order_to_sign
from app.journey.decisions.under_consent import NotCovered
from app.journey.invoices.access import invoice_of_customer
from app.people import passkeys, stops
from app.people.models import Customer
from app.people.passkeys import RelyingParty, Started
from app.people.sessions import SignedIn
from connectors.contract import PsuContext
from connectors.money import Money
from connectors.profile import BankProfile
from consent.vault import Vault

#: fewer are signed one by one
LEAST = 2
#: the ways of each bill, by the id of its invoice and in the order of preference: each under a standing consent
Ways = Mapping[str, Sequence[ToPay]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signable:
    """A bill that can be signed together with the others before it."""

    bill: ToPay
    order: dict[str, str]

    @property
    def consent_id(self) -> str:
        return self.order["consent"]

    @property
    def amount(self) -> Money:
        return Money(int(self.order["amount_minor"]), self.order["currency"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    signable: tuple[Signable, ...]
    apart: Mapping[str, AppError]  #: why not, by the id of the invoice: ``no-consent``, or what refuses it

    @property
    def orders(self) -> list[dict[str, str]]:
        return [each.order for each in self.signable]

    @property
    def shown(self) -> str:
        """The hashes of all that is signed, each behind its bill. The page that shows it takes this to the ceremony."""
        return " ".join(f"{order['invoice']}:{orders.shown_of(order)}" for order in self.orders)

    @property
    def is_offered(self) -> bool:
        return len(self.signable) >= LEAST


def sort_out(uow: UnitOfWork, *, customer: Customer, vault: Vault, ways: Ways) -> Sorted:
    """Which of these bills can be signed at once, each in the first way that still holds after those before it."""
    signable: list[Signable] = []
    apart: dict[str, AppError] = {}
    taken: Counter[object] = Counter()  # of each consent, in minor units
    for invoice_id, tried in ways.items():
        found, refused = None, None
        for bill in tried:
            made = _tried(uow, bill, customer=customer, vault=vault, besides_minor=taken[bill.wanted.consent_id])
            if isinstance(made, Signable):
                found = made
                break
            refused = refused or made
        if found is not None:
            taken[found.consent_id] += found.amount.minor
            signable.append(found)
        else:
            no_way = Conflict("no-consent", "None of your standing consents covers this bill.")
            apart[invoice_id] = refused or no_way
    for invoice_id, told in apart.items():
        if isinstance(told, NotCovered):  # by what is left besides all that is signed, also what comes after it
            bill = ways[invoice_id][0]
            by_all = _tried(uow, bill, customer=customer, vault=vault, besides_minor=taken[bill.wanted.consent_id])
            apart[invoice_id] = by_all if isinstance(by_all, AppError) else told
    return Sorted(signable=tuple(signable), apart=apart)


def _tried(
    uow: UnitOfWork, bill: ToPay, *, customer: Customer, vault: Vault, besides_minor: int
) -> Signable | AppError:
    """The order, or why it is not signed among others. ``besides_minor``: what these take of the same consent."""
    try:
        order = order_to_sign(uow, customer=customer, bill=bill, besides_minor=besides_minor)
        _must_ask_nothing(uow, order, customer=customer, vault=vault)
    except (Conflict, Invalid, NotFound) as refused:
        return refused
    return Signable(bill=bill, order=order)


def _must_ask_nothing(uow: UnitOfWork, order: dict[str, str], *, customer: Customer, vault: Vault) -> None:
    """Raises Conflict where it asks a word of its own."""
    invoice = invoice_of_customer(uow.session, invoice_id=order["invoice"], customer_id=customer.id)
    must_ask_nothing(order, beside_of(uow.session, vault, invoice))


def start_paying(
    uow: UnitOfWork, *, signed_in: SignedIn, party: RelyingParty, vault: Vault, ways: Ways, shown: object
) -> Started:
    """Hand out the one challenge over all that can be signed at once. ``shown``: ``Sorted.shown`` of when the page was
    drawn. Raises Conflict (these are other orders by now, or too few: of which bill it says; the customer has stopped
    everything), NotAllowed (demo visit, no passkey). Nothing is decided yet."""
    signed_in.check_acts()
    customer = signed_in.customer
    stops.must_not_stand(uow, customer.id)
    found = sort_out(uow, customer=customer, vault=vault, ways=ways)
    if not found.is_offered or shown != found.shown:
        refused = changed()
        refused.about = first_changed(shown, found.shown)
        raise refused
    return passkeys.start_payments(uow, party=party, customer_id=customer.id, orders=found.orders)


def first_changed(before: object, now: str) -> str | None:
    """Of two ``Sorted.shown`` the first bill whose order is another one, or is in one of them alone. None: they have
    the same in another order; or ``before``, as it came in, is none. The id is as unchecked as that."""
    if not isinstance(before, str) or not before:
        return None
    then, found = (dict(each.partition(":")[::2] for each in shown.split()) for shown in (before, now))
    return next((bill for bill in {**then, **found} if then.get(bill) != found.get(bill)), None)


def decide(
    uow: UnitOfWork,
    *,
    signed_in: SignedIn,
    party: RelyingParty,
    vault: Vault,
    ceremony: object,
    credential: dict[str, Any],
    banks: Mapping[str, BankProfile],
    psu: PsuContext,
) -> list[Decided]:
    """Decide to pay all that was signed, today. Raises as deciding about one does, and Conflict for one that asks a
    word of its own by now, saying about which it is (``AppError.about``); then nothing may be committed."""
    signed_in.check_acts()
    taken = passkeys.take(uow, token=ceremony, purpose="pay-together", customer_id=signed_in.customer.id)
    signature = Signature(party=party, ceremony=taken, credential=credential, psu=psu)
    signed = {order["invoice"]: order for order in taken.data["orders"]}
    decided = decide_all(uow, customer=signed_in.customer, signed=signed, signature=signature, banks=banks)
    for invoice_id, order in signed.items():  # as it is now, with all of them locked
        with about(invoice_id):
            _must_ask_nothing(uow, order, customer=signed_in.customer, vault=vault)
    return decided
