"""The biller's side of the dialogue: what customers say of its bills, its yes or no, and what it has published."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.errors import AppError, TooLate
from app.journey.answers import read, service
from app.journey.answers.models import AnswerPolicy, BillAnswer
from app.journey.answers.rules import WORDS_MAX, Instalment, Policy
from app.journey.answers.service import Said
from app.journey.answers.states import AnswerKind
from app.journey.corrections.replies import reply
from app.journey.invoices.models import Invoice
from app.journey.webhooks.models import WebhookMessage
from app.journey.webhooks.service import add_endpoint
from app.people import vetting
from app.people.models import Customer
from app.people.sessions import SignedIn
from app.services import Services
from app.web.billers import answers as door
from app.web.billers.limits import REPLY_BYTES_MAX, limiter
from app.worker import Worker
from tests.conftest import Clock
from tests.functional.billers.test_billers_api import refused
from tests.functional.test_connection_races import at_once
from tests.support import factories
from tests.support.billers_door import Program
from tests.support.billers_spec import conforms
from tests.support.billers_world import World, json_bill

BILLS, ANSWERS, POLICY = "/api/v1/bills", "/api/v1/answers", "/api/v1/answer-policy"
YES, NO = {"accepts": True}, {"accepts": False, "words": "We have no such payment."}
DUE = dt.date(2026, 12, 2)
SAID: dict[str, dict[str, Any]] = {
    "paid_elsewhere": {"paid_on": dt.date(2026, 11, 20)},
    "declined": {"reason": "cancelled"},
    "disputed": {"reason": "wrong_amount"},
    "more_time": {"until": DUE + dt.timedelta(days=10)},
    "instalments": {"instalments": [Instalment(DUE, 4000), Instalment(DUE + dt.timedelta(days=10))]},
}
LINES = [{"description": f"{n}", "amount": "42.10"} for n in range(2)]


@dataclass
class Dialogue:
    """One biller's program, a customer of its, and a bill of 84.20 that is due on 2 December."""

    services: Services
    worker: Worker
    program: Program
    customer: Customer
    address: str
    bill_id: str = ""

    def bill(self, **changes: Any) -> None:
        answer = self.program.deliver(json_bill(self.program, self.address, **changes))
        assert answer.status_code == 201, answer.text
        self.bill_id = answer.get_json()["id"]
        self.worker.run_until_idle()

    @property
    def signed_in(self) -> SignedIn:
        return SignedIn(self.customer, "ses_1", read_only=False)

    def say(self, kind: str, **more: Any) -> str:
        with self.services.unit_of_work() as uow:
            invoice_id = uow.session.scalars(select(Invoice.id).where(Invoice.bill_id == self.bill_id)).one()
            said = Said(kind=AnswerKind(kind), **(SAID[kind] | more))
            answer = service.say(uow, signed_in=self.signed_in, invoice_id=invoice_id, said=said)
            uow.commit()
        self.worker.run_until_idle()
        return answer.id

    def take_back(self, answer_id: str) -> None:
        with self.services.unit_of_work() as uow:
            service.take_back(uow, signed_in=self.signed_in, answer_id=answer_id)
            uow.commit()

    def suspend(self) -> None:
        with self.services.unit_of_work() as uow:
            vetting.suspend(uow, biller_id=self.program.biller_id, by="ada", note="its customers call")
            uow.commit()

    def send(self, path: str, body: Any, *, method: str = "POST", **more: Any) -> TestResponse:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = self.program.bearer()
        return self.program.http.open(
            path, method=method, data=content, headers=headers, **{"content_type": "application/json", **more}
        )

    def reply(self, answer_id: str, body: Any, **more: Any) -> TestResponse:
        return self.send(f"{ANSWERS}/{answer_id}/reply", body, **more)

    def shown(self, path: str) -> dict[str, Any]:
        answer = self.program.get(path)
        conforms(self.program.http.application, answer)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.get_json()
        return found

    def told(self) -> list[dict[str, Any]]:
        """The webhooks about answers, in the order of what they tell."""
        self.worker.run_until_idle()
        with self.services.reading() as uow:
            bodies = uow.session.scalars(
                select(WebhookMessage.body)
                .where(WebhookMessage.type.startswith("answer."))
                .order_by(WebhookMessage.created_at, WebhookMessage.id)
            ).all()
        return [json.loads(body) for body in bodies]


