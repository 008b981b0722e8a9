"""What was said of refunds, and the accounts that customers released for them."""

from __future__ import annotations

from app.invariants.query import Invariant, holds, in_time

REFUNDS: tuple[Invariant, ...] = (
    # ------------------------------------------------------------------------------------------------------ J refunds
    holds(
        "J1",
        "no more was ever promised of a bill than was owed of it at that moment",
        # what was taken back at the same moment counts as taken back: within a minute the clock does not tell
        "SELECT r.id FROM refund r JOIN refund o ON o.invoice_id = r.invoice_id AND o.number <= r.number"
        " LEFT JOIN refund_history w ON w.refund_id = o.id AND w.step = 'withdraw'"
        " WHERE o.id = r.id OR w.at IS NULL OR {seconds:w.at,r.said_at} > 60"
        " GROUP BY r.id, r.owed_minor HAVING SUM(o.amount_minor) > r.owed_minor",
    ),
    holds(
        "J2",
        "a refund is of its bill's company, customer and currency",
        "SELECT r.id FROM refund r JOIN invoice i ON i.id = r.invoice_id WHERE r.customer_id <> i.customer_id"
        " OR i.biller_id IS NULL OR r.biller_id <> i.biller_id OR r.currency <> i.currency",
    ),
    holds(
        "J3",
        "a refund stands where the last line of its history says, and each line goes on from the one before",
        "SELECT r.id FROM refund r LEFT JOIN refund_history h ON h.refund_id = r.id AND h.sequence = r.sequence"
        " WHERE h.after IS NULL OR h.after <> r.state"
        " UNION ALL SELECT h.refund_id FROM refund_history h LEFT JOIN refund_history b"
        " ON b.refund_id = h.refund_id AND b.sequence = h.sequence - 1"
        " WHERE COALESCE(h.before, '') <> COALESCE(b.after, '')"
        " UNION ALL SELECT h.refund_id FROM refund_history h JOIN refund r ON r.id = h.refund_id"
        " WHERE h.sequence > r.sequence",
    ),
    holds(
        "J4",
        "that it has come or has not only its customer says, that it is promised, sent or taken back only its company",
        "SELECT refund_id FROM refund_history WHERE"
        " (step IN ('arrive', 'miss', 'release', 'take_back') AND source <> 'customer')"
        " OR (step IN ('promise', 'send', 'withdraw') AND source <> 'biller')"
        " OR (step = 'erase' AND source <> 'worker')"
        " OR (after = 'received' AND before <> 'received' AND step <> 'arrive')"
        " OR (after = 'missing' AND before <> 'missing' AND step <> 'miss')",
    ),
    holds(
        "J5",
        "no account number outlives its refund, or its customer's word",
        "SELECT id FROM sealed WHERE id LIKE 'refund:%'"
        " EXCEPT SELECT 'refund:' || a.id FROM refund_account a JOIN refund r ON r.id = a.refund_id"
        " WHERE a.state IN ('typed', 'released') AND r.state IN ('promised', 'sent', 'missing')",
    ),
    holds(
        "J6",
        "an account that is released has its number in the vault, and belongs to a refund that has not ended",
        "SELECT a.id FROM refund_account a JOIN refund r ON r.id = a.refund_id"
        " LEFT JOIN sealed s ON s.id = 'refund:' || a.id WHERE a.state = 'released'"
        " AND (s.id IS NULL OR r.state NOT IN ('promised', 'sent', 'missing'))",
    ),
    in_time(
        "J7",
        "an account is erased when its time is over",
        "SELECT id FROM refund_account WHERE state IN ('typed', 'released') AND {seconds::now,erase_at} > 7200",
    ),
    in_time(
        "J8",
        "of every refund it was noticed that the day by which it was promised is over",
        # a day ends everywhere half a day after it does here; that is looked for every hour
        "SELECT id FROM refund WHERE state = 'promised' AND overdue_at IS NULL AND {seconds::now,promised_by} > 259200",
    ),
)
