"""A customer proposes to pay a bill in parts after its day, and its company, or its policy, says yes or no."""

from __future__ import annotations

import datetime as dt
import json
import re

import pytest
from sqlalchemy import select, text
from werkzeug.test import TestResponse

from app.audit.kinds import Kind
from app.audit.models import LogEntry
from app.audit.sequencer import number_waiting
from app.journey.answers.models import BillAnswer
from app.journey.answers.rules import Policy
from app.journey.plans.models import Plan
from tests.functional.test_answers import (
    cancel_before_the_bank,
    offered,
    publish,
    replies,
    say,
    shown,
    take_back,
    token_of,
    words,
)
from tests.functional.test_answers import last as last_answer
from tests.functional.test_audit_log import audit
from tests.functional.test_corrections import bill, credit, withdrawn
from tests.functional.test_plans import DAY, at, days, facts, parts, today
from tests.functional.test_plans import last as last_plan
from tests.functional.test_tools import ask, made
from tests.support.journey import Journey
from tests.support.own_bills import add

#: three parts, or two months: what the tests' company says yes to by itself
POLICY = Policy(answer_days=5, instalments_most=3, instalments_days=62)


def due(journey: Journey, invoice_id: str) -> dt.date:
    day = journey.invoice(invoice_id).due_on
    assert day is not None
    return day


def one_click(journey: Journey, invoice_id: str, count: int) -> TestResponse:
    """Press the button for so many monthly parts, as it is drawn."""
    page = journey.browser.page(f"/bills/{invoice_id}/parts")
    [button] = page.select(f"button[name=after][value^='{count} ']")
    form = {str(button["name"]): str(button["value"])}
    return journey.browser.post(f"/bills/{invoice_id}/parts", token=token_of(page), form=form)


def propose(journey: Journey, invoice_id: str, *rows: tuple[int, str]) -> BillAnswer:
    """So many days after its day, and how much."""
    start = due(journey, invoice_id)
    answer = parts(journey, invoice_id, *((start + later * DAY, amount) for later, amount in rows))
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/bills/{invoice_id}"), words(answer)
    return last_answer(journey)


def plans(journey: Journey) -> list[Plan]:
    with journey.services.reading() as uow:
        return list(uow.session.scalars(select(Plan).order_by(Plan.id)))


def nothing(journey: Journey) -> bool:
    with journey.services.reading() as uow:
        return not uow.session.scalars(select(Plan)).all() and not uow.session.scalars(select(BillAnswer)).all()


def test_monthly_parts_are_one_click_and_inside_the_policy_agreed_at_once(journey: Journey) -> None:
    publish(journey, POLICY)
    invoice_id = bill(journey)
    start = due(journey, invoice_id)
    assert "parts" in offered(journey, invoice_id)
    page = journey.browser.page(f"/bills/{invoice_id}/parts")
    name = journey.biller.name
    said = {str(each["value"])[0]: each.get_text(" ") for each in page.select("button[name=after]")}
    assert {count: f"{name} says yes at once, and the days are agreed." in text for count, text in said.items()} == {
        "2": True,
        "3": True,
        "4": False,
        "6": False,
    }
    assert f"{name} is asked to say yes or no by" in said["4"]
    text = words(page)
    assert f"Ends after {start:%-d %B %Y}: then it is a proposal to {name}." in text
    assert re.search(
        r"To at most 3 parts until \d+ \w+ \d+ it says yes at once; of others it is asked to say yes or no by", text
    )
    answer = one_click(journey, invoice_id, 3)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/bills/{invoice_id}")
    one, plan = last_answer(journey), last_plan(journey)
    assert (one.kind, one.state, one.ended_by, one.paid_minor) == ("instalments", "accepted", "policy", 0)
    assert one.instalments is not None
    assert [each["minor"] for each in one.instalments] == [3334, 3333, 3333]
    assert [dt.date.fromisoformat(each["pay_on"]) for each in one.instalments] == [
        pay_on for pay_on, _, _ in days(journey, plan)
    ]
    assert (plan.answer_id, plan.state) == (one.id, "standing")
    assert journey.invoice(invoice_id).extended_to == one.until == days(journey, plan)[-1][0]
    told = shown(journey, f"/bills/{invoice_id}")
    assert f"{name} has said yes to 3 parts, the last one on" in told
    assert "It has published that it says yes to such parts at once." in told
    assert f"{name} has said yes to these days." in told
    assert "took the place" not in told
    assert "Withdraw this" not in told
    assert journey.ledger() == []


