"""What customers are told, on their devices: through a real push service over TLS, which opens what it is sent as the
browser would. Google's, Mozilla's and Apple's cannot be reached from a test."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, text, update
from werkzeug.test import TestResponse

from app import failpoints, strangers
from app.db.events import EventRow
from app.db.work import WorkRow
from app.invariants import check
from app.journey.erasure import emptying
from app.journey.notices.kinds import ALWAYS, APART, CHOICES, MAIL_ALONE, NoticeKind
from app.journey.notices.models import Notice, NoticeChoice, PushMessage, SpaceNotice
from app.journey.notices.pushing import GIVEN_UP_MOST, PAUSES_S
from app.journey.notices.texts import ON_DEVICE, TEXTS
from app.people import devices, sessions
from app.people.models import Customer, CustomerSession, Passkey, PushDevice
from app.people.sessions import IDLE, SignedIn
from app.schedule import Schedule
from connectors.sandbox_bank import authority
from tests.functional.test_ways_back_in import signed
from tests.support.journey import Browser, Journey
from tests.support.push_service import PushService, Subscriber, serve_push, talking

GATHERED_S = 601.0


@pytest.fixture(scope="session")
def push_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("push")
    authority.make(folder)
    return folder


@pytest.fixture
def push(journey: Journey, push_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PushService]:
    """It believes in our key, and we in its certificate."""
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(push_folder / authority.CA))
    with serve_push(push_folder) as service:
        service.key, service.clock = journey.services.web_push.public_key, journey.clock
        yield service


def subscribe(browser: Browser, wanted: object) -> TestResponse:
    """What the page's script does once the browser has made a subscription."""
    return browser.post("/messages/devices", token=browser.token("/messages"), data=wanted)


def choose(browser: Browser, *kinds: str, mailed: tuple[str, ...] = (), **times: str) -> None:
    form: dict[str, Any] = {"devices_asked": "1", "push_kind": list(kinds), "kind": list(mailed), **times}
    answer = browser.post("/messages/choice", token=browser.token("/messages"), form=form)
    assert answer.status_code == 303, answer.text


@pytest.fixture
def told(journey: Journey, push: PushService) -> Subscriber:
    """The customer's browser shows notices, of all that can be chosen."""
    subscriber = push.subscribe()
    assert subscribe(journey.browser, subscriber.as_json()).status_code == 200
    choose(journey.browser, *CHOICES)
    return subscriber


def messages(journey: Journey) -> list[tuple[str, str, int]]:
    with journey.services.reading() as uow:
        rows = uow.session.execute(
            select(PushMessage.kind, PushMessage.state, PushMessage.tries).order_by(PushMessage.id)
        )
        return [(row.kind, row.state, row.tries) for row in rows]


def known(journey: Journey) -> int:
    with journey.services.reading() as uow:
        return uow.session.scalar(select(func.count()).select_from(PushDevice)) or 0


def page(browser: Browser, path: str = "/messages") -> str:
    return " ".join(browser.page(path).get_text(" ").split())


# ------------------------------------------------------------------------------------------------- what arrives


def test_a_device_is_told_and_sees_neither_amount_nor_company_nor_link(
    journey: Journey, push: PushService, told: Subscriber
) -> None:
    journey.bill(number="one", amount="48.00")
    journey.bill(number="two")
    assert push.taken == []
    journey.wait(GATHERED_S)
    [pushed] = push.taken  # two bills, one message
    assert push.wrong == []
    assert pushed.endpoint == told.endpoint
    shown = pushed.shown
    assert (shown["title"], shown["body"]) == ("Something new is in your space", ON_DEVICE["en"])
    assert shown["lang"] == "en"
    assert set(shown) == {"title", "body", "lang", "tag"}
    assert journey.biller.name.split()[0] not in pushed.text.decode()
    assert "48" not in shown["title"] + shown["body"]
    assert pushed.headers["urgency"] == "low"
    assert messages(journey) == [("new_bill", "sent", 1)]
    assert "Last sent to" in page(journey.browser)


def test_all_messages_are_equally_long_on_the_wire(journey: Journey, push: PushService, told: Subscriber) -> None:
    """And none is readable there."""
    journey.pay(journey.bill())
    journey.wait(GATHERED_S)
    assert {json.loads(each.text)["title"] for each in push.taken} == {
        "Something new is in your space",
        "A payment is done",
    }
    assert len({len(each.body) for each in push.taken}) == 1
    assert not any(b"payment" in each.body for each in push.taken)


