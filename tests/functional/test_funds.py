# ruff: noqa: F811  (fixtures are arguments)
"""Is the money there? A customer has the bank of a standing consent asked, before they decide about a bill: through the
page, at the sandbox bank. Whatever it says, nothing is paid, promised, or told to anybody else."""

from __future__ import annotations

import datetime as dt
import json
import time
import zoneinfo
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from sqlalchemy import func, select, update
from werkzeug.test import TestResponse

from app.db.events import EventRow
from app.journey.consents import budget
from app.journey.consents.access import locked
from app.journey.consents.events import ConsentChanged
from app.journey.consents.step import note, take_back
from app.journey.decisions.models import Decision
from app.journey.invoices.models import Invoice
from app.journey.notices import service as notices
from app.journey.notices.kinds import NoticeKind
from app.journey.notices.models import Notice, PushMessage, SpaceNotice
from app.journey.payments.models import BankCall, Payment
from app.journey.webhooks.models import WebhookMessage
from app.people.models import Customer, Stop
from app.web.customers import limits
from connectors.contract import Authorised
from consent import tokens
from consent.models import Consent, ConsentHistory, ConsentUsage, Standing
from consent.payer import PAYER_NAMED
from consent.states import ConsentSource
from tests.functional.test_answers import token_of
from tests.functional.test_paid_under_consent import House, clock, house, services, settings, uk_bank  # noqa: F401
from tests.support import factories
from tests.support.installation import BASE_URL
from tests.support.journey import Browser
from tests.support.standing import BANK

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

pytestmark = [pytest.mark.slow, pytest.mark.long_on_postgres, pytest.mark.timeout(400)]

QUESTION = "/funds-confirmation"
IS_THERE = "Albion Bank says ({}): the money is there. It reserves nothing, and nothing was paid."
NOT_THERE = "Albion Bank says ({}): the money is not there. Nothing was paid."
UNSAID = "Albion Bank does not say ({}) whether the money is there. Nothing was paid."
AWAY = "Albion Bank cannot be asked right now ({}). Nothing was paid."
NO_ACCESS = "Albion Bank does not answer under your consent now ({}). Nothing was paid."


# ------------------------------------------------------------------------------------------------------ what is pressed


def page_of(house: House, invoice_id: str | None = None, more: str = "") -> BeautifulSoup:
    path = f"/bills/{invoice_id or house.world.invoice_id}/pay?consent={house.consent_id}{more}"
    page: BeautifulSoup = house.world.browser.page(path)
    return page


def press(house: House, page: BeautifulSoup | None = None) -> TestResponse:
    """The button, as a browser without script sends its form."""
    page = page or page_of(house)
    form = page.select_one("#funds form")
    assert form is not None, page.get_text(" ", strip=True)
    action = str(form["action"])
    assert action.endswith("#funds")
    hidden = {str(each["name"]): str(each["value"]) for each in form.select("input")}
    return house.world.browser.client.post(
        action.partition("#")[0],
        base_url=BASE_URL,
        headers={"Sec-Fetch-Site": "same-origin", "Origin": BASE_URL},
        data=hidden,
    )


def in_one_line(answer: TestResponse | BeautifulSoup) -> str:
    page = answer if isinstance(answer, BeautifulSoup) else BeautifulSoup(answer.data, "html.parser")
    return " ".join(page.get_text(" ").split())


def asked(house: House) -> int:
    """How often the bank was asked it."""
    return sum(1 for method, path in house.world.bank.came if method == "POST" and path.endswith(QUESTION))


def history(house: House) -> list[str]:
    with house.world.services.reading() as uow:
        mine = select(ConsentHistory.step).where(ConsentHistory.consent_id == house.consent_id)
        return list(uow.session.scalars(mine.order_by(ConsentHistory.sequence)))


def state(house: House) -> str:
    with house.world.services.reading() as uow:
        return uow.session.get_one(Consent, house.consent_id).state