def test_what_was_agreed_stands_on_the_page_also_where_its_plan_is_dropped(journey: Journey) -> None:
    publish(journey, POLICY)
    invoice_id = bill(journey)
    one_click(journey, invoice_id, 3)
    plan = last_plan(journey)
    token = token_of(journey.browser.page(f"/bills/{invoice_id}"))
    journey.browser.post(f"/bills/{invoice_id}/plans/{plan.id}/withdraw", token=token)
    page = shown(journey, f"/bills/{invoice_id}")
    agreed = last_answer(journey).instalments
    assert agreed is not None
    first = dt.date.fromisoformat(agreed[0]["pay_on"])
    assert f"€33.34 agreed for {first:%-d %B}" in page
    assert "These days stand as agreed, and nothing reminds you of them" in page
    assert "Parts agreed until" in page
    assert "days" not in page.partition("says yes to such parts at once")[0].partition("€100.00")[2]

    drawn = journey.browser.page(f"/bills/{invoice_id}")
    [form] = drawn.select(f"form[action='/bills/{invoice_id}/parts']")
    days = [dt.date.fromisoformat(str(each["value"])) for each in form.select("input[name=day]")]
    amounts = [str(each["value"]) for each in form.select("input[name=amount]")]
    assert days == [dt.date.fromisoformat(each["pay_on"]) for each in agreed]
    assert amounts == ["33.34", "33.33", ""]
    assert parts(journey, invoice_id, *zip(days, amounts, strict=True)).status_code == 303
    assert "You plan to pay in 3 parts" in shown(journey, f"/bills/{invoice_id}")


def test_outside_the_policy_the_company_answers_and_until_then_the_day_stays(journey: Journey) -> None:
    publish(journey, POLICY)
    invoice_id = bill(journey)
    start, name = due(journey, invoice_id), journey.biller.name
    for rows in (
        [(0, "10"), (10, "10"), (20, "10"), (30, "")],  # a part more
        [(0, "10"), (63, "")],  # a day more
    ):
        propose(journey, invoice_id, *rows)
        one = last_answer(journey)
        assert (one.state, one.reply_by) == ("open", today(journey) + 5 * DAY)
    one = last_answer(journey)
    told = shown(journey, f"/bills/{invoice_id}")
    last = start + 63 * DAY
    assert f"You proposed to pay in 2 parts, the last one on {last:%-d %B %Y}" in told
    assert "€10.00" in told
    assert "€90.00" in told
    assert f"{name} sees it, and is asked to reply by" in told
    assert (
        f"Until it says yes, {start:%-d %B %Y} stays the day. You can pay the bill, or a part of it, meanwhile." in told
    )
    assert "You proposed 2 parts" in shown(journey, "/bills")
    assert journey.invoice(invoice_id).extended_to is None
    assert plans(journey) == []
    replies(journey, one.id, accepts=True, said="That suits us.")
    told = shown(journey, f"/bills/{invoice_id}")
    assert f"{name} has said yes to 2 parts, the last one on" in told
    assert "That suits us." in told
    assert "You plan to pay in 2 parts" in told
    assert journey.invoice(invoice_id).extended_to == last
    assert [minor for _, minor, _ in days(journey, last_plan(journey))] == [1000, None]


def test_exactly_the_policy_is_inside_it(journey: Journey) -> None:
    publish(journey, POLICY)
    invoice_id = bill(journey)
    assert propose(journey, invoice_id, (-1, "1"), (0, "98.99"), (62, "")).state == "accepted"
    assert last_plan(journey).state == "standing"


def test_what_ends_by_its_day_is_planned_and_nobody_is_asked(journey: Journey) -> None:
    publish(journey, POLICY)
    invoice_id = bill(journey)
    start = due(journey, invoice_id)
    assert parts(journey, invoice_id, (start - DAY, "10"), (start, "")).status_code == 303
    with journey.services.reading() as uow:
        assert uow.session.scalars(select(BillAnswer)).all() == []
    assert (last_plan(journey).answer_id, last_plan(journey).state) == (None, "standing")


