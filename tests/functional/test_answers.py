"""A customer answers a bill by its pages: what is offered, said, shown and taken back, and what is refused."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.journey.answers import service
from app.journey.answers.models import BillAnswer
from app.journey.answers.rules import Policy
from app.journey.corrections.replies import reply
from tests.functional.test_corrections import bill, credit, withdrawn
from tests.functional.test_tools import ask, made
from tests.support import factories
from tests.support.journey import Browser, Journey
from tests.support.own_bills import add

DAY = dt.timedelta(days=1)
LINES = [{"description": name, "quantity": "1", "amount": "50.00"} for name in ("Line rental", "Film package")]
SAID: dict[str, dict[str, Any]] = {
    "paid-elsewhere": {},
    "declined": {"reason": "not_mine"},
    "disputed": {"reason": "not_as_agreed"},
    "more-time": {},
}
#: while one of these stands, nothing is paid
ASIDE = ("paid-elsewhere", "declined", "disputed")
WITHDRAW = dict(zip(ASIDE, ("Withdraw this answer", "Withdraw this answer", "Withdraw this dispute"), strict=True))


def send(journey: Journey, invoice_id: str, kind: str, **more: Any) -> TestResponse:
    """Fill in the form as it is drawn, with what is said, and send it."""
    path = f"/bills/{invoice_id}/answers/{kind}"
    page = journey.browser.page(path)
    drawn = {str(each["name"]): str(each.get("value", "")) for each in page.select("main input[type=date]")}
    return journey.browser.post(path, token=token_of(page), form={**drawn, **SAID[kind], **more})


def say(journey: Journey, invoice_id: str, kind: str, **more: Any) -> str:
    """Say it. Returns the answer's id."""
    answer = send(journey, invoice_id, kind, **more)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/bills/{invoice_id}"), words(answer)
    return last(journey).id


def take_back(journey: Journey, invoice_id: str, **more: str) -> TestResponse:
    """With the form of the bill's page."""
    page = journey.browser.page(f"/bills/{invoice_id}")
    [form] = page.select("form[action$='/take-back']")
    return journey.browser.post(str(form["action"]), token=token_of(page), form=more)


def cancel_before_the_bank(journey: Journey, invoice_id: str, part: str | None = None) -> str:
    """Signed, and taken back before its customer went to the bank. Returns the payment's id."""
    payment_id = journey.confirm(invoice_id, part=part)
    page = journey.browser.page(f"/payments/{payment_id}")
    journey.browser.post(f"/payments/{payment_id}/cancel", token=token_of(page))
    journey.wait(60)
    assert journey.truth(payment_id) == "not_done"
    return payment_id


def token_of(page: BeautifulSoup) -> str:
    return str(page.select('meta[name="csrf-token"]')[0]["content"])


def last(journey: Journey) -> BillAnswer:
    with journey.services.reading() as uow:
        return uow.session.scalars(select(BillAnswer).order_by(BillAnswer.id.desc())).first() or pytest.fail("none")


def words(found: TestResponse | BeautifulSoup) -> str:
    page = found if isinstance(found, BeautifulSoup) else BeautifulSoup(found.data, "html.parser")
    main = page.select("main")
    return " ".join((main[0] if main else page).get_text(" ", strip=True).replace("\xa0", " ").split())


def shown(journey: Journey, path: str) -> str:
    return words(journey.browser.page(path))


def offered(journey: Journey, invoice_id: str) -> list[str]:
    """Where the ways to answer lead, in their order."""
    page = journey.browser.page(f"/bills/{invoice_id}")
    return [str(each["href"]).removeprefix(f"/bills/{invoice_id}/") for each in page.select(".choices a")]


def publish(journey: Journey, policy: Policy) -> None:
    with journey.services.unit_of_work() as uow:
        service.publish_policy(uow, biller_id=journey.biller.id, policy=policy)
        uow.commit()


def replies(journey: Journey, answer_id: str, *, accepts: bool, said: str = "") -> None:
    reply(journey.services, biller_id=journey.biller.id, answer_id=answer_id, accepts=accepts, words=said)
    journey.worker.run_until_idle()


def today(journey: Journey) -> dt.date:
    now: dt.datetime = journey.clock()
    return now.date()


