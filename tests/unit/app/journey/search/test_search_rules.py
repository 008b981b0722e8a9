"""What is typed finds what is meant: words however they are written, numbers, amounts and days as the product itself
writes them in both languages."""

from __future__ import annotations

import datetime as dt
import unicodedata

import pytest
from babel.dates import format_date, format_skeleton
from babel.numbers import format_currency, get_currency_precision
from hypothesis import example, given
from hypothesis import strategies as st

from app.journey.search import rules
from app.journey.search.rules import Field, Findable
from connectors.money import EXPONENTS, Money

LOCALES = ("en_GB", "fr_FR")
DAYS = st.dates(dt.date(2016, 1, 1), dt.date(2035, 12, 31))
#: a few of which the two lists of currencies tell other decimals are left out
CURRENCIES = [each for each in sorted(EXPONENTS) if get_currency_precision(each) == EXPONENTS[each]]
MONEY = st.builds(Money, st.integers(1, 10**11), st.sampled_from(CURRENCIES))


def bill(
    *texts: tuple[Field, str],
    numbers: tuple[tuple[Field, str], ...] = (),
    amounts: tuple[tuple[Field, int], ...] = (),
    days: tuple[tuple[Field, dt.date], ...] = (),
    currency: str = "EUR",
    invoice_id: str = "inv_1",
) -> Findable:
    return Findable(
        invoice_id,
        currency,
        [(field, words, None) for field, words in texts],
        [(field, words, None) for field, words in numbers],
        [(field, minor, None) for field, minor in amounts],
        [(field, day, None) for field, day in days],
    )


LUMEN = bill(
    (Field.COMPANY, "Lumen Énergie du Cœur"),
    (Field.LINE, "Consommation d’eau, 21 m³"),
    (Field.NOTE, "Merci"),
    numbers=(
        (Field.NUMBER, "LU-2026-118204"),
        (Field.REFERENCE, "RF18 5390 0754 7034"),
        (Field.RECEIPT, "Q-2026-000123"),
        (Field.ORDER, "PO 77/4"),
    ),
    amounts=((Field.FIGURE, 8420), (Field.BILLED, 123450), (Field.PAID, 115030)),
    days=(
        (Field.ISSUED, dt.date(2026, 3, 12)),
        (Field.DUE, dt.date(2026, 4, 1)),
        (Field.PAID_ON, dt.date(2026, 3, 30)),
    ),
)


def finds(query: str, of: Findable = LUMEN) -> bool:
    return bool(rules.search(rules.read(query), [of]))


def why(query: str, of: Findable = LUMEN) -> list[Field]:
    return [each.field for each in rules.why(rules.read(query), of)]


@pytest.mark.parametrize(
    "query",
    [
        *(
            "lumen",
            "LUM",
            "énergie",
            "energie",
            "ÉNERGIE",
            "cœur",
            "coeur",
            "ener lum",
            "eau",
            "d'eau",
            "d’eau",
            "m3",
            "m³",
        ),
        *("118204", "LU-2026", "lu2026118204", "LU 2026 118204", "RF18 5390", "rf185390", "RF18-5390", "5390 0754"),
        *("q-2026-000123", "Q2026000123", "po 77/4", "PO77/4", "77"),
        *(
            "84",
            "84.20",
            "84,20",
            "84,2",
            "€84.20",
            "84,20 €",
            "EUR 84.20",
            "84.20 eur",
            "1 234,50",
            "1,234.50",
            "1.234,50",
        ),
        *("1 234,50 €", "1234.5", "1234", "1'234.50", "1\u202f234,50\u00a0€", "1150,30"),
        *(
            "2026",
            "mars",
            "mars 2026",
            "March 2026",
            "2026-03",
            "03/2026",
            "12 March 2026",
            "12 mars",
            "March 12, 2026",
        ),
        *("12/03/2026", "12.03.2026", "12/03/26", "2026-03-12", "jeudi 12 mars 2026", "le 12 mars 2026"),
        *("1er avril 2026", "1 avr. 2026", "1st April 2026", "30/03/2026"),
        *("lumen mars 84", "84 mars lumen", "lumen 12 mars 2026 84,20 € eau", "lumen - 84"),
    ],
)
def test_found(query: str) -> None:
    assert finds(query)


@pytest.mark.parametrize(
    "query",
    [
        *("", " ", "-", ".", "“”"),
        *("umen", "nergie", "18204", "xyz", "lumen xyz", "F185390"),
        *("84.21", "£84.20", "8420 €", "0,84", "123"),
        *("mai 2026", "13 mars 2026", "2025", "12/04/2026", "2026-13", "31/02/2026"),
        *("lumen mai 84", "lumen mars 85"),
    ],
)
def test_not_found(query: str) -> None:
    assert not finds(query)


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("lumen", []),
        ("LU-2026-118204", []),
        ("84,20 €", []),
        ("12 March 2026", []),
        ("1 234,50", [Field.BILLED]),
        ("1150.30", [Field.PAID]),
        ("1er avril 2026", [Field.DUE]),
        ("30 March 2026", [Field.PAID_ON]),
        ("RF18 5390", [Field.REFERENCE]),
        ("Q-2026-000123", [Field.RECEIPT]),
        ("PO 77/4", [Field.ORDER]),
        ("lumen eau", [Field.LINE]),
        ("merci eau", [Field.NOTE, Field.LINE]),
        ("eau eau", [Field.LINE]),
    ],
)
def test_it_says_what_cannot_be_seen(query: str, fields: list[Field]) -> None:
    assert why(query) == fields


