"""A customer plans when to pay a bill, by its pages: what is offered, shown, asked, missed and dropped."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.db.events import EventRow
from app.journey.corrections.read import corrected_bill
from app.journey.payments.models import Payment
from app.journey.plans.models import Plan, PlanDay
from app.journey.plans.service import look_at_days
from app.journey.webhooks.models import WebhookMessage
from app.journey.webhooks.service import add_endpoint
from tests.functional.test_answers import offered, say, shown, take_back, token_of, words
from tests.functional.test_corrections import credit
from tests.support.journey import Browser, Journey
from tests.support.own_bills import add

DAY = dt.timedelta(days=1)


def today(journey: Journey) -> dt.date:
    """The customer's own."""
    return journey.services.clock().astimezone(ZoneInfo(journey.customer.time_zone)).date()


def later(journey: Journey, invoice_id: str, day: dt.date | str) -> TestResponse:
    """Type a day and send the form."""
    path = f"/bills/{invoice_id}/later"
    return journey.browser.post(path, token=token_of(journey.browser.page(path)), form={"other": str(day)})


def planned(journey: Journey, invoice_id: str, day: dt.date) -> Plan:
    answer = later(journey, invoice_id, day)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/bills/{invoice_id}"), words(answer)
    journey.worker.run_until_idle()
    return last(journey)


def parts(journey: Journey, invoice_id: str, *rows: tuple[dt.date, str], **more: str) -> TestResponse:
    path = f"/bills/{invoice_id}/parts"
    form: Any = {"day": [str(day) for day, _ in rows], "amount": [amount for _, amount in rows], **more}
    return journey.browser.post(path, token=token_of(journey.browser.page(path)), form=form)


def last(journey: Journey) -> Plan:
    with journey.services.reading() as uow:
        return uow.session.scalars(select(Plan).order_by(Plan.id.desc())).first() or pytest.fail("none")


def days(journey: Journey, plan: Plan) -> list[tuple[dt.date, int | None, str]]:
    with journey.services.reading() as uow:
        of_plan = select(PlanDay).where(PlanDay.plan_id == plan.id).order_by(PlanDay.number)
        return [(day.pay_on, day.minor, day.state) for day in uow.session.scalars(of_plan)]


def at(journey: Journey, day: dt.date, hour: int = 6, minute: int = 0) -> None:
    """It becomes that time for the customer; what is due is looked at, and they sign in."""
    moment = dt.datetime.combine(day, dt.time(hour, minute), ZoneInfo(journey.customer.time_zone))
    journey.wait((moment - journey.services.clock()).total_seconds())
    look(journey)
    if journey.browser.get("/").status_code == 200:  # they were away for too long
        assert journey.browser.sign_in().status_code == 200


def look(journey: Journey) -> None:
    look_at_days(journey.services)
    journey.worker.run_until_idle()


def facts(journey: Journey, kind: str) -> list[dict[str, Any]]:
    with journey.services.reading() as uow:
        return list(uow.session.scalars(select(EventRow.payload).where(EventRow.kind == kind).order_by(EventRow.id)))


def test_a_day_is_chosen_in_three_clicks_asked_for_and_paid(journey: Journey) -> None:
    invoice_id = journey.bill(amount="100.00")
    assert "later" in offered(journey, invoice_id)
    page = journey.browser.page(f"/bills/{invoice_id}/later")
    [due] = [
        each for each in page.select("button[name=day]") if "The day by which it is to be paid" in each.get_text(" ")
    ]
    answer = journey.browser.post(
        f"/bills/{invoice_id}/later", token=token_of(page), form={"day": str(due["value"]), "other": ""}
    )
    assert answer.status_code == 303
    due_on = journey.invoice(invoice_id).due_on
    assert due_on == dt.date.fromisoformat(str(due["value"]))
    assert days(journey, last(journey)) == [(due_on, None, "waiting")]
    told = shown(journey, f"/bills/{invoice_id}")
    assert re.search(r"You plan to pay on Tuesday,? 1 December[ 0-9]*: €100.00", told), told[:600]
    assert "Nothing is paid by itself" in told
    assert "Planned for 1 December" in shown(journey, "/bills")
    at(journey, due_on, 5, 59)
    assert facts(journey, "PlanDue") == []
    at(journey, due_on)
    assert [fact["number"] for fact in facts(journey, "PlanDue")] == [1]
    look(journey)
    assert len(facts(journey, "PlanDue")) == 1
    assert "You planned to pay today: €100.00" in shown(journey, f"/bills/{invoice_id}")
    assert "Planned for today" in shown(journey, "/bills")
    assert journey.ledger() == []
    journey.pay(invoice_id)
    journey.wait(600)
    assert last(journey).state == "kept"
    assert len(journey.ledger()) == 1


