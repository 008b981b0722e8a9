"""Paying a bill that its customer added: the account typed back, the name and the warning shown, and the same gates."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
from collections.abc import Callable

import pytest
from sqlalchemy import delete, event, func, select, text, update
from sqlalchemy.exc import OperationalError

from app.db import work
from app.db.work import WorkRow
from app.journey.decisions import payee_checks
from app.journey.decisions.models import Decision, PayeeCheck
from app.journey.decisions.payee_checks import CHECK_LIFE, state_of
from app.journey.intake.models import OwnBill
from app.journey.invoices.access import payee_of
from app.journey.invoices.models import Invoice
from app.journey.payments.access import locked
from app.journey.payments.models import BankAttempt, BankCall, Payment
from app.journey.payments.states import Source
from app.journey.payments.step import correct
from app.journey.reconciliation.read import differences
from app.journey.reconciliation.service import Imported, add_account, believe, import_statement
from app.journey.webhooks.models import WebhookMessage
from app.journey.webhooks.service import add_endpoint
from app.schedule import Schedule
from app.tasks import run_now
from connectors.contract import Fact
from connectors.money import MINOR_MAX
from consent.models import Trip
from tests.functional.test_corrections import credit, withdrawn
from tests.support import factories
from tests.support.bills import cii_bill, pdf_bill
from tests.support.camt import Line, camt
from tests.support.journey import Browser, Journey
from tests.support.own_bills import add, begin, ceremony, check_payee, keep, payee_form, words
from tests.support.pictures import IBAN, as_file, epc_text, page

TYPED = "DE75 5121 0800 1245 1261 99"


def rows(journey: Journey, table: type) -> int:
    with journey.services.reading() as uow:
        return uow.session.scalars(select(func.count()).select_from(table)).one()


def settled(journey: Journey, invoice_id: str) -> str:
    payment_id = journey.pay(invoice_id)
    journey.wait(60)
    assert journey.truth(payment_id) == "done"
    return payment_id


def test_the_whole_way(journey: Journey) -> None:
    """Checked, signed, approved, paid: and everywhere it is said that nobody has verified it, and no biller is told."""
    with journey.services.unit_of_work() as uow:
        add_endpoint(journey.services, uow, biller_id=journey.biller.id, url="https://biller.example/hook")
        uow.commit()
    invoice_id = add(journey.browser)
    to_check = journey.browser.get(f"/bills/{invoice_id}/pay?bank=horizon")
    assert (to_check.status_code, to_check.headers["Location"]) == (303, f"/bills/{invoice_id}/payee?bank=horizon")
    said = words(journey.browser, to_check.headers["Location"])
    assert "belongs to Dachdeckerei Brandt could not be checked" in said
    assert "call the company on a number that you know" in said
    # the page on which it is typed does not say it, but for its end
    raw = journey.browser.get(to_check.headers["Location"]).text
    assert IBAN not in raw.replace(" ", "").replace("\u202f", "")
    assert "ends with 6199" in said
    answer = check_payee(journey.browser, invoice_id, typed=f" iban: {TYPED.lower()} ")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/bills/{invoice_id}/pay?bank=horizon")
    said = words(journey.browser, answer.headers["Location"])
    assert "Not verified · added by you" in said
    assert "You typed this account from the bill" in said
    assert "verified access" not in said
    payment_id = settled(journey, invoice_id)
    assert [entry["amount"] for entry in journey.ledger()] == ["184.50"]
    assert "Added by you; nobody has verified it" in words(journey.browser, f"/payments/{payment_id}")
    receipt = journey.browser.page("/receipts").select_one("a[href^='/receipts/']")
    assert receipt is not None
    assert "who sent it was verified by nobody" in words(journey.browser, str(receipt["href"]))
    assert "added by you, not verified" in words(journey.browser, "/receipts")
    assert rows(journey, WebhookMessage) == 0
    with journey.services.reading() as uow:
        decision = uow.session.scalars(select(Decision)).one()
        check = uow.session.get_one(PayeeCheck, decision.payee_check_id)
        assert (check.typed_iban, check.name_check, check.warning) == (IBAN, "not_possible", "own-bill-4")
        assert (check.payee_iban, check.amount_minor, check.bank_id) == (decision.payee_iban, 18450, "horizon")
        assert check.checked_at <= decision.decided_at
        assert decision.evidence["order"]["typed_iban"] == IBAN
        assert decision.evidence["order"]["shown"] == check.shown
        assert uow.session.get_one(Payment, payment_id).biller_id is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"typed": ""}, "is not the account of this bill"),
        ({"typed": IBAN[:-1] + "8"}, "is not the account of this bill"),
        ({"typed": "6199"}, "is not the account of this bill"),
        ({"typed": IBAN + "0"}, "is not the account of this bill"),
        ({"typed": IBAN.replace("E", "Е")}, "is not the account of this bill"),  # a Cyrillic letter
        ({"typed": "x" * 5000}, "is not the account of this bill"),
        ({"typed": IBAN, "warned": "(not sent)"}, "Please read every part"),
        ({"typed": IBAN, "shown": "0" * 64}, "has changed since you saw it"),
    ],
)
def test_one_of_the_three_missing_is_no_check(journey: Journey, changes: dict[str, str], said: str) -> None:
    invoice_id = add(journey.browser)
    answer = check_payee(journey.browser, invoice_id, **changes)
    assert answer.status_code == 422
    assert said in " ".join(answer.text.split())
    assert rows(journey, PayeeCheck) == 0
    started = ceremony(journey.browser, invoice_id)
    assert (started.status_code, started.get_json()["code"]) == (409, "check-payee-first")


def test_without_a_check_nothing_is_signed_and_nothing_decided(journey: Journey) -> None:
    """Not by the ceremony, and not by one that was begun with a check that is over when its answer comes."""
    invoice_id = add(journey.browser)
    assert ceremony(journey.browser, invoice_id).get_json()["code"] == "check-payee-first"
    check_payee(journey.browser, invoice_id, typed=IBAN)
    token, started = journey.browser.start_paying(invoice_id)
    assert started.status_code == 200
    with journey.services.unit_of_work() as uow:
        uow.session.execute(delete(PayeeCheck))
        uow.commit()
    answer = journey.browser.decide(invoice_id, token, started.get_json())
    assert answer.status_code == 303  # to the check
    assert answer.headers["Location"].startswith(f"/bills/{invoice_id}/payee")
    assert rows(journey, Decision) == 0


def test_a_check_is_of_one_bank_for_half_an_hour_and_one_decision(journey: Journey) -> None:
    invoice_id = add(journey.browser)
    check_payee(journey.browser, invoice_id, typed=IBAN)
    assert journey.browser.start_paying(invoice_id, bank="horizon")[1].status_code == 200
    with journey.services.reading() as uow:
        found = {bank: state_of(uow, invoice_id=invoice_id, bank_id=bank)[1] for bank in ("horizon", "albion")}
    assert found["horizon"] is not None
    assert found["albion"] is None
    journey.clock.tick(seconds=CHECK_LIFE.total_seconds())
    journey.browser.sign_in()
    assert journey.browser.get(f"/bills/{invoice_id}/pay?bank=horizon").status_code == 303
    check_payee(journey.browser, invoice_id, typed=IBAN)
    payment_id = journey.confirm(invoice_id)
    cancelled = journey.browser.post(f"/payments/{payment_id}/cancel", token=journey.browser.token("/bills"))
    assert cancelled.status_code == 303
    journey.worker.run_until_idle()
    assert journey.invoice(invoice_id).state == "to_pay"
    assert ceremony(journey.browser, invoice_id).get_json()["code"] == "check-payee-first"


def test_checks_that_led_to_nothing_are_dropped(journey: Journey) -> None:
    used, unused = add(journey.browser), add(journey.browser, reference="Other", amount="7")
    for invoice_id in (used, unused):
        check_payee(journey.browser, invoice_id, typed=IBAN)
    journey.confirm(used)
    journey.clock.tick(hours=2)
    Schedule(journey.services).run_due()
    with journey.services.reading() as uow:
        assert uow.session.scalars(select(PayeeCheck.invoice_id)).all() == [used]


def test_a_likeness_that_turns_up_meanwhile_is_shown_first(journey: Journey) -> None:
    """The company connects between the page and its answer, and between the check and the signature."""
    invoice_id = add(journey.browser, payee="Wasserwerk Süd")
    form = payee_form(journey.browser, invoice_id, typed=IBAN)
    check_payee(journey.browser, invoice_id, typed=IBAN)
    token, started = journey.browser.start_paying(invoice_id)
    biller = factories.make_biller(journey.services, name="Wasserwerk Süd AG", iban="NL91ABNA0417164300")
    factories.connect(journey.services, customer_id=journey.customer.id, biller_id=biller.id)
    path = f"/bills/{invoice_id}/payee?bank=horizon"
    answer = journey.browser.post(path, token=token, form=form)
    assert answer.status_code == 422
    assert "Careful: Wasserwerk Süd AG has no such account." in answer.text
    assert journey.browser.decide(invoice_id, token, started.get_json()).headers["Location"] == path
    assert rows(journey, Decision) == 0
    # seen, and confirmed all the same
    refused = check_payee(journey.browser, invoice_id, typed=IBAN, called="(not sent)")
    assert (refused.status_code, "Please read every part" in refused.text) == (422, True)
    assert rows(journey, PayeeCheck) == 1  # the earlier one, with which nothing was decided
    assert check_payee(journey.browser, invoice_id, typed=IBAN).status_code == 303
    assert "Careful" in words(journey.browser, f"/bills/{invoice_id}/pay?bank=horizon")
    journey.confirm(invoice_id)
    with journey.services.reading() as uow:
        checks = uow.session.scalars(select(PayeeCheck.likeness).order_by(PayeeCheck.id)).all()
    assert checks == ["Wasserwerk Süd AG"]  # the earlier one led to nothing


def test_where_nothing_is_to_be_checked_the_way_that_was_chosen_is_kept(journey: Journey) -> None:
    invoice_id = journey.bill()
    answer = journey.browser.get(f"/bills/{invoice_id}/payee?bank=horizon&consent=con_1")
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        f"/bills/{invoice_id}/pay?bank=horizon&consent=con_1",
    )


def test_a_delivered_bill_wins_over_one_that_may_be_the_same(journey: Journey) -> None:
    delivered = journey.bill(number="A-1", amount="184.50")
    _, account = payee_of(journey.invoice(delivered))
    own = add(journey.browser, iban=account, payee="Lumen Énergie")
    said = words(journey.browser, f"/bills/{own}/payee?bank=horizon")
    assert "Lumen Énergie may have delivered this very bill. Pay that one." in said
    assert check_payee(journey.browser, own, typed=account, besides="(not sent)").status_code == 422
    assert check_payee(journey.browser, own, typed=account).status_code == 303
    settled(journey, own)
    # and now the delivered one is not paid as well without a word
    answer = journey.browser.get(f"/bills/{delivered}/pay?bank=horizon")
    assert answer.headers["Location"] == f"/bills/{delivered}/payee?bank=horizon"
    page = journey.browser.page(answer.headers["Location"])
    assert not page.select("input[name=typed], input[name=warned]")
    assert "You may have paid this bill already." in page.get_text(" ", strip=True)
    # one warning, whatever other copies there are: none of them is to be paid
    add(journey.browser, iban=account, payee="Lumen Énergie")
    [told] = journey.browser.page(f"/bills/{delivered}").select("div.notice.care")
    assert told.get_text(" ", strip=True).startswith(
        "You may have paid this bill already. Do not pay it before you have checked. Same account, same amount, same"
    )
    assert "Another copy may be in your space." in told.get_text(" ", strip=True)
    assert "Pay this one" not in words(journey.browser, f"/bills/{delivered}")
    assert ceremony(journey.browser, delivered).get_json()["code"] == "check-payee-first"
    assert check_payee(journey.browser, delivered, besides="(not sent)").status_code == 422
    assert check_payee(journey.browser, delivered).status_code == 303
    settled(journey, delivered)
    assert [entry["amount"] for entry in journey.ledger()] == ["184.50", "184.50"]
    with journey.services.reading() as uow:
        besides = uow.session.execute(
            select(Decision.invoice_id, PayeeCheck.besides).join(PayeeCheck, PayeeCheck.id == Decision.payee_check_id)
        )
        assert {row.invoice_id: row.besides for row in besides} == {own: [delivered], delivered: [own]}


def test_a_bill_that_arrives_after_the_check_is_told_before_the_signature_counts(journey: Journey) -> None:
    own = add(journey.browser, iban=journey.biller.iban, payee="Lumen Énergie")
    check_payee(journey.browser, own, typed=journey.biller.iban)
    token, started = journey.browser.start_paying(own)
    journey.bill(number="A-1", amount="184.50")
    answer = journey.browser.decide(own, token, started.get_json())
    assert answer.headers["Location"] == f"/bills/{own}/payee?bank=horizon"
    assert rows(journey, Decision) == 0


def test_a_delivered_bill_that_is_nobody_s_twin_asks_for_nothing(journey: Journey) -> None:
    own = add(journey.browser)
    check_payee(journey.browser, own, typed=IBAN)
    settled(journey, own)
    delivered = journey.bill(number="A-1", amount="84.20")
    assert journey.browser.get(f"/bills/{delivered}/pay?bank=horizon").status_code == 200
    assert (
        journey.browser.get(f"/bills/{delivered}/payee?bank=horizon")
        .headers["Location"]
        .startswith(f"/bills/{delivered}/pay")
    )
    settled(journey, delivered)


def test_bills_of_every_month_are_no_twins_but_of_the_same_month(journey: Journey) -> None:
    first = add(journey.browser, epc_text(amount="EUR700.00"), reference="Rent 11")
    check_payee(journey.browser, first, typed=IBAN)
    settled(journey, first)
    again = add(journey.browser, epc_text(amount="EUR700.00"), reference="Rent")
    assert "Perhaps the same bill" in words(journey.browser, f"/bills/{again}/payee?bank=horizon")
    journey.clock.tick(days=30)
    journey.browser.sign_in()
    second = add(journey.browser, epc_text(amount="EUR700.00"), reference="Rent 12")
    check = words(journey.browser, f"/bills/{second}/payee?bank=horizon")
    assert "You may have paid this bill already" not in check


def test_two_tabs_pay_it_once(journey: Journey) -> None:
    invoice_id = add(journey.browser)
    check_payee(journey.browser, invoice_id, typed=IBAN)
    tabs = [journey.browser.start_paying(invoice_id) for _ in range(2)]
    check_payee(journey.browser, invoice_id, typed=IBAN)
    answers = [journey.browser.decide(invoice_id, token, started.get_json()) for token, started in tabs]
    assert sorted("/payments/" in answer.headers.get("Location", "") for answer in answers) == [False, True]
    assert rows(journey, Decision) == 1


def test_a_begun_payment_keeps_the_bill(journey: Journey) -> None:
    invoice_id = add(journey.browser)
    check_payee(journey.browser, invoice_id, typed=IBAN)
    journey.confirm(invoice_id)
    token = journey.browser.token("/bills")
    assert journey.browser.post(f"/bills/{invoice_id}/remove", token=token).status_code == 409
    assert journey.browser.get(f"/bills/{invoice_id}").status_code == 200
    assert "Remove this bill" not in words(journey.browser, f"/bills/{invoice_id}")


def test_a_checked_bill_can_still_be_removed(journey: Journey) -> None:
    invoice_id = add(journey.browser)
    check_payee(journey.browser, invoice_id, typed=IBAN)
    token, started = journey.browser.start_paying(invoice_id)
    assert journey.browser.post(f"/bills/{invoice_id}/remove", token=token).status_code == 303
    assert (rows(journey, PayeeCheck), rows(journey, OwnBill)) == (0, 0)
    assert journey.browser.decide(invoice_id, token, started.get_json()).status_code == 404


def test_nobody_else_checks_it_and_no_visit_does(journey: Journey, journeys: Callable[[], Journey]) -> None:
    invoice_id = add(journey.browser)
    form = payee_form(journey.browser, invoice_id, typed=IBAN)
    path = f"/bills/{invoice_id}/payee?bank=horizon"
    other = Browser.of(journey.app)
    other.sign_up(name="Noa Petit", email="noa@example.org")
    assert other.get(path).status_code == 404
    assert other.post(path, token=other.token("/bills"), form=form).status_code == 404
    visitor = Browser.of(journey.app)
    token = factories.sign_in(journey.services, journey.customer, read_only=True)
    visitor.client.set_cookie("__Host-session-8000", token, domain="localhost", secure=True)
    assert not visitor.page(path).select("input[name=typed]")
    assert visitor.post(path, token=visitor.token("/bills"), form=form).status_code == 403
    assert journey.browser.get(f"/bills/{invoice_id}/payee?bank=nobody").status_code == 404
    assert rows(journey, PayeeCheck) == 0


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_who_decides_about_one_of_two_that_may_be_the_same_has_locked_both(journey: Journey) -> None:
    """Else two tabs could pay both without a word, each before the other's payment is to be seen."""
    delivered = journey.bill(number="A-1", amount="184.50")
    _, account = payee_of(journey.invoice(delivered))
    own = add(journey.browser, iban=account, number="A-1", reference="Lumen")
    other = journey.bill(number="A-2", amount="7.00")
    with journey.services.unit_of_work() as first:
        payee_checks.lock_with_twins(first.session, [first.session.get_one(Invoice, own)])
        for invoice_id, waits in ((delivered, True), (own, True), (other, False)):
            with journey.services.unit_of_work() as second:
                second.session.execute(text("SET LOCAL lock_timeout = '100ms'"))
                invoice = second.session.get_one(Invoice, invoice_id)
                with pytest.raises(OperationalError) if waits else contextlib.nullcontext():
                    payee_checks.lock_with_twins(second.session, [invoice])


