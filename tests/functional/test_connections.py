"""Who may reach whom, through the doors, on both databases: every state of a connection, and what each side sees."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app.journey.connections import rules
from app.journey.connections.models import AddressLeak, Connection, ConnectionHistory, Redemption, StrayBill
from app.journey.connections.read import redemptions_by_biller
from app.journey.connections.states import ConnectionState
from app.journey.webhooks.models import WebhookMessage
from app.journey.webhooks.service import add_endpoint
from app.people import vetting
from app.schedule import Schedule
from app.services import Services
from app.worker import Worker
from tests.conftest import Clock
from tests.support.billers_door import Program
from tests.support.billers_spec import conforms
from tests.support.billers_world import World, json_bill
from tests.support.journey import Browser

REDEMPTIONS, CONNECTIONS = "/api/v1/redemptions", "/api/v1/connections"
NOBODYS = "34679CDFGH" + rules._check_letter("34679CDFGH")  # well formed, and nobody's


@dataclass
class Town:
    """One customer in a browser, and billers with their programs."""

    app: Flask
    services: Services
    worker: Worker
    clock: Clock
    world: World
    browser: Browser
    lumen: Program

    # ---------------------------------------------------------------------------------------------- the customer

    def text(self, path: str) -> str:
        """The words of a page, with plain spaces."""
        return self.browser.page(path).get_text(" ", strip=True).replace("\N{NO-BREAK SPACE}", " ")

    def press(self, path: str, word: str, **form: str) -> TestResponse:
        """A button of a page: its form must be there."""
        page = self.browser.page(path)
        action = next((str(each["action"]) for each in page.select("form[method=post]")
                       if str(each["action"]).endswith(f"/{word}")), None)  # fmt: skip
        assert action is not None, f"{path} has no button {word}: {page.get_text(' ', strip=True)}"
        return self.browser.post(action, token=self.browser.token(path), form=form)

    def company(self, program: Program | None = None) -> str:
        return f"/companies/{(program or self.lumen).biller_id}"

    def ask(self, reference: str = "K-204417") -> None:
        assert self.press(self.company(), "ask", reference=reference).status_code == 303

    def code(self) -> str:
        assert self.press("/companies/code", "code").status_code == 303
        found = self.browser.page("/companies/code").select_one(".code-big")
        assert found is not None
        return found.get_text(strip=True)

    def address(self) -> str:
        assert self.press(self.company(), "address").status_code == 303
        found = self.browser.page(self.company()).select_one(".hand-over")
        assert found is not None
        return found.get_text(strip=True)

    # ------------------------------------------------------------------------------------------------ the biller

    def post(self, path: str, program: Program | None = None, **body: Any) -> TestResponse:
        who = program or self.lumen
        answer = who.http.post(path, json=body, headers=who.bearer("connections:write"))
        conforms(self.app, answer)
        return answer

    def redeem(self, program: Program | None = None, **body: Any) -> dict[str, Any]:
        """Redeemed, and looked up by the worker. What the biller's program is told then."""
        answer = self.post(REDEMPTIONS, program, **body)
        assert answer.status_code == 202, answer.text
        self.worker.run_until_idle()
        return self.get(answer.headers["Location"], program)

    def get(self, path: str, program: Program | None = None) -> dict[str, Any]:
        answer = (program or self.lumen).get(path, scope="connections:read")
        conforms(self.app, answer)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.get_json()
        return found

    def listed(self, program: Program | None = None, query: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"{CONNECTIONS}{query}", program)["connections"]
        return found

    def say(self, word: str, **body: Any) -> TestResponse:
        """Answer what the program sees now, or the ``sequence`` that it saw."""
        [connection] = self.listed()
        if word != "end":
            body = {"sequence": connection["sequence"], **body}
        return self.post(f"{CONNECTIONS}/{connection['id']}/{word}", **body)

    def deliver(self, to: str, program: Program | None = None, **changes: Any) -> TestResponse:
        who = program or self.lumen
        answer = who.deliver(json_bill(who, to, **changes))
        self.worker.run_until_idle()
        return answer

    def told(self) -> list[tuple[str, int]]:
        """Webhooks about connections, in their order: kind and sequence."""
        self.worker.run_until_idle()
        with self.services.reading() as uow:
            rows = uow.session.scalars(
                select(WebhookMessage).where(WebhookMessage.type.startswith("connection.")).order_by(WebhookMessage.id)
            ).all()
        found = [(row.type, int(re.findall(rb'"sequence":(\d+)', row.body)[0])) for row in rows]
        return sorted(found, key=lambda each: each[1])

    def told_references(self) -> list[str | None]:
        """What the same webhooks call the customer."""
        self.worker.run_until_idle()
        with self.services.reading() as uow:
            bodies = uow.session.scalars(select(WebhookMessage.body).order_by(WebhookMessage.id)).all()
        said = sorted((json.loads(body)["data"] for body in bodies), key=lambda data: data["sequence"])
        return [data["customer_reference"] for data in said]

    # --------------------------------------------------------------------------------------------------- the truth

    def state(self) -> str | None:
        with self.services.reading() as uow:
            return uow.session.scalar(select(Connection.state).where(Connection.biller_id == self.lumen.biller_id))

    def active(self) -> str:
        """Connected through a code. The address."""
        self.redeem(code=self.code())
        assert self.press(self.company(), "accept").status_code == 303
        [connection] = self.listed()
        return str(connection["address"])

    def later(self, **how: float) -> None:
        """Time goes by and the housekeeping runs; the customer signs in again."""
        self.clock.tick(**how)
        Schedule(self.services).run_due()
        if self.browser.get("/").status_code == 200:
            self.browser.sign_in()


