"""Where an approval alone executes nothing: nothing moves before we submit it, and it is submitted once."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from app import invariants
from app.db import work
from app.db.work import LostClaim, WorkRow
from app.errors import Conflict, TooLate
from app.journey.payments import looks, rules
from app.journey.payments import service as payments
from app.journey.payments.access import locked
from app.journey.payments.looks import follow_from
from app.journey.payments.models import Payment
from app.journey.payments.read import open_outcomes, payment_view
from app.journey.payments.states import Source, Truth
from app.journey.payments.step import correct
from app.journey.payments.submit import submit
from app.journey.reconciliation.read import Code, Difference, differences
from app.journey.route import HANDLERS
from app.people.models import Customer
from app.services import Task
from connectors.contract import Authorised, BankStatus, ConsentStatus, Fact, Submitted
from connectors.errors import BankRefused, BankSilent, BankUnavailable, NotApproved
from consent.vault import Vault
from tests.conftest import Clock
from tests.unit.app.journey.house import ACCEPTED, DEBITED, NOT_FOUND, REJECTED, SILENT, House, SubmittingBank, said

SECOND = dt.timedelta(seconds=1)
MINUTE = dt.timedelta(minutes=1)
MARGIN = 5 * MINUTE
TOKEN_LIFE = 600 * SECOND
FREE = {"due:inv_1": 9900, "biller:blr_1": -9900}
HELD = {"inflight:pay_1": 9900, "biller:blr_1": -9900}
REFUSED = BankRefused("the amounts differ", code="U008", http_status=400)
PENDING = said("RCVD", Fact.ACCEPTED)
STUCK = said("PATC", Fact.WAITING)


@pytest.fixture
def house(engine: Engine, customer: Customer, clock: Clock) -> House:
    return House(engine, clock, customer, bank=SubmittingBank())


def submitted(status: BankStatus = PENDING, bank_payment_id: str = "paid-1") -> Submitted:
    return Submitted(bank_payment_id=bank_payment_id, status=status)


def go_on(house: House, payment_id: str = "pay_1", **answers: object) -> None:
    """Its work is done now, whenever it was to be; the bank answers so."""
    house.bank.answers.update(answers)
    with house.begin() as uow:
        follow_from(uow, uow.session.get_one(Payment, payment_id), run_at=uow.now)
        claim = work.claim_key(uow.session, key=looks.work_key(payment_id), now=uow.now)
        uow.commit()
    assert claim is not None
    HANDLERS[looks.HANDLER](Task(services=house.services, claim=claim))


def asked(house: House) -> list[str]:
    """What the bank was asked, but for what sends nothing."""
    return [verb for verb in house.bank.verbs() if not verb.startswith("draft")]


def fence_of(house: House) -> dt.datetime:
    fence = house.payment().fence_at
    assert fence is not None
    return fence


def differences_of(house: House) -> list[Difference]:
    """Where the bank's word and ours differ, as an operator is shown it."""
    with house.services.reading() as uow:
        found = differences(uow.session)
    return [one for one in found if one.code == Code.STATUS_OTHERWISE]


def holds(house: House) -> None:
    assert invariants.check(house.engine, now=house.clock.now, late=False) == []


# --------------------------------------------------------------------------------------------------- before it is sent


def test_the_approved_payment_is_submitted_with_the_customers_token(house: House, points: list[str]) -> None:
    house.approved()
    payment = house.payment()
    assert (payment.state, payment.bank_payment_id, payment.is_to_submit) == ("authorised", None, True)
    assert house.consent().state == "authorised"
    assert house.due() == {"pay_1": house.clock.now}
    del points[:]
    stored: list[object] = []

    def meanwhile() -> None:
        call, sent = house.calls("submit")
        stored.append((call.method, call.path, call.body, [one.outcome for one in sent], house.payment().state))

    house.bank.meanwhile = meanwhile
    go_on(house, submit=submitted())
    assert stored == [
        (
            "POST",
            "/submissions",
            b"bank-pay_1: 99.00 to " + str(house.invoice().payee_iban).encode(),
            [None],
            "submitting",
        )
    ]
    verb, how = house.bank.asked[-1]
    assert (verb, how["access_token"], how["timeout_s"], how["psu"].ip_address) == (
        "submit",
        "t0ken",
        20.0,
        "192.0.2.7",
    )
    assert points == ["submit.intended", "submit.sent", "submit.kept", "submit.written"]
    payment = house.payment()
    assert (payment.state, payment.bank_payment_id, payment.transaction_status) == ("accepted", "paid-1", "RCVD")
    assert house.outcomes("submit") == ["submitted"]
    assert house.last_answer() == b"RCVD"
    house.bank.meanwhile = lambda: None
    go_on(house, status=DEBITED)
    assert house.bank.asked[-1] == (
        "status",
        {"bank_payment_id": "paid-1", "access_token": None, "timeout_s": 10.0},
    )
    assert (house.payment().state, house.consent().state, house.invoice().state) == ("settled", "consumed", "paid")
    holds(house)