def test_however_many_may_be_the_same_they_are_locked_by_two_statements(journey: Journey) -> None:
    """Else a biller that delivers thousands of such bills makes each decision take seconds."""
    delivered = journey.bill(number="A-1", amount="184.50")
    said: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        said.append(statement)

    for more in (1, 4):
        for each in range(more):
            add(journey.browser, epc_text(payee=f"P{more}{each}"), iban=journey.biller.iban, reference="A-1")
        with journey.services.unit_of_work() as uow:
            invoice = uow.session.get_one(Invoice, delivered)
            engine = uow.session.get_bind()
            event.listen(engine, "before_cursor_execute", hear)
            payee_checks.lock_with_twins(uow.session, [invoice])
            event.remove(engine, "before_cursor_execute", hear)
        assert len([each for each in said if "FROM ledger_balance" in each]) == 1
        said.clear()


@pytest.mark.tampers
@pytest.mark.parametrize("what", ["no check", "another account typed", "another amount", "another payee"])
def test_the_gate_looks_again_before_anything_is_sent(journey: Journey, what: str) -> None:
    """Whoever has changed the rows behind the decision: the order does not go to the bank."""
    invoice_id = add(journey.browser)
    check_payee(journey.browser, invoice_id, typed=IBAN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.web.customers.decide.run_now", lambda *_, **__: False)
        payment_id = journey.confirm(invoice_id)
    changes = {
        "another account typed": update(PayeeCheck).values(typed_iban="NL91ABNA0417164300"),
        "another amount": update(PayeeCheck).values(amount_minor=1),
        "another payee": update(PayeeCheck).values(payee_name="X"),
        "no check": update(Decision).values(payee_check_id=None),
    }
    with journey.services.unit_of_work() as uow:
        uow.session.execute(changes[what])
        uow.commit()
    journey.wait(60)
    payment = journey.payment(payment_id)
    assert (payment.state, payment.reason) == ("rejected", "payee_not_checked")
    assert journey.ledger() == []
    assert "nothing was sent to the bank" in words(journey.browser, f"/payments/{payment_id}")


@pytest.mark.tampers
def test_the_gate_looks_again_before_the_customer_leaves(journey: Journey) -> None:
    invoice_id = add(journey.browser)
    check_payee(journey.browser, invoice_id, typed=IBAN)
    payment_id = journey.confirm(invoice_id)
    with journey.services.unit_of_work() as uow:
        uow.session.execute(update(PayeeCheck).values(typed_iban="NL91ABNA0417164300"))
        uow.commit()
    assert journey.browser.get(f"/payments/{payment_id}/bank").status_code in (303, 409)
    assert "horizon" not in journey.browser.get(f"/payments/{payment_id}/bank").headers.get("Location", "")
    assert journey.payment(payment_id).state == "awaiting_customer"


def test_paid_it_stays_with_its_receipt(journey: Journey) -> None:
    invoice_id = add(journey.browser, due_on=dt.date(2026, 12, 1).isoformat())
    check_payee(journey.browser, invoice_id, typed=IBAN)
    settled(journey, invoice_id)
    token = journey.browser.token("/bills")
    assert journey.browser.post(f"/bills/{invoice_id}/remove", token=token).status_code == 409
    drawn = journey.browser.page(f"/bills/{invoice_id}")
    assert drawn.select_one("a[href^='/receipts/']") is not None
    assert drawn.select_one(".unverified") is not None


# ----------------------------------------------------------------------------------- what a file about the payee proves


def own_at_bank(journey: Journey, *, iban: str = IBAN) -> str:
    """The payment of an own bill, whose customer has gone to the bank and approved nothing yet."""
    invoice_id = add(journey.browser, iban=iban)
    check_payee(journey.browser, invoice_id, typed=iban)
    payment_id = journey.confirm(invoice_id)
    journey.browser.leave(payment_id)
    return payment_id


def statement(journey: Journey, payment_id: str, *, account: str = IBAN, reversed_too: bool = False) -> Imported:
    payment = journey.payment(payment_id)
    lines = [Line(end_to_end_id=payment.end_to_end_id, amount=str(payment.amount), reference="X1")]
    if reversed_too:
        lines.append(dataclasses.replace(lines[0], indicator="DBIT", reversal=True, entry_reference="R"))
    imported = import_statement(journey.services, camt(*lines, account=account))
    journey.worker.run_until_idle()
    return imported


def test_a_file_about_an_account_that_nobody_vetted_proves_no_payment(journey: Journey) -> None:
    payment_id = own_at_bank(journey)
    imported = statement(journey, payment_id)
    assert (imported.matched, imported.changed, imported.different) == (0, 0, 1)
    assert journey.payment(payment_id).state == "awaiting_customer"
    assert journey.browser.page("/receipts").select_one("a[href^='/receipts/']") is None
    with journey.services.reading() as uow:
        found = differences(uow.session)
    assert [each.code for each in found] == ["no-proof"]
    assert f"nobody has registered {IBAN}" in found[0].sentence


def test_a_file_about_an_account_that_nobody_vetted_takes_nothing_back(journey: Journey) -> None:
    """Else the bill would be offered again, and paid twice."""
    invoice_id = add(journey.browser)
    check_payee(journey.browser, invoice_id, typed=IBAN)
    payment_id = settled(journey, invoice_id)
    assert statement(journey, payment_id, reversed_too=True).changed == 0
    assert (journey.payment(payment_id).state, journey.invoice(invoice_id).state) == ("settled", "paid")


def test_it_proves_what_it_says_once_an_operator_has_registered_the_account(journey: Journey) -> None:
    payment_id = own_at_bank(journey)
    statement(journey, payment_id)
    with journey.services.unit_of_work() as uow:
        add_account(uow, iban=IBAN, because="the payee's own bank sends us its statements")
        uow.commit()
    assert believe(journey.services) == 1
    assert (journey.payment(payment_id).state, journey.payment(payment_id).fact) == ("settled", "credited")


def test_a_statement_of_a_vetted_account_proves_a_payment_to_it_whoever_added_the_bill(journey: Journey) -> None:
    payment_id = own_at_bank(journey, iban=journey.biller.iban)
    assert statement(journey, payment_id, account=journey.biller.iban).changed == 1
    assert journey.payment(payment_id).state == "settled"


# ---------------------------------------------------------------------- the same debt, added and delivered, or twice


def later(journey: Journey, *, days: int) -> None:
    journey.clock.tick(days=days)
    journey.browser.sign_in()


def check_page(invoice_id: str) -> str:
    return f"/bills/{invoice_id}/payee?bank=horizon"


@pytest.mark.parametrize(
    ("number", "written", "amount"),
    [
        ("2026-77", "Rechnung 2026/77 vom 1.11.2026", "184.50"),  # as paper says it
        ("RE-2026-77", "RE 2026 77", "184.50"),
        ("RE-2026-77", "RE-2026-77", "189.50"),  # with a fee
        ("RE-2026-77", "Mahnung 4711", "184.50"),
    ],
)
def test_a_reminder_of_a_bill_that_was_paid_long_ago_is_told(
    journey: Journey, number: str, written: str, amount: str
) -> None:
    delivered = journey.bill(number=number, amount="184.50")
    settled(journey, delivered)
    later(journey, days=60)
    own = add(journey.browser, iban=journey.biller.iban, amount=amount, reference=written)
    assert "You may have paid this bill already." in words(journey.browser, check_page(own))
    answer = check_payee(journey.browser, own, typed=journey.biller.iban, besides="(not sent)")
    assert answer.status_code == 422


def test_a_bill_that_is_still_open_is_told_beside_its_copy_however_late_that_comes(journey: Journey) -> None:
    delivered = journey.bill(number="RE-2026-77", amount="184.50")
    later(journey, days=60)
    own = add(journey.browser, iban=journey.biller.iban, reference="Rechnung RE-2026-77")
    assert "may have delivered this very bill. Pay that one." in words(journey.browser, check_page(own))
    assert "You may have added this very bill yourself" in words(journey.browser, f"/bills/{delivered}")


def test_a_bill_of_every_month_asks_for_no_word_because_one_was_added_once(journey: Journey) -> None:
    own = add(journey.browser, iban=journey.biller.iban, reference="Kunde 7")
    check_payee(journey.browser, own, typed=journey.biller.iban)
    settled(journey, own)
    later(journey, days=30)
    delivered = journey.bill(number="RE-2026-78", amount="184.50", reference="RE-2026-78")
    assert journey.browser.get(f"/bills/{delivered}/pay?bank=horizon").status_code == 200


def test_many_copies_do_not_hide_the_one_that_was_paid(journey: Journey) -> None:
    """Neither from the next one, nor from the bill itself when it is delivered."""
    paid = add(journey.browser, epc_text(payee="P0"), iban=journey.biller.iban, reference="A-1")
    check_payee(journey.browser, paid, typed=journey.biller.iban)
    settled(journey, paid)
    account = journey.biller.iban
    copies = [add(journey.browser, epc_text(payee=f"P{each}"), iban=account, reference="A-1") for each in range(1, 12)]
    last = copies[-1]
    assert "You may have paid this bill already." in words(journey.browser, check_page(last))
    assert "And 1 more bill that may be the same." in words(journey.browser, f"/bills/{last}")
    delivered = journey.bill(number="A-1", amount="184.50")
    answer = journey.browser.get(f"/bills/{delivered}/pay?bank=horizon")
    assert (answer.status_code, answer.headers["Location"]) == (303, check_page(delivered))


def test_the_new_version_of_a_bill_that_was_added_and_paid_is_not_paid_without_a_word(journey: Journey) -> None:
    own = add(journey.browser, iban=journey.biller.iban, reference="A-1")
    check_payee(journey.browser, own, typed=journey.biller.iban)
    settled(journey, own)
    journey.bill(number="A-1", amount="184.50")
    versions = [journey.bill(number=f"A-{each}", amount="150.00", replaces="A-1") for each in (2, 3)]
    last = versions[-1]
    assert "You may have paid this bill already." in words(journey.browser, f"/bills/{last}")
    assert journey.browser.get(f"/bills/{last}/pay?bank=horizon").headers["Location"] == check_page(last)
    assert check_payee(journey.browser, last, besides="(not sent)").status_code == 422
    assert check_payee(journey.browser, last).status_code == 303
    settled(journey, last)


@pytest.mark.parametrize("is_paid", [False, True])
def test_the_paper_of_a_bill_that_was_replaced_is_told_beside_the_new_version(journey: Journey, is_paid: bool) -> None:
    journey.bill(number="A-1", amount="184.50")
    version = journey.bill(number="A-2", amount="150.00", replaces="A-1")
    if is_paid:
        settled(journey, version)
    own = add(journey.browser, iban=journey.biller.iban, payee="Lumen Énergie", reference="A-1")
    said = words(journey.browser, check_page(own))
    told = "You may have paid this bill already." if is_paid else "may have delivered this very bill. Pay that one."
    assert told in said
    assert "See bill A-2" in said
    assert "See bill A-1" not in said  # nothing is asked of it
    refused = check_payee(journey.browser, own, typed=journey.biller.iban, besides="(not sent)")
    assert refused.status_code == 422
    check_payee(journey.browser, own, typed=journey.biller.iban)
    with journey.services.reading() as uow:
        assert uow.session.scalars(select(PayeeCheck.besides)).one() == [version]


@pytest.mark.parametrize("how", ["withdrawn", "credited"])
def test_the_paper_of_a_bill_of_which_nothing_is_asked_any_more_is_told(journey: Journey, how: str) -> None:
    delivered = journey.bill(number="A-1", amount="184.50")
    if how == "withdrawn":
        withdrawn(journey, delivered)
    else:
        credit(journey, "184.50", of="A-1")
    assert journey.invoice(delivered).state == "cleared"
    own = add(journey.browser, iban=journey.biller.iban, payee="Lumen Énergie", reference="A-1")
    for path in (f"/bills/{own}", check_page(own)):
        assert "may have delivered this very bill, and nothing is asked of that any more" in words(
            journey.browser, path
        )
    refused = check_payee(journey.browser, own, typed=journey.biller.iban, besides="(not sent)")
    assert refused.status_code == 422
    assert check_payee(journey.browser, own, typed=journey.biller.iban).status_code == 303
    settled(journey, own)


# ------------------------------------------------------- what was closed is executed after all, beside such a payment


@pytest.fixture
def reborn(journey: Journey) -> tuple[str, str, str]:
    """Refused at the bank, as it seemed, is the payment of an own bill; the delivered one is decided without a word.
    Returns the refused payment, the other one, which waits for its customer, and the delivered bill."""
    delivered = journey.bill(number="A-1", amount="184.50")
    own = add(journey.browser, iban=journey.biller.iban, reference="A-1")
    check_payee(journey.browser, own, typed=journey.biller.iban)
    closed = journey.pay(own, decision="refuse")
    journey.wait(5)
    assert journey.payment(closed).state == "rejected"
    return closed, journey.confirm(delivered), delivered


def told(journey: Journey, payment_id: str, fact: Fact = Fact.CREDITED) -> None:
    """A statement of account tells of it."""
    with journey.services.unit_of_work() as uow:
        correct(uow, locked(uow.session, payment_id), fact, source=Source.STATEMENT, evidence="camt:M1/R1")
        uow.commit()


def test_a_payment_that_nobody_has_the_link_of_is_stopped(journey: Journey, reborn: tuple[str, str, str]) -> None:
    closed, waiting, delivered = reborn
    told(journey, closed)
    journey.worker.run_until_idle()
    payment = journey.payment(waiting)
    assert (payment.state, payment.reason) == ("cancelled", "same_bill")
    page = words(journey.browser, f"/payments/{waiting}")
    assert "This one was stopped so that you do not pay twice" in page
    assert "See the bill" in page  # which one that is; nobody is led on to pay before
    assert "Check and pay" not in page
    said = words(journey.browser, f"/bills/{delivered}")
    assert "You may have paid this bill already." in said
    # paid all the same, by an explicit word; of the payee of a delivered bill nothing is said
    assert journey.browser.get(f"/bills/{delivered}/pay?bank=horizon").headers["Location"] == check_page(delivered)
    asked = words(journey.browser, check_page(delivered))
    assert "You added a bill yourself that looks like this one." in asked
    assert "Of this one we know nothing" not in asked
    check_payee(journey.browser, delivered)
    settled(journey, delivered)
    assert "You may have paid this bill twice." in words(journey.browser, f"/bills/{delivered}")


def test_the_gate_gives_way_before_anybody_has_looked(journey: Journey, reborn: tuple[str, str, str]) -> None:
    """The link is given to nobody from the moment on at which the other payment is known."""
    closed, waiting, _ = reborn
    told(journey, closed)
    answer = journey.browser.get(f"/payments/{waiting}/bank")
    assert answer.headers.get("Location", f"/payments/{waiting}") == f"/payments/{waiting}"
    with journey.services.reading() as uow:
        assert uow.session.get_one(Trip, journey.payment(waiting).trip_id).left_at is None


def test_who_has_the_link_is_told_not_to_approve(journey: Journey, reborn: tuple[str, str, str]) -> None:
    closed, waiting, _ = reborn
    journey.browser.leave(waiting)
    told(journey, closed)
    look_at_twins(journey)
    assert journey.payment(waiting).unwanted_since is not None
    said = words(journey.browser, f"/payments/{waiting}")
    assert "went through, or may have. Please do not approve this one: you could pay twice" in said
    # taken back by the bank: nothing is in the way any more
    told(journey, closed, Fact.REJECTED)
    look_at_twins(journey)
    assert journey.payment(closed).state == "reversed"
    assert journey.payment(waiting).unwanted_since is None
    assert "Please do not approve" not in words(journey.browser, f"/payments/{waiting}")


@pytest.mark.parametrize("left", [False, True])
def test_a_new_version_gives_way_as_the_bill_itself_would(journey: Journey, left: bool) -> None:
    """The own bill is like the bill that was replaced, in nothing like the new version."""
    own = add(journey.browser, iban=journey.biller.iban, reference="A-1")
    check_payee(journey.browser, own, typed=journey.biller.iban)
    closed = journey.pay(own, decision="refuse")
    journey.wait(5)
    journey.bill(number="A-1", amount="184.50")
    version = journey.bill(number="A-2", amount="150.00", replaces="A-1")
    waiting = journey.confirm(version)
    if left:
        journey.browser.leave(waiting)
    told(journey, closed)
    journey.worker.run_until_idle()
    payment = journey.payment(waiting)
    if left:
        assert payment.unwanted_since is not None
    else:
        assert (payment.state, payment.reason) == ("cancelled", "same_bill")
    said = words(journey.browser, f"/bills/{version}")
    assert "One of the two replaces, or was replaced by, a bill of which at least two of account, amount" in said


def test_bills_that_turn_out_to_replace_each_other_are_the_same_from_then_on(journey: Journey) -> None:
    """The bill that comes after its new version is like an own one that was paid before that was decided on."""
    own = add(journey.browser, iban=journey.biller.iban, reference="A-1")
    check_payee(journey.browser, own, typed=journey.biller.iban)
    settled(journey, own)
    version = journey.bill(number="A-2", amount="150.00", replaces="A-1")
    waiting = journey.confirm(version)
    journey.bill(number="A-1", amount="184.50")
    journey.worker.run_until_idle()
    assert (journey.payment(waiting).state, journey.payment(waiting).reason) == ("cancelled", "same_bill")
    assert journey.browser.get(f"/bills/{version}/pay?bank=horizon").headers["Location"] == check_page(version)


def look_at_twins(journey: Journey) -> None:
    with journey.services.reading() as uow:
        keys = uow.session.scalars(select(WorkRow.key).where(WorkRow.handler == "payments.reconsider")).all()
    assert len(keys) == 1
    assert run_now(journey.services, keys[0], deadline_s=10)


def test_who_looks_at_it_and_dies_is_followed_by_another(journey: Journey, reborn: tuple[str, str, str]) -> None:
    """The work was taken by a worker that is never heard of again: the gate holds, and then another one stops it."""
    closed, waiting, _ = reborn
    told(journey, closed)
    with journey.services.unit_of_work() as uow:
        key = uow.session.scalars(select(WorkRow.key).where(WorkRow.handler == "payments.reconsider")).one()
        assert work.claim_key(uow.session, key=key, now=uow.now) is not None
        uow.commit()
    journey.worker.run_until_idle()
    assert journey.payment(waiting).state == "awaiting_customer"
    journey.browser.get(f"/payments/{waiting}/bank")
    with journey.services.reading() as uow:
        assert uow.session.get_one(Trip, journey.payment(waiting).trip_id).left_at is None
    journey.wait(work.LEASE.total_seconds())
    assert (journey.payment(waiting).state, journey.payment(waiting).reason) == ("cancelled", "same_bill")


def test_an_order_that_was_not_given_yet_is_not_given(journey: Journey) -> None:
    delivered = journey.bill(number="A-1", amount="184.50")
    own = add(journey.browser, iban=journey.biller.iban, reference="A-1")
    check_payee(journey.browser, own, typed=journey.biller.iban)
    closed = journey.pay(own, decision="refuse")
    journey.wait(5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.web.customers.decide.run_now", lambda *_, **__: False)
        waiting = journey.confirm(delivered)
    told(journey, closed)
    journey.wait(60)
    payment = journey.payment(waiting)
    assert (payment.state, payment.reason) == ("rejected", "same_bill")
    with journey.services.reading() as uow:
        sent = select(BankAttempt.call_id).join(BankCall, BankCall.id == BankAttempt.call_id)
        assert uow.session.scalars(sent.where(BankCall.payment_id == waiting)).all() == []


def test_who_wants_to_pay_both_pays_both(journey: Journey) -> None:
    """The first one does not give way to the second, which its customer decided on when they knew the first."""
    delivered = journey.bill(number="A-1", amount="184.50")
    own = add(journey.browser, iban=journey.biller.iban, reference="A-1")
    first = journey.confirm(delivered)
    assert "A payment of this bill may be under way already." in words(journey.browser, check_page(own))
    check_payee(journey.browser, own, typed=journey.biller.iban)
    settled(journey, own)
    journey.browser.come_back(journey.at_bank(journey.browser.leave(first)))
    journey.wait(60)
    assert journey.truth(first) == "done"
    assert [entry["amount"] for entry in journey.ledger()] == ["184.50", "184.50"]


# -------------------------------------------------------------------------------- what the file itself says against it


def kept(journey: Journey, code: str) -> str:
    """A PDF whose embedded bill is to be paid in that way, kept all the same. Returns the invoice's id."""
    means = (
        f"<ram:SpecifiedTradeSettlementPaymentMeans><ram:TypeCode>{code}</ram:TypeCode>"
        "</ram:SpecifiedTradeSettlementPaymentMeans>"
    )
    content = pdf_bill(("factur-x.xml", cii_bill(means=means, number=f"N{code}")), page="84,20 EUR")
    answer = keep(journey.browser, begin(journey.browser, content), iban=IBAN, payee="Shop")
    assert answer.status_code == 303
    return str(answer.headers["Location"]).rsplit("/", 1)[-1]


@pytest.mark.parametrize(
    ("code", "doubt", "said"),
    [
        ("59", "collected", "The file announces a direct debit by the company."),
        ("48", "by-card", "this is paid by card, with the company"),
        ("10", "paid-elsewhere", "this is not paid by a transfer but in another way"),
    ],
)
def test_what_is_paid_in_another_way_is_paid_from_here_only_by_an_explicit_word(
    journey: Journey, code: str, doubt: str, said: str
) -> None:
    invoice_id = kept(journey, code)
    assert said in words(journey.browser, f"/bills/{invoice_id}")
    assert said in words(journey.browser, check_page(invoice_id))
    refused = check_payee(journey.browser, invoice_id, typed=IBAN, doubted="(not sent)")
    assert refused.status_code == 422
    assert "Please read every part" in refused.text
    assert ceremony(journey.browser, invoice_id).get_json()["code"] == "check-payee-first"
    assert check_payee(journey.browser, invoice_id, typed=IBAN).status_code == 303
    assert said in words(journey.browser, f"/bills/{invoice_id}/pay?bank=horizon")
    journey.confirm(invoice_id)
    with journey.services.reading() as uow:
        assert uow.session.scalars(select(PayeeCheck.doubts)).one() == [doubt]
        assert uow.session.scalars(select(Decision)).one().evidence["order"]["doubts"] == doubt


def test_what_could_not_be_looked_into_is_paid_only_by_an_explicit_word(journey: Journey) -> None:
    """Else whoever adds files to a forged bill keeps the word of its page from being compared."""
    content = pdf_bill(*((f"{number}.txt", b"") for number in range(21)), page="84,20 EUR")
    told = {"iban": IBAN, "payee": "Shop", "amount": "84.20", "reference": "R1", "currency": "EUR"}
    invoice_id = add(journey.browser, content, **told)
    said = "A part of the file could not be read"
    assert said in words(journey.browser, f"/bills/{invoice_id}")
    assert said in words(journey.browser, check_page(invoice_id))
    assert check_payee(journey.browser, invoice_id, typed=IBAN, doubted="(not sent)").status_code == 422
    assert check_payee(journey.browser, invoice_id, typed=IBAN).status_code == 303
    assert said in words(journey.browser, f"/bills/{invoice_id}/pay?bank=horizon")
    journey.confirm(invoice_id)
    with journey.services.reading() as uow:
        assert uow.session.scalars(select(Decision)).one().evidence["order"]["doubts"] == "not-looked-into"


def test_two_accounts_in_one_file_stay_a_doubt_whichever_its_customer_took(journey: Journey) -> None:
    path = begin(journey.browser, as_file(page(epc_text(), epc_text(iban="NL91ABNA0417164300"))))
    invoice_id = str(keep(journey.browser, path, iban=IBAN).headers["Location"]).rsplit("/", 1)[-1]
    pasted = "Somebody may have stuck one code over another:"
    assert pasted in words(journey.browser, f"/bills/{invoice_id}")
    assert pasted in words(journey.browser, check_page(invoice_id))
    assert check_payee(journey.browser, invoice_id, typed=IBAN, doubted="(not sent)").status_code == 422


def test_what_to_write_by_hand_is_not_copied_from_what_nobody_verified(journey: Journey) -> None:
    own, delivered = add(journey.browser), journey.bill()
    said = words(journey.browser, f"/bills/{own}/bank")
    assert IBAN not in "".join(said.split())
    assert "This is what to write" not in said
    assert "nobody has checked the payee and the account" in said
    assert "This is what to write" in words(journey.browser, f"/bills/{delivered}/bank")


@pytest.mark.tampers
def test_a_sum_that_no_payment_carries_is_shown_all_the_same(journey: Journey) -> None:
    for invoice_id in (journey.bill(number="A-1"), journey.bill(number="A-2"), add(journey.browser)):
        with journey.services.unit_of_work() as uow:
            uow.session.execute(update(Invoice).where(Invoice.id == invoice_id).values(amount_minor=MINOR_MAX))
            uow.commit()
    assert "19,999,999,999,999.98" in words(journey.browser, "/bills")
