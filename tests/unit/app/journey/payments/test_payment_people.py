"""To the bank and back: the link is given once it is written down; only the browser that left brings a code."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest
from sqlalchemy import delete, update

from app.db import work
from app.db.unit_of_work import HEAD_START
from app.db.work import LostClaim, WorkRow
from app.errors import AppError, Conflict, Invalid, NotAllowed, NotFound, TooLate
from app.journey.invoices import service as invoices
from app.journey.payments import service as payments
from app.journey.payments.access import locked
from app.journey.payments.models import Payment
from app.journey.payments.states import Source
from app.journey.payments.step import claim_of, correct
from app.journey.route import HANDLERS
from app.people.models import Customer
from app.people.sessions import SignedIn
from app.services import Task
from connectors.capabilities import Event, EventKind
from connectors.contract import Approach, Authorised, Fact
from connectors.errors import BankRefused, BankSilent, BankUnavailable
from connectors.security.pkce import challenge
from consent import trips
from consent.base import hash_of
from consent.models import Consent, Sealed, Trip
from consent.tokens import access_token
from tests.unit.app.journey.house import ISSUER, MINUTE, REJECTED, SCA, VAULT, House, lease_of, said
from tests.unit.conftest import Begin

SECOND = dt.timedelta(seconds=1)
LIFE = 10 * MINUTE
MARGIN = 5 * MINUTE
EXCHANGE = "payments.exchange_code"


@pytest.fixture
def stranger(begin: Begin, house: House) -> SignedIn:
    other = Customer(
        id="cus_2",
        name="Other",
        email="o@example.org",
        locale="fr",
        time_zone="Europe/Paris",
        created_at=house.clock.now,
    )
    house.add(other)
    return SignedIn(other, "ses_2", read_only=False)


def change(house: House, row: type, **values: object) -> None:
    with house.begin() as uow:
        uow.session.execute(update(row).values(**values))
        uow.commit()


# ---------------------------------------------------------------------------------------------------------- to the bank


def test_the_link_is_for_this_browser_and_raises_the_fence(house: House, points: list[str]) -> None:
    house.bill()
    house.stage()
    staged_at = house.clock.now
    house.clock.tick(minutes=1)
    with house.begin() as uow:
        secrets = trips.secrets_of(uow.session, VAULT, house.trip())
    left = house.leave()
    assert house.bank.asked[-1] == (
        "authorise_url",
        {
            "sca": SCA,
            "redirect_uri": house.trip().redirect_uri,
            "state": secrets.state,
            "nonce": secrets.nonce,
            "code_challenge": challenge(secrets.verifier),
            "timeout_s": 10.0,
        },
    )
    assert left.url == f"{ISSUER}/authorize?state={secrets.state}"
    assert left.trip_id == house.trip().id
    assert left.life == dt.timedelta(minutes=90)
    assert repr(left) == "Leaving(<secret>)"
    assert house.trip().left_at == house.clock.now
    assert house.trip().browser_hash == hash_of(left.browser)
    payment = house.payment()
    assert payment.updated_at == house.clock.now
    assert payment.fence_at == staged_at + LIFE + MARGIN
    assert payment.next_look_at == house.clock.now + 120 * SECOND
    assert house.due() == {"pay_1": house.clock.now + 120 * SECOND}
    assert points[-1] == "leave.given"


def test_who_leaves_again_has_the_same_link_and_the_browser_that_left_last_is_known(house: House) -> None:
    first = house.away()
    fence = house.payment().fence_at
    left_at = house.clock.now
    house.clock.tick(minutes=1)
    second = house.leave()
    assert second.url == first.url
    assert second.browser != first.browser
    assert house.trip().left_at == left_at
    assert house.trip().browser_hash == hash_of(second.browser)
    assert house.payment().fence_at == fence


def test_a_browser_sees_its_payment_as_long_as_the_bank_lets_it_approve(house: House) -> None:
    house.bank.profile = dataclasses.replace(house.bank.profile, authorisation_minutes=200)
    house.bill()
    house.stage()
    house.clock.tick(minutes=1)
    assert house.leave().life == 199 * MINUTE


def refused_to_leave(house: House, kind: type[AppError], code: str, signed_in: SignedIn | None = None) -> None:
    with pytest.raises(kind) as caught:
        payments.leave_for_bank(house.services, signed_in=signed_in or house.signed_in, payment_id="pay_1")
    assert caught.value.code == code
    assert caught.value.detail.endswith(".")
    assert house.trip().left_at is None
    assert "authorise_url" not in house.bank.verbs()


def test_nobody_leaves_with_what_is_not_theirs_or_in_a_demo_visit(house: House, stranger: SignedIn) -> None:
    house.bill()
    house.stage()
    refused_to_leave(house, NotFound, "not-found", stranger)
    refused_to_leave(house, NotAllowed, "demo-visit", dataclasses.replace(house.signed_in, read_only=True))
    assert house.payment().fence_at is None


def test_at_the_very_end_of_the_time_to_approve_nobody_is_sent_there(house: House) -> None:
    house.bill()
    house.stage()
    house.clock.now += LIFE
    refused_to_leave(house, TooLate, "not-awaiting")
    house.clock.now -= SECOND
    assert house.leave().url


def test_nobody_is_sent_to_the_bank_for_a_bill_that_another_payment_has_paid(house: House) -> None:
    house.bill()
    house.stage()
    change(house, Payment, state="rejected")
    with house.begin() as uow:
        invoices.release(uow, claim_of(uow, uow.session.get_one(Payment, "pay_1")), is_sure=False)
        uow.commit()
    house.stage("pay_2")
    change(house, Payment, state="awaiting_customer")
    with house.begin() as uow:
        uow.session.execute(update(Payment).where(Payment.id == "pay_2").values(state="settled"))
        uow.commit()
    refused_to_leave(house, TooLate, "paid-otherwise")


@pytest.mark.parametrize(
    ("row", "values", "code"),
    [
        (Payment, {"state": "initiating"}, "not-awaiting"),
        (Payment, {"state": "unknown"}, "not-awaiting"),
        (Payment, {"unwanted_since": dt.datetime(2026, 11, 23, tzinfo=dt.UTC)}, "another-under-way"),
        (Trip, {"returned_at": dt.datetime(2026, 11, 23, tzinfo=dt.UTC)}, "not-awaiting"),
    ],
)
def test_nobody_is_sent_to_a_bank_that_has_nothing_to_ask(
    house: House, row: type, values: dict[str, object], code: str
) -> None:
    house.bill()
    house.stage()
    change(house, row, **values)
    refused_to_leave(house, TooLate, code)


# ------------------------------------------------------------------------------------------------------------- and back


def test_the_first_return_with_a_code_is_noted_and_gone_on_with_at_once(house: House, points: list[str]) -> None:
    left = house.away()
    house.clock.tick(minutes=3)
    came = house.come_back(left)
    assert came is not None
    assert (came.payment_id, came.same_browser) == ("pay_1", True)
    assert came.work is not None
    trip = house.trip()
    assert (trip.returned_at, trip.outcome, trip.exchanged_at) == (house.clock.now, "code", None)
    assert house.secrets() == {"state", "verifier", "answer"}
    assert house.payment().updated_at == house.clock.now
    # the code is good for ten minutes at the most, which is later than what was there
    assert house.payment().fence_at == house.clock.now + 10 * MINUTE + MARGIN
    with house.services.reading() as uow:
        row = uow.session.query(WorkRow).where(WorkRow.handler == EXCHANGE).one()
        code = uow.session.get_one(Sealed, f"trip:{trip.id}:answer")
    assert row.key == came.work.work_keys[EXCHANGE]
    assert row.payload["payment_id"] == "pay_1"
    assert row.run_at == house.clock.now + HEAD_START
    assert code.expires_at == house.clock.now + dt.timedelta(minutes=90)
    assert house.told() == ["PaymentDecided", "CustomerReturned"]
    assert points[-1] == "return.noted"


def test_a_second_return_changes_nothing(house: House) -> None:
    left = house.away()
    house.come_back(left)
    first, fence = house.clock.now, house.payment().fence_at
    house.clock.tick(minutes=1)
    again = house.come_back(left, code="another", error="access_denied")
    assert again == payments.Returned("pay_1", True, None)
    assert (house.trip().returned_at, house.trip().outcome) == (first, "code")
    assert (house.payment().fence_at, house.payment().updated_at) == (fence, first)
    assert house.told() == ["PaymentDecided", "CustomerReturned"]


@pytest.mark.parametrize(
    ("said_by", "outcome"),
    [
        ({"code": None, "error": "access_denied"}, "access_denied"),
        ({"code": None, "error": None}, "nothing"),
        ({"code": None, "error": "code"}, "nothing"),
        ({"code": None, "error": None, "iss": "https://evil.example"}, "nothing"),
        ({"iss": "https://evil.example"}, "wrong_issuer"),
        ({"iss": None}, "wrong_issuer"),
        ({"iss": "https://evil.example", "error": "server_error"}, "server_error"),
    ],
)
def test_without_a_code_of_the_right_issuer_there_is_none_to_exchange(
    house: House, said_by: dict[str, Any], outcome: str
) -> None:
    left = house.away()
    fence = house.payment().fence_at
    house.clock.tick(minutes=3)
    assert house.come_back(left, **said_by) is not None
    assert (house.trip().outcome, house.trip().returned_at) == (outcome, house.clock.now)
    assert house.secrets() == {"state", "verifier"}
    assert house.payment().fence_at == fence
    assert house.told() == ["PaymentDecided", "CustomerReturned"]


def test_a_bank_that_does_not_say_that_it_names_itself_need_not(house: House) -> None:
    house.bill()
    house.stage(sca=dataclasses.replace(SCA, iss_parameter_supported=False))
    assert house.come_back(house.leave(), iss=None) is not None
    assert house.trip().outcome == "code"


def test_an_issuer_that_is_named_must_be_the_right_one_even_where_none_is_promised(house: House) -> None:
    house.bill()
    house.stage(sca=dataclasses.replace(SCA, iss_parameter_supported=False))
    assert house.come_back(house.leave(), iss="https://evil.example") is not None
    assert house.trip().outcome == "wrong_issuer"


@pytest.mark.parametrize(("looked_s", "asked_s"), [(None, 60), (30, 90), (200, 260)])
def test_from_another_browser_a_redirect_is_a_hint_to_ask_the_bank_sooner(
    house: House, looked_s: int | None, asked_s: int
) -> None:
    left = house.away()
    left_at = house.clock.now
    change(house, WorkRow, run_at=left_at + 10_000 * SECOND)
    if looked_s is not None:
        change(house, Payment, looked_at=left_at + looked_s * SECOND)
    house.clock.now = left_at + 10 * SECOND
    came = house.come_back(left, browsers=["another"])
    assert came == payments.Returned("pay_1", False, None)
    assert house.trip().returned_at is None
    assert house.due() == {"pay_1": left_at + asked_s * SECOND}
    house.clock.now = left_at + 300 * SECOND
    house.come_back(left, browsers=[])
    assert house.due() == {"pay_1": left_at + min(asked_s, 300) * SECOND}
    assert house.payment().next_look_at == left_at + 300 * SECOND
    assert house.told() == ["PaymentDecided"]


@pytest.mark.parametrize(("minutes", "may_last"), [(45, 45), (5, 10)])
def test_where_the_bank_asks_in_its_app_the_time_for_that_only_begins(
    house: House, minutes: int, may_last: int
) -> None:
    house.bank.profile = dataclasses.replace(house.bank.profile, authorisation_minutes=minutes)
    house.bill()
    house.stage(sca=dataclasses.replace(SCA, approach=Approach.DECOUPLED))
    left = house.leave()
    house.clock.now += MINUTE
    house.come_back(left)
    assert house.payment().fence_at == house.clock.now + may_last * MINUTE + MARGIN


@pytest.mark.parametrize(("approach", "may_last"), [(Approach.DECOUPLED, 45), (Approach.REDIRECT, 10)])
def test_a_late_worker_raises_the_fence_before_the_bank_begins(house: House, approach: Approach, may_last: int) -> None:
    house.bank.profile = dataclasses.replace(house.bank.profile, authorisation_minutes=45)
    house.bill()
    house.stage(sca=dataclasses.replace(SCA, approach=approach))
    house.come_back(house.leave())
    house.clock.now += 50 * MINUTE
    fences = []
    house.bank.meanwhile = lambda: fences.append(house.payment().fence_at)
    house.exchange(BankSilent("no answer"))
    assert fences == [house.payment().fence_at]
    assert (fences[0] or house.clock.now) >= house.clock.now + may_last * MINUTE + MARGIN - 5 * SECOND


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (BankSilent("no answer"), "code"),
        (BankUnavailable("429"), "not_started"),
        (BankRefused("no", code="STATUS_INVALID", http_status=409), "not_started"),
    ],
    ids=["silent", "put off", "refused"],
)
@pytest.mark.parametrize("approach", [Approach.DECOUPLED, Approach.REDIRECT])
def test_a_bank_that_certainly_never_began_has_nobodys_approval(
    house: House, approach: Approach, error: Exception, outcome: str
) -> None:
    house.bill()
    house.stage(sca=dataclasses.replace(SCA, approach=approach))
    house.come_back(house.leave())
    house.exchange(error)
    assert house.trip().outcome == outcome


def test_an_old_return_address_makes_nobody_ask_for_ever(house: House) -> None:
    left = house.away()
    house.follow_after(600, REJECTED)
    house.clock.now += 40 * 86_400 * SECOND
    before = (house.due(), house.payment().next_look_at)
    assert house.come_back(left, browsers=[]) == payments.Returned("pay_1", False, None)
    assert (house.due(), house.payment().next_look_at) == before


def test_nor_is_the_bank_asked_for_one_who_has_come_back(house: House) -> None:
    left = house.away()
    house.come_back(left)
    before = house.due()
    house.come_back(left, browsers=[])
    assert house.due() == before


def heard(house: House, resource_id: str = "bank-pay_1", *, bank_id: str = "horizon", ago: float = 0) -> None:
    event = Event(
        event_id="e-1",
        kind=EventKind.RESOURCE_UPDATED,
        resource_type="domestic-payment",
        resource_id=resource_id,
        occurred_at=house.clock.now - ago * SECOND,
    )
    payments.hear(house.services, bank_id=bank_id, event=event)


@pytest.mark.parametrize(("looked_s", "asked_s"), [(None, 60), (30, 90), (200, 260)])
def test_a_banks_event_is_a_hint_to_ask_it_sooner_and_nothing_else(
    house: House, looked_s: int | None, asked_s: int
) -> None:
    house.away()
    left_at = house.clock.now
    change(house, WorkRow, run_at=left_at + 10_000 * SECOND)
    if looked_s is not None:
        change(house, Payment, looked_at=left_at + looked_s * SECOND)
    before = house.payment().state
    house.clock.now = left_at + 210 * SECOND
    for _ in range(3):
        heard(house)
        assert house.due() == {"pay_1": left_at + max(asked_s, 210) * SECOND}
    assert house.payment().state == before
    assert house.told() == ["PaymentDecided"]


def test_an_event_may_name_the_consent(house: House) -> None:
    house.away()
    change(house, Payment, bank_payment_id="another-name")
    far = house.clock.now + 10_000 * SECOND
    change(house, WorkRow, run_at=far)
    heard(house, "bank-pay_1")
    assert house.due() == {"pay_1": house.clock.now + MINUTE}
    change(house, WorkRow, run_at=far)
    heard(house, "another-name")
    assert house.due() == {"pay_1": house.clock.now + MINUTE}


@pytest.mark.parametrize(("looked_s", "heard_again"), [(59, True), (60, False)])
def test_an_event_of_before_the_last_look_tells_nothing_new(house: House, looked_s: int, heard_again: bool) -> None:
    """However old one that somebody kept and sends again is, the bank is not asked for it once more."""
    house.away()
    happened_at = house.clock.now
    change(house, Payment, looked_at=happened_at + looked_s * SECOND)
    house.clock.now += 3600 * SECOND
    far = house.clock.now + 10_000 * SECOND
    change(house, WorkRow, run_at=far)
    heard(house, ago=3600)
    assert house.due() == {"pay_1": house.clock.now if heard_again else far}


@pytest.mark.parametrize(("resource_id", "bank_id"), [("bank-pay_2", "horizon"), ("bank-pay_1", "other"), ("", "")])
def test_what_an_event_names_and_we_do_not_have_is_nobodys(house: House, resource_id: str, bank_id: str) -> None:
    house.away()
    before = house.due()
    house.clock.now += 90 * SECOND
    heard(house, resource_id, bank_id=bank_id)
    assert house.due() == before


def test_before_somebody_left_or_while_it_is_ours_to_submit_an_event_hurries_nothing(house: House) -> None:
    house.bill()
    house.stage()
    before = house.due()
    heard(house)
    assert house.due() == before
    house.leave()
    change(house, Payment, bank_payment_id=None, submitted_apart=True)
    far = house.clock.now + 10_000 * SECOND
    change(house, WorkRow, run_at=far)
    heard(house)
    assert house.due() == {"pay_1": far}


def test_of_a_payment_that_has_ended_for_good_nothing_is_asked(house: House) -> None:
    house.settled()
    house.clock.now += 30 * 24 * 60 * MINUTE
    change(house, Payment, state="expired")
    change(house, Trip, left_at=None)
    far = house.clock.now + 10_000 * SECOND
    change(house, WorkRow, run_at=far)
    heard(house)
    assert house.due() == {"pay_1": far}


def test_long_after_it_was_settled_an_event_has_us_look_again(house: House) -> None:
    """The looks at an end are over by then; a bank that takes it back may still say so."""
    house.settled()
    house.clock.now += 30 * 24 * 60 * MINUTE
    with house.begin() as uow:
        uow.session.execute(delete(WorkRow).where(WorkRow.handler == "payments.follow"))
        uow.commit()
    heard(house)
    assert house.due() == {"pay_1": house.clock.now}
    house.follow(said("ACSC", Fact.DEBITED))
    assert (house.payment().state, house.due()) == ("settled", {})


def test_a_state_that_we_never_gave_or_whose_browser_never_left_is_nobodys(house: House) -> None:
    house.bill()
    house.stage()
    state = house.trip().redirect_uri.rpartition("/")[2]
    nobody = payments.Leaving(f"?state={state}", "", "", LIFE)
    assert house.come_back(nobody) is None
    left = house.leave()
    assert house.come_back(left, state="never given") is None
    assert house.come_back(left, bank_id="other") is None
    assert house.trip().returned_at is None
    assert house.told() == ["PaymentDecided"]


def test_a_code_for_a_payment_that_is_over_is_not_kept(house: House) -> None:
    left = house.away()
    fence = house.payment().fence_at
    change(house, Payment, state="rejected")
    assert house.come_back(left) is not None
    assert house.trip().outcome == "nothing"
    assert house.secrets() == {"state", "verifier"}
    assert house.payment().fence_at == fence


# -------------------------------------------------------------------------------------------------- the code's exchange


def test_the_code_is_exchanged_once_and_the_status_is_asked_at_once(house: House, points: list[str]) -> None:
    house.come_back(house.away())
    with house.begin() as uow:
        secrets = trips.secrets_of(uow.session, VAULT, house.trip())
    seen: list[object] = []

    def meanwhile() -> None:
        call, sent = house.calls("complete")
        seen.append((call.method, call.path, call.headers, call.body, len(call.request_id)))
        seen.append([one.outcome for one in sent])
        seen.append((house.trip().exchanged_at, lease_of(house, EXCHANGE)))
        seen.append(points[-1])

    house.bank.meanwhile = meanwhile
    house.exchange(Authorised(access_token="t0ken", expires_in_s=600))
    # neither the code nor our assertion stands anywhere in clear
    assert seen == [
        ("POST", f"{ISSUER}/token", {}, b"", 36),
        [None],
        (house.clock.now, True),
        "exchange.taken",
    ]
    assert house.bank.asked[-1] == (
        "complete",
        {
            "sca": SCA,
            "answer": {"code": "c0de", "iss": ISSUER},
            "code_verifier": secrets.verifier,
            "redirect_uri": house.trip().redirect_uri,
            "state": secrets.state,
            "nonce": secrets.nonce,
            "timeout_s": 20.0,
        },
    )
    assert points[-4:] == ["exchange.taken", "exchange.sent", "exchange.kept", "exchange.written"]
    assert house.outcomes("complete") == ["authorised"]
    assert house.payment().fence_at == house.clock.now + 600 * SECOND + MARGIN
    assert house.due() == {"pay_1": house.clock.now}
    assert house.due(EXCHANGE) == {}
    with house.begin() as uow:
        consent = uow.session.get_one(Consent, house.consent().id)
        assert access_token(uow.session, VAULT, consent, now=uow.now) == "t0ken"


def test_a_token_that_comes_after_the_end_moves_no_fence(house: House) -> None:
    """A worker was frozen with the bank's answer in its hands, and the payment closed meanwhile."""
    house.come_back(house.away())
    fence = house.payment().fence_at

    def close() -> None:
        house.bank.meanwhile = lambda: None
        house.clock.tick(days=1)
        house.not_found()

    house.bank.meanwhile = close
    house.exchange(Authorised(access_token="t0ken", expires_in_s=600))
    assert (house.payment().state, house.payment().fence_at) == ("rejected", fence)


