"""Standing consents from end to end, through our pages and at a real sandbox bank: agreed on, approved, approved anew,
stopped here and there. None of it pays anything."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from joserfc import jwt
from sqlalchemy import event, select
from werkzeug.test import TestResponse

from app.cli import main
from app.db.unit_of_work import HEAD_START
from app.journey.consents import rules
from app.keys.installation import Keys
from app.services import Services
from app.worker import Worker
from config.settings import Settings
from consent.models import ConsentHistory, ShownText
from tests.conftest import Clock
from tests.support import factories
from tests.support.consenting import Consenting
from tests.support.installation import BASE_URL
from tests.support.uk_bank import inside, make_bank, make_folder
from tests.support.uk_installation import make_uk_services, uk_wire
from tests.support.uk_tpp import BASE_URL as BANK_URL
from tests.support.wsgi_adapter import WSGIAdapter

pytestmark = pytest.mark.long_on_postgres


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its keys take a while: once for all tests."""
    folder = tmp_path_factory.mktemp("bank-keys") / "sandbox-bank-uk"
    folder.mkdir()
    return make_folder(folder)


@pytest.fixture(scope="module")
def brands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("brands")


@pytest.fixture
def uk_bank(authority: Path, brands: Path, clock: Clock) -> Iterator[Flask]:
    made = make_bank(authority, brands / f"{uuid.uuid4().hex}.sqlite3", clock=clock, sleep=lambda _: None)  # type: ignore[arg-type]  # as good a clock
    yield made
    inside(made).store.close()


@pytest.fixture
def wire(uk_bank: Flask, authority: Path) -> WSGIAdapter:
    return uk_wire(uk_bank, authority)


@pytest.fixture
def services(settings: Settings, keys: Keys, wire: WSGIAdapter, authority: Path, clock: Clock) -> Iterator[Services]:
    made = make_uk_services(settings, keys, wire, authority, clock=clock)
    yield made
    made.engine.dispose()


@pytest.fixture
def at(app: Flask, services: Services, worker: Worker, uk_bank: Flask, clock: Clock, wire: WSGIAdapter) -> Consenting:
    return Consenting.begin(  # type: ignore[return-value]  # of this class
        app=app, services=services, worker=worker, bank=uk_bank, clock=clock, bank_wire=wire
    )


def lose_answers(at: Consenting, method: str, path: str, *, times: int = 1) -> Callable[[], None]:
    """The bank acts, and its answer never comes. Returns what brings it back to normal."""
    real, left = at.bank_wire.app, [times]

    def lossy(environ: Any, start_response: Any) -> Any:
        answer = real(environ, start_response)
        if environ["REQUEST_METHOD"] == method and path in environ["PATH_INFO"] and left[0] > 0:
            left[0] -= 1
            list(answer)
            raise TimeoutError
        return answer

    at.bank_wire.app = lossy

    def again() -> None:
        at.bank_wire.app = real

    return again


def away(at: Consenting) -> Callable[[], None]:
    real = at.bank_wire.app

    def nothing(*_: object) -> Any:
        raise TimeoutError

    at.bank_wire.app = nothing

    def again() -> None:
        at.bank_wire.app = real

    return again


def revoked_event(at: Consenting, resource_id: str, **changes: Any) -> bytes:
    now = int(at.clock().timestamp())
    link = f"{BANK_URL}/{at.bank_id}/open-banking/v4.0/pisp/domestic-vrp-consents/{resource_id}"
    subject = {
        "subject_type": "http://openbanking.org.uk/rid_http://openbanking.org.uk/rty",
        "http://openbanking.org.uk/rid": resource_id,
        "http://openbanking.org.uk/rty": "domestic-vrp-consent",
        "http://openbanking.org.uk/rlk": [{"version": "v4.0", "link": link}],
    }
    claims = {
        "iss": f"{BANK_URL}/{at.bank_id}",
        "iat": now,
        "jti": uuid.uuid4().hex,
        "sub": link,
        "aud": "quittance",
        "txn": uuid.uuid4().hex,
        "toe": now,
        "events": {"urn:uk:org:openbanking:events:consent-authorization-revoked": {"subject": subject}},
    }
    keys = inside(at.bank).keys
    header = {"alg": "PS256", "kid": keys.kid(at.bank_id), "typ": "JWT"}
    return jwt.encode(header, {**claims, **changes}, keys.of(at.bank_id), algorithms=["PS256"]).encode()


def tell(at: Consenting, raw: bytes) -> None:
    answer = at.app.test_client().post(
        f"/banks/{at.bank_id}/events", base_url=BASE_URL, data=raw, content_type="application/jwt"
    )
    assert answer.status_code == 202, answer.text


# ---------------------------------------------------------------------------------------------------------- setting up


