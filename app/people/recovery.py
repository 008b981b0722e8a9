"""A way back in by e-mail: who may have one, the words that are typed for it, and its wait. docs/recovery.md.

E-mail never pays: what opens after three days of warnings is a session that can make a passkey and nothing else, and
nothing of its customer's is begun before that passkey has lifted the stop (stops.py).
"""

from __future__ import annotations

import datetime as dt
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.audit import entries
from app.audit.kinds import Kind
from app.db.unit_of_work import UnitOfWork
from app.errors import NotFound, TooLate
from app.people.customers import LOCALES
from app.people.events import RecoveryAsked, RecoveryBegun, RecoveryOver, RecoveryWaits, RecoveryWordsDrawn
from app.people.mailboxes import customers_with_address
from app.people.models import Customer, Recovery, RecoveryAttempt
from app.people.recovery_states import RECOVERY, RecoveryState, RecoveryStep
from app.people.safe_words import bare
from app.people.word_lists import WORDS
from consent.base import hash_of, new_id, new_secret
from consent.models import Sealed
from consent.vault import Vault

#: from the right words until the way is open
WAIT = dt.timedelta(hours=72)
#: then it is open for so long, in the browser in which it began
OPEN_FOR = dt.timedelta(days=7)
#: the customer is warned when it begins, and then after so long, and so long before it opens
WARN_AFTER, WARN_BEFORE = dt.timedelta(days=1), dt.timedelta(hours=12)
#: a new address is good for this only after so long: who has an open session must not move the way back first
ADDRESS_SETTLES = dt.timedelta(days=7)
#: words that were sent, and how often somebody may type them
WORDS_LIFE, TRIES = dt.timedelta(minutes=10), 5
#: three of 676 are 28 bits, more than eight digits have; no message of ours has a digit
WORD_COUNT = 3
#: attempts are kept for a day after they are over
KEPT = dt.timedelta(days=1)
#: spaces of one address that are written to, those that were shown to own it first
SPACES_MOST = 3


@dataclass(frozen=True, slots=True)
class Shown:
    """Somebody typed the words that were sent to this customer."""

    customer_id: str
    recovery_id: str | None  #: that they open; None: one may begin


def may_recover(customer: Customer, *, now: dt.datetime) -> bool:
    """Whether what is sent to their address may begin a way back."""
    changed = customer.email_changed_at
    return customer.email_proven_at is not None and (changed is None or now - changed >= ADDRESS_SETTLES)


# ----------------------------------------------------------------------------------------------------- asking for words


def ask(vault: Vault, uow: UnitOfWork, address: str) -> str:
    """Somebody wants words there. The same is done for every address, known or not: looking it up and writing to it is
    work that comes later. Returns the value of the cookie of whoever asks."""
    attempt, secret = _attempt(uow, None)
    vault.put(uow.session, _row_of_address(attempt), address, now=uow.now, expires_at=attempt.expires_at)
    return secret


def ask_to_open(uow: UnitOfWork, recovery: Recovery) -> str:
    """The wait is over: fresh words, for the browser in which it began. Raises TooLate, also before its time."""
    _must_be_open(recovery, now=uow.now)
    return _attempt(uow, recovery.id)[1]


def _attempt(uow: UnitOfWork, recovery_id: str | None) -> tuple[RecoveryAttempt, str]:
    secret = new_secret()
    attempt = RecoveryAttempt(
        id=new_id("rat"),
        token_hash=hash_of(secret),
        recovery_id=recovery_id,
        customers=[],
        tries=0,
        expires_at=uow.now + WORDS_LIFE,
    )
    uow.session.add(attempt)
    uow.record(RecoveryAsked(attempt_id=attempt.id))
    return attempt, secret


def to_write_to(vault: Vault, uow: UnitOfWork, attempt_id: str) -> Sequence[Customer]:
    """Who is sent words for this attempt; nobody: none may be, it is over, or they were sent already. It is locked."""
    attempt = uow.session.get(RecoveryAttempt, attempt_id, with_for_update=True)
    if attempt is None or attempt.expires_at <= uow.now or attempt.customers:
        return ()
    if attempt.recovery_id is not None:
        recovery = uow.session.get_one(Recovery, attempt.recovery_id)
        customer = uow.session.get_one(Customer, recovery.customer_id)
        same = customer.email_changed_at is None or customer.email_changed_at < recovery.began_at
        return [customer] if _is_open(recovery, now=uow.now) and same and customer.email_proven_at is not None else ()
    address = vault.get(uow.session, _row_of_address(attempt))
    able = [each for each in customers_with_address(uow.session, address) if may_recover(each, now=uow.now)]
    return able[:SPACES_MOST]