def test_a_token_without_a_stated_life_may_be_used_for_a_day(house: House) -> None:
    house.come_back(house.away())
    house.exchange(Authorised(access_token="t0ken", expires_in_s=None))
    assert house.payment().fence_at == house.clock.now + dt.timedelta(hours=24) + MARGIN


@pytest.mark.parametrize("error", [BankSilent("no answer"), BankRefused("no", code="invalid_grant", http_status=400)])
def test_a_lost_exchange_is_never_repeated(house: House, error: Exception) -> None:
    house.come_back(house.away())
    fence = house.payment().fence_at
    house.exchange(error)
    assert house.outcomes("complete") == [type(error).__name__]
    assert house.payment().fence_at == fence
    assert house.secrets() == {"state", "verifier", "answer"}
    assert house.due() == {"pay_1": house.clock.now}
    with house.begin() as uow:  # a worker that died before it wrote the end
        work.enqueue(uow.session, handler=EXCHANGE, key="again", payload={"payment_id": "pay_1"}, now=uow.now)
        uow.commit()
    house.clock.tick(seconds=1)
    house.run(EXCHANGE)
    assert house.bank.verbs().count("complete") == 1
    assert house.due(EXCHANGE) == {}


def test_refused_at_the_bank_the_status_is_asked_at_once(house: House) -> None:
    house.come_back(house.away(), code=None, error="access_denied")
    house.clock.now += HEAD_START
    house.run(EXCHANGE)
    assert "complete" not in house.bank.verbs()
    assert house.due() == {"pay_1": house.clock.now}
    assert house.due(EXCHANGE) == {}


