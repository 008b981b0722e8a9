"""Two words that each message to a customer begins with, so that one without them is known to be a fake.

Sealed like a bank's token: whoever has seen them can fake a message. They stand on the customer's own page and in the
messages to them, and nowhere else. The first two are drawn with the space; a space of before there were any gets them
when its customer first looks.
"""

from __future__ import annotations

import datetime as dt
import secrets
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


def _draw(vault: Vault, uow: UnitOfWork, customer: Customer, *, language: str) -> SafeWords:
    words = WORDS[language if language in LOCALES else LOCALES[0]]
    first, second = secrets.SystemRandom().sample(words, 2)
    vault.put(uow.session, row_of(customer.id), f"{first} {second}", now=uow.now)
    return SafeWords(first, second)