def test_only_what_was_chosen_and_each_way_by_itself(journey: Journey, push: PushService, told: Subscriber) -> None:
    choose(journey.browser, "payment_settled", mailed=("new_bill",))
    journey.pay(journey.bill())
    journey.wait(GATHERED_S)
    assert [each.shown["title"] for each in push.taken] == ["A payment is done"]
    with journey.services.reading() as uow:
        rows = {row.kind: (row.by_mail, row.by_push) for row in uow.session.scalars(select(NoticeChoice))}
    assert rows == {"payment_settled": (False, True), "new_bill": (True, False)}
    ticked = journey.browser.page("/messages").select("input[type=checkbox][checked]")
    assert [(each["name"], each["value"]) for each in ticked] == [
        ("kind", "new_bill"),
        ("push_kind", "payment_settled"),
    ]


def test_who_sends_the_form_without_the_question_keeps_the_answer(journey: Journey, told: Subscriber) -> None:
    token = journey.browser.token("/messages")
    journey.browser.post("/messages/choice", token=token, form={"kind": "new_bill"})
    with journey.services.reading() as uow:
        rows = {row.kind: (row.by_mail, row.by_push) for row in uow.session.scalars(select(NoticeChoice))}
    assert rows.pop("new_bill") == (True, True)
    assert set(rows.values()) == {(False, True)}


def test_a_kind_that_does_not_exist_changes_nothing(journey: Journey, told: Subscriber) -> None:
    form = {"devices_asked": "1", "push_kind": "lottery"}
    answer = journey.browser.post("/messages/choice", token=journey.browser.token("/messages"), form=form)
    assert answer.status_code == 422
    with journey.services.reading() as uow:
        assert uow.session.scalar(select(func.count()).select_from(NoticeChoice)) == len(CHOICES)


def test_what_nobody_can_choose_to_miss_goes_to_every_device_at_once(
    journey: Journey, push: PushService, told: Subscriber
) -> None:
    choose(journey.browser)
    journey.browser.post("/messages/words", token=journey.browser.token("/messages"))
    journey.worker.run_until_idle()
    [pushed] = push.taken
    assert pushed.shown["title"] == TEXTS[NoticeKind.WORDS_CHANGED]["en"].subject
    assert pushed.headers["urgency"] == "high"
    assert pushed.ttl_s == 24 * 3600


def test_words_to_type_are_for_the_mailbox_alone(journey: Journey, push: PushService, told: Subscriber) -> None:
    """Whoever holds the device that is to be told learns nothing by which they could come in."""
    assert MAIL_ALONE < ALWAYS
    journey.browser.post("/messages/address", token=journey.browser.token("/messages"))
    journey.worker.run_until_idle()
    assert push.taken == []


def test_the_language_is_the_customers(journey: Journey, push: PushService, told: Subscriber) -> None:
    with journey.services.unit_of_work() as uow:
        uow.session.execute(text("UPDATE customer SET locale = 'fr'"))
        uow.commit()
    journey.bill()
    journey.wait(GATHERED_S)
    shown = push.taken[0].shown
    assert (shown["title"], shown["body"], shown["lang"]) == (
        "Il y a du nouveau dans votre espace",
        ON_DEVICE["fr"],
        "fr",
    )


def in_space(journey: Journey) -> list[str]:
    with journey.services.reading() as uow:
        return list(uow.session.scalars(select(SpaceNotice.kind).order_by(SpaceNotice.id)))


def test_a_device_that_is_added_is_told_to_those_of_before(
    journey: Journey, push: PushService, told: Subscriber
) -> None:
    """Whoever sits at an open session adds none in silence."""
    choose(journey.browser)  # nobody can choose to miss it
    journey.worker.run_until_idle()
    assert (in_space(journey), push.taken) == (["device_added"], [])
    journey.wait(60)
    assert subscribe(another_browser(journey), push.subscribe().as_json()).status_code == 200
    journey.worker.run_until_idle()
    assert in_space(journey) == ["device_added"] * 2
    [pushed] = push.taken  # and it tells nothing of itself
    assert (pushed.endpoint, pushed.headers["urgency"]) == (told.endpoint, "high")
    assert pushed.shown["title"] == "Notices are shown on one more device"
    with journey.services.reading() as uow:
        assert list(uow.session.scalars(select(Notice.kind))) == ["device_added"] * 2
    notice = journey.browser.page("/notices").select_one("ul.told li")
    assert notice is not None
    assert "Notices are shown on one more device" in notice.get_text()
    assert notice.select_one("a[href='/messages#devices']") is not None
    assert journey.browser.page("/security").select_one("a[href='/messages#devices']") is not None