def test_of_a_payment_that_is_over_no_code_is_exchanged(house: House) -> None:
    house.come_back(house.away())
    due = house.due()
    change(house, Payment, state="settled")
    house.clock.now += HEAD_START
    house.run(EXCHANGE)
    assert "complete" not in house.bank.verbs()
    assert house.trip().exchanged_at is None
    assert house.due(EXCHANGE) == {}
    assert house.due() == due


@pytest.mark.parametrize("how", ["unwanted", "paid"])
def test_of_a_bill_that_is_paid_already_no_code_is_exchanged(house: House, how: str) -> None:
    house.approved()
    house.follow(said("RJCT", Fact.REJECTED))
    house.stage("pay_2")
    house.come_back(house.leave("pay_2"))
    house.clock.now += HEAD_START
    whose = "pay_2" if how == "unwanted" else "pay_1"
    values: dict[str, object] = {"unwanted_since": house.clock.now} if how == "unwanted" else {"state": "settled"}
    with house.begin() as uow:
        uow.session.execute(update(Payment).where(Payment.id == whose).values(**values))
        uow.commit()
    house.run(EXCHANGE)
    assert house.bank.verbs().count("complete") == 1
    assert house.trip("pay_2").exchanged_at is None
    assert house.due(EXCHANGE) == {}
    assert house.due()["pay_2"] == house.clock.now


