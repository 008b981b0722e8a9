"""Several bills under standing consents, signed at once: one signature over the list of the very orders that would be
signed one by one. All of them are decided, or none; each is then a decision and a payment like any other.

What asks a word of its own of its customer is not signed among others: it goes one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.db.unit_of_work import UnitOfWork
from app.errors import AppError, Conflict, Invalid, NotFound
from app.journey.decisions import orders
from app.journey.decisions.service import Decided, Signature, ToPay, changed, decide_all, order_to_sign
from app.people import passkeys, stops
from app.people.models import Customer
from app.people.passkeys import RelyingParty, Started
from app.people.sessions import SignedIn
from connectors.contract import PsuContext
from connectors.money import Money
from connectors.profile import BankProfile

#: fewer are signed one by one
LEAST = 2
#: all that stands in an order which asks for no word of its own: not, say, that it is of a payee whom nobody verified,
#: of a bill that may have been paid by an earlier version or a twin, or of a request whose last day is over
PLAIN = frozenset(
    (
        *("invoice", "payee", "iban", "reference", "amount_minor", "currency", "rest_minor", "parts_paid"),
        *("day", "bank", "consent"),
    )
)

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
    apart: Mapping[
        str, AppError
    ]  #: why not, by the id of the invoice: ``no-consent``, ``own-word``, or what refuses it

    @property
    def orders(self) -> list[dict[str, str]]:
        return [each.order for each in self.signable]

    @property
    def shown(self) -> str:
        """The hash of all that is signed. The page that shows it carries this to the ceremony."""
        return orders.shown_of(self.orders)

    @property
    def is_offered(self) -> bool:
        return len(self.signable) >= LEAST


def sort_out(uow: UnitOfWork, *, customer: Customer, ways: Ways) -> Sorted:
    """Which of these bills can be signed at once, each in the first way that still holds after those before it."""
    signable: list[Signable] = []
    apart: dict[str, AppError] = {}
    taken: Counter[object] = Counter()  # of each consent, in minor units
    for invoice_id, tried in ways.items():
        for bill in tried:
            consent_id = bill.wanted.consent_id
            try:
                order = order_to_sign(uow, customer=customer, bill=bill, besides_minor=taken[consent_id])
                _must_be_plain(order)
            except (Conflict, Invalid, NotFound) as refused:
                apart.setdefault(invoice_id, refused)
                continue
            found = Signable(bill=bill, order=order)
            taken[consent_id] += found.amount.minor
            signable.append(found)
            apart.pop(invoice_id, None)
            break
        else:
            apart.setdefault(invoice_id, Conflict("no-consent", "None of your standing consents covers this bill."))
    return Sorted(signable=tuple(signable), apart=apart)


def _must_be_plain(order: dict[str, str]) -> None:
    """Raises Conflict."""
    if "consent" not in order or not order.keys() <= PLAIN:
        raise Conflict("own-word", "This bill asks for a word of its own: it is signed by itself.")


def start_paying(uow: UnitOfWork, *, signed_in: SignedIn, party: RelyingParty, ways: Ways, shown: object) -> Started:
    """Hand out the one challenge over all that can be signed at once. ``shown``: ``Sorted.shown`` of when the page was
    drawn. Raises Conflict (these are other orders by now, or too few; the customer has stopped everything), NotAllowed
    (demo visit, no passkey). Nothing is decided yet."""
    signed_in.check_acts()
    customer = signed_in.customer
    stops.must_not_stand(uow, customer.id)
    found = sort_out(uow, customer=customer, ways=ways)
    if not found.is_offered or shown != found.shown:
        raise changed()
    return passkeys.start_payments(uow, party=party, customer_id=customer.id, orders=found.orders)


def decide(
    uow: UnitOfWork,
    *,
    signed_in: SignedIn,
    party: RelyingParty,
    ceremony: object,
    credential: dict[str, Any],
    banks: Mapping[str, BankProfile],
    psu: PsuContext,
) -> list[Decided]:
    """Decide to pay all that was signed, today. Raises as deciding about one does, saying about which it is
    (``AppError.about``); then nothing is written of any."""
    signed_in.check_acts()
    taken = passkeys.take(uow, token=ceremony, purpose="pay-together", customer_id=signed_in.customer.id)
    signature = Signature(party=party, ceremony=taken, credential=credential, psu=psu)
    signed = {order["invoice"]: order for order in taken.data["orders"]}
    return decide_all(uow, customer=signed_in.customer, signed=signed, signature=signature, banks=banks)
