"""Where banks and billers say something else than we do: computed anew each time, so that nothing stays hidden."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, case, exists, func, not_, or_, select
from sqlalchemy.orm import Session

from app.journey.decisions.models import Decision
from app.journey.payments.models import Payment, PaymentHistory
from app.journey.payments.states import CLOSED, PaymentState, StatusSays
from app.journey.reconciliation import rules
from app.journey.reconciliation.camt import Direction
from app.journey.reconciliation.models import BillerWord, DifferenceNote, Statement, StatementAccount, StatementEntry
from app.journey.reconciliation.rules import Line, Verdict
from app.people.models import PayeeAccount
from connectors.money import Money


class Code(enum.StrEnum):
    """What differs, with the invariant against the bank that it touches."""

    BOOKED_TWICE = "booked-twice"  #: A1
    BOOKED_NOT_SETTLED = "booked-not-settled"  #: A3
    BOOKED_UNKNOWN = "booked-unknown"  #: A3
    UNREADABLE = "unreadable"  #: A3, perhaps
    SETTLED_NOT_BOOKED = "settled-not-booked"  #: A4
    TAKEN_BACK_NOT_REVERSED = "taken-back-not-reversed"  #: A4
    TAKEN_BACK_NOT_BOOKED = "taken-back-not-booked"  #: A4, perhaps
    NO_PROOF = "no-proof"  #: A3, perhaps
    STATUS_OTHERWISE = "status-otherwise"  #: A3 or A4, perhaps
    OTHER_AMOUNT = "other-amount"  #: A5
    OTHER_CURRENCY = "other-currency"  #: A5
    OTHER_PAYEE = "other-payee"  #: A5
    BILLER_NOT_RECEIVED = "biller-not-received"
    BILLER_RECEIVED = "biller-received"
    BILLER_OTHER_AMOUNT = "biller-other-amount"


_CODE_OF = {
    Verdict.MATCHED: Code.NO_PROOF,  # exactly ours, and yet it moves nothing: see proves
    Verdict.AMOUNT: Code.OTHER_AMOUNT,
    Verdict.CURRENCY: Code.OTHER_CURRENCY,
    Verdict.PAYEE: Code.OTHER_PAYEE,
    Verdict.UNKNOWN: Code.BOOKED_UNKNOWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """``id`` is the same each time the same thing is found. ``because`` is what an operator noted about it."""

    id: str
    code: Code
    payment_id: str | None
    end_to_end_id: str | None
    ours: str
    theirs: str
    sentence: str
    because: str | None = None
    noted_at: dt.datetime | None = None

    def __str__(self) -> str:
        about = self.payment_id or self.end_to_end_id or "-"
        lines = [f"{self.id}  {self.code}  {about}", f"    {self.sentence}", f"    here: {self.ours}"]
        lines.append(f"    there: {self.theirs}")
        if self.because is not None and self.noted_at is not None:
            lines.append(f"    accepted {self.noted_at:%Y-%m-%d}: {self.because}")
        return "\n".join(lines)


def differences(session: Session) -> list[Difference]:
    """All of them, the open ones first."""
    notes = {note.difference_id: note for note in session.scalars(select(DifferenceNote))}
    found = []
    for one in itertools.chain(
        _booked_otherwise(session),
        _movements(session),
        _not_booked(session),
        _statuses(session),
        _billers_words(session),
    ):
        note = notes.get(one.id)
        found.append(one if note is None else _noted(one, note))
    return sorted(found, key=lambda one: (one.because is not None, one.code, one.id))


def proves() -> ColumnElement[bool]:
    """Whether an entry proves something; to be asked of StatementEntry joined with its Statement.

    Anybody can write a file about an account that nobody knows. So the booking is exactly the payment, and it is either
    a credit on the payee's account (only such credits match), where that was vetted with a biller or an operator
    registered it; or a debit on an account that an operator registered, and to the payee by the bank's own word. The
    payee of a bill that its customer added was vetted by nobody, unless it is paid to a biller's account. Asked anew
    each time: an account may be registered later, or taken out.
    """
    vetted = exists().where(
        Decision.payment_id == StatementEntry.payment_id,
        PayeeAccount.iban == Decision.payee_iban,
        PayeeAccount.active_from.is_not(None),  # whatever became of it since; one that is only proposed proves nothing
    )
    registered = Statement.account.in_(select(StatementAccount.iban))
    is_credit = StatementEntry.direction == Direction.CREDIT
    return and_(
        StatementEntry.verdict == Verdict.MATCHED,
        or_(
            and_(is_credit, or_(vetted, registered)),
            and_(not_(is_credit), registered, StatementEntry.counterparty_iban.is_not(None)),
        ),
    )


def line_of(entry: StatementEntry, account: str) -> Line:
    return Line(
        id=entry.id,
        statement_id=entry.statement_id,
        account=account,
        direction=entry.direction or "",
        reversal=entry.reversal,
        booked_on=entry.booked_on,
        bank_reference=entry.bank_reference,
        entry_reference=entry.entry_reference,
    )


def _noted(one: Difference, note: DifferenceNote) -> Difference:
    return dataclasses.replace(one, because=note.because, noted_at=note.noted_at)


def _id(code: Code, *what: object) -> str:
    """Named after what it is about and what is said there, so that a note never covers something else later."""
    return "dif_" + hashlib.sha256("|".join(map(str, (code, *what))).encode()).hexdigest()[:16]


def _written(amount: Money | None) -> str:
    return f"{amount} {amount.currency}" if amount is not None else "no amount"


# ------------------------------------------------------------------------------------------------- bookings one by one


def _booked_otherwise(session: Session) -> Iterator[Difference]:
    """Bookings with an id of ours that are not the payment as it was decided, prove nothing, or could not be read."""
    rows = session.execute(
        select(StatementEntry, Statement, Payment, Decision)
        .join(Statement, Statement.id == StatementEntry.statement_id)
        .outerjoin(Payment, Payment.id == StatementEntry.payment_id)
        .outerjoin(Decision, Decision.id == Payment.decision_id)
        .where(StatementEntry.verdict.in_([*_CODE_OF, Verdict.UNREADABLE]), not_(proves()))
        .order_by(StatementEntry.id)
    ).all()
    alike: dict[tuple[object, ...], list[tuple[StatementEntry, Statement, Payment | None, Decision | None]]] = {}
    for entry, statement, payment, decision in rows:
        if entry.verdict == Verdict.UNREADABLE:
            yield _unreadable(entry, statement)
            continue
        said = (entry.verdict, (entry.end_to_end_id or "").lower(), entry.amount_minor, entry.currency)
        alike.setdefault((*said, entry.counterparty_iban), []).append((entry, statement, payment, decision))
    for about, group in alike.items():
        by_id = {entry.id: (entry, statement, payment, decision) for entry, statement, payment, decision in group}
        found = rules.bookings(line_of(entry, statement.account) for entry, statement, _, _ in group)
        for number, booking in enumerate(found, 1):
            what = (*about, booking.account, booking.direction, booking.reversal, number)
            yield _otherwise(*by_id[booking.lines[0].id], what)


def _unreadable(entry: StatementEntry, statement: Statement) -> Difference:
    return Difference(
        id=_id(Code.UNREADABLE, statement.sha256, statement.position, entry.place),
        code=Code.UNREADABLE,
        payment_id=entry.payment_id,
        end_to_end_id=entry.end_to_end_id,
        ours="-",
        theirs=f"{entry.place} of {statement.kind} {statement.message_id}",
        sentence=f"A booking on {statement.account} could not be read and may be a payment of ours: {entry.reason}.",
    )


def _otherwise(
    entry: StatementEntry,
    statement: Statement,
    payment: Payment | None,
    decision: Decision | None,
    what: tuple[object, ...],
) -> Difference:
    code = _CODE_OF[Verdict(entry.verdict)]
    booked = "takes back" if entry.reversal else "books"
    where = f"{entry.direction} of {_written(entry.amount)} on {statement.account}, {entry.booked_on or 'no date'}"
    if payment is None or decision is None:
        ours = "no such payment"
        sentence = f"The bank {booked} a payment with an id of our form, and we know none with it."
    elif code is Code.OTHER_PAYEE:
        ours = f"{payment.state}, to {decision.payee_iban}"
        other = statement.account if entry.direction == "credit" else entry.counterparty_iban
        sentence = f"The bank {booked} it with {other} as the payee's account, and the customer decided another one."
    elif code is Code.NO_PROOF:
        ours = f"{payment.state}, {_written(payment.amount)}"
        sentence = f"A statement {booked} it as decided, and proves nothing: {_no_proof(entry, statement)}."
    else:
        ours = f"{payment.state}, {_written(payment.amount)}"
        sentence = f"The bank {booked} {_written(entry.amount)}, and the customer decided {_written(payment.amount)}."
    return Difference(
        id=_id(code, *what),
        code=code,
        payment_id=entry.payment_id,
        end_to_end_id=entry.end_to_end_id,
        ours=ours,
        theirs=where,
        sentence=sentence,
    )


def _no_proof(entry: StatementEntry, statement: Statement) -> str:
    if entry.direction == Direction.DEBIT and entry.counterparty_iban is None:
        return "it does not say to which account the money went"
    return f"nobody has registered {statement.account} (quittance reconcile account add)"


# ------------------------------------------------------------------------------------- all bookings of one payment


def _movements(session: Session) -> Iterator[Difference]:
    """Payments that are proven to be booked, but twice, or while we say that it did not happen, or to be taken back."""
    several = (
        select(StatementEntry.payment_id)
        .join(Statement, Statement.id == StatementEntry.statement_id)
        .where(proves())
        .group_by(StatementEntry.payment_id)
        .having(or_(func.count() > 1, func.max(case((StatementEntry.reversal, 1), else_=0)) == 1))
    )
    rows = session.execute(
        select(StatementEntry, Statement.account, Payment)
        .join(Statement, Statement.id == StatementEntry.statement_id)
        .join(Payment, Payment.id == StatementEntry.payment_id)
        .where(
            proves(),
            or_(Payment.state != PaymentState.SETTLED, Payment.id.in_(several)),
        )
        .order_by(Payment.id, StatementEntry.id)
    )
    for _, group in itertools.groupby(rows, key=lambda row: row[2].id):
        lines = list(group)
        payment: Payment = lines[0][2]
        sides = rules.accounts(rules.bookings(line_of(entry, account) for entry, account, _ in lines))
        yield from _twice(payment, sides)
        yield from _taken_back(payment, sides)
        proof = rules.proven(sides)
        if proof.fact is not None and proof.taken_back is None and payment.state != PaymentState.SETTLED:
            yield _about(
                Code.BOOKED_NOT_SETTLED,
                payment,
                theirs=str(proof.fact),
                sentence=f"The bank's statement shows it as {proof.fact}, and we call it {payment.state}.",
            )


def _twice(payment: Payment, sides: list[rules.Account]) -> Iterator[Difference]:
    for side in sides:
        if side.stands > 1:
            yield _about(
                Code.BOOKED_TWICE,
                payment,
                side.account,
                side.direction,
                side.stands,
                theirs=f"{side.stands} times {side.direction} on {side.account}",
                sentence=f"The customer decided one payment, and the bank has booked {side.stands} on this account.",
            )


def _taken_back(payment: Payment, sides: list[rules.Account]) -> Iterator[Difference]:
    """Every reversal that we do not say ourselves, also where a second booking still stands: two may be one."""
    is_reversed = payment.state == PaymentState.REVERSED
    for side in sides:
        what = (side.account, side.direction, side.executed, side.reversed)
        theirs = f"booked {side.executed} times and taken back {side.reversed} times on {side.account}"
        if side.reversed and side.executed and not is_reversed:
            yield _about(
                Code.TAKEN_BACK_NOT_REVERSED,
                payment,
                *what,
                theirs=theirs,
                sentence=f"The bank's statements show that it was taken back, and we call it {payment.state}.",
            )
        elif side.reversed > max(side.executed, is_reversed):
            yield _about(
                Code.TAKEN_BACK_NOT_BOOKED,
                payment,
                *what,
                theirs=theirs,
                sentence="The bank's statements take back what they do not show as booked: that moves nothing.",
            )


def _about(code: Code, payment: Payment, *what: object, theirs: str, sentence: str) -> Difference:
    return Difference(
        id=_id(code, payment.id, payment.state, *what),
        code=code,
        payment_id=payment.id,
        end_to_end_id=payment.end_to_end_id,
        ours=f"{payment.state}, {_written(payment.amount)}",
        theirs=theirs,
        sentence=sentence,
    )


# --------------------------------------------------------------------------------------------- what is not there


def _not_booked(session: Session) -> Iterator[Difference]:
    """Settled payments that the statements of the payee's account do not show, though they go far enough."""
    told: dict[str, list[Statement]] = {}
    for statement in session.scalars(
        select(Statement).where(Statement.kind == "camt.053", Statement.first_day.is_not(None)).order_by(Statement.id)
    ):
        told.setdefault(statement.account, []).append(statement)
    shown = (
        exists()
        .where(StatementEntry.payment_id == Payment.id, StatementEntry.verdict != Verdict.PENDING)
        .where(Statement.id == StatementEntry.statement_id, Statement.account == Decision.payee_iban)
    )
    rows = session.execute(
        select(Payment, Decision.payee_iban)
        .join(Decision, Decision.id == Payment.decision_id)
        .where(
            Payment.state == PaymentState.SETTLED,
            not_(shown),
            Decision.payee_iban.in_(select(Statement.account).where(Statement.kind == "camt.053")),
        )
        .order_by(Payment.id)
    )
    for payment, payee_iban in rows:
        if payment.settled_at is None:
            continue
        first, last = rules.booked_between(created=payment.created_at, told=payment.settled_at)
        statements = told.get(payee_iban, [])
        if not rules.covers([(one.first_day, one.last_day) for one in statements], first=first, last=last):
            continue
        hidden = any(not one.itemised for one in statements if _days(one)[0] <= last and first <= _days(one)[1])
        but = " They hold bookings without details, in which it may be." if hidden else ""
        yield _about(
            Code.SETTLED_NOT_BOOKED,
            payment,
            theirs=f"no booking on {payee_iban} from {first} to {last}",
            sentence=f"The bank told us that it is {payment.fact}, and the payee's statements do not show it.{but}",
        )


