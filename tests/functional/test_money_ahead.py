"""Money ahead, by its page: what a customer says, what is due, when to pay what, and that nothing is paid by it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app.journey.invoices.models import Invoice
from app.journey.outlook.best import Plan
from app.journey.outlook.models import Outlook, Payday
from app.journey.payments.models import Payment
from app.journey.plans.models import Plan as PaymentPlan
from app.people import vetting
from tests.functional.test_answers import say, token_of, words
from tests.functional.test_not_paid_here import DEBIT
from tests.functional.test_plans import parts, planned, today
from tests.functional.test_stop import stop
from tests.support import factories
from tests.support.journey import Browser, Journey

DAY = dt.timedelta(days=1)


def post(journey: Journey, path: str, **form: str) -> TestResponse:
    return journey.browser.post(path, token=token_of(journey.browser.page("/money")), form=form)


def have(journey: Journey, balance: str, floor: str = "", currency: str = "EUR") -> None:
    answer = post(journey, "/money", balance=balance, floor=floor, currency=currency)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/money#have"), words(answer)


def comes(journey: Journey, amount: str, day: dt.date, name: str = "Salary", every: str = "month") -> None:
    answer = post(journey, "/money/paydays", name=name, amount=amount, every=every, next_on=str(day))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/money#comes"), words(answer)


def money(journey: Journey) -> BeautifulSoup:
    return journey.browser.page("/money")


def text(found: Any) -> str:
    return " ".join(found.get_text(" ", strip=True).replace("\xa0", " ").replace("\u2060", "").split()).replace(
        " ,", ","
    )


def suggestions(journey: Journey) -> list[str]:
    """Of each card: when, who, how much and why."""
    return [text(card) for card in money(journey).select(".card.suggestion")]


def row(journey: Journey, day: str) -> str:
    """What the calendar says of a day."""
    rows = [text(each) for each in money(journey).select(".calendar tr") if text(each).startswith(day)]
    return rows[0] if rows else ""


def kept(journey: Journey) -> tuple[int, int]:
    with journey.services.reading() as uow:
        count = [uow.session.scalars(select(func.count()).select_from(each)).one() for each in (Outlook, Payday)]
        return count[0], count[1]


def nothing_moved(journey: Journey) -> bool:
    with journey.services.reading() as uow:
        made = [uow.session.scalars(select(func.count()).select_from(each)).one() for each in (Payment, PaymentPlan)]
    return made == [0, 0] and journey.ledger() == []


def test_it_is_one_click_from_the_bills_and_explains_itself(journey: Journey) -> None:
    journey.bill(amount="84.20", due_on="2026-12-01")
    assert journey.browser.page("/bills").select('main a[href="/money"]')
    page = money(journey)
    told = text(page)
    assert "Say what you have, when money comes and below what you do not want to go" in told
    assert not page.select(".suggestion")
    assert not page.select("svg[role=img]")
    assert "Left after it" not in told
    assert "Tuesday 1 December 2026" in row(journey, "Tuesday").replace(",", "")
    assert row(journey, "Tuesday").endswith("due: €84.20")
    assert kept(journey) == (0, 0)


def test_what_is_there_is_paid_today_what_is_not_waits_for_the_salary(journey: Journey) -> None:
    """The clock begins on the 23rd of November."""
    soon = journey.bill(number="S", amount="60.00", due_on="2026-11-25")
    saves = [{"until": "2026-12-12", "amount": "5.00"}]
    later = journey.bill(number="L", amount="50.00", due_on="2026-12-20", discounts=saves)
    journey.bill(number="X", amount="9999.00", due_on="2026-12-15")
    have(journey, "122,00", "50")
    comes(journey, "1 200,00", dt.date(2026, 12, 1))
    first, second, third = suggestions(journey)
    assert first.startswith(
        "Today Lumen Énergie, bill S €60.00 Pay today: the money is there, and it is due on 25 November"
    )
    assert second.startswith("Tuesday, 1 December 2026 Lumen Énergie, bill L €45.00 Pay on 1 December 2026, when")
    # 122.00 less 60.00 less 45.00
    assert "when Salary has come: today would leave €17.00, €33.00 below your floor." in second
    assert "Then €5.00 still comes off for early payment, until 12 December 2026." in second
    # two salaries by then, one by the 15th of December: 122 + 1200 - 60 - 45 - 50 = 1167.00
    assert "There is no money for it before it is due on 15 December 2026" in third
    assert "€8,832.00 is missing" in third
    links = [str(each["href"]) for each in money(journey).select(".suggestion a")]
    assert f"/bills/{soon}" in links
    assert f"/bills/{later}" in links
    [ask] = [link for link in links if link.endswith("/answers/more-time")]
    assert journey.browser.get(ask).status_code == 200
    assert nothing_moved(journey)


def test_the_calendar_has_the_balance_of_each_day_and_the_least(journey: Journey) -> None:
    journey.bill(number="S", amount="60.00", due_on="2026-11-28")  # a Saturday
    have(journey, "100", "10")
    comes(journey, "10.50", dt.date(2026, 11, 30), name="Rent of the cellar", every="two_weeks")
    told = text(money(journey))
    assert "If you pay as suggested, €40.00 is the least that is left, on 23 November 2026." in told
    assert row(journey, "Monday").endswith("Suggested: pay Lumen Énergie €60.00 The least that is left €40.00")
    assert "banks do not work" in row(journey, "Saturday")
    assert row(journey, "Saturday").endswith("Lumen Énergie S, due: €60.00 €40.00")
    days = [each for each in money(journey).select(".calendar tr") if "Rent of the cellar comes: €10.50" in text(each)]
    assert [text(each.select(".right")[0]) for each in days] == ["€50.50", "€61.00", "€71.50", "€82.00"]
    line = money(journey).select_one("svg[role=img]")
    assert line is not None
    assert line["aria-label"]


def test_totals_from_payday_to_payday(journey: Journey) -> None:
    journey.bill(number="S", amount="60.00", due_on="2026-11-25")
    journey.bill(number="T", amount="80.00", due_on="2026-12-24")
    have(journey, "100")
    comes(journey, "500", dt.date(2026, 11, 30))
    first, second, third = [text(each) for each in money(journey).select(".periods li")]
    assert first == (
        "23 November to 29 November At the start €100.00 Suggested payments −€60.00 Left at the end €40.00"
        " Of the suggested payments €60.00 is due by 29 November."
    )
    assert second == (
        "30 November to 29 December At the start €40.00 Comes in €500.00 Suggested payments −€80.00"
        " Left at the end €460.00 Of the suggested payments €80.00 is due by 29 December."
    )
    assert third.startswith("30 December to 21 January")


def rows_of(box: Any) -> dict[str, int]:
    """What a box says, in cents, by its words."""
    found = {}
    for each in box.select("dl > div"):
        figure = text(each.select_one("dd")).replace("€", "").replace(",", "").replace("−", "-")
        found[text(each.select_one("dt"))] = int(figure.replace(".", ""))
    return found


@pytest.mark.parametrize("balance", ["−30", "10", "60", "122", "320", "2000"])
def test_each_box_adds_up_and_ends_where_the_next_begins(journey: Journey, balance: str) -> None:
    """With enough, with too little, and with less than nothing; with what is late, decided, planned and collected."""
    journey.bill(number="A", amount="84.20", due_on="2026-11-28")
    saves = [{"until": "2026-12-12", "amount": "5.00"}]
    journey.bill(number="B", amount="51.90", due_on="2026-12-20", discounts=saves)
    journey.bill(number="C", amount="33.00", due_on="2026-11-20", issued_on="2026-11-01")
    journey.bill(number="D", amount="7.00", due_on="2026-12-05", **DEBIT)
    journey.bill(number="E", amount="9.00", due_on=None)
    planned(journey, journey.bill(number="F", amount="20.00", due_on="2026-12-10"), dt.date(2026, 12, 3))
    have(journey, balance)
    comes(journey, "500", dt.date(2026, 11, 30))
    comes(journey, "40", dt.date(2026, 12, 11), name="Rent", every="week")
    boxes = money(journey).select(".periods li")
    assert len(boxes) > 5
    start = rows_of(boxes[0])["At the start"]
    assert start == int(balance.replace("−", "-")) * 100
    for box in boxes:
        rows = rows_of(box)
        assert rows.pop("At the start") == start
        left = rows.pop("Left at the end")
        assert start + sum(rows.values()) == left
        start = left
    [lowest] = [each for each in money(journey).select(".calendar tr") if "The least that is left" in text(each)]
    assert lowest is not None


def test_what_is_due_in_a_period_and_not_paid_in_it_is_said(journey: Journey) -> None:
    journey.bill(number="A", amount="84.20", due_on="2026-11-28")
    journey.bill(number="B", amount="51.90", due_on="2026-12-20")
    journey.bill(number="C", amount="900.00", due_on="2026-12-24")
    have(journey, "60", "0")
    comes(journey, "500", dt.date(2026, 11, 30))
    first, second, third = [text(each) for each in money(journey).select(".periods li")]
    assert first.endswith("Left at the end €8.10 €84.20 due by 29 November is not paid by then.")
    assert "Suggested payments −€51.90" in first
    assert second.endswith(
        "Suggested payments −€84.20 Left at the end €423.90 Of the suggested payments €84.20 is due by 29 December."
        " €51.90 due in this period is paid before it. €900.00 due by 29 December is not paid by then."
    )
    assert third.endswith(
        "At the start €423.90 Comes in €500.00 Suggested payments −€900.00 Left at the end €23.90"
        " Of the suggested payments €900.00 is due by 21 January 2027."
    )


def test_what_is_decided_planned_or_collected_is_taken_off_and_not_moved(journey: Journey) -> None:
    paid = journey.bill(number="P", amount="30.00", due_on="2026-12-01")
    by_plan = journey.bill(number="Q", amount="20.00", due_on="2026-12-10")
    journey.bill(number="D", amount="7.00", due_on="2026-12-05", **DEBIT)
    journey.bill(number="W", amount="35.00", due_on="2026-12-20")
    have(journey, "100")
    payment_id = journey.confirm(paid)  # signed, and not approved at the bank yet
    planned(journey, by_plan, dt.date(2026, 12, 3))
    assert row(journey, "Monday").count("Lumen Énergie P, decided: €30.00") == 1
    assert money(journey).select(f'.calendar a[href="/payments/{payment_id}"]')
    assert "planned by you: €20.00" in row(journey, "Thursday")
    assert "collected by the company: €7.00" in row(journey, "Saturday, 5 December")
    [only] = suggestions(journey)
    assert "bill W €35.00 Pay today" in only
    have(journey, "90")  # 30 + 20 + 7 leave 33.00: too little for 35.00
    [only] = suggestions(journey)
    assert "nor after it until 21 January 2027: by that day €2.00 is missing." in only


def said_of(journey: Journey, number: str) -> str:
    [found] = [each for each in suggestions(journey) if f"bill {number}" in each]
    return found


@pytest.mark.parametrize("is_planned", [True, False])
def test_what_a_payment_under_way_leaves_of_a_bill_is_not_given_away(journey: Journey, is_planned: bool) -> None:
    """100.00 are there, for a bill of as much: of another one nothing can be paid, whatever is signed of the first."""
    first = journey.bill(number="A", amount="100.00", due_on="2026-12-10")
    journey.bill(number="B", amount="50.00", due_on="2026-12-11")
    if is_planned:
        parts(journey, first, (today(journey) + 2 * DAY, "40.00"), (today(journey) + 10 * DAY, ""))
    have(journey, "100")
    journey.confirm(first, part="40.00")
    journey.worker.run_until_idle()
    assert journey.invoice(first).state == "in_payment"
    assert "There is no money for it" in said_of(journey, "B")
    assert "€60.00" in (row(journey, "Thursday, 3 December") if is_planned else row(journey, "Thursday, 10 December"))
    assert "€0.00 is the least that is left" in text(money(journey))


def test_what_was_collected_since_is_taken_off_until_it_is_said_anew(journey: Journey) -> None:
    journey.bill(number="D", amount="50.00", due_on="2026-11-25", **DEBIT)
    journey.bill(number="B", amount="60.00", due_on="2026-12-20")
    have(journey, "100")
    journey.wait(3 * 86_400)
    if journey.browser.get("/bills").status_code != 200:
        journey.browser.sign_in()
    assert "There is no money for it" in said_of(journey, "B")
    assert "collected by the company: €50.00" in row(journey, "Thursday, 26 November")


def test_what_is_not_asked_for_any_more_is_not_suggested(journey: Journey) -> None:
    over, soon = (journey.bill(number=number, amount="70.00", due_on="2026-12-20") for number in ("A", "B"))
    with journey.services.unit_of_work() as uow:
        uow.session.get_one(Invoice, over).expires_on = today(journey) - DAY
        uow.session.get_one(Invoice, soon).expires_on = today(journey) + 2 * DAY
        uow.commit()
    have(journey, "10")
    comes(journey, "500", today(journey) + 5 * DAY)
    assert "There is no money for it until 25 November 2026: €60.00 is missing" in said_of(journey, "B")
    assert len(suggestions(journey)) == 1
    assert "it was asked for until a day that is over: €70.00" in text(money(journey))


def test_while_everything_is_stopped_that_is_said_first(journey: Journey) -> None:
    journey.bill(number="A", amount="70.00", due_on="2026-12-20")
    have(journey, "100")
    stop(journey)
    said = text(money(journey))
    assert said.index("Everything is stopped: nothing is paid until") < said.index("Pay today")


def test_what_a_bank_keeps_until_its_day_leaves_on_that_day(journey: Journey) -> None:
    kept_there = journey.bill(number="K", amount="30.00", due_on="2026-12-01")
    journey.bill(number="W", amount="71.00", due_on="2026-12-20")
    have(journey, "100")
    journey.pay(kept_there, on=dt.date(2026, 11, 26))
    journey.wait(5)
    assert row(journey, "Thursday, 26").endswith("Lumen Énergie K, decided: €30.00 The least that is left €70.00")
    [only] = suggestions(journey)  # today there would be enough, and on Thursday €1.00 less than that
    assert "bill W" in only
    assert "by that day €1.00 is missing" in only


def test_a_plan_that_may_not_be_the_best_says_so(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    journey.bill(number="S", amount="60.00", due_on="2026-11-25")
    have(journey, "100")
    assert "perhaps not the best" not in text(money(journey))
    made = Plan(days=(today(journey),), is_best=False)
    monkeypatch.setattr("app.journey.outlook.read.plan", lambda *_, **__: made)
    assert "this is a good plan, perhaps not the best." in text(money(journey))


def test_for_a_suspended_company_nothing_is_suggested(journey: Journey) -> None:
    journey.bill(number="S", amount="60.00", due_on="2026-11-25")
    have(journey, "100")
    with journey.services.unit_of_work() as uow:
        vetting.suspend(uow, biller_id=journey.biller.id, by="ada", note="its customers call")
        uow.commit()
    assert suggestions(journey) == []
    assert "nothing may be paid for it now: €60.00" in text(money(journey).select("ul[aria-labelledby=beside]")[0])


def test_what_was_paid_since_is_taken_off_until_it_is_said_anew(journey: Journey) -> None:
    invoice_id = journey.bill(number="P", amount="30.00", due_on="2026-12-01")
    have(journey, "100")
    journey.clock.tick(seconds=60)
    journey.pay(invoice_id)
    journey.wait(600)
    assert journey.invoice(invoice_id).state == "paid"
    assert "Lumen Énergie P, paid since you said what you have: €30.00 The least that is left €70.00" in row(
        journey, "Monday"
    )
    have(journey, "70")
    assert "paid since" not in text(money(journey))
    assert row(journey, "Monday").endswith("€70.00")


def test_below_the_floor_nothing_is_suggested_for_today(journey: Journey) -> None:
    journey.bill(number="S", amount="5.00", due_on="2026-12-20")
    have(journey, "−20,50", "0")
    comes(journey, "100", dt.date(2026, 12, 1))
    told = text(money(journey))
    assert "Today €20.50 is missing to your floor. So nothing is suggested for today." in told
    [only] = suggestions(journey)
    assert "today would leave −€25.50, €25.50 below your floor" in only
    have(journey, "-20.50", "-30")
    [only] = suggestions(journey)
    assert only.startswith("Today")


def test_money_that_should_have_come_is_not_counted_until_it_is_said(journey: Journey) -> None:
    journey.bill(number="S", amount="150.00", due_on="2026-12-20")
    have(journey, "100")
    comes(journey, "100", dt.date(2026, 11, 24))
    comes(journey, "1", dt.date(2026, 11, 25), name="Once and no more", every="once")
    assert "11 November" not in text(money(journey))
    journey.wait(3 * 86400)
    assert journey.browser.sign_in().status_code == 200
    told = text(money(journey))
    assert "Since you said what you have, more should have come." in told
    assert "Salary, on 24 November 2026" in told
    assert "as you said on 23 November 2026" in told
    assert "Once, and it is over" in told
    [only] = suggestions(journey)
    assert "when Salary has come: today would leave −€50.00" in only
    assert "24 December 2026" in only
    have(journey, "200")
    assert "more should have come" not in text(money(journey))
    assert suggestions(journey)[0].startswith("Today")


def test_another_currency_and_what_is_not_to_be_paid_stands_beside(journey: Journey) -> None:
    journey.bill(number="A", amount="10.00")
    journey.bill(number="B", amount="11.00")
    journey.bill(number="C", amount="12.00", currency="GBP")
    journey.bill(number="E", amount="13.00", payee=None, means="card")
    aside = journey.bill(number="F", amount="14.00")
    say(journey, aside, "declined", reason="not_mine")
    chosen = money(journey).select_one("#currency option[selected]")
    assert chosen is not None
    assert chosen.get_text() == "EUR"  # of most bills
    have(journey, "1000")
    assert [each.partition("bill ")[2][:8] for each in suggestions(journey)] == ["A €10.00", "B €11.00"]
    beside = text(money(journey).select("ul[aria-labelledby=beside]")[0])
    assert "in another currency: £12.00" in beside
    assert "not paid from here: €13.00" in beside
    assert "you have answered it: €14.00" in beside
    assert "€10.00" not in beside
    have(journey, "1000", currency="GBP")
    [only] = suggestions(journey)
    assert "£12.00" in only


# ------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("form", "wrong"),
    [
        ({"balance": "", "floor": "", "currency": "EUR"}, ["balance"]),
        ({"balance": "much", "floor": "1.2.3", "currency": "EUR"}, ["balance", "floor"]),
        ({"balance": "1,234", "floor": "5", "currency": "EUR"}, ["balance"]),  # or is it 1234?
        ({"balance": "--5", "floor": "5", "currency": "EUR"}, ["balance"]),
        ({"balance": "9" * 40, "floor": "5", "currency": "EUR"}, ["balance"]),
        ({"balance": "5", "floor": "5", "currency": "XXX"}, ["currency"]),
        ({}, ["currency"]),
    ],
)
def test_what_cannot_be_read_is_named_and_what_was_typed_stays(
    journey: Journey, form: dict[str, str], wrong: list[str]
) -> None:
    answer = post(journey, "/money", **form)
    assert answer.status_code == 422
    page = BeautifulSoup(answer.data, "html.parser")
    assert [str(each["id"]) for each in page.select("[aria-invalid=true]")] == wrong
    for name in wrong:
        assert page.select(f"#{name}-fault")
        assert f"{name}-fault" in str(page.select(f"#{name}")[0]["aria-describedby"])
    for name in ("balance", "floor"):
        assert page.select(f"#{name}")[0]["value"] == form.get(name, "")
    assert kept(journey) == (0, 0)


def test_money_that_comes_is_refused_with_all_that_is_wrong(journey: Journey) -> None:
    have(journey, "0", "-0")
    assert kept(journey) == (1, 0)
    for form, wrong in (
        ({}, ["name", "amount", "every", "next_on"]),
        ({"name": "x" * 61, "amount": "5", "every": "month", "next_on": "2026-12-01"}, ["name"]),
        ({"name": "a\x07", "amount": "5", "every": "month", "next_on": "2026-12-01"}, ["name"]),
        ({"name": "a", "amount": "-5", "every": "month", "next_on": "2026-12-01"}, ["amount"]),
        ({"name": "a", "amount": "0", "every": "month", "next_on": "2026-12-01"}, ["amount"]),
        ({"name": "a", "amount": "5", "every": "year", "next_on": "2026-12-01"}, ["every"]),
        ({"name": "a", "amount": "5", "every": "month", "next_on": "2026-11-23"}, ["next_on"]),  # today
        ({"name": "a", "amount": "5", "every": "month", "next_on": "2027-11-25"}, ["next_on"]),
        ({"name": "a", "amount": "5", "every": "month", "next_on": "soon"}, ["next_on"]),
    ):
        answer = post(journey, "/money/paydays", **form)
        assert answer.status_code == 422, form
        page = BeautifulSoup(answer.data, "html.parser")
        assert [str(each["id"]) for each in page.select("[aria-invalid=true]")] == wrong, form
        for name in ("name", "amount", "next_on"):
            assert page.select(f"#{name}")[0]["value"] == form.get(name, "")
    assert kept(journey) == (1, 0)


def test_ten_paydays_and_no_more(journey: Journey) -> None:
    have(journey, "10")
    for number in range(10):
        comes(journey, "5", dt.date(2026, 12, 1), name=f"<b>{number}</b>")
    page = money(journey)
    assert not page.select("#next_on")
    assert "There are 10 already: remove one of them first." in text(page)
    assert not page.select("b")
    answer = post(journey, "/money/paydays", name="a", amount="5", every="month", next_on="2026-12-01")
    assert answer.status_code == 422
    assert "There are 10 already" in words(answer)
    assert kept(journey) == (1, 10)
    form = page.select("form[action$='/remove']")[0]
    assert post(journey, str(form["action"])).status_code == 303
    assert kept(journey) == (1, 9)
    assert post(journey, str(form["action"])).status_code == 404


def test_another_currency_waits_until_the_money_that_comes_is_removed(journey: Journey) -> None:
    have(journey, "10")
    comes(journey, "5", dt.date(2026, 12, 1))
    answer = post(journey, "/money", balance="10", floor="", currency="GBP")
    assert answer.status_code == 422
    assert "Remove the money that comes first: it is in another currency." in words(answer)
    with journey.services.reading() as uow:
        assert uow.session.scalars(select(Outlook.currency)).all() == ["EUR"]


def test_all_of_it_is_forgotten(journey: Journey) -> None:
    assert post(journey, "/money/paydays", name="a", amount="5", every="once", next_on="2026-12-01").status_code == 422
    have(journey, "10")
    comes(journey, "5", dt.date(2026, 12, 1))
    for _ in range(2):
        assert post(journey, "/money/forget").status_code == 303
        assert kept(journey) == (0, 0)
    assert "Say what you have" in text(money(journey))


def test_nobody_sees_or_changes_what_is_somebody_elses(journey: Journey, journeys: Callable[[], Journey]) -> None:
    have(journey, "4321.00")
    comes(journey, "5", dt.date(2026, 12, 1))
    with journey.services.reading() as uow:
        payday_id = uow.session.scalars(select(Payday.id)).one()
    other = journeys()
    assert "4,321" not in text(money(other))
    assert post(other, f"/money/paydays/{payday_id}/remove").status_code == 404
    assert post(other, "/money/forget").status_code == 303
    have(other, "1")
    assert kept(journey) == (2, 1)
    assert "€4,321.00" in text(money(journey))


def test_a_visit_of_the_demo_looks_and_says_nothing(journey: Journey) -> None:
    visit = Browser.of(journey.app)
    token = factories.sign_in(journey.services, journey.customer, read_only=True)
    visit.client.set_cookie("__Host-session-8000", token, domain="localhost", secure=True)
    page = visit.page("/money")
    buttons = page.select("main form button")
    assert buttons
    assert all(each.has_attr("disabled") for each in buttons)
    form = {"balance": "5", "currency": "EUR"}
    assert visit.post("/money", token=token_of(page), form=form).status_code == 403
    assert kept(journey) == (0, 0)


def test_today_is_the_customers(journey: Journey) -> None:
    have(journey, "5")
    with journey.services.reading() as uow:
        assert uow.session.scalars(select(Outlook.balance_on)).one() == today(journey)
