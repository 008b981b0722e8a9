"""Attacks by late truth: a payment that was closed turns out executed; the other payments of its bill must give way.

A hostile reading found each of these. Whatever order things happen in, no bill is offered that a bank has paid.
"""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections.abc import Callable
from unittest import mock

import pytest

from app.errors import Conflict
from app.journey.payments import service
from app.journey.payments.access import locked
from app.journey.payments.models import Payment
from app.journey.payments.states import Source
from app.journey.payments.step import correct
from app.journey.reconciliation.service import import_statement
from connectors.berlin_group.connector import BerlinGroupConnector
from connectors.contract import BankRequest, BankStatus, Fact, PsuContext, Staged
from connectors.errors import BankSilent, BankUnavailable
from connectors.registry import Registry, UnknownBank
from tests.support.camt import Line, camt
from tests.support.installation import BANK_URL
from tests.support.journey import Journey

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the database plays no part


def says(journey: Journey, payment_id: str, fact: Fact) -> None:
    """A record of the bank arrives."""
    with journey.services.unit_of_work() as uow:
        payment = locked(uow.session, payment_id)
        assert correct(uow, payment, fact, source=Source.STATEMENT, evidence="camt:M1/1")
        uow.commit()
    journey.worker.run_until_idle()


def states(journey: Journey, *payment_ids: str) -> list[str]:
    return [journey.payment(one).state for one in payment_ids]


def refused(journey: Journey, invoice_id: str) -> str:
    payment_id = journey.pay(invoice_id, decision="refuse")
    journey.wait(5)
    assert journey.payment(payment_id).state == "rejected"
    return payment_id


def decided_only(journey: Journey, invoice_id: str) -> str:
    """Signed, and nobody has begun with it."""
    with mock.patch("app.web.customers.decide.run_now", return_value=False):
        return journey.confirm(invoice_id)


def answering(word: str, fact: Fact) -> mock._patch[mock.MagicMock]:
    answer = BankStatus(
        transaction_status=word, fact=fact, reason_code=None, reason_text=None, raw_response=word.encode()
    )
    return mock.patch.object(BerlinGroupConnector, "status", return_value=answer)


def test_a_bill_that_was_paid_after_all_stops_the_payment_that_has_not_begun(journey: Journey) -> None:
    invoice_id = journey.bill(number="e1")
    first = refused(journey, invoice_id)
    second = journey.confirm(invoice_id)
    says(journey, first, Fact.CREDITED)
    assert states(journey, first, second) == ["settled", "cancelled"]
    assert journey.invoice(invoice_id).state == "paid"
    assert journey.payment(second).reason == "paid_otherwise"


def test_a_bill_that_was_paid_after_all_stays_paid_when_the_other_payment_is_taken_back(journey: Journey) -> None:
    invoice_id = journey.bill(number="e2")
    first = refused(journey, invoice_id)
    second = journey.confirm(invoice_id)
    journey.browser.leave(second)
    says(journey, first, Fact.CREDITED)
    journey.wait(130)  # the bank is asked to drop the other one, and does
    assert states(journey, first, second) == ["settled", "cancelled"]
    assert journey.invoice(invoice_id).state == "paid"


def test_a_bill_that_was_paid_twice_stays_paid_when_one_of_the_two_is_reversed(journey: Journey) -> None:
    invoice_id = journey.bill(number="e3")
    first = refused(journey, invoice_id)
    second = journey.pay(invoice_id)
    journey.wait(5)
    says(journey, first, Fact.CREDITED)
    says(journey, second, Fact.REJECTED)
    assert states(journey, first, second) == ["settled", "reversed"]
    assert journey.invoice(invoice_id).state == "paid"
    says(journey, first, Fact.REJECTED)  # and that one, too
    assert journey.invoice(invoice_id).state == "to_pay"


def test_an_order_that_is_still_being_given_to_the_bank_is_given_up(journey: Journey) -> None:
    invoice_id = journey.bill(number="e4")
    first = refused(journey, invoice_id)
    with mock.patch.object(BerlinGroupConnector, "initiate", side_effect=BankSilent("gone")):
        second = journey.confirm(invoice_id)
    assert journey.payment(second).state == "initiating"
    says(journey, first, Fact.CREDITED)
    journey.wait(10)
    assert states(journey, first, second) == ["settled", "rejected"]
    assert journey.payment(second).reason == "paid_otherwise"


