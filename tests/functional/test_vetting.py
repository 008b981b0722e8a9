"""Billers: who is let in, by whose word and what evidence; who is kept out; what a suspended one can still do: nothing.

Operators act by the command line, billers and customers through their doors.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, KeySet
from sqlalchemy import delete, event, func, select, text, update

from app.audit.sequencer import number_waiting
from app.audit.verify import verify
from app.cli import machinery, main
from app.db import engine
from app.errors import Conflict, Invalid, NotFound
from app.invariants import check, reading
from app.journey.connections import service as connections
from app.journey.connections.states import ConnectionStep
from app.journey.corrections.service import take_back
from app.journey.decisions.models import Decision
from app.journey.intake import holding
from app.journey.intake.models import DeliveredBill, HeldBill
from app.journey.intake.service import ClientIdentity, deliver
from app.journey.notices import service as notices
from app.journey.notices.kinds import CHOICES
from app.journey.notices.models import Notice
from app.journey.payments.access import why_unwanted
from app.journey.payments.models import Payment
from app.journey.payments.reasons import Reason
from app.people import accounts, clients, vetting
from app.people.billers import add_biller, locked_to_read
from app.people.identifiers import Scheme
from app.people.models import (
    ApiClient,
    Biller,
    BillerHistory,
    BillerIdentifier,
    PayeeAccount,
    PayeeAccountHistory,
)
from app.web.context import EXTENSION
from connectors.company_register import NOT_POSSIBLE, Found, NoRegister, RegisterAnswer, RegisterService
from connectors.payee_name import NOT_POSSIBLE as NO_NAME_CHECK
from connectors.payee_name import NameAnswer, NameMatch
from tests.functional.test_real import NUMBER, REFERENCE, ask, letter, verdict
from tests.functional.test_real import said as told
from tests.support import factories
from tests.support.bills import REFERENCE as REFERENCE_OF_BILLS
from tests.support.bills import SELLER_VAT, cii_bill, json_bill
from tests.support.journey import Journey
from tests.support.own_bills import add, ceremony, check_payee
from tests.support.pictures import IBAN as OWN_IBAN
from tests.support.shown import Paper, pdf_of

Say = Callable[..., str]
IBAN = "AT611904300234573201"  # no biller of a test has it
TWO = ("ada", "grace")


@pytest.fixture
def say(journey: Journey, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """One command of ``quittance biller``; what it says."""
    monkeypatch.setattr(machinery, "services", lambda: journey.services)

    def run(*words: str, status: int = 0) -> str:
        assert main(["biller", *words]) == status, capsys.readouterr()
        said = capsys.readouterr()
        return said.out + said.err

    return run


def proposed(say: Say, name: str = "Soléa Distribution", number: str = "siren:904172681", *more: str) -> str:
    said = say("propose", name, "--country", "FR", "--id", number, "--by", "ada", *more)
    found = re.search(r"blr_[0-9a-f]{32}", said)
    assert found is not None
    return found.group()


def approved(say: Say, biller_id: str, *more: str) -> str:
    return "".join(say("approve", biller_id, "--by", who, *more) for who in TWO)


def suspend(say: Say, journey: Journey) -> None:
    assert "is suspended" in say("suspend", journey.biller.id, "--by", "ada", "--because", "its bills are not its own")


def reinstate(say: Say, journey: Journey) -> None:
    for who in TWO:
        say("reinstate", journey.biller.id, "--by", who, "--because", "it was a mistake")


def state_of(journey: Journey, biller_id: str) -> str:
    with journey.services.reading() as uow:
        return uow.session.get_one(Biller, biller_id).state


def words(journey: Journey, path: str) -> str:
    return " ".join(journey.browser.page(path).get_text(" ").split())


def count(journey: Journey, table: type[Any]) -> int:
    with journey.services.reading() as uow:
        return uow.session.scalar(select(func.count()).select_from(table)) or 0


# ------------------------------------------------------------------------------------------------------- letting one in


def test_two_people_let_a_company_in_and_the_log_has_each_word(journey: Journey, say: Say) -> None:
    biller_id = proposed(say, "Soléa Distribution", "vat:FR64904172681")
    assert "no register could be asked" in say("show", biller_id)
    assert journey.browser.page("/companies/find?find=solea").select("li.card") == []
    assert journey.browser.get(f"/companies/{biller_id}").status_code == 404
    say("approve", biller_id, "--by", "ada")
    assert "ada has said so already" in say("approve", biller_id, "--by", " ADA ", status=1)
    assert "does not name a person" in say("approve", biller_id, "--by", "аda", status=1)  # Cyrillic
    assert state_of(journey, biller_id) == "approved_once"
    assert f"{biller_id}: vetted" in say("approve", biller_id, "--by", "grace")
    assert "Soléa Distribution" in words(journey, "/companies/find?find=solea")
    shown = words(journey, f"/companies/{biller_id}")
    assert "has been vetted since 23 November 2026: two people at Quittance checked who it is" in shown
    assert "SIREN 904172681 The number is well formed. No register was asked, or none could say." in shown
    assert "None is open for payments now." in shown
    assert "Not checked: whether its bills are right" in shown
    listed = say("list")
    assert f"{biller_id}  Soléa Distribution  FR  vetted  since 2026-11-23" in listed
    assert "approve by grace" in say("show", biller_id)
    number_waiting(journey.services)
    with journey.services.reading() as uow:
        kinds = uow.session.scalars(
            select(BillerHistory.step).where(BillerHistory.biller_id == biller_id).order_by(BillerHistory.sequence)
        ).all()
    assert kinds == ["propose", "check", "approve", "approve"]


def test_a_company_that_nobody_vetted_has_no_program(journey: Journey, say: Say, tmp_path: Path) -> None:
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(KeySet([key]).as_dict(private=False)))
    biller_id = proposed(say)
    before = count(journey, ApiClient)
    assert "two people are to approve it first" in say("client", biller_id, "--jwks", str(file), status=1)
    say("approve", biller_id, "--by", "ada")
    assert "two people are to approve it first" in say("client", biller_id, "--jwks", str(file), status=1)
    assert count(journey, ApiClient) == before
    say("approve", biller_id, "--by", "grace")
    assert say("client", biller_id, "--jwks", str(file)).startswith("cli_")


def test_the_short_road_of_two_people(journey: Journey, say: Say) -> None:
    said = say(
        *("add", "Soléa Distribution", "--country", "FR", "--vat", "FR64904172681", "--iban", IBAN),
        *("--approved-by", "ada", "--approved-by", "grace"),
    )
    assert ": vetted" in said
    assert "open from 2026-11-26" in said


def test_a_number_is_needed_and_belongs_to_one(journey: Journey, say: Say) -> None:
    before = count(journey, Biller)
    none = say("propose", "Soléa Distribution", "--country", "FR", "--by", "ada", status=1)
    assert "needs at least one number" in none
    for wrong in ("siren:904172682", "hrb:31746", "904172681"):
        refused = say("propose", "Soléa", "--country", "FR", "--id", wrong, "--by", "ada", status=1)
        assert "Traceback" not in refused
    assert count(journey, Biller) == before
    biller_id = proposed(say)
    again = say("propose", "Ponant Gaz", "--country", "FR", "--vat", "FR64904172681", "--by", "ada", status=1)
    assert f"already: {biller_id}" in again
    assert count(journey, Biller) == before + 1


@pytest.mark.each_database
def test_who_proposes_the_same_number_at_the_same_moment_is_told_so(journey: Journey) -> None:
    """The second one waits for the first, and gets its id; no error of the database."""
    first_is_in, second_is_on_its_way = threading.Event(), threading.Event()
    refused: list[Conflict] = []
    fields = {"country": "FR", "identifiers": [(Scheme.SIREN, "904172681")], "ibans": [], "by": "ada"}

    def second() -> None:
        first_is_in.wait()
        second_is_on_its_way.set()
        with journey.services.unit_of_work() as uow, pytest.raises(Conflict) as caught:
            add_biller(uow, name="Ponant Gaz", **fields)  # type: ignore[arg-type]
        refused.append(caught.value)

    thread = threading.Thread(target=second)
    thread.start()
    with journey.services.unit_of_work() as uow:
        known = add_biller(uow, name="Soléa Distribution", **fields)  # type: ignore[arg-type]
        first_is_in.set()
        second_is_on_its_way.wait()
        if journey.services.engine.dialect.name == "postgresql":
            await_a_lock(journey, "INSERT INTO biller_identifier%")
        uow.commit()
    thread.join()
    [conflict] = refused
    assert (conflict.code, known.id in str(conflict)) == ("biller-known", True)


def await_a_lock(journey: Journey, statement: str) -> None:
    """Until somebody's statement waits for another one's transaction."""
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE :statement")
    while True:
        with journey.services.engine.connect() as connection:
            if connection.scalar(waiting, {"statement": statement}):
                return


@pytest.mark.each_database
def test_two_who_approve_at_the_same_moment_are_two_and_one_is_one(journey: Journey, say: Say) -> None:
    """Each waits for the other: the same person twice is one all the same, and no third one counts."""
    biller_id = proposed(say)
    answers: list[str] = []

    def approve(who: str) -> None:
        try:
            with journey.services.unit_of_work() as uow:
                biller = vetting.approve(uow, biller_id=biller_id, by=who, bank_names=())
                uow.commit()
                answers.append(biller.state)
        except Conflict as conflict:
            answers.append(conflict.code)

    for people, expected in (
        (("ada",) * 4, ["approved_once"] + ["same-person"] * 3),
        (("grace",) * 4, ["biller-state"] * 3 + ["vetted"]),
    ):
        answers.clear()
        threads = [threading.Thread(target=approve, args=(who,)) for who in people]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == expected


@pytest.mark.each_database
def test_a_suspension_that_a_long_delivery_keeps_waiting_says_to_repeat_it(
    journey: Journey, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "WRITER_WAIT_S", 0.1)  # of SQLite; PostgreSQL waits for its lock_timeout
    suspend = ("suspend", journey.biller.id, "--by", "ada", "--because", "its customers call")
    with journey.services.unit_of_work() as uow:
        locked_to_read(uow.session, journey.biller.id)
        said = say(*suspend, status=1)
    assert "Nothing was written but what is said above: repeat the command." in said
    assert "is suspended" not in said
    assert "is suspended" in say(*suspend)


def test_one_that_is_refused_leaves_its_number_to_who_it_belongs_to(journey: Journey, say: Say) -> None:
    """Whoever proposes a company under its real number does not keep the company itself out for ever."""
    false = proposed(say, "Soléa Distribution", "siren:904172681", "--iban", IBAN)
    say("approve", false, "--by", "ada")
    assert "is refused" in say("refuse", false, "--by", "grace", "--because", "it is somebody else")
    assert "cannot be done now" in say("approve", false, "--by", "grace", status=1)
    real = proposed(say, "Soléa Distribution")
    approved(say, real)
    assert (state_of(journey, false), state_of(journey, real)) == ("refused", "vetted")
    assert "cannot be done now" in say("refuse", real, "--by", "ada", "--because", "late", status=1)


# --------------------------------------------------------------------------------------------------------- look-alikes


@pytest.mark.parametrize(
    "name", ["Lumen Energie", "Lumеn Énergie", "Énergie Lumen SARL", "Lurnen Énergie", "Lumen Énergie Recouvrement"]
)
def test_a_look_alike_is_stopped_until_both_name_what_it_looks_like(journey: Journey, say: Say, name: str) -> None:
    """A homoglyph biller gets neither a program, nor a customer, nor a bill through before two people say so."""
    said = say("propose", name, "--country", "FR", "--id", "siren:904172681", "--by", "mallory")
    biller_id = said.split()[0]
    assert f"LOOK: its name is like that of {journey.biller.name} ({journey.biller.id})" in said
    for more in ([], ["--despite", "known to us"], ["--although-like", journey.biller.id]):
        refused = say("approve", biller_id, "--by", "mallory", *more, status=1)
        assert f"its name is like that of {journey.biller.name}" in refused
    assert state_of(journey, biller_id) == "proposed"
    with journey.services.unit_of_work() as uow:
        with pytest.raises(Conflict):
            clients.add_client(uow, biller_id=biller_id, jwks={"keys": []}, scope="bills:write")
        with pytest.raises(NotFound):
            connections.ask(
                uow,
                customer_id=journey.customer.id,
                biller_id=biller_id,
                reference="1",
                today=uow.now.date(),
                space_domain="space.example",
            )
    knowing = ("--although-like", journey.biller.id, "--despite", "its franchise, contract seen")
    say("approve", biller_id, "--by", "mallory", *knowing)
    assert "its name is like that of" in say("approve", biller_id, "--by", "grace", status=1)
    assert "vetted" in say("approve", biller_id, "--by", "grace", *knowing)
    assert "approve by grace: its franchise, contract seen" in say("show", biller_id)


def test_one_that_came_meanwhile_is_seen_by_the_second_person(journey: Journey, say: Say) -> None:
    first = proposed(say, "Soléa Distribution")
    say("approve", first, "--by", "ada")
    second = proposed(say, "Solea Distribution", "siren:895301422")
    assert second in say("approve", first, "--by", "grace", status=1)
    say("refuse", second, "--by", "grace", "--because", "a look-alike")
    assert "vetted" in say("approve", first, "--by", "grace")


@pytest.mark.parametrize(
    ("name", "because"),
    [
        ("Quittance", "like that of this service"),
        ("Qu1ttance Services", "like that of this service"),
        ("Horizon Bank", "like that of the bank Horizon Bank"),
        ("Ηorizon Βank", "letters that may look like others"),  # Greek
        ("Водоканал", "letters that may look like others"),
    ],
)
def test_nobody_is_taken_for_this_service_or_a_bank(journey: Journey, say: Say, name: str, because: str) -> None:
    biller_id = proposed(say, name)
    assert because in say("approve", biller_id, "--by", "ada", status=1)
    approved(say, biller_id, "--despite", "looked at")
    assert state_of(journey, biller_id) == "vetted"


def test_the_short_road_stops_too(journey: Journey, say: Say) -> None:
    said = say(
        *("add", "Lumen Energie", "--country", "FR", "--vat", "FR64904172681", "--iban", IBAN),
        *("--approved-by", "ada", "--approved-by", "grace"),
    )
    assert "approved by nobody; read that first" in said
    assert ": vetted" not in said
    with journey.services.reading() as uow:
        assert uow.session.scalars(select(Biller.state).where(Biller.name == "Lumen Energie")).all() == ["proposed"]


def test_a_stray_name_is_no_way_round(journey: Journey, say: Say) -> None:
    biller_id = proposed(say)
    assert "not like that of" in say(
        "approve", biller_id, "--by", "ada", "--although-like", journey.biller.id, status=1
    )


# --------------------------------------------------------------------------------------------------------- the register


@pytest.fixture
def asking(journey: Journey, sandbox_bank_url: str) -> Journey:
    """An installation that asks the register beside the sandbox bank."""
    register = RegisterService(f"{sandbox_bank_url}/register/v1/companies", allow_http=True)
    services = dataclasses.replace(journey.services, company_register=register)
    journey.app.extensions[EXTENSION] = services
    journey.services = services
    return journey


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        ("100000009", RegisterAnswer(Found.ACTIVE, "Anna Active SA")),
        ("100000033", RegisterAnswer(Found.CEASED, "Cesar Ceased SA")),
        ("100000041", RegisterAnswer(Found.NOT_FOUND)),
        ("100000058", NOT_POSSIBLE),  # it does not answer
        ("100000066", NOT_POSSIBLE),  # it is broken
        ("100000074", NOT_POSSIBLE),  # it says something that is no JSON
        ("100000082", NOT_POSSIBLE),  # or a word that there is not
        ("100000090", NOT_POSSIBLE),  # or no name
    ],
)
def test_each_answer_is_what_it_says(sandbox_bank_url: str, number: str, answer: RegisterAnswer) -> None:
    register = RegisterService(f"{sandbox_bank_url}/register/v1/companies", allow_http=True)
    assert register.look_up(scheme="siren", value=number, timeout_s=1) == answer


def test_nobody_there_is_no_answer() -> None:
    register = RegisterService("http://127.0.0.1:9/", allow_http=True)
    assert register.look_up(scheme="siren", value="100000009", timeout_s=1) == NOT_POSSIBLE
    assert NoRegister().look_up(scheme="siren", value="100000009", timeout_s=1) == NOT_POSSIBLE


def test_what_the_register_says_is_shown_to_the_customer(asking: Journey, say: Say) -> None:
    biller_id = proposed(say, "Anna Active", "siren:100000009")
    approved(say, biller_id)
    assert "SIREN 100000009 The number is well formed. The register said on 23 November 2026: Anna Active SA." in words(
        asking, f"/companies/{biller_id}"
    )


def test_a_number_without_check_digits_is_not_called_right(journey: Journey, say: Say) -> None:
    biller_id = proposed(say, "Soléa Distribution", "uk-company:01234567")
    approved(say, biller_id)
    shown = words(journey, f"/companies/{biller_id}")
    assert "01234567 Such a number has no check digits. No register was asked, or none could say." in shown
    assert "well formed" not in shown


def test_whose_an_account_is_if_it_is_not_the_companys_is_said(journey: Journey, say: Say) -> None:
    """A bank that says yes to another name has said nothing of the company's."""
    with journey.services.unit_of_work() as uow:
        uow.session.execute(delete(PayeeAccountHistory))
        uow.session.execute(delete(PayeeAccount))
        account = accounts.propose(uow, biller_id=journey.biller.id, iban=IBAN, holder="Otto Factoring AG", by="ada")
        accounts.note_check(uow, account_id=account.id, answer=NameAnswer(NameMatch.MATCH), by="ada")
        for who in TWO:
            accounts.approve(uow, account_id=account.id, holder=account.holder, by=who, wait=dt.timedelta())
        uow.commit()
    shown = words(journey, f"/companies/{journey.biller.id}")
    assert "its bank said that it is in the name that it was approved with, or nearly." in shown
    assert "In another name than the company’s: Otto Factoring AG." in shown
    assert "in this name" not in shown


