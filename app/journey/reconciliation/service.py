"""Taking in what banks' statements and billers say. Only what statements prove moves a payment; all else is listed."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, delete, func, not_, or_, select
from sqlalchemy.orm import Session

from app.db.unit_of_work import UnitOfWork
from app.db.upsert import insert_once
from app.errors import Conflict, FieldError, Invalid, NotFound
from app.journey.decisions.models import Decision
from app.journey.intake.service import ClientIdentity
from app.journey.payments import rules as payment_rules
from app.journey.payments.access import locked, was_said
from app.journey.payments.looks import follow_from
from app.journey.payments.models import Payment
from app.journey.payments.service import EVIDENCE_LEAST
from app.journey.payments.states import CLOSED, SETTLED_ONCE, PaymentState, Source
from app.journey.payments.step import correct
from app.journey.payments.way import was_given_out
from app.journey.reconciliation import camt, rules
from app.journey.reconciliation.camt import CamtRefused, Entry, Transaction, Unreadable
from app.journey.reconciliation.models import (
    BillerWord,
    DifferenceNote,
    Statement,
    StatementAccount,
    StatementEntry,
)
from app.journey.reconciliation.read import differences, line_of, proves
from app.journey.reconciliation.rules import Account, Expected, Verdict
from app.people.accounts import checked_iban
from app.services import Services
from connectors.contract import Fact
from connectors.money import Money
from consent.base import new_id

#: ids in one query; SQLite takes no more than 32,766 values
CHUNK = 1000
#: how long after settlement a payment is asked about again by hand
RECENT = dt.timedelta(days=7)
#: characters of an operator's sentence
BECAUSE_MOST = 1000
#: how often a biller may change its word about one payment
WORDS_MOST = 50


# ---------------------------------------------------------------------------------------------------------- statements


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did."""

    kind: str
    message_id: str
    statements: int
    new: int  #: statements that we did not have yet
    entries: int  #: bookings in the file, of whomever
    matched: int  #: exactly payments of ours, on an account that proves it
    changed: int  #: payments that took a step by it, or by what an earlier import had left undone
    different: int  #: ours by the id, and not as decided or no proof; or of no payment that we know
    pending: int  #: ours, and not booked yet
    unreadable: int

    @property
    def known(self) -> bool:
        return self.new == 0

    def __str__(self) -> str:
        if self.known:
            then = f"{self.changed} payments changed now" if self.changed else "nothing was changed"
            return f"{self.kind} {self.message_id} was imported before; {then}."
        return (
            f"{self.kind} {self.message_id}: {self.entries} bookings, {self.matched} matched, {self.changed} changed,"
            f" {self.different} different, {self.pending} pending, {self.unreadable} unreadable"
        )


def import_statement(services: Services, content: bytes) -> Imported:
    """Take in a camt.053 or camt.054 file. The same bytes again are no second statement. Raises Invalid.

    All of it is stored in one transaction. Then the payments take their steps, see ``believe``: what a crash in between
    left undone is done by the next import of any file, also of the same.
    """
    message = _read(content)
    sha256 = hashlib.sha256(content).hexdigest()
    with services.reading() as uow:  # long for a large file: no writer waits for it
        payments = _payments_of(uow.session, message)
    new = 0
    with services.unit_of_work() as uow:
        for position, statement in enumerate(message.statements, 1):
            new += _store(uow, message, statement, payments, sha256=sha256, position=position)
        uow.commit()
    changed = believe(services)
    with services.reading() as uow:
        found = uow.session.execute(
            select(StatementEntry.verdict, proves())
            .join(Statement, Statement.id == StatementEntry.statement_id)
            .where(Statement.sha256 == sha256)
        ).all()
    verdicts = [Verdict(verdict) for verdict, _ in found]
    matched = sum(proven for _, proven in found)
    pending, unreadable = verdicts.count(Verdict.PENDING), verdicts.count(Verdict.UNREADABLE)
    return Imported(
        kind=message.kind,
        message_id=message.id,
        statements=len(message.statements),
        new=new,
        entries=sum(statement.bookings for statement in message.statements),
        matched=matched,
        changed=changed,
        different=len(verdicts) - matched - pending - unreadable,
        pending=pending,
        unreadable=unreadable,
    )


def _read(content: bytes) -> camt.Message:
    try:
        message = camt.read(content)
    except CamtRefused as refused:
        errors = (FieldError(refused.element, str(refused)),) if refused.element else ()
        raise Invalid(refused.code, str(refused), errors=errors) from None
    if message.kind == "camt.052":
        raise Invalid("not-final", "An intraday report (camt.052) is no proof: import the camt.053 or camt.054.")
    return message


