"""Messages to customers, from the fact to a mailbox: both words, no link, once, and only to whoever wants them."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import delete, select, text, update

from app import failpoints
from app.db.work import LEASE, WorkRow
from app.errors import TooMany
from app.factory import create_app
from app.invariants import check
from app.journey.intake.models import HeldBill
from app.journey.notices import service, smtp
from app.journey.notices.kinds import APART, CHOICES, NoticeKind
from app.journey.notices.models import Notice
from app.journey.notices.sending import PAUSES_S
from app.journey.notices.service import UNENDED_MOST
from app.journey.notices.texts import TEXTS, Text
from app.journey.payments.reasons import Reason
from app.journey.reconciliation.service import import_statement
from app.people import accounts, mailboxes, safe_words, vetting
from app.people.models import Customer, PayeeAccount
from app.people.safe_words import SafeWords
from app.people.word_lists import WORDS
from app.schedule import Schedule
from app.services import Services, utc_now
from app.worker import Worker
from config.settings import ROOT
from connectors.sandbox_bank import authority
from consent.models import Sealed
from tests.support import factories
from tests.support.camt import Line, camt
from tests.support.journey import Browser, Journey
from tests.support.mail_server import Mailed, MailServer, serve_mail
from tests.support.own_bills import add, check_payee
from tests.support.pictures import IBAN as OWN_IBAN
from tests.support.thorough import spread

GATHERED_S = 601.0
SENDER = "messages@bills.example"


@pytest.fixture(scope="session")
def mail_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mail")
    authority.make(folder)
    return folder


#: where it matters how a mail server is spoken to
BOTH_TRANSPORTS = pytest.mark.parametrize("mail", ["smtps", "smtp+starttls"], indirect=True)


@pytest.fixture(params=[pytest.param("smtps", marks=pytest.mark.long), "smtp+starttls"])
def mail(request: pytest.FixtureRequest, mail_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    monkeypatch.setenv("SSL_CERT_FILE", str(mail_folder / authority.CA))
    with serve_mail(mail_folder, starttls=request.param == "smtp+starttls") as server:
        yield server


def with_mail(journey: Journey, url: str) -> Journey:
    """The same installation with a mail server, and its customer, who wants to be told of everything."""
    settings = dataclasses.replace(journey.services.settings, smtp_url=url, mail_from=SENDER)
    journey.services = dataclasses.replace(journey.services, settings=settings)
    journey.worker = Worker(journey.services, Schedule(journey.services))
    client, device = create_app(journey.services).test_client(), journey.browser.device
    journey.browser = Browser(client, device)
    journey.browser.sign_in()
    choose(journey, *CHOICES)
    with journey.services.unit_of_work() as uow:
        uow.session.get_one(Customer, journey.customer.id).email_proven_at = uow.now
        uow.commit()
    return journey


@pytest.fixture
def told(journey: Journey, mail: MailServer) -> Journey:
    return with_mail(journey, mail.url)


def choose(journey: Journey, *kinds: str) -> int:
    token = journey.browser.token("/messages")
    form: dict[str, object] = {"kind": list(kinds)}
    return journey.browser.post("/messages/choice", token=token, form=form).status_code  # type: ignore[arg-type]


def words(services: Services, customer_id: str) -> SafeWords:
    with services.reading() as uow:
        found = safe_words.find(services.vault, uow.session, safe_words.row_of(customer_id))
    assert found is not None
    return found


def states(journey: Journey) -> list[tuple[str, str]]:
    with journey.services.reading() as uow:
        rows = uow.session.execute(select(Notice.kind, Notice.state).order_by(Notice.id))
        return [(row.kind, row.state) for row in rows]


def page(journey: Journey) -> str:
    return " ".join(journey.browser.page("/messages").get_text(" ").split())


@BOTH_TRANSPORTS
def test_a_message_arrives_with_both_words_and_no_link(told: Journey, mail: MailServer) -> None:
    mail.password = "open sesame"
    told = with_mail(told, mail.url.replace("open sesame", "open%20sesame"))
    for number in ("one", "two"):
        told.bill(number=number, payee={"name": told.biller.name, "iban": told.biller.iban})
    assert mail.taken == []
    assert "Not sent yet" in page(told)
    told.wait(GATHERED_S)
    [mailed] = mail.taken  # two bills, one message
    message, pair = mailed.message, words(told.services, told.customer.id)
    assert (mailed.sender, mailed.to) == (SENDER, [told.customer.email])
    assert mailed.text.splitlines()[0] == f"Your two safe words: {pair.first}, {pair.second}"
    assert not re.search(r"\d|@|/|www|\w\.\w", mailed.text), mailed.text
    assert told.biller.name.split()[0] not in mailed.text + message["Subject"]
    assert pair.first not in message["Subject"]
    assert message.get_content_type() == "text/plain"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "en"
    assert message["Date"].datetime == told.clock.now  # and not when the first of the two bills came
    assert message["Message-ID"].endswith("@bills.example>")
    assert all("AUTH" not in line for line in mail.in_clear)
    assert "Something new is in your space" in page(told)
    assert "Sent " in page(told)
    assert "All messages of the last 90 days" in page(told)
    assert states(told) == [("new_bill", "sent")]


def test_a_line_that_begins_with_from_arrives_as_it_was_written(
    told: Journey, mail: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TEXTS[NoticeKind.NEW_BILL], "en", Text("A bill", ("From now on it is here.",)))
    told.bill()
    told.wait(GATHERED_S)
    assert "\nFrom now on it is here.\n" in mail.taken[0].text.replace("\r", "")


def test_nobody_is_written_to_who_did_not_choose_it(journey: Journey, mail: MailServer) -> None:
    journey = with_mail(journey, mail.url)
    choose(journey, "payment_reversed")
    journey.bill()
    journey.wait(GATHERED_S)
    assert states(journey) == []
    assert choose(journey, "payment_reversed", "lottery") == 422
    choose(journey, "new_bill")
    journey.bill(number="another")
    choose(journey)  # changed their mind before it was sent
    journey.wait(GATHERED_S)
    assert states(journey) == [("new_bill", "not_sent")]
    assert mail.taken == []


def test_a_customer_without_words_gets_none(told: Journey, mail: MailServer) -> None:
    told.bill()
    with told.services.unit_of_work() as uow:
        uow.session.delete(uow.session.get_one(Sealed, safe_words.row_of(told.customer.id)))
        uow.commit()
    told.wait(GATHERED_S)
    assert states(told) == [("new_bill", "not_sent")]
    assert mail.taken == []
    page(told)  # here they are drawn
    assert words(told.services, told.customer.id).first in page(told)


def test_what_happens_to_a_payment_is_told(told: Journey, mail: MailServer) -> None:
    told.pay(told.bill())
    told.wait(5)
    told.pay(told.bill(number="no"), decision="refuse")
    told.wait(GATHERED_S)
    kinds = [kind for kind, state in states(told) if state == "sent"]
    assert {"payment_settled", "payment_failed", "new_bill"} <= set(kinds)
    assert {"A payment is done", "A payment was not made"} <= {each.message["Subject"] for each in mail.taken}


def test_a_swapped_account_and_a_frozen_one_are_told(told: Journey, mail: MailServer) -> None:
    told.deliver(number="swap", payee={"name": "Lumen", "iban": "GB33BUKB20201555555555"})
    told.confirm(told.bill())
    freeze(told, told.biller.iban)
    told.wait(GATHERED_S)
    assert {"A bill is held back", "Nothing more is paid to an account"} <= set(subjects(mail))


def freeze(journey: Journey, iban: str) -> None:
    with journey.services.unit_of_work() as uow:
        account = uow.session.scalars(select(PayeeAccount).where(PayeeAccount.iban == iban)).one()
        accounts.freeze(uow, account_id=account.id, by="ada", note="a report")
        uow.commit()


def subjects(mail: MailServer) -> list[str]:
    return [each.message["Subject"] for each in mail.taken]


def test_a_frozen_account_of_a_bill_that_its_customer_added_is_told(told: Journey, mail: MailServer) -> None:
    invoice_id = add(told.browser)
    factories.make_biller(told.services, iban=OWN_IBAN)
    check_payee(told.browser, invoice_id, typed=OWN_IBAN)
    payment_id = told.confirm(invoice_id)
    freeze(told, OWN_IBAN)
    told.wait(1)
    assert told.payment(payment_id).reason == Reason.ACCOUNT_HELD
    assert "Nothing more is paid to an account" in subjects(mail)


def test_a_suspended_company_with_a_payment_to_it_under_way_is_told(told: Journey, mail: MailServer) -> None:
    told.confirm(told.bill())
    with told.services.unit_of_work() as uow:
        vetting.suspend(uow, biller_id=told.biller.id, by="ada", note="its bills are not its own")
        uow.commit()
    told.wait(1)
    assert "Nothing more is paid to an account" in subjects(mail)


def reverse(journey: Journey, payment_id: str) -> None:
    """The bank's statements: it arrived, and was taken back."""
    payment = journey.payment(payment_id)
    line = Line(end_to_end_id=payment.end_to_end_id, amount=str(payment.amount), reference="R1")
    back = dataclasses.replace(line, indicator="DBIT", reversal=True, reference="R2")
    for number, each in enumerate((line, back)):
        import_statement(journey.services, camt(each, account=journey.biller.iban, message_id=f"M{number}"))


