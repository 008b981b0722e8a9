"""Two words that each message to a customer begins with, so that one without them is known to be a fake.

Sealed like a bank's token: whoever has seen them can fake a message. They stand on the customer's own page and in the
messages to them, and nowhere else. The first two are drawn with the space; a space of before there were any gets them
when its customer first looks.
"""

from __future__ import annotations

import datetime as dt
import hmac
import re
import secrets
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.db.unit_of_work import UnitOfWork
from app.people.customers import LOCALES, lock_customer
from app.people.events import SafeWordsChanged
from app.people.models import Customer
from app.people.word_lists import WORDS
from consent.base import new_id
from consent.models import Sealed
from consent.vault import Vault

#: how long those of before are kept, for the message that says so: a message is tried for a day
BEFORE_KEPT = dt.timedelta(days=2)
#: how long those that were sent to an address wait to be typed: its message is tried for a day
ASKED_KEPT = dt.timedelta(days=2)


@dataclass(frozen=True, slots=True)
class SafeWords:
    """Kept out of every repr, and so out of logs and errors."""

    first: str
    second: str

    def __repr__(self) -> str:
        return "SafeWords(…)"


def row_of(customer_id: str) -> str:
    """The row of the vault in which this customer's are sealed."""
    return f"customer:{customer_id}:safe-words"


def row_of_asked(customer_id: str) -> str:
    """The row of those that were sent to an address, to be typed by whoever reads what is sent there."""
    return f"{row_of(customer_id)}:asked"


def find(vault: Vault, session: Session, row_id: str) -> SafeWords | None:
    """Those that are sealed there."""
    if session.get(Sealed, row_id) is None:
        return None
    first, second = vault.get(session, row_id).split()
    return SafeWords(first, second)


def words_of(vault: Vault, uow: UnitOfWork, customer: Customer) -> SafeWords:
    """This customer's words; the first ones are drawn now where there are none."""
    lock_customer(uow.session, customer.id)  # two who look at once see the same
    there = find(vault, uow.session, row_of(customer.id))
    return there or _draw(vault, uow, customer, language=customer.locale)


def change(vault: Vault, uow: UnitOfWork, customer: Customer, *, language: str) -> None:
    """Draw new ones. Those of before stay sealed until the message that says so is sent with them: their customer
    knows no others yet."""
    lock_customer(uow.session, customer.id)
    before = find(vault, uow.session, row_of(customer.id))
    _draw(vault, uow, customer, language=language)
    if before is not None:
        kept_as = f"customer:{customer.id}:safe-words:{new_id('wrd')}"
        both = f"{before.first} {before.second}"
        vault.put(uow.session, kept_as, both, now=uow.now, expires_at=uow.now + BEFORE_KEPT)
        uow.record(SafeWordsChanged(customer_id=customer.id, before=kept_as))


def ask(vault: Vault, uow: UnitOfWork, customer: Customer) -> None:
    """Draw two others that are sent to the customer's address, to be typed in their space: whoever has the address by a
    typing error never learns the safe words."""
    own = words_of(vault, uow, customer)  # locked by it
    row, until = row_of_asked(customer.id), uow.now + ASKED_KEPT
    others = " ".join(_two(customer.locale, without=(own.first, own.second)))
    vault.put(uow.session, row, others, now=uow.now, expires_at=until)


def is_asked(session: Session, customer: Customer, *, now: dt.datetime) -> bool:
    """Whether two words wait to be typed."""
    row = session.get(Sealed, row_of_asked(customer.id))
    return row is not None and (row.expires_at is None or row.expires_at > now)


def prove(vault: Vault, uow: UnitOfWork, customer: Customer, *, typed: str) -> bool:
    """The address is the customer's if these are the two that were sent there, whatever their case, accents and marks.
    They count once, and the safe words stay what they are. False: they are not these, and nothing is changed."""
    lock_customer(uow.session, customer.id)
    if not is_asked(uow.session, customer, now=uow.now):
        return False
    asked = vault.get(uow.session, row_of_asked(customer.id))
    if not hmac.compare_digest(bare(asked), bare(typed)):
        return False
    uow.session.delete(uow.session.get_one(Sealed, row_of_asked(customer.id)))
    uow.session.get_one(Customer, customer.id).email_proven_at = uow.now
    return True


def bare(words: str) -> bytes:
    """Words that somebody types, as they are compared: whatever their case, accents and marks."""
    letters = unicodedata.normalize("NFKD", words).casefold()
    return " ".join(re.findall("[a-z]+", re.sub("[\u0300-\u036f]", "", letters))).encode()


def _draw(vault: Vault, uow: UnitOfWork, customer: Customer, *, language: str) -> SafeWords:
    first, second = _two(language)
    vault.put(uow.session, row_of(customer.id), f"{first} {second}", now=uow.now)
    return SafeWords(first, second)


def _two(language: str, *, without: Collection[str] = ()) -> list[str]:
    words = WORDS[language if language in LOCALES else LOCALES[0]]
    return secrets.SystemRandom().sample([word for word in words if word not in without], 2)