#: id and decision of payments, by their EndToEndId in small letters
Payments = Mapping[str, tuple[str, Expected]]


def _payments_of(session: Session, message: camt.Message) -> Payments:
    """The payments that a message speaks of."""
    ids = {
        found
        for statement in message.statements
        for found in (
            *(one.end_to_end_id for entry in statement.entries for one in entry.transactions),
            *(one.end_to_end_id for one in statement.unreadable),
        )
        if found is not None
    }
    return {
        end_to_end_id.lower(): (payment_id, expected)
        for end_to_end_id, payment_id, expected in _payments_named(session, ids)
    }


def _store(
    uow: UnitOfWork,
    message: camt.Message,
    statement: camt.Statement,
    payments: Payments,
    *,
    sha256: str,
    position: int,
) -> bool:
    """False when we have these bytes already, also when another import wrote them just now."""
    statement_id = new_id("stm")
    first, last = statement.period or (None, None)
    values = {
        "id": statement_id,
        "kind": message.kind,
        "message_id": message.id,
        "number": statement.id,
        "account": statement.account,
        "sha256": sha256,
        "position": position,
        "first_day": first,
        "last_day": last,
        "itemised": statement.itemised,
        "entries": statement.bookings,
        "imported_at": uow.now,
    }
    if not insert_once(uow.session, Statement, values, unique=["sha256", "position"]):
        return False
    rows = [
        row
        for entry in statement.entries
        for transaction in entry.transactions
        if (row := _booking(payments, statement.account, entry, transaction)) is not None
    ]
    rows += [row for one in statement.unreadable if (row := _unreadable(payments, one)) is not None]
    for number, row in enumerate(rows, 1):
        row.id, row.statement_id, row.position = new_id("ste"), statement_id, number
    uow.session.add_all(rows)
    return True


def _booking(payments: Payments, account: str, entry: Entry, transaction: Transaction) -> StatementEntry | None:
    """None for what is not ours."""
    end_to_end_id = transaction.end_to_end_id
    if end_to_end_id is None:
        return None
    payment_id, expected = payments.get(end_to_end_id.lower(), (None, None))
    if expected is None and not rules.is_ours(end_to_end_id):
        return None
    direction = transaction.original_direction
    is_debit = direction is camt.Direction.DEBIT
    found = Verdict.UNKNOWN
    if not entry.booked:
        found = Verdict.PENDING
    elif expected is not None:
        found = rules.verdict(
            expected,
            amount=transaction.amount,
            direction=direction,
            account=camt.iban_of(account),
            counterparty_iban=transaction.counterparty_iban,
        )
    return StatementEntry(
        place=transaction.place,
        end_to_end_id=end_to_end_id,
        direction=direction,
        reversal=transaction.reversal,
        currency=transaction.amount.currency,
        amount_minor=transaction.amount.minor,
        # of a credit it is the customer's account: it proves nothing, so we do not keep it
        counterparty_iban=transaction.counterparty_iban if is_debit else None,
        booked_on=entry.booked_on,
        bank_reference=transaction.bank_reference,
        entry_reference=entry.bank_reference,
        return_reason=transaction.return_reason,
        payment_id=payment_id,
        verdict=found,
    )


def _unreadable(payments: Payments, one: Unreadable) -> StatementEntry | None:
    """None for what is certainly not ours."""
    payment_id, _ = payments.get((one.end_to_end_id or "").lower(), (None, None))
    if payment_id is None and one.end_to_end_id is not None and not rules.is_ours(one.end_to_end_id):
        return None
    return StatementEntry(
        place=one.place,
        end_to_end_id=one.end_to_end_id,
        reversal=False,
        booked_on=one.booked_on,
        payment_id=payment_id,
        verdict=Verdict.UNREADABLE,
        reason=one.reason[:1000],
    )


def _payments_named(session: Session, end_to_end_ids: Iterable[str]) -> Iterator[tuple[str, str, Expected]]:
    """EndToEndId, id and decision of the payments with these EndToEndIds. Banks change the case; ours are small."""
    cases = sorted({form for one in end_to_end_ids for form in (one, one.lower(), one.upper())})
    for start in range(0, len(cases), CHUNK):
        rows = session.execute(
            select(Payment.end_to_end_id, Payment.id, Decision.amount_minor, Decision.currency, Decision.payee_iban)
            .join(Decision, Decision.id == Payment.decision_id)
            .where(Payment.end_to_end_id.in_(cases[start : start + CHUNK]))
        )
        for end_to_end_id, payment_id, minor, currency, payee_iban in rows:
            yield end_to_end_id, payment_id, Expected(Money(minor, currency), camt.iban_of(payee_iban))