def test_a_payment_that_is_taken_back_is_told(told: Journey, mail: MailServer) -> None:
    payment_id = told.pay(told.bill())
    told.wait(600)
    assert "A payment is done" in subjects(mail)
    reverse(told, payment_id)
    told.wait(1)
    assert subjects(mail)[-1] == "A payment was taken back"
    assert "A payment was taken back" in page(told)


def test_what_is_not_so_any_more_when_it_can_be_sent_is_not_sent(told: Journey, mail: MailServer) -> None:
    choose(told, "payment_settled", "payment_reversed", "bill_held")
    mail.to_rcpt = [451]
    payment_id = told.pay(told.bill())
    told.wait(600)
    told.deliver(number="swap", payee={"name": "Lumen", "iban": "GB33BUKB20201555555555"})
    told.worker.run_until_idle()
    reverse(told, payment_id)
    with told.services.unit_of_work() as uow:
        held = uow.session.scalars(select(HeldBill)).one()
        held.ended_as, held.ended_at = "discarded", uow.now
        uow.commit()
    told.wait(3600)
    told.browser.sign_in()
    assert subjects(mail) == ["A payment was taken back"]
    said = page(told)  # of the one a mail server may have taken the one try that there was, of the other there was none
    assert said.count("before a mail server said that it took it; it may have arrived all the same") == 1
    assert said.count("Not sent by e-mail") == 1
    assert sorted(states(told)) == [
        ("bill_held", "not_sent"),
        ("payment_reversed", "sent"),
        ("payment_settled", "not_sent"),
    ]


