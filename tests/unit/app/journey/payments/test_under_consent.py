"""A bill paid under a standing consent: what is sent, when, how often, and what each answer of the bank proves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, select

from app import invariants
from app.journey.consents import claims
from app.journey.consents.access import locked as locked_consent
from app.journey.consents.step import take_back
from app.journey.payments import rules
from app.journey.payments import service as payments
from app.journey.payments.events import ConsentMoved
from app.journey.payments.models import PaymentHistory
from app.journey.payments.reasons import Reason
from app.people.models import Customer
from app.people.stops import stop_everything
from connectors.capabilities import Alignment, Period
from connectors.contract import Authorised, BankStatus, ConsentStatus, Fact, Submitted
from connectors.errors import AccessLost, BankRefused, BankUnavailable, BeyondLimits
from consent import tokens
from consent.models import Consent, ConsentHistory, ConsentUsage, Sealed
from consent.rules import Limit
from consent.states import ConsentSource
from consent.vault import Vault
from tests.conftest import Clock
from tests.unit.app.journey import standing_house
from tests.unit.app.journey.house import ACCEPTED, DEBITED, REJECTED, SILENT, said
from tests.unit.app.journey.standing_house import TOKEN, StandingHouse

SECOND, HOUR, DAY = dt.timedelta(seconds=1), dt.timedelta(hours=1), dt.timedelta(days=1)
NOVEMBER, DECEMBER = (0, dt.date(2026, 11, 1)), (0, dt.date(2026, 12, 1))
PENDING = said("RCVD", Fact.ACCEPTED)
REFUSED = BankRefused("not this one", code="U001", http_status=400)
BEYOND = BeyondLimits("too much", code="U014", http_status=400, parameter="PeriodicLimits[0]")
LOST = AccessLost("approve again", code="U028", http_status=403)
DEAD = AccessLost("the token is dead, or so a gateway says", code="401", http_status=401)
AWAY = BankUnavailable("nobody is there")
#: the last hour of a month: at this moment it is still that day in Paris
LATE = dt.datetime(2026, 11, 30, 22, 30, tzinfo=dt.UTC)


@pytest.fixture
def house(engine: Engine, customer: Customer, clock: Clock) -> StandingHouse:
    return StandingHouse(engine, clock, customer)


def taken(status: BankStatus = PENDING, number: str = "1") -> Submitted:
    return Submitted(bank_payment_id=f"paid-{number}", status=status)


def used(house: StandingHouse) -> Mapping[tuple[int, dt.date], int]:
    with house.services.reading() as uow:
        found = claims.used(uow.session, consent_id=house.consent_id, days=[dt.date(2026, 11, 1)])
    return {period: minor for period, minor in found.items() if minor}


def holds(house: StandingHouse, *but: str) -> None:
    broken = {each.invariant.name for each in invariants.check(house.engine, now=house.clock.now, late=False)}
    assert broken == set(but)


def stands(house: StandingHouse, state: str, reason: Reason | None = None) -> None:
    payment = house.payment()
    assert (payment.state, payment.reason) == (state, reason)
    assert house.invoice().state == {"unknown": "in_payment", "settled": "paid"}.get(state, "to_pay")
    assert used(house) == ({} if state == "rejected" else {NOVEMBER: 9900})
    holds(house)


def again(house: StandingHouse, **answers: Any) -> None:
    """A second later."""
    house.clock.now += rules.SEND_GAP
    house.go_on(consent_status=ConsentStatus.AUTHORISED, **answers)


def sent(house: StandingHouse) -> int:
    return house.bank.verbs().count("recurring.submit")


def consent_is(house: StandingHouse, state: str) -> None:
    with house.services.reading() as uow:
        assert uow.session.get_one(Consent, house.consent_id).state == state


def take_it_back(house: StandingHouse) -> None:
    with house.begin() as uow:
        _, standing = locked_consent(uow.session, house.consent_id)
        take_back(uow, standing, source=ConsentSource.CUSTOMER, evidence="a test")
        uow.commit()
    house.run("payments.look_at_consent")


# ------------------------------------------------------------------------------------------------------- no trip at all


def test_it_is_approved_at_once_and_nobody_is_asked(house: StandingHouse) -> None:
    house.authorised()
    payment = house.payment()
    assert (payment.trip_id, payment.consent_id, payment.submitted_apart) == (None, house.consent_id, True)
    assert house.history() == [
        (None, "prepared", "customer", "decision:dec_pay_1"),
        ("prepared", "authorised", "customer", f"consent:{house.consent_id}"),
    ]
    assert house.bank.asked == []
    assert used(house) == {NOVEMBER: 9900}
    holds(house)


def test_it_is_sent_once_with_the_token_of_the_consent(house: StandingHouse) -> None:
    house.authorised()
    house.go_on(submit=taken(DEBITED))
    stands(house, "settled")
    assert house.bank.asked[-1][1]["access_token"] == TOKEN
    assert house.payment().fence_at == house.clock.now + rules.KEY_LIFE + rules.EXPIRY_MARGIN


def test_before_it_is_sent_its_customer_can_stop_it(house: StandingHouse) -> None:
    house.authorised()
    with house.begin() as uow:
        payments.cancel(uow, signed_in=house.signed_in, payment_id="pay_1")
        uow.commit()
    assert house.payment().state == "cancelled"
    assert used(house) == {}
    house.go_on()
    assert house.bank.asked == []
    holds(house)


# -------------------------------------------------------------------------------------- what is asked before it is sent


def test_it_is_not_sent_on_the_day_after(house: StandingHouse) -> None:
    house.clock.now = dt.datetime(2026, 11, 23, 22, 59, tzinfo=dt.UTC)  # a minute before midnight in Paris
    house.authorised()
    house.clock.now += dt.timedelta(minutes=1)
    house.go_on(submit=taken())
    assert sent(house) == 0
    stands(house, "rejected", Reason.DAY_OVER)


def test_it_is_not_sent_long_after_it_was_signed(house: StandingHouse) -> None:
    house.authorised()
    house.clock.now += rules.SEND_LIFE + SECOND
    house.go_on(submit=taken())
    assert sent(house) == 0
    stands(house, "rejected", Reason.APPROVAL_LOST)


def test_of_a_month_that_begins_before_it_is_sent_as_much_is_claimed(house: StandingHouse) -> None:
    """By the bank's clock, which is that of UTC: in New York it is the same day."""
    _live_in(house, "America/New_York")
    house.clock.now = dt.datetime(2026, 11, 30, 23, 55, tzinfo=dt.UTC)
    house.authorised()
    assert used(house) == {NOVEMBER: 9900}
    house.clock.now += dt.timedelta(minutes=10)
    house.go_on(submit=taken(DEBITED))
    assert used(house) == {NOVEMBER: 9900, DECEMBER: 9900}
    assert house.payment().state == "settled"
    holds(house)