def test_it_is_agreed_on_approved_and_stands(at: Consenting) -> None:
    consent_id = at.agree()
    assert at.state(consent_id) == "awaiting"
    assert [each["status"] for each in at.at_the_bank()] == ["AWAU"]
    assert at.boxes(consent_id) == set()
    answer = at.approve(consent_id)
    assert answer.headers["Location"] == f"/consents/{consent_id}?back=1"
    assert at.state(consent_id) == "authorised"
    assert at.history(consent_id) == ["agree", "stage", "authorise"]
    assert at.boxes(consent_id) == {"token", "payer"}
    standing = at.standing(consent_id)
    assert standing.psu is None  # whose browser it was is forgotten once the bank has answered
    assert standing.payer_mask is not None
    said = at.said(consent_id)
    assert "In force" in said
    assert standing.payer_mask in said
    assert at.bank_wire.sent, "the bank was called"
    assert "authorised" not in said


def test_late_in_a_month_limits_are_suggested_under_which_the_bill_can_be_paid(at: Consenting) -> None:
    at.bill(number="c1")  # £84.20, on the 23rd of the month
    form = at.browser.page(f"{at.form}?bank={at.bank_id}")
    suggested = {each["name"]: each["value"] for each in form.select(".field input") if each.get("value")}
    assert suggested == {"each": "110.00", "limit_fortnight": "110.00", "ends_on": "2027-12-22"}


def test_what_an_open_bill_meets_is_said_before_it_is_signed(at: Consenting) -> None:
    at.bill(number="c1")
    page = BeautifulSoup(at.check(limit_month="160.00").data, "html.parser")
    words = " ".join(page.get_text(" ").split())
    assert "The first month is shorter: from 23 November 2026 to 30 November 2026 at most £42.66." in words
    over = "£41.54 too much: £42.66 is left of the limit for a month, which resets on 1 December 2026."
    assert "An open bill could not be paid under this consent." in words
    assert f"Bill c1, £84.20 {over}" in words
    enough = BeautifulSoup(at.check(limit_month="", limit_fortnight="160.00").data, "html.parser")
    assert "could not be paid" not in enough.get_text(" ")


def test_two_open_bills_that_are_too_much_together_are_said_before_it_is_signed(at: Consenting) -> None:
    at.bill(number="c1")
    at.bill(number="c2")
    words = in_one_line(at.check(each="100", limit_month="", limit_fortnight="100.00"))
    assert "Bill c1, £84.20" not in words
    left = "After the bills before it only £15.80 is left of the limit for two weeks, which resets on 7 December 2026"
    assert f"Bill c2, £84.20 {left} (£68.40 too little)." in words
    said = in_one_line(at.browser.get(f"/consents/{at.set_up(each='100', limit_month='', limit_fortnight='100.00')}"))
    assert "Each of them is covered by itself, but not all together." in said


def test_a_consent_that_begins_after_a_bill_is_due_says_so_before_it_is_signed(at: Consenting) -> None:
    at.bill(number="c1")
    words = in_one_line(at.check(begins_on="2027-03-01"))
    assert "Bill c1, £84.20 It begins on 1 March 2027, by your bank’s clock." in words


def test_another_consent_for_the_company_is_named_before_one_more_is_signed(at: Consenting) -> None:
    first = at.set_up()
    page = BeautifulSoup(at.check(limit_month="400.00").data, "html.parser")
    notice = page.select_one(f".notice:has(a[href='/consents/{first}'])")
    assert notice is not None
    assert "You have another consent for this company." in notice.get_text(" ")
    assert "£300.00" in notice.get_text(" ")


def test_once_it_stands_its_page_leads_to_the_bills_that_it_covers(at: Consenting) -> None:
    invoice_id = at.bill(number="c1")
    consent_id = at.set_up(limit_month="", limit_fortnight="160.00")
    page = at.browser.page(f"/consents/{consent_id}?back=1")
    notice = page.select_one(".notice.good")
    assert notice is not None
    assert "the consent is in force. Nothing was paid by that." in " ".join(notice.get_text(" ").split())
    assert [each["href"] for each in notice.select("a")] == [f"/bills/{invoice_id}/pay?consent={consent_id}"]


def test_nothing_whole_of_the_payers_account_stands_outside_of_the_vault(at: Consenting) -> None:
    consent_id = at.set_up()
    standing = at.standing(consent_id)
    with at.services.reading() as uow:
        whole = json.loads(at.services.vault.get(uow.session, f"consent:{consent_id}:payer"))
    assert standing.payer_mask == f"····{whole['identification'][-4:]}"
    assert whole["identification"] not in at.said(consent_id)
    with at.services.reading() as uow:
        mine = select(ConsentHistory.answer).where(ConsentHistory.consent_id == consent_id)
        answers = [answer for answer in uow.session.scalars(mine) if answer is not None]
    assert answers
    for said in ("identification", "name"):
        assert not any(whole[said].encode() in answer for answer in answers)


def test_what_was_shown_is_kept_by_the_hash_that_was_signed(at: Consenting) -> None:
    page = BeautifulSoup(at.check().data, "html.parser")
    shown = [each.get_text(strip=True) for each in page.select("#words ~ ul li")]
    consent_id = at.agree()
    standing = at.standing(consent_id)
    with at.services.reading() as uow:
        kept = uow.session.get_one(ShownText, standing.shown_hash)
    assert json.loads(kept.text) == shown
    assert standing.evidence["order"]["text"] == standing.shown_hash
    assert standing.evidence["order"]["iban"] == standing.payee_iban
    assert any("£150.00" in each for each in shown)
    assert any("23\u00a0December\u00a02027" in each for each in shown)


