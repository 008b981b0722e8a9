"""Payee accounts: which account a biller's bills may name, in whose words. docs/accounts.md has the rules.

One function writes the state of one (``_take``): state and history in one transaction, with the row locked.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import BindParameter, ColumnElement, and_, bindparam, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session
from stdnum import iban as iban_rules
from stdnum.exceptions import ValidationError

from app.audit import entries
from app.audit.kinds import Kind
from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict, Invalid, NotFound
from app.people import biller_queue, names
from app.people.account_states import ACCOUNT, BY_TWO, MOVES, AccountState, AccountStep
from app.people.biller_states import SUSPENDED, BillerState
from app.people.events import PayeeAccountMoved
from app.people.models import Biller, BillerHistory, PayeeAccount, PayeeAccountHistory
from app.people.operators import check_reason, person
from app.services import WORKER_DEADLINE_S, Services
from connectors.payee_name import SAID, NameAnswer, NameMatch
from consent.base import new_id
from consent.lifecycle import IllegalStep

HOLDER_MAX = 70  #: longer is no SEPA account holder


def checked_iban(written: str) -> str:
    """As it is stored: without spaces, in capitals. Raises Invalid for wrong check digits."""
    try:
        return str(iban_rules.validate(written.upper(), check_country=False))
    except ValidationError as error:
        raise Invalid("iban", f"{written!r} is not an IBAN with right check digits.") from error


# ------------------------------------------------------------------------------------------------------- what is open


def is_open(now: dt.datetime | BindParameter[dt.datetime]) -> ColumnElement[bool]:
    """Whether bills may be paid to it at this moment: it, and its biller, are what two people said. To be asked of
    PayeeAccount joined with its Biller (``with_biller``)."""
    return and_(
        Biller.state == BillerState.VETTED,
        PayeeAccount.state == AccountState.APPROVED,
        PayeeAccount.active_from <= now,
    )


#: how it is joined
with_biller = PayeeAccount.biller_id == Biller.id


def open_ibans(session: Session, *, biller_id: str, now: dt.datetime) -> frozenset[str]:
    """The accounts of a biller that its bills may name."""
    return frozenset(
        session.scalars(
            select(PayeeAccount.iban).join(Biller, with_biller).where(PayeeAccount.biller_id == biller_id, is_open(now))
        )
    )


@dataclass(frozen=True, slots=True)
class KnownAccount:
    """An account of a company that is open, as its customers are told of it."""

    iban: str
    since: dt.datetime


def open_accounts(session: Session, *, biller_ids: Collection[str], now: dt.datetime) -> dict[str, list[KnownAccount]]:
    """Of each of these billers that has any: those that have been open for the longest first."""
    rows = session.execute(
        select(PayeeAccount.biller_id, PayeeAccount.iban, PayeeAccount.active_from)
        .join(Biller, with_biller)
        .where(PayeeAccount.biller_id.in_(biller_ids), is_open(now))
        .order_by(PayeeAccount.active_from, PayeeAccount.id)
    )
    found: dict[str, list[KnownAccount]] = {}
    for biller_id, iban, since in rows:
        if since is not None:  # as of every open one
            found.setdefault(biller_id, []).append(KnownAccount(iban, since))
    return found


_OPEN_SINCE = (
    select(PayeeAccount.id)
    .select_from(Biller)
    .join(PayeeAccount, with_biller)
    .where(
        PayeeAccount.biller_id == bindparam("of_biller"),
        PayeeAccount.iban == bindparam("of_iban"),
        is_open(bindparam("moment")),
    )
)
_OPEN_SINCE_LOCKED = _OPEN_SINCE.with_for_update(read=True)


def is_open_since(session: Session, *, biller_id: str, iban: str, moment: dt.datetime, lock: bool = False) -> bool:
    """Whether it is open, and was so at ``moment``. With ``lock`` nobody freezes it, nor suspends its
    biller, before this transaction ends: who decides or prepares a payment has stood in line for the biller before all
    else (``biller_queue.wait_to_read``), and takes both rows after the invoice, the biller first."""
    given = {"of_biller": biller_id, "of_iban": iban, "moment": moment}
    return session.scalar(_OPEN_SINCE_LOCKED if lock else _OPEN_SINCE, given) is not None


#: nothing is paid to it, whoever else says so; to be asked of PayeeAccount
_IS_FROZEN = PayeeAccount.state.in_((AccountState.FROZEN, AccountState.THAWING))
#: it was open until somebody suspended its biller; to be asked like ``is_open``
_IS_OF_SUSPENDED = and_(Biller.state.in_(SUSPENDED), PayeeAccount.state == AccountState.APPROVED)


def is_iban_stopped(iban: str | InstrumentedAttribute[str | None]) -> ColumnElement[bool]:
    """Whether somebody has frozen it or suspended its biller, whoever's it is: then no bill that its customer added is
    paid to it, either."""
    stopped = select(PayeeAccount.id).join(Biller, with_biller).correlate_except(PayeeAccount, Biller)
    return stopped.where(PayeeAccount.iban == iban, or_(_IS_FROZEN, _IS_OF_SUSPENDED)).exists()


def is_stopped(session: Session, *, iban: str) -> bool:
    """``is_iban_stopped``, of one."""
    return bool(session.scalar(select(is_iban_stopped(iban))))


def may_be_paid(session: Session, *, biller_id: str | None, iban: str, moment: dt.datetime, lock: bool = False) -> bool:
    """Whether a bill may be paid to it that was decided at ``moment``: one of this biller's as ``is_open_since`` says;
    one that its customer added (None) while nobody has stopped payments to it, and nothing is locked then."""
    if biller_id is None:
        return not is_stopped(session, iban=iban)
    return is_open_since(session, biller_id=biller_id, iban=iban, moment=moment, lock=lock)


def stopped_ibans(session: Session, *, biller_ids: Collection[str]) -> set[tuple[str, str]]:
    """The accounts of these billers that somebody has frozen: biller and IBAN of each."""
    wanted = select(PayeeAccount.biller_id, PayeeAccount.iban).where(PayeeAccount.biller_id.in_(biller_ids), _IS_FROZEN)
    return {(biller_id, iban) for biller_id, iban in session.execute(wanted)}


def was_held_since(session: Session, *, iban: str, moment: dt.datetime) -> bool:
    """Whether anybody froze or closed it, or suspended its biller, after ``moment``, whatever it is by now."""
    held = PayeeAccountHistory.after.in_((AccountState.FROZEN, AccountState.CLOSED))
    account = (
        select(PayeeAccountHistory.account_id)
        .join(PayeeAccount, PayeeAccount.id == PayeeAccountHistory.account_id)
        .where(PayeeAccount.iban == iban, held, PayeeAccountHistory.at >= moment)
    )
    biller = (
        select(BillerHistory.biller_id)
        .join(PayeeAccount, PayeeAccount.biller_id == BillerHistory.biller_id)
        .where(PayeeAccount.iban == iban, BillerHistory.after == BillerState.SUSPENDED, BillerHistory.at >= moment)
    )
    return any(session.scalar(each.limit(1)) is not None for each in (account, biller))


# ------------------------------------------------------------------------------------------------------------- verbs


def propose(uow: UnitOfWork, *, biller_id: str, iban: str, holder: str | None, by: str) -> PayeeAccount:
    """Write down an account that is said to be the biller's; one that was closed begins anew, with nobody's approval.

    ``holder``: whose account it is, if that is not the biller's own name. Raises Invalid, NotFound, Conflict.
    """
    biller_queue.wait_to_change(uow.session, biller_id)
    biller = uow.session.get(Biller, biller_id)
    if biller is None:
        raise NotFound("biller")
    name = (holder or biller.name).strip()
    if not 1 <= len(name) <= HOLDER_MAX or not name.isprintable():
        raise Invalid("holder", f"The holder of an account has 1 to {HOLDER_MAX} characters.")
    iban, who = checked_iban(iban), person(by)
    account = uow.session.scalar(
        select(PayeeAccount)
        .where(PayeeAccount.biller_id == biller_id, PayeeAccount.iban == iban)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if account is None:
        account = PayeeAccount(
            id=new_id("acc"), biller_id=biller_id, iban=iban, holder=name, created_at=uow.now, sequence=0
        )
        account.state = AccountState.PROPOSED
        uow.session.add(account)
        entries.write(uow, Kind.ACCOUNT_PROPOSED, account)
        _write_down(uow, account, None, AccountStep.PROPOSE, by=who)
        return account
    if account.state != AccountState.CLOSED:
        raise Conflict("account-known", f"{account.iban} of this biller is {account.state} already: {account.id}.")
    account.holder, account.name_check, account.name_found = name, None, None
    _take(uow, account, AccountStep.PROPOSE, by=who)
    return account


def note_check(uow: UnitOfWork, *, account_id: str, answer: NameAnswer, by: str) -> None:
    """What the payee's bank said of name and account. An approval of before is void: it was given on another answer.

    No answer takes nothing back that was said of this holder before.
    """
    account = _locked(uow.session, account_id)
    if answer.outcome is not NameMatch.NOT_POSSIBLE or account.name_check not in SAID:
        account.name_check, account.name_found = answer.outcome, answer.name
    _take(uow, account, AccountStep.CHECK, by=person(by))


def check_name(services: Services, *, account_id: str, by: str) -> NameAnswer:
    """Ask the payee's bank, outside any transaction, and write down what it said. Raises NotFound, Conflict."""
    person(by)
    with services.reading() as uow:
        account = uow.session.get(PayeeAccount, account_id)
        if account is None:
            raise NotFound("account")
        holder, iban, sequence = account.holder, account.iban, account.sequence
        if not ACCOUNT.allows(AccountState(account.state), AccountStep.CHECK):
            raise _does_not_fit(account)
    answer = services.payee_names.check(name=holder, iban=iban, timeout_s=WORKER_DEADLINE_S)
    with services.unit_of_work() as uow:
        if _locked(uow.session, account_id).sequence != sequence:
            raise Conflict("account-changed", "Somebody did something about this account meanwhile. Check it again.")
        note_check(uow, account_id=account_id, answer=answer, by=by)
        uow.commit()
    return answer