def test_where_that_month_has_not_that_much_left_it_is_not_sent(house: StandingHouse) -> None:
    _live_in(house, "America/New_York")
    house.clock.now = dt.datetime(2026, 11, 30, 23, 55, tzinfo=dt.UTC)
    house.authorised()
    house.add(_full(house, DECEMBER[1]))
    house.clock.now += dt.timedelta(minutes=10)
    house.go_on(submit=taken())
    assert sent(house) == 0
    assert house.payment().reason == Reason.LIMIT_REACHED
    assert used(house) == {DECEMBER: 1000_00}
    holds(house, "E6")  # what is full was claimed by nobody


def test_it_is_not_sent_when_the_bank_may_count_it_on_the_day_after_the_last(
    engine: Engine, customer: Customer, clock: Clock
) -> None:
    """Two minutes before midnight: what is allowed has ended, and no limit was reached."""
    last = replace(standing_house.FRAME, ends_on=dt.date(2026, 11, 23))
    house = StandingHouse(engine, clock, customer, frame=last)
    _live_in(house, "America/New_York")
    house.clock.now = dt.datetime(2026, 11, 23, 23, 50, tzinfo=dt.UTC)
    house.authorised()
    house.clock.now += dt.timedelta(minutes=9)
    house.go_on(submit=taken())
    assert sent(house) == 0
    stands(house, "rejected", Reason.CONSENT_ENDED)


