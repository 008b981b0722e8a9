"""Giving a payment to the bank: intent and bytes first, the same bytes again, an end where nobody can approve it."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, replace

import pytest
from sqlalchemy import delete, select, update

from app.db import work
from app.db.work import LostClaim
from app.journey.payments import rules
from app.journey.payments.access import locked
from app.journey.payments.models import BankAttempt, BankCall, Payment
from app.journey.payments.reasons import Reason
from app.journey.payments.states import PaymentStep, Source
from app.journey.payments.step import correct, step
from app.journey.route import HANDLERS
from app.services import Task
from connectors.contract import Authorised, Fact, PaymentOrder, PsuContext, ScaOAuth, Staged
from connectors.errors import BankError, BankRefused, BankSilent, BankUnavailable
from connectors.registry import UnknownBank
from consent.models import Sealed
from tests.support import factories
from tests.support.installation import BASE_URL
from tests.unit.app.journey.house import IBAN, MINUTE, PSU, SCA, House, lease_of, money, said

SECOND = dt.timedelta(seconds=1)
LIFE = 10 * MINUTE  # the bank's time to approve
INITIATE = "payments.initiate"
SILENT = BankSilent("no answer")
REFUSED = BankRefused("no", code="PAYMENT_FAILED", http_status=400)


class Killed(BaseException):
    """The process ends while the bank thinks."""


def fields(payment: Payment) -> dict[str, object]:
    return {
        column.key: value
        for column in Payment.__table__.columns
        if (value := getattr(payment, column.key)) is not None and column.key not in ("consent_id", "trip_id")
    }


def test_intent_key_and_bytes_are_there_before_the_first_byte_is_sent(house: House, points: list[str]) -> None:
    house.bill(discount=200)
    seen: list[object] = []

    def meanwhile() -> None:
        call, sent = house.calls("initiate")
        seen.append((house.payment().state, call.request_id, call.body, [one.outcome for one in sent]))
        seen.append(lease_of(house, INITIATE))
        seen.append(list(points))

    house.bank.meanwhile = meanwhile
    house.stage()
    (_, drafted), (_, sent) = house.bank.asked
    assert seen == [
        ("initiating", drafted["request_id"], b"97.00 to " + IBAN.encode(), [None]),
        True,
        ["initiate.intended"],
    ]
    assert points == ["initiate.intended", "initiate.sent", "initiate.written"]
    assert len(drafted["request_id"]) == 36
    assert drafted["order"] == PaymentOrder(
        amount=money(9700),
        creditor_name="Lumen SA",
        creditor_iban=IBAN,
        end_to_end_id="pay1",
        remittance_unstructured="RF 1",
    )
    assert sent["psu"] == PsuContext(**PSU)
    assert sent["timeout_s"] == 20.0
    assert sent["request"].body == b"97.00 to " + IBAN.encode()
    assert sent["request"].request_id == drafted["request_id"]
    assert sent["request"].headers == {"TPP-Redirect-URI": drafted["redirect_uri"]}


def test_the_bank_holds_it_and_waits_for_the_customer(house: House) -> None:
    now = house.clock.now
    house.bill(discount=200)
    house.stage()
    trip, consent = house.trip(), house.consent()
    assert fields(house.payment()) == {
        "id": "pay_1",
        "decision_id": "dec_pay_1",
        "invoice_id": "inv_1",
        "customer_id": house.customer.id,
        "biller_id": "blr_1",
        "bank_id": "horizon",
        "bank_payment_id": "bank-pay_1",
        "submitted_apart": False,
        "currency": "EUR",
        "amount_minor": 9700,
        "end_to_end_id": "pay1",
        "state": "awaiting_customer",
        "transaction_status": "RCVD",
        "sequence": 3,
        "promises_broken": 0,
        "created_at": now,
        "updated_at": now,
        "next_look_at": now + LIFE + 5 * MINUTE,
    }
    assert house.history() == [
        (None, "prepared", "customer", "decision:dec_pay_1"),
        ("prepared", "initiating", "worker", "bytes stored"),
        ("initiating", "awaiting_customer", "bank", "bank:RCVD"),
    ]
    assert house.last_answer() == b'{"status":"RCVD"}'
    assert (trip.customer_id, trip.bank_id, trip.consent_id, trip.left_at) == (
        house.customer.id,
        "horizon",
        consent.id,
        None,
    )
    assert trip.redirect_uri.startswith(f"{BASE_URL}/banks/horizon/return/")
    assert trip.redirect_uri == house.bank.asked[0][1]["redirect_uri"]
    assert consent.id.startswith("con_")
    assert (consent.customer_id, consent.kind, consent.bank_id) == (house.customer.id, "single", "horizon")
    assert (consent.bank_consent_id, consent.state) == ("bank-pay_1", "awaiting_authorisation")
    assert consent.sca == asdict(SCA)
    assert (consent.created_at, consent.expires_at) == (now, now + LIFE)
    _, (attempt,) = house.calls("initiate")
    assert (attempt.outcome, attempt.answer, attempt.sent_at) == ("staged", b'{"status":"RCVD"}', now)
    assert house.due() == {"pay_1": now + LIFE + 5 * MINUTE}
    assert house.due(INITIATE) == {}
    with house.services.reading() as uow:
        ends = set(uow.session.scalars(select(Sealed.expires_at)))
    assert ends == {now + 45 * MINUTE + LIFE}
    assert house.secrets() == {"state", "verifier"}
    assert house.told() == ["PaymentDecided"]


@pytest.mark.parametrize(("late", "counted"), [(44 * MINUTE, 44 * MINUTE), (46 * MINUTE, 45 * MINUTE)])
def test_the_time_to_approve_begins_with_the_answer_but_never_outlives_the_secrets(
    house: House, late: dt.timedelta, counted: dt.timedelta
) -> None:
    start = house.clock.now
    house.bill()
    house.bank.meanwhile = lambda: house.clock.tick(seconds=late.total_seconds())
    house.stage()
    assert house.consent().expires_at == start + counted + LIFE
    assert house.consent().created_at == start + late


@pytest.mark.parametrize(
    ("reference", "structured", "unstructured"),
    [
        ("RF18 5390 0754 7034", "RF18539007547034", None),
        ("RF18539007547034", "RF18539007547034", None),
        ("RF19539007547034", None, "RF19539007547034"),
        ("2026-1", None, "2026-1"),
        (None, None, None),
    ],
)
def test_a_creditor_reference_goes_where_the_standard_has_its_place(
    house: House, reference: str | None, structured: str | None, unstructured: str | None
) -> None:
    house.bill(reference=reference)
    house.stage()
    order = house.bank.asked[0][1]["order"]
    assert (order.remittance_structured, order.remittance_unstructured) == (structured, unstructured)


def test_taken_without_a_way_to_approve_it_is_not_known(house: House) -> None:
    now = house.clock.now
    house.bill()
    house.stage(sca=None)
    payment = house.payment()
    assert house.history()[2:] == [
        ("initiating", "awaiting_customer", "bank", "bank:RCVD"),
        ("awaiting_customer", "unknown", "bank", "no way to approve was named"),
    ]
    fence = now + LIFE + dt.timedelta(hours=24)
    assert (payment.fence_at, payment.know_by) == (fence, fence + 15 * MINUTE)
    assert house.trip().left_at == now
    assert house.consent().sca == {}
    assert house.due() == {"pay_1": now}
    assert house.invoice().state == "in_payment"


def test_a_word_longer_than_any_is_cut_to_its_column(house: House) -> None:
    house.bill()
    house.stage(transaction_status="X" * 36)
    assert house.payment().transaction_status == "X" * 35
    assert house.history()[-1][3] == "bank:" + "X" * 36


# --------------------------------------------------------------------------------------------------- the answer is lost


@pytest.mark.parametrize(
    ("error", "wait_s"),
    [
        (SILENT, 2),
        (BankUnavailable("busy"), 2),
        (BankUnavailable("busy", retry_after_s=1), 2),
        (BankUnavailable("busy", retry_after_s=90), 90),
    ],
)
def test_the_same_bytes_go_again_and_never_before_the_bank_wants_them(
    house: House, points: list[str], error: BankError, wait_s: int
) -> None:
    house.bill()
    house.decide()
    house.bank.answers["initiate"] = error
    house.run(INITIATE)
    assert points == ["initiate.intended", "initiate.failed", "initiate.written"]
    assert house.payment().state == "initiating"
    assert house.due(INITIATE) == {"pay_1": house.clock.now + wait_s * SECOND}
    _, (attempt,) = house.calls("initiate")
    assert (attempt.outcome, attempt.answer) == (type(error).__name__, str(error).encode())
    assert house.invoice().state == "in_payment"
    house.clock.tick(seconds=wait_s)
    house.bank.answers["initiate"] = Staged(consent_id="1", transaction_status="RCVD", sca=SCA, raw_response=b"{}")
    house.run(INITIATE)
    assert house.payment().state == "awaiting_customer"
    assert house.bank.verbs() == ["draft", "initiate", "initiate"]
    assert house.bank.asked[1] == house.bank.asked[2]
    assert house.outcomes("initiate") == [type(error).__name__, "staged"]


def test_after_six_sendings_it_is_given_up(house: House) -> None:
    house.bill()
    house.decide()
    house.bank.answers["initiate"] = SILENT
    for wait_s in (2, 5, 15, 60, 120):
        house.run(INITIATE)
        assert house.due(INITIATE) == {"pay_1": house.clock.now + wait_s * SECOND}
        house.clock.tick(seconds=wait_s)
    house.run(INITIATE)
    assert house.payment().reason == "bank_unreachable"
    assert house.history()[-1] == (
        "initiating",
        "rejected",
        "worker",
        "BankSilent; the link was given to nobody",
    )
    house.given_up()
    assert len(house.outcomes("initiate")) == 6


def test_what_the_bank_refuses_is_over(house: House) -> None:
    house.bill()
    house.decide()
    house.bank.answers["initiate"] = REFUSED
    house.run(INITIATE)
    assert house.payment().reason == "bank_refused"
    assert house.history()[-1][3] == "BankRefused; the link was given to nobody"
    assert house.outcomes("initiate") == ["BankRefused"]
    house.given_up()


@pytest.mark.parametrize(("retry_after_s", "goes_on"), [(45 * 60, True), (45 * 60 + 1, False)])
def test_a_bank_that_wants_to_be_left_alone_for_longer_than_a_customer_waits_is_given_up(
    house: House, retry_after_s: int, goes_on: bool
) -> None:
    house.bill()
    house.decide()
    house.bank.answers["initiate"] = BankUnavailable("busy", retry_after_s=retry_after_s)
    house.run(INITIATE)
    assert (house.payment().state == "initiating") is goes_on
    if not goes_on:
        assert house.payment().reason == "bank_unreachable"
        house.given_up()


def test_what_cannot_be_sent_is_over_before_it_begins(house: House) -> None:
    house.bill()
    house.decide()
    house.bank.answers["draft"] = ValueError("too much")
    house.run(INITIATE)
    assert house.payment().reason == "bank_refused"
    assert house.history() == [
        (None, "prepared", "customer", "decision:dec_pay_1"),
        ("prepared", "rejected", "worker", "it cannot be sent: too much"),
    ]
    with house.services.reading() as uow:
        assert uow.session.scalars(select(BankCall)).all() == []
    assert house.bank.verbs() == ["draft"]
    house.given_up()


# -------------------------------------------------------------------------------------------------------- a worker dies


def die(house: House, payment_id: str = "pay_1") -> None:
    def killed() -> None:
        raise Killed

    house.bank.meanwhile = killed
    house.bank.answers["initiate"] = SILENT
    with pytest.raises(Killed):
        house.run(INITIATE)
    assert house.payment(payment_id).state == "initiating"
    house.hurry(INITIATE)
    house.bank.meanwhile = lambda: None


def test_between_two_sendings_lies_a_second(house: House) -> None:
    house.bill()
    house.decide()
    die(house)
    sent_at = house.clock.now
    house.clock.tick(seconds=0.999)
    house.hurry(INITIATE)
    house.run(INITIATE)
    assert house.bank.verbs() == ["draft", "initiate"]
    assert house.due(INITIATE) == {"pay_1": sent_at + SECOND}
    assert house.outcomes("initiate") == [None]
    house.clock.now = sent_at + SECOND
    house.bank.meanwhile = lambda: None
    house.run(INITIATE)
    assert house.outcomes("initiate") == [None, "BankSilent"]


def test_whatever_goes_wrong_after_sending_the_same_bytes_do_not_go_for_ever(house: House) -> None:
    house.bill()
    house.decide()
    for _ in range(6):
        die(house)
        house.clock.tick(minutes=1)
        house.hurry(INITIATE)
    assert len(house.outcomes("initiate")) == 6
    house.run(INITIATE)
    assert house.payment().reason == "bank_unreachable"
    assert house.history()[-1][2:] == ("worker", "unanswered; the link was given to nobody")
    assert len(house.outcomes("initiate")) == 6
    house.given_up()


@pytest.mark.parametrize(("after", "sends"), [(rules.SEND_LIFE, 2), (rules.SEND_LIFE + SECOND, 1)])
def test_a_customer_does_not_wait_for_ever(house: House, after: dt.timedelta, sends: int) -> None:
    house.bill()
    house.decide()
    die(house)
    house.clock.now += after
    house.hurry(INITIATE)
    house.bank.meanwhile = lambda: None
    house.run(INITIATE)
    assert len(house.outcomes("initiate")) == sends
    assert house.payment().reason == "bank_unreachable"
    house.given_up()


@pytest.mark.parametrize("sent_before", [False, True])
def test_a_bill_that_another_payment_has_paid_is_not_given_to_the_bank(house: House, sent_before: bool) -> None:
    house.approved()
    house.follow(said("RJCT", Fact.REJECTED))
    house.decide("pay_2")
    if sent_before:
        die(house, "pay_2")
    with house.begin() as uow:  # the bank's word comes at a moment when nobody can stop the other one
        uow.session.execute(update(Payment).where(Payment.id == "pay_1").values(state="settled"))
        uow.commit()
    asked = len(house.bank.asked)
    house.run(INITIATE)
    other = house.payment("pay_2")
    assert (other.state, other.reason) == ("rejected", "paid_otherwise")
    assert house.history("pay_2")[-1] == (
        "initiating" if sent_before else "prepared",
        "rejected",
        "worker",
        "paid by pay_1",
    )
    assert "initiate" not in [verb for verb, _ in house.bank.asked[asked:]]
    assert house.due(INITIATE) == {}
    assert "inflight:pay_2" not in house.balances()


def paid_meanwhile(house: House, *, stopped: bool, sca: ScaOAuth | None) -> None:
    """While the bank thinks, another payment of the bill turns out to be executed."""
    house.approved()
    house.follow(said("RJCT", Fact.REJECTED))

    def meanwhile() -> None:
        house.bank.meanwhile = lambda: None
        with house.begin() as uow:
            payment = uow.session.get_one(Payment, "pay_1")
            if stopped:
                assert correct(uow, payment, Fact.DEBITED, source=Source.STATEMENT, evidence="camt:1/1")
            else:
                payment.state = "settled"
            uow.commit()

    house.bank.meanwhile = meanwhile
    house.stage("pay_2", sca=sca)


@pytest.mark.parametrize("stopped", [True, False])
def test_paid_by_another_while_the_bank_thinks_its_link_is_given_to_nobody(house: House, stopped: bool) -> None:
    paid_meanwhile(house, stopped=stopped, sca=SCA)
    other = house.payment("pay_2")
    assert (other.state, other.reason, other.consent_id) == ("rejected", "paid_otherwise", None)
    assert house.history("pay_2")[-1] == ("initiating", "rejected", "worker", "paid by pay_1")
    assert house.outcomes("initiate", "pay_2") == ["staged"]
    assert house.due(INITIATE) == {}
    assert "pay_2" not in house.due()


def test_stopped_while_the_bank_thinks_and_without_a_link_the_bank_is_asked_about_it(house: House) -> None:
    paid_meanwhile(house, stopped=True, sca=None)
    other = house.payment("pay_2")
    assert (other.state, other.reason, other.unwanted_since) == ("unknown", None, house.clock.now)
    assert (house.consent("pay_2").state, house.trip("pay_2").left_at) == ("awaiting_authorisation", house.clock.now)
    assert other.fence_at == house.clock.now + LIFE + dt.timedelta(hours=24)
    assert house.due()["pay_2"] == house.clock.now
    assert house.due(INITIATE) == {}


def closed(house: House, *, unwanted: bool = True) -> None:
    """By what happens meanwhile: its customer stops everything. Else it was given up, and may be paid."""
    with house.begin() as uow:
        payment = locked(uow.session, "pay_1")
        if unwanted:
            factories.stop_everything(uow, customer_id=house.customer.id)
        reason = Reason.STOPPED_ALL if unwanted else Reason.BANK_UNREACHABLE
        step(uow, payment, PaymentStep.GIVE_UP, source=Source.WORKER, evidence="", reason=reason)
        uow.commit()


def closed_without_a_link(house: House, *, unwanted: bool = True) -> None:
    """Closed while the bank thinks, which then says that it has it and names no way to approve it."""
    house.bill()
    house.bank.meanwhile = lambda: closed(house, unwanted=unwanted)
    house.stage(sca=None)
    house.bank.meanwhile = lambda: None


@pytest.mark.parametrize("unwanted", [True, False])
def test_closed_while_the_bank_thinks_and_without_a_link_it_is_not_known(house: House, unwanted: bool) -> None:
    """Its bank may let it be approved in a way of its own: nobody is told that it was not done, nor to pay again."""
    closed_without_a_link(house, unwanted=unwanted)
    payment, fence = house.payment(), house.clock.now + LIFE + rules.UNSTATED_LIFE
    assert (payment.state, payment.accepted_at) == ("unknown", None)
    assert (payment.fence_at, payment.know_by) == (fence, fence + rules.PROMISE)
    assert payment.unwanted_since == (house.clock.now if unwanted else None)
    assert house.history()[-1] == ("rejected", "unknown", "bank", "bank:RCVD")
    assert house.last_answer() == b'{"status":"RCVD"}'
    assert (house.invoice().state, house.balances()["inflight:pay_1"]) == ("in_payment", 9900)
    assert house.told() == ["PaymentDecided", "PaymentFailed", "PaymentUnknown"]
    house.follow(said("ACSC", Fact.DEBITED))
    assert (house.payment().state, house.invoice().state) == ("settled", "paid")
    assert house.consent().state == "consumed"


@pytest.mark.parametrize("past_fence", [False, True])
def test_closed_and_without_a_link_only_the_bank_or_the_fence_closes_it_again(house: House, past_fence: bool) -> None:
    closed_without_a_link(house)
    house.bank.answers["cancel"] = None  # it keeps it
    house.follow(said("RCVD", Fact.WAITING))
    assert house.outcomes("cancel") == ["kept"]
    if past_fence:
        house.clock.now += LIFE + rules.UNSTATED_LIFE + SECOND
        house.hurry()
    else:
        house.clock.now = house.due()["pay_1"]
    house.follow(said("404", Fact.NOT_FOUND))
    assert house.payment().state == ("rejected" if past_fence else "unknown")
    assert house.invoice().state == ("to_pay" if past_fence else "in_payment")


def test_another_one_that_was_decided_meanwhile_gives_way_to_what_the_bank_has_after_all(house: House) -> None:
    house.bill()

    def meanwhile() -> None:
        house.bank.meanwhile = lambda: None
        closed(house, unwanted=False)
        house.clock.now += SECOND
        house.stage("pay_2")
        house.bank.answers["initiate"] = replace(house.staged(), sca=None)

    house.bank.meanwhile = meanwhile
    house.stage()
    other = house.payment("pay_2")
    assert (house.payment().state, other.state, other.reason) == ("unknown", "cancelled", "another_under_way")
    assert house.balances()["inflight:pay_1"] == 9900


def test_what_one_of_its_orders_has_settled_is_not_asked_about_by_another_one(house: House) -> None:
    """A sending that was frozen meanwhile brings the other, and no way to approve it."""
    house.bill()

    def meanwhile() -> None:
        house.bank.meanwhile = lambda: None
        house.clock.now += MINUTE
        house.hurry(INITIATE)
        house.run(INITIATE)
        house.come_back(house.leave())
        house.exchange(Authorised(access_token="t0ken", expires_in_s=600))
        house.follow(said("ACSC", Fact.DEBITED))
        house.bank.answers["initiate"] = replace(house.staged("late"), sca=None)

    house.bank.meanwhile = meanwhile
    house.stage()
    assert house.outcomes("initiate") == ["staged", "staged"]
    payment = house.payment()
    assert (payment.state, payment.bank_payment_id, payment.unwanted_since) == ("settled", "bank-pay_1", None)


def test_an_order_without_link_that_was_closed_meanwhile_is_asked_about_until_it_is_gone(house: House) -> None:
    """Its customer may still approve it: the bank is asked to drop it, at the pace of an open payment."""
    closed_without_a_link(house)
    house.bank.answers["cancel"] = SILENT
    house.follow(said("RCVD", Fact.WAITING))
    assert house.bank.verbs()[-1] == "cancel"
    assert house.due()["pay_1"] <= house.clock.now + dt.timedelta(minutes=2)
    house.clock.now = house.due()["pay_1"]
    house.bank.answers["cancel"] = said("CANC", Fact.CANCELLED)
    house.follow(said("RCVD", Fact.WAITING))
    assert (house.payment().state, house.payment().reason) == ("cancelled", "stopped_all")
    # it is gone: asked about rarely, as anything that was closed
    assert house.due()["pay_1"] > house.clock.now + dt.timedelta(minutes=30)


def test_what_a_bank_took_without_naming_a_way_is_heard_whoever_has_the_work_by_then(house: House) -> None:
    house.bill()
    house.decide()

    def meanwhile() -> None:
        house.bank.meanwhile = lambda: None
        closed(house)
        house.hurry(INITIATE)  # its lease is over
        house.run(INITIATE)  # and another worker finds it closed

    house.bank.meanwhile = meanwhile
    house.bank.answers["initiate"] = Staged(consent_id="pay_1", transaction_status="RCVD", sca=None, raw_response=b"{}")
    house.run(INITIATE)
    payment = house.payment()
    assert (payment.state, payment.unwanted_since) == ("unknown", house.clock.now)
    assert (house.due(INITIATE), house.due()) == ({}, {"pay_1": house.clock.now})


@pytest.mark.parametrize("sca", [SCA, None])
def test_closed_while_the_bank_thinks_what_is_left_is_paid_in_one(house: House, sca: ScaOAuth | None) -> None:
    """Its bank may let it be approved in a way of its own (B22); then it is asked to drop it."""
    house.bill()
    house.bank.meanwhile = lambda: closed(house)
    house.stage(sca=sca)
    if sca is None:
        house.bank.meanwhile = lambda: None
        house.bank.answers["cancel"] = said("CANC", Fact.CANCELLED)
        house.follow(said("RCVD", Fact.WAITING))
        assert [verb for verb, _ in house.bank.asked][-2:] == ["status", "cancel"]
    assert house.payment().state == ("rejected" if sca else "cancelled")
    assert (house.invoice().state, house.invoice().may_have_been_paid) == ("to_pay", True)


@pytest.mark.parametrize("answer", [SILENT, BankUnavailable("busy")])
def test_given_up_after_silence_what_is_left_is_paid_in_one(house: House, answer: BankError) -> None:
    """Of one that said each time that it takes nothing now, it has nothing."""
    house.bill()
    house.decide()
    house.bank.answers["initiate"] = answer
    while "pay_1" in house.due(INITIATE):
        house.clock.now = house.due(INITIATE)["pay_1"]
        house.run(INITIATE)
    assert (house.payment().state, house.payment().reason) == ("rejected", "bank_unreachable")
    assert house.invoice().may_have_been_paid is (answer is SILENT)


@pytest.mark.parametrize("paid", [True, False])
def test_without_a_link_it_is_unwanted_when_its_bill_is_paid(house: House, paid: bool) -> None:
    if paid:
        paid_meanwhile(house, stopped=False, sca=None)
    else:
        house.bill()
        house.stage("pay_2", sca=None)
    other = house.payment("pay_2")
    assert other.state == "unknown"
    assert other.unwanted_since == (house.clock.now if paid else None)


@pytest.mark.parametrize(("after", "gone"), [(rules.SEND_LIFE, False), (rules.SEND_LIFE + SECOND, True)])
def test_a_bank_whose_file_is_gone_is_given_up_when_no_customer_waits_any_more(
    house: House, after: dt.timedelta, gone: bool
) -> None:
    house.bill()
    house.decide()
    house.clock.now += after
    house.bank.is_known = False
    if not gone:
        with pytest.raises(UnknownBank):
            house.run(INITIATE)
        with house.services.reading() as uow:
            assert uow.session.scalars(select(Payment)).all() == []
        return
    house.run(INITIATE)
    assert house.payment().reason == "bank_unreachable"
    assert house.history() == [
        (None, "prepared", "customer", "decision:dec_pay_1"),
        ("prepared", "rejected", "worker", "there is no bank horizon any more"),
    ]
    assert house.bank.asked == []
    house.given_up()


def test_done_before_it_is_not_done_again(house: House) -> None:
    house.bill()
    house.stage()
    with house.begin() as uow:
        work.enqueue(uow.session, handler=INITIATE, key="again", payload={"decision_id": "dec_pay_1"}, now=uow.now)
        uow.commit()
    house.run(INITIATE)
    assert house.bank.verbs() == ["draft", "initiate"]
    assert house.due(INITIATE) == {}
    assert house.payment().sequence == 3


def test_without_stored_bytes_nothing_is_sent(house: House) -> None:
    house.bill()
    house.decide()
    die(house)
    with house.begin() as uow:
        uow.session.execute(delete(BankAttempt))
        uow.session.execute(delete(BankCall))
        uow.commit()
    house.hurry(INITIATE)
    with pytest.raises(RuntimeError, match="pay_1"):
        house.run(INITIATE)
    assert house.bank.verbs() == ["draft", "initiate"]


def test_a_worker_that_was_frozen_sends_nothing(house: House) -> None:
    house.bill()
    house.decide()
    with house.begin() as uow:
        (frozen,) = work.claim_due(uow.session, now=uow.now, limit=1)
        uow.commit()
    house.hurry(INITIATE)
    house.bank.answers["initiate"] = SILENT
    with pytest.raises(LostClaim):
        HANDLERS[INITIATE](Task(services=house.services, claim=frozen))
    assert "initiate" not in house.bank.verbs()
    with house.services.reading() as uow:
        assert uow.session.scalars(select(Payment)).all() == []


@pytest.mark.parametrize("error", [REFUSED, SILENT])
def test_whose_answer_comes_late_gives_nothing_up_that_another_one_has_staged(house: House, error: BankError) -> None:
    house.bill()
    house.decide()
    later = house.clock.now + rules.SEND_LIFE

    def staged_by_another() -> None:
        house.bank.meanwhile = lambda: None
        house.bank.answers["initiate"] = Staged(consent_id="1", transaction_status="RCVD", sca=SCA, raw_response=b"{}")
        house.clock.tick(seconds=120)  # the lease is over
        house.run(INITIATE)
        house.clock.now = later  # too late to send it again
        house.bank.answers["initiate"] = error

    house.bank.meanwhile = staged_by_another
    with pytest.raises(LostClaim):
        house.run(INITIATE)
    assert house.payment().state == "awaiting_customer"
    assert house.outcomes("initiate") == [None, "staged"]
