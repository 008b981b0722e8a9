"""What a customer says of a bill: what may be said when, what it does to the bill, and what ends it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import select, update

from app.errors import Conflict, Invalid, NotAllowed, NotFound, TooLate
from app.journey.answers import service as answers
from app.journey.answers.models import BillAnswer
from app.journey.answers.read import answers_of_invoice
from app.journey.answers.rules import ANSWERS_MOST, Policy
from app.journey.answers.service import Said
from app.journey.answers.states import AnswerKind
from app.journey.connections import service as connections
from app.journey.connections.models import Connection
from app.journey.connections.states import ConnectionStep
from app.journey.corrections.models import Correction
from app.journey.corrections.replies import reply
from app.journey.corrections.service import withdraw
from app.journey.intake import own_bills
from app.journey.invoices import own
from app.journey.invoices.access import must_not_be_set_aside
from app.journey.invoices.models import Invoice
from app.journey.payments.models import Payment
from app.journey.payments.states import Source
from app.journey.payments.step import correct
from app.people import vetting
from app.people.sessions import SignedIn
from connectors.contract import Fact
from tests.support.factories import OPERATORS
from tests.support.pictures import epc_text
from tests.unit.app.journey.house import IBAN, House, said

DAY = dt.timedelta(days=1)
ASIDE: dict[AnswerKind, dict[str, Any]] = {
    AnswerKind.PAID_ELSEWHERE: {},
    AnswerKind.DECLINED: {"reason": "not_ordered"},
    AnswerKind.DISPUTED: {"reason": "wrong_amount"},
}


def say(house: House, kind: str, invoice_id: str = "inv_1", **said: Any) -> str:
    with house.begin() as uow:
        answer = answers.say(
            uow, signed_in=house.signed_in, invoice_id=invoice_id, said=Said(kind=AnswerKind(kind), **said)
        )
        uow.commit()
        return answer.id


def take_back(house: House, answer_id: str) -> None:
    with house.begin() as uow:
        answers.take_back(uow, signed_in=house.signed_in, answer_id=answer_id)
        uow.commit()


def answer(house: House, answer_id: str) -> BillAnswer:
    with house.services.reading() as uow:
        return uow.session.get_one(BillAnswer, answer_id)


def ends(house: House) -> list[tuple[str, str | None]]:
    """State and what ended it, of all answers in the order in which they were said."""
    with house.services.reading() as uow:
        return [(one.state, one.ended_by) for one in uow.session.scalars(select(BillAnswer).order_by(BillAnswer.id))]


def biller_says(house: House, answer_id: str, *, accepts: bool, words: str = "") -> None:
    reply(house.services, biller_id="blr_1", answer_id=answer_id, accepts=accepts, words=words)


def seen(house: House) -> list[str | None]:
    """The replies that the customer reads, the newest first."""
    with house.services.reading() as uow:
        found = answers_of_invoice(
            uow.session, invoice_id="inv_1", customer_id=house.customer.id, today=house.clock.now.date()
        )
        return [each.reply for each in found]


def due_bill(house: House) -> None:
    """A bill that is due in a week."""
    house.bill()
    with house.begin() as uow:
        uow.session.get_one(Invoice, "inv_1").due_on = house.clock.now.date() + 7 * DAY
        uow.commit()


def due_day(house: House) -> dt.date:
    due_on = house.invoice().due_on
    assert due_on is not None
    return due_on


@pytest.mark.parametrize("kind", ASIDE)
def test_what_is_said_sets_the_bill_aside_until_it_is_taken_back(house: House, kind: AnswerKind) -> None:
    house.bill()
    one = say(house, kind, words="  I have  told you by telephone. ", **ASIDE[kind])
    found = answer(house, one)
    assert one.startswith("ans_")
    assert (found.kind, found.state, found.customer_id, found.biller_id) == (kind, "open", house.customer.id, "blr_1")
    assert (found.words, found.reason, found.lines) == ("I have  told you by telephone.", ASIDE[kind].get("reason"), [])
    assert (found.said_at, found.reply_by) == (house.clock.now, house.clock.now.date() + 10 * DAY)
    assert house.invoice().is_set_aside
    with pytest.raises(Conflict) as refused:
        must_not_be_set_aside(house.invoice())
    assert refused.value.code == "set-aside"
    house.clock.tick(seconds=5)
    take_back(house, one)
    take_back(house, one)  # the same
    assert ends(house) == [("withdrawn", "customer")]
    assert answer(house, one).ended_at == house.clock.now
    assert not house.invoice().is_set_aside
    assert house.told() == ["AnswerChanged", "AnswerChanged"]
    assert house.balances() == {"due:inv_1": 9900, "biller:blr_1": -9900}  # what is owed is as it was


def test_more_time_sets_nothing_aside_and_a_yes_gives_it(house: House) -> None:
    due_bill(house)
    until = due_day(house) + 10 * DAY
    one = say(house, "more_time", until=until, words="I am paid on the 28th.")
    assert not house.invoice().is_set_aside
    assert house.invoice().pay_by == due_day(house)
    biller_says(house, one, accepts=True)
    biller_says(house, one, accepts=True)  # the same
    assert ends(house) == [("accepted", "biller")]
    assert (house.invoice().pay_by, house.invoice().due_on) == (until, due_day(house))
    with pytest.raises(Invalid):
        say(house, "more_time", until=until)  # that long there is already
    say(house, "more_time", until=until + DAY)
    assert house.invoice().pay_by == until  # nobody has said yes to that


def test_a_published_policy_says_yes_by_itself_inside_its_bounds_alone(house: House) -> None:
    due_bill(house)
    with house.begin() as uow:
        answers.publish_policy(uow, biller_id="blr_1", policy=Policy(more_time_days=14, answer_days=3))
        uow.commit()
    longest = due_day(house) + 14 * DAY
    say(house, "more_time", until=longest)
    assert ends(house) == [("accepted", "policy")]
    assert house.invoice().pay_by == longest
    two = say(house, "more_time", until=longest + DAY)  # it counts from the bill's own day
    assert ends(house)[1:] == [("open", None)]
    assert answer(house, two).reply_by == house.clock.now.date() + 3 * DAY
    with house.begin() as uow:  # it is held to what was published then
        answers.publish_policy(uow, biller_id="blr_1", policy=Policy(more_time_days=0, answer_days=60))
        uow.commit()
    assert house.invoice().pay_by == longest
    assert answer(house, two).reply_by == house.clock.now.date() + 3 * DAY


@pytest.mark.parametrize(
    ("days", "field"), [((-1, 5), "/more_time_days"), ((366, 5), "/more_time_days"), ((0, 0), "/answer_days")]
)
def test_a_policy_has_bounds(house: House, days: tuple[int, int], field: str) -> None:
    with house.begin() as uow, pytest.raises(Invalid) as refused:
        answers.publish_policy(uow, biller_id="blr_1", policy=Policy(more_time_days=days[0], answer_days=days[1]))
    assert refused.value.errors[0].pointer == field


def test_who_is_suspended_changes_nothing_for_its_own_good(house: House) -> None:
    """What it had published stands, a no is not taken and no word of its is shown; a yes is taken."""
    house.bill()
    one = say(house, "paid_elsewhere")
    biller_says(house, one, accepts=False, words="Pay to our new account.")
    assert seen(house) == ["Pay to our new account."]
    two = say(house, "declined", reason="not_mine")
    with house.begin() as uow:
        vetting.suspend(uow, biller_id="blr_1", by="ada", note="its customers call")
        uow.commit()
    assert seen(house) == [None, None]
    with house.begin() as uow, pytest.raises(Conflict) as refused:
        answers.publish_policy(uow, biller_id="blr_1", policy=Policy(answer_days=60))
    assert refused.value.code == "biller-not-vetted"
    with pytest.raises(Conflict) as refused:
        biller_says(house, two, accepts=False, words="You have to.")
    assert refused.value.code == "biller-not-vetted"
    biller_says(house, one, accepts=False, words="Said before.")  # the same: it changes nothing
    biller_says(house, two, accepts=True)
    assert ends(house) == [("refused", "biller"), ("accepted", "biller")]


def test_who_is_blocked_has_no_words(house: House) -> None:
    house.bill()
    one = say(house, "paid_elsewhere")
    with house.begin() as uow:
        uow.session.execute(update(Connection).values(state="blocked", changed_at=uow.now))
        uow.commit()
    biller_says(house, one, accepts=False, words="You have to.")
    assert ends(house) == [("refused", "biller")]
    assert seen(house) == [None]


@pytest.mark.parametrize("kind", ASIDE)
def test_a_yes_takes_the_bill_back_in_the_same_transaction(house: House, kind: AnswerKind) -> None:
    house.bill()
    one = say(house, kind, **ASIDE[kind])
    biller_says(house, one, accepts=True, words="You are right.")
    assert ends(house) == [("accepted", "biller")]
    assert answer(house, one).reply == "You are right."
    assert (house.invoice().state, house.invoice().is_set_aside) == ("cleared", False)
    assert house.balances() == {"adjust:blr_1": 9900, "biller:blr_1": -9900}
    assert house.told() == ["AnswerChanged", "AnswerChanged", "BillCorrected"]


@pytest.mark.parametrize("kind", ASIDE)
def test_a_no_leaves_the_bill_as_it_was(house: House, kind: AnswerKind) -> None:
    house.bill()
    one = say(house, kind, **ASIDE[kind])
    with pytest.raises(Invalid) as refused:
        biller_says(house, one, accepts=False, words="  ")
    assert refused.value.errors[0].pointer == "/words"
    biller_says(house, one, accepts=False, words="We have no such payment.")
    assert ends(house) == [("refused", "biller")]
    assert (house.invoice().state, house.invoice().is_set_aside) == ("to_pay", False)
    with pytest.raises(TooLate):
        biller_says(house, one, accepts=True)
    with pytest.raises(TooLate):
        take_back(house, one)


def test_disputed_lines_are_said_yes_to_by_correcting_them(house: House) -> None:
    house.bill()
    with house.begin() as uow:
        house_bill = uow.session.get_one(Invoice, "inv_1")
        house_bill.lines = [{"description": f"{n}", "quantity": None, "amount_minor": 3300} for n in range(3)]
        uow.commit()
    one = say(house, "disputed", reason="not_received", lines=(3, 1, 1))
    assert answer(house, one).lines == [1, 3]
    with pytest.raises(Conflict) as refused:
        biller_says(house, one, accepts=True)
    assert refused.value.code == "correct-the-bill"
    assert ends(house) == [("open", None)]
    with house.begin() as uow:
        withdraw(uow, biller_id="blr_1", bill_id="bill_1", reason="You are right.")
        uow.commit()
    assert ends(house) == [("accepted", "correction")]
    assert house.invoice().state == "cleared"


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"kind": "declined"}, "/reason"),
        ({"kind": "declined", "reason": "wrong_amount"}, "/reason"),  # that is a dispute
        ({"kind": "disputed", "reason": "other"}, "/words"),
        ({"kind": "disputed", "reason": "other", "words": " \u200b "}, "/words"),
        ({"kind": "disputed", "reason": "wrong_amount", "lines": (1,)}, "/lines"),  # it has none
        ({"kind": "declined", "reason": "not_mine", "words": "x" * 501}, "/words"),
        ({"kind": "more_time"}, "/until"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_written(house: House, said: dict[str, Any], pointer: str) -> None:
    due_bill(house)
    with pytest.raises(Invalid) as refused:
        say(house, **said)
    assert [error.pointer for error in refused.value.errors] == [pointer]
    assert ends(house) == []
    assert not house.invoice().is_set_aside


@pytest.mark.parametrize("days", [-1, 0, 366])
def test_more_time_has_an_end(house: House, days: int) -> None:
    due_bill(house)
    with pytest.raises(Invalid):
        say(house, "more_time", until=due_day(house) + days * DAY)


@pytest.mark.parametrize("days", [1, -3661])
def test_the_day_of_a_payment_elsewhere_is_no_guess(house: House, days: int) -> None:
    house.bill()
    with pytest.raises(Invalid):
        say(house, "paid_elsewhere", paid_on=house.clock.now.date() + days * DAY)


def test_a_new_answer_takes_the_one_before_back(house: House) -> None:
    due_bill(house)
    say(house, "declined", reason="not_mine")
    say(house, "more_time", until=due_day(house) + DAY)
    assert ends(house) == [("withdrawn", "customer"), ("open", None)]
    assert not house.invoice().is_set_aside


def test_of_a_bill_in_payment_nothing_is_said_and_of_a_paid_one_only_that_it_is_wrong(house: House) -> None:
    house.approved()
    for kind, more in ASIDE.items():
        with pytest.raises(Conflict) as refused:
            say(house, kind, **more)
        assert refused.value.code == "already-in-payment"
    house.follow(said("ACSC", Fact.DEBITED))
    with pytest.raises(Conflict):
        say(house, "declined", reason="not_mine")
    one = say(house, "disputed", reason="not_as_agreed")
    biller_says(house, one, accepts=True)
    assert house.told()[-2:] == ["RefundOwed", "BillCorrected"]  # what was paid is to be given back


def test_a_yes_to_what_was_replaced_since_it_was_paid_needs_no_withdrawal(house: House) -> None:
    """Which there is not, of a bill that a new version stands in for; and its lines nobody can correct any more."""
    house.approved()
    house.follow(said("ACSC", Fact.DEBITED))
    with house.begin() as uow:
        invoice = uow.session.get_one(Invoice, "inv_1")
        invoice.lines = [{"description": f"{n}", "quantity": None, "amount_minor": 3300} for n in range(3)]
        words: dict[str, Any] = {
            "customer_id": house.customer.id,
            "biller_id": "blr_1",
            "number": "2",
            "names": invoice.number,
        }
        words |= {"currency": "EUR", "amount_minor": 9900, "said_at": uow.now, "applied_at": uow.now}
        words |= {"invoice_id": "inv_1", "state": "applied", "kind": "new_version"}
        uow.session.add(Correction(id="cor_1", bill_id="bill_1", **words))
        uow.commit()
    for lines in ((1,), ()):
        biller_says(house, say(house, "disputed", reason="not_as_agreed", lines=lines), accepts=True)
    assert ends(house) == [("accepted", "biller")] * 2


def test_a_payment_that_turns_out_to_have_happened_ends_what_was_said_since(house: House) -> None:
    house.approved()
    house.not_found()
    say(house, "paid_elsewhere")
    with house.begin() as uow:
        payment = uow.session.get_one(Payment, "pay_1", with_for_update=True)
        correct(uow, payment, Fact.DEBITED, source=Source.STATEMENT, evidence="camt:1/1")
        uow.commit()
    assert house.invoice().state == "paid"
    assert ends(house) == [("lapsed", "payment")]
    assert not house.invoice().is_set_aside


def test_a_bill_that_is_taken_back_leaves_nothing_to_be_said(house: House) -> None:
    house.bill()
    say(house, "paid_elsewhere")
    with house.begin() as uow:
        withdraw(uow, biller_id="blr_1", bill_id="bill_1", reason="It was a mistake.")
        uow.commit()
    assert ends(house) == [("lapsed", "correction")]
    with pytest.raises(Conflict) as refused:
        say(house, "declined", reason="not_mine")
    assert refused.value.code == "not-to-be-said"


def test_who_may(house: House) -> None:
    house.bill()
    one = say(house, "paid_elsewhere")
    visitor = SignedIn(house.customer, "ses_1", read_only=True)
    with house.begin() as uow:
        with pytest.raises(NotAllowed):
            answers.say(uow, signed_in=visitor, invoice_id="inv_1", said=Said(kind=AnswerKind.PAID_ELSEWHERE))
        with pytest.raises(NotAllowed):
            answers.take_back(uow, signed_in=visitor, answer_id=one)
        with pytest.raises(NotFound):
            answers.take_back(uow, signed_in=house.signed_in, answer_id="ans_2")
    with pytest.raises(NotFound):
        reply(house.services, biller_id="blr_2", answer_id=one, accepts=True, words="")
    assert ends(house) == [("open", None)]


def test_nobody_is_told_without_end(house: House) -> None:
    house.bill()
    for _ in range(ANSWERS_MOST):
        say(house, "paid_elsewhere")
    with pytest.raises(Conflict) as refused:
        say(house, "paid_elsewhere")
    assert refused.value.code == "answers-most"


def test_a_reply_that_does_not_come_is_noticed_once(house: House) -> None:
    house.bill()
    one = say(house, "paid_elsewhere")
    reported = []
    for days in (0, 11, 1, 1):
        house.clock.tick(seconds=days * DAY.total_seconds())
        with house.begin() as uow:
            answers.report_overdue(uow)
            uow.commit()
        reported.append(house.told().count("AnswerOverdue"))
    assert reported == [0, 0, 1, 1]
    assert answer(house, one).overdue_at is not None


def test_of_a_paid_bill_that_was_taken_back_there_is_nothing_to_dispute(house: House) -> None:
    house.settled()
    one = say(house, "disputed", reason="not_as_agreed")
    with house.begin() as uow:
        withdraw(uow, biller_id="blr_1", bill_id="bill_1", reason="You are right.")
        uow.commit()
    assert (answer(house, one).state, answer(house, one).ended_by) == ("accepted", "correction")
    with pytest.raises(Conflict) as refused:
        say(house, "disputed", reason="not_as_agreed")
    assert refused.value.code == "not-to-be-said"
    with house.begin() as uow:
        payment = uow.session.get_one(Payment, "pay_1", with_for_update=True)
        correct(uow, payment, Fact.REJECTED, source=Source.STATEMENT, evidence="camt:1/2")
        uow.commit()
    assert (house.invoice().state, house.invoice().is_set_aside) == ("cleared", False)


@pytest.mark.parametrize("how", ["suspended", "blocked"])
def test_the_words_of_a_company_that_nobody_hears_are_not_shown(how: str, house: House) -> None:
    house.bill()
    one = say(house, "declined", reason="not_ordered")
    if how == "blocked":
        with house.begin() as uow:
            connections.change(uow, customer_id=house.customer.id, biller_id="blr_1", step=ConnectionStep.BLOCK)
            uow.commit()
        house.clock.tick(seconds=1)
    biller_says(house, one, accepts=False, words="Pay at once, to this account.")
    if how == "suspended":
        with house.begin() as uow:
            vetting.suspend(uow, biller_id="blr_1", by=OPERATORS[0], note="a call")
            uow.commit()
    with house.services.reading() as uow:
        [shown] = answers_of_invoice(
            uow.session, invoice_id="inv_1", customer_id=house.customer.id, today=house.clock.now.date()
        )
    assert (shown.state, shown.ended_by, shown.reply) == ("refused", "biller", None)


def test_what_was_said_of_a_bill_goes_with_it(house: House) -> None:
    text = epc_text(iban=IBAN, amount="EUR99.00", reference="1")
    own_bill_id = own_bills.add_code(house.services, customer_id=house.customer.id, written=text)
    with house.begin() as uow:
        form = own_bills.draft(uow.session, own_bill_id=own_bill_id, customer_id=house.customer.id).reading
        values, day = own_bills.checked(form), house.clock.now.date()
        kept = own.keep(uow, own_bill_id=own_bill_id, customer_id=house.customer.id, values=values, today=day)
        uow.commit()
    with pytest.raises(Conflict):
        say(house, "disputed", kept, reason="wrong_amount")  # there is nobody to tell
    say(house, "paid_elsewhere", kept)
    with house.begin() as uow:
        own.remove(uow, invoice_id=kept, customer_id=house.customer.id)
        uow.commit()
    assert ends(house) == []