@pytest.mark.parametrize("approved_besides", [False, True])
def test_of_accounts_that_were_brought_over_nobody_says_that_two_people_approved_them(
    journey: Journey, say: Say, approved_besides: bool
) -> None:
    with journey.services.unit_of_work() as uow:
        uow.session.execute(delete(PayeeAccountHistory).where(PayeeAccountHistory.sequence > 1))
        uow.session.execute(update(PayeeAccountHistory).values(step="bring_over", after="approved", by="vetting"))
        uow.session.execute(update(PayeeAccount).values(sequence=1, name_check=None))
        if approved_besides:
            account = accounts.propose(uow, biller_id=journey.biller.id, iban=IBAN, holder=None, by="ada")
            accounts.note_check(uow, account_id=account.id, answer=NameAnswer(NameMatch.MATCH), by="ada")
            for who in TWO:
                accounts.approve(uow, account_id=account.id, holder=account.holder, by=who, wait=dt.timedelta())
        uow.commit()
    shown = words(journey, f"/companies/{journey.biller.id}")
    assert "Two people approved each" not in shown
    if approved_besides:
        assert "Two people approved some of them. The others were registered with it before that was done" in shown
    else:
        assert "They were registered with it. No bank has confirmed the holder." in shown


@pytest.mark.tampers
def test_of_a_number_that_was_brought_over_unchecked_nobody_says_that_its_digits_are_right(journey: Journey) -> None:
    """Before each was checked, one of a country without a known rule was taken as it was."""
    with journey.services.unit_of_work() as uow:
        uow.session.execute(
            update(BillerIdentifier).where(BillerIdentifier.scheme == "vat").values(value="LI12345", registered_at=None)
        )
        uow.commit()
    shown = words(journey, f"/companies/{journey.biller.id}")
    assert "LI12345 Its digits were not checked." in shown


