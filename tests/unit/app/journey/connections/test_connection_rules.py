"""Codes that survive a telephone, and what is no code."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Invalid
from app.journey.connections import rules

codes = st.builds(rules.new_code)
DAY = dt.date(2026, 11, 27)


@given(codes)
def test_a_code_is_known_again_however_it_is_written(code: str) -> None:
    for written in (code, rules.shown(code), code.lower(), f" {' '.join(code)} ", rules.shown(code).replace("-", "–")):
        assert rules.checked_code(written) == code


@given(codes, st.integers(0, rules.CODE_LETTERS), st.sampled_from(rules.ALPHABET))
def test_one_wrong_letter_is_always_found(code: str, place: int, letter: str) -> None:
    wrong = code[:place] + letter + code[place + 1 :]
    if wrong != code:
        with pytest.raises(Invalid):
            rules.checked_code(wrong)


def test_letters_that_are_mistaken_for_others_are_none() -> None:
    for alike in ("0O", "1IL", "5S", "2Z", "8B", "UV"):
        assert len(set(alike) & set(rules.ALPHABET)) <= 1
    assert not set("AEIOU") & set(rules.ALPHABET)  # so that no code is a word


@given(st.text(max_size=60))
def test_any_text_is_a_code_or_refused_by_name(written: str) -> None:
    try:
        code = rules.checked_code(written)
    except Invalid as refused:
        where = refused.errors[0].pointer
    else:
        where = "/code" if len(code) == rules.CODE_LETTERS + 1 else ""
    assert where == "/code"


@pytest.mark.parametrize("named", [DAY - dt.timedelta(days=1), DAY + dt.timedelta(days=61)])
def test_a_day_that_says_nothing_is_refused(named: dt.date) -> None:
    with pytest.raises(Invalid):
        rules.expected_on(DAY, named)


def test_a_day_is_named_or_is_in_three_days() -> None:
    assert rules.expected_on(DAY, None) == dt.date(2026, 11, 30)
    assert rules.expected_on(DAY, DAY) == DAY
