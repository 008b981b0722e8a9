from __future__ import annotations

from dataclasses import dataclass

from app.db.events import Event


@dataclass(frozen=True, kw_only=True)
class BillCorrected(Event):
    """A correction is linked with its bill, which is recalculated."""

    correction_id: str
    invoice_id: str
    asked_minor: int  #: of the bill, since then
    state: str  #: of the invoice then
    sequence: int  #: grows with every fact about corrections of this invoice
