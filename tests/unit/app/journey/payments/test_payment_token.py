"""Where only a customer's token is told of a payment: its last questions, and when nobody can be asked any more."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
from sqlalchemy import update

from app.db.unit_of_work import HEAD_START
from app.journey.consents.models import BankBudget
from app.journey.payments.models import Payment
from app.journey.payments.read import payment_view
from app.journey.payments.rules import LATE_PAUSE, SECOND_LOOK
from connectors.contract import Authorised
from connectors.errors import BankRefused, BankUnavailable, NotSignedIn
from tests.unit.app.journey.house import ACCEPTED, CANCELLED, DEBITED, MINUTE, NOT_FOUND, SILENT, WAITING, House

SECOND = dt.timedelta(seconds=1)
DEAD = NotSignedIn("no", code="TOKEN_EXPIRED", http_status=401)
HOUR = dt.timedelta(hours=1)
LIFE = 10 * MINUTE


def put(house: House, row: type, **values: object) -> None:
    with house.begin() as uow:
        uow.session.execute(update(row).values(**values))
        uow.commit()


def seal(house: House) -> None:
    """The token of the sign-in with which the order was given."""
    with house.begin() as uow:
        box = f"consent:{house.payment().consent_id}:token"
        house.services.vault.put(uow.session, box, "t0ken", now=uow.now, expires_at=uow.now + 2 * HOUR)
        uow.commit()


def asked(house: House) -> int:
    return house.bank.verbs().count("status")


def ask(house: House, answer: object) -> None:
    house.hurry()
    house.follow(answer)  # type: ignore[arg-type]  # an answer, or what is raised


def is_untold(house: House) -> bool:
    payment = house.payment()
    if payment.untold_since is not None:
        assert payment.know_by is None
    with house.services.reading() as uow:
        assert payment_view(uow.session, payment.id, now=uow.now).untold == (payment.untold_since is not None)
    return payment.untold_since is not None


def next_look(house: House) -> dt.datetime:
    look = house.payment().next_look_at
    assert look is not None
    return look


@pytest.fixture
def theirs(house: House) -> House:
    """Approved, at a bank that tells a status with the customer's token alone, which lives for ten minutes."""
    house.bank.profile = dataclasses.replace(house.bank.profile, status_access="psu_token")
    house.approved()
    return house


@pytest.fixture
def signed(theirs: House) -> House:
    """The token is that of the sign-in with which the payment was begun."""
    theirs.bank.profile = dataclasses.replace(theirs.bank.profile, sign_in_first=True)
    put(theirs, Payment, told_until=theirs.clock.now + LIFE)
    return theirs


# ----------------------------------------------------------------------------------------- nobody can be asked any more


def test_a_token_that_the_bank_takes_no_more_promises_nothing(signed: House) -> None:
    put(signed, Payment, told_until=signed.clock.now + 24 * HOUR)
    signed.follow(DEAD)
    assert (signed.payment().state, is_untold(signed)) == ("unknown", True)
    assert next_look(signed) == signed.clock.now + SECOND_LOOK
    for _ in range(8):
        signed.clock.tick(hours=1)
        ask(signed, DEAD)
        assert (is_untold(signed), signed.payment().promises_broken) == (True, 0)
        assert next_look(signed) <= signed.clock.now + LATE_PAUSE
    assert signed.invoice().state == "in_payment"


def test_silence_after_that_promises_nothing_either_and_an_answer_does(signed: House) -> None:
    put(signed, Payment, told_until=signed.clock.now + 24 * HOUR)
    signed.follow(DEAD)
    for answer in (SILENT, BankUnavailable("away"), BankRefused("no", code="SERVICE_BLOCKED", http_status=403)):
        ask(signed, answer)
        assert is_untold(signed)
    ask(signed, WAITING)
    assert (signed.payment().state, is_untold(signed)) == ("unknown", False)
    assert signed.payment().know_by is not None
    ask(signed, DEBITED)
    assert signed.payment().state == "settled"


def test_who_is_still_at_the_bank_is_told_so_too(house: House) -> None:
    """They may approve there what nobody can be asked about: it is not known from now on."""
    house.bank.profile = dataclasses.replace(house.bank.profile, status_access="psu_token")
    house.away()
    house.bank.profile = dataclasses.replace(house.bank.profile, sign_in_first=True)
    seal(house)
    put(house, Payment, told_until=house.clock.now + HOUR)
    ask(house, DEAD)
    assert (house.payment().state, is_untold(house)) == ("unknown", True)
    assert "cancel" not in house.bank.verbs()


def test_a_dead_token_of_an_accepted_payment_is_said(signed: House) -> None:
    signed.follow(ACCEPTED)
    ask(signed, DEAD)
    assert (signed.payment().state, is_untold(signed)) == ("accepted", True)


@pytest.mark.parametrize("is_past", [False, True])
def test_not_found_told_to_a_sign_in_frees_nothing_and_past_the_fence_nothing_else_comes(
    signed: House, is_past: bool
) -> None:
    fence = signed.clock.now + (-SECOND if is_past else 2 * MINUTE)
    put(signed, Payment, fence_at=fence, told_until=signed.clock.now + 24 * HOUR)
    signed.follow(NOT_FOUND)
    assert (signed.payment().state, is_untold(signed)) == ("unknown", is_past)
    assert signed.invoice().state == "in_payment"


