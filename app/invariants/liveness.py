"""Nothing waits longer than it may."""

from __future__ import annotations

from app.invariants.query import Invariant, holds, in_time

LIVENESS: tuple[Invariant, ...] = (
    holds(
        "L1",
        "no payment under way is forgotten: somebody is going to look at it",
        "SELECT id FROM payment WHERE state IN ('prepared', 'initiating') EXCEPT {asked:payments.initiate,payment_id}"
        " UNION ALL SELECT p.id FROM payment p LEFT JOIN work w ON w.key = 'payments.follow:' || p.id"
        " WHERE p.state IN ('awaiting_customer', 'authorised', 'submitting', 'accepted', 'unknown') AND w.id IS NULL",
    ),
    holds(
        "L2",
        "no message to a biller is forgotten",
        "SELECT m.id FROM webhook_message m JOIN webhook_endpoint e ON e.id = m.endpoint_id"
        " LEFT JOIN work w ON w.key = 'webhooks.deliver:' || m.id"
        " WHERE m.delivered_at IS NULL AND m.dropped_at IS NULL AND e.active AND w.id IS NULL",
    ),
    holds(
        "L8",
        "no standing consent is forgotten: somebody is going to give it to its bank, look at it or take it back there",
        "SELECT s.consent_id FROM standing s JOIN consent c ON c.id = s.consent_id"
        " LEFT JOIN work w ON w.key = 'consents.follow:' || s.consent_id"
        " WHERE w.id IS NULL AND (s.ended_at IS NULL"
        " OR (c.bank_consent_id IS NOT NULL AND s.gone_at IS NULL))",
    ),
    in_time(
        "L4",
        "no work is due for more than five minutes",
        "SELECT key FROM work WHERE {seconds::now,run_at} > 300",
    ),
    in_time(
        "L5",
        "no promise to a customer has passed without being kept or renewed",
        "SELECT id FROM payment WHERE state = 'unknown' AND {seconds::now,know_by} > 300",
    ),
    in_time(
        "L6",
        "no order is still being given to its bank after an hour",
        "SELECT id FROM payment WHERE state IN ('prepared', 'initiating') AND {seconds::now,created_at} > 3600",
    ),
    in_time(
        "L7",
        "no delivered bill has been on its way into its customer's space for a day, unless a payment of one that it"
        " replaces is under way, or has been within the last hour",
        # a new version waits for all of the line that it is to end, whichever bill of that it names; where that is not
        # here, of those that named it before
        "WITH RECURSIVE waiting AS (SELECT b.* FROM delivered_bill b LEFT JOIN invoice i ON i.bill_id = b.id"
        " WHERE i.id IS NULL AND b.kind = 'invoice'),"
        " replaced(id, by_id) AS (SELECT i.bill_id, c.bill_id FROM correction c JOIN invoice i ON i.id = c.invoice_id"
        " WHERE c.kind = 'new_version'),"
        " beside(id, other_id) AS (SELECT id, by_id FROM replaced UNION ALL SELECT by_id, id FROM replaced"
        " UNION ALL SELECT w.id, b.id FROM waiting w JOIN delivered_bill b ON b.biller_id = w.biller_id"
        " AND b.customer_id = w.customer_id AND b.kind = 'invoice' AND (b.number = w.corrects_number"
        " OR b.corrects_number = w.corrects_number AND (b.delivered_at, b.id) < (w.delivered_at, w.id))),"
        " line(first_id, bill_id) AS (SELECT id, id FROM waiting WHERE {seconds::now,delivered_at} > 86400"
        " UNION SELECT l.first_id, b.other_id FROM line l JOIN beside b ON b.id = l.bill_id)"
        " SELECT first_id FROM line EXCEPT SELECT l.first_id FROM line l JOIN invoice i ON i.bill_id = l.bill_id"
        " WHERE i.state = 'in_payment' OR EXISTS (SELECT 1 FROM payment p WHERE p.invoice_id = i.id"
        " AND {seconds::now,p.updated_at} <= 3600)",
    ),
)
