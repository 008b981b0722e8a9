"""Who ends a standing consent and who decides, or sends, under it: two real transactions, on PostgreSQL. One waits for
the other, sees what it did, and nobody waits for somebody who waits for them."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, text

from app.journey.consents.access import locked as locked_consent
from app.journey.consents.step import take_back
from app.journey.decisions import under_consent
from app.journey.decisions.under_consent import NotCovered
from app.journey.invoices.access import lock_invoices
from app.journey.invoices.models import Invoice
from app.journey.payments.reasons import Reason
from app.people.models import Customer
from connectors.contract import Authorised, Submitted
from consent import tokens
from consent.models import Consent, ConsentUsage, Standing
from consent.states import ConsentSource
from tests.conftest import Clock
from tests.unit.app.journey.decisions.test_decision_service import passkey_of
from tests.unit.app.journey.decisions.test_under_consent import send, start
from tests.unit.app.journey.house import DEBITED
from tests.unit.app.journey.payments.test_under_consent import LOST, used
from tests.unit.app.journey.standing_house import StandingHouse

WAIT_S = 20.0


@pytest.fixture
def house(engine: Engine, customer: Customer, clock: Clock) -> StandingHouse:
    return StandingHouse(engine, clock, customer)


def on_postgres(test: Any) -> Any:
    """SQLite lets one writer in at a time: there is no moment between."""
    return pytest.mark.postgres(pytest.mark.parametrize("database_url", ["postgres"], indirect=True)(test))


class Other(threading.Thread):
    """Somebody else's transaction."""

    def __init__(self, do: Callable[[], object]) -> None:
        super().__init__()
        self.do = do
        self.raised: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self.do()
        except BaseException as error:  # noqa: BLE001  a thread's error is looked at outside
            self.raised = error

    def is_waiting(self, house: StandingHouse) -> bool:
        """By the word of the database, and until it says so."""
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until and self.is_alive():
            with house.engine.connect() as connection:
                asked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                if connection.scalar(text(asked)):
                    return True
            time.sleep(0.02)
        return False

    def ends(self) -> BaseException | None:
        self.join(WAIT_S)
        assert not self.is_alive()
        return self.raised


@on_postgres
def test_who_decides_waits_for_who_takes_it_back(house: StandingHouse) -> None:
    device = passkey_of(house, house.customer)
    house.bill()
    started = start(house)
    with house.begin() as uow:
        _, standing = locked_consent(uow.session, house.consent_id)
        take_back(uow, standing, source=ConsentSource.CUSTOMER, evidence="a test")
        other = Other(lambda: send(house, device, started))
        assert other.is_waiting(house)
        uow.commit()
    assert isinstance(other.ends(), NotCovered)
    assert used(house) == {}
    assert house.invoice().state == "to_pay"


@on_postgres
def test_who_sends_waits_for_who_takes_it_back(house: StandingHouse) -> None:
    """Never a first sending once that is committed."""
    house.authorised()
    with house.begin() as uow:
        _, standing = locked_consent(uow.session, house.consent_id)
        take_back(uow, standing, source=ConsentSource.CUSTOMER, evidence="a test")
        submitted = Submitted(bank_payment_id="paid-1", status=DEBITED)
        other = Other(lambda: house.go_on(submit=submitted))
        assert other.is_waiting(house)
        uow.commit()
    assert other.ends() is None
    assert house.payment().reason == Reason.CONSENT_ENDED
    assert house.bank.asked == []
    assert used(house) == {}


@on_postgres
def test_who_takes_it_back_waits_for_who_decides_or_sends(house: StandingHouse) -> None:
    """And others who decide do not."""
    with house.begin() as uow:
        under_consent.lock(uow.session, consent_id=house.consent_id, customer_id=house.customer.id)
        with house.begin() as beside:
            under_consent.lock(beside.session, consent_id=house.consent_id, customer_id=house.customer.id)
            beside.commit()
        other = Other(lambda: _take_back(house))
        assert other.is_waiting(house)
        uow.commit()
    assert other.ends() is None


@on_postgres
def test_who_begins_a_period_holds_none_while_they_wait_for_the_agreement(house: StandingHouse) -> None:
    """Whoever has locked that, against everybody, may need a period that is there: were it held by who waits for the
    agreement to begin another one, they would wait for each other."""
    house.authorised()
    house.bill("2")
    house.clock.now = dt.datetime(2026, 11, 30, 23, 59, 30, tzinfo=dt.UTC)  # November is there, and December is begun
    with house.begin() as uow:
        uow.session.get_one(Standing, house.consent_id, with_for_update=True)
        other = Other(lambda: house.decide("pay_2", invoice_id="inv_2", consent_id=house.consent_id))
        assert other.is_waiting(house)
        period = (house.consent_id, 0, dt.date(2026, 11, 1))
        uow.session.get_one(ConsentUsage, period, with_for_update={"nowait": True})
        uow.commit()
    assert other.ends() is None
    assert used(house) == {(0, dt.date(2026, 11, 1)): 2 * 9900, (0, dt.date(2026, 12, 1)): 9900}


@on_postgres
def test_who_is_told_that_a_token_is_taken_no_more_sees_the_one_that_they_waited_for(house: StandingHouse) -> None:
    house.authorised()
    with house.begin() as uow:

        def approve_anew() -> None:
            locked_consent(uow.session, house.consent_id)
            given, until = Authorised(access_token="an0ther", expires_in_s=600), uow.now + dt.timedelta(days=9)
            vault = house.services.vault
            tokens.keep_standing(uow.session, vault, house.consent_id, given, now=uow.now, until=until)

        house.bank.meanwhile = approve_anew
        other = Other(lambda: house.go_on(submit=LOST))
        assert other.is_waiting(house)
        uow.commit()
    assert other.ends() is None
    with house.services.reading() as reading:
        assert reading.session.get_one(Consent, house.consent_id).state == "authorised"
    assert house.token() == "an0ther"
    assert house.payment().state == "submitting"


@on_postgres
def test_who_ends_a_payment_without_access_holds_no_consent_while_they_wait_for_a_new_version(
    house: StandingHouse,
) -> None:
    """Whoever decides about that has its bill, and needs the consent next."""
    house.authorised()
    newer_id = house.bill("2")
    with house.begin() as uow:
        uow.session.get_one(Invoice, newer_id).replaces_id = "inv_1"
        uow.commit()
    with house.begin() as uow:
        house.bank.meanwhile = lambda: lock_invoices(uow.session, [newer_id])
        other = Other(lambda: house.go_on(submit=LOST))
        assert other.is_waiting(house)
        under_consent.lock(uow.session, consent_id=house.consent_id, customer_id=house.customer.id)
        uow.commit()
    assert other.ends() is None
    assert house.payment().reason == Reason.CONSENT_ENDED


def _take_back(house: StandingHouse) -> None:
    with house.begin() as uow:
        _, standing = locked_consent(uow.session, house.consent_id)
        take_back(uow, standing, source=ConsentSource.CUSTOMER, evidence="a test")
        uow.commit()