@pytest.mark.parametrize(
    ("name", "number", "because", "shown"),
    [
        ("Cesar Ceased", "100000033", "has ceased", "that this company has ceased: Cesar Ceased SA."),
        ("Nils Notfound", "100000041", "does not know siren 100000041", "The register did not know it"),
        ("Soléa Distribution", "100000025", "has another name: Otto Other GmbH", "Otto Other GmbH."),
    ],
)
def test_against_the_register_each_of_two_must_say_why(
    asking: Journey, say: Say, name: str, number: str, because: str, shown: str
) -> None:
    biller_id = proposed(say, name, f"siren:{number}")
    assert because in say("show", biller_id)
    assert because in say("approve", biller_id, "--by", "ada", status=1)
    say("approve", biller_id, "--by", "ada", "--despite", "the register is late, deed seen")
    assert because in say("approve", biller_id, "--by", "grace", status=1)
    say("approve", biller_id, "--by", "grace", "--despite", "the same deed")
    assert shown in words(asking, f"/companies/{biller_id}")


def test_a_name_that_is_nearly_the_legal_one_is_said_and_may_pass(asking: Journey, say: Say) -> None:
    biller_id = proposed(say, "Clara Closebuy", "siren:100000017")
    assert "the register says: Clara Closeby SARL" in say("show", biller_id)
    approved(say, biller_id)
    assert "Clara Closeby SARL" in words(asking, f"/companies/{biller_id}")


