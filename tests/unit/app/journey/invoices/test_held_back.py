"""What lines of a bill come to with their tax, and what of a bill is held back while they are disputed."""

from __future__ import annotations

import random
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.journey.intake.formats.codes import vat_rate
from app.journey.invoices.rules import held_back, worth_of, worth_of_lines
from tests.support.thorough import thorough

pytestmark = pytest.mark.timeout(1800)  # a hundred thousand times each in `make test-long`

RATES = ("0", "2.1", "5.5", "10", "19", "20", "25", "8.1", "100")


def line(minor: int | None, rate: str | None = None) -> dict[str, Any]:
    return {"description": "x", "quantity": None, "amount_minor": minor, "vat_rate": rate}


def total(lines: list[dict[str, Any]]) -> int:
    """As EN 16931 has it: of each rate the tax on the sum of its lines, rounded once."""
    nets: dict[str, int] = defaultdict(int)
    for each in lines:
        nets[each["vat_rate"]] += each["amount_minor"]
    taxes = ((net * Decimal(rate) / 100).quantize(Decimal(1), ROUND_HALF_UP) for rate, net in nets.items())
    return sum(nets.values()) + int(sum(taxes))


LINES = st.lists(st.builds(line, st.integers(1, 10**7), st.sampled_from(RATES)), min_size=1, max_size=12)


@st.composite
def disputed(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[int], float]:
    """Lines, those of them that are disputed, and how much of the bill is left."""
    lines = draw(LINES)
    chosen = draw(st.lists(st.integers(1, len(lines)), unique=True, min_size=1))
    return lines, chosen, draw(st.floats(0, 1))


def drawn(seed: int) -> tuple[list[dict[str, Any]], list[int], float]:
    """The same by a seed: a hundred thousand of them take a minute and not an hour."""
    dice = random.Random(seed)  # noqa: S311  # no secret
    count = dice.randint(1, 12)
    lines = [
        line(dice.choice((1, dice.randint(1, 999), dice.randint(1, 10**7))), dice.choice(RATES)) for _ in range(count)
    ]
    return lines, dice.sample(range(1, count + 1), dice.randint(1, count)), dice.choice((0.0, 1.0, dice.random()))


@given(disputed() | st.integers(0, 2**63).map(drawn))
def test_what_is_held_back_is_no_less_than_the_disputed_lines_and_no_more_than_a_cent_beside_each(
    case: tuple[list[dict[str, Any]], list[int], float],
) -> None:
    is_held_back_rightly(*case)


@given(seed=st.integers(0, 2**63))
@settings(max_examples=thorough(100, 100_000), deadline=None)
def test_the_same_of_a_hundred_thousand(seed: int) -> None:
    is_held_back_rightly(*drawn(seed))


def is_held_back_rightly(lines: list[dict[str, Any]], chosen: list[int], share_left: float) -> None:
    of_bill = total(lines)
    worth = worth_of(lines, chosen, amount_minor=of_bill)
    gross = sum(
        lines[n - 1]["amount_minor"] * (1 + Decimal(lines[n - 1]["vat_rate"]) / 100) for n in chosen
    )  # to the last digit
    assert worth is not None
    assert worth >= min(gross, Decimal(of_bill))
    assert worth < gross + len(chosen)
    # what remains to be paid is no more than the other lines: of the disputed ones not a cent is paid
    others = total([each for n, each in enumerate(lines, 1) if n not in chosen])
    assert of_bill - worth <= others + len(RATES)
    left = int(of_bill * share_left)
    held = held_back(disputed_minor=worth, left_minor=left, is_apart=True)
    assert held in (0, worth)
    assert (held == 0) == (worth >= left)
    assert not held or (left - held) + worth == left
    assert held_back(disputed_minor=worth, left_minor=left, is_apart=False) == 0


def test_the_tax_is_rounded_up_line_by_line() -> None:
    lines = [line(333, "20"), line(1, "5.5"), line(1000, "0")]
    assert worth_of_lines(lines) == (400, 2, 1000)
    assert worth_of(lines, (1, 2), amount_minor=1402) == 402


@pytest.mark.parametrize(
    ("lines", "chosen", "worth"),
    [
        ([line(8000), line(2000)], (1,), None),  # the second one may be the tax on the first
        ([line(5000, "20"), line(4000)], (2,), None),
        ([line(5000, "20"), line(4000)], (1,), 6000),
        ([line(None), line(10_000)], (1,), None),
        ([line(None, "20"), line(10_000, "0")], (1, 2), None),
        ([line(12_000, "0"), line(-2000, "0")], (2,), None),  # it takes something off: held back is nothing by it
        ([line(9000, "20"), line(-2000, "20")], (1, 2), 10_000),  # no more than the bill
        ([line(5000), line(5000)], (), None),
    ],
)
def test_where_the_bill_does_not_tell_nothing_is_guessed(
    lines: list[dict[str, Any]], chosen: tuple[int, ...], worth: int | None
) -> None:
    assert worth_of(lines, chosen, amount_minor=10_000) == worth


def test_lines_of_before_have_no_rate() -> None:
    assert worth_of_lines([{"description": "x", "quantity": None, "amount_minor": 5}]) == (None,)


@pytest.mark.parametrize(
    ("taxes", "rate"),
    [
        ([("S", "20")], "20"),
        ([("S", "020.00")], "20.00"),
        ([("AA", "5.5")], "5.5"),
        ([("O", "")], "0"),
        ([("AE", "")], "0"),
        ([("E", "0")], "0"),
        ([("S", "100")], "100"),
        ([("S", "")], None),
        ([("S", "101")], None),
        ([("S", "-20")], None),
        ([("S", "2e1")], None),
        ([("S", "٢٠")], None),
        ([("S", "20"), ("S", "5.5")], None),
        ([], None),
    ],
)
def test_a_rate_is_read_where_there_is_one(taxes: list[tuple[str, str]], rate: str | None) -> None:
    assert vat_rate(taxes) == rate
