"""A customer who has no passkey any more comes back in, by each way there is; and by none of them does anybody pay.

The four tests by name come first: a lost passkey, a stolen session cookie, a shared computer, a changed e-mail address.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from sqlalchemy import func, select
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app.demo.authenticator import Authenticator
from app.errors import NotAllowed
from app.factory import create_app
from app.journey.decisions.models import Decision
from app.journey.notices import smtp
from app.journey.notices.compose import Letter
from app.journey.notices.models import Notice
from app.journey.notices.smtp import Envelope, Outcome
from app.people import addresses, passkeys, recovery, recovery_codes, safe_words, sessions, stops, tool_tokens
from app.people.models import Customer, CustomerSession, Passkey, Recovery, RecoveryAttempt, RecoveryCode, Stop
from app.people.passkeys import RelyingParty
from app.people.recovery import OPEN_FOR, WAIT, WORDS_LIFE
from app.people.recovery_states import RecoveryState
from app.schedule import Schedule
from app.web.customers import limits
from app.web.customers.pages import FOR_COMING_BACK, PUBLIC
from app.worker import Worker
from consent.models import Consent, Sealed
from tests.functional.test_stop import lift
from tests.support import factories
from tests.support.journey import ORIGIN, Browser, Journey

SENDER = "messages@bills.example"
SAFE = {"GET", "HEAD", "OPTIONS"}


# ------------------------------------------------------------------------------------------------------ what people do


@pytest.fixture
def mailed(journey: Journey) -> Journey:
    """The same installation with a mail server that nobody asks (the words are looked up where they are sealed), and a
    customer who has shown that the address is theirs."""
    settings = dataclasses.replace(journey.services.settings, smtp_url="smtps://mail.invalid:465", mail_from=SENDER)
    journey.services = dataclasses.replace(journey.services, settings=settings)
    journey.worker = Worker(journey.services, Schedule(journey.services))
    journey.app = create_app(journey.services)
    journey.browser = Browser(journey.app.test_client(), journey.browser.device)
    journey.browser.sign_in()
    proven(journey)
    return journey


@pytest.fixture(autouse=True)
def no_mail(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was handed to the mail server, with its envelope: it takes all of it."""
    sent: list[Any] = []

    def post(_: object, letter: Letter, envelope: Envelope) -> Outcome:
        sent.append((letter, envelope))
        return Outcome.TAKEN

    monkeypatch.setattr(smtp, "post", post)
    return sent


def proven(journey: Journey) -> None:
    with journey.services.unit_of_work() as uow:
        uow.session.get_one(Customer, journey.customer.id).email_proven_at = uow.now
        uow.commit()


def stranger(journey: Journey) -> Browser:
    """Another browser, a moment later, with a device that has no passkey yet."""
    journey.clock.tick(seconds=1)
    return Browser.of(journey.app)


def signed(browser: Browser, path: str, ceremony_body: dict[str, Any] | None = None, page: str = "/security") -> Any:
    """A form that a passkey signs, as the page's script sends it."""
    token = browser.token(page)
    started = browser.post(f"{path}/ceremony", token=token, data=ceremony_body or {})
    if started.status_code != 200:
        return started
    asked = started.get_json()
    form = {"ceremony": asked["ceremony"], "credential": json.dumps(browser.device.sign(asked["publicKey"]))}
    return browser.post(path, token=token, form=form)


def codes_of(answer: TestResponse) -> list[str]:
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [each.get_text() for each in BeautifulSoup(answer.data, "html.parser").select(".recovery-codes li")]


def make_codes(browser: Browser) -> list[str]:
    return codes_of(signed(browser, "/security/codes"))


def use_code(browser: Browser, code: str) -> TestResponse:
    return browser.post("/way-back/code", token=browser.token("/way-back"), form={"code": code})


def make_passkey(browser: Browser, device: Authenticator | None = None) -> TestResponse:
    """On the one page behind every way back."""
    token = browser.token("/way-in")
    started = browser.post("/way-in/passkey", token=token, data={})
    if started.status_code != 200:
        return started
    asked = started.get_json()
    done = {"ceremony": asked["ceremony"], "credential": (device or browser.device).make(asked["publicKey"])}
    return browser.post("/way-in/passkey/done", token=token, data=done)


def ask(browser: Browser, email: str) -> TestResponse:
    return browser.post("/way-back/address", token=browser.token("/way-back"), form={"email": email})


def words_sent(journey: Journey, customer_id: str | None = None) -> list[str]:
    """The three words of each message that is good still, the newest last."""
    journey.worker.run_until_idle()
    begins = f"customer:{customer_id or journey.customer.id}:recovery:"
    with journey.services.reading() as uow:
        rows = uow.session.scalars(
            select(Sealed.id).where(Sealed.id.startswith(begins)).order_by(Sealed.created_at, Sealed.id)
        ).all()
        vault = journey.services.vault
        found = [recovery.words_in(vault, uow.session, row, now=uow.now) for row in rows]
    return [" ".join(each) for each in found if each is not None]


def show(browser: Browser, words: str) -> TestResponse:
    return browser.post("/way-back/words", token=browser.token("/way-back/words"), form={"words": words})


def begin_recovery(journey: Journey, browser: Browser, *, email: str = "camille@example.org") -> None:
    """The right words are typed: the wait begins."""
    assert ask(browser, email).headers["Location"] == "/way-back/words"
    answer = show(browser, words_sent(journey)[-1])
    assert (answer.status_code, answer.headers["Location"]) == (303, "/way-back/wait")
    journey.worker.run_until_idle()


def wait(journey: Journey, how_long: dt.timedelta) -> None:
    """Time goes by, and what is looked at from time to time is looked at then."""
    journey.clock.tick(seconds=how_long.total_seconds())
    Schedule(journey.services).run_due()
    journey.wait(0)