def is_to_open(session: Session, attempt_id: str) -> bool:
    """Whether the words of this attempt open what has waited: only the browser in which it waited can ask for them."""
    attempt = session.get(RecoveryAttempt, attempt_id)
    return attempt is not None and attempt.recovery_id is not None


def draw(vault: Vault, uow: UnitOfWork, attempt_id: str, customer: Customer) -> str:
    """The words of this attempt for one of them. Returns the id of the fact that has to be told."""
    attempt = uow.session.get_one(RecoveryAttempt, attempt_id)
    words = WORDS[customer.locale if customer.locale in LOCALES else LOCALES[0]]
    three = " ".join(secrets.SystemRandom().sample(words, WORD_COUNT))
    row = _row_of_words(attempt, customer.id)
    vault.put(uow.session, row, three, now=uow.now, expires_at=attempt.expires_at)
    attempt.customers = [*attempt.customers, customer.id]
    return uow.record(RecoveryWordsDrawn(customer_id=customer.id, words=row)).event_id


def words_in(vault: Vault, session: Session, row: str, *, now: dt.datetime) -> tuple[str, ...] | None:
    """Those that are sealed there; None: they count no more."""
    sealed = session.get(Sealed, row)
    if sealed is None or (sealed.expires_at is not None and sealed.expires_at <= now):
        return None
    return tuple(vault.get(session, row).split())


def is_asked(session: Session, secret: str, *, now: dt.datetime) -> bool:
    """Whether words can be typed in this browser still; it says nothing about whether any were sent."""
    live = (RecoveryAttempt.token_hash == hash_of(secret), RecoveryAttempt.expires_at > now)
    return session.scalar(select(RecoveryAttempt.id).where(*live, RecoveryAttempt.tries < TRIES)) is not None


def show(vault: Vault, uow: UnitOfWork, secret: str, *, typed: str) -> Shown | None:
    """Whose words these are. They count once; a wrong try is counted, and the last one ends the attempt. None: they are
    not right, or there is nothing to show: the caller commits all the same."""
    attempt = uow.session.scalar(
        select(RecoveryAttempt).where(RecoveryAttempt.token_hash == hash_of(secret)).with_for_update()
    )
    if attempt is None or attempt.expires_at <= uow.now or attempt.tries >= TRIES:
        return None
    attempt.tries += 1
    for customer_id in attempt.customers:
        words = words_in(vault, uow.session, _row_of_words(attempt, customer_id), now=uow.now)
        if words is not None and hmac.compare_digest(bare(" ".join(words)), bare(typed)):
            attempt.tries = TRIES
            return Shown(customer_id, attempt.recovery_id)
    return None


def _row_of_address(attempt: RecoveryAttempt) -> str:
    return f"recovery:{attempt.id}:address"


def _row_of_words(attempt: RecoveryAttempt, customer_id: str) -> str:
    return f"customer:{customer_id}:recovery:{attempt.id}"


# ------------------------------------------------------------------------------------------------------------- its wait


def begin(uow: UnitOfWork, customer_id: str) -> tuple[Recovery, str]:
    """From now on it waits. One that waited already, in another browser, gives way: who reads the mail today reads it
    whatever they did before, and the wait is the full one. The caller holds the customer, and stops everything with it
    (``stops.pause``). Returns it, and the value of its cookie."""
    if (before := waiting(uow.session, customer_id, lock=True)) is not None:
        _end(uow, before, RecoveryStep.REPLACE)
        uow.session.flush()
    secret = new_secret()
    recovery = Recovery(
        id=new_id("rcv"),
        customer_id=customer_id,
        browser_hash=hash_of(secret),
        state=RecoveryState.WAITING,
        warned=0,
        began_at=uow.now,
        opens_at=uow.now + WAIT,
        expires_at=uow.now + WAIT + OPEN_FOR,
    )
    uow.session.add(recovery)
    uow.session.flush()
    entries.write(uow, Kind.RECOVERY_BEGUN, recovery)
    uow.record(RecoveryBegun(customer_id=customer_id, recovery_id=recovery.id))
    return recovery, secret