def approve(
    uow: UnitOfWork, *, account_id: str, holder: str, by: str, wait: dt.timedelta, despite: str | None = None
) -> PayeeAccount:
    """One person is sure that it is the biller's and this ``holder``'s, whom they name: what somebody else has changed
    meanwhile is approved by nobody. By the second one it is open after ``wait``.

    Raises Conflict: it is not to be approved, its name was not checked, or this person has approved it already; Invalid
    where it is another holder's, or the name does not match and nobody says why that is right all the same.
    """
    who, account = person(by), _locked(uow.session, account_id)
    if names.key(holder) != names.key(account.holder):
        raise Invalid(
            "holder", f"{account.id} is {account.iban} of {account.holder}: look at it, and name that holder."
        )
    if not ACCOUNT.allows(AccountState(account.state), AccountStep.APPROVE):
        raise _does_not_fit(account)
    if account.name_check is None:
        raise Conflict("name-not-checked", f"Check its name first: quittance biller account check {account.id}.")
    if account.name_check == NameMatch.NO_MATCH and not despite:
        raise Invalid(
            "name-differs",
            f"The payee's bank says that {account.iban} does not belong to {account.holder}. Close it; or, if you know"
            " why that is so and are sure, say it: --despite REASON.",
        )
    if account.state == AccountState.APPROVED_ONCE:
        account.active_from = uow.now + wait
    _take(uow, account, AccountStep.APPROVE, by=who, note=despite)
    return account


