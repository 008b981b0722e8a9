"""What asks a word of its own of a customer before they sign a bill: it is not signed among others but by itself, where
the page says it.

Most of it stands in the order, and whatever is not known here counts as such: only what is named in ``PLAIN`` is not.
Some of it is said beside the order, since it changes nothing of what is paid: it is named here, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.errors import Conflict
from app.journey.answers.read import said_before
from app.journey.answers.states import AnswerKind
from app.journey.invoices.models import Invoice
from app.journey.invoices.read import Seal, origin_of
from consent.vault import Vault

#: all that stands in an order which asks for no word of its own: not, say, that it is of a payee whom nobody verified,
#: of a bill that may have been paid by an earlier version or a twin, or of a request whose last day is over
PLAIN = frozenset(
    (
        *("invoice", "payee", "iban", "reference", "amount_minor", "currency", "rest_minor", "parts_paid"),
        *("day", "bank", "consent"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What the page of a bill says beside its order."""

    is_collected_besides: bool  #: its company says that it collects it as well: it could be paid twice
    is_said_paid: bool  #: its customer said of an earlier version that they had paid that elsewhere
    is_seal_wrong: bool  #: it is not what its company sealed


def beside_of(session: Session, vault: Vault, invoice: Invoice) -> Beside:
    said = said_before(session, invoice_ids=[invoice.id]).get(invoice.id)
    return Beside(
        is_collected_besides=bool(invoice.means_details.get("besides")),
        is_said_paid=said is not None and said.kind == AnswerKind.PAID_ELSEWHERE,
        is_seal_wrong=origin_of(vault, session, invoice_id=invoice.id).seal is Seal.WRONG,
    )


def must_ask_nothing(order: Mapping[str, str], beside: Beside) -> None:
    """Raises Conflict, by whose code it is told what is to be read: ``seal-wrong``, ``collected-besides``,
    ``said-paid``, ``own-word``."""
    if beside.is_seal_wrong:
        raise Conflict("seal-wrong", "This bill is not what its company sealed: nothing was paid. Ask the company.")
    if beside.is_collected_besides:
        raise Conflict(
            "collected-besides", "The company says that it collects this bill as well. Nothing was paid: sign it alone."
        )
    if beside.is_said_paid:
        raise Conflict(
            "said-paid", "You said that an earlier version of it was paid elsewhere. Nothing was paid: sign it alone."
        )
    if "consent" not in order or not order.keys() <= PLAIN:
        raise Conflict("own-word", "This bill asks for a word of its own. Nothing was paid: sign it alone.")
