"""Text from strangers, made fit to show and to compare. Without it a bill could carry what nobody sees.

Three kinds: ``line`` and ``paragraph`` are shown to people, so invisible characters are taken out. ``exact``
goes to a bank or identifies something (numbers, addresses, references), so there an invisible character
refuses the bill: to take it out would be to guess what was meant.
"""

from __future__ import annotations

import re
import unicodedata

from app.journey.intake.bill import BillRefused

# The longest texts that we take, in characters after cleaning.
NUMBER_MAX = 100
NAME_MAX = 200
ADDRESS_MAX = 254  # RFC 5321: a mailbox
ID_MAX = 100
REFERENCE_MAX = 140  # unstructured remittance information of SEPA
ACCOUNT_MAX = 100
QUANTITY_MAX = 60
DESCRIPTION_MAX = 1_000
PARAGRAPH_MAX = 10_000
#: before cleaning, which looks at every character
RAW_MAX = 4 * PARAGRAPH_MAX

#: how much of a stranger's value we repeat in an error message
QUOTE_MAX = 40
MESSAGE_MAX = 160

# Invisible letters and marks. The bidi controls, zero-width characters, soft hyphen and tags are category Cf.
_INVISIBLE_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0\u2800")
_LINE_BREAKS = re.compile(r"[ \t]*[\t\n\r\u2028\u2029]+[ \t\n\r\u2028\u2029]*")
_BREAK_CHARACTERS = frozenset("\t\n\r\u2028\u2029")
_WITHOUT_BREAKS = dict.fromkeys(map(ord, _BREAK_CHARACTERS))


def line(text: str, *, element: str, limit: int) -> str:
    """One line to be shown: NFC, stripped, invisible characters taken out. May be empty then."""
    if text.isascii() and text.isprintable():
        return _limited(text.strip(), element, limit)  # most are
    return _limited(_LINE_BREAKS.sub(" ", _visible(text, element)).strip(), element, limit)


def paragraph(text: str, *, element: str) -> str:
    """Like ``line``, but line breaks stay."""
    unified = re.sub(r"\r\n?|[\u2028\u2029]", "\n", _visible(text, element))
    return _limited(unified.strip(), element, PARAGRAPH_MAX)


def exact(text: str, *, element: str, limit: int) -> str:
    """One line that identifies something: NFC, stripped; an invisible character refuses the bill."""
    cleaned = line(text, element=element, limit=limit)
    if not text.isascii() and hides(text):
        raise BillRefused("text-refused", "The value holds invisible characters. Take them out.", element=element)
    return cleaned


def hides(text: str) -> bool:
    """Whether it holds characters that nobody sees, as those that turn the direction of writing."""
    return not _is_plain(text) and any(_is_invisible(character) for character in text)


def quoted(text: str) -> str:
    """A stranger's value for an error message: short, on one line, nothing invisible."""
    return f"'{printable(text, limit=QUOTE_MAX)}'"


def shown(text: str, *, limit: int) -> str | None:
    """A stranger's value that nobody pays by, to be shown on one line; None where there is nothing."""
    return printable(" ".join(text.split()), limit=limit) or None


def printable(text: str, *, limit: int) -> str:
    """The first characters of a stranger's text, with ``?`` for all that does not print."""
    cut = "".join(character if character.isprintable() else "?" for character in text[:limit])
    return cut + ("…" if len(text) > limit else "")


def _visible(text: str, element: str) -> str:
    _limited(text, element, RAW_MAX)
    if _is_plain(text) or _is_plain(text.translate(_WITHOUT_BREAKS)):
        return unicodedata.normalize("NFC", text)  # nothing to take out, nothing to refuse
    for character in text:
        if character not in _BREAK_CHARACTERS and unicodedata.category(character) in ("Cc", "Cs"):
            raise BillRefused(
                "text-refused",
                f"The value holds the control character U+{ord(character):04X}.",
                element=element,
            )
    # Take out first, then compose: an invisible character between letter and accent must not keep them apart.
    return unicodedata.normalize("NFC", "".join(c for c in text if not _is_invisible(c)))


def _is_plain(text: str) -> bool:
    """Every character prints. Said at once, without a look at each."""
    return text.isprintable() and _INVISIBLE_LETTERS.isdisjoint(text)


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) == "Cf" or character in _INVISIBLE_LETTERS


def _limited(text: str, element: str, limit: int) -> str:
    if len(text) > limit:
        raise BillRefused("text-refused", f"The value is longer than {limit} characters.", element=element)
    return text