def test_a_no_leaves_everything_as_it_was(journey: Journey) -> None:
    invoice_id = bill(journey)
    start = due(journey, invoice_id)
    parts(journey, invoice_id, (start - DAY, "10"), (start, ""))
    own = last_plan(journey)
    one = propose(journey, invoice_id, (0, "10"), (30, ""))
    page = shown(journey, f"/bills/{invoice_id}/parts")
    assert "You proposed to pay in 2 parts, the last one on" in page
    assert "What you propose now takes its place." in page
    assert f"a proposal does so once {journey.biller.name} says yes" in page
    replies(journey, one.id, accepts=False, said="We cannot wait so long.")
    told = shown(journey, f"/bills/{invoice_id}")
    assert f"{journey.biller.name} said no. You proposed to pay in 2 parts" in told
    assert "We cannot wait so long." in told
    assert journey.invoice(invoice_id).extended_to is None
    assert [(plan.id, plan.state) for plan in plans(journey)] == [(own.id, "standing")]


def test_a_yes_takes_the_place_of_what_was_planned_and_says_so(journey: Journey) -> None:
    invoice_id = bill(journey)
    start = due(journey, invoice_id)
    parts(journey, invoice_id, (start - DAY, "10"), (start, ""))
    replies(journey, propose(journey, invoice_id, (0, "10"), (30, "")).id, accepts=True)
    own, agreed = plans(journey)
    assert (own.state, own.answer_id, agreed.state) == ("withdrawn", None, "standing")
    told = shown(journey, f"/bills/{invoice_id}")
    assert "has said yes to these days. They took the place of what you had planned before." in told


def test_a_proposal_is_taken_back_while_it_is_open(journey: Journey) -> None:
    invoice_id = bill(journey)
    one = propose(journey, invoice_id, (0, "10"), (30, ""))
    take_back(journey, invoice_id)
    assert last_answer(journey).state == "withdrawn"
    assert "You withdrew it on" in shown(journey, f"/bills/{invoice_id}")
    two = propose(journey, invoice_id, (0, "20"), (30, ""))
    replies(journey, two.id, accepts=True)
    page = journey.browser.page(f"/bills/{invoice_id}")
    assert page.select("form[action$='/take-back']") == []
    late = journey.browser.post(f"/bills/{invoice_id}/answers/{two.id}/take-back", token=token_of(page))
    assert late.status_code == 409
    assert one.id != two.id
    assert last_answer(journey).state == "accepted"


def test_a_part_may_be_paid_while_it_waits_and_counts_for_the_first_days(journey: Journey) -> None:
    invoice_id = bill(journey)
    one = propose(journey, invoice_id, (1, "30.00"), (20, "30.00"), (40, ""))
    journey.pay(invoice_id, part="35.00")
    journey.wait(600)
    credit(journey, "10.00")
    assert last_answer(journey).state == "open"
    replies(journey, one.id, accepts=True)
    told = shown(journey, f"/bills/{invoice_id}")
    assert "You plan to pay in 3 parts" in told
    assert re.search(r"nothing left for that day .*€25.00 .*€30.00", told), told[:900]  # 55.00 are left


def test_paid_or_withdrawn_meanwhile_it_has_no_object_any_more(journey: Journey) -> None:
    paid, taken = bill(journey), bill(journey, "B-2")
    one = propose(journey, paid, (0, "10"), (30, ""))
    journey.pay(paid)
    journey.wait(600)
    two = propose(journey, taken, (0, "10"), (30, ""))
    withdrawn(journey, taken)
    with journey.services.reading() as uow:
        ended = [uow.session.get_one(BillAnswer, each.id) for each in (one, two)]
    assert [(each.state, each.ended_by) for each in ended] == [("lapsed", "payment"), ("lapsed", "correction")]
    assert plans(journey) == []


def test_a_late_yes_leaves_out_the_days_that_are_over(journey: Journey) -> None:
    invoice_id = bill(journey)
    start = due(journey, invoice_id)
    one = propose(journey, invoice_id, (0, "10"), (5, "20"), (40, "30"), (60, ""))
    at(journey, start + 6 * DAY, 12)
    replies(journey, one.id, accepts=True)
    assert [(day, minor) for day, minor, _ in days(journey, last_plan(journey))] == [
        (start + 40 * DAY, 6000),
        (start + 60 * DAY, None),
    ]
    assert journey.invoice(invoice_id).extended_to == start + 60 * DAY
    at(journey, start + 40 * DAY)
    assert [fact["number"] for fact in facts(journey, "PlanDue")] == [1]
    assert "You planned to pay today: €60.00" in shown(journey, f"/bills/{invoice_id}")


def test_a_yes_after_the_last_day_gives_the_time_and_plans_nothing(journey: Journey) -> None:
    invoice_id = bill(journey)
    start = due(journey, invoice_id)
    one = propose(journey, invoice_id, (0, "10"), (5, ""))
    at(journey, start + 6 * DAY, 12)
    replies(journey, one.id, accepts=True)
    assert journey.invoice(invoice_id).extended_to == start + 5 * DAY
    assert plans(journey) == []


