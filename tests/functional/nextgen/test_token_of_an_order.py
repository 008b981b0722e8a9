"""Where only the token of a sign-in gives an order and tells of it: whose it is, how long it lives, and what then."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask import request
from sqlalchemy import select

from app.cli import machinery, main
from app.journey.consents.models import BankBudget
from app.journey.payments.models import BankAttempt, Payment
from app.journey.payments.rules import SENDS_MOST
from app.schedule import forget_expired_secrets
from app.web.banks import redirect
from app.web.customers import decide
from config.settings import Settings
from connectors.berlin_group.connector import BerlinGroupConnector
from connectors.contract import Authorised
from connectors.sandbox_bank import scenarios
from connectors.sandbox_bank.errors import BerlinGroupError
from connectors.sandbox_bank.nextgen import api, brands, orders
from connectors.sandbox_bank.nextgen import sign_ins as bank_sign_ins
from consent.models import Sealed, SignIn
from tests.functional.nextgen.test_sign_in_first import (
    BANK,
    approves,
    asked_in_app,
    at_bank,
    count,
    decided,
    forget_tokens_at_bank,
    initiations,
    offers_to_sign_in,
    sent,
    signs_in,
    words,
)
from tests.support.installation import make_settings
from tests.support.journey import Journey

pytestmark = pytest.mark.long_on_postgres

#: what stands in the bank's file, and what is to stand there
Changes = tuple[tuple[str, str], ...]
BY_ITS_PAGE = (('approach = "decoupled"', 'approach = "redirect"'),)


@pytest.fixture
def in_its_file() -> Changes:
    return ()


@pytest.fixture
def settings(tmp_path: Path, database_url: str, in_its_file: Changes) -> Settings:
    made = make_settings(tmp_path, database_url=database_url)
    banks = Path(shutil.copytree(made.banks, tmp_path / "changed-banks"))
    file = banks / f"{BANK}.toml"
    for old, new in in_its_file:
        assert file.read_text().count(old) == 1
        file.write_text(file.read_text().replace(old, new))
    return dataclasses.replace(made, banks=banks)


def tokens_of_orders(journey: Journey) -> int:
    """In the vault, beside those of the sign-ins."""
    with journey.services.reading() as uow:
        kept = uow.session.scalars(select(Sealed.id).where(Sealed.id.like("%:token"))).all()
    return sum(not name.startswith("sign_in:") for name in kept)


def lives(monkeypatch: pytest.MonkeyPatch, minutes: float) -> None:
    monkeypatch.setattr(bank_sign_ins, "TOKEN_LIFE_S", int(minutes * 60))


# ------------------------------------------------------------------------------------------------ with whose it is sent


def test_an_order_is_sent_again_with_nobody_elses_token(there: Journey) -> None:
    """Between two sendings somebody else signs in there, in another window of the same private space."""
    invoice_id, other = there.bill(number="w6", amount="999.03"), there.bill(number="w7", amount="5.00")
    signs_in(there, invoice_id)
    payment_id = decided(there, invoice_id)  # the answer is lost
    first = {one.headers["Authorization"] for one in sent(there, "/sepa-credit-transfers")}
    signs_in(there, other, customer="jonas")
    for _ in range(6):
        there.wait(60)
    assert initiations(there) > 1
    assert {one.headers["Authorization"] for one in sent(there, "/sepa-credit-transfers")} == first
    assert there.payment(payment_id).state in ("rejected", "awaiting_customer")


@pytest.fixture
def by_its_own_page(monkeypatch: pytest.MonkeyPatch) -> None:
    brand = dataclasses.replace(brands.BRANDS[BANK], approach="redirect", explicit=False)
    monkeypatch.setitem(brands.BRANDS, BANK, brand)


@pytest.fixture
def recognises_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bank answers the same X-Request-ID with the same order, loses the answer to the first, and tells nobody but
    its customer that there is such an order."""
    seen: dict[str, str] = {}
    create, own, play = orders.create, api._own, api._play

    def once(connection: Any, **order: Any) -> str:
        key = request.headers["X-Request-ID"]
        seen[key] = seen[key] if key in seen else create(connection, **order)
        return seen[key]

    def unknown(*asked: Any, **how: Any) -> Any:
        try:
            return own(*asked, **how)
        except BerlinGroupError as error:
            if error.status == 401:
                raise api._unknown() from None
            raise

    answers = iter([api._internal_error()])

    def lose_the_first(*played: Any) -> None:
        lost = next(answers, None)
        if lost is not None:
            raise lost
        play(*played)

    monkeypatch.setattr(orders, "create", once)
    monkeypatch.setattr(api, "_own", unknown)
    monkeypatch.setattr(api, "_play", lose_the_first)


