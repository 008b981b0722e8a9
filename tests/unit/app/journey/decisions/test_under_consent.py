"""Deciding under a standing consent: what it does not allow is refused with its reason, and then nothing is written."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from app import invariants
from app.demo.authenticator import Authenticator
from app.errors import AppError, Conflict, NotFound
from app.journey.consents import claims
from app.journey.consents.access import locked
from app.journey.consents.step import lose_access, take_back
from app.journey.decisions import orders
from app.journey.decisions import service as decisions
from app.journey.decisions.models import Decision
from app.journey.decisions.service import Decided
from app.journey.decisions.under_consent import NotCovered
from app.people import passkeys
from app.people.models import Customer, Stop
from connectors.money import Money
from consent.models import LimitClaim, Standing
from consent.rules import Why
from consent.states import ConsentSource
from tests.conftest import Clock
from tests.support.factories import agree_standing, make_customer
from tests.unit.app.journey.decisions.test_decision_service import ORDER, PARTY, PSU, passkey_of
from tests.unit.app.journey.house import PROFILE
from tests.unit.app.journey.standing_house import FRAME, StandingHouse

NOVEMBER = (0, dt.date(2026, 11, 1))
DECEMBER = (0, dt.date(2026, 12, 1))


@pytest.fixture
def house(engine: Engine, customer: Customer, clock: Clock) -> StandingHouse:
    return StandingHouse(engine, clock, customer)


@pytest.fixture
def device(house: StandingHouse) -> Authenticator:
    return passkey_of(house, house.customer)


def start(house: StandingHouse, *, invoice_id: str = "inv_1", consent_id: object = None) -> passkeys.Started:
    """The page was drawn, and its button pressed."""
    wanted = orders.Wanted(consent_id=consent_id or house.consent_id)
    asked: dict[str, Any] = {"invoice_id": invoice_id, "bank": PROFILE, "wanted": wanted}
    with house.begin() as uow:
        shown = decisions.shown_now(uow, customer=house.customer, **asked)
        started = decisions.start_paying(uow, signed_in=house.signed_in, party=PARTY, shown=shown, **asked)
        uow.commit()
    return started


def send(house: StandingHouse, device: Authenticator, started: passkeys.Started, invoice_id: str = "inv_1") -> Decided:
    credential = device.sign(started.public_key)
    with house.begin() as uow:
        decided = decisions.decide(
            uow,
            signed_in=house.signed_in,
            party=PARTY,
            invoice_id=invoice_id,
            ceremony=started.ceremony,
            credential=credential,
            banks={"horizon": PROFILE},
            psu=PSU,
        )
        uow.commit()
    return decided


def used(house: StandingHouse) -> Mapping[tuple[int, dt.date], int]:
    with house.services.reading() as uow:
        return claims.used(uow.session, consent_id=house.consent_id, days=[house.clock.now.date()])


def claimed(house: StandingHouse) -> int:
    with house.services.reading() as uow:
        return len(uow.session.scalars(select(LimitClaim)).all())


def refused(house: StandingHouse, why: Why, **how: Any) -> NotCovered:
    """Before the challenge is handed out."""
    with pytest.raises(NotCovered) as caught:
        start(house, **how)
    assert (caught.value.reason.why, caught.value.code, caught.value.status) == (why, "not-covered", 409)
    assert claimed(house) == 0
    return caught.value


def refused_when_sent(house: StandingHouse, device: Authenticator, started: passkeys.Started, why: Why) -> None:
    """Once it is signed: what happened since the page was drawn counts."""
    with pytest.raises(NotCovered) as caught:
        send(house, device, started)
    assert caught.value.reason.why is why
    assert claimed(house) == 0
    with house.services.reading() as uow:
        assert uow.session.scalars(select(Decision)).all() == []
    assert house.invoice().state == "to_pay"


def test_the_order_that_is_signed_names_the_consent_and_its_limits_are_claimed(
    house: StandingHouse, device: Authenticator
) -> None:
    house.bill()
    decided = send(house, device, start(house))
    assert decided.under_consent
    with house.services.reading() as uow:
        decision = uow.session.scalars(select(Decision)).one()
    asked = {**ORDER, "amount_minor": "9900", "consent": house.consent_id}
    assert decision.evidence["order"] == asked
    assert (decision.consent_id, decision.pay_on) == (house.consent_id, dt.date(2026, 11, 23))
    assert used(house) == {NOVEMBER: 9900}
    assert house.invoice().state == "in_payment"


def test_whoever_signs_in_the_second_tab_is_not_told_that_nothing_was_paid(
    house: StandingHouse, device: Authenticator
) -> None:
    """The first payment has used up what the consent allows."""
    house.bill(minor=50_000)
    tabs = [start(house), start(house)]
    house.bill("2", minor=40_000)
    send(house, device, start(house, invoice_id="inv_2"), invoice_id="inv_2")
    send(house, device, tabs[0])
    with pytest.raises(Conflict) as caught:
        send(house, device, tabs[1])
    assert caught.value.code == "already-in-payment"


def test_the_same_bill_without_the_consent_is_another_order(house: StandingHouse) -> None:
    house.bill()
    with house.services.reading() as uow:
        of_one = [
            decisions.shown_now(
                uow,
                customer=house.customer,
                invoice_id="inv_1",
                bank=PROFILE,
                wanted=orders.Wanted(consent_id=consent_id),
            )
            for consent_id in (house.consent_id, None)
        ]
    assert len(set(of_one)) == 2
    with pytest.raises(Conflict, match="changed"), house.begin() as uow:
        decisions.start_paying(
            uow,
            signed_in=house.signed_in,
            party=PARTY,
            invoice_id="inv_1",
            bank=PROFILE,
            shown=of_one[1],
            wanted=orders.Wanted(consent_id=house.consent_id),
        )


def test_more_than_one_payment_or_a_month_allows(house: StandingHouse, device: Authenticator) -> None:
    house.bill(minor=500_01)
    assert refused(house, Why.OVER_EACH).reason.over == Money(1, "EUR")
    for number in ("2", "3"):
        house.bill(number, minor=500_00)
        send(house, device, start(house, invoice_id=f"inv_{number}"), f"inv_{number}")
    house.bill("4", minor=1)
    with pytest.raises(NotCovered) as caught:
        start(house, invoice_id="inv_4")
    assert (caught.value.reason.why, caught.value.reason.day) == (Why.OVER_PERIOD, dt.date(2026, 12, 1))
    assert used(house) == {NOVEMBER: 1000_00}


def test_of_two_that_were_both_signed_the_second_is_refused(house: StandingHouse, device: Authenticator) -> None:
    for number in ("1", "2", "3"):
        house.bill(number, minor=400_00)
    signed = {number: start(house, invoice_id=f"inv_{number}") for number in ("1", "2", "3")}
    for number in ("1", "2"):
        send(house, device, signed[number], f"inv_{number}")
    with pytest.raises(NotCovered) as caught:
        send(house, device, signed["3"], "inv_3")
    assert caught.value.reason.amount == Money(200_00, "EUR")
    assert house.invoice("inv_3").state == "to_pay"
    assert used(house) == {NOVEMBER: 800_00}


def test_near_midnight_both_months_are_claimed(house: StandingHouse, device: Authenticator) -> None:
    house.clock.now = dt.datetime(2026, 11, 30, 23, 59, tzinfo=dt.UTC)
    house.bill()
    send(house, device, start(house))
    assert used(house) == {NOVEMBER: 9900, DECEMBER: 9900}


def test_another_payee_or_the_same_account_in_another_name(house: StandingHouse, device: Authenticator) -> None:
    house.bill()
    started = start(house)
    for name, why in (("Lumen Group SA", Why.PAYEE_NAME_DIFFERS), ("Lumen SA", None)):
        with house.begin() as uow:
            consented = {"payee_name": name}
            uow.session.execute(update(Standing).values(**consented))
            uow.commit()
        if why is not None:
            refused_when_sent(house, device, started, why)
    refused_frame = dataclasses.replace(FRAME, payee_iban="FR7630006000011234567890189")
    assert refused(house, Why.PAYEE_DIFFERS, consent_id=agreed(house, refused_frame)).reason.name == "Lumen SA"


def agreed(house: StandingHouse, frame: Any, **how: Any) -> str:
    with house.begin() as uow:
        asked = {"customer_id": house.customer.id, "biller_id": "blr_1", "bank_id": "horizon", **how}
        standing = agree_standing(uow, frame=frame, **asked)
        uow.commit()
        return standing.consent_id


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"begins_on": dt.date(2026, 11, 24)}, Why.NOT_YET),
        ({"ends_on": dt.date(2026, 11, 22)}, Why.ENDED),
        ({"currency": "GBP"}, Why.CURRENCY),
    ],
)
def test_outside_of_its_days_or_currency(house: StandingHouse, changes: dict[str, Any], why: Why) -> None:
    house.bill()
    refused(house, why, consent_id=agreed(house, dataclasses.replace(FRAME, **changes)))


def test_the_last_minutes_of_its_last_day_are_too_late(house: StandingHouse) -> None:
    consent_id = agreed(house, dataclasses.replace(FRAME, ends_on=dt.date(2026, 11, 23)))
    house.bill()
    house.clock.now = dt.datetime(2026, 11, 23, 23, 59, tzinfo=dt.UTC)  # in Paris it is the day after
    refused(house, Why.ENDED, consent_id=consent_id)


@pytest.mark.parametrize(("end", "why"), [(take_back, Why.STOPPING), (lose_access, Why.ACCESS_LOST)])
def test_one_that_is_not_to_be_used(house: StandingHouse, device: Authenticator, end: Any, why: Why) -> None:
    """It was taken back after the page was drawn."""
    house.bill()
    started = start(house)
    with house.begin() as uow:
        _, standing = locked(uow.session, house.consent_id)
        end(uow, standing, source=ConsentSource.CUSTOMER, evidence="a test")
        uow.commit()
    refused_when_sent(house, device, started, why)
    refused(house, why)


def test_one_that_waits_to_be_approved(house: StandingHouse) -> None:
    house.bill()
    refused(house, Why.WAITING, consent_id=agreed(house, FRAME, steps=()))


def test_one_of_which_the_bank_counts_otherwise(house: StandingHouse) -> None:
    house.authorised("0", minor=1)
    with house.begin() as uow:
        claims.refuse(uow, payment_id="pay_0", number=0)
        uow.commit()
    house.bill()
    with pytest.raises(NotCovered) as caught:
        start(house)
    assert caught.value.reason.why is Why.BANK_COUNTS_OTHERWISE


def test_somebody_else_s_or_none_or_one_at_another_bank(house: StandingHouse) -> None:
    other = make_customer(house.services)
    house.bill()
    wrong: list[object] = [
        agreed(house, FRAME, customer_id=other.id),
        agreed(house, FRAME, bank_id="another"),
        "con_none",
        7,
    ]
    for consent_id in wrong:
        with pytest.raises(NotFound):
            start(house, consent_id=consent_id)


def test_who_stopped_everything_starts_nothing(house: StandingHouse, device: Authenticator) -> None:
    """Under a consent or not."""
    house.bill()
    started = start(house)
    house.add(Stop(id="stp_1", customer_id=house.customer.id, session_id="ses_1", at=house.clock.now))

    def code(do: Any) -> str:
        with pytest.raises(AppError) as caught:
            do()
        return caught.value.code

    assert code(lambda: start(house)) == "stopped-all"
    assert code(lambda: send(house, device, started)) == "stopped-all"
    assert claimed(house) == 0


def test_all_is_well_in_the_books(house: StandingHouse, device: Authenticator) -> None:
    house.bill()
    decided = send(house, device, start(house))
    broken = {each.invariant.name for each in invariants.check(house.engine, now=house.clock.now, late=False)}
    assert broken == set()
    with house.begin() as uow:
        uow.session.execute(update(Decision).values(payee_name="Somebody"))
        uow.commit()
    broken = {each.invariant.name for each in invariants.check(house.engine, now=house.clock.now, late=False)}
    assert broken >= {"E10"}
    assert decided.payment_id