def test_a_code_for_what_was_closed_makes_us_ask_the_bank_at_once(house: House) -> None:
    house.come_back(house.away())
    change(house, Payment, state="rejected")
    house.clock.now += HEAD_START
    house.run(EXCHANGE)
    assert house.due() == {"pay_1": house.clock.now}
    assert house.due(EXCHANGE) == {}


def test_a_worker_that_was_frozen_exchanges_nothing(house: House) -> None:
    house.come_back(house.away())
    with house.begin() as uow:
        key = uow.session.query(WorkRow.key).where(WorkRow.handler == EXCHANGE).scalar()
        frozen = work.claim_key(uow.session, key=key, now=uow.now)
        uow.commit()
    assert frozen is not None
    house.hurry(EXCHANGE)
    with pytest.raises(LostClaim):
        HANDLERS[EXCHANGE](Task(services=house.services, claim=frozen))
    assert "complete" not in house.bank.verbs()
    assert house.trip().exchanged_at is None


# ------------------------------------------------------------------------------------------------------------- stopping


def cancel(house: House, signed_in: SignedIn | None = None) -> None:
    with house.begin() as uow:
        payments.cancel(uow, signed_in=signed_in or house.signed_in, payment_id="pay_1")
        uow.commit()


def test_before_leaving_the_customer_may_stop_it(house: House) -> None:
    house.bill()
    house.stage()
    cancel(house)
    assert house.payment().reason == "stopped_by_customer"
    assert house.history()[-1] == (
        "awaiting_customer",
        "cancelled",
        "customer",
        "stopped here; the link was given to nobody",
    )
    assert house.balances() == {"due:inv_1": 9900, "biller:blr_1": -9900}