def test_silence_takes_nothing_back_and_asking_again_takes_the_first_yes(asking: Journey, say: Say) -> None:
    biller_id = proposed(say, "Cesar Ceased", "siren:100000033")
    say("approve", biller_id, "--by", "ada", "--despite", "deed seen")
    asking.services = dataclasses.replace(asking.services, company_register=NoRegister())
    say("check", biller_id, "--by", "mallory")
    assert state_of(asking, biller_id) == "proposed"
    assert "has ceased" in say("approve", biller_id, "--by", "mallory", status=1)


def test_nobody_is_approved_on_an_old_answer(asking: Journey, say: Say) -> None:
    """Neither by the first person, nor by a second one who comes late; asking again takes the first yes away."""
    biller_id = proposed(say, "Anna Active", "siren:100000009")
    asking.wait(31 * 86400)
    assert "Ask the registers first, at most 30 days before" in say("approve", biller_id, "--by", "ada", status=1)
    say("check", biller_id, "--by", "ada")
    say("approve", biller_id, "--by", "ada")
    asking.wait(31 * 86400)
    assert "Ask the registers first" in say("approve", biller_id, "--by", "grace", status=1)
    assert state_of(asking, biller_id) == "approved_once"
    with_register = asking.services
    asking.services = dataclasses.replace(asking.services, company_register=NoRegister())
    say("check", biller_id, "--by", "grace")  # nobody answers: what was said before is as old as it was
    assert "Ask the registers first" in say("approve", biller_id, "--by", "grace", status=1)
    asking.services = with_register
    say("check", biller_id, "--by", "grace")
    approved(say, biller_id)
    assert state_of(asking, biller_id) == "vetted"


def test_where_no_register_can_be_asked_that_is_said_anew(journey: Journey, say: Say) -> None:
    biller_id = proposed(say)
    journey.wait(31 * 86400)
    assert "Ask the registers first" in say("approve", biller_id, "--by", "ada", status=1)
    say("check", biller_id, "--by", "ada")
    approved(say, biller_id)
    assert state_of(journey, biller_id) == "vetted"


