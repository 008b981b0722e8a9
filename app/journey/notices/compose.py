"""The one way by which a text becomes a message. Whatever could lead somewhere, or lead astray, does not get through.

Not a list of what is forbidden but of what is allowed: letters of French and English, spaces, and the marks of a
sentence, each where a sentence has it. So there is no digit (no amount, no account, no telephone number, no address of
a machine), no ``@``, ``/`` or ``_``, no letter of another script that looks like one of ours, and no full stop or colon
with anything but a space behind it: nothing that a program could turn into a link.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from app.journey.notices.kinds import NoticeKind
from app.journey.notices.texts import CLOSING, ON_DEVICE, OPENING, OPENING_OF_QUESTION, TEXTS, TO_TYPE, Text
from app.people.safe_words import SafeWords

#: the no-break space stands before French marks
_LETTERS = "A-Za-zÀ-ÖØ-öø-ÿŒœ"
_ALLOWED = re.compile(rf"[{_LETTERS} \n\N{{NO-BREAK SPACE}}.,;:!?’–«»()-]+")
_MARK_INSIDE = re.compile(r"[.,;:!?](?![ \n\N{NO-BREAK SPACE})]|\Z)")
_WWW = re.compile(r"www", re.IGNORECASE)
#: an amount in letters: money is talked about in the space and nowhere else
_MONEY = re.compile(r"\b(?:eur|euros?|usd|dollars?|gbp|pounds?|pence|chf|francs?|cents?|centimes?)\b", re.IGNORECASE)
#: longer is no word of a sentence
_LONG = re.compile(rf"[{_LETTERS}]{{25}}")
SUBJECT_MAX = 70
WIDTH = 72


class NotPlain(Exception):
    """This text is not sent: it has something in it that could be a link, an address, a number or an amount."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A subject and a text that may be sent. There is none with anything else in it: it looks at itself."""

    subject: str
    text: str

    def __post_init__(self) -> None:
        must_be_plain(self.subject)
        must_be_plain(self.text)
        if len(self.subject) > SUBJECT_MAX or "\n" in self.subject:
            raise NotPlain("its subject is not one short line")

    def __repr__(self) -> str:
        return "Letter(…)"  # the words are in it


@dataclass(frozen=True, slots=True)
class Shown:
    """What a device shows: a title and one line, as plain as a letter is. It looks at itself as well."""

    title: str
    body: str

    def __post_init__(self) -> None:
        must_be_plain(self.title)
        must_be_plain(self.body)
        if len(self.title) > SUBJECT_MAX or "\n" in self.title + self.body:
            raise NotPlain("a device has no room for it")

    def __repr__(self) -> str:
        return "Shown(…)"


def must_be_plain(text: str) -> None:
    """Raises NotPlain, without a word of the text: it may be somebody's."""
    if not _ALLOWED.fullmatch(text):
        raise NotPlain("it has a character that no sentence of ours needs, or nothing at all")
    if _MARK_INSIDE.search(text):
        raise NotPlain("it has a mark in the middle of a word, as addresses have")
    if _WWW.search(text) or _LONG.search(text):
        raise NotPlain("it has what looks like an address")
    if _MONEY.search(text):
        raise NotPlain("it names money")


def compose(text: Text, words: SafeWords, *, locale: str, to_type: Sequence[str] = ()) -> Letter:
    """The words first, then what is to be said, then what to do. Raises NotPlain.

    The words are in the text and not in the subject: subjects are shown on locked screens, kept in the logs of mail
    servers and carried along by every answer. ``to_type``: words that are to be typed, behind the safe words.
    """
    if not words.first or not words.second or words.first == words.second:
        raise NotPlain("it has no two words")
    opening = f"{(OPENING_OF_QUESTION if text.asks else OPENING)[locale]} {words.first}, {words.second}"
    closing = CLOSING[locale][:1] if text.asks else CLOSING[locale]
    typed = [f"{TO_TYPE[locale]} {', '.join(to_type)}"] if to_type else []
    return Letter(text.subject, "\n\n".join(map(_folded, (opening, *typed, *text.paragraphs, *closing))) + "\n")


def compose_for_device(text: Text, *, locale: str) -> Shown:
    """What a locked screen may show to anybody. Raises NotPlain.

    No safe words: the browser itself says from whom it is, since nobody else can send to it, and it shows it to
    whoever looks at the screen.
    """
    return Shown(text.subject, ON_DEVICE[locale])


def text_of(kind: NoticeKind, locale: str) -> Text:
    """What a message of this kind says."""
    return TEXTS[kind][locale]


def _folded(paragraph: str) -> str:
    must_be_plain(paragraph)  # folding would hide what it makes spaces of
    return textwrap.fill(paragraph, WIDTH, break_long_words=False, break_on_hyphens=False)