def test_a_decision_whose_payment_is_not_there_yet_never_gets_to_the_bank(journey: Journey) -> None:
    invoice_id = journey.bill(number="e5")
    first = refused(journey, invoice_id)
    second = decided_only(journey, invoice_id)
    says(journey, first, Fact.CREDITED)
    journey.wait(60)
    assert states(journey, first, second) == ["settled", "rejected"]
    assert journey.invoice(invoice_id).state == "paid"


@only_sqlite
@pytest.mark.tampers  # on purpose one of two safeguards is taken away
def test_nobody_is_sent_to_approve_a_payment_of_a_bill_that_is_paid(journey: Journey) -> None:
    """Whatever else failed: the last door before the point of no return looks for itself."""
    invoice_id = journey.bill(number="e6")
    first = refused(journey, invoice_id)
    second = journey.confirm(invoice_id)
    with mock.patch("app.journey.payments.step._stop_others"):
        says(journey, first, Fact.CREDITED)
    assert journey.payment(second).state == "awaiting_customer"
    answer = journey.browser.get(f"/payments/{second}/bank")
    assert BANK_URL not in answer.headers.get("Location", "")


@only_sqlite
def test_an_order_that_the_bank_has_accepted_is_never_taken_back(journey: Journey) -> None:
    payment_id = journey.confirm(journey.bill(number="e7"))
    journey.browser.leave(payment_id)
    with answering("ACSP", Fact.ACCEPTED):
        journey.wait(125)
    assert journey.payment(payment_id).state == "accepted"
    with answering("RCVD", Fact.WAITING), mock.patch.object(BerlinGroupConnector, "cancel") as cancel:
        for _ in range(40):
            journey.wait(3600)
    assert cancel.call_count == 0
    assert journey.payment(payment_id).state == "accepted"


@only_sqlite
def test_a_bank_that_called_it_rejected_is_asked_again(journey: Journey) -> None:
    """One wrong word of a bank must not make us deaf."""
    invoice_id = journey.bill(number="e8")
    payment_id = journey.confirm(invoice_id)
    way_back = journey.at_bank(journey.browser.leave(payment_id))
    with answering("RJCT", Fact.REJECTED):
        journey.wait(125)
    assert journey.payment(payment_id).state == "rejected"
    journey.browser.come_back(way_back)
    journey.wait(5)
    assert journey.payment(payment_id).state == "settled"
    assert journey.invoice(invoice_id).state == "paid"


@only_sqlite
def test_a_late_question_that_gets_no_answer_is_asked_again(journey: Journey) -> None:
    payment_id = journey.pay(journey.bill(number="e9"), decision="refuse")
    journey.wait(5)
    with mock.patch.object(BerlinGroupConnector, "status", side_effect=BankSilent("gone")):
        for _ in range(8):
            journey.wait(24 * 3600)
    with answering("ACSC", Fact.DEBITED):
        journey.wait(6 * 3600)
    assert journey.payment(payment_id).state == "settled"


@only_sqlite
@pytest.mark.parametrize(
    ("executed", "begin"),
    [
        pytest.param(False, lambda journey, bill: journey.pay(bill), id="not executed, of what the bank settled"),
        pytest.param(True, lambda journey, bill: _initiating(journey, bill), id="executed, of what is not given yet"),
        pytest.param(False, lambda journey, bill: journey.confirm(bill), id="not executed, of what nobody can approve"),
    ],
)
def test_an_operator_who_says_what_cannot_follow_is_told_so(
    journey: Journey, executed: bool, begin: Callable[[Journey, str], str]
) -> None:
    payment_id = begin(journey, journey.bill(number="e10"))
    if not executed:
        journey.wait(5)
    before = _row(journey, payment_id)
    with journey.services.unit_of_work() as uow, pytest.raises(Conflict) as refused_:
        service.resolve(uow, payment_id=payment_id, executed=executed, because="Ms Arnaud at the bank, ticket 4711")
    assert refused_.value.code == "not-so"
    assert _row(journey, payment_id) == before


def _initiating(journey: Journey, invoice_id: str) -> str:
    with mock.patch.object(BerlinGroupConnector, "initiate", side_effect=BankSilent("gone")):
        return journey.confirm(invoice_id)


