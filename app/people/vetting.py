"""Vetting: whether a biller may reach customers, in whose words, and by what evidence. docs/vetting.md has the rules.

One function writes the state of one (``_take``): state and history in one transaction, with the row locked.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit import entries
from app.audit.kinds import Kind
from app.db.unit_of_work import UnitOfWork
from app.db.upsert import insert_once
from app.errors import Conflict, Invalid, NotFound
from app.people import accounts, biller_queue, resemblance
from app.people.account_states import AccountState
from app.people.biller_states import BILLER, BY_TWO, BillerState, BillerStep
from app.people.events import BillerVetted, PayeeAccountMoved
from app.people.identifiers import Scheme, has_right_digits, key_of
from app.people.lookalikes import SERVICE_NAMES
from app.people.models import Biller, BillerHistory, BillerIdentifier, PayeeAccount, PayeeAccountHistory
from app.people.operators import check_reason, person
from app.people.sealing_keys import is_good, keys_of
from app.services import WORKER_DEADLINE_S, Services
from connectors.company_register import Found, RegisterAnswer
from connectors.payee_name import NameMatch
from consent.lifecycle import IllegalStep

# ---------------------------------------------------------------------------------------------- what speaks against it


class Doubt(enum.StrEnum):
    """Why two people have to say that it may come in all the same."""

    LIKE_BILLER = "like-biller"  #: its name is taken for another biller's
    LIKE_SERVICE = "like-service"  #: or for this service's
    LIKE_BANK = "like-bank"  #: or for a bank's
    OTHER_LETTERS = "other-letters"  #: it is written with letters that may look like others
    CEASED = "ceased"  #: a register says that there is no such company any more
    NOT_FOUND = "not-found"  #: or never was
    OTHER_NAME = "other-name"  #: a register has another name for this number


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One of these, and whose name or number it is about."""

    doubt: Doubt
    about: str  #: a name, or scheme and value of a number
    biller_id: str | None = None  #: of a biller that it looks like

    def __str__(self) -> str:
        return _SAYS[self.doubt].format(about=self.about, biller_id=self.biller_id)


_SAYS = {
    Doubt.LIKE_BILLER: "its name is like that of {about} ({biller_id})",
    Doubt.LIKE_SERVICE: "its name is like that of this service, {about}",
    Doubt.LIKE_BANK: "its name is like that of the bank {about}",
    Doubt.OTHER_LETTERS: "{about} is written with letters that may look like others",
    Doubt.CEASED: "the register says that {about} is of a company that has ceased",
    Doubt.NOT_FOUND: "the register does not know {about}",
    Doubt.OTHER_NAME: "the register has another name: {about}",
}


def reviews(session: Session, biller: Biller, *, bank_names: Collection[str]) -> list[Review]:
    """What speaks against it at this moment: asked when it is proposed, and again by each who approves it."""
    return [*_alike(session, biller, bank_names), *_said_by_registers(session, biller)]


def _alike(session: Session, biller: Biller, bank_names: Collection[str]) -> Iterator[Review]:
    others = session.execute(
        select(Biller.id, Biller.name)
        .where(Biller.id != biller.id, Biller.state != BillerState.REFUSED)
        .order_by(Biller.id)
    )
    for other_id, name in others:
        if resemblance.resembles(biller.name, name):
            yield Review(doubt=Doubt.LIKE_BILLER, about=name, biller_id=other_id)
    for name in SERVICE_NAMES:
        if resemblance.calls_itself(biller.name, name):
            yield Review(doubt=Doubt.LIKE_SERVICE, about=name.title())
    for name in sorted(set(bank_names)):
        if resemblance.resembles(biller.name, name):
            yield Review(doubt=Doubt.LIKE_BANK, about=name)
    if resemblance.has_other_letters(biller.name):
        yield Review(doubt=Doubt.OTHER_LETTERS, about=biller.name)


def _said_by_registers(session: Session, biller: Biller) -> Iterator[Review]:
    for each in identifiers_of(session, biller.id):
        number = f"{each.scheme} {each.value}"
        if each.outcome in (Found.CEASED, Found.NOT_FOUND):
            yield Review(doubt=Doubt.CEASED if each.outcome == Found.CEASED else Doubt.NOT_FOUND, about=number)
        if each.name_found is not None and not resemblance.is_same(biller.name, each.name_found):
            yield Review(doubt=Doubt.OTHER_NAME, about=f"{each.name_found}, for {number}")


def identifiers_of(session: Session, biller_id: str) -> Sequence[BillerIdentifier]:
    of_biller = select(BillerIdentifier).where(BillerIdentifier.biller_id == biller_id)
    return session.scalars(of_biller.order_by(BillerIdentifier.scheme)).all()


