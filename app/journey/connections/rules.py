"""Codes that people read out, references that they type, addresses of a space. Pure."""

from __future__ import annotations

import base64
import datetime as dt
import re
import secrets

from app.errors import FieldError, Invalid
from app.journey.connections.models import REFERENCE_MAX
from app.people.resemblance import NAME_MAX

#: figures and capitals that nobody mistakes for one another on paper or the telephone, and no vowel, so no words
ALPHABET = "34679CDFGHJKMNPQRTVWXY"
#: letters by chance, 44 bits; behind them one that finds slips of the hand (Luhn mod N)
CODE_LETTERS = 10
#: what is shown in groups of four
_GROUP = 4

#: a code is good for so long
CODE_LIFE = dt.timedelta(days=3)
#: codes of one customer that are good at the same time
CODES_MOST = 5
#: so long a customer may answer a biller that came with a code or an address
OFFER_LIFE = dt.timedelta(days=14)
#: within so many days a biller should have checked a request, unless it names a day itself
CHECK_DAYS = 3
#: a day that a biller may name, at most so far away
CHECK_DAYS_MOST = 60
#: so often a customer may ask the same biller in a day
ASKS_A_DAY = 5
#: codes and addresses that one biller may come with in an hour: who guesses needs billions
REDEMPTIONS_AN_HOUR = 300
#: the same for a biller whose redemptions nobody accepts
REDEMPTIONS_AN_HOUR_LEAST = 20
#: unaccepted ones of OFFER_LIFE that say nothing of a biller, and more for each accepted one: people forget to answer
UNACCEPTED_FREE, UNACCEPTED_FOR_EACH = 500, 4

_ADDRESS = re.compile(r"[a-z0-9._-]{1,40}@[a-z0-9.-]{1,79}")


def new_code() -> str:
    """Without its hyphens."""
    letters = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LETTERS))
    return letters + _check_letter(letters)


def shown(code: str) -> str:
    """``C7KM-4RXP-JT4``: as people read it out."""
    return "-".join(code[i : i + _GROUP] for i in range(0, len(code), _GROUP))


def checked_code(written: str) -> str:
    """A code as we made it, whatever its spaces, hyphens and case. Raises Invalid for one that nobody was ever given.

    That it is well formed says nothing about whether it is anybody's.
    """
    code = re.sub(r"[\s\-\u2010-\u2015]+", "", written).upper()
    whole = len(code) == CODE_LETTERS + 1 and all(letter in ALPHABET for letter in code)
    if not whole or _check_letter(code[:-1]) != code[-1]:
        detail = (
            "This is not a code: it has eleven letters and figures like C7KM-4RXP-JT4. Ask your customer to repeat it."
        )
        raise _field("code", detail)
    return code


def checked_address(written: str) -> str:
    """In small letters. Raises Invalid for what is no address at all."""
    address = written.strip().lower()
    if _ADDRESS.fullmatch(address) is None:
        raise _field("address", "This is not a space address: it is like k3jq7m2xw5ta@space.example.")
    return address


def redemptions_an_hour(*, accepted: int, unaccepted: int) -> int:
    """How many a biller may come with. It falls for one that comes again and again with what is nobody's."""
    free = UNACCEPTED_FREE + UNACCEPTED_FOR_EACH * accepted
    return REDEMPTIONS_AN_HOUR if unaccepted <= free else min(REDEMPTIONS_AN_HOUR, REDEMPTIONS_AN_HOUR_LEAST)


def checked_reference(written: str | None, *, field: str = "reference") -> str | None:
    """The customer's reference at a biller, without blanks around it; None where there is none.

    ``field``: how the door calls it.
    """
    reference = (written or "").strip()
    if not reference:
        return None
    if len(reference) > REFERENCE_MAX or not reference.isprintable():
        detail = f"A reference has at most {REFERENCE_MAX} characters, all of them visible."
        raise Invalid("reference", detail, errors=(FieldError(f"/{field}", detail),))
    return reference


def checked_company(written: str) -> str:
    name = " ".join(written.split())
    if not 2 <= len(name) <= NAME_MAX or not name.isprintable():
        raise _field("name", f"Write the company's name, 2 to {NAME_MAX} characters.")
    return name


def new_address(space_domain: str) -> str:
    """60 random bits: it cannot be guessed, and says nothing about the person."""
    local = base64.b32encode(secrets.token_bytes(8)).decode()[:12].lower()
    return f"{local}@{space_domain}"


def expected_on(today: dt.date, named: dt.date | None) -> dt.date:
    """The day by which a request is checked. Raises Invalid for a day that says nothing to a customer who waits."""
    if named is None:
        return today + dt.timedelta(days=CHECK_DAYS)
    if not today <= named <= today + dt.timedelta(days=CHECK_DAYS_MOST):
        raise _field("expected_on", f"Name a day from today to {CHECK_DAYS_MOST} days from now.")
    return named


def _check_letter(letters: str) -> str:
    """Luhn mod N: every single wrong letter is found, and nearly every pair that changed places."""
    base, total = len(ALPHABET), 0
    for place, letter in enumerate(reversed(letters)):
        weighed = ALPHABET.index(letter) * (2 if place % 2 == 0 else 1)
        total += weighed // base + weighed % base
    return ALPHABET[-total % base]


def _field(name: str, detail: str) -> Invalid:
    return Invalid(name, detail, errors=(FieldError(f"/{name}", detail),))
