"""The demo biller's page: what customers say of its bills, and its yes and no."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient

from app.demo import biller, files
from app.demo.api_client import BillersClient
from app.demo.biller_files import BILLERS_FILE
from app.demo.cast import WATER

ID = f"ans_{'0' * 32}"
OPEN: dict[str, Any] = {
    "id": ID,
    "number": "EB-1",
    "kind": "declined",
    "reason": "not_ordered",
    "words": "I moved <out>.",
    "lines": [],
    "until": None,
    "paid_on": None,
    "reply_by": "2026-12-03",
}
SAID = {"answer_id": ID, "number": "EB-1", "kind": "declined"}


class _Api:
    """What the biller's program asks, and what it is answered."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.status = 200
        self.unpromised = "30.00"
        self.promised: list[dict[str, Any]] = []
        self.account: str | None = None

    def bill_answers(self, *, state: str) -> list[dict[str, Any]]:
        self.asked.append(state)
        self._refuse()
        return [OPEN]

    def reply(self, answer_id: str, *, accepts: bool, words: str) -> None:
        self.asked.append((answer_id, accepts, words))
        self._refuse()

    def bill(self, bill_id: str) -> dict[str, Any]:
        self._refuse()
        return {"id": bill_id, "number": "EB-1", "refund_unpromised": self.unpromised, "currency": "EUR"}

    def refunds(self) -> list[dict[str, Any]]:
        return self.promised

    def refund(self, refund_id: str) -> dict[str, Any]:
        return {"id": refund_id, "account": self.account}

    def promise_refund(self, bill_id: str, **terms: str) -> None:
        self.asked.append((bill_id, terms["amount"], terms["currency"]))

    def refund_sent(self, refund_id: str, **said: str) -> None:
        self._refuse()
        self.asked.append((refund_id, said["way"]))

    def _refuse(self) -> None:
        if self.status != 200:
            answer = requests.Response()
            answer.status_code = self.status
            raise requests.HTTPError(response=answer)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> _Api:
    found = _Api()
    monkeypatch.setattr(biller.Program, "client", lambda _, slug: cast(BillersClient, found))
    return found


@pytest.fixture
def program(tmp_path: Path) -> biller.Program:
    files.write_json(tmp_path / BILLERS_FILE, {WATER.slug: {"client_id": "cli_1", "addresses": {}}})
    return biller.Program(tmp_path, base_url="http://127.0.0.1:1")


@pytest.fixture
def browser(program: biller.Program) -> FlaskClient:
    app = Flask("app", template_folder="templates")
    app.extensions[biller.EXTENSION] = program
    app.register_blueprint(biller.blueprint)
    return app.test_client()


def hears(program: biller.Program, state: str, sequence: int) -> None:
    message = {"type": f"answer.{state}", "data": SAID | {"state": state, "sequence": str(sequence)}}
    program.mailbox.keep(WATER.slug, f"msg_{state}", message, received_at="2026-11-23T10:00:00+00:00")


def test_what_waits_is_asked_for_once_a_webhook_told_of_it(
    api: _Api, program: biller.Program, browser: FlaskClient
) -> None:
    assert "Nothing that waits for a reply." in browser.get("/").text
    assert api.asked == []
    hears(program, "open", 1)
    page = browser.get("/").text
    assert "will not pay</strong>, not ordered: “I moved &lt;out&gt;.”. Reply by 2026-12-03." in page
    assert browser.get("/state.json").get_json()["billers"][WATER.slug]["answers"] == [OPEN]
    api.status = 503
    assert "No answer just now: reload." in browser.get("/").text
    hears(program, "withdrawn", 2)
    assert "Nothing that waits for a reply." in browser.get("/").text


def test_the_desk_shows_the_days_that_are_proposed(
    monkeypatch: pytest.MonkeyPatch, program: biller.Program, browser: FlaskClient, api: _Api
) -> None:
    parts = [{"pay_on": "2026-12-15", "amount": "40.00"}, {"pay_on": "2027-01-15", "amount": "33.11"}]
    proposed = OPEN | {
        "kind": "instalments",
        "reason": None,
        "words": None,
        "until": "2027-01-15",
        "instalments": parts,
    }
    monkeypatch.setattr(api, "bill_answers", lambda state: [proposed])
    hears(program, "open", 1)
    page = browser.get("/").text
    assert "proposes to pay in parts</strong>, 40.00 on 2026-12-15, 33.11 on 2027-01-15. Reply by 2026-12-03." in page
    assert "Say yes" in page


@pytest.mark.parametrize(("status", "said"), [(200, "replied"), (409, "not-replied"), (503, "later")])
def test_a_clerk_says_yes_or_no(api: _Api, browser: FlaskClient, status: int, said: str) -> None:
    api.status = status
    form = {"biller": WATER.slug, "answer": ID, "words": "You are right."}
    for says in ("yes", "no"):
        answer = browser.post("/reply", data={**form, "says": says})
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/?{WATER.slug}={said}#{WATER.slug}")
    assert api.asked == [(ID, True, "You are right."), (ID, False, "You are right.")]
    assert browser.post("/reply", data={**form, "answer": "../x"}).status_code == 404
    assert browser.post("/reply", data={**form, "biller": "x"}).status_code == 404
    assert browser.post("/reply", data=form, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert len(api.asked) == 2


def test_a_clerk_promises_what_is_owed_and_says_that_it_was_sent(
    api: _Api, program: biller.Program, browser: FlaskClient
) -> None:
    assert "Nothing is owed." in browser.get("/").text
    bill, refund = f"bill_{'0' * 32}", f"rfd_{'0' * 32}"
    message = {"type": "bill.refund_owed", "data": {"bill_id": bill, "number": "EB-1", "refund_owed": "30.00"}}
    program.mailbox.keep(WATER.slug, "msg_1", message, received_at="2026-11-23T10:00:00+00:00")
    assert "<strong>30.00 EUR</strong> is owed to the customer." in browser.get("/").text
    form = {"biller": WATER.slug, "bill": bill, "refund": refund}
    done = f"/?{WATER.slug}=refund-said#{WATER.slug}"
    assert browser.post("/promise", data=form).headers["Location"] == done
    api.unpromised = "0.00"
    api.promised = [{"id": refund, "number": "EB-1", "amount": "30.00", "currency": "EUR", "state": "promised"}]
    page = browser.get("/").text
    assert "is owed to the customer" not in page
    assert "30.00 EUR, <strong>promised</strong>" in page
    assert browser.post("/sent", data=form).headers["Location"] == done
    api.account = "FR7630006000011234567890189"
    browser.post("/sent", data=form)
    assert api.asked == [(bill, "30.00", "EUR"), (refund, "payer_account"), (refund, "released_account")]
    for path, name in (("/promise", "bill"), ("/sent", "refund")):
        assert browser.post(path, data={**form, name: "../x"}).status_code == 404
    api.status = 409
    assert "refund-not-said" in browser.post("/sent", data=form).headers["Location"]
    assert "No answer just now: reload." in browser.get("/").text
