"""Which bills of a round can be signed at once, under which of their customer's standing consents, and why the others
cannot: for the pages that offer it and the one on which it is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask_babel import LazyString, lazy_gettext

from app.db.unit_of_work import UnitOfWork
from app.errors import AppError
from app.journey.decisions import together
from app.journey.decisions.orders import Wanted
from app.journey.decisions.service import ToPay
from app.journey.decisions.together import Sorted
from app.journey.decisions.under_consent import NotCovered
from app.journey.invoices.read import invoice_view
from app.journey.plans.rounds import Place, RoundBill, RoundView
from app.people.customers import today_of
from app.people.models import Customer
from app.web.context import services
from app.web.customers.verdicts import sentence, ways_of_bill

#: why a bill is signed by itself, by the code of what refuses it among others
APART: Mapping[str, LazyString] = {
    "no-consent": lazy_gettext("None of your consents covers it."),
    "own-word": lazy_gettext("There is something to be read first that is about this bill alone."),
    "check-payee-first": lazy_gettext("Another bill may be the same one: you are asked about that."),
    "sign-in-first": lazy_gettext("Its bank wants you to sign in there first."),
    "account-held": lazy_gettext("Nothing is paid to its account now."),
    "said-paid": lazy_gettext("You said of an earlier version of it that you had paid that elsewhere."),
    "collected-besides": lazy_gettext("Its company says that it collects it as well: you could pay twice."),
    "seal-wrong": lazy_gettext("It is not what its company sealed, so nothing is paid of it."),
}
OTHERWISE = lazy_gettext("It is not to be paid like this now.")


#: what is so of a bill that does not wait any more
_PLACES: Mapping[Place, LazyString] = {
    Place.UNDER_WAY: lazy_gettext("A payment of it is under way."),
    Place.PAID: lazy_gettext("It is paid already."),
    Place.NOT_PAID: lazy_gettext("It is not to be paid now."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """The bill of a round because of which nothing was begun."""

    bill: RoundBill
    why: str | None  #: in a sentence; None: it can still be signed with the others, as it is now


def named_of(view: RoundView | None, apart: Sequence[ApartView], *, about: str | None) -> Named | None:
    """``about``: the id of the bill, as it came in. None: it is none of theirs, or nobody knows which one."""
    bill = next((each for each in view.bills if each.invoice_id == about), None) if view else None
    if bill is None:
        return None
    place = _PLACES.get(bill.place)
    why = next((each.why for each in apart if each.bill.invoice_id == about), None)
    return Named(bill=bill, why=str(place) if place else why)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApartView:
    """A bill of the round that is signed by itself."""

    bill: RoundBill
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    ways: together.Ways  #: for ``together.start_paying``
    sorted: Sorted
    apart: tuple[ApartView, ...]  #: of those that wait


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    ways: tuple[ToPay, ...]
    why: str | None = None  #: it has no way


def bundle_of(uow: UnitOfWork, view: RoundView | None, *, customer: Customer) -> Bundle:
    """Of the bills of a round that wait, in their order, each under the consent by which it would be paid alone. To be
    asked before all else that a page says of them: what happens meanwhile is then on the page and not in this."""
    waiting = [bill for bill in view.bills if bill.place is Place.WAITING] if view else []
    found = {bill.invoice_id: _ways(uow, bill, customer=customer) for bill in waiting}
    ways = {invoice_id: each.ways for invoice_id, each in found.items()}
    made = together.sort_out(uow, customer=customer, vault=services().vault, ways=ways)
    apart = [
        ApartView(bill=bill, why=found[bill.invoice_id].why or _why(made.apart[bill.invoice_id]))
        for bill in waiting
        if bill.invoice_id in made.apart
    ]
    return Bundle(ways=ways, sorted=made, apart=tuple(apart))


def _ways(uow: UnitOfWork, bill: RoundBill, *, customer: Customer) -> _Tried:
    """Under which of its customer's consents it would be paid alone, the first one first."""
    today = today_of(customer, uow.now)
    view = invoice_view(uow.session, invoice_id=bill.invoice_id, customer_id=customer.id, today=today)
    ways = ways_of_bill(uow, view, customer_id=customer.id, troubled={})
    if ways is None:
        return _Tried(ways=(), why=str(OTHERWISE))
    covering = [way for way in ways.standing if way.covers]
    if not covering:
        told = [way.sentences[0] for way in ways.standing if way.sentences]
        return _Tried(ways=(), why=told[0] if told else str(APART["no-consent"]))
    banks = services().banks.banks_by_id()
    tried = [
        ToPay(invoice_id=view.id, bank=banks[way.bank_id], wanted=Wanted(consent_id=way.consent_id))
        for way in covering
        if way.bank_id in banks
    ]
    return _Tried(ways=tuple(tried))


def _why(refused: AppError) -> str:
    if isinstance(refused, NotCovered):
        return sentence(refused.reason)
    return str(APART.get(refused.code, OTHERWISE))
