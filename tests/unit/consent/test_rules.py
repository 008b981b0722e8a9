"""What a standing consent allows: the standard's own examples, the edges of days to the second, and what always holds.

The sandbox bank counts by code of its own (limits.py), so the two are compared.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.capabilities import UNSURE, Alignment, Period
from connectors.money import Money
from connectors.sandbox_bank.openbanking_uk import limits as bank
from consent import rules
from consent.rules import Fault, Frame, Limit, Order, Span, Why, days_at, first_breach, span_of, spans_at

SECOND, DAY = dt.timedelta(seconds=1), dt.timedelta(days=1)
MARGIN = dt.timedelta(seconds=90)
LONDON = "Europe/London"
IBAN = "GB33BUKB20201555555555"

DAYS = st.dates(dt.date(2020, 1, 1), dt.date(2040, 12, 31))
AMOUNTS = st.integers(1, 10_000_000)
LIMITS = st.builds(
    Limit,
    period=st.sampled_from([period for period in Period if period is not Period.FORTNIGHT]),
    alignment=st.sampled_from(Alignment),
    minor=AMOUNTS,
) | st.builds(Limit, period=st.just(Period.FORTNIGHT), alignment=st.just(Alignment.CONSENT), minor=AMOUNTS)
WORDS = {
    Period.DAY: "Day",
    Period.WEEK: "Week",
    Period.FORTNIGHT: "Fortnight",
    Period.MONTH: "Month",
    Period.HALF_YEAR: "Half-year",
    Period.YEAR: "Year",
}


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(f"{text}+00:00")


def limit(period: str, alignment: str = "calendar", minor: int = 100_00) -> Limit:
    return Limit(period=Period(period), alignment=Alignment(alignment), minor=minor)


def frame(**changes: Any) -> Frame:
    usual: dict[str, Any] = {
        "payee_name": "Trams",
        "payee_iban": IBAN,
        "currency": "GBP",
        "each_minor": 50_00,
        "limits": (limit("month"), limit("week", "consent", 60_00)),
        "begins_on": day("2026-01-10"),
        "ends_on": day("2026-12-10"),
    }
    return Frame(**usual | changes)


def order(minor: int, **changes: Any) -> Order:
    usual: dict[str, Any] = {"payee_name": "Trams", "payee_iban": IBAN, "amount": Money(minor, "GBP")}
    return Order(**usual | changes)


def told(which: Limit) -> bank.PeriodicLimit:
    """The same limit, as the sandbox bank has it."""
    return bank.PeriodicLimit(
        period_type=WORDS[which.period], alignment=which.alignment.value.capitalize(), amount_minor=which.minor
    )


# -------------------------------------------------------------------------------------------------------------- periods


@pytest.mark.parametrize(
    ("which", "begins", "spans"),
    [
        # the four examples of the standard; the second end in its second one is a slip
        (
            limit("month", "calendar", 300_00),
            "2021-06-06",
            [("2021-06-06", "2021-06-30", 250_00), ("2021-07-01", "2021-07-31", 300_00)],
        ),
        (
            limit("month", "consent", 500_00),
            "2021-06-05",
            [("2021-06-05", "2021-07-04", 500_00), ("2021-07-05", "2021-08-04", 500_00)],
        ),
        (
            limit("year", "calendar", 500_00),
            "2021-06-06",
            [("2021-06-06", "2021-12-31", 286_30), ("2022-01-01", "2022-12-31", 500_00)],
        ),
        (
            limit("year", "consent", 500_00),
            "2021-06-05",
            [("2021-06-05", "2022-06-04", 500_00), ("2022-06-05", "2023-06-04", 500_00)],
        ),
        # the fifth, of the guidance: £31 a month, from the 15th
        (limit("month", "calendar", 31_00), "2021-10-15", [("2021-10-15", "2021-10-31", 17_00)]),
        # the first day is the month's last one, and the month's first one
        (
            limit("month", "calendar", 31_00),
            "2026-01-31",
            [("2026-01-31", "2026-01-31", 1_00), ("2026-02-01", "2026-02-28", 31_00)],
        ),
        (limit("month", "calendar", 31_00), "2026-01-01", [("2026-01-01", "2026-01-31", 31_00)]),
        # a share is rounded down to the penny: 100.00 × 17/31 = 54.838…; 0.01 × 30/31 is nothing
        (limit("month", "calendar", 100_00), "2026-01-15", [("2026-01-15", "2026-01-31", 54_83)]),
        (limit("month", "calendar", 1), "2026-01-02", [("2026-01-02", "2026-01-31", 0)]),
        # ends of months
        (
            limit("month", "consent"),
            "2026-01-31",
            [
                ("2026-01-31", "2026-02-27", 100_00),
                ("2026-02-28", "2026-03-30", 100_00),
                ("2026-03-31", "2026-04-29", 100_00),
                ("2026-04-30", "2026-05-30", 100_00),
            ],
        ),
        (
            limit("month", "consent"),
            "2026-04-30",
            [("2026-04-30", "2026-05-29", 100_00), ("2027-02-28", "2027-03-29", 100_00)],
        ),
        (
            limit("year", "consent"),
            "2024-02-29",
            [
                ("2024-02-29", "2025-02-27", 100_00),
                ("2025-02-28", "2026-02-27", 100_00),
                ("2028-02-29", "2029-02-27", 100_00),
            ],
        ),
        (
            limit("half_year", "consent"),
            "2025-08-31",
            [("2025-08-31", "2026-02-27", 100_00), ("2026-02-28", "2026-08-30", 100_00)],
        ),
        # a leap year's share: 100.00 × 366/366, × 307/366
        (limit("year"), "2028-01-01", [("2028-01-01", "2028-12-31", 100_00)]),
        (limit("year"), "2028-02-29", [("2028-02-29", "2028-12-31", 83_87)]),
        (
            limit("half_year"),
            "2026-06-30",
            [("2026-06-30", "2026-06-30", 55), ("2026-07-01", "2026-12-31", 100_00)],
        ),
        # a week over New Year begins on Monday the 28th; a Sunday is the last day of one
        (
            limit("week"),
            "2026-12-30",
            [("2026-12-30", "2027-01-03", 71_42), ("2027-01-04", "2027-01-10", 100_00)],
        ),
        (limit("week"), "2027-01-03", [("2027-01-03", "2027-01-03", 14_28), ("2027-01-04", "2027-01-10", 100_00)]),
        (limit("week", "consent"), "2026-12-30", [("2026-12-30", "2027-01-05", 100_00)]),
        (
            limit("fortnight", "consent"),
            "2026-12-30",
            [("2026-12-30", "2027-01-12", 100_00), ("2027-01-13", "2027-01-26", 100_00)],
        ),
        (limit("day"), "2026-12-31", [("2026-12-31", "2026-12-31", 100_00), ("2027-01-01", "2027-01-01", 100_00)]),
        (limit("day", "consent"), "2026-12-31", [("2027-01-01", "2027-01-01", 100_00)]),
    ],
)
def test_the_periods_of_a_limit(which: Limit, begins: str, spans: list[tuple[str, str, int]]) -> None:
    for first, last, minor in spans:
        expected = Span(number=3, first=day(first), last=day(last), limit_minor=minor)
        assert expected.resets_on == day(last) + DAY
        for within in (day(first), day(last)):
            assert span_of(which, 3, begins_on=day(begins), day=within) == expected
            theirs = bank.period_of(told(which), begins=day(begins), day=within)
            assert (theirs.first, theirs.last, theirs.limit_minor) == (day(first), day(last), minor)


def test_before_a_consent_begins_there_is_no_period() -> None:
    with pytest.raises(ValueError, match="there is no period on 2026-01-09"):
        span_of(limit("month"), 0, begins_on=day("2026-01-10"), day=day("2026-01-09"))
    with pytest.raises(ValueError, match="there is no period"):
        spans_at(frame(), [day("2026-01-10"), day("2026-01-09")])


@given(which=LIMITS, begins=DAYS, later=st.integers(0, 3_000))
def test_periods_follow_each_other_without_gap_or_overlap(which: Limit, begins: dt.date, later: int) -> None:
    today = begins + later * DAY
    span = span_of(which, 0, begins_on=begins, day=today)
    assert begins <= span.first <= today <= span.last
    assert 0 <= span.limit_minor <= which.minor
    assert span_of(which, 0, begins_on=begins, day=span.first) == span_of(which, 0, begins_on=begins, day=span.last)
    assert span_of(which, 0, begins_on=begins, day=span.resets_on).first == span.resets_on
    if span.first > begins:
        assert span.limit_minor == which.minor, "only the first period is shortened"
        assert span_of(which, 0, begins_on=begins, day=span.first - DAY).last == span.first - DAY


@given(which=LIMITS, begins=DAYS, later=st.integers(0, 3_000))
def test_the_sandbox_bank_has_the_same_periods(which: Limit, begins: dt.date, later: int) -> None:
    span = span_of(which, 0, begins_on=begins, day=begins + later * DAY)
    theirs = bank.period_of(told(which), begins=begins, day=begins + later * DAY)
    assert (span.first, span.last, span.limit_minor) == (theirs.first, theirs.last, theirs.limit_minor)


def test_a_payment_is_claimed_in_every_period_of_its_days_once() -> None:
    both = frame(limits=(limit("month"), limit("week", "consent", 60_00)))
    spans = spans_at(both, [day("2026-02-01"), day("2026-01-31")])
    assert [(span.number, span.first, span.last) for span in spans] == [
        (0, day("2026-01-10"), day("2026-01-31")),
        (0, day("2026-02-01"), day("2026-02-28")),
        (1, day("2026-01-31"), day("2026-02-06")),
    ]
    assert [span.key for span in spans] == [(span.number, span.first) for span in spans]


# ------------------------------------------------------------------------------------- the edges of days, to the second


@pytest.mark.parametrize(
    ("edge", "days", "before", "after"),
    [
        # by UTC a day ends at midnight, whatever the clocks in London do
        ("2026-07-01T00:00:00", "UTC", ["2026-06-30"], ["2026-07-01"]),
        ("2027-01-01T00:00:00", "UTC", ["2026-12-31"], ["2027-01-01"]),
        ("2028-02-29T00:00:00", "UTC", ["2028-02-28"], ["2028-02-29"]),
        ("2027-03-28T00:00:00", "UTC", ["2027-03-27"], ["2027-03-28"]),
        ("2027-10-31T01:00:00", "UTC", ["2027-10-31"], ["2027-10-31"]),
        # in London an hour earlier in summer
        ("2026-06-30T23:00:00", LONDON, ["2026-06-30"], ["2026-07-01"]),
        ("2026-07-01T00:00:00", LONDON, ["2026-07-01"], ["2026-07-01"]),
        ("2027-01-01T00:00:00", LONDON, ["2026-12-31"], ["2027-01-01"]),
        # the night in which an hour is left out, and the first one after it
        ("2027-03-28T00:00:00", LONDON, ["2027-03-27"], ["2027-03-28"]),
        ("2027-03-28T01:00:00", LONDON, ["2027-03-28"], ["2027-03-28"]),
        ("2027-03-28T23:00:00", LONDON, ["2027-03-28"], ["2027-03-29"]),
        # the night in which an hour comes twice, and the next one
        ("2027-10-30T23:00:00", LONDON, ["2027-10-30"], ["2027-10-31"]),
        ("2027-10-31T00:59:59", LONDON, ["2027-10-31"], ["2027-10-31"]),
        ("2027-10-31T01:00:00", LONDON, ["2027-10-31"], ["2027-10-31"]),
        ("2027-11-01T00:00:00", LONDON, ["2027-10-31"], ["2027-11-01"]),
        # unsure: both in the hour of a summer's night that the two disagree about
        ("2026-06-30T23:00:00", UNSURE, ["2026-06-30"], ["2026-06-30", "2026-07-01"]),
        ("2026-07-01T00:00:00", UNSURE, ["2026-06-30", "2026-07-01"], ["2026-07-01"]),
        ("2027-01-01T00:00:00", UNSURE, ["2026-12-31"], ["2027-01-01"]),
        ("2027-03-28T23:00:00", UNSURE, ["2027-03-28"], ["2027-03-28", "2027-03-29"]),
        ("2027-03-29T00:00:00", UNSURE, ["2027-03-28", "2027-03-29"], ["2027-03-29"]),
        ("2027-10-30T23:00:00", UNSURE, ["2027-10-30"], ["2027-10-30", "2027-10-31"]),
        ("2027-10-31T00:00:00", UNSURE, ["2027-10-30", "2027-10-31"], ["2027-10-31"]),
        ("2027-11-01T00:00:00", UNSURE, ["2027-10-31"], ["2027-11-01"]),
    ],
)
def test_when_a_day_begins(edge: str, days: str, before: list[str], after: list[str]) -> None:
    assert days_at(at(edge) - SECOND, days=days) == tuple(map(day, before))
    assert days_at(at(edge), days=days) == tuple(map(day, after))
    assert days_at(at(edge) + SECOND, days=days) == tuple(map(day, after))


@pytest.mark.parametrize(
    ("edge", "days", "before", "after"),
    [
        # what is claimed looks as far as its margin
        ("2026-06-30T23:58:30", "UTC", ["2026-06-30"], ["2026-06-30", "2026-07-01"]),
        ("2026-07-01T00:01:30", "UTC", ["2026-06-30", "2026-07-01"], ["2026-07-01"]),
        ("2026-06-30T22:58:30", LONDON, ["2026-06-30"], ["2026-06-30", "2026-07-01"]),
        ("2026-06-30T23:01:30", LONDON, ["2026-06-30", "2026-07-01"], ["2026-07-01"]),
        ("2026-06-30T22:58:30", UNSURE, ["2026-06-30"], ["2026-06-30", "2026-07-01"]),
        ("2026-07-01T00:01:30", UNSURE, ["2026-06-30", "2026-07-01"], ["2026-07-01"]),
        ("2026-12-31T23:58:30", UNSURE, ["2026-12-31"], ["2026-12-31", "2027-01-01"]),
        ("2027-01-01T00:01:30", UNSURE, ["2026-12-31", "2027-01-01"], ["2027-01-01"]),
    ],
)
def test_what_is_claimed_near_midnight_counts_on_both_days(
    edge: str, days: str, before: list[str], after: list[str]
) -> None:
    assert days_at(at(edge) - SECOND, days=days, margin=MARGIN) == tuple(map(day, before))
    assert days_at(at(edge), days=days, margin=MARGIN) == tuple(map(day, after))
    assert days_at(at(edge) + SECOND, days=days, margin=MARGIN) == tuple(map(day, after))


@given(st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2037, 1, 1)), st.integers(-90, 90))  # noqa: DTZ001
def test_who_is_unsure_has_the_day_of_every_clock(naive: dt.datetime, off_s: int) -> None:
    now = naive.replace(tzinfo=dt.UTC)
    claimed = days_at(now, days=UNSURE, margin=MARGIN)
    assert len(claimed) <= 2
    for zone in ("UTC", LONDON):
        assert set(days_at(now + off_s * SECOND, days=zone)) <= set(claimed)


@pytest.mark.parametrize(
    ("moment", "margin", "why"),
    [
        ("2026-01-09T23:59:59", dt.timedelta(0), Why.NOT_YET),
        ("2026-01-10T00:00:00", dt.timedelta(0), None),
        ("2026-01-10T00:01:29", MARGIN, Why.NOT_YET),
        ("2026-01-10T00:01:30", MARGIN, None),
        ("2026-12-10T23:59:59", dt.timedelta(0), None),
        ("2026-12-11T00:00:00", dt.timedelta(0), Why.ENDED),
        ("2026-12-10T23:58:29", MARGIN, None),
        ("2026-12-10T23:58:30", MARGIN, Why.ENDED),
    ],
)
def test_the_first_and_the_last_second(moment: str, margin: dt.timedelta, why: Why | None) -> None:
    days = days_at(at(moment), days="UTC", margin=margin)
    found = first_breach(frame(), order(1), days=days, used={})
    assert (found.why if found else None) is why


@pytest.mark.parametrize(
    ("moment", "days", "left"),
    [
        # June's limit is used up: by UTC until midnight, in London until eleven; who is unsure waits for both
        ("2026-06-30T22:59:59", "UTC", 0),
        ("2026-06-30T23:59:59", "UTC", 0),
        ("2026-07-01T00:00:00", "UTC", None),
        ("2026-06-30T22:59:59", LONDON, 0),
        ("2026-06-30T23:00:00", LONDON, None),
        ("2026-06-30T22:59:59", UNSURE, 0),
        ("2026-06-30T23:00:00", UNSURE, "about now"),
        ("2026-06-30T23:59:59", UNSURE, "about now"),
        ("2026-07-01T00:00:00", UNSURE, None),
    ],
)
def test_the_second_in_which_a_limit_resets(moment: str, days: str, left: int | str | None) -> None:
    monthly = frame(limits=(limit("month"),))
    found = first_breach(monthly, order(1), days=days_at(at(moment), days=days), used={(0, day("2026-06-01")): 100_00})
    if left is None:
        assert found is None
    elif isinstance(left, str):
        assert found == rules.Reason(why=Why.RESETTING, period=Period.MONTH)
    else:
        resets = rules.Reason(
            why=Why.OVER_PERIOD,
            amount=Money(left, "GBP"),
            over=Money(1 - left, "GBP"),
            day=day("2026-07-01"),
            period=Period.MONTH,
        )
        assert found == resets


# ------------------------------------------------------------------------------------------------------- what breaks it


@pytest.mark.parametrize(
    ("changes", "wish", "used", "expected"),
    [
        ({}, order(50_00), {}, []),
        ({}, order(50_00, payee_iban="GB94BARC10201530093459"), {}, [(Why.PAYEE_DIFFERS, None, None, "Trams")]),
        ({}, order(50_00, payee_name="Trams Ltd"), {}, [(Why.PAYEE_NAME_DIFFERS, None, None, "Trams")]),
        ({}, order(1, amount=Money(9_999_99, "EUR")), {}, [(Why.CURRENCY, None, None, "GBP")]),
        ({}, order(62_40), {}, [(Why.OVER_EACH, 50_00, None, None), (Why.OVER_PERIOD_ALWAYS, 60_00, None, None)]),
        ({"begins_on": "2026-03-06"}, order(1), {}, [(Why.NOT_YET, None, "2026-03-06", None)]),
        ({"ends_on": "2026-03-04"}, order(1), {}, [(Why.ENDED, None, "2026-03-04", None)]),
        # the week of 2026-02-28 to 2026-03-06, the month of March
        ({}, order(20_00), {(1, "2026-02-28"): 40_00, (0, "2026-03-01"): 80_00}, []),
        ({}, order(20_01), {(1, "2026-02-28"): 40_00}, [(Why.OVER_PERIOD, 20_00, "2026-03-07", None)]),
        (
            {},
            order(20_01),
            {(1, "2026-02-28"): 40_00, (0, "2026-03-01"): 80_00},
            [(Why.OVER_PERIOD, 20_00, "2026-04-01", None), (Why.OVER_PERIOD, 20_00, "2026-03-07", None)],
        ),
        # another period's payments do not count
        ({}, order(50_00), {(1, "2026-02-21"): 60_00, (0, "2026-02-01"): 100_00}, []),
        # a payment that the bank made although it was over leaves nothing, not less than nothing
        ({}, order(1), {(1, "2026-02-28"): 61_00}, [(Why.OVER_PERIOD, 0, "2026-03-07", None)]),
        # the limit would reset the day after the last one, and on the last one
        (
            {"ends_on": "2026-03-06"},
            order(20_01),
            {(1, "2026-02-28"): 40_00},
            [(Why.OVER_LAST_PERIOD, 20_00, "2026-03-06", None)],
        ),
        (
            {"ends_on": "2026-03-07"},
            order(20_01),
            {(1, "2026-02-28"): 40_00},
            [(Why.OVER_PERIOD, 20_00, "2026-03-07", None)],
        ),
        # the first month's share alone is too little: 100.00 × 27/31
        (
            {"begins_on": "2026-03-05", "each_minor": 100_00, "limits": (limit("month"),)},
            order(87_10),
            {},
            [(Why.OVER_PERIOD, 87_09, "2026-04-01", None)],
        ),
    ],
)
def test_what_speaks_against_a_payment_of_5_march(
    changes: dict[str, Any],
    wish: Order,
    used: dict[tuple[int, str], int],
    expected: list[tuple[Why, int | None, str | None, str | None]],
) -> None:
    dates = {name: day(value) if name.endswith("_on") else value for name, value in changes.items()}
    spent = {(number, day(first)): minor for (number, first), minor in used.items()}
    found = rules.breaches(frame(**dates), wish, days=[day("2026-03-05")], used=spent)
    assert [
        (each.why, each.amount and each.amount.minor, each.day and each.day.isoformat(), each.name) for each in found
    ] == expected
    for each in found:
        assert each.over == (each.amount and Money(wish.amount.minor - each.amount.minor, "GBP"))
    first = first_breach(frame(**dates), wish, days=[day("2026-03-05")], used=spent)
    assert first == (found[0] if found else None)


def test_what_lasts_longest_is_told_first() -> None:
    wish = Order(payee_name="Other", payee_iban="GB94BARC10201530093459", amount=Money(70_00, "GBP"))
    found = rules.breaches(frame(), wish, days=[day("2026-01-09")], used={})
    assert [reason.why for reason in found] == [
        Why.PAYEE_DIFFERS,
        Why.OVER_EACH,
        Why.OVER_PERIOD_ALWAYS,
        Why.NOT_YET,
    ]


BREACH_OF = {
    "ValidFromDateTime": Why.NOT_YET,
    "ValidToDateTime": Why.ENDED,
    "MaximumIndividualAmount": Why.OVER_EACH,
}


@given(
    begins=DAYS,
    life=st.none() | st.integers(0, 400),
    which=st.lists(LIMITS, min_size=1, max_size=4),
    each_minor=AMOUNTS,
    wishes=st.lists(st.tuples(st.integers(-2, 40), AMOUNTS), max_size=30),
)
def test_the_sandbox_bank_allows_exactly_the_same(
    begins: dt.date, life: int | None, which: list[Limit], each_minor: int, wishes: list[tuple[int, int]]
) -> None:
    """Payments on days one after the other, by UTC, and what of them each of the two lets through."""
    agreed = frame(
        each_minor=each_minor,
        limits=tuple(which),
        begins_on=begins,
        ends_on=None if life is None else begins + life * DAY,
    )
    theirs = bank.ControlParameters(
        begins=agreed.begins_on,
        ends=agreed.ends_on,
        individual_minor=each_minor,
        periodic=[told(each) for each in which],
        vrp_types=[bank.vrp_types("4.0")[1]],
        authentication_methods=[bank.AUTHENTICATION_METHODS[1]],
        interaction_types=["InSession"],
    )
    used: dict[tuple[int, dt.date], int] = defaultdict(int)
    paid: list[tuple[dt.date, int]] = []
    today = begins - 3 * DAY
    for later, minor in wishes:
        today = max(today, today + later * DAY)
        asked = bank.Asked(
            amount_minor=minor,
            vrp_type=bank.vrp_types("4.0")[1],
            authentication_method=bank.AUTHENTICATION_METHODS[1],
            interaction_type="InSession",
        )
        said = bank.first_breach(theirs, asked, today=today, paid=paid)
        found = rules.breaches(agreed, order(minor), days=[today], used=used)
        reasons = {reason.why for reason in found}
        if said is None:
            assert not reasons
        elif said in BREACH_OF:
            assert BREACH_OF[said] in reasons
        else:  # one of the periods
            assert reasons & {Why.OVER_PERIOD, Why.OVER_PERIOD_ALWAYS, Why.OVER_LAST_PERIOD}
        if not found:
            paid.append((today, minor))
            for span in spans_at(agreed, [today]):
                used[span.key] += minor


# -------------------------------------------------------------------------------------------------------- setting it up


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"ends_on": None}, []),
        ({"ends_on": day("2026-01-10")}, []),
        ({"begins_on": day("2026-01-09")}, [(Fault.BACKDATED, None)]),
        ({"ends_on": day("2026-01-09")}, [(Fault.ENDS_BEFORE_IT_BEGINS, None)]),
        ({"currency": "EUR"}, [(Fault.CURRENCY_NOT_TAKEN, None)]),
        ({"each_minor": 0}, [(Fault.NO_AMOUNT, None)]),
        ({"limits": ()}, [(Fault.NO_LIMIT, None)]),
        ({"each_minor": -1, "limits": (limit("month", minor=0),)}, [(Fault.NO_AMOUNT, None), (Fault.NO_AMOUNT, 0)]),
        (
            {"limits": (limit("week"), limit("month"), limit("week", "consent"))},
            [(Fault.PERIOD_TWICE, 0), (Fault.PERIOD_TWICE, 2)],
        ),
        ({"limits": (limit("fortnight", "consent"),)}, []),
        ({"limits": (limit("fortnight"),)}, [(Fault.FORTNIGHT_BY_CALENDAR, 0)]),
        ({"limits": (limit("month"), limit("week", minor=49_99))}, [(Fault.LESS_THAN_EACH, 1)]),
        ({"limits": (limit("week", minor=50_00),)}, []),
        ({"begins_on": day("2026-01-28"), "limits": (limit("month", "consent"),)}, []),
        *(
            (
                {"begins_on": day(f"2026-01-{number}"), "limits": (limit("week", "consent"), limit(period, "consent"))},
                [(Fault.DAY_NOT_IN_EVERY_MONTH, 1)],
            )
            for number in (29, 31)
            for period in ("month", "half_year", "year")
        ),
        ({"begins_on": day("2026-01-31"), "limits": (limit("month"), limit("year"))}, []),
        ({"begins_on": day("2026-01-31"), "limits": (limit("day", "consent"), limit("fortnight", "consent"))}, []),
    ],
)
def test_what_must_be_mended_before_it_is_agreed_on(
    changes: dict[str, Any], expected: list[tuple[Fault, int | None]]
) -> None:
    assert list(rules.faults(frame(**changes), today=day("2026-01-10"), currencies=("GBP",))) == expected