#: a register knew, or knew that there is none
_SAID = (Found.ACTIVE, Found.CEASED, Found.NOT_FOUND)
#: on older answers nobody is approved: a company may have ceased, or have another name, since
ANSWER_AGE = dt.timedelta(days=30)
#: nobody else may have the number
_HELD = BillerIdentifier.released_at.is_(None)


# ------------------------------------------------------------------------------------------------------------- verbs


def begin(uow: UnitOfWork, biller: Biller, *, identifiers: Mapping[Scheme, str], by: str) -> None:
    """The first line of a biller that was just written down, with its numbers. Raises Invalid, Conflict."""
    who = person(by)
    # in one order: two who propose the same wait, and never in a ring
    for scheme, value in sorted(identifiers.items()):
        value_key = key_of(scheme, value)
        row = {
            "biller_id": biller.id,
            "scheme": scheme,
            "value": value,
            "value_key": value_key,
            "registered_at": uow.now,
        }
        if not insert_once(uow.session, BillerIdentifier, row, unique=["scheme", "value_key"], where=_HELD):
            taken = select(BillerIdentifier.biller_id).where(
                BillerIdentifier.scheme == scheme, BillerIdentifier.value_key == value_key, _HELD
            )
            other = uow.session.scalar(taken)
            raise Conflict("biller-known", f"There is a biller with the {scheme} number {value} already: {other}.")
        entries.write(uow, Kind.BILLER_IDENTIFIED, BillerIdentifier(**row))
    biller.state, biller.sequence = BillerState.PROPOSED, 0
    _write_down(uow, biller, None, "propose", by=who)


def note_answers(uow: UnitOfWork, *, biller_id: str, answers: Mapping[str, RegisterAnswer], by: str) -> None:
    """What the registers said, by scheme. An approval of before is void: it was given on other answers.

    No answer takes nothing back that a register said before, which does not become younger by it. Raises NotFound,
    Conflict.
    """
    who, biller = person(by), _locked(uow.session, biller_id)
    for each in identifiers_of(uow.session, biller_id):
        answer = answers.get(each.scheme)
        if answer is None or (answer.outcome is Found.NOT_POSSIBLE and each.outcome in _SAID):
            continue
        each.outcome, each.name_found, each.asked_at = answer.outcome, answer.name, uow.now
    _take(uow, biller, BillerStep.CHECK, by=who)


def check(services: Services, *, biller_id: str, by: str) -> None:
    """Ask the registers, outside any transaction, and write down what they said. Raises NotFound, Conflict."""
    person(by)
    with services.reading() as uow:
        biller = uow.session.get(Biller, biller_id)
        if biller is None:
            raise NotFound("biller")
        if not BILLER.allows(BillerState(biller.state), BillerStep.CHECK):
            raise _does_not_fit(biller)
        sequence = biller.sequence
        numbers = [(each.scheme, each.value) for each in identifiers_of(uow.session, biller_id)]
    register = services.company_register
    answers = {
        scheme: register.look_up(scheme=scheme, value=value, timeout_s=WORKER_DEADLINE_S) for scheme, value in numbers
    }
    with services.unit_of_work() as uow:
        if _locked(uow.session, biller_id).sequence != sequence:
            raise Conflict("biller-changed", "Somebody did something about this biller meanwhile. Check it again.")
        note_answers(uow, biller_id=biller_id, answers=answers, by=by)
        uow.commit()


def approve(
    uow: UnitOfWork,
    *,
    biller_id: str,
    by: str,
    bank_names: Collection[str],
    although_like: Collection[str] = (),
    despite: str | None = None,
) -> Biller:
    """One person is sure who it is. By the second one it is vetted.

    ``although_like``: each biller that its name is like, so that nobody overlooks one. Raises Conflict: it is not to be
    approved, it was not checked within ANSWER_AGE, or this person has approved it already; Invalid where something
    speaks against it and they do not say why it is right all the same.
    """
    who, biller = person(by), _locked(uow.session, biller_id)
    if not BILLER.allows(BillerState(biller.state), BillerStep.APPROVE):
        raise _does_not_fit(biller)
    numbers = identifiers_of(uow.session, biller_id)
    if not numbers or any(each.asked_at is None or uow.now - each.asked_at > ANSWER_AGE for each in numbers):
        detail = f"Ask the registers first, at most {ANSWER_AGE.days} days before: quittance biller check {biller.id}."
        raise Conflict("biller-not-checked", detail)
    found = reviews(uow.session, biller, bank_names=bank_names)
    like = {each.biller_id for each in found if each.biller_id is not None}
    if found and (despite is None or not like <= set(although_like)):
        named = "".join(f" --although-like {each}" for each in sorted(like))
        raise Invalid(
            "needs-review",
            f"{biller.name}: {'; '.join(map(str, found))}. Refuse it; or, if you know why that is so and are sure, say"
            f" it:{named} --despite REASON.",
        )
    if stray := sorted(set(although_like) - like):
        raise Invalid("not-like", f"Its name is not like that of {', '.join(stray)}.")
    if biller.state == BillerState.APPROVED_ONCE:
        biller.vetted_since = uow.now
    _take(uow, biller, BillerStep.APPROVE, by=who, note=despite, found=found)
    return biller


