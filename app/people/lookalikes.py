"""What looks the same to a person. Without it a bill under a known name could come with one letter of another alphabet.

Keys are for comparing only; what is shown and stored stays as it came.
"""

from __future__ import annotations

import re
import unicodedata

#: letters of other alphabets, small, that look like a Latin one small or large (after Unicode TS 39)
_ALIKE = {
    **dict(zip("авеһіјкӏмнорԛгѕтуԝхԁс", "abehijklmhopqrstywxdc", strict=True)),  # Cyrillic
    **dict(zip("αβεζηικμνορτυχγϲ", "abezhikmnoptyxyc", strict=True)),  # Greek
    **dict(zip("ɑɡɩ", "agi", strict=True)),  # phonetic
}
#: what is taken for another letter at a glance, in names
_AT_A_GLANCE = str.maketrans(
    {"0": "o", "1": "l", "i": "l", "ı": "l", "ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe"}
)
_SLASHES = "\u2044\u2215\u29f8"
_TRANSLATED = str.maketrans({**_ALIKE, **dict.fromkeys(_SLASHES, "/"), "\u2212": "-"})
_SPACES = re.compile(r"\s+")
_WORDS = re.compile(r"\w+")

#: as ``key`` has them: what nobody may call themselves who is not this service
SERVICE_NAMES = ("quittance",)


def plain(written: str) -> str:
    """Without what is only style: width, case, spaces, invisible characters."""
    folded = unicodedata.normalize("NFKC", written).casefold()
    visible = "".join(character for character in folded if unicodedata.category(character) != "Cf")
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", visible)).strip()


def key(written: str) -> str:
    """The same for all texts that look the same: letters of other alphabets and hyphens of all kinds are one."""
    if written.isascii():
        return _SPACES.sub(" ", written.lower()).strip()  # nothing in it looks like something else
    dashes = "".join("-" if unicodedata.category(each) == "Pd" else each for each in plain(written))
    return dashes.translate(_TRANSLATED)


def glance(name: str) -> str:
    """The same for names that are taken for each other at a glance: without marks on letters, 0 as o, 1 and i as l."""
    parts = unicodedata.normalize("NFD", key(name))
    bare = "".join(character for character in parts if not unicodedata.combining(character))
    return bare.translate(_AT_A_GLANCE).replace("rn", "m").replace("vv", "w")


def disguised(written: str, known: str) -> bool:
    """Whether it looks like the known text and is written with other letters."""
    return key(written) == key(known) and plain(written) != plain(known)


def mixes(written: str) -> bool:
    """Whether a word has Latin letters and such of another alphabet that look like them."""
    return any(
        any(character in _ALIKE for character in word) and any("a" <= character <= "z" for character in word)
        for word in _WORDS.findall(plain(written))
    )


def telling(name: str) -> list[str]:
    """The words of a company's name, as they look, without those that tell nothing of which one it is."""
    return [word for word in _WORDS.findall(glance(name)) if word not in _FORMS]


#: legal forms, and what joins words
_FORMS = frozenset(
    glance(form)
    for form in [
        *("ab", "ag", "aps", "bv", "bvba", "cic", "co", "company", "corp", "eg", "ev", "gbr", "ggmbh", "gie", "gmbh"),
        *("inc", "kg", "kgaa", "limited", "llc", "llp", "ltd", "nv", "oy", "oyj", "plc", "sa", "sagl", "sarl", "sas"),
        *("sasu", "sca", "scop", "scp", "scs", "se", "snc", "spa", "sprl", "srl", "ug", "the", "und", "et", "and"),
    ]
)
