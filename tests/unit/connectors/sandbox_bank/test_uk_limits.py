"""The control parameters of a standing consent: the standard's own examples, and what holds for all of them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sandbox_bank.openbanking_uk import limits
from connectors.sandbox_bank.openbanking_uk.limits import Asked, ControlParameters, PeriodicLimit, period_of

DAYS = st.dates(min_value=dt.date(2020, 1, 1), max_value=dt.date(2040, 12, 31))
AMOUNTS = st.integers(min_value=1, max_value=10_000_000)
LIMITS = st.builds(
    PeriodicLimit,
    period_type=st.sampled_from(["Day", "Week", "Month", "Half-year", "Year"]),
    alignment=st.sampled_from(limits.ALIGNMENTS),
    amount_minor=AMOUNTS,
) | st.builds(PeriodicLimit, period_type=st.just("Fortnight"), alignment=st.just("Consent"), amount_minor=AMOUNTS)
ONE_DAY = dt.timedelta(days=1)


def day(text: str) -> dt.date:
    return dt.datetime.strptime(f"{text} +0000", "%d-%b-%Y %z").date()


def limit(period_type: str, alignment: str, amount_minor: int = 100_00) -> PeriodicLimit:
    return PeriodicLimit(period_type=period_type, alignment=alignment, amount_minor=amount_minor)


# "Examples of Periodic Limits": the second one's second period ends in the standard before it begins, which is a slip
@pytest.mark.parametrize(
    ("period_type", "alignment", "amount", "begins", "periods"),
    [
        (
            "Month",
            "Calendar",
            300_00,
            "06-Jun-2021",
            [
                ("06-Jun-2021", "30-Jun-2021", 250_00),
                ("01-Jul-2021", "31-Jul-2021", 300_00),
                ("01-Aug-2021", "31-Aug-2021", 300_00),
            ],
        ),
        (
            "Month",
            "Consent",
            500_00,
            "05-Jun-2021",
            [
                ("05-Jun-2021", "04-Jul-2021", 500_00),
                ("05-Jul-2021", "04-Aug-2021", 500_00),
                ("05-Aug-2021", "04-Sep-2021", 500_00),
            ],
        ),
        (
            "Year",
            "Calendar",
            500_00,
            "06-Jun-2021",
            [
                ("06-Jun-2021", "31-Dec-2021", 286_30),
                ("01-Jan-2022", "31-Dec-2022", 500_00),
                ("01-Jan-2023", "31-Dec-2023", 500_00),
            ],
        ),
        (
            "Year",
            "Consent",
            500_00,
            "05-Jun-2021",
            [
                ("05-Jun-2021", "04-Jun-2022", 500_00),
                ("05-Jun-2022", "04-Jun-2023", 500_00),
                ("05-Jun-2023", "04-Jun-2024", 500_00),
            ],
        ),
    ],
)
def test_the_examples_of_the_standard(
    period_type: str, alignment: str, amount: int, begins: str, periods: list[tuple[str, str, int]]
) -> None:
    for first, last, limit_minor in periods:
        for within in (day(first), day(last)):
            period = period_of(limit(period_type, alignment, amount), begins=day(begins), day=within)
            assert (period.first, period.last, period.limit_minor) == (day(first), day(last), limit_minor)


@pytest.mark.parametrize(
    ("period_type", "alignment", "begins", "within", "first", "last"),
    [
        ("Day", "Consent", "06-Jun-2021", "09-Jun-2021", "09-Jun-2021", "09-Jun-2021"),
        ("Day", "Calendar", "06-Jun-2021", "09-Jun-2021", "09-Jun-2021", "09-Jun-2021"),
        ("Week", "Consent", "09-Jun-2021", "17-Jun-2021", "16-Jun-2021", "22-Jun-2021"),
        ("Week", "Calendar", "01-Jun-2021", "17-Jun-2021", "14-Jun-2021", "20-Jun-2021"),
        ("Fortnight", "Consent", "09-Jun-2021", "23-Jun-2021", "23-Jun-2021", "06-Jul-2021"),
        ("Half-year", "Calendar", "01-Jan-2021", "30-Jun-2021", "01-Jan-2021", "30-Jun-2021"),
        ("Half-year", "Calendar", "01-Jan-2021", "01-Jul-2021", "01-Jul-2021", "31-Dec-2021"),
        ("Half-year", "Consent", "31-Aug-2021", "28-Feb-2022", "28-Feb-2022", "30-Aug-2022"),
        ("Month", "Consent", "31-Jan-2021", "28-Feb-2021", "28-Feb-2021", "30-Mar-2021"),
        ("Month", "Consent", "31-Jan-2021", "31-Mar-2021", "31-Mar-2021", "29-Apr-2021"),
        ("Year", "Consent", "29-Feb-2024", "28-Feb-2025", "28-Feb-2025", "27-Feb-2026"),
        ("Year", "Consent", "29-Feb-2024", "01-Mar-2028", "29-Feb-2028", "27-Feb-2029"),
    ],
)
def test_where_a_period_begins_and_ends(
    period_type: str, alignment: str, begins: str, within: str, first: str, last: str
) -> None:
    period = period_of(limit(period_type, alignment), begins=day(begins), day=day(within))
    assert (period.first, period.last) == (day(first), day(last))


@given(which=LIMITS, begins=DAYS, later=st.integers(min_value=0, max_value=3_000))
def test_periods_follow_each_other_without_a_gap(which: PeriodicLimit, begins: dt.date, later: int) -> None:
    now = begins + dt.timedelta(days=later)
    period = period_of(which, begins=begins, day=now)
    assert begins <= period.first <= now <= period.last
    assert period_of(which, begins=begins, day=period.first) == period
    assert period_of(which, begins=begins, day=period.last) == period
    assert period_of(which, begins=begins, day=period.last + ONE_DAY).first == period.last + ONE_DAY
    if period.first > begins:
        assert period_of(which, begins=begins, day=period.first - ONE_DAY).last == period.first - ONE_DAY
        assert period.limit_minor == which.amount_minor
    assert 0 <= period.limit_minor <= which.amount_minor


def parameters(**changes: Any) -> ControlParameters:
    usual: dict[str, Any] = {
        "begins": dt.date(2026, 1, 10),
        "ends": dt.date(2026, 12, 10),
        "individual_minor": 50_00,
        "periodic": [limit("Month", "Calendar"), limit("Week", "Consent", 60_00)],
        "vrp_types": ["UK.OBIE.VRPType.Other"],
        "authentication_methods": ["UK.OBIE.SCANotRequired"],
        "interaction_types": ["OffSession"],
    }
    return ControlParameters(**{**usual, **changes})


def asked(amount_minor: int = 20_00, **changes: str) -> Asked:
    usual = {
        "vrp_type": "UK.OBIE.VRPType.Other",
        "authentication_method": "UK.OBIE.SCANotRequired",
        "interaction_type": "OffSession",
    }
    return Asked(amount_minor=amount_minor, **{**usual, **changes})


@pytest.mark.parametrize(
    ("payment", "today", "paid", "breach"),
    [
        (asked(), "2026-06-15", [], None),
        (asked(), "2026-01-10", [], None),
        (asked(), "2026-12-10", [], None),
        (asked(), "2026-01-09", [], "ValidFromDateTime"),
        (asked(), "2026-12-11", [], "ValidToDateTime"),
        (asked(50_00), "2026-06-15", [], None),
        (asked(50_01), "2026-06-15", [], "MaximumIndividualAmount"),
        (asked(vrp_type="UK.OBIE.VRPType.Sweeping"), "2026-06-15", [], "VRPType"),
        (asked(authentication_method="UK.OBIE.SCA"), "2026-06-15", [], "PSUAuthenticationMethods"),
        (asked(interaction_type="InSession"), "2026-06-15", [], "PSUInteractionTypes"),
        (asked(20_00), "2026-06-30", [("2026-06-01", 50_00), ("2026-06-10", 30_00)], None),
        (asked(20_01), "2026-06-30", [("2026-06-01", 50_00), ("2026-06-10", 30_00)], "PeriodicLimits[0]"),
        (asked(50_00), "2026-06-30", [("2026-05-31", 50_00)], None),
        (asked(30_00), "2026-06-13", [("2026-06-12", 50_00)], None),  # of the week before
        (asked(30_00), "2026-01-16", [("2026-01-10", 50_00)], "PeriodicLimits[0]"),  # £100 x 22/31
        (asked(20_00), "2026-06-16", [("2026-06-14", 50_00)], "PeriodicLimits[1]"),
    ],
)
def test_what_a_payment_may_be(payment: Asked, today: str, paid: list[tuple[str, int]], breach: str | None) -> None:
    before = [(dt.date.fromisoformat(when), minor) for when, minor in paid]
    assert limits.first_breach(parameters(), payment, today=dt.date.fromisoformat(today), paid=before) == breach


@given(
    which=st.lists(LIMITS, min_size=1, max_size=3),
    wishes=st.lists(st.tuples(st.integers(min_value=0, max_value=60), AMOUNTS), max_size=25),
)
def test_what_was_let_through_never_exceeds_a_limit(which: list[PeriodicLimit], wishes: list[tuple[int, int]]) -> None:
    given_parameters = parameters(periodic=which, ends=None, individual_minor=10_000_000)
    paid: list[tuple[dt.date, int]] = []
    for later, minor in sorted(wishes):
        today = given_parameters.begins + dt.timedelta(days=later)
        if limits.first_breach(given_parameters, asked(minor), today=today, paid=paid) is None:
            paid.append((today, minor))
    for each in which:
        for today, _ in paid:
            period = period_of(each, begins=given_parameters.begins, day=today)
            assert sum(minor for when, minor in paid if when in period) <= period.limit_minor


def test_a_consent_without_dates_begins_when_it_is_made_and_has_no_end() -> None:
    given_parameters = {
        "MaximumIndividualAmount": {"Amount": "50", "Currency": "GBP"},
        "PeriodicLimits": [{"PeriodType": "Week", "PeriodAlignment": "Consent", "Amount": "70.5", "Currency": "GBP"}],
        "VRPType": ["UK.OBIE.VRPType.Sweeping"],
        "PSUAuthenticationMethods": ["UK.OBIE.SCA"],
    }
    read = limits.control_parameters(given_parameters, created=dt.date(2026, 11, 22))
    assert (read.begins, read.ends, read.individual_minor) == (dt.date(2026, 11, 22), None, 50_00)
    assert read.periodic == [limit("Week", "Consent", 70_50)]
    assert read.interaction_types == ["OffSession"]


def test_the_time_of_its_dates_is_disregarded() -> None:
    dates = {"ValidFromDateTime": "2026-12-01T23:59:59+00:00", "ValidToDateTime": "2027-01-31T00:00:00Z"}
    given_parameters = {
        **dates,
        "MaximumIndividualAmount": {"Amount": "50.00", "Currency": "GBP"},
        "PeriodicLimits": [],
        "VRPType": [],
        "PSUAuthenticationMethods": [],
    }
    read = limits.control_parameters(given_parameters, created=dt.date(2026, 11, 22))
    assert (read.begins, read.ends) == (dt.date(2026, 12, 1), dt.date(2027, 1, 31))
    earlier = limits.control_parameters(given_parameters, created=dt.date(2026, 12, 24))
    assert earlier.begins == dt.date(2026, 12, 24)


def test_a_customer_reads_the_limits_in_words() -> None:
    assert limits.in_words(parameters(individual_minor=1_234_50)) == [
        "£1,234.50 at most with each payment",
        "£100.00 at most in a month, by the calendar",
        "£60.00 at most in a week, counted from 10 January 2026",
        "from 10 January 2026",
        "until 10 December 2026",
    ]