@pytest.mark.each_database
def test_no_transaction_is_open_while_a_register_is_asked(journey: Journey, say: Say) -> None:
    seen: list[bool] = []

    class Watching:
        is_offered = True

        def look_up(self, **_: object) -> RegisterAnswer:
            with journey.services.unit_of_work() as uow:  # SQLite has one writer: this would wait for ever
                uow.session.get_one(Biller, journey.biller.id, with_for_update={"nowait": True})
            seen.append(True)
            return RegisterAnswer(Found.ACTIVE, "Soléa Distribution")

    journey.services = dataclasses.replace(journey.services, company_register=Watching())
    proposed(say)
    assert seen == [True]


# ----------------------------------------------------------------------------------------------------------- suspended


def nothing_moved(journey: Journey) -> None:
    journey.wait(86400)
    assert journey.ledger() == []


def test_what_a_suspended_biller_delivers_is_held_and_released_by_nobody(journey: Journey, say: Say) -> None:
    suspend(say, journey)
    for changes in ({"number": "A-1"}, {"number": "A-2", "payee": {"iban": IBAN}}):
        taken = journey.deliver(**changes)
        assert [each.code for each in taken.held] == ["biller-not-vetted"]
    journey.worker.run_until_idle()
    assert count(journey, DeliveredBill) == 0
    with journey.services.reading() as uow:
        held = uow.session.scalars(select(HeldBill.id).order_by(HeldBill.number)).all()
    for each in held:
        with pytest.raises(Conflict) as refused:
            holding.release(journey.services, held_id=each)
        assert refused.value.code == "biller-not-vetted"
    assert "The company is suspended here" in words(journey, "/bills")
    reinstate(say, journey)
    holding.release(journey.services, held_id=held[0])
    with pytest.raises(Invalid):  # the account in it is not the biller's, suspended or not
        holding.release(journey.services, held_id=held[1])
    journey.worker.run_until_idle()
    assert count(journey, DeliveredBill) == 1


def test_a_bill_that_is_not_paid_here_is_held_as_well(journey: Journey, say: Say) -> None:
    suspend(say, journey)
    taken = journey.deliver(payee=None, means="direct_debit", mandate="M-1", creditor_id="FR72ZZZ123456")
    assert "biller-not-vetted" in [each.code for each in taken.held]


def refused_as_suspended(journey: Journey, invoice_id: str) -> None:
    said = words(journey, f"/bills/{invoice_id}")
    assert f"This bill cannot be paid now: {journey.biller.name} is suspended here." in said
    assert "Check and pay" not in said
    answer = journey.browser.get(f"/bills/{invoice_id}/pay?bank=horizon")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/bills/{invoice_id}")


def test_a_bill_of_a_suspended_one_says_nowhere_how_to_pay_it(journey: Journey, say: Say) -> None:
    invoice_id = journey.bill(number="A-1", early_payment={"until": "2026-11-30", "discount": "3.33"})
    other_way = journey.bill(number="A-2", payee=None, means="card")
    pages = [f"/bills/{invoice_id}", f"/bills/{other_way}", "/bills", f"/bills/{invoice_id}/bank?find=h"]
    asking = (
        "Pay by",
        "You see all of it before you sign",
        "it is paid by card",
        "Check and pay",
        "This is what to write",
    )
    before = [words(journey, each) for each in pages]
    assert [each for each in asking if not any(each in page for page in before)] == []
    suspend(say, journey)
    answer = journey.browser.get(pages.pop())  # where it says how to pay by hand
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/bills/{invoice_id}")
    for page in (words(journey, each) for each in pages):
        assert [each for each in asking if each in page] == []
    for each in pages[:2]:
        assert f"{journey.biller.name} is suspended here. Somebody at Quittance looks" in words(journey, each)
    assert words(journey, "/bills").count("The company is suspended: nothing is paid to it now") == 2


def test_a_bill_of_a_suspended_one_says_neither_to_whom_nor_until_when(journey: Journey, say: Say) -> None:
    """On its page and in the list: no account, no day, no reference, none of the company's own words."""
    note = "Net 30 days to our new account"
    invoice_id = journey.bill(number="A-1", note=note)
    debit = {"means": "direct_debit", "mandate": "M-1", "creditor_id": "FR72ZZZ123456"}
    by_debit = journey.bill(number="A-2", payee=None, **debit)
    pages = ["/bills", f"/bills/{invoice_id}", f"/bills/{by_debit}"]
    account = " ".join(re.findall(".{1,4}", journey.biller.iban))
    asking = (account, "Payee", "Due in", "1 Dec", "1 December", REFERENCE_OF_BILLS, "collected", note)
    before = [words(journey, each) for each in pages]
    assert [each for each in asking if not any(each in page for page in before)] == []
    suspend(say, journey)
    for page in (words(journey, each) for each in pages):
        assert [each for each in asking if each in page] == []
        assert "look at payee, account" not in page
    assert "Company suspended" in words(journey, f"/bills/{invoice_id}")
    assert "M-1" in words(journey, f"/bills/{by_debit}")  # what its customer tells their bank, to have it stopped
    assert "your bank can stop it" in words(journey, f"/bills/{by_debit}")
    for each in pages[1:]:
        assert "It says how the company wants to be paid. Do not follow that" in words(journey, each)
    reinstate(say, journey)
    assert [words(journey, each) for each in pages[1:2]] == before[1:2]


def test_what_a_suspended_one_says_while_it_withdraws_is_not_shown(journey: Journey, say: Say) -> None:
    invoice_id = journey.bill(number="A-1")
    suspend(say, journey)
    with journey.services.reading() as uow:
        bill_id = uow.session.scalars(select(DeliveredBill.id)).one()
    take_back(journey.services, biller_id=journey.biller.id, bill_id=bill_id, reason="Pay to our new account instead")
    journey.worker.run_until_idle()
    page = words(journey, f"/bills/{invoice_id}")
    assert "has withdrawn this bill." in page
    assert "new account" not in page
    reinstate(say, journey)
    assert "Pay to our new account instead" in words(journey, f"/bills/{invoice_id}")


