"""Attempts to have a customer pay a delivered bill to another account than the company's. None starts a payment to it.

Each goes through the doors: the biller's delivery, the customer's pages, the operators' verbs; and after each the
bank has booked nothing on the new account.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from joserfc.jwk import ECKey, KeySet
from sqlalchemy import event, func, select

from app.cli import machinery, main
from app.errors import AppError, Conflict, Invalid
from app.invariants import check
from app.journey.decisions.models import Decision
from app.journey.intake.models import HeldBill
from app.journey.intake.service import Acknowledgement, ClientIdentity, deliver
from app.journey.invoices.models import Invoice
from app.journey.payments.access import why_unwanted
from app.journey.payments.models import Payment
from app.journey.payments.reasons import Reason
from app.journey.webhooks.models import WebhookMessage
from app.journey.webhooks.service import add_endpoint
from app.people import accounts, clients
from app.people.models import PayeeAccount
from connectors.payee_name import NOT_POSSIBLE, NameAnswer, NameMatch
from tests.support import factories
from tests.support.bills import json_bill, ubl_bill, ubl_means
from tests.support.journey import Journey
from tests.support.own_bills import add, ceremony, check_payee
from tests.support.pictures import IBAN as OWN_IBAN

NEW = "GB33BUKB20201555555555"
NO_WAIT, THREE_DAYS = dt.timedelta(), dt.timedelta(hours=72)


def words(journey: Journey, path: str) -> str:
    return " ".join(journey.browser.page(path).get_text(" ").split())


def account_of(journey: Journey, iban: str | None = None) -> PayeeAccount:
    with journey.services.reading() as uow:
        wanted = select(PayeeAccount).where(
            PayeeAccount.biller_id == journey.biller.id, PayeeAccount.iban == (iban or journey.biller.iban)
        )
        return uow.session.scalars(wanted).one()


def act(journey: Journey, verb: Callable[..., Any], *, iban: str | None = None, **how: Any) -> None:
    """One operator does one thing about an account."""
    account_id = account_of(journey, iban).id
    with journey.services.unit_of_work() as uow:
        verb(uow, account_id=account_id, **how)
        uow.commit()


def freeze(journey: Journey, by: str = "ada") -> None:
    act(journey, accounts.freeze, by=by, note="the company called: its mail was broken into")


def propose(journey: Journey, iban: str = NEW, *, by: str = "mallory", answer: NameAnswer = NOT_POSSIBLE) -> None:
    with journey.services.unit_of_work() as uow:
        account = accounts.propose(uow, biller_id=journey.biller.id, iban=iban, holder=None, by=by)
        accounts.note_check(uow, account_id=account.id, answer=answer, by=by)
        uow.commit()


def approve(journey: Journey, by: str, *, iban: str = NEW, wait: dt.timedelta = NO_WAIT, despite: Any = None) -> None:
    act(journey, accounts.approve, iban=iban, holder=journey.biller.name, by=by, wait=wait, despite=despite)


def to_new(journey: Journey, **changes: Any) -> Acknowledgement:
    return journey.deliver(**{"payee": {"name": journey.biller.name, "iban": NEW}, **changes})


def nothing_to(journey: Journey, iban: str = NEW) -> None:
    """After a day in which everything due was done: no decision, no payment, nothing at the bank went there."""
    journey.wait(86400)
    with journey.services.reading() as uow:
        decided = uow.session.scalar(select(func.count()).select_from(Decision).where(Decision.payee_iban == iban))
        opened = uow.session.scalars(select(Invoice.state).where(Invoice.payee_iban == iban)).all()
    assert decided == 0 or iban == journey.biller.iban
    assert iban == journey.biller.iban or set(opened) <= {"to_pay", "cleared"}
    assert [each for each in journey.ledger() if each["creditorIban"] == iban] == []


# ------------------------------------------------------------------------------------------- by what is delivered: 1–7


def test_by_a_new_bill(journey: Journey) -> None:
    assert [each.code for each in to_new(journey).held] == ["account-not-registered"]
    nothing_to(journey)


def test_by_a_new_version_of_a_bill_whose_page_is_open(journey: Journey) -> None:
    """Delivered while the customer signs: the old one stays what it is, and is what they pay."""
    invoice_id = journey.bill(number="A-1")
    token, started = journey.browser.start_paying(invoice_id)
    assert to_new(journey, number="A-2", replaces="A-1").held
    journey.worker.run_until_idle()
    assert journey.browser.decide(invoice_id, token, started.get_json()).status_code == 303
    with journey.services.reading() as uow:
        assert uow.session.scalars(select(Decision.payee_iban)).all() == [journey.biller.iban]
    nothing_to(journey)


def test_by_a_new_version_between_the_decision_and_the_bank(journey: Journey) -> None:
    payment_id = journey.confirm(journey.bill(number="A-1"))
    assert to_new(journey, number="A-2", replaces="A-1").held
    journey.worker.run_until_idle()
    way_back = journey.at_bank(journey.browser.leave(payment_id))
    journey.browser.come_back(way_back)
    journey.wait(60)
    assert [each["creditorIban"] for each in journey.ledger()] == [journey.biller.iban]
    nothing_to(journey)


def test_by_a_credit_note_that_names_it(journey: Journey) -> None:
    """It takes something off the bill, and says nothing of where that is paid."""
    invoice_id = journey.bill(number="A-1", amount="84.20")
    journey.deliver(
        number="C-1", kind="credit_note", corrects="A-1", amount="4.20", reference=None, payee={"iban": NEW}
    )
    journey.worker.run_until_idle()
    assert (journey.invoice(invoice_id).payee_iban, journey.invoice(invoice_id).credited_minor) == (
        journey.biller.iban,
        420,
    )
    journey.pay(invoice_id)
    journey.wait(60)
    assert [(each["creditorIban"], each["amount"]) for each in journey.ledger()] == [(journey.biller.iban, "80.00")]
    nothing_to(journey)


def test_with_a_rotated_key_of_the_billers_program(journey: Journey) -> None:
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)
    with journey.services.unit_of_work() as uow:
        public = KeySet([ECKey.import_key(key.as_dict(private=False))]).as_dict(private=False)
        client_id = clients.add_client(uow, biller_id=journey.biller.id, jwks=public, scope="bills:write")
        uow.commit()
    content = json_bill(to=journey.address, payee={"iban": NEW})
    client = ClientIdentity(client_id=client_id, biller_id=journey.biller.id)
    held = deliver(journey.services, client=client, content=content, media_type="application/json", to=None).held
    assert [each.code for each in held] == ["account-not-registered"]
    nothing_to(journey)


def test_under_a_name_of_look_alike_letters(journey: Journey) -> None:
    name = journey.biller.name.replace("e", "\u0435")  # Cyrillic
    content = ubl_bill(to=journey.address, iban=NEW, seller_name=name, seller_vat=journey.biller.vat_id)
    client = ClientIdentity(client_id=journey.biller.client_id, biller_id=journey.biller.id)
    held = deliver(journey.services, client=client, content=content, media_type="application/xml", to=None).held
    assert {each.code for each in held} == {"account-not-registered", "name-alike"}
    nothing_to(journey)


@pytest.mark.parametrize("first", [True, False])
def test_as_a_second_means_of_payment_in_one_bill(journey: Journey, first: bool) -> None:
    """Whichever stands first: the bill is held, or paid to the company's own."""
    ours, theirs = ubl_means(iban=journey.biller.iban), ubl_means(iban=NEW)
    means = theirs + ours if first else ours + theirs
    content = ubl_bill(
        to=journey.address, means=means, seller_name=journey.biller.name, seller_vat=journey.biller.vat_id
    )
    client = ClientIdentity(client_id=journey.biller.client_id, biller_id=journey.biller.id)
    try:
        taken = deliver(journey.services, client=client, content=content, media_type="application/xml", to=None)
    except Invalid:
        taken = None
    journey.worker.run_until_idle()
    with journey.services.reading() as uow:
        for invoice_id in uow.session.scalars(select(Invoice.id)).all():
            journey.pay(invoice_id)
    assert taken is None or taken.held or not first
    nothing_to(journey)


