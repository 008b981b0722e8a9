"""What a SEPA credit transfer can carry. Without it a bank would refuse, or change, what was confirmed.

The characters are those of the EPC's customer-to-bank implementation guidelines (EPC132-08, character set):
a-z A-Z 0-9 / - ? : ( ) . , ' + and space. The conversions follow the idea of the EPC's best practices
(EPC217-08): a Latin letter loses its marks, other signs become the nearest one that is allowed. What is in
neither (Greek, Cyrillic, …) is refused, not guessed.
"""

from __future__ import annotations

import re
import unicodedata

from stdnum import iban
from stdnum.exceptions import ValidationError

from connectors.money import Money

CURRENCY = "EUR"
AMOUNT_MINOR_MAX = 99_999_999_999  #: 999 999 999.99, the scheme's largest amount
NAME_CHARACTERS_MAX = 70
REMITTANCE_CHARACTERS_MAX = 140
REFERENCE_CHARACTERS_MAX = 35

_ALLOWED = re.compile(r"[A-Za-z0-9/?:().,'+ -]*")

#: letters that no canonical decomposition (NFD) takes apart, and signs
_CONVERSIONS = str.maketrans(
    {
        "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "đ": "d",
        "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "TH", "ł": "l", "Ł": "L", "ħ": "h", "Ħ": "H", "ı": "i",
        "ŋ": "n", "Ŋ": "N", "ŧ": "t", "Ŧ": "T", "ĳ": "ij", "Ĳ": "IJ",
        "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u2032": "'", "`": "'", "´": "'", "\u02bc": "'",
        '"': "'", "\u201c": "'", "\u201d": "'", "\u201e": "'", "«": "'", "»": "'", "‹": "'", "›": "'",
        "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u2212": "-", "_": "-",
        "~": "-", "&": "+", "€": "EUR", "№": "No", "…": "...", ";": ",", "[": "(", "]": ")", "{": "(",
        "}": ")", "<": "(", ">": ")", "\\": "/", "|": "/", "!": ".", "#": ".", "$": ".", "%": ".", "*": ".",
        "=": ".", "@": ".", "^": ".", "·": ".", "•": ".", "°": ".", "§": ".",
        "\t": " ", "\n": " ", "\r": " ", "\u00a0": " ", "\u2009": " ", "\u202f": " ",
    }
)  # fmt: skip


def text(value: str, *, field: str, characters_max: int) -> str:
    """``value`` in SEPA characters, white space tidied. Raises ValueError when it cannot be carried whole."""
    marked = unicodedata.normalize("NFD", unicodedata.normalize("NFC", value).translate(_CONVERSIONS))
    plain = " ".join("".join(c for c in marked if not unicodedata.combining(c)).split(" ")).strip()
    plain = re.sub(" {2,}", " ", plain)
    if _ALLOWED.fullmatch(plain) is None:
        strange = next(c for c in plain if _ALLOWED.fullmatch(c) is None)
        message = f"{field}: SEPA cannot carry the character {strange!a}"
        raise ValueError(message)
    if not plain or len(plain) > characters_max:
        message = f"{field} has {len(plain)} characters in SEPA's alphabet; it must have 1 to {characters_max}"
        raise ValueError(message)
    return plain


def reference(value: str, *, field: str) -> str:
    """An identification as it is, at most 35 characters; never converted, because others compare it.

    EPC132-08: no slash at its beginning or end, and no two slashes in a row. Raises ValueError.
    """
    if not value or len(value) > REFERENCE_CHARACTERS_MAX or _ALLOWED.fullmatch(value) is None:
        message = f"{field} must be 1 to 35 characters of SEPA's alphabet"
        raise ValueError(message)
    if value != value.strip() or value.startswith("/") or value.endswith("/") or "//" in value:
        message = f"{field} must not begin or end with a slash or space, nor have two slashes in a row"
        raise ValueError(message)
    return value


def account(value: str) -> str:
    """An IBAN in electronic form whose check digits are right (ISO 13616). Raises ValueError."""
    try:
        # without stdnum's national checks: they know a fixed list of banks, and new ones must be let in
        if iban.validate(value, check_country=False) == value:
            return value
    except ValidationError:
        pass
    raise ValueError("the payee's IBAN is not valid")


def amount(value: Money) -> str:
    """``84.20``: euro, from one cent to the scheme's largest amount. Raises ValueError."""
    if value.currency != CURRENCY:
        message = f"a SEPA credit transfer carries EUR, not {value.currency}"
        raise ValueError(message)
    if not 1 <= value.minor <= AMOUNT_MINOR_MAX:
        raise ValueError("a SEPA credit transfer carries 0.01 to 999999999.99 EUR")
    return str(value)