def test_unanswered_means_unpaid_and_everybody_is_told(journey: Journey) -> None:
    with journey.services.unit_of_work() as uow:
        add_endpoint(journey.services, uow, biller_id=journey.biller.id, url="https://biller.example/hook")
        uow.commit()
    invoice_id = journey.bill(amount="100.00")
    day = today(journey) + 3 * DAY
    plan = planned(journey, invoice_id, day)
    with journey.services.reading() as uow:
        bill_id = journey.invoice(invoice_id).delivery.bill_id
        seen = corrected_bill(uow.session, bill_id=bill_id, biller_id=journey.biller.id).plan
    assert seen is not None
    assert [(one.pay_on, str(one.amount)) for one in seen.days] == [(day, "100.00")]
    at(journey, day)
    at(journey, day, 23, 59)
    assert days(journey, plan) == [(day, None, "asked")]
    at(journey, day + DAY, 0)
    assert days(journey, plan) == [(day, None, "missed")]
    assert last(journey).state == "missed"
    told = shown(journey, f"/bills/{invoice_id}")
    assert "You planned to pay this bill on " in told
    assert "and it was not paid. Nothing was taken from your account." in told
    assert "and not paid" in shown(journey, "/bills")
    with journey.services.reading() as uow:
        assert list(uow.session.scalars(select(Payment))) == []
        bodies = [json.loads(each) for each in uow.session.scalars(select(WebhookMessage.body).order_by("id"))]
    about = [(body["type"], body["data"]) for body in bodies if body["type"].startswith("plan.")]
    assert [(kind, data["state"], data["missed"], data["sequence"]) for kind, data in about] == [
        ("plan.made", "standing", None, 1),
        ("plan.missed", "standing", 1, 2),
        ("plan.ended", "missed", None, 3),
    ]
    assert all(data["days"] == [{"pay_on": day.isoformat(), "amount": "100.00"}] for _, data in about)
    assert {data["bill_id"] for _, data in about} == {bill_id}


def test_it_is_dropped_and_another_one_takes_its_place(journey: Journey) -> None:
    invoice_id = journey.bill(amount="100.00")
    first = planned(journey, invoice_id, today(journey) + 2 * DAY)
    second = planned(journey, invoice_id, today(journey) + 3 * DAY)
    with journey.services.reading() as uow:
        assert uow.session.get_one(Plan, first.id).state == "withdrawn"
    page = journey.browser.page(f"/bills/{invoice_id}")
    [form] = page.select("form[action$='/withdraw']")
    undone = f"/bills/{invoice_id}?undone=plan"
    assert "The plan is dropped" not in shown(journey, undone)  # it stands, whatever the address says
    for _ in range(2):  # the button is pressed twice
        answer = journey.browser.post(str(form["action"]), token=token_of(page))
        assert (answer.status_code, answer.headers["Location"]) == (303, undone)
    assert "The plan is dropped; Lumen" in shown(journey, undone)
    assert last(journey).id == second.id
    assert last(journey).state == "withdrawn"
    at(journey, today(journey) + 3 * DAY)
    assert facts(journey, "PlanDue") == []
    assert "planned" not in shown(journey, f"/bills/{invoice_id}").lower()