def test_nobody_stops_what_is_not_theirs_what_has_left_or_what_is_not_there_yet(
    house: House, stranger: SignedIn
) -> None:
    house.bill()
    house.stage()
    state = house.history()

    def refused(kind: type[AppError], code: str, signed_in: SignedIn | None = None) -> None:
        with pytest.raises(kind) as caught:
            cancel(house, signed_in)
        assert caught.value.code == code
        assert caught.value.detail.endswith(".")
        assert house.history() == state

    refused(NotFound, "not-found", stranger)
    refused(NotAllowed, "demo-visit", dataclasses.replace(house.signed_in, read_only=True))
    change(house, Payment, state="initiating")
    refused(TooLate, "too-late")
    change(house, Payment, state="awaiting_customer")
    house.leave()
    refused(TooLate, "too-late")


# ------------------------------------------------------------------------------------- an operator has it from the bank

WORD = "  A. Martin of Horizon by telephone, ticket 4711.  "


def resolve(house: House, *, executed: bool, because: str = WORD, payment_id: str = "pay_1") -> bool:
    with house.begin() as uow:
        done = payments.resolve(uow, payment_id=payment_id, executed=executed, because=because)
        uow.commit()
    return done


def lost(house: House) -> None:
    """A payment that the bank tells nothing of."""
    house.approved()
    house.follow(BankSilent("no answer"))
    assert house.payment().state == "unknown"