def test_a_worker_whose_clock_is_behind_waits_for_the_first_day(
    engine: Engine, customer: Customer, clock: Clock
) -> None:
    first = replace(standing_house.FRAME, begins_on=dt.date(2026, 11, 24))
    house = StandingHouse(engine, clock, customer, frame=first)
    house.clock.now = decided_at = dt.datetime(2026, 11, 24, 0, 2, tzinfo=dt.UTC)
    house.authorised()
    house.clock.now -= dt.timedelta(seconds=30)
    house.go_on(submit=taken())
    assert (sent(house), house.payment().state) == (0, "authorised")
    assert house.due()["pay_1"] == house.clock.now + rules.HINT_PAUSE
    house.clock.now = decided_at
    house.go_on(submit=taken(DEBITED))
    assert (sent(house), house.payment().state) == (1, "settled")


def test_a_consent_that_was_taken_back_stops_what_was_not_sent(house: StandingHouse) -> None:
    house.authorised()
    take_it_back(house)
    house.run("payments.reconsider")
    stands(house, "rejected", Reason.CONSENT_ENDED)
    house.go_on(submit=taken())
    assert sent(house) == 0


def test_whoever_sends_it_sees_that_the_consent_was_taken_back(house: StandingHouse) -> None:
    """Before anybody has looked at the payments under it."""
    house.authorised()
    with house.begin() as uow:
        _, standing = locked_consent(uow.session, house.consent_id)
        take_back(uow, standing, source=ConsentSource.CUSTOMER, evidence="a test")
        uow.commit()
    house.go_on(submit=taken())
    assert sent(house) == 0
    stands(house, "rejected", Reason.CONSENT_ENDED)


def test_it_waits_for_a_token_that_does_not_open_as_long_as_it_may_be_sent(house: StandingHouse) -> None:
    house.authorised()
    with house.begin() as uow:
        sealed = uow.session.get_one(Sealed, f"consent:{house.consent_id}:token")
        sealed.box = Vault({"gone": bytes(32)}, active="gone").seal(sealed.id, b"of a key that is away")
        uow.commit()
    house.go_on()
    assert house.payment().state == "authorised"
    assert house.due()["pay_1"] > house.clock.now
    house.clock.now += rules.SEND_LIFE + SECOND
    house.go_on()
    stands(house, "rejected", Reason.APPROVAL_LOST)


def test_without_any_token_its_consent_is_not_to_be_used(house: StandingHouse) -> None:
    house.authorised()
    with house.begin() as uow:
        tokens.forget(uow.session, house.consent_id)
        uow.commit()
    house.go_on()
    assert sent(house) == 0
    stands(house, "rejected", Reason.CONSENT_ENDED)


# ---------------------------------------------------------------------------------------------------- what it is told


def test_a_lost_answer_the_same_bytes_and_one_payment(house: StandingHouse) -> None:
    house.authorised()
    house.go_on(submit=SILENT)
    stands(house, "unknown")
    again(house, submit=taken(DEBITED))
    stands(house, "settled")
    requests = [asked["request"] for verb, asked in house.bank.asked if verb == "recurring.submit"]
    assert requests[0] == requests[1]


def test_refused_once_is_no_end_and_twice_is(house: StandingHouse) -> None:
    house.authorised()
    house.go_on(submit=REFUSED)
    assert house.payment().state == "submitting"
    assert house.due()["pay_1"] == house.clock.now + rules.SEND_GAP
    again(house, submit=REFUSED)
    stands(house, "rejected", Reason.BANK_REFUSED)
    assert house.last_answer() == b"U001: not this one"
    house.consent_stands()


