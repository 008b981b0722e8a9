"""Who may deliver to whom."""

from __future__ import annotations

from app.invariants.query import Invariant, holds

CONNECTIONS: tuple[Invariant, ...] = (
    holds(
        "A1",
        "a connection's history is unbroken and ends where the connection stands",
        "SELECT later.connection_id FROM connection_history later LEFT JOIN connection_history earlier"
        " ON earlier.connection_id = later.connection_id AND earlier.sequence = later.sequence - 1"
        " WHERE later.before <> COALESCE(earlier.after, 'none')"
        " UNION ALL SELECT c.id FROM connection c LEFT JOIN connection_history h"
        " ON h.connection_id = c.id AND h.sequence = c.sequence WHERE h.connection_id IS NULL OR h.after <> c.state"
        " UNION ALL SELECT h.connection_id FROM connection_history h JOIN connection c ON c.id = h.connection_id"
        " WHERE h.sequence > c.sequence",
    ),
    holds(
        "A2",
        "nobody is connected whom the customer has not asked or accepted since they were last apart",
        "SELECT h.connection_id FROM connection_history h JOIN connection c ON c.id = h.connection_id"
        " WHERE h.after = 'active' AND h.before <> 'muted'"
        " AND NOT (h.source = 'operator' OR (h.step = 'accept' AND h.source = 'customer')"
        " OR (h.before IN ('asked', 'checking') AND EXISTS (SELECT 1 FROM connection_history a"
        " WHERE a.connection_id = h.connection_id AND a.sequence BETWEEN h.sequence - 2 AND h.sequence - 1"
        " AND a.step = 'ask' AND a.source = 'customer')))",
    ),
    holds(
        "A3",
        "no bill reached a customer who had left, blocked or never accepted its biller, but a credit note of one that"
        " had reached them",
        # what was on its way at the same moment came before: their order within a minute is not told by the clock
        "SELECT b.id FROM delivered_bill b LEFT JOIN connection c"
        " ON c.customer_id = b.customer_id AND c.biller_id = b.biller_id WHERE c.id IS NULL"
        " UNION ALL SELECT b.id FROM delivered_bill b JOIN connection c"
        " ON c.customer_id = b.customer_id AND c.biller_id = b.biller_id"
        " JOIN connection_history h ON h.connection_id = c.id AND h.after NOT IN ('active', 'muted')"
        " LEFT JOIN connection_history later ON later.connection_id = c.id AND later.sequence = h.sequence + 1"
        " WHERE {seconds:b.delivered_at,h.at} > 60"
        " AND (later.connection_id IS NULL OR {seconds:later.at,b.delivered_at} > 60)"
        " AND NOT (b.kind = 'credit_note' AND EXISTS (SELECT 1 FROM delivered_bill n WHERE n.biller_id = b.biller_id"
        " AND n.customer_id = b.customer_id AND n.number = b.corrects_number AND n.kind = 'invoice'"
        " AND n.delivered_at <= b.delivered_at))"
        # before the very first step
        " UNION ALL SELECT b.id FROM delivered_bill b JOIN connection c"
        " ON c.customer_id = b.customer_id AND c.biller_id = b.biller_id"
        " JOIN connection_history h ON h.connection_id = c.id AND h.sequence = 1"
        " WHERE {seconds:h.at,b.delivered_at} > 60",
    ),
    holds(
        "A4",
        "a code brought one biller to one customer, and an accepted redemption stands for a connection of its biller",
        "SELECT min(id) FROM connection_code WHERE redemption_id IS NOT NULL GROUP BY redemption_id HAVING count(*) > 1"
        " UNION ALL SELECT r.id FROM redemption r LEFT JOIN connection c ON c.id = r.connection_id"
        " WHERE (r.connection_id IS NOT NULL AND (c.id IS NULL OR c.biller_id <> r.biller_id))"
        " OR (r.accepted_at IS NOT NULL AND (c.id IS NULL OR c.shared_at IS NULL))"
        " UNION ALL SELECT k.id FROM connection_code k JOIN redemption r ON r.id = k.redemption_id"
        " JOIN connection c ON c.id = r.connection_id WHERE c.customer_id <> k.customer_id",
    ),
    holds(
        "A5",
        "whatever a biller came with was looked at, or is about to be",
        "SELECT id FROM redemption WHERE taken_up_at IS NULL EXCEPT {asked:connections.take_up,redemption_id}",
    ),
)
