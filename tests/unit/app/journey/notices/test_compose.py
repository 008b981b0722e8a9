"""No message has anything in it that leads somewhere: by the texts that there are, and by any that somebody may try."""

from __future__ import annotations

import contextlib
import itertools
import re
import string
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.journey.notices.compose import Letter, NotPlain, Shown, compose, compose_for_device, must_be_plain, text_of
from app.journey.notices.kinds import NoticeKind
from app.journey.notices.texts import (
    CLOSING,
    IN_SPACE,
    ON_DEVICE,
    OPENING,
    OPENING_OF_QUESTION,
    TEXTS,
    TO_TYPE,
    Text,
)
from app.people.customers import LOCALES
from app.people.safe_words import SafeWords
from app.people.word_lists import WORDS

WORDS_OF_SOMEBODY = SafeWords("lantern", "meadow")
EVERY = list(itertools.product(NoticeKind, LOCALES))

#: what a reader's program may make a link of, or a reader take for an account, a number or an amount: said in another
#: way than the composer says it
LEADS = re.compile(
    r"://|www|@|(?:mailto|tel):\S|[\w-]\.[^\W\d_]|\d|[/\\_#%&=+<>\[\]{}|~^$€£¥]|[^\x00-\x7f\xa0À-ÿŒœ’–]",
    re.IGNORECASE | re.UNICODE,
)


@pytest.mark.parametrize(("kind", "locale"), EVERY)
def test_every_message_in_every_language_is_plain(kind: NoticeKind, locale: str) -> None:
    letter = compose(text_of(kind, locale), WORDS_OF_SOMEBODY, locale=locale)
    assert not LEADS.search(letter.subject), letter.subject
    assert not LEADS.search(letter.text), LEADS.search(letter.text)
    first, _, rest = letter.text.partition("\n")
    opening = OPENING_OF_QUESTION if kind is NoticeKind.ADDRESS_ASKED else OPENING
    assert first == f"{opening[locale]} lantern, meadow"
    assert "lantern" not in letter.subject
    assert "lantern" not in rest
    assert all(len(line) <= 72 for line in letter.text.splitlines())
    text = text_of(kind, locale)
    for paragraph in (*text.paragraphs, *CLOSING[locale][: 1 if text.asks else 2]):
        assert " ".join(paragraph.split(" ")) in letter.text.replace("\n", " ")


@pytest.mark.parametrize(("kind", "locale"), EVERY)
def test_what_a_device_shows_is_as_plain_in_every_language(kind: NoticeKind, locale: str) -> None:
    shown = compose_for_device(text_of(kind, locale), locale=locale)
    for line in (shown.title, shown.body):
        assert not LEADS.search(line), line
        must_be_plain(line)
        assert "\n" not in line
    assert (shown.title, shown.body) == (text_of(kind, locale).subject, ON_DEVICE[locale])
    assert len(shown.title) <= 70
    assert not any(word in shown.body for word in WORDS_OF_SOMEBODY.first.split())
    assert shown.title not in repr(shown)


@pytest.mark.parametrize("kind", list(NoticeKind))
def test_no_french_mark_begins_a_line(kind: NoticeKind) -> None:
    letter = compose(text_of(kind, "fr"), WORDS_OF_SOMEBODY, locale="fr")
    assert not re.search(r"[ \n][;:?!]", f"{letter.subject}\n{letter.text}")


def test_every_kind_is_said_in_every_language() -> None:
    assert TEXTS.keys() == set(NoticeKind)
    spoken = [set(texts) for texts in TEXTS.values()]
    parts: list[dict[str, Any]] = [OPENING, OPENING_OF_QUESTION, TO_TYPE, ON_DEVICE, CLOSING, *IN_SPACE.values()]
    others = [set(each) for each in parts]
    assert [*spoken, *others] == [set(LOCALES)] * (len(TEXTS) + len(others))


@pytest.mark.parametrize("locale", LOCALES)
def test_words_that_are_to_be_typed_stand_behind_the_safe_words(locale: str) -> None:
    """And are as plain as they are."""
    three = ("anchor", "barley", "candle")
    letter = compose(text_of(NoticeKind.RECOVERY_ASKED, locale), WORDS_OF_SOMEBODY, locale=locale, to_type=three)
    assert letter.text.split("\n\n")[:2] == [
        f"{OPENING[locale]} lantern, meadow",
        f"{TO_TYPE[locale]} anchor, barley, candle",
    ]
    with pytest.raises(NotPlain):
        compose(text_of(NoticeKind.RECOVERY_ASKED, locale), WORDS_OF_SOMEBODY, locale=locale, to_type=("1", "b", "c"))