@pytest.mark.parametrize("in_its_file", [BY_ITS_PAGE])
@pytest.mark.usefixtures("by_its_own_page", "recognises_orders")
def test_at_a_bank_that_recognises_an_order_its_customer_is_the_one_who_gave_it(
    there: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    lives(monkeypatch, 60)
    invoice_id, other = there.bill(number="w8", amount="10.00"), there.bill(number="w9", amount="5.00")
    signs_in(there, invoice_id)
    payment_id = decided(there, invoice_id)
    signs_in(there, other, customer="jonas")
    there.wait(3)
    assert (there.payment(payment_id).state, initiations(there)) == ("awaiting_customer", 2)
    there.browser.come_back(there.at_bank(there.browser.leave(payment_id)))
    for _ in range(40):
        there.wait(60)
    assert (there.payment(payment_id).state, there.invoice(invoice_id).state) == ("settled", "paid")
    assert len(there.ledger()) == 1


def test_nothing_is_sent_again_once_its_token_is_dead(there: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or so nearly that nobody could be sent to approve what it gave."""
    lives(monkeypatch, 6)
    invoice_id, other = there.bill(number="w10", amount="999.03"), there.bill(number="w11", amount="5.00")
    signs_in(there, invoice_id)
    there.clock.tick(minutes=2, seconds=55)
    payment_id = decided(there, invoice_id)
    for _ in range(4):
        there.wait(12)
    before = initiations(there)
    assert before > 1
    lives(monkeypatch, 20)
    signs_in(there, other)
    for _ in range(20):
        there.wait(60)
    assert initiations(there) == before
    assert (there.payment(payment_id).state, there.payment(payment_id).reason) == ("rejected", "bank_unreachable")
    assert there.invoice(invoice_id).state == "to_pay"
    assert tokens_of_orders(there) == 0


def test_what_was_sent_does_not_fail_for_want_of_a_sign_in(there: Journey) -> None:
    """Begun at the last moment, and the answers are lost: the token lives, so it is not the sign-in that is over."""
    invoice_id = there.bill(number="w12", amount="999.03")
    signs_in(there, invoice_id)
    there.clock.tick(minutes=9, seconds=50)
    payment_id = decided(there, invoice_id)
    for _ in range(100):
        there.wait(5)
    assert initiations(there) == SENDS_MOST
    assert (there.payment(payment_id).state, there.payment(payment_id).reason) == ("rejected", "bank_unreachable")


def test_a_bank_that_takes_the_token_no_more_may_have_taken_the_order_before(there: Journey) -> None:
    invoice_id = there.bill(number="w13", amount="999.03")
    signs_in(there, invoice_id)
    payment_id = decided(there, invoice_id)
    forget_tokens_at_bank(there)
    there.wait(60)
    assert (there.payment(payment_id).state, there.payment(payment_id).reason) == ("rejected", "bank_unreachable")
    assert offers_to_sign_in(there, invoice_id)  # that token is tried no more


def test_the_life_of_a_token_began_before_its_answer_was_read(there: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process was frozen between the bank's answer and the line that keeps it."""
    exchange = BerlinGroupConnector.signed_in

    def frozen(*asked: Any, **how: Any) -> Authorised:
        answer = exchange(*asked, **how)
        there.clock.tick(minutes=4)
        return answer

    monkeypatch.setattr(BerlinGroupConnector, "signed_in", frozen)
    invoice_id = there.bill(number="w15", amount="10.00")
    signs_in(there, invoice_id)
    assert "Until 10:10 you can begin payments" in words(there, f"/bills/{invoice_id}/pay?bank={BANK}")


def test_a_process_without_the_key_loses_nobodys_sign_in(there: Journey) -> None:
    """The operator has given the new key of the vault to one process and not yet to another."""
    invoice_id = there.bill(number="w14", amount="10.00")
    signs_in(there, invoice_id)
    token, shown = there.browser.see_order(invoice_id, bank=BANK)  # of a process that has it
    vault = there.services.vault
    keys = dict(vault._keys)
    vault._keys = {name: AESGCM(AESGCM.generate_key(256)) for name in keys}
    started = there.browser.start_signing(invoice_id, token, shown, bank=BANK)
    answer = there.browser.decide(invoice_id, token, started.get_json())
    payment_id = answer.headers["Location"].split("/")[2]
    assert (there.payment(payment_id).state, initiations(there)) == ("rejected", 0)
    assert offers_to_sign_in(there, invoice_id)
    vault._keys = keys
    assert count(there, SignIn) == 1
    assert not offers_to_sign_in(there, invoice_id)
    decided(there, invoice_id)
    assert initiations(there) == 1


# ----------------------------------------------------------------------------------------------- before the token's end


def goes_by(journey: Journey, minutes: float) -> None:
    for _ in range(int(minutes * 6)):
        journey.wait(10)


def left(journey: Journey, payment_id: str) -> None:
    """Gone to the bank's app; it asks there from now on."""
    journey.browser.come_back(journey.browser.leave(payment_id))


def settles_after(monkeypatch: pytest.MonkeyPatch, minutes: float) -> str:
    """An amount that this bank accepts at once and settles so much later."""
    steps = (scenarios.Step(status="ACSP"), scenarios.Step(status="ACSC", after_ms=int(minutes * 60_000)))
    monkeypatch.setitem(scenarios.SCENARIOS, 777_77, scenarios.Scenario(meaning="it takes its time", timetable=steps))
    return "777.77"


def test_the_bank_is_asked_before_the_token_dies(there: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    invoice_id = there.bill(number="e1", amount=settles_after(monkeypatch, 12))
    signs_in(there, invoice_id)
    payment_id = decided(there, invoice_id)
    left(there, payment_id)
    goes_by(there, 1)
    there.at_bank(asked_in_app(there)[0])
    goes_by(there, 13)
    assert len(there.ledger()) == 1
    goes_by(there, 5)  # the token lives for another minute
    assert there.payment(payment_id).state == "settled"


QUARTER_OF_AN_HOUR = (("authorisation_minutes = 5", "authorisation_minutes = 15"),)


@pytest.fixture
def slow_approvals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(brands.BRANDS, BANK, dataclasses.replace(brands.BRANDS[BANK], approval_minutes=15))


@pytest.mark.parametrize("in_its_file", [QUARTER_OF_AN_HOUR])
@pytest.mark.usefixtures("slow_approvals")
def test_what_is_approved_late_is_known_in_time(there: Journey) -> None:
    invoice_id = there.bill(number="e2", amount="10.00")
    signs_in(there, invoice_id)
    there.clock.tick(minutes=5)
    payment_id = decided(there, invoice_id)
    left(there, payment_id)
    goes_by(there, 7)
    there.at_bank(asked_in_app(there)[0])
    goes_by(there, 7)
    assert (there.payment(payment_id).state, len(there.ledger())) == ("settled", 1)


@pytest.mark.parametrize("in_its_file", [QUARTER_OF_AN_HOUR])
@pytest.mark.usefixtures("slow_approvals")
def test_what_nobody_approves_is_taken_back_before_the_token_dies(there: Journey) -> None:
    """The bank would let it be approved for a few moments more: nobody could be asked any more what came of that."""
    invoice_id = there.bill(number="e3", amount="10.00")
    signs_in(there, invoice_id)
    there.clock.tick(minutes=5)
    payment_id = decided(there, invoice_id)
    left(there, payment_id)
    goes_by(there, 13)
    assert there.payment(payment_id).state == "awaiting_customer"
    goes_by(there, 1)
    payment = there.payment(payment_id)
    assert (payment.state, payment.reason) == ("cancelled", "not_approved_in_time")
    assert (there.invoice(invoice_id).state, there.ledger()) == ("to_pay", [])
    assert asked_in_app(there) == []  # the bank has dropped it, too


def test_a_bank_that_is_silent_at_the_last_look_is_asked_once_more(
    there: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice_id = there.bill(number="e4", amount=settles_after(monkeypatch, 14.5))
    signs_in(there, invoice_id)
    payment_id = decided(there, invoice_id)
    left(there, payment_id)
    goes_by(there, 4)
    there.at_bank(asked_in_app(there)[0])
    goes_by(there, 14)
    assert there.payment(payment_id).state == "accepted"
    goes_by(there, 2)
    assert there.payment(payment_id).state == "settled"


# --------------------------------------------------------------------------------- nobody is sent there with a dead one


def test_nobody_is_sent_to_approve_what_could_not_be_asked_about(
    there: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    lives(monkeypatch, 5)
    invoice_id = there.bill(number="n1", amount="10.00")
    signs_in(there, invoice_id)
    there.clock.tick(minutes=2)
    payment_id = decided(there, invoice_id)
    there.clock.tick(minutes=2)
    answer = there.browser.get(f"/payments/{payment_id}/bank")
    assert answer.headers["Location"] == f"/payments/{payment_id}"
    goes_by(there, 10)
    payment = there.payment(payment_id)
    assert (payment.state, payment.reason) == ("expired", "not_approved_in_time")
    assert there.invoice(invoice_id).state == "to_pay"
    assert sent(there, "/authorisations") == []


def test_no_order_is_sent_with_a_token_that_leaves_no_time_to_approve_it(
    there: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Confirmed while the sign-in was good, and the worker comes a moment later."""
    lives(monkeypatch, 5)
    invoice_id = there.bill(number="n5", amount="10.00")
    signs_in(there, invoice_id)
    there.clock.tick(minutes=2, seconds=29)
    with monkeypatch.context() as patched:
        patched.setattr(decide, "run_now", lambda *_, **__: False)
        payment_id = decided(there, invoice_id)
    there.wait(30)
    payment = there.payment(payment_id)
    assert (payment.state, payment.reason, initiations(there)) == ("rejected", "sign_in_over", 0)
    assert there.invoice(invoice_id).state == "to_pay"
    assert offers_to_sign_in(there, invoice_id)


def test_what_nobody_was_asked_to_approve_is_closed(there: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker that has the app ask comes when the token is dead. We know that nothing was sent."""
    invoice_id = there.bill(number="n2", amount="10.00")
    signs_in(there, invoice_id)
    payment_id = decided(there, invoice_id)
    way_back = there.browser.leave(payment_id)
    with monkeypatch.context() as patched:
        patched.setattr(redirect, "run_now", lambda *_, **__: False)
        there.browser.come_back(way_back)
    there.clock.tick(minutes=21)
    goes_by(there, 1)
    payment = there.payment(payment_id)
    assert (payment.state, payment.reason) == ("expired", "sign_in_over")
    assert (there.invoice(invoice_id).state, sent(there, "/authorisations")) == ("to_pay", [])
    there.browser.sign_in()
    said = words(there, f"/payments/{payment_id}")
    assert "Nothing left your account." in said
    assert "Your sign-in at Tuulipankki ended before the bank could ask you for your approval" in said
    for _ in range(10):
        there.wait(24 * 3600)
    assert there.payment(payment_id).state == "expired"


def test_a_token_of_no_stated_life_is_used_until_the_bank_refuses_it(
    there: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = BerlinGroupConnector.signed_in

    def unstated(*asked: Any, **how: Any) -> Authorised:
        return dataclasses.replace(exchange(*asked, **how), expires_in_s=None)

    monkeypatch.setattr(BerlinGroupConnector, "signed_in", unstated)
    invoice_id = there.bill(number="n3", amount="10.00")
    signs_in(there, invoice_id)
    there.clock.tick(minutes=8)
    payment_id = decided(there, invoice_id)
    there.clock.tick(minutes=3)
    left(there, payment_id)
    there.at_bank(asked_in_app(there)[0])
    goes_by(there, 2)
    assert there.payment(payment_id).state == "settled"
    there.clock.tick(minutes=20)
    there.browser.sign_in()
    other = there.bill(number="n4", amount="10.00")
    refused = decided(there, other)  # nobody said that it would be dead by now
    assert (there.payment(refused).state, there.payment(refused).reason) == ("rejected", "sign_in_over")
    assert offers_to_sign_in(there, other)


# ----------------------------------------------------------------------------------------------------- what is promised


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bank gives no answer about any order that it has."""

    def fails(*_: Any, **__: Any) -> Any:
        raise api._internal_error()

    monkeypatch.setattr(api, "_read", fails)


@pytest.mark.usefixtures("silent")
def test_no_time_is_promised_beyond_the_tokens_end(there: Journey) -> None:
    invoice_id = there.bill(number="p1", amount="10.00")
    signs_in(there, invoice_id)
    payment_id = decided(there, invoice_id)
    approves(there, payment_id)
    goes_by(there, 1.5)
    assert (there.payment(payment_id).state, there.payment(payment_id).know_by) == ("unknown", None)
    said = words(there, f"/payments/{payment_id}")
    assert "We keep asking until that ends (10:20); after that only a statement" in said
    assert "will know by" not in said
    there.browser.get("/language/fr?next=/")
    assert "jusqu’à ce qu’elle prenne fin (10" in words(there, f"/payments/{payment_id}")


@pytest.mark.usefixtures("silent")
def test_a_token_that_outlives_the_promise_promises(there: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    lives(monkeypatch, 60)
    invoice_id = there.bill(number="p2", amount="10.00")
    signs_in(there, invoice_id)
    payment_id = decided(there, invoice_id)
    approves(there, payment_id)
    goes_by(there, 1.5)
    assert "We keep asking and will know by 10:" in words(there, f"/payments/{payment_id}")


def questions(journey: Journey) -> int:
    return sum(str(one.url).endswith("/status") for one in journey.bank_wire.sent)


def test_a_bank_that_takes_the_token_no_more_ends_the_promises(there: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what it said it lives for months: a later sign-in elsewhere ended it, or the bank forgot it."""
    lives(monkeypatch, 90 * 24 * 60)
    invoice_id = there.bill(number="p5", amount="10.00")
    signs_in(there, invoice_id)
    payment_id = decided(there, invoice_id)
    approves(there, payment_id)
    forget_tokens_at_bank(there)
    for _ in range(3):
        goes_by(there, 1)
        payment = there.payment(payment_id)
        assert (payment.state, payment.know_by, payment.promises_broken) == ("unknown", None, 0)
        said = words(there, f"/payments/{payment_id}")
        assert "Tuulipankki can no longer tell us what became of this payment" in said
        assert "you can also ask the bank" in said
        assert "will know by" not in said
    before = questions(there)
    for _ in range(20):
        there.wait(3 * 3600)
    assert there.payment(payment_id).promises_broken == 0
    assert questions(there) - before <= 11  # every six hours: it may have been wrong of the token
    assert there.invoice(invoice_id).state == "in_payment"


def test_nobody_is_said_to_be_asked_to_drop_it_who_cannot_be_asked(there: Journey) -> None:
    invoice_id = there.bill(number="p7", amount="10.00")
    signs_in(there, invoice_id)
    payment_id = decided(there, invoice_id)
    left(there, payment_id)
    forget_tokens_at_bank(there)
    with there.services.unit_of_work() as uow:
        uow.session.get_one(Payment, payment_id).unwanted_since = uow.now
        uow.commit()
    goes_by(there, 1)
    said = words(there, f"/payments/{payment_id}")
    assert "we can no longer ask Tuulipankki to drop it" in said
    assert "we are asking" not in said
    there.browser.get("/language/fr?next=/")
    assert "nous ne pouvons plus demander à Tuulipankki de l’abandonner" in words(there, f"/payments/{payment_id}")


def test_a_token_that_the_bank_takes_after_all_tells(there: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a moment it did not."""
    lives(monkeypatch, 60)
    invoice_id = there.bill(number="p6", amount="10.00")
    signs_in(there, invoice_id)
    payment_id = decided(there, invoice_id)
    left(there, payment_id)

    def dead(*_: Any, **__: Any) -> Any:
        raise BerlinGroupError(401, "TOKEN_INVALID", "not now")

    with monkeypatch.context() as patched:
        patched.setattr(api, "_read", dead)
        goes_by(there, 1.5)
    assert there.payment(payment_id).untold_since is not None
    there.at_bank(asked_in_app(there)[0])
    goes_by(there, 6)
    assert (there.payment(payment_id).state, there.payment(payment_id).untold_since) == ("settled", None)


def test_with_its_key_the_promise_comes_back(there: Journey) -> None:
    invoice_id = there.bill(number="p3", amount="10.00")
    signs_in(there, invoice_id)
    payment_id = decided(there, invoice_id)
    left(there, payment_id)
    vault = there.services.vault
    keys = dict(vault._keys)
    vault._keys = {name: AESGCM(AESGCM.generate_key(256)) for name in keys}
    there.wait(3)
    assert "can no longer tell us" in words(there, f"/payments/{payment_id}")
    vault._keys = keys
    goes_by(there, 3)
    said = words(there, f"/payments/{payment_id}")
    assert there.payment(payment_id).transaction_status == "RCVD"
    assert "can no longer tell us" not in said
    assert "We keep asking until that ends (10:20)" in said
    there.at_bank(asked_in_app(there)[0])
    goes_by(there, 10)
    assert there.payment(payment_id).state == "settled"


def test_what_was_accepted_and_cannot_be_asked_about_any_more_is_said(
    there: Journey, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bank that settles at the end of its day."""
    invoice_id = there.bill(number="p4", amount=settles_after(monkeypatch, 300))
    signs_in(there, invoice_id)
    payment_id = decided(there, invoice_id)
    approves(there, payment_id)
    goes_by(there, 1)
    assert there.payment(payment_id).state == "accepted"
    assert "can no longer tell us" not in words(there, f"/payments/{payment_id}")
    goes_by(there, 20)
    there.wait(24 * 3600)
    assert there.payment(payment_id).state == "accepted"
    there.browser.sign_in()
    said = words(there, f"/payments/{payment_id}")
    assert "Accepted by your bank, not settled yet" in said
    assert "Tuulipankki can no longer tell us whether it has carried it out." in said
    with monkeypatch.context() as patched:
        patched.setattr(machinery, "services", lambda: there.services)
        assert main(["payment", "unknown"]) == 1
    [line, total] = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{payment_id}  accepted  bank {BANK} ")
    assert "the bank cannot be asked by us since 2026-" in line
    assert total.startswith("1 payment")


# ---------------------------------------------------------------------------------------------------- "no such payment"


def test_no_such_payment_told_to_a_customer_frees_nothing(there: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a bank that shows an order to one customer alone that is no word that there is none."""
    lives(monkeypatch, 90)
    invoice_id = there.bill(number="f1", amount="10.00")
    signs_in(there, invoice_id)
    payment_id = decided(there, invoice_id)
    left(there, payment_id)
    [link] = asked_in_app(there)

    def unknown(*_: Any, **__: Any) -> Any:
        raise api._unknown()

    with monkeypatch.context() as patched:
        patched.setattr(api, "_own", unknown)
        goes_by(there, 4)
        there.at_bank(link)
        goes_by(there, 60)
    there.browser.sign_in()
    assert (there.payment(payment_id).state, there.payment(payment_id).know_by) == ("unknown", None)
    assert "can no longer tell us" in words(there, f"/payments/{payment_id}")  # past the fence no other word will come
    assert there.invoice(invoice_id).state == "in_payment"
    assert len(there.ledger()) == 1
    goes_by(there, 30)
    assert there.payment(payment_id).state == "settled"


# ------------------------------------------------------------------------------------------------------ once it is dead


def test_with_a_dead_token_nothing_is_taken_of_the_budget(there: Journey) -> None:
    invoice_id = there.bill(number="d1", amount="10.00")
    signs_in(there, invoice_id)
    payment_id = decided(there, invoice_id)
    left(there, payment_id)
    forget_tokens_at_bank(there)
    goes_by(there, 21)
    with there.services.reading() as uow:
        before = uow.session.scalars(select(BankBudget.minute)).all(), uow.session.scalars(select(BankAttempt)).all()
    for _ in range(10):
        there.wait(24 * 3600)
    with there.services.reading() as uow:
        after = uow.session.scalars(select(BankBudget.minute)).all(), uow.session.scalars(select(BankAttempt)).all()
        assert uow.session.scalars(select(Payment.untold_since)).one() is not None
    assert before[0] == after[0]
    assert len(before[1]) == len(after[1])
    assert there.payment(payment_id).state == "unknown"


# ---------------------------------------------------------------------------------------------------- how long it lasts


def test_after_an_hour_one_signs_in_again_however_long_the_token_lives(
    there: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    lives(monkeypatch, 90 * 24 * 60)
    invoice_id, other = there.bill(number="l1", amount="10.00"), there.bill(number="l2", amount="10.00")
    signs_in(there, invoice_id)
    assert "Until 11:00 you can begin payments" in words(there, f"/bills/{invoice_id}/pay?bank={BANK}")
    approves(there, decided(there, invoice_id))
    there.clock.tick(minutes=62)
    with there.services.unit_of_work() as uow:
        forget_expired_secrets(uow)
        uow.commit()
    there.browser.sign_in()
    assert offers_to_sign_in(there, other)
    assert (count(there, SignIn), tokens_of_orders(there)) == (0, 1)


def test_the_token_of_a_payment_goes_with_the_last_question(there: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    lives(monkeypatch, 90 * 24 * 60)
    invoice_id, other = there.bill(number="l3", amount="10.00"), there.bill(number="l4", amount="10.00")
    signs_in(there, invoice_id)
    payment_id, never_left = decided(there, invoice_id), decided(there, other)
    approves(there, payment_id)
    goes_by(there, 10)
    assert (there.payment(payment_id).state, there.payment(never_left).state) == ("settled", "expired")
    assert tokens_of_orders(there) == 1
    for _ in range(6):
        there.wait(24 * 3600)
    assert tokens_of_orders(there) == 0


def test_one_can_sign_in_there_as_somebody_else(there: Journey) -> None:
    invoice_id = there.bill(number="l5", amount="10.00")
    signs_in(there, invoice_id)
    link = there.browser.page(f"/bills/{invoice_id}/pay?bank={BANK}").select_one("#sign-in-again")
    assert link is not None
    assert link.get_text() == "Sign in there again"
    there.browser.come_back(at_bank(there, there.browser.get(str(link["href"])).headers["Location"], customer="jonas"))
    payment_id = decided(there, invoice_id)
    left(there, payment_id)
    [to_approve] = asked_in_app(there)
    decision = there.person.sign_in(there.person.go(to_approve), customer="jonas")
    there.person.submit(decision, account="jonas-current", decision="approve")
    goes_by(there, 1)
    assert there.payment(payment_id).state == "settled"