@pytest.mark.long_on_postgres  # ninety-six deliveries, and the database has no part in it
def test_a_thousand_bills_of_one_company_are_no_flood(told: Journey, mail: MailServer) -> None:
    choose(told, "new_bill")
    for number in range(24 * 4):
        told.deliver(number=f"n{number}")
        told.wait(900)
    assert len(mail.taken) == 4


def test_what_comes_while_one_is_being_sent_is_another_message(
    told: Journey, mail: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mailbox has the first one already: nobody would look again."""

    def bill(name: str) -> None:
        if name == "notice.sent":
            monkeypatch.setattr(failpoints, "hook", None)
            told.bill(number="late")

    choose(told, "new_bill")
    told.bill()
    monkeypatch.setattr(failpoints, "hook", bill)
    told.wait(GATHERED_S)
    told.wait(APART.total_seconds() + 1)
    assert len(mail.taken) == 2


def press(journey: Journey, act: str) -> None:
    """On the page of the company."""
    token = journey.browser.token(f"/companies/{journey.biller.id}")
    assert journey.browser.post(f"/companies/{journey.biller.id}/{act}", token=token, form={}).status_code == 303


def test_bills_of_a_muted_company_come_without_a_message(told: Journey, mail: MailServer) -> None:
    """As its page promises."""
    choose(told, "new_bill")
    press(told, "mute")
    told.bill(number="muted")
    told.wait(GATHERED_S)
    assert states(told) == []
    press(told, "unmute")
    told.bill(number="heard")
    told.wait(GATHERED_S)
    assert len(mail.taken) == 1


@pytest.mark.parametrize("act", ["mute", "block"])
def test_a_company_that_is_silenced_while_its_message_waits_is_told_no_more(
    told: Journey, mail: MailServer, act: str
) -> None:
    choose(told, "new_bill")
    told.bill()
    press(told, act)
    told.wait(GATHERED_S)
    assert (mail.taken, states(told)) == ([], [("new_bill", "not_sent")])


def test_what_another_company_sent_meanwhile_is_told(told: Journey, mail: MailServer) -> None:
    """One message speaks for both: it is the other one's still."""
    choose(told, "new_bill")
    told.bill()
    other = factories.make_biller(told.services, name="Aquarelle")
    address = factories.connect(told.services, customer_id=told.customer.id, biller_id=other.id)
    dataclasses.replace(told, biller=other, address=address).bill(number="theirs")
    press(told, "mute")
    told.wait(GATHERED_S)
    assert (len(mail.taken), states(told)) == (1, [("new_bill", "sent")])


def test_a_held_bill_of_a_company_that_is_blocked_while_its_message_waits_is_told_no_more(
    told: Journey, mail: MailServer
) -> None:
    """Nor is it shown."""
    choose(told, "bill_held")
    told.deliver(number="swap", payee={"name": "Lumen", "iban": "GB33BUKB20201555555555"})
    told.worker.run_until_idle()
    press(told, "block")
    told.wait(GATHERED_S)
    assert (mail.taken, states(told)) == ([], [("bill_held", "not_sent")])


def test_from_one_that_came_late_to_the_next_there_are_six_hours_too(told: Journey, mail: MailServer) -> None:
    """The server said "not now" for hours, and what came meanwhile is told in another message."""
    choose(told, "new_bill")
    mail.to_rcpt = [451] * 6
    told.bill()
    told.wait(GATHERED_S)
    tried = told.clock.now.timestamp()
    told.bill(number="meanwhile")
    came: list[float] = []
    for _ in range(24 * 6):
        told.wait(600)
        came += [told.clock.now.timestamp()] * (len(mail.taken) - len(came))
    assert states(told) == [("new_bill", "sent")] * 2
    [first, second] = came
    assert second - first >= APART.total_seconds()
    assert first - tried > sum(PAUSES_S[:6])


@pytest.mark.tampers
def test_one_whose_work_broke_off_for_good_does_not_silence_the_later_ones(told: Journey, mail: MailServer) -> None:
    choose(told, "new_bill")
    told.bill()
    with told.services.unit_of_work() as uow:
        uow.session.execute(update(Notice).values(tries=1, begun_at=uow.now))
        uow.session.execute(delete(WorkRow).where(WorkRow.handler == "notices.send"))
        uow.commit()
    told.wait(UNENDED_MOST.total_seconds() + 1)
    told.bill(number="later")
    told.wait(GATHERED_S)
    assert len(mail.taken) == 1


@pytest.mark.parametrize(
    "address",
    spread(
        [
            "a..b@x.org",
            ".a@x.org",
            "a,b@x.org",
            '"a b"@x.org',
            "ünter@x.org",
            "a@exämple.org",
            "a@-x.org",
            "<a@b.c>@x.org",
            "=?utf-8?q?a=40evil.example?=@x.org",
            "=?utf-8?q?a=0D=0ABcc=3A_b=40c.example?=@x.org",
            "a.=?utf-8?b?w6k=?=@x.org",
        ],
        every=3,
    ),
)
def test_an_address_that_is_none_is_refused_and_not_tried_for_ever(
    told: Journey, mail: MailServer, address: str
) -> None:
    with told.services.unit_of_work() as uow:
        uow.session.get_one(Customer, told.customer.id).email = address
        uow.commit()
    told.bill()
    told.wait(GATHERED_S)
    assert states(told) == [("new_bill", "refused")]
    assert mail.said == []


def test_new_words_are_told_with_those_of_before(told: Journey, mail: MailServer) -> None:
    before = words(told.services, told.customer.id)
    token = told.browser.token("/messages")
    assert told.browser.post("/messages/words", token=token, form={}).status_code == 303
    told.wait(1)
    [mailed] = mail.taken
    assert mailed.text.splitlines()[0].endswith(f"{before.first}, {before.second}")
    now = words(told.services, told.customer.id)
    assert now != before
    assert now.first in page(told)


def test_whoever_empties_the_choice_cannot_have_new_words_go_by_unseen(told: Journey, mail: MailServer) -> None:
    choose(told)
    token = told.browser.token("/messages")
    told.browser.post("/messages/words", token=token, form={})
    told.wait(1)
    assert subjects(mail) == ["Your safe words were changed"]


@pytest.fixture
def unproven(journey: Journey, mail: MailServer) -> Journey:
    """Whoever has chosen everything and has not shown that the address is theirs."""
    journey = with_mail(journey, mail.url)
    with journey.services.unit_of_work() as uow:
        uow.session.get_one(Customer, journey.customer.id).email_proven_at = None
        uow.commit()
    return journey


def ask(journey: Journey, *, wait: bool = True) -> int:
    token = journey.browser.token("/messages")
    status = journey.browser.post("/messages/address", token=token, form={}).status_code
    if wait:
        journey.wait(1)
    return status


def type_words(journey: Journey, typed: str) -> str:
    """What the page says then."""
    token = journey.browser.token("/messages")
    answer = journey.browser.post("/messages/address/words", token=token, form={"words": typed})
    return " ".join(journey.browser.page(answer.headers["Location"]).get_text(" ").split())


def test_the_words_to_type_are_none_of_the_safe_ones(
    unproven: Journey, mail: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few there are to draw from."""
    own = words(unproven.services, unproven.customer.id)
    monkeypatch.setitem(WORDS, "en", (own.first, own.second, "thatone", "theother"))
    assert ask(unproven) == 303
    [mailed] = mail.taken
    assert set(first_line(mailed).split(", ")) == {"thatone", "theother"}


def test_an_address_is_written_to_once_its_customer_has_shown_that_it_is_theirs(
    unproven: Journey, mail: MailServer
) -> None:
    before = words(unproven.services, unproven.customer.id)
    unproven.bill()
    unproven.wait(GATHERED_S)
    assert mail.taken == []
    assert "What is ticked is sent once you have shown" in page(unproven)
    assert ask(unproven) == 303
    [mailed] = mail.taken
    typed = first_line(mailed)
    assert mailed.message["Subject"] == "Is this address yours?"
    assert not {before.first, before.second} & set(re.findall(r"\w+", mailed.text.partition("\n")[0]))
    assert typed not in page(unproven)
    for wrong in ("", "lantern meadow", f"{before.first} {before.second}", typed.split(",")[0]):
        assert "These are not the two words" in type_words(unproven, wrong)
    assert words(unproven.services, unproven.customer.id) == before
    assert "You have shown that this address is yours" in type_words(unproven, f" {typed.upper()} ")
    assert words(unproven.services, unproven.customer.id) == before  # those that its customer knows
    assert "These are not the two words" not in type_words(unproven, typed)  # they counted once
    unproven.bill(number="next")
    unproven.wait(GATHERED_S)
    assert subjects(mail) == ["Is this address yours?", "Something new is in your space"]
    assert mail.taken[1].text.splitlines()[0] == f"Your two safe words: {before.first}, {before.second}"
    assert check(unproven.services.engine, now=unproven.clock()) == []


def test_words_that_were_sent_to_an_address_count_for_two_days_and_only_the_last_ones(
    unproven: Journey, mail: MailServer
) -> None:
    ask(unproven)
    unproven.clock.tick(days=1)
    unproven.browser.sign_in()
    ask(unproven)
    first, second = map(first_line, mail.taken)
    assert "These are not the two words" in type_words(unproven, first)
    unproven.clock.tick(days=2)
    unproven.browser.sign_in()
    assert "last message that we sent there do not count any more" in type_words(unproven, second)
    assert "Nothing of what is ticked below is sent to camille@example.org yet" in page(unproven)


def test_a_link_to_the_page_does_not_make_it_say_that_words_were_wrong(unproven: Journey, mail: MailServer) -> None:
    plain = page(unproven)
    assert " ".join(unproven.browser.page("/messages?wrong=1").get_text(" ").split()) == plain
    assert "do not count" not in plain


def test_whoever_asks_too_often_is_told_when_to_try_again(unproven: Journey, mail: MailServer) -> None:
    ask(unproven, wait=False)
    token = unproven.browser.token("/messages")
    again = unproven.browser.post("/messages/address", token=token, form={})
    assert "Try again tomorrow, or from the time" in again.get_data(as_text=True)


def test_a_space_asks_once_a_day(unproven: Journey, mail: MailServer) -> None:
    assert "Write to this address" in page(unproven)
    assert [ask(unproven, wait=False) for _ in range(3)] == [303, 429, 429]
    assert states(unproven) == [("address_asked", "waiting")]  # written with the fact, and not by work that comes later
    unproven.wait(1)
    assert [ask(unproven), ask(unproven)] == [429, 429]
    [mailed] = mail.taken
    said = page(unproven)
    assert "We can write there again from" in said
    assert "Write there again" not in said
    unproven.clock.tick(days=1)
    unproven.browser.sign_in()
    assert "Write there again" in page(unproven)
    assert ask(unproven) == 303
    assert "You have shown" in type_words(unproven, first_line(mail.taken[1]))
    assert first_line(mailed) != first_line(mail.taken[1])


def test_whoever_does_not_answer_is_not_asked_every_day_for_ever(unproven: Journey, mail: MailServer) -> None:
    answers, said = [], ""
    for _ in range(8):
        answers.append(ask(unproven))
        said = page(unproven)
        unproven.clock.tick(days=12)
        unproven.browser.sign_in()
    assert answers == [303] * 5 + [429] * 3
    assert "We can write there again from" in said
    assert ask(unproven) == 303  # ninety days after the first one
    assert ask(unproven) == 429


def test_words_that_count_no_more_are_not_sent(unproven: Journey, mail: MailServer) -> None:
    """No worker ran meanwhile."""
    ask(unproven, wait=False)
    unproven.clock.tick(days=2)
    unproven.worker.run_until_idle()
    assert mail.taken == []
    assert states(unproven) == [("address_asked", "not_sent")]
    unproven.browser.sign_in()
    assert ask(unproven) == 303  # and nothing was said: it can be asked at once
    assert len(mail.taken) == 1


def test_the_question_and_its_words_are_in_the_language_of_the_customer(unproven: Journey, mail: MailServer) -> None:
    """Whatever language the page was read in."""
    reader = factories.make_customer(unproven.services, locale="fr")
    assert asks(unproven, reader.id)
    unproven.worker.run_until_idle()
    [mailed] = mail.taken
    assert mailed.message["Content-Language"] == "fr"
    assert mailed.text.startswith("Deux mots à taper dans votre espace")
    assert set(first_line(mailed).split(", ")) <= set(WORDS["fr"])


def first_line(mailed: Mailed) -> str:
    """The two words with which it begins."""
    return mailed.text.splitlines()[0].partition(": ")[2]


def others_with(journey: Journey, *emails: str) -> list[str]:
    """Spaces that strangers made later, with these addresses."""
    made = [factories.make_customer(journey.services) for _ in emails]
    with journey.services.unit_of_work() as uow:
        for each, email in zip(made, emails, strict=True):
            mailboxes.give(uow.session, uow.session.get_one(Customer, each.id), email)
        uow.commit()
    return [each.id for each in made]


def asks(journey: Journey, customer_id: str) -> bool:
    """Whether this space may."""
    with journey.services.unit_of_work() as uow:
        try:
            service.ask_address(journey.services, uow, customer_id)
        except TooMany:
            return False
        uow.commit()
        return True


def test_nobody_is_pestered_by_people_who_make_spaces_nor_shut_out_by_them(unproven: Journey, mail: MailServer) -> None:
    address = unproven.customer.email
    name, _, domain = address.partition("@")
    others = others_with(unproven, address, f"{name}+one@{domain}", address, f"{name}+two@{domain}")
    assert [asks(unproven, each) for each in others] == [True, True, False, False]
    unproven.wait(1)
    assert len(mail.taken) == 2
    assert ask(unproven) == 303  # who had it first has one of their own
    assert not any(asks(unproven, each) for each in others)
    [elsewhere, like_it] = others_with(unproven, f"{name}@mail.example.org", f"{name}s@{domain}")
    assert asks(unproven, elsewhere)
    assert asks(unproven, like_it)
    unproven.clock.tick(days=1)
    assert [asks(unproven, each) for each in reversed(others)] == [True, True, False, False]


def test_who_was_first_takes_no_place_of_others_twice(unproven: Journey, mail: MailServer) -> None:
    address = unproven.customer.email
    others = others_with(unproven, address, address, address)
    assert ask(unproven) == 303
    assert [asks(unproven, each) for each in others] == [True, True, False]


def test_the_place_is_kept_for_whoever_still_has_to_show_the_address(unproven: Journey, mail: MailServer) -> None:
    """The space that was first has shown it: it asks no more, and of the others the first one has a place."""
    address = unproven.customer.email
    with unproven.services.unit_of_work() as uow:
        uow.session.get_one(Customer, unproven.customer.id).email_proven_at = uow.now
        uow.commit()
    [first] = others_with(unproven, address)
    unproven.clock.tick(seconds=1)
    later = others_with(unproven, address, address, address)
    assert [asks(unproven, each) for each in later] == [True, True, False]
    assert asks(unproven, first)


def test_who_made_spaces_with_labels_first_does_not_have_the_place_of_the_plain_address(
    unproven: Journey, mail: MailServer
) -> None:
    [labelled] = others_with(unproven, "noor+label@example.org")
    unproven.clock.tick(seconds=1)
    [plain] = others_with(unproven, "noor@example.org")
    others = others_with(unproven, *["noor+later@example.org"] * 3)
    assert [asks(unproven, each) for each in others] == [True, True, False]
    assert not asks(unproven, labelled)
    assert asks(unproven, plain)


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_many_spaces_that_ask_at_one_moment_are_counted_all_the_same(unproven: Journey, mail: MailServer) -> None:
    others = others_with(unproven, *[unproven.customer.email] * 8)
    together = threading.Barrier(len(others))

    def ask_together(customer_id: str) -> bool:
        together.wait(10)
        return asks(unproven, customer_id)

    with ThreadPoolExecutor(len(others)) as threads:
        assert sum(threads.map(ask_together, others)) == 2
    assert asks(unproven, unproven.customer.id)
    unproven.wait(1)
    assert len(mail.taken) == 3


def test_a_sender_whose_clock_is_a_little_behind_breaks_no_promise(unproven: Journey, mail: MailServer) -> None:
    ask(unproven)
    type_words(unproven, first_line(mail.taken[0]))
    unproven.clock.tick(seconds=-3)
    token = unproven.browser.token("/messages")
    unproven.browser.post("/messages/words", token=token, form={})
    unproven.worker.run_until_idle()
    assert states(unproven) == [("address_asked", "sent"), ("words_changed", "sent")]
    assert check(unproven.services.engine, now=unproven.clock()) == []


def test_an_address_that_was_shown_is_not_asked_again(told: Journey, mail: MailServer) -> None:
    assert ask(told) == 409
    assert mail.taken == []
    assert states(told) == []


def test_an_address_that_cannot_be_written_to_is_not_asked(unproven: Journey, mail: MailServer) -> None:
    with unproven.services.unit_of_work() as uow:
        uow.session.get_one(Customer, unproven.customer.id).email = "a,b@example.org"
        uow.commit()
    assert ask(unproven) == 422
    assert states(unproven) == []


def test_a_refused_address_is_said_on_the_page(told: Journey, mail: MailServer) -> None:
    mail.to_rcpt = [550]
    told.bill()
    told.wait(GATHERED_S)
    assert states(told) == [("new_bill", "refused")]
    assert "We could not reach you by e-mail" in page(told)
    told.bill(number="later")
    told.wait(APART.total_seconds() + 1)
    told.browser.sign_in()
    assert len(mail.taken) == 1
    assert "We could not reach you by e-mail" not in page(told)


@pytest.mark.parametrize(
    ("where", "answer"),
    spread(
        [
            ("greeting", "554 no service here"),
            ("to_mail", "530 5.7.0 authentication required"),
            ("to_mail", "550 5.1.8 bad sender"),
            ("to_mail", "552 5.3.4 too big"),
            ("to_rcpt", "530 authentication required"),
            ("to_rcpt", "550 5.7.1 relaying denied"),
            ("to_rcpt", "554 5.7.1 relay access denied"),
            ("to_rcpt", "550 5.1.8 bad sender"),
            ("to_rcpt", "503 bad sequence"),
            ("to_data", "550 5.1.1 no such user"),  # nothing but RCPT is about the address
            ("to_data", "552 too big"),
            ("to_data", "554 5.7.1 it looks like spam"),
        ],
        every=3,
    ),
)
def test_what_is_our_own_fault_is_not_laid_on_the_address(
    told: Journey, mail: MailServer, caplog: pytest.LogCaptureFixture, where: str, answer: str
) -> None:
    if where == "greeting":
        mail.greeting = lambda connection: connection.sendall(f"{answer}\r\n".encode())
    else:
        setattr(mail, where, [answer])
    told.bill()
    told.wait(GATHERED_S)
    assert mail.taken == []
    assert states(told) == [("new_bill", "waiting")]
    assert f" {answer[:3]}, tried again" in caplog.text
    assert answer[4:] not in caplog.text
    assert "We could not reach you by e-mail" not in page(told)
    mail.greeting = None
    told.wait(PAUSES_S[0] + 1)
    assert states(told) == [("new_bill", "sent")]


@pytest.mark.parametrize(
    "answer", ["550 5.1.1 no such user", "550 5.2.1 disabled", "552 5.2.2 full", "550 nobody", "551 not here", "553 no"]
)
def test_what_is_said_of_the_address_is_laid_on_it(told: Journey, mail: MailServer, answer: str) -> None:
    mail.to_rcpt = [answer]
    told.bill()
    told.wait(GATHERED_S)
    assert states(told) == [("new_bill", "refused")]


@pytest.mark.parametrize("where", ["to_rcpt", "to_data"])
def test_what_is_refused_for_now_comes_later(told: Journey, mail: MailServer, where: str) -> None:
    setattr(mail, where, [451, 0])  # not now; then it hangs up in the middle
    told.bill()
    told.wait(GATHERED_S)
    assert mail.taken == []
    for pause_s in PAUSES_S[:2]:
        told.wait(pause_s + 1)
    assert len(mail.taken) == 1
    assert states(told) == [("new_bill", "sent")]


def test_after_a_day_it_is_given_up(told: Journey, mail: MailServer) -> None:
    mail.to_data = [451] * 20
    told.bill()
    told.wait(GATHERED_S)
    for pause_s in PAUSES_S:
        told.wait(pause_s + 1)
    assert states(told) == [("new_bill", "given_up")]
    assert 23 * 3600 < sum(PAUSES_S) < 24 * 3600
    told.browser.sign_in()
    assert "for a day no mail server has said that it took it; it may have arrived all the same" in page(told)


def test_a_server_that_we_do_not_trust_gets_nothing(
    told: Journey, mail: MailServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    empty = tmp_path / "nobody.pem"
    empty.write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(empty))
    told.bill()
    told.wait(GATHERED_S)
    assert mail.taken == []
    assert not [line for line in mail.said if line.startswith("MAIL")]
    assert states(told) == [("new_bill", "waiting")]


def test_a_server_with_the_certificate_of_another_name_gets_nothing(journey: Journey, mail: MailServer) -> None:
    """Whoever is on the way may have a good one, of a name of their own."""
    journey = with_mail(journey, mail.url.replace("127.0.0.1", "127.1"))  # the same machine, and another name
    journey.bill()
    journey.wait(GATHERED_S)
    assert mail.taken == []
    assert not [line for line in mail.said if line.startswith("MAIL")]
    assert states(journey) == [("new_bill", "waiting")]


def test_a_server_whose_name_or_answer_is_none_is_tried_again_like_any_other(
    journey: Journey, caplog: pytest.LogCaptureFixture
) -> None:
    """And no dead letter, for which nobody would be told that it was given up."""
    journey = with_mail(journey, f"smtps://{'a' * 70}.example")
    journey.bill()
    journey.wait(GATHERED_S)
    assert states(journey) == [("new_bill", "waiting")]
    assert "tried again" in caplog.text
    assert "notices.send" not in caplog.text
    for pause_s in PAUSES_S:
        journey.wait(pause_s + 1)
    assert states(journey) == [("new_bill", "given_up")]


class Killed(BaseException):
    """As SIGKILL: nothing of ours runs after it."""


def test_killed_between_250_and_our_commit_it_is_the_same_message_again(
    told: Journey, mail: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(name: str) -> None:
        if name == "notice.sent":
            raise Killed

    told.bill()
    told.clock.tick(seconds=GATHERED_S)
    monkeypatch.setattr(failpoints, "hook", die)
    with pytest.raises(Killed):
        told.worker.run_until_idle()
    monkeypatch.setattr(failpoints, "hook", None)
    assert states(told) == [("new_bill", "waiting")]
    told.wait(31)  # its lease is over
    first, second = mail.taken
    assert first.raw == second.raw
    assert states(told) == [("new_bill", "sent")]
    told.wait(3600)
    assert len(mail.taken) == 2


def test_a_worker_that_is_killed_for_real_between_250_and_its_commit(told: Journey, mail: MailServer) -> None:
    """kill -9 of ``quittance worker``: it has read the 250 (it says QUIT) and waits for the database."""
    told.clock.now = utc_now()
    told.browser.sign_in()
    choose(told, "payment_settled")
    in_the_way = contextlib.ExitStack()

    def get_in_the_way() -> None:
        uow = in_the_way.enter_context(told.services.unit_of_work())
        if uow.session.connection().dialect.name == "postgresql":
            uow.session.execute(text("LOCK TABLE notice IN ACCESS EXCLUSIVE MODE"))

    def kill() -> None:
        process.kill()
        process.wait()
        in_the_way.close()

    mail.before_250, mail.at_quit = get_in_the_way, kill
    token = told.browser.token("/messages")
    told.browser.post("/messages/words", token=token, form={})
    process = worker_of(told)
    try:
        assert process.wait(60) == -signal.SIGKILL
    finally:
        process.kill()
        process.wait()
    mail.before_250 = mail.at_quit = lambda: None
    assert len(mail.taken) == 1
    assert states(told) == [("words_changed", "waiting")]
    assert "Being sent since" in page(told)  # and it is in the list all the same
    told.clock.now = utc_now()
    told.wait(LEASE.total_seconds() + 1)
    first, second = mail.taken
    assert first.raw == second.raw
    assert first.message["Message-ID"]
    assert states(told) == [("words_changed", "sent")]
    told.wait(86400)
    assert len(mail.taken) == 2


def worker_of(journey: Journey) -> subprocess.Popen[bytes]:
    """``quittance worker`` of this installation, on the true time."""
    settings = journey.services.settings
    names = ("data", "base_url", "database_url", "keys", "banks", "bank_keys", "space_domain", "smtp_url", "mail_from")
    values = {f"QUITTANCE_{name.upper()}": str(getattr(settings, name)) for name in names} | {"QUITTANCE_DEMO": "true"}
    others = {name: value for name, value in os.environ.items() if not name.startswith("QUITTANCE_")}
    return subprocess.Popen([sys.executable, "-m", "app.cli", "worker"], cwd=ROOT, env={**others, **values})


def test_a_frozen_worker_that_wakes_up_has_nothing_more_to_say(
    told: Journey, mail: MailServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Another one has taken over meanwhile, and has sent it."""

    def freeze_here(name: str) -> None:
        if name == "notice.sent":
            monkeypatch.setattr(failpoints, "hook", None)
            told.clock.tick(seconds=LEASE.total_seconds() + 1)
            Worker(told.services, Schedule(told.services)).run_until_idle()

    choose(told, "new_bill")
    told.bill()
    monkeypatch.setattr(failpoints, "hook", freeze_here)
    told.wait(GATHERED_S)
    assert [each.raw for each in mail.taken] == [mail.taken[0].raw] * 2
    assert states(told) == [("new_bill", "sent")]
    assert "failed" not in caplog.text
    assert "was taken over by another worker" in caplog.text


def for_ever(line: bytes, pause_s: float) -> Callable[[socket.socket], None]:
    def say(connection: socket.socket) -> None:
        while True:
            connection.sendall(line)
            time.sleep(pause_s)

    return say


@pytest.mark.parametrize(
    "says", [for_ever(b"2", 0.01), for_ever(b"220-ready\r\n", 0.01), for_ever(b"220-x\r\n" * 999, 0)]
)
def test_a_server_that_never_comes_to_an_end_holds_nobody_up(
    told: Journey, mail: MailServer, monkeypatch: pytest.MonkeyPatch, says: Callable[[socket.socket], None]
) -> None:
    """Byte by byte, line by line, or as much as goes through: before TLS anybody on the way may say it."""
    monkeypatch.setattr(smtp, "ALL_S", 1.0)
    mail.greeting = says
    told.bill()
    told.wait(GATHERED_S)  # it comes back
    assert states(told) == [("new_bill", "waiting")]
    mail.greeting = None
    told.wait(PAUSES_S[0] + 1)
    assert states(told) == [("new_bill", "sent")]


@BOTH_TRANSPORTS
def test_a_server_without_starttls_is_told_nothing(told: Journey, mail: MailServer) -> None:
    """As if somebody on the way had taken the offer out of its answer."""
    mail.offers_tls = False
    told.bill()
    told.wait(GATHERED_S)
    assert [line.split()[0].upper() for line in mail.in_clear] == ["EHLO"] * mail.starttls
    assert states(told) == [("new_bill", "waiting" if mail.starttls else "sent")]


def test_without_a_mail_server_the_list_says_what_would_have_been_sent(journey: Journey) -> None:
    choose(journey, "new_bill")
    journey.bill()
    journey.wait(GATHERED_S)
    assert states(journey) == [("new_bill", "not_sent")]
    said = page(journey)
    assert "This installation sends no e-mail" in said
    assert "One or more new bills have come into your space." in said


def test_the_words_are_on_their_own_page_alone(journey: Journey, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    choose(journey, *CHOICES)
    invoice_id = journey.bill()
    pair = words(journey.services, journey.customer.id)
    assert f"{pair.first} {pair.second}" in page(journey)
    for path in ("/bills", f"/bills/{invoice_id}", "/security", "/companies", "/receipts", "/"):
        assert f"{pair.first} {pair.second}" not in " ".join(journey.browser.get(path).get_data(as_text=True).split())
    stranger = Browser.of(journey.app)
    assert stranger.get("/messages").status_code == 303
    assert f"{pair.first} {pair.second}" not in caplog.text


def test_each_customer_has_their_own(journey: Journey) -> None:
    other = factories.make_customer(journey.services)
    with journey.services.unit_of_work() as uow:
        theirs = safe_words.words_of(journey.services.vault, uow, other)
        uow.commit()
    assert f"{theirs.first} {theirs.second}" not in page(journey)


def test_what_was_told_is_forgotten_after_ninety_days(journey: Journey) -> None:
    choose(journey, "new_bill")
    journey.bill()
    journey.wait(GATHERED_S)
    journey.clock.tick(days=89)
    Schedule(journey.services).run_due()
    assert len(states(journey)) == 1
    journey.clock.tick(days=1)
    Schedule(journey.services).run_due()
    assert states(journey) == []


def test_what_was_sent_long_after_it_was_written_is_kept_for_as_long_from_then(told: Journey, mail: MailServer) -> None:
    """No worker ran for ten days: whoever looks for it eighty-nine days after it came finds it."""
    told.bill()
    told.clock.tick(days=10)
    told.wait(1)
    assert len(mail.taken) == 1
    told.clock.tick(days=89)
    Schedule(told.services).run_due()
    assert len(states(told)) == 1
    told.clock.tick(days=1)
    Schedule(told.services).run_due()
    assert states(told) == []