def _row(journey: Journey, payment_id: str) -> tuple[str, int]:
    payment: Payment = journey.payment(payment_id)
    return payment.state, payment.sequence


@only_sqlite
def test_a_promise_is_renewed_though_the_work_itself_fails(journey: Journey) -> None:
    with mock.patch.object(BerlinGroupConnector, "status", side_effect=BankSilent("gone")):
        payment_id = journey.pay(journey.bill(number="e11"))
    promised = journey.payment(payment_id).know_by
    assert promised is not None
    with mock.patch.object(Registry, "profile", side_effect=UnknownBank("horizon")):
        journey.wait((promised - journey.clock()).total_seconds() + 60)
        with journey.services.unit_of_work() as uow:
            service.renew_promises(uow)
            uow.commit()
    payment = journey.payment(payment_id)
    assert payment.know_by is not None
    assert payment.know_by > journey.clock()
    assert payment.promises_broken == 1


@only_sqlite
def test_a_bank_that_wants_to_be_left_alone_leaves_a_promise_behind(journey: Journey) -> None:
    """Somebody who is back from the bank is told that we do not know, and until when."""
    first = journey.confirm(journey.bill(number="e12"))
    way_back = journey.at_bank(journey.browser.leave(first))
    with mock.patch.object(BerlinGroupConnector, "status", side_effect=BankUnavailable("429", retry_after_s=3600)):
        journey.pay(journey.bill(number="e13"))
        journey.browser.come_back(way_back)
        journey.wait(2)
    payment = journey.payment(first)
    assert payment.state == "unknown"
    assert payment.know_by is not None


@only_sqlite
def test_a_decision_for_a_bank_that_is_gone_is_given_up(journey: Journey) -> None:
    invoice_id = journey.bill(number="e14")
    payment_id = decided_only(journey, invoice_id)
    with mock.patch.object(Registry, "profile", side_effect=UnknownBank("horizon")):
        journey.wait(600)
        assert journey.invoice(invoice_id).state == "in_payment"
        journey.wait(3600)
    assert (journey.payment(payment_id).state, journey.payment(payment_id).reason) == ("rejected", "bank_unreachable")
    assert journey.invoice(invoice_id).state == "to_pay"


# ------------------------------------------------------------------------------------------------- what the mends broke


@only_sqlite
def test_the_status_that_was_wrong_does_not_undo_the_evidence_that_corrected_it(journey: Journey) -> None:
    invoice_id = journey.bill(number="f1")
    payment_id = refused(journey, invoice_id)
    says(journey, payment_id, Fact.CREDITED)
    for seconds in (3700, 301, 301, 24 * 3600):
        journey.wait(seconds)  # the bank goes on saying RJCT
    assert journey.payment(payment_id).state == "settled"
    assert journey.invoice(invoice_id).state == "paid"


@only_sqlite
def test_a_code_for_a_bill_that_is_paid_is_not_exchanged(journey: Journey) -> None:
    invoice_id = journey.bill(number="f2")
    first = refused(journey, invoice_id)
    second = journey.confirm(invoice_id)
    way_back = journey.at_bank(journey.browser.leave(second))
    with answering("RCVD", Fact.WAITING), mock.patch.object(BerlinGroupConnector, "cancel", return_value=None):
        says(journey, first, Fact.CREDITED)
        with mock.patch.object(BerlinGroupConnector, "complete", side_effect=BankSilent("gone")) as complete:
            journey.browser.come_back(way_back)
            journey.wait(3)
    assert complete.call_count == 0
    assert journey.payment(second).unwanted_since is not None


@only_sqlite
def test_what_came_and_went_stops_nobody(journey: Journey) -> None:
    invoice_id = journey.bill(number="f3")
    first = refused(journey, invoice_id)
    second = journey.confirm(invoice_id)
    line = functools.partial(Line, end_to_end_id=journey.payment(first).end_to_end_id)
    booked, back = line(reference="R1"), line(reference="R2", indicator="DBIT", reversal=True)
    assert import_statement(journey.services, camt(booked, back, account=journey.biller.iban)).changed == 0
    assert states(journey, first, second) == ["rejected", "awaiting_customer"]