@pytest.fixture
def town(app: Flask, services: Services, worker: Worker, clock: Clock, client: FlaskClient) -> Town:
    from app.web.billers.limits import limiter

    limiter.reset()
    world = World(services, client)
    browser = Browser.of(app)
    browser.sign_up(name="Camille Laurent")
    lumen = world.program()
    with services.unit_of_work() as uow:
        add_endpoint(services, uow, biller_id=lumen.biller_id, url="https://lumen.example/hook")
        uow.commit()
    return Town(app, services, worker, clock, world, browser, lumen)


def refused(answer: TestResponse, status: int, code: str) -> None:
    assert (answer.status_code, answer.get_json()["code"]) == (status, code), answer.text


# --------------------------------------------------------------------------------------------------- asked from inside


def test_a_customer_finds_a_company_asks_and_is_billed(town: Town) -> None:
    found = town.text("/companies/find?find=lumen+ener")  # without accents, by the beginnings of words
    assert "Lumen Énergie" in found
    page = town.text(town.company())
    assert "If you ask, the company learns:" in page  # before anything is sent
    assert "Camille Laurent" in page
    assert "not your e-mail address, your bank" in page
    assert town.listed() == []

    town.ask("K-204417")
    assert "To be checked by Lumen Énergie not looked at yet, expected by 26 November 2026" in town.text(town.company())
    [asked] = town.listed()
    assert (asked["status"], asked["customer_name"], asked["customer_reference"], asked["address"]) == (
        "asked", "Camille Laurent", "K-204417", None
    )  # fmt: skip
    refused(town.deliver(address_in_the_table(town)), 422, "not-connected")  # nothing arrives before the yes

    assert town.say("check", expected_on="2026-12-01").get_json()["status"] == "checking"
    assert "Being checked by Lumen Énergie expected by 1 December 2026" in town.text(town.company())
    assert "Checks your reference" in town.text("/companies")

    confirmed = town.say("confirm").get_json()
    assert confirmed["status"] == "active"
    assert town.deliver(confirmed["address"]).status_code == 201
    assert "AQ-2026-0042" in town.text("/bills")
    assert confirmed["address"].partition("@")[0] in town.text(town.company())
    assert town.told() == [("connection.asked", 1), ("connection.checking", 2), ("connection.active", 3)]


def address_in_the_table(town: Town) -> str:
    with town.services.reading() as uow:
        return uow.session.scalars(select(Connection.address)).one()


def test_a_request_may_be_confirmed_at_once_and_twice(town: Town) -> None:
    town.ask()
    first, again = town.say("confirm"), town.say("confirm")
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.get_json() == again.get_json()
    refused(town.say("refuse"), 409, "connection-state")


def suspend(town: Town) -> None:
    with town.services.unit_of_work() as uow:
        vetting.suspend(uow, biller_id=town.lumen.biller_id, by="ada", note="its customers call")
        uow.commit()


def test_a_suspended_biller_confirms_no_request(town: Town) -> None:
    town.ask()
    suspend(town)
    refused(town.say("confirm"), 409, "biller-suspended")
    assert town.state() == "asked"
    assert town.say("refuse").status_code == 200  # which connects nobody


@pytest.mark.parametrize("asked", [False, True])
def test_who_is_suspended_before_the_worker_looks_has_come_for_nothing(town: Town, asked: bool) -> None:
    """Neither is its customer asked, nor is one connected who had asked for it."""
    if asked:
        town.ask()
    code = town.code()
    redemption = town.post(REDEMPTIONS, code=code).headers["Location"]
    suspend(town)
    town.worker.run_until_idle()
    assert town.get(redemption).get("connection_id") is None
    assert town.state() in (("asked",) if asked else (None, "none"))
    with town.services.unit_of_work() as uow:
        for who in ("ada", "grace"):
            vetting.reinstate(uow, biller_id=town.lumen.biller_id, by=who, note="it was a mistake")
        uow.commit()
    town.redeem(code=code)  # it is good still
    assert town.state() == ("active" if asked else "offered")


def test_a_reference_that_is_not_known_may_be_asked_with_again(town: Town) -> None:
    town.ask("WRONG-1")
    town.say("check")
    assert town.say("refuse").get_json()["status"] == "ended"
    assert town.say("refuse").status_code == 200
    assert "did not find you by the reference WRONG-1" in town.text(town.company())
    refused(town.say("confirm"), 409, "connection-state")
    town.ask("K-1")
    [connection] = town.listed()
    assert (connection["status"], connection["customer_reference"]) == ("asked", "K-1")
    assert town.say("confirm").get_json()["status"] == "active"


def test_a_request_that_is_withdrawn(town: Town) -> None:
    town.ask()
    assert town.press(town.company(), "leave").status_code == 303
    assert [each["status"] for each in town.listed()] == ["ended"]
    assert town.listed()[0]["customer_name"] is None  # it is none of its business any more
    refused(town.say("confirm"), 409, "connection-state")
    assert town.told() == [("connection.asked", 1), ("connection.ended", 2)]