def test_parts_are_asked_for_one_after_the_other_and_sum_to_the_bill(journey: Journey) -> None:
    invoice_id = journey.bill(amount="100.00")
    assert "parts" in offered(journey, invoice_id)
    start = today(journey)
    answer = parts(journey, invoice_id, (start + DAY, "33,33"), (start + 3 * DAY, "33.33"), (start + 5 * DAY, ""))
    assert answer.status_code == 303, words(answer)
    plan = last(journey)
    assert [minor for _, minor, _ in days(journey, plan)] == [3333, 3333, None]
    assert "You plan to pay in 3 parts" in shown(journey, f"/bills/{invoice_id}")
    at(journey, start + DAY, 7)
    page = journey.browser.page(f"/bills/{invoice_id}")
    [link] = [str(each["href"]) for each in page.select("a.button") if "Check and pay €33.33" in each.get_text(" ")]
    assert "part=33.33" in link
    journey.pay(invoice_id, part="33.33")
    journey.wait(600)
    at(journey, start + 2 * DAY)
    assert [state for _, _, state in days(journey, plan)] == ["kept", "waiting", "waiting"]
    at(journey, start + 3 * DAY)
    at(journey, start + 4 * DAY)  # that one was missed
    assert [state for _, _, state in days(journey, plan)] == ["kept", "missed", "waiting"]
    assert last(journey).state == "standing"
    at(journey, start + 5 * DAY)
    assert "You planned to pay today: €66.67" in shown(journey, f"/bills/{invoice_id}")
    journey.pay(invoice_id)
    journey.wait(600)
    assert last(journey).state == "kept"
    assert sorted(entry["amount"] for entry in journey.ledger()) == ["33.33", "66.67"]


def test_a_split_is_one_click(journey: Journey) -> None:
    invoice_id = journey.bill(amount="100.00")
    page = journey.browser.page(f"/bills/{invoice_id}/parts")
    [three] = page.select("button[name=split][value='3']")
    assert three.get_text(" ").count("€33.3") == 3
    answer = journey.browser.post(f"/bills/{invoice_id}/parts", token=token_of(page), form={"split": "3"})
    assert answer.status_code == 303
    made = days(journey, last(journey))
    assert [minor for _, minor, _ in made] == [3334, 3333, None]
    assert made[-1][0] == journey.invoice(invoice_id).due_on


def test_the_last_part_of_a_split_is_carried_out_before_the_bill_is_late(journey: Journey) -> None:
    """Due on a Sunday, on which banks do not work."""
    invoice_id = journey.bill(amount="100.00", due_on="2026-12-06")
    page = journey.browser.page(f"/bills/{invoice_id}/parts")
    [two] = page.select("button[name=split][value='2']")
    assert " ".join(two.get_text(" ").split()).endswith("4 December 2026 €50.00")
    monthly = page.select_one("button[name=after]")
    assert monthly is not None
    assert "4 December 2026 €50.00 6 January 2027" in " ".join(monthly.get_text(" ").split())


@pytest.mark.parametrize("day", ["", "yesterday", "2026-02-30", "2020-01-01", "2999-01-01", "1"])
def test_a_day_that_is_none_is_asked_for_again(journey: Journey, day: str) -> None:
    invoice_id = journey.bill(amount="100.00")
    answer = later(journey, invoice_id, day)
    assert answer.status_code == 422
    assert "Something needs correcting. Nothing was planned." in words(answer)
    with journey.services.reading() as uow:
        assert uow.session.scalars(select(Plan)).all() == []