@pytest.fixture
def talk(services: Services, worker: Worker, client: FlaskClient) -> Dialogue:
    limiter.reset()
    program = World(services, client).program()
    customer = factories.make_customer(services)
    address = factories.connect(services, customer_id=customer.id, biller_id=program.biller_id)
    with services.unit_of_work() as uow:
        add_endpoint(services, uow, biller_id=program.biller_id, url="http://127.0.0.1:9/hook")
        uow.commit()
    dialogue = Dialogue(services, worker, program, customer, address)
    dialogue.bill(lines=LINES)
    return dialogue


def test_what_is_said_is_shown_to_the_biller_of_the_bill_alone(app: Flask, talk: Dialogue, world: World) -> None:
    one = talk.say("disputed", lines=(2,), words="I used less.")
    shown = talk.shown(f"{ANSWERS}/{one}")
    assert shown == {
        "id": one,
        "bill_id": talk.bill_id,
        "number": "AQ-2026-0042",
        "kind": "disputed",
        "state": "open",
        "reason": "wrong_amount",
        "words": "I used less.",
        "lines": [2],
        "paid_on": None,
        "until": None,
        "instalments": [],
        "reply_by": "2026-12-03",
        "said_at": talk.services.clock().isoformat(),
        "ended_at": None,
        "ended_by": None,
        "reply": None,
        "sequence": 1,
    }
    assert talk.shown(ANSWERS) == {"answers": [shown], "after": None}
    bill = talk.shown(f"{BILLS}/{talk.bill_id}")
    assert bill["answer"] == {"id": one, "kind": "disputed", "until": None}
    assert (bill["status"], bill["amount_due"], bill["extended_to"]) == ("open", "84.20", None)
    stranger = world.program()
    refused(app, stranger.get(f"{ANSWERS}/{one}"), 404, "not-found")
    assert stranger.get(f"{ANSWERS}?bill_id={talk.bill_id}").get_json()["answers"] == []
    answer = stranger.deliver(json.dumps(YES).encode(), path=f"{ANSWERS}/{one}/reply", scope="answers:write")
    refused(app, answer, 404, "not-found")