def test_executed_settles_it_in_the_operators_words(house: House) -> None:
    lost(house)
    assert resolve(house, executed=True) is True
    assert (house.payment().state, house.payment().fact) == ("settled", "debited")
    assert house.history()[-1] == ("unknown", "settled", "operator", WORD.strip())
    assert house.balances() == {"settled:blr_1": 9900, "biller:blr_1": -9900}
    assert resolve(house, executed=True) is False
    assert len(house.history()) == 5


def past_the_fence(house: House) -> None:
    fence = house.payment().fence_at
    assert fence is not None
    house.clock.now = fence + dt.timedelta(microseconds=1)


def test_not_executed_is_taken_only_past_the_fence(house: House) -> None:
    lost(house)
    past_the_fence(house)
    house.clock.now -= dt.timedelta(microseconds=1)
    with pytest.raises(Conflict) as caught:
        resolve(house, executed=False)
    assert caught.value.code == "not-yet"
    assert house.payment().state == "unknown"
    past_the_fence(house)
    assert resolve(house, executed=False) is True
    assert house.payment().reason == "not_known_at_bank"
    assert house.history()[-1] == ("unknown", "rejected", "operator", WORD.strip())
    assert house.balances() == {"due:inv_1": 9900, "biller:blr_1": -9900}
    assert resolve(house, executed=False) is False