@pytest.mark.parametrize(
    "written",
    [
        "gb33 bukb 2020 1555 5555 55",
        "GB33BUKB20201555555555",
        "GB33\u00a0BUKB20201555555555",
        "ＧＢ33BUKB20201555555555",
    ],
)
def test_by_another_spelling_of_the_new_account_or_of_a_frozen_one(journey: Journey, written: str) -> None:
    """However it is written, it is the same account: neither held twice nor taken for another one."""
    propose(journey)
    approve(journey, "ada")
    approve(journey, "grace")
    act(journey, accounts.freeze, iban=NEW, by="ada", note="somebody called")
    try:
        taken = journey.deliver(payee={"name": journey.biller.name, "iban": written})
    except AppError:
        pass  # not an IBAN as the door reads it
    else:
        assert [each.code for each in taken.held] == ["account-not-registered"]
        with journey.services.reading() as uow:
            assert uow.session.scalars(select(HeldBill.payee_iban)).all() == [NEW]
    with journey.services.unit_of_work() as uow, pytest.raises((Conflict, Invalid)):
        accounts.propose(uow, biller_id=journey.biller.id, iban=written, holder=None, by="mallory")
    nothing_to(journey)


# -------------------------------------------------------------------------------------------- by the operators: 8–10


def test_by_one_person_who_says_yes_twice(journey: Journey) -> None:
    propose(journey)
    approve(journey, "mallory")
    for again in ("mallory", " Mallory ", "MALLORY"):
        with pytest.raises(Conflict) as refused:
            approve(journey, again)
        assert refused.value.code == "same-person"
    with pytest.raises(Invalid):
        approve(journey, "mаllory")  # a Cyrillic letter is no second person
    assert to_new(journey).held
    nothing_to(journey)