def _days(statement: Statement) -> tuple[dt.date, dt.date]:
    return statement.first_day or dt.date.max, statement.last_day or dt.date.min


# ------------------------------------------------------------------------------------------- what statuses still say


def _statuses(session: Session) -> Iterator[Difference]:
    """A statement or an operator corrected what the bank's status had said, and the status says it still."""
    rows = session.execute(
        select(Payment, PaymentHistory.evidence)
        .join(
            PaymentHistory,
            and_(PaymentHistory.payment_id == Payment.id, PaymentHistory.sequence == Payment.sequence),
        )
        .where(Payment.status_says == StatusSays.OPPOSITE)
        .order_by(Payment.id)
    )
    for payment, evidence in rows:
        what, said = payment.transaction_status, f"status {payment.transaction_status}"
        # the bank named no payment, so that its consent is all that can be asked about: never a standing one
        if payment.is_to_submit and payment.trip_id is not None:
            what = said = "consent used up" if payment.state in CLOSED else "consent not used up"
        yield _about(
            Code.STATUS_OTHERWISE,
            payment,
            what,
            theirs=said,
            sentence=f"It is {payment.state} by this evidence: {evidence}. The bank still says the opposite: {said}.",
        )


# --------------------------------------------------------------------------------------------- what billers say


def _billers_words(session: Session) -> Iterator[Difference]:
    last = select(BillerWord.payment_id, func.max(BillerWord.sequence).label("sequence")).group_by(
        BillerWord.payment_id
    )
    newest = last.subquery()
    rows = session.execute(
        select(BillerWord, Payment)
        .join(newest, (newest.c.payment_id == BillerWord.payment_id) & (newest.c.sequence == BillerWord.sequence))
        .join(Payment, Payment.id == BillerWord.payment_id)
        .order_by(Payment.id)
    )
    for word, payment in rows:
        yield from _contradiction(word, payment)