def test_the_order_stays_and_only_what_has_all_words_is_found() -> None:
    bills = [
        bill((Field.COMPANY, f"Water {n}"), numbers=((Field.NUMBER, f"w{n % 2}"),), invoice_id=f"inv_{n}")
        for n in range(6)
    ]
    assert [each.id for each in rules.search(rules.read("water w1"), bills)] == ["inv_1", "inv_3", "inv_5"]
    assert rules.search(rules.read("water"), []) == []


def test_words_of_two_bills_find_neither() -> None:
    bills = [bill((Field.COMPANY, "Water")), bill((Field.COMPANY, "Trams"))]
    assert rules.search(rules.read("water trams"), bills) == []
    assert rules.search(rules.read("watertrams"), bills) == []


def test_a_long_text_is_shown_where_the_word_is() -> None:
    text = " ".join(f"w{n}" for n in range(40))
    shown = rules.excerpt(rules.read("w20"), text)
    assert (shown[:5], shown[-2:]) == ("… w17", " …")
    assert "w20" in shown.split()
    assert rules.excerpt(rules.read("w1"), "one w1 two") == "one w1 two"


def test_too_many_words_are_seen() -> None:
    assert rules.read("1 " * (rules.WORDS_MOST + 1)).has_too_many
    assert not rules.read("1 " * rules.WORDS_MOST).has_too_many


@given(st.text(max_size=200))
def test_folding_twice_changes_nothing_and_leaves_no_mark(text: str) -> None:
    folded = rules.fold(text)
    assert rules.fold(folded) == folded or not text.isprintable()
    assert rules.fold(text.upper().lower()) is not None
    assert not any("\u0300" <= each <= "\u036f" for each in folded)


@given(st.lists(st.text(max_size=20), max_size=5))
def test_folding_many_is_folding_each(texts: list[str]) -> None:
    assert rules._fold_all(texts) == {text: rules.fold(text) for text in texts}


@given(st.text("aàâäeéèêëiîïoôöuùûüçñœæ", min_size=1, max_size=8), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_a_word_is_found_with_and_without_its_accents(word: str, form: str) -> None:
    of = bill((Field.COMPANY, f"La {word} SA"))
    plain = "".join(each for each in unicodedata.normalize("NFD", word) if not unicodedata.combining(each))
    for query in (word, word.upper(), plain, unicodedata.normalize(form, word)):  # type: ignore[arg-type]
        assert finds(query, of)


@given(st.text(min_size=1, max_size=60), st.text(max_size=rules.QUERY_MOST))
def test_whatever_is_typed_has_an_answer(name: str, typed: str) -> None:
    of = bill((Field.COMPANY, name), numbers=((Field.NUMBER, name),), amounts=((Field.FIGURE, 8420),))
    query = rules.read(typed)
    if rules.search(query, [of]):
        rules.why(query, of)
        rules.excerpt(query, name)


@given(MONEY, st.sampled_from(LOCALES))
@example(Money(123456789, "EUR"), "fr_FR")
@example(Money(8420, "GBP"), "fr_FR")
@example(Money(84200, "TND"), "en_GB")
@example(Money(8420, "JPY"), "en_GB")
def test_an_amount_as_it_is_shown_is_found_again(money: Money, locale: str) -> None:
    shown = format_currency(money.decimal(), money.currency, locale=locale)
    of = bill(amounts=((Field.BILLED, money.minor),), currency=money.currency)
    assert finds(shown, of)
    assert finds(str(money), of)
    assert finds(f"{money} {money.currency}", of)
    other = bill(amounts=((Field.BILLED, money.minor + 1),), currency=money.currency)
    assert not finds(shown, other)


@given(MONEY, MONEY)
def test_an_amount_with_its_sign_finds_no_other_currency(one: Money, other: Money) -> None:
    shown = format_currency(one.decimal(), one.currency, locale="en_GB")
    assert finds(shown, bill(amounts=((Field.BILLED, one.minor),), currency=one.currency))
    if "CFA" not in shown and one.currency != other.currency:  # that is two
        assert not finds(shown, bill(amounts=((Field.BILLED, one.minor),), currency=other.currency))


@given(DAYS, st.sampled_from(LOCALES), st.sampled_from(["full", "long", "medium"]))
@example(dt.date(2026, 11, 1), "fr_FR", "long")
@example(dt.date(2026, 7, 14), "fr_FR", "medium")
def test_a_day_as_it_is_shown_is_found_again(day: dt.date, locale: str, style: str) -> None:
    shown = format_date(day, style, locale=locale)
    of = bill(days=((Field.DUE, day),))
    if locale == "fr_FR" and day.day == 1:
        shown = shown.replace("1 ", "1er ", 1)
    for written in (
        shown,
        shown.replace(" ", "\u00a0"),
        f"{day:%d/%m/%Y}",
        day.isoformat(),
        f"{day:%Y-%m}",
        f"{day:%Y}",
    ):
        assert finds(written, of), written
        assert not finds(written, bill(days=((Field.DUE, day.replace(year=day.year + 1)),)))
    brief = format_skeleton("MMMMd", day, locale=locale)
    assert finds(brief, of)
    assert not finds(shown, bill(days=((Field.DUE, day + dt.timedelta(days=1)),)))


@given(st.text("ABCDEFQR0123456789", min_size=4, max_size=20), st.integers(2, 5), st.sampled_from([" ", "-", "/", "."]))
def test_a_number_is_found_however_it_is_grouped(number: str, group: int, between: str) -> None:
    written = between.join(number[at : at + group] for at in range(0, len(number), group))
    of = bill(numbers=((Field.REFERENCE, written),))
    for query in (written, written.lower(), *([number] if any(map(str.isdigit, number)) else [])):
        assert finds(query, of), query
