"""Discounts: computed only where nothing is left to guess."""

from __future__ import annotations

import datetime as dt
import itertools
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.journey.intake.bill import BillRefused, EarlyPayment
from app.journey.intake.formats import early_payment
from app.journey.intake.formats.early_payment import Tier
from connectors.money import Money

ISSUED_ON = dt.date(2026, 11, 1)
TIER = Tier(until=dt.date(2026, 11, 15), percent=Decimal("2.25"))


def tiers(terms: str) -> tuple[Tier, ...] | None:
    return early_payment.skonto_tiers(terms, issued_on=ISSUED_ON)


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ("#SKONTO#TAGE=14#PROZENT=2.25#\n", (TIER,)),
        ("Danke\r\n#SKONTO#TAGE=14#PROZENT=2.25#\r\nBis bald", (TIER,)),
        ("#SKONTO#TAGE=14#PROZENT=2.25#\n#SKONTO#TAGE=30#PROZENT=0.00#\n", (TIER,)),
        (
            "#SKONTO#TAGE=14#PROZENT=2.25#BASISBETRAG=50.00#\n",
            (Tier(until=dt.date(2026, 11, 15), percent=Decimal("2.25"), base=Decimal("50.00")),),
        ),
        ("3% Skonto innerhalb 10 Tagen", ()),
        ("", ()),
    ],
)
def test_the_official_spelling_is_read(terms: str, expected: tuple[Tier, ...]) -> None:
    assert tiers(terms) == expected


@pytest.mark.parametrize(
    "terms",
    [
        "#SKONTO#TAGE=14#PROZENT=2.25#",
        "#SKONTO#TAGE=14#PROZENT=2,25#\n",
        "#skonto#TAGE=14#PROZENT=2.25#\n",
        "#SKONTO#TAGE=14#PROZENT=2.2#\n",
        "#SKONTO# TAGE=14#PROZENT=2.25#\n",
        " #SKONTO#TAGE=14#PROZENT=2.25#\n",
        "#SKONTO#TAGE=14#PROZENT=2.25#\n#VERZUG#TAGE=14#PROZENT=2.25#\n",
        "#SKONTO#TAGE=99999999999#PROZENT=2.00#\n",
        "#SKONTO#TAGE=367#PROZENT=2.00#\n",
        "#SKONTO#TAGE=١٤#PROZENT=2.25#\n",
        "#SKONTO#" + "TAGE=1" * 5000 + "\n",
    ],
)
def test_a_line_that_breaks_the_rule_spoils_the_text(terms: str) -> None:
    assert tiers(terms) is None


def test_one_tier_is_a_discount_on_the_amount_due() -> None:
    found = early_payment.offers([TIER, TIER], payable=Money(11900, "EUR"))
    assert found == (EarlyPayment(until=dt.date(2026, 11, 15), discount=Money(268, "EUR")),)  # 2.6775


@pytest.mark.parametrize(
    ("percent", "base", "payable", "minor"),
    [
        ("2.50", None, Money(1000, "EUR"), 25),
        ("2.00", None, Money(25, "EUR"), 1),  # 0.5 is rounded up
        ("1.00", "50.00", Money(11900, "EUR"), 50),
        ("2.00", None, Money(289490, "JPY"), 5790),  # 5789.8
    ],
)
def test_the_discount_is_rounded_half_up_to_the_minor_unit(
    percent: str, base: str | None, payable: Money, minor: int
) -> None:
    tier = Tier(until=TIER.until, percent=Decimal(percent), base=Decimal(base) if base else None)
    found = early_payment.offers([tier], payable=payable)
    assert found == (EarlyPayment(until=TIER.until, discount=Money(minor, payable.currency)),)


@pytest.mark.parametrize(
    ("percent", "base"),
    [
        ("250.00", None),
        ("100.00", None),
        ("2.00", "-5.00"),
        ("50.00", "99999.00"),
        ("0.01", None),
        ("0.00", None),
    ],
)
def test_a_discount_of_nothing_or_of_everything_is_none(percent: str, base: str | None) -> None:
    tier = Tier(until=TIER.until, percent=Decimal(percent), base=Decimal(base) if base else None)
    assert early_payment.offers([tier], payable=Money(1000, "EUR")) == ()


def test_several_tiers_are_several_discounts_the_earliest_first() -> None:
    later = Tier(until=dt.date(2026, 11, 29), percent=Decimal("1.00"))
    found = early_payment.offers([later, TIER], payable=Money(11900, "EUR"))
    assert found == (
        EarlyPayment(until=dt.date(2026, 11, 15), discount=Money(268, "EUR")),
        EarlyPayment(until=dt.date(2026, 11, 29), discount=Money(119, "EUR")),
    )