def test_nobody_is_told_to_start_again_while_the_company_is_suspended(journey: Journey, say: Say) -> None:
    payment_id = journey.confirm(journey.bill())
    assert (
        journey.browser.post(f"/payments/{payment_id}/cancel", token=journey.browser.token("/bills")).status_code == 303
    )
    assert "of the bill is still to be paid" in words(journey, f"/payments/{payment_id}")
    suspend(say, journey)
    page = words(journey, f"/payments/{payment_id}")
    assert "You cancelled the payment" in page
    assert "still to be paid" not in page
    assert "Check and pay" not in page


def test_what_was_paid_keeps_all_that_it_said(journey: Journey, say: Say) -> None:
    invoice_id = journey.bill(note="Net 30 days")
    journey.pay(invoice_id)
    journey.wait(60)
    suspend(say, journey)
    page = words(journey, f"/bills/{invoice_id}")
    assert "1 December 2026" in page
    assert REFERENCE_OF_BILLS in page


def test_no_sum_has_what_nothing_may_be_paid_for(journey: Journey, say: Say, own: str) -> None:
    """Neither of a suspended company, nor what its customer added to an account of it; it is said in one line."""
    journey.bill(number="A-1", amount="84.20")
    journey.bill(number="A-2", payee=None, means="card")
    other = factories.make_biller(journey.services, name="Ponant Gaz", iban="DE02120300000000202051")
    address = factories.connect(journey.services, customer_id=journey.customer.id, biller_id=other.id)
    content = json_bill(to=address, number="B-1", amount="10.00", payee={"name": other.name, "iban": other.iban})
    client = ClientIdentity(client_id=other.client_id, biller_id=other.id)
    deliver(journey.services, client=client, content=content, media_type="application/json", to=None)
    journey.worker.run_until_idle()
    before = words(journey, "/bills")
    for said in (
        "€94.20 to pay, on 2 bills",
        "on 1 bill that you added yourself",
        "Besides, 1 bill whose day is not over is not paid from here",
    ):
        assert said in before
    assert "Not counted" not in before
    suspend(say, journey)
    page = words(journey, "/bills")
    assert "€10.00 to pay, on 1 bill" in page
    assert "Not counted: 3 bills, because the company is suspended or the account is held." in page
    assert "that you added yourself, which nobody has verified" not in page
    assert "Besides" not in page
    with journey.services.unit_of_work() as uow:
        account_id = uow.session.scalars(select(PayeeAccount.id).where(PayeeAccount.biller_id == other.id)).one()
        accounts.freeze(uow, account_id=account_id, by="ada", note="a call")
        uow.commit()
    page = words(journey, "/bills")
    assert "Nothing to pay here." in page
    assert "Not counted: 4 bills, because the company is suspended or the account is held." in page
    assert "Nothing is paid to its account now: open the bill to see why" in page
    assert "Check and pay" not in page
    assert own in str(journey.browser.page("/bills"))


def test_the_pages_of_companies_say_that_nothing_is_paid_to_a_suspended_one(journey: Journey, say: Say) -> None:
    company = f"/companies/{journey.biller.id}"
    journey.bill()
    before = words(journey, company)
    assert "open bills can still be paid" in before
    assert "Its bills arrive here" in words(journey, "/companies")
    suspend(say, journey)
    page = words(journey, company)
    assert "can still be paid" not in page
    assert "Nothing is paid to it while it is suspended." in page
    listed = words(journey, "/companies")
    for each in (page, listed):
        assert "Active" not in each
    assert "Its bills are held, and nothing is paid to it" in listed
    assert "bills arrive here" not in listed
    with journey.services.unit_of_work() as uow:
        connections.change(uow, customer_id=journey.customer.id, biller_id=journey.biller.id, step=ConnectionStep.LEAVE)
        uow.commit()
    page = words(journey, company)
    assert "You left this company" in page
    assert "can still be paid" not in page


def test_of_a_bill_that_was_held_for_its_account_the_suspension_is_said_first(journey: Journey, say: Say) -> None:
    journey.deliver(payee={"iban": IBAN})
    account = " ".join(re.findall(".{1,4}", IBAN))
    assert account in words(journey, "/bills")
    suspend(say, journey)
    page = words(journey, "/bills")
    assert "The company is suspended here while somebody looks at it." in page
    for of_account in (account, "The account in it", "The account we know", "Two people at Quittance must confirm"):
        assert of_account not in page
    reinstate(say, journey)
    assert account in words(journey, "/bills")


def test_a_bill_that_was_held_by_a_suspension_does_not_say_so_for_ever(journey: Journey, say: Say) -> None:
    suspend(say, journey)
    journey.deliver()
    reinstate(say, journey)
    page = words(journey, "/bills")
    assert "When it came, the company was suspended here." in page
    assert "is suspended here while" not in page


def test_suspended_between_the_delivery_and_the_page(journey: Journey, say: Say) -> None:
    invoice_id = journey.bill()
    token, shown = journey.browser.see_order(invoice_id)
    suspend(say, journey)
    refused_as_suspended(journey, invoice_id)
    answer = journey.browser.start_signing(invoice_id, token, shown)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "account-held")
    nothing_moved(journey)


def test_suspended_between_the_challenge_and_the_signature(journey: Journey, say: Say) -> None:
    invoice_id = journey.bill()
    token, started = journey.browser.start_paying(invoice_id)
    suspend(say, journey)
    assert journey.browser.decide(invoice_id, token, started.get_json()).status_code == 303
    assert count(journey, Decision) == 0
    nothing_moved(journey)