def freeze(uow: UnitOfWork, *, account_id: str, by: str, note: str) -> None:
    """At once: nothing is paid to it any more, and what is under way is stopped while it can be."""
    _take(uow, _locked(uow.session, account_id), AccountStep.FREEZE, by=person(by), note=note)


def unfreeze(uow: UnitOfWork, *, account_id: str, by: str, note: str) -> PayeeAccount:
    """One person wants it open again. By the second one it is, if its waiting time is over."""
    account = _locked(uow.session, account_id)
    _take(uow, account, AccountStep.UNFREEZE, by=person(by), note=note)
    return account


def close(uow: UnitOfWork, *, account_id: str, by: str, note: str) -> None:
    """Refuse or give it up, whatever it was. It comes back only by being proposed anew."""
    _take(uow, _locked(uow.session, account_id), AccountStep.CLOSE, by=person(by), note=note)


# --------------------------------------------------------------------------------------------------------- the writer


def _locked(session: Session, account_id: str) -> PayeeAccount:
    account = session.get(PayeeAccount, account_id)
    if account is None:
        raise NotFound("account")
    biller_queue.wait_to_change(session, account.biller_id)
    session.refresh(account, with_for_update=True)
    return account


def _does_not_fit(account: PayeeAccount) -> Conflict:
    return Conflict("account-state", f"{account.id} is {account.state}: this cannot be done now.")


