"""Discounts: computed only where nothing is left to guess."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

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
