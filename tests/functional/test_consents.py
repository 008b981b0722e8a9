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

from app.cli import main
from app.db.unit_of_work import HEAD_START
from app.journey.consents import rules
from app.keys.installation import Keys
from app.services import Services
from app.worker import Worker
from config.settings import Settings
from consent.models import ShownText
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
    assert "An open bill cannot be paid under it at first." in words
    assert "Bill c1, £84.20: £41.54 too much: £42.66 is left of the limit for a month, which resets on 1 December 2026." in words
    enough = BeautifulSoup(at.check(limit_month="", limit_fortnight="160.00").data, "html.parser")
    assert "at first" not in enough.get_text(" ")


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
    assert any("23 December 2027" in each for each in shown)


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
        found = page.select_one(f"input[name={name}]:not([type=radio])")
        assert found is not None
        assert found["value"] == value


def test_no_limit_at_all_is_said(at: Consenting) -> None:
    answer = at.check(limit_month="")
    assert answer.status_code == 422
    assert "Give at least one limit" in answer.text


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
    again = at.finish(token, terms, started.get_json())
    assert again.status_code == 422
    assert len(at.at_the_bank()) == 1


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
    assert (answer.status_code, "You have stopped everything" in answer.text) == (409, True)


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
    assert "Approve it again" in at.said(consent_id)
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
    assert at.boxes(consent_id) == {"payer"}
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
    assert at.boxes(consent_id) == {"payer"}


def test_after_its_last_day_it_is_over_by_our_own_date_and_taken_back_at_the_bank(at: Consenting) -> None:
    consent_id = at.set_up(ends_on=(at.clock().date() + dt.timedelta(days=3)).isoformat())
    at.wait(3 * 86400)
    assert at.state(consent_id) == "authorised"  # that day included
    at.wait(86400 + 2 * 3600)
    assert at.state(consent_id) == "expired"
    assert at.boxes(consent_id) == {"payer"}
    at.wait(2 * 3600)
    assert at.standing(consent_id).gone_at is not None


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