# ------------------------------------------------------------------------------------------------ what is offered


def test_all_answers_stand_side_by_side_and_paying_is_one_of_them(journey: Journey) -> None:
    invoice_id = bill(journey)
    kinds = ["answers/more-time", "answers/paid-elsewhere", "answers/declined", "answers/disputed"]
    assert offered(journey, invoice_id) == ["pay", "bank", "later", "parts", "part", *kinds]
    page = journey.browser.page(f"/bills/{invoice_id}")
    assert {tuple(each["class"]) for each in page.select(".choices a")} == {("button", "quiet")}
    assert page.select("main .button:not(.quiet)") == []  # nothing on the page outranks them


def test_of_a_bill_that_its_customer_added_nobody_is_told(journey: Journey) -> None:
    own = add(journey.browser)
    assert offered(journey, own) == ["pay", "bank", "later", "answers/paid-elsewhere", "answers/declined"]
    form = shown(journey, f"/bills/{own}/answers/declined")
    assert "Nobody sees it but you" in form
    assert "replies" not in form
    say(journey, own, "declined", words="A forgery.")
    page = shown(journey, f"/bills/{own}")
    declined = "You declined this bill, saying that you do not owe it It is somebody else’s. A forgery."
    assert f"{declined} Nobody delivered this bill" in page
    assert "Not counted: 1 bill that you have answered." in shown(journey, "/bills")
    take_back(journey, own)
    assert offered(journey, own)[0] == "pay"


def test_what_is_not_paid_here_can_be_answered_and_what_is_paid_only_disputed(journey: Journey) -> None:
    collected = bill(journey, payee=None, means="direct_debit", mandate="M-1", creditor_id="FR72ZZZ123456")
    assert offered(journey, collected) == ["answers/paid-elsewhere", "answers/declined", "answers/disputed"]
    assert "It does not stop the direct debit." in shown(journey, f"/bills/{collected}/answers/disputed")
    paid = bill(journey, "2026-2")
    journey.pay(paid)
    journey.wait(3)
    assert offered(journey, paid) == ["answers/disputed"]
    assert "Your payment stays as it is." in shown(journey, f"/bills/{paid}/answers/disputed")
    say(journey, paid, "disputed", reason="not_received")
    assert "You said that something in this bill is wrong" in shown(journey, f"/bills/{paid}")
    assert "Withdraw it and pay" not in shown(journey, f"/bills/{paid}")


def test_whoever_has_stopped_everything_can_still_answer(journey: Journey) -> None:
    invoice_id = bill(journey)
    with journey.services.unit_of_work() as uow:
        factories.stop_everything(uow, customer_id=journey.customer.id)
        uow.commit()
    assert "pay" not in offered(journey, invoice_id)
    say(journey, invoice_id, "declined")
    page = shown(journey, f"/bills/{invoice_id}")
    assert "You declined this bill, saying that you do not owe it" in page
    assert "Withdraw it and pay" not in page  # that would lead nowhere


# ----------------------------------------------------------------------------------------------- said and taken back