def test_that_it_is_submitted_apart_is_said_by_the_payment_itself(house: House) -> None:
    house.bill()
    house.stage()
    assert house.payment().submitted_apart
    with house.begin() as uow:  # as a process would write it that knows of no submission
        uow.session.execute(update(Payment).values(submitted_apart=False))
        uow.commit()
    assert not house.payment().is_to_submit


def test_a_consent_that_nobody_can_approve_is_given_up(house: House) -> None:
    house.bill()
    house.stage(sca=None)
    assert (house.payment().state, house.payment().reason) == ("rejected", "bank_refused")
    house.given_up()


def test_while_the_customer_is_at_the_bank_nobody_asks_it(house: House) -> None:
    house.away()
    go_on(house)
    assert asked(house) == ["initiate", "authorise_url"]
    assert house.payment().state == "awaiting_customer"
    assert house.due()["pay_1"] == house.consent().expires_at + MARGIN


def test_nobody_came_back_in_time_so_it_is_never_submitted(house: House) -> None:
    left = house.away()
    house.clock.now = house.consent().expires_at + MARGIN
    go_on(house)
    assert (house.payment().state, house.payment().reason) == ("rejected", "not_approved_in_time")
    assert house.balances() == FREE
    assert house.due() == {}
    assert asked(house) == ["initiate", "authorise_url"]
    house.come_back(left)  # with a code, much too late
    assert house.payment().state == "rejected"
    assert house.due() == {}
    holds(house)


def test_whose_link_was_given_to_nobody_expires(house: House) -> None:
    house.bill()
    house.stage()
    house.clock.now = house.consent().expires_at
    go_on(house)
    assert (house.payment().state, house.consent().state) == ("expired", "expired")
    assert house.due() == {}


@pytest.mark.parametrize(
    ("said_by", "reason"),
    [
        ({"code": None, "error": "access_denied"}, "refused_at_bank"),
        ({"code": None, "error": "server_error"}, "not_approved"),
        ({"code": None}, "not_approved"),
        ({"iss": "https://evil.example"}, "not_approved"),
    ],
)
def test_who_comes_back_without_a_code_has_paid_nothing(house: House, said_by: dict[str, Any], reason: str) -> None:
    house.come_back(house.away(), **said_by)
    house.exchange(Authorised(access_token="unused", expires_in_s=1))
    go_on(house)
    assert (house.payment().state, house.payment().reason) == ("rejected", reason)
    assert house.balances() == FREE
    assert "complete" not in asked(house)
    holds(house)


@pytest.mark.parametrize("error", [SILENT, BankUnavailable("refused"), REFUSED], ids=lambda e: type(e).__name__)
def test_a_lost_exchange_ends_it_at_once(house: House, error: Exception) -> None:
    """Elsewhere only the status would tell. Here nothing can move without the token that did not come."""
    house.come_back(house.away())
    house.exchange(error)
    assert (house.payment().state, house.payment().reason) == ("rejected", "approval_lost")
    assert house.balances() == FREE
    assert house.told()[-1] == "PaymentFailed"
    go_on(house)
    assert house.due() == {}
    assert "submit" not in asked(house)
    holds(house)


def test_who_dies_while_exchanging_leaves_nothing_to_submit(house: House) -> None:
    house.come_back(house.away())

    def die() -> None:
        raise KeyboardInterrupt

    house.bank.meanwhile = die
    with pytest.raises(KeyboardInterrupt):
        house.exchange(Authorised(access_token="t0ken", expires_in_s=600))
    house.bank.meanwhile = lambda: None
    house.hurry("payments.exchange_code")
    house.run("payments.exchange_code")
    assert (house.payment().state, house.payment().reason) == ("rejected", "approval_lost")
    assert asked(house).count("complete") == 1


def test_a_token_that_comes_after_the_end_is_not_used(house: House) -> None:
    """A frozen worker exchanged the code; another one has ended the payment meanwhile."""
    house.come_back(house.away())

    def meanwhile() -> None:
        house.bank.meanwhile = lambda: None
        house.hurry("payments.exchange_code")
        house.run("payments.exchange_code")

    house.bank.meanwhile = meanwhile
    with pytest.raises(LostClaim):
        house.exchange(Authorised(access_token="t0ken", expires_in_s=600))
    assert (house.payment().state, house.payment().reason) == ("rejected", "approval_lost")
    go_on(house)
    assert "submit" not in asked(house)
    holds(house)


@pytest.mark.parametrize("returned", [False, True])
def test_it_can_be_stopped_here_until_it_is_submitted(house: House, returned: bool) -> None:
    left = house.away()
    if returned:
        house.come_back(left)
        house.exchange(Authorised(access_token="t0ken", expires_in_s=600))
    with house.services.reading() as uow:
        assert payment_view(uow.session, "pay_1", now=uow.now).cancellable
    with house.begin() as uow:
        payments.cancel(uow, signed_in=house.signed_in, payment_id="pay_1")
        uow.commit()
    assert (house.payment().state, house.payment().reason) == ("cancelled", "stopped_by_customer")
    go_on(house)
    assert "submit" not in asked(house)
    assert house.balances() == FREE
    holds(house)