def test_an_answer_is_about_the_request_that_was_seen(town: Town) -> None:
    town.ask("K-MINE")
    [seen] = town.listed()
    town.press(town.company(), "leave")
    town.ask("K-VICTIM")
    for word in ("check", "confirm", "refuse"):
        refused(town.say(word, sequence=seen["sequence"]), 409, "connection-changed")
        refused(town.say(word, sequence=99), 409, "connection-changed")  # nobody has seen that yet
    assert town.state() == "asked"
    [now] = town.listed()
    for word in ("check", "check", "confirm", "confirm"):  # one request all the time, and a lost answer is repeated
        assert town.say(word, sequence=now["sequence"]).status_code == 200
    assert town.listed()[0]["customer_reference"] == "K-VICTIM"


@pytest.mark.parametrize("body", [{}, {"sequence": 0}, {"sequence": "1"}, {"sequence": 1, "reference": "K-1"}])
def test_an_answer_says_what_it_answers(town: Town, body: dict[str, Any]) -> None:
    town.ask()
    [connection] = town.listed()
    for word in ("check", "confirm", "refuse"):
        path = f"{CONNECTIONS}/{connection['id']}/{word}"
        assert town.world.refuses(town.post, path, **body).status_code == 422


def test_a_webhook_that_is_late_names_the_customer_as_they_were_known_then(town: Town) -> None:
    town.ask("K-1")
    code = town.code()
    town.press(town.company(), "leave")
    town.post(REDEMPTIONS, code=code, customer_reference="PROBE")
    town.ask("K-2")
    assert town.told()[:3] == [("connection.asked", 1), ("connection.ended", 2), ("connection.asked", 3)]
    assert town.told_references()[:3] == ["K-1", "K-1", "K-2"]


@pytest.mark.parametrize("scope", ["bills:write bills:read", "bills:write connections:read", "stopped"])
def test_a_company_that_cannot_answer_is_not_asked(town: Town, scope: str) -> None:
    from app.people.clients import change_scope, stop_client

    deaf = town.world.program()
    token, page = town.browser.token(town.company(deaf)), town.text(town.company(deaf))
    assert "If you ask, the company learns:" in page
    with town.services.unit_of_work() as uow:
        if scope == "stopped":
            stop_client(uow, client_id=deaf.client_id)
        else:
            change_scope(uow, client_id=deaf.client_id, scope=scope)
        uow.commit()
    page = town.text(town.company(deaf))
    assert "This company cannot be asked from here yet" in page
    assert "If you ask, the company learns:" not in page
    before = counts(town)
    for word in ("ask", "address"):  # a form of before
        answer = town.browser.post(f"{town.company(deaf)}/{word}", token=token, form={"reference": "K-1"})
        assert (answer.status_code, "cannot be asked from here yet" in answer.text) == (409, True)
    assert counts(town) == before


def test_a_biller_that_is_late_is_said_to_be(town: Town) -> None:
    town.ask()
    town.later(days=4)
    page = town.text(town.company())
    assert "it is late" in page
    assert "You may wait, ask it in another way, or withdraw." in page


def test_nobody_keeps_a_biller_busy_with_asking(town: Town) -> None:
    for number in range(5):
        town.ask(f"K-{number}")
        town.press(town.company(), "leave")
    answer = town.press(town.company(), "ask", reference="K-6")
    assert (answer.status_code, "try again tomorrow" in answer.text) == (409, True)
    assert town.state() == "left"
    town.later(days=1)
    town.ask()
    assert town.state() == "asked"


@pytest.mark.parametrize("reference", ["", "   ", "x" * 51, "a\tb"])
def test_a_reference_that_is_none(town: Town, reference: str) -> None:
    answer = town.press(town.company(), "ask", reference=reference)
    assert answer.status_code == 422
    assert "Please write the reference" in answer.text
    assert town.state() is None
    assert town.listed() == []


# -------------------------------------------------------------------------------------------------- a code handed over


def test_a_code_brings_a_company_and_the_customer_decides(town: Town) -> None:
    code = town.code()
    assert re.fullmatch(r"[34679CDFGHJKMNPQRTVWXY]{4}-[34679CDFGHJKMNPQRTVWXY]{4}-[34679CDFGHJKMNPQRTVWXY]{3}", code)
    # read out on the telephone: case, blanks and hyphens do not matter
    waiting = town.redeem(code=f" {code.lower().replace('-', ' ')} ", customer_reference="K-7")
    assert (waiting["status"], waiting["connection_id"]) == ("waiting", None)
    assert town.listed() == []  # it does not know yet that there is anybody

    assert "1 company waits for your answer" in town.text("/bills")
    page = town.text(town.company())
    assert "asks to send you its bills" in page
    assert "K-7" in page
    assert town.browser.page("/companies/code").select(".code-big") == []  # good once

    assert town.press(town.company(), "accept").status_code == 303
    [connection] = town.listed()
    assert (connection["status"], connection["customer_reference"]) == ("active", "K-7")
    after = town.get(f"{REDEMPTIONS}/{waiting['id']}")
    assert (after["status"], after["connection_id"]) == ("accepted", connection["id"])
    assert town.deliver(connection["address"]).status_code == 201
    assert town.told() == [("connection.active", 1)]