def test_by_one_person_who_closes_it_and_proposes_it_anew(journey: Journey) -> None:
    """What a second person said of it before is no yes to it now."""
    propose(journey)
    approve(journey, "grace")
    act(journey, accounts.close, iban=NEW, by="mallory", note="a slip")
    propose(journey)
    approve(journey, "mallory")
    with pytest.raises(Conflict):
        approve(journey, "mallory")
    assert to_new(journey).held
    nothing_to(journey)


def test_by_asking_again_after_the_first_yes_until_the_answer_suits(journey: Journey) -> None:
    """Whoever approved has approved on the answer of then: another answer takes their yes away."""
    propose(journey, answer=NameAnswer(NameMatch.NO_MATCH))
    with pytest.raises(Invalid) as refused:
        approve(journey, "grace")
    assert refused.value.code == "name-differs"
    approve(journey, "grace", despite="a factoring company, contract seen")
    act(journey, accounts.note_check, iban=NEW, answer=NOT_POSSIBLE, by="mallory")
    with pytest.raises(Invalid) as refused:  # no answer takes nothing back
        approve(journey, "mallory")
    assert refused.value.code == "name-differs"
    act(journey, accounts.note_check, iban=NEW, answer=NameAnswer(NameMatch.MATCH), by="mallory")
    approve(journey, "mallory")
    assert account_of(journey, NEW).state == "approved_once"
    assert to_new(journey).held
    nothing_to(journey)


def test_before_its_waiting_time_is_over(journey: Journey) -> None:
    """Two people said yes; nobody has to do anything for it to be open then, and nothing makes it so before."""
    propose(journey)
    approve(journey, "ada", wait=THREE_DAYS)
    approve(journey, "grace", wait=THREE_DAYS)
    assert to_new(journey, number="N-1").held
    journey.wait(THREE_DAYS.total_seconds() - 1)
    assert to_new(journey, number="N-1").held
    assert journey.ledger() == []
    journey.clock.tick(seconds=1)
    assert to_new(journey, number="N-1").created
    journey.worker.run_until_idle()
    with journey.services.reading() as uow:
        invoice_id = uow.session.scalars(select(Invoice.id)).one()
    journey.browser.sign_in()
    assert "Account new here since today: compare it with an earlier bill" in words(journey, f"/bills/{invoice_id}")
    journey.pay(invoice_id)
    journey.wait(60)
    assert [each["creditorIban"] for each in journey.ledger()] == [NEW]


