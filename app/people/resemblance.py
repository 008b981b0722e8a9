"""Which names of companies a person could take for one another; and which names nobody should have unseen.

It stops a name for two people to look at, and refuses none: so it rather stops one too many.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from app.errors import Invalid
from app.people import lookalikes

NAME_MAX = 70
#: of names up to this long one letter may differ, of longer ones two
_SHORT = 8
#: letters for themselves which look like nothing at all
_BLANK = "\u115f\u1160\u3164\uffa0"
_BESIDE = """
bill billing bills care center centre client clients collection compte contact customer customers deutschland direct
encaissement europe facturation facture factures finance france group groupe gruppe help holding inkasso international
invoice invoices kunden kundenservice official officiel online paiement paiements pay payment payments rechnung
rechnungen recouvrement secure service services support zahlung zahlungen
de du des la le les der die das of
com eu fr net org www
"""
#: what is put beside a known name to speak for it
_ADDED = frozenset(map(lookalikes.glance, _BESIDE.split()))


def checked_name(written: str) -> str:
    """A name as it is stored and shown. Raises Invalid for one with what nobody sees, or sees as something else."""
    name = unicodedata.normalize("NFC", written.strip())
    if not 1 <= len(name) <= NAME_MAX or not name.isprintable() or not any(map(str.isalnum, name)):
        raise Invalid("biller-name", f"A biller's name has 1 to {NAME_MAX} characters, all of which are seen.")
    odd = sorted({each for each in name if not _is_plain(each)})
    if odd:
        which = ", ".join(f"U+{ord(each):04X}" for each in odd)
        raise Invalid("biller-name", f"Write the name in plain letters, digits and punctuation: not with {which}.")
    return name


def _is_plain(character: str) -> bool:
    kind = unicodedata.category(character)
    seen = character == " " or character in "+°" or kind == "Nd" or kind[0] in "LP"
    return seen and character not in _BLANK and unicodedata.normalize("NFKC", character) == character


def has_other_letters(name: str) -> bool:
    """Whether it has letters of no European language in Latin script: any of them may look like one that is."""
    return any(character.isalpha() and not _is_known(character) for character in name)


def _is_known(letter: str) -> bool:
    """The Latin letters of European languages."""
    code = ord(letter)
    return code < 0x0180 or 0x0218 <= code <= 0x021B or 0x1E00 <= code <= 0x1EFF


def resembles(written: str, known: str) -> bool:
    """Whether a person could take one company's name for the other's."""
    one, other = _core(written), _core(known)
    if sorted(one) == sorted(other) or "".join(one) == "".join(other) or _together(written) == _together(known):
        return True
    if len(one) == len(other):
        return _near_by_word(one, other) or _near_by_word(sorted(one), sorted(other))
    if _near("".join(one), "".join(other)):
        return True
    shorter, longer = sorted((set(one), set(other)), key=len)
    return (len(shorter) > 1 or one[0] == other[0]) and shorter <= longer


def is_same(name: str, legal_name: str) -> bool:
    """Whether they are the same but for legal forms, accents, the order of words and a letter: more is to be explained.

    So it is stricter than ``resembles``, which looks for what could deceive.
    """
    one, other = ("".join(sorted(lookalikes.telling(each))) for each in (name, legal_name))
    return (bool(one and other) and _near(one, other)) or _together(name) == _together(legal_name)


def calls_itself(written: str, known: str) -> bool:
    """Whether a name has another one in it, or resembles it: of names that stand for themselves, as this service's."""
    letters, wanted = "".join(_core(written)), "".join(_core(known))
    return wanted in letters or resembles(written, known) or any(_near(word, wanted) for word in _core(written))


def _together(name: str) -> str:
    """Without spaces and forms: what is put beside a name may be a part of it, as in ``La Poste``."""
    return "".join(lookalikes.telling(name)) or lookalikes.glance(name)


def _core(name: str) -> list[str]:
    """The words that tell which company it is, as they look. All of its words, where none does."""
    words = lookalikes.telling(name)
    return [word for word in words if word not in _ADDED] or words or [lookalikes.glance(name)]


def _near_by_word(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether all words but one are the same, and that one nearly."""
    differing = [pair for pair in zip(one, other, strict=True) if pair[0] != pair[1]]
    return len(differing) <= 1 and all(_near(*pair) for pair in differing)


def _near(one: str, other: str) -> bool:
    shorter, longer = sorted((len(one), len(other)))
    most = 0 if shorter <= 2 else 1 if longer <= _SHORT else 2  # two letters are an abbreviation
    return abs(len(one) - len(other)) <= most and _distance(one, other) <= most


def _distance(one: str, other: str) -> int:
    """Letters to change, add, leave out, or swap with the next one, each place once (Damerau and Levenshtein)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, beside in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != beside))
            if i > 1 and j > 1 and (letter, one[i - 2]) == (other[j - 2], beside):
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]
