"""Choosing the bank to pay from. Nothing is decided here, and nothing that is typed is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.journey.banks import search
from app.journey.banks.read import troubled_banks
from app.journey.decisions.read import bank_used_last
from app.journey.invoices.read import Seal, account_view, invoice_view, origin_of
from app.journey.invoices.states import InvoiceState
from app.people.customers import today_of
from app.web.context import services
from app.web.customers.bank_view import BankView, bank_view
from app.web.customers.pages import blueprint, me
from connectors.profile import BankProfile

#: on one page; the search finds the others
BANKS_MOST = 40

Search = Callable[[Iterable[BankProfile]], list[BankProfile]]


@blueprint.get("/bills/<inv>/bank")
def choose_bank(inv: str) -> ResponseReturnValue:
    """The banks for this bill, or those that the words of the address find."""
    typed = request.args.get("find", "")[: search.TYPED_MOST].strip()
    if search.is_account(typed):  # no form of ours sends it here
        return redirect(url_for("customers.choose_bank", inv=inv), 303)
    return _page(inv, lambda banks: search.by_words(banks, typed), words=typed)


@blueprint.post("/bills/<inv>/bank")
def find_bank(inv: str) -> ResponseReturnValue:
    """What was typed comes in a body: an account number would stand in an address for everybody to read.

    Words go on into the address, so that the page can be fetched again. An account number ends here, and no answer
    has it.
    """
    typed = request.form.get("find", "")[: search.TYPED_MOST].strip()
    if not search.is_account(typed):
        # the fragment: the keyboard goes on where the answer is
        return redirect(url_for("customers.choose_bank", inv=inv, find=typed or None, _anchor="banks-title"), 303)
    return _page(inv, lambda banks: search.by_account(banks, typed), words=None)


def _page(invoice_id: str, find: Search, *, words: str | None) -> ResponseReturnValue:
    """``words`` are shown again; None: an account was looked for. If it names one bank, that one is chosen (303)."""
    who = me()
    with services().reading() as uow:
        today = today_of(who.customer, uow.now)
        bill = invoice_view(uow.session, invoice_id=invoice_id, customer_id=who.customer.id, today=today)
        before = bank_used_last(uow.session, customer_id=who.customer.id, currency=bill.payable.currency)
        troubled = troubled_banks(uow.session, now=uow.now)
        account = account_view(uow.session, invoice_id=invoice_id, customer=who.customer, now=uow.now)
        seal = origin_of(services().vault, uow.session, invoice_id=invoice_id).seal
    if bill.state != InvoiceState.TO_PAY or seal is Seal.WRONG or (account is not None and not account.is_open):
        return redirect(url_for("customers.bill", inv=invoice_id), 303)  # which says why: this page says how to pay
    usable = services().banks.banks()
    found = find(usable)
    here = [bank_view(bank, troubled) for bank in found if bill.payable.currency in bank.currencies]
    if words is None and len(here) == 1 and here[0].trouble is None:
        return redirect(url_for("customers.confirm", inv=invoice_id, bank=here[0].id), 303)
    if not words:
        here.sort(key=lambda bank: bank.id != before)  # stable: the others stay where they are
    return render_template(
        "customers/bank.html",
        bill=bill,
        asked=words,
        banks=here[:BANKS_MOST],
        more=len(here[BANKS_MOST:]),
        before=before,
        currency_not_taken=_views(found, lambda bank: bill.payable.currency not in bank.currencies)
        if words != ""
        else [],
        closed=_views(find(_closed()), lambda _: True) if words != "" else [],
    )


def _closed() -> list[BankProfile]:
    """Those that stand in a file here, and to which nobody can be sent as long as our keys for them are missing."""
    banks = services().banks
    return [bank for bank in banks.all_banks() if not bank.sandbox and banks.why_unusable(bank.id) is not None]


def _views(banks: Iterable[BankProfile], which: Callable[[BankProfile], bool]) -> list[BankView]:
    return [bank_view(bank, {}) for bank in banks if which(bank)][:BANKS_MOST]