def test_a_code_is_good_once_whoever_comes_second(town: Town) -> None:
    code, other = town.code(), town.world.program()
    assert town.redeem(code=code)["status"] == "waiting"
    assert town.redeem(other, code=code)["status"] == "waiting"
    page = town.browser.page("/companies")
    assert len(page.select("section[aria-labelledby=offered] li")) == 1
    assert other.biller_id not in str(page)


def test_a_program_that_lost_our_answer_comes_with_the_code_again(town: Town) -> None:
    code = town.code()
    first, second = town.redeem(code=code), town.redeem(code=code)
    town.press(town.company(), "accept")
    third = town.redeem(code=code)
    [connection] = town.listed()
    for each in (first, second, third):
        assert town.get(f"{REDEMPTIONS}/{each['id']}")["connection_id"] == connection["id"]


def test_nobody_learns_whether_a_code_is_somebodys(town: Town) -> None:
    """Unknown, run out, withdrawn, used by another, declined, blocked: to a program they are one."""
    other = town.world.program()
    withdrawn = town.code()
    found = town.browser.page("/companies/code").select_one("input[name=code]")
    assert found is not None
    town.press("/companies/code", "withdraw", code=str(found["value"]))
    used = town.code()
    town.redeem(other, code=used)
    blocked = town.code()
    town.ask()
    town.press(town.company(), "block")
    [known] = town.listed()  # it asked once, so the biller knows of it; of the block it learns nothing
    answers = []
    for code in (NOBODYS, withdrawn, used, blocked):
        before = counts(town)
        answer = town.post(REDEMPTIONS, code=code, customer_reference="K-1")
        assert (answer.status_code, changed(before, counts(town))) == (202, {"redemption", "event", "work"})
        town.worker.run_until_idle()
        said = town.get(answer.headers["Location"])
        answers.append({name: value for name, value in said.items() if name != "id"})
        assert set(answer.get_json()) == set(said)
    assert all(each == answers[0] for each in answers), answers
    assert answers[0]["status"] == "waiting"
    assert town.listed() == [known]
    town.later(days=15)
    with town.services.reading() as uow:
        ids = uow.session.scalars(select(Redemption.id).where(Redemption.biller_id == town.lumen.biller_id)).all()
    assert {town.get(f"{REDEMPTIONS}/{each}")["status"] for each in ids} == {"over"}


def counts(town: Town) -> dict[str, int]:
    return town.world.rows()


def changed(before: dict[str, int], after: dict[str, int]) -> set[str]:
    """But for the assertion that the token cost."""
    return {name for name in after if after[name] != before[name]} - {"used_assertion"}


def test_a_customer_who_does_not_accept_is_silent(town: Town) -> None:
    waiting = town.redeem(code=town.code())
    assert town.press(town.company(), "decline").status_code == 303
    assert "You did not accept its request" in town.text(town.company())
    assert town.get(f"{REDEMPTIONS}/{waiting['id']}") == waiting  # as if nobody were there
    assert town.listed() == []
    assert town.told() == []


def test_an_offer_runs_out(town: Town) -> None:
    waiting = town.redeem(code=town.code())
    town.clock.tick(days=14)
    town.browser.sign_in()
    token = town.browser.token("/companies")
    late = town.browser.post(f"{town.company()}/accept", token=token)
    assert late.status_code == 409
    assert "has run out" in late.text
    town.later(minutes=10)
    assert town.state() == "declined"
    assert town.get(f"{REDEMPTIONS}/{waiting['id']}")["status"] == "over"
    assert town.told() == []


def test_a_code_runs_out(town: Town) -> None:
    code = town.code()
    town.later(days=3)
    assert town.browser.page("/companies/code").select(".code-big") == []
    town.redeem(code=code)
    assert town.state() is None


def test_a_customer_has_few_codes_at_a_time(town: Town) -> None:
    codes = set()
    for _ in range(5):
        town.press("/companies/code", "code")
    codes = {each.get_text() for each in town.browser.page("/companies/code").select(".code-big")}
    assert len(codes) == 5
    answer = town.browser.post("/companies/code", token=town.browser.token("/companies/code"))
    assert (answer.status_code, "withdraw one first" in answer.text) == (409, True)


@pytest.mark.parametrize("code", ["", "C7K", "34679CDFGHG", "OILO-OILO-OIL", "34679CDFGHV9", "é" * 11, "x" * 41])
def test_a_slip_in_a_code_is_found_at_the_door(town: Town, code: str) -> None:
    answer = town.world.refuses(town.post, REDEMPTIONS, code=code)
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["pointer"] == "/code"


@pytest.mark.parametrize(
    "body",
    [{}, {"code": NOBODYS, "address": "a@b.example"}, {"address": "nowhere"}, {"code": 5}, {"name": "Camille"}],
)
def test_a_redemption_is_a_code_or_an_address(town: Town, body: dict[str, Any]) -> None:
    assert town.world.refuses(town.post, REDEMPTIONS, **body).status_code == 422