@pytest.mark.parametrize("kind", ASIDE)
def test_what_is_said_stands_at_once_and_nothing_is_paid_until_it_is_taken_back(journey: Journey, kind: str) -> None:
    invoice_id = bill(journey)
    form = shown(journey, f"/bills/{invoice_id}/answers/{kind}")
    by = (today(journey) + 10 * DAY).strftime("%A, %-d %B %Y").replace("  ", " ")
    assert f"{journey.biller.name} sees what you say here, and is asked to reply by {by}." in form
    owed = (
        "Saying so does not settle the bill"
        if kind == "paid-elsewhere"
        else "What you say does not change what you owe"
    )
    assert owed in form
    assert f"You can withdraw it until {journey.biller.name} has replied." in form
    answer_id = say(journey, invoice_id, kind, words="I told you by telephone.")
    page = journey.browser.page(f"/bills/{invoice_id}")
    box = words(BeautifulSoup(str(page.select(".said")[0]), "html.parser"))
    assert box.startswith(("You said that", "You declined this bill"))
    assert "I told you by telephone." in box
    assert f"{journey.biller.name} sees it, and is asked to reply by {by}." in box
    assert "nothing is paid for this bill from here." in box
    assert ("If you have paid it, do not pay it here as well." in box) is (kind == "paid-elsewhere")
    owed = "Saying so does not settle the bill" if kind == "paid-elsewhere" else "What you owe is not changed by it."
    assert owed in box
    assert f"Reference {answer_id[-8:].upper()}" in box
    assert [each.get_text() for each in page.select(".said button")] == [WITHDRAW[kind]]
    after_all = page.select(".choices li:first-child button[form=take-back]")
    assert ["Withdraw it and pay" in each.get_text() for each in after_all] == [True] * (kind != "paid-elsewhere")
    assert not page.select(f"a[href^='/bills/{invoice_id}/pay'], a[href='/bills/{invoice_id}/bank']")
    inbox = shown(journey, "/bills")
    assert "Nothing else to pay for now." in inbox
    assert "Not counted: 1 bill that you have answered. What you owe is as it was." in inbox
    assert "Check and pay" not in inbox
    assert "No bill waits for you." in shown(journey, "/bills?show=to-pay")

    answer = take_back(journey, invoice_id)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/bills/{invoice_id}?undone=answer")
    page_now = shown(journey, answer.headers["Location"])
    assert f"Withdrawn; {journey.biller.name} can see that. €100.00 of the bill is still to be paid, by " in page_now
    assert "You withdrew it on" in page_now
    assert offered(journey, invoice_id)[0] == "pay"
    assert "Not counted" not in shown(journey, "/bills")

    say(journey, invoice_id, kind)  # what the address says is not believed
    assert "can see that" not in shown(journey, answer.headers["Location"])


def test_one_button_takes_it_back_and_leads_to_paying(journey: Journey) -> None:
    invoice_id = bill(journey)
    say(journey, invoice_id, "paid-elsewhere", paid_on=(today(journey) - DAY).isoformat())
    assert "You said that you paid this bill elsewhere on" in shown(journey, f"/bills/{invoice_id}")
    answer = take_back(journey, invoice_id, pay="yes")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/bills/{invoice_id}/pay")
    assert journey.pay(invoice_id)


def test_some_lines_are_disputed(journey: Journey) -> None:
    invoice_id = bill(journey, lines=LINES)
    form = journey.browser.page(f"/bills/{invoice_id}/answers/disputed")
    assert [each.get_text(" ", strip=True) for each in form.select(".tick.line")] == [
        "Line rental €50.00",
        "Film package €50.00",
    ]
    say(journey, invoice_id, "disputed", line="2", reason="not_received")
    assert last(journey).lines == [2]
    page = shown(journey, f"/bills/{invoice_id}")
    assert "You dispute 1 line" in page
    assert "You said that 1 line of this bill is wrong I did not get what it is for. Film package" in page
    credit(journey, "50.00")
    page = shown(journey, f"/bills/{invoice_id}")
    assert f"{journey.biller.name} has corrected the bill since." in page
    assert offered(journey, invoice_id)[0] == "pay"


def test_another_answer_takes_the_place_of_the_first(journey: Journey) -> None:
    invoice_id = bill(journey)
    say(journey, invoice_id, "paid-elsewhere")
    form = shown(journey, f"/bills/{invoice_id}/answers/declined")
    assert "You said that you have paid this bill elsewhere. What you send now takes its place." in form
    say(journey, invoice_id, "declined")
    page = journey.browser.page(f"/bills/{invoice_id}")
    said = words(BeautifulSoup(str(page.select(".said")[0]), "html.parser"))
    assert "You declined this bill, saying that you do not owe it" in said
    [before] = page.select("section[aria-labelledby=answers] li")
    assert "You said that you have paid this bill elsewhere. You withdrew it on" in before.get_text(" ", strip=True)


# ------------------------------------------------------------------------------------------------------- more time