def open_after_wait(journey: Journey, browser: Browser) -> TestResponse:
    """Fresh words, in the browser in which it began."""
    answer = browser.post("/way-back/wait", token=browser.token("/way-back/wait"))
    if answer.status_code != 303:
        return answer
    return show(browser, words_sent(journey)[-1])


def nothing_is_decided(journey: Journey) -> bool:
    with journey.services.reading() as uow:
        return not uow.session.scalar(select(func.count()).select_from(Decision)) and journey.ledger() == []


def tells(journey: Journey) -> list[str]:
    with journey.services.reading() as uow:
        return list(uow.session.scalars(select(Notice.kind).order_by(Notice.id)))


def top(browser: Browser, path: str = "/bills") -> str:
    found = browser.page(path).select_one("aside.visit")
    return found.get_text(" ", strip=True) if found else ""


def count(journey: Journey, table: type[Any]) -> int:
    with journey.services.reading() as uow:
        return uow.session.scalar(select(func.count()).select_from(table)) or 0


def is_stopped(journey: Journey) -> bool:
    with journey.services.reading() as uow:
        return stops.is_stopped(uow.session, journey.customer.id)


def state(journey: Journey) -> str:
    with journey.services.reading() as uow:
        return uow.session.scalars(select(Recovery.state).order_by(Recovery.id.desc())).all()[0]


# ----------------------------------------------------------------------------------------------------- the four by name


def test_lost_passkey(mailed: Journey) -> None:
    """By a code at once; by e-mail after three days. Both lead to a passkey, and payments to its signature."""
    journey, invoice_id = mailed, mailed.bill()
    codes = make_codes(journey.browser)
    assert len(codes) == len(set(codes)) == 10

    # ---- with a code
    new = stranger(journey)
    answer = use_code(new, codes[3].lower().replace("-", " "))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/way-in")
    assert new.get("/bills").headers["Location"].startswith("/?next=")  # nothing is shown to them
    answer = make_passkey(new)
    assert answer.get_json() == {"to": "/?back=1&next=/security"}
    assert new.get("/way-in").status_code == 303  # that session is over
    assert new.get("/bills").status_code == 303
    assert new.sign_in().status_code == 200
    assert new.confirm(invoice_id).status_code == 303  # signed with the new one
    journey.wait(1)
    assert tells(journey) == ["codes_made", "code_used", "passkey_added"]
    assert "A recovery code was used" in top(journey.browser)
    assert "A recovery code was used" not in top(new)
    assert use_code(stranger(journey), codes[3]).status_code == 422  # once

    # ---- and without one: the device is gone, and so is that paper
    late = stranger(journey)
    begin_recovery(journey, late)
    assert is_stopped(journey)
    assert late.get("/way-in").status_code == 303
    assert open_after_wait(journey, late).status_code == 409
    wait(journey, WAIT)
    answer = open_after_wait(journey, late)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/way-in")
    assert make_passkey(late).status_code == 200
    assert count(journey, Passkey) == 1
    for before in (journey.browser, new):
        assert before.sign_in().status_code == 403
    assert late.sign_in().status_code == 200
    second = journey.bill(number="2")
    assert late.get(f"/bills/{second}/pay?bank=horizon").headers["Location"] == "/stop"  # not before it is lifted
    journey.browser = late
    assert "Payments are paused" not in top(late)  # what was there before has ended: everything is stopped
    assert lift(journey).status_code == 303
    journey.clock.tick(seconds=2)
    assert late.confirm(second).status_code == 303
    journey.wait(1)
    assert {"recovery_asked", "recovery_begun", "recovery_waits", "recovery_done", "stop_lifted"} <= set(tells(journey))


def test_stolen_session_cookie(mailed: Journey) -> None:
    """A thief with the cookie looks until it ends, and does nothing that outlasts it."""
    journey, invoice_id = mailed, mailed.bill()
    thief = Browser(journey.app.test_client(), device=Authenticator(ORIGIN))  # their device has no passkey of ours
    cookie = journey.browser.client.get_cookie("__Host-session-8000", domain="localhost")
    assert cookie is not None
    thief.client.set_cookie("__Host-session-8000", cookie.value, domain="localhost", secure=True)
    assert thief.get("/bills").status_code == 200

    token = thief.token("/security")
    asked = {
        f"/bills/{invoice_id}/pay/ceremony": {"bank": "horizon", "shown": thief.see_order(invoice_id)[1]},
        "/passkeys/add": {},
        "/security/codes/ceremony": {},
        "/security/tools/ceremony": {"name": "mine"},
        "/messages/address/change/ceremony": {"email": "thief@example.org"},
    }
    for path, body in asked.items():
        started = thief.post(path, token=token, data=body)
        assert started.status_code == 200, (path, started.get_json())
        public_key, ceremony = started.get_json()["publicKey"], started.get_json()["ceremony"]
        own = Authenticator(ORIGIN)
        own.make(made_up_for(public_key))
        credential = own.sign({**public_key, "allowCredentials": []})  # a signature, but by nobody's passkey
        done = path.removesuffix("/ceremony")
        if path == "/passkeys/add":
            answer = thief.post(path, token=token, data={"ceremony": ceremony, "credential": credential})
        else:
            answer = thief.post(done, token=token, form={"ceremony": ceremony, "credential": json.dumps(credential)})
        # the page of a payment says so itself, and so do others: nothing was done
        assert answer.status_code in (403, 422), (path, answer.status_code)
    assert thief.post("/stop/lift/ceremony", token=token, data={}).status_code == 409
    assert thief.post("/way-in/passkey", token=token, data={}).status_code == 404  # not by this door either
    begun = ask(thief, journey.customer.email)
    assert begun.status_code == 303  # they do not read the mail
    assert show(thief, "lantern meadow anchor").headers["Location"].endswith("wrong=1")
    assert (count(journey, Passkey), count(journey, RecoveryCode), count(journey, Recovery)) == (1, 0, 0)
    with journey.services.reading() as uow:
        assert uow.session.get_one(Customer, journey.customer.id).email == "camille@example.org"
    assert nothing_is_decided(journey)

    # the owner, on another device, sees theirs and ends it
    owner = Browser(journey.app.test_client(), device=journey.browser.device)
    owner.sign_in()
    ends = owner.page("/security").select('form[action="/security/sessions/end"] input[name="session"]')
    assert ends
    for each in ends:
        owner.post("/security/sessions/end", token=owner.token("/security"), form={"session": str(each["value"])})
    assert thief.get("/bills").status_code == 303
    assert owner.get("/bills").status_code == 200