def test_the_limits_that_are_typed_are_those_that_the_bank_holds(at: Consenting) -> None:
    at.agree(each="120", limit_month="480.50", limit_week="200", until="stopped")
    held = json.loads(at.at_the_bank()[0]["body"])["Data"]["ControlParameters"]
    assert held["MaximumIndividualAmount"] == {"Amount": "120.00", "Currency": "GBP"}
    limits = {(each["PeriodType"], each["PeriodAlignment"]): each["Amount"] for each in held["PeriodicLimits"]}
    assert limits == {("Week", "Calendar"): "200.00", ("Month", "Calendar"): "480.50"}
    assert "ValidToDateTime" not in held


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"each": "much"}, "each"),
        ({"each": ""}, "each"),
        ({"each": "-1"}, "each"),
        ({"limit_month": "149.99"}, "limit_month"),
        ({"limit_week": "x"}, "limit_week"),
        ({"ends_on": "2020-01-01"}, "ends_on"),
        ({"ends_on": ""}, "ends_on"),
        ({"ends_on": "tomorrow"}, "ends_on"),
        ({"begins_on": "2020-01-01"}, "begins_on"),
        ({"begins_on": "9999-12-15", "until": "stopped"}, "begins_on"),
        ({"ends_on": "9999-12-31"}, "ends_on"),
        ({"ends_on": "2036-11-24"}, "ends_on"),
        ({"limit_month": ""}, "limit_month"),
    ],
)
def test_what_cannot_be_agreed_on_is_said_by_its_field_and_all_that_was_typed_is_kept(
    at: Consenting, changes: dict[str, str], field: str
) -> None:
    answer = at.check(**changes)
    assert answer.status_code == 422
    page = BeautifulSoup(answer.data, "html.parser")
    wrong = [each["name"] for each in page.select("input[aria-invalid]")]
    assert wrong == [field]
    typed = {"each": "150.00", "limit_month": "300.00", **changes}
    for name, value in typed.items():
        found = page.select_one(f"input[name={name}]:not([type=radio]), input[name={name}]:checked")
        assert found is not None
        assert found["value"] == value


def test_ten_years_can_be_agreed_on_and_approved(at: Consenting) -> None:
    consent_id = at.set_up(ends_on="2036-11-21")
    assert at.state(consent_id) == "authorised"


def test_the_address_of_an_answer_to_the_form_has_the_form_as_it_was_filled_in(at: Consenting) -> None:
    """The language is changed by a link: nothing that was typed is lost by it."""
    for answer in (at.check(each="much"), at.check(each="120.00")):
        page = BeautifulSoup(answer.data, "html.parser")
        link = page.select_one("a[hreflang]")
        assert link is not None
        there = at.browser.get(str(link["href"])).headers["Location"]
        typed = BeautifulSoup(answer.data, "html.parser").select_one("input[name=each]")
        again = at.browser.page(there).select_one("input[name=each]")
        assert typed is not None
        assert again is not None
        assert again["value"] == typed["value"]
    assert at.browser.get(f"{at.form}/signed").headers["Location"] == at.form


def test_where_none_can_be_agreed_on_the_form_is_not_even_shown(at: Consenting) -> None:
    consent_id = at.set_up()
    path = f"/consents/banks/{at.bank_id}/remove"
    at.press(path, path)
    page = at.browser.page(f"{at.form}?bank={at.bank_id}")
    assert page.select("form input[name=each]") == []
    assert page.select(".notice.problem a[href='/consents/banks/add']") != []
    at.press(f"/consents/banks/{at.bank_id}/add", "/consents/banks/add")
    stop_everything(at)
    page = at.browser.page(f"{at.form}?bank={at.bank_id}")
    assert page.select("form input[name=each]") == []
    assert "Everything is stopped." in page.get_text(" ")
    assert at.state(consent_id) == "revoked"


def test_nobody_signs_what_they_were_not_shown(at: Consenting) -> None:
    page = BeautifulSoup(at.check().data, "html.parser")
    form = page.select_one("form[data-passkey=agree]")
    assert form is not None
    for each in form.select("[data-terms]"):
        if each["name"] == "limit_month":
            each["value"] = "3000.00"
    _, _, started = at.start(page)
    assert (started.status_code, started.get_json()["code"]) == (409, "terms-changed")


def test_a_signature_is_taken_once_and_over_nothing_else(at: Consenting) -> None:
    token, terms, started = at.start(BeautifulSoup(at.check().data, "html.parser"))
    first = at.finish(token, terms, started.get_json())
    assert first.status_code == 303
    again = at.finish(token, terms, started.get_json())  # the button pressed twice: led to what came of it
    assert (again.status_code, again.headers["Location"]) == (303, first.headers["Location"])
    assert len(at.at_the_bank()) == 1
    at.stop(first.headers["Location"].split("/")[2])
    once_more = at.finish(token, terms, started.get_json())
    assert (once_more.status_code, len(at.at_the_bank())) == (422, 1)


