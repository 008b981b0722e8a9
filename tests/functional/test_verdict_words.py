"""Every verdict's sentence in both languages: with its figures, and with what the customer can do next."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from flask_babel import force_locale

from app.web.customers import verdicts
from connectors.capabilities import Period
from connectors.money import Money
from consent.rules import Reason, Why
from consent.states import STANDING_OVER, StandingState
from consent.verdicts import NEXT, Next

DAY, AMOUNT, OVER = dt.date(2026, 12, 1), Money(50_00, "GBP"), Money(12_40, "GBP")
#: what each sentence has to name; a reason that is not here names nothing
NAMES: dict[Why, tuple[str, ...]] = {
    Why.CURRENCY_NOT_TAKEN: ("currency",),
    Why.CURRENCY: ("currency",),
    Why.PAYEE_DIFFERS: ("payee",),
    Why.PAYEE_NAME_DIFFERS: ("payee",),
    Why.ENDED: ("day",),
    Why.OVER_EACH: ("over", "amount"),
    Why.OVER_PERIOD_ALWAYS: ("over", "amount", "limit"),
    Why.OVER_LAST_PERIOD: ("over", "amount", "limit", "day"),
    Why.BANK_COUNTS_OTHERWISE: ("limit", "day"),
    Why.NOT_YET: ("day",),
    Why.OVER_PERIOD: ("over", "amount", "limit", "day"),
    Why.RESETTING: ("limit",),
    Why.ENDS_BEFORE: ("day",),
}
FIGURES = {
    "en": {
        "amount": "£50.00",
        "over": "£12.40",
        "day": "1\u00a0December\u00a02026",
        "payee": "Trams",
        "currency": "Euro",
    },
    "fr": {
        "amount": "50,00\u00a0£GB",
        "over": "12,40\u00a0£GB",
        "day": "1er\u00a0décembre\u00a02026",
        "payee": "Trams",
        "currency": "euro",
    },
}


@contextmanager
def page_in(app: Flask, language: str) -> Iterator[None]:
    with app.test_request_context("/"), force_locale({"en": "en_GB", "fr": "fr_FR"}[language]):
        yield


def reason_of(why: Why, *, period: Period = Period.MONTH) -> Reason:
    named = NAMES.get(why, ())
    name = "EUR" if "currency" in named else "Trams" if "payee" in named else None
    return Reason(
        why=why,
        amount=AMOUNT if "amount" in named else None,
        over=OVER if "over" in named else None,
        day=DAY if "day" in named else None,
        name=name,
        period=period if "limit" in named else None,
    )


def said(app: Flask, why: Why, language: str, *, period: Period = Period.MONTH) -> str:
    with page_in(app, language):
        return verdicts.sentence(reason_of(why, period=period))


@pytest.mark.parametrize("why", list(Why))
def test_a_reason_is_a_sentence_with_its_figures_in_both_languages(app: Flask, why: Why) -> None:
    words = {language: said(app, why, language) for language in FIGURES}
    assert words["en"] != words["fr"]
    for language, sentence in words.items():
        with page_in(app, language):
            figures = {**FIGURES[language], "limit": str(verdicts.LIMITS[Period.MONTH])}
        for name in NAMES.get(why, ()):
            assert figures[name] in sentence, (language, sentence)
        assert "%(" not in sentence
        assert sentence.endswith(".")
        assert sentence[0].isupper() or sentence[0] in "£1"


@pytest.mark.parametrize("why", list(Why))
def test_a_reason_says_what_can_be_done_next_in_both_languages(app: Flask, why: Why) -> None:
    for step in NEXT[why]:
        words = set()
        for language in FIGURES:
            with page_in(app, language):
                words.add(str(verdicts.STEPS[step]))
        assert len(words) == 2


@pytest.mark.parametrize("period", list(Period))
def test_each_kind_of_limit_has_its_own_name(app: Flask, period: Period) -> None:
    for language in FIGURES:
        others = {said(app, Why.OVER_PERIOD, language, period=each) for each in Period if each is not period}
        assert said(app, Why.OVER_PERIOD, language, period=period) not in others


def test_no_member_is_without_words() -> None:
    assert verdicts.SENTENCES.keys() == set(Why)
    assert verdicts.STEPS.keys() == set(Next)
    assert verdicts.LIMITS.keys() == set(Period)
    assert verdicts._STATES.keys() | {StandingState.AUTHORISED} == set(StandingState) - STANDING_OVER


def test_the_words_of_the_journey_itself(app: Flask) -> None:
    """As they stand on the page."""
    assert said(app, Why.OVER_EACH, "en") == "£12.40 over the limit per payment, £50.00."
    over = said(app, Why.OVER_PERIOD, "en")
    assert over == (
        "£12.40 too much: £50.00 is left of the limit for a month, which resets on 1\u00a0December\u00a02026."
    )
