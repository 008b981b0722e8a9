"""Safe words: two of many, sealed, changed only by their customer."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata

import pytest
from sqlalchemy import select

from app.db.events import EventRow
from app.people import safe_words
from app.people.safe_words import SafeWords
from app.people.word_lists import WORDS
from app.services import Services
from consent import vault as vaults
from consent.models import Sealed
from tests.conftest import Clock
from tests.support import factories


def bare(word: str) -> str:
    return "".join(each for each in unicodedata.normalize("NFD", word) if not unicodedata.combining(each))


def test_there_are_enough_words_and_nobody_confuses_two() -> None:
    assert all(len(words) >= 512 for words in WORDS.values())
    every = [bare(word) for words in WORDS.values() for word in words]
    assert len(every) == len(set(every)), "two of them are the same but for an accent or the language"
    assert not {f"{word}s" for word in every} & set(every), "two of them differ by an s at the end"
    assert [word for word in every if not re.fullmatch(r"[a-z]{3,13}", word)] == []


@pytest.mark.parametrize("locale", ["en", "fr"])
def test_they_are_drawn_once_in_the_customers_language_and_sealed(services: Services, locale: str) -> None:
    customer = factories.make_customer(services, locale=locale)
    with services.unit_of_work() as uow:
        assert safe_words.find(services.vault, uow.session, safe_words.row_of(customer.id)) is None
        drawn = safe_words.words_of(services.vault, uow, customer)
        uow.commit()
    assert drawn.first != drawn.second
    assert {drawn.first, drawn.second} <= set(WORDS[locale])
    with services.unit_of_work() as uow:
        assert safe_words.words_of(services.vault, uow, customer) == drawn
        box = uow.session.scalars(select(Sealed.box).where(Sealed.id == safe_words.row_of(customer.id))).one()
    assert drawn.first.encode() not in box


def test_those_of_before_are_kept_for_the_message_that_says_so_and_then_gone(services: Services, clock: Clock) -> None:
    customer = factories.make_customer(services)
    pairs: list[SafeWords] = []
    for _ in range(3):
        with services.unit_of_work() as uow:
            pairs.append(safe_words.words_of(services.vault, uow, customer))
            safe_words.change(services.vault, uow, customer, language="fr")
            uow.commit()
    with services.reading() as uow:
        changed = select(EventRow.payload).where(EventRow.kind == "SafeWordsChanged").order_by(EventRow.id)
        rows = [payload["before"] for payload in uow.session.scalars(changed)]
        assert [safe_words.find(services.vault, uow.session, row) for row in rows] == pairs
    clock.tick(days=2, seconds=1)
    with services.unit_of_work() as uow:
        vaults.drop_expired(uow.session, now=uow.now)
        uow.commit()
    with services.reading() as uow:
        assert [safe_words.find(services.vault, uow.session, row) for row in rows] == [None] * 3
        now = safe_words.find(services.vault, uow.session, safe_words.row_of(customer.id))
    assert now is not None
    assert now.first in WORDS["fr"]


def test_a_fact_says_nothing_of_the_words(services: Services) -> None:
    customer = factories.make_customer(services)
    with services.unit_of_work() as uow:
        words = safe_words.words_of(services.vault, uow, customer)
        safe_words.change(services.vault, uow, customer, language="en")
        uow.commit()
    with services.reading() as uow:
        said = " ".join(str(row.payload) for row in uow.session.scalars(select(EventRow)))
    assert words.first not in said
    assert dt.timedelta(days=1) < safe_words.BEFORE_KEPT
