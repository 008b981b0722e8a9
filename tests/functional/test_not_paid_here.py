"""Bills that are not paid here: taken, shown as what they are, and out of reach of every door that leads to money."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from app.errors import Conflict, Invalid
from app.invariants import check
from app.journey.decisions import orders
from app.journey.decisions.models import Decision
from app.journey.intake import holding, rules
from app.journey.intake.models import DeliveredBill
from app.journey.intake.service import ClientIdentity, deliver
from app.journey.invoices import service as invoices
from app.journey.invoices.models import Invoice
from app.journey.ledger.models import LedgerBalance, LedgerEntry
from app.journey.ledger.rules import Claim
from app.journey.payments.access import locked
from app.journey.payments.models import Payment
from app.journey.payments.step import doubt
from connectors.money import Money
from consent.models import Trip
from tests.functional.billers.test_billers_payments import program_of
from tests.functional.test_corrections import credit, of_invoice, said, send, to_the_biller, withdrawn
from tests.functional.test_linked_bills import at_the_bank, refused_by_the_bank
from tests.support import factories
from tests.support.billers_spec import conforms
from tests.support.bills import SELLER_VAT, cii_bill, json_fields, pdf_bill, ubl_bill, ubl_means
from tests.support.journey import Journey
from tests.support.own_bills import add, check_payee

REFERENCE = "RF18539007547034"
DEBIT = {"payee": None, "means": "direct_debit", "mandate": "M-2024-7", "creditor_id": "FR72ZZZ123456"}
CARD = {"payee": None, "means": "card"}
GIRO = {"payee": {"iban": None, "account": "5050-1055"}, "currency": "SEK"}
SORT_CODE = {"payee": {"iban": None, "account": "31926819", "branch": "60-16-13"}, "currency": "GBP"}
ACCOUNT = {"payee": {"iban": None, "account": "1234-5678"}}
EVERY: Mapping[str, Mapping[str, Any]] = {"direct_debit": DEBIT, "card": CARD, "elsewhere": ACCOUNT}
each = pytest.mark.parametrize("means", EVERY)
#: nobody may have a claim, a decision or an order at a bank
TOUCHED = (Decision, Payment, Trip, LedgerEntry, LedgerBalance)


def bill(journey: Journey, means: str | Mapping[str, Any] = "direct_debit", number: str = "2026-1", **more: Any) -> str:
    changes = EVERY[means] if isinstance(means, str) else means
    return journey.bill(**{"number": number, "amount": "100.00", **changes, **more})


def nothing_was_touched(journey: Journey) -> None:
    with journey.services.reading() as uow:
        rows = {table.__tablename__: uow.session.scalar(select(func.count()).select_from(table)) for table in TOUCHED}
    assert rows == dict.fromkeys(rows, 0)
    assert journey.ledger() == []


# ------------------------------------------------------------------------------------------------- what is shown


@each
def test_it_is_in_the_space_and_asks_for_nothing(app: Flask, journey: Journey, means: str) -> None:
    invoice_id = bill(journey, means)
    invoice = journey.invoice(invoice_id)
    assert (invoice.state, invoice.means, invoice.payee_iban) == ("not_here", means, None)
    inbox = said(journey, "/bills")
    assert "Nothing to pay here." in inbox
    assert "Besides, 1 bill whose day is not over is not paid from here" in inbox
    assert "Check and pay" not in inbox
    page = said(journey, f"/bills/{invoice_id}")
    assert "Check and pay" not in page
    buttons = journey.browser.page(f"/bills/{invoice_id}").select("a.button")
    assert all("/answers/" in str(each["href"]) for each in buttons)  # it can be answered, and not be paid
    assert journey.biller.name not in said(journey, "/bills?show=to-pay")
    assert journey.biller.name not in said(journey, "/bills?show=paid")
    answer = program_of(journey).get(f"/api/v1/bills/{invoice.bill_id}")
    conforms(app, answer)
    shown = answer.get_json()
    assert (shown["status"], shown["means"], shown["amount_due"]) == ("not_paid_here", means, "100.00")
    assert (shown["payments"], shown["amount_paid"]) == ([], "0.00")
    nothing_was_touched(journey)


def test_it_is_not_open_before_it_is_in_the_space_either(journey: Journey) -> None:
    acknowledged = journey.deliver(**DEBIT)
    shown = to_the_biller(journey, acknowledged.bill_id)
    assert (shown.status, shown.means) == ("not_paid_here", "direct_debit")


def test_a_debit_says_by_whom_and_when(journey: Journey) -> None:
    invoice_id = bill(journey)
    name = journey.biller.name
    page = said(journey, f"/bills/{invoice_id}")
    assert f"{name} collects this by direct debit on 1 December 2026; nothing to do here." in page
    assert "is not told whether the amount was collected" in page
    assert "Mandate M-2024-7 Creditor identifier FR72ZZZ123456" in page
    assert "To be collected 1 December" in said(journey, "/bills")


def test_after_its_day_it_was_to_be_collected_and_never_paid(journey: Journey) -> None:
    invoice_id = bill(journey)
    journey.clock.tick(hours=24 * 12)
    journey.browser.sign_in()
    page = said(journey, f"/bills/{invoice_id}")
    assert f"This was to be collected by {journey.biller.name} by direct debit on 1 December 2026." in page
    assert "Paid" not in page
    inbox = said(journey, "/bills")
    assert "Was to be collected 1 December 2026" in inbox
    assert "Nothing to pay." in inbox
    assert "not paid from here" not in inbox
    assert "late" not in inbox
    assert journey.invoice(invoice_id).state == "not_here"


def test_a_debit_without_a_day_names_none(journey: Journey) -> None:
    page = said(journey, f"/bills/{bill(journey, due_on=None)}")
    assert "collects this by direct debit; the bill names no day." in page


@pytest.mark.parametrize(
    ("means", "words"),
    [
        (GIRO, "Bankgiro 5050-1055 As the bill writes it; not checked"),
        (SORT_CODE, "Sort code 60-16-13, account 31926819 As the bill writes it; not checked"),
    ],
)
def test_an_account_without_an_iban_is_shown_as_not_checked(
    journey: Journey, means: Mapping[str, Any], words: str
) -> None:
    page = said(journey, f"/bills/{bill(journey, means)}")
    assert words in page
    assert "Quittance has not checked this account." in page


def test_what_is_paid_here_is_summed_and_nothing_else(journey: Journey) -> None:
    bill(journey, "direct_debit", "1")
    bill(journey, "elsewhere", "2")
    journey.bill(number="3", amount="40.00")
    inbox = said(journey, "/bills")
    assert "€40.00 to pay, on 1 bill" in inbox
    assert "Besides, 2 bills whose day is not over are not paid from here" in inbox
    assert inbox.index("Check and pay") > 0
    assert "2" not in [each.get_text() for each in journey.browser.page("/bills?show=to-pay").select(".card h2")]


# ------------------------------------------------------------------------------------------------- in every format


def upload(journey: Journey, content: bytes, media_type: str) -> None:
    answer = program_of(journey).deliver(content, path="/api/v1/uploads", media_type=media_type)
    assert answer.status_code == 202, answer.get_json()
    journey.worker.run_until_idle()


@pytest.mark.parametrize("kind", ["ubl", "cii", "factur-x", "ndjson", "csv"])
def test_a_debit_in_every_format(journey: Journey, kind: str) -> None:
    collected: dict[str, Any] = {"to": journey.address, "seller_name": journey.biller.name}
    collected |= {"means_code": "59", "iban": None}
    fields = json_fields(to=journey.address, reference=None, **DEBIT)
    cii = cii_bill(**collected).replace(SELLER_VAT.encode(), str(journey.biller.vat_id).encode())
    if kind == "ubl":
        send(journey, ubl_bill(seller_vat=None, **collected))
    elif kind == "cii":
        send(journey, cii)
    elif kind == "factur-x":
        send(journey, pdf_bill(("factur-x.xml", cii)), "application/pdf")
    elif kind == "ndjson":
        upload(journey, json.dumps(fields).encode(), "application/x-ndjson")
    else:
        upload(journey, f"{','.join(fields)}\n{','.join(fields.values())}\n".encode(), "text/csv")
    with journey.services.reading() as uow:
        invoice = uow.session.scalars(select(Invoice)).one()
    assert (invoice.state, invoice.means) == ("not_here", "direct_debit")
    nothing_was_touched(journey)


def test_with_a_card_beside_an_iban_it_is_offered_by_transfer(journey: Journey) -> None:
    sender: dict[str, Any] = {"to": journey.address, "seller_name": journey.biller.name}
    means = ubl_means(code="48", iban=None) + ubl_means(code="58", iban=journey.biller.iban)
    send(journey, ubl_bill(means=means, seller_vat=journey.biller.vat_id, **sender))
    with journey.services.reading() as uow:
        invoice = uow.session.scalars(select(Invoice)).one()
    assert (invoice.state, invoice.means) == ("to_pay", "credit_transfer")
    payment_id = journey.pay(invoice.id)
    journey.wait(3)
    assert journey.truth(payment_id) == "done"


def test_the_address_of_a_page_is_held_and_never_a_link(journey: Journey) -> None:
    link = {"payee": {"iban": None, "account": "https://pay.example.test/x"}}
    held = journey.deliver(number="2026-1", **link)
    assert [each.code for each in held.held] == ["account-is-link"]
    assert "Where an account belongs it has the address of a page." in said(journey, "/bills")
    holding.release(journey.services, held_id=held.bill_id)
    journey.worker.run_until_idle()
    with journey.services.reading() as uow:
        invoice_id = uow.session.scalars(select(Invoice.id)).one()
    page = journey.browser.page(f"/bills/{invoice_id}")
    assert "https://pay.example.test/x" in page.get_text()
    assert not [a for a in page.select("a[href]") if "example.test" in str(a["href"])]


def test_an_iban_beside_a_debit_without_a_mandate_is_offered_and_both_pages_name_the_debit(journey: Journey) -> None:
    means = ubl_means(code="59", iban="DE75512108001245126199") + ubl_means(code="58", iban=journey.biller.iban)
    send(journey, ubl_bill(means=means, to=journey.address, seller_name=journey.biller.name, seller_vat=None))
    with journey.services.reading() as uow:
        invoice_id = uow.session.scalars(select(Invoice.id)).one()
    name = journey.biller.name
    words = f"The bill also says that {name} collects it by direct debit. Ask {name} whether it does before you pay"
    for path in (f"/bills/{invoice_id}", f"/bills/{invoice_id}/pay?bank=horizon"):
        assert words in said(journey, path)
    other = journey.bill(number="2026-2", amount="100.00")
    assert "direct debit" not in said(journey, f"/bills/{other}")


@pytest.mark.parametrize(
    "payee",
    [
        {"account": "www.pay.example.test/x"},
        {"account": "pay.example.test/x?b=1"},
        {"account": "pay.example.test"},
        {"account": "mailto:pay@example.test"},
        {"account": "12345678", "branch": "https://pay.example.test/x"},
        {"account": "12345678", "name": "Pay at https://pay.example.test/x"},
    ],
)
def test_it_is_held_wherever_it_stands_and_however_it_is_written(journey: Journey, payee: Mapping[str, Any]) -> None:
    held = journey.deliver(number="2026-1", payee={"iban": None, **payee})
    assert [each.code for each in held.held] == ["account-is-link"]


DISGUISES = ("{}-{}", "{}.{}", "IBAN {}{}", "IBAN: {} {}", "iban-nr {}{}")


@pytest.mark.parametrize("disguise", DISGUISES)
def test_an_iban_is_none_of_the_accounts_that_are_shown_unchecked(journey: Journey, disguise: str) -> None:
    account = disguise.format("DE89", "370400440532013000")
    with pytest.raises(Invalid):
        journey.deliver(number="2026-1", payee={"iban": None, "account": account})


@pytest.mark.parametrize(
    "payee",
    [
        {"account": "1", "branch": "IBAN DE89 3704 0044 0532 0130 00"},
        {"account": "3704 0044 0532 0130 00", "branch": "DE89"},
        {"account": "DE89", "branch": "370400440532013000"},
        {"account": "12345", "name": "Pay DE89370400440532013000"},
    ],
)
def test_nor_does_one_stand_beside_the_account(journey: Journey, payee: Mapping[str, Any]) -> None:
    with pytest.raises(Invalid, match=r"holds an IBAN|is an IBAN") as caught:
        journey.deliver(number="2026-1", payee={"iban": None, **payee})
    assert caught.value.code == "account-refused"


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("kind", ["json", "ubl"])
def test_what_was_taken_before_a_rule_of_the_door_is_opened(
    journey: Journey, kind: str, held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = "A1"
    if held:
        journey.bill(number="A-1")
        number = "A\u20101"
    with monkeypatch.context() as then:
        then.setattr(rules, "can_be_taken", lambda bill: None)  # the rules of that day
        if kind == "json":
            payee = {"iban": None, "account": "Konto DE89-3704-0044-0532-0130-00"}
            taken = journey.deliver(number=number, payee=payee)
        else:
            sender: dict[str, Any] = {"to": journey.address, "seller_name": journey.biller.name, "seller_vat": None}
            means = ubl_means(code="58", iban="1234567")
            client = ClientIdentity(client_id=journey.biller.client_id, biller_id=journey.biller.id)
            content = ubl_bill(number=number, means=means, **sender)
            taken = deliver(journey.services, client=client, content=content, media_type="application/xml", to=None)
    assert bool(taken.held) is held
    bill_id = holding.release(journey.services, held_id=taken.bill_id) if held else taken.bill_id
    journey.worker.run_until_idle()
    with journey.services.reading() as uow:
        invoice = uow.session.scalars(select(Invoice).where(Invoice.bill_id == bill_id)).one()
    assert (invoice.state, invoice.means) == ("not_here", "elsewhere")


@pytest.mark.parametrize("disguise", DISGUISES[:4])
def test_however_it_is_spelled_it_is_paid_to_if_it_was_vetted_and_held_if_not(journey: Journey, disguise: str) -> None:
    def sent(number: str, iban: str) -> bytes:
        means = ubl_means(code="58", iban=disguise.format(iban[:4], iban[4:]))
        return ubl_bill(
            number=number, means=means, to=journey.address, seller_name=journey.biller.name, seller_vat=None
        )

    swapped = send(journey, sent("2026-1", "DE75512108001245126199"))
    assert [each.code for each in swapped.held] == ["account-not-registered"]
    assert not send(journey, sent("2026-2", journey.biller.iban)).held
    with journey.services.reading() as uow:
        invoice = uow.session.scalars(select(Invoice)).one()
    assert (invoice.number, invoice.state, invoice.payee_iban) == ("2026-2", "to_pay", journey.biller.iban)


# ------------------------------------------------------------------------------------------------- no way to pay it


@each
def test_no_door_lets_it_be_paid(app: Flask, journey: Journey, means: str) -> None:
    """Every route that has a bill in its address, as a customer with a passkey who wants to."""
    invoice_id = bill(journey, means)
    page = f"/bills/{invoice_id}"
    token = journey.browser.token(page)
    knocked = 0
    for rule in app.url_map.iter_rules():
        if "<inv>" not in rule.rule or not rule.endpoint.startswith("customers."):
            continue
        path = rule.rule.replace("<inv>", invoice_id)
        for method in (rule.methods or set()) & {"GET", "POST"}:
            knocked += 1
            for form in ({}, {"bank": "horizon", "find": "horizon", "credential": "{}", "ceremony": "x"}):
                if method == "GET":
                    answer = journey.browser.get(f"{path}?bank=horizon")
                else:
                    answer = journey.browser.post(path, token=token, form=form)
                leads = urlsplit(answer.headers.get("Location", "")).path
                # who asks whether the money is there is led back to the page that signs, and that leads on
                assert leads in ("", page, f"{page}/bank", f"{page}/pay"), (path, leads)
    assert knocked >= 8
    nothing_was_touched(journey)


@each
def test_a_refusal_says_that_no_money_moved(journey: Journey, means: str) -> None:
    invoice_id = bill(journey, means)
    token = journey.browser.token(f"/bills/{invoice_id}")
    answer = journey.browser.post(f"/bills/{invoice_id}/pay/ceremony", token=token, data={"bank": "horizon"})
    assert (answer.status_code, answer.get_json()["code"]) == (409, "not-paid-here")
    assert "No money moved, and nothing was changed." in answer.get_json()["detail"]
    form = {"credential": "{}", "ceremony": "x"}
    page = journey.browser.post(f"/bills/{invoice_id}/pay", token=token, form=form)
    assert page.status_code == 409
    assert "No money moved, and nothing was changed." in page.get_data(as_text=True)
    for path in ("pay", "bank"):
        answer = journey.browser.get(f"/bills/{invoice_id}/{path}")
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/bills/{invoice_id}")
    nothing_was_touched(journey)


@each
def test_a_signature_over_another_bill_does_not_pay_it(journey: Journey, means: str) -> None:
    payable, collected = journey.bill(number="1"), bill(journey, means, "2")
    token, started = journey.browser.start_paying(payable)
    answer = journey.browser.decide(collected, token, started.get_json())
    assert answer.status_code == 409
    with journey.services.reading() as uow:
        assert uow.session.scalar(select(func.count()).select_from(Decision)) == 0
    assert journey.invoice(collected).state == "not_here"


@each
def test_no_claim_is_ever_made_on_it(journey: Journey, means: str) -> None:
    invoice_id = bill(journey, means)
    claim = Claim(
        invoice_id=invoice_id,
        payment_id="pay_x",
        creditor=journey.biller.id,
        amount=Money(10000, "EUR"),
        discount=Money(0, "EUR"),
    )
    with pytest.raises(Conflict), journey.services.unit_of_work() as uow:
        invoices.claim(uow, claim)
    invoice, horizon = journey.invoice(invoice_id), journey.services.banks.profile("horizon")
    day = dt.date(2026, 11, 22)
    price = orders.price_of(invoice, day=day)
    with pytest.raises(Conflict) as refused:
        orders.order_of(invoice, bank=horizon, day=day, price=price)
    assert refused.value.code == "not-paid-here"
    nothing_was_touched(journey)


@pytest.mark.parametrize("state", ["to_pay", "in_payment", "paid"])
def test_the_database_itself_refuses_to_have_it_offered_or_paid(journey: Journey, state: str) -> None:
    invoice_id = bill(journey)
    with pytest.raises(IntegrityError, match="paid_here_or_never"), journey.services.unit_of_work() as uow:
        uow.session.execute(update(Invoice).where(Invoice.id == invoice_id).values(state=state))


# ------------------------------------------------------------------------------------------------- corrections


@each
def test_a_credit_note_lowers_it_and_clears_it(journey: Journey, means: str) -> None:
    invoice_id = bill(journey, means)
    credit(journey)
    of = of_invoice(journey, invoice_id)
    assert (of.status, str(of.amount_due), str(of.refund_owed)) == ("not_paid_here", "70.00", "0.00")
    assert "70.00 instead of" in said(journey, f"/bills/{invoice_id}")
    credit(journey, "70.00", number="C-2")
    of = of_invoice(journey, invoice_id)
    assert (of.status, str(of.amount_due), str(of.refund_owed)) == ("closed", "0.00", "0.00")
    page = said(journey, f"/bills/{invoice_id}")
    assert "You need not pay it." in page
    if means == "direct_debit":
        assert (
            f"If €100.00 is collected on 1 December 2026 all the same, {journey.biller.name} owes you €100.00." in page
        )
        assert "Nothing to pay any more; we are not told whether it was collected" in page
    else:
        assert f"If you paid €100.00 for it all the same, {journey.biller.name} owes you €100.00." in page
        assert "Nothing to pay any more; we are not told whether it was paid" in page
    assert "nothing was paid" not in page
    credit(journey, "5.00", number="C-3")  # more than it was for: owed whatever was paid
    assert str(of_invoice(journey, invoice_id).refund_owed) == "5.00"
    nothing_was_touched(journey)


@each
def test_a_withdrawal_clears_it(journey: Journey, means: str) -> None:
    invoice_id = bill(journey, means)
    withdrawn(journey, invoice_id)
    assert (journey.invoice(invoice_id).state, of_invoice(journey, invoice_id).status) == ("cleared", "closed")
    page = said(journey, f"/bills/{invoice_id}")
    assert "has withdrawn this bill." in page
    assert "collects this" not in page
    answer = journey.browser.get(f"/bills/{invoice_id}/pay")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/bills/{invoice_id}")
    nothing_was_touched(journey)


def test_a_new_version_may_be_paid_here(journey: Journey) -> None:
    old = bill(journey)
    new = journey.bill(number="2026-2", amount="90.00", replaces="2026-1")
    assert [journey.invoice(one).state for one in (old, new)] == ["cleared", "to_pay"]
    payment_id = journey.pay(new)
    journey.wait(3)
    assert journey.truth(payment_id) == "done"
    assert [entry["amount"] for entry in journey.ledger()] == ["90.00"]


NOBODY_TELLS = "Nobody tells us whether it was: look at your statement of account before you pay this one."


@pytest.mark.parametrize(
    ("means", "more", "words", "when"),
    [
        (
            "direct_debit",
            {},
            "was to be collected by direct debit on 1 December 2026.",
            "If €100.00 was collected on 1 December 2026,",
        ),
        (
            "direct_debit",
            {"due_on": None},
            "was to be collected by direct debit.",
            "If €100.00 was collected for it,",
        ),
        ("card", {}, "was to be paid in another way, not from here.", "If you paid €100.00 for it all the same,"),
        ("elsewhere", {}, "was to be paid in another way, not from here.", "If you paid €100.00 for it all the same,"),
    ],
)
def test_a_new_version_of_what_may_have_been_paid_says_so_up_to_the_signature(
    journey: Journey, means: str, more: dict[str, Any], words: str, when: str
) -> None:
    """Also where another version lies between the two."""
    old = bill(journey, means, **more)
    journey.clock.tick(hours=24 * 12)
    journey.browser.sign_in()
    journey.bill(number="2026-2", amount="95.00", replaces="2026-1")
    new = journey.bill(number="2026-3", amount="90.00", replaces="2026-2", due_on="2026-12-20")
    for path in (f"/bills/{new}", f"/bills/{new}/pay?bank=horizon"):
        page = said(journey, path)
        assert f"Bill 2026-1, which this one replaces, {words} {NOBODY_TELLS}" in page
        assert f"{when} {journey.biller.name} owes you €100.00." in page
        assert "need not be paid any more" not in page
        assert f"/bills/{old}" in [str(link["href"]) for link in journey.browser.page(path).select(".notice a")]
    assert "version, 2026-1, was not to be paid from here: look at your statement first" in said(journey, "/bills")
    payment_id = journey.confirm(new)
    assert NOBODY_TELLS in said(journey, f"/payments/{payment_id}/leave")
    with journey.services.reading() as uow:
        decision = uow.session.scalars(select(Decision)).one()
    assert (decision.earlier_not_here, decision.earlier_paid) == ([old], [])
    assert decision.evidence["order"]["earlier_not_here"] == old
    journey.browser.come_back(journey.at_bank(journey.browser.leave(payment_id)))
    journey.wait(3)
    assert journey.truth(payment_id) == "done"  # who has read it may pay it


def test_the_collected_version_of_a_collected_bill_says_that_the_first_may_have_been(journey: Journey) -> None:
    bill(journey)
    new = bill(journey, number="2026-2", replaces="2026-1", due_on="2026-12-20")
    page = said(journey, f"/bills/{new}")
    assert "Bill 2026-1, which this one replaces, was to be collected by direct debit on 1 December 2026." in page
    assert f"Nobody tells us whether it is all the same: ask {journey.biller.name}." in page
    assert f"If €100.00 is collected on 1 December 2026 all the same, {journey.biller.name} owes you €100.00." in page
    journey.clock.tick(hours=24 * 12)
    journey.browser.sign_in()
    page = said(journey, f"/bills/{new}")
    assert "Nobody tells us whether it was: your statement of account shows it." in page
    assert f"If €100.00 was collected on 1 December 2026, {journey.biller.name} owes you €100.00." in page


def test_what_was_credited_before_it_was_replaced_is_not_said_to_be_owed(journey: Journey) -> None:
    old = bill(journey)
    credit(journey)  # 30.00
    new = bill(journey, number="2026-2", replaces="2026-1")
    for page in (said(journey, f"/bills/{old}"), said(journey, f"/bills/{new}")):
        assert f"If €70.00 is collected on 1 December 2026 all the same, {journey.biller.name} owes you €70.00." in page


def test_an_answer_is_said_to_stop_no_direct_debit(journey: Journey) -> None:
    invoice_id = bill(journey)
    ask = f"For that, ask {journey.biller.name} or your bank."
    assert f"An answer does not stop the direct debit. {ask}" in said(journey, f"/bills/{invoice_id}")
    journey.clock.tick(hours=24 * 12)
    journey.browser.sign_in()
    assert f"An answer does not take a direct debit back. {ask}" in said(journey, f"/bills/{invoice_id}")
    assert "direct debit" not in said(journey, f"/bills/{bill(journey, 'card', number='2026-3')}")


def test_a_collected_bill_that_comes_after_its_new_version_stops_what_was_decided_without_it(journey: Journey) -> None:
    new = journey.bill(number="2026-2", amount="90.00", replaces="2026-1")
    token, started = journey.browser.start_paying(new)
    first = journey.confirm(new)
    journey.worker.run_until_idle()
    assert journey.payment(first).state == "awaiting_customer"
    bill(journey)
    assert (journey.payment(first).state, journey.payment(first).reason) == ("cancelled", "earlier_bill")
    answer = journey.browser.decide(new, token, started.get_json())  # what was signed says nothing of it
    assert answer.status_code == 409
    assert (
        f"Nobody tells us whether it is all the same: ask {journey.biller.name} before you pay this one."
        in " ".join(answer.get_data(as_text=True).split())
    )
    second = journey.confirm(new)
    journey.worker.run_until_idle()
    assert journey.payment(second).state == "awaiting_customer"
    assert [str(each) for each in check(journey.services.engine, now=journey.clock())] == []


def test_who_has_gone_to_the_bank_is_asked_not_to_approve_when_the_collected_bill_comes(journey: Journey) -> None:
    new = journey.bill(number="2026-2", amount="90.00", replaces="2026-1")
    payment_id = journey.confirm(new)
    journey.browser.leave(payment_id)
    old = journey.deliver(number="2026-1", amount="100.00", **DEBIT)
    with journey.services.unit_of_work() as uow:  # and the worker has asked the bank nothing yet
        delivered = uow.session.get_one(DeliveredBill, old.bill_id)
        invoices.open_bill(uow, journey.services.vault, delivered)
        uow.commit()
    assert journey.payment(payment_id).unwanted_since is not None
    page = said(journey, f"/payments/{payment_id}")
    assert "Please do not approve this one: you could pay twice." in page
    assert "was to be collected by direct debit" in page


def test_what_was_taken_off_after_it_may_have_been_collected_is_said_to_be_owed_then(journey: Journey) -> None:
    invoice_id = bill(journey)
    journey.clock.tick(hours=24 * 12)
    journey.browser.sign_in()
    owed = f"If you paid more than €70.00, or more was collected, {journey.biller.name} owes you the difference."
    assert "owes you" not in said(journey, f"/bills/{invoice_id}")
    credit(journey)
    assert owed in said(journey, f"/bills/{invoice_id}")
    assert str(of_invoice(journey, invoice_id).refund_owed) == "0.00"  # nobody knows


def test_what_names_no_day_is_not_over_on_arrival(journey: Journey) -> None:
    journey.pay(journey.bill(number="paid", amount="10.00"))
    journey.wait(3)
    bill(journey, "elsewhere", "no day", due_on=None)
    journey.clock.tick(hours=24 * 12)
    journey.browser.sign_in()
    inbox = said(journey, "/bills")
    assert "Nothing to pay here." in inbox
    assert "Besides, 1 bill whose day is not over is not paid from here" in inbox
    assert inbox.index("Bill no day") < inbox.index("Bill paid")


@pytest.mark.parametrize(
    ("pays", "words"),
    [
        (True, "You may have paid this bill already. Do not pay it before you have checked."),
        (False, "You may have added this very bill yourself, and it is not paid from here."),
    ],
)
def test_its_page_says_that_its_customer_may_have_added_the_same_bill(journey: Journey, pays: bool, words: str) -> None:
    own = add(journey.browser, amount="100.00", reference=REFERENCE)
    if pays:
        check_payee(journey.browser, own, typed=str(journey.invoice(own).payee_iban), warned="yes")
        journey.pay(own)
        journey.wait(3)
    page = said(journey, f"/bills/{bill(journey)}")
    assert f"{words} " in page
    assert "Same amount, same reference." in page


def test_a_payment_of_the_earlier_bill_that_comes_alive_again_asks_nobody_to_wait(journey: Journey) -> None:
    old = journey.bill(number="2026-1", amount="100.00")
    first, _ = at_the_bank(journey, old)
    refused_by_the_bank(journey, first)
    new = bill(journey, number="2026-2", replaces="2026-1")
    with journey.services.unit_of_work() as uow:
        payment = locked(uow.session, first)
        payment.doubted_since = uow.now
        doubt(uow, payment)
        uow.commit()
    page = said(journey, f"/bills/{new}")
    assert "A payment of bill 2026-1, which this one replaces, is under way. If it goes through," in page
    assert "ask how that is to be set off against this one." in page
    assert "Please wait" not in page


def test_a_new_version_may_be_collected(journey: Journey) -> None:
    old = journey.bill(number="2026-1", amount="100.00")
    void = journey.confirm(old)
    new = bill(journey, number="2026-2", replaces="2026-1")
    journey.worker.run_until_idle()
    assert [journey.invoice(one).state for one in (old, new)] == ["cleared", "not_here"]
    assert journey.truth(void) == "not_done"
    assert "This is the new version of bill 2026-1, which need not be paid any more." in said(journey, f"/bills/{new}")
    assert journey.ledger() == []


def test_a_collected_version_of_a_paid_bill_says_that_it_was_paid(journey: Journey) -> None:
    old = journey.bill(number="2026-1", amount="100.00")
    journey.pay(old)
    journey.wait(3)
    new = bill(journey, number="2026-2", replaces="2026-1")
    page = said(journey, f"/bills/{new}")
    assert "which you have paid:" in page
    assert "owes you what you paid for it. Ask how that is to be set off against this one." in page
    assert str(of_invoice(journey, old).refund_owed) == "100.00"


def test_a_held_correction_is_told_on_its_page(journey: Journey) -> None:
    invoice_id = bill(journey)
    other = {"iban": next(each for each in factories.IBANS if each != journey.biller.iban)}
    held = journey.deliver(number="2026-2", amount="90.00", replaces="2026-1", payee=other)
    assert held.held
    page = said(journey, f"/bills/{invoice_id}")
    assert "has sent number 2026-2, which corrects this bill" in page
    assert f"It may change what is asked of you or collected: ask {journey.biller.name}." in page