def test_what_was_drawn_before_midnight_is_drawn_anew_and_says_so(at: Consenting) -> None:
    at.clock.now = dt.datetime(2026, 11, 23, 23, 58, tzinfo=dt.UTC)
    at.wake()
    page = BeautifulSoup(at.check().data, "html.parser")
    at.clock.tick(minutes=4)
    _, terms, started = at.start(page)
    assert started.get_json()["code"] == "terms-changed"
    anew = in_one_line(at.check(**{**terms, "changed": "1"}))  # as the page's script sends it
    assert "Something has changed since you saw this page. Please read it once more." in anew
    assert "From 24 November 2026." in anew


def in_one_line(answer: TestResponse) -> str:
    return " ".join(BeautifulSoup(answer.data, "html.parser").get_text(" ").split())


def stop_everything(at: Consenting) -> None:
    with at.services.unit_of_work() as uow:
        factories.stop_everything(uow, customer_id=at.customer.id)
        uow.commit()


def test_who_has_stopped_everything_sets_up_nothing_and_approves_nothing(at: Consenting) -> None:
    consent_id = at.agree()
    token, terms, started = at.start(BeautifulSoup(at.check().data, "html.parser"))
    stop_everything(at)
    assert at.finish(token, terms, started.get_json()).status_code == 409
    assert at.check().status_code == 409
    answer = at.browser.get(f"/consents/{consent_id}/bank")
    assert (answer.status_code, "Everything is stopped" in answer.text) == (409, True)


def test_an_approval_that_comes_back_after_everything_was_stopped_is_not_used(at: Consenting) -> None:
    consent_id = at.agree()
    back = at.at_bank(at.leave(consent_id))
    stop_everything(at)
    at.browser.come_back(back)
    at.worker.run_until_idle()
    assert at.state(consent_id) != "authorised"
    assert at.boxes(consent_id) == set()


# ------------------------------------------------------------------------------------------------------ what goes wrong


def test_a_lost_answer_is_asked_for_with_the_same_bytes_and_there_is_one_consent(at: Consenting) -> None:
    lose_answers(at, "POST", "/domestic-vrp-consents")
    consent_id = at.agree()
    assert at.state(consent_id) == "prepared"
    assert "Connecting to Mersey Bank" in at.browser.page(f"/consents/{consent_id}/leave").get_text(" ")
    at.wait(3)
    assert at.state(consent_id) == "awaiting"
    assert len(at.at_the_bank()) == 1
    bodies = {one.body for one in at.bank_wire.sent if one.method == "POST" and str(one.url).endswith("-vrp-consents")}
    assert len(bodies) == 1
    assert at.standing(consent_id).sends == 2


def test_what_is_stopped_while_its_answer_is_lost_is_taken_back_at_the_bank_all_the_same(at: Consenting) -> None:
    again = lose_answers(at, "POST", "/domestic-vrp-consents", times=2)
    consent_id = at.agree()
    at.stop(consent_id)
    assert at.state(consent_id) == "revoking"
    again()
    at.wait(15)
    assert at.state(consent_id) == "revoked"
    assert [each["deleted"] for each in at.at_the_bank()] == [1]


def test_a_bank_that_never_answers_is_given_up_and_says_so(at: Consenting) -> None:
    again = away(at)
    consent_id = at.agree()
    for _ in range(8):
        at.wait(130)
    assert at.state(consent_id) == "rejected"
    assert "Not set up" in at.said(consent_id)
    again()


def test_refused_at_the_bank(at: Consenting) -> None:
    consent_id = at.agree()
    at.approve(consent_id, decision="refuse")
    assert at.state(consent_id) == "rejected"
    assert "refused at Mersey Bank" in at.said(consent_id)
    at.wait(1)
    assert [each["deleted"] for each in at.at_the_bank()] == [1]


def test_never_approved_it_ends_by_itself(at: Consenting) -> None:
    consent_id = at.agree()
    at.leave(consent_id)
    at.wait(21 * 60)
    assert at.state(consent_id) in ("rejected", "expired")
    at.wait(2 * 3600)
    assert at.standing(consent_id).gone_at is not None


def test_a_bank_that_holds_wider_limits_is_not_believed_and_has_it_taken_back(at: Consenting) -> None:
    consent_id = at.agree()
    way_back = at.at_bank(at.leave(consent_id))
    (held,) = at.at_the_bank()
    wider = held["body"].replace('"300.00"', '"3000.00"')
    assert wider != held["body"]
    at.change_at_bank("UPDATE consent SET body = ? WHERE consent_id = ?", wider, held["consent_id"])
    at.browser.come_back(way_back)
    at.worker.run_until_idle()
    assert at.state(consent_id) == "rejected"
    assert "not exactly as you agreed on" in at.said(consent_id)
    assert at.boxes(consent_id) == set()
    assert [each["deleted"] for each in at.at_the_bank()] == [1]


def test_in_force_and_then_held_otherwise_it_has_ended_and_the_page_says_whom_to_call(at: Consenting) -> None:
    consent_id = at.set_up()
    (held,) = at.at_the_bank()
    wider = held["body"].replace('"300.00"', '"3000.00"')
    at.change_at_bank("UPDATE consent SET body = ? WHERE consent_id = ?", wider, held["consent_id"])
    at.look(consent_id)
    assert at.state(consent_id) == "rejected"
    said = at.said(consent_id)
    assert "Ended by your bank" in said
    assert "Mersey Bank has ended it, or no longer holds it exactly as you agreed on." in said
    assert "+44 20 7946 0106" in said
    assert "not set up" not in said.lower()


