"""Taking in what banks' statements and billers say. Only an exact match moves a payment; anything else is listed."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict, FieldError, Invalid, NotFound
from app.journey.decisions.models import Decision
from app.journey.intake.service import ClientIdentity
from app.journey.payments import rules as payment_rules
from app.journey.payments.access import locked
from app.journey.payments.looks import follow_from
from app.journey.payments.models import Payment
from app.journey.payments.reasons import OURS
from app.journey.payments.states import CLOSED, PaymentState, Source
from app.journey.payments.step import correct
from app.journey.reconciliation import camt, rules
from app.journey.reconciliation.camt import CamtRefused, Entry, Transaction, Unreadable
from app.journey.reconciliation.models import BillerWord, DifferenceNote, Statement, StatementEntry
from app.journey.reconciliation.read import differences, line_of
from app.journey.reconciliation.rules import Expected, Verdict
from app.services import Services
from connectors.money import Money
from consent.base import new_id

#: ids in one query; SQLite takes no more than 32,766 values
CHUNK = 1000
#: how long after settlement a payment is asked about again by hand
RECENT = dt.timedelta(days=7)
#: characters of a sentence that can be understood years later
BECAUSE_LEAST = 10
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
    matched: int  #: exactly payments of ours
    changed: int  #: payments that took a step by it
    different: int  #: ours by the id, and not as decided; or of no payment that we know
    pending: int  #: ours, and not booked yet
    unreadable: int

    @property
    def known(self) -> bool:
        return self.new == 0

    def __str__(self) -> str:
        if self.known:
            return f"{self.kind} {self.message_id} was imported before; nothing was changed."
        return (
            f"{self.kind} {self.message_id}: {self.entries} bookings, {self.matched} matched, {self.changed} changed,"
            f" {self.different} different, {self.pending} pending, {self.unreadable} unreadable"
        )


def import_statement(services: Services, content: bytes) -> Imported:
    """Take in a camt.053 or camt.054 file, in one transaction. The same bytes again change nothing. Raises Invalid."""
    message = _read(content)
    sha256 = hashlib.sha256(content).hexdigest()
    with services.unit_of_work() as uow:
        matching = _Matching(uow, message)
        kept: list[StatementEntry] = []
        new = 0
        for position, statement in enumerate(message.statements, 1):
            row_id = _add_statement(uow, message, statement, sha256=sha256, position=position)
            if row_id is not None:
                new += 1
                kept += matching.keep(row_id, statement)
        uow.session.flush()
        changed = _believe(uow, kept, message_id=message.id)
        uow.commit()
    verdicts = [Verdict(one.verdict) for one in kept]
    return Imported(
        kind=message.kind,
        message_id=message.id,
        statements=len(message.statements),
        new=new,
        entries=sum(statement.bookings for statement in message.statements),
        matched=verdicts.count(Verdict.MATCHED),
        changed=changed,
        different=sum(one in _DIFFERENT for one in verdicts),
        pending=verdicts.count(Verdict.PENDING),
        unreadable=verdicts.count(Verdict.UNREADABLE),
    )


_DIFFERENT = frozenset({Verdict.AMOUNT, Verdict.CURRENCY, Verdict.PAYEE, Verdict.UNKNOWN})


def _read(content: bytes) -> camt.Message:
    try:
        message = camt.read(content)
    except CamtRefused as refused:
        errors = (FieldError(refused.element, str(refused)),) if refused.element else ()
        raise Invalid(refused.code, str(refused), errors=errors) from None
    if message.kind == "camt.052":
        raise Invalid("not-final", "An intraday report (camt.052) is no proof: import the camt.053 or camt.054.")
    return message


def _add_statement(
    uow: UnitOfWork, message: camt.Message, statement: camt.Statement, *, sha256: str, position: int
) -> str | None:
    """The id of the new row; None when we have these bytes already, also when another import wrote them just now."""
    dialect = postgresql if uow.session.get_bind().dialect.name == "postgresql" else sqlite
    first, last = statement.period or (None, None)
    values = {
        "id": new_id("stm"),
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
    added = dialect.insert(Statement).values(**values).on_conflict_do_nothing(index_elements=["sha256", "position"])
    row_id: str | None = uow.session.scalar(added.returning(Statement.id))
    return row_id


class _Matching:
    """The payments that a message speaks of, and which of its bookings are kept."""

    def __init__(self, uow: UnitOfWork, message: camt.Message) -> None:
        self._session = uow.session
        ids = {
            found
            for statement in message.statements
            for found in (
                *(one.end_to_end_id for entry in statement.entries for one in entry.transactions),
                *(one.end_to_end_id for one in statement.unreadable),
            )
            if found is not None
        }
        self._payments = {
            end_to_end_id.lower(): (payment_id, expected)
            for end_to_end_id, payment_id, expected in _payments_named(uow.session, ids)
        }

    def keep(self, statement_id: str, statement: camt.Statement) -> list[StatementEntry]:
        rows = [
            row
            for entry in statement.entries
            for transaction in entry.transactions
            if (row := self._booking(statement.account, entry, transaction)) is not None
        ]
        rows += [row for one in statement.unreadable if (row := self._unreadable(one)) is not None]
        for position, row in enumerate(rows, 1):
            row.id, row.statement_id, row.position = new_id("ste"), statement_id, position
        self._session.add_all(rows)
        return rows

    def _booking(self, account: str, entry: Entry, transaction: Transaction) -> StatementEntry | None:
        """None for what is not ours."""
        end_to_end_id = transaction.end_to_end_id
        if end_to_end_id is None:
            return None
        payment_id, expected = self._payments.get(end_to_end_id.lower(), (None, None))
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
            entry_reference=entry.bank_reference or entry.reference,
            return_reason=transaction.return_reason,
            payment_id=payment_id,
            verdict=found,
        )

    def _unreadable(self, one: Unreadable) -> StatementEntry | None:
        """None for what is certainly not ours."""
        payment_id, _ = self._payments.get((one.end_to_end_id or "").lower(), (None, None))
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


def _believe(uow: UnitOfWork, kept: Sequence[StatementEntry], *, message_id: str) -> int:
    """Step the payments whose bookings are new, by all that statements say of them. Returns how many took a step."""
    newest = {one.payment_id: one for one in kept if one.verdict == Verdict.MATCHED and one.payment_id is not None}
    changed = 0
    for payment_id in sorted(newest):  # one order for everybody who locks several
        payment = locked(uow.session, payment_id)  # then what another import has just said of it is seen, too
        lines = uow.session.execute(
            select(StatementEntry, Statement.account)
            .join(Statement, Statement.id == StatementEntry.statement_id)
            .where(StatementEntry.payment_id == payment_id, StatementEntry.verdict == Verdict.MATCHED)
        )
        fact = rules.proven(rules.accounts(rules.bookings(line_of(entry, account) for entry, account in lines)))
        if fact is not None:
            evidence = _evidence(message_id, newest[payment_id])
            changed += correct(uow, payment, fact, source=Source.STATEMENT, evidence=evidence)
    return changed


def _evidence(message_id: str, entry: StatementEntry) -> str:
    """Where it is written: ``camt:<message>/<entry>``, the entry by the bank's reference, else by its place."""
    return f"camt:{message_id}/{entry.bank_reference or entry.entry_reference or entry.place}"