def test_more_time_is_asked_for_and_the_bill_can_still_be_paid(journey: Journey) -> None:
    invoice_id = bill(journey, early_payment={"until": (today(journey) + 2 * DAY).isoformat(), "discount": "2.00"})
    due = journey.invoice(invoice_id).due_on
    assert due is not None
    form = journey.browser.page(f"/bills/{invoice_id}/answers/more-time")
    [field] = form.select("input[name=until]")
    assert (field["min"], field["max"]) == ((due + DAY).isoformat(), (due + 365 * DAY).isoformat())
    assert field["value"] == (due + 14 * DAY).isoformat()
    assert "The reduction of €2.00 for early payment is not prolonged" in words(form)
    say(journey, invoice_id, "more-time")
    page = shown(journey, f"/bills/{invoice_id}")
    assert "More time asked until" in page
    assert "Until it says yes," in page
    assert offered(journey, invoice_id)[0] == "pay"
    assert "€98.00" in shown(journey, f"/bills/{invoice_id}/pay?bank=horizon")
    assert "More time asked until" in shown(journey, "/bills")
    assert "1 bill" in shown(journey, "/bills?show=to-pay")
    replies(journey, last(journey).id, accepts=True, said="With pleasure.")
    page = shown(journey, f"/bills/{invoice_id}")
    until = (due + 14 * DAY).strftime("%-d %B")
    assert f"{journey.biller.name} gives you time until" in page
    assert "With pleasure." in page
    assert "Time given until" in page
    assert f"Extended to {until}" in shown(journey, "/bills")


def test_inside_a_published_policy_the_yes_comes_at_once(journey: Journey) -> None:
    publish(journey, Policy(more_time_days=20, answer_days=3))
    invoice_id = bill(journey)
    due = journey.invoice(invoice_id).due_on
    assert due is not None
    longest = (due + 20 * DAY).strftime("%-d %B")
    assert f"Until {longest} you get it at once" in shown(journey, f"/bills/{invoice_id}")
    form = journey.browser.page(f"/bills/{invoice_id}/answers/more-time")
    assert form.select("input[name=until]")[0]["value"] == (due + 20 * DAY).isoformat()
    assert f"{journey.biller.name} says yes at once." in words(form)
    say(journey, invoice_id, "more-time")
    page = shown(journey, f"/bills/{invoice_id}")
    assert "It has published that it says yes to so much time at once." in page
    assert "Withdraw this" not in page
    # and one day more is asked for
    say(journey, invoice_id, "more-time", until=(due + 21 * DAY).isoformat())
    page = shown(journey, f"/bills/{invoice_id}")
    assert f"Until it says yes, {(due + 20 * DAY).strftime('%-d %B %Y')} stays the day." in page
    assert "said yes at once, as it has published" in page  # what was said before


# -------------------------------------------------------------------------------------------------- the company's side


def test_a_no_is_shown_with_its_words_and_the_bill_is_as_before(journey: Journey) -> None:
    invoice_id = bill(journey)
    replies(journey, say(journey, invoice_id, "declined"), accepts=False, said="You ordered it on 3 May.")
    page = shown(journey, f"/bills/{invoice_id}")
    assert f"{journey.biller.name} said no. You declined this bill, saying that you do not owe it." in page
    assert "You ordered it on 3 May." in page
    assert offered(journey, invoice_id)[0] == "pay"
    assert f"{journey.biller.name} said no to what you had said" in shown(journey, "/bills")
    say(journey, invoice_id, "disputed")
    assert f"{journey.biller.name} said no on" in shown(journey, f"/bills/{invoice_id}")


def test_a_yes_takes_the_bill_back_and_says_so_once(journey: Journey) -> None:
    invoice_id = bill(journey)
    replies(journey, say(journey, invoice_id, "paid-elsewhere"), accepts=True, said="Found it, thank you.")
    page = shown(journey, f"/bills/{invoice_id}")
    assert f"{journey.biller.name} said yes. You said that you have paid this bill elsewhere." in page
    assert page.count("Found it, thank you.") == 1
    assert offered(journey, invoice_id) == []


def test_a_reply_that_is_late_is_called_late(journey: Journey) -> None:
    invoice_id = bill(journey)
    say(journey, invoice_id, "disputed")
    journey.wait(11 * DAY.total_seconds())
    journey.browser.sign_in()
    page = shown(journey, f"/bills/{invoice_id}")
    assert f"{journey.biller.name} should have replied by" in page
    assert "asked to reply by" not in page
    assert "No reply in time" in shown(journey, "/bills")