def test_until_its_first_day_it_is_approved_and_not_called_in_force(at: Consenting) -> None:
    consent_id = at.set_up(begins_on="2027-03-01")
    said = in_one_line(at.browser.get(f"/consents/{consent_id}?back=1"))
    assert "Approved; it begins on 1 March 2027" in said
    assert "Bills can be paid under it from 1 March 2027 on." in said
    assert "In force" not in said + in_one_line(at.browser.get("/consents"))


def test_when_the_time_to_approve_is_over_nobody_is_sent_to_the_bank(at: Consenting) -> None:
    consent_id = at.agree()
    at.clock.tick(minutes=16)
    said = at.said(consent_id)
    assert "Not approved in time; your bank is being asked" in said
    assert "Go on to" not in said
    assert at.browser.get(f"/consents/{consent_id}/state").get_json()["final"] is False
    assert at.browser.get(f"/consents/{consent_id}/leave").headers["Location"] == f"/consents/{consent_id}"


def test_a_bank_that_is_away_changes_nothing_about_what_is_in_force(at: Consenting) -> None:
    consent_id = at.set_up()
    again = away(at)
    answer = at.browser.get(f"/consents/{consent_id}/bank")
    again()
    assert "Nothing was paid, and the limits are as they were." in in_one_line(answer)
    assert "Nothing was set up" not in answer.text


def test_a_limit_that_resets_after_the_last_day_is_not_said_to_reset(at: Consenting) -> None:
    said = at.said(at.set_up(ends_on="2026-11-28"))
    assert "left, £0.00 used." in said
    assert "it resets on" not in said


def test_the_redirect_counts_in_the_browser_that_left_alone_and_once(at: Consenting) -> None:
    consent_id = at.agree()
    way_back = at.at_bank(at.leave(consent_id))
    stranger = at.app.test_client().get(way_back.removeprefix("http://localhost:8000"), base_url=BASE_URL)
    assert stranger.status_code == 200
    assert "This consent was begun elsewhere" in stranger.text
    assert at.state(consent_id) == "awaiting"
    at.browser.come_back(way_back)
    assert at.state(consent_id) == "authorised"
    exchanged = sum(1 for one in at.bank_wire.sent if str(one.url).endswith("/token"))
    at.browser.come_back(way_back)
    assert sum(1 for one in at.bank_wire.sent if str(one.url).endswith("/token")) == exchanged


def test_an_approval_whose_exchange_is_lost_can_be_given_again(at: Consenting) -> None:
    consent_id = at.agree()
    way_back = at.at_bank(at.leave(consent_id))
    again = lose_answers(at, "POST", "/token")
    at.browser.come_back(way_back)
    again()
    at.look(consent_id)
    assert at.state(consent_id) == "stopped_at_bank"
    said = at.said(consent_id)
    assert "Approve it again" in said
    assert "It has to be approved again: nothing can be paid under it until then" in said
    assert "lets nothing be paid under it for now" not in said
    at.approve(consent_id)
    assert at.state(consent_id) == "authorised"


def test_a_bank_that_dies_over_the_code_is_asked_again_soon_and_nobody_is_told_that_they_have_not_approved(
    at: Consenting,
) -> None:
    consent_id = at.agree()
    way_back = at.at_bank(at.leave(consent_id))
    again = away(at)
    at.browser.come_back(way_back)
    assert at.state(consent_id) == "awaiting"
    said = at.said(consent_id)
    assert "You are back from Mersey Bank" in said
    assert "not approved" not in said
    again()
    at.wait(16)
    assert at.state(consent_id) == "stopped_at_bank"
    assert "your approval did not reach us" in at.said(consent_id)
    at.approve(consent_id)
    assert at.state(consent_id) == "authorised"


def test_while_the_bank_does_not_say_what_it_holds_nothing_is_authorised(at: Consenting) -> None:
    consent_id = at.agree()
    way_back = at.at_bank(at.leave(consent_id))
    again = lose_answers(at, "GET", "/domestic-vrp-consents", times=1)
    at.browser.come_back(way_back)
    assert at.state(consent_id) == "awaiting"
    assert "You are back from Mersey Bank" in at.said(consent_id)
    again()
    at.wait(16)
    assert at.state(consent_id) == "authorised"


# ------------------------------------------------------------------------------------------------- stopped, and renewed


def test_stopped_here_it_is_over_at_once_and_the_bank_has_it_no_more(at: Consenting) -> None:
    consent_id = at.set_up()
    at.stop(consent_id)
    assert at.state(consent_id) == "revoked"
    assert at.boxes(consent_id) == set()
    assert [each["deleted"] for each in at.at_the_bank()] == [1]
    at.stop(consent_id)  # once more changes nothing
    assert at.history(consent_id)[-2:] == ["revoke", "bank_gone"]