@pytest.mark.parametrize(
    "amounts", [("100.00", ""), ("99.999", ""), ("-1", ""), ("0", ""), ("60", "60", ""), ("1e2", "")]
)
def test_parts_that_are_none_are_asked_for_again_with_what_was_typed(
    journey: Journey, amounts: tuple[str, ...]
) -> None:
    invoice_id = journey.bill(amount="100.00")
    rows = [(today(journey) + number * DAY, amount) for number, amount in enumerate(amounts, start=1)]
    answer = parts(journey, invoice_id, *rows)
    assert answer.status_code == 422
    assert f'value="{amounts[0]}"' in answer.text
    with journey.services.reading() as uow:
        assert uow.session.scalars(select(Plan)).all() == []


def test_one_day_or_days_out_of_order_are_no_parts(journey: Journey) -> None:
    invoice_id = journey.bill(amount="100.00")
    start = today(journey)
    assert parts(journey, invoice_id, (start + DAY, "")).status_code == 422
    assert parts(journey, invoice_id, (start + 2 * DAY, "10"), (start + DAY, "")).status_code == 422
    assert parts(journey, invoice_id, split="7").status_code == 422


def test_what_is_answered_otherwise_or_credited_is_planned_no_more(journey: Journey) -> None:
    answered, credited = journey.bill(amount="100.00"), journey.bill(amount="50.00", number="B-2")
    first = planned(journey, answered, today(journey) + 2 * DAY)
    second = planned(journey, credited, today(journey) + 2 * DAY)
    say(journey, answered, "declined")
    credit(journey, "50.00", of="B-2")
    journey.worker.run_until_idle()
    with journey.services.reading() as uow:
        assert [uow.session.get_one(Plan, each.id).state for each in (first, second)] == ["lapsed", "lapsed"]
    answer = journey.browser.get(f"/bills/{answered}/later")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/bills/{answered}")
    take_back(journey, answered)
    assert journey.browser.get(f"/bills/{answered}/later").status_code == 200


def test_a_credit_makes_the_last_part_smaller(journey: Journey) -> None:
    invoice_id = journey.bill(amount="100.00", number="B-1")
    start = today(journey)
    parts(journey, invoice_id, (start + DAY, "60.00"), (start + 2 * DAY, ""))
    credit(journey, "10.00", of="B-1")
    journey.worker.run_until_idle()
    page = shown(journey, f"/bills/{invoice_id}")
    assert "€60.00" in page
    assert "€30.00" in page


def test_a_plan_of_a_bill_in_payment_waits_for_what_becomes_of_it(journey: Journey) -> None:
    invoice_id = journey.bill(amount="100.00")
    day = today(journey) + DAY
    plan = planned(journey, invoice_id, day)
    at(journey, day)
    journey.confirm(invoice_id)  # and nobody goes to the bank
    at(journey, day + DAY)
    assert [state for _, _, state in days(journey, plan)] == ["missed"]  # it had lapsed by then: it was not paid
    assert facts(journey, "PlanChanged")[-2]["missed"] == 1


def test_an_own_bill_is_planned_for_a_day_and_nobody_is_told(journey: Journey) -> None:
    invoice_id = add(journey.browser, amount="100.00")
    journey.worker.run_until_idle()
    day = today(journey) + DAY
    planned(journey, invoice_id, day)
    at(journey, day)
    assert "You planned to pay today: €100.00" in shown(journey, f"/bills/{invoice_id}")
    answer = journey.browser.get(f"/bills/{invoice_id}/parts")
    assert answer.status_code == 303


def test_nobody_sees_or_drops_the_plan_of_somebody_else(journey: Journey) -> None:
    invoice_id = journey.bill(amount="100.00")
    plan = planned(journey, invoice_id, today(journey) + DAY)
    stranger = Browser.of(journey.app)
    stranger.sign_up(name="Noor", email="noor@example.org")
    token = stranger.token("/bills")
    for inv, pln in ((invoice_id, plan.id), (invoice_id, f"pln_{'0' * 32}")):
        answer = stranger.post(f"/bills/{inv}/plans/{pln}/withdraw", token=token)
        assert answer.status_code == 404
    assert stranger.get(f"/bills/{invoice_id}/later").status_code == 404
    assert last(journey).id == plan.id
    assert last(journey).state == "standing"