def made_up_for(public_key: dict[str, Any]) -> dict[str, Any]:
    return {
        "rp": {"id": "localhost"},
        "user": {"id": "eA"},
        "challenge": public_key["challenge"],
        "pubKeyCredParams": [{"alg": -7}],
    }


def test_shared_computer(mailed: Journey) -> None:
    """Whoever sits there next sees nothing, be it that the customer signed out, forgot to, or came back in there."""
    journey = mailed
    invoice_id = journey.bill()
    code = make_codes(journey.browser)[0]
    shared = Browser(journey.app.test_client(), device=journey.browser.device)
    shared.sign_in()
    for path in ("/bills", f"/bills/{invoice_id}", "/security", "/messages"):
        assert shared.get(path).headers["Cache-Control"] == "no-store"  # nothing for the back button
    answer = shared.post("/sign-out", token=shared.token("/bills"))
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert session_cookie(shared) is None
    for path in ("/bills", f"/bills/{invoice_id}", "/security", "/way-in", "/security/codes"):
        assert shared.get(path).status_code in (303, 405)

    shared.sign_in()  # and is forgotten
    stays = session_cookie(shared)
    wait(journey, sessions.IDLE + dt.timedelta(seconds=1))
    assert session_cookie(shared) == stays  # the next person has the cookie
    assert shared.get("/bills").status_code == 303

    assert use_code(shared, code).status_code == 303  # somebody comes back in there, and leaves without a passkey
    assert shared.get("/way-in").headers["Cache-Control"] == "no-store"
    answer = shared.post("/sign-out", token=shared.token("/way-in"))
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert shared.get("/way-in").status_code == 303
    assert use_code(shared, code).status_code == 422  # what was typed there is worth nothing to who finds it

    begin_recovery(journey, shared)  # or waits there, and somebody else is at that browser in three days
    wait(journey, WAIT)
    assert shared.get("/way-in").status_code == 303
    asked = shared.post("/way-back/wait", token=shared.token("/way-back/wait"))
    assert asked.headers["Location"] == "/way-back/words"
    for _ in range(6):
        assert "wrong" in show(shared, "anchor barley candle").headers["Location"]
    assert show(shared, words_sent(journey)[-1]).headers["Location"].endswith("wrong=1")  # too late for the right ones
    assert count(journey, Passkey) == 1
    assert nothing_is_decided(journey)


def session_cookie(browser: Browser) -> str | None:
    found = browser.client.get_cookie("__Host-session-8000", domain="localhost")
    return found.value if found is not None else None


def test_changed_email_address(mailed: Journey, no_mail: list[Any]) -> None:
    """A passkey signs it; the old address is told; the new one is nobody's until shown, and no way back for a week."""
    journey, mailbox = mailed, "thief@example.org"
    journey.worker.run_until_idle()
    no_mail.clear()
    answer = signed(journey.browser, "/messages/address/change", {"email": " Thief@Example.org "}, page="/messages")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/messages#address")
    journey.worker.run_until_idle()
    [(letter, envelope)] = no_mail
    assert envelope.to == "camille@example.org"
    assert letter.subject == "Your space has another e-mail address"
    with journey.services.reading() as uow:
        customer = uow.session.get_one(Customer, journey.customer.id)
        assert (customer.email, customer.email_proven_at) == (mailbox, None)
    assert mailbox in journey.browser.page("/messages").get_text()

    # nothing is sent to either of the two: the new one is not shown, the old one is the customer's no more
    no_mail.clear()
    out = stranger(journey)
    for address in (mailbox, "camille@example.org"):
        assert ask(out, address).headers["Location"] == "/way-back/words"
        assert words_sent(journey) == []
    # shown to be theirs a moment later, and still no way back for a week
    proven(journey)
    assert ask(out, mailbox).status_code == 303
    assert words_sent(journey) == []
    wait(journey, recovery.ADDRESS_SETTLES - dt.timedelta(hours=1))
    ask(out, mailbox)
    assert words_sent(journey) == []
    wait(journey, dt.timedelta(hours=1))
    begin_recovery(journey, out, email=mailbox)  # and then it is one
    assert is_stopped(journey)
    # which ends at once where the owner signs with a passkey
    journey.browser.sign_in()
    assert "wants a new way into your space" in top(journey.browser)
    assert lift(journey).status_code == 303
    assert not is_stopped(journey)
    wait(journey, WAIT)
    assert open_after_wait(journey, out).status_code == 409
    assert nothing_is_decided(journey)


# ---------------------------------------------------------------------------------------------------------------- codes