def test_a_refusal_after_a_lost_answer_proves_nothing(house: StandingHouse) -> None:
    house.authorised()
    house.go_on(submit=SILENT)
    for _ in range(3):
        again(house, submit=REFUSED)
    stands(house, "unknown")


def test_the_bank_counts_more_than_we_do(house: StandingHouse) -> None:
    house.authorised()
    house.go_on(submit=BEYOND)
    assert house.payment().state == "submitting"
    again(house, submit=BEYOND)
    stands(house, "rejected", Reason.BANK_COUNTS_OTHERWISE)
    with house.services.reading() as uow:
        usage = uow.session.scalars(select(ConsentUsage)).one()
        marked = claims.refused(uow.session, consent_id=house.consent_id, days=[dt.date(2026, 11, 23)])
    assert (usage.used_minor, usage.refused_at) == (0, house.clock.now)
    assert marked == {NOVEMBER}
    house.consent_stands()


@pytest.mark.parametrize(
    ("parameter", "marked"),
    [
        ("MaximumIndividualAmount", set()),
        (None, {Period.MONTH}),
        ("PeriodicLimits[0]", {Period.YEAR}),
        ("PeriodicLimits[1]", {Period.MONTH}),
    ],
)
def test_no_more_is_kept_from_paying_than_the_bank_named(
    engine: Engine,
    customer: Customer,
    clock: Clock,
    parameter: str | None,
    marked: set[Period],
) -> None:
    year = Limit(period=Period.YEAR, alignment=Alignment.CALENDAR, minor=9000_00)
    frame = replace(standing_house.FRAME, limits=(year, *standing_house.FRAME.limits))
    house = StandingHouse(engine, clock, customer, frame=frame)
    house.authorised()
    beyond = BeyondLimits("too much", code="U014", http_status=400, parameter=parameter)
    house.go_on(submit=beyond)
    again(house, submit=beyond)
    assert (house.payment().state, house.payment().reason) == ("rejected", Reason.BANK_COUNTS_OTHERWISE)
    with house.services.reading() as uow:
        refused = claims.refused(uow.session, consent_id=house.consent_id, days=[clock.now.date()])
    assert {frame.limits[number].period for number, _ in refused} == marked


def test_the_bank_takes_the_consent_no_more(house: StandingHouse) -> None:
    house.authorised("1")
    house.authorised("2")
    house.go_on(submit=LOST)
    stands_alone = house.payment()
    assert (stands_alone.state, stands_alone.reason) == ("rejected", Reason.CONSENT_ENDED)
    consent_is(house, "stopped_at_bank")
    assert house.token() is None
    house.run("payments.look_at_consent")
    house.run("payments.reconsider")
    assert (house.payment("pay_2").state, house.payment("pay_2").reason) == ("rejected", Reason.CONSENT_ENDED)
    assert (sent(house), used(house)) == (1, {})
    holds(house)


def test_lost_access_says_nothing_of_an_earlier_sending(house: StandingHouse) -> None:
    """It is not sent again, and only a record of the bank tells."""
    house.authorised()
    house.go_on(submit=SILENT)
    again(house, submit=LOST)
    house.go_on()
    consent_is(house, "stopped_at_bank")
    stands(house, "unknown")
    assert house.payment().untold_since == house.clock.now
    house.clock.now += HOUR
    house.go_on(submit=taken(DEBITED))
    assert sent(house) == 2


def test_lost_access_is_no_second_refusal(house: StandingHouse) -> None:
    """The first one may have been that of a gateway which had passed the payment on: the bill is not free."""
    house.authorised()
    house.go_on(submit=REFUSED)
    again(house, submit=LOST)
    house.go_on()
    consent_is(house, "stopped_at_bank")
    stands(house, "unknown")
    assert house.payment().untold_since == house.clock.now
    house.clock.now += HOUR
    house.go_on(submit=taken(DEBITED))
    assert sent(house) == 2


