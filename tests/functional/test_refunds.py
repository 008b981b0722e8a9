"""A company gives money back: what it promises and says, what its customer says of it, and the account they release."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text

from app.journey.refunds import accounts, service
from app.people import vetting
from app.services import Services
from app.tables import metadata
from connectors.contract import Fact
from consent.models import Sealed
from tests.functional.billers.test_billers_api import refused
from tests.functional.billers.test_billers_payments import program_of
from tests.functional.test_corrections import bill, credit, on_a_statement
from tests.functional.test_corrections_said import rejected, settled
from tests.functional.test_stop import lift, stop
from tests.functional.test_tools import ask, made
from tests.support.billers_world import World
from tests.support.journey import Journey
from tests.support.refunds import BILLS, DAY, IBAN, REFUNDS, Owing, words

CANARY = "GB33BUKB20201555555555"


@pytest.fixture
def owing(journey: Journey) -> Owing:
    """30.00 more was credited than a bill was for."""
    found = Owing(journey, program_of(journey), bill(journey))
    credit(journey, "130.00")
    found.listen()
    return found


@pytest.fixture
def world(services: Services, client: FlaskClient) -> World:
    return World(services, client)


def suspend(owing: Owing) -> None:
    with owing.journey.services.unit_of_work() as uow:
        vetting.suspend(uow, biller_id=owing.program.biller_id, by="ada", note="its customers call")
        uow.commit()


def block(owing: Owing) -> None:
    browser = owing.journey.browser
    path = f"/companies/{owing.program.biller_id}/block"
    assert browser.post(path, token=browser.token("/bills"), form={}).status_code == 303


# -------------------------------------------------------------------------------------------------- the whole way


def test_owed_promised_sent_received_and_who_said_so(owing: Owing) -> None:
    name, journey = owing.journey.biller.name, owing.journey
    assert owing.page().startswith(
        f"Refund {name} owes you €30.00. It credited more than the bill was for. It has not said"
    )
    assert owing.seen(f"{BILLS}/{owing.bill_id}")["refund_unpromised"] == "30.00"
    first = owing.promising()
    one = first.get_json()["id"]
    assert first.headers["Location"] == f"{REFUNDS}/{one}"
    again = owing.promising()
    assert (again.status_code, again.get_json()) == (200, first.get_json())
    assert first.get_json() == {
        "id": one,
        "bill_id": owing.bill_id,
        "number": "2026-1",
        "amount": "30.00",
        "currency": "EUR",
        "promised_by": (owing.today + 10 * DAY).isoformat(),
        "promised_at": journey.clock().isoformat(),
        "state": "promised",
        "sent_on": None,
        "way": None,
        "reference": None,
        "is_still_owed": True,
        "has_account": False,
        "account": None,
        "updated_at": journey.clock().isoformat(),
        "sequence": 1,
    }
    seen = owing.seen(f"{BILLS}/{owing.bill_id}")
    assert (seen["refund_owed"], seen["refund_unpromised"]) == ("30.00", "0.00")
    by = (owing.today + 10 * DAY).strftime("%A, %-d %B %Y")
    assert f"{name} promises €30.00 by {by}" in owing.page()
    assert "It has not said yet" not in owing.page()
    assert owing.buttons() == ["Yes, €30.00 has arrived", "Give an account for the refund"]

    owing.later(1)
    owing.send(one, reference="Refund 2026-1", way="payer_account")
    page = owing.page()
    assert f"{name} says that it sent €30.00 on" in page
    assert "to the account that the bill was paid from, with the reference Refund 2026-1" in page
    day = (owing.today + 5 * DAY).strftime("%A, %-d %B %Y")
    assert f"From {day} on you can say here if it has not arrived." in page
    assert owing.buttons() == ["Yes, €30.00 has arrived"]
    owing.say(one, "arrived")
    owing.say(one, "arrived")
    page = owing.page()
    assert "You said that €30.00 has arrived" in page
    assert "What was owed to you of this bill has arrived, as you said." in page
    for each in ("promised €30.00 by", "said that it was sent on", "that it had arrived"):
        assert page.count(each) == 1
    assert owing.buttons() == []
    shown = owing.refund(one)
    assert [shown[key] for key in ("state", "sequence", "is_still_owed")] == ["received", 3, True]
    assert [(told["type"], told["data"]["state"], told["data"]["sequence"]) for told in owing.told()] == [
        ("refund.promised", "promised", 1),
        ("refund.sent", "sent", 2),
        ("refund.received", "received", 3),
    ]
    assert owing.told()[1]["data"] == {
        "refund_id": one,
        "bill_id": owing.bill_id,
        "number": "2026-1",
        "amount": "30.00",
        "currency": "EUR",
        "promised_by": (owing.today + 9 * DAY).isoformat(),
        "state": "sent",
        "sent_on": owing.today.isoformat(),
        "sequence": 2,
    }
    assert [line.source for line in owing.rows()[1]] == ["biller", "biller", "customer"]
    assert owing.seen(f"{BILLS}/{owing.bill_id}")["refund_owed"] == "30.00"  # by the documents it is


def test_what_has_not_come_is_sent_again(owing: Owing) -> None:
    one = owing.promise()
    owing.send(one)
    answer = owing.saying(one, "missing")
    assert answer.status_code == 409
    assert "a transfer takes some days" in words(answer)
    owing.later(5)
    assert owing.buttons() == ["Yes, €30.00 has arrived", "It has not arrived"]
    owing.say(one, "missing")
    owing.say(one, "missing")
    assert "You said that €30.00 has not arrived" in owing.page()
    assert [each["id"] for each in owing.seen(f"{REFUNDS}?state=missing")["refunds"]] == [one]
    first_day = (owing.today - 5 * DAY).isoformat()
    owing.send(one, sent_on=first_day)  # a repeat of what was said before
    assert owing.refund(one)["state"] == "missing"
    owing.send(one, reference="Again")
    assert owing.buttons() == ["Yes, €30.00 has arrived"]
    owing.say(one, "arrived")
    kinds = [told["type"].removeprefix("refund.") for told in owing.told()]
    assert kinds == ["promised", "sent", "missing", "sent", "received"]


def test_it_may_arrive_before_anybody_says_that_it_was_sent(owing: Owing) -> None:
    one = owing.promise()
    owing.say(one, "arrived")
    assert owing.refund(one)["state"] == "received"
    owing.send(one)  # too late to matter
    assert (owing.refund(one)["sent_on"], owing.refund(one)["sequence"]) == (None, 2)
    refused(owing.journey.app, owing.withdrawing(one), 409, "refund-moved")


def test_a_promise_is_taken_back_with_a_reason_and_made_again(owing: Owing) -> None:
    one = owing.promise()
    refused(owing.journey.app, owing.withdrawing(one, " "), 422, "refund")
    assert owing.withdrawing(one).status_code == 200
    assert owing.withdrawing(one, "Something else.").get_json()["state"] == "withdrawn"
    assert "took its promise of €30.00 back" in owing.page()
    assert "It is set off." in owing.page()
    assert "It has not said yet by when it pays that back." in owing.page()
    answer = owing.saying(one, "arrived")
    assert answer.status_code == 409
    assert "the company has said something else meanwhile" in words(answer)
    refused(owing.journey.app, owing.sending(one), 409, "refund-moved")
    assert owing.promise() != one


def test_an_overdue_promise_is_noticed_once(owing: Owing) -> None:
    one = owing.promise(days=1)
    owing.later(3)
    for _ in range(2):
        with owing.journey.services.unit_of_work() as uow:
            service.report_overdue(uow)
            uow.commit()
    assert [told["type"] for told in owing.told()] == ["refund.promised", "refund.overdue"]
    assert "That day is over, and" in owing.page()
    assert owing.refund(one)["state"] == "promised"


# ------------------------------------------------------------------------------------------------ how much is owed


def test_no_more_is_promised_than_is_owed(owing: Owing) -> None:
    app = owing.journey.app
    refused(app, owing.promising("30.01"), 409, "not-owed")
    owing.promise("20.00")
    problem = refused(app, owing.promising("10.01"), 409, "not-owed")
    assert "10.00 EUR is owed beyond" in problem["detail"]
    owing.promise("10.00")
    refused(app, owing.promising("0.01"), 409, "not-owed")
    assert owing.seen(f"{BILLS}/{owing.bill_id}")["refund_unpromised"] == "0.00"
    for change in ({"amount": "0.00"}, {"currency": "GBP"}, {"amount": "1.001"}, {"days": 400}, {"days": -3}):
        refused(app, owing.promising(**change), 422, "refund")
    for change in ({"promised_by": "2026-02-30"}, {"more": 1}, {"amount": 30}):
        refused(app, owing.promising(**change), 422, "refund")
    assert len(owing.rows()[0]) == 2


def test_nothing_is_promised_of_what_is_not_owed(journey: Journey) -> None:
    owing = Owing(journey, program_of(journey), bill(journey))
    refused(journey.app, owing.promising(), 409, "not-owed")
    assert owing.page() == ""
    journey.confirm(owing.invoice_id)
    refused(journey.app, owing.promising("1.00"), 409, "already-in-payment")


def test_what_the_bank_took_back_is_not_owed_any_more_and_the_page_says_so(journey: Journey) -> None:
    owing = Owing(journey, program_of(journey), bill(journey))
    payment_id = journey.pay(owing.invoice_id)
    journey.wait(3)
    credit(journey)
    promised, sent = owing.promise("10.00"), owing.promise("20.00")
    owing.send(sent)
    assert "It took that off the bill after you had paid." in owing.page()
    assert owing.refund(promised)["is_still_owed"]
    on_a_statement(journey, payment_id, Fact.REJECTED)
    page, name = owing.page(), journey.biller.name
    assert "Your bank has taken a payment of this bill back since: less is owed to you now than stands below." in page
    assert f"If the money did come, {name} may ask for €30.00 of it again" in page
    assert "owes you" not in page
    assert not owing.refund(promised)["is_still_owed"]
    refused(journey.app, owing.promising("1.00"), 409, "not-owed")
    assert owing.withdrawing(promised).status_code == 200
    assert f"{name} may ask for €20.00 of it again" in owing.page()
    owing.say(sent, "arrived")  # it is what happened all the same


def test_what_was_paid_twice_can_be_promised_too(journey: Journey) -> None:
    owing = Owing(journey, program_of(journey), bill(journey))
    first = journey.confirm(owing.invoice_id)
    journey.worker.run_until_idle()
    journey.browser.leave(first)
    rejected(journey, first)
    settled(journey, owing.invoice_id)
    on_a_statement(journey, first, Fact.DEBITED)
    assert owing.seen(f"{BILLS}/{owing.bill_id}")["refund_unpromised"] == "100.00"
    name = journey.biller.name
    assert owing.page().startswith(f"Refund {name} owes you €100.00. So much was paid on top of another payment.")
    credit(journey)
    assert "It took €30.00 off the bill; the rest was paid on top of another payment." in owing.page()
    one = owing.promise("130.00")
    assert owing.seen(f"{BILLS}/{owing.bill_id}")["refund_unpromised"] == "0.00"
    owing.say(one, "arrived")
    assert "has arrived, as you said." in owing.page()


# ---------------------------------------------------------------------------------------------- whose word it is


def test_another_company_and_another_customer_find_nothing(owing: Owing, world: World, journeys: Any) -> None:
    one = owing.promise()
    app, stranger = owing.journey.app, world.program()
    other = Owing(owing.journey, stranger, owing.invoice_id)
    for answer in (
        stranger.get(f"{REFUNDS}/{one}"),
        other.promising(),
        other.sending(one),
        other.withdrawing(one),
        owing.program.get(f"{REFUNDS}/rfd_{'0' * 32}"),
        owing.program.get(f"{REFUNDS}/x"),
    ):
        refused(app, answer, 404, "not-found")
    assert other.seen(REFUNDS) == {"refunds": [], "after": None}
    thief = Owing(journeys(), stranger, owing.invoice_id)
    for word in ("arrived", "missing", "take-account-back"):
        assert thief.saying(one, word).status_code == 404
    assert thief.journey.browser.get(owing.account_path(one)).status_code == 404
    assert thief.type_in(one).status_code == 404
    assert thief.ceremony(one).status_code == 404
    assert owing.saying(one, "sent").status_code == 404
    assert [refund.state for refund in owing.rows()[0]] == ["promised"]


def test_the_list_is_filtered_and_scopes_are_asked_for(owing: Owing) -> None:
    ids = [owing.promise(amount) for amount in ("10.00", "11.00", "9.00")]
    owing.send(ids[1])
    for query, wanted in {
        "": ids,
        "?state=promised": [ids[0], ids[2]],
        "?state=sent": ids[1:2],
        f"?bill_id={owing.bill_id}": ids,
        f"?after={ids[0]}": ids[1:],
        f"?after={ids[2]}": [],
    }.items():
        assert [each["id"] for each in owing.seen(REFUNDS + query)["refunds"]] == wanted, query
    app = owing.journey.app
    for query in ("?after=x", "?bill_id=x", "?state=x", "?more=1"):
        assert owing.program.get(REFUNDS + query).status_code == 422
    refused(app, owing.program.get(REFUNDS, scope="bills:read"), 403, "insufficient-scope")
    refused(app, owing.post(REFUNDS, {}, scope="refunds:read"), 403, "insufficient-scope")


def test_a_suspended_company_promises_and_sends_and_takes_nothing_back(owing: Owing) -> None:
    one = owing.promise("10.00")
    owing.release(one)
    suspend(owing)
    program, app = owing.program, owing.journey.app
    assert (owing.refund(one)["account"], owing.refund(one)["has_account"]) == (None, False)
    refused(app, owing.withdrawing(one), 409, "biller-not-vetted")
    assert owing.promising("20.00").status_code == 201
    owing.send(one, reference="Buy more at evil.example")
    assert "evil.example" not in owing.page()
    assert "says that it sent €10.00" in owing.page()
    two = owing.seen(REFUNDS)["refunds"][1]["id"]
    assert owing.type_in(two).status_code == 409
    assert program.get(REFUNDS).status_code == 200
    owing.say(one, "arrived")


def test_the_words_of_a_company_that_is_blocked_are_not_shown(owing: Owing) -> None:
    one, two = owing.promise("10.00"), owing.promise("20.00")
    owing.send(one, reference="Before")
    owing.journey.clock.tick(seconds=60)
    block(owing)
    owing.journey.clock.tick(seconds=60)
    owing.send(two, reference="Behind")
    page = owing.page()
    assert "Before" in page
    assert "Behind" not in page
    assert "says that it sent €20.00" in page
    owing.say(two, "arrived")


# ------------------------------------------------------------------------------------------------------ the account


def test_an_account_is_released_for_one_refund_and_read_by_its_company_alone(owing: Owing, world: World) -> None:
    journey, name = owing.journey, owing.journey.biller.name
    one = owing.promise("10.00")
    two = owing.promise("20.00")
    company = f"/companies/{owing.program.biller_id}"
    assert "not your e-mail address, your bank or account" in words(journey.browser.page(company))
    form = words(journey.browser.page(f"/bills/{owing.invoice_id}/refunds/{one}/account"))
    assert "This bill was not paid from here." in form  # so that nothing is said of where it came from
    assert owing.type_in(one, "fr76 3000 6000 0112 3456 7890 189").status_code == 303
    page = words(journey.browser.page(owing.account_path(one)))
    assert f"Read by {name} , and nobody else For this refund alone, €10.00" in page
    assert "····0189" in page
    assert IBAN not in page
    assert owing.refund(one)["has_account"] is False  # typed, and not released
    owing.release(one)
    assert "You released your account ····0189 for it." in owing.page()
    assert "has not read it yet" in owing.page()
    listed = owing.seen(REFUNDS)["refunds"]
    assert [(each["has_account"], each["account"]) for each in listed] == [(True, None), (False, None)]
    assert owing.refund(two)["account"] is None
    assert owing.refund(one)["account"] == IBAN
    assert "read it" in owing.page()
    owing.later(1 / 24)
    assert owing.refund(one)["account"] == IBAN
    assert "read it first" in owing.page()
    page = words(journey.browser.page(company))
    assert "Accounts of yours that you released to it ····0189" in page
    assert "read it first" in page
    assert "the accounts below that it has read, whose numbers name their banks" in page
    refused(journey.app, owing.sending(two, way="released_account"), 422, "refund")
    owing.send(one, way="released_account")
    assert owing.refund(one)["account"] is None
    assert "The company cannot read it while the refund is on its way." in owing.page()
    owing.later(6)
    owing.say(one, "missing")
    assert owing.refund(one)["account"] == IBAN
    owing.send(one, way="released_account")
    owing.say(one, "arrived")
    assert sealed(journey) == []
    assert "Erased here" in words(journey.browser.page(company))
    kinds = [told["type"].removeprefix("refund.") for told in owing.told()]
    assert kinds == ["promised", "promised", "account_released", "sent", "missing", "sent", "received"]


def sealed(journey: Journey) -> list[str]:
    with journey.services.reading() as uow:
        return list(uow.session.scalars(select(Sealed.id).where(Sealed.id.startswith("refund:"))))


def test_it_is_taken_back_at_once(owing: Owing) -> None:
    one = owing.promise()
    owing.release(one)
    assert owing.type_in(one).status_code == 409
    owing.say(one, "take-account-back")
    owing.say(one, "take-account-back")
    assert (owing.refund(one)["account"], owing.refund(one)["has_account"]) == (None, False)
    assert sealed(owing.journey) == []
    assert "You took it back" in words(owing.journey.browser.page(f"/companies/{owing.program.biller_id}"))
    assert owing.told()[-1]["type"] == "refund.account_withdrawn"
    owing.release(one, CANARY)  # and another one in its place
    assert owing.refund(one)["account"] == CANARY


@pytest.mark.parametrize("end", ["withdrawn", "erased"])
def test_it_ends_with_its_refund_or_its_time(owing: Owing, end: str) -> None:
    one = owing.promise()
    owing.release(one)
    if end == "withdrawn":
        assert owing.withdrawing(one).status_code == 200
    else:
        owing.send(one)
        owing.later(30)
        with owing.journey.services.unit_of_work() as uow:
            accounts.erase_over(uow)
            uow.commit()
        assert owing.told()[-1]["type"] == "refund.account_withdrawn"
        assert "The account was erased: its time was over" in owing.page()
    assert sealed(owing.journey) == []
    assert [account.state for account in owing.rows()[2]] == ["erased"]


def test_what_was_typed_and_not_released_is_forgotten(owing: Owing) -> None:
    one = owing.promise()
    owing.type_in(one)
    owing.type_in(one, CANARY)
    assert len(sealed(owing.journey)) == 1
    owing.later(1 / 24)
    assert owing.ceremony(one).status_code == 409
    with owing.journey.services.unit_of_work() as uow:
        accounts.erase_over(uow)
        uow.commit()
    assert (sealed(owing.journey), owing.rows()[2]) == ([], [])


@pytest.mark.parametrize(
    ("typed", "said"),
    {
        "": "Write the number of the account.",
        "12345678": "An IBAN begins with two letters",
        "20-20-15 55555555": "An IBAN begins with two letters",
        "US12345678901234567890": "An IBAN begins with two letters",
        "FR76 3000 6000": "too long or too short",
        "FR7630006000011234567890188": "its check digits do not fit",
        "<script>": "An IBAN begins with two letters",
    }.items(),
)
def test_what_is_no_iban_is_said_clearly_and_not_kept(owing: Owing, typed: str, said: str) -> None:
    one = owing.promise()
    answer = owing.type_in(one, typed)
    assert answer.status_code == 422
    assert said in words(answer)
    assert (sealed(owing.journey), owing.rows()[2]) == ([], [])


def test_only_a_passkey_over_this_very_account_releases_it(owing: Owing) -> None:
    one = owing.promise()
    owing.type_in(one)
    started, drawn = owing.ceremony(one).get_json(), owing.shown(one)
    owing.type_in(one, CANARY)  # somebody else, in another window
    assert owing.sign(one, started).status_code == 409
    assert owing.start(one, drawn).status_code == 409  # nor over what the page showed before
    assert owing.start(one, "").status_code == 409
    token = owing.journey.browser.token("/bills")
    path = f"{owing.account_path(one)}/release"
    assert owing.journey.browser.post(path, token=token, form={"ceremony": "x"}).status_code == 422
    assert [account.state for account in owing.rows()[2]] == ["typed"]
    assert owing.refund(one)["account"] is None


def test_a_stop_takes_released_accounts_back_and_none_is_released_while_it_stands(owing: Owing) -> None:
    one = owing.promise()
    owing.release(one)
    stop(owing.journey)
    assert (owing.refund(one)["account"], sealed(owing.journey)) == (None, [])
    assert owing.told()[-1]["type"] == "refund.account_withdrawn"
    answer = owing.type_in(one)
    assert answer.status_code == 409
    assert "Everything is stopped" in words(answer)
    assert owing.ceremony(one).status_code == 409
    assert owing.buttons() == ["Yes, €30.00 has arrived"]
    owing.journey.clock.tick(seconds=1)
    assert lift(owing.journey).status_code == 303
    owing.journey.clock.tick(seconds=1)
    owing.release(one)


# ----------------------------------------------------------------------------------------------------- what is not told


def test_the_number_stands_nowhere_but_in_the_vault(owing: Owing, caplog: pytest.LogCaptureFixture) -> None:
    """Every table, every log line, every page, webhook and listing, while it is released, read and gone."""
    caplog.set_level(logging.DEBUG)
    journey = owing.journey
    made_token = made(journey.browser)
    one = owing.promise()
    owing.type_in(one, CANARY[:-1] + "6")  # a slip of the hand
    seen = []
    for ending in (False, True):
        if ending:
            owing.send(one, way="released_account")
            owing.say(one, "arrived")
        else:
            owing.release(one, CANARY)
            assert owing.refund(one)["account"] == CANARY
        owing.told()
        seen += [
            journey.browser.get(f"/bills/{owing.invoice_id}").text,
            journey.browser.get(owing.account_path(one)).text,
            journey.browser.get(f"/bills/{owing.invoice_id}/proof").text,
            journey.browser.get(f"/companies/{owing.program.biller_id}").text,
            owing.program.get(REFUNDS).text,
            owing.program.get(f"{BILLS}/{owing.bill_id}").text,
            ask(journey.app, "/my/v1/bills", made_token).text,
            *everything(journey),
        ]
    assert len(seen) > 40
    for text_ in (*seen, caplog.text):
        bare = "".join(text_.split())
        assert CANARY not in bare
        assert CANARY[4:] not in bare


def everything(journey: Journey) -> list[str]:
    """All rows of all tables, as text."""
    with journey.services.reading() as uow:
        return [
            str(uow.session.execute(text(f'SELECT * FROM "{name}"')).all())  # noqa: S608  # our own names
            for name in metadata.tables
        ]


def test_a_customers_own_program_reads_them(owing: Owing) -> None:
    token = made(owing.journey.browser)
    one = owing.promise()
    owing.send(one)
    [shown] = ask(owing.journey.app, "/my/v1/bills", token).get_json()["bills"]
    assert shown["refunds"] == [
        {
            "state": "sent",
            "amount": {"amount": "30.00", "currency": "EUR"},
            "promised_by": (owing.today + 10 * DAY).isoformat(),
            "sent_on": owing.today.isoformat(),
        }
    ]


def test_no_more_accounts_than_some_and_no_more_refunds(owing: Owing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "ACCOUNTS_MOST", 1)
    monkeypatch.setattr(service, "REFUNDS_MOST", 1)
    one = owing.promise("10.00")
    refused(owing.journey.app, owing.promising("11.00"), 409, "refunds-most")
    owing.release(one)
    owing.say(one, "take-account-back")
    assert owing.type_in(one).status_code == 409