def test_a_later_discount_that_takes_off_no_less_leaves_all_to_the_reader() -> None:
    later = dt.date(2026, 11, 29)
    for percent in ("2.25", "2.26", "3.00"):
        other = Tier(until=later, percent=Decimal(percent))
        assert early_payment.offers([TIER, other], payable=Money(11900, "EUR")) == ()
    # by the percentages it would be less, and to the cent it is the same
    assert early_payment.offers([TIER, Tier(until=later, percent=Decimal("2.00"))], payable=Money(30, "EUR")) == ()


def test_there_are_ten_discounts_at_the_most() -> None:
    many = [Tier(until=TIER.until + dt.timedelta(days=days), amount=Money(100 - days, "EUR")) for days in range(11)]
    assert len(early_payment.offers(many[:10], payable=Money(11900, "EUR"))) == 10
    assert early_payment.offers(many, payable=Money(11900, "EUR")) == ()


DAYS = st.dates(dt.date(2026, 11, 1), dt.date(2027, 10, 31))
TIERS = st.lists(
    st.builds(
        Tier,
        until=DAYS,
        percent=st.decimals("0.01", "99.99", places=2),
        base=st.none() | st.decimals("0.01", "999.99", places=2),
    ),
    max_size=5,
)


@given(stated=TIERS, payable=st.integers(1, 10**6))
def test_what_is_offered_is_all_of_it_goes_down_and_is_the_same_in_any_order(stated: list[Tier], payable: int) -> None:
    found = early_payment.offers(stated, payable=Money(payable, "EUR"))
    assert found == early_payment.offers(stated[::-1], payable=Money(payable, "EUR"))
    assert {each.until for each in found} in ({each.until for each in stated}, set())
    assert all(0 < each.discount.minor < payable for each in found)
    for one, later in itertools.pairwise(found):
        assert one.until < later.until
        assert one.discount.minor > later.discount.minor


@given(days=st.dictionaries(st.integers(0, 366), st.decimals("0.00", "99.99", places=2), max_size=5))
def test_skonto_lines_say_their_days_and_percentages(days: dict[int, Decimal]) -> None:
    lines = "".join(f"#SKONTO#TAGE={day}#PROZENT={each}#\n" for day, each in days.items())
    expected = [
        Tier(until=ISSUED_ON + dt.timedelta(days=day), percent=each, base=None) for day, each in days.items() if each
    ]
    assert tiers(lines) == tuple(expected)


@pytest.mark.parametrize(
    "other",
    [
        Tier(until=TIER.until, percent=Decimal("1.00")),  # which of them holds on that day?
        Tier(until=dt.date(2026, 11, 29), percent=Decimal("1.00"), base=Decimal("-5.00")),
        Tier(until=dt.date(2026, 11, 29)),
    ],
)
def test_one_tier_that_leaves_something_to_guess_spoils_all(other: Tier) -> None:
    assert early_payment.offers([TIER, other], payable=Money(11900, "EUR")) == ()


@pytest.mark.parametrize(("amount", "discount"), [(Money(268, "EUR"), 268), (Money(267, "EUR"), 267)])
def test_an_amount_beside_the_percentage_is_taken_where_they_agree(amount: Money, discount: int) -> None:
    tier = Tier(until=TIER.until, percent=TIER.percent, amount=amount)
    (found,) = early_payment.offers([tier], payable=Money(11900, "EUR"))
    assert found.discount == Money(discount, "EUR")


def test_an_amount_that_differs_from_its_percentage_is_no_discount() -> None:
    tier = Tier(until=TIER.until, percent=TIER.percent, amount=Money(1000, "EUR"))
    assert early_payment.offers([tier], payable=Money(11900, "EUR")) == ()


def test_a_base_may_be_the_total_but_not_more() -> None:
    payable, total = Money(5000, "EUR"), Money(10000, "EUR")
    for base, expected in (("100.00", 200), ("100.01", None)):
        tier = Tier(until=TIER.until, percent=Decimal("2.00"), base=Decimal(base))
        found = early_payment.offers([tier], payable=payable, total=total)
        assert [each.discount.minor for each in found] == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("days", "day"), [("14", 15), ("14.00", 15), ("0", 1), ("367", None), ("14.5", None), ("-1", None), ("", None)]
)
def test_days_are_whole_and_few(days: str, day: int | None) -> None:
    found = early_payment.after(dt.date(2026, 11, 1), days)
    assert found == (dt.date(2026, 11, day) if day else None)


def test_nothing_due_has_no_discount() -> None:
    assert early_payment.offers([TIER], payable=Money(-11900, "EUR")) == ()


@pytest.mark.parametrize("written", ["2,5", "-1", "1e1", "NaN", "1000", ""])
def test_a_percentage_that_is_none_is_refused(written: str) -> None:
    with pytest.raises(BillRefused) as caught:
        early_payment.percent(written, element="/p")
    assert (caught.value.code, caught.value.element) == ("amount-refused", "/p")
