"""Claims on the limits of a standing consent: what fits is taken, and however many come at once, never more."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app import invariants
from app.db.upsert import insert_once
from app.journey.consents import claims
from app.journey.consents.claims import LimitReached
from app.journey.decisions.models import Decision
from connectors.capabilities import Alignment, Period
from connectors.money import Money
from consent.base import new_id
from consent.models import ConsentUsage, LimitClaim, Standing
from consent.rules import Frame, Limit, Order, Reason, Span, Why, first_breach, over_period
from tests.support.factories import FRAME, agree_standing
from tests.unit.app.journey.house import House

JANUARY, FEBRUARY = dt.date(2026, 1, 1), dt.date(2026, 2, 1)
LAST, NEXT = dt.date(2026, 1, 31), dt.date(2026, 2, 1)
WEEK = dt.date(2026, 1, 29)  #: the first day of the week, counted from the consent's first, that both are in
WEEKLY = Limit(period=Period.WEEK, alignment=Alignment.CONSENT, minor=60_00)
BOTH = replace(FRAME, limits=(*FRAME.limits, WEEKLY))


#: how many pay at once under each of how many consents; three times 30.00 of 100.00 fit
PAYERS, CONSENTS, MINOR, FIT = 6, 25, 30_00, 3


@dataclass
class Books:
    """A customer's standing consent, and decisions to pay under it."""

    house: House
    standing: Standing
    invoice_id: str

    def decide(self, session: Session) -> str:
        """The id of the payment that a decision would start."""
        payment_id = new_id("pay")
        session.add(
            Decision(
                id=new_id("dec"),
                customer_id=self.standing.customer_id,
                invoice_id=self.invoice_id,
                verb="pay_now",
                currency="GBP",
                amount_minor=1,
                discount_minor=0,
                pay_on=LAST,
                bank_id=self.standing.bank_id,
                payee_name=FRAME.payee_name,
                payee_iban=FRAME.payee_iban,
                payment_id=payment_id,
                consent_id=self.standing.consent_id,
                evidence={},
                psu={},
                decided_at=self.house.clock.now,
            )
        )
        session.flush()
        return payment_id

    def pay(self, minor: int, *days: dt.date, payment_id: str | None = None) -> str:
        with self.house.begin() as uow:
            payment_id = payment_id or self.decide(uow.session)
            claims.take(uow.session, self.standing, payment_id=payment_id, minor=minor, days=days, now=uow.now)
            uow.commit()
        return payment_id

    def release(self, payment_id: str) -> None:
        with self.house.begin() as uow:
            claims.release(uow, payment_id=payment_id)
            uow.commit()

    def restore(self, payment_id: str) -> None:
        with self.house.begin() as uow:
            claims.restore(uow, payment_id=payment_id)
            uow.commit()

    def used(self, *days: dt.date) -> dict[tuple[int, dt.date], int]:
        with self.house.services.reading() as uow:
            return dict(claims.used(uow.session, consent_id=self.standing.consent_id, days=days))


def kept(house: House, frame: Frame = BOTH, *, invoice_id: str = "") -> Books:
    invoice_id = invoice_id or house.bill()
    with house.begin() as uow:
        standing = agree_standing(uow, customer_id=house.customer.id, biller_id="blr_1", frame=frame)
        uow.commit()
    return Books(house, standing, invoice_id)


def in_order(house: House) -> None:
    broken = {each.invariant.name for each in invariants.check(house.engine, now=house.clock())}
    assert not broken & {"E6", "E7", "E9", "E11"}


@pytest.fixture
def books(house: House) -> Iterator[Books]:
    made = kept(house)
    yield made
    in_order(house)


def test_a_payment_takes_of_each_limit(books: Books) -> None:
    books.pay(20_00, LAST)
    books.pay(30_00, LAST)
    assert books.used(LAST) == {(0, JANUARY): 50_00, (1, WEEK): 50_00}
    with books.house.services.reading() as uow:
        rows = uow.session.scalars(select(ConsentUsage).order_by(ConsentUsage.number)).all()
    assert [(row.first, row.last, row.limit_minor) for row in rows] == [
        (JANUARY, LAST, 100_00),
        (WEEK, dt.date(2026, 2, 4), 60_00),
    ]


def test_near_midnight_it_takes_of_both_periods_and_of_one_that_both_days_are_in_once(books: Books) -> None:
    books.pay(20_00, LAST, NEXT)
    assert books.used(LAST) == {(0, JANUARY): 20_00, (0, FEBRUARY): 20_00, (1, WEEK): 20_00}
    assert books.used(dt.date(2026, 2, 5)) == {(0, FEBRUARY): 20_00}, "what is over is not read"


def test_what_does_not_fit_takes_nothing_and_is_told_what_is_left(books: Books) -> None:
    books.pay(41_00, LAST)
    with pytest.raises(LimitReached) as reached:
        books.pay(19_01, LAST)
    assert reached.value.reason == Reason(
        why=Why.OVER_PERIOD,
        amount=Money(19_00, "GBP"),
        over=Money(1, "GBP"),
        day=dt.date(2026, 2, 5),
        period=Period.WEEK,
    )
    assert books.used(LAST) == {(0, JANUARY): 41_00, (1, WEEK): 41_00}
    books.pay(19_00, LAST)
    assert books.used(LAST) == {(0, JANUARY): 60_00, (1, WEEK): 60_00}