def test_what_has_lost_its_object_says_why(journey: Journey) -> None:
    withdrawn_id, paid_id = bill(journey), bill(journey, "2026-2")
    say(journey, withdrawn_id, "paid-elsewhere")
    withdrawn(journey, withdrawn_id)
    assert "because nothing is asked of this bill any more" in shown(journey, f"/bills/{withdrawn_id}")
    say(journey, paid_id, "more-time")
    journey.pay(paid_id)
    journey.wait(3)
    assert "because the bill was paid from here" in shown(journey, f"/bills/{paid_id}")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("paid-elsewhere", "You said of its earlier version, 2026-1, that it is paid elsewhere"),
        ("declined", "You declined its earlier version, 2026-1"),
        ("disputed", "You said that something was wrong in its earlier version, 2026-1"),
    ],
)
def test_a_new_version_tells_what_was_said_of_the_earlier_one_before_it_is_paid(
    journey: Journey, kind: str, said: str
) -> None:
    earlier = bill(journey)
    say(journey, earlier, kind)
    invoice_id = bill(journey, "2026-2", replaces="2026-1")
    assert not journey.invoice(invoice_id).is_set_aside
    assert said in shown(journey, "/bills")
    for path in (f"/bills/{invoice_id}", f"/bills/{invoice_id}/pay?bank=horizon"):
        page = shown(journey, path)
        assert said in page
        assert ("do not pay this one as well" in page) == (kind == "paid-elsewhere")
    notice = journey.browser.page(f"/bills/{invoice_id}").select(f".notice a[href='/bills/{earlier}']")
    assert notice
    again = bill(journey, "2026-3", replaces="2026-2")  # however far back it is
    assert said in shown(journey, f"/bills/{again}")


# ----------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("kind", "sent", "fault"),
    [
        ("declined", {"reason": ""}, "Choose one of the reasons."),
        ("declined", {"reason": "wrong_amount"}, "Choose one of the reasons."),
        ("declined", {"reason": "other", "words": " "}, "Write in a few words why: at most 500 ordinary characters."),
        ("disputed", {"words": "x" * 501}, "Write at most 500 ordinary characters."),
        ("disputed", {"line": "3"}, "Choose lines of this bill, at most 200, or none for the whole bill."),
        ("disputed", {"line": "²"}, "Choose lines of this bill, at most 200, or none for the whole bill."),
        ("paid-elsewhere", {"paid_on": "2999-01-01"}, "Choose the day on which you paid, today at the latest"),
        ("paid-elsewhere", {"paid_on": "yesterday"}, "Choose the day on which you paid, today at the latest"),
        ("more-time", {"until": ""}, "Choose a day from"),
        ("more-time", {"until": "2020-01-01"}, "Choose a day from"),
        ("more-time", {"until": "soon"}, "Choose a day from"),
    ],
)
def test_what_is_to_be_mended_is_said_beside_it_and_what_was_typed_is_kept(
    journey: Journey, kind: str, sent: dict[str, str], fault: str
) -> None:
    invoice_id = bill(journey, lines=LINES)
    answer = send(journey, invoice_id, kind, **{"words": "As I told you.", **sent})
    assert answer.status_code == 422
    page = BeautifulSoup(answer.data, "html.parser")
    assert "Nothing was sent." in words(page)
    [faulty] = page.select(".fault")
    assert fault in faulty.get_text(" ", strip=True).replace("\xa0", " ")
    named = page.select("[aria-invalid], .tick.line input")
    assert all(str(each["aria-describedby"]) in str(faulty.find_parent("form")) for each in named)
    assert page.select("textarea")[0].get_text() == sent.get("words", "As I told you.")
    for name in ("paid_on", "until"):
        if name in sent:
            assert page.select(f"input[name={name}]")[0]["value"] == sent[name]
    assert not journey.invoice(invoice_id).is_set_aside
    with journey.services.reading() as uow:
        assert uow.session.scalars(select(BillAnswer)).all() == []


def test_the_reason_and_the_lines_that_were_chosen_are_kept(journey: Journey) -> None:
    invoice_id = bill(journey, lines=LINES)
    page = BeautifulSoup(send(journey, invoice_id, "disputed", line="2", reason="other").data, "html.parser")
    assert [str(each["value"]) for each in page.select("input[checked]")] == ["other", "2"]