def test_lost_access_after_what_never_got_there_is_the_end(house: StandingHouse) -> None:
    house.authorised()
    house.go_on(submit=AWAY)
    again(house, submit=LOST)
    stands(house, "rejected", Reason.CONSENT_ENDED)


@pytest.mark.parametrize("stops_all", [False, True])
def test_no_stop_of_its_customer_ends_what_was_refused_once(house: StandingHouse, stops_all: bool) -> None:
    house.authorised()
    house.go_on(submit=REFUSED)
    if stops_all:
        stop_everything(house.services, signed_in=house.signed_in)
        house.run("payments.look_at_customer")
    else:
        take_it_back(house)
    house.run("payments.reconsider")
    again(house, submit=taken(DEBITED))
    assert sent(house) == 1
    stands(house, "unknown")
    assert house.payment().untold_since == house.clock.now


def test_once_it_is_approved_again_the_same_bytes_go_again(house: StandingHouse) -> None:
    house.authorised()
    house.go_on(submit=SILENT)
    again(house, submit=LOST)
    house.run("payments.look_at_consent")
    house.run("payments.reconsider")
    house.go_on()
    assert house.payment().unwanted_since is not None
    with house.begin() as uow:
        consent, standing = locked_consent(uow.session, house.consent_id)
        consent.state = "authorised"
        standing.sequence += 1
        line = {"before": "stopped_at_bank", "after": "authorised", "source": "bank", "evidence": "", "at": uow.now}
        uow.session.add(ConsentHistory(consent_id=consent.id, sequence=standing.sequence, step="authorise", **line))
        tokens.keep(
            uow.session, house.services.vault, consent, Authorised(access_token="a", expires_in_s=99), now=uow.now
        )
        uow.record(ConsentMoved(payment_id="pay_1"))
        uow.commit()
    house.run("payments.reconsider")
    assert house.due()["pay_1"] == house.clock.now
    again(house, submit=taken(DEBITED))
    stands(house, "settled")


def test_a_token_that_was_renewed_meanwhile_is_used(house: StandingHouse) -> None:
    house.authorised()

    def renew() -> None:
        with house.begin() as uow:
            house.services.vault.put(
                uow.session,
                f"consent:{house.consent_id}:token",
                "an0ther",
                now=uow.now,
                expires_at=uow.now + DAY,
            )
            uow.commit()

    house.bank.meanwhile = renew
    house.go_on(submit=LOST)
    house.bank.meanwhile = lambda: None
    consent_is(house, "authorised")
    again(house, submit=taken(DEBITED))
    stands(house, "settled")
    assert house.bank.asked[-1][1]["access_token"] == "an0ther"


def keep_to_renew(house: StandingHouse) -> None:
    """A token as long as any, and something to renew it with."""
    with house.begin() as uow:
        given = Authorised(access_token=TOKEN, expires_in_s=10_000_000, refresh_token="r-1")
        until = uow.now + 400 * DAY
        tokens.keep_standing(uow.session, house.services.vault, house.consent_id, given, now=uow.now, until=until)
        uow.commit()


RENEWED = Authorised(access_token="an0ther", expires_in_s=300, refresh_token="r-2")


def test_a_token_that_died_on_its_way_is_renewed_and_the_same_bytes_go_again(house: StandingHouse) -> None:
    keep_to_renew(house)
    house.authorised()
    house.go_on(submit=DEAD)
    consent_is(house, "authorised")
    assert (house.payment().state, house.due()["pay_1"]) == ("submitting", house.clock.now + rules.SEND_GAP)
    again(house, renew=RENEWED, submit=taken(DEBITED))
    stands(house, "settled")
    tokens_sent = [asked["access_token"] for verb, asked in house.bank.asked if verb == "recurring.submit"]
    requests = [asked["request"] for verb, asked in house.bank.asked if verb == "recurring.submit"]
    assert tokens_sent == [TOKEN, "an0ther"]
    assert requests[0] == requests[1]


