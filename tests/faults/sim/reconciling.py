"""The other ways in which the truth arrives: statements of account, the biller's word, an operator who asks."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from app.errors import Conflict
from app.journey.reconciliation import service as reconciliation
from app.journey.reconciliation.service import Word
from tests.faults.sim.bank import DEAD, PAID, Order
from tests.support.camt import Line, camt

if TYPE_CHECKING:
    from tests.faults.sim.world import World


def ask_the_banks(world: World) -> bool:
    """An operator has all banks asked now, within their budgets."""
    world.floor.counts["some asked by operator"] += reconciliation.ask(world.services)
    return True


def say_what_arrived(world: World) -> bool:
    """A biller's program says whether money came; it may be wrong, or lie. Its word must move nothing."""
    rows = world.house.raw.execute(
        "SELECT id, biller_id FROM payment WHERE biller_id IS NOT NULL ORDER BY id"
    ).fetchall()
    if not rows:
        return False
    payment_id, biller_id = world.dice.choice(rows)
    word = Word(received=world.dice.random() < 0.5)
    try:
        reconciliation.take_word(
            world.services, client=world.house.clients[biller_id], payment_id=payment_id, word=word
        )
    except Conflict:  # it has changed its mind too often
        return True
    world.floor.counts["some words of billers"] += 1
    return True


def import_a_statement(world: World) -> bool:
    """The statement of a payee's account: most of what banks have executed, and what they took back."""
    orders = [order for bank in world.banks for order in bank.orders if order.executed(world.floor.now)]
    if not orders:
        return False
    account = world.dice.choice(orders).iban
    lines = [
        line for order in orders if order.iban == account and world.dice.random() < 0.8 for line in _lines(world, order)
    ]
    if not lines:
        return False
    content = camt(*lines, account=account, message_id=f"M{len(world.floor.trace)}")
    imported = reconciliation.import_statement(world.services, content)
    world.floor.note(f"statement: {imported}")
    world.floor.counts["some stepped by statement"] += imported.changed
    return True


def _lines(world: World, order: Order) -> list[Line]:
    """Its credit, and its way back."""
    lines, credited = [], False
    amount = f"{order.amount.minor // 100}.{order.amount.minor % 100:02d}"
    for at, word in order.log:
        if at > world.floor.now:
            break
        line = functools.partial(
            Line,
            end_to_end_id=order.end_to_end_id,
            amount=amount,
            currency=order.amount.currency,
            booked_on=f"{at:%Y-%m-%d}",
        )
        if word in PAID and not credited:
            credited = True
            lines.append(line(reference=f"{order.id}-in"))
        elif word in DEAD and credited:
            credited = False
            lines.append(line(reference=f"{order.id}-back", indicator="DBIT", reversal=True))
    return lines