def test_without_any_token_a_bank_that_wants_one_is_promised_of_no_more(theirs: House) -> None:
    """No sign-in before the order: the token of the approval died."""
    theirs.follow(WAITING)
    theirs.clock.tick(minutes=11)
    ask(theirs, DEAD)
    assert theirs.bank.asked[-1][1]["access_token"] is None
    assert (theirs.payment().state, is_untold(theirs)) == ("unknown", True)
    theirs.bank.answers["cancel"] = None  # which is asked, past its day for a second approval, and does not do it
    for _ in range(5):
        theirs.clock.tick(hours=6)
        ask(theirs, DEAD)
        assert (is_untold(theirs), theirs.payment().promises_broken) == (True, 0)


def test_an_accepted_payment_of_such_a_bank_says_so_too(theirs: House) -> None:
    theirs.follow(ACCEPTED)
    theirs.clock.tick(minutes=11)
    ask(theirs, DEAD)
    assert (theirs.payment().state, is_untold(theirs)) == ("accepted", True)


def test_who_is_back_with_a_code_that_is_still_to_be_exchanged_may_have_a_token_in_a_moment(house: House) -> None:
    house.bank.profile = dataclasses.replace(house.bank.profile, status_access="psu_token")
    house.come_back(house.away())
    ask(house, DEAD)
    assert (house.payment().state, is_untold(house)) == ("unknown", False)

    def asked_meanwhile() -> None:
        house.bank.meanwhile = lambda: None
        ask(house, DEAD)

    house.bank.meanwhile = asked_meanwhile
    house.exchange(SILENT)
    assert house.bank.verbs()[-2:] == ["complete", "status"]
    assert not is_untold(house)
    house.clock.tick(minutes=2)
    ask(house, DEAD)
    assert is_untold(house)


@pytest.mark.parametrize("grants", [False, True])
def test_what_nobody_approved_can_still_be_taken_back_as_ourselves(house: House, grants: bool) -> None:
    """That is promised: the wish to drop it needs no token of theirs. Who keeps it all the same says no more."""
    house.bank.profile = dataclasses.replace(house.bank.profile, status_access="psu_token")
    house.come_back(house.away(), code=None, error="server_error")
    house.clock.tick(seconds=30)
    house.run("payments.exchange_code")
    house.follow(DEAD)
    assert (house.payment().state, is_untold(house)) == ("unknown", False)
    house.clock.tick(minutes=20)
    house.bank.answers["cancel"] = CANCELLED if grants else None
    ask(house, DEAD)
    assert house.bank.verbs()[-1] == "cancel"
    assert (house.payment().state, is_untold(house)) == (("cancelled", False) if grants else ("unknown", True))


# --------------------------------------------------------------------------------------------------- the last questions


def test_a_bank_that_wants_to_be_left_alone_is_asked_before_the_token_dies_all_the_same(signed: House) -> None:
    end = signed.payment().told_until
    assert end is not None
    signed.follow(BankUnavailable("429", retry_after_s=3600))
    for before_s in (90, 30):
        look = next_look(signed)
        assert look == end - before_s * SECOND
        signed.clock.now = look
        seen = asked(signed)
        signed.follow(BankUnavailable("429", retry_after_s=3600))
        assert asked(signed) == seen + 1
    assert next_look(signed) == end


def test_a_budget_that_is_used_up_does_not_push_the_last_question_past_the_end(signed: House) -> None:
    end = signed.payment().told_until
    assert end is not None
    signed.clock.now = end - 45 * SECOND
    signed.bank.profile = dataclasses.replace(signed.bank.profile, status_calls_per_minute=1)
    minute = signed.clock.now.replace(second=0, microsecond=0)
    with signed.begin() as uow:
        uow.session.add(BankBudget(bank_id="horizon", minute=minute, calls=1))
        uow.commit()
    ask(signed, DEBITED)
    assert signed.payment().state == "settled"


def test_earlier_the_budget_holds(signed: House) -> None:
    with signed.begin() as uow:
        minute = uow.now.replace(second=0, microsecond=0)
        uow.session.add(BankBudget(bank_id="horizon", minute=minute, calls=10**6))
        uow.commit()
    seen = asked(signed)
    ask(signed, DEBITED)
    assert asked(signed) == seen
    assert next_look(signed) == minute + MINUTE


def test_after_the_tokens_end_nobody_is_asked_and_the_work_rests(signed: House) -> None:
    signed.clock.tick(minutes=11)
    seen = asked(signed)
    ask(signed, SILENT)
    assert (asked(signed), is_untold(signed)) == (seen, True)
    signed.clock.tick(minutes=6)
    ask(signed, SILENT)
    assert (asked(signed), next_look(signed)) == (seen, signed.clock.now + LATE_PAUSE)


@pytest.mark.parametrize("left_s", [90, 91])
def test_its_app_is_asked_to_ask_only_while_there_is_time_to_hear_of_it(house: House, left_s: int) -> None:
    """The worker comes late, towards the end of the token's life."""
    sca = house.staged().sca
    assert sca is not None
    house.bill()
    house.stage(sca=dataclasses.replace(sca, approach="decoupled"))
    house.bank.profile = dataclasses.replace(
        house.bank.profile, status_access="psu_token", sign_in_first=True, approach="decoupled"
    )
    house.come_back(house.leave())
    seal(house)
    put(house, Payment, told_until=house.clock.now + HEAD_START + left_s * SECOND)
    in_time = left_s > 90
    no_token = NotSignedIn("no token", code="TOKEN_UNKNOWN", http_status=401)
    house.exchange(Authorised(access_token=None, expires_in_s=300) if in_time else no_token)
    assert ("as_customer" in house.bank.verbs()) == in_time
    assert house.payment().state == ("awaiting_customer" if in_time else "expired")
