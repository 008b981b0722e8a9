"""What the payee's bank says of a name, asked of the sandbox bank in a process of its own; what each answer does."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import socket
import threading
from unittest import mock

import pytest
from sqlalchemy import select

from app.demo.processes import free_ports
from app.journey.decisions.models import Decision, PayeeCheck, PayeeName
from app.people import accounts
from app.web.context import EXTENSION
from connectors.payee_name import NOT_POSSIBLE, NameAnswer, NameMatch, NobodyToAsk, VerificationOfPayee
from tests.support.journey import Journey
from tests.support.own_bills import add, check_payee

JONAS = "DE04999900010000184015"  # an account of the sandbox bank
ELSEWHERE = "NL91ABNA0417164300"


@pytest.fixture
def address(sandbox_bank_url: str) -> str:
    return f"{sandbox_bank_url}/vop/v1/payee-verifications"


def ask(address: str, name: str, iban: str, *, timeout_s: float = 5) -> NameAnswer:
    return VerificationOfPayee(address, allow_http=True).check(name=name, iban=iban, timeout_s=timeout_s)


@pytest.mark.parametrize(
    ("name", "iban", "answer"),
    [
        ("Jonas Weber", JONAS, NameAnswer(NameMatch.MATCH)),
        ("  jonas   WEBER", JONAS, NameAnswer(NameMatch.MATCH)),
        ("Jonas Webber", JONAS, NameAnswer(NameMatch.CLOSE_MATCH, "Jonas Weber")),
        ("Lumen Énergie", JONAS, NameAnswer(NameMatch.NO_MATCH)),
        ("Jonas Weber", ELSEWHERE, NOT_POSSIBLE),
        ("Marta Match", ELSEWHERE, NameAnswer(NameMatch.MATCH)),
        ("Clara Close", ELSEWHERE, NameAnswer(NameMatch.CLOSE_MATCH, "Clara Closeby")),
        ("Nora Nomatch", ELSEWHERE, NameAnswer(NameMatch.NO_MATCH)),
        ("Nico Notpossible", ELSEWHERE, NOT_POSSIBLE),
        ("Fay Fault", ELSEWHERE, NOT_POSSIBLE),
        ("Gina Garbage", ELSEWHERE, NOT_POSSIBLE),
        ("Ida Invented", ELSEWHERE, NOT_POSSIBLE),
        ("Vera Void", ELSEWHERE, NOT_POSSIBLE),
    ],
)
def test_each_answer_is_what_it_says(address: str, name: str, iban: str, answer: NameAnswer) -> None:
    assert ask(address, name, iban) == answer


def test_silence_is_never_a_match(address: str) -> None:
    """A bank that hangs is not waited for longer than the customer is."""
    assert ask(address, "Sven Silent", JONAS, timeout_s=0.3) == NOT_POSSIBLE


def test_nobody_there_is_never_a_match(address: str) -> None:
    (port,) = free_ports(1)
    assert ask(f"http://127.0.0.1:{port}/", "Marta Match", JONAS) == NOT_POSSIBLE
    assert ask(f"{address}/nothing", "Marta Match", JONAS) == NOT_POSSIBLE


def test_a_line_that_is_cut_is_never_a_match() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: server.accept()[0].close(), daemon=True).start()
        assert ask(f"http://127.0.0.1:{server.getsockname()[1]}/", "Marta Match", JONAS) == NOT_POSSIBLE


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"partyNameMatch": "MTCH", "partyNameMatch": "NMTC"}',
        b'{"partyNameMatch": ["MTCH"]}',
        b'{"partyNameMatch": "mtch"}',
        b'{"partyNameMatch": "CMTC", "matchedName": "  "}',
        b'{"partyNameMatch": "CMTC", "matchedName": "A\\u202eB"}',
        json.dumps({"partyNameMatch": "CMTC", "matchedName": "x" * 141}).encode(),
    ],
)
def test_nonsense_is_never_a_match(body: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body

        def serve() -> None:
            line, _ = server.accept()
            with line:
                line.recv(65536)
                line.sendall(answer)
                line.shutdown(socket.SHUT_WR)
                line.recv(65536)

        threading.Thread(target=serve, daemon=True).start()
        assert ask(f"http://127.0.0.1:{server.getsockname()[1]}/", "Marta Match", JONAS) == NOT_POSSIBLE


def test_without_an_address_nobody_is_asked() -> None:
    nobody = NobodyToAsk()
    assert (nobody.is_offered, nobody.check(name="Marta Match", iban=JONAS, timeout_s=1)) == (False, NOT_POSSIBLE)


# ----------------------------------------------------------------------------------- of a bill that its customer added


@pytest.fixture
def asking(journey: Journey, address: str) -> Journey:
    """An installation that asks this bank."""
    names = VerificationOfPayee(address, allow_http=True)
    services = dataclasses.replace(journey.services, payee_names=names)
    journey.app.extensions[EXTENSION] = services
    journey.services = services
    return journey


def payee_page(journey: Journey, payee: str) -> tuple[str, str]:
    """A bill of this payee: its id, and what the page says on which it is checked."""
    invoice_id = add(journey.browser, payee=payee)
    page = journey.browser.page(f"/bills/{invoice_id}/payee?bank=horizon")
    return invoice_id, " ".join(page.get_text(" ").split())


TYPED = "DE75512108001245126199"


@pytest.mark.parametrize(
    ("payee", "outcome", "said", "confirmed"),
    [
        (
            "Marta Match",
            "match",
            "The payee’s bank says: this account belongs to Marta Match.",
            "it belongs to that name",
        ),
        ("Clara Close", "close_match", "says that the account belongs to Clara Closeby.", "belongs to Clara Closeby"),
        ("Nora Nomatch", "no_match", "This account does not belong to Nora Nomatch.", "does not belong to that name"),
        ("Fay Fault", "not_possible", "belongs to Fay Fault could not be checked.", "could not be checked"),
        ("Gina Garbage", "not_possible", "belongs to Gina Garbage could not be checked.", "could not be checked"),
    ],
)
def test_each_answer_is_shown_confirmed_signed_and_kept(
    asking: Journey, payee: str, outcome: str, said: str, confirmed: str
) -> None:
    invoice_id, page = payee_page(asking, payee)
    assert said in page
    assert check_payee(asking.browser, invoice_id, typed=TYPED).status_code == 303
    assert confirmed in " ".join(asking.browser.page(f"/bills/{invoice_id}/pay?bank=horizon").get_text(" ").split())
    asking.pay(invoice_id)
    asking.wait(60)
    assert [each["creditorName"] for each in asking.ledger()] == [payee]
    with asking.services.reading() as uow:
        decision = uow.session.scalars(select(Decision)).one()
        check = uow.session.get_one(PayeeCheck, decision.payee_check_id)
    assert (check.name_check, check.name_found) == (outcome, "Clara Closeby" if outcome == "close_match" else None)
    order = decision.evidence["order"]
    assert (order["name_check"], order["name_found"], order["shown"]) == (outcome, check.name_found or "", check.shown)


def test_a_name_that_does_not_match_is_confirmed_by_itself(asking: Journey) -> None:
    invoice_id, _ = payee_page(asking, "Nora Nomatch")
    answer = check_payee(asking.browser, invoice_id, typed=TYPED, named="(not sent)")
    assert answer.status_code == 422
    assert "Please read every part" in " ".join(answer.text.split())
    with asking.services.reading() as uow:
        assert uow.session.scalars(select(PayeeCheck)).all() == []


def test_another_answer_since_it_was_confirmed_is_to_be_seen_first(asking: Journey) -> None:
    """What is signed is what was shown: the match of before is no word about the answer of now."""
    invoice_id, _ = payee_page(asking, "Marta Match")
    assert check_payee(asking.browser, invoice_id, typed=TYPED).status_code == 303
    with asking.services.unit_of_work() as uow:
        kept = uow.session.get_one(PayeeName, invoice_id)
        kept.outcome = NameMatch.NO_MATCH
        uow.commit()
    answer = asking.browser.get(f"/bills/{invoice_id}/pay?bank=horizon")
    assert answer.headers["Location"] == f"/bills/{invoice_id}/payee?bank=horizon"


def test_a_bank_is_asked_once_for_many_looks_and_again_after_half_an_hour(asking: Journey) -> None:
    invoice_id, _ = payee_page(asking, "Marta Match")

    def asked_at() -> object:
        asking.browser.page(f"/bills/{invoice_id}/payee?bank=horizon")
        with asking.services.reading() as uow:
            return uow.session.get_one(PayeeName, invoice_id).asked_at

    now = asking.clock()
    assert asked_at() == now
    for age, asked in ((29, now - dt.timedelta(minutes=29)), (30, now)):
        with asking.services.unit_of_work() as uow:
            uow.session.get_one(PayeeName, invoice_id).asked_at = now - dt.timedelta(minutes=age)
            uow.commit()
        assert asked_at() == asked


def test_silence_takes_back_nothing_that_was_said_of_a_name(asking: Journey) -> None:
    """A bank that is away must not make a forged bill look like one that nobody could check."""
    invoice_id, said = payee_page(asking, "Nora Nomatch")
    with asking.services.unit_of_work() as uow:
        uow.session.get_one(PayeeName, invoice_id).asked_at -= dt.timedelta(hours=1)
        uow.commit()
    with mock.patch.object(VerificationOfPayee, "check", return_value=NOT_POSSIBLE):
        again = asking.browser.page(f"/bills/{invoice_id}/payee?bank=horizon").get_text(" ", strip=True)
    for page in (said, again):
        assert "This account does not belong to Nora Nomatch." in page


def test_in_french(asking: Journey) -> None:
    asking.browser.get("/language/fr?next=/bills")
    assert "Ce compte n’appartient pas à Nora Nomatch." in payee_page(asking, "Nora Nomatch")[1]


# ------------------------------------------------------------------------------------------- of a biller's new account


@pytest.mark.parametrize(
    ("holder", "answer"),
    [
        ("Clara Close", NameAnswer(NameMatch.CLOSE_MATCH, "Clara Closeby")),
        ("Nora Nomatch", NameAnswer(NameMatch.NO_MATCH)),
        ("Sven Silent", NOT_POSSIBLE),
    ],
)
def test_a_proposed_account_keeps_what_its_bank_said(
    asking: Journey, monkeypatch: pytest.MonkeyPatch, holder: str, answer: NameAnswer
) -> None:
    monkeypatch.setattr(accounts, "WORKER_DEADLINE_S", 1.0)
    with asking.services.unit_of_work() as uow:
        account = accounts.propose(uow, biller_id=asking.biller.id, iban=JONAS, holder=holder, by="ada")
        uow.commit()
    assert accounts.check_name(asking.services, account_id=account.id, by="ada") == answer
    with asking.services.reading() as uow:
        [line] = [each for each in accounts.accounts_of(uow.session, now=uow.now) if each.account.id == account.id]
    assert [(each.step, each.by, each.name_check, each.name_found) for each in line.history] == [
        ("propose", "ada", None, None),
        ("check", "ada", answer.outcome, answer.name),
    ]