def counted(house: House) -> dict[str, int]:
    """Whatever would be another number, had anything come of it."""
    with house.world.services.reading() as uow:
        ours = {
            model.__tablename__: uow.session.scalar(select(func.count()).select_from(model)) or 0
            for model in (Decision, Payment, BankCall, ConsentUsage, EventRow, WebhookMessage)
        }
    return {**house.world.moved(), **ours}


def now(house: House) -> str:
    """By the customer's clock."""
    at: dt.datetime = house.world.clock()
    return at.astimezone(zoneinfo.ZoneInfo(house.world.customer.time_zone)).strftime("%H:%M")


# ------------------------------------------------------------------------------------------------------ how a bank is


@dataclass
class Line:
    """What stands between us and the bank, and answers some of what is asked itself."""

    app: Flask
    said: list[tuple[str, dict[str, str], bytes] | None] = field(default_factory=list)
    meanwhile: Callable[[], object] | None = None  #: what happens while the bank thinks

    def __getattr__(self, name: str) -> Any:
        return getattr(self.app, name)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not environ["PATH_INFO"].endswith(QUESTION):
            return self.app(environ, start_response)
        if self.meanwhile is not None:
            self.meanwhile()
        answer = self.said.pop(0) if self.said else None
        if answer is None:
            return self.app(environ, start_response)
        start_response(answer[0], list(answer[1].items()))
        return [answer[2]]


def line(house: House, *said: tuple[str, dict[str, str], bytes] | None) -> Line:
    made = Line(house.world.bank.app, list(said))
    house.world.bank.app = made  # type: ignore[assignment]
    return made


def error(code: str) -> bytes:
    said = {"ErrorCode": code, "Message": "no"}
    return json.dumps({"Code": "400", "Id": "e", "Message": "no", "Errors": [said]}).encode()


JSON = {"Content-Type": "application/json"}
UNAUTHORISED = ("401 Unauthorized", {"WWW-Authenticate": 'Bearer error="invalid_token"'}, b"")


def without_money(house: House) -> None:
    """Nothing is left in any account there."""
    with house.world.bank.inside.store.write() as connection:
        connection.execute("UPDATE account SET opening_minor = 0")


def stop_there(house: House) -> None:
    """As its customer, on the bank's own page."""
    person, url = house.world.person(), f"{house.world.bank.base_url}/{BANK}/yours"
    person.submit(person.visit(url)[0], url, customer=person.customer, pin="1234")
    token = person.visit(url)[0].page.select_one("input[name=form_token]")
    assert token is not None
    stopped = person.open("POST", f"{url}/stop", {"form_token": str(token["value"]), "consent": house.bank_consent_id})
    assert stopped.status == 303


# ------------------------------------------------------------------------------------------------------ what it says


def test_the_money_is_there(house: House) -> None:
    before, page = counted(house), page_of(house)
    assert asked(house) == 0, "the page alone asks nobody"
    assert (
        "Albion Bank can say whether £84.20 is in the account now. It is asked only if you press this."
        in in_one_line(page)
    )
    answer = press(house, page)
    assert answer.status_code == 200
    assert IS_THERE.format(now(house)) in in_one_line(answer)
    assert asked(house) == 1
    assert counted(house) == before
    told = BeautifulSoup(answer.data, "html.parser")
    assert told.select_one("form[data-shown]") is not None, "and it can be decided as before"
    assert told.select_one(".notice.good[role=status]") is not None


def test_the_money_is_not_there_and_it_can_be_paid_all_the_same(house: House) -> None:
    without_money(house)
    told = BeautifulSoup(press(house).data, "html.parser")
    assert NOT_THERE.format(now(house)) in in_one_line(told)
    assert told.select_one("form[data-shown]") is not None
    payment_id = house.pay(house.world.invoice_id)
    house.until(lambda: house.payment(payment_id).state == "rejected")
    assert house.payment(payment_id).reason == "no_funds"


