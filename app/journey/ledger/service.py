"""Posting, in the caller's transaction. Taking what is due is one conditional update: nothing is paid twice past it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import CursorResult, bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from app.db.many import among, insert_many
from app.db.unit_of_work import UnitOfWork
from app.journey.ledger import rules
from app.journey.ledger.models import LedgerBalance, LedgerEntry
from app.journey.ledger.rules import Claim, Lines, Position
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
    _move_to(uow, "initiated", claim, rules.NOTHING, rules.holding(claim, claim.whole))


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


def reclaim(uow: UnitOfWork, claim: Claim) -> int:
    """A payment that was closed as not done may happen after all: it takes what others have left of the invoice. Of
    one that is under way again, and found too little then: what has become free. Returns how much, in minor units."""
    before = position_of(uow.session, claim.payment_id)
    if before.settled:
        raise Overdrawn(rules.inflight(claim.payment_id))
    more = _room(uow, claim, before)
    number = _times(uow.session, claim, "reclaimed") + 1
    _move_to(uow, "reclaimed", claim, before, rules.holding(claim, before.taken + more), number=number)
    return more


def release(uow: UnitOfWork, claim: Claim) -> int:
    """The payment will not happen. Returns how much of the invoice it had. Raises Overdrawn where it holds nothing."""
    before = _holding(uow, claim)
    # each taking is given back once at the most
    _move_to(uow, "released", claim, before, rules.NOTHING, number=_times(uow.session, claim, "reclaimed"))
    return before.taken


def settle(uow: UnitOfWork, claim: Claim) -> int:
    """The bank executed it. Returns how much of the invoice it has paid. Raises Overdrawn where it holds nothing."""
    before = _holding(uow, claim)
    number = _times(uow.session, claim, "reversed")
    _move_to(uow, "settled", claim, before, rules.executed(claim, before.taken), number=number)
    return before.taken


def correct(uow: UnitOfWork, claim: Claim) -> int:
    """The bank executed what holds nothing: it was closed as not done, or found nothing left as it came alive again.
    Returns how much of the invoice it has paid; the rest of it is paid on top. Raises Overdrawn where it holds
    something, or was executed already."""
    before = position_of(uow.session, claim.payment_id)
    if before != rules.NOTHING:
        raise Overdrawn(rules.inflight(claim.payment_id))
    taken = _room(uow, claim, before)
    number = _times(uow.session, claim, "reversed")
    _move_to(uow, "corrected", claim, before, rules.executed(claim, taken), number=number)
    return taken


def apply_overpaid(uow: UnitOfWork, *, invoice_id: str) -> int:
    """The invoice became free while payments stand that were executed on top of others, or without all of the discount
    that they had been decided with: as far as they go into it they pay it, money before discounts, the largest first.
    Returns how much they take of it, in minor units. Without this it would be offered to be paid once more.
    """
    taken = 0
    executed = {each: at for each, at in positions_of(uow.session, invoice_id).items() if at.settled}
    claims = _claims(uow.session, invoice_id, executed)
    for claim in sorted(claims, key=lambda claim: (not executed[claim.payment_id].on_top, -claim.whole)):
        before = executed[claim.payment_id]
        if before.taken >= claim.whole:
            continue
        more = _room(uow, claim, before)
        number = _times(uow.session, claim, "applied")
        _move_to(uow, "applied", claim, before, rules.executed(claim, before.taken + more), number=number)
        taken += more
    return taken


def reverse(uow: UnitOfWork, claim: Claim) -> int:
    """The bank took back what it had executed. Returns how much of the invoice it had paid: what was on top of others
    makes nothing due again. Raises Overdrawn where it was not executed."""
    balance_of(uow.session, rules.due(claim.invoice_id), lock=True)  # nobody may apply it to the invoice meanwhile
    before = position_of(uow.session, claim.payment_id)
    if not before.settled:
        raise Overdrawn(rules.settled_of(claim.creditor))
    number = _times(uow.session, claim, "reversed")
    _move_to(uow, "reversed", claim, before, rules.NOTHING, number=number)
    return before.taken


def _room(uow: UnitOfWork, claim: Claim, before: Position) -> int:
    """How much more of the invoice it may take. Nobody else takes it until the transaction ends."""
    due_minor = balance_of(uow.session, rules.due(claim.invoice_id), lock=True)
    others = select(func.sum(LedgerEntry.amount_minor)).where(
        LedgerEntry.invoice_id == claim.invoice_id,
        LedgerEntry.payment_id != claim.payment_id,
        LedgerEntry.account.in_((rules.due(claim.invoice_id), rules.owed(claim.invoice_id))),
    )
    others_minor = -(uow.session.scalar(others) or 0)
    return rules.room(claim, before, due_minor=due_minor, others_minor=others_minor)


def _holding(uow: UnitOfWork, claim: Claim) -> Position:
    position = position_of(uow.session, claim.payment_id)
    if not position.held:
        raise Overdrawn(rules.inflight(claim.payment_id))
    return position


def _times(session: Session, claim: Claim, kind: str) -> int:
    """How often this was posted of the payment."""
    of_kind = select(func.count(LedgerEntry.posting.distinct())).where(
        LedgerEntry.payment_id == claim.payment_id, LedgerEntry.kind == kind
    )
    return session.scalars(of_kind).one()


def _claims(session: Session, invoice_id: str, payment_ids: Collection[str]) -> list[Claim]:
    """What these payments of an invoice were to take of it, as it was posted when they were decided."""
    if not payment_ids:
        return []
    entries = session.scalars(
        select(LedgerEntry)
        .where(
            LedgerEntry.invoice_id == invoice_id,
            LedgerEntry.kind == "initiated",
            LedgerEntry.payment_id.in_(payment_ids),
        )
        .order_by(LedgerEntry.id)
    )
    lines: dict[str, dict[str, LedgerEntry]] = {}
    for entry in entries:
        lines.setdefault(entry.payment_id or "", {})[_kind_of(entry.account)] = entry
    billed_by = session.scalars(
        select(LedgerEntry.account).where(
            LedgerEntry.posting == f"billed:{invoice_id}", LedgerEntry.account.startswith("biller:")
        )
    ).one()
    return [
        Claim(
            invoice_id=invoice_id,
            payment_id=payment_id,
            creditor=billed_by.removeprefix("biller:"),
            amount=Money(of["inflight"].amount_minor, of["inflight"].currency),
            discount=Money(of["adjust"].amount_minor if "adjust" in of else 0, of["inflight"].currency),
        )
        for payment_id, of in lines.items()
    ]


_OF_PAYMENT = (
    select(LedgerEntry.account, func.sum(LedgerEntry.amount_minor))
    .where(LedgerEntry.payment_id == bindparam("of_payment"))
    .group_by(LedgerEntry.account)
)
_OF_INVOICE = (
    select(LedgerEntry.payment_id, LedgerEntry.account, func.sum(LedgerEntry.amount_minor))
    .where(LedgerEntry.invoice_id == bindparam("of_invoice"), LedgerEntry.payment_id.is_not(None))
    .group_by(LedgerEntry.payment_id, LedgerEntry.account)
    .order_by(LedgerEntry.payment_id)
)


def position_of(session: Session, payment_id: str) -> Position:
    """What one payment has of its invoice; nothing where none was ever posted."""
    rows = session.execute(_OF_PAYMENT, {"of_payment": payment_id})
    return _position({row[0]: row[1] for row in rows})


def positions_of(session: Session, invoice_id: str) -> dict[str, Position]:
    """What each payment of an invoice has of it, by their ids and in their order."""
    sums: dict[str, dict[str, int]] = {}
    for payment_id, account, minor in session.execute(_OF_INVOICE, {"of_invoice": invoice_id}):
        sums.setdefault(payment_id or "", {})[account] = minor
    return {payment_id: _position(of) for payment_id, of in sums.items()}


def _position(sums: Mapping[str, int]) -> Position:
    of = Counter[str]()
    for account, minor in sums.items():
        of[_kind_of(account)] += int(minor)
    return Position(taken=-of["due"] - of["owed"], held=of["inflight"], settled=of["settled"])


def _kind_of(account: str) -> str:
    return account.partition(":")[0]


def is_held(session: Session, invoice_id: str) -> bool:
    """Whether a payment under way holds a claim on the invoice."""
    held = select(func.sum(LedgerEntry.amount_minor)).where(
        LedgerEntry.invoice_id == invoice_id, LedgerEntry.account.startswith("inflight:")
    )
    return (session.scalar(held) or 0) > 0


def executed_of(session: Session, invoice_ids: Collection[str]) -> tuple[str, ...]:
    """The ids of the payments of these invoices that banks have executed and not taken back, in order."""
    executed = (
        select(LedgerEntry.payment_id)
        .where(LedgerEntry.invoice_id.in_(invoice_ids), LedgerEntry.account.startswith("settled:"))
        .group_by(LedgerEntry.payment_id)
        .having(func.sum(LedgerEntry.amount_minor) > 0)
        .order_by(LedgerEntry.payment_id)
    )
    return tuple(filter(None, session.scalars(executed)))


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
    return sum(max(each.adjusted, 0) for each in positions_of(session, invoice_id).values())


def taken_of(session: Session, invoice_id: str) -> int:
    """Minor units that payments have taken from its customer's account and paid of the invoice; what was paid on top of
    another one is not in it, and no discount."""
    return sum(each.settled - each.on_top for each in positions_of(session, invoice_id).values())


def overpaid_of(session: Session, invoice_id: str) -> int:
    """Minor units that were paid on top of another payment of an invoice."""
    return sum(each.on_top for each in positions_of(session, invoice_id).values())


def _shared(session: Session, invoice_id: str, lines: Lines) -> Lines:
    due_minor = balance_of(session, rules.due(invoice_id), lock=True)
    return rules.shared(lines, invoice_id=invoice_id, due_minor=due_minor, owed_minor=owed_of(session, invoice_id))


def _open(session: Session, account: str, currency: str) -> None:
    session.add(LedgerBalance(account=account, currency=currency, balance_minor=0))
    session.flush()


def _move_to(uow: UnitOfWork, kind: str, claim: Claim, before: Position, after: Position, *, number: int = 0) -> None:
    """Post what brings a payment from what it had to what it has now; nothing where that is the same."""
    lines, due = rules.moved(claim, before, after), rules.due(claim.invoice_id)
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