def test_what_no_longer_fits_leads_back_to_the_bill_which_says_how_it_stands(journey: Journey) -> None:
    invoice_id = bill(journey)
    path = f"/bills/{invoice_id}/answers/declined"
    token = journey.browser.token(path)
    payment_id = journey.confirm(invoice_id)
    refused = journey.browser.post(path, token=token, form=SAID["declined"])
    assert refused.status_code == 409
    assert "Not sent: a payment of this bill is under way." in words(refused)
    assert f"/payments/{payment_id}" in refused.text
    assert f'next=/bills/{invoice_id}"' in refused.text  # the other language shows the bill
    assert journey.browser.get(path).headers["Location"] == f"/bills/{invoice_id}"
    assert offered(journey, invoice_id) == []
    cleared = bill(journey, "2026-2")
    token = journey.browser.token(f"/bills/{cleared}/answers/declined")
    withdrawn(journey, cleared)
    refused = journey.browser.post(f"/bills/{cleared}/answers/declined", token=token, form=SAID["declined"])
    assert refused.status_code == 409
    assert "Not sent: this cannot be said of the bill as it is now." in words(refused)


def test_it_is_too_late_to_take_back_what_the_company_has_replied_to(journey: Journey) -> None:
    invoice_id = bill(journey)
    answer_id = say(journey, invoice_id, "declined")
    token = journey.browser.token(f"/bills/{invoice_id}")
    replies(journey, answer_id, accepts=False, said="You ordered it.")
    path = f"/bills/{invoice_id}/answers/{answer_id}/take-back"
    refused = journey.browser.post(path, token=token, form={"pay": "yes"})
    assert refused.status_code == 409
    assert "It was too late to take that back: it has an end already." in words(refused)
    assert f"{journey.biller.name} said no." in words(refused)


