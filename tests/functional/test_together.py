"""Several bills are chosen and paid one after the other; whoever comes back from a bank goes on with the next one."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.journey.plans.models import Round
from app.journey.plans.rounds import drop_stale
from tests.functional.test_answers import say, shown, token_of, words
from tests.support.journey import Browser, Journey


def choose(journey: Journey, *bills: str, browser: Browser | None = None) -> TestResponse:
    browser = browser or journey.browser
    form: Any = {"bill": list(bills)}
    return browser.post("/together", token=token_of(browser.page("/together")), form=form)


def chosen(journey: Journey) -> list[str]:
    with journey.services.reading() as uow:
        row = uow.session.scalars(select(Round)).one_or_none()
        return row.invoice_ids if row else []


def next_of(journey: Journey, path: str) -> str | None:
    links = [str(each["href"]) for each in journey.browser.page(path).select("a.button") if "Next:" in each.get_text()]
    return links[0] if links else None


def test_each_is_signed_by_itself_and_the_place_is_kept_over_the_bank(journey: Journey) -> None:
    first, second, third = (journey.bill(amount=amount, number=f"T-{amount}") for amount in ("10.00", "20.00", "30.00"))
    assert "Pay several bills" in shown(journey, "/bills")
    answer = choose(journey, first, second, third)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/together"), words(answer)
    page = shown(journey, "/together")
    assert "The 3 bills that you chose" in page
    assert "€60.00 still to pay." in page
    assert next_of(journey, "/together") == f"/bills/{first}/pay"
    payment = journey.pay(first)
    page = shown(journey, f"/payments/{payment}")  # where the bank sends them back to
    assert "€50.00 still to pay." in page
    assert next_of(journey, f"/payments/{payment}") == f"/bills/{second}/pay"
    say(journey, second, "declined")  # on the way
    assert next_of(journey, "/bills") == f"/bills/{third}/pay"
    payment = journey.pay(third, decision="refuse")
    journey.wait(60)
    assert next_of(journey, f"/payments/{payment}") is None  # what was tried is not pressed for
    assert "Pay several bills" not in shown(journey, "/bills") or "that you chose" not in shown(journey, "/bills")
    assert [entry["amount"] for entry in journey.ledger()] == ["10.00"]


@pytest.mark.parametrize("bills", [[], ["inv_x"], ["first", "inv_x"], ["paid"]])
def test_what_cannot_be_chosen_is_not_and_nothing_changes(journey: Journey, bills: list[str]) -> None:
    first = journey.bill(amount="10.00", number="T-1")
    other = journey.bill(amount="20.00", number="T-2")
    choose(journey, other)
    known = {"first": first, "paid": other}
    journey.pay(other)
    answer = choose(journey, *(known.get(each, each) for each in bills))
    assert answer.status_code in (404, 409, 422)
    assert chosen(journey) == [other]


def test_nobody_chooses_or_sees_the_bills_of_somebody_else(journey: Journey) -> None:
    first = journey.bill(amount="10.00")
    choose(journey, first)
    stranger = Browser.of(journey.app)
    stranger.sign_up(name="Noor", email="noor@example.org")
    answer = stranger.post("/together", token=stranger.token("/together"), form={"bill": first})
    assert answer.status_code == 404
    assert "that you chose" not in words(stranger.page("/together"))
    assert chosen(journey) == [first]


def test_it_is_left_and_forgotten_by_the_next_day(journey: Journey) -> None:
    first, second = journey.bill(amount="10.00", number="T-1"), journey.bill(amount="20.00", number="T-2")
    choose(journey, first)
    choose(journey, second, second)  # the button is pressed again, with another choice
    assert chosen(journey) == [second]
    token = token_of(journey.browser.page("/together"))
    for _ in range(2):
        assert journey.browser.post("/together", token=token, form={"leave": "yes"}).status_code == 303
    assert chosen(journey) == []
    choose(journey, first)
    journey.wait(13 * 3600)
    journey.browser.sign_in()
    assert "that you chose" not in shown(journey, "/bills")
    with journey.services.unit_of_work() as uow:
        drop_stale(uow)
        uow.commit()
    assert chosen(journey) == []