def test_the_list_is_filtered_and_comes_in_pages(talk: Dialogue, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [talk.say(kind) for kind in ("declined", "more_time")]
    first = talk.bill_id
    talk.bill(number="AQ-2")
    ids.append(talk.say("paid_elsewhere"))
    for query, wanted in {
        "": ids,
        "?state=open": ids[1:],
        "?state=withdrawn": ids[:1],
        "?state=lapsed": [],
        f"?bill_id={first}": ids[:2],
        f"?bill_id={first}&state=open": ids[1:2],
        f"?after={ids[0]}": ids[1:],
        f"?after={ids[2]}": [],
    }.items():
        assert [each["id"] for each in talk.shown(ANSWERS + query)["answers"]] == wanted, query
    for module in (read, door):
        monkeypatch.setattr(module, "PAGE_MOST", 2)
    page = talk.shown(ANSWERS)
    assert ([each["id"] for each in page["answers"]], page["after"]) == (ids[:2], ids[1])
    assert talk.shown(f"{ANSWERS}?after={page['after']}")["after"] is None


def test_a_yes_is_done_at_once_and_said_again_it_is_the_same(app: Flask, talk: Dialogue, clock: Clock) -> None:
    for number, kind in enumerate(SAID):
        talk.bill(number=f"AQ-{number}")
        one = talk.say(kind)
        first = talk.reply(one, {"accepts": True, "words": "You are right."})
        conforms(app, first)
        assert first.status_code == 200
        body = first.get_json()
        ended = [body[name] for name in ("state", "ended_by", "reply", "sequence")]
        assert ended == ["accepted", "biller", "You are right.", 2]
        bill = talk.shown(f"{BILLS}/{talk.bill_id}")
        assert bill["answer"] is None
        if kind in ("more_time", "instalments"):
            assert (bill["status"], bill["amount_due"], bill["extended_to"]) == ("open", "84.20", "2026-12-12")
        else:
            assert (bill["status"], bill["amount_due"], bill["extended_to"]) == ("closed", "0.00", None)
            assert (bill["withdrawal_reason"], bill["refund_owed"]) == ("You are right.", "0.00")
        clock.tick(seconds=60)
        assert talk.reply(one, {"accepts": True, "words": "Another word."}).get_json() == body
        refused(app, talk.reply(one, NO), 409, "answer-ended")
        assert talk.shown(f"{ANSWERS}/{one}") == body


def test_a_no_leaves_the_bill_as_it_was_and_said_again_it_is_the_same(app: Flask, talk: Dialogue) -> None:
    before = talk.shown(f"{BILLS}/{talk.bill_id}")
    for kind in SAID:
        one = talk.say(kind)
        first = talk.reply(one, NO)
        conforms(app, first)
        body = first.get_json()
        assert (first.status_code, body["state"], body["reply"]) == (200, "refused", NO["words"])
        assert talk.reply(one, {**NO, "words": "No."}).get_json() == body
        problem = refused(app, talk.reply(one, YES), 409, "answer-ended")
        assert "it is refused" in problem["detail"]
        assert talk.shown(f"{BILLS}/{talk.bill_id}") == before


def test_disputed_lines_have_their_yes_by_a_correction(app: Flask, talk: Dialogue) -> None:
    one = talk.say("disputed", lines=(1,))
    refused(app, talk.reply(one, YES), 409, "correct-the-bill")
    note = {
        "to": talk.address,
        "kind": "credit_note",
        "number": "C-1",
        "corrects": "AQ-2026-0042",
        "issued_on": "2026-11-23",
        "currency": "EUR",
        "amount": "42.10",
    }
    assert talk.program.deliver(json.dumps(note).encode()).status_code == 201
    talk.worker.run_until_idle()
    shown = talk.shown(f"{ANSWERS}/{one}")
    assert (shown["state"], shown["ended_by"]) == ("accepted", "correction")
    assert talk.shown(f"{BILLS}/{talk.bill_id}")["amount_due"] == "42.10"
    problem = refused(app, talk.reply(one, YES), 409, "answer-ended")
    assert "it is accepted" in problem["detail"]


#: a reply, and what it is refused with
WRONG: list[tuple[Any, int, str, str | None]] = [
    ({}, 422, "reply", "/accepts"),
    ({"accepts": "true"}, 422, "reply", "/accepts"),
    ({"accepts": True, "words": None}, 422, "reply", "/words"),
    ({"accepts": True, "words": "x" * (WORDS_MAX + 1)}, 422, "reply", "/words"),
    ({"accepts": True, "words": "\u0000"}, 422, "answer", "/words"),
    ({"accepts": True, "until": "2026-12-24"}, 422, "reply", "/until"),  # nobody says yes to something else
    ({"accepts": False}, 422, "answer", "/words"),
    ({"accepts": False, "words": " \u200b "}, 422, "answer", "/words"),
    ([], 422, "reply", None),
    (b"{", 422, "not-well-formed", None),
    (b" " * (REPLY_BYTES_MAX + 1), 413, "too-large", None),
]


def test_what_is_wrong_with_a_reply_is_said_and_nothing_is_written(app: Flask, world: World, talk: Dialogue) -> None:
    one = talk.say("declined")
    for body, status, code, pointer in WRONG:
        refused(app, world.refuses(talk.reply, one, body), status, code, pointer=pointer)
    assert talk.reply(one, {"accepts": True, "words": "😀" * WORDS_MAX}).status_code == 200


def test_who_may(app: Flask, talk: Dialogue) -> None:
    one = talk.say("declined")
    refused(app, talk.reply(one, YES, content_type="text/plain"), 415, "media-type")
    for path in ("ans_x", f"ans_{'0' * 32}"):
        refused(app, talk.program.get(f"{ANSWERS}/{path}"), 404, "not-found")
        refused(app, talk.reply(path, YES), 404, "not-found")
    for query in ("?after=x", "?bill_id=x", "?state=x", "?x=1", "?state=open&state=open"):
        assert talk.program.get(ANSWERS + query).status_code == 422, query
    for path in (ANSWERS, f"{ANSWERS}/{one}", POLICY):
        refused(app, talk.program.get(path, scope="bills:read answers:write"), 403, "insufficient-scope")
    answer = talk.program.deliver(json.dumps(YES).encode(), path=f"{ANSWERS}/{one}/reply", scope="answers:read")
    refused(app, answer, 403, "insufficient-scope")


def publish(talk: Dialogue, body: Any) -> TestResponse:
    return talk.send(POLICY, body, method="PUT")


def test_a_published_policy_says_yes_by_itself(app: Flask, talk: Dialogue, clock: Clock) -> None:
    none = {"instalments_most": 0, "instalments_days": 0}
    assert talk.shown(POLICY) == {"more_time_days": 0, "answer_days": 10, **none, "published_at": None}
    assert publish(talk, {"more_time_days": 14, "answer_days": 4}).get_json().items() >= none.items()
    policy = {"more_time_days": 14, "answer_days": 5, "instalments_most": 2, "instalments_days": 30}
    first = publish(talk, policy)
    conforms(app, first)
    assert (first.status_code, first.get_json()) == (200, {**policy, "published_at": clock().isoformat()})
    clock.tick(seconds=60)
    assert publish(talk, policy).get_json() == first.get_json() == talk.shown(POLICY)
    inside = talk.say("more_time", until=DUE + dt.timedelta(days=14))
    assert talk.shown(f"{BILLS}/{talk.bill_id}")["extended_to"] == "2026-12-16"
    shown = talk.shown(f"{ANSWERS}/{inside}")
    assert (shown["state"], shown["ended_by"], shown["reply_by"]) == ("accepted", "policy", "2026-11-28")
    refused(app, talk.reply(inside, NO), 409, "answer-ended")
    beyond = talk.say("more_time", until=DUE + dt.timedelta(days=15))
    bill = talk.shown(f"{BILLS}/{talk.bill_id}")
    assert bill["answer"] == {"id": beyond, "kind": "more_time", "until": "2026-12-17"}
    assert bill["extended_to"] == "2026-12-16"
    assert [(each["type"], each["data"]["ended_by"]) for each in talk.told()] == [
        ("answer.accepted", "policy"),
        ("answer.open", None),
    ]


def test_instalments_are_shown_replied_to_and_told_with_the_plan_that_they_become(talk: Dialogue, clock: Clock) -> None:
    publish(talk, {"more_time_days": 14, "answer_days": 5, "instalments_most": 2, "instalments_days": 30})
    beyond = talk.say("instalments", instalments=[Instalment(DUE, 4000), Instalment(DUE + dt.timedelta(days=31))])
    days = [{"pay_on": "2026-12-02", "amount": "40.00"}, {"pay_on": "2027-01-02", "amount": "44.20"}]
    shown = talk.shown(f"{ANSWERS}/{beyond}")
    assert (shown["state"], shown["until"], shown["instalments"]) == ("open", "2027-01-02", days)
    bill = talk.shown(f"{BILLS}/{talk.bill_id}")
    assert (bill["answer"], bill["plan"], bill["extended_to"]) == (
        {"id": beyond, "kind": "instalments", "until": "2027-01-02"},
        None,
        None,
    )
    clock.tick(seconds=60)
    assert talk.reply(beyond, YES).get_json()["state"] == "accepted"
    bill = talk.shown(f"{BILLS}/{talk.bill_id}")
    assert (bill["answer"], bill["extended_to"], bill["amount_due"]) == (None, "2027-01-02", "84.20")
    assert (bill["plan"]["answer_id"], bill["plan"]["days"]) == (beyond, days)
    told = talk.told()
    assert [(each["type"], each["data"]["instalments"]) for each in told] == [
        ("answer.open", days),
        ("answer.accepted", days),
    ]
    with talk.services.reading() as uow:
        bodies = uow.session.scalars(select(WebhookMessage.body).where(WebhookMessage.type == "plan.made")).all()
    [made] = [json.loads(body)["data"] for body in bodies]
    assert (made["answer_id"], made["days"]) == (beyond, days)
    talk.bill(number="AQ-2", lines=LINES)
    inside = talk.say("instalments", instalments=[Instalment(DUE, 4000), Instalment(DUE + dt.timedelta(days=30))])
    shown = talk.shown(f"{ANSWERS}/{inside}")
    assert (shown["state"], shown["ended_by"]) == ("accepted", "policy")
    assert talk.shown(f"{BILLS}/{talk.bill_id}")["plan"]["answer_id"] == inside


def test_what_is_wrong_with_a_policy_is_said_and_nothing_is_written(app: Flask, world: World, talk: Dialogue) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"more_time_days": 14}, "/answer_days"),
        ({"more_time_days": 366, "answer_days": 10}, "/more_time_days"),
        ({"more_time_days": 14, "answer_days": 0}, "/answer_days"),
        ({"more_time_days": 14, "answer_days": "10"}, "/answer_days"),
        ({"more_time_days": 14, "answer_days": True}, "/answer_days"),
        ({"more_time_days": 14, "answer_days": 5, "instalments_most": 13, "instalments_days": 9}, "/instalments_most"),
        ({"more_time_days": 14, "answer_days": 5, "instalments_most": -1}, "/instalments_most"),
        ({"more_time_days": 14, "answer_days": 5, "instalments_days": 366}, "/instalments_days"),
        ({"more_time_days": 14, "answer_days": 5, "instalments_days": None}, "/instalments_days"),
        ({"more_time_days": 14, "answer_days": 10, "published_at": None}, "/published_at"),
    ]
    for body, pointer in wrong:
        refused(app, world.refuses(publish, talk, body), 422, "answer-policy", pointer=pointer)


