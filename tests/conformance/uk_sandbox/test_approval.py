"""What a person sees and does, and what the code at its end is worth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.support.sandbox_tpp import Clock
from tests.support.uk_bank import (
    AtBrand,
    approved,
    error_of,
    other_at,
)
from tests.support.uk_wire import InProcess, UkPerson, way_back


def test_a_code_is_good_once_and_its_second_use_ends_what_the_first_got(at: AtBrand, person: UkPerson) -> None:
    tpp = at()
    _, answer = approved(tpp, person)
    access_token = tpp.exchange(answer["code"]).json["access_token"]
    assert error_of(tpp.exchange(answer["code"])) == (400, "invalid_grant")
    assert tpp.call("POST", "/domestic-payments", access_token, {"Data": {}}, key="one").status == 401


@pytest.mark.parametrize(
    "changes", [{"redirect_uri": "http://localhost:8000/other"}, {"code_verifier": "w" * 64}, {"code_verifier": None}]
)
def test_a_code_that_comes_with_something_else(at: AtBrand, person: UkPerson, changes: dict[str, Any]) -> None:
    tpp = at()
    _, answer = approved(tpp, person)
    assert error_of(tpp.exchange(answer["code"], **changes)) == (400, "invalid_grant")


def test_a_code_lives_a_minute(at: AtBrand, person: UkPerson, clock: Clock) -> None:
    tpp = at()
    _, answer = approved(tpp, person)
    clock.tick(seconds=60)
    assert error_of(tpp.exchange(answer["code"])) == (400, "invalid_grant")


def test_a_code_of_another_client_or_brand(
    bank: Flask, folder: Path, clock: Clock, at: AtBrand, person: UkPerson
) -> None:
    tpp = at()
    _, answer = approved(tpp, person)
    assert error_of(other_at(bank, folder, "albion", clock=clock).exchange(answer["code"])) == (400, "invalid_grant")
    assert error_of(at("trent").exchange(answer["code"])) == (400, "invalid_grant")
    assert tpp.exchange(answer["code"]).status == 200


def test_two_clicks_lead_back_with_the_same_code(at: AtBrand, person: UkPerson) -> None:
    tpp = at()
    page, place = person.visit(tpp.authorize_url(tpp.consent()))
    decision, place = person.submit(page, place, customer=person.customer, pin="1234")
    first, _ = person.submit(decision, place, account=person.account, decision="approve")
    second, _ = person.submit(decision, place, account=person.account, decision="refuse")
    codes = {tpp.answered(way_back(each))["code"] for each in (first, second)}
    assert len(codes) == 1


def test_the_fifth_wrong_pin_refuses(at: AtBrand, person: UkPerson) -> None:
    tpp = at()
    page, place = person.visit(tpp.authorize_url(tpp.consent()))
    for left in (4, 3, 2, 1):
        page, place = person.submit(page, place, customer=person.customer, pin="0000")
        assert page.status == 422
        assert page.text_of("#error") == f"That PIN is not right. Tries left: {left}."
    page, place = person.submit(page, place, customer=person.customer, pin="0000")
    assert tpp.answered(way_back(page))["error"] == "access_denied"


def test_another_browser_sees_nothing(at: AtBrand, bank: Flask, person: UkPerson) -> None:
    tpp = at()
    _, place = person.visit(tpp.authorize_url(tpp.consent()))
    assert UkPerson(transport=InProcess(bank)).visit(place)[0].status == 403


def test_a_form_without_its_token(at: AtBrand, person: UkPerson) -> None:
    tpp = at()
    page, place = person.visit(tpp.authorize_url(tpp.consent()))
    answer, _ = person.submit(page, place, customer=person.customer, pin="1234", form_token="forged")
    assert answer.status == 403


def test_an_account_of_somebody_else(at: AtBrand, person: UkPerson) -> None:
    tpp = at()
    page, place = person.visit(tpp.authorize_url(tpp.consent()))
    page, place = person.submit(page, place, customer=person.customer, pin="1234")
    page, place = person.submit(page, place, account="of-somebody-else", decision="approve")
    assert page.status == 422
    assert page.text_of("#error") == "Choose one of your accounts."


def test_pages_keep_out_script_and_frames(at: AtBrand, person: UkPerson) -> None:
    tpp = at()
    page, _ = person.visit(tpp.authorize_url(tpp.consent()))
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"


def test_each_brand_says_what_can_be_tried(at: AtBrand) -> None:
    page = at("clyde").get("/")
    assert "Clyde Bank" in page.text_of("h1")
    assert "urn:clyde-bank:intent:" in page.text_of("main")