def test_too_many_answers_are_refused(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ANSWERS_MOST", 1)
    invoice_id = bill(journey)
    say(journey, invoice_id, "declined")
    refused = send(journey, invoice_id, "paid-elsewhere")
    assert refused.status_code == 409
    assert "Not sent: you have answered this bill too often." in words(refused)


@pytest.mark.parametrize("way", ["pay", "bank", "payee?bank=horizon", "pay?bank=horizon"])
def test_every_page_on_the_way_to_paying_leads_to_what_was_said(journey: Journey, way: str) -> None:
    invoice_id = bill(journey)
    say(journey, invoice_id, "declined")
    assert journey.browser.get(f"/bills/{invoice_id}/{way}").headers["Location"] == f"/bills/{invoice_id}"


def test_what_was_said_in_another_tab_keeps_a_payment_from_being_signed(journey: Journey) -> None:
    invoice_id = bill(journey)
    token, order = journey.browser.see_order(invoice_id)
    started = journey.browser.start_signing(invoice_id, token, order).get_json()
    say(journey, invoice_id, "paid-elsewhere")
    refused = journey.browser.start_signing(invoice_id, token, order)
    assert (refused.status_code, refused.get_json()["code"]) == (409, "set-aside")
    assert refused.get_json()["detail"].startswith("You have answered this bill otherwise, so nothing is paid for it.")
    decided = journey.browser.decide(invoice_id, token, started)
    assert (decided.status_code, decided.headers["Location"]) == (303, f"/bills/{invoice_id}")
    assert journey.ledger() == []


def test_a_payment_that_failed_is_not_offered_again_while_the_bill_is_set_aside(journey: Journey) -> None:
    invoice_id = bill(journey)
    payment_id = journey.pay(invoice_id, decision="refuse")
    journey.wait(3)
    assert "Check and pay €" in shown(journey, f"/payments/{payment_id}")
    say(journey, invoice_id, "declined")
    assert "Check and pay" not in shown(journey, f"/payments/{payment_id}")


def test_a_visit_of_the_demo_looks_and_says_nothing(journey: Journey) -> None:
    invoice_id = bill(journey)
    visitor = journey.browser.of(journey.app)
    cookie = factories.sign_in(journey.services, journey.customer, read_only=True)
    visitor.client.set_cookie("__Host-session-8000", cookie, domain="localhost", secure=True)
    path = f"/bills/{invoice_id}/answers/declined"
    page = visitor.page(path)
    assert "This is a demo visit: it looks and changes nothing." in words(page)
    assert page.select("main form button[disabled]")
    assert visitor.post(path, token=token_of(page), form=SAID["declined"]).status_code == 403
    answer_id = say(journey, invoice_id, "declined")
    page = visitor.page(f"/bills/{invoice_id}")
    assert page.select(".said")
    assert not page.select(".said form")
    taken = visitor.post(f"/bills/{invoice_id}/answers/{answer_id}/take-back", token=token_of(page), form={})
    assert taken.status_code == 403
    assert last(journey).state == "open"


def test_nobody_else_sees_or_says_anything_of_it(journey: Journey) -> None:
    invoice_id, other_id = bill(journey), bill(journey, "2026-2")
    answer_id = say(journey, invoice_id, "declined")
    stranger = Browser.of(journey.app)
    stranger.sign_up(name="Nele Neumann", email="nele@example.org")
    token = stranger.token("/bills")
    assert stranger.get(f"/bills/{invoice_id}/answers/declined").status_code == 404
    for path in (f"/bills/{invoice_id}/answers/declined", f"/bills/{invoice_id}/answers/{answer_id}/take-back"):
        assert stranger.post(path, token=token, form=SAID["declined"]).status_code == 404
    mine = journey.browser.token("/bills")
    assert journey.browser.post(f"/bills/{other_id}/answers/nonsense", token=mine, form={}).status_code == 404
    elsewhere = f"/bills/{other_id}/answers/{answer_id}/take-back"
    assert journey.browser.post(elsewhere, token=mine, form={}).status_code == 404
    assert last(journey).state == "open"


# ------------------------------------------------------------------------------------------------- programs, languages


def test_a_program_reads_what_was_said(journey: Journey) -> None:
    invoice_id = bill(journey)
    token = made(journey.browser)

    def read() -> dict[str, Any]:
        [listed] = ask(journey.app, "/my/v1/bills", token).get_json()["bills"]
        of_one = ask(journey.app, f"/my/v1/bills/{invoice_id}/ways", token).get_json()
        assert of_one["bill"] == listed
        assert bool(of_one["ways"]) == (listed["payable_today"] is not None)
        found: dict[str, Any] = listed
        return found

    assert (read()["answer"], read()["held"]) == (None, None)
    say(journey, invoice_id, "declined")
    by = (today(journey) + 10 * DAY).isoformat()
    none: dict[str, Any] = {"until": None, "instalments": []}
    assert read()["answer"] == {"kind": "declined", "state": "open", **none, "reply_by": by}
    assert (read()["state"], read()["held"], read()["payable_today"]) == ("to_pay", "set_aside", None)
    say(journey, invoice_id, "more-time")
    due = journey.invoice(invoice_id).due_on
    assert due is not None
    until = (due + 14 * DAY).isoformat()
    assert read()["answer"] == {"kind": "more_time", "state": "open", **none, "until": until, "reply_by": by}
    assert (read()["held"], read()["pay_by"]) == (None, due.isoformat())
    replies(journey, last(journey).id, accepts=True)
    assert (read()["answer"]["state"], read()["pay_by"], read()["due_on"]) == ("accepted", until, due.isoformat())


@pytest.mark.parametrize("kind", SAID)
def test_it_is_said_in_french(journey: Journey, kind: str) -> None:
    invoice_id = bill(journey)
    journey.browser.get("/language/fr?next=/bills")
    titles = {
        "paid-elsewhere": "Dire qu’elle est déjà payée",
        "declined": "Refuser la facture",
        "disputed": "Contester la facture",
        "more-time": "Demander un délai",
    }
    assert titles[kind] in shown(journey, f"/bills/{invoice_id}")
    assert shown(journey, f"/bills/{invoice_id}/answers/{kind}").count(titles[kind]) == 1
    say(journey, invoice_id, kind)
    told = (
        "Le dire ne règle pas la facture"
        if kind == "paid-elsewhere"
        else "Votre réponse ne change pas ce que vous devez."
    )
    assert told in shown(journey, f"/bills/{invoice_id}")