def test_who_is_suspended_reads_and_may_only_say_yes(app: Flask, talk: Dialogue) -> None:
    assert publish(talk, {"more_time_days": 14, "answer_days": 5}).status_code == 200
    one = talk.say("declined")
    talk.suspend()
    refused(app, talk.reply(one, NO), 409, "biller-not-vetted")
    refused(app, publish(talk, {"more_time_days": 0, "answer_days": 60}), 409, "biller-not-vetted")
    assert talk.shown(f"{ANSWERS}/{one}")["state"] == "open"
    assert talk.shown(POLICY)["more_time_days"] == 14
    assert talk.reply(one, YES).get_json()["state"] == "accepted"
    assert talk.shown(f"{BILLS}/{talk.bill_id}")["status"] == "closed"


def test_the_webhooks_say_what_was_said_and_none_of_the_words(talk: Dialogue, clock: Clock) -> None:
    one = talk.say("paid_elsewhere", words="at the counter")
    clock.tick(seconds=60)
    talk.reply(one, {"accepts": False, "words": "We have nothing."})
    opened, ended = talk.told()
    about: dict[str, Any] = {
        "answer_id": one,
        "bill_id": talk.bill_id,
        "number": "AQ-2026-0042",
        "kind": "paid_elsewhere",
        "reason": None,
        "lines": [],
        "paid_on": "2026-11-20",
        "until": None,
        "instalments": [],
        "reply_by": "2026-12-03",
    }
    assert (opened["type"], opened["data"]) == (
        "answer.open",
        about | {"state": "open", "ended_by": None, "sequence": 1},
    )
    assert (ended["type"], ended["data"]) == (
        "answer.refused",
        about | {"state": "refused", "ended_by": "biller", "sequence": 2},
    )
    assert ended["timestamp"] == clock().isoformat()