def _take(uow: UnitOfWork, account: PayeeAccount, step: AccountStep, *, by: str, note: str | None = None) -> None:
    """Step a locked account. A repeat changes nothing. Raises Conflict where it does not fit, and Invalid."""
    before = AccountState(account.state)
    try:
        after = ACCOUNT.next(before, step)
    except IllegalStep:
        raise _does_not_fit(account) from None
    if (before, step) in ACCOUNT.ignored:
        return
    if step in BY_TWO and _last_by(uow.session, account) == (step.name.lower(), by):
        raise Conflict("same-person", f"{by} has said so already: somebody else must look at it, too.")
    account.state = after
    _write_down(uow, account, before, step, by=by, note=note)
    if step in MOVES and after in (AccountState.APPROVED, AccountState.FROZEN, AccountState.CLOSED):
        uow.record(PayeeAccountMoved(account_id=account.id))


def _last_by(session: Session, account: PayeeAccount) -> tuple[str, str] | None:
    """The step of the last line of its history, and whose it was."""
    line = session.get_one(PayeeAccountHistory, (account.id, account.sequence))
    return (line.step, line.by)


def _write_down(
    uow: UnitOfWork,
    account: PayeeAccount,
    before: AccountState | None,
    step: AccountStep,
    *,
    by: str,
    note: str | None = None,
) -> None:
    check_reason(note)
    account.sequence += 1
    uow.session.flush()
    line = PayeeAccountHistory(
        account_id=account.id,
        sequence=account.sequence,
        step=step.name.lower(),
        before=before,
        after=account.state,
        holder=account.holder,
        by=by,
        note=note,
        name_check=account.name_check,
        name_found=account.name_found,
        active_from=account.active_from,
        at=uow.now,
    )
    uow.session.add(line)
    entries.write(uow, Kind.ACCOUNT_STEP, line)
    uow.session.flush()


# ---------------------------------------------------------------------------------------------------------- its lines


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLine:
    """One account as an operator sees it, with whatever was done about it, oldest first."""

    account: PayeeAccount
    biller_name: str
    history: tuple[PayeeAccountHistory, ...]
    is_open: bool


def accounts_of(session: Session, *, now: dt.datetime, biller_id: str | None = None) -> list[AccountLine]:
    """All of one biller, or of all billers."""
    rows = session.execute(
        select(PayeeAccount, Biller.name, is_open(now))
        .join(Biller, with_biller)
        .where(*([] if biller_id is None else [PayeeAccount.biller_id == biller_id]))
        .order_by(Biller.name, PayeeAccount.id)
    ).all()
    lines: Sequence[PayeeAccountHistory] = session.scalars(
        select(PayeeAccountHistory)
        .where(PayeeAccountHistory.account_id.in_([row[0].id for row in rows]))
        .order_by(PayeeAccountHistory.account_id, PayeeAccountHistory.sequence)
    ).all()
    return [
        AccountLine(
            account=account,
            biller_name=name,
            history=tuple(each for each in lines if each.account_id == account.id),
            is_open=bool(is_open_now),
        )
        for account, name, is_open_now in rows
    ]