def test_the_time_is_that_of_the_customers_clock(house: House) -> None:
    with house.world.services.unit_of_work() as uow:
        uow.session.execute(update(Customer).values(time_zone="Asia/Kolkata"))
        uow.commit()
    assert IS_THERE.format("17:30") in in_one_line(press(house))  # at noon, UTC


def test_of_a_part_it_is_the_part_that_is_asked_about(house: House) -> None:
    """So it goes along, and stays on the page that answers."""
    with house.world.bank.inside.store.write() as connection:
        connection.execute("UPDATE account SET opening_minor = 5000")
    assert NOT_THERE.format(now(house)) in in_one_line(press(house))
    answer = press(house, page_of(house, more="&part=50.00"))
    assert IS_THERE.format(now(house)) in in_one_line(answer)
    form = BeautifulSoup(answer.data, "html.parser").select_one("form[data-shown]")
    assert form is not None
    assert form["data-part"] == "50.00"
    assert "part=50.00" in str(form["action"])


def test_what_was_said_is_gone_with_the_page(house: House) -> None:
    """Whoever changes the language, or comes back, sees the page without it, and nobody is asked again."""
    answer = press(house)
    link = BeautifulSoup(answer.data, "html.parser").select_one("a[hreflang=fr]")
    assert link is not None
    there = house.world.browser.get(str(link["href"]))
    assert there.location == f"/bills/{house.world.invoice_id}/pay?consent={house.consent_id}"
    anew = house.world.browser.get(there.location)
    assert "Albion Bank peut dire" in anew.text
    assert "Albion Bank dit (" not in anew.text
    again = house.world.browser.get(f"/bills/{house.world.invoice_id}/pay/funds?consent={house.consent_id}")
    assert (again.status_code, again.location) == (303, there.location)
    assert asked(house) == 1


def test_the_history_of_the_consent_has_the_question_and_not_the_answer(house: House) -> None:
    before = history(house)
    press(house)
    without_money(house)
    press(house)
    assert history(house) == [*before, "ask_funds", "ask_funds"]
    page = in_one_line(house.world.browser.page(f"/consents/{house.consent_id}"))
    assert page.count("You asked Albion Bank whether the money for a bill was there") == 2
    with house.world.services.reading() as uow:
        of_it = select(ConsentHistory).where(
            ConsentHistory.consent_id == house.consent_id, ConsentHistory.step == "ask_funds"
        )
        lines = uow.session.scalars(of_it).all()
    assert {(line.before, line.after, line.source, line.evidence, line.answer) for line in lines} == {
        ("authorised", "authorised", "customer", "whether the money for a bill is there", None)
    }


def test_no_company_is_told_that_it_was_asked(house: House) -> None:
    world, program = house.world, house.world.program

    with world.services.reading() as uow:
        bill_id = uow.session.get_one(Invoice, world.invoice_id).bill_id

    def told() -> str:
        found = program.get(f"/api/v1/bills/{bill_id}")
        assert found.status_code == 200
        return found.text

    before, facts = told(), counted(house)
    press(house)
    world.worker.run_until_idle()
    assert told() == before
    assert counted(house) == facts


# ------------------------------------------------------------------------------------------------------ what goes wrong


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (("500 Internal Server Error", JSON, b""), AWAY),
        (("502 Bad Gateway", {"Content-Type": "text/plain"}, b"no answer"), AWAY),
        (("503 Service Unavailable", {"Retry-After": "30"}, b""), AWAY),
        (("201 Created", JSON, b'{"Data": {}}'), AWAY),  # signed by nobody
        (("404 Not Found", JSON, error("U011")), UNSAID),
        (("400 Bad Request", JSON, error("U002")), UNSAID),
        (("400 Bad Request", JSON, error("U009")), NO_ACCESS),
        (("400 Bad Request", JSON, error("U028")), NO_ACCESS),
        (UNAUTHORISED, NO_ACCESS),
    ],
)
def test_a_bank_that_does_not_answer(house: House, said: tuple[str, dict[str, str], bytes], words: str) -> None:
    before = counted(house)
    line(house, said)
    answer = press(house)
    assert answer.status_code == 200
    assert words.format(now(house)) in in_one_line(answer)
    assert counted(house) == before
    assert state(house) == "authorised", "a question ends nothing"
    assert BeautifulSoup(answer.data, "html.parser").select_one("form[data-shown]") is not None
    payment_id = house.pay(house.world.invoice_id)
    house.until(lambda: house.payment(payment_id).state == "settled")