def test_the_same_browser_at_the_same_address_is_no_news(journey: Journey, push: PushService, told: Subscriber) -> None:
    journey.wait(60)
    subscribe(journey.browser, told.as_json())
    journey.worker.run_until_idle()
    assert in_space(journey) == ["device_added"]
    subscribe(journey.browser, push.subscribe().as_json())  # with its cookie, but to another place
    journey.worker.run_until_idle()
    assert (in_space(journey), push.taken) == (["device_added"] * 2, [])


@pytest.mark.parametrize("proven", [False, True])
def test_another_address_is_told_here_also_where_the_old_one_was_nobodys(
    journey: Journey, push: PushService, told: Subscriber, proven: bool
) -> None:
    """By e-mail it is told to an old one alone that was shown to be theirs: else it may be a stranger's."""
    with journey.services.unit_of_work() as uow:
        proven_at = uow.now if proven else None
        uow.session.execute(update(Customer).values(email_proven_at=proven_at))
        uow.commit()
    answer = signed(journey.browser, "/messages/address/change", {"email": "new@example.org"}, page="/messages")
    assert answer.status_code == 303
    journey.worker.run_until_idle()
    assert in_space(journey)[-1] == "address_changed"
    assert [each.shown["title"] for each in push.taken] == ["Your space has another e-mail address"]
    with journey.services.reading() as uow:
        written = uow.session.scalars(select(Notice).where(Notice.kind == "address_changed")).one()
        [event] = uow.session.scalars(select(EventRow).where(EventRow.kind == "AddressChanged"))
        assert bool(event.payload["before"]) is proven
        assert (written.state, written.tries) == ("not_sent", 0)  # no mail server here; see test_ways_back_in.py
    assert "this is the last message that comes here" not in page(journey.browser, "/notices")


# ----------------------------------------------------------------------------------------------------------- when


def test_quiet_hours_hold_and_nothing_is_kept_into_them(journey: Journey, push: PushService, told: Subscriber) -> None:
    """The push service keeps what a device that is off has not got, and would hand it over in the middle of the night:
    so nothing is given to it for longer than until then."""
    choose(journey.browser, *CHOICES, lead="3", quiet_from="22", quiet_to="7")
    zone = "Europe/London"  # of whoever signs up in English
    assert journey.customer.time_zone == zone
    journey.clock.now = dt.datetime(2026, 12, 1, 21, 30, tzinfo=dt.UTC)  # in winter their clock is that of UTC
    journey.browser.sign_in()
    journey.pay(journey.bill())
    journey.wait(60)
    settled = [each for each in push.taken if each.shown["title"] == "A payment is done"]
    assert 0 < settled[0].ttl_s <= 30 * 60
    before = len(push.taken)
    journey.clock.now = dt.datetime(2026, 12, 1, 23, 0, tzinfo=dt.UTC)
    journey.browser.sign_in()
    journey.bill(number="late")
    journey.wait(3 * 3600)
    assert len(push.taken) == before
    journey.clock.now = dt.datetime(2026, 12, 2, 7, 0, 1, tzinfo=dt.UTC)
    journey.wait(GATHERED_S)
    assert len(push.taken) == before + 1
    assert push.taken[-1].ttl_s == 14 * 3600  # whole hours: not at which minute its customer's evening begins


def test_new_bills_are_six_hours_apart_on_each_device(journey: Journey, push: PushService, told: Subscriber) -> None:
    other = push.subscribe()
    second = Browser(journey.app.test_client(), journey.browser.device)
    second.sign_in()
    subscribe(second, other.as_json())
    journey.bill(number="one")
    journey.wait(GATHERED_S)
    assert sorted(each.endpoint for each in push.taken) == sorted((told.endpoint, other.endpoint))
    journey.bill(number="two")
    journey.wait(GATHERED_S)
    assert len(push.taken) == 2
    journey.wait(APART.total_seconds())
    assert len(push.taken) == 4


def test_what_is_not_so_any_more_is_not_said(journey: Journey, push: PushService, told: Subscriber) -> None:
    push.to_push = [503]
    journey.bill()
    journey.wait(GATHERED_S)
    assert push.taken == []
    choose(journey.browser)  # they want it no more
    journey.wait(PAUSES_S[0] + 1)
    assert (push.asked, messages(journey)) == (1, [("new_bill", "not_sent", 1)])


# ------------------------------------------------------------------------------------------- what push services do


