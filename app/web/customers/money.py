"""Money ahead: what the customer has and what comes, what is due, and when to pay what. No page here moves money."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flask import Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.db.unit_of_work import UnitOfWork
from app.errors import FieldError, Invalid
from app.journey.decisions.funds import can_be_asked
from app.journey.intake.own_bills import typed_amount
from app.journey.matching.read import Banks, bill_of, match
from app.journey.outlook import service
from app.journey.outlook.read import OutlookView, currency_of, outlook_of
from app.journey.outlook.rules import NAME_MAX, PAYDAYS_MOST, Every
from app.web.context import services
from app.web.customers.pages import blueprint, common, me
from connectors.money import EXPONENTS, Money, Total

#: of what is typed into one field
TYPED_MOST = 80
_SIGN = re.compile(r"\s*([-\N{MINUS SIGN}\N{EN DASH}])?\s*(.*?)\s*", re.DOTALL)
_NOTHING = re.compile(r"0{1,9}([.,]0{1,3})?")
#: of the picture, in its own units; it is stretched to its place
_WIDTH, _HEIGHT, _EDGE = 590, 100, 6


@dataclass(frozen=True, slots=True)
class Line:
    """The balance as a line of steps, for an SVG of ``width`` and ``height``."""

    width: int
    height: int
    steps: str  #: points
    floor: float  #: how far from the top
    low_x: float
    low_y: float


@blueprint.get("/money")
def money() -> ResponseReturnValue:
    return _page()


@blueprint.post("/money")
def say_money() -> ResponseReturnValue:
    """What they have today, and the floor."""
    return _done("have", _say)


@blueprint.post("/money/paydays")
def add_payday() -> ResponseReturnValue:
    return _done("comes", _add)


@blueprint.post("/money/paydays/<pdy>/remove")
def remove_payday(pdy: str) -> ResponseReturnValue:
    return _done("comes", lambda uow: service.remove_payday(uow, signed_in=me(), payday_id=pdy))


@blueprint.post("/money/forget")
def forget_money() -> ResponseReturnValue:
    return _done(None, lambda uow: service.forget(uow, signed_in=me()))


def _done(anchor: str | None, verb: Callable[[UnitOfWork], object]) -> ResponseReturnValue:
    try:
        with services().unit_of_work() as uow:
            verb(uow)
            uow.commit()
    except Invalid as refused:
        return _page(refused)
    return redirect(url_for("customers.money", _anchor=anchor), 303)


def _say(uow: UnitOfWork) -> None:
    currency = request.form.get("currency", "")
    if currency not in _currencies(None):
        raise _wrong("currency")
    balance, floor = _signed("balance", currency), _signed("floor", currency, empty=0)
    wrong = [name for name, minor in (("balance", balance), ("floor", floor)) if minor is None]
    if balance is None or floor is None:
        raise _wrong(*wrong)
    service.say(uow, signed_in=me(), balance=Total(balance, currency), floor=Total(floor, currency))


def _add(uow: UnitOfWork) -> None:
    """All fields that cannot be read are named together."""
    currency = currency_of(uow.session, customer_id=me().customer.id)
    if currency is None:
        raise _wrong("balance")  # first
    minor, day, wrong = _signed("amount", currency), _day("next_on"), []
    if not _typed("name"):
        wrong.append("name")
    if minor is None or minor <= 0:
        wrong.append("amount")
    if day is None:
        wrong.append("next_on")
    every = request.form.get("every", "")
    if every not in list(Every):
        wrong.append("every")
    if minor is None or day is None or wrong:
        raise _wrong(*wrong)
    amount = Money(minor, currency)
    service.add_payday(uow, signed_in=me(), name=_typed("name"), amount=amount, every=Every(every), next_on=day)


def _typed(name: str) -> str:
    return request.form.get(name, "").strip()[:TYPED_MOST]


def _signed(name: str, currency: str, *, empty: int | None = None) -> int | None:
    """Minor units of an amount as people write it, which may be nothing or below that. None: it cannot be read."""
    found = _SIGN.fullmatch(_typed(name))
    sign, written = (found[1], found[2]) if found else (None, "")
    if not written and not sign:
        return empty
    if _NOTHING.fullmatch(written):
        return 0
    try:
        minor = typed_amount(written, currency).minor
    except ValueError:
        return None
    return -minor if sign else minor


def _day(name: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(_typed(name))
    except ValueError:
        return None


def _wrong(*fields: str) -> Invalid:
    errors = tuple(FieldError(f"/{field}", "This cannot be read.") for field in fields)
    return Invalid("outlook", "Something cannot be read. Nothing was kept.", errors=errors)


def _currencies(said: str | None) -> list[str]:
    """In which somebody could pay from here, and the one of what they said, or of their bills."""
    payable = {currency for bank in services().banks.banks() for currency in bank.currencies}
    usual = {said} if said else {request.form.get("currency", "")} & EXPONENTS.keys()
    return sorted(payable | usual)


def _page(refused: Invalid | None = None) -> Response:
    """After a refusal with what was typed, and what is to be mended."""
    with services().reading() as uow:
        view = outlook_of(uow.session, customer=me().customer, now=uow.now)
        fundable = _fundable(uow, view)
    page = render_template(
        "customers/money.html",
        view=view,
        fundable=fundable,
        line=line_of(view),
        currencies=_currencies(view.currency),
        every=list(Every),
        paydays_most=PAYDAYS_MOST,
        name_max=NAME_MAX,
        first_day=view.today + dt.timedelta(days=1),
        last_day=view.today + service.AHEAD_MOST,
        typed=_filled(view) | ({name: _typed(name) for name in request.form} if refused else {}),
        wrong=[error.pointer.removeprefix("/") for error in refused.errors] if refused else [],
        is_full=len(view.paydays) >= PAYDAYS_MOST,
        again=url_for("customers.money") if refused else "",
    )
    return make_response(page, refused.status if refused else 200)


def _fundable(uow: UnitOfWork, view: OutlookView) -> dict[str, tuple[str, str]]:
    """Of each bill that is suggested for today, and that could be paid under a standing consent whose bank can be asked
    whether the money is there: the consent, and the bank's name."""
    today = [one.bill for one in view.suggestions if one.pay_on == view.today]
    bills = {bill.id: asked for bill in today if (asked := bill_of(bill)) is not None}
    if not bills:
        return {}
    banks = Banks.now(services().banks)
    matched = match(uow.session, customer_id=me().customer.id, bills=bills, banks=banks, now=uow.now)
    found = {bill_id: ways.covering for bill_id, ways in matched.ways.items()}
    return {
        bill_id: (one.consent_id, banks.names[one.bank_id])
        for bill_id, one in found.items()
        if one is not None and one.consent_id is not None and can_be_asked(services(), one.bank_id)
    }