def test_a_bank_that_does_not_say(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the standard it may leave the result out."""
    monkeypatch.setattr(
        "connectors.sandbox_bank.openbanking_uk.bodies.of_vrp_funds", lambda *_, **__: {"Data": {"ConsentId": "x"}}
    )
    assert UNSAID.format(now(house)) in in_one_line(press(house))


def test_a_bank_that_is_slow(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for longer than a page may take."""
    monkeypatch.setattr("app.journey.decisions.funds.WEB_DEADLINE_S", 1.0)
    line(house).meanwhile = lambda: time.sleep(3)
    assert AWAY.format(now(house)) in in_one_line(press(house))


def test_a_bank_that_wants_to_be_left_alone_is_not_asked_again_before_that(house: House) -> None:
    line(house, ("429 Too Many Requests", {"Retry-After": "30"}, b""))
    assert AWAY.format(now(house)) in in_one_line(press(house))
    came = len(house.world.bank.came)
    assert AWAY.format(now(house)) in in_one_line(press(house))
    assert len(house.world.bank.came) == came
    assert history(house).count("ask_funds") == 1, "of what nobody was asked there is no line"
    house.world.clock.tick(seconds=31)
    assert IS_THERE.format(now(house)) in in_one_line(press(house))


def test_a_consent_that_was_stopped_at_the_bank(house: House) -> None:
    """The question ends nothing, and has the bank asked about the consent itself."""
    stop_there(house)
    page = page_of(house)
    answer = press(house, page)
    assert NO_ACCESS.format(now(house)) in in_one_line(answer)
    assert state(house) == "authorised"
    link = BeautifulSoup(answer.data, "html.parser").select_one(f"#funds a[href='/consents/{house.consent_id}']")
    assert link is not None
    house.world.worker.run_until_idle()
    assert state(house) == "stopped_at_bank"
    came = len(house.world.bank.came)
    late = press(house, page)  # from a page of before
    assert late.status_code == 409
    assert "Your bank lets nothing be paid under it at the moment." in in_one_line(late)
    assert len(house.world.bank.came) == came


def test_a_token_that_is_over_and_nothing_to_renew_it_with(house: House) -> None:
    page, world = page_of(house), house.world
    with world.services.unit_of_work() as uow:
        given = Authorised(access_token="over", expires_in_s=1)
        vault, until = world.services.vault, uow.now + dt.timedelta(days=1)
        tokens.keep_standing(uow.session, vault, house.consent_id, given, now=uow.now, until=until)
        uow.commit()
    answer = press(house, page)
    assert state(house) == "stopped_at_bank", "as it is found with each use"
    assert "Your bank lets nothing be paid under it at the moment." in in_one_line(answer)
    assert asked(house) == 0


# ------------------------------------------------------------------------------------------------------ what is refused


def test_it_is_nobody_elses_to_ask(app: Flask, house: House) -> None:
    other = Browser.of(app)
    other.sign_up(name="Jonas", email="jonas@example.org")
    token, before = other.token("/bills"), history(house)
    of_bill = f"/bills/{house.world.invoice_id}/pay/funds"
    for path in (f"{of_bill}?consent={house.consent_id}", of_bill):
        assert other.post(path, token=token).status_code == 404
    mine = house.world.browser
    for consent in ("", f"?consent={house.consent_id}x"):
        assert mine.post(f"{of_bill}{consent}", token=mine.token("/bills")).status_code == 404
    assert mine.post(f"{of_bill}?consent={house.consent_id}", token="x").status_code == 403
    assert app.test_client().post(of_bill, base_url=BASE_URL).status_code in (401, 403)
    assert asked(house) == 0
    assert history(house) == before


def test_what_is_beyond_the_limits_is_not_asked_about(house: House) -> None:
    """Neither of a bill that is too much by itself, nor of one for which too little is left: the page says why."""
    large = house.another_bill("2026-9", amount="90.01")
    page = page_of(house, large)
    assert page.select_one("#funds") is None
    came, before = len(house.world.bank.came), history(house)
    browser = house.world.browser
    path = f"/bills/{large}/pay/funds?consent={house.consent_id}"
    answer = browser.post(path, token=token_of(page))
    assert answer.status_code == 409
    assert "£0.01 over the limit per payment, £90.00." in in_one_line(answer)
    within = page_of(house, large, "&part=90.00")
    assert IS_THERE.format(now(house)) in in_one_line(press(house, within))
    house.pay(house.world.invoice_id)
    late = browser.post(f"/bills/{large}/pay/funds?consent={house.consent_id}&part=90.00", token=token_of(within))
    assert late.status_code == 409
    assert "£14.20 too much: £75.80 is left of the limit for a week" in in_one_line(late)
    assert (asked(house), history(house)) == (1, [*before, "ask_funds"])
    assert len(house.world.bank.came) == came + 1


def test_for_a_later_day_nobody_asks(house: House) -> None:
    """What is there today says nothing of that day."""
    day = house.world.clock().date() + dt.timedelta(days=2)
    assert page_of(house, more=f"&on={day}").select_one("#funds") is None


def test_where_the_bank_is_not_asked_under_a_consent_there_is_no_button(house: House) -> None:
    page = house.world.browser.page(f"/bills/{house.world.invoice_id}/pay?bank={BANK}")
    assert page.select_one("form[data-shown]") is not None
    assert page.select_one("#funds") is None


def test_what_was_taken_back_is_not_used(house: House) -> None:
    page, world = page_of(house), house.world
    with world.services.unit_of_work() as uow:
        standing = uow.session.get_one(Standing, house.consent_id)
        take_back(uow, standing, source=ConsentSource.CUSTOMER, evidence="stopped here")
        uow.commit()
    came = len(world.bank.came)
    assert press(house, page).status_code == 409
    assert len(world.bank.came) == came


def test_while_everything_is_stopped_nobody_asks(house: House) -> None:
    page, world = page_of(house), house.world
    with world.services.unit_of_work() as uow:
        factories.stop_everything(uow, customer_id=world.customer.id)
        uow.commit()
    with world.services.reading() as uow:
        assert uow.session.scalars(select(Stop)).one().lifted_at is None
    answer = press(house, page)
    assert (answer.status_code, answer.location) == (303, "/stop")
    assert asked(house) == 0


def test_one_customer_asks_so_often_and_no_more(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits.ASKING_FUNDS_LIMIT == "10 per hour; 30 per day"
    monkeypatch.setattr(limits, "ASKING_FUNDS_LIMIT", "2 per hour")
    page = page_of(house)
    assert [press(house, page).status_code for _ in range(3)] == [200, 200, 429]
    assert asked(house) == 2


def test_it_is_asked_out_of_the_banks_budget(house: House) -> None:
    """Each question is one of the calls that a bank is given in a minute, together with all others."""
    services = house.world.services
    profile = services.banks.profile(BANK)
    with services.unit_of_work() as uow:
        for _ in range(profile.status_calls_per_minute):
            assert budget.take(uow.session, bank_id=BANK, most=profile.status_calls_per_minute, now=uow.now) is None
        uow.commit()
    assert AWAY.format(now(house)) in in_one_line(press(house))
    assert asked(house) == 0
    house.world.clock.tick(seconds=61)
    assert IS_THERE.format(now(house)) in in_one_line(press(house))


def test_no_transaction_is_open_while_the_bank_is_asked(house: House) -> None:
    """Another one writes meanwhile, also where only one may at a time."""
    world = house.world
    wrote = []

    def write() -> None:
        with world.services.unit_of_work() as uow:
            uow.session.execute(update(Consent).where(Consent.id == house.consent_id).values(id=house.consent_id))
            uow.commit()
        wrote.append(True)

    line(house).meanwhile = write
    assert IS_THERE.format(now(house)) in in_one_line(press(house))
    assert wrote == [True]


# ------------------------------------------------------------------------------------------- what it does not silence


def pays_from_another_account(house: House) -> str:
    """As the bank's word on the consent has it written. Returns the fact."""
    with house.world.services.unit_of_work() as uow:
        consent, standing = locked(uow.session, house.consent_id)
        note(uow, standing, PAYER_NAMED, source=ConsentSource.BANK, evidence="from ····1234, before from ····6053")
        fact = uow.record(ConsentChanged(consent_id=consent.id, sequence=standing.sequence))
        uow.commit()
    return fact.event_id


def test_asking_before_it_is_told_silences_nothing(house: House) -> None:
    """Whoever moved the consent to an account of theirs would only have to ask."""
    with house.world.services.unit_of_work() as uow:
        notices.choose(uow, customer_id=house.world.customer.id, kinds=[NoticeKind.CONSENT_ACCOUNT])
        uow.commit()
    pays_from_another_account(house)
    assert IS_THERE.format(now(house)) in in_one_line(press(house))
    house.world.worker.run_until_idle()
    with house.world.services.reading() as uow:
        for table in (SpaceNotice, Notice):
            mine = select(table.kind).where(table.kind.startswith("consent"))
            assert list(uow.session.scalars(mine)) == [NoticeKind.CONSENT_ACCOUNT], table


@pytest.mark.parametrize("table", [Notice, PushMessage])
def test_nor_what_waits_to_be_sent(house: House, table: type[Notice] | type[PushMessage]) -> None:
    """Through quiet hours, or between two tries of a mail server. What comes to another line is not so any more."""
    event_id = pays_from_another_account(house)

    def is_still_so() -> bool:
        about = {"kind": NoticeKind.CONSENT_ACCOUNT, "customer_id": house.world.customer.id, "event_id": event_id}
        with house.world.services.reading() as uow:
            return notices.is_still_so(uow.session, table(**about), now=uow.now)

    assert is_still_so()
    press(house)
    press(house)
    assert is_still_so()
    with house.world.services.unit_of_work() as uow:
        take_back(uow, locked(uow.session, house.consent_id)[1], source=ConsentSource.CUSTOMER, evidence="signed")
        uow.commit()
    assert not is_still_so()


# ------------------------------------------------------------------------------------------------------ money ahead


def test_the_page_of_money_ahead_leads_there(house: House) -> None:
    """Of what is suggested for today, and covered; the page itself asks no bank."""
    browser = house.world.browser
    said = browser.post(
        "/money", token=browser.token("/money"), form={"balance": "500", "floor": "0", "currency": "GBP"}
    )
    assert said.status_code == 303
    came = len(house.world.bank.came)
    links = browser.page("/money").select("a[href$='#funds']")
    assert len(house.world.bank.came) == came
    found = [(str(each["href"]), each.get_text()) for each in links]
    assert found == [
        (
            f"/bills/{house.world.invoice_id}/pay?consent={house.world.consent_id}#funds",
            "Ask Albion Bank whether the money is there: Thames Water Works",
        )
    ]
    assert browser.page(found[0][0].partition("#")[0]).select_one("#funds") is not None