def believe(services: Services) -> int:
    """Step every payment of which statements have proven something that it has not followed yet. Returns how many did.

    One payment a transaction: on SQLite no writer waits for a whole file.
    """
    with services.reading() as uow:
        waiting = uow.session.scalars(
            select(StatementEntry.payment_id)
            .join(Statement, Statement.id == StatementEntry.statement_id)
            .where(proves(), StatementEntry.believed_at.is_(None))
            .distinct()
            .order_by(StatementEntry.payment_id)
        ).all()
    changed = 0
    for payment_id in filter(None, waiting):
        with services.unit_of_work() as uow:
            changed += _believe(uow, payment_id)
            uow.commit()
    return changed


def _believe(uow: UnitOfWork, payment_id: str) -> bool:
    """Step one payment by all that statements prove of it, not only by what is new. Returns whether it took a step."""
    payment = locked(uow.session, payment_id)  # then what another import has just said of it is seen, too
    rows = uow.session.execute(
        select(StatementEntry, Statement)
        .join(Statement, Statement.id == StatementEntry.statement_id)
        .where(StatementEntry.payment_id == payment_id, proves())
        .order_by(StatementEntry.id)
    )
    found = [(entry, statement) for entry, statement in rows]
    lines = [line_of(entry, statement.account) for entry, statement in found]
    proof = rules.proven(rules.accounts(rules.bookings(lines)))
    changed = False
    came_and_went = payment.state in CLOSED and proof.taken_back is not None  # as we say: it did not happen
    if proof.executed is not None and proof.fact is not None and not came_and_went:
        evidence = _evidence(found, proof.executed, reversal=False)
        changed = correct(uow, payment, proof.fact, source=Source.STATEMENT, evidence=evidence)
    if proof.taken_back is not None and payment.state == PaymentState.SETTLED:  # nothing else can be taken back
        evidence = _evidence(found, proof.taken_back, reversal=True)
        if not was_said(uow.session, payment, evidence=evidence):  # else the bank has said since that it lasts
            changed = correct(uow, payment, Fact.REJECTED, source=Source.STATEMENT, evidence=evidence) or changed
    # else it is not at its bank yet, as far as we know
    if came_and_went or proof.executed is None or payment.state in SETTLED_ONCE:
        for entry, _ in found:
            entry.believed_at = entry.believed_at or uow.now
    return changed


def _evidence(found: Sequence[tuple[StatementEntry, Statement]], side: Account, *, reversal: bool) -> str:
    """Where it is written: ``camt:<message>/<entry>``, the entry by the bank's reference, else by its place."""
    entry, statement = [
        (entry, statement)
        for entry, statement in found
        if (statement.account, entry.direction, entry.reversal) == (side.account, side.direction, reversal)
    ][-1]
    return f"camt:{statement.message_id}/{entry.bank_reference or entry.entry_reference or entry.place}"


# -------------------------------------------------------------------------------- accounts whose statements are proof


def add_account(uow: UnitOfWork, *, iban: str, because: str) -> None:
    """Take bookings on this account for the bank's word: its statements come from the bank itself, an operator says.

    What statements said of it before counts as well, from the next ``believe`` on. Raises Invalid, Conflict.
    """
    text = _sentence(because, "Say whose account it is, and how its statements come from the bank")
    values = {"iban": checked_iban(iban), "because": text, "added_at": uow.now}
    if not insert_once(uow.session, StatementAccount, values, unique=["iban"]):
        raise Conflict("account-known", f"{values['iban']} is registered already.")


def remove_account(uow: UnitOfWork, *, iban: str) -> None:
    """Its statements prove nothing from now on, and are listed. What they moved stays. Raises Invalid, NotFound."""
    gone = delete(StatementAccount).where(StatementAccount.iban == checked_iban(iban))
    if uow.session.scalar(gone.returning(StatementAccount.iban)) is None:
        raise NotFound("registered account")


def list_accounts(session: Session) -> Sequence[StatementAccount]:
    return session.scalars(select(StatementAccount).order_by(StatementAccount.iban)).all()


def _sentence(because: str, wanted: str) -> str:
    text = because.strip()
    if not EVIDENCE_LEAST <= len(text) <= BECAUSE_MOST:
        raise Invalid("because", f"{wanted}, in {EVIDENCE_LEAST} to {BECAUSE_MOST} characters.")
    return text


# ------------------------------------------------------------------------------------------------------- asking, noting