def refuse(uow: UnitOfWork, *, biller_id: str, by: str, note: str) -> None:
    """It does not come in. Its numbers are free: who they belong to may still come."""
    biller = _locked(uow.session, biller_id)
    _take(uow, biller, BillerStep.REFUSE, by=person(by), note=note)
    for each in identifiers_of(uow.session, biller_id):
        each.released_at = each.released_at or uow.now


def suspend(uow: UnitOfWork, *, biller_id: str, by: str, note: str) -> None:
    """At once: what it delivers is held, nothing is paid to it, and what is under way is stopped while it can be."""
    _take(uow, _locked(uow.session, biller_id), BillerStep.SUSPEND, by=person(by), note=note)


def reinstate(uow: UnitOfWork, *, biller_id: str, by: str, note: str) -> Biller:
    """One person wants it back. By the second one it is vetted again."""
    biller = _locked(uow.session, biller_id)
    _take(uow, biller, BillerStep.REINSTATE, by=person(by), note=note)
    return biller


# --------------------------------------------------------------------------------------------------------- the writer


def _locked(session: Session, biller_id: str) -> Biller:
    """Who only refers to it is not kept waiting; who takes a bill of it, or decides on a payment to it, is."""
    biller_queue.wait_to_change(session, biller_id)
    biller = session.get(Biller, biller_id, with_for_update={"key_share": True}, populate_existing=True)
    if biller is None:
        raise NotFound("biller")
    return biller


def _does_not_fit(biller: Biller) -> Conflict:
    return Conflict("biller-state", f"{biller.id} is {biller.state}: this cannot be done now.")


def _take(
    uow: UnitOfWork,
    biller: Biller,
    step: BillerStep,
    *,
    by: str,
    note: str | None = None,
    found: Sequence[Review] = (),
) -> None:
    """Step a locked biller. A repeat changes nothing. Raises Conflict where it does not fit, and Invalid."""
    before = BillerState(biller.state)
    try:
        after = BILLER.next(before, step)
    except IllegalStep:
        raise _does_not_fit(biller) from None
    if (before, step) in BILLER.ignored:
        return
    if step in BY_TWO and _last_by(uow.session, biller) == (step.name.lower(), by):
        raise Conflict("same-person", f"{by} has said so already: somebody else must look at it, too.")
    biller.state = after
    _write_down(uow, biller, before, step.name.lower(), by=by, note=note, found=found)
    if after is BillerState.VETTED:
        uow.record(BillerVetted(biller_id=biller.id))
    if BillerState.VETTED in (before, after):
        _move_accounts(uow, biller)


def _move_accounts(uow: UnitOfWork, biller: Biller) -> None:
    """Its accounts are open by it: payments under way to them are looked at."""
    approved = select(PayeeAccount.id).where(
        PayeeAccount.biller_id == biller.id, PayeeAccount.state == AccountState.APPROVED
    )
    for account_id in uow.session.scalars(approved.order_by(PayeeAccount.id)).all():
        uow.record(PayeeAccountMoved(account_id=account_id))


def _last_by(session: Session, biller: Biller) -> tuple[str, str]:
    """The step of the last line of its history, and whose it was."""
    line = session.get_one(BillerHistory, (biller.id, biller.sequence))
    return (line.step, line.by)


def _write_down(
    uow: UnitOfWork,
    biller: Biller,
    before: BillerState | None,
    step: str,
    *,
    by: str,
    note: str | None = None,
    found: Sequence[Review] = (),
) -> None:
    check_reason(note)
    biller.sequence += 1
    uow.session.flush()
    line = BillerHistory(
        biller_id=biller.id,
        sequence=biller.sequence,
        step=step,
        before=before,
        after=biller.state,
        by=by,
        note=note,
        doubted=bool(found),
        evidence=_evidence(identifiers_of(uow.session, biller.id), found),
        at=uow.now,
    )
    uow.session.add(line)
    entries.write(uow, Kind.BILLER_STEP, line)
    uow.session.flush()


