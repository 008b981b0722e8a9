"""What customers answered to the one question."""

from __future__ import annotations

from app.invariants.query import Invariant, holds

OPINIONS: tuple[Invariant, ...] = (
    # ----------------------------------------------------------------------------------------------------- O opinions
    holds(
        "O1",
        "an opinion is of a payment that was settled, or of a dispute that its company answered; of these two alone",
        "SELECT o.subject_id FROM opinion o LEFT JOIN payment p ON p.id = o.subject_id AND o.about = 'payment'"
        " LEFT JOIN bill_answer a ON a.id = o.subject_id AND o.about = 'dispute'"
        " WHERE (p.settled_at IS NULL AND (a.kind IS NULL OR a.kind <> 'disputed'"
        " OR a.state NOT IN ('accepted', 'refused')))"
        " OR COALESCE(p.customer_id, a.customer_id) <> o.customer_id"
        " OR COALESCE(p.biller_id, a.biller_id, '') <> o.biller_id",
    ),
)