def _contradiction(word: BillerWord, payment: Payment) -> Iterator[Difference]:
    """A word that was true when it was said is none: not received before it settled, received before it was undone."""
    settled = payment.state == PaymentState.SETTLED
    if not word.received:
        if settled and payment.settled_at is not None and word.said_at >= payment.settled_at:
            yield _about(
                Code.BILLER_NOT_RECEIVED,
                payment,
                word.sequence,
                theirs=f"not received, said {word.said_at:%Y-%m-%d %H:%M}Z",
                sentence="The biller says that the money has not arrived, and we say that it is paid.",
            )
        return
    theirs = f"received {_written(word.amount)}, booked {word.booked_on or 'on no date'}"
    if word.amount is not None and word.amount != payment.amount:
        yield _about(
            Code.BILLER_OTHER_AMOUNT,
            payment,
            word.sequence,
            theirs=theirs,
            sentence=f"The biller received {_written(word.amount)}; the customer decided {_written(payment.amount)}.",
        )
    undone = payment.state == PaymentState.REVERSED and word.said_at < payment.updated_at
    if not settled and not undone:
        yield _about(
            Code.BILLER_RECEIVED,
            payment,
            word.sequence,
            theirs=theirs,
            sentence=f"The biller says that the money has arrived, and we call it {payment.state}.",
        )
