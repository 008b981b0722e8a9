"""Erasing the space of who has a standing consent: the bank is asked to end it for as long as it has it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from app.journey.erasure import emptying
from app.journey.erasure.models import Erasure
from app.journey.erasure.states import ErasureState
from app.journey.payments.models import Payment
from connectors.errors import BankUnavailable
from consent.models import Consent, Standing
from tests.functional.test_paid_under_consent import House, clock, house, services, settings, uk_bank  # noqa: F401


def ask(browser: Any) -> int:
    token = browser.token("/privacy/erase")
    started = browser.post("/privacy/erase/ceremony", token=token, data={}).get_json()
    form = {"ceremony": started["ceremony"], "credential": json.dumps(browser.device.sign(started["publicKey"]))}
    return int(browser.post("/privacy/erase", token=token, form=form).status_code)


def test_what_a_bank_still_has_is_ended_there_however_late(house: House, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """Never used; and its bank cannot be reached for longer than anybody waits."""
    world = house.world
    recurring = type(world.connector.recurring)
    revoke = recurring.revoke

    def away(*_: Any, **__: Any) -> None:
        raise BankUnavailable("maintenance")

    monkeypatch.setattr(recurring, "revoke", away)
    assert ask(world.browser) == 303
    world.wait(seconds=70)
    for _ in range(11):
        world.wait(days=1)
    with world.services.reading() as uow:
        assert uow.session.scalars(select(Erasure.state)).one() == ErasureState.ERASED
        assert uow.session.get_one(Consent, house.consent_id).bank_consent_id == house.bank_consent_id
    monkeypatch.setattr(recurring, "revoke", revoke)
    for _ in range(4):
        world.wait(days=1)
    with world.services.reading() as uow:
        assert uow.session.get_one(Standing, house.consent_id).gone_at is not None


def test_two_payments_under_one_consent_are_forgotten(house: House) -> None:  # noqa: F811
    world = house.world
    first = house.pay(world.invoice_id)
    house.until(lambda: house.payment(first).state == "settled")
    world.wait(days=8)
    world.browser.sign_in()
    second = house.pay(house.another_bill("2026-2"))
    house.until(lambda: house.payment(second).state == "settled")
    with world.services.unit_of_work() as uow:
        emptying.forget(uow, world.customer.id)
        known = uow.session.scalars(select(Payment.bank_payment_id)).all()
        assert len(set(known)) == 2
        assert all(each is not None and each.startswith("(erased)") for each in known)
