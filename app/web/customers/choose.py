"""How a bill could be paid: by what its customer allowed at a bank, or from which bank. Nothing is decided here, and
nothing that is typed is kept but what is to be shown first."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.journey.answers.read import sayable
from app.journey.banks import search
from app.journey.banks.read import troubled_banks
from app.journey.decisions.read import bank_used_last
from app.journey.invoices.read import Seal, account_view, invoice_view, origin_of
from app.journey.matching.service import prefer
from app.people.customers import today_of
from app.web.context import services
from app.web.customers.bank_view import BankView, bank_view
from app.web.customers.decide import as_wanted
from app.web.customers.pages import BANKS_MOST, blueprint, me, typed_words
from app.web.customers.verdicts import ways_of_bill
from connectors.profile import BankProfile

Search = Callable[[Iterable[BankProfile]], list[BankProfile]]


@blueprint.get("/bills/<inv>/bank")
def choose_bank(inv: str) -> ResponseReturnValue:
    """The banks for this bill, or those that the words of the address find."""
    typed = typed_words(request.args)
    if search.is_account(typed):  # no form of ours sends it here
        return redirect(url_for("customers.choose_bank", inv=inv), 303)
    return _page(inv, lambda banks: search.by_words(banks, typed), words=typed)


@blueprint.post("/bills/<inv>/bank")
def find_bank(inv: str) -> ResponseReturnValue:
    """What was typed comes in a body: an account number would stand in an address for everybody to read.

    Words go on into the address, so that the page can be fetched again. An account number ends here, and no answer
    has it.
    """
    typed = typed_words(request.form)
    if not search.is_account(typed):
        # the fragment: the keyboard goes on where the answer is
        return redirect(url_for("customers.choose_bank", inv=inv, find=typed or None, _anchor="banks-title"), 303)
    return _page(inv, lambda banks: search.by_account(banks, typed), words=None)


@blueprint.post("/bills/<inv>/first")
def pay_first(inv: str) -> ResponseReturnValue:
    """What is shown first for the bills of this company; an empty form: nothing is."""
    with services().unit_of_work() as uow:
        prefer(
            uow,
            services().banks,
            signed_in=me(),
            invoice_id=inv,
            consent_id=request.form.get("consent") or None,
            bank_id=request.form.get("bank") or None,
        )
        uow.commit()
    return redirect(url_for("customers.choose_bank", inv=inv), 303)


def _page(invoice_id: str, find: Search, *, words: str | None) -> ResponseReturnValue:
    """``words`` are shown again; None: an account was looked for. If it names one bank, that one is chosen (303)."""
    who = me()
    found = find(services().banks.banks())
    with services().reading() as uow:
        today = today_of(who.customer, uow.now)
        bill = invoice_view(uow.session, invoice_id=invoice_id, customer_id=who.customer.id, today=today)
        bill = as_wanted(uow.session, bill, today=today)
        before = bank_used_last(uow.session, customer_id=who.customer.id, currency=bill.payable.currency)
        may = sayable(uow.session, invoice_id=invoice_id, customer_id=who.customer.id, today=today)
        troubled = troubled_banks(uow.session, now=uow.now)
        account = account_view(uow.session, invoice_id=invoice_id, customer=who.customer, now=uow.now)
        seal = origin_of(services().vault, uow.session, invoice_id=invoice_id).seal
        ways = ways_of_bill(uow, bill, customer_id=who.customer.id, troubled=troubled, ask=[bank.id for bank in found])
    if ways is None or seal is Seal.WRONG or (account is not None and not account.is_open):
        return redirect(url_for("customers.bill", inv=invoice_id), 303)  # which says why: this page says how to pay
    open_to = {way.bank_id: way.bank for way in ways.single if way.covers and way.bank is not None}
    # all of them as they are ranked, the one used last first; those that were looked for as they were found
    here = [open_to[bank.id] for bank in found if bank.id in open_to] if words != "" else list(open_to.values())
    if words is None and len(here) == 1 and here[0].trouble is None:
        return redirect(url_for("customers.confirm", inv=invoice_id, bank=here[0].id), 303)
    return render_template(
        "customers/bank.html",
        bill=bill,
        may=may,
        ways=ways,
        asked=words,
        banks=here[:BANKS_MOST],
        more=len(here[BANKS_MOST:]),
        before=before,
        useless=[way for way in ways.single if not way.covers][:BANKS_MOST] if words != "" else [],
        closed=_views(find(_closed()), lambda _: True) if words != "" else [],
    )


def _closed() -> list[BankProfile]:
    """Those that stand in a file here, and to which nobody can be sent as long as our keys for them are missing."""
    banks = services().banks
    return [bank for bank in banks.all_banks() if not bank.sandbox and banks.why_unusable(bank.id) is not None]


def _views(banks: Iterable[BankProfile], which: Callable[[BankProfile], bool]) -> list[BankView]:
    return [bank_view(bank, {}) for bank in banks if which(bank)][:BANKS_MOST]