def test_suspended_between_the_decision_and_the_bank(
    journey: Journey, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice_id = journey.bill()
    with monkeypatch.context() as patch:
        patch.setattr("app.web.customers.decide.run_now", lambda *_, **__: False)
        payment_id = journey.confirm(invoice_id)
    suspend(say, journey)
    journey.wait(60)
    payment = journey.payment(payment_id)
    assert (payment.state, payment.reason, payment.bank_payment_id) == ("rejected", Reason.ACCOUNT_HELD, None)
    nothing_moved(journey)


@pytest.mark.parametrize("looked", [True, False])
def test_suspended_while_the_bank_holds_the_order(journey: Journey, say: Say, looked: bool) -> None:
    payment_id = journey.confirm(journey.bill())
    suspend(say, journey)
    if looked:
        journey.worker.run_until_idle()
        assert journey.payment(payment_id).state == "cancelled"
    answer = journey.browser.get(f"/payments/{payment_id}/bank")
    assert answer.headers["Location"] == f"/payments/{payment_id}"  # and not the bank
    journey.wait(60)
    assert (journey.payment(payment_id).state, journey.payment(payment_id).reason) == (
        "cancelled",
        Reason.ACCOUNT_HELD,
    )
    nothing_moved(journey)


def test_suspended_while_it_awaits_the_approval_at_the_bank(journey: Journey, say: Say) -> None:
    payment_id = journey.confirm(journey.bill())
    journey.browser.leave(payment_id)
    suspend(say, journey)
    journey.wait(150)
    assert journey.payment(payment_id).state == "cancelled"
    nothing_moved(journey)


def test_suspended_after_the_approval_it_is_told_as_it_is(journey: Journey, say: Say) -> None:
    payment_id = journey.pay(journey.bill())
    suspend(say, journey)
    journey.wait(60)
    assert (journey.truth(payment_id), journey.payment(payment_id).state) == ("done", "settled")


@pytest.fixture
def own(journey: Journey) -> str:
    """A bill that the customer added, to an account which is open as the biller's."""
    invoice_id = add(journey.browser)
    with journey.services.unit_of_work() as uow:
        account = accounts.propose(uow, biller_id=journey.biller.id, iban=OWN_IBAN, holder=None, by="ada")
        accounts.note_check(uow, account_id=account.id, answer=NO_NAME_CHECK, by="ada")
        for who in TWO:
            accounts.approve(uow, account_id=account.id, holder=account.holder, by=who, wait=dt.timedelta())
        uow.commit()
    check_payee(journey.browser, invoice_id, typed=OWN_IBAN)
    return invoice_id


def test_what_its_customer_added_is_not_paid_to_a_suspended_one(journey: Journey, say: Say, own: str) -> None:
    token, started = journey.browser.start_paying(own)
    suspend(say, journey)
    journey.browser.decide(own, token, started.get_json())
    assert count(journey, Decision) == 0
    assert ceremony(journey.browser, own).get_json()["code"] == "account-held"
    page = words(journey, f"/bills/{own}")
    assert "somebody at Quittance has stopped payments to its account" in page
    assert "Check the payee and pay" not in page
    reinstate(say, journey)
    assert "Check the payee and pay" in words(journey, f"/bills/{own}")
    nothing_moved(journey)


def test_a_suspension_stops_what_its_customer_added_and_has_decided(journey: Journey, say: Say, own: str) -> None:
    payment_id = journey.confirm(own)
    suspend(say, journey)
    journey.worker.run_until_idle()
    payment = journey.payment(payment_id)
    assert (payment.state, payment.reason) == ("cancelled", Reason.ACCOUNT_HELD)
    nothing_moved(journey)


def test_an_account_that_was_never_its_own_is_not_stopped_by_its_suspension(journey: Journey, say: Say) -> None:
    """Who only wrote somebody's account down does not keep anybody from paying to it."""
    invoice_id = add(journey.browser)
    with journey.services.unit_of_work() as uow:
        accounts.propose(uow, biller_id=journey.biller.id, iban=OWN_IBAN, holder=None, by="ada")
        uow.commit()
    check_payee(journey.browser, invoice_id, typed=OWN_IBAN)
    suspend(say, journey)
    assert "Check the payee and pay" in words(journey, f"/bills/{invoice_id}")


def test_what_was_stopped_by_a_suspension_is_told_so_after_it_is_over(journey: Journey, say: Say) -> None:
    """The customer has the link, so the bank is asked to drop it; meanwhile two people bring the biller back."""
    payment_id = journey.confirm(journey.bill())
    journey.browser.leave(payment_id)
    suspend(say, journey)
    journey.worker.run_until_idle()
    reinstate(say, journey)
    with journey.services.unit_of_work() as uow:
        payment = uow.session.get_one(Payment, payment_id)
        assert payment.unwanted_since is not None
        why = why_unwanted(uow.session, payment)
    assert why is not None
    assert why.reason is Reason.ACCOUNT_HELD


def test_who_was_just_paying_is_told(journey: Journey, say: Say) -> None:
    journey.confirm(journey.bill())
    with journey.services.unit_of_work() as uow:
        notices.choose(uow, customer_id=journey.customer.id, kinds=CHOICES)
        uow.commit()
    suspend(say, journey)
    journey.worker.run_until_idle()
    with journey.services.reading() as uow:
        kinds = uow.session.scalars(select(Notice.kind).where(Notice.customer_id == journey.customer.id)).all()
    assert "account_frozen" in kinds


def test_nothing_of_a_suspended_one_is_called_real(journey: Journey, say: Say) -> None:
    """Neither what is paid to an account, nor what is paid in another way and has none."""
    journey.bill(number=NUMBER, amount="84.20", reference=REFERENCE)
    by_card = cii_bill(
        number="A-2", to=journey.address, seller_name=journey.biller.name, iban=None, means_code="48", reference=None
    ).replace(SELLER_VAT.encode(), journey.biller.vat_id.encode())
    file = pdf_of("Lumen", Paper(attached=by_card))
    client = ClientIdentity(client_id=journey.biller.client_id, biller_id=journey.biller.id)
    deliver(journey.services, client=client, content=file, media_type="application/pdf", to=None)
    journey.worker.run_until_idle()
    asked: list[bytes | str] = [letter(journey), f"IBAN {journey.biller.iban}", file]
    assert [verdict(journey.browser, each) for each in asked] == ["in_space", "account", "real"]
    suspend(say, journey)
    assert [verdict(journey.browser, each) for each in asked] == ["unknown"] * 3
    assert "The company is suspended here" in told(ask(journey.browser, file))


def test_back_by_two_it_can_be_paid_and_by_one_alone_it_cannot(journey: Journey, say: Say) -> None:
    invoice_id = journey.bill()
    suspend(say, journey)
    why = ("--because", "confirmed in writing")
    assert "suspended still" in say("reinstate", journey.biller.id, "--by", "mallory", *why)
    assert "has said so already" in say("reinstate", journey.biller.id, "--by", "mallory", *why, status=1)
    refused_as_suspended(journey, invoice_id)
    say("suspend", journey.biller.id, "--by", "grace", *why)  # who doubts it once more takes the first yes away
    say("reinstate", journey.biller.id, "--by", "mallory", *why)
    refused_as_suspended(journey, invoice_id)
    assert "vetted again" in say("reinstate", journey.biller.id, "--by", "ada", *why)
    journey.pay(invoice_id)
    journey.wait(60)
    assert len(journey.ledger()) == 1


def test_no_new_customer_meets_a_suspended_one(journey: Journey, say: Say) -> None:
    suspend(say, journey)
    assert journey.browser.page("/companies/find?find=lumen").select("li.card") == []
    page = words(journey, f"/companies/{journey.biller.id}")
    assert "is suspended here while somebody at Quittance looks at it" in page
    assert "has been vetted since 23 November 2026" in page
    assert "are held while the company is suspended" in page
    with pytest.raises(Conflict) as refused:
        connections.present(
            journey.services,
            biller_id=journey.biller.id,
            code=None,
            address="abcdefghijkl@space.example",
            reference=None,
        )
    assert refused.value.code == "biller-suspended"


def test_who_decides_and_who_suspends_wait_for_each_other(journey: Journey) -> None:
    if journey.services.engine.dialect.name != "postgresql":
        pytest.skip("one writer at a time: there is nothing to lock")
    invoice_id = journey.bill()
    token, started = journey.browser.start_paying(invoice_id)
    said: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        said.append(" ".join(statement.split()))

    event.listen(journey.services.engine, "before_cursor_execute", hear)
    assert journey.browser.decide(invoice_id, token, started.get_json()).status_code == 303
    event.remove(journey.services.engine, "before_cursor_execute", hear)
    locking = [each for each in said if "FROM biller JOIN payee_account" in each and each.endswith("FOR SHARE")]
    assert len(locking) == 2  # the decision, and the preparation of its payment: both rows, in one statement


@pytest.mark.each_database
def test_a_decision_holds_no_account_while_it_waits_for_its_biller(journey: Journey) -> None:
    """Who proposes an account has locked the biller, and takes the account then: neither waits for the other."""
    if journey.services.engine.dialect.name != "postgresql":
        pytest.skip("one writer at a time: there is nothing to lock")

    def decide() -> None:
        with journey.services.unit_of_work() as uow:
            accounts.is_open_since(
                uow.session, biller_id=journey.biller.id, iban=journey.biller.iban, moment=uow.now, lock=True
            )

    deciding = threading.Thread(target=decide)
    with journey.services.unit_of_work() as uow:
        uow.session.get_one(Biller, journey.biller.id, with_for_update={"key_share": True})
        deciding.start()
        await_a_lock(journey, "%FOR SHARE%")
        with pytest.raises(Conflict) as refused:
            accounts.propose(uow, biller_id=journey.biller.id, iban=journey.biller.iban, holder=None, by="ada")
        assert refused.value.code == "account-known"
    deciding.join()


@pytest.mark.each_database
def test_a_decision_that_waited_for_a_suspension_sees_it(journey: Journey) -> None:
    """Not what it saw when it began: the rows are read again once the other one has committed."""
    if journey.services.engine.dialect.name != "postgresql":
        pytest.skip("one writer at a time: there is nothing to lock")
    answers: list[bool] = []

    def ask() -> None:
        with journey.services.unit_of_work() as uow:
            answers.append(
                accounts.is_open_since(
                    uow.session, biller_id=journey.biller.id, iban=journey.biller.iban, moment=uow.now, lock=True
                )
            )

    asking = threading.Thread(target=ask)
    with journey.services.unit_of_work() as uow:
        vetting.suspend(uow, biller_id=journey.biller.id, by="ada", note="its bills are not its own")
        asking.start()
        await_a_lock(journey, "%FOR SHARE%")
        assert answers == []
        uow.commit()
    asking.join()
    assert answers == [False]


# ------------------------------------------------------------------------------------------- what an operator changes


@pytest.mark.tampers
@pytest.mark.parametrize(
    ("table", "change"),
    [
        (BillerHistory, {"by": "nobody"}),
        (BillerHistory, {"note": "all was well"}),
        (BillerHistory, {"evidence": {"identifiers": [], "reviews": []}}),
        (BillerIdentifier, {"value": "895301422"}),
    ],
)
def test_who_edits_the_history_is_found_out(
    journey: Journey, say: Say, table: type[Any], change: dict[str, Any]
) -> None:
    biller_id = proposed(say)
    approved(say, biller_id)
    number_waiting(journey.services)
    assert verify_all(journey) == []
    with journey.services.unit_of_work() as uow:
        row = uow.session.scalars(select(table).where(table.biller_id == biller_id).limit(1)).one()
        for name, value in change.items():
            setattr(row, name, value)
        uow.commit()
    assert verify_all(journey) != []


def verify_all(journey: Journey) -> list[str]:
    with reading(journey.services.engine) as connection:
        return [str(each) for each in verify(connection, journey.services.keys.log.verifier).wrong]


def test_all_is_in_order_after_a_long_story(journey: Journey, say: Say) -> None:
    approved(say, proposed(say))
    suspend(say, journey)
    say("suspend", journey.biller.id, "--by", "grace", "--because", "the same")
    reinstate(say, journey)
    assert not [str(each) for each in check(journey.services.engine, now=journey.clock(), late=False)]
    with journey.services.reading() as uow:
        line = vetting.line_of(uow.session, biller_id=journey.biller.id, bank_names=())
    assert [each.step for each in line.history] == [
        *("propose", "check", "approve", "approve", "suspend", "reinstate", "reinstate"),
    ]