def test_each_part_is_asked_for_and_paid_by_a_signature_of_its_own(journey: Journey) -> None:
    publish(journey, POLICY)
    invoice_id = bill(journey)
    start = due(journey, invoice_id)
    propose(journey, invoice_id, (1, "60.00"), (3, ""))
    at(journey, start + DAY, 7)
    assert journey.ledger() == []
    journey.pay(invoice_id, part="60.00")
    journey.wait(600)
    at(journey, start + 3 * DAY, 7)
    assert "You planned to pay today: €40.00" in shown(journey, f"/bills/{invoice_id}")
    journey.pay(invoice_id)
    journey.wait(600)
    assert last_plan(journey).state == "kept"
    assert sorted(entry["amount"] for entry in journey.ledger()) == ["40.00", "60.00"]


@pytest.mark.parametrize(
    "rows",
    [
        [(1, "")],  # in one
        [(number, "1" if number < 13 else "") for number in range(1, 14)],  # in thirteen
        [(0, "100.00"), (30, "")],  # nothing is left
        [(0, "60"), (10, "60"), (30, "")],
        [(0, "0"), (30, "")],
        [(0, "-1"), (30, "")],
        [(10, "10"), (10, "")],
        [(20, "10"), (10, "")],
        [(-300, "10"), (10, "")],  # that day is over
        [(0, "10"), (366, "")],  # more than a year
    ],
)
def test_what_is_no_proposal_is_asked_for_again_with_what_was_typed(
    journey: Journey, rows: list[tuple[int, str]]
) -> None:
    publish(journey, POLICY)
    invoice_id = bill(journey)
    start = due(journey, invoice_id)
    typed = [(start + later * DAY, amount) for later, amount in rows]
    answer = parts(journey, invoice_id, *typed)
    assert answer.status_code == 422
    assert "Something needs correcting. Nothing was planned." in words(answer)
    assert f'value="{typed[0][0]}"' in answer.text
    assert nothing(journey)


def test_a_split_that_is_not_offered_is_none(journey: Journey) -> None:
    invoice_id = bill(journey)
    for form in ({"after": "3"}, {"after": "x"}, {"split": "6"}):
        assert parts(journey, invoice_id, **form).status_code == 422
    assert nothing(journey)


def test_nothing_is_proposed_but_what_the_button_had_said(journey: Journey) -> None:
    publish(journey, POLICY)
    invoice_id = bill(journey)
    page = journey.browser.page(f"/bills/{invoice_id}/parts")
    form = {"after": str(page.select("button[name=after]")[0]["value"])}
    credit(journey, "10.00")
    answer = journey.browser.post(f"/bills/{invoice_id}/parts", token=token_of(page), form=form)
    assert answer.status_code == 422
    assert "€45.00" in words(answer)
    assert nothing(journey)


def test_where_no_parts_may_be_paid_none_are_proposed(journey: Journey) -> None:
    own, no_day = add(journey.browser, amount="100.00"), bill(journey, due_on=None)
    assert journey.browser.get(f"/bills/{own}/parts").status_code == 303
    assert "proposal" not in shown(journey, f"/bills/{no_day}/parts")
    start = today(journey) + DAY
    assert parts(journey, no_day, (start, "10"), (start + 300 * DAY, "")).status_code == 303
    assert last_plan(journey).answer_id is None  # of a bill that names no day nothing is late
    for kind in ("instalments", "instalment"):
        assert journey.browser.get(f"/bills/{no_day}/answers/{kind}").status_code == 404


def test_after_a_payment_that_was_cancelled_before_the_bank_parts_are_proposed_as_before(journey: Journey) -> None:
    cancelled, refused = bill(journey), bill(journey, "B-2")
    cancel_before_the_bank(journey, cancelled)
    assert "proposal" in shown(journey, f"/bills/{cancelled}/parts")
    journey.pay(refused, decision="refuse")  # there: the bank could have executed it
    journey.wait(600)
    assert journey.browser.get(f"/bills/{refused}/parts").status_code == 303
    assert "After a payment that did not go through, what is left of a bill is paid in one" in shown(
        journey, f"/bills/{refused}"
    )