def ask(services: Services, *, since: dt.timedelta = RECENT) -> int:
    """Bring the next look at the bank forward to now, for every payment that is open, unknown or recently ended.

    Calls no bank: workers do, within each bank's budget. Returns for how many.
    """
    with services.reading() as uow:
        ids = uow.session.scalars(select(Payment.id).where(_worth_asking(uow.now - since)).order_by(Payment.id)).all()
    asked = 0
    for payment_id in ids:
        with services.unit_of_work() as uow:
            still = select(Payment).where(Payment.id == payment_id, _worth_asking(uow.now - since))
            payment = uow.session.scalar(still.with_for_update())
            if payment is not None:
                follow_from(uow, payment, run_at=uow.now)
                asked += 1
            uow.commit()
    return asked


#: the bank holds it, and has not said its last word
_AT_BANK = frozenset(
    {PaymentState.AWAITING_CUSTOMER, PaymentState.SUBMITTING, PaymentState.ACCEPTED, PaymentState.UNKNOWN}
)


def _worth_asking(since: dt.datetime | None = None) -> ColumnElement[bool]:
    """Whether the bank knows a payment and could say something else of it than we do: also of what has ended, if its
    link was given out. Not of what ended before ``since``."""
    ended = or_(Payment.state.in_(SETTLED_ONCE), and_(Payment.state.in_(CLOSED), was_given_out()))
    if since is not None:
        ended = and_(ended, func.coalesce(Payment.settled_at, Payment.updated_at) >= since)
    # what a process of an older release writes has no id yet, and is the bank's with its approval
    has_it = or_(
        Payment.bank_payment_id.is_not(None), and_(Payment.consent_id.is_not(None), not_(Payment.submitted_apart))
    )
    return and_(has_it, or_(Payment.state.in_(_AT_BANK), ended))


def accept(uow: UnitOfWork, *, difference_id: str, because: str) -> None:
    """An operator says what a difference is. It is listed apart from then on. Raises NotFound, Conflict, Invalid."""
    text = _sentence(because, "Say what it is, and where that is written down")
    found = next((one for one in differences(uow.session) if one.id == difference_id), None)
    if found is None:
        raise NotFound("difference")
    if found.because is not None:
        raise Conflict("accepted", f"It was accepted on {found.noted_at:%Y-%m-%d}: {found.because}")
    uow.session.add(DifferenceNote(difference_id=difference_id, because=text, noted_at=uow.now))


# ------------------------------------------------------------------------------------------------- the biller's word


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What a biller says of a payment's money."""

    received: bool
    amount: Money | None = None
    booked_on: dt.date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WordTaken:
    """The word that counts now."""

    payment_id: str
    received: bool
    amount: Money | None
    booked_on: dt.date | None
    said_at: dt.datetime


def take_word(services: Services, *, client: ClientIdentity, payment_id: str, word: Word) -> WordTaken:
    """Note what the biller says. It never moves a payment, an invoice or a claim: only the bank's word does.

    The same word again changes nothing. One that contradicts us makes us ask the bank sooner. Raises NotFound alike
    for no payment and for another biller's, Conflict when the biller keeps changing its mind.
    """
    with services.unit_of_work() as uow:
        payment = uow.session.scalar(
            select(Payment)
            .where(Payment.id == payment_id, Payment.biller_id == client.biller_id)
            .with_for_update()  # words of one payment come one after the other
        )
        if payment is None:
            raise NotFound("payment")
        last = uow.session.scalar(
            select(BillerWord).where(BillerWord.payment_id == payment_id).order_by(BillerWord.sequence.desc()).limit(1)
        )
        if last is not None and word == Word(received=last.received, amount=last.amount, booked_on=last.booked_on):
            return _taken(last)
        said = BillerWord(
            payment_id=payment_id,
            sequence=last.sequence + 1 if last is not None else 1,
            client_id=client.client_id,
            received=word.received,
            currency=word.amount.currency if word.amount is not None else None,
            amount_minor=word.amount.minor if word.amount is not None else None,
            booked_on=word.booked_on,
            said_at=uow.now,
        )
        if said.sequence > WORDS_MOST:
            raise Conflict("said-too-often", f"You changed this {WORDS_MOST} times: talk to us.")
        uow.session.add(said)
        may_ask = select(Payment.id).where(Payment.id == payment_id, _worth_asking())
        contradicts = word.received != (payment.state == PaymentState.SETTLED)
        if contradicts and uow.session.scalar(may_ask) is not None:
            earliest = (payment.looked_at or payment.created_at) + payment_rules.HINT_PAUSE
            follow_from(uow, payment, run_at=max(uow.now, earliest))
        uow.commit()
        return _taken(said)


def _taken(said: BillerWord) -> WordTaken:
    return WordTaken(
        payment_id=said.payment_id,
        received=said.received,
        amount=said.amount,
        booked_on=said.booked_on,
        said_at=said.said_at,
    )
