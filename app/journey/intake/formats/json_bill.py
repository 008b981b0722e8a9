"""Our own JSON bill: the format of the public API for billers that have no e-invoicing software.

Strict on purpose: an unknown field, a field twice, a number where a text belongs are mistakes of a program, and the
biller's engineer learns of them on the first try. Each field by itself is in ``json_fields``; here is what they say
together.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from app.journey.intake.bill import CORRECTED, Bill, BillKind, BillRefused, EarlyPayment, LateFee, Line, Means, Payee
from app.journey.intake.formats import accounts, checks, json_fields, json_tree
from app.journey.intake.means import MeansKind
from connectors.money import Money

#: 1000 lines of 1000 characters, with room for the rest
JSON_BYTES_MAX = 2 * 1024 * 1024
#: objects and lists inside each other; a bill has three
DEPTH_MAX = 8


def read(content: bytes) -> Bill:
    """The bill in a JSON document (RFC 8259), or BillRefused."""
    return _bill(json_fields.read(json_tree.parse(content, bytes_max=JSON_BYTES_MAX, depth_max=DEPTH_MAX)))


def read_tree(tree: Any) -> Bill:
    """The bill in what json_tree.parse made of the bytes."""
    json_tree.check(tree, depth_max=DEPTH_MAX)
    return _bill(json_fields.read(tree))


def _bill(found: Mapping[str, Any]) -> Bill:
    currency = found["currency"]
    payable = checks.json_amount(found["amount"], currency, element="/amount")
    kind = BillKind(found.get("kind", BillKind.INVOICE))
    return Bill(
        kind=kind,
        type_code=CORRECTED if "replaces" in found else None,
        preceding_numbers=_preceding(found, kind),
        number=found["number"],
        issued_on=found["issued_on"],
        due_on=found.get("due_on"),
        payable=payable,
        to=found["to"],
        payee=_payee(found, kind),
        means=_all_means(found),
        creditor_id=found.get("creditor_id"),
        remittance_reference=found.get("reference"),
        early_payments=_early_payments(found, payable),
        late_fee=_late_fee(found, payable, kind),
        order_reference=found.get("order_reference"),
        lines=tuple(_bill_line(index, each, currency) for index, each in enumerate(found.get("lines", ()))),
        note=found.get("note"),
    )


#: how a bill is paid for which nobody sends money → its code in UNCL 4461
_COLLECTED = {MeansKind.DIRECT_DEBIT: "49", MeansKind.CARD: "48"}


def _all_means(found: Mapping[str, Any]) -> tuple[Means, ...]:
    """Only what is collected needs a word: of anything else the payee tells."""
    code = _COLLECTED.get(found.get("means", ""))
    if found.get("means") != MeansKind.DIRECT_DEBIT:
        for name in ("mandate", "creditor_id"):
            if name in found:
                detail = 'The field belongs to a direct debit: say "means": "direct_debit", or leave it out.'
                raise BillRefused("value-refused", detail, element=f"/{name}")
    return (Means(code=code, mandate=found.get("mandate")),) if code else ()


def _payee(found: Mapping[str, Any], kind: BillKind) -> Payee | None:
    """Whoever gets the money, where somebody sends it."""
    means = found.get("means")
    if means in _COLLECTED:
        if "payee" in found:
            detail = f'A bill with "means": "{means}" is paid to no account: leave the payee out.'
            raise BillRefused("value-refused", detail, element="/payee")
        return None
    if "payee" in found:
        return _account_of(found["payee"], means=means, currency=found["currency"])
    if kind is BillKind.INVOICE:
        raise BillRefused("element-missing", json_fields.MISSING, element="/payee")
    return None


def _account_of(payee: Mapping[str, Any], *, means: str | None, currency: str) -> Payee:
    """An IBAN, or an account that is none: one of the two, and the one that goes with the means."""
    wanted = "account" if means == MeansKind.ELSEWHERE or (means is None and "iban" not in payee) else "iban"
    if wanted not in payee:
        missing = "iban" if means is None else wanted
        raise BillRefused("element-missing", json_fields.MISSING, element=f"/payee/{missing}")
    others = ("iban",) if wanted == "account" else ("account", "branch")
    for name in others:
        if name in payee:
            detail = f"The payee has '{wanted}', and '{name}' does not go with it: leave one of the two out."
            raise BillRefused("value-refused", detail, element=f"/payee/{name}")
    account = checks.Account(iban=payee.get("iban"), other=payee.get("account"))
    return accounts.payee(payee["name"], account, payee.get("branch"), accounts.Where(currency=currency))


def _preceding(found: Mapping[str, Any], kind: BillKind) -> tuple[str, ...]:
    """A credit note corrects, a bill replaces: the other way round somebody meant something else."""
    word, wrong = ("corrects", "replaces") if kind is BillKind.CREDIT_NOTE else ("replaces", "corrects")
    if wrong in found:
        detail = f"The field is not one of a {kind.value.replace('_', ' ')}; did you mean '{word}'?"
        raise BillRefused("value-refused", detail, element=f"/{wrong}")
    return (found[word],) if word in found else ()


def _early_payments(found: Mapping[str, Any], payable: Money) -> tuple[EarlyPayment, ...]:
    """One discount, or the list of several: the same said in two places could be two things."""
    if "early_payment" in found:
        if "discounts" in found:
            detail = "'early_payment' is one discount, 'discounts' are all of them: leave one of the two out."
            raise BillRefused("value-refused", detail, element="/discounts")
        return (_early_payment(found, found["early_payment"], payable, at="/early_payment", amount="discount"),)
    tiers: list[EarlyPayment] = []
    for index, each in enumerate(found.get("discounts", ())):
        tier = _early_payment(found, each, payable, at=f"/discounts/{index}", amount="amount")
        if tiers and tier.until <= tiers[-1].until:
            detail = "The discounts go by their days, the earliest first, one for each day."
            raise BillRefused("date-refused", detail, element=f"/discounts/{index}/until")
        if tiers and tier.discount.minor >= tiers[-1].discount.minor:
            detail = "Who pays later takes off less: the amount must be below that of the discount before."
            raise BillRefused("amounts-do-not-add-up", detail, element=f"/discounts/{index}/amount")
        tiers.append(tier)
    return tuple(tiers)


def _early_payment(
    found: Mapping[str, Any], said: Mapping[str, Any], payable: Money, *, at: str, amount: str
) -> EarlyPayment:
    discount = checks.json_amount(said[amount], payable.currency, element=f"{at}/{amount}")
    if not 0 < discount.minor < payable.minor:
        detail = "The discount must be more than nothing and less than the amount."
        raise BillRefused("amounts-do-not-add-up", detail, element=f"{at}/{amount}")
    if said["until"] < found["issued_on"]:
        raise BillRefused("date-refused", "The discount ends before the bill begins.", element=f"{at}/until")
    return EarlyPayment(until=said["until"], discount=discount)


def _late_fee(found: Mapping[str, Any], payable: Money, kind: BillKind) -> LateFee | None:
    if "late_fee" not in found:
        return None
    if kind is BillKind.CREDIT_NOTE or found.get("means") in _COLLECTED:
        whose = "A credit note" if kind is BillKind.CREDIT_NOTE else "What you collect"
        raise BillRefused("value-refused", f"{whose} is paid late by nobody: leave the fee out.", element="/late_fee")
    said = found["late_fee"]
    fee = checks.json_amount(said["amount"], payable.currency, element="/late_fee/amount")
    if fee.minor <= 0:
        detail = "The fee must be more than nothing. That of a small bill may be more than the bill."
        raise BillRefused("amounts-do-not-add-up", detail, element="/late_fee/amount")
    return LateFee(starts_on=_starts_on(found, said), amount=fee)


def _starts_on(found: Mapping[str, Any], said: Mapping[str, Any]) -> dt.date:
    """The first day with the fee: as it is said, else the day after the due day."""
    due_on: dt.date | None = found.get("due_on")
    if "from" not in said:
        if due_on is None:
            detail = "The bill names no due day: say from which day on the fee is owed."
            raise BillRefused("element-missing", detail, element="/late_fee/from")
        return due_on + dt.timedelta(days=1)
    starts_on: dt.date = said["from"]
    if starts_on <= (due_on or found["issued_on"]):
        after = f"the due day, {due_on}" if due_on else f"the day of issue, {found['issued_on']}"
        detail = f"Nobody is late on that day: the fee is owed from a day after {after}."
        raise BillRefused("date-refused", detail, element="/late_fee/from")
    return starts_on


def _bill_line(index: int, found: Mapping[str, Any], currency: str) -> Line:
    element = f"/lines/{index}/amount"
    amount = checks.json_amount(found["amount"], currency, element=element, signed=True) if "amount" in found else None
    return Line(
        description=found["description"],
        quantity=found.get("quantity"),
        amount=amount,
        vat_rate=found.get("vat_rate"),
    )