@only_sqlite
def test_a_payment_that_gave_way_need_not_when_the_other_one_is_taken_back(journey: Journey) -> None:
    invoice_id = journey.bill(number="f4")
    first = refused(journey, invoice_id)
    second = journey.confirm(invoice_id)
    journey.browser.leave(second)
    with answering("RCVD", Fact.WAITING), mock.patch.object(BerlinGroupConnector, "cancel", return_value=None):
        says(journey, first, Fact.CREDITED)
        assert journey.payment(second).unwanted_since is not None
        says(journey, first, Fact.REJECTED)
    assert journey.payment(second).unwanted_since is None
    way_back = journey.at_bank(journey.browser.leave(second))
    journey.browser.come_back(way_back)
    journey.wait(5)
    assert states(journey, first, second) == ["reversed", "settled"]


@only_sqlite
@pytest.mark.parametrize("sca", [True, False])
def test_an_order_that_was_stopped_while_it_was_being_given_is_not_forgotten(journey: Journey, sca: bool) -> None:
    """Nobody gets its link; and a bank that may have it approved in another way is asked about it."""
    invoice_id = journey.bill(number="f5")
    first = refused(journey, invoice_id)
    real = BerlinGroupConnector.initiate

    def meanwhile(self: BerlinGroupConnector, request: BankRequest, *, psu: PsuContext, timeout_s: float) -> Staged:
        staged = real(self, request, psu=psu, timeout_s=timeout_s)
        with journey.services.unit_of_work() as uow:
            paid = locked(uow.session, first)
            correct(uow, paid, Fact.CREDITED, source=Source.STATEMENT, evidence="camt:M1/1")
            uow.commit()
        return dataclasses.replace(staged, sca=staged.sca if sca else None)

    with mock.patch.object(BerlinGroupConnector, "initiate", autospec=True, side_effect=meanwhile):
        second = journey.confirm(invoice_id)
    assert states(journey, first, second) == ["settled", "rejected" if sca else "unknown"]
    assert (journey.payment(second).consent_id is None) is sca
    with answering("ACSC", Fact.DEBITED):
        journey.wait(1)
    assert journey.payment(second).state == ("rejected" if sca else "settled")


@only_sqlite
def test_a_doubt_that_is_never_settled_is_not_asked_about_for_ever(journey: Journey) -> None:
    payment_id = journey.pay(journey.bill(number="f6"))
    journey.wait(600)
    with answering("RJCT", Fact.REJECTED):
        journey.wait(3600)
    with answering("RESOURCE_UNKNOWN", Fact.NOT_FOUND) as status:
        for _ in range(20 * 24):
            journey.wait(3600)
        assert 4 < status.call_count < 500
        assert journey.payment(payment_id).next_look_at is None
    assert journey.payment(payment_id).state == "settled"


@only_sqlite
def test_a_receipt_of_a_payment_that_its_bank_never_numbered_is_shown(journey: Journey) -> None:
    with mock.patch.object(BerlinGroupConnector, "initiate", side_effect=BankSilent("gone")):
        payment_id = journey.confirm(journey.bill(number="f7"))
        for _ in range(10):
            journey.wait(120)
    assert journey.payment(payment_id).state == "rejected"
    says(journey, payment_id, Fact.CREDITED)
    journey.browser.sign_in()
    [link] = journey.browser.page("/receipts").select("a[href^='/receipts/rcp_']")
    assert journey.browser.get(str(link["href"])).status_code == 200


@pytest.mark.parametrize("database_url", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
def test_a_reversal_waits_for_who_is_about_to_apply_it(journey: Journey) -> None:
    """Both end at once: the bill is to pay again, and not paid by nobody."""
    invoice_id = journey.bill(number="f8")
    first = refused(journey, invoice_id)
    second = journey.pay(invoice_id)
    journey.wait(5)
    says(journey, first, Fact.CREDITED)

    def reverse(payment_id: str) -> None:
        with journey.services.unit_of_work() as uow:
            correct(uow, locked(uow.session, payment_id), Fact.REJECTED, source=Source.STATEMENT, evidence="camt:M2/1")
            uow.commit()

    with journey.services.unit_of_work() as uow:
        correct(uow, locked(uow.session, first), Fact.REJECTED, source=Source.STATEMENT, evidence="camt:M2/1")
        other = threading.Thread(target=reverse, args=(second,))
        other.start()
        other.join(1)
        uow.commit()
    other.join(10)
    assert not other.is_alive()
    assert states(journey, first, second) == ["reversed", "reversed"]
    assert journey.invoice(invoice_id).state == "to_pay"