def test_before_anything_was_given_out_not_executed_is_no_question(house: House) -> None:
    house.bill()
    house.stage()
    with pytest.raises(Conflict) as caught:
        resolve(house, executed=False)
    assert caught.value.code == "not-so"
    assert house.payment().state == "awaiting_customer"


def test_what_was_accepted_and_then_not_executed_is_rejected_by_the_banks_word(house: House) -> None:
    house.approved()
    house.follow(said("ACSP", Fact.ACCEPTED))
    past_the_fence(house)
    assert resolve(house, executed=False) is True
    assert house.payment().reason == "rejected_by_bank"
    assert house.history()[-1] == ("accepted", "rejected", "operator", WORD.strip())


def test_what_cannot_follow_is_refused(house: House) -> None:
    house.settled()
    past_the_fence(house)
    for state, executed in (("settled", False), ("reversed", False)):
        change(house, Payment, state=state)
        with pytest.raises(Conflict) as caught:
            resolve(house, executed=executed)
        assert caught.value.code == "not-so"
        assert state in caught.value.detail
        assert house.payment().state == state
    change(house, Payment, state="settled")
    assert resolve(house, executed=True) is False
    assert len(house.history()) == 4


def test_what_the_bank_took_back_and_executed_all_the_same_an_operator_says(house: House) -> None:
    house.settled()
    with house.begin() as uow:
        assert correct(uow, locked(uow.session, "pay_1"), Fact.REJECTED, source=Source.STATEMENT, evidence="camt:1/2")
        uow.commit()
    assert house.invoice().state == "to_pay"
    with house.begin() as uow:  # it may be that very booking which was taken back
        payment = locked(uow.session, "pay_1")
        assert not correct(uow, payment, Fact.DEBITED, source=Source.STATEMENT, evidence="camt:1/1")
        uow.commit()
    assert resolve(house, executed=True) is True
    assert house.history()[-1] == ("reversed", "settled", "operator", WORD.strip())
    assert house.balances() == {"settled:blr_1": 9900, "biller:blr_1": -9900}
    assert resolve(house, executed=True) is False


@pytest.mark.parametrize(("because", "taken"), [("", False), (" 123456789 ", False), (" 1234567890 ", True)])
def test_who_said_so_is_written_down(house: House, because: str, taken: bool) -> None:
    lost(house)
    if taken:
        assert resolve(house, executed=True, because=because)
        return
    with pytest.raises(Invalid) as caught:
        resolve(house, executed=True, because=because)
    assert caught.value.code == "evidence"
    assert house.payment().state == "unknown"


def test_promises_that_passed_while_nobody_looked_are_renewed(house: House) -> None:
    lost(house)
    promised = house.payment().know_by
    assert promised is not None

    def renew() -> tuple[dt.datetime | None, int]:
        with house.begin() as uow:
            payments.renew_promises(uow)
            uow.commit()
        return house.payment().know_by, house.payment().promises_broken

    house.clock.now = promised - SECOND
    assert renew() == (promised, 0)
    house.clock.now = promised
    assert renew() == (promised + dt.timedelta(hours=1), 1)
    assert renew() == (promised + dt.timedelta(hours=1), 1)


def test_a_payment_that_is_not_there_is_not_found(house: House) -> None:
    with pytest.raises(NotFound, match="payment"):
        resolve(house, executed=True, payment_id="pay_2")