def test_who_guesses_is_stopped(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.journey.connections.rules.REDEMPTIONS_AN_HOUR", 2)
    for _ in range(2):
        town.redeem(code=NOBODYS)
    answer = town.world.refuses(town.post, REDEMPTIONS, code=NOBODYS)
    refused(answer, 429, "too-many-redemptions")
    assert 3590 < int(answer.headers["Retry-After"]) <= 3600  # when the first of them is an hour ago
    assert town.post(REDEMPTIONS, town.world.program(), code=NOBODYS).status_code == 202
    town.clock.tick(hours=1)
    assert town.post(REDEMPTIONS, code=NOBODYS).status_code == 202


@pytest.mark.parametrize("word", ["leave", "block"])
def test_an_offer_is_not_to_be_seen_before_the_yes(town: Town, word: str) -> None:
    """A biller that knew somebody once learns nothing from the connection of whether a code is theirs."""
    town.active()
    town.press(town.company(), "leave")
    if word == "block":
        town.press(town.company(), "block")
    [before] = town.listed()
    assert town.redeem(code=town.code(), customer_reference="PROBE-7")["status"] == "waiting"
    assert town.listed() == [before]
    assert ("PROBE-7" in town.text(town.company())) is (word == "leave")  # its customer sees what they are asked
    if word == "leave":
        town.press(town.company(), "accept")
        assert town.listed()[0]["customer_reference"] == "PROBE-7"


def test_an_id_does_not_say_when_its_customer_declined(town: Town) -> None:
    """The row is made by the first offer. Its id is shown much later, after another one."""
    town.redeem(code=town.code())
    town.press(town.company(), "decline")
    made = town.clock()
    town.later(days=30)
    town.ask()
    [connection] = town.listed()
    stamp = int(connection["id"].removeprefix("cnx_")[:12], 16) / 1000  # where a UUIDv7 has its milliseconds
    assert not abs(stamp - made.timestamp()) < 400 * 86400
    assert not abs(stamp - time.time()) < 400 * 86400


@pytest.mark.parametrize("how", ["decline", "lapse", "block"])
def test_an_offer_that_was_not_taken_is_never_accepted(town: Town, how: str) -> None:
    """What the two agree on later is not what this biller came for then."""
    code = town.code()
    old = town.redeem(code=code, customer_reference="K-WRONG")
    if how == "lapse":
        town.clock.tick(days=13)
        again = town.redeem(code=code, customer_reference="K-WRONG")  # this one is open a while longer
        town.later(days=1, minutes=5)
    else:
        again = town.redeem(code=code, customer_reference="K-WRONG")
        town.press(town.company(), how)
    if how == "block":
        town.press(town.company(), "unblock")
    town.ask("K-RIGHT")
    assert town.say("confirm").get_json()["status"] == "active"
    for each in (old, again):
        said = town.get(f"{REDEMPTIONS}/{each['id']}")
        assert (said["status"] in ("waiting", "over"), said["connection_id"]) == (True, None)
    assert town.redeem(code=code, customer_reference="K-WRONG")["connection_id"] is None  # nor repeated


def test_a_yes_is_to_the_reference_that_was_shown(town: Town) -> None:
    """Further codes join an offer or a connection only for the same reference: the customer is shown no other."""
    code = town.code()
    town.redeem(code=code, customer_reference="K-1")
    assert town.redeem(code=code, customer_reference="K-OTHER")["status"] == "waiting"
    assert town.redeem(code=town.code(), customer_reference="K-OTHER")["status"] == "waiting"
    assert "K-OTHER" not in town.text(town.company())
    town.press(town.company(), "accept")
    for path in redemptions_of(town, "K-OTHER"):
        assert town.get(path)["connection_id"] is None
    open_code = town.code()
    assert town.redeem(code=open_code, customer_reference="K-OTHER")["status"] == "waiting"
    assert town.redeem(code=open_code, customer_reference="K-1")["status"] == "accepted"
    assert [each["customer_reference"] for each in town.listed()] == ["K-1"]


def redemptions_of(town: Town, reference: str) -> list[str]:
    with town.services.reading() as uow:
        ids = uow.session.scalars(select(Redemption.id).where(Redemption.reference == reference)).all()
    return [f"{REDEMPTIONS}/{each}" for each in ids]


def test_an_offer_without_a_reference_shows_none(town: Town) -> None:
    town.ask("K-OLD")
    town.say("refuse")
    town.redeem(code=town.code())
    page = town.text(town.company())
    assert "none given by the company" in page
    assert "K-OLD" not in page
    town.press(town.company(), "accept")
    assert town.listed()[0]["customer_reference"] is None


def test_a_biller_that_ends_takes_its_offer_back(town: Town) -> None:
    town.active()
    town.press(town.company(), "leave")
    [before] = town.listed()
    waiting = town.redeem(code=town.code())
    assert town.say("end").get_json() == before  # the same as where there is no offer
    assert (town.state(), town.get(f"{REDEMPTIONS}/{waiting['id']}")["status"]) == ("ended", "waiting")


def test_who_comes_with_what_is_nobodys_is_slowed_down(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.journey.connections.rules.UNACCEPTED_FREE", 2)
    monkeypatch.setattr("app.journey.connections.rules.REDEMPTIONS_AN_HOUR_LEAST", 1)
    town.active()  # one accepted pays for four
    for _ in range(7):
        town.redeem(code=NOBODYS)
    refused(town.world.refuses(town.post, REDEMPTIONS, code=NOBODYS), 429, "too-many-redemptions")
    town.clock.tick(hours=1)
    town.redeem(code=NOBODYS)
    refused(town.world.refuses(town.post, REDEMPTIONS, code=NOBODYS), 429, "too-many-redemptions")
    with town.services.reading() as uow:
        [lumen] = redemptions_by_biller(uow.session, now=uow.now)
    assert (lumen.biller_name, lumen.presented, lumen.accepted) == ("Lumen Énergie", 9, 1)
    town.clock.tick(days=14)  # it does not hold for ever
    for _ in range(2):
        town.redeem(code=NOBODYS)


def test_a_fault_of_a_redemption_is_named_as_the_program_named_it(town: Town) -> None:
    answer = town.world.refuses(town.post, REDEMPTIONS, code=NOBODYS, customer_reference="a\tb")
    assert [each["pointer"] for each in answer.get_json()["errors"]] == ["/customer_reference"]


# ---------------------------------------------------------------------------------------------- an address handed over


def test_an_address_is_handed_over_and_redeemed(town: Town) -> None:
    address = town.address()
    refused(town.deliver(address), 422, "not-connected")  # handing over is not yet accepting
    assert town.redeem(address=address.upper(), customer_reference="K-9")["status"] == "waiting"
    town.press(town.company(), "accept")
    assert town.deliver(address).status_code == 201
    assert [each["address"] for each in town.listed()] == [address]


def test_an_address_that_was_left_does_not_bring_the_company_back(town: Town) -> None:
    address = town.address()
    town.press(town.company(), "leave")
    assert town.redeem(address=address)["status"] == "waiting"
    assert town.state() == "left"
    town.redeem(code=town.code())  # but a fresh code does
    assert town.state() == "offered"


@pytest.mark.parametrize("theirs", ["K-MINE", None])
def test_each_of_the_two_has_asked_for_the_other(town: Town, theirs: str | None) -> None:
    """What the biller named is what it knows. What the customer typed, nobody has checked."""
    town.ask("K-VICTIM")
    named: dict[str, Any] = {"customer_reference": theirs} if theirs else {}
    assert town.redeem(code=town.code(), **named)["status"] == "accepted"
    [connection] = town.listed()
    assert (connection["status"], connection["customer_reference"]) == ("active", theirs)
    page = town.text(town.company())
    assert "K-VICTIM" not in page
    assert (theirs or "none is known here") in page
    assert (town.told_references()[-1], len(town.told())) == (theirs, 2)
    refused(town.say("confirm", sequence=1), 409, "connection-changed")  # it was about K-VICTIM


def test_a_leak_shows_who_used_the_address_and_of_whom(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    address, other = town.active(), town.world.program()
    town.worker.run_until_idle()
    before = counts(town)
    refused(town.deliver(address, other), 422, "not-connected")
    stray = changed(before, counts(town))
    before = counts(town)
    refused(town.deliver("aaaaaaaaaaaa@space.quittance.example", other), 422, "not-connected")
    assert changed(before, counts(town)) == stray == {"stray_bill"}  # the same work for both

    town.later(minutes=2)
    assert counts(town)["stray_bill"] == 0
    assert "used the address that you gave to" in town.text("/companies")
    page = town.text(town.company())
    assert "Your address was used by somebody else" in page
    assert "used the address that you gave to Lumen Énergie, once, on 23 November 2026" in page
    assert "Perhaps you gave it to both" in page
    assert "Nothing of it reached you" in page
    assert "was not given it" in caplog.text  # the operator's log

    drawn = town.browser.page(town.company()).select_one("input[name=until]")
    assert drawn is not None
    read = {"until": str(drawn["value"])}
    town.press(town.company(), "leaks", **read)
    assert "used the address" not in town.text("/companies")
    town.clock.tick(seconds=1)
    town.redeem(other, address=address)  # and the other way to use it
    assert "used the address" in town.text("/companies")
    town.press(town.company(), "leaks", **read)  # of the page as it was before that
    assert "used the address" in town.text("/companies")
    assert town.press(town.company(), "leaks", until="yesterday").status_code == 422

    town.redeem(other, code=town.code())
    town.press(town.company(other), "block")  # one that is blocked is not noticed any more, but is not forgotten either
    assert "used the address" not in town.text("/companies")
    assert "used the address" in town.text(town.company())
    with town.services.reading() as uow:
        leak = uow.session.scalars(select(AddressLeak)).one()
        kept = uow.session.scalars(select(Redemption.presented).where(Redemption.presented.is_not(None))).all()
    assert (leak.biller_id, leak.times) == (other.biller_id, 2)
    assert kept == []  # nobody's address stays with somebody else's redemption


# --------------------------------------------------------------------------------------------- mute, leave, block, end


def test_muted_bills_arrive_behind_the_others(town: Town) -> None:
    address, other = town.active(), town.world.program()
    town.redeem(other, code=town.code())
    town.press(town.company(other), "accept")
    theirs = town.listed(other)[0]["address"]
    town.deliver(address, number="LOUD-1", due_on="2026-11-25")
    town.deliver(theirs, other, number="CALM-1", due_on="2026-12-20")
    assert order(town) == ["LOUD-1", "CALM-1"]
    told = town.told()
    [seen] = town.listed()
    assert town.press(town.company(), "mute").status_code == 303
    assert order(town) == ["CALM-1", "LOUD-1"]
    assert "muted" in town.text("/bills")
    assert town.deliver(address, number="LOUD-2", due_on="2026-11-24").status_code == 201
    assert order(town) == ["CALM-1", "LOUD-2", "LOUD-1"]  # never hidden
    assert (town.told(), town.listed()) == (told, [seen])  # the biller does not notice
    assert town.press(town.company(), "unmute").status_code == 303
    assert order(town) == ["LOUD-2", "LOUD-1", "CALM-1"]


def order(town: Town) -> list[str]:
    return re.findall(r"Bill ((?:LOUD|CALM)-\d)", town.text("/bills"))


@pytest.mark.parametrize("word", ["leave", "block"])
def test_leaving_and_blocking_keep_the_papers_and_refuse_the_bills(town: Town, word: str) -> None:
    address = town.active()
    page = town.text(town.company())  # what the company is told of it, before it is done
    assert "the company is told that the connection has ended" in page
    assert "it is told only that the connection has ended, not why" in page
    content = json_bill(town.lumen, address, number="OLD-1")
    assert town.lumen.deliver(content).status_code == 201
    town.worker.run_until_idle()
    assert town.press(town.company(), word).status_code == 303
    assert "OLD-1" in town.text("/bills")

    gone = town.deliver(address, number="NEW-1")
    nobody = town.deliver("aaaaaaaaaaaa@space.quittance.example", number="NEW-1")
    refused(gone, 422, "not-connected")
    assert gone.get_json() == {
        **nobody.get_json(),
        "detail": nobody.get_json()["detail"].replace("aaaaaaaaaaaa@space.quittance.example", address),
    }
    assert "NEW-1" not in town.text("/bills")
    # what was delivered while it might be is acknowledged as ever: a program may have lost our answer
    again = town.lumen.deliver(content)
    assert (again.status_code, again.get_json()["number"]) == (200, "OLD-1")
    [ended] = town.listed()
    assert (ended["status"], ended["address"], ended["customer_name"]) == ("ended", None, None)
    assert town.say("end").status_code == 200
    assert town.told() == [("connection.active", 1), ("connection.ended", 2)]


@pytest.mark.parametrize("word", ["leave", "block"])
def test_a_held_bill_of_a_company_that_was_left_is_not_shown(town: Town, word: str) -> None:
    address = town.active()
    others = {"name": "Lumen Énergie", "iban": "FR7630006000011234567890189"}
    assert town.deliver(address, number="HELD-1", payee=others).status_code == 202
    assert "HELD-1" in town.text("/bills")
    town.press(town.company(), word)
    assert "HELD-1" not in town.text("/bills")  # it is not released any more


def test_an_open_bill_of_a_company_that_was_left_can_be_paid(town: Town) -> None:
    address = town.active()
    town.deliver(address, number="OLD-1")
    town.press(town.company(), "leave")
    links = [str(each["href"]) for each in town.browser.page("/bills").select(".card-do a.button")]
    assert links[0].endswith("/pay")
    assert "OLD-1" in town.text(links[0] + "?bank=horizon")


def test_a_block_is_silent_and_ends_without_connecting(town: Town) -> None:
    town.active()
    town.press(town.company(), "leave")
    told = town.told()
    assert town.press(town.company(), "block").status_code == 303
    assert town.told() == told  # left or blocked: the biller is not told which
    town.redeem(code=town.code())
    assert town.state() == "blocked"
    assert "waits for your answer" not in town.text("/bills")
    assert town.press(town.company(), "unblock").status_code == 303
    assert town.state() == "left"
    town.ask()
    assert town.say("confirm").get_json()["status"] == "active"


def test_forms_that_are_sent_twice(town: Town) -> None:
    """The same again changes nothing; another reference is not dropped in silence."""
    token = town.browser.token(town.company())
    asked = [
        town.browser.post(f"{town.company()}/ask", token=token, form={"reference": reference}).status_code
        for reference in ("K-TYPO", "K-TYPO", "K-RIGHT")
    ]
    assert (asked, town.listed()[0]["customer_reference"]) == ([303, 303, 409], "K-TYPO")
    for word in ("block", "block", "unblock", "unblock", "leave"):
        assert town.browser.post(f"{town.company()}/{word}", token=token).status_code == 303
    assert town.state() == "left"


def test_a_biller_ends(town: Town) -> None:
    address = town.active()
    assert town.say("end").get_json()["status"] == "ended"
    assert town.say("end").status_code == 200
    refused(town.deliver(address), 422, "not-connected")
    assert "The company stopped sending its bills here" in town.text(town.company())
    town.ask()
    assert [each["status"] for each in town.listed()] == ["asked"]


def test_what_no_longer_fits_says_so_on_the_page(town: Town) -> None:
    town.active()
    token = town.browser.token("/companies")
    answer = town.browser.post(f"{town.company()}/decline", token=token)
    assert answer.status_code == 409
    assert "something has changed meanwhile" in answer.text


def test_a_connection_of_others_is_none(town: Town) -> None:
    town.ask()
    [connection] = town.listed()
    other = town.world.program()
    for word, body in (
        ("confirm", {"sequence": 1}),
        ("refuse", {"sequence": 1}),
        ("end", {}),
        ("check", {"sequence": 1}),
    ):
        refused(town.post(f"{CONNECTIONS}/{connection['id']}/{word}", other, **body), 404, "not-found")
        refused(town.post(f"{CONNECTIONS}/cnx_{'0' * 32}/{word}", other, **body), 404, "not-found")
    assert town.listed(other) == []
    answer = other.get(f"{CONNECTIONS}/{connection['id']}", scope="connections:read")
    refused(answer, 404, "not-found")


def test_pages_of_connections(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.journey.connections.read.PAGE_MOST", 2)
    monkeypatch.setattr("app.web.billers.connections.PAGE_MOST", 2)
    for _ in range(3):
        town.world.connect(town.lumen)
    first = town.get(CONNECTIONS)
    rest = town.get(f"{CONNECTIONS}?after={first['after']}&status=active")
    assert [len(first["connections"]), len(rest["connections"]), rest["after"]] == [2, 1, None]
    assert town.listed(query="?status=asked") == []
    for query in ("?after=x", "?status=muted", "?page=2"):
        assert town.lumen.get(CONNECTIONS + query, scope="connections:read").status_code == 422


def test_a_scope_is_asked_for(town: Town) -> None:
    answer = town.lumen.http.post(REDEMPTIONS, json={"code": NOBODYS}, headers=town.lumen.bearer("connections:read"))
    refused(answer, 403, "insufficient-scope")
    refused(town.lumen.get(CONNECTIONS, scope="bills:read"), 403, "insufficient-scope")


# --------------------------------------------------------------------------------------------------------- invitations


def test_a_company_that_is_missed_is_counted_and_comes(town: Town) -> None:
    page = town.text("/companies/invite")
    assert "Nobody is written to in your name" in page
    before = counts(town)
    assert town.press("/companies/invite", "invite", name=" Régie  du Val ", reference="R-1").status_code == 303
    town.press("/companies/invite", "invite", name="regie du val")
    assert changed(before, counts(town)) == {"invitation"}  # and nothing else happened
    assert counts(town)["invitation"] == before["invitation"] + 1
    assert "Not here yet" in town.text("/companies/invite")

    from app.journey.connections import invitations
    from app.people.billers import add_biller
    from app.people.identifiers import Scheme
    from tests.support import factories

    numbers = [(Scheme.SIREN, "904172681")]
    with town.services.unit_of_work() as uow:
        biller = add_biller(uow, name="Régie du Val", country="FR", identifiers=numbers, ibans=[], by="ada")
        uow.commit()
    assert "Not here yet" in town.text("/companies/invite")
    with town.services.unit_of_work() as uow:
        assert invitations.invited(uow.session, biller) == 1
        factories.vet(uow, biller.id)
        uow.commit()
    town.worker.run_until_idle()
    with town.services.reading() as uow:
        assert [(each.name, each.sent, each.accepted) for each in invitations.wanted(uow.session)] == [
            ("Régie du Val", 1, 1)
        ]
    link = town.browser.page("/companies/invite").select_one("li.card h3 a")
    assert link is not None
    assert str(link["href"]) == f"/companies/{biller.id}"
    here = town.press("/companies/invite", "invite", name="RÉGIE DU VAL")
    assert (here.status_code, "here already" in here.text) == (409, True)


@pytest.mark.parametrize("name", ["", "x", "x" * 71, "-- --"])
def test_an_invitation_names_a_company(town: Town, name: str) -> None:
    before = counts(town)
    assert town.press("/companies/invite", "invite", name=name).status_code == 422
    assert counts(town) == before


# ---------------------------------------------------------------------------------------------------------- everything


def test_every_state_was_lived_through_and_every_word_is_on_the_page(town: Town) -> None:
    """One long life of a connection. Each state has its words on both pages, in both languages."""
    lived = {"none": town.text(town.company())}

    def look() -> None:
        state = town.state()
        assert state is not None
        for language in ("fr", "en"):
            town.browser.get(f"/language/{language}")
            lived[state] = town.text(town.company())
            assert town.text("/companies")

    for act in (
        lambda: town.press(town.company(), "address"),
        lambda: town.press(town.company(), "ask", reference="K-1"),
        lambda: town.say("check"),
        lambda: town.say("refuse"),
        lambda: town.redeem(code=town.code()),
        lambda: town.press(town.company(), "decline"),
        lambda: town.redeem(code=town.code()),
        lambda: town.press(town.company(), "accept"),
        lambda: town.press(town.company(), "mute"),
        lambda: town.press(town.company(), "unmute"),
        lambda: town.press(town.company(), "leave"),
        lambda: town.press(town.company(), "ask", reference="K-1"),
        lambda: town.say("confirm"),
        lambda: town.say("end"),
        lambda: town.press(town.company(), "block"),
        lambda: town.press(town.company(), "unblock"),
    ):
        act()
        look()
    assert lived.keys() == set(ConnectionState)
    with town.services.reading() as uow:
        steps = uow.session.scalar(select(func.count()).select_from(ConnectionHistory))
        assert uow.session.scalar(select(func.count()).select_from(StrayBill)) == 0
    assert steps == 16


def test_a_visit_looks_and_changes_nothing(app: Flask, services: Services, town: Town) -> None:
    from tests.support import factories

    visited = factories.make_customer(services, demo=True)
    client = app.test_client()
    client.set_cookie(
        "__Host-session-8000", factories.sign_in(services, visited, read_only=True), domain="localhost", secure=True
    )
    browser = Browser(client)
    for path in (town.company(), "/companies/code", "/companies/invite"):
        page = browser.page(path)
        assert "This is a demo visit: it looks and changes nothing." in page.get_text(" ", strip=True)
        assert page.select("main form") == []
    token = browser.token("/companies")
    before = counts(town)
    for path in (f"{town.company()}/ask", f"{town.company()}/address", "/companies/code", "/companies/invite"):
        assert browser.post(path, token=token, form={"reference": "K-1", "name": "Somebody"}).status_code == 403
    assert counts(town) == before