def test_stopped_here_while_the_bank_is_away_nothing_is_left_to_use_and_the_page_says_whom_to_call(
    at: Consenting,
) -> None:
    consent_id = at.set_up()
    again = away(at)
    at.stop(consent_id)
    assert at.state(consent_id) == "revoking"
    assert at.boxes(consent_id) == {"payer"}
    said = at.said(consent_id)
    assert "has not confirmed yet" in said
    assert "+44 20 7946 0106" in said
    at.wait(3600)
    again()
    at.wait(3600)
    assert at.state(consent_id) == "revoked"
    assert [each["deleted"] for each in at.at_the_bank()] == [1]


def test_stopped_at_the_bank_its_signed_event_alone_stops_it_and_it_can_be_approved_again(at: Consenting) -> None:
    """This bank goes on to call it authorised, as the standard has it."""
    consent_id = at.set_up()
    at.clock.tick(seconds=90)
    resource_id = at.consent(consent_id).at_bank
    at.change_at_bank("UPDATE consent SET status = 'CANC' WHERE consent_id = ?", resource_id)
    event = revoked_event(at, resource_id)
    tell(at, event)
    assert at.state(consent_id) == "stopped_at_bank"
    assert at.boxes(consent_id) == {"payer"}
    at.worker.run_until_idle()
    assert at.state(consent_id) == "stopped_at_bank"
    assert "lets nothing be paid under it" in at.said(consent_id)
    at.clock.tick(seconds=5)
    at.approve(consent_id)
    assert at.state(consent_id) == "authorised"
    assert at.boxes(consent_id) == {"token", "payer"}
    tell(at, event)  # kept by somebody, and sent again: it is of before the approval
    assert at.state(consent_id) == "authorised"


def test_approved_again_from_another_account_that_is_shown_and_told(at: Consenting) -> None:
    consent_id = at.set_up()
    before = at.standing(consent_id).payer_mask
    at.approve(consent_id, account="camille-savings")
    standing = at.standing(consent_id)
    assert at.state(consent_id) == "authorised"
    assert standing.payer_mask not in (None, before)
    said = at.said(consent_id)
    assert str(standing.payer_mask) in said
    assert str(before) not in said
    assert "Mersey Bank names another account that pays" in said


def test_looked_at_every_week_within_the_banks_budget(at: Consenting) -> None:
    consent_id = at.set_up()
    asked = at.calls("GET")
    at.wait(5 * 86400)
    assert at.calls("GET") == asked
    at.wait(2 * 86400 + 1)
    assert at.calls("GET") == asked + 1
    at.change_at_bank("UPDATE consent SET deleted = 1")
    at.wait(7 * 86400)
    assert at.state(consent_id) == "revoked"
    assert at.boxes(consent_id) == set()


def test_after_its_last_day_it_is_over_by_our_own_date_and_taken_back_at_the_bank(at: Consenting) -> None:
    consent_id = at.set_up(ends_on=(at.clock().date() + dt.timedelta(days=3)).isoformat())
    at.wait(3 * 86400)
    assert at.state(consent_id) == "authorised"  # that day included
    at.wait(86400 + 2 * 3600)
    assert at.state(consent_id) == "expired"
    assert at.boxes(consent_id) == {"payer"}
    at.wait(2 * 3600)
    assert at.standing(consent_id).gone_at is not None
    assert at.boxes(consent_id) == set()


def test_a_bank_that_takes_no_new_ones_still_takes_those_back_that_are_there(
    at: Consenting, services: Services
) -> None:
    consent_id = at.set_up()
    profile = services.banks.profile(at.bank_id)
    kinds = profile.recurring
    object.__setattr__(profile, "recurring", ())
    try:
        answer = at.browser.get(f"{at.form}?bank={at.bank_id}")
        assert "Until when" not in answer.text  # nothing is offered there
        at.look(consent_id)
        assert at.state(consent_id) == "authorised"
        at.stop(consent_id)
    finally:
        object.__setattr__(profile, "recurring", kinds)
    assert at.state(consent_id) == "revoked"


# ----------------------------------------------------------------------------------------------------- crashes, workers


