"""What a walk of a recurring consent agrees on whatever the day, and what it says where a bank has no such payments."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.demo.bank_visit import BankVisit
from app.demo.browser import Browser
from app.demo.errors import NotOffered
from app.demo.recurring_walk import EACH, FIRST, RecurringWalk, agree, limits
from connectors.errors import BankRefused
from connectors.openbanking_uk import vrp_messages
from connectors.openbanking_uk.messages import Dialect
from connectors.sandbox_bank.openbanking_uk import limits as banks_limits

DAYS = [dt.date(2027, 12, 1) + dt.timedelta(days=number) for number in range(400)]  # with a February of 29 days


@pytest.mark.parametrize("version", ["3.1", "4.0"])
def test_two_payments_fit_into_what_is_left_and_a_third_does_not(version: str) -> None:
    for today in DAYS:
        agreed, left = limits(today, payee="Trams", iban="GB74SBDK99999941726053")
        assert vrp_messages.consent(agreed, dialect=Dialect(version=version))
        [monthly] = agreed.periodic_limits
        as_the_bank_reads_it = banks_limits.PeriodicLimit(
            period_type="Month", alignment="Calendar", amount_minor=monthly.amount.minor
        )
        assert banks_limits.period_of(as_the_bank_reads_it, begins=today, day=today).limit_minor == left
        assert left >= FIRST + EACH + 1, "a penny above the limit for each payment must be within that of the month"
        assert 0 < left - FIRST - EACH + 1 <= EACH, "and the penny above that of the month within the other"


class _Stub:
    """A bank whose standard has recurring payments, and which does not."""

    def __init__(self, http_status: int) -> None:
        self._http_status = http_status

    def draft(self, consent: object, *, request_id: str) -> object:
        return consent

    def initiate(self, request: object, **_: object) -> object:
        raise BankRefused("the bank refused", code=f"http_{self._http_status}", http_status=self._http_status)


@dataclass
class _Services:
    banks: Any = field(default_factory=lambda: _Banks())
    now: dt.datetime = dt.datetime(2027, 12, 1, tzinfo=dt.UTC)

    def clock(self) -> dt.datetime:
        return self.now


class _Banks:
    def profile(self, bank_id: str) -> Any:
        days = {"tyne": "Europe/London", "humber": "unsure"}.get(bank_id, "UTC")
        return type("Profile", (), {"name": "Albion Bank", "limit_days": days})


def walk_of(recurring: _Stub, *, bank_id: str = "albion", services: _Services | None = None) -> RecurringWalk:
    parts: dict[str, Any] = {
        "running": None,
        "data": None,
        "at": type("At", (), {"id": bank_id}),
        "visit": BankVisit(Browser("https://127.0.0.1:1"), "camille"),
        "services": services or _Services(),
        "connector": None,
        "recurring": recurring,
        "payee": "Trams",
    }
    return RecurringWalk(**parts)


@pytest.mark.parametrize(("bank_id", "day"), [("albion", 30), ("humber", 30), ("tyne", 1)])
def test_a_consent_begins_on_the_banks_own_day(bank_id: str, day: int) -> None:
    at_night = _Services(now=dt.datetime(2027, 6, 30, 23, 30, tzinfo=dt.UTC))
    assert walk_of(_Stub(404), bank_id=bank_id, services=at_night).today.day == day


def test_a_bank_that_answers_404_offers_none() -> None:
    with pytest.raises(NotOffered, match=r"^Albion Bank offers no recurring payments: it answers 404$"):
        agree(walk_of(_Stub(404)))
    with pytest.raises(BankRefused):
        agree(walk_of(_Stub(400)))