def test_but_not_once_it_may_be_at_the_bank(house: House) -> None:
    house.approved()
    go_on(house, submit=SILENT)
    with house.services.reading() as uow:
        assert not payment_view(uow.session, "pay_1", now=uow.now).cancellable
    with house.begin() as uow, pytest.raises(TooLate):
        payments.cancel(uow, signed_in=house.signed_in, payment_id="pay_1")


def test_an_old_approval_is_not_used(house: House) -> None:
    """A worker that was away for an hour must not pay what its customer has given up long ago."""
    house.come_back(house.away())
    house.exchange(Authorised(access_token="t0ken", expires_in_s=86_400))
    house.clock.tick(minutes=45, seconds=1)
    go_on(house)
    assert (house.payment().state, house.payment().reason) == ("rejected", "approval_lost")
    assert "submit" not in asked(house)


def test_nor_one_whose_token_is_dead(house: House) -> None:
    house.approved()
    house.clock.tick(minutes=10)
    go_on(house)
    assert (house.payment().state, house.payment().reason) == ("rejected", "approval_lost")
    assert "submit" not in asked(house)


def lose_the_key(house: House) -> None:
    """The operator took the old key away while a token was still sealed with it."""
    house.services = dataclasses.replace(house.services, vault=Vault({"k2": b"2" * 32}, active="k2"))


def test_nor_one_whose_token_does_not_open(house: House) -> None:
    house.approved()
    lose_the_key(house)
    go_on(house)
    assert (house.payment().state, house.payment().reason) == ("rejected", "approval_lost")
    assert house.history()[-1][3] == "its token is dead, or does not open"
    assert house.balances() == FREE
    assert "submit" not in asked(house)
    holds(house)


def test_what_was_sent_ends_without_a_token_that_does_not_open(house: House) -> None:
    lost(house)
    lose_the_key(house)
    house.clock.tick(seconds=2)
    go_on(house, consent_status=ConsentStatus.AUTHORISED)
    assert (house.payment().state, house.balances()) == ("unknown", HELD)
    house.clock.now = fence_of(house) + SECOND
    go_on(house)
    assert (house.payment().state, house.balances()) == ("rejected", FREE)
    assert asked(house).count("submit") == 1
    holds(house)


def test_what_the_standard_cannot_carry_is_not_submitted(house: House) -> None:
    house.approved()
    go_on(house, draft_submission=ValueError("31 characters at the most"))
    assert (house.payment().state, house.payment().reason) == ("rejected", "bank_refused")
    holds(house)


@pytest.mark.parametrize("approved", [False, True])
def test_it_gives_way_at_once_to_another_payment_that_was_executed(house: House, approved: bool) -> None:
    left = house.away()
    with house.begin() as uow:  # closed, and its bill paid once more
        payments.cancel(uow, signed_in=house.signed_in, payment_id="pay_1")
        uow.commit()
    house.stage("pay_2")
    second = house.leave("pay_2")
    if approved:
        house.come_back(second)
        house.exchange(Authorised(access_token="t0ken", expires_in_s=600))
    with house.begin() as uow:
        first = locked(uow.session, "pay_1")
        assert correct(uow, first, Fact.DEBITED, source=Source.STATEMENT, evidence="camt:1/1")
        uow.commit()
    assert left.url
    assert (house.payment("pay_2").state, house.payment("pay_2").reason) == ("rejected", "paid_otherwise")
    assert "submit" not in asked(house)
    holds(house)


def test_an_approval_that_nobody_wants_is_withheld_where_its_code_is_left_unused(house: House) -> None:
    """Wanted again by the time that anybody looks, it would wait for ever for a code that nobody exchanges."""
    house.come_back(house.away())
    with house.begin() as uow:
        uow.session.execute(update(Payment).values(unwanted_since=uow.now))
        uow.commit()
    house.exchange(Authorised(access_token="unused", expires_in_s=1))
    with house.begin() as uow:
        uow.session.execute(update(Payment).values(unwanted_since=None))
        uow.commit()
    assert (house.payment().state, house.payment().reason) == ("rejected", "another_under_way")
    assert house.due("payments.exchange_code") == {}
    assert house.balances() == FREE
    house.clock.tick(hours=1)
    go_on(house)
    assert house.due() == {}
    assert "complete" not in asked(house)
    holds(house)


def test_what_the_customer_reads_meanwhile(house: House) -> None:
    house.approved()
    with house.services.reading() as uow:
        view = payment_view(uow.session, "pay_1", now=uow.now)
    assert (view.truth, view.may_pay_again, view.approved, view.bank_payment_id) == (Truth.APPROVED, False, True, None)


# ------------------------------------------------------------------------------------------------- no answer, or a no


def lost(house: House) -> None:
    """Sent, and no answer came."""
    house.approved()
    go_on(house, submit=SILENT)