def _filled(view: OutlookView) -> dict[str, str]:
    """The form as it stands."""
    if view.balance is None or view.floor is None:
        return {"currency": view.currency}
    return {"currency": view.currency, "balance": _written(view.balance), "floor": _written(view.floor)}


def _written(amount: Money) -> str:
    """As people who read the page write it."""
    written = str(amount).replace("-", "\N{MINUS SIGN}")
    return written.replace(".", ",") if common()["locale"] == "fr" else written


def line_of(view: OutlookView) -> Line | None:
    if view.floor is None or not view.line:
        return None
    balances = [each.minor for each in view.line]
    least, most = min(*balances, view.floor.minor), max(*balances, view.floor.minor)

    def down(minor: int) -> float:
        share = (most - minor) / (most - least) if most > least else 0.5
        return round(_EDGE + share * (_HEIGHT - 2 * _EDGE), 1)

    step = _WIDTH / (len(balances) - 1)
    lowest = balances.index(min(balances))
    return Line(
        width=_WIDTH,
        height=_HEIGHT,
        steps=_steps(balances, step, down),
        floor=down(view.floor.minor),
        low_x=round(lowest * step, 1),
        low_y=down(balances[lowest]),
    )


def _steps(balances: Sequence[int], step: float, down: Callable[[int], float]) -> str:
    """Level from day to day, and up or down at once."""
    found = [f"0,{down(balances[0])}"]
    for number in range(1, len(balances)):
        if balances[number] != balances[number - 1] or number == len(balances) - 1:
            across = round(number * step, 1)
            found += [f"{across},{down(balances[number - 1])}", f"{across},{down(balances[number])}"]
    return " ".join(found)