@pytest.mark.parametrize("code", [404, 410])
def test_a_device_that_is_gone_is_forgotten(journey: Journey, push: PushService, told: Subscriber, code: int) -> None:
    push.to_push = [code]
    journey.bill()
    journey.wait(GATHERED_S)
    assert (known(journey), messages(journey)) == (0, [])
    assert waiting(journey) == []
    journey.bill(number="another")
    journey.wait(GATHERED_S)
    assert push.asked == 1


def waiting(journey: Journey) -> list[WorkRow]:
    with journey.services.reading() as uow:
        return list(uow.session.scalars(select(WorkRow).where(WorkRow.handler == "notices.push")))


@pytest.mark.parametrize("code", [400, 403, 413, 500, 0])
def test_a_push_service_in_trouble_is_asked_again_for_a_day_and_then_no_more(
    journey: Journey, push: PushService, told: Subscriber, code: int
) -> None:
    push.to_push = [code] * (len(PAUSES_S) + 5)
    journey.bill()
    journey.wait(GATHERED_S)
    for tries, pause in enumerate(PAUSES_S, 1):
        assert push.asked == tries
        journey.wait(pause - 5)
        assert push.asked == tries
        journey.wait(6)
    assert messages(journey) == [("new_bill", "given_up", len(PAUSES_S) + 1)]
    assert waiting(journey) == []
    assert known(journey) == 1  # it may be our own fault


def given_up(journey: Journey, push: PushService, number: str) -> None:
    """One more message that nobody takes for a day."""
    journey.wait(APART.total_seconds())
    push.to_push = [503] * (len(PAUSES_S) + 1)
    journey.bill(number=number)
    journey.wait(GATHERED_S)
    for pause in PAUSES_S:
        journey.wait(pause + 1)
    assert not push.to_push


def test_a_device_for_which_nothing_is_ever_taken_is_forgotten(
    journey: Journey, push: PushService, told: Subscriber
) -> None:
    for number in range(GIVEN_UP_MOST):
        assert known(journey) == 1
        given_up(journey, push, f"n{number}")
    assert (known(journey), messages(journey), waiting(journey)) == (0, [], [])


def test_one_that_took_something_between_stays(journey: Journey, push: PushService, told: Subscriber) -> None:
    for number in range(GIVEN_UP_MOST - 1):
        given_up(journey, push, f"n{number}")
    journey.wait(APART.total_seconds())
    journey.bill(number="taken")
    journey.wait(GATHERED_S)
    assert len(push.taken) == 1
    given_up(journey, push, "last")
    assert known(journey) == 1


def test_a_day_on_which_nobody_is_reached_ends_no_device(journey: Journey, push: PushService, told: Subscriber) -> None:
    """However many messages are given up on it: the fault may be ours."""
    push.to_push = [503] * 1000
    for _ in range(GIVEN_UP_MOST):
        journey.browser.post("/messages/words", token=journey.browser.token("/messages"))
    journey.worker.run_until_idle()
    for pause in PAUSES_S:
        journey.wait(pause + 1)
    assert [state for _, state, _ in messages(journey)] == ["given_up"] * GIVEN_UP_MOST
    assert known(journey) == 1


def test_it_says_when_it_wants_to_be_asked_again(journey: Journey, push: PushService, told: Subscriber) -> None:
    push.to_push = [(429, {"Retry-After": "1200"})]
    journey.bill()
    journey.wait(GATHERED_S)
    journey.wait(1195)
    assert push.asked == 1
    journey.wait(10)
    assert [each.shown["title"] for each in push.taken] == ["Something new is in your space"]


def test_a_redirect_is_not_followed(journey: Journey, push: PushService, told: Subscriber) -> None:
    push.to_push = [(307, {"Location": push.subscribe().endpoint})]
    journey.bill()
    journey.wait(GATHERED_S)
    assert (push.asked, push.taken) == (1, [])
    journey.wait(PAUSES_S[0] + 1)
    assert [each.endpoint for each in push.taken] == [told.endpoint]


def test_a_certificate_that_nobody_vouches_for_is_not_believed(
    journey: Journey, push: PushService, told: Subscriber, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stranger = tmp_path / "other"
    stranger.mkdir()
    authority.make(stranger)
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(stranger / authority.CA))
    journey.bill()
    journey.wait(GATHERED_S)
    assert (push.asked, messages(journey)) == (0, [("new_bill", "waiting", 1)])


def _drip(connection: socket.socket) -> None:
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 201 Created\r\n")
    for _ in range(200):
        connection.sendall(b"X: y\r\n")
        threading.Event().wait(0.05)


def _flood(connection: socket.socket) -> None:
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 100000000\r\n\r\n")
    while True:
        connection.sendall(b"x" * 65_536)