def test_a_lost_answer_is_unknown_and_the_consent_is_asked_before_the_same_bytes_go_again(house: House) -> None:
    lost(house)
    payment = house.payment()
    assert (payment.state, payment.silent_since) == ("unknown", house.clock.now)
    assert payment.fence_at is not None
    assert payment.know_by == payment.fence_at + 15 * MINUTE
    assert house.due() == {"pay_1": house.clock.now + 2 * SECOND}
    assert house.balances() == HELD
    house.clock.tick(seconds=2)
    go_on(house, consent_status=ConsentStatus.AUTHORISED, submit=submitted(ACCEPTED))
    assert asked(house)[-3:] == ["submit", "consent_status", "submit"]
    first, second = (how["request"] for verb, how in house.bank.asked if verb == "submit")
    assert first == second
    assert house.outcomes("submit") == ["BankSilent", "submitted"]
    assert (house.payment().state, house.payment().bank_payment_id) == ("accepted", "paid-1")
    holds(house)


def test_under_a_consent_that_is_used_up_the_same_bytes_only_tell(house: House) -> None:
    lost(house)
    with house.begin() as uow:  # another payment was executed meanwhile: this one should not be, and it was
        uow.session.execute(update(Payment).values(unwanted_since=uow.now))
        uow.commit()
    house.clock.tick(seconds=2)
    go_on(house, consent_status=ConsentStatus.CONSUMED, submit=submitted(DEBITED))
    assert (house.payment().state, house.invoice().state) == ("settled", "paid")
    holds(house)


def test_what_is_not_wanted_any_more_is_not_sent_again(house: House) -> None:
    lost(house)
    with house.begin() as uow:
        uow.session.execute(update(Payment).values(unwanted_since=uow.now))
        uow.commit()
    house.clock.tick(seconds=2)
    go_on(house, consent_status=ConsentStatus.AUTHORISED)
    assert asked(house).count("submit") == 1
    assert house.payment().state == "unknown"


@pytest.mark.parametrize("said_by", [ConsentStatus.AUTHORISED, ConsentStatus.CANCELLED, ConsentStatus.REJECTED])
def test_past_the_fence_an_unused_consent_is_an_answer(house: House, said_by: ConsentStatus) -> None:
    lost(house)
    fence = house.payment().fence_at
    assert fence == house.clock.now + TOKEN_LIFE + MARGIN
    house.clock.now = fence
    go_on(house, consent_status=said_by)
    assert house.payment().state == "unknown"
    house.clock.tick(seconds=1)
    go_on(house)
    assert (house.payment().state, house.payment().reason) == ("rejected", "not_known_at_bank")
    assert house.balances() == FREE
    assert asked(house).count("submit") == 1  # its token is dead
    holds(house)


@pytest.mark.parametrize("said_by", [ConsentStatus.CONSUMED, ConsentStatus.UNKNOWN, SILENT])
def test_anything_else_stays_unknown_and_is_asked_about(house: House, said_by: ConsentStatus | BankSilent) -> None:
    lost(house)
    house.clock.tick(days=2)
    go_on(house, consent_status=said_by)
    assert (house.payment().state, house.invoice().state) == ("unknown", "in_payment")
    assert house.payment().promises_broken == 1
    # one whose consent is used up, and that past the fence, has told all it can: a statement has to tell
    pause = house.due()["pay_1"] - house.clock.now
    assert pause == 360 * MINUTE if said_by is ConsentStatus.CONSUMED else pause <= 60 * MINUTE
    holds(house)


def untold(house: House) -> bool:
    """Whether it is said that nobody can be asked any more. Else a time is promised that lies ahead."""
    payment = house.payment()
    assert payment.state == "unknown"
    assert (payment.untold_since is None) == (payment.know_by is not None)
    assert payment.know_by is None or payment.know_by > house.clock.now
    with house.services.reading() as uow:
        view = payment_view(uow.session, "pay_1", now=uow.now)
        [listed] = open_outcomes(uow.session, now=uow.now)
    assert view.untold == (payment.untold_since is not None)
    assert listed.untold_since == payment.untold_since
    holds(house)
    return view.untold


def test_where_nobody_can_be_asked_any_more_no_time_is_promised(house: House) -> None:
    """The bank executed it, and no answer came until the token was dead. A statement tells."""
    lost(house)
    house.clock.now += TOKEN_LIFE
    with house.services.reading() as uow:
        before = payment_view(uow.session, "pay_1", now=uow.now).version
    go_on(house, consent_status=ConsentStatus.CONSUMED)
    assert untold(house)
    since = house.payment().untold_since
    with house.services.reading() as uow:
        assert payment_view(uow.session, "pay_1", now=uow.now).version != before
    house.clock.tick(hours=2)
    go_on(house)  # it still says so
    house.clock.tick(hours=2)
    go_on(house, consent_status=SILENT)
    assert untold(house)
    assert house.payment().untold_since == since
    assert house.payment().promises_broken == 0
    assert asked(house).count("submit") == 1
    assert house.balances() == HELD
    with house.begin() as uow:
        correct(uow, locked(uow.session, "pay_1"), Fact.DEBITED, source=Source.STATEMENT, evidence="camt:1/1")
        uow.commit()
    assert (house.payment().state, house.payment().untold_since) == ("settled", None)
    holds(house)


