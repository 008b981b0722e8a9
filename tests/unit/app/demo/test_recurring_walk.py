"""What a walk of a standing consent chooses: whatever the day, two bills are within the limits and two are not."""

from __future__ import annotations

import datetime as dt

from app.demo.bills import walk_bill
from app.demo.cast import CAMILLE, TRAMS
from app.demo.recurring_walk import EACH, FIRST, FORTNIGHT, OVER_EACH, OVER_FORTNIGHT, SECOND
from connectors.capabilities import Alignment, Period
from connectors.money import Money
from consent.rules import Frame, Limit, Order, Reason, Why, first_breach, spans_at

DAYS = [dt.date(2027, 12, 1) + dt.timedelta(days=number) for number in range(400)]  # with a February of 29 days


def total(net: int, today: dt.date) -> Money:
    bill = walk_bill(token="0a1b2c3d", today=today, customer=CAMILLE, cents=net, currency=TRAMS.currency)
    return Money.parse(str(bill.total), TRAMS.currency)


def test_the_bills_come_to_what_is_said_of_them() -> None:
    found = [str(total(net, DAYS[0])) for net in (FIRST, OVER_EACH, SECOND, OVER_FORTNIGHT)]
    assert found == ["3.50", "4.01", "4.00", "0.52"]


def frame_from(today: dt.date) -> Frame:
    return Frame(
        payee_name=TRAMS.name,
        payee_iban=TRAMS.iban,
        currency=TRAMS.currency,
        each_minor=EACH,
        limits=(Limit(period=Period.FORTNIGHT, alignment=Alignment.CONSENT, minor=FORTNIGHT),),
        begins_on=today,
        ends_on=today + dt.timedelta(days=390),
    )


def against(frame: Frame, net: int, *, used: int) -> Reason | None:
    """On the first day, or on the next one should it begin meanwhile."""
    days = (frame.begins_on, frame.begins_on + dt.timedelta(days=1))
    [span] = spans_at(frame, days)
    amount = total(net, frame.begins_on)
    order = Order(payee_name=frame.payee_name, payee_iban=frame.payee_iban, amount=amount)
    return first_breach(frame, order, days=days, used={span.key: used})


def test_two_bills_are_covered_and_two_are_not_whatever_the_day() -> None:
    for today in DAYS:
        frame = frame_from(today)
        first, second = total(FIRST, today).minor, total(SECOND, today).minor
        assert against(frame, FIRST, used=0) is None
        assert against(frame, SECOND, used=first) is None
        assert against(frame, OVER_EACH, used=first) == Reason(
            why=Why.OVER_EACH, amount=Money(EACH, "GBP"), over=Money(1, "GBP")
        )
        assert against(frame, OVER_FORTNIGHT, used=first + second) == Reason(
            why=Why.OVER_PERIOD,
            amount=Money(50, "GBP"),
            over=Money(total(OVER_FORTNIGHT, today).minor - 50, "GBP"),
            period=Period.FORTNIGHT,
            day=today + dt.timedelta(days=14),
        )