def test_killed_after_it_was_written_a_worker_gives_it_to_the_bank(
    at: Consenting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.customers.agree.run_now", lambda *_, **__: False)
    consent_id = at.agree()
    assert at.state(consent_id) == "prepared"
    at.wait(HEAD_START.total_seconds() + 1)
    assert at.state(consent_id) == "awaiting"


@pytest.mark.parametrize("point", ["consents.intended", "consents.answered", "consents.exchange.taken",
                                   "consents.exchange.sent", "consents.exchange.kept"])  # fmt: skip
def test_killed_between_two_steps_it_goes_on_or_can_be_approved_again(
    at: Consenting, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(name: str) -> None:
        if name == point and not died:
            died.append(name)
            raise Killed

    died: list[str] = []
    monkeypatch.setattr("app.journey.consents.follow.failpoint", die)
    monkeypatch.setattr("app.journey.consents.exchange.failpoint", die)
    consent_id = ""
    try:
        consent_id = at.agree()
    except Killed:
        consent_id = at.only_consent()
    at.wait(60)
    assert at.state(consent_id) == "awaiting"
    way_back = at.at_bank(at.leave(consent_id))
    with contextlib.suppress(Killed):
        at.browser.come_back(way_back)
    for _ in range(4):
        at.wait(60)
    if at.state(consent_id) != "authorised":  # a code is never sent twice: its customer approves once more
        assert at.state(consent_id) == "stopped_at_bank"
        at.approve(consent_id)
    assert at.state(consent_id) == "authorised"
    assert died == [point]
    assert len(at.at_the_bank()) == 1


# --------------------------------------------------------------------------------------------------------------- banks


def test_removing_a_bank_takes_back_what_was_allowed_there_and_keeps_the_rest(at: Consenting) -> None:
    bill = at.bill(number="kept-1")
    consent_id = at.set_up()
    listed = at.browser.page("/consents").get_text(" ", strip=True)
    assert "Mersey Bank" in listed
    page = at.browser.page(f"/consents/banks/{at.bank_id}/remove").get_text(" ", strip=True)
    assert f"The consent for {at.biller.name}" in page
    path = f"/consents/banks/{at.bank_id}/remove"
    assert at.press(path, path).status_code == 303
    assert at.state(consent_id) == "revoked"
    assert at.browser.get(f"/bills/{bill}").status_code == 200
    assert at.browser.get(f"/consents/{consent_id}").status_code == 200
    assert at.check().status_code == 409
    assert at.press(f"/consents/banks/{at.bank_id}/add", "/consents/banks/add").status_code == 303
    assert at.check().status_code == 200
    assert at.state(consent_id) == "revoked"


def test_each_customer_sees_and_stops_their_own_alone(at: Consenting, app: Flask) -> None:
    consent_id = at.set_up()
    other = type(at.browser).of(app)
    other.sign_up(name="Noé Petit", email="noe@example.org")
    for path in ("", "/leave", "/renew", "/state", "/bank"):
        assert other.get(f"/consents/{consent_id}{path}").status_code == 404
    assert other.post(f"/consents/{consent_id}/stop", token=other.token("/bills"), form={}).status_code == 404
    assert at.state(consent_id) == "authorised"


def test_many_consents_are_listed_with_no_more_questions_than_few(at: Consenting) -> None:
    asked: list[str] = []

    def note(*executed: Any) -> None:
        asked.append(executed[2])

    event.listen(at.services.engine, "after_cursor_execute", note)
    counts = []
    for number in range(4):
        stopped = at.set_up()
        if number == 1:
            at.stop(stopped)
        asked.clear()
        at.browser.get("/consents")
        counts.append(len(asked))
    event.remove(at.services.engine, "after_cursor_execute", note)
    assert len(set(counts)) == 1, counts


def test_of_many_consents_the_ones_that_are_meant_are_found(at: Consenting) -> None:
    first = at.set_up()
    for _ in range(7):
        at.agree()
    assert at.browser.page("/consents").select("input[name=find]") != []
    found = at.browser.page(f"/consents?find={at.biller.name.split()[0][:3]}")
    assert len(found.select(".card.consent")) == 8
    assert len(at.browser.page("/consents?find=mersey").select(".card.consent")) == 8
    none = at.browser.page("/consents?find=zzz")
    assert none.select(".card.consent") == []
    assert "No consent of yours is found by “zzz”." in none.get_text(" ")
    assert at.state(first) == "authorised"


def test_a_bank_to_add_is_found_and_an_account_number_stands_in_no_address(at: Consenting) -> None:
    assert len(at.browser.page("/consents/banks/add").select(".card.bank")) > 1
    path = "/consents/banks/add"
    by_name = at.browser.post(path, token=at.browser.token(path), form={"find": "mersey"})
    assert by_name.headers["Location"] == f"{path}?find=mersey"
    assert [each.get_text(strip=True) for each in at.browser.page(f"{path}?find=mersey").select("h2")] == [
        "Mersey Bank"
    ]
    by_account = at.browser.post(path, token=at.browser.token(path), form={"find": "GB94 BARC 2020 1530 0934 59"})
    assert by_account.status_code == 200
    assert "1530" not in by_account.text
    assert at.browser.get(f"{path}?find=GB94BARC20201530093459").headers["Location"] == path
    at.set_up()
    assert "It is among your banks already: Mersey Bank." in in_one_line(at.browser.get(f"{path}?find=mersey"))


def test_looking_at_the_pages_calls_no_bank(at: Consenting) -> None:
    consent_id = at.set_up()
    sent = len(at.bank_wire.sent)
    for path in ("/consents", f"/consents/{consent_id}", f"/consents/{consent_id}/renew", "/consents/banks/add",
                 f"/consents/{consent_id}/state", at.form, f"{at.form}?bank={at.bank_id}"):  # fmt: skip
        assert at.browser.get(path).status_code in (200, 303), path
    assert len(at.bank_wire.sent) == sent
    assert rules.OPEN_MOST == 50


def test_an_operator_sees_what_is_stuck_and_no_secret(
    at: Consenting, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.cli.machinery.services", lambda: at.services)
    consent_id = at.set_up()
    assert main(["consents", "list"]) == 0
    assert f"{consent_id}  bank mersey  authorised" in capsys.readouterr().out
    away(at)
    at.stop(consent_id)
    at.clock.tick(days=1, seconds=60)
    assert main(["consents", "list", "--stuck"]) == 1
    said = capsys.readouterr().out
    assert "STUCK" in said
    assert main(["consents", "show", consent_id]) == 0
    said += capsys.readouterr().out
    assert "revoke  authorised -> revoking  customer" in said
    standing = at.standing(consent_id)
    for secret in (standing.payee_iban, at.customer.id, at.customer.name):
        assert secret not in said


# --------------------------------------------------------------------------------------------------- is the money there


def ask_funds(at: Consenting, consent_id: str, invoice_id: str) -> str:
    """The button, on the page on which the bill is decided; what that page says then."""
    at.wake()
    token = at.browser.token(f"/bills/{invoice_id}/pay?consent={consent_id}")
    return in_one_line(at.browser.post(f"/bills/{invoice_id}/pay/funds?consent={consent_id}", token=token, form={}))


def questions(at: Consenting) -> list[str]:
    """With which token the bank was asked, each time."""
    asked = [one for one in at.bank_wire.sent if str(one.url).endswith("/funds-confirmation")]
    return [str(one.headers["Authorization"]).partition(" ")[2] for one in asked]


def at_severn(at: Consenting) -> tuple[str, str]:
    """A consent whose tokens live for ten minutes and are renewed, and a bill that it covers."""
    at.bank_id = "severn"
    invoice_id = at.bill(number="c1")
    consent_id = at.set_up(limit_month="", limit_fortnight="160.00")
    assert at.boxes(consent_id) >= {"token", "refresh"}
    return consent_id, invoice_id


def test_a_token_that_is_over_is_renewed_before_its_bank_is_asked_for_the_money(at: Consenting) -> None:
    consent_id, invoice_id = at_severn(at)
    assert "Severn Bank says (10:00): the money is there." in ask_funds(at, consent_id, invoice_id)
    at.clock.tick(minutes=11)
    assert "Severn Bank says (10:11): the money is there." in ask_funds(at, consent_id, invoice_id)
    first, second = questions(at)
    assert first != second
    assert at.state(consent_id) == "authorised"
    assert at.history(consent_id)[-2:] == ["ask_funds", "ask_funds"]


def test_a_token_that_its_bank_does_not_take_is_renewed_and_it_is_asked_once_more(at: Consenting) -> None:
    consent_id, invoice_id = at_severn(at)
    with at.services.unit_of_work() as uow:
        box = f"consent:{consent_id}:token"
        at.services.vault.put(uow.session, box, "dead", now=uow.now, expires_at=uow.now + dt.timedelta(minutes=9))
        uow.commit()
    assert "Severn Bank says (10:00): the money is there." in ask_funds(at, consent_id, invoice_id)
    first, second = questions(at)[0], questions(at)[-1]
    assert first == "dead" != second
    assert at.history(consent_id)[-1:] == ["ask_funds"], "one question of the customer's, one line"
    assert "Severn Bank says (10:00): the money is there." in ask_funds(at, consent_id, invoice_id)
    assert questions(at)[-1] == second, "and what was renewed is kept"


def test_where_it_cannot_be_renewed_just_now_its_bank_cannot_be_asked(at: Consenting) -> None:
    consent_id, invoice_id = at_severn(at)
    at.clock.tick(minutes=11)
    again = lose_answers(at, "POST", "/token", times=10)
    assert "Severn Bank cannot be asked right now (10:11). Nothing was paid." in ask_funds(at, consent_id, invoice_id)
    assert (questions(at), at.state(consent_id)) == ([], "authorised")
    again()
    at.clock.tick(minutes=1)
    assert "Severn Bank says (10:12): the money is there." in ask_funds(at, consent_id, invoice_id)


def test_a_consent_that_was_stopped_at_a_bank_which_renews_its_tokens(at: Consenting) -> None:
    """It renews nothing any more, which is its word on the consent."""
    consent_id, invoice_id = at_severn(at)
    at.change_at_bank("UPDATE token SET revoked = 1 WHERE consent_id IS NOT NULL")
    at.change_at_bank("UPDATE refresh_token SET revoked = 1")
    said = ask_funds(at, consent_id, invoice_id)
    assert at.state(consent_id) == "stopped_at_bank"
    assert "Your consent does not cover this bill now" in said
    assert "Your bank lets nothing be paid under it at the moment." in said
    assert "the money is" not in said


def test_a_bank_that_calls_a_stopped_consent_authorised_is_asked_about_it_and_nothing_ends(at: Consenting) -> None:
    """Its word on the consent stays as it was, so the next payment under it tells."""
    invoice_id = at.bill(number="c1")
    consent_id = at.set_up(limit_month="", limit_fortnight="160.00")
    at.change_at_bank("UPDATE token SET revoked = 1 WHERE consent_id IS NOT NULL")
    said = ask_funds(at, consent_id, invoice_id)
    assert "Mersey Bank does not answer under your consent now (10:00). Nothing was paid." in said
    looks = at.calls("GET")
    at.wait(rules.HINT_PAUSE.total_seconds())
    assert at.calls("GET") == looks + 1
    assert at.state(consent_id) == "authorised"