@pytest.mark.parametrize("said_by", [ConsentStatus.AUTHORISED, ConsentStatus.UNKNOWN, SILENT], ids=str)
def test_but_as_long_as_the_fence_may_tell_one_is(house: House, said_by: ConsentStatus | BankSilent) -> None:
    lost(house)
    house.clock.now = fence_of(house)
    go_on(house, consent_status=said_by)
    assert not untold(house)


def test_a_used_consent_is_asked_about_with_a_token_that_lives(house: House) -> None:
    lost(house)
    house.clock.tick(seconds=2)
    go_on(house, consent_status=ConsentStatus.CONSUMED, submit=SILENT)
    assert not untold(house)


def test_once_the_key_of_its_token_is_back_a_time_is_promised_again(house: House) -> None:
    lost(house)
    with_key = house.services
    lose_the_key(house)
    house.clock.tick(seconds=2)
    go_on(house, consent_status=ConsentStatus.CONSUMED)
    assert untold(house)
    house.services = with_key
    house.clock.tick(seconds=2)
    go_on(house, submit=SILENT)
    assert not untold(house)
    assert house.payment().know_by == fence_of(house) + 15 * MINUTE


def test_what_a_frozen_worker_heard_can_be_asked_about_again(house: House) -> None:
    house.approved()

    def meanwhile() -> None:
        house.bank.meanwhile = lambda: None
        with house.begin() as uow:
            uow.session.execute(update(WorkRow).values(lock_token=None, run_at=uow.now))
            uow.commit()
        house.clock.tick(hours=1)
        before = dict(house.bank.answers)
        go_on(house, consent_status=ConsentStatus.CONSUMED)
        assert untold(house)
        house.bank.answers.update(before)

    house.bank.meanwhile = meanwhile
    with pytest.raises(LostClaim):
        go_on(house, submit=submitted(STUCK))
    assert house.payment().bank_payment_id == "paid-1"
    assert not untold(house)


def test_where_the_bank_names_a_payment_that_is_anothers_no_time_is_promised(house: House) -> None:
    """Seed 1000332: it tells nothing of this one, however often it is asked, so that the promise passed."""
    house.approved()
    go_on(house, submit=submitted(REJECTED))
    assert house.payment().state == "rejected"
    house.stage("pay_2")
    house.come_back(house.leave("pay_2"))
    house.exchange(Authorised(access_token="t0ken", expires_in_s=86_400))
    go_on(house, "pay_2", submit=SILENT)
    house.clock.tick(seconds=2)
    for _ in range(3):
        go_on(house, "pay_2", consent_status=ConsentStatus.CONSUMED, submit=submitted())
        payment = house.payment("pay_2")
        assert (payment.state, payment.bank_payment_id, payment.know_by) == ("unknown", None, None)
        assert payment.untold_since is not None
        holds(house)
        house.clock.tick(hours=2)
    go_on(house, "pay_2", submit=submitted(PENDING, "paid-2"))
    assert (house.payment("pay_2").state, house.payment("pay_2").bank_payment_id) == ("accepted", "paid-2")
    holds(house)


def test_a_doubt_that_nobody_can_be_asked_about_says_so(house: House) -> None:
    house.approved()
    go_on(house, submit=REFUSED)
    go_on(house, consent_status=ConsentStatus.AUTHORISED)
    house.clock.tick(hours=1)
    go_on(house, consent_status=ConsentStatus.CONSUMED)
    assert house.due() == {"pay_1": house.clock.now}
    go_on(house)
    assert untold(house)


def test_an_answer_of_before_the_fence_says_nothing_after_it(house: House) -> None:
    lost(house)
    fence = house.payment().fence_at
    assert fence is not None
    house.clock.now = fence

    def freeze() -> None:
        house.clock.tick(days=1)
        house.bank.meanwhile = lambda: None

    house.bank.meanwhile = freeze
    go_on(house, consent_status=ConsentStatus.AUTHORISED)
    assert house.payment().state == "unknown"