# -------------------------------------------------------------- the account was taken over, and is frozen in time: 11–


def refused_as_held(journey: Journey, invoice_id: str) -> None:
    said = words(journey, f"/bills/{invoice_id}")
    assert "This bill cannot be paid" in said
    assert "Do not pay to this account in another way" in said
    assert "Check and pay" not in said
    assert "You see everything once more" not in said
    for path in ("pay?bank=horizon", "bank"):  # the latter says how to pay by hand
        answer = journey.browser.get(f"/bills/{invoice_id}/{path}")
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/bills/{invoice_id}")


@pytest.mark.parametrize("verb", [accounts.freeze, accounts.close])
def test_frozen_or_closed_before_anything(journey: Journey, verb: Callable[..., Any]) -> None:
    invoice_id = journey.bill()
    token, shown = journey.browser.see_order(invoice_id)
    act(journey, verb, by="ada", note="it is not theirs any more")
    refused_as_held(journey, invoice_id)
    answer = journey.browser.start_signing(invoice_id, token, shown)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "account-held")
    nothing_to(journey, journey.biller.iban)


def test_frozen_between_the_challenge_and_the_signature(journey: Journey) -> None:
    invoice_id = journey.bill()
    token, started = journey.browser.start_paying(invoice_id)
    freeze(journey)
    answer = journey.browser.decide(invoice_id, token, started.get_json())
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/bills/{invoice_id}")
    with journey.services.reading() as uow:
        assert uow.session.scalars(select(Decision)).all() == []
    nothing_to(journey, journey.biller.iban)