def test_new_codes_void_the_old_ones_and_used_ones_stay_used(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TRYING_CODES_LIMIT", "1000 per hour")
    old = make_codes(journey.browser)
    assert use_code(stranger(journey), old[0]).status_code == 303
    new = make_codes(journey.browser)
    for code in old:
        assert use_code(stranger(journey), code).status_code == 422
    assert "You have 10 recovery codes left" in journey.browser.page("/security").get_text()
    assert use_code(stranger(journey), new[0]).status_code == 303
    page = journey.browser.page("/security").get_text()
    assert "You have 9 recovery codes left" in page
    assert "A code was last used" in page
    with journey.services.reading() as uow:  # nothing of a code is kept
        kept = uow.session.scalars(select(RecoveryCode.code_hash)).all()
    assert not {recovery_codes.plain(code) for code in new} & set(kept)


def test_every_code_that_opens_nothing_has_the_same_answer(journey: Journey) -> None:
    used = make_codes(journey.browser)[0]
    use_code(stranger(journey), used)
    void = used
    fresh = make_codes(journey.browser)
    said = set()
    for wrong in (void, fresh[0][:-1], fresh[0] + "A", recovery_codes.drawn(), "", "x" * 5000, "０１２３"):
        answer = use_code(stranger(journey), wrong)
        assert answer.status_code == 422
        page = re.sub(r'(csrf[^"]*" (?:content|value)=)"[^"]+"', r"\1", answer.get_data(as_text=True))
        said.add(page)
    assert len(said) == 1


def test_tries_of_one_address_are_few(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TRYING_CODES_LIMIT", "2 per hour")
    monkeypatch.setattr(limits, "ASKING_FOR_WORDS_LIMIT", "2 per hour")
    code = make_codes(journey.browser)[0]
    codes = [use_code(stranger(journey), wrong).status_code for wrong in ("x", "y", code)]
    assert codes == [422, 422, 429]


def test_the_page_says_how_one_stands_without_a_second_way(journey: Journey) -> None:
    """A nudge on the security page, and nowhere else."""
    nudge = "You have one passkey and no recovery code."
    assert nudge in journey.browser.page("/security").get_text()
    for path in ("/bills", "/messages", "/stop", "/consents"):
        assert nudge not in journey.browser.page(path).get_text()
    make_codes(journey.browser)
    assert nudge not in journey.browser.page("/security").get_text()


def test_no_codes_are_made_while_everything_is_stopped(journey: Journey) -> None:
    journey.browser.post("/stop", token=journey.browser.token("/stop"))
    answer = signed(journey.browser, "/security/codes")
    assert answer.status_code == 409
    assert count(journey, RecoveryCode) == 0


def test_a_code_of_one_customer_opens_no_other_space(journey: Journey, app: Flask) -> None:
    other = Browser.of(app)
    other.sign_up(name="Robin", email="robin@example.org")
    theirs = make_codes(other)[0]
    came = stranger(journey)
    use_code(came, theirs)
    assert make_passkey(came).status_code == 200
    came.sign_in()
    with journey.services.reading() as uow:
        owners = uow.session.scalars(select(Passkey.customer_id)).all()
    assert sorted(owners).count(journey.customer.id) == 1
    assert len(owners) == 3


def test_stopping_everything_puts_out_whoever_came_in_by_a_code(journey: Journey) -> None:
    """The thief found the paper; the owner is told on every page, and is quicker."""
    code = make_codes(journey.browser)[0]
    thief = stranger(journey)
    use_code(thief, code)
    started = thief.post("/way-in/passkey", token=thief.token("/way-in"), data={}).get_json()
    assert "Came in without a passkey" in journey.browser.page("/security").get_text()
    journey.browser.post("/stop", token=journey.browser.token("/stop"))
    assert thief.get("/way-in").status_code == 303
    done = {"ceremony": started["ceremony"], "credential": thief.device.make(started["publicKey"])}
    assert thief.post("/way-in/passkey/done", token=thief.token("/"), data=done).status_code == 401
    assert count(journey, Passkey) == 1


def test_who_came_in_can_end_what_others_have(journey: Journey) -> None:
    codes = make_codes(journey.browser)
    back = stranger(journey)
    use_code(back, codes[0])
    answer = back.post("/way-in/others", token=back.token("/way-in"))
    assert answer.headers["Location"] == "/way-in?done=others"
    assert journey.browser.get("/bills").status_code == 303
    assert back.post("/way-in/stop", token=back.token("/way-in")).status_code == 303
    assert is_stopped(journey)
    assert make_passkey(back).status_code == 200  # still here
    back.sign_in()
    journey.browser = back
    assert lift(journey).status_code == 303


def test_whoever_has_all_the_passkeys_that_may_be_comes_back_all_the_same(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.people.passkeys.PASSKEYS_MOST", 1)
    code = make_codes(journey.browser)[0]
    back = stranger(journey)
    use_code(back, code)
    assert make_passkey(back).status_code == 200
    assert back.sign_in().status_code == 200


# -------------------------------------------------------------------------------------- what a way back is not good for


def path_of(rule: Rule) -> str:
    return re.sub(r"<[^>]+>", "x", rule.rule)


#: of the pages for everybody, those that need no other person's secret
SHOWN_TO_ALL = {"/", "/help", "/verify", "/way-back", "/way-back/words", "/way-back/wait"}


@pytest.mark.parametrize("way", ["code", "mail"])
def test_no_page_is_open_but_the_one(mailed: Journey, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each route of each door of people, with each method: it is taken for a stranger's, or is one of the five."""
    for name in ("TRYING_CODES_LIMIT", "ASKING_FOR_WORDS_LIMIT", "TRYING_WORDS_LIMIT", "CHECKING_LIMIT"):
        monkeypatch.setattr(limits, name, "100000 per hour")
    journey, invoice_id = mailed, mailed.bill()
    back = stranger(journey)
    if way == "code":
        use_code(back, make_codes(journey.browser)[0])
    else:
        begin_recovery(journey, back)
        wait(journey, WAIT)
        open_after_wait(journey, back)
    assert back.get("/way-in").status_code == 200
    token = back.token("/way-in")
    strange = stranger(journey)
    strangers_token = strange.token("/")
    ours, walked = {f"customers.{name}" for name in FOR_COMING_BACK}, 0
    for rule in journey.app.url_map.iter_rules():
        name = rule.endpoint.partition(".")[2]
        if not rule.endpoint.startswith("customers.") or rule.endpoint in ours or name == "sign_out":
            continue
        path = path_of(rule).replace("/bills/x", f"/bills/{invoice_id}")
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            if method == "GET":
                answer = back.get(path)
                if name not in PUBLIC:
                    assert answer.status_code == 303, rule
                    assert answer.headers["Location"].startswith("/?next="), rule
                else:
                    assert answer.status_code == strange.get(path).status_code, rule
                    assert "Camille" not in answer.get_data(as_text=True), rule
            else:
                answer = back.post(path, token=token, data={})
                if name not in PUBLIC:
                    assert answer.status_code == 401, rule
                elif name != "ask_to_open":  # which they may, of what began in their browser
                    theirs = strange.post(path, token=strangers_token, data={})
                    assert answer.status_code == theirs.status_code, rule
            walked += 1
    assert walked > 130
    assert back.get("/way-in").status_code == 200  # and is here still
    assert nothing_is_decided(journey)


def test_the_one_page_is_for_nobody_else(mailed: Journey) -> None:
    """Neither for a stranger nor for whoever is signed in: with a passkey of their own nobody gets round signing."""
    journey = mailed
    for browser, get, post in ((stranger(journey), 303, 401), (journey.browser, 404, 404)):
        assert browser.get("/way-in").status_code == get
        token = browser.token("/help")
        for path in ("/way-in/passkey", "/way-in/passkey/done", "/way-in/others", "/way-in/stop"):
            assert browser.post(path, token=token, data={}).status_code == post, path
    assert not is_stopped(journey)


def test_services_refuse_whoever_came_in_so_as_well(journey: Journey) -> None:
    """Should a door ever forget to ask."""
    use_code(stranger(journey), make_codes(journey.browser)[0])
    party = RelyingParty("localhost", ORIGIN)
    with journey.services.reading() as uow:
        row = uow.session.scalars(select(CustomerSession).where(CustomerSession.way_back.is_not(None))).one()
        customer = uow.session.get_one(Customer, row.customer_id)
    who = sessions.SignedIn(customer, row.id, read_only=False, way_back=row.way_back)
    with journey.services.unit_of_work() as uow:
        for refused in (
            lambda: recovery_codes.start_making(uow, party=party, signed_in=who),
            lambda: tool_tokens.start_making(uow, party=party, signed_in=who, name="x"),
            lambda: addresses.start_changing(uow, party=party, signed_in=who, email="x@example.org"),
            lambda: stops.start_lifting(uow, party=party, signed_in=who),
            who.check_acts,
        ):
            with pytest.raises(NotAllowed):
                refused()


def test_such_a_session_ends_within_the_hour(journey: Journey) -> None:
    back = stranger(journey)
    use_code(back, make_codes(journey.browser)[0])
    for _ in range(6):
        assert back.get("/way-in").status_code == 200
        journey.clock.tick(minutes=10)
    journey.clock.tick(seconds=1)
    assert back.get("/way-in").status_code == 303


# --------------------------------------------------------------------------------------------------------------- e-mail


def test_the_answer_is_the_same_whether_there_is_a_space_or_not(mailed: Journey, no_mail: list[Any]) -> None:
    """And so is all that is written in the request: who is written to is found out by work that comes later."""
    journey, answers, rows = mailed, [], []
    for address in (journey.customer.email, "nobody@example.org", "no address at all", ""):
        browser = stranger(journey)
        before = (count(journey, RecoveryAttempt), count(journey, Sealed), count(journey, Notice))
        answer = ask(browser, address)
        after = (count(journey, RecoveryAttempt), count(journey, Sealed), count(journey, Notice))
        rows.append([new - old for new, old in zip(after, before, strict=True)])
        page = browser.get("/way-back/words").get_data(as_text=True)
        answers.append((answer.status_code, answer.headers["Location"], re.sub(r'"[\w.-]{50,}"', "", page)))
    assert len(set(answers)) == 1
    assert rows == [rows[0]] * 4
    journey.worker.run_until_idle()
    [(letter, envelope)] = [each for each in no_mail if "way back" in each[0].subject]
    assert envelope.to == journey.customer.email
    with journey.services.reading() as uow:
        own = safe_words.find(journey.services.vault, uow.session, safe_words.row_of(journey.customer.id))
    assert own is not None
    assert letter.text.startswith(f"Your two safe words: {own.first}, {own.second}\n\nThree words to type: ")
    assert ", ".join(words_sent(journey)[-1].split()) in letter.text


def test_an_address_that_was_never_shown_is_sent_nothing(mailed: Journey, no_mail: list[Any]) -> None:
    journey = mailed
    with journey.services.unit_of_work() as uow:
        uow.session.get_one(Customer, journey.customer.id).email_proven_at = None
        uow.commit()
    ask(stranger(journey), journey.customer.email)
    assert words_sent(journey) == []
    assert no_mail == []


def test_nor_is_it_told_that_it_is_another_one_now(mailed: Journey, no_mail: list[Any]) -> None:
    """It may be a stranger's. In the space it is told all the same."""
    journey = mailed
    with journey.services.unit_of_work() as uow:
        uow.session.get_one(Customer, journey.customer.id).email_proven_at = None
        uow.commit()
    changed = signed(journey.browser, "/messages/address/change", {"email": "thief@example.org"}, page="/messages")
    assert changed.status_code == 303
    journey.worker.run_until_idle()
    assert no_mail == []
    said = journey.browser.page("/notices").select_one("ul.told li")
    assert said is not None
    assert "Your space has another e-mail address" in said.get_text()
    assert "No e-mail was sent about it." in said.get_text()


def test_words_count_once_in_one_browser_for_ten_minutes_and_five_tries(mailed: Journey) -> None:
    journey, browser = mailed, stranger(mailed)
    ask(browser, journey.customer.email)
    right = words_sent(journey)[-1]
    other = stranger(journey)
    ask(other, "nobody@example.org")
    assert "wrong" in show(other, right).headers["Location"]  # another browser, another attempt
    for wrong in ("", "a b c", " ".join(reversed(right.split())), right + " x"):
        assert "wrong" in show(browser, wrong).headers["Location"]
    assert count(journey, Recovery) == 0
    assert show(browser, f"  {right.upper().replace(' ', ', ')} ").headers["Location"] == "/way-back/wait"  # the fifth
    assert count(journey, Recovery) == 1
    late = stranger(journey)
    ask(late, journey.customer.email)
    right = words_sent(journey)[-1]
    journey.clock.tick(seconds=WORDS_LIFE.total_seconds())
    assert "wrong" in show(late, right).headers["Location"]
    assert count(journey, Recovery) == 1


def test_the_sixth_try_is_none(mailed: Journey) -> None:
    journey, browser = mailed, stranger(mailed)
    ask(browser, journey.customer.email)
    right = words_sent(journey)[-1]
    for _ in range(5):
        assert "wrong" in show(browser, "anchor barley candle").headers["Location"]
    assert "wrong" in show(browser, right).headers["Location"]
    assert count(journey, Recovery) == 0


def test_a_stranger_floods_no_mailbox(mailed: Journey, no_mail: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ASKING_FOR_WORDS_LIMIT", "1000 per hour")
    journey = mailed
    for _ in range(15):
        assert ask(stranger(journey), journey.customer.email).status_code == 303
        journey.worker.run_until_idle()
    assert len([each for each in no_mail if "way back" in each[0].subject]) == 12


def test_nor_does_a_stranger_shut_out_who_has_waited(
    mailed: Journey, no_mail: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ASKING_FOR_WORDS_LIMIT", "1000 per hour")
    journey, waits = mailed, stranger(mailed)
    begin_recovery(journey, waits)
    wait(journey, WAIT)
    for _ in range(15):
        ask(stranger(journey), journey.customer.email)
        journey.worker.run_until_idle()
    no_mail.clear()
    assert open_after_wait(journey, waits).headers["Location"] == "/way-in"
    assert len(no_mail) == 1


def test_while_it_waits_nothing_is_begun_and_every_device_says_so(mailed: Journey) -> None:
    """What was decided and not sent goes no further; consents stand, and nobody is signed out."""
    journey = mailed
    invoice_id = journey.bill()
    payment_id = journey.confirm(invoice_id)  # its link is with nobody yet
    begin_recovery(journey, stranger(journey))
    journey.wait(60)
    assert journey.payment(payment_id).state == "cancelled"
    banner = top(journey.browser)
    assert "wants a new way into your space" in banner
    assert "You stopped everything" not in banner
    assert journey.browser.get(f"/bills/{invoice_id}/pay?bank=horizon").headers["Location"] == "/stop"
    page = journey.browser.page("/stop").get_text(" ", strip=True)
    assert "Payments are paused" in page
    assert "I still have my passkey" in page
    assert journey.ledger() == []


def test_customers_are_warned_at_once_after_a_day_and_before_the_end(mailed: Journey) -> None:
    journey = mailed
    begin_recovery(journey, stranger(journey))
    warnings = []
    for _ in range(72):
        wait(journey, dt.timedelta(hours=1))
        warnings.append(tells(journey).count("recovery_waits"))
    assert warnings[22] == 0
    assert warnings[24] == warnings[58] == 1
    assert warnings[60] == warnings[71] == 2
    assert tells(journey).count("recovery_begun") == 1


def test_whoever_has_a_passkey_stops_it_and_can_pay_at_once(mailed: Journey) -> None:
    journey, waits = mailed, stranger(mailed)
    invoice_id = journey.bill()
    begin_recovery(journey, waits)
    assert lift(journey).status_code == 303
    assert state(journey) == RecoveryState.STOPPED
    assert top(journey.browser) == ""
    journey.clock.tick(seconds=2)
    assert journey.browser.confirm(invoice_id).status_code == 303
    assert "It was stopped with a passkey" in waits.page("/way-back/wait").get_text()
    wait(journey, WAIT)
    assert open_after_wait(journey, waits).status_code == 409
    assert waits.get("/way-in").status_code == 303
    assert "recovery_over" in tells(journey)


def test_a_stop_of_their_own_stands_as_it_was_and_one_signature_ends_both(mailed: Journey) -> None:
    journey = mailed
    journey.browser.post("/stop", token=journey.browser.token("/stop"))
    begin_recovery(journey, stranger(journey))
    assert count(journey, Stop) == 1
    assert "You stopped everything" in top(journey.browser)
    assert lift(journey).status_code == 303
    assert not is_stopped(journey)
    assert state(journey) == RecoveryState.STOPPED


def test_everything_can_be_stopped_while_it_waits(mailed: Journey) -> None:
    """A pause takes nothing back; whoever presses the button all the same has what it always does."""
    journey = mailed
    consent = agreed(journey)
    begin_recovery(journey, stranger(journey))
    assert standing(journey, consent).state == "authorised"
    assert "You stopped everything" not in top(journey.browser)
    journey.browser.post("/stop", token=journey.browser.token("/stop"))
    assert standing(journey, consent).state in ("revoking", "revoked")
    assert "You stopped everything" in top(journey.browser)
    assert count(journey, Stop) == 1
    assert state(journey) == RecoveryState.WAITING  # only a signature ends it: a stolen cookie has that button as well


def test_after_the_wait_nothing_that_was_allowed_before_is_left(mailed: Journey) -> None:
    """So no bill is paid on the word of a mailbox: each needs the bank's own approval again."""
    journey, waits = mailed, stranger(mailed)
    code = make_codes(journey.browser)[0]
    consent = agreed(journey)
    begin_recovery(journey, waits)
    wait(journey, WAIT)
    open_after_wait(journey, waits)
    assert make_passkey(waits).status_code == 200
    assert state(journey) == RecoveryState.DONE
    assert standing(journey, consent).state in ("revoking", "revoked")
    assert use_code(stranger(journey), code).status_code == 422
    assert count(journey, CustomerSession) == 0
    assert is_stopped(journey)
    assert waits.get("/way-in").status_code == 303


def agreed(journey: Journey) -> str:
    """A standing consent with the company."""
    with journey.services.unit_of_work() as uow:
        made = factories.agree_standing(uow, customer_id=journey.customer.id, biller_id=journey.biller.id)
        uow.commit()
    return made.consent_id


def standing(journey: Journey, consent_id: str) -> Consent:
    with journey.services.reading() as uow:
        return uow.session.get_one(Consent, consent_id)


def test_only_the_browser_in_which_it_began_opens_it(mailed: Journey) -> None:
    """Whoever reads the mail in three days, and is not there, has nothing by it."""
    journey, waits = mailed, stranger(mailed)
    begin_recovery(journey, waits)
    wait(journey, WAIT)
    thief = stranger(journey)
    assert thief.post("/way-back/wait", token=thief.token("/way-back")).status_code == 404
    waits.post("/way-back/wait", token=waits.token("/way-back/wait"))
    cookie = waits.client.get_cookie("__Host-words-8000", domain="localhost")
    assert cookie is not None
    thief.client.set_cookie("__Host-words-8000", cookie.value, domain="localhost", secure=True)
    assert show(thief, words_sent(journey)[-1]).status_code == 403
    assert show(waits, words_sent(journey)[-1]).headers["Location"] == "/way-in"


def test_words_in_another_browser_begin_the_wait_anew(mailed: Journey) -> None:
    journey, first, second = mailed, stranger(mailed), stranger(mailed)
    begin_recovery(journey, first)
    wait(journey, WAIT - dt.timedelta(hours=1))
    begin_recovery(journey, second)
    wait(journey, dt.timedelta(hours=2))
    assert open_after_wait(journey, first).status_code == 409
    assert open_after_wait(journey, second).status_code == 409
    assert "begun anew in another browser" in first.page("/way-back/wait").get_text()
    wait(journey, WAIT - dt.timedelta(hours=2))
    assert open_after_wait(journey, second).headers["Location"] == "/way-in"


def test_what_nobody_comes_for_expires_and_the_stop_stays(mailed: Journey) -> None:
    journey, waits = mailed, stranger(mailed)
    begin_recovery(journey, waits)
    wait(journey, WAIT + OPEN_FOR)
    assert state(journey) == RecoveryState.EXPIRED
    assert open_after_wait(journey, waits).status_code == 409
    assert is_stopped(journey)
    journey.browser.sign_in()
    assert "Payments are paused" in top(journey.browser)
    assert lift(journey).status_code == 303


def test_an_open_way_closes_when_a_passkey_signs(mailed: Journey) -> None:
    """The thief is on the last page, with the passkey half made."""
    journey, thief = mailed, stranger(mailed)
    begin_recovery(journey, thief)
    wait(journey, WAIT)
    open_after_wait(journey, thief)
    started = thief.post("/way-in/passkey", token=thief.token("/way-in"), data={}).get_json()
    journey.browser.sign_in()
    assert lift(journey).status_code == 303
    done = {"ceremony": started["ceremony"], "credential": thief.device.make(started["publicKey"])}
    assert thief.post("/way-in/passkey/done", token=thief.token("/way-in"), data=done).status_code == 409
    assert count(journey, Passkey) == 1
    assert journey.browser.get("/bills").status_code == 200


def test_an_address_that_changes_while_it_waits_opens_nothing(mailed: Journey) -> None:
    journey, waits = mailed, stranger(mailed)
    begin_recovery(journey, waits)
    signed(journey.browser, "/messages/address/change", {"email": "new@example.org"}, page="/messages")
    proven(journey)
    wait(journey, WAIT + recovery.ADDRESS_SETTLES - dt.timedelta(hours=1))
    waits.post("/way-back/wait", token=waits.token("/way-back/wait"))
    assert words_sent(journey) == []


def test_two_spaces_of_one_mailbox_are_told_apart_by_their_words(mailed: Journey) -> None:
    journey = mailed
    other = Browser.of(journey.app)
    other.sign_up(name="Robin", email=journey.customer.email)
    with journey.services.unit_of_work() as uow:
        [robin] = [each for each in uow.session.scalars(select(Customer)) if each.name == "Robin"]
        robin.email_proven_at = uow.now
        uow.commit()
    browser = stranger(journey)
    ask(browser, journey.customer.email)
    [own], [theirs] = words_sent(journey), words_sent(journey, robin.id)
    assert own != theirs
    assert show(browser, theirs).headers["Location"] == "/way-back/wait"
    with journey.services.reading() as uow:
        assert stops.is_stopped(uow.session, robin.id)
    assert not is_stopped(journey)


def test_without_a_mail_server_there_is_no_way_by_mail(journey: Journey) -> None:
    browser = stranger(journey)
    assert not browser.page("/way-back").select("#by-mail")
    assert ask(browser, journey.customer.email).status_code == 404


def test_a_question_to_the_old_address_proves_nothing_of_the_new_one(mailed: Journey) -> None:
    journey = mailed
    with journey.services.unit_of_work() as uow:
        uow.session.get_one(Customer, journey.customer.id).email_proven_at = None
        uow.commit()
    journey.browser.post("/messages/address", token=journey.browser.token("/messages"))
    with journey.services.reading() as uow:
        asked = journey.services.vault.get(uow.session, safe_words.row_of_asked(journey.customer.id))
    signed(journey.browser, "/messages/address/change", {"email": "new@example.org"}, page="/messages")
    journey.browser.post("/messages/address/words", token=journey.browser.token("/messages"), form={"words": asked})
    with journey.services.reading() as uow:
        assert uow.session.get_one(Customer, journey.customer.id).email_proven_at is None


def test_both_languages_say_it(mailed: Journey) -> None:
    journey, waits = mailed, stranger(mailed)
    begin_recovery(journey, waits)
    for code in ("fr", "en"):
        for browser, paths in (
            (waits, ("/way-back", "/way-back/words", "/way-back/wait")),
            (journey.browser, ("/stop", "/security", "/messages")),
        ):
            for path in paths:
                browser.get(f"/language/{code}?next={path}")
                page = browser.page(path)
                assert page.html is not None
                assert page.html["lang"] == code


# ---------------------------------------------------------------------------------------------------------- at one time


@pytest.fixture
def both() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.mark.each_database
def test_two_who_use_one_code_at_once_are_one_too_many(journey: Journey, both: ThreadPoolExecutor) -> None:
    for code in make_codes(journey.browser)[:3]:
        browsers = [(stranger(journey), code), (stranger(journey), code)]
        tokens = [browser.token("/way-back") for browser, _ in browsers]

        def use(at: int, pairs: Any = browsers, tokens: Any = tokens) -> int:
            return int(pairs[at][0].post("/way-back/code", token=tokens[at], form={"code": pairs[at][1]}).status_code)

        assert sorted(both.map(use, range(2))) == [303, 422]


@pytest.mark.each_database
def test_a_code_that_is_used_while_new_ones_are_made_was_used_or_is_void(
    journey: Journey, both: ThreadPoolExecutor
) -> None:
    old = make_codes(journey.browser)[0]
    back = stranger(journey)
    token = back.token("/way-back")
    used = both.submit(lambda: back.post("/way-back/code", token=token, form={"code": old}).status_code)
    new = both.submit(lambda: make_codes(journey.browser))
    assert len(new.result()) == 10
    assert used.result() in (303, 422)
    assert use_code(stranger(journey), old).status_code == 422
    with journey.services.reading() as uow:
        left = recovery_codes.codes_of(uow.session, journey.customer.id).left
    assert left == 10


@pytest.mark.each_database
def test_whoever_stops_it_and_whoever_finishes_it_at_once_do_not_both(
    mailed: Journey, both: ThreadPoolExecutor
) -> None:
    """Either there is the passkey of before and no other, or the new one alone: never both, never none."""
    journey, waits = mailed, stranger(mailed)
    begin_recovery(journey, waits)
    wait(journey, WAIT)
    open_after_wait(journey, waits)
    token = waits.token("/way-in")
    asked = waits.post("/way-in/passkey", token=token, data={}).get_json()
    done = {"ceremony": asked["ceremony"], "credential": waits.device.make(asked["publicKey"])}
    journey.browser.sign_in()
    owner = journey.browser.token("/stop")
    started = journey.browser.post("/stop/lift/ceremony", token=owner, data={}).get_json()
    form = {
        "ceremony": started["ceremony"],
        "credential": json.dumps(journey.browser.device.sign(started["publicKey"])),
    }
    finish = both.submit(lambda: waits.post("/way-in/passkey/done", token=token, data=done).status_code)
    stop = both.submit(lambda: journey.browser.post("/stop/lift", token=owner, form=form).status_code)
    finished, stopped = finish.result() == 200, stop.result() == 303
    assert finished is not stopped, (finish.result(), stop.result())
    assert count(journey, Passkey) == 1
    assert not finished or waits.sign_in().status_code == 200
    assert (journey.browser.get("/bills").status_code == 200) is stopped
    assert state(journey) == (RecoveryState.DONE if finished else RecoveryState.STOPPED)


@pytest.mark.each_database
@pytest.mark.parametrize("way", ["code", "mail"])
def test_whoever_stops_everything_while_it_is_finished_is_heard(
    mailed: Journey, both: ThreadPoolExecutor, way: str
) -> None:
    """Nobody waits for somebody who waits for them; and either there is no new passkey, or a stop against it."""
    journey, back = mailed, stranger(mailed)
    if way == "code":
        use_code(back, make_codes(journey.browser)[0])
    else:
        begin_recovery(journey, back)
        wait(journey, WAIT)
        open_after_wait(journey, back)
        journey.browser.sign_in()
    token = back.token("/way-in")
    asked = back.post("/way-in/passkey", token=token, data={}).get_json()
    done = {"ceremony": asked["ceremony"], "credential": back.device.make(asked["publicKey"])}
    owner = journey.browser.token("/stop")
    finish = both.submit(lambda: back.post("/way-in/passkey/done", token=token, data=done).status_code)
    stop = both.submit(lambda: journey.browser.post("/stop", token=owner).status_code)
    assert finish.result() in (200, 401, 403, 422)
    assert stop.result() in (303, 401)  # 401: the new passkey has put them out
    assert is_stopped(journey)
    with journey.services.reading() as uow:
        assert passkeys.has_passkey(uow.session, journey.customer.id)


@pytest.mark.each_database
def test_right_words_twice_at_once_begin_one_wait(mailed: Journey, both: ThreadPoolExecutor) -> None:
    journey, browser = mailed, stranger(mailed)
    ask(browser, journey.customer.email)
    right = words_sent(journey)[-1]
    token = browser.token("/way-back/words")
    twin = Browser(journey.app.test_client())
    for name in ("__Host-words-8000", "__Host-form-8000"):
        cookie = browser.client.get_cookie(name, domain="localhost")
        assert cookie is not None
        twin.client.set_cookie(name, cookie.value, domain="localhost", secure=True)
    answers = list(
        both.map(
            lambda each: each.post("/way-back/words", token=token, form={"words": right}).headers["Location"],
            (browser, twin),
        )
    )
    assert sorted(answers) == ["/way-back/wait", "/way-back/words?wrong=1"]
    assert count(journey, Recovery) == 1


def test_the_ways_are_forgotten_when_they_are_over(mailed: Journey) -> None:
    journey = mailed
    ask(stranger(journey), "nobody@example.org")
    ask(stranger(journey), journey.customer.email)
    journey.worker.run_until_idle()
    wait(journey, WORDS_LIFE + recovery.KEPT)
    with journey.services.reading() as uow:
        left = uow.session.scalars(select(Sealed.id).where(Sealed.id.contains("recovery"))).all()
    assert left == []
    assert count(journey, RecoveryAttempt) == 0
