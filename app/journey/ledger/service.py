"""Posting, in the caller's transaction. Taking what is due is one conditional update: nothing is paid twice past it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import CursorResult, bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from app.db.many import among, insert_many
from app.db.unit_of_work import UnitOfWork
from app.journey.ledger import rules
from app.journey.ledger.models import LedgerBalance, LedgerEntry
from app.journey.ledger.rules import Claim, Lines
from connectors.money import Money


class Overdrawn(Exception):
    """An account holds less than was to be taken. The caller leaves its transaction: nothing was written."""


def bill(uow: UnitOfWork, *, invoice_id: str, creditor: str, amount: Money) -> None:
    """A bill arrived."""
    lines = rules.billed(invoice_id=invoice_id, creditor=creditor, amount=amount)
    _open(uow.session, rules.due(invoice_id), amount.currency)
    _post(uow, "billed", lines, currency=amount.currency, invoice_id=invoice_id)


def bill_together(uow: UnitOfWork, bills: Sequence[tuple[str, str, Money]]) -> None:
    """Bills arrived together: invoice, creditor and amount of each. The same rows as one by one."""
    balances, entries = [], []
    for invoice_id, creditor, amount in bills:
        of = {"account": rules.due(invoice_id), "currency": amount.currency}
        balances.append({**of, "balance_minor": amount.minor, "owed_minor": 0})
        lines = rules.billed(invoice_id=invoice_id, creditor=creditor, amount=amount)
        entries += [
            {
                "posting": f"billed:{invoice_id}",
                "kind": "billed",
                "account": line.account,
                "currency": amount.currency,
                "amount_minor": line.minor,
                "invoice_id": invoice_id,
                "payment_id": None,
                "at": uow.now,
            }
            for line in lines
        ]
    insert_many(uow.session, LedgerBalance, balances)
    insert_many(uow.session, LedgerEntry, entries)


def unbill(uow: UnitOfWork, *, invoice_id: str) -> bool:
    """Leave nothing of a bill that its own customer takes back. False where anything else was ever posted of it."""
    due = rules.due(invoice_id)
    balance_of(uow.session, due, lock=True)
    of_invoice = LedgerEntry.invoice_id == invoice_id
    if uow.session.scalar(select(LedgerEntry.id).where(of_invoice, LedgerEntry.kind != "billed").limit(1)) is not None:
        return False
    uow.session.execute(delete(LedgerEntry).where(of_invoice))
    uow.session.execute(delete(LedgerBalance).where(LedgerBalance.account == due))
    return True


def initiate(uow: UnitOfWork, claim: Claim) -> None:
    """Take the invoice for a payment: two tabs, two devices and two workers meet here. Raises Overdrawn."""
    _open(uow.session, rules.inflight(claim.payment_id), claim.amount.currency)
    _post_claim(uow, "initiated", claim, rules.initiated(claim))


def credit(uow: UnitOfWork, *, correction_id: str, invoice_id: str, creditor: str, amount: Money) -> None:
    """Its biller takes this much off, whatever payments hold of it or have paid."""
    lines = rules.credited(invoice_id=invoice_id, creditor=creditor, minor=amount.minor)
    _post(
        uow,
        "credited",
        _shared(uow.session, invoice_id, lines),
        currency=amount.currency,
        invoice_id=invoice_id,
        about=correction_id,
    )


def is_free(uow: UnitOfWork, claim: Claim) -> bool:
    """Whether what this payment takes is due; or less is, because its biller took something off, and no payment has any
    of it. Nobody else takes it until the transaction ends.
    """
    if balance_of(uow.session, rules.due(claim.invoice_id), lock=True) >= claim.whole:
        return True
    held = select(func.sum(LedgerEntry.amount_minor)).where(
        LedgerEntry.invoice_id == claim.invoice_id,
        LedgerEntry.payment_id.is_not(None),
        LedgerEntry.account.in_((rules.due(claim.invoice_id), rules.owed(claim.invoice_id))),
    )
    return not uow.session.scalar(held)


def reclaim(uow: UnitOfWork, claim: Claim) -> None:
    """A payment that was closed as not done may happen after all. Raises Overdrawn."""
    if not is_free(uow, claim):
        raise Overdrawn(rules.due(claim.invoice_id))
    number = _reclaims(uow.session, claim) + 1
    _post_claim(uow, "reclaimed", claim, rules.initiated(claim), number=number)


def release(uow: UnitOfWork, claim: Claim) -> None:
    """The payment will not happen."""
    _post_claim(uow, "released", claim, rules.released(claim), number=_reclaims(uow.session, claim))


def _reclaims(session: Session, claim: Claim) -> int:
    """How often this payment has taken its invoice again: each taking is given back once at the most."""
    reclaims = select(func.count(LedgerEntry.posting.distinct())).where(
        LedgerEntry.payment_id == claim.payment_id, LedgerEntry.kind == "reclaimed"
    )
    return session.scalars(reclaims).one()


def settle(uow: UnitOfWork, claim: Claim) -> None:
    """The bank executed it."""
    _post_claim(uow, "settled", claim, rules.settled(claim))


def correct(uow: UnitOfWork, claim: Claim) -> bool:
    """The bank executed what was closed as not done. False when the invoice was taken meanwhile: it is paid twice."""
    free = is_free(uow, claim)
    _post_claim(uow, "corrected", claim, rules.corrected(claim) if free else rules.overpaid(claim))
    return free


def apply_overpaid(uow: UnitOfWork, *, invoice_id: str) -> int:
    """The invoice became free while payments stand that were executed on top of others: as far as they go into it they
    pay it, the largest first. Returns how much they take of it, in minor units. Without this it would be offered to be
    paid once more.
    """
    taken = 0
    for claim in sorted(_overpaid(uow.session, invoice_id), key=lambda claim: -claim.whole):
        if is_free(uow, claim):
            _post_claim(uow, "applied", claim, rules.applied(claim))
            taken += claim.whole
    return taken


def _overpaid(session: Session, invoice_id: str) -> Iterator[Claim]:
    """The payments of an invoice that the biller would have to give back, the earliest first."""
    entries = session.scalars(
        select(LedgerEntry).where(LedgerEntry.invoice_id == invoice_id).order_by(LedgerEntry.id)
    ).all()
    postings = {entry.posting for entry in entries}
    taken = {entry.payment_id: -entry.amount_minor for entry in entries if entry.kind == "initiated" and _is_due(entry)}
    for entry in entries:
        payment_id = entry.payment_id
        owed = entry.kind == "corrected" and entry.account.startswith("adjust:") and entry.amount_minor < 0
        if owed and payment_id is not None and not {f"applied:{payment_id}", f"reversed:{payment_id}"} & postings:
            amount = Money(-entry.amount_minor, entry.currency)
            yield Claim(
                invoice_id=invoice_id,
                payment_id=payment_id,
                creditor=entry.account.removeprefix("adjust:"),
                amount=amount,
                discount=Money(taken[payment_id], entry.currency) - amount,
            )


def _is_due(entry: LedgerEntry) -> bool:
    return entry.account.startswith("due:")


def reverse(uow: UnitOfWork, claim: Claim) -> bool:
    """The bank took back what it had executed. False when that had been paid twice, so that nothing is due again."""
    balance_of(uow.session, rules.due(claim.invoice_id), lock=True)  # nobody may apply it to the invoice meanwhile
    twice = is_overpaid(uow.session, payment_id=claim.payment_id)
    lines = rules.overpaid_reversed(claim) if twice else rules.reversed_(claim)
    _post_claim(uow, "reversed", claim, lines)
    return not twice


def is_overpaid(session: Session, *, payment_id: str) -> bool:
    """Whether this payment was executed on top of another one of the same invoice, which still has it."""
    on_top = select(LedgerEntry.id).where(
        LedgerEntry.posting == f"corrected:{payment_id}",
        LedgerEntry.account.startswith("adjust:"),
        LedgerEntry.amount_minor < 0,
    )
    applied = select(LedgerEntry.id).where(LedgerEntry.posting == f"applied:{payment_id}").limit(1)
    return session.scalar(on_top) is not None and session.scalar(applied) is None


def is_held(session: Session, invoice_id: str) -> bool:
    """Whether a payment under way holds a claim on the invoice."""
    held = select(func.sum(LedgerEntry.amount_minor)).where(
        LedgerEntry.invoice_id == invoice_id, LedgerEntry.account.startswith("inflight:")
    )
    return (session.scalar(held) or 0) > 0


def executed_of(session: Session, invoice_ids: Collection[str]) -> tuple[str, ...]:
    """The ids of the payments of these invoices that banks have executed and not taken back, in order."""
    executed = select(LedgerEntry.payment_id).where(LedgerEntry.invoice_id.in_(invoice_ids))
    taken_back = executed.where(LedgerEntry.kind == "reversed")
    standing = executed.where(LedgerEntry.kind.in_(("settled", "corrected")), LedgerEntry.payment_id.not_in(taken_back))
    return tuple(filter(None, session.scalars(standing.distinct().order_by(LedgerEntry.payment_id))))


_BALANCE = select(LedgerBalance.balance_minor).where(LedgerBalance.account == bindparam("of_account"))
_BALANCE_LOCKED = _BALANCE.with_for_update()
_OWED = select(LedgerBalance.owed_minor).where(LedgerBalance.account == bindparam("of_account"))


def balance_of(session: Session, account: str, *, lock: bool = False) -> int:
    """Minor units in an account that is a lock; 0 when it was never opened."""
    return session.scalar(_BALANCE_LOCKED if lock else _BALANCE, {"of_account": account}) or 0


def lock_balances(session: Session, accounts: Collection[str]) -> None:
    """The rows of those that were opened, in one order for everybody."""
    rows = select(LedgerBalance.account).where(among(session, LedgerBalance.account, accounts))
    session.execute(rows.order_by(LedgerBalance.account).with_for_update())


def owed_of(session: Session, invoice_id: str) -> int:
    """Minor units, zero or below, that its biller took off an invoice beyond what was free of it."""
    return -(session.scalar(_OWED, {"of_account": rules.due(invoice_id)}) or 0)


def let_off_of(session: Session, invoice_id: str) -> int:
    """Minor units of discount that the payments which have an invoice were let off."""
    of_each = (
        select(func.sum(LedgerEntry.amount_minor).label("minor"))
        .where(
            LedgerEntry.invoice_id == invoice_id,
            LedgerEntry.payment_id.is_not(None),
            LedgerEntry.account.startswith("adjust:"),
        )
        .group_by(LedgerEntry.payment_id)
        .subquery()
    )
    # below zero: paid on top of another one, which is no discount
    return int(session.scalar(select(func.sum(of_each.c.minor)).where(of_each.c.minor > 0)) or 0)


def taken_of(session: Session, invoice_id: str) -> int:
    """Minor units that payments have taken from its customer's account and paid of the invoice; what was paid on top of
    another one is not in it, and no discount."""
    settled = select(func.sum(LedgerEntry.amount_minor)).where(
        LedgerEntry.invoice_id == invoice_id, LedgerEntry.account.startswith("settled:")
    )
    return int(session.scalar(settled) or 0) - overpaid_of(session, invoice_id)


def overpaid_of(session: Session, invoice_id: str) -> int:
    """Minor units that were paid on top of another payment of an invoice."""
    return sum(claim.amount.minor for claim in _overpaid(session, invoice_id))


def _shared(session: Session, invoice_id: str, lines: Lines) -> Lines:
    due_minor = balance_of(session, rules.due(invoice_id), lock=True)
    return rules.shared(lines, invoice_id=invoice_id, due_minor=due_minor, owed_minor=owed_of(session, invoice_id))


def _open(session: Session, account: str, currency: str) -> None:
    session.add(LedgerBalance(account=account, currency=currency, balance_minor=0))
    session.flush()


def _post_claim(uow: UnitOfWork, kind: str, claim: Claim, lines: Lines, *, number: int = 0) -> None:
    due = rules.due(claim.invoice_id)
    if kind != "initiated" and any(line.account == due for line in lines):
        lines = _shared(uow.session, claim.invoice_id, lines)  # a decision takes what is free, and nothing else (K6)
    _post(
        uow,
        kind,
        lines,
        currency=claim.amount.currency,
        invoice_id=claim.invoice_id,
        payment_id=claim.payment_id,
        number=number,
    )


def _post(
    uow: UnitOfWork,
    kind: str,
    lines: Lines,
    *,
    currency: str,
    invoice_id: str,
    payment_id: str | None = None,
    about: str | None = None,
    number: int = 0,
) -> None:
    name = f"{kind}:{about or payment_id or invoice_id}" + (f":{number}" if number else "")
    due, owed = rules.due(invoice_id), rules.owed(invoice_id)
    moved = {line.account: line.minor for line in lines if line.account.startswith(("due:", "inflight:"))}
    owed_minor = -sum(line.minor for line in lines if line.account == owed)
    if owed_minor:
        moved.setdefault(due, 0)
    for account, minor in moved.items():
        _move(uow.session, account, minor, owed_minor=owed_minor if account == due else 0)
    for line in lines:
        uow.session.add(
            LedgerEntry(
                posting=name,
                kind=kind,
                account=line.account,
                currency=currency,
                amount_minor=line.minor,
                invoice_id=invoice_id,
                payment_id=payment_id,
                at=uow.now,
            )
        )
    uow.session.flush()


_MINOR = bindparam("minor", type_=LedgerBalance.balance_minor.type)
_MOVING = (
    update(LedgerBalance)
    .where(LedgerBalance.account == bindparam("of_account"), LedgerBalance.balance_minor + _MINOR >= 0)
    .values(
        balance_minor=LedgerBalance.balance_minor + _MINOR,
        owed_minor=LedgerBalance.owed_minor + bindparam("more_owed", type_=LedgerBalance.owed_minor.type),
    )
    .execution_options(synchronize_session=False)
)


def _move(session: Session, account: str, minor: int, *, owed_minor: int) -> None:
    given = {"of_account": account, "minor": minor, "more_owed": owed_minor}
    moved: CursorResult[Any] = session.execute(_MOVING, given)  # type: ignore[assignment]  # an UPDATE gives one
    if moved.rowcount != 1:
        raise Overdrawn(account)