@pytest.mark.parametrize("server", [_drip, _flood], ids=["drips", "floods"])
def test_one_that_does_not_come_to_an_end_is_hung_up_on(
    journey: Journey, monkeypatch: pytest.MonkeyPatch, server: Callable[[socket.socket], None]
) -> None:
    monkeypatch.setattr(strangers, "DEADLINE_S", 0.5)
    with talking(server) as endpoint:
        subscriber = Subscriber(endpoint)
        assert subscribe(journey.browser, subscriber.as_json()).status_code == 200
        choose(journey.browser, *CHOICES)
        journey.bill()
        journey.wait(GATHERED_S)
    assert messages(journey) == [("new_bill", "waiting", 1)]


def test_who_dies_after_it_was_taken_sends_it_again_as_the_same(
    journey: Journey, push: PushService, told: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Died(BaseException):
        pass

    def die(name: str) -> None:
        if name == "notice.pushed":
            raise Died

    journey.bill()
    monkeypatch.setattr(failpoints, "hook", die)
    with contextlib.suppress(Died):
        journey.wait(GATHERED_S)
    monkeypatch.setattr(failpoints, "hook", None)
    assert messages(journey) == [("new_bill", "waiting", 1)]
    journey.wait(600)
    assert [each.shown["tag"] for each in push.taken] == [push.taken[0].shown["tag"]] * 2
    assert messages(journey) == [("new_bill", "sent", 2)]


def test_a_device_that_is_removed_while_it_is_sent_to(journey: Journey, push: PushService, told: Subscriber) -> None:
    def gone() -> None:
        with journey.services.unit_of_work() as uow:
            [row] = devices.devices_of(uow.session, customer_id=journey.customer.id)
            devices.remove(uow, customer_id=journey.customer.id, device_id=row.id)
            uow.commit()

    push.before_201 = gone
    journey.bill()
    journey.wait(GATHERED_S)
    assert (len(push.taken), known(journey), waiting(journey)) == (1, 0, [])


# ---------------------------------------------------------------------------------------- where nothing may be sent


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://push.example/1",
        "https://127.0.0.1:1/1",
        "https://localhost/1",
        "https://[::1]/1",
        "https://0x7f.1/1",
        "https://user:word@push.example/1",
        "ftp://push.example/1",
        "//push.example/1",
        "push.example",
        "",
        "https://push.example/a b",
        "https://push.example/" + "a" * 2000,
    ],
)
def test_an_address_that_may_not_be_sent_to_makes_no_device(journey: Journey, endpoint: str) -> None:
    """As an installation that is no demo takes them."""
    with journey.services.unit_of_work() as uow:
        who = signed_in(journey)
        with pytest.raises(Exception, match="Nothing was changed"):
            devices.add(uow, signed_in=who, wanted=Subscriber(endpoint).as_json(), user_agent="x", demo=False)
    assert known(journey) == 0


def signed_in(journey: Journey) -> SignedIn:
    with journey.services.reading() as uow:
        session_id = uow.session.scalars(select(CustomerSession.id).order_by(CustomerSession.id.desc())).first()
    return SignedIn(journey.customer, str(session_id), read_only=False)


@pytest.mark.parametrize(
    "wanted",
    [
        "nothing",
        [],
        {},
        {"endpoint": "https://push.example/1"},
        {"endpoint": "https://push.example/1", "keys": {"p256dh": "AA", "auth": "AA"}},
        {"endpoint": "https://push.example/1", "keys": {"p256dh": "B" + "A" * 86, "auth": "A" * 22}},
        {"endpoint": 7, "keys": []},
    ],
)
def test_what_is_no_subscription_is_refused_and_writes_nothing(journey: Journey, wanted: object) -> None:
    answer = subscribe(journey.browser, wanted)
    assert answer.status_code == 422
    assert "did not say how it can be reached" in answer.get_json()["detail"]
    assert "Set-Cookie" not in answer.headers or "device" not in answer.headers["Set-Cookie"]
    assert known(journey) == 0


