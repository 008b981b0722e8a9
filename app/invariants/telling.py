"""What billers, banks and customers are told."""

from __future__ import annotations

from app.invariants.query import Invariant, holds

TELLING: tuple[Invariant, ...] = (
    # -------------------------------------------------------------------------------------------------------- G telling
    holds(
        "G1",
        "every step that must be told was recorded as a fact, once",
        "SELECT after FROM (SELECT after, count(*) AS steps FROM payment_history"
        " WHERE sequence > 1 AND after IN ('settled', 'reversed', 'unknown', 'accepted') GROUP BY after) h"
        " LEFT JOIN (SELECT kind, count(*) AS facts FROM event GROUP BY kind) e"
        " ON e.kind = CASE after WHEN 'settled' THEN 'PaymentSettled' WHEN 'reversed' THEN 'PaymentReversed'"
        " WHEN 'unknown' THEN 'PaymentUnknown' ELSE 'PaymentAccepted' END"
        " WHERE COALESCE(e.facts, 0) < h.steps",
    ),
    holds(
        "G2",
        "no biller was told of a payment that was not so",
        "SELECT m.id FROM webhook_message m WHERE m.type = 'payment.settled' AND NOT EXISTS"
        " (SELECT 1 FROM payment_history h WHERE h.payment_id = m.subject AND h.after = 'settled')"
        " UNION ALL SELECT m.id FROM webhook_message m WHERE m.type = 'payment.failed' AND NOT EXISTS"
        " (SELECT 1 FROM payment_history h WHERE h.payment_id = m.subject"
        " AND h.after IN ('rejected', 'cancelled', 'expired', 'reversed'))",
    ),
    holds(
        "G4",
        "one delivery is one bill: no number of a biller stands twice",
        "SELECT min(id) FROM delivered_bill GROUP BY biller_id, number HAVING count(*) > 1",
    ),
    holds(
        "G5",
        "every delivered bill is in its customer's space, or about to be",
        "SELECT b.id FROM delivered_bill b LEFT JOIN invoice i ON i.bill_id = b.id WHERE i.id IS NULL"
        " AND b.kind = 'invoice' EXCEPT {asked:invoices.open_invoice,bill_id}"
        " EXCEPT {together:invoices.open_invoice_together,bill_id} EXCEPT {asked:corrections.apply_correction,bill_id}",
    ),
    holds(
        "G8",
        "every delivered credit note is a correction and no bill, or about to be",
        "SELECT b.id FROM delivered_bill b LEFT JOIN correction c ON c.bill_id = b.id WHERE b.kind = 'credit_note'"
        " AND c.id IS NULL EXCEPT {asked:corrections.apply_correction,bill_id}"
        " UNION ALL SELECT b.id FROM delivered_bill b JOIN invoice i ON i.bill_id = b.id WHERE b.kind = 'credit_note'",
    ),
    holds(
        "G9",
        "no correction stands whose bill is in its customer's space, unless it cannot be of that bill",
        "SELECT c.bill_id FROM correction c JOIN invoice i ON i.biller_id = c.biller_id AND i.number = c.names"
        " WHERE c.state = 'standing' AND c.because = 'unknown-preceding'"
        " EXCEPT {asked:corrections.apply_correction,bill_id}",
    ),
    holds(
        "G6",
        "every decision has its payment, or is about to get it",
        "SELECT d.id FROM decision d LEFT JOIN payment p ON p.decision_id = d.id WHERE p.id IS NULL"
        " EXCEPT {asked:payments.initiate,decision_id}",
    ),
    holds(
        "G7",
        "an upload that is done has a result for every one of its bills",
        "SELECT u.id FROM upload u WHERE u.state = 'done' AND (u.delivered + u.repeated + u.held + u.refused <> u.bills"
        " OR u.bills <> (SELECT count(*) FROM upload_line l WHERE l.upload_id = u.id))",
    ),
    # ------------------------------------------------------------------------------------------ M messages to customers
    holds(
        "M1",
        "nobody was sent a message who has no safe words",
        "SELECT n.id FROM notice n LEFT JOIN sealed s ON s.id = 'customer:' || n.customer_id || ':' || 'safe-words'"
        " WHERE n.state = 'sent' AND s.id IS NULL",
    ),
    holds(
        "M2",
        "one fact is told to its customer once, and as what it was",
        "SELECT min(id) FROM notice GROUP BY event_id HAVING count(*) > 1"
        " UNION ALL SELECT n.id FROM (SELECT id, event_id, kind FROM space_notice UNION ALL"
        " SELECT id, event_id, kind FROM notice) n JOIN event e ON e.id = n.event_id WHERE e.kind <> CASE n.kind"
        " WHEN 'new_bill' THEN 'InvoiceOpened' WHEN 'bill_held' THEN 'BillHeld'"
        " WHEN 'bill_reply' THEN 'AnswerChanged' WHEN 'bill_due' THEN 'BillDueSoon'"
        " WHEN 'plan_due' THEN 'PlanDue' WHEN 'plan_missed' THEN 'PlanChanged'"
        " WHEN 'payment_settled' THEN 'PaymentSettled' WHEN 'payment_failed' THEN 'PaymentFailed'"
        " WHEN 'later_failed' THEN 'PaymentFailed' WHEN 'payment_coming' THEN 'PaymentScheduled'"
        " WHEN 'kept_unwanted' THEN 'KeptUnwanted'"
        " WHEN 'payment_reversed' THEN 'PaymentReversed' WHEN 'account_frozen' THEN 'PayeeMoved'"
        " WHEN 'consent_ending' THEN 'ConsentEnding' WHEN 'consent_set_up' THEN 'ConsentChanged'"
        " WHEN 'consent_stopped' THEN 'ConsentChanged' WHEN 'consent_ended' THEN 'ConsentChanged'"
        " WHEN 'consent_not_taken' THEN 'ConsentChanged' WHEN 'consent_account' THEN 'ConsentChanged'"
        " WHEN 'address_asked' THEN 'AddressAsked' WHEN 'all_stopped' THEN 'CustomerStopped'"
        " WHEN 'stop_lifted' THEN 'StopLifted' WHEN 'passkey_added' THEN 'PasskeyAdded'"
        " WHEN 'passkey_removed' THEN 'PasskeyRemoved' WHEN 'device_added' THEN 'DeviceAdded'"
        " WHEN 'address_changed' THEN 'AddressChanged'"
        " WHEN 'codes_made' THEN 'RecoveryCodesMade' WHEN 'code_used' THEN 'RecoveryCodeUsed'"
        " WHEN 'recovery_asked' THEN 'RecoveryWordsDrawn' WHEN 'recovery_begun' THEN 'RecoveryBegun'"
        " WHEN 'recovery_waits' THEN 'RecoveryWaits' WHEN 'recovery_over' THEN 'RecoveryOver'"
        " WHEN 'recovery_done' THEN 'RecoveryDone' WHEN 'space_exported' THEN 'SpaceExported'"
        " WHEN 'erasure_asked' THEN 'ErasureAsked'"
        " ELSE 'SafeWordsChanged' END",
    ),
    holds(
        "M3",
        "no message to a customer is forgotten",
        "SELECT n.id FROM notice n LEFT JOIN work w ON w.key = 'notices.send:' || n.id"
        " WHERE n.state = 'waiting' AND w.id IS NULL",
    ),
    holds(
        "M8",
        "whatever was sent to a customer stands in their space, and as what it was",
        "SELECT n.id FROM notice n LEFT JOIN space_notice s ON s.event_id = n.event_id AND s.kind = n.kind"
        " AND s.customer_id = n.customer_id WHERE s.id IS NULL"
        " UNION ALL SELECT p.id FROM push_message p LEFT JOIN space_notice s ON s.event_id = p.event_id"
        " AND s.kind = p.kind AND s.customer_id = p.customer_id WHERE s.id IS NULL",
    ),
    holds(
        "M9",
        "no message to a device is forgotten, or is for another one than its customer's",
        "SELECT p.id FROM push_message p LEFT JOIN work w ON w.key = 'notices.push:' || p.id"
        " WHERE p.state = 'waiting' AND w.id IS NULL"
        " UNION ALL SELECT p.id FROM push_message p JOIN push_device d ON d.id = p.device_id"
        " WHERE d.customer_id <> p.customer_id",
    ),
    holds(
        "M4",
        "to an address that its customer has not shown to be theirs nothing was sent but the question",
        # what has no first try was sent before anybody was asked (migration 0029); a minute, since it may be shown on
        # one machine and sent by another
        "SELECT n.id FROM notice n JOIN customer c ON c.id = n.customer_id WHERE n.state = 'sent'"
        # of another address than the customer has now nothing is known any more, but that it was told so
        " AND n.begun_at IS NOT NULL"
        " AND n.kind NOT IN ('address_asked', 'address_changed') AND (c.email_proven_at IS NULL"
        " OR {seconds:c.email_proven_at,n.ended_at} > 60)"
        " AND (c.email_changed_at IS NULL OR {seconds:n.ended_at,c.email_changed_at} > 120)",
    ),
    holds(
        "M5",
        "of no payment that waits for its day it is forgotten to tell, the day before, that it comes",
        # from one morning to the next there are 25 hours at the most; and the clocks of two machines may differ
        "SELECT d.id FROM payment p JOIN decision d ON d.id = p.decision_id"
        " WHERE p.state IN {live} AND ({seconds:p.send_from,:now} > 90300 OR {seconds:p.kept_until,:now} > 90300)"
        " EXCEPT {asked:notices.tell_payment_coming,decision_id}",
    ),
    holds(
        "M6",
        "that a payment comes was told the day before, not after it could be sent, and of none that had ended",
        # a minute, since it may end on one machine and be told by another; what had ended may have come to life again
        "SELECT n.id FROM notice n JOIN event e ON e.id = n.event_id"
        " JOIN payment p ON p.id = e.payload ->> 'payment_id' WHERE n.kind = 'payment_coming'"
        " AND (COALESCE(p.send_from, p.kept_until) IS NULL"
        " OR {seconds:p.send_from,n.created_at} NOT BETWEEN 0 AND 90000"
        " OR {seconds:p.kept_until,n.created_at} NOT BETWEEN 0 AND 90000 OR EXISTS (SELECT 1 FROM payment_history h"
        " WHERE h.payment_id = p.id AND h.after IN {closed} AND {seconds:n.created_at,h.at} > 60"
        " AND NOT EXISTS (SELECT 1 FROM payment_history a WHERE a.payment_id = p.id AND a.sequence > h.sequence"
        " AND a.at <= n.created_at)))",
    ),
    holds(
        "M7",
        "no bill is said to be due soon twice, or without being found to be, or once all that is meant is paid",
        # of those that a message speaks for; two minutes, since it may be paid while the message is being sent
        "SELECT min(e.id) FROM event e WHERE e.kind = 'BillDueSoon' GROUP BY e.payload ->> 'invoice_id'"
        " HAVING count(*) > 1"
        " UNION ALL SELECT e.id FROM event e JOIN invoice i ON i.id = e.payload ->> 'invoice_id'"
        " LEFT JOIN bill_reminder r ON r.invoice_id = i.id WHERE e.kind = 'BillDueSoon' AND r.told_at IS NULL"
        " UNION ALL SELECT n.id FROM notice n JOIN event e ON e.id = n.event_id"
        " JOIN bill_reminder f ON f.invoice_id = e.payload ->> 'invoice_id'"
        " WHERE n.kind = 'bill_due' AND n.state = 'sent'"
        " AND NOT EXISTS (SELECT 1 FROM bill_reminder r JOIN invoice i ON i.id = r.invoice_id"
        " WHERE r.customer_id = n.customer_id AND r.told_at >= f.told_at AND NOT (i.state = 'paid' AND EXISTS"
        " (SELECT 1 FROM payment p WHERE p.invoice_id = i.id AND p.state = 'settled'"
        " AND {seconds:n.ended_at,p.settled_at} > 120)))",
    ),
)