def test_where_it_cannot_be_renewed_access_is_lost_and_what_was_never_let_in_is_at_its_end(
    house: StandingHouse,
) -> None:
    keep_to_renew(house)
    house.authorised()
    house.go_on(submit=DEAD)
    again(house, renew=AccessLost("no more", code="invalid_grant", http_status=400))
    consent_is(house, "stopped_at_bank")
    stands(house, "rejected", Reason.CONSENT_ENDED)
    assert (sent(house), house.due()) == (1, {})


def test_a_bank_that_takes_no_renewed_token_either_is_asked_a_few_times_and_then_access_is_lost(
    house: StandingHouse,
) -> None:
    keep_to_renew(house)
    house.authorised()
    house.go_on(submit=DEAD)
    assert sum(rules.RENEWED_AGAIN_S) * SECOND < rules.SEND_LIFE
    for number, pause in enumerate(rules.RENEWED_AGAIN_S):
        consent_is(house, "authorised")
        assert house.payment().state == ("unknown" if number else "submitting")
        assert house.due()["pay_1"] == house.clock.now + pause * SECOND
        house.clock.now += pause * SECOND
        renewed = Authorised(access_token=f"t-{number}", expires_in_s=300, refresh_token=f"r-{number}")
        house.go_on(consent_status=ConsentStatus.AUTHORISED, renew=renewed, submit=DEAD)
    consent_is(house, "stopped_at_bank")
    stands(house, "rejected", Reason.CONSENT_ENDED)
    assert sent(house) == 1 + len(rules.RENEWED_AGAIN_S)


def test_where_the_bank_says_that_it_is_to_be_approved_again_one_renewal_is_tried(house: StandingHouse) -> None:
    keep_to_renew(house)
    house.authorised()
    house.go_on(submit=LOST)
    consent_is(house, "authorised")
    again(house, renew=RENEWED, submit=LOST)
    consent_is(house, "stopped_at_bank")
    stands(house, "rejected", Reason.CONSENT_ENDED)
    assert sent(house) == 2


def test_a_token_that_is_not_taken_after_a_lost_answer_is_renewed_for_the_same_bytes(house: StandingHouse) -> None:
    keep_to_renew(house)
    house.authorised()
    house.go_on(submit=SILENT)
    again(house, submit=DEAD)
    stands(house, "unknown")
    again(house, renew=RENEWED, submit=taken(DEBITED))
    stands(house, "settled")


def test_what_was_never_let_in_ends_with_its_time(house: StandingHouse) -> None:
    """The token is not taken, and its bank does not renew it in time."""
    keep_to_renew(house)
    house.authorised()
    house.go_on(submit=DEAD)
    again(house, renew=AWAY)
    assert house.payment().state == "unknown"
    house.clock.now += rules.SEND_LIFE
    house.go_on()
    stands(house, "rejected", Reason.BANK_REFUSED)
    assert house.due() == {}
    consent_is(house, "authorised")
    with house.services.reading() as uow:
        last = select(PaymentHistory.evidence).order_by(PaymentHistory.sequence.desc()).limit(1)
        assert uow.session.scalar(last) == "the bank took no token that it came with"


def test_what_never_got_there_ends_with_its_time(house: StandingHouse) -> None:
    house.authorised()
    house.go_on(submit=AWAY)
    assert house.payment().state == "unknown"
    house.clock.now += rules.SEND_LIFE
    again(house, submit=taken())
    assert sent(house) == 1
    stands(house, "rejected", Reason.BANK_UNREACHABLE)
    assert house.due() == {}


def test_what_never_got_there_is_not_sent_on_the_day_after(house: StandingHouse) -> None:
    house.clock.now = LATE
    house.authorised()
    house.go_on(submit=AWAY)
    house.clock.now += HOUR / 2
    again(house, submit=taken())
    assert sent(house) == 1
    stands(house, "rejected", Reason.DAY_OVER)