def test_a_name_that_leads_home_later_is_not_followed(
    journey: Journey, push: PushService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was public when the device came. What counts is where it leads when something is to be sent."""
    subscriber = push.subscribe()
    named = f"https://push.example:{push.url.rpartition(':')[2]}/x"
    wanted = {**subscriber.as_json(), "endpoint": named}
    assert subscribe(journey.browser, wanted).status_code == 200
    choose(journey.browser, *CHOICES)
    real = socket.getaddrinfo

    def rebound(host: str, *about: Any, **how: Any) -> Any:
        return real("127.0.0.1" if host == "push.example" else host, *about, **how)

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    journey.bill()
    journey.wait(GATHERED_S)
    assert (push.asked, messages(journey)) == (0, [("new_bill", "waiting", 1)])


# ------------------------------------------------------------------------------------------------------- devices


def test_the_page_asks_for_it_and_knows_this_device(journey: Journey, push: PushService) -> None:
    before = journey.browser.page("/messages")
    place = before.select_one("[data-device]")
    assert place is not None
    assert place["data-key"] == journey.services.web_push.public_key
    assert before.select_one("noscript") is not None
    assert before.select_one("input[name=push_kind]") is None  # one question, and no second one
    answer = subscribe(journey.browser, push.subscribe().as_json())
    assert answer.get_json() == {"to": "/messages#choice"}
    cookie = next(each for each in answer.headers.getlist("Set-Cookie") if "device" in each)
    for word in ("__Host-device", "HttpOnly", "Secure", "SameSite=Lax"):
        assert word in cookie
    after = journey.browser.page("/messages")
    assert after.select_one("[data-device]") is None
    assert len(after.select("input[name=push_kind]")) == len(CHOICES)
    assert "This is where you are now." in page(journey.browser)
    elsewhere = Browser(journey.app.test_client(), journey.browser.device)
    elsewhere.sign_in()
    assert elsewhere.page("/messages").select_one("[data-device]") is not None
    assert "This is where you are now." not in page(elsewhere)


def test_the_policy_lets_one_page_register_one_worker(journey: Journey) -> None:
    messages_page = journey.browser.get("/messages").headers["Content-Security-Policy"]
    assert "worker-src 'self'" in messages_page
    assert "trusted-types quittance-worker;" in f"{messages_page};"
    assert "require-trusted-types-for 'script'" in messages_page
    for path in ("/bills", "/security", "/notices"):
        policy = journey.browser.get(path).headers["Content-Security-Policy"]
        assert "worker-src 'none'" in policy
        assert "trusted-types 'none'" in policy


def test_what_is_kept_of_a_device_is_sealed(journey: Journey, push: PushService, told: Subscriber) -> None:
    with journey.services.engine.connect() as connection:
        [row] = connection.execute(text("SELECT * FROM push_device")).mappings()
    stored = " ".join(str(each) for each in row.values())
    assert told.endpoint not in stored
    assert told.as_json()["keys"]["auth"] not in stored
    assert str(row["subscription"]).strip('"').startswith(f"~1:profile:{journey.customer.id}:")


def test_the_same_browser_again_is_the_same_device(journey: Journey, push: PushService, told: Subscriber) -> None:
    subscribe(journey.browser, told.as_json())
    assert known(journey) == 1
    journey.bill()
    journey.wait(GATHERED_S)
    assert len(push.taken) == 1


def test_a_browser_is_the_device_of_whoever_said_so_last(
    journey: Journey, journeys: Callable[[], Journey], push: PushService, told: Subscriber
) -> None:
    other = journeys()
    subscribe(other.browser, told.as_json())
    with journey.services.reading() as uow:
        [row] = uow.session.scalars(select(PushDevice)).all()
    assert row.customer_id == other.customer.id
    journey.bill()
    journey.wait(GATHERED_S)
    assert push.taken == []


def another_browser(journey: Journey) -> Browser:
    made = Browser(journey.app.test_client(), journey.browser.device)
    made.sign_in()
    return made


def test_nobody_has_more_than_so_many(journey: Journey, push: PushService) -> None:
    for _ in range(devices.DEVICES_MOST):
        assert subscribe(another_browser(journey), push.subscribe().as_json()).status_code == 200
    answer = subscribe(journey.browser, push.subscribe().as_json())
    assert answer.status_code == 409
    assert "Remove one first" in answer.get_json()["detail"]
    assert known(journey) == devices.DEVICES_MOST


def test_a_device_is_removed_by_its_customer_and_by_nobody_else(
    journey: Journey, journeys: Callable[[], Journey], push: PushService, told: Subscriber
) -> None:
    with journey.services.reading() as uow:
        [row] = uow.session.scalars(select(PushDevice)).all()
    stranger = journeys().browser
    form = {"device": row.id}
    stranger.post("/messages/devices/remove", token=stranger.token("/messages"), form=form)
    assert known(journey) == 1
    journey.browser.post("/messages/devices/remove", token=journey.browser.token("/messages"), form=form)
    assert known(journey) == 0
    journey.bill()
    journey.wait(GATHERED_S)
    assert push.taken == []


def test_it_goes_on_when_its_customer_is_signed_out_by_themselves(
    journey: Journey, push: PushService, told: Subscriber
) -> None:
    """Nobody is signed in for as long as bills take."""
    journey.wait(IDLE.total_seconds() + 13 * 3600)
    Schedule(journey.services).run_due()
    with journey.services.reading() as uow:
        assert uow.session.scalars(select(CustomerSession)).all() == []
    journey.bill()
    journey.wait(GATHERED_S)
    assert len(push.taken) == 1
    journey.browser.sign_in()  # the cookie tells that it is the same device
    assert "This is where you are now." in page(journey.browser)
    with journey.services.reading() as uow:
        [row] = uow.session.scalars(select(PushDevice)).all()
        [session] = uow.session.scalars(select(CustomerSession)).all()
    assert row.session_id == session.id


def test_it_ends_with_signing_out(journey: Journey, told: Subscriber) -> None:
    """Also in a later sign-in than the one in which it was added: its cookie tells."""
    journey.wait(IDLE.total_seconds() + 1)
    journey.browser.sign_in()
    answer = journey.browser.post("/sign-out", token=journey.browser.token("/messages"))
    assert known(journey) == 0
    assert any("device" in each and "Max-Age=0" in each for each in answer.headers.getlist("Set-Cookie"))


def test_it_ends_with_signing_out_on_a_page_that_was_left_open(journey: Journey, told: Subscriber) -> None:
    """Their sign-in was over by itself; who presses the button is told that they are signed out."""
    token = journey.browser.token("/messages")
    journey.wait(IDLE.total_seconds() + 60)
    assert journey.browser.post("/sign-out", token=token).status_code == 303
    assert known(journey) == 0


def test_it_ends_when_another_person_signs_out_there(
    journey: Journey, journeys: Callable[[], Journey], told: Subscriber
) -> None:
    """The cookie, by which it would be known again, goes with that."""
    other = journeys()
    journey.wait(IDLE.total_seconds() + 60)
    same = Browser(journey.browser.client, other.browser.device)
    same.sign_in()
    assert known(journey) == 1
    same.post("/sign-out", token=same.token("/messages"))
    assert known(journey) == 0


def test_each_sign_in_renews_its_cookie(journey: Journey, told: Subscriber, monkeypatch: pytest.MonkeyPatch) -> None:
    journey.wait(IDLE.total_seconds() + 60)
    set_there: list[str] = []
    opened = journey.browser.client.open

    def spy(*about: Any, **how: Any) -> TestResponse:
        answer = opened(*about, **how)
        set_there.extend(each for each in answer.headers.getlist("Set-Cookie") if "device" in each)
        return answer

    monkeypatch.setattr(journey.browser.client, "open", spy)
    journey.browser.sign_in()
    [cookie] = set_there
    assert "Max-Age=31536000" in cookie
    assert "This is where you are now." in page(journey.browser)


def test_who_has_no_device_gets_no_cookie_by_signing_in(journey: Journey) -> None:
    journey.wait(IDLE.total_seconds() + 60)
    journey.browser.sign_in()
    assert journey.browser.client.get_cookie("__Host-device") is None


def test_the_same_browser_with_another_subscription_is_the_same_device(
    journey: Journey, push: PushService, told: Subscriber
) -> None:
    """Its customer took the permission away and gave it again: what was before is reached no more."""
    again = told
    for _ in range(devices.DEVICES_MOST):
        again = push.subscribe()
        assert subscribe(journey.browser, again.as_json()).status_code == 200
    assert known(journey) == 1
    journey.bill()
    journey.wait(GATHERED_S)
    assert [each.endpoint for each in push.taken] == [again.endpoint]


@pytest.mark.parametrize("ending", ["others", "one", "passkey"])
def test_none_is_added_by_a_sign_in_that_is_ended_meanwhile(journey: Journey, push: PushService, ending: str) -> None:
    """PostgreSQL, where neither waits for the other to begin: who ends it waits for the device, and ends that too."""
    if journey.services.engine.dialect.name != "postgresql":
        pytest.skip("only one writes at a time")
    who = signed_in(journey)
    with journey.services.reading() as uow:
        [passkey_id] = uow.session.scalars(select(CustomerSession.credential_id))
    assert passkey_id is not None
    begun, ended = threading.Event(), threading.Event()

    def end() -> None:
        with journey.services.unit_of_work() as uow:
            begun.set()
            if ending == "others":
                sessions.end_others(uow, customer_id=journey.customer.id, but="ses_another")
            elif ending == "one":
                sessions.end(uow, customer_id=journey.customer.id, session_id=who.session_id)
            else:
                by = SignedIn(journey.customer, "ses_another", read_only=False)
                sessions.end_of_passkey(uow, passkey_id, signed_in=by, signed_by=b"another")
            uow.commit()
        ended.set()

    with journey.services.unit_of_work() as uow:
        wanted = push.subscribe().as_json()
        devices.add(uow, signed_in=who, wanted=wanted, user_agent="x", demo=True)
        uow.session.flush()
        thread = threading.Thread(target=end, daemon=True)
        thread.start()
        assert begun.wait(20)
        assert not ended.wait(0.5), "it did not wait"
        uow.commit()
    thread.join(20)
    assert (ended.is_set(), known(journey)) == (True, 0)


def test_it_ends_with_the_sign_in_that_is_ended_elsewhere(journey: Journey, told: Subscriber) -> None:
    elsewhere = Browser(journey.app.test_client(), journey.browser.device)
    elsewhere.sign_in()
    buttons = elsewhere.page("/security").select("form[action='/security/sessions/end'] input[name=session]")
    form = {"session": str(buttons[0]["value"])}
    elsewhere.post("/security/sessions/end", token=elsewhere.token("/security"), form=form)
    assert known(journey) == 0


def test_it_ends_everywhere_else_when_everything_is_stopped(
    journey: Journey, push: PushService, told: Subscriber
) -> None:
    elsewhere = Browser(journey.app.test_client(), journey.browser.device)
    elsewhere.sign_in()
    here = push.subscribe()
    subscribe(elsewhere, here.as_json())
    assert known(journey) == 2
    elsewhere.post("/stop", token=elsewhere.token("/stop"))
    journey.worker.run_until_idle()
    assert [(each.endpoint, each.shown["title"]) for each in push.taken] == [
        (here.endpoint, TEXTS[NoticeKind.ALL_STOPPED]["en"].subject)
    ]
    assert known(journey) == 1


def test_it_ends_with_the_passkey_that_it_was_signed_in_with(journey: Journey, told: Subscriber) -> None:
    """Also where that sign-in is long over."""
    journey.wait(IDLE.total_seconds() + 13 * 3600)
    Schedule(journey.services).run_due()
    with journey.services.unit_of_work() as uow:
        [old] = uow.session.scalars(select(Passkey)).all()
        new = Passkey(
            credential_id=b"another one", customer_id=journey.customer.id, public_key=b"k", sign_count=0,
            backed_up=False, aaguid="0", name="x", created_at=uow.now,
        )  # fmt: skip
        uow.session.add(new)
        uow.session.add(
            CustomerSession(
                id="ses_1", token_hash="t", customer_id=journey.customer.id, credential_id=new.credential_id,
                read_only=False, user_agent="y", created_at=uow.now, seen_at=uow.now,
            )
        )  # fmt: skip
        uow.session.flush()
        sessions.end_of_passkey(uow, old.credential_id, signed_in=signed_in(journey), signed_by=new.credential_id)
        uow.commit()
    assert known(journey) == 0


def test_erasing_leaves_nothing_of_it(journey: Journey, push: PushService, told: Subscriber) -> None:
    journey.bill()
    with journey.services.unit_of_work() as uow:
        emptying.empty(uow, journey.customer.id)
        uow.commit()
    with journey.services.engine.connect() as connection:
        for table in (PushDevice, PushMessage, SpaceNotice, NoticeChoice):
            assert connection.execute(select(func.count()).select_from(table)).scalar() == 0, table
    journey.worker.run_until_idle()
    assert push.asked == 0


def test_a_visit_of_the_demo_adds_none(journey: Journey, push: PushService, app: Flask) -> None:
    with journey.services.unit_of_work() as uow:
        uow.session.execute(text("UPDATE customer SET demo = true"))
        uow.commit()
    visit = Browser.of(app)
    visit.post("/demo/sign-in", token=visit.token("/"), form={"customer": journey.customer.id})
    looked = visit.page("/messages")
    assert looked.select_one("[data-device]") is None
    assert visit.post("/messages/devices", token=visit.token("/bills"), data={}).status_code == 403
    assert known(journey) == 0


@pytest.mark.tampers
def test_the_check_finds_what_was_forgotten(journey: Journey, told: Subscriber) -> None:
    journey.bill()
    with journey.services.unit_of_work() as uow:
        uow.session.execute(text("DELETE FROM work WHERE handler = 'notices.push'"))
        uow.commit()
    broken = check(journey.services.engine, now=journey.clock())
    assert {each.invariant.name for each in broken} == {"M9"}
