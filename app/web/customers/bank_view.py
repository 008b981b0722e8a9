"""A bank as pages show it: its name and country, a mark of our own making, and what is known of it."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from flask_babel import get_locale

from app.journey.banks.rules import Trouble
from app.journey.banks.search import words_of
from app.web.context import services
from app.web.customers.filters import initials
from connectors.profile import BankProfile
from connectors.registry import UnknownBank

#: as many as the stylesheet has colours, and _bank.html shapes
COLOURS, SHAPES = 7, 6
#: words that many banks have in their names: a mark of their letters would tell nothing
_EVERY_BANKS = re.compile(
    r"\b(bank|banque|banca|banco|caisse|caixa|caja|cassa|crédit|credit|banking|société|groupe|group)\b", re.IGNORECASE
)

_NONE: Mapping[str, Trouble] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class BankView:
    id: str
    name: str
    country: str  #: its name, in the language of the page
    letters: str  #: two, for its mark
    colour: int
    shape: int
    trouble: Trouble | None  #: our recent calls to it all failed
    in_app: bool  #: it asks for the approval in an app of its own
    sign_in_first: bool  #: it takes no payment before its customer has signed in there
    words: str  #: by which the page's script finds it


def view_of_bank(bank_id: str, troubled: Mapping[str, Trouble] = _NONE) -> BankView | None:
    """Of a bank whose file is here."""
    try:
        return bank_view(services().banks.profile(bank_id), troubled)
    except UnknownBank:
        return None


def bank_view(bank: BankProfile, troubled: Mapping[str, Trouble]) -> BankView:
    """The mark depends on the bank's id alone, so it is the same everywhere and for ever."""
    number = zlib.crc32(bank.id.encode())
    locale = get_locale()
    countries = [str(locale.territories.get(code, code)) if locale else code for code in (bank.country, *bank.also_in)]
    return BankView(
        id=bank.id,
        name=bank.name,
        country=", ".join(countries),
        letters=initials(_EVERY_BANKS.sub(" ", bank.name).strip() or bank.name),
        colour=number % COLOURS,
        shape=number // COLOURS % SHAPES,
        trouble=troubled.get(bank.id),
        in_app=bank.decoupled,
        sign_in_first=bank.sign_in_first,
        words=" ".join(words_of(bank)),
    )