def test_of_a_bill_in_payment_or_answered_otherwise_nothing_is_proposed(journey: Journey) -> None:
    invoice_id = bill(journey)
    page = journey.browser.page(f"/bills/{invoice_id}/parts")
    say(journey, invoice_id, "declined")
    form = {"after": str(page.select("button[name=after]")[0]["value"])}
    answer = journey.browser.post(f"/bills/{invoice_id}/parts", token=token_of(page), form=form)
    assert answer.status_code == 409
    assert "Nothing was changed and nothing was paid." in words(answer)
    take_back(journey, invoice_id)
    journey.confirm(invoice_id)
    answer = journey.browser.post(f"/bills/{invoice_id}/parts", token=token_of(page), form=form)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/bills/{invoice_id}")  # which says so
    assert plans(journey) == []
    assert last_answer(journey).kind == "declined"


def test_a_program_reads_the_parts(journey: Journey) -> None:
    invoice_id = bill(journey)
    start = due(journey, invoice_id)
    propose(journey, invoice_id, (0, "10"), (30, ""))
    [listed] = ask(journey.app, "/my/v1/bills", made(journey.browser)).get_json()["bills"]
    assert listed["answer"] == {
        "kind": "instalments",
        "state": "open",
        "until": (start + 30 * DAY).isoformat(),
        "instalments": [
            {"pay_on": start.isoformat(), "amount": {"amount": "10.00", "currency": "EUR"}},
            {"pay_on": (start + 30 * DAY).isoformat(), "amount": {"amount": "90.00", "currency": "EUR"}},
        ],
        "reply_by": (today(journey) + 10 * DAY).isoformat(),
    }


def test_the_log_has_the_days_that_were_proposed(journey: Journey) -> None:
    invoice_id = bill(journey)
    other = say(journey, invoice_id, "more-time")
    one = propose(journey, invoice_id, (0, "10"), (30, ""))
    number_waiting(journey.services)
    assert audit(journey.services).wrong == []
    with journey.services.reading() as uow:
        found = select(LogEntry).where(LogEntry.kind == Kind.BILL_ANSWERED)
        said = {each.subject: json.loads(each.opening or "") for each in uow.session.scalars(found)}
    assert said[one.id]["instalments"] == one.instalments
    assert said[other]["instalments"] is None
    with journey.services.engine.begin() as connection:
        connection.execute(text("UPDATE bill_answer SET instalments = '[]' WHERE kind = 'instalments'"))
    assert audit(journey.services).wrong == [f"bill_answer {one.id} was changed: instalments"]


def test_it_is_said_in_french(journey: Journey) -> None:
    publish(journey, POLICY)
    invoice_id = bill(journey)
    name = journey.biller.name
    journey.browser.get("/language/fr?next=/bills")
    page = shown(journey, f"/bills/{invoice_id}/parts")
    assert f": une proposition à {name}" in page
    assert f"En 3 mensualités {name} accepte aussitôt : les dates sont alors convenues." in page
    assert f"La réponse de {name} est attendue au plus tard le" in page
    assert "Prévoir ou proposer ainsi" in page
    propose(journey, invoice_id, (0, "10"), (63, ""))
    told = shown(journey, f"/bills/{invoice_id}")
    assert "Vous avez proposé de payer en 2 fois, la dernière le" in told
    assert "En attendant, vous pouvez payer la facture, ou une partie." in told
    assert "Vous proposez 2 paiements" in shown(journey, "/bills")
    one_click(journey, invoice_id, 2)
    told = shown(journey, f"/bills/{invoice_id}")
    assert f"{name} a accepté 2 paiements, le dernier le" in told
    assert "Ses conditions publiées prévoient un accord immédiat pour cet échéancier." in told
    assert f"{name} a accepté ces dates." in told


def test_while_lines_are_disputed_nothing_is_proposed_and_the_dispute_stands(journey: Journey) -> None:
    lines = [{"description": each, "amount": "50.00", "vat_rate": "0"} for each in ("Line rental", "Film package")]
    invoice_id = bill(journey, lines=lines)
    say(journey, invoice_id, "disputed", line="2")
    assert journey.invoice(invoice_id).held_back_minor == 5000
    page = journey.browser.page(f"/bills/{invoice_id}/parts")
    assert page.select("button[name=after]") == []
    assert "proposal" not in words(page)
    start = due(journey, invoice_id)
    assert parts(journey, invoice_id, (start, "10"), (start + 30 * DAY, "")).status_code == 303
    assert (last_answer(journey).kind, last_answer(journey).state) == ("disputed", "open")
    assert [minor for _, minor, _ in days(journey, last_plan(journey))] == [1000, None]
    assert last_plan(journey).answer_id is None