def test_a_fact_that_is_told_late_is_told_as_it_was(talk: Dialogue, clock: Clock) -> None:
    """The answer has ended before its worker comes to say that it was open, and that nobody had replied."""
    invoice_of = select(Invoice.id).where(Invoice.bill_id == talk.bill_id)
    with talk.services.unit_of_work() as uow:
        said = Said(kind=AnswerKind.DECLINED, reason="not_mine")
        invoice_id = uow.session.scalars(invoice_of).one()
        one = service.say(uow, signed_in=talk.signed_in, invoice_id=invoice_id, said=said).id
        uow.commit()
    clock.tick(days=12)
    with talk.services.unit_of_work() as uow:
        service.report_overdue(uow)
        uow.commit()
    clock.tick(seconds=1)
    talk.take_back(one)
    assert [
        (each["type"], each["data"]["state"], each["data"]["ended_by"], each["data"]["sequence"])
        for each in talk.told()
    ] == [
        ("answer.open", "open", None, 1),
        ("answer.overdue", "open", None, 1),
        ("answer.withdrawn", "withdrawn", "customer", 2),
    ]


# ----------------------------------------------------------------------------------------------- two at the same moment


on_postgres = pytest.mark.parametrize(
    "database_url", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


def say_yes(talk: Dialogue, answer_id: str) -> None:
    reply(talk.services, biller_id=talk.program.biller_id, answer_id=answer_id, accepts=True, words="")


def say_no(talk: Dialogue, answer_id: str) -> None:
    reply(talk.services, biller_id=talk.program.biller_id, answer_id=answer_id, accepts=False, words="No.")


@on_postgres
@pytest.mark.parametrize("others", [(say_yes, say_no), (say_yes, Dialogue.take_back), (say_no, Dialogue.take_back)])
def test_one_of_two_is_first_and_both_sides_read_the_same(talk: Dialogue, others: Any) -> None:
    """The other one is told that it is too late, and has changed nothing."""
    for number in range(3):
        talk.bill(number=f"AQ-{number}")
        one = talk.say("declined")
        [late] = at_once(*(lambda do=do, one=one: do(talk, one) for do in others))
        assert isinstance(late, TooLate)
        shown = talk.shown(f"{ANSWERS}/{one}")
        with talk.services.reading() as uow:
            invoice = uow.session.scalars(select(Invoice).where(Invoice.bill_id == talk.bill_id)).one()
            [seen] = read.answers_of_invoice(
                uow.session, invoice_id=invoice.id, customer_id=talk.customer.id, today=uow.now.date()
            )
        assert (seen.state, seen.ended_by, seen.reply) == (shown["state"], shown["ended_by"], shown["reply"])
        wanted = "cleared" if shown["state"] == "accepted" else "to_pay"
        assert (invoice.state, invoice.is_set_aside) == (wanted, False)
        told = [each["data"]["state"] for each in talk.told() if each["data"]["answer_id"] == one]
        assert told == ["open", shown["state"]]


@on_postgres
def test_the_same_reply_twice_at_once_is_one(talk: Dialogue) -> None:
    one = talk.say("paid_elsewhere")
    assert at_once(*[lambda: say_yes(talk, one)] * 3) == []
    assert [each["data"]["state"] for each in talk.told()] == ["open", "accepted"]


@on_postgres
def test_a_first_policy_is_published_twice_at_once(talk: Dialogue) -> None:
    def put(days: int) -> None:
        with talk.services.unit_of_work() as uow:
            policy = Policy(more_time_days=days, answer_days=5)
            service.publish_policy(uow, biller_id=talk.program.biller_id, policy=policy)
            uow.commit()

    assert at_once(lambda: put(1), lambda: put(2)) == []
    with talk.services.reading() as uow:
        assert uow.session.scalars(select(AnswerPolicy.more_time_days)).one() in (1, 2)


@on_postgres
def test_a_no_and_a_suspension_at_once(talk: Dialogue) -> None:
    """It was said before, or is not taken."""
    one = talk.say("declined")
    raised = at_once(lambda: say_no(talk, one), talk.suspend)
    assert [error.code for error in raised if isinstance(error, AppError)] in ([], ["biller-not-vetted"])
    with talk.services.reading() as uow:
        assert uow.session.get_one(BillAnswer, one).state == ("open" if raised else "refused")