def test_what_may_have_arrived_goes_again_on_the_day_after_once_that_is_claimed(house: StandingHouse) -> None:
    house.clock.now = LATE
    house.authorised()
    house.go_on(submit=SILENT)
    house.clock.now += 2 * HOUR
    again(house, submit=taken(DEBITED))
    assert (house.payment().state, sent(house)) == ("settled", 2)
    assert used(house) == {NOVEMBER: 9900, DECEMBER: 9900}
    holds(house)


def test_and_not_where_that_day_has_no_room(house: StandingHouse) -> None:
    house.clock.now = LATE
    house.authorised()
    house.go_on(submit=SILENT)
    house.add(_full(house, DECEMBER[1]))
    house.clock.now += 2 * HOUR
    again(house, submit=taken(DEBITED))
    assert (house.payment().state, sent(house)) == ("unknown", 1)


def test_a_refusal_of_yesterday_is_not_asked_again_today(house: StandingHouse) -> None:
    """What was beyond a limit yesterday could be executed today."""
    house.clock.now = LATE
    house.authorised()
    house.go_on(submit=BEYOND)
    house.clock.now += 2 * HOUR
    again(house, submit=taken(DEBITED))
    assert (house.payment().state, sent(house)) == ("unknown", 1)
    assert house.payment().untold_since == house.clock.now
    holds(house)


def test_its_key_is_not_used_once_the_bank_may_have_forgotten_it(house: StandingHouse) -> None:
    house.authorised()
    house.go_on(submit=SILENT)
    house.clock.now += rules.KEY_LIFE + SECOND
    again(house, submit=taken(DEBITED))
    assert sent(house) == 1
    stands(house, "unknown")
    assert house.payment().untold_since == house.clock.now
    with house.begin() as uow:
        house.clock.now += HOUR
        payments.resolve(uow, payment_id="pay_1", executed=True, because="The bank, by letter of today, file 12")
        uow.commit()
    stands(house, "settled")


# -------------------------------------------------------------------------------------------------- claims follow it


def test_claims_follow_a_payment_that_is_closed_doubted_and_corrected(house: StandingHouse) -> None:
    house.authorised()
    house.go_on(submit=taken(REJECTED))
    assert used(house) == {}
    holds(house)
    house.clock.now += HOUR
    house.go_on(status=ACCEPTED)
    assert house.payment().state == "unknown"
    assert used(house) == {NOVEMBER: 9900}
    holds(house)
    house.clock.now += HOUR
    house.go_on(status=REJECTED)
    assert used(house) == {}
    house.clock.now += HOUR
    house.go_on(status=DEBITED)
    assert house.payment().state == "settled"
    assert used(house) == {NOVEMBER: 9900}
    holds(house)


def test_what_is_taken_back_after_it_was_paid_gives_no_room(house: StandingHouse) -> None:
    house.authorised()
    house.go_on(submit=taken(DEBITED))
    for _ in range(2):
        house.clock.now += HOUR
        house.go_on(status=REJECTED)
    assert house.payment().state == "reversed"
    assert used(house) == {NOVEMBER: 9900}
    holds(house)


def test_a_period_that_the_bank_overfilled_by_its_own_word_is_told_apart(house: StandingHouse) -> None:
    house.authorised("1", minor=500_00)
    house.go_on(submit=taken(REJECTED))
    for number in ("2", "3"):
        house.authorised(number, minor=500_00)
        house.go_on(f"pay_{number}", submit=taken(DEBITED, number))
    house.clock.now += HOUR
    house.go_on("pay_1", status=DEBITED)
    assert used(house) == {NOVEMBER: 1500_00}
    holds(house)


def _live_in(house: StandingHouse, zone: str) -> None:
    with house.begin() as uow:
        uow.session.get_one(Customer, house.customer.id).time_zone = zone
        uow.commit()


def _full(house: StandingHouse, first: dt.date) -> ConsentUsage:
    return ConsentUsage(
        consent_id=house.consent_id,
        number=0,
        first=first,
        last=first + 30 * DAY,
        limit_minor=1000_00,
        used_minor=1000_00,
    )