def test_what_was_intended_too_long_ago_is_not_sent(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that was frozen between its intent and the call: its customer may have been told an end meanwhile."""
    house.come_back(house.away())
    house.exchange(Authorised(access_token="t0ken", expires_in_s=86_400))

    def frozen(name: str) -> None:
        if name == "submit.intended":
            house.clock.tick(minutes=2)

    monkeypatch.setattr("app.failpoints.hook", frozen)
    go_on(house)
    assert "submit" not in asked(house)
    assert house.outcomes("submit") == ["BankUnavailable"]


def test_a_no_to_the_only_sending_is_the_end(house: House) -> None:
    house.approved()
    go_on(house, submit=REFUSED)
    assert (house.payment().state, house.balances()) == ("submitting", HELD)
    assert house.due() == {"pay_1": house.clock.now}  # is that what its consent says, too?
    go_on(house, consent_status=ConsentStatus.AUTHORISED)
    assert (house.payment().state, house.payment().reason) == ("rejected", "bank_refused")
    assert house.history()[-1] == ("submitting", "rejected", "bank", "bank:refused, its consent authorised")
    assert house.last_answer() == b"U008: the amounts differ"
    assert house.balances() == FREE
    for _ in rules.LATE_LOOKS_S:
        house.clock.now = house.due()["pay_1"]
        go_on(house)
    assert house.due() == {}
    assert house.payment().state == "rejected"
    assert asked(house).count("consent_status") == 5
    assert asked(house).count("submit") == 1
    holds(house)


def test_a_refused_payment_whose_consent_is_used_up_was_done_after_all(house: House) -> None:
    """A gateway, say, refused what it had passed on. Nobody pays it once more, and the answer is asked for again."""
    house.approved()
    go_on(house, submit=BankRefused("no", code="http_403", http_status=403))
    assert house.balances() == HELD
    go_on(house, consent_status=ConsentStatus.CONSUMED)
    assert (house.payment().state, house.balances()) == ("unknown", HELD)
    house.clock.tick(seconds=60)
    go_on(house, submit=submitted(DEBITED))
    assert house.payment().state == "settled"
    holds(house)


def test_the_consent_is_asked_days_after_the_end_and_an_operators_word_stands(house: House) -> None:
    lost(house)
    house.clock.now = fence_of(house) + SECOND
    go_on(house, consent_status=ConsentStatus.AUTHORISED)
    assert house.payment().state == "rejected"
    house.clock.now = house.due()["pay_1"]
    go_on(house, consent_status=ConsentStatus.CONSUMED)
    assert (house.payment().state, house.balances()) == ("unknown", HELD)
    with house.begin() as uow:
        payments.resolve(uow, payment_id="pay_1", executed=False, because="the bank wrote so, letter 7")
        uow.commit()
    assert (house.payment().state, house.balances()) == ("rejected", FREE)
    house.clock.tick(hours=1)
    go_on(house)
    assert (house.payment().state, house.payment().status_says) == ("rejected", "opposite")
    holds(house)


def test_an_operators_word_does_not_outweigh_what_the_bank_says_for_the_first_time(house: House) -> None:
    """It was silent until then. Whoever answered the operator's telephone call was wrong."""
    lost(house)
    house.clock.now = fence_of(house) + SECOND
    go_on(house, consent_status=SILENT)
    with house.begin() as uow:
        payments.resolve(uow, payment_id="pay_1", executed=False, because="the bank wrote so, letter 7")
        uow.commit()
    assert house.balances() == FREE
    go_on(house, consent_status=ConsentStatus.AUTHORISED)
    assert house.payment().status_says == "same"
    house.clock.tick(hours=1)
    go_on(house, consent_status=ConsentStatus.CONSUMED)
    assert (house.payment().state, house.balances()) == ("unknown", HELD)
    with house.begin() as uow:  # the operator asks again, and knows now what the bank's status says
        payments.resolve(uow, payment_id="pay_1", executed=False, because="the bank wrote so again, letter 8")
        uow.commit()
    house.clock.tick(hours=1)
    go_on(house)
    assert (house.payment().state, house.payment().status_says) == ("rejected", "opposite")
    holds(house)


def test_an_operator_who_knew_that_the_consent_is_used_up_is_believed(house: House) -> None:
    lost(house)
    go_on(house, consent_status=ConsentStatus.CONSUMED, submit=SILENT)
    house.clock.now = fence_of(house) + SECOND
    go_on(house)
    with house.begin() as uow:
        payments.resolve(uow, payment_id="pay_1", executed=False, because="the bank wrote so, letter 7")
        uow.commit()
    house.clock.tick(hours=1)
    go_on(house)
    assert (house.payment().state, house.payment().status_says) == ("rejected", "opposite")
    [difference] = differences_of(house)
    assert "consent used up" in difference.sentence


@pytest.mark.parametrize(
    ("said_by", "says"),
    [
        (ConsentStatus.CONSUMED, "same"),
        (ConsentStatus.AUTHORISED, "opposite"),
        (ConsentStatus.REJECTED, "opposite"),
        (ConsentStatus.NOT_FOUND, None),
    ],
    ids=str,
)
def test_what_a_statement_settled_agrees_with_a_used_consent(
    house: House, said_by: ConsentStatus, says: str | None
) -> None:
    lost(house)
    with house.begin() as uow:
        correct(uow, locked(uow.session, "pay_1"), Fact.DEBITED, source=Source.STATEMENT, evidence="camt:1/1")
        uow.commit()
    house.clock.tick(hours=1)
    go_on(house, consent_status=said_by)
    assert (house.payment().state, house.payment().status_says) == ("settled", says)
    assert [one.theirs for one in differences_of(house)] == (["consent not used up"] if says == "opposite" else [])


def test_a_silent_bank_is_asked_again_about_what_has_ended(house: House) -> None:
    house.approved()
    go_on(house, submit=REFUSED)
    go_on(house, consent_status=ConsentStatus.AUTHORISED)
    go_on(house, consent_status=BankUnavailable("busy", retry_after_s=900))
    assert house.payment().state == "rejected"
    assert house.due()["pay_1"] > house.clock.now
    assert house.budget().not_before == house.clock.now + 15 * MINUTE


@pytest.mark.parametrize(
    "said_by",
    [
        SILENT,
        ConsentStatus.NOT_FOUND,
        ConsentStatus.EXPIRED,
        ConsentStatus.WAITING,
        ConsentStatus.UNKNOWN,
        ConsentStatus.CONSUMED,
    ],
    ids=str,
)
def test_a_no_ends_nothing_as_long_as_the_consent_does_not_agree(house: House, said_by: object) -> None:
    house.approved()
    go_on(house, submit=REFUSED)
    go_on(house, consent_status=said_by)
    assert (house.payment().state, house.balances()) == ("unknown", HELD)
    assert house.payment().know_by is not None
    house.clock.tick(seconds=5)
    go_on(house, consent_status=ConsentStatus.AUTHORISED)  # after "used up" that is an old copy's word
    assert house.payment().state == ("unknown" if said_by is ConsentStatus.CONSUMED else "rejected")
    holds(house)


@pytest.mark.parametrize("said_by", [ConsentStatus.NOT_FOUND, ConsentStatus.EXPIRED, ConsentStatus.WAITING], ids=str)
def test_what_may_be_said_of_a_used_consent_ends_nothing(house: House, said_by: ConsentStatus) -> None:
    lost(house)
    house.clock.now = fence_of(house) + SECOND
    go_on(house, consent_status=said_by)
    assert untold(house)
    assert house.balances() == HELD


def test_a_no_to_what_only_tells_is_none(house: House) -> None:
    """Nothing was sent, as we thought; but its consent is used up."""
    house.approved()
    go_on(house, submit=BankUnavailable("the bank put us off with 503", retry_after_s=30))
    assert house.budget().not_before == house.clock.now + 30 * SECOND
    house.clock.tick(seconds=30)
    go_on(house, consent_status=ConsentStatus.CONSUMED, submit=REFUSED)
    assert (house.payment().state, house.balances()) == ("unknown", HELD)


def test_an_old_approval_is_not_used_for_what_never_reached_the_bank(house: House) -> None:
    house.come_back(house.away())
    house.exchange(Authorised(access_token="t0ken", expires_in_s=86_400))
    go_on(house, submit=BankUnavailable("connection refused; nothing was sent"))
    house.clock.tick(minutes=46)
    go_on(house, consent_status=ConsentStatus.AUTHORISED, submit=submitted(DEBITED))
    assert asked(house).count("submit") == 1
    house.clock.now = fence_of(house) + SECOND
    go_on(house)
    assert (house.payment().state, house.balances()) == ("rejected", FREE)


def test_who_hears_late_that_another_worker_kept_the_banks_yes_leaves_its_work_standing(house: House) -> None:
    house.approved()
    go_on(house, submit=submitted(DEBITED))
    with house.begin() as uow:
        follow_from(uow, uow.session.get_one(Payment, "pay_1"), run_at=uow.now)
        claim = work.claim_key(uow.session, key=looks.work_key("pay_1"), now=uow.now)
        uow.commit()
    assert claim is not None
    submit(Task(services=house.services, claim=claim), payment_id="pay_1")
    assert house.due() == {"pay_1": house.clock.now}


def test_a_token_that_will_not_be_used_is_forgotten(house: House) -> None:
    house.approved()
    with house.begin() as uow:
        payments.cancel(uow, signed_in=house.signed_in, payment_id="pay_1")
        uow.commit()
    assert house.secrets() == set()


def test_a_token_that_comes_after_the_end_is_not_kept(house: House) -> None:
    house.come_back(house.away())

    def stop() -> None:
        house.bank.meanwhile = lambda: None
        with house.begin() as uow:
            payments.cancel(uow, signed_in=house.signed_in, payment_id="pay_1")
            uow.commit()

    house.bank.meanwhile = stop
    house.exchange(Authorised(access_token="t0ken", expires_in_s=600))
    assert house.secrets() == set()


def test_the_banks_signed_no_is_told_as_a_no(house: House) -> None:
    house.come_back(house.away())
    house.exchange(NotApproved("its signed answer is a no", code="access_denied", http_status=400))
    go_on(house)
    assert (house.payment().state, house.payment().reason) == ("rejected", "refused_at_bank")


def test_an_operator_is_told_that_what_was_never_sent_ends_by_itself(house: House) -> None:
    house.approved()
    house.clock.tick(days=2)
    with house.begin() as uow, pytest.raises(Conflict, match="ends by itself"):
        payments.resolve(uow, payment_id="pay_1", executed=False, because="the bank wrote so, letter 7")


@pytest.mark.parametrize("first", [SILENT, BankRefused("there is one", code="U029", http_status=409)], ids=str)
def test_a_no_to_a_repeat_is_not(house: House, first: Exception) -> None:
    house.approved()
    go_on(house, submit=first)
    house.clock.tick(seconds=2)
    go_on(house, consent_status=ConsentStatus.AUTHORISED, submit=REFUSED)
    assert house.payment().state == "unknown"
    house.clock.tick(seconds=5)
    go_on(house, consent_status=ConsentStatus.CONSUMED, submit=submitted(ACCEPTED))
    assert house.payment().state == "accepted"
    holds(house)


def test_what_never_got_there_and_is_refused_then_is_the_end(house: House) -> None:
    house.approved()
    go_on(house, submit=BankUnavailable("put off", retry_after_s=30))
    assert house.payment().state == "unknown"
    assert house.due() == {"pay_1": house.clock.now + 30 * SECOND}
    house.clock.tick(seconds=30)
    go_on(house, consent_status=ConsentStatus.AUTHORISED, submit=REFUSED)
    go_on(house)
    assert house.payment().state == "rejected"
    holds(house)


def test_the_same_bytes_do_not_go_after_a_day(house: House) -> None:
    house.come_back(house.away())
    house.exchange(Authorised(access_token="t0ken", expires_in_s=30 * 86_400))
    assert house.payment().fence_at == house.clock.now + 24 * 60 * MINUTE + MARGIN
    go_on(house, submit=SILENT)
    house.clock.tick(hours=23, seconds=1)
    go_on(house, consent_status=ConsentStatus.AUTHORISED)
    assert asked(house).count("submit") == 1
    house.clock.tick(hours=2)
    go_on(house)
    assert house.payment().state == "rejected"
    holds(house)


def test_a_bank_that_names_another_payments_id_tells_nothing(house: House) -> None:
    house.approved()
    go_on(house, submit=submitted(DEBITED))
    house.bill("2")
    house.stage("pay_2", invoice_id="inv_2")
    house.come_back(house.leave("pay_2"))
    house.exchange(Authorised(access_token="t0ken", expires_in_s=600))
    go_on(house, "pay_2", submit=submitted(DEBITED))
    assert (house.payment("pay_2").state, house.payment("pay_2").bank_payment_id) == ("unknown", None)
    holds(house)


def test_what_the_bank_took_is_kept_whoever_has_the_work_by_now(house: House) -> None:
    """A frozen worker brings the bank's yes after another one has closed the payment: it is asked about again."""
    house.approved()
    steal: Callable[[], None] = lambda: _end_meanwhile(house)  # noqa: E731
    house.bank.meanwhile = steal
    with pytest.raises(LostClaim):
        go_on(house, submit=submitted(ACCEPTED))
    assert (house.payment().state, house.payment().bank_payment_id) == ("rejected", "paid-1")
    assert "pay_1" in house.due()
    go_on(house, status=ACCEPTED)
    assert (house.payment().state, house.invoice().state) == ("unknown", "in_payment")
    holds(house)


def _end_meanwhile(house: House) -> None:
    house.bank.meanwhile = lambda: None
    with house.begin() as uow:
        uow.session.execute(update(WorkRow).values(lock_token=None, run_at=uow.now))
        uow.commit()
    house.clock.tick(days=1)
    before = dict(house.bank.answers)
    go_on(house, consent_status=ConsentStatus.AUTHORISED)
    house.bank.answers.update(before)
    assert house.payment().state == "rejected"


# ------------------------------------------------------------------------------------------------ once the bank has it


def test_what_the_bank_took_does_not_vanish(house: House) -> None:
    house.approved()
    go_on(house, submit=submitted(STUCK))
    house.clock.tick(days=3)
    go_on(house, status=NOT_FOUND)
    assert (house.payment().state, house.invoice().state) == ("unknown", "in_payment")


def test_and_is_never_asked_to_be_dropped(house: House) -> None:
    house.approved()
    go_on(house, submit=submitted(STUCK))
    assert house.payment().state == "submitting"
    house.clock.tick(days=3)
    go_on(house, status=STUCK)
    assert house.payment().state == "unknown"
    go_on(house, status=REJECTED)
    assert (house.payment().state, house.payment().reason) == ("rejected", "rejected_by_bank")
    holds(house)


def test_a_bank_that_cannot_be_asked_where_to_approve_leaves_everything_as_it_is(house: House) -> None:
    house.bill()
    house.stage()
    house.bank.answers["authorise_url"] = SILENT
    with pytest.raises(Conflict, match="Nothing was paid"):
        house.leave()
    assert house.trip().left_at is None
    del house.bank.answers["authorise_url"]
    assert house.leave().url


def test_who_stops_it_while_the_bank_is_asked_where_to_approve_gets_no_link(house: House) -> None:
    house.bill()
    house.stage()

    def stop() -> None:
        with house.begin() as uow:
            payments.cancel(uow, signed_in=house.signed_in, payment_id="pay_1")
            uow.commit()

    house.bank.meanwhile = stop
    with pytest.raises(TooLate):
        house.leave()
    assert house.trip().left_at is None


def test_one_row_of_work_goes_on_with_it(house: House) -> None:
    house.approved()
    with house.services.reading() as uow:
        assert uow.session.scalars(select(WorkRow.key).where(WorkRow.handler == looks.HANDLER)).all() == [
            looks.work_key("pay_1")
        ]