def _evidence(numbers: Sequence[BillerIdentifier], found: Sequence[Review]) -> dict[str, Any]:
    """As they saw it, for the log: texts alone."""
    return {
        "identifiers": [
            {
                "scheme": each.scheme,
                "value": each.value,
                "outcome": each.outcome or "",
                "name": each.name_found or "",
                "asked_at": each.asked_at.isoformat() if each.asked_at else "",
            }
            for each in numbers
        ],
        "reviews": [{"doubt": each.doubt.value, "about": each.about, "biller": each.biller_id or ""} for each in found],
    }


# ---------------------------------------------------------------------------------------------------------- its lines


@dataclass(frozen=True, slots=True, kw_only=True)
class BillerLine:
    """One biller as an operator sees it, with whatever was done about it, oldest first."""

    biller: Biller
    identifiers: Sequence[BillerIdentifier]
    reviews: Sequence[Review]  #: what speaks against it now
    history: Sequence[BillerHistory]


def line_of(session: Session, *, biller_id: str, bank_names: Collection[str]) -> BillerLine:
    """Raises NotFound."""
    biller = session.get(Biller, biller_id)
    if biller is None:
        raise NotFound("biller")
    history = select(BillerHistory).where(BillerHistory.biller_id == biller_id).order_by(BillerHistory.sequence)
    return BillerLine(
        biller=biller,
        identifiers=identifiers_of(session, biller_id),
        reviews=reviews(session, biller, bank_names=bank_names),
        history=session.scalars(history).all(),
    )


#: who waits for somebody comes first
_WAITING = (BillerState.PROPOSED, BillerState.APPROVED_ONCE, BillerState.RETURNING, BillerState.SUSPENDED)


def all_billers(session: Session) -> Sequence[Biller]:
    """For an operator: those that wait for somebody first, then by name."""
    return session.scalars(select(Biller).order_by(Biller.state.not_in(_WAITING), Biller.name, Biller.id)).all()


# ------------------------------------------------------------------------------------------------------- for customers


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownNumber:
    """A number in a public register, and what that said."""

    scheme: str
    value: str
    outcome: Found | None  #: None: no register was asked
    name: str | None  #: the legal name, as the register has it
    asked_at: dt.datetime | None

    @property
    def is_checked(self) -> bool:
        """Whether its digits are right: of what came before each was checked nobody may know how."""
        return has_right_digits(Scheme(self.scheme), self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class VettingView:
    """Since when a biller is vetted, and by what evidence."""

    since: dt.datetime
    is_suspended: bool
    is_of_before: bool  #: it came in before billers had a history
    numbers: tuple[KnownNumber, ...]
    accounts: int  #: that are open now
    accounts_brought: int  #: of them, those that came before two people approved each: no bank was asked about them
    #: those whose bank said that they are in the name they were approved with, or nearly
    accounts_matched: int
    accounts_differ: int  #: and those whose bank said that they are not
    holders: tuple[str, ...]  #: in whose names they are, where that is another one than its own
    keys: int  #: with which it seals its bills now


def vetting_of(session: Session, *, biller_id: str, now: dt.datetime) -> VettingView | None:
    """As its customers may see it; None: it was never vetted."""
    biller = session.get_one(Biller, biller_id)
    if biller.vetted_since is None:
        return None
    first = session.get(BillerHistory, (biller_id, 1))
    approved = select(PayeeAccountHistory.account_id).where(
        PayeeAccountHistory.account_id == PayeeAccount.id, PayeeAccountHistory.step == "approve"
    )
    open_now = session.execute(
        select(PayeeAccount.name_check, PayeeAccount.holder, approved.exists().label("is_approved"))
        .join(Biller, accounts.with_biller)
        .where(PayeeAccount.biller_id == biller_id, accounts.is_open(now))
        .order_by(PayeeAccount.holder)
    ).all()
    checks = [each.name_check for each in open_now]
    return VettingView(
        since=biller.vetted_since,
        is_suspended=biller.state != BillerState.VETTED,
        is_of_before=first is not None and first.step == "bring_over",
        numbers=tuple(
            KnownNumber(
                scheme=each.scheme,
                value=each.value,
                outcome=Found(each.outcome) if each.outcome else None,
                name=each.name_found,
                asked_at=each.asked_at,
            )
            for each in identifiers_of(session, biller_id)
        ),
        accounts=len(checks),
        accounts_brought=sum(not each.is_approved for each in open_now),
        accounts_matched=sum(each in (NameMatch.MATCH, NameMatch.CLOSE_MATCH) for each in checks),
        accounts_differ=sum(each == NameMatch.NO_MATCH for each in checks),
        holders=tuple(
            dict.fromkeys(each.holder for each in open_now if not resemblance.is_same(biller.name, each.holder))
        ),
        keys=sum(is_good(key, at=now) for key in keys_of(session, biller_id=biller_id)),
    )