def test_it_fits_exactly_where_the_rules_say_so(books: Books) -> None:
    for minor in (40_00, 21_00, 20_00, 1):
        order = Order(payee_name=FRAME.payee_name, payee_iban=FRAME.payee_iban, amount=Money(minor, "GBP"))
        said = first_breach(books.standing.frame, order, days=[LAST], used=books.used(LAST))
        if said is None:
            books.pay(minor, LAST)
        else:
            with pytest.raises(LimitReached) as reached:
                books.pay(minor, LAST)
            assert reached.value.reason == said
    assert books.used(LAST)[1, WEEK] == 60_00


def test_a_day_later_it_takes_of_the_periods_that_it_has_not_yet(books: Books) -> None:
    payment_id = books.pay(20_00, LAST)
    books.pay(20_00, LAST, payment_id=payment_id)
    books.pay(20_00, LAST, NEXT, payment_id=payment_id)
    assert books.used(LAST) == {(0, JANUARY): 20_00, (0, FEBRUARY): 20_00, (1, WEEK): 20_00}


def test_what_is_closed_gives_back_all_that_it_took_once(books: Books) -> None:
    first, second = books.pay(20_00, LAST, NEXT), books.pay(30_00, LAST)
    for _ in range(2):
        books.release(first)
    assert books.used(LAST) == {(0, JANUARY): 30_00, (0, FEBRUARY): 0, (1, WEEK): 30_00}
    books.pay(30_00, NEXT)
    books.release(second)
    assert books.used(LAST) == {(0, JANUARY): 0, (0, FEBRUARY): 30_00, (1, WEEK): 30_00}


def test_what_was_given_back_is_not_claimed_anew(books: Books) -> None:
    """Its payment is over. What the bank did after all is restored."""
    first = books.pay(20_00, LAST)
    books.release(first)
    with pytest.raises(ValueError, match="were released"):
        books.pay(20_00, LAST, NEXT, payment_id=first)
    assert books.used(LAST) == {(0, JANUARY): 0, (1, WEEK): 0}


def test_what_the_bank_did_after_all_counts_though_it_is_over_the_limit(books: Books) -> None:
    """And nothing else fits beside it; given back once more, it is as if it had never been."""
    first = books.pay(40_00, LAST)
    books.release(first)
    second = books.pay(50_00, LAST)
    for _ in range(2):
        books.restore(first)
    assert books.used(LAST) == {(0, JANUARY): 90_00, (1, WEEK): 90_00}
    with pytest.raises(LimitReached) as reached:
        books.pay(1, LAST)
    assert reached.value.reason.amount == Money(0, "GBP")
    books.release(first)
    books.release(second)
    assert books.used(LAST) == {(0, JANUARY): 0, (1, WEEK): 0}


def test_who_claimed_nothing_gives_nothing_back(books: Books) -> None:
    books.release("pay_none")
    books.restore("pay_none")
    assert books.used(LAST) == {}


# ------------------------------------------------------------------------------------------------------- many, at once


def on_postgres(test: Any) -> Any:
    """SQLite lets one writer in at a time: there is no moment between."""
    return pytest.mark.postgres(pytest.mark.parametrize("database_url", ["postgres"], indirect=True)(test))


def race(house: House) -> list[tuple[int, int]]:
    """Of each consent how often was paid under it, and what is used of its month."""
    invoice_id = house.bill()
    many = [kept(house, invoice_id=invoice_id, frame=FRAME) for _ in range(CONSENTS)]
    start = threading.Barrier(PAYERS)

    def pay_everywhere(_: int) -> None:
        for each in many:
            start.wait()
            with contextlib.suppress(LimitReached):
                each.pay(MINOR, LAST)

    with ThreadPoolExecutor(PAYERS) as pool:
        list(pool.map(pay_everywhere, range(PAYERS)))
    with house.services.reading() as uow:
        taken = dict(
            uow.session.execute(select(LimitClaim.consent_id, func.count()).group_by(LimitClaim.consent_id)).all()
        )
    return [(taken[each.standing.consent_id], each.used(LAST)[0, JANUARY]) for each in many]


@on_postgres
def test_however_many_pay_at_once_what_fits_is_taken_and_never_more(house: House) -> None:
    assert race(house) == [(FIT, FIT * MINOR)] * CONSENTS
    in_order(house)


@on_postgres
def test_to_read_first_and_write_then_would_overspend(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the race before is one: the same with a claim that looks whether it fits, and then takes it."""

    def naive(
        session: Session, consent_id: str, frame: Frame, span: Span, *, minor: int, days: Collection[dt.date]
    ) -> None:
        row = {"consent_id": consent_id, "number": span.number, "first": span.first, "last": span.last}
        values = {**row, "limit_minor": span.limit_minor, "used_minor": 0}
        insert_once(session, ConsentUsage, values, unique=["consent_id", "number", "first"])
        is_span = (ConsentUsage.consent_id == consent_id, ConsentUsage.first == span.first)
        so_far = session.scalars(select(ConsentUsage.used_minor).where(*is_span)).one()
        if so_far + minor > span.limit_minor:
            left_minor = span.limit_minor - so_far
            raise LimitReached(over_period(frame, span, left_minor=left_minor, minor=minor, days=days))
        session.execute(update(ConsentUsage).where(*is_span).values(used_minor=ConsentUsage.used_minor + minor))

    monkeypatch.setattr(claims, "_take", naive)
    over = [minor for _, minor in race(house) if minor > FRAME.limits[0].minor]
    assert over
