"""A bill with several discounts for early payment, through the doors: each day has its amount, right to the cent, and
whoever is told of it is told the same."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from app.audit.kinds import SOURCES, Kind
from app.audit.models import LogEntry
from app.audit.verify import verify
from app.journey.decisions.models import Decision
from app.journey.invoices.models import Invoice
from app.journey.ledger.models import LedgerEntry
from app.people.models import Customer
from tests.functional.billers.test_billers_api import refused
from tests.functional.billers.test_billers_payments import program_of
from tests.support.billers_spec import conforms
from tests.support.billers_world import json_bill
from tests.support.bills import ubl_bill
from tests.support.journey import Journey

BILLS = "/api/v1/bills"
DAY = dt.timedelta(days=1)
#: the clock begins on the 23rd of November
FIRST, SECOND = dt.date(2026, 11, 27), dt.date(2026, 12, 4)
TIERS = [{"until": "2026-11-27", "amount": "3.00"}, {"until": "2026-12-04", "amount": "1.50"}]


def bill(journey: Journey, **changes: Any) -> str:
    return journey.bill(**{"amount": "100.00", "due_on": "2026-12-20", "discounts": TIERS, **changes})


def said(journey: Journey, path: str) -> str:
    words = journey.browser.page(path).get_text(" ").replace("\xa0", " ").replace("\u202f", " ").replace("\u2060", "")
    return " ".join(words.split())


def settled(journey: Journey, invoice_id: str) -> str:
    payment_id = journey.pay(invoice_id)
    journey.wait(60)
    assert journey.payment(payment_id).state == "settled"
    return payment_id


def decision_of(journey: Journey, payment_id: str) -> Decision:
    with journey.services.reading() as uow:
        return uow.session.scalars(select(Decision).where(Decision.payment_id == payment_id)).one()


def receipt(journey: Journey) -> str:
    """The last one."""
    link = journey.browser.page("/receipts").select_one('a[href^="/receipts/rcp_"]')
    assert link is not None
    return str(link["href"])


def sums_up(journey: Journey, path: str) -> int:
    """What was paid by a receipt, in cents, where its lines sum to that."""
    table = journey.browser.page(path).select_one("table.ledger")
    assert table is not None
    *lines, paid = (row.get_text("") for row in table.select("td"))
    amounts = [re.sub(r"[^\d−]", "", each) for each in lines if "€" in each]
    assert sum(int(each.replace("−", "-")) for each in amounts) == int(re.sub(r"\D", "", paid))
    return int(re.sub(r"\D", "", paid))


def live_in(journey: Journey, zone: str) -> None:
    with journey.services.unit_of_work() as uow:
        uow.session.execute(update(Customer).values(time_zone=zone))
        uow.commit()


@pytest.mark.parametrize(
    ("day", "price", "let_off"),
    [(FIRST, 97_00, "3.00"), (FIRST + DAY, 98_50, "1.50"), (SECOND, 98_50, "1.50"), (SECOND + DAY, 100_00, None)],
)
def test_the_discount_of_the_day_is_taken_off_booked_and_told_to_all(
    app: Flask, journey: Journey, day: dt.date, price: int, let_off: str | None
) -> None:
    invoice_id = bill(journey)
    program, path = program_of(journey), f"{BILLS}/{journey.invoice(invoice_id).delivery.bill_id}"
    assert program.get(path).get_json()["discount_taken"] is None
    journey.clock.tick(days=(day - journey.clock().date()).days)
    journey.browser.sign_in()
    payment_id = journey.confirm(invoice_id)
    decided = decision_of(journey, payment_id)
    until = {"3.00": FIRST, "1.50": SECOND}.get(let_off or "")
    assert (decided.amount_minor, decided.discount_minor) == (price, 100_00 - price)
    assert (decided.discount_until, decided.pay_on) == (until, day)
    # whatever the clock says when the bank acts
    journey.browser.come_back(journey.at_bank(journey.browser.leave(payment_id)))
    journey.wait(60)
    payment = journey.payment(payment_id)
    assert (payment.state, payment.amount_minor) == ("settled", price)
    assert [entry["amount"] for entry in journey.ledger(payment.end_to_end_id)] == [f"{price // 100}.{price % 100:02}"]
    with journey.services.reading() as uow:
        lines = select(LedgerEntry.amount_minor).where(
            LedgerEntry.posting == f"initiated:{payment_id}", LedgerEntry.account.startswith("adjust:")
        )
        assert sum(uow.session.scalars(lines)) == 100_00 - price
    assert sums_up(journey, receipt(journey)) == price
    taken = f"Taken off for early payment (by {until:%-d %B %Y}) −€{let_off}" if until else "early payment"
    assert (taken in said(journey, receipt(journey))) is (until is not None)
    page = said(journey, f"/bills/{invoice_id}")
    assert (f"€{let_off} of €100.00 came off for early payment." in page) is (until is not None)
    answer = program.get(path)
    conforms(app, answer)
    told = {"until": str(until), "amount": let_off, "day": str(day)} if until else None
    assert answer.get_json()["discount_taken"] == told
    assert (answer.get_json()["status"], answer.get_json()["amount_paid"]) == (
        "paid",
        f"{price // 100}.{price % 100:02}",
    )


def test_the_pages_say_what_each_day_costs_and_mark_the_one_of_today(journey: Journey) -> None:
    invoice_id = bill(journey)
    page = said(journey, f"/bills/{invoice_id}")
    assert (
        "By Friday, 27 November 2026 Today’s price €97.00 €3.00 less By Friday, 4 December 2026 €98.50 €1.50 less"
        in page
    )
    assert "By Sunday, 20 December 2026 €100.00" in page
    assert "€3.00 less if you pay by 27 November" in said(journey, "/bills")
    assert "then €1.50 less by 4 December" in said(journey, "/bills")
    pay = said(journey, f"/bills/{invoice_id}/pay?bank=horizon")
    assert "€100.00 on the bill, less €3.00 for early payment: €97.00" in pay
    assert "Later, by 4 December 2026: €98.50 After that: €100.00" in pay
    by_hand = said(journey, f"/bills/{invoice_id}/bank")
    assert "if it leaves by 27 November 2026; after that €98.50" in by_hand
    journey.clock.tick(days=5)
    journey.browser.sign_in()
    page = said(journey, f"/bills/{invoice_id}")
    assert (
        "By Friday, 27 November 2026 That day is over By Friday, 4 December 2026 Today’s price €98.50 €1.50 less"
        in page
    )
    assert "€97.00" not in page
    assert "less if you pay by 4 December" in said(journey, "/bills")
    assert "then" not in said(journey, "/bills").partition("if you pay by")[2]
    assert "if it leaves by 4 December 2026; after that €100.00" in said(journey, f"/bills/{invoice_id}/bank")
    journey.clock.tick(days=7)
    journey.browser.sign_in()
    page = said(journey, f"/bills/{invoice_id}")
    assert "The reduction of €1.50 for early payment ended on 4 December 2026." in page
    assert "€97.00" not in page


def test_they_say_it_in_french(journey: Journey) -> None:
    with journey.services.unit_of_work() as uow:
        uow.session.execute(update(Customer).values(locale="fr"))
        uow.commit()
    invoice_id = bill(journey)
    page = said(journey, f"/bills/{invoice_id}")
    assert "Au plus tard le vendredi 27 novembre 2026 Prix d’aujourd’hui 97,00 € 3,00 € de moins" in page
    assert "98,50 €" in page
    settled(journey, invoice_id)
    assert "Réduction pour paiement anticipé (jusqu’au 27 novembre 2026)" in said(journey, receipt(journey))


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/St_Johns"])
def test_the_price_goes_up_at_midnight_where_the_customer_lives(journey: Journey, zone: str) -> None:
    invoice_id = bill(journey)
    live_in(journey, zone)
    midnight = dt.datetime.combine(FIRST + DAY, dt.time(), tzinfo=ZoneInfo(zone)).astimezone(dt.UTC)
    journey.clock.now = midnight - dt.timedelta(seconds=1)  # 23:59:59
    journey.browser.sign_in()
    assert "You pay €97.00" in said(journey, f"/bills/{invoice_id}/pay?bank=horizon")
    token, started = journey.browser.start_paying(invoice_id)
    journey.clock.now = midnight  # what was seen a second ago is not signed now
    late = journey.browser.decide(invoice_id, token, started.get_json())
    assert "/payments/" not in late.headers.get("Location", "")
    assert journey.invoice(invoice_id).state == "to_pay"
    assert "You pay €98.50" in said(journey, f"/bills/{invoice_id}/pay?bank=horizon")
    decided = decision_of(journey, settled(journey, invoice_id))
    assert (decided.amount_minor, decided.discount_until, decided.pay_on) == (98_50, SECOND, FIRST + DAY)


def test_a_second_before_midnight_it_is_still_the_earlier_one(journey: Journey) -> None:
    invoice_id = bill(journey)
    live_in(journey, "Pacific/Auckland")
    last = dt.datetime.combine(FIRST, dt.time(23, 59, 59), tzinfo=ZoneInfo("Pacific/Auckland"))
    journey.clock.now = last.astimezone(dt.UTC)
    journey.browser.sign_in()
    payment_id = journey.confirm(invoice_id)
    journey.clock.tick(minutes=10)  # it is tomorrow there, and was decided yesterday
    journey.browser.come_back(journey.at_bank(journey.browser.leave(payment_id)))
    journey.wait(60)
    assert (journey.payment(payment_id).state, journey.payment(payment_id).amount_minor) == ("settled", 97_00)
    assert sums_up(journey, receipt(journey)) == 97_00


def test_of_what_a_credit_note_leaves_each_discount_keeps_its_share(journey: Journey) -> None:
    invoice_id = bill(journey, number="2026-1", discounts=[*TIERS, {"until": "2026-12-10", "amount": "0.01"}])
    journey.deliver(number="C-1", amount="33.33", kind="credit_note", corrects="2026-1", reference=None)
    journey.worker.run_until_idle()
    page = said(journey, f"/bills/{invoice_id}")
    # 3.00 × 66.67 / 100 is 2.0001, 1.50 × 66.67 / 100 is 1.00005; of the last one not a cent is left
    assert "By Friday, 27 November 2026 Today’s price €64.67 €2.00 less" in page
    assert "By Friday, 4 December 2026 €65.67 €1.00 less By Sunday, 20 December 2026 €66.67" in page
    payment_id = settled(journey, invoice_id)
    assert journey.payment(payment_id).amount_minor == 64_67
    assert sums_up(journey, receipt(journey)) == 64_67
    shown = program_of(journey).get(f"{BILLS}/{journey.invoice(invoice_id).delivery.bill_id}")
    assert shown.get_json()["discount_taken"] == {"until": "2026-11-27", "amount": "2.00", "day": "2026-11-23"}


def test_a_part_has_none_of_them(journey: Journey) -> None:
    invoice_id = bill(journey)
    assert "if it leaves by" not in said(journey, f"/bills/{invoice_id}/bank?part=40.00")
    first = journey.pay(invoice_id, part="40.00")
    journey.wait(600)
    assert decision_of(journey, first).discount_until is None
    page = said(journey, f"/bills/{invoice_id}")
    assert "less" not in page.partition("This is what is left.")[2]
    second = settled(journey, invoice_id)
    assert [journey.payment(each).amount_minor for each in (first, second)] == [40_00, 60_00]


def test_an_xrechnung_with_two_lines_of_skonto_has_two_discounts(journey: Journey) -> None:
    terms = "Zahlbar in 30 Tagen.\n#SKONTO#TAGE=30#PROZENT=1.00#\n#SKONTO#TAGE=24#PROZENT=2.00#BASISBETRAG=84.20#\n"
    content = ubl_bill(
        to=journey.address, number="R-1", iban=journey.biller.iban, seller_vat=journey.biller.vat_id, terms=terms
    )
    program = program_of(journey)
    answer = program.deliver(content, media_type="application/xml")
    assert answer.status_code == 201, answer.get_json()
    journey.worker.run_until_idle()
    with journey.services.reading() as uow:
        invoice = uow.session.scalars(select(Invoice)).one()
    assert [(each.until, each.saves.minor) for each in invoice.discounts] == [
        (dt.date(2026, 11, 25), 1_68),
        (dt.date(2026, 12, 1), 84),
    ]
    page = said(journey, f"/bills/{invoice.id}")
    assert "By Wednesday, 25 November 2026 Today’s price €82.52 €1.68 less" in page
    assert "Zahlbar in 30 Tagen." in page


def test_one_discount_and_several_at_once_are_refused_and_nothing_is_written(app: Flask, journey: Journey) -> None:
    program = program_of(journey)
    early = {"until": "2026-11-27", "discount": "3.00"}
    answer = program.deliver(json_bill(program, journey.address, early_payment=early, discounts=TIERS))
    body = refused(app, answer, 422, "value-refused", pointer="/discounts")
    assert body["detail"].startswith("'early_payment' is one discount, 'discounts' are all of them")
    assert said(journey, "/bills").count("€") == 0


def test_the_log_has_them_and_whoever_changes_one_is_found_out(journey: Journey) -> None:
    invoice_id = bill(journey)
    journey.wait(1)
    with journey.services.reading() as uow:
        said_of = uow.session.scalars(select(LogEntry.opening).where(LogEntry.subject == invoice_id)).one()
    assert '"later_discounts":[{"minor":150,"until":"2026-12-04"}]' in str(said_of)
    verifier = journey.services.keys.log.verifier
    with journey.services.engine.connect() as connection:
        assert verify(connection, verifier).wrong == []
        connection.execute(update(Invoice).values(later_discounts=[{"until": "2026-12-31", "minor": 150}]))
        assert any("was changed: later_discounts" in each for each in verify(connection, verifier).wrong)
        connection.rollback()


def test_an_entry_of_before_there_were_several_says_nothing_of_them_and_holds(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = SOURCES[Kind.INVOICE_OPENED]
    before = tuple(name for name in source.columns if name not in source.added)
    with monkeypatch.context() as of_before:
        of_before.setitem(SOURCES, Kind.INVOICE_OPENED, dataclasses.replace(source, columns=before))
        invoice_id = journey.bill(amount="100.00", early_payment={"until": "2026-11-27", "discount": "3.00"})
    journey.wait(1)
    with journey.services.reading() as uow:
        said_of = uow.session.scalars(select(LogEntry.opening).where(LogEntry.subject == invoice_id)).one()
    assert "later_discounts" not in str(said_of)
    verifier = journey.services.keys.log.verifier
    with journey.services.engine.connect() as connection:
        assert verify(connection, verifier).wrong == []
        connection.execute(update(Invoice).values(later_discounts=TIERS[1:]))
        assert any("was changed: later_discounts" in each for each in verify(connection, verifier).wrong)
        connection.rollback()


def test_the_database_has_no_later_discount_without_a_first_one(journey: Journey) -> None:
    invoice_id = journey.bill(amount="100.00")
    later = [{"until": "2026-12-04", "minor": 150}]
    with journey.services.unit_of_work() as uow, pytest.raises(IntegrityError, match="later_discounts_follow_one"):
        uow.session.execute(update(Invoice).where(Invoice.id == invoice_id).values(later_discounts=later))
    assert journey.invoice(invoice_id).discounts == ()