# ------------------------------------------------------------------------------------------------------- asking, noting


def ask(services: Services, *, since: dt.timedelta = RECENT) -> int:
    """Bring the next look at the bank forward to now, for every payment that is open, unknown or recently ended.

    Calls no bank: workers do, within each bank's budget. Returns for how many.
    """
    with services.reading() as uow:
        ids = uow.session.scalars(select(Payment.id).where(_may_be_asked(uow.now - since)).order_by(Payment.id)).all()
    asked = 0
    for payment_id in ids:
        with services.unit_of_work() as uow:
            payment = locked(uow.session, payment_id)
            if _is_worth_asking(payment):
                follow_from(uow, payment, run_at=uow.now)
                asked += 1
            uow.commit()
    return asked


def _may_be_asked(since: dt.datetime) -> ColumnElement[bool]:
    ended_by_us = and_(Payment.state.in_(CLOSED), Payment.reason.in_(OURS), Payment.updated_at >= since)
    settled = and_(Payment.state == PaymentState.SETTLED, Payment.settled_at >= since)
    return and_(Payment.consent_id.is_not(None), or_(Payment.state.in_(_AT_BANK), settled, ended_by_us))


#: the bank holds it, and has not said its last word
_AT_BANK = frozenset({PaymentState.AWAITING_CUSTOMER, PaymentState.ACCEPTED, PaymentState.UNKNOWN})


def _is_worth_asking(payment: Payment) -> bool:
    """Whether the bank knows it, and could say something else of it than we do."""
    if payment.consent_id is None:
        return False
    closed_by_us = payment.state in CLOSED and payment.reason in OURS
    return payment.state in _AT_BANK or payment.state == PaymentState.SETTLED or closed_by_us


def accept(uow: UnitOfWork, *, difference_id: str, because: str) -> None:
    """An operator says what a difference is. It is listed apart from then on. Raises NotFound, Conflict, Invalid."""
    text = because.strip()
    if not BECAUSE_LEAST <= len(text) <= BECAUSE_MOST:
        raise Invalid(
            "because",
            f"Say in {BECAUSE_LEAST} to {BECAUSE_MOST} characters what it is, and where that is written down.",
        )
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
        if word.received != (payment.state == PaymentState.SETTLED) and _is_worth_asking(payment):
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
