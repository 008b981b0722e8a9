"""Mistakes about bills that are paid in parts, planted one at a time as those of bugs.py."""

from __future__ import annotations

from collections.abc import Sequence

from app.db.unit_of_work import UnitOfWork
from app.journey.decisions import service as decisions
from app.journey.invoices import service as invoices
from app.journey.ledger import service as ledger
from app.journey.ledger.rules import Claim
from app.journey.payments import access
from tests.faults.sim.planting import Change, bug


@bug("what a part has paid is not written down", "B7", "R1")
def part_not_written_down() -> Sequence[Change]:
    real = invoices._pay
    return [(invoices, "_pay", lambda uow, invoice_id, minor: real(uow, invoice_id, 0))]


@bug("the next part is decided while the one before is under way", "B21", "R1", "X1")
def two_parts_at_once() -> Sequence[Change]:
    def claim(uow: UnitOfWork, taken: Claim) -> None:
        ledger.initiate(uow, taken)
        invoices._follow_ledger(uow, taken.invoice_id)

    return [(invoices, "claim", claim), (decisions, "must_be_free", lambda invoice: None)]


@bug("a second try is paid as well as the first one, which happened after all, as long as both go into the bill", "A2")
def second_try_is_a_part() -> Sequence[Change]:
    return [(access, "paid_by_another", lambda *_: None), (access, "_alive_again", lambda *_: None)]
