"""Every word in every state: what may be said steps the table, and what may not changes nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from sqlalchemy import select

from app import invariants
from app.db import work
from app.errors import AppError, Conflict, NotAllowed, TooLate
from app.journey.intake.events import CorrectionDelivered
from app.journey.refunds import accounts, service
from app.journey.refunds.models import Refund, RefundHistory
from app.journey.refunds.rules import MISSING_AFTER, WORDS_MAX
from app.journey.refunds.states import REFUND, RefundState, RefundStep
from app.journey.refunds.step import Sent
from app.journey.route import HANDLERS
from app.people.sessions import SignedIn
from app.services import Task
from connectors.money import Money
from consent.models import Sealed
from tests.support.bills import json_bill
from tests.support.logged import log_all
from tests.unit.app.journey.house import IBAN, House

DAY = dt.timedelta(days=1)


def owing(house: House, minor: int = 3000) -> House:
    """Its biller has credited so much more than the bill was for."""
    house.bill()
    credit(house, 9900 + minor)
    return house


def credit(house: House, minor: int) -> None:
    """The work of a delivered credit note."""
    with house.begin() as uow:
        amount = str(Money(minor, "EUR"))
        content = json_bill(number="C-1", kind="credit_note", corrects="1", amount=amount, payee={"iban": IBAN})
        row = house.deliver_row("C-1", minor=minor, content=content)
        row.kind, row.corrects_number = "credit_note", "1"
        uow.session.add(row)
        log_all(uow)
        recorded = uow.record(CorrectionDelivered(bill_id="bill_C-1"))
        claim = work.claim_key(uow.session, key=recorded.work_keys["corrections.apply_correction"], now=uow.now)
        uow.commit()
    assert claim is not None
    HANDLERS["corrections.apply_correction"](Task(services=house.services, claim=claim))


def promise(house: House, minor: int = 3000, *, days: int = 10) -> str:
    day = house.clock.now.date() + days * DAY
    refund_id, _ = service.promise(
        house.services, biller_id="blr_1", bill_id="bill_1", amount=Money(minor, "EUR"), promised_by=day
    )
    return refund_id


def send(house: House, refund_id: str, *, days_ago: int = 0, reference: str | None = None) -> None:
    sent = Sent(sent_on=house.clock.now.date() - days_ago * DAY, reference=reference)
    service.send(house.services, biller_id="blr_1", refund_id=refund_id, sent=sent)


def withdraw(house: House, refund_id: str) -> None:
    service.withdraw(house.services, biller_id="blr_1", refund_id=refund_id, words="It is set off.")


def arrived(house: House, refund_id: str) -> None:
    with house.begin() as uow:
        service.arrived(uow, signed_in=house.signed_in, refund_id=refund_id)
        uow.commit()


def missing(house: House, refund_id: str) -> None:
    with house.begin() as uow:
        service.not_arrived(uow, signed_in=house.signed_in, refund_id=refund_id)
        uow.commit()


def stands(house: House, refund_id: str) -> tuple[str, int]:
    assert [str(each) for each in invariants.check(house.engine, now=house.clock(), late=False)] == []
    with house.services.reading() as uow:
        refund = uow.session.get_one(Refund, refund_id)
        lines = uow.session.scalars(select(RefundHistory).where(RefundHistory.refund_id == refund_id)).all()
    assert len(lines) == refund.sequence
    return refund.state, refund.sequence


def sealed(house: House) -> list[str]:
    with house.services.reading() as uow:
        return list(uow.session.scalars(select(Sealed.id).where(Sealed.id.startswith("refund:"))))


#: how each state is come to
WAYS: dict[RefundState, list[Callable[[House, str], None]]] = {
    RefundState.PROMISED: [],
    RefundState.SENT: [lambda house, one: send(house, one, days_ago=9)],
    RefundState.MISSING: [lambda house, one: send(house, one, days_ago=9), missing],
    RefundState.RECEIVED: [arrived],
    RefundState.WITHDRAWN: [withdraw],
}
WORDS: dict[RefundStep, Callable[[House, str], None]] = {
    RefundStep.SEND: lambda house, one: send(house, one, reference="another"),
    RefundStep.WITHDRAW: withdraw,
    RefundStep.ARRIVE: arrived,
    RefundStep.MISS: missing,
}
#: what was said already, or does not matter any more: it is taken, and changes nothing
REPEATS = {
    (RefundState.RECEIVED, RefundStep.SEND),
    (RefundState.RECEIVED, RefundStep.ARRIVE),
    (RefundState.MISSING, RefundStep.MISS),
    (RefundState.WITHDRAWN, RefundStep.WITHDRAW),
}


@pytest.mark.parametrize("word", RefundStep)
@pytest.mark.parametrize("state", RefundState)
def test_every_word_in_every_state(house: House, state: RefundState, word: RefundStep) -> None:
    one = promise(owing(house))
    for act in WAYS[state]:
        act(house, one)
    before = stands(house, one)
    assert before[0] == state
    if REFUND.allows(state, word):
        WORDS[word](house, one)
        assert stands(house, one) == (REFUND.next(state, word), before[1] + 1)
        assert house.told()[-1] == "RefundMoved"
    elif (state, word) in REPEATS:
        WORDS[word](house, one)
        assert stands(house, one) == before
    else:
        with pytest.raises(TooLate):
            WORDS[word](house, one)
        assert stands(house, one) == before


def test_it_is_missing_only_after_some_days(house: House) -> None:
    one = promise(owing(house))
    send(house, one, days_ago=MISSING_AFTER.days - 1)
    with pytest.raises(Conflict) as refused:
        missing(house, one)
    assert refused.value.code == "too-early"
    house.clock.tick(seconds=DAY.total_seconds())
    missing(house, one)
    assert stands(house, one) == ("missing", 3)


def test_a_promise_that_was_taken_back_makes_room(house: House) -> None:
    one = promise(owing(house), 3000)
    with pytest.raises(Conflict):
        promise(house, 1)
    withdraw(house, one)
    two = promise(house, 3000)
    assert two != one
    arrived(house, two)  # and what has come does not
    with pytest.raises(Conflict):
        promise(house, 1)


def test_a_visit_of_the_demo_says_nothing(house: House) -> None:
    one = promise(owing(house))
    visit = SignedIn(house.customer, "ses_1", read_only=True)
    for say in (service.arrived, service.not_arrived, accounts.take_back):
        with house.begin() as uow, pytest.raises(NotAllowed):
            say(uow, signed_in=visit, refund_id=one)
    with pytest.raises(NotAllowed):
        accounts.type_in(house.services, signed_in=visit, refund_id=one, typed="FR7630006000011234567890189")
    assert stands(house, one) == ("promised", 1)


@pytest.mark.parametrize("words", ["", " ", "x" * (WORDS_MAX + 1), "a\x00b"])
def test_a_reason_is_a_line_that_a_person_reads(house: House, words: str) -> None:
    one = promise(owing(house))
    with pytest.raises(AppError) as refused:
        service.withdraw(house.services, biller_id="blr_1", refund_id=one, words=words)
    assert refused.value.errors[0].pointer == "/words"
    assert stands(house, one) == ("promised", 1)


def test_an_account_of_a_refund_that_goes_on_is_not_erased_with_another_one(house: House) -> None:
    owing(house)
    one, two = promise(house, 1000), promise(house, 2000)
    for each in (one, two):
        accounts.type_in(house.services, signed_in=house.signed_in, refund_id=each, typed="NO9386011117947")
    arrived(house, one)
    assert len(sealed(house)) == 1
    arrived(house, two)
    assert sealed(house) == []