@pytest.mark.parametrize("locale", LOCALES)
def test_any_two_words_may_stand_in_a_message(locale: str) -> None:
    must_be_plain(", ".join(WORDS[locale]))


# ------------------------------------------------------------------------------------------------- what is smuggled

_LABEL = st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=12)
_TLD = st.sampled_from(["com", "fr", "bank", "xn--p1ai", "рф", "com.", "zip", "example"])
_DOMAIN = st.builds("{}.{}".format, _LABEL, _TLD)
_NUMBER = st.integers(0, 255)
SMUGGLED = st.one_of(
    _DOMAIN,
    st.builds("{}://{}/{}".format, st.sampled_from(["http", "https", "ftp", "HTTPS", "javascript"]), _DOMAIN, _LABEL),
    st.builds("www {}".format, _LABEL),
    st.builds("{}@{}".format, _LABEL, _DOMAIN),
    st.builds("mailto:{}".format, _LABEL),
    st.builds("{}.{}.{}.{}".format, _NUMBER, _NUMBER, _NUMBER, _NUMBER),
    st.builds("[{:x}::{:x}]".format, _NUMBER, _NUMBER),
    st.builds("+33 {:d} {:02d} {:02d}".format, st.integers(1, 9), st.integers(0, 99), st.integers(0, 99)),
    st.builds("FR76 {:04d} {:04d}".format, st.integers(0, 9999), st.integers(0, 9999)),
    st.builds("{:d},{:02d}".format, st.integers(0, 9999), st.integers(0, 99)),
    st.builds(" {} euros ".format, st.sampled_from(["twenty", "vingt"])),
    st.sampled_from(
        ["€", "٣٤", "evil․com", "evil。com", "evil.сom", "ｅｖｉｌ", "a\u202eb", "a\u200bb", "<a>", "_", "\t", "\r"]
    ),
)
_NAME = st.text(string.ascii_letters + "éèàüßÉ ’-&()", max_size=30)


@given(before=_NAME, smuggled=SMUGGLED, after=_NAME)
@example(before="Pay at ", smuggled="evil.com", after=" GmbH")
def test_a_name_that_carries_something_makes_no_message(before: str, smuggled: str, after: str) -> None:
    name = f"{before}{smuggled}{after}"
    for text in (
        Text(f"A bill from {name}", ("It is in your space.",)),
        Text("A bill", (f"It is from {name} and in your space.",)),
    ):
        with pytest.raises(NotPlain):
            compose(text, WORDS_OF_SOMEBODY, locale="en")
    with pytest.raises(NotPlain):
        compose_for_device(Text(f"A bill from {name}", ("It is in your space.",)), locale="en")


@given(text=st.text(max_size=60) | st.text("abé .,:;!?’-()/@w0\n", max_size=30) | st.from_regex(LEADS))
def test_what_is_let_through_leads_nowhere(text: str) -> None:
    with contextlib.suppress(NotPlain):
        must_be_plain(text)
        assert not LEADS.search(text.replace("\N{NO-BREAK SPACE}", " ").replace("«", "").replace("»", "")), text


@given(line=st.sampled_from(["\n", "\r\n", "\r", "\x0b", "\u2028", "\x00"]), where=st.integers(0, 20))
def test_no_subject_has_a_second_line(line: str, where: int) -> None:
    subject = "A bill is in your space"
    with pytest.raises(NotPlain):
        Letter(f"{subject[:where]}{line}Bcc: somebody{subject[where:]}", "text")
    with pytest.raises(NotPlain):
        Shown(f"{subject[:where]}{line}{subject[where:]}", "It is in your space.")


@pytest.mark.parametrize("words", [SafeWords("", "meadow"), SafeWords("lantern", ""), SafeWords("same", "same")])
def test_without_two_words_there_is_no_message(words: SafeWords) -> None:
    with pytest.raises(NotPlain):
        compose(text_of(NoticeKind.NEW_BILL, "en"), words, locale="en")


def test_neither_words_nor_letters_show_themselves_in_a_log() -> None:
    letter = compose(text_of(NoticeKind.NEW_BILL, "en"), WORDS_OF_SOMEBODY, locale="en")
    for shown in (repr(letter), str(letter), repr(WORDS_OF_SOMEBODY), f"{WORDS_OF_SOMEBODY}"):
        assert "lantern" not in shown
        assert "meadow" not in shown


def test_the_question_names_its_words_as_what_they_are() -> None:
    """Whoever is asked to type words is never told that they are the safe ones, for which nobody ever asks."""
    for locale in LOCALES:
        question = compose(text_of(NoticeKind.ADDRESS_ASKED, locale), WORDS_OF_SOMEBODY, locale=locale)
        assert OPENING[locale] not in question.text
        assert CLOSING[locale][1][:30] not in question.text