def test_frozen_between_the_decision_and_the_initiation(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    invoice_id = journey.bill()
    with monkeypatch.context() as patch:
        patch.setattr("app.web.customers.decide.run_now", lambda *_, **__: False)
        payment_id = journey.confirm(invoice_id)
    freeze(journey)
    journey.wait(60)
    payment = journey.payment(payment_id)
    assert (payment.state, payment.reason, payment.bank_payment_id) == ("rejected", Reason.ACCOUNT_HELD, None)
    assert "Nothing left your account" in words(journey, f"/payments/{payment_id}")
    refused_as_held(journey, invoice_id)
    nothing_to(journey, journey.biller.iban)


@pytest.mark.parametrize("looked", [True, False])
def test_frozen_while_the_bank_holds_the_order_and_nobody_has_left(journey: Journey, looked: bool) -> None:
    """Whether the worker has looked by then or not; and the biller is told why it failed."""
    with journey.services.unit_of_work() as uow:
        add_endpoint(journey.services, uow, biller_id=journey.biller.id, url="https://biller.example/hook")
        uow.commit()
    payment_id = journey.confirm(journey.bill())
    freeze(journey)
    if looked:
        journey.worker.run_until_idle()
        assert journey.payment(payment_id).state == "cancelled"
    answer = journey.browser.get(f"/payments/{payment_id}/bank")
    assert answer.headers["Location"] == f"/payments/{payment_id}"  # and not the bank
    journey.wait(60)
    payment = journey.payment(payment_id)
    assert (payment.state, payment.reason) == ("cancelled", Reason.ACCOUNT_HELD)
    assert "The account of this bill is held or was given up" in words(journey, f"/payments/{payment_id}")
    with journey.services.reading() as uow:
        bodies = [json.loads(each) for each in uow.session.scalars(select(WebhookMessage.body))]
    failed = [each for each in bodies if each["type"] == "payment.failed"]
    assert [each["data"]["reason"] for each in failed] == ["account_held"]
    nothing_to(journey, journey.biller.iban)


def test_frozen_while_it_awaits_the_approval_at_the_bank(journey: Journey) -> None:
    """The link is out: the page says not to approve, the bank is asked to drop it, and it does."""
    payment_id = journey.confirm(journey.bill())
    journey.browser.leave(payment_id)
    freeze(journey)
    journey.worker.run_until_idle()
    assert journey.payment(payment_id).unwanted_since is not None or journey.payment(payment_id).state == "cancelled"
    journey.wait(150)
    assert journey.payment(payment_id).state == "cancelled"
    nothing_to(journey, journey.biller.iban)


def test_frozen_after_the_approval_it_is_told_as_it_is(journey: Journey) -> None:
    """Past the point of no return: the bank has executed it, and nobody says otherwise."""
    payment_id = journey.pay(journey.bill())
    freeze(journey)
    journey.wait(60)
    assert (journey.truth(payment_id), journey.payment(payment_id).state) == ("done", "settled")
    assert len(journey.ledger()) == 1


def test_opened_again_by_two_it_can_be_paid_and_by_one_alone_it_cannot(journey: Journey) -> None:
    invoice_id = journey.bill()
    freeze(journey, by="mallory")
    why = {"note": "the company has confirmed it in writing"}
    act(journey, accounts.unfreeze, by="mallory", **why)
    with pytest.raises(Conflict):
        act(journey, accounts.unfreeze, by="mallory", **why)
    refused_as_held(journey, invoice_id)
    freeze(journey, by="grace")  # who doubts it once more takes the first yes away
    act(journey, accounts.unfreeze, by="mallory", **why)
    refused_as_held(journey, invoice_id)
    act(journey, accounts.unfreeze, by="ada", **why)
    journey.pay(invoice_id)
    journey.wait(60)
    assert [each["creditorIban"] for each in journey.ledger()] == [journey.biller.iban]


def test_closed_and_approved_anew_a_payment_of_before_does_not_go_on(journey: Journey) -> None:
    """It was decided on an account that was closed since: that it is open again is not what its customer saw."""
    payment_id = journey.confirm(journey.bill())
    act(journey, accounts.close, by="ada", note="sold")
    journey.clock.tick(seconds=1)
    propose(journey, journey.biller.iban)
    for who in ("mallory", "grace"):
        approve(journey, who, iban=journey.biller.iban)
    answer = journey.browser.get(f"/payments/{payment_id}/bank")
    assert answer.headers["Location"] == f"/payments/{payment_id}"  # and not the bank
    journey.wait(60)
    assert journey.payment(payment_id).reason == Reason.ACCOUNT_HELD
    assert journey.ledger() == []


# ------------------------------------------------------------------------------------------------------- at one moment


def test_who_decides_and_who_freezes_wait_for_each_other(journey: Journey) -> None:
    """The decision locks the account: frozen before, nothing is decided, and after, what was is stopped."""
    if journey.services.engine.dialect.name != "postgresql":
        pytest.skip("one writer at a time: there is nothing to lock")
    invoice_id = journey.bill()
    token, started = journey.browser.start_paying(invoice_id)
    said: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        said.append(statement)

    event.listen(journey.services.engine, "before_cursor_execute", hear)
    assert journey.browser.decide(invoice_id, token, started.get_json()).status_code == 303
    event.remove(journey.services.engine, "before_cursor_execute", hear)
    locking = [each for each in said if "payee_account" in each and "FOR SHARE" in each]
    assert len(locking) == 2  # the decision, and the preparation of its payment


# --------------------------------------------------------------------------------------------------- what is shown


def test_a_held_bill_shows_both_accounts_side_by_side(journey: Journey) -> None:
    to_new(journey)
    card = journey.browser.page("/bills").select_one("section[aria-labelledby=held] li.card")
    assert card is not None
    sides = [" ".join(each.get_text(" ").split()) for each in card.select("dl.accounts > div")]
    ours = " ".join(journey.biller.iban[at : at + 4] for at in range(0, len(journey.biller.iban), 4))
    assert [each.replace("\u202f", " ").replace("\u00a0", " ") for each in sides] == [
        f"The account we know {ours} since 23 November 2026",
        "Stands in this bill GB33 BUKB 2020 1555 5555 55 nobody has confirmed it",
    ]
    said = " ".join(card.get_text(" ").split())
    assert "Nothing can be paid to it here." in said
    assert "You need not do anything." in said
    assert card.select("a, button, form") == []
    journey.browser.get("/language/fr?next=/bills")
    assert "Rien ne peut être payé sur ce compte ici." in words(journey, "/bills")


# ------------------------------------------------------------------------------------------------------- the commands


def test_operators_change_an_account_by_commands(
    journey: Journey, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(machinery, "services", lambda: journey.services)

    def say(*command: str, status: int = 0) -> str:
        assert main(["biller", "account", *command]) == status
        said = capsys.readouterr()
        return said.out + said.err

    assert "nobody could say" in say("propose", journey.biller.id, NEW, "--by", "ada")
    account_id, theirs = account_of(journey, NEW).id, ("--holder", journey.biller.name.upper())
    assert "name that holder" in say("approve", account_id, "--holder", "Mallory", "--by", "ada", status=1)
    assert "another person is to approve it" in say("approve", account_id, *theirs, "--by", "ada")
    assert "somebody else must look at it" in say("approve", account_id, *theirs, "--by", "ada", status=1)
    assert "nobody could say" in say("check", account_id, "--by", "ada")  # and the first yes is void
    assert "another person is to approve it" in say("approve", account_id, *theirs, "--by", "ada")
    assert "open from 2026-11-26" in say("approve", account_id, *theirs, "--by", "grace")
    assert f"{account_id}  {journey.biller.name}  {NEW}  {journey.biller.name}  waiting" in say("list")
    assert "is frozen" in say("freeze", account_id, "--by", "ada", "--because", "a call")
    assert "another person is to say so" in say("unfreeze", account_id, "--by", "ada", "--because", "an error")
    assert "not frozen any more" in say("unfreeze", account_id, "--by", "grace", "--because", "an error")
    assert "is closed" in say("close", account_id, "--by", "ada", "--because", "not used")
    listed = say("list", journey.biller.id)
    assert f"{journey.biller.iban}  {journey.biller.name}  open" in listed
    assert "freeze by ada: a call" in listed
    assert "check (not_possible) by ada" in listed
    assert "cannot be done now" in say("freeze", account_id, "--by", "ada", "--because", "a call", status=1)
    assert "does not name a person" in say("approve", account_id, *theirs, "--by", "two words", status=1)
    assert not [str(each) for each in check(journey.services.engine, now=journey.clock(), late=False)]


def test_a_biller_is_let_in_by_two(
    journey: Journey, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(machinery, "services", lambda: journey.services)
    company = ["biller", "add", "Eaux du Lac", "--country", "FR", "--id", "siren:904172681"]
    company += ["--iban", factories.IBANS[0]]
    for people in (["ada", "ada"], ["ada", "Ada"], ["ada", "grace", "linus"]):
        assert main([*company, *(word for each in people for word in ("--approved-by", each))]) == 1
    assert main([*company, "--approved-by", "ada"]) == 0
    assert "another person is to approve it" in capsys.readouterr().out
    company[2], company[6] = "Régie du Val", "siren:895301422"
    assert main([*company, "--approved-by", "ada", "--approved-by", "grace"]) == 0
    assert "open from 2026-11-26" in capsys.readouterr().out


# ------------------------------------------------------------------------------------- what its pages say of it by now


def test_a_held_card_says_how_the_account_in_it_stands_by_now(journey: Journey) -> None:
    journey.bill(number="A-1")
    to_new(journey)
    assert "not one that we know as the company’s" in words(journey, "/bills")
    propose(journey, by="ada")
    for who in ("ada", "grace"):
        approve(journey, who)
    journey.clock.tick(seconds=1)
    page = words(journey, "/bills")
    assert "When it came, its account was not known as the company’s" in page
    assert "nobody has confirmed it" not in page
    act(journey, accounts.freeze, iban=NEW, by="ada", note="a call")
    page = words(journey, "/bills")
    assert "Somebody has stopped payments to its account" in page
    assert "known as theirs since" not in page.partition("Stands in this bill")[2]


def test_a_bill_says_whether_its_account_is_held_or_given_up(journey: Journey) -> None:
    invoice_id = journey.bill()
    freeze(journey)
    assert "looks at whether the account is still that of" in words(journey, f"/bills/{invoice_id}")
    act(journey, accounts.close, by="ada", note="given up")
    page = words(journey, f"/bills/{invoice_id}")
    assert "its account is not that of" in page
    assert "Somebody at Quittance looks" not in page


@pytest.mark.parametrize("own", [False, True])
def test_what_did_not_happen_is_not_offered_again_while_nothing_may_be_paid_for_it(journey: Journey, own: bool) -> None:
    """Of a bill that was delivered its account is frozen; of one that its customer added it is another company's."""
    if own:
        invoice_id = add(journey.browser)
        make_theirs(journey)
        check_payee(journey.browser, invoice_id, typed=OWN_IBAN)
    else:
        invoice_id = journey.bill()
    payment_id = journey.confirm(invoice_id)
    journey.browser.post(f"/payments/{payment_id}/cancel", token=journey.browser.token("/bills"))
    assert "Check and pay €" in words(journey, f"/payments/{payment_id}")
    act(journey, accounts.freeze, iban=OWN_IBAN if own else None, by="ada", note="a call")
    page = words(journey, f"/payments/{payment_id}")
    assert "You cancelled the payment here" in page
    assert "again" not in page
    act(journey, accounts.unfreeze, iban=OWN_IBAN if own else None, by="ada", note="it is theirs")
    act(journey, accounts.unfreeze, iban=OWN_IBAN if own else None, by="grace", note="it is theirs")
    assert "Check and pay €" in words(journey, f"/payments/{payment_id}")


def test_what_was_stopped_by_a_freeze_is_told_so_after_it_is_over(journey: Journey) -> None:
    """The customer has the link, so the bank is asked to drop it; meanwhile two people open the account again."""
    payment_id = journey.confirm(journey.bill())
    journey.browser.leave(payment_id)
    freeze(journey)
    journey.worker.run_until_idle()
    for who in ("ada", "grace"):
        act(journey, accounts.unfreeze, by=who, note="confirmed")
    with journey.services.unit_of_work() as uow:
        payment = uow.session.get_one(Payment, payment_id)
        assert payment.unwanted_since is not None
        why = why_unwanted(uow.session, payment)
    assert why is not None
    assert why.reason is Reason.ACCOUNT_HELD


# ------------------------------------------------------------------------- and what its customer added to a frozen one


def make_theirs(journey: Journey) -> None:
    """The account of the bill that is added is one of a company here, too."""
    propose(journey, OWN_IBAN, by="ada")
    for who in ("ada", "grace"):
        approve(journey, who, iban=OWN_IBAN)


def test_what_its_customer_added_is_not_paid_to_a_frozen_account(journey: Journey) -> None:
    invoice_id = add(journey.browser)
    make_theirs(journey)
    check_payee(journey.browser, invoice_id, typed=OWN_IBAN)
    assert "Check the payee and pay" in words(journey, f"/bills/{invoice_id}")
    token, started = journey.browser.start_paying(invoice_id)
    act(journey, accounts.freeze, iban=OWN_IBAN, by="ada", note="a call")
    assert journey.browser.decide(invoice_id, token, started.get_json()).status_code in (303, 409)
    page = words(journey, f"/bills/{invoice_id}")
    assert "somebody at Quittance has stopped payments to its account" in page
    assert "Check the payee and pay" not in page
    assert ceremony(journey.browser, invoice_id).get_json()["code"] == "account-held"
    nothing_to(journey, OWN_IBAN)


def test_a_freeze_stops_what_its_customer_added_and_has_decided(journey: Journey) -> None:
    invoice_id = add(journey.browser)
    make_theirs(journey)
    check_payee(journey.browser, invoice_id, typed=OWN_IBAN)
    payment_id = journey.confirm(invoice_id)
    act(journey, accounts.freeze, iban=OWN_IBAN, by="ada", note="a call")
    journey.worker.run_until_idle()
    payment = journey.payment(payment_id)
    assert (payment.state, payment.reason) == ("cancelled", Reason.ACCOUNT_HELD)
    journey.wait(86400)
    assert journey.ledger() == []