def waiting(session: Session, customer_id: str, *, lock: bool = False) -> Recovery | None:
    """The one of theirs that waits."""
    found = select(Recovery).where(Recovery.customer_id == customer_id, Recovery.state == RecoveryState.WAITING)
    return session.scalar(found.with_for_update() if lock else found)


def of_browser(session: Session, secret: str) -> Recovery | None:
    """The one that began in this browser, however it stands."""
    return session.scalar(select(Recovery).where(Recovery.browser_hash == hash_of(secret)))


def to_open(uow: UnitOfWork, recovery_id: str, *, lock: bool = False) -> Recovery:
    """It, while it is open. Raises TooLate once it is over, and before its time. ``lock``: it stays so; for whoever
    holds its customer and has taken their turn at the stop, since others who lock it have."""
    recovery = uow.session.get(Recovery, recovery_id, with_for_update=lock or None, populate_existing=True)
    if recovery is None:
        raise NotFound("recovery")
    _must_be_open(recovery, now=uow.now)
    return recovery


def _is_open(recovery: Recovery, *, now: dt.datetime) -> bool:
    return recovery.state == RecoveryState.WAITING and recovery.opens_at <= now < recovery.expires_at


def _must_be_open(recovery: Recovery, *, now: dt.datetime) -> None:
    if not _is_open(recovery, now=now):
        raise TooLate("recovery-not-open", "This way back is over, or not open yet. Nothing was changed.")


def finish(uow: UnitOfWork, recovery: Recovery, *, evidence: dict[str, Any]) -> None:
    """There is a new passkey."""
    _end(uow, recovery, RecoveryStep.FINISH, evidence=evidence)


def stop_waiting(uow: UnitOfWork, customer_id: str, *, evidence: dict[str, Any]) -> None:
    """A passkey of theirs has signed: whoever waits for a way in waits for nothing. The caller holds their stop."""
    recovery = waiting(uow.session, customer_id, lock=True)
    if recovery is not None:
        _end(uow, recovery, RecoveryStep.STOP, evidence=evidence)
        uow.record(RecoveryOver(customer_id=customer_id))


def _end(uow: UnitOfWork, recovery: Recovery, step: RecoveryStep, *, evidence: dict[str, Any] | None = None) -> None:
    recovery.state = RECOVERY.next(RecoveryState(recovery.state), step)
    recovery.ended_at, recovery.evidence = uow.now, evidence
    uow.session.flush()
    entries.write(uow, Kind.RECOVERY_ENDED, recovery)


# --------------------------------------------------------------------------------------------------------- housekeeping


def look_at_waiting(uow: UnitOfWork) -> None:
    """Warn the customers of those that wait, and end those whose time is over. The stop stays: a passkey lifts it."""
    found = select(Recovery).where(Recovery.state == RecoveryState.WAITING).order_by(Recovery.began_at)
    for recovery in uow.session.scalars(found.limit(500).with_for_update(skip_locked=True)):
        if recovery.expires_at <= uow.now:
            _end(uow, recovery, RecoveryStep.EXPIRE)
            uow.record(RecoveryOver(customer_id=recovery.customer_id))
            continue
        due = (recovery.began_at + WARN_AFTER, recovery.opens_at - WARN_BEFORE)
        count = sum(moment <= uow.now for moment in due)
        if count > recovery.warned:
            recovery.warned = count
            uow.record(RecoveryWaits(customer_id=recovery.customer_id, recovery_id=recovery.id))


def drop_stale(uow: UnitOfWork) -> None:
    """Forget attempts that are over; the vault forgets their words and addresses by itself."""
    stale = delete(RecoveryAttempt).where(RecoveryAttempt.expires_at <= uow.now - KEPT)
    uow.session.execute(stale.execution_options(synchronize_session=False))


def forget_attempts(session: Session, recovery_id: str) -> None:
    """Words that were sent to open it open nothing any more."""
    theirs = update(RecoveryAttempt).where(RecoveryAttempt.recovery_id == recovery_id).values(tries=TRIES)
    session.execute(theirs.execution_options(synchronize_session=False))
